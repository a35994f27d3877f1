// SPDX-License-Identifier: GPL-2.0
/* The trees of ../bpf_arena_rbtree.h. */
#include "lib.h"
#include "progs/arena_lib_rbtree.h"

static void test_tree(void)
{
	static struct tree_model model;
	static struct tree tree;

	LIB_RUN(&tree, tree_step, &model, tree_model_step, trees_differ);
}

/* What has a loop instead of an end is no tree: nobody walks round it for ever. */
static void test_no_tree(void)
{
	static struct elem new;
	static struct tree t;
	struct elem *e = t.elem;
	u64 sum = 0, key = 3;

	add(&t, &e[0], 1, &sum);
	add(&t, &e[1], 2, &sum);
	e[1].node.child[0] = &e[0].node;
	e[1].node.child[1] = &e[0].node;
	e[0].node.child[0] = &e[1].node;
	e[0].node.child[1] = &e[1].node;
	new.key = key;
	CHECK_EQ(arena_rb_add(&new.node, &t.root, less), -ELOOP);
	CHECK(arena_rb_find_add(&new.node, &t.root, cmp_node) == &new.node);
	CHECK(!arena_rb_find(&key, &t.root, cmp_key));
	CHECK(arena_rb_first(&t.root));
	CHECK(arena_rb_last(&t.root));
}

static const struct test tests[] = {
	{ "a tree is as a sorted sequence", test_tree },
	{ "a loop is no tree", test_no_tree },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
