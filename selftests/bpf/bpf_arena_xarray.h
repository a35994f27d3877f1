/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A sparse array in an arena: pointers by numbers of 64 bits, like those of
 * include/linux/xarray.h.
 *
 *	struct arena_xarray __arena_global array;
 *	struct arena_heap __arena_global heap;
 *
 *	arena_xa_init(&array, &heap);
 *	if (arena_xa_store(&array, inode, file))
 *		there is no memory, or not now: it is not stored
 *	file = arena_xa_load(&array, inode);
 *	arena_xa_for_each(&array, inode, file)
 *		sum += file->size;
 *	if (file)
 *		not all of them: the kernel has ended the loop
 *	arena_xa_erase(&array, inode);
 *
 * It is a tree of nodes of 64 pointers, 512 bytes each, from the heap; as high as the
 * largest index needs, and without empty nodes. Indices that are close together share
 * nodes: single ones that are far apart take up to eleven nodes each. What is stored need
 * not be a pointer: any value but 0 will do, cast to one.
 *
 * Concurrency. Changes exclude each other and all that looks at the array: take a lock
 * around them, like that of bpf_arena_spin_lock.h, as nodes are freed when they are empty.
 * No function takes turns of the program's budget (see can_loop): they are bounded by the
 * height, and counted by iterators.
 */
#ifndef __BPF_ARENA_XARRAY_H
#define __BPF_ARENA_XARRAY_H

#include "bpf_arena_alloc.h"

#ifndef ENOMEM
#define ENOMEM			12
#endif

#define ARENA_XA_BITS		6
#define ARENA_XA_SLOTS		64	/* 2 to the power of that */
#define ARENA_XA_HEIGHT		11	/* times ARENA_XA_BITS is 64 or more */

struct arena_xa_node {
	void __arena *slot[ARENA_XA_SLOTS];
};

struct arena_xarray {
	struct arena_heap __arena *heap;
	void __arena *head;	/* the root */
	__u64 bits;		/* of an index, that the tree has nodes for */
};

/**
 * arena_xa_for_each() - walk an array
 * @xa: the array, to which nothing is stored meanwhile but to what is there
 * @index: a __u64, where the entry is
 * @entry: the entry, a pointer into the arena; NULL after the last one
 */
#define arena_xa_for_each(xa, index, entry)				\
	for (index = 0, entry = arena_xa_find(xa, &(index));		\
	     (entry) && can_loop;					\
	     entry = ++(index) ? arena_xa_find(xa, &(index)) : NULL)

/**
 * arena_xa_init() - give an array memory
 * @xa: the array, which is zeroed
 * @heap: where its nodes come from
 */
static inline void arena_xa_init(struct arena_xarray __arena *xa,
				 struct arena_heap __arena *heap)
{
	xa->heap = heap;
}

static inline int __arena_xa_covers(struct arena_xarray __arena *xa, __u64 index)
{
	return xa->bits >= 64 || !(index >> xa->bits);
}

static inline void __arena *__arena *
__arena_xa_slot_of(void __arena *ptr, __u64 index, __u32 bits)
{
	struct arena_xa_node __arena *node = (struct arena_xa_node __arena *)ptr;

	return &node->slot[(index >> (bits & 63)) % ARENA_XA_SLOTS];
}

/*
 * The global functions below are verified once each, for all that they can be called
 * with, and pass pointers as numbers: followed from every place that calls them, and in
 * every turn of a loop, they would be too much for the verifier.
 */

/* Where the entry of @index is, or would be; 0 if there is no such place yet. */
arena_global_func __u64 __arena_xa_slot(struct arena_xarray __arena *xa __arg_arena, __u64 index)
{
	void __arena *__arena *slot = &xa->head;
	__u32 bits = xa->bits;
	int turn;

	if (!__arena_xa_covers(xa, index))
		return 0;
	bpf_for(turn, 0, ARENA_XA_HEIGHT) {
		if (!*slot)
			return 0;
		bits -= ARENA_XA_BITS;
		slot = __arena_xa_slot_of(*slot, index, bits);
		if (!bits)
			return (__u64)slot;
	}
	return 0;
}

/**
 * arena_xa_load() - get an entry
 * @xa: the array
 * @index: where it is
 *
 * Return: NULL if there is none
 */
