// SPDX-License-Identifier: GPL-2.0
/* What the kernel tells of a program that accesses its arena where no page is. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include "arena_insn.h"
#include "arena_test.h"
#include "progs/arena_faults.h"
#include "arena_faults.skel.h"
#include "arena_jit_target.skel.h"
#include "arena_jit_ext.skel.h"

/* enum bpf_arena_access of the kernel */
enum { LOAD = 1, STORE, ATOMIC };

#define MAX_XLATED	512

static struct arena_faults *skel;
/* In the arena of the skeleton: a page that is there, and one that is not. */
static __u64 present, absent;

static bool prog_info(int fd, struct bpf_prog_info *info)
{
	__u32 len = sizeof(*info);

	return ASSERT_OK(bpf_obj_get_info_by_fd(fd, info, &len), "prog_info");
}

static __u32 prog_id(int fd)
{
	struct bpf_prog_info info = {};

	return prog_info(fd, &info) ? info.id : 0;
}

/* What the program's counter says, in both places. */
static __u64 faults(int fd)
{
	struct bpf_prog_info info = {};
	char path[64];

	if (!prog_info(fd, &info))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ASSERT_EQ(arena_read_number(path, "arena_faults:"), (long long)info.arena_faults, "fdinfo");
	return info.arena_faults;
}

static struct bpf_insn xlated_insn(int fd, __u32 i)
{
	static struct bpf_insn insns[MAX_XLATED];
	struct bpf_prog_info info = {};

	memset(insns, 0, sizeof(insns));
	info.xlated_prog_insns = ptr_to_u64(insns);
	info.xlated_prog_len = sizeof(insns);
	prog_info(fd, &info);
	ASSERT_LT(i, info.xlated_prog_len / sizeof(*insns), "insn");
	return insns[i % MAX_XLATED];
}

static struct bpf_link *listen_by(struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach(prog);

	ASSERT_OK_PTR(link, "attach");
	skel->bss->nr_events = 0;
	return link;
}

/* Expects that the i-th event was this program's, by an insn with offset @off. */
static void expect_event(__u32 i, int fd, __u32 access, __u64 addr, __s16 off)
{
	struct fault_event *event = &skel->bss->events[i];

	if (!ASSERT_LT(i, skel->bss->nr_events, "event"))
		return;
	ASSERT_EQ(event->prog_id, prog_id(fd), "prog_id");
	ASSERT_EQ(event->access, access, "access");
	ASSERT_EQ(event->addr, addr, "addr");
	ASSERT_EQ(xlated_insn(fd, event->insn).off, off, "off");
}

static void expect_word(__u32 i, int fd, __u32 access, enum stray_word word)
{
	expect_event(i, fd, access, absent + word * 8, word * 8);
}

/* Each form of each access */

struct form {
	struct bpf_insn insn;
	__u32 access;
};

static const int sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };
static const int atomics[] = {
	BPF_ADD, BPF_AND, BPF_OR, BPF_XOR,
	BPF_ADD | BPF_FETCH, BPF_AND | BPF_FETCH, BPF_OR | BPF_FETCH, BPF_XOR | BPF_FETCH,
	BPF_XCHG, BPF_CMPXCHG,
};

#define FORMS	(3 * ARRAY_SIZE(sizes) + 2 * ARRAY_SIZE(atomics))

static void make_forms(struct form *form)
{
	int i, off = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		*form++ = (struct form){
			BPF_LDX_MEM(sizes[i], BPF_REG_7, BPF_REG_6, off), LOAD };
		*form++ = (struct form){
			BPF_STX_MEM(sizes[i], BPF_REG_6, BPF_REG_7, off + 8), STORE };
		*form++ = (struct form){
			BPF_ST_MEM(sizes[i], BPF_REG_6, off + 16, 5), STORE };
		off += 24;
	}
	for (i = 0; i < ARRAY_SIZE(atomics); i++) {
		*form++ = (struct form){
			BPF_ATOMIC_OP(BPF_W, atomics[i], BPF_REG_6, BPF_REG_7, off), ATOMIC };
		*form++ = (struct form){
			BPF_ATOMIC_OP(BPF_DW, atomics[i], BPF_REG_6, BPF_REG_7, off + 8), ATOMIC };
		off += 16;
	}
}

