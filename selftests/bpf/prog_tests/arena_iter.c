// SPDX-License-Identifier: GPL-2.0
/* An iterator over maps may hand each to the kfuncs of an arena. */
#include "arena_insn.h"
#include "arena_iter.skel.h"

static struct arena_iter *load(const char *name, int err)
{
	struct bpf_program *prog;
	struct arena_iter *skel;

	skel = arena_iter__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	prog = bpf_object__find_program_by_name(skel->obj, name);
	if (!ASSERT_OK_PTR(prog, name))
		goto fail;
	bpf_program__set_autoload(prog, true);
	arena_log[0] = 0;
	bpf_program__set_log_buf(prog, arena_log, sizeof(arena_log));
	bpf_program__set_log_level(prog, 2);
	arena_set_test_flags(skel->obj);
	if (ASSERT_EQ(arena_iter__load(skel), err, name))
		return skel;
	printf("%s\n", arena_log);
fail:
	arena_iter__destroy(skel);
	return NULL;
}

static void iterate(struct bpf_program *prog)
{
	struct bpf_link *link;
	char c;
	int fd;

	link = bpf_program__attach_iter(prog, NULL);
	if (!ASSERT_OK_PTR(link, "attach_iter"))
		return;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (ASSERT_GE(fd, 0, "iter_create")) {
		while (read(fd, &c, 1) > 0)
			;
		close(fd);
	}
	bpf_link__destroy(link);
}

static __u32 map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return ASSERT_OK(bpf_obj_get_info_by_fd(fd, &info, &len), "info") ? info.id : 0;
}

static void every_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	struct arena_iter *skel;
	int unmapped, tries;
	struct arena a;

	if (!arena_open(&a, 2, 0, 0))
		return;
	unmapped = bpf_map_create(BPF_MAP_TYPE_ARENA, "unmapped", 0, 0, 2, &opts);
	if (!ASSERT_GE(unmapped, 0, "unmapped"))
		goto close;
	skel = load("every_map", 0);
	if (!skel)
		goto close;

	skel->bss->mapped_id = map_id(a.fd);
	skel->bss->unmapped_id = map_id(unmapped);
	skel->bss->in_unmapped = -1;
	/* An iterator may not sleep: it gets pages as soon as there are some in stock. */
	for (tries = 0; tries < 100 && !skel->bss->in_mapped; tries++) {
		iterate(skel->progs.every_map);
		usleep(10000);
	}
	ASSERT_EQ(skel->bss->in_mapped, a.user, "in the mapped arena");
	ASSERT_EQ(skel->bss->in_unmapped, 0, "in the one without an address");
	ASSERT_EQ(skel->bss->kept_in_unmapped, -EINVAL, "reserved there");
	ASSERT_GT(skel->bss->others, 0, "other maps");
	ASSERT_EQ(skel->bss->in_others, 0, "in other maps");
	ASSERT_EQ(skel->bss->kept_in_other, -EINVAL, "reserved in them");
	arena_iter__destroy(skel);
close:
	if (unmapped >= 0)
		close(unmapped);
	arena_close(&a);
}

/* 6.1 has no sleepable iterators over maps: such a program only loads. */
static void sleepable(void)
{
	arena_iter__destroy(load("every_map_sleepable", 0));
}

static void either_map(void)
{
	arena_iter__destroy(load("either_map", 0));
}

static void refused(void)
{
	const char *msg = "arg#0 expected pointer to STRUCT bpf_map of an iterator";
	static const char *const progs[] = {
		"other_struct", "maybe_null", "inner_map", "inner_of_named",
		"inside_map", "traced_map",
	};
	struct arena_iter *skel;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(progs); i++) {
		skel = load(progs[i], -EINVAL);
		ASSERT_HAS_SUBSTR(arena_log, msg, progs[i]);
		arena_iter__destroy(skel);
	}
}

static const struct arena_subtest subtests[] = {
	{ "every_map", every_map },
	{ "sleepable", sleepable },
	{ "either_map", either_map },
	{ "refused", refused },
};

void test_arena_iter(void)
{
	arena_subtests(subtests, ARRAY_SIZE(subtests));
}

/* What no insn reads of a register is random: nothing must depend on it. */
void test_arena_iter_rnd_hi32(void)
{
	arena_test_flags = BPF_F_TEST_RND_HI32;
	arena_subtests(subtests, ARRAY_SIZE(subtests));
	arena_test_flags = 0;
}
