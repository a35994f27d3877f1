// SPDX-License-Identifier: GPL-2.0
/*
 * Gives the same input to an arena-cache and to a memcached, and compares what they say.
 *
 * In an input, {cas} stands for the number that gets has told for the key num, and '@'
 * and '^' for what the table's users put there. Whatever is different must have a name
 * here, and must be different.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "cache_test.h"

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))

#define INPUT_MAX	(2 * 1024 * 1024)
#define ANSWER_MAX	(256 * 1024)
#define MANY_KEYS	9000
#define SOME_KEYS	300
#define TOO_LONG	1048577	/* bytes of a value */
#define HALF		600000	/* bytes, twice too many for an item */
#define SILENCE		500	/* ms after which a datagram has no answer */

/* What both have at the beginning, and what is asked at the end. */
#define BEFORE	"flush_all\r\nset num 5 0 2\r\n10\r\nset txt 7 0 3\r\nabc\r\ngets num\r\n"
#define AFTER	"get num txt new\r\n"

enum difference {
	NONE,
	DATE,
	LENGTH,
	WORDS,
	UNSENT,
	JOINED,
	LONG_LINE,
	OTHER_COMMANDS,
	VERSION,
	STATS,
	DATAGRAM,
	DATAGRAMS,
	DIFFERENCES
};

/* The answer of arena-cache begins so. */
static const struct {
	const char *name, *begin, *reason;
} differences[DIFFERENCES] = {
	[DATE] = { "date", NULL, "times have 64 bits, and do not end in 2038" },
	[LENGTH] = { "length", "CLIENT_ERROR bad command line format\r\n",
		     "one of more than 32 bits is none, and not its lower bits" },
	[WORDS] = { "words", "ERROR\r\nVALUE num 5 2\r\n",
		    "the data after a line with too many words are no commands" },
	[UNSENT] = { "unsent", "SERVER_ERROR object too large for cache\r\n",
		     "an answer is sent although the data to be refused end early" },
	[JOINED] = { "joined", "STORED\r\nSERVER_ERROR object too large for cache\r\n",
		     "with the value that is there, it is too large: that is not a missing key" },
	[LONG_LINE] = { "long line", "CLIENT_ERROR line too long\r\n",
			"the client is told why the connection ends" },
	[OTHER_COMMANDS] = { "other commands", "ERROR\r\n",
			     "meta, slabs, lru and such are of memcached's inside" },
	[VERSION] = { "version", "VERSION ", "it says which server it is" },
	[STATS] = { "statistics", "", "what they count is another server's" },
	[DATAGRAM] = { "datagram", "", "over UDP no answer is given to what may be one" },
	[DATAGRAMS] = { "datagrams", "VALUE num 5 2\r\n10\r\nVALUE txt 7 3\r\nabc\r\nEND\r\n",
			"the first one says how many there are" },
};

struct input {
	const char *text;
	enum difference differs;
	const char *begin;	/* in place of the difference's */
};

static const char * const storage_commands[] = {
	"set", "add", "replace", "append", "prepend", "cas",
};

