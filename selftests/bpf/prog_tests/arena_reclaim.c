// SPDX-License-Identifier: GPL-2.0
/*
 * A program can be called by a task that reclaims memory, and so from within any allocation
 * that may sleep: those of the arena as well. It must not wait there for a lock that the
 * task holds, and must not get memory that the cgroup does not have.
 *
 * ARENA_RECLAIM_SECONDS=N is how long each subtest takes.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "arena_system.h"
#include "arena_reclaim.h"
#include "arena_reclaim.skel.h"

#define RW		(PROT_READ | PROT_WRITE)
#define USER		ARENA_CGROUP_ROOT "/arena_reclaim_user"
#define CREATOR		ARENA_CGROUP_ROOT "/arena_reclaim_creator"
#define SECONDS		5
#define MIB		0x100000LL

#define BASE		0x10000000000ULL
#define TABLES		512	/* page tables of the arena */
#define TABLE_PAGES	512
#define PAGES		(TABLES * TABLE_PAGES)

/*
 * What fits into a cgroup beside what it has: less than all inodes of sysfs, and memory that
 * reclaim gets at once, as inodes are not free before RCU says so.
 */
#define LAZY_BYTES	(4 * MIB)
#define LAZY_CHUNK	(MIB / 4)
#define ROOM		(lockdep ? 4 * MIB : LAZY_BYTES + 4 * MIB)
/* Without a step forwards for so long, it hangs. */
#define HANG_MS		15000
/* What is above the limit for a moment, as pages were charged in advance */
#define EXCESS		(64 * 4096LL)

static size_t page;
static bool hung;
static struct arena_reclaim *skel;
static char *base;

/*
 * To enter a program that may sleep is to be ready for a fault of user memory, says the
 * kernel to lockdep. In reclaim from a fault that is one beneath mmap_lock: a report, with
 * any such program on this hook, and then lockdep is off. With lockdep there are therefore
 * two processes: one reclaims, in system calls that fault nothing in, and one touches the
 * arena. It takes no reclaim then to see a lock that is held over an allocation.
 */
static bool lockdep;

/* What processes do. The one that has no memory reclaims. */
static struct worker {
	__u64 steps;
	__u64 rounds;
	__u64 touches;
	int ready;
	int go;
} *worker;

static char *lazy;

static void step(void)
{
	__u64 nr = ++worker->steps;
	char *chunk = lazy + nr / 64 * LAZY_CHUNK % LAZY_BYTES;

	if (lockdep && !(nr % 16))
		usleep(1000);
	if (lockdep || nr % 64)
		return;
	memset(chunk, 1, LAZY_CHUNK);
	madvise(chunk, LAZY_CHUNK, MADV_FREE);
}

#define MAX_DEPTH	20

static char entries[MAX_DEPTH][4096];

/*
 * Inodes and dentries that can be reclaimed. What fails for want of memory may do so. Here
 * nothing is allocated in user space.
 */
static void walk(int dir, int depth, dev_t dev)
{
	struct dirent64 *entry;
	struct stat st;
	ssize_t n, pos;
	int sub;

	while ((n = getdents64(dir, entries[depth], sizeof(entries[depth]))) > 0) {
		for (pos = 0; pos < n; pos += entry->d_reclen) {
			entry = (struct dirent64 *)(entries[depth] + pos);
			if (entry->d_name[0] == '.')
				continue;
			step();
			if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
			    !S_ISDIR(st.st_mode) || st.st_dev != dev || depth + 1 == MAX_DEPTH)
				continue;
			sub = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
			if (sub < 0)
				continue;
			walk(sub, depth + 1, dev);
			close(sub);
		}
	}
}