static void run_forms(const struct form *form, bool blinded)
{
	struct insns p = {};
	__u32 i;
	int fd;

	EMIT(&p, BPF_LD_MAP_FD(BPF_REG_2, bpf_map__fd(skel->maps.arena)),
	     BPF_LD_IMM64(BPF_REG_6, absent), CAST_KERN(BPF_REG_6, BPF_REG_6),
	     BPF_MOV64_IMM(BPF_REG_7, 1), BPF_MOV64_IMM(BPF_REG_0, 0));
	for (i = 0; i < FORMS; i++)
		EMIT(&p, form[i].insn);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	fd = arena_load(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
	insns_free(&p);
	if (fd < 0)
		return;
	skel->bss->nr_events = 0;
	if (arena_run(fd, NULL, 0, NULL)) {
		ASSERT_EQ(skel->bss->nr_events, FORMS, "events");
		for (i = 0; i < FORMS; i++) {
			struct bpf_insn insn = form[i].insn, told;

			expect_event(i, fd, form[i].access, absent + insn.off, insn.off);
			if (blinded)
				continue;
			told = xlated_insn(fd, skel->bss->events[i].insn);
			ASSERT_EQ(told.code, insn.code, "code");
			ASSERT_EQ(told.imm, insn.imm, "imm");
		}
		ASSERT_EQ(faults(fd), FORMS, "faults");
	}
	close(fd);
}

static void forms(void)
{
	struct bpf_link *link = listen_by(skel->progs.listen);
	struct form form[FORMS];
	char old[16];

	make_forms(form);
	run_forms(form, false);
	/* each store of an immediate is then three insns */
	if (arena_sysctl(JIT_HARDEN, "2", old, sizeof(old))) {
		run_forms(form, true);
		arena_sysctl(JIT_HARDEN, old, NULL, 0);
	}
	bpf_link__destroy(link);
}

/* Where the program is that strays */

static void run_once(struct bpf_program *prog, enum stray_word word, __u32 access, __u32 times)
{
	struct bpf_link *link = listen_by(skel->progs.listen);
	int fd = bpf_program__fd(prog);
	__u64 before = faults(fd);
	__u32 i;

	skel->bss->target = absent;
	if (bpf_program__type(prog) == BPF_PROG_TYPE_XDP)
		arena_run_skb(fd, NULL);
	else
		arena_run(fd, NULL, 0, NULL);
	ASSERT_EQ(skel->bss->nr_events, times, "events");
	for (i = 0; i < times; i++)
		expect_word(i, fd, access, word);
	ASSERT_EQ(faults(fd) - before, times, "faults");
	bpf_link__destroy(link);
}

static void in_main(void)
{
	run_once(skel->progs.in_main, WORD_MAIN, LOAD, 1);
}

static void in_subprog(void)
{
	run_once(skel->progs.in_subprog, WORD_SUBPROG, STORE, 1);
}

static void in_callback(void)
{
	run_once(skel->progs.in_callback, WORD_CALLBACK, ATOMIC, CALLBACKS);
}

static void in_xdp(void)
{
	run_once(skel->progs.in_xdp, WORD_XDP, LOAD, 1);
}

static void in_nmi(void)
{
	struct bpf_link *listener = listen_by(skel->progs.listen);
	struct bpf_link *link = bpf_program__attach(skel->progs.in_nmi);
	int sysrq = open("/proc/sysrq-trigger", O_WRONLY);
	int fd = bpf_program__fd(skel->progs.in_nmi);

	skel->bss->target = absent;
	/* the other CPUs are asked for a backtrace */
	if (ASSERT_OK_PTR(link, "attach") && ASSERT_EQ(write(sysrq, "l", 1), 1, "sysrq") &&
	    ASSERT_TRUE(ARENA_EVENTUALLY(skel->bss->nr_events), "events")) {
		expect_word(0, fd, STORE, WORD_NMI);
		bpf_link__destroy(link);
		link = NULL;
		ASSERT_EQ(faults(fd), skel->bss->nr_events, "faults");
	}
	close(sysrq);
	bpf_link__destroy(link);
	bpf_link__destroy(listener);
}

static void raw_listener(void)
{
	struct bpf_link *link = listen_by(skel->progs.listen_raw);
	int fd = bpf_program__fd(skel->progs.in_main);

	skel->bss->target = absent;
	arena_run(fd, NULL, 0, NULL);
	expect_word(0, fd, LOAD, WORD_MAIN);
	bpf_link__destroy(link);
}

#define TRACEFS	"/sys/kernel/debug/tracing/"

/* What one reads without a program of one's own. */
static void trace(void)
{
	int fd = bpf_program__fd(skel->progs.in_main);
	struct bpf_link *link = listen_by(skel->progs.listen);
	char line[1024], expected[128];
	bool found = false;
	FILE *f;

	skel->bss->target = absent;
	if (!arena_write_file(TRACEFS "events/bpf_arena/bpf_arena_fault/enable", "1"))
		goto out;
	arena_run(fd, NULL, 0, NULL);
	arena_write_file(TRACEFS "events/bpf_arena/bpf_arena_fault/enable", "0");
	snprintf(expected, sizeof(expected),
		 " bpf_arena_fault: prog_id=%u insn=%u access=load addr=%#llx\n", prog_id(fd),
		 skel->bss->events[0].insn, absent + WORD_MAIN * 8);
	f = fopen(TRACEFS "trace", "r");
	if (!ASSERT_OK_PTR(f, "trace"))
		goto out;
	while (fgets(line, sizeof(line), f))
		found |= !!strstr(line, expected);
	fclose(f);
	ASSERT_TRUE(found, expected);
out:
	bpf_link__destroy(link);
}

/* A program and what replaces one of its functions: each has its own faults. */
static void in_freplace(void)
{
	struct arena_jit_target *target = arena_jit_target__open_and_load();
	struct arena_jit_ext *ext = arena_jit_ext__open();
	struct bpf_program *inner;
	struct bpf_link *link;
	int fd;

	if (!ASSERT_OK_PTR(target, "target") || !ASSERT_OK_PTR(ext, "ext"))
		goto out;
	fd = bpf_program__fd(target->progs.outer);
	inner = ext->progs.inner_arena;
	bpf_program__set_autoload(inner, true);
	if (!ASSERT_OK(bpf_program__set_attach_target(inner, fd, "inner"), "target") ||
	    !ASSERT_OK(arena_jit_ext__load(ext), "load"))
		goto out;
	link = bpf_program__attach_freplace(inner, fd, "inner");
	if (ASSERT_OK_PTR(link, "attach")) {
		arena_run_skb(fd, NULL);
		arena_run_skb(fd, NULL);
		ASSERT_EQ(faults(fd), 4, "target");
		ASSERT_EQ(faults(bpf_program__fd(inner)), 4, "replacement");
		bpf_link__destroy(link);
		arena_run_skb(fd, NULL);
		ASSERT_EQ(faults(fd), 6, "target");
		ASSERT_EQ(faults(bpf_program__fd(inner)), 4, "replacement");
	}
out:
	arena_jit_ext__destroy(ext);
	arena_jit_target__destroy(target);
}

/* reg = kernel pointer to addr */
static void point(struct insns *p, int reg, __u64 addr)
{
	EMIT(p, BPF_LD_MAP_FD(BPF_REG_2, bpf_map__fd(skel->maps.arena)),
	     BPF_LD_IMM64(reg, addr), CAST_KERN(reg, reg));
}

/* Loads, runs and forgets @p: its faults are those at @addrs. */
static void expect_faults(struct insns *p, const __u64 *addrs, __u32 nr)
{
	struct bpf_link *link = listen_by(skel->progs.listen);
	__u32 i;
	int fd;

	EMIT(p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	fd = arena_load(BPF_PROG_TYPE_SYSCALL, p->insn, p->cnt);
	insns_free(p);
	if (fd >= 0 && arena_run(fd, NULL, 0, NULL)) {
		ASSERT_EQ(faults(fd), nr, "faults");
		ASSERT_EQ(skel->bss->nr_events, nr, "events");
		for (i = 0; i < nr; i++)
			ASSERT_EQ(skel->bss->events[i].addr, addrs[i], "addr");
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
}

/* In the guards around the window of 4 GiB. */
static void in_guards(void)
{
	__u64 window = absent >> 32 << 32;
	const __u64 addrs[] = { window - 8, window - 32768, window + ARENA_4G - 8 + 32767 };
	struct insns p = {};

	point(&p, BPF_REG_6, window);
	EMIT(&p, BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, -8),
	     BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, -32768));
	point(&p, BPF_REG_6, window - 8);
	/* its lower half is all that counts, so this is at the end of the window */
	EMIT(&p, BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 32767));
	expect_faults(&p, addrs, ARRAY_SIZE(addrs));
}

