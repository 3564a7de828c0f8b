/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * No connect ever sees a mix of two policies, in three ways:
 *
 * - Reloads as an agent makes them, while a client connects.
 * - The index word alone, flipped as fast as it can be written for four seconds,
 *   between two banks that hold two policies: a program that reads it again between
 *   two lookups gives a verdict that neither policy has. Wrong verdicts of a million
 *   connects, two CPUs, with a second read put into bpf/decide.bpf.h in front of
 *     the lookup of the workload, right behind the first read     1
 *     the mesh's rules                                          244
 *     the workload's own rules                                  256
 *     the lookup as a prefix                                   1779
 *     the lookup of the port                                    282
 *   Reloads alone find the second read before ports within 2,000, mostly.
 * - A program that is still in the old bank when the word flips. Without the wait in
 *   eg_datapath_apply() the replay overtakes it: found by the first policy, and by
 *   none of 2,000 reloads.
 */
#include "support.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "../lib/support/cgroup.h"
#include "../lib/support/image.h"
#include "../lib/support/object.h"
#include "../lib/support/slow.h"
#include "base/cleanup.h"
#include "linger.h"
#include "policy/diff.h"

#define SLOT 1u
#define OTHER_SLOT 2u
#define SLOTS 3u
#define OWN_SCOPE 3u
#define CAPACITY (1u << 15)
#define FLOWS 32u /* of each kind */
#define PORT 7777u
#define DECOY_PORT 8888u

/* ---- two policies ---- */

/*
 * What one policy allows, the other allows by other entries. Ours and another
 * workload's mesh have changed numbers, and the other's rules are the opposite of
 * ours: whoever takes the workload of one policy and the address of the other finds
 * the opposite. Sets of ports are in one policy only.
 */
enum kind {
	EXACT_ALLOWED,
	EXACT_BLOCKED,
	PREFIX_ALLOWED,
	PREFIX_BLOCKED,
	MESH_OR_OWN, /* allowed by the mesh's rules in one policy, by the workload's own in the other */
	KINDS,
};

static const char *const kind_names[KINDS] = {
	[EXACT_ALLOWED] = "address, allowed",
	[EXACT_BLOCKED] = "address, blocked",
	[PREFIX_ALLOWED] = "prefix, allowed",
	[PREFIX_BLOCKED] = "prefix, blocked",
	[MESH_OR_OWN] = "mesh or own rules",
};

static bool is_allowed(enum kind kind)
{
	return kind != EXACT_BLOCKED && kind != PREFIX_BLOCKED;
}

/* 10.KIND.i.1 */
static uint32_t address_of(enum kind kind, uint32_t i)
{
	return 10u << 24 | (uint32_t)kind << 16 | i << 8 | 1u;
}

static void add_rule(struct eg_scope *scope, enum kind kind, uint32_t i, bool allowed, unsigned int which)
{
	struct eg_prefix prefix = prefix_of_ipv4(address_of(kind, i));
	enum eg_class class = which ? EG_CLASS_MATCHED : EG_CLASS_MESH;

	if (kind == PREFIX_ALLOWED || kind == PREFIX_BLOCKED)
		prefix = (struct eg_prefix){EG_FAMILY_IPV4, 24, {{htonl(address_of(kind, i) & ~0xffu)}}};
	scope_add(scope, class, prefix, (uint16_t)(DECOY_PORT + which), EG_PROTO_UDP);
	if (allowed)
		scope_add(scope, class, prefix, PORT, EG_PROTO_UDP);
}

static struct eg_image *compile_policy(unsigned int which)
{
	struct eg_scope ours = {.id = 1 + which, .name = "ours"}, others = {.id = 2 - which, .name = "others"};
	struct eg_scope own = {.id = OWN_SCOPE, .name = "own"};
	struct eg_subject subjects[] = {subject_of(SLOT, &ours), subject_of(OTHER_SLOT, &others)};
	struct eg_image *image;

	subjects[0].own_scope = &own;
	for (enum kind kind = 0; kind < MESH_OR_OWN; kind++)
		for (uint32_t i = 0; i < FLOWS; i++) {
			add_rule(&ours, kind, i, is_allowed(kind), which);
			add_rule(&others, kind, i, !is_allowed(kind), which);
		}
	for (uint32_t i = 0; i < FLOWS; i++) {
		add_rule(&ours, MESH_OR_OWN, i, which == 0, which);
		add_rule(&own, MESH_OR_OWN, i, which == 1, which);
	}
	image = image_of_all(subjects, EG_COUNT_OF(subjects));
	eg_array_clear(&ours.rules);
	eg_array_clear(&others.rules);
	eg_array_clear(&own.rules);
	return image;
}

