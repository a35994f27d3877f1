// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <linux/bitops.h>
#include <linux/kernel.h>

#include "harness.h"
#include "model.h"

/*
 * The memory of chunks. A chunk that somebody else added first is lost until the
 * next test; it can't be allocated, as a signal handler may want one.
 */
static struct arena_chunk chunks[2048];
static u32 chunks_used;

static void add_chunk(struct arena_space *s, u32 chunk)
{
	u32 i = __atomic_fetch_add(&chunks_used, 1, __ATOMIC_RELAXED);

	CHECK(chunk < s->nr_chunks);
	CHECK(i < ARRAY_SIZE(chunks));
	arena_space_add(s, chunk, &chunks[i]);
}

long space_alloc(struct arena_space *s, u32 n)
{
	u32 missing;
	long got;

	got = n == 1 ? arena_space_alloc_one(s) : arena_space_alloc_few(s, n);
	if (got >= 0)
		return got;
	while ((got = arena_space_alloc(s, n, 0, &missing)) == -EAGAIN)
		add_chunk(s, missing);
	return got;
}

int space_take(struct arena_space *s, u32 start, u32 n)
{
	u32 missing;
	int got;

	while ((got = arena_space_take(s, start, n, &missing)) == -EAGAIN)
		add_chunk(s, missing);
	return got;
}

int space_reserve(struct arena_space *s, u32 start, u32 n)
{
	u32 missing;
	int got;

	while ((got = arena_space_reserve(s, start, n, &missing)) == -EAGAIN)
		add_chunk(s, missing);
	return got;
}

size_t model_snapshot_bytes(const struct model *m)
{
	return sizeof(m->space) + arena_space_bytes(m->space.nr_pages) +
	       chunks_used * sizeof(chunks[0]);
}

void model_save(const struct model *m, const struct arena_space *s, void *to)
{
	size_t bytes = arena_space_bytes(s->nr_pages);

	memcpy(to, s, sizeof(*s));
	memcpy(to + sizeof(*s), m->mem, bytes);
	memcpy(to + sizeof(*s) + bytes, chunks, chunks_used * sizeof(chunks[0]));
}

void model_restore(struct model *m, struct arena_space *s, const void *from, size_t size)
{
	size_t bytes = arena_space_bytes(s->nr_pages);

	memcpy(s, from, sizeof(*s));
	memcpy(m->mem, from + sizeof(*s), bytes);
	bytes += sizeof(*s);
	memcpy(chunks, from + bytes, size - bytes);
	chunks_used = (size - bytes) / sizeof(chunks[0]);
}

void model_init(struct model *m, u32 nr_pages)
{
	chunks_used = 0;
	m->mem = calloc(1, arena_space_bytes(nr_pages));
	m->state = calloc(1, nr_pages);
	CHECK(m->mem && m->state);
	arena_space_init(&m->space, m->mem, nr_pages);
}

void model_exit(struct model *m)
{
	free(m->mem);
	free(m->state);
}

static bool all_free(const struct model *m, u32 start, u32 n)
{
	while (n--)
		if (m->state[start + n] != PAGE_FREE)
			return false;
	return true;
}

long model_find(const struct model *m, u32 n)
{
	u32 page, run = 0;

	for (page = 0; page < m->space.nr_pages; page++) {
		run = m->state[page] == PAGE_FREE ? run + 1 : 0;
		if (run == n)
			return page + 1 - n;
	}
	return -ENOSPC;
}

static void model_alloc(struct model *m, u32 n)
{
	long want = model_find(m, n);

	CHECK_EQ(space_alloc(&m->space, n), want);
	if (want >= 0)
		memset(m->state + want, PAGE_TAKEN, n);
}

static void model_claim(struct model *m, u32 start, u32 n, enum page_state state)
{
	int want = all_free(m, start, n) ? 0 : -EBUSY;

	if (state == PAGE_TAKEN)
		CHECK_EQ(space_take(&m->space, start, n), want);
	else
		CHECK_EQ(space_reserve(&m->space, start, n), want);
	if (!want)
		memset(m->state + start, state, n);
}

static void model_give(struct model *m, u32 start, u32 n)
{
	u32 page, first, end = start + n;

	for (page = start; page < end; page++) {
		first = page;
		while (page < end && m->state[page] == PAGE_TAKEN)
			m->state[page++] = PAGE_FREE;
		if (page > first)
			arena_space_give(&m->space, first, page - first);
	}
}

static void model_give_mask(struct model *m, u32 start, u32 n)
{
	u32 page, word, end = start + n, end_word = DIV_ROUND_UP(end, BITS_PER_LONG);
	unsigned long mask, taken;

	for (word = start / BITS_PER_LONG; word < end_word; word++) {
		mask = 0;
		taken = arena_space_taken_word(&m->space, word);
		for (page = word * BITS_PER_LONG; page < (word + 1) * BITS_PER_LONG; page++) {
			if (page < start || page >= end || m->state[page] != PAGE_TAKEN)
				continue;
			mask |= BIT(page % BITS_PER_LONG);
			m->state[page] = PAGE_FREE;
		}
		CHECK_EQ(mask & ~taken, 0);
		if (mask)
			arena_space_give_mask(&m->space, word, mask);
	}
}

