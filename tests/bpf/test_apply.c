/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Policies that do not fit: whatever fails on the way, the old policy stays in
 * force, and the next one that fits is applied whole. Both banks are read back.
 */
#include "support.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "../lib/support/cgroup.h"
#include "../lib/support/image.h"
#include "../lib/support/socket.h"
#include "base/cleanup.h"

#define SLOT 1u
#define SCOPE 1u
#define CAPACITY 8u
/* Far more than a reader needs that gives up. */
#define READER_STOPS_MAX 20000u
#define FIRST 0x0a000001u /* 10.0.0.1 */

/* A mesh of the addresses from 10.0.0.1 on, each with the same ports. */
struct policy {
	uint32_t addresses;
	uint16_t first_port;
	uint16_t ports;
	bool passthrough;
};

static struct eg_image *compile(const struct policy *policy)
{
	struct eg_scope scope = {.id = SCOPE, .name = "default"};
	struct eg_subject subject = subject_of(SLOT, &scope);
	struct eg_image *image;

	subject.passthrough = policy->passthrough;
	for (uint32_t i = 0; i < policy->addresses * policy->ports; i++)
		scope_add(&scope, EG_CLASS_MESH, prefix_of_ipv4(FIRST + i / policy->ports),
			  (uint16_t)(policy->first_port + i % policy->ports), EG_PROTO_UDP);
	image = image_of(&subject);
	eg_array_clear(&scope.rules);
	return image;
}

static int apply(struct eg_datapath *datapath, const struct policy *policy)
{
	struct eg_image *image = compile(policy);
	int r = eg_datapath_apply(datapath, &image);

	/* Taken over when it is in force, and only then. */
	assert_int_equal(image == NULL, r == 0);
	eg_image_free(image);
	return r;
}

/* ---- what the maps hold ---- */

static int bank_map(const struct eg_datapath *datapath, const char *table, unsigned int bank)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "eg_%s_%u", table, bank);
	fd = eg_datapath_map_fd(datapath, name);
	assert_true(fd >= 0);
	return fd;
}

static size_t count_entries(int fd)
{
	struct eg_prefix_key key; /* the longest of all */
	void *previous = NULL;
	size_t count = 0;

	while (bpf_map_get_next_key(fd, previous, &key) == 0) {
		previous = &key;
		count++;
	}
	return count;
}

static struct eg_control read_control(const struct eg_datapath *datapath)
{
	struct eg_control control;
	__u32 zero = 0;

	assert_int_equal(bpf_map_lookup_elem(eg_datapath_map_fd(datapath, "eg_control"), &zero, &control), 0);
	return control;
}

static bool has_address(const struct eg_datapath *datapath, unsigned int bank, uint32_t i)
{
	struct eg_addr_key key = {SCOPE, EG_FAMILY_IPV4, {{htonl(FIRST + i)}}};
	struct eg_rules rules;

	return bpf_map_lookup_elem(bank_map(datapath, "exact", bank), &key, &rules) == 0;
}

static void assert_bank_holds(const struct eg_datapath *datapath, unsigned int bank, const struct policy *policy)
{
	_cleanup_free_ struct eg_workload_policy *workload = calloc(1, sizeof(*workload));
	__u32 slot = SLOT;

	assert_int_equal(bpf_map_lookup_elem(bank_map(datapath, "workloads", bank), &slot, workload), 0);
	assert_int_equal(workload->flags,
			 EG_WORKLOAD_PRESENT | (policy->passthrough ? EG_WORKLOAD_PASSTHROUGH : EG_WORKLOAD_GUARDED));
	assert_int_equal(count_entries(bank_map(datapath, "exact", bank)), policy->addresses);
	assert_int_equal(count_entries(bank_map(datapath, "prefixes", bank)), 0);
	assert_int_equal(count_entries(bank_map(datapath, "ports", bank)), policy->ports);
	for (uint32_t i = 0; i < policy->addresses; i++)
		assert_true(has_address(datapath, bank, i));
}

static void assert_both_banks_hold(const struct eg_datapath *datapath, const struct policy *policy)
{
	for (unsigned int bank = 0; bank < EG_BANKS; bank++)
		assert_bank_holds(datapath, bank, policy);
}

/* ---- tests ---- */

static const struct policy small = {.addresses = 3, .first_port = 100, .ports = 1};
static const struct policy fitting = {.addresses = CAPACITY, .first_port = 200, .ports = 2, .passthrough = true};
static const struct policy too_many = {.addresses = CAPACITY + 1, .first_port = 300, .ports = 1, .passthrough = true};
/* Fails once workloads and addresses are written. */
static const struct policy too_many_ports = {.addresses = 2, .first_port = 400, .ports = CAPACITY + 1};

