// SPDX-License-Identifier: GPL-2.0
/*
 * The pages of an arena in the kernel's page tables.
 *
 * The window of an arena is a sparse vm area: 4 GiB that begin at a multiple of
 * PMD_SIZE, so that the low 32 bits of a user address are an offset into it,
 * with guards at both ends. The page tables are built once, for the arena's
 * own range. From then on the PTE of a page is all that is known about it, and
 * changing it takes no lock and no memory. A PTE is
 *
 *   none      no page is there.
 *   present   the page is live: programs reach it.
 *   claimed   the page was got for an allocation that has not ended yet.
 *   parked    the page was freed. Programs do not reach it, but for a CPU that
 *             still has the translation in its TLB. The next allocation of this
 *             offset takes the page, and then a stale translation leads to the
 *             right page again: nothing needs to be flushed for that.
 *   stale     as parked, for so long that the page shall leave the arena.
 *   pinned    as stale, because an allocation found that somebody has pinned the
 *             page, for I/O that may still write to it. The offset stays taken.
 *   leaving   as pinned, and about to leave.
 *
 * All but the first two are entries that are not present and have the format of a
 * swap entry, with the state as its type and the PFN as its offset: that is
 * the one way to keep a PFN in such an entry that all architectures have, and
 * x86 stores it inverted there, as the L1TF mitigation wants it.
 *
 *                  claim()              publish()
 *          none ----------------> claimed ------> present
 *            ^                      ^ |              |
 *            |      claim_parked()  | | unclaim()    | park()
 *            |                      | v              |
 *            |                     parked <----------+
 *            |                        |
 *            |        trim()          | trim()
 *            +-------------------- stale
 *
 * and claim_parked() takes a stale page as well as a parked one, or makes it
 * pinned, then trim() makes it leaving, and then none.
 *
 * Who took the offset from arena_space may claim and publish. Anybody may park
 * a live page, but only one succeeds, who then gives the offset back. Only
 * arena_kmap_trim() makes a parked page stale, and removes it; it runs with the
 * invalidate lock held for writing, and it races with whoever has taken the
 * offset by then. Therefore parked and stale entries are only ever changed
 * atomically. Pinned and leaving ones are its own, and so are their offsets.
 *
 * The rule on which all of this stands: a page leaves only by way of
 * arena_kmap_trim(), or when the arena ends. There, between the moment when the
 * page was last seen parked and the moment when its PTE becomes none, user
 * mappings are zapped and all CPUs flushed. A pin is a reference of its own: it
 * keeps the page from the page allocator, and from allocations at its offset.
 */
#include <linux/bitmap.h>
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/vmalloc.h>
#include <asm/tlbflush.h>
#include "arena.h"

enum arena_pte {
	ARENA_PTE_CLAIMED = 1,
	ARENA_PTE_PARKED,
	ARENA_PTE_STALE,
	ARENA_PTE_PINNED,
	ARENA_PTE_LEAVING,
};

/* So many pages have one bit that says whether a look at them is worth it */
#define BLOCK_PAGES	PTRS_PER_PTE

/*
 * A load or store reaches at most this far beyond a 32-bit pointer, with its
 * 16-bit offset. Here the guards are much larger: they also keep the area a
 * multiple of PUD_SIZE.
 */
#define GUARD_MIN	SZ_32K

static pte_t *kmap_pte(const struct arena_kmap *kmap, u32 idx)
{
	return virt_to_kpte(kmap->start + ((unsigned long)idx << PAGE_SHIFT));
}

static pte_t make_pte(enum arena_pte state, struct page *page)
{
	return swp_entry_to_pte(swp_entry(state, page_to_pfn(page)));
}

static bool pte_is(pte_t pte, enum arena_pte state)
{
	return !pte_none(pte) && !pte_present(pte) &&
	       swp_type(pte_to_swp_entry(pte)) == state;
}

static struct page *pte_held_page(pte_t pte)
{
	return pfn_to_page(swp_offset(pte_to_swp_entry(pte)));
}

static pte_t read_pte(const pte_t *ptep)
{
	return READ_ONCE(*ptep);
}

