/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Sets that would have to be looked at, or held, too many times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/policy.h"

struct text {
	char *bytes;
	size_t len;
	FILE *out;
};

static void begin(struct text *text)
{
	text->out = open_memstream(&text->bytes, &text->len);
	assert_non_null(text->out);
}

static void add_workloads(struct text *text, unsigned int count, const char *more)
{
	for (unsigned int i = 0; i < count; i++)
		fprintf(text->out, "---\ntype: Workload\nname: w%u\ncgroup: /w%u\ntags: {of: w%u}\n%s", i, i, i, more);
}

static void add_list(struct text *text, const char *item, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		fputs(item, text->out);
}

/* NULL: accepted. */
static void end(struct text *text, const char *refusal)
{
	assert_int_equal(fclose(text->out), 0);
	if (refusal)
		assert_refused(text->bytes, refusal);
	else
		assert_accepted(text->bytes);
	free(text->bytes);
}

static void workloads_and_policies_that_are_too_many_together_are_refused(void **state)
{
	static const unsigned int counts[] = {7000, 7100};
	struct text text;

	(void)state;
	for (int too_many = 0; too_many <= 1; too_many++) {
		begin(&text);
		for (unsigned int i = 0; i < 7100; i++)
			fprintf(text.out, "---\ntype: MeshPassthrough\nname: p%u\nspec: {default: {passthroughMode: None}}\n", i);
		add_workloads(&text, counts[too_many], "");
		end(&text, too_many ? "error: 7100 Workloads and 7100 policies that may be for each of them are too many "
				      "together: more than 50000000 pairs"
				    : NULL);
	}
}

#define MODIFICATION "    - cluster: {operation: Patch, value: 'connectTimeout: 1s'}\n"
#define PATCH(name, target) \
	"---\ntype: MeshProxyPatch\nname: " name "\nspec:\n  targetRef: {" target "}\n  default:\n    appendModifications:\n"

/* A great patch for all of them; with one more for each, no two have the same set. */
static void add_patches(struct text *text, unsigned int workloads, bool are_distinct)
{
	begin(text);
	fputs(PATCH("all", "kind: Mesh"), text->out);
	add_list(text, MODIFICATION, 1000);
	for (unsigned int i = 0; are_distinct && i < workloads; i++)
		fprintf(text->out, PATCH("p%u", "kind: MeshSubset, tags: {of: w%u}") MODIFICATION, i, i);
	add_workloads(text, workloads, "");
}

static void modifications_that_meet_in_too_many_ways_are_refused(void **state)
{
	struct text text;

	(void)state;
	add_patches(&text, 1000, true);
	end(&text, "error: more than 1000000 modifications by MeshProxyPatches and ProxyTemplates");
}

static void modifications_that_all_workloads_have_are_looked_at_once(void **state)
{
	struct text text;

	(void)state;
	add_patches(&text, 5000, false);
	end(&text, NULL);
}

static void outbounds_of_one_dataplane_for_too_many_workloads_are_refused(void **state)
{
	struct text text;

	(void)state;
	begin(&text);
	fputs("type: Dataplane\nname: d\nnetworking:\n  address: 10.0.0.1\n"
	      "  inbound: [{port: 80, tags: {kuma.io/service: a}}]\n  outbound:\n", text.out);
	add_list(&text, "  - {address: 10.0.0.2, port: 80, tags: {kuma.io/service: b}}\n", 1001);
	add_workloads(&text, 1000, "dataplane: d\n");
	end(&text, "error: dataplane: more than 1000000 outbounds of Dataplanes, those of each Workload counted");
}

static void ranges_of_the_node_for_too_many_meshes_are_refused(void **state)
{
	struct text text;

	(void)state;
	begin(&text);
	fputs("type: Node\nname: n\nresolvers: [10.0.0.53]\nmeshCIDRs:\n", text.out);
	add_list(&text, "- 10.0.0.0/8\n", 1000);
	for (unsigned int i = 0; i < 1000; i++)
		fprintf(text.out, "---\ntype: Mesh\nname: m%u\n", i);
	end(&text, "p.yaml:1:1: error: meshCIDRs: more than 1000000 ranges and resolvers, those of each Mesh counted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workloads_and_policies_that_are_too_many_together_are_refused),
		cmocka_unit_test(modifications_that_meet_in_too_many_ways_are_refused),
		cmocka_unit_test(modifications_that_all_workloads_have_are_looked_at_once),
		cmocka_unit_test(outbounds_of_one_dataplane_for_too_many_workloads_are_refused),
		cmocka_unit_test(ranges_of_the_node_for_too_many_meshes_are_refused),
	};

	return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
