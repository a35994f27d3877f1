// SPDX-License-Identifier: GPL-2.0
/* Pages: who gets them, what is in them, who pays for them, and that they come back. */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <bpf/btf.h>
#include <linux/elf.h>
#include <linux/io_uring.h>
#include "arena_ops.h"

#define BASE		0x100000000000ULL
#define RW		(PROT_READ | PROT_WRITE)
#define CREATOR		ARENA_CGROUP_ROOT "/arena_memory_creator"
#define OTHER		ARENA_CGROUP_ROOT "/arena_memory_other"
#define KIB		1024LL
#define MIB		(1024 * KIB)

static size_t page;

/* Runs a test with the program that may sleep, then with the one that may not. */
static void both_flavours(void (*test)(struct arena_ops_env *env), __u32 pages, __u32 flags)
{
	struct arena_ops_env env;

	if (!arena_ops_open(&env, pages, flags, 0))
		return;
	test(&env);
	arena_ops_free(&env, env.base, pages);
	env.atomic = true;
	test(&env);
	arena_ops_close(&env);
}

/* Freed by a program that may not sleep, a page leaves user space soon, not at once. */
static bool gone_from_user(const struct arena_ops_env *env, void *addr)
{
	__u64 val;

	if (!env->atomic)
		return arena_peek(addr, &val) == SIGSEGV;
	return ARENA_EVENTUALLY(arena_peek(addr, &val) == SIGSEGV);
}

static bool zero_everywhere(const struct arena_ops_env *env, void *addr)
{
	return ASSERT_EQ(arena_ops_diff(env, addr, 0), 0, "zero in BPF") &&
	       ASSERT_FALSE(arena_page_differs(addr, 0), "zero in user space");
}

static void new_is_zero(struct arena_ops_env *env)
{
	char *p = arena_ops_alloc(env, NULL, 2);
	char *q = arena_ops_page(env, 5);

	if (!ASSERT_PAGE(p, "alloc"))
		return;
	zero_everywhere(env, p);
	zero_everywhere(env, p + page);
	/* BPF looks at this one before anybody has touched it. */
	ASSERT_EQ(arena_ops_diff(env, q, 0), 0, "absent");
	zero_everywhere(env, q);
	*(__u64 *)q = 3;
	ASSERT_EQ(arena_ops_load(env, q), 3, "faulted in by user space");
	arena_ops_store(env, p + page, 4);
	ASSERT_EQ(*(__u64 *)(p + page), 4, "written by BPF");
}

static void dirty_is_zeroed(struct arena_ops_env *env)
{
	__u32 cnt, i, round;

	/* Trap: a page is not zero */
	for (cnt = 1; cnt <= 8; cnt *= 2) {
		for (round = 0; round < 4; round++) {
			/* A page that a worker is unmapping looks pinned. */
			char *p = arena_ops_alloc_wait(env, env->base, cnt);

			if (!ASSERT_EQ(p, env->base, "alloc"))
				return;
			for (i = 0; i < cnt; i++) {
				if (!zero_everywhere(env, p + i * page))
					return;
				memset(p + i * page, 0xa5, page / 2);
				arena_ops_fill(env, p + i * page, ~0ULL);
			}
			arena_ops_free(env, p, cnt);
			ASSERT_EQ(arena_ops_diff(env, p, 0), 0, "freed, in BPF");
		}
	}
}

static void absent_reads_zero(struct arena_ops_env *env)
{
	void *p = arena_ops_page(env, 3);
	__u64 val;

	ASSERT_EQ(arena_ops_load(env, p), 0, "load");
	arena_ops_store(env, p, 1);
	ASSERT_EQ(arena_ops_load(env, p), 0, "load after store");
	ASSERT_EQ(arena_peek(p, &val), SIGSEGV, "no page has come of it");

	if (!ASSERT_EQ(arena_ops_alloc(env, p, 1), p, "alloc"))
		return;
	ASSERT_EQ(arena_ops_load(env, p), 0, "load from a new page");
	arena_ops_fill(env, p, 7);
	ASSERT_OK(arena_peek(p, &val), "mapped by user space");
	ASSERT_EQ(val, 7, "content");
	arena_ops_free(env, p, 1);
	ASSERT_EQ(arena_ops_diff(env, p, 0), 0, "freed page");
	arena_ops_store(env, p, 1);
	ASSERT_EQ(arena_ops_load(env, p), 0, "store to a freed page");
	ASSERT_TRUE(gone_from_user(env, p), "freed page in user space");
}

static void free_holes(struct arena_ops_env *env)
{
	__u32 i;

	for (i = 0; i < 16; i += 2)
		ASSERT_PAGE(arena_ops_alloc(env, arena_ops_page(env, i), 1), "alloc");
	arena_ops_store(env, arena_ops_page(env, 8), 8);
	arena_ops_free(env, arena_ops_page(env, 1), 7);
	ASSERT_TRUE(gone_from_user(env, arena_ops_page(env, 2)), "page 2");
	ASSERT_TRUE(gone_from_user(env, arena_ops_page(env, 6)), "page 6");
	arena_ops_store(env, env->base, 9);
	ASSERT_EQ(arena_ops_load(env, env->base), 9, "page before the range");
	ASSERT_EQ(arena_ops_load(env, arena_ops_page(env, 8)), 8, "page after the range");
	ASSERT_EQ(arena_ops_alloc(env, NULL, 7), arena_ops_page(env, 1), "all free again");
	arena_ops_free(env, env->base, env->pages);
}

static void free_twice(struct arena_ops_env *env)
{
	__u64 *p = arena_ops_alloc(env, env->base, 2);
	void *q = arena_ops_page(env, 4);

	if (!ASSERT_PAGE(p, "alloc"))
		return;
	arena_ops_free(env, p, 1);
	arena_ops_free(env, p, 1);
	arena_ops_free(env, p, 2);
	arena_ops_free(env, p, 2);
	ASSERT_EQ(arena_ops_alloc(env, NULL, 1), (void *)p, "first page");
	ASSERT_EQ(arena_ops_alloc(env, NULL, 1), (void *)(p + page / 8), "second page");
	/* Never allocated, and freed all the same. */
	arena_ops_free(env, q, 1);
	ASSERT_EQ(arena_ops_alloc(env, q, 1), q, "page that was free before");
	arena_ops_free(env, env->base, env->pages);
}

static void free_clipped(struct arena_ops_env *env)
{
	char *last = arena_ops_page(env, env->pages - 1), *p;

	ASSERT_PAGE(arena_ops_alloc(env, last, 1), "last page");
	ASSERT_PAGE(arena_ops_alloc(env, env->base, 1), "first page");
	arena_ops_store(env, last, 1);
	arena_ops_store(env, env->base, 2);

	/* Outside: nothing happens. */
	arena_ops_free(env, last + page, 1);
	arena_ops_free(env, last + page, ~0U);
	arena_ops_free(env, env->base - page, 1);
	arena_ops_free(env, NULL, 1);
	arena_ops_free(env, env->base, 0);
	ASSERT_EQ(arena_ops_load(env, last), 1, "last page");
	ASSERT_EQ(arena_ops_load(env, env->base), 2, "first page");

	/* Half inside: that half goes. */
	arena_ops_free(env, env->base - page, 2);
	ASSERT_TRUE(gone_from_user(env, env->base), "freed over the start");
	ASSERT_PAGE(arena_ops_alloc(env, env->base, 1), "first page");
	arena_ops_store(env, env->base, 2);
	arena_ops_free(env, last, 100);
	ASSERT_TRUE(gone_from_user(env, last), "freed to the end");
	ASSERT_EQ(arena_ops_load(env, env->base), 2, "first page");
	arena_ops_free(env, env->base, ~0U);
	ASSERT_TRUE(gone_from_user(env, env->base), "freed from the start");
	p = arena_ops_alloc(env, NULL, 1);
	ASSERT_EQ(p, env->base, "all free again");
	arena_ops_free(env, env->base, env->pages);
}