/* Change an entry from @old to @new, unless it is no longer @old. */
static bool change_pte(pte_t *ptep, pte_t old, pte_t new)
{
	BUILD_BUG_ON(sizeof(pte_t) != sizeof(unsigned long));

	return cmpxchg((unsigned long *)ptep, (unsigned long)pte_val(old),
		       (unsigned long)pte_val(new)) ==
	       (unsigned long)pte_val(old);
}

static void mark_block(unsigned long *bits, u32 idx)
{
	u32 block = idx / BLOCK_PAGES;

	/* The line is shared: leave it alone in the common case */
	if (!test_bit(block, bits))
		set_bit(block, bits);
}

static u32 nr_blocks(u32 nr_pages)
{
	return DIV_ROUND_UP(nr_pages, BLOCK_PAGES);
}

/**
 * arena_kmap_init - reserve the window
 * @kmap: zeroed
 * @max_pages: the arena has no more pages than that
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM. After an error arena_kmap_destroy() must be called, too.
 */
int arena_kmap_init(struct arena_kmap *kmap, u32 max_pages)
{
	size_t longs = BITS_TO_LONGS(nr_blocks(max_pages));

	BUILD_BUG_ON(PMD_SIZE < GUARD_MIN);

	kmap->held = kcalloc(2 * longs, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!kmap->held)
		return -ENOMEM;
	kmap->parked = kmap->held + longs;

	kmap->area = get_sparse_vm_area(ALIGN(SZ_4G + 2 * PMD_SIZE, PUD_SIZE));

	return kmap->area ? 0 : -ENOMEM;
}

/**
 * arena_kmap_window - where the 4 GiB of an arena begin
 * @kmap: initialised
 *
 * Return: the kernel address to which the low 32 bits of a pointer are added.
 */
unsigned long arena_kmap_window(const struct arena_kmap *kmap)
{
	return (unsigned long)kmap->area->addr + PMD_SIZE;
}

/**
 * arena_kmap_set_range - say which part of the window is the arena
 * @kmap: initialised, and without a range
 * @lo_addr: low 32 bits of the user address of the first page
 * @nr_pages: number of pages; the range must not leave the window
 *
 * Builds the page tables, charged to the active memory cgroup.
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM, and then it may be called again.
 */
int arena_kmap_set_range(struct arena_kmap *kmap, u32 lo_addr, u32 nr_pages)
{
	unsigned long start = arena_kmap_window(kmap) + lo_addr;
	int err;

	err = sparse_vm_area_populate(kmap->area, start,
				      (unsigned long)nr_pages << PAGE_SHIFT);
	if (err)
		return err;

	kmap->start = start;
	kmap->nr_pages = nr_pages;

	return 0;
}

static void collect_page(struct arena_kmap *kmap, struct page *page,
			 struct list_head *pages)
{
	atomic_dec(&kmap->nr_held);
	list_add(&page->lru, pages);
}

static void put_pages(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		put_page(page);
	}
}

/* The last block may have fewer pages than the others. */
static u32 block_end(const struct arena_kmap *kmap, u32 block)
{
	return min_t(u32, (block + 1) * BLOCK_PAGES, kmap->nr_pages);
}

static void empty_block(struct arena_kmap *kmap, u32 block,
			struct list_head *pages)
{
	u32 idx, end = block_end(kmap, block);

	for (idx = block * BLOCK_PAGES; idx < end; idx++) {
		pte_t *ptep = kmap_pte(kmap, idx);
		unsigned long addr = kmap->start + ((unsigned long)idx << PAGE_SHIFT);
		pte_t pte;

		pte = ptep_get_and_clear(&init_mm, addr, ptep);
		if (pte_none(pte))
			continue;
		collect_page(kmap, pte_present(pte) ? pte_page(pte) :
			     pte_held_page(pte), pages);
	}
}

static void flush_range(struct arena_kmap *kmap, u32 first, u32 end)
{
	flush_tlb_kernel_range(kmap->start + ((unsigned long)first << PAGE_SHIFT),
			       kmap->start + ((unsigned long)end << PAGE_SHIFT));
}

