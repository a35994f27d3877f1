// SPDX-License-Identifier: GPL-2.0
/*
 * A client for tests of arena-cache: see usage().
 *
 * Values tell whether they are whole: they begin with a stamp, and all the rest,
 * its length included, follows from the stamp and the key.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bpf_arena_common.h"
#include "cache_test.h"

#define STAMP		16	/* hex digits */
#define KEYS		2000	/* 2 MiB have 4096 buckets: many are shared */
#define BATCH		64

struct udp_frame {
	__u16 id, seq, total, reserved;
};

static unsigned long port;
static __u64 random_state = 1;

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

__u32 random_number(void)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return random_state >> 33;
}

int connect_to(int type, unsigned long to_port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(to_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, type, 0), size = 1 << 20;

	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (fd < 0 || connect(fd, (void *)&to, sizeof(to)))
		err(1, "cannot connect to port %lu", to_port);
	return fd;
}

void send_all(int fd, const char *data, size_t len)
{
	ssize_t sent;

	while (len) {
		sent = send(fd, data, len, MSG_NOSIGNAL);
		if (sent <= 0)
			err(1, "send");
		data += sent;
		len -= sent;
	}
}

size_t receive(int fd, char *data, size_t size)
{
	struct pollfd pollfd = { fd, POLLIN, 0 };
	ssize_t got;

	if (poll(&pollfd, 1, TIMEOUT) <= 0)
		return 0;
	got = recv(fd, data, size, 0);
	return got < 0 ? 0 : got;
}

/* Reads @lines lines over TCP, and dies if one of them is not @wanted. */
static void expect_lines(int fd, const char *wanted, int lines)
{
	size_t len = strlen(wanted), i;
	char line[64];

	while (lines--) {
		for (i = 0; i < len; i++)
			if (receive(fd, line + i, 1) != 1)
				errx(1, "no answer over TCP");
		if (memcmp(line, wanted, len))
			errx(1, "'%.*s' over TCP, not '%s'", (int)len, line, wanted);
	}
}

void tcp_set(int fd, const char *key, const char *value, size_t len, int exptime)
{
	static char request[VALUE_MAX + 512];
	size_t end;

	end = sprintf(request, "set %s 0 %d %zu\r\n", key, exptime, len);
	memcpy(request + end, value, len);
	memcpy(request + end + len, "\r\n", 2);
	send_all(fd, request, end + len + 2);
	expect_lines(fd, "STORED\r\n", 1);
}

/* A connection to a server that has no keys, and has counted nothing. */
static int tcp_start(void)
{
	int fd = connect_to(SOCK_STREAM, port);

	send_all(fd, "flush_all\r\n", 11);
	expect_lines(fd, "OK\r\n", 1);
	send_all(fd, "stats reset\r\n", 13);
	expect_lines(fd, "RESET\r\n", 1);
	if (stat_of(fd, "total_items") || stat_of(fd, "evictions") || stat_of(fd, "reclaimed"))
		errx(1, "something is counted after a reset");
	return fd;
}

int tcp_open(unsigned long to_port)
{
	port = to_port;
	return tcp_start();
}

/* One number of what the server says to @command. */
__u64 stat_in(int fd, const char *command, const char *name)
{
	static char text[32768];
	char wanted[64];
	size_t len = 0, got;
	char *found;

	send_all(fd, command, strlen(command));
	while (len < 5 || memcmp(text + len - 5, "END\r\n", 5)) {
		got = receive(fd, text + len, sizeof(text) - 1 - len);
		if (!got)
			errx(1, "no statistics");
		len += got;
		text[len] = 0;
	}
	snprintf(wanted, sizeof(wanted), "STAT %s ", name);
	found = strstr(text, wanted);
	if (!found)
		errx(1, "no statistic %s", name);
	return strtoull(found + strlen(wanted), NULL, 10);
}

__u64 stat_of(int fd, const char *name)
{
	return stat_in(fd, "stats\r\n", name);
}

