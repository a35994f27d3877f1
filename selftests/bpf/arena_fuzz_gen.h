/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes random programs that the verifier accepts more often than not: the generator
 * knows what each register and each word of the stack holds on all ways that lead to
 * an instruction. In cases with noise, one instruction may be anything.
 */
#ifndef __ARENA_FUZZ_GEN_H
#define __ARENA_FUZZ_GEN_H

#include "arena_fuzz.h"

enum gen_kind {
	GEN_NONE,	/* never set, or not the same on all ways */
	GEN_NUM,
	GEN_PTR,	/* to the arena */
	GEN_ELEM,	/* to what the innermost loop's iterator gave */
};

/* Collects what loads return, beyond the register or word that they are lost from. */
#define GEN_SUM		BPF_REG_9
/* Of a loop that counts; other programs use it as they like. */
#define GEN_TURN	BPF_REG_8

/* Of a program: each way out of a loop is a way into the next one. */
#define GEN_MAX_LOOPS	4
/* One in the other */
#define GEN_MAX_ITERS	3
#define GEN_MAX_EXITS	8
#define GEN_MAX_BRANCHES	3

struct gen_func {
	__u32 start;
	__u8 nr_args;
	__u8 arg[5];		/* enum gen_kind */
	__u8 ret;
	bool called;
	bool in_loop;		/* of another function */
};

struct gen_vars {
	__u8 reg[10];		/* enum gen_kind */
	__u8 slot[FUZZ_SLOTS];
};

struct gen_exit {
	__u32 jump;
	bool destroyed;		/* its iterator is gone */
};

struct gen_loop {
	struct gen_loop *around;
	struct gen_vars head;	/* each turn begins with this */
	struct gen_vars after;	/* all ways out end with this */
	struct gen_exit exit[GEN_MAX_EXITS];
	__u32 nr_exits;
	int iter;		/* the slot of its iterator, 0: it has none */
	int def32;		/* by a 32-bit insn, a register is defined in each turn */
	bool twice;		/* by one of two insns, even */
};

struct gen {
	struct fuzz_rng rng;
	struct fuzz_case *c;
	struct insns *p;
	struct gen_vars vars;
	struct gen_loop *loop;	/* the innermost */
	__u32 branches;		/* that the loops around it may still have */
	__u32 iters;		/* of all loops around it */
	__u32 nr_iters;		/* of all so far */
	bool counts;		/* one of them does */
	struct gen_func func[1 + FUZZ_MAX_SUBPROGS];
	__u32 nr_funcs;
	__u32 cur;		/* the function that is being made */
	__u32 depth;		/* of blocks */
	__u32 noise_in;		/* statements until then, 0: no more */
};

static __u64 gen_number(struct gen *g)
{
	static const __u64 number[] = {
		0, 1, 2, 7, 8, 31, 32, 63, 64, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, 1ULL << 32, 1ULL << 63, -1ULL, -2ULL, -8ULL, -4096ULL,
	};

	switch (fuzz_below(&g->rng, 4)) {
	case 0:
		return fuzz_rnd(&g->rng);
	case 1:
		return (__s32)fuzz_rnd(&g->rng);
	case 2:
		return fuzz_below(&g->rng, 100);
	default:
		return number[fuzz_below(&g->rng, ARRAY_SIZE(number))];
	}
}

/* An offset in the arena: mostly in a page that is there, or at the edge of one. */
static __s64 gen_place(struct gen *g)
{
	__s64 at = fuzz_below(&g->rng, FUZZ_PAGES) * ARENA_PAGE;
	int i;

	for (i = 0; i < 3 && g->c->state.page[at / ARENA_PAGE] != FUZZ_PRESENT; i++)
		at = fuzz_below(&g->rng, FUZZ_PAGES) * ARENA_PAGE;
	switch (fuzz_below(&g->rng, 8)) {
	case 0:
		return at + (__s64)fuzz_below(&g->rng, 32) - 16;
	case 1:
		return at + fuzz_below(&g->rng, ARENA_PAGE);
	default:
		return at + fuzz_below(&g->rng, ARENA_PAGE / 8) * 8;
	}
}

static __s16 gen_off(struct gen *g)
{
	static const __s16 off[] = { 0, 1, -1, 127, 128, -128, -129, 4095, -4096, 32767, -32768 };

	switch (fuzz_below(&g->rng, 4)) {
	case 0:
		return fuzz_rnd(&g->rng);
	case 1:
		return off[fuzz_below(&g->rng, ARRAY_SIZE(off))];
	default:
		return fuzz_below(&g->rng, 16) * 8;
	}
}

static int gen_size(struct gen *g)
{
	static const int size[] = { BPF_B, BPF_H, BPF_W, BPF_DW, BPF_DW };

	return size[fuzz_below(&g->rng, ARRAY_SIZE(size))];
}

static void gen_set(struct gen *g, int reg, enum gen_kind kind)
{
	g->vars.reg[reg] = kind;
}

/* Is the register, or the word of the stack, free to become of this kind? */
static bool gen_may_become(struct gen *g, __u8 in_loop, enum gen_kind kind)
{
	return !g->loop || in_loop == GEN_NONE || in_loop == kind;
}

static bool gen_is_fixed(struct gen *g, int reg)
{
	return reg == GEN_SUM || (g->counts && reg == GEN_TURN);
}

/* A register to write to. What a loop relies on is mended at its end. */
static int gen_dst(struct gen *g)
{
	int reg;

	do
		reg = fuzz_below(&g->rng, 10);
	while (gen_is_fixed(g, reg));
	return reg;
}

/* Any register of the kind, or -1. */
static int gen_find(struct gen *g, enum gen_kind kind)
{
	int reg = fuzz_below(&g->rng, 10), i;

	for (i = 0; i < 10; i++, reg = (reg + 1) % 10)
		if (g->vars.reg[reg] == kind)
			return reg;
	return -1;
}

static int gen_find_any(struct gen *g)
{
	int reg = gen_find(g, fuzz_chance(&g->rng, 50) ? GEN_NUM : GEN_PTR);

	return reg < 0 ? GEN_SUM : reg;
}

