/* SPDX-License-Identifier: GPL-2.0 */
/* Runs the random operations of ../progs/arena_lib_*.h, beside a model. */
#ifndef _ARENA_UNIT_LIB_H
#define _ARENA_UNIT_LIB_H

#include <string.h>
#include "harness.h"

#define LIB_STEPS	1000000

/* Differences are looked for after every step at first, and then seldom. */
#define LIB_LOOK(step)	((step) < 20000 || (step) % 997 == 0)

/* The functions are those of lib_run_steps(), and one that says what differs, or NULL. */
#define LIB_RUN(shared, step_fn, model, model_fn, differ_fn)		\
	do {								\
		u64 random = seed() | 1, sum = 0, model_sum = 0;	\
		const char *differs;					\
		int step;						\
									\
		for (step = 0; step < LIB_STEPS; step++) {		\
			u64 r = arena_lib_random(&random) >> 16;			\
									\
			CHECK_EQ(step_fn(shared, r, &sum), 0);		\
			model_fn(model, r, &model_sum);			\
			CHECK_EQ(sum, model_sum);			\
			if (!LIB_LOOK(step))				\
				continue;				\
			differs = differ_fn(shared, model);		\
			if (differs)					\
				check_failed(__FILE__, step, differs);	\
		}							\
	} while (0)

#endif
