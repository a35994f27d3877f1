/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ARENA_TEST_H
#define __ARENA_TEST_H

/*
 * One BPF object, progs/arena_ops.c, does single operations on an arena for
 * the tests: each call of a program is one struct arena_op. The sleepable
 * program gets it as its context and leaves the result in ret, the other one
 * gets it as the arguments of a raw tracepoint and leaves the result in
 * ret[slot] of its .bss.
 */
enum arena_op_code {
	ARENA_ALLOC,	/* cnt pages at addr, on node, with flags */
	ARENA_FREE,	/* cnt pages at addr */
	ARENA_RESERVE,	/* cnt pages at addr */
	ARENA_LOAD,	/* the u64 at addr */
	ARENA_STORE,	/* val to the u64 at addr */
	ARENA_FILL,	/* every u64 of the page at addr with val */
	ARENA_DIFF,	/* bits in which the page at addr differs from val */
	ARENA_SCRIBBLE,	/* val to the u64 at addr, until told to stop */
	ARENA_STORM,	/* allocate, tag with val, check and free; 0 or what went wrong */
};

/* What ARENA_STORM found; beside it the upper half counts the pages it got. */
#define ARENA_STORM_DIRTY	1	/* a new page was not zero */
#define ARENA_STORM_SHARED	2	/* somebody else wrote to a page of ours */
#define ARENA_STORM_PAGES	8

#define ARENA_SLOTS		16

struct arena_op {
	__u64 code;
	__u64 addr;
	__u64 cnt;
	__s64 node;
	__u64 flags;
	__u64 val;
	__u64 slot;
	__u64 ret;
};

#ifndef __BPF__

#include <setjmp.h>
#include <linux/compiler.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef NUMA_NO_NODE
#define NUMA_NO_NODE	(-1)
#endif

/* As in include/linux/errno.h: the kernel lets it out, libc has no name for it. */
#ifndef ENOTSUPP
#define ENOTSUPP	524
#endif

#define ARENA_SZ_4G	0x100000000ULL

/* What a program that must not sleep can have in one call */
#define ARENA_ATOMIC_MAX	512
/* Pages that an arena of at least so many keeps for that, with page tables and bitmaps */
#define ARENA_STOCK	(ARENA_ATOMIC_MAX + 6)

static inline size_t arena_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static inline int arena_sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

/* The raw system call: the answer is the kernel's, libbpf has no say in it. */
static inline int arena_create_raw(__u32 flags, __u32 pages, __u64 map_extra)
{
	union bpf_attr attr = {};

	attr.map_type = BPF_MAP_TYPE_ARENA;
	attr.map_flags = flags;
	attr.max_entries = pages;
	attr.map_extra = map_extra;
	memcpy(attr.map_name, "arena_raw", sizeof("arena_raw"));
	return arena_sys_bpf(BPF_MAP_CREATE, &attr);
}

static inline int arena_fd_by_id(__u32 id, __u32 open_flags)
{
	union bpf_attr attr = {};

	attr.map_id = id;
	attr.open_flags = open_flags;
	return arena_sys_bpf(BPF_MAP_GET_FD_BY_ID, &attr);
}

static inline int arena_freeze(int fd)
{
	union bpf_attr attr = {};

	attr.map_fd = fd;
	return arena_sys_bpf(BPF_MAP_FREEZE, &attr);
}

static inline __u32 arena_map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* ASSERT_OK_PTR() takes NULL for success while errno is 0. */
#define ASSERT_PAGE(ptr, name)	ASSERT_NEQ((const void *)(ptr), NULL, (name))

/* Expects a system call to fail with exactly this errno. */
#define ASSERT_ERRNO(call, expected, name) ({				\
	long ___rc;							\
									\
	errno = 0;							\
	___rc = (long)(call);						\
	ASSERT_EQ(___rc == -1 ? errno : 0, (expected), (name));		\
})

#define arena_mmap(fd, addr, size, prot, flags)				\
	mmap((void *)(addr), (size), (prot), MAP_SHARED | (flags), (fd), 0)

