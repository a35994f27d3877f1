// SPDX-License-Identifier: GPL-2.0
/*
 * Answers gets of one key over UDP from the arena, and sends them back to where
 * they came from, without the server. Whatever it does not answer it leaves as it
 * was, for the server to deal with: a miss, several keys, a value too large for
 * one datagram, a malformed packet, and all that is not for the server.
 *
 * An answer is put together in memory of its own, is found to be of one piece,
 * and only then takes the packet's place.
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "arena_cache.h"

#ifndef __BPF_FEATURE_ADDR_SPACE_CAST
#error "address_space(1) needs clang 19 or later: set CLANG"
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);	/* the server makes it as large as -m says */
} arena SEC(".maps");

struct cache __arena_global cache;

/* Set before the program is loaded. */
const volatile struct cache_listen listen_on;

/*
 * Where an answer is put together. The text begins at a multiple of 8, for it to
 * be copied by the word. The headers, longer or shorter, end where it begins.
 */
struct answer {
	union {
		struct {
			__u8 front[22];
			struct ethhdr eth;
			struct iphdr ip;
		} v4;
		struct {
			__u8 front[2];
			struct ethhdr eth;
			struct ipv6hdr ip;
		} v6;
	};
	struct udphdr udp;
	struct cache_frame frame;
	__u64 text[CACHE_DATAGRAM / 8];
	/* The verifier takes the largest of each for where it begins and ends. */
	__u8 rest[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct answer);
} answers SEC(".maps");

#define REQUEST_MIN	(sizeof(struct cache_frame) + sizeof("get k\r\n") - 1)
#define REQUEST_MAX	(REQUEST_MIN - 1 + CACHE_KEY_MAX)

/* What comes after the UDP header, loaded so that the key is aligned. */
struct request {
	__u32 zero;
	struct cache_frame frame;
	__u32 get;
	__u64 key[CACHE_KEY_WORDS];
	/* What has become known of it: */
	__u64 nkey;
	__u64 hash;
	__u64 sum;		/* of the answer's text */
};

#define REQUEST_WORDS	(offsetof(struct request, nkey) / 8)

