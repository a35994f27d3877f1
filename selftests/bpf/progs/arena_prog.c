// SPDX-License-Identifier: GPL-2.0
/*
 * A program as its author would write it: a list and a global in the arena.
 *
 * Compiled twice: by a clang that knows address spaces, and as
 * arena_prog_old_clang.c by one that needs the casts spelled out.
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

#define PER_PAGE	4	/* so that a short list has many pages */
#define MAX_NODES	500

struct node {
	struct node __arena *next;
	__u64 value;
};

/* What the test passes and gets back. */
struct args {
	__u64 cnt;
	__u64 head;
	__u64 sum;
	__u64 global;
	__u64 global_addr;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1000);
} arena SEC(".maps");

__u64 __arena_global number = 7;
struct node __arena *__arena_global list;

/* cnt nodes, of which the last is the list's first */
SEC("syscall")
int build(struct args *args)
{
	struct node __arena *page = NULL, *node, *head = NULL;
	struct node __arena *__arena *where = &list;
	__u64 i;

	for (i = 0; i < args->cnt && i < MAX_NODES; i++) {
		if (i % PER_PAGE == 0)
			page = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
		if (!page)
			return 1;
		node = page + i % PER_PAGE;
		cast_kern(node);
		node->value = i;
		node->next = head;
		cast_user(node);
		head = node;
	}
	cast_kern(where);
	*where = head;
	args->head = (__u64)head;
	return 0;
}

SEC("syscall")
int walk(struct args *args)
{
	struct node __arena *__arena *where = &list;
	struct node __arena *node;
	__u64 i, sum = 0;

	cast_kern(where);
	node = *where;
	for (i = 0; node && i < 2 * MAX_NODES; i++) {
		cast_kern(node);
		sum += node->value;
		node = node->next;
	}
	args->cnt = i;
	args->sum = sum;
	return 0;
}

/* Gives back the pages of the list that build() made. */
SEC("syscall")
int drop(struct args *args)
{
	struct node __arena *__arena *where = &list;
	struct node __arena *node, *next;
	__u64 i;

	cast_kern(where);
	node = *where;
	*where = NULL;
	for (i = 0; node && i < MAX_NODES; i++) {
		next = node;
		cast_kern(next);
		next = next->next;
		if (!((__u64)node & (PAGE_SIZE - 1)))
			bpf_arena_free_pages(&arena, node, 1);
		node = next;
	}
	args->cnt = i;
	return 0;
}

SEC("syscall")
int count(struct args *args)
{
	__u64 __arena *p = &number;

	cast_kern(p);
	*p += 1;
	args->global = *p;
	cast_user(p);
	args->global_addr = (__u64)p;
	return 0;
}

char _license[] SEC("license") = "GPL";
