// SPDX-License-Identifier: GPL-2.0
/* Arenas and the rest of the system: tools that look on, memory that runs short. */
#define _GNU_SOURCE
#include <test_progs.h>
#include <linux/elf.h>
#include <linux/futex.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include "arena_ops.h"

#define RW		(PROT_READ | PROT_WRITE)
#define CREATOR		ARENA_CGROUP_ROOT "/arena_system"
#define KIB		1024LL
#define MIB		(1024 * KIB)

static size_t page;

static long long allocated(const struct arena_ops_env *env)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", arena_ops_fd(env));
	return arena_read_number(path, "allocated_pages:\t");
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
		signal(SIGABRT, SIG_DFL);
	}
	return pid;
}

/* For children: nothing of the test runner's may be printed twice. */
static bool put_file(const char *path, const char *val)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, val, strlen(val)) == (ssize_t)strlen(val);

	close(fd);
	return ok;
}

static void *map_here(const struct arena_ops_env *env)
{
	return arena_mmap(arena_ops_fd(env), env->base, env->pages * page, RW,
			  MAP_FIXED_NOREPLACE);
}

/* A child that does what @begin does, then tells that it is ready, and waits. */
static pid_t start_child(const struct arena_ops_env *env,
			 bool (*begin)(const struct arena_ops_env *env))
{
	int ready[2];
	char c = 0;
	pid_t pid;

	if (!ASSERT_OK(pipe(ready), "pipe"))
		return -1;
	pid = fork_child();
	if (!pid) {
		close(ready[0]);
		if (!begin(env) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ASSERT_EQ(read(ready[0], &c, 1), 1, "child is ready");
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/*
 * Core dumps.
 */

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define CORE_FILE	"/tmp/arena_system.core"
#define CORE_PAGES	8000

/* The flags that smaps has of the mapping that begins here. */
static bool vm_flags(const void *start, char *flags, size_t size)
{
	char line[512], want[32];
	bool here = false;
	FILE *f;

	snprintf(want, sizeof(want), "%lx-", (unsigned long)start);
	f = fopen("/proc/self/smaps", "r");
	if (!ASSERT_OK_PTR(f, "smaps"))
		return false;
	flags[0] = 0;
	while (!flags[0] && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, want, strlen(want)))
			here = true;
		if (here && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, size, "%s", line);
	}
	fclose(f);
	return ASSERT_NEQ(flags[0], 0, "VmFlags");
}

/* Anonymous, shared and files' memory, and all that a process has of it. */
static void dump_core(const struct arena_ops_env *env)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (map_here(env) != env->base || setrlimit(RLIMIT_CORE, &limit) ||
	    !put_file("/proc/self/coredump_filter", "0x3b"))
		_exit(1);
	abort();
}

/* The arena is in the list of what the process has mapped, and that is all. */
static void check_core(const struct arena_ops_env *env)
{
	int fd = open(CORE_FILE, O_RDONLY), i, others = 0;
	long long arena = -1;
	struct elf64_phdr ph;
	struct elf64_hdr eh;

	if (!ASSERT_GE(fd, 0, "core"))
		return;
	if (!ASSERT_EQ(pread(fd, &eh, sizeof(eh), 0), (ssize_t)sizeof(eh), "ELF header") ||
	    !ASSERT_OK(memcmp(eh.e_ident, ELFMAG, SELFMAG), "magic"))
		goto out;
	for (i = 0; i < eh.e_phnum; i++) {
		if (!ASSERT_EQ(pread(fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)),
			       (ssize_t)sizeof(ph), "program header"))
			goto out;
		if (ph.p_type != PT_LOAD)
			continue;
		if (ph.p_vaddr == (__u64)env->base)
			arena = ph.p_filesz;
		else
			others += !!ph.p_filesz;
	}
	ASSERT_EQ(arena, 0, "bytes of the arena");
	ASSERT_GT(others, 0, "other memory");
out:
	close(fd);
}

