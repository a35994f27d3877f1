// SPDX-License-Identifier: GPL-2.0
/* One operation at a time: the space does what the model does. */
#include <errno.h>
#include <string.h>
#include <linux/bitops.h>
#include <linux/kernel.h>

#include "harness.h"
#include "model.h"

static const u32 edge_sizes[] = {
	1, 2, 3, 31, 32, 33, 63, 64, 65, 127, 128, 129, 2047, 2048, 2049, 4095, 4096, 4097,
	8191, 8193, 262143, 262144, 262145, (1U << 20) - 1, 1U << 20,
};

static void at_edge_sizes(void (*run)(struct model *m))
{
	struct model m;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(edge_sizes); i++) {
		model_init(&m, edge_sizes[i]);
		run(&m);
		model_exit(&m);
	}
}

static void test_memory(void)
{
	CHECK(arena_space_bytes(1) <= 128);
	CHECK(arena_space_bytes(ARENA_SPACE_MAX_PAGES) <= 5 * 1024);
	CHECK_EQ(sizeof(struct arena_chunk), 4096);
}

static void fresh(struct model *m)
{
	model_verify(m);
}

static void test_fresh(void)
{
	at_edge_sizes(fresh);
}

/* One by one, lowest first, until there is none. */
static void fill_by_one(struct model *m)
{
	u32 page, nr = m->space.nr_pages;

	for (page = 0; page < nr; page++)
		CHECK_EQ(space_alloc(&m->space, 1), page);
	CHECK_EQ(space_alloc(&m->space, 1), -ENOSPC);
	CHECK_EQ(space_alloc(&m->space, 2), -ENOSPC);
	memset(m->state, PAGE_TAKEN, nr);
	model_verify(m);

	for (page = nr; page--; ) {
		arena_space_give(&m->space, page, 1);
		CHECK_EQ(space_alloc(&m->space, 1), page);
		arena_space_give(&m->space, page, 1);
	}
	memset(m->state, PAGE_FREE, nr);
	model_verify(m);
}

static void test_fill_by_one(void)
{
	at_edge_sizes(fill_by_one);
}

static void fill_at_once(struct model *m)
{
	u32 nr = m->space.nr_pages;

	CHECK_EQ(space_alloc(&m->space, nr + 1), -ENOSPC);
	model_op(m, OP_ALLOC, 0, nr);
	model_verify(m);
	model_op(m, OP_ALLOC, 0, 1);
	model_op(m, OP_GIVE, 0, nr);
	model_op(m, OP_TAKE, 0, nr);
	model_op(m, OP_TAKE, nr - 1, 1);
	model_op(m, OP_GIVE_MASK, 0, nr);
	model_op(m, OP_RESERVE, 0, nr);
	model_op(m, OP_ALLOC, 0, 1);
	model_op(m, OP_GIVE, 0, nr);
	model_verify(m);
	model_op(m, OP_UNRESERVE, 0, nr);
	model_verify(m);
}

static void test_fill_at_once(void)
{
	at_edge_sizes(fill_at_once);
}

/* The only free page can be the last one. */
static void last_page(struct model *m)
{
	u32 nr = m->space.nr_pages;

	if (nr > 1)
		model_op(m, OP_TAKE, 0, nr - 1);
	model_op(m, OP_ALLOC, 0, 2);
	model_op(m, OP_ALLOC, 0, 1);
	model_verify(m);
	model_op(m, OP_GIVE, nr - 1, 1);
	model_op(m, OP_RESERVE, nr - 1, 1);
	model_verify(m);
}

static void test_last_page(void)
{
	at_edge_sizes(last_page);
}

/* A single free run of each length at each place around the edges of words. */
static void test_runs(void)
{
	u32 nr = 5 * BITS_PER_LONG + 7, start, len;
	struct model m;

	model_init(&m, nr);
	model_op(&m, OP_TAKE, 0, nr);
	for (start = 0; start < nr; start++) {
		for (len = 1; len <= nr - start; len++) {
			model_op(&m, OP_GIVE, start, len);
			model_op(&m, OP_ALLOC, 0, len + 1);
			model_op(&m, OP_ALLOC, 0, len);
			CHECK_EQ(m.state[start + len - 1], PAGE_TAKEN);
		}
		model_verify(&m);
	}
	model_exit(&m);
}

