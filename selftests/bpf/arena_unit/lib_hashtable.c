// SPDX-License-Identifier: GPL-2.0
/* The table of ../bpf_arena_hashtable.h. */
#include "lib.h"
#include "lib_heap.h"
#include "progs/arena_lib_hashtable.h"

static void test_table(void)
{
	static struct table_model model;
	static struct table table;

	lib_init_heap(&table.heap, HEAP_PAGES);
	arena_htab_init(&table.htab, &table.heap);
	LIB_RUN(&table, table_step, &model, table_model_step, tables_differ);
}

/* So many that there are two directories; then all of the memory is given back. */
static void test_large(void)
{
	enum { CNT = 300000 };
	static struct arena_htab htab;
	static struct arena_heap heap;
	struct elem *e = calloc(CNT, sizeof(*e));
	struct arena_heap_stats before, after;
	u64 i;

	CHECK(e);
	lib_init_heap(&heap, 1024);
	arena_htab_init(&htab, &heap);
	arena_heap_stats(&heap, &before);
	for (i = 0; i < CNT; i++)
		CHECK_EQ(arena_htab_add(&htab, &e[i].node, arena_htab_hash(i)), 0);
	/* One less for each directory */
	CHECK_EQ(arena_htab_buckets(&htab), CNT - 2);
	for (i = 0; i < CNT; i++)
		CHECK(arena_htab_find(&htab, arena_htab_hash(i)) == &e[i].node);
	CHECK(!arena_htab_find(&htab, arena_htab_hash(CNT)));
	for (i = 0; i < CNT; i++)
		CHECK_EQ(arena_htab_del(&htab, &e[i].node), 0);
	CHECK_EQ(arena_htab_buckets(&htab), CNT - 2);
	while (arena_htab_trim(&htab) == -EAGAIN)
		;
	CHECK_EQ(arena_htab_buckets(&htab), ARENA_HTAB_MIN);
	arena_heap_stats(&heap, &after);
	CHECK_EQ(after.large_pages, before.large_pages);
	CHECK_EQ(after.bad_frees, 0);
	free(e);
}

/* Without memory all works, and later it grows. */
static void test_no_memory(void)
{
	enum { CNT = 3000, PAGES = 5 };
	static struct arena_htab htab;
	static struct arena_heap small, large;
	struct elem *e = calloc(2 * CNT, sizeof(*e));
	u64 i;

	CHECK(e);
	for (i = 0; i < CNT; i++)
		CHECK_EQ(arena_htab_add(&htab, &e[i].node, arena_htab_hash(i)), 0);
	CHECK_EQ(arena_htab_buckets(&htab), ARENA_HTAB_MIN);
	lib_init_heap(&small, PAGES);
	arena_htab_init(&htab, &small);
	for (i = CNT; i < 2 * CNT; i++)
		CHECK_EQ(arena_htab_add(&htab, &e[i].node, arena_htab_hash(i)), 0);
	CHECK(arena_htab_buckets(&htab) > ARENA_HTAB_MIN);
	CHECK(arena_htab_buckets(&htab) <= PAGES * ARENA_HTAB_SEGMENT);
	for (i = 0; i < 2 * CNT; i++)
		CHECK(arena_htab_find(&htab, arena_htab_hash(i)) == &e[i].node);
	for (i = 0; i < 2 * CNT; i++)
		CHECK_EQ(arena_htab_del(&htab, &e[i].node), 0);
	while (arena_htab_trim(&htab) == -EAGAIN)
		;
	lib_init_heap(&large, 64);
	arena_htab_init(&htab, &large);
	for (i = 0; i < 2 * CNT; i++)
		CHECK_EQ(arena_htab_add(&htab, &e[i].node, arena_htab_hash(i)), 0);
	CHECK_EQ(arena_htab_buckets(&htab), 2 * CNT - 1);
	free(e);
}

static const struct test tests[] = {
	{ "a table is as an array", test_table },
	{ "a large table", test_large },
	{ "a table without memory", test_no_memory },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
