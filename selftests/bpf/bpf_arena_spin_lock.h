/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A spin lock in an arena, for BPF programs of all types and for user space, which
 * may all contend for the same one. Zeroed memory is an unlocked lock.
 *
 *	arena_spinlock_t __arena_global lock;
 *	__u64 __arena_global sum;
 *
 *	if (arena_spin_lock(&lock))
 *		return 0;			do without, and count it
 *	sum += value;
 *	arena_spin_unlock(&lock);
 *
 * Nobody waits for ever, so arena_spin_lock() can fail, and must be checked: a holder
 * may be what a program has interrupted, a process that does not run, or one that
 * died. It returns -ETIMEDOUT then, and the lock is as if one had never asked. What a
 * thread held that died, user space can break: arena_spin_break().
 *
 * - A program that holds a lock has preemption disabled. The verifier demands that it
 *   unlocks on every path, lets it hold up to 16 of them, and refuses tail calls and
 *   all that may sleep meanwhile; bpf_arena_alloc_pages() returns NULL where it would
 *   have to sleep. Hold it for a few microseconds: it is not preemptible time.
 * - A program that waits gives up after ARENA_SPIN_BPF_NS, or at once if the holder is
 *   a program on its own CPU: it has interrupted that one (in an interrupt, an NMI, or
 *   by a tracepoint inside the section), or is about to take the lock a second time.
 *   It loops by bpf_for(), which takes nothing from the program's budget of turns.
 * - User space waits for ARENA_SPIN_USER_NS, first spinning, then yielding, then asleep.
 *   A thread that is preempted while it holds the lock makes programs time out: mostly
 *   its time slice is longer than they wait. Take no lock in a signal handler that the
 *   code it interrupts may hold.
 *
 * The lock says which thread holds it, by its ID and by when it has begun, so that another
 * thread that got the ID later is not taken for it. A thread reads the latter from /proc once,
 * when it takes a lock for the first time. IDs are those of a PID namespace, and times those of
 * a time namespace: who breaks locks has to be in the same ones as all who take them, and sees
 * that they are the PID namespace of its /proc; of time namespaces it can see nothing. Where a
 * thread has no /proc, or no descriptor for it then, its locks have no time, and can be broken
 * only while nobody has its ID.
 *
 * A thread that died with the lock may have done half of what it wanted to do under it. Who
 * breaks the lock does not know, and has to look: at a list whose neighbours do not agree, at
 * a counter that does not. For that there is arena_spin_take_over(), by which nobody else has
 * the lock before that is done. Before there were these two, it was held for ever: by 357 of
 * 1500 processes that were killed while they were busy with a heap.
 *
 * A program that calls global functions with a lock held defines ARENA_SPIN_CALLS before it
 * includes this: mainline from 6.15 on allows that (for functions that do not sleep). On
 * 6.12 preemption is left enabled then, and whoever preempts a holder fails at once.
 *
 * The lock is not fair. Waiters are not queued, since one that gives up, or is killed,
 * would have to be taken out of the queue by somebody else, while nobody knows whether
 * it still runs. What a queue buys, bounded waiting, all have by the time limits.
 */
#ifndef __BPF_ARENA_SPIN_LOCK_H
#define __BPF_ARENA_SPIN_LOCK_H

#include "bpf_arena_atomic.h"

#ifndef __BPF__
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#endif

#ifndef ETIMEDOUT
#define ETIMEDOUT		110
#endif

#ifndef ARENA_SPIN_BPF_NS
#define ARENA_SPIN_BPF_NS	1000000ULL
#endif
#ifndef ARENA_SPIN_USER_NS
#define ARENA_SPIN_USER_NS	1000000000ULL
#endif

/*
 * Who has it, for others to wait or to tell: 0 nobody, ARENA_SPIN_CPU | cpu a BPF
 * program on that CPU, anything else a thread of user space: its ID in the lower half, and
 * in the upper one when it has begun, in ticks of /proc/TID/stat, or 0 if it does not know.
 */
typedef struct {
	__u64 holder;
} arena_spinlock_t;

