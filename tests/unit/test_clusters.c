/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/clusters.h"

#define SLOT 3

static const struct eg_slot_set slots = {.count = 1, .has = {[SLOT] = true}};

static struct eg_flow flow_to(const char *address, uint16_t port, uint8_t protocol)
{
	struct eg_flow flow = {.port = port, .protocol = protocol};

	assert_int_equal(eg_addr_parse(address, &flow.family, &flow.addr), 0);
	return flow;
}

static void add_destination(struct eg_clusters *clusters, uint32_t slot, struct eg_flow flow, enum eg_reason reason,
			    enum eg_verdict verdict, uint64_t count)
{
	struct eg_destination item = {{slot, flow, reason, verdict, 0}, {.count = count}};
	struct eg_destinations destinations = {.list = {&item, 1, 1}};

	assert_int_equal(eg_clusters_add_destinations(clusters, &slots, &destinations), 0);
}

static void add_socket_with(struct eg_clusters *clusters, uint16_t slot, const char *address, uint16_t port,
			    enum eg_lease_state state, enum eg_reason reason, enum eg_verdict verdict)
{
	struct eg_held_socket item = {
		.word = eg_lease_word((__u8)state, 0, slot, 1, 1),
		.remote_port = port,
		.protocol = IPPROTO_TCP,
		.reason = reason,
		.verdict = verdict,
	};
	struct eg_walk walk = {.sockets = {&item, 1, 1}};

	assert_int_equal(eg_addr_parse(address, &item.family, &item.remote), 0);
	assert_int_equal(eg_clusters_add_sockets(clusters, &slots, &walk), 0);
}

static void add_socket(struct eg_clusters *clusters, uint16_t slot, const char *address, uint16_t port,
		       enum eg_lease_state state)
{
	add_socket_with(clusters, slot, address, port, state, EG_REASON_PASSTHROUGH, EG_VERDICT_ALLOWED);
}

static void what_was_admitted_by_tcp_is_a_host_of_its_family(void **state)
{
	struct eg_clusters clusters = {};

	(void)state;
	add_destination(&clusters, SLOT, flow_to("10.0.0.1", 80, IPPROTO_TCP), EG_REASON_PASSTHROUGH,
			EG_VERDICT_ALLOWED, 2);
	add_destination(&clusters, SLOT, flow_to("10.0.0.1", 80, IPPROTO_TCP), EG_REASON_MATCHED, EG_VERDICT_ALLOWED,
			3);
	add_destination(&clusters, SLOT, flow_to("fd00::1", 80, IPPROTO_TCP), EG_REASON_MATCHED, EG_VERDICT_ALLOWED, 4);
	add_destination(&clusters, SLOT, flow_to("10.0.0.1", 80, IPPROTO_TCP), EG_REASON_BLOCKED_MAX_CONNECTIONS,
			EG_VERDICT_AUDITED, 5);
	eg_clusters_merge_hosts(&clusters);
	assert_int_equal(clusters.ipv4.hosts.len, 1);
	assert_int_equal(clusters.ipv4.hosts.items[0].cx_total, 10);
	assert_int_equal(clusters.ipv6.hosts.len, 1);
	assert_int_equal(clusters.ipv6.hosts.items[0].cx_total, 4);
	eg_clusters_clear(&clusters);
}

