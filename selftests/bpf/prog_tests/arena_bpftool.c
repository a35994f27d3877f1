// SPDX-License-Identifier: GPL-2.0
/* What bpftool shows of an arena, and that it leaves it as it is. */
#define _GNU_SOURCE
#include <test_progs.h>
#include <sys/wait.h>
#include "arena_ops.h"

#define RW	(PROT_READ | PROT_WRITE)
#define PAGES	100

static size_t page;
static char out[64 * 1024];

/* Runs bpftool with the arguments, errors among the output: its exit status. */
static int __printf(1, 2) bpftool(const char *fmt, ...)
{
	char args[128], cmd[192];
	va_list ap;
	size_t len;
	int status;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	snprintf(cmd, sizeof(cmd), "bpftool %s 2>&1", args);

	out[0] = 0;
	f = popen(cmd, "r");
	if (!ASSERT_OK_PTR(f, cmd))
		return -1;
	len = fread(out, 1, sizeof(out) - 1, f);
	out[len] = 0;
	status = pclose(f);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void __printf(2, 3) expect(bool whole, const char *fmt, ...)
{
	static char expected[sizeof(out)];
	va_list ap;
	char *found;

	va_start(ap, fmt);
	vsnprintf(expected, sizeof(expected), fmt, ap);
	va_end(ap);
	found = strstr(out, expected);
	if (whole && found && strcmp(out, expected))
		found = NULL;
	if (!ASSERT_TRUE(found, "output"))
		PRINT_FAIL("expected: %s\ngot: %s\n", expected, out);
}

#define EXPECT(fmt, ...)	expect(true, fmt, ##__VA_ARGS__)
#define EXPECT_PART(fmt, ...)	expect(false, fmt, ##__VA_ARGS__)

/* In JSON */
#define RANGE	"{\"start\":%llu,\"end\":%llu,\"pages\":%d}"
#define BYTES	"{\"start\":%llu,\"bytes\":[%s]}"

static __u32 id_of(const struct arena_ops_env *env)
{
	return arena_map_id(arena_ops_fd(env));
}

static unsigned long long addr_of(const struct arena_ops_env *env, __u32 nr)
{
	return (unsigned long long)arena_ops_page(env, nr);
}

/* Pages 3 to 5 and 9, and two reserved ones */
static bool open_filled(struct arena_ops_env *env, __u32 flags)
{
	if (!arena_ops_open(env, PAGES, flags, 0))
		return false;
	if (ASSERT_PAGE(arena_ops_alloc(env, arena_ops_page(env, 3), 3), "alloc") &&
	    ASSERT_PAGE(arena_ops_alloc(env, arena_ops_page(env, 9), 1), "alloc") &&
	    ASSERT_OK(arena_ops_reserve(env, arena_ops_page(env, 50), 2), "reserve"))
		return true;
	arena_ops_close(env);
	return false;
}

static void show_arena(void)
{
	struct arena_ops_env env;

	if (!open_filled(&env, BPF_F_SEGV_ON_FAULT))
		return;
	ASSERT_OK(bpftool("map show id %u", id_of(&env)), "show");
	EXPECT_PART("%u: arena  name arena  flags 0x%x\n", id_of(&env),
		    BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT);
	EXPECT_PART("memlock %lldB\n\tmmapable  segv_on_fault\n"
		    "\tuser_vm_start 0x%llx  nr_pages 100  allocated_pages 4  reserved_pages 2\n",
		    arena_ops_memory(&env), addr_of(&env, 0));
	ASSERT_OK(bpftool("-j map show id %u", id_of(&env)), "show -j");
	EXPECT_PART(",\"bytes_memlock\":%lld,\"flag_names\":[\"mmapable\",\"segv_on_fault\"],",
		    arena_ops_memory(&env));
	EXPECT_PART(",\"user_vm_start\":%llu,\"nr_pages\":100,", addr_of(&env, 0));
	EXPECT_PART(",\"allocated_pages\":4,\"reserved_pages\":2,");
	arena_ops_close(&env);
}

/* To look at an arena does not give it an address. */
static void no_address(void)
{
	int fd = arena_create_raw(BPF_F_MMAPABLE | BPF_F_NO_USER_CONV, 10, 0);
	__u32 id = arena_map_id(fd);
	char path[64];

	if (!ASSERT_GE(fd, 0, "create"))
		return;
	ASSERT_OK(bpftool("map show id %u", id), "show");
	EXPECT_PART("\n\tmmapable  no_user_conv\n\tno user address yet\n");
	ASSERT_OK(bpftool("-j map show id %u", id), "show -j");
	EXPECT_PART(",\"flag_names\":[\"mmapable\",\"no_user_conv\"],\"user_vm_start\":0,");
	EXPECT_PART(",\"nr_pages\":0,\"allocated_pages\":0,\"reserved_pages\":0,");
	ASSERT_OK(bpftool("map dump id %u", id), "dump");
	EXPECT("Found 0 ranges, 0 pages\n");
	ASSERT_OK(bpftool("-j map dump id %u", id), "dump -j");
	EXPECT("[]\n");
	ASSERT_NEQ(bpftool("map dump id %u range 0 16", id), 0, "dump of a range");
	EXPECT("Error: the arena has no user address yet\n");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ASSERT_EQ(arena_read_number(path, "nr_pages:\t"), 0, "nr_pages");
	close(fd);
}

static void dump_arena(void)
{
	struct arena_ops_env env;

	if (!open_filled(&env, 0))
		return;
	ASSERT_OK(bpftool("map dump id %u", id_of(&env)), "dump");
	EXPECT("0x%llx-0x%llx  3 pages\n0x%llx-0x%llx  1 page\nFound 2 ranges, 4 pages\n",
	       addr_of(&env, 3), addr_of(&env, 6), addr_of(&env, 9), addr_of(&env, 10));
	ASSERT_OK(bpftool("-j map dump id %u", id_of(&env)), "dump -j");
	EXPECT("[" RANGE "," RANGE "]\n", addr_of(&env, 3), addr_of(&env, 6), 3,
	       addr_of(&env, 9), addr_of(&env, 10), 1);
	arena_ops_free(&env, env.base, 9);
	ASSERT_OK(bpftool("map dump id %u", id_of(&env)), "dump");
	EXPECT("0x%llx-0x%llx  1 page\nFound 1 range, 1 page\n", addr_of(&env, 9),
	       addr_of(&env, 10));
	arena_ops_close(&env);
}

/* Several arenas of one name */
static void dump_by_name(void)
{
	int fds[2], i;
	char *p;

	for (i = 0; i < 2; i++)
		fds[i] = arena_create_raw(BPF_F_MMAPABLE, 10, 0);
	p = arena_mmap(fds[1], 0, 10 * page, RW, 0);
	if (ASSERT_NEQ(p, MAP_FAILED, "mmap")) {
		p[page] = 1;
		ASSERT_OK(bpftool("map dump name arena_raw"), "dump");
		EXPECT_PART("arena  name arena_raw  flags 0x400\nFound 0 ranges, 0 pages\n");
		EXPECT_PART("arena  name arena_raw  flags 0x400\n0x%llx-0x%llx  1 page\n",
			    (unsigned long long)p + page, (unsigned long long)p + 2 * page);
		ASSERT_OK(bpftool("-j map dump name arena_raw"), "dump -j");
		EXPECT_PART("\"ranges\":[]}");
		EXPECT_PART("\"ranges\":[" RANGE "]}", (unsigned long long)p + page,
			    (unsigned long long)p + 2 * page, 1);
		munmap(p, 10 * page);
	}
	for (i = 0; i < 2; i++)
		close(fds[i]);
}

static void dump_range(void)
{
	struct arena_ops_env env;
	unsigned long long at;
	int i;

	if (!open_filled(&env, BPF_F_SEGV_ON_FAULT))
		return;
	for (i = 0; i < 32; i++)
		env.base[3 * page + i] = 0x3a + i;
	strcpy(env.base + 4 * page - 20, "end of page");
	env.base[9 * page + 4] = 0xff;

	/* less than a line, and what is not printed as it is */
	at = addr_of(&env, 9) + 3;
	ASSERT_OK(bpftool("map dump id %u range 0x%llx 4", id_of(&env), at), "range");
	EXPECT("0x%llx: 00 ff 00 00                                       |....|\n", at);
	ASSERT_OK(bpftool("-j map dump id %u range %llu 4", id_of(&env), at), "range -j");
	EXPECT("[" BYTES "]\n", at, "\"0x00\",\"0xff\",\"0x00\",\"0x00\"");

	/* lines, those that are alike, two pages, and holes at both ends */
	at = addr_of(&env, 2);
	ASSERT_OK(bpftool("map dump id %u range 0x%llx 0x5000", id_of(&env), at), "range");
	EXPECT("0x%llx-0x%llx  no pages\n"
	       "0x%llx: 3a 3b 3c 3d 3e 3f 40 41  42 43 44 45 46 47 48 49  |:;<=>?@ABCDEFGHI|\n"
	       "0x%llx: 4a 4b 4c 4d 4e 4f 50 51  52 53 54 55 56 57 58 59  |JKLMNOPQRSTUVWXY|\n"
	       "0x%llx: 00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
	       "*\n"
	       "0x%llx: 00 00 00 00 00 00 00 00  00 00 00 00 65 6e 64 20  |............end |\n"
	       "0x%llx: 6f 66 20 70 61 67 65 00  00 00 00 00 00 00 00 00  |of page.........|\n"
	       "0x%llx: 00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
	       "*\n"
	       "0x%llx: 00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
	       "*\n"
	       "0x%llx-0x%llx  no pages\n",
	       at, at + page, at + page, at + page + 16, at + page + 32, at + 2 * page - 32,
	       at + 2 * page - 16, at + 2 * page, at + 3 * page, at + 4 * page, at + 5 * page);

	/* a part of two pages, each an object of its own */
	at = addr_of(&env, 4) - 2;
	ASSERT_OK(bpftool("-j map dump id %u range 0x%llx 3", id_of(&env), at), "range -j");
	EXPECT("[" BYTES "," BYTES "]\n", at, "\"0x00\",\"0x00\"", at + 2, "\"0x00\"");
	ASSERT_OK(bpftool("map dump id %u range 0x%llx 10", id_of(&env), addr_of(&env, 20)),
		  "hole");
	EXPECT("0x%llx-0x%llx  no pages\n", addr_of(&env, 20), addr_of(&env, 20) + 10);
	ASSERT_OK(bpftool("-j map dump id %u range 0x%llx 10", id_of(&env), addr_of(&env, 20)),
		  "hole -j");
	EXPECT("[]\n");
	arena_ops_close(&env);
}

static void wrong_arguments(void)
{
	struct arena_ops_env env;
	unsigned long long at;
	__u32 id;
	int fd;

	if (!open_filled(&env, 0))
		return;
	id = id_of(&env);
	at = addr_of(&env, 0);
	ASSERT_NEQ(bpftool("map dump id %u range 0x%llx 1", id, at - 1), 0, "before the start");
	EXPECT("Error: the range is not in the arena, which is 0x%llx-0x%llx\n", at,
	       addr_of(&env, PAGES));
	ASSERT_NEQ(bpftool("map dump id %u range 0x%llx 1", id, addr_of(&env, PAGES)), 0,
		   "at the end");
	ASSERT_NEQ(bpftool("map dump id %u range 0x%llx 2", id, addr_of(&env, PAGES) - 1), 0,
		   "across the end");
	ASSERT_NEQ(bpftool("map dump id %u range 0x%llx 0xffffffffffffffff", id, at + 8), 0,
		   "overflow");
	ASSERT_OK(bpftool("map dump id %u range 0x%llx %zu", id, at, PAGES * page), "all");
	ASSERT_NEQ(bpftool("-j map dump id %u range 0x%llx 1", id, at - 1), 0, "-j");
	EXPECT_PART("{\"error\":\"the range is not in the arena");
	ASSERT_NEQ(bpftool("map dump id %u range 0x%llx 0", id, at), 0, "no bytes");
	EXPECT("Error: can't parse 0 as number of bytes\n");
	ASSERT_NEQ(bpftool("map dump id %u range here 1", id), 0, "address");
	EXPECT("Error: can't parse here as address\n");
	ASSERT_NEQ(bpftool("map dump id %u arrange 0x%llx 1", id, at), 0, "keyword");
	EXPECT("Error: what is 'arrange'?\n");
	ASSERT_NEQ(bpftool("map dump id %u range 0x%llx", id, at), 0, "no size");
	EXPECT_PART("dump       MAP [range ADDR SIZE]\n");

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "array", 4, 4, 1, NULL);
	ASSERT_NEQ(bpftool("map dump id %u range 0 4", arena_map_id(fd)), 0, "array");
	EXPECT("Error: map %u is not an arena: it has no ranges\n", arena_map_id(fd));
	close(fd);
	arena_ops_close(&env);
}

