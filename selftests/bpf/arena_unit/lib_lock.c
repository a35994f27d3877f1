// SPDX-License-Identifier: GPL-2.0
/* The lock of ../bpf_arena_spin_lock.h among threads, and among processes that are killed. */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Who waits for one that never unlocks need not do so for a second. */
#define ARENA_SPIN_USER_NS	50000000ULL
#include "bpf_arena_spin_lock.h"
#include "harness.h"

#define THREADS	4
#define TURNS	50000

static arena_spinlock_t lock;
static u64 count[2];

static void *count_up(void *arg)
{
	u64 got = 0;
	int i;

	for (i = 0; i < TURNS; i++) {
		if (i % 8 ? arena_spin_lock(&lock) : !arena_spin_trylock(&lock))
			continue;
		CHECK_EQ(arena_spin_holder(&lock), syscall(SYS_gettid));
		CHECK_EQ(count[0], count[1]);
		count[0]++;
		count[1]++;
		arena_spin_unlock(&lock);
		got++;
	}
	*(u64 *)arg = got;
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	u64 got[THREADS], sum = 0;
	int i;

	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, count_up, &got[i]), 0);
	for (i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
		CHECK(got[i]);
		sum += got[i];
	}
	CHECK_EQ(count[0], sum);
	CHECK_EQ(arena_spin_holder(&lock), 0);
}

static void test_timeout(void)
{
	u64 begin;

	lock.holder = ARENA_SPIN_CPU | 3;
	begin = arena_spin_now();
	CHECK_EQ(arena_spin_lock(&lock), -ETIMEDOUT);
	CHECK(arena_spin_now() - begin >= ARENA_SPIN_USER_NS);
	CHECK_EQ(arena_spin_trylock(&lock), 0);
	CHECK_EQ(arena_spin_holder(&lock), ARENA_SPIN_CPU | 3);
	lock.holder = 0;
	CHECK_EQ(arena_spin_trylock(&lock), 1);
	CHECK_EQ(arena_spin_lock(&lock), -ETIMEDOUT);
	arena_spin_unlock(&lock);
	CHECK_EQ(arena_spin_lock(&lock), 0);
	arena_spin_unlock(&lock);
}

/* What processes share */
static struct shared {
	arena_spinlock_t lock;
	u64 count[2];
	u32 ready;
} *shared;

static void map_shared(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	CHECK(shared != MAP_FAILED);
}

static pid_t start(void (*run)(void))
{
	pid_t pid;

	shared->ready = 0;
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		_exit(0);
	}
	return pid;
}

static void wait_ready(void)
{
	while (!__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE))
		usleep(100);
}

