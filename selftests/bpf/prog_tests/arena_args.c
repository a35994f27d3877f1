// SPDX-License-Identifier: GPL-2.0
/* Arena pointers as arguments: of global functions, subprograms and kfuncs. */
#include "arena_insn.h"
#include "arena_args.h"
#include "arena_args.skel.h"

/* What in_place() of progs/arena_args.c is to call. */
static int place;
static __u32 flags;

/* Loads one program of progs/arena_args.c; the verifier's words are in arena_log. */
static struct arena_args *load(const char *name, int err)
{
	struct bpf_program *prog;
	struct arena_args *skel;

	skel = arena_args__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!ASSERT_OK_PTR(prog, name))
		goto fail;
	bpf_program__set_autoload(prog, true);
	bpf_program__set_flags(prog, flags);
	skel->rodata->place = place;
	arena_log[0] = 0;
	bpf_program__set_log_buf(prog, arena_log, sizeof(arena_log));
	bpf_program__set_log_level(prog, 1);
	if (ASSERT_EQ(arena_args__load(skel), err, name))
		return skel;
	printf("%s\n", arena_log);
fail:
	arena_args__destroy(skel);
	return NULL;
}

static struct arena_args *runs(const char *name)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct arena_args *skel = load(name, 0);
	struct bpf_program *prog;

	if (!skel)
		return NULL;
	prog = bpf_object__find_program_by_name(skel->obj, name);
	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "test_run");
	ASSERT_EQ(opts.retval, 0, name);
	return skel;
}

static void returns_0(const char *name)
{
	arena_args__destroy(runs(name));
}

static void refused(const char *name, int err, const char *msg)
{
	struct arena_args *skel = load(name, err);

	if (skel && !ASSERT_HAS_SUBSTR(arena_log, msg, "log"))
		printf("of %s\n", name);
	arena_args__destroy(skel);
}

static void good_in_place(void)
{
	for (place = -5; place <= 5; place++)
		if (place)
			returns_0("good_in_place");
	place = 0;
}

/* The log names the register, whichever the place and the kind of tag. */
static void wrong_in_place(void)
{
	char msg[64];

	for (place = -5; place <= 5; place++) {
		if (!place)
			continue;
		snprintf(msg, sizeof(msg), "R%d is not a pointer to arena or scalar.", abs(place));
		refused("wrong_in_place", -EINVAL, msg);
	}
	place = 0;
}

static void wrong_pointers(void)
{
	refused("pass_stack", -EINVAL, "R2 is not a pointer to arena or scalar.");
	refused("pass_map", -EINVAL, "R3 is not a pointer to arena or scalar.");
	refused("pass_map_value", -EINVAL, "R4 is not a pointer to arena or scalar.");
	refused("pass_maybe_null", -EINVAL, "R4 is not a pointer to arena or scalar.");
	refused("pass_task", -EINVAL, "R5 is not a pointer to arena or scalar.");
}

static void wrong_parameters(void)
{
	refused("for_scalar", -EINVAL, "R1 is not a scalar");
	refused("for_memory", -EACCES, "variable arena access");
	refused("for_memory_uncast", -EINVAL, "R1 type=scalar expected=fp");
	refused("beside_wrong", -EINVAL, "R1 type=scalar expected=fp");
	refused("for_context", -EACCES, "variable arena access");
	refused("returned_global", -EINVAL,
		"Global function pointer_result() doesn't return scalar.");
}

/* Bug: arguments of global functions had no marks of being read (6.1) */
static void read_by_call(void)
{
	flags = BPF_F_TEST_RND_HI32;
	returns_0("half_number");
	flags = BPF_F_TEST_STATE_FREQ;
	refused("number_or_pointer", -EINVAL, "R1 is not a scalar");
	refused("pointer_or_number", -EINVAL, "R1 type=scalar expected=fp");
	flags = 0;
}

static void map_fields(void)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct args_fields *f;
	struct arena_args *skel;

	skel = runs("map_fields");
	if (!skel)
		return;
	f = &skel->bss->fields;
	ASSERT_OK(bpf_obj_get_info_by_fd(bpf_map__fd(skel->maps.arena), &info, &len), "info");
	ASSERT_EQ(f->user_vm_start, (__u64)skel->arena, "user_vm_start");
	ASSERT_EQ(f->user_vm_start, ARGS_ADDR, "address");
	ASSERT_EQ(f->map_extra, ARGS_ADDR, "map_extra");
	ASSERT_EQ(f->map_type, BPF_MAP_TYPE_ARENA, "map_type");
	ASSERT_EQ(f->key_size, 0, "key_size");
	ASSERT_EQ(f->value_size, 0, "value_size");
	ASSERT_EQ(f->max_entries, ARGS_PAGES, "max_entries");
	ASSERT_EQ(f->map_flags, BPF_F_MMAPABLE, "map_flags");
	ASSERT_EQ(f->id, info.id, "id");
	arena_args__destroy(skel);
}

static void all_five(void) { returns_0("all_five"); }
static void beside_memory(void) { returns_0("beside_memory"); }
static void handed_on(void) { returns_0("handed_on"); }
static void cast_before(void) { returns_0("cast_before"); }
static void any_number(void) { returns_0("any_number"); }
static void kfuncs_global(void) { returns_0("kfuncs_global"); }
static void kfuncs_static(void) { returns_0("kfuncs_static"); }
static void map_member(void) { returns_0("map_member"); }

static const struct arena_subtest subtests[] = {
	{ "good_in_place", good_in_place },
	{ "all_five", all_five },
	{ "handed_on", handed_on },
	{ "beside_memory", beside_memory },
	{ "cast_before", cast_before },
	{ "any_number", any_number },
	{ "wrong_in_place", wrong_in_place },
	{ "wrong_pointers", wrong_pointers },
	{ "wrong_parameters", wrong_parameters },
	{ "read_by_call", read_by_call },
	{ "kfuncs_global", kfuncs_global },
	{ "kfuncs_static", kfuncs_static },
	{ "map_fields", map_fields },
	{ "map_member", map_member },
};

void test_arena_args(void)
{
	arena_subtests(subtests, ARRAY_SIZE(subtests));
}