static void gen_load_number(struct gen *g, int dst, __u64 val)
{
	if (val == (__u64)(__s32)val && fuzz_chance(&g->rng, 80))
		EMIT(g->p, BPF_MOV64_IMM(dst, val));
	else if (val == (__u32)val && fuzz_chance(&g->rng, 80))
		EMIT(g->p, BPF_MOV32_IMM(dst, val));
	else
		EMIT(g->p, BPF_LD_IMM64(dst, val));
	gen_set(g, dst, GEN_NUM);
}

/* The user address of a place in the arena, or what a cast makes the same of */
static void gen_load_address(struct gen *g, int dst, __s64 place)
{
	__u64 addr = g->c->user + place;

	if (place >= 0 && place < FUZZ_BYTES && fuzz_chance(&g->rng, 30))
		EMIT(g->p, LD_ARENA_VALUE(dst, FUZZ_ARENA, place));
	else if (fuzz_chance(&g->rng, 30))
		EMIT(g->p, BPF_MOV32_IMM(dst, addr));
	else
		EMIT(g->p, BPF_LD_IMM64(dst, addr));
	gen_set(g, dst, GEN_NUM);
}

static void gen_cast_kern(struct gen *g, int dst, int src)
{
	EMIT(g->p, CAST_KERN(dst, src));
	gen_set(g, dst, GEN_PTR);
}

/* A register that points to the arena, and with *off to where there is something */
static int gen_pointer(struct gen *g, __s16 *off)
{
	int reg = gen_find(g, GEN_PTR);

	*off = gen_off(g);
	if (reg >= 0 && fuzz_chance(&g->rng, 50))
		return reg;
	reg = gen_dst(g);
	gen_load_address(g, reg, gen_place(g) - *off);
	gen_cast_kern(g, reg, reg);
	return reg;
}

/* A number, if need be a new one */
static int gen_scalar(struct gen *g)
{
	int reg = gen_find(g, GEN_NUM);

	if (reg < 0) {
		reg = gen_dst(g);
		gen_load_number(g, reg, gen_number(g));
	}
	return reg;
}

static void gen_fold(struct gen *g, int reg)
{
	if (g->vars.reg[reg] != GEN_NUM || reg == GEN_SUM)
		return;
	EMIT(g->p, BPF_ALU64_IMM(BPF_MUL, GEN_SUM, 0x01000193),
	     BPF_ALU64_REG(BPF_XOR, GEN_SUM, reg));
}

static void gen_constant(struct gen *g)
{
	int dst = gen_dst(g);

	if (fuzz_chance(&g->rng, 50))
		gen_load_number(g, dst, gen_number(g));
	else
		gen_load_address(g, dst, gen_place(g));
}

static void gen_alu_unary(struct gen *g, int class, int dst)
{
	static const int bits[] = { 16, 32, 64 };
	int len = bits[fuzz_below(&g->rng, 3)];

	if (fuzz_chance(&g->rng, 50))
		EMIT(g->p, BPF_RAW_INSN(class | BPF_NEG, dst, 0, 0, 0));
	else if (class == BPF_ALU64 || fuzz_chance(&g->rng, 50))
		EMIT(g->p, BPF_RAW_INSN(class | BPF_END | BPF_TO_LE, dst, 0, 0, len));
	else
		EMIT(g->p, BPF_RAW_INSN(class | BPF_END | BPF_TO_BE, dst, 0, 0, len));
	gen_set(g, dst, GEN_NUM);
}

static __s32 gen_alu_imm(struct gen *g, int op, int class)
{
	__s32 imm = gen_number(g);

	if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
		return imm & (class == BPF_ALU64 ? 63 : 31);
	if ((op == BPF_DIV || op == BPF_MOD) && !imm)
		return 3;
	return imm;
}

/*
 * Divisions are dumped with what guards them from exceptions: moves and negations,
 * after which an arena pointer would be a number when the dump is loaded.
 */
static bool gen_is_lost_in_dump(struct gen *g, int op, int dst, int src)
{
	return g->c->reload && (op == BPF_DIV || op == BPF_MOD) &&
	       (g->vars.reg[dst] == GEN_PTR || g->vars.reg[src] == GEN_PTR);
}

static void gen_alu(struct gen *g)
{
	static const int ops[] = {
		BPF_ADD, BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH,
		BPF_MOD, BPF_XOR, BPF_ARSH,
	};
	int class = fuzz_chance(&g->rng, 65) ? BPF_ALU64 : BPF_ALU;
	int op = ops[fuzz_below(&g->rng, ARRAY_SIZE(ops))];
	int dst = gen_find_any(g), src = gen_find_any(g), off = 0;

	if (gen_is_fixed(g, dst))
		return;
	if (fuzz_chance(&g->rng, 8)) {
		gen_alu_unary(g, class, dst);
		return;
	}
	if ((op == BPF_DIV || op == BPF_MOD) && fuzz_chance(&g->rng, 40))
		off = 1;
	if (gen_is_lost_in_dump(g, op, dst, src))
		return;
	if (fuzz_chance(&g->rng, 50)) {
		EMIT(g->p, BPF_RAW_INSN(class | op | BPF_K, dst, 0, off,
					gen_alu_imm(g, op, class)));
		return;
	}
	EMIT(g->p, BPF_RAW_INSN(class | op | BPF_X, dst, src, off, 0));
	if (g->vars.reg[src] == GEN_PTR)
		gen_set(g, dst, GEN_PTR);
}

static void gen_mov(struct gen *g)
{
	static const int sx[] = { 8, 16, 32 };
	int src = gen_find_any(g), dst = gen_dst(g);

	switch (fuzz_below(&g->rng, 4)) {
	case 0:
		EMIT(g->p, BPF_MOV32_REG(dst, src));
		gen_set(g, dst, GEN_NUM);
		break;
	case 1:
		EMIT(g->p, BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src,
					sx[fuzz_below(&g->rng, 3)], 0));
		gen_set(g, dst, GEN_NUM);
		break;
	case 2:
		EMIT(g->p, BPF_RAW_INSN(BPF_ALU | BPF_MOV | BPF_X, dst, src,
					sx[fuzz_below(&g->rng, 2)], 0));
		gen_set(g, dst, GEN_NUM);
		break;
	default:
		EMIT(g->p, BPF_MOV64_REG(dst, src));
		gen_set(g, dst, g->vars.reg[src]);
	}
}

