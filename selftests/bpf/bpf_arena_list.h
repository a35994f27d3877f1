/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Doubly linked lists, and those with a head of one pointer, in an arena, with the
 * names and habits of include/linux/list.h. The links are plain pointers: a list that
 * one side builds the other one walks.
 *
 *	struct elem {
 *		struct arena_list_head link;
 *		__u64 value;
 *	};
 *	struct arena_list_head __arena_global elems;
 *
 *	struct elem __arena *e;
 *
 *	arena_list_add_tail(&new->link, &elems);
 *	arena_list_for_each_entry(e, &elems, link)
 *		sum += e->value;
 *	if (e)
 *		return -EAGAIN;			not all of them: see below
 *
 * A head of zeroes is an empty list, so that nobody need be the first to initialise it.
 *
 * Loops. After a loop over entries its variable is NULL, unless it was left early: by
 * the program, or by the kernel, since it had looped for long enough (see can_loop), or since
 * there is no end. A program that must see all entries checks that.
 *
 * A list does not say how long it is, and who can write to the arena can make a ring of it
 * that its head is not part of. So a loop in a program ends after ARENA_WALK_MAX entries,
 * 16384 if it does not say otherwise: see bpf_arena_common.h. In user space it ends when it
 * comes back to where it was, within three times round; but for the _safe ones, that do so
 * after 2^30 turns, for there an entry may be freed and another one get its memory. Before
 * that, a ring of two took all 8 million turns of a program, 150 ms, and user space for ever.
 * Whatever else is done to a list looks at its neighbours alone.
 *
 * Concurrency. Changes to a list exclude each other: take a lock around them, like that
 * of bpf_arena_spin_lock.h, or have one writer. A walk from the first entry to the last
 * may do without, on either side, if entries that leave it stay allocated, and on no list
 * at all, until such walks are over: a new entry is complete when it can be found, and
 * one that is taken out by arena_list_del() or arena_hlist_del() still leads to those
 * that followed it. The walk may miss what changes meanwhile. In a program it can do no
 * harm even where entries are freed: it reads what is there, perhaps of another list,
 * until it has had its turns. In user space it is like any other use of freed memory. All
 * other walks take the lock.
 */
#ifndef __BPF_ARENA_LIST_H
#define __BPF_ARENA_LIST_H

#include "bpf_arena_atomic.h"

struct arena_list_head {
	struct arena_list_head __arena *next;
	struct arena_list_head __arena *prev;
};

struct arena_hlist_node {
	struct arena_hlist_node __arena *next;
	struct arena_hlist_node __arena *__arena *pprev;	/* what points here */
};

struct arena_hlist_head {
	struct arena_hlist_node __arena *first;
};

/**
 * arena_list_entry() - the structure that a link is in
 * @ptr: the link; not NULL
 * @type: the structure, without __arena
 * @member: the link's name in it
 */
#define arena_list_entry(ptr, type, member)				\
	((type __arena *)((char __arena *)(ptr) - offsetof(type, member)))

/* The entry, of the type of @pos, that @ptr is in; NULL if it is the head of the list. */
#define __arena_list_at(ptr, head, pos, member)				\
	({								\
	struct arena_list_head __arena *__at = (ptr);			\
									\
	!__at || __at == (head) ? (typeof(pos))NULL :			\
	(typeof(pos))((char __arena *)__at - offsetof(typeof(*(pos)), member)); \
	})

/* The same for a list that ends with NULL. */
#define __arena_hlist_at(ptr, pos, member)				\
	({								\
	struct arena_hlist_node __arena *__at = (ptr);			\
									\
	!__at ? (typeof(pos))NULL :					\
	(typeof(pos))((char __arena *)__at - offsetof(typeof(*(pos)), member)); \
	})

/**
 * arena_list_first_entry() - the first entry of a list
 * @head: the list
 * @type: the type of its entries, without __arena
 * @member: the link's name in them
 *
 * Return: NULL if the list is empty (as no macro of list.h does that has this name)
 */
#define arena_list_first_entry(head, type, member)			\
	__arena_list_at((head)->next, head, (type __arena *)NULL, member)

/**
 * arena_list_last_entry() - the last entry of a list
 * @head: the list
 * @type: the type of its entries, without __arena
 * @member: the link's name in them
 *
 * Return: NULL if the list is empty
 */
#define arena_list_last_entry(head, type, member)			\
	__arena_list_at((head)->prev, head, (type __arena *)NULL, member)

/**
 * arena_list_for_each_entry() - walk a list
 * @pos: the entry, a pointer to a structure in the arena; NULL after the last one
 * @head: the list
 * @member: the link's name in the structure
 *
 * In user space it ends, with an entry, when it meets a place for the second time, be it that
 * of an entry that was taken out and came back: arena_list_for_each_entry_safe() does not.
 */
