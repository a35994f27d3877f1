// SPDX-License-Identifier: GPL-2.0
/*
 * Items, the table and the order of use. The only writer is the server's one
 * thread; the XDP program reads at the same time: arena_cache.h has the rules.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "arena_cache_evict.h"
#include "arena_cache_store.h"
#include "bpf_arena_alloc.h"

/* A bucket for so much memory: chains stay short even with small items. */
#define BUCKET_SHARE	512

/* Items that the XDP program has used, passed over at an eviction at most. */
#define SECOND_CHANCES	64

/* Items that are freed between two looks at the sockets: some 150 us. */
#define SWEEP		256

struct store_stats store_stats;

static struct cache *cache;
static struct arena_heap heap;
static __u32 heap_first;	/* page */
static struct cache_item *newest, *oldest;
static __u64 last_cas;

/* What there is stays, what has happened is forgotten. */
void store_stats_reset(void)
{
	store_stats.total_items = 0;
	store_stats.evictions = 0;
	store_stats.expired = 0;
}

/* The clock that the XDP program reads, too. Goes on while the machine sleeps. */
__u64 store_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/**
 * store_init() - Make an empty store.
 * @shared: what the XDP program begins with
 * @start: memory of the arena, page aligned and never touched, so all zero
 * @size: how much of it; the table takes a part, items have the rest
 *
 * Return: false if it is too little, and that has been said.
 */
bool store_init(struct cache *shared, void *start, size_t size)
{
	size_t buckets = 1, table, page;

	while (buckets * 2 <= size / BUCKET_SHARE)
		buckets *= 2;
	table = buckets * sizeof(struct cache_bucket);
	table = (table + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);

	/* A program that looks where there is no page is reported as one that strays. */
	for (page = 0; page < table; page += PAGE_SIZE)
		WRITE_ONCE(((char *)start)[page], 0);

	cache = shared;
	cache->table = start;
	cache->mask = buckets - 1;
	if (getrandom(cache->seed, sizeof(cache->seed), 0) != sizeof(cache->seed)) {
		warn("getrandom");
		return false;
	}
	heap_first = arena_page_nr(start + table);
	if (arena_heap_init_range(&heap, start + table, (size - table) / PAGE_SIZE)) {
		warnx("%zu bytes are too few for a heap", size);
		return false;
	}
	return true;
}

static __u64 hash(const char *key, size_t nkey)
{
	__u64 words[CACHE_KEY_WORDS] = {};

	memcpy(words, key, nkey);
	return cache_hash(words, nkey, cache->seed[0], cache->seed[1]);
}

static struct cache_bucket *bucket_of(__u64 hash)
{
	return &cache->table[hash & cache->mask];
}

