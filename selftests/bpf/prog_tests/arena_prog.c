// SPDX-License-Identifier: GPL-2.0
/*
 * One source, two compilers: the same program with the casts of a clang that
 * knows address spaces, and with those of the inline assembly macro.
 */
#include <test_progs.h>

#define NODES	300

struct node {
	struct node *next;
	__u64 value;
};

struct args {
	__u64 cnt;
	__u64 head;
	__u64 sum;
	__u64 global;
	__u64 global_addr;
};

static bool run(struct bpf_object *obj, const char *name, struct args *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .ctx_in = args,
		    .ctx_size_in = sizeof(*args));
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, name);

	return ASSERT_OK_PTR(prog, name) &&
	       ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), name) &&
	       ASSERT_EQ(opts.retval, 0, name);
}

/* Does the object hold an instruction with this cast? */
static int casts_in(struct bpf_object *obj, int imm)
{
	struct bpf_program *prog;
	int found = 0;
	size_t i;

	bpf_object__for_each_program(prog, obj) {
		const struct bpf_insn *insn = bpf_program__insns(prog);

		for (i = 0; i < bpf_program__insn_cnt(prog); i++)
			found += insn[i].code == (BPF_ALU64 | BPF_MOV | BPF_X) &&
				 insn[i].off == 1 && insn[i].imm == imm;
	}
	return found;
}

/* Both sides hold the same pointers: what BPF linked user space can follow. */
static void list(struct bpf_object *obj)
{
	struct args args = { .cnt = NODES };
	struct node *node, *last = NULL;
	__u64 i;

	if (!run(obj, "build", &args))
		return;
	node = u64_to_ptr(args.head);
	for (i = 0; node && i < NODES; i++) {
		if (!ASSERT_EQ(node->value, NODES - 1 - i, "value"))
			break;
		last = node;
		node = node->next;
	}
	ASSERT_EQ(i, NODES, "nodes");
	ASSERT_NULL(node, "end");
	if (!last)
		return;

	/* and what user space links BPF can */
	node = last + 10;	/* in the same page, where BPF put only four */
	node->next = NULL;
	node->value = 1000000;
	last->next = node;
	if (run(obj, "walk", &args)) {
		ASSERT_EQ(args.cnt, NODES + 1, "nodes");
		ASSERT_EQ(args.sum, NODES * (NODES - 1) / 2 + 1000000, "sum");
	}
	last->next = NULL;

	if (run(obj, "drop", &args))
		ASSERT_EQ(args.cnt, NODES, "dropped");
	if (run(obj, "walk", &args))
		ASSERT_EQ(args.cnt, 0, "nodes");
}

static void global(struct bpf_object *obj)
{
	struct args args = {};
	__u64 *number;

	if (!run(obj, "count", &args) || !ASSERT_NEQ(args.global_addr, 0, "address"))
		return;
	number = u64_to_ptr(args.global_addr);
	ASSERT_EQ(args.global, 8, "count");
	ASSERT_EQ(*number, 8, "seen by user space");
	*number = 100;
	if (run(obj, "count", &args))
		ASSERT_EQ(args.global, 101, "set by user space");
}

static void flavour(const char *file, const char *name)
{
	void (*const tests[])(struct bpf_object *) = { list, global };
	const char *const names[] = { "list", "global" };
	char subtest[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		struct bpf_object *obj;

		snprintf(subtest, sizeof(subtest), "%s_%s", name, names[i]);
		if (!test__start_subtest(subtest))
			continue;
		obj = bpf_object__open_file(file, NULL);
		if (!ASSERT_OK_PTR(obj, file))
			continue;
		ASSERT_GT(casts_in(obj, 1), 0, "casts to kernel");
		if (ASSERT_OK(bpf_object__load(obj), "load"))
			tests[i](obj);
		bpf_object__close(obj);
	}
}

void test_arena_prog(void)
{
	flavour("arena_prog.bpf.o", "clang");
	flavour("arena_prog_old_clang.bpf.o", "old_clang");
}
