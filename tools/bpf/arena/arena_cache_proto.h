/* SPDX-License-Identifier: GPL-2.0 */
/* The text protocol: bytes in, bytes out. Who carries them is not its concern. */
#ifndef __ARENA_CACHE_PROTO_H
#define __ARENA_CACHE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* The protocol is that of memcached 1.6, without its meta commands. */
#define CACHE_VERSION	"1.6.0-arena"

/*
 * With so much to be sent, no further value is put into the output: of who does not read
 * no more is kept than that and one value.
 */
#define PROTO_OUT_MAX	(64 << 10)

struct buffer {
	char *data;
	size_t len;
	size_t size;
};

struct session {
	struct buffer in;
	struct buffer out;
	size_t taken;		/* of in: what has been dealt with */
	size_t need;		/* of in after that, for the command to be complete */
	size_t skip;		/* of in: data of a command that was refused */
	size_t scanned;		/* of in after taken: there is no end of a line */
	size_t resume;		/* where in its line a get goes on */
	size_t answered;	/* of out: what stays if there is no memory for more */
	bool datagram;		/* came over UDP */
	bool noreply;
	bool quit;
};

/* Counted by the server; what the XDP program has answered is elsewhere. */
struct proto_stats {
	__u64 get_hits, get_misses;
	__u64 delete_hits, delete_misses;
	__u64 incr_hits, incr_misses;
	__u64 decr_hits, decr_misses;
	__u64 cas_hits, cas_misses, cas_badval;
	__u64 touch_hits, touch_misses;
	__u64 sets, flushes, touches;
};

extern struct proto_stats proto_stats;

bool buffer_reserve(struct buffer *buffer, size_t more);
void buffer_free(struct buffer *buffer);
void proto_run(struct session *session);
void proto_free(struct session *session);
void proto_stat(struct session *session, const char *name, unsigned long long value);

/* Adds STAT lines of what the protocol does not know. */
void server_stats(struct session *session);
void server_stats_reset(void);

#endif /* __ARENA_CACHE_PROTO_H */
