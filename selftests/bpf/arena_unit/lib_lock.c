// SPDX-License-Identifier: GPL-2.0
/* The lock of ../bpf_arena_spin_lock.h among threads. */
#include <pthread.h>

/* Who waits for one that never unlocks need not do so for a second. */
#define ARENA_SPIN_USER_NS	50000000ULL
#include "bpf_arena_spin_lock.h"
#include "harness.h"

#define THREADS	4
#define TURNS	50000

static arena_spinlock_t lock;
static u64 count[2];

static void *count_up(void *arg)
{
	u64 got = 0;
	int i;

	for (i = 0; i < TURNS; i++) {
		if (i % 8 ? arena_spin_lock(&lock) : !arena_spin_trylock(&lock))
			continue;
		CHECK_EQ(arena_spin_holder(&lock), syscall(SYS_gettid));
		CHECK_EQ(count[0], count[1]);
		count[0]++;
		count[1]++;
		arena_spin_unlock(&lock);
		got++;
	}
	*(u64 *)arg = got;
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	u64 got[THREADS], sum = 0;
	int i;

	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, count_up, &got[i]), 0);
	for (i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
		CHECK(got[i]);
		sum += got[i];
	}
	CHECK_EQ(count[0], sum);
	CHECK_EQ(arena_spin_holder(&lock), 0);
}

static void test_timeout(void)
{
	u64 begin;

	lock.holder = ARENA_SPIN_CPU | 3;
	begin = arena_spin_now();
	CHECK_EQ(arena_spin_lock(&lock), -ETIMEDOUT);
	CHECK(arena_spin_now() - begin >= ARENA_SPIN_USER_NS);
	CHECK_EQ(arena_spin_trylock(&lock), 0);
	CHECK_EQ(arena_spin_holder(&lock), ARENA_SPIN_CPU | 3);
	lock.holder = 0;
	CHECK_EQ(arena_spin_trylock(&lock), 1);
	CHECK_EQ(arena_spin_lock(&lock), -ETIMEDOUT);
	arena_spin_unlock(&lock);
	CHECK_EQ(arena_spin_lock(&lock), 0);
	arena_spin_unlock(&lock);
}

static const struct test tests[] = {
	{ "threads take it by turns", test_threads },
	{ "nobody waits for ever", test_timeout },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
