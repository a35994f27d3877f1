/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program of arena_fuzz_gen.h must do, worked out insn by insn: an interpreter
 * that knows of each value whether it points to the arena, as what the kernel makes of
 * an insn depends on it. It knows of pages, too, but not of how the kernel does it.
 */
#ifndef __ARENA_FUZZ_MODEL_H
#define __ARENA_FUZZ_MODEL_H

#include "arena_fuzz.h"

enum model_tag {
	MODEL_NUM,
	MODEL_PTR,	/* to the arena; of a value without its upper half */
	MODEL_STACK,
	MODEL_WORDS,	/* the value of the other map, and the offset into it */
	MODEL_ELEM,	/* what an iterator gave, and where that is on the stack */
	MODEL_MAP,	/* enum fuzz_map */
	MODEL_UNKNOWN,
};

struct model_val {
	__u64 val;
	enum model_tag tag;
};

#define MODEL_STACK_BYTES	128
#define MODEL_FRAMES		(1 + FUZZ_MAX_SUBPROGS)
#define MODEL_MAX_STEPS		1000000
/* Of loops that the kernel bounds. They have millions, but not the time for them. */
#define MODEL_MAX_TURNS		10000

struct model_frame {
	__u8 stack[MODEL_STACK_BYTES];
	__u8 tag[MODEL_STACK_BYTES / 8];	/* enum model_tag */
	struct model_val saved[4];	/* of the caller */
	__u32 back;
};

/* An iterator over numbers, on the stack */
struct model_iter {
	__s32 num;
	__u32 left;
};

enum model_end { MODEL_RUNS, MODEL_EXITED, MODEL_LOST };

struct model {
	const struct fuzz_case *c;
	struct fuzz_state s;
	struct model_val reg[11];
	struct model_frame frame[MODEL_FRAMES];
	__u32 depth;
	__u32 pc;
	__u32 turns;
	__u64 faults;
	enum model_end end;	/* lost: of what it does not know */
};

static int model_bytes(__u8 code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	default:
		return 8;
	}
}

static __u64 model_trim(__u64 val, int bytes)
{
	return bytes == 8 ? val : val & ((1ULL << (8 * bytes)) - 1);
}

static __u64 model_extend(__u64 val, int bytes)
{
	switch (bytes) {
	case 1:
		return (__s8)val;
	case 2:
		return (__s16)val;
	case 4:
		return (__s32)val;
	default:
		return val;
	}
}

static void model_set(struct model *m, int reg, __u64 val, enum model_tag tag)
{
	if (reg > 9) {
		m->end = MODEL_LOST;
		return;
	}
	m->reg[reg].val = val;
	m->reg[reg].tag = tag;
}

/* A value that is a number as it is, or whose lower half is all there is of it */
static __u64 model_get(struct model *m, int reg)
{
	if (reg > 9 || m->reg[reg].tag > MODEL_PTR) {
		m->end = MODEL_LOST;
		return 0;
	}
	return m->reg[reg].val;
}

/* Where in the arena that is, or NULL, and the access is a stray one. */
static __u8 *model_arena(struct model *m, __u64 ptr, __s16 off, int bytes)
{
	__s64 at = (__s64)ptr + off - (__u32)m->c->user;

	if (ptr > UINT32_MAX)
		m->end = MODEL_LOST;
	if (at >= 0 && at + bytes <= FUZZ_BYTES &&
	    m->s.page[at / ARENA_PAGE] == FUZZ_PRESENT &&
	    m->s.page[(at + bytes - 1) / ARENA_PAGE] == FUZZ_PRESENT)
		return m->s.mem + at;
	m->faults++;
	return NULL;
}

