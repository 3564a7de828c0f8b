/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Documents that keep traffic working are read back as what they were meant to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/policy.h"
#include "base/addr.h"
#include "base/cleanup.h"
#include "config/kinds.h"
#include "export/keep.h"

static void add_flow(struct eg_keep *keep, const char *address, uint16_t port, uint16_t protocol)
{
	struct eg_flow flow = {.port = port, .protocol = protocol};

	assert_int_equal(eg_addr_parse(address, &flow.family, &flow.addr), 0);
	assert_int_equal(eg_array_push(&keep->flows, flow), 0);
}

/* For free(). */
static char *print(const struct eg_keep *keeps, size_t count)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(eg_keep_print(out, keeps, count), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static struct eg_keep keep_of(const char *name)
{
	return (struct eg_keep){.name = name, .mesh = "default", .dataplane = name, .policy = "kept", .cgroup = "/w"};
}

static void what_goes_by_tcp_is_in_a_policy_and_the_rest_in_the_workload(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct eg_keep keep = keep_of("web");
	const struct eg_mesh_passthrough *passthrough;
	const struct eg_workload *workload;
	struct policy *policy;

	(void)state;
	add_flow(&keep, "192.0.2.1", 443, IPPROTO_TCP);
	add_flow(&keep, "192.0.2.1", 53, IPPROTO_UDP);
	add_flow(&keep, "192.0.2.9", 0, IPPROTO_ICMP);
	add_flow(&keep, "2001:db8::1", 65535, IPPROTO_TCP);
	text = print(&keep, 1);
	policy = policy_read(text);
	assert_string_equal(policy->findings, "");
	assert_int_equal(policy->model->passthroughs.len, 1);
	passthrough = policy->model->passthroughs.items[0];
	assert_string_equal(passthrough->head.name, "kept");
	assert_int_equal(passthrough->head.target.kind, EG_TARGET_DATAPLANE);
	assert_string_equal(passthrough->head.target.name, "web");
	assert_int_equal(passthrough->mode, EG_PASSTHROUGH_MATCHED);
	assert_int_equal(passthrough->matches.len, 2);
	assert_int_equal(passthrough->matches.items[0].prefix.len, 32);
	assert_int_equal(passthrough->matches.items[0].port, 443);
	assert_int_equal(passthrough->matches.items[1].prefix.family, EG_FAMILY_IPV6);
	assert_int_equal(passthrough->matches.items[1].port, 65535);
	workload = policy->model->workloads.items[0];
	assert_string_equal(workload->cgroup, "/w");
	assert_int_equal(workload->allow.len, 2);
	assert_int_equal(workload->allow.items[0].port, 53);
	assert_int_equal(workload->allow.items[0].protocols, EG_PROTO_UDP);
	assert_int_equal(workload->allow.items[1].protocols, EG_PROTO_ICMP);
	policy_free(policy);
	eg_array_clear(&keep.flows);
}

#define WRITTEN \
	"type: Workload\nname: 'on'\nmesh: '1'\ncgroup: '/a b/\"*'\ndataplane: d\nmode: audit\nunenrolled: refuse\n" \
	"labels: {a: 'true', b: x}\ntags: {kuma.io/service: '12', team: 'no'}\nblockErrno: EACCES\nbreakerErrno: 11\n" \
	"onPolicyChange: keep\ngracePeriod: 90s\n" \
	"excludeOutboundPorts: [22, 123]\nexcludeOutboundIPs: [10.0.0.0/8, 'fd00::/8']\nallowProtocols: [sctp, raw]\n" \
	"onIncomingBlocked: drop\nallowIncoming: [{cidr: 10.9.0.0/16, port: 80, protocol: tcp}, {cidr: 'fd09::1'}]\n" \
	"allow: [{cidr: 192.0.2.0/24, port: 443, protocol: tcp}, {cidr: '::/0'}, {cidr: 192.0.2.7, port: 1, protocol: udplite}]\n" \
	"redirect: {to: ['127.0.0.1:15001', '[::1]:15002'], dns: '127.0.0.1:15053', proxyCgroup: 'pro xy'}\n"

static void assert_tags_equal(const struct eg_tags *a, const struct eg_tags *b)
{
	assert_int_equal(a->len, b->len);
	for (size_t i = 0; i < a->len; i++) {
		assert_string_equal(a->items[i].name, b->items[i].name);
		assert_string_equal(a->items[i].value, b->items[i].value);
	}
}

static void assert_prefixes_equal(const struct eg_prefix *a, const struct eg_prefix *b)
{
	assert_int_equal(eg_prefix_compare(a, b), 0);
}

static void assert_words_equal(const struct eg_workload *a, const struct eg_workload *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->mesh, b->mesh);
	assert_string_equal(a->cgroup, b->cgroup);
	assert_string_equal(a->dataplane, b->dataplane);
	assert_tags_equal(&a->labels, &b->labels);
	assert_tags_equal(&a->tags, &b->tags);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->refuses_unenrolled, b->refuses_unenrolled);
	assert_int_equal(a->block_errno.value, b->block_errno.value);
	assert_int_equal(a->breaker_errno.value, b->breaker_errno.value);
	assert_int_equal(a->keeps_connections, b->keeps_connections);
	assert_int_equal(a->grace_period_ms.value, b->grace_period_ms.value);
	assert_string_equal(a->redirect.proxy_cgroup, b->redirect.proxy_cgroup);
	assert_int_equal(a->redirect.to.ipv4.place.port, b->redirect.to.ipv4.place.port);
	assert_int_equal(a->redirect.to.ipv6.place.port, b->redirect.to.ipv6.place.port);
	assert_int_equal(a->redirect.dns.ipv4.place.port, b->redirect.dns.ipv4.place.port);
	assert_int_equal(a->redirect.dns.ipv6.is_set, b->redirect.dns.ipv6.is_set);
}

