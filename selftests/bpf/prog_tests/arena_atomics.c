// SPDX-License-Identifier: GPL-2.0
/* Atomic operations on an arena: each, in each size, with each pair of registers. */
#include "arena_insn.h"

#define PAGES		64
#define CTX_SLOT	-8
#define MEM_VAL		0x8182838485868788ULL
#define REG_VAL		0xf1e2d3c4b5a69788ULL

/* Mapped, and all its pages there; a subtest leaves them zero. */
static struct arena a;

struct atomic {
	const char *name;
	int op;
};

static const struct atomic plain[] = {
	{ "add", BPF_ADD }, { "and", BPF_AND }, { "or", BPF_OR }, { "xor", BPF_XOR },
};

static const struct atomic fetching[] = {
	{ "fetch_add", BPF_ADD | BPF_FETCH }, { "fetch_and", BPF_AND | BPF_FETCH },
	{ "fetch_or", BPF_OR | BPF_FETCH }, { "fetch_xor", BPF_XOR | BPF_FETCH },
	{ "xchg", BPF_XCHG },
};

static __u64 model(int op, __u64 mem, __u64 reg)
{
	switch (op & ~BPF_FETCH) {
	case BPF_ADD:
		return mem + reg;
	case BPF_AND:
		return mem & reg;
	case BPF_OR:
		return mem | reg;
	case BPF_XOR:
		return mem ^ reg;
	default:
		return reg;
	}
}

static __u64 mask(int size)
{
	return size == BPF_W ? 0xffffffff : ~0ULL;
}

/* An operation of 32 bits leaves the upper half of the memory alone. */
static __u64 merge(int size, __u64 old, __u64 new)
{
	return (old & ~mask(size)) | (new & mask(size));
}

static __u64 *slot(const struct arena *b, size_t n)
{
	return (__u64 *)(b->mem + n * 16);
}

/* Says which of very many cases failed. */
#define CASE_EQ(ACTUAL, EXPECTED, FORMAT, ...) ({				\
	__u64 ___act = (ACTUAL), ___exp = (EXPECTED);				\
	if (___act != ___exp)							\
		PRINT_FAIL(FORMAT ": actual %#llx != expected %#llx\n",		\
			   ##__VA_ARGS__, ___act, ___exp);			\
	___act == ___exp;							\
})

static void start(struct insns *p, const struct arena *b)
{
	EMIT(p, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, CTX_SLOT),
	     BPF_LD_MAP_FD(BPF_REG_2, b->fd));
}

static void ctx_store(struct insns *p, int i, int reg)
{
	int tmp = reg == BPF_REG_0 ? BPF_REG_1 : BPF_REG_0;

	EMIT(p, BPF_LDX_MEM(BPF_DW, tmp, BPF_REG_10, CTX_SLOT),
	     BPF_STX_MEM(BPF_DW, tmp, reg, i * 8));
}

