// SPDX-License-Identifier: GPL-2.0
/* Programs that call the kfunc of a module with pointers into their arena. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

#define WORDS	600	/* more than a page has */

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, __u64);
} array SEC(".maps");

int arena_testmod_sum(void *map, void *ptr, __u32 words, __u64 *sum) __ksym;

/* What the kfunc is asked, and what it says */
int err;
__u64 sum;

static __always_inline void ask(void *map, void *ptr, __u32 words)
{
	__u64 result = 0;

	err = arena_testmod_sum(map, ptr, words, &result);
	sum = result;
}

static __always_inline void __arena *fill(void)
{
	__u64 __arena *word = bpf_arena_alloc_pages(&arena, NULL, 2, NUMA_NO_NODE, 0);
	int i;

	if (word) {
		bpf_for(i, 0, WORDS)
			word[i] = i;
	}
	return word;
}

SEC("?syscall")
int user_pointer(void *ctx)
{
	ask(&arena, (void *)(__u64)fill(), WORDS);
	return 0;
}

SEC("?syscall")
int kernel_pointer(void *ctx)
{
	void __arena *word = fill();

	ask(&arena, (void *)word, WORDS);
	return 0;
}

SEC("?syscall")
int other_map(void *ctx)
{
	ask(&array, (void *)(__u64)fill(), WORDS);
	return 0;
}

SEC("?syscall")
int too_long(void *ctx)
{
	ask(&arena, (void *)(__u64)fill(), 4 * PAGE_SIZE / sizeof(__u64) + 1);
	return 0;
}

/* The arena is all there is from its base on: one word below it wraps. */
SEC("?syscall")
int below(void *ctx)
{
	ask(&arena, (void *)((__u64)fill() - sizeof(__u64)), 1);
	return 0;
}

SEC("?syscall")
int no_map(void *ctx)
{
	void __arena *word = fill();

	ask((void *)word, (void *)word, WORDS);
	return 0;
}

SEC("?tc")
int wrong_type(void *ctx)
{
	ask(&arena, NULL, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
