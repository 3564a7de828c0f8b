/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "generate.h"
#include "interpret.h"
#include "policy/eval.h"

void fuzz_check_at(bool holds, const char *what, const char *file, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

char *fuzz_text(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1);

	fuzz_check(text);
	if (len > 0)
		memcpy(text, bytes, len);
	text[len] = '\0';
	return text;
}

static void compare_flow(const struct eg_image *image, const struct generator *generator,
			 const struct eg_subject *subject, const struct eg_flow *flow)
{
	const struct eg_decision by_rules = eg_eval(subject, flow, NULL);
	const struct eg_decision by_image =
		interpret_image(image, subject ? subject->slot : GENERATE_SLOTS_MAX, flow);

	if (memcmp(&by_rules, &by_image, sizeof(by_rules)) == 0)
		return;
	generate_print(stderr, generator, subject, flow);
	fprintf(stderr, "the rules say reason %d, the image %d\n", by_rules.reason, by_image.reason);
	abort();
}

void fuzz_compare(const struct eg_ruleset *rules, struct generator *generator, unsigned int flows)
{
	static const struct eg_capacity roomy = {.max_entries = {1u << 20, 1u << 20, 1u << 20, 1u << 20}};
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	int r = eg_image_compile(rules, &roomy, &diag, &image);

	fuzz_check(r == 0 || (r == -ENOSPC && eg_diag_has_errors(&diag)));
	for (unsigned int i = 0; r == 0 && i < flows; i++) {
		const struct eg_subject *subject = generate_subject(generator, rules);
		const struct eg_flow flow = generate_flow(generator, subject);

		compare_flow(image, generator, subject, &flow);
	}
}
