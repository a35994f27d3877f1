// SPDX-License-Identifier: GPL-2.0
/*
 * The arena's tree and table against models, with random operations: built
 * with sanitizers, and the invariants looked at after every step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <linux/types.h>
#include "arena_htab.h"
#include "arena_rbtree.h"

#define NODES	600
#define STEPS	200000
#define SEED	1

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "%s:%d: step %d: %s\n",		\
				__FILE__, __LINE__, step, #cond);	\
			exit(1);					\
		}							\
	} while (0)

static int step;

/* Returns the number of black nodes on every path down from @node. */
static int check_subtree(struct rb_tree *tree, struct rb_node *node)
{
	int black[2];

	if (node == &tree->nil)
		return 0;
	for (int side = 0; side < 2; side++) {
		struct rb_node *child = node->child[side];

		black[side] = check_subtree(tree, child);
		if (child == &tree->nil)
			continue;
		CHECK(child->parent == node);
		CHECK(!node->red || !child->red);
	}
	CHECK(black[0] == black[1]);
	return black[0] + !node->red;
}

static void check_tree(struct rb_tree *tree, int nodes)
{
	struct rb_node *node, *prev = NULL;
	int seen = 0;

	CHECK(!tree->nil.red);
	CHECK(tree->nil.child[1] == &tree->nil);
	CHECK(!tree->nil.child[0]->red);
	check_subtree(tree, tree->nil.child[0]);
	for (node = rb_first(tree); node; node = rb_next(tree, node)) {
		CHECK(!prev || prev->key >= node->key);
		prev = node;
		CHECK(++seen <= nodes);
	}
	CHECK(seen == nodes);
}

static void test_tree(int key_bits)
{
	struct rb_tree *tree = calloc(1, sizeof(*tree));
	struct rb_node *node = calloc(NODES, sizeof(*node));
	int in[NODES] = {};
	int nodes = 0;

	rb_init(tree);
	for (step = 0; step < STEPS; step++) {
		int i = rand() % NODES;

		/* Fill and drain by turns, so that small trees are seen often. */
		if (in[i] && (step / NODES) % 2) {
			rb_erase(tree, &node[i]);
			in[i] = 0;
			nodes--;
		} else if (in[i]) {
			rb_erase(tree, &node[i]);
			node[i].key += rand() % (1 << key_bits);
			CHECK(!rb_insert(tree, &node[i]));
		} else if (!((step / NODES) % 2)) {
			node[i].key = rand() % (1 << key_bits);
			CHECK(!rb_insert(tree, &node[i]));
			in[i] = 1;
			nodes++;
		}
		if (nodes < 20 || !(step % 16))
			check_tree(tree, nodes);
	}
	for (int i = 0; i < NODES; i++) {
		if (!in[i])
			continue;
		rb_erase(tree, &node[i]);
		check_tree(tree, --nodes);
	}
	CHECK(!rb_first(tree));
	free(node);
	free(tree);
}

static void test_htab(void)
{
	struct htab *htab = calloc(1, sizeof(*htab));
	struct htab_node *node = calloc(NODES, sizeof(*node));
	int in[NODES] = {};

	for (step = 0; step < STEPS; step++) {
		int i = rand() % NODES;
		struct htab_node **slot;

		/* Like the demonstration's keys: numbers close together. */
		node[i].key = (__u64)(i / 20) << 32 | i % 20;
		slot = htab_slot(htab, node[i].key);
		CHECK(slot);
		CHECK(*slot == (in[i] ? &node[i] : NULL));
		CHECK(htab_find(htab, node[i].key) == *slot);
		if (in[i]) {
			*slot = node[i].next;
		} else {
			node[i].next = NULL;
			*slot = &node[i];
		}
		in[i] = !in[i];
	}
	free(node);
	free(htab);
}

/* A chain holds so many and no more, and says so. */
static void test_full_chain(void)
{
	struct htab *htab = calloc(1, sizeof(*htab));
	struct htab_node *node = calloc(HTAB_CHAIN + 1, sizeof(*node));
	struct htab_node **bucket = htab_slot(htab, 0);
	__u64 key = 0;

	for (step = 0; step <= HTAB_CHAIN; step++) {
		struct htab_node **slot = htab_slot(htab, key);

		CHECK(!slot == (step == HTAB_CHAIN));
		if (slot) {
			node[step].key = key;
			*slot = &node[step];
			CHECK(htab_find(htab, key) == &node[step]);
		}
		/* The next key of this bucket: look where it would go. */
		for (key++; ; key++) {
			struct htab empty = {};

			if (htab_slot(&empty, key) - empty.bucket ==
			    bucket - htab->bucket)
				break;
		}
	}
	free(node);
	free(htab);
}

int main(void)
{
	srand(SEED);
	test_tree(20);
	test_tree(3);
	test_htab();
	test_full_chain();
	printf("4 passed, 0 failed\n");
	return 0;
}
