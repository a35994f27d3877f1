// SPDX-License-Identifier: GPL-2.0
/*
 * The instructions of cpu v4: each form with each register, on each kind of memory,
 * compiled as usual, with hardening, with noise in upper halves, and interpreted.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <linux/pkt_cls.h>
#include "arena_insn.h"
#include "progs/arena_insns_cpu_v4.h"
#include "arena_insns_cpu_v4.skel.h"

#define PAGES	16
/* Never touched by user space: absent, until a program allocates it. */
#define ABSENT	(12 * ARENA_PAGE)

static struct arena a;
static int map_fd;
/* Are programs compiled? If not there is no arena either. */
static bool jited;

static const int sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };

static const __u64 values[] = {
	0, 1, 0x7f, 0x80, 0xff, 0x100, 0x17f, 0x180, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
	0x8000000000000000, 0xffffffffffffff80, 0xffffffffffffffff,
	0x8182838485868788, 0x7172737475767778,
};

static int size_bits(int size)
{
	switch (size) {
	case BPF_B:
		return 8;
	case BPF_H:
		return 16;
	case BPF_W:
		return 32;
	default:
		return 64;
	}
}

static __u64 zx(__u64 val, int bits)
{
	return val << (64 - bits) >> (64 - bits);
}

static __u64 sx(__u64 val, int bits)
{
	return (__s64)(val << (64 - bits)) >> (64 - bits);
}

/* Says which of very many cases failed. */
#define CASE_EQ(ACTUAL, EXPECTED, FORMAT, ...) ({				\
	__u64 ___act = (ACTUAL), ___exp = (EXPECTED);				\
	if (___act != ___exp)							\
		PRINT_FAIL(FORMAT ": actual %#llx != expected %#llx\n",		\
			   ##__VA_ARGS__, ___act, ___exp);			\
	___act == ___exp;							\
})

/*
 * The first number of the context is the programs' input, the others are what they
 * make of it. A stack slot keeps the context, so that all ten registers are free.
 */
#define CTX_SLOT	-8
static __u64 ctx[2048];

static void start(struct insns *p)
{
	EMIT(p, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, CTX_SLOT));
}

static void input(struct insns *p, int reg, int i)
{
	EMIT(p, BPF_LDX_MEM(BPF_DW, reg, BPF_REG_10, CTX_SLOT),
	     BPF_LDX_MEM(BPF_DW, reg, reg, 8 * i));
}

/* Changes R0 or R1. */
static void output(struct insns *p, int reg, int i)
{
	int tmp = reg == BPF_REG_0 ? BPF_REG_1 : BPF_REG_0;

	EMIT(p, BPF_LDX_MEM(BPF_DW, tmp, BPF_REG_10, CTX_SLOT),
	     BPF_STX_MEM(BPF_DW, tmp, reg, 8 * i));
}

