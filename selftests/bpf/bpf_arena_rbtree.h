/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Red-black trees in an arena, with the names and habits of include/linux/rbtree.h. The
 * links are plain pointers: a tree that one side builds the other one searches.
 *
 *	struct elem {
 *		struct arena_rb_node node;
 *		__u64 key;
 *	};
 *	struct arena_rb_root __arena_global tree;
 *
 *	#define to_elem(n)	arena_rb_entry(n, struct elem, node)
 *
 *	static int less(struct arena_rb_node __arena *a,
 *			 const struct arena_rb_node __arena *b)
 *	{
 *		return to_elem(a)->key < to_elem(b)->key;
 *	}
 *
 *	static int cmp(const void *key, const struct arena_rb_node __arena *n)
 *	{
 *		__u64 k = *(const __u64 *)key;
 *
 *		return k < to_elem(n)->key ? -1 : k > to_elem(n)->key;
 *	}
 *
 *	struct arena_rb_node __arena *n;
 *
 *	arena_rb_add(&new->node, &tree, less);
 *	n = arena_rb_find(&key, &tree, cmp);
 *	if (n)
 *		arena_rb_erase(n, &tree);
 *	arena_rb_for_each(n, &tree)
 *		sum += to_elem(n)->key;
 *	if (n)
 *		return -EAGAIN;			not all of them: see below
 *
 * A root of zeroes is an empty tree.
 *
 * Bounds. A tree of n nodes is at most 2 * log2(n + 1) high, and counts its nodes. What
 * searches it takes as many turns as that says, and never more than ARENA_RB_HEIGHT, 56,
 * whatever the count is; what balances it, and goes from one node to the next, at most 56. So
 * a tree that somebody has made a ring of costs 56 cache misses, some 5 us, and is answered
 * by NULL or -ELOOP. Turns are counted by iterators: they take nothing from the program's
 * budget (see can_loop), which could end a change half-way. A walk over all nodes comes by
 * each twice, up and down. It ends after twice as many turns as there are nodes by the tree's
 * count, and in a program after ARENA_WALK_MAX turns, 16384 if it does not say otherwise (see
 * bpf_arena_common.h): then, as when the kernel ends it, its variable is not NULL.
 *
 * Concurrency. Changes to a tree exclude each other and all that looks at it: take a lock
 * around them, like that of bpf_arena_spin_lock.h. To look for something without one does
 * no harm in a program, and none in user space as long as no node is freed: it ends, but
 * a rotation meanwhile may hide what is there.
 */
#ifndef __BPF_ARENA_RBTREE_H
#define __BPF_ARENA_RBTREE_H

#include "bpf_arena_atomic.h"

#ifndef ELOOP
#define ELOOP			40
#endif

/*
 * With n nodes it is at most 2 * log2(n + 1), and an arena of 4 GiB has room for fewer
 * than 2^28.
 */
#define ARENA_RB_HEIGHT		56

struct arena_rb_node {
	__u64 parent_red;	/* the address of the parent; the lowest bit: it is red */
	struct arena_rb_node __arena *child[2];	/* what is before it, what is after it */
};

struct arena_rb_root {
	struct arena_rb_node __arena *node;
	__u64 nodes;	/* how many there are */
};

#define __ARENA_RB_RED		1ULL

/**
 * arena_rb_entry() - the structure that a node is in
 * @ptr: the node; not NULL
 * @type: the structure, without __arena
 * @member: the node's name in it
 */
#define arena_rb_entry(ptr, type, member)				\
	((type __arena *)((char __arena *)(ptr) - offsetof(type, member)))

/**
 * arena_rb_parent() - the node above another one
 * @node: the node, in a tree
 *
 * Return: NULL if it is the root
 */
static inline struct arena_rb_node __arena *
arena_rb_parent(const struct arena_rb_node __arena *node)
{
	return (struct arena_rb_node __arena *)(node->parent_red & ~__ARENA_RB_RED);
}

/* What is not there is black. */
static inline int __arena_rb_is_red(const struct arena_rb_node __arena *node)
{
	return node && (node->parent_red & __ARENA_RB_RED);
}

static inline void __arena_rb_set_red(struct arena_rb_node __arena *node)
{
	node->parent_red |= __ARENA_RB_RED;
}

