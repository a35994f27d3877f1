/* SPDX-License-Identifier: GPL-2.0 */
/* Random operations on the lists of bpf_arena_list.h. */
#ifndef __ARENA_LIB_LIST_H
#define __ARENA_LIB_LIST_H

#include "arena_lib_steps.h"
#include "bpf_arena_list.h"

#define NR_ELEMS	256
#define NR_LISTS	4

struct elem {
	struct arena_list_head link;
	struct arena_hlist_node hlink;
	__u64 id;
	__u64 listed;	/* on one of the lists */
};

struct lists {
	struct arena_list_head list[NR_LISTS];
	struct arena_hlist_head hlist[NR_LISTS];
	struct elem elem[NR_ELEMS];
};

/* What a random number means */
struct step {
	__u32 op;
	__u32 id;
	__u32 to;
	__u32 from;
};

static inline struct step step_of(__u64 random)
{
	return (struct step) {
		.op = random % 32,
		.id = random / 32 % NR_ELEMS,
		.to = random / 32 / NR_ELEMS % NR_LISTS,
		.from = random / 32 / NR_ELEMS / NR_LISTS % NR_LISTS,
	};
}

static arena_noinline int walk(struct arena_list_head __arena *list, __u64 *sum)
{
	struct elem __arena *e;

	arena_list_for_each_entry(e, list, link)
		lib_fold(sum, e->id);
	return !!e;
}

static arena_noinline int walk_back(struct arena_list_head __arena *list, __u64 *sum)
{
	struct elem __arena *e;

	arena_list_for_each_entry_reverse(e, list, link)
		lib_fold(sum, e->id);
	return !!e;
}

static arena_noinline int hwalk(struct arena_hlist_head __arena *list, __u64 *sum)
{
	struct elem __arena *e;

	arena_hlist_for_each_entry(e, list, hlink)
		lib_fold(sum, e->id);
	return !!e;
}

/* Takes out each entry with an odd number. If it is cut short, it can be done again. */
static arena_noinline int remove_odd(struct arena_list_head __arena *list)
{
	struct elem __arena *e, *n;

	arena_list_for_each_entry_safe(e, n, list, link) {
		if (e->id % 2) {
			arena_list_del(&e->link);
			e->listed = 0;
		}
	}
	return !!e;
}

static arena_noinline int hremove_odd(struct arena_hlist_head __arena *list)
{
	struct elem __arena *e, *n;

	arena_hlist_for_each_entry_safe(e, n, list, hlink)
		if (e->id % 2)
			arena_hlist_del(&e->hlink);
	return !!e;
}

static inline void look_at_ends(struct arena_list_head __arena *list, __u64 *sum)
{
	struct elem __arena *e;

	lib_fold(sum, arena_list_empty(list));
	e = arena_list_first_entry(list, struct elem, link);
	lib_fold(sum, e ? e->id : NR_ELEMS);
	e = arena_list_last_entry(list, struct elem, link);
	lib_fold(sum, e ? e->id : NR_ELEMS);
}

static inline void add(struct elem __arena *e, struct arena_list_head __arena *to, int tail)
{
	if (e->listed && tail) {
		arena_list_move_tail(&e->link, to);
	} else if (e->listed) {
		arena_list_move(&e->link, to);
	} else {
		if (tail)
			arena_list_add_tail(&e->link, to);
		else
			arena_list_add(&e->link, to);
		e->listed = 1;
	}
}

static inline void del(struct elem __arena *e, int init)
{
	if (init && e->listed)
		arena_list_del_init(&e->link);
	else if (e->listed)
		arena_list_del(&e->link);
	e->listed = 0;
}

static inline void hlist_step(struct elem __arena *e, struct arena_hlist_head __arena *to)
{
	struct arena_hlist_node __arena *first = to->first;

	if (!arena_hlist_unhashed(&e->hlink))
		arena_hlist_del(&e->hlink);
	else if (e->id % 4 && !arena_hlist_empty(to))
		arena_hlist_add_behind(&e->hlink, first);
	else
		arena_hlist_add_head(&e->hlink, to);
}

static arena_noinline int lists_step(struct lists __arena *l, __u64 random, __u64 *sum)
{
	struct step s = step_of(random);
	struct arena_list_head __arena *to = &l->list[s.to];
	struct elem __arena *e = &l->elem[s.id];

	e->id = s.id;
	switch (s.op) {
	case 0:
		return walk(to, sum);
	case 1:
		return walk_back(to, sum);
	case 2:
		return hwalk(&l->hlist[s.to], sum);
	case 3:
		if (s.id == 0)
			return remove_odd(to);
		break;
	case 4:
		if (s.id == 0)
			return hremove_odd(&l->hlist[s.to]);
		break;
	case 5:
		if (s.id == 0 && s.to != s.from)
			arena_list_splice(&l->list[s.from], to);
		break;
	case 6:
		if (s.id == 0 && s.to != s.from)
			arena_list_splice_tail(&l->list[s.from], to);
		break;
	case 7 ... 8:
		look_at_ends(to, sum);
		break;
	case 9 ... 12:
		del(e, 0);
		break;
	case 13:
		del(e, 1);
		break;
	case 14 ... 18:
		add(e, to, 0);
		break;
	case 19 ... 23:
		add(e, to, 1);
		break;
	default:
		hlist_step(e, &l->hlist[s.to]);
	}
	return 0;
}

