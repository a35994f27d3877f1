// SPDX-License-Identifier: GPL-2.0
/*
 * Sends packets of all sorts from one end of a veth to the other, on which an
 * arena-cache has its XDP program, and looks at what becomes of them: an answer at
 * the end they came from, or the packet itself, not changed by a bit, at the other.
 *
 * The server is stopped meanwhile, so that there are no answers but XDP's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include "cache_test.h"

/* The device has these addresses. */
#define ADDRESS4	"10.11.12.1"
#define ADDRESS6	"fd00::1"

#define CLIENT_PORT	33333
#define LONGEST_TEXT	1392	/* 1400 with the frame header */
#define FLIPS		300
#define FLUSHED		50000	/* items, that are still there for a while */

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))

struct packet {
	unsigned char data[2048];
	size_t len;
	size_t udp;		/* where its header is */
	size_t text;
};

struct end {
	int fd;
	int index;
	unsigned char mac[ETH_ALEN];
};

static struct end device, peer;
static unsigned long server_port;
static pid_t server;
static __u16 last_id;
static int answers, passes;

static void fail(const char *name, const char *what)
{
	kill(server, SIGCONT);
	errx(1, "%s: %s", name, what);
}

static struct end open_end(const char *name)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	struct ifreq request = {};
	struct end end;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	end.fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (end.fd < 0 || ioctl(end.fd, SIOCGIFHWADDR, &request))
		err(1, "%s", name);
	memcpy(end.mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	if (ioctl(end.fd, SIOCGIFINDEX, &request))
		err(1, "%s", name);
	end.index = request.ifr_ifindex;
	address.sll_ifindex = end.index;
	if (bind(end.fd, (void *)&address, sizeof(address)))
		err(1, "%s", name);
	return end;
}

static __u32 add(const void *data, size_t len, __u32 sum)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? byte[i] : byte[i] << 8;
	return sum;
}

static __u16 fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static bool is6(const struct packet *p)
{
	return p->data[12] == 0x86;
}

static struct iphdr *ip4(struct packet *p)
{
	return (void *)p->data + ETH_HLEN;
}

static struct ipv6hdr *ip6(struct packet *p)
{
	return (void *)p->data + ETH_HLEN;
}

static struct udphdr *udp(struct packet *p)
{
	return (void *)p->data + p->udp;
}

static __u32 pseudo(struct packet *p)
{
	__u32 sum = IPPROTO_UDP + ntohs(udp(p)->len);

	if (is6(p))
		return add(&ip6(p)->saddr, 32, sum);
	return add(&ip4(p)->saddr, 8, sum);
}

static void sum_ip(struct packet *p)
{
	ip4(p)->check = 0;
	ip4(p)->check = htons(~fold(add(ip4(p), 20, 0)));
}

static void sum_udp(struct packet *p)
{
	udp(p)->check = 0;
	udp(p)->check = htons(~fold(add(udp(p), ntohs(udp(p)->len), pseudo(p))));
	if (!udp(p)->check)
		udp(p)->check = 0xffff;
}

static void sums(struct packet *p)
{
	if (!is6(p))
		sum_ip(p);
	sum_udp(p);
}

/* A right request. Changes to it are the caller's. */
static struct packet request(int version, const char *text)
{
	size_t head = version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	size_t len = sizeof(struct udphdr) + 8 + strlen(text);
	struct packet p = { .udp = ETH_HLEN + head };
	struct ethhdr *eth = (void *)p.data;
	__u16 frame[4] = { htons(++last_id), 0, htons(1), 0 };

