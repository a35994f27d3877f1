/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A hash table with chains in an arena, for BPF and user space alike.
 *
 * The verifier wants to see that every loop ends: a chain has HTAB_CHAIN nodes
 * at most, and whoever adds one to a longer chain is told that it is full.
 *
 * Callers serialise their changes to a table.
 */
#ifndef __ARENA_HTAB_H
#define __ARENA_HTAB_H

#include "bpf_arena_common.h"

#define HTAB_BITS	10
#define HTAB_SIZE	1024
#define HTAB_CHAIN	64

struct htab_node {
	struct htab_node __arena *next;
	__u64 key;
};

struct htab {
	struct htab_node __arena *bucket[HTAB_SIZE];
};

/* The start of the chain for @key. */
static inline struct htab_node __arena *__arena *
htab_bucket(struct htab __arena *htab, __u64 key)
{
	/* Multiplied by 2^64 over the golden ratio, near keys scatter. */
	return &htab->bucket[(key * 0x9e3779b97f4a7c15ULL) >> (64 - HTAB_BITS)];
}

/*
 * Where the link to the node with @key is, or would be: at a NULL at the
 * chain's end. Returns NULL if the chain is full and has no such node.
 */
static inline struct htab_node __arena *__arena *
htab_slot(struct htab __arena *htab, __u64 key)
{
	struct htab_node __arena *__arena *slot = htab_bucket(htab, key);

	for (int i = 0; i < HTAB_CHAIN; i++) {
		struct htab_node __arena *node = *slot;

		if (!node || node->key == key)
			return slot;
		slot = &node->next;
	}
	return NULL;
}

static inline struct htab_node __arena *htab_find(struct htab __arena *htab,
						  __u64 key)
{
	struct htab_node __arena *__arena *slot = htab_slot(htab, key);

	return slot ? *slot : NULL;
}

#endif /* __ARENA_HTAB_H */
