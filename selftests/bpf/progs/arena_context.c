// SPDX-License-Identifier: GPL-2.0
/* The same visit to an arena from every kind of program. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define ENOMEM		12
#define EBUSY		16
#define CLOCK_MONOTONIC	1

#include "arena_context_visit.h"
#include "bpf_misc.h"

/* Programs on system calls stay with those of the test's process. */
int test_pid;

static __always_inline bool ours(void)
{
	return bpf_get_current_pid_tgid() >> 32 == test_pid;
}

SEC("syscall")
int in_syscall(void *ctx)
{
	visit(IN_SYSCALL);
	return 0;
}

static int loop_callback(__u32 i, void *data)
{
	visit(IN_LOOP);
	return 0;
}

SEC("syscall")
int in_loop(void *ctx)
{
	bpf_loop(3, loop_callback, NULL, 0);
	return 0;
}

struct timer_elem {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct timer_elem);
} timers SEC(".maps");

static int timer_callback(void *map, int *key, struct timer_elem *elem)
{
	visit(IN_TIMER);
	return 0;
}

/* Trap: sleepable flavour of a kfunc picked where sleeping is not allowed */
SEC("syscall")
int in_timer(void *ctx)
{
	struct timer_elem init = {}, *elem;
	int key = 0;

	bpf_map_update_elem(&timers, &key, &init, BPF_ANY);
	elem = bpf_map_lookup_elem(&timers, &key);
	if (!elem)
		return 1;
	if (bpf_timer_init(&elem->timer, &timers, CLOCK_MONOTONIC))
		return 2;
	bpf_timer_set_callback(&elem->timer, timer_callback);
	return bpf_timer_start(&elem->timer, 1000, 0);
}

SEC("xdp")
int in_xdp(struct xdp_md *ctx)
{
	visit(IN_XDP);
	return XDP_PASS;
}

SEC("tc")
int in_tc(struct __sk_buff *skb)
{
	visit(IN_TC);
	return 0;
}

SEC("socket")
int in_socket(struct __sk_buff *skb)
{
	visit(IN_SOCKET);
	return -1;
}

SEC("cgroup_skb/egress")
int in_cgroup_skb(struct __sk_buff *skb)
{
	visit(IN_CGROUP_SKB);
	return 1;
}

SEC("cgroup/connect4")
int in_cgroup_sock(struct bpf_sock_addr *ctx)
{
	visit(IN_CGROUP_SOCK);
	return 1;
}

SEC("sockops")
int in_sockops(struct bpf_sock_ops *ctx)
{
	visit(IN_SOCKOPS);
	return 1;
}

SEC("kprobe/" SYS_PREFIX "sys_getpgid")
int in_kprobe(struct pt_regs *ctx)
{
	if (ours())
		visit(IN_KPROBE);
	return 0;
}

SEC("kretprobe/" SYS_PREFIX "sys_getpgid")
int in_kretprobe(struct pt_regs *ctx)
{
	if (ours())
		visit(IN_KRETPROBE);
	return 0;
}

SEC("fentry/" SYS_PREFIX "sys_getpgid")
int in_fentry(void *ctx)
{
	if (ours())
		visit(IN_FENTRY);
	return 0;
}

SEC("fentry.s/" SYS_PREFIX "sys_getpgid")
int in_fentry_sleepable(void *ctx)
{
	if (ours())
		visit(IN_FENTRY_SLEEPABLE);
	return 0;
}

SEC("fexit/" SYS_PREFIX "sys_getpgid")
int in_fexit(void *ctx)
{
	if (ours())
		visit(IN_FEXIT);
	return 0;
}

