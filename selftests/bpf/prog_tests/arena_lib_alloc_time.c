// SPDX-License-Identifier: GPL-2.0
/*
 * A call that takes the heap's lock often, and finds that somebody has it again and again,
 * waits no longer than one that takes it once.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include "arena_lib_test.h"
#include "progs/arena_lib_alloc_time.h"
#include "bpf_arena_alloc.h"
#include "arena_lib_alloc_time.skel.h"

#define WAIT_NS		200000000ULL	/* far more than the call takes without waiting */
#define LEAVERS		4

static struct arena_lib_alloc_time *skel;
static bool is_over;

static void *leave_slabs(void *arg)
{
	struct arena_heap *heap = &skel->arena->heap;
	__u32 class;

	for (class = 0; class < ARENA_HEAP_CLASSES; class++)
		if (class != 1)
			arena_free(heap, arena_malloc(heap, arena_class_size(class)));
	/* What comes free later has an end there. */
	return arena_malloc(heap, PAGE_SIZE);
}

/* Threads have come and gone, and have left empty slabs, which a program looks for. */
static void leave_all_slabs(void)
{
	pthread_t thread;
	void *object;
	int i;

	for (i = 0; i < LEAVERS; i++) {
		if (!ASSERT_OK(pthread_create(&thread, NULL, leave_slabs, NULL), "thread"))
			return;
		pthread_join(thread, &object);
		ASSERT_OK_PTR(object, "object");
	}
}

/* Unlocks for somebody whose time is over. */
static void *unlock_late(void *arg)
{
	arena_spinlock_t *lock = &skel->arena->heap.lock;

	arena_lib_pin(1);
	while (!READ_ONCE(is_over)) {
		if (arena_spin_holder(lock) == SOMEBODY &&
		    arena_spin_now() > READ_ONCE(skel->bss->held_until))
			arena_spin_unlock(lock);
		sched_yield();
	}
	return NULL;
}

static void run_syscall(void)
{
	ASSERT_OK(arena_lib_run(skel->progs.in_syscall), "run");
}

static void run_xdp(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	char packet[64] = {};

	opts.data_in = packet;
	opts.data_size_in = sizeof(packet);
	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.in_xdp), &opts), "run");
}

static void run_softirq(void)
{
	ASSERT_OK(arena_lib_run(skel->progs.in_softirq), "run");
	ASSERT_TRUE(ARENA_EVENTUALLY(READ_ONCE(skel->bss->timed.calls)), "timer");
}

static void time_call(void (*run)(void), __u64 hold_ns)
{
	struct arena_heap *heap = &skel->arena->heap;
	__u64 timeouts = heap->lock_timeouts;
	pthread_t thread;

	heap->limit = 0;
	leave_all_slabs();
	/* No more pages: all that the call can do is to look for those of empty slabs. */
	heap->limit = heap->pages;
	memset(&skel->bss->timed, 0, sizeof(skel->bss->timed));
	is_over = false;
	if (!ASSERT_OK(pthread_create(&thread, NULL, unlock_late, NULL), "thread"))
		return;
	skel->bss->hold_ns = hold_ns;
	run();
	skel->bss->hold_ns = 0;
	WRITE_ONCE(is_over, true);
	pthread_join(thread, NULL);
	if (arena_spin_holder(&heap->lock) == SOMEBODY)
		arena_spin_unlock(&heap->lock);
	printf("%llu ns\n", skel->bss->timed.max_ns);
	ASSERT_EQ(skel->bss->timed.calls, 1, "calls");
	ASSERT_EQ(skel->bss->timed.got, 0, "objects");
	ASSERT_GE(skel->bss->timed.max_ns, WAIT_NS, "waited");
	ASSERT_LT(skel->bss->timed.max_ns, 2 * WAIT_NS, "waited");
	ASSERT_EQ(heap->lock_timeouts - timeouts, 1, "counted timeouts");
}

static const struct {
	const char *name;
	void (*run)(void);
} wheres[] = {
	{ "syscall", run_syscall },
	{ "xdp", run_xdp },
	{ "softirq", run_softirq },
};

/* Needs both CPUs: not beside other tests. */
void serial_test_arena_lib_alloc_time(void)
{
	cpu_set_t old;
	int i;

	/* Where programs that must not sleep have no pages, these are refused. */
	if (!arena_lib_pages_nosleep()) {
		test__skip();
		return;
	}
	sched_getaffinity(0, sizeof(old), &old);
	skel = arena_lib_alloc_time__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open and load"))
		return;
	if (!ASSERT_OK(arena_lib_run(skel->progs.make_range), "range"))
		goto out;
	arena_lib_pin(0);
	skel->data->wait_ns = WAIT_NS;
	for (i = 0; i < ARRAY_SIZE(wheres); i++) {
		if (!test__start_subtest(wheres[i].name))
			continue;
		/* Somebody keeps it, or has it for a while each time. */
		time_call(wheres[i].run, 1000 * WAIT_NS);
		time_call(wheres[i].run, WAIT_NS / 8);
	}
out:
	sched_setaffinity(0, sizeof(old), &old);
	arena_lib_alloc_time__destroy(skel);
}