static void what_was_not_admitted_or_is_not_the_clusters_is_no_host(void **state)
{
	struct eg_clusters clusters = {};
	const struct eg_flow tcp = flow_to("10.0.0.1", 80, IPPROTO_TCP), udp = flow_to("10.0.0.1", 80, IPPROTO_UDP);

	(void)state;
	add_destination(&clusters, SLOT, udp, EG_REASON_PASSTHROUGH, EG_VERDICT_ALLOWED, 1);
	add_destination(&clusters, SLOT, tcp, EG_REASON_MESH, EG_VERDICT_ALLOWED, 1);
	add_destination(&clusters, SLOT, tcp, EG_REASON_BLOCKED_PASSTHROUGH_OFF, EG_VERDICT_AUDITED, 1);
	add_destination(&clusters, SLOT, tcp, EG_REASON_BLOCKED_MAX_CONNECTIONS, EG_VERDICT_BLOCKED, 1);
	add_destination(&clusters, SLOT + 1, tcp, EG_REASON_PASSTHROUGH, EG_VERDICT_ALLOWED, 1);
	add_socket(&clusters, SLOT, "10.0.0.1", 80, EG_LEASE_DRAINING);
	add_socket(&clusters, SLOT, "10.0.0.1", 80, EG_LEASE_TRUSTED);
	add_socket(&clusters, SLOT + 1, "10.0.0.1", 80, EG_LEASE_ESTABLISHED);
	eg_clusters_merge_hosts(&clusters);
	assert_int_equal(clusters.ipv4.hosts.len, 0);
	eg_clusters_clear(&clusters);
}

static void what_is_sent_to_a_proxy_is_a_host_where_it_wanted_to_go(void **state)
{
	struct eg_clusters clusters = {};

	(void)state;
	add_destination(&clusters, SLOT, flow_to("10.0.0.1", 80, IPPROTO_TCP), EG_REASON_REDIRECTED, EG_VERDICT_ALLOWED,
			2);
	add_destination(&clusters, SLOT, flow_to("10.0.0.1", 80, IPPROTO_TCP), EG_REASON_REDIRECTED, EG_VERDICT_AUDITED,
			3);
	add_destination(&clusters, SLOT, flow_to("10.0.0.9", 53, IPPROTO_UDP), EG_REASON_REDIRECTED, EG_VERDICT_ALLOWED,
			1);
	add_socket_with(&clusters, SLOT, "127.0.0.1", 15001, EG_LEASE_ESTABLISHED, EG_REASON_REDIRECTED,
			EG_VERDICT_ALLOWED);
	add_socket_with(&clusters, SLOT, "10.0.0.1", 80, EG_LEASE_ESTABLISHED, EG_REASON_REDIRECTED, EG_VERDICT_AUDITED);
	eg_clusters_merge_hosts(&clusters);
	assert_int_equal(clusters.ipv4.hosts.len, 1);
	assert_int_equal(clusters.ipv4.hosts.items[0].flow.port, 80);
	assert_int_equal(clusters.ipv4.hosts.items[0].cx_total, 5);
	assert_int_equal(clusters.ipv4.hosts.items[0].cx_active, 1);
	eg_clusters_clear(&clusters);
}

static void sockets_say_what_is_active_and_hosts_come_in_order(void **state)
{
	struct eg_clusters clusters = {};

	(void)state;
	add_socket(&clusters, SLOT, "10.0.0.2", 80, EG_LEASE_ESTABLISHED);
	add_socket(&clusters, SLOT, "10.0.0.1", 443, EG_LEASE_CONNECTING);
	add_socket(&clusters, SLOT, "10.0.0.2", 80, EG_LEASE_CONNECTING);
	add_socket(&clusters, SLOT, "10.0.0.1", 80, EG_LEASE_ESTABLISHED);
	eg_clusters_merge_hosts(&clusters);
	assert_true(clusters.knows_active);
	assert_int_equal(clusters.ipv4.hosts.len, 3);
	assert_int_equal(clusters.ipv4.hosts.items[0].flow.port, 80);
	assert_int_equal(clusters.ipv4.hosts.items[1].flow.port, 443);
	assert_int_equal(clusters.ipv4.hosts.items[1].cx_active, 1);
	assert_int_equal(clusters.ipv4.hosts.items[1].rq_active, 0);
	assert_int_equal(clusters.ipv4.hosts.items[2].cx_active, 2);
	assert_int_equal(clusters.ipv4.hosts.items[2].rq_active, 1);
	eg_clusters_clear(&clusters);
}

