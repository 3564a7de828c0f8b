/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The guard: what a workload whose policy is not to let everything out sends through
 * sockets that no connect or sendmsg hook has judged. Sockets are made in the cgroup,
 * before it is enrolled where that matters; the network is a namespace of the test's own.
 */
#include "support.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../lib/support/guarded.h"
#include "../lib/support/image.h"
#include "../lib/support/lease.h"
#include "../lib/support/network.h"
#include "base/cleanup.h"
#include "datapath/pins.h"
#include "datapath/walk.h"

/* Not one of the protocols that a kernel knows: RFC 3692 keeps it for experiments. */
#define EXPERIMENT 253

/* Beside NETWORK_IPV6, and not mesh. */
#define OTHER_IPV6 "2001:db8:51::2"

#ifndef SOCK_DCCP
#define SOCK_DCCP 6
#endif

#ifndef IPV6_RTHDR
#define IPV6_RTHDR 57
#endif

static void a_connection_that_is_older_than_the_policy_is_cut_off_unless_its_peer_is_allowed(void **state)
{
	struct guarded guarded;
	int forbidden, allowed, forbidden_peer, allowed_peer;

	(void)state;
	guarded_make(&guarded);
	forbidden = network_connected(NETWORK_IPV4, guarded.port);
	forbidden_peer = network_accept(guarded.listener);
	allowed = network_connected(NETWORK_IPV6, guarded.port);
	allowed_peer = network_accept(guarded.listener);
	guarded_enrol(&guarded, false);
	assert_int_equal(write(forbidden, "x", 1), 1);
	assert_int_equal(write(allowed, "x", 1), 1);
	assert_true(guarded_hears(allowed_peer));
	assert_false(guarded_hears(forbidden_peer));
	assert_true(guarded_counts(&guarded).ipv4.verdicts.blocked_guard >= 1);
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.blocked_guard, 0);
	network_abort(forbidden);
	network_close_pair(allowed, allowed_peer);
	close(forbidden_peer);
	guarded_end(&guarded);
}

static void a_udp_socket_that_was_connected_before_is_refused_with_its_peer(void **state)
{
	struct guarded guarded;
	int forbidden, allowed;

	(void)state;
	guarded_make(&guarded);
	forbidden = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	allowed = network_socket(NETWORK_IPV6, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(forbidden, NETWORK_IPV4, 9), 0);
	assert_int_equal(network_connect(allowed, NETWORK_IPV6, 9), 0);
	guarded_enrol(&guarded, false);
	assert_int_equal(send(forbidden, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(send(allowed, "x", 1, 0), 1);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 1);
	close(forbidden);
	close(allowed);
	guarded_end(&guarded);
}

static void a_raw_socket_that_was_there_before_sends_to_allowed_addresses_only(void **state)
{
	struct guarded guarded;
	int ipv4, ipv6;

	(void)state;
	guarded_make(&guarded);
	ipv4 = network_socket(NETWORK_IPV4, SOCK_RAW, EXPERIMENT);
	ipv6 = network_socket(NETWORK_IPV6, SOCK_RAW, EXPERIMENT);
	guarded_enrol(&guarded, false);
	assert_int_equal(guarded_send(ipv4, NETWORK_IPV4, 0), EPERM);
	assert_int_equal(guarded_send(ipv4, "127.0.0.1", 0), 0);
	assert_int_equal(guarded_send(ipv6, NETWORK_IPV6, 0), 0);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 1);
	close(ipv4);
	close(ipv6);
	guarded_end(&guarded);
}

/* Its protocol is that of a socket whose datagrams the sendmsg hooks judge, and no hook judges it. */
static void a_raw_socket_of_udp_is_judged_by_the_wire_too(void **state)
{
	struct guarded guarded;
	int raw;

	(void)state;
	guarded_make(&guarded);
	raw = network_socket(NETWORK_IPV4, SOCK_RAW, IPPROTO_UDP);
	guarded_enrol(&guarded, false);
	assert_int_equal(guarded_send(raw, NETWORK_IPV4, 0), EPERM);
	assert_int_equal(guarded_send(raw, "127.0.0.1", 0), 0);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 1);
	close(raw);
	guarded_end(&guarded);
}

