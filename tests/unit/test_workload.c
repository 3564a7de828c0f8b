/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../lib/support/policy.h"

#define WORKLOAD "type: Workload\nname: w\ncgroup: /w\n"

static void what_the_model_holds_is_read(void **state)
{
	struct policy *policy =
		policy_read("type: Workload\nname: w\nmesh: m\ncgroup: /system.slice/*.service\n"
			    "tags: {kuma.io/service: s}\ndataplane: d\nmode: enforce\nblockErrno: ECONNREFUSED\nbreakerErrno: 11\n"
			    "excludeOutboundPorts: [22, \"23\"]\nexcludeOutboundIPs: [10.0.0.0/8, 'fd00::1']\n"
			    "allow:\n- {cidr: 192.0.2.1, port: 443, protocol: tcp}\n- cidr: ::/0\n");
	const struct eg_workload *workload = policy->model->workloads.items[0];

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_string_equal(workload->name, "w");
	assert_string_equal(workload->mesh, "m");
	assert_int_equal(workload->mesh_origin.line, 3);
	assert_string_equal(workload->cgroup, "/system.slice/*.service");
	assert_string_equal(workload->tags.items[0].name, "kuma.io/service");
	assert_string_equal(workload->tags.items[0].value, "s");
	assert_string_equal(workload->dataplane, "d");
	assert_int_equal(workload->block_errno.value, ECONNREFUSED);
	assert_int_equal(workload->breaker_errno.value, EAGAIN);
	assert_int_equal(workload->exclude_outbound_ports.items[1].port, 23);
	assert_int_equal(workload->exclude_outbound_ips.items[0].prefix.len, 8);
	assert_int_equal(workload->exclude_outbound_ips.items[1].prefix.len, 128);
	assert_int_equal(workload->allow.len, 2);
	assert_int_equal(workload->allow.items[0].port, 443);
	assert_int_equal(workload->allow.items[0].protocols, EG_PROTO_TCP);
	assert_int_equal(workload->allow.items[0].prefix.len, 32);
	assert_int_equal(workload->allow.items[0].origin.line, 13);
	assert_int_equal(workload->allow.items[1].port, 0);
	assert_int_equal(workload->allow.items[1].protocols, EG_PROTO_ANY);
	assert_int_equal(workload->allow.items[1].prefix.family, EG_FAMILY_IPV6);
	policy_free(policy);
}

static void ports_may_be_one_text_as_in_kumas_annotation(void **state)
{
	struct policy *policy = policy_read(WORKLOAD "excludeOutboundPorts: 22, 8080\n");

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_int_equal(policy->model->workloads.items[0]->exclude_outbound_ports.items[1].port, 8080);
	policy_free(policy);
	assert_refused(WORKLOAD "excludeOutboundPorts: '22,,80'\n", "port must be in the range [1, 65535]");
	assert_refused(WORKLOAD "excludeOutboundPorts: [0]\n", "excludeOutboundPorts[0]: port must be in the range");
}

static void open_connections_are_ended_after_five_seconds_unless_written(void **state)
{
	struct policy *plain = policy_read(WORKLOAD);
	struct policy *written = policy_read(WORKLOAD "onPolicyChange: keep\ngracePeriod: 90s\n");

	(void)state;
	assert_false(plain->model->workloads.items[0]->keeps_connections);
	assert_false(plain->model->workloads.items[0]->grace_period_ms.is_set);
	assert_string_equal(written->findings, "");
	assert_true(written->model->workloads.items[0]->keeps_connections);
	assert_int_equal(written->model->workloads.items[0]->grace_period_ms.value, 90000);
	policy_free(plain);
	policy_free(written);
	assert_refused(WORKLOAD "onPolicyChange: cut\n", "terminate");
	assert_refused(WORKLOAD "gracePeriod: 2h\n", "must be in the range [0s, 1h]");
}

static void fields_without_a_mechanism_are_refused(void **state)
{
	static const char *const fields[] = {"excludeCgroups: [/a]", "excludeUIDs: [0]"};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(text, sizeof(text), WORKLOAD "%s\n", fields[i]);
		assert_refused(text, "not supported yet");
	}
}

