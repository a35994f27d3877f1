/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs of the benchmark and their user space agree on */
#ifndef __ARENA_BENCH_H
#define __ARENA_BENCH_H

#define BENCH_MAX_OPS		255	/* of those that loop in the program; a mask */
#define BENCH_NODES		256	/* a page of them */
#define BENCH_UNROLL		7
#define BENCH_UNROLL_POINTER	3
#define BENCH_KEYS_SHIFT	10
#define BENCH_KEYS		1024	/* 2 ^ BENCH_KEYS_SHIFT */
#define BENCH_CHAIN		64

#endif /* __ARENA_BENCH_H */
