/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Traffic that is sent to a proxy, in a network namespace of the test's own. The proxy
 * listens in a cgroup beside the workload's; the test's process is the client, and
 * accepts for the proxy.
 */
#include "support.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/support/breaker.h"
#include "../lib/support/image.h"
#include "../lib/support/network.h"
#include "base/cleanup.h"
#include "datapath/walk.h"

#ifndef IP6T_SO_ORIGINAL_DST
#define IP6T_SO_ORIGINAL_DST 80
#endif

/* Non-mesh, and nobody is there: what arrives was sent somewhere else. */
#define ASKED_IPV4 "192.0.2.55"
#define ASKED_IPV6 "2001:db8:55::1"
#define ASKED_MAPPED "::ffff:192.0.2.55"
#define ASKED_PORT 4444

struct world {
	struct breaker breaker;
	struct eg_cgroup proxy;
	struct eg_links *proxy_links;
	int proxy_fd;	/* listens on every address */
	uint16_t port;	/* there */
};

static struct eg_place place_of(const char *address, uint16_t port)
{
	struct sockaddr_storage at = network_address(address, port);
	struct eg_place place = {.port = port};

	if (at.ss_family == AF_INET)
		place.addr.word_be[0] = ((struct sockaddr_in *)&at)->sin_addr.s_addr;
	else
		memcpy(&place.addr, &((struct sockaddr_in6 *)&at)->sin6_addr, sizeof(place.addr));
	return place;
}

static void enter_cgroup(const struct eg_cgroup *cgroup)
{
	char procs[4096];
	FILE *file;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup->path);
	file = fopen(procs, "we");
	assert_non_null(file);
	assert_true(fputs("0", file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* A datapath attaches what the policy at the time wants: the redirect is in force before. */
static void make_world(struct world *world)
{
	struct breaker *breaker = &world->breaker;

	breaker_make(breaker);
	*world = (struct world){.breaker = *breaker};
	breaker->subject.mesh_scope = &breaker->scope;
	world->proxy = cgroup_make("proxy");
	assert_int_equal(eg_datapath_serve_proxy(breaker->datapath, world->proxy.fd, &world->proxy_links), 0);
	enter_cgroup(&world->proxy);
	world->proxy_fd = network_listen(0, 4096, &world->port);
	breaker_leave(breaker);
	breaker->subject.passthrough = false;
	breaker->subject.redirect_ipv4.to = place_of("127.0.0.1", world->port);
	breaker->subject.redirect_ipv6.to = place_of("::1", world->port);
}

/* The policy as it is now, on the cgroup anew, and the process in it. */
static void join_world(struct world *world)
{
	struct breaker *breaker = &world->breaker;

	breaker_apply(breaker);
	eg_links_free(breaker->links);
	assert_int_equal(eg_datapath_enrol(breaker->datapath, breaker->cgroup.fd, BREAKER_SLOT, &breaker->links), 0);
	breaker_join(breaker);
}

static uint64_t count_notes(const struct world *world)
{
	int fd = eg_datapath_map_fd(world->breaker.datapath, "eg_orig_count");
	uint32_t zero = 0;
	uint64_t held;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &held), 0);
	return held;
}

static size_t count_entries(const struct world *world)
{
	int fd = eg_datapath_map_fd(world->breaker.datapath, "eg_originals");
	struct eg_original_key key, *last = NULL;
	size_t count = 0;

	for (; bpf_map_get_next_key(fd, last, &key) == 0; last = &key)
		count++;
	return count;
}

static void end_world(struct world *world)
{
	/* Nothing that was noted outlives its connection. */
	assert_int_equal(count_notes(world), 0);
	assert_int_equal(count_entries(world), 0);
	breaker_leave(&world->breaker);
	close(world->proxy_fd);
	eg_links_free(world->proxy_links);
	cgroup_end(&world->proxy);
	breaker_end(&world->breaker);
}

