// SPDX-License-Identifier: GPL-2.0
/* What the map's fd tells of an arena: fdinfo, holes by lseek(), contents by read(). */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sched.h>
#include <sys/uio.h>
#include "arena_ops.h"

#define RW		(PROT_READ | PROT_WRITE)
#define BASE		0x100000000000ULL
#define PAGES_2M	512U
#define PAGES_64M	(16 * 1024U)
#define PAGES_1G	(256 * 1024U)
#define PAGES_4G	(1024 * 1024U)
#define TAG		0x1122334455667788ULL

static size_t page;

/* fdinfo */

static long long fdinfo_number(int fd, const char *key)
{
	char path[64], line[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(line, sizeof(line), "%s:\t", key);
	return arena_read_number(path, line);
}

/* The address, which atoll() cannot read. */
static __u64 fdinfo_start(int fd)
{
	char path[64], line[128];
	unsigned long long val = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	if (!f)
		return val;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "user_vm_start:\t%llx", &val) == 1)
			break;
	fclose(f);
	return val;
}

static bool expect_pages(const struct arena_ops_env *env, __u32 allocated, __u32 reserved)
{
	int fd = arena_ops_fd(env);

	return ASSERT_EQ(fdinfo_number(fd, "allocated_pages"), allocated, "allocated_pages") &
	       ASSERT_EQ(fdinfo_number(fd, "reserved_pages"), reserved, "reserved_pages");
}

static void counts(struct arena_ops_env *env)
{
	char *p = arena_ops_page(env, 10);

	ASSERT_EQ(fdinfo_start(arena_ops_fd(env)), (__u64)env->base, "user_vm_start");
	ASSERT_EQ(fdinfo_number(arena_ops_fd(env), "nr_pages"), env->pages, "nr_pages");
	expect_pages(env, 0, 0);
	ASSERT_EQ(arena_ops_alloc(env, p, 5), (void *)p, "alloc");
	expect_pages(env, 5, 0);
	ASSERT_OK(arena_poke(arena_ops_page(env, 30), 1), "touch");
	expect_pages(env, 6, 0);
	ASSERT_OK(arena_ops_reserve(env, arena_ops_page(env, 40), 7), "reserve");
	ASSERT_EQ(arena_ops_reserve(env, arena_ops_page(env, 46), 2), -EBUSY, "overlap");
	expect_pages(env, 6, 7);
	/* two that are there, one that is not, one that is reserved */
	arena_ops_free(env, p + 3 * page, 3);
	arena_ops_free(env, arena_ops_page(env, 46), 1);
	expect_pages(env, 4, 6);
	/* twice is once */
	arena_ops_free(env, p + 3 * page, 3);
	expect_pages(env, 4, 6);
	arena_ops_free(env, env->base, env->pages);
	expect_pages(env, 0, 0);
}

static void fdinfo_counts(void)
{
	struct arena_ops_env env;

	if (!arena_ops_open(&env, 1000, 0, 0))
		return;
	counts(&env);
	env.atomic = true;
	counts(&env);
	arena_ops_close(&env);
}

/* Until it is mapped, there is nothing; then as much as was mapped. */
static void no_address(void)
{
	int fd = arena_create_raw(BPF_F_MMAPABLE, 100, 0);
	char buf[8], *p;

	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_EQ(fdinfo_start(fd), 0, "user_vm_start");
	ASSERT_EQ(fdinfo_number(fd, "nr_pages"), 0, "nr_pages");
	ASSERT_EQ(fdinfo_number(fd, "allocated_pages"), 0, "allocated_pages");
	ASSERT_EQ(fdinfo_number(fd, "reserved_pages"), 0, "reserved_pages");
	ASSERT_EQ(lseek(fd, 0, SEEK_END), 0, "end");
	ASSERT_ERRNO(lseek(fd, 0, SEEK_DATA), ENXIO, "data");
	ASSERT_ERRNO(lseek(fd, 0, SEEK_HOLE), ENXIO, "hole");
	ASSERT_EQ(pread(fd, buf, sizeof(buf), 0), 0, "pread");
	ASSERT_EQ(fdinfo_start(fd), 0, "user_vm_start after all that");

	p = arena_mmap(fd, 0, 60 * page, RW, 0);
	if (ASSERT_NEQ(p, MAP_FAILED, "mmap")) {
		ASSERT_EQ(fdinfo_start(fd), (__u64)p, "user_vm_start");
		ASSERT_EQ(fdinfo_number(fd, "nr_pages"), 60, "nr_pages");
		ASSERT_EQ(lseek(fd, 0, SEEK_END), 60 * page, "end");
		munmap(p, 60 * page);
	}
	close(fd);
}

