// SPDX-License-Identifier: GPL-2.0
/* Mapping an arena into user space: what is refused, and what a mapping keeps to. */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sched.h>
#include "arena_ops.h"

#define BASE	0x100000000000ULL
#define PAGES	16
#define RW	(PROT_READ | PROT_WRITE)

static size_t page;

/* The child must end by this signal, or with this status when it is negative. */
static void expect_child(pid_t pid, int sig, const char *name)
{
	int status = 0;

	ASSERT_EQ(waitpid(pid, &status, 0), pid, "waitpid");
	if (sig > 0) {
		ASSERT_TRUE(WIFSIGNALED(status), name);
		ASSERT_EQ(WTERMSIG(status), sig, name);
	} else {
		ASSERT_TRUE(WIFEXITED(status), name);
		ASSERT_EQ(WEXITSTATUS(status), -sig, name);
	}
}

/* A child that ends by a signal must not run the handlers of the test runner. */
static pid_t fork_child(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
	}
	return pid;
}

static void given_address(void)
{
	size_t size = PAGES * page;
	char *mem;
	int fd;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, BASE);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_ERRNO(arena_mmap(fd, NULL, size, RW, 0), EINVAL, "no address");
	ASSERT_ERRNO(arena_mmap(fd, BASE + page, size, RW, MAP_FIXED), EINVAL, "a page above");
	ASSERT_ERRNO(arena_mmap(fd, BASE - page, size, RW, MAP_FIXED), EINVAL, "a page below");
	ASSERT_ERRNO(arena_mmap(fd, BASE + ARENA_SZ_4G, size, RW, MAP_FIXED), EINVAL,
		     "same low half");
	ASSERT_ERRNO(arena_mmap(fd, BASE, size - page, RW, MAP_FIXED), EINVAL, "shorter");
	ASSERT_ERRNO(arena_mmap(fd, BASE, page, RW, MAP_FIXED), EINVAL, "one page");
	ASSERT_ERRNO(arena_mmap(fd, BASE, size + page, RW, MAP_FIXED), E2BIG, "longer");
	ASSERT_ERRNO(arena_mmap(fd, BASE, ARENA_SZ_4G + page, RW, MAP_FIXED), E2BIG,
		     "more than 4 GiB");

	mem = arena_mmap(fd, BASE, size, RW, MAP_FIXED);
	if (ASSERT_EQ((__u64)mem, BASE, "mmap")) {
		mem[size - 1] = 1;
		munmap(mem, size);
	}
	close(fd);
}

