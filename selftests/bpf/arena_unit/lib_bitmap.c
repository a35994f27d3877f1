// SPDX-License-Identifier: GPL-2.0
/* The bitmap of ../bpf_arena_bitmap.h against a model, and among threads. */
#include <pthread.h>
#include <string.h>

#include "../progs/arena_lib_bitmap.h"
#include "harness.h"

#define OPS		1000000
#define THREADS		4
#define TURNS		500000
#define SENTINEL	0x5a5a5a5a5a5a5a5aULL

static __u64 map[1 + ARENA_BITMAP_WORDS(BITS) + 1];
static char model[BITS];
static u64 contents[BITS];

static void test_model(void)
{
	__u64 random = seed() | 1, nr;
	struct bitmap_op op;
	int i;

	map[0] = SENTINEL;
	map[1 + ARENA_BITMAP_WORDS(BITS)] = SENTINEL;
	for (i = 0; i < OPS; i++) {
		bitmap_op_choose(&op, &random);
		CHECK_EQ(bitmap_op_run(&map[1], &op), bitmap_op_model(model, &op));
		for (nr = 0; nr < BITS && i % 100 == 0; nr++)
			CHECK_EQ(arena_test_bit(nr, &map[1]), model[nr]);
	}
	CHECK(map[0] == SENTINEL);
	CHECK(map[1 + ARENA_BITMAP_WORDS(BITS)] == SENTINEL);
}

/* The owner of a bit, and nobody else, changes what belongs to it. */
static void *take_and_clear(void *arg)
{
	u64 got = 0, nr;
	int i;

	for (i = 0; i < TURNS; i++) {
		nr = arena_take_zero_bit(map, BITS);
		if (nr >= BITS)
			continue;
		contents[nr]++;
		got++;
		CHECK_EQ(arena_test_and_clear_bit(nr, map), 1);
	}
	*(u64 *)arg = got;
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	u64 got[THREADS], sum = 0;
	int i;

	memset(map, 0, sizeof(map));
	arena_bitmap_assign(map, 0, BITS - 1, 1);
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, take_and_clear, &got[i]), 0);
	for (i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
		sum += got[i];
	}
	CHECK(sum);
	CHECK_EQ(contents[BITS - 1], sum);
	CHECK_EQ(arena_bitmap_weight(map, BITS), BITS - 1);
}

static const struct test tests[] = {
	{ "random against model", test_model },
	{ "shared by threads", test_threads },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