/**
 * arena_kmap_destroy - the end of the arena
 * @kmap: from arena_kmap_init(), even if that failed
 *
 * Nobody may use the arena any more: no program, no user mapping.
 *
 * Context: Process context. May sleep.
 */
void arena_kmap_destroy(struct arena_kmap *kmap)
{
	u32 block, blocks = nr_blocks(kmap->nr_pages);
	LIST_HEAD(pages);

	for_each_set_bit(block, kmap->held, blocks) {
		empty_block(kmap, block, &pages);
		cond_resched();
	}
	if (!list_empty(&pages)) {
		/* A CPU may still have translations, if only to speculate */
		flush_range(kmap, 0, kmap->nr_pages);
		put_pages(&pages);
	}
	if (kmap->area)
		free_sparse_vm_area(kmap->area);
	kfree(kmap->held);
}

/**
 * arena_kmap_bytes - what the page tables and their pages take
 * @kmap: initialised
 *
 * Return: bytes, without the bitmaps of a few words.
 */
size_t arena_kmap_bytes(const struct arena_kmap *kmap)
{
	unsigned long start = kmap->start;
	unsigned long last = start + ((unsigned long)kmap->nr_pages << PAGE_SHIFT) - 1;
	unsigned long tables = 0;

	if (kmap->nr_pages)
		tables = (last >> PMD_SHIFT) - (start >> PMD_SHIFT) + 1 +
			 (last >> PUD_SHIFT) - (start >> PUD_SHIFT) + 1;

	return (tables + atomic_read(&kmap->nr_held)) << PAGE_SHIFT;
}

/**
 * arena_kmap_live - look a page up
 * @kmap: with a range
 * @idx: page offset
 *
 * Context: Any. With the invalidate lock held the page does not go away, even
 * if it is freed; otherwise it may.
 * Return: the page if programs reach it, or NULL.
 */
struct page *arena_kmap_live(const struct arena_kmap *kmap, u32 idx)
{
	pte_t pte = read_pte(kmap_pte(kmap, idx));

	return pte_present(pte) ? pte_page(pte) : NULL;
}

/*
 * Does anybody hold the page but the arena and the page tables of processes? The
 * two counts cannot be read at once: in doubt the answer is yes.
 */
static bool is_pinned(struct page *page)
{
	int mapped = page_mapcount(page);
	bool pinned;

	/* A mapping that comes or goes meanwhile changes what is read last */
	smp_rmb();
	pinned = page_ref_count(page) != 1 + mapped;
	/* as above */
	smp_rmb();

	return pinned || page_mapcount(page) != mapped;
}

/**
 * arena_kmap_claim_parked - claim the page that an offset had before
 * @kmap: with a range
 * @idx: page offset, taken by the caller
 *
 * The page still has its old contents.
 *
 * Context: Any.
 * Return: the page; NULL if there is none and arena_kmap_claim() is to be called
 * with a new one; -EAGAIN if somebody has pinned it: then the offset is not the
 * caller's any more, and arena_kmap_trim() will give it back.
 */
struct page *arena_kmap_claim_parked(struct arena_kmap *kmap, u32 idx)
{
	pte_t *ptep = kmap_pte(kmap, idx);
	pte_t pte = read_pte(ptep);

	/* It may become stale meanwhile, and then none: two turns at most */
	while (pte_is(pte, ARENA_PTE_PARKED) || pte_is(pte, ARENA_PTE_STALE)) {
		struct page *page = pte_held_page(pte);
		bool pinned = is_pinned(page);

		if (change_pte(ptep, pte, make_pte(pinned ? ARENA_PTE_PINNED :
						   ARENA_PTE_CLAIMED, page))) {
			if (!pinned)
				return page;
			mark_block(kmap->parked, idx);
			return ERR_PTR(-EAGAIN);
		}
		pte = read_pte(ptep);
	}

	return NULL;
}

/**
 * arena_kmap_is_pinned - tell why an offset is taken that has no live page
 * @kmap: with a range
 * @idx: page offset
 *
 * Context: Any. The answer may be outdated when the caller gets it.
 * Return: true if arena_kmap_trim() will give the offset back.
 */
