// SPDX-License-Identifier: GPL-2.0
/*
 * The system calls that processes make, and how long they take: BPF programs build a
 * hash table of them in an arena, and this program sorts what is in it into a red-black
 * tree and walks that, pointer by pointer, with no system call and no copy.
 */
#include <err.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "arena_run.h"
#include "arena_strace.h"
#include "arena_text.h"
#include "arena_top.h"
#include "arena_top.skel.h"

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
#define PID_MAX		4194304
#define MAX_ROWS	65536
#define ALL_ROWS	1000000
#define INIT_PID_NS	0xeffffffcU	/* PROC_PID_INIT_INO */

/* Several processes that do something with real files. */
static const char workload[] =
	"dir=$(mktemp -d /tmp/arena-top.XXXXXX) || exit\n"
	"trap 'rm -rf \"$dir\"' EXIT\n"
	"cd \"$dir\" || exit\n"
	"find /sys/module /proc/sys -type f 2>/dev/null | sort >files\n"
	"dd if=/dev/zero of=zeros bs=4k count=256 2>/dev/null &\n"
	"wc -l files >lines &\n"
	"head -n 20 files | while read -r file; do echo \"$file\"; done >copy\n"
	"wait\n"
	"grep -c arena files >found\n"
	"find /proc/sys/kernel -type f 2>/dev/null | xargs cat >sysctls 2>/dev/null\n"
	"gzip -c zeros >zeros.gz && gzip -dc zeros.gz | cmp - zeros || exit\n"
	"sha256sum files zeros >sums && sha256sum -c sums >/dev/null\n";

static char *workload_argv[] = { "sh", "-c", (char *)workload, NULL };

static const char * const sort_names[] = {
	[SORT_TIME] = "time",
	[SORT_CALLS] = "calls",
	[SORT_MAX] = "max",
};

#define PAGES(bytes)	(((bytes) + PAGE_SIZE - 1) / PAGE_SIZE)

static struct {
	char **argv;
	pid_t pid;
	double interval;	/* seconds, or 0: one table at the end */
	unsigned long count;	/* of tables, or 0 */
	unsigned long rows;
	unsigned long max_rows;
	enum sort sort;
	bool histogram;
	bool check;
	bool json;
} opts = { .max_rows = 4096 };

/* What a walk through the tree adds up. */
struct totals {
	__u64 calls;
	__u64 ns;
	__u64 rows;
	__u64 by_nr[NR_SYSCALLS];
};

static struct arena_top_bpf *skel;
static struct top *top;
static pid_t command;
static bool keys;		/* of a terminal are ours */
static struct termios cooked;
static __u64 begin;		/* of the interval, ns */
static int signals;		/* readable after Ctrl-C */
static bool interrupted;

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: arena-top [OPTION]... [-p PID | [--] COMMAND [ARG]...]\n"
		"\n"
		"Counts and times the system calls of COMMAND, or of the process PID, and of all\n"
		"processes they start, or of the whole system, in a BPF arena. In a PID namespace\n"
		"(a container) those of this namespace are counted, by their numbers in it.\n"
		"\n"
		"  -p, --pid PID        watch this process until it ends\n"
		"  -i, --interval SECS  print what happened in each so many seconds; without it,\n"
		"                       one table at the end (but 2 for the whole system)\n"
		"  -c, --count N        end after N tables\n"
		"  -n, --rows N         print at most N rows (20, JSON: all)\n"
		"  -s, --sort KEY       by time, calls or max, the greatest first (time)\n"
		"  -H, --histogram      under each row, how many calls took how long\n"
		"  -j, --json           a JSON object per table, each on a line\n"
		"  -l, --limit N        keep at most N rows in memory; what comes then is counted\n"
		"                       for all further processes together (4096)\n"
		"      --check          have 'strace -f -c' count the same calls, and compare;\n"
		"                       COMMAND is a workload of its own if not given\n"
		"  -h, --help           this\n"
		"\n"
		"On a terminal: t, c, m sort by time, calls, max; h the histograms; q quits.\n"
		"\n"
		"Exit status: COMMAND's, or 1 if the counts do not agree or something failed,\n"
		"2 for wrong options, 3 if the kernel has no arena, 4 if a capability is missing.\n");
}

static bool parse_sort(const char *text)
{
	for (int i = 0; i < (int)ARRAY_SIZE(sort_names); i++) {
		if (!strcmp(text, sort_names[i])) {
			opts.sort = i;
			return true;
		}
	}
	warnx("'%s' is none of time, calls, max", text);
	return false;
}

