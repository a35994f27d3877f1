/* SPDX-License-Identifier: GPL-2.0 */
/* What the BPF program builds in the arena and user space walks. */
#ifndef __ARENA_DEMO_H
#define __ARENA_DEMO_H

#include "arena_htab.h"
#include "arena_rbtree.h"

/* One system call as one process made it. */
struct call {
	struct htab_node hash;	/* key: process << 32 | number */
	struct rb_node order;	/* key: nanoseconds in all */
	__u64 calls;
	__u64 max;		/* nanoseconds of the longest */
	__u64 comm[2];		/* text: the process's name at the last one */
};

#define CALL_KEY(pid, nr)	((__u64)(pid) << 32 | (__u32)(nr))
#define CALL_PID(call)		((__u32)((call)->hash.key >> 32))
#define CALL_NR(call)		((__u32)(call)->hash.key)

/* A thread that is watched, and the system call it is in. */
struct thread {
	struct htab_node hash;	/* key: its task */
	__s64 nr;		/* or NO_CALL */
	__u64 start;
};

#define NO_CALL	(-1)

struct demo {
	struct rb_tree order;
	struct htab calls;
	struct htab threads;
	struct htab_node __arena *unused;	/* threads that have ended */

	__u32 lock;
	/* Set by user space. */
	__u32 stop;
	__u32 target;		/* the process to watch, with its descendants */
	__u32 self;		/* the process that watches */
	__s64 nr_bpf;		/* the number of bpf(2) */

	char __arena *room;	/* where the next node goes */
	char __arena *spare;	/* the page after that */
	__u32 left;		/* bytes at room */

	__u32 pages;
	__u64 nodes;
	__u64 dropped;		/* calls and threads missed */
	__u64 bpf_calls;	/* of bpf(2), by self */
};

#endif /* __ARENA_DEMO_H */
