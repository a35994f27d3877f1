/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ARENA_RECLAIM_H
#define __ARENA_RECLAIM_H

/* What programs do that are called by a task that reclaims memory */
#define ARENA_RECLAIM_FREE	1
#define ARENA_RECLAIM_ALLOC	2

#endif /* __ARENA_RECLAIM_H */
