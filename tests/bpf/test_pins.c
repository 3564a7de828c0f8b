/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Maps and links that outlive whoever made them, on a real cgroup and in a
 * directory of the test's own. Destinations are of the documentation ranges and
 * given to connect() of UDP sockets only, which sends nothing.
 */
#include "support.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../lib/support/cgroup.h"
#include "../lib/support/image.h"
#include "../lib/support/slow.h"
#include "../lib/support/socket.h"
#include "base/cleanup.h"
#include "datapath/inspect.h"
#include "datapath/lookups.h"
#include "datapath/pins.h"
#include "datapath/stranded.h"
#include "datapath/walk.h"
#include "enrol.h"
#include "proxies.h"

#define SLOT 1u
#define OTHER_SLOT 2u
#define MESH "192.0.2.1"
#define ELSEWHERE "198.51.100.1"

struct world {
	char *directory;
	struct eg_cgroup cgroup;
	struct eg_datapath *datapath;
};

/* ---- opening and closing ---- */

static int open_datapath(const char *directory, struct eg_datapath **ret_datapath, char **ret_problem)
{
	static const struct eg_datapath_options options = {
		.slots = 4,
		.capacity = {.max_entries = {0, 16, 16, 16}},
		.destinations = 64,
		.leases = 1024,
		.destination_quota = 32,
		.event_rate = 10,
	};

	*ret_problem = NULL;
	return eg_datapath_open(directory, &options, ret_datapath, ret_problem);
}

/* Ends the links of the slot and waits until no program runs for it. */
static int release_slot(struct eg_datapath *datapath)
{
	struct eg_maps maps = eg_datapath_maps(datapath);
	_cleanup_close_ int grace_fd = -1;
	struct eg_slot_set slots = {};
	int r;

	eg_slot_set_add(&slots, SLOT);
	r = eg_datapath_release(datapath, &slots);
	return r < 0 ? r : eg_maps_wait_for_programs(&maps, &grace_fd);
}

static void reopen(struct world *world)
{
	char *problem;

	world->datapath = eg_datapath_free(world->datapath);
	assert_int_equal(open_datapath(world->directory, &world->datapath, &problem), 0);
}

static void apply(struct eg_datapath *datapath)
{
	struct eg_scope scope = {.id = 1, .name = "default"};
	struct eg_subject subject = subject_of(SLOT, &scope);

	subject.block_errno = EACCES;
	scope_add(&scope, EG_CLASS_MESH, prefix_of(MESH), 0, EG_PROTO_ANY);
	image_apply(datapath, &subject);
	eg_array_clear(&scope.rules);
}

static char *own_directory(void)
{
	char *directory = NULL, *problem = NULL, *result;

	assert_int_equal(eg_pins_locate(&directory, &problem), 0);
	assert_true(asprintf(&result, "%s-test-%d", directory, getpid()) > 0);
	free(directory);
	return result;
}

static void make_world(struct world *world)
{
	skip_unless_root();
	*world = (struct world){.directory = own_directory(), .cgroup = EG_CGROUP_NONE};
	reopen(world);
	apply(world->datapath);
	world->cgroup = cgroup_make("pins");
}

static void ignore_path(const char *path, void *context)
{
	(void)path;
	(void)context;
}

static void remove_pins(const char *directory)
{
	char *problem = NULL;

	assert_int_equal(eg_pins_remove(directory, ignore_path, NULL, &problem), 0);
}

static void end_world(struct world *world)
{
	eg_datapath_free(world->datapath);
	remove_pins(world->directory);
	cgroup_end(&world->cgroup);
	free(world->directory);
}

static void enrol(struct world *world)
{
	assert_int_equal(eg_datapath_enrol_pinned(world->datapath, world->cgroup.fd, SLOT), 0);
}

/* ---- what happens inside ---- */

/* Whether our programs let it pass; that there may be no route is another matter. */
static bool passes(const char *address)
{
	struct target target = {AF_INET, SOCK_DGRAM, address, .port = 9};
	int error = attempt_all(&target);

	return error != EACCES && error != EPERM;
}

static int passes_address(void *address)
{
	return passes(address);
}

/* Whether a new process of the cgroup gets through. */
static bool passes_inside(const struct world *world, const char *address)
{
	return cgroup_run(&world->cgroup, passes_address, (void *)address);
}

/* A process of the cgroup that tries both destinations all the time. Shared with it. */
struct pesterer {
	pid_t pid;
	volatile uint64_t attempts;
	volatile uint64_t mesh_refused;
	volatile uint64_t elsewhere_passed;
};

static int pester(void *argument)
{
	struct pesterer *pesterer = argument;

	for (;; pesterer->attempts++) {
		pesterer->mesh_refused += !passes(MESH);
		pesterer->elsewhere_passed += passes(ELSEWHERE);
	}
	return 0;
}

static struct pesterer *start_pesterer(const struct world *world)
{
	struct pesterer *pesterer =
		mmap(NULL, sizeof(*pesterer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(pesterer, MAP_FAILED);
	pesterer->pid = cgroup_start(&world->cgroup, pester, pesterer);
	while (pesterer->attempts == 0)
		usleep(1000);
	return pesterer;
}

static void end_pesterer(struct pesterer *pesterer)
{
	cgroup_kill(pesterer->pid);
	munmap(pesterer, sizeof(*pesterer));
}

/* ---- what is there ---- */

static struct eg_slot_counts read_counts(const struct world *world)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);
	struct eg_slot_counts counts;

