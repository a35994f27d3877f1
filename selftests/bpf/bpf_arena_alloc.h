/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Objects of 8 bytes to 1 MiB in an arena, allocated and freed by BPF programs of all
 * types, in all contexts, and by user space, all from the same heap at the same time.
 *
 *	struct arena_heap __arena_global heap;	the program's map is called "arena"
 *
 *	n = arena_malloc(&heap, sizeof(*n));
 *	if (!n)
 *		return 0;			there is no memory, or not now: count it
 *	...
 *	arena_free(&heap, n);
 *
 * What is allocated is not zeroed. An object is aligned to the largest power of two
 * that divides its size, rounded up to 8, 2^n or 3 * 2^n; from 4 KiB on to the page.
 *
 * Pages come from where the heap was told to take them:
 *
 * - By default, and in zeroed memory, from the arena, by bpf_arena_alloc_pages(). Only
 *   programs can do that: user space gets objects as long as there is room in pages that
 *   programs have brought, and NULL otherwise. In a program that may sleep arena_malloc()
 *   does; in others, and in sections, NULL may mean "not now". Pages that became empty go
 *   back to the arena when a program frees something, but for ARENA_HEAP_KEEP.
 * - After arena_heap_init_range() from a range of the arena that belongs to the heap
 *   alone. Then user space can take pages, too, by touching them: if there is no memory
 *   for one, that is a SIGBUS. What was taken remains the heap's, for objects of all sizes.
 *
 * When all is freed, whatever it was, and arena_heap_trim() was called, a heap can do what
 * it could at first. Its tables only grow, but are not in the way. In a range they have a
 * place of their own. In the arena they lie between other pages, in few pieces, of up to 32
 * pages: in one of 16 MiB or more, which is the heap's alone, there is room for the largest
 * object then, wherever the pieces are. (So, where there are not so many pages in a row as
 * the next piece has, there are no new slabs.) What tables have taken of a limit, which is
 * about one page in 15 at most, they keep. Where all pages of a limit were once those of
 * large objects and are free, there may be pages of slabs above it: one for 32 of them.
 *
 * Mainline before 7.0 does not let programs that must not sleep have pages of the arena, or
 * give them back, so that it refuses them arena_malloc() and arena_free(). With
 * ARENA_HEAP_FILLED defined before this header they leave that to arena_heap_fill() and
 * arena_heap_trim(), which are for programs that may sleep, for all where
 * arena_pages_nosleep() is true, and, in a range, for user space:
 *
 *	if (arena_pages_nosleep())
 *		arena_heap_fill(&heap, 8);
 *	n = arena_malloc(&heap, sizeof(*n));
 *
 * in the program itself, or in a static function. The same object is loaded by all
 * kernels from 6.12 on then; where the condition is false something else fills the heap.
 *
 * On mainline from 7.0 on a heap keeps its pages until arena_heap_trim() gives them back,
 * which is for when nobody else allocates in the arena: a freed page's place can be allocated
 * there before all CPUs have forgotten the page (arena_reuse_loses_writes()).
 *
 * How it works. Objects of up to 2 KiB are parts of slabs of one or three pages, in which
 * a bitmap says which are taken: these change by atomics, so that most calls need no lock
 * and may interrupt each other anywhere. Each CPU, and each thread, has slabs of its own
 * to allocate from (as far as there are 16). The lock of the heap is for slabs as such
 * and for pages. arena_malloc() returns NULL if it cannot have it in time; arena_free()
 * never waits: what it would do under the lock, others that have it do for it. A process
 * that dies in the middle of a call loses an object or a few pages at most, unless it dies
 * with the lock: then what needs the lock fails, and arena_spin_holder(&heap->lock) tells
 * who had it.
 *
 * When pages are short, arena_malloc() needs the lock hundreds of times. All its waiting
 * ends ARENA_SPIN_BPF_NS, or in user space ARENA_SPIN_USER_NS, after it has first found the
 * lock taken: a call, in any context, waits no longer than one arena_spin_lock(), whoever
 * has the lock when. Its own work, which is less than a millisecond, comes to that.
 *
 * In programs arena_malloc() and arena_free() are calls of global functions: a program
 * that may sleep cannot make them in a section, so not with a lock held either (allocate
 * before), and with callbacks in it arena_malloc() does not sleep. They nest four calls
 * deep, of the eight that a program has, and take some 300 of its 512 bytes of stack. In
 * a program's own loop, put what is done with objects in a global function as well: the
 * verifier then looks at it once, and not at all ways through it in all turns.
 *
 * The bitmaps and all else about slabs are not next to the objects, so that one that is
 * written to after its end, or after it was freed, does not lead the heap astray. Only
 * pages that are free have links in them. Whoever can write to the arena can still ruin
 * the heap, on purpose: programs may then get any pointer into the arena from it, as from
 * anywhere else there, but they do not loop for ever.
 */
#ifndef __BPF_ARENA_ALLOC_H
#define __BPF_ARENA_ALLOC_H

#include "bpf_arena_bitmap.h"
#include "bpf_arena_spin_lock.h"

#ifndef ENOMEM
#define ENOMEM			12
#endif
#ifndef EINVAL
#define EINVAL			22
#endif
#ifndef ENOMEM
#define ENOMEM			12
#endif

#ifndef ARENA_HEAP_KEEP
#define ARENA_HEAP_KEEP		16	/* free pages that are not given back */
#endif

#define ARENA_MALLOC_MAX	0x100000U	/* bytes */

/*
 * In programs these are global functions, which the verifier looks at once, whoever calls
 * them from where. (Inside a loop of the caller's it would otherwise follow each path
 * through them anew.) All others are part of those, so that the calls are not nested too
 * deep: four of them at most, in a program that may nest eight.
 */
#ifdef __BPF__
#define arena_global_func	__weak
#define arena_func		static __noinline
#else
#define arena_global_func	static inline
#define arena_func		static inline
#endif

#define ARENA_HEAP_CLASSES	17
#define ARENA_HEAP_SHARDS	16
#define ARENA_HEAP_BINS		21	/* runs of 2^n and more free pages */

#define ARENA_SLAB_MAX_SIZE	2048
#define ARENA_SLAB_MAX_OBJECTS	512
#define ARENA_SLABS_PER_PAGE	(PAGE_SIZE / (__u32)sizeof(struct arena_slab))

/*
 * Pages are numbered as in the window of 4 GiB that an arena is in, and pages and slabs
 * are named by numbers of 32 bits: 0 is none. (The first page of the window cannot be
 * had by a pointer, for its address would be NULL.)
 */
#define ARENA_WINDOW_PAGES	0x100000U
#define ARENA_LEAF_PAGES	(PAGE_SIZE / (__u32)sizeof(__u32))
#define ARENA_HEAP_LEAVES	(ARENA_WINDOW_PAGES / ARENA_LEAF_PAGES)

/*
 * What the page table of the heap says about a page. Tables are as those of a CPU, with
 * a root in struct arena_heap and leaves of 1024 words, which remain what they are.
 */
#define ARENA_PAGE_KIND		0xc0000000U
#define ARENA_PAGE_VALUE	0x3fffffffU
#define ARENA_PAGE_NONE		0x00000000U	/* not the heap's, lost, or inside of a run */
#define ARENA_PAGE_SLAB		0x40000000U	/* and the slab: each page of it */
#define ARENA_PAGE_LARGE	0x80000000U	/* and the number of pages: the first one */
#define ARENA_PAGE_FREE		0xc0000000U	/* and the number: the first and the last */

/*
 * A slab. Its memory is never used for anything else, so that one can look at a slab
 * without owning anything in it: @word says whether it is still what it was.
 */
