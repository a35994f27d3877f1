// SPDX-License-Identifier: GPL-2.0
/*
 * Which page offsets of a BPF arena are taken.
 *
 * BPF programs allocate and free arena pages wherever they run: in an NMI that
 * interrupts this very code on the same CPU, or under a probe on a function
 * that holds any lock there is. So nothing here waits for anybody, and nothing
 * allocates memory; every change of state is one atomic operation on one word,
 * and a loop is repeated only after somebody else's operation got on.
 *
 * State
 * -----
 * A page is free (its bit in @free is set), taken (the bit is clear), or
 * reserved (taken, and its bit in @reserved is set). Whoever clears the bit in
 * @free owns the page until it sets the bit again. The bits that pad the last
 * word are never free, and are marked reserved so that they don't look taken.
 *
 * The bits are kept in chunks. A large arena is sparse: a chunk whose pages were
 * all free so far is not there. An operation that wants to take pages of it fails
 * with -EAGAIN and says which it was; the caller, who knows where memory can be
 * had, adds it and tries again. A chunk that was added stays.
 *
 * Above the chunks are two levels of hints. A bit at level 1 says that the word
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
 * Another hint, in @pairs, says that a run of two or more free pages may begin
 * in a word, to end in it or in the next one. Without it each search for a run
 * would go through all the single pages that are left between taken ones. Whoever
 * frees a page next to a free one sets it, if it isn't set already; only a search
 * that found no pair there clears it, then looks again as above.
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
 * Failed searches
 * ---------------
 * A search for a run that fails has gone through all words, and so would the next
 * one. What it has shown stays true until a page is freed next to a free one, which
 * is when @pairs is looked at: @no_run is the smallest length of which there is no
 * run, or 0 if that is not known. A search announces itself in @no_run first, by
 * SEARCHING and a mark of its own; whoever frees pages of a pair sets it to 0. With
 * full ordering between the two steps of both sides, either the search sees the
 * pages or its result is dropped:
 *
 *	free				search
 *	word |= pages			no_run = SEARCHING | mark
 *	pair |= word's bit		look at pairs and words, find no run
 *	no_run != 0? no_run = 0		no_run still the same? no_run = length
 *
 * Counters
 * --------
 * nr_free goes up before pages become free, and goes down after they were
 * claimed. It is therefore never less than the number of free pages, never
 * negative, and exact when nothing is under way. To refuse because nr_free is
 * too low is never wrong; to go on although it is too high only costs a search.
 * The same holds for nr_reserved.
 *
 * Ordering
 * --------
 * The atomic operations on words return a value, hence are full barriers.
 * What was done to a page before it was given is visible to who takes it next.
 * A chunk is read by its address: no barrier is needed after that is read.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>

#include "arena_space.h"

#define TOP_LEVEL	(ARENA_SPACE_LEVELS - 1)
#define TOP_BIT		BIT(BITS_PER_LONG - 1)

/* In @no_run: the rest is the mark of a search, not the length of a run. */
#define SEARCHING	TOP_BIT

static unsigned long read_word(const atomic_long_t *words, unsigned long i)
{
	return atomic_long_read(&words[i]);
}

static struct arena_chunk *chunk_of(const struct arena_space *s, unsigned long i)
{
	return (void *)read_word(s->chunks, i / ARENA_CHUNK_WORDS);
}

/* The pages that word @i of level 0 has. */
static unsigned long real_pages(const struct arena_space *s, unsigned long i)
{
	return i < s->nr_words[0] - 1 ? ~0UL : BITMAP_LAST_WORD_MASK(s->nr_pages);
}

/* Word @i of level 0. */
static unsigned long read_free(const struct arena_space *s, unsigned long i)
{
	const struct arena_chunk *chunk = chunk_of(s, i);

	return chunk ? read_word(chunk->free, i % ARENA_CHUNK_WORDS) : real_pages(s, i);
}

static inline unsigned long read_level(const struct arena_space *s, u32 level,
				       unsigned long i)
{
	return level ? read_word(s->hints[level], i) : read_free(s, i);
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
					   &s->hints[level][i / BITS_PER_LONG]);
		i /= BITS_PER_LONG;
	} while (!old && level < TOP_LEVEL);
}

