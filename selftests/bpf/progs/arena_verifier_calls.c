// SPDX-License-Identifier: GPL-2.0
/* Arena pointers across calls. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 10);
	__ulong(map_extra, 0x2345ull << 32 | 1 << 20);
} arena SEC(".maps");

struct locked {
	struct bpf_spin_lock lock;
	long val;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct locked);
} locks SEC(".maps");

#define tag_arena __attribute__((btf_type_tag("arena")))

static __noinline long static_sum(long __arena *p, int cnt)
{
	long sum = 0;

	cast_kern(p);
	if (cnt > 4)
		return -1;
	for (int i = 0; i < cnt; i++)
		sum += p[i];
	return sum;
}

__noinline long global_sum(long __arena *p __arg_arena)
{
	cast_kern(p);
	return p[0] + p[1];
}

__noinline long global_type_sum(long __arena tag_arena *p)
{
	cast_kern(p);
	return p[0] + p[1];
}

/* Without a tag an address can still be passed as the number that it is. */
__noinline long global_number_sum(__u64 addr)
{
	long __arena *p = (long __arena *)addr;

	cast_kern(p);
	return p[0] + p[1];
}

static long __arena *two_numbers(void)
{
	long __arena *p = bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);

	if (!p)
		return NULL;
	cast_kern(p);
	p[0] = 40;
	p[1] = 2;
	cast_user(p);
	return p;
}

SEC("?syscall")
int static_passed(void *ctx)
{
	long __arena *p = two_numbers();

	return p && static_sum(p, 2) == 42 ? 0 : 1;
}

SEC("?syscall")
int global_tagged(void *ctx)
{
	long __arena *p = two_numbers();

	return p && global_sum(p) == 42 && global_sum(NULL) == 0 ? 0 : 1;
}

SEC("?syscall")
int global_type_tagged(void *ctx)
{
	long __arena *p = two_numbers();

	return p && global_type_sum(p) == 42 ? 0 : 1;
}

SEC("?syscall")
int global_untagged(void *ctx)
{
	long __arena *p = two_numbers();

	return p && global_number_sum((__u64)p) == 42 ? 0 : 1;
}

SEC("?syscall")
int global_stack(void *ctx)
{
	long __arena *p = two_numbers();
	long number[2];

	WRITE_ONCE(number[0], 40);
	WRITE_ONCE(number[1], 2);

	/* by way of a number, so that the compiler does not cast it */
	return p ? global_sum((long __arena *)(__u64)number) : 1;
}

struct loop {
	long __arena *p;
	long sum;
};

static int add_one(__u32 i, void *data)
{
	long __arena *p = ((struct loop *)data)->p;
	struct loop *loop = data;

	cast_kern(p);
	loop->sum += p[i & 1];
	return 0;
}

SEC("?syscall")
int callback_passed(void *ctx)
{
	struct loop loop = { .p = two_numbers() };

	if (!loop.p || bpf_loop(10, add_one, &loop, 0) != 10)
		return 1;
	return loop.sum == 5 * 42 ? 0 : 2;
}

SEC("?tc")
int alloc_locked(void *ctx)
{
	struct locked *l;
	int key = 0;

	l = bpf_map_lookup_elem(&locks, &key);
	if (!l)
		return 1;
	bpf_spin_lock(&l->lock);
	l->val = (long)bpf_arena_alloc_pages(&arena, NULL, 1, NUMA_NO_NODE, 0);
	bpf_spin_unlock(&l->lock);
	return 0;
}

char _license[] SEC("license") = "GPL";
