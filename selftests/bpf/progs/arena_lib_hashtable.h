/* SPDX-License-Identifier: GPL-2.0 */
/* Random operations on the table of bpf_arena_hashtable.h. */
#ifndef __ARENA_LIB_HASHTABLE_H
#define __ARENA_LIB_HASHTABLE_H

#include "arena_lib_random.h"
#include "arena_lib_steps.h"
#include "bpf_arena_hashtable.h"

#define NR_ELEMS	4096
#define NR_KEYS		8192	/* some are there twice, and more often */
#define POOR		1024	/* keys below this have the same hash as others */
#define HEAP_PAGES	64

struct elem {
	struct arena_htab_node node;
	__u64 id;
	__u64 key;
	__u64 in;	/* the table */
};

struct table {
	struct arena_htab htab;
	struct arena_heap heap;
	struct elem elem[NR_ELEMS];
};

#define to_elem(ptr)	arena_htab_entry(ptr, struct elem, node)

static inline __u64 hash_of(__u64 key)
{
	return arena_htab_hash(key < POOR ? key % (POOR / 8) : key);
}

/* What a random number means */
struct step {
	__u32 op;
	__u32 id;
	__u32 key;
};

static inline struct step step_of(__u64 random)
{
	return (struct step) {
		.op = random % 16,
		.id = random / 16 % NR_ELEMS,
		.key = random / 16 / NR_ELEMS % NR_KEYS,
	};
}

/* All entries with a key, in no order */
static arena_noinline int find(struct table __arena *t, __u64 key, __u64 *sum)
{
	__u64 cnt = 0, ids = 0;
	struct elem __arena *e;

	arena_htab_for_each_possible(&t->htab, e, hash_of(key), node) {
		if (e->key == key) {
			cnt++;
			ids += e->id;
		}
	}
	lib_fold(sum, cnt);
	lib_fold(sum, ids);
	return !!e;
}

/* Where no other key has the hash, there is no need to compare. */
static arena_noinline void find_one(struct table __arena *t, __u64 key, __u64 *sum)
{
	struct arena_htab_node __arena *node = arena_htab_find(&t->htab, hash_of(key));

	if (key >= POOR)
		lib_fold(sum, node ? to_elem(node)->key : NR_KEYS);
}

static arena_noinline int walk(struct table __arena *t, __u64 *sum)
{
	__u64 cnt = 0, ids = 0;
	struct elem __arena *e;

	arena_htab_for_each(&t->htab, e, node) {
		cnt++;
		ids += e->id * e->key;
	}
	lib_fold(sum, cnt);
	lib_fold(sum, ids);
	return !!e;
}

/* Those with an odd number; if it is cut short, it can be done again. */
static arena_noinline int drain(struct table __arena *t, __u64 *sum)
{
	struct elem __arena *e;
	int i;

	arena_htab_for_each(&t->htab, e, node) {
		if (e->id % 2) {
			arena_htab_del(&t->htab, &e->node);
			e->in = 0;
		}
	}
	if (e)
		return 1;
	/* In parts: there are no more buckets than there were entries once. */
	bpf_for(i, 0, NR_ELEMS / ARENA_HTAB_TRIM + 2)
		if (!arena_htab_trim(&t->htab))
			break;
	lib_fold(sum, t->htab.entries);
	return 0;
}

static arena_noinline void toggle(struct table __arena *t, struct elem __arena *e, __u64 key,
				  __u64 *sum)
{
	if (e->in) {
		lib_fold(sum, arena_htab_del(&t->htab, &e->node));
	} else {
		e->key = key;
		lib_fold(sum, arena_htab_add(&t->htab, &e->node, hash_of(key)));
	}
	e->in = !e->in;
}

