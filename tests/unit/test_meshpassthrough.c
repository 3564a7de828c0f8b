/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How a MeshPassthrough is written. What it means is in test_passthrough.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../lib/support/policy.h"

#define POLICY "type: MeshPassthrough\nname: p\nspec:\n"
#define MATCHES POLICY "  default:\n    appendMatch:\n"

static const struct eg_mesh_passthrough *only_policy(const struct policy *policy)
{
	assert_string_equal(policy->findings, "");
	assert_int_equal(policy->model->passthroughs.len, 1);
	return policy->model->passthroughs.items[0];
}

static void both_envelopes_say_the_same(void **state)
{
	static const char *const texts[] = {
		"type: MeshPassthrough\nname: p\nmesh: m\nspec:\n"
		"  targetRef: {kind: MeshSubset, tags: {app: web}}\n"
		"  default: {passthroughMode: None}\n",
		"apiVersion: kuma.io/v1alpha1\nkind: MeshPassthrough\n"
		"metadata: {name: p, namespace: kuma-system, labels: {kuma.io/mesh: m}}\nspec:\n"
		"  targetRef: {kind: MeshSubset, tags: {app: web}}\n"
		"  default: {passthroughMode: None}\n",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct policy *policy = policy_read(texts[i]);
		const struct eg_mesh_passthrough *passthrough = only_policy(policy);

		assert_string_equal(passthrough->head.display_name, "p");
		assert_string_equal(passthrough->head.mesh, "m");
		assert_null(passthrough->head.namespace);
		assert_int_equal(passthrough->head.target.kind, EG_TARGET_MESH_SUBSET);
		assert_int_equal(passthrough->mode, EG_PASSTHROUGH_NONE);
		policy_free(policy);
	}
}

static void without_a_target_it_is_for_the_mesh_and_without_a_mode_matched(void **state)
{
	struct policy *policy = policy_read(MATCHES "    - {type: IP, value: 192.0.2.1}\n");
	const struct eg_mesh_passthrough *passthrough = only_policy(policy);

	(void)state;
	assert_int_equal(passthrough->head.target.kind, EG_TARGET_MESH);
	assert_int_equal(passthrough->mode, EG_PASSTHROUGH_MATCHED);
	assert_int_equal(passthrough->mode_origin.line, 1);
	policy_free(policy);
}

