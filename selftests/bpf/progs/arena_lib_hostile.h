/* SPDX-License-Identifier: GPL-2.0 */
/* Structures in an arena that user space ruins, and what programs do with them. */
#ifndef __ARENA_LIB_HOSTILE_H
#define __ARENA_LIB_HOSTILE_H

#include "bpf_arena_hashtable.h"
#include "bpf_arena_list.h"
#include "bpf_arena_rbtree.h"
#include "bpf_arena_xarray.h"

#define NR_ELEMS	2048	/* in order: in the lists and in the tree; and in the array */
#define ABSENT		0x12345678ULL	/* a key that nothing has */
#define HEAP_AT		(512 * PAGE_SIZE)	/* behind the other globals */
#define HEAP_PAGES	64

struct elem {
	struct arena_htab_node node;
	struct arena_list_head link;
	struct arena_hlist_node hlink;
	struct arena_rb_node rb;
	__u64 key;
};

/* Of hashes: in a table that has not grown, all are in the first chain. */
#define STRIDE		64
#define NR_HASHED	1000	/* the first ones are in the table, the last one first */

#define to_elem(n)	arena_rb_entry(n, struct elem, rb)

struct hostile {
	struct arena_heap heap;
	struct arena_htab htab;
	struct arena_list_head list;
	struct arena_hlist_head hlist;
	struct arena_rb_root tree;
	struct arena_xarray array;
	struct elem elem[NR_ELEMS];
	struct elem spare;		/* in nothing */
};

/* Those from WALKS on look at all there is, the others search or change. */
enum hostile_op {
	HTAB_FIND,
	HTAB_FIND_NEXT,
	HTAB_POSSIBLE,
	HTAB_ADD,
	HTAB_DEL,
	RB_FIND,
	RB_ADD,
	RB_FIND_ADD,
	RB_ERASE,
	RB_ENDS,
	RB_NEIGHBOURS,
	XA_LOAD,
	XA_FIND,
	XA_STORE,
	XA_ERASE,
	WALKS,
	HTAB_WALK = WALKS,
	HTAB_TRIM,
	LIST_WALK,
	LIST_REVERSE,
	LIST_SAFE,
	HLIST_WALK,
	HLIST_SAFE,
	RB_WALK,
	XA_WALK,
	NR_OPS,
};

/* What a program is to do, and what came of it. */
struct hostile_run {
	__u32 op;
	__u32 done;
	__u64 key;
	__u64 ns;
	__u64 ret;
	__u64 turns;	/* that the program had left, of those that it wanted */
};

#define TURNS_LEFT	100000

#endif
