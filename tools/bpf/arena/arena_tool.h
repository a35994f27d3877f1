/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the arena tools share. To be included before bpf_arena_common.h: the
 * JSON writer brings the tree's READ_ONCE(), and the other one gives way.
 */
#ifndef __ARENA_TOOL_H
#define __ARENA_TOOL_H

#include <stdbool.h>
#include <json_writer.h>

/* Exit statuses of all tools. */
enum arena_tool_status {
	TOOL_OK = 0,
	TOOL_FAILED = 1,	/* whatever the message says */
	TOOL_USAGE = 2,		/* an option that is not one */
	TOOL_UNSUPPORTED = 3,	/* the kernel has no arena, or its JIT is off */
	TOOL_NO_RIGHTS = 4,	/* a capability is missing */
};

int arena_tool_check(bool net);
int arena_tool_signals(void);
bool arena_tool_number(const char *text, unsigned long min, unsigned long max,
		       unsigned long *number);
unsigned long long arena_tool_memory(int map_fd);
int arena_tool_end(int status);

#endif /* __ARENA_TOOL_H */