/* lseek() */

/* All that there is, as lseek() tells it, is what @present tells, page by page. */
static void expect_ranges(int fd, const bool *present, __u32 pages)
{
	__u32 start, end;
	off_t pos = 0;

	for (end = 0; end < pages;) {
		for (start = end; start < pages && !present[start]; start++)
			;
		if (start == pages) {
			ASSERT_ERRNO(lseek(fd, pos, SEEK_DATA), ENXIO, "no more data");
			return;
		}
		for (end = start; end < pages && present[end]; end++)
			;
		pos = lseek(fd, pos, SEEK_DATA);
		if (!ASSERT_EQ(pos, (off_t)start * page, "data"))
			return;
		pos = lseek(fd, pos, SEEK_HOLE);
		if (!ASSERT_EQ(pos, (off_t)end * page, "hole"))
			return;
	}
}

/* From inside a page, too: what holds where one is, is where one is. */
static void expect_around(int fd, const bool *present, __u32 pages, __u32 nr)
{
	__u32 data = nr, hole = nr;
	off_t pos = (off_t)nr * page + 123;

	while (data < pages && !present[data])
		data++;
	while (hole < pages && present[hole])
		hole++;
	if (data == pages)
		ASSERT_ERRNO(lseek(fd, pos, SEEK_DATA), ENXIO, "no data from inside");
	else
		ASSERT_EQ(lseek(fd, pos, SEEK_DATA), data == nr ? pos : (off_t)data * page,
			  "data from inside");
	ASSERT_EQ(lseek(fd, pos, SEEK_HOLE), hole == nr ? pos : (off_t)hole * page,
		  "hole from inside");
}

struct run {
	__u32 start;
	__u32 cnt;
};

static void expect_runs(const struct arena_ops_env *env, const struct run *runs, int nr_runs)
{
	bool *present = calloc(env->pages, sizeof(*present));
	int fd = arena_ops_fd(env), i;
	__u32 total = 0, k;

	if (!ASSERT_OK_PTR(present, "calloc"))
		return;
	for (i = 0; i < nr_runs; i++) {
		void *p = arena_ops_page(env, runs[i].start);

		ASSERT_EQ(arena_ops_alloc(env, p, runs[i].cnt), p, "alloc");
		for (k = 0; k < runs[i].cnt; k++)
			present[runs[i].start + k] = true;
		total += runs[i].cnt;
	}
	expect_pages(env, total, 0);
	expect_ranges(fd, present, env->pages);
	for (i = 0; i < nr_runs; i++) {
		__u32 last = runs[i].start + runs[i].cnt - 1;

		expect_around(fd, present, env->pages, runs[i].start);
		expect_around(fd, present, env->pages, last);
		if (runs[i].start)
			expect_around(fd, present, env->pages, runs[i].start - 1);
		if (last + 1 < env->pages)
			expect_around(fd, present, env->pages, last + 1);
	}
	free(present);
	arena_ops_free(env, env->base, env->pages);
	ASSERT_ERRNO(lseek(fd, 0, SEEK_DATA), ENXIO, "all freed");
	ASSERT_EQ(lseek(fd, 0, SEEK_HOLE), 0, "hole from the start");
}

