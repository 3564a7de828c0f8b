/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * No connect ever sees a mix of two policies. Both allow one address and block
 * another, by entries that have nothing in common: a program that takes one entry
 * of the old policy and the next of the new gives a verdict that neither has.
 */
#include "support.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../lib/support/cgroup.h"
#include "../lib/support/image.h"
#include "base/cleanup.h"
#include "policy/diff.h"

#define SLOT 1u
#define RELOADS 2000u
#define ADDRESSES 100u
#define FIRST 0x0a000001u		/* 10.0.0.1 */
#define ALWAYS_ALLOWED (FIRST + 7)
#define ALWAYS_BLOCKED (FIRST + 8)
#define PORT 7777u
#define DECOY_PORT 8888u

static struct eg_image *compile_scope(const struct eg_scope *scope)
{
	const struct eg_subject subject = subject_of(SLOT, scope);

	return image_of(&subject);
}

static void add_rule(struct eg_scope *scope, enum eg_class class, uint32_t address, uint16_t port)
{
	scope_add(scope, class, prefix_of_ipv4(address), port, EG_PROTO_UDP);
}

/*
 * Each policy has a scope, a class and port sets of its own. In the scope of the one
 * every address is listed; that of the other is only reached from its own workload
 * entry. So the workload's entry of either, taken with the other's addresses, finds
 * nothing, and blocks what both allow.
 */
static struct eg_image *compile_policy(unsigned int which)
{
	struct eg_scope scope = {.id = 1 + which, .name = "default"};
	enum eg_class class = which ? EG_CLASS_MATCHED : EG_CLASS_MESH;
	struct eg_image *image;

	for (uint32_t i = 0; i < ADDRESSES; i++) {
		uint32_t address = FIRST + i;

		/* Sets of ports that no two policies share, so that the sets' numbers mean other things in each. */
		add_rule(&scope, class, address, (uint16_t)(DECOY_PORT + (which ? i : ADDRESSES - i)));
		if (address == ALWAYS_ALLOWED || (address != ALWAYS_BLOCKED && i % 2 == which))
			add_rule(&scope, class, address, PORT);
	}
	image = compile_scope(&scope);
	eg_array_clear(&scope.rules);
	return image;
}

/* ---- the watcher ---- */

/* What the process within the cgroup has seen; in memory that both share. */
struct seen {
	volatile uint64_t connects;
	volatile uint64_t wrongly_blocked;
	volatile uint64_t wrongly_allowed;
};

/* UDP: connect() sends nothing, and may be called again on the same socket. */
static int connect_to(int fd, uint32_t address)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(address)};

	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int watch_verdicts(void *argument)
{
	struct seen *seen = argument;
	int fd;

	/* A socket belongs to the cgroup that it was made in. */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 1;
	/* A flip falls between two reads of one decision only if most of the time is spent deciding. */
	for (;;) {
		for (int i = 0; i < 8; i++)
			seen->wrongly_blocked += connect_to(fd, ALWAYS_ALLOWED) == EPERM;
		seen->wrongly_allowed += connect_to(fd, ALWAYS_BLOCKED) != EPERM;
		seen->connects += 9;
	}
}

static void no_connect_sees_a_mix_of_two_policies_over_thousands_of_reloads(void **state)
{
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, 1u << 15);
	struct seen *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct eg_image *image = compile_policy(0);
	struct eg_cgroup cgroup = cgroup_make("mix");
	struct eg_links *links;
	uint64_t before;
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(seen, MAP_FAILED);
	assert_int_equal(eg_datapath_apply(datapath, &image), 0);
	assert_int_equal(eg_datapath_enrol(datapath, cgroup.fd, SLOT, &links), 0);
	pid = cgroup_start(&cgroup, watch_verdicts, seen);

	for (unsigned int i = 1; i <= RELOADS; i++) {
		image = compile_policy(i % 2);
		assert_int_equal(eg_datapath_apply(datapath, &image), 0);
	}
	/* The watcher is still at it: none of the reloads went unseen. */
	before = seen->connects;
	while (seen->connects == before)
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	cgroup_kill(pid);
	eg_links_free(links);
	cgroup_end(&cgroup);

	print_message("# %u reloads, %llu connects\n", RELOADS, (unsigned long long)seen->connects);
	assert_true(seen->connects > RELOADS);
	assert_int_equal(seen->wrongly_blocked, 0);
	assert_int_equal(seen->wrongly_allowed, 0);
	munmap(seen, sizeof(*seen));
}