static int load(struct insns *p)
{
	int fd;

	EMIT(p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	fd = arena_load(BPF_PROG_TYPE_SYSCALL, p->insn, p->cnt);
	insns_free(p);
	return fd;
}

static bool run(int fd)
{
	return arena_run(fd, ctx, sizeof(ctx), NULL);
}

static void in_mode(const char *enable, const char *harden, __u32 flags, void (*test)(void))
{
	char old_enable[16], old_harden[16];

	if (!arena_sysctl(JIT_ENABLE, enable, old_enable, sizeof(old_enable)))
		return;
	if (arena_sysctl(JIT_HARDEN, harden, old_harden, sizeof(old_harden))) {
		jited = enable[0] != '0';
		arena_prog_flags = flags;
		test();
		arena_prog_flags = 0;
		arena_sysctl(JIT_HARDEN, old_harden, NULL, 0);
	}
	arena_sysctl(JIT_ENABLE, old_enable, NULL, 0);
}

static void in_all_modes(void (*test)(void))
{
	in_mode("1", "0", 0, test);
	in_mode("1", "2", 0, test);
	in_mode("1", "0", BPF_F_TEST_RND_HI32, test);
	in_mode("0", "0", 0, test);
}

/* Sign-extending moves */

static const struct movsx {
	int class;
	int bits;
} movsx_forms[] = {
	{ BPF_ALU64, 8 }, { BPF_ALU64, 16 }, { BPF_ALU64, 32 }, { BPF_ALU, 8 }, { BPF_ALU, 16 },
};

static __u64 movsx_result(const struct movsx *form, __u64 val)
{
	val = sx(val, form->bits);
	return form->class == BPF_ALU ? zx(val, 32) : val;
}

static void movsx_forms_run(void)
{
	struct insns p = {};
	int dst, src, i, v, n, fd;

	start(&p);
	for (dst = 0, n = 1; dst < 10; dst++)
		for (src = 0; src < 10; src++)
			for (i = 0; i < ARRAY_SIZE(movsx_forms); i++, n++) {
				if (dst != src)
					EMIT(&p, BPF_MOV64_IMM(dst, -1));
				input(&p, src, 0);
				EMIT(&p, BPF_RAW_INSN(movsx_forms[i].class | BPF_MOV | BPF_X,
						      dst, src, movsx_forms[i].bits, 0));
				output(&p, dst, n);
			}
	fd = load(&p);
	if (fd < 0)
		return;
	for (v = 0; v < ARRAY_SIZE(values); v++) {
		ctx[0] = values[v];
		if (!run(fd))
			break;
		for (dst = 0, n = 1; dst < 10; dst++)
			for (src = 0; src < 10; src++)
				for (i = 0; i < ARRAY_SIZE(movsx_forms); i++, n++)
					CASE_EQ(ctx[n], movsx_result(&movsx_forms[i], ctx[0]),
						"R%d = (s%d)R%d of %#llx, class %#x", dst,
						movsx_forms[i].bits, src, ctx[0],
						movsx_forms[i].class);
	}
	close(fd);
}

static void movsx(void)
{
	in_all_modes(movsx_forms_run);
}

/* Kinds of memory: how to make a register point to 8 bytes of it */
enum memory { STACK, MAP, ARENA, PLACES };

static const char * const place_name[] = { "stack", "map", "arena" };

static void point(struct insns *p, enum memory place, int reg)
{
	switch (place) {
	case STACK:
		EMIT(p, BPF_MOV64_REG(reg, BPF_REG_10), BPF_ALU64_IMM(BPF_ADD, reg, -16));
		break;
	case MAP:
		EMIT(p, BPF_LD_MAP_VALUE(reg, map_fd, 0));
		break;
	default:
		EMIT(p, LD_ARENA_VALUE(reg, a.fd, 0), CAST_KERN(reg, reg));
		break;
	}
}

/* What input @i is to what reg points to, by way of another register. */
static void fill(struct insns *p, int reg, int i)
{
	int tmp = reg == BPF_REG_9 ? BPF_REG_8 : BPF_REG_9;

	input(p, tmp, i);
	EMIT(p, BPF_STX_MEM(BPF_DW, reg, tmp, 0));
}

static void loads_run(enum memory place, bool acquire)
{
	int cnt = acquire ? 4 : 3, base, dst, i, v, n, fd;
	struct insns p = {};

	start(&p);
	for (base = 0, n = 1; base < 10; base++)
		for (dst = 0; dst < 10; dst++)
			for (i = 0; i < cnt; i++, n++) {
				point(&p, place, base);
				fill(&p, base, 0);
				if (dst != base)
					EMIT(&p, BPF_MOV64_IMM(dst, -1));
				if (acquire)
					EMIT(&p, BPF_ATOMIC_OP(sizes[i], BPF_LOAD_ACQ, dst, base,
							       0));
				else
					EMIT(&p, BPF_LDX_MEMSX(sizes[i], dst, base, 0));
				output(&p, dst, n);
			}
	fd = load(&p);
	if (fd < 0)
		return;
	for (v = 0; v < ARRAY_SIZE(values); v++) {
		ctx[0] = values[v];
		if (!run(fd))
			break;
		for (base = 0, n = 1; base < 10; base++)
			for (dst = 0; dst < 10; dst++)
				for (i = 0; i < cnt; i++, n++) {
					int bits = size_bits(sizes[i]);

					CASE_EQ(ctx[n], acquire ? zx(ctx[0], bits) :
								  sx(ctx[0], bits),
						"R%d = %s *R%d of %d bits in %s, jit %d", dst,
						acquire ? "load_acquire" : "sign extended", base,
						bits, place_name[place], jited);
				}
	}
	close(fd);
}

static void ldsx_run(void)
{
	enum memory place;

	for (place = 0; place < (jited ? PLACES : ARENA); place++)
		loads_run(place, false);
}

static void ldsx(void)
{
	in_all_modes(ldsx_run);
}

static void load_acquire_run(void)
{
	enum memory place;

	for (place = 0; place < (jited ? PLACES : ARENA); place++)
		loads_run(place, true);
}

static void load_acquire(void)
{
	in_all_modes(load_acquire_run);
}

/* Input 1 is what was there; only the bytes that are stored to may change. */
static void stores_run(enum memory place)
{
	int base, src, i, v, n, fd;
	struct insns p = {};

	start(&p);
	for (base = 0, n = 2; base < 10; base++)
		for (src = 0; src < 10; src++)
			for (i = 0; i < 4; i++, n++) {
				if (src == base)
					continue;
				point(&p, place, base);
				fill(&p, base, 1);
				input(&p, src, 0);
				EMIT(&p, BPF_ATOMIC_OP(sizes[i], BPF_STORE_REL, base, src, 0),
				     BPF_LDX_MEM(BPF_DW, base, base, 0));
				output(&p, base, n);
			}
	fd = load(&p);
	if (fd < 0)
		return;
	ctx[1] = 0xe1e2e3e4e5e6e7e8;
	for (v = 0; v < ARRAY_SIZE(values); v++) {
		ctx[0] = values[v];
		if (!run(fd))
			break;
		for (base = 0, n = 2; base < 10; base++)
			for (src = 0; src < 10; src++)
				for (i = 0; i < 4; i++, n++) {
					__u64 mask = zx(~0ULL, size_bits(sizes[i]));

					if (src != base)
						CASE_EQ(ctx[n], (ctx[1] & ~mask) | (ctx[0] & mask),
							"store_release *R%d, R%d of mask %#llx in %s, jit %d",
							base, src, mask, place_name[place], jited);
				}
	}
	close(fd);
}

static void store_release_run(void)
{
	enum memory place;

	for (place = 0; place < (jited ? PLACES : ARENA); place++)
		stores_run(place);
}

static void store_release(void)
{
	in_all_modes(store_release_run);
}

/* Each form of displacement, with each base */
static void arena_offsets(void)
{
	static const int offs[] = { 0, 1, -1, 8, 127, 128, -128, -129, 4096, 32767, -32768 };
	const __u64 mid = 32768 / 2 + ARENA_PAGE * 4;
	int base, i, o, n, fd;

	for (i = 0; i < 4; i++) {
		struct insns p = {};

		start(&p);
		for (base = 0, n = 1; base < 10; base++)
			for (o = 0; o < ARRAY_SIZE(offs); o++, n += 2) {
				int reg = (base + 3) % 10;
				__u64 addr = a.user + mid + n * 8 - offs[o];

				EMIT(&p, BPF_LD_IMM64(base, addr), CAST_KERN(base, base));
				input(&p, reg, 0);
				EMIT(&p, BPF_ALU64_IMM(BPF_ADD, reg, n),
				     BPF_ATOMIC_OP(sizes[i], BPF_STORE_REL, base, reg, offs[o]),
				     BPF_MOV64_IMM(reg, -1),
				     BPF_ATOMIC_OP(sizes[i], BPF_LOAD_ACQ, reg, base, offs[o]));
				/* of the two the base may be what output() uses */
				EMIT(&p, BPF_STX_MEM(BPF_DW, BPF_REG_10, base, -16));
				output(&p, reg, n);
				EMIT(&p, BPF_LDX_MEM(BPF_DW, base, BPF_REG_10, -16),
				     BPF_LDX_MEMSX(i < 3 ? sizes[i] : BPF_B, reg, base, offs[o]));
				output(&p, reg, n + 1);
			}
		EMIT(&p, BPF_LD_MAP_FD(BPF_REG_1, a.fd));
		fd = load(&p);
		if (fd < 0)
			return;
		memset(a.mem + mid, 0, ARENA_PAGE);
		ctx[0] = 0x7f80ff80818283f0;
		if (run(fd))
			for (base = 0, n = 1; base < 10; base++)
				for (o = 0; o < ARRAY_SIZE(offs); o++, n += 2) {
					int bits = size_bits(sizes[i]);
					__u64 val;

					memcpy(&val, a.mem + mid + n * 8, sizeof(val));
					CASE_EQ(val, zx(ctx[0] + n, bits),
						"store_release R%d%+d of %d bits", base, offs[o],
						bits);
					CASE_EQ(ctx[n], zx(ctx[0] + n, bits),
						"load_acquire R%d%+d of %d bits", base, offs[o],
						bits);
					CASE_EQ(ctx[n + 1], sx(ctx[0] + n, bits < 64 ? bits : 8),
						"sign extended R%d%+d of %d bits", base, offs[o],
						bits);
				}
		close(fd);
	}
}

static const struct {
	__u32 addr;
	int off;
} nowhere[] = {
	/* in the arena, in its guards, and where neither has anything */
	{ (__u32)ARENA_ADDR + ABSENT, 0 }, { (__u32)ARENA_ADDR + ABSENT, 128 },
	{ 0, -32768 }, { 0, -1 }, { -1U, 1 }, { -1U, 32767 }, { 0x1000, 0 },
};

/* No page: zero is read, into all of the register, and stores vanish. */
static void arena_absent(void)
{
	int dst, i, o, n, fd;
	struct insns p = {};

	start(&p);
	EMIT(&p, BPF_LD_MAP_FD(BPF_REG_1, a.fd));
	for (dst = 0, n = 1; dst < 10; dst++)
		for (o = 0; o < ARRAY_SIZE(nowhere); o++)
			for (i = 0; i < 4; i++, n += 2) {
				int base = (dst + 1) % 10;

				EMIT(&p, BPF_MOV32_IMM(base, nowhere[o].addr),
				     CAST_KERN(base, base), BPF_MOV64_IMM(dst, -1),
				     BPF_ATOMIC_OP(sizes[i], BPF_STORE_REL, base, dst,
						   nowhere[o].off),
				     BPF_ATOMIC_OP(sizes[i], BPF_LOAD_ACQ, dst, base,
						   nowhere[o].off));
				output(&p, dst, n);
				EMIT(&p, BPF_MOV32_IMM(base, nowhere[o].addr),
				     CAST_KERN(base, base), BPF_MOV64_IMM(dst, -1),
				     BPF_LDX_MEMSX(i < 3 ? sizes[i] : BPF_B, dst, base,
						   nowhere[o].off));
				output(&p, dst, n + 1);
			}
	fd = load(&p);
	if (fd < 0)
		return;
	memset(ctx, 0xee, sizeof(ctx));
	if (run(fd))
		for (i = 1; i < n; i++)
			CASE_EQ(ctx[i], 0, "%s of case %d", i & 1 ? "load_acquire" : "ldsx", i / 2);
	ASSERT_EQ(*(__u64 *)(a.mem + ABSENT), 0, "store to absent page");
	madvise(a.mem + ABSENT, ARENA_PAGE, MADV_DONTNEED);
	close(fd);
}

/* A pointer that was released to the stack is acquired as what it was. */
static void spilled_pointer(void)
{
	struct insns p = {};
	int fd;

	start(&p);
	EMIT(&p, BPF_LD_MAP_VALUE(BPF_REG_6, map_fd, 0),
	     BPF_ST_MEM(BPF_DW, BPF_REG_6, 0, 4242),
	     BPF_ATOMIC_OP(BPF_DW, BPF_STORE_REL, BPF_REG_10, BPF_REG_6, -16),
	     BPF_ATOMIC_OP(BPF_DW, BPF_LOAD_ACQ, BPF_REG_7, BPF_REG_10, -16),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_7, 0));
	output(&p, BPF_REG_7, 1);
	fd = load(&p);
	if (fd >= 0 && run(fd))
		ASSERT_EQ(ctx[1], 4242, "value");
	close(fd);
}

