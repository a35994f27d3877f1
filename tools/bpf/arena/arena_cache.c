// SPDX-License-Identifier: GPL-2.0
/*
 * A key/value server that speaks memcached's text protocol over TCP and UDP. Its
 * data is in a BPF arena, where an XDP program finds what UDP clients ask for and
 * answers without it.
 *
 * This file has the command line, the sockets and the loop. One thread does all.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "arena_tool.h"
#include "arena_cache.h"
#include "arena_cache_proto.h"
#include "arena_cache_store.h"
#include "arena_cache.skel.h"

#define MIB		(1024 * 1024UL)
#define OTHER_FILES	64		/* that are open, besides connections */
#define READ_SIZE	65536
#define REST		1000		/* ms: then the listener looks whether it can go on */
#define ANSWER_ROUNDS	4		/* of output, and then it is others' turn */
#define LINGER_MAX	(4 << 20)	/* bytes read after the end, and thrown away */
#define DATAGRAMS	64		/* read in a row */
#define IP_UDP_HEADERS	48		/* of IPv6, the longer ones */

struct options {
	const char *address;
	unsigned long tcp_port, udp_port, mib, connections;
	const char *interface[CACHE_INTERFACES];
	int interfaces;
	bool json, verbose;
};

struct connection {
	int fd;
	struct session session;
	size_t sent;			/* of its output */
	size_t lingered;		/* bytes that came after the end */
	bool full;			/* waits for room to send */
	bool at_eof;
	bool ended;			/* nothing is sent any more */
};

static struct options opts = {
	.address = "127.0.0.1",
	.tcp_port = CACHE_PORT,
	.udp_port = CACHE_PORT,
	.mib = 64,
	.connections = 1024,
};

static struct arena_cache_bpf *skel;
static struct bpf_link *links[CACHE_INTERFACES];
static int epoll_fd, tcp_fd = -1, udp_fd = -1, signal_fd;
static __u64 begin, connections, total_connections, udp_requests, udp_ignored, rests;
static __u64 rest_end;
static bool resting;
static __u64 paths_before[XDP_PATHS];

static const char * const path_names[XDP_PATHS] = {
	[XDP_ANSWERED] = "xdp_answered",
	[XDP_FRAGMENT] = "xdp_passed_fragment",
	[XDP_MALFORMED] = "xdp_passed_malformed",
	[XDP_OTHER] = "xdp_passed_other",
	[XDP_MISS] = "xdp_passed_miss",
	[XDP_LARGE] = "xdp_passed_large",
	[XDP_ROOM] = "xdp_passed_room",
	[XDP_BUSY] = "xdp_passed_busy",
};

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: arena-cache [OPTION]...\n"
		"\n"
		"A memcached whose data is in a BPF arena: speaks its text protocol over TCP and\n"
		"UDP. On the interfaces given with -i, an XDP program answers UDP gets of one key\n"
		"from the arena, and the server never sees them.\n"
		"\n"
		"  -p, --port PORT            TCP port (11211); 0: no TCP\n"
		"  -U, --udp-port PORT        UDP port (11211); 0: no UDP\n"
		"  -l, --listen ADDRESS       listen there (127.0.0.1); 0.0.0.0 or ::, anywhere\n"
		"  -m, --memory-limit MIB     memory for items and table, from 2 to 4095 (64)\n"
		"  -c, --conn-limit NUMBER    connections at a time (1024); the limit of open files\n"
		"                             is raised to that\n"
		"  -i, --interface INTERFACE  attach the XDP program there; may be repeated\n"
		"  -j, --json                 print the statistics as JSON at the end\n"
		"  -v, --verbose              say who comes and goes\n"
		"  -h, --help                 this\n"
		"\n"
		"Ctrl-C or SIGTERM ends it. There is no authentication: do not listen where\n"
		"strangers are.\n"
		"\n"
		"Exit status: 0, 1 after a failure, 2 for a wrong option, 3 if the kernel has no\n"
		"arena or no JIT, 4 without the rights: CAP_BPF, CAP_PERFMON, with -i CAP_NET_ADMIN.\n");
}