/* The number of its protocol stands where other sockets have their port: whoever listens on it speaks for TCP alone. */
static void a_raw_socket_of_tcp_answers_nobody_though_the_workload_listens_on_its_number(void **state)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(IPPROTO_TCP)};
	struct guarded guarded;
	int raw, listener;

	(void)state;
	guarded_make(&guarded);
	raw = network_socket(NETWORK_IPV4, SOCK_RAW, IPPROTO_TCP);
	listener = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(listener, 1), 0);
	guarded_enrol(&guarded, false);
	assert_int_equal(guarded_send(raw, NETWORK_IPV4, 0), EPERM);
	assert_int_equal(guarded_send(raw, "127.0.0.1", 0), 0);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 1);
	close(raw);
	close(listener);
	guarded_end(&guarded);
}

static void a_routing_header_is_refused_even_on_the_way_to_an_allowed_address(void **state)
{
	/* A segment routing header: type 4, over one more address, which is the socket's own too. */
	unsigned char header[40] = {0, 4, 4, 1, 1};
	struct guarded guarded;
	int fd, later;

	(void)state;
	guarded_make(&guarded);
	fd = network_socket(NETWORK_IPV6, SOCK_DGRAM, 0);
	later = network_socket(NETWORK_IPV6, SOCK_DGRAM, 0);
	for (size_t at = 8; at < sizeof(header); at += sizeof(struct in6_addr))
		assert_int_equal(inet_pton(AF_INET6, NETWORK_IPV6, header + at), 1);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header)), 0);
	guarded_enrol(&guarded, false);
	assert_int_equal(guarded_send(later, NETWORK_IPV6, 9), 0);
	assert_int_equal(guarded_send(fd, NETWORK_IPV6, 9), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.blocked_source_route, 1);
	/* Now the call that would set one fails already, and one that takes it away does not. */
	assert_int_equal(setsockopt(later, IPPROTO_IPV6, IPV6_RTHDR, header, sizeof(header)), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, NULL, 0), 0);
	assert_int_equal(guarded_send(fd, NETWORK_IPV6, 9), 0);
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.blocked_source_route, 2);
	close(fd);
	close(later);
	guarded_end(&guarded);
}

static void a_source_route_is_refused_even_on_the_way_to_an_allowed_address(void **state)
{
	/* LSRR over one hop, and the end of the options; and nothing but a no-operation. */
	static const unsigned char lsrr[8] = {131, 7, 4, 198, 51, 100, 1, 0}, harmless[4] = {1, 1, 1, 0};
	struct guarded guarded;
	int fd, later;

	(void)state;
	guarded_make(&guarded);
	fd = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	later = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, lsrr, sizeof(lsrr)), 0);
	scope_add(&guarded.mesh, EG_CLASS_MESH, prefix_of(NETWORK_IPV4), 0, EG_PROTO_ANY);
	guarded_enrol(&guarded, false);
	assert_int_equal(guarded_send(fd, NETWORK_IPV4, 9), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_source_route, 1);
	assert_int_equal(setsockopt(later, IPPROTO_IP, IP_OPTIONS, harmless, sizeof(harmless)), 0);
	assert_int_equal(guarded_send(later, NETWORK_IPV4, 9), 0);
	assert_int_equal(setsockopt(later, IPPROTO_IP, IP_OPTIONS, lsrr, sizeof(lsrr)), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_source_route, 2);
	close(fd);
	close(later);
	guarded_end(&guarded);
}

/* As if the policy in force had found something open that it forbids, and gave it a minute. */
static void give_grace(const struct guarded *guarded)
{
	static const char *const banks[] = {"eg_workloads_0", "eg_workloads_1"};
	struct eg_workload_policy policy;
	struct timespec now;
	uint32_t slot = SLOT;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (size_t bank = 0; bank < EG_COUNT_OF(banks); bank++) {
		int fd = eg_datapath_map_fd(guarded->datapath, banks[bank]);

		assert_int_equal(bpf_map_lookup_elem(fd, &slot, &policy), 0);
		policy.grace_until_ns = ((uint64_t)now.tv_sec + 60) * 1000000000;
		assert_int_equal(bpf_map_update_elem(fd, &slot, &policy, BPF_ANY), 0);
	}
}

