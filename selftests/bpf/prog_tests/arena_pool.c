// SPDX-License-Identifier: GPL-2.0
/*
 * Pages for programs that must not sleep: there at the first try, whatever size an arena
 * has; not asked for again and again when there are none; and pages that somebody has
 * pinned are not in the way. Nothing here is tried twice, but where it says so.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/uio.h>
#include "arena_insn.h"
#include "arena_system.h"

#define CGROUP		ARENA_CGROUP_ROOT "/arena_pool"

/*
 * Right after a program is loaded.
 */

#define MAX_PAGES	512U

static const __u32 sizes[] = { 1, 2, 3, 4, 8, 16, 32, 64, 128, 256, MAX_PAGES };

/* Where in a page table the arena begins: across two of them, with half of it or a page */
enum place { PLACE_BEGIN, PLACE_HALF, PLACE_LAST, NR_PLACES };

struct fresh {
	__u32 pages;
	enum place place;
	bool at;		/* at an address, not anywhere */
	__u32 cnt;		/* pages a call */
	__u32 start;		/* the first one, when @at */
	__u32 calls;
};

static __u64 fresh_base(const struct fresh *f)
{
	__u32 first = 0;

	switch (f->place) {
	case PLACE_HALF:
		first = 512 - (f->pages + 1) / 2;
		break;
	case PLACE_LAST:
		first = 511;
		break;
	default:
		break;
	}
	return ARENA_ADDR + first * ARENA_PAGE;
}

/* A program that allocates, and returns the number of the page that it gets. */
static int fresh_load(const struct fresh *f, int map)
{
	__u64 base = fresh_base(f), addr = f->at ? base + f->start * ARENA_PAGE : 0;
	const struct bpf_insn insns[] = {
		BPF_LD_MAP_FD(BPF_REG_1, map),
		BPF_LD_IMM64(BPF_REG_2, addr),
		BPF_MOV64_IMM(BPF_REG_3, f->cnt),
		BPF_MOV64_IMM(BPF_REG_4, NUMA_NO_NODE),
		BPF_MOV64_IMM(BPF_REG_5, 0),
		CALL_KFUNC(arena_kfunc("bpf_arena_alloc_pages")),
		BPF_LD_IMM64(BPF_REG_1, base),
		BPF_ALU64_REG(BPF_SUB, BPF_REG_0, BPF_REG_1),
		BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 12),
		BPF_EXIT_INSN(),
	};

	return arena_load(BPF_PROG_TYPE_SCHED_CLS, insns, ARRAY_SIZE(insns));
}

/* Each call is the only one of its kind: it gets its pages, or the test has failed. */
static bool fresh_run(const struct fresh *f, int prog)
{
	__u32 nr, i;

	for (i = 0; i < f->calls; i++) {
		__u32 want = f->at ? f->start : i * f->cnt;

		if (!arena_run_skb(prog, &nr))
			return false;
		if (nr != want) {
			PRINT_FAIL("arena of %u pages at place %d: call %u, for %u %s: %s page\n",
				   f->pages, f->place, i, f->cnt,
				   f->at ? "at an address" : "anywhere",
				   nr < f->pages ? "wrong" : "no");
			return false;
		}
	}
	return true;
}

static bool fresh_alloc(const struct fresh *f)
{
	bool ok = false;
	int map, prog;

	map = arena_create_raw(BPF_F_MMAPABLE, f->pages, fresh_base(f));
	if (!ASSERT_GE(map, 0, "create"))
		return false;
	prog = fresh_load(f, map);
	if (prog >= 0) {
		ok = fresh_run(f, prog);
		close(prog);
	}
	close(map);
	return ok;
}

/* In arenas of all sizes and places. Each failure is printed. */
static void fresh_arenas(void (*set)(struct fresh *f))
{
	int failed = 0, all = 0;
	struct fresh f;
	__u32 i, at;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (f.place = 0; f.place < NR_PLACES; f.place++) {
			for (at = 0; at < 2; at++) {
				f.pages = sizes[i];
				f.at = at;
				set(&f);
				failed += !fresh_alloc(&f);
				all++;
			}
		}
	}
	printf("%d of %d allocations failed\n", failed, all);
	ASSERT_EQ(failed, 0, "allocations that fail");
}

static void set_first(struct fresh *f)
{
	f->cnt = 1;
	f->start = f->pages - 1;
	f->calls = 1;
}

static void set_all(struct fresh *f)
{
	f->cnt = f->pages;
	f->start = 0;
	f->calls = 1;
}

static void set_one_by_one(struct fresh *f)
{
	set_first(f);
	if (!f->at)
		f->calls = f->pages;
}

