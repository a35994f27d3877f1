/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of an arena and what they call of each other, see arena.c. The
 * part that finds free page offsets is declared in arena_space.h.
 */
#ifndef _BPF_ARENA_H
#define _BPF_ARENA_H

#include <linux/atomic.h>
#include <linux/filter.h>
#include <linux/gfp.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pgtable.h>
#include <linux/types.h>
#include <linux/vmalloc.h>

struct address_space;
struct bpf_map;

/**
 * struct arena_kmap - the pages of an arena in the kernel's page tables
 * @area: addresses of the window and its guards
 * @start: kernel address of the first page, 0 until it is known
 * @skew: pages of the first page table that are below @start
 * @nr_blocks: page tables that the arena can have, each for a block of the window
 * @nr_held: pages that the page tables hold now, live, parked or claimed
 * @nr_tables: pages that the page tables are
 * @nr_pinned: offsets that arena_kmap_set_pinned() keeps taken
 * @tables: the page table of each block, or NULL
 * @held: a bit for each block in which a page was ever held
 * @parked: a bit for each block that may have parked pages
 * @trim_lock: held from before parked pages leave until they are free; outside of the
 *	invalidate lock
 */
struct arena_kmap {
	struct vm_struct *area;
	unsigned long start;
	u32 skew;
	u32 nr_blocks;
	atomic_t nr_held;
	atomic_t nr_tables;
	atomic_t nr_pinned;
	pte_t **tables;
	unsigned long *held;
	unsigned long *parked;
	struct mutex trim_lock;	/* outside of the invalidate lock */
};

/**
 * struct arena_page_source - where an allocation gets new pages
 * @get: returns a page, zeroed and charged to the map, that nobody else knows; or
 *	NULL
 * @node: NUMA node, or NUMA_NO_NODE
 * @gfp: what the caller may do for a page; GFP_NOWAIT where it must not sleep
 */
struct arena_page_source {
	struct page *(*get)(struct arena_kmap *kmap,
			    const struct arena_page_source *from);
	int node;
	gfp_t gfp;
};

size_t arena_kmap_mem_bytes(u32 max_pages);
int arena_kmap_init(struct arena_kmap *kmap, void *mem, u32 max_pages);
unsigned long arena_kmap_window(const struct arena_kmap *kmap);
void arena_kmap_set_range(struct arena_kmap *kmap, u32 lo_addr);
void arena_kmap_destroy(struct arena_kmap *kmap);
size_t arena_kmap_bytes(const struct arena_kmap *kmap);

struct page *arena_kmap_live(const struct arena_kmap *kmap, u32 idx);
u32 arena_kmap_live_run(const struct arena_kmap *kmap, u32 idx, u32 end, struct page **pages);
u32 arena_kmap_seek(const struct arena_kmap *kmap, u32 idx, u32 end, bool live);
bool arena_kmap_is_pinned(const struct arena_kmap *kmap, u32 idx);
bool arena_kmap_set_pinned(struct arena_kmap *kmap, u32 idx);
int arena_kmap_populate(struct arena_kmap *kmap, u32 start, u32 n,
			const struct arena_page_source *from, u32 *done);
bool arena_kmap_revive(struct arena_kmap *kmap, u32 idx);
struct page *arena_kmap_park(struct arena_kmap *kmap, u32 idx);
unsigned long arena_kmap_park_word(struct arena_kmap *kmap, u32 first,
				   unsigned long mask, bool *mapped);

/* Pages of an arena are never compound: there is just this count. */
static inline int arena_page_mapcount(const struct page *page)
{
	return atomic_read(&page->_mapcount) + 1;
}

/*
 * Not even a count of mappings that is 0 tells that nobody reaches the page: an munmap()
 * takes the page out of the count before it flushes. Until then it holds a reference.
 */
static inline bool arena_page_may_be_mapped(struct page *page)
{
	return page_ref_count(page) != 1;
}

static inline unsigned long arena_kmap_addr(const struct arena_kmap *kmap, u32 idx)
{
	return kmap->start + ((unsigned long)idx << PAGE_SHIFT);
}

/**
 * arena_kmap_flush_local - let this CPU forget translations
 * @kmap: with a range
 * @first: page offset of the first page
 * @end: page offset behind the last one
 *
 * Other CPUs forget them some time, and at the latest in arena_kmap_trim().
 *
 * Context: Any, on the CPU on which the program runs.
 */
static inline void arena_kmap_flush_local(const struct arena_kmap *kmap, u32 first, u32 end)
{
	bpf_arch_flush_local(arena_kmap_addr(kmap, first), arena_kmap_addr(kmap, end));
}

u32 arena_kmap_trim(struct arena_kmap *kmap, struct address_space *mapping,
		    bool all, u32 want, void (*give)(struct arena_kmap *kmap, u32 idx));
bool arena_kmap_has_parked(const struct arena_kmap *kmap);

/* An allocation that must not sleep has at most so many pages: documented */
#define ARENA_ATOMIC_MAX_PAGES	512U

/**
 * struct arena_stock - zeroed pages, to be had in any context
 * @fill_lock: one filler at a time; taken under no other lock of the arena, and by no
 *	free and no purge: pages are allocated under it
 * @slots: the pages; NULL until somebody needs the stock
 * @nr: pages in the slots, or more while one is taken
 * @hint: slot at which to look first
 * @size: number of slots
 * @unused: pages that were taken and not needed, to be freed
 * @delay: after a fill that failed: how long the next one waits, in jiffies; 0: no time
 * @retry_at: until when it waits
 */
struct arena_stock {
	struct mutex fill_lock;	/* one filler at a time */
	struct page **slots;
	atomic_t nr;
	u32 hint;
	u32 size;
	unsigned int delay;
	unsigned long retry_at;
	struct llist_head unused;
};

int arena_stock_init(struct arena_stock *stock, const struct bpf_map *map,
		     u32 max_pages);
void arena_stock_destroy(struct arena_stock *stock);
struct page *arena_stock_get(struct arena_stock *stock);
void arena_stock_return(struct arena_stock *stock, struct page *page);
bool arena_stock_low(const struct arena_stock *stock);
void arena_stock_memory_freed(struct arena_stock *stock);
int arena_stock_fill(struct arena_stock *stock, const struct bpf_map *map);
size_t arena_stock_bytes(const struct arena_stock *stock);

struct page *arena_page_alloc(const struct bpf_map *map, int node, gfp_t gfp);

/* Give a page of arena_page_alloc() back. It stays where it is while it is pinned. */
static inline void arena_page_free(struct page *page)
{
	put_page(page);
	vmalloc_account_pages(-1);
}

/* What programs call, found by its BTF */
void *bpf_arena_alloc_pages(void *p__map, void *addr__ign, u32 page_cnt,
			    int node_id, u64 flags);
void bpf_arena_free_pages(void *p__map, void *ptr__ign, u32 page_cnt);
int bpf_arena_reserve_pages(void *p__map, void *ptr__ign, u32 page_cnt);
void *bpf_arena_alloc_pages_atomic(void *p__map, void *addr__ign, u32 page_cnt,
				   int node_id, u64 flags);
void bpf_arena_free_pages_atomic(void *p__map, void *ptr__ign, u32 page_cnt);
int bpf_arena_reserve_pages_atomic(void *p__map, void *ptr__ign, u32 page_cnt);

#endif /* _BPF_ARENA_H */
