// SPDX-License-Identifier: GPL-2.0
/*
 * Two arenas that several processes and programs of several kinds use in every way at
 * once, while memory gets tight: first the cgroup's, then the machine's. Processes are
 * killed all the time, by the test and by want of memory.
 *
 * In the first arena a page has one owner, in the second one everybody touches and
 * frees what he likes. In both, a page that bears the tag of another offset is an
 * error, whoever sees it; see progs/arena_stress.c. In the end all offsets can be had
 * again, and all memory is back.
 *
 * ARENA_STRESS_SECONDS says how long it takes; ARENA_STRESS_SEED repeats the choices.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <linux/perf_event.h>
#include "network_helpers.h"
#include "arena_test.h"
#include "arena_stress.h"
#include "arena_stress.skel.h"

#define RW		(PROT_READ | PROT_WRITE)
#define CGROUP		ARENA_CGROUP_ROOT "/arena_stress"
#define SECONDS		60
#define BASE		0x200050000000ULL
#define PAGE		4096UL
#define PAGES		1024U
#define SIZE		(PAGES * PAGE)
#define ARENAS		2
#define STRICT		0	/* the arena of owners */
#define WORKERS		4
#define OWN		8	/* pages that a worker owns at most */
/* What both arenas can have: stocks, tables and all that processes take are besides. */
#define TIGHT		"8M"
#define SPARE		(48 << 20)

/* What processes do, at random */
enum kind {
	READ, WRITE, OWNER, RUN_SYSCALL, RUN_XDP, RUN_RAW_TP, MUNMAP, MREMAP, MPROTECT,
	MADVISE, MLOCK, FORK, PTRACE, VM_READV, VM_WRITEV, DIRECT_IO, VMSPLICE, CREATE,
	ANON, INFO, NR_KINDS,
};

static const char * const kind_names[NR_KINDS] = {
	"read", "write", "owner", "run_syscall", "run_xdp", "run_raw_tp", "munmap", "mremap",
	"mprotect", "madvise", "mlock", "fork", "ptrace", "process_vm_readv",
	"process_vm_writev", "direct_io", "vmsplice", "create", "anon", "info",
};

#define ERRNOS		134
#define MESSAGES	8

/* What all processes share. */
static struct shared {
	bool stop;
	pid_t worker[WORKERS];
	/* Pages in the first arena that a worker has got: they outlive him. */
	__u64 owned[WORKERS];
	__u64 done[NR_KINDS];
	__u64 failed[NR_KINDS];
	__u64 errnos[ERRNOS];
	__u64 faults;
	__u64 segv;
	__u64 bus;
	__u64 killed;
	__u32 errors;
	char message[MESSAGES][128];
} *shared;

static struct arena_stress *skel[ARENAS];
static int me = -1;		/* the worker's number */
static unsigned int rnd_state;

static void count(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

static __u32 rnd(__u32 below)
{
	rnd_state = rnd_state * 1103515245 + 12345;
	return (rnd_state >> 12) % below;
}

#define error(fmt...) ({						\
	__u32 ___n = __sync_fetch_and_add(&shared->errors, 1);		\
									\
	if (___n < MESSAGES)						\
		snprintf(shared->message[___n], sizeof(shared->message[0]), fmt); \
})

static __u64 arena_base(int a)
{
	return BASE + a * ARENA_SZ_4G;
}

static int arena_fd(int a)
{
	return bpf_map__fd(skel[a]->maps.arena);
}

static __u64 random_page(int a)
{
	return arena_base(a) + rnd(PAGES) * PAGE;
}

static int map_arena(int a)
{
	void *mem = arena_mmap(arena_fd(a), arena_base(a), SIZE, RW, MAP_FIXED_NOREPLACE);

	return mem == MAP_FAILED ? -errno : 0;
}

static int note_signal(int sig)
{
	if (sig)
		count(sig == SIGSEGV ? &shared->segv : &shared->bus);
	return sig ? -EFAULT : 0;
}

static void check_word(__u64 page, __u64 word, const char *who)
{
	if (word && STRESS_TAG_ADDR(word) != page)
		error("%s: %llx at %llx", who, word, page);
}

static int peek(__u64 addr, __u64 *word)
{
	return note_signal(arena_peek((void *)addr, word));
}

static int poke(__u64 addr, __u64 word)
{
	return note_signal(arena_poke((void *)addr, word));
}

