// SPDX-License-Identifier: GPL-2.0
/*
 * What one operation may cost the others: how long a fault waits while pages are purged,
 * how many mappings go with one page, how much a call may ask for that must not sleep, and
 * what a search costs that finds nothing.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sys/resource.h>
#include "arena_system.h"
#include "arena_bounds.skel.h"

#define BASE		0x10000000000ULL

static size_t page;

/*
 * A fault while 1 GiB is purged.
 */

#define PURGED_PAGES	262144U
#define FAULT_PAGES	4096U
#define FAULT_US	10000
#define SLEEP_US	500

/* A purge takes as long each time; a machine that is busy with other things, does not. */
#define PURGES		4

static struct {
	struct arena_ops_env env;
	__u32 first;		/* pages from here on are faulted in */
	__u64 worst_us;
	__u64 late_us;
	__u64 faults;
	bool stop;
} faulter;

/*
 * How long a fault is held up: what it takes, without the CPU time that it needs. The
 * thread runs whenever it can, so that this is the time for which others hold a lock.
 */
static __u64 time_fault(char *addr)
{
	__u64 cpu, begin, took;

	madvise(addr, page, MADV_DONTNEED);
	cpu = arena_cpu_us();
	begin = arena_now_us();
	READ_ONCE(*addr);
	took = arena_now_us() - begin;
	cpu = arena_cpu_us() - cpu;
	return took > cpu ? took - cpu : 0;
}

/*
 * How much later than it wanted to the thread comes back to a CPU: that is not the
 * kernel's doing, but that of a machine that is not there all the time.
 */
static __u64 time_sleep(void)
{
	__u64 begin = arena_now_us(), took;

	usleep(SLEEP_US);
	took = arena_now_us() - begin;
	return took > SLEEP_US ? took - SLEEP_US : 0;
}

static void note_worst(__u64 *worst, __u64 us)
{
	if (us > *worst)
		*worst = us;
}

static void *fault_thread(void *arg)
{
	__u32 i;

	arena_run_on(libbpf_num_possible_cpus() - 1);
	arena_realtime(true);
	for (i = 0; !READ_ONCE(faulter.stop); i = (i + 1) % FAULT_PAGES) {
		note_worst(&faulter.worst_us,
			   time_fault(arena_ops_page(&faulter.env, faulter.first + i)));
		faulter.faults++;
		/* It must not run all of the time, or it would be stopped for a while. */
		note_worst(&faulter.late_us, time_sleep());
	}
	return NULL;
}

/* Frees @cnt pages, and has another thread fault until they have gone. */
static bool purge(__u32 cnt)
{
	struct arena_ops_env *env = &faulter.env;
	long long full, left;
	pthread_t thread;
	__u64 end;

	if (!ASSERT_EQ((char *)arena_ops_alloc(env, env->base, cnt), env->base, "alloc"))
		return false;
	full = arena_ops_memory(env);
	faulter.worst_us = 0;
	faulter.late_us = 0;
	faulter.faults = 0;
	faulter.stop = false;
	if (!ASSERT_OK(pthread_create(&thread, NULL, fault_thread, NULL), "thread"))
		return false;
	arena_ops_free(env, env->base, cnt);
	end = arena_now_ms() + arena_limit(20000);
	do {
		usleep(100 * 1000);
		left = (arena_ops_memory(env) - full) / (long long)page + cnt;
	} while (left > FAULT_PAGES + cnt / 100 && arena_now_ms() < end);
	WRITE_ONCE(faulter.stop, true);
	pthread_join(thread, NULL);
	printf("%u pages purged: worst of %llu faults held up for %llu us, sleeps by %llu us\n",
	       cnt, faulter.faults, faulter.worst_us, faulter.late_us);
	return ASSERT_LE(left, FAULT_PAGES + cnt / 100, "pages left") &&
	       ASSERT_GT(faulter.faults, 100, "faults");
}

static void fault_beside_purge(void)
{
	/* A kernel that is slow has longer to do with less. */
	__u32 cnt = arena_limit(1) == 1 ? PURGED_PAGES : PURGED_PAGES / 4;
	__u64 limit = arena_limit(FAULT_US);
	bool ok = false;
	int i;

	/* Trap: everything in one hold of a lock */
	memset(&faulter, 0, sizeof(faulter));
	if (!arena_ops_open(&faulter.env, cnt + FAULT_PAGES, 0, 0))
		return;
	faulter.first = cnt;
	for (i = 0; i < PURGES && !ok; i++) {
		if (!purge(cnt))
			goto out;
		ok = faulter.worst_us <= limit + faulter.late_us;
	}
	ASSERT_TRUE(ok, "a fault is not held up for long");
out:
	arena_ops_close(&faulter.env);
}

/*
 * One page comes and goes among others that stay.
 */