static void assert_lists_equal(const struct eg_workload *a, const struct eg_workload *b)
{
	assert_int_equal(a->exclude_outbound_ports.len, b->exclude_outbound_ports.len);
	for (size_t i = 0; i < a->exclude_outbound_ports.len; i++)
		assert_int_equal(a->exclude_outbound_ports.items[i].port, b->exclude_outbound_ports.items[i].port);
	assert_int_equal(a->exclude_outbound_ips.len, b->exclude_outbound_ips.len);
	for (size_t i = 0; i < a->exclude_outbound_ips.len; i++)
		assert_prefixes_equal(&a->exclude_outbound_ips.items[i].prefix, &b->exclude_outbound_ips.items[i].prefix);
	assert_int_equal(a->drops_incoming, b->drops_incoming);
	assert_int_equal(a->allow_incoming.list.len, b->allow_incoming.list.len);
	for (size_t i = 0; i < a->allow_incoming.list.len; i++) {
		const struct eg_allow *x = &a->allow_incoming.list.items[i], *y = &b->allow_incoming.list.items[i];

		assert_prefixes_equal(&x->prefix, &y->prefix);
		assert_int_equal(x->port, y->port);
		assert_int_equal(x->protocols, y->protocols);
	}
	for (size_t i = 0; i < a->allow.len; i++) {
		assert_prefixes_equal(&a->allow.items[i].prefix, &b->allow.items[i].prefix);
		assert_int_equal(a->allow.items[i].port, b->allow.items[i].port);
		assert_int_equal(a->allow.items[i].protocols, b->allow.items[i].protocols);
	}
}

static void a_redirect_that_names_nothing_stays_one(void **state)
{
	struct policy *before = policy_read("type: Workload\nname: web\nmesh: default\ncgroup: /w\nredirect: {}\n"), *after;
	struct eg_keep keep = keep_of("web");
	_cleanup_free_ char *text = NULL;

	(void)state;
	keep.workload = before->model->workloads.items[0];
	assert_true(keep.workload->redirect.is_set);
	add_flow(&keep, "192.0.2.200", 9, IPPROTO_UDP);
	text = print(&keep, 1);
	after = policy_read(text);
	assert_true(after->model->workloads.items[0]->redirect.is_set);
	policy_free(before);
	policy_free(after);
	eg_array_clear(&keep.flows);
}

