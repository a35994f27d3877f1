/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of the headers for arenas share in user space. */
#ifndef __ARENA_LIB_TEST_H
#define __ARENA_LIB_TEST_H

#include <pthread.h>
#include <sched.h>
#include <linux/btf.h>
#include <bpf/btf.h>
#include "arena_test.h"

#define ARENA_LIB_THREADS	4

static bool arena_lib_is_over;

static inline void arena_lib_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline bool arena_lib_kernel_has(const char *name, __u32 kind)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has;

	if (!ASSERT_OK_PTR(btf, "types of the kernel"))
		return true;
	has = btf__find_by_name_kind(btf, name, kind) > 0;
	btf__free(btf);
	return has;
}

/* What arena_pages_nosleep() of bpf_arena_common.h tells programs */
static inline bool arena_lib_pages_nosleep(void)
{
	return arena_lib_kernel_has("arena_stock", BTF_KIND_STRUCT) ||
	       arena_lib_kernel_has("arena_free_span", BTF_KIND_STRUCT);
}

/*
 * Does the kernel report each access where no page is, with its stack, which takes it most
 * of a millisecond? Mainline does since 6.18.
 */
static inline bool arena_lib_reports_faults(void)
{
	return arena_lib_kernel_has("bpf_prog_report_arena_violation", BTF_KIND_FUNC);
}

/* Runs a program of type syscall; 0, or what it or the kernel returned. */
static inline int arena_lib_run(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	return bpf_prog_test_run_opts(bpf_program__fd(prog), &opts) ?: (int)opts.retval;
}

struct arena_lib_racer {
	struct bpf_program *prog;
	int (*user)(int nr);
	int nr;
	__u64 runs;
};

static inline void *arena_lib_race_thread(void *arg)
{
	struct arena_lib_racer *racer = arg;
	long err = 0;

	arena_lib_pin(racer->nr % 2);
	while (!err && !READ_ONCE(arena_lib_is_over)) {
		err = racer->prog ? arena_lib_run(racer->prog) : racer->user(racer->nr);
		WRITE_ONCE(racer->runs, racer->runs + 1);
		/* It may be that there is nothing to do before others have done something. */
		sched_yield();
	}
	return (void *)err;
}

static inline __u64 arena_lib_least(const struct arena_lib_racer *racers)
{
	__u64 least = READ_ONCE(racers[0].runs);
	int i;

	for (i = 1; i < ARENA_LIB_THREADS; i++)
		if (READ_ONCE(racers[i].runs) < least)
			least = READ_ONCE(racers[i].runs);
	return least;
}

/*
 * Runs the program on CPUs 0 and 1, and the function in a thread on each of them, over
 * and over until all have had their share. Each of them ends by itself, and returns 0.
 */
static inline void arena_lib_race(struct bpf_program *prog, int (*user)(int nr), __u64 runs)
{
	struct arena_lib_racer racers[ARENA_LIB_THREADS] = {};
	pthread_t threads[ARENA_LIB_THREADS];
	__u64 least;
	void *ret;
	int n;

	arena_lib_is_over = false;
	for (n = 0; n < ARENA_LIB_THREADS; n++) {
		racers[n].nr = n;
		racers[n].prog = n < 2 ? prog : NULL;
		racers[n].user = user;
		if (!ASSERT_OK(pthread_create(&threads[n], NULL, arena_lib_race_thread,
					      &racers[n]), "thread"))
			break;
	}
	do
		least = arena_lib_least(racers);
	while (least < runs &&
	       ASSERT_TRUE(ARENA_EVENTUALLY(arena_lib_least(racers) > least), "all go on"));
	WRITE_ONCE(arena_lib_is_over, true);
	while (n--) {
		pthread_join(threads[n], &ret);
		ASSERT_NULL(ret, "thread's return value");
	}
}

#endif