/* Sends a get, and puts the answer together. Returns its length, 0 if there is none. */
static size_t udp_ask(int fd, const char *request, char *answer, size_t size)
{
	static __u16 id;
	const size_t head = sizeof(struct udp_frame), part = 1400 - head;
	char packet[2048];
	struct udp_frame *frame = (void *)packet;
	size_t len, got, end = 0;
	int left = -1;

	id++;
	*frame = (struct udp_frame){ htons(id), 0, htons(1), 0 };
	len = strlen(request);
	memcpy(packet + head, request, len);
	if (send(fd, packet, head + len, 0) < 0)
		err(1, "send");
	while (left) {
		got = receive(fd, packet, sizeof(packet));
		if (!got)
			return 0;
		/* A late answer to an earlier one. */
		if (got < head || ntohs(frame->id) != id)
			continue;
		if (left < 0)
			left = ntohs(frame->total);
		len = ntohs(frame->seq) * part + got - head;
		if (len > size)
			errx(1, "an answer of more than %zu bytes", size);
		memcpy(answer + ntohs(frame->seq) * part, packet + head, got - head);
		if (len > end)
			end = len;
		left--;
	}
	return end;
}

/* The value in a get's answer, or NULL for a miss; dies if it is neither. */
static const char *value_of(const char *answer, size_t len, const char *key, size_t *nvalue)
{
	char head[512];
	unsigned int flags;
	int nhead = 0;
	char text[320];

	if (len == 5 && !memcmp(answer, "END\r\n", 5))
		return NULL;
	snprintf(text, sizeof(text), "%.*s", (int)(len < 319 ? len : 319), answer);
	if (sscanf(text, "VALUE %300s %u %zu\r\n%n", head, &flags, nvalue, &nhead) != 3)
		errx(1, "not an answer: '%.80s'", text);
	nhead = strcspn(text, "\n") + 1;
	if (strcmp(head, key) || nhead + *nvalue + 7 != len ||
	    memcmp(answer + len - 7, "\r\nEND\r\n", 7))
		errx(1, "%zu bytes that are no answer for '%s': '%.80s'", len, key, text);
	return answer + nhead;
}

static __u64 mix(__u64 x)
{
	x = (x ^ x >> 31) * 0x7fb5d329728ea185ULL;
	return (x ^ x >> 27) * 0x81dadef4bc2dd44dULL;
}

/* How long the value of a key is at a stamp. */
static size_t stamped_len(__u32 key, __u64 stamp, size_t max)
{
	return STAMP + mix(key * 1000003ULL + stamp) % (max - STAMP);
}

static size_t make_value(char *value, __u32 key, __u64 stamp, size_t max)
{
	size_t len = stamped_len(key, stamp, max), i;
	char text[STAMP + 1];

	snprintf(text, sizeof(text), "%016llx", stamp);
	memcpy(value, text, STAMP);
	snprintf(text, sizeof(text), "%016llx", mix(stamp ^ (__u64)key << 40));
	for (i = STAMP; i < len; i++)
		value[i] = text[i % STAMP];
	return len;
}

static bool whole(const char *value, size_t len, __u32 key, size_t max)
{
	static char wanted[VALUE_MAX];
	char text[STAMP + 1] = {};
	__u64 stamp;

	if (len < STAMP)
		return false;
	memcpy(text, value, STAMP);
	stamp = strtoull(text, NULL, 16);
	return len == make_value(wanted, key, stamp, max) && !memcmp(value, wanted, len);
}

/* Over UDP. Returns 1, 0 for a miss, -1 for no answer; dies if the value is not whole. */
static int check_get(int fd, __u32 key, size_t max)
{
	static char answer[VALUE_MAX + 512];
	char request[64], name[32];
	const char *value;
	size_t len, nvalue;

	snprintf(name, sizeof(name), "key-%u", key);
	snprintf(request, sizeof(request), "get %s\r\n", name);
	len = udp_ask(fd, request, answer, sizeof(answer));
	if (!len)
		return -1;
	value = value_of(answer, len, name, &nvalue);
	if (!value)
		return 0;
	if (!whole(value, nvalue, key, max))
		errx(1, "torn: %s has '%.64s' and so on, %zu bytes", name, value, nvalue);
	return 1;
}

