// SPDX-License-Identifier: GPL-2.0
/*
 * BPF arena: sparse memory, up to 4 GiB, that programs and user space share and
 * address with the same pointers.
 *
 * A user address is valid in all processes that map the arena, since all map it
 * at the same place, and the range crosses no 4 GiB boundary. So the low 32 bits
 * identify a byte. The kernel reserves a window of 4 GiB: a program's access to
 * a pointer is one to the start of the window plus the pointer's low 32 bits.
 * The verifier and the JIT see to it that no access can leave the window and its
 * guards, and that one that finds no page is caught: it reads zero, or is lost.
 *
 * The arena consists of parts that know nothing of each other:
 *
 * arena_space.c  which page offsets are taken
 * arena_kmap.c   which page is at an offset, in the kernel's page tables
 * arena_stock.c  where pages come from, also where nobody may allocate any
 * arena_fault.c  who is told of an access that found no page
 * the core mm    who has mapped a page in user space: all files of the map share
 *                an address_space that is the arena's own
 *
 * Life of a page. An allocation takes offsets, puts a page at each, and when all
 * are there it publishes them. User space that touches a free offset does the
 * same with one page. A free parks the pages and gives the offsets back: the
 * page stays where it was, out of reach, for the next allocation that takes the
 * same offset. That is why allocation and free, which follow each other often,
 * neither flush a TLB nor see the page allocator nor any lock. A worker looks
 * twice a second for pages that have been parked for long, and only then
 * unmaps, flushes and frees, many at a time.
 *
 * Locks. A program can be anywhere when it calls, so the parts have no locks in
 * paths that do not sleep. Those that do sleep, take
 *
 *   mmap_lock
 *     map.freeze_mutex                   the arena's address is set once
 *     (allocation of pages: fs_reclaim)
 *       kmap.trim_lock                   parked pages, from leaving until they are free
 *         mapping.invalidate_lock        shared: a user fault, from look-up to
 *                                        mapping; exclusive: a free that unmaps,
 *                                        and the trimming of parked pages
 *           mapping.i_mmap_rwsem, page table locks, in the core mm
 *
 * and never the other way round. Memory is never allocated under the last three:
 * a program may be called in reclaim, and free pages there. What is more, a task in
 * reclaim (PF_MEMALLOC) takes none of them, and gets pages from the stock only, or it
 * would have them from the reserves and in excess of the cgroup's limit.
 *
 * Waiting. A user fault at an offset whose allocation is under way sleeps on @waitq. It
 * holds no lock meanwhile, unless the caller of the fault insists on mmap_lock.
 */
#include <linux/bitops.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/err.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/pagemap.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "arena.h"
#include "arena_space.h"

/* How often to look for parked pages; they leave at the second look. */
#define ARENA_TRIM_PERIOD	(HZ / 2)

/* So many pages are mapped at a user fault, if they exist and their addresses are aligned. */
#define ARENA_FAULT_AROUND	16U

/* So many pages are let go at least, beyond what is missing. */
#define ARENA_TRIM_MORE		64U

/* So many pages are freed in one hold of the invalidate lock, for which faults wait. */
#define ARENA_FREE_BATCH	2048U

/*
 * An allocation that must not sleep looks at so many offsets because of pinned pages. It
 * sets all those aside that it meets, so the next call goes on where this one ends.
 */
#define ARENA_ATOMIC_LOOKS	16384U

/* What a try costs, but for its pages, as if these were so many more */
#define ARENA_TRY_COST		16U

/*
 * A fault that waits for an allocation is woken up by it, if that has so many pages. If
 * all did so, and they are many, those who wait for one that takes long would do nothing
 * but wake up. So a fault looks by itself, too, less and less often. That is also for
 * those that nobody wakes up: an allocation has no barrier between its last page and the
 * look for who waits, and a free wakes nobody in the moment before the offset is free.
 */
#define ARENA_WAKE_PAGES	64U
#define ARENA_WAIT_MAX		(HZ / 10L)

/* What allocations may do for a page: of programs, and of user space by a touch */
#define ARENA_GFP_PROG	(GFP_KERNEL | __GFP_RETRY_MAYFAIL)
#define ARENA_GFP_USER	GFP_KERNEL

/* What a caller in any context asks the worker to do */
enum arena_request {
	ARENA_REQ_REFILL,
	ARENA_REQ_UNMAP,
	ARENA_REQ_TRIM,
	/* and its irq_work */
	ARENA_REQ_QUEUE_REFILL,
	ARENA_REQ_WAKE,
};

/*
 * Programs read @map and @user_vm_start through the pointer to the map: name
 * and type of both are ABI.
 */
struct bpf_arena {
	struct bpf_map map;
	u64 user_vm_start;	/* 0 until it is known, then never changed */
	u64 user_vm_end;
	u32 nr_pages;
	struct address_space mapping;
	struct arena_space space;
	struct arena_kmap kmap;
	struct arena_stock stock;
	wait_queue_head_t waitq;	/* faults that wait for an allocation */
	unsigned long requests;
	struct irq_work irq_work;
	struct work_struct refill_work;
	struct delayed_work trim_work;
};

static struct lock_class_key arena_invalidate_key;

static struct bpf_arena *to_arena(const struct bpf_map *map)
{
	return container_of(map, struct bpf_arena, map);
}

/* Behind the arena is the memory of its parts, in one allocation with it. */

static size_t arena_bytes(u32 max_pages)
{
	return sizeof(struct bpf_arena) + arena_kmap_mem_bytes(max_pages) +
	       arena_space_bytes(max_pages);
}

static void *kmap_mem(struct bpf_arena *arena)
{
	return arena + 1;
}

static void *space_mem(struct bpf_arena *arena)
{
	return kmap_mem(arena) + arena_kmap_mem_bytes(arena->map.max_entries);
}

/*
 * Can a kfunc use the map? By way of an iterator a program gets at any map, so also
 * at an arena that no one has mapped yet.
 */
static __always_inline bool is_usable(const struct bpf_map *map)
{
	/* Pairs with set_range() */
	return map->map_type == BPF_MAP_TYPE_ARENA &&
	       smp_load_acquire(&to_arena(map)->user_vm_start);
}

/*
 * The map's address. Known from map_extra at creation, or from the first mmap().
 */

static bool crosses_4g(u64 start, u64 len)
{
	return upper_32_bits(start) != upper_32_bits(start + len - 1);
}

static void set_range(struct bpf_arena *arena, u64 start, u64 len)
{
	u32 nr_pages = len >> PAGE_SHIFT;

	arena_kmap_set_range(&arena->kmap, lower_32_bits(start));
	arena_space_init(&arena->space, space_mem(arena), nr_pages);
	arena->nr_pages = nr_pages;
	arena->user_vm_end = start + len;
	/* Whoever sees the address may use all that comes before */
	smp_store_release(&arena->user_vm_start, start);
}