	p.text = p.udp + sizeof(struct udphdr) + 8;
	p.len = p.udp + len;
	memcpy(eth->h_dest, device.mac, ETH_ALEN);
	memcpy(eth->h_source, peer.mac, ETH_ALEN);
	if (version == 4) {
		eth->h_proto = htons(ETH_P_IP);
		*ip4(&p) = (struct iphdr){
			.version = 4, .ihl = 5, .ttl = 9, .protocol = IPPROTO_UDP,
			.tot_len = htons(head + len), .saddr = inet_addr("10.11.12.2"),
			.daddr = inet_addr(ADDRESS4), .id = htons(7),
		};
	} else {
		eth->h_proto = htons(ETH_P_IPV6);
		*ip6(&p) = (struct ipv6hdr){
			.version = 6, .hop_limit = 9, .nexthdr = IPPROTO_UDP,
			.payload_len = htons(len),
		};
		inet_pton(AF_INET6, "fd00::2", &ip6(&p)->saddr);
		inet_pton(AF_INET6, ADDRESS6, &ip6(&p)->daddr);
	}
	*udp(&p) = (struct udphdr){ htons(CLIENT_PORT), htons(server_port), htons(len), 0 };
	memcpy(p.data + p.text - 8, frame, 8);
	memcpy(p.data + p.text, text, strlen(text));
	sums(&p);
	return p;
}

/* Is it an answer of the server's? What else comes this way is the network's affair. */
static bool from_server(struct packet *p)
{
	struct ethhdr *eth = (void *)p->data;

	if (memcmp(eth->h_source, device.mac, ETH_ALEN))
		return false;
	if (eth->h_proto == htons(ETH_P_IP) && ip4(p)->protocol == IPPROTO_UDP)
		p->udp = ETH_HLEN + sizeof(struct iphdr);
	else if (eth->h_proto == htons(ETH_P_IPV6) && ip6(p)->nexthdr == IPPROTO_UDP)
		p->udp = ETH_HLEN + sizeof(struct ipv6hdr);
	else
		return false;
	p->text = p->udp + sizeof(struct udphdr) + 8;
	return p->len >= p->text && udp(p)->source == htons(server_port);
}

static struct packet take(struct end *end)
{
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	struct packet p = {};
	ssize_t got;

	got = recvfrom(end->fd, p.data, sizeof(p.data), MSG_DONTWAIT, (void *)&from, &from_len);
	if (got > 0 && from.sll_pkttype != PACKET_OUTGOING)
		p.len = got;
	return p;
}

/* What becomes of @sent: the answer, or a packet without any length if it has passed. */
static struct packet fate(const char *name, const struct packet *sent)
{
	struct pollfd fds[2] = { { peer.fd, POLLIN, 0 }, { device.fd, POLLIN, 0 } };
	struct packet got = {};

	if (send(peer.fd, sent->data, sent->len, 0) != (ssize_t)sent->len)
		fail(name, "cannot be sent");
	for (;;) {
		if (poll(fds, 2, TIMEOUT) <= 0)
			fail(name, "neither answered nor passed as it was");
		got = take(&peer);
		if (got.len && from_server(&got))
			return got;
		got = take(&device);
		if (got.len == sent->len && !memcmp(got.data, sent->data, got.len)) {
			got.len = 0;
			return got;
		}
	}
}

