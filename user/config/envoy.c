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
/* What Envoy's have is two. */
#define THRESHOLDS_MAX 64

/* --- fields: the target of each is the tree that its value becomes a part of --- */

static int add_leaf(struct eg_reader *reader, const struct eg_yaml_node *node, struct eg_tree *parent, const char *name,
		    struct eg_tree value)
{
	struct eg_tree *leaf = eg_tree_append(&reader->model->arena, parent, value.kind, name);

	if (!leaf)
		return -ENOMEM;
	leaf->number = value.number;
	leaf->text = value.text;
	leaf->origin = eg_reader_origin(reader, node);
	return 0;
}

static int read_inert(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	(void)field;
	(void)target;
	eg_reader_say(reader, EG_SEVERITY_NOTE, node, "has no effect: there is no proxy that could do it");
	return 0;
}
static const struct eg_type inert_type = {"anything", read_inert};

/* Known to Envoy, and without a meaning here. */
#define INERT(field) \
	{ \
		.name = (field), .type = &inert_type, .doc = "Has no effect: there is no proxy that could do it." \
	}

/* How the words of a threshold begin that cannot act; why stands behind. */
#define NO_LIMIT "Limits nothing: "

static int read_no_limit(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	const char *why = field->doc + strlen(NO_LIMIT);

	(void)target;
	eg_reader_say(reader, EG_SEVERITY_WARNING, node, "limits nothing: %.*s", (int)strlen(why) - 1, why);
	return 0;
}
static const struct eg_type no_limit_type = {"anything", read_no_limit};

static int read_text(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		     void *target)
{
	struct eg_tree leaf = {.kind = EG_TREE_TEXT};
	const char *text = eg_read_text(reader, node);
	int r;

	if (!text)
		return 0;
	r = eg_read_copy(reader, text, &leaf.text);
	return r < 0 ? r : add_leaf(reader, node, target, field->name, leaf);
}
static const struct eg_type text_type = {"text", read_text};

static int read_object(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		       void *target)
{
	struct eg_tree *object = eg_tree_append(&reader->model->arena, target, EG_TREE_OBJECT, field->name);

	if (!object)
		return -ENOMEM;
	object->origin = eg_reader_origin(reader, node);
	return eg_read_object(reader, node, field->fields, object);
}
static const struct eg_type object_type = {"object", read_object};

static int read_limit(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct eg_optional_number limit = {};
	int r = eg_type_u32.read(reader, field, node, &limit);

	if (r < 0 || !limit.is_set)
		return r;
	return add_leaf(reader, node, target, field->name,
			(struct eg_tree){.kind = EG_TREE_NUMBER, .number = (int64_t)limit.value});
}
static const struct eg_type limit_type = {"whole number from 0 to 4294967295", read_limit};

static int read_timeout(struct eg_reader *reader, const struct eg_yaml_node *node, enum eg_setting setting,
			const char *name, struct eg_tree *parent)
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
		eg_reader_error(reader, node, "must %s; Envoy refuses the whole cluster or listener",
				ns < 0 ? "not be negative" : "be greater than 0s");
		return 0;
	}
	doubt = eg_setting_doubt(setting, ns);
	if (doubt)
		eg_reader_say(reader, EG_SEVERITY_WARNING, node, "%s", doubt);
	return add_leaf(reader, node, parent, name, (struct eg_tree){.kind = EG_TREE_DURATION, .number = ns});
}

static int read_connect_timeout(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
				void *target)
{
	return read_timeout(reader, node, EG_SETTING_CONNECT_TIMEOUT, field->name, target);
}
static const struct eg_type connect_timeout_type = {"duration above 0s", read_connect_timeout};

static int read_idle_timeout(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	return read_timeout(reader, node, EG_SETTING_IDLE_TIMEOUT, field->name, target);
}
static const struct eg_type idle_timeout_type = {"duration from 0s", read_idle_timeout};

static int read_max_duration(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	return read_timeout(reader, node, EG_SETTING_MAX_DURATION, field->name, target);
}
static const struct eg_type max_duration_type = {"duration from 1ms", read_max_duration};

/* --- circuit breakers --- */

