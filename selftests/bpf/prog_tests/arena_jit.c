// SPDX-License-Identifier: GPL-2.0
/* What the JIT makes of a program that uses an arena: each form of each instruction. */
#define _GNU_SOURCE
#include <linux/if_link.h>
#include "arena_insn.h"
#include "arena_jit_target.skel.h"
#include "arena_jit_ext.skel.h"

#define PAGES	64
/* 64 bits with a different byte in each place */
#define PATTERN	0x8182838485868788ULL

/* Mapped, and all its pages there; a subtest leaves them zero. */
static struct arena a;

static const int sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };

static __u64 size_mask(int size)
{
	switch (size) {
	case BPF_B:
		return 0xff;
	case BPF_H:
		return 0xffff;
	case BPF_W:
		return 0xffffffff;
	default:
		return ~0ULL;
	}
}

static __u64 peek(const struct arena *b, size_t off)
{
	__u64 val;

	memcpy(&val, b->mem + off, sizeof(val));
	return val;
}

static void poke(const struct arena *b, size_t off, __u64 val)
{
	memcpy(b->mem + off, &val, sizeof(val));
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
 * Programs here keep the context in a stack slot, so that all ten registers
 * are free.
 */
#define CTX_SLOT	-8

/* ctx[i] = reg; changes R0 or R1 */
static void ctx_store(struct insns *p, int i, int reg)
{
	int tmp = reg == BPF_REG_0 ? BPF_REG_1 : BPF_REG_0;

	EMIT(p, BPF_LDX_MEM(BPF_DW, tmp, BPF_REG_10, CTX_SLOT),
	     BPF_STX_MEM(BPF_DW, tmp, reg, i * 8));
}

/* reg = kernel pointer to addr */
static void point(struct insns *p, int reg, __u64 addr)
{
	EMIT(p, BPF_LD_IMM64(reg, addr), CAST_KERN(reg, reg));
}

static void start(struct insns *p, const struct arena *b)
{
	EMIT(p, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, CTX_SLOT),
	     BPF_LD_MAP_FD(BPF_REG_2, b->fd));
}

static void finish(struct insns *p)
{
	EMIT(p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
}

static void clear(void)
{
	memset(a.mem, 0, a.size);
}

static void store_regs(void)
{
	struct insns p = {};
	int base, src, i;
	size_t slot;

	start(&p, &a);
	for (base = 0, slot = 0; base < 10; base++)
		for (src = 0; src < 10; src++)
			for (i = 0; i < 4; i++, slot += 16) {
				point(&p, base, a.user + slot);
				if (src != base)
					EMIT(&p, BPF_LD_IMM64(src, PATTERN + slot));
				EMIT(&p, BPF_STX_MEM(sizes[i], base, src, 0));
			}
	finish(&p);
	if (!insns_run(&p, NULL, 0, NULL))
		return;
	for (base = 0, slot = 0; base < 10; base++)
		for (src = 0; src < 10; src++)
			for (i = 0; i < 4; i++, slot += 16) {
				/* the value of a pointer into the arena is its lower half */
				__u64 val = src == base ? (__u32)(a.user + slot) : PATTERN + slot;

				CASE_EQ(peek(&a, slot), val & size_mask(sizes[i]),
					"*R%d = R%d, size %#x", base, src, sizes[i]);
				CASE_EQ(peek(&a, slot + 8), 0, "beyond *R%d = R%d, size %#x",
					base, src, sizes[i]);
			}
	clear();
}

/* The frame pointer as a value: a kernel address, whole. */
static void store_fp(void)
{
	struct insns p = {};
	int base;

	start(&p, &a);
	for (base = 0; base < 10; base++) {
		point(&p, base, a.user + base * 16);
		EMIT(&p, BPF_STX_MEM(BPF_DW, base, BPF_REG_10, 0));
	}
	finish(&p);
	if (insns_run(&p, NULL, 0, NULL)) {
		for (base = 0; base < 10; base++)
			CASE_EQ(peek(&a, base * 16) >> 56, 0xff, "*R%d = fp", base);
	}
	clear();
}

static void load_regs(void)
{
	__u64 ctx[10 * 10 * 4];
	struct insns p = {};
	int base, dst, i, n;

	memset(ctx, 0, sizeof(ctx));
	start(&p, &a);
	for (base = 0, n = 0; base < 10; base++)
		for (dst = 0; dst < 10; dst++)
			for (i = 0; i < 4; i++, n++) {
				poke(&a, n * 16, PATTERN + n);
				if (dst != base)
					EMIT(&p, BPF_MOV64_IMM(dst, -1));
				point(&p, base, a.user + n * 16);
				EMIT(&p, BPF_LDX_MEM(sizes[i], dst, base, 0));
				ctx_store(&p, n, dst);
			}
	finish(&p);
	if (!insns_run(&p, ctx, sizeof(ctx), NULL))
		return;
	for (base = 0, n = 0; base < 10; base++)
		for (dst = 0; dst < 10; dst++)
			for (i = 0; i < 4; i++, n++)
				CASE_EQ(ctx[n], (PATTERN + n) & size_mask(sizes[i]),
					"R%d = *R%d, size %#x", dst, base, sizes[i]);
	clear();
}

static const int imms[] = { 0, 1, -1, 127, 128, -128, -129, 0x12345678, INT_MAX, INT_MIN };

static void store_imm(void)
{
	struct insns p = {};
	int base, i, k;
	size_t slot;

	memset(a.mem, 0xee, a.size);
	start(&p, &a);
	for (base = 0, slot = 0; base < 10; base++)
		for (i = 0; i < 4; i++)
			for (k = 0; k < ARRAY_SIZE(imms); k++, slot += 16) {
				point(&p, base, a.user + slot);
				EMIT(&p, BPF_ST_MEM(sizes[i], base, 0, imms[k]));
			}
	finish(&p);
	if (!insns_run(&p, NULL, 0, NULL))
		return;
	for (base = 0, slot = 0; base < 10; base++)
		for (i = 0; i < 4; i++)
			for (k = 0; k < ARRAY_SIZE(imms); k++, slot += 16) {
				__u64 mask = size_mask(sizes[i]);

				/* the immediate is sign extended to 64 bits */
				CASE_EQ(peek(&a, slot),
					((__s64)imms[k] & mask) | (0xeeeeeeeeeeeeeeeeULL & ~mask),
					"*R%d = %d, size %#x", base, imms[k], sizes[i]);
			}
	clear();
}

/*
 * Each form of displacement, with each base: the base is as far from its target as
 * the displacement says, so that user space finds what went astray.
 */
static void offsets(void)
{
	static const int offs[] = {
		0, 1, -1, 8, 127, 128, -128, -129, 255, 256, 4096, 32767, -32768,
	};
	__u64 ctx[10 * ARRAY_SIZE(offs)];
	size_t ldx = 32768, stx = 40000, st = 50000;
	int i, n;

	for (i = 0; i < 4; i++) {
		__u64 mask = size_mask(sizes[i]);
		struct insns p = {};

		memset(ctx, 0, sizeof(ctx));
		start(&p, &a);
		for (n = 0; n < ARRAY_SIZE(ctx); n++) {
			int off = offs[n % ARRAY_SIZE(offs)];
			int base = n / ARRAY_SIZE(offs);
			int reg = (base + 1) % 10;
			__u64 from = a.user + n * 16 - off;

			poke(&a, ldx + n * 16, PATTERN + n);
			point(&p, base, from + ldx);
			EMIT(&p, BPF_LDX_MEM(sizes[i], reg, base, off));
			ctx_store(&p, n, reg);
			point(&p, base, from + stx);
			EMIT(&p, BPF_LD_IMM64(reg, PATTERN + n),
			     BPF_STX_MEM(sizes[i], base, reg, off));
			point(&p, base, from + st);
			EMIT(&p, BPF_ST_MEM(sizes[i], base, off, n + 1));
		}
		finish(&p);
		if (!insns_run(&p, ctx, sizeof(ctx), NULL))
			return;
		for (n = 0; n < ARRAY_SIZE(ctx); n++) {
			int off = offs[n % ARRAY_SIZE(offs)], base = n / ARRAY_SIZE(offs);

			CASE_EQ(ctx[n], (PATTERN + n) & mask, "load from R%d%+d, size %#x",
				base, off, sizes[i]);
			CASE_EQ(peek(&a, stx + n * 16), (PATTERN + n) & mask,
				"store to R%d%+d, size %#x", base, off, sizes[i]);
			CASE_EQ(peek(&a, st + n * 16), (n + 1) & mask,
				"immediate to R%d%+d, size %#x", base, off, sizes[i]);
		}
		clear();
	}
}

/* The arena's own first and last bytes, from as far as an offset reaches. */
static void bounds(void)
{
	__u64 ctx[4] = {};
	struct insns p = {};
	__u64 last = a.user + a.size - 1;

	a.mem[0] = 0x11;
	a.mem[a.size - 1] = 0x22;
	start(&p, &a);
	point(&p, BPF_REG_6, a.user + 32768);
	EMIT(&p, BPF_LDX_MEM(BPF_B, BPF_REG_7, BPF_REG_6, -32768),
	     BPF_ST_MEM(BPF_B, BPF_REG_6, -32768, 0x33));
	ctx_store(&p, 0, BPF_REG_7);
	point(&p, BPF_REG_6, last - 32767);
	EMIT(&p, BPF_LDX_MEM(BPF_B, BPF_REG_7, BPF_REG_6, 32767),
	     BPF_ST_MEM(BPF_B, BPF_REG_6, 32767, 0x44));
	ctx_store(&p, 1, BPF_REG_7);
	/* an access that the end cuts in two: half of it exists */
	point(&p, BPF_REG_6, last - 3);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_7, -1),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 0));
	ctx_store(&p, 2, BPF_REG_7);
	finish(&p);
	if (insns_run(&p, ctx, sizeof(ctx), NULL)) {
		ASSERT_EQ(ctx[0], 0x11, "first byte");
		ASSERT_EQ(ctx[1], 0x22, "last byte");
		ASSERT_EQ(ctx[2], 0, "cut in two");
		ASSERT_EQ(a.mem[0], 0x33, "first byte");
		ASSERT_EQ(a.mem[a.size - 1], 0x44, "last byte");
	}
	clear();
}