#define ARENA_SPIN_CPU		0x80000000U

#define arena_must_check	__attribute__((warn_unused_result))

/*
 * Who holds the lock now, a CPU or a thread, for a message: it may be another one the next
 * moment.
 */
static inline __u32 arena_spin_holder(const arena_spinlock_t __arena *lock)
{
	return arena_load_acquire(&lock->holder);
}

static __always_inline int arena_spin_take(arena_spinlock_t __arena *lock, __u64 me)
{
	return !__sync_val_compare_and_swap(&lock->holder, 0, me);
}

#ifdef __BPF__

void bpf_preempt_disable(void)
	__ksym __weak;
void bpf_preempt_enable(void)
	__ksym __weak;

/*
 * As many as there are: the clock ends the waiting. Reading it is what makes a turn
 * long, and keeps the CPU off the lock.
 */
#define ARENA_SPIN_TURNS	8388608

static __always_inline __u64 arena_spin_me(void)
{
	return ARENA_SPIN_CPU | bpf_get_smp_processor_id();
}

static __noinline int arena_spin_wait(arena_spinlock_t __arena *lock)
{
	__u64 end = bpf_ktime_get_ns() + ARENA_SPIN_BPF_NS;
	__u64 me = arena_spin_me();
	__u64 holder;
	int turn;

	bpf_for(turn, 0, ARENA_SPIN_TURNS) {
		/* Read first: a cmpxchg would take the cache line from the holder. */
		holder = arena_load_acquire(&lock->holder);
		if (!holder && arena_spin_take(lock, me))
			return 0;
		if (holder == me || bpf_ktime_get_ns() > end)
			break;
	}
	return -ETIMEDOUT;
}

#ifdef ARENA_SPIN_CALLS
#define arena_spin_disables_preemption()	arena_calls_in_sections()
#else
#define arena_spin_disables_preemption()	1
#endif

static __always_inline void arena_preempt_disable(void)
{
	if (arena_spin_disables_preemption())
		bpf_preempt_disable();
}

static __always_inline void arena_preempt_enable(void)
{
	if (arena_spin_disables_preemption())
		bpf_preempt_enable();
}

#else /* user space */

static inline void arena_preempt_disable(void)
{
}

static inline void arena_preempt_enable(void)
{
}

#define ARENA_SPIN_PAUSES	1000
#define ARENA_SPIN_YIELDS	100
#define ARENA_SPIN_NAP_NS	50000
#define ARENA_SPIN_LOOKS	1000

/* The beginning of a file, with a 0 after it, or a negative errno. */
static inline int arena_spin_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, size - 1);
	if (len < 0)
		len = -errno;
	else
		text[len] = 0;
	close(fd);
	return len;
}

/* Of /proc/TID/stat */
#define ARENA_SPIN_STATE	3
#define ARENA_SPIN_BEGUN	22

/*
 * When the thread has begun whose stat file this is, the lower half. -ESRCH if it has ended,
 * be it that its parent has not asked for its status, or that its process has other threads.
 */
static inline int arena_spin_begun(const char *path, __u32 *begun)
{
	char text[1024], *at;
	int field, err;

	err = arena_spin_read(path, text, sizeof(text));
	if (err < 0)
		return err;
	/* There may be anything in the name, which is in parentheses before the state. */
	at = strrchr(text, ')');
	for (field = ARENA_SPIN_STATE; at && field <= ARENA_SPIN_BEGUN; field++) {
		at = strchr(at, ' ');
		if (!at)
			break;
		at++;
		if (field == ARENA_SPIN_STATE && (*at == 'Z' || *at == 'X'))
			return -ESRCH;
	}
	if (!at)
		return -EINVAL;
	*begun = strtoull(at, NULL, 10);
	return 0;
}

/*
 * A word that is 0 in a new process, whether it has begun by exec() or by fork(). NULL if
 * there is no memory for it.
 */