static void assert_is(const struct sockaddr_storage *found, const char *address, uint16_t port)
{
	struct sockaddr_storage wanted = network_address(address, port);
	char text[INET6_ADDRSTRLEN] = "";
	bool ipv4 = found->ss_family == AF_INET;
	const struct sockaddr_in *in = (const struct sockaddr_in *)found;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)found;

	inet_ntop(found->ss_family, ipv4 ? (const void *)&in->sin_addr : &in6->sin6_addr, text, sizeof(text));
	assert_int_equal(found->ss_family, wanted.ss_family);
	assert_string_equal(text, address);
	assert_int_equal(ntohs(ipv4 ? in->sin_port : in6->sin6_port), port);
}

static void assert_peer_is(int fd, const char *address, uint16_t port)
{
	struct sockaddr_storage peer = {};
	socklen_t len = sizeof(peer);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	assert_is(&peer, address, port);
}

/* 0, or the errno. Whoever asks is a proxy, and the test's process is to stay a client: another one does. */
static int ask(int fd, int level, struct sockaddr_storage *ret_original)
{
	socklen_t len = level == SOL_IP ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	struct sockaddr_storage *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_ptr_not_equal(shared, MAP_FAILED);
	pid = fork();
	if (pid == 0)
		_exit(getsockopt(fd, level, SO_ORIGINAL_DST, shared, &len) < 0 ? errno : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	*ret_original = *shared;
	munmap(shared, sizeof(*shared));
	return WEXITSTATUS(status);
}

/* As a proxy asks: by the family that the address will be of. */
static void assert_original_is(int accepted, const char *address, uint16_t port)
{
	bool ipv6 = strchr(address, ':');
	struct sockaddr_storage original;

	assert_int_equal(ask(accepted, ipv6 ? SOL_IPV6 : SOL_IP, &original), 0);
	assert_is(&original, address, port);
	/* The other level has no such connection. */
	assert_int_not_equal(ask(accepted, ipv6 ? SOL_IP : SOL_IPV6, &original), 0);
}

/* The connection of a client's, if it has come to the proxy. */
static int accept_of(const struct world *world)
{
	return network_accept(world->proxy_fd);
}

/* ---- TCP that would be blocked ---- */

static void what_would_be_blocked_comes_to_the_proxy_which_is_told_where_it_wanted_to_go(void **state)
{
	static const struct {
		const char *asked, *original;
	} cases[] = {{ASKED_IPV4, ASKED_IPV4}, {ASKED_IPV6, ASKED_IPV6}, {ASKED_MAPPED, ASKED_IPV4}};
	struct world world;
	struct eg_slot slot;

	(void)state;
	make_world(&world);
	join_world(&world);
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		int client = network_connected(cases[i].asked, ASKED_PORT), accepted = accept_of(&world);

		assert_peer_is(client, cases[i].asked, ASKED_PORT);
		assert_original_is(accepted, cases[i].original, ASKED_PORT);
		assert_int_equal(count_notes(&world), 1);
		network_close_pair(client, accepted);
	}
	slot = breaker_slot(&world.breaker);
	assert_int_equal(slot.counts.ipv4.verdicts.redirected, 2);
	assert_int_equal(slot.counts.ipv6.verdicts.redirected, 1);
	assert_int_equal(slot.counts.ipv4.cluster.cx_total, 2);
	assert_int_equal(slot.counts.ipv6.cluster.cx_total, 1);
	assert_int_equal(slot.counts.ipv4.verdicts.blocked_passthrough_off, 0);
	end_world(&world);
}

static void the_proxy_is_told_also_when_the_client_is_gone_before_it_accepts(void **state)
{
	struct world world;
	int client;

	(void)state;
	make_world(&world);
	join_world(&world);
	for (int i = 0; i < 2; i++) {
		int accepted;

		client = network_connected(ASKED_IPV4, (uint16_t)(ASKED_PORT + i));
		if (i == 0)
			close(client);
		else
			network_abort(client);
		accepted = accept_of(&world);
		assert_original_is(accepted, ASKED_IPV4, (uint16_t)(ASKED_PORT + i));
		close(accepted);
	}
	end_world(&world);
}