/* @skew: pages between a multiple of 2 MiB and the start of the arena */
static void boundaries(__u32 skew)
{
	__u32 pages = PAGES_4G - skew, to_2m = PAGES_2M - skew, to_64m = PAGES_64M;
	const struct run first_and_last[] = { { 0, 1 }, { pages - 1, 1 } };
	const struct run ends[] = { { 0, 3 }, { pages - 3, 3 } };
	/* up to a boundary, from one on, across one, and all of a table */
	const struct run tables[] = {
		{ to_2m - 2, 2 },
		{ to_2m + PAGES_2M, 2 },
		{ to_2m + 3 * PAGES_2M - 1, 2 },
		{ to_2m + 5 * PAGES_2M, PAGES_2M },
		{ to_2m + 7 * PAGES_2M - 1, PAGES_2M + 2 },
	};
	const struct run chunks[] = {
		{ to_64m - 1, 1 }, { 2 * to_64m, 1 }, { 3 * to_64m - 1, 2 },
	};
	const struct run gigs[] = {
		{ PAGES_1G - skew - 1, 1 }, { 2 * PAGES_1G - skew, 1 },
		{ 3 * PAGES_1G - skew - 1, 2 },
	};
	struct arena_ops_env env;

	/* with the flag, so that a pattern is all that there is */
	if (!arena_ops_open(&env, pages, BPF_F_SEGV_ON_FAULT, BASE + skew * page))
		return;
	expect_runs(&env, NULL, 0);
	expect_runs(&env, first_and_last, ARRAY_SIZE(first_and_last));
	expect_runs(&env, ends, ARRAY_SIZE(ends));
	expect_runs(&env, tables, ARRAY_SIZE(tables));
	expect_runs(&env, chunks, ARRAY_SIZE(chunks));
	expect_runs(&env, gigs, ARRAY_SIZE(gigs));
	arena_ops_close(&env);
}

static void lseek_boundaries(void)
{
	boundaries(0);
	boundaries(5);
}

static void lseek_random(void)
{
	enum { PAGES = 3000, ROUNDS = 8 };
	static bool present[PAGES];
	struct arena_ops_env env;
	__u32 nr, round;
	void *p;

	if (!arena_ops_open(&env, PAGES, 0, 0))
		return;
	memset(present, 0, sizeof(present));
	srand(61);
	for (round = 0; round < ROUNDS; round++) {
		for (nr = 0; nr < 60; nr++) {
			__u32 start = rand() % PAGES, cnt = 1 + rand() % 40, i;

			if (cnt > PAGES - start)
				cnt = PAGES - start;
			p = arena_ops_page(&env, start);
			if (rand() % 2) {
				arena_ops_free(&env, p, cnt);
				memset(present + start, 0, cnt);
				continue;
			}
			for (i = 0; i < cnt && !present[start + i]; i++)
				;
			if (!ASSERT_EQ(arena_ops_alloc(&env, p, cnt), i == cnt ? p : NULL,
				       "alloc"))
				break;
			if (i == cnt)
				memset(present + start, 1, cnt);
		}
		expect_ranges(arena_ops_fd(&env), present, PAGES);
		for (nr = 0; nr < 100; nr++)
			expect_around(arena_ops_fd(&env), present, PAGES, rand() % PAGES);
	}
	arena_ops_close(&env);
}