static void core_dump(void)
{
	char was[128] = {}, flags[256];
	struct arena_ops_env env;
	int fd, i, status = 0;
	pid_t pid;

	/* Bug: a core dump with coredump_filter 0x3b made pages of 4000 holes */
	fd = open(CORE_PATTERN, O_RDONLY);
	if (!ASSERT_GT(read(fd, was, sizeof(was) - 1), 0, CORE_PATTERN))
		return;
	close(fd);
	if (!arena_ops_open(&env, CORE_PAGES, 0, 0))
		return;
	if (vm_flags(env.base, flags, sizeof(flags)))
		ASSERT_HAS_SUBSTR(flags, " dd", "VM_DONTDUMP");
	ASSERT_ERRNO(madvise(env.base, CORE_PAGES * page, MADV_DODUMP), EINVAL, "MADV_DODUMP");
	for (i = 0; i < CORE_PAGES; i += 2)
		*(__u64 *)arena_ops_page(&env, i) = i;
	ASSERT_EQ(allocated(&env), CORE_PAGES / 2, "pages before");

	arena_write_file(CORE_PATTERN, CORE_FILE);
	pid = fork_child();
	if (!pid)
		dump_core(&env);
	ASSERT_EQ(waitpid(pid, &status, 0), pid, "waitpid");
	arena_write_file(CORE_PATTERN, was);
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "aborted");
	ASSERT_TRUE(WCOREDUMP(status), "dumped");
	ASSERT_EQ(allocated(&env), CORE_PAGES / 2, "pages after");
	check_core(&env);
	unlink(CORE_FILE);
	arena_ops_close(&env);
}

/*
 * Other processes that read and write the memory of one.
 */

static bool map_as_peer(const struct arena_ops_env *env)
{
	return map_here(env) == env->base;
}

/* One way to the memory of a process: 0, or -1 and errno. */
struct remote {
	const char *name;
	int error;		/* errno if nothing is there */
	int (*read)(pid_t pid, void *addr, __u64 *val);
	int (*write)(pid_t pid, void *addr, __u64 val);
};

static int by_vm_readv(pid_t pid, void *addr, __u64 *val)
{
	struct iovec local = { val, sizeof(*val) }, remote = { addr, sizeof(*val) };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof(*val) ? 0 : -1;
}

static int by_vm_writev(pid_t pid, void *addr, __u64 val)
{
	struct iovec local = { &val, sizeof(val) }, remote = { addr, sizeof(val) };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) == sizeof(val) ? 0 : -1;
}

static int by_file(pid_t pid, void *addr, __u64 *val, bool write)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return -1;
	n = write ? pwrite(fd, val, sizeof(*val), (off_t)addr) :
		    pread(fd, val, sizeof(*val), (off_t)addr);
	close(fd);
	return n == sizeof(*val) ? 0 : -1;
}

static int by_file_read(pid_t pid, void *addr, __u64 *val)
{
	return by_file(pid, addr, val, false);
}

static int by_file_write(pid_t pid, void *addr, __u64 val)
{
	return by_file(pid, addr, &val, true);
}

/* The system call: libc's returns the word, and -1 is one, too. */
static int by_ptrace_peek(pid_t pid, void *addr, __u64 *val)
{
	return syscall(__NR_ptrace, PTRACE_PEEKDATA, pid, addr, val);
}

static int by_ptrace_poke(pid_t pid, void *addr, __u64 val)
{
	return ptrace(PTRACE_POKEDATA, pid, addr, val);
}

static const struct remote remotes[] = {
	{ "process_vm", EFAULT, by_vm_readv, by_vm_writev },
	{ "/proc/PID/mem", EIO, by_file_read, by_file_write },
	{ "ptrace", EIO, by_ptrace_peek, by_ptrace_poke },
};

/* Also a stopped one: who wants to have its memory often stops it before. */
static pid_t start_peer(const struct arena_ops_env *env)
{
	pid_t pid = start_child(env, map_as_peer);
	int status;

	if (pid > 0 && (!ASSERT_OK(ptrace(PTRACE_ATTACH, pid, NULL, NULL), "attach") ||
			!ASSERT_EQ(waitpid(pid, &status, 0), pid, "stopped"))) {
		end_child(pid);
		return -1;
	}
	return pid;
}

