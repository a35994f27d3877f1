/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Hash tables in an arena that grow with their entries. They follow the habits of
 * include/linux/hashtable.h: what is in a table has a node of it inside, and where keys
 * are more than a number, the caller hashes and compares them.
 *
 *	struct elem {
 *		struct arena_htab_node node;
 *		__u64 key, value;
 *	};
 *	struct arena_htab __arena_global table;
 *	struct arena_heap __arena_global heap;
 *
 *	struct arena_htab_node __arena *n;
 *
 *	arena_htab_init(&table, &heap);
 *	if (arena_htab_add(&table, &new->node, arena_htab_hash(new->key)))
 *		it is not added: too many have that hash
 *	n = arena_htab_find(&table, arena_htab_hash(key));
 *	if (n)
 *		value = arena_htab_entry(n, struct elem, node)->value;
 *
 * For keys of 64 bits arena_htab_hash() never gives two the same hash, so that finding
 * the hash is finding the key. For others:
 *
 *	arena_htab_for_each_possible(&table, e, hash, node)
 *		if (same_key(e, key))
 *			break;
 *	if (!e)
 *		there is none
 *
 * Growing. The table has about as many buckets as entries, and at least ARENA_HTAB_MIN, which
 * are in struct arena_htab: one of zeroes is an empty table, that works but does not grow
 * until arena_htab_init() gives it a heap. It grows by one bucket at a time ("linear
 * hashing"): an addition splits at most one, so that none takes long, and nothing but
 * the entries of that one is moved. Buckets are in pages from the heap. If one cannot be
 * had now, as may be in a program that must not sleep, nothing fails: chains are longer
 * than one on average until another addition gets it. Taking out entries changes no
 * bucket; arena_htab_trim() gives back those that are too many.
 *
 * Loops over entries are as in bpf_arena_list.h: the variable is NULL at the end, and is
 * not if the loop was ended before. All others are counted by iterators, and end by
 * themselves: they take nothing from the program's budget of turns (see can_loop).
 *
 * Bounds. Nothing here looks at more of a chain than the table has entries by its own count,
 * nor at more than ARENA_HTAB_CHAIN of them, 1024, whatever the count says: it takes 0.1 ms if
 * each is a cache miss. Before, a chain that somebody had made a ring of cost a find 8 million
 * turns, 150 ms, and user space hung. What is not found so far is not there. For that to be
 * right, arena_htab_add() adds none to a chain that is so long, and says -ENOSPC: the entry
 * is still the caller's. By chance it does not happen, chains have 2 or 3 entries: it takes
 * 1024 of one hash, or more than 1024 for each bucket in a table that could not grow for want
 * of memory; each such call tries to let it grow. A walk over all entries looks at as many
 * buckets and entries as there are by the table's count, and a program's at no more than
 * ARENA_WALK_MAX of both, 16384 if it does not say otherwise (see bpf_arena_common.h).
 *
 * Concurrency. Changes to a table exclude each other: take a lock around them, like that
 * of bpf_arena_spin_lock.h, or have one writer. Readers do the same, or else, when they
 * are programs, look without a lock and look again if there was a change meanwhile:
 *
 *	seq = arena_htab_read_begin(&table, hash);
 *	n = arena_htab_find(&table, hash);
 *	if (n)
 *		copy what is in it
 *	if (arena_htab_read_retry(&table, hash, seq))
 *		again, but not for ever: a writer that is preempted takes long
 *
 * What such a reader has read may be anything, but it is right if there is no need to
 * retry: an entry is found if it is there all the time, and what was copied is of one
 * entry at one time. For that, a writer changes what is in an entry between
 * arena_htab_write_begin() and arena_htab_write_end(), and frees one after it has been
 * taken out, at once if it likes. Who takes over the lock of a writer that died makes a new
 * table: entries that were on the way to another bucket may be in none, or in two, and one
 * that was being changed is as it was left. In user space only a reader that shares its address
 * space with no one who frees memory, or trims the table, can do so: a pointer that is
 * not right kills it.
 */
#ifndef __BPF_ARENA_HASHTABLE_H
#define __BPF_ARENA_HASHTABLE_H

#include "bpf_arena_alloc.h"

#ifndef ENOENT
#define ENOENT			2
#endif
#ifndef EAGAIN
#define EAGAIN			11
#endif
#ifndef ENOSPC
#define ENOSPC			28
#endif

/* So many buckets are taken out by a call. */
#define ARENA_HTAB_TRIM		512

/* Buckets that need no memory, and sequence counters. A power of two. */
#define ARENA_HTAB_MIN		64
#define ARENA_HTAB_SEGMENT	(PAGE_SIZE / 8)
#define ARENA_HTAB_MAX		(64U * ARENA_HTAB_SEGMENT * ARENA_HTAB_SEGMENT)

#define ARENA_HTAB_CHAIN	1024	/* entries of a bucket */

struct arena_htab_node {
	struct arena_htab_node __arena *next;
	__u64 hash;
};

struct arena_htab_bucket {
	struct arena_htab_node __arena *first;
};

struct arena_htab_segment {
	struct arena_htab_bucket bucket[ARENA_HTAB_SEGMENT];
};

struct arena_htab_directory {
	struct arena_htab_segment __arena *segment[ARENA_HTAB_SEGMENT];
};

/*
 * In round r the first (ARENA_HTAB_MIN << r) buckets are split, one after the other, into
 * themselves and those from there on. One word says how far that is, for readers.
 *
 * All buckets of which an entry can ever be have the lowest bits of its hash in common,
 * and have a sequence counter to themselves.
 */
struct arena_htab {
	struct arena_heap __arena *heap;
	__u64 entries;	/* never less than there are in a chain */
	__u64 shape;	/* the round in the upper half, buckets split in it in the lower */
	__u32 seq[ARENA_HTAB_MIN];	/* odd while there is a change */
	struct arena_htab_bucket first[ARENA_HTAB_MIN];
	struct arena_htab_directory __arena *directory[64];
};

/**
 * arena_htab_entry() - the structure that a node is in
 * @ptr: the node; not NULL
 * @type: the structure, without __arena
 * @member: the node's name in it
 */
#define arena_htab_entry(ptr, type, member)				\
	((type __arena *)((char __arena *)(ptr) - offsetof(type, member)))

/* The entry, of the type of @pos, that @ptr is in; NULL if that is. */
#define __arena_htab_at(ptr, pos, member)				\
	({								\
	struct arena_htab_node __arena *__at = (ptr);			\
									\
	!__at ? (typeof(pos))NULL :					\
	(typeof(pos))((char __arena *)__at - offsetof(typeof(*(pos)), member)); \
	})

/**
 * arena_htab_for_each_possible() - look at all entries with a hash
 * @htab: the table
 * @pos: the entry, a pointer to a structure in the arena; NULL after the last one
 * @value: the hash, all its bits
 * @member: the node's name in the structure
 */
#define arena_htab_for_each_possible(htab, pos, value, member)		\
	for (struct arena_htab_walk __walk =				\
		__arena_htab_along(htab, value);			\
	     ((pos = __arena_htab_at(__walk.next, pos, member))) &&	\
	     arena_walk_on(&__walk.walk, pos) && can_loop;		\
	     __walk.next = READ_ONCE((pos)->member.next))		\
		if ((pos)->member.hash != __walk.hash)			\
			continue;					\
		else

/**
 * arena_htab_for_each() - walk all entries, in no order
 * @htab: the table, to which nothing is added meanwhile
 * @pos: the entry, a pointer to a structure in the arena, which may be taken out; NULL
 *	 after the last one. If the walk was ended before, and not by the program, there
 *	 may be no entry where it points to
 * @member: the node's name in the structure
 */
#define arena_htab_for_each(htab, pos, member)				\
	for (struct arena_htab_walk __walk = __arena_htab_begin(htab);	\
	     pos = __arena_htab_at(__walk.at, pos, member), __walk.more && can_loop; \
	     __arena_htab_on(htab, &__walk))				\
		if (!__walk.node)					\
			continue;					\
		else

/**
 * arena_htab_init() - let a table grow
 * @htab: the table, which is zeroed or was trimmed when it was empty
 * @heap: where the memory for more buckets comes from
 */
static inline void arena_htab_init(struct arena_htab __arena *htab,
				   struct arena_heap __arena *heap)
{
	htab->heap = heap;
}

/**
 * arena_htab_hash() - the hash of a key of 64 bits
 * @key: the key
 *
 * Return: another number for each key, whose lower bits depend on all of the key
 */
static inline __u64 arena_htab_hash(__u64 key)
{
	key ^= key >> 32;
	key *= 0x9e3779b97f4a7c15ULL;
	key ^= key >> 29;
	key *= 0xd1342543de82ef95ULL;
	return key ^ key >> 32;
}

static inline __u32 __arena_htab_size(__u64 shape)
{
	return ARENA_HTAB_MIN << (shape >> 32 & 31);
}

static inline __u32 __arena_htab_index(__u64 shape, __u64 hash)
{
	__u32 size = __arena_htab_size(shape);
	__u32 index = hash & (size - 1);

	return index < (__u32)shape ? hash & (2 * size - 1) : index;
}

static inline struct arena_htab_directory __arena *__arena *
__arena_htab_directory(struct arena_htab __arena *htab, __u32 index)
{
	return &htab->directory[index / ARENA_HTAB_SEGMENT / ARENA_HTAB_SEGMENT % 64];
}

static inline struct arena_htab_segment __arena *__arena *
__arena_htab_segment(struct arena_htab_directory __arena *directory, __u32 index)
{
	return &directory->segment[index / ARENA_HTAB_SEGMENT % ARENA_HTAB_SEGMENT];
}

static inline struct arena_htab_bucket __arena *
__arena_htab_bucket(struct arena_htab __arena *htab, __u32 index)
{
	struct arena_htab_segment __arena *segment;

	if (index < ARENA_HTAB_MIN)
		return &htab->first[index];
	segment = *__arena_htab_segment(*__arena_htab_directory(htab, index), index);
	return &segment->bucket[index % ARENA_HTAB_SEGMENT];
}

static inline struct arena_htab_bucket __arena *
__arena_htab_bucket_of(struct arena_htab __arena *htab, __u64 hash)
{
	__u64 shape = arena_load_acquire(&htab->shape);

	return __arena_htab_bucket(htab, __arena_htab_index(shape, hash));
}

/**
 * arena_htab_buckets() - how many buckets there are
 * @htab: the table
 *
 * Return: the number
 */
static inline __u32 arena_htab_buckets(struct arena_htab __arena *htab)
{
	__u64 shape = READ_ONCE(htab->shape);
	__u32 buckets = __arena_htab_size(shape) + (__u32)shape;

	return buckets < ARENA_HTAB_MAX ? buckets : ARENA_HTAB_MAX;
}

/*
 * How many entries a chain may have. Who has no lock asks after he has read where the chain
 * begins: entries are counted before they are added, and after they were taken out.
 */
static inline __u32 __arena_htab_most(struct arena_htab __arena *htab)
{
	__u64 entries = arena_load_acquire(&htab->entries);

	return entries < ARENA_HTAB_CHAIN ? entries : ARENA_HTAB_CHAIN;
}

/* A walk along one chain, to @next, or along all, up to the bucket @end. */
struct arena_htab_walk {
	struct arena_walk walk;
	struct arena_htab_node __arena *next;
	struct arena_htab_node __arena *node;	/* NULL in a bucket without any */
	struct arena_htab_node __arena *at;	/* the node or the bucket, NULL at the end */
	__u64 hash;
	__u64 bucket;
	__u64 end;
	int more;
};

static __always_inline struct arena_htab_walk
__arena_htab_along(struct arena_htab __arena *htab, __u64 hash)
{
	struct arena_htab_walk walk = { .hash = hash };

	walk.next = arena_load_acquire(&__arena_htab_bucket_of(htab, hash)->first);
	walk.walk = arena_walk_begin(__arena_htab_most(htab), (__u64)walk.next);
	return walk;
}

/* On to the next entry, or to the next bucket if that has none. */
static __always_inline void __arena_htab_on(struct arena_htab __arena *htab,
					    struct arena_htab_walk *walk)
{
	struct arena_htab_bucket __arena *bucket = NULL;

	walk->node = walk->next;
	if (!walk->node && walk->bucket < walk->end) {
		bucket = __arena_htab_bucket(htab, walk->bucket++);
		walk->node = bucket->first;
	}
	walk->at = walk->node;
	if (walk->node)
		walk->next = walk->node->next;
	else
		walk->at = (struct arena_htab_node __arena *)bucket;
	walk->more = walk->at && arena_walk_on(&walk->walk, walk->at);
}

static __always_inline struct arena_htab_walk __arena_htab_begin(struct arena_htab __arena *htab)
{
	struct arena_htab_walk walk = { .end = arena_htab_buckets(htab) };

	walk.walk = arena_walk_begin(htab->entries + walk.end, htab->shape);
	arena_forget(walk.bucket, htab->shape);
	__arena_htab_on(htab, &walk);
	return walk;
}

/**
 * arena_htab_read_begin() - begin to look without a lock
 * @htab: the table
 * @hash: what is looked for
 *
 * Return: a number for arena_htab_read_retry()
 */
static inline __u32 arena_htab_read_begin(struct arena_htab __arena *htab, __u64 hash)
{
	return arena_load_acquire(&htab->seq[hash % ARENA_HTAB_MIN]);
}

/**
 * arena_htab_read_retry() - was there a change?
 * @htab: the table
 * @hash: what was looked for
 * @seq: what arena_htab_read_begin() returned
 *
 * Return: nonzero if what was read since then may be wrong
 */
static inline int arena_htab_read_retry(struct arena_htab __arena *htab, __u64 hash, __u32 seq)
{
	/* What was read comes before the counter; x86, the only JIT there is, sees to it. */
#ifdef __BPF__
	asm volatile("" ::: "memory");
#else
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
	return seq % 2 || READ_ONCE(htab->seq[hash % ARENA_HTAB_MIN]) != seq;
}

/**
 * arena_htab_write_begin() - begin to change what is in an entry
 * @htab: the table, whose lock is held
 * @hash: the hash of the entry
 */
static inline void arena_htab_write_begin(struct arena_htab __arena *htab, __u64 hash)
{
	__u32 __arena *seq = &htab->seq[hash % ARENA_HTAB_MIN];

	/*
	 * It is odd already if a writer died, whose lock was taken over. Also a barrier: that
	 * there is a change is seen before the change.
	 */
	(void)__sync_fetch_and_add(seq, 1 + *seq % 2);
}

/**
 * arena_htab_write_end() - end a change
 * @htab: the table
 * @hash: what arena_htab_write_begin() was told
 */
static inline void arena_htab_write_end(struct arena_htab __arena *htab, __u64 hash)
{
	__u32 __arena *seq = &htab->seq[hash % ARENA_HTAB_MIN];

	arena_store_release(seq, (*seq | 1) + 1);
}

/* The first one of @turns from @node on with this hash. Most chains have one node or none. */
static arena_noinline struct arena_htab_node __arena *
__arena_htab_match(struct arena_htab_node __arena *node, __u64 hash, int turns)
{
	int turn;

	bpf_for(turn, 0, turns) {
		if (!node || node->hash == hash)
			return node;
		node = node->next;
	}
	return NULL;
}

/**
 * arena_htab_find() - find a node by its hash
 * @htab: the table
 * @hash: the hash, all its bits
 *
 * Return: the one that was added last, NULL if there is none
 */
static inline struct arena_htab_node __arena *
arena_htab_find(struct arena_htab __arena *htab, __u64 hash)
{
	struct arena_htab_node __arena *node;

	node = arena_load_acquire(&__arena_htab_bucket_of(htab, hash)->first);
	if (!node || node->hash == hash)
		return node;
	return __arena_htab_match(node, hash, __arena_htab_most(htab));
}

/**
 * arena_htab_find_next() - find another node with the same hash
 * @node: a node, in a table
 *
 * Return: NULL if there is no other one
 */
static inline struct arena_htab_node __arena *
arena_htab_find_next(const struct arena_htab_node __arena *node)
{
	return __arena_htab_match(READ_ONCE(node->next), node->hash, ARENA_HTAB_CHAIN);
}

/* Is @index the first bucket that has a page, or a directory, of its own? */
static inline int __arena_htab_begins(__u32 index, __u32 buckets)
{
	return index == ARENA_HTAB_MIN || index % buckets == 0;
}

/*
 * Memory for bucket @index, which is the next one. Nobody looks at what is not in use, so
 * that it need not be zeroed. To ask for one page at a time is a lot less for the verifier
 * to follow: if that was for the directory, the next addition asks for the segment.
 */
static __always_inline int __arena_htab_add_memory(struct arena_htab __arena *htab, __u32 index)
{
	struct arena_htab_directory __arena *__arena *directory;
	__u64 page;

	if (!__arena_htab_begins(index, ARENA_HTAB_SEGMENT))
		return 1;
	if (!htab->heap)
		return 0;
	page = (__u64)arena_malloc(htab->heap, PAGE_SIZE);
	arena_forget(page, (__u64)htab->heap);
	if (!page)
		return 0;
	directory = __arena_htab_directory(htab, index);
	if (!*directory) {
		*directory = (struct arena_htab_directory __arena *)page;
		return 0;
	}
	*__arena_htab_segment(*directory, index) = (struct arena_htab_segment __arena *)page;
	return 1;
}

/*
 * The directory that begins with bucket @index, which is the next one. There may be one even
 * if there never was that bucket: the segment could not be had.
 */
static arena_noinline void __arena_htab_free_directory(struct arena_htab __arena *htab,
						       __u32 index)
{
	struct arena_htab_directory __arena *__arena *directory, *old;

	if (!__arena_htab_begins(index, ARENA_HTAB_SEGMENT * ARENA_HTAB_SEGMENT) ||
	    index >= ARENA_HTAB_MAX)
		return;
	directory = __arena_htab_directory(htab, index);
	old = *directory;
	/* Who dies in between has lost a page, and not left it to be freed twice. */
	arena_store_release(directory, NULL);
	arena_free(htab->heap, old);
}

/* After bucket @index, the last one, has gone. */
static arena_noinline void __arena_htab_free_memory(struct arena_htab __arena *htab, __u32 index)
{
	struct arena_htab_directory __arena *directory;

	if (!__arena_htab_begins(index, ARENA_HTAB_SEGMENT))
		return;
	directory = *__arena_htab_directory(htab, index);
	arena_free(htab->heap, *__arena_htab_segment(directory, index));
}

/* Those of @from that have @bit in their hash go to @to, which is empty. */
static arena_noinline void __arena_htab_split(struct arena_htab_bucket __arena *from,
					      struct arena_htab_bucket __arena *to, __u64 bit)
{
	struct arena_htab_node __arena *__arena *at = &from->first;
	struct arena_htab_node __arena *__arena *to_at = &to->first;
	struct arena_htab_node __arena *node;
	int turn;

	bpf_for(turn, 0, ARENA_HTAB_CHAIN) {
		node = *at;
		if (!node)
			break;
		if (node->hash & bit) {
			WRITE_ONCE(*at, node->next);
			*to_at = node;
			to_at = &node->next;
		} else {
			at = &node->next;
		}
	}
	*to_at = NULL;
}

/* One more bucket, if there is memory for it. */
static arena_noinline void __arena_htab_grow(struct arena_htab __arena *htab)
{
	__u64 shape = htab->shape;
	__u32 size = __arena_htab_size(shape), from = shape, to = size + from;

	if (to >= ARENA_HTAB_MAX || !__arena_htab_add_memory(htab, to))
		return;
	shape = from + 1 < size ? shape + 1 : ((shape >> 32) + 1) << 32;
	arena_htab_write_begin(htab, from);
	__arena_htab_split(__arena_htab_bucket(htab, from), __arena_htab_bucket(htab, to), size);
	arena_store_release(&htab->shape, shape);
	arena_htab_write_end(htab, from);
}

/* How many entries a chain has, ARENA_HTAB_CHAIN if there are more. */
static arena_noinline int __arena_htab_length(struct arena_htab_bucket __arena *bucket)
{
	struct arena_htab_node __arena *node = bucket->first;
	int turn;

	bpf_for(turn, 0, ARENA_HTAB_CHAIN) {
		if (!node)
			return turn;
		node = node->next;
	}
	return ARENA_HTAB_CHAIN;
}

/**
 * arena_htab_add() - add an entry
 * @htab: the table
 * @node: the node of the entry, in no table
 * @hash: its hash
 *
 * There may be others with the same hash.
 *
 * Return: 0, or -ENOSPC if there are ARENA_HTAB_CHAIN entries in the chain that it belongs
 *	   to, and it is not added
 */
static __always_inline arena_must_check
int arena_htab_add(struct arena_htab __arena *htab, struct arena_htab_node __arena *node,
		   __u64 hash)
{
	struct arena_htab_bucket __arena *bucket = __arena_htab_bucket_of(htab, hash);
	int err = -ENOSPC;

	/* In a smaller table no chain is so long, and there is no need to look. */
	if (htab->entries < ARENA_HTAB_CHAIN || __arena_htab_length(bucket) < ARENA_HTAB_CHAIN) {
		WRITE_ONCE(htab->entries, htab->entries + 1);
		node->hash = hash;
		node->next = bucket->first;
		arena_store_release(&bucket->first, node);
		err = 0;
	}
	/* For the verifier it goes on in one way, not in two. */
	arena_forget(err, htab->entries);
	/* Also where all chains are full: there may be memory again. */
	if (htab->entries > arena_htab_buckets(htab))
		__arena_htab_grow(htab);
	return err;
}

/* What points to @node, or to the end of a chain of up to @most entries if that is nowhere. */
static arena_noinline struct arena_htab_node __arena *__arena *
__arena_htab_link(struct arena_htab_bucket __arena *bucket,
		  const struct arena_htab_node __arena *node, int most)
{
	struct arena_htab_node __arena *__arena *at = &bucket->first;
	int turn;

	bpf_for(turn, 0, most) {
		struct arena_htab_node __arena *next = *at;

		if (!next || next == node)
			break;
		at = &next->next;
	}
	return at;
}

/**
 * arena_htab_del() - take an entry out
 * @htab: the table
 * @node: the node of the entry; it can be freed afterwards
 *
 * Return: 0, or -ENOENT if it is not in the table
 */
static arena_noinline int arena_htab_del(struct arena_htab __arena *htab,
					 struct arena_htab_node __arena *node)
{
	struct arena_htab_node __arena *__arena *at;
	__u64 hash = node->hash;

	at = __arena_htab_link(__arena_htab_bucket_of(htab, hash), node,
			       __arena_htab_most(htab));
	if (*at != node)
		return -ENOENT;
	arena_htab_write_begin(htab, hash);
	WRITE_ONCE(*at, node->next);
	arena_htab_write_end(htab, hash);
	arena_store_release(&htab->entries, htab->entries - 1);
	return 0;
}

/* Are there more buckets than it takes? */
static __always_inline int __arena_htab_too_large(struct arena_htab __arena *htab)
{
	__u32 buckets = arena_htab_buckets(htab);

	return buckets > ARENA_HTAB_MIN && buckets > htab->entries;
}

/*
 * One bucket less. Returns 0 if that is too few, or a chain would be too long; else one more
 * than how many entries it had to look at.
 */
static arena_noinline int __arena_htab_shrink(struct arena_htab __arena *htab)
{
	struct arena_htab_bucket __arena *bucket, *last;
	__u64 shape = htab->shape;
	__u32 buckets = arena_htab_buckets(htab), to, len;

	if (!__arena_htab_too_large(htab))
		return 0;
	if (!(__u32)shape)
		shape = ((shape >> 32) - 1) << 32 | __arena_htab_size(shape) / 2;
	shape--;
	to = shape;
	bucket = __arena_htab_bucket(htab, to);
	last = __arena_htab_bucket(htab, buckets - 1);
	len = __arena_htab_length(bucket) + __arena_htab_length(last);
	if (len > ARENA_HTAB_CHAIN)
		return 0;
	arena_htab_write_begin(htab, to);
	*__arena_htab_link(bucket, NULL, ARENA_HTAB_CHAIN) = last->first;
	arena_store_release(&htab->shape, shape);
	arena_htab_write_end(htab, to);
	__arena_htab_free_memory(htab, buckets - 1);
	return 1 + len;
}

/**
 * arena_htab_trim() - give back memory
 * @htab: the table; if it is empty, all of its memory is given back
 *
 * A call takes out ARENA_HTAB_TRIM buckets at most, and looks at ARENA_WALK_MAX entries.
 *
 * Return: 0, or -EAGAIN if there is more to be given back, by the next call
 */
static arena_noinline int arena_htab_trim(struct arena_htab __arena *htab)
{
	int turn, looks, left = ARENA_WALK_MAX;

	bpf_for(turn, 0, ARENA_HTAB_TRIM) {
		looks = __arena_htab_shrink(htab);
		__arena_htab_free_directory(htab, arena_htab_buckets(htab));
		if (!looks)
			return 0;
		left -= looks;
		if (left < 0)
			break;
	}
	return __arena_htab_too_large(htab) ? -EAGAIN : 0;
}

#endif /* __BPF_ARENA_HASHTABLE_H */