/* Refuse a user range that is not the arena's, or make it the arena's. */
static int fix_range(struct bpf_arena *arena, u64 start, u64 len)
{
	/* Two processes may be here for the first time, with different addresses */
	lockdep_assert_held(&arena->map.freeze_mutex);

	if (arena->user_vm_start)
		return arena->user_vm_start == start &&
		       arena->user_vm_end == start + len ? 0 : -EBUSY;
	if (len > (u64)arena->map.max_entries << PAGE_SHIFT)
		return -E2BIG;
	if (!start)
		return -EINVAL;
	if (crosses_4g(start, len))
		return -ERANGE;
	set_range(arena, start, len);

	return 0;
}

static unsigned long find_area(struct file *filp, unsigned long addr,
			       unsigned long len, unsigned long flags)
{
	return current->mm->get_unmapped_area(filp, addr, len, 0, flags);
}

static unsigned long arena_get_unmapped_area(struct file *filp,
					     unsigned long addr,
					     unsigned long len,
					     unsigned long pgoff,
					     unsigned long flags)
{
	struct bpf_arena *arena = to_arena(filp->private_data);
	u64 start = bpf_arena_get_user_vm_start(arena);
	unsigned long ret;

	if (pgoff)
		return -EINVAL;
	if (len > (u64)arena->map.max_entries << PAGE_SHIFT)
		return -E2BIG;

	if (start) {
		/* An address that was asked for at creation must be given */
		int err = arena->map.map_extra ? -EINVAL : -EBUSY;

		if (!addr && err == -EBUSY)
			addr = start;
		if (addr != start || len != arena->user_vm_end - start)
			return err;
		return find_area(filp, addr, len, flags);
	}

	ret = find_area(filp, addr, len, flags);
	if (IS_ERR_VALUE(ret) || !crosses_4g(ret, len))
		return ret;
	if (flags & MAP_FIXED)
		return -ERANGE;

	/* Twice the length has room for it on one side of the boundary */
	ret = find_area(filp, 0, 2 * len, flags);
	if (IS_ERR_VALUE(ret) || !crosses_4g(ret, len))
		return ret;

	return round_up(ret, SZ_4G);
}

/*
 * Requests to the workers. A caller in NMI cannot queue work, but it can queue
 * an irq_work that does. A bit is set from the first request until the worker
 * begins (to trim) or has ended (to refill), so that nobody asks twice.
 */

static __always_inline bool requested(struct bpf_arena *arena, enum arena_request req)
{
	return test_bit(req, &arena->requests) ||
	       test_and_set_bit(req, &arena->requests);
}

static void request_refill(struct bpf_arena *arena)
{
	if (requested(arena, ARENA_REQ_REFILL))
		return;
	/* It charges the map's memory cgroup, which a map without users lacks */
	bpf_map_inc(&arena->map);
	set_bit(ARENA_REQ_QUEUE_REFILL, &arena->requests);
	irq_work_queue(&arena->irq_work);
}

/* @req: ARENA_REQ_TRIM, in a while, or ARENA_REQ_UNMAP, now */
static __always_inline void request_trim(struct bpf_arena *arena, enum arena_request req)
{
	if (!requested(arena, req))
		irq_work_queue(&arena->irq_work);
}

/* To wake up the faults that wait for an allocation */
static noinline void request_wake(struct bpf_arena *arena)
{
	set_bit(ARENA_REQ_WAKE, &arena->requests);
	irq_work_queue(&arena->irq_work);
}

/* What is requested may be under way already: then queueing it changes nothing. */
static void arena_irq_work(struct irq_work *work)
{
	struct bpf_arena *arena = container_of(work, struct bpf_arena, irq_work);

	if (test_and_clear_bit(ARENA_REQ_QUEUE_REFILL, &arena->requests))
		queue_work(system_unbound_wq, &arena->refill_work);
	if (test_and_clear_bit(ARENA_REQ_WAKE, &arena->requests))
		wake_up_all(&arena->waitq);
	if (test_bit(ARENA_REQ_UNMAP, &arena->requests))
		mod_delayed_work(system_unbound_wq, &arena->trim_work, 0);
	else if (test_bit(ARENA_REQ_TRIM, &arena->requests))
		queue_delayed_work(system_unbound_wq, &arena->trim_work,
				   ARENA_TRIM_PERIOD);
}

static void give_offset(struct arena_kmap *kmap, u32 idx)
{
	struct bpf_arena *arena = container_of(kmap, struct bpf_arena, kmap);

	arena_space_give(&arena->space, idx, 1);
}

static void arena_trim(struct bpf_arena *arena, bool all, u32 want)
{
	if (arena_kmap_trim(&arena->kmap, &arena->mapping, all, want, give_offset))
		arena_stock_memory_freed(&arena->stock);
}

/* Let parked pages go that are missing elsewhere, and some more for the next time. */
static void trim_for(struct bpf_arena *arena, u32 n)
{
	arena_trim(arena, true, n + ARENA_TRIM_MORE);
}

/* Let all parked pages go: one of them is in the way. */
static void trim_all(struct bpf_arena *arena)
{
	arena_trim(arena, true, U32_MAX);
}

static void arena_trim_work(struct work_struct *work)
{
	struct bpf_arena *arena = container_of(to_delayed_work(work),
					       struct bpf_arena, trim_work);
	bool again;

	clear_bit(ARENA_REQ_UNMAP, &arena->requests);
	clear_bit(ARENA_REQ_TRIM, &arena->requests);
	/* Who parks a page that is not seen below asks again */
	smp_mb__after_atomic();

	arena_trim(arena, false, U32_MAX);
	filemap_invalidate_lock_shared(&arena->mapping);
	again = arena_kmap_has_parked(&arena->kmap);
	filemap_invalidate_unlock_shared(&arena->mapping);
	if (again && !test_and_set_bit(ARENA_REQ_TRIM, &arena->requests))
		queue_delayed_work(system_unbound_wq, &arena->trim_work,
				   ARENA_TRIM_PERIOD);
}

static int fill_stock(struct bpf_arena *arena)
{
	return arena_stock_init(&arena->stock, &arena->map, arena->nr_pages) ?:
	       arena_stock_fill(&arena->stock, &arena->map);
}

static void arena_refill_work(struct work_struct *work)
{
	struct bpf_arena *arena = container_of(work, struct bpf_arena,
					       refill_work);

	/* Parked pages count against the same limit */
	if (fill_stock(arena)) {
		trim_for(arena, ARENA_ATOMIC_MAX_PAGES);
		fill_stock(arena);
	}
	clear_bit(ARENA_REQ_REFILL, &arena->requests);
	bpf_map_put(&arena->map);
}

/*
 * Waiting for an allocation.
 */

/* There are new pages, or free offsets. */
static inline void wake_waiters(struct bpf_arena *arena)
{
	/* Without a barrier: see ARENA_WAIT_MAX for what is missed */
	if (unlikely(waitqueue_active(&arena->waitq)))
		request_wake(arena);
}

/*
 * Is an allocation of the page under way? Also true for a moment while the page is
 * freed, or while an attempt to take the offset fails.
 */
static bool is_under_way(const struct bpf_arena *arena, u32 idx)
{
	unsigned long taken = arena_space_taken_word(&arena->space, idx / BITS_PER_LONG);

	return taken & BIT(idx % BITS_PER_LONG) &&
	       !arena_kmap_live(&arena->kmap, idx) &&
	       !arena_kmap_is_pinned(&arena->kmap, idx);
}