static void a_refused_connect_that_another_program_lets_go_on_is_not_taken_for_one_that_was_open_before(void **state)
{
	struct guarded guarded;
	int before, tcp, udp, link;

	(void)state;
	guarded_make(&guarded);
	before = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(before, NETWORK_IPV4, 9), 0);
	guarded_enrol(&guarded, false);
	give_grace(&guarded);
	assert_int_equal(send(before, "x", 1, 0), 1);
	link = guarded_undo(&guarded, BPF_CGROUP_INET4_CONNECT);
	tcp = network_socket(NETWORK_IPV4, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(network_connect(tcp, NETWORK_IPV4, guarded.port), EINPROGRESS);
	assert_false(guarded_hears(guarded.listener));
	udp = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(udp, NETWORK_IPV4, 9), 0);
	assert_int_equal(send(udp, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_true(guarded_counts(&guarded).ipv4.verdicts.blocked_guard >= 2);
	close(link);
	close(tcp);
	close(udp);
	close(before);
	guarded_end(&guarded);
}

/* Bound, on the address; and its port. */
static int bound(const char *address, uint16_t *ret_port)
{
	int fd = network_socket(address, SOCK_DGRAM, 0);
	struct sockaddr_storage own = network_address(address, 0);
	socklen_t len = own.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	assert_int_equal(bind(fd, (struct sockaddr *)&own, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
	/* The port stands at the same place for both families. */
	*ret_port = ntohs(((struct sockaddr_in *)&own)->sin_port);
	return fd;
}

/* On a socket that is connected to where it may send, by another port or another address. */
static void a_refused_datagram_that_another_program_lets_go_on_is_seen_on_a_connected_socket_too(void **state)
{
	struct guarded guarded;
	uint16_t allowed, forbidden;
	int allowed_peer, forbidden_peer, connected, link;

	(void)state;
	guarded_make(&guarded);
	allowed_peer = bound(NETWORK_IPV4, &allowed);
	forbidden_peer = bound(NETWORK_IPV4, &forbidden);
	scope_add(&guarded.mesh, EG_CLASS_MESH, prefix_of(NETWORK_IPV4), allowed, EG_PROTO_ANY);
	guarded_enrol(&guarded, false);
	link = guarded_undo(&guarded, BPF_CGROUP_UDP4_SENDMSG);
	connected = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(connected, NETWORK_IPV4, allowed), 0);
	assert_int_equal(guarded_send(connected, NETWORK_IPV4, forbidden), EPERM);
	assert_int_equal(guarded_send(connected, NETWORK_BLACK_HOLE, allowed), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 2);
	assert_false(guarded_hears(forbidden_peer));
	/* Nothing of that is its peer's. */
	assert_int_equal(send(connected, "x", 1, 0), 1);
	assert_true(guarded_hears(allowed_peer));
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 2);
	close(link);
	close(connected);
	close(allowed_peer);
	close(forbidden_peer);
	guarded_end(&guarded);
}

/* Of IPv4 a connect changes where to as well. */
static void a_refused_datagram_of_ipv6_that_was_begun_before_the_socket_had_a_peer_does_not_go_out_after_it(void **state)
{
	struct guarded guarded;
	uint16_t port;
	int peer, forbidden, fd, link;

	(void)state;
	guarded_make(&guarded);
	assert_int_equal(system("ip -6 address replace " OTHER_IPV6 "/128 dev lo nodad"), 0);
	peer = bound(NETWORK_IPV6, &port);
	forbidden = bound(OTHER_IPV6, &port);
	guarded_enrol(&guarded, false);
	link = guarded_undo(&guarded, BPF_CGROUP_UDP6_SENDMSG);
	fd = network_socket(NETWORK_IPV6, SOCK_DGRAM, 0);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &(int){1}, sizeof(int)), 0);
	assert_int_equal(guarded_send(fd, OTHER_IPV6, port), 0);
	assert_int_equal(network_connect(fd, NETWORK_IPV6, port), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &(int){0}, sizeof(int)), 0);
	assert_false(guarded_hears(forbidden));
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.blocked_guard, 1);
	close(link);
	close(fd);
	close(peer);
	close(forbidden);
	guarded_end(&guarded);
}

static void apply_again(struct guarded *guarded, bool passthrough)
{
	struct eg_subject subject = subject_of(SLOT, &guarded->mesh);

	subject.passthrough = passthrough;
	image_apply(guarded->datapath, &subject);
}

/* On the same socket, once the policy allows it. */
static void a_connect_that_is_allowed_after_a_refused_one_is_open_when_the_next_policy_comes(void **state)
{
	struct guarded guarded;
	uint16_t port;
	int tcp, peer, udp, server;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	tcp = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	udp = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	server = bound(NETWORK_IPV4, &port);
	assert_int_equal(network_connect(tcp, NETWORK_IPV4, guarded.port), EPERM);
	assert_int_equal(network_connect(udp, NETWORK_IPV4, port), EPERM);
	apply_again(&guarded, true);
	assert_int_equal(network_connect(tcp, NETWORK_IPV4, guarded.port), 0);
	peer = network_accept(guarded.listener);
	assert_int_equal(network_connect(udp, NETWORK_IPV4, port), 0);
	apply_again(&guarded, false);
	give_grace(&guarded);
	assert_int_equal(send(udp, "x", 1, 0), 1);
	assert_true(guarded_hears(server));
	assert_int_equal(send(tcp, "x", 1, 0), 1);
	assert_true(guarded_hears(peer));
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 0);
	network_close_pair(tcp, peer);
	close(udp);
	close(server);
	guarded_end(&guarded);
}

