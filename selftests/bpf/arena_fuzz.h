/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random programs with an arena: what their generator, arena_fuzz_gen.h, the model
 * of what they do, arena_fuzz_model.h, and the test, prog_tests/arena_fuzz.c, share.
 *
 * All of a case follows from its seed, a number of 64 bits: case n of a test has
 * the seed of the test plus n.
 */
#ifndef __ARENA_FUZZ_H
#define __ARENA_FUZZ_H

#include "arena_insn.h"

#define FUZZ_PAGES	24
#define FUZZ_BYTES	(FUZZ_PAGES * ARENA_PAGE)
/* Of the stack, programs use words below the frame pointer. */
#define FUZZ_SLOTS	8
#define FUZZ_MAX_SUBPROGS	3
/* So many numbers an iterator gives; none, if it is asked for more. */
#define FUZZ_MAX_NUMBERS	(8 << 20)

/* What a map's fd or a kfunc's id in a generated insn stands for. */
enum fuzz_map { FUZZ_ARENA, FUZZ_RESULT };
enum fuzz_kfunc {
	FUZZ_ALLOC, FUZZ_FREE, FUZZ_RESERVE, FUZZ_NR_ARENA_KFUNCS,
	FUZZ_ITER_NEW = FUZZ_NR_ARENA_KFUNCS, FUZZ_ITER_NEXT, FUZZ_ITER_DESTROY,
	FUZZ_NR_KFUNCS
};

/*
 * The other map: a value of numbers that programs may load, from FUZZ_OUT on what
 * registers and stack hold at the end, and behind that again what nobody writes.
 */
#define FUZZ_WORDS	64
#define FUZZ_OUT	32
#define FUZZ_WORD(I)	(0xc0ffee0000000000ULL + (I) * 0x100000001ULL)

enum fuzz_page { FUZZ_ABSENT, FUZZ_PRESENT, FUZZ_RESERVED };

/* Memory that programs read and write. */
struct fuzz_state {
	__u8 mem[FUZZ_BYTES];
	__u8 page[FUZZ_PAGES];		/* enum fuzz_page */
	__u64 words[FUZZ_WORDS];
};

struct fuzz_case {
	__u64 seed;
	enum bpf_prog_type type;
	__u32 prog_flags;
	__u32 map_flags;
	bool harden;			/* blind its constants */
	bool noise;			/* one thing in it may be wrong */
	bool reload;			/* dump it and load the dump */
	bool attach;			/* to a tracepoint, where it loses what it returns */
	bool varies;			/* by what else the machine does, if rarely */
	bool iterates;			/* over numbers */
	__u64 user;			/* address of the arena */
	struct fuzz_state state;	/* in the beginning */
	struct insns prog;
};

/* splitmix64 */
struct fuzz_rng {
	__u64 state;
};

static inline __u64 fuzz_rnd(struct fuzz_rng *rng)
{
	__u64 z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline __u32 fuzz_below(struct fuzz_rng *rng, __u32 n)
{
	return (fuzz_rnd(rng) >> 32) % n;
}

static inline bool fuzz_chance(struct fuzz_rng *rng, __u32 percent)
{
	return fuzz_below(rng, 100) < percent;
}

#endif /* __ARENA_FUZZ_H */
