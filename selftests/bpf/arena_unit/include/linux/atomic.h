/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's atomic operations, as weakly ordered as the kernel allows, so
 * that the thread sanitizer does not credit them with more. Each calls
 * atomic_step() first: a test can run other code there, as an interrupt or
 * another CPU would.
 */
#ifndef _ARENA_UNIT_ATOMIC_H
#define _ARENA_UNIT_ATOMIC_H

#include <linux/types.h>

#ifdef ATOMIC_STEP
void atomic_step(void);
#else
static inline void atomic_step(void) {}
#endif

typedef struct { int counter; } atomic_t;

#define atomic_long_t struct atomic_long
atomic_long_t { long counter; };

static inline int atomic_read(const atomic_t *v)
{
	atomic_step();
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic_set(atomic_t *v, int i)
{
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}

static inline void atomic_add(int i, atomic_t *v)
{
	atomic_step();
	__atomic_fetch_add(&v->counter, i, __ATOMIC_RELAXED);
}

static inline void atomic_sub(int i, atomic_t *v)
{
	atomic_step();
	__atomic_fetch_sub(&v->counter, i, __ATOMIC_RELAXED);
}

static inline long atomic_long_read(const atomic_long_t *v)
{
	atomic_step();
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic_long_set(atomic_long_t *v, long i)
{
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}

static inline long atomic_long_xchg(atomic_long_t *v, long new)
{
	atomic_step();
	return __atomic_exchange_n(&v->counter, new, __ATOMIC_SEQ_CST);
}

static inline long atomic_long_fetch_or(long i, atomic_long_t *v)
{
	atomic_step();
	return __atomic_fetch_or(&v->counter, i, __ATOMIC_SEQ_CST);
}

static inline long atomic_long_fetch_andnot(long i, atomic_long_t *v)
{
	atomic_step();
	return __atomic_fetch_and(&v->counter, ~i, __ATOMIC_SEQ_CST);
}

static inline bool atomic_long_try_cmpxchg(atomic_long_t *v, long *old, long new)
{
	atomic_step();
	return __atomic_compare_exchange_n(&v->counter, old, new, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

#endif
