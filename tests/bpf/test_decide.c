/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bpf/decide.bpf.h on this kernel against policy/eval.c, on generated policies and flows. */
#include "support.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/support/generate.h"
#include "../lib/support/object.h"
#include "base/cleanup.h"
#include "datapath/datapath.h"
#include "policy/eval.h"
#include "probe.h"

#define POLICIES 500
#define FLOWS_A_POLICY 300 /* 150,000 pairs */
#define UNUSED_SLOT GENERATE_SLOTS_MAX

struct bench {
	struct eg_datapath *datapath;
	struct bpf_object *object;
	int program_fd;
	int incoming_fd;
	size_t compared;
	size_t families[2];
	size_t reasons[EG_REASON_COUNT];
};

static int set_up(void **state)
{
	struct eg_datapath_options options = {
		.slots = GENERATE_SLOTS_MAX + 1,
		.capacity = {.max_entries = {0, 1 << 16, 1 << 16, 1 << 16}},
		.destinations = 1,
		.leases = 1,
		.destination_quota = 1,
	};
	struct bench *bench = calloc(1, sizeof(*bench));
	char *problem = NULL;

	if (geteuid() != 0)
		return 0;
	assert_non_null(bench);
	assert_int_equal(eg_datapath_load(&options, &bench->datapath, &problem), 0);
	bench->object = object_load(bench->datapath, "decide");
	bench->program_fd = object_program_fd(bench->object, "eg_decide");
	bench->incoming_fd = object_program_fd(bench->object, "eg_incoming");
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	if (bench) {
		bpf_object__close(bench->object);
		eg_datapath_free(bench->datapath);
	}
	free(bench);
	return 0;
}

static struct eg_decision ask_kernel(const struct bench *bench, uint32_t slot, const struct eg_flow *flow)
{
	struct eg_probe probe = {.slot = slot, .flow = *flow};
	struct eg_decision decision;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &probe, .data_size_in = sizeof(probe));

	assert_int_equal(bpf_prog_test_run_opts(bench->program_fd, &options), 0);
	assert_true(options.retval != EG_PROBE_FAILED);
	memcpy(&decision, &options.retval, sizeof(decision));
	return decision;
}

static void compare(struct bench *bench, const struct generator *generator, const struct eg_subject *subject,
		    const struct eg_flow *flow)
{
	struct eg_place place;
	struct eg_decision wanted = eg_eval_connect(subject, flow, NULL, &place);
	struct eg_decision found = ask_kernel(bench, subject ? subject->slot : UNUSED_SLOT, flow);

	bench->compared++;
	bench->families[flow->family == EG_FAMILY_IPV6]++;
	bench->reasons[wanted.reason]++;
	if (memcmp(&wanted, &found, sizeof(wanted)) == 0)
		return;
	generate_print(stderr, generator, subject, flow);
	fail_msg("the reference says verdict %u reason %u errno %u, the kernel %u %u %u", wanted.verdict,
		 wanted.reason, wanted.block_errno, found.verdict, found.reason, found.block_errno);
}

static void compare_ruleset(struct bench *bench, struct generator *generator, const struct eg_ruleset *rules)
{
	struct eg_capacity capacity = eg_datapath_max_capacity();
	struct eg_diag diag = {};
	struct eg_image *image = NULL;

	assert_int_equal(eg_image_compile(rules, &capacity, &diag, &image), 0);
	assert_int_equal(eg_datapath_apply(bench->datapath, &image), 0);
	for (unsigned int i = 0; i < FLOWS_A_POLICY; i++) {
		const struct eg_subject *subject = generate_subject(generator, rules);
		struct eg_flow flow = generate_flow(generator, subject);

		compare(bench, generator, subject, &flow);
	}
	eg_diag_clear(&diag);
}

/* By way of documents every fifth time: what they make of lists that meet is as odd as anything made up. */
static void compare_policy(struct bench *bench, uint64_t seed)
{
	struct generator generator = generator_new(seed);
	_cleanup_(eg_model_freep) struct eg_model *model = seed % 5 == 0 ? generate_model(&generator) : NULL;
	_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = NULL;

	if (model)
		assert_int_equal(eg_rules_resolve(model, NULL, 0, &rules), 0);
	else
		rules = generate_ruleset(&generator);
	compare_ruleset(bench, &generator, rules);
}

