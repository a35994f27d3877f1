// SPDX-License-Identifier: GPL-2.0
/* A heap for programs that must not sleep, on all kernels: its pages come ahead. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 8000);
} arena SEC(".maps");

#define ARENA_HEAP_FILLED
#define ARENA_SPIN_CALLS
#include "arena_lib_alloc.h"

#define FREE_PAGES	64

struct arena_heap __arena_global heap;
struct slot __arena_global slots[OWNERS * SLOTS];
arena_spinlock_t __arena_global lock;

struct alloc_run runs[OWNERS];
__u32 turns;
__u32 pages;
__u32 bring;
__u64 ticks;

/* Each of these is one program, on two CPUs. */
enum owner {
	IN_XDP,
	IN_INTERRUPT,
};

__noinline int one_op(__u32 owner)
{
	struct alloc_run run;

	if (owner >= OWNERS)
		return 1;
	run = runs[owner];
	alloc_op(&heap, &slots[owner * SLOTS], &run);
	runs[owner] = run;
	return 0;
}

__noinline int empty_slot(__u32 nr)
{
	struct alloc_run run = {};

	if (slots[nr].obj)
		alloc_put(&heap, &slots[nr], &run);
	return run.damaged || run.refused;
}

static __always_inline void some_ops(enum owner owner, __u32 cnt)
{
	__u32 nr = owner * 2 + (bpf_get_smp_processor_id() & 1);
	int i;

	if (arena_pages_nosleep() && bring)
		arena_heap_fill(&heap, FREE_PAGES);
	bpf_for(i, 0, cnt)
		one_op(nr);
}

/* Half of them with a lock held, as a structure that allocates may be used. */
SEC("xdp")
int in_xdp(struct xdp_md *ctx)
{
	int i;

	some_ops(IN_XDP, turns);
	bpf_for(i, 0, turns) {
		if (arena_spin_lock(&lock))
			continue;
		one_op(IN_XDP * 2 + (bpf_get_smp_processor_id() & 1));
		arena_spin_unlock(&lock);
	}
	return XDP_PASS;
}

SEC("perf_event")
int in_interrupt(void *ctx)
{
	some_ops(IN_INTERRUPT, 3);
	__sync_fetch_and_add(&ticks, 1);
	return 0;
}

SEC("syscall")
int fill(void *ctx)
{
	return arena_heap_fill(&heap, pages);
}

SEC("syscall")
int clean_up(void *ctx)
{
	int i, wrong = 0;

	bpf_for(i, 0, OWNERS * SLOTS)
		wrong |= empty_slot(i);
	arena_heap_trim(&heap);
	return wrong;
}

char _license[] SEC("license") = "GPL";
