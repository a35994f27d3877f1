// SPDX-License-Identifier: GPL-2.0
/*
 * What somebody has made a ring of, or whose counts he has forged, ends for who searches or
 * walks it, and what is long by right is not cut short.
 */

/* The real one would take as long as a second, or under the sanitizers several. */
#define ARENA_WALK_MAX	0x100000
#include "bpf_arena_hashtable.h"
#include "bpf_arena_list.h"
#include "bpf_arena_rbtree.h"
#include "bpf_arena_xarray.h"
#include "harness.h"
#include "lib_heap.h"

#define FORGED		(~0ULL)
#define NONE		1234567		/* a hash, or a key, that nothing has */
#define SEARCH_NS	10000000ULL	/* 1024 entries take far less, even here */

/* Takes no longer than a search may. */
#define CHECK_SOON(call)						\
	do {								\
		u64 _begin = arena_spin_now();				\
									\
		call;							\
		CHECK(arena_spin_now() - _begin < SEARCH_NS);		\
	} while (0)

struct elem {
	struct arena_htab_node node;
	struct arena_list_head link;
	struct arena_hlist_node hlink;
	struct arena_rb_node rb;
	u64 key;
};

#define to_elem(n)	arena_rb_entry(n, struct elem, rb)

static int less(struct arena_rb_node *a, const struct arena_rb_node *b)
{
	return to_elem(a)->key < to_elem(b)->key;
}

static int cmp_key(const void *key, const struct arena_rb_node *n)
{
	u64 k = *(const u64 *)key;

	return k < to_elem(n)->key ? -1 : k > to_elem(n)->key;
}

static int cmp_node(struct arena_rb_node *a, const struct arena_rb_node *b)
{
	return cmp_key(&to_elem(a)->key, b);
}

static struct elem *new_elems(u64 cnt)
{
	struct elem *e = calloc(cnt, sizeof(*e));

	CHECK(e);
	return e;
}

static u64 count_possible(struct arena_htab *htab, u64 hash, int *all)
{
	struct elem *e;
	u64 cnt = 0;

	arena_htab_for_each_possible(htab, e, hash, node)
		cnt++;
	*all = !e;
	return cnt;
}

/* So many of one hash as there may be, and one more. */
static void test_full_chain(void)
{
	static struct arena_htab htab;
	static struct arena_heap heap;
	struct elem *e = new_elems(ARENA_HTAB_CHAIN + 1), *last = &e[ARENA_HTAB_CHAIN];
	u64 i;
	int all;

	lib_init_heap(&heap, 64);
	arena_htab_init(&htab, &heap);
	for (i = 0; i < ARENA_HTAB_CHAIN; i++)
		CHECK_EQ(arena_htab_add(&htab, &e[i].node, 7), 0);
	last->node.hash = NONE;
	CHECK_EQ(arena_htab_add(&htab, &last->node, 7), -ENOSPC);
	CHECK_EQ(last->node.hash, NONE);
	CHECK(!last->node.next);
	CHECK_EQ(htab.entries, ARENA_HTAB_CHAIN);
	CHECK_EQ(count_possible(&htab, 7, &all), ARENA_HTAB_CHAIN);
	CHECK(all);
	/* There is room in all other chains, and here when one goes: the first is at the end. */
	CHECK_EQ(arena_htab_add(&htab, &last->node, 8), 0);
	CHECK(arena_htab_find(&htab, 8) == &last->node);
	CHECK_EQ(arena_htab_del(&htab, &last->node), 0);
	CHECK_EQ(arena_htab_del(&htab, &e[0].node), 0);
	CHECK_EQ(arena_htab_add(&htab, &last->node, 7), 0);
	CHECK(arena_htab_find(&htab, 7) == &last->node);
	CHECK_EQ(count_possible(&htab, 7, &all), ARENA_HTAB_CHAIN);
	CHECK(all);
	for (i = 1; i <= ARENA_HTAB_CHAIN; i++)
		CHECK_EQ(arena_htab_del(&htab, &e[i].node), 0);
	CHECK_EQ(htab.entries, 0);
	free(e);
}