static void a_connection_that_was_not_redirected_has_no_original(void **state)
{
	struct sockaddr_storage original;
	struct world world;
	int client, accepted;

	(void)state;
	make_world(&world);
	join_world(&world);
	client = network_connected("127.0.0.1", world.port);
	accepted = accept_of(&world);
	assert_int_not_equal(ask(accepted, SOL_IP, &original), 0);
	assert_peer_is(client, "127.0.0.1", world.port);
	network_close_pair(client, accepted);
	end_world(&world);
}

static void an_option_of_another_level_is_not_answered(void **state)
{
	struct sockaddr_storage original;
	struct world world;
	int client, accepted;

	(void)state;
	make_world(&world);
	join_world(&world);
	client = network_connected(ASKED_IPV4, ASKED_PORT);
	accepted = accept_of(&world);
	assert_int_equal(ask(accepted, SOL_TCP, &original), ENOPROTOOPT);
	assert_int_equal(ask(accepted, SOL_SOCKET, &original), ENOPROTOOPT);
	network_close_pair(client, accepted);
	end_world(&world);
}

static void a_family_without_a_place_is_blocked(void **state)
{
	struct world world;
	int fd;

	(void)state;
	make_world(&world);
	world.breaker.subject.redirect_ipv6.to.port = 0;
	join_world(&world);
	fd = network_socket(ASKED_IPV6, SOCK_STREAM, 0);
	assert_int_equal(network_connect(fd, ASKED_IPV6, ASKED_PORT), EPERM);
	assert_int_equal(breaker_slot(&world.breaker).counts.ipv6.verdicts.blocked_passthrough_off, 1);
	close(fd);
	end_world(&world);
}

static void a_socket_that_cannot_be_redirected_is_blocked_and_counted(void **state)
{
	static const int on = 1;
	struct world world;
	int fd;

	(void)state;
	make_world(&world);
	join_world(&world);
	fd = network_socket(ASKED_MAPPED, SOCK_STREAM, 0);
	assert_int_equal(setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(network_connect(fd, ASKED_MAPPED, ASKED_PORT), EPERM);
	close(fd);
	assert_int_equal(breaker_slot(&world.breaker).counts.ipv4.verdicts.blocked_passthrough_off, 1);
	end_world(&world);
}

static void what_passthrough_lets_out_is_not_redirected(void **state)
{
	struct world world;
	int client, accepted;

	(void)state;
	make_world(&world);
	world.breaker.subject.passthrough = true;
	join_world(&world);
	client = network_connected(NETWORK_IPV4, world.breaker.port);
	accepted = network_accept(world.breaker.listener);
	assert_peer_is(client, NETWORK_IPV4, world.breaker.port);
	network_close_pair(client, accepted);
	assert_int_equal(breaker_slot(&world.breaker).counts.ipv4.verdicts.passthrough, 1);
	end_world(&world);
}

static void audit_mode_redirects_nothing_and_says_what_would_be(void **state)
{
	struct world world;
	struct eg_slot slot;
	int client, accepted;

	(void)state;
	make_world(&world);
	world.breaker.subject.mode = EG_MODE_AUDIT;
	join_world(&world);
	client = network_connected(NETWORK_IPV4, world.breaker.port);
	accepted = network_accept(world.breaker.listener);
	network_close_pair(client, accepted);
	slot = breaker_slot(&world.breaker);
	assert_int_equal(slot.counts.ipv4.verdicts.redirected, 1);
	assert_int_equal(slot.counts.not_enforced, 1);
	end_world(&world);
}

/* Another owner's program that refuses connects by IPv4; its link. */
static int refuse_connects(const struct breaker *breaker)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);
	_cleanup_close_ int fd =
		bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "refuse", "GPL", insns, EG_COUNT_OF(insns), &options);
	int link;

	assert_true(fd >= 0);
	link = bpf_link_create(fd, breaker->cgroup.fd, BPF_CGROUP_INET4_CONNECT, NULL);
	assert_true(link >= 0);
	return link;
}

