/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of arena-cache's test client share. */
#ifndef __CACHE_TEST_H
#define __CACHE_TEST_H

#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

#define TIMEOUT		20000	/* ms: an emulated machine may be slow */
#define VALUE_MAX	65536
#define TORN_MAX	200	/* fits in any packet's buffer, on lo as well */

__u32 random_number(void);
int tcp_open(unsigned long to_port);
void tcp_set(int fd, const char *key, const char *value, size_t len, int exptime);
__u64 stat_of(int fd, const char *name);
void test_packets(unsigned long port, pid_t pid, const char *device, const char *peer);

#endif /* __CACHE_TEST_H */