static void gen_cast(struct gen *g)
{
	int src = gen_find_any(g), dst = fuzz_chance(&g->rng, 50) ? src : gen_dst(g);

	if (gen_is_fixed(g, dst))
		return;
	if (fuzz_chance(&g->rng, 60)) {
		gen_cast_kern(g, dst, src);
	} else {
		EMIT(g->p, CAST_USER(dst, src));
		gen_set(g, dst, GEN_NUM);
	}
}

static void gen_load(struct gen *g)
{
	int size = gen_size(g), dst, ptr;
	__s16 off;

	ptr = gen_pointer(g, &off);
	dst = gen_dst(g);
	if (fuzz_chance(&g->rng, 25))
		EMIT(g->p, BPF_ATOMIC_OP(size, BPF_LOAD_ACQ, dst, ptr, off));
	else if (size != BPF_DW && fuzz_chance(&g->rng, 33))
		EMIT(g->p, BPF_RAW_INSN(BPF_LDX | BPF_MEMSX | size, dst, ptr, off, 0));
	else
		EMIT(g->p, BPF_LDX_MEM(size, dst, ptr, off));
	gen_set(g, dst, GEN_NUM);
	gen_fold(g, dst);
	if (size == BPF_DW && fuzz_chance(&g->rng, 40))
		gen_cast_kern(g, dst, dst);
}

static void gen_store(struct gen *g)
{
	int size = gen_size(g), src = gen_find_any(g), ptr;
	__s16 off;

	ptr = gen_pointer(g, &off);
	/* the new pointer may have taken its place, which is as well */
	switch (fuzz_below(&g->rng, 3)) {
	case 0:
		EMIT(g->p, BPF_ST_MEM(size, ptr, off, gen_number(g)));
		break;
	case 1:
		EMIT(g->p, BPF_ATOMIC_OP(size, BPF_STORE_REL, ptr, src, off));
		break;
	default:
		EMIT(g->p, BPF_STX_MEM(size, ptr, src, off));
	}
}

static void gen_atomic(struct gen *g)
{
	static const int ops[] = {
		BPF_ADD, BPF_AND, BPF_OR, BPF_XOR, BPF_ADD | BPF_FETCH, BPF_AND | BPF_FETCH,
		BPF_OR | BPF_FETCH, BPF_XOR | BPF_FETCH, BPF_XCHG, BPF_CMPXCHG,
	};
	int op = ops[fuzz_below(&g->rng, ARRAY_SIZE(ops))], ptr, src;
	int size = fuzz_chance(&g->rng, 50) ? BPF_W : BPF_DW;
	__s16 off;

	ptr = gen_pointer(g, &off);
	src = gen_find_any(g);
	if (op == BPF_CMPXCHG && g->vars.reg[BPF_REG_0] != GEN_NUM &&
	    g->vars.reg[BPF_REG_0] != GEN_PTR)
		return;
	/* what was found there, half of the time, so that the exchange happens */
	if (op == BPF_CMPXCHG && ptr != BPF_REG_0 && fuzz_chance(&g->rng, 50)) {
		EMIT(g->p, BPF_LDX_MEM(size, BPF_REG_0, ptr, off));
		gen_set(g, BPF_REG_0, GEN_NUM);
	}
	/* to the verifier, what is fetched takes the pointer's place too early */
	if ((op & BPF_FETCH) && ptr == (op == BPF_CMPXCHG ? BPF_REG_0 : src))
		return;
	if ((op & BPF_FETCH) && op != BPF_CMPXCHG && gen_is_fixed(g, src))
		op = BPF_ADD;
	EMIT(g->p, BPF_ATOMIC_OP(size, op, ptr, src, off));
	if (!(op & BPF_FETCH))
		return;
	if (op == BPF_CMPXCHG)
		src = BPF_REG_0;
	gen_set(g, src, GEN_NUM);
	gen_fold(g, src);
}

static int gen_slot_off(int slot)
{
	return -8 * (slot + 1);
}

static void gen_spill(struct gen *g)
{
	int slot = fuzz_below(&g->rng, FUZZ_SLOTS), reg = gen_find_any(g);

	if (!gen_may_become(g, g->loop ? g->loop->head.slot[slot] : 0, g->vars.reg[reg]))
		return;
	EMIT(g->p, BPF_STX_MEM(BPF_DW, BPF_REG_10, reg, gen_slot_off(slot)));
	g->vars.slot[slot] = g->vars.reg[reg];
}

static void gen_fill(struct gen *g)
{
	int slot = fuzz_below(&g->rng, FUZZ_SLOTS), dst = gen_dst(g), size, i;

	for (i = 0; g->vars.slot[slot] == GEN_NONE; i++, slot = (slot + 1) % FUZZ_SLOTS)
		if (i == FUZZ_SLOTS)
			return;
	if (g->vars.slot[slot] == GEN_NUM && fuzz_chance(&g->rng, 40)) {
		size = gen_size(g);
		EMIT(g->p, BPF_LDX_MEM(size, dst, BPF_REG_10, gen_slot_off(slot)));
		gen_set(g, dst, GEN_NUM);
		gen_fold(g, dst);
		return;
	}
	EMIT(g->p, BPF_LDX_MEM(BPF_DW, dst, BPF_REG_10, gen_slot_off(slot)));
	gen_set(g, dst, g->vars.slot[slot]);
}

/* Stores a part of a word of the stack, or works on it atomically. */
static void gen_stack(struct gen *g)
{
	int slot = fuzz_below(&g->rng, FUZZ_SLOTS), src = gen_find(g, GEN_NUM);

	if (src < 0 || g->vars.slot[slot] != GEN_NUM)
		return;
	if (fuzz_chance(&g->rng, 50))
		EMIT(g->p, BPF_STX_MEM(gen_size(g), BPF_REG_10, src, gen_slot_off(slot)));
	else
		EMIT(g->p, BPF_ATOMIC_OP(BPF_DW, BPF_XOR, BPF_REG_10, src, gen_slot_off(slot)));
}

static void gen_called(struct gen *g, enum gen_kind ret)
{
	memset(g->vars.reg, GEN_NONE, 6);
	gen_set(g, BPF_REG_0, ret);
}