static void set_key(int fd, __u32 key, size_t max)
{
	static char value[VALUE_MAX];
	char name[32];
	size_t len;

	snprintf(name, sizeof(name), "key-%u", key);
	len = make_value(value, key, (__u64)random_number() << 20 | random_number(), max);
	tcp_set(fd, name, value, len, 0);
}

/* The server stopped, its present keys are told nevertheless. */
static void test_stopped(pid_t pid)
{
	int tcp = connect_to(SOCK_STREAM, port), udp = connect_to(SOCK_DGRAM, port);
	__u64 answered = stat_of(tcp, "xdp_answered"), gets = stat_of(tcp, "cmd_get");
	__u32 key;

	for (key = 0; key < KEYS; key++)
		set_key(tcp, key, 128);
	kill(pid, SIGSTOP);
	for (key = 0; key < KEYS; key++) {
		if (check_get(udp, key, 128) != 1) {
			kill(pid, SIGCONT);
			errx(1, "key-%u: no answer from XDP", key);
		}
	}
	kill(pid, SIGCONT);
	answered = stat_of(tcp, "xdp_answered") - answered;
	gets = stat_of(tcp, "cmd_get") - gets;
	printf("server stopped: %llu of %d UDP gets answered by XDP, all right\n", answered, KEYS);
	if (answered != KEYS || gets != KEYS)
		errx(1, "the statistics say %llu gets, %llu by XDP", gets, answered);
}

/* Changes a few keys as fast as it can, in batches; some it deletes in between. */
static void write_torn(__u64 end)
{
	int fd = connect_to(SOCK_STREAM, port);
	static char batch[BATCH * 2048];
	char value[2048];
	size_t len, nvalue;
	__u32 key;
	int i;

	random_state = getpid();
	while (now_ms() < end) {
		for (len = 0, i = 0; i < BATCH; i++) {
			key = random_number() % 4;
			nvalue = make_value(value, key, random_number(), TORN_MAX);
			if (!(random_number() % 16))
				len += sprintf(batch + len, "delete key-%u noreply\r\n", key);
			len += sprintf(batch + len, "set key-%u 0 0 %zu noreply\r\n", key, nvalue);
			memcpy(batch + len, value, nvalue);
			len += nvalue;
			len += sprintf(batch + len, "\r\n");
		}
		len += sprintf(batch + len, "verbosity 1\r\n");
		send_all(fd, batch, len);
		expect_lines(fd, "OK\r\n", 1);
	}
	exit(0);
}

static void read_torn(__u64 end)
{
	int fd = connect_to(SOCK_DGRAM, port);

	while (now_ms() < end)
		if (check_get(fd, random_number() % 4, TORN_MAX) < 0)
			errx(1, "no answer");
	exit(0);
}

static void wait_for(int children)
{
	int status;

	while (children--) {
		if (wait(&status) < 0 || status)
			errx(1, "a client failed");
	}
}

static void test_torn(unsigned long seconds)
{
	__u64 end = now_ms() + seconds * 1000, answered, busy, udp;
	int tcp = tcp_start();

	for (__u32 key = 0; key < 4; key++)
		set_key(tcp, key, TORN_MAX);
	fflush(stdout);
	if (!fork())
		write_torn(end);
	for (int i = 0; i < 2; i++)
		if (!fork())
			read_torn(end);
	wait_for(3);
	answered = stat_of(tcp, "xdp_answered");
	busy = stat_of(tcp, "xdp_passed_busy");
	udp = stat_of(tcp, "udp_server");
	printf("torn: none, of %llu gets by XDP and %llu by the server against %llu sets\n",
	       answered, udp, stat_of(tcp, "cmd_set"));
	printf("torn: XDP found a change twice, and passed the packet, %llu times\n", busy);
	if (answered < 100)
		errx(1, "too few gets were answered by XDP for this to mean anything");
}

