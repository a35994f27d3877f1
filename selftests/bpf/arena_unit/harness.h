/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ARENA_UNIT_HARNESS_H
#define _ARENA_UNIT_HARNESS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Ends the test, which has failed. Signal handlers may use it, too. */
#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			check_failed(__FILE__, __LINE__, #cond);	\
	} while (0)

#define CHECK_EQ(value, want)						\
	do {								\
		long _value = (value), _want = (want);			\
									\
		if (_value != _want)					\
			check_eq_failed(__FILE__, __LINE__, #value, _value, _want); \
	} while (0)

struct test {
	const char *name;
	void (*run)(void);
};

struct rng {
	u64 state;
};

void check_failed(const char *file, int line, const char *what);
void check_eq_failed(const char *file, int line, const char *what, long value, long want);

/* Each test runs in a process of its own. The result is main()'s. */
int run_tests(const struct test *tests, int nr);

/* $SEED, or a new one; the same in all tests of a run. */
u64 seed(void);
void rng_init(struct rng *rng, u64 stream);
u32 rng_below(struct rng *rng, u32 limit);

#endif