/* Returns 0, or -ERESTARTSYS after a signal: a fatal one, unless @interruptible. */
static int wait_until_done(struct bpf_arena *arena, u32 idx, bool interruptible)
{
	long left, period;

	for (period = 1; ; period = min(2 * period, ARENA_WAIT_MAX)) {
		if (interruptible)
			left = wait_event_interruptible_timeout(arena->waitq,
								!is_under_way(arena, idx),
								period);
		else
			left = wait_event_killable_timeout(arena->waitq,
							   !is_under_way(arena, idx),
							   period);
		if (left)
			return left < 0 ? left : 0;
	}
}

/*
 * Allocation.
 */

static inline bool in_reclaim(void)
{
	return current->flags & PF_MEMALLOC;
}

static struct page *new_page(struct bpf_arena *arena, int node, gfp_t gfp)
{
	struct page *page;

	if (!gfpflags_allow_blocking(gfp)) {
		page = arena_stock_get(&arena->stock);
		if (arena_stock_low(&arena->stock))
			request_refill(arena);
		return page;
	}

	return arena_page_alloc(&arena->map, node, gfp);
}

/*
 * A chunk of the space is missing. Returns 0 or -ENOMEM; then what was to be done
 * with the space can be tried again.
 */
static int add_chunk(struct bpf_arena *arena, u32 chunk, gfp_t gfp)
{
	struct page *page = new_page(arena, NUMA_NO_NODE, gfp);

	BUILD_BUG_ON(sizeof(struct arena_chunk) > PAGE_SIZE);

	if (!page)
		return -ENOMEM;
	if (arena_space_add(&arena->space, chunk, page_address(page)))
		return 0;

	/* Somebody else was faster */
	if (gfpflags_allow_blocking(gfp))
		arena_page_free(page);
	else
		arena_stock_return(&arena->stock, page);

	return 0;
}

/* Take the range. Returns 0, -EBUSY or -ENOMEM. */
static int take_range(struct bpf_arena *arena, u32 start, u32 n, gfp_t gfp)
{
	u32 missing;
	int err;

	do {
		err = arena_space_take(&arena->space, start, n, &missing);
	} while (err == -EAGAIN && !(err = add_chunk(arena, missing, gfp)));

	return err;
}

static struct page *get_page_for(struct arena_kmap *kmap,
				 const struct arena_page_source *from)
{
	struct bpf_arena *arena = container_of(kmap, struct bpf_arena, kmap);

	return new_page(arena, from->node, from->gfp);
}

/* Give the offsets in [@start, @end) back, but for pinned pages; there is one at @start. */
static void give_around_pinned(struct bpf_arena *arena, u32 start, u32 end, bool may_sleep)
{
	u32 idx, from = start;

	for (idx = start; idx < end; idx++) {
		if (may_sleep && !(idx % BITS_PER_LONG))
			cond_resched();
		if (!arena_kmap_set_pinned(&arena->kmap, idx))
			continue;
		if (idx > from)
			arena_space_give(&arena->space, from, idx - from);
		from = idx + 1;
	}
	if (end > from)
		arena_space_give(&arena->space, from, end - from);
}

/* Give offsets back, and what arena_kmap_populate() has parked its time. */
static noinline void give_after_error(struct bpf_arena *arena, u32 start, u32 n,
				      u32 done, int err, bool may_sleep)
{
	if (err != -EAGAIN)
		done = n;
	if (done)
		arena_space_give(&arena->space, start, done);
	if (done < n)
		give_around_pinned(arena, start + done, start + n, may_sleep);
	request_trim(arena, ARENA_REQ_TRIM);
	wake_waiters(arena);
}

/*
 * Give [@start, @start + @n), which the caller has taken, its pages, and let
 * everybody see them: all or none. After an error the range is free again, but for
 * pinned pages, if it was that (-EAGAIN).
 */
static inline int populate(struct bpf_arena *arena, u32 start, u32 n, int node,
			   gfp_t gfp)
{
	const struct arena_page_source from = {
		.get = get_page_for,
		.node = node,
		.gfp = gfp,
	};
	u32 done;
	int err;

	err = arena_kmap_populate(&arena->kmap, start, n, &from, &done);
	if (err)
		give_after_error(arena, start, n, done, err,
				 gfpflags_allow_blocking(gfp));
	else if (n >= ARENA_WAKE_PAGES)
		wake_waiters(arena);

	return err;
}

/*
 * Translate what a program says is the address of an arena page. Only the low
 * 32 bits count: it may come from before or after a cast.
 */
static s64 to_offset(const struct bpf_arena *arena, const void *addr)
{
	return (s64)lower_32_bits((unsigned long)addr) -
	       lower_32_bits(arena->user_vm_start);
}

/*
 * Take @n pages where they fit, from page offset @from on. Returns a page offset,
 * -ENOSPC or -ENOMEM.
 */
static long take_lowest(struct bpf_arena *arena, u32 n, u32 from, gfp_t gfp)
{
	u32 missing;
	long start;

	do {
		start = arena_space_alloc(&arena->space, n, from, &missing);
	} while (start == -EAGAIN && !(start = add_chunk(arena, missing, gfp)));

	return start;
}

/* Returns the page offset of @n pages at @addr, or -EINVAL. */
static long to_page_offset(const struct bpf_arena *arena, const void *addr, u32 n)
{
	s64 off = to_offset(arena, addr);

	if (off < 0 || offset_in_page(off))
		return -EINVAL;
	off >>= PAGE_SHIFT;

	return off + n > arena->nr_pages ? -EINVAL : off;
}

/*
 * Take @n pages at @addr, or where they fit from page offset @from on. Returns a page
 * offset or error.
 */
static long take_pages(struct bpf_arena *arena, const void *addr, u32 n, u32 from, gfp_t gfp)
{
	long start;

	if (!addr)
		return take_lowest(arena, n, from, gfp);

	start = to_page_offset(arena, addr, n);
	if (start < 0)
		return start;

	return take_range(arena, start, n, gfp) ?: start;
}

/*
 * There are no pages, offsets or tries left. Parked pages that leave may help, pinned
 * ones among them: those take up offsets, of which one may be what is wanted.
 */
static bool trim_may_help(const struct bpf_arena *arena, int err)
{
	return err == -ENOMEM || err == -EAGAIN ||
	       ((err == -ENOSPC || err == -EBUSY) && atomic_read(&arena->kmap.nr_pinned));
}

/* After @tries for @n pages that met pinned ones: shall there be one more? */
static bool go_on(u32 tries, u32 n, bool may_sleep)
{
	if (!may_sleep)
		return tries * (n + ARENA_TRY_COST) < ARENA_ATOMIC_LOOKS;
	cond_resched();

	return tries % ARENA_TRY_COST || !fatal_signal_pending(current);
}

/*
 * Returns a page offset or error. Pinned pages that are met are set aside, and it goes
 * on with what is above them.
 */