/* From here to end_change() no reader believes what it finds. */
static void begin_change(struct cache_bucket *bucket)
{
	__atomic_store_n(&bucket->seq, bucket->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_change(struct cache_bucket *bucket)
{
	__atomic_store_n(&bucket->seq, bucket->seq + 1, __ATOMIC_RELEASE);
}

static void lru_add(struct cache_item *item)
{
	item->newer = NULL;
	item->older = newest;
	if (newest)
		newest->newer = item;
	else
		oldest = item;
	newest = item;
}

static void lru_del(struct cache_item *item)
{
	if (item->newer)
		item->newer->older = item->older;
	else
		newest = item->older;
	if (item->older)
		item->older->newer = item->newer;
	else
		oldest = item->newer;
}

static void lru_use(struct cache_item *item)
{
	lru_del(item);
	lru_add(item);
}

static size_t item_size(size_t ntext)
{
	/* Readers copy whole words. */
	return sizeof(struct cache_item) + ntext + 8;
}

static bool flushed(const struct cache_item *item)
{
	return item->cas <= cache->flushed;
}

static bool expired(const struct cache_item *item, __u64 now)
{
	return item->expires && item->expires <= now;
}

/* Where the link to @item is, which must be in the table. */
static struct cache_item **link_of(struct cache_item *item)
{
	struct cache_item **link = &bucket_of(item->hash)->first;

	while (*link != item)
		link = &(*link)->next;
	return link;
}

/* The item is out of the table, and its bucket has changed since it was in. */
static void forget(struct cache_item *item)
{
	lru_del(item);
	if (!flushed(item)) {
		store_stats.items--;
		store_stats.bytes -= item_size(item->ntext);
	}
	arena_free(&heap, item);
}

/**
 * store_delete() - Remove an item and free it.
 * @item: from store_find()
 */
void store_delete(struct cache_item *item)
{
	struct cache_bucket *bucket = bucket_of(item->hash);
	struct cache_item **link = link_of(item);

	begin_change(bucket);
	*link = item->next;
	end_change(bucket);
	forget(item);
}

/* Those that are there are freed later: there may be millions. */
static void flush(void)
{
	store_stats.items = 0;
	store_stats.bytes = 0;
	__atomic_store_n(&cache->flushed, last_cas, __ATOMIC_RELEASE);
}

/* Whoever looks at the table has to come by here first. */
static void flush_if_due(__u64 now)
{
	if (!cache->flush_at || cache->flush_at > now)
		return;
	flush();
	/* Until here the XDP program answered nothing. */
	__atomic_store_n(&cache->flush_at, 0, __ATOMIC_RELEASE);
}

/**
 * store_flush() - Make all items invalid at some time.
 * @when: in terms of store_now(); replaces what an earlier call said
 */
void store_flush(__u64 when)
{
	__u64 now = store_now();

	flush_if_due(now);
	if (when <= now) {
		flush();
		when = 0;
	}
	__atomic_store_n(&cache->flush_at, when, __ATOMIC_RELEASE);
}

/**
 * store_sweep() - Free some of the items that store_flush() has made invalid.
 *
 * Nothing uses them, so they are the oldest ones, all together.
 *
 * Return: whether there are more.
 */
bool store_sweep(void)
{
	int i;

	for (i = 0; oldest && flushed(oldest); i++) {
		if (i == SWEEP)
			return true;
		store_delete(oldest);
	}
	return false;
}

static struct cache_item *find(const char *key, size_t nkey)
{
	__u64 hashed = hash(key, nkey);
	struct cache_item *item;

	for (item = bucket_of(hashed)->first; item; item = item->next)
		if (item->hash == hashed && item->nkey == nkey &&
		    !memcmp(item_key(item), key, nkey))
			break;
	return item;
}

/**
 * store_find() - Look up a key, and count that as a use of its item.
 * @key: need not end with a zero
 * @nkey: its length, at most CACHE_KEY_MAX
 *
 * Return: the item, or NULL if there is none or it has expired. It may be gone
 * after the next store_new().
 */
struct cache_item *store_find(const char *key, size_t nkey)
{
	__u64 now = store_now();
	struct cache_item *item;

	flush_if_due(now);
	item = find(key, nkey);
	if (!item)
		return NULL;
	if (flushed(item) || expired(item, now)) {
		store_stats.expired++;
		store_delete(item);
		return NULL;
	}
	lru_use(item);
	return item;
}

/*
 * What the XDP program used is known by the bucket only, so that an item may be spared
 * for another one's use, once.
 */
static void spare_used(void)
{
	__u64 now = store_now();
	int i;

	for (i = 0; oldest && i < SECOND_CHANCES; i++) {
		struct cache_bucket *bucket = bucket_of(oldest->hash);

		if (!READ_ONCE(bucket->used) || flushed(oldest) || expired(oldest, now))
			break;
		WRITE_ONCE(bucket->used, 0);
		lru_use(oldest);
	}
}

/**
 * store_oldest() - What was not used for longest.
 *
 * Return: the item, or NULL if there is none.
 */
struct cache_item *store_oldest(void)
{
	return oldest;
}

/**
 * store_evict() - Delete an item to make room.
 * @item: any one that is linked
 */
void store_evict(struct cache_item *item)
{
	/* The clock is not asked for each of thousands. */
	if (flushed(item) || (item->expires && expired(item, store_now())))
		store_stats.expired++;
	else
		store_stats.evictions++;
	store_delete(item);
}

static size_t text_size(size_t nkey, size_t nnumbers, size_t nvalue)
{
	return CACHE_KEY_AT + nkey + nnumbers + nvalue + CACHE_TAIL;
}

/**
 * store_fits() - Is a value small enough for any item?
 * @nkey: the key's length
 * @flags: the client's
 * @nvalue: the value's length
 */
bool store_fits(size_t nkey, __u32 flags, size_t nvalue)
{
	int nnumbers = snprintf(NULL, 0, " %u %zu\r\n", flags, nvalue);

	return item_size(text_size(nkey, nnumbers, nvalue)) <= CACHE_ITEM_MAX;
}

static struct cache_item *allocate(size_t size, const struct cache_item *keep)
{
	struct cache_item *item = arena_malloc(&heap, size);

	if (item)
		return item;
	spare_used();
	return evict_for(&heap, heap_first, size, keep) ? arena_malloc(&heap, size) : NULL;
}

/**
 * store_new() - Allocate an item, to be filled and then linked or dropped.
 * @key: need not end with a zero
 * @nkey: its length, at most CACHE_KEY_MAX
 * @flags: the client's
 * @expires: in terms of store_now(), or 0
 * @nvalue: bytes at item_value() that the caller fills; store_fits() has agreed
 * @keep: an item that must stay, or NULL
 *
 * Others are evicted if there is no room.
 *
 * Return: the item, or NULL: there is no room, and all others are still there.
 */
struct cache_item *store_new(const char *key, size_t nkey, __u32 flags, __u64 expires,
			     size_t nvalue, const struct cache_item *keep)
{
	struct cache_item *item;
	char numbers[32];
	int nnumbers;
	size_t ntext;

	nnumbers = snprintf(numbers, sizeof(numbers), " %u %zu\r\n", flags, nvalue);
	ntext = text_size(nkey, nnumbers, nvalue);
	item = allocate(item_size(ntext), keep);
	if (!item)
		return NULL;

	item->hash = hash(key, nkey);
	item->expires = expires;
	item->flags = flags;
	item->nvalue = nvalue;
	item->ntext = ntext;
	item->nkey = nkey;
	item->nhead = CACHE_KEY_AT + nkey + nnumbers;
	memcpy(item->text, "VALUE ", CACHE_KEY_AT);
	memcpy(item_key(item), key, nkey);
	memcpy(item_key(item) + nkey, numbers, nnumbers);
	/* Zeros at the end: a checksum of whole words adds them up, too. */
	memcpy(item_value(item) + nvalue, "\r\nEND\r\n\0\0\0\0\0\0\0", CACHE_TAIL + 8);
	return item;
}

/**
 * store_link() - Put an item in the table, in the place of one with its key.
 * @item: from store_new(), filled
 *
 * A reader finds one of them, at any time.
 */
void store_link(struct cache_item *item)
{
	struct cache_bucket *bucket = bucket_of(item->hash);
	struct cache_item *old = find(item_key(item), item->nkey);
	struct cache_item **link = old ? link_of(old) : &bucket->first;

	item->cas = ++last_cas;
	item->next = old ? old->next : bucket->first;
	begin_change(bucket);
	*link = item;
	end_change(bucket);

	lru_add(item);
	store_stats.items++;
	store_stats.total_items++;
	store_stats.bytes += item_size(item->ntext);
	if (old)
		forget(old);
}

/**
 * store_expire() - Change when an item expires.
 * @item: from store_find()
 * @expires: in terms of store_now(), or 0
 */
void store_expire(struct cache_item *item, __u64 expires)
{
	struct cache_bucket *bucket = bucket_of(item->hash);

	begin_change(bucket);
	item->expires = expires;
	end_change(bucket);
}
