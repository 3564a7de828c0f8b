/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "export/clusters.h"
#include "export/http.h"
#include "export/listen.h"
#include "export/pages.h"
#include "export/prometheus.h"
#include "export/stats.h"

#define NSEC_PER_SEC UINT64_C(1000000000)
#define OK 200
#define BAD_REQUEST 400
#define NOT_FOUND 404
#define NOT_ALLOWED 405
#define UNAVAILABLE 503

/* Scrapes that are taken at the same time: each holds the counts of all workloads. */
#define SCRAPES_MAX 8

struct eg_admin {
	struct eg_admin_options options;
	struct eg_pinned pinned; /* borrowed, and without slots */
	char *directory;
	struct eg_http *http;
	char *path; /* of the unix socket; NULL: none */
	uint64_t started_ns;
	unsigned int scrapes;
	bool has_baseline; /* counters are shown from there on */
	struct eg_snapshot baseline;
};

/* ---- statistics ---- */

static int say_no_workload(const char *workload, struct eg_http_answer *answer)
{
	return eg_http_say(answer, NOT_FOUND, "no workload called '%s'\n", workload);
}

static int say_too_costly(struct eg_http_answer *answer)
{
	return eg_http_say(answer, BAD_REQUEST, "filter: " EG_FILTER_TOO_COSTLY "\n");
}

struct scrape {
	struct eg_admin *admin;
	struct eg_prometheus *prometheus;
};

static ssize_t read_scrape(void *context, char *buffer, size_t size)
{
	return eg_prometheus_read(((struct scrape *)context)->prometheus, buffer, size);
}

static void end_scrape(void *context)
{
	struct scrape *scrape = context;

	scrape->admin->scrapes--;
	eg_prometheus_free(scrape->prometheus);
	free(scrape);
}

/* What one reset does not show to people is nobody's business who sums up: the counters of a scrape never go back. */
static int answer_scrape(struct eg_admin *admin, struct eg_stats_query *query, struct eg_snapshot *snapshot,
			 struct eg_http_answer *answer)
{
	struct scrape *scrape;
	int r;

	/* Who asks and does not read must not keep out who does. */
	if (admin->scrapes == SCRAPES_MAX && !eg_http_end_stalled(admin->http, end_scrape))
		return eg_http_say(answer, UNAVAILABLE, "too many scrapes at the same time\n");
	scrape = calloc(1, sizeof(*scrape));
	if (!scrape)
		return -ENOMEM;
	scrape->admin = admin;
	admin->scrapes++;
	r = eg_prometheus_new(query, snapshot, &scrape->prometheus);
	if (r < 0) {
		end_scrape(scrape);
		return r;
	}
	*answer = (struct eg_http_answer){
		.status = OK,
		.type = EG_PROMETHEUS_TYPE,
		.read = read_scrape,
		.end = end_scrape,
		.context = scrape,
	};
	return 0;
}

/* What was written to the stream becomes the answer, unless `r` says that this failed. */
static int take_text(FILE *out, int r, const char *type, struct eg_buffer *text, struct eg_http_answer *answer)
{
	int whole = eg_buffer_close(text, out);

	if (whole < 0 || r < 0)
		return whole < 0 ? whole : r;
	*answer = (struct eg_http_answer){.status = OK, .type = type, .len = text->len};
	answer->text = TAKE_PTR(text->bytes);
	return 0;
}

static int answer_text(struct eg_admin *admin, const struct eg_stats_query *query, const struct eg_snapshot *snapshot,
		       struct eg_http_answer *answer)
{
	_cleanup_(eg_buffer_clear) struct eg_buffer text = {};
	FILE *out = eg_buffer_open(&text);
	int r;

	if (!out)
		return -ENOMEM;
	r = eg_stats_write(query, snapshot, admin->has_baseline ? &admin->baseline : NULL, out);
	return take_text(out, r, query->format == EG_STATS_JSON ? "application/json" : NULL, &text, answer);
}