static inline void __arena_rb_set_black(struct arena_rb_node __arena *node)
{
	node->parent_red &= ~__ARENA_RB_RED;
}

static inline void __arena_rb_set_parent(struct arena_rb_node __arena *node,
					 struct arena_rb_node __arena *parent)
{
	node->parent_red = (__u64)parent | (node->parent_red & __ARENA_RB_RED);
}

/* In how many turns a search comes to the end of a tree: one more than it can be high. */
static inline int __arena_rb_turns(const struct arena_rb_root __arena *root)
{
	__u64 nodes = READ_ONCE(root->nodes);

	if (nodes >= 1ULL << (ARENA_RB_HEIGHT / 2 - 1))
		return ARENA_RB_HEIGHT;
	return 2 * (64 - __builtin_clzll(nodes + 1));
}

/* Which child of @parent it is. */
static inline int __arena_rb_side(const struct arena_rb_node __arena *node,
				  const struct arena_rb_node __arena *parent)
{
	return parent->child[1] == node;
}

/* Hang @new, which may be NULL, where @old hangs. */
static inline void __arena_rb_replace(struct arena_rb_root __arena *root,
				      struct arena_rb_node __arena *old,
				      struct arena_rb_node __arena *new)
{
	struct arena_rb_node __arena *parent = arena_rb_parent(old);

	if (new)
		__arena_rb_set_parent(new, parent);
	if (parent)
		WRITE_ONCE(parent->child[__arena_rb_side(old, parent)], new);
	else
		WRITE_ONCE(root->node, new);
}

/* Move @node down to @side; its child from the other side takes its place. */
static arena_noinline void __arena_rb_rotate(struct arena_rb_root __arena *root,
					     struct arena_rb_node __arena *node, int side)
{
	struct arena_rb_node __arena *up = node->child[!side];
	struct arena_rb_node __arena *inner = up->child[side];

	WRITE_ONCE(node->child[!side], inner);
	if (inner)
		__arena_rb_set_parent(inner, node);
	__arena_rb_replace(root, node, up);
	WRITE_ONCE(up->child[side], node);
	__arena_rb_set_parent(node, up);
}

/**
 * arena_rb_link_node() - put a node where there is none yet
 * @node: the node
 * @parent: the one above that place; NULL for the root
 * @link: the place: &parent->child[0], &parent->child[1] or &root->node
 *
 * For who searches the place without arena_rb_add(). Next comes arena_rb_insert_color().
 */
static inline void arena_rb_link_node(struct arena_rb_node __arena *node,
				      struct arena_rb_node __arena *parent,
				      struct arena_rb_node __arena *__arena *link)
{
	node->parent_red = (__u64)parent | __ARENA_RB_RED;
	/* Volatile: clang makes a memset() of two plain ones, and forgets the cast. */
	WRITE_ONCE(node->child[0], NULL);
	WRITE_ONCE(node->child[1], NULL);
	arena_store_release(link, node);
}

/*
 * @node, which is red, may have a red parent. Returns the node above that may have one
 * then, too, NULL if there is none.
 */
static arena_noinline struct arena_rb_node __arena *
__arena_rb_insert_turn(struct arena_rb_root __arena *root, struct arena_rb_node __arena *node)
{
	struct arena_rb_node __arena *parent, *grand, *uncle;
	int side;

	parent = arena_rb_parent(node);
	if (!parent) {
		__arena_rb_set_black(node);
		return NULL;
	}
	grand = arena_rb_parent(parent);
	if (!__arena_rb_is_red(parent) || !grand)
		return NULL;
	side = __arena_rb_side(parent, grand);
	uncle = grand->child[!side];
	__arena_rb_set_red(grand);
	if (__arena_rb_is_red(uncle)) {
		__arena_rb_set_black(parent);
		__arena_rb_set_black(uncle);
		return grand;
	}
	if (__arena_rb_side(node, parent) != side) {
		__arena_rb_rotate(root, parent, side);
		parent = node;
	}
	__arena_rb_set_black(parent);
	__arena_rb_rotate(root, grand, !side);
	return NULL;
}

static arena_noinline void __arena_rb_balance(struct arena_rb_node __arena *node,
					      struct arena_rb_root __arena *root)
{
	int turn;

	bpf_for(turn, 0, ARENA_RB_HEIGHT) {
		node = __arena_rb_insert_turn(root, node);
		if (!node)
			break;
	}
}

