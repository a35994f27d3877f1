// SPDX-License-Identifier: GPL-2.0
/*
 * Operations that are under way at the same time, one atomic step after the
 * other, in an order that the test decides: an operation is stopped before one
 * of its steps, as by an NMI, and others run to their end; or several take
 * turns at random, as on several CPUs.
 */
#include <errno.h>
#include <string.h>
#include <ucontext.h>
#include <linux/bitops.h>
#include <linux/kernel.h>

#include "harness.h"
#include "model.h"

#define MAX_PAGES	(66 * BITS_PER_LONG)

/*
 * The space, and the state of each page according to the results so far: it
 * becomes free before the operation that makes it so, taken after it was taken.
 */
static struct arena_space space;
static unsigned char state[MAX_PAGES];

/* Runs before each step. */
static void (*step_hook)(void);

void atomic_step(void)
{
	if (step_hook)
		step_hook();
}

static void got_pages(u32 start, u32 n, enum page_state as)
{
	while (n--) {
		CHECK(start + n < space.nr_pages);
		CHECK_EQ(state[start + n], PAGE_FREE);
		CHECK(!page_is_free(&space, start + n));
		state[start + n] = as;
	}
}

static void gave_pages(u32 start, u32 n)
{
	memset(state + start, PAGE_FREE, n);
}

static bool all_are(u32 start, u32 n, enum page_state as)
{
	while (n--)
		if (state[start + n] != as)
			return false;
	return true;
}

static long lowest_free_run(u32 n)
{
	u32 page, run = 0;

	for (page = 0; page < space.nr_pages; page++) {
		run = page_is_free(&space, page) ? run + 1 : 0;
		if (run == n)
			return page + 1 - n;
	}
	return -ENOSPC;
}

struct action {
	enum operation op;
	u32 start;
	u32 n;
};

/*
 * Returns where the pages are, negative if the operation got none. If a page is reserved
 * and unreserved at the same time it can't be told how that will end: don't.
 */
static long act(const struct action *a)
{
	static u32 reserving, unreserving;
	u32 start = a->start, n = a->n, page;
	long got;

	switch (a->op) {
	case OP_ALLOC:
		got = space_alloc(&space, n);
		CHECK(got >= 0 || got == -ENOSPC);
		if (got >= 0)
			got_pages(got, n, PAGE_TAKEN);
		return got;
	case OP_TAKE:
		got = space_take(&space, start, n);
		CHECK(!got || got == -EBUSY);
		if (!got)
			got_pages(start, n, PAGE_TAKEN);
		return got;
	case OP_RESERVE:
		if (unreserving)
			return -EBUSY;
		reserving++;
		got = space_reserve(&space, start, n);
		reserving--;
		CHECK(!got || got == -EBUSY);
		if (!got)
			got_pages(start, n, PAGE_RESERVED);
		return got;
	case OP_GIVE:
		if (!all_are(start, n, PAGE_TAKEN))
			return -EBUSY;
		gave_pages(start, n);
		arena_space_give(&space, start, n);
		return start;
	case OP_GIVE_MASK:
		n = min(n, BITS_PER_LONG - start % BITS_PER_LONG);
		if (!all_are(start, n, PAGE_TAKEN))
			return -EBUSY;
		gave_pages(start, n);
		arena_space_give_mask(&space, start / BITS_PER_LONG,
				      ~0UL >> (BITS_PER_LONG - n) << start % BITS_PER_LONG);
		return start;
	default:
		if (reserving && !all_are(start, n, PAGE_RESERVED))
			return -EBUSY;
		for (page = start; page < start + n; page++)
			if (state[page] == PAGE_RESERVED)
				gave_pages(page, 1);
		unreserving++;
		arena_space_unreserve(&space, start, n);
		unreserving--;
		return start;
	}
}

/* Nothing is under way. */
static void verify_rest(void)
{
	u32 page, nr_free = 0, nr_reserved = 0;

	for (page = 0; page < space.nr_pages; page++) {
		nr_free += state[page] == PAGE_FREE;
		nr_reserved += state[page] == PAGE_RESERVED;
		CHECK_EQ(page_is_free(&space, page), state[page] == PAGE_FREE);
		CHECK_EQ(page_is_reserved(&space, page), state[page] == PAGE_RESERVED);
	}
	CHECK_EQ(atomic_read(&space.nr_free), nr_free);
	CHECK_EQ(atomic_read(&space.nr_reserved), nr_reserved);
	verify_hints(&space, false);
}

/*
 * A space in which the next operations are likely to empty, or to be the first
 * to fill, a word at some level: a few short free runs, the rest taken.
 */