/*
 * Trap: guard too small: access at the first and last byte with offsets -32768
 * and 32767
 *
 * Windows that lie side by side have their first and last pages filled, so
 * that an access which leaves one finds something.
 */
static void guards(void)
{
	enum { ARENAS = 4, EDGE = 16 * ARENA_PAGE };
	static const int far[] = { -32768, -4096, -8, 1, 8, 4096, 32767 - 8, 32767 };
	struct arena b[ARENAS];
	__u64 edge[2], ctx[2 * 8];
	int i, j, n, opened;

	for (opened = 0; opened < ARENAS; opened++) {
		struct arena *c = &b[opened];

		if (!arena_open(c, ARENA_4G / ARENA_PAGE, 0, (0x3000ULL + opened) << 32))
			goto out;
		memset(c->mem, 0xaa + opened, EDGE);
		memset(c->mem + c->size - EDGE, 0xaa + opened, EDGE);
	}
	for (i = 0; i < ARENAS; i++) {
		struct insns p = {};

		edge[0] = b[i].user;
		edge[1] = b[i].user + b[i].size - 1;
		memset(ctx, 0xff, sizeof(ctx));
		start(&p, &b[i]);
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_8, -1));
		for (j = 0, n = 0; j < 2; j++) {
			int k;

			point(&p, BPF_REG_6, edge[j]);
			for (k = 0; k < ARRAY_SIZE(far); k++) {
				/* below the first byte, above the last */
				if (j ? far[k] < 0 : far[k] > 0)
					continue;
				EMIT(&p, BPF_MOV64_IMM(BPF_REG_7, -1),
				     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, far[k]),
				     BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_8, far[k]),
				     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_6, BPF_REG_8, far[k]));
				ctx_store(&p, n++, BPF_REG_7);
			}
		}
		finish(&p);
		if (!insns_run(&p, ctx, sizeof(ctx), NULL))
			break;
		for (j = 0; j < n; j++)
			CASE_EQ(ctx[j], 0, "arena %d, access %d", i, j);
	}
	for (i = 0; i < ARENAS; i++) {
		const char *end = b[i].mem + b[i].size - EDGE;
		int changed = 0;

		for (n = 0; n < EDGE; n++)
			changed += (__u8)b[i].mem[n] != 0xaa + i || (__u8)end[n] != 0xaa + i;
		ASSERT_EQ(changed, 0, "bytes changed");
	}
out:
	while (opened--)
		arena_close(&b[opened]);
}

/* From a page that is not there every register gets zero, however narrow the load. */
static void absent_load(void)
{
	__u64 ctx[10 * 10 * 4];
	struct insns p = {};
	int base, dst, i, n;
	struct arena b;

	if (!arena_open(&b, 2, 0, 0))
		return;
	memset(ctx, 0xff, sizeof(ctx));
	start(&p, &b);
	for (base = 0, n = 0; base < 10; base++)
		for (dst = 0; dst < 10; dst++)
			for (i = 0; i < 4; i++, n++) {
				if (dst != base)
					EMIT(&p, BPF_MOV64_IMM(dst, -1));
				point(&p, base, b.user + n);
				EMIT(&p, BPF_LDX_MEM(sizes[i], dst, base, 8));
				ctx_store(&p, n, dst);
			}
	finish(&p);
	if (!insns_run(&p, ctx, sizeof(ctx), NULL))
		goto out;
	for (n = 0; n < ARRAY_SIZE(ctx); n++)
		CASE_EQ(ctx[n], 0, "R%d = *R%d, size %#x", n / 4 % 10, n / 40, sizes[n % 4]);
out:
	arena_close(&b);
}

/* A store to a page that is not there vanishes, and does not bring the page. */
static void absent_store(void)
{
	struct insns p = {};
	int base, src, i;
	struct arena b;

	if (!arena_open(&b, 2, 0, 0))
		return;
	start(&p, &b);
	for (base = 0; base < 10; base++)
		for (src = 0; src < 10; src++)
			for (i = 0; i < 4; i++) {
				point(&p, base, b.user);
				if (src != base)
					EMIT(&p, BPF_MOV64_IMM(src, -1));
				EMIT(&p, BPF_STX_MEM(sizes[i], base, src, 16),
				     BPF_ST_MEM(sizes[i], base, 24, -1));
			}
	finish(&p);
	if (!insns_run(&p, NULL, 0, NULL))
		goto out;
	for (i = 0; i < 64; i += 8)
		ASSERT_EQ(peek(&b, i), 0, "absent page");
out:
	arena_close(&b);
}