/**
 * arena_rb_insert_color() - balance a tree that a node was put in
 * @node: the node, by arena_rb_link_node()
 * @root: the tree
 */
static inline void arena_rb_insert_color(struct arena_rb_node __arena *node,
					 struct arena_rb_root __arena *root)
{
	root->nodes++;
	__arena_rb_balance(node, root);
}

/**
 * arena_rb_add() - put a node where it belongs
 * @node: the node, in no tree
 * @root: the tree
 * @less: does its first argument go before the second one? It is called with @node and
 *	  one of the tree. Of those that are equal, the one that is added last goes last.
 *
 * Return: 0, or -ELOOP if the tree is not one (any more), and nothing is changed
 */
static __always_inline int
arena_rb_add(struct arena_rb_node __arena *node, struct arena_rb_root __arena *root,
	     int (*less)(struct arena_rb_node __arena *,
			 const struct arena_rb_node __arena *))
{
	struct arena_rb_node __arena *__arena *link = &root->node;
	struct arena_rb_node __arena *parent = NULL, *next;
	int turn, turns = __arena_rb_turns(root);

	bpf_for(turn, 0, turns) {
		next = *link;
		if (!next) {
			WRITE_ONCE(root->nodes, root->nodes + 1);
			arena_rb_link_node(node, parent, link);
			__arena_rb_balance(node, root);
			return 0;
		}
		parent = next;
		link = &parent->child[!less(node, parent)];
	}
	return -ELOOP;
}

/**
 * arena_rb_find_add() - find a node's equal, or put it where it belongs
 * @node: the node, in no tree
 * @root: the tree
 * @cmp: where @node goes, its first argument: less than 0 is before the second one, more
 *	 is after it, 0 is where that one is
 *
 * Return: the equal; NULL if there is none, and @node is in the tree. For a tree that is
 *	   not one (any more), @node, which is not in it
 */
static __always_inline struct arena_rb_node __arena *
arena_rb_find_add(struct arena_rb_node __arena *node, struct arena_rb_root __arena *root,
		  int (*cmp)(struct arena_rb_node __arena *,
			     const struct arena_rb_node __arena *))
{
	struct arena_rb_node __arena *__arena *link = &root->node;
	struct arena_rb_node __arena *parent = NULL, *next;
	int turn, order, turns = __arena_rb_turns(root);

	bpf_for(turn, 0, turns) {
		next = *link;
		if (!next) {
			WRITE_ONCE(root->nodes, root->nodes + 1);
			arena_rb_link_node(node, parent, link);
			__arena_rb_balance(node, root);
			return NULL;
		}
		order = cmp(node, next);
		if (!order)
			return next;
		parent = next;
		link = &parent->child[order > 0];
	}
	return node;
}

/**
 * arena_rb_find() - find a node by its key
 * @key: the key, for @cmp
 * @root: the tree
 * @cmp: where @key is: less than 0 is before the node, more is after it
 *
 * Return: a node for which @cmp returns 0, NULL if there is none
 */
static __always_inline struct arena_rb_node __arena *
arena_rb_find(const void *key, const struct arena_rb_root __arena *root,
	      int (*cmp)(const void *key, const struct arena_rb_node __arena *))
{
	struct arena_rb_node __arena *node = READ_ONCE(root->node);
	int turn, order, turns = __arena_rb_turns(root);

	bpf_for(turn, 0, turns) {
		if (!node)
			break;
		order = cmp(key, node);
		if (!order)
			return node;
		node = READ_ONCE(node->child[order > 0]);
	}
	return NULL;
}

/* The last one that can be reached from @node by going to @side only. */
static arena_noinline struct arena_rb_node __arena *
__arena_rb_far(struct arena_rb_node __arena *node, int side)
{
	struct arena_rb_node __arena *next;
	int turn;

	bpf_for(turn, 0, ARENA_RB_HEIGHT) {
		next = node->child[side];
		if (!next)
			break;
		node = next;
	}
	return node;
}

static inline struct arena_rb_node __arena *
__arena_rb_end(const struct arena_rb_root __arena *root, int side)
{
	struct arena_rb_node __arena *node = root->node;

	return node ? __arena_rb_far(node, side) : NULL;
}

