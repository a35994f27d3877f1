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

static const struct test tests[] = {
	{ "lists are as sequences", test_lists },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
