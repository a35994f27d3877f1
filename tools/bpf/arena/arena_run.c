// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "arena_run.h"

/* What the command waits for: in memory, so that it makes no system call. */
static struct gate {
	int waiting;
	int open;
} *gate;

pid_t run_start(char **argv)
{
	pid_t parent = getpid();
	sigset_t signals;
	pid_t pid;

	gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (gate == MAP_FAILED) {
		warn("mmap");
		return -1;
	}
	pid = fork();
	if (pid < 0) {
		warn("fork");
		return -1;
	}
	if (pid) {
		while (!__atomic_load_n(&gate->waiting, __ATOMIC_ACQUIRE))
			;
		return pid;
	}

	sigemptyset(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	__atomic_store_n(&gate->waiting, 1, __ATOMIC_RELEASE);
	/*
	 * A call that is interrupted, or that begins before or ends after all is in
	 * place, one may count and the other not: it spins.
	 */
	while (!__atomic_load_n(&gate->open, __ATOMIC_ACQUIRE))
		;
	execvp(argv[0], argv);
	warn("%s", argv[0]);
	_exit(127);
}

void run_go(void)
{
	__atomic_store_n(&gate->open, 1, __ATOMIC_RELEASE);
}

int run_fd(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		warn("process %d", pid);
	return fd;
}

/* In how many PID namespaces has a process a number, from that of /proc on? */
static int count_numbers(int fd)
{
	char line[512];		/* 32 numbers are the most */
	int numbers = 0;
	FILE *info;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
	info = fopen(line, "r");
	if (!info)
		return 0;
	while (fgets(line, sizeof(line), info))
		if (!strncmp(line, "NSpid:", 6))
			for (char *c = line; *c; c++)
				numbers += *c == '\t';
	fclose(info);
	return numbers;
}

bool run_is_below(int fd)
{
	int self = run_fd(getpid());
	bool below = count_numbers(fd) > count_numbers(self);

	close(self);
	return below;
}

int run_end(pid_t pid)
{
	bool told = false;
	int status;

	for (int tries = 0; !waitpid(pid, &status, WNOHANG); tries++) {
		told = true;
		if (!tries)
			kill(pid, SIGTERM);
		else if (tries == 200)
			kill(pid, SIGKILL);
		usleep(10000);
	}
	if (told)
		return 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool run_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	if (end != text && !*end && *seconds >= 0.1 && *seconds <= 86400)
		return true;
	warnx("'%s' is not a number of seconds from 0.1 to 86400", text);
	return false;
}

__u64 run_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

enum run_event run_sleep(__u64 until, int signals, int ended, int keys)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = ended, .events = POLLIN },
		{ .fd = keys, .events = POLLIN },
	};

	for (;;) {
		__s64 left = until - run_clock();

		if (until && left <= 0)
			return RUN_TIME;
		if (poll(fds, 3, until ? left / 1000000 + 1 : -1) <= 0)
			continue;
		if (fds[0].revents)
			return RUN_INTERRUPTED;
		if (fds[1].revents)
			return RUN_ENDED;
		if (fds[2].revents)
			return RUN_KEY;
	}
}
