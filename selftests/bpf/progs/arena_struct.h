/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A hash table whose elements also form a list, in an arena: this code runs on
 * both sides. A pointer that is followed is cast to kernel, one that is stored
 * is cast to user; in user space, and with a compiler that knows, that is nothing.
 */
#ifndef __ARENA_STRUCT_H
#define __ARENA_STRUCT_H

#include "bpf_arena_common.h"

/* The table is in a page that user space touches first. */
#define TABLE_OFF	(200 * PAGE_SIZE)

#define BUCKETS		64
#define MAX_CHAIN	256
#define MAX_ELEMS	2000

struct elem {
	struct elem __arena *chain;
	struct elem __arena *next;
	__u64 key;
	__u64 value;
};

struct table {
	struct elem __arena *bucket[BUCKETS];
	struct elem __arena *first;
	__u64 elems;
	struct elem __arena *room;	/* where the next element goes */
	__u64 room_left;		/* how many more fit */
};

static inline __u32 bucket_of(__u64 key)
{
	return key * 0x9e3779b97f4a7c15ULL >> 58;
}

/* The element with this key, as a pointer to follow; NULL when there is none. */
static inline struct elem __arena *table_find(struct table __arena *t, __u64 key)
{
	struct elem __arena *e;
	int i;

	cast_kern(t);
	e = t->bucket[bucket_of(key)];
	for (i = 0; e && i < MAX_CHAIN; i++) {
		cast_kern(e);
		if (e->key == key)
			return e;
		e = e->chain;
	}
	return NULL;
}

/* An element is added to the head of its bucket and of the list. */
static inline int table_add(struct table __arena *t, __u64 key, __u64 value)
{
	struct elem __arena *e, *e_user;
	__u32 bucket = bucket_of(key);

	cast_kern(t);
	if (!t->room_left)
		return -1;
	e_user = t->room;
	t->room = e_user + 1;
	t->room_left--;
	e = e_user;
	cast_kern(e);
	e->key = key;
	e->value = value;
	e->chain = t->bucket[bucket];
	e->next = t->first;
	t->bucket[bucket] = e_user;
	t->first = e_user;
	t->elems++;
	return 0;
}

/* Takes an element out of its bucket; it stays in the list. */
static inline int table_unchain(struct table __arena *t, __u64 key)
{
	struct elem __arena *e, *prev = NULL;
	__u32 bucket = bucket_of(key);
	int i;

	cast_kern(t);
	e = t->bucket[bucket];
	for (i = 0; e && i < MAX_CHAIN; i++) {
		cast_kern(e);
		if (e->key == key) {
			if (prev)
				prev->chain = e->chain;
			else
				t->bucket[bucket] = e->chain;
			t->elems--;
			return 0;
		}
		prev = e;
		e = e->chain;
	}
	return -1;
}

#endif /* __ARENA_STRUCT_H */