/* A chain that is longer than there is, and a number of entries that would allow it. */
static void test_forged_chain(void)
{
	enum { CNT = 3 * ARENA_HTAB_CHAIN };
	static struct arena_htab htab;
	struct elem *e = new_elems(CNT);
	u64 i;
	int all;

	/* What is added first is at the chain's end. */
	CHECK_EQ(arena_htab_add(&htab, &e[0].node, 7), 0);
	for (i = 1; i < CNT; i++) {
		e[i].node.hash = i < CNT - 1 ? 7 : 7 + ARENA_HTAB_MIN;
		e[i - 1].node.next = &e[i].node;
	}
	htab.entries = FORGED;
	CHECK_EQ(count_possible(&htab, 7, &all), ARENA_HTAB_CHAIN);
	CHECK(!all);
	CHECK(!arena_htab_find(&htab, 7 + ARENA_HTAB_MIN));
	CHECK_EQ(arena_htab_del(&htab, &e[CNT - 1].node), -ENOENT);
	free(e);
}

/* Two chains that would be too long in one bucket stay in two. */
static void test_trim(void)
{
	enum { CHAIN = ARENA_HTAB_CHAIN * 2 / 3, OTHERS = 3000, CNT = OTHERS + 2 * CHAIN };
	static struct arena_htab htab;
	static struct arena_heap heap;
	struct elem *e = new_elems(CNT), *pos;
	u64 i, cnt = 0;
	int all;

	lib_init_heap(&heap, 64);
	arena_htab_init(&htab, &heap);
	for (i = 0; i < CNT; i++)
		CHECK_EQ(arena_htab_add(&htab, &e[i].node, i < OTHERS ? arena_htab_hash(i) :
					i % 2 ? 1 : 2049), 0);
	for (i = 0; i < OTHERS; i++)
		CHECK_EQ(arena_htab_del(&htab, &e[i].node), 0);
	while (arena_htab_trim(&htab) == -EAGAIN)
		;
	CHECK_EQ(arena_htab_buckets(&htab), 2050);
	CHECK_EQ(count_possible(&htab, 1, &all), CHAIN);
	CHECK(all);
	CHECK_EQ(count_possible(&htab, 2049, &all), CHAIN);
	CHECK(all);
	arena_htab_for_each(&htab, pos, node) {
		CHECK_EQ(arena_htab_del(&htab, &pos->node), 0);
		cnt++;
	}
	CHECK(!pos);
	CHECK_EQ(cnt, 2 * CHAIN);
	while (arena_htab_trim(&htab) == -EAGAIN)
		;
	CHECK_EQ(arena_htab_buckets(&htab), ARENA_HTAB_MIN);
	free(e);
}

static void test_ring_in_chain(void)
{
	enum { CNT = 100 };
	u64 counts[] = { CNT, 0, FORGED }, i, k;
	static struct arena_htab htab;
	struct elem *e = new_elems(CNT + 1), *pos;
	int all;

	for (i = 0; i < CNT; i++)
		CHECK_EQ(arena_htab_add(&htab, &e[i].node, 64 * i), 0);
	e[0].node.next = &e[CNT / 2].node;
	for (k = 0; k < ARRAY_SIZE(counts); k++) {
		htab.entries = counts[k];
		CHECK_SOON(CHECK(!arena_htab_find(&htab, 64 * NONE)));
		CHECK_SOON(arena_htab_find_next(&e[1].node));
		CHECK_SOON(count_possible(&htab, 64, &all));
		CHECK(!all);
		e[CNT].node.hash = 0;
		CHECK_SOON(CHECK_EQ(arena_htab_del(&htab, &e[CNT].node), -ENOENT));
		htab.entries = counts[k];
		CHECK_SOON(arena_htab_for_each(&htab, pos, node) {});
		CHECK(pos);
	}
	CHECK_SOON(CHECK_EQ(arena_htab_add(&htab, &e[CNT].node, 0), -ENOSPC));
	CHECK_SOON(arena_htab_trim(&htab));
	/* Growing comes by the chain, too. */
	{
		static struct arena_heap heap;

		lib_init_heap(&heap, 16);
		arena_htab_init(&htab, &heap);
		htab.entries = CNT;
		CHECK_SOON(CHECK_EQ(arena_htab_add(&htab, &e[CNT].node, 1), 0));
	}
	free(e);
}