struct arena_slab {
	__u64 word;	/* class + 1, or 0, in the upper half; free objects in the lower */
	__u32 first;	/* page */
	__u32 where;	/* enum arena_slab_where */
	__u32 next;	/* slab in the same list */
	__u32 prev;
	__u32 next_news;
	__u32 is_news;
	__u64 pad[4];
	__u64 taken[ARENA_SLAB_MAX_OBJECTS / 64];
};

enum arena_slab_where {
	ARENA_SLAB_UNUSED,	/* may be in the list of those */
	ARENA_SLAB_CURRENT,	/* some CPU's or thread's */
	ARENA_SLAB_PARTIAL,	/* in the list of its class */
	ARENA_SLAB_FULL,	/* nobody knows it but its objects' owners */
};

/* What is at the beginning of a free page that is the first of a run. */
struct arena_free_run {
	__u32 next;
	__u32 prev;	/* in the pool */
	__u32 pages;	/* while it is news */
};

struct arena_heap_shard {
	__u32 current_slab[ARENA_HEAP_CLASSES];
};

struct arena_heap {
	/* What never changes, or only by atomics */
	__u64 base;		/* of the window; 0: that of the heap itself */
	__u32 limit;		/* of pages, 0 for none */
	__u32 end;		/* of a range's part for objects, 0 if pages are the arena's */
	__u32 brk;		/* the first page never used of that */
	__u32 slabs_end;	/* of the range's part for pages of slabs, its last */
	__u32 slabs_brk;
	__u32 pages;		/* all that the heap has */
	__u32 table_pages;	/* those of them that leaves and pages of slabs take */
	__u32 lost;		/* of a range, pages that could not be had, each with the */
	__u32 lost_pages;	/* next one's number in the page table; how many */
	__u32 slab_news;	/* slabs that need a look, with the lock held */
	__u32 run_news;		/* runs that are to go to the pool */
	__u64 large_objects;
	__u64 large_pages;

	/* What did not work; the first two may have been made up for by empty slabs */
	__u64 no_memory;	/* no pages where they come from */
	__u64 over_limit;	/* no pages, for the limit */
	__u64 too_large;	/* more than ARENA_MALLOC_MAX wanted */
	__u64 lock_timeouts;	/* NULL was returned since the lock could not be had */
	__u64 bad_frees;	/* -EINVAL was returned: not an object */

	/* Under the lock */
	arena_spinlock_t lock;
	__u32 old_slab_news;	/* what was news, and has not been looked at yet */
	__u32 old_run_news;
	__u32 pool_pages;	/* free ones */
	__u32 bins;		/* which of the next are not empty */
	__u32 bin[ARENA_HEAP_BINS];
	__u32 slab_pages;	/* pages full of slabs, linked by the first one */
	__u32 unused_slabs;
	__u32 partial[ARENA_HEAP_CLASSES];

	__u32 root[ARENA_HEAP_LEAVES];
	struct arena_heap_shard shard[ARENA_HEAP_SHARDS];
};

/*
 * Class 2n is of objects of 8 << n bytes, in slabs of one page, and class 2n + 1 of those
 * of 12 << n bytes, in slabs of three: so no room is left over. Class 1 is not used.
 * There is no branch in any of this, of which the verifier would have to follow both.
 */
static __always_inline __u32 arena_class_size(__u32 class)
{
	return (8 + class % 2 * 4) << class / 2;
}

static __always_inline __u32 arena_class_pages(__u32 class)
{
	return 1 + class % 2 * 2;
}

static __always_inline __u32 arena_class_objects(__u32 class)
{
	return (ARENA_SLAB_MAX_OBJECTS << class % 2) >> class / 2;
}

/* @n is not 0 */
static __always_inline __u32 arena_log2(__u32 n)
{
	return 31 - __builtin_clz(n);
}

/* The class of the least size that is not less than this one, which is up to 2 KiB */
static __always_inline __u32 arena_class_of(__u32 size)
{
	__u32 last = ((size ?: 1) - 1) | 7, log = arena_log2(last);
	__u32 class = 2 * (log - 2) - 1 + (last >> (log - 1) & 1);

	return class > 1 ? class : 2 * (size > 8);
}

/* Programs find all pages of the window at their own base, which is the heap's, too. */
static __always_inline __u64 arena_heap_base(struct arena_heap __arena *heap)
{
#ifndef __BPF__
	if (heap->base)
		return heap->base;
#endif
	return (__u64)heap & ~0xffffffffULL;
}

static __always_inline void __arena *arena_heap_page(struct arena_heap __arena *heap, __u32 page)
{
	return (void __arena *)(arena_heap_base(heap) | (__u64)page * PAGE_SIZE);
}

static __always_inline struct arena_slab __arena *
arena_slab_at(struct arena_heap __arena *heap, __u32 nr)
{
	return (void __arena *)(arena_heap_base(heap) | (__u64)nr * sizeof(struct arena_slab));
}

static __always_inline __u32 arena_slab_nr(struct arena_slab __arena *slab)
{
	return (__u32)(__u64)slab / sizeof(*slab);
}

static __always_inline __u32 arena_page_nr(void __arena *ptr)
{
	return (__u32)(__u64)ptr / PAGE_SIZE;
}

static __always_inline __u32 __arena *arena_page_root(struct arena_heap __arena *heap, __u32 page)
{
	return &heap->root[page / ARENA_LEAF_PAGES % ARENA_HEAP_LEAVES];
}

/* The word of the page table for a page. Pages of the heap have a leaf that has it. */
static __always_inline __u32 __arena *arena_page_word(struct arena_heap __arena *heap, __u32 page)
{
	__u32 leaf = arena_load_acquire(arena_page_root(heap, page));

	return (__u32 __arena *)arena_heap_page(heap, leaf) + page % ARENA_LEAF_PAGES;
}

/* For any page */
static __always_inline __u32 arena_page_get(struct arena_heap __arena *heap, __u32 page)
{
	if (!arena_load_acquire(arena_page_root(heap, page)))
		return ARENA_PAGE_NONE;
	return arena_load_acquire(arena_page_word(heap, page));
}

static __always_inline void arena_page_set(struct arena_heap __arena *heap, __u32 page,
					   __u32 value)
{
	arena_store_release(arena_page_word(heap, page), value);
}

/*
 * The lock. All waiting for it in a call ends at the same time, so that a call takes no
 * longer however often it needs the lock, and whoever has it then.
 */
#define ARENA_HEAP_TURNS	8388608

#ifdef __BPF__

static __always_inline __u64 arena_heap_now(void)
{
	return bpf_ktime_get_ns();
}

#define ARENA_HEAP_WAIT_NS	ARENA_SPIN_BPF_NS
#define arena_heap_relax(turn)	((void)(turn))

#else

static inline __u64 arena_heap_now(void)
{
	return arena_spin_now();
}

#define ARENA_HEAP_WAIT_NS	ARENA_SPIN_USER_NS
#define arena_heap_relax(turn)	arena_spin_relax(turn)

#endif /* __BPF__ */

/* As arena_spin_wait(), but for when it gives up */
arena_func int arena_heap_wait(struct arena_heap __arena *heap, __u64 end)
{
	__u64 holder, me = arena_spin_me();
	int turn;

	bpf_for(turn, 0, ARENA_HEAP_TURNS) {
		holder = arena_load_acquire(&heap->lock.holder);
		if (!holder && arena_spin_take(&heap->lock, me))
			return 0;
		if ((holder == me && me & ARENA_SPIN_CPU) || arena_heap_now() > end)
			break;
		arena_heap_relax(turn);
	}
	return -ETIMEDOUT;
}