static void what_was_refused_before_is_no_connection_in_audit_mode_either(void **state)
{
	struct world world;
	struct eg_slot slot;
	int link;

	(void)state;
	make_world(&world);
	world.breaker.subject.mode = EG_MODE_AUDIT;
	/* Ours come after it: they are attached anew. */
	link = refuse_connects(&world.breaker);
	join_world(&world);
	assert_int_equal(network_connect(network_socket(ASKED_IPV4, SOCK_STREAM, 0), ASKED_IPV4, ASKED_PORT), EPERM);
	slot = breaker_slot(&world.breaker);
	assert_int_equal(slot.counts.refused_before, 1);
	assert_int_equal(slot.counts.ipv4.cluster.cx_total, 0);
	assert_int_equal(slot.counts.not_enforced, 0);
	close(link);
	end_world(&world);
}

static void redirected_connections_are_held_to_the_limits_of_the_cluster(void **state)
{
	struct world world;
	int client, accepted, fd;

	(void)state;
	make_world(&world);
	world.breaker.subject.ipv4.max_connections = 1;
	join_world(&world);
	client = network_connected(ASKED_IPV4, ASKED_PORT);
	accepted = accept_of(&world);
	fd = network_socket(ASKED_IPV4, SOCK_STREAM, 0);
	assert_int_equal(network_connect(fd, ASKED_IPV4, ASKED_PORT), ECONNREFUSED);
	assert_int_equal(breaker_slot(&world.breaker).counts.ipv4.cluster.cx_overflow, 1);
	network_close_pair(client, accepted);
	close(fd);
	end_world(&world);
}

static void a_socket_that_connects_again_has_the_peer_of_its_last_connect(void **state)
{
	struct world world;
	int client, accepted;

	(void)state;
	make_world(&world);
	scope_add(&world.breaker.scope, EG_CLASS_MESH, prefix_of(NETWORK_IPV4), 0, EG_PROTO_ANY);
	join_world(&world);
	client = network_connected(ASKED_IPV4, ASKED_PORT);
	accepted = accept_of(&world);
	network_disconnect(client);
	close(accepted);
	assert_int_equal(count_notes(&world), 0);
	assert_int_equal(network_connect(client, NETWORK_IPV4, world.breaker.port), 0);
	accepted = network_accept(world.breaker.listener);
	assert_peer_is(client, NETWORK_IPV4, world.breaker.port);
	network_close_pair(client, accepted);
	end_world(&world);
}

static void a_socket_that_is_bound_is_redirected(void **state)
{
	struct sockaddr_storage own = network_address(NETWORK_IPV4, 0);
	struct world world;
	int client, accepted;

	(void)state;
	make_world(&world);
	join_world(&world);
	client = network_socket(ASKED_IPV4, SOCK_STREAM, 0);
	assert_int_equal(bind(client, (struct sockaddr *)&own, sizeof(struct sockaddr_in)), 0);
	assert_int_equal(network_connect(client, ASKED_IPV4, ASKED_PORT), 0);
	accepted = accept_of(&world);
	assert_original_is(accepted, ASKED_IPV4, ASKED_PORT);
	network_close_pair(client, accepted);
	end_world(&world);
}

