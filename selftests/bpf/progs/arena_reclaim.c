// SPDX-License-Identifier: GPL-2.0
/* Works on an arena in the middle of reclaim, where inodes are evicted. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_arena_common.h"
#include "arena_reclaim.h"

#define PF_MEMALLOC	0x800
/* Pages that share a page table */
#define TABLE_PAGES	512

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 18);
} arena SEC(".maps");

__u64 base;
__u32 nr_tables;	/* page tables that the arena has: frees go through all of them */
__u32 nr_pages;		/* allocations, through these pages */
__u32 what;

__u64 calls;
__u64 frees;
__u64 got;
__u64 none;
static __u64 turn;

/* A page of each table in turn: the one that user space touches */
static __always_inline void free_one(__u64 nr)
{
	__u64 addr = base + nr % nr_tables * TABLE_PAGES * PAGE_SIZE;

	bpf_arena_free_pages(&arena, (void __arena *)addr, 1);
	__sync_fetch_and_add(&frees, 1);
}

/* Some of the pages that share the first table */
static __always_inline void alloc_one(__u64 nr)
{
	__u64 addr = base + (1 + nr % nr_pages) * PAGE_SIZE;

	if (bpf_arena_alloc_pages(&arena, (void __arena *)addr, 1, NUMA_NO_NODE, 0))
		__sync_fetch_and_add(&got, 1);
	else
		__sync_fetch_and_add(&none, 1);
}

/* In a task that does not reclaim */
SEC("syscall")
int free_all(void *ctx)
{
	bpf_arena_free_pages(&arena, (void __arena *)(base + PAGE_SIZE), nr_pages);
	return 0;
}

SEC("lsm.s/inode_free_security")
int BPF_PROG(inode_free, struct inode *inode)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 nr;

	if (!(task->flags & PF_MEMALLOC) || !nr_tables || !nr_pages)
		return 0;
	nr = __sync_fetch_and_add(&turn, 1);
	__sync_fetch_and_add(&calls, 1);
	if (what & ARENA_RECLAIM_FREE)
		free_one(nr);
	if (what & ARENA_RECLAIM_ALLOC)
		alloc_one(nr);
	return 0;
}

char _license[] SEC("license") = "GPL";
