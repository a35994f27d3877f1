/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ARENA_UNIT_COMPILER_H
#define _ARENA_UNIT_COMPILER_H

#define noinline
#define __always_inline inline __attribute__((always_inline))

#endif
