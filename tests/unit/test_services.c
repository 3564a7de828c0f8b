/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../lib/support/policy.h"
#include "base/cleanup.h"
#include "policy/eval.h"
#include "policy/rules.h"

#define EXTERNAL "type: ExternalService\nmesh: default\nname: e\ntags: {kuma.io/service: pay}\n"
#define MESH_EXTERNAL "type: MeshExternalService\nmesh: default\nname: e\nspec:\n"
#define MATCH "  match: {type: HostnameGenerator, port: 443, protocol: tcp}\n"
#define MESH_SERVICE "type: MeshService\nmesh: default\nname: s\n"
#define WORKLOAD "---\ntype: Workload\nname: web\ncgroup: /web\n"

/* "ADDRESS:PORT line:column" for each endpoint of all services. */
static void assert_endpoints(const char *text, const char *expected)
{
	struct policy *policy = policy_read(text);
	char found[512] = "";

	assert_string_equal(policy->findings, "");
	for (size_t i = 0; i < policy->model->services.len; i++) {
		const struct eg_service *service = policy->model->services.items[i];

		for (size_t j = 0; j < service->endpoints.len; j++) {
			const struct eg_endpoint *endpoint = &service->endpoints.items[j];
			const size_t len = strlen(found);

			snprintf(found + len, sizeof(found) - len, "%s:%u %u:%u\n", endpoint->address, endpoint->port,
				 endpoint->origin.line, endpoint->origin.column);
		}
	}
	assert_string_equal(found, expected);
	policy_free(policy);
}

static void an_address_of_an_external_service_is_an_endpoint(void **state)
{
	(void)state;
	assert_endpoints(EXTERNAL "networking: {address: '192.0.2.7:443'}\n", "192.0.2.7:443 5:23\n");
	assert_endpoints(EXTERNAL "networking:\n  address: '[2001:db8::7]:5432'\n", "2001:db8::7:5432 6:12\n");
	assert_endpoints(
		"apiVersion: kuma.io/v1alpha1\nkind: ExternalService\nmesh: default\nmetadata: {name: e}\n"
		"spec: {tags: {kuma.io/service: pay}, networking: {address: 192.0.2.7:443, tls: {enabled: true}}}\n",
		"192.0.2.7:443 5:60\n");
}

static void a_host_name_is_accepted_and_warned_about_once(void **state)
{
	static const char warning[] =
		": \"api.example.com\" is a host name, which egressd does not resolve: traffic to it is non-mesh; "
		"write its address\n";
	char expected[256];

	(void)state;
	snprintf(expected, sizeof(expected), "p.yaml:5:23: warning: networking.address%s", warning);
	assert_findings(EXTERNAL "networking: {address: 'api.example.com:443'}\n", expected);
	snprintf(expected, sizeof(expected), "p.yaml:7:14: warning: spec.endpoints[0].address%s", warning);
	assert_findings(MESH_EXTERNAL MATCH "  endpoints:\n  - address: api.example.com\n    port: 443\n", expected);
}

static void an_external_service_follows_kumas_rules(void **state)
{
	static const struct {
		const char *fields;
		const char *refusal;
	} cases[] = {
		{"", "networking: should have networking"},
		{"networking: {}\n", "networking.address: address can't be empty"},
		{"networking: {address: ''}\n", "networking.address: address can't be empty"},
		{"networking: {address: 192.0.2.7}\n", "networking.address: unable to parse address"},
		{"networking: {address: 'fd00:1234::1:8080'}\n", "networking.address: unable to parse address"},
		{"networking: {address: '..>_<..:8080'}\n",
		 "networking.address: address has to be a valid IP address or a domain name"},
		{"networking: {address: 'a.example:http'}\n", "networking.address: unable to parse port in address"},
		{"networking: {address: 'a.example:0'}\n", "port must be in the range [1, 65535]"},
		{"networking: {address: 'a.example:65536'}\n", "port must be in the range [1, 65535]"},
		{"networking: {address: 'pay:80'}\n",
		 "tags[\"kuma.io/service\"]: cannot be the same as networking.address"},
		{"networking: {address: 'a.example:80', tls: {serverName: ''}}\n",
		 "networking.tls.serverName: cannot be empty"},
		{"networking: {address: 'a.example:80', tls: {caCert: {inline: ''}}}\n",
		 "networking.tls.caCert: data source cannot be empty"},
		{"networking: {address: 'a.example:80', tls: {clientKey: {}}}\n",
		 "networking.tls.clientKey: data source cannot be empty"},
		{"networking: {adress: 'a.example:80'}\n",
		 "networking.adress: unknown field; did you mean \"address\"?"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), EXTERNAL "%s", cases[i].fields);
		assert_refused(text, cases[i].refusal);
	}
	assert_refused("type: ExternalService\nname: e\nnetworking: {address: '192.0.2.7:80'}\n",
		       "tags: mandatory tag \"kuma.io/service\" is missing");
	assert_refused("type: ExternalService\nname: e\nnetworking: {address: '192.0.2.7:80'}\ntags: {version: v1}\n",
		       "tags: mandatory tag \"kuma.io/service\" is missing");
	assert_refused("type: ExternalService\nname: e\nnetworking: {address: '192.0.2.7:80'}\n"
		       "tags: {kuma.io/service: pay, kuma.io/protocol: udp}\n",
		       "tags[\"kuma.io/protocol\"]: tag \"kuma.io/protocol\" has an invalid value \"udp\". "
		       "Allowed values: grpc, http, http2, kafka, tcp");
}

