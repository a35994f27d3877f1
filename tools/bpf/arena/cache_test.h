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
int connect_to(int type, unsigned long to_port);
void send_all(int fd, const char *data, size_t len);
size_t receive(int fd, char *data, size_t size);
int tcp_open(unsigned long to_port);
void tcp_set(int fd, const char *key, const char *value, size_t len, int exptime);
__u64 stat_in(int fd, const char *command, const char *name);
__u64 stat_of(int fd, const char *name);
void test_compare(unsigned long port, unsigned long other);
void test_evict(unsigned long port, unsigned long limit_us, unsigned long other);
void test_mixed(unsigned long port, unsigned long sets);
void test_no_room(unsigned long port);
void test_unsent(unsigned long port);
void test_unread(unsigned long port, pid_t pid);
void test_files(unsigned long port, pid_t pid, unsigned long connections);
void test_echo(unsigned long port, unsigned long other);
void test_packets(unsigned long port, pid_t pid, const char *device, const char *peer);

#endif /* __CACHE_TEST_H */
