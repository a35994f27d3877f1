// SPDX-License-Identifier: GPL-2.0
/*
 * Sleepable programs that use an arena are readers of RCU Tasks Trace for as long as
 * they run. A grace period must end, but not before they do.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include "arena_test.h"
#include "arena_rcu.skel.h"

#define RW		(PROT_READ | PROT_WRITE)
#define MIB		(1024UL * 1024)
#define CGROUP		ARENA_CGROUP_ROOT "/arena_rcu"
#define SPARE		(32 * MIB)	/* what the cgroup can do without */
#define CPU		1		/* where they all are */
#define CHILD_MS	60000

/* What the process that a broken kernel does not let go says of itself. */
static struct said {
	const char *doing;
	bool passed;
} *said;

static struct arena_rcu *skel;
static bool preempting;

static bool step(const char *what, bool ok)
{
	said->doing = what;
	return ok;
}

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static bool set_priority(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	return !sched_setscheduler(0, policy, &param);
}

static bool run(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	return !bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
}

static void *spin_thread(void *arg)
{
	pin_to(CPU);
	run(skel->progs.spin);
	return NULL;
}

static int ignore(void *ctx, void *data, size_t size)
{
	return 0;
}

static void *preempt_thread(void *wakeups)
{
	pin_to(CPU);
	if (!set_priority(SCHED_FIFO, 2))
		return NULL;
	WRITE_ONCE(preempting, true);
	while (!READ_ONCE(skel->bss->stop))
		ring_buffer__poll(wakeups, 100);
	return NULL;
}

/* The arena has next to nothing left, but for memory that can be reclaimed. */
static bool make_tight(void)
{
	char limit[32], *mem;

	mem = mmap(NULL, SPARE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return false;
	memset(mem, 1, SPARE);
	if (madvise(mem, SPARE, MADV_FREE) || !arena_cgroup_join(ARENA_CGROUP_ROOT))
		return false;
	snprintf(limit, sizeof(limit), "%llu",
		 arena_read_number(CGROUP "/memory.current", "") + MIB);
	return arena_write_file(CGROUP "/memory.max", limit);
}

/* The program is freed a grace period later. */
static bool start_period(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	struct bpf_insn insns[] = { BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN() };
	int fd;

	fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, NULL, "GPL", insns, ARRAY_SIZE(insns), &opts);
	return fd >= 0 && !close(fd);
}

static bool is_idle(void)
{
	__u64 scans = READ_ONCE(skel->bss->scans);

	arena_nap();
	return READ_ONCE(skel->bss->periods) == scans && READ_ONCE(skel->bss->scans) == scans;
}

/*
 * A reader that allocates is preempted where it queues itself, before the one that spins.
 * In many readers, since one that is queued for another reason comes there no more.
 */
static bool reclaim_in_readers(void)
{
	int i;

	if (!step("set its priority", set_priority(SCHED_FIFO, 1)))
		return false;
	pin_to(CPU);
	WRITE_ONCE(skel->bss->allocator, gettid());
	for (i = 0; i < 256; i++)
		if (!step("run allocate", run(skel->progs.allocate)))
			return false;
	pin_to(0);
	set_priority(SCHED_OTHER, 0);
	return step("reclaim", skel->bss->allocated == 4096) &&
	       step("be preempted", skel->bss->preempted);
}

static bool readers_and_period(struct ring_buffer *wakeups)
{
	pthread_t spinner, preempter;
	__u64 scans, periods;
	bool ok;

	if (!step("see a grace period", start_period()) ||
	    !step("see it end", ARENA_EVENTUALLY(READ_ONCE(skel->bss->periods))) ||
	    !step("see no other", ARENA_EVENTUALLY(is_idle())) ||
	    !step("make a thread", !pthread_create(&spinner, NULL, spin_thread, NULL)) ||
	    !step("make a thread", !pthread_create(&preempter, NULL, preempt_thread, wakeups)))
		return false;
	ok = step("spin", ARENA_EVENTUALLY(READ_ONCE(skel->bss->spinning))) &&
	     step("wait to preempt", ARENA_EVENTUALLY(READ_ONCE(preempting))) &&
	     reclaim_in_readers();
	if (ok) {
		scans = READ_ONCE(skel->bss->scans);
		periods = READ_ONCE(skel->bss->periods);
		ok = step("start a grace period", start_period()) &&
		     step("see the list of readers end",
			  ARENA_EVENTUALLY(READ_ONCE(skel->bss->scans) != scans));
		arena_nap();
		ok = ok && step("see the grace period wait for the reader",
				READ_ONCE(skel->bss->periods) == periods);
	}
	WRITE_ONCE(skel->bss->stop, true);
	ok = ok && step("see the grace period end",
			ARENA_EVENTUALLY(READ_ONCE(skel->bss->periods) != periods));
	pthread_join(spinner, NULL);
	pthread_join(preempter, NULL);
	return ok;
}

static void child(void)
{
	struct ring_buffer *wakeups = NULL;

	if (step("join the cgroup", arena_cgroup_join(CGROUP))) {
		skel = arena_rcu__open_and_load();
		if (step("load", skel) && step("attach", !arena_rcu__attach(skel)))
			wakeups = ring_buffer__new(bpf_map__fd(skel->maps.wakeups), ignore,
						   NULL, NULL);
	}
	said->passed = wakeups && step("fill the cgroup", make_tight()) &&
		       readers_and_period(wakeups);
	_exit(0);
}

static bool ends(pid_t pid)
{
	__u64 end = arena_now_ms() + CHILD_MS;

	while (arena_now_ms() < end) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		arena_nap();
	}
	return false;
}

/*
 * Trap: a task that sleeps in a program is put on RCU's list twice. In a process of its
 * own: where a grace period does not end, nothing that waits for one can be killed.
 */
static void preempted_reader(void)
{
	struct utsname uts;
	pid_t pid;

	if (uname(&uts) || !strstr(uts.version, "PREEMPT")) {
		test__skip();
		return;
	}
	rmdir(CGROUP);
	if (!arena_write_file(ARENA_CGROUP_ROOT "/cgroup.subtree_control", "+memory") ||
	    !ASSERT_OK(mkdir(CGROUP, 0755), CGROUP))
		return;
	memset(said, 0, sizeof(*said));
	said->doing = "start";
	pid = fork();
	if (!pid)
		child();
	if (ASSERT_GT(pid, 0, "fork") && ASSERT_TRUE(ends(pid), "the process ends"))
		ASSERT_TRUE(ARENA_EVENTUALLY(!rmdir(CGROUP)), CGROUP);
	if (!said->passed)
		PRINT_FAIL("failed to %s\n", said->doing);
}

/* Sets real-time priorities, and waits for all readers there are: not beside others. */
void serial_test_arena_rcu(void)
{
	said = mmap(NULL, sizeof(*said), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!ASSERT_NEQ(said, MAP_FAILED, "mmap"))
		return;
	if (libbpf_num_possible_cpus() < 2)
		PRINT_FAIL("this race needs a CPU of its own\n");
	else if (test__start_subtest("preempted_reader"))
		preempted_reader();
	munmap(said, sizeof(*said));
}
