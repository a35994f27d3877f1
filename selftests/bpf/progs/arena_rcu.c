// SPDX-License-Identifier: GPL-2.0
/*
 * Sleepable programs are readers of RCU Tasks Trace. One of these reclaims memory, one
 * stays in its reader until it is stopped. The fentry programs make a race of the first
 * one's certain, and count the steps of grace periods.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_arena_common.h"

#define CHUNK_PAGES	16

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 8192);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PAGE_SIZE);
} wakeups SEC(".maps");

__u32 allocator;	/* the thread that runs allocate() */
__u32 preempted;	/* how often, where it hurts */
__u64 allocated;
bool spinning, stop;
__u64 scans, periods;

SEC("syscall")
int allocate(void *ctx)
{
	if (bpf_arena_alloc_pages(&arena, NULL, CHUNK_PAGES, NUMA_NO_NODE, 0))
		allocated += CHUNK_PAGES;
	return 0;
}

SEC("syscall")
int spin(void *ctx)
{
	int i, j;

	WRITE_ONCE(spinning, true);
	bpf_for(i, 0, 1 << 23) {
		bpf_for(j, 0, 1 << 10) {
			if (READ_ONCE(stop))
				return 0;
		}
	}
	return 0;
}

/*
 * Called when a reader is about to queue itself, as it has found that it is not queued.
 * That changes while this waits, if it can be preempted here: a thread of real-time
 * priority on the same CPU is woken to do so.
 */
SEC("fentry/rcu_tasks_trace_qs_blkd")
int BPF_PROG(before_queueing, struct task_struct *task)
{
	__u32 pid = task->pid;
	int i;

	if (pid != READ_ONCE(allocator))
		return 0;
	bpf_ringbuf_output(&wakeups, &pid, sizeof(pid), BPF_RB_FORCE_WAKEUP);
	bpf_for(i, 0, 1 << 16) {
		if (READ_ONCE(task->trc_reader_special.b.blocked)) {
			__sync_fetch_and_add(&preempted, 1);
			break;
		}
	}
	return 0;
}

/* A grace period has found all readers that are queued. */
SEC("fentry/rcu_tasks_trace_postscan")
int after_scan(void *ctx)
{
	__sync_fetch_and_add(&scans, 1);
	return 0;
}

SEC("fentry/rcu_tasks_trace_postgp")
int after_readers(void *ctx)
{
	__sync_fetch_and_add(&periods, 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
