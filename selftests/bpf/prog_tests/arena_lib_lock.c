// SPDX-License-Identifier: GPL-2.0
/*
 * The lock in an arena keeps programs and threads apart, whoever interrupts whom, and
 * who cannot have it is told so and leaves nothing behind.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "arena_test.h"
#include "bpf_arena_spin_lock.h"
#include "progs/arena_lib_lock.h"
#include "arena_lib_lock.skel.h"

#define LONG_NS		200000000ULL	/* far more than a miss without waiting takes */
#define CLOCK_NS	200000

static struct arena_lib_lock *skel;
static __u64 user_got[2];
static bool race_is_over;

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int run(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	bool xdp = bpf_program__type(prog) == BPF_PROG_TYPE_XDP;
	char packet[64] = {};
	int err;

	if (xdp) {
		opts.data_in = packet;
		opts.data_size_in = sizeof(packet);
	}
	err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	return err ?: opts.retval != (xdp ? XDP_PASS : 0);
}

static struct taken *taken(enum taker taker)
{
	return &skel->bss->taken[taker];
}

static void forget(void)
{
	memset(skel->bss->taken, 0, sizeof(skel->bss->taken));
	skel->bss->turns = 1;
	skel->bss->stop = 0;
}

/* As if nobody had ever failed to get it. */
static void expect_free(void)
{
	ASSERT_EQ(arena_spin_holder(&skel->arena->lock), 0, "holder");
	forget();
	ASSERT_OK(run(skel->progs.in_syscall), "run");
	ASSERT_EQ(taken(BY_SYSCALL)->got, 1, "got");
	if (ASSERT_OK(arena_spin_lock(&skel->arena->lock), "lock"))
		arena_spin_unlock(&skel->arena->lock);
}

static void expect_timeout(enum taker taker, bool waited)
{
	ASSERT_EQ(taken(taker)->got, 0, "got");
	ASSERT_GE(taken(taker)->missed, 1, "missed");
	ASSERT_EQ(taken(taker)->err, ETIMEDOUT, "error");
	if (waited)
		ASSERT_GE(taken(taker)->min_ns, LONG_NS, "waited");
	else
		ASSERT_LT(taken(taker)->min_ns, LONG_NS, "waited");
}

static void user_holds(void)
{
	arena_spinlock_t *lock = &skel->arena->lock;

	if (!ASSERT_EQ(arena_spin_trylock(lock), 1, "trylock"))
		return;
	ASSERT_EQ(arena_spin_holder(lock), syscall(SYS_gettid), "holder");
	forget();
	ASSERT_OK(run(skel->progs.in_syscall), "run");
	expect_timeout(BY_SYSCALL, true);
	ASSERT_OK(run(skel->progs.in_xdp), "run");
	expect_timeout(BY_XDP, true);
	ASSERT_EQ(arena_spin_lock(lock), -ETIMEDOUT, "lock");
	ASSERT_EQ(arena_spin_trylock(lock), 0, "trylock");
	ASSERT_EQ(arena_spin_holder(lock), syscall(SYS_gettid), "holder");
	arena_spin_unlock(lock);
	expect_free();
}

static void *hold_thread(void *arg)
{
	pin_to(1);
	return (void *)(long)run(skel->progs.hold);
}

static void with_holder_on_cpu1(void (*test)(void))
{
	arena_spinlock_t *lock = &skel->arena->lock;
	pthread_t thread;
	void *ret;

	forget();
	pin_to(0);
	if (!ASSERT_OK(pthread_create(&thread, NULL, hold_thread, NULL), "thread"))
		return;
	if (ASSERT_TRUE(ARENA_EVENTUALLY(arena_spin_holder(lock)), "held")) {
		ASSERT_EQ(arena_spin_holder(lock), ARENA_SPIN_CPU | 1, "holder");
		test();
	}
	WRITE_ONCE(skel->bss->stop, 1);
	pthread_join(thread, &ret);
	ASSERT_NULL(ret, "holder's return value");
	expect_free();
}

static void others_want_it(void)
{
	arena_spinlock_t *lock = &skel->arena->lock;

	ASSERT_OK(run(skel->progs.in_syscall), "run");
	expect_timeout(BY_SYSCALL, true);
	ASSERT_EQ(arena_spin_lock(lock), -ETIMEDOUT, "lock");
	ASSERT_EQ(arena_spin_trylock(lock), 0, "trylock");
	ASSERT_EQ(arena_spin_break(lock), -EPERM, "break");
	ASSERT_EQ(arena_spin_take_over(lock), -EPERM, "take over");
	ASSERT_EQ(arena_spin_holder(lock), ARENA_SPIN_CPU | 1, "holder");
}

