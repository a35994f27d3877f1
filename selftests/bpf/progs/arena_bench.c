// SPDX-License-Identifier: GPL-2.0
/*
 * What benchs/bench_arena.c measures. Each program repeats one operation; what a
 * run costs beside it is the same for all numbers of repetitions.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_bench.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);		/* user space says how many */
} arena SEC(".maps");

/* What user space asks for */
__u32 ops, pages, stride;
__u64 at;

/* And gets: the address of what was allocated first, or the last result */
__u64 first, result;

struct node {
	struct node __arena *next;
	__u64 value;
};

struct elem {
	struct elem __arena *next;
	__u64 key;
	__u64 value;
};

struct table {
	struct elem __arena *bucket[BENCH_KEYS];
	struct elem elem[BENCH_KEYS];
};

/* A program whose arena pointers come from elsewhere has to name the arena. */
static void name_arena(void)
{
	asm volatile("" : : "r"(&arena));
}

/* The verifier knows the limit and the compiler does not: one comparison is enough. */
static __u32 limited_ops(void)
{
	__u32 n = ops & BENCH_MAX_OPS;

	barrier_var(n);
	name_arena();
	return n;
}

static int alloc_free_one(__u32 i, void *ctx)
{
	void __arena *p = bpf_arena_alloc_pages(&arena, NULL, pages, NUMA_NO_NODE, 0);

	if (!p)
		return 1;
	bpf_arena_free_pages(&arena, p, pages);
	return 0;
}

SEC("syscall")
int alloc_free(void *ctx)
{
	result = bpf_loop(ops, alloc_free_one, NULL, 0);
	return 0;
}

static int alloc_one(__u32 i, void *ctx)
{
	void __arena *p = bpf_arena_alloc_pages(&arena, NULL, pages, NUMA_NO_NODE, 0);

	if (!i)
		first = (__u64)p;
	return !p;
}

SEC("syscall")
int alloc_pages(void *ctx)
{
	result = bpf_loop(ops, alloc_one, NULL, 0);
	return 0;
}

static int free_one(__u32 i, void *ctx)
{
	__u64 addr = at + (__u64)i * stride * PAGE_SIZE;

	bpf_arena_free_pages(&arena, (void __arena *)addr, pages);
	return 0;
}

SEC("syscall")
int free_pages(void *ctx)
{
	result = bpf_loop(ops, free_one, NULL, 0);
	return 0;
}

/* The nodes of a page are linked the way a list grows: newest first. */
SEC("syscall")
int list_build(void *ctx)
{
	struct node __arena *node = (void __arena *)at, *head = NULL;
	__u32 i;

	name_arena();
	for (i = 0; i < BENCH_NODES; i++) {
		node[i].value = i;
		node[i].next = head;
		head = &node[i];
	}
	first = (__u64)head;
	return 0;
}

SEC("syscall")
int list_walk(void *ctx)
{
	struct node __arena *node = (void __arena *)first;
	__u32 i, n = limited_ops();
	__u64 sum = 0;

	for (i = 0; i < n && node; i++) {
		barrier_var(i);
		sum += node->value;
		node = node->next;
	}
	result = sum;
	return 0;
}

/*
 * Some operations each time round, which takes five instructions more:
 * the next address, its cast, and the count.
 */
#define BENCH_LOOP(type, unroll, operation)				\
	const __u32 each_round = (unroll);				\
	type __arena *p = (void __arena *)at;				\
	__u32 i, j, n = limited_ops();					\
									\
	for (i = 0; i < n; i++) {					\
		for (j = 0; j < each_round; j++)			\
			operation;					\
		p += each_round;					\
		barrier_var(i);						\
	}

SEC("syscall")
int load(void *ctx)
{
	__u64 sum = 0;

	BENCH_LOOP(__u64, BENCH_UNROLL, sum += READ_ONCE(p[j]));
	result = sum;
	return 0;
}

SEC("syscall")
int store(void *ctx)
{
	BENCH_LOOP(__u64, BENCH_UNROLL, WRITE_ONCE(p[j], n));
	return 0;
}

SEC("syscall")
int atomic_add(void *ctx)
{
	BENCH_LOOP(__u64, BENCH_UNROLL, __sync_fetch_and_add(&p[j], 1));
	return 0;
}

/* With BPF_F_NO_USER_CONV the cast is a 32-bit move. */
SEC("syscall")
int store_cast(void *ctx)
{
	__u64 value = at;

	BENCH_LOOP(__u64, BENCH_UNROLL_POINTER, ({
		bpf_addr_space_cast(value, 1, 0);
		WRITE_ONCE(p[j], value);
	}));
	return 0;
}

SEC("syscall")
int store_no_cast(void *ctx)
{
	__u64 value = at;

	BENCH_LOOP(__u64, BENCH_UNROLL_POINTER, WRITE_ONCE(p[j], value));
	return 0;
}

static __u32 bucket_of(__u64 key)
{
	return key * 0x9e3779b97f4a7c15ULL >> (64 - BENCH_KEYS_SHIFT);
}

static struct elem __arena *find(struct table __arena *t, __u64 key)
{
	struct elem __arena *e = t->bucket[bucket_of(key)];
	int i;

	for (i = 0; e && i < BENCH_CHAIN; i++) {
		if (e->key == key)
			return e;
		e = e->next;
	}
	return NULL;
}

/* An element that is not there takes the place that its key has. */
static int update(struct table __arena *t, __u64 key, __u64 value)
{
	struct elem __arena *e = find(t, key);
	struct elem __arena *__arena *head;

	if (!e) {
		e = &t->elem[key % BENCH_KEYS];
		head = &t->bucket[bucket_of(key)];
		e->key = key;
		e->next = *head;
		*head = e;
	}
	e->value = value;
	return 0;
}

static int arena_update_one(__u32 i, void *ctx)
{
	return update((struct table __arena *)at, i % BENCH_KEYS, i);
}

SEC("syscall")
int arena_hash_update(void *ctx)
{
	name_arena();
	result = bpf_loop(ops, arena_update_one, NULL, 0);
	return 0;
}

static int arena_lookup_one(__u32 i, void *ctx)
{
	struct elem __arena *e = find((struct table __arena *)at, i % BENCH_KEYS);

	if (!e)
		return 1;
	result += e->value;
	return 0;
}

SEC("syscall")
int arena_hash_lookup(void *ctx)
{
	name_arena();
	bpf_loop(ops, arena_lookup_one, NULL, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