#define AROUND		512U
#define RECYCLED	20

static long thread_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

static bool is_mapped(int pagemap, const void *addr)
{
	__u64 entry = 0;

	ASSERT_EQ(pread(pagemap, &entry, sizeof(entry), (__u64)addr / page * sizeof(entry)),
		  (ssize_t)sizeof(entry), "pagemap");
	return entry & 1ULL << 63;
}

static void touch_around(const struct arena_ops_env *env)
{
	__u32 i;

	for (i = 0; i < AROUND; i++)
		READ_ONCE(*(char *)arena_ops_page(env, i));
}

static bool recycle(struct arena_ops_env *env, int pagemap, bool atomic, __u32 idx, __u32 cnt)
{
	void *addr = arena_ops_page(env, idx);

	env->atomic = atomic;
	arena_ops_free(env, addr, cnt);
	/* In order, the first one first */
	if (!ASSERT_TRUE(ARENA_EVENTUALLY(!is_mapped(pagemap, addr)), "gone from user space"))
		return false;
	/* What is just being unmapped may look pinned: one that may sleep waits for that */
	env->atomic = false;
	return ASSERT_EQ(arena_ops_alloc(env, addr, cnt), addr, "alloc");
}

/* Page 256, or that and a run elsewhere in the same page table: faults a round */
static void recycled(bool atomic, bool two_places, int limit)
{
	int pagemap, i, rounds = arena_times(RECYCLED) < 4 ? 4 : arena_times(RECYCLED);
	struct arena_ops_env env;
	long faults = 0;

	/* Trap: a zap of the whole table where one page was meant */
	if (!arena_ops_open(&env, AROUND, BPF_F_SEGV_ON_FAULT, BASE))
		return;
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (!ASSERT_GE(pagemap, 0, "pagemap") ||
	    !ASSERT_PAGE(arena_ops_alloc(&env, NULL, AROUND), "alloc"))
		goto out;
	touch_around(&env);
	for (i = 0; i < rounds; i++) {
		if (!recycle(&env, pagemap, atomic, 256, 1) ||
		    (two_places && !recycle(&env, pagemap, atomic, 32, 8)))
			goto out;
		faults -= thread_faults();
		touch_around(&env);
		faults += thread_faults();
	}
	printf("%ld faults in %d rounds\n", faults, rounds);
	ASSERT_LE(faults, limit * rounds, "faults");
out:
	close(pagemap);
	arena_ops_close(&env);
}

static void recycled_sleepable(void)
{
	recycled(false, false, 2);
}

static void recycled_atomic(void)
{
	recycled(true, false, 2);
}

static void recycled_two_places(void)
{
	recycled(true, true, 3);
}

/*
 * Many pages in one call that must not sleep.
 */

#define MANY_PAGES	65536U
#define CALL_US		20000

/* CPU time of a call that gets nothing */
static void expect_refused(const struct arena_ops_env *env, void *addr, __u32 cnt)
{
	__u64 cpu = arena_cpu_us();
	void *p;

	p = arena_ops_alloc(env, addr, cnt);
	cpu = arena_cpu_us() - cpu;
	ASSERT_NULL(p, "more than a call can have");
	arena_ops_free(env, p, cnt);
	printf("a call for %u pages %s: %llu us\n", cnt, addr ? "at an address" : "anywhere", cpu);
	ASSERT_LT(cpu, arena_limit(CALL_US), "CPU time of the call, us");
}

static void many_in_a_call(void)
{
	__u32 cnt = arena_times(MANY_PAGES);
	struct arena_ops_env env;

	/* Trap: One atomic allocation of 262,144 pages runs 1.1 s with no limit */
	if (!arena_ops_open(&env, cnt, 0, BASE))
		return;
	/* Pages that are at their offsets already: none of them is missing in the pool. */
	if (!ASSERT_PAGE(arena_ops_alloc(&env, env.base, cnt), "alloc"))
		goto out;
	arena_ops_free(&env, env.base, cnt);
	env.atomic = true;
	expect_refused(&env, NULL, cnt);
	expect_refused(&env, env.base, cnt);
	expect_refused(&env, NULL, ARENA_ATOMIC_MAX + 1);
	expect_refused(&env, env.base, ARENA_ATOMIC_MAX + 1);
	/* As many as it may ask for */
	ASSERT_EQ((char *)arena_ops_alloc(&env, NULL, ARENA_ATOMIC_MAX), env.base,
		  "alloc anywhere");
	arena_ops_free(&env, env.base, ARENA_ATOMIC_MAX);
	ASSERT_EQ((char *)arena_ops_alloc(&env, env.base, ARENA_ATOMIC_MAX), env.base,
		  "alloc at an address");
	env.atomic = false;
	ASSERT_NULL(arena_ops_alloc(&env, env.base, cnt), "taken in part");
	arena_ops_free(&env, env.base, cnt);
	ASSERT_EQ((char *)arena_ops_alloc(&env, NULL, cnt), env.base, "all, where it may sleep");
out:
	arena_ops_close(&env);
}