/* What is no longer there, or not yet, is a hole, whatever state it is in. */
static void lseek_states(void)
{
	struct arena_ops_env env;
	bool present[64] = {};
	struct iovec iov;
	int p[2], fd;

	if (!arena_ops_open(&env, ARRAY_SIZE(present), 0, 0))
		return;
	fd = arena_ops_fd(&env);
	ASSERT_OK(arena_ops_reserve(&env, env.base, 4), "reserve");
	ASSERT_OK(arena_poke(arena_ops_page(&env, 8), 1), "touch");
	present[8] = true;
	expect_ranges(fd, present, env.pages);

	/* Freed a moment ago: the page is still with the arena. */
	env.atomic = true;
	arena_ops_free(&env, arena_ops_page(&env, 8), 1);
	present[8] = false;
	expect_ranges(fd, present, env.pages);
	env.atomic = false;

	/* In a pipe, so that its offset cannot be had until the pipe is empty. */
	if (!ASSERT_OK(pipe(p), "pipe"))
		goto out;
	iov.iov_base = arena_ops_page(&env, 16);
	iov.iov_len = page;
	ASSERT_OK(arena_poke(iov.iov_base, TAG), "touch");
	ASSERT_EQ(vmsplice(p[1], &iov, 1, 0), page, "vmsplice");
	present[16] = true;
	expect_ranges(fd, present, env.pages);
	arena_ops_free(&env, iov.iov_base, 1);
	present[16] = false;
	expect_ranges(fd, present, env.pages);
	env.atomic = true;
	ASSERT_NULL(arena_ops_alloc(&env, iov.iov_base, 1), "alloc of what is pinned");
	expect_ranges(fd, present, env.pages);
	expect_pages(&env, 0, 4);
	close(p[0]);
	close(p[1]);
out:
	arena_ops_close(&env);
}

static void lseek_arguments(void)
{
	struct arena_ops_env env;
	off_t size;
	int fd;

	if (!arena_ops_open(&env, 100, 0, 0))
		return;
	fd = arena_ops_fd(&env);
	size = 100 * page;
	ASSERT_OK(arena_poke(arena_ops_page(&env, 99), 1), "touch");

	ASSERT_EQ(lseek(fd, 0, SEEK_END), size, "end");
	ASSERT_EQ(lseek(fd, 0, SEEK_CUR), size, "position");
	ASSERT_EQ(lseek(fd, -5, SEEK_CUR), size - 5, "relative");
	ASSERT_EQ(lseek(fd, 17, SEEK_SET), 17, "set");
	ASSERT_ERRNO(lseek(fd, size + 1, SEEK_SET), EINVAL, "beyond the end");
	ASSERT_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL, "negative");
	ASSERT_ERRNO(lseek(fd, size, SEEK_DATA), ENXIO, "data at the end");
	ASSERT_ERRNO(lseek(fd, size, SEEK_HOLE), ENXIO, "hole at the end");
	ASSERT_ERRNO(lseek(fd, -1, SEEK_DATA), ENXIO, "data before the start");
	ASSERT_ERRNO(lseek(fd, -1, SEEK_HOLE), ENXIO, "hole before the start");
	ASSERT_ERRNO(lseek(fd, 1ULL << 45, SEEK_DATA), ENXIO, "data far beyond the end");
	ASSERT_ERRNO(lseek(fd, 0, 5), EINVAL, "whence");
	ASSERT_EQ(lseek(fd, 0, SEEK_CUR), 17, "position after errors");
	ASSERT_EQ(lseek(fd, 0, SEEK_DATA), size - page, "last page");
	ASSERT_EQ(lseek(fd, 0, SEEK_CUR), size - page, "position at the last page");
	/* The end of the file is a hole. */
	ASSERT_EQ(lseek(fd, size - 1, SEEK_HOLE), size, "hole behind the last page");
	arena_ops_close(&env);
}

/* An fd of another map can neither seek nor be read, as before. */
static void other_maps(void)
{
	const struct {
		enum bpf_map_type type;
		__u32 key_size, value_size, entries, flags;
	} maps[] = {
		{ BPF_MAP_TYPE_HASH, 4, 4, 1, 0 },
		{ BPF_MAP_TYPE_ARRAY, 4, 4, 1, BPF_F_MMAPABLE },
		{ BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0 },
		{ BPF_MAP_TYPE_STACK, 0, 4, 1, 0 },
	};
	int i, fd, whence;
	char buf[8];

	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = maps[i].flags);

		fd = bpf_map_create(maps[i].type, "other", maps[i].key_size, maps[i].value_size,
				    maps[i].entries, &opts);
		if (!ASSERT_GE(fd, 0, "create"))
			continue;
		for (whence = SEEK_SET; whence <= SEEK_HOLE; whence++)
			ASSERT_ERRNO(lseek(fd, 0, whence), ESPIPE, "lseek");
		ASSERT_ERRNO(lseek(fd, 0, SEEK_HOLE + 1), EINVAL, "whence");
		ASSERT_ERRNO(read(fd, buf, sizeof(buf)), EINVAL, "read");
		ASSERT_ERRNO(pread(fd, buf, sizeof(buf), 0), ESPIPE, "pread");
		ASSERT_EQ(fdinfo_number(fd, "nr_pages"), -1, "fdinfo");
		close(fd);
	}
}