	assert_int_equal(eg_maps_read_counts(&maps, SLOT, &counts), 0);
	return counts;
}

static struct eg_retired read_retired(const struct world *world)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);
	struct eg_retired retired;

	assert_int_equal(eg_maps_read_retired(&maps, &retired), 0);
	return retired;
}

static int compare_pins(const void *a, const void *b)
{
	return strcmp(((const struct eg_link_pin *)a)->name, ((const struct eg_link_pin *)b)->name);
}

static struct eg_link_pins list_links(const char *directory)
{
	struct eg_link_pins pins = {};
	char *problem = NULL;

	assert_int_equal(eg_pins_list_links(directory, &pins, &problem), 0);
	if (pins.list.len > 0)
		qsort(pins.list.items, pins.list.len, sizeof(pins.list.items[0]), compare_pins);
	return pins;
}

static uint32_t link_id(const char *directory, const struct eg_link_pin *pin)
{
	_cleanup_close_ int fd = -1;
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char path[4096];

	snprintf(path, sizeof(path), "%s/links/%s", directory, pin->name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

/* Names and link ids below a directory, as text. */
static char *picture(const char *directory)
{
	char *text = NULL, *command = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size), *in;
	struct eg_link_pins pins = list_links(directory);
	int c;

	assert_true(asprintf(&command, "find %s -printf '%%p %%y %%m %%U\\n' | sort", directory) > 0);
	in = popen(command, "re");
	while ((c = fgetc(in)) != EOF)
		fputc(c, out);
	pclose(in);
	for (size_t i = 0; i < pins.list.len; i++)
		fprintf(out, "%s %u %u\n", pins.list.items[i].name, link_id(directory, &pins.list.items[i]),
			pins.list.items[i].program_id);
	fclose(out);
	free(command);
	eg_array_clear(&pins.list);
	return text;
}

static bool is_enforced(const struct world *world)
{
	struct eg_link_pins pins = list_links(world->directory);
	struct eg_inspection inspection = {};
	struct eg_program_sets sets;
	_cleanup_free_ char *point = NULL;
	struct stat st;
	bool answer;

	assert_int_equal(eg_cgroup_mount_point(&point), 0);
	assert_int_equal(fstat(world->cgroup.fd, &st), 0);
	assert_int_equal(eg_inspect_programs(getenv("EG_LSM") != NULL, &sets), 0);
	assert_int_equal(eg_inspect_cgroup(&sets.workload[true][false], &pins, SLOT, point, world->cgroup.path, st.st_ino, &inspection), 0);
	answer = eg_inspection_is_enforced(&inspection);
	eg_inspection_clear(&inspection);
	eg_array_clear(&pins.list);
	return answer;
}

/* ---- enrolment and adoption ---- */

static void a_cgroup_with_live_processes_is_enrolled_without_refusing_what_is_allowed(void **state)
{
	struct world world;
	struct pesterer *pesterer;

	(void)state;
	make_world(&world);
	pesterer = start_pesterer(&world);
	for (unsigned int i = slow_count(200); i > 0; i--) {
		enrol(&world);
		assert_true(is_enforced(&world));
		assert_int_equal(release_slot(world.datapath), 0);
		assert_false(is_enforced(&world));
	}
	assert_int_equal(pesterer->mesh_refused, 0);
	end_pesterer(pesterer);
	end_world(&world);
}

static void adoption_changes_no_verdict_at_any_moment(void **state)
{
	struct world world;
	struct pesterer *pesterer;
	uint64_t passed;

	(void)state;
	make_world(&world);
	enrol(&world);
	pesterer = start_pesterer(&world);
	for (unsigned int i = slow_count(50); i > 0; i--) {
		uint64_t attempts = pesterer->attempts;

		reopen(&world);
		enrol(&world);
		while (pesterer->attempts == attempts)
			usleep(100);
	}
	passed = pesterer->elsewhere_passed;
	assert_int_equal(pesterer->mesh_refused, 0);
	assert_int_equal(passed, 0);
	end_pesterer(pesterer);
	end_world(&world);
}

static void who_comes_after_finds_counters_slots_verdicts_and_links_as_they_were(void **state)
{
	struct world world;
	struct eg_link_pins before, after;
	struct eg_slot_counts counts;
	struct eg_maps maps;
	struct eg_slot_info info = {.use = EG_SLOT_ENROLLED, .cgroup_id = 7, .name = "subject"};
	uint32_t ids[16];
	uint64_t generation;

	(void)state;
	make_world(&world);
	enrol(&world);
	assert_false(passes_inside(&world, ELSEWHERE));
	assert_true(passes_inside(&world, MESH));
	maps = eg_datapath_maps(world.datapath);
	assert_int_equal(eg_maps_write_info(&maps, SLOT, &info), 0);
	generation = eg_datapath_generation(world.datapath);
	before = list_links(world.directory);
	assert_in_range(before.list.len, 1, EG_COUNT_OF(ids));
	for (size_t i = 0; i < before.list.len; i++)
		ids[i] = link_id(world.directory, &before.list.items[i]);

	/* Nobody holds anything but the pins. */
	world.datapath = eg_datapath_free(world.datapath);
	assert_false(passes_inside(&world, ELSEWHERE));
	assert_true(passes_inside(&world, MESH));

	reopen(&world);
	maps = eg_datapath_maps(world.datapath);
	counts = read_counts(&world);
	assert_int_equal(counts.ipv4.verdicts.blocked_passthrough_off, 2);
	assert_int_equal(counts.ipv4.verdicts.mesh, 2);
	assert_int_equal(eg_datapath_generation(world.datapath), generation);
	assert_int_equal(eg_maps_read_info(&maps, SLOT, &info), 0);
	assert_string_equal(info.name, "subject");
	after = list_links(world.directory);
	assert_int_equal(after.list.len, before.list.len);
	for (size_t i = 0; i < after.list.len; i++) {
		assert_int_equal(link_id(world.directory, &after.list.items[i]), ids[i]);
		assert_int_not_equal(after.list.items[i].program_id, before.list.items[i].program_id);
		assert_int_equal(after.list.items[i].live_cgroup_id, before.list.items[i].live_cgroup_id);
	}
	assert_false(passes_inside(&world, ELSEWHERE));
	assert_true(passes_inside(&world, MESH));
	assert_int_equal(read_counts(&world).ipv4.verdicts.blocked_passthrough_off, 3);
	eg_array_clear(&before.list);
	eg_array_clear(&after.list);
	end_world(&world);
}

static void a_policy_is_applied_to_adopted_maps_whatever_the_idle_bank_holds(void **state)
{
	struct world world;

	(void)state;
	make_world(&world);
	enrol(&world);
	for (int i = 0; i < 3; i++) {
		reopen(&world);
		apply(world.datapath);
		assert_true(passes_inside(&world, MESH));
		assert_false(passes_inside(&world, ELSEWHERE));
	}
	assert_int_equal(eg_datapath_generation(world.datapath), 4);
	end_world(&world);
}

static void links_that_a_crash_or_root_took_away_are_attached_anew(void **state)
{
	struct world world;
	struct eg_link_pins pins;
	_cleanup_close_ int fd = -1;
	char path[4096];

	(void)state;
	make_world(&world);
	enrol(&world);
	pins = list_links(world.directory);
	snprintf(path, sizeof(path), "%s/links/%s", world.directory, pins.list.items[0].name);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/links/%s", world.directory, pins.list.items[1].name);
	fd = bpf_obj_get(path);
	assert_int_equal(bpf_link_detach(fd), 0);
	assert_false(is_enforced(&world));
	reopen(&world);
	enrol(&world);
	assert_true(is_enforced(&world));
	eg_array_clear(&pins.list);
	end_world(&world);
}

/* Not one descriptor is left; returns what restore_descriptors() is to bring back. */
static struct rlimit take_descriptors(void)
{
	struct rlimit old, none;
	int lowest = dup(0);

	/* All below the lowest free one are taken. */
	assert_true(lowest >= 0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){(rlim_t)lowest, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	return old;
}

static void restore_descriptors(const struct rlimit *old)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, old), 0);
}