static inline __u32 *arena_spin_process(void)
{
	static __u32 *word;
	__u32 *seen = __atomic_load_n(&word, __ATOMIC_ACQUIRE), *page;

	if (seen)
		return seen;
	page = (__u32 *)mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (!madvise(page, PAGE_SIZE, MADV_WIPEONFORK) &&
	    __atomic_compare_exchange_n(&word, &seen, page, 0, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return page;
	munmap(page, PAGE_SIZE);
	return seen;
}

/* What is forked is another thread, though it finds here what its parent's was. */
static inline __u64 arena_spin_me(void)
{
	static __thread __u64 me;
	static __thread __u32 pid;
	__u32 *process = arena_spin_process();
	__u32 begun, now;
	__u64 id;

	if (me && process && __atomic_load_n(process, __ATOMIC_RELAXED) == pid)
		return me;
	/* A signal handler that asks meanwhile finds nothing, and asks for itself. */
	WRITE_ONCE(me, 0);
	now = getpid();
	id = (__u32)syscall(SYS_gettid);
	if (!arena_spin_begun("/proc/thread-self/stat", &begun))
		id |= (__u64)begun << 32;
	WRITE_ONCE(pid, now);
	if (process)
		__atomic_store_n(process, now, __ATOMIC_RELAXED);
	WRITE_ONCE(me, id);
	return id;
}

static inline __u64 arena_spin_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline void arena_spin_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

/* The later, the less likely is the holder to be done soon. */
static inline void arena_spin_relax(__u32 turn)
{
	struct timespec nap = { .tv_nsec = ARENA_SPIN_NAP_NS };

	if (turn < ARENA_SPIN_PAUSES)
		arena_spin_pause();
	else if (turn < ARENA_SPIN_PAUSES + ARENA_SPIN_YIELDS)
		sched_yield();
	else
		nanosleep(&nap, NULL);
}

static inline int arena_spin_wait(arena_spinlock_t *lock)
{
	__u64 end = arena_spin_now() + ARENA_SPIN_USER_NS;
	__u64 me = arena_spin_me();
	__u32 turn = 0;

	do {
		arena_spin_relax(turn++);
		if (!arena_load_acquire(&lock->holder) && arena_spin_take(lock, me))
			return 0;
	} while (arena_spin_now() <= end);
	return -ETIMEDOUT;
}

#endif /* __BPF__ */

/**
 * arena_spin_trylock() - take the lock if nobody has it
 * @lock: the lock, in the arena
 *
 * Context: any. A program has preemption disabled if it gets the lock.
 * Return: 1 if the lock is taken, 0 if not
 */
static __always_inline arena_must_check
int arena_spin_trylock(arena_spinlock_t __arena *lock)
{
	arena_preempt_disable();
	if (arena_spin_take(lock, arena_spin_me()))
		return 1;
	arena_preempt_enable();
	return 0;
}

/**
 * arena_spin_lock() - take the lock, or give up
 * @lock: the lock, in the arena
 *
 * Waits for as long as the head of this file says, if somebody else has it.
 *
 * Context: any. A program has preemption disabled if it gets the lock.
 * Return: 0 if the lock is taken, -ETIMEDOUT if not
 */
static __always_inline arena_must_check
int arena_spin_lock(arena_spinlock_t __arena *lock)
{
	arena_preempt_disable();
	if (arena_spin_take(lock, arena_spin_me()) || !arena_spin_wait(lock))
		return 0;
	arena_preempt_enable();
	return -ETIMEDOUT;
}

/**
 * arena_spin_unlock() - release a lock that is held
 * @lock: the lock, taken by this program run or thread
 *
 * Context: any. A program that holds no other lock may be preempted again.
 */
static __always_inline void arena_spin_unlock(arena_spinlock_t __arena *lock)
{
	arena_store_release(&lock->holder, 0);
	arena_preempt_enable();
}

#ifndef __BPF__

/* Is /proc of this process's PID namespace? Otherwise threads have other IDs there. */
static inline int arena_spin_own_proc(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	int own = !!status;
	char text[1024];

	if (!status)
		return 0;
	/*
	 * From /proc's namespace down to the process's own. There are none without the line.
	 * A line before it may have thousands of groups, and comes in pieces.
	 */
	while (fgets(text, sizeof(text), status)) {
		if (strncmp(text, "NSpid:\t", 7))
			continue;
		own = text[7 + strspn(text + 7, "0123456789")] == '\n';
		break;
	}
	own = own && !ferror(status);
	fclose(status);
	return own;
}

/* Whatever /proc is, or hides */
static inline int arena_spin_nobody_has(__u32 tid)
{
	return syscall(SYS_tkill, tid, 0) && (errno == ESRCH || errno == EINVAL);
}

/* -EBUSY if the thread lives that @holder is, -ESRCH if it is gone */
static inline int arena_spin_look_for(__u64 holder)
{
	__u32 tid = holder, begun;
	char path[32];
	int err;

	if (arena_spin_nobody_has(tid))
		return -ESRCH;
	if (!arena_spin_own_proc())
		return -EACCES;
	snprintf(path, sizeof(path), "/proc/%u/stat", tid);
	err = arena_spin_begun(path, &begun);
	if (!err)
		return holder >> 32 && holder >> 32 != begun ? -ESRCH : -EBUSY;
	/* It may have gone just now. */
	return err == -ESRCH || arena_spin_nobody_has(tid) ? -ESRCH : -EACCES;
}

/*
 * Of a hold that a thread left behind make @next. No thread that is gone takes or releases a
 * lock: as long as the word is the same, so is the hold that was looked at.
 */
static inline int arena_spin_replace(arena_spinlock_t *lock, __u64 next)
{
	__u64 holder;
	int err, turn;

	/* A partner that goes on writing must not keep us here. */
	for (turn = 0; turn < ARENA_SPIN_LOOKS; turn++) {
		holder = arena_load_acquire(&lock->holder);
		if (!holder)
			return -ENOENT;
		if (holder & ARENA_SPIN_CPU)
			return -EPERM;
		err = arena_spin_look_for(holder);
		if (err != -ESRCH)
			return err;
		if (__sync_val_compare_and_swap(&lock->holder, holder, next) == holder)
			return 0;
	}
	return -EBUSY;
}

/**
 * arena_spin_break() - release a lock whose holder is gone
 * @lock: the lock
 *
 * For when arena_spin_lock() has failed. It releases the lock if a thread of user space holds
 * it that has ended. That may be any time ago, and its ID may be another's now. Of several who
 * break the lock at the same time one is told 0, and none of them breaks what somebody takes
 * meanwhile. What the lock protects may be half changed: unless it is known to be right at
 * every moment, prefer arena_spin_take_over().
 *
 * A program that holds the lock runs: the kernel sees to it that it unlocks. A thread that got
 * the holder's ID, and began in the same tick of 10 ms as the holder had, is taken for it. By
 * exec() the first thread of a process lives on, and another one becomes the first, whose ID
 * and begin it has from then on: what the first one held cannot be broken then, and what the
 * other one held can. A child of vfork() must take no lock: it would be its parent's.
 *
 * Context: user space
 * Return: 0 if it was held by a thread that is gone, and is released,
 * -ENOENT if nobody holds it,
 * -EBUSY if the thread that holds it lives, or it is another one at each look,
 * -EPERM if a program holds it,
 * -EACCES if it cannot be told, since /proc is not there, is of another PID namespace, or
 * hides other users' processes
 */
static inline int arena_spin_break(arena_spinlock_t *lock)
{
	return arena_spin_replace(lock, 0);
}

/**
 * arena_spin_take_over() - take a lock whose holder is gone
 * @lock: the lock
 *
 * As arena_spin_break(), but if it returns 0 the caller has the lock, and can put what it
 * protects in order before anybody else sees it. Then arena_spin_unlock() is due.
 *
 * Context: user space
 * Return: 0 if it was held by a thread that is gone, and is the caller's; or else as
 * arena_spin_break()
 */
static inline arena_must_check int arena_spin_take_over(arena_spinlock_t *lock)
{
	return arena_spin_replace(lock, arena_spin_me());
}

#endif /* !__BPF__ */

#endif /* __BPF_ARENA_SPIN_LOCK_H */
