/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A red-black tree in an arena. The same source compiles for BPF and for user
 * space, and a tree that one side builds is at once usable by the other: the
 * links are plain pointers.
 *
 * The verifier wants to see that every loop ends. The height of a red-black
 * tree of n nodes is at most 2 * log2(n + 1), so that RB_HEIGHT is more than
 * any arena has room for.
 *
 * Callers serialise their changes to a tree.
 */
#ifndef __ARENA_RBTREE_H
#define __ARENA_RBTREE_H

#include "bpf_arena_common.h"

#define RB_HEIGHT	64

struct rb_node {
	struct rb_node __arena *parent;
	struct rb_node __arena *child[2];	/* before, after */
	__u64 key;
	__u64 red;
};

/*
 * @nil stands for every absent node, which spares the tests for one: it is
 * black, and has links that may be followed and changed. It is the root's
 * parent as well, so that the root is nil.child[0] and is replaced like any
 * other child.
 */
struct rb_tree {
	struct rb_node nil;
};

static inline void rb_init(struct rb_tree __arena *tree)
{
	struct rb_node __arena *nil = &tree->nil;

	nil->parent = nil;
	nil->child[0] = nil;
	nil->child[1] = nil;
	nil->red = 0;
}

/* Which child of its parent @node is. */
static inline int rb_side(struct rb_node __arena *node)
{
	return node->parent->child[1] == node;
}

/* Hang @new where @old hangs. */
static inline void rb_replace(struct rb_node __arena *old,
			      struct rb_node __arena *new)
{
	new->parent = old->parent;
	old->parent->child[rb_side(old)] = new;
}

/* Move @node down to @side; its child from the other side takes its place. */
static inline void rb_rotate(struct rb_node __arena *node, int side)
{
	struct rb_node __arena *up = node->child[!side];
	struct rb_node __arena *inner = up->child[side];

	node->child[!side] = inner;
	inner->parent = node;
	rb_replace(node, up);
	up->child[side] = node;
	node->parent = up;
}

/* No red node may have a red parent, as @node perhaps has. */
static inline void rb_fix_red(struct rb_tree __arena *tree,
			      struct rb_node __arena *node)
{
	for (int i = 0; i < RB_HEIGHT && node->parent->red; i++) {
		struct rb_node __arena *parent = node->parent;
		struct rb_node __arena *grand = parent->parent;
		int side = rb_side(parent);
		struct rb_node __arena *uncle = grand->child[!side];

		grand->red = 1;
		if (uncle->red) {
			parent->red = 0;
			uncle->red = 0;
			node = grand;
			continue;
		}
		if (rb_side(node) != side) {
			rb_rotate(parent, side);
			parent = node;
		}
		parent->red = 0;
		rb_rotate(grand, !side);
		break;
	}
	tree->nil.child[0]->red = 0;
}

/*
 * Put @node, whose key is set, where it belongs: a walk from rb_first() goes
 * from the greatest key to the least.
 * Returns 0, or -1 for a tree higher than any sound one.
 */
static inline int rb_insert(struct rb_tree __arena *tree,
			    struct rb_node __arena *node)
{
	struct rb_node __arena *nil = &tree->nil;
	struct rb_node __arena *parent = nil;
	struct rb_node __arena *next = nil->child[0];
	int side = 0;

	for (int i = 0; i < RB_HEIGHT && next != nil; i++) {
		parent = next;
		side = node->key <= parent->key;
		next = parent->child[side];
	}
	if (next != nil)
		return -1;

	node->parent = parent;
	node->child[0] = nil;
	node->child[1] = nil;
	node->red = 1;
	parent->child[side] = node;
	rb_fix_red(tree, node);
	return 0;
}

/* The paths through @node have a black node less than the others. */
static inline void rb_fix_black(struct rb_tree __arena *tree,
				struct rb_node __arena *node)
{
	for (int i = 0; i < RB_HEIGHT; i++) {
		struct rb_node __arena *parent = node->parent;
		struct rb_node __arena *sibling;
		int side = rb_side(node);

		if (node->red || node == tree->nil.child[0])
			break;
		sibling = parent->child[!side];
		if (sibling->red) {
			sibling->red = 0;
			parent->red = 1;
			rb_rotate(parent, side);
			sibling = parent->child[!side];
		}
		if (!sibling->child[0]->red && !sibling->child[1]->red) {
			sibling->red = 1;
			node = parent;
			continue;
		}
		if (!sibling->child[!side]->red) {
			sibling->red = 1;
			sibling->child[side]->red = 0;
			rb_rotate(sibling, !side);
			sibling = parent->child[!side];
		}
		sibling->red = parent->red;
		parent->red = 0;
		sibling->child[!side]->red = 0;
		rb_rotate(parent, side);
		node = tree->nil.child[0];
		break;
	}
	node->red = 0;
}

static inline void rb_erase(struct rb_tree __arena *tree,
			    struct rb_node __arena *node)
{
	struct rb_node __arena *nil = &tree->nil;
	struct rb_node __arena *gone = node;
	struct rb_node __arena *only;
	__u64 red;

	/* With two children, its successor leaves its place and takes @node's. */
	if (node->child[0] != nil && node->child[1] != nil) {
		gone = node->child[1];
		for (int i = 0; i < RB_HEIGHT && gone->child[0] != nil; i++)
			gone = gone->child[0];
	}
	only = gone->child[gone->child[0] == nil];
	red = gone->red;
	rb_replace(gone, only);

	if (gone != node) {
		gone->red = node->red;
		gone->child[0] = node->child[0];
		gone->child[1] = node->child[1];
		rb_replace(node, gone);
		gone->child[0]->parent = gone;
		/* This may be nil, whose parent is then @gone as it should. */
		gone->child[1]->parent = gone;
	}
	if (!red)
		rb_fix_black(tree, only);
}

/* NULL if the tree is empty. */
static inline struct rb_node __arena *rb_first(struct rb_tree __arena *tree)
{
	struct rb_node __arena *nil = &tree->nil;
	struct rb_node __arena *node = nil->child[0];

	if (node == nil)
		return NULL;
	for (int i = 0; i < RB_HEIGHT && node->child[0] != nil; i++)
		node = node->child[0];
	return node;
}

/* NULL after the last. */
static inline struct rb_node __arena *rb_next(struct rb_tree __arena *tree,
					      struct rb_node __arena *node)
{
	struct rb_node __arena *nil = &tree->nil;

	if (node->child[1] != nil) {
		node = node->child[1];
		for (int i = 0; i < RB_HEIGHT && node->child[0] != nil; i++)
			node = node->child[0];
		return node;
	}
	for (int i = 0; i < RB_HEIGHT && rb_side(node); i++)
		node = node->parent;
	node = node->parent;
	return node == nil ? NULL : node;
}

#endif /* __ARENA_RBTREE_H */
