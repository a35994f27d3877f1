// SPDX-License-Identifier: GPL-2.0
/*
 * Random system calls on arenas, with arguments that are right or nearly so. Each
 * fails with an errno that is documented for it, if it does; nothing is left at the
 * end, neither memory nor a file; and the kernel's log stays clean, of course.
 *
 *	ARENA_FUZZ_SEED=n	the seed, in place of two runs, one of the same calls each
 *				time and one of new ones
 *	ARENA_FUZZ_COUNT=n	how many tries to make a call
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/wait.h>
#include "arena_fuzz.h"
#include "arena_test.h"

#define SYS_COUNT	50000	/* tries, about half of which come to a call */
#define SYS_ARENAS	4
#define SYS_PIN		"/sys/fs/bpf/arena_fuzz"
/* Memory that is missing at the end and doesn't count: slabs, lists of CPUs */
#define SYS_TOLERANCE	(1024 * 1024)
#define SYS_TRIES	3

/* An assertion that holds is printed, too, and is here a hundred thousand times. */
#define EXPECT_EQ(ACTUAL, EXPECTED, NAME) do {				\
	long long ___val = (ACTUAL), ___want = (EXPECTED);		\
									\
	if (___val != ___want)						\
		ASSERT_EQ(___val, ___want, NAME);			\
} while (0)

struct sys_arena {
	int fd;			/* or -1 */
	__u32 flags;
	__u32 pages;
	__u64 extra;
	char *mem;		/* its mapping, or NULL */
	size_t len;
	bool writable;
};

static struct sys_arena arenas[SYS_ARENAS];
static struct fuzz_rng rng;
static __u64 calls, calls_failed, touches, signals;

static __u32 below(__u32 n)
{
	return fuzz_below(&rng, n);
}

static bool chance(__u32 percent)
{
	return fuzz_chance(&rng, percent);
}

#define PICK(...) ({							\
	const __u64 ___pick[] = { __VA_ARGS__ };			\
									\
	___pick[below(ARRAY_SIZE(___pick))];				\
})

/* Counts a call, and looks whether its errno is one that may be; 0 ends them. */
static bool done(const char *what, long ret, const int *may)
{
	int err = errno;

	calls++;
	if (ret != -1)
		return true;
	calls_failed++;
	for (; *may; may++)
		if (*may == err)
			return false;
	ASSERT_EQ(err, 0, what);
	return false;
}

static int bpf_sys(enum bpf_cmd cmd, union bpf_attr *attr)
{
	/* the kernel looks at what is behind the last field that it knows, too */
	return syscall(__NR_bpf, cmd, attr, chance(97) ? sizeof(*attr) : below(160));
}

/* Mostly one that is there */
static struct sys_arena *any_arena(void)
{
	struct sys_arena *a;
	int tries;

	for (tries = 0; tries < 4; tries++) {
		a = &arenas[below(SYS_ARENAS)];
		if (a->fd >= 0 || a->mem)
			break;
	}
	return a;
}

/* Mostly the arena's fd */
static int fd_of(const struct sys_arena *a)
{
	return chance(98) ? a->fd : (int)PICK(-1, 1000000);
}

static void forget(struct sys_arena *a)
{
	if (a->mem)
		munmap(a->mem, a->len);
	if (a->fd >= 0)
		close(a->fd);
	memset(a, 0, sizeof(*a));
	a->fd = -1;
}

/* What creating an arena must give, all fields but these being in order */
static int create_errno(__u32 flags, __u32 pages, __u64 extra)
{
	__u64 len = pages * ARENA_PAGE, end = extra + len;

	if (!pages || !(flags & BPF_F_MMAPABLE) ||
	    (flags & ~(BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT | BPF_F_NO_USER_CONV)))
		return -EINVAL;
	if (len > ARENA_4G)
		return -E2BIG;
	if (!extra)
		return 0;
	if (extra % ARENA_PAGE)
		return -EINVAL;
	if (end < extra || extra >> 32 != (end - 1) >> 32)
		return -ERANGE;
	return end > (1ULL << 47) - ARENA_PAGE ? -EINVAL : 0;
}

