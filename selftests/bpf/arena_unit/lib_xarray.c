// SPDX-License-Identifier: GPL-2.0
/* The array of ../bpf_arena_xarray.h. */
#include "lib.h"
#include "lib_heap.h"
#include "progs/arena_lib_xarray.h"

static void test_array(void)
{
	static struct array_model model;
	static struct array array;

	lib_init_heap(&array.heap, HEAP_PAGES);
	arena_xa_init(&array.xa, &array.heap);
	LIB_RUN(&array, array_step, &model, array_model_step, arrays_differ);
}

/* What does not fit is not stored, and leaves nothing behind. */
static void test_no_memory(void)
{
	static struct array_model model;
	static struct array array;
	struct arena_heap_stats stats;
	u64 index, stored = 0;

	lib_init_heap(&array.heap, 16);
	arena_xa_init(&array.xa, &array.heap);
	for (index = 1; index < 1000; index++) {
		u64 at = index << 54 | index;

		if (!arena_xa_store(&array.xa, at, (void *)index)) {
			model_store(&model, at, index);
			stored++;
		}
		CHECK(!arrays_differ(&array, &model));
	}
	CHECK(stored > 0 && stored < 999);
	while (model.cnt) {
		CHECK(arena_xa_erase(&array.xa, model.index[0]));
		model_erase(&model, 0);
		CHECK(!arrays_differ(&array, &model));
	}
	arena_heap_stats(&array.heap, &stats);
	CHECK_EQ(stats.bytes, 0);
}

static const struct test tests[] = {
	{ "an array is as a sorted list", test_array },
	{ "an array without memory", test_no_memory },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