/* The first half of it is in a page that is there. */
static void across_pages(void)
{
	const __u64 addrs[] = { absent - 4 };
	struct insns p = {};

	point(&p, BPF_REG_6, addrs[0]);
	EMIT(&p, BPF_LDX_MEM(BPF_DW, BPF_REG_6, BPF_REG_6, 0));
	expect_faults(&p, addrs, ARRAY_SIZE(addrs));
}

static void present_page(void)
{
	struct insns p = {};
	int i;

	point(&p, BPF_REG_6, present);
	EMIT(&p, BPF_MOV64_IMM(BPF_REG_7, 1));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EMIT(&p, BPF_LDX_MEM(sizes[i], BPF_REG_7, BPF_REG_6, 0),
		     BPF_STX_MEM(sizes[i], BPF_REG_6, BPF_REG_7, 0),
		     BPF_ST_MEM(sizes[i], BPF_REG_6, 0, 1));
	EMIT(&p, BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_6, BPF_REG_7, 0));
	expect_faults(&p, NULL, 0);
}

/* A fault of a program that has an arena, but not one in the arena. */
static void no_arena_access(void)
{
	int fd = bpf_program__fd(skel->progs.no_arena_access);
	/* between the last module and the end of all addresses */
	void *nowhere = (void *)0xffffffffffe01000ULL;
	void *old;
	size_t len;

	if (!ASSERT_OK(syscall(__NR_get_robust_list, 0, &old, &len), "get_robust_list") ||
	    !ASSERT_OK(syscall(__NR_set_robust_list, nowhere, len), "set_robust_list"))
		return;
	arena_run(fd, NULL, 0, NULL);
	syscall(__NR_set_robust_list, old, len);
	ASSERT_EQ(skel->data->probed, 0, "probed");
	ASSERT_EQ(faults(fd), 0, "faults");
}