static bool parse_option(int opt)
{
	unsigned long number;

	switch (opt) {
	case 'C':
		opts.check = true;
		return true;
	case 'c':
		return arena_tool_number(optarg, 1, ALL_ROWS, &opts.count);
	case 'H':
		opts.histogram = true;
		return true;
	case 'h':
		usage(stdout);
		exit(arena_tool_end(TOOL_OK));
	case 'i':
		return run_seconds(optarg, &opts.interval);
	case 'j':
		opts.json = true;
		return true;
	case 'l':
		return arena_tool_number(optarg, 1, MAX_ROWS, &opts.max_rows);
	case 'n':
		return arena_tool_number(optarg, 1, ALL_ROWS, &opts.rows);
	case 'p':
		if (!arena_tool_number(optarg, 1, PID_MAX, &number))
			return false;
		opts.pid = number;
		return true;
	case 's':
		return parse_sort(optarg);
	default:
		usage(stderr);
		return false;
	}
}

static bool parse_options(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "check", no_argument, NULL, 'C' },
		{ "count", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "histogram", no_argument, NULL, 'H' },
		{ "interval", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "limit", required_argument, NULL, 'l' },
		{ "pid", required_argument, NULL, 'p' },
		{ "rows", required_argument, NULL, 'n' },
		{ "sort", required_argument, NULL, 's' },
		{}
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "+c:Hhi:jl:n:p:s:", longopts, NULL)) != -1)
		if (!parse_option(opt))
			return false;

	opts.argv = argv + optind;
	if (opts.pid && *opts.argv) {
		warnx("either -p or a command, not both");
		return false;
	}
	if (opts.check && (opts.pid || opts.interval || opts.count)) {
		warnx("--check counts a command from its begin to its end: without -p, -i, -c");
		return false;
	}
	if (opts.check && !*opts.argv)
		opts.argv = workload_argv;
	if (!*opts.argv)
		opts.argv = NULL;
	if (!opts.interval && ((!opts.argv && !opts.pid) || opts.count))
		opts.interval = 2;
	if (!opts.rows)
		opts.rows = opts.json ? ALL_ROWS : 20;
	return true;
}

/* --- the tables */

static void empty_table(struct table *table)
{
	memset(table->rows, 0, sizeof(table->rows));
	table->order = (struct arena_rb_root){};
	arena_init_list_head(&table->others);
	for (struct call_page *page = table->first; page; page = page->next) {
		memset(page->call, 0, page->used * sizeof(page->call[0]));
		page->used = 0;
	}
	table->page = table->first;
	table->nr_rows = 0;
}

/*
 * A program that holds the lock may still write to the old table, and a later one
 * will not. It runs, on a CPU of its own, and for a short time: this is no lock.
 */
static void wait_for_programs(void)
{
	__sync_synchronize();
	while (arena_spin_holder(&top->lock))
		;
}

/* Returns the table that was written to till now. */
static struct table *flip(void)
{
	struct table *table = &top->table[top->now];

	WRITE_ONCE(top->now, !top->now);
	wait_for_programs();
	return table;
}

static __u64 rank(const struct call *call)
{
	switch (opts.sort) {
	case SORT_CALLS:
		return call->calls;
	case SORT_MAX:
		return call->max;
	default:
		return call->ns;
	}
}

static int before(struct arena_rb_node *a, const struct arena_rb_node *b)
{
	return rank(to_call(a)) > rank(to_call(b));
}

/* The rows go into a tree where they are. */
static void sort_table(struct table *table)
{
	struct call *call;

	for (int i = 0; i < TABLE_SIZE; i++)
		arena_hlist_for_each_entry(call, &table->rows[i], hash)
			if (CALL_PID(call) != OTHERS)
				arena_rb_add(&call->order, &table->order, before);
}

static struct call *first_call(const struct table *table)
{
	struct arena_rb_node *node = arena_rb_first(&table->order);

	return node ? to_call(node) : NULL;
}

static struct call *next_call(const struct call *call)
{
	struct arena_rb_node *node = arena_rb_next(&call->order);

	return node ? to_call(node) : NULL;
}

static void add_call(struct totals *totals, const struct call *call)
{
	totals->calls += call->calls;
	totals->ns += call->ns;
	if (CALL_NR(call) < NR_SYSCALLS)
		totals->by_nr[CALL_NR(call)] += call->calls;
}

static void add_table(struct totals *totals, struct table *table)
{
	struct call *call;

	for (call = first_call(table); call; call = next_call(call)) {
		totals->rows++;
		add_call(totals, call);
	}
	arena_list_for_each_entry(call, &table->others, other)
		add_call(totals, call);
}

/* --- text */