/* Whatever is there, it belongs there. */
static int do_read(void)
{
	__u64 page = random_page(rnd(ARENAS)), word;
	int err = peek(page + STRESS_LAST, &word);

	if (!err)
		check_word(page, word, "read");
	return err;
}

static int do_write(void)
{
	__u64 page = random_page(!STRICT);

	return poke(page + STRESS_MIDDLE, page | me);
}

static int run(int a, struct stress_op *op)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = op, .ctx_size_in = sizeof(*op));

	return bpf_prog_test_run_opts(bpf_program__fd(skel[a]->progs.in_syscall), &opts);
}

static int free_pages(int a, __u64 addr, __u64 cnt)
{
	struct stress_op op = { .code = STRESS_FREE, .addr = addr, .cnt = cnt };

	return run(a, &op);
}

/* User space and BPF agree on a page that is ours. */
static int own_page(__u64 page)
{
	struct stress_op op = { .addr = page + STRESS_FIRST };
	__u64 tag = page | me, word;
	int i, err;

	for (i = 0; i < (int)PAGE; i += 8) {
		err = peek(page + i, &word);
		if (err)
			return err;
		if (word) {
			error("owner: new page %llx has %llx at %d", page, word, i);
			return 0;
		}
	}
	for (i = 0; i < 3; i++) {
		static const int words[] = { STRESS_FIRST, STRESS_MIDDLE, STRESS_LAST };

		err = poke(page + words[i], tag);
		if (err)
			return err;
	}
	op.code = STRESS_LOAD;
	err = run(STRICT, &op);
	if (!err && op.ret != tag)
		error("owner: BPF reads %llx at %llx", op.ret, page);
	op.code = STRESS_STORE;
	op.addr = page + STRESS_DIRT_2;
	op.val = ~0ULL;
	err = err ?: run(STRICT, &op) ?: peek(page + STRESS_DIRT_2, &word);
	if (!err && word != ~0ULL)
		error("owner: user space reads %llx at %llx", word, page);
	err = err ?: peek(page + STRESS_LAST, &word);
	if (!err && word != tag)
		error("owner: %llx at %llx", word, page);
	return err;
}

static int do_owner(void)
{
	struct stress_op op = { .code = STRESS_ALLOC, .cnt = 1 + rnd(OWN) };
	__u32 i;
	int err;

	err = run(STRICT, &op);
	if (err)
		return err;
	if (!op.ret)
		return -ENOMEM;
	shared->owned[me] = op.ret | op.cnt;
	for (i = 0; !err && i < op.cnt; i++)
		err = own_page(op.ret + i * PAGE);
	/* Before, as who is killed in between must not have them freed once more. */
	shared->owned[me] = 0;
	if (free_pages(STRICT, op.ret, op.cnt))
		return -errno;
	/* There is nothing now, or what the next owner has there. */
	for (i = 0; i < op.cnt; i++) {
		__u64 page = op.ret + i * PAGE, word;

		if (!peek(page + STRESS_FIRST, &word) && word == (page | me))
			error("owner: freed page %llx is still there", page);
	}
	return err;
}

static int do_run_syscall(void)
{
	struct stress_op op = { .code = STRESS_VISIT };

	return run(rnd(ARENAS), &op);
}

static int do_run_xdp(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .data_in = &pkt_v4,
		    .data_size_in = sizeof(pkt_v4),
		    .repeat = 1 + rnd(8));

	return bpf_prog_test_run_opts(bpf_program__fd(skel[rnd(ARENAS)]->progs.in_xdp), &opts);
}

static int do_run_raw_tp(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .flags = BPF_F_TEST_RUN_ON_CPU,
		    .cpu = rnd(libbpf_num_possible_cpus()));

	return bpf_prog_test_run_opts(bpf_program__fd(skel[rnd(ARENAS)]->progs.in_raw_tp), &opts);
}

/* A part cannot be unmapped; all of it can. */
static int do_munmap(void)
{
	int a = rnd(ARENAS), err;

	if (!munmap((void *)random_page(a), PAGE))
		error("munmap of a page");
	err = munmap((void *)arena_base(a), SIZE) ? -errno : 0;
	return map_arena(a) ?: err;
}

static int do_mremap(void)
{
	int a = rnd(ARENAS);
	void *mem = mremap((void *)arena_base(a), SIZE, SIZE * (1 + rnd(2)), MREMAP_MAYMOVE,
			   NULL);

	/* To the same size it is there already */
	if (mem != MAP_FAILED && mem != (void *)arena_base(a))
		error("mremap to %p", mem);
	return mem == MAP_FAILED ? -errno : 0;
}

