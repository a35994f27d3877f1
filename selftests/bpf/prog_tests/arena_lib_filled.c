// SPDX-License-Identifier: GPL-2.0
/*
 * A heap that brings no pages by itself (ARENA_HEAP_FILLED): programs that must not sleep
 * use it on all kernels that have arenas, whether or not they can have pages there.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include "arena_lib_test.h"
#include "progs/arena_lib_alloc.h"
#include "arena_lib_filled.skel.h"

#define PAGES		6000
#define RUNS		40
#define OPS		200
#define CLOCK_NS	500000

static struct arena_lib_filled *skel;

static void run_xdp(void)
{
	char packet[64] = {};

	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .data_in = packet,
		    .data_size_in = sizeof(packet));

	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.in_xdp), &opts), "run");
	ASSERT_EQ(opts.retval, XDP_PASS, "returned");
}

static struct alloc_run sum_of_runs(void)
{
	struct alloc_run sum = {};
	int i;

	for (i = 0; i < OWNERS; i++) {
		struct alloc_run *run = &skel->bss->runs[i];

		sum.got += run->got;
		sum.freed += run->freed;
		sum.failed += run->failed;
		sum.damaged += run->damaged;
		sum.refused += run->refused;
	}
	printf("%llu got, %llu freed, %llu failed\n", sum.got, sum.freed, sum.failed);
	return sum;
}

/* Whatever the kernel can do, arena_malloc() does not ask it for pages. */
static void empty(void)
{
	struct alloc_run sum;

	run_xdp();
	sum = sum_of_runs();
	ASSERT_EQ(sum.got, 0, "got");
	ASSERT_GT(sum.failed, OPS, "failed");
	ASSERT_EQ(skel->arena->heap.pages, 0, "pages");
	ASSERT_GT(skel->arena->heap.no_memory, OPS, "counted as without memory");
}

static void use(void)
{
	struct arena_heap_stats stats;
	struct alloc_run sum;
	struct bpf_link *clock[2];
	int cpu, i;

	for (cpu = 0; cpu < 2; cpu++)
		clock[cpu] = arena_clock(skel->progs.in_interrupt, cpu, CLOCK_NS);
	for (i = 0; i < RUNS; i++) {
		arena_lib_pin(i % 2);
		run_xdp();
	}
	ASSERT_TRUE(ARENA_EVENTUALLY(READ_ONCE(skel->bss->ticks) >= 10), "interrupts");
	for (cpu = 0; cpu < 2; cpu++)
		bpf_link__destroy(clock[cpu]);
	sum = sum_of_runs();
	ASSERT_GT(sum.got, RUNS * OPS / 2, "got");
	ASSERT_EQ(sum.damaged, 0, "damaged");
	ASSERT_EQ(sum.refused, 0, "refused");

	ASSERT_OK(arena_lib_run(skel->progs.clean_up), "clean up");
	arena_heap_stats(&skel->arena->heap, &stats);
	ASSERT_EQ(stats.bytes, 0, "bytes");
	ASSERT_EQ(stats.pages, stats.table_pages, "pages that are left");
}

/* A program that may sleep has brought all of them. */
static void filled(void)
{
	skel->bss->pages = PAGES;
	if (!ASSERT_OK(arena_lib_run(skel->progs.fill), "fill"))
		return;
	ASSERT_GE(skel->arena->heap.pool_pages, PAGES, "pages");
	use();
}

/* The programs bring some themselves each time, where they can. */
static void on_the_way(void)
{
	if (!arena_lib_pages_nosleep()) {
		test__skip();
		return;
	}
	skel->bss->bring = 1;
	use();
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "empty", empty },
	{ "filled", filled },
	{ "on_the_way", on_the_way },
};

void serial_test_arena_lib_filled(void)
{
	cpu_set_t old;
	int i, owner;

	sched_getaffinity(0, sizeof(old), &old);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (!test__start_subtest(tests[i].name))
			continue;
		skel = arena_lib_filled__open_and_load();
		if (!ASSERT_OK_PTR(skel, "open and load"))
			continue;
		skel->bss->turns = OPS;
		for (owner = 0; owner < OWNERS; owner++)
			skel->bss->runs[owner].random = (__u64)time(NULL) * (owner + 1) | 1;
		tests[i].run();
		arena_lib_filled__destroy(skel);
		sched_setaffinity(0, sizeof(old), &old);
	}
}