static void one_mistake_in_an_external_service_is_one_finding(void **state)
{
	(void)state;
	assert_findings(EXTERNAL "networking: {address: 'fd00:1234::1:8080'}\n",
			"p.yaml:5:23: error: networking.address: unable to parse address: write host:port, or "
			"[address]:port for IPv6, not \"fd00:1234::1:8080\"\n");
	assert_findings("type: ExternalService\nname: e\nnetworking: {address: '192.0.2.7:80'}\n"
			"tags: {kuma.io/service: pay, kuma.io/protocol: }\n",
			"p.yaml:4:48: error: tags[\"kuma.io/protocol\"]: tag value must be non-empty\n");
}

static void endpoints_and_the_given_address_of_a_mesh_external_service_are_endpoints(void **state)
{
	(void)state;
	assert_endpoints(MESH_EXTERNAL MATCH "  endpoints:\n  - {address: 192.0.2.7, port: 8443}\n"
					     "  - {address: \"2001:db8::7\", port: \"8443\", priority: 1}\n"
					     "status:\n  vip: {ip: 242.0.0.1}\n"
					     "  addresses: [{hostname: e.extsvc.mesh.local}]\n",
			 "192.0.2.7:8443 7:15\n2001:db8::7:8443 8:15\n242.0.0.1:443 10:13\n");
	assert_endpoints("apiVersion: kuma.io/v1alpha1\nkind: MeshExternalService\n"
			 "metadata: {name: e, namespace: kuma-system, labels: {kuma.io/mesh: default}}\n"
			 "spec: {match: {port: 80}, endpoints: [{address: 192.0.2.7, port: 80}]}\n"
			 "status: {vip: {ip: 242.0.0.1}}\n",
			 "192.0.2.7:80 4:49\n242.0.0.1:80 5:20\n");
}

static void a_unix_path_is_a_warning(void **state)
{
	(void)state;
	assert_findings(MESH_EXTERNAL MATCH "  endpoints: [{address: 'unix:///run/pay.sock'}]\n",
			"p.yaml:6:25: warning: spec.endpoints[0].address: \"unix:///run/pay.sock\" is a socket in the "
			"file system, which egressd neither allows nor refuses\n");
}

static void what_an_extension_means_is_not_guessed(void **state)
{
	(void)state;
	assert_findings(MESH_EXTERNAL MATCH "  extension: {type: Lambda, config: {x: 1}}\n"
					    "  endpoints: [{address: 192.0.2.7}]\n",
			"p.yaml:7:14: warning: spec.endpoints: not read beside `extension`, which says what they mean: "
			"traffic to them is non-mesh\n");
	assert_refused(MESH_EXTERNAL MATCH "  extension: {}\n", "spec.extension.type: must not be empty");
}

