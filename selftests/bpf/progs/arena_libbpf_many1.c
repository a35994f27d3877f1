// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_libbpf_many.h"

struct many_arena arena SEC(".maps");

/*
 * The program. It uses globals of the other objects and has none: .addr_space.1 is
 * a section of its BTF, but none of its ELF file. Returns 0, or what went wrong.
 */
SEC("syscall")
int run_library(void *ctx)
{
	struct item __arena *__arena *listp = &list;
	struct item __arena *page;
	__u64 __arena *totalp = &total;
	char __arena *oddp = odd;

	page = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
	if (!page)
		return 1;
	cast_kern(listp);
	cast_kern(totalp);
	cast_kern(oddp);

	if (*totalp != 1000 || *listp)
		return 2;
	if (oddp[0] != 'o' || oddp[1] != 'd' || oddp[2] != 'd')
		return 3;
	if (push(1) || push_two(20))
		return 4;
	if (*totalp != 1000 + 1 + 20 + 21)
		return 5;
	if (sum_of(*listp) != 1 + 20 + 21)
		return 6;
	if (oddp[0] != 'O')
		return 7;
	return 0;
}

char _license[] SEC("license") = "GPL";
