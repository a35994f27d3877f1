// SPDX-License-Identifier: GPL-2.0
/*
 * memcached's text protocol, as its doc/protocol.txt has it. Where that leaves a
 * choice, memcached's own answer is given: cache_compare.c asks both, and names
 * the differences.
 *
 * A line is split where it lies. A command that must wait, for the rest of its
 * data or for room in the output, is looked at again from its start, or from
 * session->resume if it is a get.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "arena_cache_proto.h"
#include "arena_cache_store.h"

/*
 * Longest line: a get of many keys, 16,000 of the longest. memcached has no bound for
 * these, and one of 2 KiB for all others.
 */
#define LINE_MAX_GET	(4 << 20)
#define LINE_MAX_OTHER	2048

/* A time span longer than this is a date. */
#define SPAN_MAX	(30 * 24 * 3600)

/* Seconds that are nanoseconds in 64 bits, with room for today's. */
#define FUTURE_MAX	(INT64_MAX / 1000000000)

#define TOKENS		8

#define DELETE_USAGE							\
	"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]"

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))

struct token {
	const char *text;
	size_t len;
};

struct command {
	struct session *session;
	const char *line;
	size_t len;		/* without the end of the line */
	size_t whole;		/* with it */
	struct token token[TOKENS];
	int tokens;
};

enum verdict {
	DONE,
	WAIT,			/* look again when there is more input or output */
};

enum update { SET, ADD, REPLACE, APPEND, PREPEND, CAS };

struct proto_stats proto_stats;

/* Make room for @more bytes at the end, and one that ends what is there as a string. */
bool buffer_reserve(struct buffer *buffer, size_t more)
{
	size_t size = buffer->size ?: 2048;
	char *data;

	while (size - buffer->len <= more)
		size *= 2;
	if (size == buffer->size)
		return true;
	data = realloc(buffer->data, size);
	if (!data)
		return false;
	buffer->data = data;
	buffer->size = size;
	return true;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}

void proto_free(struct session *session)
{
	buffer_free(&session->in);
	buffer_free(&session->out);
}

static void put(struct session *session, const void *data, size_t len)
{
	struct buffer *out = &session->out;

	/* Part of an answer is worse than none. */
	if (!session->quit && !buffer_reserve(out, len)) {
		session->quit = true;
		out->len = session->answered;
	}
	if (session->quit)
		return;
	memcpy(out->data + out->len, data, len);
	out->len += len;
}

static void put_string(struct session *session, const char *text)
{
	put(session, text, strlen(text));
}

/* noreply holds back all that is said of a command which has the right number of words. */
static enum verdict reply(struct command *cmd, const char *text)
{
	if (cmd->session->noreply)
		return DONE;
	put_string(cmd->session, text);
	put(cmd->session, "\r\n", 2);
	return DONE;
}

static enum verdict bad_format(struct command *cmd)
{
	return reply(cmd, "CLIENT_ERROR bad command line format");
}

static enum verdict no_memory(struct command *cmd)
{
	return reply(cmd, "SERVER_ERROR out of memory storing object");
}

static bool token_is(const struct token *token, const char *text)
{
	return token->len == strlen(text) && !memcmp(token->text, text, token->len);
}

/* The next token at or after *@pos, or one of no length. */
static struct token next_token(const struct command *cmd, size_t *pos)
{
	struct token token = {};
	size_t end;

	while (*pos < cmd->len && cmd->line[*pos] == ' ')
		(*pos)++;
	for (end = *pos; end < cmd->len && cmd->line[end] != ' '; end++)
		;
	token.text = cmd->line + *pos;
	token.len = end - *pos;
	*pos = end;
	return token;
}

static void split(struct command *cmd)
{
	size_t pos = 0;

	for (cmd->tokens = 0; cmd->tokens < TOKENS; cmd->tokens++) {
		cmd->token[cmd->tokens] = next_token(cmd, &pos);
		if (!cmd->token[cmd->tokens].len)
			break;
	}
}