static void sockets_that_would_escape_are_not_made_and_usual_ones_are(void **state)
{
	struct guarded guarded;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	assert_int_equal(guarded_try(AF_INET, SOCK_RAW, IPPROTO_RAW), EPERM);
	assert_int_equal(guarded_try(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), EPERM);
	assert_int_equal(guarded_try(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), EPERM);
	assert_int_equal(guarded_try(AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE), EPERM);
	assert_int_equal(guarded_try(AF_INET, SOCK_STREAM, 0), 0);
	assert_int_equal(guarded_try(AF_INET6, SOCK_DGRAM, 0), 0);
	assert_int_equal(guarded_try(AF_UNIX, SOCK_DGRAM, 0), 0);
	assert_int_equal(guarded_try(AF_NETLINK, SOCK_RAW, 0), 0);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_protocol, 2);
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.blocked_protocol, 2);
	guarded_end(&guarded);
}

static void a_protocol_that_the_workload_allows_is_judged_by_its_address(void **state)
{
	struct guarded guarded;
	int fd;

	(void)state;
	guarded_make(&guarded);
	guarded.protocols = EG_PROTO_RAW;
	guarded_enrol(&guarded, false);
	fd = network_socket(NETWORK_IPV4, SOCK_RAW, EXPERIMENT);
	assert_int_equal(guarded_send(fd, NETWORK_IPV4, 0), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 1);
	assert_int_equal(guarded_try(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), EPERM);
	close(fd);
	guarded_end(&guarded);
}

static void a_raw_socket_is_raw_whatever_protocol_it_has(void **state)
{
	struct guarded guarded;

	(void)state;
	guarded_make(&guarded);
	guarded.protocols = EG_PROTO_SCTP | EG_PROTO_DCCP;
	guarded_enrol(&guarded, false);
	assert_int_equal(guarded_try(AF_INET, SOCK_RAW, IPPROTO_SCTP), EPERM);
	assert_int_equal(guarded_try(AF_INET6, SOCK_RAW, IPPROTO_DCCP), EPERM);
	/* The kernel at hand may lack the protocols. */
	assert_int_not_equal(guarded_try(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP), EPERM);
	assert_int_not_equal(guarded_try(AF_INET6, SOCK_DCCP, IPPROTO_DCCP), EPERM);
	guarded_end(&guarded);
}

static void an_option_that_is_longer_than_a_page_reaches_the_kernel_as_it_is(void **state)
{
	/* As xtables replaces its tables: far above what a program sees of it. */
	static char long_value[3 * 4096];
	struct guarded guarded;
	int fd, one = 1;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	fd = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	memcpy(long_value, &one, sizeof(one));
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, long_value, sizeof(long_value)), 0);
	close(fd);
	guarded_end(&guarded);
}

static uint32_t peers_of(const struct guarded *guarded)
{
	struct eg_maps maps = eg_datapath_maps(guarded->datapath);
	struct eg_slot slot;

	assert_int_equal(eg_maps_read_slot(&maps, SLOT, &slot), 0);
	return slot.state.peers;
}

/* As if the only peer had written so long ago. */
static void age_peer(const struct guarded *guarded, uint64_t age_ns)
{
	int peers = eg_datapath_map_fd(guarded->datapath, "eg_peers");
	struct eg_peer_key key;
	struct eg_peer peer;

	assert_int_equal(bpf_map_get_next_key(peers, NULL, &key), 0);
	assert_int_equal(bpf_map_lookup_elem(peers, &key, &peer), 0);
	peer.seen_ns -= age_ns;
	assert_int_equal(bpf_map_update_elem(peers, &key, &peer, BPF_EXIST), 0);
}

