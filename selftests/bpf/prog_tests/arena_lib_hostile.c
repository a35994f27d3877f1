// SPDX-License-Identifier: GPL-2.0
/*
 * Who can write to an arena makes rings of what programs search and walk in it, and forges
 * what it says of its size. That costs a program no more than the largest structure that is in
 * order does, and leaves it nearly all of its budget of turns.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include "arena_lib_test.h"
#include "progs/arena_lib_hostile.h"
#include "progs/arena_lib_random.h"
#include "arena_lib_hostile.skel.h"

/*
 * In an emulator a search of 1024 entries takes up to a millisecond, and what is bounded by
 * ARENA_WALK_MAX some. The host may be busy. What is not bounded takes a second there.
 */
#define SEARCH_NS	5000000ULL
#define WALK_NS		50000000ULL
#define TRIES		3

#define FORGED		(~0ULL)

static struct arena_lib_hostile *skel;
static struct hostile *shared;
static __u64 random_state = 1;
static bool race_is_over;
static bool faults_take_time;

enum context {
	IN_SYSCALL,
	IN_XDP,
	IN_SOFTIRQ,
	NR_CONTEXTS,
};

static const char * const context_names[] = { "syscall", "xdp", "softirq" };

static const char * const op_names[NR_OPS] = {
	[HTAB_FIND] = "htab_find",
	[HTAB_FIND_NEXT] = "htab_find_next",
	[HTAB_POSSIBLE] = "htab_for_each_possible",
	[HTAB_ADD] = "htab_add",
	[HTAB_DEL] = "htab_del",
	[RB_FIND] = "rb_find",
	[RB_ADD] = "rb_add",
	[RB_FIND_ADD] = "rb_find_add",
	[RB_ERASE] = "rb_erase",
	[RB_ENDS] = "rb_first, rb_last",
	[RB_NEIGHBOURS] = "rb_next, rb_prev",
	[XA_LOAD] = "xa_load",
	[XA_FIND] = "xa_find",
	[XA_STORE] = "xa_store",
	[XA_ERASE] = "xa_erase",
	[HTAB_WALK] = "htab_for_each",
	[HTAB_TRIM] = "htab_trim",
	[LIST_WALK] = "list_for_each_entry",
	[LIST_REVERSE] = "list_for_each_entry_reverse",
	[LIST_SAFE] = "list_for_each_entry_safe",
	[HLIST_WALK] = "hlist_for_each_entry",
	[HLIST_SAFE] = "hlist_for_each_entry_safe",
	[RB_WALK] = "rb_for_each",
	[XA_WALK] = "xa_for_each",
};

static __u64 draw(__u64 below)
{
	return (arena_lib_random(&random_state) >> 16) % below;
}

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int less(struct arena_rb_node *a, const struct arena_rb_node *b)
{
	return to_elem(a)->key < to_elem(b)->key;
}

/* All structures anew, and in order. */
static bool build(void)
{
	struct elem *e = shared->elem;
	int i, err = 0;

	memset(shared, 0, sizeof(*shared));
	err |= arena_lib_run(skel->progs.free_heap);
	err |= arena_heap_init_range(&shared->heap, (void *)shared + HEAP_AT, HEAP_PAGES);
	arena_xa_init(&shared->array, &shared->heap);
	for (i = 0; i < NR_ELEMS; i++) {
		e[i].key = i;
		if (i < NR_HASHED)
			err |= arena_htab_add(&shared->htab, &e[i].node, i * STRIDE);
		arena_list_add_tail(&e[i].link, &shared->list);
		arena_hlist_add_head(&e[NR_ELEMS - 1 - i].hlink, &shared->hlist);
		err |= arena_rb_add(&e[i].rb, &shared->tree, less);
		err |= arena_xa_store(&shared->array, i, &e[i]);
	}
	/* So that it is a high one, and all ways lead up and down again */
	err |= arena_xa_store(&shared->array, FORGED, &e[0]);
	arena_htab_init(&shared->htab, &shared->heap);
	return ASSERT_OK(err, "build");
}

/* --- how to ruin them */

/* From the last one in each way to the one that is @n before it. */
static void make_rings(int n)
{
	struct elem *e = shared->elem, *last = &e[NR_ELEMS - 1];

	e[0].node.next = &e[n].node;
	last->link.next = &last[-n].link;
	e[0].link.prev = &e[n].link;
	last->hlink.next = &last[-n].hlink;
	last->rb.child[1] = &last[-n].rb;
	e[0].rb.child[0] = &e[n].rb;
	e[0].rb.parent_red = (__u64)&e[n].rb;
	last->rb.parent_red = (__u64)&last[-n].rb;
}

