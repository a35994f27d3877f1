// SPDX-License-Identifier: GPL-2.0
/* A queue in an arena: programs at one end, or the other, or both. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "arena_lib_queue.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
} arena SEC(".maps");

struct arena_queue __arena_global queue;
__u64 __arena_global slots[ARENA_QUEUE_SLOTS(ORDER)];
struct queue_object __arena_global object;

struct produced produced[PRODUCERS];
struct consumed consumed[CONSUMERS];
struct queue_run run;
__u32 turns;
__u64 ticks;

/* Global functions: what they do is no part of the loops that call them. */
__noinline int produce_one(__u32 id)
{
	if (id >= PRODUCERS)
		return 0;
	return queue_produce(&queue, id, &produced[id]);
}

__noinline int consume_one(__u32 id)
{
	if (id >= CONSUMERS)
		return 0;
	return queue_consume(&queue, &consumed[id]);
}

__noinline int one_op(void)
{
	run.hash = arena_lib_hash(run.hash, queue_op(&queue, &run));
	return 0;
}

SEC("syscall")
int init(void *ctx)
{
	return arena_queue_init(&queue, slots, ORDER);
}

SEC("syscall")
int random_ops(void *ctx)
{
	int i;

	bpf_for(i, 0, turns)
		one_op();
	return 0;
}

SEC("syscall")
int produce(void *ctx)
{
	__u32 id = bpf_get_smp_processor_id() & 1;
	int i;

	bpf_for(i, 0, turns)
		if (!produce_one(id))
			break;
	return 0;
}

SEC("syscall")
int consume(void *ctx)
{
	__u32 id = bpf_get_smp_processor_id() & 1;
	int i;

	bpf_for(i, 0, turns)
		if (!consume_one(id))
			break;
	return 0;
}

/* Interrupts programs at either end */
SEC("perf_event")
int in_interrupt(void *ctx)
{
	produce_one(2 + (bpf_get_smp_processor_id() & 1));
	__sync_fetch_and_add(&ticks, 1);
	return 0;
}

SEC("syscall")
int push_object(void *ctx)
{
	object.value = 17;
	return arena_queue_push(&queue, &object);
}

SEC("syscall")
int pop_object(void *ctx)
{
	struct queue_object __arena *obj = arena_queue_pop(&queue);

	return obj ? obj->value : 0;
}

char _license[] SEC("license") = "GPL";