static void end(pid_t pid)
{
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

/* As a zombie, whose status its parent has not asked for */
static void end_unseen(pid_t pid)
{
	siginfo_t info;

	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
}

static void hold(void)
{
	CHECK_EQ(arena_spin_trylock(&shared->lock), 1);
	CHECK_EQ(arena_spin_holder(&shared->lock), syscall(SYS_gettid));
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

static pid_t start_holder(void)
{
	pid_t pid = start(hold);

	wait_ready();
	CHECK_EQ(arena_spin_holder(&shared->lock), pid);
	return pid;
}

static void check_not_broken(int err)
{
	u64 word = shared->lock.holder;

	CHECK_EQ(arena_spin_break(&shared->lock), err);
	CHECK_EQ(arena_spin_take_over(&shared->lock), err);
	CHECK_EQ(shared->lock.holder, word);
}

/* The lock is free, and can be had as ever. */
static void check_free(void)
{
	CHECK_EQ(shared->lock.holder, 0);
	CHECK_EQ(arena_spin_lock(&shared->lock), 0);
	check_not_broken(-EBUSY);
	arena_spin_unlock(&shared->lock);
	check_not_broken(-ENOENT);
}

static void test_break(void)
{
	pid_t pid;
	u64 word;

	map_shared();
	check_free();
	shared->lock.holder = ARENA_SPIN_CPU | 1;
	check_not_broken(-EPERM);
	shared->lock.holder = 0;

	pid = start_holder();
	CHECK(shared->lock.holder >> 32);
	check_not_broken(-EBUSY);
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	check_not_broken(-EBUSY);
	end_unseen(pid);
	CHECK_EQ(arena_spin_lock(&shared->lock), -ETIMEDOUT);
	CHECK_EQ(arena_spin_break(&shared->lock), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	check_free();

	end(start_holder());
	CHECK_EQ(arena_spin_take_over(&shared->lock), 0);
	CHECK_EQ(arena_spin_holder(&shared->lock), syscall(SYS_gettid));
	check_not_broken(-EBUSY);
	arena_spin_unlock(&shared->lock);
	check_free();

	/* A holder that had no /proc: its ID is all there is. */
	pid = start_holder();
	word = shared->lock.holder;
	shared->lock.holder = (u32)word;
	check_not_broken(-EBUSY);
	/* One that began at another time, and had the ID before */
	shared->lock.holder = word - (1ULL << 32);
	CHECK_EQ(arena_spin_break(&shared->lock), 0);
	shared->lock.holder = word;
	end(pid);
	shared->lock.holder = (u32)word;
	CHECK_EQ(arena_spin_break(&shared->lock), 0);
	/* What is no thread, and no CPU */
	shared->lock.holder = 1ULL << 32;
	CHECK_EQ(arena_spin_break(&shared->lock), 0);
	check_free();
}

static void *hold_and_end(void *arg)
{
	(void)arg;
	CHECK_EQ(arena_spin_trylock(&shared->lock), 1);
	return NULL;
}

static void *stay(void *arg)
{
	(void)arg;
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	pause();
	return NULL;
}

/* The first thread ends with the lock, and is a zombie until the other one ends. */
static void hold_and_leave(void)
{
	pthread_t thread;

	CHECK_EQ(arena_spin_trylock(&shared->lock), 1);
	CHECK_EQ(pthread_create(&thread, NULL, stay, NULL), 0);
	pthread_exit(NULL);
}

static void test_thread_ends(void)
{
	pthread_t thread;
	pid_t pid;
	int err;

	map_shared();
	CHECK_EQ(pthread_create(&thread, NULL, hold_and_end, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	/* It may be on its last way out still. */
	while ((err = arena_spin_break(&shared->lock)) == -EBUSY)
		usleep(1000);
	CHECK_EQ(err, 0);
	check_free();

	pid = start(hold_and_leave);
	wait_ready();
	while ((err = arena_spin_break(&shared->lock)) == -EBUSY)
		usleep(1000);
	CHECK_EQ(err, 0);
	CHECK_EQ(kill(pid, 0), 0);
	end(pid);
	check_free();
}

static void *take_once(void *arg)
{
	(void)arg;
	CHECK_EQ(arena_spin_lock(&shared->lock), 0);
	arena_spin_unlock(&shared->lock);
	return NULL;
}

/* Another thread of the child is the first one to take a lock in it. */
static void hold_after_thread(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, take_once, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	hold();
}

/* A child has what its parent knew of itself: that it is the parent. */
static void test_fork(void)
{
	pid_t pid;

	map_shared();
	check_free();
	end(start_holder());
	CHECK_EQ(arena_spin_break(&shared->lock), 0);
	pid = start(hold_after_thread);
	wait_ready();
	CHECK_EQ(arena_spin_holder(&shared->lock), pid);
	check_not_broken(-EBUSY);
	end(pid);
	CHECK_EQ(arena_spin_break(&shared->lock), 0);
	check_free();
}

/* Whoever else is in here has broken the lock, or was let in by one who did. */
static void work(void)
{
	CHECK_EQ(shared->count[0], shared->count[1]);
	__atomic_store_n(&shared->count[0], shared->count[0] + 1, __ATOMIC_RELAXED);
	arena_spin_pause();
	__atomic_store_n(&shared->count[1], shared->count[1] + 1, __ATOMIC_RELAXED);
}

static void be_busy(void)
{
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	for (;;) {
		if (arena_spin_lock(&shared->lock))
			continue;
		work();
		arena_spin_unlock(&shared->lock);
	}
}

#define KILLS	1500
#define USERS	3

/*
 * Kills busy users, and has the lock from those who died with it, while others go on: what
 * they find is never half done, and none of them waits for ever.
 */
static void test_kills(void)
{
	u32 i, held = 0, half = 0;
	pid_t user[USERS];
	struct rng rng;
	int err;

	map_shared();
	rng_init(&rng, 0);
	for (i = 0; i < USERS; i++)
		user[i] = start(be_busy);
	for (i = 0; i < KILLS; i++) {
		u32 victim = rng_below(&rng, USERS);
		pid_t pid = user[victim];

		usleep(rng_below(&rng, 500));
		end(pid);
		err = arena_spin_take_over(&shared->lock);
		CHECK(!err || err == -ENOENT || err == -EBUSY);
		if (!err) {
			held++;
			half += shared->count[0] != shared->count[1];
			shared->count[1] = shared->count[0];
			arena_spin_unlock(&shared->lock);
		}
		CHECK(arena_spin_holder(&shared->lock) != (u32)pid);
		user[victim] = start(be_busy);
		if (i % 16 == 0)
			wait_ready();
	}
	for (i = 0; i < USERS; i++) {
		int status;

		/* A user that has found something wrong has ended before. */
		CHECK_EQ(waitpid(user[i], &status, WNOHANG), 0);
		end(user[i]);
		if (!arena_spin_take_over(&shared->lock)) {
			shared->count[1] = shared->count[0];
			arena_spin_unlock(&shared->lock);
		}
	}
	CHECK_EQ(shared->lock.holder, 0);
	printf("# %u kills, %u with the lock, %u of them half-way\n", KILLS, held, half);
	CHECK(held);
	check_free();
}

#define ROUNDS	2000

static pthread_barrier_t barrier;
static u64 gone;
static u32 broken[ROUNDS];

/* Breaks what is gone, by turns in both ways, and takes the lock, too. */
static void *break_and_take(void *arg)
{
	int i, n, err;

	for (i = 0; i < ROUNDS; i++) {
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_store_n(&shared->lock.holder, gone, __ATOMIC_RELEASE);
		pthread_barrier_wait(&barrier);
		for (n = 0; n < 3; n++) {
			if ((i + (long)arg) % 2) {
				err = arena_spin_break(&shared->lock);
			} else {
				err = arena_spin_take_over(&shared->lock);
				if (!err) {
					work();
					arena_spin_unlock(&shared->lock);
				}
			}
			CHECK(!err || err == -ENOENT || err == -EBUSY);
			if (!err)
				__atomic_fetch_add(&broken[i], 1, __ATOMIC_RELAXED);
			/* A holder that is preempted may be so for long. */
			while (arena_spin_lock(&shared->lock))
				;
			work();
			arena_spin_unlock(&shared->lock);
		}
	}
	return NULL;
}

static void test_breakers(void)
{
	pthread_t threads[THREADS];
	pid_t pid;
	long i;

	map_shared();
	pid = start_holder();
	gone = shared->lock.holder;
	end(pid);
	shared->lock.holder = 0;
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, break_and_take, (void *)i), 0);
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (i = 0; i < ROUNDS; i++)
		CHECK_EQ(broken[i], 1);
	check_free();
}

static const struct test tests[] = {
	{ "threads take it by turns", test_threads },
	{ "nobody waits for ever", test_timeout },
	{ "what a dead thread holds can be broken", test_break },
	{ "a thread ends and its process does not", test_thread_ends },
	{ "a child is not its parent", test_fork },
	{ "users are killed", test_kills },
	{ "several break it, and take it", test_breakers },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
