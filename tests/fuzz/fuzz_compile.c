/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bytes choose documents, and destinations near what these say. Four readings must
 * agree: the documents themselves, the rules made of them, and the image, looked up as
 * the kernel's programs do it; then also for rules that no document leads to.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../lib/support/fuzz.h"
#include "../lib/support/generate.h"
#include "../lib/support/interpret.h"
#include "base/cleanup.h"
#include "policy/eval.h"

#define FLOWS 16

static void compare_flow(const struct eg_model *model, const struct eg_ruleset *rules, struct generator *generator)
{
	const size_t place = generate_below(generator, (uint32_t)rules->subjects.len);
	const struct eg_subject *subject = rules->subjects.items[place];
	const struct eg_flow flow = generate_flow(generator, subject);
	const enum eg_reason wanted = interpret_model(model, model->workloads.items[place], &flow);
	const struct eg_decision found = eg_eval(subject, &flow, NULL);

	if (found.reason == wanted)
		return;
	generate_print(stderr, generator, subject, &flow);
	fprintf(stderr, "workload %s: the documents say reason %d, the rules %d\n", subject->name, wanted, found.reason);
	abort();
}

static void compare_model(struct generator *generator)
{
	_cleanup_(eg_model_freep) struct eg_model *model = generate_model(generator);
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;

	fuzz_check(eg_rules_resolve(model, NULL, 0, &rules) == 0);
	for (unsigned int i = 0; i < FLOWS; i++)
		compare_flow(model, rules, generator);
	fuzz_compare(rules, generator, FLOWS);
}

static void compare_ruleset(struct generator *generator)
{
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = generate_ruleset(generator);

	fuzz_compare(rules, generator, FLOWS);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct generator generator = generator_of_bytes(bytes, len);

	if (generate_below(&generator, 4) == 0)
		compare_ruleset(&generator);
	else
		compare_model(&generator);
	return 0;
}
