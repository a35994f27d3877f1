// SPDX-License-Identifier: GPL-2.0
/* Takes the place of a function of arena_context.c, with an arena of its own. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define ENOMEM	12
#define EBUSY	16

#include "arena_context_visit.h"

SEC("freplace/replaceable")
int ext(int x)
{
	visit(IN_FREPLACE);
	return x + 1;
}

char _license[] SEC("license") = "GPL";