#ifndef __BPF__

/* The model: the numbers of the entries, in their order. */
struct sequence {
	__u32 cnt;
	__u32 id[NR_ELEMS];
};

struct lists_model {
	struct sequence list[NR_LISTS];
	struct sequence hlist[NR_LISTS];
};

static void seq_insert(struct sequence *s, __u32 at, __u32 id)
{
	memmove(&s->id[at + 1], &s->id[at], (s->cnt - at) * sizeof(s->id[0]));
	s->id[at] = id;
	s->cnt++;
}

/* From whichever of them it is in; was it in one? */
static int seq_remove(struct sequence *lists, __u32 id)
{
	struct sequence *s;
	__u32 i;

	for (s = lists; s < lists + NR_LISTS; s++)
		for (i = 0; i < s->cnt; i++)
			if (s->id[i] == id) {
				s->cnt--;
				memmove(&s->id[i], &s->id[i + 1],
					(s->cnt - i) * sizeof(s->id[0]));
				return 1;
			}
	return 0;
}

static void seq_remove_odd(struct sequence *s)
{
	__u32 i, kept = 0;

	for (i = 0; i < s->cnt; i++)
		if (s->id[i] % 2 == 0)
			s->id[kept++] = s->id[i];
	s->cnt = kept;
}

static void seq_splice(struct sequence *from, struct sequence *to, __u32 at)
{
	__u32 i;

	for (i = 0; i < from->cnt; i++)
		seq_insert(to, at + i, from->id[i]);
	from->cnt = 0;
}

static void seq_walk(const struct sequence *s, __u64 *sum)
{
	__u32 i;

	for (i = 0; i < s->cnt; i++)
		lib_fold(sum, s->id[i]);
}

static inline int lists_model_step(struct lists_model *m, __u64 random, __u64 *sum)
{
	struct step s = step_of(random);
	struct sequence *to = &m->list[s.to];
	struct sequence *hto = &m->hlist[s.to];
	__u32 i;

	switch (s.op) {
	case 0:
		seq_walk(to, sum);
		break;
	case 1:
		for (i = to->cnt; i; i--)
			lib_fold(sum, to->id[i - 1]);
		break;
	case 2:
		seq_walk(hto, sum);
		break;
	case 3:
		if (s.id == 0)
			seq_remove_odd(to);
		break;
	case 4:
		if (s.id == 0)
			seq_remove_odd(hto);
		break;
	case 5 ... 6:
		if (s.id == 0 && s.to != s.from)
			seq_splice(&m->list[s.from], to, s.op == 5 ? 0 : to->cnt);
		break;
	case 7 ... 8:
		lib_fold(sum, !to->cnt);
		lib_fold(sum, to->cnt ? to->id[0] : NR_ELEMS);
		lib_fold(sum, to->cnt ? to->id[to->cnt - 1] : NR_ELEMS);
		break;
	case 9 ... 13:
		seq_remove(m->list, s.id);
		break;
	case 14 ... 23:
		seq_remove(m->list, s.id);
		seq_insert(to, s.op <= 18 ? 0 : to->cnt, s.id);
		break;
	default:
		if (!seq_remove(m->hlist, s.id))
			seq_insert(hto, s.id % 4 && hto->cnt ? 1 : 0, s.id);
	}
	return 0;
}

/* All links, followed as they are; what is wrong, or NULL. */
static const char *lists_differ(struct lists *l, struct lists_model *m)
{
	struct arena_hlist_node *hnode, **pprev;
	struct arena_list_head *node, *prev;
	__u32 i, j;

	for (i = 0; i < NR_LISTS; i++) {
		prev = &l->list[i];
		node = prev->next;
		for (j = 0; j < m->list[i].cnt; j++, prev = node, node = node->next)
			if (node != &l->elem[m->list[i].id[j]].link || node->prev != prev)
				return "list";
		if (node && (node != &l->list[i] || node->prev != prev))
			return "end of list";

		pprev = &l->hlist[i].first;
		for (j = 0; j < m->hlist[i].cnt; j++, pprev = &hnode->next) {
			hnode = *pprev;
			if (hnode != &l->elem[m->hlist[i].id[j]].hlink ||
			    hnode->pprev != pprev)
				return "hlist";
		}
		if (*pprev)
			return "end of hlist";
	}
	return NULL;
}

#endif /* !__BPF__ */
#endif
