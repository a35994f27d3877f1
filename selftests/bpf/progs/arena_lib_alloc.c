// SPDX-License-Identifier: GPL-2.0
/* Heaps in an arena: of pages that programs allocate, and of a range. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

#define ARENA_PAGES	18000

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ARENA_PAGES);
} arena SEC(".maps");

#include "arena_lib_alloc.h"

struct arena_heap __arena_global heaps[HEAPS];
struct slot __arena_global slots[OWNERS * SLOTS];

/* Not the arena's: that each run has one of its own must not depend on it. */
struct alloc_run runs[OWNERS];
__u32 turns;
__u32 heap_nr;
__u64 ticks;

__u32 range_first, range_pages;

/* Objects of this size, each with the address of the one before */
__u32 count_size;
__u64 counted;
__u64 last;

/* Two programs, each on its CPU, and what interrupts them there */
enum owner {
	IN_SYSCALL,
	IN_XDP,
	IN_INTERRUPT,
};

static __always_inline struct arena_heap __arena *the_heap(void)
{
	return &heaps[heap_nr % HEAPS];
}

/* Global functions: what they do is no part of the loops that call them. */
__noinline int one_op(__u32 owner)
{
	struct alloc_run run;

	if (owner >= OWNERS)
		return 1;
	run = runs[owner];
	alloc_op(the_heap(), &slots[owner * SLOTS], &run);
	runs[owner] = run;
	return 0;
}

__noinline int empty_slot(__u32 nr)
{
	struct alloc_run run = {};

	if (slots[nr].obj)
		alloc_put(the_heap(), &slots[nr], &run);
	return run.damaged || run.refused;
}

static __always_inline void some_ops(enum owner owner, __u32 cnt)
{
	__u32 nr = owner * 2 + (bpf_get_smp_processor_id() & 1);
	int i;

	bpf_for(i, 0, cnt)
		one_op(nr);
}

SEC("syscall")
int in_syscall(void *ctx)
{
	some_ops(IN_SYSCALL, turns);
	return 0;
}

SEC("xdp")
int in_xdp(struct xdp_md *ctx)
{
	some_ops(IN_XDP, turns);
	return 0;
}

SEC("perf_event")
int in_interrupt(void *ctx)
{
	some_ops(IN_INTERRUPT, 3);
	__sync_fetch_and_add(&ticks, 1);
	return 0;
}

/* Free all there is, and give all pages back that can be. */
SEC("syscall")
int clean_up(void *ctx)
{
	int i, wrong = 0;

	bpf_for(i, 0, OWNERS * SLOTS)
		wrong |= empty_slot(i);
	arena_heap_trim(the_heap());
	return wrong;
}

/* Also those of the globals: user space, and not a program, makes new ones of them. */
SEC("syscall")
int free_pages(void *ctx)
{
	bpf_arena_free_pages(&arena, arena_base(&arena), ARENA_PAGES);
	return 0;
}

SEC("syscall")
int make_range(void *ctx)
{
	return arena_heap_init_range(the_heap(), arena_base(&arena) + range_first * 1UL * PAGE_SIZE,
				     range_pages);
}

__noinline int take_one(void)
{
	__u64 __arena *obj = arena_malloc(the_heap(), count_size);

	if (!obj)
		return 0;
	*obj = last;
	last = (__u64)obj;
	counted++;
	return 1;
}

__noinline int free_one(void)
{
	__u64 __arena *obj = (__u64 __arena *)last;

	if (!obj)
		return 0;
	last = *obj;
	return !arena_free(the_heap(), obj);
}

/* How many objects of a size are there, if there is nothing else? */
SEC("syscall")
int count(void *ctx)
{
	int i;

	counted = 0;
	bpf_for(i, 0, 1 << 23)
		if (!take_one())
			break;
	bpf_for(i, 0, 1 << 23)
		if (!free_one())
			break;
	arena_heap_trim(the_heap());
	return !!last;
}

char _license[] SEC("license") = "GPL";
