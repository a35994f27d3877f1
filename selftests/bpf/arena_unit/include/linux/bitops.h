/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ARENA_UNIT_BITOPS_H
#define _ARENA_UNIT_BITOPS_H

#define BITS_PER_LONG	__LONG_WIDTH__
#define BIT(nr)		(1UL << (nr))

static inline unsigned long __ffs(unsigned long word)
{
	return __builtin_ctzl(word);
}

static inline unsigned long __fls(unsigned long word)
{
	return BITS_PER_LONG - 1 - __builtin_clzl(word);
}

static inline unsigned long hweight_long(unsigned long word)
{
	return __builtin_popcountl(word);
}

#endif
