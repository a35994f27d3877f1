/* SPDX-License-Identifier: GPL-2.0 */
/* Between the store and what chooses the items that make room. */
#ifndef __ARENA_CACHE_EVICT_H
#define __ARENA_CACHE_EVICT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include "arena_cache.h"

struct arena_heap;

bool evict_for(struct arena_heap *heap, __u32 first, size_t size,
	       const struct cache_item *keep);

/* From there on, item->newer leads to all others. */
struct cache_item *store_oldest(void);
void store_evict(struct cache_item *item);

#endif /* __ARENA_CACHE_EVICT_H */