/* Trap: the pool's limit forgets tables and chunks */

static void first_page(void)
{
	fresh_arenas(set_first);
}

static void all_pages(void)
{
	fresh_arenas(set_all);
}

static void one_by_one(void)
{
	fresh_arenas(set_one_by_one);
}

/*
 * At the limit of the cgroup.
 */

#define FAILING_MS	5000
#define KWORKER_MS	100
#define LIMIT_EVENTS	500
/* Who fills the pool may wait so long before it tries again. */
#define BACKOFF_MS	15000

/* Takes what there is, until there has been nothing for a while: how many pages. */
static int use_up(const struct arena_ops_env *env)
{
	__u64 end = arena_now_ms() + 1000;
	int n = 0;

	while (arena_now_ms() < end) {
		if (arena_ops_alloc(env, NULL, 1)) {
			n++;
			end = arena_now_ms() + 1000;
		}
		usleep(1000);
	}
	return n;
}

/* An allocation each millisecond, of which none can succeed */
static void fail_for_a_while(const struct arena_ops_env *env)
{
	__u64 end = arena_now_ms() + FAILING_MS;
	int failed = 0, got = 0;
	long long cpu, events;

	events = arena_cgroup_read(CGROUP, "memory.events", "max");
	cpu = arena_kworker_cpu_ms();
	while (arena_now_ms() < end) {
		if (arena_ops_alloc(env, NULL, 1))
			got++;
		else
			failed++;
		usleep(1000);
	}
	cpu = arena_kworker_cpu_ms() - cpu;
	events = arena_cgroup_read(CGROUP, "memory.events", "max") - events;
	printf("%d allocations failed, %d did not; kworkers %lld ms, limit hit %lld times\n",
	       failed, got, cpu, events);
	ASSERT_GT(failed, FAILING_MS / 100, "failures");
	ASSERT_LE(got, failed / 100, "allocations at the limit");
	ASSERT_LT(cpu, arena_limit(KWORKER_MS), "CPU time of workers, ms");
	ASSERT_LT(events, LIMIT_EVENTS, "times that the limit was hit");
}

/* The pool is filled by a worker, soon: a page that was never there before */
static bool filled_soon(const struct arena_ops_env *env, void *addr)
{
	__u64 end = arena_now_ms() + arena_limit(BACKOFF_MS);
	void *p;

	do {
		p = arena_ops_alloc(env, addr, 1);
		if (!p)
			arena_nap();
	} while (!p && arena_now_ms() < end);
	return ASSERT_EQ(p, addr, "page at an address");
}

static void failing_refill(void)
{
	struct arena_ops_env env;
	int n;

	/* Trap: a worker that asks again at once when it failed */
	if (!arena_ops_open_in(&env, CGROUP, 4096, 0, 0))
		return;
	env.atomic = true;
	arena_cgroup_limit(CGROUP, 0);
	n = use_up(&env);
	if (!ASSERT_GE(n, 32, "pages of the pool"))
		goto out;
	fail_for_a_while(&env);

	/* What is freed can be had where it was, at once, */
	arena_ops_free(&env, env.base, 16);
	ASSERT_EQ((char *)arena_ops_alloc(&env, NULL, 16), env.base, "alloc after free");
	/* and soon elsewhere. */
	arena_ops_free(&env, env.base, 16);
	filled_soon(&env, arena_ops_page(&env, 4000));

	arena_ops_alloc(&env, NULL, 16);
	use_up(&env);
	arena_cgroup_unlimit(CGROUP);
	filled_soon(&env, arena_ops_page(&env, 4001));
out:
	arena_ops_close_in(&env, CGROUP);
}

/*
 * Pinned pages.
 */

#define PINNED		200
#define PIPE_BYTES	(256 * 4096)