/*
 * Access to memory that may be absent: the signal's number, or 0. One handler
 * serves all threads; each has its own place to come back to.
 */
static __thread sigjmp_buf arena_fault_env;
static __thread sig_atomic_t arena_fault_armed;

static inline void arena_fault_handler(int sig)
{
	if (!READ_ONCE(arena_fault_armed)) {
		signal(sig, SIG_DFL);
		return;
	}
	WRITE_ONCE(arena_fault_armed, 0);
	siglongjmp(arena_fault_env, sig);
}

struct arena_fault_saved {
	struct sigaction segv;
	struct sigaction bus;
};

static inline void arena_fault_catch(struct arena_fault_saved *saved)
{
	/* SA_NODEFER spares each access the saving of the signal mask. */
	struct sigaction sa = {
		.sa_handler = arena_fault_handler,
		.sa_flags = SA_NODEFER,
	};

	sigaction(SIGSEGV, &sa, &saved->segv);
	sigaction(SIGBUS, &sa, &saved->bus);
}

static inline void arena_fault_restore(struct arena_fault_saved *saved)
{
	sigaction(SIGSEGV, &saved->segv, NULL);
	sigaction(SIGBUS, &saved->bus, NULL);
}

static inline int arena_peek(const void *addr, __u64 *val)
{
	int sig = sigsetjmp(arena_fault_env, 0);

	if (sig)
		return sig;
	WRITE_ONCE(arena_fault_armed, 1);
	*val = READ_ONCE(*(const __u64 *)addr);
	WRITE_ONCE(arena_fault_armed, 0);
	return 0;
}

static inline int arena_poke(void *addr, __u64 val)
{
	int sig = sigsetjmp(arena_fault_env, 0);

	if (sig)
		return sig;
	WRITE_ONCE(arena_fault_armed, 1);
	WRITE_ONCE(*(__u64 *)addr, val);
	WRITE_ONCE(arena_fault_armed, 0);
	return 0;
}

/* Is any byte of this page other than what a u64 of val repeats? */
static inline bool arena_page_differs(const void *page, __u64 val)
{
	const __u64 *p = page;
	size_t i;

	for (i = 0; i < arena_page_size() / sizeof(*p); i++)
		if (READ_ONCE(p[i]) != val)
			return true;
	return false;
}

static inline __u64 arena_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/*
 * What a program that may not sleep does takes effect "soon": wait for it, but
 * not for ever. A minute also suffices for a debug kernel in an emulator, on a
 * machine that does other work.
 */
#define ARENA_TRIES	1200

static inline void arena_nap(void)
{
	usleep(50 * 1000);
}

#define ARENA_EVENTUALLY(cond) ({					\
	int ___tries;							\
	bool ___ok = false;						\
									\
	for (___tries = 0; ___tries < ARENA_TRIES; ___tries++) {	\
		___ok = (cond);						\
		if (___ok)						\
			break;						\
		arena_nap();						\
	}								\
	___ok;								\
})

/*
 * How often to repeat what is the same each time: not as often on a kernel that
 * looks at every access (KASAN, KCSAN), as there it takes ten times as long.
 */
static inline int arena_times(int times)
{
	static int slow = -1;
	unsigned long long addr;

	/* To look through all symbols takes a second in an emulator. */
	if (slow < 0)
		slow = !kallsyms_find("kasan_report", &addr) ||
		       !kallsyms_find("__tsan_init", &addr);
	if (!slow)
		return times;
	return times / 16 ?: 1;
}

/* On this CPU the program interrupts what runs, about every @ns. */
static inline struct bpf_link *arena_clock(struct bpf_program *prog, int cpu, __u64 ns)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = ns,
	};
	struct bpf_link *link;
	int fd;

	fd = syscall(__NR_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (!ASSERT_GE(fd, 0, "perf_event_open"))
		return NULL;
	link = bpf_program__attach_perf_event(prog, fd);
	if (!ASSERT_OK_PTR(link, "attach"))
		close(fd);
	return link;
}

