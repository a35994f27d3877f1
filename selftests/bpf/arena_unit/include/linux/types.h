/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ARENA_UNIT_TYPES_H
#define _ARENA_UNIT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <asm/types.h>

typedef unsigned int u32;
typedef unsigned long long u64;

#endif