static long take_and_populate(struct bpf_arena *arena, const void *addr, u32 n,
			      int node, gfp_t gfp)
{
	bool may_sleep = gfpflags_allow_blocking(gfp), trimmed = false;
	u32 pinned = 0, from = 0;
	long start, ret;

	for (;;) {
		start = take_pages(arena, addr, n, from, gfp);
		ret = start < 0 ? start : populate(arena, start, n, node, gfp);
		if (!ret)
			return start;

		if (ret == -EAGAIN && !addr && go_on(++pinned, n, may_sleep)) {
			from = start;
			continue;
		}
		if (!may_sleep || trimmed || !trim_may_help(arena, ret))
			return ret;
		if (ret == -ENOMEM)
			trim_for(arena, n);
		else
			trim_all(arena);
		trimmed = true;
		from = 0;
	}
}

static void *user_addr(const struct bpf_arena *arena, u32 idx)
{
	return (void *)(unsigned long)(arena->user_vm_start +
				       ((u64)idx << PAGE_SHIFT));
}

static noinline void *alloc_pages_slow(struct bpf_arena *arena, const void *addr,
				       u32 n, int node, bool may_sleep)
{
	gfp_t gfp = may_sleep && !in_reclaim() ? ARENA_GFP_PROG : GFP_NOWAIT;
	long start;

	if (node != NUMA_NO_NODE &&
	    ((u32)node >= nr_node_ids || !node_online(node)))
		return NULL;
	if (!n || n > arena->nr_pages)
		return NULL;
	if (n > ARENA_ATOMIC_MAX_PAGES && !gfpflags_allow_blocking(gfp))
		return NULL;

	if (!addr && n > 1) {
		start = arena_space_alloc_few(&arena->space, n);
		if (start >= 0 && !populate(arena, start, n, node, gfp))
			return user_addr(arena, start);
	}
	start = take_and_populate(arena, addr, n, node, gfp);

	return start < 0 ? NULL : user_addr(arena, start);
}

/* There is no page yet at an offset that was taken for a single one. */
static noinline void *alloc_page_at(struct bpf_arena *arena, u32 idx, bool may_sleep)
{
	gfp_t gfp = may_sleep && !in_reclaim() ? ARENA_GFP_PROG : GFP_NOWAIT;

	if (!populate(arena, idx, 1, NUMA_NO_NODE, gfp))
		return user_addr(arena, idx);

	return alloc_pages_slow(arena, NULL, 1, NUMA_NO_NODE, may_sleep);
}

static __always_inline void *alloc_pages_at(struct bpf_map *map, const void *addr,
					    u32 n, int node, u64 flags,
					    bool may_sleep)
{
	struct bpf_arena *arena;
	long start;

	if (!is_usable(map) || flags)
		return NULL;
	arena = to_arena(map);
	if (n != 1 || addr || node != NUMA_NO_NODE)
		return alloc_pages_slow(arena, addr, n, node, may_sleep);

	/* A page that was there before is what programs want most of the time */
	start = arena_space_alloc_one(&arena->space);
	if (start < 0)
		return alloc_pages_slow(arena, NULL, 1, NUMA_NO_NODE, may_sleep);
	if (arena_kmap_revive(&arena->kmap, start))
		return user_addr(arena, start);

	return alloc_page_at(arena, start, may_sleep);
}

static int reserve_range(struct bpf_arena *arena, u32 start, u32 n, gfp_t gfp)
{
	u32 missing;
	int err;

	do {
		err = arena_space_reserve(&arena->space, start, n, &missing);
	} while (err == -EAGAIN && !(err = add_chunk(arena, missing, gfp)));

	return err;
}

static int reserve_pages_at(struct bpf_map *map, const void *addr, u32 n,
			    bool may_sleep)
{
	gfp_t gfp = may_sleep && !in_reclaim() ? ARENA_GFP_PROG : GFP_NOWAIT;
	struct bpf_arena *arena;
	long start;
	int err;

	if (!is_usable(map))
		return -EINVAL;
	if (!n)
		return 0;
	arena = to_arena(map);
	start = to_page_offset(arena, addr, n);
	if (start < 0)
		return start;

	err = reserve_range(arena, start, n, gfp);
	if (err == -EBUSY && gfpflags_allow_blocking(gfp) && trim_may_help(arena, err)) {
		trim_all(arena);
		err = reserve_range(arena, start, n, gfp);
	}

	return err;
}

/*
 * Free.
 */

/* Park pages of a word. Returns true if there was one. */
static inline bool park_word(struct bpf_arena *arena, u32 word, unsigned long mask,
			     bool *mapped)
{
	mask = arena_kmap_park_word(&arena->kmap, word * BITS_PER_LONG, mask, mapped);
	if (!mask)
		return false;
	arena_space_give_mask(&arena->space, word, mask);

	return true;
}

/* As above, for the pages in [@start, @end), of which few may be there. */
static noinline bool park_words(struct bpf_arena *arena, u32 start, u32 end,
				bool may_sleep, bool *mapped)
{
	u32 word, last_word = (end - 1) / BITS_PER_LONG;
	bool any = false;

	for (word = start / BITS_PER_LONG; word <= last_word; word++) {
		unsigned long mask = arena_space_taken_word(&arena->space, word);

		if (word == start / BITS_PER_LONG)
			mask &= BITMAP_FIRST_WORD_MASK(start);
		if (word == last_word)
			mask &= BITMAP_LAST_WORD_MASK(end);
		if (mask)
			any |= park_word(arena, word, mask, mapped);
		if (may_sleep)
			cond_resched();
	}

	return any;
}

static inline void request_trim_after_free(struct bpf_arena *arena, bool mapped)
{
	if (mapped)
		request_trim(arena, ARENA_REQ_UNMAP);
	else
		request_trim(arena, ARENA_REQ_TRIM);
}

/*
 * With the lock, no fault can be about to map a page that it has looked up: what is
 * mapped when the lock is held is all that there will be.
 */
static inline void unmap_range(struct bpf_arena *arena, u32 start, u32 n)
{
	filemap_invalidate_lock(&arena->mapping);
	unmap_mapping_pages(&arena->mapping, start, n, false);
	filemap_invalidate_unlock(&arena->mapping);
}

/*
 * The page was parked: does anybody have it mapped, or may be about to? A fault holds
 * the lock from before it looks the page up until it is mapped. Without a holder now,
 * after the page was parked, it either has not looked yet, and will not find the page,
 * or it is done, and the page is mapped.
 */
static inline bool may_be_mapped(struct bpf_arena *arena, struct page *page)
{
	/* Pairs with the barrier in fault_once(), after that in arena_kmap_park() */
	if (rwsem_is_locked(&arena->mapping.invalidate_lock))
		return true;
	/* Pairs with the release of the lock */
	smp_rmb();

	return arena_page_may_be_mapped(page);
}

/* Park the pages in [@start, @end). Returns true if there was one. */
static inline bool park_range(struct bpf_arena *arena, u32 start, u32 end,
			      bool may_sleep, bool *mapped)
{
	u32 word = start / BITS_PER_LONG;
	bool parked;

	if (word == (end - 1) / BITS_PER_LONG)
		parked = park_word(arena, word, BITMAP_FIRST_WORD_MASK(start) &
				   BITMAP_LAST_WORD_MASK(end), mapped);
	else
		parked = park_words(arena, start, end, may_sleep, mapped);
	if (parked)
		arena_kmap_flush_local(&arena->kmap, start, end);

	return parked;
}

