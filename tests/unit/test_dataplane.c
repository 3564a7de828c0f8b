/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../lib/support/policy.h"

#define DATAPLANE "type: Dataplane\nmesh: default\nname: d\nnetworking:\n"
#define INBOUND "  address: 10.0.0.1\n  inbound:\n  - port: 80\n    tags: {kuma.io/service: s}\n"

static void what_the_model_holds_is_read(void **state)
{
	struct policy *policy =
		policy_read(DATAPLANE INBOUND
			    "  - {port: \"81\", address: \"fd00::1\"}\n"
			    "  advertised_address: 192.0.2.1\n"
			    "  outbound:\n  - port: 90\n    tags: {kuma.io/service: t}\n"
			    "  - {port: 91, address: 10.9.9.9, backendRef: {kind: MeshService, name: x, port: 1}}\n");
	const struct eg_dataplane *dataplane = policy->model->dataplanes.items[0];

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_string_equal(dataplane->address, "10.0.0.1");
	assert_string_equal(dataplane->advertised_address, "192.0.2.1");
	assert_int_equal(dataplane->inbounds.len, 2);
	assert_null(dataplane->inbounds.items[0].address);
	assert_int_equal(dataplane->inbounds.items[0].port, 80);
	assert_int_equal(dataplane->inbounds.items[0].origin.line, 7);
	assert_string_equal(dataplane->inbounds.items[1].address, "fd00::1");
	assert_int_equal(dataplane->inbounds.items[1].port, 81);
	assert_string_equal(dataplane->outbounds.items[0].address, "127.0.0.1");
	assert_int_equal(dataplane->outbounds.items[1].port, 91);
	assert_string_equal(dataplane->outbounds.items[1].address, "10.9.9.9");
	policy_free(policy);
}

static void of_two_spellings_camel_case_wins(void **state)
{
	struct policy *policy =
		policy_read(DATAPLANE INBOUND "  advertised_address: 192.0.2.1\n  advertisedAddress: 192.0.2.2\n");

	(void)state;
	assert_string_equal(policy->model->dataplanes.items[0]->advertised_address, "192.0.2.2");
	policy_free(policy);
}

static void addresses_follow_kumas_rules(void **state)
{
	(void)state;
	assert_refused("type: Dataplane\nname: d\n", "networking: must be defined");
	assert_refused(DATAPLANE "  inbound: [{port: 80}]\n", "networking.address: address can't be empty");
	assert_refused(DATAPLANE "  address: ''\n  inbound: [{port: 80}]\n",
		       "networking.address: address can't be empty");
	assert_refused(DATAPLANE "  address: 0.0.0.0\n  inbound: [{port: 80}]\n",
		       "networking.address: must not be 0.0.0.0 or ::");
	assert_refused(DATAPLANE "  address: '::'\n  inbound: [{port: 80}]\n",
		       "networking.address: must not be 0.0.0.0 or ::");
	assert_refused(DATAPLANE "  address: ..>_<..\n  inbound: [{port: 80}]\n",
		       "networking.address: address has to be valid IP address or domain name");
	assert_refused(DATAPLANE "  address: 10.0.0.300\n  inbound: [{port: 80}]\n",
		       "address has to be valid IP address");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80, address: example.com}]\n",
		       "networking.inbound[0].address: address has to be valid IP address");
}

static void a_host_name_is_a_warning(void **state)
{
	struct policy *policy = policy_read(DATAPLANE "  address: example.com\n  inbound: [{port: 80}]\n");

	(void)state;
	assert_false(eg_diag_has_errors(&policy->diag));
	assert_int_equal(policy->diag.warnings, 1);
	assert_non_null(strstr(policy->findings, "networking.address: \"example.com\" is a host name"));
	policy_free(policy);
}

static void ports_follow_kumas_rules(void **state)
{
	(void)state;
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{address: 10.0.0.2}]\n",
		       "networking.inbound[0].port: port must be in the range [1, 65535]");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 0}]\n",
		       "port must be in the range [1, 65535]");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 65536}]\n",
		       "port must be in the range [1, 65535]");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 010}]\n",
		       "must be a whole number in decimal digits");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: http}]\n",
		       "must be a whole number in decimal digits");
	assert_refused(DATAPLANE INBOUND "  outbound: [{tags: {kuma.io/service: s}}]\n",
		       "networking.outbound[0].port: port must be in the range [1, 65535]");
}