/* What an access reaches: NULL in the arena is as above, elsewhere the model's end. */
static __u8 *model_mem(struct model *m, int reg, __s16 off, int bytes)
{
	struct model_frame *f = &m->frame[m->depth];
	__s64 at;

	if (reg > 10) {
		m->end = MODEL_LOST;
		return NULL;
	}
	at = m->reg[reg].val + off;
	switch (m->reg[reg].tag) {
	case MODEL_PTR:
		return model_arena(m, m->reg[reg].val, off, bytes);
	case MODEL_STACK:
		at += MODEL_STACK_BYTES;
		if (at >= 0 && at + bytes <= MODEL_STACK_BYTES)
			return f->stack + at;
		break;
	case MODEL_ELEM:
		if (off >= 0 && off + bytes <= (int)sizeof(__s32))
			return f->stack + MODEL_STACK_BYTES + at;
		break;
	case MODEL_WORDS:
		if (at >= 0 && at + bytes <= sizeof(m->s.words))
			return (__u8 *)m->s.words + at;
		break;
	default:
		break;
	}
	m->end = MODEL_LOST;
	return NULL;
}

static __u8 *model_slot(struct model *m, int reg, __s16 off)
{
	if (reg > 10 || m->reg[reg].tag != MODEL_STACK)
		return NULL;
	return &m->frame[m->depth].tag[(MODEL_STACK_BYTES + m->reg[reg].val + off) / 8];
}

static __u64 model_read(const __u8 *mem, int bytes)
{
	__u64 val = 0;

	if (mem)
		memcpy(&val, mem, bytes);
	return val;
}

static void model_load(struct model *m, const struct bpf_insn *insn)
{
	int bytes = model_bytes(insn->code);
	const __u8 *mem = model_mem(m, insn->src_reg, insn->off, bytes);
	__u64 val = model_read(mem, bytes);
	enum model_tag tag = MODEL_NUM;
	const __u8 *slot;

	if (m->end != MODEL_RUNS)
		return;
	slot = model_slot(m, insn->src_reg, insn->off);
	if (slot)
		tag = *slot;
	if (tag != MODEL_NUM && bytes < 8)
		m->end = MODEL_LOST;
	if (BPF_CLASS(insn->code) == BPF_LDX && BPF_MODE(insn->code) == BPF_MEMSX)
		val = model_extend(val, bytes);
	model_set(m, insn->dst_reg, val, tag);
}

static void model_store(struct model *m, const struct bpf_insn *insn)
{
	struct model_val src = { .val = (__s64)insn->imm };
	int bytes = model_bytes(insn->code);
	__u8 *slot, *mem;

	if (BPF_CLASS(insn->code) == BPF_STX && insn->src_reg <= 10)
		src = m->reg[insn->src_reg];
	mem = model_mem(m, insn->dst_reg, insn->off, bytes);
	if (m->end != MODEL_RUNS)
		return;
	slot = model_slot(m, insn->dst_reg, insn->off);
	/* of a word of which a part was never written, nothing is known */
	if (slot && (bytes == 8 || *slot != MODEL_UNKNOWN))
		*slot = bytes == 8 ? src.tag : MODEL_NUM;
	else if (slot)
		*slot = MODEL_UNKNOWN;
	else if (src.tag > MODEL_PTR)
		m->end = MODEL_LOST;
	if (mem)
		memcpy(mem, &src.val, bytes);
}

static __u64 model_atomic_op(int op, __u64 old, __u64 src)
{
	switch (op & ~BPF_FETCH) {
	case BPF_ADD:
		return old + src;
	case BPF_AND:
		return old & src;
	case BPF_OR:
		return old | src;
	case BPF_XOR:
		return old ^ src;
	default:
		return src;
	}
}

static void model_atomic(struct model *m, const struct bpf_insn *insn)
{
	int bytes = model_bytes(insn->code), op = insn->imm;
	__u64 src, val, old;
	__u8 *mem;

	if (op == BPF_LOAD_ACQ || op == BPF_STORE_REL) {
		if (op == BPF_LOAD_ACQ)
			model_load(m, insn);
		else
			model_store(m, insn);
		return;
	}
	src = model_get(m, insn->src_reg);
	mem = model_mem(m, insn->dst_reg, insn->off, bytes);
	if (m->end != MODEL_RUNS)
		return;
	old = model_read(mem, bytes);
	val = model_atomic_op(op == BPF_XCHG ? BPF_MOV : op, old, src);
	if (op == BPF_CMPXCHG && model_trim(model_get(m, BPF_REG_0), bytes) != old)
		val = old;
	if (mem)
		memcpy(mem, &val, bytes);
	if (op & BPF_FETCH)
		model_set(m, op == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg, old, MODEL_NUM);
}

