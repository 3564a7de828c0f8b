/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_GENERATE_H
#define EG_TESTS_GENERATE_H

/*
 * Rulesets and flows at random, for comparing implementations of the decision. The
 * same seed gives the same values everywhere. They come from small pools, so that
 * rules nest, meet and contradict one another and flows stand on their borders.
 *
 *   struct generator generator = generator_new(seed);
 *   struct eg_ruleset *rules = generate_ruleset(&generator);
 *   const struct eg_subject *subject = generate_subject(&generator, rules);
 *   struct eg_flow flow = generate_flow(&generator, subject);
 *   ... on failure: generate_print(stderr, &generator, subject, &flow);
 *   eg_ruleset_free(rules);
 *
 * Whatever lacks memory aborts.
 */
#include <stdint.h>
#include <stdio.h>

#include "policy/rules.h"

/* Subjects of a generated ruleset have slots below this, not all of them in use. */
#define GENERATE_SLOTS_MAX 256

struct generator {
	uint64_t seed;
	uint64_t state;
	const uint8_t *choices; /* made before any at random */
	size_t choices_left;
};

struct generator generator_new(uint64_t seed);
/* Chooses what the bytes say as long as there are any: for fuzzers, whose changes of a byte change a choice. */
struct generator generator_of_bytes(const uint8_t *bytes, size_t len);

/* 0 to limit - 1; limit is not 0. */
uint32_t generate_below(struct generator *generator, uint32_t limit);

/* Usually a few scopes and subjects, sometimes none, sometimes many. For eg_ruleset_free(). */
struct eg_ruleset *generate_ruleset(struct generator *generator);

/* Gives the subjects of a generated ruleset modes of mTLS, sources and service ports. */
void generate_incoming(struct generator *generator, struct eg_ruleset *rules);

/*
 * Documents of one mesh: its switch, a Node, Dataplanes, ExternalServices, Workloads
 * with tags, exclusions and allow lists, and MeshPassthroughs for all of them, some
 * or none. For eg_model_free().
 */
struct eg_model *generate_model(struct generator *generator);

/* One of the ruleset's, or NULL for a cgroup without policy. */
const struct eg_subject *generate_subject(struct generator *generator, const struct eg_ruleset *rules);

/* Often one that a rule of the subject just reaches or just misses. It may be mapped. subject may be NULL. */
struct eg_flow generate_flow(struct generator *generator, const struct eg_subject *subject);

/* The same for a client that comes in. */
struct eg_flow generate_client(struct generator *generator, const struct eg_subject *subject);

/* The flow as the kernel's programs see it: a mapped address is IPv4. */
struct eg_flow generate_normalised(const struct eg_flow *flow);

/* The seed, the flow and all rules that the subject has. */
void generate_print(FILE *out, const struct generator *generator, const struct eg_subject *subject,
		    const struct eg_flow *flow);

#endif
