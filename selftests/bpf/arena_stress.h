/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ARENA_STRESS_H
#define __ARENA_STRESS_H

/* Where programs of the stress test run */
enum stress_where {
	IN_SYSCALL,
	IN_XDP,
	IN_RAW_TP,
	IN_SWITCH,
	IN_PERF_EVENT,
	IN_TIMER,
	NR_WHERE,
};

struct stress_tally {
	__u64 runs;
	__u64 got;	/* pages */
	__u64 none;	/* allocations that failed */
	__u64 freed;
	__u64 reserved;
	__u64 dirty;	/* error: a new page was not zero */
	__u64 shared;	/* error: a page holds what belongs at another offset */
};

enum stress_code {
	STRESS_VISIT,	/* what all programs do */
	STRESS_ALLOC,	/* cnt pages at addr, or anywhere */
	STRESS_FREE,	/* cnt pages at addr */
	STRESS_LOAD,	/* the u64 at addr */
	STRESS_STORE,	/* val to the u64 at addr */
};

struct stress_op {
	__u64 code;
	__u64 addr;
	__u64 cnt;
	__u64 val;
	__u64 ret;
};

/*
 * A page is marked with a tag in three words: the address of the page, and in the
 * other bits who has it. A word with a tag that names another page has been written
 * at that one's offset.
 */
#define STRESS_TAG_ADDR(tag)	((tag) & 0x0000fffffffff000ULL)
#define STRESS_FIRST		0
#define STRESS_MIDDLE		2040
#define STRESS_LAST		4088

/* Nobody tags these; where pages have one owner, he leaves dirt there. */
#define STRESS_DIRT_1		8
#define STRESS_DIRT_2		1024
#define STRESS_DIRT_3		4072

#endif /* __ARENA_STRESS_H */