/* Loads that the verifier rewrites */

/* Runs a program of two instructions on a packet: R0 = what @insn loads. */
static void skb_load(const struct bpf_insn *insn, int cnt, __u64 expected, const char *name)
{
	struct __sk_buff skb = { .mark = 0x81f27384, .priority = 0x7f };
	unsigned char packet[64] = { [14] = 0x80, 0x7f, 0x81, 0xf2 };
	struct bpf_insn prog[16];
	int half, fd;

	for (half = 0; half < 2; half++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts,
			    .data_in = packet,
			    .data_size_in = sizeof(packet),
			    .ctx_in = &skb,
			    .ctx_size_in = sizeof(skb));

		memcpy(prog, insn, cnt * sizeof(*insn));
		prog[cnt] = half ? BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 32) :
				   BPF_MOV64_REG(BPF_REG_0, BPF_REG_0);
		prog[cnt + 1] = BPF_EXIT_INSN();
		fd = arena_load(BPF_PROG_TYPE_SCHED_CLS, prog, cnt + 2);
		if (fd < 0)
			return;
		if (ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "test_run"))
			CASE_EQ(opts.retval, (__u32)(expected >> (32 * half)),
				"%s, half %d, jit %d", name, half, jited);
		close(fd);
	}
}

#define SKB_LOAD(EXPECTED, NAME, ...)						\
	skb_load(INSNS(__VA_ARGS__), INSNS_CNT(__VA_ARGS__), EXPECTED, NAME)

