/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/envoy.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "policy/cluster.h"

#define TYPE_URL "type.googleapis.com/"
#define TCP_PROXY_TYPE TYPE_URL "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
#define CLUSTER_TYPE TYPE_URL "envoy.config.cluster.v3.Cluster"
#define NS_PER_MS 1000000

/* --- fields --- */

/* Every target of these types begins with this. */
static bool is_ours(const void *target)
{
	return ((const struct eg_envoy_value *)target)->is_ours;
}

static int read_inert(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	(void)field;
	if (is_ours(target))
		eg_reader_say(reader, EG_SEVERITY_NOTE, node, "has no effect: there is no proxy that could do it");
	return 0;
}
static const struct eg_type inert_type = {"anything", read_inert};

/* Known to Envoy, and without a meaning here. */
#define INERT(field) \
	{ \
		.name = (field), .type = &inert_type, .doc = "Has no effect." \
	}

static int read_no_limit(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	(void)field;
	if (is_ours(target))
		eg_reader_say(reader, EG_SEVERITY_WARNING, node, "limits nothing: %s", field->fallback);
	return 0;
}
/* A threshold that cannot act; the field's fallback says why. */
static const struct eg_type no_limit_type = {"anything", read_no_limit};

static int read_timeout(struct eg_reader *reader, const struct eg_yaml_node *node, enum eg_setting setting,
			struct eg_envoy_value *value)
{
	const char *doubt;
	uint64_t ms;
	int64_t ns;

	if (!eg_read_duration(reader, node, &ns))
		return 0;
	if (setting == EG_SETTING_MAX_DURATION && ns < NS_PER_MS) {
		eg_reader_error(reader, node, "must be at least 1ms; leave it out for connections of any age");
		return 0;
	}
	if (eg_setting_from_ns(setting, ns, &ms) < 0) {
		eg_reader_error(reader, node, "must %s", ns < 0 ? "not be negative" : "be greater than 0s");
		return 0;
	}
	doubt = value->is_ours ? eg_setting_doubt(setting, ns) : NULL;
	if (doubt)
		eg_reader_say(reader, EG_SEVERITY_WARNING, node, "%s", doubt);
	value->settings.numbers[setting] = (struct eg_optional_number){true, ms, eg_reader_origin(reader, node)};
	return 0;
}

static int read_connect_timeout(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
				void *target)
{
	(void)field;
	return read_timeout(reader, node, EG_SETTING_CONNECT_TIMEOUT, target);
}
static const struct eg_type connect_timeout_type = {"duration above 0s", read_connect_timeout};

static int read_idle_timeout(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	(void)field;
	return read_timeout(reader, node, EG_SETTING_IDLE_TIMEOUT, target);
}
static const struct eg_type idle_timeout_type = {"duration from 0s", read_idle_timeout};

static int read_max_duration(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	(void)field;
	return read_timeout(reader, node, EG_SETTING_MAX_DURATION, target);
}
static const struct eg_type max_duration_type = {"duration from 1ms", read_max_duration};

/* --- circuit breakers --- */

struct threshold {
	struct eg_envoy_value value;
	bool is_high; /* of priority HIGH, and not DEFAULT */
};

/* An enum of protobuf: its name, or its number. */
static int read_priority(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	const char *text = node->kind == EG_YAML_SCALAR ? node->text : eg_yaml_describe(node);

	(void)field;
	if (strcmp(text, "HIGH") == 0 || strcmp(text, "1") == 0)
		((struct threshold *)target)->is_high = true;
	else if (strcmp(text, "DEFAULT") != 0 && strcmp(text, "0") != 0)
		eg_reader_error(reader, node, "unknown value \"%.64s\"; it is DEFAULT or HIGH", text);
	return 0;
}
static const struct eg_type priority_type = {"DEFAULT or HIGH", read_priority};

#define LIMIT(field, setting, default, text) \
	{ \
		.name = (field), .type = &eg_type_u32, .fallback = EG_QUOTE(default), \
		.offset = offsetof(struct threshold, value.settings.numbers[setting]), .doc = (text) \
	}

