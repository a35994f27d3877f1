// SPDX-License-Identifier: GPL-2.0
/*
 * Holds one thread up in the middle of what it does to an arena, until another one has
 * done its part: a race that would be met once in a while is met each time.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_arena_common.h"

/* Who is waited for may want a lock that the waiting one holds: the wait has an end. */
#define LOCKED_NS	50000000ULL
/* Otherwise that is for broken kernels. */
#define ENOUGH_NS	10000000000ULL

__u32 thread;		/* who is held up, the next time that it comes by; 0 then */
int held;		/* it is */
int go;		/* it need not be any longer */
__u64 addr;		/* the page whose translation is flushed */

__u32 publisher;	/* who is held up before its pages are there for all */
int taken;		/* its offsets are, and nobody else gets them */
int publish;
int published;

struct wait {
	const int *flag;
	__u64 end;
};

static int look(__u32 i, struct wait *wait)
{
	return READ_ONCE(*wait->flag) != 0;
}

static int look_often(__u32 i, struct wait *wait)
{
	bpf_loop(256, look, wait, 0);
	return READ_ONCE(*wait->flag) != 0 || bpf_ktime_get_ns() > wait->end;
}

static __always_inline void wait_for(const int *flag, __u64 ns)
{
	struct wait wait = { .flag = flag, .end = bpf_ktime_get_ns() + ns };

	bpf_loop(1 << 23, look_often, &wait, 0);
}

static __always_inline bool is_current(__u32 tid)
{
	return tid && (__u32)bpf_get_current_pid_tgid() == tid;
}

static __always_inline bool hold_up(void)
{
	if (!is_current(READ_ONCE(thread)))
		return false;
	WRITE_ONCE(thread, 0);
	WRITE_ONCE(held, 1);
	return true;
}

/* The page table entry is none by now, and this CPU has forgotten it, or will soon. */
SEC("fentry/flush_tlb_mm_range")
int BPF_PROG(before_flush, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	if (start <= addr && addr < end && hold_up())
		wait_for(&go, LOCKED_NS);
	return 0;
}

/* The pages were looked up, and will be mapped. */
SEC("fentry/vm_insert_pages")
int before_mapping(void *ctx)
{
	if (hold_up())
		wait_for(&go, LOCKED_NS);
	return 0;
}

/* There was no page, and whether one is being allocated is what it asks now. */
SEC("fentry/arena_space_taken_word")
int before_second_look(void *ctx)
{
	if (hold_up()) {
		WRITE_ONCE(publish, 1);
		wait_for(&published, ENOUGH_NS);
	}
	return 0;
}

SEC("fentry/arena_kmap_populate")
int before_publishing(void *ctx)
{
	if (is_current(READ_ONCE(publisher))) {
		WRITE_ONCE(taken, 1);
		wait_for(&publish, ENOUGH_NS);
	}
	return 0;
}

SEC("fexit/arena_kmap_populate")
int after_publishing(void *ctx)
{
	if (is_current(READ_ONCE(publisher)))
		WRITE_ONCE(published, 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