/*
 * Numbers are what the C library takes for one, with a blank of any sort after it. The
 * token need not end with a zero: where it ends there is a blank, or the line's end.
 */
static bool ends_well(const struct token *token, const char *end)
{
	return !errno && end > token->text && end <= token->text + token->len &&
	       isspace((unsigned char)*end);
}

/* A small number's negative is a large one, and memcached lets only that pass. */
static bool parse_u64(const struct token *token, __u64 *number)
{
	char *end;

	errno = 0;
	*number = strtoull(token->text, &end, 10);
	return ends_well(token, end) &&
	       ((__s64)*number >= 0 || !memchr(token->text, '-', token->len));
}

static bool parse_s64(const struct token *token, __s64 *number)
{
	char *end;

	errno = 0;
	*number = strtoll(token->text, &end, 10);
	return ends_well(token, end);
}

/* From the client's time, a span or a date, to store_now()'s. */
static __u64 when(__s64 exptime)
{
	__u64 now = store_now();

	if (exptime > SPAN_MAX)
		exptime -= time(NULL);
	if (exptime <= 0)
		return now;
	if (exptime > FUTURE_MAX)
		exptime = FUTURE_MAX;
	return now + exptime * 1000000000ULL;
}

static __u64 expires(__s64 exptime)
{
	return exptime ? when(exptime) : 0;
}

static bool good_key(const struct token *key)
{
	return key->len <= CACHE_KEY_MAX;
}

/* From *@pos on. No value is told before an error. */
static bool good_keys(const struct command *cmd, size_t pos)
{
	struct token key;

	do {
		key = next_token(cmd, &pos);
	} while (key.len && good_key(&key));
	return !key.len;
}

/* "gets" and "gats" tell the number that cas wants. */
static void put_item(struct session *session, struct cache_item *item, bool cas)
{
	char number[24];

	if (!cas) {
		/* All but the last "END\r\n". */
		put(session, item->text, item->ntext - 5);
		return;
	}
	put(session, item->text, item->nhead - 2);
	snprintf(number, sizeof(number), " %llu\r\n", item->cas);
	put_string(session, number);
	put(session, item_value(item), item->nvalue + 2);
}

/* From token @first on there are keys. */
static enum verdict get_keys(struct command *cmd, int first, bool cas,
			     const __s64 *exptime)
{
	struct session *session = cmd->session;
	size_t pos = session->resume;
	struct cache_item *item;
	struct token key;
	int i;

	if (!pos) {
		for (i = 0; i < first; i++)
			next_token(cmd, &pos);
		if (!good_keys(cmd, pos))
			return bad_format(cmd);
	}
	for (;;) {
		session->resume = pos;
		key = next_token(cmd, &pos);
		if (!key.len)
			break;
		if (session->out.len > PROTO_OUT_MAX)
			return WAIT;
		item = store_find(key.text, key.len);
		if (item)
			proto_stats.get_hits++;
		else
			proto_stats.get_misses++;
		if (exptime) {
			proto_stats.touches++;
			if (item)
				proto_stats.touch_hits++;
			else
				proto_stats.touch_misses++;
		}
		if (!item)
			continue;
		if (exptime)
			store_expire(item, expires(*exptime));
		put_item(session, item, cas);
	}
	put_string(session, "END\r\n");
	return DONE;
}

static enum verdict do_get(struct command *cmd)
{
	return get_keys(cmd, 1, cmd->token[0].len == 4, NULL);
}

static enum verdict do_gat(struct command *cmd)
{
	__s64 exptime;

	if (!parse_s64(&cmd->token[1], &exptime))
		return reply(cmd, "CLIENT_ERROR invalid exptime argument");
	return get_keys(cmd, 2, cmd->token[0].len == 4, &exptime);
}