static void bpf_holds(void)
{
	with_holder_on_cpu1(others_want_it);
}

/* Asks every other CPU for a backtrace, by an interrupt that can't be masked. */
static void send_nmi(void)
{
	struct bpf_link *link = bpf_program__attach(skel->progs.in_nmi);

	if (!ASSERT_OK_PTR(link, "attach"))
		return;
	arena_write_file("/proc/sysrq-trigger", "l");
	ARENA_EVENTUALLY(READ_ONCE(taken(BY_NMI)->missed));
	bpf_link__destroy(link);
	expect_timeout(BY_NMI, false);
}

static void nmi(void)
{
	with_holder_on_cpu1(send_nmi);
}

static void interrupt_cpu1(void)
{
	struct bpf_link *link = arena_clock(skel->progs.in_interrupt, 1, CLOCK_NS);

	ARENA_EVENTUALLY(READ_ONCE(taken(BY_CLOCK)->missed) >= 10);
	bpf_link__destroy(link);
	expect_timeout(BY_CLOCK, false);
}

static void interrupt(void)
{
	with_holder_on_cpu1(interrupt_cpu1);
}

static void tracepoint(void)
{
	struct bpf_link *link = bpf_program__attach(skel->progs.in_printk);
	int i;

	if (!ASSERT_OK_PTR(link, "attach"))
		return;
	forget();
	for (i = 0; i < 5; i++)
		ASSERT_OK(run(skel->progs.reenter), "reenter");
	bpf_link__destroy(link);
	/* A run comes by there twice, once with the lock and once without. */
	ASSERT_EQ(taken(BY_PRINTK)->got, 5, "got");
	ASSERT_EQ(taken(BY_PRINTK)->missed, 5, "missed");
	ASSERT_EQ(taken(BY_PRINTK)->err, ETIMEDOUT, "error");
	ASSERT_LT(taken(BY_PRINTK)->min_ns, LONG_NS, "waited");
	expect_free();
}

static void *race_in_user(void *arg)
{
	long cpu = (long)arg;

	pin_to(cpu);
	while (!READ_ONCE(race_is_over)) {
		if (arena_spin_lock(&skel->arena->lock))
			continue;
		WRITE_ONCE(skel->arena->count, READ_ONCE(skel->arena->count) + 1);
		arena_spin_unlock(&skel->arena->lock);
		user_got[cpu]++;
	}
	return NULL;
}

static void *race_in_bpf(void *arg)
{
	long cpu = (long)arg;

	pin_to(cpu);
	while (!READ_ONCE(race_is_over))
		if (run(cpu ? skel->progs.in_xdp : skel->progs.in_syscall))
			return (void *)1;
	return NULL;
}

#define ENOUGH	50000

/* Two threads and two programs on two CPUs, and another program that interrupts all. */
static void race(void)
{
	void *(*const runners[])(void *) = { race_in_bpf, race_in_user };
	pthread_t threads[4];
	struct bpf_link *clock[2];
	__u64 sum = 0;
	void *ret;
	int i, n;

	forget();
	skel->bss->turns = 1000;
	skel->data->wait_ns = 500000;
	skel->arena->count = 0;
	user_got[0] = 0;
	user_got[1] = 0;
	race_is_over = false;
	for (i = 0; i < 2; i++)
		clock[i] = arena_clock(skel->progs.in_interrupt, i, CLOCK_NS);
	for (n = 0; n < 4; n++)
		if (!ASSERT_OK(pthread_create(&threads[n], NULL, runners[n / 2],
					      (void *)(n % 2L)), "thread"))
			break;
	ASSERT_TRUE(ARENA_EVENTUALLY(READ_ONCE(taken(BY_SYSCALL)->got) > ENOUGH &&
				     READ_ONCE(taken(BY_XDP)->got) > ENOUGH &&
				     READ_ONCE(taken(BY_CLOCK)->got) > 10 &&
				     READ_ONCE(user_got[0]) > ENOUGH &&
				     READ_ONCE(user_got[1]) > ENOUGH), "everybody's turn");
	WRITE_ONCE(race_is_over, true);
	while (n--) {
		pthread_join(threads[n], &ret);
		ASSERT_NULL(ret, "thread's return value");
	}
	for (i = 0; i < 2; i++) {
		bpf_link__destroy(clock[i]);
		sum += user_got[i];
	}
	for (i = 0; i < NR_TAKERS; i++) {
		sum += taken(i)->got;
		printf("taker %d: %llu got, %llu missed\n", i, taken(i)->got, taken(i)->missed);
	}
	printf("user space: %llu, %llu got\n", user_got[0], user_got[1]);
	ASSERT_EQ(skel->arena->count, sum, "count");
	expect_free();
}