static void remote_read(void)
{
	static char buf[2 * 4096];
	struct iovec local = { buf, sizeof(buf) }, remote = { .iov_len = sizeof(buf) };
	struct arena_ops_env env;
	__u64 *there, val;
	void *hole;
	size_t i;
	pid_t pid;

	/* Bug: process_vm_readv(), gdb and the like made pages of the holes that they read */
	if (!arena_ops_open(&env, 16, 0, 0))
		return;
	pid = start_peer(&env);
	if (!ASSERT_GT(pid, 0, "peer"))
		goto out;
	hole = arena_ops_page(&env, 2);
	/* The peer has none of them in its page tables. */
	there = arena_ops_page(&env, 6);
	*there = 77;
	there = arena_ops_alloc(&env, arena_ops_page(&env, 5), 1);
	if (!ASSERT_PAGE(there, "alloc"))
		goto end;
	arena_ops_store(&env, there, 88);

	for (i = 0; i < ARRAY_SIZE(remotes); i++) {
		ASSERT_ERRNO(remotes[i].read(pid, hole, &val), remotes[i].error, remotes[i].name);
		ASSERT_OK(remotes[i].read(pid, there, &val), remotes[i].name);
		ASSERT_EQ(val, 88, "allocated by BPF");
		ASSERT_OK(remotes[i].read(pid, arena_ops_page(&env, 6), &val), remotes[i].name);
		ASSERT_EQ(val, 77, "touched by another process");
		ASSERT_EQ(allocated(&env), 2, remotes[i].name);
	}
	/* Up to the hole it goes. */
	remote.iov_base = arena_ops_page(&env, 6);
	ASSERT_EQ(process_vm_readv(pid, &local, 1, &remote, 1, 0), (ssize_t)page, "up to a hole");
	ASSERT_EQ(*(__u64 *)buf, 77, "before the hole");
	/* One's own memory, by the same way */
	ASSERT_ERRNO(by_vm_readv(getpid(), hole, &val), EFAULT, "own hole");
	ASSERT_ERRNO(by_file_read(getpid(), hole, &val), EIO, "own hole");
	ASSERT_EQ(allocated(&env), 2, "pages");
	/* A hole that was read in vain is as any other. */
	ASSERT_OK(arena_peek(hole, &val), "touch");
	ASSERT_EQ(allocated(&env), 3, "pages");
end:
	end_child(pid);
out:
	arena_ops_close(&env);
}

static void remote_write(void)
{
	struct arena_ops_env env;
	pid_t pid;
	size_t i;

	if (!arena_ops_open(&env, 16, 0, 0))
		return;
	pid = start_peer(&env);
	if (!ASSERT_GT(pid, 0, "peer"))
		goto out;
	for (i = 0; i < ARRAY_SIZE(remotes); i++) {
		__u64 *hole = arena_ops_page(&env, 2 * i), val = 0;

		ASSERT_OK(remotes[i].write(pid, hole, 100 + i), remotes[i].name);
		ASSERT_EQ(allocated(&env), i + 1, remotes[i].name);
		ASSERT_EQ(arena_ops_load(&env, hole), 100 + i, "seen by BPF");
		ASSERT_OK(remotes[i].read(pid, hole, &val), remotes[i].name);
		ASSERT_EQ(val, 100 + i, "read again");
	}
	end_child(pid);
out:
	arena_ops_close(&env);
}

/*
 * Memory runs short.
 */

/*
 * What the hog leaves, and what is touched then: more than that, but less than all. The
 * kernel may keep some 200 MiB back that MemAvailable does not tell of, after memory was
 * fragmented (watermark_boost_factor): with less, the hog would be killed too early.
 */
#define HOG_LEAVES	(256 * MIB)
#define HOG_STEP	(4 * MIB)
#define TOUCHED		(400 * MIB)

static long long meminfo_bytes(const char *key)
{
	return arena_read_number("/proc/meminfo", key) * KIB;
}

/* In huge pages if there are any, as that is quicker. */
static bool take_memory(const struct arena_ops_env *env)
{
	long long size = meminfo_bytes("MemTotal:"), taken;
	char *mem;

	mem = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED || !put_file("/proc/self/oom_score_adj", "1000"))
		return false;
	madvise(mem, size, MADV_HUGEPAGE);
	for (taken = 0; meminfo_bytes("MemAvailable:") > HOG_LEAVES; taken += HOG_STEP)
		if (madvise(mem + taken, HOG_STEP, MADV_POPULATE_WRITE))
			return false;
	return true;
}

