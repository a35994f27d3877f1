// SPDX-License-Identifier: GPL-2.0
/*
 * What operations on an arena cost, in ticks of the time stamp counter: in a
 * machine whose counter counts instructions, it is the number of instructions.
 *
 * Prints one "name<TAB>value" a line, as soon as it is known. What the kernel
 * cannot do is left out.
 *
 * A short run is repeated, and the shortest counts: no timer interrupt was in
 * it. The run itself costs something: what a run of no operation costs is taken
 * off. The process has the policy SCHED_IDLE, so that any work it leaves to a
 * kernel thread is done at once and counts, too, where there is one CPU. Where
 * there are two, only what needs two is measured.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <x86intrin.h>
#include "bpf_arena_common.h"
#include "progs/arena_bench.h"
#include "arena_bench.skel.h"
#include "arena_bench_atomic.skel.h"
#include "arena_bench_stock.skel.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096UL
#define ARENA_PAGES	32768
#define REPEAT		25	/* of a run that is always the same */
#define ARENAS		12	/* or passes, where the past matters */
#define SAMPLES		400	/* of what differs each time: */
#define CYCLES		8	/* as many arenas created and ended */
#define SLOW		1000000	/* to create: one at a time */
#define MANY		4096	/* single pages */
#define TOUCHED		1024	/* pages that user space touches */
#define BATCHES		32	/* in which these two are timed */
#define THREAD_RUNS	16	/* of each of two threads, with */
#define THREAD_OPS	8	/* so many operations */
#define THREAD_SAMPLES	80
#define LATER		3	/* seconds until all that was put off is done */

static __u64 now(void)
{
	return __rdtsc();
}