static void sys_create(void)
{
	static const int may[] = { EINVAL, E2BIG, ERANGE, EBADF, EPERM, EFAULT, ENOMEM,
				   ENOTSUPP, 0 };
	struct sys_arena *a = &arenas[below(SYS_ARENAS)];
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARENA,
		.map_flags = BPF_F_MMAPABLE,
		.map_name = "fuzz_sys",
	};
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	bool exact = chance(80);
	int fd, err;

	if (a->fd >= 0 && chance(80))
		return;
	forget(a);
	attr.max_entries = 1 + below(64);
	if (chance(30))
		attr.max_entries = PICK(1, 512, 600, 1 << 20, (1 << 20) + 1, 0, below(1 << 21));
	if (chance(15))
		attr.map_flags ^= 1U << PICK(17, 18, 10, 7, below(32));
	if (chance(60))
		attr.map_extra = PICK(ARENA_ADDR, ARENA_ADDR + ARENA_4G, ARENA_ADDR + 2 * ARENA_4G);
	else if (chance(30))
		attr.map_extra = PICK(ARENA_ADDR + ARENA_PAGE, ARENA_ADDR + 1, -ARENA_PAGE,
				      (1ULL << 47) - 2 * ARENA_PAGE, ARENA_4G - ARENA_PAGE,
				      1ULL << 63, (0x1235ULL << 32) - 16 * ARENA_PAGE,
				      (__u64)below(1 << 20) << 24);
	if (!exact) /* any bit of what the fields above do not have */
		((__u8 *)&attr)[PICK(4, 8, 20, 24, 44, 48, 52, 56, 60, below(72))] ^=
			1 << below(8);
	fd = exact ? syscall(__NR_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) :
		     bpf_sys(BPF_MAP_CREATE, &attr);
	err = fd < 0 ? -errno : 0;
	if (exact)
		EXPECT_EQ(err, create_errno(attr.map_flags, attr.max_entries, attr.map_extra),
			  "create");
	if (!done("create", fd, may))
		return;
	if (attr.map_type != BPF_MAP_TYPE_ARENA) {
		close(fd);
		return;
	}
	a->fd = fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len)) {
		ASSERT_EQ(errno, 0, "info");
		return;
	}
	a->flags = info.map_flags;
	a->pages = info.max_entries;
	a->extra = info.map_extra;
	if (!exact)
		return;
	EXPECT_EQ(a->flags, attr.map_flags, "map_flags");
	EXPECT_EQ(a->pages, attr.max_entries, "max_entries");
	EXPECT_EQ(a->extra, attr.map_extra, "map_extra");
}

static void sys_mmap(void)
{
	static const int may[] = { EINVAL, EBUSY, EEXIST, E2BIG, ERANGE, EACCES, EPERM, ENOMEM,
				   EBADF, EOVERFLOW, EOPNOTSUPP, 0 };
	struct sys_arena *a = any_arena();
	size_t len = a->pages * ARENA_PAGE;
	int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED;
	__u64 addr = a->extra ?: PICK(0, 0, 0, ARENA_ADDR + ARENA_4G), off = 0;
	char *mem;

	if (a->mem || a->fd < 0)
		return;
	if (chance(20))
		prot = below(8);
	if (chance(10))
		flags = PICK(MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_SHARED | MAP_POPULATE,
			     MAP_SHARED | MAP_LOCKED, MAP_SHARED | MAP_NORESERVE);
	/* no more memory than there is */
	if (a->pages > 1024)
		flags &= ~(MAP_POPULATE | MAP_LOCKED);
	if (chance(50))
		flags |= MAP_FIXED_NOREPLACE;
	if (chance(10))
		addr += PICK(ARENA_PAGE, -ARENA_PAGE, ARENA_4G, 1);
	if (chance(10))
		len = PICK(0, ARENA_PAGE, len - ARENA_PAGE, len + ARENA_PAGE, len - 1, -1UL);
	if (chance(5))
		off = PICK(ARENA_PAGE, 1, ARENA_4G, -ARENA_PAGE);
	mem = mmap((void *)addr, len, prot, flags, fd_of(a), off);
	if (!done("mmap", (long)mem, may))
		return;
	a->mem = mem;
	a->len = (len + ARENA_PAGE - 1) & -ARENA_PAGE;
	a->writable = prot & PROT_WRITE;
	EXPECT_EQ((__u64)mem >> 32, ((__u64)mem + a->len - 1) >> 32, "in one piece of 4 GiB");
	if (a->extra)
		EXPECT_EQ((__u64)mem, a->extra, "where it was to be");
	EXPECT_EQ(prot & PROT_EXEC, 0, "never executable");
}

