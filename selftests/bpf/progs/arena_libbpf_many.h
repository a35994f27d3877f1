/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An arena library of four objects, to be linked in any order: what one of them
 * declares, another one defines. All call the same kfunc.
 */
struct item {
	struct item __arena *next;
	__u64 value;
};

struct many_arena {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 8);
};

/* arena_libbpf_many2.c */
extern struct item __arena *__arena_global list;
extern __u64 __arena_global total;
int push(__u64 value);

/* arena_libbpf_many3.c */
extern char __arena_global odd[3];
__u64 sum_of(struct item __arena *first __arg_arena);

/* arena_libbpf_many4.c */
int push_two(__u64 value);