/* Runs that are just too short come first, in all alignments. */
static void test_short_runs_first(void)
{
	u32 nr = 9 * BITS_PER_LONG, n, start, page;
	struct model m;

	for (n = 2; n < 3 * BITS_PER_LONG; n++) {
		model_init(&m, nr);
		start = n % BITS_PER_LONG;
		for (page = start + n - 1; page < nr - n; page += n)
			model_op(&m, OP_TAKE, page, 1);
		model_op(&m, OP_TAKE, 0, start);
		model_op(&m, OP_ALLOC, 0, n);
		model_op(&m, OP_ALLOC, 0, n - 1);
		model_op(&m, OP_ALLOC, 0, n);
		model_verify(&m);
		model_exit(&m);
	}
}

/* Every second page is taken: there is no run, however many pages are free. */
static void test_sieve(void)
{
	struct model m;
	u32 page;

	model_init(&m, ARENA_SPACE_MAX_PAGES);
	for (page = 0; page < ARENA_SPACE_MAX_PAGES; page += 2)
		model_op(&m, OP_TAKE, page, 1);
	model_op(&m, OP_ALLOC, 0, 2);
	model_op(&m, OP_ALLOC, 0, 64);
	model_op(&m, OP_GIVE, ARENA_SPACE_MAX_PAGES - 2, 1);
	model_op(&m, OP_ALLOC, 0, 4);
	model_op(&m, OP_ALLOC, 0, 3);
	model_verify(&m);
	model_exit(&m);
}

/* Whatever is refused leaves every byte as it was. */
static void test_refusal(void)
{
	u32 nr = 70 * BITS_PER_LONG + 9, taken, start, n;
	void *before, *after;
	struct model m;
	struct rng rng;
	size_t bytes;
	int i;

	rng_init(&rng, 1);
	model_init(&m, nr);
	model_op(&m, OP_TAKE, 0, nr);
	model_op(&m, OP_GIVE, 0, nr);
	bytes = model_snapshot_bytes(&m);
	before = malloc(bytes);
	after = malloc(bytes);
	CHECK(before && after);

	for (i = 0; i < 20000; i++) {
		taken = rng_below(&rng, nr);
		start = taken - rng_below(&rng, taken + 1);
		n = taken - start + 1;
		n += rng_below(&rng, nr - start - n + 1);

		model_op(&m, i % 2 ? OP_TAKE : OP_RESERVE, taken, 1);
		model_save(&m, &m.space, before);
		CHECK_EQ(space_take(&m.space, start, n), -EBUSY);
		CHECK_EQ(space_reserve(&m.space, start, n), -EBUSY);
		CHECK_EQ(space_alloc(&m.space, nr), -ENOSPC);
		model_save(&m, &m.space, after);
		CHECK(!memcmp(before, after, bytes));
		model_op(&m, i % 2 ? OP_GIVE : OP_UNRESERVE, taken, 1);
	}
	model_verify(&m);
	free(before);
	free(after);
	model_exit(&m);
}

/* A search for the rest above what was searched already */
static void test_search_above(void)
{
	u32 nr = 4 * BITS_PER_LONG, missing;
	struct model m;

	model_init(&m, nr);
	model_op(&m, OP_TAKE, 0, nr);
	model_op(&m, OP_GIVE, 10, 3);
	model_op(&m, OP_GIVE, 2 * BITS_PER_LONG - 1, 3);

	/* It begins with the word of the page, and a run may leave it */
	CHECK_EQ(arena_space_alloc(&m.space, 3, BITS_PER_LONG + 20, &missing),
		 2 * BITS_PER_LONG - 1);
	memset(m.state + 2 * BITS_PER_LONG - 1, PAGE_TAKEN, 3);
	CHECK_EQ(arena_space_alloc(&m.space, 3, BITS_PER_LONG, &missing), -ENOSPC);
	/* That there is none above says nothing of all */
	model_op(&m, OP_ALLOC, 0, 3);
	model_verify(&m);
	model_exit(&m);
}