static void touch(void)
{
	struct sys_arena *a = any_arena();
	__u64 val;
	char *p;
	int sig;

	if (!a->mem)
		return;
	p = a->mem + (__u64)below(a->len / ARENA_PAGE) * ARENA_PAGE + below(ARENA_PAGE / 8) * 8;
	sig = a->writable && chance(50) ? arena_poke(p, fuzz_rnd(&rng)) : arena_peek(p, &val);
	touches++;
	signals += !!sig;
	/* SIGBUS is for no memory, of which there is enough */
	if (sig)
		EXPECT_EQ(sig, SIGSEGV, "signal");
}

/* A range in the mapping, or one that leaves it. */
static char *range(const struct sys_arena *a, size_t *len)
{
	*len = a->len;
	if (chance(30))
		return a->mem;
	*len = PICK(ARENA_PAGE, 0, a->len - ARENA_PAGE, ARENA_PAGE + 1,
		    (__u64)below(8) * ARENA_PAGE);
	return a->mem + below(a->len / ARENA_PAGE) * ARENA_PAGE;
}

static void sys_munmap(void)
{
	static const int may[] = { EINVAL, ENOMEM, 0 };
	struct sys_arena *a = any_arena();

	if (!a->mem)
		return;
	/* of a part: refused, or there would be nothing to count on below */
	if (chance(50) && a->len > ARENA_PAGE)
		EXPECT_EQ(done("munmap a part",
			       munmap(a->mem + (chance(50) ? ARENA_PAGE : 0),
				      a->len - ARENA_PAGE), may), false, "munmap a part");
	if (chance(80))
		return;
	done("munmap", munmap(a->mem, a->len), may);
	a->mem = NULL;
}

static void sys_mremap(void)
{
	static const int may[] = { EINVAL, EFAULT, ENOMEM, 0 };
	struct sys_arena *a = any_arena();
	size_t old_len, new_len;
	char *old, *mem;

	if (!a->mem)
		return;
	old = range(a, &old_len);
	new_len = PICK(old_len, old_len + ARENA_PAGE, ARENA_PAGE, 2 * a->len);
	/* duplicating (an old size of 0), or leaving it as it is, is for others */
	if (old + old_len > a->mem + a->len || !old_len || new_len == old_len)
		return;
	mem = mremap(old, old_len, new_len, PICK(0, MREMAP_MAYMOVE));
	EXPECT_EQ(done("mremap", (long)mem, may), false, "mremap");
}

static void sys_mprotect(void)
{
	static const int may[] = { EINVAL, EACCES, ENOMEM, 0 };
	struct sys_arena *a = any_arena();
	int prot = below(8);
	size_t len;
	char *mem;

	if (!a->mem)
		return;
	mem = range(a, &len);
	if (mem + len > a->mem + a->len)
		return;
	if (!done("mprotect", mprotect(mem, len, prot), may) || !len)
		return;
	EXPECT_EQ(prot & PROT_EXEC, 0, "never executable");
	if (prot & PROT_WRITE)
		EXPECT_EQ(a->writable, true, "writable when it was mapped");
	EXPECT_EQ(mprotect(a->mem, a->len, PROT_READ | (a->writable ? PROT_WRITE : 0)), 0, "back");
}

