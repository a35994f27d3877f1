// SPDX-License-Identifier: GPL-2.0
/*
 * A queue in an arena against a model, and between programs and threads: all that was
 * pushed comes out, once, and what is one producer's in the order in which it was pushed.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include "arena_lib_test.h"
#include "progs/arena_lib_queue.h"
#include "arena_lib_queue.skel.h"

#define RUNS		150
#define OPS		1000
#define CLOCK_NS	500000
#define SIZE		ARENA_QUEUE_SLOTS(ORDER)

static struct arena_lib_queue *skel;
static struct arena_queue *queue;

/* What queue_op() is to return */
static __u64 model_op(__u32 *fifo, __u32 *cnt, struct queue_run *run)
{
	__u64 random = arena_lib_random(&run->random);
	__u32 value;

	if ((random >> 32) % 8 < (run->next / QUEUE_PHASE % 2 ? 3 : 6)) {
		run->next++;
		if (*cnt == SIZE)
			return -ENOSPC;
		fifo[(*cnt)++] = run->next;
		return 0;
	}
	if (random >> 63)
		return *cnt;
	run->next++;
	if (!*cnt)
		return run->next;
	value = fifo[0];
	memmove(fifo, fifo + 1, --*cnt * sizeof(*fifo));
	return value + run->next;
}

/* Programs, and user space at every fourth time */
static void random_ops(void)
{
	struct queue_run want = { .random = time(NULL) | 1 }, *run = &skel->bss->run;
	__u32 fifo[SIZE], cnt = 0;
	int n, i;

	printf("random begins with %llu\n", want.random);
	*run = want;
	skel->bss->turns = OPS;
	for (n = 0; n < RUNS; n++) {
		for (i = 0; i < OPS; i++)
			want.hash = arena_lib_hash(want.hash, model_op(fifo, &cnt, &want));
		for (i = 0; i < OPS && n % 4 == 0; i++)
			run->hash = arena_lib_hash(run->hash, queue_op(queue, run));
		if (n % 4 && !ASSERT_OK(arena_lib_run(skel->progs.random_ops), "run"))
			return;
		if (!ASSERT_EQ(run->hash, want.hash, "what was returned") ||
		    !ASSERT_EQ(arena_queue_length(queue), cnt, "length"))
			return;
	}
	for (i = 0; i < cnt; i++)
		if (!ASSERT_EQ(arena_queue_pop_value(queue), fifo[i], "value"))
			return;
	ASSERT_EQ(arena_queue_pop_value(queue), 0, "empty");
}

/* Objects, from one side to the other */
static void objects(void)
{
	struct queue_object *obj = &skel->arena->object;

	ASSERT_OK(arena_lib_run(skel->progs.push_object), "push by program");
	ASSERT_EQ(arena_queue_pop(queue), obj, "pop by user space");
	ASSERT_NULL(arena_queue_pop(queue), "empty");
	ASSERT_EQ(arena_lib_run(skel->progs.pop_object), 0, "pop by program");
	ASSERT_OK(arena_queue_push(queue, obj), "push by user space");
	ASSERT_EQ(arena_lib_run(skel->progs.pop_object), 17, "pop by program");
	ASSERT_EQ(arena_queue_push(queue, NULL), -EINVAL, "NULL");
	ASSERT_EQ(arena_queue_init(queue, queue->slots, 0), -EINVAL, "order");
	ASSERT_EQ(arena_queue_init(queue, queue->slots, 29), -EINVAL, "order");
}