/* As arena_spin_lock(), but does not wait if @end is 0, and otherwise until then */
static __always_inline arena_must_check
int arena_heap_lock(struct arena_heap __arena *heap, __u64 end)
{
	arena_preempt_disable();
	if (arena_spin_take(&heap->lock, arena_spin_me()) || (end && !arena_heap_wait(heap, end)))
		return 0;
	arena_preempt_enable();
	return -ETIMEDOUT;
}

/*
 * The pool: free runs of pages, as long as they can be, in lists by the logarithm of
 * their length. All of it is done under the lock.
 */

static __always_inline struct arena_free_run __arena *
arena_run_at(struct arena_heap __arena *heap, __u32 page)
{
	return arena_heap_page(heap, page);
}

static __always_inline __u32 arena_run_bin(__u32 pages)
{
	return arena_log2(pages | 1) % ARENA_HEAP_BINS;
}

/* The length of the free run of which this page is the first, or the last. */
static __always_inline __u32 arena_run_pages(struct arena_heap __arena *heap, __u32 page)
{
	__u32 word = arena_page_get(heap, page);

	return (word & ARENA_PAGE_KIND) == ARENA_PAGE_FREE ? word & ARENA_PAGE_VALUE : 0;
}

static __always_inline void arena_run_mark(struct arena_heap __arena *heap, __u32 page,
					   __u32 pages, __u32 value)
{
	arena_page_set(heap, page, value);
	arena_page_set(heap, page + pages - 1, value);
}

static __always_inline void arena_run_link(struct arena_heap __arena *heap, __u32 page,
					   __u32 pages)
{
	struct arena_free_run __arena *run = arena_run_at(heap, page);
	__u32 bin = arena_run_bin(pages);

	arena_run_mark(heap, page, pages, ARENA_PAGE_FREE | pages);
	run->prev = 0;
	run->next = heap->bin[bin];
	if (run->next)
		arena_run_at(heap, run->next)->prev = page;
	heap->bin[bin] = page;
	heap->bins |= ARENA_BIT(bin);
	arena_store_release(&heap->pool_pages, heap->pool_pages + pages);
}

static __always_inline void arena_run_unlink(struct arena_heap __arena *heap, __u32 page,
					     __u32 pages)
{
	struct arena_free_run __arena *run = arena_run_at(heap, page);
	__u32 bin = arena_run_bin(pages);

	arena_run_mark(heap, page, pages, ARENA_PAGE_NONE);
	if (run->next)
		arena_run_at(heap, run->next)->prev = run->prev;
	if (run->prev)
		arena_run_at(heap, run->prev)->next = run->next;
	else
		heap->bin[bin] = run->next;
	if (!heap->bin[bin])
		heap->bins &= ~ARENA_BIT(bin);
	arena_store_release(&heap->pool_pages, heap->pool_pages - pages);
}

/* Adds a run, which grows together with its neighbours. */
arena_func void arena_pool_add(struct arena_heap __arena *heap, __u32 page, __u32 pages)
{
	__u32 more;

	more = arena_run_pages(heap, page + pages);
	if (more) {
		arena_run_unlink(heap, page + pages, more);
		pages += more;
	}
	more = arena_run_pages(heap, page - 1);
	if (more && more < page) {
		page -= more;
		arena_run_unlink(heap, page, more);
		pages += more;
	}
	arena_run_link(heap, page, pages);
}

/* In its own bin a run may be too short. Not all of them are looked at. */
#define ARENA_POOL_TRIES	32

static __always_inline __u32 arena_pool_find(struct arena_heap __arena *heap, __u32 pages)
{
	__u32 bin = arena_run_bin(pages), page, bins;
	int i;

	page = heap->bin[bin];
	bpf_for(i, 0, ARENA_POOL_TRIES) {
		if (!page || arena_run_pages(heap, page) >= pages)
			break;
		page = arena_run_at(heap, page)->next;
	}
	if (page && arena_run_pages(heap, page) >= pages)
		return page;
	bins = heap->bins & (~0U << bin << 1);
	return bins ? heap->bin[arena_lowest_bit(bins)] : 0;
}

/* Takes a run out; 0 if there is none. */
static __always_inline __u32 arena_pool_take(struct arena_heap __arena *heap, __u32 pages)
{
	__u32 page = arena_pool_find(heap, pages), have;

	have = page ? arena_run_pages(heap, page) : 0;
	if (have < pages)
		return 0;
	arena_run_unlink(heap, page, have);
	if (have > pages)
		arena_run_link(heap, page + pages, have - pages);
	return page;
}

/*
 * News: stacks onto which anybody pushes, without the lock, what is to be looked at by
 * who has the lock. Nothing is ever popped but the whole stack, so that a push that
 * succeeds has not been fooled. One that fails has lost against another; so there is
 * always one that succeeds, and the limit is a formality.
 */
#define ARENA_PUSH_TRIES	1000000

static __always_inline void arena_run_push(struct arena_heap __arena *heap, __u32 page,
					   __u32 pages)
{
	struct arena_free_run __arena *run = arena_run_at(heap, page);
	__u32 first;
	int i;

	run->pages = pages;
	bpf_for(i, 0, ARENA_PUSH_TRIES) {
		first = arena_load_acquire(&heap->run_news);
		run->next = first;
		if (__sync_val_compare_and_swap(&heap->run_news, first, page) == first)
			break;
	}
}

/* A slab is pushed once, until it was looked at. */
static __always_inline void arena_slab_push(struct arena_heap __arena *heap,
					    struct arena_slab __arena *slab)
{
	__u32 first, nr = arena_slab_nr(slab);
	int i;

	if (__atomic_exchange_n(&slab->is_news, 1, __ATOMIC_SEQ_CST))
		return;
	bpf_for(i, 0, ARENA_PUSH_TRIES) {
		first = arena_load_acquire(&heap->slab_news);
		slab->next_news = first;
		if (__sync_val_compare_and_swap(&heap->slab_news, first, nr) == first)
			break;
	}
}

/*
 * Where pages come from. None of this needs the lock.
 */

#ifdef __BPF__

static __always_inline int arena_range_populate(struct arena_heap __arena *heap, __u32 page,
						__u32 pages)
{
	return bpf_arena_alloc_pages(&arena, arena_heap_page(heap, page), pages,
				     NUMA_NO_NODE, 0) != NULL;
}

static __always_inline __u32 arena_source_pages(__u32 pages)
{
	return arena_page_nr(bpf_arena_alloc_pages(&arena, NULL, pages, NUMA_NO_NODE, 0));
}

static __always_inline void arena_source_free(struct arena_heap __arena *heap, __u32 page,
					      __u32 pages)
{
	bpf_arena_free_pages(&arena, arena_heap_page(heap, page), pages);
}

#else

static __always_inline int arena_range_populate(struct arena_heap *heap, __u32 page, __u32 pages)
{
	char *byte = arena_heap_page(heap, page);

	for (; pages; pages--, byte += PAGE_SIZE)
		WRITE_ONCE(*byte, 0);
	return 1;
}

static __always_inline __u32 arena_source_pages(__u32 pages)
{
	(void)pages;
	return 0;
}

static __always_inline void arena_source_free(struct arena_heap *heap, __u32 page, __u32 pages)
{
	(void)heap;
	(void)page;
	(void)pages;
}

#endif /* __BPF__ */

#define ARENA_RANGE_TRIES	1000

/*
 * A range has a place of its own for the pages of slabs, as large as they can ever want,
 * behind that of objects: as they stay, they would otherwise be in the way of large ones.
 */
static __always_inline int arena_is_for_slabs(struct arena_heap __arena *heap, __u32 page)
{
	return heap->end && page >= heap->end;
}

