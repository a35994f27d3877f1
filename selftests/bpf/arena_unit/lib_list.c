// SPDX-License-Identifier: GPL-2.0
/* The lists of ../bpf_arena_list.h. */
#include "lib.h"
#include "progs/arena_lib_list.h"

static void test_lists(void)
{
	static struct lists_model model;
	static struct lists lists;

	LIB_RUN(&lists, lists_step, &model, lists_model_step, lists_differ);
}

/* Of an entry that is on a list, that was taken out, and that never was on one */
static void test_take_out(void)
{
	struct arena_list_head head = {}, first = {}, last = {}, other = {};

	arena_list_add_tail(&first, &head);
	arena_list_add_tail(&last, &head);
	arena_list_del(&first);
	arena_list_del_init(&first);
	arena_list_del_init(&other);
	CHECK(arena_list_empty(&first) && arena_list_empty(&other));
	CHECK(head.next == &last && head.prev == &last);
	CHECK(last.next == &head && last.prev == &head);
	arena_list_del_init(&last);
	CHECK(arena_list_empty(&head) && arena_list_empty(&last));
}

static const struct test tests[] = {
	{ "lists are as sequences", test_lists },
	{ "entries are taken out", test_take_out },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