static bool parse_options(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "conn-limit", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "interface", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "listen", required_argument, NULL, 'l' },
		{ "memory-limit", required_argument, NULL, 'm' },
		{ "port", required_argument, NULL, 'p' },
		{ "udp-port", required_argument, NULL, 'U' },
		{ "verbose", no_argument, NULL, 'v' },
		{}
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:hi:jl:m:p:U:v", longopts, NULL)) != -1) {
		switch (opt) {
		case 'c':
			if (!arena_tool_number(optarg, 1, 1000000, &opts.connections))
				return false;
			break;
		case 'h':
			usage(stdout);
			exit(arena_tool_end(TOOL_OK));
		case 'i':
			if (opts.interfaces == CACHE_INTERFACES) {
				warnx("-i: at most %d interfaces", CACHE_INTERFACES);
				return false;
			}
			opts.interface[opts.interfaces++] = optarg;
			break;
		case 'j':
			opts.json = true;
			break;
		case 'l':
			opts.address = optarg;
			break;
		case 'm':
			if (!arena_tool_number(optarg, 2, 4095, &opts.mib))
				return false;
			break;
		case 'p':
			if (!arena_tool_number(optarg, 0, 65535, &opts.tcp_port))
				return false;
			break;
		case 'U':
			if (!arena_tool_number(optarg, 0, 65535, &opts.udp_port))
				return false;
			break;
		case 'v':
			opts.verbose = true;
			break;
		default:
			usage(stderr);
			return false;
		}
	}
	if (optind < argc) {
		warnx("what is '%s'? there are options only", argv[optind]);
		return false;
	}
	if (!opts.tcp_port && !opts.udp_port) {
		warnx("-p 0 and -U 0: nothing to listen on");
		return false;
	}
	if (opts.interfaces && !opts.udp_port) {
		warnx("-i needs UDP");
		return false;
	}
	return true;
}

/* False for a family that is not IP's. */
static bool to_address(const struct sockaddr *from, struct cache_address *to)
{
	const struct sockaddr_in6 *in6 = (const void *)from;
	const struct sockaddr_in *in = (const void *)from;

	if (from->sa_family == AF_INET) {
		*to = (struct cache_address){ { 0, 0, htonl(0xffff), in->sin_addr.s_addr } };
		return true;
	}
	if (from->sa_family != AF_INET6)
		return false;
	memcpy(to, &in6->sin6_addr, sizeof(*to));
	return true;
}

static bool is_any(const struct cache_address *address)
{
	return !address->word[0] && !address->word[1] && !address->word[3] &&
	       (!address->word[2] || address->word[2] == htonl(0xffff));
}

static bool wants_interface(const char *name)
{
	for (int i = 0; i < opts.interfaces; i++)
		if (!strcmp(opts.interface[i], name))
			return true;
	return false;
}

/* All addresses of the interfaces, as they are now: others are the server's alone. */
static bool all_addresses(struct cache_listen *on)
{
	struct ifaddrs *all, *one;

	if (getifaddrs(&all)) {
		warn("getifaddrs");
		return false;
	}
	for (one = all; one && on->addresses < CACHE_ADDRESSES; one = one->ifa_next)
		if (one->ifa_addr && wants_interface(one->ifa_name) &&
		    to_address(one->ifa_addr, &on->address[on->addresses]))
			on->addresses++;
	freeifaddrs(all);
	return true;
}

/* An answer longer than the MTU would be lost. */
static bool describe_interface(int i, int fd, struct cache_listen *on)
{
	struct ifreq request = {};
	int longest;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", opts.interface[i]);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return false;
	memcpy(on->interface[i].mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	if (ioctl(fd, SIOCGIFMTU, &request))
		return false;
	longest = request.ifr_mtu - IP_UDP_HEADERS - sizeof(struct cache_frame);
	if (longest < on->max_text)
		on->max_text = longest;
	if (ioctl(fd, SIOCGIFINDEX, &request))
		return false;
	on->interface[i].index = request.ifr_ifindex;
	return true;
}

static bool describe_interfaces(struct cache_listen *on)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), i;

	on->max_text = CACHE_DATAGRAM - sizeof(struct cache_frame);
	for (i = 0; i < opts.interfaces; i++) {
		if (!describe_interface(i, fd, on)) {
			warn("interface %s", opts.interface[i]);
			break;
		}
	}
	close(fd);
	return i == opts.interfaces;
}

