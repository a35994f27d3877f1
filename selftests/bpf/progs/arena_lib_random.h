/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers that are random, and the same for a program and for what checks it. */
#ifndef __ARENA_LIB_RANDOM_H
#define __ARENA_LIB_RANDOM_H

/* xorshift64*; the state must not be 0. Take the upper bits. */
static inline __u64 arena_lib_random(__u64 *state)
{
	__u64 x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/* Of all that was returned; another order is another hash. */
static inline __u64 arena_lib_hash(__u64 hash, __u64 value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15ULL + (hash >> 29);
}

#endif