static void free_below_start(struct arena_ops_env *env)
{
	__u32 i;

	/* Trap: free below user_vm_start corrupts the allocator */
	arena_ops_free(env, env->base - page, 1);
	arena_ops_free(env, env->base - env->pages * page, 2);
	arena_ops_free(env, env->base + env->pages * page, 5);
	for (i = 0; i < env->pages; i++)
		if (!ASSERT_EQ(arena_ops_alloc(env, NULL, 1), arena_ops_page(env, i),
			       "alloc"))
			return;
	arena_ops_free(env, env->base - page, 1);
	arena_ops_free(env, env->base + env->pages * page, 5);
	ASSERT_NULL(arena_ops_alloc(env, NULL, 1), "past capacity");
	arena_ops_free(env, env->base, env->pages);
}

/* Where the arena starts at a multiple of 4 GiB, only the upper half says it isn't NULL. */
static void free_null(void)
{
	struct arena_ops_env env;

	if (!arena_ops_open(&env, 4, 0, BASE))
		return;
	ASSERT_EQ((char *)arena_ops_alloc(&env, NULL, 1), env.base, "alloc");
	arena_ops_store(&env, env.base, 1);
	arena_ops_free(&env, NULL, 1);
	ASSERT_EQ(arena_ops_load(&env, env.base), 1, "first page");
	env.atomic = true;
	arena_ops_free(&env, NULL, 1);
	ASSERT_EQ(arena_ops_load(&env, env.base), 1, "first page");
	arena_ops_close(&env);
}

/* User space's own pages, too, are the arena's to free. */
static void free_faulted_in(void)
{
	struct arena_ops_env env;
	__u64 *p;

	if (!arena_ops_open(&env, 16, 0, 0))
		return;
	p = arena_ops_page(&env, 2);
	*p = 1;
	ASSERT_NULL(arena_ops_alloc(&env, p, 1), "taken by user space");
	ASSERT_EQ(arena_ops_alloc(&env, NULL, 3), arena_ops_page(&env, 3), "goes round it");
	arena_ops_free(&env, p, 1);
	ASSERT_EQ(arena_ops_load(&env, p), 0, "freed");
	ASSERT_EQ(*p, 0, "a new page");
	arena_ops_free(&env, p, 1);
	ASSERT_EQ(arena_ops_alloc(&env, p, 1), (void *)p, "free again");
	arena_ops_close(&env);
}

static void alloc_at(struct arena_ops_env *env)
{
	char *p = arena_ops_page(env, 4);

	ASSERT_EQ(arena_ops_alloc(env, p, 2), (void *)p, "page 4 and 5");
	ASSERT_NULL(arena_ops_alloc(env, p, 1), "taken");
	ASSERT_NULL(arena_ops_alloc(env, p + page, 1), "taken as well");
	ASSERT_NULL(arena_ops_alloc(env, p - page, 2), "second page taken");
	ASSERT_NULL(arena_ops_alloc(env, p + page, 2), "first page taken");
	ASSERT_NULL(arena_ops_alloc(env, p - page, 4), "middle taken");
	ASSERT_NULL(arena_ops_alloc(env, p - page + 1, 1), "not aligned");
	ASSERT_NULL(arena_ops_alloc(env, p - page / 2, 1), "half a page off");
	ASSERT_NULL(arena_ops_alloc(env, env->base - page, 1), "below the arena");
	ASSERT_NULL(arena_ops_alloc(env, env->base + env->pages * page, 1), "above the arena");
	ASSERT_NULL(arena_ops_alloc(env, env->base + (env->pages - 1) * page, 2), "over the end");
	ASSERT_NULL(arena_ops_alloc(env, env->base - page, 2), "over the start");

	/* None of these left a trace. */
	ASSERT_EQ(arena_ops_alloc(env, p - page, 1), (void *)(p - page), "page 3");
	ASSERT_EQ(arena_ops_alloc(env, p + 2 * page, 1), (void *)(p + 2 * page), "page 6");
	p = arena_ops_page(env, env->pages - 1);
	ASSERT_EQ(arena_ops_alloc(env, p, 1), (void *)p, "last page");
	arena_ops_free(env, env->base, env->pages);
}

static void bad_arguments(struct arena_ops_env *env)
{
	static const int bad_nodes[] = { 9999, -2, 1 << 30, -9999, 1023 };
	__u32 i;

	ASSERT_NULL(arena_ops_alloc(env, NULL, 0), "no page");
	ASSERT_NULL(arena_ops_alloc(env, NULL, env->pages + 1), "a page too many");
	ASSERT_NULL(arena_ops_alloc(env, NULL, ~0U), "2^32 - 1 pages");
	ASSERT_NULL(arena_ops_alloc(env, env->base, ~0U), "2^32 - 1 pages at the start");
	ASSERT_NULL(arena_ops_alloc(env, NULL, 1U << 20), "4 GiB");
	for (i = 0; i < 64; i++)
		ASSERT_NULL(arena_ops_alloc_full(env, NULL, 1, NUMA_NO_NODE, 1ULL << i), "flags");
	/* Trap: node_id taken unchecked */
	for (i = 0; i < ARRAY_SIZE(bad_nodes); i++)
		ASSERT_NULL(arena_ops_alloc_full(env, NULL, 1, bad_nodes[i], 0), "node");

	ASSERT_EQ((char *)arena_ops_alloc(env, NULL, 1), env->base, "nothing has changed");
	ASSERT_EQ(arena_ops_alloc_full(env, arena_ops_page(env, 1), 1, 0, 0),
		  arena_ops_page(env, 1), "node 0");
	arena_ops_free(env, env->base, env->pages);
}

/* A node that could be there, but is not. */
static void offline_node(struct arena_ops_env *env)
{
	char path[64];
	int node;

	/* Trap: node_id taken unchecked */
	for (node = 1; node < 64; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
		if (access(path, F_OK))
			ASSERT_NULL(arena_ops_alloc_full(env, NULL, 1, node, 0), path);
	}
	ASSERT_EQ((char *)arena_ops_alloc(env, NULL, 1), env->base, "nothing has changed");
	arena_ops_free(env, env->base, env->pages);
}

static void lowest_fit(struct arena_ops_env *env)
{
	__u32 i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(arena_ops_alloc(env, NULL, 1), arena_ops_page(env, i), "in order");
	arena_ops_free(env, arena_ops_page(env, 3), 2);
	arena_ops_free(env, arena_ops_page(env, 7), 1);
	ASSERT_EQ(arena_ops_alloc(env, NULL, 3), arena_ops_page(env, 10), "no hole of three");
	ASSERT_EQ(arena_ops_alloc(env, NULL, 2), arena_ops_page(env, 3), "the hole of two");
	ASSERT_EQ(arena_ops_alloc(env, NULL, 2), arena_ops_page(env, 13), "behind all");
	ASSERT_EQ(arena_ops_alloc(env, NULL, 1), arena_ops_page(env, 7), "the hole of one");
	arena_ops_free(env, env->base, env->pages);
}

static void fill_arena(__u32 pages, __u32 chunk)
{
	struct arena_ops_env env;
	__u32 i, round;

	if (!arena_ops_open(&env, pages, 0, 0))
		return;
	for (round = 0; round < 2; round++) {
		for (i = 0; i < pages; i += chunk)
			if (!ASSERT_EQ(arena_ops_alloc(&env, NULL, chunk),
				       arena_ops_page(&env, i), "alloc"))
				goto out;
		ASSERT_NULL(arena_ops_alloc(&env, NULL, 1), "one more");
		ASSERT_NULL(arena_ops_alloc(&env, env.base, 1), "one more at an address");
		arena_ops_store(&env, arena_ops_page(&env, pages - 1), 3);
		ASSERT_EQ(*(__u64 *)arena_ops_page(&env, pages - 1), 3, "last page");
		/* One comes back, one can be had. */
		arena_ops_free(&env, arena_ops_page(&env, pages / 2), 1);
		ASSERT_EQ(arena_ops_alloc(&env, NULL, 1), arena_ops_page(&env, pages / 2),
			  "freed page");
		ASSERT_NULL(arena_ops_alloc(&env, NULL, 1), "full again");
		arena_ops_free(&env, env.base, pages);
	}
out:
	arena_ops_close(&env);
}

