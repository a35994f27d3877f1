// SPDX-License-Identifier: GPL-2.0
/* What the arena tools share. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/capability.h>
#include <bpf/bpf.h>
#include "arena_tool.h"

static bool has_cap(const struct __user_cap_data_struct *data, int cap)
{
	return data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

/* Says which capabilities are missing, if any are. */
static bool have_rights(bool net)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	char missing[64] = "";

	if (syscall(SYS_capget, &header, data)) {
		warn("capget");
		return false;
	}
	/* CAP_SYS_ADMIN stands for the first two, but not for the third. */
	if (!has_cap(data, CAP_SYS_ADMIN)) {
		if (!has_cap(data, CAP_BPF))
			strcat(missing, " CAP_BPF");
		if (!has_cap(data, CAP_PERFMON))
			strcat(missing, " CAP_PERFMON");
	}
	if (net && !has_cap(data, CAP_NET_ADMIN))
		strcat(missing, " CAP_NET_ADMIN");
	if (!*missing)
		return true;
	warnx("missing rights:%s; run it as root", missing);
	return false;
}

/**
 * arena_tool_check() - Can this process use arenas on this kernel?
 * @net: will it attach programs to network interfaces?
 *
 * Says on standard error what is missing, and what to do about it, before
 * libbpf says it at length.
 *
 * Return: TOOL_OK, or what to exit with.
 */
int arena_tool_check(bool net)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd;

	if (!have_rights(net))
		return TOOL_NO_RIGHTS;
	fd = bpf_map_create(BPF_MAP_TYPE_ARENA, NULL, 0, 0, 1, &opts);
	if (fd >= 0) {
		close(fd);
		return TOOL_OK;
	}
	switch (-fd) {
	case EINVAL:
		warnx("this kernel has no BPF arena: needs 6.12, or the bpf_arena series");
		return TOOL_UNSUPPORTED;
	case EOPNOTSUPP:
		warnx("arenas need the BPF JIT: sysctl net.core.bpf_jit_enable=1");
		return TOOL_UNSUPPORTED;
	case EPERM:
		warnx("bpf() is not permitted here, by a seccomp filter or a container perhaps");
		return TOOL_NO_RIGHTS;
	default:
		warnx("cannot create an arena: %s", strerror(-fd));
		return TOOL_FAILED;
	}
}

static int stop_pipe[2];

static void on_signal(int sig)
{
	int err = errno;

	/* If the pipe is full, it is readable in any case. */
	if (write(stop_pipe[1], "", 1) < 0)
		errno = err;
}

/**
 * arena_tool_signals() - Turn Ctrl-C and SIGTERM into something to poll.
 *
 * So none is missed between a look and a sleep. A command that is executed gets
 * them as ever.
 *
 * Return: a file descriptor that becomes readable with the first of them and
 * stays so as long as nobody reads it, or -1, and the reason has been said.
 */
int arena_tool_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK)) {
		warn("pipe");
		return -1;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return stop_pipe[0];
}

/**
 * arena_tool_number() - Read an option's number, decimal.
 * @text: what the user gave
 * @min: the least that is allowed
 * @max: the greatest
 * @number: where to put it
 *
 * Return: false if it is none, and that has been said.
 */
bool arena_tool_number(const char *text, unsigned long min, unsigned long max,
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

/**
 * arena_tool_memory() - How much memory does an arena use?
 * @map_fd: the arena
 *
 * Return: bytes, as the kernel counts them, or 0 if it does not say.
 */
unsigned long long arena_tool_memory(int map_fd)
{
	unsigned long long bytes = 0;
	char line[128];
	FILE *info;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", map_fd);
	info = fopen(line, "r");
	if (!info)
		return 0;
	while (fgets(line, sizeof(line), info))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(info);
	return bytes;
}

/**
 * arena_tool_end() - What to exit with, after all that was said.
 * @status: what it is if standard output took everything
 *
 * Return: @status, or TOOL_FAILED for TOOL_OK if something could not be written,
 * which is said then.
 */
int arena_tool_end(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	warnx("cannot write to standard output");
	return status ?: TOOL_FAILED;
}