/* '@' is the command and a key, '^' the number that cas wants. */
static const struct input storage[] = {
	{ "@ 0 0 1^\r\nx\r\n" },
	{ "@ 0 0 0^\r\n\r\n" },
	{ "@ 0 0 4^\r\na\r\nb\r\n" },
	{ "@ 0 0 1^\nx\r\n" },
	{ " @ 0 0 1^\r\nx\r\n" },
	{ "@  0   0 1^  \r\nx\r\n" },
	{ "@ 0 0 1^ \t\r\nx\r\n" },
	/* flags */
	{ "@ 4294967295 0 1^\r\nx\r\n" },
	{ "@ 4294967296 0 1^\r\nx\r\n" },
	{ "@ 4294967301 0 1^\r\nx\r\n" },
	{ "@ 18446744073709551615 0 1^\r\nx\r\n" },
	{ "@ 18446744073709551616 0 1^\r\nx\r\n" },
	{ "@ -1 0 1^\r\nx\r\n" },
	{ "@ -18446744073709551615 0 1^\r\nx\r\n" },
	{ "@ +3 0 1^\r\nx\r\n" },
	{ "@ 003 0 1^\r\nx\r\n" },
	{ "@ 00000000000000000000000000000003 0 1^\r\nx\r\n" },
	{ "@ 3x 0 1^\r\nx\r\n" },
	{ "@ 3\t 0 1^\r\nx\r\n" },
	{ "@ 3\tx 0 1^\r\nx\r\n" },
	{ "@ \t3 0 1^\r\nx\r\n" },
	{ "@ \t 0 1^\r\nx\r\n" },
	{ "@ x 0 1^\r\nx\r\n" },
	{ "@ 0x10 0 1^\r\nx\r\n" },
	{ "@ 3.5 0 1^\r\nx\r\n" },
	/* time */
	{ "@ 0 -1 1^\r\nx\r\n" },
	{ "@ 0 -2147483648 1^\r\nx\r\n" },
	{ "@ 0 100 1^\r\nx\r\n" },
	{ "@ 0 +100 1^\r\nx\r\n" },
	{ "@ 0 100x 1^\r\nx\r\n" },
	{ "@ 0 x 1^\r\nx\r\n" },
	{ "@ 0 2592000 1^\r\nx\r\n" },
	{ "@ 0 2592001 1^\r\nx\r\n" },
	{ "@ 0 2147483647 1^\r\nx\r\n" },
	{ "@ 0 9223372036854775808 1^\r\nx\r\n" },
	/* length */
	{ "@ 0 0 +1^\r\nx\r\n" },
	{ "@ 0 0 01^\r\nx\r\n" },
	{ "@ 0 0 -1^\r\nx\r\n" },
	{ "@ 0 0 1x^\r\nx\r\n" },
	{ "@ 0 0 x^\r\nx\r\n" },
	{ "@ 0 0 1^\r\nxyz\r\n" },
	{ "@ 0 0 3^\r\nx\r\n" },
	{ "@ 0 0 3^\r\nx\r\nget num\r\n" },
	{ "@ 0 0 1^\r\nx\n" },
	{ "@ 0 0 1^\r\nxget num\r\n" },
	{ "@ 0 0 1048577^\r\nx\r\n", UNSENT },
	{ "@ 0 0 1048577^ noreply\r\nx\r\n" },
	{ "@ 0 0 2147483645^\r\nx\r\n", UNSENT },
	{ "@ 0 0 2147483646^\r\nx\r\n" },
	{ "@ 0 0 2147483648^\r\nx\r\n" },
	/* words */
	{ "@ 0 0 1^ noreply\r\nx\r\n" },
	{ "@ 0 0 1^ NOREPLY\r\nx\r\n" },
	{ "@ 0 0 1^ extra\r\nx\r\n" },
	{ "@ 0 0 1^ extra\r\nget num\r\n" },
	{ "@ 0 0 1^ extra noreply\r\nx\r\n", WORDS },
	{ "@ 0 0 9^ a b c\r\nflush_all\r\n", WORDS },
	{ "@ 0 0 9^ a b c d e f g h i\r\nflush_all\r\n", WORDS },
	{ "@ 0 0 x^ a b\r\nx\r\n" },
	{ "@ x 0 1^ noreply\r\nx\r\n" },
	{ "@ 0 x 1^ noreply\r\nx\r\n" },
	{ "@ 0 0 x^ noreply\r\nx\r\n" },
	{ "@ 0 0 3^ noreply\r\nx\r\nget num\r\n" },
	{ "@ 0 0 noreply\r\nx\r\n" },
	{ "@ 0 0\r\nx\r\n" },
	{ "@ 0\r\n" },
	{ "@\r\n" },
};

static const struct input cas_numbers[] = {
	{ "cas num 0 0 1 1\r\nx\r\n" },
	{ "cas num 0 0 1 0\r\nx\r\n" },
	{ "cas num 0 0 1 x\r\nx\r\n" },
	{ "cas num 0 0 1 -1\r\nx\r\n" },
	{ "cas num 0 0 1 +{cas}\r\nx\r\n" },
	{ "cas num 0 0 1 {cas}x\r\nx\r\n" },
	{ "cas num 0 0 1 18446744073709551616\r\nx\r\n" },
	{ "cas num 0 0 1 1 noreply\r\nx\r\n" },
	{ "cas num 0 0 1 noreply\r\nx\r\n" },
	{ "cas num 0 0 1 {cas}\r\nx\r\ncas num 0 0 1 {cas}\r\ny\r\n" },
	{ "touch num 0\r\ncas num 0 0 1 {cas}\r\nx\r\n" },
	{ "incr num 1\r\ncas num 0 0 1 {cas}\r\nx\r\n" },
	{ "append num 0 0 1\r\n1\r\ncas num 0 0 1 {cas}\r\nx\r\n" },
};