SEC("raw_tp/sys_enter")
int in_raw_tp(void *ctx)
{
	if (ours())
		visit(IN_RAW_TP);
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int in_tp(void *ctx)
{
	if (ours())
		visit(IN_TP);
	return 0;
}

SEC("tp_btf/sys_enter")
int in_tp_btf(void *ctx)
{
	if (ours())
		visit(IN_TP_BTF);
	return 0;
}

SEC("raw_tp/sys_exit")
int in_ipi(void *ctx)
{
	visit(IN_IPI);
	return 0;
}

SEC("perf_event")
int in_perf_event(void *ctx)
{
	visit(IN_PERF_EVENT);
	return 0;
}

SEC("raw_tp/nmi_handler")
int in_nmi(void *ctx)
{
	visit(IN_NMI);
	return 0;
}

SEC("lsm/task_getpgid")
int in_lsm(void *ctx)
{
	if (ours())
		visit(IN_LSM);
	return 0;
}

SEC("lsm.s/file_open")
int in_lsm_sleepable(void *ctx)
{
	if (ours())
		visit(IN_LSM_SLEEPABLE);
	return 0;
}

SEC("iter/task")
int in_iter(struct bpf_iter__task *ctx)
{
	if (ctx->task)
		visit(IN_ITER);
	return 0;
}

SEC("struct_ops/cc_init")
void BPF_PROG(cc_init, struct sock *sk)
{
	visit(IN_STRUCT_OPS);
}

SEC("struct_ops/cc_ssthresh")
__u32 BPF_PROG(cc_ssthresh, struct sock *sk)
{
	return 2;
}

SEC("struct_ops/cc_cong_avoid")
void BPF_PROG(cc_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops/cc_undo_cwnd")
__u32 BPF_PROG(cc_undo_cwnd, struct sock *sk)
{
	return 10;
}

SEC(".struct_ops")
struct tcp_congestion_ops arena_cc = {
	.init = (void *)cc_init,
	.ssthresh = (void *)cc_ssthresh,
	.cong_avoid = (void *)cc_cong_avoid,
	.undo_cwnd = (void *)cc_undo_cwnd,
	.name = "bpf_arena_cc",
};

__weak __noinline int replaceable(int x)
{
	asm volatile("" : "+r"(x));
	return x;
}

SEC("tc")
int ext_target(struct __sk_buff *skb)
{
	return replaceable(1);
}

/*
 * Paths that an allocation, a free or a fault takes itself, some of them with
 * the locks of the page allocator, a run queue or a worker pool held. They
 * visit the arena that another program is busy with.
 */
SEC("raw_tp/mm_page_alloc")
int on_page_alloc(void *ctx)
{
	visit(ON_PAGE_ALLOC);
	return 0;
}

SEC("raw_tp/mm_page_alloc_zone_locked")
int on_page_alloc_locked(void *ctx)
{
	visit(ON_PAGE_ALLOC_LOCKED);
	return 0;
}

SEC("raw_tp/mm_page_free")
int on_page_free(void *ctx)
{
	visit(ON_PAGE_FREE);
	return 0;
}

SEC("raw_tp/mm_page_pcpu_drain")
int on_page_drain(void *ctx)
{
	visit(ON_PAGE_DRAIN);
	return 0;
}

SEC("kprobe/get_page_from_freelist")
int on_alloc_path(void *ctx)
{
	visit(ON_ALLOC_PATH);
	return 0;
}

SEC("kprobe/unmap_mapping_pages")
int on_unmap(void *ctx)
{
	visit(ON_UNMAP);
	return 0;
}

SEC("kprobe/queue_work_on")
int on_queue_work(void *ctx)
{
	visit(ON_QUEUE_WORK);
	return 0;
}

SEC("raw_tp/workqueue_queue_work")
int on_queue_work_locked(void *ctx)
{
	visit(ON_QUEUE_WORK_LOCKED);
	return 0;
}

SEC("raw_tp/irq_work_entry")
int on_irq_work(void *ctx)
{
	visit(ON_IRQ_WORK);
	return 0;
}

SEC("raw_tp/tlb_flush")
int on_tlb_flush(void *ctx)
{
	visit(ON_TLB_FLUSH);
	return 0;
}

SEC("kprobe/flush_tlb_kernel_range")
int on_kernel_tlb_flush(void *ctx)
{
	visit(ON_KERNEL_TLB_FLUSH);
	return 0;
}

SEC("raw_tp/sched_switch")
int on_switch(void *ctx)
{
	visit(ON_SWITCH);
	return 0;
}

SEC("raw_tp/contention_begin")
int on_contention(void *ctx)
{
	visit(ON_CONTENTION);
	return 0;
}

SEC("raw_tp/rss_stat")
int on_rss(void *ctx)
{
	visit(ON_RSS);
	return 0;
}

#define BUSY_PAGES	8

/* Keeps the arena's paths warm: pages in ones and in bunches, at addresses too. */
static __always_inline int busy(void)
{
	__u64 page[BUSY_PAGES], bunch;
	int i;

	for (i = 0; i < BUSY_PAGES; i++)
		page[i] = (__u64)bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
	bunch = (__u64)bpf_arena_alloc_pages(&arena, NULL, BUSY_PAGES, NUMA_NO_NODE, 0);
	for (i = 0; i < BUSY_PAGES; i++)
		if (page[i])
			bpf_arena_free_pages(&arena, (void __arena *)page[i], 1);
	if (bunch)
		bpf_arena_free_pages(&arena, (void __arena *)bunch, BUSY_PAGES);
	return 0;
}

SEC("syscall")
int busy_sleepable(void *ctx)
{
	return busy();
}

SEC("raw_tp/sys_exit")
int busy_atomic(void *ctx)
{
	return busy();
}

/* How many pages the arena has to give; they are all free again afterwards. */
SEC("syscall")
int count_pages(void *ctx)
{
	int i, n = 0;

	for (i = 0; i < ARENA_CONTEXT_PAGES; i++)
		if (bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0))
			n++;
	bpf_arena_free_pages(&arena, (void __arena *)user_base, ARENA_CONTEXT_PAGES);
	return n;
}

char _license[] SEC("license") = "GPL";
