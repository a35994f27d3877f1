/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ARENA_LIB_ALLOC_TIME_H
#define __ARENA_LIB_ALLOC_TIME_H

#include "bpf_arena_spin_lock.h"

/* Who has the heap's lock when the test has it so: no thread, and no CPU. */
#define SOMEBODY	0x7fffffff

struct timed {
	__u64 calls;
	__u64 got;	/* not NULL */
	__u64 max_ns;
};

#endif