static void whole_4g(void)
{
	__u32 pages = ARENA_SZ_4G / page, i;
	struct arena_ops_env env;

	if (!arena_ops_open(&env, pages, BPF_F_SEGV_ON_FAULT, BASE))
		return;
	for (i = 0; i <= 4; i++) {
		__u64 *p = arena_ops_page(&env, i < 4 ? pages / 4 * i : pages - 1);

		if (!ASSERT_EQ(arena_ops_alloc(&env, p, 1), (void *)p, "alloc"))
			break;
		*p = 100 + i;
		ASSERT_EQ(arena_ops_load(&env, p), 100 + i, "content");
	}
	ASSERT_NULL(arena_ops_alloc(&env, NULL, pages), "all of it");
	arena_ops_free(&env, env.base, pages);
	ASSERT_EQ(arena_ops_load(&env, env.base), 0, "freed");
	arena_ops_close(&env);
}

static void reserve(struct arena_ops_env *env)
{
	char *p = arena_ops_page(env, 2);
	__u64 val;

	ASSERT_OK(arena_ops_reserve(env, p, 4), "reserve");
	ASSERT_EQ(arena_ops_reserve(env, p, 4), -EBUSY, "twice");
	ASSERT_EQ(arena_ops_reserve(env, p + page, 1), -EBUSY, "part of it");
	ASSERT_EQ(arena_ops_reserve(env, p - page, 2), -EBUSY, "overlap at the start");
	ASSERT_EQ(arena_ops_reserve(env, p + 3 * page, 2), -EBUSY, "overlap at the end");
	ASSERT_OK(arena_ops_reserve(env, p - page, 1), "page before it");
	arena_ops_free(env, p - page, 1);

	/* Nobody gets a page there. */
	ASSERT_NULL(arena_ops_alloc(env, p, 1), "alloc at");
	ASSERT_NULL(arena_ops_alloc(env, p + 3 * page, 2), "alloc over the end");
	ASSERT_EQ(arena_ops_alloc(env, NULL, 3), (void *)(p + 4 * page), "alloc behind it");
	ASSERT_NEQ(arena_peek(p, &val), 0, "read by user space");
	ASSERT_NEQ(arena_poke(p + page, 1), 0, "write by user space");
	ASSERT_EQ(arena_ops_load(env, p), 0, "read by BPF");
	arena_ops_store(env, p, 1);
	ASSERT_EQ(arena_ops_load(env, p), 0, "write by BPF");

	/* Given back, it is as any other. */
	arena_ops_free(env, p, 4);
	ASSERT_EQ(arena_ops_alloc(env, p, 4), (void *)p, "alloc after free");
	ASSERT_EQ(arena_ops_reserve(env, p + page, 1), -EBUSY, "allocated");
	arena_ops_free(env, env->base, env->pages);
}

static void reserve_arguments(struct arena_ops_env *env)
{
	char *end = env->base + env->pages * page;

	ASSERT_EQ(arena_ops_reserve(env, env->base - page, 1), -EINVAL, "below");
	ASSERT_EQ(arena_ops_reserve(env, end, 1), -EINVAL, "above");
	ASSERT_EQ(arena_ops_reserve(env, end - page, 2), -EINVAL, "over the end");
	ASSERT_EQ(arena_ops_reserve(env, env->base, env->pages + 1), -EINVAL, "too long");
	ASSERT_EQ(arena_ops_reserve(env, env->base, ~0U), -EINVAL, "2^32 - 1 pages");
	ASSERT_EQ(arena_ops_reserve(env, env->base + 1, 1), -EINVAL, "not aligned");
	ASSERT_OK(arena_ops_reserve(env, env->base, env->pages), "all of it");
	ASSERT_NULL(arena_ops_alloc(env, NULL, 1), "alloc");
	arena_ops_free(env, env->base, env->pages);
	ASSERT_EQ((char *)arena_ops_alloc(env, NULL, 1), env->base, "alloc after free");
	arena_ops_free(env, env->base, env->pages);
}

/* An arena as it ought to be. */
#define MODEL_PAGES	32
enum model_state { FREE, TAKEN, RESERVED };

struct model {
	enum model_state state[MODEL_PAGES];
	__u64 tag[MODEL_PAGES];
};

static bool model_range_is(const struct model *m, __u32 nr, __u32 cnt, enum model_state state)
{
	__u32 i;

	if (nr + cnt > MODEL_PAGES)
		return false;
	for (i = nr; i < nr + cnt; i++)
		if (m->state[i] != state)
			return false;
	return true;
}

static void *model_alloc(struct model *m, const struct arena_ops_env *env, bool at, __u32 nr,
			 __u32 cnt)
{
	__u32 i;

	if (!at)
		for (nr = 0; nr < MODEL_PAGES && !model_range_is(m, nr, cnt, FREE); nr++)
			;
	if (!model_range_is(m, nr, cnt, FREE))
		return NULL;
	for (i = nr; i < nr + cnt; i++) {
		m->state[i] = TAKEN;
		m->tag[i] = 0;
	}
	return arena_ops_page(env, nr);
}

static void model_free(struct model *m, __u32 nr, __u32 cnt)
{
	for (; cnt && nr < MODEL_PAGES; nr++, cnt--)
		m->state[nr] = FREE;
}

static int model_reserve(struct model *m, __u32 nr, __u32 cnt)
{
	__u32 i;

	if (nr + cnt > MODEL_PAGES)
		return -EINVAL;
	if (!model_range_is(m, nr, cnt, FREE))
		return -EBUSY;
	for (i = nr; i < nr + cnt; i++)
		m->state[i] = RESERVED;
	return 0;
}

/* A touch by user space or by BPF; what is there must be what the model says. */
static bool model_touch(struct model *m, const struct arena_ops_env *env, __u32 nr, bool user,
			__u64 tag)
{
	void *addr = arena_ops_page(env, nr);
	__u64 val = 0;

	if (!user) {
		if (m->state[nr] == TAKEN)
			val = m->tag[nr];
		if (!ASSERT_EQ(arena_ops_load(env, addr), val, "seen by BPF"))
			return false;
		arena_ops_store(env, addr, tag);
	} else if (m->state[nr] == RESERVED) {
		if (!ASSERT_NEQ(arena_peek(addr, &val), 0, "reserved page"))
			return false;
	} else {
		if (m->state[nr] == FREE)
			m->tag[nr] = 0;
		m->state[nr] = TAKEN;
		if (!ASSERT_OK(arena_peek(addr, &val), "page is there") ||
		    !ASSERT_EQ(val, m->tag[nr], "seen by user space") ||
		    !ASSERT_OK(arena_poke(addr, tag), "write"))
			return false;
	}
	if (m->state[nr] == TAKEN)
		m->tag[nr] = tag;
	return true;
}

static bool model_step(struct model *m, const struct arena_ops_env *env, unsigned int *seed,
		       __u64 tag)
{
	__u32 nr = rand_r(seed) % MODEL_PAGES, cnt = 1 + rand_r(seed) % 6;
	void *addr = arena_ops_page(env, nr);
	bool at = rand_r(seed) % 2;

	switch (rand_r(seed) % 8) {
	case 0:
	case 1:
		return ASSERT_EQ(arena_ops_alloc(env, at ? addr : NULL, cnt),
				 model_alloc(m, env, at, nr, cnt), "alloc");
	case 2:
	case 3:
		arena_ops_free(env, addr, cnt);
		model_free(m, nr, cnt);
		return true;
	case 4:
		return ASSERT_EQ(arena_ops_reserve(env, addr, cnt), model_reserve(m, nr, cnt),
				 "reserve");
	default:
		return model_touch(m, env, nr, at, tag);
	}
}