static void finish(struct insns *p)
{
	EMIT(p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
}

static void clear(void)
{
	memset(a.mem, 0, a.size);
}

/* base = kernel pointer to slot n of the arena, less off */
static void point(struct insns *p, const struct arena *b, int base, size_t n, int off)
{
	EMIT(p, BPF_LD_IMM64(base, b->user + n * 16 - off), CAST_KERN(base, base));
}

static const int offs[] = { 0, 8, -8, 128, -136, 32760, -32768 };

/* What is fetched cannot go where the pointer is: the verifier wants it after. */
static bool legal(int op, int base, int src)
{
	return base != src || !(op & BPF_FETCH);
}

/* The operation on *base with src, for all pairs of registers, and what it left. */
static void all_regs(const struct arena *b, const struct atomic *atomic, int size)
{
	__u64 ctx[10 * 10 * 2];
	struct insns p = {};
	int base, src, n;

	memset(ctx, 0x5a, sizeof(ctx));
	start(&p, b);
	for (base = 0, n = 0; base < 10; base++)
		for (src = 0; src < 10; src++, n++) {
			int off = offs[n % ARRAY_SIZE(offs)];

			if (!legal(atomic->op, base, src))
				continue;
			if (b == &a)
				*slot(b, n + 2048) = MEM_VAL;
			point(&p, b, base, n + 2048, off);
			/* with itself as the value it is a number: its lower half */
			if (src != base)
				EMIT(&p, BPF_LD_IMM64(src, REG_VAL));
			EMIT(&p, BPF_ATOMIC_OP(size, atomic->op, base, src, off));
			ctx_store(&p, n * 2, src);
			if (base != BPF_REG_0 && base != BPF_REG_1)
				ctx_store(&p, n * 2 + 1, base);
		}
	finish(&p);
	if (!insns_run(&p, ctx, sizeof(ctx), NULL))
		return;
	for (base = 0, n = 0; base < 10; base++)
		for (src = 0; src < 10; src++, n++) {
			__u32 ptr = b->user + (n + 2048) * 16 - offs[n % ARRAY_SIZE(offs)];
			__u64 reg = src == base ? ptr : REG_VAL;
			__u64 old = b == &a ? MEM_VAL : 0;
			bool fetch = atomic->op & BPF_FETCH;

			if (!legal(atomic->op, base, src))
				continue;
			if (b == &a)
				CASE_EQ(*slot(b, n + 2048),
					merge(size, MEM_VAL, model(atomic->op, MEM_VAL, reg)),
					"%s%d *R%d with R%d", atomic->name,
					size == BPF_W ? 32 : 64, base, src);
			CASE_EQ(ctx[n * 2], fetch ? old & mask(size) : reg,
				"R%d after %s%d *R%d", src, atomic->name,
				size == BPF_W ? 32 : 64, base);
			if (base != src && base != BPF_REG_0 && base != BPF_REG_1)
				CASE_EQ(ctx[n * 2 + 1], ptr, "R%d after %s%d with R%d", base,
					atomic->name, size == BPF_W ? 32 : 64, src);
		}
	if (b == &a)
		clear();
}

static void present(const struct atomic *atomics, int cnt)
{
	for (; cnt--; atomics++) {
		all_regs(&a, atomics, BPF_W);
		all_regs(&a, atomics, BPF_DW);
	}
}

/* What is absent reads as zero and takes no store: so it is for atomics. */
static void all_absent(const struct atomic *atomics, int cnt)
{
	struct arena b;

	if (!arena_open(&b, PAGES, 0, ARENA_ADDR + ARENA_4G))
		return;
	for (; cnt--; atomics++) {
		all_regs(&b, atomics, BPF_W);
		all_regs(&b, atomics, BPF_DW);
	}
	ASSERT_EQ(*slot(&b, 2048), 0, "absent page");
	arena_close(&b);
}

static void rmw(void)
{
	present(plain, ARRAY_SIZE(plain));
}

static void rmw_fetch(void)
{
	present(fetching, ARRAY_SIZE(fetching));
}

static void absent_rmw(void)
{
	all_absent(plain, ARRAY_SIZE(plain));
}

static void absent_fetch(void)
{
	all_absent(fetching, ARRAY_SIZE(fetching));
}

/*
 * cmpxchg compares with R0 and leaves there what it found. R0 may be the
 * value to store as well, but not the pointer, which is no number.
 */
static void cmpxchg_regs(const struct arena *b, int size, bool equal)
{
	__u64 mem = b == &a ? MEM_VAL : 0;
	/* an upper half that 32 bits must not keep, nor compare */
	__u64 cmp = merge(size, 0xabcdef12ULL << 32, equal ? mem : mem + 1);
	__u64 ctx[10 * 10 * 2];
	struct insns p = {};
	int base, src, n;

	memset(ctx, 0x5a, sizeof(ctx));
	start(&p, b);
	for (base = 1, n = 0; base < 10; base++)
		for (src = 0; src < 10; src++, n++) {
			int off = offs[n % ARRAY_SIZE(offs)];

			if (b == &a)
				*slot(b, n + 2048) = mem;
			point(&p, b, base, n + 2048, off);
			if (src != base && src)
				EMIT(&p, BPF_LD_IMM64(src, REG_VAL));
			EMIT(&p, BPF_LD_IMM64(BPF_REG_0, cmp),
			     BPF_ATOMIC_OP(size, BPF_CMPXCHG, base, src, off),
			     /* R0 aside: storing to the context needs it */
			     BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, -16));
			ctx_store(&p, n * 2, src);
			EMIT(&p, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, -16));
			ctx_store(&p, n * 2 + 1, BPF_REG_2);
		}
	finish(&p);
	if (!insns_run(&p, ctx, sizeof(ctx), NULL))
		return;
	for (base = 1, n = 0; base < 10; base++)
		for (src = 0; src < 10; src++, n++) {
			__u32 ptr = b->user + (n + 2048) * 16 - offs[n % ARRAY_SIZE(offs)];
			__u64 reg = src == base ? ptr : src ? REG_VAL : cmp;
			int bits = size == BPF_W ? 32 : 64;

			if (b == &a)
				CASE_EQ(*slot(b, n + 2048), equal ? merge(size, mem, reg) : mem,
					"cmpxchg%d *R%d with R%d", bits, base, src);
			CASE_EQ(ctx[n * 2 + 1], mem & mask(size),
				"R0 after cmpxchg%d *R%d with R%d", bits, base, src);
			if (src)
				CASE_EQ(ctx[n * 2], reg, "R%d after cmpxchg%d *R%d", src, bits,
					base);
		}
	if (b == &a)
		clear();
}

