// SPDX-License-Identifier: GPL-2.0
/* Loops in all the places that a program can have some. */
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_loops.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 100);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 10);
	__type(key, int);
	__type(value, int);
} array SEC(".maps");

#define SLOW_SIZE	0x100000

char slow_from[SLOW_SIZE];
char slow_to[SLOW_SIZE];

/* What the verifier must not know */
int zero;

/* For what isn't told by a context */
__u64 callback_turns;
__u64 callback_calls;
__u64 timer_turns;
__u64 irq_runs;
__u64 irq_short_runs;
__u64 irq_turns = 100;

static __always_inline __u64 loop(__u64 want)
{
	__u64 n;

	for (n = zero; n < want; n++)
		cond_break;
	return n;
}

static __noinline __u64 loop_in_function(__u64 want)
{
	return loop(want);
}

__noinline __u64 loop_in_global(__u64 want)
{
	return loop(want);
}

SEC("syscall")
int in_main(struct loops *l)
{
	__u64 start = bpf_ktime_get_ns();

	l->turns = loop(l->want);
	l->ns = bpf_ktime_get_ns() - start;
	return 0;
}

/* A loop that has used up the budget, and then a function that asks for turns. */
SEC("syscall")
int in_main_then_function(struct loops *l)
{
	__u64 start = bpf_ktime_get_ns();

	l->turns = loop(l->want);
	l->more = loop_in_function(l->want);
	/* there is no third time */
	l->sum = loop_in_global(l->want);
	l->ns = bpf_ktime_get_ns() - start;
	return 0;
}

SEC("syscall")
int in_global(struct loops *l)
{
	__u64 start = bpf_ktime_get_ns();

	l->turns = loop_in_global(l->want);
	l->ns = bpf_ktime_get_ns() - start;
	return 0;
}

/* Functions that are called in each turn, and loop each time */
SEC("syscall")
int nested(struct loops *l)
{
	__u64 start = bpf_ktime_get_ns();
	__u64 i, want = l->want;
	__u64 sum = 0, turns = 0;

	for (i = zero; i < want && can_loop; i++) {
		__u64 j;

		turns++;
		for (j = zero; j < want && can_loop; j++) {
			turns++;
			sum += loop_in_function(want);
			sum += loop_in_global(want);
		}
	}
	l->turns = turns;
	l->sum = sum;
	l->ns = bpf_ktime_get_ns() - start;
	return 0;
}

__noinline __u64 to_extend(__u64 want)
{
	asm volatile("" : "+r"(want));
	return want;
}

/* Without loops, but the function may be replaced by one that has some. */
SEC("syscall")
int extended(struct loops *l)
{
	__u64 start = bpf_ktime_get_ns();

	l->turns = to_extend(l->want);
	l->turns += to_extend(l->want);
	l->ns = bpf_ktime_get_ns() - start;
	return 0;
}

/* The same with its main program */
SEC("xdp")
int extended_main(struct xdp_md *ctx)
{
	return XDP_PASS;
}

static int callback(__u32 i, void *data)
{
	__u64 *want = data;

	callback_calls++;
	callback_turns += loop(*want);
	callback_turns += loop_in_function(*want);
	return 0;
}

SEC("syscall")
int in_callback(struct loops *l)
{
	__u64 start = bpf_ktime_get_ns();
	__u64 i, want = l->want;

	callback_calls = 0;
	callback_turns = 0;
	bpf_loop(100, callback, &want, 0);
	for (i = zero; i < want && can_loop; i++) {
		callback_turns++;
		bpf_loop(2, callback, &want, 0);
	}
	l->turns = callback_turns;
	l->ns = bpf_ktime_get_ns() - start;
	return 0;
}

static int elem_callback(void *map, int *key, int *value, void *data)
{
	return callback(*key, data);
}

SEC("syscall")
int in_each_elem(struct loops *l)
{
	__u64 want = l->want;

	callback_calls = 0;
	callback_turns = 0;
	bpf_for_each_map_elem(&array, elem_callback, &want, 0);
	l->turns = callback_turns;
	return 0;
}

/* Each turn takes long, and none of the time is the program's own. */
SEC("syscall")
int slow(struct loops *l)
{
	__u64 start = bpf_ktime_get_ns();
	__u64 n;

	for (n = zero; can_loop; n++)
		bpf_probe_read_kernel(slow_to, SLOW_SIZE, slow_from);
	l->turns = n;
	l->ns = bpf_ktime_get_ns() - start;
	return 0;
}

struct node {
	struct node __arena *next;
	struct node __arena *left, *right;
	__u64 value;
};

static __noinline struct node __arena *build_list(__u64 cnt)
{
	struct node __arena *n, *head = NULL, *page = NULL;
	__u64 i;

	for (i = zero; i < cnt && can_loop; i++) {
		if (i % 32 == 0)
			page = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
		if (!page)
			break;
		n = page + i % 32;
		n->value = i;
		n->next = head;
		head = n;
	}
	return head;
}

