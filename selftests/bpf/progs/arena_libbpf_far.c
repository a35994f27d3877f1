// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

/* 4 GiB, where an offset takes all of an instruction's 32 bits. */
struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 20);
} arena SEC(".maps");

char __arena_global near_start[16];
char __arena_global variable[8];

/* What a compiler makes of the end of an array of more than 3 GiB. */
SEC("syscall")
int write_far(void *ctx)
{
	__u64 __arena *p;

	asm volatile("%[p] = variable + 0xe0000000 ll" : [p] "=r"(p));
	cast_kern(p);
	*p = 42;
	return 0;
}

char _license[] SEC("license") = "GPL";