static int answer_query(struct eg_admin *admin, struct eg_stats_query *query, struct eg_http_answer *answer)
{
	_cleanup_(eg_snapshot_clear) struct eg_snapshot snapshot = {};
	int r = eg_snapshot_read(&admin->pinned, query->workload, &snapshot);

	if (r == -ENOENT)
		return say_no_workload(query->workload, answer);
	if (r < 0)
		return r;
	r = query->format == EG_STATS_PROMETHEUS ? answer_scrape(admin, query, &snapshot, answer)
						 : answer_text(admin, query, &snapshot, answer);
	return r == -E2BIG ? say_too_costly(answer) : r;
}

static int answer_stats_as(struct eg_admin *admin, const struct eg_http_request *request, enum eg_stats_format format,
			   struct eg_http_answer *answer)
{
	_cleanup_(eg_stats_query_clear) struct eg_stats_query query = {.format = format};
	char problem[EG_STATS_PROBLEM_MAX];
	int r = 0;

	for (size_t i = 0; i < request->parameters.len && r == 0; i++)
		r = eg_stats_query_set(&query, request->parameters.items[i].name, request->parameters.items[i].value,
				       problem);
	if (r == -EINVAL)
		return eg_http_say(answer, BAD_REQUEST, "%s", problem);
	return r < 0 ? r : answer_query(admin, &query, answer);
}

static int answer_stats(struct eg_admin *admin, const struct eg_http_request *request, struct eg_http_answer *answer)
{
	return answer_stats_as(admin, request, EG_STATS_TEXT, answer);
}

static int answer_prometheus(struct eg_admin *admin, const struct eg_http_request *request,
			     struct eg_http_answer *answer)
{
	return answer_stats_as(admin, request, EG_STATS_PROMETHEUS, answer);
}

/* The maps stay as they are: what is shown begins anew, and only here. */
static int answer_reset(struct eg_admin *admin, const struct eg_http_request *request, struct eg_http_answer *answer)
{
	_cleanup_(eg_snapshot_clear) struct eg_snapshot snapshot = {};
	int r = eg_snapshot_read(&admin->pinned, NULL, &snapshot);

	(void)request;
	if (r < 0)
		return r;
	eg_snapshot_clear(&admin->baseline);
	admin->baseline = snapshot;
	admin->has_baseline = true;
	snapshot = (struct eg_snapshot){};
	return eg_http_say(answer, OK, "OK\n");
}

/* ---- the server ---- */

static int answer_ready(struct eg_admin *admin, const struct eg_http_request *request, struct eg_http_answer *answer)
{
	struct eg_agent agent;
	int r = eg_maps_read_agent(&admin->pinned.maps, &agent);

	(void)request;
	if (r < 0)
		return r;
	return agent.state == EG_AGENT_RUNNING ? eg_http_say(answer, OK, "LIVE\n")
					       : eg_http_say(answer, UNAVAILABLE, "INITIALIZING\n");
}

/* ---- pages ---- */

/* The parameters of a page that is no statistics. */
struct page {
	bool json;
	const char *workload; /* NULL: all */
};

/* 0; 1 when the answer says what is wrong; or -ENOMEM. */
static int take_parameter(const struct eg_http_parameter *parameter, bool has_text, struct page *page,
			  struct eg_http_answer *answer)
{
	const char *value = parameter->value ? parameter->value : "";
	int r = 0;

	if (strcmp(parameter->name, "workload") == 0)
		page->workload = *value ? value : NULL;
	else if (strcmp(parameter->name, "format") != 0)
		r = eg_http_say(answer, BAD_REQUEST, "unknown parameter '%.64s'\n", parameter->name);
	else if (strcmp(value, "json") == 0 || (has_text && strcmp(value, "text") == 0))
		page->json = strcmp(value, "json") == 0;
	else
		r = eg_http_say(answer, BAD_REQUEST, "format must be %s\n", has_text ? "text or json" : "json");
	return r < 0 ? r : answer->text != NULL;
}

static int list_slots(const struct eg_admin *admin, const char *workload, struct eg_pinned *listed,
		      struct eg_http_answer *answer)
{
	int r;

	*listed = admin->pinned;
	r = eg_pinned_list_slots(&admin->pinned.maps, workload, listed);
	if (r < 0 || !workload || listed->slots.len > 0)
		return r;
	r = say_no_workload(workload, answer);
	return r < 0 ? r : 1;
}