static void the_guard_lets_connections_to_a_proxy_of_another_address_by(void **state)
{
	struct world world;
	int client, accepted;
	char byte = 'x';

	(void)state;
	make_world(&world);
	world.breaker.subject.redirect_ipv4.to = place_of(NETWORK_IPV4, world.port);
	join_world(&world);
	client = network_connected(ASKED_IPV4, ASKED_PORT);
	accepted = accept_of(&world);
	assert_original_is(accepted, ASKED_IPV4, ASKED_PORT);
	assert_int_equal(send(client, &byte, 1, 0), 1);
	network_poll(accepted, POLLIN);
	assert_int_equal(breaker_slot(&world.breaker).counts.ipv4.verdicts.blocked_guard, 0);
	network_close_pair(client, accepted);
	end_world(&world);
}

/* Whether a walk names it as one that the policy forbids. What is not pinned is in no table of enrolled cgroups. */
static bool is_forbidden(const struct world *world, int fd)
{
	const struct breaker *breaker = &world->breaker;
	__u32 slot = BREAKER_SLOT;
	struct eg_walk walk = {};
	struct stat st;
	uint64_t cookie;
	socklen_t len = sizeof(cookie);
	bool found = false;
	__u64 id;

	assert_int_equal(fstat(breaker->cgroup.fd, &st), 0);
	id = st.st_ino;
	assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(breaker->datapath, "eg_enrolled"), &id, &slot, BPF_ANY), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	assert_int_equal(eg_datapath_list_forbidden(breaker->datapath, &walk), 0);
	for (size_t i = 0; i < walk.sockets.len; i++)
		found = found || (walk.sockets.items[i].cookie == cookie && walk.sockets.items[i].fate != EG_FATE_NONE);
	eg_walk_clear(&walk);
	return found;
}

static void what_is_redirected_is_not_ended_as_forbidden_and_what_was_open_before_is(void **state)
{
	struct world world;
	int before, before_peer, client, accepted;

	(void)state;
	make_world(&world);
	world.breaker.subject.redirect_ipv4.to = place_of(NETWORK_IPV4, world.port);
	world.breaker.subject.passthrough = true;
	join_world(&world);
	before = network_connected(NETWORK_IPV4, world.breaker.port);
	before_peer = network_accept(world.breaker.listener);
	world.breaker.subject.passthrough = false;
	breaker_apply(&world.breaker);
	client = network_connected(ASKED_IPV4, ASKED_PORT);
	accepted = accept_of(&world);
	assert_true(is_forbidden(&world, before));
	assert_false(is_forbidden(&world, client));
	network_close_pair(client, accepted);
	network_abort(before);
	close(before_peer);
	end_world(&world);
}

/* Where its programs are gone, no event takes the note of a connection away. */
static void notes_of_a_workload_that_no_longer_redirects_are_cleared_away(void **state)
{
	struct world world;
	int client, accepted;

	(void)state;
	make_world(&world);
	join_world(&world);
	client = network_connected(ASKED_IPV4, ASKED_PORT);
	accepted = accept_of(&world);
	assert_int_equal(eg_datapath_collect(world.breaker.datapath), 0);
	assert_int_equal(count_notes(&world), 1);
	assert_int_equal(count_entries(&world), 1);
	world.breaker.subject.redirect_ipv4 = world.breaker.subject.redirect_ipv6 = (struct eg_redirect_policy){};
	join_world(&world);
	assert_int_equal(eg_datapath_collect(world.breaker.datapath), 0);
	assert_int_equal(count_notes(&world), 0);
	assert_int_equal(count_entries(&world), 0);
	/* Its end, wherever that is seen, takes nothing away any more. */
	network_close_pair(client, accepted);
	end_world(&world);
}

