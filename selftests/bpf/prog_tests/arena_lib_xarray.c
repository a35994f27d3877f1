// SPDX-License-Identifier: GPL-2.0
/* A sparse array in an arena: random operations of BPF's and user space's, against a model. */
#include "arena_lib_model.h"
#include "progs/arena_lib_xarray.h"

static struct array_model model;

/* The heap has pages to itself, so that nodes can be had on both sides. */
static void init(void *shared)
{
	struct array *a = shared;

	ASSERT_OK(arena_heap_init_range(&a->heap, shared + 512 * PAGE_SIZE, HEAP_PAGES), "heap");
	arena_xa_init(&a->xa, &a->heap);
}

static void user_steps(struct lib_run *run, void *shared)
{
	lib_run_steps(run, array_step, (struct array *)shared);
}

static void model_steps(struct lib_run *run)
{
	lib_run_steps(run, array_model_step, &model);
}

static const char *differs(void *shared)
{
	return arrays_differ(shared, &model);
}

void test_arena_lib_xarray(void)
{
	struct lib_test test = {
		.file = "arena_lib_xarray.bpf.o",
		.init = init,
		.user_steps = user_steps,
		.model_steps = model_steps,
		.differs = differs,
		.random = 1,
	};

	lib_test_run(&test);
}