/* Who cannot look at a link neither takes it for one that is gone nor removes it. */
static void links_that_nobody_could_look_at_stay(void **state)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct rlimit old;
	struct world world;
	struct stat st;
	int attached, detached;

	(void)state;
	make_world(&world);
	enrol(&world);
	assert_int_equal(fstat(world.cgroup.fd, &st), 0);
	before = picture(world.directory);
	old = take_descriptors();
	attached = eg_datapath_attach_for(world.datapath, world.cgroup.fd, SLOT, EG_WORKLOAD_GUARDED);
	detached = eg_datapath_detach_for(world.datapath, SLOT, st.st_ino, EG_WORKLOAD_GUARDED);
	restore_descriptors(&old);
	after = picture(world.directory);
	assert_int_equal(attached, -EMFILE);
	assert_int_equal(detached, -EMFILE);
	assert_string_equal(before, after);
	assert_true(is_enforced(&world));
	end_world(&world);
}

static void links_whose_pins_are_out_of_sight_are_not_taken_for_gone(void **state)
{
	_cleanup_free_ char *away = NULL;
	struct eg_lookup_list lookups = {};
	struct world world;
	struct stat st;

	(void)state;
	make_world(&world);
	enrol(&world);
	assert_int_equal(fstat(world.cgroup.fd, &st), 0);
	assert_true(asprintf(&away, "%s-away", world.directory) > 0);
	assert_int_equal(rename(world.directory, away), 0);
	assert_int_equal(eg_datapath_attach_for(world.datapath, world.cgroup.fd, SLOT, EG_WORKLOAD_GUARDED), -ESTALE);
	assert_int_equal(eg_datapath_detach_for(world.datapath, SLOT, st.st_ino, EG_WORKLOAD_GUARDED), -ESTALE);
	assert_int_equal(eg_datapath_list_lookups(world.datapath, &lookups), -ESTALE);
	assert_int_equal(release_slot(world.datapath), -ESTALE);
	assert_int_equal(rename(away, world.directory), 0);
	assert_true(is_enforced(&world));
	assert_int_equal(release_slot(world.datapath), 0);
	assert_false(is_enforced(&world));
	end_world(&world);
}