/* An enum of protobuf: its name, or its number. */
static int read_priority(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			 void *target)
{
	const char *text = node->kind == EG_YAML_SCALAR ? node->text : eg_yaml_describe(node);
	const bool is_high = strcmp(text, "HIGH") == 0 || strcmp(text, "1") == 0;

	if (!is_high && strcmp(text, "DEFAULT") != 0 && strcmp(text, "0") != 0) {
		eg_reader_error(reader, node, "unknown value \"%.64s\"; it is DEFAULT or HIGH", text);
		return 0;
	}
	return add_leaf(reader, node, target, field->name,
			(struct eg_tree){.kind = EG_TREE_TEXT, .text = is_high ? "HIGH" : "DEFAULT"});
}
static const struct eg_type priority_type = {"DEFAULT or HIGH", read_priority};

/* A boolean that is read for its form alone. */
static int check_bool(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
		      void *target)
{
	struct eg_optional_bool unused;

	(void)target;
	return eg_type_bool.read(reader, field, node, &unused);
}
static const struct eg_type bool_type = {"boolean", check_bool};

#define LIMIT(field, default, text) \
	{ \
		.name = (field), .type = &limit_type, .fallback = EG_QUOTE(default), .doc = (text) \
	}

static const struct eg_field threshold_fields[] = {
	{.name = EG_FIELD_PRIORITY,
	 .type = &priority_type,
	 .fallback = "DEFAULT",
	 .doc = "Which connections it limits. Those of passthrough have DEFAULT; a threshold of HIGH limits nothing."},
	LIMIT(EG_FIELD_MAX_CONNECTIONS, EG_DEFAULT_MAX_CONNECTIONS,
	      "Open connections, those being established included. 0 admits none."),
	LIMIT(EG_FIELD_MAX_PENDING, EG_DEFAULT_MAX_PENDING, "Of these, the ones that are being established."),
	LIMIT(EG_FIELD_MAX_REQUESTS, EG_DEFAULT_MAX_REQUESTS,
	      "Connections that are pending or established. Refuses nothing unless it is written."),
	LIMIT(EG_FIELD_MAX_RETRIES, EG_DEFAULT_MAX_RETRIES,
	      "Connects to destinations that have just failed. Refuses nothing unless it is written."),
	{.name = "retryBudget",
	 .type = &no_limit_type,
	 .doc = NO_LIMIT "retries are limited by max_retries alone."},
	{.name = "maxConnectionPools",
	 .type = &no_limit_type,
	 .doc = NO_LIMIT "there are no pools, and Envoy has no limit for those of TCP."},
	{.name = "trackRemaining", .type = &bool_type, .doc = "Not read: what remains is shown whatever it says."},
};
static const struct eg_schema threshold_schema = {EG_SCHEMA_FIELDS(threshold_fields)};

static bool is_high(const struct eg_tree *threshold)
{
	const struct eg_tree *priority = eg_tree_member(threshold, EG_FIELD_PRIORITY);

	return priority && strcmp(priority->text, "HIGH") == 0;
}

/* Merged by priority, field by field. Envoy takes the first threshold of a priority and no other. */
static void warn_of_threshold(struct eg_reader *reader, const struct eg_yaml_node *node, const struct eg_tree *list,
			      const struct eg_tree *threshold)
{
	if (is_high(threshold)) {
		eg_reader_say(reader, EG_SEVERITY_WARNING, node,
			      "limits nothing: connections have priority DEFAULT, never HIGH");
		return;
	}
	for (const struct eg_tree *other = list->first; other != threshold; other = other->next)
		if (!is_high(other)) {
			eg_reader_say(reader, EG_SEVERITY_WARNING, node,
				      "a second threshold of priority DEFAULT: it replaces what the first one has too, "
				      "and Envoy would take the first alone");
			return;
		}
}

static int read_threshold(struct eg_reader *reader, const struct eg_yaml_node *node, void *target)
{
	struct eg_tree *list = target, *threshold;
	int r;

	if (eg_tree_count(list) >= THRESHOLDS_MAX) {
		eg_reader_error(reader, node, "more than %u thresholds; of each priority one is enough",
				THRESHOLDS_MAX);
		return 0;
	}
	threshold = eg_tree_append(&reader->model->arena, list, EG_TREE_OBJECT, NULL);
	if (!threshold)
		return -ENOMEM;
	threshold->origin = eg_reader_origin(reader, node);
	r = eg_read_object(reader, node, &threshold_schema, threshold);
	if (r == 0)
		warn_of_threshold(reader, node, list, threshold);
	return r;
}