static __u64 model_div(__u64 a, __u64 b, bool is64, bool is_signed, bool mod)
{
	if (!is64) {
		a = is_signed ? (__u64)(__s32)a : (__u32)a;
		b = is_signed ? (__u64)(__s32)b : (__u32)b;
	}
	if (!b)
		return mod ? a : 0;
	if (is_signed && b == -1ULL)
		return mod ? 0 : -a;
	if (is_signed)
		return mod ? (__s64)a % (__s64)b : (__s64)a / (__s64)b;
	return mod ? a % b : a / b;
}

static __u64 model_binary(int op, bool is64, bool is_signed, __u64 a, __u64 b)
{
	int shift = b & (is64 ? 63 : 31);

	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << shift;
	case BPF_RSH:
		return (is64 ? a : (__u32)a) >> shift;
	case BPF_ARSH:
		return (is64 ? (__s64)a : (__s32)a) >> shift;
	default:
		return model_div(a, b, is64, is_signed, op == BPF_MOD);
	}
}

static __u64 model_swab(__u64 val, int bits)
{
	return __builtin_bswap64(val) >> (64 - bits);
}

static void model_unary(struct model *m, const struct bpf_insn *insn, bool is64)
{
	__u64 val = model_get(m, insn->dst_reg);

	if (BPF_OP(insn->code) == BPF_NEG)
		val = is64 ? -val : (__u32)-val;
	else if (is64 || BPF_SRC(insn->code) == BPF_TO_BE)
		val = model_swab(val, insn->imm);
	else
		val = model_trim(val, insn->imm / 8);
	model_set(m, insn->dst_reg, val, MODEL_NUM);
}

static void model_cast(struct model *m, const struct bpf_insn *insn)
{
	__u64 val = (__u32)model_get(m, insn->src_reg);

	if (insn->imm == 1) {
		model_set(m, insn->dst_reg, val, MODEL_PTR);
		return;
	}
	if (val && !(m->c->map_flags & BPF_F_NO_USER_CONV))
		val |= m->c->user >> 32 << 32;
	model_set(m, insn->dst_reg, val, MODEL_NUM);
}

static void model_mov(struct model *m, const struct bpf_insn *insn, bool is64)
{
	bool from_reg = BPF_SRC(insn->code) == BPF_X;
	__u64 val = (__s64)insn->imm;

	if (is64 && from_reg && insn->off == 1) {
		model_cast(m, insn);
		return;
	}
	if (is64 && from_reg && !insn->off && insn->src_reg <= 10) {
		/* pointers of all types */
		model_set(m, insn->dst_reg, m->reg[insn->src_reg].val,
			  m->reg[insn->src_reg].tag);
		return;
	}
	if (from_reg)
		val = model_get(m, insn->src_reg);
	if (from_reg && insn->off)
		val = model_extend(val, insn->off / 8);
	model_set(m, insn->dst_reg, is64 ? val : (__u32)val, MODEL_NUM);
}

static void model_alu(struct model *m, const struct bpf_insn *insn)
{
	bool is64 = BPF_CLASS(insn->code) == BPF_ALU64, by_reg = BPF_SRC(insn->code) == BPF_X;
	int op = BPF_OP(insn->code);
	__u64 a, b;
	bool ptr;

	if (op == BPF_MOV) {
		model_mov(m, insn, is64);
		return;
	}
	if (op == BPF_NEG || op == BPF_END) {
		model_unary(m, insn, is64);
		return;
	}
	b = by_reg ? model_get(m, insn->src_reg) : (__u64)(__s64)insn->imm;
	if (insn->dst_reg < 10 && op == BPF_ADD && is64 &&
	    (m->reg[insn->dst_reg].tag == MODEL_STACK ||
	     m->reg[insn->dst_reg].tag == MODEL_WORDS)) {
		m->reg[insn->dst_reg].val += b;
		return;
	}
	a = model_get(m, insn->dst_reg);
	if (m->end != MODEL_RUNS)
		return;
	ptr = m->reg[insn->dst_reg].tag == MODEL_PTR ||
	      (by_reg && m->reg[insn->src_reg].tag == MODEL_PTR);
	/* all arithmetic on arena pointers is of 32 bits; so much is shifted out */
	if (ptr && is64 && !by_reg && b >= 32 &&
	    (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH))
		a = 0;
	is64 &= !ptr;
	a = model_binary(op, is64, insn->off == 1, a, b);
	model_set(m, insn->dst_reg, is64 ? a : (__u32)a, ptr ? MODEL_PTR : MODEL_NUM);
}

