/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../lib/support/policy.h"
#include "config/kinds.h"

static void foreign_kinds_are_skipped_with_a_note(void **state)
{
	(void)state;
	assert_findings("apiVersion: apps/v1\nkind: Deployment\nmetadata: {}\n",
			"p.yaml:2:7: note: skipped: Deployment is no kind that egressd reads\n");
	assert_findings("type: MeshTrace\nname: a\n",
			"p.yaml:1:7: note: skipped: MeshTrace is no kind that egressd reads\n");
}

static void a_misspelt_kind_is_refused(void **state)
{
	(void)state;
	assert_refused("type: Mehs\nname: a\n",
		       "p.yaml:1:7: error: type: unknown kind \"Mehs\"; did you mean \"Mesh\"?");
	assert_refused("type: workload\nname: a\n", "did you mean \"Workload\"?");
	assert_refused("kind: Dataplan\napiVersion: kuma.io/v1alpha1\n", "kind: unknown kind");
}

/* Whatever else is wrong with it: in Kuma the second would replace the first. */
static void two_documents_of_one_kind_mesh_and_name_are_refused_for_every_kind(void **state)
{
	char text[256], refusal[128];
	const struct eg_kind *kind;
	size_t count = 0;

	(void)state;
	for (size_t i = 0; (kind = eg_kind_at(i)); i++) {
		if (!kind->schema || kind->naming == EG_NAMED_FREELY)
			continue;
		snprintf(text, sizeof(text), "type: %s\nname: a\nmesh: default\n---\ntype: %s\nname: a\n", kind->name,
			 kind->name);
		snprintf(refusal, sizeof(refusal), "p.yaml:5:1: error: %s \"a\" is already defined in p.yaml:1:1;",
			 kind->name);
		assert_refused(text, refusal);
		count++;
	}
	assert_true(count >= 10);
}

static void a_second_node_is_refused_whatever_its_name(void **state)
{
	(void)state;
	assert_findings("type: Node\nname: a\n---\ntype: Node\nname: b\n",
			"p.yaml:4:1: error: a second Node: the first is in p.yaml:1:1; put all settings of this node "
			"into one\n");
	assert_findings("type: Node\nname: a\n---\ntype: Node\nname: a\n",
			"p.yaml:4:1: error: a second Node: the first is in p.yaml:1:1; put all settings of this node "
			"into one\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_kinds_are_skipped_with_a_note),
		cmocka_unit_test(a_misspelt_kind_is_refused),
		cmocka_unit_test(two_documents_of_one_kind_mesh_and_name_are_refused_for_every_kind),
		cmocka_unit_test(a_second_node_is_refused_whatever_its_name),
	};

	return cmocka_run_group_tests_name("kinds", tests, NULL, NULL);
}