static void a_redirect_has_one_place_of_each_family(void **state)
{
	struct policy *one = policy_read(WORKLOAD "redirect: {to: '127.0.0.1:15001', dns: '[::1]:53', proxyCgroup: proxy}\n");
	struct policy *two = policy_read(WORKLOAD "redirect: {to: ['[::1]:15001', '10.0.0.1:15002'], proxyCgroup: /a/b}\n");
	const struct eg_redirect *first = &one->model->workloads.items[0]->redirect;
	const struct eg_redirect *second = &two->model->workloads.items[0]->redirect;

	(void)state;
	assert_string_equal(one->findings, "");
	assert_string_equal(two->findings, "");
	assert_int_equal(first->to.ipv4.place.port, 15001);
	assert_false(first->to.ipv6.is_set);
	assert_int_equal(first->dns.ipv6.place.port, 53);
	assert_string_equal(first->proxy_cgroup, "proxy");
	assert_int_equal(second->to.ipv4.place.port, 15002);
	assert_int_equal(second->to.ipv6.place.port, 15001);
	policy_free(one);
	policy_free(two);
	assert_refused(WORKLOAD "redirect: {to: ['127.0.0.1:1', '127.0.0.1:2']}\n", "redirect.to[1]: a second address");
	assert_refused(WORKLOAD "redirect: {to: localhost:1}\n", "redirect.to: must be an address with its port");
	assert_refused(WORKLOAD "redirect: {to: '0.0.0.0:1'}\n", "redirect.to: must be the address");
	assert_refused(WORKLOAD "redirect: {proxyCgroup: '/a/*'}\n", "redirect.proxyCgroup: must not be a pattern");
	assert_refused(WORKLOAD "redirect: {proxyCgroup: ../x}\n", "redirect.proxyCgroup: must be the path");
	assert_refused(WORKLOAD "redirect: {too: '127.0.0.1:1'}\n", "did you mean \"to\"?");
}

static void mode_is_enforce_or_audit_and_enforce_unless_written(void **state)
{
	struct policy *plain = policy_read(WORKLOAD), *audited = policy_read(WORKLOAD "mode: audit\n");

	(void)state;
	assert_int_equal(plain->model->workloads.items[0]->mode, EG_MODE_ENFORCE);
	assert_string_equal(audited->findings, "");
	assert_int_equal(audited->model->workloads.items[0]->mode, EG_MODE_AUDIT);
	policy_free(plain);
	policy_free(audited);
	assert_refused(WORKLOAD "mode: Audit\n", "mode: \"mode\" must be one of [\"enforce\", \"audit\"]; did you mean \"audit\"?");
}

static void a_gate_is_said_to_have_no_effect_in_audit_mode(void **state)
{
	(void)state;
	assert_findings("type: Workload\nname: w\ncgroup: /w/*\nunenrolled: refuse\nmode: audit\n",
			"p.yaml:1:1: warning: unenrolled: refuse has no effect while mode is audit: nothing is refused\n");
}

static void a_cgroup_is_a_path_below_the_mount(void **state)
{
	(void)state;
	assert_refused("type: Workload\nname: w\ncgroup: w\n", "p.yaml:3:9: error: cgroup: must start with a slash");
	assert_refused("type: Workload\nname: w\ncgroup: /a/../b\n", "must not have a .. component");
	assert_refused("type: Workload\nname: w\ncgroup: /a/..\n", "must not have a .. component");
	assert_accepted("type: Workload\nname: w\ncgroup: /a..b/..c\n");
	assert_refused("type: Workload\nname: w\ncgroup: /sys/fs/cgroup/w\n", "without the mount point");
}