/* What faults changes no register but the one that it loads. */
static void fault_keeps_regs(void)
{
	__u64 ctx[10];
	struct arena b;
	int dst, base, i;

	if (!arena_open(&b, 2, 0, 0))
		return;
	for (dst = 0; dst < 10; dst++) {
		struct insns p = {};

		base = (dst + 3) % 10;
		memset(ctx, 0, sizeof(ctx));
		start(&p, &b);
		for (i = 0; i < 10; i++)
			EMIT(&p, BPF_LD_IMM64(i, PATTERN + i));
		point(&p, base, b.user + 8);
		EMIT(&p, BPF_LDX_MEM(BPF_W, dst, base, 0),
		     BPF_STX_MEM(BPF_W, base, dst, 0),
		     BPF_ST_MEM(BPF_B, base, 0, 1));
		/* R0 and R1 are needed to store the others */
		EMIT(&p, BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, -16),
		     BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_1, -24));
		for (i = 2; i < 10; i++)
			ctx_store(&p, i, i);
		EMIT(&p, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, -16),
		     BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_10, -24));
		ctx_store(&p, 0, BPF_REG_2);
		ctx_store(&p, 1, BPF_REG_3);
		finish(&p);
		if (!insns_run(&p, ctx, sizeof(ctx), NULL))
			break;
		for (i = 0; i < 10; i++) {
			__u64 val = i == dst ? 0 : i == base ? (__u32)b.user + 8 : PATTERN + i;

			CASE_EQ(ctx[i], val, "R%d after R%d = *R%d", i, dst, base);
		}
	}
	arena_close(&b);
}

/* dst = cast(src) for every pair of registers and some values */
static void cast_all(const struct arena *b, bool to_user,
		     __u64 (*model)(const struct arena *b, __u64 val))
{
	const __u64 vals[] = {
		0, 1, 0xffffffff, 0x80000000, 1ULL << 32, 0xffffffffffffffffULL,
		0xffff888000000000ULL, 0xffff888000000001ULL, b->user, b->user + 8, (__u32)b->user,
	};
	__u64 ctx[10 * 10 * ARRAY_SIZE(vals)];
	struct insns p = {};
	int dst, src, i, n;

	memset(ctx, 0x5a, sizeof(ctx));
	start(&p, b);
	for (dst = 0, n = 0; dst < 10; dst++)
		for (src = 0; src < 10; src++)
			for (i = 0; i < ARRAY_SIZE(vals); i++, n++) {
				if (dst != src)
					EMIT(&p, BPF_MOV64_IMM(dst, -1));
				EMIT(&p, BPF_LD_IMM64(src, vals[i]),
				     to_user ? CAST_USER(dst, src) : CAST_KERN(dst, src));
				ctx_store(&p, n, dst);
			}
	finish(&p);
	if (!insns_run(&p, ctx, sizeof(ctx), NULL))
		return;
	for (dst = 0, n = 0; dst < 10; dst++)
		for (src = 0; src < 10; src++)
			for (i = 0; i < ARRAY_SIZE(vals); i++, n++)
				CASE_EQ(ctx[n], model(b, vals[i]), "R%d = cast R%d = %#llx",
					dst, src, vals[i]);
}

static __u64 lower_half(const struct arena *b, __u64 val)
{
	return (__u32)val;
}

/* NULL stays NULL; anything else gets the arena's upper half. */
static __u64 user_pointer(const struct arena *b, __u64 val)
{
	return (__u32)val ? (b->user >> 32 << 32) | (__u32)val : 0;
}

static void cast_kern(void)
{
	cast_all(&a, false, lower_half);
}

static void cast_user(void)
{
	cast_all(&a, true, user_pointer);
}

/* Without an upper half of the arena's own there is nothing to add. */
static void cast_user_low(void)
{
	struct arena b;

	if (!arena_open(&b, 1, 0, 0x70000000))
		return;
	cast_all(&b, true, user_pointer);
	arena_close(&b);
}

static void no_user_conv(void)
{
	struct arena b;

	if (!arena_open(&b, 1, BPF_F_NO_USER_CONV, ARENA_ADDR + ARENA_4G))
		return;
	cast_all(&b, true, lower_half);
	cast_all(&b, false, lower_half);
	arena_close(&b);
}

/* A cast does not change its source. */
static void cast_keeps_source(void)
{
	__u64 ctx[2] = {};
	struct insns p = {};

	start(&p, &a);
	EMIT(&p, BPF_LD_IMM64(BPF_REG_6, PATTERN),
	     CAST_USER(BPF_REG_7, BPF_REG_6), CAST_KERN(BPF_REG_8, BPF_REG_6));
	ctx_store(&p, 0, BPF_REG_6);
	EMIT(&p, CAST_USER(BPF_REG_7, BPF_REG_8));
	ctx_store(&p, 1, BPF_REG_8);
	finish(&p);
	if (insns_run(&p, ctx, sizeof(ctx), NULL)) {
		ASSERT_EQ(ctx[0], PATTERN, "source");
		ASSERT_EQ(ctx[1], (__u32)PATTERN, "source");
	}
}

static __u32 alu32(int op, __u32 x, __u32 y)
{
	switch (op) {
	case BPF_ADD:
		return x + y;
	case BPF_SUB:
		return x - y;
	case BPF_MUL:
		return x * y;
	case BPF_DIV:
		return y ? x / y : 0;
	case BPF_MOD:
		return y ? x % y : x;
	case BPF_AND:
		return x & y;
	case BPF_OR:
		return x | y;
	case BPF_XOR:
		return x ^ y;
	case BPF_LSH:
		return x << (y & 31);
	case BPF_RSH:
		return x >> (y & 31);
	case BPF_ARSH:
		return (__s32)x >> (y & 31);
	default:
		return 0;
	}
}

static const int alu_ops[] = {
	BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_MOD, BPF_AND, BPF_OR, BPF_XOR,
	BPF_LSH, BPF_RSH, BPF_ARSH,
};

static bool is_shift(int op)
{
	return op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
}

enum alu_form { ARENA_IMM, ARENA_REG, REG_ARENA, ARENA_ARENA };

/*
 * Arithmetic on an arena pointer is that of 32 bits, whichever of the operands
 * is the pointer, and below 0 and above 4 GiB it starts again at the other end.
 */
