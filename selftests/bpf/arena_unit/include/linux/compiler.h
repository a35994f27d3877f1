/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ARENA_UNIT_COMPILER_H
#define _ARENA_UNIT_COMPILER_H

#define noinline
#ifndef __always_inline
#define __always_inline inline
#endif

#endif
