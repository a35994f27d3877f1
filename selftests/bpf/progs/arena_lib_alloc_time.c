// SPDX-License-Identifier: GPL-2.0
/* How long a call takes if somebody else has the heap's lock whenever it wants it again. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

/* How long programs wait: the test says. */
__u64 wait_ns = 1000000;
#define ARENA_SPIN_BPF_NS	READ_ONCE(wait_ns)
#include "arena_lib_alloc_time.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 3000);
} arena SEC(".maps");

__u64 hold_ns;
__u64 held_until;

/* What the heap unlocks somebody locks at once, if the test wants it so. */
static __noinline void heap_unlock(arena_spinlock_t __arena *lock)
{
	arena_spin_unlock(lock);
	if (!hold_ns)
		return;
	held_until = bpf_ktime_get_ns() + hold_ns;
	arena_spin_take(lock, SOMEBODY);
}

#define arena_spin_unlock(lock)	heap_unlock(lock)
#include "bpf_arena_alloc.h"

struct arena_heap __arena_global heap;

struct timed timed;

static __noinline int time_one(void)
{
	__u64 ns = bpf_ktime_get_ns();

	timed.got += !!arena_malloc(&heap, ARENA_MALLOC_MAX);
	ns = bpf_ktime_get_ns() - ns;
	if (ns > timed.max_ns)
		timed.max_ns = ns;
	WRITE_ONCE(timed.calls, timed.calls + 1);
	return 0;
}

SEC("syscall")
int in_syscall(void *ctx)
{
	return time_one();
}

SEC("xdp")
int in_xdp(struct xdp_md *ctx)
{
	return time_one();
}

#define do_in_softirq()	time_one()
#include "arena_lib_softirq.h"

SEC("syscall")
int make_range(void *ctx)
{
	return arena_heap_init_range(&heap, arena_base(&arena) + 1000UL * PAGE_SIZE, 2000);
}

char _license[] SEC("license") = "GPL";