/* ---- proxies ---- */

static size_t count_links(const struct world *world)
{
	struct eg_link_pins pins = list_links(world->directory);
	size_t count = pins.list.len;

	eg_array_clear(&pins.list);
	return count;
}

static void a_proxy_of_a_policy_that_does_not_come_into_force_is_left_again(void **state)
{
	struct eg_proxies proxies = {}, wanted = {}, none = {};
	struct world world;
	struct stat st;

	(void)state;
	make_world(&world);
	assert_int_equal(fstat(world.cgroup.fd, &st), 0);
	assert_int_equal(eg_array_push(&wanted.list, {SLOT, st.st_ino, strdup(world.cgroup.path)}), 0);
	assert_int_equal(eg_proxies_add_new(&proxies, world.datapath, "", &wanted), 0);
	assert_int_equal(count_links(&world), 2);
	assert_false(eg_proxies_are_done(&proxies, &wanted));
	/* The one before goes on. */
	assert_false(eg_proxies_are_done(&proxies, &none));
	assert_int_equal(eg_proxies_remove_old(&proxies, world.datapath, &none), 0);
	assert_int_equal(count_links(&world), 0);
	assert_true(eg_proxies_are_done(&proxies, &none));
	eg_proxies_clear(&wanted);
	end_world(&world);
}

/* ---- where the pins are ---- */

/* 0 where all is as it is to be, in a mount namespace of the process's own. `elsewhere` is an empty folder. */
static int look_at_mounts(const char *elsewhere)
{
	_cleanup_free_ char *directory = NULL, *problem = NULL;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	while (umount2("/sys/fs/bpf", MNT_DETACH) == 0)
		;
	if (mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) < 0 || mkdir("/sys/fs/bpf/tc", 0700) < 0 ||
	    mount("/sys/fs/bpf/tc", elsewhere, NULL, MS_BIND, NULL) < 0 || umount2("/sys/fs/bpf", MNT_DETACH) < 0)
		return 2;
	if (eg_pins_locate(&directory, &problem) != -ENOENT)
		return 3;
	if (mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) < 0 || eg_pins_locate(&directory, &problem) < 0)
		return 4;
	return strcmp(directory, "/sys/fs/bpf/egressd") == 0 ? 0 : 5;
}

static void a_folder_of_a_bpf_file_system_that_is_mounted_elsewhere_is_no_place_for_pins(void **state)
{
	char elsewhere[] = "/tmp/egressd-test-XXXXXX";
	siginfo_t info = {};
	pid_t pid;

	(void)state;
	skip_unless_root();
	assert_non_null(mkdtemp(elsewhere));
	pid = fork();
	if (pid == 0)
		_exit(look_at_mounts(elsewhere));
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	assert_int_equal(rmdir(elsewhere), 0);
	assert_int_equal(info.si_status, 0);
}

/* ---- refusals ---- */

/* Neither an agent nor a reader takes the directory, both say why, and it stays as it is. */
static void assert_refused(const char *directory, const char *why)
{
	_cleanup_free_ char *before = picture(directory), *after = NULL, *problem = NULL, *reader_problem = NULL;
	struct eg_datapath *datapath = NULL;
	struct eg_maps maps;

	assert_true(open_datapath(directory, &datapath, &problem) < 0);
	assert_non_null(problem);
	if (!strstr(problem, why))
		fail_msg("'%s' does not say '%s'", problem, why);
	assert_true(eg_pins_open(directory, &maps, &reader_problem) < 0);
	assert_non_null(reader_problem);
	after = picture(directory);
	assert_string_equal(before, after);
}

static void a_directory_that_others_can_write_or_own_is_refused(void **state)
{
	struct world world;

	(void)state;
	make_world(&world);
	enrol(&world);
	world.datapath = eg_datapath_free(world.datapath);
	assert_int_equal(chmod(world.directory, 0755), 0);
	assert_refused(world.directory, "0755");
	assert_int_equal(chmod(world.directory, 0700), 0);
	assert_int_equal(chown(world.directory, 65534, 0), 0);
	assert_refused(world.directory, "user 65534");
	assert_int_equal(chown(world.directory, 0, 0), 0);
	reopen(&world);
	end_world(&world);
}

static void a_link_in_the_place_of_the_directory_is_refused_and_not_followed_by_removal(void **state)
{
	struct world world;
	_cleanup_free_ char *link = NULL, *problem = NULL, *before = NULL, *after = NULL;

	(void)state;
	make_world(&world);
	enrol(&world);
	world.datapath = eg_datapath_free(world.datapath);
	assert_true(asprintf(&link, "%s-link", world.directory) > 0);
	assert_int_equal(symlink(world.directory, link), 0);
	assert_refused(link, "no directory");
	before = picture(world.directory);
	assert_int_equal(eg_pins_remove(link, ignore_path, NULL, &problem), -ENOTDIR);
	after = picture(world.directory);
	assert_string_equal(before, after);
	assert_int_equal(unlink(link), 0);
	end_world(&world);
}