static inline void __arena *arena_xa_load(struct arena_xarray __arena *xa, __u64 index)
{
	void __arena *__arena *slot = (void __arena *__arena *)__arena_xa_slot(xa, index);

	return slot ? *slot : NULL;
}

/* The first slot from @begin on that is taken, or ARENA_XA_SLOTS. */
arena_global_func int __arena_xa_scan(void __arena *node __arg_arena, int begin)
{
	int i;

	bpf_for(i, begin, ARENA_XA_SLOTS)
		if (((struct arena_xa_node __arena *)node)->slot[i & (ARENA_XA_SLOTS - 1)])
			return i;
	return ARENA_XA_SLOTS;
}

/*
 * How far a search for the next entry has come: all entries before @index are done
 * with, and @node is on the way to it, with @bits of the index left; or 0: at the root.
 */
struct arena_xa_search {
	__u64 index;
	__u64 node;
	__u64 bits;
};

/* One node on. Returns the entry if this is it. It ends at the root with index 0. */
arena_global_func __u64 __arena_xa_step(struct arena_xa_search *at)
{
	struct arena_xa_node __arena *node;
	__u64 bits, from, i;

	if (!at)
		return 0;
	bits = at->bits;
	node = (struct arena_xa_node __arena *)at->node;
	from = (at->index >> ((bits - ARENA_XA_BITS) & 63)) % ARENA_XA_SLOTS;
	i = __arena_xa_scan(node, from);
	if (i == ARENA_XA_SLOTS) {
		at->index = bits < 64 ? ((at->index >> (bits & 63)) + 1) << (bits & 63) : 0;
		at->node = 0;
		return 0;
	}
	bits = (bits - ARENA_XA_BITS) & 63;
	if (i != from)
		at->index = ((at->index >> bits) - from + i) << bits;
	at->node = (__u64)node->slot[i % ARENA_XA_SLOTS];
	at->bits = bits;
	return bits ? 0 : at->node;
}

/* As arena_xa_find(). */
arena_global_func __u64 __arena_xa_find(struct arena_xarray __arena *xa __arg_arena,
					__u64 *index)
{
	struct arena_xa_search at = {};
	__u64 entry;
	int turn;

	if (!index)
		return 0;
	at.index = *index;
	/* Where a node has no more, the way goes from the root to what comes next. */
	bpf_for(turn, 0, ARENA_XA_HEIGHT * ARENA_XA_HEIGHT) {
		if (!at.node) {
			if ((turn && !at.index) || !xa->head || !__arena_xa_covers(xa, at.index))
				return 0;
			at.node = (__u64)xa->head;
			at.bits = xa->bits;
		}
		entry = __arena_xa_step(&at);
		if (entry) {
			*index = at.index;
			return entry;
		}
	}
	return 0;
}

/**
 * arena_xa_find() - find the next entry
 * @xa: the array
 * @index: where to begin; where it was found
 *
 * Return: the entry at @index, or else the next one after it; NULL if there is none
 */
static inline void __arena *arena_xa_find(struct arena_xarray __arena *xa, __u64 *index)
{
	return (void __arena *)__arena_xa_find(xa, index);
}

arena_global_func __u64 __arena_xa_new_node(struct arena_heap __arena *heap __arg_arena)
{
	struct arena_xa_node __arena *node;
	int i;

	node = (struct arena_xa_node __arena *)arena_malloc(heap, sizeof(*node));
	if (!node)
		return 0;
	bpf_for(i, 0, ARENA_XA_SLOTS)
		WRITE_ONCE(node->slot[i & (ARENA_XA_SLOTS - 1)], NULL);
	return (__u64)node;
}

/* Free one node on the way to @index that is empty, the lowest one. Was there one? */
arena_global_func int __arena_xa_prune(struct arena_xarray __arena *xa __arg_arena, __u64 index)
{
	void __arena *__arena *lowest = NULL;
	void __arena *__arena *slot = &xa->head;
	void __arena *node;
	__u32 bits = xa->bits;
	int turn;

	bpf_for(turn, 0, ARENA_XA_HEIGHT) {
		if (!bits || !*slot)
			break;
		lowest = slot;
		bits -= ARENA_XA_BITS;
		slot = __arena_xa_slot_of(*slot, index, bits);
	}
	if (!lowest)
		return 0;
	node = *lowest;
	if (__arena_xa_scan(node, 0) != ARENA_XA_SLOTS)
		return 0;
	*lowest = NULL;
	arena_free(xa->heap, node);
	return 1;
}

