// SPDX-License-Identifier: GPL-2.0
/* BPF's side of a sparse array in an arena. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
} arena SEC(".maps");

#include "arena_lib_xarray.h"

struct array __arena_global shared;

SEC("syscall")
int steps(struct lib_run *run)
{
	lib_run_steps(run, array_step, &shared);
	return 0;
}

char _license[] SEC("license") = "GPL";