static void a_workload_says_all_that_it_said_and_what_is_new(void **state)
{
	struct policy *before = policy_read(WRITTEN), *after;
	const struct eg_workload *old = before->model->workloads.items[0], *new;
	_cleanup_free_ char *text = NULL;
	struct eg_keep keep = keep_of(old->name);

	(void)state;
	keep.mesh = old->mesh;
	keep.cgroup = old->cgroup;
	keep.workload = old;
	add_flow(&keep, "192.0.2.200", 9, IPPROTO_UDPLITE);
	text = print(&keep, 1);
	after = policy_read(text);
	assert_false(eg_diag_has_errors(&after->diag));
	new = after->model->workloads.items[0];
	assert_words_equal(old, new);
	assert_lists_equal(old, new);
	assert_int_equal(new->allow.len, old->allow.len + 1);
	assert_int_equal(new->allow.items[3].protocols, EG_PROTO_UDPLITE);
	assert_int_equal(new->allowed_protocols, EG_PROTO_SCTP | EG_PROTO_RAW | EG_PROTO_UDPLITE);
	for (size_t i = 0; i < eg_workload_schema.count; i++) {
		const struct eg_field *field = &eg_workload_schema.fields[i];

		/* A field that comes later must be written too. */
		assert_true(field->later || (strstr(WRITTEN, field->name) && strstr(text, field->name)));
	}
	policy_free(before);
	policy_free(after);
	eg_array_clear(&keep.flows);
}

static void what_no_rule_can_name_is_said_in_a_comment(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct eg_keep keep = keep_of("web");

	(void)state;
	add_flow(&keep, "192.0.2.1", 0, IPPROTO_TCP);
	add_flow(&keep, "192.0.2.1", 0, 47);
	text = print(&keep, 1);
	assert_non_null(strstr(text, "\n# web: nothing keeps 192.0.2.1:0 by tcp: no rule can name it\n"));
	assert_non_null(strstr(text, "\n# web: nothing keeps 192.0.2.1:0 by 47: no rule can name it\n"));
	assert_null(strstr(text, "\n---"));
	eg_array_clear(&keep.flows);
}

static void a_policy_that_would_beat_it_is_named(void **state)
{
	struct policy *policy = policy_read("type: MeshPassthrough\nname: open\nmesh: default\nspec:\n"
					    "  targetRef: {kind: MeshSubset, tags: {a: b}}\n  default: {passthroughMode: All}\n");
	_cleanup_free_ char *text = NULL;
	struct eg_keep keep = keep_of("web");

	(void)state;
	keep.rival = policy->model->passthroughs.items[0];
	add_flow(&keep, "192.0.2.1", 80, IPPROTO_TCP);
	text = print(&keep, 1);
	assert_non_null(strstr(text, "The MeshPassthrough open ("));
	assert_non_null(strstr(text, "p.yaml:1) is more specific and says otherwise: remove it"));
	policy_free(policy);
	eg_array_clear(&keep.flows);
}

static void with_nothing_to_keep_there_is_no_document(void **state)
{
	_cleanup_free_ char *text = print(NULL, 0);

	(void)state;
	assert_non_null(strstr(text, "# Nothing would be cut"));
	assert_null(strstr(text, "---"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_by_tcp_is_in_a_policy_and_the_rest_in_the_workload),
		cmocka_unit_test(a_redirect_that_names_nothing_stays_one),
		cmocka_unit_test(a_workload_says_all_that_it_said_and_what_is_new),
		cmocka_unit_test(what_no_rule_can_name_is_said_in_a_comment),
		cmocka_unit_test(a_policy_that_would_beat_it_is_named),
		cmocka_unit_test(with_nothing_to_keep_there_is_no_document),
	};

	return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