static void a_mesh_external_service_follows_kumas_rules(void **state)
{
	static const struct {
		const char *spec;
		const char *refusal;
	} cases[] = {
		{"  endpoints: []\n", "spec.match: must be defined"},
		{"  match: {type: Other, port: 1}\n",
		 "spec.match.type: unrecognized type 'Other' - only 'HostnameGenerator' is supported"},
		{"  match: {}\n", "spec.match.port: port must be a valid (1-65535)"},
		{"  match: {port: 0}\n", "spec.match.port: port must be a valid (1-65535)"},
		{"  match: {port: 1, protocol: udp}\n",
		 "spec.match.protocol: \"protocol\" must be one of [\"tcp\", \"grpc\", \"http\", \"http2\"]"},
		{MATCH "  endpoints: [{address: 192.0.2.7}]\n",
		 "spec.endpoints[0].port: must be defined when endpoint is an IP"},
		{MATCH "  endpoints: [{address: a.example}]\n",
		 "spec.endpoints[0].port: must be defined when endpoint is a hostname"},
		{MATCH "  endpoints: [{address: 'unix:///a', port: 1}]\n",
		 "spec.endpoints[0].port: must not be defined when endpoint is a unix path"},
		{MATCH "  endpoints: [{address: 192.0.2.7, port: 999999}]\n",
		 "spec.endpoints[0].port: port must be a valid (1-65535)"},
		{MATCH "  endpoints: [{port: 1}]\n",
		 "spec.endpoints[0].address: address has to be a valid IP or hostname or a unix path"},
		{MATCH "  endpoints: [{address: 10.0.0.0/8, port: 1}]\n",
		 "spec.endpoints[0].address: address has to be a valid IP or hostname or a unix path"},
		{MATCH "  tls: {version: {min: TLS15}}\n", "spec.tls.version.min: \"min\" must be one of [\"TLSAuto\", "
							   "\"TLS10\", \"TLS11\", \"TLS12\", \"TLS13\"]"},
		{MATCH "  tls: {version: {min: TLS13, max: TLS12}}\n",
		 "spec.tls.version.min: min version must be lower than max"},
		{MATCH "  tls: {verification: {serverName: 'not[]valid'}}\n",
		 "spec.tls.verification.serverName: must be a valid DNS name"},
		{MATCH "  tls: {verification: {mode: None}}\n",
		 "mode: \"mode\" must be one of [\"SkipSAN\", \"SkipCA\", \"SkipAll\", \"Secured\"]"},
		{MATCH "  tls: {verification: {subjectAltNames: [{type: Regex, value: a}]}}\n",
		 "subjectAltNames[0].type: \"type\" must be one of [\"Prefix\", \"Exact\"]"},
		{MATCH "  tls: {verification: {clientCert: {secret: a}}}\n",
		 "spec.tls.verification.clientKey: must be defined when clientCert is defined"},
		{MATCH "  tls: {verification: {clientKey: {secret: a}}}\n",
		 "spec.tls.verification.clientCert: must be defined when clientKey is defined"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), MESH_EXTERNAL "%s", cases[i].spec);
		assert_refused(text, cases[i].refusal);
	}
	assert_accepted(MESH_EXTERNAL MATCH "  tls: {version: {min: TLS12, max: TLS13}, verification: {clientCert: "
					    "{secret: a}, clientKey: {secret: a}}}\n");
}

static void names_of_services_fit_into_dns(void **state)
{
	static const char name[] = "a23456789-a23456789-a23456789-a23456789-a23456789-a23456789-a234";
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "type: MeshExternalService\nname: %s\nspec: {match: {port: 1}}\n", name);
	assert_refused(text, "p.yaml:1:1: error: name: must not be longer than 63 characters");
	snprintf(text, sizeof(text), "type: MeshService\nname: %s\nspec: {}\n", name);
	assert_refused(text, "name: must not be longer than 63 characters");
	/* What the namespace adds does not count. */
	snprintf(text, sizeof(text),
		 "apiVersion: kuma.io/v1alpha1\nkind: MeshService\nmetadata: {name: %s, namespace: shop}\nspec: {}\n",
		 name + 1);
	assert_accepted(text);
}

static void addresses_of_a_mesh_service_meet_its_ports(void **state)
{
	(void)state;
	assert_endpoints(MESH_SERVICE "spec:\n  selector: {dataplaneTags: {app: x}}\n"
				      "  ports:\n  - {port: 80, targetPort: http, appProtocol: http}\n  - {port: 81}\n"
				      "status:\n  vips: [{ip: 10.96.0.7}, {ip: 'fd00::7'}]\n",
			 "10.96.0.7:80 10:15\n10.96.0.7:81 10:15\nfd00::7:80 10:32\nfd00::7:81 10:32\n");
	assert_endpoints(MESH_SERVICE "spec: {ports: [{port: 80}]}\n", "");
}

static void a_mesh_service_follows_kumas_rules(void **state)
{
	(void)state;
	assert_refused(MESH_SERVICE "spec: {selector: {dataplaneTags: {a: b}, dataplaneRef: {name: d}}}\n",
		       "spec.selector: must specify only one of: dataplaneTags, dataplaneRef, or dataplaneLabels");
	assert_refused(MESH_SERVICE "spec: {ports: [{port: 0}]}\n",
		       "spec.ports[0].port: port must be a valid (1-65535)");
	assert_refused(MESH_SERVICE "spec: {state: Gone}\n",
		       "spec.state: \"state\" must be one of [\"Available\", \"Unavailable\"]");
}

static void fields_beside_the_spec_are_refused_with_the_way_into_it(void **state)
{
	(void)state;
	assert_refused(MESH_EXTERNAL MATCH "endpoints: []\n",
		       "p.yaml:6:1: error: endpoints: unknown field here; did you mean \"spec.endpoints\"?");
	assert_refused("type: MeshExternalService\nname: e\n", "p.yaml:1:1: error: spec.match: must be defined");
}