static void ctx_fields_run(void)
{
	const int mark = offsetof(struct __sk_buff, mark);
	const int prio = offsetof(struct __sk_buff, priority);
	int i;

	for (i = 0; i < 4; i++)
		SKB_LOAD(sx(0x81f27384 >> (8 * i), 8), "byte of mark",
			 BPF_LDX_MEMSX(BPF_B, BPF_REG_0, BPF_REG_1, mark + i));
	for (i = 0; i < 4; i += 2)
		SKB_LOAD(sx(0x81f27384 >> (8 * i), 16), "half of mark",
			 BPF_LDX_MEMSX(BPF_H, BPF_REG_0, BPF_REG_1, mark + i));
	SKB_LOAD(sx(0x81f27384, 32), "mark", BPF_LDX_MEMSX(BPF_W, BPF_REG_0, BPF_REG_1, mark));
	SKB_LOAD(sx(0x81f27384, 32), "mark, in place", BPF_MOV64_REG(BPF_REG_0, BPF_REG_1),
		 BPF_LDX_MEMSX(BPF_W, BPF_REG_0, BPF_REG_0, mark));
	SKB_LOAD(0x7f, "priority", BPF_LDX_MEMSX(BPF_W, BPF_REG_0, BPF_REG_1, prio));
}

static void ctx_fields(void)
{
	in_all_modes(ctx_fields_run);
}

static void packet_run(void)
{
	static const __u64 expected[] = { 0x80, 0x7f80, 0xf2817f80 };
	int i;

	for (i = 0; i < 3; i++)
		SKB_LOAD(sx(expected[i], size_bits(sizes[i])), "packet",
			 BPF_LDX_MEM(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, data)),
			 BPF_LDX_MEM(BPF_W, BPF_REG_3, BPF_REG_1,
				     offsetof(struct __sk_buff, data_end)),
			 BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_REG(BPF_REG_4, BPF_REG_2),
			 BPF_ALU64_IMM(BPF_ADD, BPF_REG_4, 18),
			 BPF_JMP_REG(BPF_JGT, BPF_REG_4, BPF_REG_3, 1),
			 BPF_LDX_MEMSX(sizes[i], BPF_REG_0, BPF_REG_2, 14));
}

static void packet(void)
{
	in_all_modes(packet_run);
}

/* In bytes, -1 if there is none; looks into anonymous structures, too. */
static int field_offset(const struct btf *btf, int id, const char *name)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	int i, off;

	if (!t || !btf_is_composite(t))
		return -1;
	for (i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;

		off = m->name_off ? 0 : field_offset(btf, m->type, name);
		if (off < 0 || (m->name_off &&
				strcmp(btf__name_by_offset(btf, m->name_off), name)))
			continue;
		return btf_member_bit_offset(t, i) / 8 + off;
	}
	return -1;
}

static int kernel_field(const char *type, const char *name)
{
	const struct btf *btf = arena_vmlinux_btf();
	int off = field_offset(btf, btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT), name);

	ASSERT_GE(off, 0, name);
	return off;
}

static __u64 raw_tp_run(const struct bpf_insn *insn, int cnt, __u64 arg)
{
	struct bpf_insn prog[16];
	__u64 ret = 0;
	int half, fd;

	for (half = 0; half < 2; half++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts,
			    .ctx_in = &arg,
			    .ctx_size_in = sizeof(arg));

		memcpy(prog, insn, cnt * sizeof(*insn));
		prog[cnt] = half ? BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 32) :
				   BPF_MOV64_REG(BPF_REG_0, BPF_REG_0);
		prog[cnt + 1] = BPF_EXIT_INSN();
		fd = arena_load(BPF_PROG_TYPE_RAW_TRACEPOINT, prog, cnt + 2);
		if (fd < 0)
			return -1;
		ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "test_run");
		ret |= (__u64)opts.retval << (32 * half);
		close(fd);
	}
	return ret;
}

#define RAW_TP_RUN(ARG, ...)							\
	raw_tp_run(INSNS(__VA_ARGS__), INSNS_CNT(__VA_ARGS__), ARG)

/* Through pointers to kernel types, which may fault */
static void btf_pointer_run(void)
{
	int slack = kernel_field("task_struct", "timer_slack_ns");
	int io = kernel_field("task_struct", "io_context");
	int prio = kernel_field("io_context", "ioprio");
	__u64 val = 0x8182838485868788;
	unsigned long old = prctl(PR_GET_TIMERSLACK);
	int i, off;

	if (slack < 0 || io < 0 || prio < 0)
		return;
	prctl(PR_SET_TIMERSLACK, val);
	for (i = 0; i < 3; i++)
		for (off = 0; off < 8; off += size_bits(sizes[i]) / 8)
			CASE_EQ(RAW_TP_RUN(0, BPF_EMIT_CALL(BPF_FUNC_get_current_task_btf),
					   BPF_LDX_MEMSX(sizes[i], BPF_REG_0, BPF_REG_0,
							 slack + off)),
				sx(val >> (8 * off), size_bits(sizes[i])),
				"timer_slack_ns+%d, size %#x, jit %d", off, sizes[i], jited);
	prctl(PR_SET_TIMERSLACK, 0x7172737475767778);
	for (i = 0; i < 3; i++)
		CASE_EQ(RAW_TP_RUN(0, BPF_EMIT_CALL(BPF_FUNC_get_current_task_btf),
				   BPF_LDX_MEMSX(sizes[i], BPF_REG_0, BPF_REG_0, slack)),
			sx(0x7172737475767778, size_bits(sizes[i])),
			"positive timer_slack_ns, size %#x, jit %d", sizes[i], jited);
	prctl(PR_SET_TIMERSLACK, old);

	/* a task that did no I/O has no such thing */
	ASSERT_EQ(RAW_TP_RUN(0, BPF_EMIT_CALL(BPF_FUNC_get_current_task_btf),
			     BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_0, io),
			     BPF_MOV64_IMM(BPF_REG_0, -1),
			     BPF_LDX_MEMSX(BPF_H, BPF_REG_0, BPF_REG_1, prio)), 0, "of NULL");
}