/* A process that is to be killed before this one, should the hog's end not do. */
static bool be_next(const struct arena_ops_env *env)
{
	return put_file("/proc/self/oom_score_adj", "900");
}

static void system_is_short(void)
{
	__u32 pages = TOUCHED / page, i;
	int sig = 0, status = 0;
	long long kills;
	struct arena_ops_env env;
	pid_t hog, next;

	/* Bug: SIGBUS at a first touch, while a process that is to be killed first lives */
	if (!arena_ops_open(&env, pages, 0, 0))
		return;
	/*
	 * The OOM killer may choose again, after the hog's memory was taken from it and
	 * before the allocation that was too late looks for it.
	 */
	next = start_child(&env, be_next);
	if (!ASSERT_GT(next, 0, "next"))
		goto out;
	kills = arena_read_number("/proc/vmstat", "oom_kill ");
	hog = start_child(&env, take_memory);
	if (!ASSERT_GT(hog, 0, "hog"))
		goto end_next;
	for (i = 0; i < pages && !sig; i++)
		sig = arena_poke(arena_ops_page(&env, i), i);
	if (!ASSERT_OK(sig, "touch"))
		printf("after %u of %u pages\n", i, pages);
	/* Its memory is taken from it before it ends. */
	ASSERT_TRUE(ARENA_EVENTUALLY(waitpid(hog, &status, WNOHANG) == hog), "the hog is gone");
	ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "killed");
	kills = arena_read_number("/proc/vmstat", "oom_kill ") - kills;
	ASSERT_TRUE(kills == 1 || kills == 2, "kills");
	for (i = 0; i < pages && !sig; i++)
		if (!ASSERT_EQ(*(__u64 *)arena_ops_page(&env, i), i, "content"))
			break;
	if (!WIFSIGNALED(status))
		end_child(hog);
end_next:
	end_child(next);
out:
	arena_ops_close(&env);
}

/* A process that would be the first to be killed, and has something to be killed for. */
static bool be_victim(const struct arena_ops_env *env)
{
	size_t size = 4 * MIB;
	char *mem;

	if (!put_file("/proc/self/oom_score_adj", "1000") ||
	    !put_file(CREATOR "/cgroup.procs", "0"))
		return false;
	mem = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return false;
	memset(mem, 1, size);
	return true;
}

static void cgroup_is_at_its_limit(void)
{
	__u32 pages = 4 * MIB / page, i;
	struct arena_ops_env env;
	pid_t victim;
	int sig = 0;

	if (!arena_ops_open_in(&env, CREATOR, pages, 0, 0))
		return;
	victim = start_child(&env, be_victim);
	if (!ASSERT_GT(victim, 0, "victim"))
		goto out;
	arena_cgroup_limit(CREATOR, MIB);
	for (i = 0; i < pages && !sig; i++)
		sig = arena_poke(arena_ops_page(&env, i), i);
	ASSERT_EQ(sig, SIGBUS, "touch");
	ASSERT_GT(arena_read_number(CREATOR "/memory.events", "max "), 0, "limit was hit");
	ASSERT_EQ(arena_read_number(CREATOR "/memory.events", "oom_kill "), 0, "kills");
	ASSERT_EQ(waitpid(victim, NULL, WNOHANG), 0, "victim lives");
	arena_cgroup_unlimit(CREATOR);
	ASSERT_OK(arena_poke(arena_ops_page(&env, i), 1), "touch without a limit");
	end_child(victim);
out:
	arena_ops_close_in(&env, CREATOR);
}

/*
 * Futexes.
 */

static long futex(__u32 *word, int op, __u32 val, const struct timespec *timeout)
{
	return syscall(__NR_futex, word, op, val, timeout, NULL, 0);
}

static void *wait_thread(void *word)
{
	struct timespec limit = { .tv_sec = 10 };

	return (void *)futex(word, FUTEX_WAIT_PRIVATE, 5, &limit);
}

