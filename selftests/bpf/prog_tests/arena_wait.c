// SPDX-License-Identifier: GPL-2.0
/*
 * Who touches a page of an allocation that is under way waits for it: without the CPU,
 * until the page is there or the allocation has failed, or until killed. Whether it is
 * user space that touches it or the kernel. And who is killed allocates no further.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "arena_system.h"

#define RW		(PROT_READ | PROT_WRITE)
#define CGROUP		ARENA_CGROUP_ROOT "/arena_wait"

#define PAGES		200000	/* 800 MB, which takes seconds where memory is zeroed slowly */
#define KILLED_PAGES	300000
#define FIFO_PAGES	20000

#define CPU_US		50000	/* what a wait may cost, of 4 s; or as much of what it takes */
#define CPU_SHARE	(4000000 / CPU_US)
#define CPU_SHARE_SLOW	2	/* as above, where all that is not waiting takes so long */
#define KILL_US		500000	/* how long it may take to die */
#define END_US		10000000	/* how long after an allocation a wait may go on */

static size_t page;

/* One call for many pages, by a thread. */
static struct allocation {
	struct arena_ops_env env;
	__u32 cnt;
	int cpu;		/* or -1 */
	pthread_t thread;
	long long empty;	/* what the arena took before */
	void *got;
	bool ended;
} alloc;

static void *alloc_thread(void *arg)
{
	if (alloc.cpu >= 0)
		arena_run_on(alloc.cpu);
	alloc.got = arena_ops_alloc(&alloc.env, alloc.env.base, alloc.cnt);
	WRITE_ONCE(alloc.ended, true);
	return NULL;
}

/* Pages that are there for an allocation, even if nobody reaches them yet */
static long long pages_got(const struct arena_ops_env *env, long long empty)
{
	return (arena_ops_memory(env) - empty) / (long long)page;
}

static bool alloc_is_under_way(void)
{
	return !READ_ONCE(alloc.ended) && pages_got(&alloc.env, alloc.empty) > alloc.cnt / 100;
}

/* Returns when some of the pages have been got, and most of them have not. */
static bool alloc_start(__u32 cnt)
{
	alloc.cnt = cnt;
	alloc.ended = false;
	alloc.got = NULL;
	alloc.empty = arena_ops_memory(&alloc.env);
	if (!ASSERT_OK(pthread_create(&alloc.thread, NULL, alloc_thread, NULL), "thread"))
		return false;
	while (!READ_ONCE(alloc.ended) && !alloc_is_under_way())
		usleep(1000);
	return true;
}

static void alloc_end(void)
{
	pthread_join(alloc.thread, NULL);
	/* A page that a touch had got for itself would be in the way */
	ASSERT_EQ((char *)alloc.got, alloc.env.base, "allocation");
}

static void *middle_page(void)
{
	return arena_ops_page(&alloc.env, alloc.cnt / 2);
}

/* Ways to touch a page. They return a signal's number, -errno or 0. */

static int touch_user(void *addr)
{
	__u64 val;

	return arena_peek(addr, &val);
}

static int touch_gup(void *addr)
{
	__u64 val;
	struct iovec local = { .iov_base = &val, .iov_len = sizeof(val) };
	struct iovec remote = { .iov_base = addr, .iov_len = sizeof(val) };
	ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	return n == sizeof(val) ? 0 : n < 0 ? -errno : -EIO;
}

static int touch_write(void *addr)
{
	int p[2], err = 0;

	if (pipe(p))
		return -errno;
	if (write(p[1], addr, sizeof(__u64)) != sizeof(__u64))
		err = errno ? -errno : -EIO;
	close(p[0]);
	close(p[1]);
	return err;
}

typedef int (*touch_fn)(void *addr);

static const struct way {
	const char *name;
	touch_fn touch;
} ways[] = {
	{ "user", touch_user },
	{ "process_vm_readv", touch_gup },
	{ "write", touch_write },
};

/* A touch by a thread */
struct toucher {
	touch_fn touch;
	void *addr;
	bool fifo;
	pthread_t thread;
	__u64 cpu_us;
	__u64 us;
	long sleeps;	/* how often it went to sleep */
	int result;
	bool began;
	bool ended;
};