/* After "incr" or "decr" */
static const char * const arithmetic[] = {
	"num 1", "num 0", "num 10", "num 11", "num 90", "num 18446744073709551615",
	"num 18446744073709551616", "num -1", "num +1", "num 1x", "num x", "num 01", "num",
	"num 1 noreply", "num x noreply", "num 1 extra", "num 1 2 3", "num noreply", "txt 1",
	"txt 1 noreply", "txt x", "new 1", "new x", "new 1 noreply", "num 1\t", "",
	"num -18446744073709551615", "num 1\r\nincr num 1\r\ndecr num 1",
};

/* What is in num, for both */
static const char * const numbers[] = {
	"0", "9", "99", "100", "007", " 7", "7 ", "7  ", "+7", "-7", "7a", "a7", "0x7", "7.5",
	"", "7\t", "7\n", "18446744073709551615", "18446744073709551616",
	"18446744073709551610", "000000000000000000000000000007", "-18446744073709551615",
};

static const char * const number_commands[] = {
	"incr num 1", "decr num 1", "decr num 1000", "incr num 18446744073709551615",
	"incr num 6\r\nappend num 0 0 1\r\n0\r\nincr num 1",
};

static const struct input others[] = {
	{ "set num 0 -2147483649 1\r\nx\r\n", DATE, "STORED\r\nVALUE txt" },
	{ "set num 0 2147483648 1\r\nx\r\n", DATE, "STORED\r\nVALUE num 0 1" },
	{ "set num 0 4102444800 1\r\nx\r\n", DATE, "STORED\r\nVALUE num 0 1" },
	{ "set num 0 9223372036854775807 1\r\nx\r\n", DATE, "STORED\r\nVALUE num 0 1" },
	{ "set num 0 0 4294967297\r\nx\r\n", LENGTH },
	{ "set num 0 0 -4294967295\r\nx\r\n", LENGTH },
	{ "\r\n" },
	{ "\n" },
	{ " \r\n" },
	{ "a\r\n" },
	{ "x num\r\n" },
	{ "GET num\r\n" },
	{ "ge num\r\n" },
	{ "getx num\r\n" },
	{ "get num" },
	{ "get\r\n" },
	{ "get \r\n" },
	{ "get num\n" },
	{ "get num\r\r\n" },
	{ "get num \r\n" },
	{ "get  num\r\n" },
	{ "  get num\r\n" },
	{ "\tget num\r\n" },
	{ "get\tnum\r\n" },
	{ "get num txt\r\n" },
	{ "get num txt num\r\n" },
	{ "get none num none txt none\r\n" },
	{ "get num noreply\r\n" },
	{ "gets num txt\r\n" },
	{ "gets\r\n" },
	{ "gets none\r\n" },
	{ "gat\r\n" },
	{ "gat 0\r\n" },
	{ "gat num\r\n" },
	{ "gat 0 num\r\n" },
	{ "gat 0 num none txt\r\n" },
	{ "gat -1 num\r\nget num\r\n" },
	{ "gat x num\r\n" },
	{ "gat 100x num\r\n" },
	{ "gat 2147483648 num\r\n", DATE, "VALUE num 5 2" },
	{ "gats 100 num\r\n" },
	{ "gats 100\r\n" },
	{ "touch\r\n" },
	{ "touch num\r\n" },
	{ "touch num 0\r\n" },
	{ "touch num 100\r\n" },
	{ "touch num -1\r\n" },
	{ "touch num x\r\n" },
	{ "touch none x\r\n" },
	{ "touch none 0\r\n" },
	{ "touch num 0 noreply\r\n" },
	{ "touch num x noreply\r\n" },
	{ "touch none 0 noreply\r\n" },
	{ "touch num 0 extra\r\n" },
	{ "touch num 0 extra more\r\n" },
	{ "touch num noreply\r\n" },
	{ "touch num 4102444800\r\n", DATE, "TOUCHED\r\nVALUE num 5 2" },
	{ "delete\r\n" },
	{ "delete num\r\n" },
	{ "delete none\r\n" },
	{ "delete num 0\r\n" },
	{ "delete num 1\r\n" },
	{ "delete num noreply\r\n" },
	{ "delete none noreply\r\n" },
	{ "delete num 0 noreply\r\n" },
	{ "delete num 1 noreply\r\n" },
	{ "delete num noreply noreply\r\n" },
	{ "delete num 0 0\r\n" },
	{ "delete num extra\r\n" },
	{ "delete num a b c\r\n" },
	{ "delete noreply\r\n" },
	{ "delete num\r\ndelete num\r\nadd num 0 0 1\r\nx\r\n" },
	{ "flush_all\r\n" },
	{ "flush_all 0\r\n" },
	{ "flush_all noreply\r\n" },
	{ "flush_all 0 noreply\r\n" },
	{ "flush_all x noreply\r\n" },
	{ "flush_all -1\r\n" },
	{ "flush_all x\r\n" },
	{ "flush_all 1x\r\n" },
	{ "flush_all 100 2\r\n" },
	{ "flush_all x 2\r\n" },
	{ "flush_all 100 2 3\r\n" },
	{ "verbosity\r\n" },
	{ "verbosity 0\r\n" },
	{ "verbosity x\r\n" },
	{ "verbosity 0 noreply\r\n" },
	{ "verbosity x noreply\r\n" },
	{ "verbosity noreply\r\n" },
	{ "verbosity 0 0\r\n" },
	{ "verbosity 0 0 0\r\n" },
	{ "version\r\n", VERSION },
	{ "version extra\r\n", VERSION },
	{ "stats\r\n", STATS },
	{ "stats reset\r\n" },
	{ "stats nonsense\r\n" },
	{ "stats items\r\n", STATS },
	{ "quit\r\n" },
	{ "quit extra\r\n" },
	{ "get num\r\nquit\r\n" },
	{ "get num\r\nquit\r\nget txt\r\n" },
	{ "set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\nget a b\r\ndelete a\r\nget a b\r\n" },
	{ "set a 0 0 1 noreply\r\n1\r\nadd a 0 0 1 noreply\r\n2\r\nget a\r\n" },
	{ "add num 0 0 1 noreply\r\nx\r\nreplace none 0 0 1 noreply\r\nx\r\nget num\r\n" },
	{ "mn\r\n", OTHER_COMMANDS },
	{ "mg num v\r\n", OTHER_COMMANDS },
	{ "me none\r\n", OTHER_COMMANDS },
	{ "bget num\r\n", OTHER_COMMANDS },
	{ "slabs automove 1\r\n", OTHER_COMMANDS },
	{ "lru mode flat\r\n", OTHER_COMMANDS },
	{ "cache_memlimit 64\r\n", OTHER_COMMANDS },
	{ "shutdown\r\n", OTHER_COMMANDS },
	{ "slabs\r\n" },
	{ "mx\r\n" },
};

