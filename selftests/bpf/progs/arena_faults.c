// SPDX-License-Identifier: GPL-2.0
/* Programs that stray, in each way there is, and some that listen to what is told. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_arena_common.h"
#include "arena_faults.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__ulong(map_extra, 0x6789ull << 32 | 4 << 20);
} arena SEC(".maps");

struct fault_event events[FAULT_EVENTS];
__u32 nr_events;

/* Where struct strays is */
__u64 target;
/* How often the storm strays */
__u32 storm_turns;
__u64 listener_runs[LISTENERS];
__u64 probed = ~0;

static __always_inline struct strays __arena *strays(void)
{
	struct strays __arena *p = (void __arena *)target;

	/* the program must name its arena */
	if (!arena_base(&arena))
		return NULL;
	cast_kern(p);
	return p;
}

SEC("tp_btf/bpf_arena_fault")
int BPF_PROG(listen, __u32 prog_id, __u32 insn, __u64 addr, __u32 access)
{
	__u32 i = __sync_fetch_and_add(&nr_events, 1);

	if (i < FAULT_EVENTS) {
		events[i].addr = addr;
		events[i].prog_id = prog_id;
		events[i].insn = insn;
		events[i].access = access;
	}
	return 0;
}

/* The same from a program that is told less of its arguments */
SEC("raw_tp/bpf_arena_fault")
int listen_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return listen((void *)ctx);
}

SEC("syscall")
int in_main(void *ctx)
{
	return READ_ONCE(strays()->word[WORD_MAIN]);
}

static __noinline int store(__u64 val)
{
	WRITE_ONCE(strays()->word[WORD_SUBPROG], val);
	return 0;
}

SEC("syscall")
int in_subprog(void *ctx)
{
	return store(nr_events);
}

static int add(__u32 i, void *ctx)
{
	__sync_fetch_and_add(&strays()->word[WORD_CALLBACK], i);
	return 0;
}

SEC("syscall")
int in_callback(void *ctx)
{
	bpf_loop(CALLBACKS, add, NULL, 0);
	return 0;
}

SEC("xdp")
int in_xdp(struct xdp_md *ctx)
{
	return READ_ONCE(strays()->word[WORD_XDP]) ? XDP_DROP : XDP_PASS;
}

SEC("raw_tp/nmi_handler")
int in_nmi(void *ctx)
{
	WRITE_ONCE(strays()->word[WORD_NMI], 1);
	return 0;
}

static int stray_once(__u32 i, void *ctx)
{
	return READ_ONCE(strays()->word[WORD_STORM]) & 1;
}

SEC("syscall")
int storm(void *ctx)
{
	bpf_loop(storm_turns, stray_once, NULL, 0);
	return 0;
}

static __always_inline int listener(int i)
{
	__sync_fetch_and_add(&listener_runs[i], 1);
	WRITE_ONCE(strays()->word[WORD_LISTENER], 1);
	return 0;
}

/* More than one, as each is kept from calling itself. */
SEC("raw_tp/bpf_arena_fault")
int listener0(void *ctx)
{
	return listener(0);
}

SEC("raw_tp/bpf_arena_fault")
int listener1(void *ctx)
{
	return listener(1);
}

SEC("raw_tp/bpf_arena_fault")
int listener2(void *ctx)
{
	return listener(2);
}

SEC("raw_tp/bpf_arena_fault")
int listener3(void *ctx)
{
	return listener(3);
}

/*
 * A pointer into the kernel that leads nowhere, and is followed through BTF. User
 * space has set it to what it likes.
 */
SEC("syscall")
int no_arena_access(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!arena_base(&arena))
		return 1;
	probed = task->robust_list->futex_offset;
	return 0;
}

char _license[] SEC("license") = "GPL";