static void alu_op(int class, int op, enum alu_form form)
{
	static const __u64 vals[] = {
		0, 1, 7, 31, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffff000,
		0x100000001ULL, 0xffffffff00000003ULL,
	};
	enum { VALS = ARRAY_SIZE(vals) };
	bool no_zero = form == ARENA_IMM && (op == BPF_DIV || op == BPF_MOD);
	__u64 ctx[VALS * VALS];
	struct insns p = {};
	int x, y, n;

	memset(ctx, 0x5a, sizeof(ctx));
	start(&p, &a);
	for (x = 0, n = 0; x < VALS; x++)
		for (y = 0; y < VALS; y++, n++) {
			int imm = is_shift(op) ? vals[y] & 31 : vals[y];

			if (no_zero && !imm)
				continue;
			EMIT(&p, BPF_LD_IMM64(BPF_REG_6, vals[x]),
			     BPF_LD_IMM64(BPF_REG_7, vals[y]));
			if (form != REG_ARENA)
				EMIT(&p, CAST_KERN(BPF_REG_6, BPF_REG_6));
			if (form == REG_ARENA || form == ARENA_ARENA)
				EMIT(&p, CAST_KERN(BPF_REG_7, BPF_REG_7));
			EMIT(&p, form == ARENA_IMM ?
			     BPF_RAW_INSN(class | op | BPF_K, BPF_REG_6, 0, 0, imm) :
			     BPF_RAW_INSN(class | op | BPF_X, BPF_REG_6, BPF_REG_7, 0, 0));
			/* it is a pointer still: see that it can be followed */
			EMIT(&p, BPF_LDX_MEM(BPF_B, BPF_REG_7, BPF_REG_6, 0));
			ctx_store(&p, n, BPF_REG_6);
		}
	finish(&p);
	if (!insns_run(&p, ctx, sizeof(ctx), NULL))
		return;
	for (x = 0, n = 0; x < VALS; x++)
		for (y = 0; y < VALS; y++, n++) {
			if (no_zero && !(__u32)vals[y])
				continue;
			CASE_EQ(ctx[n], alu32(op, vals[x], vals[y]),
				"op %#x of %#llx and %#llx", op, vals[x], vals[y]);
		}
}

static void alu(int class, enum alu_form form)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(alu_ops); i++)
		alu_op(class, alu_ops[i], form);
}

static void alu64_imm(void)
{
	alu(BPF_ALU64, ARENA_IMM);
}

static void alu64_reg(void)
{
	alu(BPF_ALU64, ARENA_REG);
}

static void alu64_two(void)
{
	alu(BPF_ALU64, ARENA_ARENA);
}

/* Trap: scalar += arena pointer: arena pointer as source, scalar as destination of ALU */
static void alu64_scalar_add(void)
{
	alu_op(BPF_ALU64, BPF_ADD, REG_ARENA);
}

static void alu64_scalar(void)
{
	alu(BPF_ALU64, REG_ARENA);
}

static void alu32_imm(void)
{
	alu(BPF_ALU, ARENA_IMM);
}

static void alu32_reg(void)
{
	alu(BPF_ALU, ARENA_REG);
}

static void alu32_scalar(void)
{
	alu(BPF_ALU, REG_ARENA);
}

/* Shifts that exist in 64 bits only leave nothing of a pointer. */
static void long_shifts(void)
{
	static const int ops[] = { BPF_LSH, BPF_RSH, BPF_ARSH };
	__u64 ctx[3 * 32];
	struct insns p = {};
	int i, n;

	memset(ctx, 0x5a, sizeof(ctx));
	start(&p, &a);
	for (i = 0, n = 0; i < 3; i++)
		for (; n < (i + 1) * 32; n++) {
			point(&p, BPF_REG_6, a.user + 0xa0000001);
			EMIT(&p, BPF_ALU64_IMM(ops[i], BPF_REG_6, 32 + n % 32));
			ctx_store(&p, n, BPF_REG_6);
		}
	finish(&p);
	if (insns_run(&p, ctx, sizeof(ctx), NULL))
		for (n = 0; n < ARRAY_SIZE(ctx); n++)
			CASE_EQ(ctx[n], 0, "op %#x by %d", ops[n / 32], 32 + n % 32);
}

/* What the result of arithmetic is worth: the access that goes through it. */
static void wraparound(void)
{
	__u64 ctx[4] = {};
	struct insns p = {};

	poke(&a, 64, PATTERN);
	start(&p, &a);
	/* down through 0, and up again */
	point(&p, BPF_REG_6, a.user + 64);
	EMIT(&p, BPF_ALU64_IMM(BPF_SUB, BPF_REG_6, 0x70000000),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 0x70000000),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 0));
	ctx_store(&p, 0, BPF_REG_7);
	/* up through 4 GiB */
	point(&p, BPF_REG_6, a.user + 64);
	EMIT(&p, BPF_LD_IMM64(BPF_REG_7, 0xf00000000ULL),
	     BPF_ALU64_REG(BPF_ADD, BPF_REG_6, BPF_REG_7),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 0));
	ctx_store(&p, 1, BPF_REG_7);
	/* the same with the pointer second, and a negative number first */
	point(&p, BPF_REG_6, a.user + 128);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_7, -64),
	     BPF_ALU64_REG(BPF_ADD, BPF_REG_7, BPF_REG_6),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_7, 0));
	ctx_store(&p, 2, BPF_REG_7);
	/* and as user space would see it */
	point(&p, BPF_REG_6, a.user + 64);
	EMIT(&p, BPF_ALU64_IMM(BPF_SUB, BPF_REG_6, 0x70000000),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 0x70000000),
	     CAST_USER(BPF_REG_6, BPF_REG_6));
	ctx_store(&p, 3, BPF_REG_6);
	finish(&p);
	if (insns_run(&p, ctx, sizeof(ctx), NULL)) {
		ASSERT_EQ(ctx[0], PATTERN, "below 0");
		ASSERT_EQ(ctx[1], PATTERN, "above 4 GiB");
		ASSERT_EQ(ctx[2], PATTERN, "negative");
		ASSERT_EQ(ctx[3], a.user + 64, "user");
	}
	clear();
}

static void moves(void)
{
	__u64 ctx[10 * 10];
	struct insns p = {};
	int dst, src, n;

	memset(ctx, 0, sizeof(ctx));
	start(&p, &a);
	for (dst = 0, n = 0; dst < 10; dst++)
		for (src = 0; src < 10; src++, n++) {
			poke(&a, n * 16, PATTERN + n);
			point(&p, src, a.user + n * 16);
			EMIT(&p, BPF_MOV64_REG(dst, src),
			     BPF_LDX_MEM(BPF_DW, dst, dst, 0));
			ctx_store(&p, n, dst);
		}
	finish(&p);
	if (!insns_run(&p, ctx, sizeof(ctx), NULL))
		return;
	for (n = 0; n < ARRAY_SIZE(ctx); n++)
		CASE_EQ(ctx[n], PATTERN + n, "R%d = R%d", n / 10, n % 10);
	clear();
}

/* The verifier may fill the upper halves that it believes to be unused. */
static void rnd_hi32(void)
{
	arena_prog_flags = BPF_F_TEST_RND_HI32;
	cast_kern();
	cast_user();
	alu64_imm();
	alu64_reg();
	alu64_scalar_add();
	wraparound();
	moves();
	load_regs();
	arena_prog_flags = 0;
}

/* The code that the JIT made of @fd. */
static size_t jited_code(int fd, void *buf, __u32 size)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	info.jited_prog_insns = ptr_to_u64(buf);
	info.jited_prog_len = size;
	if (!ASSERT_OK(bpf_obj_get_info_by_fd(fd, &info, &len), "prog_info"))
		return 0;
	ASSERT_GT(info.jited_prog_len, 0, "jited_prog_len");
	return info.jited_prog_len;
}

/*
 * Trap: immediate store through an arena pointer is not blinded, or loses its
 * mode when it is: bpf_jit_harden=2, `*(u64 *)(arena + off) = imm`
 */
