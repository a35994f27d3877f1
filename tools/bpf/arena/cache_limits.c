// SPDX-License-Identifier: GPL-2.0
/*
 * An arena-cache at its limits: with its memory full, with answers that nobody takes,
 * without descriptors, and with datagrams that another server may have sent.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "cache_test.h"

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))

#define SMALL		100	/* bytes of a value */
#define SMALL_BATCH	1000
#define SMALL_SETS	20
#define ITEM_MAX	(1024 * 1024)
#define ITEM_REST	128	/* bytes of an item, besides its value, with such keys */
#define PAGE		4096UL

#define BIG_VALUES	8
#define BIG		1000000
#define UNREAD		40	/* clients */
#define FLUSHED_ROOM	50	/* of BIG, in what is empty again: 64 MiB in all */

static char value[ITEM_MAX + 512];
static int small_items;

static __u64 now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

/* Reads a line of an answer, without its end. */
static const char *read_line(int fd)
{
	static char line[256];
	size_t len = 0;

	while (len < sizeof(line) - 1 && receive(fd, line + len, 1) == 1)
		if (line[len++] == '\n')
			break;
	if (len < 2 || line[len - 1] != '\n')
		errx(1, "no answer");
	line[len - 2] = 0;
	return line;
}

static const char *set_value(int fd, const char *key, size_t len)
{
	size_t head = sprintf(value, "set %s 0 0 %zu\r\n", key, len);

	memset(value + head, 'v', len);
	memcpy(value + head + len, "\r\n", 2);
	send_all(fd, value, head + len + 2);
	return read_line(fd);
}

/* Small items until the first one has to go. */
static void fill(int fd)
{
	static char batch[SMALL_BATCH * (SMALL + 64)];
	__u64 before = stat_of(fd, "evictions");
	char small[SMALL + 1] = {};
	char *to;
	int i;

	memset(small, 's', SMALL);
	while (stat_of(fd, "evictions") == before) {
		to = batch;
		for (i = 0; i < SMALL_BATCH; i++)
			to += sprintf(to, "set item-%07d 0 0 %d noreply\r\n%s\r\n",
				      small_items++, SMALL, small);
		to += sprintf(to, "verbosity 1\r\n");
		send_all(fd, batch, to - batch);
		if (strcmp(read_line(fd), "OK"))
			errx(1, "a set in silence was answered");
	}
}

/* From then on, those that lie next to each other are not of the same age. */
static void use_some(int fd)
{
	static char batch[SMALL_BATCH * 64];
	char *to;

	for (int i = 0; i < small_items / SMALL_BATCH; i++) {
		to = batch;
		for (int j = 0; j < SMALL_BATCH / 8; j++)
			to += sprintf(to, "touch item-%07d 0 noreply\r\n",
				      random_number() % small_items);
		to += sprintf(to, "verbosity 1\r\n");
		send_all(fd, batch, to - batch);
		if (strcmp(read_line(fd), "OK"))
			errx(1, "a touch in silence was answered");
	}
}

/*
 * One set of so many bytes: what it costs the small items, and how long it takes the
 * server. What must go, and no more than twice that, has gone.
 */
static void evict_by(int fd, size_t size, __u64 limit_us)
{
	size_t pages = (size + ITEM_REST + PAGE - 1) / PAGE;
	__u64 items = stat_of(fd, "curr_items"), bytes = stat_of(fd, "bytes"), cpu, wall, after;
	__u64 lost_bytes;
	const char *said;
	char key[32];

	snprintf(key, sizeof(key), "large-%zu", size);
	cpu = stat_of(fd, "cpu_microseconds");
	wall = now_us();
	said = set_value(fd, key, size);
	wall = now_us() - wall;
	cpu = stat_of(fd, "cpu_microseconds") - cpu;
	after = stat_of(fd, "curr_items");
	lost_bytes = bytes + size + ITEM_REST - stat_of(fd, "bytes");
	printf("set of %7zu bytes: %llu items, then %llu: %llu bytes less, %llu us, %llu of CPU\n",
	       size, items, after, lost_bytes, wall, cpu);
	if (strcmp(said, "STORED"))
		errx(1, "%s", said);
	if (lost_bytes > 2 * pages * PAGE)
		errx(1, "more than twice its bytes were evicted");
	if (cpu > limit_us)
		errx(1, "it took the server more than %llu us", limit_us);
}

/*
 * memcached takes the first page of each size beyond its limit, and loses nothing for that;
 * later ones of the size take the place of each other.
 */
