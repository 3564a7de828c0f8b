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

static void a_misplaced_inbound_is_refused(void **state)
{
	(void)state;
	assert_refused(DATAPLANE INBOUND "inbound: []\n",
		       "inbound: unknown field here; did you mean \"networking.inbound\"?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_model_holds_is_read), cmocka_unit_test(of_two_spellings_camel_case_wins),
		cmocka_unit_test(addresses_follow_kumas_rules), cmocka_unit_test(a_host_name_is_a_warning),
		cmocka_unit_test(ports_follow_kumas_rules),     cmocka_unit_test(tags_follow_kumas_rules),
		cmocka_unit_test(gateways_follow_kumas_rules),  cmocka_unit_test(a_misplaced_inbound_is_refused),
	};

	return cmocka_run_group_tests_name("dataplane", tests, NULL, NULL);
}