/* The kernel has nothing to know a page of an arena by in other processes. */
static void futexes(void)
{
	struct timespec limit = { .tv_sec = 1 };
	struct arena_ops_env env;
	pthread_t thread;
	__u32 *word;
	void *ret = NULL;

	if (!arena_ops_open(&env, 4, 0, 0))
		return;
	word = arena_ops_page(&env, 1);
	*word = 5;
	ASSERT_ERRNO(futex(word, FUTEX_WAIT, 5, &limit), EFAULT, "shared wait");
	ASSERT_ERRNO(futex(word, FUTEX_WAIT, 6, &limit), EFAULT, "shared wait, other value");
	ASSERT_ERRNO(futex(word, FUTEX_WAKE, 1, NULL), EFAULT, "shared wake");
	/* at a word that BPF sees alike */
	ASSERT_EQ(arena_ops_load(&env, word), 5, "value");

	if (!ASSERT_OK(pthread_create(&thread, NULL, wait_thread, word), "thread"))
		goto out;
	ASSERT_TRUE(ARENA_EVENTUALLY(futex(word, FUTEX_WAKE_PRIVATE, 1, NULL) == 1),
		    "private wake");
	pthread_join(thread, &ret);
	ASSERT_NULL(ret, "private wait");
	ASSERT_ERRNO(futex(word, FUTEX_WAIT_PRIVATE, 6, &limit), EAGAIN, "other value");
out:
	arena_ops_close(&env);
}

/*
 * Kernel addresses.
 */

/* Of 32 TiB half may be windows, each of 5 GiB. */
#define MOST_ARENAS	4000
#define FEWEST_ARENAS	1000

/* As many arenas as there can be: how many. */
static int fill_kernel_addresses(int *fds)
{
	int n, err = 0;

	for (n = 0; n < MOST_ARENAS; n++) {
		fds[n] = arena_create_raw(BPF_F_MMAPABLE, 1, 0);
		if (fds[n] < 0) {
			err = errno;
			break;
		}
	}
	ASSERT_EQ(err, ENOSPC, "errno at the bound");
	return n;
}

/* Others must find all that they need, from a large map to a program. */
static void others_have_addresses(void)
{
	struct bpf_insn insn[] = { BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN() };
	int map, prog;

	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "array", 4, 64 * MIB, 1, NULL);
	ASSERT_GE(map, 0, "array");
	close(map);
	prog = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "prog", "GPL", insn, ARRAY_SIZE(insn),
			     NULL);
	ASSERT_GE(prog, 0, "program");
	close(prog);
}

/* A worker takes maps down, and gives back what they had. */
static int create_soon(void)
{
	int fd = -1;

	ARENA_EVENTUALLY((fd = arena_create_raw(BPF_F_MMAPABLE, 1, 0)) >= 0);
	return fd;
}

/* The addresses of how many arenas are taken, of those that are going, too */
static int count_windows(void)
{
	FILE *file = fopen("/proc/vmallocinfo", "r");
	char line[256];
	int n = 0;

	if (!ASSERT_OK_PTR(file, "vmallocinfo"))
		return -1;
	while (fgets(line, sizeof(line), file))
		n += !!strstr(line, " arena_kmap_init+");
	fclose(file);
	return n;
}

static void kernel_addresses(void)
{
	struct rlimit was, limit = { 2 * MOST_ARENAS, 2 * MOST_ARENAS };
	int *fds, n, i, before = count_windows();

	/* Bug: one user with CAP_BPF took all of the kernel's vmalloc addresses */
	fds = calloc(MOST_ARENAS, sizeof(*fds));
	if (!ASSERT_OK_PTR(fds, "calloc"))
		return;
	getrlimit(RLIMIT_NOFILE, &was);
	if (!ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit), "RLIMIT_NOFILE"))
		goto out;
	n = fill_kernel_addresses(fds);
	ASSERT_GE(n, FEWEST_ARENAS, "arenas");
	ASSERT_LT(n, MOST_ARENAS, "arenas");
	ASSERT_ERRNO(arena_create_raw(BPF_F_MMAPABLE, 1, 0), ENOSPC, "once more");
	others_have_addresses();

	/* One goes, one comes. */
	close(fds[0]);
	fds[0] = create_soon();
	ASSERT_GE(fds[0], 0, "one for one");
	for (i = 0; i < n; i++)
		close(fds[i]);
	/* And as many as before: none is counted that is gone. */
	for (i = 0; i < n; i++) {
		fds[i] = create_soon();
		if (!ASSERT_GE(fds[i], 0, "again"))
			break;
	}
	ASSERT_GE(count_windows(), n, "windows");
	while (i--)
		close(fds[i]);
	/* The next test wants one, too. */
	/* Each look holds the worker up, with a lock of vmalloc()'s. */
	ASSERT_TRUE(ARENA_EVENTUALLY(({
		sleep(1);
		count_windows() <= before;
	})), "all are gone");
	setrlimit(RLIMIT_NOFILE, &was);
