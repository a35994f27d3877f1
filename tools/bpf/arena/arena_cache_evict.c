// SPDX-License-Identifier: GPL-2.0
/*
 * Room for a new item: which ones go.
 *
 * An item that was not used for long, and is as large as the new one, leaves a place
 * that is just right. Where there is none of that size, pages in a row must come free
 * together, with all that is in them: those that begin with the oldest item, or with the
 * next one, if it costs too much. If there is nothing to be had, nothing goes.
 *
 * What lies where is read from the heap's own tables. Nobody else allocates there, and
 * the XDP program does not write to it.
 */
#include <string.h>
#include "arena_cache_evict.h"
#include "bpf_arena_alloc.h"

/* Of the items, so many of the oldest are looked at. */
#define OLD_ITEMS	64

/* Places for pages: items that are looked at, and pages around them, all told. */
#define PLACE_ITEMS	512
#define PLACE_PAGES	8192

/* If there is no place among them: pages in a row, 256 MiB of them. */
#define SEARCH_PAGES	65536

/* What lies at a page: a slab, a large item, or pages that are free. */
struct block {
	__u32 first, pages;
	__u32 slab;		/* its number, 0 for no slab */
	__u32 bytes;		/* in items */
	bool fixed;		/* the heap's own, or holds what is to be kept */
};

/* Blocks in a row. */
struct window {
	__u32 first, end;	/* pages */
	__u32 used;		/* blocks with items */
	__u64 bytes;
};

struct search {
	struct arena_heap *heap;
	const struct cache_item *keep;
	__u32 pages;		/* so many are needed */
	struct window best;
};

static __u32 slab_class(const struct arena_slab *slab)
{
	return (__u32)(slab->word >> 32) - 1;
}

static bool holds(const struct block *block, const struct cache_item *item)
{
	return item && arena_page_nr((void *)item) - block->first < block->pages;
}

/* @page must be the first one of a block. */
static struct block block_at(const struct search *search, __u32 page)
{
	__u32 word = arena_page_get(search->heap, page), class, objects;
	struct block block = { .first = page, .pages = 1 };
	struct arena_slab *slab;

	switch (word & ARENA_PAGE_KIND) {
	case ARENA_PAGE_SLAB:
		block.slab = word & ARENA_PAGE_VALUE;
		slab = arena_slab_at(search->heap, block.slab);
		class = slab_class(slab);
		objects = arena_class_objects(class) - (__u32)slab->word;
		block.pages = arena_class_pages(class);
		block.bytes = objects * arena_class_size(class);
		break;
	case ARENA_PAGE_LARGE:
		block.pages = word & ARENA_PAGE_VALUE;
		block.bytes = block.pages * PAGE_SIZE;
		break;
	case ARENA_PAGE_FREE:
		block.pages = word & ARENA_PAGE_VALUE;
		break;
	default:
		block.fixed = true;
	}
	block.fixed |= holds(&block, search->keep);
	return block;
}

/* The first page of the block that an item is in. */
static __u32 block_of(struct arena_heap *heap, struct cache_item *item)
{
	__u32 page = arena_page_nr(item), word = arena_page_get(heap, page);

	if ((word & ARENA_PAGE_KIND) == ARENA_PAGE_SLAB)
		page = arena_slab_at(heap, word & ARENA_PAGE_VALUE)->first;
	return page;
}

/* Leave out blocks at the beginning, as long as there are enough pages without them. */
static void narrow(const struct search *search, struct window *window)
{
	struct block block = block_at(search, window->first);

	while (window->end - window->first >= search->pages + block.pages) {
		window->first += block.pages;
		window->used -= block.bytes > 0;
		window->bytes -= block.bytes;
		block = block_at(search, window->first);
	}
}

/*
 * Twice what is needed is the most that may go: blocks at both ends are in it as a whole.
 * But of one block there is no half.
 */
static bool is_better(const struct search *search, const struct window *window)
{
	if (window->end - window->first < search->pages)
		return false;
	if (window->used > 1 && window->bytes > 2ULL * search->pages * PAGE_SIZE)
		return false;
	return !search->best.end || window->bytes < search->best.bytes;
}