/* What a child does: it has no mapping of its parent's, and makes its own. */
static void hold_in_child(void)
{
	size_t size = bpf_map__max_entries(skel->maps.arena) * PAGE_SIZE;
	void *arena = (void *)((unsigned long)skel->arena & ~(PAGE_SIZE - 1UL));

	arena = mmap(arena, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		     bpf_map__fd(skel->maps.arena), 0);
	if (arena == MAP_FAILED || arena_spin_trylock(&skel->arena->lock) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void end(pid_t pid)
{
	ASSERT_OK(kill(pid, SIGKILL), "kill");
	ASSERT_EQ(waitpid(pid, NULL, 0), pid, "wait");
}

/* Starts a process that has this ID, if it is not 0, and the lock, if it shall. */
static pid_t start(pid_t id, bool holds)
{
	__u64 set_tid = (__u64)(unsigned long)&id;
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = id ? set_tid : 0,
		.set_tid_size = !!id,
	};
	pid_t pid;

	pid = syscall(__NR_clone3, &args, sizeof(args));
	if (!pid) {
		if (holds)
			hold_in_child();
		for (;;)
			pause();
	}
	if (!ASSERT_GT(pid, 0, "clone3"))
		return 0;
	if (!holds ||
	    ASSERT_TRUE(ARENA_EVENTUALLY(arena_spin_holder(&skel->arena->lock) == pid), "holder"))
		return pid;
	end(pid);
	return 0;
}

/* The lock is a dead process's, until user space breaks it. */
static void holder_dies(void)
{
	arena_spinlock_t *lock = &skel->arena->lock;
	pid_t pid = start(0, true);

	if (!pid)
		return;
	ASSERT_EQ(arena_spin_break(lock), -EBUSY, "break");
	end(pid);
	forget();
	ASSERT_OK(run(skel->progs.in_xdp), "run");
	expect_timeout(BY_XDP, true);
	ASSERT_EQ(arena_spin_holder(lock), pid, "holder");
	ASSERT_OK(arena_spin_break(lock), "break");
	ASSERT_EQ(arena_spin_break(lock), -ENOENT, "break");
	expect_free();
}

/* Another process has the ID of the one that died. */
static void id_is_used_again(void)
{
	arena_spinlock_t *lock = &skel->arena->lock;
	pid_t pid = start(0, true);

	if (!pid)
		return;
	end(pid);
	/* More than a tick */
	usleep(50000);
	if (!ASSERT_EQ(start(pid, false), pid, "the same ID"))
		return;
	ASSERT_EQ(arena_spin_holder(lock), pid, "holder");
	ASSERT_OK(arena_spin_break(lock), "break");
	ASSERT_OK(kill(pid, 0), "the process");
	end(pid);
	expect_free();

	if (!ASSERT_EQ(start(pid, true), pid, "the same ID"))
		return;
	ASSERT_EQ(arena_spin_break(lock), -EBUSY, "break");
	ASSERT_EQ(arena_spin_holder(lock), pid, "holder");
	end(pid);
	if (ASSERT_OK(arena_spin_take_over(lock), "take over"))
		arena_spin_unlock(lock);
	expect_free();
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "user_holds", user_holds },
	{ "bpf_holds", bpf_holds },
	{ "nmi", nmi },
	{ "interrupt", interrupt },
	{ "tracepoint", tracepoint },
	{ "holder_dies", holder_dies },
	{ "id_is_used_again", id_is_used_again },
	{ "race", race },
};

/* Needs both CPUs: not beside other tests. */
void serial_test_arena_lib_lock(void)
{
	cpu_set_t old;
	int i;

	if (libbpf_num_possible_cpus() < 2) {
		PRINT_FAIL("the test of the lock needs two CPUs\n");
		return;
	}
	sched_getaffinity(0, sizeof(old), &old);
	skel = arena_lib_lock__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open and load"))
		return;
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (!test__start_subtest(tests[i].name))
			continue;
		skel->data->wait_ns = LONG_NS;
		tests[i].run();
		sched_setaffinity(0, sizeof(old), &old);
	}
	arena_lib_lock__destroy(skel);
}