static void both_banks_hold_what_was_applied(void **state)
{
	static const struct policy *const policies[] = {&small, &fitting, &small, &fitting};
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, CAPACITY);

	(void)state;
	assert_int_equal(eg_datapath_generation(datapath), 0);
	for (size_t i = 0; i < EG_COUNT_OF(policies); i++) {
		assert_int_equal(apply(datapath, policies[i]), 0);
		assert_both_banks_hold(datapath, policies[i]);
		assert_int_equal(read_control(datapath).generation, i + 1);
	}
	assert_int_equal(eg_datapath_generation(datapath), EG_COUNT_OF(policies));
}

static void a_policy_that_does_not_fit_leaves_the_old_one_in_force_and_the_next_is_applied_whole(void **state)
{
	static const struct policy *const failures[] = {&too_many, &too_many_ports, &too_many};
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, CAPACITY);
	struct eg_control before, after;

	(void)state;
	assert_int_equal(apply(datapath, &small), 0);
	before = read_control(datapath);
	for (size_t i = 0; i < EG_COUNT_OF(failures); i++) {
		assert_int_equal(apply(datapath, failures[i]), -E2BIG);
		after = read_control(datapath);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_bank_holds(datapath, after.active, &small);
		assert_int_equal(eg_datapath_generation(datapath), 1);
	}
	assert_int_equal(apply(datapath, &fitting), 0);
	assert_both_banks_hold(datapath, &fitting);
	assert_int_equal(eg_datapath_generation(datapath), 2);
}

static void the_policy_in_force_can_be_applied_again_after_a_failure(void **state)
{
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, CAPACITY);

	(void)state;
	assert_int_equal(apply(datapath, &small), 0);
	assert_int_equal(apply(datapath, &too_many_ports), -E2BIG);
	assert_int_equal(apply(datapath, &small), 0);
	assert_both_banks_hold(datapath, &small);
}

static void a_first_policy_that_does_not_fit_leaves_none(void **state)
{
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, CAPACITY);
	struct eg_control control;

	(void)state;
	assert_int_equal(apply(datapath, &too_many), -E2BIG);
	control = read_control(datapath);
	assert_int_equal(control.generation, 0);
	assert_int_equal(count_entries(bank_map(datapath, "exact", control.active)), 0);
	assert_int_equal(apply(datapath, &fitting), 0);
	assert_both_banks_hold(datapath, &fitting);
}

static void a_failure_in_a_later_batch_is_mended_too(void **state)
{
	static const struct policy fits = {.addresses = 5000, .first_port = 1, .ports = 1};
	static const struct policy does_not = {.addresses = 9000, .first_port = 1, .ports = 1};
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, 5000);

	(void)state;
	assert_int_equal(apply(datapath, &small), 0);
	assert_int_equal(apply(datapath, &does_not), -E2BIG);
	assert_bank_holds(datapath, read_control(datapath).active, &small);
	assert_int_equal(apply(datapath, &fits), 0);
	assert_both_banks_hold(datapath, &fits);
}

/* Something in the old bank makes the replay fail, when the new policy is in force already. */
static void a_replay_that_fails_is_mended_by_the_next_policy(void **state)
{
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, CAPACITY);
	struct eg_rules rules = {};
	unsigned int old;

	(void)state;
	assert_int_equal(apply(datapath, &small), 0);
	old = read_control(datapath).active;
	for (uint32_t i = small.addresses; i < CAPACITY; i++) {
		struct eg_addr_key key = {SCOPE + 1, EG_FAMILY_IPV4, {{htonl(0x0b000001 + i)}}};

		assert_int_equal(bpf_map_update_elem(bank_map(datapath, "exact", old), &key, &rules, BPF_ANY), 0);
	}
	assert_int_equal(apply(datapath, &fitting), 0);
	assert_int_equal(read_control(datapath).active, !old);
	assert_bank_holds(datapath, !old, &fitting);
	assert_int_equal(apply(datapath, &small), 0);
	assert_both_banks_hold(datapath, &small);
}

/* What nobody could read is no shorter policy: the next one would leave what it has not seen where it stands. */
static void a_table_that_cannot_be_read_to_its_end_is_no_policy(void **state)
{
	static const struct policy later = {.addresses = CAPACITY, .first_port = 500, .ports = 1};
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, CAPACITY);
	struct eg_maps maps = eg_datapath_maps(datapath);
	_cleanup_(eg_image_freep) struct eg_image *image = NULL;
	unsigned int active;

	(void)state;
	assert_int_equal(apply(datapath, &later), 0);
	active = read_control(datapath).active;
	assert_int_equal(eg_maps_read_image(&maps, &image), 0);
	assert_int_equal(image->tables[EG_TABLE_EXACT].count, later.addresses);
	image = eg_image_free(image);
	for (enum eg_table table = 0; table < EG_TABLE_COUNT; table++) {
		const int fd = maps.tables[active][table];

		maps.tables[active][table] = -1;
		assert_int_equal(eg_maps_read_image(&maps, &image), -EBADF);
		maps.tables[active][table] = fd;
	}
}