struct load {
	__u64 sets, gets, misses, lost;
	__u32 next;		/* the first of its keys that it has not set yet */
};

/* One key in 16 has a large value. */
static size_t load_max(__u32 key)
{
	return key / 2 % 16 ? 300 : 50000;
}

#define LOAD_MEAN	((15 * 158 + 25008) / 16)

/* Each has every other key. Those in use grow from 1 MiB of data to 64 as time goes on. */
static void load_sets(int fd, struct load *load, __u32 who, __u32 keys)
{
	__u32 nr = load->next < keys ? load->next : random_number() % keys;

	set_key(fd, nr * 2 + who, load_max(nr * 2 + who));
	load->sets++;
	if (nr == load->next)
		WRITE_ONCE(load->next, nr + 1);
}

/* Anybody's keys, one that was set of late more often. */
static void load_gets(int fd, struct load *all, struct load *load)
{
	__u32 who = random_number() % 2, next = READ_ONCE(all[who].next), key;
	int result;

	if (!next)
		return;
	if (random_number() % 2 && next > 1000)
		key = next - 1 - random_number() % 1000;
	else
		key = random_number() % next;
	key = key * 2 + who;
	result = check_get(fd, key, load_max(key));
	load->gets++;
	load->misses += !result;
	load->lost += result < 0;
}

static void run_load(struct load *all, __u32 who, __u64 begin, __u64 end)
{
	const __u32 min = (1 << 20) / LOAD_MEAN / 2, max = (64 << 20) / LOAD_MEAN / 2;
	int tcp = connect_to(SOCK_STREAM, port), udp = connect_to(SOCK_DGRAM, port);
	struct load *load = &all[who];
	__u32 keys;
	__u64 now;
	int i;

	random_state = getpid();
	/* A slow machine needs longer until all is set, but has to come to an end. */
	while ((now = now_ms()) < end || load->next < max) {
		if (now > end + 4 * (end - begin))
			errx(1, "too slow: only %u of %u keys are set", load->next, max);
		keys = now < end ? min + (max - min) * (now - begin) / (end - begin) : max;
		for (i = 0; i < 8; i++)
			load_sets(tcp, load, who, keys);
		for (i = 0; i < 8; i++)
			load_gets(udp, all, load);
	}
	exit(0);
}

