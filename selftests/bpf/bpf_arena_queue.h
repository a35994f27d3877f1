/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A bounded queue in an arena, first in, first out, from any number of producers to any
 * number of consumers: BPF programs of all types, and user space, either way round. What
 * is queued are pointers to objects in the arena, or numbers of 32 bits other than 0.
 *
 *	__u64 __arena_global slots[ARENA_QUEUE_SLOTS(10)];	1024 of them
 *	struct arena_queue __arena_global queue;
 *
 *	arena_queue_init(&queue, slots, 10);
 *
 *	if (arena_queue_push(&queue, event))
 *		arena_free(&heap, event);			it is full: count it
 *
 *	while ((event = arena_queue_pop(&queue)))		user space, now and then
 *		...
 *
 * Nobody waits for anybody. There is no time between a reservation and a commit in which
 * a producer could be interrupted, or die, and block the others: an object is written
 * before it is queued, and a single compare-and-exchange puts it into its slot. That the
 * end of the queue has moved is a second step, which the next one does who finds that it
 * was not done. The same goes for consumers. So a push may interrupt a push, or a pop, on
 * the same CPU, in an NMI too; and who dies in the middle loses what he had himself.
 *
 * Who has queued an object does not own it any more. What a producer wrote to it before,
 * the consumer sees. Consumers poll: there is nothing to sleep on in an arena.
 */
#ifndef __BPF_ARENA_QUEUE_H
#define __BPF_ARENA_QUEUE_H

#include "bpf_arena_atomic.h"

#ifndef __BPF__
#include <errno.h>
#endif

#ifndef EBUSY
#define EBUSY	16
#endif
#ifndef EINVAL
#define EINVAL	22
#endif
#ifndef ENOSPC
#define ENOSPC	28
#endif

#define ARENA_QUEUE_SLOTS(order)	((__u64)1 << (order))
#define ARENA_QUEUE_MAX_ORDER		28

/*
 * Positions are counted on and on; the slot is what is left of one in the modulus, and
 * the lap the rest. A slot has the lap for which it is, in the upper half, and what is
 * queued, or 0, in the lower one. So who comes too late, with a position of an earlier
 * lap, finds another word than he expects.
 */
struct arena_queue {
	__u64 __arena *slots;

	__u64 order;
	__u64 pad[6];	/* producers and consumers have a cache line each */
	__u64 tail;	/* where to push */
	__u64 more_pad[7];
	__u64 head;	/* where to pop */
};

static inline __u64 __arena *arena_queue_slot(struct arena_queue __arena *queue, __u64 pos)
{
	return &queue->slots[pos & (ARENA_QUEUE_SLOTS(queue->order) - 1)];
}

static inline __u32 arena_queue_lap(struct arena_queue __arena *queue, __u64 pos)
{
	return pos >> queue->order;
}

/* Each failed attempt is another's success: it takes many others to use these up. */
#define ARENA_QUEUE_TRIES	1000

/**
 * arena_queue_init() - make an empty queue
 * @queue: the queue, in the arena
 * @slots: zeroed memory in the arena, ARENA_QUEUE_SLOTS(@order) words
 * @order: the logarithm of how many objects the queue can hold, 1 to 28
 *
 * Context: any, before anybody else uses the queue
 * Return: 0, or -EINVAL if @order is something else
 */
static inline int arena_queue_init(struct arena_queue __arena *queue, __u64 __arena *slots,
				   __u32 order)
{
	if (!order || order > ARENA_QUEUE_MAX_ORDER)
		return -EINVAL;
	queue->slots = slots;
	queue->order = order;
	queue->head = 0;
	arena_store_release(&queue->tail, 0);
	return 0;
}

/**
 * arena_queue_push_value() - queue a number
 * @queue: the queue
 * @value: the number, not 0
 *
 * Context: any
 * Return: 0, -EINVAL for 0, -ENOSPC if the queue is full, or -EBUSY if others were faster
 * a thousand times
 */