bool arena_kmap_is_pinned(const struct arena_kmap *kmap, u32 idx)
{
	pte_t pte = read_pte(kmap_pte(kmap, idx));

	return pte_is(pte, ARENA_PTE_PINNED) || pte_is(pte, ARENA_PTE_LEAVING);
}

/**
 * arena_kmap_claim - put a new page where it will be published
 * @kmap: with a range
 * @idx: page offset, taken by the caller; arena_kmap_claim_parked() found none
 * @page: zeroed, and nobody else knows it
 *
 * The page belongs to the arena now. Nobody reaches it yet.
 *
 * Context: Any.
 */
void arena_kmap_claim(struct arena_kmap *kmap, u32 idx, struct page *page)
{
	atomic_inc(&kmap->nr_held);
	mark_block(kmap->held, idx);
	set_pte(kmap_pte(kmap, idx), make_pte(ARENA_PTE_CLAIMED, page));
}

/**
 * arena_kmap_publish - let programs and processes reach a page
 * @kmap: with a range
 * @idx: page offset, claimed by the caller
 *
 * Context: Any.
 */
void arena_kmap_publish(struct arena_kmap *kmap, u32 idx)
{
	pte_t *ptep = kmap_pte(kmap, idx);
	struct page *page = pte_held_page(read_pte(ptep));

	/* The zeroes must be there before the page is */
	smp_wmb();
	set_pte(ptep, mk_pte(page, PAGE_KERNEL));
}

/**
 * arena_kmap_unclaim - take arena_kmap_claim() back
 * @kmap: with a range
 * @idx: page offset, claimed by the caller, who gives it back after this
 *
 * The page is parked: it may be one that a CPU still reaches at this offset.
 *
 * Context: Any.
 */
void arena_kmap_unclaim(struct arena_kmap *kmap, u32 idx)
{
	pte_t *ptep = kmap_pte(kmap, idx);

	set_pte(ptep, make_pte(ARENA_PTE_PARKED, pte_held_page(read_pte(ptep))));
	/* Pairs with the barrier in arena_kmap_trim() */
	smp_mb();
	mark_block(kmap->parked, idx);
}

/**
 * arena_kmap_park - take a page from programs
 * @kmap: with a range
 * @idx: page offset
 *
 * Programs no longer reach it, unless their CPU still has the translation: see
 * arena_kmap_flush_local(). Whoever gets the page must give the offset back.
 *
 * Context: Any.
 * Return: the page if it was live and this call has parked it, or NULL.
 */
struct page *arena_kmap_park(struct arena_kmap *kmap, u32 idx)
{
	pte_t *ptep = kmap_pte(kmap, idx);
	pte_t pte = read_pte(ptep);

	if (!pte_present(pte) ||
	    !change_pte(ptep, pte, make_pte(ARENA_PTE_PARKED, pte_page(pte))))
		return NULL;

	mark_block(kmap->parked, idx);

	return pte_page(pte);
}

/**
 * bpf_arch_flush_local - flush kernel addresses from the TLB of this CPU
 * @start: first address
 * @end: address behind the last one
 *
 * Other CPUs may keep what they have. A JIT that supports arenas must bring its
 * own, unless flush_tlb_kernel_range() can be called in every context.
 *
 * Context: Any, NMI included.
 */
void __weak bpf_arch_flush_local(unsigned long start, unsigned long end)
{
	flush_tlb_kernel_range(start, end);
}

/**
 * arena_kmap_flush_local - let this CPU forget translations
 * @kmap: with a range
 * @first: page offset of the first page that was parked
 * @end: page offset behind the last one
 *
 * Other CPUs forget them some time, and at the latest in arena_kmap_trim().
 *
 * Context: Any, on the CPU on which the program runs.
 */
void arena_kmap_flush_local(const struct arena_kmap *kmap, u32 first, u32 end)
{
	bpf_arch_flush_local(kmap->start + ((unsigned long)first << PAGE_SHIFT),
			     kmap->start + ((unsigned long)end << PAGE_SHIFT));
}

/*
 * First round over a block: find out what must be zapped and flushed. Returns
 * true if a page is to leave.
 */
static bool scan_block(struct arena_kmap *kmap, u32 block,
		       struct address_space *mapping, bool all)
{
	u32 idx, end = block_end(kmap, block);
	bool leaves = false, mapped = false;

