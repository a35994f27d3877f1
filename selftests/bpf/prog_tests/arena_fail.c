// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation of an operation on an arena fails in turn, alone and together
 * with those that follow it. The operation says so as documented, nothing has
 * changed, it succeeds when it is repeated, and nothing is lost: an arena in which
 * it failed ends up as large as one in which it did not, and after ROUNDS of them
 * the machine has all that it had.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "arena_insn.h"
#include "arena_ops.h"

#define RW		(PROT_READ | PROT_WRITE)
#define CGROUP		ARENA_CGROUP_ROOT "/arena_fail"
#define ROUNDS		600
/* No operation has more allocations than that. */
#define MAX_POINTS	500
/* So many fail in a row: an operation that tries again fails again. */
#define BURST		16

/*
 * The kernel keeps a bitmap for each 64 MiB. What is done where two of these meet
 * needs both of them, and page tables on both sides. An arena has this many such
 * places: several operations share one, as it takes long to load a program.
 */
#define PLACE_PAGES	16384U
#define PLACES		30
#define PAGES		((PLACES + 2) * PLACE_PAGES)

/* What a stock may have */
#define STOCK_BYTES	(ARENA_STOCK * (long long)ARENA_PAGE)

/* What an operation returns beside 0, -errno and a signal */
#define NO_PAGE		1000

/* Where the operation of a round is done. */
struct ground {
	struct arena_ops_env env;	/* with programs, for several rounds */
	int place;
	int map;			/* or an arena for this one */
	__u64 base;
	char *mem;
	int loaded;
};

struct op {
	const char *name;
	int points;		/* at least so many allocations */
	int failure;		/* what it may look like; -ENOMEM is always right */
	bool (*prepare)(struct ground *g);
	int (*act)(struct ground *g);
	/* Looks at the arena after the failure, and after the success */
	bool (*undone)(struct ground *g);
	bool (*done)(struct ground *g);
	bool programs;		/* it is done by those of env */
	bool atomic;		/* which must not sleep */
	__u32 flags;		/* of the arena */
	__u32 pages;		/* or PAGES */
	int rounds;
};

/*
 * Faults to be injected.
 */

enum { SLAB, PAGE, NR_INJECTORS };

static const char * const injectors[NR_INJECTORS] = {
	"/sys/kernel/debug/failslab",
	"/sys/kernel/debug/fail_page_alloc",
};

static bool broken;
static int nth_fd, make_fd, times_fd[NR_INJECTORS];

static bool set_injector(int nr, const char *name, const char *val)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", injectors[nr], name);
	return arena_write_file(path, val);
}

static void put_number(int fd, int n)
{
	char val[16];
	int len = snprintf(val, sizeof(val), "%d", n);

	/* Faults are on their way: no more than this system call */
	if (write(fd, val, len) != len)
		broken = true;
}

static int get_number(int fd)
{
	char val[16] = {};

	return pread(fd, val, sizeof(val) - 1, 0) > 0 ? atoi(val) : -1;
}

/*
 * Also allocations that may sleep fail, without a stack trace in the log for each;
 * but only those of tasks that are marked.
 */
static bool injectors_open(void)
{
	char path[128];
	int i;

	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	make_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	if (!ASSERT_GE(nth_fd, 0, "fail-nth") || !ASSERT_GE(make_fd, 0, "make-it-fail"))
		return false;
	for (i = 0; i < NR_INJECTORS; i++) {
		snprintf(path, sizeof(path), "%s/times", injectors[i]);
		times_fd[i] = open(path, O_RDWR | O_CLOEXEC);
		if (!ASSERT_GE(times_fd[i], 0, path))
			return false;
		put_number(times_fd[i], 0);
		if (!set_injector(i, "verbose", "0") ||
		    !set_injector(i, "ignore-gfp-wait", "N") ||
		    !set_injector(i, "task-filter", "Y") ||
		    !set_injector(i, "probability", "100"))
			return false;
	}
	return set_injector(PAGE, "ignore-gfp-highmem", "N") &&
	       set_injector(PAGE, "min-order", "0");
}

