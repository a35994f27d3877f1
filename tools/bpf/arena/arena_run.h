/* SPDX-License-Identifier: GPL-2.0 */
/* Commands that are watched from their first system call on, and intervals. */
#ifndef __ARENA_RUN_H
#define __ARENA_RUN_H

#include <stdbool.h>
#include <sys/types.h>
#include <linux/types.h>

/**
 * run_start() - start a command that waits before its first system call
 * @argv: the command and its arguments, NULL at the end
 *
 * It waits for run_go(), and ends when this process ends. If it cannot be executed
 * its exit status will be 127.
 *
 * Return: its process ID, or -1, and that was told
 */
pid_t run_start(char **argv);

/**
 * run_go() - let the command go on
 */
void run_go(void);

/**
 * run_fd() - what is readable, to poll(), when a process has ended
 * @pid: the process, not only a child
 *
 * Return: the fd, or -1, and that was told
 */
int run_fd(pid_t pid);

/**
 * run_is_below() - is a process in a PID namespace below ours?
 * @fd: from run_fd()
 */
bool run_is_below(int fd);

/**
 * run_end() - end a child that has not ended, and wait for it
 * @pid: the child
 *
 * It has two seconds to clean up.
 *
 * Return: its exit status, or 0 if it had to be told to end
 */
int run_end(pid_t pid);

/**
 * run_seconds() - read an option's number of seconds
 * @text: what the user gave
 * @seconds: where to put it, from 0.1 to a day
 *
 * Return: false if it is none, and that was told
 */
bool run_seconds(const char *text, double *seconds);

/**
 * run_clock() - what time it is
 *
 * Context: makes no system call.
 * Return: nanoseconds
 */
__u64 run_clock(void);

enum run_event {
	RUN_TIME,		/* it is time */
	RUN_ENDED,		/* the process has ended */
	RUN_INTERRUPTED,	/* Ctrl-C */
	RUN_KEY,
};

/**
 * run_sleep() - sleep till something happens
 * @until: till when, by run_clock(), or 0
 * @signals: from arena_tool_signals()
 * @ended: from run_fd(), or -1
 * @keys: a terminal, or -1
 */
enum run_event run_sleep(__u64 until, int signals, int ended, int keys);

#endif /* __ARENA_RUN_H */