/* Pages at the end of what the range has given so far; others may do the same. */
static __always_inline __u32 arena_range_take(__u32 __arena *brk, __u32 end, __u32 pages)
{
	__u32 page;
	int i;

	bpf_for(i, 0, ARENA_RANGE_TRIES) {
		page = arena_load_acquire(brk);
		if (end - page < pages)
			break;
		if (__sync_val_compare_and_swap(brk, page, page + pages) == page)
			return page;
	}
	return 0;
}

/* As arena_run_push(), for pages that are not there; the table of a range has them all. */
static __always_inline void arena_lost_push(struct arena_heap __arena *heap, __u32 page)
{
	__u32 first;
	int i;

	__sync_fetch_and_add(&heap->lost_pages, 1);
	bpf_for(i, 0, ARENA_PUSH_TRIES) {
		first = arena_load_acquire(&heap->lost);
		arena_page_set(heap, page, ARENA_PAGE_NONE | first);
		if (__sync_val_compare_and_swap(&heap->lost, first, page) == first)
			break;
	}
}

/* Under the lock, so that nobody else pops, and what was pushed meanwhile is noticed. */
static __always_inline __u32 arena_lost_pop(struct arena_heap __arena *heap)
{
	__u32 page = arena_load_acquire(&heap->lost), next;

	if (!page)
		return 0;
	next = arena_page_get(heap, page) & ARENA_PAGE_VALUE;
	if (__sync_val_compare_and_swap(&heap->lost, page, next) != page)
		return 0;
	arena_page_set(heap, page, ARENA_PAGE_NONE);
	__sync_fetch_and_sub(&heap->lost_pages, 1);
	return page;
}

/*
 * Gives pages back that nobody has used. Those of a range are taken again soon if none
 * behind them were taken since; if there were, they are lost until pages are short.
 */
static __always_inline void arena_source_return(struct arena_heap __arena *heap, __u32 page,
						__u32 pages)
{
	__u32 __arena *brk = arena_is_for_slabs(heap, page) ? &heap->slabs_brk : &heap->brk;
	int i;

	__sync_fetch_and_sub(&heap->pages, pages);
	if (!heap->end) {
		arena_source_free(heap, page, pages);
		return;
	}
	if (__sync_val_compare_and_swap(brk, page + pages, page) == page + pages)
		return;
	bpf_for(i, 0, (int)pages)
		arena_lost_push(heap, page + i);
}

/* Returns whether the heap may have so many more pages, and counts them. */
static __always_inline int arena_source_charge(struct arena_heap __arena *heap, __u32 pages)
{
	__u32 limit = heap->limit;

	/* Looks before it adds: what is too much must not be in the way of what is not. */
	if (!limit || arena_load_acquire(&heap->pages) + pages <= limit) {
		if (__sync_fetch_and_add(&heap->pages, pages) + pages <= limit || !limit)
			return 1;
		__sync_fetch_and_sub(&heap->pages, pages);
	}
	__sync_fetch_and_add(&heap->over_limit, 1);
	return 0;
}

/* Takes zeroed pages that are next to each other; 0 if there are none. */
static __always_inline __u32 arena_source_take(struct arena_heap __arena *heap, __u32 pages,
					       int for_slabs)
{
	__u32 page;

	/* Without a page of slabs, free pages would be of no use to small objects. */
	if (for_slabs && arena_load_acquire(&heap->pool_pages))
		__sync_fetch_and_add(&heap->pages, pages);
	else if (!arena_source_charge(heap, pages))
		return 0;
	if (!heap->end) {
		page = arena_source_pages(pages);
	} else {
		page = for_slabs ? arena_range_take(&heap->slabs_brk, heap->slabs_end, pages) :
				   arena_range_take(&heap->brk, heap->end, pages);
		if (page && !arena_range_populate(heap, page, pages)) {
			arena_source_return(heap, page, pages);
			__sync_fetch_and_add(&heap->no_memory, 1);
			return 0;
		}
	}
	if (!page) {
		__sync_fetch_and_sub(&heap->pages, pages);
		__sync_fetch_and_add(&heap->no_memory, 1);
	}
	return page;
}

/* Tries again, with a page that was lost. */
static __always_inline int arena_lost_bring(struct arena_heap __arena *heap, __u32 page)
{
	if (!arena_source_charge(heap, 1)) {
		arena_lost_push(heap, page);
		return 0;
	}
	if (!arena_range_populate(heap, page, 1)) {
		arena_source_return(heap, page, 1);
		return 0;
	}
	arena_run_push(heap, page, 1);
	return 1;
}

/* Sees to it that there is a leaf for the page. A range has had all since it was made. */
static __always_inline int arena_leaf_add(struct arena_heap __arena *heap, __u32 page)
{
	__u32 __arena *root = arena_page_root(heap, page);
	__u32 leaf;

	if (arena_load_acquire(root))
		return 1;
	leaf = arena_source_take(heap, 1, 0);
	if (!leaf)
		return 0;
	if (__sync_val_compare_and_swap(root, 0, leaf))
		arena_source_return(heap, leaf, 1);
	else
		__sync_fetch_and_add(&heap->table_pages, 1);
	return 1;
}

/* A page for slabs is lacking, and not so many for the pool. */
#define ARENA_FOR_SLABS		ARENA_WINDOW_PAGES

/* How many more pages of a range there must be to have so many in a row. */
static __always_inline __u32 arena_range_lacks(struct arena_heap __arena *heap, __u32 pages)
{
	__u32 have = heap->end ? arena_run_pages(heap, arena_load_acquire(&heap->brk) - 1) : 0;

	return have < pages ? pages - have : pages;
}

/* Brings pages for the pool, or for slabs. */
arena_global_func int arena_heap_grow(struct arena_heap __arena *heap __arg_arena, __u32 pages)
{
	int for_slabs = pages == ARENA_FOR_SLABS;
	__u32 page;

	pages = for_slabs ? 1 : arena_range_lacks(heap, pages);
	page = arena_source_take(heap, pages, for_slabs);
	if (!page)
		return 0;
	if (!arena_leaf_add(heap, page) || !arena_leaf_add(heap, page + pages - 1)) {
		arena_source_return(heap, page, pages);
		return 0;
	}
	arena_run_push(heap, page, pages);
	return 1;
}

/*
 * Slabs. From here on to arena_heap_read_news() all is done under the lock.
 */

static __always_inline void arena_slab_unlink(struct arena_heap __arena *heap,
					      struct arena_slab __arena *slab, __u32 class)
{
	if (slab->next)
		arena_slab_at(heap, slab->next)->prev = slab->prev;
	if (slab->prev)
		arena_slab_at(heap, slab->prev)->next = slab->next;
	else
		heap->partial[class] = slab->next;
}

static __always_inline void arena_slab_link(struct arena_heap __arena *heap,
					    struct arena_slab __arena *slab, __u32 class)
{
	slab->prev = 0;
	slab->next = heap->partial[class];
	if (slab->next)
		arena_slab_at(heap, slab->next)->prev = arena_slab_nr(slab);
	heap->partial[class] = arena_slab_nr(slab);
}

static __always_inline __u64 arena_slab_word(__u32 class, __u32 objects)
{
	return (__u64)(class + 1) << 32 | objects;
}

/* Of one or three pages it is the first, the middle and the last one. */
static __always_inline void arena_slab_mark(struct arena_heap __arena *heap, __u32 page,
					    __u32 pages, __u32 value)
{
	arena_page_set(heap, page, value);
	arena_page_set(heap, page + pages / 2, value);
	arena_page_set(heap, page + pages - 1, value);
}

/* Gives the pages of a slab to the pool if it is empty, and remains so. */
static __always_inline void arena_slab_release(struct arena_heap __arena *heap,
					       struct arena_slab __arena *slab, __u32 class)
{
	__u64 word = arena_slab_word(class, arena_class_objects(class));
	__u32 pages = arena_class_pages(class), page = slab->first;