static void a_udp_server_answers_whoever_wrote_to_it_for_a_while_and_nobody_else(void **state)
{
	struct guarded guarded;
	uint16_t server_port, other_port, client_port;
	int server, other, client;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	server = bound(NETWORK_IPV4, &server_port);
	other = bound(NETWORK_IPV4, &other_port);
	guarded_move(guarded.home);
	client = bound(NETWORK_IPV4, &client_port);
	guarded_join(&guarded);
	assert_int_equal(guarded_send(server, NETWORK_IPV4, client_port), EPERM);
	/* From outside: the LSM's programs look at who sends, all others at where the socket was made. */
	guarded_move(guarded.home);
	assert_int_equal(guarded_send(client, NETWORK_IPV4, server_port), 0);
	guarded_join(&guarded);
	assert_true(guarded_hears(server));
	assert_int_equal(peers_of(&guarded), 1);
	assert_int_equal(guarded_send(server, NETWORK_IPV4, client_port), 0);
	assert_true(guarded_hears(client));
	/* Not from another socket, and not to another port. */
	assert_int_equal(guarded_send(other, NETWORK_IPV4, client_port), EPERM);
	assert_int_equal(guarded_send(server, NETWORK_IPV4, other_port), EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.reply, 1);
	age_peer(&guarded, 31000000000ull);
	assert_int_equal(guarded_send(server, NETWORK_IPV4, client_port), EPERM);
	assert_int_equal(eg_datapath_collect(guarded.datapath), 0);
	assert_int_equal(peers_of(&guarded), 0);
	close(client);
	close(server);
	close(other);
	guarded_end(&guarded);
}

static void write_from_outside(const struct guarded *guarded, int client, uint16_t port)
{
	guarded_move(guarded->home);
	assert_int_equal(guarded_send(client, NETWORK_IPV4, port), 0);
	guarded_join(guarded);
}

/* As if its datagram had come on another CPU while the answer was judged. */
static void an_answer_passes_though_its_peer_wrote_later(void **state)
{
	struct guarded guarded;
	uint16_t server_port, client_port;
	int server, client;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	server = bound(NETWORK_IPV4, &server_port);
	guarded_move(guarded.home);
	client = bound(NETWORK_IPV4, &client_port);
	guarded_join(&guarded);
	write_from_outside(&guarded, client, server_port);
	assert_true(guarded_hears(server));
	age_peer(&guarded, -(uint64_t)60000000000);
	assert_int_equal(guarded_send(server, NETWORK_IPV4, client_port), 0);
	close(client);
	close(server);
	guarded_end(&guarded);
}

