// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <string.h>
#include <unistd.h>
#include "arena_strace.h"

static const char * const names[NR_SYSCALLS] = {
#include "syscall_names.h"
};

const char *syscall_name(unsigned int nr)
{
	return nr < NR_SYSCALLS ? names[nr] : NULL;
}

FILE *strace_start(pid_t pid)
{
	char number[16], line[256];
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
		snprintf(number, sizeof(number), "%d", pid);
		execlp("strace", "strace", "-f", "-c", "-U", "name,calls",
		       "-p", number, NULL);
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
	for (int nr = 0; nr < NR_SYSCALLS; nr++)
		if (names[nr] && !strcmp(names[nr], name))
			return nr;
	return -1;
}

bool strace_read(FILE *said, __u64 *by_nr)
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