static bool model_compare(int op, __u64 a, __u64 b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSGT:
		return (__s64)a > (__s64)b;
	case BPF_JSGE:
		return (__s64)a >= (__s64)b;
	case BPF_JSLT:
		return (__s64)a < (__s64)b;
	case BPF_JSLE:
		return (__s64)a <= (__s64)b;
	default:
		return a & b;
	}
}

static bool model_is_signed(int op)
{
	return op == BPF_JSGT || op == BPF_JSGE || op == BPF_JSLT || op == BPF_JSLE;
}

static void model_jump(struct model *m, const struct bpf_insn *insn)
{
	bool is64 = BPF_CLASS(insn->code) == BPF_JMP, by_reg = BPF_SRC(insn->code) == BPF_X;
	int op = BPF_OP(insn->code);
	__u64 a, b = (__s64)insn->imm;

	if (insn->dst_reg < 10 && !by_reg && !b &&
	    (m->reg[insn->dst_reg].tag == MODEL_WORDS ||
	     m->reg[insn->dst_reg].tag == MODEL_ELEM)) {
		/* whether it is there: it is */
		m->pc += op == BPF_JEQ ? 0 : insn->off;
		return;
	}
	a = model_get(m, insn->dst_reg);
	if (by_reg)
		b = model_get(m, insn->src_reg);
	if (!is64 && model_is_signed(op)) {
		a = (__s32)a;
		b = (__s32)b;
	} else if (!is64) {
		a = (__u32)a;
		b = (__u32)b;
	}
	if (model_compare(op, a, b))
		m->pc += insn->off;
}

/* Are these pages of the arena, and all free? */
static bool model_are_free(const struct model *m, __s64 start, __u64 cnt)
{
	if (start < 0 || start + cnt > FUZZ_PAGES)
		return false;
	for (; cnt; cnt--, start++)
		if (m->s.page[start] != FUZZ_ABSENT)
			return false;
	return true;
}

/* The byte offset in the arena that an argument of a kfunc names */
static __s64 model_offset(const struct model *m, __u64 addr)
{
	return (__s64)(__u32)addr - (__u32)m->c->user;
}

static __u64 model_alloc(struct model *m, __u64 addr, __u32 cnt, int node, __u64 flags)
{
	__s64 off = model_offset(m, addr), start = off / (__s64)ARENA_PAGE;

	if (!cnt || cnt > FUZZ_PAGES || flags || (node != -1 && node))
		return 0;
	if (!addr) {
		for (start = 0; start < FUZZ_PAGES && !model_are_free(m, start, cnt); start++)
			;
	} else if (off % (__s64)ARENA_PAGE) {
		return 0;
	}
	if (!model_are_free(m, start, cnt))
		return 0;
	memset(m->s.page + start, FUZZ_PRESENT, cnt);
	memset(m->s.mem + start * ARENA_PAGE, 0, cnt * ARENA_PAGE);
	return m->c->user + start * ARENA_PAGE;
}

static void model_free(struct model *m, __u64 addr, __u32 cnt)
{
	__s64 start = model_offset(m, addr) >> 12, end = start + cnt;

	if (!addr)
		return;
	for (start = start < 0 ? 0 : start; start < end && start < FUZZ_PAGES; start++)
		m->s.page[start] = FUZZ_ABSENT;
}