static void die(const char *what)
{
	fprintf(stderr, "arena_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void row(double value, const char *name, ...)
{
	va_list args;

	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	printf("\t%.2f\n", value);
	fflush(stdout);
}

static void heading(const char *name)
{
	printf("# %s\n", name);
}

static void update_best(__u64 *best, __u64 value)
{
	if (value < *best)
		*best = value;
}

static __u64 run(const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	__u64 start;
	int err;

	start = now();
	err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	start = now() - start;
	if (err)
		die(bpf_program__name(prog));
	return start;
}

/* The shortest run, with *@ops set to @n */
static __u64 best_run(const struct bpf_program *prog, __u32 *ops, __u32 n)
{
	__u64 best = -1ULL;
	int i;

	*ops = n;
	for (i = 0; i < REPEAT; i++)
		update_best(&best, run(prog));
	return best;
}

static double per_op(const struct bpf_program *prog, __u32 *ops, __u32 from,
		     __u32 to)
{
	__u64 less = best_run(prog, ops, from);

	return (double)(best_run(prog, ops, to) - less) / (to - from);
}

/*
 * An arena that is loaded, with programs.
 */

static struct arena_bench *open_arena(__u32 flags)
{
	struct arena_bench *skel = arena_bench__open();

	if (!skel)
		die("open");
	bpf_map__set_max_entries(skel->maps.arena, ARENA_PAGES);
	bpf_map__set_map_flags(skel->maps.arena, BPF_F_MMAPABLE | flags);
	if (arena_bench__load(skel)) {
		arena_bench__destroy(skel);
		return NULL;
	}
	return skel;
}

static char *arena_base(struct arena_bench *skel)
{
	size_t size;

	return (char *)bpf_map__initial_value(skel->maps.arena, &size);
}

static __u64 alloc_pages(struct arena_bench *skel, __u32 calls, __u32 pages)
{
	__u64 time;

	skel->bss->ops = calls;
	skel->bss->pages = pages;
	time = run(skel->progs.alloc_pages);
	if (skel->bss->result != calls || (calls && !skel->bss->first))
		die("allocation failed");
	return time;
}

static __u64 free_pages(struct arena_bench *skel, char *at, __u32 calls,
			__u32 pages, __u32 stride)
{
	skel->bss->ops = calls;
	skel->bss->pages = pages;
	skel->bss->stride = stride;
	skel->bss->at = (unsigned long)at;
	return run(skel->progs.free_pages);
}

/* What a run without operations costs */
static __u64 empty_alloc(struct arena_bench *skel)
{
	return best_run(skel->progs.alloc_pages, &skel->bss->ops, 0);
}

static __u64 empty_free(struct arena_bench *skel)
{
	return best_run(skel->progs.free_pages, &skel->bss->ops, 0);
}

/*
 * Creation and end.
 */

/* Creates and ends some arenas one after the other. Fails where there are none. */
static int create_some(__u32 pages, int n, __u64 *create, __u64 *end)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	__u64 start, middle;
	void *p;
	int i, fd;

	*create = 0;
	*end = 0;
	for (i = 0; i < n; i++) {
		start = now();
		fd = bpf_map_create(BPF_MAP_TYPE_ARENA, "arena", 0, 0, pages, &opts);
		if (fd < 0)
			return -1;
		p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
		middle = now();
		if (p == MAP_FAILED)
			die("mmap");
		munmap(p, pages * PAGE);
		close(fd);
		*create += middle - start;
		*end += now() - middle;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The mean of the values in the middle, half of all: without those that stand out */
static double midmean(__u64 *values, int n)
{
	__u64 sum = 0;
	int i;

	qsort(values, n, sizeof(*values), compare);
	for (i = n / 4; i < n - n / 4; i++)
		sum += values[i];
	return (double)sum / (n - n / 4 * 2);
}

/*
 * No run is like the other here, for a while later some memory of each is freed
 * in bulk.
 */
static void create_rows(__u32 pages, const char *size)
{
	__u64 create[SAMPLES], end[SAMPLES], both[SAMPLES];
	int i, n = CYCLES;

	if (create_some(pages, 1, &create[0], &end[0]))
		return;
	if (create[0] > SLOW)
		n = 1;
	for (i = 0; i < SAMPLES; i++) {
		create_some(pages, n, &create[i], &end[i]);
		both[i] = create[i] + end[i];
	}
	row(midmean(create, SAMPLES) / n, "create + mmap, %s", size);
	row(midmean(end, SAMPLES) / n, "munmap + close + free, %s", size);
	row(midmean(both, SAMPLES) / n, "the two, %s", size);
}

/*
 * A long row of operations is timed in batches, in several passes, so that the
 * batches of which an interrupt was part stand out.
 */
struct series {
	__u64 time[BATCHES][ARENAS];
};

/* What an operation costs, of @ops, if a batch of none costs @none */
static double series_per_op(struct series *series, __u64 none, int ops)
{
	double sum = 0;
	int i;

	for (i = 0; i < BATCHES; i++)
		sum += midmean(series->time[i], ARENAS) - none;
	return sum / ops;
}

/*
 * Allocation.
 */

/*
 * Mainline's costs depend on where the arena's window happens to be: the best of
 * some arenas counts.
 */
static void best_of_arenas(void (*measure)(struct arena_bench *skel, double *values),
			   double *best, int n)
{
	struct arena_bench *skel;
	double values[2];
	int i, j;

	for (i = 0; i < ARENAS; i++) {
		skel = open_arena(0);
		measure(skel, values);
		for (j = 0; j < n; j++)
			if (!i || values[j] < best[j])
				best[j] = values[j];
		arena_bench__destroy(skel);
	}
}

static double alloc_free(struct arena_bench *skel, __u32 pages, __u32 calls)
{
	skel->bss->pages = pages;
	return per_op(skel->progs.alloc_free, &skel->bss->ops, 0, calls) / pages;
}

static void one_page(struct arena_bench *skel, double *values)
{
	values[0] = alloc_free(skel, 1, 200);
}

static void more_pages(struct arena_bench *skel, double *values)
{
	values[0] = alloc_free(skel, 64, 4);
	values[1] = alloc_free(skel, 1024, 1);
}

static void alloc_free_rows(void)
{
	double best[2];

	best_of_arenas(one_page, best, 1);
	row(best[0], "alloc + free, 1 page");
	best_of_arenas(more_pages, best, 2);
	row(best[0], "alloc + free, 64 pages a call, per page");
	row(best[1], "alloc + free, 1024 pages a call, per page");
}

static void fragmented(struct arena_bench *skel, double *values)
{
	int i;

	for (i = 0; i < BATCHES; i++)
		alloc_pages(skel, MANY / BATCHES, 1);
	free_pages(skel, arena_base(skel), MANY / 2, 1, 2);

	values[0] = alloc_free(skel, 1, 100);
	values[1] = alloc_free(skel, 2, 100) * 2;
}

static void fragmented_rows(void)
{
	double best[2];

	best_of_arenas(fragmented, best, 2);
	row(best[0], "every second page taken: alloc + free, 1 page");
	row(best[1], "every second page taken: alloc + free, 2 pages");
}

static void many_pages(struct arena_bench *skel, int pass, struct series *alloc,
		       struct series *free)
{
	char *base = arena_base(skel);
	int i;

	for (i = 0; i < BATCHES; i++)
		alloc->time[i][pass] = alloc_pages(skel, MANY / BATCHES, 1);
	for (i = 0; i < BATCHES; i++)
		free->time[i][pass] = free_pages(skel, base + i * MANY / BATCHES * PAGE,
						 MANY / BATCHES, 1, 1);
}

static void many_row(struct arena_bench *skel, struct series *alloc,
		     struct series *free, const char *when)
{
	row(series_per_op(alloc, empty_alloc(skel), MANY),
	    "4096 single pages, %s: alloc, each", when);
	row(series_per_op(free, empty_free(skel), MANY),
	    "4096 single pages, %s: free, each", when);
}

static bool is_kernel_thread(pid_t pid)
{
	unsigned long flags = 0;
	char file[64];
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%d/stat", pid);
	f = fopen(file, "r");
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %lu", &flags) != 1)
		flags = 0;
	fclose(f);
	return flags & 0x200000;	/* PF_KTHREAD */
}

/* The time that all kernel threads have run */
static __u64 kernel_threads_time(void)
{
	DIR *proc = opendir("/proc");
	struct timespec time;
	struct dirent *entry;
	clockid_t clock;
	__u64 sum = 0;
	pid_t pid;

	if (!proc)
		die("/proc");
	while ((entry = readdir(proc))) {
		pid = atoi(entry->d_name);
		if (pid && is_kernel_thread(pid) &&
		    !clock_getcpuclockid(pid, &clock) && !clock_gettime(clock, &time))
			sum += time.tv_sec * 1000000000ULL + time.tv_nsec;
	}
	closedir(proc);
	return sum;
}

/* What kernel threads do in the next seconds */
static __u64 later_work(void)
{
	__u64 before = kernel_threads_time();

	sleep(LATER);
	return kernel_threads_time() - before;
}

/* What a free puts off is done by then: a part of its price. */
static void later_row(struct arena_bench *skel)
{
	__u64 idle, busy;

	sleep(LATER);
	idle = later_work();
	alloc_pages(skel, ARENA_PAGES, 1);
	free_pages(skel, arena_base(skel), ARENA_PAGES, 1, 1);
	busy = later_work();
	row(busy > idle ? (double)(busy - idle) / ARENA_PAGES : 0,
	    "single pages: work put off by alloc and free, each");
}

static void many_rows(void)
{
	struct series alloc, free;
	struct arena_bench *skel;
	int i;

	for (i = 0; i < ARENAS; i++) {
		skel = open_arena(0);
		many_pages(skel, i, &alloc, &free);
		if (i < ARENAS - 1)
			arena_bench__destroy(skel);
	}
	many_row(skel, &alloc, &free, "first time");

	for (i = 0; i < ARENAS; i++)
		many_pages(skel, i, &alloc, &free);
	many_row(skel, &alloc, &free, "again");
	later_row(skel);
	arena_bench__destroy(skel);
}

/*
 * Allocation where the program must not sleep.
 */

static __u64 run_tc(const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	char packet[128] = {};
	__u64 start;

	opts.data_in = packet;
	opts.data_size_in = sizeof(packet);
	start = now();
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		die(bpf_program__name(prog));
	return now() - start;
}

static double best_tc(const struct bpf_program *prog)
{
	__u64 best = -1ULL;
	int i;

	for (i = 0; i < REPEAT; i++)
		update_best(&best, run_tc(prog));
	return best;
}

static void not_sleepable_row(struct arena_bench_atomic *skel)
{
	const __u32 ops = 200;
	double none;

	skel->bss->ops = 0;
	none = best_tc(skel->progs.alloc_free_tc);
	skel->bss->ops = ops;
	row((best_tc(skel->progs.alloc_free_tc) - none) / ops,
	    "alloc + free, 1 page, program that must not sleep");
	if (skel->bss->result != ops)
		die("allocation failed in a tc program");
}

static void wait_runs(struct arena_bench_atomic *skel, int n)
{
	__u64 until = skel->bss->runs + n;

	while (skel->bss->runs < until)
		asm volatile("" : : : "memory");
}

static __u64 best_irq(struct arena_bench_atomic *skel, __u32 ops)
{
	skel->bss->ops = ops;
	wait_runs(skel, 2);
	skel->bss->best = -1ULL;
	wait_runs(skel, REPEAT);
	if (skel->bss->result != ops)
		die("allocation failed in an interrupt");
	return skel->bss->best;
}

static void interrupt_row(struct arena_bench_atomic *skel)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
	};
	const __u32 ops = 200;
	struct bpf_link *link;
	__u64 none;
	int fd;

	fd = syscall(__NR_perf_event_open, &attr, 0, -1, -1, 0);
	if (fd < 0)
		die("perf_event_open");
	link = bpf_program__attach_perf_event(skel->progs.alloc_free_irq, fd);
	if (!link)
		die("attach to a perf event");
	none = best_irq(skel, 0);
	row((double)(best_irq(skel, ops) - none) / ops,
	    "alloc + free, 1 page, in an interrupt");
	bpf_link__destroy(link);
}

/*
 * User faults.
 */

static unsigned int order[TOUCHED];

static void sequential(void)
{
	unsigned int i;

	for (i = 0; i < TOUCHED; i++)
		order[i] = i;
}

static void shuffle(void)
{
	unsigned int i, j, tmp, state = 1;

	sequential();
	for (i = TOUCHED - 1; i; i--) {
		state = state * 1103515245 + 12345;
		j = (state >> 8) % (i + 1);
		tmp = order[i];
		order[i] = order[j];
		order[j] = tmp;
	}
}

/* @batch of all pages, in their order */
static __u64 touch(char *base, int batch, bool write)
{
	const int n = TOUCHED / BATCHES;
	__u64 start;
	char *p;
	int i;

	start = now();
	for (i = 0; i < n; i++) {
		p = base + order[batch * n + i] * PAGE;
		if (write)
			WRITE_ONCE(*p, 1);
		else
			(void)READ_ONCE(*p);
	}
	return now() - start;
}

/* What it costs to touch pages that are there already */
static __u64 touch_again(char *base, bool write)
{
	__u64 best = -1ULL;
	int i;

	for (i = 0; i < REPEAT; i++)
		update_best(&best, touch(base, 0, write));
	return best;
}

/* Touch all pages. Returns what touching a batch again costs. */
static __u64 touch_all(char *base, bool write, int pass, struct series *series)
{
	int i;

	for (i = 0; i < BATCHES; i++)
		series->time[i][pass] = touch(base, i, write);
	return touch_again(base, write);
}

static double touch_allocated(struct arena_bench *skel)
{
	char *base = arena_base(skel);
	struct series series;
	__u64 again;
	int i;

	for (i = 0; i < ARENAS; i++) {
		alloc_pages(skel, 1, TOUCHED);
		again = touch_all(base, false, i, &series);
		free_pages(skel, base, 1, TOUCHED, 0);
	}
	return series_per_op(&series, again, TOUCHED);
}

static double touch_new(void)
{
	struct arena_bench *skel;
	struct series series;
	__u64 again;
	int i;

	for (i = 0; i < ARENAS; i++) {
		skel = open_arena(0);
		again = touch_all(arena_base(skel), true, i, &series);
		arena_bench__destroy(skel);
	}
	return series_per_op(&series, again, TOUCHED);
}

static double touch_freed(struct arena_bench *skel)
{
	char *base = arena_base(skel);
	struct series series;
	__u64 again;
	int i;

	for (i = 0; i < ARENAS; i++) {
		again = touch_all(base, true, i, &series);
		free_pages(skel, base, 1, TOUCHED, 0);
	}
	return series_per_op(&series, again, TOUCHED);
}

static void fault_rows(const char *how)
{
	struct arena_bench *skel = open_arena(0);

	row(touch_allocated(skel), "user read of a page BPF allocated, %s", how);
	row(touch_new(), "user write that allocates, %s, first time", how);
	row(touch_freed(skel), "user write that allocates, %s, again", how);
	arena_bench__destroy(skel);
}

static double free_mapped(struct arena_bench *skel, __u32 pages)
{
	__u64 best = -1ULL, none = empty_free(skel);
	char *base = arena_base(skel);
	int i;
	__u32 j;

	for (i = 0; i < 10; i++) {
		alloc_pages(skel, 1, pages);
		for (j = 0; j < pages; j++)
			WRITE_ONCE(base[j * PAGE], 1);
		update_best(&best, free_pages(skel, base, 1, pages, 0));
	}
	return (double)(best - none) / pages;
}

static void free_mapped_rows(void)
{
	struct arena_bench *skel = open_arena(0);

	row(free_mapped(skel, 1), "free of a page that user space has mapped");
	row(free_mapped(skel, 1024), "free of 1024 pages that user space has mapped, per page");
	arena_bench__destroy(skel);
}

/*
 * Access.
 */

static void access_row(struct arena_bench *skel, struct bpf_program *prog,
		       int unroll, const char *name, const char *flags)
{
	row(per_op(prog, &skel->bss->ops, 50, 250) / unroll, "%s%s", name, flags);
}

static void hash_row(struct arena_bench *skel, struct bpf_program *prog,
		     const char *name, const char *flags)
{
	row(per_op(prog, &skel->bss->ops, 0, BENCH_KEYS), "%s%s", name, flags);
}

static void access_rows(__u32 map_flags, const char *flags)
{
	struct arena_bench *skel = open_arena(map_flags);

	alloc_pages(skel, 1, 256);
	skel->bss->at = skel->bss->first;
	run(skel->progs.list_build);
	access_row(skel, skel->progs.list_walk, 1, "list walk, per node", flags);
	access_row(skel, skel->progs.load, BENCH_UNROLL, "load", flags);
	access_row(skel, skel->progs.store, BENCH_UNROLL, "store", flags);
	access_row(skel, skel->progs.atomic_add, BENCH_UNROLL, "atomic add", flags);
	access_row(skel, skel->progs.store_cast, BENCH_UNROLL_POINTER,
		   "pointer store with cast", flags);
	access_row(skel, skel->progs.store_no_cast, BENCH_UNROLL_POINTER,
		   "pointer store without cast", flags);

	/* The table is at pages that are zero yet */
	skel->bss->at += 16 * PAGE;
	hash_row(skel, skel->progs.arena_hash_update, "arena hash update", flags);
	hash_row(skel, skel->progs.arena_hash_lookup, "arena hash look-up", flags);
	arena_bench__destroy(skel);
}

/*
 * Memory: of the machine, what is free. It has all that counts and is not kept
 * back by caches that are warm.
 */

/* A number that follows , for each time that it occurs in a file, in sum */
static __u64 sum_of(const char *file, const char *key)
{
	FILE *f = fopen(file, "r");
	char line[4096], *p;
	__u64 sum = 0;

	if (!f)
		die(file);
	while (fgets(line, sizeof(line), f)) {
		p = line + strspn(line, " ");
		if (!strncmp(p, key, strlen(key)))
			sum += strtoull(p + strlen(key), NULL, 10);
	}
	fclose(f);
	return sum;
}

/* Have the slab allocator give back what it keeps. */
static void shrink_slabs(void)
{
	const char * const dir = "/sys/kernel/slab";
	DIR *slabs = opendir(dir);
	struct dirent *entry;
	char file[512];
	FILE *f;

	if (!slabs)
		die(dir);
	while ((entry = readdir(slabs))) {
		snprintf(file, sizeof(file), "%s/%s/shrink", dir, entry->d_name);
		f = fopen(file, "w");
		if (!f)
			continue;
		fputs("1", f);
		fclose(f);
	}
	closedir(slabs);
}

/* In KiB, when all that was put off is done. Pages on a CPU's lists are free, too. */
static __u64 free_memory(void)
{
	sleep(LATER);
	shrink_slabs();
	return sum_of("/proc/meminfo", "MemFree:") +
	       sum_of("/proc/zoneinfo", "count:") * (PAGE / 1024);
}

/* Makes  arenas. Returns how many. */
static int make_arenas(int *fds, void **maps, int n, __u32 pages)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int i;

	for (i = 0; i < n; i++) {
		fds[i] = bpf_map_create(BPF_MAP_TYPE_ARENA, "arena", 0, 0, pages,
					&opts);
		if (fds[i] < 0)
			break;
		maps[i] = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED, fds[i], 0);
		if (maps[i] == MAP_FAILED)
			die("mmap");
	}
	return i;
}

