// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps in an arena: programs and user space allocate and free at the same time, no
 * object is damaged or had by two, and all of it is there again in the end.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include "arena_lib_test.h"
#include "progs/arena_lib_alloc.h"
#include "arena_lib_alloc.skel.h"

#define RUNS		150
#define OPS		1000
#define CLOCK_NS	500000

/* Slots of the program's owners come first. */
#define USER_OWNER	6

static struct arena_lib_alloc *skel;
static struct arena_heap *heap;

static void use_range(bool range)
{
	skel->bss->use_range = range;
	heap = range ? &skel->arena->ranged : &skel->arena->heap;
}

static int user_ops(int nr)
{
	struct slot *slots = &skel->arena->slots[(USER_OWNER + nr % 2) * SLOTS];
	struct alloc_run *run = &skel->bss->runs[USER_OWNER + nr % 2];
	int i;

	for (i = 0; i < OPS; i++)
		alloc_op(heap, slots, run);
	return run->damaged || run->refused;
}

static void start(void)
{
	int i;

	memset(skel->bss->runs, 0, sizeof(skel->bss->runs));
	skel->bss->turns = OPS;
	for (i = 0; i < OWNERS; i++)
		skel->bss->runs[i].random = (__u64)time(NULL) * (i + 1) | 1;
}

/* What was got and not freed is in the slots, whole, and the heap's numbers say the same. */
static void check_slots(void)
{
	__u64 want[ARENA_HEAP_CLASSES] = {}, have, large = 0, got = 0;
	struct arena_heap_stats stats;
	__u32 damaged = 0;
	struct slot *slot;
	int i;

	for (i = 0; i < OWNERS * SLOTS; i++) {
		slot = &skel->arena->slots[i];
		if (!slot->obj)
			continue;
		got++;
		damaged += alloc_is_damaged(slot);
		if (slot->size > ARENA_SLAB_MAX_SIZE)
			large++;
		else
			want[arena_class_of(slot->size)]++;
	}
	ASSERT_EQ(damaged, 0, "damaged in slots");
	for (i = 0; i < OWNERS; i++) {
		struct alloc_run *run = &skel->bss->runs[i];

		got -= run->got - run->freed;
		printf("owner %d: %llu got, %llu freed, %llu failed\n", i, run->got, run->freed,
		       run->failed);
		ASSERT_EQ(run->damaged, 0, "damaged");
		ASSERT_EQ(run->refused, 0, "refused");
	}
	ASSERT_EQ(got, 0, "objects more than in the slots");
	arena_heap_stats(heap, &stats);
	ASSERT_EQ(stats.large_objects, large, "large objects");
	for (i = 0, have = 0; i < ARENA_HEAP_CLASSES; i++) {
		/* Some are of the next class, where there were not three pages in a row. */
		have += stats.class[i].objects - want[i];
		if (i % 2 == 0) {
			ASSERT_EQ(have, 0, "objects of a class");
			have = 0;
		}
	}
}

static void check_empty(void)
{
	struct arena_heap_stats stats;
	int i;

	if (!ASSERT_OK(arena_lib_run(skel->progs.clean_up), "clean up"))
		return;
	for (i = 0; i < OWNERS * SLOTS && !skel->arena->slots[i].obj; i++)
		;
	ASSERT_EQ(i, OWNERS * SLOTS, "empty slots");
	arena_heap_stats(heap, &stats);
	ASSERT_EQ(stats.bytes, 0, "bytes");
	ASSERT_EQ(stats.large_objects, 0, "large objects");
	ASSERT_EQ(stats.slab_pages, 0, "pages of slabs");
	ASSERT_EQ(stats.transit_pages, 0, "pages in transit");
	/* Pages of the arena's are given back, those of the range remain. */
	ASSERT_EQ(stats.pages, stats.table_pages + (heap->end ? stats.pool_pages : 0), "pages");
	printf("pages %llu, tables %llu, timeouts %llu, no memory %llu\n", stats.pages,
	       stats.table_pages, stats.lock_timeouts, stats.no_memory);
}