/* Word @i of @level was seen to be zero. */
static void clear_hint(struct arena_space *s, u32 level, u32 i)
{
	unsigned long bit, old;

	for (; level < TOP_LEVEL; level++, i /= BITS_PER_LONG) {
		bit = BIT(i % BITS_PER_LONG);
		old = atomic_long_fetch_andnot(bit, &s->hints[level + 1][i / BITS_PER_LONG]);
		if (read_level(s, level, i)) {
			set_hint(s, level, i);
			return;
		}
		if (old & ~bit)
			return;
	}
}

/* May two neighbouring free pages begin in word @i? */
static bool has_pair(const struct arena_space *s, u32 i, unsigned long word)
{
	if (word & (word >> 1))
		return true;
	return word & TOP_BIT && i + 1 < s->nr_words[0] &&
	       read_free(s, i + 1) & 1;
}

static inline void set_pair(struct arena_space *s, u32 i)
{
	/* The line is shared: leave it alone in the common case */
	if (!(read_word(s->pairs, i / BITS_PER_LONG) & BIT(i % BITS_PER_LONG)))
		atomic_long_fetch_or(BIT(i % BITS_PER_LONG),
				     &s->pairs[i / BITS_PER_LONG]);
}

/* Word @i has a pair that searches may have missed. */
static inline void note_pair(struct arena_space *s, u32 i)
{
	set_pair(s, i);
	/* What a search has shown, or is about to, may not be true any more */
	if (atomic_long_read(&s->no_run))
		atomic_long_set(&s->no_run, 0);
}

/* Word @i had no pair. */
static void clear_pair(struct arena_space *s, u32 i)
{
	atomic_long_fetch_andnot(BIT(i % BITS_PER_LONG), &s->pairs[i / BITS_PER_LONG]);
	/* Another search may have seen the hint missing: let it forget, too */
	if (has_pair(s, i, read_free(s, i)))
		note_pair(s, i);
}

/* Late hints hide free pages. Set them in their owners' stead. */
static void set_late_hints(struct arena_space *s)
{
	unsigned long unset;
	u32 level, i, j;

	for (level = 0; level < TOP_LEVEL; level++) {
		for (j = 0; j < s->nr_words[level + 1]; j++) {
			unset = ~read_word(s->hints[level + 1], j);
			i = j * BITS_PER_LONG;
			for (; unset && i < s->nr_words[level]; i++, unset >>= 1)
				if (unset & 1 && read_level(s, level, i))
					set_hint(s, level, i);
		}
	}
}

static void set_late_pairs(struct arena_space *s)
{
	u32 i;

	for (i = 0; i < s->nr_words[0]; i++)
		if (has_pair(s, i, read_free(s, i)))
			set_pair(s, i);
}

/* The first word from @i on that may have a pair, or nr_words[0]. */
static u32 next_pair(const struct arena_space *s, u32 i)
{
	unsigned long pairs;
	u32 j = i / BITS_PER_LONG;

	if (i >= s->nr_words[0])
		return s->nr_words[0];

	pairs = read_word(s->pairs, j) & BITMAP_FIRST_WORD_MASK(i);
	while (!pairs) {
		if (++j == s->nr_words[1])
			return s->nr_words[0];
		pairs = read_word(s->pairs, j);
	}
	return j * BITS_PER_LONG + __ffs(pairs);
}

/* Returns 0, -EBUSY, or -EAGAIN if the chunk is missing. */
static int claim_word(struct arena_space *s, u32 i, unsigned long mask)
{
	struct arena_chunk *chunk = chunk_of(s, i);
	atomic_long_t *word;
	unsigned long old;

	if (!chunk)
		return -EAGAIN;

	word = &chunk->free[i % ARENA_CHUNK_WORDS];
	old = atomic_long_read(word);
	do {
		if ((old & mask) != mask)
			return -EBUSY;
	} while (!atomic_long_try_cmpxchg(word, (long *)&old, old & ~mask));

	if (old == mask)
		clear_hint(s, 0, i);
	return 0;
}