static void end_arenas(int *fds, void **maps, int n, __u32 pages)
{
	while (n--) {
		munmap(maps[n], pages * PAGE);
		close(fds[n]);
	}
}

static void memory_rows(int n, __u32 pages, const char *size)
{
	__u64 before, during, after;
	void *maps[512];
	int fds[512], i;

	/* The first round warms up the caches of the slab allocator */
	for (i = 0; i < 2; i++) {
		before = free_memory();
		if (make_arenas(fds, maps, n, pages) != n)
			die("arenas");
		during = free_memory();
		end_arenas(fds, maps, n, pages);
		after = free_memory();
	}
	row(((double)before - during) / n, "KiB of kernel memory, %s, empty", size);
	row(((double)before - after) / n, "KiB left after it is gone, %s", size);
}

/*
 * What must not change.
 */

static void size_rows(const struct bpf_object *obj)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			die("program info");
		row(info.xlated_prog_len, "%s, xlated size",
		    bpf_program__name(prog));
		row(info.jited_prog_len, "%s, jited size", bpf_program__name(prog));
	}
}

static void stock_rows(void)
{
	double update = INFINITY, lookup = INFINITY, plain;
	struct arena_bench_stock *skel;
	int i;

	for (i = 0; i < ARENAS; i++) {
		skel = arena_bench_stock__open_and_load();
		if (!skel)
			die("load");
		update = fmin(update, per_op(skel->progs.hash_update, &skel->bss->ops,
					     0, BENCH_KEYS));
		lookup = fmin(lookup, per_op(skel->progs.hash_lookup, &skel->bss->ops,
					     0, BENCH_KEYS));
		plain = best_tc(skel->progs.plain);
		if (i < ARENAS - 1)
			arena_bench_stock__destroy(skel);
	}
	heading("Beside arenas");
	row(update, "HASH map update");
	row(lookup, "HASH map look-up");
	row(plain, "plain program, a whole test run");
	size_rows(skel->obj);
	arena_bench_stock__destroy(skel);
}

