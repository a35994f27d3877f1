// SPDX-License-Identifier: GPL-2.0
/*
 * The pages of an arena in the kernel's page tables.
 *
 * The window of an arena is a sparse vm area: 4 GiB that begin at a multiple of
 * PMD_SIZE, so that the low 32 bits of a user address are an offset into it,
 * with guards at both ends. A page table is added when the first page is put
 * in its range, and stays as long as the arena does. The PTE of a page is all that
 * is known about it, and changing it takes no lock and no memory. A PTE is
 *
 *   none      no page is there.
 *   present   the page is live: programs reach it.
 *   claimed   the page is that of an allocation that has not ended yet.
 *   fresh     as claimed; the page is zeroed.
 *   parked    the page was freed. Programs do not reach it, but for a CPU that
 *             still has the translation in its TLB. The next allocation of this
 *             offset takes the page, and then a stale translation leads to the
 *             right page again: nothing needs to be flushed for that.
 *   stale     as parked, for so long that the page shall leave the arena.
 *   pinned    as stale, because an allocation found that somebody has pinned the
 *             page, for I/O that may still write to it. The offset stays taken, so
 *             that the next allocation does not look at it again.
 *   leaving   as pinned, and about to leave.
 *
 * All but the first two are entries that are not present and have the format of a
 * swap entry, with the state as its type and the PFN as its offset: that is
 * the one way to keep a PFN in such an entry that all architectures have, and
 * x86 stores it inverted there, as the L1TF mitigation wants it.
 *
 *                            populate()
 *          none ----------------> claimed ------> present
 *            ^                      ^ |              |
 *            |                      | | no memory    | park()
 *            |                      | v              |
 *            |                     parked <----------+
 *            |                        |
 *            |        trim()          | trim()
 *            +-------------------- stale
 *
 * and populate() takes a stale page as well as a parked one, or makes it pinned,
 * then trim() makes it leaving, and then none.
 *
 * Who took the offset from arena_space may populate it. Anybody may park a live
 * page, but only one succeeds, who then gives the offset back. Only
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
#include <linux/pagemap.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#include <asm/tlbflush.h>
#include "arena.h"

enum arena_pte {
	ARENA_PTE_NONE,
	ARENA_PTE_CLAIMED,
	ARENA_PTE_FRESH,
	ARENA_PTE_PARKED,
	ARENA_PTE_STALE,
	ARENA_PTE_PINNED,
	ARENA_PTE_LEAVING,
	ARENA_PTE_PRESENT,
};

/* The part of the window that a page table covers is a block. */
#define BLOCK_PAGES	PTRS_PER_PTE

/*
 * A load or store reaches at most this far beyond a 32-bit pointer, with its
 * 16-bit offset. Here the guards are much larger: they also keep the area a
 * multiple of PUD_SIZE.
 */
#define GUARD_MIN	SZ_32K

/* All windows together leave half of the kernel's addresses to everybody else. */
#define WINDOWS_MAX	((VMALLOC_END - VMALLOC_START) / 2)

/*
 * So many page tables are purged in one hold of the invalidate lock, for which user
 * faults wait.
 */
#define TRIM_BLOCKS	4

/* In each of them, so many runs of pages are zapped by themselves, in all processes. */
#define ZAP_RUNS	8

/* So many pages are given back to the page allocator together. */
#define FREE_BATCH	32

/* How often an allocation that may take long looks around */
#define POPULATE_PERIOD	32

#define WINDOW_BYTES	ALIGN(SZ_4G + 2 * PMD_SIZE, PUD_SIZE)

/* Bytes of all windows */
static atomic_long_t windows;

static u32 block_of(const struct arena_kmap *kmap, u32 idx)
{
	return (kmap->skew + idx) / BLOCK_PAGES;
}

/* The page table of @idx, or NULL */
static pte_t *kmap_table(const struct arena_kmap *kmap, u32 idx)
{
	return READ_ONCE(kmap->tables[block_of(kmap, idx)]);
}

static u32 index_in_table(const struct arena_kmap *kmap, u32 idx)
{
	return (kmap->skew + idx) % BLOCK_PAGES;
}

/* Returns NULL if there is no page table, which is as good as a PTE that is none. */
static pte_t *kmap_pte(const struct arena_kmap *kmap, u32 idx)
{
	pte_t *table = kmap_table(kmap, idx);

	return table ? &table[index_in_table(kmap, idx)] : NULL;
}