static void gen_kfunc(struct gen *g)
{
	int kfunc = fuzz_below(&g->rng, FUZZ_NR_ARENA_KFUNCS);
	int addr = gen_find_any(g);

	if (fuzz_chance(&g->rng, 40))
		EMIT(g->p, BPF_MOV64_REG(BPF_REG_2, addr));
	else if (fuzz_chance(&g->rng, 60))
		EMIT(g->p, BPF_LD_IMM64(BPF_REG_2, g->c->user + (gen_place(g) & -ARENA_PAGE)));
	else
		EMIT(g->p, BPF_MOV64_IMM(BPF_REG_2, 0));
	EMIT(g->p, BPF_MOV64_IMM(BPF_REG_3, fuzz_chance(&g->rng, 95) ?
				 fuzz_below(&g->rng, 4) : gen_number(g)),
	     BPF_MOV64_IMM(BPF_REG_4, fuzz_chance(&g->rng, 95) ?
			   (int)fuzz_below(&g->rng, 2) - 1 : 4096),
	     BPF_MOV64_IMM(BPF_REG_5, fuzz_chance(&g->rng, 3)),
	     BPF_LD_MAP_FD(BPF_REG_1, FUZZ_ARENA),
	     CALL_KFUNC(kfunc));
	gen_called(g, kfunc == FUZZ_FREE ? GEN_NONE : GEN_NUM);
	/* the worker may be about to take the page away when it is allocated again */
	g->c->varies |= kfunc == FUZZ_FREE;
	/* of an int, the upper half is not known */
	if (kfunc == FUZZ_RESERVE)
		EMIT(g->p, BPF_MOV32_REG(BPF_REG_0, BPF_REG_0));
	if (kfunc != FUZZ_FREE)
		gen_fold(g, BPF_REG_0);
}

/* The number of a word in the other map, by a pointer that may be NULL. */
static void gen_lookup(struct gen *g)
{
	int off = fuzz_below(&g->rng, FUZZ_OUT) * 8;

	EMIT(g->p, BPF_ST_MEM(BPF_W, BPF_REG_10, gen_slot_off(FUZZ_SLOTS), 0),
	     BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, gen_slot_off(FUZZ_SLOTS)),
	     BPF_LD_MAP_FD(BPF_REG_1, FUZZ_RESULT),
	     BPF_EMIT_CALL(BPF_FUNC_map_lookup_elem),
	     BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 1),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_0, off));
	gen_called(g, GEN_NUM);
}

static void gen_helper(struct gen *g)
{
	/* a lookup in an array is dumped as what was made of it, arithmetic on the map */
	if (!g->c->reload && fuzz_chance(&g->rng, 60)) {
		gen_lookup(g);
		return;
	}
	EMIT(g->p, BPF_EMIT_CALL(BPF_FUNC_ktime_get_ns), BPF_MOV64_IMM(BPF_REG_0, 5));
	gen_called(g, GEN_NUM);
}

static void gen_call_to(struct gen *g, __u32 to)
{
	struct gen_func *f = &g->func[to];
	int i, src;

	for (i = 1; i <= f->nr_args; i++) {
		src = gen_find(g, f->arg[i - 1]);
		if (src >= i)
			EMIT(g->p, BPF_MOV64_REG(i, src));
		else
			gen_load_address(g, i, gen_place(g));
		if (src < i && f->arg[i - 1] == GEN_PTR)
			gen_cast_kern(g, i, i);
		gen_set(g, i, f->arg[i - 1]);
	}
	/* where it begins is not known yet */
	EMIT(g->p, BPF_CALL_REL(to));
	f->called = true;
	f->in_loop |= g->loop || g->func[g->cur].in_loop;
	gen_called(g, f->ret);
	gen_fold(g, BPF_REG_0);
}

/*
 * A function calls those behind it, so there is no recursion. In a loop, the verifier
 * may take the same state of the function for an endless one, or not, depending on
 * where it keeps states: not always at the same places in the dump. In two loops, a
 * function that has as many could take its time.
 */
static void gen_call(struct gen *g)
{
	if (g->loop && (g->c->reload || g->loop->around))
		return;
	if (g->cur + 1 < g->nr_funcs)
		gen_call_to(g, g->cur + 1 + fuzz_below(&g->rng, g->nr_funcs - g->cur - 1));
}

/* The verifier refuses what nobody calls. */
static void gen_call_all(struct gen *g)
{
	__u32 i;

	for (i = 1; i < g->nr_funcs; i++)
		if (!g->func[i].called)
			gen_call_to(g, i);
}

static void gen_statements(struct gen *g, __u32 cnt);

static void gen_join(struct gen_vars *a, const struct gen_vars *b)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(a->reg); i++)
		if (a->reg[i] != b->reg[i])
			a->reg[i] = GEN_NONE;
	for (i = 0; i < ARRAY_SIZE(a->slot); i++)
		if (a->slot[i] != b->slot[i])
			a->slot[i] = GEN_NONE;
}

static void gen_condition(struct gen *g)
{
	static const int ops[] = {
		BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSGT, BPF_JSGE,
		BPF_JSLT, BPF_JSLE, BPF_JSET,
	};
	int class = fuzz_chance(&g->rng, 60) ? BPF_JMP : BPF_JMP32;
	int op = ops[fuzz_below(&g->rng, ARRAY_SIZE(ops))];
	int dst = gen_find_any(g), src = gen_find_any(g);

	if (fuzz_chance(&g->rng, 50))
		EMIT(g->p, BPF_RAW_INSN(class | op | BPF_K, dst, 0, 0, gen_number(g)));
	else
		EMIT(g->p, BPF_RAW_INSN(class | op | BPF_X, dst, src, 0, 0));
}

static void gen_land(struct gen *g, __u32 jump)
{
	struct bpf_insn *insn = &g->p->insn[jump];
	int dist = g->p->cnt - jump - 1;

	if (insn->code == (BPF_JMP32 | BPF_JA))
		insn->imm = dist;
	else
		insn->off = dist;
}

/*
 * The ways through a loop with an iterator are mostly verified one by one: where two of
 * them meet, they seldom are equal in all respects.
 */
static bool gen_may_branch(struct gen *g)
{
	if (!g->loop && !g->func[g->cur].in_loop)
		return true;
	if (!g->branches)
		return false;
	g->branches--;
	return true;
}

