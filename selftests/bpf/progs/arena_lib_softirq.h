/* SPDX-License-Identifier: GPL-2.0 */
/* A program that has do_in_softirq(), of who includes this, run by a timer at once. */
#ifndef __ARENA_LIB_SOFTIRQ_H
#define __ARENA_LIB_SOFTIRQ_H

#define CLOCK_MONOTONIC	1

struct timer_elem {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct timer_elem);
} timers SEC(".maps");

static int timer_callback(void *map, int *key, struct timer_elem *elem)
{
	do_in_softirq();
	return 0;
}

SEC("syscall")
int in_softirq(void *ctx)
{
	struct timer_elem *elem;
	int key = 0;

	elem = bpf_map_lookup_elem(&timers, &key);
	if (!elem)
		return 1;
	/* It is there already if this is not the first time. */
	bpf_timer_init(&elem->timer, &timers, CLOCK_MONOTONIC);
	if (bpf_timer_set_callback(&elem->timer, timer_callback))
		return 2;
	return bpf_timer_start(&elem->timer, 0, 0) ? 3 : 0;
}

#endif /* __ARENA_LIB_SOFTIRQ_H */
