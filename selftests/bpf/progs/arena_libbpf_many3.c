// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_libbpf_many.h"

struct many_arena arena __weak SEC(".maps");

char __arena_global odd[3] = { 'o', 'd', 'd' };
static __u64 __arena_global sums = 10;

/* Adds up a list, in a page of its own. */
__noinline __u64 sum_of(struct item __arena *first __arg_arena)
{
	struct item __arena *item = first;
	__u64 __arena *sump = &sums;
	__u64 __arena *page, *tmp;
	char __arena *oddp = odd;
	__u64 sum;
	int i;

	page = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
	if (!page)
		return 0;
	cast_kern(oddp);
	cast_kern(sump);
	tmp = page;
	cast_kern(tmp);

	for (i = 0; i < 4 && item; i++) {
		cast_kern(item);
		*tmp += item->value;
		item = item->next;
	}
	sum = *tmp;
	bpf_arena_free_pages(&arena, page, 1);
	oddp[0] = 'O';
	(*sump)++;
	return sum;
}

char _license[] SEC("license") = "GPL";