/* A page has a JSON form, and most have a text. */
static int answer_page(struct eg_admin *admin, const struct eg_http_request *request,
		       int (*write_text)(const struct eg_pinned *listed, FILE *out),
		       int (*write_json)(const struct eg_pinned *listed, FILE *out), struct eg_http_answer *answer)
{
	struct page page = {.json = !write_text};
	_cleanup_(eg_buffer_clear) struct eg_buffer text = {};
	struct eg_pinned listed = {};
	FILE *out = NULL;
	int r = 0;

	for (size_t i = 0; i < request->parameters.len && r == 0; i++)
		r = take_parameter(&request->parameters.items[i], write_text, &page, answer);
	if (r == 0)
		r = list_slots(admin, page.workload, &listed, answer);
	if (r == 0) {
		out = eg_buffer_open(&text);
		r = !out ? -ENOMEM : page.json ? write_json(&listed, out) : write_text(&listed, out);
	}
	eg_array_clear(&listed.slots);
	if (out)
		r = take_text(out, r, page.json ? "application/json" : NULL, &text, answer);
	return r < 0 ? r : 0;
}

static int write_clusters(const struct eg_pinned *listed, bool json, FILE *out)
{
	_cleanup_(eg_clusters_clear) struct eg_clusters clusters = {};
	int r = eg_clusters_read(listed, &clusters);

	if (r < 0)
		return r;
	return json ? eg_clusters_write_json(&clusters, out) : eg_clusters_write_text(&clusters, out);
}

static int write_clusters_text(const struct eg_pinned *listed, FILE *out)
{
	return write_clusters(listed, false, out);
}

static int write_clusters_json(const struct eg_pinned *listed, FILE *out)
{
	return write_clusters(listed, true, out);
}

static int answer_clusters(struct eg_admin *admin, const struct eg_http_request *request, struct eg_http_answer *answer)
{
	return answer_page(admin, request, write_clusters_text, write_clusters_json, answer);
}

static int answer_workloads(struct eg_admin *admin, const struct eg_http_request *request,
			    struct eg_http_answer *answer)
{
	return answer_page(admin, request, eg_pages_write_workloads_text, eg_pages_write_workloads_json, answer);
}

static int answer_config(struct eg_admin *admin, const struct eg_http_request *request, struct eg_http_answer *answer)
{
	return answer_page(admin, request, NULL, eg_pages_write_config, answer);
}

static int answer_server_info(struct eg_admin *admin, const struct eg_http_request *request,
			      struct eg_http_answer *answer)
{
	_cleanup_(eg_buffer_clear) struct eg_buffer text = {};
	FILE *out = eg_buffer_open(&text);
	int r;

	(void)request;
	if (!out)
		return -ENOMEM;
	r = eg_pages_write_server_info(&admin->pinned.maps, (eg_now_ns() - admin->started_ns) / NSEC_PER_SEC, out);
	return take_text(out, r, "application/json", &text, answer);
}

static int answer_help(struct eg_admin *admin, const struct eg_http_request *request, struct eg_http_answer *answer);

/* ---- paths ---- */

static const struct route {
	const char *path;
	const char *method;
	bool has_parameters;
	int (*answer)(struct eg_admin *admin, const struct eg_http_request *request, struct eg_http_answer *answer);
	const char *help;
} routes[] = {
	{"/", "GET", false, answer_help, "this list"},
	{"/clusters", "GET", true, answer_clusters, "limits and hosts of the passthrough clusters: format, workload"},
	{"/config_dump", "GET", true, answer_config, "what is in force: workload"},
	{"/help", "GET", false, answer_help, "this list"},
	{"/ready", "GET", false, answer_ready, "LIVE once the policy is in force, otherwise 503"},
	{"/reset_counters", "POST", false, answer_reset,
	 "show counters in /stats from now on; by the unix socket only"},
	{"/server_info", "GET", false, answer_server_info, "version and state of the daemon"},
	{"/stats", "GET", true, answer_stats,
	 "statistics: format, filter, type, usedonly, histogram_buckets, workload"},
	{"/stats/prometheus", "GET", true, answer_prometheus, "the same in Prometheus's format"},
	{"/workloads", "GET", true, answer_workloads, "workloads and their cgroups: format, workload"},
};