static const struct eg_field threshold_fields[] = {
	{.name = "priority", .type = &priority_type, .fallback = "DEFAULT", .doc = "HIGH never acts."},
	LIMIT("maxConnections", EG_SETTING_MAX_CONNECTIONS, EG_DEFAULT_MAX_CONNECTIONS,
	      "Open connections, those being established included."),
	LIMIT("maxPendingRequests", EG_SETTING_MAX_PENDING, EG_DEFAULT_MAX_PENDING,
	      "Connections that are being established."),
	LIMIT("maxRequests", EG_SETTING_MAX_REQUESTS, EG_DEFAULT_MAX_REQUESTS,
	      "Connections that are pending or established. Refuses nothing unless it is written."),
	LIMIT("maxRetries", EG_SETTING_MAX_RETRIES, EG_DEFAULT_MAX_RETRIES,
	      "Connects to destinations that have just failed. Refuses nothing unless it is written."),
	{.name = "retryBudget",
	 .type = &no_limit_type,
	 .fallback = "retries are limited by max_retries alone",
	 .doc = "Has no effect."},
	{.name = "maxConnectionPools",
	 .type = &no_limit_type,
	 .fallback = "there are no pools, and Envoy has no limit for those of TCP",
	 .doc = "Has no effect."},
	{.name = "trackRemaining", .doc = "What remains is shown whatever it says."},
};
static const struct eg_schema threshold_schema = {EG_SCHEMA_FIELDS(threshold_fields)};

/* Merged by priority, field by field. Envoy takes the first threshold of a priority and no other. */
static void merge_threshold(struct eg_reader *reader, const struct eg_yaml_node *node,
			    const struct threshold *threshold, struct eg_envoy_value *cluster)
{
	bool is_second = false;

	for (enum eg_setting setting = 0; setting < EG_SETTING_COUNT; setting++) {
		if (!threshold->value.settings.numbers[setting].is_set)
			continue;
		is_second |= cluster->settings.numbers[setting].is_set;
		cluster->settings.numbers[setting] = threshold->value.settings.numbers[setting];
	}
	if (is_second && cluster->is_ours)
		eg_reader_say(
			reader, EG_SEVERITY_WARNING, node,
			"a second threshold of priority DEFAULT: it replaces what the first one has too, and Envoy "
			"would take the first alone");
}

static int read_threshold(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_envoy_value *cluster = target;
	struct threshold threshold = {.value.is_ours = cluster->is_ours};
	int r;

	r = eg_read_object(reader, node, &threshold_schema, &threshold);
	if (r < 0)
		return r;
	if (!threshold.is_high)
		merge_threshold(reader, node, &threshold, cluster);
	else if (cluster->is_ours)
		eg_reader_say(reader, EG_SEVERITY_WARNING, node,
			      "limits nothing: connections have priority DEFAULT, never HIGH");
	return 0;
}

static int read_thresholds(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	(void)field;
	return eg_read_list(reader, node, read_threshold, target);
}
static const struct eg_type thresholds_type = {"list of thresholds", read_thresholds};

static const struct eg_field breaker_fields[] = {
	{.name = "thresholds",
	 .type = &thresholds_type,
	 .fields = &threshold_schema,
	 .doc = "Merged by priority, field by field."},
	{.name = "perHostThresholds",
	 .type = &no_limit_type,
	 .fallback = "limits are of the workload, not of each destination",
	 .doc = "Has no effect."},
};
static const struct eg_schema breaker_schema = {EG_SCHEMA_FIELDS(breaker_fields)};

/* --- cluster --- */

