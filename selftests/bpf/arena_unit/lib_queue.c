// SPDX-License-Identifier: GPL-2.0
/* The queue of ../bpf_arena_queue.h among threads. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "../progs/arena_lib_queue.h"
#include "harness.h"

#define TURNS	200000

static struct arena_queue queue;
static __u64 slots[ARENA_QUEUE_SLOTS(ORDER)];
static struct produced produced[PRODUCERS];
static struct consumed consumed[CONSUMERS];
static u64 contents[PRODUCERS][64];

/* What an object has in it is written by the producer and read by the consumer. */
static void *produce_objects(void *arg)
{
	u64 *mine = arg, i;

	for (i = 1; i < 64; i++) {
		mine[i] = i;
		while (arena_queue_push(&queue, &mine[i]))
			sched_yield();
	}
	return NULL;
}

static void test_objects(void)
{
	pthread_t threads[2];
	u64 *obj, sum = 0;
	int i, got = 0;

	CHECK_EQ(arena_queue_init(&queue, slots, ORDER), 0);
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, produce_objects, contents[i]), 0);
	while (got < 2 * 63) {
		obj = arena_queue_pop(&queue);
		if (!obj)
			continue;
		sum += *obj;
		got++;
	}
	CHECK_EQ(sum, 2 * 63 * 64 / 2);
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK(!arena_queue_pop(&queue));
}

static void *produce(void *arg)
{
	struct produced *p = arg;

	while (p->last < TURNS)
		queue_produce(&queue, p - produced, p);
	return NULL;
}

static void *consume(void *arg)
{
	struct consumed *c = arg;
	u32 idle = 0;

	/* The producers are done when there is nothing for so long, or it is found out. */
	while (idle < 1000) {
		if (queue_consume(&queue, c)) {
			idle = 0;
		} else {
			idle++;
			usleep(100);
		}
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t producers[3], consumers[3];
	u64 cnt, sum;
	int i, n;

	CHECK_EQ(arena_queue_init(&queue, slots, ORDER), 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(pthread_create(&consumers[i], NULL, consume, &consumed[i]), 0);
		CHECK_EQ(pthread_create(&producers[i], NULL, produce, &produced[i]), 0);
	}
	for (i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(producers[i], NULL), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(consumers[i], NULL), 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(consumed[i].disorder, 0);
		for (n = 0, cnt = 0, sum = 0; n < 3; n++) {
			cnt += consumed[n].cnt[i];
			sum += consumed[n].sum[i];
		}
		CHECK_EQ(cnt, TURNS);
		CHECK_EQ(sum, TURNS * (TURNS + 1ULL) / 2);
	}
	CHECK_EQ(arena_queue_length(&queue), 0);
}

/* As it is read when others push and pop between the two ends */
static void test_length(void)
{
	memset(&queue, 0, sizeof(queue));
	CHECK_EQ(arena_queue_init(&queue, slots, ORDER), 0);
	CHECK_EQ(arena_queue_length(&queue), 0);
	queue.tail += ARENA_QUEUE_SLOTS(ORDER) + 1;
	CHECK_EQ(arena_queue_length(&queue), ARENA_QUEUE_SLOTS(ORDER));
	queue.head = queue.tail + 1;
	CHECK_EQ(arena_queue_length(&queue), 0);
}

static const struct test tests[] = {
	{ "objects and their contents", test_objects },
	{ "threads at both ends", test_threads },
	{ "no longer than it is", test_length },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