/* read() */

static unsigned char byte_at(off_t pos)
{
	return pos ^ pos >> 8 ^ pos >> 12;
}

/* Pages 3 to 5, 9 and the last one of 20 */
static bool is_filled(off_t pos)
{
	size_t nr = pos / page;

	return (nr >= 3 && nr <= 5) || nr == 9 || nr == 19;
}

static bool fill(const struct arena_ops_env *env)
{
	off_t pos;

	if (!ASSERT_PAGE(arena_ops_alloc(env, arena_ops_page(env, 3), 3), "alloc") ||
	    !ASSERT_PAGE(arena_ops_alloc(env, arena_ops_page(env, 9), 1), "alloc") ||
	    !ASSERT_PAGE(arena_ops_alloc(env, arena_ops_page(env, 19), 1), "alloc"))
		return false;
	for (pos = 0; pos < 20 * page; pos++)
		if (is_filled(pos))
			env->base[pos] = byte_at(pos);
	return true;
}

static void expect_bytes(const unsigned char *buf, off_t pos, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (buf[i] != (is_filled(pos + i) ? byte_at(pos + i) : 0)) {
			ASSERT_EQ(pos + i, -1, "first byte that differs");
			return;
		}
}

/* Reads every part in every way, and the arena is as before. */
static void read_all(const struct arena_ops_env *env, int fd)
{
	const off_t size = 20 * page;
	const struct { off_t pos; size_t n; ssize_t expected; } cases[] = {
		{ 0, size, size },
		{ 0, 2 * size, size },
		{ 3 * page - 1, 2, 2 },
		{ 4 * page + 7, 1, 1 },
		{ 2 * page + 100, 5 * page, 5 * page },
		{ size - 10, 100, 10 },
		{ size, 1, 0 },
		{ size + 1000000, 1, 0 },
		{ 5, 0, 0 },
	};
	unsigned char *buf = mmap(NULL, 2 * size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long long memory = arena_ops_memory(env);
	int i;

	if (!ASSERT_NEQ(buf, MAP_FAILED, "mmap"))
		return;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(buf, 0x5a, 2 * size);
		ASSERT_EQ(pread(fd, buf, cases[i].n, cases[i].pos), cases[i].expected, "pread");
		expect_bytes(buf, cases[i].pos, cases[i].expected);
		ASSERT_EQ(buf[cases[i].expected], 0x5a, "byte behind");
	}

	ASSERT_EQ(lseek(fd, 9 * page - 3, SEEK_SET), 9 * page - 3, "seek");
	ASSERT_EQ(read(fd, buf, page), page, "read");
	expect_bytes(buf, 9 * page - 3, page);
	ASSERT_EQ(read(fd, buf, 10), 10, "read on");
	expect_bytes(buf, 10 * page - 3, 10);
	ASSERT_EQ(lseek(fd, 0, SEEK_CUR), 10 * page + 7, "position");

	ASSERT_ERRNO(pread(fd, buf, 1, -1), EINVAL, "before the start");
	mprotect(buf, page, PROT_READ);
	ASSERT_ERRNO(pread(fd, buf, 16, 0), EFAULT, "bad buffer");
	mprotect(buf, page, RW);
	ASSERT_EQ(arena_ops_memory(env), memory, "memory");
	expect_pages(env, 5, 0);
	munmap(buf, 2 * size);
}