	/* From somebody who knew it as a current one an object may be taken right now. */
	if (__sync_val_compare_and_swap(&slab->word, word, 0) != word)
		return;
	arena_slab_unlink(heap, slab, class);
	arena_slab_mark(heap, page, pages, ARENA_PAGE_NONE);
	arena_pool_add(heap, page, pages);
	arena_store_release(&slab->where, ARENA_SLAB_UNUSED);
	slab->next = heap->unused_slabs;
	heap->unused_slabs = arena_slab_nr(slab);
}

/* Puts a slab where it belongs, after something was freed in it. */
static __always_inline void arena_slab_look(struct arena_heap __arena *heap,
					    struct arena_slab __arena *slab)
{
	__u64 word = arena_load_acquire(&slab->word);
	__u32 class = (__u32)(word >> 32) - 1;

	if (class >= ARENA_HEAP_CLASSES)
		return;
	if (slab->where == ARENA_SLAB_FULL && (__u32)word) {
		arena_slab_link(heap, slab, class);
		arena_store_release(&slab->where, ARENA_SLAB_PARTIAL);
	}
	if (slab->where == ARENA_SLAB_PARTIAL && (__u32)word == arena_class_objects(class))
		arena_slab_release(heap, slab, class);
}

/*
 * A slab ceases to be anybody's current one. Either this sees what was freed in it, or
 * who frees sees that it is not a current one any more.
 */
static __always_inline void arena_slab_park(struct arena_heap __arena *heap, __u32 nr)
{
	struct arena_slab __arena *slab = arena_slab_at(heap, nr);

	if (__atomic_exchange_n(&slab->where, ARENA_SLAB_FULL, __ATOMIC_SEQ_CST) ==
	    ARENA_SLAB_CURRENT)
		arena_slab_look(heap, slab);
}

/* Makes pages ones of slabs; the first slab of each only links the page. */
arena_func void arena_slabs_add(struct arena_heap __arena *heap, __u32 page, __u32 pages)
{
	struct arena_slab __arena *slab = arena_heap_page(heap, page), *first;
	int i, slabs = pages * ARENA_SLABS_PER_PAGE;

	bpf_for(i, 0, slabs) {
		slab[i].word = 0;
		slab[i].where = ARENA_SLAB_UNUSED;
		slab[i].is_news = 0;
		if (i % ARENA_SLABS_PER_PAGE) {
			slab[i].next = heap->unused_slabs;
			heap->unused_slabs = arena_slab_nr(&slab[i]);
		}
	}
	bpf_for(i, 0, (int)pages) {
		first = &slab[i * ARENA_SLABS_PER_PAGE];
		first->next = heap->slab_pages;
		arena_store_release(&heap->slab_pages, page + i);
	}
	__sync_fetch_and_add(&heap->table_pages, pages);
}

/*
 * Pages of slabs never go back, and where pages are the arena's they may be anywhere. So
 * that they leave room for large objects between them, they come in pieces: each doubles
 * what there is, up to one for 992 slabs. There is none of a smaller piece.
 */
#define ARENA_SLABS_PIECE	32U

static __always_inline __u32 arena_slabs_piece(struct arena_heap __arena *heap)
{
#if defined(__BPF__) && defined(ARENA_HEAP_FILLED)
	/* Nobody has seen to it that there is a larger one. */
	(void)heap;
	return 1;
#else
	__u32 pages = arena_load_acquire(&heap->table_pages) ?: 1;

	return pages < ARENA_SLABS_PIECE ? pages : ARENA_SLABS_PIECE;
#endif
}

/* Returns 0, or how many pages the pool lacks, or ARENA_FOR_SLABS. */
static __always_inline __u32 arena_slab_new(struct arena_heap __arena *heap, __u32 class,
					    __u32 __arena *current_slab)
{
	__u32 page, pages = arena_class_pages(class), objects = arena_class_objects(class), piece;
	struct arena_slab __arena *slab;
	int i;

	if (!heap->unused_slabs) {
		if (heap->end)
			return ARENA_FOR_SLABS;
		piece = arena_slabs_piece(heap);
		page = arena_pool_take(heap, piece);
		if (!page)
			return piece;
		arena_slabs_add(heap, page, piece);
	}
	page = arena_pool_take(heap, pages);
	if (!page)
		return pages;
	slab = arena_slab_at(heap, heap->unused_slabs);
	heap->unused_slabs = slab->next;
	arena_store_release(&slab->first, page);
	arena_store_release(&slab->where, ARENA_SLAB_CURRENT);
	/* Bits that stand for nothing are never free. */
	bpf_for(i, 0, ARENA_SLAB_MAX_OBJECTS / 64)
		arena_store_release(&slab->taken[i], ~0ULL);
	arena_bitmap_assign(slab->taken, 0, objects, 0);
	arena_slab_mark(heap, page, pages, ARENA_PAGE_SLAB | arena_slab_nr(slab));
	arena_store_release(&slab->word, arena_slab_word(class, objects));
	arena_store_release(current_slab, arena_slab_nr(slab));
	return 0;
}

static __always_inline int arena_heap_read_run(struct arena_heap __arena *heap)
{
	__u32 nr = heap->old_run_news;

	if (!nr)
		nr = __atomic_exchange_n(&heap->run_news, 0, __ATOMIC_SEQ_CST);
	if (!nr)
		return 0;
	heap->old_run_news = arena_run_at(heap, nr)->next;
	if (arena_is_for_slabs(heap, nr))
		arena_slabs_add(heap, nr, 1);
	else
		arena_pool_add(heap, nr, arena_run_at(heap, nr)->pages);
	return 1;
}

static __always_inline int arena_heap_read_slab(struct arena_heap __arena *heap)
{
	struct arena_slab __arena *slab;
	__u32 nr = heap->old_slab_news;

	if (!nr)
		nr = __atomic_exchange_n(&heap->slab_news, 0, __ATOMIC_SEQ_CST);
	if (!nr)
		return 0;
	slab = arena_slab_at(heap, nr);
	heap->old_slab_news = slab->next_news;
	/* What is freed from now on is news again. */
	__atomic_exchange_n(&slab->is_news, 0, __ATOMIC_SEQ_CST);
	arena_slab_look(heap, slab);
	return 1;
}

/*
 * Reads more news at a time than a call can make, so that there is no backlog for long;
 * and not in a loop, for that would make the verifier follow all paths. Returns whether
 * there was any.
 */
static __always_inline int arena_heap_read_news(struct arena_heap __arena *heap)
{
	int runs, slabs;

	runs = arena_heap_read_run(heap);
	if (runs)
		arena_heap_read_run(heap);
	slabs = arena_heap_read_slab(heap);
	if (slabs)
		arena_heap_read_slab(heap);
	return runs + slabs;
}

/*
 * Another slab in place of the current one, if that is still @seen. Returns 0, or what
 * arena_slab_new() lacks, or -ETIMEDOUT.
 */
static __always_inline int arena_slab_refill(struct arena_heap __arena *heap, __u32 class,
					     __u32 __arena *current_slab, __u32 seen, __u64 end)
{
	struct arena_slab __arena *slab;
	__u32 nr, lacks = 0;

	if (arena_heap_lock(heap, end))
		return -ETIMEDOUT;
	arena_heap_read_news(heap);
	if (arena_load_acquire(current_slab) != seen)
		goto out;
	arena_store_release(current_slab, 0);
	if (seen)
		arena_slab_park(heap, seen);
	nr = heap->partial[class];
	if (nr) {
		slab = arena_slab_at(heap, nr);
		arena_slab_unlink(heap, slab, class);
		arena_store_release(&slab->where, ARENA_SLAB_CURRENT);
		arena_store_release(current_slab, nr);
	} else {
		lacks = arena_slab_new(heap, class, current_slab);
	}
out:
	arena_spin_unlock(&heap->lock);
	return lacks;
}