static void compare_with(int fd, size_t size)
{
	__u64 items = stat_of(fd, "curr_items"), taken;
	const char *said;
	char key[32];

	snprintf(key, sizeof(key), "large-%zu", size);
	said = set_value(fd, key, size);
	if (strcmp(said, "STORED"))
		errx(1, "memcached: %s", said);
	taken = stat_in(fd, "stats slabs\r\n", "total_malloced");
	printf("memcached, %zu bytes: %llu items, then %llu; it has %llu KiB of %llu\n",
	       size, items, stat_of(fd, "curr_items"), taken / 1024,
	       stat_of(fd, "limit_maxbytes") / 1024);
}

/* An item takes the place of another one of its size. */
static void evict_one(int fd, int nr)
{
	__u64 items = stat_of(fd, "curr_items"), after;
	char key[32];

	snprintf(key, sizeof(key), "just-%07d", nr);
	if (strcmp(set_value(fd, key, SMALL), "STORED"))
		errx(1, "not stored");
	after = stat_of(fd, "curr_items");
	if (after < items)
		errx(1, "%llu items had to go for one of the same size", items - after + 1);
}

/* What is evicted for a set is one item, or no more than twice the pages that it needs. */
static void check_bound(int fd, const char *key, size_t size)
{
	size_t pages = (size + ITEM_REST + PAGE - 1) / PAGE;
	__u64 evictions = stat_of(fd, "evictions"), bytes = stat_of(fd, "bytes"), lost;
	const char *said = set_value(fd, key, size);

	/* Three pages are a slab, of which there may be no smaller one. */
	if (pages < 3)
		pages = 3;
	evictions = stat_of(fd, "evictions") - evictions;
	lost = bytes + size + ITEM_REST - stat_of(fd, "bytes");
	if (strcmp(said, "STORED"))
		errx(1, "%zu bytes: '%s'", size, said);
	if (evictions > 1 && lost > 2 * pages * PAGE)
		errx(1, "for %zu bytes, %llu items of %llu bytes were evicted", size, evictions,
		     lost);
}

/* Values of all sizes, small ones more often, each with a key of its own. */
void test_mixed(unsigned long port, unsigned long sets)
{
	int fd = tcp_open(port);
	char key[32];
	size_t size;

	for (unsigned long i = 0; i < sets; i++) {
		size = 1UL << random_number() % 20;
		size += random_number() % size;
		if (size > 1000000)
			size = 1000000;
		snprintf(key, sizeof(key), "mixed-%lu", i);
		check_bound(fd, key, size);
	}
	printf("mixed: %lu sets, %llu evictions, %llu items\n", sets, stat_of(fd, "evictions"),
	       stat_of(fd, "curr_items"));
	if (stat_of(fd, "evictions") < sets / 4)
		errx(1, "too little was evicted for this to mean anything");
}

/*
 * The items are gone at once, which takes the server no longer than any request; their
 * memory comes back by and by.
 */
static void check_flush(int fd, __u64 limit_us)
{
	__u64 items = stat_of(fd, "curr_items"), cpu = stat_of(fd, "cpu_microseconds");
	char key[32];

	send_all(fd, "flush_all\r\n", 11);
	if (strcmp(read_line(fd), "OK"))
		errx(1, "not flushed");
	if (stat_of(fd, "curr_items") || stat_of(fd, "bytes"))
		errx(1, "there is something after flush_all");
	if (strcmp(set_value(fd, "after", SMALL), "STORED"))
		errx(1, "not stored");
	cpu = stat_of(fd, "cpu_microseconds") - cpu;
	printf("flush_all of %llu items and a set: %llu us of CPU\n", items, cpu);
	if (cpu > limit_us)
		errx(1, "it took the server more than %llu us", limit_us);
	for (int i = small_items - SMALL_BATCH; i < small_items; i++) {
		sprintf(value, "get item-%07d\r\n", i);
		send_all(fd, value, strlen(value));
		if (strcmp(read_line(fd), "END"))
			errx(1, "item-%07d is there after flush_all", i);
	}
	sleep(1);
	items = stat_of(fd, "evictions") + stat_of(fd, "reclaimed");
	for (int i = 0; i < FLUSHED_ROOM; i++) {
		snprintf(key, sizeof(key), "room-%d", i);
		if (strcmp(set_value(fd, key, BIG), "STORED"))
			errx(1, "no room after flush_all");
	}
	if (stat_of(fd, "evictions") + stat_of(fd, "reclaimed") != items)
		errx(1, "after flush_all, items had to go for %d large ones", FLUSHED_ROOM);
}