static arena_noinline int table_step(struct table __arena *t, __u64 random, __u64 *sum)
{
	struct step s = step_of(random);
	struct elem __arena *e = &t->elem[s.id];

	e->id = s.id;
	switch (s.op) {
	case 0:
		/* It has thousands of turns: seldom. */
		if (s.key < 16)
			return walk(t, sum);
		if (s.key < 32)
			return drain(t, sum);
		break;
	case 1:
		/* One that was in the table once, perhaps: it is not found, if it is not. */
		if (!e->in)
			lib_fold(sum, arena_htab_del(&t->htab, &e->node));
		break;
	case 2 ... 5:
		return find(t, s.key, sum);
	case 6 ... 8:
		find_one(t, s.key, sum);
		break;
	default:
		toggle(t, e, s.key, sum);
	}
	return 0;
}

#ifndef __BPF__

#include <errno.h>

/* The model: what is in, and what there is of each key. */
struct table_model {
	__u32 cnt;
	__u32 in[NR_ELEMS];
	__u32 key[NR_ELEMS];
	__u32 cnt_of[NR_KEYS];
	__u64 ids_of[NR_KEYS];
	__u64 ids;
};

static void model_toggle(struct table_model *m, __u32 id)
{
	__u32 key = m->key[id];

	if (m->in[id]) {
		m->cnt--;
		m->cnt_of[key]--;
		m->ids_of[key] -= id;
		m->ids -= (__u64)id * key;
	} else {
		m->cnt++;
		m->cnt_of[key]++;
		m->ids_of[key] += id;
		m->ids += (__u64)id * key;
	}
	m->in[id] = !m->in[id];
}

static void model_drain(struct table_model *m)
{
	__u32 id;

	for (id = 1; id < NR_ELEMS; id += 2)
		if (m->in[id])
			model_toggle(m, id);
}

static inline int table_model_step(struct table_model *m, __u64 random, __u64 *sum)
{
	struct step s = step_of(random);

	switch (s.op) {
	case 0:
		if (s.key < 16) {
			lib_fold(sum, m->cnt);
			lib_fold(sum, m->ids);
		} else if (s.key < 32) {
			model_drain(m);
			lib_fold(sum, m->cnt);
		}
		break;
	case 1:
		if (!m->in[s.id])
			lib_fold(sum, -ENOENT);
		break;
	case 2 ... 5:
		lib_fold(sum, m->cnt_of[s.key]);
		lib_fold(sum, m->ids_of[s.key]);
		break;
	case 6 ... 8:
		if (s.key >= POOR)
			lib_fold(sum, m->cnt_of[s.key] ? s.key : NR_KEYS);
		break;
	default:
		lib_fold(sum, 0);
		if (!m->in[s.id])
			m->key[s.id] = s.key;
		model_toggle(m, s.id);
	}
	return 0;
}

/* Bucket by bucket, without the header's functions for that */
static const char *tables_differ(struct table *t, struct table_model *m)
{
	__u32 size = ARENA_HTAB_MIN << (t->htab.shape >> 32);
	__u32 split = t->htab.shape, i, bits, cnt = 0;
	struct arena_htab_bucket *bucket;
	struct arena_htab_node *node;

	for (i = 0; i < size + split; i++) {
		bits = i < split || i >= size ? 2 * size : size;
		bucket = i < ARENA_HTAB_MIN ? &t->htab.first[i] :
			 &t->htab.directory[i >> 18]->segment[i >> 9 & 511]->bucket[i & 511];
		for (node = bucket->first; node; node = node->next, cnt++) {
			struct elem *e = to_elem(node);

			if (cnt == m->cnt || !m->in[e->id] || e != &t->elem[e->id] ||
			    e->key != m->key[e->id] || node->hash != hash_of(e->key))
				return "entry";
			if (node->hash % bits != i)
				return "bucket";
		}
	}
	if (cnt != m->cnt || cnt != t->htab.entries)
		return "number of entries";
	/* One less for each directory */
	if (cnt > size + split + 1)
		return "too few buckets";
	return NULL;
}

#endif /* !__BPF__ */
#endif
