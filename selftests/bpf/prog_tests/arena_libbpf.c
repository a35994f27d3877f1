// SPDX-License-Identifier: GPL-2.0
/* What libbpf and the skeletons do with arenas. */
#define _GNU_SOURCE
#include <test_progs.h>
#include <linux/elf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "bpf_arena_common.h"

/* The skeletons need these to be defined. */
struct elem {
	__u64 value;
	struct elem *next;
};

struct list {
	struct elem *head;
};

#include "arena_libbpf.skel.h"
#include "arena_libbpf_old_clang.skel.h"
#include "arena_libbpf_data.skel.h"
#include "arena_libbpf_far.skel.h"
#include "arena_libbpf_linked.skel.h"
#include "arena_libbpf_maps.skel.h"
#include "arena_libbpf_plain.skel.h"

/* As in progs/arena_libbpf.c. */
#define ARENA_PAGES	1955
#define ARENA_ADDR	0x100000000000ULL

/* What libbpf has said since capture_start(). */
static char captured[8192];
static libbpf_print_fn_t print_before;

static int capture(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t len = strlen(captured);

	if (level == LIBBPF_WARN)
		vsnprintf(captured + len, sizeof(captured) - len, format, args);
	return 0;
}

static void capture_start(void)
{
	captured[0] = '\0';
	print_before = libbpf_set_print(capture);
}

static void capture_end(void)
{
	libbpf_set_print(print_before);
}