static const struct eg_field cluster_fields[] = {
	{.name = "name",
	 .type = &eg_type_string,
	 .offset = offsetof(struct eg_envoy_value, name),
	 .doc = "Which cluster is added; not read in a patch."},
	{.name = "connectTimeout",
	 .type = &connect_timeout_type,
	 .fallback = "10s",
	 .doc = "How long a connect may take."},
	{.name = "circuitBreakers", .type = &eg_type_object, .fields = &breaker_schema, .doc = "See its fields."},
	INERT("transportSocketMatches"),
	INERT("transportSocketMatcher"),
	INERT("altStatName"),
	INERT("type"),
	INERT("clusterType"),
	INERT("edsClusterConfig"),
	INERT("perConnectionBufferLimitBytes"),
	INERT("perConnectionBufferHighWatermarkTimeout"),
	INERT("lbPolicy"),
	INERT("hosts"),
	INERT("loadAssignment"),
	INERT("healthChecks"),
	INERT("maxRequestsPerConnection"),
	INERT("tlsContext"),
	INERT("upstreamHttpProtocolOptions"),
	INERT("commonHttpProtocolOptions"),
	INERT("httpProtocolOptions"),
	INERT("http2ProtocolOptions"),
	INERT("extensionProtocolOptions"),
	INERT("typedExtensionProtocolOptions"),
	INERT("dnsRefreshRate"),
	INERT("dnsJitter"),
	INERT("dnsFailureRefreshRate"),
	INERT("respectDnsTtl"),
	INERT("dnsLookupFamily"),
	INERT("dnsResolvers"),
	INERT("useTcpForDnsLookups"),
	INERT("dnsResolutionConfig"),
	INERT("typedDnsResolverConfig"),
	INERT("waitForWarmOnInit"),
	INERT("outlierDetection"),
	INERT("cleanupInterval"),
	INERT("upstreamBindConfig"),
	INERT("lbSubsetConfig"),
	INERT("ringHashLbConfig"),
	INERT("maglevLbConfig"),
	INERT("originalDstLbConfig"),
	INERT("leastRequestLbConfig"),
	INERT("roundRobinLbConfig"),
	INERT("commonLbConfig"),
	INERT("transportSocket"),
	INERT("metadata"),
	INERT("protocolSelection"),
	INERT("upstreamConnectionOptions"),
	INERT("closeConnectionsOnHostHealthFailure"),
	INERT("drainConnectionsOnHostRemoval"),
	INERT("ignoreHealthOnHostRemoval"),
	INERT("filters"),
	INERT("loadBalancingPolicy"),
	INERT("lrsServer"),
	INERT("lrsReportEndpointMetrics"),
	INERT("trackTimeoutBudgets"),
	INERT("upstreamConfig"),
	INERT("trackClusterStats"),
	INERT("preconnectPolicy"),
	INERT("connectionPoolPerDownstreamConnection"),
	{.name = "@type", .doc = "Not read: it is a cluster wherever it stands."},
};
const struct eg_schema eg_envoy_cluster_schema = {.name = "Cluster", EG_SCHEMA_FIELDS(cluster_fields)};

static void refuse_nameless(struct eg_reader *reader, const struct eg_yaml_node *node)
{
	eg_reader_error(
		reader, node,
		"native Envoy resource is not valid: invalid Cluster.Name: value length must be at least 1 runes");
}

/* Whose it is has to be known before its fields are judged. */
static void name_owner(const struct eg_yaml_node *root, struct eg_envoy_value *value)
{
	const struct eg_yaml_node *name = root->kind == EG_YAML_MAPPING ? eg_yaml_get(root, "name") : NULL;

	value->is_ours = name && name->kind == EG_YAML_SCALAR && eg_cluster_families(name->text) != 0;
}

static int read_cluster(struct eg_reader *reader, const struct eg_yaml_node *root, void *target)
{
	struct eg_envoy_value *value = target;
	int r;

	if (value->is_complete)
		name_owner(root, value);
	r = eg_read_object(reader, root, &eg_envoy_cluster_schema, value);
	if (r == 0 && value->is_complete && (!value->name || value->name[0] == '\0'))
		refuse_nameless(reader, root);
	return r;
}

int eg_envoy_read_cluster(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value)
{
	return eg_read_yaml_text(reader, text, &eg_envoy_cluster_schema, read_cluster, value);
}

/* --- network filter --- */

