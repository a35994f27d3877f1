// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

/* An arena without globals. */
struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
} plain_arena SEC(".maps");

__u64 page;

SEC("syscall")
int alloc_page(void *ctx)
{
	__u64 __arena *p;

	p = bpf_arena_alloc_pages(&plain_arena, NULL, 1, NUMA_NO_NODE, 0);
	if (!p)
		return 1;

	page = (__u64)p;
	cast_kern(p);
	*p = 42;
	return 0;
}

char _license[] SEC("license") = "GPL";