static arena_noinline struct arena_rb_node __arena *
__arena_rb_step(const struct arena_rb_node __arena *node, int side)
{
	struct arena_rb_node __arena *next = node->child[side];
	int turn;

	if (next)
		return __arena_rb_far(next, !side);
	bpf_for(turn, 0, ARENA_RB_HEIGHT) {
		next = arena_rb_parent(node);
		if (!next || __arena_rb_side(node, next) != side)
			return next;
		node = next;
	}
	return NULL;
}

/**
 * arena_rb_first() - the first node of a tree
 * @root: the tree
 *
 * Return: NULL if it is empty
 */
static inline struct arena_rb_node __arena *
arena_rb_first(const struct arena_rb_root __arena *root)
{
	return __arena_rb_end(root, 0);
}

/**
 * arena_rb_last() - the last node of a tree
 * @root: the tree
 *
 * Return: NULL if it is empty
 */
static inline struct arena_rb_node __arena *
arena_rb_last(const struct arena_rb_root __arena *root)
{
	return __arena_rb_end(root, 1);
}

/**
 * arena_rb_next() - the node that follows another one
 * @node: the other one, in a tree
 *
 * Return: NULL after the last one
 */
static inline struct arena_rb_node __arena *
arena_rb_next(const struct arena_rb_node __arena *node)
{
	return __arena_rb_step(node, 1);
}

/**
 * arena_rb_prev() - the node before another one
 * @node: the other one, in a tree
 *
 * Return: NULL before the first one
 */
static inline struct arena_rb_node __arena *
arena_rb_prev(const struct arena_rb_node __arena *node)
{
	return __arena_rb_step(node, 0);
}

/* A walk to @next, which it has come to from @from, above or below it. */
struct arena_rb_walk {
	struct arena_walk walk;
	struct arena_rb_node __arena *next;
	struct arena_rb_node __arena *from;
	struct arena_rb_node __arena *at;	/* NULL at the end */
	int more;
};

/* Along one link. Returns whether it is the turn of the node that it begins at. */
static __always_inline int __arena_rb_link(struct arena_rb_walk *walk)
{
	struct arena_rb_node __arena *at = walk->next, *from = walk->from, *parent, *next;
	int turn = 0;

	parent = arena_rb_parent(at);
	next = at->child[0];
	if (from != parent || !next) {
		turn = from == parent || from == next;
		next = turn ? at->child[1] : NULL;
		if (!next)
			next = parent;
	}
	walk->from = at;
	walk->next = next;
	return turn;
}

/* To the next node, from one end of the tree to the other at most. */
static arena_noinline void __arena_rb_on(struct arena_rb_walk *walk)
{
	int turn;

	bpf_for(turn, 0, 2 * ARENA_RB_HEIGHT) {
		walk->at = walk->next;
		walk->more = walk->at && arena_walk_on(&walk->walk, NULL);
		if (!walk->more || __arena_rb_link(walk))
			return;
	}
	walk->more = 0;
}

static __always_inline struct arena_rb_walk
__arena_rb_begin(const struct arena_rb_root __arena *root)
{
	struct arena_rb_walk walk = {
		.next = READ_ONCE(root->node),
		.walk = arena_walk_begin(2 * root->nodes, root->nodes),
	};

	__arena_rb_on(&walk);
	return walk;
}

/**
 * arena_rb_for_each() - walk a tree in its order
 * @pos: the node, a pointer to struct arena_rb_node; NULL after the last one
 * @root: the tree, which is not changed meanwhile
 */
#define arena_rb_for_each(pos, root)					\
	for (struct arena_rb_walk __walk = __arena_rb_begin(root);	\
	     pos = __walk.at, __walk.more && can_loop;			\
	     __arena_rb_on(&__walk))

/*
 * A place below a node in one word, the address of the node and the side: to the verifier
 * it is a number, and both sides are the same case.
 */
static inline __u64 __arena_rb_place(const struct arena_rb_node __arena *node,
				     const struct arena_rb_node __arena *parent)
{
	return parent ? (__u64)parent | __arena_rb_side(node, parent) : 0;
}

/*
 * The paths by way of @place have one black node less than the others. Returns the place
 * above for which that is so then, 0 if there is none.
 */