/* The PTE of @idx, if @ptep is that of the page before, or NULL */
static pte_t *next_pte(const struct arena_kmap *kmap, pte_t *ptep, u32 idx)
{
	return ptep && index_in_table(kmap, idx) ? ptep + 1 : kmap_pte(kmap, idx);
}

/* In the format of a swap entry, by the functions that make one of its parts */
static pte_t make_pte(enum arena_pte state, unsigned long pfn)
{
	return __swp_entry_to_pte(__swp_entry(state, pfn));
}

static unsigned long held_pfn(pte_t pte)
{
	return __swp_offset(__pte_to_swp_entry(pte));
}

static enum arena_pte pte_state(pte_t pte)
{
	if (pte_present(pte))
		return ARENA_PTE_PRESENT;
	/* The type of a PTE that is none is ARENA_PTE_NONE, too */
	return __swp_type(__pte_to_swp_entry(pte));
}

static bool is_claimed(enum arena_pte state)
{
	return state == ARENA_PTE_CLAIMED || state == ARENA_PTE_FRESH;
}

static pte_t read_pte(const pte_t *ptep)
{
	return ptep ? READ_ONCE(*ptep) : __pte(0);
}

/* Change an entry from @old to @new, unless it is no longer @old. */
static bool change_pte(pte_t *ptep, pte_t old, pte_t new)
{
	BUILD_BUG_ON(sizeof(pte_t) != sizeof(unsigned long));

	return cmpxchg((unsigned long *)ptep, (unsigned long)pte_val(old),
		       (unsigned long)pte_val(new)) ==
	       (unsigned long)pte_val(old);
}

static inline void mark_block(unsigned long *bits, u32 block)
{
	/* The line is shared: leave it alone in the common case */
	if (!test_bit(block, bits))
		set_bit(block, bits);
}

/* One more than its pages have, as they may begin in the middle of one */
static u32 max_blocks(u32 nr_pages)
{
	return DIV_ROUND_UP(nr_pages, BLOCK_PAGES) + 1;
}

static unsigned long block_addr(const struct arena_kmap *kmap, u32 block)
{
	return (kmap->start & PMD_MASK) + block * PMD_SIZE;
}

/**
 * arena_kmap_mem_bytes - memory that arena_kmap_init() wants
 * @max_pages: the arena has no more pages than that
 *
 * Return: bytes.
 */
size_t arena_kmap_mem_bytes(u32 max_pages)
{
	u32 blocks = max_blocks(max_pages);

	return blocks * sizeof(pte_t *) + 2 * BITS_TO_LONGS(blocks) * sizeof(long);
}

/**
 * arena_kmap_init - reserve the window
 * @kmap: zeroed
 * @mem: arena_kmap_mem_bytes() bytes, zeroed, aligned to a long; in use until
 *	arena_kmap_destroy() has returned
 * @max_pages: the arena has no more pages than that
 *
 * Context: Process context. May sleep.
 * Return: 0; -ENOSPC if the windows of all arenas take half of the addresses that
 * there are; or -ENOMEM. After an error arena_kmap_destroy() must be called, too.
 */
