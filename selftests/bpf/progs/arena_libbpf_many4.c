// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_libbpf_many.h"

extern struct many_arena arena SEC(".maps");

/* Calls functions of other objects, with an arena that it only declares. */
__noinline int push_two(__u64 value)
{
	void __arena *page;

	page = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
	if (!page)
		return -1;
	bpf_arena_free_pages(&arena, page, 1);
	return push(value) ?: push(value + 1);
}

char _license[] SEC("license") = "GPL";