/* Make the tree lower if there is nothing but small indices. Was it so? */
arena_global_func int __arena_xa_lower(struct arena_xarray __arena *xa __arg_arena)
{
	void __arena *head = xa->head;

	if (!head) {
		xa->bits = 0;
		return 0;
	}
	if (xa->bits <= ARENA_XA_BITS || __arena_xa_scan(head, 1) != ARENA_XA_SLOTS)
		return 0;
	xa->head = ((struct arena_xa_node __arena *)head)->slot[0];
	xa->bits -= ARENA_XA_BITS;
	arena_free(xa->heap, head);
	return 1;
}

/* There is no entry at @index: free what is there only for its sake. */
static inline void __arena_xa_tidy(struct arena_xarray __arena *xa, __u64 index)
{
	int turn;

	bpf_for(turn, 0, ARENA_XA_HEIGHT)
		if (!__arena_xa_prune(xa, index))
			break;
	bpf_for(turn, 0, ARENA_XA_HEIGHT)
		if (!__arena_xa_lower(xa))
			break;
}

/* As arena_xa_erase(). */
arena_global_func __u64 __arena_xa_erase(struct arena_xarray __arena *xa __arg_arena, __u64 index)
{
	void __arena *__arena *slot = (void __arena *__arena *)__arena_xa_slot(xa, index);
	__u64 entry = slot ? (__u64)*slot : 0;

	if (entry) {
		*slot = NULL;
		__arena_xa_tidy(xa, index);
	}
	return entry;
}

/**
 * arena_xa_erase() - take an entry out
 * @xa: the array
 * @index: where it is
 *
 * Return: what was there, NULL if nothing was
 */
static inline void __arena *arena_xa_erase(struct arena_xarray __arena *xa, __u64 index)
{
	return (void __arena *)__arena_xa_erase(xa, index);
}

/* One level more; an empty tree needs no node for it. */
static inline int __arena_xa_raise(struct arena_xarray __arena *xa)
{
	struct arena_xa_node __arena *node;

	if (xa->head) {
		node = (struct arena_xa_node __arena *)__arena_xa_new_node(xa->heap);
		if (!node)
			return -ENOMEM;
		node->slot[0] = xa->head;
		xa->head = node;
	}
	xa->bits += ARENA_XA_BITS;
	return 0;
}

/* Make it high enough, and all nodes that lead to @index. */
static inline int __arena_xa_populate(struct arena_xarray __arena *xa, __u64 index)
{
	void __arena *__arena *slot;
	__u32 bits;
	int turn;

	bpf_for(turn, 0, ARENA_XA_HEIGHT) {
		if (xa->bits && __arena_xa_covers(xa, index))
			break;
		if (__arena_xa_raise(xa))
			return -ENOMEM;
	}
	slot = &xa->head;
	bits = xa->bits;
	bpf_for(turn, 0, ARENA_XA_HEIGHT) {
		if (!*slot)
			*slot = (void __arena *)__arena_xa_new_node(xa->heap);
		if (!*slot)
			return -ENOMEM;
		bits -= ARENA_XA_BITS;
		if (!bits)
			break;
		slot = __arena_xa_slot_of(*slot, index, bits);
	}
	return 0;
}

/* As arena_xa_store(). */
arena_global_func int __arena_xa_store(struct arena_xarray __arena *xa __arg_arena, __u64 index,
				       __u64 entry)
{
	void __arena *__arena *slot = (void __arena *__arena *)__arena_xa_slot(xa, index);

	if (!slot) {
		if (__arena_xa_populate(xa, index)) {
			__arena_xa_tidy(xa, index);
			return -ENOMEM;
		}
		slot = (void __arena *__arena *)__arena_xa_slot(xa, index);
		if (!slot)
			return -ENOMEM;
	}
	*slot = (void __arena *)entry;
	return 0;
}

/**
 * arena_xa_store() - store an entry
 * @xa: the array
 * @index: where
 * @entry: the entry, which takes the place of what was there; not NULL
 *
 * Return: 0, or -ENOMEM, and nothing is changed
 */
static inline int arena_xa_store(struct arena_xarray __arena *xa, __u64 index,
				 void __arena *entry)
{
	return __arena_xa_store(xa, index, (__u64)entry);
}

#endif /* __BPF_ARENA_XARRAY_H */