/* The counter's ticks per instruction: must be 1 */
static void calibrate(void)
{
	__u64 best[2] = { -1ULL, -1ULL }, start;
	unsigned long n;
	int i, j;

	for (i = 0; i < REPEAT; i++) {
		for (j = 0; j < 2; j++) {
			n = 100000 << j;
			start = now();
			asm volatile("1: dec %0; jnz 1b" : "+r"(n) : : "cc");
			update_best(&best[j], now() - start);
		}
	}
	row((best[1] - best[0]) / 200000.0, "ticks per instruction");
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return getenv("BENCH_VERBOSE") ? vfprintf(stderr, format, args) : 0;
}

static void run_on_cpu(int cpu)
{
	struct sched_param param = {};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) ||
	    sched_setscheduler(0, SCHED_IDLE, &param))
		die("scheduler");
}

/*
 * Two CPUs. QEMU runs them in turn and changes over where one waits or executes
 * a pause; the counter counts the instructions of both. Time must go on while
 * both wait for something: so a pause has some work to it.
 */

static bool stop, started;

static void spin(void)
{
	unsigned long n = 100;

	asm volatile("1: dec %0; jnz 1b; pause" : "+r"(n) : : "cc");
}

static void *spin_until_stop(void *arg)
{
	WRITE_ONCE(started, true);
	while (!READ_ONCE(stop))
		spin();
	return NULL;
}