static void injectors_close(void)
{
	int i;

	for (i = 0; i < NR_INJECTORS; i++) {
		set_injector(i, "probability", "0");
		set_injector(i, "task-filter", "N");
		put_number(times_fd[i], 1);
		close(times_fd[i]);
	}
	close(make_fd);
	close(nth_fd);
}

/* From the nth allocation of this thread on, this many fail. */
static void fail_begin(int n, int times)
{
	int i;

	for (i = 0; i < NR_INJECTORS; i++)
		put_number(times_fd[i], times);
	put_number(nth_fd, n);
	put_number(make_fd, n && times > 1);
}

/* Was there an nth one? */
static bool fail_end(void)
{
	bool hit = !get_number(nth_fd);

	put_number(make_fd, 0);
	put_number(nth_fd, 0);
	return hit;
}

/*
 * The operations.
 */

/* Unlike ASSERT_OK(), says nothing when all is well, a hundred thousand times. */
static bool check(bool ok, const char *what)
{
	if (!ok)
		PRINT_FAIL("%s, errno %d\n", what, errno);
	return ok;
}

/* The address that many pages from the middle of a place on have. */
static void *page_at(const struct ground *g, int nr)
{
	return (void *)(g->base + ((g->place + 1) * PLACE_PAGES + nr) * ARENA_PAGE);
}

/* With BPF_F_SEGV_ON_FAULT: are these pages there, and zero, or are all of them absent? */
static bool pages_are(struct ground *g, int nr, int cnt, bool there)
{
	__u64 val = 0;
	int i;

	/* Also the last one of 64 */
	for (i = nr; i < nr + cnt; i += 7) {
		int sig = arena_peek(page_at(g, i), &val);

		if (sig != (there ? 0 : SIGSEGV) || (there && val)) {
			PRINT_FAIL("page %d: signal %d, content %llx\n", i, sig, val);
			return false;
		}
	}
	return true;
}

/* As arena_ops_run(), but a failure of the system call itself is no surprise. */
static int run(struct ground *g, enum arena_op_code code, void *addr, int cnt, __u64 *ret)
{
	struct arena_op op = {
		.code = code,
		.addr = (__u64)addr,
		.cnt = cnt,
		.node = NUMA_NO_NODE,
	};
	union bpf_attr attr = {};
	struct bpf_program *prog;

	prog = g->env.atomic ? g->env.skel->progs.op_atomic : g->env.skel->progs.op_sleepable;
	attr.test.prog_fd = bpf_program__fd(prog);
	attr.test.ctx_in = ptr_to_u64(&op);
	attr.test.ctx_size_in = sizeof(op);
	if (arena_sys_bpf(BPF_PROG_TEST_RUN, &attr))
		return -errno;
	*ret = g->env.atomic ? g->env.skel->bss->ret[0] : op.ret;
	return 0;
}

static int act_create(struct ground *g)
{
	g->map = arena_create_raw(BPF_F_MMAPABLE, PAGES, g->base);
	return g->map < 0 ? -errno : 0;
}

static int act_mmap(struct ground *g)
{
	g->mem = arena_mmap(g->map, g->base, PAGES * ARENA_PAGE, RW, MAP_FIXED_NOREPLACE);
	return g->mem == MAP_FAILED ? -errno : 0;
}

/* Nobody may count as a writer then, and so the map can be frozen: go on with another. */
static bool mmap_undone(struct ground *g)
{
	if (!check(!arena_freeze(g->map), "freeze"))
		return false;
	close(g->map);
	g->map = arena_create_raw(BPF_F_MMAPABLE, PAGES, g->base);
	return check(g->map >= 0, "create");
}

static bool map_it(struct ground *g)
{
	return check(!act_mmap(g), "mmap");
}

static int act_fault(struct ground *g)
{
	__u64 val;

	return arena_peek(page_at(g, 0), &val);
}

/* It is the kernel that touches the page. */
static int act_fault_uname(struct ground *g)
{
	return syscall(__NR_uname, page_at(g, 0)) ? -errno : 0;
}

