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
 *
 * Bounds. A tree is at most ARENA_XA_HEIGHT nodes high, 11, whatever it says itself, and
 * what loads, stores and erases looks at no more than two slots of each; to see whether nodes
 * are empty now, erasing looks at all their slots. arena_xa_find() goes down, up to where
 * there is more, and down again: by at most 33 nodes, with 64 slots each. All of that is
 * counted by iterators, and takes no turns of the program's budget (see can_loop). In a tree
 * that somebody has made a ring of it is the same, and finds anything or nothing. A walk over
 * all entries would not end there: it looks at as many nodes as it takes to find so many
 * entries as there are by the array's count, and in a program at no more than
 * 4 * ARENA_WALK_MAX, 65536 if it does not say otherwise (see bpf_arena_common.h).
 */
#ifndef __BPF_ARENA_XARRAY_H
#define __BPF_ARENA_XARRAY_H

#include "bpf_arena_alloc.h"

#define ARENA_XA_BITS		6
#define ARENA_XA_SLOTS		64	/* 2 to the power of that */
#define ARENA_XA_HEIGHT		11	/* times ARENA_XA_BITS is 64 or more */
#define ARENA_XA_FIND_NODES	(3 * ARENA_XA_HEIGHT)	/* down, up, and down again */

struct arena_xa_node {
	void __arena *slot[ARENA_XA_SLOTS];
};

struct arena_xarray {
	struct arena_heap __arena *heap;
	void __arena *head;	/* the root */
	__u64 bits;		/* of an index, that the tree has nodes for */
	__u64 entries;		/* how many there are */
};

/**
 * arena_xa_for_each() - walk an array
 * @xa: the array, to which nothing is stored meanwhile but to what is there
 * @index: a __u64, where the entry is
 * @entry: the entry, a pointer into the arena; NULL after the last one. If the walk was
 *	   ended before, and not by the program, there may be no entry where it points to
 */
#define arena_xa_for_each(xa, index, entry)				\
	for (__u64 __left = __arena_xa_walk_nodes(xa),			\
	     __found = (index = 0, __arena_xa_find(xa, &(index), &__left)); \
	     (entry = __found ? (void __arena *)__found : __arena_xa_end(xa, __left), \
	      __found) && can_loop;					\
	     __found = ++(index) ? __arena_xa_find(xa, &(index), &__left) : 0)

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
 * How far a search for the next entry has come: to slot @from of @node, whose slots are told
 * apart by the upper ones of the lower @bits of the index. The node above one of so many bits
 * is in @above. Before the first node and after the last one @node is 0.
 */
struct arena_xa_search {
	__u64 index;
	__u64 node;
	__u64 bits;
	__u64 from;
	__u64 above[16];
};

static __always_inline __u64 __arena_xa_slot_nr(__u64 index, __u64 bits)
{
	return (index >> (bits & 63)) % ARENA_XA_SLOTS;
}

/* One node on, down or up. Returns the entry if it has come to one. */
arena_global_func __u64 __arena_xa_step(struct arena_xa_search *at)
{
	struct arena_xa_node __arena *node;
	__u64 low, slot, i;

	if (!at)
		return 0;
	node = (struct arena_xa_node __arena *)at->node;
	i = __arena_xa_scan(node, at->from);
	if (i == ARENA_XA_SLOTS) {
		at->from = __arena_xa_slot_nr(at->index, at->bits) + 1;
		at->node = at->above[at->bits / ARENA_XA_BITS % 16];
		at->bits += ARENA_XA_BITS;
		return 0;
	}
	low = at->bits - ARENA_XA_BITS;
	slot = __arena_xa_slot_nr(at->index, low);
	if (i != slot)
		at->index = ((at->index >> (low & 63)) - slot + i) << (low & 63);
	at->above[low / ARENA_XA_BITS % 16] = at->node;
	at->from = __arena_xa_slot_nr(at->index, low - ARENA_XA_BITS);
	at->node = (__u64)node->slot[i % ARENA_XA_SLOTS];
	at->bits = low;
	return low ? 0 : at->node;
}

/* As arena_xa_find(), in @left nodes, from which those are taken that it looks at. */
arena_global_func __u64 __arena_xa_find(struct arena_xarray __arena *xa __arg_arena,
					__u64 *index, __u64 *left)
{
	struct arena_xa_search at = {};
	__u64 entry;
	int turn;

	if (!index || !left || !__arena_xa_covers(xa, *index))
		return 0;
	at.index = *index;
	at.node = (__u64)xa->head;
	at.bits = xa->bits;
	at.from = __arena_xa_slot_nr(at.index, at.bits - ARENA_XA_BITS);
	bpf_for(turn, 0, ARENA_XA_FIND_NODES) {
		if (!at.node || !*left)
			return 0;
		--*left;
		entry = __arena_xa_step(&at);
		if (entry) {
			*index = at.index;
			return entry;
		}
	}
	return 0;
}

/* How many nodes a walk looks at: as many as finds of all entries, and some at its end. */
static __always_inline __u64 __arena_xa_walk_nodes(struct arena_xarray __arena *xa)
{
	__u64 most = 4ULL * ARENA_WALK_MAX;
	__u64 entries = xa->entries;

	return entries < most / ARENA_XA_FIND_NODES ? (entries + 2) * ARENA_XA_FIND_NODES : most;
}

/* For a walk that has found nothing: is that the end, or may it look at no more nodes? */
static __always_inline void __arena *__arena_xa_end(struct arena_xarray __arena *xa, __u64 left)
{
	return left ? NULL : (void __arena *)xa;
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
	__u64 left = ARENA_XA_FIND_NODES;

	return (void __arena *)__arena_xa_find(xa, index, &left);
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
		xa->entries--;
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
	if (!*slot)
		xa->entries++;
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
