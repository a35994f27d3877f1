// SPDX-License-Identifier: GPL-2.0
/*
 * The paths that were opened last, and how often, in a cache that BPF programs keep in
 * an arena of their own. This program limits the arena, and reads what is in it.
 */
#include <err.h>
#include <getopt.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "arena_picture.h"
#include "arena_run.h"
#include "arena_text.h"
#include "arena_heap.h"
#include "arena_heap.skel.h"

#define KIB_PER_PAGE	(PAGE_SIZE / 1024)
#define MIN_KIB		64
#define MAX_KIB		1048576
#define MAX_COUNT	1000000

static struct {
	char **argv;
	double interval;	/* seconds, or 0: one report at the end */
	unsigned long count;	/* of reports, or 0 */
	unsigned long rows;
	unsigned long kib;
	bool json;
} opts = { .rows = 10, .kib = 1024 };

static struct arena_heap_bpf *skel;
static struct cache *cache;
static int signals;		/* readable after Ctrl-C */
static bool interrupted;

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: arena-heap [OPTION]... [[--] COMMAND [ARG]...]\n"
		"\n"
		"Shows the files that were opened last, and how often, while COMMAND runs, or until\n"
		"Ctrl-C: by all processes of the system, whatever namespaces (containers) they are\n"
		"in, each path as its process sees it. BPF programs keep them in a BPF arena, and\n"
		"forget the one that was opened longest ago when it is full.\n"
		"\n"
		"  -l, --limit KIB      how large the arena may become, 64 to 1048576 (1024)\n"
		"  -i, --interval SECS  report each so many seconds; without it, once at the end\n"
		"                       (but 2 if there is no COMMAND)\n"
		"  -c, --count N        end after N reports\n"
		"  -n, --rows N         print at most N paths, up to 256 (10)\n"
		"  -j, --json           a JSON object per report, each on a line\n"
		"  -h, --help           this\n"
		"\n"
		"Exit status: COMMAND's, or 1 if something failed, 2 for wrong options, 3 if the\n"
		"kernel has no arena, 4 if a capability is missing.\n");
}

static bool parse_option(int opt)
{
	switch (opt) {
	case 'c':
		return arena_tool_number(optarg, 1, MAX_COUNT, &opts.count);
	case 'h':
		usage(stdout);
		exit(arena_tool_end(TOOL_OK));
	case 'i':
		return run_seconds(optarg, &opts.interval);
	case 'j':
		opts.json = true;
		return true;
	case 'l':
		return arena_tool_number(optarg, MIN_KIB, MAX_KIB, &opts.kib);
	case 'n':
		return arena_tool_number(optarg, 0, MAX_ROWS, &opts.rows);
	default:
		usage(stderr);
		return false;
	}
}

static bool parse_options(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "count", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "interval", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "limit", required_argument, NULL, 'l' },
		{ "rows", required_argument, NULL, 'n' },
		{}
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "+c:hi:jl:n:", longopts, NULL)) != -1)
		if (!parse_option(opt))
			return false;
	opts.argv = argv[optind] ? argv + optind : NULL;
	if (!opts.interval && (!opts.argv || opts.count))
		opts.interval = 2;
	return true;
}

/* --- reports */

/*
 * While a program runs on this CPU for one task, it does not for another one: such
 * opens are missed, and the kernel counts them.
 */
static __u64 missed(void)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	bpf_obj_get_info_by_fd(bpf_program__fd(skel->progs.opened), &info, &size);
	return cache->dropped + info.recursion_misses;
}

/* As the kernel sees it. Mainline's does not tell: what the programs have, then. */
static long used_kib(void)
{
	long pages = picture_pages(bpf_map__fd(skel->maps.arena));

	if (pages < 0)
		pages = cache->heap.pages + (sizeof(*cache) + PAGE_SIZE - 1) / PAGE_SIZE;
	return pages * KIB_PER_PAGE;
}

/* Returns false if there was no lock to be had. */
static bool hold_rows(void)
{
	struct hold_args args = { .rows = opts.rows };

	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &args, .ctx_size_in = sizeof(args));
	if (!bpf_prog_test_run_opts(bpf_program__fd(skel->progs.hold), &run) && !run.retval)
		return true;
	warnx("the programs are too busy to be asked: no rows");
	return false;
}

/* Who frees an entry looks at this under the lock, and once it is 0 nobody else does. */
static void release_rows(void)
{
	for (__u32 i = 0; i < cache->nr_rows; i++)
		WRITE_ONCE(cache->row[i]->held, 0);
	cache->nr_rows = 0;
}

