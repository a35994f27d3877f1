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
 * nothing that an interrupt could find half done. A full stock is enough for the
 * largest allocation that must not sleep, wherever it is: for its pages, and for
 * the page tables and the chunks of the bitmap that may be missing there.
 *
 * A fill that fails, at the limit of the memory cgroup, costs reclaim. The next one
 * waits, twice as long each time, or until the arena has freed pages.
 *
 * All pages are zeroed, and charged to the memory cgroup of the map. They are counted
 * as those of vmalloc() are (VmallocUsed in /proc/meminfo).
 */
#include <linux/bpf.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/llist.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "arena.h"

/*
 * The pages of one allocation lie in at most two PTE tables, below at most two
 * PMD tables, and in at most two chunks.
 */
#define STOCK_TABLES	6U

/* How long the next fill waits after one that failed */
#define FILL_DELAY_MIN	(HZ / 10)
#define FILL_DELAY_MAX	(2 * HZ)

/**
 * arena_page_alloc - get a page from the page allocator
 * @map: whose memory cgroup is charged
 * @node: where the page should be, or NUMA_NO_NODE
 * @gfp: GFP_KERNEL, and __GFP_RETRY_MAYFAIL unless the OOM killer may be invoked
 *	when the system has no memory
 *
 * The limit of the map's memory cgroup never invokes the OOM killer: who allocates
 * may belong to another cgroup, and is told.
 *
 * Context: Process context, but not in reclaim. May sleep.
 * Return: a zeroed page, or NULL.
 */
struct page *arena_page_alloc(const struct bpf_map *map, int node, gfp_t gfp)
{
	struct mem_cgroup *old_memcg;
	struct page *page;
	int err;

	page = alloc_pages_node(node, gfp | __GFP_ZERO | __GFP_NOWARN, 0);
	if (!page)
		return NULL;

	old_memcg = bpf_map_memcg_enter(map);
	err = memcg_kmem_charge_page(page, GFP_KERNEL | __GFP_RETRY_MAYFAIL |
				     __GFP_NOWARN, 0);
	bpf_map_memcg_exit(old_memcg);
	if (err) {
		__free_page(page);
		return NULL;
	}
	vmalloc_account_pages(1);

	return page;
}

/**
 * arena_stock_init - begin to keep pages in stock
 * @stock: with an initialised @fill_lock; if it was called before, nothing
 *	happens
 * @map: whose memory cgroup is charged
 * @max_pages: size of the arena
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM.
 */
int arena_stock_init(struct arena_stock *stock, const struct bpf_map *map,
		     u32 max_pages)
{
	u32 size = min(max_pages, ARENA_ATOMIC_MAX_PAGES) + STOCK_TABLES;
	struct mem_cgroup *old_memcg;
	struct page **slots;

	if (READ_ONCE(stock->slots))
		return 0;

	old_memcg = bpf_map_memcg_enter(map);
	slots = kcalloc(size, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	bpf_map_memcg_exit(old_memcg);
	if (!slots)
		return -ENOMEM;

	mutex_lock(&stock->fill_lock);
	if (!stock->slots) {
		stock->size = size;
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
		arena_page_free(virt_to_page(node));
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
		arena_page_free(page);
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
	struct page *page;
	u32 i, slot;

	/* Pairs with arena_stock_init() */
	if (!smp_load_acquire(&stock->slots) || atomic_read(&stock->nr) <= 0)
		return NULL;

	slot = READ_ONCE(stock->hint);
	for (i = 0; i < stock->size; i++) {
		if (slot >= stock->size)
			slot = 0;
		page = empty_slot(stock, slot++);
		if (page) {
			WRITE_ONCE(stock->hint, slot);
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
 * Return: true if it is not full, and no fill has failed lately.
 */
bool arena_stock_low(const struct arena_stock *stock)
{
	if (READ_ONCE(stock->delay) &&
	    time_before(jiffies, READ_ONCE(stock->retry_at)))
		return false;

	return !READ_ONCE(stock->slots) ||
	       atomic_read(&stock->nr) < (int)stock->size;
}

/**
 * arena_stock_memory_freed - let the next fill begin at once
 * @stock: may be one that was never initialised
 *
 * Context: Any.
 */
void arena_stock_memory_freed(struct arena_stock *stock)
{
	WRITE_ONCE(stock->delay, 0);
}

static int fill_slot(struct arena_stock *stock, u32 slot,
		     const struct bpf_map *map)
{
	struct page *page;

	if (READ_ONCE(stock->slots[slot]))
		return 0;

	page = arena_page_alloc(map, NUMA_NO_NODE, GFP_KERNEL | __GFP_RETRY_MAYFAIL);
	if (!page)
		return -ENOMEM;

	atomic_inc(&stock->nr);
	/* Zeroes and count before the page: who takes it relies on both */
	smp_store_release(&stock->slots[slot], page);

	return 0;
}

/* Called with the fill lock held. */
static void delay_next_fill(struct arena_stock *stock)
{
	unsigned int delay = clamp_t(unsigned int, 2 * stock->delay,
				     FILL_DELAY_MIN, FILL_DELAY_MAX);

	WRITE_ONCE(stock->retry_at, jiffies + delay);
	WRITE_ONCE(stock->delay, delay);
}

/**
 * arena_stock_fill - fill the stock
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
	for (slot = 0; slot < stock->size && !err; slot++)
		err = fill_slot(stock, slot, map);
	if (err)
		delay_next_fill(stock);
	else
		WRITE_ONCE(stock->delay, 0);
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
