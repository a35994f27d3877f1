// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps in an arena: programs and user space allocate and free at the same time, no
 * object is damaged or had by two, and all of it is there again in the end.
 */
#define _GNU_SOURCE
#include <test_progs.h>
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
static bool nosleep;	/* programs that must not sleep can have pages */

/* Ranges are in the second half of the arena. */
#define RANGE_FIRST	9000
#define RANGE_PAGES	9000

static void use_heap(int nr)
{
	skel->bss->heap_nr = nr;
	heap = &skel->arena->heaps[nr];
}

static bool make_range(int nr, __u32 first, __u32 pages)
{
	use_heap(nr);
	skel->bss->range_first = first;
	skel->bss->range_pages = pages;
	return ASSERT_OK(arena_lib_run(skel->progs.make_range), "range");
}

static bool use_range(bool range, __u32 pages)
{
	use_heap(0);
	return !range || make_range(1, RANGE_FIRST, pages);
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

static void start_from(__u64 seed)
{
	int i;

	printf("repeat it with ARENA_LIB_SEED=%llu\n", seed);
	memset(skel->bss->runs, 0, sizeof(skel->bss->runs));
	skel->bss->turns = OPS;
	for (i = 0; i < OWNERS; i++)
		skel->bss->runs[i].random = seed * (i + 1) | 1;
}

static void start(void)
{
	start_from(arena_env("ARENA_LIB_SEED", time(NULL)));
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
	ASSERT_EQ(heap->lost_pages, 0, "lost pages");
	/* Pages of the arena's are given back, those of the range remain. */
	ASSERT_EQ(stats.pages, stats.table_pages + (heap->end ? stats.pool_pages : 0), "pages");
	printf("pages %llu, tables %llu, timeouts %llu, no memory %llu\n", stats.pages,
	       stats.table_pages, stats.lock_timeouts, stats.no_memory);
}

static void some_ops(int runs)
{
	int n;

	for (n = 0; n < runs; n++) {
		if (!ASSERT_OK(arena_lib_run(skel->progs.in_syscall), "run"))
			return;
		/* User space cannot have pages of the arena, but use those that are there. */
		if (n % 4 == 0)
			ASSERT_OK(user_ops(n / 4), "user space");
	}
}

/* Each is alone: nothing fails that should not. */
static void random_ops(bool range)
{
	if (!use_range(range, RANGE_PAGES))
		return;
	start();
	some_ops(arena_times(RUNS));
	ASSERT_EQ(skel->bss->runs[0].failed + skel->bss->runs[1].failed, 0, "failures in program");
	if (range)
		ASSERT_EQ(skel->bss->runs[USER_OWNER].failed +
			  skel->bss->runs[USER_OWNER + 1].failed, 0, "failures in user space");
	check_slots();
	check_empty();
}

/* Two CPUs, two threads, and programs that interrupt them. */
static void race(bool range)
{
	struct bpf_link *clock[2];
	int i;

	if (!use_range(range, RANGE_PAGES))
		return;
	start();
	skel->bss->turns = 300;
	skel->bss->ticks = 0;
	for (i = 0; nosleep && i < 2; i++)
		clock[i] = arena_clock(skel->progs.in_interrupt, i,
				       CLOCK_NS * 16 / arena_times(16));
	arena_lib_race(skel->progs.in_syscall, user_ops, arena_times(50));
	if (nosleep)
		ASSERT_GE(skel->bss->ticks, 10, "interrupts");
	for (i = 0; nosleep && i < 2; i++)
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

	if (!nosleep) {
		test__skip();
		return;
	}
	opts.data_in = packet;
	opts.data_size_in = sizeof(packet);
	if (!use_range(range, RANGE_PAGES))
		return;
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

	if (!use_range(range, RANGE_PAGES))
		return;
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

static __u64 count(int nr, __u32 size)
{
	use_heap(nr);
	skel->bss->count_size = size;
	ASSERT_OK(arena_lib_run(skel->progs.count), "count");
	return skel->bss->counted;
}

/* After objects of all sizes a heap can do what one can that has never been used. */
static void histories(bool range)
{
	static const __u32 size[QUESTIONS] = {
		ARENA_MALLOC_MAX, PAGE_SIZE, 5 * PAGE_SIZE, 1000,
	};
	const __u32 pages = 700;
	__u64 fresh[QUESTIONS], seed;
	int i, n;

	for (i = 0; i < QUESTIONS; i++) {
		if (!make_range(2 + i, RANGE_FIRST + (i + 1) * ARENA_LEAF_PAGES, pages))
			return;
		fresh[i] = count(2 + i, size[i]);
	}
	if (!use_range(range, pages))
		return;
	seed = arena_env("ARENA_LIB_SEED", time(NULL));
	for (n = 0; n < arena_times(16); n++) {
		start_from(seed + n);
		some_ops(8);
		check_slots();
		check_empty();
		if (!range) {
			ASSERT_GE(count(0, ARENA_MALLOC_MAX), fresh[0], "largest objects");
			continue;
		}
		for (i = 0; i < QUESTIONS; i++)
			ASSERT_EQ(count(1, size[i]), fresh[i], "objects as of a fresh heap");
	}
}

/* Small objects all over the place leave room for the largest ones when they are gone. */
static void full(bool range)
{
	const __u32 max = bpf_map__max_entries(skel->maps.arena);
	const __u32 pages = arena_times(range ? RANGE_PAGES : max);
	__u64 largest, again;

	if (!use_range(range, pages))
		return;
	if (!range)
		heap->limit = pages;
	largest = count(range, ARENA_MALLOC_MAX);
	ASSERT_GE(count(range, ARENA_SLAB_MAX_SIZE), pages * 2 * 9 / 10, "small objects");
	check_empty();
	/* A page for 31 slabs, one for 1024 pages, and a piece of those for slabs to spare */
	ASSERT_LE(heap->table_pages, pages / 31 + pages / 1024 + 40, "pages of tables");
	again = count(range, ARENA_MALLOC_MAX);
	printf("%llu of the largest objects, then %llu\n", largest, again);
	if (range)
		ASSERT_EQ(again, largest, "largest objects");
	else
		ASSERT_GE(again, 1, "largest objects");
	check_empty();
}

/* A program takes long to be verified: all tests share them, and begin with an empty arena. */
static bool start_anew(void)
{
	if (!ASSERT_OK(arena_lib_run(skel->progs.free_pages), "free"))
		return false;
	memset(skel->arena, 0, sizeof(*skel->arena));
	memset(skel->bss, 0, sizeof(*skel->bss));
	return true;
}

static void each_kind(const char *name, void (*test)(bool range))
{
	char subtest[32];
	int range;

	for (range = 0; range < 2; range++) {
		snprintf(subtest, sizeof(subtest), "%s_%s", name, range ? "range" : "arena");
		if (test__start_subtest(subtest) && start_anew())
			test(range);
	}
}

/* The race needs both CPUs: not beside other tests. */
void serial_test_arena_lib_alloc(void)
{
	cpu_set_t old;

	skel = arena_lib_alloc__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;
	sched_getaffinity(0, sizeof(old), &old);
	/* Where they cannot have pages they are refused. */
	nosleep = arena_lib_pages_nosleep();
	bpf_program__set_autoload(skel->progs.in_xdp, nosleep);
	bpf_program__set_autoload(skel->progs.in_interrupt, nosleep);
	if (!ASSERT_OK(arena_lib_alloc__load(skel), "load"))
		goto out;
	each_kind("random", random_ops);
	each_kind("atomic", atomic);
	each_kind("race", race);
	each_kind("limit", obey);
	each_kind("histories", histories);
	each_kind("full", full);
out:
	sched_setaffinity(0, sizeof(old), &old);
	arena_lib_alloc__destroy(skel);
}