static void a_udp_server_that_connects_to_who_wrote_answers_as_long_as_he_writes(void **state)
{
	struct guarded guarded;
	uint16_t server_port, client_port;
	int server, client;
	char byte;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	server = bound(NETWORK_IPV4, &server_port);
	guarded_move(guarded.home);
	client = bound(NETWORK_IPV4, &client_port);
	guarded_join(&guarded);
	write_from_outside(&guarded, client, server_port);
	assert_true(guarded_hears(server));
	assert_int_equal(recv(server, &byte, 1, 0), 1);
	assert_int_equal(network_connect(server, NETWORK_IPV4, client_port), 0);
	for (int i = 0; i < 3; i++) {
		age_peer(&guarded, 20000000000ull);
		write_from_outside(&guarded, client, server_port);
		assert_true(guarded_hears(server));
		assert_int_equal(recv(server, &byte, 1, 0), 1);
		assert_int_equal(send(server, "x", 1, 0), 1);
	}
	age_peer(&guarded, 31000000000ull);
	assert_int_equal(send(server, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	close(client);
	close(server);
	guarded_end(&guarded);
}

/* A cgroup that was made anew under its path has the slot, and nothing of what the last one noted. */
static void peers_of_a_cgroup_that_is_gone_take_no_place_of_the_next_one(void **state)
{
	static struct eg_slot_set moving;
	struct guarded guarded;
	uint16_t server_port, client_port;
	int server, client;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	server = bound(NETWORK_IPV4, &server_port);
	guarded_move(guarded.home);
	client = bound(NETWORK_IPV4, &client_port);
	guarded_join(&guarded);
	write_from_outside(&guarded, client, server_port);
	assert_true(guarded_hears(server));
	assert_int_equal(peers_of(&guarded), 1);
	guarded.links = eg_links_free(guarded.links);
	moving.has[SLOT] = true;
	moving.count = 1;
	assert_int_equal(eg_datapath_settle(guarded.datapath, &moving), 0);
	age_peer(&guarded, 31000000000ull);
	assert_int_equal(eg_datapath_collect(guarded.datapath), 0);
	assert_int_equal(peers_of(&guarded), 0);
	close(client);
	close(server);
	guarded_end(&guarded);
}

/* A listener of the cgroup's own, and somebody from outside who connects to it. */
static int connect_from_outside(struct guarded *guarded, int listener, uint16_t port, int *ret_accepted)
{
	int client;

	guarded_move(guarded->home);
	client = network_connected(NETWORK_IPV4, port);
	guarded_join(guarded);
	*ret_accepted = network_accept(listener);
	return client;
}

static void an_accepted_connection_answers_and_outlives_its_listener(void **state)
{
	struct guarded guarded;
	int listener, client, accepted;
	uint16_t port;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	listener = network_listen(0, 8, &port);
	client = connect_from_outside(&guarded, listener, port, &accepted);
	close(listener);
	assert_int_equal(write(accepted, "x", 1), 1);
	assert_true(guarded_hears(client));
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 0);
	network_close_pair(accepted, client);
	/* What was trusted is forgotten with its connection. */
	for (int i = 0; i < 100 && lease_table_read(eg_datapath_map_fd(guarded.datapath, "eg_leases")).taken; i++)
		poll(NULL, 0, 10);
	assert_int_equal(lease_table_read(eg_datapath_map_fd(guarded.datapath, "eg_leases")).taken, 0);
	guarded_end(&guarded);
}

/* As if the lease of an accepted socket was as old as a sweep lets nobody's become. */
static void age_trusted(const struct guarded *guarded, int accepted)
{
	int leases = eg_datapath_map_fd(guarded->datapath, "eg_leases");
	struct eg_lease lease = lease_get(leases, accepted);

	assert_int_equal(eg_lease_state(lease.word), EG_LEASE_TRUSTED);
	lease.opened_ns -= 3600000000000ull;
	if (lease.active_ns)
		lease.active_ns -= 3600000000000ull;
	lease_put(leases, accepted, &lease);
}

static void an_accepted_connection_that_was_swept_counts_nowhere_and_answers_after_a_silence(void **state)
{
	struct eg_walk walk = {};
	struct guarded guarded;
	struct eg_slot_counts counts;
	int listener, client, accepted;
	uint16_t port;
	char byte;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	listener = network_listen(0, 8, &port);
	client = connect_from_outside(&guarded, listener, port, &accepted);
	close(listener);
	assert_int_equal(write(accepted, "x", 1), 1);
	assert_true(guarded_hears(client));
	assert_int_equal(read(client, &byte, 1), 1);
	assert_int_equal(eg_datapath_sweep(guarded.datapath, &walk), 0);
	assert_int_equal(walk.sockets.len, 0);
	eg_walk_clear(&walk);
	age_trusted(&guarded, accepted);
	assert_int_equal(eg_datapath_collect(guarded.datapath), 0);
	assert_int_equal(write(accepted, "y", 1), 1);
	assert_true(guarded_hears(client));
	network_close_pair(accepted, client);
	for (int i = 0; i < 100 && lease_table_read(eg_datapath_map_fd(guarded.datapath, "eg_leases")).taken; i++)
		poll(NULL, 0, 10);
	counts = guarded_counts(&guarded);
	assert_int_equal(counts.ipv4.cluster.tx_bytes, 0);
	assert_int_equal(counts.ipv4.cluster.rx_bytes, 0);
	assert_int_equal(counts.ipv4.verdicts.blocked_guard, 0);
	guarded_end(&guarded);
}

static void a_connection_that_was_accepted_before_answers_while_its_listener_stands(void **state)
{
	struct guarded guarded;
	int listener, client, accepted;
	uint16_t port;

	(void)state;
	guarded_make(&guarded);
	listener = network_listen(0, 8, &port);
	client = connect_from_outside(&guarded, listener, port, &accepted);
	guarded_enrol(&guarded, false);
	assert_int_equal(write(accepted, "x", 1), 1);
	assert_true(guarded_hears(client));
	network_close_pair(accepted, client);
	close(listener);
	guarded_end(&guarded);
}

static void a_policy_that_lets_everything_out_has_no_guard(void **state)
{
	struct guarded guarded;
	const int *fds;
	size_t open, closed;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, true);
	open = eg_links_fds(guarded.links, &fds);
	guarded.links = eg_links_free(guarded.links);
	guarded_enrol(&guarded, false);
	closed = eg_links_fds(guarded.links, &fds);
	assert_true(closed > open);
	guarded_end(&guarded);
}

/* ---- what is known ---- */

/* More than a short connection sends. */
#define MANY_SEGMENTS 20
/* So many that one of them finds out. */
#define MANY_DATAGRAMS 200

static struct eg_known known_of(const struct guarded *guarded, int fd)
{
	struct eg_known known = {};

	if (bpf_map_lookup_elem(eg_datapath_map_fd(guarded->datapath, "eg_known"), &fd, &known) < 0)
		assert_int_equal(errno, ENOENT);
	return known;
}