static bool fault_done(struct ground *g)
{
	return check(!act_fault(g), "touch");
}

static int alloc_at(struct ground *g, int nr, int cnt)
{
	__u64 page;

	return run(g, ARENA_ALLOC, page_at(g, nr), cnt, &page) ?: page ? 0 : NO_PAGE;
}

static int act_alloc_1(struct ground *g)
{
	return alloc_at(g, 0, 1);
}

static bool alloc_1_undone(struct ground *g)
{
	return pages_are(g, 0, 1, false);
}

static bool alloc_1_done(struct ground *g)
{
	return pages_are(g, 0, 1, true);
}

#define FEW	4	/* so many are in stock */

static int act_alloc_few(struct ground *g)
{
	return alloc_at(g, -FEW / 2, FEW);
}

static bool alloc_few_undone(struct ground *g)
{
	return pages_are(g, -FEW / 2, FEW, false);
}

static bool alloc_few_done(struct ground *g)
{
	return pages_are(g, -FEW / 2, FEW, true);
}

#define MANY	64

static int act_alloc_64(struct ground *g)
{
	return alloc_at(g, -MANY / 2, MANY);
}

static bool alloc_64_undone(struct ground *g)
{
	return pages_are(g, -MANY / 2, MANY, false);
}

static bool alloc_64_done(struct ground *g)
{
	return pages_are(g, -MANY / 2, MANY, true);
}

/* Wherever they fit, which is behind those of the last time. */
static int act_alloc_anywhere(struct ground *g)
{
	__u64 page;

	return run(g, ARENA_ALLOC, NULL, MANY, &page) ?: page ? 0 : NO_PAGE;
}

/* Pages to be freed, of which user space has mapped some. */
static bool have_pages(struct ground *g)
{
	return check(!act_alloc_64(g), "alloc") && alloc_few_done(g);
}

static int act_free(struct ground *g)
{
	__u64 none;

	return run(g, ARENA_FREE, page_at(g, -MANY / 2), MANY, &none);
}

static int act_reserve(struct ground *g)
{
	__u64 err;

	return run(g, ARENA_RESERVE, page_at(g, -MANY / 2), MANY, &err) ?: (int)err;
}

/* Reserved pages are a signal, and those around them are not. */
static bool reserve_done(struct ground *g)
{
	return pages_are(g, -MANY / 2, MANY, false) &&
	       pages_are(g, -MANY / 2 - 1, 1, true) && pages_are(g, MANY / 2, 1, true);
}

static int kfunc_alloc;

/* The system call itself, since libbpf would try again. Returns 0 or -errno. */
static int load(struct ground *g, enum bpf_prog_type type, __u32 flags)
{
	struct bpf_insn insns[] = {
		BPF_LD_MAP_FD(BPF_REG_1, g->map),
		BPF_MOV64_IMM(BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, 1),
		BPF_MOV64_IMM(BPF_REG_4, NUMA_NO_NODE),
		BPF_MOV64_IMM(BPF_REG_5, 0),
		CALL_KFUNC(kfunc_alloc),
		CAST_KERN(BPF_REG_1, BPF_REG_0),
		BPF_ST_MEM(BPF_DW, BPF_REG_1, 0, 0x11),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_1, 0),
		BPF_EXIT_INSN(),
	};
	union bpf_attr attr = {};

	attr.prog_type = type;
	attr.insns = ptr_to_u64(insns);
	attr.insn_cnt = ARRAY_SIZE(insns);
	attr.license = ptr_to_u64("GPL");
	attr.prog_flags = flags;
	g->loaded = arena_sys_bpf(BPF_PROG_LOAD, &attr);
	return g->loaded < 0 ? -errno : 0;
}

static int act_load(struct ground *g)
{
	return load(g, BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE);
}

/* This one wants pages in stock. */
static int act_load_atomic(struct ground *g)
{
	return load(g, BPF_PROG_TYPE_RAW_TRACEPOINT, 0);
}