static void random_model(void)
{
	struct arena_ops_env env;
	struct model m = {};
	unsigned int seed;
	int step;

	/* Trap: reserve, alloc, free of overlapping ranges */
	if (!arena_ops_open(&env, MODEL_PAGES, 0, 0))
		return;
	for (seed = 1; seed <= 4; seed++) {
		unsigned int state = seed;

		for (step = 0; step < 500; step++) {
			if (!model_step(&m, &env, &state, seed * 1000 + step)) {
				PRINT_FAIL("seed %u, step %d\n", seed, step);
				goto out;
			}
		}
	}
out:
	arena_ops_close(&env);
}

/*
 * Charges come in batches of up to 64 pages a CPU: that much is no news. Nor are
 * pages kept in stock for programs that may not sleep.
 */
#define CHARGE_SLACK	(4 * 64 * (long long)page)
#define STOCK_SLACK	(ARENA_STOCK * (long long)page)

static void expect_charge_about(const char *dir, long long before, long long pages,
				long long stock, const char *name)
{
	long long want = before + pages * (long long)page, have;
	bool ok;

	ok = ARENA_EVENTUALLY(({
		have = arena_cgroup_charge(dir);
		have - want <= CHARGE_SLACK + stock && want - have <= CHARGE_SLACK;
	}));
	if (!ok)
		PRINT_FAIL("%s: %lld bytes charged instead of %lld\n", name, have, want);
}

static void expect_charge(const char *dir, long long before, long long pages, const char *name)
{
	expect_charge_about(dir, before, pages, 0, name);
}

static void memcg_alloc(void)
{
	struct arena_ops_env env;
	long long before;
	int i;

	/* Trap: memory not charged, or charged to whoever faults */
	if (!arena_ops_open_in(&env, CREATOR, 4096, 0, 0))
		return;
	before = arena_cgroup_charge(CREATOR);
	for (i = 0; i < 16; i++)
		ASSERT_PAGE(arena_ops_alloc(&env, NULL, 64), "alloc");
	expect_charge(CREATOR, before, 1024, "alloc");
	arena_ops_free(&env, env.base, 4096);
	expect_charge(CREATOR, before, 0, "free");

	env.atomic = true;
	for (i = 0; i < 3072; i += 8)
		if (!ASSERT_PAGE(arena_ops_alloc_wait(&env, NULL, 8), "alloc"))
			break;
	expect_charge_about(CREATOR, before, 3072, STOCK_SLACK, "alloc that may not sleep");
	arena_ops_free(&env, env.base, 4096);
	expect_charge_about(CREATOR, before, 0, STOCK_SLACK, "free that may not sleep");
	arena_ops_close_in(&env, CREATOR);
}

static void memcg_fault(void)
{
	struct arena_ops_env env;
	long long before, other;
	int i;

	/* Trap: memory not charged, or charged to whoever faults */
	if (!arena_cgroup_make(OTHER))
		return;
	if (!arena_ops_open_in(&env, CREATOR, 1024, 0, 0))
		goto out;
	before = arena_cgroup_charge(CREATOR);
	other = arena_cgroup_charge(OTHER);
	arena_cgroup_join(OTHER);
	for (i = 0; i < 1024; i++)
		*(__u64 *)arena_ops_page(&env, i) = i;
	arena_cgroup_join(ARENA_CGROUP_ROOT);
	expect_charge(CREATOR, before, 1024, "creator");
	expect_charge(OTHER, other, 0, "whoever faults");
	arena_ops_close_in(&env, CREATOR);
out:
	arena_cgroup_remove(OTHER);
}

/* Single pages until there is none left: how many. */
static int alloc_all(const struct arena_ops_env *env)
{
	int n = 0;

	while (env->atomic ? arena_ops_alloc_wait(env, NULL, 1) : arena_ops_alloc(env, NULL, 1))
		n++;
	return n;
}

static void memcg_limit(bool atomic)
{
	struct arena_ops_env env;
	__u64 val;
	int n;

	/* Trap: memory not charged, or charged to whoever faults */
	if (!arena_ops_open_in(&env, CREATOR, 4096, 0, 0))
		return;
	env.atomic = atomic;
	arena_cgroup_limit(CREATOR, 256LL * page);

	/* All or nothing. */
	ASSERT_NULL(arena_ops_alloc(&env, NULL, 2048), "far too much");
	ASSERT_EQ(arena_ops_diff(&env, env.base, 0), 0, "nothing has changed");
	n = alloc_all(&env);
	ASSERT_GT(n, 0, "pages");
	/* What is in stock was charged before, and the charge is ahead by a batch */
	ASSERT_LT(n, 512 + (atomic ? ARENA_STOCK : 0), "pages");
	ASSERT_NEQ(arena_peek(arena_ops_page(&env, 4000), &val), 0, "fault at the limit");
	ASSERT_NEQ(arena_poke(arena_ops_page(&env, 4001), 1), 0, "fault at the limit");

	/* What others hold is theirs to use, and what is freed is there again. */
	ASSERT_OK(arena_poke(env.base, 5), "present page");
	arena_ops_free(&env, env.base, n / 2);
	ASSERT_PAGE(arena_ops_alloc(&env, NULL, 1), "alloc after free");

	arena_cgroup_unlimit(CREATOR);
	ASSERT_PAGE(arena_ops_alloc_wait(&env, arena_ops_page(&env, 4000), 1), "alloc");
	ASSERT_OK(arena_poke(arena_ops_page(&env, 4001), 1), "fault");
	arena_ops_close_in(&env, CREATOR);
}

static void memcg_limit_sleepable(void)
{
	memcg_limit(false);
}

static void memcg_limit_atomic(void)
{
	memcg_limit(true);
}

/* Memory that the cgroup can do without has to make room: 32 MiB, lazily freed. */
static void memcg_reclaim(void)
{
	size_t size = 32 * MIB;
	struct arena_ops_env env;
	char *mem;
	int i;

	if (!arena_ops_open_in(&env, CREATOR, 8192, 0, 0))
		return;
	arena_cgroup_join(CREATOR);
	mem = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		memset(mem, 1, size);
	arena_cgroup_join(ARENA_CGROUP_ROOT);
	ASSERT_OK(madvise(mem, size, MADV_FREE), "MADV_FREE");
	arena_cgroup_limit(CREATOR, MIB);

	for (i = 0; i < 4096; i += 16)
		if (!ASSERT_PAGE(arena_ops_alloc(&env, NULL, 16), "alloc"))
			break;
	for (i = 4096; i < 6144; i++)
		if (!ASSERT_OK(arena_poke(arena_ops_page(&env, i), 1), "fault"))
			break;
	munmap(mem, size);
	arena_ops_close_in(&env, CREATOR);
}

static void memory_usage(struct arena_ops_env *env)
{
	long long before, after = -1, want;
	const int pages = 48, stock = 32;

	before = arena_ops_memory(env);
	ASSERT_GT(before, 0, "memlock of an empty arena");
	ASSERT_LT(before, 512 * KIB, "memlock of an empty arena");
	if (!ASSERT_EQ((char *)arena_ops_alloc(env, env->base, pages), env->base, "alloc"))
		return;
	/* Pages in stock count as well, and it may be left half empty. */
	want = before + (env->atomic ? pages - stock : pages) * page;
	ARENA_EVENTUALLY((after = arena_ops_memory(env)) >= want);
	ASSERT_GE(after, want, "memlock with pages");
	ASSERT_LE(after, before + pages * (long long)page + 64 * KIB, "memlock with pages");
	arena_ops_free(env, env->base, pages);
	ARENA_EVENTUALLY((after = arena_ops_memory(env)) < want);
	ASSERT_LT(after, want, "memlock after free");
}

