// SPDX-License-Identifier: GPL-2.0
/*
 * A data structure in an arena: built by BPF and walked by user space, the
 * other way around, and by both in turn, pointer by pointer.
 */
#include <sys/mman.h>
#include <test_progs.h>
#include "progs/arena_struct.h"

#define KEYS	1000

struct args {
	__u64 from;
	__u64 cnt;
	__u64 sum;
	__u64 failed;
};

static struct bpf_object *obj;
static char *base;
static struct table *table;

static bool run(const char *name, struct args *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .ctx_in = args,
		    .ctx_size_in = sizeof(*args));
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, name);

	return ASSERT_OK_PTR(prog, name) &&
	       ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), name) &&
	       ASSERT_EQ(opts.retval, 0, name) && ASSERT_EQ(args->failed, 0, "failed");
}

/* User space gets a page by touching one: those from the 100th on are its own. */
static void user_add(__u64 from, __u64 cnt)
{
	struct elem *room = (void *)(base + 100 * PAGE_SIZE) + from * sizeof(struct elem);
	__u64 key;

	table->room = room;
	table->room_left = cnt;
	for (key = from; key < from + cnt; key++)
		if (!ASSERT_OK(table_add(table, key, key * key), "add"))
			break;
}

static __u64 squares(__u64 from, __u64 to)
{
	__u64 sum = 0;

	for (; from < to; from++)
		sum += from * from;
	return sum;
}

/* Everything that is to be found in user space, by key and along the list. */
static void user_check(__u64 keys)
{
	struct elem *e;
	__u64 key, cnt;

	for (key = 0; key < keys; key++) {
		e = table_find(table, key);
		if (!ASSERT_OK_PTR(e, "find") || !ASSERT_EQ(e->value, key * key, "value"))
			return;
	}
	ASSERT_NULL(table_find(table, keys), "no such key");
	/* the last that was added comes first */
	for (e = table->first, cnt = 0; e && cnt <= keys; e = e->next, cnt++)
		if (!ASSERT_EQ(e->key, keys - 1 - cnt, "key"))
			return;
	ASSERT_EQ(cnt, keys, "length of the list");
	ASSERT_EQ(table->elems, keys, "elements");
}

static void bpf_check(__u64 keys)
{
	struct args args = { .cnt = keys };

	if (run("find", &args))
		ASSERT_EQ(args.sum, squares(0, keys), "sum of values found");
	args = (struct args){};
	if (run("walk", &args)) {
		ASSERT_EQ(args.cnt, keys, "length of the list");
		ASSERT_EQ(args.sum, squares(0, keys), "sum of the list");
	}
}

static void bpf_builds(void)
{
	struct args args = { .cnt = KEYS };

	if (run("add", &args))
		user_check(KEYS);
}

static void user_builds(void)
{
	user_add(0, KEYS);
	bpf_check(KEYS);
}

/* A hundred keys each, in turn. */
static void both_build(void)
{
	__u64 key;

	for (key = 0; key < KEYS; key += 200) {
		struct args args = { .from = key, .cnt = 100 };

		table->room_left = 0;
		if (!run("add", &args))
			return;
		user_add(key + 100, 100);
	}
	user_check(KEYS);
	bpf_check(KEYS);
}

/* What one side takes out the other finds no more. */
static void both_remove(void)
{
	struct args args = { .cnt = KEYS };
	__u64 key;

	if (!run("add", &args))
		return;
	args = (struct args){ .from = 0, .cnt = KEYS / 2 };
	if (!run("unchain", &args))
		return;
	for (key = 0; key < KEYS; key++) {
		struct elem *e = table_find(table, key);

		if (!ASSERT_EQ(!!e, key >= KEYS / 2, "found"))
			return;
	}
	for (key = KEYS / 2; key < KEYS; key += 2)
		ASSERT_OK(table_unchain(table, key), "unchain");
	for (key = KEYS / 2; key < KEYS; key++) {
		args = (struct args){ .from = key, .cnt = 1 };
		if (key & 1) {
			if (!run("find", &args) || !ASSERT_EQ(args.sum, key * key, "value"))
				return;
		}
	}
	ASSERT_EQ(table->elems, KEYS / 4, "elements");
}

/* Another process maps the arena at the same address, and all pointers hold. */
static void other_process(void)
{
	struct args args = { .cnt = KEYS };
	int status = -1;
	pid_t pid;

	if (!run("add", &args))
		return;
	pid = fork();
	if (!pid) {
		int fd = bpf_map__fd(bpf_object__find_map_by_name(obj, "arena"));
		__u64 key = 0;

		/* the mapping is not inherited: this is a new one */
		if (mmap(base, 1000 * PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == base)
			for (key = 0; key < KEYS; key++) {
				struct elem *e = table_find(table, key);

				if (!e || e->value != key * key)
					break;
			}
		_exit(key == KEYS ? 0 : 1);
	}
	if (ASSERT_GT(pid, 0, "fork") && ASSERT_EQ(waitpid(pid, &status, 0), pid, "wait"))
		ASSERT_EQ(status, 0, "status");
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "bpf_builds", bpf_builds },
	{ "user_builds", user_builds },
	{ "both_build", both_build },
	{ "both_remove", both_remove },
	{ "other_process", other_process },
};

static void flavour(const char *file, const char *name)
{
	char subtest[64];
	size_t i, size;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		snprintf(subtest, sizeof(subtest), "%s_%s", name, tests[i].name);
		if (!test__start_subtest(subtest))
			continue;
		obj = bpf_object__open_file(file, NULL);
		if (!ASSERT_OK_PTR(obj, file))
			continue;
		if (ASSERT_OK(bpf_object__load(obj), "load")) {
			struct bpf_map *map = bpf_object__find_map_by_name(obj, "arena");

			base = (void *)bpf_map__initial_value(map, &size);
			if (ASSERT_OK_PTR(base, "arena")) {
				table = (void *)(base + TABLE_OFF);
				memset(table, 0, sizeof(*table));
				tests[i].run();
			}
		}
		bpf_object__close(obj);
	}
}

void test_arena_struct(void)
{
	flavour("arena_struct.bpf.o", "clang");
	flavour("arena_struct_old_clang.bpf.o", "old_clang");
}