/* Puts the first pages of an arena in a pipe, and frees them. */
static bool pin_and_free(const struct arena_ops_env *env, int p[2])
{
	struct iovec iov = { .iov_base = env->base, .iov_len = PINNED * env->page };
	struct arena_ops_env sleepable = *env;

	sleepable.atomic = false;
	if (!ASSERT_OK(pipe(p), "pipe"))
		return false;
	if (!ASSERT_GE(fcntl(p[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES, "pipe size") ||
	    !ASSERT_EQ((char *)arena_ops_alloc(&sleepable, env->base, PINNED), env->base,
		       "alloc") ||
	    !ASSERT_EQ(vmsplice(p[1], &iov, 1, 0), (ssize_t)iov.iov_len, "vmsplice")) {
		close(p[0]);
		close(p[1]);
		return false;
	}
	arena_ops_free(env, env->base, PINNED);
	return true;
}

/* What was pinned is let go: all its offsets can be had again, soon. */
static void unpin(const struct arena_ops_env *env, int p[2])
{
	struct arena_ops_env sleepable = *env;

	close(p[0]);
	close(p[1]);
	sleepable.atomic = false;
	ASSERT_EQ((char *)arena_ops_alloc_wait(&sleepable, env->base, PINNED), env->base,
		  "pages that were pinned");
}

/* The lowest that is not pinned; what was pinned is there again when a worker has come by. */
static bool above_pinned(const struct arena_ops_env *env, void *p, __u32 *next, __u32 cnt)
{
	if (!ASSERT_PAGE(p, "alloc beside pinned pages"))
		return false;
	if ((char *)p < env->base + PINNED * env->page)
		return true;
	if (!ASSERT_EQ(p, arena_ops_page(env, *next), "lowest that is not pinned"))
		return false;
	*next += cnt;
	return true;
}

static void pinned(bool atomic, __u32 cnt)
{
	struct arena_ops_env env;
	__u32 i, next = PINNED;
	int p[2];

	/* Trap: a try per pinned page, and a fixed number of tries */
	if (!arena_ops_open(&env, 10000, 0, 0))
		return;
	env.atomic = atomic;
	if (pin_and_free(&env, p)) {
		for (i = 0; i < 40; i += cnt)
			if (!above_pinned(&env, arena_ops_alloc(&env, NULL, cnt), &next, cnt))
				break;
		arena_ops_free(&env, env.base, env.pages);
		unpin(&env, p);
	}
	arena_ops_close(&env);
}

static void pinned_sleepable(void)
{
	pinned(false, 1);
}

static void pinned_atomic(void)
{
	pinned(true, 1);
}

static void pinned_runs_sleepable(void)
{
	pinned(false, 8);
}

static void pinned_runs_atomic(void)
{
	pinned(true, 8);
}

/* Where all other pages are taken, who may sleep has the pinned ones taken away. */
static void nothing_but_pinned(void)
{
	struct arena_ops_env env;
	int p[2];

	if (!arena_ops_open(&env, PINNED + 40, 0, 0))
		return;
	ASSERT_PAGE(arena_ops_alloc(&env, arena_ops_page(&env, PINNED), 40), "alloc");
	if (pin_and_free(&env, p)) {
		ASSERT_PAGE(arena_ops_alloc(&env, NULL, 1), "single page");
		ASSERT_PAGE(arena_ops_alloc(&env, NULL, 8), "eight pages");
		arena_ops_free(&env, env.base, PINNED);
		unpin(&env, p);
	}
	arena_ops_close(&env);
}

/*
 * Parked pages give way to new ones, at the limit of the cgroup.
 */

#define BLOCK		512U	/* pages of a page table */
#define PIPED		20U	/* in each of the first blocks */
#define PIPED_BLOCKS	4U
#define PARKED		(4 * BLOCK)
#define FIRST_PARKED	(8 * BLOCK)
#define FIRST_NEW	(16 * BLOCK)
#define PIN_ROUNDS	3	/* the worker, coming by between, hides the fault */
#define TOUCHERS	4
#define TOUCH_ROUNDS	50

static struct {
	struct arena_ops_env env;
	struct arena_fault_saved saved;
	pthread_barrier_t barrier;
	__u32 next;
	bool stop;
	__u32 failed;
} limit;

static bool limit_open(void)
{
	if (!arena_ops_open_in(&limit.env, CGROUP, 32 * BLOCK, 0, ARENA_ADDR))
		return false;
	arena_fault_catch(&limit.saved);
	return true;
}

static void limit_close(void)
{
	arena_fault_restore(&limit.saved);
	arena_cgroup_unlimit(CGROUP);
	arena_ops_close_in(&limit.env, CGROUP);
}

/* A touch of a new page: from @next on until there is none, and none a little later */
static void fill_up(void)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		while (!arena_poke(arena_ops_page(&limit.env, limit.next), 1))
			limit.next++;
		usleep(100 * 1000);
	}
}

/* Without a look at what is mapped: the pages stay, parked. */
static void park(__u32 first, __u32 cnt)
{
	limit.env.atomic = true;
	arena_ops_free(&limit.env, arena_ops_page(&limit.env, first), cnt);
	limit.env.atomic = false;
}