static void sys_madvise(void)
{
	static const int may[] = { EINVAL, ENOMEM, EFAULT, ENODEV, EOPNOTSUPP, EBUSY, EAGAIN, EBADF,
				   EACCES, EPERM, 0 };
	struct sys_arena *a = any_arena();
	size_t len;
	char *mem;
	int advice;

	if (!a->mem)
		return;
	mem = range(a, &len);
	/* all but those that damage memory for good; not so much of it to populate */
	advice = below(27);
	if ((advice == 22 || advice == 23) && len > 64 * ARENA_PAGE)
		len = 64 * ARENA_PAGE;
	if (mem + len > a->mem + a->len)
		return;
	done("madvise", madvise(mem, len, advice), may);
	if (advice == MADV_DONTFORK || advice == MADV_DOFORK)
		madvise(a->mem, a->len, MADV_DONTFORK);
}

static void sys_mlock(void)
{
	static const int may[] = { EINVAL, ENOMEM, EAGAIN, EPERM, 0 };
	struct sys_arena *a = any_arena();

	if (!a->mem || a->len > 64 * ARENA_PAGE)
		return;
	if (done("mlock", mlock(a->mem, a->len), may))
		munlock(a->mem, a->len);
}

static void sys_fork(void)
{
	struct sys_arena *a = any_arena();
	int status = -1;
	pid_t pid;

	if (!a->mem || !chance(20))
		return;
	/* the advice that lets a child have it, which the arena does not say no to */
	if (chance(50))
		madvise(a->mem, a->len, MADV_DOFORK);
	pid = fork();
	if (!pid) {
		__u64 val;

		arena_peek(a->mem, &val);
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid, "waitpid");
	EXPECT_EQ(status, 0, "status");
	madvise(a->mem, a->len, MADV_DONTFORK);
	calls++;
}

static void sys_file(void)
{
	static const int ctl[] = { ENOTTY, EBADF, EINVAL, EFAULT, 0 };
	static const int rw[] = { EINVAL, EBADF, EFAULT, 0 };
	static const int seek[] = { ENXIO, EINVAL, EBADF, 0 };
	static const int trunc[] = { EINVAL, EBADF, 0 };
	struct sys_arena *a = any_arena();
	int fd = a->fd;
	char buf[16];

	if (fd < 0)
		return;
	switch (below(5)) {
	case 0:
		done("lseek", lseek(fd, below(2) ? fuzz_rnd(&rng) : below(64) * ARENA_PAGE,
				    below(6)), seek);
		break;
	case 1:
		done("read", read(fd, below(4) ? buf : NULL, below(16) + 1), rw);
		break;
	case 2:
		EXPECT_EQ(done("write", write(fd, buf, below(16) + 1), rw), false, "write");
		break;
	case 3:
		EXPECT_EQ(done("ftruncate", ftruncate(fd, below(3) * ARENA_PAGE), trunc), false,
			  "ftruncate");
		break;
	default:
		done("ioctl", ioctl(fd, fuzz_rnd(&rng), buf), ctl);
	}
}

static void sys_element(void)
{
	static const enum bpf_cmd cmds[] = {
		BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,
		BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_MAP_LOOKUP_BATCH,
		BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH,
	};
	static const int may[] = { EINVAL, EOPNOTSUPP, ENOTSUPP, EPERM, EBADF, EFAULT, E2BIG,
				   ENOENT, 0 };
	enum bpf_cmd cmd = cmds[below(ARRAY_SIZE(cmds))];
	union bpf_attr attr = {};
	char buf[64] = {};

	if (cmd < BPF_MAP_LOOKUP_BATCH) {
		attr.map_fd = fd_of(any_arena());
		attr.key = PICK(0, (__u64)buf, 1, -1ULL);
		attr.value = PICK(0, (__u64)buf, 1, -1ULL);
		attr.flags = PICK(0, 0, 1, 4, fuzz_rnd(&rng));
	} else {
		attr.batch.map_fd = fd_of(any_arena());
		attr.batch.keys = PICK(0, (__u64)buf);
		attr.batch.values = PICK(0, (__u64)buf);
		attr.batch.count = PICK(0, 1, -1U);
		attr.batch.elem_flags = PICK(0, 0, 4);
	}
	/* except that a batch of none, or to a number of attributes of none, is none */
	if (done("element", bpf_sys(cmd, &attr), may))
		EXPECT_EQ(cmd >= BPF_MAP_LOOKUP_BATCH && !attr.batch.count, true, "no element");
}