static inline int arena_queue_push_value(struct arena_queue __arena *queue, __u32 value)
{
	__u64 __arena *slot;
	__u64 pos, word;
	__s32 ahead;
	int i;

	if (!value)
		return -EINVAL;
	bpf_for(i, 0, ARENA_QUEUE_TRIES) {
		pos = arena_load_acquire(&queue->tail);
		slot = arena_queue_slot(queue, pos);
		word = arena_load_acquire(slot);
		ahead = (__u32)(word >> 32) - arena_queue_lap(queue, pos);
		if (!ahead && !(__u32)word) {
			if (__sync_val_compare_and_swap(slot, word, word | value) != word)
				continue;
			__sync_val_compare_and_swap(&queue->tail, pos, pos + 1);
			return 0;
		}
		/* What was queued there a lap ago is there still, unless @pos is outdated. */
		if (ahead < 0 && arena_load_acquire(&queue->tail) == pos)
			return -ENOSPC;
		/* Somebody has used the slot, and not moved the tail yet. */
		if (ahead >= 0)
			__sync_val_compare_and_swap(&queue->tail, pos, pos + 1);
	}
	return -EBUSY;
}

/**
 * arena_queue_pop_value() - take the oldest number
 * @queue: the queue
 *
 * Context: any
 * Return: the number, or 0 if the queue is empty (or others were faster a thousand times)
 */
static inline __u32 arena_queue_pop_value(struct arena_queue __arena *queue)
{
	__u64 __arena *slot;
	__u64 pos, word, next;
	__s32 ahead;
	int i;

	bpf_for(i, 0, ARENA_QUEUE_TRIES) {
		pos = arena_load_acquire(&queue->head);
		slot = arena_queue_slot(queue, pos);
		word = arena_load_acquire(slot);
		ahead = (__u32)(word >> 32) - arena_queue_lap(queue, pos);
		if (!ahead && (__u32)word) {
			next = ((word >> 32) + 1) << 32;
			if (__sync_val_compare_and_swap(slot, word, next) != word)
				continue;
			__sync_val_compare_and_swap(&queue->head, pos, pos + 1);
			return word;
		}
		/* Nothing was queued there in this lap yet, unless @pos is outdated. */
		if (ahead <= 0 && arena_load_acquire(&queue->head) == pos)
			return 0;
		/* Somebody has emptied the slot, and not moved the head yet. */
		if (ahead > 0)
			__sync_val_compare_and_swap(&queue->head, pos, pos + 1);
	}
	return 0;
}

/**
 * arena_queue_push() - queue an object
 * @queue: the queue
 * @ptr: an object in the same arena
 *
 * Context: any
 * Return: as of arena_queue_push_value()
 */
static inline int arena_queue_push(struct arena_queue __arena *queue, void __arena *ptr)
{
	/* All pointers into an arena have the upper half in common. */
	return arena_queue_push_value(queue, (__u32)(__u64)ptr);
}

/**
 * arena_queue_pop() - take the oldest object
 * @queue: the queue
 *
 * Context: any
 * Return: the object, or NULL as of arena_queue_pop_value()
 */
static inline void __arena *arena_queue_pop(struct arena_queue __arena *queue)
{
	__u64 base = (__u64)queue->slots & ~0xffffffffULL;
	__u32 value = arena_queue_pop_value(queue);

	return value ? (void __arena *)(base | value) : NULL;
}

/* How many are queued at the moment, or were when this began, or meanwhile */
static inline __u64 arena_queue_length(struct arena_queue __arena *queue)
{
	__u64 head = arena_load_acquire(&queue->head);
	__s64 length = arena_load_acquire(&queue->tail) - head;

	/* A pop may have been done before the tail was moved, and many since the head was read. */
	if (length > (__s64)ARENA_QUEUE_SLOTS(queue->order))
		return ARENA_QUEUE_SLOTS(queue->order);
	return length > 0 ? length : 0;
}

#endif /* __BPF_ARENA_QUEUE_H */