/* The item with the joined values, or NULL if there is no room. */
static struct cache_item *join(const struct token *key, struct cache_item *old,
			       const char *data, size_t len, bool append)
{
	size_t nold = old->nvalue;
	struct cache_item *item;

	item = store_new(key->text, key->len, old->flags, old->expires, nold + len, old);
	if (!item)
		return NULL;
	memcpy(item_value(item) + (append ? 0 : len), item_value(old), nold);
	memcpy(item_value(item) + (append ? nold : 0), data, len);
	return item;
}

static enum verdict too_large(struct command *cmd, enum update how)
{
	const struct token *key = &cmd->token[1];
	struct cache_item *old = how == SET ? store_find(key->text, key->len) : NULL;

	/* A reader must not take the old value for the one that was to replace it. */
	if (old)
		store_delete(old);
	return reply(cmd, "SERVER_ERROR object too large for cache");
}

/* Why the value is not stored, or NULL. */
static const char *refusal(enum update how, const struct cache_item *old, __u64 cas)
{
	if (how == CAS) {
		if (!old) {
			proto_stats.cas_misses++;
			return "NOT_FOUND";
		}
		if (old->cas != cas) {
			proto_stats.cas_badval++;
			return "EXISTS";
		}
		proto_stats.cas_hits++;
	}
	if (how == ADD ? !!old : how != SET && !old)
		return "NOT_STORED";
	return NULL;
}

static enum verdict store_value(struct command *cmd, enum update how, __u32 flags,
				__s64 exptime, __u64 cas, const char *data, size_t len)
{
	const struct token *key = &cmd->token[1];
	struct cache_item *old = store_find(key->text, key->len);
	bool joins = how == APPEND || how == PREPEND;
	struct cache_item *item;
	const char *why;

	proto_stats.sets++;
	why = refusal(how, old, cas);
	if (why)
		return reply(cmd, why);
	if (!store_fits(key->len, joins ? old->flags : flags, joins ? old->nvalue + len : len))
		return too_large(cmd, how);
	if (joins) {
		item = join(key, old, data, len, how == APPEND);
	} else {
		item = store_new(key->text, key->len, flags, expires(exptime), len, NULL);
		if (item)
			memcpy(item_value(item), data, len);
	}
	if (!item)
		return no_memory(cmd);
	store_link(item);
	return reply(cmd, "STORED");
}

/*
 * A line with too many words is none of this protocol, but the data after it were never
 * meant to be commands.
 */
static enum verdict many_words(struct command *cmd)
{
	__s64 len;

	if (parse_s64(&cmd->token[4], &len) && len >= 0 && len <= INT_MAX - 2)
		cmd->session->skip = len + 2;
	cmd->session->noreply = false;
	return reply(cmd, "ERROR");
}

static enum verdict update(struct command *cmd, enum update how)
{
	struct session *session = cmd->session;
	size_t have = session->in.len - session->taken;
	const char *data = cmd->line + cmd->whole;
	int words = how == CAS ? 6 : 5;
	__u64 flags, cas = 0;
	__s64 exptime, len;

	/* As memcached, take a last word for a noreply that is spelt otherwise. */
	if (cmd->tokens > words + 1)
		return many_words(cmd);
	if (!good_key(&cmd->token[1]) || !parse_u64(&cmd->token[2], &flags) ||
	    !parse_s64(&cmd->token[3], &exptime) || !parse_s64(&cmd->token[4], &len) ||
	    len < 0 || len > INT_MAX - 2 || (how == CAS && !parse_u64(&cmd->token[5], &cas)))
		return bad_format(cmd);
	if (!store_fits(cmd->token[1].len, flags, len)) {
		session->skip = len + 2;
		return too_large(cmd, how);
	}
	if (have < cmd->whole + len + 2) {
		session->need = cmd->whole + len + 2;
		return WAIT;
	}
	session->taken += len + 2;
	if (memcmp(data + len, "\r\n", 2))
		return reply(cmd, "CLIENT_ERROR bad data chunk");
	return store_value(cmd, how, flags, exptime, cas, data, len);
}

static enum verdict do_set(struct command *cmd)
{
	return update(cmd, SET);
}

