// SPDX-License-Identifier: GPL-2.0
/* BPF's side of a hash table in an arena. */
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "arena_struct.h"

/* What the test passes and gets back. */
struct args {
	__u64 from;
	__u64 cnt;
	__u64 sum;
	__u64 failed;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1000);
} arena SEC(".maps");

/* Not inline: a map pointer and a field's offset must stay one instruction. */
static __noinline struct table __arena *table(void)
{
	return arena_base(&arena) + TABLE_OFF;
}

static int add_one(__u32 i, void *data)
{
	struct args *args = data;
	struct table __arena *t = table();
	__u64 key = args->from + i;

	cast_kern(t);
	if (!t->room_left) {
		t->room = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
		t->room_left = t->room ? PAGE_SIZE / sizeof(struct elem) : 0;
	}
	t = table();
	/*
	 * No "if () failed++" in these: a compiler that knows no address spaces
	 * would merge it with an increment in the arena into one instruction.
	 */
	args->failed -= table_add(t, key, key * key);
	return 0;
}

static int find_one(__u32 i, void *data)
{
	struct args *args = data;
	struct table __arena *t = table();
	__u64 key = args->from + i;
	struct elem __arena *e;

	e = table_find(t, key);
	args->sum += e ? e->value : 0;
	args->failed += !e;
	return 0;
}

static int unchain_one(__u32 i, void *data)
{
	struct args *args = data;
	struct table __arena *t = table();

	args->failed -= table_unchain(t, args->from + i);
	return 0;
}

/* Callbacks write to the stack, not to the context. */
static __always_inline int for_keys(struct args *args, void *fn)
{
	struct args on_stack = *args;

	bpf_loop(on_stack.cnt, fn, &on_stack, 0);
	args->sum = on_stack.sum;
	args->failed = on_stack.failed;
	return 0;
}

SEC("syscall")
int add(struct args *args)
{
	return for_keys(args, add_one);
}

SEC("syscall")
int find(struct args *args)
{
	return for_keys(args, find_one);
}

SEC("syscall")
int unchain(struct args *args)
{
	return for_keys(args, unchain_one);
}

SEC("syscall")
int walk(struct args *args)
{
	struct table __arena *t = table();
	struct elem __arena *e;
	__u64 i, sum = 0;

	cast_kern(t);
	e = t->first;
	for (i = 0; e && i < MAX_ELEMS; i++) {
		cast_kern(e);
		sum += e->value;
		e = e->next;
	}
	args->cnt = i;
	args->sum = sum;
	return 0;
}

char _license[] SEC("license") = "GPL";
