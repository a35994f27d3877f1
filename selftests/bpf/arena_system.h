/* SPDX-License-Identifier: GPL-2.0 */
/* The system around an arena, as tests see it: time, and who uses it up. */
#ifndef __ARENA_SYSTEM_H
#define __ARENA_SYSTEM_H

#include <dirent.h>
#include <sched.h>
#include <sys/syscall.h>
#include "arena_ops.h"

static inline __u64 arena_clock_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

static inline __u64 arena_now_us(void)
{
	return arena_clock_us(CLOCK_MONOTONIC);
}

/* CPU time of this thread, in the kernel too */
static inline __u64 arena_cpu_us(void)
{
	return arena_clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static inline void arena_run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline void arena_run_anywhere(void)
{
	cpu_set_t set;
	int cpu;

	CPU_ZERO(&set);
	for (cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* The calling thread runs before all others, or as they do. */
static inline bool arena_realtime(bool on)
{
	struct sched_param param = { .sched_priority = on ? 1 : 0 };

	return ASSERT_OK(sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &param),
			 "scheduler");
}

/*
 * A kernel that looks at every access takes some ten times as long: a limit in time is
 * that much more generous there.
 */
static inline __u64 arena_limit(__u64 limit)
{
	static int factor;

	if (!factor)
		factor = arena_times(16) == 16 ? 1 : 10;
	return limit * factor;
}

/* CPU time of the process in ms, if it has this name; otherwise -1 */
static inline long long arena_stat_cpu_ms(const char *pid, const char *name)
{
	unsigned long long utime, stime;
	char path[64], line[1024] = {};
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	p = fgets(line, sizeof(line), f);
	fclose(f);
	/* PID (NAME) S and ten numbers; a name may have blanks and brackets of its own */
	if (!p || !strstr(line, name))
		return -1;
	p = strrchr(line, ')');
	if (!p || sscanf(p + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu",
			 &utime, &stime) != 2)
		return -1;
	return (utime + stime) * 1000 / sysconf(_SC_CLK_TCK);
}

/* CPU time of all kernel workers. One that ends takes its time with it. */
static inline long long arena_kworker_cpu_ms(void)
{
	long long sum = 0, ms;
	struct dirent *entry;
	DIR *dir;

	dir = opendir("/proc");
	if (!ASSERT_OK_PTR(dir, "/proc"))
		return 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		ms = arena_stat_cpu_ms(entry->d_name, "(kworker/");
		if (ms > 0)
			sum += ms;
	}
	closedir(dir);
	return sum;
}

/* A number of the arena's fdinfo */
static inline long long arena_ops_fdinfo(const struct arena_ops_env *env, const char *key)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", arena_ops_fd(env));
	return arena_read_number(path, key);
}

#endif /* __ARENA_SYSTEM_H */
