/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The kinds that are checked and change nothing: they are for traffic between services. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../lib/support/policy.h"
#include "base/cleanup.h"

#define NOTE(kind) \
	"p.yaml:1:7: note: changes nothing here: in Kuma a " kind " never reaches traffic that leaves the mesh; " \
	"a MeshProxyPatch or ProxyTemplate of the passthrough clusters does\n"
#define SELECTORS "sources: [{match: {kuma.io/service: '*'}}]\ndestinations: [{match: {kuma.io/service: '*'}}]\n"
#define BREAKER "type: CircuitBreaker\nmesh: default\nname: b\n"
#define TIMEOUT "type: Timeout\nmesh: default\nname: t\n"
#define MESH_BREAKER "type: MeshCircuitBreaker\nmesh: default\nname: b\nspec:\n"
#define MESH_TIMEOUT "type: MeshTimeout\nmesh: default\nname: t\nspec:\n"
#define TO(text) "  to: [{targetRef: {kind: Mesh}, default: {" text "}}]\n"

struct refusal {
	const char *fields;
	const char *finding;
};

static void assert_all_refused(const char *head, const struct refusal *refusals, size_t count)
{
	char text[1024];

	for (size_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%s%s", head, refusals[i].fields);
		assert_refused(text, refusals[i].finding);
	}
}

static void each_is_accepted_with_one_note_and_changes_nothing(void **state)
{
	(void)state;
	assert_findings(MESH_BREAKER TO("connectionLimits: {maxConnections: 1}"), NOTE("MeshCircuitBreaker"));
	assert_findings(MESH_TIMEOUT TO("connectionTimeout: 1s") "  from: []\n", NOTE("MeshTimeout"));
	assert_findings(BREAKER SELECTORS "conf: {thresholds: {maxConnections: 1}}\n", NOTE("CircuitBreaker"));
	assert_findings(TIMEOUT SELECTORS "conf: {connectTimeout: 1s}\n", NOTE("Timeout"));
	/* Nobody writes these into a mesh that must be defined: they change nothing. */
	assert_findings(MESH_TIMEOUT TO("connectionTimeout: 1s") "---\ntype: Mesh\nname: other\n", NOTE("MeshTimeout"));
}

static void the_kubernetes_form_is_read_too(void **state)
{
	(void)state;
	assert_findings("apiVersion: kuma.io/v1alpha1\nkind: MeshTimeout\n"
			"metadata: {name: t, namespace: kuma-system, labels: {kuma.io/mesh: default}}\n"
			"spec:\n" TO("idleTimeout: -1s"),
			"p.yaml:2:7: note: changes nothing here: in Kuma a MeshTimeout never reaches traffic that "
			"leaves the mesh; a MeshProxyPatch or ProxyTemplate of the passthrough clusters does\n"
			"p.yaml:5:57: error: spec.to[0].default.idleTimeout: must not be negative when defined\n");
	assert_refused("apiVersion: kuma.io/v1alpha1\nkind: Timeout\nmetadata: {name: t}\nspec:\n  conf: {tcp: {}}\n",
		       "spec.conf.tcp: at least one timeout in section has to be defined");
}

static void names_that_are_there_twice_are_refused(void **state)
{
	(void)state;
	assert_refused(MESH_TIMEOUT TO("idleTimeout: 1s") "---\n" MESH_TIMEOUT TO("idleTimeout: 2s"),
		       "p.yaml:7:1: error: MeshTimeout \"t\" is already defined in p.yaml:1:1");
}

