// SPDX-License-Identifier: GPL-2.0
/* Takes an arena apart, and looks in it for more pages than it has in a row. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 20);
	__ulong(map_extra, 1ull << 44);
} arena SEC(".maps");

__u64 base;
__u32 nr_pages;	/* of the arena */
__u32 step;	/* one page in so many is taken */
int pages;	/* how many are looked for, */
int times;	/* and how often */
int first;	/* what is freed: @pages from this one on */

int refused;
int found;
__u64 addr;	/* of the last ones that were found */
__u64 ns;

/* Reservations take pages, too, and need no memory for them. */
SEC("syscall")
int scatter(void *ctx)
{
	int i, n = (nr_pages + step - 1) / step;

	refused = 0;
	bpf_for(i, 0, n) {
		if (bpf_arena_reserve_pages(&arena, (void __arena *)
					    (base + (__u64)i * step * PAGE_SIZE), 1))
			refused++;
	}
	return 0;
}

SEC("syscall")
int release(void *ctx)
{
	bpf_arena_free_pages(&arena, (void __arena *)(base + (__u64)first * PAGE_SIZE), pages);
	return 0;
}

static __always_inline void search_times(void)
{
	__u64 begin, got;
	int i;

	found = 0;
	begin = bpf_ktime_get_ns();
	bpf_for(i, 0, times) {
		got = (__u64)bpf_arena_alloc_pages(&arena, NULL, pages, NUMA_NO_NODE, 0);
		if (got) {
			addr = got;
			found++;
		}
	}
	ns = bpf_ktime_get_ns() - begin;
}

SEC("syscall")
int search(void *ctx)
{
	search_times();
	return 0;
}

SEC("raw_tp")
int search_atomic(void *ctx)
{
	search_times();
	return 0;
}

char _license[] SEC("license") = "GPL";