/* A chunk that is missing is asked for by name, and nothing else has changed. */
static void test_missing_chunk(void)
{
	u32 nr = 3 * ARENA_CHUNK_PAGES, missing = 99;
	static struct arena_chunk mem;
	struct model m;

	model_init(&m, nr);
	CHECK_EQ(arena_space_alloc(&m.space, 1, 0, &missing), -EAGAIN);
	CHECK_EQ(missing, 0);
	CHECK_EQ(arena_space_take(&m.space, nr - 1, 1, &missing), -EAGAIN);
	CHECK_EQ(missing, 2);
	CHECK_EQ(arena_space_reserve(&m.space, ARENA_CHUNK_PAGES, 1, &missing), -EAGAIN);
	CHECK_EQ(missing, 1);

	model_op(&m, OP_TAKE, 0, ARENA_CHUNK_PAGES);
	CHECK_EQ(arena_space_alloc(&m.space, 2, 0, &missing), -EAGAIN);
	CHECK_EQ(missing, 1);
	CHECK_EQ(arena_space_take(&m.space, 0, nr, &missing), -EBUSY);
	model_verify(&m);

	model_op(&m, OP_GIVE, 0, ARENA_CHUNK_PAGES);
	CHECK_EQ(arena_space_take(&m.space, 1, nr - 1, &missing), -EAGAIN);
	CHECK_EQ(missing, 1);
	model_verify(&m);
	CHECK(!arena_space_add(&m.space, 0, &mem));
	CHECK(arena_space_add(&m.space, 1, &mem));
	CHECK(arena_space_chunk(&m.space, 1) == &mem);
	CHECK(!arena_space_chunk(&m.space, 2));
	model_verify(&m);
	model_op(&m, OP_RESERVE, 0, nr);
	model_verify(&m);
	model_exit(&m);
}

/* Trap: reserve, alloc, free of overlapping ranges. */
static void test_overlap(void)
{
	u32 nr = 3 * BITS_PER_LONG + 1, a, b, n;
	struct model m;

	model_init(&m, nr);
	for (a = 0; a < nr; a += 13) {
		for (b = 0; b < nr; b += 11) {
			for (n = 1; n < nr; n += 17) {
				model_op(&m, OP_RESERVE, a, n);
				model_op(&m, OP_TAKE, b, n);
				model_op(&m, OP_ALLOC, 0, n / 2);
				model_op(&m, OP_UNRESERVE, b, n);
				model_op(&m, OP_RESERVE, b, n / 3);
				model_op(&m, OP_GIVE, a, n);
				model_verify(&m);
				model_op(&m, OP_UNRESERVE, 0, nr);
				model_op(&m, OP_GIVE_MASK, 0, nr);
			}
		}
	}
	model_verify(&m);
	model_exit(&m);
}

static u32 random_length(struct rng *rng, u32 nr)
{
	switch (rng_below(rng, 8)) {
	case 0:
		return 1 + rng_below(rng, nr);
	case 1:
		return 1 + rng_below(rng, 3 * BITS_PER_LONG);
	case 2:
	case 3:
		return 1 + rng_below(rng, 8);
	default:
		return 1;
	}
}

static void random_sequence(struct rng *rng, u32 nr, u32 ops, u32 ops_per_verify)
{
	struct model m;

	model_init(&m, nr);
	while (ops--) {
		model_op(&m, rng_below(rng, NR_OPS), rng_below(rng, nr), random_length(rng, nr));
		if (!(ops % ops_per_verify))
			model_verify(&m);
	}
	model_exit(&m);
}

/* Trap: reserve, alloc, free of overlapping ranges. */
static void test_random(void)
{
	struct rng rng;
	u32 i;

	rng_init(&rng, 2);
	for (i = 0; i < 400; i++)
		random_sequence(&rng, 1 + rng_below(&rng, 300), 1000, 10);
	for (i = 0; i < 40; i++)
		random_sequence(&rng, 1 + rng_below(&rng, 10000), 2000, 200);
	random_sequence(&rng, ARENA_SPACE_MAX_PAGES - rng_below(&rng, 100), 100, 25);
}

static const struct test tests[] = {
	{ "memory", test_memory },
	{ "fresh space", test_fresh },
	{ "fill page by page", test_fill_by_one },
	{ "fill at once", test_fill_at_once },
	{ "last page", test_last_page },
	{ "a single run", test_runs },
	{ "short runs first", test_short_runs_first },
	{ "sieve", test_sieve },
	{ "refusal changes nothing", test_refusal },
	{ "search above", test_search_above },
	{ "missing chunks", test_missing_chunk },
	{ "overlapping ranges", test_overlap },
	{ "random against model", test_random },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