static void sys_freeze(void)
{
	static const int may[] = { EBUSY, EINVAL, EBADF, EPERM, ENOTSUPP, EFAULT, E2BIG, 0 };
	struct sys_arena *a = any_arena();
	union bpf_attr attr = { .map_fd = fd_of(a) };

	if (!chance(20) || a->fd < 0)
		return;
	if (done("freeze", bpf_sys(BPF_MAP_FREEZE, &attr), may) && attr.map_fd == a->fd)
		EXPECT_EQ(a->mem && a->writable, false, "frozen while it is mapped writable");
}

static void sys_pin(void)
{
	static const int may[] = { EINVAL, EEXIST, EBADF, ENOENT, EPERM, EFAULT, EACCES, E2BIG, 0 };
	struct sys_arena *a = any_arena();
	union bpf_attr attr = {};
	int fd;

	attr.pathname = (__u64)SYS_PIN;
	attr.bpf_fd = fd_of(a);
	attr.file_flags = PICK(0, 0, 0, BPF_F_RDONLY, 1);
	done("pin", bpf_sys(BPF_OBJ_PIN, &attr), may);
	attr.bpf_fd = 0;
	attr.file_flags = PICK(0, 0, BPF_F_RDONLY, BPF_F_WRONLY, fuzz_rnd(&rng));
	fd = syscall(__NR_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	if (done("get", fd, may)) {
		if (attr.file_flags)
			EXPECT_EQ((long)mmap(NULL, ARENA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
					     fd, 0), -1, "mmap of what is for one way only");
		close(fd);
	}
	if (chance(50))
		unlink(SYS_PIN);
}

static void sys_info(void)
{
	static const int may[] = { EINVAL, E2BIG, EFAULT, EBADF, EBADFD, 0 };
	struct sys_arena *a = any_arena();
	char buf[sizeof(struct bpf_map_info) + 64] = {};
	struct bpf_map_info *info = (void *)buf;
	union bpf_attr attr = {};

	attr.info.bpf_fd = fd_of(a);
	attr.info.info_len = PICK(sizeof(*info), sizeof(*info), below(sizeof(buf)), sizeof(buf));
	attr.info.info = PICK((__u64)buf, (__u64)buf, (__u64)buf, 0);
	if (!done("info", bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &attr), may) ||
	    attr.info.info_len < sizeof(*info) || (int)attr.info.bpf_fd != a->fd)
		return;
	EXPECT_EQ(info->type, BPF_MAP_TYPE_ARENA, "type");
	EXPECT_EQ(info->max_entries, a->pages, "max_entries");
	EXPECT_EQ(info->map_flags, a->flags, "map_flags");
	EXPECT_EQ(info->map_extra, a->extra, "map_extra");
}

static void sys_by_id(void)
{
	static const int may[] = { EINVAL, ENOENT, EPERM, E2BIG, EFAULT, 0 };
	struct sys_arena *a = any_arena();
	union bpf_attr attr = {};
	int fd;

	if (a->fd < 0)
		return;
	attr.map_id = chance(90) ? arena_map_id(a->fd) : below(1 << 20);
	attr.open_flags = PICK(0, BPF_F_RDONLY, BPF_F_WRONLY, fuzz_rnd(&rng));
	fd = bpf_sys(BPF_MAP_GET_FD_BY_ID, &attr);
	if (done("by id", fd, may))
		close(fd);
}

