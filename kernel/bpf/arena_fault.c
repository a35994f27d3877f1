// SPDX-License-Identifier: GPL-2.0
/*
 * Tell the owner of a program that it strayed: that it accessed its arena where no
 * page is. The program itself does not notice, it reads zero, or its store is lost.
 *
 * The access has come as far as an exception handler, in any context in which a
 * program may run: in an interrupt or NMI, under any lock, inside printk() or the
 * tracing code. What does not mind is
 *
 * a counter       of each program on each CPU: exact, whatever interrupts it
 * a tracepoint    for each fault, for who listens
 * a line          in the kernel's log, written by an irq_work, and seldom: it is
 *                 there to start a search, and no program can flood the log
 */
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/hardirq.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/u64_stats_sync.h>

#define CREATE_TRACE_POINTS
#include "arena_trace.h"

/* A program has one line in so much time, */
#define PROG_INTERVAL		(5 * HZ)
/* and all programs together so many. */
#define ALL_INTERVAL		(5 * HZ)
#define ALL_BURST		10

struct fault {
	u32 prog_id;
	u32 insn;
	u64 addr;
	enum bpf_arena_access access;
};

/* What the irq_work of a CPU shall write; the program may be gone by then. */
struct fault_line {
	struct irq_work work;
	unsigned int pending;
	struct fault fault;
	char name[BPF_OBJ_NAME_LEN];
};

/* All that is done with a line is between the two; an NMI may come anywhere. */
static bool notrace claim_line(struct fault_line *line)
{
	return !cmpxchg_acquire(&line->pending, 0, 1);
}

static void notrace release_line(struct fault_line *line)
{
	/* pairs with claim_line() */
	smp_store_release(&line->pending, 0);
}

static void print_arena_fault(struct irq_work *work)
{
	static DEFINE_RATELIMIT_STATE(all_programs, ALL_INTERVAL, ALL_BURST);
	static const char * const access[] = {
		[BPF_ARENA_LOAD] = "load",
		[BPF_ARENA_STORE] = "store",
		[BPF_ARENA_ATOMIC] = "atomic",
	};
	struct fault_line *line = container_of(work, struct fault_line, work);
	const struct fault *fault = &line->fault;

	if (__ratelimit(&all_programs))
		pr_info("bpf: prog %u (%s) insn %u: stray arena %s at %#llx\n",
			fault->prog_id, line->name, fault->insn,
			access[fault->access], fault->addr);
	release_line(line);
}

static DEFINE_PER_CPU(struct fault_line, fault_lines) = {
	.work = IRQ_WORK_INIT(print_arena_fault),
};

/* Whether this CPU is telling of a fault: outside of NMI, in NMI */
static DEFINE_PER_CPU(bool [2], telling);

static void notrace count_fault(struct bpf_prog *prog)
{
	struct bpf_prog_stats *stats = this_cpu_ptr(prog->stats);
	unsigned long flags;

	flags = u64_stats_update_begin_irqsave(&stats->syncp);
	u64_stats_inc(&stats->arena_faults);
	u64_stats_update_end_irqrestore(&stats->syncp, flags);
}

/* Is this program due for a line? If so, it is not for a while. */
static bool notrace claim_interval(struct bpf_prog_aux *aux)
{
	unsigned long due = READ_ONCE(aux->arena_line_due);

	return time_after_eq(jiffies, due) &&
	       cmpxchg(&aux->arena_line_due, due, jiffies + PROG_INTERVAL) == due;
}

static void notrace queue_line(struct bpf_prog_aux *aux, const struct fault *fault)
{
	struct fault_line *line = this_cpu_ptr(&fault_lines);

	/* If one is not written yet, the next fault will try again */
	if (!claim_line(line))
		return;
	if (!claim_interval(aux)) {
		release_line(line);
		return;
	}
	line->fault = *fault;
	memcpy(line->name, aux->name, sizeof(line->name));
	irq_work_queue(&line->work);
}

/*
 * The part that may lead to more faults: those of a program that listens to the
 * tracepoint, or is attached to something that is called here. They are counted,
 * but told of no more, or N such programs would call each other N deep.
 */
static void notrace tell_fault(struct bpf_prog_aux *aux, const struct fault *fault)
{
	bool *busy = this_cpu_ptr(&telling[!!in_nmi()]);

	if (READ_ONCE(*busy))
		return;
	WRITE_ONCE(*busy, true);
	trace_bpf_arena_fault(fault->prog_id, fault->insn, fault->addr,
			      fault->access);
	queue_line(aux, fault);
	WRITE_ONCE(*busy, false);
}

/*
 * The address that the program's owner knows. Also for guards: what lies before
 * the window is before what user space could address with the same upper half.
 */
static u64 notrace user_addr(const struct bpf_arena *arena, unsigned long addr)
{
	u64 upper = bpf_arena_get_user_vm_start(arena) >> 32 << 32;

	return upper + (addr - bpf_arena_get_kern_vm_start(arena));
}

/**
 * bpf_arena_report_fault - tell that a program accessed an absent page
 * @ip: address of the machine insn
 * @addr: kernel address that it accessed
 * @insn: the BPF insn that it belongs to, counted from the start of its function
 * @access: what it did
 *
 * For the JIT's exception handlers.
 *
 * Context: Any, with interrupts disabled.
 */
void notrace bpf_arena_report_fault(unsigned long ip, unsigned long addr, u32 insn,
				    enum bpf_arena_access access)
{
	struct bpf_prog_aux *aux;
	struct bpf_prog *prog;
	struct fault fault;

	rcu_read_lock();
	prog = bpf_prog_ksym_find(ip);
	if (prog) {
		aux = prog->aux->main_prog_aux;
		fault.prog_id = aux->id;
		fault.insn = prog->aux->subprog_start + insn;
		fault.addr = user_addr(aux->arena, addr);
		fault.access = access;
		count_fault(aux->prog);
		tell_fault(aux, &fault);
	}
	rcu_read_unlock();
}
