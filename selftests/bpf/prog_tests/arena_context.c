// SPDX-License-Identifier: GPL-2.0
/*
 * An arena works in every kind of program, and on the paths that it takes
 * itself. A single page is there at the first try in each context; a deadlock
 * shows as a test that never ends.
 */
#define _GNU_SOURCE
#include <test_progs.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "network_helpers.h"
#include "arena_test.h"
#include "arena_context.h"
#include "arena_context.skel.h"
#include "arena_context_ext.skel.h"

#define CGROUP		ARENA_CGROUP_ROOT "/arena_context"
#define CC_NAME		"bpf_arena_cc"
#define LOOPBACK	1

static struct arena_context *skel;

static int test_run(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err;

	err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	return err ?: (int)opts.retval;
}

/* Did each run in this context get a page? Some contexts let us wait for a run. */
static void expect_pages(struct arena_tally *tally, enum arena_where where, int want,
			 void (*trigger)(void))
{
	struct arena_tally *t = &tally[where];
	int i;

	memset(t, 0, sizeof(*t));
	ARENA_EVENTUALLY(({
		for (i = 0; i < want; i++)
			trigger();
		t->got + t->none >= want;
	}));
	ASSERT_GE(t->got, want, "pages");
	ASSERT_EQ(t->none, 0, "failures");
	ASSERT_EQ(t->bad, 0, "dirty or shared pages");
}

/* Whatever was freed, by whom and where, is there again. */
static void expect_empty_arena(void)
{
	bool ok;
	int n;

	ok = ARENA_EVENTUALLY(({
		n = test_run(skel->progs.count_pages);
		n == ARENA_CONTEXT_PAGES;
	}));
	if (!ok)
		PRINT_FAIL("%d of %d pages are free\n", n, ARENA_CONTEXT_PAGES);
}

static void expect_pages_of(enum arena_where where, void (*trigger)(void))
{
	expect_pages(skel->bss->tally, where, 3, trigger);
}

static void attached(struct bpf_program *prog, enum arena_where where, void (*trigger)(void))
{
	struct bpf_link *link = bpf_program__attach(prog);

	if (!ASSERT_OK_PTR(link, "attach"))
		return;
	expect_pages_of(where, trigger);
	bpf_link__destroy(link);
}

static void run_syscall(void)
{
	ASSERT_OK(test_run(skel->progs.in_syscall), "run");
}

static void in_syscall(void)
{
	expect_pages_of(IN_SYSCALL, run_syscall);
}

static void run_loop(void)
{
	ASSERT_OK(test_run(skel->progs.in_loop), "run");
}

static void in_loop(void)
{
	expect_pages_of(IN_LOOP, run_loop);
}

static void run_timer(void)
{
	ASSERT_OK(test_run(skel->progs.in_timer), "run");
	usleep(10 * 1000);
}

static void in_timer(void)
{
	/* Trap: sleepable flavour of a kfunc picked where sleeping is not allowed */
	expect_pages_of(IN_TIMER, run_timer);
}

static void run_packet(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .data_in = &pkt_v4,
		    .data_size_in = sizeof(pkt_v4),
		    .repeat = 1);

	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), "run");
}

static void run_xdp(void)
{
	run_packet(skel->progs.in_xdp);
}

static void run_tc(void)
{
	run_packet(skel->progs.in_tc);
}

static void send_udp(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ASSERT_EQ(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1, "send");
	close(fd);
}

static void in_xdp(void)
{
	struct bpf_link *link;

	expect_pages_of(IN_XDP, run_xdp);
	link = bpf_program__attach_xdp(skel->progs.in_xdp, LOOPBACK);
	if (!ASSERT_OK_PTR(link, "attach"))
		return;
	expect_pages_of(IN_XDP, send_udp);
	bpf_link__destroy(link);
}

static void in_tc(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LOOPBACK, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(skel->progs.in_tc));

	expect_pages_of(IN_TC, run_tc);
	if (!ASSERT_OK(bpf_tc_hook_create(&hook), "hook"))
		return;
	if (ASSERT_OK(bpf_tc_attach(&hook, &opts), "attach"))
		expect_pages_of(IN_TC, send_udp);
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

static int unix_pair[2];

static void send_unix(void)
{
	char c;

	ASSERT_EQ(send(unix_pair[0], "x", 1, 0), 1, "send");
	ASSERT_EQ(recv(unix_pair[1], &c, 1, 0), 1, "recv");
}