	for (idx = block * BLOCK_PAGES; idx < end; idx++) {
		pte_t *ptep = kmap_pte(kmap, idx);
		pte_t pte = read_pte(ptep), new;

		if (pte_none(pte) || pte_present(pte) ||
		    pte_is(pte, ARENA_PTE_CLAIMED))
			continue;

		new = pte;
		if (pte_is(pte, ARENA_PTE_PINNED))
			new = make_pte(ARENA_PTE_LEAVING, pte_held_page(pte));
		else if (pte_is(pte, ARENA_PTE_PARKED) && all)
			new = make_pte(ARENA_PTE_STALE, pte_held_page(pte));
		if (!pte_same(pte, new) && !change_pte(ptep, pte, new))
			continue;

		leaves |= !pte_is(new, ARENA_PTE_PARKED);
		mapped |= page_mapped(pte_held_page(new));
	}
	if (mapped)
		unmap_mapping_pages(mapping, block * BLOCK_PAGES, BLOCK_PAGES,
				    false);

	return leaves;
}

/*
 * Second round, after the flush: take out what was stale or leaving before it.
 * What is so now was so then, because only this function, and the first round,
 * make it so. A page that was allocated and freed in between is parked anew.
 * Returns true if there are pages for another time.
 */
static bool reap_block(struct arena_kmap *kmap, u32 block,
		       struct list_head *pages,
		       void (*give)(struct arena_kmap *kmap, u32 idx))
{
	u32 idx, end = block_end(kmap, block);
	bool more = false;

	for (idx = block * BLOCK_PAGES; idx < end; idx++) {
		pte_t *ptep = kmap_pte(kmap, idx);
		pte_t pte = read_pte(ptep);

		if (pte_is(pte, ARENA_PTE_LEAVING)) {
			collect_page(kmap, pte_held_page(pte), pages);
			set_pte(ptep, __pte(0));
			give(kmap, idx);
		} else if (pte_is(pte, ARENA_PTE_STALE)) {
			if (change_pte(ptep, pte, __pte(0)))
				collect_page(kmap, pte_held_page(pte), pages);
		} else if (pte_is(pte, ARENA_PTE_PARKED)) {
			change_pte(ptep, pte, make_pte(ARENA_PTE_STALE,
						       pte_held_page(pte)));
			more = true;
		} else if (pte_is(pte, ARENA_PTE_PINNED)) {
			more = true;
		}
	}

	return more;
}

/**
 * arena_kmap_trim - let pages go that are not used any more
 * @kmap: with a range
 * @mapping: of the arena; the caller holds its invalidate lock for writing
 * @all: every parked page shall go, not only those that were parked at the last
 *	call already
 * @give: called for each offset that arena_kmap_claim_parked() has kept, when its
 *	page has gone
 *
 * Also takes parked pages from user space, where arena_kmap_park() left them.
 *
 * Context: Process context. May sleep.
 * Return: true if there are still parked pages.
 */
bool arena_kmap_trim(struct arena_kmap *kmap, struct address_space *mapping,
		     bool all, void (*give)(struct arena_kmap *kmap, u32 idx))
{
	u32 block, blocks = nr_blocks(kmap->nr_pages);
	u32 first = U32_MAX, last = 0;
	LIST_HEAD(pages);

	for_each_set_bit(block, kmap->parked, blocks) {
		if (scan_block(kmap, block, mapping, all)) {
			first = min(first, block);
			last = block;
		}
		cond_resched();
	}

	if (first != U32_MAX)
		flush_range(kmap, first * BLOCK_PAGES, block_end(kmap, last));

	for_each_set_bit(block, kmap->parked, blocks) {
		clear_bit(block, kmap->parked);
		/*
		 * Before the entries are read. Who parks a page sets the bit
		 * afterwards: either the entry is seen here, or the bit stays.
		 */
		smp_mb__after_atomic();
		if (reap_block(kmap, block, &pages, give))
			mark_block(kmap->parked, block * BLOCK_PAGES);
		cond_resched();
	}
	put_pages(&pages);

	return !bitmap_empty(kmap->parked, blocks);
}