static void make_no_end(void)
{
	struct elem *e = shared->elem;
	struct arena_xa_node *root = shared->array.head, *below = root->slot[0];
	int i;

	make_rings(NR_HASHED - 1);
	/* All nodes have the root below them. */
	for (i = 0; i < NR_ELEMS; i++) {
		e[i].rb.child[0] = shared->tree.node;
		e[i].rb.child[1] = shared->tree.node;
		e[i].rb.parent_red |= 1;
	}
	/* 2^64 entries */
	for (i = 0; i < ARENA_XA_SLOTS; i++) {
		root->slot[i] = below;
		below->slot[i] = root;
	}
}

/* Nodes of an array that lead nowhere but by the last slot, which is looked at last. */
static void make_far(void)
{
	struct arena_xa_node *root = shared->array.head;
	int i;

	make_rings(0);
	for (i = 0; i < ARENA_XA_SLOTS; i++)
		root->slot[i] = i == ARENA_XA_SLOTS - 1 ? root : NULL;
}

static void forge(__u64 count)
{
	shared->htab.entries = count;
	shared->tree.nodes = count;
	shared->array.entries = count;
}

static void ring_of_one(void)
{
	make_rings(0);
}

static void ring_of_two(void)
{
	make_rings(1);
}

static void ring_of_all(void)
{
	make_no_end();
}

static void ring_forged_none(void)
{
	make_no_end();
	forge(0);
}

static void ring_forged_most(void)
{
	make_no_end();
	forge(FORGED);
}

static void far_forged_most(void)
{
	make_far();
	forge(FORGED);
}

static void forged_sizes(void)
{
	make_no_end();
	forge(FORGED / 2);
	shared->htab.shape = FORGED;
	shared->array.bits = FORGED;
}

static void forged_many_buckets(void)
{
	make_far();
	shared->htab.shape = 18ULL << 32 | 0xffffff;
	shared->htab.entries = 0;
	shared->array.bits = 7;
}

/* A pointer to anything there is, or nothing. */
static void *anything(void)
{
	const size_t from = offsetof(struct hostile, htab), size = sizeof(*shared) - from;

	return draw(20) ? (void *)shared + from + draw(size / 8) * 8 : NULL;
}

/* One word of the structures, but for the heap, which has tests of its own. */
static void scribble(void)
{
	size_t from = offsetof(struct hostile, htab), size = offsetof(struct hostile, spare);
	struct arena_heap *heap = shared->array.heap;
	void *word = (void *)shared + from + draw((size - from) / 8) * 8;

	if (word == &shared->array.heap || word == &shared->htab.heap || !heap)
		return;
	WRITE_ONCE(*(void **)word, anything());
	switch (draw(16)) {
	case 0:
		forge(draw(2) ? FORGED : draw(10000));
		break;
	case 1:
		WRITE_ONCE(shared->htab.shape, draw(2) ? draw(1 << 16) : (__u64)anything());
		break;
	case 2:
		WRITE_ONCE(shared->array.bits, draw(2) ? draw(100) : (__u64)anything());
		break;
	case 3:
		WRITE_ONCE(shared->htab.first[0].first, anything());
		WRITE_ONCE(shared->tree.node, anything());
		WRITE_ONCE(shared->array.head, anything());
		break;
	case 4:
		WRITE_ONCE(shared->list.next, anything());
		WRITE_ONCE(shared->list.prev, anything());
		WRITE_ONCE(shared->hlist.first, anything());
		break;
	}
}

static void scribbled(void)
{
	int i;

	for (i = 0; i < 5 * NR_ELEMS; i++)
		scribble();
}

/* --- what it costs */

static __u64 limit(int op)
{
	__u64 ns = op < WALKS ? SEARCH_NS : WALK_NS;

	/* A debug kernel looks at each access of an iterator's functions. */
	return arena_times(16) == 16 ? ns : 10 * ns;
}

static bool run(enum context context, int op, __u64 key)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct bpf_program *prog = skel->progs.in_syscall;
	struct hostile_run *run = &skel->bss->run;
	char packet[64] = {};
	__u32 want = 0;

	run->op = op;
	run->key = key;
	run->done = 0;
	if (context == IN_XDP) {
		prog = skel->progs.in_xdp;
		opts.data_in = packet;
		opts.data_size_in = sizeof(packet);
		want = XDP_PASS;
	} else if (context == IN_SOFTIRQ) {
		prog = skel->progs.in_softirq;
	}
	if (!ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run") ||
	    !ASSERT_EQ(opts.retval, want, "retval"))
		return false;
	return ASSERT_TRUE(context != IN_SOFTIRQ || ARENA_EVENTUALLY(READ_ONCE(run->done)),
			   "run");
}