/* What TCP has to send goes as soon as it may: waits for it. */
static uint64_t generation_of(const struct guarded *guarded, int fd, uint64_t wanted)
{
	for (int i = 0; i < 1000 && known_of(guarded, fd).generation != wanted; i++)
		poll(NULL, 0, 10);
	return known_of(guarded, fd).generation;
}

/* Each at once. Where no socket is, the next datagram is refused for the last one. */
static void send_many(int fd, int count)
{
	int on = 1;

	/* Of UDP nobody asks that. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (int i = 0; i < count; i++)
		assert_true(send(fd, "x", 1, 0) == 1 || errno == ECONNREFUSED);
}

static void what_is_known_of_a_connection_is_of_one_policy_and_the_next_one_judges_anew(void **state)
{
	struct guarded guarded;
	int fd, peer;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	fd = network_connected(NETWORK_IPV6, guarded.port);
	peer = network_accept(guarded.listener);
	assert_int_equal(known_of(&guarded, fd).generation, 0);
	send_many(fd, MANY_SEGMENTS);
	assert_int_equal(generation_of(&guarded, fd, 1), 1);
	apply_again(&guarded, false);
	send_many(fd, MANY_SEGMENTS);
	assert_int_equal(generation_of(&guarded, fd, 2), 2);
	assert_int_equal(guarded_counts(&guarded).ipv6.verdicts.blocked_guard, 0);
	guarded.mesh.rules.len = 0;
	apply_again(&guarded, false);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	for (int i = 0; i < 1000 && guarded_counts(&guarded).ipv6.verdicts.blocked_guard == 0; i++)
		poll(NULL, 0, 10);
	assert_true(guarded_counts(&guarded).ipv6.verdicts.blocked_guard >= 1);
	network_abort(fd);
	close(peer);
	guarded_end(&guarded);
}

static void what_is_known_of_a_udp_socket_is_of_one_peer(void **state)
{
	struct guarded guarded;
	int fd;

	(void)state;
	guarded_make(&guarded);
	guarded_enrol(&guarded, false);
	fd = network_socket(NETWORK_IPV6, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(fd, NETWORK_IPV6, 9), 0);
	send_many(fd, MANY_DATAGRAMS);
	assert_int_equal(known_of(&guarded, fd).peer.port, 9);
	assert_int_equal(known_of(&guarded, fd).generation, 1);
	assert_int_equal(network_connect(fd, NETWORK_IPV6, 10), 0);
	send_many(fd, MANY_DATAGRAMS);
	assert_int_equal(known_of(&guarded, fd).peer.port, 10);
	/* Refused, it has the peer that it had. */
	assert_int_equal(network_connect(fd, NETWORK_IPV4, 9), EPERM);
	send_many(fd, MANY_DATAGRAMS);
	assert_int_equal(known_of(&guarded, fd).peer.port, 10);
	close(fd);
	guarded_end(&guarded);
}

static void a_source_route_that_comes_late_is_refused_on_a_known_connection_too(void **state)
{
	static const unsigned char lsrr[8] = {131, 7, 4, 198, 51, 100, 1, 0};
	struct guarded guarded;
	int fd;

	(void)state;
	guarded_make(&guarded);
	scope_add(&guarded.mesh, EG_CLASS_MESH, prefix_of(NETWORK_IPV4), 0, EG_PROTO_ANY);
	guarded_enrol(&guarded, false);
	fd = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(fd, NETWORK_IPV4, 9), 0);
	send_many(fd, MANY_DATAGRAMS);
	assert_int_equal(known_of(&guarded, fd).generation, 1);
	/* Set while the programs are away. */
	guarded.links = eg_links_free(guarded.links);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, lsrr, sizeof(lsrr)), 0);
	assert_int_equal(eg_datapath_enrol(guarded.datapath, guarded.cgroup.fd, SLOT, &guarded.links), 0);
	assert_int_equal(known_of(&guarded, fd).generation, 1);
	assert_int_equal(send(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_source_route, 1);
	close(fd);
	guarded_end(&guarded);
}

/* What an address of a service, which nobody has, stands for. */
#define SERVICE "198.51.100.200"

/* As a node does for services and for its containers' DNS. */
static void translate(void)
{
	assert_int_equal(system("ip route replace " SERVICE "/32 dev hole0"), 0);
	if (system("nft 'add table ip eg_test; add chain ip eg_test out { type nat hook output priority -100; };"
		   " add rule ip eg_test out ip daddr " SERVICE " dnat to " NETWORK_IPV4 "' 2>/dev/null") == 0)
		return;
	print_message("# skip: this kernel, or this system, has no NAT by nft\n");
	skip();
}