/* The number in the environment that says otherwise */
static inline __u64 arena_env(const char *name, __u64 otherwise)
{
	const char *val = getenv(name);

	return val && *val ? strtoull(val, NULL, 0) : otherwise;
}

/* The number that follows the key in a file, -1 when it isn't there. */
static inline long long arena_read_number(const char *path, const char *key)
{
	char line[256];
	long long val = -1;
	FILE *f;

	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		size_t len = strlen(key);

		if (!strncmp(line, key, len)) {
			val = atoll(line + len);
			break;
		}
	}
	fclose(f);
	return val;
}

static inline bool arena_read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, buf, size - 1);
		close(fd);
	}
	buf[n > 0 ? n : 0] = 0;
	return ASSERT_GT(n, 0, path);
}

static inline bool arena_write_file(const char *path, const char *val)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = -1;

	if (fd >= 0) {
		n = write(fd, val, strlen(val));
		close(fd);
	}
	return ASSERT_EQ(n, (ssize_t)strlen(val), path);
}

/* Where workers that belong to no CPU may run */
#define ARENA_WORKER_CPUS	"/sys/devices/virtual/workqueue/cpumask"

/*
 * Memory cgroups.
 */

#define ARENA_CGROUP_ROOT	"/sys/fs/cgroup"

static inline bool arena_cgroup_join(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	return arena_write_file(path, "0");
}

static inline bool arena_cgroup_make(const char *dir)
{
	rmdir(dir);
	return arena_write_file(ARENA_CGROUP_ROOT "/cgroup.subtree_control", "+memory") &&
	       ASSERT_OK(mkdir(dir, 0755), dir);
}

static inline void arena_cgroup_remove(const char *dir)
{
	arena_cgroup_join(ARENA_CGROUP_ROOT);
	ASSERT_TRUE(ARENA_EVENTUALLY(!rmdir(dir)), dir);
}

static inline long long arena_cgroup_read(const char *dir, const char *file, const char *key)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return arena_read_number(path, key);
}

static inline long long arena_cgroup_charge(const char *dir)
{
	return arena_cgroup_read(dir, "memory.current", "");
}

/* So many bytes more than what is charged now, and no more. */
static inline bool arena_cgroup_limit(const char *dir, long long more)
{
	char path[128], limit[32];

	snprintf(path, sizeof(path), "%s/memory.max", dir);
	snprintf(limit, sizeof(limit), "%lld", arena_cgroup_charge(dir) + more);
	return arena_write_file(path, limit);
}

static inline bool arena_cgroup_unlimit(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.max", dir);
	return arena_write_file(path, "max");
}

/*
 * Free memory.
 */

/* Free pages that are on the lists of single CPUs: MemFree doesn't count them. */
static inline long long arena_percpu_pages(void)
{
	long long n = 0;
	char line[256];
	int count;
	FILE *f;

	f = fopen("/proc/zoneinfo", "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %d", &count) == 1)
			n += count;
	fclose(f);
	return n;
}

/*
 * The kernel's free memory in bytes, with what it only keeps for later let go.
 * Workers that are started meanwhile stay for minutes: their stacks count as free,
 * and as much again for the rest of a task.
 */
static inline long long arena_mem_free(void)
{
	arena_write_file("/proc/sys/vm/drop_caches", "3");
	return arena_read_number("/proc/meminfo", "MemFree:") * 1024 +
	       arena_read_number("/proc/meminfo", "KernelStack:") * 2048 +
	       arena_percpu_pages() * arena_page_size();
}

/* Waits until no more than this is missing; what is missing then. */
static inline long long arena_settle(long long before, long long tolerance)
{
	long long missing = 0;

	ARENA_EVENTUALLY((missing = before - arena_mem_free()) <= tolerance);
	return missing;
}

#endif /* !__BPF__ */
#endif /* __ARENA_TEST_H */