static void services_name_meshes_and_have_names_of_their_own(void **state)
{
	(void)state;
	assert_refused("type: Mesh\nname: default\n---\n" EXTERNAL "networking: {address: '192.0.2.7:80'}\n---\n"
		       "type: MeshService\nname: s\nmesh: defualt\nspec: {}\n",
		       "p.yaml:12:7: error: mesh: mesh \"defualt\" is not defined; did you mean \"default\"?");
	assert_refused(MESH_SERVICE "spec: {}\n---\n" MESH_SERVICE "spec: {}\n",
		       "p.yaml:6:1: error: MeshService \"s\" is already defined in p.yaml:1:1");
	assert_findings("type: Mesh\nname: default\n---\n" MESH_SERVICE "spec: {}\n---\ntype: MeshExternalService\n"
			"name: s\nspec: {match: {port: 1}}\n",
			"");
}

static struct eg_flow flow_to(const char *address, uint16_t port, uint16_t protocol)
{
	struct eg_flow flow = {.port = port, .protocol = protocol};

	assert_int_equal(eg_addr_parse(address, &flow.family, &flow.addr), 0);
	return flow;
}

static void their_addresses_are_mesh_by_tcp_and_say_where_they_were_written(void **state)
{
	struct policy *policy = policy_read("type: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n"
					    "---\n" EXTERNAL "networking: {address: '192.0.2.7:443'}\n" WORKLOAD);
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	const struct eg_rule *rule;
	struct eg_flow flow;

	(void)state;
	assert_string_equal(policy->findings, "");
	assert_int_equal(eg_rules_resolve(policy->model, NULL, 0, &rules), 0);
	flow = flow_to("192.0.2.7", 443, 6);
	assert_int_equal(eg_eval(rules->subjects.items[0], &flow, &rule).reason, EG_REASON_MESH);
	assert_int_equal(rule->origin.line, 9);
	assert_int_equal(rule->origin.column, 23);
	flow = flow_to("192.0.2.7", 80, 6);
	assert_int_equal(eg_eval(rules->subjects.items[0], &flow, NULL).reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	flow = flow_to("192.0.2.7", 443, 17);
	assert_int_equal(eg_eval(rules->subjects.items[0], &flow, NULL).reason, EG_REASON_BLOCKED_PASSTHROUGH_OFF);
	eg_ruleset_free(TAKE_PTR(rules));
	policy_free(policy);
}

static void services_of_another_mesh_and_host_names_are_non_mesh(void **state)
{
	struct policy *policy = policy_read(
		"type: Mesh\nname: default\n---\ntype: Mesh\nname: other\n---\n"
		"type: MeshExternalService\nname: e\nmesh: other\nspec:\n  match: {port: 443}\n"
		"  endpoints: [{address: 192.0.2.7, port: 443}, {address: a.example, port: 443}]\n" WORKLOAD);
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;
	struct eg_flow flow = flow_to("192.0.2.7", 443, 6);

	(void)state;
	assert_false(eg_diag_has_errors(&policy->diag));
	assert_int_equal(eg_rules_resolve(policy->model, NULL, 0, &rules), 0);
	assert_int_equal(eg_eval(rules->subjects.items[0], &flow, NULL).reason, EG_REASON_PASSTHROUGH);
	assert_int_equal(rules->scopes.items[1]->rules.len, 1);
	eg_ruleset_free(TAKE_PTR(rules));
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_of_an_external_service_is_an_endpoint),
		cmocka_unit_test(a_host_name_is_accepted_and_warned_about_once),
		cmocka_unit_test(an_external_service_follows_kumas_rules),
		cmocka_unit_test(one_mistake_in_an_external_service_is_one_finding),
		cmocka_unit_test(endpoints_and_the_given_address_of_a_mesh_external_service_are_endpoints),
		cmocka_unit_test(a_unix_path_is_a_warning),
		cmocka_unit_test(what_an_extension_means_is_not_guessed),
		cmocka_unit_test(a_mesh_external_service_follows_kumas_rules),
		cmocka_unit_test(names_of_services_fit_into_dns),
		cmocka_unit_test(addresses_of_a_mesh_service_meet_its_ports),
		cmocka_unit_test(a_mesh_service_follows_kumas_rules),
		cmocka_unit_test(fields_beside_the_spec_are_refused_with_the_way_into_it),
		cmocka_unit_test(services_name_meshes_and_have_names_of_their_own),
		cmocka_unit_test(their_addresses_are_mesh_by_tcp_and_say_where_they_were_written),
		cmocka_unit_test(services_of_another_mesh_and_host_names_are_non_mesh),
	};

	return cmocka_run_group_tests_name("services", tests, NULL, NULL);
}