static void first_mapping_decides(void)
{
	size_t size = PAGES * page;
	char *mem, *again;
	int fd;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_ERRNO(arena_mmap(fd, NULL, ARENA_SZ_4G + page, RW, 0), E2BIG, "more than 4 GiB");
	mem = arena_mmap(fd, NULL, size, RW, 0);
	if (!ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		goto out;
	mem[0] = 42;
	munmap(mem, size);

	/* Pointers into it may be about: the decision outlives the mapping. */
	ASSERT_ERRNO(arena_mmap(fd, mem + page, size, RW, MAP_FIXED), EBUSY, "other address");
	ASSERT_ERRNO(arena_mmap(fd, mem - page, size, RW, MAP_FIXED), EBUSY, "other address");
	ASSERT_ERRNO(arena_mmap(fd, mem, size - page, RW, MAP_FIXED), EBUSY, "shorter");
	ASSERT_ERRNO(arena_mmap(fd, NULL, size - page, RW, 0), EBUSY, "shorter, anywhere");
	ASSERT_ERRNO(arena_mmap(fd, mem, size + page, RW, MAP_FIXED), E2BIG, "longer");
	again = arena_mmap(fd, mem, size, RW, MAP_FIXED);
	if (ASSERT_EQ(again, mem, "same range")) {
		ASSERT_EQ(again[0], 42, "content");
		munmap(again, size);
	}
out:
	close(fd);
}

/* A first mapping that is shorter than max_entries makes a smaller arena. */
static void first_mapping_is_shorter(void)
{
	size_t size = PAGES * page;
	char *mem, *again;
	int fd;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_ERRNO(arena_mmap(fd, NULL, size + page, RW, 0), E2BIG, "longer");
	mem = arena_mmap(fd, NULL, size / 2, RW, 0);
	if (!ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		goto out;
	mem[size / 2 - 1] = 42;
	munmap(mem, size / 2);
	ASSERT_ERRNO(arena_mmap(fd, mem, size, RW, MAP_FIXED), EBUSY, "all of it");
	again = arena_mmap(fd, mem, size / 2, RW, MAP_FIXED);
	if (ASSERT_EQ(again, mem, "the same half")) {
		ASSERT_EQ(again[size / 2 - 1], 42, "content");
		munmap(again, size / 2);
	}
out:
	close(fd);
}

static void refused_kinds(void)
{
	size_t size = PAGES * page;
	char *mem;
	int fd;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, BASE);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_ERRNO(mmap((void *)BASE, size, RW, MAP_PRIVATE | MAP_FIXED, fd, 0), EINVAL,
		     "private");
	ASSERT_ERRNO(mmap((void *)BASE, size, RW, MAP_SHARED | MAP_FIXED, fd, page), EINVAL,
		     "offset of a page");
	ASSERT_ERRNO(mmap((void *)(BASE + page), size - page, RW, MAP_SHARED | MAP_FIXED, fd,
			  page), EINVAL, "the range from its second page on");
	ASSERT_ERRNO(mmap((void *)BASE, size, RW, MAP_SHARED | MAP_FIXED, fd,
			  ARENA_SZ_4G), EINVAL, "offset of 4 GiB");
	/* None of these decided anything. */
	mem = arena_mmap(fd, BASE, size, RW, MAP_FIXED);
	if (ASSERT_EQ((__u64)mem, BASE, "mmap"))
		munmap(mem, size);
	close(fd);
}

static void never_executable(void)
{
	size_t size = PAGES * page;
	char *mem;
	int fd;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, BASE);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_ERRNO(arena_mmap(fd, BASE, size, RW | PROT_EXEC, MAP_FIXED), EACCES, "rwx");
	ASSERT_ERRNO(arena_mmap(fd, BASE, size, PROT_EXEC, MAP_FIXED), EACCES, "x");
	mem = arena_mmap(fd, BASE, size, RW, MAP_FIXED);
	if (ASSERT_EQ((__u64)mem, BASE, "mmap")) {
		ASSERT_ERRNO(mprotect(mem, size, RW | PROT_EXEC), EACCES, "mprotect");
		ASSERT_ERRNO(mprotect(mem, size, PROT_READ | PROT_EXEC), EACCES, "mprotect rx");
		munmap(mem, size);
	}
	close(fd);
}

/* Wherever the system puts it, a range lies within one stretch of 4 GiB. */
static void chosen_address(void)
{
	static const __u64 sizes[] = {
		1, 3, 100, 16384, 3 << 18, (1 << 20) - 1, 1 << 20,
	};
	int i, round;

	/* Trap: range crosses 4 GiB */
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (round = 0; round < 2; round++) {
			__u64 size = sizes[i] * page, start;
			int fd;

			fd = arena_create_raw(BPF_F_MMAPABLE, sizes[i], 0);
			if (!ASSERT_GE(fd, 0, "create"))
				return;
			start = (__u64)arena_mmap(fd, NULL, size, RW, 0);
			if (ASSERT_NEQ((void *)start, MAP_FAILED, "mmap")) {
				ASSERT_EQ(start >> 32, (start + size - 1) >> 32, "4 GiB boundary");
				/* Not unmapped: the next one has to go elsewhere. */
				if (round == 1)
					munmap((void *)start, size);
			}
			close(fd);
		}
	}
}