static void walk_sysfs(void)
{
	struct stat st;
	int dir;

	dir = open("/sys", O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return;
	if (!fstat(dir, &st))
		walk(dir, 0, st.st_dev);
	close(dir);
}

/* Touches a page of each page table; a new mapping has no table yet. */
static void touch_tables(int fd)
{
	__u64 val;
	char *mem;
	int i;

	mem = arena_mmap(fd, base, PAGES * page, RW, MAP_FIXED_NOREPLACE);
	/* There may be no memory for it, but nothing else is there. */
	if (mem == MAP_FAILED && errno == ENOMEM)
		return;
	if (mem != base)
		_exit(3);
	for (i = 0; i < TABLES; i++) {
		arena_peek(mem + i * TABLE_PAGES * page, &val);
		worker->touches++;
		if (!lockdep)
			step();
	}
	munmap(mem, PAGES * page);
}

static void work(int fd)
{
	for (;;) {
		walk_sysfs();
		if (!lockdep)
			touch_tables(fd);
		worker->rounds++;
	}
}

/* All that the process is going to need, stack included, is there before it has no memory. */
static bool fault_all_in(void)
{
	char stack[64 * 1024];

	memset(stack, 1, sizeof(stack));
	barrier();
	return !mlockall(MCL_CURRENT) && stack[sizeof(stack) - 1];
}

static pid_t start_worker(void)
{
	int fd = bpf_map__fd(skel->maps.arena);
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	lazy = mmap(NULL, LAZY_BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (lazy == MAP_FAILED || (lockdep && !fault_all_in()))
		_exit(2);
	if (!arena_cgroup_join(USER))
		_exit(1);
	WRITE_ONCE(worker->ready, 1);
	while (!READ_ONCE(worker->go))
		usleep(1000);
	work(fd);
	_exit(0);
}

/* Has all the memory that it wants; only with lockdep */
static pid_t start_toucher(void)
{
	int fd = bpf_map__fd(skel->maps.arena);
	pid_t pid;

	fflush(stdout);
	pid = fork();
	while (!pid)
		touch_tables(fd);
	return pid;
}

/* It may have much locked memory to give back, on a slow machine. */
static void end_process(pid_t pid)
{
	__u64 end = arena_now_ms() + arena_limit(HANG_MS);
	int status;
	pid_t ended;

	kill(pid, SIGKILL);
	while (!(ended = waitpid(pid, &status, WNOHANG)) && arena_now_ms() < end)
		usleep(10 * 1000);
	if (!ASSERT_EQ(ended, pid, "end"))
		hung = true;
}

/* One that hangs cannot be killed: what can be said of it, then leave it alone. */
static void report_hang(pid_t pid)
{
	char path[64], line[256];
	FILE *f;

	hung = true;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "State:", 6))
			printf("it hangs: %s", line);
	if (f)
		fclose(f);
	arena_write_file("/proc/sysrq-trigger", "w");
}

static void note_charge(const char *cgroup, long long *most)
{
	long long charge = arena_cgroup_charge(cgroup);

	if (charge > *most)
		*most = charge;
}

static void expect_below(const char *cgroup, long long most)
{
	long long max = arena_cgroup_read(cgroup, "memory.max", "");

	printf("%s: at most %lld KiB, limit %lld\n", cgroup, most >> 10, max >> 10);
	if (max)
		ASSERT_LE(most, max + EXCESS, cgroup);
}

/* What programs have allocated in reclaim makes room for more. */
static bool free_all(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	return ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.free_all), &opts),
			 "free_all");
}

#define ENOUGH		100	/* calls in reclaim, and touches */

/* The walk through sysfs takes minutes where the kernel is slow. */
static bool did_enough(void)
{
	return READ_ONCE(worker->rounds) ||
	       (READ_ONCE(skel->bss->calls) > ENOUGH && READ_ONCE(worker->touches) > ENOUGH);
}

/* Looks after the worker for some time, until it hangs or dies. */
static void watch(pid_t pid)
{
	__u64 end = arena_now_ms() + arena_env("ARENA_RECLAIM_SECONDS", SECONDS) * 1000;
	__u64 steps = 0, last = arena_now_ms(), now;
	long long user = 0, creator = 0;
	__u64 none = 0;
	int status;

	/* No step lately may be a hang: then time is not up yet. */
	for (now = last; now < end || now > last + 500 || !did_enough();
	     now = arena_now_ms()) {
		usleep(10 * 1000);
		note_charge(USER, &user);
		note_charge(CREATOR, &creator);
		if (!ASSERT_EQ(waitpid(pid, &status, WNOHANG), 0, "worker lives"))
			return;
		if (skel->bss->what & ARENA_RECLAIM_ALLOC && skel->bss->none > none) {
			none = skel->bss->none;
			free_all();
		}
		if (READ_ONCE(worker->steps) != steps) {
			steps = READ_ONCE(worker->steps);
			last = now;
		} else if (now > last + arena_limit(HANG_MS)) {
			report_hang(pid);
			break;
		}
	}
	printf("%llu steps, %llu rounds, %llu touches; %llu calls in reclaim, ", worker->steps,
	       worker->rounds, worker->touches, skel->bss->calls);
	printf("%llu frees, %llu pages, %llu times none\n", skel->bss->frees, skel->bss->got,
	       skel->bss->none);
	expect_below(USER, user);
	expect_below(CREATOR, creator);
	if (!ASSERT_FALSE(hung, "hangs"))
		return;
	ASSERT_GT(skel->bss->calls, ENOUGH, "calls in reclaim");
	ASSERT_GT(worker->touches, ENOUGH, "touches");
	end_process(pid);
}