/* Puts another map in the place of a pinned one. */
static void replace_map(const struct world *world, const char *name, enum bpf_map_type type, __u32 value_size)
{
	_cleanup_close_ int fd = bpf_map_create(type, name, 4, value_size, 1, NULL);
	char path[4096];

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "%s/maps/%s", world->directory, name);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
}

static void maps_of_another_type_or_size_are_refused(void **state)
{
	static const struct {
		const char *name;
		enum bpf_map_type type;
		__u32 value_size;
	} foreign[] = {
		{"eg_slots", BPF_MAP_TYPE_HASH, sizeof(struct eg_slot)},
		{"eg_agent", BPF_MAP_TYPE_ARRAY, 32768},
		{"eg_control", BPF_MAP_TYPE_HASH, sizeof(struct eg_control)},
		{"eg_control", BPF_MAP_TYPE_ARRAY, 65536},
	};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(foreign); i++) {
		struct world world;

		make_world(&world);
		enrol(&world);
		world.datapath = eg_datapath_free(world.datapath);
		replace_map(&world, foreign[i].name, foreign[i].type, foreign[i].value_size);
		assert_refused(world.directory, foreign[i].name);
		assert_false(passes_inside(&world, ELSEWHERE));
		end_world(&world);
	}
}

static void maps_of_another_abi_are_refused_and_their_enforcement_stays_until_they_are_removed(void **state)
{
	const struct eg_control other = {.abi = EG_ABI_VERSION + 97, .generation = 3};
	struct world world;
	struct eg_control control;
	struct eg_maps maps;
	__u32 zero = 0;

	(void)state;
	make_world(&world);
	enrol(&world);
	maps = eg_datapath_maps(world.datapath);
	assert_int_equal(eg_maps_read_control(&maps, &control), 0);
	control.abi = other.abi;
	assert_int_equal(bpf_map_update_elem(maps.control, &zero, &control, BPF_ANY), 0);
	world.datapath = eg_datapath_free(world.datapath);
	assert_refused(world.directory, "ABI");
	assert_false(passes_inside(&world, ELSEWHERE));
	remove_pins(world.directory);
	assert_true(passes_inside(&world, ELSEWHERE));
	end_world(&world);
}

/* ---- the end of a slot ---- */

/* A slot's life up to LEAVING, with `blocked` refusals counted. */
static void leave(struct world *world, unsigned int blocked)
{
	struct eg_slot_info info = {.use = EG_SLOT_LEAVING, .cgroup_id = 7, .name = "subject"};
	struct eg_maps maps = eg_datapath_maps(world->datapath);

	enrol(world);
	for (unsigned int i = 0; i < blocked; i++)
		assert_false(passes_inside(world, ELSEWHERE));
	assert_int_equal(eg_maps_write_info(&maps, SLOT, &info), 0);
	assert_int_equal(release_slot(world->datapath), 0);
}

static void assert_retired(const struct world *world, uint64_t blocked)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);
	struct eg_retired retired = read_retired(world);
	struct eg_slot_counts counts = read_counts(world);
	struct eg_destinations destinations = {};
	struct eg_slot_info info;

	assert_int_equal(retired.counts.ipv4.verdicts.blocked_passthrough_off, blocked);
	assert_int_equal(retired.folding, 0);
	assert_int_equal(counts.ipv4.verdicts.blocked_passthrough_off, 0);
	assert_int_equal(eg_maps_read_info(&maps, SLOT, &info), 0);
	assert_int_equal(info.use, EG_SLOT_FREE);
	assert_int_equal(eg_maps_read_destinations(&maps, SLOT, &destinations), 0);
	assert_int_equal(destinations.list.len, 0);
	eg_array_clear(&destinations.list);
}

/* What a process that was killed has done of the folding. */
enum fold_step {
	FOLD_NOTHING,
	FOLD_ADDED,
	FOLD_ZEROED,
	FOLD_FORGOTTEN,
	FOLD_STEPS,
};

static void fold_up_to(const struct world *world, enum fold_step step)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);
	struct eg_retired retired = read_retired(world);
	struct eg_slot_counts counts = read_counts(world);
	static const struct eg_slot nothing;
	__u32 zero = 0, slot = SLOT;

	if (step >= FOLD_ADDED) {
		eg_counts_add(&retired.counts, &counts);
		retired.folding = SLOT;
		retired.slots++;
		assert_int_equal(bpf_map_update_elem(maps.retired, &zero, &retired, BPF_ANY), 0);
	}
	if (step >= FOLD_ZEROED)
		assert_int_equal(bpf_map_update_elem(maps.slots, &slot, &nothing, BPF_ANY), 0);
	if (step >= FOLD_FORGOTTEN) {
		retired.folding = 0;
		assert_int_equal(bpf_map_update_elem(maps.retired, &zero, &retired, BPF_ANY), 0);
	}
}

