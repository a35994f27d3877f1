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

static int __arena_global hidden2 = 22;
int __arena_global in_second = 2;

int add_in_second(int value)
{
	int __arena *second = &in_second;
	int __arena *hidden = &hidden2;

	cast_kern(second);
	cast_kern(hidden);

	*second += value;
	return *second + *hidden;
}

char _license[] SEC("license") = "GPL";