static int write_help(const char *before, unsigned int status, struct eg_http_answer *answer)
{
	_cleanup_(eg_buffer_clear) struct eg_buffer text = {};
	FILE *out = eg_buffer_open(&text);
	int r;

	if (!out)
		return -ENOMEM;
	fprintf(out, "%sadmin commands are:\n", before);
	for (size_t i = 0; i < EG_COUNT_OF(routes); i++)
		fprintf(out, "  %s%s: %s\n", routes[i].path, strcmp(routes[i].method, "POST") == 0 ? " (POST)" : "",
			routes[i].help);
	r = take_text(out, 0, NULL, &text, answer);
	if (r == 0)
		answer->status = status;
	return r;
}

static int answer_help(struct eg_admin *admin, const struct eg_http_request *request, struct eg_http_answer *answer)
{
	(void)admin;
	(void)request;
	return write_help("", OK, answer);
}

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < EG_COUNT_OF(routes); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return NULL;
}

static int answer(const struct eg_http_request *request, struct eg_http_answer *ret_answer, void *context)
{
	const struct route *route = find_route(request->path);

	if (!route)
		return write_help("invalid path. ", NOT_FOUND, ret_answer);
	if (!request->is_local && strcmp(request->method, "GET") != 0) {
		ret_answer->allow = "GET";
		return eg_http_say(ret_answer, NOT_ALLOWED, "Method %.32s not allowed, GET required by TCP.\n",
				   request->method);
	}
	if (strcmp(request->method, route->method) != 0) {
		ret_answer->allow = route->method;
		return eg_http_say(ret_answer, NOT_ALLOWED, "Method %.32s not allowed, %s required.\n", request->method,
				   route->method);
	}
	if (!route->has_parameters && request->parameters.len > 0)
		return eg_http_say(ret_answer, BAD_REQUEST, "unknown parameter '%.64s'\n",
				   request->parameters.items[0].name);
	return route->answer(context, request, ret_answer);
}

/* ---- start and stop ---- */

static bool admits(int fd, void *context)
{
	const struct eg_admin *admin = context;

	return !admin->options.admits || admin->options.admits(fd, admin->options.context);
}

int eg_admin_start(const struct eg_admin_options *options, struct eg_admin **ret_admin)
{
	static const struct eg_http_calls calls = {.answer = answer, .admits = admits};
	_cleanup_(eg_admin_stopp) struct eg_admin *admin = calloc(1, sizeof(*admin));
	int r;

	if (!admin)
		return -ENOMEM;
	admin->options = *options;
	admin->started_ns = eg_now_ns();
	admin->directory = strdup(options->directory);
	if (!admin->directory)
		return -ENOMEM;
	admin->pinned = (struct eg_pinned){.directory = admin->directory, .maps = options->maps};
	r = eg_http_start(&calls, admin, &admin->http);
	if (r < 0)
		return r;
	*ret_admin = TAKE_PTR(admin);
	return 0;
}

int eg_admin_listen_local(struct eg_admin *admin, const char *path)
{
	int fd, r = eg_listen_local(path, &fd);

	if (r < 0)
		return r;
	free(admin->path);
	admin->path = strdup(path);
	return eg_http_listen(admin->http, EG_HTTP_LOCAL, fd);
}

int eg_admin_listen_tcp(struct eg_admin *admin, const struct eg_addr_port *place)
{
	int fd = -1, r = eg_http_listen(admin->http, EG_HTTP_TCP, -1);

	if (r == 0 && place)
		r = eg_listen_tcp(place, &fd);
	return r < 0 || !place ? r : eg_http_listen(admin->http, EG_HTTP_TCP, fd);
}

struct eg_admin *eg_admin_stop(struct eg_admin *admin)
{
	if (!admin)
		return NULL;
	eg_http_stop(admin->http);
	if (admin->path)
		unlink(admin->path);
	eg_snapshot_clear(&admin->baseline);
	free(admin->path);
	free(admin->directory);
	free(admin);
	return NULL;
}