static void btf_pointer(void)
{
	in_all_modes(btf_pointer_run);
}

/* A context that nothing is converted of */
static void raw_ctx_run(void)
{
	int i;

	for (i = 0; i < 3; i++)
		CASE_EQ(RAW_TP_RUN(0x8182838485868788,
				   BPF_LDX_MEMSX(sizes[i], BPF_REG_0, BPF_REG_1, 0)),
			sx(0x8182838485868788, size_bits(sizes[i])), "size %#x, jit %d",
			sizes[i], jited);
}

static void raw_ctx(void)
{
	in_all_modes(raw_ctx_run);
}

/* Signed division */

static __s64 sdiv64(__s64 x, __s64 y)
{
	if (!y)
		return 0;
	return y == -1 ? -(__u64)x : x / y;
}

static __s64 smod64(__s64 x, __s64 y)
{
	if (!y)
		return x;
	return y == -1 ? 0 : x % y;
}

static __u64 sdiv_result(int class, int op, __u64 x, __u64 y)
{
	if (class == BPF_ALU64)
		return op == BPF_DIV ? sdiv64(x, y) : smod64(x, y);
	return (__u32)(op == BPF_DIV ? sdiv64((__s32)x, (__s32)y) : smod64((__s32)x, (__s32)y));
}

static const int classes[] = { BPF_ALU, BPF_ALU64 };
static const int div_ops[] = { BPF_DIV, BPF_MOD };

static void sdiv_reg_run(void)
{
	static const __u64 divisors[] = {
		0, 1, -1, 2, -2, 7, -7, 0x80000000, 0xffffffff, 0x100000000, 1ULL << 63,
		0xffffffff80000000,
	};
	int dst, src, c, o, v, n, fd;
	struct insns p = {};

	start(&p);
	for (dst = 0, n = 2; dst < 10; dst++)
		for (src = 0; src < 10; src++)
			for (c = 0; c < 2; c++)
				for (o = 0; o < 2; o++, n++) {
					input(&p, src, 1);
					/* a divisor that is the dividend is the dividend */
					if (dst != src)
						input(&p, dst, 0);
					EMIT(&p, BPF_RAW_INSN(classes[c] | div_ops[o] | BPF_X,
							      dst, src, 1, 0));
					output(&p, dst, n);
				}
	fd = load(&p);
	if (fd < 0)
		return;
	for (v = 0; v < ARRAY_SIZE(values) * ARRAY_SIZE(divisors); v++) {
		ctx[0] = values[v / ARRAY_SIZE(divisors)];
		ctx[1] = divisors[v % ARRAY_SIZE(divisors)];
		if (!run(fd))
			break;
		for (n = 2; n < 402; n++) {
			int op = div_ops[n % 2], class = classes[n / 2 % 2 ^ 1];

			dst = (n - 2) / 40;
			src = (n - 2) / 4 % 10;
			CASE_EQ(ctx[n], sdiv_result(class, op, ctx[dst == src], ctx[1]),
				"R%d, R%d: %#llx, %#llx, class %d, op %#x, jit %d", dst, src,
				ctx[0], ctx[1], class, op, jited);
		}
	}
	close(fd);
}

static void sdiv_reg(void)
{
	in_all_modes(sdiv_reg_run);
}

static void sdiv_imm_run(void)
{
	static const int imms[] = { 1, -1, 2, -2, 7, -7, 128, INT_MAX, INT_MIN };
	int dst, k, c, o, v, n, fd;
	struct insns p = {};

	start(&p);
	for (dst = 0, n = 1; dst < 10; dst++)
		for (k = 0; k < ARRAY_SIZE(imms); k++)
			for (c = 0; c < 2; c++)
				for (o = 0; o < 2; o++, n++) {
					input(&p, dst, 0);
					EMIT(&p, BPF_RAW_INSN(classes[c] | div_ops[o] | BPF_K,
							      dst, 0, 1, imms[k]));
					output(&p, dst, n);
				}
	fd = load(&p);
	if (fd < 0)
		return;
	for (v = 0; v < ARRAY_SIZE(values); v++) {
		ctx[0] = values[v];
		if (!run(fd))
			break;
		for (dst = 0, n = 1; dst < 10; dst++)
			for (k = 0; k < ARRAY_SIZE(imms); k++)
				for (c = 0; c < 2; c++)
					for (o = 0; o < 2; o++, n++)
						CASE_EQ(ctx[n],
							sdiv_result(classes[c], div_ops[o], ctx[0],
								    (__s64)imms[k]),
							"R%d: %#llx, imm %d, class %d, op %#x, jit %d",
							dst, ctx[0], imms[k], classes[c],
							div_ops[o], jited);
	}
	close(fd);
}

static void sdiv_imm(void)
{
	in_all_modes(sdiv_imm_run);
}

/* Arithmetic on an arena pointer is 32-bit, this too. */
static void sdiv_arena(void)
{
	struct insns p = {};
	int fd;

	start(&p);
	EMIT(&p, BPF_LD_MAP_FD(BPF_REG_1, a.fd), BPF_LD_IMM64(BPF_REG_6, 0x5fffffff8ULL),
	     CAST_KERN(BPF_REG_6, BPF_REG_6),
	     BPF_RAW_INSN(BPF_ALU64 | BPF_DIV | BPF_K, BPF_REG_6, 0, 1, 2));
	output(&p, BPF_REG_6, 1);
	fd = load(&p);
	if (fd >= 0 && run(fd))
		ASSERT_EQ(ctx[1], 0xfffffffc, "-8 / 2");
	close(fd);
}

