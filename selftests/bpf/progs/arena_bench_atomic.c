// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations of programs that must not sleep, in a context of a process and in
 * a hard interrupt; see arena_bench.c.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
} arena SEC(".maps");

__u32 ops, pages;
__u64 result;

/* The shortest run, and how many there were */
__u64 best, runs;

static int alloc_free_one(__u32 i, void *ctx)
{
	void __arena *p = bpf_arena_alloc_pages(&arena, NULL, pages, NUMA_NO_NODE, 0);

	if (!p)
		return 1;
	bpf_arena_free_pages(&arena, p, pages);
	return 0;
}

SEC("tc")
int alloc_free_tc(void *ctx)
{
	result = bpf_loop(ops, alloc_free_one, NULL, 0);
	return 0;
}

SEC("perf_event")
int alloc_free_irq(void *ctx)
{
	__u64 start = bpf_ktime_get_ns(), elapsed;

	result = bpf_loop(ops, alloc_free_one, NULL, 0);
	elapsed = bpf_ktime_get_ns() - start;
	if (elapsed < best)
		best = elapsed;
	runs++;
	return 0;
}

char _license[] SEC("license") = "GPL";
