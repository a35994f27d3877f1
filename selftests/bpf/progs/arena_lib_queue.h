/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers that are queued, and what is to be seen of them at the other end. */
#ifndef __ARENA_LIB_QUEUE_H
#define __ARENA_LIB_QUEUE_H

#include "bpf_arena_queue.h"
#include "arena_lib_random.h"

#define ORDER		8
#define QUEUE_PHASE	1500	/* operations until it is full, or empty */
#define PRODUCERS	8
#define CONSUMERS	4

/* What one producer has queued: its own numbers 1, 2, 3, ... */
struct produced {
	__u64 last;
	__u64 full;
};

/* What one consumer got. */
struct consumed {
	__u64 last[PRODUCERS];
	__u64 cnt[PRODUCERS];
	__u64 sum[PRODUCERS];
	__u64 disorder;
};

struct queue_object {
	__u64 value;
};

struct queue_run {
	__u64 random;
	__u64 hash;
	__u64 next;
};

/* Returns whether there was room. */
static inline int queue_produce(struct arena_queue __arena *queue, __u32 id,
				struct produced *p)
{
	if (arena_queue_push_value(queue, id << 28 | (p->last + 1))) {
		p->full++;
		return 0;
	}
	p->last++;
	return 1;
}

/* Returns whether there was something. */
static inline int queue_consume(struct arena_queue __arena *queue, struct consumed *c)
{
	__u32 value = arena_queue_pop_value(queue), id = value >> 28;
	__u32 number = value & 0xfffffff;

	if (!value)
		return 0;
	if (id >= PRODUCERS || number <= c->last[id % PRODUCERS]) {
		c->disorder++;
		return 1;
	}
	c->last[id] = number;
	c->sum[id] += number;
	c->cnt[id]++;
	return 1;
}

/* A push or a pop, by chance, and what it returned. By turns it fills up and runs dry. */
static inline __u64 queue_op(struct arena_queue __arena *queue, struct queue_run *run)
{
	__u64 random = arena_lib_random(&run->random);

	if ((random >> 32) % 8 < (run->next / QUEUE_PHASE % 2 ? 3 : 6))
		return arena_queue_push_value(queue, ++run->next);
	if (random >> 63)
		return arena_queue_length(queue);
	return arena_queue_pop_value(queue) + ++run->next;
}

#endif
