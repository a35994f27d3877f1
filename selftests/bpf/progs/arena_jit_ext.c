// SPDX-License-Identifier: GPL-2.0
/* What replaces and traces the functions of arena_jit_target. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_arena_common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__ulong(map_extra, 0x4567ull << 32 | 2 << 20);
} arena SEC(".maps");

int entered, exited, exit_ret;

SEC("?freplace/inner")
int inner_arena(int x)
{
	int __arena *page = arena_base(&arena);

	cast_kern(page);
	WRITE_ONCE(page[0], x);
	return READ_ONCE(page[0]) * 2;
}

SEC("?freplace/inner")
int inner_plain(int x)
{
	return x * 3;
}

static void count(void)
{
	long __arena *page = arena_base(&arena);

	cast_kern(page);
	*page += 1;
}

SEC("?fentry/outer")
int BPF_PROG(enter_outer, struct sk_buff *skb)
{
	entered++;
	count();
	return 0;
}

SEC("?fexit/outer")
int BPF_PROG(exit_outer, struct sk_buff *skb, int ret)
{
	exited++;
	exit_ret = ret;
	count();
	return 0;
}

char _license[] SEC("license") = "GPL";