static void apply_policy(struct eg_datapath *datapath, unsigned int which)
{
	struct eg_image *image = compile_policy(which);

	assert_int_equal(eg_datapath_apply(datapath, &image), 0);
}

/* ---- the watcher ---- */

/* What the process within the cgroup has seen; in memory that both share. */
struct seen {
	volatile uint64_t connects;
	volatile uint64_t wrong[KINDS];
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
	/* A socket belongs to the cgroup that it was made in. */
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return EXIT_FAILURE;
	for (uint32_t i = 0;; i = (i + 1) % FLOWS)
		for (enum kind kind = 0; kind < KINDS; kind++) {
			seen->wrong[kind] += (connect_to(fd, address_of(kind, i)) != EPERM) != is_allowed(kind);
			seen->connects++;
		}
}

struct world {
	struct eg_datapath *datapath;
	struct eg_cgroup cgroup;
	struct eg_links *links;
	struct seen *seen;
	pid_t watcher;
};

/* A watcher under policy 0. */
static void make_world(struct world *world)
{
	world->datapath = datapath_load(SLOTS, CAPACITY);
	world->cgroup = cgroup_make("mix");
	apply_policy(world->datapath, 0);
	assert_int_equal(eg_datapath_enrol(world->datapath, world->cgroup.fd, SLOT, &world->links), 0);
	world->seen = mmap(NULL, sizeof(*world->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(world->seen, MAP_FAILED);
	world->watcher = cgroup_start(&world->cgroup, watch_verdicts, world->seen);
}

/* Of each kind flows were tried after this was called, too. */
static void wait_for_watcher(const struct world *world)
{
	uint64_t until = world->seen->connects + (uint64_t)KINDS * FLOWS;

	while (world->seen->connects < until)
		assert_int_equal(waitpid(world->watcher, NULL, WNOHANG), 0);
}

/* Ends it, and fails when the watcher has seen what no policy says. */
static void end_world(struct world *world)
{
	struct seen seen;

	wait_for_watcher(world);
	cgroup_kill(world->watcher);
	seen = *world->seen;
	munmap(world->seen, sizeof(*world->seen));
	eg_links_free(world->links);
	cgroup_end(&world->cgroup);
	eg_datapath_free(world->datapath);
	print_message("# %" PRIu64 " connects\n", seen.connects);
	for (enum kind kind = 0; kind < KINDS; kind++)
		if (seen.wrong[kind])
			print_message("# wrong verdicts, %s: %" PRIu64 "\n", kind_names[kind], seen.wrong[kind]);
	for (enum kind kind = 0; kind < KINDS; kind++)
		assert_int_equal(seen.wrong[kind], 0);
}

static void no_connect_sees_a_mix_of_two_policies_over_thousands_of_reloads(void **state)
{
	/* Each waits for the kernel; where that takes long on a machine that is not slow, fewer will do. */
	enum { RELOADS_MIN = 100, SECONDS = 60 };
	const unsigned int wanted = slow_count(2000);
	time_t deadline = time(NULL) + SECONDS;
	unsigned int reloads = 0;
	struct world world;

	(void)state;
	make_world(&world);
	for (; reloads < wanted && (reloads < RELOADS_MIN || time(NULL) < deadline); reloads++)
		apply_policy(world.datapath, reloads % 2 == 0);
	print_message("# %u reloads\n", reloads);
	end_world(&world);
}

/* ---- the index word alone ---- */

static int table_fd(const struct eg_datapath *datapath, unsigned int bank, enum eg_table table)
{
	static const char *const names[EG_TABLE_COUNT] = {"workloads", "exact", "prefixes", "ports"};
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "eg_%s_%u", names[table], bank);
	fd = eg_datapath_map_fd(datapath, name);
	assert_true(fd >= 0);
	return fd;
}

/* Behind the datapath's back. What the image does not have and the bank had stays, and is in nobody's way. */
static void put_into_bank(const struct eg_datapath *datapath, unsigned int bank, const struct eg_image *image)
{
	for (enum eg_table table = 0; table < EG_TABLE_COUNT; table++) {
		const struct eg_table_image *entries = &image->tables[table];

		for (size_t i = 0; i < entries->count; i++)
			assert_int_equal(bpf_map_update_elem(table_fd(datapath, bank, table),
							     (const char *)entries->keys + i * entries->key_size,
							     (const char *)entries->values + i * entries->value_size,
							     BPF_ANY),
					 0);
	}
}

static struct eg_control read_control(const struct eg_datapath *datapath)
{
	struct eg_maps maps = eg_datapath_maps(datapath);
	struct eg_control control;

	assert_int_equal(eg_maps_read_control(&maps, &control), 0);
	return control;
}

static void flip(const struct eg_datapath *datapath, struct eg_control *control)
{
	const __u32 zero = 0;

	control->active = !control->active;
	assert_int_equal(bpf_map_update_elem(eg_datapath_map_fd(datapath, "eg_control"), &zero, control, BPF_ANY), 0);
}

static void a_run_reads_the_index_word_once(void **state)
{
	enum { SECONDS = 4, FLIPS_A_LOOK = 1000 };
	_cleanup_(eg_image_freep) struct eg_image *image = compile_policy(1);
	struct eg_control control;
	unsigned int flips = 0;
	struct world world;
	time_t deadline;

	(void)state;
	make_world(&world);
	control = read_control(world.datapath);
	put_into_bank(world.datapath, !control.active, image);
	for (deadline = time(NULL) + SECONDS; time(NULL) < deadline; flips += FLIPS_A_LOOK)
		for (int i = 0; i < FLIPS_A_LOOK; i++)
			flip(world.datapath, &control);
	print_message("# %u flips\n", flips);
	end_world(&world);
}

/* ---- the grace period ---- */

/* In a process of its own. */
static int linger(void *argument)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	char packet[64] = {};

	options.data_in = packet;
	options.data_size_in = sizeof(packet);
	return bpf_prog_test_run_opts(*(int *)argument, &options) == 0 ? (int)options.retval : EG_LINGER_FAILED;
}