static void gen_if(struct gen *g)
{
	struct gen_vars before, after;
	__u32 jump, out;

	if (g->depth >= 2 || !gen_may_branch(g))
		return;
	g->depth++;
	jump = g->p->cnt;
	gen_condition(g);
	before = g->vars;
	gen_statements(g, 1 + fuzz_below(&g->rng, 3));
	if (fuzz_chance(&g->rng, 50)) {
		out = g->p->cnt;
		if (fuzz_chance(&g->rng, 70))
			EMIT(g->p, BPF_JMP_A(0));
		else
			EMIT(g->p, BPF_JMP32_A(0));
		gen_land(g, jump);
		after = g->vars;
		g->vars = before;
		gen_statements(g, 1 + fuzz_below(&g->rng, 3));
		gen_land(g, out);
	} else {
		gen_land(g, jump);
		after = before;
	}
	gen_join(&g->vars, &after);
	g->depth--;
}

/* Have all registers as they were at the head of the loop. */
static void gen_mend(struct gen *g)
{
	const struct gen_vars *head = &g->loop->head;
	int reg;

	for (reg = 0; reg < 10; reg++) {
		if (head->reg[reg] == GEN_NONE || head->reg[reg] == g->vars.reg[reg])
			continue;
		gen_load_address(g, reg, gen_place(g));
		if (head->reg[reg] == GEN_PTR)
			gen_cast_kern(g, reg, reg);
	}
}

/* By a 32-bit insn, and in most programs of what the verifier doesn't know */
static void gen_define32(struct gen *g, int reg)
{
	int slot = fuzz_below(&g->rng, FUZZ_SLOTS);

	if (g->vars.slot[slot] == GEN_NUM && fuzz_chance(&g->rng, 25))
		EMIT(g->p, BPF_LDX_MEM(BPF_W, reg, BPF_REG_10, gen_slot_off(slot)));
	else
		EMIT(g->p, BPF_MOV32_REG(reg, GEN_SUM));
	gen_set(g, reg, GEN_NUM);
}

/*
 * The same by one of two insns. Where these ways meet, there is no difference between them
 * but that: what is verified of the first one may stand for the second one.
 */
static void gen_define32_twice(struct gen *g, int reg)
{
	__u32 jump, out;

	EMIT(g->p, BPF_MOV64_REG(BPF_REG_0, GEN_SUM),
	     BPF_ALU64_IMM(BPF_AND, BPF_REG_0, 1 << fuzz_below(&g->rng, 8)));
	jump = g->p->cnt;
	EMIT(g->p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0));
	gen_load_number(g, BPF_REG_0, 0);
	gen_define32(g, reg);
	out = g->p->cnt;
	EMIT(g->p, BPF_JMP_A(0));
	gen_land(g, jump);
	gen_define32(g, reg);
	gen_land(g, out);
}

static void gen_iter_call(struct gen *g, int slot, int kfunc)
{
	EMIT(g->p, BPF_MOV64_REG(BPF_REG_1, BPF_REG_10),
	     BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, gen_slot_off(slot)), CALL_KFUNC(kfunc));
	gen_called(g, GEN_NONE);
}

static void gen_loop_begin(struct gen *g, struct gen_loop *l)
{
	int reg;

	/* a pointer is nothing that the end of a turn could mend */
	for (reg = 0; reg < 10; reg++)
		if (g->vars.reg[reg] == GEN_ELEM)
			gen_set(g, reg, GEN_NONE);
	if (!g->loop && !g->func[g->cur].in_loop)
		g->branches = GEN_MAX_BRANCHES;
	l->around = g->loop;
	g->loop = l;
	l->twice = fuzz_chance(&g->rng, 60) && gen_may_branch(g);
	/* a register that calls leave alone */
	do
		l->def32 = gen_dst(g);
	while (l->def32 < BPF_REG_6);
	gen_define32(g, l->def32);
	l->head = g->vars;
	l->after = g->vars;
}

/* The insn to come jumps out of the loop. */
static void gen_exit(struct gen *g, struct gen_loop *l, bool destroyed)
{
	l->exit[l->nr_exits++] = (struct gen_exit){ g->p->cnt, destroyed };
	gen_join(&l->after, &g->vars);
}

static void gen_land_exits(struct gen *g, const struct gen_loop *l, bool destroyed)
{
	__u32 i;

	for (i = 0; i < l->nr_exits; i++)
		if (l->exit[i].destroyed == destroyed)
			gen_land(g, l->exit[i].jump);
}

static void gen_loop_end(struct gen *g, struct gen_loop *l)
{
	gen_land_exits(g, l, false);
	g->vars = l->after;
	g->loop = l->around;
	if (l->iter)
		gen_iter_call(g, l->iter, FUZZ_ITER_DESTROY);
	gen_land_exits(g, l, true);
	/* all of it is read: its upper half must be zero */
	gen_fold(g, l->def32);
}

static void gen_iter(struct gen *g);

static void gen_turn_end(struct gen *g, struct gen_loop *l, __u32 start)
{
	gen_mend(g);
	if (!l->twice) {
		gen_define32(g, l->def32);
	} else {
		gen_define32_twice(g, l->def32);
		/* where another loop begins, the verifier keeps a state in any case */
		if (fuzz_chance(&g->rng, 40))
			gen_iter(g);
		gen_mend(g);
	}
	if (!l->iter)
		EMIT(g->p, BPF_ALU64_IMM(BPF_ADD, GEN_TURN, 1));
	EMIT(g->p, BPF_JMP_A((int)(start - g->p->cnt - 1)));
}

static void gen_loop(struct gen *g)
{
	struct gen_loop l = {};
	__u32 start;

	if (g->depth >= 2 || g->counts || g->iters > 1)
		return;
	gen_load_number(g, GEN_TURN, 0);
	g->counts = true;
	g->depth++;
	gen_loop_begin(g, &l);
	start = g->p->cnt;
	if (fuzz_chance(&g->rng, 60)) {
		/* its time may be taken away by others */
		g->c->varies = true;
		gen_exit(g, &l, false);
		EMIT(g->p, BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, BPF_MAY_GOTO, 0, 0));
	}
	gen_exit(g, &l, false);
	EMIT(g->p, BPF_JMP_IMM(BPF_JGE, GEN_TURN, 1 + fuzz_below(&g->rng, 4), 0));
	gen_statements(g, 2 + fuzz_below(&g->rng, 4));
	gen_turn_end(g, &l, start);
	gen_loop_end(g, &l);
	g->counts = false;
	g->depth--;
}

