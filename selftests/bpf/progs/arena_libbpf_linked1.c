// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_libbpf_linked.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
} linked_arena __weak SEC(".maps");

static int __arena_global hidden1 = 11;
int __arena_global in_first = 1;
char __arena_global odd_size = 3;

SEC("syscall")
int use_both(void *ctx)
{
	int __arena *second = &in_second;
	int __arena *hidden = &hidden1;
	int __arena *first = &in_first;
	void *map = &linked_arena;

	/* a program that casts has to name its arena */
	asm volatile("" :: "r"(map));
	cast_kern(second);
	cast_kern(hidden);
	cast_kern(first);

	*first += *hidden;
	*second += 100;
	return add_in_second(1000);
}

char _license[] SEC("license") = "GPL";