#define arena_list_for_each_entry(pos, head, member)			\
	for (struct arena_walk __walk =					\
		(pos = __arena_list_at((head)->next, head, pos, member), \
		 arena_walk_begin(ARENA_WALK_MAX, (__u64)(head)->next)); \
	     (pos) && arena_walk_on(&__walk, pos) && can_loop;		\
	     pos = __arena_list_at((pos)->member.next, head, pos, member))

/**
 * arena_list_for_each_entry_reverse() - walk a list from its end
 * @pos: the entry, a pointer to a structure in the arena; NULL after the first one
 * @head: the list
 * @member: the link's name in the structure
 */
#define arena_list_for_each_entry_reverse(pos, head, member)		\
	for (struct arena_walk __walk =					\
		(pos = __arena_list_at((head)->prev, head, pos, member), \
		 arena_walk_begin(ARENA_WALK_MAX, (__u64)(head)->prev)); \
	     (pos) && arena_walk_on(&__walk, pos) && can_loop;		\
	     pos = __arena_list_at((pos)->member.prev, head, pos, member))

/**
 * arena_list_for_each_entry_safe() - walk a list, and take out entries on the way
 * @pos: the entry, a pointer to a structure in the arena; NULL after the last one
 * @n: another such pointer, for the one that follows
 * @head: the list
 * @member: the link's name in the structure
 */
#define arena_list_for_each_entry_safe(pos, n, head, member)		\
	for (struct arena_walk __walk =					\
		(pos = __arena_list_at((head)->next, head, pos, member), \
		 arena_walk_begin(ARENA_WALK_MAX, (__u64)(head)->next)); \
	     (pos) && arena_walk_on(&__walk, NULL) && can_loop &&	\
	     (n = __arena_list_at((pos)->member.next, head, pos, member), 1); \
	     pos = n)

/**
 * arena_init_list_head() - make a list empty, or a link one that is on no list
 * @head: the list or link
 */
static inline void arena_init_list_head(struct arena_list_head __arena *head)
{
	/* Who dies in between leaves one that is still of zeroes to who adds something. */
	WRITE_ONCE(head->prev, head);
	WRITE_ONCE(head->next, head);
}

/**
 * arena_list_empty() - is there no entry?
 * @head: the list
 *
 * Return: nonzero if there is none
 */
static inline int arena_list_empty(const struct arena_list_head __arena *head)
{
	struct arena_list_head __arena *next = READ_ONCE(head->next);

	return !next || next == head;
}

/* Of zeroes it is empty, but its neighbours could not be linked to it. */
static inline void __arena_list_begin(struct arena_list_head __arena *head)
{
	if (!head->next)
		arena_init_list_head(head);
}

/* One that is walking the list finds @first complete. */
static inline void __arena_list_insert(struct arena_list_head __arena *first,
				       struct arena_list_head __arena *last,
				       struct arena_list_head __arena *prev,
				       struct arena_list_head __arena *next)
{
	last->next = next;
	first->prev = prev;
	next->prev = last;
	arena_store_release(&prev->next, first);
}

static inline void __arena_list_join(struct arena_list_head __arena *prev,
				     struct arena_list_head __arena *next)
{
	next->prev = prev;
	WRITE_ONCE(prev->next, next);
}

/**
 * arena_list_add() - make something the first entry
 * @new: its link, which is on no list
 * @head: the list, or a link on it, after which it goes
 */
static inline void arena_list_add(struct arena_list_head __arena *new,
				  struct arena_list_head __arena *head)
{
	__arena_list_begin(head);
	__arena_list_insert(new, new, head, head->next);
}

/**
 * arena_list_add_tail() - make something the last entry
 * @new: its link, which is on no list
 * @head: the list, or a link on it, before which it goes
 */
static inline void arena_list_add_tail(struct arena_list_head __arena *new,
				       struct arena_list_head __arena *head)
{
	__arena_list_begin(head);
	__arena_list_insert(new, new, head->prev, head);
}

/**
 * arena_list_del() - take an entry out
 * @entry: its link. It keeps the way to the next one, for who is walking the list
 */
static inline void arena_list_del(struct arena_list_head __arena *entry)
{
	__arena_list_join(entry->prev, entry->next);
	entry->prev = NULL;
}

/**
 * arena_list_del_init() - take an entry out, if it is on a list at all
 * @entry: its link, for which arena_list_empty() is true afterwards. One that is walking
 *	   the list, and is just there, finds no end: not for lists that are walked
 *	   without a lock
 */
static inline void arena_list_del_init(struct arena_list_head __arena *entry)
{
	/* It has none if it was never on a list, or arena_list_del() took it out. */
	if (entry->prev)
		__arena_list_join(entry->prev, entry->next);
	arena_init_list_head(entry);
}

/**
 * arena_list_move() - take an entry out of its list, and make it the first of one
 * @entry: its link
 * @head: the list, the same or another one
 */
static inline void arena_list_move(struct arena_list_head __arena *entry,
				   struct arena_list_head __arena *head)
{
	__arena_list_join(entry->prev, entry->next);
	arena_list_add(entry, head);
}