int arena_kmap_init(struct arena_kmap *kmap, void *mem, u32 max_pages)
{
	u32 blocks = max_blocks(max_pages), longs = BITS_TO_LONGS(blocks);

	BUILD_BUG_ON(PMD_SIZE < GUARD_MIN);

	mutex_init(&kmap->trim_lock);
	kmap->nr_blocks = blocks;
	kmap->tables = mem;
	kmap->held = mem + blocks * sizeof(*kmap->tables);
	kmap->parked = kmap->held + longs;

	if (atomic_long_add_return(WINDOW_BYTES, &windows) > WINDOWS_MAX) {
		atomic_long_sub(WINDOW_BYTES, &windows);
		return -ENOSPC;
	}
	kmap->area = get_sparse_vm_area(WINDOW_BYTES);
	if (!kmap->area) {
		atomic_long_sub(WINDOW_BYTES, &windows);
		return -ENOMEM;
	}

	return 0;
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
 *
 * The range must not leave the window.
 *
 * Context: Any.
 */
void arena_kmap_set_range(struct arena_kmap *kmap, u32 lo_addr)
{
	kmap->start = arena_kmap_window(kmap) + lo_addr;
	kmap->skew = lo_addr / PAGE_SIZE % BLOCK_PAGES;
}

static void collect_page(struct arena_kmap *kmap, unsigned long pfn,
			 struct list_head *pages)
{
	atomic_dec(&kmap->nr_held);
	list_add(&pfn_to_page(pfn)->lru, pages);
}

/* Returns how many pages are free now: those that somebody has pinned are not. */
static u32 free_pages_of(struct list_head *pages)
{
	struct page *page, *next, *batch[FREE_BATCH];
	u32 n = 0, freed = 0;

	list_for_each_entry_safe(page, next, pages, lru) {
		freed += page_ref_count(page) == 1;
		batch[n++ % FREE_BATCH] = page;
		if (n % FREE_BATCH)
			continue;
		release_pages(batch, FREE_BATCH);
		cond_resched();
	}
	if (n % FREE_BATCH)
		release_pages(batch, n % FREE_BATCH);
	INIT_LIST_HEAD(pages);
	vmalloc_account_pages(-(long)n);

	return freed;
}

/* The block has been held: it has a page table. */
static void empty_block(struct arena_kmap *kmap, u32 block,
			struct list_head *pages)
{
	pte_t *table = kmap->tables[block];
	int i;

	for (i = 0; i < BLOCK_PAGES; i++) {
		pte_t pte = table[i];

		if (pte_none(pte))
			continue;
		set_pte(&table[i], __pte(0));
		collect_page(kmap, pte_present(pte) ? pte_pfn(pte) : held_pfn(pte),
			     pages);
	}
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
	LIST_HEAD(pages);
	u32 block;

	for_each_set_bit(block, kmap->held, kmap->nr_blocks) {
		empty_block(kmap, block, &pages);
		cond_resched();
	}
	if (kmap->area) {
		free_sparse_vm_area(kmap->area);
		vmalloc_account_pages(-(long)atomic_read(&kmap->nr_tables));
		atomic_long_sub(WINDOW_BYTES, &windows);
	}
	/* After the flush: a CPU may still have had translations, if only to speculate */
	free_pages_of(&pages);
}

/**
 * arena_kmap_bytes - what the page tables and their pages take
 * @kmap: initialised
 *
 * Return: bytes, without the bitmaps of a few words.
 */
size_t arena_kmap_bytes(const struct arena_kmap *kmap)
{
	return (size_t)(atomic_read(&kmap->nr_tables) +
			atomic_read(&kmap->nr_held)) << PAGE_SHIFT;
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

/**
 * arena_kmap_live_run - look up pages side by side
 * @kmap: with a range
 * @idx: page offset of the first one
 * @end: page offset behind the last one; all are at addresses of one page table
 * @pages: room for as many, to be filled
 *
 * Context: Any. As with arena_kmap_live().
 * Return: how many pages programs reach, without a gap, from @idx on.
 */
u32 arena_kmap_live_run(const struct arena_kmap *kmap, u32 idx, u32 end, struct page **pages)
{
	const pte_t *ptep = kmap_pte(kmap, idx);
	u32 n = 0;

	if (!ptep)
		return 0;
	for (; idx + n < end; n++) {
		pte_t pte = READ_ONCE(ptep[n]);

		if (!pte_present(pte))
			break;
		pages[n] = pte_page(pte);
	}

	return n;
}

/* Of pages that share a page table: the first in [@idx, @end) that is live, or not */
static u32 seek_in_table(const pte_t *ptep, u32 idx, u32 end, bool live)
{
	for (; idx < end; idx++, ptep++)
		if (!!pte_present(read_pte(ptep)) == live)
			break;

	return idx;
}

/**
 * arena_kmap_seek - find the next page that is there, or that is not
 * @kmap: with a range
 * @idx: page offset at which to begin
 * @end: page offset behind the last one to look at
 * @live: look for a page that programs reach; otherwise for an offset without one
 *
 * Each page is looked at once, and may have come or gone when the caller gets the
 * answer. Where there is no page table there is nothing to look at.
 *
 * Context: Process context. May sleep.
 * Return: the page offset, or @end if there is none.
 */
u32 arena_kmap_seek(const struct arena_kmap *kmap, u32 idx, u32 end, bool live)
{
	while (idx < end) {
		u32 next = (block_of(kmap, idx) + 1) * BLOCK_PAGES - kmap->skew;
		const pte_t *ptep = kmap_pte(kmap, idx);

		next = min(next, end);
		if (ptep)
			idx = seek_in_table(ptep, idx, next, live);
		else if (live)
			idx = next;
		if (idx < next)
			break;
		cond_resched();
	}

	return idx;
}

/*
 * Does anybody hold the page but the arena and the page tables of processes? The
 * two counts cannot be read at once: in doubt the answer is yes.
 */
static noinline bool counts_differ(struct page *page)
{
	int mapped = arena_page_mapcount(page);
	bool pinned;

	/* A mapping that comes or goes meanwhile changes what is read last */
	smp_rmb();
	pinned = page_ref_count(page) != 1 + mapped;
	/* as above */
	smp_rmb();

	return pinned || arena_page_mapcount(page) != mapped;
}

static inline bool is_pinned(struct page *page)
{
	return page_ref_count(page) != 1 && counts_differ(page);
}

/**
 * arena_kmap_set_pinned - keep an offset taken whose page somebody has pinned
 * @kmap: with a range
 * @idx: page offset, which the caller has taken
 *
 * Context: Any.
 * Return: true if the page is pinned: then arena_kmap_trim() lets it go, and gives the
 * offset back; the caller must not. Otherwise false.
 */
bool arena_kmap_set_pinned(struct arena_kmap *kmap, u32 idx)
{
	pte_t *ptep = kmap_pte(kmap, idx);
	pte_t pte = read_pte(ptep);
	enum arena_pte state = pte_state(pte);
	unsigned long pfn = held_pfn(pte);

	if ((state != ARENA_PTE_PARKED && state != ARENA_PTE_STALE) ||
	    !is_pinned(pfn_to_page(pfn)) ||
	    !change_pte(ptep, pte, make_pte(ARENA_PTE_PINNED, pfn)))
		return false;
	atomic_inc(&kmap->nr_pinned);
	mark_block(kmap->parked, block_of(kmap, idx));

	return true;
}

/*
 * Claim the page that the offset had before. Returns 1; 0 if there is none; -EAGAIN if
 * somebody has pinned it.
 */
static inline int claim_parked(pte_t *ptep)
{
	pte_t pte = read_pte(ptep);
	enum arena_pte state = pte_state(pte);

	/* It may become stale meanwhile, and then none: two turns at most */
	while (state == ARENA_PTE_PARKED || state == ARENA_PTE_STALE) {
		unsigned long pfn = held_pfn(pte);

		if (is_pinned(pfn_to_page(pfn))) {
			/* Or it has left meanwhile, and is somebody else's */
			if (pte_same(read_pte(ptep), pte))
				return -EAGAIN;
		} else if (change_pte(ptep, pte, make_pte(ARENA_PTE_CLAIMED, pfn))) {
			return 1;
		}
		pte = read_pte(ptep);
		state = pte_state(pte);
	}

	return 0;
}

static inline void publish(pte_t *ptep, unsigned long pfn, pgprot_t prot)
{
	/* The zeroes must be there before the page is */
	smp_wmb();
	set_pte(ptep, pfn_pte(pfn, prot));
}

static inline void zero_and_publish(pte_t *ptep, unsigned long pfn)
{
	clear_page(pfn_to_kaddr(pfn));
	publish(ptep, pfn, PAGE_KERNEL);
}

/**
 * arena_kmap_revive - put the page back that an offset had before
 * @kmap: with a range
 * @idx: page offset, which the caller has taken
 *
 * This is the quick way for a single page, with no need for arena_kmap_populate()
 * if it succeeds.
 *
 * Context: Any.
 * Return: true if there is a zeroed page now that all can reach, else false.
 */
bool arena_kmap_revive(struct arena_kmap *kmap, u32 idx)
{
	pte_t *table = kmap_table(kmap, idx);
	unsigned long pfn;
	pte_t *ptep, pte;

	if (!table)
		return false;
	ptep = &table[index_in_table(kmap, idx)];
	pte = READ_ONCE(*ptep);
	if (pte_state(pte) != ARENA_PTE_PARKED)
		return false;
	pfn = held_pfn(pte);
	/* arena_kmap_populate() has another look at the counts */
	if (page_ref_count(pfn_to_page(pfn)) != 1 ||
	    !change_pte(ptep, pte, make_pte(ARENA_PTE_CLAIMED, pfn)))
		return false;

	zero_and_publish(ptep, pfn);

	return true;
}

/* Use the page as a page table, if one is missing. Returns false if none is. */
static bool add_table(struct arena_kmap *kmap, u32 idx, struct page *page)
{
	unsigned long addr = arena_kmap_addr(kmap, idx);
	bool used;

	if (kmap_pte(kmap, idx))
		return false;

	used = sparse_vm_area_add_table(addr, page);
	if (used)
		atomic_inc(&kmap->nr_tables);
	if (!pmd_none(*pmd_off_k(addr)))
		WRITE_ONCE(kmap->tables[block_of(kmap, idx)],
			   pte_offset_kernel(pmd_off_k(addr), addr & PMD_MASK));

	return used;
}

/* Returns a new page for an offset, whose table is there then, or NULL. */
static inline struct page *get_new(struct arena_kmap *kmap, u32 idx,
				   const struct arena_page_source *from)
{
	struct page *page;

	/* There may be one or two tables missing */
	do {
		page = from->get(kmap, from);
		if (!page)
			return NULL;
	} while (add_table(kmap, idx, page));

	atomic_inc(&kmap->nr_held);
	mark_block(kmap->held, block_of(kmap, idx));

	return page;
}

static int claim_new(struct arena_kmap *kmap, u32 idx,
		     const struct arena_page_source *from)
{
	struct page *page = get_new(kmap, idx, from);

	if (!page)
		return -ENOMEM;
	set_pte(kmap_pte(kmap, idx), make_pte(ARENA_PTE_FRESH, page_to_pfn(page)));

	return 0;
}

/*
 * Undo what was claimed in [@start, @end). The pages are parked: a CPU may still reach
 * one of them at its offset.
 */
static noinline void unclaim(struct arena_kmap *kmap, u32 start, u32 end, bool may_sleep)
{
	pte_t *ptep = NULL;
	u32 idx;

	for (idx = start; idx < end; idx++) {
		pte_t pte;

		if (may_sleep && !(idx % BLOCK_PAGES))
			cond_resched();
		ptep = next_pte(kmap, ptep, idx);
		pte = read_pte(ptep);
		if (!is_claimed(pte_state(pte)))
			continue;
		set_pte(ptep, make_pte(ARENA_PTE_PARKED, held_pfn(pte)));
		/* Pairs with the barrier in reap_blocks() */
		smp_mb();
		mark_block(kmap->parked, block_of(kmap, idx));
	}
}

/* After @n pages of an allocation: returns -EINTR if it is long, and the task shall end. */
static noinline int look_around(u32 n)
{
	cond_resched();

	return n >= POPULATE_PERIOD && fatal_signal_pending(current) ? -EINTR : 0;
}

/*
 * Where the run ends that begins with @idx: its PTEs are side by side, and it is short
 * enough to look around afterwards.
 */
static u32 run_end(const struct arena_kmap *kmap, u32 idx, u32 end)
{
	BUILD_BUG_ON(BLOCK_PAGES % POPULATE_PERIOD);

	return min(end, round_down(kmap->skew + idx, POPULATE_PERIOD) + POPULATE_PERIOD -
		   kmap->skew);
}

/*
 * Claim the pages that the offsets had before. Returns how many had none, or an error
 * with @done.
 */
static inline int claim_all_parked(struct arena_kmap *kmap, u32 start, u32 end,
				   bool may_sleep, u32 *done)
{
	u32 idx = start, absent = end - start;

	for (;;) {
		u32 stop = run_end(kmap, idx, end);
		pte_t *ptep = kmap_pte(kmap, idx);
		int ret;

		for (; ptep && idx < stop; idx++, ptep++) {
			ret = claim_parked(ptep);
			if (ret < 0) {
				*done = idx - start;
				return ret;
			}
			absent -= ret;
		}
		idx = stop;
		if (idx == end)
			return absent;
		if (!may_sleep)
			continue;
		ret = look_around(idx - start);
		if (ret)
			return ret;
	}
}

/* Claim new pages for the offsets that have none, after claim_all_parked(). */
static noinline int claim_all_new(struct arena_kmap *kmap, u32 start, u32 end,
				  const struct arena_page_source *from)
{
	bool may_sleep = gfpflags_allow_blocking(from->gfp);
	pte_t *ptep = NULL;
	u32 idx;

	for (idx = start; idx < end; idx++) {
		int err = 0;

		if (may_sleep && !(idx % POPULATE_PERIOD))
			err = look_around(idx - start);
		ptep = next_pte(kmap, ptep, idx);
		/* A parked page that was not claimed above has left since */
		if (!err && !is_claimed(pte_state(read_pte(ptep))))
			err = claim_new(kmap, idx, from);
		if (err)
			return err;
	}

	return 0;
}

/* All is there that can be wanting. Only now is it worth to zero what was claimed. */
static inline void publish_all(struct arena_kmap *kmap, u32 start, u32 end, bool may_sleep)
{
	pgprot_t prot = PAGE_KERNEL;
	u32 idx = start;

	for (;;) {
		u32 stop = run_end(kmap, idx, end);
		pte_t *ptep = kmap_pte(kmap, idx);

		for (; idx < stop; idx++, ptep++) {
			pte_t pte = READ_ONCE(*ptep);
			unsigned long pfn = held_pfn(pte);

			if (pte_state(pte) == ARENA_PTE_CLAIMED)
				clear_page(pfn_to_kaddr(pfn));
			publish(ptep, pfn, prot);
		}
		if (idx == end)
			break;
		if (may_sleep)
			cond_resched();
	}
}

/* Most allocations are of one page: there is nothing to undo, or to do in between. */
static int populate_one(struct arena_kmap *kmap, u32 idx, const struct arena_page_source *from)
{
	pte_t *ptep = kmap_pte(kmap, idx);
	int ret = ptep ? claim_parked(ptep) : 0;
	struct page *page;

	if (ret < 0)
		return ret;
	if (ret) {
		zero_and_publish(ptep, held_pfn(*ptep));
		return 0;
	}

	page = get_new(kmap, idx, from);
	if (!page)
		return -ENOMEM;
	publish(kmap_pte(kmap, idx), page_to_pfn(page), PAGE_KERNEL);

	return 0;
}

/**
 * arena_kmap_populate - put zeroed pages where an allocation wants them
 * @kmap: with a range
 * @start: page offset
 * @n: number of pages from @start on; the caller has taken them
 * @from: where new pages come from; offsets that had a page lately need none
 * @done: with -EAGAIN: which page, counted from @start, is pinned
 *
 * Programs and user space reach all the pages or, after an error, none of them. A pinned
 * page in the range is found before a new page is taken, or one zeroed.
 *
 * Context: Any, if @from may be called there.
 * Return: 0; -ENOMEM; -EINTR if the caller may sleep and has a fatal signal; -EAGAIN
 * if the page at @start + @done is pinned, and others may be, see
 * arena_kmap_set_pinned(). After an error the caller gives the offsets back.
 */
int arena_kmap_populate(struct arena_kmap *kmap, u32 start, u32 n,
			const struct arena_page_source *from, u32 *done)
{
	bool may_sleep = gfpflags_allow_blocking(from->gfp);
	u32 end = start + n;
	int ret;

	*done = 0;
	if (n == 1)
		return populate_one(kmap, start, from);

	ret = claim_all_parked(kmap, start, end, may_sleep, done);
	if (ret > 0)
		ret = claim_all_new(kmap, start, end, from);
	if (ret) {
		unclaim(kmap, start, end, may_sleep);
		return ret;
	}

	publish_all(kmap, start, end, may_sleep);

	return 0;
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
	enum arena_pte state = pte_state(read_pte(kmap_pte(kmap, idx)));

	return state == ARENA_PTE_PINNED || state == ARENA_PTE_LEAVING;
}

static inline struct page *park(pte_t *ptep)
{
	pte_t pte = READ_ONCE(*ptep);
	unsigned long pfn;

	if (!pte_present(pte))
		return NULL;
	pfn = pte_pfn(pte);
	if (!change_pte(ptep, pte, make_pte(ARENA_PTE_PARKED, pfn)))
		return NULL;

	return pfn_to_page(pfn);
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
	pte_t *table = kmap_table(kmap, idx);
	struct page *page;

	if (!table)
		return NULL;
	page = park(&table[index_in_table(kmap, idx)]);
	if (page)
		mark_block(kmap->parked, block_of(kmap, idx));

	return page;
}

/* As arena_kmap_park_word(), with PTEs of one page table */
static inline unsigned long park_ptes(struct arena_kmap *kmap, u32 first,
				      unsigned long mask, bool *mapped)
{
	pte_t *ptes = kmap_pte(kmap, first);
	unsigned long parked = 0;

	if (!ptes)
		return 0;
	for (; mask; mask &= mask - 1) {
		unsigned int bit = __ffs(mask);
		struct page *page = park(&ptes[bit]);

		if (!page)
			continue;
		parked |= BIT(bit);
		if (arena_page_may_be_mapped(page))
			*mapped = true;
	}
	if (parked)
		mark_block(kmap->parked, block_of(kmap, first));

	return parked;
}

/**
 * arena_kmap_park_word - take pages from programs
 * @kmap: with a range
 * @first: page offset
 * @mask: which pages, bit 0 being @first
 * @mapped: set to true if user space may have mapped one
 *
 * As arena_kmap_park(), for several.
 *
 * Context: Any.
 * Return: the pages that were live and that this call has parked.
 */
unsigned long arena_kmap_park_word(struct arena_kmap *kmap, u32 first,
				   unsigned long mask, bool *mapped)
{
	u32 here = BLOCK_PAGES - (kmap->skew + first) % BLOCK_PAGES;

	if (here >= BITS_PER_LONG)
		return park_ptes(kmap, first, mask, mapped);

	return park_ptes(kmap, first, mask & (BIT(here) - 1), mapped) |
	       park_ptes(kmap, first + here, mask >> here, mapped) << here;
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

/* A run of parked pages that user space may have mapped: page offsets */
struct zap_run {
	u32 start;
	u32 end;
	u32 nr;		/* runs that were zapped before, in this block */
};

static void zap(struct address_space *mapping, struct zap_run *run)
{
	if (run->start == run->end)
		return;
	unmap_mapping_pages(mapping, run->start, run->end - run->start, false);
	run->start = 0;
	run->end = 0;
	run->nr++;
}

/* The page after the run is live. */
static void end_run(struct address_space *mapping, struct zap_run *run)
{
	if (run->nr < ZAP_RUNS)
		zap(mapping, run);
}

static void add_to_zap(struct zap_run *run, u32 idx)
{
	if (run->start == run->end)
		run->start = idx;
	run->end = idx + 1;
}

/*
 * First round over a block: find out what must be zapped and flushed. A zap covers no
 * page that is live, as its users would fault for nothing; but after ZAP_RUNS of them one
 * has to do for the rest. Nor does an entry that stays as it is keep its page from
 * becoming live before the zap, which costs no more than that fault. Returns true if a
 * page is to leave.
 */
static bool scan_block(struct arena_kmap *kmap, u32 block,
		       struct address_space *mapping, bool all)
{
	pte_t *table = kmap->tables[block];
	struct zap_run run = {};
	bool leaves = false;
	u32 i;

	for (i = 0; i < BLOCK_PAGES; i++) {
		pte_t pte = read_pte(&table[i]);
		enum arena_pte state = pte_state(pte), next = state;
		unsigned long pfn;

		if (state == ARENA_PTE_NONE)
			continue;
		if (state == ARENA_PTE_PRESENT || is_claimed(state)) {
			end_run(mapping, &run);
			continue;
		}

		pfn = held_pfn(pte);
		if (state == ARENA_PTE_PINNED)
			next = ARENA_PTE_LEAVING;
		else if (state == ARENA_PTE_PARKED && all)
			next = ARENA_PTE_STALE;
		if (next != state && !change_pte(&table[i], pte, make_pte(next, pfn))) {
			end_run(mapping, &run);
			continue;
		}

		leaves |= next != ARENA_PTE_PARKED;
		if (arena_page_mapcount(pfn_to_page(pfn)))
			add_to_zap(&run, block * BLOCK_PAGES + i - kmap->skew);
	}
	zap(mapping, &run);

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
	pte_t *table = kmap->tables[block];
	bool more = false;
	u32 i;

	for (i = 0; i < BLOCK_PAGES; i++) {
		pte_t *ptep = &table[i];
		pte_t pte = read_pte(ptep);

		switch (pte_state(pte)) {
		case ARENA_PTE_LEAVING:
			collect_page(kmap, held_pfn(pte), pages);
			set_pte(ptep, __pte(0));
			atomic_dec(&kmap->nr_pinned);
			give(kmap, block * BLOCK_PAGES + i - kmap->skew);
			break;
		case ARENA_PTE_STALE:
			if (change_pte(ptep, pte, __pte(0)))
				collect_page(kmap, held_pfn(pte), pages);
			break;
		case ARENA_PTE_PARKED:
			change_pte(ptep, pte, make_pte(ARENA_PTE_STALE, held_pfn(pte)));
			more = true;
			break;
		case ARENA_PTE_PINNED:
			more = true;
			break;
		default:
			break;
		}
	}

	return more;
}

/* Both rounds over the parked blocks in [@first, @end) */
static void trim_blocks(struct arena_kmap *kmap, u32 first, u32 end,
			struct address_space *mapping, bool all,
			struct list_head *pages,
			void (*give)(struct arena_kmap *kmap, u32 idx))
{
	u32 block, low = U32_MAX, high = 0;

	for (block = first; block < end; block++) {
		if (test_bit(block, kmap->parked) &&
		    scan_block(kmap, block, mapping, all)) {
			low = min(low, block);
			high = block;
		}
	}

	if (low != U32_MAX)
		flush_tlb_kernel_range(block_addr(kmap, low), block_addr(kmap, high + 1));

	for (block = first; block < end; block++) {
		if (!test_and_clear_bit(block, kmap->parked))
			continue;
		/*
		 * The bit is cleared before the entries are read. Who parks a page
		 * sets it afterwards: either the entry is seen here, or the bit stays.
		 */
		if (reap_block(kmap, block, pages, give))
			mark_block(kmap->parked, block);
	}
}

/* Where the batch ends that begins with the block @first */
static u32 batch_end(const struct arena_kmap *kmap, u32 first)
{
	u32 n = 0, end = first;

	while (n++ < TRIM_BLOCKS && end < kmap->nr_blocks)
		end = find_next_bit(kmap->parked, kmap->nr_blocks, end) + 1;

	return min(end, kmap->nr_blocks);
}

/**
 * arena_kmap_trim - let pages go that are not used any more
 * @kmap: with a range
 * @mapping: of the arena; its invalidate lock is taken here, and dropped and taken
 *	again after some page tables, so that user faults need not wait for long
 * @all: every parked page shall go, not only those that were parked at the last
 *	call already
 * @want: so many pages are enough
 * @give: called for each offset that arena_kmap_set_pinned() has kept, when its page
 *	has gone
 *
 * Also takes parked pages from user space, where arena_kmap_park() left them.
 *
 * Context: Process context, but not in reclaim. May sleep.
 * Return: how many pages have gone, but for those that somebody else holds yet.
 */
u32 arena_kmap_trim(struct arena_kmap *kmap, struct address_space *mapping,
		    bool all, u32 want, void (*give)(struct arena_kmap *kmap, u32 idx))
{
	u32 block = 0, freed = 0;
	LIST_HEAD(pages);

	while (freed < want && block < kmap->nr_blocks) {
		/* Who finds nothing here shall have what another one has found, freed */
		mutex_lock(&kmap->trim_lock);
		filemap_invalidate_lock(mapping);
		/* Only with the lock: while a block is reaped, it does not seem to be parked */
		block = find_next_bit(kmap->parked, kmap->nr_blocks, block);
		if (block < kmap->nr_blocks) {
			u32 end = batch_end(kmap, block);

			trim_blocks(kmap, block, end, mapping, all, &pages, give);
			block = end;
		}
		filemap_invalidate_unlock(mapping);
		freed += free_pages_of(&pages);
		mutex_unlock(&kmap->trim_lock);
		cond_resched();
	}

	return freed;
}

/**
 * arena_kmap_has_parked - tell whether there is something to trim
 * @kmap: with a range
 *
 * Context: Process context, with the invalidate lock held at least for reading: a block
 * does not seem to be parked while arena_kmap_trim() reaps it, even if pages stay there.
 * Return: true if there is.
 */
bool arena_kmap_has_parked(const struct arena_kmap *kmap)
{
	return !bitmap_empty(kmap->parked, kmap->nr_blocks);
}