void test_evict(unsigned long port, unsigned long limit_us, unsigned long other)
{
	static const size_t sizes[] = {
		4096, 8192, 20000, 65536, 130000, 262144, 524288, 1000000,
	};
	int fd = tcp_open(port), memcached = tcp_open(other);

	fill(fd);
	use_some(fd);
	for (int i = 0; i < SMALL_SETS; i++)
		evict_one(fd, i);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill(fd);
		evict_by(fd, sizes[i], limit_us);
	}
	check_flush(fd, limit_us);
	fill(memcached);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		compare_with(memcached, sizes[i]);
}

static void expect(int fd, const char *wanted)
{
	const char *said = read_line(fd);

	if (strcmp(said, wanted))
		errx(1, "'%s', not '%s'", said, wanted);
}

/*
 * In 2 MiB: on neither side of an item is there room for what it is to become. It stays,
 * and so does the other one.
 */
void test_no_room(unsigned long port)
{
	const size_t len = 500000;
	int fd = tcp_open(port);
	size_t head;

	if (strcmp(set_value(fd, "other", 600000), "STORED") ||
	    strcmp(set_value(fd, "old", len), "STORED"))
		errx(1, "not stored");
	head = sprintf(value, "append old 0 0 %zu\r\n", len);
	memset(value + head, 'v', len);
	memcpy(value + head + len, "\r\n", 2);
	send_all(fd, value, head + len + 2);
	expect(fd, "SERVER_ERROR out of memory storing object");
	if (stat_of(fd, "curr_items") != 2 || stat_of(fd, "evictions"))
		errx(1, "items were lost for one that was not stored");
	send_all(fd, "incr old 1\r\n", 12);
	expect(fd, "CLIENT_ERROR cannot increment or decrement non-numeric value");
	printf("no room: refused, and nothing is lost\n");
}

static size_t read_to_end(int fd)
{
	static char some[65536];
	size_t len = 0, got;

	while ((got = receive(fd, some, sizeof(some))))
		len += got;
	return len;
}

/* The client is slow: most of the answer has to wait for it, and then there is an end. */
static void check_unsent(unsigned long port, const char *name, const char *end, size_t nend,
			 size_t wanted)
{
	static const char get[] = "get b0 b1 b2 b3 b4 b5 b6 b7\r\n";
	int fd = connect_to(SOCK_STREAM, port);
	size_t got;

	send_all(fd, get, strlen(get));
	send_all(fd, end, nend);
	if (!nend)
		shutdown(fd, SHUT_WR);
	usleep(500000);
	got = read_to_end(fd);
	close(fd);
	printf("answer before %s: %zu bytes\n", name, got);
	if (got != wanted)
		errx(1, "there should be %zu bytes", wanted);
}

void test_unsent(unsigned long port)
{
	const size_t head = strlen("VALUE b0 0 1000000\r\n") + 2, junk = 100000;
	const size_t wanted = BIG_VALUES * (BIG + head) + strlen("END\r\n");
	char key[3] = "b0", *end = calloc(1, junk + 16);
	int fd = tcp_open(port);

	for (; key[1] < '0' + BIG_VALUES; key[1]++)
		if (strcmp(set_value(fd, key, BIG), "STORED"))
			errx(1, "not stored");
	memset(end, 'x', junk);
	memcpy(end, "quit\r\n", 6);
	check_unsent(port, "the end of the input", end, 0, wanted);
	check_unsent(port, "quit", end, 6, wanted);
	check_unsent(port, "quit and more", end, junk, wanted);
	memset(end, 'x', junk);
	check_unsent(port, "a line too long", end, junk,
		     wanted + strlen("CLIENT_ERROR line too long\r\n"));
	free(end);
}

/* Field 1 of statm is what the process has mapped, 2 what it has of that; in pages */
static unsigned long memory_of(pid_t pid, int field)
{
	unsigned long mapped, resident;
	char name[64];
	FILE *statm;

	snprintf(name, sizeof(name), "/proc/%d/statm", pid);
	statm = fopen(name, "r");
	if (!statm || fscanf(statm, "%lu %lu", &mapped, &resident) != 2)
		errx(1, "cannot read %s", name);
	fclose(statm);
	return field == 1 ? mapped : resident;
}

static void ask_without_reading(unsigned long port, int *fd, const char *text)
{
	for (int i = 0; i < UNREAD; i++) {
		fd[i] = connect_to(SOCK_STREAM, port);
		send_all(fd[i], text, strlen(text));
	}
	sleep(1);
}

