/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A line as a Host and as the name of a workload, and the rest as the target of a request: /stats?filter=... */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/fuzz.h"
#include "base/cleanup.h"
#include "export/http.h"
#include "export/prometheus.h"
#include "export/stats.h"

/* A node with one workload. */
static struct eg_snapshot snapshot_of(const char *name)
{
	struct eg_counted counted = {.name = name, .mesh = name, .dataplane = name, .service = name};
	struct eg_snapshot snapshot = {.is_node = 1, .node = {.swept = 1}, .programs = {1, {{"eg_connect4", 3, 1000}}}};

	counted.totals.counts.ipv4.cluster.cx_total = 7;
	counted.totals.counts.ipv4.cluster.connect_ms.buckets[3] = 7;
	fuzz_check(eg_array_push(&snapshot.workloads, counted) == 0);
	eg_totals_merge(&snapshot.sum, &counted.totals);
	return snapshot;
}

/* Behind the labels of a series, which begin here. */
static const char *skip_labels(const char *text)
{
	while (*text != '}') {
		text = strchr(text, '"');
		fuzz_check(text != NULL);
		for (text++; *text != '"'; text += *text == '\\' ? 2 : 1)
			fuzz_check(*text != '\0' && *text != '\n' && (*text != '\\' || strchr("\\\"n", text[1])));
		text++;
		fuzz_check(*text == ',' || *text == '}');
		text += *text == ',';
	}
	return text + 1;
}

/* name{labels} value */
static void check_series(const char *line)
{
	const char *end = line + strcspn(line, "{ ");

	fuzz_check(end > line);
	if (*end == '{')
		end = skip_labels(end + 1);
	fuzz_check(*end == ' ' && strspn(end + 1, "0123456789.e-") == strcspn(end + 1, "\n") && end[1] != '\n');
}

static void check_scrape(const char *text)
{
	while (*text) {
		if (*text != '#' && *text != '\n')
			check_series(text);
		text = strchr(text, '\n');
		fuzz_check(text != NULL);
		text++;
	}
}

static int write_scrape(struct eg_stats_query *query, struct eg_snapshot *snapshot, FILE *out)
{
	_cleanup_(eg_prometheus_freep) struct eg_prometheus *prometheus = NULL;
	int r = eg_prometheus_new(query, snapshot, &prometheus);

	return r < 0 ? r : eg_prometheus_write(prometheus, out);
}

static void check_json(const char *text)
{
	json_auto_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	fuzz_check(json && json_is_array(json_object_get(json, "stats")));
}

static void check_answer(struct eg_stats_query *query, const char *name)
{
	struct eg_snapshot snapshot = snapshot_of(name);
	enum eg_stats_format format = query->format;
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int r;

	if (format == EG_STATS_PROMETHEUS)
		r = write_scrape(query, &snapshot, out);
	else
		r = eg_stats_write(query, &snapshot, NULL, out);
	fclose(out);
	eg_snapshot_clear(&snapshot);
	fuzz_check(r == 0 || r == -E2BIG);
	if (r == 0 && format == EG_STATS_PROMETHEUS)
		check_scrape(text);
	if (r == 0 && format == EG_STATS_JSON)
		check_json(text);
}

/* 0; or -EINVAL with something to say. */
static int take_parameters(const struct eg_http_request *request, struct eg_stats_query *query)
{
	char problem[EG_STATS_PROBLEM_MAX] = "";
	int r = 0;

	for (size_t i = 0; i < request->parameters.len && r == 0; i++)
		r = eg_stats_query_set(query, request->parameters.items[i].name, request->parameters.items[i].value,
				       problem);
	fuzz_check(r == 0 || (r == -EINVAL && *problem != '\0' && memchr(problem, '\0', sizeof(problem))));
	return r;
}

static void check_target(char *target, const char *name)
{
	_cleanup_(eg_stats_query_clear) struct eg_stats_query query = {};
	struct eg_http_request request = {};
	int r = eg_http_parse_target(target, &request);

	fuzz_check(r == 0 || r == -EINVAL);
	fuzz_check(r < 0 || *request.path == '/');
	if (r == 0 && take_parameters(&request, &query) == 0)
		check_answer(&query, name);
	eg_array_clear(&request.parameters);
}

/* What TCP lets in the unix socket does. */
static void check_host(const char *host)
{
	bool by_tcp = eg_http_host_is_ours(host, false), locally = eg_http_host_is_ours(host, true);

	fuzz_check(!by_tcp || locally);
	fuzz_check(!locally || strlen(host) < 300);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_free_ char *text = fuzz_text(bytes, len);
	char *target = text, *host = strsep(&target, "\n");

	check_host(host);
	if (target)
		check_target(target, host);
	return 0;
}