static int model_reserve(struct model *m, __u64 addr, __u32 cnt)
{
	__s64 off = model_offset(m, addr), start = off / (__s64)ARENA_PAGE;

	if (!cnt)
		return 0;
	if (off < 0 || off % ARENA_PAGE || start + cnt > FUZZ_PAGES)
		return -EINVAL;
	if (!model_are_free(m, start, cnt))
		return -EBUSY;
	memset(m->s.page + start, FUZZ_RESERVED, cnt);
	return 0;
}

static void model_called(struct model *m, __u64 ret, enum model_tag tag)
{
	int reg;

	for (reg = 1; reg <= 5; reg++)
		m->reg[reg].tag = MODEL_UNKNOWN;
	model_set(m, BPF_REG_0, ret, tag);
}

static void model_arena_kfunc(struct model *m, int kfunc)
{
	__u64 addr = model_get(m, BPF_REG_2), cnt = model_get(m, BPF_REG_3);

	if (m->reg[1].tag != MODEL_MAP || m->reg[1].val != FUZZ_ARENA)
		m->end = MODEL_LOST;
	switch (kfunc) {
	case FUZZ_ALLOC:
		model_called(m, model_alloc(m, addr, cnt, model_get(m, BPF_REG_4),
					    model_get(m, BPF_REG_5)), MODEL_NUM);
		break;
	case FUZZ_FREE:
		model_free(m, addr, cnt);
		model_called(m, 0, MODEL_UNKNOWN);
		break;
	case FUZZ_RESERVE:
		model_called(m, (__u32)model_reserve(m, addr, cnt), MODEL_NUM);
		break;
	default:
		m->end = MODEL_LOST;
	}
}

static int model_iter_new(struct model_iter *iter, __s32 from, __s32 to)
{
	__s64 cnt = (__s64)to - from;

	iter->num = (__u32)from - 1;
	iter->left = cnt < 0 || cnt > FUZZ_MAX_NUMBERS ? 0 : cnt;
	return cnt < 0 ? -EINVAL : cnt > FUZZ_MAX_NUMBERS ? -E2BIG : 0;
}

static void model_iter_kfunc(struct model *m, int kfunc)
{
	struct model_val arg = m->reg[1];
	struct model_iter iter;
	__u8 *mem;

	mem = model_mem(m, BPF_REG_1, 0, sizeof(iter));
	if (arg.tag != MODEL_STACK)
		m->end = MODEL_LOST;
	if (m->end != MODEL_RUNS)
		return;
	*model_slot(m, BPF_REG_1, 0) = MODEL_UNKNOWN;
	memcpy(&iter, mem, sizeof(iter));
	switch (kfunc) {
	case FUZZ_ITER_NEW:
		model_called(m, (__u32)model_iter_new(&iter, model_get(m, BPF_REG_2),
						      model_get(m, BPF_REG_3)), MODEL_NUM);
		break;
	case FUZZ_ITER_NEXT:
		if (iter.left) {
			iter.left--;
			iter.num = (__u32)iter.num + 1;
			model_called(m, arg.val, MODEL_ELEM);
		} else {
			model_called(m, 0, MODEL_NUM);
		}
		break;
	default:
		model_called(m, 0, MODEL_UNKNOWN);
	}
	memcpy(mem, &iter, sizeof(iter));
}

static void model_kfunc(struct model *m, int kfunc)
{
	if (kfunc < FUZZ_NR_ARENA_KFUNCS)
		model_arena_kfunc(m, kfunc);
	else if (kfunc < FUZZ_NR_KFUNCS)
		model_iter_kfunc(m, kfunc);
	else
		m->end = MODEL_LOST;
}

static void model_helper(struct model *m, int id)
{
	switch (id) {
	case BPF_FUNC_map_lookup_elem:
		if (m->reg[1].tag != MODEL_MAP || m->reg[1].val != FUZZ_RESULT)
			m->end = MODEL_LOST;
		model_called(m, 0, MODEL_WORDS);
		break;
	case BPF_FUNC_ktime_get_ns:
		model_called(m, 0, MODEL_UNKNOWN);
		break;
	default:
		m->end = MODEL_LOST;
	}
}

