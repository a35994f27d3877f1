/* SPDX-License-Identifier: GPL-2.0 */
/* Names of system calls, and what strace counts. */
#ifndef __ARENA_STRACE_H
#define __ARENA_STRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <linux/types.h>

#define NR_SYSCALLS	512

/**
 * syscall_name() - the name of a system call
 * @nr: its number on x86-64
 *
 * Return: NULL if there is none
 */
const char *syscall_name(unsigned int nr);

/**
 * strace_start() - have strace count the calls of a process and all that it starts
 * @pid: the process
 *
 * Return: what strace says, once it is there, or NULL, and that was told
 */
FILE *strace_start(pid_t pid);

/**
 * strace_read() - read what strace has counted
 * @said: what strace says
 * @by_nr: where the calls of each number are added
 *
 * Context: waits until all processes have ended.
 * Return: false if it is not complete, and that was told
 */
bool strace_read(FILE *said, __u64 *by_nr);

#endif /* __ARENA_STRACE_H */
