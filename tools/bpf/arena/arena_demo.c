// SPDX-License-Identifier: GPL-2.0
/*
 * Watches the system calls of a command: a BPF program builds a hash table and
 * a red-black tree of them in an arena, and this program walks both pointer by
 * pointer, with no system call.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "arena_demo.h"
#include "arena_demo.skel.h"

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
#define PID_MAX		4194304

static const char * const syscall_names[] = {
#include "syscall_names.h"
};

#define NR_SYSCALLS	ARRAY_SIZE(syscall_names)

/* Several processes that do something with real files. */
static const char workload[] =
	"dir=$(mktemp -d /tmp/arena-demo.XXXXXX) || exit\n"
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

struct options {
	unsigned long rows;
	pid_t pid;
	bool check;
	char **argv;
};

/* What a walk through the tree adds up. */
struct totals {
	__u64 calls;
	__u64 ns;
	__u64 rows;
	__u64 by_nr[NR_SYSCALLS];
};

/* What the command waits for: in memory, so that it makes no system call. */
struct gate {
	int waiting;
	int open;
};

static int interrupted;
static pid_t command;

static void on_signal(int sig)
{
	WRITE_ONCE(interrupted, 1);
	if (command > 0)
		kill(command, SIGTERM);
}

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: arena-demo [-h] [-n ROWS] [-c] [-p PID | [--] COMMAND [ARG]...]\n"
		"\n"
		"Counts and times the system calls of COMMAND and of all processes it starts,\n"
		"in a BPF arena, and prints those that took the most time.\n"
		"Without a COMMAND: a workload of its own, and -c.\n"
		"\n"
		"  -c, --check      have 'strace -f -c' count the same calls, and compare\n"
		"  -n, --rows ROWS  print so many rows (20)\n"
		"  -p, --pid PID    watch this process until it ends, or until Ctrl-C\n"
		"  -h, --help       this\n"
		"\n"
		"Exit status: COMMAND's, or 1 if the counts do not agree or something failed.\n");
}

static bool parse_number(const char *text, unsigned long min, unsigned long max,
			 unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' ||
	    *number < min || *number > max) {
		warnx("'%s' is not a number from %lu to %lu", text, min, max);
		return false;
	}
	return true;
}

static bool parse_options(int argc, char **argv, struct options *opts)
{
	static const struct option longopts[] = {
		{ "check", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "pid", required_argument, NULL, 'p' },
		{ "rows", required_argument, NULL, 'n' },
		{}
	};
	unsigned long number;
	int opt;

	opts->rows = 20;
	while ((opt = getopt_long(argc, argv, "+chn:p:", longopts, NULL)) != -1) {
		switch (opt) {
		case 'c':
			opts->check = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'n':
			if (!parse_number(optarg, 0, 1000000, &opts->rows))
				return false;
			break;
		case 'p':
			if (!parse_number(optarg, 1, PID_MAX, &number))
				return false;
			opts->pid = number;
			break;
		default:
			usage(stderr);
			return false;
		}
	}
	opts->argv = argv + optind;
	if (opts->pid && (*opts->argv || opts->check)) {
		warnx("-p goes with neither -c nor a command");
		return false;
	}
	if (!opts->pid && !*opts->argv) {
		opts->argv = workload_argv;
		opts->check = true;
	}
	return true;
}

/* What to do about it, where that is known. */
static void explain(int err)
{
	switch (err) {
	case EPERM:
		warnx("needs CAP_BPF and CAP_PERFMON: run it as root");
		break;
	case EOPNOTSUPP:
		warnx("arenas need the BPF JIT: sysctl net.core.bpf_jit_enable=1");
		break;
	default:
		break;
	}
}

/* Say why there is no arena before libbpf says it at length. */
static bool have_arena(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARENA, NULL, 0, 0, 1, &opts);

	if (fd < 0) {
		if (fd == -EINVAL)
			warnx("this kernel has no BPF arena: needs the bpf_arena series");
		else
			warnx("cannot create an arena: %s", strerror(-fd));
		explain(-fd);
		return false;
	}
	close(fd);
	return true;
}

static struct arena_demo_bpf *load_programs(void)
{
	struct arena_demo_bpf *skel;
	int err;

	skel = arena_demo_bpf__open_and_load();
	if (!skel) {
		err = errno;
		warnx("cannot load the BPF programs: %s", strerror(err));
		explain(err);
		return NULL;
	}
	rb_init(&skel->arena->demo.order);
	skel->arena->demo.self = getpid();
	skel->arena->demo.nr_bpf = SYS_bpf;
	err = arena_demo_bpf__attach(skel);
	if (err) {
		warnx("cannot attach to the system call tracepoints: %s", strerror(-err));
		arena_demo_bpf__destroy(skel);
		return NULL;
	}
	/* From here on this process makes no call of bpf(2). */
	skel->arena->demo.bpf_calls = 0;
	return skel;
}

