// SPDX-License-Identifier: GPL-2.0
/* A bitmap in an arena against a model, and bits that two CPUs and user space take. */
#define _GNU_SOURCE
#include <test_progs.h>
#include "arena_lib_test.h"
#include "progs/arena_lib_bitmap.h"
#include "arena_lib_bitmap.skel.h"

#define RUNS		200
#define OPS		1000
#define SENTINEL	0x5a5a5a5a5a5a5a5aULL

static struct arena_lib_bitmap *skel;

static bool same_as_model(const char *model)
{
	__u64 nr;

	for (nr = 0; nr < BITS; nr++)
		if (arena_test_bit(nr, &skel->arena->map[1]) != model[nr])
			break;
	return ASSERT_EQ(nr, BITS, "bits that are right") &&
	       ASSERT_EQ(skel->arena->map[0], SENTINEL, "word before") &&
	       ASSERT_EQ(skel->arena->map[1 + ARENA_BITMAP_WORDS(BITS)], SENTINEL,
			 "word behind");
}

static void user_ops(struct bitmap_run *run)
{
	struct bitmap_op op;
	int i;

	for (i = 0; i < OPS; i++) {
		bitmap_op_choose(&op, &run->random);
		run->hash = arena_lib_hash(run->hash, bitmap_op_run(&skel->arena->map[1], &op));
	}
}

static void model_ops(char *model, struct bitmap_run *run)
{
	struct bitmap_op op;
	int i;

	for (i = 0; i < OPS; i++) {
		bitmap_op_choose(&op, &run->random);
		run->hash = arena_lib_hash(run->hash, bitmap_op_model(model, &op));
	}
}

/* What the program, or user space at every fourth time, does to it, the model has done. */
static void random_ops(void)
{
	struct bitmap_run *run = &skel->bss->run;
	struct bitmap_run want = { .random = time(NULL) | 1 };
	static char model[BITS];
	int n;

	memset(model, 0, sizeof(model));
	memset(skel->arena->map, 0, sizeof(skel->arena->map));
	skel->arena->map[0] = SENTINEL;
	skel->arena->map[1 + ARENA_BITMAP_WORDS(BITS)] = SENTINEL;
	skel->bss->turns = OPS;
	*run = want;
	printf("random begins with %llu\n", want.random);
	for (n = 0; n < RUNS; n++) {
		model_ops(model, &want);
		if (n % 4 == 0)
			user_ops(run);
		else if (!ASSERT_OK(arena_lib_run(skel->progs.random_ops), "run"))
			break;
		if (!ASSERT_EQ(run->random, want.random, "operations") ||
		    !ASSERT_EQ(run->hash, want.hash, "what was returned") ||
		    !same_as_model(model)) {
			printf("of the %dth run\n", n);
			break;
		}
	}
}

static int user_takes(int nr)
{
	__u64 bit;
	int i;

	for (i = 0; i < OPS; i++) {
		bit = arena_take_zero_bit(skel->arena->taken, BITS);
		if (bit >= BITS)
			continue;
		if (__sync_fetch_and_add(&skel->arena->owners[bit], 1))
			__sync_fetch_and_add(&skel->bss->bad, 1);
		__sync_fetch_and_add(&skel->bss->got, 1);
		__sync_fetch_and_add(&skel->arena->owners[bit], -1);
		arena_clear_bit(bit, skel->arena->taken);
	}
	return 0;
}

static void race(void)
{
	skel->bss->turns = OPS;
	skel->bss->bad = 0;
	skel->bss->got = 0;
	/* One is left, which all want. */
	arena_bitmap_assign(skel->arena->taken, 0, BITS - 1, 1);
	arena_lib_race(skel->progs.take_and_clear, user_takes, 200);
	ASSERT_EQ(skel->bss->bad, 0, "bits with two owners");
	ASSERT_GE(skel->bss->got, 4 * 200, "bits taken");
	ASSERT_EQ(arena_bitmap_weight(skel->arena->taken, BITS), BITS - 1, "bits set");
	ASSERT_EQ(arena_find_first_zero_bit(skel->arena->taken, BITS), BITS - 1, "first clear");
}

/* The race needs both CPUs: not beside other tests. */
void serial_test_arena_lib_bitmap(void)
{
	skel = arena_lib_bitmap__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open and load"))
		return;
	if (test__start_subtest("random"))
		random_ops();
	if (test__start_subtest("race"))
		race();
	arena_lib_bitmap__destroy(skel);
}