static int do_mprotect(void)
{
	void *mem = (void *)arena_base(rnd(ARENAS));
	int err;

	if (!mprotect((void *)random_page(rnd(ARENAS)), PAGE, PROT_READ))
		error("mprotect of a page");
	err = mprotect(mem, SIZE, PROT_READ) ? -errno : 0;
	return (mprotect(mem, SIZE, RW) ? -errno : 0) ?: err;
}

/* All but those that poison pages. */
static int do_madvise(void)
{
	int advice = rnd(27);

	if (rnd(2))
		return madvise((void *)random_page(rnd(ARENAS)), PAGE, advice) ? -errno : 0;
	return madvise((void *)arena_base(rnd(ARENAS)), SIZE, advice) ? -errno : 0;
}

/* It populates everything. */
static int do_mlock(void)
{
	void *mem = (void *)arena_base(rnd(ARENAS));
	int err = mlock2(mem, SIZE, rnd(2) ? MLOCK_ONFAULT : 0) ? -errno : 0;

	return (munlock(mem, SIZE) ? -errno : 0) ?: err;
}

/* The child does not inherit the mappings, unless it was advised, and ends somehow. */
static int do_fork(void)
{
	int how = rnd(3), a = rnd(ARENAS), status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		map_arena(a);
		do_read();
		do_write();
		if (how == 1)
			munmap((void *)arena_base(a), SIZE);
		if (how == 2)
			raise(SIGKILL);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid ? 0 : -errno;
}

static pid_t peer(void)
{
	return READ_ONCE(shared->worker[(me + 1 + rnd(WORKERS - 1)) % WORKERS]);
}

static int do_ptrace(void)
{
	int a = rnd(ARENAS), err = 0, status;
	__u64 page = random_page(a), word;
	pid_t pid = peer();

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) || waitpid(pid, &status, __WALL) != pid)
		return -errno;
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, page + STRESS_FIRST, NULL);
	err = -errno;
	if (!err)
		check_word(page, word, "ptrace");
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return err;
}

static int do_vm_readv(void)
{
	static char buf[4 * PAGE];
	__u64 page = arena_base(rnd(ARENAS)) + rnd(PAGES - 4) * PAGE;
	struct iovec local = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct iovec remote = { .iov_base = (void *)page, .iov_len = sizeof(buf) };
	ssize_t i, len;

	len = process_vm_readv(peer(), &local, 1, &remote, 1, 0);
	for (i = 0; i < len / (ssize_t)PAGE * (ssize_t)PAGE; i += PAGE) {
		check_word(page + i, *(__u64 *)(buf + i + STRESS_FIRST), "process_vm_readv");
		check_word(page + i, *(__u64 *)(buf + i + STRESS_LAST), "process_vm_readv");
	}
	return len < 0 ? -errno : 0;
}

static int do_vm_writev(void)
{
	__u64 page = random_page(!STRICT), word = page | me;
	struct iovec local = { .iov_base = &word, .iov_len = sizeof(word) };
	struct iovec remote = {
		.iov_base = (void *)(page + STRESS_FIRST),
		.iov_len = sizeof(word),
	};

	return process_vm_writev(peer(), &local, 1, &remote, 1, 0) < 0 ? -errno : 0;
}

/* A device reads pages that may be freed meanwhile. */
static int do_direct_io(void)
{
	int a = rnd(ARENAS), cnt = 1 + rnd(8), disk, err;
	void *from = (void *)(arena_base(a) + rnd(PAGES - cnt) * PAGE);

	disk = open("/dev/ram0", O_WRONLY | O_DIRECT);
	if (disk < 0)
		return -errno;
	err = pwrite(disk, from, cnt * PAGE, 0) < 0 ? -errno : 0;
	close(disk);
	return err;
}

/* A page that is in a pipe stays what it was. */
static int do_vmsplice(void)
{
	__u64 page = random_page(rnd(ARENAS));
	struct iovec iov = { .iov_base = (void *)page, .iov_len = PAGE };
	static __u64 buf[512];
	int p[2], err;

	if (pipe(p))
		return -errno;
	err = vmsplice(p[1], &iov, 1, 0) == PAGE ? 0 : -errno;
	if (!err) {
		usleep(rnd(2000));
		if (read(p[0], buf, PAGE) == PAGE)
			check_word(page, buf[STRESS_MIDDLE / 8], "pipe");
	}
	close(p[0]);
	close(p[1]);
	return err;
}