static void model_unreserve(struct model *m, u32 start, u32 n)
{
	u32 page;

	for (page = start; page < start + n; page++)
		if (m->state[page] == PAGE_RESERVED)
			m->state[page] = PAGE_FREE;
	arena_space_unreserve(&m->space, start, n);
}

void model_op(struct model *m, enum operation op, u32 start, u32 n)
{
	u32 nr_pages = m->space.nr_pages;

	n = n ? n : 1;
	if (op != OP_ALLOC) {
		start %= nr_pages;
		n = min(n, nr_pages - start);
	}

	switch (op) {
	case OP_ALLOC:
		return model_alloc(m, n);
	case OP_TAKE:
		return model_claim(m, start, n, PAGE_TAKEN);
	case OP_GIVE:
		return model_give(m, start, n);
	case OP_GIVE_MASK:
		return model_give_mask(m, start, n);
	case OP_RESERVE:
		return model_claim(m, start, n, PAGE_RESERVED);
	default:
		return model_unreserve(m, start, n);
	}
}

static bool test_bit(const atomic_long_t *words, u32 bit)
{
	return words[bit / BITS_PER_LONG].counter & BIT(bit % BITS_PER_LONG);
}

static const struct arena_chunk *chunk_of(const struct arena_space *s, u32 page)
{
	return (void *)s->chunks[page / ARENA_CHUNK_PAGES].counter;
}

bool page_is_free(const struct arena_space *s, u32 page)
{
	const struct arena_chunk *chunk = chunk_of(s, page);

	return chunk ? test_bit(chunk->free, page % ARENA_CHUNK_PAGES) : page < s->nr_pages;
}

bool page_is_reserved(const struct arena_space *s, u32 page)
{
	const struct arena_chunk *chunk = chunk_of(s, page);

	return chunk ? test_bit(chunk->reserved, page % ARENA_CHUNK_PAGES) : page >= s->nr_pages;
}

static u32 padded(u32 bits)
{
	return DIV_ROUND_UP(bits, BITS_PER_LONG) * BITS_PER_LONG;
}

static bool word_has_free(const struct arena_space *s, u32 word)
{
	u32 page, end = min((word + 1) * BITS_PER_LONG, s->nr_pages);

	for (page = word * BITS_PER_LONG; page < end; page++)
		if (page_is_free(s, page))
			return true;
	return false;
}

static void verify_pairs(const struct arena_space *s)
{
	u32 page;

	for (page = 0; page + 1 < s->nr_pages; page++)
		if (page_is_free(s, page) && page_is_free(s, page + 1))
			CHECK(test_bit(s->pairs, page / BITS_PER_LONG));
}

/* There is no run of the length that a failed search has left. */
static void verify_no_run(const struct arena_space *s)
{
	long known = s->no_run.counter;
	u32 page, run = 0;

	if (known <= 0)
		return;
	CHECK(known > 1);
	for (page = 0; page < s->nr_pages; page++) {
		run = page_is_free(s, page) ? run + 1 : 0;
		CHECK(run < known);
	}
}

void verify_hints(const struct arena_space *s, bool exact)
{
	bool has, hint;
	u32 level, i;

	for (level = 1; level < ARENA_SPACE_LEVELS; level++) {
		for (i = 0; i < padded(s->nr_words[level - 1]); i++) {
			has = i < s->nr_words[level - 1] &&
			      (level == 1 ? word_has_free(s, i) :
			       s->hints[level - 1][i].counter != 0);
			hint = test_bit(s->hints[level], i);
			CHECK(hint || !has);
			CHECK(!hint || has || !exact);
		}
	}
	verify_pairs(s);
	verify_no_run(s);
}

void model_verify(const struct model *m)
{
	const struct arena_space *s = &m->space;
	u32 page, word, taken = 0, count[3] = {};
	unsigned long bits;
	bool padding;

	for (page = 0; page < padded(s->nr_pages); page++) {
		padding = page >= s->nr_pages;
		if (!padding)
			count[m->state[page]]++;
		bits = arena_space_taken_word(s, page / BITS_PER_LONG);
		CHECK_EQ(bits >> page % BITS_PER_LONG & 1,
			 !padding && m->state[page] == PAGE_TAKEN);
		CHECK_EQ(page_is_free(s, page), !padding && m->state[page] == PAGE_FREE);
		CHECK_EQ(page_is_reserved(s, page),
			 padding || m->state[page] == PAGE_RESERVED);
		if (!padding)
			CHECK_EQ(arena_space_is_reserved(s, page), m->state[page] == PAGE_RESERVED);
	}
	CHECK_EQ(atomic_read(&s->nr_free), count[PAGE_FREE]);
	CHECK_EQ(atomic_read(&s->nr_reserved), count[PAGE_RESERVED]);
	verify_hints(s, true);

	for (word = 0; word < s->nr_words[0]; word++)
		taken += hweight_long(arena_space_taken_word(s, word));
	CHECK_EQ(taken, count[PAGE_TAKEN]);
}
