// SPDX-License-Identifier: GPL-2.0
/*
 * Counts and times the system calls of a process and its descendants, in a
 * hash table and a red-black tree that user space walks while they stay where
 * they are.
 *
 * A call may end on another CPU than the one it began on, and the tree's order
 * is one order for all CPUs: so there is one table, one tree and one lock. A
 * tracepoint's programs run with preemption off and are not entered again by
 * an interrupt, as none makes a system call; so the lock's holder is always
 * running, on another CPU, and a short spin gets the lock.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "arena_demo.h"

#ifndef __BPF_FEATURE_ADDR_SPACE_CAST
#error "address_space(1) needs clang 19 or later: set CLANG"
#endif

/* Tenths of a second: a virtual CPU may be off its host's for a while. */
#define SPINS	4000000

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
} arena SEC(".maps");

struct demo __arena_global demo;

static long try_lock(__u32 index, int *locked)
{
	*locked = !demo.lock && !__sync_lock_test_and_set(&demo.lock, 1);
	return *locked;
}

static void unlock(void)
{
	/* An exchange is a barrier as well, which a plain store is not. */
	__sync_lock_test_and_set(&demo.lock, 0);
}

/* Also called without the lock. */
static void drop(void)
{
	__sync_fetch_and_add(&demo.dropped, 1);
}

/*
 * Returns 0 if there is nothing to do. Without the lock the event is lost, and
 * that is told. Under the lock stop is looked at again: once user space has set
 * it and has then seen the lock free, nothing changes any more.
 */
static int lock(void)
{
	int locked = 0;

	if (demo.stop)
		return 0;
	bpf_loop(SPINS, try_lock, &locked, 0);
	if (!locked) {
		drop();
		return 0;
	}
	if (demo.stop) {
		unlock();
		return 0;
	}
	return 1;
}

/*
 * Memory for a node. A tracepoint cannot wait for memory: a spare page is
 * asked for at every node until there is one, long before it is needed.
 */
static void __arena *carve(__u32 size)
{
	char __arena *node;

	if (!demo.spare) {
		demo.spare = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
		if (demo.spare)
			demo.pages++;
	}
	if (demo.left < size) {
		if (!demo.spare)
			return NULL;
		demo.room = demo.spare;
		demo.left = PAGE_SIZE;
		demo.spare = NULL;
	}
	node = demo.room;
	demo.room += size;
	demo.left -= size;
	demo.nodes++;
	return node;
}

/*
 * Spares most other tasks the lock. A watched one has its node in the table
 * from before it first runs, or from its first call on, until it ends.
 */
static int maybe_watched(__u64 task)
{
	return !!*htab_bucket(&demo.threads, task);
}

static struct thread __arena *find_thread(__u64 task)
{
	return (struct thread __arena *)htab_find(&demo.threads, task);
}

static struct thread __arena *add_thread(__u64 task)
{
	struct htab_node __arena *__arena *slot = htab_slot(&demo.threads, task);
	struct thread __arena *thread;

	if (!slot)
		goto drop;
	thread = (struct thread __arena *)demo.unused;
	if (thread) {
		demo.unused = thread->hash.next;
	} else {
		thread = carve(sizeof(*thread));
		if (!thread)
			goto drop;
	}
	thread->hash.key = task;
	thread->hash.next = NULL;
	thread->nr = NO_CALL;
	*slot = &thread->hash;
	return thread;
drop:
	drop();
	return NULL;
}

static struct call __arena *add_call(__u64 key)
{
	struct htab_node __arena *__arena *slot = htab_slot(&demo.calls, key);
	struct call __arena *call;

	if (!slot)
		return NULL;
	if (*slot)
		return (struct call __arena *)*slot;
	call = carve(sizeof(*call));
	if (!call)
		return NULL;
	call->hash.key = key;
	*slot = &call->hash;
	return call;
}

static void count(__u32 pid, __s64 nr, __u64 ns)
{
	struct call __arena *call = add_call(CALL_KEY(pid, nr));
	__u64 comm[2] = {};

	if (!call) {
		drop();
		return;
	}
	bpf_get_current_comm(comm, sizeof(comm));
	call->comm[0] = comm[0];
	call->comm[1] = comm[1];
	if (ns > call->max)
		call->max = ns;

	if (call->calls++)
		rb_erase(&demo.order, &call->order);
	call->order.key += ns;
	if (rb_insert(&demo.order, &call->order))
		drop();
}

SEC("raw_tp/sys_enter")
int enter(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 task = bpf_get_current_task();
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct thread __arena *thread;
	__s64 nr = ctx->args[1];

	if (pid == demo.self && nr == demo.nr_bpf)
		demo.bpf_calls++;
	if (pid != demo.target && !maybe_watched(task))
		return 0;
	if (!lock())
		return 0;
	thread = find_thread(task);
	if (!thread && pid == demo.target)
		thread = add_thread(task);
	if (thread) {
		thread->nr = nr;
		thread->start = bpf_ktime_get_ns();
	}
	unlock();
	return 0;
}

/*
 * A call that does not return, exit_group() for one, is not counted. A child
 * returns from a fork() that its parent alone has entered: it has no call.
 */
SEC("raw_tp/sys_exit")
int leave(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 end = bpf_ktime_get_ns();
	__u64 task = bpf_get_current_task();
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct thread __arena *thread;

	if (!maybe_watched(task) || !lock())
		return 0;
	thread = find_thread(task);
	if (thread && thread->nr != NO_CALL) {
		count(pid, thread->nr, end - thread->start);
		thread->nr = NO_CALL;
	}
	unlock();
	return 0;
}

/* Tasks tell threads apart: an exec() may change a thread's number. */
SEC("raw_tp/sched_process_fork")
int born(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 parent = ctx->args[0];
	__u64 child = ctx->args[1];

	if (!maybe_watched(parent) || !lock())
		return 0;
	if (find_thread(parent))
		add_thread(child);
	unlock();
	return 0;
}

SEC("raw_tp/sched_process_exit")
int gone(struct bpf_raw_tracepoint_args *ctx)
{
	struct htab_node __arena *__arena *slot;
	struct htab_node __arena *node;
	__u64 task = ctx->args[0];

	if (!maybe_watched(task) || !lock())
		return 0;
	slot = htab_slot(&demo.threads, task);
	node = slot ? *slot : NULL;
	if (node) {
		*slot = node->next;
		node->next = demo.unused;
		demo.unused = node;
	}
	unlock();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
