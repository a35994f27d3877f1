/* SPDX-License-Identifier: GPL-2.0 */
/* The heap of the BPF programs, and what user space looks up in it. */
#ifndef __ARENA_HEAP_H
#define __ARENA_HEAP_H

/*
 * The programs must not sleep, and add to the cache with the lock held: pages come before
 * it is taken, and global functions are called with it.
 */
#define ARENA_HEAP_FILLED
#define ARENA_SPIN_CALLS
#include "bpf_arena_alloc.h"
#include "bpf_arena_hashtable.h"
#include "bpf_arena_list.h"
#include "bpf_arena_spin_lock.h"

/*
 * With BPF_F_NO_USER_CONV, what a program stores is the lower half of an address or all
 * of it, as it happens to be at hand. Where the upper half is 0 they are the same: for
 * programs, which compare pointers, and for user space, which follows them.
 */
#define HEAP_ADDR	0x40000000

#define PATH_WORDS	32
#define MAX_ROWS	256

/* A path that was opened. */
struct entry {
	struct arena_list_head lru;	/* the one that was opened last comes first */
	struct arena_htab_node node;	/* by a hash of the path */
	__u64 count;
	__u64 last;			/* of bpf_ktime_get_boot_ns() */
	__u64 comm[2];			/* who opened it last */
	__u32 held;			/* user space is reading it: not to be freed */
	__u32 len;			/* of the path, with the 0 at its end */
	__u64 path[];
};

/*
 * Programs change all of it, under the lock. User space asks a program for rows, reads
 * them in place, and gives them back: entries that are held stay where they are.
 */
struct cache {
	arena_spinlock_t lock;
	struct arena_heap heap;
	struct arena_htab index;
	struct arena_list_head lru;
	__u64 entries;

	__u64 found;		/* opens of a path that was in the cache */
	__u64 added;		/* of one that was not, and is now */
	__u64 evicted;		/* for another one */
	__u64 dropped;		/* opens missed: no lock in time, no memory, a long path */

	/* The path that is being opened, padded with 0 to words. */
	__u64 path[PATH_WORDS];
	__u32 len;

	__u32 nr_rows;		/* of row[], 0 before hold() */
	struct entry __arena *row[MAX_ROWS];
};

struct hold_args {
	__u32 rows;
};

#endif /* __ARENA_HEAP_H */