static bool load_done(struct ground *g)
{
	union bpf_attr attr = {};

	attr.test.prog_fd = g->loaded;
	return check(!arena_sys_bpf(BPF_PROG_TEST_RUN, &attr), "run") &&
	       check(attr.test.retval == 0x11, "result");
}

static int read_info(int map, char *buf, size_t size)
{
	char path[64];
	ssize_t len;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	err = len < 0 ? -errno : 0;
	buf[len < 0 ? 0 : len] = 0;
	close(fd);
	return err;
}

static int act_info(struct ground *g)
{
	struct bpf_map_info info = {};
	union bpf_attr attr = {};
	char buf[1024];
	int err;

	err = read_info(g->map, buf, sizeof(buf));
	if (err)
		return err;
	lseek(g->map, 0, SEEK_END);
	attr.info.bpf_fd = g->map;
	attr.info.info_len = sizeof(info);
	attr.info.info = ptr_to_u64(&info);
	return arena_sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) ? -errno : 0;
}

static const struct op ops[] = {
	{
		.name = "create",
		.points = 4,
		.act = act_create,
		.rounds = ROUNDS,
	}, {
		.name = "mmap",
		.points = 3,
		.act = act_mmap,
		.undone = mmap_undone,
		.done = fault_done,
		.rounds = ROUNDS,
	}, {
		.name = "fault",
		.points = 3,
		.failure = SIGBUS,
		.prepare = map_it,
		.act = act_fault,
		.done = fault_done,
		.rounds = ROUNDS,
	}, {
		.name = "fault_in_kernel",
		.points = 3,
		.failure = -EFAULT,
		.prepare = map_it,
		.act = act_fault_uname,
		.done = fault_done,
		.rounds = ROUNDS,
	}, {
		.name = "alloc_1",
		.points = 3,
		.failure = NO_PAGE,
		.act = act_alloc_1,
		.undone = alloc_1_undone,
		.done = alloc_1_done,
		.programs = true,
		.flags = BPF_F_SEGV_ON_FAULT,
		.rounds = ROUNDS,
	}, {
		.name = "alloc_64",
		.points = 64,
		.failure = NO_PAGE,
		.act = act_alloc_64,
		.undone = alloc_64_undone,
		.done = alloc_64_done,
		.programs = true,
		.flags = BPF_F_SEGV_ON_FAULT,
		.rounds = ROUNDS,
	}, {
		.name = "alloc_anywhere",
		.points = 64,
		.failure = NO_PAGE,
		.act = act_alloc_anywhere,
		.programs = true,
		.flags = BPF_F_SEGV_ON_FAULT,
		.rounds = ROUNDS,
	}, {
		.name = "alloc_atomic",
		.points = 1,
		.failure = NO_PAGE,
		.act = act_alloc_few,
		.undone = alloc_few_undone,
		.done = alloc_few_done,
		.programs = true,
		.atomic = true,
		.flags = BPF_F_SEGV_ON_FAULT,
		.rounds = ROUNDS,
	}, {
		.name = "free",
		.points = 1,
		.prepare = have_pages,
		.act = act_free,
		.undone = alloc_64_done,
		.done = alloc_64_undone,
		.programs = true,
		.flags = BPF_F_SEGV_ON_FAULT,
		.rounds = ROUNDS,
	}, {
		.name = "reserve",
		.points = 2,
		.act = act_reserve,
		.done = reserve_done,
		.programs = true,
		.rounds = ROUNDS,
	}, {
		/* A load takes its time: half as many for each kind of program */
		.name = "load",
		.points = 20,
		.failure = -ENOTSUPP,
		.act = act_load,
		.done = load_done,
		.rounds = ROUNDS / 2,
	}, {
		.name = "load_atomic",
		.points = 20 + 64,
		/* Its stock has 64 pages */
		.pages = 64 + ARENA_ATOMIC_MAX - ARENA_STOCK,
		.failure = -ENOTSUPP,
		.act = act_load_atomic,
		.done = load_done,
		.rounds = ROUNDS / 2,
	}, {
		/* Out of memory, /proc may say that there is no such file. */
		.name = "info",
		.points = 3,
		.failure = -ENOENT,
		.act = act_info,
		.rounds = ROUNDS,
	},
};

