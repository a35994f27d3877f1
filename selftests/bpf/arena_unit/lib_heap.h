/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ARENA_UNIT_LIB_HEAP_H
#define _ARENA_UNIT_LIB_HEAP_H

#include <sys/mman.h>
#include "bpf_arena_alloc.h"
#include "harness.h"

/* Memory for a heap: it has an end, as an arena has, and crosses no multiple of 4 GiB. */
static inline void lib_init_heap(struct arena_heap *heap, u64 pages)
{
	u64 size = pages * PAGE_SIZE;
	char *mem = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(mem != MAP_FAILED);
	if ((u64)mem >> 32 != ((u64)mem + size) >> 32)
		mem += size;
	CHECK_EQ(arena_heap_init_range(heap, mem, pages), 0);
}

#endif
