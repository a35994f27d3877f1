/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ARENA_UNIT_BITMAP_H
#define _ARENA_UNIT_BITMAP_H

#include <linux/bitops.h>

#define BITMAP_FIRST_WORD_MASK(start)	(~0UL << ((start) % BITS_PER_LONG))
#define BITMAP_LAST_WORD_MASK(nbits)	(~0UL >> (-(nbits) % BITS_PER_LONG))

#endif