static void notes_of_a_slots_earlier_owner_are_cleared_away(void **state)
{
	struct world world;
	struct eg_original note = {.slot = BREAKER_SLOT, .asked = {.family = EG_FAMILY_IPV4}};
	struct eg_original_key key = {.family = EG_FAMILY_IPV4};
	uint32_t zero = 0;
	uint64_t held = 2;

	(void)state;
	make_world(&world);
	join_world(&world);
	for (key.local_port = 1; key.local_port <= held; key.local_port++) {
		note.epoch = breaker_slot(&world.breaker).state.epoch + key.local_port - 1;
		assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(world.breaker.datapath, "eg_originals"), &key,
						     &note, BPF_NOEXIST),
				 0);
	}
	assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(world.breaker.datapath, "eg_orig_count"), &zero, &held,
					     BPF_EXIST),
			 0);
	assert_int_equal(eg_datapath_collect(world.breaker.datapath), 0);
	assert_int_equal(count_notes(&world), 1);
	assert_int_equal(count_entries(&world), 1);
	world.breaker.subject.redirect_ipv4 = world.breaker.subject.redirect_ipv6 = (struct eg_redirect_policy){};
	breaker_apply(&world.breaker);
	assert_int_equal(eg_datapath_collect(world.breaker.datapath), 0);
	end_world(&world);
}

static void the_first_subflow_of_mptcp_is_redirected(void **state)
{
	struct world world;
	int client, accepted;

	(void)state;
	make_world(&world);
	join_world(&world);
	client = network_socket(ASKED_IPV4, SOCK_STREAM, IPPROTO_MPTCP);
	assert_int_equal(network_connect(client, ASKED_IPV4, ASKED_PORT), 0);
	accepted = accept_of(&world);
	assert_original_is(accepted, ASKED_IPV4, ASKED_PORT);
	assert_peer_is(client, ASKED_IPV4, ASKED_PORT);
	network_close_pair(client, accepted);
	end_world(&world);
}

static void fast_open_is_redirected(void **state)
{
	struct sockaddr_storage to = network_address(ASKED_IPV4, ASKED_PORT);
	struct world world;
	int client, accepted;

	(void)state;
	make_world(&world);
	join_world(&world);
	client = network_socket(ASKED_IPV4, SOCK_STREAM, 0);
	assert_int_equal(sendto(client, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(struct sockaddr_in)), 1);
	accepted = accept_of(&world);
	assert_original_is(accepted, ASKED_IPV4, ASKED_PORT);
	assert_peer_is(client, ASKED_IPV4, ASKED_PORT);
	network_close_pair(client, accepted);
	end_world(&world);
}

/* ---- the mesh ---- */

static void traffic_of_the_mesh_is_sent_to_its_proxy_and_is_mesh(void **state)
{
	static const char *const asked[] = {ASKED_IPV4, ASKED_IPV6};
	struct world world;
	struct eg_slot slot;

	(void)state;
	make_world(&world);
	world.breaker.subject.redirect_ipv4.mesh = place_of("127.0.0.1", world.port);
	world.breaker.subject.redirect_ipv6.mesh = place_of("::1", world.port);
	scope_add(&world.breaker.scope, EG_CLASS_MESH, prefix_of(ASKED_IPV4), 0, EG_PROTO_ANY);
	scope_add(&world.breaker.scope, EG_CLASS_MESH, prefix_of(ASKED_IPV6), 0, EG_PROTO_ANY);
	join_world(&world);
	for (size_t i = 0; i < EG_COUNT_OF(asked); i++) {
		int client = network_connected(asked[i], ASKED_PORT), accepted = accept_of(&world);

		assert_peer_is(client, asked[i], ASKED_PORT);
		assert_original_is(accepted, asked[i], ASKED_PORT);
		network_close_pair(client, accepted);
	}
	slot = breaker_slot(&world.breaker);
	assert_int_equal(slot.counts.ipv4.verdicts.mesh + slot.counts.ipv6.verdicts.mesh, 2);
	assert_int_equal(slot.counts.ipv4.cluster.cx_total, 0);
	end_world(&world);
}

/* ---- the proxy ---- */

