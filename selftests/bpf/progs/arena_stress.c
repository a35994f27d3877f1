// SPDX-License-Identifier: GPL-2.0
/*
 * An arena under stress from programs of several kinds, which pass pages on to each
 * other. In a strict arena a page has one owner, so what he wrote must be there until
 * he frees it, and nothing when he gets it. In the other everybody touches and frees
 * what he likes.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_stress.h"

#define CLOCK_MONOTONIC	1
#define TIMER_NS	(20 * 1000 * 1000)
#define STASH		64
#define BUNCH		4	/* pages of an allocation */

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
} arena SEC(".maps");

struct timer_elem {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct timer_elem);
} timers SEC(".maps");

struct stress_tally tally[NR_WHERE];
/* Tags of what is allocated: who takes one out owns the pages. */
__u64 stash[STASH];
__u64 base;
__u32 pages;
bool strict;
bool stop;
__u32 syscalls, switches;

static __always_inline __u64 load(__u64 addr)
{
	__u64 __arena *p = (__u64 __arena *)addr;

	cast_kern(p);
	return READ_ONCE(*p);
}

static __always_inline void store(__u64 addr, __u64 val)
{
	__u64 __arena *p = (__u64 __arena *)addr;

	cast_kern(p);
	WRITE_ONCE(*p, val);
}

static __always_inline void count(__u64 *counter, __u64 n)
{
	__sync_fetch_and_add(counter, n);
}

static __always_inline bool foreign(__u64 page, __u64 word)
{
	return word && STRESS_TAG_ADDR(word) != page;
}

/* A page of ours still has our tag. */
static __always_inline bool is_shared(__u64 page, __u64 tag)
{
	__u64 first = load(page + STRESS_FIRST);
	__u64 middle = load(page + STRESS_MIDDLE);
	__u64 last = load(page + STRESS_LAST);

	if (strict)
		return first != tag || middle != tag || last != tag;
	return foreign(page, first) || foreign(page, middle) || foreign(page, last);
}

static __always_inline bool is_dirty(__u64 page)
{
	__u64 words = load(page + STRESS_DIRT_1) | load(page + STRESS_DIRT_2) |
		      load(page + STRESS_DIRT_3);

	/* Where everybody writes, a tag may be there already. */
	if (strict)
		words |= load(page + STRESS_FIRST) | load(page + STRESS_MIDDLE) |
			 load(page + STRESS_LAST);
	return words;
}

static __always_inline void set_tag(__u64 page, __u64 tag)
{
	store(page + STRESS_FIRST, tag);
	store(page + STRESS_MIDDLE, tag);
	store(page + STRESS_LAST, tag);
}

static __always_inline void set_dirt(__u64 page)
{
	store(page + STRESS_DIRT_1, ~0ULL);
	store(page + STRESS_DIRT_2, ~0ULL);
	store(page + STRESS_DIRT_3, ~0ULL);
}

/* The low bits of the first page's tag say how many pages there are. */
static __always_inline void give_back(struct stress_tally *t, __u64 tag)
{
	__u64 page = STRESS_TAG_ADDR(tag);
	__u32 cnt = tag % PAGE_SIZE, i;

	for (i = 0; i < BUNCH && i < cnt; i++) {
		if (is_shared(page + i * PAGE_SIZE, tag + i * PAGE_SIZE))
			count(&t->shared, 1);
		/* Another may have it already, if this arena is not strict. */
		if (strict)
			set_dirt(page + i * PAGE_SIZE);
	}
	bpf_arena_free_pages(&arena, (void __arena *)page, cnt);
	count(&t->freed, cnt);
}

static __always_inline __u64 random_page(void)
{
	return base + (__u64)(bpf_get_prandom_u32() % pages) * PAGE_SIZE;
}

