// SPDX-License-Identifier: GPL-2.0
/* Lists in an arena: random operations of BPF's and user space's, against a model. */
#include "arena_lib_model.h"
#include "progs/arena_lib_list.h"

static struct lists_model model;

static void user_steps(struct lib_run *run, void *shared)
{
	lib_run_steps(run, lists_step, (struct lists *)shared);
}

static void model_steps(struct lib_run *run)
{
	lib_run_steps(run, lists_model_step, &model);
}

static const char *differs(void *shared)
{
	return lists_differ(shared, &model);
}

void test_arena_lib_list(void)
{
	struct lib_test test = {
		.file = "arena_lib_list.bpf.o",
		.user_steps = user_steps,
		.model_steps = model_steps,
		.differs = differs,
		.random = 1,
	};

	lib_test_run(&test);
}
