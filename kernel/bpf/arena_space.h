/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _BPF_ARENA_SPACE_H
#define _BPF_ARENA_SPACE_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/types.h>

#define ARENA_SPACE_MAX_PAGES	(1024U * 1024)
#define ARENA_SPACE_LEVELS	3

/* So that a chunk has 4096 bytes, if long has 64 bits. Tests want smaller ones. */
#ifndef ARENA_CHUNK_WORDS
#define ARENA_CHUNK_WORDS	256U
#endif
#define ARENA_CHUNK_PAGES	(ARENA_CHUNK_WORDS * BITS_PER_LONG)

/**
 * struct arena_chunk - what is known of ARENA_CHUNK_PAGES pages
 * @free: a bit for each page that is free
 * @reserved: a bit for each page that is taken by a reservation
 */
struct arena_chunk {
	atomic_long_t free[ARENA_CHUNK_WORDS];
	atomic_long_t reserved[ARENA_CHUNK_WORDS];
};

/**
 * struct arena_space - which page offsets of an arena are taken
 * @nr_pages: size of the arena
 * @nr_chunks: size of @chunks
 * @nr_words: words at each level; level 0 are the @free words of all chunks
 * @nr_free: free pages, or more while an operation is under way
 * @nr_reserved: reserved pages, or more while an operation is under way
 * @chunks: addresses of chunks; 0: all pages of the chunk are free
 * @hints: from level 1 on: a bit for each word below it that may have a bit set
 * @pairs: a bit for each word of level 0 in which two neighbouring free pages
 *	may begin
 * @no_run: what the last failed search for a run has shown: see "Failed searches"
 *	in arena_space.c
 */
struct arena_space {
	u32 nr_pages;
	u32 nr_chunks;
	u32 nr_words[ARENA_SPACE_LEVELS];
	atomic_t nr_free;
	atomic_t nr_reserved;
	atomic_long_t *chunks;
	atomic_long_t *hints[ARENA_SPACE_LEVELS];
	atomic_long_t *pairs;
	atomic_long_t no_run;
};

size_t arena_space_bytes(u32 nr_pages);
void arena_space_init(struct arena_space *s, void *mem, u32 nr_pages);
bool arena_space_add(struct arena_space *s, u32 chunk, struct arena_chunk *mem);
struct arena_chunk *arena_space_chunk(const struct arena_space *s, u32 chunk);

long arena_space_alloc_one(struct arena_space *s);
long arena_space_alloc_few(struct arena_space *s, u32 n);
long arena_space_alloc(struct arena_space *s, u32 n, u32 from, u32 *missing);
int arena_space_take(struct arena_space *s, u32 start, u32 n, u32 *missing);
void arena_space_give(struct arena_space *s, u32 start, u32 n);
void arena_space_give_mask(struct arena_space *s, u32 word, unsigned long mask);

int arena_space_reserve(struct arena_space *s, u32 start, u32 n, u32 *missing);
void arena_space_unreserve(struct arena_space *s, u32 start, u32 n);
static inline u32 arena_space_nr_reserved(const struct arena_space *s)
{
	return atomic_read(&s->nr_reserved);
}

static inline bool arena_space_has_reserved(const struct arena_space *s)
{
	return arena_space_nr_reserved(s);
}

bool arena_space_is_reserved(const struct arena_space *s, u32 idx);

unsigned long arena_space_taken_word(const struct arena_space *s, u32 word);

#endif /* _BPF_ARENA_SPACE_H */
