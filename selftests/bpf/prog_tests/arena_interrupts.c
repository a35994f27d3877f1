// SPDX-License-Identifier: GPL-2.0
/*
 * Allocating a page and freeing it again, over and over, interrupts no other CPU.
 * Only the worker that gives pages back does, a few times a second.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <test_progs.h>
#include "arena_ops.h"

#define ROUNDS	2000

static bool stop;

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* An idle CPU may be made to flush its TLB without an interrupt. */
static void *be_busy(void *arg)
{
	run_on(1);
	while (!READ_ONCE(stop))
		;
	return NULL;
}

/* Function calls and TLB shootdowns, of all CPUs. */
static long nr_interrupts(void)
{
	char line[4096];
	long sum = 0;
	FILE *f;

	f = fopen("/proc/interrupts", "r");
	if (!ASSERT_OK_PTR(f, "/proc/interrupts"))
		return 0;
	while (fgets(line, sizeof(line), f)) {
		char *p = strchr(line, ':');
		char *end;

		if (!p || (!strstr(line, "CAL:") && !strstr(line, "TLB:")))
			continue;
		for (p++; ; p = end) {
			long n = strtol(p, &end, 10);

			if (end == p)
				break;
			sum += n;
		}
	}
	fclose(f);
	return sum;
}

static void alloc_and_free(bool atomic)
{
	struct arena_ops_env env;
	pthread_t thread;
	long before, n;
	void *page;
	int i;

	if (!arena_ops_open(&env, 64, 0, 0))
		return;
	env.atomic = atomic;
	WRITE_ONCE(stop, false);
	if (!ASSERT_OK(pthread_create(&thread, NULL, be_busy, NULL), "thread"))
		goto out;
	run_on(0);

	before = nr_interrupts();
	for (i = 0; i < ROUNDS; i++) {
		page = arena_ops_alloc(&env, NULL, 1);
		if (!page)
			break;
		arena_ops_free(&env, page, 1);
	}
	ASSERT_EQ(i, ROUNDS, "rounds");
	n = nr_interrupts() - before;
	ASSERT_LT(n, ROUNDS / 4, "interrupts");

	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
out:
	arena_ops_close(&env);
}

void test_arena_interrupts(void)
{
	cpu_set_t old;

	sched_getaffinity(0, sizeof(old), &old);
	if (test__start_subtest("sleepable"))
		alloc_and_free(false);
	if (test__start_subtest("atomic"))
		alloc_and_free(true);
	sched_setaffinity(0, sizeof(old), &old);
}