/*
 * From here on, the verifier knows no number. So if a loop follows, what its first turn
 * leaves behind is nothing new, and there is no need to verify another one.
 */
static void gen_forget(struct gen *g)
{
	int reg, slot;
	__s16 off;

	reg = gen_pointer(g, &off);
	EMIT(g->p, BPF_LDX_MEM(BPF_DW, BPF_REG_0, reg, off));
	gen_set(g, BPF_REG_0, GEN_NUM);
	gen_fold(g, BPF_REG_0);
	for (reg = 0; reg < 10; reg++)
		if (g->vars.reg[reg] == GEN_NUM && !gen_is_fixed(g, reg))
			EMIT(g->p, BPF_ALU64_REG(BPF_XOR, reg, GEN_SUM));
	for (slot = 0; slot < FUZZ_SLOTS; slot++)
		if (g->vars.slot[slot] == GEN_NUM)
			EMIT(g->p, BPF_ATOMIC_OP(BPF_DW, BPF_XOR, BPF_REG_10, GEN_SUM,
						 gen_slot_off(slot)));
}

static void gen_iter_new(struct gen *g, int slot)
{
	__s32 from = fuzz_chance(&g->rng, 60) ? 0 : gen_number(g), to = gen_number(g);
	__s64 cnt = (__s64)to - from;
	int reg;

	/* few, less than none, or too many */
	if (fuzz_chance(&g->rng, 90) || (cnt >= 0 && cnt <= FUZZ_MAX_NUMBERS))
		to = (__u32)from + fuzz_below(&g->rng, 5);
	if (fuzz_chance(&g->rng, 80)) {
		EMIT(g->p, BPF_MOV64_IMM(BPF_REG_3, to));
	} else {
		reg = gen_scalar(g);
		EMIT(g->p, BPF_MOV64_REG(BPF_REG_3, reg),
		     BPF_ALU64_IMM(BPF_AND, BPF_REG_3, 3),
		     BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, from));
	}
	EMIT(g->p, BPF_MOV64_IMM(BPF_REG_2, from));
	gen_iter_call(g, slot, FUZZ_ITER_NEW);
	if (fuzz_chance(&g->rng, 70))
		return;
	/* of an int, the upper half is not known */
	EMIT(g->p, BPF_MOV32_REG(BPF_REG_0, BPF_REG_0));
	gen_set(g, BPF_REG_0, GEN_NUM);
	gen_fold(g, BPF_REG_0);
}

/* The next number, or out of the loop */
static void gen_iter_next(struct gen *g, struct gen_loop *l)
{
	int dst;

	gen_iter_call(g, l->iter, FUZZ_ITER_NEXT);
	if (fuzz_chance(&g->rng, 60)) {
		gen_exit(g, l, false);
		EMIT(g->p, BPF_JMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0));
	} else {
		EMIT(g->p, BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 0, 1));
		gen_exit(g, l, false);
		EMIT(g->p, BPF_JMP_A(0));
	}
	gen_set(g, BPF_REG_0, GEN_ELEM);
	if (fuzz_chance(&g->rng, 30)) {
		dst = gen_dst(g);
		EMIT(g->p, BPF_MOV64_REG(dst, BPF_REG_0));
		gen_set(g, dst, GEN_ELEM);
	}
}

/* A word of the other map, if the number in R0 is that of one */
static void gen_index(struct gen *g)
{
	int class = fuzz_chance(&g->rng, 50) ? BPF_JMP : BPF_JMP32;
	__s32 cnt = 1 + fuzz_below(&g->rng, FUZZ_OUT);
	__u32 jump[2], nr_jumps = 0;

	switch (gen_may_branch(g) ? fuzz_below(&g->rng, 5) : 0) {
	case 0:
		EMIT(g->p, BPF_ALU64_IMM(BPF_AND, BPF_REG_0, FUZZ_OUT - 1));
		break;
	case 1: /* signed, from below and from above */
		jump[nr_jumps++] = g->p->cnt;
		EMIT(g->p, BPF_RAW_INSN(class | BPF_JSLT, BPF_REG_0, 0, 0, 0));
		jump[nr_jumps++] = g->p->cnt;
		EMIT(g->p, BPF_RAW_INSN(class | BPF_JSGE, BPF_REG_0, 0, 0, cnt));
		break;
	case 2: /* and the other way around */
		jump[nr_jumps++] = g->p->cnt;
		EMIT(g->p, BPF_RAW_INSN(class | BPF_JSGT, BPF_REG_0, 0, 0, cnt - 1));
		EMIT(g->p, BPF_RAW_INSN(class | BPF_JSGT, BPF_REG_0, 0, 1, -1));
		jump[nr_jumps++] = g->p->cnt;
		EMIT(g->p, BPF_JMP_A(0));
		break;
	case 3:
		jump[nr_jumps++] = g->p->cnt;
		EMIT(g->p, BPF_RAW_INSN(class | BPF_JGE, BPF_REG_0, 0, 0, cnt));
		break;
	default: /* by a register */
		EMIT(g->p, BPF_MOV64_IMM(BPF_REG_1, cnt),
		     BPF_RAW_INSN(class | BPF_JLT | BPF_X, BPF_REG_0, BPF_REG_1, 1, 0));
		jump[nr_jumps++] = g->p->cnt;
		EMIT(g->p, BPF_JMP_A(0));
	}
	if (class == BPF_JMP32)
		EMIT(g->p, BPF_MOV32_REG(BPF_REG_0, BPF_REG_0));
	if (fuzz_chance(&g->rng, 50))
		EMIT(g->p, BPF_ALU64_IMM(BPF_LSH, BPF_REG_0, 3));
	EMIT(g->p, BPF_LD_MAP_VALUE(BPF_REG_1, FUZZ_RESULT, 0),
	     BPF_ALU64_REG(BPF_ADD, BPF_REG_1, BPF_REG_0),
	     BPF_LDX_MEM(gen_size(g), BPF_REG_0, BPF_REG_1, 0));
	while (nr_jumps)
		gen_land(g, jump[--nr_jumps]);
	gen_set(g, BPF_REG_0, GEN_NUM);
	gen_set(g, BPF_REG_1, GEN_NONE);
	gen_fold(g, BPF_REG_0);
}

static void gen_index_any(struct gen *g)
{
	int reg = gen_scalar(g);

	EMIT(g->p, BPF_MOV64_REG(BPF_REG_0, reg));
	gen_index(g);
}