static long thread_sleeps(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

static void *touch_thread(void *arg)
{
	struct toucher *t = arg;
	__u64 cpu, begin;

	if (t->fifo) {
		arena_run_on(0);
		arena_realtime(true);
	}
	t->sleeps = -thread_sleeps();
	cpu = arena_cpu_us();
	begin = arena_now_us();
	WRITE_ONCE(t->began, true);
	t->result = t->touch(t->addr);
	t->cpu_us = arena_cpu_us() - cpu;
	t->us = arena_now_us() - begin;
	t->sleeps += thread_sleeps();
	WRITE_ONCE(t->ended, true);
	return NULL;
}

static bool touch_start(struct toucher *t, touch_fn touch, void *addr)
{
	t->touch = touch;
	t->addr = addr;
	if (!ASSERT_OK(pthread_create(&t->thread, NULL, touch_thread, t), "thread"))
		return false;
	while (!READ_ONCE(t->began))
		usleep(1000);
	return true;
}

static bool wait_open(__u32 pages)
{
	memset(&alloc, 0, sizeof(alloc));
	alloc.cpu = -1;
	return arena_ops_open(&alloc.env, pages, 0, 0);
}

static void wait_close(void)
{
	arena_ops_close(&alloc.env);
}

/* CPU time of a wait that takes so long */
static __u64 wait_limit(__u64 us)
{
	us /= arena_limit(1) == 1 ? CPU_SHARE : CPU_SHARE_SLOW;
	return us > CPU_US ? us : CPU_US;
}

/* A thread touches a page in the middle of an allocation, and waits for it. */
static void touch_waits(const struct way *way, __u32 cnt, bool fifo)
{
	struct toucher t = { .fifo = fifo };
	__u64 limit;
	bool met;

	/* Trap: a fault that looks again instead of waiting */
	if (!wait_open(cnt))
		return;
	if (fifo)
		alloc.cpu = 0;
	if (!alloc_start(cnt))
		goto out;
	if (touch_start(&t, way->touch, middle_page())) {
		met = alloc_is_under_way();
		pthread_join(t.thread, NULL);
		ASSERT_TRUE(met, "allocation under way");
		ASSERT_OK(t.result, way->name);
		limit = wait_limit(t.us);
		ASSERT_LT(t.cpu_us, limit, "CPU time of the touch, us");
		printf("%s: a touch that waits for %u pages: %llu us of CPU, of %llu\n",
		       way->name, cnt, t.cpu_us, t.us);
	}
	alloc_end();
out:
	wait_close();
}

static void user_touch(void)
{
	touch_waits(&ways[0], arena_times(PAGES), false);
}

static void gup_touch(void)
{
	touch_waits(&ways[1], arena_times(PAGES), false);
}

static void write_touch(void)
{
	touch_waits(&ways[2], arena_times(PAGES), false);
}

/* It has priority over who allocates, on the same CPU: only if it sleeps that gets on. */
static void fifo_touch(void)
{
	arena_run_on(libbpf_num_possible_cpus() - 1);
	touch_waits(&ways[0], arena_times(FIFO_PAGES), true);
	arena_run_anywhere();
}

/*
 * Who waits for a long allocation sleeps on, while small ones come and go. What counts is
 * how often it wakes up, since that is the same on a machine that is slow.
 */

#define HERD		16
#define HERD_PAGES	40000	/* on a kernel that is not slow */
/* How often a thread may wake up by itself: first, and then in a second */
#define WAKES		20

/* Allocates and frees one page until the large allocation is through: how often. */
static long small_allocs(void)
{
	void *addr = arena_ops_page(&alloc.env, alloc.cnt);
	long n = 0;

	while (!READ_ONCE(alloc.ended)) {
		/* Anywhere, a parked page would do, and nobody would be told. */
		if (arena_ops_alloc(&alloc.env, addr, 1) != addr) {
			PRINT_FAIL("small allocation %ld\n", n);
			break;
		}
		arena_ops_free(&alloc.env, addr, 1);
		n++;
	}
	return n;
}

static void herd_waits(struct toucher *herd, int nr)
{
	long limit, others, sleeps = 0;
	__u64 us = 0, cpu_us = 0;
	int i;

	others = small_allocs();
	for (i = 0; i < nr; i++) {
		pthread_join(herd[i].thread, NULL);
		ASSERT_OK(herd[i].result, "touch");
		cpu_us += herd[i].cpu_us;
		if (herd[i].sleeps > sleeps)
			sleeps = herd[i].sleeps;
		if (herd[i].us > us)
			us = herd[i].us;
	}
	limit = WAKES + WAKES * us / 1000000;
	printf("%d touches, %llu us: %ld sleeps each at most, %ld others, %llu us of CPU\n",
	       nr, us, sleeps, others, cpu_us);
	ASSERT_LE(sleeps, limit, "times that a touch went to sleep");
	/* Or it would not show if each woke it up. */
	ASSERT_GT(others, 2 * limit, "small allocations");
}

static void herd(void)
{
	__u32 cnt = arena_limit(1) == 1 ? HERD_PAGES : arena_times(PAGES);
	struct toucher herd[HERD] = {};
	int nr;

	/* Trap: each small allocation wakes up all who wait for a large one */
	if (!wait_open(cnt + 1))
		return;
	if (!alloc_start(cnt))
		goto out;
	for (nr = 0; nr < HERD; nr++)
		if (!touch_start(&herd[nr], touch_user, arena_ops_page(&alloc.env, cnt - 1 - nr)))
			break;
	ASSERT_TRUE(alloc_is_under_way(), "allocation under way");
	herd_waits(herd, nr);
	alloc_end();
out:
	wait_close();
}

/* What this process and its child know of each other */
struct peer {
	int go;
	int touching;
	int mapped;
};

static pid_t peer_start(struct peer *peer, const struct way *way, __u32 idx)
{
	struct arena_ops_env *env = &alloc.env;
	pid_t pid;
	char *mem;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	mem = arena_mmap(arena_ops_fd(env), env->base, env->pages * page, RW,
			 MAP_FIXED_NOREPLACE);
	if (mem != env->base)
		_exit(1);
	WRITE_ONCE(peer->mapped, 1);
	while (!READ_ONCE(peer->go))
		usleep(1000);
	WRITE_ONCE(peer->touching, 1);
	_exit(way->touch(mem + idx * page) ? 2 : 0);
}

/* The process is killed where it waits, and has to be gone before the pages are there. */
static void peer_kill(pid_t pid, const struct way *way)
{
	bool met = alloc_is_under_way(), ended;
	__u64 begin = arena_now_us(), us;
	int status = 0;

	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, &status, 0), pid, "waitpid");
	us = arena_now_us() - begin;
	ended = READ_ONCE(alloc.ended);
	ASSERT_TRUE(met, "allocation under way");
	ASSERT_TRUE(WIFSIGNALED(status), "killed");
	ASSERT_FALSE(ended, "waited for the end of the allocation");
	ASSERT_LT(us, arena_limit(KILL_US), way->name);
	printf("%s: dies in %llu us\n", way->name, us);
}