static bool load(__u32 what)
{
	int err = -1;
	size_t size;

	arena_cgroup_join(CREATOR);
	skel = arena_reclaim__open();
	if (ASSERT_OK_PTR(skel, "open")) {
		bpf_map__set_map_extra(skel->maps.arena, BASE);
		bpf_map__set_max_entries(skel->maps.arena, PAGES);
		err = arena_reclaim__load(skel);
	}
	arena_cgroup_join(ARENA_CGROUP_ROOT);
	if (!ASSERT_OK(err, "load"))
		return false;
	base = (char *)bpf_map__initial_value(skel->maps.arena, &size);
	skel->bss->base = (__u64)base;
	skel->bss->nr_tables = TABLES;
	skel->bss->nr_pages = TABLE_PAGES - 1;
	skel->bss->what = what;
	return true;
}

/* It faults all in before the program is attached, as a fault may reclaim: see lockdep. */
static bool is_ready(void)
{
	__u64 end = arena_now_ms() + arena_limit(HANG_MS);

	while (!READ_ONCE(worker->ready) && arena_now_ms() < end)
		usleep(10 * 1000);
	return ASSERT_TRUE(READ_ONCE(worker->ready), "ready");
}

/* @room: what the cgroup of the arena may have beside what it has; or 0 */
static void reclaim(__u32 what, long long room)
{
	pid_t pid, toucher = -1;

	memset(worker, 0, sizeof(*worker));
	/* What is there already is not charged again. */
	arena_write_file("/proc/sys/vm/drop_caches", "2");
	if (!arena_cgroup_make(USER))
		return;
	if (!arena_cgroup_make(CREATOR))
		goto user;
	if (!load(what))
		goto close;
	pid = start_worker();
	if (!ASSERT_GT(pid, 0, "worker"))
		goto close;
	if (!is_ready() || !ASSERT_OK(arena_reclaim__attach(skel), "attach")) {
		end_process(pid);
		goto close;
	}
	arena_cgroup_limit(USER, ROOM);
	if (room)
		arena_cgroup_limit(CREATOR, room);
	if (lockdep)
		toucher = start_toucher();
	WRITE_ONCE(worker->go, 1);
	watch(pid);
	if (toucher > 0)
		end_process(toucher);
	/* It holds locks, and the arena */
	if (hung)
		return;
close:
	arena_reclaim__destroy(skel);
	arena_cgroup_remove(CREATOR);
user:
	arena_cgroup_remove(USER);
}

/* Attaches to what all of the machine does: not beside other tests. */
void serial_test_arena_reclaim(void)
{
	struct arena_fault_saved saved;

	page = arena_page_size();
	lockdep = !access("/proc/lockdep_stats", F_OK);
	worker = mmap(NULL, page, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!ASSERT_NEQ(worker, MAP_FAILED, "mmap"))
		return;
	arena_fault_catch(&saved);
	/* Trap: a lock held over an allocation that may reclaim, taken again in reclaim */
	if (test__start_subtest("free"))
		reclaim(ARENA_RECLAIM_FREE, 0);
	/* Trap: GFP_KERNEL in a task that reclaims */
	if (!hung && test__start_subtest("alloc"))
		reclaim(ARENA_RECLAIM_ALLOC, MIB / 4);
	if (!hung && test__start_subtest("free_and_alloc"))
		reclaim(ARENA_RECLAIM_FREE | ARENA_RECLAIM_ALLOC, 4 * MIB);
	arena_fault_restore(&saved);
	munmap(worker, page);
}