/* Of any length: who made it may be in user space. */
SEC("syscall")
int list(struct loops *l)
{
	struct node __arena *n;
	__u64 sum = 0, turns = 0;

	for (n = build_list(l->want); n; n = n->next) {
		sum += n->value;
		turns++;
		cond_break;
	}
	l->sum = sum;
	l->turns = turns;
	return 0;
}

/* One that bites its own tail */
SEC("syscall")
int ring(struct loops *l)
{
	struct node __arena *n, *head = build_list(l->want);
	__u64 turns = 0;

	for (n = head; n && n->next && can_loop; n = n->next)
		;
	if (!n)
		return 1;
	n->next = head;
	for (n = head; n && can_loop; n = n->next)
		turns++;
	l->turns = turns;
	return 0;
}

/* A search tree: put in, and found again */
SEC("syscall")
int tree(struct loops *l)
{
	struct node __arena *list, *root = NULL, *n, *at;
	__u64 found = 0, key, want = l->want;

	for (list = build_list(want); list && can_loop; list = list->next) {
		/* not in the order they have */
		list->value = list->value * 7919 % 10007;
		if (!root) {
			root = list;
			continue;
		}
		for (at = root; can_loop; at = n) {
			n = list->value < at->value ? at->left : at->right;
			if (n)
				continue;
			if (list->value < at->value)
				at->left = list;
			else
				at->right = list;
			break;
		}
	}
	for (key = zero; key < want && can_loop; key++)
		for (at = root; at && can_loop;
		     at = key * 7919 % 10007 < at->value ? at->left : at->right)
			if (at->value == key * 7919 % 10007) {
				found++;
				break;
			}
	l->sum = found;
	return 0;
}

/* Of numbers, in numbers */
SEC("syscall")
int numbers(struct loops *l)
{
	__u64 sum = 0, turns = 0;
	int i, j, want = l->want;

	bpf_for(i, 0, want) {
		turns++;
		bpf_for(j, i, want) {
			if (j == 90)
				continue;
			sum += i * j;
			if (j == 95)
				break;
		}
		if (i == 50)
			break;
	}
	bpf_for(i, -3, 4)
		turns += i;
	l->turns = turns;
	l->sum = sum;
	return 0;
}

static __noinline __u64 sum_of(int from, int to)
{
	__u64 sum = 0;
	int i;

	bpf_for(i, from, to) {
		sum += i;
		cond_break;
	}
	return sum;
}

static int numbers_callback(__u32 n, void *data)
{
	*(__u64 *)data += sum_of(0, n);
	return 0;
}

/* In functions, callbacks and loops of other kinds */
SEC("syscall")
int numbers_everywhere(struct loops *l)
{
	__u64 n, sum = 0, in_callback = 0;
	int i;

	for (n = zero; n < l->want && can_loop; n++)
		bpf_for(i, 0, 10)
			sum += sum_of(0, i);
	bpf_loop(10, numbers_callback, &in_callback, 0);
	l->sum = sum;
	l->more = in_callback;
	return 0;
}

/* Too many, and fewer than none */
SEC("syscall")
int no_numbers(struct loops *l)
{
	int i, min = zero - 0x40000000, max = zero + 0x40000000;

	bpf_for(i, min, max)
		l->turns++;
	bpf_for(i, 5, 4 + zero)
		l->turns++;
	bpf_for(i, 5, 5 + zero)
		l->turns++;
	return 0;
}

/* The index is good for as long as it is compared. */
__u64 elems[100];

SEC("syscall")
int number_as_index(struct loops *l)
{
	__u64 sum = 0;
	int i;

	bpf_for(i, 0, 100)
		elems[i] = i;
	bpf_for(i, 0, 100)
		sum += elems[i];
	l->sum = sum;
	return 0;
}

struct elem {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct elem);
} timers SEC(".maps");

static int timer_callback(void *map, int *key, struct elem *elem)
{
	timer_turns = loop(1000) + loop_in_function(1000);
	return 0;
}

SEC("syscall")
int in_timer(struct loops *l)
{
	struct elem *elem;
	int key = 0;

	timer_turns = 0;
	elem = bpf_map_lookup_elem(&timers, &key);
	if (!elem)
		return 1;
	bpf_timer_init(&elem->timer, &timers, 1);
	bpf_timer_set_callback(&elem->timer, timer_callback);
	return bpf_timer_start(&elem->timer, 1000, 0);
}

/* Whatever it interrupts: this has its own budget. */
SEC("perf_event")
int in_interrupt(void *ctx)
{
	irq_runs++;
	if (loop(irq_turns) + loop_in_function(irq_turns) != 2 * irq_turns)
		irq_short_runs++;
	return 0;
}

static int wait_callback(__u32 i, void *data)
{
	return bpf_ktime_get_ns() >= *(__u64 *)data;
}

/* Interrupted while it loops, and when it may not any more */
SEC("syscall")
int interrupted(struct loops *l)
{
	__u64 end;

	l->turns = loop(-1) + loop_in_function(-1);
	end = bpf_ktime_get_ns() + 200000000;
	bpf_loop(MAX_TURNS, wait_callback, &end, 0);
	l->more = loop(1) + loop_in_function(1);
	return 0;
}

char _license[] SEC("license") = "GPL";