static void a_mesh_circuit_breaker_follows_kumas_rules(void **state)
{
	static const struct refusal refusals[] = {
		{"  targetRef: {kind: Mesh}\n", "spec: at least one of 'from', 'to' or 'rules' has to be defined"},
		{TO("") "  rules: [{default: {connectionLimits: {}}}]\n",
		 "spec: fields 'to' and 'from' must be empty when 'rules' is defined"},
		{TO(""), "spec.to[0].default: at least one of: 'connectionLimits' or 'outlierDetection' should be "
			 "configured"},
		{"  to: [{targetRef: {kind: Mesh}}]\n", "spec.to[0].default: at least one of: 'connectionLimits'"},
		{"  to: [{default: {connectionLimits: {}}}]\n", "spec.to[0].targetRef: must be defined"},
		{"  to: [{targetRef: {kind: MeshServiceSubset}, default: {connectionLimits: {}}}]\n",
		 "spec.to[0].targetRef.kind: value 'MeshServiceSubset' is not supported"},
		{"  from: [{targetRef: {kind: MeshService, name: a}, default: {connectionLimits: {}}}]\n",
		 "spec.from[0].targetRef.kind: value 'MeshService' is not supported"},
		{TO("connectionLimits: {maxConnections: 0}"),
		 "spec.to[0].default.connectionLimits.maxConnections: must be greater than 0"},
		{TO("connectionLimits: {maxRetries: -1}"),
		 "connectionLimits.maxRetries: must be a whole number in the range [0, 4294967295], not -1"},
		{TO("outlierDetection: {}"), "spec.to[0].default.outlierDetection.detectors: must be defined"},
		{TO("outlierDetection: {detectors: {}}"),
		 "outlierDetection.detectors: must have at least one defined: totalFailures, gatewayFailures, "
		 "localOriginFailures, successRate, failurePercentage"},
		{TO("outlierDetection: {interval: 0s, detectors: {totalFailures: {}}}"),
		 "outlierDetection.interval: must be greater than zero when defined"},
		{TO("outlierDetection: {maxEjectionPercent: 101, detectors: {totalFailures: {}}}"),
		 "outlierDetection.maxEjectionPercent: must be in inclusive range [0, 100]"},
		{TO("outlierDetection: {healthyPanicThreshold: '100.5', detectors: {totalFailures: {}}}"),
		 "outlierDetection.healthyPanicThreshold: must be in inclusive range [0.0, 100.0]"},
		{TO("outlierDetection: {healthyPanicThreshold: half, detectors: {totalFailures: {}}}"),
		 "outlierDetection.healthyPanicThreshold: string must be a valid number"},
		{TO("outlierDetection: {detectors: {gatewayFailures: {consecutive: 0}}}"),
		 "detectors.gatewayFailures.consecutive: must be greater than 0"},
		{TO("outlierDetection: {detectors: {successRate: {standardDeviationFactor: xyz}}}"),
		 "detectors.successRate.standardDeviationFactor: invalid number"},
		{TO("outlierDetection: {detectors: {successRate: {standardDeviationFactor: 0}}}"),
		 "detectors.successRate.standardDeviationFactor: must be greater than 0"},
		{TO("outlierDetection: {detectors: {failurePercentage: {threshold: 101}}}"),
		 "detectors.failurePercentage.threshold: must be in inclusive range [0, 100]"},
		{TO("connectionLimits: {maxConnection: 1}"),
		 "connectionLimits.maxConnection: unknown field; did you mean \"maxConnections\"?"},
		{TO("maxConnections: 1"),
		 "unknown field here; did you mean \"spec.to[].default.connectionLimits.maxConnections\"?"},
	};

	(void)state;
	assert_all_refused(MESH_BREAKER, refusals, EG_COUNT_OF(refusals));
	assert_accepted(MESH_BREAKER TO("connectionLimits: {}, outlierDetection: {healthyPanicThreshold: 0, detectors: "
					"{successRate: {standardDeviationFactor: '1.9'}}}"));
}