/* Over UDP: no answer is one that can be compared, too. */
static const struct input datagrams[] = {
	{ "get num\r\n" },
	{ "get none\r\n" },
	{ "get num txt none\r\n", DATAGRAMS },
	{ "get\r\n" },
	{ "set new 0 0 1\r\nx\r\n" },
	{ "set new x 0 1\r\nx\r\n" },
	{ "set new 0 0 1 noreply\r\nx\r\n" },
	{ "incr num 1\r\n" },
	{ "delete none\r\n" },
	{ "ERROR\r\n", DATAGRAM },
	{ "END\r\n", DATAGRAM },
	{ "VALUE num 0 9\r\nget num\r\n\r\nEND\r\n", DATAGRAM },
	{ "nonsense\r\n", DATAGRAM },
};

static unsigned long ports[2];
static int inputs, equal, counts[DIFFERENCES];
static bool failed;

/* All until the other end has no more to say. */
static size_t read_all(int fd, char *answer, size_t size)
{
	size_t len = 0, got;

	while (len < size - 1) {
		got = receive(fd, answer + len, size - 1 - len);
		if (!got)
			break;
		len += got;
	}
	answer[len] = 0;
	return len;
}

/* The server's own numbers are not to be compared. */
static size_t hide_cas(char *answer, size_t len)
{
	char *line = answer, *end = answer + len, *next, *last;
	size_t rest;

	while ((line = memmem(line, end - line, "VALUE ", 6))) {
		next = memmem(line, end - line, "\r\n", 2);
		if (!next)
			break;
		*next = 0;
		last = strrchr(line, ' ');
		rest = strspn(line + 6, " ");
		for (char *blank = line + 6; (blank = strchr(blank, ' ')); blank++)
			rest++;
		*next = '\r';
		if (rest == 3) {
			memmove(last, next, end - next);
			end -= next - last;
		}
		line += 6;
	}
	*end = 0;
	return end - answer;
}