static void tags_follow_kumas_rules(void **state)
{
	(void)state;
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80, tags: {version: v1}}]\n",
		       "networking.inbound[0].tags[\"kuma.io/service\"]: tag has to exist");
	assert_refused(DATAPLANE
		       "  address: 10.0.0.1\n  inbound: [{port: 80, tags: {kuma.io/service: s, version: }}]\n",
		       "networking.inbound[0].tags[\"version\"]: tag value must be non-empty");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80, tags: {kuma.io/service: s, v: a@b}}]\n",
		       "networking.inbound[0].tags[\"v\"]: tag value must consist of");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80, tags: {kuma.io/service: s, v@: a}}]\n",
		       "networking.inbound[0].tags[\"v@\"]: tag name must consist of");
	assert_refused(DATAPLANE INBOUND "  outbound: [{port: 80, tags: {version: v1}}]\n",
		       "networking.outbound[0].tags: mandatory tag \"kuma.io/service\" is missing");
	assert_refused(DATAPLANE INBOUND "  outbound: [{port: 80}]\n",
		       "networking.outbound[0].tags: mandatory tag \"kuma.io/service\" is missing");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80}]\n  outbound: [{port: 80}]\n",
		       "networking.outbound[0].backendRef: must be defined");
}

static void gateways_follow_kumas_rules(void **state)
{
	(void)state;
	assert_accepted(DATAPLANE "  address: 10.0.0.1\n  gateway: {tags: {kuma.io/service: s}}\n");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  gateway: {type: BUILTIN, tags: {foo: bar}}\n",
		       "networking.gateway.tags: mandatory tag \"kuma.io/service\" is missing");
	assert_refused(DATAPLANE INBOUND "  gateway: {tags: {kuma.io/service: s}}\n",
		       "networking.inbound: inbound cannot be defined for delegated gateways");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  gateway: {type: Builtin}\n",
		       "networking.gateway.type: unknown value");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n",
		       "networking: has to contain at least one inbound interface or gateway");
}

static void an_inbound_must_not_lead_to_itself(void **state)
{
	static const char refusal[] = "networking.inbound[0].serviceAddress: serviceAddress and servicePort has to "
				      "differ from address and port";

	(void)state;
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80, serviceAddress: 10.0.0.1}]\n", refusal);
	assert_refused(DATAPLANE
		       "  address: 10.0.0.1\n"
		       "  inbound: [{port: 80, address: 10.0.0.2, serviceAddress: 10.0.0.2, servicePort: 80}]\n",
		       refusal);
	assert_accepted(DATAPLANE
			"  address: 10.0.0.1\n  inbound: [{port: 80, serviceAddress: 10.0.0.1, servicePort: 81}]\n");
}

static void the_admin_port_is_nobody_elses(void **state)
{
	(void)state;
	assert_refused(DATAPLANE "  address: 127.0.0.1\n  inbound: [{port: 80}]\n  admin: {port: 80}\n",
		       "networking.admin.port: must differ from inbound");
	assert_refused(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80}]\n  admin: {port: 81}\n"
				 "  outbound: [{port: 81, backendRef: {kind: MeshService, name: a, port: 1}}]\n",
		       "networking.admin.port: must differ from outbound");
	assert_accepted(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80}]\n  admin: {port: 80}\n");
}

static void listeners_share_names_and_ports_with_inbounds(void **state)
{
	static const char head[] = DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80, name: http}]\n";
	static const struct {
		const char *listeners;
		const char *refusal;
	} cases[] = {
		{"[{port: 1}]", "networking.listeners[0].address: address can't be empty"},
		{"[{address: 10.0.0.1, port: 0}]",
		 "networking.listeners[0].port: port must be in the range [1, 65535]"},
		{"[{address: 10.0.0.1, port: 80}]",
		 "networking.listeners[0]: address:port 10.0.0.1:80 collides with an inbound listener"},
		{"[{address: 10.0.0.2, port: 80}, {address: 10.0.0.2, port: 80}]",
		 "networking.listeners[1]: address:port 10.0.0.2:80 collides with another listener"},
		{"[{address: 10.0.0.2, port: 80, name: http}]",
		 "networking.listeners[0].name: name \"http\" must be unique across inbounds and listeners"},
		{"[{address: 10.0.0.2, port: 80, type: Zone}]",
		 "networking.listeners[0].type: \"type\" must be one of [\"ZoneIngress\", \"ZoneEgress\"]"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "%s  listeners: %s\n", head, cases[i].listeners);
		assert_refused(text, cases[i].refusal);
	}
	assert_accepted(DATAPLANE "  address: 10.0.0.1\n  inbound: [{port: 80, name: http}, {port: 81, name: http}]\n"
				  "  listeners: [{type: ZoneEgress, address: 10.0.0.1, port: 82, name: egress}]\n");
}