/* Looks at all windows from @page, which begins a block, up to @end, or at the first one. */
static void look(struct search *search, __u32 page, __u32 end, bool all)
{
	struct window window = { .first = page, .end = page };
	struct block block;

	while (window.end < end) {
		block = block_at(search, window.end);
		window.end += block.pages;
		if (block.fixed && !all)
			break;
		if (block.fixed) {
			window = (struct window){ .first = window.end, .end = window.end };
			continue;
		}
		window.used += block.bytes > 0;
		window.bytes += block.bytes;
		if (all)
			narrow(search, &window);
		if (is_better(search, &window))
			search->best = window;
	}
}

/* The oldest item goes with those after it. If that is not possible, the next one does. */
static void look_at_old(struct search *search)
{
	__u32 brk = search->heap->brk, budget = PLACE_PAGES, page, end;
	struct cache_item *item = store_oldest();
	int i;

	for (i = 0; i < PLACE_ITEMS && item && budget; i++, item = item->newer) {
		page = block_of(search->heap, item);
		end = brk - page < search->pages ? brk : page + search->pages;
		look(search, page, end, false);
		if (search->best.end)
			break;
		budget -= budget < end - page ? budget : end - page;
	}
}

/* From the oldest item on, and from the heap's beginning. */
static void look_everywhere(struct search *search, __u32 first)
{
	__u32 brk = search->heap->brk, page = block_of(search->heap, store_oldest()), end;

	end = brk - page < SEARCH_PAGES ? brk : page + SEARCH_PAGES;
	look(search, page, end, true);
	if (search->best.end)
		return;
	end = brk - first < SEARCH_PAGES ? brk : first + SEARCH_PAGES;
	look(search, first, end, true);
}

static void evict_slab(struct arena_heap *heap, __u32 nr)
{
	struct arena_slab *slab = arena_slab_at(heap, nr);
	__u32 class = slab_class(slab), i;
	char *first = arena_heap_page(heap, slab->first);

	for (i = 0; i < arena_class_objects(class); i++)
		if (arena_test_bit(i, slab->taken))
			store_evict((void *)(first + i * arena_class_size(class)));
}

static void evict_window(const struct search *search)
{
	__u32 page = search->best.first;
	struct block block;

	/* What comes free grows together with what was: only with items a block is one. */
	for (; page < search->best.end; page += block.bytes ? block.pages : 1) {
		block = block_at(search, page);
		if (block.slab)
			evict_slab(search->heap, block.slab);
		else if (block.bytes)
			store_evict(arena_heap_page(search->heap, page));
	}
}

static bool evict_pages(struct arena_heap *heap, __u32 first, __u32 pages,
			const struct cache_item *keep)
{
	struct search search = { .heap = heap, .keep = keep, .pages = pages };

	look_at_old(&search);
	if (!search.best.end)
		look_everywhere(&search, first);
	if (!search.best.end)
		return false;
	evict_window(&search);
	return true;
}

/* An item in whose place one of this class can be. */
static bool evict_one(struct arena_heap *heap, __u32 class, const struct cache_item *keep)
{
	struct cache_item *item = store_oldest();
	__u32 word;
	int i;

	for (i = 0; i < OLD_ITEMS && item; i++, item = item->newer) {
		word = arena_page_get(heap, arena_page_nr(item));
		if (item == keep || (word & ARENA_PAGE_KIND) != ARENA_PAGE_SLAB ||
		    slab_class(arena_slab_at(heap, word & ARENA_PAGE_VALUE)) != class)
			continue;
		store_evict(item);
		return true;
	}
	return false;
}

/**
 * evict_for() - Make room for an item.
 * @heap: which is full; it has a range of pages
 * @first: the first page of those
 * @size: what is to be allocated
 * @keep: an item that must stay, or NULL
 *
 * What goes is one item, or one slab, or, as whole pages must come free, no more than
 * twice the pages that are needed. The time it takes is bounded by these, and by what is looked
 * at before.
 *
 * Return: whether there is room now; if not, all items are still there.
 */
bool evict_for(struct arena_heap *heap, __u32 first, size_t size,
	       const struct cache_item *keep)
{
	__u32 class;

	if (!store_oldest())
		return false;
	if (size > ARENA_SLAB_MAX_SIZE)
		return evict_pages(heap, first, (size + PAGE_SIZE - 1) / PAGE_SIZE, keep);
	class = arena_class_of(size);
	if (evict_one(heap, class, keep))
		return true;
	/* Where there are no three pages in a row, arena_malloc() does with a single one. */
	return evict_pages(heap, first, arena_class_pages(class), keep) ||
	       evict_pages(heap, first, 1, keep);
}
