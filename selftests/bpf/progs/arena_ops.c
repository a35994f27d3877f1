// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_test.h"

#define PAGE_WORDS	512

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 100);
} arena SEC(".maps");

__u64 ret[ARENA_SLOTS];
int stop;

static __always_inline __u64 load(__u64 addr)
{
	__u64 __arena *p = (__u64 __arena *)addr;

	cast_kern(p);
	return READ_ONCE(*p);
}

static __always_inline void store(__u64 addr, __u64 val)
{
	__u64 __arena *p = (__u64 __arena *)addr;

	cast_kern(p);
	WRITE_ONCE(*p, val);
}

struct page_op {
	__u64 addr;
	__u64 val;
	__u64 bits;
};

/* In callbacks, since the verifier walks through a loop turn by turn. */
static int fill_word(__u32 i, struct page_op *op)
{
	store(op->addr + i * sizeof(op->val), op->val);
	return 0;
}

static int diff_word(__u32 i, struct page_op *op)
{
	op->bits |= load(op->addr + i * sizeof(op->val)) ^ op->val;
	return 0;
}

static __always_inline __u64 fill(__u64 addr, __u64 val)
{
	struct page_op op = { .addr = addr, .val = val };

	bpf_loop(PAGE_WORDS, fill_word, &op, 0);
	return 0;
}

static __always_inline __u64 diff(__u64 addr, __u64 val)
{
	struct page_op op = { .addr = addr, .val = val };

	bpf_loop(PAGE_WORDS, diff_word, &op, 0);
	return op.bits;
}

static int scribble_word(__u32 i, struct page_op *op)
{
	store(op->addr, op->val);
	return READ_ONCE(stop) != 0;
}

/* In one run, so that this CPU has no reason to forget where the page was. */
static __always_inline __u64 scribble(__u64 addr, __u64 val)
{
	struct page_op op = { .addr = addr, .val = val };
	int i;

	for (i = 0; i < 16 && !READ_ONCE(stop); i++)
		bpf_loop(1 << 23, scribble_word, &op, 0);
	return 0;
}

static __always_inline __u64 alloc(__u64 addr, __u64 cnt, int node, __u64 flags)
{
	return (__u64)bpf_arena_alloc_pages(&arena, (void __arena *)addr, cnt, node, flags);
}

static __always_inline void release(__u64 addr, __u64 cnt)
{
	bpf_arena_free_pages(&arena, (void __arena *)addr, cnt);
}

/* Two tags a page, far apart, so that half a page handed out twice shows too. */
static __always_inline __u64 storm(__u64 tag)
{
	__u64 page[ARENA_STORM_PAGES];
	__u64 found = 0, got = 0;
	int i;

	for (i = 0; i < ARENA_STORM_PAGES; i++) {
		page[i] = alloc(0, 1, NUMA_NO_NODE, 0);
		if (!page[i])
			continue;
		got++;
		if (load(page[i]) | load(page[i] + 2048))
			found |= ARENA_STORM_DIRTY;
		store(page[i], tag + i);
		store(page[i] + 2048, tag + i);
	}
	for (i = 0; i < ARENA_STORM_PAGES; i++) {
		if (!page[i])
			continue;
		if (load(page[i]) != tag + i || load(page[i] + 2048) != tag + i)
			found |= ARENA_STORM_SHARED;
		release(page[i], 1);
	}
	return got << 32 | found;
}

static __always_inline __u64 run(__u64 code, __u64 addr, __u64 cnt, int node, __u64 flags,
				 __u64 val)
{
	switch (code) {
	case ARENA_ALLOC:
		return alloc(addr, cnt, node, flags);
	case ARENA_FREE:
		release(addr, cnt);
		return 0;
	case ARENA_RESERVE:
		return bpf_arena_reserve_pages(&arena, (void __arena *)addr, cnt);
	case ARENA_LOAD:
		return load(addr);
	case ARENA_STORE:
		store(addr, val);
		return 0;
	case ARENA_FILL:
		return fill(addr, val);
	case ARENA_DIFF:
		return diff(addr, val);
	case ARENA_SCRIBBLE:
		return scribble(addr, val);
	case ARENA_STORM:
		return storm(val);
	}
	return -1;
}

SEC("syscall")
int op_sleepable(struct arena_op *op)
{
	op->ret = run(op->code, op->addr, op->cnt, op->node, op->flags, op->val);
	return 0;
}

SEC("raw_tp")
int op_atomic(struct bpf_raw_tracepoint_args *ctx)
{
	ret[ctx->args[6] % ARENA_SLOTS] = run(ctx->args[0], ctx->args[1], ctx->args[2],
					      ctx->args[3], ctx->args[4], ctx->args[5]);
	return 0;
}

char _license[] SEC("license") = "GPL";
