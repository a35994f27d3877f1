// SPDX-License-Identifier: GPL-2.0
/* The table of ../bpf_arena_hashtable.h. */
#include "lib.h"
#include "lib_heap.h"

static int free_unled(struct arena_heap *heap, void *ptr);
#define arena_free free_unled
#include "progs/arena_lib_hashtable.h"
#undef arena_free

static struct arena_htab *trimmed;

/* Who dies while it frees memory must not have left it where it is freed again. */
static int free_unled(struct arena_heap *heap, void *ptr)
{
	for (int i = 0; ptr && trimmed && i < 64; i++)
		CHECK((void *)trimmed->directory[i] != ptr);
	return arena_free(heap, ptr);
}

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
	trimmed = &htab;
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

/* Chains that are full are split as soon as there is memory. */
static void test_full_grows(void)
{
	enum { CNT = ARENA_HTAB_MIN * ARENA_HTAB_CHAIN };
	static struct arena_htab htab;
	static struct arena_heap heap;
	struct elem *e = calloc(CNT + 1, sizeof(*e));
	u64 i;

	CHECK(e);
	for (i = 0; i < CNT; i++)
		CHECK_EQ(arena_htab_add(&htab, &e[i].node, i), 0);
	CHECK_EQ(arena_htab_add(&htab, &e[CNT].node, 0), -ENOSPC);
	lib_init_heap(&heap, 2000);
	arena_htab_init(&htab, &heap);
	/* The first call brings the directory, the second one the segment. */
	CHECK_EQ(arena_htab_add(&htab, &e[CNT].node, 0), -ENOSPC);
	CHECK_EQ(arena_htab_add(&htab, &e[CNT].node, 0), -ENOSPC);
	CHECK_EQ(arena_htab_buckets(&htab), ARENA_HTAB_MIN + 1);
	CHECK_EQ(arena_htab_add(&htab, &e[CNT].node, 0), 0);
	CHECK_EQ(htab.entries, CNT + 1);
	for (i = 0; i < CNT; i++)
		CHECK(arena_htab_find(&htab, i));
	free(e);
}

/* When it gets empty just where it was to grow, too, nothing of its memory is left. */
static void test_given_back(void)
{
	static struct arena_htab htab;
	static struct arena_heap heap;
	struct elem e[ARENA_HTAB_MIN + 4] = {};
	struct arena_heap_stats stats;
	u64 cnt, i;

	lib_init_heap(&heap, 64);
	arena_htab_init(&htab, &heap);
	for (cnt = ARENA_HTAB_MIN; cnt <= ARRAY_SIZE(e); cnt++) {
		for (i = 0; i < cnt; i++)
			CHECK_EQ(arena_htab_add(&htab, &e[i].node, i), 0);
		for (i = 0; i < cnt; i++)
			CHECK_EQ(arena_htab_del(&htab, &e[i].node), 0);
		CHECK_EQ(arena_htab_trim(&htab), 0);
		arena_heap_stats(&heap, &stats);
		CHECK_EQ(stats.large_pages, 0);
		CHECK_EQ(stats.bad_frees, 0);
	}
}

/* As much as a call takes out: there is nothing for another one. */
static void test_trimmed_at_once(void)
{
	const u32 buckets = ARENA_HTAB_MIN + ARENA_HTAB_TRIM;
	static struct elem e[2 * (ARENA_HTAB_MIN + ARENA_HTAB_TRIM)];
	static struct arena_htab htab;
	static struct arena_heap heap;
	u64 cnt, i;

	lib_init_heap(&heap, 64);
	arena_htab_init(&htab, &heap);
	for (cnt = 0; arena_htab_buckets(&htab) < buckets; cnt++)
		CHECK_EQ(arena_htab_add(&htab, &e[cnt].node, cnt), 0);
	for (i = 0; i < cnt; i++)
		CHECK_EQ(arena_htab_del(&htab, &e[i].node), 0);
	CHECK_EQ(arena_htab_trim(&htab), 0);
	CHECK_EQ(arena_htab_buckets(&htab), ARENA_HTAB_MIN);
}

/* A writer dies, and who takes over its lock writes on. */
static void test_writer_dies(void)
{
	static struct arena_htab htab;
	u32 seq;

	arena_htab_write_begin(&htab, 7);

	seq = arena_htab_read_begin(&htab, 7);
	CHECK(arena_htab_read_retry(&htab, 7, seq));
	arena_htab_write_begin(&htab, 7);
	CHECK(arena_htab_read_retry(&htab, 7, seq));
	seq = arena_htab_read_begin(&htab, 7);
	CHECK(arena_htab_read_retry(&htab, 7, seq));
	arena_htab_write_end(&htab, 7);
	CHECK(arena_htab_read_retry(&htab, 7, seq));
	seq = arena_htab_read_begin(&htab, 7);
	CHECK(!arena_htab_read_retry(&htab, 7, seq));
}

static const struct test tests[] = {
	{ "a table is as an array", test_table },
	{ "a large table", test_large },
	{ "a table without memory", test_no_memory },
	{ "a full table grows", test_full_grows },
	{ "memory is given back", test_given_back },
	{ "all that a call takes", test_trimmed_at_once },
	{ "a writer dies", test_writer_dies },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
