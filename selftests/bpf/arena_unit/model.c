// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <linux/bitops.h>
#include <linux/kernel.h>

#include "harness.h"
#include "model.h"

void model_init(struct model *m, u32 nr_pages)
{
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

	CHECK_EQ(arena_space_alloc(&m->space, n), want);
	if (want >= 0)
		memset(m->state + want, PAGE_TAKEN, n);
}

static void model_claim(struct model *m, u32 start, u32 n, enum page_state state)
{
	int want = all_free(m, start, n) ? 0 : -EBUSY;

	if (state == PAGE_TAKEN)
		CHECK_EQ(arena_space_take(&m->space, start, n), want);
	else
		CHECK_EQ(arena_space_reserve(&m->space, start, n), want);
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

static bool test_page(const atomic_long_t *words, u32 page)
{
	return words[page / BITS_PER_LONG].counter & BIT(page % BITS_PER_LONG);
}

bool page_is_free(const struct arena_space *s, u32 page)
{
	return test_page(s->free[0], page);
}

bool page_is_reserved(const struct arena_space *s, u32 page)
{
	return test_page(s->reserved, page);
}

static u32 padded(u32 bits)
{
	return DIV_ROUND_UP(bits, BITS_PER_LONG) * BITS_PER_LONG;
}

void verify_hints(const struct arena_space *s, bool exact)
{
	bool has, hint;
	u32 level, i;

	for (level = 1; level < ARENA_SPACE_LEVELS; level++) {
		for (i = 0; i < padded(s->nr_words[level - 1]); i++) {
			has = i < s->nr_words[level - 1] && s->free[level - 1][i].counter;
			hint = test_page(s->free[level], i);
			CHECK(hint || !has);
			CHECK(!hint || has || !exact);
		}
	}
}

void model_verify(const struct model *m)
{
	const struct arena_space *s = &m->space;
	u32 page, word, taken = 0, next = 0, count[3] = {};
	bool padding;

	for (page = 0; page < padded(s->nr_pages); page++) {
		padding = page >= s->nr_pages;
		if (!padding)
			count[m->state[page]]++;
		CHECK_EQ(page_is_free(s, page), !padding && m->state[page] == PAGE_FREE);
		CHECK_EQ(page_is_reserved(s, page),
			 padding || m->state[page] == PAGE_RESERVED);
		if (!padding)
			CHECK_EQ(arena_space_is_reserved(s, page), m->state[page] == PAGE_RESERVED);
	}
	CHECK_EQ(atomic_read(&s->nr_free), count[PAGE_FREE]);
	CHECK_EQ(atomic_read(&s->nr_reserved), count[PAGE_RESERVED]);
	verify_hints(s, true);

	for (word = 0; word < s->nr_words[0]; word++) {
		bool any = false;

		for (page = word * BITS_PER_LONG;
		     page < min((word + 1) * BITS_PER_LONG, s->nr_pages); page++) {
			if (m->state[page] != PAGE_TAKEN)
				continue;
			any = true;
			taken++;
			CHECK(arena_space_taken_word(s, word) & BIT(page % BITS_PER_LONG));
		}
		if (any) {
			CHECK_EQ(arena_space_next_taken(s, next, s->nr_words[0]), word);
			next = word + 1;
		}
	}
	CHECK_EQ(arena_space_next_taken(s, next, s->nr_words[0]), s->nr_words[0]);
	CHECK_EQ(taken, count[PAGE_TAKEN]);
}