static void check_answer(const char *name, struct packet *sent, struct packet *got,
			 const char *text, size_t len)
{
	struct ethhdr *from = (void *)sent->data, *to = (void *)got->data;
	__u16 frame[4];

	if (!got->len)
		fail(name, "passed, and should be answered");
	if (memcmp(from->h_source, to->h_dest, ETH_ALEN) || from->h_proto != to->h_proto)
		fail(name, "wrong Ethernet header");
	if (is6(sent)) {
		if (ip6(got)->version != 6 || !ip6(got)->hop_limit ||
		    got->udp + ntohs(ip6(got)->payload_len) != got->len ||
		    memcmp(&ip6(got)->saddr, &ip6(sent)->daddr, 16) ||
		    memcmp(&ip6(got)->daddr, &ip6(sent)->saddr, 16))
			fail(name, "wrong IPv6 header");
	} else if (ip4(got)->version != 4 || ip4(got)->ihl != 5 || !ip4(got)->ttl ||
		   ip4(got)->frag_off & htons(0x3fff) ||
		   got->udp - 20 + ntohs(ip4(got)->tot_len) != got->len ||
		   ip4(got)->saddr != ip4(sent)->daddr || ip4(got)->daddr != ip4(sent)->saddr ||
		   fold(add(ip4(got), 20, 0)) != 0xffff) {
		fail(name, "wrong IPv4 header");
	}
	if (udp(got)->dest != udp(sent)->source || got->udp + ntohs(udp(got)->len) != got->len)
		fail(name, "wrong UDP header");
	if (!udp(got)->check ||
	    fold(add(udp(got), ntohs(udp(got)->len), pseudo(got))) != 0xffff)
		fail(name, "wrong UDP checksum");
	memcpy(frame, got->data + got->text - 8, 8);
	if (memcmp(frame, sent->data + sent->text - 8, 2) || frame[1] || frame[2] != htons(1) ||
	    frame[3])
		fail(name, "wrong frame header");
	if (got->len - got->text != len || memcmp(got->data + got->text, text, len))
		fail(name, "wrong text");
}

static void passed(const char *name, struct packet p)
{
	if (fate(name, &p).len)
		fail(name, "answered, and should pass");
	passes++;
}

/* A value that is told by its key and length. */
static void make_value(char *value, const char *key, size_t len)
{
	size_t nkey = strlen(key);

	for (size_t i = 0; i < len; i++)
		value[i] = key[i % nkey] ^ (i / nkey & 7);
}

static void answered(const char *name, struct packet p, const char *key, size_t len)
{
	char text[2048], value[2048];
	struct packet got = {};

	make_value(value, key, len);
	sprintf(text, "VALUE %s 0 %zu\r\n", key, len);
	got = fate(name, &p);
	len += strlen(text);
	memcpy(text + strlen(text), value, len);
	memcpy(text + len, "\r\nEND\r\n", 7);
	check_answer(name, &p, &got, text, len + 7);
	answers++;
}

/* What fits in a datagram with this key. */
static size_t longest_value(const char *key)
{
	return LONGEST_TEXT - strlen("VALUE  0 1300\r\n\r\nEND\r\n") - strlen(key);
}

static void set(int tcp, const char *key, size_t len, int exptime)
{
	char value[4096];

	make_value(value, key, len);
	tcp_set(tcp, key, value, len, exptime);
}

static char key1[2], key8[9], key250[251], long_key[] = "long", longer_key[] = "longer";

static void make_keys(int tcp)
{
	strcpy(key1, "a");
	strcpy(key8, "12345678");
	memset(key250, 'k', 250);
	set(tcp, key1, 5, 0);
	set(tcp, key8, 0, 0);
	set(tcp, key250, 100, 0);
	set(tcp, long_key, longest_value(long_key), 0);
	set(tcp, longer_key, longest_value(longer_key) + 1, 0);
	set(tcp, "stays", 5, 1000);
	set(tcp, "goes", 5, 1);
}

static void test_answers(int version)
{
	char text[300];
	struct packet p;

	answered("a key of 1 byte", request(version, "get a\r\n"), key1, 5);
	answered("an empty value", request(version, "get 12345678\r\n"), key8, 0);
	sprintf(text, "get %s\r\n", key250);
	answered("a key of 250 bytes", request(version, text), key250, 100);
	answered("the longest answer", request(version, "get long\r\n"), long_key,
		 longest_value(long_key));
	answered("a key that expires later", request(version, "get stays\r\n"), "stays", 5);

	p = request(version, "get a\r\n");
	p.len += 13;
	answered("padding after the packet", p, key1, 5);

	p = request(version, "get a\r\n");
	udp(&p)->check = htons(fold(pseudo(&p)));
	answered("a checksum left to hardware", p, key1, 5);
}

