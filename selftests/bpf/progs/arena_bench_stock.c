// SPDX-License-Identifier: GPL-2.0
/*
 * What has nothing to do with arenas, and must not suffer from them; see
 * arena_bench.c. Any 6.1 runs it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "arena_bench.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BENCH_KEYS);
	__uint(map_flags, BPF_F_ZERO_SEED);
	__type(key, __u64);
	__type(value, __u64);
} hash SEC(".maps");

__u32 ops;
__u64 result;

static int hash_update_one(__u32 i, void *ctx)
{
	__u64 key = i % BENCH_KEYS, value = i;

	return bpf_map_update_elem(&hash, &key, &value, BPF_ANY) != 0;
}

SEC("syscall")
int hash_update(void *ctx)
{
	result = bpf_loop(ops, hash_update_one, NULL, 0);
	return 0;
}

static int hash_lookup_one(__u32 i, void *ctx)
{
	__u64 key = i % BENCH_KEYS, *value;

	value = bpf_map_lookup_elem(&hash, &key);
	if (!value)
		return 1;
	result += *value;
	return 0;
}

SEC("syscall")
int hash_lookup(void *ctx)
{
	bpf_loop(ops, hash_lookup_one, NULL, 0);
	return 0;
}

static __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

/* A program like many: reads a packet, computes, calls, keeps state. */
SEC("tc")
int plain(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u64 key, *value;
	__u16 *p = data;
	__u32 i, sum = 0;

	if (data + 64 > end)
		return 0;
	for (i = 0; i < 32; i++)
		sum += p[i];
	key = fold(sum) % BENCH_KEYS;
	value = bpf_map_lookup_elem(&hash, &key);
	if (value)
		__sync_fetch_and_add(value, skb->len);
	return fold(sum) & 1;
}

char _license[] SEC("license") = "GPL";