static void a_mesh_timeout_follows_kumas_rules(void **state)
{
	static const struct refusal refusals[] = {
		{"  targetRef: {kind: Mesh}\n", "spec: at least one of 'from', 'to' or 'rules' has to be defined"},
		{"  rules: [{default: {idleTimeout: 1s}}]\n  from: [{targetRef: {kind: Mesh}, default: {idleTimeout: "
		 "1s}}]\n",
		 "spec: fields 'to' and 'from' must be empty when 'rules' is defined"},
		{"  rules: [{default: {}}]\n", "spec.rules[0].default: at least one timeout should be configured"},
		{"  rules: [{}]\n", "spec.rules[0].default: at least one timeout should be configured"},
		{TO("http: {}"), "spec.to[0].default.http: at least one timeout in this section should be configured"},
		{TO("connectionTimeout: 0s"),
		 "spec.to[0].default.connectionTimeout: must be greater than zero when defined"},
		{TO("connectionTimeout: 10"), "spec.to[0].default.connectionTimeout: must be a duration with its unit"},
		{TO("http: {requestTimeout: -10s}"),
		 "spec.to[0].default.http.requestTimeout: must not be negative when defined"},
		{"  targetRef: {kind: Dataplane, sectionName: a}\n" TO("idleTimeout: 1s"),
		 "spec.targetRef.sectionName: can only be used with inbound policies"},
		{"  targetRef: {kind: MeshGateway, name: g}\n  from: [{targetRef: {kind: Mesh}, default: "
		 "{idleTimeout: 1s}}]\n",
		 "spec.from: must not be defined"},
		{"  targetRef: {kind: MeshHTTPRoute, name: r}\n" TO("idleTimeout: 1s"),
		 "spec.to[0].default.idleTimeout: can't be specified when top-level TargetRef is referencing "
		 "MeshHTTPRoute"},
		{"  targetRef: {kind: MeshHTTPRoute, name: r}\n" TO(
			 "http: {requestTimeout: 1s, maxStreamDuration: 1s}"),
		 "spec.to[0].default.http.maxStreamDuration: can't be specified when top-level TargetRef"},
		{"  targetRef: {kind: MeshHTTPRoute, name: r}\n  to: [{targetRef: {kind: MeshService, name: s}, "
		 "default: {http: {requestTimeout: 1s}}}]\n",
		 "spec.to[0].targetRef.kind: value 'MeshService' is not supported"},
		{"  rules: [{matches: [{}], default: {http: {requestTimeout: 1s}}}]\n",
		 "spec.rules[0].matches[0]: must specify at least one of 'spiffeID' or 'sni'"},
		{"  rules: [{matches: [{spiffeID: {value: a}}], default: {http: {requestTimeout: 1s}}}]\n",
		 "spec.rules[0].matches[0].spiffeID.type: must be set"},
		{"  rules: [{matches: [{spiffeID: {type: Regex, value: a}}], default: {http: {requestTimeout: 1s}}}]\n",
		 "spiffeID.type: unrecognized type \"Regex\", supported values are: Exact, Prefix"},
		{"  rules: [{matches: [{sni: {type: Prefix, value: a}}], default: {http: {requestTimeout: 1s}}}]\n",
		 "sni.type: unrecognized type \"Prefix\", supported values are: Exact"},
		{"  rules: [{matches: [{spiffeID: {type: Exact, value: a}}], default: {idleTimeout: 1s}}]\n",
		 "spec.rules[0].default.idleTimeout: can't be specified when matches contain spiffeID because this "
		 "field cannot be conditioned on source identity"},
		{TO("connectTimeout: 1s"),
		 "spec.to[0].default.connectTimeout: unknown field; did you mean \"connectionTimeout\"?"},
	};

	(void)state;
	assert_all_refused(MESH_TIMEOUT, refusals, EG_COUNT_OF(refusals));
	/* Of two rules only the one that asks for an identity is bound by it. */
	assert_accepted(
		MESH_TIMEOUT
		"  targetRef: {kind: Dataplane, sectionName: a}\n"
		"  rules:\n"
		"  - matches: [{spiffeID: {type: Prefix, value: a}}]\n    default: {http: {requestTimeout: 0s}}\n"
		"  - matches: [{sni: {type: Exact, value: a}}]\n    default: {idleTimeout: 0s}\n");
	assert_accepted(MESH_TIMEOUT "  targetRef: {kind: MeshHTTPRoute, name: r}\n" TO("http: {requestTimeout: 1s}"));
}