static void model_enter(struct model *m, __u32 pc)
{
	struct model_frame *f;

	if (m->depth + 1 == MODEL_FRAMES) {
		m->end = MODEL_LOST;
		return;
	}
	f = &m->frame[++m->depth];
	memset(f->tag, MODEL_UNKNOWN, sizeof(f->tag));
	memcpy(f->saved, m->reg + 6, sizeof(f->saved));
	f->back = m->pc;
	m->pc = pc;
}

static void model_leave(struct model *m)
{
	struct model_frame *f = &m->frame[m->depth];

	if (!m->depth) {
		m->end = MODEL_EXITED;
		return;
	}
	memcpy(m->reg + 6, f->saved, sizeof(f->saved));
	m->pc = f->back;
	m->depth--;
	model_called(m, m->reg[0].val, m->reg[0].tag);
}

static void model_jmp_class(struct model *m, const struct bpf_insn *insn)
{
	bool is64 = BPF_CLASS(insn->code) == BPF_JMP;

	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		m->pc += is64 ? insn->off : insn->imm;
		break;
	case BPF_EXIT:
		model_leave(m);
		break;
	case BPF_CALL:
		if (insn->src_reg == BPF_PSEUDO_CALL)
			model_enter(m, m->pc + insn->imm);
		else if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
			model_kfunc(m, insn->imm);
		else
			model_helper(m, insn->imm);
		break;
	case BPF_JCOND:
		if (++m->turns > MODEL_MAX_TURNS)
			m->end = MODEL_LOST;
		break;
	default:
		model_jump(m, insn);
	}
}

static void model_ld_imm64(struct model *m, const struct bpf_insn *insn)
{
	m->pc++;
	switch (insn->src_reg) {
	case 0:
		model_set(m, insn->dst_reg, (__u32)insn[0].imm | (__u64)insn[1].imm << 32,
			  MODEL_NUM);
		break;
	case BPF_PSEUDO_MAP_FD:
		model_set(m, insn->dst_reg, insn->imm, MODEL_MAP);
		break;
	case BPF_PSEUDO_MAP_VALUE:
		if (insn->imm == FUZZ_ARENA)
			model_set(m, insn->dst_reg, m->c->user + (__u32)insn[1].imm, MODEL_NUM);
		else
			model_set(m, insn->dst_reg, (__u32)insn[1].imm, MODEL_WORDS);
		break;
	default:
		m->end = MODEL_LOST;
	}
}

static void model_step(struct model *m)
{
	const struct bpf_insn *insn;

	if (m->pc >= m->c->prog.cnt) {
		m->end = MODEL_LOST;
		return;
	}
	insn = &m->c->prog.insn[m->pc++];
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		model_ld_imm64(m, insn);
		break;
	case BPF_LDX:
		model_load(m, insn);
		break;
	case BPF_ST:
		model_store(m, insn);
		break;
	case BPF_STX:
		if (BPF_MODE(insn->code) == BPF_ATOMIC)
			model_atomic(m, insn);
		else
			model_store(m, insn);
		break;
	case BPF_ALU:
	case BPF_ALU64:
		model_alu(m, insn);
		break;
	default:
		model_jmp_class(m, insn);
	}
}

/**
 * fuzz_model() - what running the case's program once must do
 * @m: what is filled in: memory, number of stray accesses, and R0
 * @c: the case
 *
 * Return: false if the program does something that the model does not know. That
 * is in order if the case is one with noise.
 */
static bool fuzz_model(struct model *m, const struct fuzz_case *c)
{
	int reg, steps;

	memset(m, 0, sizeof(*m));
	m->c = c;
	m->s = c->state;
	for (reg = 0; reg < 10; reg++)
		m->reg[reg].tag = MODEL_UNKNOWN;
	m->reg[10].tag = MODEL_STACK;
	memset(m->frame[0].tag, MODEL_UNKNOWN, sizeof(m->frame[0].tag));
	for (steps = 0; steps < MODEL_MAX_STEPS && m->end == MODEL_RUNS; steps++)
		model_step(m);
	/* the test tells the value of R0, too */
	model_get(m, BPF_REG_0);
	return m->end == MODEL_EXITED;
}

#endif /* __ARENA_FUZZ_MODEL_H */