static void cmpxchg64(void)
{
	cmpxchg_regs(&a, BPF_DW, true);
	cmpxchg_regs(&a, BPF_DW, false);
}

/* Trap: 32-bit cmpxchg on the arena leaves the upper half of r0 */
static void cmpxchg32(void)
{
	cmpxchg_regs(&a, BPF_W, true);
	cmpxchg_regs(&a, BPF_W, false);
}

/* R0 gets the zero that is there, also when it compared equal. */
static void absent_cmpxchg(void)
{
	struct arena b;

	if (!arena_open(&b, PAGES, 0, ARENA_ADDR + ARENA_4G))
		return;
	cmpxchg_regs(&b, BPF_DW, false);
	cmpxchg_regs(&b, BPF_W, false);
	cmpxchg_regs(&b, BPF_DW, true);
	cmpxchg_regs(&b, BPF_W, true);
	ASSERT_EQ(*slot(&b, 2048), 0, "absent page");
	arena_close(&b);
}

/* In a subprogram, and with what the verifier knows of other registers. */
static void subprog(void)
{
	struct insns p = {};
	__u64 ctx = 7;
	__u32 ret = 0;

	*slot(&a, 0) = 100;
	EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_6, 0),
	     BPF_CALL_REL(2),
	     BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_0, 0), BPF_EXIT_INSN(),
	     BPF_LD_MAP_FD(BPF_REG_2, a.fd));
	point(&p, &a, BPF_REG_7, 0, 0);
	EMIT(&p, BPF_MOV64_REG(BPF_REG_0, BPF_REG_1),
	     BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, BPF_REG_7, BPF_REG_0, 0),
	     BPF_EXIT_INSN());
	if (insns_run(&p, &ctx, sizeof(ctx), &ret)) {
		ASSERT_EQ(ret, 100, "retval");
		ASSERT_EQ(ctx, 100, "fetched");
		ASSERT_EQ(*slot(&a, 0), 107, "added");
	}
	clear();
}

