// SPDX-License-Identifier: GPL-2.0
/* The heap of ../bpf_arena_alloc.h: what it returns, and that nothing gets lost. */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf_arena_spin_lock.h"

/* What the heap unlocks somebody else locks at once, if a test wants it so. */
static void heap_unlock(arena_spinlock_t *lock);
#define arena_spin_unlock(lock)	heap_unlock(lock)
#include "bpf_arena_alloc.h"
#undef arena_spin_unlock

#include "harness.h"

#define WINDOW		0x100000000ULL
#define MAX_OBJECTS	5000
#define STEPS		300000
#define THREADS		4
#define THREAD_STEPS	60000
#define THREAD_OBJECTS	300

/* $HISTORIES of them are run, or so many. One thread races with nobody. */
#ifdef __SANITIZE_THREAD__
#define HISTORIES	20
#else
#define HISTORIES	1000
#endif
#define HISTORY_OBJECTS	400
#define HISTORY_PAGES	320

struct object {
	unsigned char *ptr;
	u32 size;
	unsigned char tag;
};

static struct arena_heap heap;
static char *window;
static struct object objects[MAX_OBJECTS];

/* A window of 4 GiB, as arenas are in, of which nothing is there before it is touched. */
static void map_window(void)
{
	char *mem = mmap(NULL, 2 * WINDOW, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(mem != MAP_FAILED);
	window = (char *)(((unsigned long)mem + WINDOW - 1) & ~(WINDOW - 1));
}

static void make_heap(u32 first, u32 pages)
{
	if (!window)
		map_window();
	CHECK_EQ(madvise(window, WINDOW, MADV_DONTNEED), 0);
	memset(&heap, 0, sizeof(heap));
	CHECK_EQ(arena_heap_init_range(&heap, window + first * (u64)PAGE_SIZE, pages), 0);
}

static struct arena_heap_stats get_stats(void)
{
	struct arena_heap_stats stats;

	arena_heap_stats(&heap, &stats);
	return stats;
}

/* The pool's lists, the page table and the numbers agree. */
static void check_pool(void)
{
	u32 bin, page, prev, pages, sum = 0;

	for (bin = 0; bin < ARENA_HEAP_BINS; bin++) {
		CHECK_EQ(!!heap.bin[bin], heap.bins >> bin & 1);
		prev = 0;
		for (page = heap.bin[bin]; page; page = arena_run_at(&heap, page)->next) {
			pages = arena_run_pages(&heap, page);
			CHECK(pages);
			CHECK_EQ(arena_run_bin(pages), bin);
			CHECK_EQ(arena_run_pages(&heap, page + pages - 1), pages);
			CHECK_EQ(arena_run_at(&heap, page)->prev, prev);
			/* or they would have grown together */
			CHECK_EQ(arena_run_pages(&heap, page - 1), 0);
			CHECK_EQ(arena_run_pages(&heap, page + pages), 0);
			sum += pages;
			prev = page;
		}
	}
	CHECK_EQ(heap.pool_pages, sum);
}

/* All is in the pool, but for the heap's tables. */
static void check_empty(void)
{
	struct arena_heap_stats stats;
	int i;

	arena_heap_trim(&heap);
	check_pool();
	stats = get_stats();
	CHECK_EQ(stats.bytes, 0);
	CHECK_EQ(stats.large_objects, 0);
	CHECK_EQ(stats.slab_pages, 0);
	CHECK_EQ(stats.transit_pages, 0);
	CHECK_EQ(stats.pool_pages + stats.table_pages, stats.pages);
	CHECK_EQ(heap.lost_pages, 0);
	for (i = 0; i < ARENA_HEAP_CLASSES; i++)
		CHECK_EQ(stats.class[i].slabs, 0);
}

/* Small ones mostly, and every size of which there is one. */
static u32 random_size(struct rng *rng)
{
	switch (rng_below(rng, 64)) {
	case 0:
		return rng_below(rng, 64) ? rng_below(rng, 65536) :
					    rng_below(rng, ARENA_MALLOC_MAX + 1);
	case 1 ... 8:
		return rng_below(rng, 4 * PAGE_SIZE);
	default:
		return rng_below(rng, 1 + rng_below(rng, 700));
	}
}

static void fill(struct object *obj)
{
	u32 i, step = obj->size > 64 ? obj->size / 16 : 1;

	for (i = 0; i < obj->size; i += step)
		obj->ptr[i] = obj->tag + i;
	if (obj->size)
		obj->ptr[obj->size - 1] = obj->tag;
}

static void check_object(const struct object *obj)
{
	u32 i, step = obj->size > 64 ? obj->size / 16 : 1;

	for (i = 0; i + 1 < obj->size; i += step)
		CHECK_EQ(obj->ptr[i], (unsigned char)(obj->tag + i));
	if (obj->size)
		CHECK_EQ(obj->ptr[obj->size - 1], obj->tag);
}

static int get_object(struct object *obj, struct rng *rng)
{
	obj->size = random_size(rng);
	obj->tag = rng_below(rng, 256);
	obj->ptr = arena_malloc(&heap, obj->size);
	if (!obj->ptr)
		return 0;
	CHECK_EQ((unsigned long)obj->ptr % 8, 0);
	CHECK(obj->size <= ARENA_SLAB_MAX_SIZE || !((unsigned long)obj->ptr % PAGE_SIZE));
	fill(obj);
	return 1;
}

static void put_object(struct object *obj)
{
	check_object(obj);
	CHECK_EQ(arena_free(&heap, obj->ptr), 0);
	obj->ptr = NULL;
}

static void check_stats(void)
{
	u64 want[ARENA_HEAP_CLASSES] = {}, bytes = 0, large = 0, small = 0;
	struct arena_heap_stats stats = get_stats();
	int i;

	for (i = 0; i < MAX_OBJECTS; i++) {
		if (!objects[i].ptr)
			continue;
		if (objects[i].size > ARENA_SLAB_MAX_SIZE)
			large++;
		else
			want[arena_class_of(objects[i].size)]++;
	}
	CHECK_EQ(stats.large_objects, large);
	for (i = 0; i < ARENA_HEAP_CLASSES; i++) {
		small += want[i];
		want[i] -= stats.class[i].objects;
		bytes += stats.class[i].objects * arena_class_size(i);
		CHECK(arena_class_size(i) == stats.class[i].size);
		/* one of the next class where there were not three pages in a row */
		if (i % 2 == 0)
			CHECK_EQ(want[i] + (i ? want[i - 1] : 0), 0);
		small -= stats.class[i].objects;
	}
	CHECK_EQ(small, 0);
	CHECK_EQ(stats.bytes, bytes + stats.large_pages * PAGE_SIZE);
	CHECK_EQ(stats.transit_pages, 0);
}

/* Random objects: none overlaps another, all can be freed, and all is there again. */
static void random_objects(u32 pages)
{
	struct rng rng;
	u32 i, step, failed = 0;

	make_heap(pages > 1000000 ? 0 : 1000, pages);
	memset(objects, 0, sizeof(objects));
	rng_init(&rng, pages);
	for (step = 0; step < STEPS; step++) {
		/* Fill and drain by turns. */
		i = rng_below(&rng, step / 20000 % 2 ? 100 : MAX_OBJECTS);
		if (objects[i].ptr)
			put_object(&objects[i]);
		else
			failed += !get_object(&objects[i], &rng);
		if (step % 10000 == 0) {
			arena_heap_tell(&heap);
			check_pool();
			check_stats();
		}
	}
	CHECK(get_stats().pages <= pages);
	CHECK_EQ(get_stats().bad_frees, 0);
	CHECK_EQ(!!failed, pages < 2000);
	for (i = 0; i < MAX_OBJECTS; i++)
		if (objects[i].ptr)
			put_object(&objects[i]);
	check_empty();
}

static void test_random(void)
{
	random_objects(ARENA_WINDOW_PAGES);
	random_objects(1200);
	random_objects(300);
}

/* How many objects of a size there are when there is nothing else */
static u32 count_objects(u32 size)
{
	static void *all[HISTORY_PAGES * ARENA_SLAB_MAX_OBJECTS];
	u32 i, n;

	for (n = 0; n < ARRAY_SIZE(all); n++) {
		all[n] = arena_malloc(&heap, size);
		if (!all[n])
			break;
	}
	for (i = 0; i < n; i++)
		CHECK_EQ(arena_free(&heap, all[i]), 0);
	check_empty();
	return n;
}

/* What is asked of heaps: the largest objects, and others; the small ones take long. */
static u32 choose_question(struct rng *rng, u32 nr, u32 pages)
{
	u32 smallest = pages < 40 ? 1 : 1000;

	switch (nr) {
	case 0:
		return pages > 270 ? ARENA_MALLOC_MAX : PAGE_SIZE * (1 + rng_below(rng, pages));
	case 1:
		return PAGE_SIZE;
	case 2:
		return PAGE_SIZE * (1 + rng_below(rng, 1 + pages / 4));
	default:
		return smallest + rng_below(rng, ARENA_SLAB_MAX_SIZE - smallest);
	}
}

#define QUESTIONS	4

/* As if programs got no memory for pages while others got some behind them. */
static void lose_pages(struct rng *rng)
{
	u32 pages = 1 + rng_below(rng, 5), for_slabs = rng_below(rng, 2);
	u32 lost = arena_source_take(&heap, pages, for_slabs);
	u32 behind = arena_source_take(&heap, 1, for_slabs);

	if (behind)
		arena_run_push(&heap, behind, 1);
	if (lost)
		arena_source_return(&heap, lost, pages);
}

/* Objects come and go; some go while somebody has the lock, and so leave work behind. */
static void make_history(struct rng *rng, struct object *objs)
{
	u32 i, step, steps = rng_below(rng, 2000), spread = HISTORY_OBJECTS, held = 0;

	for (step = 0; step < steps; step++) {
		if (!rng_below(rng, 300))
			spread = 1 + rng_below(rng, HISTORY_OBJECTS);
		if (!held && !rng_below(rng, 300))
			arena_heap_trim(&heap);
		if (!rng_below(rng, 300))
			lose_pages(rng);
		if (!held && !rng_below(rng, 100))
			held = arena_spin_trylock(&heap.lock);
		i = rng_below(rng, spread);
		if (objs[i].ptr)
			put_object(&objs[i]);
		else if (!held)
			get_object(&objs[i], rng);
		if (held && !rng_below(rng, 50)) {
			arena_spin_unlock(&heap.lock);
			held = 0;
		}
	}
	for (i = 0; i < HISTORY_OBJECTS; i++)
		if (objs[i].ptr)
			put_object(&objs[i]);
	if (held)
		arena_spin_unlock(&heap.lock);
}

/* When all is freed, whatever it was, a heap can do what it could at first. */
static void check_history(u32 nr)
{
	u32 first, pages, size[QUESTIONS], fresh[QUESTIONS], again, i;
	struct rng rng;

	rng_init(&rng, nr);
	first = rng_below(&rng, 2 * ARENA_LEAF_PAGES);
	pages = 4 + rng_below(&rng, rng_below(&rng, 4) ? 80 : HISTORY_PAGES - 4);
	for (i = 0; i < QUESTIONS; i++) {
		make_heap(first, pages);
		size[i] = choose_question(&rng, i, pages);
		fresh[i] = count_objects(size[i]);
	}
	make_heap(first, pages);
	make_history(&rng, objects);
	check_empty();
	/* The last one is for the largest objects again, after all the other ones. */
	for (i = 0; i <= QUESTIONS; i++) {
		again = count_objects(size[i % QUESTIONS]);
		if (again == fresh[i % QUESTIONS])
			continue;
		printf("# history %u: %u pages at %u: %u bytes, %u times, then %u\n", nr, pages,
		       first, size[i % QUESTIONS], fresh[i % QUESTIONS], again);
		fflush(stdout);
		CHECK(!"as many objects again");
	}
}

static void test_histories(void)
{
	const char *env = getenv("HISTORIES");
	u32 nr, histories = env ? strtoul(env, NULL, 0) : HISTORIES;

	for (nr = 0; nr < histories; nr++)
		check_history(nr);
}

/* 64 MiB, full of small objects: then they are gone, and there is room for large ones. */
static void test_large_after_small(void)
{
	u32 pages = 64 * 256, largest = 0;
	void *obj, *all = NULL;

	make_heap(1000, pages);
	while ((obj = arena_malloc(&heap, ARENA_SLAB_MAX_SIZE))) {
		*(void **)obj = all;
		all = obj;
	}
	while (all) {
		obj = all;
		all = *(void **)obj;
		CHECK_EQ(arena_free(&heap, obj), 0);
	}
	check_empty();
	while (arena_malloc(&heap, ARENA_MALLOC_MAX))
		largest++;
	CHECK_EQ(largest, (pages - pages / ARENA_LEAF_PAGES - 1) / 33 * 32 / 256);
}

static void test_classes(void)
{
	u32 size, class;

	CHECK_EQ(arena_class_of(0), 0);
	for (size = 1; size <= ARENA_SLAB_MAX_SIZE; size++) {
		class = arena_class_of(size);
		CHECK(class < ARENA_HEAP_CLASSES);
		CHECK(arena_class_size(class) >= size);
		CHECK_EQ(class == 1, 0);
		CHECK(!class || arena_class_size(class == 2 ? 0 : class - 1) < size);
		CHECK_EQ(arena_class_objects(class) * arena_class_size(class),
			 arena_class_pages(class) * PAGE_SIZE);
		CHECK(arena_class_objects(class) <= ARENA_SLAB_MAX_OBJECTS);
	}
}

static void test_limits(void)
{
	void *all[40];
	u64 stack;
	int i, n;

	CHECK_EQ(arena_heap_init(&heap, 10), 0);
	/* Pages of the arena are for programs only. */
	CHECK(!arena_malloc(&heap, 8));
	CHECK_EQ(get_stats().no_memory, 1);
	make_heap(5, 40);
	heap.limit = 30;
	CHECK_EQ(arena_heap_init(&heap, 10), -EINVAL);
	CHECK_EQ(arena_heap_init_range(&heap, window, 10), -EINVAL);
	for (n = 0; n < 40; n++) {
		all[n] = arena_malloc(&heap, PAGE_SIZE);
		if (!all[n])
			break;
	}
	CHECK_EQ(n, 29);
	CHECK_EQ(get_stats().over_limit, 1);
	CHECK_EQ(get_stats().pages, 30);
	for (i = 0; i < n; i++)
		CHECK_EQ(arena_free(&heap, all[i]), 0);
	/* All are one piece again. */
	CHECK(!arena_malloc(&heap, 30 * PAGE_SIZE));
	all[0] = arena_malloc(&heap, 29 * PAGE_SIZE);
	CHECK(all[0]);
	CHECK_EQ(arena_free(&heap, all[0]), 0);
	CHECK(!arena_malloc(&heap, ARENA_MALLOC_MAX + 1ULL));
	CHECK(!arena_malloc(&heap, 1ULL << 40));
	CHECK_EQ(get_stats().too_large, 2);
	CHECK_EQ(arena_free(&heap, NULL), 0);
	CHECK_EQ(arena_free(&heap, &stack), -EINVAL);
	check_empty();
	memset(&heap, 0, sizeof(heap));
	CHECK_EQ(arena_heap_init_range(&heap, window, 0), -EINVAL);
	CHECK_EQ(arena_heap_init_range(&heap, window, 3), -EINVAL);
	CHECK_EQ(arena_heap_init_range(&heap, window + PAGE_SIZE, 2), -EINVAL);
	CHECK_EQ(arena_heap_init_range(&heap, window + 1022 * PAGE_SIZE, 3), -EINVAL);
	CHECK_EQ(arena_heap_init_range(&heap, window + 8, 10), -EINVAL);
	CHECK_EQ(arena_heap_init_range(&heap, window + WINDOW - PAGE_SIZE, 2), -EINVAL);
	CHECK_EQ(arena_heap_init_range(&heap, window + WINDOW - 9 * PAGE_SIZE, 9), 0);
	CHECK_EQ(madvise(window, WINDOW, MADV_DONTNEED), 0);
	CHECK(arena_malloc(&heap, 7 * PAGE_SIZE));
	CHECK(!arena_malloc(&heap, 8));
}

/* All that a limit allows was one object, and is free: there is room for any other one. */
static void test_limit_reached(void)
{
	void *obj;

	make_heap(7, 100);
	heap.limit = 30;
	obj = arena_malloc(&heap, 29 * PAGE_SIZE);
	CHECK(obj);
	CHECK(!arena_malloc(&heap, 8));
	CHECK_EQ(arena_free(&heap, obj), 0);
	obj = arena_malloc(&heap, 8);
	CHECK(obj);
	CHECK_EQ(arena_free(&heap, obj), 0);
	CHECK_EQ(arena_heap_fill(&heap, 20), 0);
	CHECK(get_stats().pages <= 31);
	check_empty();
}

static bool limit_tested;

static void *ask_too_much(void *unused)
{
	while (!__atomic_load_n(&limit_tested, __ATOMIC_RELAXED))
		CHECK(!arena_malloc(&heap, ARENA_MALLOC_MAX));
	return unused;
}

/* What the limit refuses to one is not in the way of another. */
static void test_limit_shared(void)
{
	u64 refused, tries = 0;
	pthread_t id;

	make_heap(7, 600);
	heap.limit = 100;
	CHECK_EQ(pthread_create(&id, NULL, ask_too_much, NULL), 0);
	do {
		CHECK(arena_source_charge(&heap, 1));
		__sync_fetch_and_sub(&heap.pages, 1);
		refused = arena_load_acquire(&heap.over_limit);
	} while (++tries < 20000 || refused < 20000);
	__atomic_store_n(&limit_tested, true, __ATOMIC_RELAXED);
	CHECK_EQ(pthread_join(id, NULL), 0);
}

/* What is not an object is refused, and no harm done. */
static void test_bad_frees(void)
{
	char *small, *large, *other;
	u64 bad = 0;
	u32 i;

	make_heap(100, 1000);
	small = arena_malloc(&heap, 100);
	other = arena_malloc(&heap, 100);
	large = arena_malloc(&heap, 3 * PAGE_SIZE);
	CHECK(small && other && large);
	memset(other, 1, 100);
	for (i = 1; i < 128; i++, bad++)
		CHECK_EQ(arena_free(&heap, small + i), -EINVAL);
	for (i = 1; i < 3 * PAGE_SIZE; i += 13, bad++)
		CHECK_EQ(arena_free(&heap, large + i), -EINVAL);
	/* in the same slab, never allocated */
	CHECK_EQ(arena_free(&heap, other + 128), -EINVAL);
	CHECK_EQ(arena_free(&heap, window + 5 * PAGE_SIZE), -EINVAL);
	CHECK_EQ(arena_free(&heap, window + WINDOW / 2), -EINVAL);
	CHECK_EQ(arena_free(&heap, window + WINDOW + 100 * PAGE_SIZE), -EINVAL);
	CHECK_EQ(arena_free(&heap, arena_heap_page(&heap, heap.slab_pages)), -EINVAL);
	CHECK_EQ(arena_free(&heap, small), 0);
	CHECK_EQ(arena_free(&heap, small), -EINVAL);
	CHECK_EQ(arena_free(&heap, large), 0);
	CHECK_EQ(arena_free(&heap, large), -EINVAL);
	CHECK_EQ(get_stats().bad_frees, bad + 7);
	CHECK_EQ(arena_free(&heap, other), 0);
	check_empty();
	CHECK_EQ(arena_free(&heap, other), -EINVAL);
}

/* A heap that is full of objects of one size has room for another when they are gone. */
static void test_reuse(void)
{
	static void *all[20000];
	u32 class, n, size, pages = 64;

	make_heap(7, pages);
	for (class = 0; class <= ARENA_HEAP_CLASSES; class++) {
		if (class == 1)
			continue;
		size = class < ARENA_HEAP_CLASSES ? arena_class_size(class) : PAGE_SIZE;
		for (n = 0; n < ARRAY_SIZE(all); n++) {
			all[n] = arena_malloc(&heap, size);
			if (!all[n])
				break;
			memset(all[n], class, size);
		}
		/* A few pages are its own, and two may be too few for a slab of three. */
		CHECK(n == ARRAY_SIZE(all) || n * size > (pages - 8) * PAGE_SIZE);
		CHECK(n == ARRAY_SIZE(all) || get_stats().no_memory);
		while (n--)
			CHECK_EQ(arena_free(&heap, all[n]), 0);
	}
	check_empty();
}

static void test_fill(void)
{
	make_heap(7, 64);
	CHECK_EQ(arena_heap_fill(&heap, 64), -ENOMEM);
	CHECK_EQ(arena_heap_fill(&heap, 0x80000000), -ENOMEM);

	/* What it has brought nobody can put where it is found. */
	make_heap(7, 64);
	CHECK_EQ(arena_spin_trylock(&heap.lock), 1);
	CHECK_EQ(arena_heap_fill(&heap, 16), -ENOMEM);
	arena_spin_unlock(&heap.lock);
	CHECK_EQ(arena_heap_fill(&heap, 16), 0);
	CHECK(heap.pool_pages >= 16);
}

static void *unlock_soon(void *unused)
{
	usleep(10000);
	arena_spin_unlock(&heap.lock);
	return unused;
}

/* Who has waited for the lock has it by the same name as who has not. */
static void test_lock_waited_for(void)
{
	pthread_t id;

	make_heap(7, 64);
	CHECK_EQ(arena_spin_trylock(&heap.lock), 1);
	CHECK_EQ(pthread_create(&id, NULL, unlock_soon, NULL), 0);
	CHECK_EQ(arena_heap_lock(&heap, arena_heap_now() + ARENA_HEAP_WAIT_NS), 0);
	CHECK(heap.lock.holder == arena_spin_me() && heap.lock.holder >> 32);
	arena_spin_unlock(&heap.lock);
	CHECK_EQ(pthread_join(id, NULL), 0);
}

/* While somebody has the lock: what is at hand can be had, and nothing freed is lost. */
static void test_lock_held(void)
{
	void *large, *small[600];
	u32 i;

	make_heap(7, 64);
	large = arena_malloc(&heap, 5 * PAGE_SIZE);
	for (i = 0; i < 600; i++)
		small[i] = arena_malloc(&heap, 8);
	CHECK(small[599] && large);
	CHECK_EQ(arena_spin_trylock(&heap.lock), 1);
	CHECK(!arena_malloc(&heap, 5 * PAGE_SIZE));
	CHECK(!arena_malloc(&heap, 2048));
	CHECK_EQ(get_stats().lock_timeouts, 2);
	for (i = 0; i < 600; i++)
		CHECK_EQ(arena_free(&heap, small[i]), 0);
	CHECK(arena_malloc(&heap, 8));
	CHECK_EQ(arena_free(&heap, small[0]), -EINVAL);
	CHECK_EQ(arena_free(&heap, large), 0);
	CHECK_EQ(arena_free(&heap, large), -EINVAL);
	arena_spin_unlock(&heap.lock);
	CHECK_EQ(arena_malloc(&heap, 5 * PAGE_SIZE) == large, 1);
	CHECK_EQ(arena_free(&heap, large), 0);
}

static void *leave_slabs(void *arg)
{
	void *obj;
	u32 class;

	(void)arg;
	for (class = 0; class < ARENA_HEAP_CLASSES; class++) {
		obj = arena_malloc(&heap, arena_class_size(class == 1 ? 0 : class));
		CHECK(obj);
		CHECK_EQ(arena_free(&heap, obj), 0);
	}
	return NULL;
}

/* Threads have come and gone, and each has left empty slabs, and an object behind them. */
static void leave_all_slabs(void **between)
{
	pthread_t id;
	int i;

	for (i = 0; i < ARENA_HEAP_SHARDS; i++) {
		CHECK_EQ(pthread_create(&id, NULL, leave_slabs, NULL), 0);
		CHECK_EQ(pthread_join(id, NULL), 0);
		between[i] = arena_malloc(&heap, PAGE_SIZE);
	}
}

#define SOMEBODY	0x7fffffff

static u64 hold_ns, held_until;

static void heap_unlock(arena_spinlock_t *lock)
{
	arena_spin_unlock(lock);
	if (!hold_ns)
		return;
	arena_store_release(&held_until, arena_spin_now() + hold_ns);
	CHECK(arena_spin_take(lock, SOMEBODY));
}

/* Unlocks for somebody whose time is over. */
static void *unlock_late(void *over)
{
	while (!arena_load_acquire((int *)over)) {
		if (arena_spin_holder(&heap.lock) == SOMEBODY &&
		    arena_spin_now() > arena_load_acquire(&held_until))
			arena_spin_unlock(&heap.lock);
		usleep(100);
	}
	return NULL;
}

/* A call that finds no pages looks for empty slabs, each time with the lock. */
static void time_malloc(u64 ns)
{
	void *between[ARENA_HEAP_SHARDS];
	int i, over = 0;
	pthread_t id;

	make_heap(1, 2000);
	leave_all_slabs(between);
	heap.limit = heap.pages;
	CHECK_EQ(pthread_create(&id, NULL, unlock_late, &over), 0);
	hold_ns = ns;
	ns = arena_spin_now();
	CHECK(!arena_malloc(&heap, ARENA_MALLOC_MAX));
	ns = arena_spin_now() - ns;
	hold_ns = 0;
	arena_store_release(&over, 1);
	CHECK_EQ(pthread_join(id, NULL), 0);
	if (arena_spin_holder(&heap.lock) == SOMEBODY)
		arena_spin_unlock(&heap.lock);
	CHECK(ns >= ARENA_SPIN_USER_NS);
	CHECK(ns < ARENA_SPIN_USER_NS * 3 / 2);
	CHECK_EQ(get_stats().lock_timeouts, 1);
	for (i = 0; i < ARENA_HEAP_SHARDS; i++)
		CHECK_EQ(arena_free(&heap, between[i]), 0);
	check_empty();
}

/* A call that takes the lock often waits for it no longer than another one, all told. */
static void test_time(void)
{
	time_malloc(1000 * ARENA_SPIN_USER_NS);
	time_malloc(ARENA_SPIN_USER_NS / 8);
}

struct worker {
	struct rng rng;
	struct object objects[THREAD_OBJECTS];
	u32 failed;
};

static struct worker workers[THREADS];

/* Objects on their way from one thread to another */
static struct object *passed[64];

static void free_passed(struct object *obj)
{
	if (!obj)
		return;
	put_object(obj);
	free(obj);
}

static void pass_on(struct worker *w, struct object *obj)
{
	struct object *copy = malloc(sizeof(*copy));
	u32 i = rng_below(&w->rng, ARRAY_SIZE(passed));

	*copy = *obj;
	obj->ptr = NULL;
	free_passed(__atomic_exchange_n(&passed[i], copy, __ATOMIC_ACQ_REL));
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	u32 i, step;

	for (step = 0; step < THREAD_STEPS; step++) {
		i = rng_below(&w->rng, step / 10000 % 2 ? 20 : THREAD_OBJECTS);
		if (!w->objects[i].ptr)
			w->failed += !get_object(&w->objects[i], &w->rng);
		else if (rng_below(&w->rng, 4))
			put_object(&w->objects[i]);
		else
			pass_on(w, &w->objects[i]);
	}
	return NULL;
}

static void threads(u32 pages)
{
	pthread_t ids[THREADS];
	u32 i, n, failed = 0;

	make_heap(1, pages);
	memset(workers, 0, sizeof(workers));
	for (i = 0; i < THREADS; i++) {
		rng_init(&workers[i].rng, pages + i);
		CHECK_EQ(pthread_create(&ids[i], NULL, run_worker, &workers[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(ids[i], NULL), 0);
		failed += workers[i].failed;
		for (n = 0; n < THREAD_OBJECTS; n++)
			if (workers[i].objects[n].ptr)
				put_object(&workers[i].objects[n]);
	}
	for (i = 0; i < ARRAY_SIZE(passed); i++)
		free_passed(__atomic_exchange_n(&passed[i], NULL, __ATOMIC_ACQ_REL));
	CHECK_EQ(!!failed, pages < 1000);
	CHECK_EQ(heap.bad_frees, 0);
	check_empty();
}

static void test_threads(void)
{
	threads(100000);
}

/* They get in each other's way when pages are short. */
static void test_threads_short(void)
{
	threads(150);
}

static const struct test tests[] = {
	{ "classes", test_classes },
	{ "limits", test_limits },
	{ "limit for two", test_limit_shared },
	{ "limit that was reached", test_limit_reached },
	{ "random objects", test_random },
	{ "random histories", test_histories },
	{ "large objects after small ones", test_large_after_small },
	{ "bad frees", test_bad_frees },
	{ "reuse for other sizes", test_reuse },
	{ "pages are brought", test_fill },
	{ "while the lock is held", test_lock_held },
	{ "the lock when it was waited for", test_lock_waited_for },
	{ "time that a call takes", test_time },
	{ "shared by threads", test_threads },
	{ "shared by threads, too small", test_threads_short },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