/* With one that no cgroup can have the kernel would say no to all looks, and not that there is none. */
static void a_cgroup_has_a_name_that_the_kernel_takes(void **state)
{
	char name[257] = {}, path[3000] = {}, text[4000];

	(void)state;
	memset(name, 'a', 255);
	snprintf(text, sizeof(text), "type: Workload\nname: w\ncgroup: /x//%s/y\nredirect: {proxyCgroup: p/%s}\n", name, name);
	assert_accepted(text);
	name[255] = 'a';
	snprintf(text, sizeof(text), "type: Workload\nname: w\ncgroup: /%s\n", name);
	assert_refused(text, "p.yaml:3:9: error: cgroup: a component is longer than the 255 bytes that a name may have");
	snprintf(text, sizeof(text), "type: Workload\nname: w\ncgroup: /x/%s/*\n", name);
	assert_refused(text, "cgroup: a component is longer");
	snprintf(text, sizeof(text), "type: Workload\nname: w\ncgroup: /x/[%s]\n", name);
	assert_accepted(text);
	snprintf(text, sizeof(text), WORKLOAD "redirect: {proxyCgroup: /x/%s}\n", name);
	assert_refused(text, "redirect.proxyCgroup: a component is longer");
	snprintf(text, sizeof(text), WORKLOAD "redirect: {proxyCgroup: x/%s}\n", name);
	assert_refused(text, "redirect.proxyCgroup: a component is longer");
	for (size_t i = 0; i < 2048; i++)
		path[i] = i % 2 ? 'a' : '/';
	snprintf(text, sizeof(text), "type: Workload\nname: w\ncgroup: %s\n", path);
	assert_refused(text, "cgroup: must be shorter than 2048 bytes");
	snprintf(text, sizeof(text), WORKLOAD "redirect: {proxyCgroup: b%s}\n", path);
	assert_refused(text, "redirect.proxyCgroup: must be shorter than 2048 bytes");
	path[2047] = '\0';
	snprintf(text, sizeof(text), "type: Workload\nname: w\ncgroup: %s\n", path);
	assert_accepted(text);
}

static void a_workload_without_a_cgroup_is_warned_about(void **state)
{
	(void)state;
	assert_findings("type: Workload\nname: w\n",
			"p.yaml:1:1: warning: cgroup: is not set: only `egressctl run` can use this Workload\n");
}

static void rules_that_cannot_be_meant_are_refused(void **state)
{
	(void)state;
	assert_refused(WORKLOAD "allow: [{port: 80}]\n", "allow[0].cidr: must be defined");
	assert_refused(WORKLOAD "allow: [{cidr: 10.0.0.0/33}]\n", "allow[0].cidr: the prefix length is too great");
	assert_refused(WORKLOAD "allow: [{cidr: example.com}]\n", "allow[0].cidr: must be an IP address or a range");
	assert_refused(WORKLOAD "allow: [{cidr: 10.0.0.0/8, port: 99999}]\n",
		       "allow[0].port: port must be in the range");
	assert_refused(WORKLOAD "allow: [{cidr: 10.0.0.0/8, protocol: TCP}]\n",
		       "allow[0].protocol: must be one of tcp");
	assert_refused(WORKLOAD "allow: [{cidr: 10.0.0.0/8, port: 1, protocol: icmp}]\n", "icmp has no ports");
	assert_refused(WORKLOAD "blockErrno: EFOO\n", "blockErrno: must be one of EPERM");
	assert_refused(WORKLOAD "mode: observe\n", "mode: \"mode\" must be one of");
}

static void a_rule_that_is_refused_is_not_in_the_model(void **state)
{
	struct policy *policy = policy_read(WORKLOAD "allow: [{cidr: nonsense, port: 80}]\n");

	(void)state;
	assert_int_equal(policy->model->workloads.items[0]->allow.len, 0);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_model_holds_is_read),
		cmocka_unit_test(ports_may_be_one_text_as_in_kumas_annotation),
		cmocka_unit_test(open_connections_are_ended_after_five_seconds_unless_written),
		cmocka_unit_test(fields_without_a_mechanism_are_refused),
		cmocka_unit_test(a_redirect_has_one_place_of_each_family),
		cmocka_unit_test(mode_is_enforce_or_audit_and_enforce_unless_written),
		cmocka_unit_test(a_gate_is_said_to_have_no_effect_in_audit_mode),
		cmocka_unit_test(a_cgroup_is_a_path_below_the_mount),
		cmocka_unit_test(a_cgroup_has_a_name_that_the_kernel_takes),
		cmocka_unit_test(a_workload_without_a_cgroup_is_warned_about),
		cmocka_unit_test(rules_that_cannot_be_meant_are_refused),
		cmocka_unit_test(a_rule_that_is_refused_is_not_in_the_model),
	};

	return cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