static void sys_fdinfo(void)
{
	struct sys_arena *a = any_arena();
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", a->fd);
	if (a->fd >= 0)
		EXPECT_EQ(arena_read_number(path, "map_type:"), BPF_MAP_TYPE_ARENA, "map_type");
}

/* What is mapped lives on without its fd. */
static void sys_close(void)
{
	struct sys_arena *a = any_arena();

	if (chance(80))
		return;
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	if (chance(50))
		forget(a);
}

static int count_fds(void)
{
	int n = 0, fd;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static bool arenas_left(void)
{
	struct bpf_map_info info;
	__u32 id = 0, len;
	bool found;
	int fd;

	while (!bpf_map_get_next_id(id, &id)) {
		fd = bpf_map_get_fd_by_id(id);
		len = sizeof(info);
		memset(&info, 0, len);
		found = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) &&
			info.type == BPF_MAP_TYPE_ARENA;
		if (fd >= 0)
			close(fd);
		if (found)
			return true;
	}
	return false;
}

static void run_calls(__u64 seed, __u64 cnt)
{
	static void (* const op[])(void) = {
		sys_create, sys_create, sys_mmap, sys_mmap, sys_mmap, touch, touch, touch, touch,
		sys_munmap, sys_mremap, sys_mprotect, sys_madvise, sys_madvise, sys_mlock,
		sys_fork, sys_file, sys_element, sys_freeze, sys_pin, sys_info, sys_by_id,
		sys_fdinfo, sys_close,
	};
	int i;

	rng.state = seed;
	for (i = 0; i < SYS_ARENAS; i++)
		arenas[i].fd = -1;
	while (cnt-- && !env.subtest_state->error_cnt)
		op[below(ARRAY_SIZE(op))]();
	for (i = 0; i < SYS_ARENAS; i++)
		forget(&arenas[i]);
	unlink(SYS_PIN);
}

/* Makes the calls, and returns how much memory is missing then. */
static long long measure_calls(__u64 seed, __u64 cnt)
{
	long long before = arena_mem_free();

	calls = 0;
	calls_failed = 0;
	touches = 0;
	signals = 0;
	run_calls(seed, cnt);
	ASSERT_TRUE(ARENA_EVENTUALLY(!arenas_left()), "no arena is left");
	return arena_settle(before, SYS_TOLERANCE);
}

static void test_calls(__u64 seed, __u64 cnt)
{
	struct arena_fault_saved saved;
	long long missing;
	int fds, tries;

	arena_fault_catch(&saved);
	/* what is had once, and then for good */
	run_calls(seed, 1000);
	fds = count_fds();
	/* So it is with what KASAN keeps, which is more. What is lost is lost again. */
	for (tries = 0; tries < SYS_TRIES; tries++) {
		missing = measure_calls(seed, cnt);
		if (missing <= SYS_TOLERANCE || env.subtest_state->error_cnt)
			break;
	}
	arena_fault_restore(&saved);
	fprintf(env.stdout, "arena_fuzz_sys: seed %llu: %llu calls, of which %llu failed; ",
		seed, calls, calls_failed);
	fprintf(env.stdout, "%llu touches, of which %llu gave a signal\n", touches, signals);
	ASSERT_EQ(count_fds(), fds, "files");
	ASSERT_LE(missing, SYS_TOLERANCE, "missing memory");
	if (env.subtest_state->error_cnt)
		printf("repeat it with ARENA_FUZZ_SEED=%llu\n", seed);
}

void serial_test_arena_fuzz_sys(void)
{
	__u64 nr = arena_env("ARENA_FUZZ_COUNT", arena_times(SYS_COUNT));
	__u64 seed = arena_env("ARENA_FUZZ_SEED", 0);

	if (seed && test__start_subtest("seed"))
		test_calls(seed, nr);
	if (!seed && test__start_subtest("same"))
		test_calls(1, nr);
	if (!seed && test__start_subtest("new"))
		test_calls(time(NULL), nr);
}