static void blind_store(void)
{
	static const int secret = 0x1badc0de;
	static char code[16384];
	struct insns p = {};
	char old[16];
	int fd, i, off, round;
	size_t len;

	start(&p, &a);
	point(&p, BPF_REG_6, a.user + 40000);
	for (i = 0; i < 4; i++)
		for (off = 0; off < 3; off++)
			EMIT(&p, BPF_ST_MEM(sizes[i], BPF_REG_6, (off - 1) * 1000 + i * 8, secret));
	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_6, 64, -secret));
	/* and into a page that is not there */
	point(&p, BPF_REG_6, a.user - ARENA_PAGE);
	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_6, 0, secret));
	finish(&p);
	for (round = 0; round < 2; round++) {
		const char *harden = round ? "2" : "0";

		if (!arena_sysctl(JIT_HARDEN, harden, old, sizeof(old)))
			break;
		fd = arena_load(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
		arena_sysctl(JIT_HARDEN, old, NULL, 0);
		if (fd < 0)
			break;
		arena_run(fd, NULL, 0, NULL);
		for (i = 0; i < 4; i++)
			for (off = 0; off < 3; off++)
				CASE_EQ(peek(&a, 40000 + (off - 1) * 1000 + i * 8),
					secret & size_mask(sizes[i]), "size %#x, bpf_jit_harden %s",
					sizes[i], harden);
		ASSERT_EQ(peek(&a, 40064), (__u64)-secret, "negative");
		len = jited_code(fd, code, sizeof(code));
		/* unhardened it is there: this is how it would look */
		ASSERT_EQ(!!memmem(code, len, &secret, sizeof(secret)), !round, "secret in code");
		close(fd);
		clear();
	}
	insns_free(&p);
}

/* The other immediates of an arena program. */
static void blind_rest(void)
{
	static const __u32 secret = 0x1badc0de;
	static char code[16384];
	__u64 ctx[3] = {};
	struct insns p = {};
	char old[16];
	size_t len;
	int fd;

	if (!arena_sysctl(JIT_HARDEN, "2", old, sizeof(old)))
		return;
	start(&p, &a);
	EMIT(&p, BPF_LD_IMM64(BPF_REG_7, (__u64)secret << 32 | secret));
	ctx_store(&p, 0, BPF_REG_7);
	point(&p, BPF_REG_6, a.user);
	/* the arithmetic is one of 32 bits, blinded or not */
	EMIT(&p, BPF_ALU64_IMM(BPF_SUB, BPF_REG_6, secret),
	     BPF_ALU64_IMM(BPF_SUB, BPF_REG_6, secret),
	     BPF_ALU64_IMM(BPF_SUB, BPF_REG_6, 0x40000000),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 0x40000000),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, secret),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, secret),
	     BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_7, 8));
	ctx_store(&p, 1, BPF_REG_6);
	EMIT(&p, CAST_USER(BPF_REG_6, BPF_REG_6));
	ctx_store(&p, 2, BPF_REG_6);
	finish(&p);
	fd = arena_load(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
	arena_sysctl(JIT_HARDEN, old, NULL, 0);
	insns_free(&p);
	if (fd < 0)
		return;
	if (arena_run(fd, ctx, sizeof(ctx), NULL)) {
		ASSERT_EQ(ctx[0], (__u64)secret << 32 | secret, "number");
		ASSERT_EQ(ctx[1], (__u32)a.user, "pointer");
		ASSERT_EQ(ctx[2], a.user, "cast");
		ASSERT_EQ(peek(&a, 8), (__u64)secret << 32 | secret, "stored");
	}
	len = jited_code(fd, code, sizeof(code));
	ASSERT_NULL(memmem(code, len, &secret, sizeof(secret)), "secret in code");
	close(fd);
	clear();
}

/* Every frame has the arena's base, before and after it calls the next. */
static void subprogs(void)
{
	enum { FRAMES = 8 };
	struct insns p = {};
	__u32 ret = 0;
	int i;

	for (i = 0; i < FRAMES; i++) {
		/* of one length, so that the next begins four instructions after its call */
		EMIT(&p, BPF_LD_MAP_FD(BPF_REG_1, a.fd));
		point(&p, BPF_REG_7, a.user + i * 8);
		EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_7, 0, 1 << i),
		     i == FRAMES - 1 ? BPF_MOV64_IMM(BPF_REG_0, 0) : BPF_CALL_REL(4),
		     BPF_LDX_MEM(BPF_DW, BPF_REG_8, BPF_REG_7, 0),
		     BPF_ALU64_REG(BPF_ADD, BPF_REG_0, BPF_REG_8),
		     BPF_MOV64_IMM(BPF_REG_7, 0),
		     BPF_EXIT_INSN());
	}
	if (insns_run(&p, NULL, 0, &ret)) {
		ASSERT_EQ(ret, (1 << FRAMES) - 1, "sum over frames");
		for (i = 0; i < FRAMES; i++)
			ASSERT_EQ(peek(&a, i * 8), 1 << i, "stored by frame");
	}
	clear();
}

/*
 * @cnt accesses to a page that is not there, each with a line in the table of
 * exceptions; what is left over from any of them is added up in R8.
 */
static void faults(struct insns *p, const struct arena *b, int cnt)
{
	static const int regs[] = { BPF_REG_0, BPF_REG_1, BPF_REG_5, BPF_REG_7, BPF_REG_9 };
	int i;

	point(p, BPF_REG_6, b->user);
	EMIT(p, BPF_MOV64_IMM(BPF_REG_8, 0), BPF_MOV64_IMM(BPF_REG_2, -1));
	for (i = 0; i < cnt; i++) {
		int reg = regs[i % ARRAY_SIZE(regs)];

		switch (i % 3) {
		case 0:
			EMIT(p, BPF_MOV64_IMM(reg, -1),
			     BPF_LDX_MEM(sizes[i % 4], reg, BPF_REG_6, i % 1000),
			     BPF_ALU64_REG(BPF_ADD, BPF_REG_8, reg));
			break;
		case 1:
			EMIT(p, BPF_STX_MEM(sizes[i % 4], BPF_REG_6, BPF_REG_2, i % 1000));
			break;
		case 2:
			EMIT(p, BPF_MOV64_IMM(reg, -1),
			     BPF_ATOMIC_OP(i & 1 ? BPF_W : BPF_DW, BPF_ADD | BPF_FETCH,
					   BPF_REG_6, reg, i % 100 * 8),
			     BPF_ALU64_REG(BPF_ADD, BPF_REG_8, reg));
			break;
		}
	}
}

static void extables(void)
{
	static const int cnts[] = { 1, 2, 3, 30, 127, 128, 1000, 3000 };
	struct arena b;
	size_t i;

	if (!arena_open(&b, 2, 0, 0))
		return;
	for (i = 0; i < ARRAY_SIZE(cnts); i++) {
		struct insns p = {};
		__u64 ctx = 5;

		start(&p, &b);
		faults(&p, &b, cnts[i]);
		ctx_store(&p, 0, BPF_REG_8);
		finish(&p);
		if (insns_run(&p, &ctx, sizeof(ctx), NULL))
			ASSERT_EQ(ctx, 0, "sum of what is not there");
	}
	arena_close(&b);
}