/* Before there is an input: returns the number that gets tells, as text. */
static void begin(int fd, char cas[24])
{
	char text[512];
	size_t len = 0, got;

	send_all(fd, BEFORE, strlen(BEFORE));
	do {
		got = receive(fd, text + len, sizeof(text) - 1 - len);
		if (!got)
			errx(1, "no answer to '%s'", BEFORE);
		len += got;
		text[len] = 0;
	} while (!strstr(text, "END\r\n"));
	if (sscanf(text, "OK STORED STORED VALUE num 5 2 %20s", cas) != 1)
		errx(1, "not an answer: '%s'", text);
}

static size_t fill_in(char *to, const char *text, size_t len, const char *cas)
{
	const char *end = text + len;
	char *at = to;

	while (text < end) {
		if (end - text >= 5 && !memcmp(text, "{cas}", 5)) {
			at = stpcpy(at, cas);
			text += 5;
		} else {
			*at++ = *text++;
		}
	}
	return at - to;
}

/* To a server that may have closed the connection meanwhile */
static void send_some(int fd, const char *data, size_t len)
{
	ssize_t sent;

	for (; len; data += sent, len -= sent) {
		sent = send(fd, data, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
	}
}

static size_t ask(unsigned long port, const char *text, size_t len, char *answer)
{
	static char filled[INPUT_MAX];
	int fd = connect_to(SOCK_STREAM, port);
	char cas[24];

	begin(fd, cas);
	len = fill_in(filled, text, len, cas);
	len = stpcpy(filled + len, AFTER) - filled;
	send_some(fd, filled, len);
	shutdown(fd, SHUT_WR);
	len = read_all(fd, answer, ANSWER_MAX);
	close(fd);
	return hide_cas(answer, len);
}

static void print_text(const char *what, const char *text, size_t len)
{
	printf("%s: '", what);
	for (size_t i = 0; i < len && i < 300; i++) {
		if (text[i] == '\r')
			printf("\\r");
		else if (text[i] == '\n')
			printf("\\n");
		else
			putchar(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
	}
	printf("', %zu bytes\n", len);
}

static void count(const char *text, size_t len, const struct input *input,
		  char answer[2][ANSWER_MAX], const size_t nanswer[2])
{
	bool same = nanswer[0] == nanswer[1] && !memcmp(answer[0], answer[1], nanswer[0]);
	const char *wanted = input->begin ?: differences[input->differs].begin;

	inputs++;
	equal += same;
	counts[input->differs] += !same;
	if (same == !input->differs && (same || !strncmp(answer[0], wanted, strlen(wanted))))
		return;
	failed = true;
	print_text(same ? "not different" : "different", text, len);
	print_text("  arena-cache", answer[0], nanswer[0]);
	print_text("  memcached", answer[1], nanswer[1]);
}

/* @input: where @text is from; it tells what may be different */
static void compare(const char *text, size_t len, const struct input *input)
{
	static char answer[2][ANSWER_MAX];
	size_t nanswer[2];

	for (int i = 0; i < 2; i++)
		nanswer[i] = ask(ports[i], text, len, answer[i]);
	count(text, len, input, answer, nanswer);
}

static const struct input no_difference;

static void compare_text(const char *text)
{
	compare(text, strlen(text), &no_difference);
}

static void compare_inputs(const struct input *input, size_t n)
{
	for (; n--; input++)
		compare(input->text, strlen(input->text), input);
}

static void compare_storage(const char *command, const char *key, const struct input *input)
{
	char text[512], *to = text;

	for (const char *from = input->text; *from; from++) {
		if (*from == '@')
			to += sprintf(to, "%s %s", command, key);
		else if (*from != '^')
			*to++ = *from;
		else if (!strcmp(command, "cas"))
			to = stpcpy(to, " {cas}");
	}
	compare(text, to - text, input);
}

static void all_storage(void)
{
	for (size_t c = 0; c < ARRAY_SIZE(storage_commands); c++) {
		for (size_t i = 0; i < ARRAY_SIZE(storage); i++) {
			compare_storage(storage_commands[c], "num", &storage[i]);
			compare_storage(storage_commands[c], "new", &storage[i]);
		}
	}
	compare_inputs(cas_numbers, ARRAY_SIZE(cas_numbers));
}

static void all_arithmetic(void)
{
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(arithmetic); i++) {
		snprintf(text, sizeof(text), "incr %s\r\n", arithmetic[i]);
		compare_text(text);
		snprintf(text, sizeof(text), "decr %s\r\n", arithmetic[i]);
		compare_text(text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		for (size_t c = 0; c < ARRAY_SIZE(number_commands); c++) {
			snprintf(text, sizeof(text), "set num 3 0 %zu\r\n%s\r\n%s\r\n",
				 strlen(numbers[i]), numbers[i], number_commands[c]);
			compare_text(text);
		}
	}
}

/* '*' is a key of that many bytes. */
static void compare_key(const char *pattern, size_t len)
{
	char text[1024], *to = text;

	for (; *pattern; pattern++) {
		if (*pattern != '*') {
			*to++ = *pattern;
			continue;
		}
		memset(to, 'k', len);
		to += len;
	}
	compare(text, to - text, &no_difference);
}

static void all_keys(void)
{
	static const char * const patterns[] = {
		"set * 0 0 1\r\nx\r\n", "set * 0 0 1 noreply\r\nx\r\n", "get *\r\n",
		"get num * txt\r\n", "gets *\r\n", "gat 0 num *\r\n", "delete *\r\n",
		"incr * 1\r\n", "touch * 0\r\n", "cas * 0 0 1 1\r\nx\r\n",
		"delete * noreply\r\n", "incr * 1 noreply\r\n", "touch * 0 noreply\r\n",
	};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		for (size_t len = 249; len <= 252; len++)
			compare_key(patterns[i], len);
	/* Bytes of all sorts, in a key and after it */
	for (int byte = 0; byte < 256; byte++) {
		memcpy(text, "set k1k 0 0 1\r\nx\r\nget k1k\r\nget num1\r\n", 38);
		text[5] = byte;
		text[23] = byte;
		text[35] = byte;
		compare(text, 38, &no_difference);
	}
}

static void compare_many(const char *command, int keys)
{
	static char text[INPUT_MAX];
	char *to = stpcpy(text, command);

	for (int i = 0; i < keys; i++)
		to += sprintf(to, i % 1000 ? " key-%u" : " num", i);
	strcpy(to, "\r\n");
	compare_text(text);
}

/* Longer than any of the tables' */
static void all_long(void)
{
	static char text[INPUT_MAX];
	char *to;

	compare_many("get", MANY_KEYS);
	compare_many("gets", MANY_KEYS);
	/* More than 2 KiB, and less than memcached reads at once */
	compare_many("gat 0", SOME_KEYS);
	compare_many("gats 0", SOME_KEYS);
	compare_many("  get", SOME_KEYS);
	for (size_t c = 0; c < ARRAY_SIZE(storage_commands); c++) {
		to = text + sprintf(text, "%s num 0 0 %d%s\r\n", storage_commands[c], TOO_LONG,
				    strcmp(storage_commands[c], "cas") ? "" : " {cas}");
		memset(to, 'x', TOO_LONG);
		compare(text, stpcpy(to + TOO_LONG, "\r\n") - text, &no_difference);
	}
	to = text + sprintf(text, "set big 0 0 %d\r\n", HALF);
	memset(to, 'x', HALF);
	to += HALF + sprintf(to + HALF, "\r\nappend big 0 0 %d\r\n", HALF);
	memset(to, 'x', HALF);
	compare(text, stpcpy(to + HALF, "\r\n") - text,
		&(struct input){ text, JOINED });
	memset(text, 'x', 40000);
	compare(text, 40000, &(struct input){ text, LONG_LINE });
}

/* In any number of datagrams, of which each says how many there are. */
static size_t read_datagrams(int fd, char *answer)
{
	struct pollfd pollfd = { fd, POLLIN, 0 };
	unsigned char packet[2048];
	size_t len = 0;
	int left = -1;
	ssize_t got;

	while (left && poll(&pollfd, 1, SILENCE) > 0) {
		got = recv(fd, packet, sizeof(packet), 0);
		if (got < 8)
			break;
		if (left < 0)
			left = packet[4] << 8 | packet[5];
		memcpy(answer + len, packet + 8, got - 8);
		len += got - 8;
		left--;
	}
	return len;
}

static size_t ask_datagram(unsigned long port, const char *text, char *answer)
{
	static const char frame[8] = { 0x12, 0x34, 0, 0, 0, 1, 0, 0 };
	int tcp = connect_to(SOCK_STREAM, port), udp = connect_to(SOCK_DGRAM, port);
	char packet[256], cas[24];
	size_t len;

	begin(tcp, cas);
	close(tcp);
	memcpy(packet, frame, 8);
	memcpy(packet + 8, text, strlen(text));
	if (send(udp, packet, 8 + strlen(text), 0) < 0)
		err(1, "send");
	len = read_datagrams(udp, answer);
	close(udp);
	return len;
}

static void all_datagrams(void)
{
	static char answer[2][ANSWER_MAX];
	size_t nanswer[2];

	for (size_t i = 0; i < ARRAY_SIZE(datagrams); i++) {
		for (int j = 0; j < 2; j++)
			nanswer[j] = ask_datagram(ports[j], datagrams[i].text, answer[j]);
		count(datagrams[i].text, strlen(datagrams[i].text), &datagrams[i], answer,
		      nanswer);
	}
}

/* What is there after a while. memcached has a clock of whole seconds. */
static void all_times(void)
{
	static const long long times[] = { 1, 100, 2592000, 2592001, -1 };
	static char answer[2][ANSWER_MAX];
	char text[1024], *to = text, ask_for[] = "get t0 t1 t2 t3 t4 t5 t6 t7\r\n";
	size_t nanswer[2];
	int fd[2];

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		to += sprintf(to, "set t%zu 0 %lld 1 noreply\r\nx\r\n", i, times[i]);
	to += sprintf(to, "set t5 0 %lld 1 noreply\r\nx\r\n", time(NULL) + 1LL);
	to += sprintf(to, "set t6 0 %lld 1 noreply\r\nx\r\n", time(NULL) + 3600LL);
	sprintf(to, "set t7 0 0 1 noreply\r\nx\r\ntouch t7 1 noreply\r\n");
	for (int i = 0; i < 2; i++) {
		fd[i] = connect_to(SOCK_STREAM, ports[i]);
		send_all(fd[i], text, strlen(text));
	}
	sleep(4);
	for (int i = 0; i < 2; i++) {
		send_all(fd[i], ask_for, strlen(ask_for));
		shutdown(fd[i], SHUT_WR);
		nanswer[i] = read_all(fd[i], answer[i], ANSWER_MAX);
		close(fd[i]);
	}
	count(text, strlen(text), &no_difference, answer, nanswer);
}

void test_compare(unsigned long port, unsigned long other)
{
	int named = 0;

	ports[0] = port;
	ports[1] = other;
	all_storage();
	all_arithmetic();
	compare_inputs(others, ARRAY_SIZE(others));
	all_keys();
	all_long();
	all_datagrams();
	all_times();

	for (int i = NONE + 1; i < DIFFERENCES; i++)
		named += counts[i];
	printf("compared: %d inputs, %d answers equal, %d different as named\n", inputs, equal,
	       named);
	for (int i = NONE + 1; i < DIFFERENCES; i++)
		printf("difference '%s': %d, %s\n", differences[i].name, counts[i],
		       differences[i].reason);
	if (failed)
		errx(1, "there are differences, or none where there is a name for one");
}