/* The whole life of an arena */
static int do_create(void)
{
	__u64 base = arena_base(ARENAS + me), size = 64 * PAGE, word;
	int fd, i, err = 0;

	fd = arena_create_raw(BPF_F_MMAPABLE, 64, rnd(2) ? base : 0);
	if (fd < 0)
		return -errno;
	if (arena_mmap(fd, base, size, RW, MAP_FIXED_NOREPLACE) == MAP_FAILED)
		err = -errno;
	/* The mapping keeps it */
	close(fd);
	for (i = 0; !err && i < 16; i++) {
		__u64 page = base + rnd(64) * PAGE;

		err = peek(page, &word);
		if (!err)
			check_word(page, word, "created");
		err = err ?: poke(page, page | me);
	}
	munmap((void *)base, size);
	return err;
}

/* Takes memory away for a moment. */
static int do_anon(void)
{
	size_t size = (1 + rnd(8)) << 20;
	void *mem = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (mem == MAP_FAILED)
		return -errno;
	usleep(rnd(5000));
	munmap(mem, size);
	return 0;
}

static int do_info(void)
{
	static unsigned char vec[PAGES];
	int a = rnd(ARENAS);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", arena_fd(a));
	if (arena_read_number(path, "memlock:\t") < 0)
		return -ENOENT;
	/* There is nothing to sync to */
	msync((void *)arena_base(a), SIZE, MS_SYNC);
	return mincore((void *)arena_base(a), SIZE, vec) ? -errno : 0;
}

static int (* const kinds[NR_KINDS])(void) = {
	do_read, do_write, do_owner, do_run_syscall, do_run_xdp, do_run_raw_tp, do_munmap,
	do_mremap, do_mprotect, do_madvise, do_mlock, do_fork, do_ptrace, do_vm_readv,
	do_vm_writev, do_direct_io, do_vmsplice, do_create, do_anon, do_info,
};

static void worker(int nr, unsigned int seed)
{
	me = nr;
	rnd_state = seed;
	/* This process, not the test, shall go when there is no memory. */
	arena_write_file("/proc/self/oom_score_adj", "500");
	if (map_arena(0) || map_arena(1))
		_exit(2);
	while (!READ_ONCE(shared->stop)) {
		/* What is cheap, most of the time */
		enum kind kind = rnd(2) ? rnd(MUNMAP) : rnd(NR_KINDS);
		int err = kinds[kind]();

		count(err ? &shared->failed[kind] : &shared->done[kind]);
		if (err)
			count(&shared->errnos[-err < ERRNOS ? -err : 0]);
	}
	_exit(0);
}

static bool start_worker(int nr)
{
	static unsigned int generation;
	unsigned int seed = rnd_state + ++generation * 7919;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (!arena_cgroup_join(CGROUP))
			_exit(2);
		worker(nr, seed);
	}
	shared->worker[nr] = pid;
	return ASSERT_GT(pid, 0, "fork");
}

/* Frees what it had, and says why it ended. */
static bool bury_worker(int nr, int status, const struct rusage *usage)
{
	__u64 owned = shared->owned[nr];

	shared->faults += usage->ru_minflt;
	if (owned)
		free_pages(STRICT, owned & -PAGE, owned % PAGE);
	shared->owned[nr] = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	/* Nor may SIGBUS for want of a page table, stack or libc's memory end the test. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
		return true;
	return ASSERT_OK(status, "status of a worker");
}

static void reap_workers(int options)
{
	struct rusage usage;
	int status, i;
	pid_t pid;

	while ((pid = wait4(-1, &status, options, &usage)) > 0) {
		for (i = 0; i < WORKERS; i++) {
			if (shared->worker[i] != pid)
				continue;
			shared->worker[i] = 0;
			bury_worker(i, status, &usage);
		}
	}
}

/* Takes what the machine has to spare, and a little more; it is the first to be killed. */
static pid_t start_hog(void)
{
	size_t size, i;
	pid_t pid;
	char *mem;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	arena_write_file("/proc/self/oom_score_adj", "1000");
	size = arena_read_number("/proc/meminfo", "MemAvailable:") * 1024 - SPARE;
	mem = mmap(NULL, size + 2 * SPARE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(mem, size + 2 * SPARE, MADV_HUGEPAGE);
	for (i = 0; i < size; i += PAGE)
		mem[i] = 1;
	for (; i < size + 2 * SPARE; i += PAGE) {
		mem[i] = 1;
		if (!(i % (1 << 20)))
			usleep(20 * 1000);
	}
	_exit(0);
}

static struct bpf_link *attach_perf_event(struct bpf_program *prog, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.freq = 1,
		.sample_freq = 50,
	};
	int fd = syscall(__NR_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? NULL : bpf_program__attach_perf_event(prog, fd);
}

#define MAX_CPUS	8	/* that get a perf_event */
static struct bpf_link *links[ARENAS * (2 + MAX_CPUS)];
static int nr_links;

static bool attach(int a)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int cpu;

	links[nr_links++] = bpf_program__attach(skel[a]->progs.in_raw_tp);
	links[nr_links++] = bpf_program__attach(skel[a]->progs.in_switch);
	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		struct bpf_link *link = attach_perf_event(skel[a]->progs.in_perf_event, cpu);

		/* There are as many as there are CPUs. */
		if (link)
			links[nr_links++] = link;
		else if (!ASSERT_GT(cpu, 0, "perf_event"))
			return false;
	}
	return ASSERT_OK_PTR(links[0], "attach") && ASSERT_OK_PTR(links[nr_links - 1], "attach") &&
	       ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(skel[a]->progs.start_timer),
						&opts), "timer") &&
	       ASSERT_OK(opts.retval, "timer");
}

