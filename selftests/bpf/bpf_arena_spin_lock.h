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
 * died. It returns -ETIMEDOUT then, and the lock is as if one had never asked.
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
 * The lock is not fair. Waiters are not queued, since one that gives up, or is killed,
 * would have to be taken out of the queue by somebody else, while nobody knows whether
 * it still runs. What a queue buys, bounded waiting, all have by the time limits.
 */
#ifndef __BPF_ARENA_SPIN_LOCK_H
#define __BPF_ARENA_SPIN_LOCK_H

#include "bpf_arena_atomic.h"

#ifndef __BPF__
#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>
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
 * program on that CPU, anything else the ID of a thread of user space. (It is that of
 * its first lock: a thread that forked while it had locked before lends it to its child.)
 */
typedef struct {
	__u32 holder;
} arena_spinlock_t;

#define ARENA_SPIN_CPU		0x80000000U

#define arena_must_check	__attribute__((warn_unused_result))

/* Who holds the lock now, for a message: it may be another one the next moment. */
static inline __u32 arena_spin_holder(const arena_spinlock_t __arena *lock)
{
	return arena_load_acquire(&lock->holder);
}

static __always_inline int arena_spin_take(arena_spinlock_t __arena *lock, __u32 me)
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

static __always_inline __u32 arena_spin_me(void)
{
	return ARENA_SPIN_CPU | bpf_get_smp_processor_id();
}

static __noinline int arena_spin_wait(arena_spinlock_t __arena *lock)
{
	__u64 end = bpf_ktime_get_ns() + ARENA_SPIN_BPF_NS;
	__u32 me = arena_spin_me();
	__u32 holder;
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

#define arena_preempt_disable()	bpf_preempt_disable()
#define arena_preempt_enable()	bpf_preempt_enable()

#else /* user space */

#define arena_preempt_disable()	((void)0)
#define arena_preempt_enable()	((void)0)

#define ARENA_SPIN_PAUSES	1000
#define ARENA_SPIN_YIELDS	100
#define ARENA_SPIN_NAP_NS	50000

static inline __u32 arena_spin_me(void)
{
	static __thread __u32 tid;

	if (!tid)
		tid = syscall(SYS_gettid);
	return tid;
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
	__u32 me = arena_spin_me();
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

#endif /* __BPF_ARENA_SPIN_LOCK_H */
