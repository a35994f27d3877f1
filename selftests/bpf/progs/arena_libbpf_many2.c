// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_libbpf_many.h"

struct many_arena arena __weak SEC(".maps");

static char __arena_global pushed = 'p';
struct item __arena *__arena_global list;
__u64 __arena_global total = 1000;

/* Prepends an item, on a page of its own. */
__noinline int push(__u64 value)
{
	struct item __arena *__arena *listp = &list;
	struct item __arena *new, *item;
	__u64 __arena *totalp = &total;
	char __arena *pushedp = &pushed;

	new = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
	if (!new)
		return -1;
	cast_kern(listp);
	cast_kern(totalp);
	cast_kern(pushedp);
	item = new;
	cast_kern(item);

	(*pushedp)++;
	item->value = value;
	item->next = *listp;
	*listp = new;
	*totalp += value;
	return 0;
}

char _license[] SEC("license") = "GPL";