/* Each is alone: nothing fails that should not. */
static void random_ops(bool range)
{
	int n;

	use_range(range);
	start();
	for (n = 0; n < RUNS; n++) {
		if (!ASSERT_OK(arena_lib_run(skel->progs.in_syscall), "run"))
			return;
		/* User space cannot have pages of the arena, but use those that are there. */
		if (n % 4 == 0)
			ASSERT_OK(user_ops(n / 4), "user space");
	}
	ASSERT_EQ(skel->bss->runs[0].failed + skel->bss->runs[1].failed, 0, "failures in program");
	if (range)
		ASSERT_EQ(skel->bss->runs[USER_OWNER].failed +
			  skel->bss->runs[USER_OWNER + 1].failed, 0, "failures in user space");
	check_slots();
	check_empty();
}

static struct bpf_link *start_clock(int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = CLOCK_NS * 16 / arena_times(16),
	};
	struct bpf_link *link;
	int fd;

	fd = syscall(__NR_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (!ASSERT_GE(fd, 0, "perf_event_open"))
		return NULL;
	link = bpf_program__attach_perf_event(skel->progs.in_interrupt, fd);
	if (!ASSERT_OK_PTR(link, "attach"))
		close(fd);
	return link;
}

/* Two CPUs, two threads, and programs that interrupt them. */
static void race(bool range)
{
	struct bpf_link *clock[2];
	int i;

	use_range(range);
	start();
	skel->bss->turns = 300;
	skel->bss->ticks = 0;
	for (i = 0; i < 2; i++)
		clock[i] = start_clock(i);
	arena_lib_race(skel->progs.in_syscall, user_ops, 50);
	ASSERT_GE(skel->bss->ticks, 10, "interrupts");
	for (i = 0; i < 2; i++)
		bpf_link__destroy(clock[i]);
	check_slots();
	check_empty();
}

/* Where nothing may sleep a call fails when there is no page, and works again later. */
static void atomic(bool range)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int fd = bpf_program__fd(skel->progs.in_xdp);
	char packet[64] = {};

	opts.data_in = packet;
	opts.data_size_in = sizeof(packet);
	use_range(range);
	start();
	ASSERT_TRUE(ARENA_EVENTUALLY(({
		ASSERT_OK(bpf_prog_test_run_opts(fd, &opts), "run");
		skel->bss->runs[2].got + skel->bss->runs[3].got > 20 * OPS;
	})), "objects");
	check_slots();
	check_empty();
}

/* The limit holds, also for what the heap needs for itself. */
static void obey(bool range)
{
	struct arena_heap_stats stats;

	use_range(range);
	start();
	heap->limit = 40;
	if (ASSERT_OK(arena_lib_run(skel->progs.in_syscall), "run")) {
		ASSERT_GT(skel->bss->runs[0].failed + skel->bss->runs[1].failed, 0, "failures");
		ASSERT_GT(skel->bss->runs[0].got + skel->bss->runs[1].got, OPS / 10, "objects");
	}
	arena_heap_stats(heap, &stats);
	ASSERT_LE(stats.pages, 40, "pages");
	ASSERT_GT(stats.over_limit, 0, "over the limit");
	heap->limit = 0;
	check_slots();
	check_empty();
}

static void each_kind(const char *name, void (*test)(bool range))
{
	char subtest[32];
	int range;

	for (range = 0; range < 2; range++) {
		snprintf(subtest, sizeof(subtest), "%s_%s", name, range ? "range" : "arena");
		if (!test__start_subtest(subtest))
			continue;
		skel = arena_lib_alloc__open_and_load();
		if (!ASSERT_OK_PTR(skel, "open and load"))
			continue;
		if (ASSERT_OK(arena_lib_run(skel->progs.make_range), "range"))
			test(range);
		arena_lib_alloc__destroy(skel);
	}
}

/* The race needs both CPUs: not beside other tests. */
void serial_test_arena_lib_alloc(void)
{
	cpu_set_t old;

	sched_getaffinity(0, sizeof(old), &old);
	each_kind("random", random_ops);
	each_kind("atomic", atomic);
	each_kind("race", race);
	each_kind("limit", obey);
	sched_setaffinity(0, sizeof(old), &old);
}