static __u32 lingering(const struct bpf_object *object)
{
	const struct bpf_map *variables = bpf_object__find_map_by_name(object, ".bss");
	const __u32 zero = 0;
	__u32 value;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(variables), &zero, &value), 0);
	return value;
}

static void set_idle(const struct bpf_object *object)
{
	const struct bpf_map *variables = bpf_object__find_map_by_name(object, ".bss");
	const __u32 zero = 0, idle = EG_LINGER_IDLE;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(variables), &zero, &idle, BPF_ANY), 0);
}

static void a_bank_stays_as_it_is_until_the_last_program_in_it_has_ended(void **state)
{
	enum { POLICIES = 20 };
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOTS, CAPACITY);
	struct bpf_object *object = object_load(datapath, "linger");
	int fd = object_program_fd(object, "eg_linger"), overtaken = 0;
	struct eg_cgroup cgroup = cgroup_make("linger");

	(void)state;
	apply_policy(datapath, 0);
	for (unsigned int i = 1; i <= POLICIES; i++) {
		pid_t pid;

		set_idle(object);
		pid = cgroup_start(&cgroup, linger, &fd);
		while (lingering(object) == EG_LINGER_IDLE)
			assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		overtaken += lingering(object) == EG_LINGER_STARTED;
		apply_policy(datapath, i % 2);
		assert_int_equal(cgroup_join(pid), EG_LINGER_UNCHANGED);
	}
	bpf_object__close(object);
	cgroup_end(&cgroup);
	print_message("# a program was in the old bank for %d of %d policies\n", overtaken, POLICIES);
	/* On one CPU it ends before anybody else runs. */
	assert_true(overtaken > 0 || sysconf(_SC_NPROCESSORS_ONLN) == 1);
}

/* ---- how much is written ---- */

#define MANY 10000u
#define FIRST 0x0a000001u /* 10.0.0.1 */

static struct eg_image *compile_many(uint32_t extra)
{
	struct eg_scope scope = {.id = 1, .name = "default"};
	const struct eg_subject subject = subject_of(SLOT, &scope);
	struct eg_image *image;

	for (uint32_t i = 0; i < MANY + extra; i++)
		scope_add(&scope, EG_CLASS_MESH, prefix_of_ipv4(FIRST + i), 0, EG_PROTO_UDP);
	image = image_of(&subject);
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
	_cleanup_(eg_datapath_freep) struct eg_datapath *datapath = datapath_load(SLOTS, CAPACITY);
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
		cmocka_unit_test(a_run_reads_the_index_word_once),
		cmocka_unit_test(a_bank_stays_as_it_is_until_the_last_program_in_it_has_ended),
		cmocka_unit_test(one_rule_more_among_ten_thousand_writes_one_entry_to_each_bank),
	};

	return cmocka_run_group_tests_name("mix", tests, NULL, NULL);
}