/* A key at which nothing is found soon, or nothing at all. */
static __u64 hard_key(int op)
{
	switch (op) {
	case HTAB_POSSIBLE:
		return 0;
	case RB_ERASE:
	case RB_NEIGHBOURS:
		return NR_ELEMS - 1;
	case XA_STORE:
		return 1ULL << 40;
	case XA_ERASE:
		return 5;
	case XA_FIND:
		return NR_ELEMS;
	}
	return ABSENT;
}

/* The quickest of some, for the host may take the CPU away meanwhile. */
static bool in_time(enum context context, int op, void (*ruin)(void), const char *how)
{
	__u64 ns = FORGED, turns = 0;
	int i;

	for (i = 0; i < TRIES; i++) {
		if (!build())
			return false;
		ruin();
		if (!run(context, op, hard_key(op)))
			return false;
		if (skel->bss->run.ns < ns) {
			ns = skel->bss->run.ns;
			turns = skel->bss->run.turns;
		}
	}
	printf("%s, %s, %s: %llu us\n", how, context_names[context], op_names[op], ns / 1000);
	return (faults_take_time || ASSERT_LT(ns, limit(op), op_names[op])) &&
	       ASSERT_EQ(turns, TURNS_LEFT, op_names[op]);
}

static const struct {
	const char *name;
	void (*ruin)(void);
} ruins[] = {
	{ "ring_of_one", ring_of_one },
	{ "ring_of_two", ring_of_two },
	{ "ring_of_all", ring_of_all },
	{ "ring_forged_none", ring_forged_none },
	{ "ring_forged_most", ring_forged_most },
	{ "far_forged_most", far_forged_most },
	{ "forged_sizes", forged_sizes },
	{ "forged_many_buckets", forged_many_buckets },
	{ "scribbled", scribbled },
};

static void ruined(int i)
{
	enum context context;
	int op;

	/* One of them in all contexts, the others where time matters most. */
	for (context = 0; context < NR_CONTEXTS; context++) {
		if (context != IN_XDP && ruins[i].ruin != ring_forged_most)
			continue;
		for (op = 0; op < NR_OPS; op++)
			if (!in_time(context, op, ruins[i].ruin, ruins[i].name))
				return;
	}
}

/* What is right is found, all of it, in the longest chain and the largest structures. */
static void in_order(void)
{
	const struct {
		int op;
		__u64 key, ret;
	} wants[] = {
		{ HTAB_FIND, 0, (__u64)&shared->elem[0].node },
		{ HTAB_FIND, ABSENT, 0 },
		{ HTAB_POSSIBLE, 0, 1 },
		{ HTAB_FIND_NEXT, 0, 0 },
		{ HTAB_DEL, 0, -ENOENT },
		{ HTAB_WALK, 0, NR_HASHED },
		{ HTAB_ADD, NR_HASHED, 0 },
		{ HTAB_FIND, 0, (__u64)&shared->elem[0].node },
		{ HTAB_FIND, NR_HASHED, (__u64)&shared->spare.node },
		{ HTAB_WALK, 0, NR_HASHED + 1 },
		{ HTAB_DEL, 0, 0 },
		{ HTAB_TRIM, 0, 0 },
		{ HTAB_WALK, 0, NR_HASHED },
		{ LIST_WALK, 0, NR_ELEMS },
		{ LIST_REVERSE, 0, NR_ELEMS },
		{ LIST_SAFE, 0, NR_ELEMS },
		{ HLIST_WALK, 0, NR_ELEMS },
		{ HLIST_SAFE, 0, NR_ELEMS },
		{ RB_WALK, 0, NR_ELEMS },
		{ RB_FIND, NR_ELEMS - 1, (__u64)&shared->elem[NR_ELEMS - 1].rb },
		{ RB_FIND, NR_ELEMS, 0 },
		{ RB_ERASE, 7, 0 },
		{ RB_FIND, 7, 0 },
		{ RB_ADD, 7, 0 },
		{ RB_FIND, 7, (__u64)&shared->spare.rb },
		{ RB_FIND_ADD, 8, (__u64)&shared->elem[8].rb },
		{ RB_WALK, 0, NR_ELEMS },
		{ XA_LOAD, 5, (__u64)&shared->elem[5] },
		{ XA_FIND, NR_ELEMS, (__u64)&shared->elem[0] },
		{ XA_WALK, 0, NR_ELEMS + 1 },
		{ XA_STORE, 1ULL << 40, 0 },
		{ XA_WALK, 0, NR_ELEMS + 2 },
		{ XA_ERASE, FORGED, (__u64)&shared->elem[0] },
		{ XA_WALK, 0, NR_ELEMS + 1 },
	};
	int i;

	if (!build())
		return;
	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		if (!run(IN_XDP, wants[i].op, wants[i].key) ||
		    !ASSERT_EQ(skel->bss->run.ret, wants[i].ret, op_names[wants[i].op]) ||
		    !ASSERT_EQ(skel->bss->run.turns, TURNS_LEFT, "turns left"))
			return;
	}
}