static bool is_mapped(__u64 addr, size_t len)
{
	void *p = mmap((void *)addr, len, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		return true;
	munmap(p, len);
	return false;
}

static int run(const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (!ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run"))
		return -1;
	return opts.retval;
}

static void check_list(const struct elem *e)
{
	__u64 value;

	for (value = 12; value >= 10; value--, e = e->next) {
		if (!ASSERT_OK_PTR(e, "elem"))
			return;
		ASSERT_EQ(e->value, value, "value");
	}
	ASSERT_NULL(e, "end");
}

static void test_globals(void)
{
	size_t len = ARENA_PAGES * getpagesize();
	struct arena_libbpf *skel;

	skel = arena_libbpf__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;

	ASSERT_EQ(bpf_map__map_extra(skel->maps.arena_map), ARENA_ADDR, "map_extra");
	ASSERT_EQ(skel->arena->first, 5, "first_before_load");
	skel->arena->sum = 1000;

	if (!ASSERT_OK(arena_libbpf__load(skel), "load"))
		goto out;

	ASSERT_EQ((__u64)skel->arena, ARENA_ADDR, "address");
	ASSERT_EQ(skel->arena->first, 5, "first");
	ASSERT_EQ(skel->arena->sum, 1000, "sum_set_before_load");
	ASSERT_EQ(skel->arena->more_than_a_page[0], 1, "page_1");
	ASSERT_EQ(skel->arena->more_than_a_page[PAGE_SIZE], 0, "page_2");

	ASSERT_EQ(run(skel->progs.use_globals), 7, "hidden");
	ASSERT_EQ(run(skel->progs.use_globals), 8, "hidden_kept");

	ASSERT_EQ(skel->arena->sum, 1000 + 5 + 7 + 5 + 8, "sum");
	ASSERT_EQ(skel->arena->more_than_a_page[PAGE_SIZE], 2, "page_2_written");
	ASSERT_EQ(skel->bss->base, ARENA_ADDR, "arena_base");
	ASSERT_TRUE(is_mapped(ARENA_ADDR + len - getpagesize(), getpagesize()), "mapped");
out:
	arena_libbpf__destroy(skel);
	ASSERT_FALSE(is_mapped(ARENA_ADDR, len), "unmapped");
}

static void test_pointers(void)
{
	struct arena_libbpf *skel;

	skel = arena_libbpf__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open_and_load"))
		return;

	run(skel->progs.use_globals);
	ASSERT_EQ((__u64)skel->arena->list.head, (__u64)&skel->arena->elems[2], "head");
	check_list(skel->arena->list.head);
	arena_libbpf__destroy(skel);
}

static void test_old_clang(void)
{
	__u64 addr = 2 * ARENA_ADDR;
	struct arena_libbpf_old_clang *skel;

	skel = arena_libbpf_old_clang__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;

	ASSERT_EQ(bpf_map__map_extra(skel->maps.arena_map), 0, "no_map_extra");
	ASSERT_OK(bpf_map__set_map_extra(skel->maps.arena_map, addr), "set_map_extra");
	if (!ASSERT_OK(arena_libbpf_old_clang__load(skel), "load"))
		goto out;

	ASSERT_EQ((__u64)skel->arena, addr, "address");
	ASSERT_EQ(run(skel->progs.use_globals), 7, "hidden");
	ASSERT_EQ(skel->arena->sum, 100 + 5 + 7, "sum");
	check_list(skel->arena->list.head);
out:
	arena_libbpf_old_clang__destroy(skel);
}

static void test_any_address(void)
{
	struct arena_libbpf *skel;

	skel = arena_libbpf__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;

	bpf_map__set_map_extra(skel->maps.arena_map, 0);
	if (!ASSERT_OK(arena_libbpf__load(skel), "load"))
		goto out;

	ASSERT_NEQ((__u64)skel->arena, ARENA_ADDR, "address");
	ASSERT_EQ(run(skel->progs.use_globals), 7, "hidden");
	ASSERT_EQ(skel->bss->base, (__u64)skel->arena, "arena_base");
	check_list(skel->arena->list.head);
out:
	arena_libbpf__destroy(skel);
}

static void test_initial_value(void)
{
	struct arena_libbpf__arena *copy;
	struct arena_libbpf *skel;
	const void *before;
	struct bpf_map *map;
	size_t size, again;

	skel = arena_libbpf__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;

	map = skel->maps.arena_map;
	before = bpf_map__initial_value(map, &size);
	if (!ASSERT_OK_PTR(before, "before_load") ||
	    !ASSERT_GE(size, sizeof(*copy), "size"))
		goto out;

	copy = malloc(size);
	if (!ASSERT_OK_PTR(copy, "malloc"))
		goto out;
	memcpy(copy, before, size);
	copy->first = 50;
	ASSERT_EQ(bpf_map__set_initial_value(map, copy, size - 1), -EINVAL, "wrong_size");
	ASSERT_OK(bpf_map__set_initial_value(map, copy, size), "set_initial_value");
	free(copy);

	if (!ASSERT_OK(arena_libbpf__load(skel), "load"))
		goto out;
	ASSERT_EQ((__u64)bpf_map__initial_value(map, &again), ARENA_ADDR, "after_load");
	ASSERT_EQ(again, size, "size_after_load");
	ASSERT_EQ(skel->arena->first, 50, "first");
out:
	arena_libbpf__destroy(skel);
}

static void test_no_globals(void)
{
	struct arena_libbpf_plain *skel;
	const __u64 *mem;
	size_t size;

	skel = arena_libbpf_plain__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;
	ASSERT_NULL(bpf_map__initial_value(skel->maps.plain_arena, &size), "before_load");

	/* no globals: nothing speaks against the flag */
	bpf_map__set_map_flags(skel->maps.plain_arena, BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT);
	if (!ASSERT_OK(arena_libbpf_plain__load(skel), "load"))
		goto out;

	mem = bpf_map__initial_value(skel->maps.plain_arena, &size);
	if (!ASSERT_OK_PTR(mem, "after_load"))
		goto out;
	ASSERT_EQ(size, 0, "size");

	if (!ASSERT_EQ(run(skel->progs.alloc_page), 0, "alloc_page"))
		goto out;
	ASSERT_EQ(skel->bss->page, (__u64)mem, "page");
	ASSERT_EQ(*mem, 42, "value");
out:
	arena_libbpf_plain__destroy(skel);
}

static void test_far_offset(void)
{
	struct arena_libbpf_far *skel;
	__u64 *far;

	skel = arena_libbpf_far__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open_and_load"))
		return;

	far = (void *)skel->arena->variable + 0xe0000000;
	ASSERT_EQ(*far, 0, "before");
	ASSERT_EQ(run(skel->progs.write_far), 0, "write_far");
	ASSERT_EQ(*far, 42, "after");
	arena_libbpf_far__destroy(skel);
}

static void test_linked(void)
{
	struct arena_libbpf_linked *skel;

	skel = arena_libbpf_linked__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open_and_load"))
		return;

	ASSERT_EQ(skel->arena->in_first, 1, "in_first");
	ASSERT_EQ(skel->arena->in_second, 2, "in_second");
	ASSERT_EQ(skel->arena->odd_size, 3, "odd_size");
	ASSERT_EQ(run(skel->progs.use_both), 2 + 100 + 1000 + 22, "hidden2");
	ASSERT_EQ(skel->arena->in_first, 1 + 11, "hidden1");
	ASSERT_EQ(skel->arena->in_second, 2 + 100 + 1000, "in_second_after");
	arena_libbpf_linked__destroy(skel);
}

/* A copy of an object in which every @from has become a @to. */
static void *patched(const void *elf, size_t size, const void *from, const void *to, size_t len)
{
	char *copy = malloc(size), *p;
	int found = 0;

	if (!ASSERT_OK_PTR(copy, "malloc"))
		return NULL;
	memcpy(copy, elf, size);
	for (p = copy; (p = memmem(p, copy + size - p, from, len)); p += len) {
		memcpy(p, to, len);
		found++;
	}
	if (!ASSERT_GT(found, 0, "found")) {
		free(copy);
		return NULL;
	}
	return copy;
}

/* Open an object that libbpf has to refuse for the reason given. */
static void refused(const void *elf, size_t size, int error, const char *reason)
{
	struct bpf_object *obj;

	capture_start();
	obj = bpf_object__open_mem(elf, size, NULL);
	capture_end();
	ASSERT_EQ(libbpf_get_error(obj), error, "error");
	ASSERT_HAS_SUBSTR(captured, reason, "reason");
	if (!libbpf_get_error(obj))
		bpf_object__close(obj);
}

/* Trap: relocation of __arena globals with no arena map */
static void test_no_arena(void)
{
	const void *elf;
	size_t size;
	void *copy;

	elf = arena_libbpf_data__elf_bytes(&size);
	copy = patched(elf, size, ".data.arena_1", ".addr_space.1", sizeof(".addr_space.1"));
	if (!copy)
		return;
	refused(copy, size, -ENOENT, "__arena globals need a map of type BPF_MAP_TYPE_ARENA");
	free(copy);
}

static void *read_all(int fd, size_t *size)
{
	struct stat st;
	void *data;

	if (!ASSERT_OK(fstat(fd, &st), "fstat"))
		return NULL;
	data = malloc(st.st_size);
	if (!ASSERT_OK_PTR(data, "malloc"))
		return NULL;
	if (!ASSERT_EQ(pread(fd, data, st.st_size, 0), st.st_size, "pread")) {
		free(data);
		return NULL;
	}
	*size = st.st_size;
	return data;
}

/* Objects linked once: those of skeletons went through the linker again. */
static void *link_objects(const char *const *files, int cnt, size_t *size)
{
	struct bpf_linker *linker;
	void *data = NULL;
	char path[32];
	int err = 0, fd, i;

	fd = memfd_create("linked", 0);
	if (!ASSERT_GE(fd, 0, "memfd_create"))
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	linker = bpf_linker__new(path, NULL);
	if (!ASSERT_OK_PTR(linker, "linker"))
		goto out;

	for (i = 0; i < cnt && !err; i++)
		err = bpf_linker__add_file(linker, files[i], NULL);
	err = err ?: bpf_linker__finalize(linker);
	bpf_linker__free(linker);
	if (ASSERT_OK(err, "link"))
		data = read_all(fd, size);
out:
	close(fd);
	return data;
}

#define LINK(size, ...)							\
	link_objects((const char *const []){ __VA_ARGS__ },		\
		     sizeof((const char *const []){ __VA_ARGS__ }) / sizeof(char *), size)

/* Trap: two arenas */
static void test_two_arenas(void)
{
	size_t size;
	void *elf;

	elf = LINK(&size, "./arena_libbpf.bpf.o", "./arena_libbpf_plain.bpf.o");
	if (!elf)
		return;
	refused(elf, size, -EINVAL, "an object can have only one arena");
	free(elf);
}

static void test_unresolved_extern(void)
{
	size_t size;
	void *elf;

	elf = LINK(&size, "./arena_libbpf_linked1.bpf.o");
	if (!elf)
		return;
	refused(elf, size, -ENOTSUP, "unrecognized extern section '.addr_space.1'");
	free(elf);
}

/* Loads what was linked, without a word from libbpf: it tells of BTF that is refused. */
static struct bpf_object *load_linked(const void *elf, size_t size)
{
	struct bpf_object *obj;
	int err;

	obj = bpf_object__open_mem(elf, size, NULL);
	if (!ASSERT_OK_PTR(obj, "open"))
		return NULL;
	capture_start();
	err = bpf_object__load(obj);
	capture_end();
	if (ASSERT_OK(err, "load") && ASSERT_STREQ(captured, "", "warnings"))
		return obj;
	bpf_object__close(obj);
	return NULL;
}

static void test_linked_once(void)
{
	size_t size;
	void *elf;

	elf = LINK(&size, "./arena_libbpf_linked1.bpf.o", "./arena_libbpf_linked2.bpf.o");
	if (!elf)
		return;
	bpf_object__close(load_linked(elf, size));
	free(elf);
}

#define MANY	4

static bool link_in_order(const int *order)
{
	char path[MANY][32];
	const char *files[MANY];
	struct bpf_object *obj;
	size_t size;
	void *elf;
	int i, ret = -1;

	for (i = 0; i < MANY; i++) {
		snprintf(path[i], sizeof(path[i]), "./arena_libbpf_many%d.bpf.o", order[i]);
		files[i] = path[i];
	}
	elf = link_objects(files, MANY, &size);
	if (!elf)
		return false;
	obj = load_linked(elf, size);
	if (obj)
		ret = run(bpf_object__find_program_by_name(obj, "run_library"));
	bpf_object__close(obj);
	free(elf);
	return ASSERT_EQ(ret, 0, "run_library");
}

/*
 * Bug: objects that call the same kfunc did not link, nor did a weak and a strong
 * definition of a map with an extern before one of them.
 */
static void test_linked_many(void)
{
	int order[MANY], nr, rest, i, j;

	for (nr = 0; nr < 4 * 3 * 2; nr++) {
		/* the nr-th order: each digit is a place among those that are left */
		for (rest = nr, i = MANY - 1; i >= 0; i--) {
			order[i] = 1 + rest % (MANY - i);
			rest /= MANY - i;
			for (j = i + 1; j < MANY; j++)
				order[j] += order[j] >= order[i];
		}
		if (!link_in_order(order)) {
			PRINT_FAIL("order %d %d %d %d\n", order[0], order[1], order[2], order[3]);
			break;
		}
	}
}

/*
 * Bug: libbpf up to 1.6.0 forgets which map is the arena when there are 17 maps, among
 * them one for each section of data.
 */
static void test_many_maps(void)
{
	struct arena_libbpf_maps *skel;

	skel = arena_libbpf_maps__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open_and_load"))
		return;
	ASSERT_EQ(run(skel->progs.use_all), 0, "use_all");
	ASSERT_EQ(skel->arena->in_arena, 100 + 13, "in_arena");
	ASSERT_EQ(skel->data->in_data, 1 + 13, "in_data");
	ASSERT_EQ(skel->bss->in_bss, 13, "in_bss");
	arena_libbpf_maps__destroy(skel);
}

/* Trap: globals too big for the arena */
static void test_too_big_open(void)
{
	__u32 pages = ARENA_PAGES, one = 1;
	const void *elf;
	size_t size;
	void *copy;

	elf = arena_libbpf__elf_bytes(&size);
	copy = patched(elf, size, &pages, &one, sizeof(one));
	if (!copy)
		return;
	refused(copy, size, -E2BIG, "the arena has 4096: raise max_entries");
	free(copy);
}

static void test_too_big_load(void)
{
	struct arena_libbpf *skel;
	int err;

	skel = arena_libbpf__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;

	bpf_map__set_max_entries(skel->maps.arena_map, 1);
	capture_start();
	err = arena_libbpf__load(skel);
	capture_end();
	ASSERT_EQ(err, -E2BIG, "load");
	ASSERT_HAS_SUBSTR(captured, "raise max_entries", "reason");
	arena_libbpf__destroy(skel);
	ASSERT_FALSE(is_mapped(ARENA_ADDR, getpagesize()), "unmapped");
}

static struct elf64_sym *find_symbol(void *elf, const char *name)
{
	struct elf64_hdr *ehdr = elf;
	struct elf64_shdr *shdrs = elf + ehdr->e_shoff;
	struct elf64_shdr *symtab = shdrs;
	struct elf64_sym *syms;
	size_t i;

	while (symtab->sh_type != SHT_SYMTAB)
		symtab++;
	syms = elf + symtab->sh_offset;
	for (i = 0; i < symtab->sh_size / sizeof(*syms); i++)
		if (!strcmp(elf + shdrs[symtab->sh_link].sh_offset + syms[i].st_name, name))
			return &syms[i];
	return NULL;
}

static void test_not_a_variable(void)
{
	const void *elf;
	struct elf64_sym *sym;
	size_t size;
	void *copy;

	elf = arena_libbpf_far__elf_bytes(&size);
	copy = malloc(size);
	if (!ASSERT_OK_PTR(copy, "malloc"))
		return;
	memcpy(copy, elf, size);
	sym = find_symbol(copy, "variable");
	if (ASSERT_OK_PTR(sym, "symbol")) {
		sym->st_info = STB_GLOBAL << 4 | STT_NOTYPE;
		refused(copy, size, -LIBBPF_ERRNO__RELOC,
			"'variable' in section '.addr_space.1' is not a variable");
	}
	free(copy);
}

static void test_segv_on_fault(void)
{
	struct arena_libbpf *skel;
	int err;

	skel = arena_libbpf__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;

	bpf_map__set_map_flags(skel->maps.arena_map, BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT);
	capture_start();
	err = arena_libbpf__load(skel);
	capture_end();
	ASSERT_EQ(err, -EINVAL, "load");
	ASSERT_HAS_SUBSTR(captured, "with BPF_F_SEGV_ON_FAULT there is no memory", "reason");
	arena_libbpf__destroy(skel);
}

static void test_address_taken(void)
{
	struct arena_libbpf *skel;
	char *mine;
	int err;

	mine = mmap((void *)ARENA_ADDR + getpagesize(), getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (!ASSERT_NEQ(mine, MAP_FAILED, "mmap"))
		return;
	*mine = 42;

	skel = arena_libbpf__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		goto out;
	capture_start();
	err = arena_libbpf__load(skel);
	capture_end();
	ASSERT_EQ(err, -EEXIST, "load");
	ASSERT_HAS_SUBSTR(captured, "something is mapped there already", "reason");
	arena_libbpf__destroy(skel);
	ASSERT_EQ(*mine, 42, "untouched");
out:
	munmap(mine, getpagesize());
}

static void test_loader_program(void)
{
	LIBBPF_OPTS(gen_loader_opts, opts);
	struct arena_libbpf *skel;
	int err;

	skel = arena_libbpf__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		return;
	ASSERT_OK(bpf_object__gen_loader(skel->obj, &opts), "gen_loader");
	capture_start();
	err = bpf_object__load(skel->obj);
	capture_end();
	ASSERT_EQ(err, -ENOTSUP, "load");
	ASSERT_HAS_SUBSTR(captured, "a loader program can't mmap an arena", "reason");
	arena_libbpf__destroy(skel);
}

static void test_probe(void)
{
	ASSERT_STREQ(libbpf_bpf_map_type_str(BPF_MAP_TYPE_ARENA), "arena", "name");
	ASSERT_EQ(libbpf_probe_bpf_map_type(BPF_MAP_TYPE_ARENA, NULL), 1, "probe");
}

static int create_arena(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	opts.map_flags = BPF_F_MMAPABLE;
	opts.map_extra = ARENA_ADDR;
	return bpf_map_create(BPF_MAP_TYPE_ARENA, "reused", 0, 0, ARENA_PAGES, &opts);
}

static void test_reuse_fd(void)
{
	struct arena_libbpf *skel;
	int fd = create_arena();

	if (!ASSERT_GE(fd, 0, "create"))
		return;
	skel = arena_libbpf__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		goto out;

	bpf_map__set_map_extra(skel->maps.arena_map, 0);
	ASSERT_OK(bpf_map__reuse_fd(skel->maps.arena_map, fd), "reuse_fd");
	if (!ASSERT_OK(arena_libbpf__load(skel), "load"))
		goto destroy;

	ASSERT_EQ((__u64)skel->arena, ARENA_ADDR, "address");
	/* what is in the arena belongs to whoever made it */
	ASSERT_EQ(skel->arena->sum, 0, "not_initialised");
	skel->arena->first = 3;
	ASSERT_EQ(run(skel->progs.use_globals), 0, "hidden");
	ASSERT_EQ(skel->arena->sum, 3, "sum");
destroy:
	arena_libbpf__destroy(skel);
	ASSERT_FALSE(is_mapped(ARENA_ADDR, ARENA_PAGES * getpagesize()), "unmapped");
out:
	close(fd);
}

static void test_reuse_mapped(void)
{
	size_t len = ARENA_PAGES * getpagesize();
	struct arena_libbpf__arena *mine;
	struct arena_libbpf *skel;
	int fd = create_arena();
	int err;

	if (!ASSERT_GE(fd, 0, "create"))
		return;
	mine = mmap((void *)ARENA_ADDR, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!ASSERT_NEQ(mine, MAP_FAILED, "mmap"))
		goto out;

	skel = arena_libbpf__open();
	if (!ASSERT_OK_PTR(skel, "open"))
		goto unmap;
	ASSERT_OK(bpf_map__reuse_fd(skel->maps.arena_map, fd), "reuse_fd");
	capture_start();
	err = arena_libbpf__load(skel);
	capture_end();
	if (ASSERT_OK(err, "load")) {
		ASSERT_NULL(skel->arena, "not_mapped_twice");
		mine->first = 3;
		mine->sum = 1000;
		ASSERT_EQ(run(skel->progs.use_globals), 0, "hidden");
	}
	arena_libbpf__destroy(skel);
	ASSERT_EQ(mine->sum, 1003, "still_mapped");
unmap:
	munmap(mine, len);
out:
	close(fd);
}

#define PIN_PATH	"/sys/fs/bpf/test_arena_libbpf"

static struct arena_libbpf *load_pinned(__u64 map_extra)
{
	struct arena_libbpf *skel = arena_libbpf__open();

	if (!ASSERT_OK_PTR(skel, "open"))
		return NULL;
	bpf_map__set_map_extra(skel->maps.arena_map, map_extra);
	ASSERT_OK(bpf_map__set_pin_path(skel->maps.arena_map, PIN_PATH), "set_pin_path");
	if (!ASSERT_OK(arena_libbpf__load(skel), "load")) {
		arena_libbpf__destroy(skel);
		return NULL;
	}
	return skel;
}

static void test_pinned(void)
{
	struct arena_libbpf *skel;

	skel = load_pinned(ARENA_ADDR);
	if (!skel)
		return;
	ASSERT_EQ(run(skel->progs.use_globals), 7, "hidden");
	arena_libbpf__destroy(skel);
	ASSERT_FALSE(is_mapped(ARENA_ADDR, ARENA_PAGES * getpagesize()), "unmapped");

	/* any address will do, also the one that the pinned arena has */
	skel = load_pinned(0);
	if (!skel)
		goto out;
	ASSERT_EQ((__u64)skel->arena, ARENA_ADDR, "address");
	ASSERT_EQ(skel->arena->sum, 100 + 5 + 7, "kept");
	check_list(skel->arena->list.head);
	ASSERT_EQ(run(skel->progs.use_globals), 8, "hidden_kept");
	arena_libbpf__destroy(skel);
out:
	unlink(PIN_PATH);
}

void test_arena_libbpf(void)
{
	if (test__start_subtest("globals"))
		test_globals();
	if (test__start_subtest("pointers"))
		test_pointers();
	if (test__start_subtest("old_clang"))
		test_old_clang();
	if (test__start_subtest("any_address"))
		test_any_address();
	if (test__start_subtest("initial_value"))
		test_initial_value();
	if (test__start_subtest("no_globals"))
		test_no_globals();
	if (test__start_subtest("far_offset"))
		test_far_offset();
	if (test__start_subtest("linked"))
		test_linked();
	if (test__start_subtest("linked_once"))
		test_linked_once();
	if (test__start_subtest("linked_many"))
		test_linked_many();
	if (test__start_subtest("many_maps"))
		test_many_maps();
	if (test__start_subtest("unresolved_extern"))
		test_unresolved_extern();
	if (test__start_subtest("no_arena"))
		test_no_arena();
	if (test__start_subtest("two_arenas"))
		test_two_arenas();
	if (test__start_subtest("too_big_open"))
		test_too_big_open();
	if (test__start_subtest("too_big_load"))
		test_too_big_load();
	if (test__start_subtest("not_a_variable"))
		test_not_a_variable();
	if (test__start_subtest("segv_on_fault"))
		test_segv_on_fault();
	if (test__start_subtest("address_taken"))
		test_address_taken();
	if (test__start_subtest("loader_program"))
		test_loader_program();
	if (test__start_subtest("probe"))
		test_probe();
	if (test__start_subtest("reuse_fd"))
		test_reuse_fd();
	if (test__start_subtest("reuse_mapped"))
		test_reuse_mapped();
	if (test__start_subtest("pinned"))
		test_pinned();
}