static void test_texts(int version)
{
	static const char * const texts[] = {
		"get miss\r\n", "get goes\r\n", "get longer\r\n", "get a b\r\n", "get a \r\n",
		"get  a\r\n", "get a\n", "get a\r", "get a", "get a\r\n\r\n", "get \r\n", "get\r\n",
		"GET a\r\n", "gets a\r\n", "gat 0 a\r\n", "get a\t\r\n", "get a\r\r\n", "a\r\n",
		"", "\r\n", "get a\r\nget a\r\n", "set a 0 0 1\r\nx\r\n", "get a\x01\r\n",
	};
	char text[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		passed(texts[i], request(version, texts[i]));
	sprintf(text, "get %sk\r\n", key250);
	passed("a key of 251 bytes", request(version, text));
	sprintf(text, "get %.249s\r\n", key250);
	passed("a key that is the start of another", request(version, text));
	sprintf(text, "get %s %s\r\n", key250, key250);
	passed("two long keys", request(version, text));
}

static void test_udp(int version)
{
	struct packet p;
	size_t len;

	p = request(version, "get a\r\n");
	p.data[p.text - 3] = 2;
	sums(&p);
	passed("a request in two datagrams", p);

	p = request(version, "get a\r\n");
	udp(&p)->check ^= htons(1);
	passed("a wrong UDP checksum", p);

	p = request(version, "get a\r\n");
	udp(&p)->dest = htons(server_port + 1);
	sums(&p);
	passed("another port", p);

	p = request(version, "get a\r\n");
	udp(&p)->source = 0;
	sums(&p);
	passed("no source port", p);

	for (len = 0; len < 8 + 8 + 7; len++) {
		p = request(version, "get a\r\n");
		udp(&p)->len = htons(len);
		sums(&p);
		passed("a UDP length that is too short", p);
	}
	p = request(version, "get a\r\n");
	udp(&p)->len = htons(len + 1);
	p.len++;
	sums(&p);
	passed("a UDP length beyond IP's", p);

	for (len = ETH_HLEN; len < request(version, "get a\r\n").len; len++) {
		p = request(version, "get a\r\n");
		p.len = len;
		passed("a packet cut short", p);
	}
}

static void test_ip4(void)
{
	struct packet p;

	p = request(4, "get a\r\n");
	udp(&p)->check = 0;
	answered("no UDP checksum", p, key1, 5);

	p = request(4, "get a\r\n");
	ip4(&p)->frag_off = htons(0x4000);
	sums(&p);
	answered("not to be fragmented", p, key1, 5);

	p = request(4, "get a\r\n");
	ip4(&p)->frag_off = htons(0x2000);
	sums(&p);
	passed("the first fragment", p);

	p = request(4, "get a\r\n");
	ip4(&p)->frag_off = htons(1);
	sums(&p);
	passed("the last fragment", p);

	p = request(4, "get a\r\n");
	memmove(p.data + p.udp + 4, p.data + p.udp, p.len - p.udp);
	memset(p.data + p.udp, 1, 4);
	p.len += 4;
	p.udp += 4;
	ip4(&p)->ihl = 6;
	ip4(&p)->tot_len = htons(p.len - ETH_HLEN);
	ip4(&p)->check = 0;
	ip4(&p)->check = htons(~fold(add(ip4(&p), 24, 0)));
	sum_udp(&p);
	passed("IP options", p);

	p = request(4, "get a\r\n");
	ip4(&p)->check ^= htons(1);
	passed("a wrong IP checksum", p);

	p = request(4, "get a\r\n");
	ip4(&p)->tot_len = htons(p.len - ETH_HLEN + 4);
	sums(&p);
	passed("an IP length beyond the packet", p);

	p = request(4, "get a\r\n");
	ip4(&p)->daddr = inet_addr("10.11.12.3");
	sums(&p);
	passed("another's address", p);

	p = request(4, "get a\r\n");
	ip4(&p)->saddr = inet_addr("224.0.0.1");
	sums(&p);
	passed("from a multicast address", p);

	p = request(4, "get a\r\n");
	ip4(&p)->saddr = 0;
	sums(&p);
	passed("from nowhere", p);

	p = request(4, "get a\r\n");
	ip4(&p)->protocol = IPPROTO_TCP;
	sums(&p);
	passed("TCP", p);
}

static void test_ip6(void)
{
	struct packet p;

	p = request(6, "get a\r\n");
	udp(&p)->check = 0;
	passed("no UDP checksum, with IPv6", p);

	p = request(6, "get a\r\n");
	memmove(p.data + p.udp + 8, p.data + p.udp, p.len - p.udp);
	memset(p.data + p.udp, 0, 8);
	p.data[p.udp] = IPPROTO_UDP;
	ip6(&p)->nexthdr = IPPROTO_FRAGMENT;
	ip6(&p)->payload_len = htons(ntohs(ip6(&p)->payload_len) + 8);
	p.len += 8;
	passed("an IPv6 fragment", p);
	ip6(&p)->nexthdr = IPPROTO_HOPOPTS;
	passed("IPv6 options", p);

	p = request(6, "get a\r\n");
	ip6(&p)->saddr.s6_addr[0] = 0xff;
	sums(&p);
	passed("from a multicast address", p);

	p = request(6, "get a\r\n");
	ip6(&p)->daddr.s6_addr[15] = 9;
	sums(&p);
	passed("another's address", p);
}

/* One bit is wrong: either it does not matter, or the packet passes. */
static void test_flips(int version)
{
	struct packet p, changed, got;
	size_t bit;

	for (int i = 0; i < FLIPS; i++) {
		p = request(version, "get a\r\n");
		changed = p;
		bit = random_number() % (p.len * 8);
		changed.data[bit / 8] ^= 1 << bit % 8;
		got = fate("a flipped bit", &changed);
		if (!got.len) {
			passes++;
			continue;
		}
		check_answer("a flipped bit", &changed, &got,
			     "VALUE a 0 5\r\na`cbe\r\nEND\r\n", 25);
		answers++;
	}
}

/* flush_all makes items invalid that it has not freed yet: the last one is the last to go. */
static void test_flush(int tcp)
{
	char line[64], said[4];

	for (int i = 0; i < FLUSHED; i++)
		send_all(tcp, line, sprintf(line, "set flushed-%d 0 0 1 noreply\r\nx\r\n", i));
	set(tcp, "last", 5, 0);
	kill(server, SIGSTOP);
	answered("before flush_all", request(4, "get last\r\n"), "last", 5);
	kill(server, SIGCONT);
	send_all(tcp, "flush_all\r\n", 11);
	if (receive(tcp, said, sizeof(said)) != 4 || memcmp(said, "OK\r\n", 4))
		errx(1, "not flushed");
	kill(server, SIGSTOP);
	passed("after flush_all", request(4, "get last\r\n"));
	kill(server, SIGCONT);
}

void test_packets(unsigned long port, pid_t pid, const char *device_name,
		  const char *peer_name)
{
	int tcp = tcp_open(port);

	server_port = port;
	server = pid;
	device = open_end(device_name);
	peer = open_end(peer_name);
	make_keys(tcp);
	sleep(2);	/* one of them expires in this time */
	kill(server, SIGSTOP);
	for (int version = 4; version <= 6; version += 2) {
		test_answers(version);
		test_texts(version);
		test_udp(version);
		test_flips(version);
	}
	test_ip4();
	test_ip6();
	kill(server, SIGCONT);
	test_flush(tcp);
	printf("packets: %d answered by XDP, %d passed as they were\n", answers, passes);
	if (stat_of(tcp, "xdp_answered") != (__u64)answers)
		errx(1, "the statistics say %llu were answered", stat_of(tcp, "xdp_answered"));
}