/* A search in a ring has an answer: there is no such thing, or no room for it. */
static void answers(void)
{
	if (!build())
		return;
	ring_of_all();
	ASSERT_TRUE(run(IN_XDP, HTAB_FIND, ABSENT), "run");
	ASSERT_EQ(skel->bss->run.ret, 0, "htab_find");
	ASSERT_TRUE(run(IN_XDP, HTAB_DEL, ABSENT), "run");
	ASSERT_EQ((int)skel->bss->run.ret, -ENOENT, "htab_del");
	ASSERT_TRUE(run(IN_XDP, RB_FIND, ABSENT), "run");
	ASSERT_EQ(skel->bss->run.ret, 0, "rb_find");
	ASSERT_TRUE(run(IN_XDP, RB_ADD, ABSENT), "run");
	ASSERT_EQ((int)skel->bss->run.ret, -ELOOP, "rb_add");
	ASSERT_TRUE(run(IN_XDP, RB_FIND_ADD, ABSENT), "run");
	ASSERT_EQ(skel->bss->run.ret, (__u64)&shared->spare.rb, "rb_find_add");
	shared->htab.entries = FORGED;
	ASSERT_TRUE(run(IN_XDP, HTAB_ADD, 0), "run");
	ASSERT_EQ((int)skel->bss->run.ret, -ENOSPC, "htab_add");
	ASSERT_TRUE(run(IN_XDP, LIST_WALK, 0), "run");
	ASSERT_EQ(skel->bss->run.ret, 16384, "list_for_each_entry");
}

static void *scribble_thread(void *arg)
{
	pin_to(1);
	while (!READ_ONCE(race_is_over))
		scribble();
	return NULL;
}

#define RACE_MS		3000

/* On another CPU somebody does that all the time. */
static void race(void)
{
	__u64 best[NR_OPS], turns[NR_OPS] = {}, worst[2] = {}, end;
	pthread_t thread;
	int op, n = 0;

	if (!build())
		return;
	memset(best, 0xff, sizeof(best));
	race_is_over = false;
	pin_to(0);
	if (!ASSERT_OK(pthread_create(&thread, NULL, scribble_thread, NULL), "thread"))
		return;
	for (end = arena_now_ms() + RACE_MS; arena_now_ms() < end || n < TRIES; n++) {
		for (op = 0; op < NR_OPS; op++) {
			struct hostile_run *run_ = &skel->bss->run;

			if (!run(IN_XDP, op, hard_key(op)))
				goto out;
			if (run_->ns < best[op]) {
				best[op] = run_->ns;
				turns[op] = run_->turns;
			}
			if (run_->ns > worst[op >= WALKS])
				worst[op >= WALKS] = run_->ns;
		}
	}
	printf("%d rounds, the longest search took %llu us, the longest walk %llu us\n", n,
	       worst[0] / 1000, worst[1] / 1000);
	for (op = 0; op < NR_OPS; op++) {
		ASSERT_LT(best[op], limit(op), op_names[op]);
		ASSERT_EQ(turns[op], TURNS_LEFT, op_names[op]);
	}
out:
	WRITE_ONCE(race_is_over, true);
	pthread_join(thread, NULL);
}

/* Takes times, and both CPUs: not beside other tests. */
void serial_test_arena_lib_hostile(void)
{
	cpu_set_t old;
	int i;

	if (libbpf_num_possible_cpus() < 2) {
		PRINT_FAIL("the test needs two CPUs\n");
		return;
	}
	/* Where programs that must not sleep have no pages, these are refused. */
	if (!arena_lib_pages_nosleep()) {
		test__skip();
		return;
	}
	faults_take_time = arena_lib_reports_faults();
	sched_getaffinity(0, sizeof(old), &old);
	skel = arena_lib_hostile__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open and load"))
		return;
	shared = &skel->arena->shared;
	if (test__start_subtest("in_order"))
		in_order();
	if (test__start_subtest("answers"))
		answers();
	for (i = 0; i < ARRAY_SIZE(ruins); i++)
		if (test__start_subtest(ruins[i].name))
			ruined(i);
	if (test__start_subtest("race"))
		race();
	sched_setaffinity(0, sizeof(old), &old);
	arena_lib_hostile__destroy(skel);
}