static const char *call_name(const struct call *call, char *text, size_t size)
{
	__u32 nr = CALL_NR(call);
	const char *name = syscall_name(nr);

	if (name)
		return name;
	if (nr == NR_INVALID)
		return "(invalid)";
	if (nr >= NR_COMPAT)
		snprintf(text, size, "ia32_%u", nr - NR_COMPAT);
	else
		snprintf(text, size, "syscall_%u", nr);
	return text;
}

static const char *time_text(__u64 ns, char *text, size_t size)
{
	static const char * const units[] = { "ns", "us", "ms", "s" };
	double value = ns;
	int unit = 0;

	while (value >= 1000 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(text, size, "%.*f %s", unit && value < 100, value, units[unit]);
	return text;
}

/* A bar for each power of two from the fastest call to the slowest one. */
static void print_histogram(const struct call *call)
{
	static const char bar[] = "****************************************";
	int first = HIST_SLOTS, last = -1;
	__u64 most = 1;
	char text[16];

	for (int i = 0; i < HIST_SLOTS; i++) {
		if (!call->slot[i])
			continue;
		first = first < i ? first : i;
		last = i;
		most = most > call->slot[i] ? most : call->slot[i];
	}
	for (int i = first; i <= last; i++) {
		const char *below = i < HIST_SLOTS - 1 ?
			time_text(HIST_BELOW(i), text, sizeof(text)) : "more";

		printf("%26s %8s %8llu |%-40.*s|\n", i < HIST_SLOTS - 1 ? "below" : "",
		       below, call->slot[i],
		       (int)((call->slot[i] * 40 + most - 1) / most), bar);
	}
}

static void print_call(const struct call *call)
{
	char text[24], comm[17] = {};

	memcpy(comm, call->comm, 16);
	printf("%-15s %7u %-18s %8llu %12.1f %9.1f %11.1f\n",
	       text_printable(comm), CALL_PID(call),
	       call_name(call, text, sizeof(text)), call->calls, call->ns / 1e3,
	       call->ns / 1e3 / call->calls, call->max / 1e3);
	if (opts.histogram)
		print_histogram(call);
}

static void print_rows(const struct table *table, const struct totals *totals)
{
	unsigned long rows = 0;
	const struct call *call;
	__u64 calls = 0;

	printf("%-15s %7s %-18s %8s %12s %9s %11s\n", "PROCESS", "PID", "SYSCALL",
	       "CALLS", "TOTAL(us)", "AVG(us)", "MAX(us)");
	for (call = first_call(table); call && rows < opts.rows; call = next_call(call)) {
		print_call(call);
		calls += call->calls;
		rows++;
	}
	if (totals->calls > calls)
		printf("... and %llu rows more%s with %llu calls\n", totals->rows - rows,
		       arena_list_empty(&table->others) ? "" : ", and further processes,",
		       totals->calls - calls);
}

/* In a live view there is no more than this. */
static void print_head(const struct totals *totals, double seconds)
{
	if (keys)
		printf("\033[H\033[J");
	printf("%.1f s: %llu system calls (%.0f/s) in %llu rows by %s, %llu dropped%s\n",
	       seconds, totals->calls, totals->calls / seconds, totals->rows,
	       sort_names[opts.sort], top->dropped,
	       keys ? "; keys: t c m h q" : "");
}

static void print_foot(const struct table *table, const struct totals *totals)
{
	printf("\n%llu system calls in %llu rows, %.1f ms\n", totals->calls,
	       totals->rows, totals->ns / 1e6);
	printf("the arena is at %p, for BPF as well, and has %llu pages\n", skel->arena,
	       PAGES(sizeof(*skel->arena)) + top->pages);
	printf("calls of bpf(2) by this process since the programs were attached: %llu\n",
	       top->bpf_calls);
}

static void print_table(const struct table *table, const struct totals *totals,
			double seconds)
{
	if (opts.interval)
		print_head(totals, seconds);
	print_rows(table, totals);
	if (opts.interval)
		printf("\n");
	else
		print_foot(table, totals);
}

/* --- JSON */

static void json_histogram(json_writer_t *json, const struct call *call)
{
	jsonw_name(json, "histogram");
	jsonw_start_array(json);
	for (int i = 0; i < HIST_SLOTS; i++) {
		if (!call->slot[i])
			continue;
		jsonw_start_object(json);
		if (i < HIST_SLOTS - 1)
			jsonw_lluint_field(json, "below_ns", HIST_BELOW(i));
		jsonw_lluint_field(json, "calls", call->slot[i]);
		jsonw_end_object(json);
	}
	jsonw_end_array(json);
}

static void json_call(json_writer_t *json, const struct call *call)
{
	char text[24], comm[17] = {};

	jsonw_start_object(json);
	if (CALL_PID(call) != OTHERS) {
		memcpy(comm, call->comm, 16);
		json_text_field(json, "comm", comm);
		jsonw_uint_field(json, "pid", CALL_PID(call));
	}
	jsonw_string_field(json, "syscall", call_name(call, text, sizeof(text)));
	jsonw_lluint_field(json, "calls", call->calls);
	jsonw_lluint_field(json, "total_ns", call->ns);
	jsonw_lluint_field(json, "max_ns", call->max);
	if (opts.histogram)
		json_histogram(json, call);
	jsonw_end_object(json);
}

static void json_table(struct table *table, const struct totals *totals, double seconds)
{
	json_writer_t *json = json_begin();
	unsigned long rows = 0;
	struct call *call;

	jsonw_lluint_field(json, "interval_ns", seconds * 1e9);
	jsonw_string_field(json, "sort", sort_names[opts.sort]);
	jsonw_lluint_field(json, "calls", totals->calls);
	jsonw_lluint_field(json, "total_ns", totals->ns);
	jsonw_lluint_field(json, "nr_rows", totals->rows);
	jsonw_lluint_field(json, "pages", PAGES(sizeof(*skel->arena)) + top->pages);
	jsonw_lluint_field(json, "dropped", top->dropped);
	jsonw_lluint_field(json, "bpf_calls", top->bpf_calls);

	jsonw_name(json, "rows");
	jsonw_start_array(json);
	for (call = first_call(table); call && rows++ < opts.rows; call = next_call(call))
		json_call(json, call);
	jsonw_end_array(json);

	jsonw_name(json, "others");
	jsonw_start_array(json);
	arena_list_for_each_entry(call, &table->others, other)
		json_call(json, call);
	jsonw_end_array(json);
	json_end(json);
}

/* --- watching */

/* Shows what was counted since the last time, or since the beginning. */
static bool show(struct totals *totals)
{
	struct table *table = flip();
	__u64 end = run_clock();
	double seconds = (end - begin) / 1e9;

	begin = end;
	sort_table(table);
	add_table(totals, table);
	if (opts.json)
		json_table(table, totals, seconds);
	else
		print_table(table, totals, seconds);
	empty_table(table);
	return !fflush(stdout) && !ferror(stdout);
}

static void raw_keys(void)
{
	struct termios raw;

	/* A command has the terminal to itself. */
	keys = !opts.argv && !opts.json && opts.interval && isatty(0) && isatty(1) &&
	       !tcgetattr(0, &cooked);
	if (!keys)
		return;
	raw = cooked;
	raw.c_lflag &= ~(ICANON | ECHO);
	tcsetattr(0, TCSANOW, &raw);
}

/* Returns false for the key that ends. */
static bool read_key(void)
{
	char key;

	if (read(0, &key, 1) != 1)
		return false;
	switch (key) {
	case 't':
		opts.sort = SORT_TIME;
		break;
	case 'c':
		opts.sort = SORT_CALLS;
		break;
	case 'm':
		opts.sort = SORT_MAX;
		break;
	case 'h':
		opts.histogram = !opts.histogram;
		break;
	case 'q':
		return false;
	}
	return true;
}

/* Returns false if it was the last interval. */
static bool wait_interval(int ended)
{
	for (;;) {
		__u64 until = opts.interval ? begin + opts.interval * 1e9 : 0;

		switch (run_sleep(until, signals, ended, keys ? STDIN_FILENO : -1)) {
		case RUN_TIME:
			return true;
		case RUN_KEY:
			if (read_key())
				break;
			return false;
		case RUN_INTERRUPTED:
			interrupted = true;
			return false;
		case RUN_ENDED:
			return false;
		}
	}
}

/* Until the process ends, for which there is an fd or -1. */
static bool watch(int ended, struct totals *totals)
{
	unsigned long shown = 0;
	bool ok = true, more = true;

	begin = run_clock();
	while (more && ok) {
		more = wait_interval(ended);
		*totals = (struct totals){};
		ok = show(totals);
		if (++shown == opts.count)
			break;
	}
	return ok;
}

static bool compare(const __u64 *ours, const __u64 *strace)
{
	__u64 calls = 0, names = 0;
	bool agree = true;

	for (unsigned int nr = 0; nr < NR_SYSCALLS; nr++) {
		if (ours[nr] != strace[nr]) {
			printf("differs from strace -c: %s: %llu here, %llu there\n",
			       syscall_name(nr) ?: "?", ours[nr], strace[nr]);
			agree = false;
		}
		calls += strace[nr];
		names += !!strace[nr];
	}
	if (agree && !opts.json)
		printf("agrees with strace -c: %llu system calls, %llu names\n",
		       calls, names);
	return agree && calls;
}

/* What would make a comparison meaningless, or the tool's own promise wrong. */
static bool complete(void)
{
	if (top->bpf_calls) {
		warnx("bpf(2) was called while it watched");
		return false;
	}
	if (top->dropped) {
		warnx("%llu calls dropped: no memory or no lock in time", top->dropped);
		return false;
	}
	return true;
}

static bool watch_with_strace(int ended, struct totals *totals)
{
	__u64 strace[NR_SYSCALLS] = {};
	FILE *said;
	bool ok;

	said = strace_start(command);
	if (!said)
		return false;
	WRITE_ONCE(top->target, command);
	begin = run_clock();
	run_go();
	wait_interval(ended);
	if (interrupted)
		kill(command, SIGTERM);
	/* It ends after all that the command has started. */
	ok = strace_read(said, strace);
	fclose(said);
	return show(totals) && ok && complete() &&
	       (interrupted || compare(totals->by_nr, strace));
}

/* Returns an exit status. */
static int watch_command(struct totals *totals)
{
	int ended, status;
	bool ok = false;

	command = run_start(opts.argv);
	if (command < 0)
		return TOOL_FAILED;
	ended = run_fd(command);
	if (ended < 0) {
		kill(command, SIGKILL);
	} else if (opts.check) {
		ok = watch_with_strace(ended, totals);
	} else {
		WRITE_ONCE(top->target, command);
		run_go();
		ok = watch(ended, totals);
	}
	status = run_end(command);
	if (interrupted || !status)
		return !ok;
	warnx("the command ended with status %d", status);
	return status;
}

static int watch_running(struct totals *totals)
{
	int ended = -1;

	if (opts.pid) {
		ended = run_fd(opts.pid);
		if (ended < 0)
			return TOOL_FAILED;
		if (top->ns_ino && run_is_below(ended)) {
			warnx("process %d is in a PID namespace below this one: watch it there",
			      opts.pid);
			return TOOL_FAILED;
		}
	}
	WRITE_ONCE(top->target, opts.pid);
	WRITE_ONCE(top->everybody, !opts.pid);
	return !watch(ended, totals);
}

/* What a process's number means depends on who asks. */
static bool find_namespace(void)
{
	struct stat ns;

	if (stat("/proc/self/ns/pid", &ns)) {
		warn("/proc/self/ns/pid");
		return false;
	}
	if (ns.st_ino != INIT_PID_NS) {
		top->ns_dev = (__u64)major(ns.st_dev) << 20 | minor(ns.st_dev);
		top->ns_ino = ns.st_ino;
	}
	return true;
}

/* Where tracepoints get no memory, all is there before they need it. */
static bool provide_rows(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.provide), &run) || run.retval) {
		warnx("no memory for %lu rows", opts.max_rows);
		return false;
	}
	if (top->pages)
		warnx("no memory for tracepoints before Linux 7.0: took %llu KiB at the start",
		      top->pages * PAGE_SIZE / 1024);
	return true;
}