/**
 * arena_list_move_tail() - take an entry out of its list, and make it the last of one
 * @entry: its link
 * @head: the list, the same or another one
 */
static inline void arena_list_move_tail(struct arena_list_head __arena *entry,
					struct arena_list_head __arena *head)
{
	__arena_list_join(entry->prev, entry->next);
	arena_list_add_tail(entry, head);
}

/**
 * arena_list_splice() - move all entries to the beginning of another list
 * @list: where they are; it is empty afterwards (list.h has _init for that)
 * @head: where they go
 */
static inline void arena_list_splice(struct arena_list_head __arena *list,
				     struct arena_list_head __arena *head)
{
	if (arena_list_empty(list))
		return;
	__arena_list_begin(head);
	__arena_list_insert(list->next, list->prev, head, head->next);
	arena_init_list_head(list);
}

/**
 * arena_list_splice_tail() - move all entries to the end of another list
 * @list: where they are; it is empty afterwards
 * @head: where they go
 */
static inline void arena_list_splice_tail(struct arena_list_head __arena *list,
					  struct arena_list_head __arena *head)
{
	if (arena_list_empty(list))
		return;
	__arena_list_begin(head);
	__arena_list_insert(list->next, list->prev, head->prev, head);
	arena_init_list_head(list);
}

/**
 * arena_hlist_entry() - the structure that a link is in
 * @ptr: the link; not NULL
 * @type: the structure, without __arena
 * @member: the link's name in it
 */
#define arena_hlist_entry(ptr, type, member)	arena_list_entry(ptr, type, member)

/**
 * arena_hlist_for_each_entry() - walk a list
 * @pos: the entry, a pointer to a structure in the arena; NULL after the last one
 * @head: the list
 * @member: the link's name in the structure
 */
#define arena_hlist_for_each_entry(pos, head, member)			\
	for (struct arena_walk __walk =					\
		(pos = __arena_hlist_at((head)->first, pos, member),	\
		 arena_walk_begin(ARENA_WALK_MAX, (__u64)(head)->first)); \
	     (pos) && arena_walk_on(&__walk, pos) && can_loop;		\
	     pos = __arena_hlist_at((pos)->member.next, pos, member))

/**
 * arena_hlist_for_each_entry_safe() - walk a list, and take out entries on the way
 * @pos: the entry, a pointer to a structure in the arena; NULL after the last one
 * @n: another such pointer, for the one that follows
 * @head: the list
 * @member: the link's name in the structure
 */
#define arena_hlist_for_each_entry_safe(pos, n, head, member)		\
	for (struct arena_walk __walk =					\
		(pos = __arena_hlist_at((head)->first, pos, member),	\
		 arena_walk_begin(ARENA_WALK_MAX, (__u64)(head)->first)); \
	     (pos) && arena_walk_on(&__walk, NULL) && can_loop &&	\
	     (n = __arena_hlist_at((pos)->member.next, pos, member), 1); \
	     pos = n)

/**
 * arena_hlist_empty() - is there no entry?
 * @head: the list
 *
 * Return: nonzero if there is none
 */
static inline int arena_hlist_empty(const struct arena_hlist_head __arena *head)
{
	return !READ_ONCE(head->first);
}

/**
 * arena_hlist_unhashed() - is something on no list?
 * @node: its link; one of zeroes is on none
 *
 * Return: nonzero if it is on none
 */
static inline int arena_hlist_unhashed(const struct arena_hlist_node __arena *node)
{
	return !node->pprev;
}

/* Put @node where @at points to what follows it. */
static inline void __arena_hlist_insert(struct arena_hlist_node __arena *node,
					struct arena_hlist_node __arena *__arena *at)
{
	struct arena_hlist_node __arena *next = *at;

	node->next = next;
	node->pprev = at;
	if (next)
		next->pprev = &node->next;
	arena_store_release(at, node);
}

/**
 * arena_hlist_add_head() - make something the first entry
 * @node: its link, which is on no list
 * @head: the list
 */
static inline void arena_hlist_add_head(struct arena_hlist_node __arena *node,
					struct arena_hlist_head __arena *head)
{
	__arena_hlist_insert(node, &head->first);
}

/**
 * arena_hlist_add_behind() - make something the entry that follows another one
 * @node: its link, which is on no list
 * @prev: the link of the other one, which is on a list
 */
static inline void arena_hlist_add_behind(struct arena_hlist_node __arena *node,
					  struct arena_hlist_node __arena *prev)
{
	__arena_hlist_insert(node, &prev->next);
}

/**
 * arena_hlist_del() - take an entry out
 * @node: its link, which is on a list; for arena_hlist_unhashed() it is on none
 *	  afterwards. It keeps the way to the next one, for who is walking the list
 */
static inline void arena_hlist_del(struct arena_hlist_node __arena *node)
{
	struct arena_hlist_node __arena *next = node->next;

	WRITE_ONCE(*node->pprev, next);
	if (next)
		next->pprev = node->pprev;
	node->pprev = NULL;
}

#endif /* __BPF_ARENA_LIST_H */
