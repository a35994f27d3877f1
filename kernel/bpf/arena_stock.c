// SPDX-License-Identifier: GPL-2.0
/*
 * Where the pages of an arena come from.
 *
 * Whoever may sleep asks the page allocator. Everybody else may be anywhere, in
 * an NMI or in a program that is attached to the page allocator itself while
 * that holds its locks, and so takes a page that is in stock. A worker refills
 * the stock.
 *
 * The stock is an array. A slot is filled by one filler at a time, and emptied
 * by anybody with one atomic operation, so there is nothing to wait for and
 * nothing that an interrupt could find half done. It has STOCK_MIN pages at
 * first, and twice as many each time it turns out to be empty, up to
 * ARENA_STOCK_MAX.
 *
 * All pages are zeroed, and charged to the memory cgroup of the map.
 */
#include <linux/bpf.h>
#include <linux/gfp.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include "arena.h"

#define STOCK_MIN	64U

/**
 * arena_page_alloc - get a page from the page allocator
 * @map: whose memory cgroup is charged
 * @node: where the page should be, or NUMA_NO_NODE
 *
 * Tries hard, as for any other kernel memory. But it returns when nothing can
 * be reclaimed, and kills nobody for the sake of a caller who is ready to be
 * told that there is no memory.
 *
 * Context: Process context. May sleep.
 * Return: a zeroed page, or NULL.
 */
struct page *arena_page_alloc(const struct bpf_map *map, int node)
{
	struct mem_cgroup *old_memcg = bpf_map_memcg_enter(map);
	struct page *page;

	page = alloc_pages_node(node, GFP_KERNEL_ACCOUNT | __GFP_ZERO |
				__GFP_RETRY_MAYFAIL | __GFP_NOWARN, 0);
	bpf_map_memcg_exit(old_memcg);

	return page;
}

/**
 * arena_stock_init - begin to keep pages in stock
 * @stock: with an initialised @fill_lock; if it was called before, nothing
 *	happens
 * @map: whose memory cgroup is charged
 * @max_pages: more than that are never needed
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM.
 */
int arena_stock_init(struct arena_stock *stock, const struct bpf_map *map,
		     u32 max_pages)
{
	struct mem_cgroup *old_memcg;
	struct page **slots;

	if (READ_ONCE(stock->slots))
		return 0;

	old_memcg = bpf_map_memcg_enter(map);
	slots = kcalloc(ARENA_STOCK_MAX, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	bpf_map_memcg_exit(old_memcg);
	if (!slots)
		return -ENOMEM;

	mutex_lock(&stock->fill_lock);
	if (!stock->slots) {
		stock->max = min_t(u32, max_pages, ARENA_STOCK_MAX);
		WRITE_ONCE(stock->target, min(STOCK_MIN, stock->max));
		/* Pairs with arena_stock_get(), which may run already */
		smp_store_release(&stock->slots, slots);
		slots = NULL;
	}
	mutex_unlock(&stock->fill_lock);
	kfree(slots);

	return 0;
}

static void free_unused(struct arena_stock *stock)
{
	struct llist_node *node, *next;

	llist_for_each_safe(node, next, llist_del_all(&stock->unused))
		put_page(virt_to_page(node));
}

/**
 * arena_stock_destroy - give the pages back
 * @stock: that nobody uses any more
 *
 * Context: Process context.
 */
void arena_stock_destroy(struct arena_stock *stock)
{
	struct page *page;

	while ((page = arena_stock_get(stock)))
		put_page(page);
	free_unused(stock);
	kfree(stock->slots);
}

/* Take the page from a slot, if there is one and nobody is faster. */
static struct page *empty_slot(struct arena_stock *stock, u32 slot)
{
	struct page *page = READ_ONCE(stock->slots[slot]);

	if (!page || cmpxchg(&stock->slots[slot], page, NULL) != page)
		return NULL;
	atomic_dec(&stock->nr);

	return page;
}

/**
 * arena_stock_get - take a page
 * @stock: may be one that was never initialised
 *
 * Context: Any.
 * Return: a zeroed page, or NULL.
 */
struct page *arena_stock_get(struct arena_stock *stock)
{
	u32 i, slot = READ_ONCE(stock->hint);
	struct page *page;

	/* Pairs with arena_stock_init() */
	if (!smp_load_acquire(&stock->slots) || atomic_read(&stock->nr) <= 0)
		return NULL;

	for (i = 0; i < ARENA_STOCK_MAX; i++, slot++) {
		page = empty_slot(stock, slot % ARENA_STOCK_MAX);
		if (page) {
			WRITE_ONCE(stock->hint, slot + 1);
			return page;
		}
	}

	return NULL;
}

/**
 * arena_stock_return - do not need a page after all
 * @stock: initialised
 * @page: from arena_stock_get()
 *
 * Context: Any.
 */
void arena_stock_return(struct arena_stock *stock, struct page *page)
{
	llist_add(page_address(page), &stock->unused);
}

/**
 * arena_stock_low - tell whether the stock should be filled
 * @stock: may be one that was never initialised
 *
 * Context: Any.
 */
bool arena_stock_low(const struct arena_stock *stock)
{
	return !READ_ONCE(stock->slots) ||
	       atomic_read(&stock->nr) < (int)DIV_ROUND_UP(READ_ONCE(stock->target), 2);
}

static int fill_slot(struct arena_stock *stock, u32 slot,
		     const struct bpf_map *map)
{
	struct page *page;

	if (READ_ONCE(stock->slots[slot]))
		return 0;

	page = arena_page_alloc(map, NUMA_NO_NODE);
	if (!page)
		return -ENOMEM;

	atomic_inc(&stock->nr);
	/* Zeroes and count before the page: who takes it relies on both */
	smp_store_release(&stock->slots[slot], page);

	return 0;
}

/**
 * arena_stock_fill - have as many pages in stock as there should be
 * @stock: initialised
 * @map: whose memory cgroup is charged; alive
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM.
 */
int arena_stock_fill(struct arena_stock *stock, const struct bpf_map *map)
{
	int err = 0;
	u32 slot;

	mutex_lock(&stock->fill_lock);
	free_unused(stock);
	if (!atomic_read(&stock->nr) && stock->filled)
		WRITE_ONCE(stock->target, min(2 * stock->target, stock->max));

	for (slot = 0; slot < stock->target && !err; slot++)
		err = fill_slot(stock, slot, map);
	stock->filled = !err;
	mutex_unlock(&stock->fill_lock);

	return err;
}

/**
 * arena_stock_bytes - what the pages in stock take
 * @stock: may be one that was never initialised
 *
 * Return: bytes.
 */
size_t arena_stock_bytes(const struct arena_stock *stock)
{
	int nr = max(atomic_read(&stock->nr), 0);

	return (size_t)nr << PAGE_SHIFT;
}
