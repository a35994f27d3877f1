// SPDX-License-Identifier: GPL-2.0
/* A kfunc of a module, arena_testmod/, that takes an arena and a pointer into it. */
#include <test_progs.h>
#include "arena_test.h"
#include "arena_testmod.skel.h"

#define MODULE	"arena_testmod"
#define WORDS	600

static char log_buf[16384];

static int load_module(void)
{
	int fd = open(MODULE ".ko", O_RDONLY);
	int err;

	if (fd < 0)
		return -1;
	err = syscall(__NR_finit_module, fd, "", 0);
	close(fd);
	return err;
}

static int unload_module(void)
{
	return syscall(__NR_delete_module, MODULE, O_NONBLOCK);
}

/* Loads one program of progs/arena_testmod.c */
static struct arena_testmod *load(const char *name, int err)
{
	struct bpf_program *prog;
	struct arena_testmod *skel;

	skel = arena_testmod__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	prog = bpf_object__find_program_by_name(skel->obj, name);
	if (ASSERT_OK_PTR(prog, name)) {
		log_buf[0] = 0;
		bpf_program__set_autoload(prog, true);
		bpf_program__set_log_buf(prog, log_buf, sizeof(log_buf));
		if (ASSERT_EQ(arena_testmod__load(skel), err, name) && !err)
			return skel;
	}
	arena_testmod__destroy(skel);
	return NULL;
}

static void says(const char *name, int err, __u64 sum)
{
	struct arena_testmod *skel = load(name, 0);
	struct bpf_program *prog;

	if (!skel)
		return;
	prog = bpf_object__find_program_by_name(skel->obj, name);
	skel->bss->sum = ~0ULL;
	if (ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), NULL), name)) {
		ASSERT_EQ(skel->bss->err, err, name);
		ASSERT_EQ(skel->bss->sum, sum, name);
	}
	arena_testmod__destroy(skel);
}

static void refused(const char *name, int err, const char *msg)
{
	load(name, err);
	ASSERT_HAS_SUBSTR(log_buf, msg, name);
}

/* The module stays while a program can call it, and no longer. */
static void life(void)
{
	struct arena_testmod *skel = load("user_pointer", 0);

	if (!skel)
		return;
	ASSERT_ERRNO(unload_module(), EWOULDBLOCK, "unload while a program is there");
	arena_testmod__destroy(skel);
	if (!ASSERT_TRUE(ARENA_EVENTUALLY(!unload_module()), "unload"))
		return;
	load("user_pointer", -EINVAL);
	ASSERT_OK(load_module(), "load again");
}

/* Loads a module that there is only one of. */
void serial_test_arena_testmod(void)
{
	if (load_module()) {
		if (errno == ENOENT)
			test__skip();
		else
			ASSERT_OK(-errno, "load the module");
		return;
	}
	if (test__start_subtest("good_arguments")) {
		says("user_pointer", 0, WORDS * (WORDS - 1) / 2);
		says("kernel_pointer", 0, WORDS * (WORDS - 1) / 2);
	}
	if (test__start_subtest("bad_arguments")) {
		says("other_map", -EINVAL, 0);
		says("too_long", -ERANGE, 0);
		says("below", -ERANGE, 0);
		refused("no_map", -EINVAL, "arg#0 must be a map pointer");
		refused("wrong_type", -EACCES,
			"calling kernel function arena_testmod_sum is not allowed");
	}
	if (test__start_subtest("module_life"))
		life();
	ASSERT_TRUE(ARENA_EVENTUALLY(!unload_module()), "unload");
}