static void reading(__u32 flags)
{
	struct arena_ops_env env;
	int fd;

	if (!arena_ops_open(&env, 20, flags, 0))
		return;
	if (!fill(&env))
		goto out;
	read_all(&env, arena_ops_fd(&env));

	/* An fd to read is enough, and it is more than one to write. */
	fd = arena_fd_by_id(arena_map_id(arena_ops_fd(&env)), BPF_F_RDONLY);
	if (ASSERT_GE(fd, 0, "read-only fd"))
		read_all(&env, fd);
	close(fd);
	fd = arena_fd_by_id(arena_map_id(arena_ops_fd(&env)), BPF_F_WRONLY);
	if (ASSERT_GE(fd, 0, "write-only fd")) {
		ASSERT_ERRNO(pread(fd, &flags, 1, 0), EBADF, "pread");
		ASSERT_ERRNO(read(fd, &flags, 1), EBADF, "read");
	}
	close(fd);
	ASSERT_ERRNO(pwrite(arena_ops_fd(&env), &flags, 1, 0), ESPIPE, "pwrite");
out:
	arena_ops_close(&env);
}

static void read_parts(void)
{
	reading(0);
	reading(BPF_F_SEGV_ON_FAULT);
}

static void read_frozen(void)
{
	int fd = arena_create_raw(BPF_F_MMAPABLE, 4, BASE), i;
	char buf[2 * 4096], *p;

	if (!ASSERT_GE(fd, 0, "create"))
		return;
	p = arena_mmap(fd, BASE, 4 * page, RW, MAP_FIXED_NOREPLACE);
	if (!ASSERT_NEQ(p, MAP_FAILED, "mmap"))
		goto out;
	memset(p, 0x77, page);
	munmap(p, 4 * page);
	ASSERT_OK(arena_freeze(fd), "freeze");
	ASSERT_EQ(pread(fd, buf, 2 * page, 0), 2 * page, "pread");
	for (i = 0; i < 2 * page; i++)
		if (!ASSERT_EQ(buf[i], i < page ? 0x77 : 0, "byte"))
			break;
	ASSERT_EQ(fdinfo_number(fd, "allocated_pages"), 1, "allocated_pages");
out:
	close(fd);
}

/* The copy ends up in the arena itself, in pages that come with it. */
static void read_into_arena(void)
{
	struct arena_ops_env env;

	if (!arena_ops_open(&env, 20, 0, 0))
		return;
	if (!fill(&env))
		goto out;
	ASSERT_EQ(pread(arena_ops_fd(&env), arena_ops_page(&env, 12), 3 * page, 4 * page), 3 * page,
		  "pread");
	expect_bytes(arena_ops_page(&env, 12), 4 * page, 3 * page);
	expect_pages(&env, 5 + 3, 0);
out:
	arena_ops_close(&env);
}

/* Two CPUs */

#define STORM_PAGES	(PAGES_2M + 100)
#define STORM_MS	1000

static struct {
	struct arena_ops_env env;
	bool stop;
	__u64 turns;
	__u64 errors;
} shared;

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* All but the first and the last page come and go, and hold @TAG or nothing. */
static void *storm_thread(void *arg)
{
	__u32 nr = 1, cnt = 1;
	void *p;

	pin_to(1);
	for (; !READ_ONCE(shared.stop); shared.turns++) {
		nr = 1 + (nr * 7 + 3) % (STORM_PAGES - 34);
		cnt = 1 + (cnt * 5 + 1) % 32;
		p = arena_ops_page(&shared.env, nr);
		if (arena_ops_alloc(&shared.env, p, cnt) != p)
			shared.errors++;
		arena_ops_fill(&shared.env, p, TAG);
		arena_ops_free(&shared.env, p, cnt);
	}
	return NULL;
}

