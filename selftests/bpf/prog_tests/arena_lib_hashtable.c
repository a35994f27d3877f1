// SPDX-License-Identifier: GPL-2.0
/* A hash table in an arena: random operations of BPF's and user space's, against a model. */
#include "arena_lib_model.h"
#include "progs/arena_lib_hashtable.h"

static struct table_model model;

/* The heap has pages to itself, so that the table can grow on both sides. */
static void init(void *shared)
{
	struct table *t = shared;

	ASSERT_OK(arena_heap_init_range(&t->heap, shared + 512 * PAGE_SIZE, HEAP_PAGES), "heap");
	arena_htab_init(&t->htab, &t->heap);
}

static void user_steps(struct lib_run *run, void *shared)
{
	lib_run_steps(run, table_step, (struct table *)shared);
}

static void model_steps(struct lib_run *run)
{
	lib_run_steps(run, table_model_step, &model);
}

static const char *differs(void *shared)
{
	return tables_differ(shared, &model);
}

void test_arena_lib_hashtable(void)
{
	struct lib_test test = {
		.file = "arena_lib_hashtable.bpf.o",
		.init = init,
		.user_steps = user_steps,
		.model_steps = model_steps,
		.differs = differs,
		.random = 1,
	};

	lib_test_run(&test);
}