static void totals_are_folded_exactly_once_wherever_the_one_before_was_killed(void **state)
{
	struct world world;
	uint64_t blocked = 0;

	(void)state;
	make_world(&world);
	for (enum fold_step step = 0; step < FOLD_STEPS; step++) {
		struct eg_maps maps;

		leave(&world, 3);
		blocked += 3;
		fold_up_to(&world, step);
		reopen(&world);
		maps = eg_datapath_maps(world.datapath);
		assert_int_equal(eg_maps_retire_slot(&maps, SLOT), 0);
		assert_retired(&world, blocked);
		/* And once more, for whoever does not know that it is done. */
		assert_int_equal(eg_maps_retire_slot(&maps, SLOT), 0);
		assert_retired(&world, blocked);
	}
	end_world(&world);
}

/* The word for the slot that is half folded holds one: that of another must not take its place. */
static void a_slot_that_is_half_folded_is_finished_before_another(void **state)
{
	struct eg_slot_info info = {.use = EG_SLOT_LEAVING, .cgroup_id = 8, .name = "other"};
	struct world world;
	struct eg_maps maps;

	(void)state;
	make_world(&world);
	leave(&world, 3);
	maps = eg_datapath_maps(world.datapath);
	assert_int_equal(eg_maps_write_info(&maps, OTHER_SLOT, &info), 0);
	fold_up_to(&world, FOLD_ADDED);
	assert_int_equal(eg_maps_retire_slot(&maps, OTHER_SLOT), 0);
	assert_int_equal(eg_maps_retire_slot(&maps, SLOT), 0);
	assert_retired(&world, 3);
	assert_int_equal(read_retired(&world).slots, 2);
	end_world(&world);
}

/* ---- counts that move ---- */

#define REFUSALS 100000

static int try_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < REFUSALS; i++)
		if (passes(ELSEWHERE))
			return 1;
	return 0;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {};

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid == pid;
}

static uint64_t refused_of(const struct eg_slot_counts *counts)
{
	return counts->ipv4.verdicts.blocked_passthrough_off;
}

static uint64_t refused_of_slot(const struct world *world, uint32_t slot)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);
	struct eg_slot_counts counts;

	assert_int_equal(eg_maps_read_counts(&maps, slot, &counts), 0);
	return refused_of(&counts);
}

static void write_info(const struct world *world, uint32_t slot, const struct eg_slot_info *info)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);

	assert_int_equal(eg_maps_write_info(&maps, slot, info), 0);
}

/* As an agent that starts does. */
static struct eg_roster open_roster(const struct world *world)
{
	struct eg_roster roster;
	char *mount_point;

	assert_int_equal(eg_cgroup_mount_point(&mount_point), 0);
	assert_int_equal(eg_roster_open(world->datapath, mount_point, &roster), 0);
	return roster;
}

static void close_roster(struct eg_roster *roster)
{
	free((char *)roster->mount_point);
	eg_roster_clear(roster);
}

/* Of both slots and the retired sum. */
static uint64_t refused_in_all(const struct world *world)
{
	struct eg_maps maps = eg_datapath_maps(world->datapath);
	struct eg_slot_counts own = read_counts(world), others;
	struct eg_retired retired = read_retired(world);

	assert_int_equal(eg_maps_read_counts(&maps, OTHER_SLOT, &others), 0);
	return refused_of(&own) + refused_of(&others) + refused_of(&retired.counts);
}

static void counts_that_move_while_programs_count_are_each_in_one_place(void **state)
{
	struct world world;
	uint64_t moves = 0, each;
	pid_t pid;

	(void)state;
	make_world(&world);
	enrol(&world);
	assert_false(passes_inside(&world, ELSEWHERE));
	each = refused_in_all(&world);
	pid = cgroup_start(&world.cgroup, try_often, NULL);
	for (; !has_ended(pid); moves++) {
		assert_int_equal(eg_datapath_move_counts(world.datapath, SLOT, OTHER_SLOT), 0);
		assert_int_equal(eg_datapath_move_counts(world.datapath, OTHER_SLOT, moves % 2 ? 0 : SLOT), 0);
	}
	assert_int_equal(cgroup_join(pid), 0);
	assert_true(moves > 10);
	assert_int_equal(refused_in_all(&world), each * (REFUSALS + 1));
	end_world(&world);
}

/* An heir gets what is not in the sum already. */
static void a_slot_that_is_half_folded_leaves_its_heir_nothing(void **state)
{
	uint32_t heirs[EG_SLOTS_MAX] = {[SLOT] = OTHER_SLOT};
	struct eg_slot_set slots = {};
	struct world world;

	(void)state;
	make_world(&world);
	leave(&world, 3);
	fold_up_to(&world, FOLD_ADDED);
	eg_slot_set_add(&slots, SLOT);
	assert_int_equal(eg_datapath_retire(world.datapath, &slots, heirs), 0);
	assert_int_equal(refused_in_all(&world), 3);
	assert_retired(&world, 3);
	assert_int_equal(read_retired(&world).slots, 1);
	end_world(&world);
}