static arena_noinline __u64 __arena_rb_erase_turn(struct arena_rb_root __arena *root, __u64 place)
{
	struct arena_rb_node __arena *parent, *sibling, *near, *far;
	int side = place & 1;

	parent = (struct arena_rb_node __arena *)(place & ~1ULL);
	sibling = parent->child[!side];
	if (__arena_rb_is_red(sibling)) {
		__arena_rb_set_black(sibling);
		__arena_rb_set_red(parent);
		__arena_rb_rotate(root, parent, side);
		sibling = parent->child[!side];
	}
	/* It is there: its side had at least one black node more than none. */
	near = sibling->child[side];
	far = sibling->child[!side];
	if (!__arena_rb_is_red(near) && !__arena_rb_is_red(far)) {
		__arena_rb_set_red(sibling);
		if (!__arena_rb_is_red(parent))
			return __arena_rb_place(parent, arena_rb_parent(parent));
		__arena_rb_set_black(parent);
		return 0;
	}
	if (!__arena_rb_is_red(far)) {
		__arena_rb_rotate(root, sibling, !side);
		far = sibling;
		sibling = near;
	}
	sibling->parent_red &= ~__ARENA_RB_RED;
	sibling->parent_red |= parent->parent_red & __ARENA_RB_RED;
	__arena_rb_set_black(parent);
	__arena_rb_set_black(far);
	__arena_rb_rotate(root, parent, side);
	return 0;
}

static arena_noinline void __arena_rb_erase_color(struct arena_rb_root __arena *root, __u64 place,
						  __u64 any)
{
	int turn;

	bpf_for(turn, 0, ARENA_RB_HEIGHT) {
		if (!place)
			break;
		place = __arena_rb_erase_turn(root, place);
		arena_forget(place, any);
	}
}

/*
 * What leaves its place when @node is erased: what follows it, which then takes that of
 * @node, if it has two children; or else @node.
 */
static arena_noinline __u64 __arena_rb_successor(struct arena_rb_node __arena *node)
{
	if (!node->child[0] || !node->child[1])
		return (__u64)node;
	return (__u64)__arena_rb_far(node->child[1], 0);
}

/*
 * Take out @node, which has at most one child. Returns the place by way of which there is
 * a black node less now, 0 if there is none.
 */
static arena_noinline __u64 __arena_rb_cut(struct arena_rb_root __arena *root,
					   struct arena_rb_node __arena *node)
{
	struct arena_rb_node __arena *child = node->child[0];
	__u64 place;

	if (!child)
		child = node->child[1];
	place = __arena_rb_place(node, arena_rb_parent(node));
	__arena_rb_replace(root, node, child);
	/* An only child is red, or there would be black nodes on one side only. */
	if (child)
		__arena_rb_set_black(child);
	return child || __arena_rb_is_red(node) ? 0 : place;
}

/* Put @next where @node is. Returns what @place is then. */
static arena_noinline __u64 __arena_rb_take_place(struct arena_rb_root __arena *root,
						  struct arena_rb_node __arena *node,
						  struct arena_rb_node __arena *next, __u64 place)
{
	struct arena_rb_node __arena *child;
	int side;

	if (next == node)
		return place;
	for (side = 0; side < 2; side++) {
		child = node->child[side];
		next->child[side] = child;
		if (child)
			__arena_rb_set_parent(child, next);
	}
	next->parent_red = node->parent_red;
	__arena_rb_replace(root, node, next);
	return place == ((__u64)node | 1) ? (__u64)next | 1 : place;
}

/**
 * arena_rb_erase() - take a node out of a tree
 * @node: the node
 * @root: the tree
 */
static arena_noinline void arena_rb_erase(struct arena_rb_node __arena *node,
					  struct arena_rb_root __arena *root)
{
	__u64 next, place, any = (__u64)READ_ONCE(root->node);

	next = __arena_rb_successor(node);
	arena_forget(next, any);
	place = __arena_rb_cut(root, (struct arena_rb_node __arena *)next);
	arena_forget(place, any);
	place = __arena_rb_take_place(root, node, (struct arena_rb_node __arena *)next, place);
	arena_forget(place, any);
	__arena_rb_erase_color(root, place, any);
	/* Last, as it is counted first: there are never more than that. */
	arena_store_release(&root->nodes, root->nodes - 1);
}

#endif /* __BPF_ARENA_RBTREE_H */