static void limits_add_up_and_a_slot_without_a_policy_has_none(void **state)
{
	const struct eg_workload_policy policy = {
		.flags = EG_WORKLOAD_PRESENT,
		.ipv4 = {.max_connections = 4294967295u, .max_pending = 2, .max_requests = 3, .max_retries = 4},
	};
	const struct eg_workload_policy none = {.ipv4 = {.max_connections = 1}};
	struct eg_clusters clusters = {};

	(void)state;
	eg_clusters_add_limits(&clusters, &policy);
	eg_clusters_add_limits(&clusters, &policy);
	eg_clusters_add_limits(&clusters, &none);
	assert_int_equal(clusters.ipv4.max_connections, 8589934590u);
	assert_int_equal(clusters.ipv4.max_pending_requests, 4);
	assert_int_equal(clusters.ipv4.max_requests, 6);
	assert_int_equal(clusters.ipv4.max_retries, 8);
}

static char *written(const struct eg_clusters *clusters, int (*write)(const struct eg_clusters *clusters, FILE *out))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(write(clusters, out), 0);
	fclose(out);
	return text;
}

static void without_a_walk_nothing_is_said_of_what_is_active(void **state)
{
	struct eg_clusters clusters = {};
	_cleanup_free_ char *text = NULL, *json = NULL;

	(void)state;
	add_destination(&clusters, SLOT, flow_to("fd00::1", 80, IPPROTO_TCP), EG_REASON_PASSTHROUGH, EG_VERDICT_ALLOWED,
			2);
	text = written(&clusters, eg_clusters_write_text);
	assert_non_null(strstr(text, "outbound:passthrough:ipv6::[fd00::1]:80::cx_total::2\n"));
	assert_null(strstr(text, "active"));
	json = written(&clusters, eg_clusters_write_json);
	assert_non_null(strstr(json, "\"cx_total\""));
	assert_null(strstr(json, "active"));
	eg_clusters_clear(&clusters);
}

static void json_leaves_out_what_is_0_and_writes_large_numbers_as_text(void **state)
{
	struct eg_clusters clusters = {.knows_active = true};
	_cleanup_free_ char *text = NULL;
	json_auto_t *json = NULL;
	json_t *stats;
	const char *address, *name, *value = NULL;
	int port;

	(void)state;
	add_destination(&clusters, SLOT, flow_to("10.0.0.1", 80, IPPROTO_TCP), EG_REASON_PASSTHROUGH,
			EG_VERDICT_ALLOWED, 2);
	text = written(&clusters, eg_clusters_write_json);
	json = json_loads(text, 0, NULL);
	assert_int_equal(json_unpack(json, "{s:[{s:[{s:{s:{s:s, s:i}}, s:o}]}]}", "cluster_statuses", "host_statuses",
				     "address", "socket_address", "address", &address, "port_value", &port, "stats",
				     &stats),
			 0);
	assert_string_equal(address, "10.0.0.1");
	assert_int_equal(port, 80);
	assert_int_equal(json_unpack(json_array_get(stats, 0), "{s:s, s:s}", "name", &name, "value", &value), 0);
	assert_string_equal(name, "cx_total");
	assert_string_equal(value, "2");
	assert_null(json_object_get(json_array_get(stats, 1), "value"));
	eg_clusters_clear(&clusters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_admitted_by_tcp_is_a_host_of_its_family),
		cmocka_unit_test(what_was_not_admitted_or_is_not_the_clusters_is_no_host),
		cmocka_unit_test(what_is_sent_to_a_proxy_is_a_host_where_it_wanted_to_go),
		cmocka_unit_test(sockets_say_what_is_active_and_hosts_come_in_order),
		cmocka_unit_test(limits_add_up_and_a_slot_without_a_policy_has_none),
		cmocka_unit_test(without_a_walk_nothing_is_said_of_what_is_active),
		cmocka_unit_test(json_leaves_out_what_is_0_and_writes_large_numbers_as_text),
	};

	return cmocka_run_group_tests_name("clusters", tests, NULL, NULL);
}