static void *spin_on_second_cpu(void *arg)
{
	run_on_cpu(1);
	return spin_until_stop(arg);
}

static pthread_t start_thread(void *(*function)(void *arg), void *arg)
{
	pthread_t thread;

	WRITE_ONCE(stop, false);
	WRITE_ONCE(started, false);
	if (pthread_create(&thread, NULL, function, arg))
		die("pthread_create");
	while (!READ_ONCE(started)) {
		sched_yield();
		spin();
	}
	return thread;
}

static void stop_thread(pthread_t thread)
{
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
}

/*
 * The second CPU is not started at boot: a 6.1 waits for it in a loop that neither
 * waits nor pauses, but schedules. A thread that pauses gets it going.
 */
static void start_second_cpu(void)
{
	pthread_t thread = start_thread(spin_until_stop, NULL);
	FILE *f = fopen("/sys/devices/system/cpu/cpu1/online", "w");

	if (!f || fputs("1", f) < 0 || fclose(f))
		die("start of the second CPU");
	stop_thread(thread);
}

/* All that one CPU has sent the other */
static __u64 count_interrupts(void)
{
	static const char * const kinds[] = { "RES:", "CAL:", "TLB:" };
	FILE *f = fopen("/proc/interrupts", "r");
	char line[1024], name[64];
	__u64 a, b, sum = 0;
	int i;

	if (!f)
		die("/proc/interrupts");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %llu %llu", name, &a, &b) != 3)
			continue;
		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			if (!strcmp(name, kinds[i]))
				sum += a + b;
	}
	fclose(f);
	return sum;
}

