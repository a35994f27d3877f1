// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_insns_cpu_v4.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
} arena SEC(".maps");

struct insns_data __arena_global data;

SEC("syscall")
int compute(struct insns_args *args)
{
	insns_compute(args, &data);
	return 0;
}

char _license[] SEC("license") = "GPL";