/*
 * The command is to begin when everything that counts its calls is in place.
 * It must not sleep till then: a call that is interrupted, begins before or
 * ends after, may be counted by one and not by the other.
 */
static struct gate *start_command(char **argv)
{
	struct gate *gate;

	gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (gate == MAP_FAILED) {
		warn("mmap");
		return NULL;
	}
	command = fork();
	if (command < 0) {
		warn("fork");
		return NULL;
	}
	if (!command) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		WRITE_ONCE(gate->waiting, 1);
		while (!READ_ONCE(gate->open))
			;
		execvp(argv[0], argv);
		warn("%s", argv[0]);
		_exit(127);
	}
	while (!READ_ONCE(gate->waiting))
		;
	return gate;
}

/* Returns what strace says, or NULL if it does not trace the command. */
static FILE *start_strace(void)
{
	char pid[16], line[256];
	FILE *said;
	int fds[2];
	pid_t child;

	if (pipe(fds)) {
		warn("pipe");
		return NULL;
	}
	child = fork();
	if (child < 0) {
		warn("fork");
		return NULL;
	}
	if (!child) {
		close(fds[0]);
		dup2(fds[1], STDERR_FILENO);
		snprintf(pid, sizeof(pid), "%d", command);
		execlp("strace", "strace", "-f", "-c", "-U", "name,calls",
		       "-p", pid, NULL);
		warn("strace");
		_exit(127);
	}
	close(fds[1]);
	said = fdopen(fds[0], "r");
	while (said && fgets(line, sizeof(line), said)) {
		if (strstr(line, " attached"))
			return said;
		fputs(line, stderr);
	}
	warnx("the check needs strace");
	return NULL;
}

static int name_to_nr(const char *name)
{
	for (int nr = 0; nr < (int)NR_SYSCALLS; nr++)
		if (syscall_names[nr] && !strcmp(syscall_names[nr], name))
			return nr;
	return -1;
}

/* Returns when strace has ended. */
static bool read_strace(FILE *said, __u64 *by_nr)
{
	unsigned long long calls;
	char line[256], name[64];
	bool complete = false;

	while (fgets(line, sizeof(line), said)) {
		int nr;

		if (sscanf(line, "%63s %llu", name, &calls) != 2)
			continue;
		if (!strcmp(name, "total")) {
			complete = true;
			continue;
		}
		nr = name_to_nr(name);
		if (nr < 0) {
			warnx("strace counts an unknown call: %s", name);
			return false;
		}
		by_nr[nr] += calls;
	}
	if (!complete)
		warnx("strace ended without its table");
	return complete;
}

/* A program that holds the lock still changes something; later ones will not. */
static void stop(struct demo *demo)
{
	__atomic_store_n(&demo->stop, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&demo->lock, __ATOMIC_SEQ_CST))
		;
}

static void print_call(const struct call *call)
{
	__u32 nr = CALL_NR(call);
	char number[16];
	const char *name = number;

	snprintf(number, sizeof(number), "%u", nr);
	if (nr < NR_SYSCALLS && syscall_names[nr])
		name = syscall_names[nr];
	printf("%-15.16s %7u %-18s %8llu %12.1f %9.1f %11.1f\n",
	       (const char *)call->comm, CALL_PID(call), name, call->calls,
	       call->order.key / 1e3, call->order.key / 1e3 / call->calls,
	       call->max / 1e3);
}

/* From the call that took the most time to the one that took the least. */
static bool walk_tree(struct demo *demo, unsigned long rows, struct totals *totals)
{
	__u64 last = -1;

	printf("%-15s %7s %-18s %8s %12s %9s %11s\n", "PROCESS", "PID", "SYSCALL",
	       "CALLS", "TOTAL(us)", "AVG(us)", "MAX(us)");
	for (struct rb_node *node = rb_first(&demo->order); node;
	     node = rb_next(&demo->order, node)) {
		struct call *call = arena_container_of(node, struct call, order);

		if (totals->rows++ < rows)
			print_call(call);
		totals->calls += call->calls;
		totals->ns += node->key;
		if (CALL_NR(call) < NR_SYSCALLS)
			totals->by_nr[CALL_NR(call)] += call->calls;
		if (node->key > last) {
			warnx("the tree is not in order");
			return false;
		}
		last = node->key;
	}
	if (totals->rows > rows)
		printf("... and %llu rows more\n", totals->rows - rows);
	return true;
}