/* Who strays is the program that was called last. */
static void tail_call(void)
{
	int array = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "tails", 4, 4, 1, NULL);
	struct insns p = {}, q = {};
	int from, to, key = 0;

	if (!ASSERT_GE(array, 0, "array"))
		return;
	EMIT(&p, BPF_MOV64_REG(BPF_REG_9, BPF_REG_1));
	point(&p, BPF_REG_6, present);
	EMIT(&p, BPF_ST_MEM(BPF_DW, BPF_REG_6, 0, 1),
	     BPF_MOV64_REG(BPF_REG_1, BPF_REG_9), BPF_LD_MAP_FD(BPF_REG_2, array),
	     BPF_MOV64_IMM(BPF_REG_3, 0), BPF_EMIT_CALL(BPF_FUNC_tail_call),
	     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	point(&q, BPF_REG_6, absent);
	EMIT(&q, BPF_ST_MEM(BPF_DW, BPF_REG_6, 0, 1),
	     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
	from = arena_load(BPF_PROG_TYPE_SCHED_CLS, p.insn, p.cnt);
	to = arena_load(BPF_PROG_TYPE_SCHED_CLS, q.insn, q.cnt);
	if (from >= 0 && to >= 0 &&
	    ASSERT_OK(bpf_map_update_elem(array, &key, &to, 0), "update")) {
		arena_run_skb(from, NULL);
		ASSERT_EQ(faults(from), 0, "caller");
		ASSERT_EQ(faults(to), 1, "called");
	}
	insns_free(&p);
	insns_free(&q);
	close(from);
	close(to);
	close(array);
}

/* Programs that listen, and stray as they do, do not hear of each other. */
static void stray_listeners(void)
{
	struct bpf_program *progs[LISTENERS] = {
		skel->progs.listener0, skel->progs.listener1,
		skel->progs.listener2, skel->progs.listener3,
	};
	struct bpf_link *links[LISTENERS] = {};
	int i, turn;

	memset(skel->bss->listener_runs, 0, sizeof(skel->bss->listener_runs));
	skel->bss->target = absent;
	for (i = 0; i < LISTENERS; i++) {
		links[i] = bpf_program__attach(progs[i]);
		ASSERT_OK_PTR(links[i], "attach");
	}
	for (turn = 0; turn < 2; turn++)
		arena_run(bpf_program__fd(skel->progs.in_main), NULL, 0, NULL);
	for (i = 0; i < LISTENERS; i++) {
		bpf_link__destroy(links[i]);
		ASSERT_EQ(skel->bss->listener_runs[i], 2, "runs");
		ASSERT_EQ(faults(bpf_program__fd(progs[i])), 2, "faults");
	}
}

/* The counter */

#define STORMS	50

static void *storm_on(void *cpu)
{
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	CPU_SET((long)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return (void *)1;
	for (i = 0; i < STORMS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts);

		if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.storm), &opts))
			return (void *)1;
	}
	return NULL;
}

