// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that share a space, with and without signals that do the same in
 * their midst. No page may have two owners, what an owner wrote must be seen
 * by the next one (the thread sanitizer watches), and nothing gets lost.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <linux/bitops.h>
#include <linux/kernel.h>

#include "harness.h"
#include "model.h"

#define THREADS		4
#define MAX_PAGES	(66 * BITS_PER_LONG)
#define MAX_HELD	64

static struct arena_space space;
static unsigned char owner[MAX_PAGES];
static u32 contents[MAX_PAGES];

/* One that takes pages and gives them back: a thread, or its signal handler. */
struct worker {
	int id;
	struct rng rng;
	u32 nr_held;
	struct {
		u32 start, n;
	} held[MAX_HELD];
};

static struct worker workers[THREADS], handlers[THREADS];
static pthread_t threads[THREADS];
static __thread struct worker *my_handler;
static bool all_done;

static void hold(struct worker *w, u32 start, u32 n)
{
	u32 page;

	w->held[w->nr_held].start = start;
	w->held[w->nr_held++].n = n;
	for (page = start; page < start + n; page++) {
		CHECK_EQ(__atomic_exchange_n(&owner[page], w->id, __ATOMIC_RELAXED), 0);
		contents[page]++;
	}
}

static void give_back(struct worker *w, u32 i, bool by_mask)
{
	u32 start = w->held[i].start, n = w->held[i].n, page;

	w->held[i] = w->held[--w->nr_held];
	for (page = start; page < start + n; page++) {
		contents[page]++;
		CHECK_EQ(__atomic_exchange_n(&owner[page], 0, __ATOMIC_RELAXED), w->id);
	}
	if (!by_mask)
		return arena_space_give(&space, start, n);
	for (page = start; page < start + n; page++)
		arena_space_give_mask(&space, page / BITS_PER_LONG, BIT(page % BITS_PER_LONG));
}

/* Reserved pages belong to nobody; whoever comes by unreserves some. */
static void work(struct worker *w)
{
	u32 nr = space.nr_pages, start, n;
	long got;

	start = rng_below(&w->rng, nr);
	n = 1 + rng_below(&w->rng, rng_below(&w->rng, 4) ? 3 : 130);

	switch (rng_below(&w->rng, 8)) {
	case 0:
	case 1:
	case 2:
		if (w->nr_held == MAX_HELD)
			return give_back(w, 0, false);
		got = space_alloc(&space, n);
		CHECK(got >= 0 || got == -ENOSPC);
		if (got >= 0)
			hold(w, got, n);
		return;
	case 3:
		n = min(n, nr - start);
		if (w->nr_held < MAX_HELD && !space_take(&space, start, n))
			hold(w, start, n);
		return;
	case 4:
		space_reserve(&space, start, min(n, nr - start));
		return;
	case 5:
		arena_space_unreserve(&space, start, min(4 * n, nr - start));
		return;
	default:
		if (w->nr_held)
			give_back(w, rng_below(&w->rng, w->nr_held), n & 1);
	}
}

static void *run_thread(void *arg)
{
	struct worker *w = arg;
	int ops = 30000;

	my_handler = &handlers[w - workers];
	while (ops--)
		work(w);
	/* signals may still come in, and are welcome to */
	while (!__atomic_load_n(&all_done, __ATOMIC_RELAXED))
		sched_yield();
	return NULL;
}

static void handle(int sig)
{
	int saved = errno, i;

	(void)sig;
	for (i = 0; my_handler && i < 3; i++)
		work(my_handler);
	errno = saved;
}

static void verify_rest(void)
{
	u32 page, nr_free = 0, nr_reserved = 0;
	bool is_free, is_reserved;

	for (page = 0; page < space.nr_pages; page++) {
		is_free = page_is_free(&space, page);
		is_reserved = page_is_reserved(&space, page);
		nr_free += is_free;
		nr_reserved += is_reserved;
		CHECK_EQ(is_free + is_reserved + (owner[page] != 0), 1);
	}
	CHECK_EQ(atomic_read(&space.nr_free), nr_free);
	CHECK_EQ(atomic_read(&space.nr_reserved), nr_reserved);
	verify_hints(&space, false);
}

static void release_all(struct worker *w)
{
	while (w->nr_held)
		give_back(w, 0, true);
}

static void one_round(u32 nr_pages, u32 round, u32 signals)
{
	struct model m;
	u32 i;

	model_init(&m, nr_pages);
	space = m.space;
	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker) { .id = 1 + i };
		handlers[i] = (struct worker) { .id = 1 + THREADS + i };
		rng_init(&workers[i].rng, 1000 * round + workers[i].id);
		rng_init(&handlers[i].rng, 1000 * round + handlers[i].id);
	}

	all_done = false;
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, run_thread, &workers[i]), 0);
	while (signals--) {
		pthread_kill(threads[signals % THREADS], SIGUSR1);
		sched_yield();
	}
	__atomic_store_n(&all_done, true, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);

	verify_rest();
	for (i = 0; i < THREADS; i++) {
		release_all(&workers[i]);
		release_all(&handlers[i]);
	}
	arena_space_unreserve(&space, 0, nr_pages);
	verify_rest();
	CHECK_EQ(space_alloc(&space, nr_pages), 0);
	model_exit(&m);
}

static void rounds(u32 signals)
{
	static const u32 sizes[] = { 2, 70, 200, 1000, MAX_PAGES - 3 };
	u32 i;

	for (i = 0; i < 4 * ARRAY_SIZE(sizes); i++)
		one_round(sizes[i % ARRAY_SIZE(sizes)], i, signals);
}

static void test_threads(void)
{
	rounds(0);
}

static void test_signals(void)
{
	struct sigaction action = { .sa_handler = handle };

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	rounds(10000);
}

static const struct test tests[] = {
	{ "shared by threads", test_threads },
	{ "shared by threads and signal handlers", test_signals },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