static void every_protocol_of_a_match_means_tcp(void **state)
{
	struct policy *policy = policy_read(MATCHES "    - {type: IP, value: 192.0.2.1, port: 80, protocol: http}\n"
						    "    - {type: CIDR, value: 192.0.2.77/24, protocol: tls}\n"
						    "    - {type: CIDR, value: 'fd00::/8', port: 3306, protocol: mysql}\n"
						    "    - {type: IP, value: '::ffff:10.0.0.1'}\n");
	const struct eg_mesh_passthrough *passthrough = only_policy(policy);
	static const struct {
		const char *prefix;
		uint16_t port;
	} expected[] = {{"192.0.2.1/32", 80}, {"192.0.2.0/24", 0}, {"fd00::/8", 3306}, {"10.0.0.1/32", 0}};
	char text[EG_ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(passthrough->matches.len, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(eg_prefix_format(&passthrough->matches.items[i].prefix, text), expected[i].prefix);
		assert_int_equal(passthrough->matches.items[i].port, expected[i].port);
		assert_int_equal(passthrough->matches.items[i].protocols, EG_PROTO_TCP);
		assert_int_equal(passthrough->matches.items[i].origin.line, 6 + i);
	}
	policy_free(policy);
}

static void assert_match_refused(const char *match, const char *finding)
{
	char text[512], wanted[512];

	snprintf(text, sizeof(text), MATCHES "    - {%s}\n", match);
	snprintf(wanted, sizeof(wanted), "spec.default.appendMatch[0].%s", finding);
	assert_refused(text, wanted);
}

static void an_entry_that_is_wrong_is_refused_in_kumas_words(void **state)
{
	(void)state;
	assert_match_refused("type: test, value: a", "type: provided type test is not supported, one of Domain, IP, or "
						     "CIDR is supported");
	assert_match_refused("value: a", "type: must be defined");
	assert_match_refused("type: IP", "value: must be defined");
	assert_match_refused("type: IP, value: example.com", "value: provided IP has incorrect value");
	assert_match_refused("type: IP, value: 10.0.0.0/8", "value: provided IP has incorrect value");
	assert_match_refused("type: CIDR, value: 1.2.3.4", "value: provided CIDR has incorrect value");
	assert_match_refused("type: CIDR, value: 1.2.3.4/33", "value: provided CIDR has incorrect value");
	assert_match_refused("type: IP, value: 1.2.3.4, port: 0", "port: port must be a valid (1-65535)");
	assert_match_refused("type: IP, value: 1.2.3.4, port: 65536", "port: port must be a valid (1-65535)");
	assert_match_refused("type: IP, value: 1.2.3.4, protocol: 1",
			     "protocol: \"protocol\" must be one of [\"tcp\", \"tls\", \"grpc\", \"http\", \"http2\", "
			     "\"mysql\"]");
	assert_match_refused("type: IP, value: 1.2.3.4, protocol: mysql",
			     "port: port must be defined for Mysql protocol");
	assert_match_refused("type: IP, value: 1.2.3.4, prot: tcp", "prot: unknown field");
}

static void a_domain_has_a_name_and_a_protocol_that_carries_it(void **state)
{
	(void)state;
	assert_match_refused("type: Domain, value: 1.2.3.4, protocol: tls", "value: provided DNS has incorrect value");
	assert_match_refused("type: Domain, value: '*w.example.com', protocol: tls",
			     "value: provided DNS has incorrect value, partial wildcard is currently not supported");
	assert_match_refused("type: Domain, value: example.com, protocol: tcp",
			     "protocol: protocol tcp is not supported for a domain");
	assert_match_refused("type: Domain, value: example.com",
			     "protocol: protocol tcp is not supported for a domain");
	assert_match_refused("type: Domain, value: '*.example.com', protocol: http",
			     "port: wildcard domains doesn't work for all ports and layer 7 protocol");
	assert_accepted(MATCHES "    - {type: Domain, value: '*', protocol: tls}\n"
				"    - {type: Domain, value: '*.example.com', protocol: http, port: 80}\n"
				"    - {type: Domain, value: example.com, protocol: http}\n");
}

#define SAME_PORT \
	"using the same port in multiple matches requires the same protocol for the following protocols: [grpc http http2]"

static void entries_must_not_contradict_each_other(void **state)
{
	(void)state;
	assert_refused(MATCHES "    - {type: IP, value: 1.2.3.4, port: 80, protocol: http}\n"
			       "    - {type: IP, value: 1.2.3.5, port: 80, protocol: tls}\n"
			       "    - {type: IP, value: 1.2.3.6, port: 80, protocol: grpc}\n",
		       "p.yaml:8:40: error: spec.default.appendMatch[2].port: " SAME_PORT);
	assert_refused(MATCHES "    - {type: Domain, value: google.com, port: 80, protocol: http}\n"
			       "    - {type: Domain, value: google.org, port: 80, protocol: http}\n"
			       "    - {type: Domain, value: google.com, port: 80, protocol: http}\n",
		       "p.yaml:8:29: error: spec.default.appendMatch[2].value: value google.com is already defiend for "
		       "this port and protocol");
	assert_accepted(MATCHES "    - {type: IP, value: 1.2.3.4, port: 80, protocol: http}\n"
				"    - {type: IP, value: 1.2.3.4, port: 80, protocol: tls}\n"
				"    - {type: IP, value: 1.2.3.4, port: 81, protocol: grpc}\n"
				"    - {type: IP, value: 1.2.3.4}\n    - {type: IP, value: 1.2.3.4}\n");
}

static void a_mode_is_one_of_three_words(void **state)
{
	(void)state;
	assert_refused(POLICY "  default: {passthroughMode: none}\n",
		       "p.yaml:4:30: error: spec.default.passthroughMode: \"passthroughMode\" must be one of [\"All\", "
		       "\"Matched\", \"None\"]; did you mean \"None\"?");
}

static void misplaced_fields_are_shown_their_place(void **state)
{
	(void)state;
	assert_refused(POLICY "  passthroughMode: None\n",
		       "spec.passthroughMode: unknown field here; did you mean \"spec.default.passthroughMode\"?");
	assert_refused("type: MeshPassthrough\nname: p\ndefault: {passthroughMode: None}\n",
		       "default: unknown field here; did you mean \"spec.default\"?");
	assert_refused(POLICY "  targetRef: {kind: MeshService, name: a}\n",
		       "spec.targetRef.kind: value 'MeshService' is not supported");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_envelopes_say_the_same),
		cmocka_unit_test(without_a_target_it_is_for_the_mesh_and_without_a_mode_matched),
		cmocka_unit_test(every_protocol_of_a_match_means_tcp),
		cmocka_unit_test(an_entry_that_is_wrong_is_refused_in_kumas_words),
		cmocka_unit_test(a_domain_has_a_name_and_a_protocol_that_carries_it),
		cmocka_unit_test(entries_must_not_contradict_each_other),
		cmocka_unit_test(a_mode_is_one_of_three_words),
		cmocka_unit_test(misplaced_fields_are_shown_their_place),
	};

	return cmocka_run_group_tests_name("meshpassthrough", tests, NULL, NULL);
}