static void write_generation(const struct eg_datapath *datapath, uint64_t generation)
{
	struct eg_control control = read_control(datapath);
	__u32 zero = 0;

	control.generation = generation;
	assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(datapath, "eg_control"), &zero, &control, BPF_ANY), 0);
}

/* A process that stops at each of its system calls. */
static pid_t start_reader(const struct eg_datapath *datapath)
{
	struct eg_maps maps = eg_datapath_maps(datapath);
	struct eg_image *image = NULL;
	pid_t reader = fork();
	int r;

	if (reader != 0)
		return reader;
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	r = eg_maps_read_image(&maps, &image);
	eg_image_free(image);
	_exit(-r);
}

static void a_policy_that_changes_whenever_it_is_read_is_given_up(void **state)
{
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, CAPACITY);
	uint64_t generation;
	pid_t reader;
	int status;

	(void)state;
	assert_int_equal(apply(datapath, &small), 0);
	generation = read_control(datapath).generation;
	reader = start_reader(datapath);
	for (unsigned int stops = 0; waitpid(reader, &status, 0) == reader && WIFSTOPPED(status); stops++) {
		/* By two: the same bank is the active one. */
		write_generation(datapath, generation += 2);
		if (stops == READER_STOPS_MAX)
			kill(reader, SIGKILL);
		ptrace(PTRACE_SYSCALL, reader, NULL, NULL);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ESTALE);
}

static void whether_a_cgroup_is_enrolled_is_no_when_the_kernel_says_so_and_then_alone(void **state)
{
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, CAPACITY);
	struct eg_maps maps = eg_datapath_maps(datapath);

	(void)state;
	assert_false(eg_maps_is_enrolled(&maps, 7));
	maps.enrolled = -1;
	assert_true(eg_maps_is_enrolled(&maps, 7));
}

/* ---- what sockets see ---- */

/* The errno of a UDP connect, which sends nothing, from within the cgroup. */
static int connect_inside(const struct eg_cgroup *cgroup, const char *address, uint16_t port)
{
	struct target target = {AF_INET, SOCK_DGRAM, address, .port = port};

	return cgroup_run(cgroup, attempt_all, &target);
}

static void sockets_are_judged_by_the_old_policy_after_a_failure_and_by_the_next_one_then(void **state)
{
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, CAPACITY);
	struct eg_cgroup cgroup = cgroup_make("apply");
	struct eg_links *links;

	(void)state;
	assert_int_equal(eg_datapath_enrol(datapath, cgroup.fd, SLOT, &links), 0);

	assert_int_equal(apply(datapath, &too_many), -E2BIG);
	assert_int_equal(connect_inside(&cgroup, "10.0.0.1", too_many.first_port), EPERM);
	assert_int_equal(apply(datapath, &small), 0);
	assert_int_not_equal(connect_inside(&cgroup, "10.0.0.1", small.first_port), EPERM);
	assert_int_equal(apply(datapath, &too_many), -E2BIG);
	/* it would have passthrough, and another port */
	assert_int_equal(connect_inside(&cgroup, "192.0.2.1", 80), EPERM);
	assert_int_equal(connect_inside(&cgroup, "10.0.0.1", too_many.first_port), EPERM);
	assert_int_not_equal(connect_inside(&cgroup, "10.0.0.1", small.first_port), EPERM);
	assert_int_equal(apply(datapath, &fitting), 0);
	assert_int_not_equal(connect_inside(&cgroup, "192.0.2.1", 80), EPERM);

	eg_links_free(links);
	cgroup_end(&cgroup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_banks_hold_what_was_applied),
		cmocka_unit_test(a_policy_that_does_not_fit_leaves_the_old_one_in_force_and_the_next_is_applied_whole),
		cmocka_unit_test(the_policy_in_force_can_be_applied_again_after_a_failure),
		cmocka_unit_test(a_first_policy_that_does_not_fit_leaves_none),
		cmocka_unit_test(a_failure_in_a_later_batch_is_mended_too),
		cmocka_unit_test(a_replay_that_fails_is_mended_by_the_next_policy),
		cmocka_unit_test(a_table_that_cannot_be_read_to_its_end_is_no_policy),
		cmocka_unit_test(a_policy_that_changes_whenever_it_is_read_is_given_up),
		cmocka_unit_test(whether_a_cgroup_is_enrolled_is_no_when_the_kernel_says_so_and_then_alone),
		cmocka_unit_test(sockets_are_judged_by_the_old_policy_after_a_failure_and_by_the_next_one_then),
	};

	return cmocka_run_group_tests_name("apply", tests, NULL, NULL);
}