/* Each subprogram has a table of its own. */
static void extable_subprogs(void)
{
	enum { SUBPROGS = 4, FAULTS = 100 };
	struct insns p = {};
	struct arena b;
	__u32 ret = 5;
	int i, len = 0;

	if (!arena_open(&b, 2, 0, 0))
		return;
	/* to know how long one will be */
	faults(&p, &b, FAULTS);
	len = p.cnt + 2;
	insns_free(&p);

	EMIT(&p, BPF_LD_MAP_FD(BPF_REG_1, b.fd), BPF_MOV64_IMM(BPF_REG_9, 0));
	for (i = 0; i < SUBPROGS; i++)
		EMIT(&p, BPF_CALL_REL(2 * (SUBPROGS - i - 1) + 3 + i * len),
		     BPF_ALU64_REG(BPF_ADD, BPF_REG_9, BPF_REG_0));
	EMIT(&p, BPF_MOV64_REG(BPF_REG_0, BPF_REG_9), BPF_EXIT_INSN());
	for (i = 0; i < SUBPROGS; i++) {
		faults(&p, &b, FAULTS);
		EMIT(&p, BPF_MOV64_REG(BPF_REG_0, BPF_REG_8), BPF_EXIT_INSN());
	}
	if (insns_run(&p, NULL, 0, &ret))
		ASSERT_EQ(ret, 0, "sum of what is not there");
	arena_close(&b);
}

/* Helpers and kernel functions do not know of the base register, and keep it. */
static void helpers_between(void)
{
	static const int funcs[] = {
		BPF_FUNC_ktime_get_ns, BPF_FUNC_get_smp_processor_id, BPF_FUNC_get_prandom_u32,
		BPF_FUNC_jiffies64, BPF_FUNC_get_numa_node_id,
	};
	int release = arena_kfunc("bpf_arena_free_pages");
	struct insns p = {};
	__u64 ctx = 0;
	int i;

	poke(&a, 0, 1);
	start(&p, &a);
	point(&p, BPF_REG_6, a.user);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_8, 0));
	for (i = 0; i < 50; i++)
		EMIT(&p, BPF_EMIT_CALL(funcs[i % ARRAY_SIZE(funcs)]),
		     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 0),
		     BPF_ALU64_REG(BPF_ADD, BPF_REG_8, BPF_REG_7),
		     BPF_ST_MEM(BPF_DW, BPF_REG_6, 8 + i * 8, i),
		     BPF_LD_MAP_FD(BPF_REG_1, a.fd),
		     BPF_LD_IMM64(BPF_REG_2, a.user + a.size),	/* frees nothing */
		     BPF_MOV64_IMM(BPF_REG_3, 1), CALL_KFUNC(release),
		     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 0),
		     BPF_ALU64_REG(BPF_ADD, BPF_REG_8, BPF_REG_7));
	ctx_store(&p, 0, BPF_REG_8);
	finish(&p);
	if (insns_run(&p, &ctx, sizeof(ctx), NULL)) {
		ASSERT_EQ(ctx, 100, "loads");
		for (i = 0; i < 50; i++)
			CASE_EQ(peek(&a, 8 + i * 8), i, "store %d", i);
	}
	clear();
}

/* Jumps over much code and little: their size depends on that of the accesses. */
static void jumps(void)
{
	struct insns p = {};
	__u64 ctx = 0;
	int i, k;

	poke(&a, 0, 3);
	start(&p, &a);
	point(&p, BPF_REG_6, a.user);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_8, 0), BPF_LDX_MEM(BPF_DW, BPF_REG_9, BPF_REG_6, 0));
	for (i = 0; i < 60; i++) {
		/* taken when i is even */
		EMIT(&p, BPF_JMP_IMM(i & 1 ? BPF_JNE : BPF_JEQ, BPF_REG_9, 3, 3 * i));
		for (k = 0; k < i; k++)
			EMIT(&p, BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_9, 16 + k * 8),
			     CAST_USER(BPF_REG_7, BPF_REG_6),
			     BPF_ALU64_IMM(BPF_ADD, BPF_REG_8, 1));
	}
	ctx_store(&p, 0, BPF_REG_8);
	finish(&p);
	if (insns_run(&p, &ctx, sizeof(ctx), NULL))
		ASSERT_EQ(ctx, 30 * 30, "blocks run");
	clear();
}

/* To the program at idx; R6 is the context. */
static void tail_call(struct insns *p, int array, int idx)
{
	EMIT(p, BPF_MOV64_REG(BPF_REG_1, BPF_REG_6), BPF_LD_MAP_FD(BPF_REG_2, array),
	     BPF_MOV64_IMM(BPF_REG_3, idx), BPF_EMIT_CALL(BPF_FUNC_tail_call));
}

static int tail_prog(struct insns *p, int array, int idx)
{
	int fd = arena_load(BPF_PROG_TYPE_SCHED_CLS, p->insn, p->cnt);

	insns_free(p);
	if (fd >= 0 && idx >= 0)
		ASSERT_OK(bpf_map_update_elem(array, &idx, &fd, 0), "prog_array");
	return fd;
}

/*
 * What a tail call goes to: a program with another arena, then one with none,
 * then one with the first arena again, which returns 500 and that one's number.
 */
static void tail_targets(int array, const struct arena *b, const struct arena *c, int fds[3])
{
	struct insns p = {};

	EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1), BPF_LD_MAP_FD(BPF_REG_2, c->fd));
	point(&p, BPF_REG_7, c->user);
	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_7, 0, 2));
	tail_call(&p, array, 1);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_0, 2000), BPF_EXIT_INSN());
	fds[0] = tail_prog(&p, array, 0);

	EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1));
	tail_call(&p, array, 2);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_0, 3000), BPF_EXIT_INSN());
	fds[1] = tail_prog(&p, array, 1);

	EMIT(&p, BPF_LD_MAP_FD(BPF_REG_2, b->fd));
	point(&p, BPF_REG_7, b->user);
	EMIT(&p, BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_7, 0),
	     BPF_ST_MEM(BPF_DW, BPF_REG_7, 16, 4),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 500), BPF_EXIT_INSN());
	fds[2] = tail_prog(&p, array, 2);
}

static void tail_calls(void)
{
	int array = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "tail", 4, 4, 4, NULL);
	int fd, i, fds[3] = { -1, -1, -1 };
	struct insns p = {};
	struct arena c;
	__u32 ret = 0;

	if (!ASSERT_GE(array, 0, "prog_array"))
		return;
	if (!arena_open(&c, 2, 0, ARENA_ADDR + 2 * ARENA_4G))
		goto out;
	memset(c.mem, 0, c.size);
	tail_targets(array, &a, &c, fds);

	EMIT(&p, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1), BPF_LD_MAP_FD(BPF_REG_2, a.fd));
	point(&p, BPF_REG_7, a.user);
	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_7, 0, 1));
	tail_call(&p, array, 0);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_0, 1000), BPF_EXIT_INSN());
	fd = tail_prog(&p, array, -1);
	for (i = 0; i < 3 && fd >= 0; i++) {
		if (!arena_run_skb(fd, &ret))
			break;
		ASSERT_EQ(ret, 501, "retval");
		ASSERT_EQ(peek(&a, 0), 1, "first program");
		ASSERT_EQ(peek(&c, 0), 2, "other arena");
		ASSERT_EQ(peek(&a, 16), 4, "last program");
		memset(c.mem, 0, 64);
		clear();
	}
	close(fd);
	for (i = 0; i < 3; i++)
		close(fds[i]);
	arena_close(&c);