/* Byte swaps */
static void bswap_run(void)
{
	int dst, i, v, n, fd;
	struct insns p = {};

	start(&p);
	for (dst = 0, n = 1; dst < 10; dst++)
		for (i = 16; i <= 64; i *= 2, n++) {
			input(&p, dst, 0);
			EMIT(&p, BPF_BSWAP(dst, i));
			output(&p, dst, n);
		}
	fd = load(&p);
	if (fd < 0)
		return;
	for (v = 0; v < ARRAY_SIZE(values); v++) {
		ctx[0] = values[v];
		if (!run(fd))
			break;
		for (dst = 0, n = 1; dst < 10; dst++, n += 3) {
			CASE_EQ(ctx[n], __builtin_bswap16(ctx[0]), "bswap16 R%d of %#llx", dst,
				ctx[0]);
			CASE_EQ(ctx[n + 1], __builtin_bswap32(ctx[0]), "bswap32 R%d of %#llx",
				dst, ctx[0]);
			CASE_EQ(ctx[n + 2], __builtin_bswap64(ctx[0]), "bswap64 R%d of %#llx",
				dst, ctx[0]);
		}
	}
	close(fd);
}

static void bswap(void)
{
	in_all_modes(bswap_run);
}

/* Farther than 16 bits reach: over many instructions, and back to where it ends. */
static void gotol_run(void)
{
	const int far = 40000;
	struct insns p = {};
	int i, fd;

	start(&p);
	input(&p, BPF_REG_6, 0);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_7, 1), BPF_JMP_IMM(BPF_JEQ, BPF_REG_6, 0, 1),
	     BPF_JMP32_A(far));
	for (i = 0; i < far; i++)
		EMIT(&p, BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1));
	output(&p, BPF_REG_7, 1);
	fd = load(&p);
	if (fd < 0)
		return;
	for (i = 0; i < 2; i++) {
		ctx[0] = i;
		if (run(fd))
			ASSERT_EQ(ctx[1], i ? 1 : far + 1, "sum");
	}
	close(fd);

	start(&p);
	input(&p, BPF_REG_6, 0);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_7, 0), BPF_JMP32_A(1),
	     BPF_JMP32_A(3), BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1),
	     BPF_JMP_IMM(BPF_JEQ, BPF_REG_7, 20, -3), BPF_JMP32_A(-3));
	output(&p, BPF_REG_7, 1);
	fd = load(&p);
	if (fd >= 0 && run(fd))
		ASSERT_EQ(ctx[1], 20, "turns");
	close(fd);
}

static void gotol(void)
{
	in_all_modes(gotol_run);
}

/* What user space is shown */

static void dump(void)
{
	static struct bpf_insn insn[64];
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int i, fd, ldsx = 0, acquires = 0, releases = 0;
	struct insns p = {};

	start(&p);
	EMIT(&p, LD_ARENA_VALUE(BPF_REG_6, a.fd, 8), CAST_KERN(BPF_REG_6, BPF_REG_6));
	for (i = 0; i < 4; i++) {
		EMIT(&p, BPF_ATOMIC_OP(sizes[i], BPF_LOAD_ACQ, BPF_REG_7, BPF_REG_6, 0),
		     BPF_ATOMIC_OP(sizes[i], BPF_STORE_REL, BPF_REG_6, BPF_REG_7, 0));
		if (i < 3)
			EMIT(&p, BPF_LDX_MEMSX(sizes[i], BPF_REG_7, BPF_REG_6, 0));
	}
	fd = load(&p);
	if (fd < 0)
		return;
	info.xlated_prog_insns = ptr_to_u64(insn);
	info.xlated_prog_len = sizeof(insn);
	if (ASSERT_OK(bpf_obj_get_info_by_fd(fd, &info, &len), "prog_info"))
		for (i = 0; i < info.xlated_prog_len / sizeof(*insn); i++) {
			__u8 code = insn[i].code & ~0x18;

			ldsx += code == (BPF_LDX | BPF_MEMSX);
			acquires += code == (BPF_STX | BPF_ATOMIC) && insn[i].imm == BPF_LOAD_ACQ;
			releases += code == (BPF_STX | BPF_ATOMIC) && insn[i].imm == BPF_STORE_REL;
			if (BPF_CLASS(code) == BPF_LDX)
				ASSERT_TRUE(BPF_MODE(code) == BPF_MEM ||
					    BPF_MODE(code) == BPF_MEMSX, "mode of load");
			if (BPF_CLASS(code) == BPF_STX)
				ASSERT_TRUE(BPF_MODE(code) == BPF_MEM ||
					    BPF_MODE(code) == BPF_ATOMIC, "mode of store");
		}
	ASSERT_EQ(ldsx, 3, "sign-extending loads");
	ASSERT_EQ(acquires, 4, "acquiring loads");
	ASSERT_EQ(releases, 4, "releasing stores");
	close(fd);
}

/* Through a pointer to a kernel type the dump shows the public mode, too. */
static void dump_btf_pointer(void)
{
	int slack = kernel_field("task_struct", "timer_slack_ns");
	struct bpf_insn prog[] = {
		BPF_EMIT_CALL(BPF_FUNC_get_current_task_btf),
		BPF_LDX_MEMSX(BPF_W, BPF_REG_0, BPF_REG_0, slack),
		BPF_EXIT_INSN(),
	};
	struct bpf_insn insn[8] = {};
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = arena_load(BPF_PROG_TYPE_RAW_TRACEPOINT, prog, ARRAY_SIZE(prog));

	if (fd < 0)
		return;
	info.xlated_prog_insns = ptr_to_u64(insn);
	info.xlated_prog_len = sizeof(insn);
	if (ASSERT_OK(bpf_obj_get_info_by_fd(fd, &info, &len), "prog_info"))
		ASSERT_EQ(insn[1].code, BPF_LDX | BPF_MEMSX | BPF_W, "code");
	close(fd);
}