/*
 * Gives up an empty slab that somebody keeps at hand, and returns whether there was one,
 * or -ETIMEDOUT.
 */
arena_global_func int arena_shard_reclaim(struct arena_heap __arena *heap __arg_arena,
					  __u32 shard, __u32 class, __u64 end)
{
	__u32 __arena *current_slab = &heap->shard[shard].current_slab[class];
	__u32 nr = arena_load_acquire(current_slab);

	if (!nr || arena_load_acquire(&arena_slab_at(heap, nr)->word) !=
	    arena_slab_word(class, arena_class_objects(class)))
		return 0;
	if (arena_heap_lock(heap, end))
		return -ETIMEDOUT;
	if (arena_load_acquire(current_slab) == nr) {
		arena_store_release(current_slab, 0);
		arena_slab_park(heap, nr);
	}
	arena_spin_unlock(&heap->lock);
	return 1;
}

/* Returns whether there was news, or a lost page is there now, or -ETIMEDOUT. */
arena_global_func int arena_heap_catch_up(struct arena_heap __arena *heap __arg_arena, __u64 end)
{
	__u32 lost;
	int some;

	if (arena_heap_lock(heap, end))
		return -ETIMEDOUT;
	some = arena_heap_read_news(heap);
#if defined(__BPF__) && defined(ARENA_HEAP_FILLED)
	lost = 0;
#else
	lost = arena_lost_pop(heap);
#endif
	arena_spin_unlock(&heap->lock);
	return lost ? some + arena_lost_bring(heap, lost) : some;
}

#define ARENA_CATCH_UP_TURNS	256

/*
 * When pages are short: empty slabs are given up, all news is read, and lost pages are
 * tried again. Returns whether any of it helped, and so perhaps there are some pages more,
 * or -ETIMEDOUT.
 */
arena_global_func int arena_heap_reclaim(struct arena_heap __arena *heap __arg_arena, __u64 end)
{
	int i, got = 0, some = 0;

	bpf_for(i, 0, ARENA_HEAP_SHARDS * ARENA_HEAP_CLASSES) {
		got = arena_shard_reclaim(heap, i / ARENA_HEAP_CLASSES,
					  i % ARENA_HEAP_CLASSES, end);
		if (got < 0)
			return got;
		some |= got;
	}
	bpf_for(i, 0, ARENA_CATCH_UP_TURNS) {
		got = arena_heap_catch_up(heap, end);
		if (got <= 0)
			break;
		some = 1;
	}
	return got < 0 ? got : some;
}

#ifdef __BPF__

/* Takes a run of free pages out of the pool, and gives it back to the arena. */
arena_global_func __u32 arena_heap_give_back(struct arena_heap __arena *heap __arg_arena,
					     __u32 keep)
{
	__u32 page = 0, have, pages = 0;

	if (!arena_spin_trylock(&heap->lock))
		return 0;
	if (heap->bins && heap->pool_pages > keep) {
		page = heap->bin[arena_log2(heap->bins) % ARENA_HEAP_BINS];
		have = arena_run_pages(heap, page);
		pages = heap->pool_pages - keep;
		if (pages > have)
			pages = have;
		if (pages) {
			arena_run_unlink(heap, page, have);
			if (have > pages)
				arena_run_link(heap, page + pages, have - pages);
		}
	}
	arena_spin_unlock(&heap->lock);
	if (pages)
		arena_source_return(heap, page, pages);
	return pages;
}

#endif /* __BPF__ */

#if defined(__BPF__) && !defined(ARENA_HEAP_FILLED)

static __always_inline void arena_heap_shrink(struct arena_heap __arena *heap)
{
	if (!heap->end && !arena_reuse_loses_writes() && heap->pool_pages > ARENA_HEAP_KEEP)
		arena_heap_give_back(heap, ARENA_HEAP_KEEP);
}

#else

static __always_inline void arena_heap_shrink(struct arena_heap __arena *heap)
{
	(void)heap;
}

#endif

/* What arena_malloc() does when there are not enough pages. */
static __always_inline int arena_heap_more(struct arena_heap __arena *heap, __u32 pages)
{
#if defined(__BPF__) && defined(ARENA_HEAP_FILLED)
	__sync_fetch_and_add(&heap->no_memory, 1);
	return 0;
#else
	return arena_heap_grow(heap, pages);
#endif
}

/**
 * arena_heap_fill() - bring free pages
 * @heap: the heap
 * @pages: how many shall be free, so that arena_malloc() need not ask for any
 *
 * Context: as bpf_arena_alloc_pages(); in user space only for a range
 * Return: 0, or -ENOMEM if there are fewer, be it that somebody has the heap's lock
 */
static __always_inline int arena_heap_fill(struct arena_heap __arena *heap, __u32 pages)
{
	__u64 end = arena_heap_now() + ARENA_HEAP_WAIT_NS;
	int i;

	/* A range has pages for slabs that are not in the pool. */
	if (heap->end && !heap->unused_slabs) {
		if (!arena_heap_grow(heap, ARENA_FOR_SLABS))
			return -ENOMEM;
		arena_heap_catch_up(heap, end);
	}
	bpf_for(i, 0, (int)pages) {
		if (arena_load_acquire(&heap->pool_pages) >= pages)
			break;
		if (!arena_heap_grow(heap, 1))
			return -ENOMEM;
		arena_heap_catch_up(heap, end);
	}
	return arena_load_acquire(&heap->pool_pages) >= pages ? 0 : -ENOMEM;
}

#define ARENA_TRIM_TURNS	1024

/**
 * arena_heap_trim() - give up what the heap keeps for later
 * @heap: the heap
 *
 * Slabs that are empty, which CPUs and threads have at hand, become free pages. In a
 * program, and if the heap takes its pages from the arena, all that are free go back there.
 *
 * Context: any; it waits for the lock as long as arena_malloc() may
 */
static __always_inline void arena_heap_trim(struct arena_heap __arena *heap)
{
	__u64 end = arena_heap_now() + ARENA_HEAP_WAIT_NS;
	int i;

	/* More may have been freed, while somebody had the lock, than is read at a time. */
	bpf_for(i, 0, ARENA_TRIM_TURNS)
		if (arena_heap_reclaim(heap, end) <= 0)
			break;
#ifdef __BPF__
	bpf_for(i, 0, ARENA_TRIM_TURNS)
		if (heap->end || !arena_heap_give_back(heap, 0))
			break;
#endif
}

/* There is news. If the lock cannot be had, who has it, or comes next, reads it. */
static __always_inline void arena_heap_tell(struct arena_heap __arena *heap)
{
	if (!arena_spin_trylock(&heap->lock))
		return;
	arena_heap_read_news(heap);
	arena_spin_unlock(&heap->lock);
	arena_heap_shrink(heap);
}

/* An object was given back to the slab, whose word is this now. */
static __always_inline void arena_slab_freed(struct arena_heap __arena *heap,
					     struct arena_slab __arena *slab, __u64 word,
					     __u32 class)
{
	__u32 where = arena_load_acquire(&slab->where);

	if (where != ARENA_SLAB_FULL &&
	    (where != ARENA_SLAB_PARTIAL || (__u32)word != arena_class_objects(class)))
		return;
	arena_slab_push(heap, slab);
	arena_heap_tell(heap);
}

#define ARENA_RESERVE_TRIES	8
#define ARENA_BIT_TRIES		(16 * ARENA_SLAB_MAX_OBJECTS / 64)