/* As above, and when it returns user space has them mapped no more. */
static bool park_and_unmap(struct bpf_arena *arena, u32 start, u32 end)
{
	bool parked, mapped = false;

	filemap_invalidate_lock(&arena->mapping);
	parked = park_range(arena, start, end, true, &mapped);
	if (mapped)
		unmap_mapping_pages(&arena->mapping, start, end - start, false);
	filemap_invalidate_unlock(&arena->mapping);

	return parked;
}

static noinline void free_range(struct bpf_arena *arena, u32 start, u32 end,
				bool may_sleep)
{
	bool parked = false, mapped = false;
	u32 from, to;

	if (may_sleep) {
		for (from = start; from < end; from = to) {
			to = min(round_down(from, ARENA_FREE_BATCH) + ARENA_FREE_BATCH, end);
			parked |= park_and_unmap(arena, from, to);
		}
	} else {
		parked = park_range(arena, start, end, false, &mapped);
	}
	if (arena_space_has_reserved(&arena->space))
		arena_space_unreserve(&arena->space, start, end - start);
	if (parked)
		request_trim_after_free(arena, mapped);
}

static __always_inline void free_page_at(struct bpf_arena *arena, u32 idx, bool may_sleep)
{
	struct page *page = arena_kmap_park(&arena->kmap, idx);
	bool mapped;

	if (!page) {
		if (arena_space_has_reserved(&arena->space))
			arena_space_unreserve(&arena->space, idx, 1);
		return;
	}

	if (may_sleep) {
		mapped = may_be_mapped(arena, page);
		arena_space_give(&arena->space, idx, 1);
		arena_kmap_flush_local(&arena->kmap, idx, idx + 1);
		if (mapped && !in_reclaim()) {
			unmap_range(arena, idx, 1);
			mapped = false;
		}
	} else {
		mapped = arena_page_may_be_mapped(page);
		arena_space_give(&arena->space, idx, 1);
		arena_kmap_flush_local(&arena->kmap, idx, idx + 1);
	}
	request_trim_after_free(arena, mapped);
}

static __always_inline void free_pages_at(struct bpf_map *map, const void *addr,
					  u32 n, bool may_sleep)
{
	struct bpf_arena *arena;
	s64 start, end;

	if (!is_usable(map) || !addr)
		return;
	arena = to_arena(map);

	start = to_offset(arena, addr) >> PAGE_SHIFT;
	if (n == 1) {
		if ((u64)start < arena->nr_pages)
			free_page_at(arena, start, may_sleep);
		return;
	}
	end = min_t(s64, start + n, arena->nr_pages);
	start = max_t(s64, start, 0);
	if (start < end)
		free_range(arena, start, end, may_sleep && !in_reclaim());
}

/*
 * User mappings.
 */

/* Map pages from page offset @start on. Some may be mapped already. */
static int map_pages(struct vm_area_struct *vma, u32 start, struct page **pages,
		     unsigned long n)
{
	unsigned long addr = vma->vm_start + ((unsigned long)start << PAGE_SHIFT);
	unsigned long done = 0, left = n;
	int err = 0;

	while (left) {
		err = vm_insert_pages(vma, addr + (done << PAGE_SHIFT),
				      pages + done, &left);
		if (err != -EBUSY)
			break;
		/* Somebody else's fault was faster: not an error */
		err = 0;
		left--;
		done = n - left;
	}

	return err;
}

/*
 * Map what is there in [@start, @end), a part of which faulted, in one go. It is no
 * error if that is not there any more: then the fault happens again.
 */
static int map_range(struct vm_area_struct *vma, u32 start, u32 end)
{
	struct bpf_arena *arena = to_arena(vma->vm_file->private_data);
	struct page *pages[ARENA_FAULT_AROUND];
	u32 n, idx;
	int err;

	/* There is no page behind a run */
	for (idx = start; idx < end; idx += n + 1) {
		n = arena_kmap_live_run(&arena->kmap, idx, end, pages);
		err = map_pages(vma, idx, pages, n);
		if (err)
			return err;
	}

	return 0;
}

/*
 * The pages that a fault maps, if they exist: of the arena, and at addresses that are in
 * one user page table. That is there already, so none is allocated under the lock.
 */
static void fault_around(const struct vm_fault *vmf, u32 nr_pages, u32 *start, u32 *end)
{
	u32 below = (vmf->address >> PAGE_SHIFT) % ARENA_FAULT_AROUND;
	u32 idx = vmf->pgoff;

	BUILD_BUG_ON(PTRS_PER_PTE % ARENA_FAULT_AROUND);

	*start = idx - min(idx, below);
	*end = min(idx - below + ARENA_FAULT_AROUND, nr_pages);
}

/* A debugger looks, or process_vm_readv(): that is no reason to have a page. */
static bool only_looks(const struct vm_fault *vmf)
{
	return (vmf->flags & (FAULT_FLAG_REMOTE | FAULT_FLAG_WRITE)) == FAULT_FLAG_REMOTE;
}

/* There was no page, and none is to be made. Is there one by now, or will there be? */
static vm_fault_t fault_without_page(struct bpf_arena *arena, u32 idx, vm_fault_t error)
{
	if (is_under_way(arena, idx))
		return VM_FAULT_RETRY;

	return arena_kmap_live(&arena->kmap, idx) ? 0 : error;
}

/*
 * Have a live page where there was none. Returns 0, or what to answer; VM_FAULT_RETRY
 * if an allocation of the page is under way.
 */
static vm_fault_t alloc_for_fault(struct bpf_arena *arena, const struct vm_fault *vmf)
{
	gfp_t gfp = in_reclaim() ? GFP_NOWAIT : ARENA_GFP_USER;
	u32 idx = vmf->pgoff;
	int err;

	if (arena->map.map_flags & BPF_F_SEGV_ON_FAULT)
		return fault_without_page(arena, idx, VM_FAULT_SIGSEGV);
	if (only_looks(vmf))
		return fault_without_page(arena, idx, VM_FAULT_SIGBUS);

	err = take_range(arena, idx, 1, gfp);
	if (err == -EBUSY) {
		if (arena_space_is_reserved(&arena->space, idx))
			return VM_FAULT_SIGSEGV;
		if (arena_kmap_is_pinned(&arena->kmap, idx))
			return VM_FAULT_OOM;
		return VM_FAULT_RETRY;
	}

	if (!err)
		err = populate(arena, idx, 1, NUMA_NO_NODE, gfp);

	return err ? VM_FAULT_OOM : 0;
}

