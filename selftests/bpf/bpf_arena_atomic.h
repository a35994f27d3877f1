/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Ordered accesses to words of an arena, for BPF and user space alike.
 *
 * What was written before an arena_store_release() of one side is seen after the
 * arena_load_acquire() of the other that finds the value. The __sync builtins that
 * return a value are full barriers on both sides, and are not repeated here.
 */
#ifndef __BPF_ARENA_ATOMIC_H
#define __BPF_ARENA_ATOMIC_H

#include "bpf_arena_common.h"

#ifndef __BPF__
#include <linux/types.h>
#endif

#if defined(__BPF__) && !defined(__BPF_FEATURE_ADDR_SPACE_CAST)
#error "This header needs a compiler that casts arena pointers: clang 19 or later"
#endif

#if defined(__BPF__) && !defined(__BPF_FEATURE_LOAD_ACQ_STORE_REL)
/*
 * Without the instructions, a plain access has to do: the JIT of x86-64 makes no
 * difference between them, and no other one supports arenas. What is left is to
 * keep the compiler from moving anything past it.
 */
#define arena_compiler_barrier()	asm volatile("" ::: "memory")

#define arena_load_acquire(ptr)						\
	({								\
	__auto_type __val = READ_ONCE(*(ptr));				\
									\
	arena_compiler_barrier();					\
	__val;								\
	})
#define arena_store_release(ptr, val)					\
	({								\
	arena_compiler_barrier();					\
	WRITE_ONCE(*(ptr), val);					\
	})
#else
#define arena_load_acquire(ptr)		__atomic_load_n(ptr, __ATOMIC_ACQUIRE)
#define arena_store_release(ptr, val)	__atomic_store_n(ptr, val, __ATOMIC_RELEASE)
#endif

/*
 * As the __sync builtins of these names, for 64 bits and on all kernels: mainline's JIT for
 * x86-64 has no and, or and xor that return something for arenas. There is a
 * compare-and-exchange, which fails only when somebody else's has succeeded: it is done long
 * before the iterator is.
 */
#ifdef __BPF__
/* *@ptr = (*@ptr & @keep) ^ @flip, and the old value. */
static arena_noinline __u64 __arena_fetch_change(__u64 __arena *ptr, __u64 keep, __u64 flip)
{
	__u64 old = READ_ONCE(*ptr), seen;
	int turn;

	seen = __sync_val_compare_and_swap(ptr, old, (old & keep) ^ flip);
	if (seen == old)
		return old;
	bpf_for(turn, 0, 8388608) {
		old = seen;
		seen = __sync_val_compare_and_swap(ptr, old, (old & keep) ^ flip);
		if (seen == old)
			break;
	}
	return old;
}

static inline __u64 arena_fetch_or(__u64 __arena *ptr, __u64 bits)
{
	return __arena_fetch_change(ptr, ~bits, bits);
}

static inline __u64 arena_fetch_and(__u64 __arena *ptr, __u64 bits)
{
	return __arena_fetch_change(ptr, bits, 0);
}

static inline __u64 arena_fetch_xor(__u64 __arena *ptr, __u64 bits)
{
	return __arena_fetch_change(ptr, ~0ULL, bits);
}
#else
#define arena_fetch_or(ptr, bits)	__sync_fetch_and_or(ptr, bits)
#define arena_fetch_and(ptr, bits)	__sync_fetch_and_and(ptr, bits)
#define arena_fetch_xor(ptr, bits)	__sync_fetch_and_xor(ptr, bits)
#endif

#endif /* __BPF_ARENA_ATOMIC_H */