static int count_areas(void)
{
	char line[512];
	int n = 0;
	FILE *f;

	f = fopen("/proc/vmallocinfo", "r");
	if (!f)
		return -1;
	/* Areas that are gone, but not forgotten yet, are no leak; nor are stacks of workers. */
	while (fgets(line, sizeof(line), f))
		n += !strstr(line, "unpurged") && !strstr(line, "kernel_clone");
	fclose(f);
	return n;
}

static int load_alloc_prog(int map_fd, int kfunc_id, __u32 cnt)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	struct bpf_insn insns[] = {
		BPF_LD_MAP_FD(BPF_REG_1, map_fd),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, cnt),
		BPF_MOV64_IMM(BPF_REG_4, NUMA_NO_NODE),
		BPF_MOV64_IMM(BPF_REG_5, 0),
		BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, kfunc_id),
		BPF_MOV64_REG(BPF_REG_1, BPF_REG_0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_1, 0, 1),
		BPF_MOV64_IMM(BPF_REG_0, 1),
		BPF_EXIT_INSN(),
	};

	return bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "arena_alloc", "GPL", insns,
			     ARRAY_SIZE(insns), &opts);
}

static bool life_of_an_arena(__u32 pages, int kfunc_id)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	size_t size = pages * page;
	bool ok = false;
	int fd, prog, i;
	char *mem;

	fd = arena_create_raw(BPF_F_MMAPABLE, pages, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return false;
	mem = arena_mmap(fd, NULL, size, RW, 0);
	if (!ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		goto out;
	for (i = 0; i < 16; i++)
		mem[size / 16 * i] = 1;
	ok = true;
	if (kfunc_id) {
		prog = load_alloc_prog(fd, kfunc_id, 4);
		ok = ASSERT_GE(prog, 0, "load") &&
		     ASSERT_OK(bpf_prog_test_run_opts(prog, &opts), "run") &&
		     ASSERT_OK(opts.retval, "alloc");
		if (prog >= 0)
			close(prog);
	}
	munmap(mem, size);
out:
	close(fd);
	return ok;
}

/*
 * Each round would cost 64 KiB if it kept what it touched, and now and then 8 MiB
 * if it kept page tables. Where rounds take long, 200 have to do.
 */
static void everything_returned(void)
{
	int i, id = 0, areas, after = 0;
	long long before, missing;
	__u64 end;
	struct btf *btf;

	/* Trap: kernel window not aligned as assumed when it is torn down */
	btf = btf__load_vmlinux_btf();
	if (ASSERT_OK_PTR(btf, "vmlinux BTF"))
		id = btf__find_by_name_kind(btf, "bpf_arena_alloc_pages", BTF_KIND_FUNC);
	if (!ASSERT_GT(id, 0, "kfunc"))
		goto out;
	for (i = 0; i < 50; i++)
		if (!life_of_an_arena(1000, i % 10 ? 0 : id))
			goto out;
	arena_settle(arena_mem_free(), 0);
	before = arena_mem_free();
	areas = count_areas();
	ASSERT_GT(areas, 0, "areas");
	end = arena_now_ms() + 30000;
	for (i = 0; i < 1000 && (i < 200 || arena_now_ms() < end); i++)
		if (!life_of_an_arena(i % 25 == 24 && i < 200 ? 1 << 20 : 1000,
				      i % 20 ? 0 : id))
			goto out;
	/* KASAN keeps some of what is freed. */
	missing = arena_settle(before, 10 * MIB);
	ASSERT_LE(missing, 10 * MIB, "bytes missing after 1000 arenas");
	ASSERT_TRUE(ARENA_EVENTUALLY((after = count_areas()) < areas + 20), "vmalloc areas");
	if (after >= areas + 20)
		PRINT_FAIL("%d vmalloc areas, %d before\n", after, areas);
out:
	btf__free(btf);
}

/* Windows end in the middle of a page table, at its end, and a page beyond it. */
static const __u32 window_pages[] = { 1, 511, 512, 513, 1000, 1 << 18 };
/* So many pages behind the begin of a page table; 0 ends at a multiple of 4 GiB, too. */
static const __u32 window_starts[] = { 0, 1, 511 };

#define WINDOWS		(ARRAY_SIZE(window_pages) * (ARRAY_SIZE(window_starts) + 1))
#define WINDOW_ROUNDS	6
#define WINDOW_EDGE	16U	/* pages that are touched at each end */

static __u64 window_addr(int nr)
{
	__u32 pages = window_pages[nr % ARRAY_SIZE(window_pages)];
	int start = nr / ARRAY_SIZE(window_pages);

	if (start == ARRAY_SIZE(window_starts))
		return BASE + ARENA_SZ_4G - pages * page;
	return BASE + window_starts[start] * page;
}

/* Returns how many pages it has now. */
static int touch_window(int fd, int nr)
{
	__u32 pages = window_pages[nr % ARRAY_SIZE(window_pages)], i;
	size_t size = pages * page;
	int touched = 0;
	char *mem;

	mem = arena_mmap(fd, window_addr(nr), size, RW, MAP_FIXED_NOREPLACE);
	if (!ASSERT_EQ((__u64)mem, window_addr(nr), "mmap"))
		return 0;
	for (i = 0; i < pages; i++) {
		if (i >= WINDOW_EDGE && i < pages - WINDOW_EDGE)
			i = pages - WINDOW_EDGE;
		mem[i * page] = 1;
		touched++;
	}
	munmap(mem, size);
	return touched;
}

/* To the page: without what the cgroup is charged in advance, but when it hits a limit. */
static long long charged_pages(const char *dir, long long enough)
{
	long long pages = 0;
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.high", dir);
	ARENA_EVENTUALLY(({
		arena_write_file(path, "0");
		pages = arena_cgroup_charge(dir) / (long long)page;
		pages <= enough;
	}));
	return pages;
}

static void torn_down(void)
{
	int fds[WINDOWS * WINDOW_ROUNDS], nr, touched = 0;
	long long left = 0;

	/* Trap: kernel window not aligned as assumed when it is torn down (CVE-2025-21851) */
	if (!arena_cgroup_make(CREATOR))
		return;
	arena_cgroup_join(CREATOR);
	for (nr = 0; nr < ARRAY_SIZE(fds); nr++)
		fds[nr] = arena_create_raw(BPF_F_MMAPABLE,
					   window_pages[nr % ARRAY_SIZE(window_pages)],
					   window_addr(nr % WINDOWS));
	arena_cgroup_join(ARENA_CGROUP_ROOT);
	for (nr = 0; nr < ARRAY_SIZE(fds); nr++)
		touched += touch_window(fds[nr], nr % WINDOWS);
	ASSERT_GE(arena_cgroup_charge(CREATOR), touched * (long long)page, "charge of all pages");
	for (nr = 0; nr < ARRAY_SIZE(fds); nr++)
		close(fds[nr]);
	left = charged_pages(CREATOR, WINDOWS);
	printf("%d pages touched, %lld left\n", touched, left);
	/* A page of each kind would be WINDOW_ROUNDS times as much. */
	ASSERT_LE(left, WINDOWS, "pages left behind");
	arena_cgroup_remove(CREATOR);
}

/* What an empty, mapped arena of this size costs the kernel, all told. */
static void cost(__u32 pages, int arenas, long long limit)
{
	struct { int fd; void *mem; } a[64];
	size_t size = pages * page;
	long long before, used;
	int i, n;

	arena_settle(arena_mem_free(), 0);
	before = arena_mem_free();
	for (n = 0; n < arenas; n++) {
		a[n].fd = arena_create_raw(BPF_F_MMAPABLE, pages, 0);
		if (!ASSERT_GE(a[n].fd, 0, "create"))
			break;
		a[n].mem = arena_mmap(a[n].fd, NULL, size, RW, 0);
		ASSERT_NEQ(a[n].mem, MAP_FAILED, "mmap");
	}
	used = before - arena_mem_free();
	ASSERT_LT(used / arenas, limit, "bytes of an arena");
	for (i = 0; i < n; i++) {
		munmap(a[i].mem, size);
		close(a[i].fd);
	}
	ASSERT_LE(arena_settle(before, MIB), MIB, "bytes missing afterwards");
}

static void cost_of_a_page(void)
{
	cost(1, 64, 64 * KIB);
}

static void cost_of_4g(void)
{
	/* Trap: KASAN_VMALLOC shadows the whole 4 GiB window */
	cost(ARENA_SZ_4G / page, 4, 9 * MIB);
}

/* The arena's window among the kernel's vmalloc areas: the one of 4 GiB and guards. */
static bool find_window(__u64 *start, __u64 *end)
{
	char line[512];
	bool found = false;
	FILE *f;

	f = fopen("/proc/vmallocinfo", "r");
	if (!ASSERT_OK_PTR(f, "/proc/vmallocinfo"))
		return false;
	while (fgets(line, sizeof(line), f)) {
		__u64 from, to;

		if (sscanf(line, "0x%llx-0x%llx", &from, &to) == 2 && to - from > ARENA_SZ_4G &&
		    !strstr(line, "unpurged")) {
			*start = from;
			*end = to;
			found = true;
		}
	}
	fclose(f);
	return ASSERT_TRUE(found, "arena's window");
}

/* Where /proc/kcore keeps this address. */
static off_t kcore_offset(int fd, __u64 addr)
{
	struct elf64_hdr eh;
	struct elf64_phdr ph;
	int i;

	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh))
		return -1;
	for (i = 0; i < eh.e_phnum; i++) {
		if (pread(fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)) != sizeof(ph))
			return -1;
		if (ph.p_type == PT_LOAD && addr >= ph.p_vaddr && addr - ph.p_vaddr < ph.p_memsz)
			return ph.p_offset + (addr - ph.p_vaddr);
	}
	return -1;
}