static bool load_programs(void)
{
	int err;

	skel = arena_top_bpf__open_and_load();
	if (!skel) {
		warn("cannot load the BPF programs");
		return false;
	}
	top = &skel->arena->top;
	if (!find_namespace())
		return false;
	top->self = getpid();
	top->nr_bpf = SYS_bpf;
	top->max_rows = opts.max_rows;
	if (!provide_rows())
		return false;
	empty_table(&top->table[0]);
	empty_table(&top->table[1]);
	err = arena_top_bpf__attach(skel);
	if (err) {
		warnx("cannot attach to the tracepoints: %s", strerror(-err));
		return false;
	}
	/* From here on this process makes no call of bpf(2). */
	top->bpf_calls = 0;
	return true;
}

int main(int argc, char **argv)
{
	struct totals totals = {};
	int status;

	setlocale(LC_CTYPE, "");
	if (!parse_options(argc, argv))
		return TOOL_USAGE;
	status = arena_tool_check(0);
	if (status)
		return status;
	signals = arena_tool_signals();
	if (signals < 0)
		return TOOL_FAILED;
	if (load_programs()) {
		raw_keys();
		status = opts.argv ? watch_command(&totals) : watch_running(&totals);
		if (keys)
			tcsetattr(0, TCSANOW, &cooked);
	} else {
		status = TOOL_FAILED;
	}
	arena_top_bpf__destroy(skel);
	return arena_tool_end(status);
}