static void parts_about_the_proxy_are_checked_to_the_last_field(void **state)
{
	static const struct {
		const char *fields;
		const char *refusal;
	} cases[] = {
		{"  - {port: 1, health: {redy: true}}\n",
		 "networking.inbound[1].health.redy: unknown field; did you mean \"ready\"?"},
		{"  - {port: 1, state: Redy}\n",
		 "networking.inbound[1].state: \"state\" must be one of [\"Ready\", \"NotReady\", \"Ignored\"]"},
		{"  - {port: 1, serviceProbe: {interval: 0s}}\n",
		 "networking.inbound[1].serviceProbe.interval: must have a positive value"},
		{"  transparentProxying: {ipFamilyMode: ipv4}\n",
		 "networking.transparentProxying.ipFamilyMode: \"ipFamilyMode\" must be one of"},
		{"  transparentProxying: {redirectPortOutbond: 15001}\n", "did you mean \"redirectPortOutbound\"?"},
		{"  transparentProxying: {directAccessServices: a}\n",
		 "networking.transparentProxying.directAccessServices: must be a list"},
		/* Sic: it is how Kuma spells it. */
		{"  transparentProxying: {reachableBackends: {refs: [{kind: Service, name: a}]}}\n",
		 "networking.transparentProxing.reachableBackends.refs[0].kind: invalid value. Available values are: "
		 "MeshExternalService,MeshMultiZoneService,MeshService"},
		{"  transparentProxying: {reachableBackends: {refs: [{kind: MeshService}]}}\n",
		 "refs[0].name: name or labels are required"},
		{"  transparentProxying: {reachableBackends: {refs: [{kind: MeshService, namespace: a}]}}\n",
		 "refs[0].name: name is required, when namespace is defined"},
		{"  transparentProxying: {reachableBackends: {refs: [{kind: MeshService, name: a, labels: {b: c}}]}}\n",
		 "refs[0].labels: labels cannot be defined when name is specified"},
		{"  transparentProxying: {reachableBackends: {refs: [{kind: MeshService, name: 'a.-b'}]}}\n",
		 "refs[0].name: invalid characters. A lowercase RFC 1123 subdomain"},
		{"probes: {port: 0}\n", "probes.port: port must be in the range [1, 65535]"},
		{"probes: {port: 1, endpoints: [{inboundPort: 1, inboundPath: a, path: /}]}\n",
		 "probes.endpoints[0].inboundPath: should be a valid URL Path"},
		{"metrics: {type: custom}\n", "metrics.type: unknown backend type. Available backends: \"prometheus\""},
		{"metrics: {type: prometheus, conf: {aggregate: [{name: a}, {name: b}, {name: a}]}}\n",
		 "metrics.conf.aggregate[2].name: duplicate entry: a, values have to be unique"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", DATAPLANE INBOUND, cases[i].fields);
		assert_refused(text, cases[i].refusal);
	}
}

static void a_misplaced_inbound_is_refused(void **state)
{
	(void)state;
	assert_refused(DATAPLANE INBOUND "inbound: []\n",
		       "inbound: unknown field here; did you mean \"networking.inbound\"?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_model_holds_is_read),
		cmocka_unit_test(of_two_spellings_camel_case_wins),
		cmocka_unit_test(addresses_follow_kumas_rules),
		cmocka_unit_test(a_host_name_is_a_warning),
		cmocka_unit_test(ports_follow_kumas_rules),
		cmocka_unit_test(tags_follow_kumas_rules),
		cmocka_unit_test(gateways_follow_kumas_rules),
		cmocka_unit_test(a_misplaced_inbound_is_refused),
		cmocka_unit_test(an_inbound_must_not_lead_to_itself),
		cmocka_unit_test(the_admin_port_is_nobody_elses),
		cmocka_unit_test(listeners_share_names_and_ports_with_inbounds),
		cmocka_unit_test(parts_about_the_proxy_are_checked_to_the_last_field),
	};

	return cmocka_run_group_tests_name("dataplane", tests, NULL, NULL);
}