static bool pipe_blocks(int p[2])
{
	struct iovec iov[PIPED_BLOCKS];
	__u32 i, page;

	for (i = 0; i < PIPED_BLOCKS; i++) {
		iov[i].iov_base = arena_ops_page(&limit.env, i * BLOCK);
		iov[i].iov_len = PIPED * limit.env.page;
		for (page = 0; page < PIPED; page++)
			arena_poke(arena_ops_page(&limit.env, i * BLOCK + page), 1);
	}
	return ASSERT_GE(fcntl(p[1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES, "pipe size") &&
	       ASSERT_EQ(vmsplice(p[1], iov, PIPED_BLOCKS, 0),
			 (ssize_t)(PIPED_BLOCKS * PIPED * limit.env.page), "vmsplice");
}

/* Trap: a page that is pinned when it leaves counts as free memory */
static void parked_above_pinned(bool touch)
{
	void *addr;
	int p[2];

	if (!ASSERT_OK(pipe(p), "pipe"))
		return;
	if (!limit_open())
		goto out;
	if (pipe_blocks(p) &&
	    ASSERT_PAGE(arena_ops_alloc(&limit.env, arena_ops_page(&limit.env, FIRST_PARKED),
					PARKED), "alloc")) {
		arena_cgroup_limit(CGROUP, 0);
		limit.next = FIRST_NEW;
		fill_up();
		park(0, FIRST_PARKED + PARKED);
		addr = arena_ops_page(&limit.env, limit.next);
		if (touch)
			ASSERT_EQ(arena_poke(addr, 1), 0, "touch");
		else
			ASSERT_EQ(arena_ops_alloc(&limit.env, addr, 1), addr, "alloc at the limit");
	}
	limit_close();
out:
	close(p[0]);
	close(p[1]);
}

static void *limit_thread(void *arg)
{
	__u32 nr = (long)arg;

	arena_run_on(0);
	for (;;) {
		pthread_barrier_wait(&limit.barrier);
		if (limit.stop)
			return NULL;
		if (arena_poke(arena_ops_page(&limit.env, limit.next + nr), 1))
			__sync_fetch_and_add(&limit.failed, 1);
		pthread_barrier_wait(&limit.barrier);
	}
}

static bool touch_all_at_once(void)
{
	struct arena_ops_env *env = &limit.env;

	if (!ASSERT_PAGE(arena_ops_alloc(env, arena_ops_page(env, FIRST_PARKED), PARKED),
			 "alloc"))
		return false;
	arena_cgroup_limit(CGROUP, 0);
	limit.next = FIRST_NEW;
	fill_up();
	park(FIRST_PARKED, PARKED);
	pthread_barrier_wait(&limit.barrier);
	pthread_barrier_wait(&limit.barrier);
	arena_cgroup_unlimit(CGROUP);
	arena_ops_free(env, env->base, env->pages);
	return true;
}

/* Trap: who finds no parked pages, as another one frees them, fails before they are free */
static void parked_for_all(void)
{
	pthread_t threads[TOUCHERS];
	int i, n, rounds = arena_times(TOUCH_ROUNDS);

	if (!limit_open())
		return;
	limit.failed = 0;
	limit.stop = false;
	pthread_barrier_init(&limit.barrier, NULL, TOUCHERS + 1);
	for (n = 0; n < TOUCHERS; n++)
		if (!ASSERT_OK(pthread_create(&threads[n], NULL, limit_thread,
					      (void *)(long)n), "thread"))
			exit(1);	/* the others wait at the barrier */
	for (i = 0; i < rounds && touch_all_at_once(); i++)
		;
	limit.stop = true;
	pthread_barrier_wait(&limit.barrier);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	ASSERT_EQ(limit.failed, 0, "touches that failed");
	limit_close();
}

/* Measures what all workers do: not beside other tests. */
void serial_test_arena_pool(void)
{
	int i, rounds = arena_times(PIN_ROUNDS);
	bool on;

	if (test__start_subtest("first_page"))
		first_page();
	if (test__start_subtest("all_pages"))
		all_pages();
	if (test__start_subtest("one_by_one"))
		one_by_one();
	if (test__start_subtest("failing_refill"))
		failing_refill();
	if (test__start_subtest("pinned_sleepable"))
		pinned_sleepable();
	if (test__start_subtest("pinned_atomic"))
		pinned_atomic();
	if (test__start_subtest("pinned_runs_sleepable"))
		pinned_runs_sleepable();
	if (test__start_subtest("pinned_runs_atomic"))
		pinned_runs_atomic();
	if (test__start_subtest("nothing_but_pinned"))
		nothing_but_pinned();
	for (i = 0, on = test__start_subtest("touch_above_pinned"); on && i < rounds; i++)
		parked_above_pinned(true);
	for (i = 0, on = test__start_subtest("alloc_above_pinned"); on && i < rounds; i++)
		parked_above_pinned(false);
	if (test__start_subtest("parked_for_all"))
		parked_for_all();
}