static void log_lines(void)
{
	static const char * const lines[] = {
		"r2 = (s8)r1", "r2 = (s32)r1", "w2 = (s16)w1", "r2 = *(s8 *)(r10 -16)",
		"r2 = *(s16 *)(r10 -16)", "r2 = *(s32 *)(r10 -16)",
		"r2 = load_acquire((u8 *)(r10 -16))", "r2 = load_acquire((u64 *)(r10 -16))",
		"store_release((u16 *)(r10 -16), r1)", "store_release((u32 *)(r10 -16), r1)",
		"r2 s/= r1", "w2 s%= w1", "r2 s%= 3", "w2 s/= -3", "r2 = bswap16 r2",
		"r2 = bswap64 r2", "gotol pc+1",
	};
	static const struct bpf_insn prog[] = {
		BPF_MOV64_IMM(BPF_REG_1, 5), BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, -16),
		BPF_MOVSX64_REG(BPF_REG_2, BPF_REG_1, 8), BPF_MOVSX64_REG(BPF_REG_2, BPF_REG_1, 32),
		BPF_MOVSX32_REG(BPF_REG_2, BPF_REG_1, 16),
		BPF_LDX_MEMSX(BPF_B, BPF_REG_2, BPF_REG_10, -16),
		BPF_LDX_MEMSX(BPF_H, BPF_REG_2, BPF_REG_10, -16),
		BPF_LDX_MEMSX(BPF_W, BPF_REG_2, BPF_REG_10, -16),
		BPF_ATOMIC_OP(BPF_B, BPF_LOAD_ACQ, BPF_REG_2, BPF_REG_10, -16),
		BPF_ATOMIC_OP(BPF_DW, BPF_LOAD_ACQ, BPF_REG_2, BPF_REG_10, -16),
		BPF_ATOMIC_OP(BPF_H, BPF_STORE_REL, BPF_REG_10, BPF_REG_1, -16),
		BPF_ATOMIC_OP(BPF_W, BPF_STORE_REL, BPF_REG_10, BPF_REG_1, -16),
		BPF_ALU64_REG_OFF(BPF_DIV, BPF_REG_2, BPF_REG_1, 1),
		BPF_ALU32_REG_OFF(BPF_MOD, BPF_REG_2, BPF_REG_1, 1),
		BPF_RAW_INSN(BPF_ALU64 | BPF_MOD | BPF_K, BPF_REG_2, 0, 1, 3),
		BPF_RAW_INSN(BPF_ALU | BPF_DIV | BPF_K, BPF_REG_2, 0, 1, -3),
		BPF_BSWAP(BPF_REG_2, 16), BPF_BSWAP(BPF_REG_2, 64),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_2, 1, 1), BPF_JMP32_A(1),
		BPF_MOV64_IMM(BPF_REG_2, 0), BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .prog_flags = BPF_F_SLEEPABLE,
		    .log_buf = arena_log,
		    .log_size = sizeof(arena_log),
		    .log_level = 2);
	int i, fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "arena", "GPL", prog, ARRAY_SIZE(prog),
				  &opts);

	if (ASSERT_GE(fd, 0, "load"))
		for (i = 0; i < ARRAY_SIZE(lines); i++)
			ASSERT_HAS_SUBSTR(arena_log, lines[i], "log");
	close(fd);
}

/* One bit for each of four kinds */
static int v4_kind(const struct bpf_insn *insn)
{
	int class = BPF_CLASS(insn->code);
	bool alu = class == BPF_ALU || class == BPF_ALU64;

	if (alu && BPF_OP(insn->code) == BPF_MOV && insn->off > 1)
		return 1;
	if (class == BPF_LDX && BPF_MODE(insn->code) == BPF_MEMSX)
		return 2;
	if (alu && BPF_OP(insn->code) == BPF_DIV && insn->off == 1)
		return 4;
	return insn->code == (BPF_ALU64 | BPF_END) ? 8 : 0;
}

/* What clang makes of C for cpu v4 computes what gcc's program does. */
static void compiled(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct insns_args args, expected;
	struct arena_insns_cpu_v4 *skel;
	int i, k, fd, v4 = 0;

	opts.ctx_in = &args;
	opts.ctx_size_in = sizeof(args);
	skel = arena_insns_cpu_v4__open_and_load();
	if (!ASSERT_OK_PTR(skel, "load"))
		return;
	for (i = 0; i < bpf_program__insn_cnt(skel->progs.compute); i++)
		v4 |= v4_kind(bpf_program__insns(skel->progs.compute) + i);
	ASSERT_EQ(v4, 0xf, "kinds of cpu v4 instructions");
	fd = bpf_program__fd(skel->progs.compute);
	for (i = 0; i < ARRAY_SIZE(values); i++)
		for (k = 0; k < ARRAY_SIZE(values); k++) {
			memset(&args, 0, sizeof(args));
			args.x = values[i];
			args.y = values[k];
			expected = args;
			insns_compute(&expected, &(struct insns_data){});
			if (!ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "test_run") ||
			    !ASSERT_EQ(opts.retval, 0, "retval"))
				goto out;
			if (memcmp(&args, &expected, sizeof(args)))
				PRINT_FAIL("%#llx and %#llx: %llx %llx %llx, not %llx %llx %llx\n",
					   args.x, args.y, args.loads, args.moves, args.divs,
					   expected.loads, expected.moves, expected.divs);
		}
out:
	arena_insns_cpu_v4__destroy(skel);
}

/*
 * Messages from one CPU to the other: who acquires the flag finds the payload that
 * was released with it, or a newer one.
 */
#define TURNS	200
#define MESSAGES 100000
#define SECONDS	30
#define FLAG	0
#define PAYLOAD	256