/* Of each the server keeps one value, and not all for which it asked. */
static void check_unread(unsigned long port, pid_t pid)
{
	unsigned long pages = memory_of(pid, 2);
	int fd[UNREAD];

	ask_without_reading(port, fd, "get b0 b1 b2 b3 b4 b5 b6 b7\r\n");
	pages = memory_of(pid, 2) - pages;
	for (int i = 0; i < UNREAD; i++)
		close(fd[i]);
	printf("unread answers: %lu KiB for %d clients\n", pages * PAGE / 1024, UNREAD);
	if (pages * PAGE > UNREAD * BIG * 3UL / 2)
		errx(1, "the server keeps too much of what nobody reads");
}

static void set_memory(pid_t pid, rlim_t bytes)
{
	struct rlimit limit;

	if (prlimit(pid, RLIMIT_AS, NULL, &limit))
		err(1, "prlimit");
	limit.rlim_cur = bytes;
	if (prlimit(pid, RLIMIT_AS, &limit, NULL))
		err(1, "prlimit");
}

static size_t length_of(unsigned long port, const char *text)
{
	int fd = connect_to(SOCK_STREAM, port);
	size_t got;

	send_all(fd, text, strlen(text));
	got = read_to_end(fd);
	close(fd);
	return got;
}

/* There is memory for some of the answers. The others end after a value, and not in one. */
static void check_no_memory(unsigned long port, pid_t pid)
{
	const size_t end = strlen("END\r\n");
	const size_t one = length_of(port, "gets b0\r\nquit\r\n") - end;
	int fd[UNREAD], whole = 0;
	size_t got;

	set_memory(pid, (memory_of(pid, 1) + 10 * BIG / PAGE) * PAGE);
	ask_without_reading(port, fd, "gets b0 b1 b2 b3 b4 b5 b6 b7\r\nquit\r\n");
	for (int i = 0; i < UNREAD; i++) {
		got = read_to_end(fd[i]);
		close(fd[i]);
		if (got == BIG_VALUES * one + end)
			whole++;
		else if (got % one)
			errx(1, "%zu bytes, values of %zu", got, one);
	}
	set_memory(pid, RLIM_INFINITY);
	printf("without memory: %d of %d answers, and no part of a value\n", whole, UNREAD);
	if (!whole || whole == UNREAD)
		errx(1, "the server had memory all the time, or never");
}

static void answers(int fd)
{
	send_all(fd, "verbosity 1\r\n", 13);
	expect(fd, "OK");
}

/* One client takes as much as it can get. Another one, who asks for little, gets it. */
static void check_fair(unsigned long port)
{
	int fd = connect_to(SOCK_STREAM, port);
	pid_t greedy = fork();
	__u64 us = 0, begin;

	if (greedy < 0)
		err(1, "fork");
	if (!greedy) {
		close(fd);
		fd = connect_to(SOCK_STREAM, port);
		for (int i = 0; i < 1000; i++)
			send_all(fd, "get b0 b1 b2 b3 b4 b5 b6 b7\r\n", 29);
		read_to_end(fd);
		_exit(1);
	}
	for (int i = 0; i < 20; i++) {
		usleep(100000);
		begin = now_us();
		answers(fd);
		begin = now_us() - begin;
		us = us > begin ? us : begin;
	}
	kill(greedy, SIGKILL);
	waitpid(greedy, NULL, 0);
	close(fd);
	printf("beside a greedy client: %llu us at most\n", us);
	if (us > 2000000)
		errx(1, "one client has the server to itself");
}

/* Over UDP there is no going on: what would be too long is refused. */
static void check_long_datagram(unsigned long port)
{
	static const char get[] = "\0\1\0\0\0\1\0\0get b0 b1\r\n";
	static const char wanted[] = "SERVER_ERROR answer too long for UDP\r\n";
	int fd = connect_to(SOCK_DGRAM, port);
	char answer[2048];
	ssize_t got;

	if (send(fd, get, sizeof(get) - 1, 0) < 0)
		err(1, "send");
	got = recv(fd, answer, sizeof(answer), 0);
	close(fd);
	if (got != 8 + (ssize_t)strlen(wanted) || memcmp(answer + 8, wanted, got - 8))
		errx(1, "%.*s", (int)got - 8, answer + 8);
}

/* With the values of test_unsent() */
void test_unread(unsigned long port, pid_t pid)
{
	check_no_memory(port, pid);
	check_unread(port, pid);
	check_fair(port);
	check_long_datagram(port);
}

static void set_files(pid_t pid, unsigned long files)
{
	struct rlimit limit;

	if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit))
		err(1, "prlimit");
	limit.rlim_cur = files;
	if (limit.rlim_max < files)
		limit.rlim_max = files;
	if (prlimit(pid, RLIMIT_NOFILE, &limit, NULL))
		err(1, "prlimit");
}

