/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ARENA_CONTEXT_VISIT_H
#define __ARENA_CONTEXT_VISIT_H

#include "bpf_arena_common.h"
#include "arena_context.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ARENA_CONTEXT_PAGES);
} arena SEC(".maps");

struct arena_tally tally[NR_CONTEXTS];
__u64 user_base;

static __always_inline bool page_works(__u64 page, __u64 tag)
{
	__u64 __arena *p = (__u64 __arena *)page;
	__u64 before, after;

	cast_kern(p);
	before = READ_ONCE(*p);
	WRITE_ONCE(*p, tag);
	after = READ_ONCE(*p);
	return before == 0 && after == tag;
}

/* Allocates, uses and frees a page, then reserves one and gives it back. */
static __always_inline void visit(enum arena_where where)
{
	struct arena_tally *t = &tally[where];
	__u64 run, page, own;
	int err;

	run = __sync_fetch_and_add(&t->runs, 1);
	page = (__u64)bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
	if (page) {
		if (page_works(page, run << 8 | where | 1))
			__sync_fetch_and_add(&t->got, 1);
		else
			__sync_fetch_and_add(&t->bad, 1);
		bpf_arena_free_pages(&arena, (void __arena *)page, 1);
	} else {
		__sync_fetch_and_add(&t->none, 1);
	}

	own = user_base + (ARENA_CONTEXT_RESERVED + where) * PAGE_SIZE;
	err = bpf_arena_reserve_pages(&arena, (void __arena *)own, 1);
	if (!err)
		bpf_arena_free_pages(&arena, (void __arena *)own, 1);
	else if (err != -EBUSY && err != -ENOMEM)
		/* not the same context on another CPU, nor an empty stock */
		__sync_fetch_and_add(&t->bad, 1);
}

#endif /* __ARENA_CONTEXT_VISIT_H */