/* Finds the object to which a reservation entitles. */
static __always_inline void __arena *arena_slab_pick(struct arena_heap __arena *heap,
						     struct arena_slab __arena *slab, __u32 class)
{
	__u64 bits, bit, offset;
	__u32 w;
	int i;

	bpf_for(i, 0, ARENA_BIT_TRIES) {
		w = i % (ARENA_SLAB_MAX_OBJECTS / 64);
		bits = ~arena_load_acquire(&slab->taken[w]);
		bit = bits & -bits;
		if (!bit || arena_fetch_or(&slab->taken[w], bit) & bit)
			continue;
		offset = (w * 64ULL + arena_lowest_bit(bit)) * arena_class_size(class);
		return arena_heap_page(heap, arena_load_acquire(&slab->first)) + offset;
	}
	return NULL;
}

/*
 * Takes an object from a slab, if it is still one of this class and has any: first a
 * reservation, by which the slab cannot go away, then one of those that are free.
 */
static __always_inline void __arena *arena_slab_take(struct arena_heap __arena *heap, __u32 nr,
						     __u32 class)
{
	struct arena_slab __arena *slab = arena_slab_at(heap, nr);
	void __arena *obj;
	__u64 word;
	int i;

	bpf_for(i, 0, ARENA_RESERVE_TRIES) {
		word = arena_load_acquire(&slab->word);
		if (word >> 32 != class + 1 || !(__u32)word)
			break;
		if (__sync_val_compare_and_swap(&slab->word, word, word - 1) != word)
			continue;
		obj = arena_slab_pick(heap, slab, class);
		if (!obj)
			arena_slab_freed(heap, slab, __sync_fetch_and_add(&slab->word, 1) + 1,
					 class);
		return obj;
	}
	return NULL;
}

/*
 * An attempt to allocate: returns the object, or what arena_heap_grow() is to bring for
 * the next attempt, or 0 if the lock could not be had.
 */
#define ARENA_LACKS(pages)	((__u64)(pages) << 1 | 1)	/* No object is odd. */

arena_global_func __u64 arena_small_try(struct arena_heap __arena *heap __arg_arena, __u32 class,
					__u64 end)
{
	__u32 __arena *current_slab;
	void __arena *obj;
	__u32 seen;
	int lacks;

	current_slab = &heap->shard[arena_spin_me() % ARENA_HEAP_SHARDS].current_slab[class];
	seen = arena_load_acquire(current_slab);
	if (seen) {
		obj = arena_slab_take(heap, seen, class);
		if (obj)
			return (__u64)obj;
	}
	lacks = arena_slab_refill(heap, class, current_slab, seen, end);
	if (lacks)
		return lacks > 0 ? ARENA_LACKS(lacks) : 0;
	seen = arena_load_acquire(current_slab);
	obj = seen ? arena_slab_take(heap, seen, class) : NULL;
	/* Others have been faster: once more */
	return obj ? (__u64)obj : ARENA_LACKS(arena_class_pages(class));
}

arena_global_func __u64 arena_large_try(struct arena_heap __arena *heap __arg_arena, __u32 pages,
					__u64 end)
{
	__u32 page;

	if (arena_heap_lock(heap, end))
		return 0;
	arena_heap_read_news(heap);
	page = arena_pool_take(heap, pages);
	if (page)
		arena_page_set(heap, page, ARENA_PAGE_LARGE | pages);
	arena_spin_unlock(&heap->lock);
	if (!page)
		return ARENA_LACKS(pages);
	__sync_fetch_and_add(&heap->large_objects, 1);
	__sync_fetch_and_add(&heap->large_pages, pages);
	return (__u64)arena_heap_page(heap, page);
}

/*
 * Pages that one has brought others may take: so there is more than one attempt. The clock
 * is not read before somebody is found to have the lock.
 */
#define ARENA_MALLOC_TRIES	16

arena_global_func __u64 arena_malloc_class(struct arena_heap __arena *heap __arg_arena,
					   __u32 class, __u32 pages)
{
	__u64 got, end = 0;
	int i, some;

	bpf_for(i, 0, ARENA_MALLOC_TRIES) {
		got = pages ? arena_large_try(heap, pages, end) :
			      arena_small_try(heap, class, end);
		if (got && !(got & 1))
			return got;
		some = -ETIMEDOUT;
		if (got)
			some = arena_heap_more(heap, got >> 1) ?: arena_heap_reclaim(heap, end);
		if (some > 0)
			continue;
		if (!some) {
			/* Where there are no three pages in a row there may be a single one. */
			if (pages || arena_class_pages(class) == 1)
				break;
			class++;
			continue;
		}
		if (end) {
			__sync_fetch_and_add(&heap->lock_timeouts, 1);
			break;
		}
		end = arena_heap_now() + ARENA_HEAP_WAIT_NS;
	}
	return 0;
}

/**
 * arena_malloc() - allocate an object
 * @heap: the heap
 * @size: in bytes, 0 to ARENA_MALLOC_MAX
 *
 * Context: any; it sleeps only in programs that may.
 * Return: the object, which is not zeroed, or NULL: there is no memory, at least not
 * now and here, or the heap is at its limit, or its lock could not be had in time, or
 * @size is too large: arena_heap_stats() tells which it was. Or others have taken what
 * this call had brought, ARENA_MALLOC_TRIES times.
 */
static __always_inline void __arena *arena_malloc(struct arena_heap __arena *heap, __u64 size)
{
	__u64 obj;

	if (size > ARENA_MALLOC_MAX) {
		__sync_fetch_and_add(&heap->too_large, 1);
		return NULL;
	}
	if (size > ARENA_SLAB_MAX_SIZE)
		obj = arena_malloc_class(heap, 0, (size + PAGE_SIZE - 1) / PAGE_SIZE);
	else
		obj = arena_malloc_class(heap, arena_class_of(size), 0);
	return (void __arena *)obj;
}

static __always_inline int arena_small_free(struct arena_heap __arena *heap, void __arena *ptr,
					    __u32 nr)
{
	struct arena_slab __arena *slab = arena_slab_at(heap, nr);
	__u64 word = arena_load_acquire(&slab->word);
	__u32 class = (__u32)(word >> 32) - 1, offset, size;

	if (class >= ARENA_HEAP_CLASSES)
		return -EINVAL;
	offset = (__u32)(__u64)ptr - arena_load_acquire(&slab->first) * PAGE_SIZE;
	size = arena_class_size(class);
	if (offset % size || offset / size >= arena_class_objects(class))
		return -EINVAL;
	if (!arena_test_and_clear_bit(offset / size, slab->taken))
		return -EINVAL;
	/* Up to here it has not been empty, and was what it is. Now it may become another. */
	word = __sync_fetch_and_add(&slab->word, 1) + 1;
	arena_slab_freed(heap, slab, word, class);
	return 0;
}

static __always_inline int arena_large_free(struct arena_heap __arena *heap, void __arena *ptr,
					    __u32 word)
{
	__u32 page = arena_page_nr(ptr), pages = word & ARENA_PAGE_VALUE;

	if ((__u64)ptr % PAGE_SIZE)
		return -EINVAL;
	if (__sync_val_compare_and_swap(arena_page_word(heap, page), word, ARENA_PAGE_NONE) != word)
		return -EINVAL;
	__sync_fetch_and_sub(&heap->large_objects, 1);
	__sync_fetch_and_sub(&heap->large_pages, pages);
	arena_run_push(heap, page, pages);
	arena_heap_tell(heap);
	return 0;
}