static vm_fault_t fault_once(struct vm_fault *vmf)
{
	struct bpf_arena *arena = to_arena(vmf->vma->vm_file->private_data);
	u32 start, end;
	vm_fault_t ret;
	int err;

	if (arena_kmap_live(&arena->kmap, vmf->pgoff)) {
		fault_around(vmf, arena->nr_pages, &start, &end);
	} else {
		ret = alloc_for_fault(arena, vmf);
		if (ret)
			return ret;
		/* Who writes to pages that are not there finds no neighbours, either */
		start = vmf->pgoff;
		end = start + 1;
	}

	filemap_invalidate_lock_shared(&arena->mapping);
	/* Pairs with the barrier before may_be_mapped() */
	smp_mb();
	err = map_range(vmf->vma, start, end);
	filemap_invalidate_unlock_shared(&arena->mapping);

	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/*
 * Wait for the allocation that is under way. mmap_lock is dropped meanwhile, or the
 * whole process would wait. If the caller insists on it (ptrace does), a fatal signal
 * ends the wait all the same.
 */
static vm_fault_t wait_for_allocation(struct vm_fault *vmf)
{
	/* A user sees its signals at once; a fault in the kernel would begin again */
	const unsigned int interruptible = FAULT_FLAG_USER | FAULT_FLAG_INTERRUPTIBLE;
	struct vm_area_struct *vma = vmf->vma;
	struct bpf_arena *arena = to_arena(vma->vm_file->private_data);
	unsigned int flags = vmf->flags;
	u32 idx = vmf->pgoff;
	struct file *file;

	/* What this task does in reclaim may be a part of that allocation */
	if (in_reclaim())
		return is_under_way(arena, idx) ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
	if (!(flags & FAULT_FLAG_ALLOW_RETRY))
		return wait_until_done(arena, idx, false) ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
	if (flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;

	/* Without mmap_lock, the mapping may go, and the map with it */
	file = get_file(vma->vm_file);
	mmap_read_unlock(vma->vm_mm);
	wait_until_done(arena, idx, (flags & interruptible) == interruptible);
	fput(file);

	return VM_FAULT_RETRY;
}

static vm_fault_t arena_vm_fault(struct vm_fault *vmf)
{
	struct bpf_arena *arena = to_arena(vmf->vma->vm_file->private_data);
	vm_fault_t ret;

	/*
	 * Before the invalidate lock: reclaim for it may call a program that frees
	 * pages of this arena.
	 */
	if (pte_alloc(vmf->vma->vm_mm, vmf->pmd))
		return VM_FAULT_OOM;

	ret = fault_once(vmf);
	if (ret == VM_FAULT_OOM && !in_reclaim()) {
		/* Parked pages may be what is missing, or what is in the way */
		if (arena_kmap_is_pinned(&arena->kmap, vmf->pgoff))
			trim_all(arena);
		else
			trim_for(arena, 1);
		ret = fault_once(vmf);
	}
	if (ret == VM_FAULT_RETRY)
		return wait_for_allocation(vmf);
	/*
	 * After VM_FAULT_OOM the fault would be tried again for ever, when it is
	 * the limit of the map's memory cgroup, not that of the task, that is hit.
	 */
	return ret == VM_FAULT_OOM ? VM_FAULT_SIGBUS : ret;
}

/* The arena has one size and one address. */
static int arena_vm_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int arena_vm_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct arena_vm_ops = {
	.open		= bpf_map_mmap_open,
	.close		= bpf_map_mmap_close,
	.may_split	= arena_vm_may_split,
	.mremap		= arena_vm_mremap,
	.fault		= arena_vm_fault,
};

static int arena_map_mmap(struct bpf_map *map, struct vm_area_struct *vma)
{
	int err;

	if (vma->vm_pgoff)
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	/* bpf_map_mmap() has dropped it by now */
	mutex_lock(&map->freeze_mutex);
	err = fix_range(to_arena(map), vma->vm_start, vma->vm_end - vma->vm_start);
	mutex_unlock(&map->freeze_mutex);
	if (err)
		return err;

	/*
	 * VM_MIXEDMAP is what vm_insert_page() needs. A core dump would touch, and so
	 * allocate, each page that is not there.
	 */
	vma->vm_flags |= VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP | VM_MIXEDMAP;
	vma->vm_ops = &arena_vm_ops;

	return 0;
}

static void arena_map_init_file(struct bpf_map *map, struct file *file)
{
	struct address_space *mapping = &to_arena(map)->mapping;

	/* The inode is the one of all anonymous files, and never goes away */
	mapping->host = file_inode(file);
	file->f_mapping = mapping;
}

/*
 * The map's fd is a file with holes: it has the size of the arena, 0 until the address
 * is known, and what programs cannot reach is a hole. It can be read, and reading
 * leaves the arena as it is.
 */

static loff_t file_size(const struct bpf_arena *arena)
{
	u64 start = bpf_arena_get_user_vm_start(arena);

	return start ? arena->user_vm_end - start : 0;
}

static loff_t arena_map_llseek(struct bpf_map *map, struct file *file, loff_t offset,
			       int whence)
{
	struct bpf_arena *arena = to_arena(map);
	loff_t size = file_size(arena);
	u32 idx, found;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek_size(file, offset, whence, size, size);
	if (offset < 0 || offset >= size)
		return -ENXIO;

	idx = offset >> PAGE_SHIFT;
	found = arena_kmap_seek(&arena->kmap, idx, arena->nr_pages,
				whence == SEEK_DATA);
	if (whence == SEEK_DATA && found == arena->nr_pages)
		return -ENXIO;
	if (found > idx)
		offset = (loff_t)found << PAGE_SHIFT;

	return vfs_setpos(file, offset, size);
}

/*
 * Copy @n bytes at @pos, all in one page, to where they are in a page at @copy: by
 * words, so that each pointer that somebody stores meanwhile is the old or the new one.
 */
static void read_page(struct bpf_arena *arena, loff_t pos, u64 *copy, size_t n)
{
	u32 i = offset_in_page(pos) / sizeof(u64);
	u32 end = DIV_ROUND_UP(offset_in_page(pos) + n, sizeof(u64));
	struct page *page;
	u64 *from;

	filemap_invalidate_lock_shared(&arena->mapping);
	page = arena_kmap_live(&arena->kmap, pos >> PAGE_SHIFT);
	from = page ? page_address(page) : NULL;
	for (; i < end; i++)
		copy[i] = from ? READ_ONCE(from[i]) : 0;
	filemap_invalidate_unlock_shared(&arena->mapping);
}

static ssize_t arena_map_read(struct bpf_map *map, char __user *buf, size_t size,
			      loff_t *ppos)
{
	struct bpf_arena *arena = to_arena(map);
	loff_t pos = *ppos, end = file_size(arena);
	ssize_t done = 0;
	u64 *copy;

	if (pos >= end || !size)
		return 0;
	end = min_t(u64, end, pos + size);

	/*
	 * The page must not be pinned, or the offset would be lost to allocations, and
	 * the lock cannot be held while user space faults: it may do so in an arena.
	 */
	copy = (u64 *)__get_free_page(GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	while (pos < end && !fatal_signal_pending(current)) {
		size_t n = min_t(u64, end - pos, PAGE_SIZE - offset_in_page(pos));

		read_page(arena, pos, copy, n);
		if (copy_to_user(buf + done, (char *)copy + offset_in_page(pos), n)) {
			done = done ?: -EFAULT;
			break;
		}
		pos += n;
		done += n;
		cond_resched();
	}
	free_page((unsigned long)copy);
	*ppos = pos;

	return done;
}

/*
 * The map type.
 */

static int arena_map_alloc_check(union bpf_attr *attr)
{
	u64 len = (u64)attr->max_entries << PAGE_SHIFT;
	u64 end;

	if (!ebpf_jit_enabled() || !bpf_jit_supports_arena())
		return -EOPNOTSUPP;
	if (attr->key_size || attr->value_size || !attr->max_entries ||
	    !(attr->map_flags & BPF_F_MMAPABLE) ||
	    attr->map_flags & ~(BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT |
				BPF_F_NO_USER_CONV))
		return -EINVAL;
	if (len > SZ_4G)
		return -E2BIG;
	if (!attr->map_extra)
		return 0;
	if (!PAGE_ALIGNED(attr->map_extra))
		return -EINVAL;
	if (check_add_overflow((u64)attr->map_extra, len, &end) ||
	    crosses_4g(attr->map_extra, len))
		return -ERANGE;
	if (end > TASK_SIZE_MAX)
		return -EINVAL;

	return 0;
}

static void init_mapping(struct address_space *mapping)
{
	address_space_init_once(mapping);
	mapping->a_ops = &empty_aops;
	mapping->gfp_mask = GFP_KERNEL;
	init_rwsem(&mapping->invalidate_lock);
	lockdep_set_class_and_name(&mapping->invalidate_lock,
				   &arena_invalidate_key,
				   "bpf_arena.invalidate_lock");
}

static int arena_init(struct bpf_arena *arena, union bpf_attr *attr)
{
	int err;

	mutex_init(&arena->stock.fill_lock);
	init_mapping(&arena->mapping);
	init_waitqueue_head(&arena->waitq);
	init_irq_work(&arena->irq_work, arena_irq_work);
	INIT_WORK(&arena->refill_work, arena_refill_work);
	INIT_DELAYED_WORK(&arena->trim_work, arena_trim_work);

	err = arena_kmap_init(&arena->kmap, kmap_mem(arena), attr->max_entries);
	if (!err && attr->map_extra)
		set_range(arena, attr->map_extra,
			  (u64)attr->max_entries << PAGE_SHIFT);

	return err;
}

static void free_chunks(struct bpf_arena *arena)
{
	struct arena_chunk *chunk;
	u32 i;

	for (i = 0; i < arena->space.nr_chunks; i++) {
		chunk = arena_space_chunk(&arena->space, i);
		if (chunk)
			arena_page_free(virt_to_page(chunk));
	}
}

static void arena_map_free(struct bpf_map *map)
{
	struct bpf_arena *arena = to_arena(map);

	/* A refill holds a reference to the map: no work is left, at most its irq */
	irq_work_sync(&arena->irq_work);
	cancel_delayed_work_sync(&arena->trim_work);
	arena_kmap_destroy(&arena->kmap);
	arena_stock_destroy(&arena->stock);
	free_chunks(arena);
	bpf_map_area_free(arena);
}

static struct bpf_map *arena_map_alloc(union bpf_attr *attr)
{
	struct bpf_arena *arena;
	int err;

	if (!bpf_capable())
		return ERR_PTR(-EPERM);

	arena = bpf_map_area_alloc(arena_bytes(attr->max_entries), NUMA_NO_NODE);
	if (!arena)
		return ERR_PTR(-ENOMEM);
	bpf_map_init_from_attr(&arena->map, attr);

	err = arena_init(arena, attr);
	if (err) {
		arena_map_free(&arena->map);
		return ERR_PTR(err);
	}

	return &arena->map;
}

static size_t chunk_bytes(const struct bpf_arena *arena)
{
	size_t bytes = 0;
	u32 i;

	for (i = 0; i < arena->space.nr_chunks; i++)
		if (arena_space_chunk(&arena->space, i))
			bytes += PAGE_SIZE;

	return bytes;
}

static u32 count_live(const struct bpf_arena *arena)
{
	const struct arena_kmap *kmap = &arena->kmap;
	u32 start, end = 0, n = 0;

	while ((start = arena_kmap_seek(kmap, end, arena->nr_pages, true)) < arena->nr_pages) {
		/* The first one may be gone: to look at it again might never end */
		end = arena_kmap_seek(kmap, start + 1, arena->nr_pages, false);
		n += end - start;
	}

	return n;
}

static void arena_map_show_fdinfo(const struct bpf_map *map, struct seq_file *m)
{
	const struct bpf_arena *arena = to_arena(map);
	u64 start = bpf_arena_get_user_vm_start(arena);

	seq_printf(m,
		   "user_vm_start:\t%#llx\n"
		   "nr_pages:\t%u\n"
		   "allocated_pages:\t%u\n"
		   "reserved_pages:\t%u\n",
		   start, start ? arena->nr_pages : 0,
		   start ? count_live(arena) : 0,
		   start ? arena_space_nr_reserved(&arena->space) : 0);
}

static u64 arena_map_mem_usage(const struct bpf_map *map)
{
	const struct bpf_arena *arena = to_arena(map);

	return arena_bytes(map->max_entries) + chunk_bytes(arena) +
	       arena_kmap_bytes(&arena->kmap) + arena_stock_bytes(&arena->stock);
}

/* A value in the arena is named by its user address. */
static int arena_map_direct_value_addr(const struct bpf_map *map, u64 *imm,
				       u32 off)
{
	const struct bpf_arena *arena = to_arena(map);

	if (off >= (u64)arena->nr_pages << PAGE_SHIFT)
		return -ERANGE;
	*imm = arena->user_vm_start;

	return 0;
}

static int arena_map_direct_value_meta(const struct bpf_map *map, u64 imm,
				       u32 *off)
{
	const struct bpf_arena *arena = to_arena(map);

	if (imm < arena->user_vm_start || imm >= arena->user_vm_end)
		return -ENOENT;
	*off = imm - arena->user_vm_start;

	return 0;
}

/* An arena has no elements. */

static void *arena_map_lookup_elem(struct bpf_map *map, void *key)
{
	return ERR_PTR(-EINVAL);
}

static int arena_map_update_elem(struct bpf_map *map, void *key, void *value,
				 u64 flags)
{
	return -EOPNOTSUPP;
}

static int arena_map_delete_elem(struct bpf_map *map, void *key)
{
	return -EOPNOTSUPP;
}

static int arena_map_get_next_key(struct bpf_map *map, void *key,
				  void *next_key)
{
	return -EOPNOTSUPP;
}

BTF_ID_LIST_SINGLE(bpf_arena_map_btf_ids, struct, bpf_arena)
const struct bpf_map_ops arena_map_ops = {
	.map_alloc_check = arena_map_alloc_check,
	.map_alloc = arena_map_alloc,
	.map_free = arena_map_free,
	.map_mmap = arena_map_mmap,
	.map_init_file = arena_map_init_file,
	.map_get_unmapped_area = arena_get_unmapped_area,
	.map_mem_usage = arena_map_mem_usage,
	.map_show_fdinfo = arena_map_show_fdinfo,
	.map_llseek = arena_map_llseek,
	.map_read = arena_map_read,
	.map_direct_value_addr = arena_map_direct_value_addr,
	.map_direct_value_meta = arena_map_direct_value_meta,
	.map_lookup_elem = arena_map_lookup_elem,
	.map_update_elem = arena_map_update_elem,
	.map_delete_elem = arena_map_delete_elem,
	.map_get_next_key = arena_map_get_next_key,
	.map_btf_id = &bpf_arena_map_btf_ids[0],
};

/*
 * What the verifier and the JIT ask.
 */

/**
 * bpf_arena_get_kern_vm_start - where the window of an arena begins
 * @arena: the arena, or NULL
 *
 * Return: the kernel address to which the low 32 bits of an arena pointer are
 * added; 0 without an arena.
 */
u64 bpf_arena_get_kern_vm_start(const struct bpf_arena *arena)
{
	return arena ? arena_kmap_window(&arena->kmap) : 0;
}

/**
 * bpf_arena_get_user_vm_start - where user space maps an arena
 * @arena: the arena, or NULL
 *
 * Return: the address, or 0 if it is not known yet, or without an arena.
 */
u64 bpf_arena_get_user_vm_start(const struct bpf_arena *arena)
{
	/* Pairs with set_range() */
	return arena ? smp_load_acquire(&arena->user_vm_start) : 0;
}

/**
 * bpf_arena_prepare_atomic - a program will call a kfunc where it must not sleep
 * @arena: the arena
 * @kfunc: address of the kfunc, from bpf_arena_atomic_kfunc()
 *
 * Puts pages in stock if it takes some: as many as one call can want. Called when the
 * program is loaded, so that the first run finds them.
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM.
 */
int bpf_arena_prepare_atomic(struct bpf_arena *arena, unsigned long kfunc)
{
	return kfunc == (unsigned long)bpf_arena_free_pages_atomic ? 0 : fill_stock(arena);
}

/*
 * The kfuncs. The first three are what programs name. Where a program must not
 * sleep the verifier calls one of the others instead.
 */

/**
 * bpf_arena_alloc_pages - allocate zeroed pages
 * @p__map: the arena
 * @addr__ign: where: the page aligned address of a free range, or NULL for the
 *	lowest place that fits
 * @page_cnt: how many pages, contiguous in the arena
 * @node_id: NUMA node of the pages, or NUMA_NO_NODE
 * @flags: must be 0
 *
 * Context: Any, by way of bpf_arena_alloc_pages_atomic() where the program must
 * not sleep.
 * Return: the user address of the first page; NULL if an argument is wrong or
 * there is no space or no memory, and then nothing has changed.
 */
void *bpf_arena_alloc_pages(void *p__map, void *addr__ign, u32 page_cnt,
			    int node_id, u64 flags)
{
	return alloc_pages_at(p__map, addr__ign, page_cnt, node_id, flags, true);
}

/**
 * bpf_arena_free_pages - free pages
 * @p__map: the arena
 * @ptr__ign: address of the first page; NULL frees nothing
 * @page_cnt: how many pages
 *
 * Frees what there is in the range: allocated by programs, or by user space that
 * touched it, or reserved. Nobody reads what was there before; but a CPU that
 * races with the free may go on to do so until it loses the translation.
 *
 * Context: Any, by way of bpf_arena_free_pages_atomic() where the program must
 * not sleep. Then user mappings of the pages go soon; otherwise they are gone on
 * return.
 */
void bpf_arena_free_pages(void *p__map, void *ptr__ign, u32 page_cnt)
{
	free_pages_at(p__map, ptr__ign, page_cnt, true);
}

/**
 * bpf_arena_reserve_pages - keep a range from being allocated
 * @p__map: the arena
 * @ptr__ign: page aligned address of the first page
 * @page_cnt: how many pages
 *
 * Neither an allocation nor a touch of user space gets a page of the range until
 * bpf_arena_free_pages() gives it back.
 *
 * Context: Any, by way of bpf_arena_reserve_pages_atomic() where the program must
 * not sleep.
 * Return: 0, -EINVAL if it is not an arena or the range leaves it, -EBUSY if a
 * part of the range is taken, -ENOMEM: then nothing has changed.
 */
int bpf_arena_reserve_pages(void *p__map, void *ptr__ign, u32 page_cnt)
{
	return reserve_pages_at(p__map, ptr__ign, page_cnt, true);
}

void *bpf_arena_alloc_pages_atomic(void *p__map, void *addr__ign, u32 page_cnt,
				   int node_id, u64 flags)
{
	return alloc_pages_at(p__map, addr__ign, page_cnt, node_id, flags, false);
}

void bpf_arena_free_pages_atomic(void *p__map, void *ptr__ign, u32 page_cnt)
{
	free_pages_at(p__map, ptr__ign, page_cnt, false);
}

int bpf_arena_reserve_pages_atomic(void *p__map, void *ptr__ign, u32 page_cnt)
{
	return reserve_pages_at(p__map, ptr__ign, page_cnt, false);
}

BTF_SET8_START(arena_kfuncs)
BTF_ID_FLAGS(func, bpf_arena_alloc_pages)
BTF_ID_FLAGS(func, bpf_arena_free_pages)
BTF_ID_FLAGS(func, bpf_arena_reserve_pages)
BTF_SET8_END(arena_kfuncs)

static const struct btf_kfunc_id_set arena_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &arena_kfuncs,
};

/**
 * bpf_arena_atomic_kfunc - what to call where a program must not sleep
 * @addr: address of a kfunc
 *
 * Return: address of its counterpart that does not sleep; 0 if there is none.
 */
unsigned long bpf_arena_atomic_kfunc(unsigned long addr)
{
	if (addr == (unsigned long)bpf_arena_alloc_pages)
		return (unsigned long)bpf_arena_alloc_pages_atomic;
	if (addr == (unsigned long)bpf_arena_free_pages)
		return (unsigned long)bpf_arena_free_pages_atomic;
	if (addr == (unsigned long)bpf_arena_reserve_pages)
		return (unsigned long)bpf_arena_reserve_pages_atomic;

	return 0;
}

/* Programs find the size of a page in BTF by this name, as in mainline. */
enum { __PAGE_SIZE = PAGE_SIZE };

/*
 * No allocation under the invalidate lock: lockdep reports one at once, not only when
 * reclaim meets a program that frees.
 */
static void __init teach_lockdep(void)
{
	struct rw_semaphore lock;

	if (!IS_ENABLED(CONFIG_LOCKDEP))
		return;
	init_rwsem(&lock);
	lockdep_set_class_and_name(&lock, &arena_invalidate_key, "bpf_arena.invalidate_lock");
	fs_reclaim_acquire(GFP_KERNEL);
	down_write(&lock);
	up_write(&lock);
	fs_reclaim_release(GFP_KERNEL);
}

static int __init arena_init_kfuncs(void)
{
	BTF_TYPE_EMIT_ENUM(__PAGE_SIZE);
	teach_lockdep();

	/* Programs of every type */
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_UNSPEC, &arena_kfunc_set);
}
late_initcall(arena_init_kfuncs);