static int connect_as_proxy(void *context)
{
	const uint16_t *port = context;
	int fd = network_socket(NETWORK_IPV4, SOCK_STREAM, 0);
	int error = network_connect(fd, NETWORK_IPV4, *port);
	char byte = 'x';

	/* The guard sees the packets. */
	if (error == 0 && send(fd, &byte, 1, 0) != 1)
		error = errno;
	return error;
}

static void a_proxy_inside_the_workload_is_neither_redirected_nor_blocked(void **state)
{
	struct world world;
	struct eg_cgroup inner;
	struct stat st;
	int client, accepted;
	char byte;

	(void)state;
	make_world(&world);
	inner = cgroup_make_below(world.breaker.cgroup.path, "inner");
	assert_int_equal(fstat(inner.fd, &st), 0);
	world.breaker.subject.proxy_cgroup = st.st_ino;
	join_world(&world);
	assert_int_equal(cgroup_run(&inner, connect_as_proxy, &world.breaker.port), 0);
	accepted = network_accept(world.breaker.listener);
	assert_int_equal(recv(accepted, &byte, 1, 0), 1);
	close(accepted);
	assert_int_equal(breaker_slot(&world.breaker).counts.ipv4.verdicts.exempt_rule, 1);
	enter_cgroup(&inner);
	client = network_connected(NETWORK_IPV4, world.breaker.port);
	accepted = network_accept(world.breaker.listener);
	assert_false(is_forbidden(&world, client));
	breaker_join(&world.breaker);
	network_close_pair(client, accepted);
	cgroup_end(&inner);
	end_world(&world);
}

/* In the workload: it asks for one connection, and then wants to go where that went. */
static int ask_and_connect(void *context)
{
	const int *accepted = context;
	struct sockaddr_in original;
	socklen_t len = sizeof(original);
	int fd = network_socket(ASKED_IPV4, SOCK_STREAM, 0);

	if (getsockopt(*accepted, SOL_IP, SO_ORIGINAL_DST, &original, &len) < 0)
		return errno;
	return connect(fd, (struct sockaddr *)&original, sizeof(original)) < 0 ? 100 + errno : 0;
}

static void a_proxy_that_nobody_names_is_never_sent_to_itself(void **state)
{
	struct world world;
	int client, accepted;

	(void)state;
	make_world(&world);
	join_world(&world);
	client = network_connected(ASKED_IPV4, ASKED_PORT);
	accepted = accept_of(&world);
	assert_int_equal(cgroup_run(&world.breaker.cgroup, ask_and_connect, &accepted), 100 + EPERM);
	/* The client of before goes on. */
	network_close_pair(client, accepted);
	assert_int_equal(breaker_slot(&world.breaker).counts.ipv4.verdicts.blocked_passthrough_off, 1);
	assert_int_equal(breaker_slot(&world.breaker).counts.ipv4.verdicts.redirected, 1);
	end_world(&world);
}

/* ---- DNS ---- */

struct resolver {
	int fd;
	uint16_t port;
};

static struct resolver listen_for_dns(const char *address)
{
	struct sockaddr_storage at = network_address(address, 0);
	struct resolver resolver = {.fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
	socklen_t len = sizeof(at);

	assert_int_equal(bind(resolver.fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(resolver.fd, (struct sockaddr *)&at, &len), 0);
	resolver.port = ntohs(at.ss_family == AF_INET ? ((struct sockaddr_in *)&at)->sin_port
						      : ((struct sockaddr_in6 *)&at)->sin6_port);
	return resolver;
}

static void answer(const struct resolver *resolver)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char byte;

