// SPDX-License-Identifier: GPL-2.0
/*
 * Which page offsets of a BPF arena are taken.
 *
 * BPF programs allocate and free arena pages wherever they run: in an NMI that
 * interrupts this very code on the same CPU, or under a probe on a function
 * that holds any lock there is. So nothing here waits for anybody. There are
 * no locks and no memory is allocated after creation; every change of state is
 * one atomic operation on one word, and a loop is repeated only after somebody
 * else's operation got on.
 *
 * State
 * -----
 * A page is free (its bit in free[0] is set), taken (the bit is clear), or
 * reserved (taken, and its bit in @reserved is set). Whoever clears the bit in
 * free[0] owns the page until it sets the bit again. The bits that pad the last
 * word are never free, and are marked reserved so that they don't look taken.
 *
 * Above free[0] are two levels of hints. A bit at level 1 says that the word
 * of level 0 with that number may have a free page; a bit at level 2 says the
 * same of a word of level 1. The lowest free page is found by one find-first-
 * set a level, starting with the few words (4, if long has 64 bits) of level 2.
 *
 *	level 2     1                                     1 word per 2^18 pages
 *	level 1     0 1                                   1 word per 2^12 pages
 *	level 0     00000000 00101100                     1 word per 2^6 pages
 *	                       ^ ^^
 *	                       free pages
 *
 * Hints
 * -----
 * An operation that makes a word non-zero then sets the word's hint. One that
 * makes it zero then clears the hint, looks at the word again, and sets the
 * hint again if the word isn't zero any more. With full ordering between the
 * two steps of both sides, at least one of them notices the other:
 *
 *	give				alloc
 *	word |= page			word &= ~page, now zero
 *	hint |= word's bit		hint &= ~word's bit
 *					word != 0? hint |= word's bit
 *
 * So when all operations have ended each non-zero word has its hint. Until
 * then a hint can be late: its owner may have been interrupted between the
 * steps by whoever needs it. An allocation that finds nothing although there
 * ought to be enough pages therefore goes through all of level 0, sets the
 * hints that are missing, and tries once more. A hint too many, on the other
 * hand, only costs time. It can outlive the operation that set it, when another
 * emptied the word in between; an allocation that is misled by it clears it.
 *
 * Runs
 * ----
 * More than one page is claimed word by word, lowest first. When a word can't
 * be had, the words before it are given back. Claims that collide can't starve
 * all of each other: a claim loses a word to one that got there first and goes
 * on upwards, and the highest of a chain of claims has nobody in its way.
 * While a claim that is going to fail holds its words they look taken to
 * others, which may then fail for want of pages, or with -EBUSY, although
 * nobody took any. All claims look before they leap, so this needs two of them
 * to want the same pages at the same time.
 *
 * Counters
 * --------
 * nr_free goes up before pages become free, and goes down after they were
 * claimed. It is therefore never less than the number of bits set in free[0],
 * never negative, and exact when nothing is under way. To refuse because
 * nr_free is too low is never wrong; to go on although it is too high only
 * costs a search. The same holds for nr_reserved.
 *
 * Ordering
 * --------
 * The atomic operations on words return a value, hence are full barriers.
 * What was done to a page before it was given is visible to who takes it next.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "arena_space.h"

#define TOP_LEVEL	(ARENA_SPACE_LEVELS - 1)

static unsigned long read_word(const atomic_long_t *words, unsigned long i)
{
	return atomic_long_read(&words[i]);
}

/* The pages of word @i that are in [@start, @end), which touches the word. */
static unsigned long range_mask(u32 i, u32 start, u32 end)
{
	unsigned long mask = ~0UL;

	if (i == start / BITS_PER_LONG)
		mask &= BITMAP_FIRST_WORD_MASK(start);
	if (i == (end - 1) / BITS_PER_LONG)
		mask &= BITMAP_LAST_WORD_MASK(end);
	return mask;
}

/* Word @i of @level is not zero any more. */
static void set_hint(struct arena_space *s, u32 level, u32 i)
{
	unsigned long old;

	do {
		level++;
		old = atomic_long_fetch_or(BIT(i % BITS_PER_LONG),
					   &s->free[level][i / BITS_PER_LONG]);
		i /= BITS_PER_LONG;
	} while (!old && level < TOP_LEVEL);
}

/* Word @i of @level was seen to be zero. */
static void clear_hint(struct arena_space *s, u32 level, u32 i)
{
	unsigned long bit, old;

	for (; level < TOP_LEVEL; level++, i /= BITS_PER_LONG) {
		bit = BIT(i % BITS_PER_LONG);
		old = atomic_long_fetch_andnot(bit, &s->free[level + 1][i / BITS_PER_LONG]);
		if (read_word(s->free[level], i)) {
			set_hint(s, level, i);
			return;
		}
		if (old & ~bit)
			return;
	}
}