/*
 * Rounds.
 */

static void ground_close(struct ground *g)
{
	if (g->env.skel)
		arena_ops_close(&g->env);
	if (g->loaded >= 0)
		close(g->loaded);
	if (g->map >= 0)
		close(g->map);
}

/* How many rounds there are in a ground. The arena of a system call is used up by it. */
static int ground_rounds(const struct op *op)
{
	return op->programs ? PLACES : 1;
}

static bool ground_open(struct ground *g, const struct op *op)
{
	memset(g, 0, sizeof(*g));
	g->base = ARENA_ADDR;
	g->map = -1;
	g->loaded = -1;
	if (op->programs) {
		if (!arena_ops_open(&g->env, PAGES, op->flags, ARENA_ADDR))
			return false;
		g->env.atomic = op->atomic;
	} else if (op->act != act_create) {
		g->map = arena_create_raw(BPF_F_MMAPABLE, op->pages ?: PAGES, ARENA_ADDR);
		return check(g->map >= 0, "create");
	}
	return true;
}

struct tally {
	int points;
	int failures;
	int rounds;
};

static int repeat(const struct op *op, struct ground *g)
{
	int ret;

	if (!op->atomic)
		return op->act(g);
	ARENA_EVENTUALLY(!(ret = op->act(g)));
	return ret;
}

/*
 * The nth allocation fails, and "times" - 1 after it; with n = 0, none. Returns false if
 * something is wrong; "hit" says whether there was an nth one.
 */
static bool one_round(const struct op *op, struct ground *g, int n, int times, bool *hit,
		      struct tally *tally)
{
	int ret;

	if (op->prepare && !op->prepare(g))
		return false;
	fail_begin(n, times);
	ret = op->act(g);
	*hit = fail_end() && n;
	tally->rounds++;
	if (ret) {
		tally->failures++;
		/* Nobody knows how much a stock has at the moment. */
		if ((ret != -ENOMEM && ret != op->failure) || (!*hit && !op->atomic)) {
			PRINT_FAIL("allocation %d, %d times: returns %d\n", n, times, ret);
			return false;
		}
		if (op->undone && !op->undone(g))
			return false;
		ret = repeat(op, g);
		if (ret) {
			PRINT_FAIL("allocation %d, %d times: then returns %d\n", n, times, ret);
			return false;
		}
	}
	if (op->done && !op->done(g))
		return false;
	if (g->mem)
		munmap(g->mem, PAGES * ARENA_PAGE);
	g->mem = NULL;
	g->place++;
	return true;
}

static long long bytes_of(const struct ground *g)
{
	const char *line;
	char buf[1024];

	if (read_info(g->env.skel ? arena_ops_fd(&g->env) : g->map, buf, sizeof(buf)))
		return -1;
	line = strstr(buf, "memlock:\t");
	return line ? atoll(line + strlen("memlock:\t")) : -1;
}

/* All as large as the first, but for what a stock may have more or less? */
static bool same_memlock(const struct op *op, const struct ground *ground, int cnt)
{
	long long slack = op->atomic ? STOCK_BYTES : 0;
	int i;

	for (i = 1; i < cnt; i++)
		if (llabs(bytes_of(&ground[i]) - bytes_of(&ground[0])) > slack)
			return false;
	return true;
}

/* Each allocation once. Nothing fails in the first ground; the others end up alike. */
static bool sweep(const struct op *op, int times, struct tally *tally)
{
	static struct ground ground[MAX_POINTS];
	bool ok = true, more = true;
	int i, n = 0, cnt = 0;

	while (ok && more && n < MAX_POINTS) {
		struct ground *g = &ground[cnt++];

		ok = ground_open(g, op);
		for (i = 0; ok && i < ground_rounds(op); i++) {
			bool fail = cnt > 1 && more, hit;

			n += fail;
			ok = one_round(op, g, fail ? n : 0, times, &hit, tally);
			if (fail)
				more = hit;
		}
		/* The next one wants the address */
		munmap((void *)ARENA_ADDR, PAGES * ARENA_PAGE);
	}
	tally->points = n - 1;
	if (ok)
		ok = check(!more, "end of allocations") &&
		     check(ARENA_EVENTUALLY(same_memlock(op, ground, cnt)), "same memlock");
	while (cnt--)
		ground_close(&ground[cnt]);
	return ok;
}