static enum verdict do_add(struct command *cmd)
{
	return update(cmd, ADD);
}

static enum verdict do_replace(struct command *cmd)
{
	return update(cmd, REPLACE);
}

static enum verdict do_append(struct command *cmd)
{
	return update(cmd, APPEND);
}

static enum verdict do_prepend(struct command *cmd)
{
	return update(cmd, PREPEND);
}

static enum verdict do_cas(struct command *cmd)
{
	return update(cmd, CAS);
}

static enum verdict do_delete(struct command *cmd)
{
	int words = cmd->tokens - cmd->session->noreply;
	const struct token *key = &cmd->token[1];
	struct cache_item *item;

	/* A time of 0 is left over from days when others were allowed. */
	if (words > 3 || (words == 3 && !token_is(&cmd->token[2], "0")))
		return reply(cmd, DELETE_USAGE);
	if (!good_key(key))
		return bad_format(cmd);
	item = store_find(key->text, key->len);
	if (!item) {
		proto_stats.delete_misses++;
		return reply(cmd, "NOT_FOUND");
	}
	proto_stats.delete_hits++;
	store_delete(item);
	return reply(cmd, "DELETED");
}

static enum verdict do_touch(struct command *cmd)
{
	const struct token *key = &cmd->token[1];
	struct cache_item *item;
	__s64 exptime;

	if (!good_key(key))
		return bad_format(cmd);
	if (!parse_s64(&cmd->token[2], &exptime))
		return reply(cmd, "CLIENT_ERROR invalid exptime argument");
	proto_stats.touches++;
	item = store_find(key->text, key->len);
	if (!item) {
		proto_stats.touch_misses++;
		return reply(cmd, "NOT_FOUND");
	}
	proto_stats.touch_hits++;
	store_expire(item, expires(exptime));
	return reply(cmd, "TOUCHED");
}

/* The value that an item is given. A shorter one has blanks after it, as memcached's. */
static bool store_number(const struct token *key, struct cache_item *old, const char *text)
{
	size_t len = strlen(text), padded = len > old->nvalue ? len : old->nvalue;
	struct cache_item *item;

	item = store_new(key->text, key->len, old->flags, old->expires, padded, old);
	if (!item)
		return false;
	memset(item_value(item), ' ', padded);
	memcpy(item_value(item), text, len);
	store_link(item);
	return true;
}

static enum verdict arithmetic(struct command *cmd, bool incr)
{
	const struct token *key = &cmd->token[1];
	__u64 *misses = incr ? &proto_stats.incr_misses : &proto_stats.decr_misses;
	__u64 *hits = incr ? &proto_stats.incr_hits : &proto_stats.decr_hits;
	struct token value;
	struct cache_item *old;
	__u64 delta, number;
	char text[24];

	if (!good_key(key))
		return bad_format(cmd);
	if (!parse_u64(&cmd->token[2], &delta))
		return reply(cmd, "CLIENT_ERROR invalid numeric delta argument");
	old = store_find(key->text, key->len);
	if (!old) {
		(*misses)++;
		return reply(cmd, "NOT_FOUND");
	}
	/* After the value there is the end of a line, in an item as well. */
	value = (struct token){ item_value(old), old->nvalue };
	if (!parse_u64(&value, &number))
		return reply(cmd,
			     "CLIENT_ERROR cannot increment or decrement non-numeric value");
	(*hits)++;
	if (incr)
		number += delta;
	else
		number = number > delta ? number - delta : 0;
	snprintf(text, sizeof(text), "%llu", number);
	if (!store_number(key, old, text))
		return reply(cmd, "SERVER_ERROR out of memory");
	return reply(cmd, text);
}

static enum verdict do_incr(struct command *cmd)
{
	return arithmetic(cmd, true);
}

static enum verdict do_decr(struct command *cmd)
{
	return arithmetic(cmd, false);
}

static enum verdict do_flush_all(struct command *cmd)
{
	__s64 delay = 0;

