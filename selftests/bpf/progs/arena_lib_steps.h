/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random operations on a structure in an arena. A test defines them once, and they run
 * in BPF, in user space on the same memory, and in a model that is so simple that it is
 * right. Each folds what it saw into a checksum, and the three must agree on that.
 */
#ifndef __ARENA_LIB_STEPS_H
#define __ARENA_LIB_STEPS_H

#include "arena_lib_random.h"
#include "bpf_arena_common.h"

/* What to do, and how far it went: those of a program continue where it stopped. */
struct lib_run {
	__u64 random;	/* the state of the generator */
	__u64 steps;	/* to be done; those that are left */
	__u64 sum;
};

static inline void lib_fold(__u64 *sum, __u64 value)
{
	*sum = arena_lib_hash(*sum, value);
}

/*
 * @step() is int (@arg, random number, __u64 *sum). When it is not 0, it has changed
 * nothing and came to no result, since the kernel had ended a loop: that step is left
 * for another run.
 */
#define lib_run_steps(run, step, arg)					\
	do {								\
		__u64 __random = (run)->random, __sum = (run)->sum;	\
		__u64 __steps = (run)->steps;				\
		int __i, __cnt = __steps < 10000 ? __steps : 10000;	\
									\
		bpf_for(__i, 0, __cnt) {				\
			__u64 __next = __random, __folded = __sum;	\
			__u64 __r = arena_lib_random(&__next) >> 16;		\
									\
			if (step(arg, __r, &__folded))			\
				break;					\
			__random = __next;				\
			__sum = __folded;				\
			__steps--;					\
		}							\
		(run)->random = __random;				\
		(run)->sum = __sum;					\
		(run)->steps = __steps;					\
	} while (0)

#endif