static void test_ring_in_list(void)
{
	enum { CNT = 1000 };
	struct elem *e = new_elems(CNT), *pos, *n;
	struct arena_list_head head = {};
	struct arena_hlist_head hhead = {};
	u64 i, cnt;

	for (i = 0; i < CNT; i++) {
		arena_list_add_tail(&e[i].link, &head);
		arena_hlist_add_head(&e[CNT - 1 - i].hlink, &hhead);
	}
	/* The lists are long, and not cut short. */
	cnt = 0;
	arena_list_for_each_entry(pos, &head, link)
		cnt++;
	CHECK(!pos && cnt == CNT);
	cnt = 0;
	arena_hlist_for_each_entry(pos, &hhead, hlink)
		cnt++;
	CHECK(!pos && cnt == CNT);

	/* From the end to all places, also to itself, and back the other way */
	for (i = 0; i < CNT; i++) {
		e[CNT - 1].link.next = &e[i].link;
		e[CNT - 1].hlink.next = &e[i].hlink;
		e[0].link.prev = &e[CNT - 1 - i].link;
		cnt = 0;
		arena_list_for_each_entry(pos, &head, link)
			cnt++;
		CHECK(pos && cnt >= CNT && cnt <= 3 * CNT);
		cnt = 0;
		arena_list_for_each_entry_reverse(pos, &head, link)
			cnt++;
		CHECK(pos && cnt >= CNT && cnt <= 3 * CNT);
		cnt = 0;
		arena_hlist_for_each_entry(pos, &hhead, hlink)
			cnt++;
		CHECK(pos && cnt >= CNT && cnt <= 3 * CNT);
	}
	cnt = 0;
	arena_list_for_each_entry_safe(pos, n, &head, link)
		cnt++;
	CHECK(pos);
	CHECK_EQ(cnt, ARENA_WALK_MAX);
	cnt = 0;
	arena_hlist_for_each_entry_safe(pos, n, &hhead, hlink)
		cnt++;
	CHECK(pos);
	CHECK_EQ(cnt, ARENA_WALK_MAX);
	free(e);
}

static u64 count_nodes(struct arena_rb_root *root, int *all)
{
	struct arena_rb_node *n;
	u64 cnt = 0;

	arena_rb_for_each(n, root)
		cnt++;
	*all = !n;
	return cnt;
}

/* In order, the worst way to build a tree: it is as high as it can be. */
static void test_tree_is_high(void)
{
	enum { CNT = 100000 };
	struct arena_rb_root root = {};
	struct elem *e = new_elems(CNT);
	u64 i, k;
	int all;

	for (i = 0; i < CNT; i++) {
		e[i].key = i;
		CHECK_EQ(arena_rb_add(&e[i].rb, &root, less), 0);
		CHECK(arena_rb_find(&i, &root, cmp_key) == &e[i].rb);
		k = i / 2;
		CHECK(arena_rb_find(&k, &root, cmp_key) == &e[k].rb);
	}
	CHECK_EQ(root.nodes, CNT);
	CHECK_EQ(count_nodes(&root, &all), CNT);
	CHECK(all);
	/* From one end: the other one is as high as it was. */
	for (i = 0; i < CNT; i++) {
		arena_rb_erase(&e[i].rb, &root);
		k = CNT - 1;
		CHECK(i == k || arena_rb_find(&k, &root, cmp_key) == &e[k].rb);
		k = i + (CNT - i) / 2;
		CHECK(i == CNT - 1 || k == i || arena_rb_find(&k, &root, cmp_key) == &e[k].rb);
	}
	CHECK_EQ(root.nodes, 0);
	free(e);
}

