// SPDX-License-Identifier: GPL-2.0
/* BPF's side of a tree in an arena. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "arena_lib_rbtree.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 100);
} arena SEC(".maps");

struct tree __arena_global shared;

SEC("syscall")
int steps(struct lib_run *run)
{
	lib_run_steps(run, tree_step, &shared);
	return 0;
}

char _license[] SEC("license") = "GPL";
