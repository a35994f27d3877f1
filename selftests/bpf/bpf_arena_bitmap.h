/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Bitmaps in an arena: an array of __u64, bit N being bit N % 64 of word N / 64, as in
 * the kernel's and user space's own bitmaps.
 *
 *	__u64 __arena_global taken[ARENA_BITMAP_WORDS(1000)];
 *
 *	nr = arena_take_zero_bit(taken, 1000);
 *	if (nr >= 1000)
 *		return 0;			none is left
 *	...
 *	arena_clear_bit(nr, taken);
 *
 * Changes of single bits are atomic, on all CPUs and for both sides, and those that
 * return the old value are full barriers. The others are plain loads or stores of
 * words: what they find may have changed meanwhile. A bit number is not checked, as
 * little as an index is: the caller's bitmap has to have it.
 *
 * A program looks at up to 8388608 words at a time, by bpf_for().
 */
#ifndef __BPF_ARENA_BITMAP_H
#define __BPF_ARENA_BITMAP_H

#include "bpf_arena_atomic.h"

#define ARENA_BITMAP_WORDS(bits)	(((bits) + 63) / 64)

#define ARENA_BIT(nr)			((__u64)1 << ((nr) % 64))

/*
 * The number of the lowest bit that is set in a word, which is not 0. In programs clang
 * would make this, or __builtin_ctzll(), a table in a map, if it understood it.
 */
static inline __u32 arena_lowest_bit(__u64 word)
{
	word &= -word;
	asm volatile("" : "+r"(word));
	return __builtin_popcountll(word - 1);
}

/**
 * arena_set_bit() - set a bit
 * @nr: which
 * @map: the bitmap
 *
 * Context: any
 */
static inline void arena_set_bit(__u64 nr, __u64 __arena *map)
{
	__sync_fetch_and_or(&map[nr / 64], ARENA_BIT(nr));
}

/* As arena_set_bit(), for zero */
static inline void arena_clear_bit(__u64 nr, __u64 __arena *map)
{
	__sync_fetch_and_and(&map[nr / 64], ~ARENA_BIT(nr));
}

/* As arena_set_bit(), for the other value */
static inline void arena_change_bit(__u64 nr, __u64 __arena *map)
{
	__sync_fetch_and_xor(&map[nr / 64], ARENA_BIT(nr));
}

/* Is the bit set? What was written before it was can be seen now. */
static inline int arena_test_bit(__u64 nr, __u64 __arena *map)
{
	return !!(arena_load_acquire(&map[nr / 64]) & ARENA_BIT(nr));
}

/**
 * arena_test_and_set_bit() - set a bit, and tell what it was
 * @nr: which
 * @map: the bitmap
 *
 * Of several that set the bit at the same time one finds it clear, and owns what it
 * stands for.
 *
 * Context: any
 * Return: 1 if it was set, 0 if not
 */
static inline int arena_test_and_set_bit(__u64 nr, __u64 __arena *map)
{
	return !!(arena_fetch_or(&map[nr / 64], ARENA_BIT(nr)) & ARENA_BIT(nr));
}

/* As arena_test_and_set_bit(), for zero */
static inline int arena_test_and_clear_bit(__u64 nr, __u64 __arena *map)
{
	return !!(arena_fetch_and(&map[nr / 64], ~ARENA_BIT(nr)) & ARENA_BIT(nr));
}

/* As arena_test_and_set_bit(), for the other value */
static inline int arena_test_and_change_bit(__u64 nr, __u64 __arena *map)
{
	return !!(arena_fetch_xor(&map[nr / 64], ARENA_BIT(nr)) & ARENA_BIT(nr));
}

/*
 * The first bit from @from on that is set in a word of @map after the xor with @flip.
 * The index is what the iterator says, and not a variable that goes along with it: so
 * the verifier sees the turns as all alike.
 */
static inline __u64 arena_find_bit(__u64 __arena *map, __u64 size, __u64 from, __u64 flip)
{
	int i, nr = from / 64, words = ARENA_BITMAP_WORDS(size);
	__u64 word, bit;

	if (from >= size)
		return size;
	word = (arena_load_acquire(&map[nr]) ^ flip) & (~0ULL << from % 64);
	if (!word) {
		bpf_for(i, nr + 1, words) {
			word = arena_load_acquire(&map[i]) ^ flip;
			if (word) {
				nr = i;
				break;
			}
		}
	}
	if (!word)
		return size;
	bit = nr * 64ULL + arena_lowest_bit(word);
	return bit < size ? bit : size;
}

