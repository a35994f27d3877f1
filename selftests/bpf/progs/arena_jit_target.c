// SPDX-License-Identifier: GPL-2.0
/* An arena program whose functions others replace and trace. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__ulong(map_extra, 0x3456ull << 32 | 1 << 20);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} tails SEC(".maps");

__noinline int inner(int x)
{
	barrier_var(x);
	return x + 1;
}

SEC("tc")
int outer(struct __sk_buff *skb)
{
	long __arena *page = arena_base(&arena);
	int ret;

	cast_kern(page);
	WRITE_ONCE(page[0], 5);
	ret = inner(7) * 100;
	return ret + READ_ONCE(page[0]);
}

static __noinline int leap(struct __sk_buff *skb)
{
	long __arena *page = arena_base(&arena);
	int ret = 1000;

	cast_kern(page);
	WRITE_ONCE(page[0], 1);
	bpf_tail_call_static(skb, &tails, 0);
	barrier_var(ret);	/* so that the caller looks at what comes back */
	return ret;
}

SEC("tc")
int leaper(struct __sk_buff *skb)
{
	long __arena *page = arena_base(&arena);
	int ret;

	cast_kern(page);
	ret = leap(skb);
	WRITE_ONCE(page[1], 40);
	return ret + READ_ONCE(page[1]);
}

char _license[] SEC("license") = "GPL";
