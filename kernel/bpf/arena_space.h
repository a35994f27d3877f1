/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _BPF_ARENA_SPACE_H
#define _BPF_ARENA_SPACE_H

#include <linux/atomic.h>
#include <linux/types.h>

#define ARENA_SPACE_MAX_PAGES	(1024U * 1024)
#define ARENA_SPACE_LEVELS	3

/**
 * struct arena_space - which page offsets of an arena are taken
 * @nr_pages: size of the arena
 * @nr_words: words at each level of @free
 * @nr_free: free pages, or more while an operation is under way
 * @nr_reserved: reserved pages, or more while an operation is under way
 * @free: level 0 has a bit for each page that is free; each higher level has
 *	a bit for each word below it that may have a bit set
 * @reserved: a bit for each page that is taken by a reservation
 */
struct arena_space {
	u32 nr_pages;
	u32 nr_words[ARENA_SPACE_LEVELS];
	atomic_t nr_free;
	atomic_t nr_reserved;
	atomic_long_t *free[ARENA_SPACE_LEVELS];
	atomic_long_t *reserved;
};

size_t arena_space_bytes(u32 nr_pages);
void arena_space_init(struct arena_space *s, void *mem, u32 nr_pages);

long arena_space_alloc(struct arena_space *s, u32 n);
int arena_space_take(struct arena_space *s, u32 start, u32 n);
void arena_space_give(struct arena_space *s, u32 start, u32 n);
void arena_space_give_mask(struct arena_space *s, u32 word, unsigned long mask);

int arena_space_reserve(struct arena_space *s, u32 start, u32 n);
void arena_space_unreserve(struct arena_space *s, u32 start, u32 n);
bool arena_space_is_reserved(const struct arena_space *s, u32 idx);

unsigned long arena_space_taken_word(const struct arena_space *s, u32 word);
u32 arena_space_next_taken(const struct arena_space *s, u32 from, u32 end);

#endif /* _BPF_ARENA_SPACE_H */