/* 0xfffffffe where the client is not looked at. */
static uint32_t wanted_of_client(const struct eg_subject *subject, const struct eg_flow *flow)
{
	struct eg_decision decision = eg_eval_incoming(subject, flow, NULL);
	uint32_t wanted;

	memcpy(&wanted, &decision, sizeof(wanted));
	return eg_eval_is_judged(subject, flow) ? wanted : EG_PROBE_NOT_JUDGED;
}

static void compare_clients(const struct bench *bench, struct generator *generator, const struct eg_ruleset *rules,
			    size_t *counts)
{
	for (unsigned int i = 0; i < FLOWS_A_POLICY; i++) {
		const struct eg_subject *subject = generate_subject(generator, rules);
		const struct eg_flow flow = generate_client(generator, subject);
		struct eg_probe probe = {.slot = subject ? subject->slot : UNUSED_SLOT, .flow = flow};
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &probe, .data_size_in = sizeof(probe));
		const uint32_t wanted = wanted_of_client(subject, &flow);

		assert_int_equal(bpf_prog_test_run_opts(bench->incoming_fd, &options), 0);
		if (options.retval != wanted) {
			generate_print(stderr, generator, subject, &flow);
			fail_msg("the reference says %#x, the kernel %#x", wanted, options.retval);
		}
		counts[wanted == EG_PROBE_NOT_JUDGED ? EG_REASON_COUNT : eg_eval_incoming(subject, &flow, NULL).reason]++;
	}
}

static void the_kernel_lets_in_whom_the_reference_does(void **state)
{
	struct eg_capacity capacity = eg_datapath_max_capacity();
	size_t counts[EG_REASON_COUNT + 1] = {};
	struct bench *bench = *state;

	skip_unless_root();
	for (uint64_t seed = 1; seed <= POLICIES / 2; seed++) {
		struct generator generator = generator_new(seed);
		_cleanup_(eg_ruleset_freep) struct eg_ruleset *rules = generate_ruleset(&generator);
		struct eg_image *image = NULL;
		struct eg_diag diag = {};

		generate_incoming(&generator, rules);
		assert_int_equal(eg_image_compile(rules, &capacity, &diag, &image), 0);
		assert_int_equal(eg_datapath_apply(bench->datapath, &image), 0);
		compare_clients(bench, &generator, rules, counts);
		eg_diag_clear(&diag);
	}
	print_message("# %zu let in, %zu blocked, %zu without policy, %zu not looked at\n",
		      counts[EG_REASON_INCOMING_ALLOWED], counts[EG_REASON_INCOMING_BLOCKED],
		      counts[EG_REASON_BLOCKED_NO_POLICY], counts[EG_REASON_COUNT]);
	assert_true(counts[EG_REASON_INCOMING_ALLOWED] > 1000 && counts[EG_REASON_INCOMING_BLOCKED] > 1000);
	assert_true(counts[EG_REASON_BLOCKED_NO_POLICY] > 100 && counts[EG_REASON_COUNT] > 1000);
}

static void the_kernel_decides_as_the_reference_does(void **state)
{
	struct bench *bench = *state;

	skip_unless_root();
	for (uint64_t seed = 1; seed <= POLICIES; seed++)
		compare_policy(bench, seed);
	print_message("# %zu policies, %zu pairs (%zu IPv4, %zu IPv6) without a difference\n", (size_t)POLICIES,
		      bench->compared, bench->families[0], bench->families[1]);
	assert_true(bench->compared >= 100000);
	/* A comparison that never met a reason, or a family, says nothing about it. */
	assert_true(bench->families[0] > bench->compared / 10 && bench->families[1] > bench->compared / 10);
	for (enum eg_reason reason = 0; reason < EG_REASONS_DECIDED; reason++)
		assert_true(bench->reasons[reason] > 100);
	assert_true(bench->reasons[EG_REASON_REDIRECTED] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_decides_as_the_reference_does),
		cmocka_unit_test(the_kernel_lets_in_whom_the_reference_does),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
