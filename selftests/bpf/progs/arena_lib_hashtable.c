// SPDX-License-Identifier: GPL-2.0
/* BPF's side of a hash table in an arena. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1000);
} arena SEC(".maps");

#include "arena_lib_hashtable.h"

struct table __arena_global shared;

SEC("syscall")
int steps(struct lib_run *run)
{
	lib_run_steps(run, table_step, &shared);
	return 0;
}

char _license[] SEC("license") = "GPL";