static void random_space(struct rng *rng, struct model *m)
{
	static const u32 sizes[] = {
		3, BITS_PER_LONG, BITS_PER_LONG + 1, 3 * BITS_PER_LONG,
		65 * BITS_PER_LONG, 66 * BITS_PER_LONG - 3,
	};
	u32 nr = sizes[rng_below(rng, ARRAY_SIZE(sizes))], i, start, n;

	model_init(m, nr);
	space = m->space;
	memset(state, PAGE_FREE, sizeof(state));

	CHECK_EQ(space_take(&space, 0, nr), 0);
	got_pages(0, nr, PAGE_TAKEN);
	for (i = rng_below(rng, 4); i--; ) {
		start = rng_below(rng, nr);
		n = 1 + rng_below(rng, min(nr - start, rng_below(rng, 4) ? 3U : 130U));
		if (!all_are(start, n, PAGE_TAKEN))
			continue;
		gave_pages(start, n);
		arena_space_give(&space, start, n);
		if (!rng_below(rng, 4)) {
			CHECK_EQ(space_reserve(&space, start, n), 0);
			got_pages(start, n, PAGE_RESERVED);
		}
	}
	verify_rest();
}

/* Give and take away where something is going on. */
static struct action random_action(struct rng *rng)
{
	struct action a = { .op = rng_below(rng, NR_OPS) };
	u32 tries = 8, nr = space.nr_pages;
	bool wants_free;

	wants_free = a.op != OP_GIVE && a.op != OP_GIVE_MASK;
	do {
		a.start = rng_below(rng, nr);
	} while (--tries && wants_free && state[a.start] == PAGE_TAKEN);

	a.n = 1 + rng_below(rng, rng_below(rng, 4) ? 3 : 130);
	if (a.op != OP_ALLOC)
		a.n = min(a.n, nr - a.start);
	return a;
}

/*
 * What runs before step @stop_at of the operation below, and what runs before
 * a step of that.
 */
static struct interrupt {
	struct action action;
	u32 stop_at;
} interrupts[2];
static u32 nr_interrupts, depth, steps;

/* An operation that has to fail unless an interrupt helps it. */
static const struct action *doomed;

/* It shall not hold any page in the meantime. */
static void verify_doomed(void)
{
	u32 page;

	if (all_are(doomed->start, doomed->n, PAGE_FREE)) {
		doomed = NULL;
		return;
	}

	for (page = doomed->start; page < doomed->start + doomed->n; page++)
		CHECK_EQ(page_is_free(&space, page), state[page] == PAGE_FREE);
}

/* Whatever was stopped, a run that is free now can be had. */
static void interrupt(void)
{
	const struct interrupt *irq = &interrupts[depth];
	u32 outer_steps;
	long got;
	bool expected;

	if (!depth && doomed)
		verify_doomed();
	if (depth == nr_interrupts || steps++ != irq->stop_at)
		return;

	outer_steps = steps;
	steps = 0;
	depth++;
	expected = lowest_free_run(irq->action.n) >= 0;
	got = act(&irq->action);
	if (irq->action.op == OP_ALLOC && depth == nr_interrupts)
		CHECK_EQ(got >= 0, expected);
	depth--;
	steps = outer_steps;
}

static u32 act_interrupted(const struct action *a)
{
	bool stayed[MAX_PAGES];
	u32 page, run = 0;
	long got;

	for (page = 0; page < space.nr_pages; page++)
		stayed[page] = page_is_free(&space, page);
	if ((a->op == OP_TAKE || a->op == OP_RESERVE) && !all_are(a->start, a->n, PAGE_FREE))
		doomed = a;

	depth = 0;
	steps = 0;
	step_hook = interrupt;
	got = act(a);
	step_hook = NULL;
	doomed = NULL;
	verify_rest();

	if (a->op != OP_ALLOC)
		return steps;

	/* It can't have missed the lowest of the runs that nobody else touched. */
	for (page = 0; page < space.nr_pages && (got < 0 || page < got); page++) {
		run = stayed[page] && state[page] == PAGE_FREE ? run + 1 : 0;
		CHECK(run < a->n);
	}
	return steps;
}

/* Every operation, stopped before each of its steps for another. */
static void interrupt_all(struct rng *rng, u32 nr, u32 step_limit)
{
	unsigned char saved_state[MAX_PAGES];
	struct action action;
	struct model m;
	u32 i, stop, total;
	size_t bytes;
	void *copy;

	random_space(rng, &m);
	action = random_action(rng);
	for (i = 0; i < nr; i++)
		interrupts[i].action = random_action(rng);

	memcpy(saved_state, state, sizeof(state));
	bytes = model_snapshot_bytes(&m);
	copy = malloc(bytes);
	CHECK(copy);
	model_save(&m, &space, copy);

	for (stop = 0, total = 1; stop < total && stop < step_limit; stop++) {
		memcpy(state, saved_state, sizeof(state));
		model_restore(&m, &space, copy, bytes);

		nr_interrupts = nr;
		interrupts[0].stop_at = stop;
		interrupts[1].stop_at = rng_below(rng, 12);
		total = act_interrupted(&action);
	}
	free(copy);
	model_exit(&m);
}