	if (cmd->tokens - cmd->session->noreply > 1 && !parse_s64(&cmd->token[1], &delay))
		return reply(cmd, "CLIENT_ERROR invalid exptime argument");
	proto_stats.flushes++;
	store_flush(when(delay));
	return reply(cmd, "OK");
}

void proto_stat(struct session *session, const char *name, unsigned long long value)
{
	char line[128];

	snprintf(line, sizeof(line), "STAT %s %llu\r\n", name, value);
	put_string(session, line);
}

#define STAT(from, name)	proto_stat(session, #name, (from).name)

static void put_stats(struct session *session)
{
	struct proto_stats *p = &proto_stats;
	struct timespec cpu;

	proto_stat(session, "pid", getpid());
	proto_stat(session, "time", time(NULL));
	put_string(session, "STAT version " CACHE_VERSION "\r\n");
	proto_stat(session, "pointer_size", 8 * sizeof(void *));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	proto_stat(session, "cpu_microseconds",
		   cpu.tv_sec * 1000000ULL + cpu.tv_nsec / 1000);
	proto_stat(session, "cmd_set", p->sets);
	proto_stat(session, "cmd_flush", p->flushes);
	proto_stat(session, "cmd_touch", p->touches);
	STAT(*p, delete_misses);
	STAT(*p, delete_hits);
	STAT(*p, incr_misses);
	STAT(*p, incr_hits);
	STAT(*p, decr_misses);
	STAT(*p, decr_hits);
	STAT(*p, cas_misses);
	STAT(*p, cas_hits);
	STAT(*p, cas_badval);
	STAT(*p, touch_hits);
	STAT(*p, touch_misses);
	STAT(store_stats, bytes);
	proto_stat(session, "curr_items", store_stats.items);
	STAT(store_stats, total_items);
	STAT(store_stats, evictions);
	proto_stat(session, "reclaimed", store_stats.expired);
	server_stats(session);
}

static enum verdict do_stats(struct command *cmd)
{
	if (cmd->tokens == 2 && token_is(&cmd->token[1], "reset")) {
		memset(&proto_stats, 0, sizeof(proto_stats));
		store_stats_reset();
		server_stats_reset();
		return reply(cmd, "RESET");
	}
	if (cmd->tokens > 1)
		return reply(cmd, "ERROR");
	put_stats(cmd->session);
	return reply(cmd, "END");
}

static enum verdict do_version(struct command *cmd)
{
	return reply(cmd, "VERSION " CACHE_VERSION);
}

static enum verdict do_verbosity(struct command *cmd)
{
	__u64 level;

	/* There is but one. */
	if (!parse_u64(&cmd->token[1], &level))
		return bad_format(cmd);
	return reply(cmd, "OK");
}

static enum verdict do_quit(struct command *cmd)
{
	cmd->session->quit = true;
	return DONE;
}

static const struct {
	const char *name;
	enum verdict (*run)(struct command *cmd);
	int min, max;		/* words, all told */
	int noreply;		/* the first one that may be this word */
} commands[] = {
	{ "get", do_get, 2, INT_MAX, 0 },
	{ "gets", do_get, 2, INT_MAX, 0 },
	{ "gat", do_gat, 2, INT_MAX, 0 },
	{ "gats", do_gat, 2, INT_MAX, 0 },
	{ "set", do_set, 5, INT_MAX, 1 },
	{ "add", do_add, 5, INT_MAX, 1 },
	{ "replace", do_replace, 5, INT_MAX, 1 },
	{ "append", do_append, 5, INT_MAX, 1 },
	{ "prepend", do_prepend, 5, INT_MAX, 1 },
	{ "cas", do_cas, 6, INT_MAX, 1 },
	{ "delete", do_delete, 2, 4, 2 },
	{ "touch", do_touch, 3, 4, 1 },
	{ "incr", do_incr, 3, 4, 1 },
	{ "decr", do_decr, 3, 4, 1 },
	{ "flush_all", do_flush_all, 1, 3, 1 },
	{ "verbosity", do_verbosity, 2, 3, 1 },
	{ "stats", do_stats, 1, INT_MAX, 0 },
	{ "version", do_version, 1, INT_MAX, 0 },
	{ "quit", do_quit, 1, INT_MAX, 0 },
};