/* Pages @mask of word @i, which was @old, have become free. */
static noinline void note_free(struct arena_space *s, u32 i, unsigned long old,
			       unsigned long mask)
{
	if (!old)
		set_hint(s, 0, i);
	if (has_pair(s, i, old | mask))
		note_pair(s, i);
	if (mask & 1 && i && read_free(s, i - 1) & TOP_BIT)
		note_pair(s, i - 1);
}

static __always_inline void release_word(struct arena_space *s, u32 i, unsigned long mask)
{
	atomic_long_t *word = &chunk_of(s, i)->free[i % ARENA_CHUNK_WORDS];
	unsigned long old = atomic_long_fetch_or(mask, word);
	unsigned long new = old | mask;

	/* Mostly all is noted already, or need not be */
	if (!old || mask & TOP_BIT)
		return note_free(s, i, old, mask);
	if (new & (new >> 1))
		note_pair(s, i);
	if (mask & 1 && i && read_free(s, i - 1) & TOP_BIT)
		note_pair(s, i - 1);
}

static noinline void release(struct arena_space *s, u32 start, u32 end)
{
	u32 i;

	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++)
		release_word(s, i, range_mask(i, start, end));
}

/* All of [@start, @end) or nothing; then @refused is the word that is to blame. */
static int claim(struct arena_space *s, u32 start, u32 end, u32 *refused)
{
	u32 i;
	int err;

	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++) {
		err = claim_word(s, i, range_mask(i, start, end));
		if (err)
			goto undo;
	}
	return 0;
undo:
	if (i > start / BITS_PER_LONG)
		release(s, start, i * BITS_PER_LONG);
	*refused = i;
	return err;
}

static bool is_free(const struct arena_space *s, u32 start, u32 end)
{
	unsigned long mask;
	u32 i;

	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++) {
		mask = range_mask(i, start, end);
		if ((read_free(s, i) & mask) != mask)
			return false;
	}
	return true;
}

/* Number of free pages at the low end of a word. */
static u32 low_run(unsigned long word)
{
	return ~word ? __ffs(~word) : BITS_PER_LONG;
}

/* Number of free pages at the high end of a word. */
static u32 high_run(unsigned long word)
{
	return ~word ? BITS_PER_LONG - 1 - __fls(~word) : BITS_PER_LONG;
}

/* The pages of a word where @n free ones begin that end in it. */
static unsigned long run_starts(unsigned long word, u32 n)
{
	u32 len, more;

	if (n > BITS_PER_LONG)
		return 0;
	for (len = 1; len < n && word; len += more) {
		more = min(len, n - len);
		word &= word >> more;
	}
	return word;
}

/*
 * Is there a run of @n free pages that begins at the high end of word @i, of
 * which it has @run? Returns the first word that is not all of it, in @last.
 */
static bool run_continues(const struct arena_space *s, u32 i, u32 run, u32 n, u32 *last)
{
	u32 low;

	for (i++; i < s->nr_words[0]; i++) {
		low = low_run(read_free(s, i));
		run += low;
		if (run >= n || low < BITS_PER_LONG)
			break;
	}
	*last = i;
	return run >= n;
}

/* The lowest run of @n > 1 free pages that begins in word @i or above. */
static long find_run(struct arena_space *s, u32 n, u32 i)
{
	unsigned long word, starts;
	u32 high, next;

	for (i = next_pair(s, i); i < s->nr_words[0]; i = next_pair(s, next)) {
		word = read_free(s, i);
		starts = run_starts(word, n);
		if (starts)
			return i * BITS_PER_LONG + __ffs(starts);

		next = i + 1;
		high = high_run(word);
		/* What begins in the words that it has gone through is shorter */
		if (high && run_continues(s, i, high, n, &next))
			return (i + 1) * BITS_PER_LONG - high;
		if (!has_pair(s, i, word))
			clear_pair(s, i);
	}
	return -ENOSPC;
}

static u32 chunk_index(u32 word)
{
	return word / ARENA_CHUNK_WORDS;
}

/* The lowest run, in the word of page @from or above */
static long alloc_run(struct arena_space *s, u32 n, u32 from, u32 *missing)
{
	u32 i = from / BITS_PER_LONG;
	long start;
	int err;

	/*
	 * After a collision there is no need to start again from the bottom:
	 * the pages below the one that was lost are too few.
	 */
	do {
		start = find_run(s, n, i);
		if (start < 0)
			return start;
		err = claim(s, start, start + n, &i);
	} while (err == -EBUSY);

	*missing = chunk_index(i);
	return err ?: start;
}