static void chosen_address_hint(void)
{
	__u64 size = 2 * page, start;
	int fd;

	/* Trap: range crosses 4 GiB */
	fd = arena_create_raw(BPF_F_MMAPABLE, 2, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	start = (__u64)arena_mmap(fd, BASE - page, size, RW, 0);
	if (ASSERT_NEQ((void *)start, MAP_FAILED, "mmap near a boundary")) {
		ASSERT_EQ(start >> 32, (start + size - 1) >> 32, "4 GiB boundary");
		munmap((void *)start, size);
	}
	close(fd);

	fd = arena_create_raw(BPF_F_MMAPABLE, 2, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	/* A fixed address is not ours to move. */
	ASSERT_ERRNO(arena_mmap(fd, BASE - page, size, RW, MAP_FIXED), ERANGE,
		     "fixed across a boundary");
	start = (__u64)arena_mmap(fd, BASE, size, RW, 0);
	if (ASSERT_EQ(start, BASE, "hint"))
		munmap((void *)start, size);
	close(fd);
}

#define FIRST_ROUNDS	2000

/* What two processes share that map new arenas for the first time. */
struct first {
	int round;	/* what the other process is to do, -1: end */
	int done;	/* what it has done */
	int fd;
	void *theirs;
};

static void other_first(struct first *first)
{
	int round;

	while ((round = READ_ONCE(first->round)) >= 0) {
		if (round == first->done)
			continue;
		first->theirs = arena_mmap(first->fd, 2 * BASE, PAGES * page, RW, 0);
		if (first->theirs != MAP_FAILED)
			munmap(first->theirs, PAGES * page);
		__atomic_store_n(&first->done, round, __ATOMIC_RELEASE);
	}
	_exit(0);
}

/* Both want a new arena, each at an address of its own: one gets it. */
static bool both_first(struct first *first, int round)
{
	int fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, 0);
	void *ours;
	bool ok;

	if (!ASSERT_GE(fd, 0, "create"))
		return false;
	first->fd = fd;
	__atomic_store_n(&first->round, round, __ATOMIC_RELEASE);
	ours = arena_mmap(fd, BASE, PAGES * page, RW, 0);
	while (__atomic_load_n(&first->done, __ATOMIC_ACQUIRE) != round)
		sched_yield();
	ok = ASSERT_NEQ(ours == MAP_FAILED, first->theirs == MAP_FAILED, "one of two");
	if (ours != MAP_FAILED)
		munmap(ours, PAGES * page);
	close(fd);
	return ok;
}

static void two_first_mappings(void)
{
	struct first *first;
	pid_t pid;
	int i;

	first = mmap(NULL, page, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!ASSERT_NEQ(first, MAP_FAILED, "mmap"))
		return;
	/* A process of its own, or mmap_lock would keep them apart; with the same fds */
	pid = syscall(__NR_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		other_first(first);
	if (ASSERT_GT(pid, 0, "clone")) {
		for (i = 1; i <= FIRST_ROUNDS && both_first(first, i); i++)
			;
		WRITE_ONCE(first->round, -1);
		expect_child(pid, 0, "child");
	}
	munmap(first, page);
}

static void two_processes(void)
{
	size_t size = PAGES * page;
	__u64 *mem;
	int fd, step[2];
	pid_t pid;
	char c;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, BASE);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	mem = arena_mmap(fd, BASE, size, RW, MAP_FIXED);
	if (!ASSERT_EQ((__u64)mem, BASE, "mmap") || !ASSERT_OK(pipe(step), "pipe"))
		goto out;
	mem[0] = 1;
	pid = fork_child();
	if (!pid) {
		__u64 *theirs = arena_mmap(fd, BASE, size, RW, MAP_FIXED_NOREPLACE);

		if (theirs != mem)
			_exit(1);
		if (theirs[0] != 1)
			_exit(2);
		/* A page that neither side has touched yet. */
		WRITE_ONCE(theirs[(size - page) / 8], 2);
		WRITE_ONCE(theirs[0], 3);
		if (write(step[1], "x", 1) != 1)
			_exit(3);
		while (READ_ONCE(theirs[1]) != 4)
			usleep(1000);
		_exit(0);
	}
	if (ASSERT_GT(pid, 0, "fork") && ASSERT_EQ(read(step[0], &c, 1), 1, "child is there")) {
		ASSERT_EQ(READ_ONCE(mem[0]), 3, "first page");
		ASSERT_EQ(mem[(size - page) / 8], 2, "last page");
	}
	WRITE_ONCE(mem[1], 4);
	if (pid > 0)
		expect_child(pid, 0, "child");
	close(step[0]);
	close(step[1]);
	munmap(mem, size);
out:
	close(fd);
}

static void content_outlives_mapping(void)
{
	size_t size = PAGES * page;
	__u64 *mem;
	int fd, i, round;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	mem = arena_mmap(fd, NULL, size, RW, 0);
	if (!ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		goto out;
	for (i = 0; i < PAGES; i++)
		mem[i * page / 8] = 1000 + i;
	for (round = 0; round < 3; round++) {
		munmap(mem, size);
		if (!ASSERT_EQ(arena_mmap(fd, mem, size, RW, MAP_FIXED), mem, "mmap again"))
			goto out;
		for (i = 0; i < PAGES; i++)
			ASSERT_EQ(mem[i * page / 8], 1000 + i, "content");
	}
	munmap(mem, size);
out:
	close(fd);
}

static void mapping_keeps_map(void)
{
	size_t size = PAGES * page;
	__u64 *mem;
	__u32 id;
	int fd;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	id = arena_map_id(fd);
	mem = arena_mmap(fd, NULL, size, RW, 0);
	close(fd);
	if (!ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		return;
	mem[0] = 7;
	mem[page / 8] = 8;
	fd = arena_fd_by_id(id, 0);
	if (ASSERT_GE(fd, 0, "alive"))
		close(fd);
	ASSERT_EQ(mem[0], 7, "content");
	munmap(mem, size);
	ASSERT_TRUE(ARENA_EVENTUALLY((fd = arena_fd_by_id(id, 0)) < 0 || close(fd)), "gone");
	ASSERT_EQ(errno, ENOENT, "gone");
}

static void fork_leaves_it_behind(void)
{
	size_t size = PAGES * page;
	__u64 *mem;
	pid_t pid;
	int fd;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	mem = arena_mmap(fd, NULL, size, RW, 0);
	if (!ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		goto out;
	mem[0] = 1;
	pid = fork_child();
	if (!pid) {
		WRITE_ONCE(mem[0], 2);
		_exit(0);
	}
	if (ASSERT_GT(pid, 0, "fork"))
		expect_child(pid, SIGSEGV, "access in the child");
	ASSERT_EQ(mem[0], 1, "content");
	munmap(mem, size);
out:
	close(fd);
}

/*
 * Whoever insists on a copy gets one that the arena knows of: what is freed
 * goes from the child too, also when the parent has long unmapped.
 */
static void forced_fork(void)
{
	struct arena_ops_env env;
	__u64 *mem;
	int to[2], from[2];
	pid_t pid;
	char c;

	/* Trap: VMA still on a list after it is gone (fork, parent munmaps, child stays) */
	if (!arena_ops_open(&env, PAGES, BPF_F_SEGV_ON_FAULT, 0))
		return;
	mem = arena_ops_alloc(&env, NULL, 2);
	if (!ASSERT_PAGE(mem, "alloc") || !ASSERT_OK(pipe(to), "pipe") ||
	    !ASSERT_OK(pipe(from), "pipe"))
		goto out;
	mem[0] = 11;
	if (madvise(env.base, PAGES * page, MADV_DOFORK)) {
		/* To refuse it is as safe. */
		ASSERT_EQ(errno, EINVAL, "MADV_DOFORK");
		goto out;
	}
	pid = fork_child();
	if (!pid) {
		if (mem[0] != 11)
			_exit(1);
		if (write(from[1], "x", 1) != 1 || read(to[0], &c, 1) != 1)
			_exit(2);
		/* The parent's mapping has gone, the page not yet. */
		if (mem[0] != 11)
			_exit(3);
		if (write(from[1], "x", 1) != 1 || read(to[0], &c, 1) != 1)
			_exit(4);
		/* Now the page has. */
		READ_ONCE(mem[0]);
		_exit(5);
	}
	if (!ASSERT_GT(pid, 0, "fork"))
		goto out;
	ASSERT_EQ(read(from[0], &c, 1), 1, "child sees the page");
	ASSERT_OK(munmap(env.base, PAGES * page), "munmap");
	ASSERT_EQ(write(to[1], "x", 1), 1, "unmapped");
	ASSERT_EQ(read(from[0], &c, 1), 1, "child still sees it");
	arena_ops_free(&env, mem, 1);
	ASSERT_EQ(write(to[1], "x", 1), 1, "freed");
	expect_child(pid, SIGSEGV, "access to the freed page");
	/* With every mapping gone, a free finds nothing to do. */
	arena_ops_free(&env, mem, 2);
out:
	arena_ops_close(&env);
}

static void partial_munmap(char *mem, size_t size)
{
	ASSERT_ERRNO(munmap(mem, page), EINVAL, "first page");
	ASSERT_ERRNO(munmap(mem + page, page), EINVAL, "second page");
	ASSERT_ERRNO(munmap(mem + size - page, page), EINVAL, "last page");
	ASSERT_ERRNO(munmap(mem, size - page), EINVAL, "all but the last");
}

static void partial_mprotect(char *mem, size_t size)
{
	ASSERT_ERRNO(mprotect(mem, page, PROT_READ), EINVAL, "first page");
	ASSERT_ERRNO(mprotect(mem + page, page, PROT_NONE), EINVAL, "second page");
	ASSERT_ERRNO(mprotect(mem + page, size - page, PROT_READ), EINVAL, "all but the first");
	ASSERT_ERRNO(madvise(mem + page, page, MADV_SEQUENTIAL), EINVAL, "madvise of a page");
}

static void try_mremap(char *mem, size_t size)
{
	void *room;

	/* Trap: VMA still on a list after it is gone (mremap; MREMAP_FIXED of the same size) */
	room = mmap(NULL, 4 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!ASSERT_NEQ(room, MAP_FAILED, "room"))
		return;
	ASSERT_EQ(mremap(mem, size, 2 * size, 0), MAP_FAILED, "grow in place");
	ASSERT_EQ(mremap(mem, size, 2 * size, MREMAP_MAYMOVE), MAP_FAILED, "grow");
	ASSERT_EQ(mremap(mem, size, size - page, 0), MAP_FAILED, "shrink");
	ASSERT_EQ(mremap(mem, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, room), MAP_FAILED,
		  "move");
	ASSERT_EQ(mremap(mem, size, page, MREMAP_MAYMOVE | MREMAP_FIXED, room), MAP_FAILED,
		  "move and shrink");
	ASSERT_EQ(mremap(mem, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, room), MAP_FAILED,
		  "move the first page");
	ASSERT_EQ(mremap(mem + page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, room), MAP_FAILED,
		  "move the second page");
	ASSERT_EQ(mremap(mem, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), MAP_FAILED,
		  "move and stay");
	ASSERT_EQ(mremap(mem, 0, size, MREMAP_MAYMOVE), MAP_FAILED, "duplicate");
	ASSERT_EQ(mremap(mem, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, room), MAP_FAILED,
		  "duplicate to");
	munmap(room, 4 * size);
}

/* Does something to a mapping that must not change it, and sees that it has not. */
static void keeps_its_shape(void (*attempt)(char *mem, size_t size))
{
	struct arena_ops_env env;
	size_t size = PAGES * page;
	__u64 val;
	int i;

	if (!arena_ops_open(&env, PAGES, BPF_F_SEGV_ON_FAULT, 0))
		return;
	if (!ASSERT_EQ((char *)arena_ops_alloc(&env, NULL, PAGES), env.base, "alloc"))
		goto out;
	for (i = 0; i < PAGES; i++)
		arena_ops_store(&env, arena_ops_page(&env, i), 100 + i);
	attempt(env.base, size);
	for (i = 0; i < PAGES; i++) {
		if (!ASSERT_OK(arena_peek(arena_ops_page(&env, i), &val), "still mapped") ||
		    !ASSERT_EQ(val, 100 + i, "content") ||
		    !ASSERT_OK(arena_poke(arena_ops_page(&env, i), 200 + i), "still writable"))
			break;
		ASSERT_EQ(arena_ops_load(&env, arena_ops_page(&env, i)), 200 + i, "shared");
	}
	/* The arena still finds every mapping of a page that goes. */
	arena_ops_free(&env, env.base, PAGES);
	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(arena_peek(arena_ops_page(&env, i), &val), SIGSEGV, "freed");
	ASSERT_OK(munmap(env.base, size), "munmap of the whole");
	arena_ops_free(&env, env.base, PAGES);
out:
	arena_ops_close(&env);
}

static void madvise_dontneed(void)
{
	struct arena_ops_env env;
	__u64 *mem;

	if (!arena_ops_open(&env, PAGES, 0, 0))
		return;
	mem = (__u64 *)env.base;
	mem[0] = 1;
	mem[page / 8] = 2;
	/* That a process doesn't need its view of a page says nothing about the page. */
	ASSERT_OK(madvise(mem, PAGES * page, MADV_DONTNEED), "MADV_DONTNEED");
	ASSERT_EQ(arena_ops_load(&env, mem), 1, "seen from BPF");
	ASSERT_EQ(mem[0], 1, "first page");
	ASSERT_EQ(mem[page / 8], 2, "second page");
	ASSERT_NEQ(madvise(mem, PAGES * page, MADV_REMOVE), 0, "MADV_REMOVE");
	ASSERT_EQ(mem[0], 1, "first page");
	arena_ops_close(&env);
}

static void populate(void)
{
	size_t size = PAGES * page;
	unsigned char vec[PAGES];
	char *mem;
	int fd, i;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	mem = arena_mmap(fd, NULL, size, RW, MAP_POPULATE);
	if (ASSERT_NEQ(mem, MAP_FAILED, "mmap")) {
		for (i = 0; i < size; i += page / 8)
			ASSERT_EQ(mem[i], 0, "content");
		ASSERT_OK(mincore(mem, size, vec), "mincore");
		ASSERT_OK(mlock(mem, size), "mlock");
		ASSERT_OK(munlock(mem, size), "munlock");
		munmap(mem, size);
	}
	close(fd);
}

static void read_only(void)
{
	struct arena_ops_env env;
	size_t size = PAGES * page;
	__u64 val, evil = 666;
	char *mem;
	int fd;

	if (!arena_ops_open(&env, PAGES, 0, 0))
		return;
	mem = env.base;
	*(__u64 *)mem = 5;
	munmap(mem, size);
	/* Trap: a read-only mapping can still be written by a user fault */
	if (!ASSERT_EQ(arena_mmap(arena_ops_fd(&env), mem, size, PROT_READ, MAP_FIXED), mem,
		       "mmap"))
		goto out;
	ASSERT_ERRNO(mprotect(mem, size, RW), EACCES, "mprotect");
	ASSERT_ERRNO(mprotect(mem, size, PROT_WRITE), EACCES, "mprotect");
	ASSERT_EQ(arena_poke(mem, 6), SIGSEGV, "write to a page that is there");
	ASSERT_EQ(arena_poke(mem + page, 6), SIGSEGV, "write to one that is not");
	ASSERT_OK(arena_peek(mem + page, &val), "read of an absent page");
	ASSERT_EQ(val, 0, "read of an absent page");
	ASSERT_EQ(arena_poke(mem + page, 6), SIGSEGV, "write after the read");

	/* A debugger's way round page protection ends here too. */
	fd = open("/proc/self/mem", O_RDWR);
	if (ASSERT_GE(fd, 0, "/proc/self/mem")) {
		ASSERT_EQ(pwrite(fd, &evil, sizeof(evil), (off_t)mem), -1, "forced write");
		close(fd);
	}
	ASSERT_EQ(arena_ops_load(&env, mem), 5, "content");
	ASSERT_EQ(arena_ops_load(&env, mem + page), 0, "content");
out:
	arena_ops_close(&env);
}

static void frozen(void)
{
	size_t size = PAGES * page;
	char *mem;
	int fd;

	/* Trap: a frozen map can still be written by a user fault */
	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, BASE);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_OK(arena_freeze(fd), "freeze");
	ASSERT_ERRNO(arena_mmap(fd, BASE, size, RW, MAP_FIXED), EPERM, "read and write");
	ASSERT_ERRNO(arena_mmap(fd, BASE, size, PROT_WRITE, MAP_FIXED), EPERM, "write");
	mem = arena_mmap(fd, BASE, size, PROT_READ, MAP_FIXED);
	if (ASSERT_EQ((__u64)mem, BASE, "read")) {
		ASSERT_ERRNO(mprotect(mem, size, RW), EACCES, "mprotect");
		ASSERT_EQ(arena_poke(mem, 1), SIGSEGV, "write");
		ASSERT_EQ(mem[0], 0, "content");
		munmap(mem, size);
	}
	close(fd);
}

static void writer_count(void)
{
	size_t size = PAGES * page;
	char *mem;
	pid_t pid;
	int fd;

	/* Trap: writer count never dropped, because the map type replaces the VMA operations */
	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, BASE);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_ERRNO(arena_mmap(fd, BASE + page, size, RW, MAP_FIXED), EINVAL, "wrong address");
	ASSERT_ERRNO(mmap((void *)BASE, size, RW, MAP_PRIVATE | MAP_FIXED, fd, 0), EINVAL,
		     "private");
	mem = arena_mmap(fd, BASE, size, RW, MAP_FIXED);
	if (!ASSERT_EQ((__u64)mem, BASE, "mmap"))
		goto out;
	mem[0] = 1;
	ASSERT_ERRNO(arena_freeze(fd), EBUSY, "freeze while a writer is there");
	ASSERT_ERRNO(munmap(mem, page), EINVAL, "partial munmap");
	ASSERT_EQ(mremap(mem, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, BASE * 2), MAP_FAILED,
		  "mremap");
	if (!madvise(mem, size, MADV_DOFORK)) {
		pid = fork_child();
		if (!pid)
			_exit(mem[0] != 1);
		expect_child(pid, 0, "child with a copy");
		ASSERT_ERRNO(arena_freeze(fd), EBUSY, "the child was not the only one");
	}
	ASSERT_OK(munmap(mem, size), "munmap");

	pid = fork_child();
	if (!pid) {
		mem = arena_mmap(fd, BASE, size, RW, MAP_FIXED_NOREPLACE);
		_exit((__u64)mem != BASE || mem[0] != 1);
	}
	expect_child(pid, 0, "child with a mapping of its own");

	mem = arena_mmap(fd, BASE, size, PROT_READ, MAP_FIXED);
	ASSERT_EQ((__u64)mem, BASE, "a reader is no obstacle");
	ASSERT_OK(arena_freeze(fd), "freeze");
	ASSERT_EQ(mem[0], 1, "content");
	munmap(mem, size);
out:
	close(fd);
}

static void segv_on_fault(void)
{
	struct arena_ops_env env;
	__u64 val, *mem;

	if (!arena_ops_open(&env, PAGES, BPF_F_SEGV_ON_FAULT, 0))
		return;
	ASSERT_EQ(arena_peek(env.base, &val), SIGSEGV, "read of an absent page");
	ASSERT_EQ(arena_poke(env.base, 1), SIGSEGV, "write to an absent page");
	mem = arena_ops_alloc(&env, env.base + page, 1);
	if (ASSERT_PAGE(mem, "alloc")) {
		ASSERT_OK(arena_poke(mem, 2), "write to a present page");
		ASSERT_EQ(arena_ops_load(&env, mem), 2, "content");
		ASSERT_EQ(arena_peek(env.base, &val), SIGSEGV, "page before it");
		ASSERT_EQ(arena_peek(env.base + 2 * page, &val), SIGSEGV, "page after it");
		arena_ops_free(&env, mem, 1);
		ASSERT_EQ(arena_peek(mem, &val), SIGSEGV, "freed page");
	}
	arena_ops_close(&env);
}

static void fd_modes(void)
{
	size_t size = PAGES * page;
	int fd, ro, wo;

	fd = arena_create_raw(BPF_F_MMAPABLE, PAGES, BASE);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ro = arena_fd_by_id(arena_map_id(fd), BPF_F_RDONLY);
	if (ASSERT_GE(ro, 0, "read-only fd")) {
		ASSERT_ERRNO(arena_mmap(ro, BASE, size, RW, MAP_FIXED), EACCES, "write");
		/* A shared mapping that could not be written is none to the core mm. */
		ASSERT_ERRNO(arena_mmap(ro, BASE, size, PROT_READ, MAP_FIXED), EINVAL, "read");
		close(ro);
	}
	wo = arena_fd_by_id(arena_map_id(fd), BPF_F_WRONLY);
	if (ASSERT_GE(wo, 0, "write-only fd")) {
		ASSERT_ERRNO(arena_mmap(wo, BASE, size, RW, MAP_FIXED), EACCES, "read");
		ASSERT_ERRNO(arena_mmap(wo, BASE, size, PROT_READ, MAP_FIXED), EACCES, "read");
		close(wo);
	}
	close(fd);
}

void test_arena_mmap(void)
{
	struct arena_fault_saved saved;

	page = arena_page_size();
	arena_fault_catch(&saved);
	if (test__start_subtest("given_address"))
		given_address();
	if (test__start_subtest("first_mapping_decides"))
		first_mapping_decides();
	if (test__start_subtest("first_mapping_is_shorter"))
		first_mapping_is_shorter();
	if (test__start_subtest("refused_kinds"))
		refused_kinds();
	if (test__start_subtest("never_executable"))
		never_executable();
	if (test__start_subtest("chosen_address"))
		chosen_address();
	if (test__start_subtest("chosen_address_hint"))
		chosen_address_hint();
	if (test__start_subtest("two_first_mappings"))
		two_first_mappings();
	if (test__start_subtest("two_processes"))
		two_processes();
	if (test__start_subtest("content_outlives_mapping"))
		content_outlives_mapping();
	if (test__start_subtest("mapping_keeps_map"))
		mapping_keeps_map();
	if (test__start_subtest("fork_leaves_it_behind"))
		fork_leaves_it_behind();
	if (test__start_subtest("forced_fork"))
		forced_fork();
	if (test__start_subtest("partial_munmap"))
		keeps_its_shape(partial_munmap);
	if (test__start_subtest("partial_mprotect"))
		keeps_its_shape(partial_mprotect);
	if (test__start_subtest("mremap"))
		keeps_its_shape(try_mremap);
	if (test__start_subtest("madvise_dontneed"))
		madvise_dontneed();
	if (test__start_subtest("populate"))
		populate();
	if (test__start_subtest("read_only"))
		read_only();
	if (test__start_subtest("frozen"))
		frozen();
	if (test__start_subtest("writer_count"))
		writer_count();
	if (test__start_subtest("segv_on_fault"))
		segv_on_fault();
	if (test__start_subtest("fd_modes"))
		fd_modes();
	arena_fault_restore(&saved);
}
