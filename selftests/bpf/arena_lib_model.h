/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs the random operations of progs/arena_lib_*.h on a structure, by turns in BPF and
 * in user space, and beside them on a model.
 */
#ifndef __ARENA_LIB_MODEL_H
#define __ARENA_LIB_MODEL_H

#include <test_progs.h>
#include "arena_test.h"
#include "progs/arena_lib_steps.h"

struct lib_test {
	const char *file;		/* with the program "steps" */
	void (*init)(void *shared);	/* if there is anything to be done first */
	/* The same on what they share, the first of the file's globals; and on the model */
	void (*user_steps)(struct lib_run *run, void *shared);
	void (*model_steps)(struct lib_run *run);
	/* Looks at all that is there natively: what is wrong with it, or NULL */
	const char *(*differs)(void *shared);
	__u64 random;			/* where to begin */
};

/* Steps at a time: the sums are compared that often. */
#define LIB_BATCH	1000

static inline bool lib_run_prog(int prog, struct lib_run *run)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .ctx_in = run,
		    .ctx_size_in = sizeof(*run));
	int tries = 1000;

	/* On a busy machine a program may need several runs. */
	while (run->steps && tries--)
		if (!ASSERT_OK(bpf_prog_test_run_opts(prog, &opts), "run") ||
		    !ASSERT_EQ(opts.retval, 0, "steps"))
			return false;
	return ASSERT_EQ(run->steps, 0, "steps left");
}

/* @prog is the program, or -1 to do it in user space */
static inline bool lib_steps(struct lib_test *test, int prog, void *shared, __u64 steps)
{
	const char *differs;

	while (steps) {
		struct lib_run run = {
			.random = test->random,
			.steps = steps < LIB_BATCH ? steps : LIB_BATCH,
		};
		struct lib_run model = run;

		steps -= run.steps;
		if (prog < 0)
			test->user_steps(&run, shared);
		else if (!lib_run_prog(prog, &run))
			return false;
		test->model_steps(&model);
		if (!ASSERT_EQ(run.random, model.random, "next random number") ||
		    !ASSERT_EQ(run.sum, model.sum, "what the operations saw"))
			return false;
		test->random = model.random;
	}
	differs = test->differs(shared);
	return ASSERT_NULL(differs, differs ?: "structure");
}

/* Operations of BPF, some of user space, and of BPF on what that has left. */
static inline void lib_test_run(struct lib_test *test)
{
	struct bpf_object *obj;
	void *shared;
	size_t size;
	int prog;

	obj = bpf_object__open_file(test->file, NULL);
	if (!ASSERT_OK_PTR(obj, test->file))
		return;
	if (!ASSERT_OK(bpf_object__load(obj), "load"))
		goto out;
	shared = (void *)bpf_map__initial_value(bpf_object__find_map_by_name(obj, "arena"), &size);
	if (!ASSERT_OK_PTR(shared, "arena"))
		goto out;
	if (test->init)
		test->init(shared);
	prog = bpf_program__fd(bpf_object__find_program_by_name(obj, "steps"));
	if (lib_steps(test, prog, shared, arena_times(100000)) &&
	    lib_steps(test, -1, shared, arena_times(20000)))
		lib_steps(test, prog, shared, arena_times(20000));
out:
	bpf_object__close(obj);
}

#endif