/* From a word one level up to the first word of @level that has a hint in it. */
static inline bool descend(struct arena_space *s, u32 level,
			   unsigned long *i, unsigned long *word)
{
	*i = *i * BITS_PER_LONG + __ffs(*word);
	*word = read_level(s, level, *i);
	if (*word)
		return true;

	clear_hint(s, level, *i);
	return false;
}

static long alloc_one(struct arena_space *s, u32 *missing)
{
	unsigned long i, bit, word, rest;
	struct arena_chunk *chunk;

	do {
		do {
			for (i = 0; !(word = read_word(s->hints[TOP_LEVEL], i)); )
				if (++i == s->nr_words[TOP_LEVEL])
					return -ENOSPC;
		} while (!descend(s, 1, &i, &word) || !descend(s, 0, &i, &word));

		chunk = chunk_of(s, i);
		if (!chunk) {
			*missing = chunk_index(i);
			return -EAGAIN;
		}
		bit = __ffs(word);
		rest = word & (word - 1);
	} while (!atomic_long_try_cmpxchg(&chunk->free[i % ARENA_CHUNK_WORDS],
					  (long *)&word, rest));

	if (!rest)
		clear_hint(s, 0, i);
	return i * BITS_PER_LONG + bit;
}

/* Has a search shown that there is no run of @n pages, and is that still true? */
static inline bool has_no_run(const struct arena_space *s, u32 n)
{
	long known = atomic_long_read(&s->no_run);

	return known && !(known & SEARCHING) && n >= known;
}

/* As alloc_run(), and a failure is remembered: see "Failed searches". */
static long alloc_run_or_learn(struct arena_space *s, u32 n, u32 *missing)
{
	/* An address on its stack tells a search from all that there are meanwhile */
	long search = SEARCHING | (unsigned long)missing;
	long known = atomic_long_xchg(&s->no_run, search);
	long start = alloc_run(s, n, 0, missing);

	/* Longer runs than before this search there are not, unless pages were freed */
	if (start == -ENOSPC)
		known = n;
	else if (known & SEARCHING)
		known = 0;
	atomic_long_try_cmpxchg(&s->no_run, &search, known);

	return start;
}

/* There are enough free pages, but no run of them was found. */
static long alloc_late(struct arena_space *s, u32 n, u32 *missing)
{
	if ((u32)atomic_read(&s->nr_free) < n)
		return -ENOSPC;
	if (n == 1) {
		set_late_hints(s);
		return alloc_one(s, missing);
	}
	set_late_pairs(s);
	return alloc_run_or_learn(s, n, missing);
}

static u32 level_words(u32 nr_pages, u32 level)
{
	u32 nr = nr_pages;

	do {
		nr = DIV_ROUND_UP(nr, BITS_PER_LONG);
	} while (level--);
	return nr;
}

