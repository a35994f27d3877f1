// SPDX-License-Identifier: GPL-2.0
/* Bitmaps in an arena. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "arena_lib_bitmap.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
} arena SEC(".maps");

/* The words around it are nobody's to change. */
__u64 __arena_global map[1 + ARENA_BITMAP_WORDS(BITS) + 1];
__u64 __arena_global taken[ARENA_BITMAP_WORDS(BITS)];
__u32 __arena_global owners[BITS];

struct bitmap_run run;
__u32 turns;
__u64 bad, got;

/* Not inline: one place where the verifier looks at each operation. */
static __noinline __u64 one_op(const struct bitmap_op *op)
{
	return bitmap_op_run(&map[1], op);
}

SEC("syscall")
int random_ops(void *ctx)
{
	struct bitmap_op op;
	int i;

	bpf_for(i, 0, turns) {
		bitmap_op_choose(&op, &run.random);
		run.hash = arena_lib_hash(run.hash, one_op(&op));
	}
	return 0;
}

/* Each bit has one owner at a time, wherever they run. */
SEC("syscall")
int take_and_clear(void *ctx)
{
	__u64 nr;
	int i;

	bpf_for(i, 0, turns) {
		nr = arena_take_zero_bit(taken, BITS);
		if (nr >= BITS)
			continue;
		if (__sync_fetch_and_add(&owners[nr], 1))
			__sync_fetch_and_add(&bad, 1);
		__sync_fetch_and_add(&got, 1);
		__sync_fetch_and_add(&owners[nr], -1);
		arena_clear_bit(nr, taken);
	}
	return 0;
}

char _license[] SEC("license") = "GPL";