/* What there is to be lost, in bytes. */
struct meters {
	long long cgroup;
	long long page_tables;
	long long vmalloc;
};

/*
 * Charges come in batches, of which CPUs keep the rest. This gives it back: a limit
 * that is exceeded, but would kill nobody.
 */
static void drain_charges(void)
{
	arena_write_file(CGROUP "/memory.high", "0");
	arena_write_file(CGROUP "/memory.high", "max");
}

/* What is in vmalloc areas. Stacks are those of workers that come and go. */
static long long vmalloc_bytes(void)
{
	long long pages = 0;
	char line[512];
	FILE *f;

	f = fopen("/proc/vmallocinfo", "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		const char *field = strstr(line, " pages=");

		if (field && !strstr(line, "kernel_clone"))
			pages += atoll(field + strlen(" pages="));
	}
	fclose(f);
	return pages * ARENA_PAGE;
}

static void read_meters(struct meters *m)
{
	drain_charges();
	/* Without what the test itself has in user space */
	m->cgroup = arena_read_number(CGROUP "/memory.current", "") -
		    arena_read_number(CGROUP "/memory.stat", "anon ");
	m->page_tables = arena_read_number("/proc/meminfo", "PageTables:") * 1024;
	m->vmalloc = vmalloc_bytes();
}

/* Workers free what was closed: it has come to rest when nothing changes any more. */
static void read_meters_at_rest(struct meters *m)
{
	struct meters last = {};

	ARENA_EVENTUALLY(({
		last = *m;
		usleep(200 * 1000);
		read_meters(m);
		!memcmp(&last, m, sizeof(last));
	}));
}

/* So much may come and go: not a page in a hundred rounds. */
#define TOLERANCE	(5 * (long long)ARENA_PAGE)

static bool do_rounds(const struct op *op, struct tally *tally)
{
	int i, cnt = arena_times(op->rounds);
	struct ground g;
	bool hit, ok = true;

	for (i = 0; ok && i < cnt; i++) {
		if (!(i % ground_rounds(op)))
			ok = ground_open(&g, op);
		ok = ok && one_round(op, &g, i / 2 % tally->points + 1, i % 2 ? BURST : 1,
				     &hit, tally);
		if (!ok || !((i + 1) % ground_rounds(op)) || i == cnt - 1)
			ground_close(&g);
	}
	return ok;
}

static bool nothing_lost(const struct meters *before, const struct meters *after)
{
	return after->cgroup <= before->cgroup + TOLERANCE &&
	       after->page_tables <= before->page_tables + TOLERANCE &&
	       after->vmalloc <= before->vmalloc + TOLERANCE;
}

#define TRIES	3

/*
 * What is lost in error paths is lost each time; a slab that grows has grown. Only the last
 * time is it worth waiting for what might still come.
 */
static void rounds(const struct op *op, struct tally *tally)
{
	struct meters before = {}, after = {};
	bool ok = false;
	__u64 end;
	int i;

	for (i = 1; !ok && i <= TRIES; i++) {
		read_meters_at_rest(&before);
		if (!do_rounds(op, tally))
			return;
		end = arena_now_ms() + 5000;
		ARENA_EVENTUALLY(({
			read_meters(&after);
			ok = nothing_lost(&before, &after);
			ok || (i < TRIES && arena_now_ms() > end);
		}));
	}
	if (!ok)
		PRINT_FAIL("lost: %lld bytes of charge, %lld of page tables, %lld of vmalloc\n",
			   after.cgroup - before.cgroup, after.page_tables - before.page_tables,
			   after.vmalloc - before.vmalloc);
}

