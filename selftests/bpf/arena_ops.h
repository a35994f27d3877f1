/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ARENA_OPS_H
#define __ARENA_OPS_H

#include "arena_test.h"
#include "arena_ops.skel.h"

/* An arena with the programs that work on it, as one thread of a test sees it. */
struct arena_ops_env {
	struct arena_ops *skel;
	char *base;
	size_t page;
	__u32 pages;
	bool atomic;	/* use the program that may not sleep */
	__u32 slot;	/* where that one leaves its result */
};

static inline bool arena_ops_open(struct arena_ops_env *env, __u32 pages, __u32 flags,
				  __u64 map_extra)
{
	struct arena_ops *skel;
	size_t size;

	memset(env, 0, sizeof(*env));
	skel = arena_ops__open();
	if (!ASSERT_OK_PTR(skel, "arena_ops__open"))
		return false;
	bpf_map__set_max_entries(skel->maps.arena, pages);
	bpf_map__set_map_flags(skel->maps.arena, BPF_F_MMAPABLE | flags);
	if (map_extra)
		bpf_map__set_map_extra(skel->maps.arena, map_extra);
	if (!ASSERT_OK(arena_ops__load(skel), "arena_ops__load")) {
		arena_ops__destroy(skel);
		return false;
	}
	env->skel = skel;
	env->page = arena_page_size();
	env->pages = pages;
	env->base = (char *)bpf_map__initial_value(skel->maps.arena, &size);
	if (!ASSERT_PAGE(env->base, "mapping")) {
		arena_ops__destroy(skel);
		return false;
	}
	return true;
}

static inline void arena_ops_close(struct arena_ops_env *env)
{
	arena_ops__destroy(env->skel);
	env->skel = NULL;
}

/* An arena that is charged to a cgroup of its own, for a process that is not in it. */
static inline bool arena_ops_open_in(struct arena_ops_env *env, const char *dir, __u32 pages,
				     __u32 flags, __u64 map_extra)
{
	bool ok;

	if (!arena_cgroup_make(dir))
		return false;
	ok = arena_cgroup_join(dir) && arena_ops_open(env, pages, flags, map_extra);
	if (!arena_cgroup_join(ARENA_CGROUP_ROOT) || !ok) {
		arena_cgroup_remove(dir);
		return false;
	}
	return true;
}

static inline void arena_ops_close_in(struct arena_ops_env *env, const char *dir)
{
	arena_ops_close(env);
	arena_cgroup_remove(dir);
}

static inline int arena_ops_fd(const struct arena_ops_env *env)
{
	return bpf_map__fd(env->skel->maps.arena);
}

static inline void *arena_ops_page(const struct arena_ops_env *env, __u32 nr)
{
	return env->base + nr * env->page;
}

static inline __u64 arena_ops_run(const struct arena_ops_env *env, struct arena_op *op)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = op, .ctx_size_in = sizeof(*op));
	struct bpf_program *prog;

	prog = env->atomic ? env->skel->progs.op_atomic : env->skel->progs.op_sleepable;
	op->slot = env->slot;
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts)) {
		PRINT_FAIL("test run of operation %llu: errno %d\n", op->code, errno);
		return ~0ULL;
	}
	return env->atomic ? env->skel->bss->ret[env->slot] : op->ret;
}

static inline void *arena_ops_alloc_full(const struct arena_ops_env *env, void *addr, __u32 cnt,
					 int node, __u64 flags)
{
	struct arena_op op = {
		.code = ARENA_ALLOC,
		.addr = (__u64)addr,
		.cnt = cnt,
		.node = node,
		.flags = flags,
	};

	return (void *)arena_ops_run(env, &op);
}

static inline void *arena_ops_alloc(const struct arena_ops_env *env, void *addr, __u32 cnt)
{
	return arena_ops_alloc_full(env, addr, cnt, NUMA_NO_NODE, 0);
}

/* A program that may not sleep can find its reserve of pages empty for a while. */
static inline void *arena_ops_alloc_wait(const struct arena_ops_env *env, void *addr, __u32 cnt)
{
	void *page = NULL;

	ARENA_EVENTUALLY((page = arena_ops_alloc(env, addr, cnt)));
	return page;
}

static inline void arena_ops_free(const struct arena_ops_env *env, void *addr, __u32 cnt)
{
	struct arena_op op = { .code = ARENA_FREE, .addr = (__u64)addr, .cnt = cnt };

	arena_ops_run(env, &op);
}

static inline int arena_ops_reserve(const struct arena_ops_env *env, void *addr, __u32 cnt)
{
	struct arena_op op = { .code = ARENA_RESERVE, .addr = (__u64)addr, .cnt = cnt };

	return (int)arena_ops_run(env, &op);
}

static inline __u64 arena_ops_load(const struct arena_ops_env *env, void *addr)
{
	struct arena_op op = { .code = ARENA_LOAD, .addr = (__u64)addr };

	return arena_ops_run(env, &op);
}

static inline void arena_ops_store(const struct arena_ops_env *env, void *addr, __u64 val)
{
	struct arena_op op = { .code = ARENA_STORE, .addr = (__u64)addr, .val = val };

	arena_ops_run(env, &op);
}

static inline void arena_ops_fill(const struct arena_ops_env *env, void *addr, __u64 val)
{
	struct arena_op op = { .code = ARENA_FILL, .addr = (__u64)addr, .val = val };

	arena_ops_run(env, &op);
}

static inline __u64 arena_ops_diff(const struct arena_ops_env *env, void *addr, __u64 val)
{
	struct arena_op op = { .code = ARENA_DIFF, .addr = (__u64)addr, .val = val };

	return arena_ops_run(env, &op);
}

static inline void arena_ops_scribble(const struct arena_ops_env *env, void *addr, __u64 val)
{
	struct arena_op op = { .code = ARENA_SCRIBBLE, .addr = (__u64)addr, .val = val };

	arena_ops_run(env, &op);
}

/* What the kernel says that the arena takes, in bytes. */
static inline long long arena_ops_memory(const struct arena_ops_env *env)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", arena_ops_fd(env));
	return arena_read_number(path, "memlock:\t");
}

static inline __u64 arena_ops_storm(const struct arena_ops_env *env, __u64 tag)
{
	struct arena_op op = { .code = ARENA_STORM, .val = tag };

	return arena_ops_run(env, &op);
}

#endif /* __ARENA_OPS_H */