out:
	close(array);
}

/* The memory that arena_jit_target and its test share; touched, so that it is there. */
static __u64 *shared_page(struct bpf_map *map)
{
	size_t size;
	__u64 *page = (void *)bpf_map__initial_value(map, &size);

	if (ASSERT_OK_PTR(page, "shared page"))
		memset(page, 0, 64);
	return page;
}

/* A subprogram leaps; its caller then still has its own arena. */
static void tail_calls_subprog(void)
{
	struct arena_jit_target *target = arena_jit_target__open_and_load();
	int i, fds[3] = { -1, -1, -1 };
	struct arena b = {}, c;
	__u32 ret = 0;
	__u64 *page;

	if (!ASSERT_OK_PTR(target, "target"))
		return;
	page = shared_page(target->maps.arena);
	if (!page || !arena_open(&c, 2, 0, ARENA_ADDR + 2 * ARENA_4G))
		goto out;
	memset(c.mem, 0, c.size);
	b.fd = bpf_map__fd(target->maps.arena);
	b.user = ptr_to_u64(page);
	tail_targets(bpf_map__fd(target->maps.tails), &b, &c, fds);
	for (i = 0; i < 3; i++) {
		if (!arena_run_skb(bpf_program__fd(target->progs.leaper), &ret))
			break;
		ASSERT_EQ(ret, 541, "retval");
		ASSERT_EQ(page[0], 1, "subprogram");
		ASSERT_EQ(peek(&c, 0), 2, "other arena");
		ASSERT_EQ(page[2], 4, "last program");
		ASSERT_EQ(page[1], 40, "caller of the subprogram");
		memset(c.mem, 0, 64);
		memset(page, 0, 64);
	}
	for (i = 0; i < 3; i++)
		close(fds[i]);
	arena_close(&c);
out:
	arena_jit_target__destroy(target);
}

static int run_outer(struct arena_jit_target *target)
{
	__u32 ret = 0;

	arena_run_skb(bpf_program__fd(target->progs.outer), &ret);
	return ret;
}

/* A program with another arena, and one with none, in place of a function. */
static void replaced(void)
{
	struct arena_jit_target *target = arena_jit_target__open_and_load();
	struct arena_jit_ext *ext = NULL;
	struct bpf_link *link;
	int fd, i;

	if (!ASSERT_OK_PTR(target, "target"))
		return;
	shared_page(target->maps.arena);
	ASSERT_EQ(run_outer(target), 805, "before");
	for (i = 0; i < 2; i++) {
		struct bpf_program *prog;

		ext = arena_jit_ext__open();
		if (!ASSERT_OK_PTR(ext, "ext"))
			break;
		prog = i ? ext->progs.inner_plain : ext->progs.inner_arena;
		fd = bpf_program__fd(target->progs.outer);
		bpf_program__set_autoload(prog, true);
		if (ASSERT_OK(bpf_program__set_attach_target(prog, fd, "inner"), "target") &&
		    ASSERT_OK(arena_jit_ext__load(ext), "load")) {
			shared_page(ext->maps.arena);
			link = bpf_program__attach_freplace(prog, fd, "inner");
			if (ASSERT_OK_PTR(link, "attach")) {
				ASSERT_EQ(run_outer(target), i ? 2105 : 1405, "replaced");
				bpf_link__destroy(link);
				ASSERT_EQ(run_outer(target), 805, "after");
			}
		}
		arena_jit_ext__destroy(ext);
	}
	arena_jit_target__destroy(target);
}

/* The trampoline of an arena program's own function. */
static void traced(void)
{
	struct arena_jit_target *target = arena_jit_target__open_and_load();
	struct arena_jit_ext *ext = arena_jit_ext__open();
	__u64 *in_arena;
	int fd;

	if (!ASSERT_OK_PTR(target, "target") || !ASSERT_OK_PTR(ext, "ext"))
		goto out;
	fd = bpf_program__fd(target->progs.outer);
	bpf_program__set_autoload(ext->progs.enter_outer, true);
	bpf_program__set_autoload(ext->progs.exit_outer, true);
	if (!ASSERT_OK(bpf_program__set_attach_target(ext->progs.enter_outer, fd, "outer"),
		       "fentry target") ||
	    !ASSERT_OK(bpf_program__set_attach_target(ext->progs.exit_outer, fd, "outer"),
		       "fexit target") ||
	    !ASSERT_OK(arena_jit_ext__load(ext), "load") ||
	    !ASSERT_OK(arena_jit_ext__attach(ext), "attach"))
		goto out;
	shared_page(target->maps.arena);
	in_arena = shared_page(ext->maps.arena);
	ASSERT_EQ(run_outer(target), 805, "retval");
	ASSERT_EQ(run_outer(target), 805, "retval");
	ASSERT_EQ(ext->bss->entered, 2, "fentry");
	ASSERT_EQ(ext->bss->exited, 2, "fexit");
	ASSERT_EQ(ext->bss->exit_ret, 805, "fexit return value");
	ASSERT_EQ(in_arena ? *in_arena : 0, 4, "counted in the arena");
out:
	arena_jit_ext__destroy(ext);
	arena_jit_target__destroy(target);
}

/* A program that counts packets in the arena's first number, and lets them pass. */
static int counter(enum bpf_prog_type type, int verdict)
{
	struct insns p = {};
	int fd;

	EMIT(&p, BPF_LD_MAP_FD(BPF_REG_1, a.fd));
	point(&p, BPF_REG_6, a.user);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_1, 1),
	     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_6, BPF_REG_1, 0),
	     BPF_MOV64_IMM(BPF_REG_0, verdict), BPF_EXIT_INSN());
	fd = arena_load(type, p.insn, p.cnt);
	insns_free(&p);
	return fd;
}

static void send_to_self(int cnt)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (!ASSERT_GE(sock, 0, "socket"))
		return;
	while (cnt--)
		sendto(sock, "arena", 5, 0, (struct sockaddr *)&addr, sizeof(addr));
	close(sock);
}

static void attached_xdp(void)
{
	int loopback = 1, wait, i;

	clear();
	/* twice: one program replaces another in the dispatcher */
	for (i = 0; i < 2; i++) {
		int fd = counter(BPF_PROG_TYPE_XDP, XDP_PASS);

		if (fd < 0)
			break;
		if (ASSERT_OK(bpf_xdp_attach(loopback, fd, XDP_FLAGS_SKB_MODE, NULL), "attach")) {
			send_to_self(10);
			for (wait = 0; wait < 100 && peek(&a, 0) < 10; wait++)
				usleep(10000);
			ASSERT_GE(peek(&a, 0), 10, "packets");
			bpf_xdp_detach(loopback, XDP_FLAGS_SKB_MODE, NULL);
			poke(&a, 0, 0);
			send_to_self(2);
			ASSERT_EQ(peek(&a, 0), 0, "packets after detach");
		}
		arena_run_skb(fd, NULL);
		ASSERT_EQ(peek(&a, 0), 1, "test_run");
		close(fd);
		clear();
	}
}

