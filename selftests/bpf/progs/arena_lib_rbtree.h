/* SPDX-License-Identifier: GPL-2.0 */
/* Random operations on the trees of bpf_arena_rbtree.h. */
#ifndef __ARENA_LIB_RBTREE_H
#define __ARENA_LIB_RBTREE_H

#include "arena_lib_steps.h"
#include "bpf_arena_rbtree.h"

#define NR_NODES	1024
#define NR_KEYS		2048	/* some are in the tree twice, and more often */
#define NONE		NR_NODES

struct elem {
	struct arena_rb_node node;
	__u64 id;
	__u64 key;
	__u64 in;	/* in the tree */
};

struct tree {
	struct arena_rb_root root;
	struct elem elem[NR_NODES];
};

#define to_elem(ptr)	arena_rb_entry(ptr, struct elem, node)

static inline int less(struct arena_rb_node __arena *a,
		       const struct arena_rb_node __arena *b)
{
	return to_elem(a)->key < to_elem(b)->key;
}

static inline int compare(__u64 a, __u64 b)
{
	return a < b ? -1 : a > b;
}

static inline int cmp_key(const void *key, const struct arena_rb_node __arena *node)
{
	return compare(*(const __u64 *)key, to_elem(node)->key);
}

static inline int cmp_node(struct arena_rb_node __arena *a,
			   const struct arena_rb_node __arena *b)
{
	return compare(to_elem(a)->key, to_elem(b)->key);
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
		.id = random / 16 % NR_NODES,
		.key = random / 16 / NR_NODES % NR_KEYS,
	};
}

static inline void fold_node(__u64 *sum, struct arena_rb_node __arena *node)
{
	lib_fold(sum, node ? to_elem(node)->id : NONE);
}

/* Which of equals is found depends on the tree's shape: the key is all there is to say. */
static inline void fold_key(__u64 *sum, struct arena_rb_node __arena *node)
{
	lib_fold(sum, node ? to_elem(node)->key : NR_KEYS);
}

static arena_noinline int walk(struct tree __arena *t, __u64 *sum)
{
	struct arena_rb_node __arena *node;

	arena_rb_for_each(node, &t->root)
		fold_node(sum, node);
	return !!node;
}

static arena_noinline int walk_back(struct tree __arena *t, __u64 *sum)
{
	struct arena_rb_node __arena *node;

	for (node = arena_rb_last(&t->root); node && can_loop; node = arena_rb_prev(node))
		fold_node(sum, node);
	return !!node;
}

static arena_noinline void find(struct tree __arena *t, __u64 key, __u64 *sum)
{
	fold_key(sum, arena_rb_find(&key, &t->root, cmp_key));
}

static arena_noinline void add(struct tree __arena *t, struct elem __arena *e, __u64 key,
			       __u64 *sum)
{
	e->key = key;
	lib_fold(sum, arena_rb_add(&e->node, &t->root, less));
	e->in = 1;
}

static arena_noinline void find_add(struct tree __arena *t, struct elem __arena *e, __u64 key,
				    __u64 *sum)
{
	struct arena_rb_node __arena *equal;

	e->key = key;
	equal = arena_rb_find_add(&e->node, &t->root, cmp_node);
	fold_key(sum, equal);
	e->in = !equal;
}

static inline void erase(struct tree __arena *t, struct elem __arena *e)
{
	arena_rb_erase(&e->node, &t->root);
	e->in = 0;
}

/* One at an end; now and then many, so that small trees are seen often. */
static inline int erase_cnt(__u32 key)
{
	return key < 8 ? NR_NODES / 2 : 1;
}

static arena_noinline void erase_end(struct tree __arena *t, __u32 key, __u64 *sum)
{
	struct arena_rb_node __arena *node;
	int i;

	bpf_for(i, 0, erase_cnt(key)) {
		node = key % 2 ? arena_rb_last(&t->root) : arena_rb_first(&t->root);
		fold_node(sum, node);
		if (!node)
			break;
		erase(t, to_elem(node));
	}
}

static arena_noinline int tree_step(struct tree __arena *t, __u64 random, __u64 *sum)
{
	struct step s = step_of(random);
	struct elem __arena *e = &t->elem[s.id];

	e->id = s.id;
	switch (s.op) {
	case 0:
		/* A walk has up to a thousand turns: seldom. */
		if (s.key < 32)
			return walk(t, sum);
		break;
	case 1:
		if (s.key < 32)
			return walk_back(t, sum);
		break;
	case 2 ... 4:
		find(t, s.key, sum);
		break;
	case 5:
		if (e->in) {
			fold_node(sum, arena_rb_next(&e->node));
			fold_node(sum, arena_rb_prev(&e->node));
		}
		break;
	case 6:
		erase_end(t, s.key, sum);
		break;
	case 7 ... 8:
		if (!e->in)
			find_add(t, e, s.key, sum);
		break;
	default:
		if (e->in)
			erase(t, e);
		else
			add(t, e, s.key, sum);
	}
	return 0;
}