/**
 * arena_find_next_bit() - look for a bit that is set
 * @map: the bitmap
 * @size: how many bits it has
 * @from: where to begin
 *
 * Context: any
 * Return: the lowest one that is not below @from, or @size if there is none
 */
static inline __u64 arena_find_next_bit(__u64 __arena *map, __u64 size, __u64 from)
{
	return arena_find_bit(map, size, from, 0);
}

/* As arena_find_next_bit(), for one that is clear */
static inline __u64 arena_find_next_zero_bit(__u64 __arena *map, __u64 size, __u64 from)
{
	return arena_find_bit(map, size, from, ~0ULL);
}

/* As arena_find_next_bit(), from the beginning */
static inline __u64 arena_find_first_bit(__u64 __arena *map, __u64 size)
{
	return arena_find_bit(map, size, 0, 0);
}

/* As arena_find_next_zero_bit(), from the beginning */
static inline __u64 arena_find_first_zero_bit(__u64 __arena *map, __u64 size)
{
	return arena_find_bit(map, size, 0, ~0ULL);
}

/*
 * For all bits that are set, in rising order. In a program as many as can_loop allows:
 * @nr is less than @size after the loop if that ended it.
 */
#define arena_for_each_set_bit(nr, map, size)				\
	for ((nr) = arena_find_first_bit(map, size);			\
	     (nr) < (size) && can_loop;					\
	     (nr) = arena_find_next_bit(map, size, (nr) + 1))

/* A bit that others take, too, may be gone when it was found. */
#define ARENA_TAKE_TRIES	64

/**
 * arena_take_zero_bit() - find a bit that is clear, and set it
 * @map: the bitmap
 * @size: how many bits it has
 *
 * Context: any
 * Return: the bit, which is the caller's, or @size if there is none (or if others took
 * each one that was found, in 64 attempts)
 */
static inline __u64 arena_take_zero_bit(__u64 __arena *map, __u64 size)
{
	__u64 nr = 0;
	int i;

	bpf_for(i, 0, ARENA_TAKE_TRIES) {
		nr = arena_find_next_zero_bit(map, size, nr);
		if (nr >= size || !arena_test_and_set_bit(nr, map))
			return nr;
	}
	return size;
}

/**
 * arena_bitmap_weight() - count the bits that are set
 * @map: the bitmap
 * @size: how many bits it has
 *
 * Context: any
 * Return: the number of them
 */
static inline __u64 arena_bitmap_weight(__u64 __arena *map, __u64 size)
{
	int i, words = size / 64;
	__u64 weight = 0;

	bpf_for(i, 0, words)
		weight += __builtin_popcountll(arena_load_acquire(&map[i]));
	if (size % 64)
		weight += __builtin_popcountll(arena_load_acquire(&map[size / 64]) &
					       (ARENA_BIT(size) - 1));
	return weight;
}

/**
 * arena_bitmap_assign() - give a range of bits a value
 * @map: the bitmap
 * @from: the first bit
 * @end: the bit behind the last one
 * @value: 1 to set them, 0 to clear them
 *
 * Other bits in the words where the range begins and ends are left alone. The words
 * change one by one.
 *
 * Context: any
 */
static inline void arena_bitmap_assign(__u64 __arena *map, __u64 from, __u64 end, int value)
{
	int i, first = from / 64, words = ARENA_BITMAP_WORDS(end);
	__u64 mask;

	if (from >= end)
		return;
	bpf_for(i, first, words) {
		mask = ~0ULL;
		if (i == first)
			mask &= ~0ULL << from % 64;
		if (i == words - 1 && end % 64)
			mask &= ARENA_BIT(end) - 1;
		if (value)
			__sync_fetch_and_or(&map[i], mask);
		else
			__sync_fetch_and_and(&map[i], ~mask);
	}
}

#endif /* __BPF_ARENA_BITMAP_H */