arena_global_func int arena_free_object(struct arena_heap __arena *heap __arg_arena, __u64 addr)
{
	void __arena *ptr = (void __arena *)addr;
	__u32 word = ARENA_PAGE_NONE;

#ifndef __BPF__
	if ((addr & ~0xffffffffULL) == arena_heap_base(heap))
#endif
		word = arena_page_get(heap, arena_page_nr(ptr));
	switch (word & ARENA_PAGE_KIND) {
	case ARENA_PAGE_SLAB:
		return arena_small_free(heap, ptr, word & ARENA_PAGE_VALUE);
	case ARENA_PAGE_LARGE:
		return arena_large_free(heap, ptr, word);
	default:
		return -EINVAL;
	}
}

/**
 * arena_free() - free an object
 * @heap: the heap that it is from
 * @ptr: what arena_malloc() returned, or NULL
 *
 * What is no object of the heap, or one no more, is refused and counted, as long as its
 * place is not allocated again, before the call or meanwhile.
 *
 * Context: any; it never waits for the heap's lock.
 * Return: 0, or -EINVAL if @ptr is not an object of the heap
 */
static __always_inline int arena_free(struct arena_heap __arena *heap, void __arena *ptr)
{
	int err;

	if (!ptr)
		return 0;
	err = arena_free_object(heap, (__u64)ptr);
	if (err)
		__sync_fetch_and_add(&heap->bad_frees, 1);
	return err;
}

/**
 * arena_heap_init() - make a heap that takes its pages from the arena
 * @heap: zeroed memory in the arena; which is such a heap already, without a limit
 * @limit: how many pages it may have, 0 for as many as there are
 *
 * Return: 0, or -EINVAL if the heap is in use
 */
static __always_inline int arena_heap_init(struct arena_heap __arena *heap, __u32 limit)
{
	if (heap->pages || heap->end)
		return -EINVAL;
	arena_store_release(&heap->limit, limit);
	return 0;
}

/**
 * arena_heap_init_range() - make a heap that has a range of the arena for itself
 * @heap: zeroed memory; not in the arena if only this process uses the heap
 * @start: where the range begins, a multiple of the page size
 * @pages: how many pages it has
 *
 * None of the pages may have been touched or allocated, and nobody else may do so: leave
 * them to the heap by taking the end of the arena, for bpf_arena_alloc_pages() begins with
 * the lowest. The heap keeps the end of the range for itself: one page in 1024, which are
 * taken at once, and of the others one in 32, which are taken one by one for slabs.
 *
 * Return: 0, or -EINVAL if the range has less than three pages, or one more if it crosses
 * a multiple of 4 MiB, or is not aligned, or crosses a multiple of 4 GiB, or if the heap is
 * in use, or, in a program, -ENOMEM if the first pages cannot be had
 */
static __always_inline int arena_heap_init_range(struct arena_heap __arena *heap,
						 void __arena *start, __u32 pages)
{
	__u32 first = arena_page_nr(start), end = first + pages, leaf = first / ARENA_LEAF_PAGES;
	__u32 leaves, slab_pages;
	int i;

	if (heap->pages || heap->end || !pages || (__u64)start % PAGE_SIZE ||
	    pages > ARENA_WINDOW_PAGES - first)
		return -EINVAL;
	/* A pointer to the first page of the window would be NULL. */
	first = first ?: 1;
	leaves = (end - 1) / ARENA_LEAF_PAGES - leaf + 1;
	if (end - first < leaves + 2)
		return -EINVAL;
	/* Slabs have a page at least, and a page of slabs has one that is not used. */
	slab_pages = (end - first - leaves + ARENA_SLABS_PER_PAGE - 1) / ARENA_SLABS_PER_PAGE;
	heap->base = (__u64)start & ~0xffffffffULL;
	if (!arena_range_populate(heap, end - leaves, leaves))
		return -ENOMEM;
	bpf_for(i, 0, (int)leaves)
		heap->root[(leaf + i) % ARENA_HEAP_LEAVES] = end - leaves + i;
	heap->pages = leaves;
	heap->table_pages = leaves;
	heap->brk = first;
	heap->slabs_end = end - leaves;
	heap->slabs_brk = end - leaves - slab_pages;
	arena_store_release(&heap->end, heap->slabs_brk);
	return 0;
}

#ifndef __BPF__

/* See arena_heap_stats() */
struct arena_heap_stats {
	__u64 pages;		/* that the heap has: the sum of the next five */
	__u64 table_pages;	/* with its own tables, and slabs */
	__u64 pool_pages;	/* free */
	__u64 slab_pages;	/* with objects of up to 2 KiB */
	__u64 large_pages;	/* with larger ones */
	__u64 transit_pages;	/* on the way from one to another */
	__u64 limit;
	__u64 bytes;		/* in objects, as they were rounded up */
	__u64 large_objects;
	__u64 no_memory;	/* from here on: see struct arena_heap */
	__u64 over_limit;
	__u64 too_large;
	__u64 lock_timeouts;
	__u64 bad_frees;
	struct {
		__u64 size;
		__u64 slabs;
		__u64 objects;
	} class[ARENA_HEAP_CLASSES];
};

/* What is in the slabs of a page of them */
static inline void arena_slab_stats(const struct arena_slab *slab, struct arena_heap_stats *stats)
{
	__u32 i, class, objects;
	__u64 word;

	for (i = 0; i < ARENA_SLABS_PER_PAGE; i++) {
		word = arena_load_acquire(&slab[i].word);
		class = (__u32)(word >> 32) - 1;
		if (class >= ARENA_HEAP_CLASSES)
			continue;
		objects = arena_class_objects(class) - (__u32)word;
		stats->class[class].slabs++;
		stats->class[class].objects += objects;
		stats->bytes += (__u64)objects * arena_class_size(class);
		stats->slab_pages += arena_class_pages(class);
	}
}

/**
 * arena_heap_stats() - tell how a heap is used
 * @heap: the heap
 * @stats: where to
 *
 * While the heap is used the numbers are not of the same moment. The heap's own counters
 * are for programs, too.
 *
 * Context: user space
 */
static inline void arena_heap_stats(struct arena_heap *heap, struct arena_heap_stats *stats)
{
	__u32 i, page = arena_load_acquire(&heap->slab_pages);
	const struct arena_slab *slab;
	__u64 sum;

	*stats = (struct arena_heap_stats){};
	for (i = 0; i < ARENA_HEAP_CLASSES; i++)
		stats->class[i].size = arena_class_size(i);
	/* A program that goes wrong might make a ring of them. */
	for (i = 0; page && i < ARENA_WINDOW_PAGES; i++) {
		slab = arena_heap_page(heap, page);
		arena_slab_stats(slab, stats);
		page = slab->next;
	}
	stats->pages = arena_load_acquire(&heap->pages);
	stats->table_pages = arena_load_acquire(&heap->table_pages);
	stats->pool_pages = arena_load_acquire(&heap->pool_pages);
	stats->large_pages = arena_load_acquire(&heap->large_pages);
	sum = stats->table_pages + stats->pool_pages + stats->slab_pages + stats->large_pages;
	stats->transit_pages = stats->pages > sum ? stats->pages - sum : 0;
	stats->limit = arena_load_acquire(&heap->limit);
	stats->bytes += stats->large_pages * PAGE_SIZE;
	stats->large_objects = arena_load_acquire(&heap->large_objects);
	stats->no_memory = arena_load_acquire(&heap->no_memory);
	stats->over_limit = arena_load_acquire(&heap->over_limit);
	stats->too_large = arena_load_acquire(&heap->too_large);
	stats->lock_timeouts = arena_load_acquire(&heap->lock_timeouts);
	stats->bad_frees = arena_load_acquire(&heap->bad_frees);
}

#endif /* !__BPF__ */

#endif /* __BPF_ARENA_ALLOC_H */
