/* SPDX-License-Identifier: GPL-2.0 */
/* What prog_tests/arena_args.c and progs/arena_args.c agree on. */
#ifndef __ARENA_ARGS_H
#define __ARENA_ARGS_H

#define ARGS_PAGES	20
#define ARGS_ADDR	(0x2345ULL << 32 | 1 << 20)

struct args_fields {
	__u64 user_vm_start;
	__u64 map_extra;
	__u32 map_type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 map_flags;
	__u32 id;
};

#endif /* __ARENA_ARGS_H */
