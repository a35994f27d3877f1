/* SPDX-License-Identifier: GPL-2.0 */
/* The system around an arena, as tests see it: CPU time, and memory cgroups. */
#ifndef __ARENA_SYSTEM_H
#define __ARENA_SYSTEM_H

#include <dirent.h>
#include <sched.h>
#include <sys/stat.h>
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

/*
 * Memory cgroups.
 */

static inline bool arena_cgroup_make(const char *dir)
{
	rmdir(dir);
	return arena_write_file(ARENA_CGROUP_ROOT "/cgroup.subtree_control", "+memory") &&
	       ASSERT_OK(mkdir(dir, 0755), dir);
}

static inline void arena_cgroup_remove(const char *dir)
{
	arena_cgroup_join(ARENA_CGROUP_ROOT);
	ASSERT_TRUE(ARENA_EVENTUALLY(!rmdir(dir)), dir);
}

static inline long long arena_cgroup_read(const char *dir, const char *file, const char *key)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return arena_read_number(path, key);
}

static inline long long arena_cgroup_charge(const char *dir)
{
	return arena_cgroup_read(dir, "memory.current", "");
}

/* So many bytes more than what is charged now, and no more. */
static inline bool arena_cgroup_limit(const char *dir, long long more)
{
	char path[128], limit[32];

	snprintf(path, sizeof(path), "%s/memory.max", dir);
	snprintf(limit, sizeof(limit), "%lld", arena_cgroup_charge(dir) + more);
	return arena_write_file(path, limit);
}

static inline bool arena_cgroup_unlimit(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.max", dir);
	return arena_write_file(path, "max");
}

/* An arena that is charged to a cgroup of its own, for a process that is not in it. */
static inline bool arena_ops_open_in(struct arena_ops_env *env, const char *dir, __u32 pages,
				     __u32 flags, __u64 map_extra)
{
	bool ok;

	if (!arena_cgroup_make(dir))
		return false;
	ok = arena_cgroup_join(dir) && arena_ops_open(env, pages, flags, map_extra);
	if (!arena_cgroup_join(ARENA_CGROUP_ROOT) || !ok) {
		arena_cgroup_remove(dir);
		return false;
	}
	return true;
}

static inline void arena_ops_close_in(struct arena_ops_env *env, const char *dir)
{
	arena_ops_close(env);
	arena_cgroup_remove(dir);
}

/* A number of the arena's fdinfo */
static inline long long arena_ops_fdinfo(const struct arena_ops_env *env, const char *key)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", arena_ops_fd(env));
	return arena_read_number(path, key);
}

#endif /* __ARENA_SYSTEM_H */