static void two_cpus(void)
{
	int fd = bpf_program__fd(skel->progs.storm);
	__u64 before = faults(fd);
	pthread_t threads[2];
	void *failed;
	long i;

	skel->bss->target = absent;
	skel->bss->storm_turns = 200;
	for (i = 0; i < 2; i++)
		if (!ASSERT_OK(pthread_create(&threads[i], NULL, storm_on, (void *)i), "thread"))
			return;
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], &failed);
		ASSERT_EQ(failed, NULL, "storm");
	}
	ASSERT_EQ(faults(fd) - before, 2 * STORMS * 200, "faults");
}

/* bpftool tells of programs that stray, and of no others. */
static void shown(void)
{
	/* without a format: no faults */
	const struct {
		struct bpf_program *prog;
		const char *opt;
		const char *format;
	} cases[] = {
		{ skel->progs.in_main, "", " arena_faults %llu" },
		{ skel->progs.in_main, "-j", "\"arena_faults\":%llu" },
		{ skel->progs.no_arena_access, "" },
		{ skel->progs.no_arena_access, "-j" },
	};
	int i;

	skel->bss->target = absent;
	arena_run(bpf_program__fd(skel->progs.in_main), NULL, 0, NULL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = bpf_program__fd(cases[i].prog);
		char cmd[64], out[4096], expected[64];
		size_t len;
		FILE *f;

		snprintf(cmd, sizeof(cmd), "bpftool %s prog show id %u", cases[i].opt, prog_id(fd));
		f = popen(cmd, "r");
		if (!ASSERT_OK_PTR(f, cmd))
			continue;
		len = fread(out, 1, sizeof(out) - 1, f);
		out[len] = 0;
		ASSERT_OK(pclose(f), cmd);
		if (!cases[i].format) {
			ASSERT_EQ(strstr(out, "arena_faults"), NULL, "no faults");
			continue;
		}
		snprintf(expected, sizeof(expected), cases[i].format, faults(fd));
		ASSERT_NEQ(strstr(out, expected), NULL, out);
	}
}

/* The line in the kernel's log */

#define LINE_INTERVAL_MS	5000
#define LINE_BURST		10

static int kmsg_open(void)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	ASSERT_GE(kmsg, 0, "kmsg");
	lseek(kmsg, 0, SEEK_END);
	return kmsg;
}

/* How many more lines there are that have @text; any of them, at most, is kept. */
static int kmsg_lines(int kmsg, const char *text, char *line, size_t size)
{
	char record[1024];
	ssize_t len;
	int n = 0;

	usleep(100 * 1000);
	while ((len = read(kmsg, record, sizeof(record) - 1)) > 0) {
		record[len] = 0;
		if (!strstr(record, text))
			continue;
		n++;
		if (line)
			snprintf(line, size, "%s", record);
	}
	return n;
}

static void log_line(void)
{
	struct bpf_link *link = listen_by(skel->progs.listen);
	int fd = bpf_program__fd(skel->progs.storm);
	char expected[128], line[1024] = "";
	int kmsg = kmsg_open(), turn;

	skel->bss->target = absent;
	skel->bss->storm_turns = 1000;
	for (turn = 0; turn < 2; turn++) {
		/* what came before this test, or in the last turn, no longer counts */
		usleep((LINE_INTERVAL_MS + 200) * 1000);
		kmsg_lines(kmsg, "stray arena", NULL, 0);
		arena_run(fd, NULL, 0, NULL);
		ASSERT_EQ(kmsg_lines(kmsg, "stray arena", line, sizeof(line)), 1, "lines");
		snprintf(expected, sizeof(expected),
			 ";bpf: prog %u (storm) insn %u: stray arena load at %#llx\n", prog_id(fd),
			 skel->bss->events[0].insn, absent + WORD_STORM * 8);
		ASSERT_NEQ(strstr(line, expected), NULL, line);
	}
	close(kmsg);
	bpf_link__destroy(link);
}