static void attached_filter(void)
{
	int fd = counter(BPF_PROG_TYPE_SOCKET_FILTER, 100), sock[2];
	char byte = 'x';
	int i;

	if (fd < 0)
		return;
	if (ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sock), "socketpair")) {
		ASSERT_OK(setsockopt(sock[0], SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof(fd)),
			  "SO_ATTACH_BPF");
		for (i = 0; i < 5; i++)
			ASSERT_EQ(send(sock[1], &byte, 1, 0), 1, "send");
		ASSERT_EQ(peek(&a, 0), 5, "packets");
		close(sock[0]);
		close(sock[1]);
	}
	close(fd);
	clear();
}

struct dump {
	struct bpf_insn insn[256];
	__u32 cnt;
};

static bool dump_prog(int fd, struct dump *d)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	info.xlated_prog_insns = ptr_to_u64(d->insn);
	info.xlated_prog_len = sizeof(d->insn);
	if (!ASSERT_OK(bpf_obj_get_info_by_fd(fd, &info, &len), "prog_info"))
		return false;
	d->cnt = info.xlated_prog_len / sizeof(d->insn[0]);
	return ASSERT_LE(d->cnt, ARRAY_SIZE(d->insn), "length");
}

/* Everything that the verifier rewrites, once. */
static int load_all_forms(void)
{
	struct insns p = {};
	int i, fd;

	start(&p, &a);
	EMIT(&p, LD_ARENA_VALUE(BPF_REG_6, a.fd, 24), CAST_KERN(BPF_REG_6, BPF_REG_6),
	     BPF_MOV64_IMM(BPF_REG_7, 1));
	for (i = 0; i < 4; i++)
		EMIT(&p, BPF_LDX_MEM(sizes[i], BPF_REG_8, BPF_REG_6, 0),
		     BPF_STX_MEM(sizes[i], BPF_REG_6, BPF_REG_7, 8),
		     BPF_ST_MEM(sizes[i], BPF_REG_6, 16, 5));
	EMIT(&p, BPF_ATOMIC_OP(BPF_W, BPF_ADD, BPF_REG_6, BPF_REG_7, 0),
	     BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, BPF_REG_6, BPF_REG_7, 0),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 8),
	     CAST_USER(BPF_REG_8, BPF_REG_6));
	ctx_store(&p, 0, BPF_REG_8);
	EMIT(&p, BPF_ALU64_IMM(BPF_LSH, BPF_REG_6, 40),
	     BPF_LDX_MEM(BPF_B, BPF_REG_8, BPF_REG_6, 0));
	finish(&p);
	fd = arena_load(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
	insns_free(&p);
	return fd;
}

/* With the map's fd for its id, a dump is a program that can be loaded. */
static void load_dump(struct dump *d)
{
	int fd, i;

	for (i = 0; i < d->cnt; i++)
		if (d->insn[i].code == (BPF_LD | BPF_IMM | BPF_DW))
			d->insn[i++].imm = a.fd;
	fd = arena_load(BPF_PROG_TYPE_SYSCALL, d->insn, d->cnt);
	if (fd >= 0)
		close(fd);
}

/* A dump has public instructions only, and no address of the kernel. */
static void dump(void)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd = load_all_forms();
	int i, casts_user = 0, casts_kern = 0, maps = 0, values = 0, loads = 0, stores = 0;
	int atomics = 0;
	static struct dump d;

	if (fd < 0)
		return;
	ASSERT_OK(bpf_obj_get_info_by_fd(a.fd, &info, &len), "map_info");
	if (!dump_prog(fd, &d))
		goto out;
	for (i = 0; i < d.cnt; i++) {
		struct bpf_insn *insn = &d.insn[i];
		int class = BPF_CLASS(insn->code), mode = BPF_MODE(insn->code);

		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			if (insn->src_reg == BPF_PSEUDO_MAP_FD) {
				ASSERT_EQ(insn->imm, info.id, "map");
				ASSERT_EQ(insn[1].imm, 0, "map");
				maps++;
			} else if (insn->src_reg == BPF_PSEUDO_MAP_VALUE) {
				ASSERT_EQ(insn->imm, info.id, "map of value");
				ASSERT_EQ(insn[1].imm, 24, "offset of value");
				values++;
			} else {
				PRINT_FAIL("a bare 64 bit number in instruction %d\n", i);
			}
			i++;
			continue;
		}
		if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) && insn->off == 1) {
			casts_user += insn->imm == 1 << 16;
			casts_kern += insn->imm == 1;
		}
		if (class == BPF_LDX || class == BPF_ST)
			ASSERT_EQ(mode, BPF_MEM, "mode of load or store");
		if (class == BPF_STX && mode != BPF_MEM) {
			ASSERT_EQ(mode, BPF_ATOMIC, "mode of store");
			atomics++;
		}
		if (class == BPF_LDX && insn->src_reg == BPF_REG_6)
			loads++;
		if ((class == BPF_ST || (class == BPF_STX && mode == BPF_MEM)) &&
		    insn->dst_reg == BPF_REG_6)
			stores++;
	}
	ASSERT_EQ(maps, 1, "maps");
	ASSERT_EQ(values, 1, "values");
	ASSERT_EQ(casts_user, 1, "casts to user");
	ASSERT_EQ(casts_kern, 1, "casts to kernel");
	ASSERT_EQ(loads, 5, "loads");
	ASSERT_EQ(stores, 8, "stores");
	ASSERT_EQ(atomics, 2, "atomics");
	load_dump(&d);
out:
	close(fd);
}

static const struct arena_subtest subtests[] = {
	{ "store_regs", store_regs },
	{ "store_fp", store_fp },
	{ "store_imm", store_imm },
	{ "load_regs", load_regs },
	{ "offsets", offsets },
	{ "bounds", bounds },
	{ "guards", guards },
	{ "absent_load", absent_load },
	{ "absent_store", absent_store },
	{ "fault_keeps_regs", fault_keeps_regs },
	{ "cast_kern", cast_kern },
	{ "cast_user", cast_user },
	{ "cast_user_low", cast_user_low },
	{ "cast_keeps_source", cast_keeps_source },
	{ "no_user_conv", no_user_conv },
	{ "alu64_imm", alu64_imm },
	{ "alu64_reg", alu64_reg },
	{ "alu64_two", alu64_two },
	{ "alu64_scalar_add", alu64_scalar_add },
	{ "alu64_scalar", alu64_scalar },
	{ "alu32_imm", alu32_imm },
	{ "alu32_reg", alu32_reg },
	{ "alu32_scalar", alu32_scalar },
	{ "long_shifts", long_shifts },
	{ "wraparound", wraparound },
	{ "moves", moves },
	{ "rnd_hi32", rnd_hi32 },
	{ "jumps", jumps },
	{ "blind_store", blind_store },
	{ "blind_rest", blind_rest },
	{ "subprogs", subprogs },
	{ "extables", extables },
	{ "extable_subprogs", extable_subprogs },
	{ "helpers_between", helpers_between },
	{ "tail_calls", tail_calls },
	{ "tail_calls_subprog", tail_calls_subprog },
	{ "freplace", replaced },
	{ "fentry", traced },
	{ "attached_xdp", attached_xdp },
	{ "attached_filter", attached_filter },
	{ "dump", dump },
};

/* Serial: it changes the JIT's sysctls and what is attached to the loopback device. */
void serial_test_arena_jit(void)
{
	if (!arena_open(&a, PAGES, 0, ARENA_ADDR))
		return;
	clear();
	arena_subtests(subtests, ARRAY_SIZE(subtests));
	arena_close(&a);
}