static const struct eg_field tcp_proxy_fields[] = {
	{.name = "@type", .doc = "Must be " TCP_PROXY_TYPE "."},
	{.name = "idleTimeout",
	 .type = &idle_timeout_type,
	 .fallback = "1h",
	 .doc = "How long a connection may be without a byte in either direction; 0s is for ever."},
	{.name = "maxDownstreamConnectionDuration",
	 .type = &max_duration_type,
	 .fallback = "none",
	 .doc = "How old a connection may become."},
	INERT("statPrefix"),
	INERT("cluster"),
	INERT("weightedClusters"),
	INERT("onDemand"),
	INERT("metadataMatch"),
	INERT("downstreamIdleTimeout"),
	INERT("upstreamIdleTimeout"),
	INERT("accessLog"),
	INERT("maxConnectAttempts"),
	INERT("backoffOptions"),
	INERT("hashPolicy"),
	INERT("tunnelingConfig"),
	INERT("maxDownstreamConnectionDurationJitterPercentage"),
	INERT("accessLogFlushInterval"),
	INERT("flushAccessLogOnConnected"),
	INERT("accessLogOptions"),
	INERT("proxyProtocolTlvs"),
	INERT("proxyProtocolTlvMergePolicy"),
	INERT("upstreamConnectMode"),
	INERT("maxEarlyDataBytes"),
	INERT("checkDrainClose"),
};
static const struct eg_schema tcp_proxy_schema = {EG_SCHEMA_FIELDS(tcp_proxy_fields)};

/* What an Any says that it is, or NULL after a finding. */
static const char *read_type_url(struct eg_reader *reader, const struct eg_yaml_node *node)
{
	const struct eg_yaml_node *type = node->kind == EG_YAML_MAPPING ? eg_yaml_get(node, "@type") : NULL;

	if (type && type->kind == EG_YAML_SCALAR)
		return type->text;
	eg_reader_error(reader, node, "Any JSON doesn't have '@type'");
	return NULL;
}

static int read_typed_config(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	const char *type = read_type_url(reader, node);

	if (!type)
		return 0;
	if (strcmp(type, TCP_PROXY_TYPE) == 0)
		return eg_read_object(reader, node, field->fields, target);
	/* Kuma cannot generate anything for the proxy then. */
	if (is_ours(target))
		eg_reader_error(reader, node, "type URL of the filter is " TCP_PROXY_TYPE ", different from %.200s",
				type);
	return 0;
}
static const struct eg_type typed_config_type = {"object with @type", read_typed_config};

static const struct eg_field filter_fields[] = {
	{.name = "name",
	 .type = &eg_type_string,
	 .offset = offsetof(struct eg_envoy_value, name),
	 .doc = "Not read: `match` says which filter it is."},
	{.name = "typedConfig", .type = &typed_config_type, .fields = &tcp_proxy_schema, .doc = "Of a TcpProxy alone."},
	INERT("configDiscovery"),
	INERT("config"),
};
const struct eg_schema eg_envoy_filter_schema = {.name = "Filter", EG_SCHEMA_FIELDS(filter_fields)};

static int read_filter(struct eg_reader *reader, const struct eg_yaml_node *root, void *target)
{
	return eg_read_object(reader, root, &eg_envoy_filter_schema, target);
}

int eg_envoy_read_filter(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value)
{
	return eg_read_yaml_text(reader, text, &eg_envoy_filter_schema, read_filter, value);
}

/* --- others --- */

static int check_mapping(struct eg_reader *reader, const struct eg_yaml_node *root, void *target)
{
	(void)target;
	if (root->kind != EG_YAML_MAPPING)
		eg_reader_error(reader, root, "native Envoy resource is not valid: must be a mapping of fields, not %s",
				eg_yaml_describe(root));
	return 0;
}

int eg_envoy_check(struct eg_reader *reader, const struct eg_yaml_node *text)
{
	return eg_read_yaml_text(reader, text, NULL, check_mapping, NULL);
}

static int check_typed(struct eg_reader *reader, const struct eg_yaml_node *root, void *target)
{
	const char *type = read_type_url(reader, root);
	const struct eg_yaml_node *name = type ? eg_yaml_get(root, "name") : NULL;

	(void)target;
	if (type && strcmp(type, CLUSTER_TYPE) == 0 && (!name || name->kind != EG_YAML_SCALAR || !*name->text))
		refuse_nameless(reader, root);
	return 0;
}

int eg_envoy_check_typed(struct eg_reader *reader, const struct eg_yaml_node *text)
{
	return eg_read_yaml_text(reader, text, NULL, check_typed, NULL);
}
