// SPDX-License-Identifier: GPL-2.0
/*
 * Two CPUs at odds: faults, unmapping and exit against frees, frees against
 * each other, allocations from everywhere. Each test hammers for a while and
 * checks as it goes; lockdep and KASAN, where they are on, check along.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sched.h>
#include <sys/uio.h>
#include "arena_ops.h"
#include "arena_race.skel.h"

#define RW		(PROT_READ | PROT_WRITE)
#define DURATION_MS	1000
#define CANARY		0xca9a57ca9a57ca9aULL
#define SCRIBBLE	0x5c21bb1e5c21bb1eULL

static size_t page;

/* What the threads of a test share. */
static struct {
	struct arena_ops_env env;
	bool stop;
	bool hold;
	__u64 turns;	/* of the other thread */
	__u64 errors;
} shared;

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void unpin(void)
{
	cpu_set_t set;
	int cpu;

	CPU_ZERO(&set);
	for (cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void turn(void)
{
	__sync_fetch_and_add(&shared.turns, 1);
}

static void error(void)
{
	__sync_fetch_and_add(&shared.errors, 1);
}

/* Runs "ours" on CPU 0, again and again, while "theirs" keeps CPU 1 busy. */
static void race(void *(*theirs)(void *), bool (*ours)(__u64 turn), __u64 ms)
{
	pthread_t thread;
	__u64 end, n = 0;

	shared.stop = false;
	shared.turns = 0;
	shared.errors = 0;
	pin_to(0);
	if (!ASSERT_OK(pthread_create(&thread, NULL, theirs, NULL), "thread"))
		goto out;
	end = arena_now_ms() + ms;
	while (arena_now_ms() < end || n < 10 || READ_ONCE(shared.turns) < 10) {
		if (!ours(++n))
			break;
		if (arena_now_ms() > end + 20000)
			break;
	}
	WRITE_ONCE(shared.stop, true);
	pthread_join(thread, NULL);
	ASSERT_GE(n, 10, "turns");
	ASSERT_GE(shared.turns, 10, "turns of the other thread");
	ASSERT_EQ(shared.errors, 0, "errors of the other thread");
out:
	unpin();
}

/* No two pages were mixed up, and none got lost: the arena has all it had. */
static void expect_empty_arena(struct arena_ops_env *env)
{
	env->atomic = false;
	arena_ops_free(env, env->base, env->pages);
	ASSERT_EQ((char *)arena_ops_alloc(env, NULL, env->pages), env->base, "whole arena");
	ASSERT_NULL(arena_ops_alloc(env, NULL, 1), "one more");
}

/* A page that is being zeroed may be half done: each byte is one or the other. */
static bool scribble_or_zero(__u64 val)
{
	__u64 byte;

	for (byte = 0xff; byte; byte <<= 8)
		if ((val & byte) && (val & byte) != (SCRIBBLE & byte))
			return false;
	return true;
}

#define AROUND	16

/* Maps the pages, over and over, by a way that takes no signal where one is gone. */
static void *fault_thread(void *arg)
{
	pin_to(0);
	while (!READ_ONCE(shared.stop)) {
		if (!READ_ONCE(shared.hold)) {
			madvise(shared.env.base, AROUND * page, MADV_DONTNEED);
			madvise(shared.env.base, AROUND * page, MADV_POPULATE_READ);
		}
		turn();
	}
	return NULL;
}

/* Has priority on the CPU of the other thread: it gets in between wherever that one is. */
static bool free_in_fault(__u64 n)
{
	void *last = arena_ops_page(&shared.env, AROUND - 1);
	__u64 val, turns;

	if (!ASSERT_EQ(arena_ops_alloc(&shared.env, last, 1), last, "alloc"))
		return false;
	WRITE_ONCE(shared.hold, false);
	usleep(50 + n % 64);
	WRITE_ONCE(shared.hold, true);
	arena_ops_free(&shared.env, last, 1);
	/* The fault that it was in has its end before the next turn has. */
	for (turns = READ_ONCE(shared.turns); READ_ONCE(shared.turns) < turns + 2;)
		usleep(1000);
	/* A free that may sleep has returned: no mapping may be left, nor come back. */
	return ASSERT_EQ(arena_peek(last, &val), SIGSEGV, "freed page");
}

static void fault_against_free(void)
{
	struct sched_param first = { .sched_priority = 1 }, none = {};

	/* Trap: a fault that races with a free of the same page leaves a stale user mapping */
	if (!arena_ops_open(&shared.env, AROUND, BPF_F_SEGV_ON_FAULT, 0))
		return;
	if (!ASSERT_PAGE(arena_ops_alloc(&shared.env, NULL, AROUND - 1), "alloc"))
		goto out;
	shared.hold = true;
	if (ASSERT_OK(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first),
		      "priority")) {
		race(fault_thread, free_in_fault, 2 * DURATION_MS);
		sched_setscheduler(0, SCHED_OTHER, &none);
	}
out:
	arena_ops_close(&shared.env);
}

/* One fault may map neighbours: those that are just going must stay away. */
static void *fault_around_thread(void *arg)
{
	pin_to(1);
	while (!READ_ONCE(shared.stop)) {
		madvise(shared.env.base, AROUND * page, MADV_POPULATE_READ);
		turn();
	}
	return NULL;
}

static bool free_among_neighbours(__u64 n)
{
	__u32 from = n % (AROUND - 4), i;
	__u64 val;

	arena_ops_free(&shared.env, arena_ops_page(&shared.env, from), 4);
	for (i = from; i < from + 4; i++)
		if (!ASSERT_EQ(arena_peek(arena_ops_page(&shared.env, i), &val), SIGSEGV,
			       "freed page"))
			return false;
	return ASSERT_EQ(arena_ops_alloc(&shared.env, NULL, 4), arena_ops_page(&shared.env, from),
			 "alloc");
}

static void fault_around_against_free(void)
{
	/* Trap: a fault that races with a free of the same page leaves a stale user mapping */
	if (!arena_ops_open(&shared.env, AROUND, BPF_F_SEGV_ON_FAULT, 0))
		return;
	if (ASSERT_PAGE(arena_ops_alloc(&shared.env, NULL, AROUND), "alloc"))
		race(fault_around_thread, free_among_neighbours, 2 * DURATION_MS);
	arena_ops_close(&shared.env);
}

/* Takes the page by a fault and writes to it; what it reads is its own, or zero. */
static void *poke_thread(void *arg)
{
	__u64 val;

	pin_to(1);
	while (!READ_ONCE(shared.stop)) {
		if (arena_poke(shared.env.base, SCRIBBLE) || arena_peek(shared.env.base, &val))
			error();
		else if (val && val != SCRIBBLE)
			error();
		turn();
	}
	return NULL;
}

static bool free_under_writer(__u64 n)
{
	shared.env.atomic = n % 2;
	arena_ops_free(&shared.env, shared.env.base, 1);
	/* The next page is another's. */
	return ASSERT_EQ(arena_ops_diff(&shared.env, arena_ops_page(&shared.env, 1), CANARY), 0,
			 "next page");
}

static void refault_against_free(void)
{
	if (!arena_ops_open(&shared.env, 4, 0, 0))
		return;
	if (ASSERT_PAGE(arena_ops_alloc(&shared.env, arena_ops_page(&shared.env, 1), 1), "alloc")) {
		arena_ops_fill(&shared.env, arena_ops_page(&shared.env, 1), CANARY);
		race(poke_thread, free_under_writer, DURATION_MS);
		expect_empty_arena(&shared.env);
	}
	arena_ops_close(&shared.env);
}

/* Changes to other mappings of the process want the lock that faults hold, too. */
static void *mmap_thread(void *arg)
{
	char *mem;

	pin_to(1);
	while (!READ_ONCE(shared.stop)) {
		mem = mmap(NULL, 64 * page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mem == MAP_FAILED) {
			error();
			break;
		}
		mem[0] = 1;
		mprotect(mem, page, PROT_READ);
		munmap(mem, 64 * page);
		turn();
	}
	return NULL;
}

static bool free_what_faulted(__u64 n)
{
	__u32 i;

	shared.env.atomic = n % 2;
	for (i = 0; i < 8; i++)
		if (!ASSERT_OK(arena_poke(arena_ops_page(&shared.env, i), n), "write"))
			return false;
	arena_ops_free(&shared.env, shared.env.base, n % 8 + 1);
	return true;
}

static void mmap_against_free(void)
{
	/* Trap: lock order inverted between mmap_lock and the arena's lock */
	if (!arena_ops_open(&shared.env, 8, 0, 0))
		return;
	race(mmap_thread, free_what_faulted, DURATION_MS);
	expect_empty_arena(&shared.env);
	arena_ops_close(&shared.env);
}

/* Children that map the arena, touch it and let it go in one way or the other. */
static void *child_thread(void *arg)
{
	struct arena_ops_env *env = &shared.env;
	bool exits = arg;
	int status, i;
	pid_t pid;

	pin_to(1);
	while (!READ_ONCE(shared.stop)) {
		pid = fork();
		if (!pid) {
			for (i = 0; i < (exits ? 1 : 20); i++) {
				char *mem = arena_mmap(arena_ops_fd(env), env->base,
						       env->pages * page, RW,
						       MAP_FIXED_NOREPLACE);

				if (mem != env->base)
					_exit(1);
				WRITE_ONCE(*(char *)arena_ops_page(env, i % 8), 1);
				WRITE_ONCE(*(char *)arena_ops_page(env, (i + 4) % 8), 1);
				if (!exits)
					munmap(mem, env->pages * page);
			}
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			error();
		turn();
	}
	return NULL;
}

static void *child_unmaps_thread(void *arg)
{
	return child_thread(NULL);
}

static void *child_exits_thread(void *arg)
{
	return child_thread((void *)1);
}

static bool free_under_children(__u64 n)
{
	struct arena_ops_env *env = &shared.env;

	env->atomic = n % 4 == 3;
	arena_ops_free(env, arena_ops_page(env, n % 8), 8);
	arena_ops_alloc(env, arena_ops_page(env, n % 8), 1);
	return true;
}

static void munmap_against_free(void)
{
	/* Trap: user mappings zapped without the mm being held (munmap) */
	if (!arena_ops_open(&shared.env, 16, 0, 0))
		return;
	race(child_unmaps_thread, free_under_children, DURATION_MS);
	expect_empty_arena(&shared.env);
	arena_ops_close(&shared.env);
}

static void exit_against_free(void)
{
	/* Trap: user mappings zapped without the mm being held (exit) */
	if (!arena_ops_open(&shared.env, 16, 0, 0))
		return;
	race(child_exits_thread, free_under_children, DURATION_MS);
	expect_empty_arena(&shared.env);
	arena_ops_close(&shared.env);
}

/* A process in the way of forks: its arena mapping is copied, against the rule. */
static bool fork_under_free(__u64 n)
{
	int status = 0;
	pid_t pid;

	pid = fork();
	if (!pid) {
		WRITE_ONCE(*(char *)arena_ops_page(&shared.env, n % 8), 1);
		_exit(0);
	}
	return ASSERT_EQ(waitpid(pid, &status, 0), pid, "waitpid") &&
	       ASSERT_OK(status, "child's status");
}

static void *free_thread(void *arg)
{
	struct arena_ops_env env = shared.env;
	__u64 n = 0;

	pin_to(1);
	env.slot = 1;
	while (!READ_ONCE(shared.stop)) {
		env.atomic = ++n % 4 == 3;
		arena_ops_alloc(&env, env.base, 4);
		arena_ops_free(&env, env.base, env.pages);
		turn();
	}
	return NULL;
}

static void fork_against_free(void)
{
	/* Trap: VMA still on a list after it is gone (fork) */
	if (!arena_ops_open(&shared.env, 16, 0, 0))
		return;
	/* Where the copy is refused, there is nothing to race with. */
	if (!madvise(shared.env.base, 16 * page, MADV_DOFORK)) {
		race(free_thread, fork_under_free, DURATION_MS);
		expect_empty_arena(&shared.env);
	}
	arena_ops_close(&shared.env);
}

static bool free_the_same(__u64 n)
{
	struct arena_ops_env *env = &shared.env;
	int status = 0;
	pid_t pid;

	env->atomic = false;
	if (n % 8 == 0) {
		pid = fork();
		if (!pid) {
			char *mem = arena_mmap(arena_ops_fd(env), env->base, env->pages * page,
					       RW, MAP_FIXED_NOREPLACE);

			if (mem != env->base)
				_exit(1);
			for (n = 0; n < env->pages; n++)
				WRITE_ONCE(*(char *)arena_ops_page(env, n), 1);
			munmap(mem, env->pages * page);
			_exit(0);
		}
		arena_ops_free(env, env->base, env->pages);
		return ASSERT_EQ(waitpid(pid, &status, 0), pid, "waitpid") &&
		       ASSERT_OK(status, "child's status");
	}
	arena_ops_alloc(env, NULL, 3);
	arena_ops_free(env, env->base, env->pages);
	return true;
}

static void two_frees_and_munmap(void)
{
	/* Trap: user mappings zapped without the mm being held (two frees and a munmap) */
	if (!arena_ops_open(&shared.env, 16, 0, 0))
		return;
	race(free_thread, free_the_same, DURATION_MS);
	expect_empty_arena(&shared.env);
	arena_ops_close(&shared.env);
}

/* A BPF program that writes to a page, whether it is there or not. */
static void *scribble_thread(void *arg)
{
	struct arena_ops_env env = shared.env;
	__u64 val;

	pin_to(1);
	env.slot = 1;
	while (!READ_ONCE(shared.stop)) {
		env.atomic = shared.turns % 2;
		arena_ops_fill(&env, env.base, SCRIBBLE);
		val = arena_ops_load(&env, env.base);
		if (!scribble_or_zero(val))
			error();
		turn();
	}
	return NULL;
}

static struct arena_ops_env bystander;

#define CANARIES	32

/* Everything that a freed page could become: none of it may be scribbled on. */
static bool reuse_under_writer(__u64 n)
{
	struct arena_ops_env *env = &shared.env;
	bool ok = true;
	__u64 *mem;
	__u32 i;

	env->atomic = n % 2;
	arena_ops_alloc(env, env->base, 1);
	arena_ops_free(env, env->base, 1);

	mem = mmap(NULL, CANARIES * page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < CANARIES * page / sizeof(*mem); i++)
		mem[i] = CANARY;
	arena_ops_alloc(env, arena_ops_page(env, 1), 1);
	arena_ops_alloc(&bystander, bystander.base, 1);
	arena_ops_fill(env, arena_ops_page(env, 1), CANARY);
	arena_ops_fill(&bystander, bystander.base, CANARY);
	usleep(100);
	for (i = 0; ok && i < CANARIES; i++)
		ok = ASSERT_FALSE(arena_page_differs(mem + i * page / sizeof(*mem), CANARY),
				  "anonymous memory");
	/* Where the allocation failed there is a page of zeroes. */
	ok = ok && ASSERT_TRUE(!arena_ops_diff(env, arena_ops_page(env, 1), CANARY) ||
			       !arena_ops_diff(env, arena_ops_page(env, 1), 0), "other offset") &&
	     ASSERT_TRUE(!arena_ops_diff(&bystander, bystander.base, CANARY) ||
			 !arena_ops_diff(&bystander, bystander.base, 0), "other arena");
	munmap(mem, CANARIES * page);
	arena_ops_free(env, arena_ops_page(env, 1), 1);
	arena_ops_free(&bystander, bystander.base, 1);
	return ok;
}

static void reuse_against_access(void)
{
	/* Trap: freed page still in a TLB */
	if (!arena_ops_open(&shared.env, 4, 0, 0))
		return;
	if (arena_ops_open(&bystander, 4, 0, 0)) {
		race(scribble_thread, reuse_under_writer, DURATION_MS);
		arena_ops_close(&bystander);
	}
	expect_empty_arena(&shared.env);
	arena_ops_close(&shared.env);
}

/*
 * A single run of a program goes on writing to a page that is freed and, after
 * a while, has left the arena. Whoever gets the page then must not see that.
 * The program runs in another process: what this one does to its own mappings
 * would make the other CPU forget the page. And workers stay on this CPU, so that
 * the page is among the first to be handed out here.
 */
static void stale_translation(void)
{
	struct arena_ops_env *env = &shared.env;
	char cpus[32], *last;
	long long full;
	pid_t pid;
	__u32 i;

	/* Trap: freed page still in a TLB */
	if (!arena_read_file(ARENA_WORKER_CPUS, cpus, sizeof(cpus)))
		return;
	if (!arena_ops_open(env, 4, 0, 0))
		return;
	/* Pages of the kind that arenas have become pages of an arena again. */
	if (!arena_ops_open(&bystander, 512, 0, 0)) {
		arena_ops_close(env);
		return;
	}
	pin_to(0);
	arena_write_file(ARENA_WORKER_CPUS, "1");
	/* Not its bitmap or page tables: these are made now. */
	last = arena_ops_page(&bystander, bystander.pages - 1);
	if (!ASSERT_PAGE(arena_ops_alloc(env, env->base, 1), "alloc") ||
	    !ASSERT_PAGE(arena_ops_alloc(&bystander, bystander.base, 1), "first page") ||
	    !ASSERT_PAGE(arena_ops_alloc(&bystander, last, 1), "last page"))
		goto out;
	full = arena_ops_memory(env);
	pid = fork();
	if (!pid) {
		pin_to(1);
		arena_ops_scribble(env, env->base, SCRIBBLE);
		_exit(0);
	}
	if (!ASSERT_TRUE(ARENA_EVENTUALLY(arena_ops_load(env, env->base) == SCRIBBLE), "start"))
		goto end;
	arena_ops_free(env, env->base, 1);
	ASSERT_TRUE(ARENA_EVENTUALLY(arena_ops_memory(env) < full), "page leaves the arena");
	if (!ASSERT_PAGE(arena_ops_alloc(&bystander, NULL, bystander.pages - 2), "other arena"))
		goto end;
	for (i = 0; i < bystander.pages; i++)
		arena_ops_fill(&bystander, arena_ops_page(&bystander, i), CANARY);
	arena_nap();
	for (i = 0; i < bystander.pages; i++)
		if (!ASSERT_EQ(arena_ops_diff(&bystander, arena_ops_page(&bystander, i), CANARY), 0,
			       "other arena"))
			break;
	ASSERT_EQ(arena_ops_load(env, env->base), 0, "freed page");
end:
	WRITE_ONCE(env->skel->bss->stop, 1);
	waitpid(pid, NULL, 0);
out:
	arena_write_file(ARENA_WORKER_CPUS, cpus);
	unpin();
	arena_ops_close(&bystander);
	arena_ops_close(env);
}

/* Pins the page in a pipe; whatever comes out has been at this offset. */
static void *pin_thread(void *arg)
{
	struct iovec iov = { .iov_base = shared.env.base, .iov_len = page };
	static __u64 buf[512];
	int p[2], i;

	pin_to(1);
	if (pipe(p)) {
		error();
		return NULL;
	}
	while (!READ_ONCE(shared.stop)) {
		ssize_t n = vmsplice(p[1], &iov, 1, 0);

		turn();
		if (n < 0)
			continue;
		if (read(p[0], buf, n) != n)
			error();
		for (i = 0; i < n / sizeof(*buf); i++) {
			if (!scribble_or_zero(buf[i])) {
				fprintf(stdout, "0x%llx in the pipe\n", buf[i]);
				error();
				break;
			}
		}
	}
	close(p[0]);
	close(p[1]);
	return NULL;
}

static bool free_under_pin(__u64 n)
{
	struct arena_ops_env *env = &shared.env;

	env->atomic = n % 2;
	if (arena_ops_alloc(env, env->base, 1))
		arena_ops_fill(env, env->base, SCRIBBLE);
	arena_ops_free(env, env->base, 1);
	if (arena_ops_alloc(env, arena_ops_page(env, 1), 1))
		arena_ops_fill(env, arena_ops_page(env, 1), CANARY);
	arena_ops_free(env, arena_ops_page(env, 1), 1);
	return true;
}

static void pin_against_free(void)
{
	/* Trap: pinned pages outlive the free: the page must not be reused while pinned */
	if (!arena_ops_open(&shared.env, 4, BPF_F_SEGV_ON_FAULT, 0))
		return;
	race(pin_thread, free_under_pin, DURATION_MS);
	/* A worker gives back what was pinned. */
	shared.env.atomic = false;
	arena_ops_free(&shared.env, shared.env.base, shared.env.pages);
	ASSERT_PAGE(arena_ops_alloc_wait(&shared.env, NULL, shared.env.pages), "whole arena");
	expect_empty_arena(&shared.env);
	arena_ops_close(&shared.env);
}

static bool storm_round(const struct arena_ops_env *env, __u64 n)
{
	__u64 found = arena_ops_storm(env, (n << 16) + ((__u64)(env->slot + 1) << 56));

	if ((__u32)found)
		fprintf(stdout, "storm: dirty %d, shared %d\n",
			!!(found & ARENA_STORM_DIRTY), !!(found & ARENA_STORM_SHARED));
	return !(__u32)found;
}

static bool storm_atomic_too;

static void *storm_thread(void *arg)
{
	struct arena_ops_env env = shared.env;
	__u64 n = 0;

	pin_to(1);
	env.slot = 1;
	env.atomic = storm_atomic_too;
	while (!READ_ONCE(shared.stop)) {
		if (!storm_round(&env, ++n))
			error();
		turn();
	}
	return NULL;
}

static bool storm_here(__u64 n)
{
	return ASSERT_TRUE(storm_round(&shared.env, n), "every page is somebody's alone");
}

static void storm(bool here_atomic, bool there_atomic)
{
	if (!arena_ops_open(&shared.env, 64, 0, 0))
		return;
	shared.env.atomic = here_atomic;
	storm_atomic_too = there_atomic;
	race(storm_thread, storm_here, DURATION_MS);
	expect_empty_arena(&shared.env);
	arena_ops_close(&shared.env);
}

/*
 * Page tables and bitmaps are added when a part of the arena is used first. Both
 * CPUs want the same ones at the same time: each turn is in another part.
 */
#define PART_PAGES	512
#define PARTS		2048

static __u32 part;
static bool part_atomic;

static bool take_from_part(const struct arena_ops_env *env, __u32 nr)
{
	__u32 idx = nr * PART_PAGES + env->slot;
	char *p = arena_ops_page(env, idx);

	if (arena_ops_alloc_wait(env, p, 1) != p)
		return false;
	arena_ops_store(env, p, idx + 1);
	return true;
}

static void *part_thread(void *arg)
{
	struct arena_ops_env env = shared.env;
	__u32 nr, done = 0;

	pin_to(1);
	env.slot = 1;
	env.atomic = part_atomic;
	while (!READ_ONCE(shared.stop)) {
		nr = READ_ONCE(part);
		if (nr == done)
			continue;
		if (!take_from_part(&env, nr - 1))
			error();
		done = nr;
		turn();
	}
	return NULL;
}

static bool part_here(__u64 n)
{
	if (part == PARTS)
		return false;
	WRITE_ONCE(part, part + 1);
	if (!ASSERT_TRUE(take_from_part(&shared.env, part - 1), "first page"))
		return false;
	return ASSERT_TRUE(ARENA_EVENTUALLY(READ_ONCE(shared.turns) == part), "second page");
}

/* What the arena takes: the pages, and a table for each part; the rest is little. */
static void expect_parts(struct arena_ops_env *env)
{
	long long memory = arena_ops_memory(env), want = 3LL * part * page;
	/* bitmaps, tables of tables, and what is in stock */
	long long more = (64 + 6 + ARENA_STOCK) * page + 64 * 1024;
	__u32 i, idx;

	ASSERT_GE(memory, want, "memory");
	ASSERT_LE(memory, want + more, "memory");
	for (i = 0; i < 2 * part; i++) {
		idx = i / 2 * PART_PAGES + i % 2;
		if (!ASSERT_EQ(arena_ops_load(env, arena_ops_page(env, idx)), idx + 1,
			       "contents"))
			return;
	}
}

static void first_pages(bool atomic)
{
	if (!arena_ops_open(&shared.env, PARTS * PART_PAGES, 0, 1ULL << 40))
		return;
	part = 0;
	part_atomic = atomic;
	shared.env.atomic = atomic;
	race(part_thread, part_here, DURATION_MS);
	shared.env.atomic = false;
	expect_parts(&shared.env);
	arena_ops_close(&shared.env);
}

/*
 * A free looks through the page tables of a process that lets go of them all at this
 * very moment: so many that both take a while, and the process is ahead.
 */
#define MEET_PAGES	(512 * PART_PAGES)

static bool child_meets(bool exits, int *going)
{
	struct arena_ops_env *env = &shared.env;
	size_t size = env->pages * page;
	int status = 0;
	__u64 end;
	pid_t pid;
	__u32 i;

	WRITE_ONCE(*going, 0);
	pid = fork();
	if (!pid) {
		char *mem;

		pin_to(1);
		mem = arena_mmap(arena_ops_fd(env), env->base, size, RW, MAP_FIXED_NOREPLACE);
		if (mem != env->base)
			_exit(1);
		for (i = 0; i < env->pages; i += PART_PAGES)
			WRITE_ONCE(mem[i * page], 1);
		WRITE_ONCE(*going, 1);
		if (!exits)
			munmap(mem, size);
		_exit(0);
	}
	for (end = arena_now_ms() + 20000; !READ_ONCE(*going) && arena_now_ms() < end;)
		;
	arena_ops_free(env, env->base, env->pages);
	return ASSERT_EQ(waitpid(pid, &status, 0), pid, "waitpid") &&
	       ASSERT_OK(status, "child's status") &&
	       ASSERT_EQ(arena_ops_alloc(env, NULL, 1), (void *)env->base, "free again");
}

static void meet(bool exits)
{
	int *going, round;
	__u64 end;

	/* Trap: user mappings zapped without the mm being held (CVE-2026-74354) */
	going = mmap(NULL, page, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!ASSERT_NEQ(going, MAP_FAILED, "mmap"))
		return;
	if (!arena_ops_open(&shared.env, MEET_PAGES, 0, 1ULL << 40))
		goto out;
	pin_to(0);
	end = arena_now_ms() + DURATION_MS;
	for (round = 0; round < 20 || arena_now_ms() < end; round++)
		if (!child_meets(exits, going))
			break;
	unpin();
	arena_ops_close(&shared.env);
out:
	munmap(going, page);
}

/*
 * Here a BPF program holds one thread up at the place where it hurts, until the other one
 * has done its part: each round is a hit.
 */
#define HELD_ROUNDS	10

static struct arena_race *holder;

static bool holder_open(void)
{
	holder = arena_race__open_and_load();
	return ASSERT_OK_PTR(holder, "arena_race__open_and_load");
}

static bool attach(struct bpf_program *prog, struct bpf_link **link)
{
	*link = bpf_program__attach(prog);
	return ASSERT_OK_PTR(*link, "attach");
}

static void hold_nobody(void)
{
	memset(holder->bss, 0, sizeof(*holder->bss));
}

/* The other CPU of the machine may be away for a while. */
static bool seen(const int *flag)
{
	__u64 end = arena_now_ms() + 20000;

	while (!READ_ONCE(*flag) && arena_now_ms() < end)
		;
	return READ_ONCE(*flag) != 0;
}

/* A thread that is held up in madvise() */
struct held {
	int advice;
	int ready;
	int begin;
};

static void *held_thread(void *arg)
{
	struct held *held = arg;

	pin_to(0);
	WRITE_ONCE(holder->bss->thread, gettid());
	WRITE_ONCE(held->ready, 1);
	while (!READ_ONCE(held->begin))
		;
	madvise(shared.env.base, page, held->advice);
	return NULL;
}

/*
 * The page is freed meanwhile. When the free has returned user space must not read it:
 * neither since this CPU remembers where it was, nor by a mapping that comes later.
 */
static bool free_meets_held(int advice)
{
	struct held held = { .advice = advice };
	struct arena_ops_env *env = &shared.env;
	bool met, removed = advice == MADV_DONTNEED;
	pthread_t thread;
	__u64 val;
	int sig;

	hold_nobody();
	holder->bss->addr = (__u64)env->base;
	if (!ASSERT_EQ((char *)arena_ops_alloc(env, env->base, 1), env->base, "alloc") ||
	    !ASSERT_OK(arena_poke(env->base, CANARY), "write"))
		return false;
	/* Not dirty any more: a dirty page is flushed under the page table's lock. */
	madvise(env->base, page, MADV_DONTNEED);
	if (!ASSERT_OK(pthread_create(&thread, NULL, held_thread, &held), "thread"))
		return false;
	seen(&held.ready);
	if (removed)
		ASSERT_OK(arena_peek(env->base, &val), "read");
	WRITE_ONCE(held.begin, 1);
	met = seen(&holder->bss->held);
	arena_ops_free(env, env->base, 1);
	sig = arena_peek(env->base, &val);
	WRITE_ONCE(holder->bss->go, 1);
	pthread_join(thread, NULL);
	return ASSERT_TRUE(met, "held up") && ASSERT_EQ(sig, SIGSEGV, "freed page") &&
	       ASSERT_EQ(arena_peek(env->base, &val), SIGSEGV, "freed page, later");
}

static void free_meets(int advice)
{
	int i;

	if (!holder_open())
		return;
	if (!arena_ops_open(&shared.env, 1, BPF_F_SEGV_ON_FAULT, 0))
		goto out;
	pin_to(1);
	if (advice == MADV_DONTNEED ?
	    attach(holder->progs.before_flush, &holder->links.before_flush) :
	    attach(holder->progs.before_mapping, &holder->links.before_mapping))
		for (i = 0; i < HELD_ROUNDS && free_meets_held(advice); i++)
			;
	unpin();
	arena_ops_close(&shared.env);
out:
	arena_race__destroy(holder);
}

static void free_meets_dontneed(void)
{
	/* Trap: a page whose mapping is being removed counts as not mapped */
	free_meets(MADV_DONTNEED);
}

static void free_meets_populate(void)
{
	/* Trap: a fault that races with a free of the same page leaves a stale user mapping */
	free_meets(MADV_POPULATE_READ);
}

static void *publish_thread(void *addr)
{
	pin_to(0);
	WRITE_ONCE(holder->bss->publisher, gettid());
	return arena_ops_alloc(&shared.env, addr, 1);
}

/*
 * The touch finds no page while the page's allocation is under way, and is held up until
 * that has ended. As it has begun before the touch there must be a page for it.
 */
static bool touch_meets_publishing(void *addr, int (*touch)(void *addr))
{
	pthread_t thread;
	int result;
	bool met;
	void *got;

	hold_nobody();
	if (!ASSERT_OK(pthread_create(&thread, NULL, publish_thread, addr), "thread"))
		return false;
	seen(&holder->bss->taken);
	WRITE_ONCE(holder->bss->thread, gettid());
	result = touch(addr);
	met = READ_ONCE(holder->bss->held);
	/* If it was not held up, nobody was let go. */
	WRITE_ONCE(holder->bss->publish, 1);
	pthread_join(thread, &got);
	return ASSERT_TRUE(met, "held up") && ASSERT_EQ(got, addr, "alloc") &&
	       ASSERT_OK(result, "touch");
}

static void touch_meets_alloc(__u32 flags, int (*touch)(void *addr))
{
	int i;

	/* Trap: a touch that sees neither the page nor its allocation */
	if (!holder_open())
		return;
	if (!arena_ops_open(&shared.env, HELD_ROUNDS, flags, 0))
		goto out;
	pin_to(1);
	if (attach(holder->progs.before_second_look, &holder->links.before_second_look) &&
	    attach(holder->progs.before_publishing, &holder->links.before_publishing) &&
	    attach(holder->progs.after_publishing, &holder->links.after_publishing))
		for (i = 0; i < HELD_ROUNDS; i++)
			if (!touch_meets_publishing(arena_ops_page(&shared.env, i), touch))
				break;
	unpin();
	arena_ops_close(&shared.env);
out:
	arena_race__destroy(holder);
}

static int touch_here(void *addr)
{
	return arena_poke(addr, CANARY);
}

/* As a debugger does: it makes no page, but wants those that are there. */
static int touch_remotely(void *addr)
{
	__u64 val;
	struct iovec local = { .iov_base = &val, .iov_len = sizeof(val) };
	struct iovec remote = { .iov_base = addr, .iov_len = sizeof(val) };
	ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	return n == sizeof(val) ? 0 : -1;
}

/* User space takes the pages that it touches; nobody else may get them then. */
static void *touch_thread(void *arg)
{
	struct arena_ops_env env = shared.env;
	__u64 val, n = 0;
	__u32 i;

	pin_to(1);
	env.slot = 1;
	while (!READ_ONCE(shared.stop)) {
		i = ++n % env.pages;
		if (arena_ops_alloc(&env, arena_ops_page(&env, i), 1)) {
			/* Ours by the kernel's word: it stays what we make of it. */
			if (arena_poke(arena_ops_page(&env, i), SCRIBBLE) ||
			    arena_peek(arena_ops_page(&env, i), &val) || val != SCRIBBLE)
				error();
			arena_ops_free(&env, arena_ops_page(&env, i), 1);
		}
		turn();
	}
	return NULL;
}

static void storm_against_touch(void)
{
	if (!arena_ops_open(&shared.env, 12, 0, 0))
		return;
	race(touch_thread, storm_here, DURATION_MS);
	expect_empty_arena(&shared.env);
	arena_ops_close(&shared.env);
}

static void pending_frees(void)
{
	long long before = 0;
	int round;

	/* Trap: deferred frees still pending when the map goes away */
	for (round = 0; round < 12; round++) {
		struct arena_ops_env env;
		__u32 i;

		if (round == 2)
			before = arena_mem_free();
		if (!arena_ops_open(&env, 1024, 0, 0))
			return;
		if (!ASSERT_PAGE(arena_ops_alloc(&env, NULL, 1024), "alloc"))
			round = 100;
		WRITE_ONCE(*(char *)env.base, 1);
		env.atomic = true;
		for (i = 0; i < 1024; i += 64)
			arena_ops_free(&env, arena_ops_page(&env, i), 64);
		arena_ops_close(&env);
	}
	/* 4 MiB a round, all but the first two */
	ASSERT_LE(arena_settle(before, 8 << 20), 8 << 20, "bytes missing");
}

static void *life_thread(void *arg)
{
	size_t size = 512 * page;

	pin_to(1);
	while (!READ_ONCE(shared.stop)) {
		int fd = arena_create_raw(BPF_F_MMAPABLE, 512, 0);
		char *mem;

		if (fd < 0) {
			error();
			break;
		}
		mem = arena_mmap(fd, NULL, size, RW, 0);
		close(fd);
		if (mem == MAP_FAILED) {
			error();
			break;
		}
		mem[0] = 1;
		mem[size - 1] = 1;
		if (mem[size / 2])
			error();
		munmap(mem, size);
		turn();
	}
	return NULL;
}

static bool life_here(__u64 n)
{
	size_t size = (1 << 20) * page;
	int fd = arena_create_raw(BPF_F_MMAPABLE, 1 << 20, 0);
	bool ok;
	char *mem;

	if (!ASSERT_GE(fd, 0, "create"))
		return false;
	mem = arena_mmap(fd, NULL, size, RW, 0);
	ok = ASSERT_NEQ(mem, MAP_FAILED, "mmap");
	if (ok) {
		mem[size - 1] = 1;
		ok = ASSERT_EQ(mem[0], 0, "content");
		munmap(mem, size);
	}
	close(fd);
	return ok;
}

static void create_and_destroy(void)
{
	race(life_thread, life_here, DURATION_MS);
}

/* Needs both CPUs, and measures memory: not beside other tests. */
void serial_test_arena_race(void)
{
	struct arena_fault_saved saved;

	page = arena_page_size();
	if (libbpf_num_possible_cpus() < 2) {
		PRINT_FAIL("these races need two CPUs\n");
		return;
	}
	arena_fault_catch(&saved);
	if (test__start_subtest("fault_against_free"))
		fault_against_free();
	if (test__start_subtest("fault_around_against_free"))
		fault_around_against_free();
	if (test__start_subtest("refault_against_free"))
		refault_against_free();
	if (test__start_subtest("mmap_against_free"))
		mmap_against_free();
	if (test__start_subtest("munmap_against_free"))
		munmap_against_free();
	if (test__start_subtest("exit_against_free"))
		exit_against_free();
	if (test__start_subtest("fork_against_free"))
		fork_against_free();
	if (test__start_subtest("two_frees_and_munmap"))
		two_frees_and_munmap();
	if (test__start_subtest("reuse_against_access"))
		reuse_against_access();
	if (test__start_subtest("stale_translation"))
		stale_translation();
	if (test__start_subtest("pin_against_free"))
		pin_against_free();
	if (test__start_subtest("storm_sleepable"))
		storm(false, false);
	if (test__start_subtest("storm_atomic"))
		storm(true, true);
	if (test__start_subtest("storm_mixed"))
		storm(false, true);
	if (test__start_subtest("first_pages"))
		first_pages(false);
	if (test__start_subtest("first_pages_atomic"))
		first_pages(true);
	if (test__start_subtest("munmap_meets_free"))
		meet(false);
	if (test__start_subtest("exit_meets_free"))
		meet(true);
	if (test__start_subtest("free_meets_dontneed"))
		free_meets_dontneed();
	if (test__start_subtest("free_meets_populate"))
		free_meets_populate();
	if (test__start_subtest("touch_meets_alloc"))
		touch_meets_alloc(BPF_F_SEGV_ON_FAULT, touch_here);
	if (test__start_subtest("read_meets_alloc"))
		touch_meets_alloc(0, touch_remotely);
	if (test__start_subtest("storm_against_touch"))
		storm_against_touch();
	if (test__start_subtest("pending_frees"))
		pending_frees();
	if (test__start_subtest("create_and_destroy"))
		create_and_destroy();
	arena_fault_restore(&saved);
}