/* All of fdinfo is as it was: address, pages, memory. */
static void read_fdinfo(const struct arena_ops_env *env, char *buf, size_t size)
{
	char path[64];
	size_t len = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", arena_ops_fd(env));
	f = fopen(path, "r");
	if (ASSERT_OK_PTR(f, "fdinfo")) {
		len = fread(buf, 1, size - 1, f);
		fclose(f);
	}
	buf[len] = 0;
}

static void unchanged(void)
{
	char before[1024], after[1024];
	struct arena_ops_env env;

	if (!open_filled(&env, 0))
		return;
	read_fdinfo(&env, before, sizeof(before));
	ASSERT_OK(bpftool("map show id %u", id_of(&env)), "show");
	ASSERT_OK(bpftool("map dump id %u", id_of(&env)), "dump");
	ASSERT_OK(bpftool("map dump id %u range 0x%llx %zu", id_of(&env), addr_of(&env, 0),
			  PAGES * page), "range");
	read_fdinfo(&env, after, sizeof(after));
	ASSERT_STREQ(after, before, "fdinfo");
	arena_ops_close(&env);
}

static bool stop;

static void *storm_thread(void *arg)
{
	struct arena_ops_env *env = arg;

	while (!READ_ONCE(stop)) {
		arena_ops_alloc(env, arena_ops_page(env, 1), 1);
		arena_ops_alloc(env, arena_ops_page(env, 4), 8);
		arena_ops_free(env, arena_ops_page(env, 1), 20);
	}
	return NULL;
}

