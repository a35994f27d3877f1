// SPDX-License-Identifier: GPL-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
} arena SEC(".maps");

struct array {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, __u64);
};

/* Thirteen more maps, besides those of .data, .bss, .rodata and .data.more */
struct array map1 SEC(".maps");
struct array map2 SEC(".maps");
struct array map3 SEC(".maps");
struct array map4 SEC(".maps");
struct array map5 SEC(".maps");
struct array map6 SEC(".maps");
struct array map7 SEC(".maps");
struct array map8 SEC(".maps");
struct array map9 SEC(".maps");
struct array map10 SEC(".maps");
struct array map11 SEC(".maps");
struct array map12 SEC(".maps");
struct array map13 SEC(".maps");

const volatile int limit = 13;
int in_data = 1;
int in_bss;
int in_more SEC(".data.more") = 3;
__u64 __arena_global in_arena = 100;

static __always_inline bool set(void *map, __u64 nr)
{
	int key = 0;
	__u64 *val;

	val = bpf_map_lookup_elem(map, &key);
	if (!val || *val)
		return false;
	*val = nr;
	return true;
}

static __always_inline bool is(void *map, __u64 nr)
{
	int key = 0;
	__u64 *val;

	val = bpf_map_lookup_elem(map, &key);
	return val && *val == nr;
}

/* Each name has to stand for a map of its own. Returns 0, or what went wrong. */
SEC("syscall")
int use_all(void *ctx)
{
	__u64 __arena *sum = &in_arena;

	if (!set(&map1, 1) || !set(&map2, 2) || !set(&map3, 3) ||
	    !set(&map4, 4) || !set(&map5, 5) || !set(&map6, 6) ||
	    !set(&map7, 7) || !set(&map8, 8) || !set(&map9, 9) ||
	    !set(&map10, 10) || !set(&map11, 11) || !set(&map12, 12) ||
	    !set(&map13, 13))
		return 1;
	if (!is(&map1, 1) || !is(&map2, 2) || !is(&map3, 3) ||
	    !is(&map4, 4) || !is(&map5, 5) || !is(&map6, 6) ||
	    !is(&map7, 7) || !is(&map8, 8) || !is(&map9, 9) ||
	    !is(&map10, 10) || !is(&map11, 11) || !is(&map12, 12) ||
	    !is(&map13, 13))
		return 2;
	if (in_more != 3)
		return 3;
	cast_kern(sum);
	*sum += limit;
	in_data += limit;
	in_bss += limit;
	return 0;
}

char _license[] SEC("license") = "GPL";