/* Somebody died after the first of the two steps: the others do the second one. */
static void half_done(void)
{
	__u64 *slot = queue->slots, i;
	__u32 n;

	/* a producer, and a consumer of what it has queued */
	slot[0] |= 77;
	ASSERT_OK(arena_queue_push_value(queue, 78), "push");
	ASSERT_EQ(queue->tail, 2, "tail");
	slot[0] = 1ULL << 32;
	ASSERT_EQ(arena_queue_pop_value(queue), 78, "pop");
	ASSERT_EQ(queue->head, 2, "head");
	ASSERT_EQ(arena_queue_pop_value(queue), 0, "empty");
	/* both of the same object, before anybody came by */
	slot[2] = 1ULL << 32;
	ASSERT_EQ(arena_queue_length(queue), 0, "length");
	ASSERT_OK(arena_queue_push_value(queue, 79), "push");
	ASSERT_EQ(arena_queue_pop_value(queue), 79, "pop");
	/* and in programs */
	slot[4] |= 0x20000000 | 1;
	skel->bss->turns = SIZE;
	ASSERT_OK(arena_lib_run(skel->progs.produce), "run");
	for (i = 0, n = 0; i < PRODUCERS; i++)
		n += skel->bss->produced[i].last;
	ASSERT_EQ(n, SIZE - 1, "pushed");
	ASSERT_EQ(arena_queue_push_value(queue, 1), -ENOSPC, "full");
	skel->bss->turns = SIZE + 1;
	ASSERT_OK(arena_lib_run(skel->progs.consume), "run");
	for (i = 0, n = 0; i < PRODUCERS; i++)
		n += skel->bss->consumed[0].cnt[i] + skel->bss->consumed[1].cnt[i];
	ASSERT_EQ(n, SIZE, "popped");
}

/* One after the other, as many as that, or until the race is over */
static int user_produces(int nr)
{
	__u32 id = 4 + nr % 2, n = 0;

	while (n < OPS && !READ_ONCE(arena_lib_is_over)) {
		if (queue_produce(queue, id, &skel->bss->produced[id]))
			n++;
		else
			sched_yield();
	}
	return 0;
}

static int user_consumes(int nr)
{
	struct consumed *c = &skel->bss->consumed[2 + nr % 2];
	__u32 n = 0;

	while (n < OPS && !READ_ONCE(arena_lib_is_over)) {
		if (queue_consume(queue, c))
			n++;
		else
			sched_yield();
	}
	return 0;
}

static void check_race(void)
{
	__u64 cnt, sum, last, all = 0;
	int i, n;

	/* What is left goes to the last consumer. */
	while (queue_consume(queue, &skel->bss->consumed[3]))
		;
	for (i = 0; i < PRODUCERS; i++) {
		last = skel->bss->produced[i].last;
		for (n = 0, cnt = 0, sum = 0; n < CONSUMERS; n++) {
			cnt += skel->bss->consumed[n].cnt[i];
			sum += skel->bss->consumed[n].sum[i];
		}
		printf("producer %d: %llu pushed, %llu not\n", i, last,
		       skel->bss->produced[i].full);
		ASSERT_EQ(cnt, last, "objects");
		ASSERT_EQ(sum, last * (last + 1) / 2, "their sum");
		all += last;
	}
	for (n = 0; n < CONSUMERS; n++)
		ASSERT_EQ(skel->bss->consumed[n].disorder, 0, "out of order");
	ASSERT_GT(all, 10 * OPS, "all objects");
	ASSERT_EQ(arena_queue_length(queue), 0, "length");
}

/* Two CPUs at one end and two threads at the other, and interrupts that push. */
static void race(struct bpf_program *prog, int (*user)(int nr))
{
	struct bpf_link *clock[2];
	int i;

	skel->bss->turns = OPS;
	for (i = 0; i < 2; i++)
		clock[i] = arena_clock(skel->progs.in_interrupt, i, CLOCK_NS);
	arena_lib_race(prog, user, 10);
	ASSERT_GE(skel->bss->ticks, 10, "interrupts");
	for (i = 0; i < 2; i++)
		bpf_link__destroy(clock[i]);
	check_race();
}

static void to_user(void)
{
	race(skel->progs.produce, user_consumes);
}

static void to_bpf(void)
{
	race(skel->progs.consume, user_produces);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "random", random_ops },
	{ "objects", objects },
	{ "half_done", half_done },
	{ "to_user", to_user },
	{ "to_bpf", to_bpf },
};

/* The races need both CPUs: not beside other tests. */
void serial_test_arena_lib_queue(void)
{
	cpu_set_t old;
	int i;

	sched_getaffinity(0, sizeof(old), &old);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (!test__start_subtest(tests[i].name))
			continue;
		skel = arena_lib_queue__open_and_load();
		if (!ASSERT_OK_PTR(skel, "open and load"))
			continue;
		queue = &skel->arena->queue;
		if (ASSERT_OK(arena_lib_run(skel->progs.init), "init"))
			tests[i].run();
		arena_lib_queue__destroy(skel);
		sched_setaffinity(0, sizeof(old), &old);
	}
}