/*
 * A search in vain.
 */

#define SEARCH_PAGES	1048576U
#define SEARCH_NS	5000
#define SEARCHES	100
#define BATCHES		10

static struct arena_bounds *bounds;

static bool run(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	return ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run");
}

/* Looks for @pages pages that follow each other. Returns how often they were found. */
static int search(bool atomic, int pages, int times)
{
	bounds->bss->pages = pages;
	bounds->bss->times = times;
	if (!run(atomic ? bounds->progs.search_atomic : bounds->progs.search))
		return -1;
	return bounds->bss->found;
}

static void release(int first, int pages)
{
	bounds->bss->first = first;
	bounds->bss->pages = pages;
	run(bounds->progs.release);
}

/* They are found where they have just been freed, and there alone. */
static bool found_once(bool atomic, int pages, int idx)
{
	return ASSERT_EQ(search(atomic, pages, 2), 1, "runs of pages") &&
	       ASSERT_EQ(bounds->bss->addr, BASE + idx * page, "where it was freed");
}

/*
 * A search for a run that is not there: what the first costs, and one of many. It costs
 * the same each time; of several measurements the least is the true one.
 */
static bool search_in_vain(bool atomic, int pages)
{
	__u64 first, best = ~0ULL;
	int i;

	if (!ASSERT_EQ(search(atomic, pages, 1), 0, "found"))
		return false;
	first = bounds->bss->ns;
	for (i = 0; i < BATCHES; i++) {
		if (!ASSERT_EQ(search(atomic, pages, SEARCHES), 0, "found"))
			return false;
		if (bounds->bss->ns / SEARCHES < best)
			best = bounds->bss->ns / SEARCHES;
	}
	printf("%d pages, one in %d taken: first search %llu ns, then %llu ns each\n", pages,
	       bounds->bss->step, first, best);
	return ASSERT_LE(best, arena_limit(SEARCH_NS), "search in vain, ns");
}

static bool scatter(int step)
{
	__u32 cnt = arena_times(SEARCH_PAGES);

	bounds = arena_bounds__open();
	if (!ASSERT_OK_PTR(bounds, "open"))
		return false;
	bpf_map__set_max_entries(bounds->maps.arena, cnt);
	bpf_map__set_map_extra(bounds->maps.arena, BASE);
	if (!ASSERT_OK(arena_bounds__load(bounds), "load"))
		return false;
	bounds->bss->base = BASE;
	bounds->bss->nr_pages = cnt;
	bounds->bss->step = step;
	return run(bounds->progs.scatter) && ASSERT_EQ(bounds->bss->refused, 0, "refused");
}

/* One page in @step is taken, so that there are never more than @step - 1 in a row. */
static void scattered(bool atomic, int step)
{
	int idx;

	/* Trap: a failing multi-page search that undoes its own hints */
	if (!scatter(step) || !search_in_vain(atomic, step))
		goto out;
	/* What was learned is forgotten when there is something to be found. */
	idx = bounds->bss->nr_pages / 2 / step * step;
	release(idx, 1);
	if (!found_once(atomic, step, idx - step + 1) || !search_in_vain(atomic, step))
		goto out;
	release(idx - step + 1, step);
	found_once(atomic, step, idx - step + 1);
	/* What is shorter was there all the time. */
	if (step > 2) {
		ASSERT_EQ(search(atomic, step - 1, 1), 1, "shorter run");
		ASSERT_EQ(bounds->bss->addr, BASE + page, "lowest that fits");
	}
out:
	arena_bounds__destroy(bounds);
}

/* Both CPUs, most of the memory, and time: not beside other tests. */
void serial_test_arena_bounds(void)
{
	page = arena_page_size();
	if (test__start_subtest("fault_beside_purge"))
		fault_beside_purge();
	if (test__start_subtest("recycled_sleepable"))
		recycled_sleepable();
	if (test__start_subtest("recycled_atomic"))
		recycled_atomic();
	if (test__start_subtest("recycled_two_places"))
		recycled_two_places();
	if (test__start_subtest("many_in_a_call"))
		many_in_a_call();
	if (test__start_subtest("search_singles"))
		scattered(false, 2);
	if (test__start_subtest("search_pairs"))
		scattered(false, 3);
	if (test__start_subtest("search_words"))
		scattered(false, 64);
	if (test__start_subtest("search_singles_atomic"))
		scattered(true, 2);
	if (test__start_subtest("search_pairs_atomic"))
		scattered(true, 3);
}
