// SPDX-License-Identifier: GPL-2.0
#include <test_progs.h>

/* The skeletons need these to be defined. */
struct elem {
	__u64 value;
	struct elem *next;
};

struct list {
	struct elem *head;
};

/*
 * An object's skeleton and its subskeleton can't be in one file. These two
 * objects come from one source, so that one's subskeleton finds its variables
 * in the other.
 */
#include "arena_libbpf.skel.h"
#include "arena_libbpf_old_clang.subskel.h"

void test_arena_libbpf_subskel(void)
{
	struct arena_libbpf_old_clang *sub;
	struct arena_libbpf *skel;

	skel = arena_libbpf__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open_and_load"))
		return;
	sub = arena_libbpf_old_clang__open(skel->obj);
	if (!ASSERT_OK_PTR(sub, "open_subskeleton"))
		goto out;

	ASSERT_EQ((__u64)sub->arena.first, (__u64)&skel->arena->first, "first");
	ASSERT_EQ((__u64)sub->arena.list, (__u64)&skel->arena->list, "list");
	ASSERT_EQ((__u64)sub->arena.sum, (__u64)&skel->arena->sum, "sum");
	arena_libbpf_old_clang__destroy(sub);
out:
	arena_libbpf__destroy(skel);
}