static void test_cycle_in_tree(void)
{
	enum { CNT = 1000 };
	struct elem *e = new_elems(CNT + 1), *top, *low;
	struct arena_rb_root root = {};
	u64 counts[] = { CNT, 0, FORGED }, key, k, i;
	int all;

	for (i = 0; i < CNT; i++) {
		e[i].key = i;
		CHECK_EQ(arena_rb_add(&e[i].rb, &root, less), 0);
	}
	top = to_elem(root.node);
	low = to_elem(arena_rb_last(&root));
	low->rb.child[1] = &top->rb;
	top->rb.child[0] = &low->rb;
	for (k = 0; k < ARRAY_SIZE(counts); k++) {
		root.nodes = counts[k];
		for (key = CNT; key <= CNT + 1; key++) {
			e[CNT].key = key;
			CHECK_SOON(CHECK(!arena_rb_find(&key, &root, cmp_key)));
			CHECK_SOON(CHECK_EQ(arena_rb_add(&e[CNT].rb, &root, less), -ELOOP));
			CHECK_SOON(CHECK(arena_rb_find_add(&e[CNT].rb, &root, cmp_node) ==
					 &e[CNT].rb));
		}
		CHECK_SOON(arena_rb_first(&root));
		CHECK_SOON(arena_rb_last(&root));
		CHECK_SOON(arena_rb_next(&low->rb));
		CHECK_SOON(arena_rb_prev(&top->rb));
		CHECK_SOON(count_nodes(&root, &all));
	}
	CHECK_SOON(arena_rb_erase(&top->rb, &root));
	free(e);
}

static u64 count_entries(struct arena_xarray *xa, int *all)
{
	void *entry;
	u64 index, cnt = 0;

	arena_xa_for_each(xa, index, entry)
		cnt++;
	*all = !entry;
	return cnt;
}

/* Each entry as far from the next one as can be, so that it has all its nodes to itself. */
static void test_sparse(void)
{
	static struct arena_heap heap;
	struct arena_xarray xa = {};
	u64 i, cnt = 0;
	int all;

	lib_init_heap(&heap, 4096);
	arena_xa_init(&xa, &heap);
	for (i = 0; i < 1000; i++, cnt++)
		CHECK_EQ(arena_xa_store(&xa, i * (FORGED / 1000), (void *)1), 0);
	/* And with the first slots of all nodes on the way taken, or the last ones */
	for (i = 0; i < 64; i++) {
		cnt += !arena_xa_load(&xa, 1ULL << i);
		CHECK_EQ(arena_xa_store(&xa, 1ULL << i, (void *)2), 0);
		cnt += !arena_xa_load(&xa, FORGED - (1ULL << i));
		CHECK_EQ(arena_xa_store(&xa, FORGED - (1ULL << i), (void *)3), 0);
	}
	CHECK_EQ(xa.entries, cnt);
	CHECK_EQ(count_entries(&xa, &all), cnt);
	CHECK(all);
	for (i = 0; arena_xa_find(&xa, &i); cnt--)
		CHECK(arena_xa_erase(&xa, i));
	CHECK_EQ(cnt, 0);
	CHECK_EQ(xa.entries, 0);
}

static void test_cycle_in_array(void)
{
	static struct arena_heap heap;
	struct arena_xarray xa = {};
	struct arena_xa_node *root, *below;
	u64 index = 2, i;
	int all;

	lib_init_heap(&heap, 64);
	arena_xa_init(&xa, &heap);
	CHECK_EQ(arena_xa_store(&xa, 0, (void *)1), 0);
	CHECK_EQ(arena_xa_store(&xa, 1, (void *)1), 0);
	CHECK_EQ(arena_xa_store(&xa, FORGED, (void *)1), 0);
	/* 2^64 entries, all in two nodes */
	root = xa.head;
	below = root->slot[0];
	for (i = 0; i < ARENA_XA_SLOTS; i++) {
		root->slot[i] = below;
		below->slot[i] = root;
	}
	CHECK_SOON(arena_xa_find(&xa, &index));
	CHECK_SOON(arena_xa_load(&xa, NONE));
	CHECK_SOON(CHECK(count_entries(&xa, &all) < 100));
	CHECK(!all);
	xa.entries = 0;
	CHECK_SOON(CHECK(count_entries(&xa, &all) < 100));
	CHECK(!all);
	xa.entries = FORGED;
	CHECK(count_entries(&xa, &all) <= 4 * ARENA_WALK_MAX);
	CHECK(!all);
}

static const struct test tests[] = {
	{ "a chain is full, and nothing is lost", test_full_chain },
	{ "a chain is forged", test_forged_chain },
	{ "a trimmed table has no chain that is too long", test_trim },
	{ "a ring in a chain", test_ring_in_chain },
	{ "a ring in a list", test_ring_in_list },
	{ "a tree is as high as it can be", test_tree_is_high },
	{ "a cycle in a tree", test_cycle_in_tree },
	{ "a sparse array is walked to its end", test_sparse },
	{ "a cycle in an array", test_cycle_in_array },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