static void a_circuit_breaker_follows_kumas_rules(void **state)
{
	static const struct refusal refusals[] = {
		{"conf: {thresholds: {maxRetries: 1}}\n", "sources: must have at least one element"},
		{"sources: []\ndestinations: [{match: {kuma.io/service: a}}]\nconf: {thresholds: {maxRetries: 1}}\n",
		 "sources: must have at least one element"},
		{"sources: [{match: {region: us}}]\n",
		 "sources[0].match: mandatory tag \"kuma.io/service\" is missing"},
		{"destinations: [{match: {region: us}}]\n",
		 "destinations[0].match: must consist of exactly one tag \"kuma.io/service\""},
		{"destinations: [{match: {kuma.io/service: a, region: us}}]\n",
		 "destinations[0].match: must consist of exactly one tag \"kuma.io/service\""},
		{SELECTORS, "conf: must have at least one of the detector or threshold configured"},
		{SELECTORS "conf: {detectors: {}, thresholds: {}}\n",
		 "conf: must have at least one of the detector or threshold configured"},
		{SELECTORS "conf: {detectors: {totalErrors: {}}, thresholds: {}}\n", "conf.thresholds: can't be empty"},
		{SELECTORS "conf: {detectors: {}, thresholds: {maxRetries: 1}}\n", "conf.detectors: can't be empty"},
		{SELECTORS "conf: {maxEjectionPercent: 101, thresholds: {maxRetries: 1}}\n",
		 "conf.maxEjectionPercent: has to be in [0.0 - 100.0] range"},
		{SELECTORS "conf: {detectors: {failure: {threshold: 101}}}\n",
		 "conf.detectors.failure.threshold: has to be in [0.0 - 100.0] range"},
		{SELECTORS "conf: {maxConnections: 1}\n", "did you mean \"conf.thresholds.maxConnections\"?"},
	};

	(void)state;
	assert_all_refused(BREAKER, refusals, EG_COUNT_OF(refusals));
	assert_accepted(BREAKER SELECTORS "conf: {thresholds: {max_connections: '1'}}\n");
}

static void a_timeout_follows_kumas_rules(void **state)
{
	static const struct refusal refusals[] = {
		{SELECTORS, "conf: has to be defined"},
		{SELECTORS "conf: {http: {}}\n", "conf.http: at least one timeout in section has to be defined"},
		{SELECTORS "conf: {http: {maxStreamDuration: 1s}}\n",
		 "conf.http: at least one timeout in section has to be defined"},
		{SELECTORS "conf: {grpc: {}}\n", "conf.grpc: at least one timeout in section has to be defined"},
		{SELECTORS "conf: {tcp: {idleTimeout: 0s}}\n", "conf.tcp.idleTimeout: has to be greater than 0"},
		{SELECTORS "conf: {grpc: {streamIdleTimeout: 0s}}\n",
		 "conf.grpc.streamIdleTimeout: has to be greater than 0 when defined"},
		{SELECTORS "conf: {connectTimeout: 5}\n", "conf.connectTimeout: must be a duration with its unit"},
	};

	(void)state;
	assert_all_refused(TIMEOUT, refusals, EG_COUNT_OF(refusals));
	assert_accepted(TIMEOUT SELECTORS "conf: {connect_timeout: 5s, http: {idle_timeout: 1h}}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_accepted_with_one_note_and_changes_nothing),
		cmocka_unit_test(the_kubernetes_form_is_read_too),
		cmocka_unit_test(names_that_are_there_twice_are_refused),
		cmocka_unit_test(a_mesh_circuit_breaker_follows_kumas_rules),
		cmocka_unit_test(a_mesh_timeout_follows_kumas_rules),
		cmocka_unit_test(a_circuit_breaker_follows_kumas_rules),
		cmocka_unit_test(a_timeout_follows_kumas_rules),
	};

	return cmocka_run_group_tests_name("inert", tests, NULL, NULL);
}