/* Holes read as zero, pages as themselves or as zero, and nothing oopses. */
static void kcore_read(int fd, __u64 addr)
{
	static __u64 buf[16 * 1024 / 8];
	off_t off = kcore_offset(fd, addr);
	size_t i;

	if (!ASSERT_GE(off, 0, "segment of kcore"))
		return;
	ASSERT_EQ(pread(fd, buf, sizeof(buf), off), (ssize_t)sizeof(buf), "pread");
	for (i = 0; i < ARRAY_SIZE(buf); i++) {
		if (buf[i] && buf[i] != 0x600d600d) {
			PRINT_FAIL("%llx at %llx\n", buf[i], addr + i * 8);
			break;
		}
	}
}

static void kernel_window_readers(void)
{
	struct arena_ops_env env;
	__u64 start, end;
	char was[8];
	int fd, i;

	/* Trap: /proc/vmallocinfo, /proc/kcore, crash dumps read the sparse window */
	if (!arena_read_file("/proc/sys/kernel/kptr_restrict", was, sizeof(was)))
		return;
	if (!arena_ops_open(&env, 64, 0, 0))
		return;
	ASSERT_PAGE(arena_ops_alloc(&env, NULL, 8), "alloc");
	for (i = 0; i < 8; i += 2)
		arena_ops_fill(&env, arena_ops_page(&env, i), 0x600d600d);
	/* 1: the privileged see addresses as they are. */
	write_sysctl("/proc/sys/kernel/kptr_restrict", "1");
	fd = open("/proc/kcore", O_RDONLY);
	if (ASSERT_GE(fd, 0, "/proc/kcore") && find_window(&start, &end)) {
		__u64 pages = start + ((end - start - ARENA_SZ_4G) / 2 & ~(page - 1)) +
			      (__u32)(__u64)env.base;

		kcore_read(fd, start);
		kcore_read(fd, start + 32 * 1024);
		kcore_read(fd, start + ARENA_SZ_4G / 2);
		kcore_read(fd, end - 64 * 1024);
		kcore_read(fd, pages);
		kcore_read(fd, pages + 6 * page);
		kcore_read(fd, pages + 60 * page);
	}
	close(fd);
	write_sysctl("/proc/sys/kernel/kptr_restrict", was);
	arena_ops_close(&env);
}

/*
 * Page tables that vmalloc() leaves.
 */

/* A ring buffer's area is twice its size, and so has all of a GiB that nobody else is in. */
#define LEFT_BYTES	(512U << 20)
#define CPU1		"/sys/devices/system/cpu/cpu1/online"
#define TAINT_BAD_PAGE	0x20

struct area {
	__u64 start;
	__u64 end;
};

/* The lowest vmalloc area that is at least this large, also if it was freed just now */
static bool find_area(struct area *area, __u64 size)
{
	char line[512];
	__u64 from, to;
	FILE *f;

	area->start = 0;
	f = fopen("/proc/vmallocinfo", "r");
	if (!ASSERT_OK_PTR(f, "/proc/vmallocinfo"))
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "0x%llx-0x%llx", &from, &to) == 2 && to - from >= size &&
		    (!area->start || from < area->start)) {
			area->start = from;
			area->end = to;
		}
	}
	fclose(f);
	return area->start;
}

static bool area_is_gone(__u64 size)
{
	struct area area;

	return !find_area(&area, size);
}

/* Has a large area mapped in full, and unmapped. */
static bool leave_tables(struct area *left)
{
	bool found;
	int fd;

	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "left", 0, 0, LEFT_BYTES, NULL);
	if (!ASSERT_GE(fd, 0, "ring buffer"))
		return false;
	found = find_area(left, 2ULL * LEFT_BYTES);
	close(fd);
	return ASSERT_TRUE(found, "area of the ring buffer") &&
	       ASSERT_TRUE(ARENA_EVENTUALLY(area_is_gone(2ULL * LEFT_BYTES)),
			   "area is gone");
}

/* An arena comes and goes: true if it has been where the tables are. */
static bool arena_takes_tables(const struct area *left)
{
	__u64 gib = 1 << 30, first = (left->start + gib - 1) & ~(gib - 1);
	struct area window;
	bool found;
	char *mem;
	int fd;

	fd = arena_create_raw(BPF_F_MMAPABLE, 64, 0);
	if (!ASSERT_GE(fd, 0, "create"))
		return false;
	found = find_area(&window, ARENA_SZ_4G);
	mem = arena_mmap(fd, NULL, 64 * page, RW, 0);
	if (ASSERT_NEQ(mem, MAP_FAILED, "mmap")) {
		mem[0] = 1;
		munmap(mem, 64 * page);
	}
	close(fd);
	return ASSERT_TRUE(found, "arena's window") &&
	       ASSERT_TRUE(ARENA_EVENTUALLY(area_is_gone(ARENA_SZ_4G)), "window is gone") &&
	       window.start <= first && first < window.end;
}

static void left_tables(void)
{
	char kptr_was[8], cpus_was[64];
	struct area left;
	long long taints;
	bool met = false;
	int i;

	/* Trap: page tables that vmalloc() left, freed as if they were the arena's */
	taints = arena_read_number("/proc/sys/kernel/tainted", "");
	if (!ASSERT_EQ(taints & TAINT_BAD_PAGE, 0, "bad page before") ||
	    !arena_read_file("/proc/sys/kernel/kptr_restrict", kptr_was, sizeof(kptr_was)) ||
	    !arena_read_file(ARENA_WORKER_CPUS, cpus_was, sizeof(cpus_was)))
		return;
	/* 1: the privileged see addresses as they are. */
	write_sysctl("/proc/sys/kernel/kptr_restrict", "1");
	/* A page is looked at when it leaves the CPU on which it was freed, with that at last. */
	arena_write_file(ARENA_WORKER_CPUS, "2");
	ASSERT_TRUE(ARENA_EVENTUALLY(area_is_gone(ARENA_SZ_4G)), "other arenas are gone");
	/* A stack that somebody makes meanwhile keeps the arena away from there. */
	for (i = 0; i < 5 && !met && leave_tables(&left); i++)
		met = arena_takes_tables(&left);
	arena_write_file(CPU1, "0");
	arena_write_file(CPU1, "1");
	taints = arena_read_number("/proc/sys/kernel/tainted", "");
	ASSERT_TRUE(met, "arena where the tables are");
	ASSERT_EQ(taints & TAINT_BAD_PAGE, 0, "bad page");
	arena_write_file(ARENA_WORKER_CPUS, cpus_was);
	write_sysctl("/proc/sys/kernel/kptr_restrict", kptr_was);
}