static void in_socket(void)
{
	int prog = bpf_program__fd(skel->progs.in_socket);

	if (!ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, unix_pair), "socketpair"))
		return;
	if (ASSERT_OK(setsockopt(unix_pair[1], SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)),
		      "attach"))
		expect_pages_of(IN_SOCKET, send_unix);
	close(unix_pair[0]);
	close(unix_pair[1]);
}

static const char *congestion_control;

static void connect_tcp(void)
{
	int server, client;

	server = start_server(AF_INET, SOCK_STREAM, "127.0.0.1", 0, 0);
	if (!ASSERT_GE(server, 0, "server"))
		return;
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (congestion_control)
		ASSERT_OK(setsockopt(client, IPPROTO_TCP, TCP_CONGESTION, congestion_control,
				     strlen(congestion_control)), "congestion control");
	ASSERT_OK(connect_fd_to_fd(client, server, 0), "connect");
	close(client);
	close(server);
}

static void in_cgroup(struct bpf_program *prog, enum arena_where where)
{
	struct bpf_link *link;
	int dir;

	rmdir(CGROUP);
	if (!ASSERT_OK(mkdir(CGROUP, 0755), "mkdir"))
		return;
	dir = open(CGROUP, O_RDONLY);
	link = bpf_program__attach_cgroup(prog, dir);
	if (ASSERT_OK_PTR(link, "attach") && arena_cgroup_join(CGROUP)) {
		expect_pages_of(where, connect_tcp);
		arena_cgroup_join(ARENA_CGROUP_ROOT);
	}
	bpf_link__destroy(link);
	close(dir);
	ARENA_EVENTUALLY(!rmdir(CGROUP));
}

static void in_cgroups(void)
{
	in_cgroup(skel->progs.in_cgroup_skb, IN_CGROUP_SKB);
	in_cgroup(skel->progs.in_cgroup_sock, IN_CGROUP_SOCK);
	in_cgroup(skel->progs.in_sockops, IN_SOCKOPS);
}

static void call_getpgid(void)
{
	syscall(__NR_getpgid, getpid());
}

static void in_kprobes(void)
{
	attached(skel->progs.in_kprobe, IN_KPROBE, call_getpgid);
	attached(skel->progs.in_kretprobe, IN_KRETPROBE, call_getpgid);
}

static void in_fentry(void)
{
	attached(skel->progs.in_fentry, IN_FENTRY, call_getpgid);
	attached(skel->progs.in_fexit, IN_FEXIT, call_getpgid);
}

static void in_fentry_sleepable(void)
{
	attached(skel->progs.in_fentry_sleepable, IN_FENTRY_SLEEPABLE, call_getpgid);
}

static void in_tracepoints(void)
{
	attached(skel->progs.in_raw_tp, IN_RAW_TP, call_getpgid);
	attached(skel->progs.in_tp, IN_TP, call_getpgid);
	attached(skel->progs.in_tp_btf, IN_TP_BTF, call_getpgid);
}

/* Runs on the other CPU, in the interrupt that asks for it. */
static void run_ipi(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = 1);

	ASSERT_OK(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.in_ipi), &opts), "run");
}

static void in_ipi(void)
{
	cpu_set_t was, first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_getaffinity(0, sizeof(was), &was);
	if (!ASSERT_OK(sched_setaffinity(0, sizeof(first), &first), "pin to CPU 0"))
		return;
	expect_pages_of(IN_IPI, run_ipi);
	sched_setaffinity(0, sizeof(was), &was);
}

static void spin(void)
{
	__u64 end = arena_now_ms() + 20;

	while (arena_now_ms() < end)
		;
}

static void in_perf_event(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.freq = 1,
		.sample_freq = 1000,
	};
	struct bpf_link *link;
	int fd;

	fd = syscall(__NR_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (!ASSERT_GE(fd, 0, "perf_event_open"))
		return;
	link = bpf_program__attach_perf_event(skel->progs.in_perf_event, fd);
	if (!ASSERT_OK_PTR(link, "attach")) {
		close(fd);
		return;
	}
	expect_pages_of(IN_PERF_EVENT, spin);
	bpf_link__destroy(link);
}