static void do_alloc_free(struct arena_bench *skel, int n)
{
	skel->bss->pages = 1;
	skel->bss->ops = n;
	run(skel->progs.alloc_free);
}

static void do_touch(struct arena_bench *skel, int n)
{
	char *base = arena_base(skel);

	while (n--)
		WRITE_ONCE(base[n * PAGE], 1);
}

static void do_free_mapped(struct arena_bench *skel, int n)
{
	free_pages(skel, arena_base(skel), n, 1, 1);
}

static void interrupts_row(struct arena_bench *skel,
			   void (*operation)(struct arena_bench *skel, int n),
			   const char *name)
{
	const int n = 4000;
	__u64 before = count_interrupts();

	operation(skel, n);
	row((double)(count_interrupts() - before) / n, "interrupts per %s", name);
}

/* While the other CPU runs a thread of the same process */
static void interrupts_rows(struct arena_bench *skel)
{
	pthread_t thread = start_thread(spin_on_second_cpu, NULL);

	interrupts_row(skel, do_alloc_free, "alloc + free, 1 page");
	interrupts_row(skel, do_touch, "user write that allocates");
	interrupts_row(skel, do_free_mapped, "free of a page that user space has mapped");
	stop_thread(thread);
}

/* What the other thread is to do, and has done */
static int turn, turns_done;