static void test_load(unsigned long seconds)
{
	int tcp = tcp_start();
	__u64 begin = now_ms(), end = begin + seconds * 1000, bytes, limit, xdp, server, ms;
	struct load *load;

	load = mmap(NULL, 2 * sizeof(*load), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (load == MAP_FAILED)
		err(1, "mmap");
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		if (!fork())
			run_load(load, i, begin, end);
	wait_for(2);
	ms = now_ms() - begin;
	load->sets += load[1].sets;
	load->gets += load[1].gets;
	load->misses += load[1].misses;
	load->lost += load[1].lost;

	xdp = stat_of(tcp, "xdp_answered");
	server = stat_of(tcp, "udp_server");
	bytes = stat_of(tcp, "arena_bytes");
	limit = stat_of(tcp, "limit_maxbytes");
	printf("load, %llu s, 2 clients: %llu sets, %llu gets, %llu of them misses, %llu lost\n",
	       ms / 1000, load->sets, load->gets, load->misses, load->lost);
	printf("requests per second: XDP %llu, server UDP %llu, server TCP %llu\n",
	       xdp * 1000 / ms, server * 1000 / ms, load->sets * 1000 / ms);
	printf("data: up to %llu MiB; gets answered by XDP: %llu of %llu (%llu %%)\n",
	       (load->next + load[1].next) * (__u64)LOAD_MEAN >> 20, xdp, xdp + server,
	       xdp * 100 / (xdp + server));
	printf("memory: %llu KiB of %llu KiB, %llu evictions\n", bytes / 1024, limit / 1024,
	       stat_of(tcp, "evictions"));
	if (load->lost)
		errx(1, "%llu gets without an answer", load->lost);
	if (!xdp || xdp + server < load->gets)
		errx(1, "the server counts less than there was");
	/* The kernel's page tables come on top. */
	if (bytes > limit + limit / 64)
		errx(1, "more memory than allowed");
}

static void get_one(const char *key)
{
	static char answer[VALUE_MAX + 512];
	char request[320];
	const char *value;
	size_t len, nvalue;

	snprintf(request, sizeof(request), "get %s\r\n", key);
	len = udp_ask(connect_to(SOCK_DGRAM, port), request, answer, sizeof(answer));
	if (!len)
		errx(1, "no answer");
	value = value_of(answer, len, key, &nvalue);
	if (!value)
		errx(1, "not found");
	fwrite(value, 1, nvalue, stdout);
}

static void usage(void)
{
	fprintf(stderr,
		"Usage: cache_test PORT TEST\n"
		"\n"
		"Talks to an arena-cache on this machine, which has XDP on lo. TEST is one of\n"
		"\n"
		"  get KEY        ask for KEY over UDP and print its value\n"
		"  stopped PID    stop the server PID; keys are told nevertheless\n"
		"  torn SECONDS   change values while others read them\n"
		"  load SECONDS   sets and gets by two clients, 1 MiB of data and up to 64\n"
		"  compare PORT   what the memcached at PORT and this one say to the same input\n"
		"  evict MICROSECONDS PORT\n"
		"                 fill its memory with small items, and set large ones, which\n"
		"                 may take it so long; and the same with the memcached at PORT\n"
		"  mixed SETS     set values of all sizes\n"
		"  no-room        append to an item what does not fit in 2 MiB\n"
		"  unsent         end a connection with answers still to be sent\n"
		"  unread PID     clients that do not read their answers, after unsent\n"
		"  files PID CONNECTIONS\n"
		"                 use all the server's connections, and take its descriptors\n"
		"  echo PORT      datagrams that seem to come from the server at PORT\n"
		"  packets PID DEVICE PEER\n"
		"                 send packets of all sorts from PEER to DEVICE, on which the\n"
		"                 server has XDP, too; these are the two ends of a veth\n");
	exit(2);
}

int main(int argc, char **argv)
{
	const char *test = argc > 2 ? argv[2] : "";

	setlinebuf(stdout);
	if (argc > 1)
		port = strtoul(argv[1], NULL, 10);
	if (argc == 4 && !strcmp(test, "get"))
		get_one(argv[3]);
	else if (argc == 4 && !strcmp(test, "stopped"))
		test_stopped(atoi(argv[3]));
	else if (argc == 4 && !strcmp(test, "torn"))
		test_torn(atoi(argv[3]));
	else if (argc == 4 && !strcmp(test, "load"))
		test_load(atoi(argv[3]));
	else if (argc == 4 && !strcmp(test, "compare"))
		test_compare(port, atoi(argv[3]));
	else if (argc == 5 && !strcmp(test, "evict"))
		test_evict(port, atoi(argv[3]), atoi(argv[4]));
	else if (argc == 4 && !strcmp(test, "mixed"))
		test_mixed(port, atoi(argv[3]));
	else if (argc == 3 && !strcmp(test, "no-room"))
		test_no_room(port);
	else if (argc == 3 && !strcmp(test, "unsent"))
		test_unsent(port);
	else if (argc == 4 && !strcmp(test, "unread"))
		test_unread(port, atoi(argv[3]));
	else if (argc == 5 && !strcmp(test, "files"))
		test_files(port, atoi(argv[3]), atoi(argv[4]));
	else if (argc == 4 && !strcmp(test, "echo"))
		test_echo(port, atoi(argv[3]));
	else if (argc == 6 && !strcmp(test, "packets"))
		test_packets(port, atoi(argv[3]), argv[4], argv[5]);
	else
		usage();
	return 0;
}
