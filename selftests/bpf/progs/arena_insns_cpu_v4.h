/* SPDX-License-Identifier: GPL-2.0 */
/* What the test computes twice: compiled for BPF, and for the machine. */
#ifndef __ARENA_INSNS_CPU_V4_H
#define __ARENA_INSNS_CPU_V4_H

#ifndef __arena
#define __arena
#endif

struct insns_args {
	__u64 x;
	__u64 y;
	__u64 loads;
	__u64 moves;
	__u64 divs;
	__u64 swaps;
};

struct insns_data {
	signed char b;
	short h;
	int w;
};

static inline void insns_compute(struct insns_args *args, struct insns_data __arena *data)
{
	__s64 x = args->x, y = args->y;
	__s32 x32 = args->x, y32 = args->y;

	WRITE_ONCE(data->b, args->x);
	WRITE_ONCE(data->h, args->x);
	WRITE_ONCE(data->w, args->y);
	args->loads = (__u64)READ_ONCE(data->b) * 3 + (__u64)READ_ONCE(data->h) * 5 +
		      (__u64)READ_ONCE(data->w) * 7;
	args->moves = (__u64)(signed char)(x ^ y) + (__u64)(short)(x - y) * 3 +
		      (__u64)(int)(x + y) * 5;
	/* C leaves these two open, BPF doesn't */
	args->divs = 0;
	if (y && y != -1)
		args->divs += x / y + x % y * 3;
	if (y32 && y32 != -1)
		args->divs += (__u64)(x32 / y32) * 5 + (__u64)(x32 % y32) * 7;
	args->swaps = __builtin_bswap16(x) + __builtin_bswap32(y) + __builtin_bswap64(x);
}

#endif /* __ARENA_INSNS_CPU_V4_H */
