/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ARENA_UNIT_MODEL_H
#define _ARENA_UNIT_MODEL_H

#include "arena_space.h"

/*
 * A space, and what it should be: a byte for each page, every question
 * answered by looking at each of them.
 */
enum page_state { PAGE_FREE, PAGE_TAKEN, PAGE_RESERVED };

enum operation { OP_ALLOC, OP_TAKE, OP_GIVE, OP_GIVE_MASK, OP_RESERVE, OP_UNRESERVE, NR_OPS };

struct model {
	struct arena_space space;
	void *mem;
	unsigned char *state;
};

void model_init(struct model *m, u32 nr_pages);
void model_exit(struct model *m);

/* What the kernel does: if a chunk is missing, add it and try again. */
long space_alloc(struct arena_space *s, u32 n);
int space_take(struct arena_space *s, u32 start, u32 n);
int space_reserve(struct arena_space *s, u32 start, u32 n);

/* All that a space is, to compare it or to return to it; @s may be a copy of the model's. */
size_t model_snapshot_bytes(const struct model *m);
void model_save(const struct model *m, const struct arena_space *s, void *to);
void model_restore(struct model *m, struct arena_space *s, const void *from, size_t size);

/* The lowest run of @n free pages, or -ENOSPC. */
long model_find(const struct model *m, u32 n);

/*
 * Do @op to both. It is made to fit: @start and @n are clipped to the space,
 * and of the pages to give only those that are taken are.
 */
void model_op(struct model *m, enum operation op, u32 start, u32 n);

/* Compare everything: counters, pages, padding, hints. */
void model_verify(const struct model *m);

/* What holds of any space at rest, whatever was done to it. */
void verify_hints(const struct arena_space *s, bool exact);
bool page_is_free(const struct arena_space *s, u32 page);
bool page_is_reserved(const struct arena_space *s, u32 page);

#endif
