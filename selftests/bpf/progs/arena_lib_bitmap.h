/* SPDX-License-Identifier: GPL-2.0 */
/* Random operations on a bitmap, and on a model of it: an array of bytes. */
#ifndef __ARENA_LIB_BITMAP_H
#define __ARENA_LIB_BITMAP_H

#include "bpf_arena_bitmap.h"
#include "arena_lib_random.h"

/* Not a multiple of 64: the last word has bits that are not the bitmap's. */
#define BITS	1000

struct bitmap_run {
	__u64 random;
	__u64 hash;
};

enum bitmap_code {
	SET,
	CLEAR,
	CHANGE,
	TEST,
	TEST_AND_SET,
	TEST_AND_CLEAR,
	TEST_AND_CHANGE,
	FIND_NEXT,
	FIND_NEXT_ZERO,
	FIND_FIRST,
	FIND_FIRST_ZERO,
	TAKE_ZERO,
	WEIGHT,
	SUM,
	ASSIGN_ONES,
	ASSIGN_ZEROES,
	NR_CODES
};

struct bitmap_op {
	__u32 code;
	__u32 nr;
	__u32 end;
};

static inline void bitmap_op_choose(struct bitmap_op *op, __u64 *random)
{
	__u64 r = arena_lib_random(random);

	op->code = (r >> 60) % NR_CODES;
	op->nr = (r >> 40) % BITS;
	/* Now and then all of it, so that full and empty ones are seen, too. */
	if ((r >> 32) % 16 == 0)
		op->nr = 0;
	op->end = op->nr + (r >> 10) % (op->nr ? 150 : BITS + 200);
	if (op->end > BITS)
		op->end = BITS;
}

static inline __u64 bitmap_sum(__u64 __arena *map)
{
	__u64 nr, sum = 0;

	arena_for_each_set_bit(nr, map, BITS)
		sum = arena_lib_hash(sum, nr);
	return sum;
}

static inline __u64 bitmap_op_run(__u64 __arena *map, const struct bitmap_op *op)
{
	switch (op->code) {
	case SET:
		arena_set_bit(op->nr, map);
		return 0;
	case CLEAR:
		arena_clear_bit(op->nr, map);
		return 0;
	case CHANGE:
		arena_change_bit(op->nr, map);
		return 0;
	case TEST:
		return arena_test_bit(op->nr, map);
	case TEST_AND_SET:
		return arena_test_and_set_bit(op->nr, map);
	case TEST_AND_CLEAR:
		return arena_test_and_clear_bit(op->nr, map);
	case TEST_AND_CHANGE:
		return arena_test_and_change_bit(op->nr, map);
	case FIND_NEXT:
		return arena_find_next_bit(map, op->end, op->nr);
	case FIND_NEXT_ZERO:
		return arena_find_next_zero_bit(map, op->end, op->nr);
	case FIND_FIRST:
		return arena_find_first_bit(map, op->end);
	case FIND_FIRST_ZERO:
		return arena_find_first_zero_bit(map, op->end);
	case TAKE_ZERO:
		return arena_take_zero_bit(map, op->end);
	case WEIGHT:
		return arena_bitmap_weight(map, op->end);
	case SUM:
		return op->end % 8 ? 0 : bitmap_sum(map);
	case ASSIGN_ONES:
		arena_bitmap_assign(map, op->nr, op->end, 1);
		return 0;
	default:
		arena_bitmap_assign(map, op->nr, op->end, 0);
		return 0;
	}
}

#ifndef __BPF__

static inline __u64 bitmap_model_find(const char *model, __u64 size, __u64 from, char value)
{
	while (from < size && model[from] != value)
		from++;
	return from < size ? from : size;
}

static inline __u64 bitmap_model_sum(const char *model)
{
	__u64 nr, sum = 0;

	for (nr = 0; nr < BITS; nr++)
		if (model[nr])
			sum = arena_lib_hash(sum, nr);
	return sum;
}

static inline __u64 bitmap_model_weight(const char *model, __u64 size)
{
	__u64 nr, weight = 0;

	for (nr = 0; nr < size; nr++)
		weight += model[nr];
	return weight;
}

static inline __u64 bitmap_op_model(char *model, const struct bitmap_op *op)
{
	char old = model[op->nr];
	__u64 nr;

	switch (op->code) {
	case SET:
		model[op->nr] = 1;
		return 0;
	case CLEAR:
		model[op->nr] = 0;
		return 0;
	case CHANGE:
		model[op->nr] = !old;
		return 0;
	case TEST:
		return old;
	case TEST_AND_SET:
		model[op->nr] = 1;
		return old;
	case TEST_AND_CLEAR:
		model[op->nr] = 0;
		return old;
	case TEST_AND_CHANGE:
		model[op->nr] = !old;
		return old;
	case FIND_NEXT:
		return bitmap_model_find(model, op->end, op->nr, 1);
	case FIND_NEXT_ZERO:
		return bitmap_model_find(model, op->end, op->nr, 0);
	case FIND_FIRST:
		return bitmap_model_find(model, op->end, 0, 1);
	case FIND_FIRST_ZERO:
		return bitmap_model_find(model, op->end, 0, 0);
	case TAKE_ZERO:
		nr = bitmap_model_find(model, op->end, 0, 0);
		if (nr < op->end)
			model[nr] = 1;
		return nr;
	case WEIGHT:
		return bitmap_model_weight(model, op->end);
	case SUM:
		return op->end % 8 ? 0 : bitmap_model_sum(model);
	default:
		for (nr = op->nr; nr < op->end; nr++)
			model[nr] = op->code == ASSIGN_ONES;
		return 0;
	}
}

#endif /* !__BPF__ */
#endif