/* Killed after the one slot had its new name and before another had the old one, whose counts are parked. */
static void counts_that_are_parked_wait_for_the_slot_that_gets_their_name(void **state)
{
	struct eg_slot_info parked = {.use = EG_SLOT_LEAVING, .name = "subject"};
	struct eg_slot_info other = {.use = EG_SLOT_ENROLLED, .cgroup_id = 8, .name = "other", .cgroup = "/egress-no-such"};
	struct eg_slot_plans plans = {};
	struct eg_roster roster;
	struct world world;
	bool try_again;

	(void)state;
	make_world(&world);
	leave(&world, 3);
	write_info(&world, SLOT, &parked);
	write_info(&world, OTHER_SLOT, &other);
	roster = open_roster(&world);
	assert_int_equal(refused_of_slot(&world, SLOT), 3);
	strcpy(other.name, "subject");
	assert_int_equal(eg_array_push(&plans.list, {.slot = SLOT, .step = EG_STEP_LEAVE, .info = parked}), 0);
	assert_int_equal(eg_array_push(&plans.list, {.slot = OTHER_SLOT, .step = EG_STEP_RENAME, .info = other}), 0);
	assert_int_equal(eg_roster_carry_out(&roster, &plans, &try_again), 0);
	assert_int_equal(refused_of_slot(&world, OTHER_SLOT), 3);
	assert_retired(&world, 0);
	eg_slot_plans_clear(&plans);
	close_roster(&roster);
	end_world(&world);
}

/* Killed before: the slot has the name still. */
static void counts_that_are_parked_go_back_to_the_slot_that_has_their_name_still(void **state)
{
	struct eg_slot_info parked = {.use = EG_SLOT_LEAVING, .name = "subject"};
	struct eg_slot_info other = {.use = EG_SLOT_ENROLLED, .cgroup_id = 8, .name = "subject", .cgroup = "/egress-no-such"};
	struct eg_roster roster;
	struct world world;

	(void)state;
	make_world(&world);
	leave(&world, 3);
	write_info(&world, SLOT, &parked);
	write_info(&world, OTHER_SLOT, &other);
	roster = open_roster(&world);
	assert_int_equal(refused_of_slot(&world, OTHER_SLOT), 3);
	assert_retired(&world, 0);
	close_roster(&roster);
	end_world(&world);
}

static void counts_move_from_one_slot_to_another_or_not_at_all(void **state)
{
	struct world world;

	(void)state;
	make_world(&world);
	assert_int_equal(eg_datapath_move_counts(world.datapath, SLOT, SLOT), -EINVAL);
	assert_int_equal(eg_datapath_move_counts(world.datapath, SLOT, 4), -EINVAL);
	assert_int_equal(eg_datapath_move_counts(world.datapath, 4, SLOT), -EINVAL);
	end_world(&world);
}

/* ---- what the kernel holds for a cgroup ---- */

static bool is_any_cgroup(uint64_t id)
{
	(void)id;
	return true;
}

static bool is_no_cgroup(uint64_t id)
{
	(void)id;
	return false;
}

static void add_entries(const struct eg_stranded_pin *pin, void *context)
{
	*(uint32_t *)context += pin->entries;
}

/* Some kernels do not know the end of the list. */
static void entries_of_cgroups_are_listed_to_the_end_and_no_further(void **state)
{
	_cleanup_free_ char *kept = NULL;
	struct eg_cgroup other;
	struct world world;
	uint32_t entries = 0;

	(void)state;
	make_world(&world);
	assert_true(asprintf(&kept, "%s-kept", world.directory) > 0);
	assert_int_equal(eg_stranded_look(world.directory, is_no_cgroup, add_entries, &entries), 0);
	assert_int_equal(entries, 0);
	other = cgroup_make("pins-other");
	enrol(&world);
	assert_int_equal(eg_datapath_enrol_pinned(world.datapath, other.fd, OTHER_SLOT), 0);
	assert_int_equal(eg_stranded_look(world.directory, is_any_cgroup, add_entries, &entries), 0);
	assert_int_equal(entries, 0);
	assert_int_equal(eg_stranded_look(world.directory, is_no_cgroup, add_entries, &entries), 0);
	assert_int_equal(entries, 2);
	assert_int_equal(eg_stranded_look(world.directory, is_any_cgroup, add_entries, &entries), 0);
	assert_int_equal(access(kept, F_OK), -1);
	end_world(&world);
	cgroup_end(&other);
}

/* ---- removal ---- */

static void count_path(const char *path, void *context)
{
	assert_non_null(strstr(path, "egressd-test-"));
	++*(size_t *)context;
}

static void removal_leaves_nothing_and_works_with_nothing_there(void **state)
{
	struct world world;
	struct eg_link_pins pins;
	struct eg_found_links found = {};
	char *problem = NULL;
	size_t removed = 0;

	(void)state;
	make_world(&world);
	enrol(&world);
	pins = list_links(world.directory);
	world.datapath = eg_datapath_free(world.datapath);
	assert_false(passes_inside(&world, ELSEWHERE));
	assert_int_equal(eg_pins_remove(world.directory, count_path, &removed, &problem), 0);
	assert_true(removed > pins.list.len);
	assert_int_equal(access(world.directory, F_OK), -1);
	assert_true(passes_inside(&world, ELSEWHERE));
	assert_int_equal(eg_inspect_links(&found), 0);
	for (size_t i = 0; i < found.list.len; i++)
		assert_int_not_equal(found.list.items[i].cgroup_id, pins.list.items[0].cgroup_id);
	removed = 0;
	assert_int_equal(eg_pins_remove(world.directory, count_path, &removed, &problem), 0);
	assert_int_equal(removed, 0);
	eg_array_clear(&found.list);
	eg_array_clear(&pins.list);
	end_world(&world);
}