/* Where it is read even when all is well */
static void say(const struct op *op, const struct tally *tally, __u64 ms)
{
	FILE *out = env.stdout ?: stdout;

	fprintf(out, "arena_fail: %s: %d failure points, failed %d times in %d rounds (%llu ms)\n",
		op->name, tally->points, tally->failures, tally->rounds, ms);
	fflush(out);
}

static void fail_op(const struct op *op)
{
	struct tally tally = {}, burst = {};
	__u64 start = arena_now_ms();

	if (!sweep(op, 1, &tally) || !sweep(op, BURST, &burst))
		return;
	ASSERT_GE(tally.points, op->points, "failure points");
	/* Alone, the failure of an allocation may be made up for. */
	ASSERT_GT(burst.failures, 0, "failures");
	tally.failures += burst.failures;
	tally.rounds += burst.rounds;
	rounds(op, &tally);
	say(op, &tally, arena_now_ms() - start);
}

/* It is workers that fill a stock: which one will do it, nobody knows. */
static void mark_workers(bool fail)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300], comm[32];
	int fd;

	while (proc && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		memset(comm, 0, sizeof(comm));
		if (read(fd, comm, sizeof(comm) - 1) > 0 && !strncmp(comm, "kworker/", 8)) {
			snprintf(path, sizeof(path), "/proc/%s/make-it-fail", entry->d_name);
			arena_write_file(path, fail ? "1" : "0");
		}
		close(fd);
	}
	closedir(proc);
}

#define REFILLS		20
#define FOR_EVER	1000000

/* Asks for a refill, unless one is under way, and tells how often one has failed. */
static int refill_failures(struct ground *g)
{
	__u64 page;

	run(g, ARENA_ALLOC, NULL, 1, &page);
	return FOR_EVER - arena_read_number("/sys/kernel/debug/fail_page_alloc/times", "");
}

/* With a stock that cannot be filled there are no pages, and as soon as it can there are. */
static void fail_refill(void)
{
	static const struct op op = {
		.name = "refill",
		.programs = true,
		.atomic = true,
	};
	struct tally tally = { .points = 1 };
	__u64 start = arena_now_ms();
	struct ground g;
	__u64 page;
	int i;

	if (!ground_open(&g, &op))
		return;
	for (i = 0; i < REFILLS; i++) {
		int got = 0;

		put_number(times_fd[PAGE], FOR_EVER);
		mark_workers(true);
		while (got < 2 * ARENA_STOCK && !run(&g, ARENA_ALLOC, NULL, 1, &page) && page)
			got++;
		ASSERT_LT(got, 2 * ARENA_STOCK, "pages without a refill");
		if (!ASSERT_TRUE(ARENA_EVENTUALLY(refill_failures(&g)), "refill fails"))
			break;
		tally.failures += refill_failures(&g);
		mark_workers(false);
		put_number(times_fd[PAGE], 0);
		if (!ASSERT_TRUE(ARENA_EVENTUALLY(!run(&g, ARENA_ALLOC, NULL, 1, &page) && page),
				 "page after a refill"))
			break;
		tally.rounds++;
	}
	mark_workers(false);
	put_number(times_fd[PAGE], 0);
	ground_close(&g);
	say(&op, &tally, arena_now_ms() - start);
}

void serial_test_arena_fail(void)
{
	struct arena_fault_saved saved;
	int i;

	kfunc_alloc = arena_kfunc("bpf_arena_alloc_pages");
	rmdir(CGROUP);
	if (!ASSERT_OK(mkdir(CGROUP, 0755), CGROUP) || !arena_cgroup_join(CGROUP) ||
	    !injectors_open())
		return;
	arena_fault_catch(&saved);
	for (i = 0; i < (int)ARRAY_SIZE(ops); i++)
		if (test__start_subtest(ops[i].name))
			fail_op(&ops[i]);
	if (test__start_subtest("refill"))
		fail_refill();
	arena_fault_restore(&saved);
	injectors_close();
	arena_cgroup_join(ARENA_CGROUP_ROOT);
	ASSERT_TRUE(ARENA_EVENTUALLY(!rmdir(CGROUP)), CGROUP);
}
