/* SPDX-License-Identifier: GPL-2.0 */
/* Random operations on the array of bpf_arena_xarray.h. */
#ifndef __ARENA_LIB_XARRAY_H
#define __ARENA_LIB_XARRAY_H

#include "arena_lib_steps.h"
#include "bpf_arena_xarray.h"

#define NR_ENTRIES	1024
#define HEAP_PAGES	2048

struct array {
	struct arena_xarray xa;
	struct arena_heap heap;
};

/* What a random number means */
struct step {
	__u32 op;
	__u32 id;
	__u64 value;
};

static inline struct step step_of(__u64 random)
{
	return (struct step) {
		.op = random % 16,
		.id = random / 16 % NR_ENTRIES,
		.value = random / 16 / NR_ENTRIES % 1000 + 1,
	};
}

/* Close together, at the end, at all distances, and anywhere */
static inline __u64 index_of(__u32 id)
{
	switch (id % 4) {
	case 0:
		return id / 4;
	case 1:
		return ~(__u64)(id / 4);
	case 2:
		return (__u64)id << (id / 4 % 54);
	}
	return id * 0x9e3779b97f4a7c15ULL;
}

static arena_noinline int walk(struct array __arena *a, __u64 *sum)
{
	void __arena *entry;
	__u64 index;

	arena_xa_for_each(&a->xa, index, entry) {
		lib_fold(sum, index);
		lib_fold(sum, (__u64)entry);
	}
	return !!entry;
}

static arena_noinline void find(struct array __arena *a, __u64 index, __u64 *sum)
{
	void __arena *entry = arena_xa_find(&a->xa, &index);

	lib_fold(sum, (__u64)entry);
	lib_fold(sum, entry ? index : 0);
}

/* Now and then many, so that arrays of a few entries are seen often. */
static inline int erase_cnt(__u32 value)
{
	return value < 4 ? NR_ENTRIES : 1;
}

static arena_noinline void erase_from(struct array __arena *a, __u64 index, __u32 value,
				      __u64 *sum)
{
	int i;

	bpf_for(i, 0, erase_cnt(value)) {
		if (!arena_xa_find(&a->xa, &index))
			break;
		lib_fold(sum, (__u64)arena_xa_erase(&a->xa, index));
	}
}

static arena_noinline int array_step(struct array __arena *a, __u64 random, __u64 *sum)
{
	struct step s = step_of(random);
	__u64 index = index_of(s.id);

	switch (s.op) {
	case 0:
		if (s.value < 16)
			return walk(a, sum);
		break;
	case 1 ... 3:
		lib_fold(sum, (__u64)arena_xa_load(&a->xa, index));
		break;
	case 4 ... 5:
		find(a, index - s.value / 2, sum);
		break;
	case 6:
		erase_from(a, index - s.value / 2, s.value, sum);
		break;
	case 7 ... 10:
		lib_fold(sum, (__u64)arena_xa_erase(&a->xa, index));
		break;
	default:
		lib_fold(sum, arena_xa_store(&a->xa, index, (void __arena *)s.value));
	}
	return 0;
}

#ifndef __BPF__

/* The model: indices and values in their order. */
struct array_model {
	__u32 cnt;
	__u64 index[NR_ENTRIES];
	__u64 value[NR_ENTRIES];
};

/* Of the first that is not less */
static __u32 model_place(const struct array_model *m, __u64 index)
{
	__u32 from = 0, to = m->cnt, middle;

	while (from < to) {
		middle = (from + to) / 2;
		if (m->index[middle] < index)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static int model_has(const struct array_model *m, __u32 at, __u64 index)
{
	return at < m->cnt && m->index[at] == index;
}

static __u64 model_erase(struct array_model *m, __u32 at)
{
	__u64 value = m->value[at];
	__u32 n = --m->cnt - at;

	memmove(&m->index[at], &m->index[at + 1], n * sizeof(m->index[0]));
	memmove(&m->value[at], &m->value[at + 1], n * sizeof(m->value[0]));
	return value;
}

static void model_store(struct array_model *m, __u64 index, __u64 value)
{
	__u32 at = model_place(m, index), n = m->cnt - at;

	if (!model_has(m, at, index)) {
		memmove(&m->index[at + 1], &m->index[at], n * sizeof(m->index[0]));
		memmove(&m->value[at + 1], &m->value[at], n * sizeof(m->value[0]));
		m->cnt++;
	}
	m->index[at] = index;
	m->value[at] = value;
}

static inline int array_model_step(struct array_model *m, __u64 random, __u64 *sum)
{
	struct step s = step_of(random);
	__u64 index = index_of(s.id);
	__u32 at, i;
	int n;

	at = model_place(m, s.op >= 4 && s.op <= 6 ? index - s.value / 2 : index);
	switch (s.op) {
	case 0:
		for (i = 0; i < m->cnt && s.value < 16; i++) {
			lib_fold(sum, m->index[i]);
			lib_fold(sum, m->value[i]);
		}
		break;
	case 1 ... 3:
		lib_fold(sum, model_has(m, at, index) ? m->value[at] : 0);
		break;
	case 4 ... 5:
		lib_fold(sum, at < m->cnt ? m->value[at] : 0);
		lib_fold(sum, at < m->cnt ? m->index[at] : 0);
		break;
	case 6:
		for (n = 0; n < erase_cnt(s.value) && at < m->cnt; n++)
			lib_fold(sum, model_erase(m, at));
		break;
	case 7 ... 10:
		lib_fold(sum, model_has(m, at, index) ? model_erase(m, at) : 0);
		break;
	default:
		lib_fold(sum, 0);
		model_store(m, index, s.value);
	}
	return 0;
}

/* What is below @node, in order; 0 if it is something else, or nothing. */
static int same_entries(struct arena_xa_node *node, __u64 bits, __u64 index,
			struct array_model *m, __u32 *at)
{
	__u32 begin = *at, i;

	for (i = 0; i < ARENA_XA_SLOTS; i++) {
		void *slot = node->slot[i];
		__u64 here = index | (__u64)i << (bits - ARENA_XA_BITS);

		if (!slot)
			continue;
		if (bits > ARENA_XA_BITS) {
			if (!same_entries(slot, bits - ARENA_XA_BITS, here, m, at))
				return 0;
			continue;
		}
		if (!model_has(m, *at, here) || m->value[*at] != (__u64)slot)
			return 0;
		(*at)++;
	}
	return *at > begin;
}

static const char *arrays_differ(struct array *a, struct array_model *m)
{
	__u64 last = m->cnt ? m->index[m->cnt - 1] : 0, bits = ARENA_XA_BITS;
	__u32 at = 0;

	if (!m->cnt)
		return a->xa.head || a->xa.bits ? "not empty" : NULL;
	while (bits < 64 && last >> bits)
		bits += ARENA_XA_BITS;
	if (a->xa.bits != bits)
		return "height";
	if (!same_entries(a->xa.head, bits, 0, m, &at) || at != m->cnt)
		return "entries";
	return NULL;
}

#endif /* !__BPF__ */
#endif
