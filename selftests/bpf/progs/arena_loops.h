/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs of progs/arena_loops.c find out. */
#ifndef __ARENA_LOOPS_H
#define __ARENA_LOOPS_H

struct loops {
	__u64 want;	/* turns, as far as there are */
	__u64 turns;	/* taken */
	__u64 more;	/* taken thereafter, elsewhere */
	__u64 sum;
	__u64 ns;
};

#define MAX_TURNS	8388608

#endif
