// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/*
 * A global in a section whose name the test changes to .addr_space.1, to get
 * an object with __arena globals and no arena, which no skeleton can have.
 */
int global SEC(".data.arena_1") = 1;

SEC("syscall")
int use_global(void *ctx)
{
	return global;
}

char _license[] SEC("license") = "GPL";
