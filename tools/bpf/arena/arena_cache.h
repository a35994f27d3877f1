/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What arena-cache keeps in its arena, and its XDP program reads there.
 *
 * There is one writer, the server, and any number of readers, one a CPU. The
 * writer makes a bucket's sequence odd, changes what hangs from the bucket, and
 * makes it even again. A reader copies what it wants and believes its copy only
 * if the sequence was even before and is the same after. An item goes back to
 * the heap after its bucket has changed, so a reader that copies from memory
 * with a new owner finds that, too.
 *
 * Readers follow pointers that may be stale. They cannot leave the arena, and
 * their walks have an end. They write nothing but counters and bucket.used,
 * which never belong to anything else: a mark in an item could hit its memory's
 * next owner.
 *
 * x86-64 keeps loads in order and stores in order: a compiler barrier is enough.
 */
#ifndef __ARENA_CACHE_H
#define __ARENA_CACHE_H

#include "bpf_arena_common.h"

#define CACHE_KEY_MAX		250	/* bytes, as memcached's */
#define CACHE_KEY_WORDS		32	/* of 8 bytes: a key with zeros after it */
#define CACHE_ITEM_MAX		(1024 * 1024)	/* bytes, with its key and all */
#define CACHE_PORT		11211

/* A reader gives up at an item further down a chain. */
#define CACHE_CHAIN		48

/* A datagram of the UDP protocol holds no more than this, with its frame header. */
#define CACHE_DATAGRAM		1400

/* In front of what the text protocol says, in network byte order. */
struct cache_frame {
	__u16 id;
	__u16 seq;
	__u16 total;
	__u16 reserved;
};

/*
 * The whole answer to a get is there as text, to be copied at once. The key is
 * in it, aligned, and can be compared by the word.
 */
struct cache_item {
	struct cache_item __arena *next;	/* in the bucket's chain */
	struct cache_item __arena *newer;	/* in the order of use: the server's */
	struct cache_item __arena *older;
	__u64 hash;
	__u64 expires;		/* CLOCK_BOOTTIME in ns; 0: never */
	__u64 cas;		/* later items have greater ones */
	__u32 flags;
	__u32 nvalue;		/* bytes of the value */
	__u32 ntext;		/* bytes of the text */
	__u16 nkey;
	__u16 nhead;		/* bytes of the text before the value */
	__u16 unused;
	/* "VALUE key flags bytes\r\n" value "\r\nEND\r\n" */
	char text[];
};

#define CACHE_KEY_AT	6	/* where the key is in the text */
#define CACHE_TAIL	7	/* bytes after the value */

struct cache_bucket {
	struct cache_item __arena *first;
	__u32 seq;
	__u32 used;		/* a reader found something here */
};

/* What became of a packet to the server. */
enum cache_path {
	XDP_ANSWERED,
	XDP_FRAGMENT,		/* or with IP options */
	XDP_MALFORMED,		/* lengths, checksum, source */
	XDP_OTHER,		/* not a get of one key */
	XDP_MISS,		/* no such key, or expired */
	XDP_LARGE,		/* does not fit in a datagram */
	XDP_ROOM,		/* does not fit in the packet's buffer */
	XDP_BUSY,		/* changed while it was read, twice */
	XDP_PATHS
};

struct cache {
	struct cache_bucket __arena *table;
	__u64 mask;		/* number of buckets - 1 */
	__u64 seed[2];
	__u64 flush_at;		/* from then on nothing is valid; 0: never */
	__u64 flushed;		/* cas: items up to this one are not valid */
	__u64 paths[XDP_PATHS];
};

/* What the server listens on, for the XDP program. */
#define CACHE_ADDRESSES		16
#define CACHE_INTERFACES	16

struct cache_address {
	__u32 word[4];		/* of IPv6; IPv4 as ::ffff:a.b.c.d */
};

struct cache_interface {
	__u32 index;
	__u16 mac[3];
	__u16 unused;
};

struct cache_listen {
	__u16 port;		/* network byte order */
	__u16 max_text;		/* bytes of an answer, without its frame header */
	__u32 addresses;
	struct cache_address address[CACHE_ADDRESSES];
	struct cache_interface interface[CACHE_INTERFACES];
};

static __always_inline __u64 cache_rotate(__u64 x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static __always_inline void cache_sip_round(__u64 v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = cache_rotate(v[1], 13) ^ v[0];
	v[3] = cache_rotate(v[3], 16) ^ v[2];
	v[0] = cache_rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = cache_rotate(v[1], 17) ^ v[2];
	v[3] = cache_rotate(v[3], 21) ^ v[0];
	v[2] = cache_rotate(v[2], 32);
}

/*
 * SipHash-1-3: strangers choose the keys, and must not be able to put them all
 * in one bucket. @key has zeros after its @nkey bytes.
 */
static __always_inline __u64 cache_hash(const __u64 *key, __u32 nkey,
					__u64 seed0, __u64 seed1)
{
	__u64 v[4] = {
		seed0 ^ 0x736f6d6570736575ULL, seed1 ^ 0x646f72616e646f6dULL,
		seed0 ^ 0x6c7967656e657261ULL, seed1 ^ 0x7465646279746573ULL,
	};
	__u64 word;
	int i;

	for (i = 0; i < CACHE_KEY_WORDS && i * 8 < nkey; i++) {
		word = key[i];
		v[3] ^= word;
		cache_sip_round(v);
		v[0] ^= word;
	}
	/* The length tells a key from one with zeros after it. */
	v[3] ^= nkey;
	cache_sip_round(v);
	v[0] ^= nkey;
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		cache_sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif /* __ARENA_CACHE_H */