out:
	free(fds);
}

/*
 * Where administrators look.
 */

#define COUNTED		1000

static long long vmalloc_used(void)
{
	return meminfo_bytes("VmallocUsed:");
}

static void meminfo(void)
{
	long long before, used = 0;
	size_t size = COUNTED * page;
	int fd, i;
	char *mem;

	/* Bug: pages of arenas were in none of the sums of /proc/meminfo */
	before = vmalloc_used();
	ASSERT_GT(before, 0, "VmallocUsed");
	fd = arena_create_raw(BPF_F_MMAPABLE, COUNTED, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return;
	mem = arena_mmap(fd, NULL, size, RW, 0);
	if (ASSERT_NEQ(mem, MAP_FAILED, "mmap")) {
		for (i = 0; i < COUNTED; i++)
			mem[i * page] = 1;
		used = vmalloc_used() - before;
		/* and page tables: for each 2 MiB one, and those above */
		ASSERT_GE(used, (COUNTED + COUNTED / 512 + 1) * (long long)page, "with pages");
		ASSERT_LE(used, size + 256 * KIB, "with pages");
		munmap(mem, size);
	}
	close(fd);
	ASSERT_TRUE(ARENA_EVENTUALLY((used = vmalloc_used() - before) <= 64 * KIB), "destroyed");
	if (used > 64 * KIB)
		printf("%lld bytes left in VmallocUsed\n", used);
}

static void meminfo_of_programs(void)
{
	struct arena_ops_env env;
	long long before, used = 0;

	if (!arena_ops_open(&env, 2 * COUNTED, 0, 0))
		return;
	before = vmalloc_used();
	ASSERT_PAGE(arena_ops_alloc(&env, NULL, COUNTED), "alloc");
	ASSERT_GE(vmalloc_used() - before, COUNTED * (long long)page, "allocated");
	arena_ops_free(&env, env.base, COUNTED);
	/* What was freed goes when it was not wanted again for a while. */
	ASSERT_TRUE(ARENA_EVENTUALLY((used = vmalloc_used() - before) <= 256 * KIB), "freed");
	if (used > 256 * KIB)
		printf("%lld bytes left in VmallocUsed\n", used);
	arena_ops_close(&env);
}

static void memory_stat(void)
{
	struct arena_ops_env env;
	long long before, used;

	if (!arena_ops_open_in(&env, CREATOR, 2 * COUNTED, 0, 0))
		return;
	before = arena_read_number(CREATOR "/memory.stat", "kernel ");
	ASSERT_PAGE(arena_ops_alloc(&env, NULL, COUNTED), "alloc");
	used = arena_read_number(CREATOR "/memory.stat", "kernel ") - before;
	ASSERT_GE(used, COUNTED * (long long)page, "kernel");
	arena_ops_close_in(&env, CREATOR);
}

/* Meters of the whole machine, and its memory: not beside other tests. */
void serial_test_arena_system(void)
{
	struct arena_fault_saved saved;

	page = arena_page_size();
	arena_fault_catch(&saved);
	if (test__start_subtest("core_dump"))
		core_dump();
	if (test__start_subtest("remote_read"))
		remote_read();
	if (test__start_subtest("remote_write"))
		remote_write();
	if (test__start_subtest("system_is_short"))
		system_is_short();
	if (test__start_subtest("cgroup_is_at_its_limit"))
		cgroup_is_at_its_limit();
	if (test__start_subtest("futexes"))
		futexes();
	if (test__start_subtest("kernel_addresses"))
		kernel_addresses();
	if (test__start_subtest("meminfo"))
		meminfo();
	if (test__start_subtest("meminfo_of_programs"))
		meminfo_of_programs();
	if (test__start_subtest("memory_stat"))
		memory_stat();
	arena_fault_restore(&saved);
}