/* Asks every other CPU for a backtrace, by an interrupt that can't be masked. */
static void send_nmi(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	ASSERT_EQ(write(fd, "l", 1), 1, "sysrq");
	close(fd);
}

static void in_nmi(void)
{
	struct bpf_link *link = bpf_program__attach(skel->progs.in_nmi);

	if (!ASSERT_OK_PTR(link, "attach"))
		return;
	expect_pages(skel->bss->tally, IN_NMI, 1, send_nmi);
	bpf_link__destroy(link);
}

static void open_null(void)
{
	close(open("/dev/null", O_RDONLY));
}

static void in_lsm(void)
{
	attached(skel->progs.in_lsm, IN_LSM, call_getpgid);
}

static void in_lsm_sleepable(void)
{
	attached(skel->progs.in_lsm_sleepable, IN_LSM_SLEEPABLE, open_null);
}

static struct bpf_link *iter_link;

static void read_iter(void)
{
	int fd = bpf_iter_create(bpf_link__fd(iter_link));
	char buf[64];

	if (!ASSERT_GE(fd, 0, "iterator"))
		return;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void in_iter(void)
{
	iter_link = bpf_program__attach_iter(skel->progs.in_iter, NULL);
	if (!ASSERT_OK_PTR(iter_link, "attach"))
		return;
	expect_pages_of(IN_ITER, read_iter);
	bpf_link__destroy(iter_link);
}

static void in_struct_ops(void)
{
	struct bpf_link *link = bpf_map__attach_struct_ops(skel->maps.arena_cc);

	if (!ASSERT_OK_PTR(link, "attach"))
		return;
	congestion_control = CC_NAME;
	expect_pages_of(IN_STRUCT_OPS, connect_tcp);
	congestion_control = NULL;
	bpf_link__destroy(link);
}

static void run_ext_target(void)
{
	run_packet(skel->progs.ext_target);
}

static void in_freplace(void)
{
	struct arena_context_ext *ext = arena_context_ext__open();
	size_t size;

	if (!ASSERT_OK_PTR(ext, "open"))
		return;
	bpf_program__set_attach_target(ext->progs.ext, bpf_program__fd(skel->progs.ext_target),
				       "replaceable");
	if (!ASSERT_OK(arena_context_ext__load(ext), "load"))
		goto out;
	ext->bss->user_base = (__u64)bpf_map__initial_value(ext->maps.arena, &size);
	if (!ASSERT_OK(arena_context_ext__attach(ext), "attach"))
		goto out;
	expect_pages(ext->bss->tally, IN_FREPLACE, 3, run_ext_target);
out:
	arena_context_ext__destroy(ext);
}

static bool stop_busy;

static void *busy_thread(void *arg)
{
	cpu_set_t second;

	CPU_ZERO(&second);
	CPU_SET(1, &second);
	sched_setaffinity(0, sizeof(second), &second);
	while (!READ_ONCE(stop_busy)) {
		test_run(skel->progs.busy_sleepable);
		test_run(skel->progs.busy_atomic);
		sched_yield();
	}
	return NULL;
}

/* Takes every path: allocations of all kinds, faults, unmapping, page frees in bulk. */
static void busy_round(void)
{
	size_t size = 1 << 20;
	__u64 i;
	char *mem;

	test_run(skel->progs.busy_sleepable);
	test_run(skel->progs.busy_atomic);
	/* Not to be written to: a program may just have one of these pages. */
	for (i = 16; i < 24; i++)
		READ_ONCE(*(char *)(skel->bss->user_base + i * arena_page_size()));
	test_run(skel->progs.count_pages);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	munmap(mem, size);
	close(arena_create_raw(BPF_F_MMAPABLE, 16, 0));
	usleep(100);
}

static struct path {
	const char *name;
	enum arena_where where;
	bool sure;	/* a busy arena comes along here */
	struct bpf_program *prog;
} paths[] = {
	{ "mm_page_alloc", ON_PAGE_ALLOC, true },
	{ "mm_page_alloc_zone_locked", ON_PAGE_ALLOC_LOCKED },
	{ "mm_page_free", ON_PAGE_FREE, true },
	{ "mm_page_pcpu_drain", ON_PAGE_DRAIN },
	{ "get_page_from_freelist", ON_ALLOC_PATH, true },
	{ "unmap_mapping_pages", ON_UNMAP, true },
	{ "queue_work_on", ON_QUEUE_WORK, true },
	{ "workqueue_queue_work", ON_QUEUE_WORK_LOCKED, true },
	{ "irq_work_entry", ON_IRQ_WORK },
	{ "tlb_flush", ON_TLB_FLUSH, true },
	{ "flush_tlb_kernel_range", ON_KERNEL_TLB_FLUSH },
	{ "sched_switch", ON_SWITCH, true },
	{ "contention_begin", ON_CONTENTION },
	{ "rss_stat", ON_RSS, true },
};

static void find_paths(void)
{
	struct bpf_program *prog[] = {
		skel->progs.on_page_alloc,
		skel->progs.on_page_alloc_locked,
		skel->progs.on_page_free,
		skel->progs.on_page_drain,
		skel->progs.on_alloc_path,
		skel->progs.on_unmap,
		skel->progs.on_queue_work,
		skel->progs.on_queue_work_locked,
		skel->progs.on_irq_work,
		skel->progs.on_tlb_flush,
		skel->progs.on_kernel_tlb_flush,
		skel->progs.on_switch,
		skel->progs.on_contention,
		skel->progs.on_rss,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(paths); i++)
		paths[i].prog = prog[i];
}

static void busy_for(__u64 ms)
{
	__u64 end = arena_now_ms() + ms;

	do
		busy_round();
	while (arena_now_ms() < end);
}

static void check_path(const struct path *path)
{
	const struct arena_tally *t = &skel->bss->tally[path->where];

	if (path->sure)
		ASSERT_GT(t->runs, 0, path->name);
	ASSERT_EQ(t->bad, 0, path->name);
}

static void on_each_path(void)
{
	struct bpf_link *link;
	int i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		link = bpf_program__attach(paths[i].prog);
		if (!ASSERT_OK_PTR(link, paths[i].name))
			continue;
		busy_for(200);
		bpf_link__destroy(link);
		check_path(&paths[i]);
	}
	expect_empty_arena();
}