static void some_runs(struct arena_bench *skel)
{
	int i;

	for (i = 0; i < THREAD_RUNS; i++) {
		run(skel->progs.alloc_free);
		spin();
	}
}

static void *runs_on_second_cpu(void *arg)
{
	run_on_cpu(1);
	WRITE_ONCE(started, true);
	while (!READ_ONCE(stop)) {
		spin();
		if (turns_done == READ_ONCE(turn))
			continue;
		some_runs(arg);
		WRITE_ONCE(turns_done, turns_done + 1);
	}
	return NULL;
}

static __u64 run_both(struct arena_bench *skel)
{
	__u64 start = now();

	WRITE_ONCE(turn, turn + 1);
	some_runs(skel);
	while (READ_ONCE(turns_done) != turn)
		spin();
	return now() - start;
}

static double both_per_op(struct arena_bench *a, struct arena_bench *b, __u32 ops)
{
	__u64 time[THREAD_SAMPLES];
	int i;

	a->bss->ops = ops;
	b->bss->ops = ops;
	for (i = 0; i < THREAD_SAMPLES; i++)
		time[i] = run_both(a);
	return midmean(time, THREAD_SAMPLES) / (2 * THREAD_RUNS * THREAD_OPS);
}

static void two_threads_row(struct arena_bench *a, struct arena_bench *b,
			    const char *name)
{
	pthread_t thread = start_thread(runs_on_second_cpu, b);
	double none;

	a->bss->pages = 1;
	b->bss->pages = 1;
	none = both_per_op(a, b, 0);
	row(both_per_op(a, b, THREAD_OPS) - none,
	    "two threads: alloc + free, 1 page, %s", name);
	stop_thread(thread);
}