/* User and system time, in ticks of 10 ms */
static unsigned long ticks(pid_t pid)
{
	unsigned long user, sys;
	char name[64];
	FILE *stat;

	/* They come eleven fields after the state. */
	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	stat = fopen(name, "r");
	if (!stat || fscanf(stat, "%*[^)]) %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu",
			    &user, &sys) != 2)
		errx(1, "cannot read %s", name);
	fclose(stat);
	return user + sys;
}

/* As many as -c says, and then one more. */
static void check_connections(unsigned long port, unsigned long connections)
{
	int *fd = calloc(connections + 1, sizeof(*fd));
	unsigned long i;

	for (i = 0; i < connections; i++) {
		fd[i] = connect_to(SOCK_STREAM, port);
		answers(fd[i]);
	}
	fd[i] = connect_to(SOCK_STREAM, port);
	expect(fd[i], "ERROR Too many open connections");
	for (i = 0; i <= connections; i++)
		close(fd[i]);
	free(fd);
	printf("connections: %lu are served, and the next one is refused\n", connections);
}

/* Without files: clients wait, and the server sleeps. */
static void check_rest(unsigned long port, pid_t pid, unsigned long files)
{
	int first = connect_to(SOCK_STREAM, port), second, third;
	unsigned long busy;

	answers(first);
	set_files(pid, 3);
	second = connect_to(SOCK_STREAM, port);
	third = connect_to(SOCK_STREAM, port);
	busy = ticks(pid);
	sleep(2);
	busy = ticks(pid) - busy;
	printf("without descriptors: %lu ticks of CPU in 2 s\n", busy);
	if (busy > 20)
		errx(1, "the server spins");
	answers(first);
	set_files(pid, files);
	answers(second);
	answers(third);
	if (!stat_of(first, "listen_disabled_num"))
		errx(1, "the server had descriptors all the time");
	close(first);
	close(second);
	close(third);
}

void test_files(unsigned long port, pid_t pid, unsigned long connections)
{
	set_files(getpid(), connections + 64);
	check_connections(port, connections);
	check_rest(port, pid, connections + 64);
}

/* A datagram from any port, as a sender that hides makes it. */
static void send_spoofed(__u16 from, __u16 to, const char *text)
{
	struct sockaddr_in where = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	size_t len = 16 + strlen(text);
	char packet[256] = {};
	__u16 head[8] = {
		htons(from), htons(to), htons(len), 0, htons(77), 0, htons(1), 0,
	};

	memcpy(packet, head, 16);
	memcpy(packet + 16, text, strlen(text));
	if (fd < 0 || sendto(fd, packet, len, 0, (void *)&where, sizeof(where)) < 0)
		err(1, "raw socket");
	close(fd);
}

/* Is there an answer to a datagram that comes from the server's own port? */
static bool answers_port(unsigned long port)
{
	struct sockaddr_in own = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1),
	}, to = own;
	static const char get[] = "\0\1\0\0\0\1\0\0get loop\r\n";
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct pollfd pollfd = { fd, POLLIN, 0 };
	bool answered;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (void *)&own, sizeof(own)) ||
	    sendto(fd, get, sizeof(get) - 1, 0, (void *)&to, sizeof(to)) < 0)
		err(1, "cannot send from port %lu", port);
	answered = poll(&pollfd, 1, 1000) > 0;
	close(fd);
	return answered;
}

/*
 * Another server at port @other: what one tells is a request to the other. The value has a
 * command in it, too.
 */
void test_echo(unsigned long port, unsigned long other)
{
	static const char * const texts[] = {
		"nonsense\r\n", "get loop\r\n", "get none\r\n", "set\r\n", "get a b\r\n",
	};
	int fd[2] = { tcp_open(port), tcp_open(other) };
	__u64 requests;

	for (int i = 0; i < 2; i++)
		tcp_set(fd[i], "loop", "\r\nget loop\r\n", 12, 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		send_spoofed(other, port, texts[i]);
		send_spoofed(port, other, texts[i]);
		send_spoofed(port, port, texts[i]);
	}
	sleep(1);
	requests = stat_of(fd[0], "udp_server");
	printf("echo: %llu requests 1 s after %zu datagrams\n", requests,
	       3 * ARRAY_SIZE(texts));
	/* memcached answers an answer, and has none in return. */
	if (requests > 2 * 3 * ARRAY_SIZE(texts))
		errx(1, "two servers answer each other");
	if (answers_port(port))
		errx(1, "an answer to the server's own port");
}