static void detach(void)
{
	int a;

	for (a = 0; a < ARENAS; a++)
		skel[a]->bss->stop = true;
	while (nr_links)
		bpf_link__destroy(links[--nr_links]);
}

static bool open_arena(int a)
{
	skel[a] = arena_stress__open();
	if (!ASSERT_OK_PTR(skel[a], "open"))
		return false;
	bpf_map__set_max_entries(skel[a]->maps.arena, PAGES);
	bpf_map__set_map_extra(skel[a]->maps.arena, arena_base(a));
	/* Where pages have owners, a touch must not make one. */
	if (a == STRICT)
		bpf_map__set_map_flags(skel[a]->maps.arena, BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT);
	if (!ASSERT_OK(arena_stress__load(skel[a]), "load"))
		return false;
	skel[a]->bss->base = arena_base(a);
	skel[a]->bss->pages = PAGES;
	skel[a]->bss->strict = a == STRICT;
	/* Workers map it themselves */
	return ASSERT_OK(munmap((void *)arena_base(a), SIZE), "munmap");
}

#define LIFE	300	/* operations of all together, from one kill to the next */

/* Not by time: on a loaded machine nobody would get anything done. */
static void kill_somebody(void)
{
	pid_t pid = shared->worker[rnd(WORKERS)];
	static __u64 last;
	__u64 now = 0;
	int i;

	for (i = 0; i < NR_KINDS; i++)
		now += shared->done[i] + shared->failed[i];
	if (now < last + LIFE || pid <= 0 || kill(pid, SIGKILL))
		return;
	last = now;
	count(&shared->killed);
}

/* The first third with enough memory, then the cgroup has not, then nobody. */
static void stress(int seconds)
{
	__u64 start = arena_now_ms(), ms = seconds * 1000ULL, now;
	bool tight = false;
	pid_t hog = 0;
	int i;

	while ((now = arena_now_ms() - start) < ms) {
		if (now > ms / 3 && !tight)
			tight = arena_write_file(CGROUP "/memory.max", TIGHT);
		if (now > 2 * ms / 3 && (!hog || kill(hog, 0)))
			hog = start_hog();
		for (i = 0; i < WORKERS; i++)
			if (!shared->worker[i] && !start_worker(i))
				return;
		usleep(100 * 1000);
		kill_somebody();
		reap_workers(WNOHANG);
	}
	if (hog)
		kill(hog, SIGKILL);
}

static long long arena_bytes(int a)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", arena_fd(a));
	return arena_read_number(path, "memlock:\t");
}

/* All offsets can be had, and what is in them goes away again, but for tables and stock. */
static void expect_whole_arena(int a)
{
	struct stress_op op = { .code = STRESS_ALLOC, .cnt = PAGES };
	long long bytes;

	free_pages(a, arena_base(a), PAGES);
	ASSERT_TRUE(ARENA_EVENTUALLY(!run(a, &op) && op.ret == arena_base(a)), "whole arena");
	free_pages(a, arena_base(a), PAGES);
	ASSERT_TRUE(ARENA_EVENTUALLY((bytes = arena_bytes(a)) < (512 + 16) * (long long)PAGE),
		    "memory of an empty arena");
	fprintf(env.stdout ?: stdout, "arena_stress: arena %d: empty, %lld bytes\n", a, bytes);
}

