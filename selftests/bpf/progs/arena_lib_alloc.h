/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random objects of a heap, each full of a number of its own: what programs and user
 * space do alike. Include it behind the map "arena".
 */
#ifndef __ARENA_LIB_ALLOC_H
#define __ARENA_LIB_ALLOC_H

#include "bpf_arena_alloc.h"
#include "arena_lib_random.h"

#define SLOTS		500
#define OWNERS		8

/* The first heap's pages are the arena's, the second one has a range, and so have others. */
#define QUESTIONS	4
#define HEAPS		(2 + QUESTIONS)

struct slot {
	__u64 __arena *obj;
	__u32 size;
	__u32 tag;
};

struct alloc_run {
	__u64 random;
	__u64 got;
	__u64 freed;
	__u64 failed;		/* NULL was returned */
	__u64 damaged;		/* somebody else wrote to it */
	__u64 refused;		/* free returned an error, or did not where it should */
};

/* Small ones mostly, sometimes a few pages, and rarely up to 1 MiB. */
static inline __u32 alloc_choose_size(__u64 random)
{
	__u32 r = random >> 32;

	if (r % 512 == 0)
		return 8 + (r >> 9) % (ARENA_MALLOC_MAX - 7);
	if (r % 16 == 0)
		return 8 + (r >> 9) % (3 * PAGE_SIZE);
	return 8 + (r >> 9) % (8 + (random & 1023));
}

/* All words of small ones, some of large ones */
static inline __u32 alloc_step(__u32 size)
{
	return size < 256 ? 1 : size / 8 / 16;
}

static inline void alloc_fill(const struct slot __arena *slot)
{
	__u64 __arena *obj = slot->obj;
	__u32 words = slot->size / 8, step = alloc_step(slot->size), w = 0;
	int i;

	bpf_for(i, 0, 64) {
		w = i * step;
		if (w >= words)
			break;
		obj[w] = (__u64)slot->tag << 32 | w;
	}
	obj[words - 1] = slot->tag;
}

static inline int alloc_is_damaged(const struct slot __arena *slot)
{
	__u64 __arena *obj = slot->obj;
	__u32 words = slot->size / 8, step = alloc_step(slot->size), w = 0;
	int i;

	bpf_for(i, 0, 64) {
		w = i * step;
		if (w >= words - 1)
			break;
		if (obj[w] != ((__u64)slot->tag << 32 | w))
			return 1;
	}
	return obj[words - 1] != slot->tag;
}

static inline void alloc_put(struct arena_heap __arena *heap, struct slot __arena *slot,
			     struct alloc_run *run)
{
	void __arena *obj = slot->obj;

	run->damaged += alloc_is_damaged(slot);
	/* inside of it there is no object */
	run->refused += arena_free(heap, obj + 4) != -EINVAL;
	slot->obj = NULL;
	run->refused += arena_free(heap, obj) != 0;
	run->freed++;
}

static inline void alloc_get(struct arena_heap __arena *heap, struct slot __arena *slot,
			     struct alloc_run *run, __u64 random)
{
	slot->size = alloc_choose_size(random) & ~7;
	slot->tag = random >> 20 | 1;
	slot->obj = arena_malloc(heap, slot->size);
	if (!slot->obj) {
		run->failed++;
		return;
	}
	alloc_fill(slot);
	run->got++;
}

/* An object for a slot that has none, or the end of the one it has */
static inline void alloc_op(struct arena_heap __arena *heap, struct slot __arena *slots,
			    struct alloc_run *run)
{
	__u64 random = arena_lib_random(&run->random);
	struct slot __arena *slot;

	/* By turns many slots are used, and few. */
	slot = &slots[(random >> 40) % (run->random >> 58 & 1 ? SLOTS / 20 : SLOTS)];
	if (slot->obj)
		alloc_put(heap, slot, run);
	else
		alloc_get(heap, slot, run, random);
}

#endif