/* ---- programs of others ---- */

static bool is_even(uint32_t program_id, const void *context)
{
	(void)context;
	return program_id % 2 == 0;
}

static void only_foreign_programs_that_run_after_ours_are_named(void **state)
{
	static const uint32_t effective[] = {1, 3, 10, 12, 5, 14, 7, 5};
	uint32_t found[EG_COUNT_OF(effective)];

	(void)state;
	assert_int_equal(eg_inspect_after(effective, EG_COUNT_OF(effective), 10, is_even, NULL, found), 2);
	assert_int_equal(found[0], 5);
	assert_int_equal(found[1], 7);
	assert_int_equal(eg_inspect_after(effective, 3, 10, is_even, NULL, found), 0);
	assert_int_equal(eg_inspect_after(effective, EG_COUNT_OF(effective), 99, is_even, NULL, found), 0);
}

/* Writes nothing, nor that it came to its end. */
static int link_silent_walk(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_ITER,
		    .attach_btf_id = (__u32)libbpf_find_vmlinux_btf_id("bpf_map", BPF_TRACE_ITER));
	_cleanup_close_ int fd =
		bpf_prog_load(BPF_PROG_TYPE_TRACING, "silent", "GPL", insns, EG_COUNT_OF(insns), &options);

	assert_true(fd >= 0);
	return bpf_link_create(fd, 0, BPF_TRACE_ITER, NULL);
}

/* Nor is somebody else's that stands in its place taken for one that found nothing. */
static void a_walk_that_does_not_come_to_its_end_has_failed(void **state)
{
	_cleanup_free_ char *path = NULL, *problem = NULL;
	struct eg_walk walk = {};
	struct world world;
	int link;

	(void)state;
	make_world(&world);
	assert_int_equal(eg_datapath_pin_walks(world.datapath), 0);
	assert_int_equal(eg_pins_read_flows(world.directory, &walk, &problem), 0);
	assert_true(asprintf(&path, "%s/iters/eg_flows", world.directory) > 0);
	assert_int_equal(unlink(path), 0);
	link = link_silent_walk();
	assert_int_equal(bpf_obj_pin(link, path), 0);
	assert_int_equal(eg_pins_read_flows(world.directory, &walk, &problem), -EIO);
	assert_non_null(strstr(problem, "/iters/eg_flows: "));
	assert_int_equal(close(link), 0);
	end_world(&world);
}

/* Not every machine has mounted one, and no pin is to be seen by others: a BPF file system of the test's own. */
static int mount_own_bpffs(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0; /* each test says that it is skipped */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cgroup_with_live_processes_is_enrolled_without_refusing_what_is_allowed),
		cmocka_unit_test(adoption_changes_no_verdict_at_any_moment),
		cmocka_unit_test(who_comes_after_finds_counters_slots_verdicts_and_links_as_they_were),
		cmocka_unit_test(a_policy_is_applied_to_adopted_maps_whatever_the_idle_bank_holds),
		cmocka_unit_test(links_that_a_crash_or_root_took_away_are_attached_anew),
		cmocka_unit_test(links_that_nobody_could_look_at_stay),
		cmocka_unit_test(links_whose_pins_are_out_of_sight_are_not_taken_for_gone),
		cmocka_unit_test(a_proxy_of_a_policy_that_does_not_come_into_force_is_left_again),
		cmocka_unit_test(a_folder_of_a_bpf_file_system_that_is_mounted_elsewhere_is_no_place_for_pins),
		cmocka_unit_test(a_directory_that_others_can_write_or_own_is_refused),
		cmocka_unit_test(a_link_in_the_place_of_the_directory_is_refused_and_not_followed_by_removal),
		cmocka_unit_test(maps_of_another_type_or_size_are_refused),
		cmocka_unit_test(maps_of_another_abi_are_refused_and_their_enforcement_stays_until_they_are_removed),
		cmocka_unit_test(totals_are_folded_exactly_once_wherever_the_one_before_was_killed),
		cmocka_unit_test(a_slot_that_is_half_folded_is_finished_before_another),
		cmocka_unit_test(counts_that_move_while_programs_count_are_each_in_one_place),
		cmocka_unit_test(a_slot_that_is_half_folded_leaves_its_heir_nothing),
		cmocka_unit_test(counts_that_are_parked_wait_for_the_slot_that_gets_their_name),
		cmocka_unit_test(counts_that_are_parked_go_back_to_the_slot_that_has_their_name_still),
		cmocka_unit_test(counts_move_from_one_slot_to_another_or_not_at_all),
		cmocka_unit_test(a_walk_that_does_not_come_to_its_end_has_failed),
		cmocka_unit_test(entries_of_cgroups_are_listed_to_the_end_and_no_further),
		cmocka_unit_test(removal_leaves_nothing_and_works_with_nothing_there),
		cmocka_unit_test(only_foreign_programs_that_run_after_ours_are_named),
	};

	return cmocka_run_group_tests_name("pins", tests, mount_own_bpffs, NULL);
}