static void on_all_paths(void)
{
	struct bpf_link *link[ARRAY_SIZE(paths)];
	int i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		link[i] = bpf_program__attach(paths[i].prog);
		ASSERT_OK_PTR(link[i], paths[i].name);
	}
	busy_for(1000);
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		bpf_link__destroy(link[i]);
		check_path(&paths[i]);
	}
	expect_empty_arena();
}

static void with_busy_thread(void (*test)(void))
{
	pthread_t thread;

	find_paths();
	stop_busy = false;
	if (!ASSERT_OK(pthread_create(&thread, NULL, busy_thread, NULL), "thread"))
		return;
	test();
	WRITE_ONCE(stop_busy, true);
	pthread_join(thread, NULL);
	expect_empty_arena();
}

/* Attached to what the whole machine does: not beside other tests. */
void serial_test_arena_context(void)
{
	static const struct {
		const char *name;
		void (*test)(void);
	} contexts[] = {
		{ "syscall", in_syscall },
		{ "loop_callback", in_loop },
		{ "timer_callback", in_timer },
		{ "xdp", in_xdp },
		{ "tc", in_tc },
		{ "socket_filter", in_socket },
		{ "cgroup", in_cgroups },
		{ "kprobe", in_kprobes },
		{ "fentry", in_fentry },
		{ "fentry_sleepable", in_fentry_sleepable },
		{ "tracepoint", in_tracepoints },
		{ "interrupt", in_ipi },
		{ "perf_event", in_perf_event },
		{ "nmi", in_nmi },
		{ "lsm", in_lsm },
		{ "lsm_sleepable", in_lsm_sleepable },
		{ "iterator", in_iter },
		{ "struct_ops", in_struct_ops },
		{ "freplace", in_freplace },
	};
	size_t size;
	int i;

	skel = arena_context__open_and_load();
	if (!ASSERT_OK_PTR(skel, "open and load"))
		return;
	skel->bss->user_base = (__u64)bpf_map__initial_value(skel->maps.arena, &size);
	skel->bss->test_pid = getpid();

	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		if (!test__start_subtest(contexts[i].name))
			continue;
		contexts[i].test();
		expect_empty_arena();
	}
	if (test__start_subtest("own_paths"))
		with_busy_thread(on_each_path);
	if (test__start_subtest("own_paths_together"))
		with_busy_thread(on_all_paths);
	arena_context__destroy(skel);
}