/* Slab pages that others share, in bytes */
#define CHARGE_SLACK	(32 * (long long)PAGE)

static void expect_no_charge(void)
{
	long long charge;
	bool ok;

	ok = ARENA_EVENTUALLY(({
		arena_write_file("/proc/sys/vm/drop_caches", "3");
		arena_write_file(CGROUP "/memory.high", "0");
		arena_write_file(CGROUP "/memory.high", "max");
		/* This process has touched memory of its own while it was in there. */
		charge = arena_read_number(CGROUP "/memory.current", "") -
			 arena_read_number(CGROUP "/memory.stat", "anon ");
		charge <= CHARGE_SLACK;
	}));
	fprintf(env.stdout ?: stdout, "arena_stress: the cgroup has %lld bytes left\n", charge);
	if (!ok)
		PRINT_FAIL("%lld bytes charged\n", charge);
}

static void report(unsigned int seed)
{
	static const char * const where[NR_WHERE] = {
		"syscall", "xdp", "raw_tp", "sched_switch", "perf_event", "timer",
	};
	FILE *out = env.stdout ?: stdout;
	int i, a;

	fprintf(out, "arena_stress: seed %u\n", seed);
	for (i = 0; i < NR_KINDS; i++)
		fprintf(out, "arena_stress: %-18s %8llu done %8llu failed\n", kind_names[i],
			shared->done[i], shared->failed[i]);
	for (a = 0; a < ARENAS; a++) {
		for (i = 0; i < NR_WHERE; i++) {
			struct stress_tally *t = &skel[a]->bss->tally[i];

			fprintf(out, "arena_stress: arena %d %-12s %8llu runs ",
				a, where[i], t->runs);
			fprintf(out, "%8llu pages, %8llu freed, %6llu reserved, %6llu refused\n",
				t->got, t->freed, t->reserved, t->none);
			ASSERT_GT(t->got, 0, where[i]);
			ASSERT_EQ(t->dirty, 0, "dirty pages");
			ASSERT_EQ(t->shared, 0, "shared pages");
		}
	}
	for (i = 0; i < ERRNOS; i++)
		if (shared->errnos[i])
			fprintf(out, "arena_stress: %8llu times %s\n", shared->errnos[i],
				i ? strerror(i) : "another errno");
	fprintf(out, "arena_stress: %llu page faults, %llu SIGSEGV, %llu SIGBUS\n",
		shared->faults, shared->segv, shared->bus);
	fprintf(out, "arena_stress: killed: %llu by the test, %lld for want of memory\n",
		shared->killed, arena_read_number(CGROUP "/memory.events", "oom_kill "));
	for (i = 0; i < MESSAGES; i++)
		if (shared->message[i][0])
			PRINT_FAIL("%s\n", shared->message[i]);
	ASSERT_EQ(shared->errors, 0, "errors");
	fflush(out);
}

void serial_test_arena_stress(void)
{
	int seconds = arena_env("ARENA_STRESS_SECONDS", SECONDS);
	unsigned int seed = arena_env("ARENA_STRESS_SEED", time(NULL));
	struct arena_fault_saved saved;
	bool ok;
	int a;

	rnd_state = seed;
	shared = mmap(NULL, sizeof(*shared), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	rmdir(CGROUP);
	if (!ASSERT_NEQ(shared, MAP_FAILED, "mmap") || !ASSERT_OK(mkdir(CGROUP, 0755), CGROUP))
		return;
	arena_fault_catch(&saved);
	/* The arenas are the cgroup's, and this process, which would go with it, is not. */
	ok = arena_cgroup_join(CGROUP);
	for (a = 0; ok && a < ARENAS; a++)
		ok = open_arena(a);
	ok = arena_cgroup_join(ARENA_CGROUP_ROOT) && ok;
	for (a = 0; ok && a < ARENAS; a++)
		ok = attach(a);
	if (ok)
		stress(seconds);

	WRITE_ONCE(shared->stop, true);
	reap_workers(0);
	detach();
	if (ok) {
		report(seed);
		arena_write_file(CGROUP "/memory.max", "max");
		for (a = 0; a < ARENAS; a++)
			expect_whole_arena(a);
	}
	for (a = 0; a < ARENAS; a++)
		arena_stress__destroy(skel[a]);
	expect_no_charge();
	arena_fault_restore(&saved);
	ASSERT_TRUE(ARENA_EVENTUALLY(!rmdir(CGROUP)), CGROUP);
	munmap(shared, sizeof(*shared));
}