static int pass(enum cache_path path)
{
	__sync_fetch_and_add(&cache.paths[path], 1);
	return XDP_PASS;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* The ones' complement sum of @words words of 32 bits. */
static __always_inline __u64 sum32(const __u32 *word, int words)
{
	__u64 sum = 0;

	for (int i = 0; i < words; i++)
		sum += word[i];
	return sum;
}

/* Addressed to another machine, or to many, it may have come by all the same. */
static int is_for_interface(__u32 index, const struct ethhdr *eth)
{
	const __u16 *mac = (const __u16 *)eth->h_dest;

	for (int i = 0; i < CACHE_INTERFACES; i++) {
		const volatile struct cache_interface *ours = &listen_on.interface[i];

		if (ours->index == index)
			return ours->mac[0] == mac[0] && ours->mac[1] == mac[1] &&
			       ours->mac[2] == mac[2];
	}
	return 0;
}

static int is_ours(const struct cache_address *address)
{
	for (int i = 0; i < CACHE_ADDRESSES && i < listen_on.addresses; i++) {
		const volatile struct cache_address *ours = &listen_on.address[i];

		if (ours->word[0] == address->word[0] && ours->word[1] == address->word[1] &&
		    ours->word[2] == address->word[2] && ours->word[3] == address->word[3])
			return 1;
	}
	return 0;
}

/*
 * The sum of a UDP datagram with its pseudo header comes out as all ones. An IPv4
 * sender may leave it out. A sender on this machine leaves most of it to hardware
 * that is not there: it has summed up the pseudo header only.
 */
static __always_inline int bad_sum(const struct request *req, __u64 pseudo,
				   const struct udphdr *udp, int version)
{
	const __u64 *word = (const __u64 *)req;
	__u64 sum = pseudo;

	if (!udp->check)
		return version != 4;
	if (udp->check == fold(pseudo))
		return 0;
	sum += udp->source + udp->dest + udp->len + udp->check;
	for (int i = 0; i < REQUEST_WORDS; i++)
		sum += (word[i] & 0xffffffff) + (word[i] >> 32);
	return fold(sum) != 0xffff;
}

/*
 * The functions that are not static are verified once, for all that they can be
 * called with. As part of their callers, they would be followed again for every
 * length of a key that a loop before them ends with.
 */

/*
 * "get KEY\r\n", with nothing in the key that could end it. Afterwards there are
 * zeros after the key. Returns the key's length, or 0 for any other command.
 */
__noinline int parse(struct request *req, __u32 len)
{
	const __u64 ones = 0x0101010101010101ULL;
	__u64 nkey = len - (REQUEST_MIN - 1);
	__u8 *end = (__u8 *)req->key;
	__u64 word;

	if (!req || req->get != bpf_htonl(0x67657420) || req->frame.total != bpf_htons(1))
		return 0;
	/* Keeps it in one register, so that the verifier sees the bound. */
	barrier_var(nkey);
	if (nkey > CACHE_KEY_MAX)
		return 0;
	end += nkey;
	if (end[0] != '\r' || end[1] != '\n')
		return 0;
	end[0] = 0;
	end[1] = 0;
	for (int i = 0; i < CACHE_KEY_WORDS && i * 8 < nkey; i++) {
		word = req->key[i];
		if (nkey - i * 8 < 8)
			word |= ~0ULL << (nkey - i * 8) * 8;
		/* Any byte up to a blank? */
		if ((word - ones * 0x21) & ~word & ones * 0x80)
			return 0;
	}
	return nkey;
}

__noinline __u64 hash_key(const struct request *req)
{
	if (!req)
		return 0;
	return cache_hash(req->key, req->nkey, cache.seed[0], cache.seed[1]);
}

__noinline int same_key(const struct request *req, struct cache_item __arena *item __arg_arena)
{
	__u64 __arena *key = (__u64 __arena *)(item->text + CACHE_KEY_AT);
	__u64 nkey, other;

	if (!req)
		return 0;
	nkey = req->nkey;
	for (int i = 0; i < CACHE_KEY_WORDS && i * 8 < nkey; i++) {
		other = req->key[i] ^ key[i];
		/* The text goes on after the key. */
		if (nkey - i * 8 < 8)
			other <<= (8 - (nkey - i * 8)) * 8;
		if (other)
			return 0;
	}
	return 1;
}

/* Returns the text's length, or minus the path to take. */
__noinline int copy_text(struct cache_bucket __arena *bucket __arg_arena,
			 struct request *req, struct answer *answer)
{
	struct cache_item __arena *item = bucket->first;
	__u64 expires, flush_at, now, word, sum = 0;
	__u32 ntext;
	int i;

	if (!req || !answer)
		return -XDP_OTHER;
	for (i = 0; i < CACHE_CHAIN && item; i++) {
		if (item->hash == req->hash && item->nkey == req->nkey)
			break;
		item = item->next;
	}
	if (i == CACHE_CHAIN)
		return -XDP_OTHER;
	if (!item || !same_key(req, item))
		return -XDP_MISS;

	now = bpf_ktime_get_boot_ns();
	expires = item->expires;
	/* In this order: the server sets flushed when flush_at has come, and clears it then. */
	flush_at = READ_ONCE(cache.flush_at);
	barrier();
	if ((expires && expires <= now) || (flush_at && flush_at <= now) ||
	    item->cas <= READ_ONCE(cache.flushed))
		return -XDP_MISS;

	ntext = item->ntext;
	if (ntext > listen_on.max_text)
		return -XDP_LARGE;
	for (i = 0; i < CACHE_DATAGRAM / 8 && i * 8 < ntext; i++) {
		word = ((__u64 __arena *)item->text)[i];
		answer->text[i] = word;
		sum += (word & 0xffffffff) + (word >> 32);
	}
	req->sum = sum;
	return ntext;
}

/* Copies as arena_cache.h says. Returns as copy_text() does. */
static __noinline int look_up(struct request *req, struct answer *answer)
{
	struct cache_bucket __arena *bucket = cache.table + (req->hash & cache.mask);
	int ntext = -XDP_BUSY;
	__u32 seq;

	for (int i = 0; i < 2; i++) {
		seq = READ_ONCE(bucket->seq);
		barrier();
		if (seq & 1)
			continue;
		ntext = copy_text(bucket, req, answer);
		barrier();
		if (READ_ONCE(bucket->seq) == seq)
			break;
		ntext = -XDP_BUSY;
	}
	/* The server spares what is used: mostly this is set already. */
	if (ntext > 0 && !bucket->used)
		bucket->used = 1;
	return ntext;
}

static __always_inline void answer_eth(struct ethhdr *to, const struct ethhdr *from)
{
	__builtin_memcpy(to->h_dest, from->h_source, ETH_ALEN);
	__builtin_memcpy(to->h_source, from->h_dest, ETH_ALEN);
	to->h_proto = from->h_proto;
}

/*
 * Reads the headers before UDP's, and writes those of the answer, all but its
 * length. Returns XDP_ANSWERED to go on, another path, or -1 if the packet is not
 * for the server. *@sum gets the pseudo header's sum without the length, which is
 * the same in both directions.
 */
static __always_inline int read4(struct ethhdr *eth, void *end, struct answer *answer,
				 __u32 *len, __u64 *sum)
{
	struct cache_address to = { { 0, 0, bpf_htonl(0xffff) } };
	struct iphdr *ip = (void *)(eth + 1), *out = &answer->v4.ip;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->protocol != IPPROTO_UDP)
		return -1;
	to.word[3] = ip->daddr;
	if (!is_ours(&to))
		return -1;
	if (ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
		return XDP_FRAGMENT;
	/* An answer to a multicast address would go to many. */
	if (fold(sum32((__u32 *)ip, 5)) != 0xffff || !ip->saddr ||
	    bpf_ntohl(ip->saddr) >> 28 >= 14)
		return XDP_MALFORMED;
	*len = bpf_ntohs(ip->tot_len) - sizeof(*ip);
	*sum = (__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_UDP);

	answer_eth(&answer->v4.eth, eth);
	__builtin_memset(out, 0, sizeof(*out));
	out->version = 4;
	out->ihl = 5;
	out->ttl = 64;
	out->protocol = IPPROTO_UDP;
	out->frag_off = bpf_htons(0x4000);
	out->saddr = ip->daddr;
	out->daddr = ip->saddr;
	return XDP_ANSWERED;
}

static __always_inline int read6(struct ethhdr *eth, void *end, struct answer *answer,
				 __u32 *len, __u64 *sum)
{
	struct ipv6hdr *ip = (void *)(eth + 1), *out = &answer->v6.ip;
	struct cache_address to;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return -1;
	__builtin_memcpy(&to, &ip->daddr, sizeof(to));
	if (!is_ours(&to))
		return -1;
	if (ip->nexthdr == IPPROTO_FRAGMENT)
		return XDP_FRAGMENT;
	if (ip->nexthdr != IPPROTO_UDP)
		return -1;
	if (ip->saddr.in6_u.u6_addr8[0] == 0xff)
		return XDP_MALFORMED;
	*len = bpf_ntohs(ip->payload_len);
	*sum = sum32((__u32 *)&ip->saddr, 8) + bpf_htons(IPPROTO_UDP);

	answer_eth(&answer->v6.eth, eth);
	__builtin_memset(out, 0, sizeof(*out));
	out->version = 6;
	out->hop_limit = 64;
	out->nexthdr = IPPROTO_UDP;
	__builtin_memcpy(&out->saddr, &ip->daddr, sizeof(out->saddr));
	__builtin_memcpy(&out->daddr, &ip->saddr, sizeof(out->daddr));
	return XDP_ANSWERED;
}

/* As read4(), for what comes next. @len is what IP says there is. */
static __always_inline int read_udp(struct xdp_md *ctx, struct udphdr *udp, void *end,
				    __u32 len, struct request *req, __u64 sum, int version)
{
	__u32 at = (void *)udp - (void *)(long)ctx->data;

	if ((void *)(udp + 1) > end || udp->dest != listen_on.port)
		return -1;
	/* From a server's port come answers: who answers them may go on for ever. */
	if (bpf_ntohs(udp->len) != len || !udp->source || udp->source == udp->dest)
		return XDP_MALFORMED;
	len -= sizeof(*udp);
	if (len < REQUEST_MIN || len > REQUEST_MAX)
		return XDP_OTHER;
	if (bpf_xdp_load_bytes(ctx, at + sizeof(*udp), &req->frame, len) ||
	    bad_sum(req, sum + udp->len, udp, version))
		return XDP_MALFORMED;
	return XDP_ANSWERED;
}

/* @sum: of the text and of the pseudo header without the length. */
static __always_inline void answer_udp(struct answer *answer, const struct udphdr *from,
				       __u16 id, __u32 ntext, __u64 sum)
{
	struct udphdr *to = &answer->udp;
	__u16 check;

	answer->frame.id = id;
	answer->frame.seq = 0;
	answer->frame.total = bpf_htons(1);
	answer->frame.reserved = 0;

	to->source = from->dest;
	to->dest = from->source;
	to->len = bpf_htons(sizeof(*to) + sizeof(answer->frame) + ntext);
	sum += to->source + to->dest + 2 * to->len;
	sum += answer->frame.id + answer->frame.total;
	check = ~fold(sum);
	/* Zero would say that there is none. */
	to->check = check ?: 0xffff;
}

/* Nothing has changed till here, and nothing fails after the end has moved. */
static __always_inline int send(struct xdp_md *ctx, void *frame, __u32 len)
{
	long have = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	/*
	 * For the verifier: a difference of pointers, and a length with bounds, which
	 * the compiler must not join to one comparison of something else.
	 */
	barrier_var(have);
	barrier_var(len);
	if (len > sizeof(struct answer) - offsetof(struct answer, v4.eth))
		return pass(XDP_LARGE);
	barrier_var(len);
	if (!len)
		return pass(XDP_LARGE);
	if (bpf_xdp_adjust_tail(ctx, len - have))
		return pass(XDP_ROOM);
	if (bpf_xdp_store_bytes(ctx, 0, frame, len))
		return XDP_ABORTED;
	__sync_fetch_and_add(&cache.paths[XDP_ANSWERED], 1);
	return XDP_TX;
}

SEC("xdp")
int cache_xdp(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct request req = {};
	struct answer *answer;
	struct udphdr *udp;
	__u32 len = 0, zero = 0;
	__u64 sum = 0;
	int version, path;

	answer = bpf_map_lookup_elem(&answers, &zero);
	if (!answer || (void *)(eth + 1) > end ||
	    !is_for_interface(ctx->ingress_ifindex, eth) || eth->h_source[0] & 1)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		version = 4;
		udp = (void *)(eth + 1) + sizeof(struct iphdr);
		path = read4(eth, end, answer, &len, &sum);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		version = 6;
		udp = (void *)(eth + 1) + sizeof(struct ipv6hdr);
		path = read6(eth, end, answer, &len, &sum);
	} else {
		return XDP_PASS;
	}
	if (path == XDP_ANSWERED)
		path = read_udp(ctx, udp, end, len, &req, sum, version);
	if (path < 0)
		return XDP_PASS;
	if (path != XDP_ANSWERED)
		return pass(path);
	if ((void *)(udp + 1) > end)
		return XDP_PASS;

	req.nkey = parse(&req, bpf_ntohs(udp->len) - sizeof(*udp));
	if (!req.nkey)
		return pass(XDP_OTHER);
	req.hash = hash_key(&req);
	path = look_up(&req, answer);
	if (path <= 0)
		return pass(-path);
	len = path;
	answer_udp(answer, udp, req.frame.id, len, sum + req.sum);
	len += sizeof(struct udphdr) + sizeof(struct cache_frame);
	if (version == 4) {
		struct iphdr *ip = &answer->v4.ip;

		len += sizeof(*ip);
		ip->tot_len = bpf_htons(len);
		ip->check = 0;
		ip->check = ~fold(sum32((__u32 *)ip, 5));
		return send(ctx, &answer->v4.eth, sizeof(*eth) + len);
	}
	answer->v6.ip.payload_len = answer->udp.len;
	return send(ctx, &answer->v6.eth, sizeof(*eth) + sizeof(struct ipv6hdr) + len);
}

char LICENSE[] SEC("license") = "GPL";