/* However many programs there are. */
static void log_burst(void)
{
	int kmsg = kmsg_open(), i, n;

	usleep((LINE_INTERVAL_MS + 200) * 1000);
	kmsg_lines(kmsg, "stray arena", NULL, 0);
	for (i = 0; i < 3 * LINE_BURST; i++) {
		struct insns p = {};

		point(&p, BPF_REG_6, absent);
		EMIT(&p, BPF_ST_MEM(BPF_B, BPF_REG_6, 0, 1),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
		if (!insns_run(&p, NULL, 0, NULL))
			break;
	}
	n = kmsg_lines(kmsg, "stray arena store at", NULL, 0);
	ASSERT_GT(n, 1, "lines");
	ASSERT_LE(n, LINE_BURST, "lines");
	close(kmsg);
}

/* What it costs while nobody strays: nothing, there is the access and no more. */

static void no_cost(void)
{
	enum { REPEAT = 4 };
	static const struct {
		struct bpf_insn insn;
		size_t len;
		const char *code;
	} cases[] = {
		{ BPF_LDX_MEM(BPF_DW, BPF_REG_7, BPF_REG_6, 16), 5, "\x4d\x8b\x6c\x1c\x10" },
		{ BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_7, 16), 5, "\x4d\x89\x6c\x1c\x10" },
		{ BPF_ST_MEM(BPF_B, BPF_REG_6, 16, 1), 6, "\x41\xc6\x44\x1c\x10\x01" },
		{ BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_6, BPF_REG_7, 16), 6,
		  "\xf0\x4d\x01\x6c\x1c\x10" },
	};
	char code[4096], expected[64];
	int i, k, fd;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bpf_prog_info info = {};
		struct insns p = {};

		point(&p, BPF_REG_6, absent);
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_7, 1));
		for (k = 0; k < REPEAT; k++) {
			EMIT(&p, cases[i].insn);
			memcpy(expected + k * cases[i].len, cases[i].code, cases[i].len);
		}
		EMIT(&p, BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN());
		fd = arena_load(BPF_PROG_TYPE_SYSCALL, p.insn, p.cnt);
		insns_free(&p);
		if (fd < 0)
			continue;
		info.jited_prog_insns = ptr_to_u64(code);
		info.jited_prog_len = sizeof(code);
		if (prog_info(fd, &info))
			ASSERT_NEQ(memmem(code, info.jited_prog_len, expected,
					  REPEAT * cases[i].len), NULL, "code");
		close(fd);
	}
}

static const struct arena_subtest subtests[] = {
	{ "forms", forms },
	{ "main", in_main },
	{ "subprog", in_subprog },
	{ "callback", in_callback },
	{ "xdp", in_xdp },
	{ "nmi", in_nmi },
	{ "raw_listener", raw_listener },
	{ "trace", trace },
	{ "freplace", in_freplace },
	{ "guards", in_guards },
	{ "across_pages", across_pages },
	{ "present_page", present_page },
	{ "no_arena_access", no_arena_access },
	{ "tail_call", tail_call },
	{ "stray_listeners", stray_listeners },
	{ "two_cpus", two_cpus },
	{ "bpftool", shown },
	{ "log_line", log_line },
	{ "log_burst", log_burst },
	{ "no_cost", no_cost },
};

/* Serial: it hears of all programs that stray, and expects only its own. */
void serial_test_arena_faults(void)
{
	size_t size;
	char *mem;

	skel = arena_faults__open_and_load();
	if (!ASSERT_OK_PTR(skel, "skel"))
		return;
	mem = (char *)bpf_map__initial_value(skel->maps.arena, &size);
	mem[0] = 1;
	present = ptr_to_u64(mem);
	absent = present + ARENA_PAGE;
	arena_subtests(subtests, ARRAY_SIZE(subtests));
	arena_faults__destroy(skel);
}
