// SPDX-License-Identifier: GPL-2.0
/* Arenas that a program gets at through an iterator over maps. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_arena_common.h"

__u32 mapped_id, unmapped_id;	/* the test's arenas */
__u64 in_mapped, in_unmapped;	/* what an allocation there gave */
__u32 others, in_others;	/* other maps, and allocations that worked */
int kept_in_unmapped, kept_in_other;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} array SEC(".maps");

static __always_inline void visit(struct bpf_map *map)
{
	__u64 page;

	/* One of another test, that is not gone yet */
	if (map->map_type == BPF_MAP_TYPE_ARENA && map->id != mapped_id &&
	    map->id != unmapped_id)
		return;

	page = (__u64)bpf_arena_alloc_pages(map, NULL, 1, NUMA_NO_NODE, 0);
	if (map->id == mapped_id) {
		in_mapped = page;
		return;
	}
	bpf_arena_free_pages(map, (void __arena *)PAGE_SIZE, 1);
	if (map->id == unmapped_id) {
		in_unmapped = page;
		kept_in_unmapped = bpf_arena_reserve_pages(map, NULL, 1);
		return;
	}
	others++;
	in_others += page != 0;
	kept_in_other = bpf_arena_reserve_pages(map, NULL, 1);
}

SEC("?iter/bpf_map")
int every_map(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (map)
		visit(map);
	return 0;
}

SEC("?iter.s/bpf_map")
int every_map_sleepable(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (map)
		visit(map);
	return 0;
}

/* Not refused: one load from a map that is held, or from one that is not. */
SEC("?iter/bpf_map")
int either_map(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (!map)
		return 0;
	if (bpf_ktime_get_ns() & 1)
		map = map->inner_map_meta;
	barrier_var(map);
	others = map->max_entries;
	return 0;
}

/* Refused: pointers that are no map's, or to a map that nothing holds. */
SEC("?iter/bpf_map")
int other_struct(struct bpf_iter__bpf_map *ctx)
{
	bpf_arena_alloc_pages(ctx->meta->seq, NULL, 1, NUMA_NO_NODE, 0);
	return 0;
}

SEC("?iter/bpf_map")
int maybe_null(struct bpf_iter__bpf_map *ctx)
{
	bpf_arena_alloc_pages(ctx->map, NULL, 1, NUMA_NO_NODE, 0);
	return 0;
}

SEC("?iter/bpf_map")
int inner_map(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (map)
		bpf_arena_alloc_pages(map->inner_map_meta, NULL, 1, NUMA_NO_NODE, 0);
	return 0;
}

SEC("?iter/bpf_map")
int inner_of_named(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = (struct bpf_map *)&array;

	bpf_arena_alloc_pages(map->inner_map_meta, NULL, 1, NUMA_NO_NODE, 0);
	return 0;
}

SEC("?iter/bpf_map")
int inside_map(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (map)
		bpf_arena_alloc_pages((void *)map + 8, NULL, 1, NUMA_NO_NODE, 0);
	return 0;
}

SEC("?fentry/bpf_map_new_fd")
int BPF_PROG(traced_map, struct bpf_map *map)
{
	bpf_arena_alloc_pages(map, NULL, 1, NUMA_NO_NODE, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
