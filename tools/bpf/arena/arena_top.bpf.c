// SPDX-License-Identifier: GPL-2.0
/*
 * Counts and times system calls by process, in a hash table that user space sorts and
 * walks where it is.
 *
 * A process's calls end on any CPU: so there is one table at a time, and one lock. What
 * a thread is doing now is nobody else's business, and is kept in its task storage.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16384);
} arena SEC(".maps");

#include "arena_top.h"

/* A holder's virtual CPU may be off its host's for a while: tenths of a second. */
#define LOCK_TRIES	200

struct thread_info {
	__u32 status;
} __attribute__((preserve_access_index));

struct task_struct {
	struct thread_info thread_info;
} __attribute__((preserve_access_index));

#define TS_COMPAT	0x0002	/* a system call of 32 bits */
#define NOBODY		0	/* no process's number */

#ifndef ENOMEM
#define ENOMEM		12
#endif

/* A thread that is watched. */
struct thread {
	__u64 start;	/* of the call it is in, or 0 */
	__u32 nr;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

struct top __arena_global top;

static void drop(void)
{
	__sync_fetch_and_add(&top.dropped, 1);
}

static int lock(void)
{
	int i;

	bpf_for(i, 0, LOCK_TRIES) {
		if (!arena_spin_lock(&top.lock))
			return 0;
	}
	return -ETIMEDOUT;
}

/* --- rows: called with the lock */

/* clang 19 makes a memset() of plain stores of 0, and forgets to cast its pointer. */
#define set(var, val)	WRITE_ONCE(var, val)

static struct call_page __arena *take_page(void)
{
	struct call_page __arena *page;

	page = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
	if (page)
		top.pages++;
	return page;
}

/* For tracepoints. Where they can have none, provide() has brought what they need. */
static struct call_page __arena *new_page(void)
{
	return arena_pages_nosleep() ? take_page() : NULL;
}

/*
 * A tracepoint cannot wait for memory: the page after the one in use is asked for
 * at every row until it is there, long before it is needed.
 */
static struct call __arena *new_call(struct table __arena *table)
{
	struct call_page __arena *page = table->page;

	if (!page) {
		page = new_page();
		if (!page)
			return NULL;
		set(table->first, page);
		set(table->page, page);
	}
	if (!page->next)
		page->next = new_page();
	if (page->used >= CALLS_PER_PAGE) {
		page = page->next;
		if (!page)
			return NULL;
		table->page = page;
	}
	return &page->call[page->used++ % CALLS_PER_PAGE];
}

static void add_row(struct table __arena *table, struct call __arena *call)
{
	arena_hlist_add_head(&call->hash, &table->rows[table_index(call->key)]);
}

static struct call __arena *find_row(struct table __arena *table, __u64 key)
{
	struct call __arena *call;

	arena_hlist_for_each_entry(call, &table->rows[table_index(key)], hash) {
		if (call->key == key)
			return call;
	}
	return NULL;
}

/* What is shorter than 512 ns, and then by powers of two. */
static __u32 hist_slot(__u64 ns)
{
	__u32 slot = 0;

	ns >>= HIST_SHIFT + 1;
	while (ns && slot < HIST_SLOTS - 1 && can_loop) {
		ns >>= 1;
		slot++;
	}
	return slot;
}

static void add_call(struct call __arena *call, __u64 ns)
{
	__u32 slot = hist_slot(ns);

	call->calls++;
	call->ns += ns;
	if (ns > call->max)
		call->max = ns;
	call->slot[slot]++;
}

/* A process that would be one too many is counted together with all such. */
static struct call __arena *get_row(struct table __arena *table, __u32 pid, __u32 nr)
{
	struct call __arena *call = find_row(table, CALL_KEY(pid, nr));

	if (!call && table->nr_rows >= top.max_rows) {
		pid = OTHERS;
		call = find_row(table, CALL_KEY(pid, nr));
	}
	if (call)
		return call;
	call = new_call(table);
	if (!call)
		return NULL;
	call->key = CALL_KEY(pid, nr);
	add_row(table, call);
	if (pid == OTHERS)
		arena_list_add_tail(&call->other, &table->others);
	else
		table->nr_rows++;
	return call;
}

static __noinline int count(__u32 pid, __u32 nr, __u64 ns)
{
	struct table __arena *table;
	struct call __arena *call;
	__u64 comm[2] = {};

	if (lock()) {
		drop();
		return 0;
	}
	table = &top.table[READ_ONCE(top.now) & 1];
	call = get_row(table, pid, nr);
	if (!call) {
		drop();
		goto unlock;
	}
	bpf_get_current_comm(comm, sizeof(comm));
	call->comm[0] = comm[0];
	call->comm[1] = comm[1];
	add_call(call, ns);
unlock:
	arena_spin_unlock(&top.lock);
	return 0;
}

/* --- events */

static __u32 normal_nr(struct task_struct *task, __u64 nr)
{
	if (nr >= NR_INVALID)
		return NR_INVALID;
	return task->thread_info.status & TS_COMPAT ? NR_COMPAT + nr : nr;
}

/* This process's number for who watches, or NOBODY: it is in another namespace. */
static __u32 current_pid(void)
{
	struct bpf_pidns_info ns = {};

	if (!top.ns_ino)
		return bpf_get_current_pid_tgid() >> 32;
	if (bpf_get_ns_current_pid_tgid(top.ns_dev, top.ns_ino, &ns, sizeof(ns)))
		return NOBODY;
	return ns.tgid;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(enter, struct pt_regs *regs, long nr)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 pid = current_pid();
	struct thread *thread;
	int watched = pid != NOBODY && (top.everybody || pid == top.target);

	if (pid == top.self && nr == top.nr_bpf)
		top.bpf_calls++;
	thread = bpf_task_storage_get(&threads, task, NULL,
				      watched ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	if (thread) {
		thread->nr = normal_nr(task, nr);
		thread->start = bpf_ktime_get_ns();
	} else if (watched) {
		drop();
	}
	return 0;
}

/*
 * A call that does not return, exit_group() for one, is not counted. A child
 * returns from a fork() that its parent alone has entered: it has no start.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(leave, struct pt_regs *regs, long ret)
{
	__u64 end = bpf_ktime_get_ns();
	struct thread *thread;
	__u32 pid;

	thread = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	if (!thread || !thread->start)
		return 0;
	pid = current_pid();
	if (pid != NOBODY)
		count(pid, thread->nr, end - thread->start);
	thread->start = 0;
	return 0;
}

/* What a watched process starts is watched, too, from its first call on. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(born, struct task_struct *parent, struct task_struct *child)
{
	if (!bpf_task_storage_get(&threads, parent, NULL, 0))
		return 0;
	if (!bpf_task_storage_get(&threads, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE))
		drop();
	return 0;
}

/* --- for user space */

/* All pages that a table can need; the first row will take them into use. */
static int provide_table(struct table __arena *table)
{
	struct call_page __arena *page;
	int i, pages = (top.max_rows + OTHER_ROWS) / CALLS_PER_PAGE + 1;

	bpf_for(i, 0, pages) {
		page = take_page();
		if (!page)
			return -ENOMEM;
		page->next = table->first;
		table->first = page;
	}
	table->page = table->first;
	return 0;
}

/* Mainline before 7.0 gives pages to programs that may sleep only. */
SEC("syscall")
int provide(void *ctx)
{
	if (arena_pages_nosleep())
		return 0;
	return provide_table(&top.table[0]) ?: provide_table(&top.table[1]);
}

char LICENSE[] SEC("license") = "GPL";