static void kill_touch(void)
{
	__u32 cnt = arena_times(PAGES);
	pid_t pid[ARRAY_SIZE(ways)];
	struct peer *peer;
	int i;

	peer = mmap(NULL, page, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!ASSERT_NEQ(peer, MAP_FAILED, "mmap"))
		return;
	if (!wait_open(cnt))
		goto out;
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		pid[i] = peer_start(&peer[i], &ways[i], cnt / 2 + i);
		while (pid[i] > 0 && !READ_ONCE(peer[i].mapped) && !waitpid(pid[i], NULL, WNOHANG))
			usleep(1000);
	}
	if (!alloc_start(cnt))
		goto close;
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		WRITE_ONCE(peer[i].go, 1);
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		while (!READ_ONCE(peer[i].touching) && !READ_ONCE(alloc.ended))
			usleep(1000);
	usleep(20 * 1000);
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		peer_kill(pid[i], &ways[i]);
	alloc_end();
close:
	wait_close();
out:
	munmap(peer, page);
}

/* The other threads of a process can change its mappings while one waits. */
static void others_go_on(touch_fn touch)
{
	struct toucher t = {};
	__u64 begin, us;
	bool ended;
	void *mem;

	/* Trap: process_vm_readv stalls the whole mm */
	if (!wait_open(arena_times(PAGES)))
		return;
	if (!alloc_start(alloc.env.pages))
		goto out;
	if (touch_start(&t, touch, middle_page())) {
		usleep(20 * 1000);
		begin = arena_now_us();
		mem = mmap(NULL, page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		us = arena_now_us() - begin;
		ended = READ_ONCE(alloc.ended);
		ASSERT_NEQ(mem, MAP_FAILED, "mmap");
		ASSERT_FALSE(ended, "mmap waits for the end of the allocation");
		ASSERT_LT(us, arena_limit(KILL_US), "mmap");
		munmap(mem, page);
		pthread_join(t.thread, NULL);
		ASSERT_OK(t.result, "touch");
	}
	alloc_end();
out:
	wait_close();
}

static void mmap_beside_touch(void)
{
	others_go_on(touch_user);
}

static void mmap_beside_gup(void)
{
	others_go_on(touch_gup);
}

/* Who allocates is killed: it leaves soon, and leaves nothing behind. */
static void kill_alloc(void)
{
	__u32 cnt = arena_times(KILLED_PAGES);
	struct arena_ops_env *env = &alloc.env;
	long long empty, got, later;
	__u64 begin, us;
	pid_t pid;

	/* Trap: a long loop without a look at fatal signals */
	if (!wait_open(cnt))
		return;
	empty = arena_ops_memory(env);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		arena_ops_alloc(env, env->base, cnt);
		_exit(0);
	}
	while ((got = pages_got(env, empty)) < cnt / 100 && !waitpid(pid, NULL, WNOHANG))
		usleep(1000);
	begin = arena_now_us();
	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid, "waitpid");
	us = arena_now_us() - begin;
	later = pages_got(env, empty);
	ASSERT_LT(us, arena_limit(KILL_US), "time to die, us");
	ASSERT_LT(later, cnt / 2, "pages that were got all the same");
	ASSERT_EQ(arena_ops_fdinfo(env, "allocated_pages:"), 0, "allocated pages");
	printf("dies in %llu us, with %lld pages then and %lld later\n", us, got, later);
	/* All offsets are free again, and the memory is, soon. */
	ASSERT_OK(arena_ops_reserve(env, env->base, cnt), "reserve");
	arena_ops_free(env, env->base, cnt);
	ASSERT_TRUE(ARENA_EVENTUALLY(pages_got(env, empty) < 1000), "memory is given back");
	ASSERT_EQ((char *)arena_ops_alloc(env, NULL, 1), env->base, "alloc");
	wait_close();
}