static int read_thresholds(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			   void *target)
{
	struct eg_tree *list = eg_tree_append(&reader->model->arena, target, EG_TREE_LIST, field->name);

	if (!list)
		return -ENOMEM;
	list->origin = eg_reader_origin(reader, node);
	return eg_read_list(reader, node, read_threshold, list);
}
static const struct eg_type thresholds_type = {"list of thresholds", read_thresholds};

static const struct eg_field breaker_fields[] = {
	{.name = EG_FIELD_THRESHOLDS,
	 .type = &thresholds_type,
	 .fields = &threshold_schema,
	 .doc = "The limits. Thresholds merge by priority, field by field."},
	{.name = "perHostThresholds",
	 .type = &no_limit_type,
	 .doc = NO_LIMIT "limits are of the workload, not of each destination."},
};
static const struct eg_schema breaker_schema = {EG_SCHEMA_FIELDS(breaker_fields)};

/* --- cluster --- */

static const struct eg_field cluster_fields[] = {
	{.name = "name", .type = &text_type, .doc = "Which cluster is added; not read in a patch."},
	{.name = EG_FIELD_CONNECT_TIMEOUT,
	 .type = &connect_timeout_type,
	 .fallback = "10s",
	 .doc = "How long a connect may take; more than 0s."},
	{.name = EG_FIELD_BREAKERS, .type = &object_type, .fields = &breaker_schema, .doc = "Limits; see its fields."},
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

/* The text of a member, whatever else there is; NULL: none. */
static const char *peek_text(const struct eg_yaml_node *node, const char *name)
{
	const struct eg_yaml_node *member = node->kind == EG_YAML_MAPPING ? eg_yaml_get(node, name) : NULL;

	return member && member->kind == EG_YAML_SCALAR ? member->text : NULL;
}

/* Whose it is has to be known before its fields are judged. */
static int read_cluster(struct eg_reader *reader, const struct eg_yaml_node *root, void *target)
{
	struct eg_envoy_value *value = target;
	const char *name = peek_text(root, "name");
	const bool says_errors_alone = reader->says_errors_alone;
	int r;

	value->tree = eg_tree_new(&reader->model->arena, EG_TREE_OBJECT, NULL);
	if (!value->tree)
		return -ENOMEM;
	if (value->is_whole)
		value->families = name ? eg_cluster_families(name) : 0;
	reader->says_errors_alone = value->families == 0;
	r = eg_read_object(reader, root, &eg_envoy_cluster_schema, value->tree);
	reader->says_errors_alone = says_errors_alone;
	if (r == 0 && value->is_whole && (!name || name[0] == '\0'))
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
	{.name = EG_FIELD_IDLE_TIMEOUT,
	 .type = &idle_timeout_type,
	 .fallback = "1h",
	 .doc = "How long a connection may be without a byte in either direction; 0s is for ever."},
	{.name = EG_FIELD_MAX_DURATION,
	 .type = &max_duration_type,
	 .fallback = "connections of any age",
	 .doc = "How old a connection may become; at least 1ms."},
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
const struct eg_schema eg_envoy_tcp_proxy_schema = {EG_SCHEMA_FIELDS(tcp_proxy_fields)};

/* What an Any says that it is, or NULL after a finding. */
static const char *read_type_url(struct eg_reader *reader, const struct eg_yaml_node *node)
{
	const struct eg_yaml_node *type = node->kind == EG_YAML_MAPPING ? eg_yaml_get(node, "@type") : NULL;

	if (type && type->kind == EG_YAML_SCALAR)
		return type->text;
	eg_reader_error(reader, node, "Any JSON doesn't have '@type'");
	return NULL;
}

/* What a TcpProxy says is the filter's; with another type Kuma cannot generate anything for the proxy. */
static int read_typed_config(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node,
			     void *target)
{
	const char *type = read_type_url(reader, node);

	if (!type)
		return 0;
	if (strcmp(type, TCP_PROXY_TYPE) == 0)
		return eg_read_object(reader, node, field->fields, target);
	if (!reader->says_errors_alone)
		eg_reader_error(reader, node, "type URL of the filter is " TCP_PROXY_TYPE ", different from %.200s",
				type);
	return 0;
}
static const struct eg_type typed_config_type = {"object with @type", read_typed_config};

static const struct eg_field filter_fields[] = {
	{.name = "name", .doc = "Not read: `match` says which filter it is."},
	{.name = EG_TYPED_CONFIG,
	 .type = &typed_config_type,
	 .fields = &eg_envoy_tcp_proxy_schema,
	 .doc = "Of a TcpProxy alone, which its @type says."},
	INERT("configDiscovery"),
	INERT("config"),
};
const struct eg_schema eg_envoy_filter_schema = {.name = "Filter", EG_SCHEMA_FIELDS(filter_fields)};

static int read_filter(struct eg_reader *reader, const struct eg_yaml_node *root, void *target)
{
	struct eg_envoy_value *value = target;
	const bool says_errors_alone = reader->says_errors_alone;
	int r;

	value->tree = eg_tree_new(&reader->model->arena, EG_TREE_OBJECT, NULL);
	if (!value->tree)
		return -ENOMEM;
	reader->says_errors_alone = value->families == 0;
	r = eg_read_object(reader, root, &eg_envoy_filter_schema, value->tree);
	reader->says_errors_alone = says_errors_alone;
	return r;
}

int eg_envoy_read_filter(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value)
{
	return eg_read_yaml_text(reader, text, &eg_envoy_filter_schema, read_filter, value);
}

/* --- fields from which no settings come --- */

bool eg_envoy_is_setting(const struct eg_field *field)
{
	return field->type && field->type != &inert_type && field->type != &no_limit_type && field->type != &text_type &&
	       field->type != &bool_type;
}

void eg_envoy_note(struct eg_reader *reader, const struct eg_field *field, const struct eg_yaml_node *node)
{
	if (field->type == &no_limit_type)
		read_no_limit(reader, field, node, NULL);
	else
		read_inert(reader, field, node, NULL);
}

/* --- listener --- */

static int check_mapping(struct eg_reader *reader, const struct eg_yaml_node *root, void *target)
{
	(void)target;
	if (root->kind != EG_YAML_MAPPING)
		eg_reader_error(reader, root, "native Envoy resource is not valid: must be a mapping of fields, not %s",
				eg_yaml_describe(root));
	return 0;
}

/* The list of either spelling, or NULL. */
static const struct eg_yaml_node *peek_list(const struct eg_yaml_node *node, const char *name)
{
	const struct eg_yaml_node *list = eg_get_field(node, name);

	return list && list->kind == EG_YAML_SEQUENCE ? list : NULL;
}

static int read_tcp_proxy_of(struct eg_reader *reader, const struct eg_yaml_node *chain, struct eg_envoy_value *value)
{
	const struct eg_yaml_node *filters = peek_list(chain, "filters");

	for (uint32_t i = 0; filters && !value->tree && i < filters->count; i++) {
		const char *name = peek_text(filters->items[i], "name");
		size_t before;
		int r;

		if (!name || strcmp(name, EG_TCP_PROXY_FILTER) != 0)
			continue;
		before = eg_path_enter(reader, "filters");
		eg_path_enter_index(reader, i);
		r = read_filter(reader, filters->items[i], value);
		eg_path_leave(reader, before);
		return r;
	}
	return 0;
}

/* Only the TCP proxy in it is looked at, the first one there is. */
static int read_listener(struct eg_reader *reader, const struct eg_yaml_node *root, void *target)
{
	const struct eg_yaml_node *chains = peek_list(root, "filterChains");
	const char *name = peek_text(root, "name");
	struct eg_envoy_value *value = target;
	int r = 0;

	if (root->kind != EG_YAML_MAPPING)
		return check_mapping(reader, root, NULL);
	value->families = name ? eg_cluster_families(name) : 0;
	for (uint32_t i = 0; value->families && r == 0 && chains && i < chains->count; i++) {
		const size_t before = eg_path_enter(reader, "filterChains");

		eg_path_enter_index(reader, i);
		r = read_tcp_proxy_of(reader, chains->items[i], value);
		eg_path_leave(reader, before);
	}
	return r;
}

int eg_envoy_read_listener(struct eg_reader *reader, const struct eg_yaml_node *text, struct eg_envoy_value *value)
{
	return eg_read_yaml_text(reader, text, NULL, read_listener, value);
}

/* --- others --- */

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