/* What is listened on, as the XDP program wants to know it. */
static bool tell_program(const struct addrinfo *where, struct cache_listen *on)
{
	struct cache_address address;

	on->port = htons(opts.udp_port);
	if (!to_address(where->ai_addr, &address)) {
		warnx("%s: neither IPv4 nor IPv6", opts.address);
		return false;
	}
	if (!is_any(&address)) {
		on->address[0] = address;
		on->addresses = 1;
	} else if (!all_addresses(on)) {
		return false;
	}
	return describe_interfaces(on);
}

static bool open_arena(const struct addrinfo *where)
{
	size_t page = sysconf(_SC_PAGESIZE), size = opts.mib * MIB, used;
	struct cache_listen on = {};
	int err;

	skel = arena_cache_bpf__open();
	if (!skel) {
		warn("cannot open the BPF program");
		return false;
	}
	if (!tell_program(where, &on))
		return false;
	memcpy((void *)&skel->rodata->listen_on, &on, sizeof(on));
	bpf_map__set_max_entries(skel->maps.arena, size / page);
	bpf_program__set_autoload(skel->progs.cache_xdp, opts.interfaces);
	err = arena_cache_bpf__load(skel);
	if (err) {
		warnx("cannot load the BPF program: %s", strerror(-err));
		return false;
	}
	used = (sizeof(*skel->arena) + page - 1) / page * page;
	return store_init(&skel->arena->cache, (void *)skel->arena + used, size - used);
}

/* What XDP sends back from a veth is lost if the other end is not prepared for it. */
static void warn_of_veth(const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (void *)&info };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (!ioctl(fd, SIOCETHTOOL, &request) && !strcmp(info.driver, "veth"))
		warnx("%s is a veth: its other end needs an XDP program, too, or gets no answers",
		      name);
	close(fd);
}

/* An interface is one of the network namespace of who runs this, and of no other. */
static const char *network(void)
{
	static char name[64];
	ssize_t len = readlink("/proc/self/ns/net", name, sizeof(name) - 1);

	return len > 0 ? name : "unknown";
}

static bool attach_interface(int i)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	const char *name = opts.interface[i];
	int index = if_nametoindex(name);
	int err;

	if (!index) {
		warn("interface %s", name);
		return false;
	}
	links[i] = bpf_program__attach_xdp(skel->progs.cache_xdp, index);
	if (!links[i]) {
		err = errno;
		warnx("cannot attach to %s: %s%s", name, strerror(err),
		      err == EBUSY ? ", it has an XDP program" : "");
		return false;
	}
	warn_of_veth(name);
	if (!bpf_xdp_query(index, 0, &query))
		printf("XDP on %s (%s) of network namespace %s\n", name,
		       query.attach_mode == XDP_ATTACHED_SKB ? "generic" : "native",
		       network());
	return true;
}

static void detach(void)
{
	for (int i = 0; i < opts.interfaces; i++)
		bpf_link__destroy(links[i]);
	arena_cache_bpf__destroy(skel);
}

static bool watch(int fd, void *what, __u32 events)
{
	struct epoll_event event = { .events = events, .data.ptr = what };

	if (!epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return true;
	warn("epoll_ctl");
	return false;
}

static struct addrinfo *resolve(void)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	struct addrinfo *where;
	int err;

	err = getaddrinfo(opts.address, NULL, &hints, &where);
	if (!err)
		return where;
	warnx("%s: %s", opts.address, gai_strerror(err));
	return NULL;
}

static int listen_to(const struct addrinfo *where, int type, unsigned long port)
{
	int fd = socket(where->ai_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage address = {};
	int one = 1;

	memcpy(&address, where->ai_addr, where->ai_addrlen);
	/* At the same place in both. */
	((struct sockaddr_in *)&address)->sin_port = htons(port);
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (void *)&address, where->ai_addrlen) ||
	    (type == SOCK_STREAM && listen(fd, SOMAXCONN))) {
		warn("cannot listen on %s, %s port %lu", opts.address,
		     type == SOCK_STREAM ? "TCP" : "UDP", port);
		return -1;
	}
	return fd;
}

