/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ARENA_CONTEXT_H
#define __ARENA_CONTEXT_H

#define ARENA_CONTEXT_PAGES	256
/* Each context reserves a page of its own, out of the way of the allocations. */
#define ARENA_CONTEXT_RESERVED	128

enum arena_where {
	IN_SYSCALL,
	IN_LOOP,
	IN_TIMER,
	IN_XDP,
	IN_TC,
	IN_SOCKET,
	IN_CGROUP_SKB,
	IN_CGROUP_SOCK,
	IN_SOCKOPS,
	IN_KPROBE,
	IN_KRETPROBE,
	IN_FENTRY,
	IN_FENTRY_SLEEPABLE,
	IN_FEXIT,
	IN_RAW_TP,
	IN_TP,
	IN_TP_BTF,
	IN_IPI,
	IN_PERF_EVENT,
	IN_NMI,
	IN_LSM,
	IN_LSM_SLEEPABLE,
	IN_ITER,
	IN_STRUCT_OPS,
	IN_FREPLACE,
	/* paths that the arena itself takes */
	ON_PAGE_ALLOC,
	ON_PAGE_ALLOC_LOCKED,
	ON_PAGE_FREE,
	ON_PAGE_DRAIN,
	ON_ALLOC_PATH,
	ON_UNMAP,
	ON_QUEUE_WORK,
	ON_QUEUE_WORK_LOCKED,
	ON_IRQ_WORK,
	ON_TLB_FLUSH,
	ON_KERNEL_TLB_FLUSH,
	ON_SWITCH,
	ON_CONTENTION,
	ON_RSS,
	NR_CONTEXTS,
};

/* What a context has seen of the arena. */
struct arena_tally {
	__u64 runs;
	__u64 got;	/* a page: zero, kept what was written to it */
	__u64 none;	/* no page */
	__u64 bad;	/* dirty, shared or reserved by somebody else */
};

#endif /* __ARENA_CONTEXT_H */