static void gen_element(struct gen *g)
{
	int elem = gen_find(g, GEN_ELEM), dst;

	if (elem < 0)
		return;
	if (fuzz_chance(&g->rng, 40)) {
		EMIT(g->p, BPF_RAW_INSN(BPF_LDX | BPF_MEMSX | BPF_W, BPF_REG_0, elem, 0, 0));
		gen_index(g);
		return;
	}
	dst = gen_dst(g);
	EMIT(g->p, BPF_LDX_MEM(BPF_W, dst, elem, 0));
	gen_set(g, dst, GEN_NUM);
	gen_fold(g, dst);
}

/* Goes on behind a loop, of which inner loops are left, too. */
static void gen_break(struct gen *g)
{
	struct gen_loop *of = g->loop, *l;
	struct gen_vars before;
	bool destroy;
	__u32 jump;

	while (of && of->around && fuzz_chance(&g->rng, 30))
		of = of->around;
	if (!of || of->nr_exits == GEN_MAX_EXITS || !gen_may_branch(g))
		return;
	destroy = of->iter && fuzz_chance(&g->rng, 30);
	jump = g->p->cnt;
	gen_condition(g);
	before = g->vars;
	for (l = g->loop; l != of; l = l->around)
		if (l->iter)
			gen_iter_call(g, l->iter, FUZZ_ITER_DESTROY);
	if (destroy)
		gen_iter_call(g, of->iter, FUZZ_ITER_DESTROY);
	gen_exit(g, of, destroy);
	EMIT(g->p, BPF_JMP_A(0));
	gen_land(g, jump);
	g->vars = before;
}

static void gen_iter(struct gen *g)
{
	struct gen_loop l = { .iter = FUZZ_SLOTS + 2 + g->iters };
	__u32 start;

	if (g->iters == GEN_MAX_ITERS || g->nr_iters == GEN_MAX_LOOPS ||
	    g->func[g->cur].in_loop)
		return;
	g->c->iterates = true;
	g->nr_iters++;
	g->iters++;
	if (fuzz_chance(&g->rng, 60))
		gen_forget(g);
	gen_iter_new(g, l.iter);
	gen_loop_begin(g, &l);
	start = g->p->cnt;
	/* so that the verifier sees no difference between turns in what nobody reads */
	if (fuzz_chance(&g->rng, 70))
		EMIT(g->p, BPF_MOV64_IMM(BPF_REG_0, 0));
	gen_iter_next(g, &l);
	if (fuzz_chance(&g->rng, 50))
		gen_element(g);
	gen_statements(g, 1 + fuzz_below(&g->rng, 3));
	gen_turn_end(g, &l, start);
	gen_loop_end(g, &l);
	g->iters--;
}

/* What the verifier should see for itself, now and then. */
static void gen_noise(struct gen *g)
{
	static const __u8 class[] = {
		BPF_LD, BPF_LDX, BPF_ST, BPF_STX, BPF_ALU, BPF_JMP, BPF_JMP32, BPF_ALU64,
	};
	struct bpf_insn *last;
	__s16 off;

	switch (fuzz_below(&g->rng, 6)) {
	case 0: /* anything at all */
		EMIT(g->p, BPF_RAW_INSN(fuzz_rnd(&g->rng), fuzz_below(&g->rng, 11),
					fuzz_below(&g->rng, 11), fuzz_below(&g->rng, 3),
					gen_number(g)));
		break;
	case 1: /* an insn that exists, with any operands */
		EMIT(g->p, BPF_RAW_INSN(class[fuzz_below(&g->rng, 8)] |
					(fuzz_below(&g->rng, 32) << 3),
					fuzz_below(&g->rng, 11), fuzz_below(&g->rng, 11),
					0, fuzz_chance(&g->rng, 50) ? 0 : gen_number(g)));
		break;
	case 2: /* access by what may be no pointer */
		EMIT(g->p, BPF_LDX_MEM(gen_size(g), gen_dst(g), fuzz_below(&g->rng, 11),
				       gen_off(g)));
		break;
	case 3: /* arithmetic with what may be another pointer, or nothing */
		EMIT(g->p, BPF_RAW_INSN((fuzz_below(&g->rng, 14) << 4) | BPF_ALU64 | BPF_X,
					gen_dst(g), fuzz_below(&g->rng, 11), 0, 0));
		break;
	case 4: /* what the size or the op does not exist for */
		EMIT(g->p, BPF_ATOMIC_OP(gen_size(g), (fuzz_below(&g->rng, 16) << 4) |
					 fuzz_below(&g->rng, 2), gen_pointer(g, &off),
					 gen_scalar(g), off));
		break;
	default: /* a bit of what was just made */
		last = &g->p->insn[g->p->cnt - 1];
		*(__u64 *)last ^= 1ULL << fuzz_below(&g->rng, 64);
	}
}

static void gen_statement(struct gen *g)
{
	static void (* const statement[])(struct gen *g) = {
		gen_constant, gen_alu, gen_alu, gen_alu, gen_mov, gen_cast, gen_cast, gen_load,
		gen_load, gen_load, gen_store, gen_store, gen_store, gen_atomic, gen_atomic,
		gen_spill, gen_fill, gen_stack, gen_kfunc, gen_helper, gen_call, gen_if, gen_if,
		gen_loop, gen_iter, gen_element, gen_index_any, gen_break,
	};

	statement[fuzz_below(&g->rng, ARRAY_SIZE(statement))](g);
	if (g->noise_in && !--g->noise_in)
		gen_noise(g);
}

static void gen_statements(struct gen *g, __u32 cnt)
{
	while (cnt--)
		gen_statement(g);
}

