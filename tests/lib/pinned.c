/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reads a counter of a workload from the pinned maps, by the names of fields that the kernel
 * has for them (BTF): what bpftool would print, of any build's maps, and without its seconds
 * for a map of 4,096 entries where all is emulated.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define VALUE_MAX (1u << 16)

static const char *directory;

struct map {
	const char *name;
	int fd;
	struct bpf_map_info info;
	struct btf *btf;
	char key[VALUE_MAX];
	char value[VALUE_MAX];
};

static void open_map(struct map *map, const char *name)
{
	_cleanup_free_ char *path = NULL;
	__u32 len = sizeof(map->info);

	if (asprintf(&path, "%s/maps/%s", directory, name) < 0)
		err(1, "%s", name);
	memset(&map->info, 0, sizeof(map->info));
	map->name = name;
	map->fd = bpf_obj_get(path);
	if (map->fd < 0 || bpf_obj_get_info_by_fd(map->fd, &map->info, &len) < 0)
		err(1, "%s", path);
	if (map->info.key_size > VALUE_MAX || map->info.value_size > VALUE_MAX)
		errx(1, "%s: an entry is too large", path);
	map->btf = btf__load_from_kernel_by_id(map->info.btf_id);
	if (!map->btf)
		err(1, "%s: no BTF", path);
}

/* Whether there is a next one: its key and value are the map's. */
static bool next_entry(struct map *map, bool first)
{
	do {
		if (bpf_map_get_next_key(map->fd, first ? NULL : map->key, map->key) < 0) {
			if (errno != ENOENT)
				err(1, "%s", map->name);
			return false;
		}
		first = false;
	} while (bpf_map_lookup_elem(map->fd, map->key, map->value) < 0 && errno == ENOENT);
	return true;
}

static const struct btf_member *find_member(const struct map *map, const struct btf_type *type, const char *name, size_t len)
{
	const struct btf_member *member = btf_members(type);

	for (int i = 0; i < btf_vlen(type); i++, member++) {
		const char *candidate = btf__name_by_offset(map->btf, member->name_off);

		if (strlen(candidate) == len && memcmp(candidate, name, len) == 0)
			return member;
	}
	return NULL;
}

/* Where a field of the map's value is, e.g. counts.ipv4.verdicts.passthrough. */
static const void *find_field(const struct map *map, const char *path, __u32 *ret_size)
{
	__u32 id = map->info.btf_value_type_id, offset = 0;

	for (const char *name = path; *name;) {
		size_t len = strcspn(name, ".");
		const struct btf_type *type = btf__type_by_id(map->btf, btf__resolve_type(map->btf, id));
		const struct btf_member *member = btf_is_composite(type) ? find_member(map, type, name, len) : NULL;

		if (!member || btf_member_bitfield_size(type, member - btf_members(type)))
			errx(1, "%s: no field %s", map->name, path);
		offset += member->offset / 8;
		id = member->type;
		name += len + (name[len] == '.');
	}
	*ret_size = btf__resolve_size(map->btf, id);
	return map->value + offset;
}

static __u64 number(const struct map *map, const char *path)
{
	__u32 size;
	const void *field = find_field(map, path, &size);
	__u64 value = 0;

	if (size != 4 && size != 8)
		errx(1, "%s: %s is no number", map->name, path);
	/* little endian, as all of tests/lib is built for */
	memcpy(&value, field, size);
	return value;
}

static bool has_name(const struct map *infos, const char *name)
{
	__u32 size;
	const char *field = find_field(infos, "name", &size);

	return strlen(name) == strnlen(field, size) && memcmp(field, name, strlen(name)) == 0;
}

/* Whose counters are wanted. */
struct choice {
	bool retired, used, unused;
	const char *name; /* of those in use; NULL: all */
};

static struct choice parse_choice(const char *name)
{
	if (strcmp(name, "retired") == 0)
		return (struct choice){.retired = true};
	if (strcmp(name, "all") == 0)
		return (struct choice){.retired = true, .used = true, .unused = true};
	if (strcmp(name, "free") == 0)
		return (struct choice){.unused = true};
	return (struct choice){.used = true, .name = name};
}

static bool chosen(const struct choice *choice, const struct map *infos)
{
	if (number(infos, "use") == 0)
		return choice->unused;
	return choice->used && (!choice->name || has_name(infos, choice->name));
}

static void add(__u64 *sums, const struct map *map, char **paths, int count)
{
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "counts.%s", paths[i]) < 0)
			err(1, "%s", paths[i]);
		sums[i] += number(map, path);
	}
}

static void print_counters(const char *name, char **paths, int count)
{
	static struct map infos, slots, retired;
	struct choice choice = parse_choice(name);
	_cleanup_free_ __u64 *sums = calloc(count, sizeof(*sums));
	bool found = false;

	if (!sums)
		err(1, "%s", name);
	open_map(&infos, "eg_infos");
	open_map(&slots, "eg_slots");
	open_map(&retired, "eg_retired");
	if (choice.retired && next_entry(&retired, true))
		add(sums, &retired, paths, count);
	for (bool first = true; (choice.used || choice.unused) && next_entry(&infos, first); first = false) {
		if (!chosen(&choice, &infos))
			continue;
		if (bpf_map_lookup_elem(slots.fd, infos.key, slots.value) < 0)
			err(1, "eg_slots");
		add(sums, &slots, paths, count);
		found = true;
		if (choice.name)
			break;
	}
	if (choice.name && !found)
		errx(1, "no slot is %s's", name);
	for (int i = 0; i < count; i++)
		printf("%s%llu", i ? " " : "", sums[i]);
	printf("\n");
}

static unsigned long entries_of(const char *name)
{
	static struct map map;
	unsigned long entries = 0;

	for (open_map(&map, name); next_entry(&map, entries == 0);)
		entries++;
	return entries;
}

static unsigned long slots_in_use(void)
{
	static struct map infos;
	unsigned long slots = 0;

	open_map(&infos, "eg_infos");
	for (bool first = true; next_entry(&infos, first); first = false)
		slots += number(&infos, "use") != 0;
	return slots;
}

static unsigned long given_back(void)
{
	static struct map retired;

	open_map(&retired, "eg_retired");
	return next_entry(&retired, true) ? number(&retired, "slots") : 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: pinned DIRECTORY WORKLOAD PATH...  e.g. pinned /sys/fs/bpf/egressd web ipv4.verdicts.passthrough\n"
			"       pinned DIRECTORY retired PATH...   of the slots that were given back\n"
			"       pinned DIRECTORY all PATH...       of every slot and those that were given back\n"
			"       pinned DIRECTORY free PATH...      of the slots that nobody has, slot 0 included\n"
			"       pinned DIRECTORY in-use            how many slots somebody has\n"
			"       pinned DIRECTORY entries MAP       how many entries a map has\n"
			"       pinned DIRECTORY given-back        how many slots were given back\n");
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return usage();
	directory = argv[1];
	if (strcmp(argv[2], "in-use") == 0)
		printf("%lu\n", slots_in_use());
	else if (strcmp(argv[2], "given-back") == 0)
		printf("%lu\n", given_back());
	else if (strcmp(argv[2], "entries") == 0 && argc == 4)
		printf("%lu\n", entries_of(argv[3]));
	else if (argc > 3)
		print_counters(argv[2], argv + 3, argc - 3);
	else
		return usage();
	return 0;
}