static void test_interrupted(void)
{
	struct rng rng;
	int i;

	rng_init(&rng, 10);
	for (i = 0; i < 20000; i++)
		interrupt_all(&rng, 1, 100);
}

static void test_interrupted_twice(void)
{
	struct rng rng;
	int i;

	rng_init(&rng, 11);
	for (i = 0; i < 20000; i++)
		interrupt_all(&rng, 2, 100);
}

#define CPUS		3
#define STACK_BYTES	(256 * 1024)

static struct cpu {
	ucontext_t context;
	char *stack;
	bool busy;
	int ops;
} cpus[CPUS];
static ucontext_t idle;
static struct cpu *this_cpu;
static struct rng schedule;

/* Another CPU may be faster. */
static void change_cpu(void)
{
	struct cpu *from = this_cpu, *to = &cpus[rng_below(&schedule, CPUS)];

	if (rng_below(&schedule, 3) || !to->busy || to == from)
		return;
	this_cpu = to;
	swapcontext(&from->context, &to->context);
}

static void run_cpu(void)
{
	struct action a;

	while (this_cpu->ops--) {
		a = random_action(&schedule);
		act(&a);
	}
	this_cpu->busy = false;
}

static void interleave(void)
{
	struct model m;
	u32 i;

	random_space(&schedule, &m);
	for (i = 0; i < CPUS; i++) {
		getcontext(&cpus[i].context);
		cpus[i].context.uc_stack.ss_sp = cpus[i].stack;
		cpus[i].context.uc_stack.ss_size = STACK_BYTES;
		cpus[i].context.uc_link = &idle;
		cpus[i].busy = true;
		cpus[i].ops = 1 + rng_below(&schedule, 4);
		makecontext(&cpus[i].context, run_cpu, 0);
	}

	step_hook = change_cpu;
	for (i = 0; i < CPUS; i++) {
		while (cpus[i].busy) {
			this_cpu = &cpus[i];
			swapcontext(&idle, &this_cpu->context);
		}
	}
	step_hook = NULL;
	verify_rest();
	model_exit(&m);
}

static void test_interleaved(void)
{
	int i;

	rng_init(&schedule, 12);
	for (i = 0; i < CPUS; i++) {
		cpus[i].stack = malloc(STACK_BYTES);
		CHECK(cpus[i].stack);
	}
	for (i = 0; i < 100000; i++)
		interleave();
	for (i = 0; i < CPUS; i++)
		free(cpus[i].stack);
}

static u32 steps;

static void count_step(void)
{
	steps++;
}

/* How many atomic steps a search for @n pages takes, which fails */
static u32 steps_to_fail(u32 n)
{
	steps = 0;
	step_hook = count_step;
	CHECK_EQ(space_alloc(&space, n), -ENOSPC);
	step_hook = NULL;
	verify_rest();

	return steps;
}

/* Of each four pages, two are free: a search for three goes through all words once. */
static void test_failed_search(void)
{
	u32 nr = MAX_PAGES, page, first;
	struct model m;

	model_init(&m, nr);
	space = m.space;
	memset(state, PAGE_FREE, sizeof(state));
	CHECK_EQ(space_take(&space, 0, nr), 0);
	got_pages(0, nr, PAGE_TAKEN);
	for (page = 0; page + 4 <= nr; page += 4) {
		gave_pages(page, 2);
		arena_space_give(&space, page, 2);
	}

	first = steps_to_fail(4);
	CHECK(first > nr / BITS_PER_LONG);
	CHECK(steps_to_fail(4) <= 8);
	CHECK(steps_to_fail(64) <= 8);
	/* Shorter ones may exist, and are then what is known */
	CHECK(steps_to_fail(3) > nr / BITS_PER_LONG);
	CHECK(steps_to_fail(3) <= 8);
	/* A search that succeeds leaves that as it is */
	CHECK_EQ(act(&(struct action){ OP_ALLOC, 0, 2 }), 0);
	CHECK(steps_to_fail(3) <= 8);
	/* A page next to a free one may make a run */
	CHECK_EQ(act(&(struct action){ OP_GIVE, 6, 1 }), 6);
	CHECK_EQ(space_alloc(&space, 3), 4);
	got_pages(4, 3, PAGE_TAKEN);
	verify_rest();
	model_exit(&m);
}

static const struct test tests[] = {
	{ "failed search", test_failed_search },
	{ "stopped at each step", test_interrupted },
	{ "stopped twice", test_interrupted_twice },
	{ "interleaved step by step", test_interleaved },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
