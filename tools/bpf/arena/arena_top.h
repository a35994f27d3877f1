/* SPDX-License-Identifier: GPL-2.0 */
/* What the BPF programs build in the arena and user space walks. */
#ifndef __ARENA_TOP_H
#define __ARENA_TOP_H

#include "bpf_arena_list.h"
#include "bpf_arena_rbtree.h"
#include "bpf_arena_spin_lock.h"

/*
 * Slot 0 has the calls of less than 512 ns, each further one those of up to
 * twice as long, the last one all the rest: from about 9 minutes on.
 */
#define HIST_SLOTS	32
#define HIST_SHIFT	8
#define HIST_BELOW(slot)	(2ULL << ((slot) + HIST_SHIFT))

enum sort {
	SORT_TIME,
	SORT_CALLS,
	SORT_MAX,
};

/* One system call as one process made it, or all processes without a row of their own. */
struct call {
	struct arena_hlist_node hash;	/* by CALL_KEY() */
	struct arena_rb_node order;	/* where user space sorts it in */
	struct arena_list_head other;	/* if it is for other processes */
	__u64 key;
	__u64 calls;
	__u64 ns;		/* in all */
	__u64 max;		/* of the longest */
	__u64 comm[2];		/* text: the process's name at the last one */
	__u64 slot[HIST_SLOTS];
};

#define to_call(node)	arena_rb_entry(node, struct call, order)

#define CALL_KEY(pid, nr)	((__u64)(pid) << 32 | (__u32)(nr))
#define CALL_PID(call)		((__u32)((call)->key >> 32))
#define CALL_NR(call)		((__u32)(call)->key)

/*
 * Numbers of system calls. A process can ask for any: those that cannot be are one,
 * lest it makes rows without end.
 */
#define NR_INVALID	1023
#define NR_COMPAT	1024	/* and on: calls of 32 bits */

/* The process of rows that are for other processes: no process has this number. */
#define OTHERS	0
#define OTHER_ROWS	1024	/* more than there are system calls */

#define CALLS_PER_PAGE							\
	((PAGE_SIZE - sizeof(void *) - sizeof(__u64)) / sizeof(struct call))

struct call_page {
	struct call_page __arena *next;
	__u64 used;
	struct call call[CALLS_PER_PAGE];
};

/* Rows have a limit: there is no need for a table that grows. */
#define TABLE_SIZE	4096

static inline __u32 table_index(__u64 key)
{
	return key * 0x9e3779b97f4a7c15ULL >> 40 & (TABLE_SIZE - 1);
}

/*
 * A table: programs find and add rows in the hash table, user space puts them in the
 * order in which it prints them. The pages stay with the table when it is emptied.
 */
struct table {
	struct arena_rb_root order;
	struct arena_list_head others;	/* rows that are for further processes */
	struct arena_hlist_head rows[TABLE_SIZE];
	struct call_page __arena *first;
	struct call_page __arena *page;		/* the one in use */
	__u32 nr_rows;			/* without the others */
};

/*
 * Programs write to table[now], under the lock. User space flips now, waits until it
 * has seen the lock free, and has the other table to itself: it takes no lock that a
 * program could have to wait for.
 */
struct top {
	arena_spinlock_t lock;
	__u32 now;
	struct table table[2];

	/* Set by user space; numbers of processes are those of its PID namespace. */
	__u64 ns_dev;		/* the kernel's dev_t of that, */
	__u64 ns_ino;		/* and its inode, or 0: it is the initial one */
	__u32 everybody;	/* watch all processes */
	__u32 target;		/* else this one, with its descendants */
	__u32 self;		/* the process that watches */
	__u32 nr_bpf;		/* the number of bpf(2) */
	__u32 max_rows;		/* in a table, without the others */

	__u64 pages;
	__u64 dropped;		/* calls missed */
	__u64 bpf_calls;	/* of bpf(2), by self */
};

#endif /* __ARENA_TOP_H */
