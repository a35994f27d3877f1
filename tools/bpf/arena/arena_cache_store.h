/* SPDX-License-Identifier: GPL-2.0 */
/* The server's side of what is in the arena. */
#ifndef __ARENA_CACHE_STORE_H
#define __ARENA_CACHE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include "arena_cache.h"

struct store_stats {
	__u64 items;
	__u64 bytes;		/* of items, with what belongs to them */
	__u64 total_items;	/* ever stored */
	__u64 evictions;
	__u64 expired;		/* or flushed, and found again or evicted */
};

extern struct store_stats store_stats;

void store_stats_reset(void);

bool store_init(struct cache *cache, void *start, size_t size);
__u64 store_now(void);
struct cache_item *store_find(const char *key, size_t nkey);
bool store_fits(size_t nkey, __u32 flags, size_t nvalue);
struct cache_item *store_new(const char *key, size_t nkey, __u32 flags, __u64 expires,
			     size_t nvalue, const struct cache_item *keep);
void store_link(struct cache_item *item);
void store_delete(struct cache_item *item);
void store_expire(struct cache_item *item, __u64 expires);
void store_flush(__u64 when);
bool store_sweep(void);

static inline char *item_key(struct cache_item *item)
{
	return item->text + CACHE_KEY_AT;
}

static inline char *item_value(struct cache_item *item)
{
	return item->text + item->nhead;
}

#endif /* __ARENA_CACHE_STORE_H */