	network_poll(resolver->fd, POLLIN);
	assert_int_equal(recvfrom(resolver->fd, &byte, 1, 0, (struct sockaddr *)&from, &len), 1);
	assert_int_equal(sendto(resolver->fd, &byte, 1, 0, (struct sockaddr *)&from, len), 1);
}

static void assert_answered_by(int client, const char *address)
{
	struct sockaddr_storage from = {};
	socklen_t len = sizeof(from);
	char byte;

	network_poll(client, POLLIN);
	assert_int_equal(recvfrom(client, &byte, 1, 0, (struct sockaddr *)&from, &len), 1);
	assert_is(&from, address, 53);
}

static void dns_is_answered_by_the_local_resolver_in_the_name_of_the_one_that_was_asked(void **state)
{
	static const char *const asked[] = {ASKED_IPV4, ASKED_IPV6, ASKED_MAPPED};
	struct resolver ipv4, ipv6;
	struct world world;

	(void)state;
	make_world(&world);
	ipv4 = listen_for_dns("127.0.0.1");
	ipv6 = listen_for_dns("::1");
	world.breaker.subject.redirect_ipv4.dns = place_of("127.0.0.1", ipv4.port);
	world.breaker.subject.redirect_ipv6.dns = place_of("::1", ipv6.port);
	join_world(&world);
	for (size_t i = 0; i < EG_COUNT_OF(asked); i++) {
		const struct resolver *resolver = i == 1 ? &ipv6 : &ipv4;
		struct sockaddr_storage to = network_address(asked[i], 53);
		int connected = network_socket(asked[i], SOCK_DGRAM, 0), loose = network_socket(asked[i], SOCK_DGRAM, 0);

		assert_int_equal(network_connect(connected, asked[i], 53), 0);
		assert_peer_is(connected, asked[i], 53);
		assert_int_equal(send(connected, "q", 1, 0), 1);
		answer(resolver);
		assert_answered_by(connected, asked[i]);

		assert_int_equal(sendto(loose, "q", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
		answer(resolver);
		assert_answered_by(loose, asked[i]);
		close(connected);
		close(loose);
	}
	assert_int_equal(breaker_slot(&world.breaker).counts.ipv4.cluster.sessions_total, 0);
	close(ipv4.fd);
	close(ipv6.fd);
	end_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_would_be_blocked_comes_to_the_proxy_which_is_told_where_it_wanted_to_go),
		cmocka_unit_test(the_proxy_is_told_also_when_the_client_is_gone_before_it_accepts),
		cmocka_unit_test(a_connection_that_was_not_redirected_has_no_original),
		cmocka_unit_test(an_option_of_another_level_is_not_answered),
		cmocka_unit_test(a_family_without_a_place_is_blocked),
		cmocka_unit_test(a_socket_that_cannot_be_redirected_is_blocked_and_counted),
		cmocka_unit_test(what_passthrough_lets_out_is_not_redirected),
		cmocka_unit_test(audit_mode_redirects_nothing_and_says_what_would_be),
		cmocka_unit_test(what_was_refused_before_is_no_connection_in_audit_mode_either),
		cmocka_unit_test(redirected_connections_are_held_to_the_limits_of_the_cluster),
		cmocka_unit_test(a_socket_that_connects_again_has_the_peer_of_its_last_connect),
		cmocka_unit_test(a_socket_that_is_bound_is_redirected),
		cmocka_unit_test(the_guard_lets_connections_to_a_proxy_of_another_address_by),
		cmocka_unit_test(what_is_redirected_is_not_ended_as_forbidden_and_what_was_open_before_is),
		cmocka_unit_test(notes_of_a_workload_that_no_longer_redirects_are_cleared_away),
		cmocka_unit_test(notes_of_a_slots_earlier_owner_are_cleared_away),
		cmocka_unit_test(the_first_subflow_of_mptcp_is_redirected),
		cmocka_unit_test(fast_open_is_redirected),
		cmocka_unit_test(traffic_of_the_mesh_is_sent_to_its_proxy_and_is_mesh),
		cmocka_unit_test(a_proxy_inside_the_workload_is_neither_redirected_nor_blocked),
		cmocka_unit_test(a_proxy_that_nobody_names_is_never_sent_to_itself),
		cmocka_unit_test(dns_is_answered_by_the_local_resolver_in_the_name_of_the_one_that_was_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
