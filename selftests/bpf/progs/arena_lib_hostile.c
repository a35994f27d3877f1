// SPDX-License-Identifier: GPL-2.0
/* What programs do with structures in an arena that are not what they should be. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1000);
} arena SEC(".maps");

#include "arena_lib_hostile.h"

struct hostile __arena_global shared;
struct hostile_run run;

static int less(struct arena_rb_node __arena *a, const struct arena_rb_node __arena *b)
{
	return to_elem(a)->key < to_elem(b)->key;
}

static int compare(__u64 a, __u64 b)
{
	return a < b ? -1 : a > b;
}

static int cmp_key(const void *key, const struct arena_rb_node __arena *node)
{
	return compare(*(const __u64 *)key, to_elem(node)->key);
}

static int cmp_node(struct arena_rb_node __arena *a, const struct arena_rb_node __arena *b)
{
	return compare(to_elem(a)->key, to_elem(b)->key);
}

/* Functions of their own are verified once each. They count, or say where, or return an errno. */

__weak __u64 htab_possible(__u64 hash)
{
	struct elem __arena *e;
	__u64 cnt = 0;

	arena_htab_for_each_possible(&shared.htab, e, hash, node)
		cnt++;
	return cnt;
}

__weak __u64 htab_add(__u64 hash)
{
	return arena_htab_add(&shared.htab, &shared.spare.node, hash);
}

__weak __u64 htab_walk(__u64 any)
{
	struct elem __arena *e;
	__u64 cnt = 0;

	arena_htab_for_each(&shared.htab, e, node)
		cnt++;
	return cnt;
}

static __always_inline __u64 htab_ops(__u32 op, __u64 key)
{
	switch (op) {
	case HTAB_FIND:
		return (__u64)arena_htab_find(&shared.htab, key * STRIDE);
	case HTAB_FIND_NEXT:
		return (__u64)arena_htab_find_next(&shared.elem[1].node);
	case HTAB_POSSIBLE:
		return htab_possible(key * STRIDE);
	case HTAB_ADD:
		return htab_add(key * STRIDE);
	case HTAB_DEL:
		return arena_htab_del(&shared.htab, &shared.spare.node);
	case HTAB_WALK:
		return htab_walk(key);
	}
	return arena_htab_trim(&shared.htab);
}

__weak __u64 list_walk(__u64 any)
{
	struct elem __arena *e;
	__u64 cnt = 0;

	arena_list_for_each_entry(e, &shared.list, link)
		cnt++;
	return cnt;
}

__weak __u64 list_reverse(__u64 any)
{
	struct elem __arena *e;
	__u64 cnt = 0;

	arena_list_for_each_entry_reverse(e, &shared.list, link)
		cnt++;
	return cnt;
}

__weak __u64 list_safe(__u64 any)
{
	struct elem __arena *e, *n;
	__u64 cnt = 0;

	arena_list_for_each_entry_safe(e, n, &shared.list, link)
		cnt++;
	return cnt;
}

__weak __u64 hlist_walk(__u64 any)
{
	struct elem __arena *e;
	__u64 cnt = 0;

	arena_hlist_for_each_entry(e, &shared.hlist, hlink)
		cnt++;
	return cnt;
}

__weak __u64 hlist_safe(__u64 any)
{
	struct elem __arena *e, *n;
	__u64 cnt = 0;

	arena_hlist_for_each_entry_safe(e, n, &shared.hlist, hlink)
		cnt++;
	return cnt;
}

__weak __u64 rb_find(__u64 key)
{
	return (__u64)arena_rb_find(&key, &shared.tree, cmp_key);
}

__weak __u64 rb_add(__u64 key)
{
	shared.spare.key = key;
	return arena_rb_add(&shared.spare.rb, &shared.tree, less);
}

__weak __u64 rb_find_add(__u64 key)
{
	shared.spare.key = key;
	return (__u64)arena_rb_find_add(&shared.spare.rb, &shared.tree, cmp_node);
}

__weak __u64 rb_erase(__u64 key)
{
	arena_rb_erase(&shared.elem[key % NR_ELEMS].rb, &shared.tree);
	return 0;
}

__weak __u64 rb_ends(__u64 any)
{
	return (__u64)arena_rb_first(&shared.tree) | (__u64)arena_rb_last(&shared.tree);
}

__weak __u64 rb_neighbours(__u64 key)
{
	struct arena_rb_node __arena *node = &shared.elem[key % NR_ELEMS].rb;

	return (__u64)arena_rb_next(node) | (__u64)arena_rb_prev(node);
}

__weak __u64 rb_walk(__u64 any)
{
	struct arena_rb_node __arena *node;
	__u64 cnt = 0;

	arena_rb_for_each(node, &shared.tree)
		cnt += !!node;
	return cnt;
}

__weak __u64 xa_find(__u64 index)
{
	return (__u64)arena_xa_find(&shared.array, &index);
}

__weak __u64 xa_walk(__u64 any)
{
	void __arena *entry;
	__u64 index, cnt = 0;

	arena_xa_for_each(&shared.array, index, entry)
		cnt += !!entry;
	return cnt;
}

static __always_inline __u64 do_op(__u32 op, __u64 key)
{
	switch (op) {
	case LIST_WALK:
		return list_walk(key);
	case LIST_REVERSE:
		return list_reverse(key);
	case LIST_SAFE:
		return list_safe(key);
	case HLIST_WALK:
		return hlist_walk(key);
	case HLIST_SAFE:
		return hlist_safe(key);
	case RB_FIND:
		return rb_find(key);
	case RB_ADD:
		return rb_add(key);
	case RB_FIND_ADD:
		return rb_find_add(key);
	case RB_ERASE:
		return rb_erase(key);
	case RB_ENDS:
		return rb_ends(key);
	case RB_NEIGHBOURS:
		return rb_neighbours(key);
	case RB_WALK:
		return rb_walk(key);
	case XA_LOAD:
		return (__u64)arena_xa_load(&shared.array, key);
	case XA_FIND:
		return xa_find(key);
	case XA_STORE:
		return arena_xa_store(&shared.array, key, (void __arena *)1);
	case XA_ERASE:
		return (__u64)arena_xa_erase(&shared.array, key);
	case XA_WALK:
		return xa_walk(key);
	}
	return htab_ops(op, key);
}

/* Does it, and sees how much of the budget of turns is left. */
static __always_inline void do_run(void)
{
	__u64 begin = bpf_ktime_get_ns(), turns = 0;

	run.ret = do_op(run.op, run.key);
	run.ns = bpf_ktime_get_ns() - begin;
	arena_forget(turns, begin);
	while (turns < TURNS_LEFT && can_loop)
		turns++;
	run.turns = turns;
	__sync_fetch_and_add(&run.done, 1);
}

SEC("syscall")
int in_syscall(void *ctx)
{
	do_run();
	return 0;
}

SEC("xdp")
int in_xdp(struct xdp_md *ctx)
{
	do_run();
	return XDP_PASS;
}

/* A heap begins with pages that are not there. */
SEC("syscall")
int free_heap(void *ctx)
{
	bpf_arena_free_pages(&arena, (void __arena *)&shared + HEAP_AT, HEAP_PAGES);
	return 0;
}

#define do_in_softirq()	do_run()
#include "arena_lib_softirq.h"

char _license[] SEC("license") = "GPL";