/* Leave all that is known in the other map. */
static void gen_epilogue(struct gen *g)
{
	int out = FUZZ_OUT * 8, reg, slot, save = gen_slot_off(FUZZ_SLOTS + 1);

	/* one register for the map, which is saved, and then one more for the stack */
	EMIT(g->p, BPF_STX_MEM(BPF_DW, BPF_REG_10, GEN_SUM, save),
	     BPF_LD_MAP_VALUE(GEN_SUM, FUZZ_RESULT, 0));
	for (reg = 0; reg < GEN_SUM; reg++, out += 8)
		if (g->vars.reg[reg] != GEN_NONE)
			EMIT(g->p, BPF_STX_MEM(BPF_DW, GEN_SUM, reg, out));
	EMIT(g->p, BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, save),
	     BPF_STX_MEM(BPF_DW, GEN_SUM, BPF_REG_0, out));
	for (slot = 0; slot < FUZZ_SLOTS; slot++) {
		out += 8;
		if (g->vars.slot[slot] == GEN_NONE)
			continue;
		EMIT(g->p, BPF_LDX_MEM(BPF_DW, BPF_REG_1, BPF_REG_10, gen_slot_off(slot)),
		     BPF_STX_MEM(BPF_DW, GEN_SUM, BPF_REG_1, out));
	}
	EMIT(g->p, BPF_EXIT_INSN());
}

static void gen_subprog_end(struct gen *g, const struct gen_func *f)
{
	EMIT(g->p, BPF_MOV64_REG(BPF_REG_0, GEN_SUM));
	if (f->ret == GEN_PTR)
		EMIT(g->p, CAST_KERN(BPF_REG_0, BPF_REG_0));
	EMIT(g->p, BPF_EXIT_INSN());
}

static void gen_function(struct gen *g, __u32 nr)
{
	struct gen_func *f = &g->func[nr];

	g->cur = nr;
	g->branches = GEN_MAX_BRANCHES;
	f->start = g->p->cnt;
	memset(&g->vars, GEN_NONE, sizeof(g->vars));
	/* the verifier must learn of the arena in every program */
	if (!nr)
		EMIT(g->p, BPF_LD_MAP_FD(BPF_REG_1, FUZZ_ARENA));
	else
		memcpy(g->vars.reg + 1, f->arg, f->nr_args);
	gen_load_number(g, GEN_SUM, nr);
	gen_statements(g, nr ? 3 + fuzz_below(&g->rng, 6) : 8 + fuzz_below(&g->rng, 20));
	if (nr) {
		gen_subprog_end(g, f);
	} else {
		gen_call_all(g);
		gen_epilogue(g);
	}
}

static enum gen_kind gen_any_kind(struct gen *g)
{
	return fuzz_chance(&g->rng, 50) ? GEN_NUM : GEN_PTR;
}

static void gen_signatures(struct gen *g)
{
	struct gen_func *f;
	__u32 i;

	g->nr_funcs = 1;
	if (fuzz_chance(&g->rng, 40))
		g->nr_funcs += 1 + fuzz_below(&g->rng, FUZZ_MAX_SUBPROGS);
	for (f = g->func + 1; f < g->func + g->nr_funcs; f++) {
		f->nr_args = fuzz_below(&g->rng, 6);
		for (i = 0; i < f->nr_args; i++)
			f->arg[i] = gen_any_kind(g);
		f->ret = gen_any_kind(g);
	}
}

/* Direct the calls, now that it is known where functions begin. */
static void gen_link(struct gen *g)
{
	struct bpf_insn *insn;
	__u32 i;

	for (i = 0, insn = g->p->insn; i < g->p->cnt; i++, insn++)
		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL &&
		    (__u32)insn->imm < g->nr_funcs)
			insn->imm = g->func[insn->imm].start - i - 1;
}

/* Words of which many are addresses in the arena, so that programs walk it. */
static void gen_state(struct gen *g)
{
	struct fuzz_state *s = &g->c->state;
	__u64 *word;
	int i;

	for (i = 0; i < FUZZ_PAGES; i++)
		s->page[i] = fuzz_chance(&g->rng, 50) ? FUZZ_PRESENT : FUZZ_ABSENT;
	for (i = 0; i < FUZZ_PAGES; i++) {
		if (s->page[i] != FUZZ_PRESENT)
			continue;
		for (word = (__u64 *)(s->mem + i * ARENA_PAGE);
		     word < (__u64 *)(s->mem + (i + 1) * ARENA_PAGE); word++)
			*word = fuzz_chance(&g->rng, 50) ? g->c->user + gen_place(g) :
							   fuzz_rnd(&g->rng);
	}
	for (i = 0; i < FUZZ_WORDS; i++)
		s->words[i] = FUZZ_WORD(i);
}

static __u64 gen_user_addr(struct gen *g)
{
	/* in the middle of the window, at either end, and where a sign changes */
	static const __u32 lower[] = {
		0x50000000, 0, ARENA_4G - FUZZ_BYTES, 0x80000000 - FUZZ_BYTES / 2,
	};

	return (0x1234ULL << 32) + lower[fuzz_below(&g->rng, ARRAY_SIZE(lower))];
}

/**
 * fuzz_generate() - make the case of a seed
 * @c: the case, zero but for its seed; the caller frees its prog
 */
static void fuzz_generate(struct fuzz_case *c)
{
	static const enum bpf_prog_type type[] = {
		BPF_PROG_TYPE_SYSCALL, BPF_PROG_TYPE_SYSCALL, BPF_PROG_TYPE_SOCKET_FILTER,
		BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_RAW_TRACEPOINT,
	};
	struct gen g = { .rng.state = c->seed, .c = c, .p = &c->prog };
	__u32 i;

	c->type = type[fuzz_below(&g.rng, ARRAY_SIZE(type))];
	if (fuzz_chance(&g.rng, 40))
		c->prog_flags |= BPF_F_TEST_RND_HI32;
	if (fuzz_chance(&g.rng, 10))
		c->prog_flags |= BPF_F_TEST_STATE_FREQ;
	if (fuzz_chance(&g.rng, 20))
		c->map_flags |= BPF_F_NO_USER_CONV;
	c->attach = c->type == BPF_PROG_TYPE_RAW_TRACEPOINT && fuzz_chance(&g.rng, 50);
	c->user = gen_user_addr(&g);
	c->harden = c->seed & 64;
	c->noise = fuzz_chance(&g.rng, 30);
	/* what the kernel adds with random numbers uses a register that programs lack */
	c->reload = !c->harden && !c->noise && !(c->prog_flags & BPF_F_TEST_RND_HI32) &&
		    fuzz_chance(&g.rng, 50);
	gen_state(&g);
	gen_signatures(&g);
	if (c->noise)
		g.noise_in = 1 + fuzz_below(&g.rng, 20);
	for (i = 0; i < g.nr_funcs; i++)
		gen_function(&g, i);
	gen_link(&g);
}

#endif /* __ARENA_FUZZ_GEN_H */