static bool look(int fd)
{
	static __u64 words[512];
	off_t pos = 0, end = 0, size = STORM_PAGES * page;
	long long allocated = fdinfo_number(fd, "allocated_pages");
	int parts, i;

	/* Each page is looked at once: what moves up meanwhile may be counted twice */
	if (!ASSERT_GE(allocated, 2, "allocated_pages") ||
	    !ASSERT_LE(allocated, STORM_PAGES, "allocated_pages"))
		return false;
	for (parts = 0; end < size; parts++) {
		pos = lseek(fd, end, SEEK_DATA);
		if (!ASSERT_GE(pos, end, "data") || !ASSERT_EQ(pos % page, 0, "aligned data"))
			return false;
		end = lseek(fd, pos, SEEK_HOLE);
		if (!ASSERT_GE(end, pos, "hole") || !ASSERT_EQ(end % page, 0, "aligned hole"))
			return false;
		if (!parts && (!ASSERT_EQ(pos, 0, "first page") || !ASSERT_GT(end, 0, "its end")))
			return false;
		/* Pages that always were there are followed by what comes and goes. */
		if (pos && pos < size - page) {
			if (!ASSERT_EQ(pread(fd, words, page, pos), page, "pread"))
				return false;
			for (i = 0; i < page / 8; i++)
				if (words[i] && !ASSERT_EQ(words[i], TAG, "word"))
					return false;
		}
		if (end == pos)
			end += page;
	}
	/* the last page is the end of the last part */
	return ASSERT_LE(pos, size - page, "last part");
}

static void look_against_storm(bool atomic)
{
	void *last = arena_ops_page(&shared.env, STORM_PAGES - 1);
	__u64 end = arena_now_ms() + STORM_MS, n = 0;
	pthread_t thread;
	cpu_set_t all;

	shared.env.atomic = false;
	if (!ASSERT_EQ(arena_ops_alloc(&shared.env, shared.env.base, 1), (void *)shared.env.base,
		       "first") ||
	    !ASSERT_EQ(arena_ops_alloc(&shared.env, last, 1), last, "last"))
		return;
	arena_ops_fill(&shared.env, last, TAG);
	shared.env.atomic = atomic;
	shared.stop = false;
	shared.turns = 0;
	shared.errors = 0;
	sched_getaffinity(0, sizeof(all), &all);
	pin_to(0);
	if (!ASSERT_OK(pthread_create(&thread, NULL, storm_thread, NULL), "thread"))
		goto out;
	while (arena_now_ms() < end || n < 10 || READ_ONCE(shared.turns) < 10) {
		if (!look(arena_ops_fd(&shared.env)) || arena_now_ms() > end + 20000)
			break;
		n++;
	}
	WRITE_ONCE(shared.stop, true);
	pthread_join(thread, NULL);
	ASSERT_GE(n, 10, "turns");
	ASSERT_GE(shared.turns, 10, "turns of the other thread");
	/* Who looks pins nothing, so that a sleepable program gets what it wants. */
	if (!atomic)
		ASSERT_EQ(shared.errors, 0, "failed allocations");
	expect_pages(&shared.env, 2, 0);
out:
	sched_setaffinity(0, sizeof(all), &all);
	arena_ops_free(&shared.env, shared.env.base, STORM_PAGES);
}

static void look_against_all(void)
{
	if (!arena_ops_open(&shared.env, STORM_PAGES, 0, 0))
		return;
	look_against_storm(false);
	look_against_storm(true);
	arena_ops_close(&shared.env);
}

void test_arena_info(void)
{
	struct arena_fault_saved saved;

	page = arena_page_size();
	arena_fault_catch(&saved);
	if (test__start_subtest("fdinfo_counts"))
		fdinfo_counts();
	if (test__start_subtest("no_address"))
		no_address();
	if (test__start_subtest("lseek_boundaries"))
		lseek_boundaries();
	if (test__start_subtest("lseek_random"))
		lseek_random();
	if (test__start_subtest("lseek_states"))
		lseek_states();
	if (test__start_subtest("lseek_arguments"))
		lseek_arguments();
	if (test__start_subtest("other_maps"))
		other_maps();
	if (test__start_subtest("read_parts"))
		read_parts();
	if (test__start_subtest("read_frozen"))
		read_frozen();
	if (test__start_subtest("read_into_arena"))
		read_into_arena();
	if (test__start_subtest("look_against_all"))
		look_against_all();
	arena_fault_restore(&saved);
}