#ifndef __BPF__

/* The model: the keys and numbers, in their order. */
struct tree_model {
	__u32 cnt;
	__u32 id[NR_NODES];
	__u32 key[NR_NODES];	/* of what is at this place */
};

/* Where it would go: before the first that is greater. */
static __u32 model_place(const struct tree_model *m, __u32 key)
{
	__u32 i;

	for (i = 0; i < m->cnt && m->key[i] <= key; i++)
		;
	return i;
}

static __u32 model_find(const struct tree_model *m, __u32 id)
{
	__u32 i;

	for (i = 0; i < m->cnt; i++)
		if (m->id[i] == id)
			break;
	return i;
}

static __u32 model_id(const struct tree_model *m, __u32 at)
{
	return at < m->cnt ? m->id[at] : NONE;
}

static void model_add(struct tree_model *m, __u32 key, __u32 id)
{
	__u32 at = model_place(m, key), n = m->cnt - at;

	memmove(&m->id[at + 1], &m->id[at], n * sizeof(m->id[0]));
	memmove(&m->key[at + 1], &m->key[at], n * sizeof(m->key[0]));
	m->id[at] = id;
	m->key[at] = key;
	m->cnt++;
}

static void model_erase(struct tree_model *m, __u32 at)
{
	__u32 n = --m->cnt - at;

	memmove(&m->id[at], &m->id[at + 1], n * sizeof(m->id[0]));
	memmove(&m->key[at], &m->key[at + 1], n * sizeof(m->key[0]));
}

/* The key, if something has it */
static __u32 model_has(const struct tree_model *m, __u32 key)
{
	__u32 at = model_place(m, key);

	return at && m->key[at - 1] == key ? key : NR_KEYS;
}

static inline int tree_model_step(struct tree_model *m, __u64 random, __u64 *sum)
{
	struct step s = step_of(random);
	__u32 at = model_find(m, s.id);
	int in = at < m->cnt;
	__u32 i;
	int n;

	switch (s.op) {
	case 0:
		for (i = 0; i < m->cnt && s.key < 32; i++)
			lib_fold(sum, m->id[i]);
		break;
	case 1:
		for (i = m->cnt; i && s.key < 32; i--)
			lib_fold(sum, m->id[i - 1]);
		break;
	case 2 ... 4:
		lib_fold(sum, model_has(m, s.key));
		break;
	case 5:
		if (in) {
			lib_fold(sum, model_id(m, at + 1));
			lib_fold(sum, model_id(m, at - 1));
		}
		break;
	case 6:
		for (n = 0; n < erase_cnt(s.key); n++) {
			at = s.key % 2 ? m->cnt - 1 : 0;
			lib_fold(sum, model_id(m, at));
			if (!m->cnt)
				break;
			model_erase(m, at);
		}
		break;
	case 7 ... 8:
		if (in)
			break;
		lib_fold(sum, model_has(m, s.key));
		if (model_has(m, s.key) == NR_KEYS)
			model_add(m, s.key, s.id);
		break;
	default:
		if (in) {
			model_erase(m, at);
		} else {
			lib_fold(sum, 0);
			model_add(m, s.key, s.id);
		}
	}
	return 0;
}

/* The black nodes on each path down from @node; -1 when it is no red-black tree. */
static int black_nodes(struct arena_rb_node *node, struct arena_rb_node *parent)
{
	int red, left, right;

	if (!node)
		return 0;
	red = node->parent_red & 1;
	if (arena_rb_parent(node) != parent || (red && (!parent || parent->parent_red & 1)))
		return -1;
	left = black_nodes(node->child[0], node);
	right = black_nodes(node->child[1], node);
	return left < 0 || left != right ? -1 : left + !red;
}

/* Without the header's functions: what is in order, below @node. */
static int same_nodes(struct arena_rb_node *node, struct tree *t, struct tree_model *m,
		      __u32 *at)
{
	if (!node)
		return 1;
	if (!same_nodes(node->child[0], t, m, at))
		return 0;
	if (*at >= m->cnt || node != &t->elem[m->id[*at]].node ||
	    to_elem(node)->key != m->key[*at])
		return 0;
	(*at)++;
	return same_nodes(node->child[1], t, m, at);
}

static const char *trees_differ(struct tree *t, struct tree_model *m)
{
	__u32 at = 0;

	if (black_nodes(t->root.node, NULL) < 0)
		return "red and black";
	if (!same_nodes(t->root.node, t, m, &at) || at != m->cnt)
		return "order";
	return NULL;
}

#endif /* !__BPF__ */
#endif