/* What is not an atomic is none on the arena either. */
static void invalid(void)
{
	static const int ops[] = {
		BPF_SUB, BPF_MUL, 0xff, BPF_XCHG & ~BPF_FETCH,
	};
	static const int sizes[] = { BPF_B, BPF_H };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(ops) + ARRAY_SIZE(sizes); i++) {
		struct insns p = {};

		start(&p, &a);
		point(&p, &a, BPF_REG_6, 0, 0);
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_0, 0),
		     i < ARRAY_SIZE(ops) ?
		     BPF_ATOMIC_OP(BPF_DW, ops[i], BPF_REG_6, BPF_REG_0, 0) :
		     BPF_ATOMIC_OP(sizes[i - ARRAY_SIZE(ops)], BPF_ADD, BPF_REG_6, BPF_REG_0, 0));
		finish(&p);
		fd = arena_load_log(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
		if (!ASSERT_EQ(fd, -EINVAL, "refused"))
			printf("case %zu\n", i);
		if (fd >= 0)
			close(fd);
		insns_free(&p);
	}
}

struct adder {
	pthread_t thread;
	int fd;
	int rounds;
	bool failed;
};

static void *add_rounds(void *arg)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct adder *adder = arg;
	int i;

	for (i = 0; i < adder->rounds; i++)
		if (bpf_prog_test_run_opts(adder->fd, &opts))
			adder->failed = true;
	return NULL;
}

/* The program on two CPUs and the threads of user space lose nothing. */
static void concurrent(void)
{
	enum { THREADS = 3, ROUNDS = 200, OPS = 100 };
	struct adder adders[THREADS];
	struct insns p = {};
	int i, fd, started;
	__u64 sum;

	start(&p, &a);
	point(&p, &a, BPF_REG_6, 0, 0);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_8, OPS),
	     BPF_MOV64_IMM(BPF_REG_7, 1),
	     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_6, BPF_REG_7, 0),
	     BPF_ATOMIC_OP(BPF_W, BPF_ADD | BPF_FETCH, BPF_REG_6, BPF_REG_7, 8),
	     BPF_MOV64_IMM(BPF_REG_7, 1),
	     BPF_ATOMIC_OP(BPF_DW, BPF_XOR | BPF_FETCH, BPF_REG_6, BPF_REG_7, 16),
	     BPF_ALU64_IMM(BPF_SUB, BPF_REG_8, 1),
	     BPF_JMP_IMM(BPF_JNE, BPF_REG_8, 0, -7));
	finish(&p);
	fd = arena_load(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
	insns_free(&p);
	if (fd < 0)
		return;
	for (started = 0; started < THREADS; started++) {
		adders[started] = (struct adder){ .fd = fd, .rounds = ROUNDS };
		if (!ASSERT_OK(pthread_create(&adders[started].thread, NULL, add_rounds,
					      &adders[started]), "pthread_create"))
			break;
	}
	for (i = 0; i < ROUNDS * OPS; i++)
		__atomic_fetch_add(slot(&a, 0), 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < started; i++) {
		pthread_join(adders[i].thread, NULL);
		ASSERT_FALSE(adders[i].failed, "test_run");
	}
	sum = (__u64)started * ROUNDS * OPS;
	ASSERT_EQ(*slot(&a, 0), sum + ROUNDS * OPS, "add");
	ASSERT_EQ(a.mem[8] | (__u8)a.mem[9] << 8, sum & 0xffff, "fetch_add");
	ASSERT_EQ(*slot(&a, 1), sum & 1, "fetch_xor");
	close(fd);
	clear();
}

static const struct arena_subtest subtests[] = {
	{ "rmw", rmw },
	{ "rmw_fetch", rmw_fetch },
	{ "cmpxchg64", cmpxchg64 },
	{ "cmpxchg32", cmpxchg32 },
	{ "absent_rmw", absent_rmw },
	{ "absent_fetch", absent_fetch },
	{ "absent_cmpxchg", absent_cmpxchg },
	{ "subprog", subprog },
	{ "invalid", invalid },
	{ "concurrent", concurrent },
};

void test_arena_atomics(void)
{
	if (!arena_open(&a, PAGES, 0, ARENA_ADDR))
		return;
	clear();
	arena_subtests(subtests, ARRAY_SIZE(subtests));
	arena_close(&a);
}