/* Releases flag values from that of the context on, each after its payload. */
static int load_writer(void)
{
	struct insns p = {};
	int i;

	EMIT(&p, LD_ARENA_VALUE(BPF_REG_6, a.fd, FLAG), CAST_KERN(BPF_REG_6, BPF_REG_6),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_1, 0), BPF_MOV64_IMM(BPF_REG_8, TURNS));
	for (i = 0; i < 4; i++)
		EMIT(&p, BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_7, PAYLOAD + i * 64));
	EMIT(&p, BPF_ATOMIC_OP(BPF_DW, BPF_STORE_REL, BPF_REG_6, BPF_REG_7, FLAG),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1), BPF_ALU64_IMM(BPF_SUB, BPF_REG_8, 1),
	     BPF_JMP_IMM(BPF_JNE, BPF_REG_8, 0, -8));
	return load(&p);
}

/* Counts, in the context, messages that are older than the flag says. */
static int load_reader(void)
{
	struct insns p = {};
	int i;

	start(&p);
	EMIT(&p, LD_ARENA_VALUE(BPF_REG_6, a.fd, FLAG), CAST_KERN(BPF_REG_6, BPF_REG_6),
	     BPF_MOV64_IMM(BPF_REG_8, TURNS), BPF_MOV64_IMM(BPF_REG_9, 0),
	     BPF_ATOMIC_OP(BPF_DW, BPF_LOAD_ACQ, BPF_REG_7, BPF_REG_6, FLAG));
	for (i = 0; i < 4; i++)
		EMIT(&p, BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_6, PAYLOAD + i * 64),
		     BPF_JMP_REG(BPF_JGE, BPF_REG_1, BPF_REG_7, 1),
		     BPF_ALU64_IMM(BPF_OR, BPF_REG_9, 1));
	EMIT(&p, BPF_ALU64_IMM(BPF_SUB, BPF_REG_8, 1),
	     BPF_JMP_IMM(BPF_JNE, BPF_REG_8, 0, -15));
	output(&p, BPF_REG_9, 0);
	output(&p, BPF_REG_7, 1);
	return load(&p);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static bool writers_stop;

static void *write_messages(void *arg)
{
	int fd = *(int *)arg;
	__u64 seq = 1, i, k;

	pin(1);
	while (!__atomic_load_n(&writers_stop, __ATOMIC_RELAXED)) {
		LIBBPF_OPTS(bpf_test_run_opts, opts,
			    .ctx_in = &seq,
			    .ctx_size_in = sizeof(seq));

		if (fd >= 0) {
			bpf_prog_test_run_opts(fd, &opts);
			seq += TURNS;
			continue;
		}
		for (i = 0; i < TURNS; i++, seq++) {
			for (k = 0; k < 4; k++)
				__atomic_store_n((__u64 *)(a.mem + PAYLOAD + k * 64), seq,
						 __ATOMIC_RELAXED);
			__atomic_store_n((__u64 *)(a.mem + FLAG), seq, __ATOMIC_RELEASE);
		}
	}
	return NULL;
}

static __u64 read_messages(__u64 *last)
{
	__u64 stale = 0;
	int i, k;

	for (i = 0; i < TURNS; i++) {
		__u64 flag = __atomic_load_n((__u64 *)(a.mem + FLAG), __ATOMIC_ACQUIRE);

		for (k = 0; k < 4; k++)
			stale |= __atomic_load_n((__u64 *)(a.mem + PAYLOAD + k * 64),
						 __ATOMIC_RELAXED) < flag;
		*last = flag;
	}
	return stale;
}

static void messages(int writer, int reader)
{
	time_t end = time(NULL) + SECONDS;
	__u64 last = 0, stale = 0;
	cpu_set_t old;
	pthread_t thread;

	memset(a.mem, 0, ARENA_PAGE);
	sched_getaffinity(0, sizeof(old), &old);
	pin(0);
	writers_stop = false;
	if (!ASSERT_OK(pthread_create(&thread, NULL, write_messages, &writer), "thread"))
		return;
	while (!stale && last < MESSAGES && time(NULL) < end) {
		if (reader >= 0) {
			if (!run(reader))
				break;
			stale = ctx[0];
			last = ctx[1];
		} else {
			stale = read_messages(&last);
		}
	}
	__atomic_store_n(&writers_stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(old), &old);
	ASSERT_EQ(stale, 0, "stale");
	ASSERT_GE(last, MESSAGES, "sent");
}

static void message_passing(void)
{
	int writer = load_writer(), reader = load_reader();

	if (writer >= 0 && reader >= 0 && ASSERT_GT(libbpf_num_possible_cpus(), 1, "cpus")) {
		messages(writer, reader);
		messages(writer, -1);
		messages(-1, reader);
	}
	close(writer);
	close(reader);
}

static const struct arena_subtest subtests[] = {
	{ "movsx", movsx },
	{ "ldsx", ldsx },
	{ "load_acquire", load_acquire },
	{ "store_release", store_release },
	{ "arena_offsets", arena_offsets },
	{ "arena_absent", arena_absent },
	{ "spilled_pointer", spilled_pointer },
	{ "ctx_fields", ctx_fields },
	{ "packet", packet },
	{ "btf_pointer", btf_pointer },
	{ "raw_ctx", raw_ctx },
	{ "sdiv_reg", sdiv_reg },
	{ "sdiv_imm", sdiv_imm },
	{ "sdiv_arena", sdiv_arena },
	{ "bswap", bswap },
	{ "gotol", gotol },
	{ "dump", dump },
	{ "dump_btf_pointer", dump_btf_pointer },
	{ "log_lines", log_lines },
	{ "compiled", compiled },
	{ "message_passing", message_passing },
};

/* Serial: it changes the JIT's sysctls, and pins itself to a CPU. */
void serial_test_arena_insns(void)
{
	map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "insns", 4, 16, 1, NULL);
	if (!ASSERT_GE(map_fd, 0, "map"))
		return;
	if (arena_open(&a, PAGES, 0, ARENA_ADDR)) {
		/* the last pages are not there */
		memset(a.mem, 0, ABSENT);
		jited = true;
		arena_subtests(subtests, ARRAY_SIZE(subtests));
		arena_close(&a);
	}
	close(map_fd);
}
