// SPDX-License-Identifier: GPL-2.0
/* Loops that come to a program later: these replace its functions. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf_arena_common.h"
#include "arena_loops.h"

int zero;

static __always_inline __u64 loop(__u64 want)
{
	__u64 n;

	for (n = zero; n < want; n++)
		cond_break;
	return n;
}

SEC("freplace/to_extend")
__u64 extension(__u64 want)
{
	return loop(want);
}

__u64 main_turns;

SEC("freplace/extended_main")
int main_extension(struct xdp_md *ctx)
{
	main_turns = loop(1000);
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