static long long smaps_rss(const void *start)
{
	char line[512], want[32];
	long long kb = -1;
	bool here = false;
	FILE *f;

	snprintf(want, sizeof(want), "%lx-", (unsigned long)start);
	f = fopen("/proc/self/smaps", "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, want, strlen(want)))
			here = true;
		if (here && sscanf(line, "Rss: %lld", &kb) == 1)
			break;
	}
	fclose(f);
	return kb;
}

static void process_maps(void)
{
	struct arena_ops_env env;
	__u64 entry = 0;
	int fd, i;

	if (!arena_ops_open(&env, 64, 0, 0))
		return;
	ASSERT_EQ(smaps_rss(env.base), 0, "Rss of an empty arena");
	for (i = 0; i < 8; i++)
		*(__u64 *)arena_ops_page(&env, i * 2) = i;
	ASSERT_GE(smaps_rss(env.base), 32, "Rss with 8 pages");
	fd = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_EQ(pread(fd, &entry, 8, (__u64)env.base / page * 8), 8, "pagemap");
	ASSERT_NEQ(entry & 1ULL << 63, 0, "present in pagemap");
	close(fd);
	arena_write_file("/proc/self/clear_refs", "1");
	arena_ops_free(&env, env.base, 64);
	ASSERT_EQ(smaps_rss(env.base), 0, "Rss after free");
	ASSERT_EQ(*(__u64 *)env.base, 0, "a new page");
	arena_ops_close(&env);
}