static void two_cpus_rows(void)
{
	struct arena_bench *a = open_arena(0), *b;

	if (!a)
		return;
	heading("Two CPUs");
	start_second_cpu();
	interrupts_rows(a);
	two_threads_row(a, a, "one arena");
	b = open_arena(0);
	two_threads_row(a, b, "two arenas");
	arena_bench__destroy(a);
	arena_bench__destroy(b);
}

static void arena_rows(void)
{
	struct arena_bench *skel = open_arena(0);

	if (!skel)
		return;
	heading("Creation and end");
	create_rows(1, "1 page");
	create_rows(100, "100 pages");
	create_rows(1U << 20, "4 GiB");
	memory_rows(512, 1, "1 page");
	memory_rows(64, 1U << 20, "4 GiB");
	heading("Allocation");
	alloc_free_rows();
	many_rows();
	fragmented_rows();
	heading("User space");
	sequential();
	fault_rows("sequential");
	shuffle();
	fault_rows("random");
	free_mapped_rows();
	heading("Access");
	access_rows(0, "");
	access_rows(BPF_F_NO_USER_CONV, ", NO_USER_CONV");
	heading("Size of programs, bytes");
	size_rows(skel->obj);
	arena_bench__destroy(skel);
}

static void atomic_rows(void)
{
	struct arena_bench_atomic *skel = arena_bench_atomic__open_and_load();

	if (!skel)
		return;
	skel->bss->pages = 1;
	heading("Programs that must not sleep");
	not_sleepable_row(skel);
	interrupt_row(skel);
	size_rows(skel->obj);
	arena_bench_atomic__destroy(skel);
}

int main(int argc, char **argv)
{
	libbpf_set_print(quiet);
	run_on_cpu(0);
	if (sysconf(_SC_NPROCESSORS_CONF) > 1) {
		two_cpus_rows();
		return 0;
	}
	calibrate();
	arena_rows();
	atomic_rows();
	stock_rows();
	return 0;
}
