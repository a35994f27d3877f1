// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

/* The tests find this number of pages in the object and change it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1955);
#ifndef BPF_ARENA_FORCE_ASM
	__ulong(map_extra, 0x1ull << 44);
#endif
} arena_map SEC(".maps");

struct elem {
	__u64 value;
	struct elem __arena *next;
};

struct list {
	struct elem __arena *head;
};

int __arena_global first = 5;
static int __arena_global hidden = 7;
struct elem __arena_global elems[3];
struct list __arena_global list;
char __arena_global more_than_a_page[PAGE_SIZE + 1] = { 1 };
__u64 __arena_global sum = 100;

__u64 base;

static __always_inline void push(struct elem __arena *e, __u64 value)
{
	struct list __arena *listp = &list;
	struct elem __arena *e_kern = e;

	cast_kern(listp);
	cast_kern(e_kern);
	e_kern->value = value;
	e_kern->next = listp->head;
	cast_user(e);
	listp->head = e;
}

SEC("syscall")
int use_globals(void *ctx)
{
	char __arena *more = more_than_a_page;
	int __arena *hiddenp = &hidden;
	int __arena *firstp = &first;
	__u64 __arena *sump = &sum;

	cast_kern(more);
	cast_kern(hiddenp);
	cast_kern(firstp);
	cast_kern(sump);

	*sump += *firstp + *hiddenp;
	more[PAGE_SIZE] = 2;
	push(&elems[0], 10);
	push(&elems[1], 11);
	push(&elems[2], 12);

	base = (__u64)arena_base(&arena_map);
	return (*hiddenp)++;
}

char _license[] SEC("license") = "GPL";