/* The table must hold just what the tree holds. */
static bool walk_table(struct demo *demo, const struct totals *tree)
{
	__u64 calls = 0, rows = 0;

	for (int i = 0; i < HTAB_SIZE; i++) {
		for (struct htab_node *node = demo->calls.bucket[i]; node;
		     node = node->next) {
			calls += ((struct call *)node)->calls;
			rows++;
		}
	}
	if (rows == tree->rows && calls == tree->calls)
		return true;
	warnx("%llu calls in %llu rows in the hash table, but %llu in %llu in the tree",
	      calls, rows, tree->calls, tree->rows);
	return false;
}

static bool print_demo(struct arena_demo_bpf *skel, unsigned long rows,
		       struct totals *totals)
{
	struct demo *demo = &skel->arena->demo;
	unsigned long page = sysconf(_SC_PAGESIZE);
	bool ok;

	ok = walk_tree(demo, rows, totals);
	ok = walk_table(demo, totals) && ok;

	printf("\n%llu system calls in %llu rows, %.1f ms\n", totals->calls,
	       totals->rows, totals->ns / 1e6);
	printf("arena at %p: %llu nodes in %lu pages; the tree's root is at %p, for BPF as well\n",
	       skel->arena, demo->nodes,
	       (sizeof(*skel->arena) + page - 1) / page + demo->pages,
	       demo->order.nil.child[0]);
	printf("calls of bpf(2) by this process since the programs were attached: %llu\n",
	       demo->bpf_calls);
	if (demo->bpf_calls) {
		warnx("bpf(2) was called while it watched");
		ok = false;
	}
	if (demo->dropped) {
		warnx("%llu events dropped: no memory or no lock in time", demo->dropped);
		ok = false;
	}
	return ok;
}

static bool compare(const __u64 *ours, const __u64 *strace)
{
	__u64 calls = 0, names = 0;
	bool agree = true;

	for (size_t nr = 0; nr < NR_SYSCALLS; nr++) {
		if (ours[nr] != strace[nr]) {
			printf("differs from strace -c: %s: %llu here, %llu there\n",
			       syscall_names[nr] ?: "?", ours[nr], strace[nr]);
			agree = false;
		}
		calls += strace[nr];
		names += !!strace[nr];
	}
	if (agree)
		printf("agrees with strace -c: %llu system calls, %llu names\n",
		       calls, names);
	return agree && calls;
}

static int wait_command(void)
{
	int status;

	while (waitpid(command, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	command = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Returns the command's exit status, or -1. */
static int watch_command(struct demo *demo, const struct options *opts,
			 __u64 *strace)
{
	FILE *said = NULL;
	struct gate *gate;
	int status;

	gate = start_command(opts->argv);
	if (!gate)
		return -1;
	if (opts->check) {
		said = start_strace();
		if (!said)
			goto kill;
	}
	WRITE_ONCE(demo->target, command);
	WRITE_ONCE(gate->open, 1);
	if (said && !read_strace(said, strace))
		goto kill;
	status = wait_command();
	if (status > 0)
		warnx("the command ended with status %d", status);
	return status;
kill:
	kill(command, SIGKILL);
	wait_command();
	return -1;
}

/* Returns 0 when it has ended, or at a signal. */
static int watch_process(struct demo *demo, pid_t pid)
{
	struct pollfd pidfd = { .events = POLLIN };

	pidfd.fd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd.fd < 0) {
		warn("process %d", pid);
		return -1;
	}
	WRITE_ONCE(demo->target, pid);
	while (!READ_ONCE(interrupted) && poll(&pidfd, 1, 100) <= 0)
		;
	close(pidfd.fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct options opts = {};
	struct totals totals = {};
	__u64 strace[NR_SYSCALLS] = {};
	struct arena_demo_bpf *skel;
	struct demo *demo;
	bool ok = false;
	int status;

	setlinebuf(stdout);
	if (!parse_options(argc, argv, &opts) || !have_arena())
		return 1;
	skel = load_programs();
	if (!skel)
		return 1;
	demo = &skel->arena->demo;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (opts.pid)
		status = watch_process(demo, opts.pid);
	else
		status = watch_command(demo, &opts, strace);
	stop(demo);

	if (status >= 0) {
		ok = print_demo(skel, opts.rows, &totals);
		if (opts.check && !READ_ONCE(interrupted))
			ok = compare(totals.by_nr, strace) && ok;
	}
	arena_demo_bpf__destroy(skel);
	return status > 0 ? status : !ok;
}
