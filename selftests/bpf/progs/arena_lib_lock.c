// SPDX-License-Identifier: GPL-2.0
/* The lock in an arena, taken by programs that wait for, and interrupt, each other. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "arena_lib_lock.h"

/* How long programs wait: the test says. */
__u64 wait_ns = 1000000;
#define ARENA_SPIN_BPF_NS	READ_ONCE(wait_ns)
#include "bpf_arena_spin_lock.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
} arena SEC(".maps");

arena_spinlock_t __arena_global lock;
arena_spinlock_t __arena_global other;
__u64 __arena_global count;

struct taken taken[NR_TAKERS];
__u32 turns;
__u32 stop;

static __always_inline void add(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

/* Counts one under the lock. It may be that several do so for the same taker. */
static __always_inline int count_one(enum taker taker)
{
	struct taken *t = &taken[taker];
	__u64 begin = bpf_ktime_get_ns();
	int err;

	err = arena_spin_lock(&lock);
	if (err) {
		__u64 ns = bpf_ktime_get_ns() - begin;

		add(&t->missed);
		t->err = -err;
		if (!t->min_ns || t->min_ns > ns)
			t->min_ns = ns;
		return err;
	}
	WRITE_ONCE(count, READ_ONCE(count) + 1);
	arena_spin_unlock(&lock);
	add(&t->got);
	return 0;
}

/* A miss ends the run: perhaps the holder only waits for this CPU. */
SEC("syscall")
int in_syscall(void *ctx)
{
	int i;

	bpf_for(i, 0, turns)
		if (count_one(BY_SYSCALL))
			break;
	return 0;
}

SEC("xdp")
int in_xdp(struct xdp_md *ctx)
{
	int i;

	bpf_for(i, 0, turns)
		if (count_one(BY_XDP))
			break;
	return XDP_PASS;
}

SEC("perf_event")
int in_interrupt(void *ctx)
{
	count_one(BY_CLOCK);
	return 0;
}

SEC("raw_tp/nmi_handler")
int in_nmi(void *ctx)
{
	count_one(BY_NMI);
	return 0;
}

SEC("raw_tp/bpf_trace_printk")
int in_printk(void *ctx)
{
	count_one(BY_PRINTK);
	return 0;
}

/* Holds the lock, and with it the CPU, until told to stop, or for five seconds. */
SEC("syscall")
int hold(void *ctx)
{
	__u64 end = bpf_ktime_get_ns() + 5000000000ULL;
	int i, j;

	if (arena_spin_lock(&lock))
		return 1;
	/* A loop's most turns take less than a second where the clock is read fast. */
	bpf_for(i, 0, 1000) {
		bpf_for(j, 0, 1 << 20)
			if (READ_ONCE(stop) || bpf_ktime_get_ns() > end)
				break;
		if (READ_ONCE(stop) || bpf_ktime_get_ns() > end)
			break;
	}
	arena_spin_unlock(&lock);
	return 0;
}

/* Others come while it has two locks; they may have one when it has one. */
SEC("syscall")
int reenter(void *ctx)
{
	int again = 0, tried;

	if (arena_spin_lock(&lock))
		return 1;
	if (arena_spin_lock(&other)) {
		arena_spin_unlock(&lock);
		return 2;
	}
	bpf_printk("arena_lib_lock");
	again = arena_spin_lock(&other);
	if (!again)
		arena_spin_unlock(&other);
	tried = arena_spin_trylock(&lock);
	if (tried)
		arena_spin_unlock(&lock);
	arena_spin_unlock(&lock);
	bpf_printk("arena_lib_lock");
	arena_spin_unlock(&other);
	return again == -ETIMEDOUT && !tried ? 0 : 3;
}

char _license[] SEC("license") = "GPL";
