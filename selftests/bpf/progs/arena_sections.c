// SPDX-License-Identifier: GPL-2.0
/* Sections of programs: what needs BTF, and what happens in them at run time. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_arena_common.h"
#include "arena_sections.h"

void bpf_rcu_read_lock(void)
	__ksym;
void bpf_rcu_read_unlock(void)
	__ksym;
void bpf_preempt_disable(void)
	__ksym;
void bpf_preempt_enable(void)
	__ksym;
void bpf_local_irq_save(unsigned long *flags__irq_flag) __ksym;
void bpf_local_irq_restore(unsigned long *flags__irq_flag) __ksym;
void cgroup_rstat_flush(struct cgroup *cgrp) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, long);
} storage SEC(".maps");

/*
 * At run time: a section that goes on until somebody says that what it must hold
 * off has happened, or it has lasted for long enough.
 */
int section;		/* enum arena_section */
__u64 spin_ns;
int inside;		/* 1 + CPU */
int happened;		/* counted by the programs below */
int run;		/* number of the run */
int synchronized;	/* the one that user space has waited for readers in */
int seen;		/* what had happened at the section's end */

struct spin {
	__u64 end;
};

static __always_inline bool anything_happened(void)
{
	return READ_ONCE(happened) || READ_ONCE(synchronized) == run;
}

static int spin_turn(__u32 i, void *data)
{
	struct spin *spin = data;

	return anything_happened() || bpf_ktime_get_ns() >= spin->end;
}

static __always_inline void spin_inside(void)
{
	struct spin spin = { .end = bpf_ktime_get_ns() + spin_ns };

	WRITE_ONCE(happened, 0);
	WRITE_ONCE(run, run + 1);
	WRITE_ONCE(inside, 1 + bpf_get_smp_processor_id());
	bpf_loop(1 << 23, spin_turn, &spin, 0);
	seen = anything_happened();
	WRITE_ONCE(inside, 0);
}

SEC("syscall")
int spin_in_section(void *ctx)
{
	unsigned long flags;

	switch (section) {
	case SECTION_RCU:
		bpf_rcu_read_lock();
		spin_inside();
		bpf_rcu_read_unlock();
		break;
	case SECTION_PREEMPT:
		bpf_preempt_disable();
		spin_inside();
		bpf_preempt_enable();
		break;
	case SECTION_IRQ:
		bpf_local_irq_save(&flags);
		spin_inside();
		bpf_local_irq_restore(&flags);
		break;
	default:
		spin_inside();
	}
	return seen;
}

static __always_inline void happens_here(void)
{
	if (READ_ONCE(inside) == 1 + bpf_get_smp_processor_id())
		__sync_fetch_and_add(&happened, 1);
}

SEC("raw_tp/sched_switch")
int on_switch(void *ctx)
{
	happens_here();
	return 0;
}

SEC("raw_tp/local_timer_entry")
int on_timer_interrupt(void *ctx)
{
	happens_here();
	return 0;
}

/*
 * Under load: pages come and go inside sections, in a program that may sleep, by
 * calls that are reached outside of them as well.
 */
__u64 pages_got, pages_none, pages_bad;

static __noinline void use_page(__u64 tag)
{
	__u64 __arena *page = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
	__u64 __arena *p = page;

	if (!page) {
		__sync_fetch_and_add(&pages_none, 1);
		return;
	}
	cast_kern(p);
	if (READ_ONCE(*p))
		__sync_fetch_and_add(&pages_bad, 1);
	WRITE_ONCE(*p, tag);
	if (READ_ONCE(*p) != tag)
		__sync_fetch_and_add(&pages_bad, 1);
	__sync_fetch_and_add(&pages_got, 1);
	bpf_arena_free_pages(&arena, page, 1);
}