static void expect_page_or_bus(struct toucher *t, const char *name)
{
	__u64 end = arena_now_us() + arena_limit(END_US);

	while (!READ_ONCE(t->ended) && arena_now_us() < end)
		usleep(1000);
	/* One that waits for ever is left to the end of the process */
	if (!ASSERT_TRUE(t->ended, name))
		return;
	pthread_join(t->thread, NULL);
	if (t->result != SIGBUS)
		ASSERT_OK(t->result, name);
	printf("%s: %d after %llu us\n", name, t->result, t->us);
}

/* The allocation gets some way and then fails: who waited is told. */
static void failed_alloc(void)
{
	__u32 cnt = arena_times(60000);
	static struct toucher low, high;

	memset(&alloc, 0, sizeof(alloc));
	memset(&low, 0, sizeof(low));
	memset(&high, 0, sizeof(high));
	alloc.cpu = -1;
	if (!arena_ops_open_in(&alloc.env, CGROUP, cnt, 0, 0))
		return;
	arena_cgroup_limit(CGROUP, cnt / 2 * page);
	if (!alloc_start(cnt))
		goto out;
	/* A page that has been got by then, and one that never is */
	if (!touch_start(&low, touch_user, arena_ops_page(&alloc.env, cnt / 4)) ||
	    !touch_start(&high, touch_user, arena_ops_page(&alloc.env, cnt - 1)))
		goto out;
	ASSERT_TRUE(alloc_is_under_way(), "allocation under way");
	pthread_join(alloc.thread, NULL);
	ASSERT_NULL(alloc.got, "allocation beyond the limit");
	expect_page_or_bus(&low, "page that had been got");
	expect_page_or_bus(&high, "page that had not");
	/* It is as if nothing had been. */
	arena_cgroup_unlimit(CGROUP);
	arena_ops_free(&alloc.env, alloc.env.base, cnt);
	ASSERT_OK(arena_ops_reserve(&alloc.env, alloc.env.base, cnt), "all offsets are free");
out:
	arena_ops_close_in(&alloc.env, CGROUP);
}

/* Wants most of the memory and both CPUs: not beside other tests. */
void serial_test_arena_wait(void)
{
	struct arena_fault_saved saved;

	page = arena_page_size();
	arena_fault_catch(&saved);
	if (test__start_subtest("user_touch"))
		user_touch();
	if (test__start_subtest("gup_touch"))
		gup_touch();
	if (test__start_subtest("write_touch"))
		write_touch();
	if (test__start_subtest("fifo_touch"))
		fifo_touch();
	if (test__start_subtest("herd"))
		herd();
	if (test__start_subtest("kill_touch"))
		kill_touch();
	if (test__start_subtest("mmap_beside_touch"))
		mmap_beside_touch();
	if (test__start_subtest("mmap_beside_gup"))
		mmap_beside_gup();
	if (test__start_subtest("kill_alloc"))
		kill_alloc();
	if (test__start_subtest("failed_alloc"))
		failed_alloc();
	arena_fault_restore(&saved);
}
