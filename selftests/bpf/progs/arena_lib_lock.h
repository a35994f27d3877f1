/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs of arena_lib_lock.c are told, and tell. */
#ifndef __ARENA_LIB_LOCK_H
#define __ARENA_LIB_LOCK_H

/* Who takes the lock */
enum taker {
	BY_SYSCALL,
	BY_XDP,
	BY_CLOCK,	/* in an interrupt */
	BY_NMI,
	BY_PRINTK,	/* by a tracepoint inside of another's section */
	NR_TAKERS,
};

struct taken {
	__u64 got;
	__u64 missed;
	__u64 err;	/* the last one, positive */
	__u64 min_ns;	/* that a miss took */
};

#endif