SEC("syscall")
int load(void *ctx)
{
	__u64 tag = bpf_get_prandom_u32() | 1;
	unsigned long outer, inner;

	use_page(tag);

	bpf_rcu_read_lock();
	use_page(tag);
	bpf_preempt_disable();
	use_page(tag);
	bpf_local_irq_save(&outer);
	use_page(tag);
	bpf_local_irq_save(&inner);
	bpf_preempt_disable();
	use_page(tag);
	bpf_preempt_enable();
	bpf_local_irq_restore(&inner);
	use_page(tag);
	bpf_local_irq_restore(&outer);
	bpf_preempt_enable();
	bpf_rcu_read_unlock();

	use_page(tag);
	return 0;
}

/* The same in the other order, from a program that interrupts the first */
SEC("raw_tp/hrtimer_expire_exit")
int load_interrupt(void *ctx)
{
	__u64 tag = bpf_get_prandom_u32() | 1;
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_preempt_disable();
	bpf_rcu_read_lock();
	use_page(tag);
	bpf_rcu_read_unlock();
	bpf_preempt_enable();
	bpf_local_irq_restore(&flags);
	return 0;
}

/* The first call may sleep, the one in the callback may not. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} elements SEC(".maps");

static long visit_element(void *map, void *key, void *value, void *data)
{
	bpf_task_storage_get(&storage, bpf_get_current_task_btf(), 0,
			     BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

SEC("?syscall")
int storage_callback(void *ctx)
{
	bpf_task_storage_get(&storage, bpf_get_current_task_btf(), 0,
			     BPF_LOCAL_STORAGE_GET_F_CREATE);
	bpf_for_each_map_elem(&elements, visit_element, NULL, 0);
	return 0;
}

/* Functions and callbacks. The compiler must not see that a call is for nothing. */
__noinline int global_func(int x)
{
	asm volatile("" : "+r"(x));
	return x + 1;
}

__noinline int global_balanced(int x)
{
	bpf_preempt_disable();
	bpf_preempt_enable();
	return x + 1;
}

__noinline int global_unbalanced(int x)
{
	bpf_rcu_read_lock();
	return x + 1;
}

static int loop_nothing(__u32 i, void *data)
{
	return 0;
}

static int loop_balanced(__u32 i, void *data)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_preempt_disable();
	bpf_preempt_enable();
	bpf_local_irq_restore(&flags);
	return 0;
}

static int loop_enters(__u32 i, void *data)
{
	bpf_rcu_read_lock();
	return 0;
}

static int loop_leaves(__u32 i, void *data)
{
	bpf_rcu_read_unlock();
	return 0;
}

static int loop_deeper(__u32 i, void *data)
{
	bpf_preempt_disable();
	return 0;
}

static int loop_shallower(__u32 i, void *data)
{
	bpf_preempt_enable();
	return 0;
}

static int loop_saves(__u32 i, void *data)
{
	bpf_local_irq_save(data);
	return 0;
}

static int loop_restores(__u32 i, void *data)
{
	bpf_local_irq_restore(data);
	return 0;
}

/* Ends with interrupts off, as it began; but not with the same flags. */
static int loop_saves_anew(__u32 i, void *data)
{
	bpf_local_irq_restore(data);
	bpf_local_irq_save(data);
	return 0;
}

/* Was the caller in one, as it says? What it says is no longer known at the end. */
static int loop_leaves_if(__u32 i, void *data)
{
	if (*(long *)data == 7)
		bpf_preempt_enable();
	return 0;
}

#define ALL_SECTIONS(WORK) ({						\
	unsigned long __flags;						\
									\
	bpf_rcu_read_lock();						\
	bpf_preempt_disable();						\
	bpf_local_irq_save(&__flags);					\
	WORK;								\
	bpf_local_irq_restore(&__flags);				\
	bpf_preempt_enable();						\
	bpf_rcu_read_unlock();						\
})

#define IN_RCU(WORK) ({							\
	bpf_rcu_read_lock();						\
	WORK;								\
	bpf_rcu_read_unlock();						\
})

#define IN_PREEMPT(WORK) ({						\
	bpf_preempt_disable();						\
	WORK;								\
	bpf_preempt_enable();						\
})