/* Late hints hide free pages. Set them in their owners' stead. */
static void set_late_hints(struct arena_space *s)
{
	unsigned long unset;
	u32 level, i, j;

	for (level = 0; level < TOP_LEVEL; level++) {
		for (j = 0; j < s->nr_words[level + 1]; j++) {
			unset = ~read_word(s->free[level + 1], j);
			i = j * BITS_PER_LONG;
			for (; unset && i < s->nr_words[level]; i++, unset >>= 1)
				if (unset & 1 && read_word(s->free[level], i))
					set_hint(s, level, i);
		}
	}
}

/* The first word from @i on that has a hint, or nr_words[0]. */
static u32 next_hinted(const struct arena_space *s, u32 i)
{
	unsigned long hints;
	u32 j = i / BITS_PER_LONG;

	if (i >= s->nr_words[0])
		return s->nr_words[0];

	hints = read_word(s->free[1], j) & BITMAP_FIRST_WORD_MASK(i);
	while (!hints) {
		if (++j == s->nr_words[1])
			return s->nr_words[0];
		hints = read_word(s->free[1], j);
	}
	return j * BITS_PER_LONG + __ffs(hints);
}

static bool claim_word(struct arena_space *s, u32 i, unsigned long mask)
{
	unsigned long old = read_word(s->free[0], i);

	do {
		if ((old & mask) != mask)
			return false;
	} while (!atomic_long_try_cmpxchg(&s->free[0][i], (long *)&old, old & ~mask));

	if (old == mask)
		clear_hint(s, 0, i);
	return true;
}

static void release_word(struct arena_space *s, u32 i, unsigned long mask)
{
	if (!atomic_long_fetch_or(mask, &s->free[0][i]))
		set_hint(s, 0, i);
}

static void release(struct arena_space *s, u32 start, u32 end)
{
	u32 i;

	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++)
		release_word(s, i, range_mask(i, start, end));
}

/* All of [@start, @end) or nothing; then @refused is the word that is to blame. */
static bool claim(struct arena_space *s, u32 start, u32 end, u32 *refused)
{
	u32 i;

	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++)
		if (!claim_word(s, i, range_mask(i, start, end)))
			goto undo;
	return true;
undo:
	if (i > start / BITS_PER_LONG)
		release(s, start, i * BITS_PER_LONG);
	*refused = i;
	return false;
}

static bool is_free(const struct arena_space *s, u32 start, u32 end)
{
	unsigned long mask;
	u32 i;

	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++) {
		mask = range_mask(i, start, end);
		if ((read_word(s->free[0], i) & mask) != mask)
			return false;
	}
	return true;
}

/* Number of free pages at the low end of a word. */
static u32 low_run(unsigned long word)
{
	return ~word ? __ffs(~word) : BITS_PER_LONG;
}

/* Number of free pages at the high end of a word that isn't all free. */
static u32 high_run(unsigned long word)
{
	return BITS_PER_LONG - 1 - __fls(~word);
}

/* The pages of a word where @n free ones begin, if the word isn't all free. */
static unsigned long run_starts(unsigned long word, u32 n)
{
	u32 len, more;

	for (len = 1; len < n && word; len += more) {
		more = min(len, n - len);
		word &= word >> more;
	}
	return word;
}

/* The lowest run of @n > 1 free pages from word @i on. */
static long find_run(const struct arena_space *s, u32 n, unsigned long i)
{
	unsigned long word, starts, below = 0; /* the word below word @i */
	u32 low, run = 0; /* free pages at the high end of that */
	const atomic_long_t *words = s->free[0];
	unsigned long end = s->nr_words[0];

	i = next_hinted(s, i);
	while (i < end) {
		word = read_word(words, i);
		if (!(word & (word << 1 | below >> (BITS_PER_LONG - 1)))) {
			/* no two neighbours: much the fastest way through a sieve */
			below = word;
			i++;
			if (!word)
				i = next_hinted(s, i);
			continue;
		}

		if (~below)
			run = high_run(below);
		low = low_run(word);
		if (run + low >= n)
			return i * BITS_PER_LONG - run;

		if (~word) {
			starts = run_starts(word, n);
			if (starts)
				return i * BITS_PER_LONG + __ffs(starts);
		} else {
			run += BITS_PER_LONG;
		}
		below = word;
		i++;
	}
	return -ENOSPC;
}

static long alloc_run(struct arena_space *s, u32 n)
{
	u32 i = 0;
	long start;

	/*
	 * After a collision there is no need to start again from the bottom:
	 * the pages below the one that was lost are too few.
	 */
	do {
		start = find_run(s, n, i);
	} while (start >= 0 && !claim(s, start, start + n, &i));
	return start;
}