/*
 * Over UDP the sender may be another server, and this its answer, which begins with none
 * of the commands: nothing is said to it, or the two would answer each other for ever.
 * Nor is what follows a command: it may be a value.
 */
static enum verdict unknown(struct command *cmd)
{
	if (!cmd->session->datagram)
		return reply(cmd, "ERROR");
	cmd->session->quit = true;
	return DONE;
}

static enum verdict run_line(struct command *cmd)
{
	struct session *session = cmd->session;
	const struct token *last;
	size_t i;

	split(cmd);
	session->noreply = false;
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (token_is(&cmd->token[0], commands[i].name))
			break;
	if (i == ARRAY_SIZE(commands))
		return unknown(cmd);
	if (cmd->tokens < commands[i].min || cmd->tokens > commands[i].max)
		return reply(cmd, "ERROR");
	last = &cmd->token[cmd->tokens - 1];
	session->noreply = commands[i].noreply && cmd->tokens > commands[i].noreply &&
			   token_is(last, "noreply");
	return commands[i].run(cmd);
}

/* Of what takes many keys */
static bool is_get(const char *line, size_t len)
{
	static const char * const names[] = { "get ", "gets ", "gat ", "gats " };
	size_t i;

	for (; len && *line == ' '; len--)
		line++;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (len >= strlen(names[i]) && !memcmp(line, names[i], strlen(names[i])))
			return true;
	return false;
}

/* False if the session's next line is not complete; too long a one ends it. */
static bool take_line(struct session *session, struct command *cmd)
{
	size_t have = session->in.len - session->taken;
	const char *line = session->in.data + session->taken;
	const char *end = memchr(line + session->scanned, '\n', have - session->scanned);
	size_t len = end ? end - line : have;

	cmd->session = session;
	cmd->line = line;
	if (len > (is_get(line, len) ? LINE_MAX_GET : LINE_MAX_OTHER)) {
		session->noreply = false;
		reply(cmd, "CLIENT_ERROR line too long");
		session->quit = true;
		return false;
	}
	session->scanned = end ? 0 : have;
	if (!end)
		return false;
	cmd->whole = len + 1;
	cmd->len = len > 1 && line[len - 1] == '\r' ? len - 1 : len;
	/* memcached's lines are strings. */
	cmd->len = strnlen(line, cmd->len);
	return true;
}

static bool run_one(struct session *session)
{
	size_t have = session->in.len - session->taken;
	size_t skip = session->skip < have ? session->skip : have;
	struct command cmd;
	size_t before;

	session->taken += skip;
	session->skip -= skip;
	have -= skip;
	if (session->skip || have < session->need || !have)
		return false;
	session->need = 0;
	session->answered = session->out.len;
	if (session->out.len > PROTO_OUT_MAX || !take_line(session, &cmd))
		return false;
	before = session->taken;
	if (run_line(&cmd) == WAIT) {
		session->taken = before;
		return false;
	}
	session->taken += cmd.whole;
	session->resume = 0;
	return true;
}

/**
 * proto_run() - Do the commands that have come in.
 * @session: in holds the bytes that came, out takes the answers
 *
 * Stops when the input holds no complete command, and when much output is
 * waiting to be sent: then call it again after that. The session is over if it has
 * session->quit afterwards.
 */
void proto_run(struct session *session)
{
	struct buffer *in = &session->in;

	/* strtoull() passes over blanks, and line feeds are some, up to the end. */
	if (in->data)
		in->data[in->len] = 0;
	while (!session->quit && run_one(session))
		;
	if (session->taken) {
		in->len -= session->taken;
		memmove(in->data, in->data + session->taken, in->len);
		session->taken = 0;
	}
}