#define IN_IRQ(WORK) ({							\
	unsigned long __flags;						\
									\
	bpf_local_irq_save(&__flags);					\
	WORK;								\
	bpf_local_irq_restore(&__flags);				\
})

SEC("?tc")
int global_tc(void *ctx)
{
	ALL_SECTIONS(global_func(1));
	return 0;
}

SEC("?tc")
int global_sections_tc(void *ctx)
{
	ALL_SECTIONS(global_balanced(1));
	return 0;
}

SEC("?syscall")
int global_outside(void *ctx)
{
	global_balanced(1);
	ALL_SECTIONS();
	global_func(1);
	return 0;
}

SEC("?syscall")
int global_rcu(void *ctx)
{
	IN_RCU(global_func(1));
	return 0;
}

SEC("?syscall")
int global_preempt(void *ctx)
{
	IN_PREEMPT(global_func(1));
	return 0;
}

SEC("?syscall")
int global_irq(void *ctx)
{
	IN_IRQ(global_func(1));
	return 0;
}

SEC("?syscall")
int global_leaks(void *ctx)
{
	global_unbalanced(1);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("?syscall")
int callback_inside(void *ctx)
{
	ALL_SECTIONS(bpf_loop(3, loop_nothing, NULL, 0));
	return 0;
}

SEC("?syscall")
int callback_balanced(void *ctx)
{
	bpf_loop(3, loop_balanced, NULL, 0);
	ALL_SECTIONS(bpf_loop(3, loop_balanced, NULL, 0));
	return 0;
}

SEC("?syscall")
int callback_enters(void *ctx)
{
	bpf_loop(1, loop_enters, NULL, 0);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("?syscall")
int callback_leaves(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_loop(1, loop_leaves, NULL, 0);
	return 0;
}

SEC("?syscall")
int callback_deeper(void *ctx)
{
	bpf_preempt_disable();
	bpf_loop(1, loop_deeper, NULL, 0);
	bpf_preempt_enable();
	bpf_preempt_enable();
	return 0;
}

SEC("?syscall")
int callback_shallower(void *ctx)
{
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_loop(1, loop_shallower, NULL, 0);
	bpf_preempt_enable();
	return 0;
}

SEC("?syscall")
int callback_saves(void *ctx)
{
	unsigned long flags = 0;

	bpf_loop(1, loop_saves, &flags, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("?syscall")
int callback_restores(void *ctx)
{
	unsigned long flags = 0;

	bpf_local_irq_save(&flags);
	bpf_loop(1, loop_restores, &flags, 0);
	return 0;
}

SEC("?syscall")
int callback_saves_anew(void *ctx)
{
	unsigned long flags = 0;

	bpf_local_irq_save(&flags);
	bpf_loop(1, loop_saves_anew, &flags, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}

SEC("?syscall")
int callback_pruned(void *ctx)
{
	long held = 0;

	/* The verifier goes on with the next instruction first. */
	asm goto("if %0 != 0 goto %l1" : : "r"(bpf_get_prandom_u32()) : : inside);
	goto outside;
inside:
	held = 7;
	bpf_preempt_disable();
outside:
	bpf_loop(1, loop_leaves_if, &held, 0);
	return 0;
}

#define CGROUP	(bpf_get_current_task_btf()->cgroups->dfl_cgrp)

SEC("?lsm.s/file_open")
int kfunc_outside(void *ctx)
{
	cgroup_rstat_flush(CGROUP);
	return 0;
}

SEC("?lsm.s/file_open")
int kfunc_rcu(void *ctx)
{
	IN_RCU(cgroup_rstat_flush(CGROUP));
	return 0;
}

SEC("?lsm.s/file_open")
int kfunc_preempt(void *ctx)
{
	IN_PREEMPT(cgroup_rstat_flush(CGROUP));
	return 0;
}

SEC("?lsm.s/file_open")
int kfunc_irq(void *ctx)
{
	IN_IRQ(cgroup_rstat_flush(CGROUP));
	return 0;
}

char _license[] SEC("license") = "GPL";