/* From a word one level up to the first word of @level that has a hint in it. */
static inline bool descend(struct arena_space *s, u32 level,
			   unsigned long *i, unsigned long *word)
{
	*i = *i * BITS_PER_LONG + __ffs(*word);
	*word = read_word(s->free[level], *i);
	if (*word)
		return true;

	clear_hint(s, level, *i);
	return false;
}

static inline long alloc_one(struct arena_space *s)
{
	unsigned long i, bit, word, rest;

	do {
		do {
			for (i = 0; !(word = read_word(s->free[TOP_LEVEL], i)); )
				if (++i == s->nr_words[TOP_LEVEL])
					return -ENOSPC;
		} while (!descend(s, 1, &i, &word) || !descend(s, 0, &i, &word));

		bit = __ffs(word);
		rest = word & (word - 1);
	} while (!atomic_long_try_cmpxchg(&s->free[0][i], (long *)&word, rest));

	if (!rest)
		clear_hint(s, 0, i);
	return i * BITS_PER_LONG + bit;
}

/* There are enough free pages, but no run of them was found. */
static noinline long alloc_late(struct arena_space *s, u32 n)
{
	if ((u32)atomic_read(&s->nr_free) < n)
		return -ENOSPC;
	set_late_hints(s);
	return n == 1 ? alloc_one(s) : alloc_run(s, n);
}

static u32 level_words(u32 nr_pages, u32 level)
{
	u32 nr = nr_pages;

	do {
		nr = DIV_ROUND_UP(nr, BITS_PER_LONG);
	} while (level--);
	return nr;
}

static void set_first_bits(atomic_long_t *words, u32 nr)
{
	u32 i;

	for (i = 0; i < nr / BITS_PER_LONG; i++)
		atomic_long_set(&words[i], ~0UL);
	if (nr % BITS_PER_LONG)
		atomic_long_set(&words[i], BITMAP_LAST_WORD_MASK(nr));
}

/**
 * arena_space_bytes - memory that a space needs
 * @nr_pages: size of the arena in pages, 1 to ARENA_SPACE_MAX_PAGES
 *
 * Return: the bytes that arena_space_init() wants. About two bits a page.
 */
size_t arena_space_bytes(u32 nr_pages)
{
	size_t words = level_words(nr_pages, 0); /* @reserved */
	u32 level;

	for (level = 0; level < ARENA_SPACE_LEVELS; level++)
		words += level_words(nr_pages, level);
	return words * sizeof(atomic_long_t);
}

/**
 * arena_space_init - make all pages free
 * @s: the space
 * @mem: arena_space_bytes() bytes, zeroed, aligned to a long; in use as long as
 *	the space is, and the caller's to release
 * @nr_pages: size of the arena in pages, 1 to ARENA_SPACE_MAX_PAGES
 *
 * Must have returned before any other function is called on @s.
 */
void arena_space_init(struct arena_space *s, void *mem, u32 nr_pages)
{
	atomic_long_t *words = mem;
	u32 level, bits = nr_pages;

	s->nr_pages = nr_pages;
	atomic_set(&s->nr_free, nr_pages);
	atomic_set(&s->nr_reserved, 0);

	for (level = 0; level < ARENA_SPACE_LEVELS; level++) {
		s->free[level] = words;
		s->nr_words[level] = level_words(nr_pages, level);
		set_first_bits(words, bits);
		words += s->nr_words[level];
		bits = s->nr_words[level];
	}

	s->reserved = words;
	if (nr_pages % BITS_PER_LONG)
		atomic_long_set(&words[nr_pages / BITS_PER_LONG],
				~BITMAP_LAST_WORD_MASK(nr_pages));
}

/**
 * arena_space_alloc - take the lowest run of free pages
 * @s: the space
 * @n: number of pages, at least 1
 *
 * Context: Any, NMI included.
 * Return: the offset of the first page, or -ENOSPC if no @n free pages follow
 * each other. The caller owns the pages.
 */
long arena_space_alloc(struct arena_space *s, u32 n)
{
	long start;

	if ((u32)atomic_read(&s->nr_free) < n)
		return -ENOSPC;

	start = n == 1 ? alloc_one(s) : alloc_run(s, n);
	if (start < 0)
		start = alloc_late(s, n);
	if (start >= 0)
		atomic_sub(n, &s->nr_free);
	return start;
}

/**
 * arena_space_take - take the given pages
 * @s: the space
 * @start: offset of the first page, below nr_pages
 * @n: number of pages, at least 1 and at most nr_pages - @start
 *
 * Context: Any, NMI included.
 * Return: 0, and the caller owns the pages; or -EBUSY if one of them is not
 * free, and nothing has changed.
 */