/* Pages come and go under its eyes: it neither fails, nor makes one of its own. */
static void storm(void)
{
	struct arena_ops_env env;
	pthread_t thread;
	int i;

	if (!arena_ops_open(&env, PAGES, BPF_F_SEGV_ON_FAULT, 0))
		return;
	stop = false;
	if (!ASSERT_OK(pthread_create(&thread, NULL, storm_thread, &env), "thread"))
		goto out;
	for (i = 0; i < 5; i++) {
		ASSERT_OK(bpftool("map dump id %u", id_of(&env)), "dump");
		EXPECT_PART("Found ");
		ASSERT_OK(bpftool("map dump id %u range 0x%llx %zu", id_of(&env), addr_of(&env, 0),
				  PAGES * page), "range");
		EXPECT_PART("-0x%llx  no pages\n", addr_of(&env, PAGES));
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, NULL);
	arena_ops_free(&env, env.base, PAGES);
	ASSERT_OK(bpftool("map dump id %u", id_of(&env)), "dump");
	EXPECT("Found 0 ranges, 0 pages\n");
out:
	arena_ops_close(&env);
}

void test_arena_bpftool(void)
{
	page = arena_page_size();
	if (test__start_subtest("show"))
		show_arena();
	if (test__start_subtest("no_address"))
		no_address();
	if (test__start_subtest("dump"))
		dump_arena();
	if (test__start_subtest("dump_by_name"))
		dump_by_name();
	if (test__start_subtest("dump_range"))
		dump_range();
	if (test__start_subtest("wrong_arguments"))
		wrong_arguments();
	if (test__start_subtest("unchanged"))
		unchanged();
	if (test__start_subtest("storm"))
		storm();
}