static void a_packet_that_nat_sends_elsewhere_belongs_to_its_sockets_verdict_and_counts_once(void **state)
{
	struct guarded guarded;
	uint16_t port;
	int server, client, tcp, peer;

	(void)state;
	network_enter();
	translate();
	guarded_make(&guarded);
	scope_add(&guarded.mesh, EG_CLASS_MESH, prefix_of(SERVICE), 0, EG_PROTO_ANY);
	guarded_enrol(&guarded, false);
	server = bound(NETWORK_IPV4, &port);
	client = network_socket(NETWORK_IPV4, SOCK_DGRAM, 0);
	assert_int_equal(network_connect(client, SERVICE, port), 0);
	send_many(client, MANY_DATAGRAMS);
	assert_true(guarded_hears(server));
	assert_int_equal(guarded_counts(&guarded).nat, 1);
	tcp = network_connected(SERVICE, guarded.port);
	peer = network_accept(guarded.listener);
	send_many(tcp, MANY_SEGMENTS);
	assert_true(guarded_hears(peer));
	assert_int_equal(guarded_counts(&guarded).nat, 2);
	assert_int_equal(guarded_counts(&guarded).ipv4.verdicts.blocked_guard, 0);
	/* What it stands for is no destination of the policy's. */
	assert_int_equal(network_connect(client, NETWORK_IPV4, port), EPERM);
	network_close_pair(tcp, peer);
	close(client);
	close(server);
	guarded_end(&guarded);
	assert_int_equal(system("nft delete table ip eg_test"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_that_is_older_than_the_policy_is_cut_off_unless_its_peer_is_allowed),
		cmocka_unit_test(a_udp_socket_that_was_connected_before_is_refused_with_its_peer),
		cmocka_unit_test(a_raw_socket_that_was_there_before_sends_to_allowed_addresses_only),
		cmocka_unit_test(a_raw_socket_of_udp_is_judged_by_the_wire_too),
		cmocka_unit_test(a_raw_socket_of_tcp_answers_nobody_though_the_workload_listens_on_its_number),
		cmocka_unit_test(a_routing_header_is_refused_even_on_the_way_to_an_allowed_address),
		cmocka_unit_test(a_source_route_is_refused_even_on_the_way_to_an_allowed_address),
		cmocka_unit_test(a_refused_connect_that_another_program_lets_go_on_is_not_taken_for_one_that_was_open_before),
		cmocka_unit_test(a_refused_datagram_that_another_program_lets_go_on_is_seen_on_a_connected_socket_too),
		cmocka_unit_test(a_refused_datagram_of_ipv6_that_was_begun_before_the_socket_had_a_peer_does_not_go_out_after_it),
		cmocka_unit_test(a_connect_that_is_allowed_after_a_refused_one_is_open_when_the_next_policy_comes),
		cmocka_unit_test(sockets_that_would_escape_are_not_made_and_usual_ones_are),
		cmocka_unit_test(a_protocol_that_the_workload_allows_is_judged_by_its_address),
		cmocka_unit_test(a_raw_socket_is_raw_whatever_protocol_it_has),
		cmocka_unit_test(an_option_that_is_longer_than_a_page_reaches_the_kernel_as_it_is),
		cmocka_unit_test(a_udp_server_answers_whoever_wrote_to_it_for_a_while_and_nobody_else),
		cmocka_unit_test(an_answer_passes_though_its_peer_wrote_later),
		cmocka_unit_test(a_udp_server_that_connects_to_who_wrote_answers_as_long_as_he_writes),
		cmocka_unit_test(peers_of_a_cgroup_that_is_gone_take_no_place_of_the_next_one),
		cmocka_unit_test(an_accepted_connection_answers_and_outlives_its_listener),
		cmocka_unit_test(an_accepted_connection_that_was_swept_counts_nowhere_and_answers_after_a_silence),
		cmocka_unit_test(a_connection_that_was_accepted_before_answers_while_its_listener_stands),
		cmocka_unit_test(a_policy_that_lets_everything_out_has_no_guard),
		cmocka_unit_test(what_is_known_of_a_connection_is_of_one_policy_and_the_next_one_judges_anew),
		cmocka_unit_test(what_is_known_of_a_udp_socket_is_of_one_peer),
		cmocka_unit_test(a_source_route_that_comes_late_is_refused_on_a_known_connection_too),
		cmocka_unit_test(a_packet_that_nat_sends_elsewhere_belongs_to_its_sockets_verdict_and_counts_once),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