int arena_space_take(struct arena_space *s, u32 start, u32 n)
{
	u32 refused;

	if (!is_free(s, start, start + n) || !claim(s, start, start + n, &refused))
		return -EBUSY;
	atomic_sub(n, &s->nr_free);
	return 0;
}

/**
 * arena_space_give - make pages free
 * @s: the space
 * @start: offset of the first page, below nr_pages
 * @n: number of pages, at least 1 and at most nr_pages - @start
 *
 * The caller must own all of the pages, and none may be reserved.
 *
 * Context: Any, NMI included. Can't fail.
 */
void arena_space_give(struct arena_space *s, u32 start, u32 n)
{
	atomic_add(n, &s->nr_free);
	if (n == 1)
		release_word(s, start / BITS_PER_LONG, BIT(start % BITS_PER_LONG));
	else
		release(s, start, start + n);
}

/**
 * arena_space_give_mask - make pages of one word free
 * @s: the space
 * @word: the word: pages @word * BITS_PER_LONG and up
 * @mask: the pages, bit 0 being the lowest; may be 0
 *
 * The caller must own all of the pages, and none may be reserved.
 *
 * Context: Any, NMI included. Can't fail.
 */
void arena_space_give_mask(struct arena_space *s, u32 word, unsigned long mask)
{
	if (!mask)
		return;
	atomic_add(hweight_long(mask), &s->nr_free);
	release_word(s, word, mask);
}

/**
 * arena_space_reserve - keep the given pages from being allocated
 * @s: the space
 * @start: offset of the first page, below nr_pages
 * @n: number of pages, at least 1 and at most nr_pages - @start
 *
 * Context: Any, NMI included.
 * Return: 0, and the pages are reserved; or -EBUSY if one of them is not free,
 * and nothing has changed.
 */
int arena_space_reserve(struct arena_space *s, u32 start, u32 n)
{
	u32 i, end = start + n;
	int err;

	err = arena_space_take(s, start, n);
	if (err)
		return err;

	atomic_add(n, &s->nr_reserved);
	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++)
		atomic_long_fetch_or(range_mask(i, start, end), &s->reserved[i]);
	return 0;
}

/**
 * arena_space_unreserve - make the reserved pages of a range free
 * @s: the space
 * @start: offset of the first page, below nr_pages
 * @n: number of pages, at least 1 and at most nr_pages - @start
 *
 * Pages of the range that are not reserved stay as they are. Of several calls
 * for the same page at the same time one makes it free.
 *
 * Context: Any, NMI included. Can't fail.
 */
void arena_space_unreserve(struct arena_space *s, u32 start, u32 n)
{
	unsigned long mask, mine;
	u32 i, end = start + n;

	if (!atomic_read(&s->nr_reserved))
		return;

	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++) {
		mask = range_mask(i, start, end);
		if (!(read_word(s->reserved, i) & mask))
			continue;
		mine = atomic_long_fetch_andnot(mask, &s->reserved[i]) & mask;
		arena_space_give_mask(s, i, mine);
		atomic_sub(hweight_long(mine), &s->nr_reserved);
	}
}

/**
 * arena_space_is_reserved - tell whether a page is reserved
 * @s: the space
 * @idx: page offset, less than nr_pages
 *
 * Context: Any. The answer may be outdated when the caller gets it.
 */
bool arena_space_is_reserved(const struct arena_space *s, u32 idx)
{
	return read_word(s->reserved, idx / BITS_PER_LONG) &
	       BIT(idx % BITS_PER_LONG);
}

/**
 * arena_space_taken_word - the taken pages of a word
 * @s: the space
 * @word: the word: pages @word * BITS_PER_LONG and up
 *
 * This is where to look for pages to free, not a proof that they can be: a page
 * that is being allocated, reserved or freed at the moment looks taken, too.
 *
 * Context: Any, NMI included.
 * Return: the pages that are taken and not reserved, bit 0 being the lowest.
 */
unsigned long arena_space_taken_word(const struct arena_space *s, u32 word)
{
	return ~(read_word(s->free[0], word) | read_word(s->reserved, word));
}

/**
 * arena_space_next_taken - find a word with taken pages
 * @s: the space
 * @from: the first word to look at
 * @end: the word to stop at, at most nr_words[0]
 *
 * Context: Any, NMI included.
 * Return: the first word from @from on for which arena_space_taken_word() is
 * not 0, or @end.
 */
u32 arena_space_next_taken(const struct arena_space *s, u32 from, u32 end)
{
	while (from < end && !arena_space_taken_word(s, from))
		from++;
	return from;
}