static __u64 boot_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void print_report(void)
{
	printf("opens:  %llu of paths that were kept, %llu of others, %llu missed\n",
	       cache->found, cache->added, missed());
	printf("memory: %llu allocated, %llu freed: %llu kept, in %ld of at most %lu KiB\n",
	       cache->added, cache->evicted, cache->entries, used_kib(), opts.kib);
	picture_print(bpf_map__fd(skel->maps.arena));

	printf("%8s %8s %-15s %s\n", "OPENED", "AGO(s)", "BY",
	       "PATH (all processes of the system, as each sees it)");
	for (__u32 i = 0; i < cache->nr_rows; i++) {
		const struct entry *entry = cache->row[i];
		char comm[17] = {}, path[sizeof(__u64) * PATH_WORDS + 1] = {};

		memcpy(comm, entry->comm, 16);
		memcpy(path, entry->path, entry->len);
		printf("%8llu %8.1f %-15s %s\n", entry->count,
		       (boot_clock() - entry->last) / 1e9, text_printable(comm),
		       text_printable(path));
	}
	if (opts.interval)
		putchar('\n');
}

static void json_path(json_writer_t *json, const struct entry *entry)
{
	char comm[17] = {};

	memcpy(comm, entry->comm, 16);
	jsonw_start_object(json);
	json_text_field(json, "path", (const char *)entry->path);
	jsonw_lluint_field(json, "opened", entry->count);
	jsonw_lluint_field(json, "ago_ns", boot_clock() - entry->last);
	json_text_field(json, "comm", comm);
	jsonw_end_object(json);
}

static void json_report(void)
{
	json_writer_t *json = json_begin();

	jsonw_lluint_field(json, "found", cache->found);
	jsonw_lluint_field(json, "added", cache->added);
	jsonw_lluint_field(json, "evicted", cache->evicted);
	jsonw_lluint_field(json, "missed", missed());
	jsonw_lluint_field(json, "entries", cache->entries);
	jsonw_int_field(json, "kib", used_kib());
	jsonw_lluint_field(json, "limit_kib", opts.kib);
	jsonw_name(json, "paths");
	jsonw_start_array(json);
	for (__u32 i = 0; i < cache->nr_rows; i++)
		json_path(json, cache->row[i]);
	jsonw_end_array(json);
	json_end(json);
}

static bool report(void)
{
	bool ok = hold_rows();

	if (opts.json)
		json_report();
	else
		print_report();
	release_rows();
	return !fflush(stdout) && !ferror(stdout) && ok;
}

/* --- watching */

static bool watch(int ended)
{
	unsigned long reports = 0;
	enum run_event event;
	bool ok;

	do {
		__u64 until = opts.interval ? run_clock() + opts.interval * 1e9 : 0;

		event = run_sleep(until, signals, ended, -1);
		ok = report();
	} while (ok && event == RUN_TIME && ++reports != opts.count);
	interrupted = event == RUN_INTERRUPTED;
	return ok;
}

/* Returns an exit status. */
static int watch_command(void)
{
	pid_t command = run_start(opts.argv);
	int ended, status;
	bool ok = false;

	if (command < 0)
		return TOOL_FAILED;
	ended = run_fd(command);
	if (ended >= 0) {
		run_go();
		ok = watch(ended);
	}
	status = run_end(command);
	if (interrupted || !status)
		return !ok;
	warnx("the command ended with status %d", status);
	return status;
}

/* Where programs at functions get no memory, all is there before they need it. */
static bool provide_memory(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.provide), &run)) {
		warn("cannot run a BPF program");
		return false;
	}
	if (run.retval)
		warnx("no memory for tracing before Linux 7.0: took all %ld KiB at the start",
		      used_kib());
	return true;
}

static bool load_programs(void)
{
	int err;

	skel = arena_heap_bpf__open();
	if (!skel) {
		warn("cannot open the BPF programs");
		return false;
	}
	/* The arena is no larger than allowed, and so nothing in it is. */
	bpf_map__set_max_entries(skel->maps.arena, opts.kib / KIB_PER_PAGE);
	bpf_map__set_map_extra(skel->maps.arena, HEAP_ADDR);
	err = arena_heap_bpf__load(skel);
	if (err) {
		warnx("cannot load the BPF programs: %s", strerror(-err));
		return false;
	}
	cache = &skel->arena->cache;
	arena_htab_init(&cache->index, &cache->heap);
	if (!provide_memory())
		return false;
	err = arena_heap_bpf__attach(skel);
	if (err) {
		warnx("cannot attach to security_file_open(): %s", strerror(-err));
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
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
	if (!load_programs())
		status = TOOL_FAILED;
	else
		status = opts.argv ? watch_command() : !watch(-1);
	arena_heap_bpf__destroy(skel);
	return arena_tool_end(status);
}