/* Another process with the arena mapped at the same place. */
static pid_t start_peer(const struct arena_ops_env *env)
{
	int ready[2];
	pid_t pid;
	char c;

	if (!ASSERT_OK(pipe(ready), "pipe"))
		return -1;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		void *mem = arena_mmap(arena_ops_fd(env), env->base, env->pages * page, RW,
				       MAP_FIXED_NOREPLACE);

		if (mem != env->base || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ASSERT_EQ(read(ready[0], &c, 1), 1, "peer is ready");
	close(ready[0]);
	return pid;
}

static void end_peer(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void debugger(void)
{
	struct arena_ops_env env;
	__u64 *mem;
	pid_t pid;
	int status;

	if (!arena_ops_open(&env, 8, BPF_F_SEGV_ON_FAULT, 0))
		return;
	pid = start_peer(&env);
	if (!ASSERT_GT(pid, 0, "peer"))
		goto out;
	mem = arena_ops_alloc(&env, NULL, 1);
	if (!ASSERT_PAGE(mem, "alloc") ||
	    !ASSERT_OK(ptrace(PTRACE_ATTACH, pid, NULL, NULL), "attach"))
		goto end;
	waitpid(pid, &status, 0);
	mem[0] = 77;
	errno = 0;
	ASSERT_EQ(ptrace(PTRACE_PEEKDATA, pid, mem, NULL), 77, "peek");
	ASSERT_OK(ptrace(PTRACE_POKEDATA, pid, mem, 78), "poke");
	ASSERT_EQ(mem[0], 78, "seen by user space");
	ASSERT_EQ(arena_ops_load(&env, mem), 78, "seen by BPF");
	ASSERT_ERRNO(ptrace(PTRACE_PEEKDATA, pid, env.base + page, NULL), EIO, "absent page");
	arena_ops_free(&env, mem, 1);
	ASSERT_ERRNO(ptrace(PTRACE_PEEKDATA, pid, mem, NULL), EIO, "freed page");
	ASSERT_ERRNO(ptrace(PTRACE_POKEDATA, pid, mem, 79), EIO, "freed page");
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
end:
	end_peer(pid);
out:
	arena_ops_close(&env);
}

static void process_vm(void)
{
	struct arena_ops_env env;
	static char buf[4 * 4096];
	struct iovec local = { .iov_base = buf, .iov_len = 3 * page };
	struct iovec remote = { .iov_len = 3 * page };
	pid_t pid;
	int i;

	if (!arena_ops_open(&env, 8, 0, 0))
		return;
	pid = start_peer(&env);
	if (!ASSERT_GT(pid, 0, "peer"))
		goto out;
	remote.iov_base = env.base;
	*(__u64 *)env.base = 5;
	/* Who looks makes no pages; who writes does */
	ASSERT_EQ(process_vm_readv(pid, &local, 1, &remote, 1, 0), (ssize_t)page, "readv");
	ASSERT_EQ(*(__u64 *)buf, 5, "first page");
	remote.iov_base = arena_ops_page(&env, 1);
	ASSERT_ERRNO(process_vm_readv(pid, &local, 1, &remote, 1, 0), EFAULT, "absent page");
	remote.iov_base = env.base;
	memset(buf, 0x5a, 3 * page);
	ASSERT_EQ(process_vm_writev(pid, &local, 1, &remote, 1, 0), 3 * (ssize_t)page, "writev");
	for (i = 0; i < 3; i++)
		ASSERT_EQ(arena_ops_diff(&env, arena_ops_page(&env, i), 0x5a5a5a5a5a5a5a5aULL), 0,
			  "seen by BPF");
	end_peer(pid);
out:
	arena_ops_close(&env);
}

static void file_io(void)
{
	struct arena_ops_env env;
	static char buf[2 * 4096];
	int file;

	if (!arena_ops_open(&env, 8, BPF_F_SEGV_ON_FAULT, 0))
		return;
	file = memfd_create("arena_memory", 0);
	memset(buf, 0x11, sizeof(buf));
	if (!ASSERT_GE(file, 0, "memfd") ||
	    !ASSERT_EQ(pwrite(file, buf, 2 * page, 0), 2 * (ssize_t)page, "file"))
		goto out;
	ASSERT_ERRNO(pread(file, env.base, page, 0), EFAULT, "read into an absent page");
	ASSERT_ERRNO(pwrite(file, env.base, page, 0), EFAULT, "write from an absent page");
	ASSERT_PAGE(arena_ops_alloc(&env, env.base, 2), "alloc");
	ASSERT_EQ(pread(file, env.base, 2 * page, 0), 2 * (ssize_t)page, "read");
	ASSERT_EQ(arena_ops_diff(&env, env.base + page, 0x1111111111111111ULL), 0, "seen by BPF");
	arena_ops_fill(&env, env.base, 0x22);
	ASSERT_EQ(pwrite(file, env.base, page, 0), (ssize_t)page, "write");
	ASSERT_EQ(pread(file, buf, page, 0), (ssize_t)page, "read back");
	ASSERT_FALSE(arena_page_differs(buf, 0x22), "content");
	arena_ops_free(&env, env.base, 1);
	/* Up to the hole it goes. */
	ASSERT_ERRNO(pread(file, env.base, 2 * page, 0), EFAULT, "read into a freed page");
	close(file);
out:
	arena_ops_close(&env);
}

static void direct_io(void)
{
	struct arena_ops_env env;
	int disk;

	if (!arena_ops_open(&env, 8, 0, 0))
		return;
	disk = open("/dev/ram0", O_RDWR | O_DIRECT);
	if (!ASSERT_GE(disk, 0, "/dev/ram0"))
		goto out;
	ASSERT_PAGE(arena_ops_alloc(&env, env.base, 2), "alloc");
	arena_ops_fill(&env, env.base, 0x33);
	arena_ops_fill(&env, env.base + page, 0x44);
	ASSERT_EQ(pwrite(disk, env.base, 2 * page, 0), 2 * (ssize_t)page, "write");
	/* The second target is a page that isn't there yet. */
	arena_ops_free(&env, env.base, 2);
	ASSERT_EQ(pread(disk, env.base, 2 * page, 0), 2 * (ssize_t)page, "read");
	ASSERT_EQ(arena_ops_diff(&env, env.base, 0x33), 0, "first page");
	ASSERT_EQ(arena_ops_diff(&env, env.base + page, 0x44), 0, "second page");
	close(disk);
out:
	arena_ops_close(&env);
}

#define PIPE_PAGES	8
#define OTHER_PAGES	2048

/*
 * Pages sit in a pipe while their offset is freed and everything that can be
 * had is allocated and filled: the pipe must not show any of that.
 */
static bool pinned_round(const struct arena_ops_env *env, int round, bool wait)
{
	struct iovec iov = { .iov_base = env->base, .iov_len = PIPE_PAGES * page };
	static char buf[PIPE_PAGES * 4096];
	size_t i;
	bool ok = true;
	int p[2];
	char *mem;

	if (!ASSERT_OK(pipe(p), "pipe"))
		return false;
	if (!ASSERT_EQ((char *)arena_ops_alloc_wait(env, env->base, PIPE_PAGES), env->base,
		       "alloc"))
		return false;
	memset(env->base, 0xaa, PIPE_PAGES * page);
	ok &= ASSERT_EQ(vmsplice(p[1], &iov, 1, 0), (ssize_t)(PIPE_PAGES * page), "vmsplice");
	arena_ops_free(env, env->base, PIPE_PAGES);
	/* So long may a freed page stay with the arena, for its next allocation. */
	if (wait)
		usleep(1300 * 1000);

	for (i = PIPE_PAGES; i < env->pages; i++)
		if (arena_ops_alloc(env, arena_ops_page(env, i), 1))
			arena_ops_fill(env, arena_ops_page(env, i), 0xbbbbbbbbbbbbbbbbULL);
	mem = mmap(NULL, OTHER_PAGES * page, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (ASSERT_NEQ(mem, MAP_FAILED, "mmap"))
		memset(mem, 0xcc, OTHER_PAGES * page);
	/* The offset can be had again, but with another page. */
	if (round % 2 && arena_ops_alloc(env, env->base, PIPE_PAGES))
		memset(env->base, 0xdd, PIPE_PAGES * page);

	ok &= ASSERT_EQ(read(p[0], buf, sizeof(buf)), (ssize_t)(PIPE_PAGES * page), "read");
	for (i = 0; ok && i < PIPE_PAGES * page; i++) {
		unsigned char c = buf[i];

		if (c != 0xaa) {
			PRINT_FAIL("0x%x at %zu of the pipe\n", c, i);
			ok = false;
		}
	}
	munmap(mem, OTHER_PAGES * page);
	close(p[0]);
	close(p[1]);
	arena_ops_free(env, env->base, env->pages);
	return ok;
}

static void pinned(struct arena_ops_env *env)
{
	int round;

	/* Trap: pinned pages outlive the free: the page must not be reused while pinned */
	for (round = 0; round < 12; round++)
		if (!pinned_round(env, round, !round))
			return;
}

/* Memory of files is not for fixed buffers: their pages are pinned, and let go. */
static void io_uring_buffers(void)
{
	struct io_uring_params params = {};
	struct arena_ops_env env;
	struct iovec iov;
	long long before;
	int ring, i;

	if (!arena_ops_open_in(&env, CREATOR, 64, 0, 0))
		return;
	ring = syscall(__NR_io_uring_setup, 4, &params);
	if (!ASSERT_GE(ring, 0, "io_uring"))
		goto out;
	iov.iov_base = env.base;
	iov.iov_len = 64 * page;
	before = arena_cgroup_charge(CREATOR);
	/* If they stayed pinned, they would never be given back. */
	for (i = 0; i < 64; i++) {
		if (!ASSERT_EQ((char *)arena_ops_alloc(&env, NULL, 64), env.base, "alloc"))
			break;
		ASSERT_ERRNO(syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS,
				     &iov, 1), EOPNOTSUPP, "buffers");
		arena_ops_free(&env, env.base, 64);
	}
	close(ring);
	expect_charge(CREATOR, before, 0, "after pins");
out:
	arena_ops_close_in(&env, CREATOR);
}

/* Meters of the whole machine: not beside other tests. */
void serial_test_arena_memory(void)
{
	struct arena_fault_saved saved;

	page = arena_page_size();
	arena_fault_catch(&saved);
	if (test__start_subtest("new_is_zero"))
		both_flavours(new_is_zero, 64, 0);
	if (test__start_subtest("dirty_is_zeroed"))
		both_flavours(dirty_is_zeroed, 64, 0);
	if (test__start_subtest("absent_reads_zero"))
		both_flavours(absent_reads_zero, 64, BPF_F_SEGV_ON_FAULT);
	if (test__start_subtest("free_holes"))
		both_flavours(free_holes, 64, BPF_F_SEGV_ON_FAULT);
	if (test__start_subtest("free_twice"))
		both_flavours(free_twice, 64, BPF_F_SEGV_ON_FAULT);
	if (test__start_subtest("free_clipped"))
		both_flavours(free_clipped, 64, BPF_F_SEGV_ON_FAULT);
	if (test__start_subtest("free_below_start"))
		both_flavours(free_below_start, 8, 0);
	if (test__start_subtest("free_null"))
		free_null();
	if (test__start_subtest("free_faulted_in"))
		free_faulted_in();
	if (test__start_subtest("alloc_at"))
		both_flavours(alloc_at, 64, 0);
	if (test__start_subtest("bad_arguments"))
		both_flavours(bad_arguments, 64, 0);
	if (test__start_subtest("offline_node"))
		both_flavours(offline_node, 64, 0);
	if (test__start_subtest("lowest_fit"))
		both_flavours(lowest_fit, 64, 0);
	if (test__start_subtest("fill_1"))
		fill_arena(1, 1);
	if (test__start_subtest("fill_100"))
		fill_arena(100, 1);
	if (test__start_subtest("fill_4096"))
		fill_arena(4096, 32);
	if (test__start_subtest("whole_4g"))
		whole_4g();
	if (test__start_subtest("reserve"))
		both_flavours(reserve, 64, 0);
	if (test__start_subtest("reserve_arguments"))
		both_flavours(reserve_arguments, 64, 0);
	if (test__start_subtest("random_model"))
		random_model();
	if (test__start_subtest("memcg_alloc"))
		memcg_alloc();
	if (test__start_subtest("memcg_fault"))
		memcg_fault();
	if (test__start_subtest("memcg_limit_sleepable"))
		memcg_limit_sleepable();
	if (test__start_subtest("memcg_limit_atomic"))
		memcg_limit_atomic();
	if (test__start_subtest("memcg_reclaim"))
		memcg_reclaim();
	if (test__start_subtest("memory_usage"))
		both_flavours(memory_usage, 64, 0);
	if (test__start_subtest("everything_returned"))
		everything_returned();
	if (test__start_subtest("torn_down"))
		torn_down();
	if (test__start_subtest("cost_of_a_page"))
		cost_of_a_page();
	if (test__start_subtest("cost_of_4g"))
		cost_of_4g();
	if (test__start_subtest("kernel_window_readers"))
		kernel_window_readers();
	if (test__start_subtest("left_tables"))
		left_tables();
	if (test__start_subtest("process_maps"))
		process_maps();
	if (test__start_subtest("debugger"))
		debugger();
	if (test__start_subtest("process_vm"))
		process_vm();
	if (test__start_subtest("file_io"))
		file_io();
	if (test__start_subtest("direct_io"))
		direct_io();
	if (test__start_subtest("pinned"))
		both_flavours(pinned, 64, 0);
	if (test__start_subtest("io_uring_buffers"))
		io_uring_buffers();
	arena_fault_restore(&saved);
}
