// SPDX-License-Identifier: GPL-2.0
/* A tree in an arena: random operations of BPF's and user space's, against a model. */
#include "arena_lib_model.h"
#include "progs/arena_lib_rbtree.h"

static struct tree_model model;

static void user_steps(struct lib_run *run, void *shared)
{
	lib_run_steps(run, tree_step, (struct tree *)shared);
}

static void model_steps(struct lib_run *run)
{
	lib_run_steps(run, tree_model_step, &model);
}

static const char *differs(void *shared)
{
	return trees_differ(shared, &model);
}

void test_arena_lib_rbtree(void)
{
	struct lib_test test = {
		.file = "arena_lib_rbtree.bpf.o",
		.user_steps = user_steps,
		.model_steps = model_steps,
		.differs = differs,
		.random = 1,
	};

	lib_test_run(&test);
}