/* ---- how much is written ---- */

#define MANY 10000u

static struct eg_image *compile_many(uint32_t extra)
{
	struct eg_scope scope = {.id = 1, .name = "default"};
	struct eg_image *image;

	for (uint32_t i = 0; i < MANY + extra; i++)
		add_rule(&scope, EG_CLASS_MESH, FIRST + i, 0);
	image = compile_scope(&scope);
	eg_array_clear(&scope.rules);
	return image;
}

static size_t written_between(const struct eg_image *from, const struct eg_image *to)
{
	_cleanup_(eg_diff_freep) struct eg_diff *diff = NULL;
	size_t count = 0;

	assert_int_equal(eg_image_diff(from, to, &diff), 0);
	for (enum eg_table table = 0; table < EG_TABLE_COUNT; table++)
		count += diff->tables[table].put.count + diff->tables[table].remove.count;
	return count;
}

static void mark(const struct eg_datapath *datapath, const char *map, uint32_t address, const struct eg_rules *rules)
{
	struct eg_addr_key key = {1, EG_FAMILY_IPV4, {{htonl(address)}}};

	assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(datapath, map), &key, rules, BPF_EXIST), 0);
}

static bool is_marked(const struct eg_datapath *datapath, const char *map, uint32_t address,
		      const struct eg_rules *wanted)
{
	struct eg_addr_key key = {1, EG_FAMILY_IPV4, {{htonl(address)}}};
	struct eg_rules rules;

	assert_int_equal(bpf_map_lookup_elem(eg_datapath_map_fd(datapath, map), &key, &rules), 0);
	return memcmp(&rules, wanted, sizeof(rules)) == 0;
}

/* Entries are changed behind the datapath's back: what it writes loses the mark, what it leaves alone keeps it. */
static void one_rule_more_among_ten_thousand_writes_one_entry_to_each_bank(void **state)
{
	static const struct eg_rules marked = {.classes = {[EG_CLASS_MESH] = {.any_port = EG_PROTO_TCP}}};
	static const char *const banks[] = {"eg_exact_0", "eg_exact_1"};
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOT + 1, 1u << 15);
	_cleanup_(eg_image_freep) struct eg_image *before = compile_many(0);
	struct eg_image *image = compile_many(0), *more = compile_many(1);

	(void)state;
	assert_int_equal(written_between(before, more), 1);
	assert_int_equal(eg_datapath_apply(datapath, &image), 0);
	for (size_t bank = 0; bank < EG_BANKS; bank++)
		for (uint32_t i = 0; i < MANY; i++)
			mark(datapath, banks[bank], FIRST + i, &marked);
	assert_int_equal(eg_datapath_apply(datapath, &more), 0);
	for (size_t bank = 0; bank < EG_BANKS; bank++) {
		for (uint32_t i = 0; i < MANY; i++)
			assert_true(is_marked(datapath, banks[bank], FIRST + i, &marked));
		assert_false(is_marked(datapath, banks[bank], FIRST + MANY, &marked));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_connect_sees_a_mix_of_two_policies_over_thousands_of_reloads),
		cmocka_unit_test(one_rule_more_among_ten_thousand_writes_one_entry_to_each_bank),
	};

	return cmocka_run_group_tests_name("mix", tests, NULL, NULL);
}