/* Returns a tag, or 0. */
static __always_inline __u64 take(struct stress_tally *t, __u32 random)
{
	__u32 cnt = random % 4 ? 1 : BUNCH, i;
	__u64 at = random & 16 ? random_page() : 0;
	__u64 page, tag;

	page = (__u64)bpf_arena_alloc_pages(&arena, (void __arena *)at, cnt, NUMA_NO_NODE, 0);
	if (!page) {
		count(&t->none, 1);
		return 0;
	}
	count(&t->got, cnt);
	tag = page | cnt | (__u64)(random >> 17) << 48;
	for (i = 0; i < BUNCH && i < cnt; i++) {
		if (is_dirty(page + i * PAGE_SIZE))
			count(&t->dirty, 1);
		set_tag(page + i * PAGE_SIZE, tag + i * PAGE_SIZE);
	}
	return tag;
}

static __always_inline void reserve(struct stress_tally *t)
{
	__u64 at = random_page();

	if (bpf_arena_reserve_pages(&arena, (void __arena *)at, 2))
		return;
	bpf_arena_free_pages(&arena, (void __arena *)at, 2);
	count(&t->reserved, 2);
}

static __always_inline void visit(enum stress_where where)
{
	struct stress_tally *t = &tally[where];
	__u32 random = bpf_get_prandom_u32();
	__u64 *slot = &stash[random >> 8 & (STASH - 1)];
	__u64 tag, page;

	if (READ_ONCE(stop))
		return;
	count(&t->runs, 1);

	tag = __sync_lock_test_and_set(slot, 0);
	if (tag)
		give_back(t, tag);
	tag = take(t, random);
	if (tag && __sync_val_compare_and_swap(slot, 0, tag))
		give_back(t, tag);

	page = random_page();
	if (foreign(page, load(page)))
		count(&t->shared, 1);
	if (random & 0x60)
		return;
	reserve(t);
	if (!strict)
		bpf_arena_free_pages(&arena, (void __arena *)random_page(), 1 + random % 16);
}

SEC("syscall")
int in_syscall(struct stress_op *op)
{
	switch (op->code) {
	case STRESS_VISIT:
		visit(IN_SYSCALL);
		break;
	case STRESS_ALLOC:
		op->ret = (__u64)bpf_arena_alloc_pages(&arena, (void __arena *)op->addr, op->cnt,
						       NUMA_NO_NODE, 0);
		break;
	case STRESS_FREE:
		bpf_arena_free_pages(&arena, (void __arena *)op->addr, op->cnt);
		break;
	case STRESS_LOAD:
		op->ret = load(op->addr);
		break;
	case STRESS_STORE:
		store(op->addr, op->val);
		break;
	}
	return 0;
}

SEC("xdp")
int in_xdp(struct xdp_md *ctx)
{
	visit(IN_XDP);
	return XDP_PASS;
}

/* Also run by itself, on whichever CPU */
SEC("raw_tp/sys_enter")
int in_raw_tp(void *ctx)
{
	if (!(__sync_fetch_and_add(&syscalls, 1) % 16))
		visit(IN_RAW_TP);
	return 0;
}

/* With the lock of a run queue held */
SEC("raw_tp/sched_switch")
int in_switch(void *ctx)
{
	if (!(__sync_fetch_and_add(&switches, 1) % 16))
		visit(IN_SWITCH);
	return 0;
}

SEC("perf_event")
int in_perf_event(void *ctx)
{
	visit(IN_PERF_EVENT);
	return 0;
}

static int timer_callback(void *map, int *key, struct timer_elem *elem)
{
	visit(IN_TIMER);
	if (!READ_ONCE(stop))
		bpf_timer_start(&elem->timer, TIMER_NS, 0);
	return 0;
}

SEC("syscall")
int start_timer(void *ctx)
{
	struct timer_elem *elem;
	int key = 0;

	elem = bpf_map_lookup_elem(&timers, &key);
	if (!elem || bpf_timer_init(&elem->timer, &timers, CLOCK_MONOTONIC))
		return 1;
	bpf_timer_set_callback(&elem->timer, timer_callback);
	return bpf_timer_start(&elem->timer, TIMER_NS, 0);
}

char _license[] SEC("license") = "GPL";