static bool open_sockets(const struct addrinfo *where)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0) {
		warn("epoll_create1");
		return false;
	}
	signal_fd = arena_tool_signals();
	if (signal_fd < 0 || !watch(signal_fd, &signal_fd, EPOLLIN))
		return false;
	if (opts.tcp_port) {
		tcp_fd = listen_to(where, SOCK_STREAM, opts.tcp_port);
		if (tcp_fd < 0 || !watch(tcp_fd, &tcp_fd, EPOLLIN))
			return false;
	}
	if (opts.udp_port) {
		udp_fd = listen_to(where, SOCK_DGRAM, opts.udp_port);
		if (udp_fd < 0 || !watch(udp_fd, &udp_fd, EPOLLIN))
			return false;
	}
	return true;
}

static void watch_listener(bool on)
{
	struct epoll_event event = { .events = on ? EPOLLIN : 0, .data.ptr = &tcp_fd };

	resting = !on;
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, tcp_fd, &event);
}

static void close_connection(struct connection *conn)
{
	if (opts.verbose)
		printf("connection %d closed\n", conn->fd);
	close(conn->fd);
	proto_free(&conn->session);
	free(conn);
	connections--;
	if (resting)
		watch_listener(true);
}

/* Returns false if the connection is to end. */
static bool send_output(struct connection *conn)
{
	struct buffer *out = &conn->session.out;
	ssize_t sent;

	while (conn->sent < out->len) {
		sent = send(conn->fd, out->data + conn->sent, out->len - conn->sent,
			    MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		conn->sent += sent;
	}
	conn->sent = 0;
	out->len = 0;
	/* What a large value needed is not kept for small ones. */
	if (out->size > READ_SIZE)
		buffer_free(out);
	return true;
}

static bool read_input(struct connection *conn)
{
	struct buffer *in = &conn->session.in;
	ssize_t got;

	if (!in->len && in->size > 2 * READ_SIZE)
		buffer_free(in);
	if (!buffer_reserve(in, READ_SIZE))
		return false;
	got = recv(conn->fd, in->data + in->len, READ_SIZE, 0);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	in->len += got;
	conn->at_eof = !got;
	return true;
}

/*
 * All is sent, but not yet received. If the connection was closed while there is input
 * that nobody has read, it would be reset, and what is on its way would be lost.
 */
static bool linger(struct connection *conn)
{
	static char waste[READ_SIZE];
	ssize_t got;

	if (!conn->ended && (conn->at_eof || shutdown(conn->fd, SHUT_WR)))
		return false;
	conn->ended = true;
	got = recv(conn->fd, waste, sizeof(waste), 0);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	conn->lingered += got;
	return got && conn->lingered < LINGER_MAX;
}

/* Answers what has come in, as far as there is room. Returns false after an error. */
static bool answer(struct connection *conn)
{
	struct buffer *out = &conn->session.out;

	for (int i = 0; i < ANSWER_ROUNDS; i++) {
		if (!send_output(conn))
			return false;
		if (out->len || conn->session.quit)
			return true;
		proto_run(&conn->session);
		if (!out->len)
			return true;
	}
	/* There is output, so that it goes on when it is this one's turn again. */
	return true;
}

/* Returns false if the connection is to end. What was answered before is sent. */
static bool serve_input(struct connection *conn)
{
	struct session *session = &conn->session;

	if (conn->ended)
		return linger(conn);
	if (!session->out.len && !read_input(conn))
		return false;
	if (!answer(conn))
		return false;
	if (!session->out.len && (session->quit || conn->at_eof))
		return linger(conn);
	return true;
}

/* Who does not take the answers is not listened to. */
static void serve_connection(struct connection *conn)
{
	struct epoll_event event = { .data.ptr = conn };
	bool full;

	if (!serve_input(conn)) {
		close_connection(conn);
		return;
	}
	full = conn->session.out.len;
	if (full == conn->full)
		return;
	conn->full = full;
	event.events = full ? EPOLLOUT : EPOLLIN;
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

/*
 * Who waits to be accepted makes the listener readable. As long as that cannot be done it
 * is not watched: until a connection is closed, or, as others may close files, a while.
 */
static void rest(void)
{
	rests++;
	rest_end = store_now() + REST * 1000000ULL;
	watch_listener(false);
}

static void accept_connection(void)
{
	static const char full[] = "ERROR Too many open connections\r\n";
	int fd = accept4(tcp_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *conn;
	int one = 1;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			rest();
		return;
	}
	conn = connections < opts.connections ? calloc(1, sizeof(*conn)) : NULL;
	if (!conn) {
		send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conn->fd = fd;
	connections++;
	total_connections++;
	if (opts.verbose)
		printf("connection %d\n", fd);
	if (!watch(fd, conn, EPOLLIN))
		close_connection(conn);
}

/* In as many datagrams as it takes. */
static void send_datagrams(const struct sockaddr_storage *to, socklen_t to_len, __u16 id,
			   const char *text, size_t ntext)
{
	size_t most = CACHE_DATAGRAM - sizeof(struct cache_frame);
	size_t total = (ntext + most - 1) / most, seq, len;

	for (seq = 0; seq < total; seq++) {
		struct cache_frame frame = { id, htons(seq), htons(total), 0 };
		struct iovec iov[2] = {
			{ &frame, sizeof(frame) },
			{ (void *)text + seq * most, 0 },
		};
		struct msghdr msg = {
			.msg_name = (void *)to,
			.msg_namelen = to_len,
			.msg_iov = iov,
			.msg_iovlen = 2,
		};

		len = ntext - seq * most;
		iov[1].iov_len = len < most ? len : most;
		/* UDP: what cannot be sent is lost. */
		if (sendmsg(udp_fd, &msg, MSG_NOSIGNAL) < 0)
			break;
	}
}

/* From one server's port to another's go answers only, or what is made to look like it. */
static bool from_server(const struct sockaddr_storage *from)
{
	/* At the same place in both families. */
	return ((const struct sockaddr_in *)from)->sin_port == htons(opts.udp_port);
}

/* Returns false if the answer would be longer than may be waiting. */
static bool answer_datagram(struct session *session, const char *packet, size_t len)
{
	bool whole;

	session->datagram = true;
	session->in.len = 0;
	session->out.len = 0;
	if (!buffer_reserve(&session->in, len))
		return true;
	memcpy(session->in.data, packet, len);
	session->in.len = len;
	udp_requests++;
	proto_run(session);
	udp_ignored += !session->out.len && session->quit;
	whole = !session->in.len || session->out.len <= PROTO_OUT_MAX;
	/* What is not complete never will be. */
	session->need = 0;
	session->skip = 0;
	session->scanned = 0;
	session->resume = 0;
	session->quit = false;
	return whole;
}

static bool serve_datagram(void)
{
	static const char refusal[] = "SERVER_ERROR multi-packet request not supported\r\n";
	static const char too_long[] = "SERVER_ERROR answer too long for UDP\r\n";
	static struct session session;
	static char packet[READ_SIZE];
	const size_t head = sizeof(struct cache_frame);
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	struct cache_frame frame;
	ssize_t got;

	got = recvfrom(udp_fd, packet, sizeof(packet), 0, (void *)&from, &from_len);
	if (got < 0)
		return false;
	if (got < (ssize_t)head || from_server(&from)) {
		udp_ignored++;
		return true;
	}
	memcpy(&frame, packet, head);
	if (frame.total != htons(1)) {
		send_datagrams(&from, from_len, frame.id, refusal, sizeof(refusal) - 1);
		return true;
	}
	if (answer_datagram(&session, packet + head, got - head))
		send_datagrams(&from, from_len, frame.id, session.out.data,
			       session.out.len);
	else
		send_datagrams(&from, from_len, frame.id, too_long, sizeof(too_long) - 1);
	return true;
}

void server_stats(struct session *session)
{
	const __u64 *paths = skel->arena->cache.paths;
	__u64 answered = READ_ONCE(paths[XDP_ANSWERED]) - paths_before[XDP_ANSWERED];
	__u64 hits = proto_stats.get_hits + answered;
	__u64 bytes = arena_tool_memory(bpf_map__fd(skel->maps.arena));

	proto_stat(session, "uptime", (store_now() - begin) / 1000000000ULL);
	proto_stat(session, "threads", 1);
	proto_stat(session, "curr_connections", connections);
	proto_stat(session, "total_connections", total_connections);
	proto_stat(session, "max_connections", opts.connections);
	proto_stat(session, "listen_disabled_num", rests);
	proto_stat(session, "limit_maxbytes", opts.mib * MIB);
	if (bytes)
		proto_stat(session, "arena_bytes", bytes);
	/* A miss is the server's in any case. */
	proto_stat(session, "cmd_get", hits + proto_stats.get_misses);
	proto_stat(session, "get_hits", hits);
	proto_stat(session, "get_misses", proto_stats.get_misses);
	proto_stat(session, "udp_server", udp_requests);
	proto_stat(session, "udp_ignored", udp_ignored);
	for (int i = 0; i < XDP_PATHS; i++)
		proto_stat(session, path_names[i], READ_ONCE(paths[i]) - paths_before[i]);
}

void server_stats_reset(void)
{
	for (int i = 0; i < XDP_PATHS; i++)
		paths_before[i] = READ_ONCE(skel->arena->cache.paths[i]);
	total_connections = 0;
	udp_requests = 0;
	udp_ignored = 0;
	rests = 0;
}

/* What a client would be told, as JSON. */
static void print_json(void)
{
	struct session session = {};
	json_writer_t *json = jsonw_new(stdout);
	char *line, *name, *value, *save;

	if (!json || !buffer_reserve(&session.in, 7))
		return;
	memcpy(session.in.data, "stats\r\n", 7);
	session.in.len = 7;
	proto_run(&session);

	jsonw_pretty(json, true);
	jsonw_start_object(json);
	for (line = strtok_r(session.out.data, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save)) {
		name = strchr(line, ' ');
		value = name ? strchr(name + 1, ' ') : NULL;
		if (!value)
			break;
		*value++ = 0;
		if (strspn(value, "0123456789") == strlen(value))
			jsonw_lluint_field(json, name + 1, strtoull(value, NULL, 10));
		else
			jsonw_string_field(json, name + 1, value);
	}
	jsonw_end_object(json);
	jsonw_destroy(&json);
	proto_free(&session);
}

static void print_end(void)
{
	unsigned long long answered = READ_ONCE(skel->arena->cache.paths[XDP_ANSWERED]);
	unsigned long long bytes = arena_tool_memory(bpf_map__fd(skel->maps.arena));

	printf("%llu gets answered by XDP, %llu by the server; %llu items", answered,
	       proto_stats.get_hits + proto_stats.get_misses, store_stats.items);
	if (bytes)
		printf(", %llu KiB of memory", bytes / 1024);
	putchar('\n');
}

static int serve(void)
{
	struct epoll_event events[64];
	int n, i, wait;

	for (;;) {
		wait = resting ? REST : -1;
		if (store_sweep())
			wait = 0;
		n = epoll_wait(epoll_fd, events, 64, wait);
		if (n < 0 && errno != EINTR) {
			warn("epoll_wait");
			return TOOL_FAILED;
		}
		if (resting && store_now() >= rest_end)
			watch_listener(true);
		for (i = 0; i < n; i++) {
			void *what = events[i].data.ptr;

			if (what == &signal_fd)
				return TOOL_OK;
			if (what == &tcp_fd)
				accept_connection();
			else if (what == &udp_fd)
				for (int j = 0; j < DATAGRAMS && serve_datagram(); j++)
					;
			else
				serve_connection(what);
		}
	}
}

/* A connection is an open file. */
static bool raise_limit(void)
{
	rlim_t files = opts.connections + OTHER_FILES;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= files)
		return true;
	limit.rlim_cur = files;
	if (limit.rlim_max < files)
		limit.rlim_max = files;
	if (!setrlimit(RLIMIT_NOFILE, &limit))
		return true;
	warn("cannot have %lu connections, which -c asks for", opts.connections);
	return false;
}

static bool start(void)
{
	struct addrinfo *where;

	if (!raise_limit())
		return false;
	where = resolve();
	if (!where)
		return false;
	begin = store_now();
	if (!open_arena(where) || !open_sockets(where))
		return false;
	for (int i = 0; i < opts.interfaces; i++)
		if (!attach_interface(i))
			return false;
	freeaddrinfo(where);
	printf("listening on %s, TCP port %lu, UDP port %lu; %lu MiB\n", opts.address,
	       opts.tcp_port, opts.udp_port, opts.mib);
	return true;
}

int main(int argc, char **argv)
{
	int status = TOOL_FAILED;

	setlinebuf(stdout);
	if (!parse_options(argc, argv))
		return TOOL_USAGE;
	status = arena_tool_check(opts.interfaces);
	if (status)
		return status;
	status = TOOL_FAILED;
	if (start()) {
		status = serve();
		if (opts.json)
			print_json();
		else
			print_end();
	}
	detach();
	return arena_tool_end(status);
}