static u32 nr_chunks(u32 nr_pages)
{
	return DIV_ROUND_UP(nr_pages, ARENA_CHUNK_PAGES);
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
 * Return: the bytes that arena_space_init() wants: some KiB for the largest.
 */
size_t arena_space_bytes(u32 nr_pages)
{
	size_t words = nr_chunks(nr_pages) + level_words(nr_pages, 1); /* @pairs */
	u32 level;

	for (level = 1; level < ARENA_SPACE_LEVELS; level++)
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
	u32 level, bits;

	s->nr_pages = nr_pages;
	s->nr_chunks = nr_chunks(nr_pages);
	atomic_set(&s->nr_free, nr_pages);
	atomic_set(&s->nr_reserved, 0);
	atomic_long_set(&s->no_run, 0);

	for (level = 0; level < ARENA_SPACE_LEVELS; level++)
		s->nr_words[level] = level_words(nr_pages, level);

	for (level = 1; level < ARENA_SPACE_LEVELS; level++) {
		bits = s->nr_words[level - 1];
		s->hints[level] = words;
		set_first_bits(words, bits);
		words += s->nr_words[level];
	}
	s->pairs = words;
	set_first_bits(words, s->nr_words[0]);
	s->chunks = words + s->nr_words[1];
}

/**
 * arena_space_add - add a chunk that was missing
 * @s: the space
 * @chunk: which one
 * @mem: memory for it, aligned to a long, of any contents
 *
 * Context: Any, NMI included.
 * Return: true, and @mem belongs to the space until arena_space_chunk(); or
 * false if the chunk is there already.
 */
bool arena_space_add(struct arena_space *s, u32 chunk, struct arena_chunk *mem)
{
	u32 word = chunk * ARENA_CHUNK_WORDS;
	unsigned long real;
	long old = 0;
	u32 i;

	for (i = 0; i < ARENA_CHUNK_WORDS; i++) {
		real = word + i < s->nr_words[0] ? real_pages(s, word + i) : 0;
		atomic_long_set(&mem->free[i], real);
		atomic_long_set(&mem->reserved[i], ~real);
	}
	return atomic_long_try_cmpxchg(&s->chunks[chunk], &old, (long)mem);
}

/**
 * arena_space_chunk - the memory of a chunk
 * @s: the space
 * @chunk: which one, below nr_chunks
 *
 * The memory is the caller's to release when nobody uses the space any more.
 *
 * Context: Any.
 * Return: what arena_space_add() was given, or NULL.
 */
struct arena_chunk *arena_space_chunk(const struct arena_space *s, u32 chunk)
{
	return (void *)read_word(s->chunks, chunk);
}

/* From the first word of level 1, or NULL if that has no bit set. */
static inline atomic_long_t *first_word(struct arena_space *s, unsigned long word,
					unsigned long *i)
{
	struct arena_chunk *chunk;

	*i = *i * BITS_PER_LONG + __ffs(word);
	chunk = chunk_of(s, *i);

	return chunk ? &chunk->free[*i % ARENA_CHUNK_WORDS] : NULL;
}

/**
 * arena_space_alloc_one - take the lowest free page, if that is done quickly
 * @s: the space
 *
 * Context: Any, NMI included.
 * Return: the offset of the page, which the caller owns; or negative, if it is
 * best left to arena_space_alloc().
 */
long arena_space_alloc_one(struct arena_space *s)
{
	unsigned long i, hints, old, rest;
	atomic_long_t *word;

	hints = read_word(s->hints[TOP_LEVEL], 0);
	if (!hints)
		return -EAGAIN;
	i = __ffs(hints);
	hints = read_word(s->hints[TOP_LEVEL - 1], i);
	if (!hints)
		return -EAGAIN;
	word = first_word(s, hints, &i);
	if (!word)
		return -EAGAIN;

	old = atomic_long_read(word);
	rest = old & (old - 1);
	/* The last page of a word has its hint to care for */
	if (!rest || !atomic_long_try_cmpxchg(word, (long *)&old, rest))
		return -EAGAIN;
	atomic_sub(1, &s->nr_free);

	return i * BITS_PER_LONG + __ffs(old);
}

/**
 * arena_space_alloc_few - take the lowest run of free pages, if that is done quickly
 * @s: the space
 * @n: number of pages, at least 2
 *
 * Context: Any, NMI included.
 * Return: the offset of the first page, and the caller owns the pages; or negative,
 * if it is best left to arena_space_alloc().
 */
long arena_space_alloc_few(struct arena_space *s, u32 n)
{
	unsigned long i = 0, pairs, old, starts, mask;
	atomic_long_t *word;

	/* Below the first pair there is no run: one in its word is the lowest */
	while (!(pairs = read_word(s->pairs, i)))
		if (++i == s->nr_words[1])
			return -EAGAIN;
	word = first_word(s, pairs, &i);
	if (!word)
		return -EAGAIN;

	old = atomic_long_read(word);
	starts = run_starts(old, n);
	if (!starts)
		return -EAGAIN;
	mask = ~0UL >> (BITS_PER_LONG - n) << __ffs(starts);
	/* The last pages of a word have its hint to care for */
	if (old == mask || !atomic_long_try_cmpxchg(word, (long *)&old, old & ~mask))
		return -EAGAIN;
	atomic_sub(n, &s->nr_free);

	return i * BITS_PER_LONG + __ffs(starts);
}

/**
 * arena_space_alloc - take the lowest run of free pages
 * @s: the space
 * @n: number of pages, at least 1
 * @from: if @n is more than 1: the run does not begin in a word below that of this page,
 *	where the caller has searched already
 * @missing: with -EAGAIN: the chunk that must be added
 *
 * Context: Any, NMI included.
 * Return: the offset of the first page, or -ENOSPC if no @n free pages follow
 * each other. The caller owns the pages. Or -EAGAIN, see @missing.
 */
long arena_space_alloc(struct arena_space *s, u32 n, u32 from, u32 *missing)
{
	long start;

	if ((u32)atomic_read(&s->nr_free) < n || (n > 1 && has_no_run(s, n)))
		return -ENOSPC;

	start = n == 1 ? alloc_one(s, missing) : alloc_run(s, n, from, missing);
	/* What is known of a part does not help those who want all */
	if (start == -ENOSPC && !from)
		start = alloc_late(s, n, missing);
	if (start >= 0)
		atomic_sub(n, &s->nr_free);
	return start;
}

/**
 * arena_space_take - take the given pages
 * @s: the space
 * @start: offset of the first page, below nr_pages
 * @n: number of pages, at least 1 and at most nr_pages - @start
 * @missing: with -EAGAIN: the chunk that must be added
 *
 * Context: Any, NMI included.
 * Return: 0, and the caller owns the pages; or -EBUSY if one of them is not
 * free, and nothing has changed; or -EAGAIN, see @missing.
 */
int arena_space_take(struct arena_space *s, u32 start, u32 n, u32 *missing)
{
	u32 refused;
	int err;

	if (!is_free(s, start, start + n))
		return -EBUSY;
	err = claim(s, start, start + n, &refused);
	if (err) {
		*missing = chunk_index(refused);
		return err;
	}
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
 * @mask: the pages, bit 0 being the lowest
 *
 * The caller must own all of the pages, and none may be reserved.
 *
 * Context: Any, NMI included. Can't fail.
 */
void arena_space_give_mask(struct arena_space *s, u32 word, unsigned long mask)
{
	atomic_add(hweight_long(mask), &s->nr_free);
	release_word(s, word, mask);
}

/**
 * arena_space_reserve - keep the given pages from being allocated
 * @s: the space
 * @start: offset of the first page, below nr_pages
 * @n: number of pages, at least 1 and at most nr_pages - @start
 * @missing: with -EAGAIN: the chunk that must be added
 *
 * Context: Any, NMI included.
 * Return: 0, and the pages are reserved; or -EBUSY if one of them is not free,
 * and nothing has changed; or -EAGAIN, see @missing.
 */
int arena_space_reserve(struct arena_space *s, u32 start, u32 n, u32 *missing)
{
	u32 i, end = start + n;
	int err;

	err = arena_space_take(s, start, n, missing);
	if (err)
		return err;

	atomic_add(n, &s->nr_reserved);
	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++)
		atomic_long_fetch_or(range_mask(i, start, end),
				     &chunk_of(s, i)->reserved[i % ARENA_CHUNK_WORDS]);
	return 0;
}

/* The reserved pages of word @i of level 0, with its padding. */
static unsigned long read_reserved(const struct arena_space *s, unsigned long i)
{
	const struct arena_chunk *chunk = chunk_of(s, i);

	return chunk ? read_word(chunk->reserved, i % ARENA_CHUNK_WORDS) : ~real_pages(s, i);
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
	atomic_long_t *reserved;
	u32 i, end = start + n;

	for (i = start / BITS_PER_LONG; i <= (end - 1) / BITS_PER_LONG; i++) {
		mask = range_mask(i, start, end);
		if (!(read_reserved(s, i) & mask))
			continue;
		reserved = &chunk_of(s, i)->reserved[i % ARENA_CHUNK_WORDS];
		mine = atomic_long_fetch_andnot(mask, reserved) & mask;
		if (mine)
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
	return read_reserved(s, idx / BITS_PER_LONG) & BIT(idx % BITS_PER_LONG);
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
	const struct arena_chunk *chunk = chunk_of(s, word);

	if (!chunk)
		return 0;
	word %= ARENA_CHUNK_WORDS;
	return ~(read_word(chunk->free, word) | read_word(chunk->reserved, word));
}
