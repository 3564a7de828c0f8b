/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/compile.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Where the hash of a set of ports begins. */
#define HASH_START 2166136261u
/* Then come numbers. */
#define HASHES_MAX 16
/* Ports from which on putting sets together costs more than remembering it. */
#define GREAT_SET 64

static const struct {
	const char *what;
	size_t key_size;
	size_t value_size;
} table_specs[EG_TABLE_COUNT] = {
	[EG_TABLE_WORKLOADS] = {"workload slots", sizeof(__u32), sizeof(struct eg_workload_policy)},
	[EG_TABLE_EXACT] = {"single addresses", sizeof(struct eg_addr_key), sizeof(struct eg_rules)},
	[EG_TABLE_PREFIXES] = {"prefixes", sizeof(struct eg_prefix_key), sizeof(struct eg_rules)},
	[EG_TABLE_PORTS] = {"ports", sizeof(struct eg_port_key), sizeof(struct eg_port_rule)},
};

/* A port and its enum eg_protocol_bit; no padding, since sets are hashed and compared as bytes. */
struct port_item {
	uint32_t port;
	uint32_t protocols;
};

/* Sorted by port; never empty. Equal sets are one. */
struct port_set {
	uint32_t id;
	size_t len;
	struct port_item items[];
};

/* What became of a great set when something was added: it need not be put together twice. */
struct merge {
	const struct port_set *set;
	uint32_t any_port;
	size_t len;
	const struct port_item *added;
	const struct port_set *result; /* NULL: nothing is left */
};

/* A prefix with what holds in it: its own rules and those of all prefixes around it. */
struct frame {
	struct eg_prefix prefix;
	uint32_t any_port[EG_CLASS_COUNT];
	const struct port_set *sets[EG_CLASS_COUNT]; /* NULL: no ports */
};

/* Entries while they are collected: each one a key with its value behind it. */
struct table_builder {
	void *entries;
	size_t len;
	size_t capacity;
};

struct compiler {
	const struct eg_capacity *capacity;
	struct eg_diag *diag;
	struct table_builder tables[EG_TABLE_COUNT];
	void *sets;                        /* tsearch() tree of struct port_set, by id */
	struct eg_arena arena;             /* owns the sets */
	EG_ARRAY(struct port_item) added;  /* to the inherited set, by the rules at hand */
	EG_ARRAY(struct port_item) merged; /* the set at hand, before it is known whether it is new */
	void *merges;                      /* tsearch() tree of struct merge */
	/* The prefixes around the one at hand, the shortest first; no chain is longer than an address has bits. */
	struct frame stack[EG_PREFIX_BITS_IPV6 + 1];
	size_t depth;
};

static void compiler_done(struct compiler *compiler)
{
	for (int table = 0; table < EG_TABLE_COUNT; table++)
		free(compiler->tables[table].entries);
	eg_arena_drop_tree(compiler->sets);
	eg_arena_drop_tree(compiler->merges);
	eg_array_clear(&compiler->added);
	eg_array_clear(&compiler->merged);
	eg_arena_clear(&compiler->arena);
}

static size_t entry_size(enum eg_table table)
{
	return table_specs[table].key_size + table_specs[table].value_size;
}

static int add_entry(struct compiler *compiler, enum eg_table table, const void *key, const void *value)
{
	struct table_builder *builder = &compiler->tables[table];
	char *entry;
	int r;

	r = eg_array_grow(&builder->entries, builder->len, &builder->capacity, entry_size(table));
	if (r < 0)
		return r;
	entry = (char *)builder->entries + builder->len++ * entry_size(table);
	memcpy(entry, key, table_specs[table].key_size);
	memcpy(entry + table_specs[table].key_size, value, table_specs[table].value_size);
	return 0;
}

static int check_capacity(const struct compiler *compiler, enum eg_table table, size_t needed)
{
	size_t max = compiler->capacity->max_entries[table];

	if (needed <= max)
		return 0;
	eg_diag_add(compiler->diag, EG_SEVERITY_ERROR, (struct eg_origin){}, NULL,
		    "the policy needs at least %zu entries in the table of %s, which holds %zu", needed,
		    table_specs[table].what, max);
	return -ENOSPC;
}

static int compare_sets(const void *a, const void *b)
{
	const struct port_set *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static const struct port_set *find_set(const struct compiler *compiler, uint32_t id)
{
	const struct port_set wanted = {.id = id};
	void *node = tfind(&wanted, &compiler->sets, compare_sets);

	return node ? *(const struct port_set **)node : NULL;
}

/* FNV-1a from `hash` on. Never 0, which means no set. */
static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * 16777619u;
	return hash ? hash : 1;
}

static int add_set(struct compiler *compiler, uint32_t id, const struct port_set **ret_set)
{
	size_t bytes = compiler->merged.len * sizeof(struct port_item);
	struct port_set *set;
	int r;

	/* Asked before the memory is taken: nested prefixes can multiply ports without bound. */
	r = check_capacity(compiler, EG_TABLE_PORTS, compiler->tables[EG_TABLE_PORTS].len + compiler->merged.len);
	if (r < 0)
		return r;
	set = eg_arena_alloc(&compiler->arena, sizeof(*set) + bytes);
	if (!set)
		return -ENOMEM;
	set->id = id;
	set->len = compiler->merged.len;
	memcpy(set->items, compiler->merged.items, bytes);
	for (size_t i = 0; i < set->len; i++) {
		const struct eg_port_key key = {.ports = id, .port = set->items[i].port};
		const struct eg_port_rule value = {.protocols = set->items[i].protocols};

		r = add_entry(compiler, EG_TABLE_PORTS, &key, &value);
		if (r < 0)
			return r;
	}
	if (!tsearch(set, &compiler->sets, compare_sets))
		return -ENOMEM;
	*ret_set = set;
	return 0;
}

/*
 * The one set with the merged content. Its id is the hash of the content: counted ids
 * would shift with every new set, and a small change of the policy would rewrite all
 * entries that name a later one. Where another set has this id the hash goes on from
 * there, so that sets that somebody made collide part ways and do not queue.
 */
static int intern_set(struct compiler *compiler, const struct port_set **ret_set)
{
	size_t bytes = compiler->merged.len * sizeof(struct port_item);
	const struct port_set *set;
	uint32_t id = HASH_START;

	if (bytes == 0) {
		*ret_set = NULL;
		return 0;
	}
	for (unsigned int tries = 0;; tries++) {
		/* Hashes may come round in a circle, numbers do not. */
		id = tries < HASHES_MAX ? hash_bytes(id, compiler->merged.items, bytes) : id == UINT32_MAX ? 1 : id + 1;
		set = find_set(compiler, id);
		if (!set)
			return add_set(compiler, id, ret_set);
		if (set->len == compiler->merged.len && memcmp(set->items, compiler->merged.items, bytes) == 0)
			break;
	}
	*ret_set = set;
	return 0;
}

/* What a set says of a port. set may be NULL. */
static uint32_t find_protocols(const struct port_set *set, uint32_t port)
{
	size_t low = 0, high = set ? set->len : 0;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (set->items[middle].port == port)
			return set->items[middle].protocols;
		if (set->items[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

/* Lists what rules sorted by port, none of them 0, say that neither the set nor any_port does. */
static int list_added(struct compiler *compiler, const struct port_set *set, const struct eg_rule *const *rules,
		      size_t count, uint32_t any_port)
{
	compiler->added.len = 0;
	for (size_t i = 0; i < count;) {
		const uint32_t port = rules[i]->port;
		uint32_t protocols = 0;
		int r;

		while (i < count && rules[i]->port == port)
			protocols |= rules[i++]->protocols;
		protocols &= ~any_port & ~find_protocols(set, port);
		r = protocols ? eg_array_push(&compiler->added, {port, protocols}) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Puts a set and what is added together, and leaves out what any_port says already. */
static int merge_ports(struct compiler *compiler, const struct port_set *set, uint32_t any_port)
{
	const struct port_item *added = compiler->added.items;
	size_t set_len = set ? set->len : 0, next = 0, i = 0;

	compiler->merged.len = 0;
	while (next < set_len || i < compiler->added.len) {
		const bool is_of_set = next < set_len && (i == compiler->added.len || set->items[next].port <= added[i].port);
		struct port_item item = is_of_set ? set->items[next++] : added[i++];
		int r;

		if (is_of_set && i < compiler->added.len && added[i].port == item.port)
			item.protocols |= added[i++].protocols;
		item.protocols &= ~any_port;
		r = item.protocols ? eg_array_push(&compiler->merged, item) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_merges(const void *a, const void *b)
{
	const struct merge *x = a, *y = b;

	if (x->set != y->set)
		return x->set > y->set ? 1 : -1;
	if (x->any_port != y->any_port)
		return x->any_port > y->any_port ? 1 : -1;
	if (x->len != y->len)
		return x->len > y->len ? 1 : -1;
	return x->len > 0 ? memcmp(x->added, y->added, x->len * sizeof(x->added[0])) : 0;
}

static int keep_merge(struct compiler *compiler, const struct merge *wanted, const struct port_set *result)
{
	const size_t bytes = wanted->len * sizeof(wanted->added[0]);
	struct merge *merge = eg_arena_alloc(&compiler->arena, sizeof(*merge));
	struct port_item *added = eg_arena_alloc(&compiler->arena, bytes);

	if (!merge || !added)
		return -ENOMEM;
	if (bytes > 0)
		memcpy(added, wanted->added, bytes);
	*merge = *wanted;
	merge->added = added;
	merge->result = result;
	return tsearch(merge, &compiler->merges, compare_merges) ? 0 : -ENOMEM;
}

/* A great set with a little more in it may be wanted for each of a million addresses. */
static int add_to_set(struct compiler *compiler, uint32_t any_port, const struct port_set **set)
{
	const struct merge wanted = {*set, any_port, compiler->added.len, compiler->added.items, NULL};
	const bool is_great = *set && (*set)->len >= GREAT_SET;
	struct merge **found = is_great ? tfind(&wanted, &compiler->merges, compare_merges) : NULL;
	int r;

	if (found) {
		*set = (*found)->result;
		return 0;
	}
	r = merge_ports(compiler, *set, any_port);
	if (r == 0)
		r = intern_set(compiler, set);
	return r == 0 && is_great ? keep_merge(compiler, &wanted, *set) : r;
}

/* Adds rules of one class, sorted by port, to what the frame has inherited. */
static int add_class_rules(struct compiler *compiler, struct frame *frame, const struct eg_rule *const *rules,
			   size_t count)
{
	enum eg_class class = rules[0]->class;
	const uint32_t inherited = frame->any_port[class];
	size_t any = 0;
	int r;

	for (; any < count && rules[any]->port == 0; any++)
		frame->any_port[class] |= rules[any]->protocols;
	r = list_added(compiler, frame->sets[class], rules + any, count - any, frame->any_port[class]);
	if (r < 0 || (compiler->added.len == 0 && frame->any_port[class] == inherited))
		return r;
	return add_to_set(compiler, frame->any_port[class], &frame->sets[class]);
}

/* For the order in which prefixes come: none is shorter than one before it that contains its address. */
static bool covers(const struct eg_prefix *earlier, const struct eg_prefix *prefix)
{
	return eg_prefix_contains(earlier, prefix->family, &prefix->addr);
}

/* Leaves the prefixes that do not contain this one and enters it with what the nearest one around it has. */
static struct frame *enter_prefix(struct compiler *compiler, const struct eg_prefix *prefix)
{
	struct frame *frame;

	while (compiler->depth > 0 && !covers(&compiler->stack[compiler->depth - 1].prefix, prefix))
		compiler->depth--;
	frame = &compiler->stack[compiler->depth];
	if (compiler->depth > 0)
		*frame = compiler->stack[compiler->depth - 1];
	else
		*frame = (struct frame){};
	frame->prefix = *prefix;
	compiler->depth++;
	return frame;
}

static int add_frame(struct compiler *compiler, uint32_t scope, const struct frame *frame)
{
	const struct eg_prefix *prefix = &frame->prefix;
	struct eg_prefix_key key = {
		.bits = EG_PREFIX_KEY_BITS + prefix->len,
		.match = {.scope = scope, .family = prefix->family, .addr = prefix->addr},
	};
	struct eg_rules rules = {};

	for (int i = 0; i < EG_CLASS_COUNT; i++) {
		rules.classes[i].any_port = frame->any_port[i];
		rules.classes[i].ports = frame->sets[i] ? frame->sets[i]->id : 0;
	}
	if (prefix->len == (prefix->family == EG_FAMILY_IPV4 ? EG_PREFIX_BITS_IPV4 : EG_PREFIX_BITS_IPV6))
		return add_entry(compiler, EG_TABLE_EXACT, &key.match, &rules);
	return add_entry(compiler, EG_TABLE_PREFIXES, &key, &rules);
}

/* By prefix, so that those around a prefix come before it, then class, then port. */
static int compare_rules(const void *a, const void *b)
{
	const struct eg_rule *x = *(const struct eg_rule *const *)a, *y = *(const struct eg_rule *const *)b;
	int order = eg_prefix_compare(&x->prefix, &y->prefix);

	if (order != 0)
		return order;
	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

/* The rules of one prefix. */
static int compile_prefix(struct compiler *compiler, uint32_t scope, const struct eg_rule *const *rules, size_t count)
{
	struct frame *frame = enter_prefix(compiler, &rules[0]->prefix);
	size_t end;

	for (size_t i = 0; i < count; i = end) {
		int r;

		for (end = i + 1; end < count && rules[end]->class == rules[i]->class;)
			end++;
		r = add_class_rules(compiler, frame, rules + i, end - i);
		if (r < 0)
			return r;
	}
	return add_frame(compiler, scope, frame);
}

static int compile_scope(struct compiler *compiler, const struct eg_scope *scope)
{
	size_t count = scope->rules.len, end;
	_cleanup_free_ const struct eg_rule **sorted = calloc(count + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &scope->rules.items[i];
	qsort(sorted, count, sizeof(*sorted), compare_rules);

	compiler->depth = 0;
	for (size_t i = 0; i < count; i = end) {
		int r;

		for (end = i + 1; end < count && eg_prefix_compare(&sorted[end]->prefix, &sorted[i]->prefix) == 0;)
			end++;
		r = compile_prefix(compiler, scope->id, sorted + i, end - i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Audit mode ends nothing: its traffic goes on. */
static struct eg_cluster_policy compile_cluster(const struct eg_subject *subject, uint32_t family)
{
	struct eg_cluster_policy cluster = *eg_subject_cluster(subject, family);

	if (subject->mode != EG_MODE_AUDIT)
		return cluster;
	cluster.connect_timeout_ms = UINT32_MAX;
	cluster.idle_timeout_ms = 0;
	cluster.max_duration_ms = 0;
	return cluster;
}

static __u32 incoming_flags(const struct eg_incoming *incoming)
{
	static const __u32 flags[] = {
		[EG_INCOMING_OFF] = 0,
		[EG_INCOMING_PERMISSIVE] = EG_WORKLOAD_INCOMING,
		[EG_INCOMING_STRICT] = EG_WORKLOAD_INCOMING | EG_WORKLOAD_STRICT,
	};

	return flags[incoming->mode] | (incoming->mode != EG_INCOMING_OFF && incoming->drops ? EG_WORKLOAD_DROPS : 0);
}

/* Ports without an order of their own make a set like those of rules. */
static int compile_service_ports(struct compiler *compiler, const struct eg_incoming *incoming, __u32 *ret_set)
{
	const struct port_set *set = NULL;
	int r = 0;

	compiler->merged.len = 0;
	for (size_t i = 0; i < incoming->service_port_count && r == 0; i++)
		r = eg_array_push(&compiler->merged, {incoming->service_ports[i], EG_PROTO_TCP | EG_PROTO_UDP});
	if (r == 0)
		r = intern_set(compiler, &set);
	*ret_set = set ? set->id : 0;
	return r;
}

/*
 * Audit lets everything out too: there is nothing for the guard to drop. Nor is there with
 * passthrough true, where only limits refuse. Another owner's program may undo such a refusal,
 * but by its packets that connection looks like one that is older than the enrolment: neither
 * holds a lease, and the older one is to live. So nothing leaves that may not, a limit is
 * exceeded at most, and each packet would pay for it: status names the program instead.
 */
static __u32 flags_of(const struct eg_subject *subject)
{
	const __u32 flags = EG_WORKLOAD_PRESENT | (eg_subject_redirects(subject) ? EG_WORKLOAD_REDIRECTS : 0) |
			    (subject->open_family ? EG_WORKLOAD_OPENED : 0);

	if (subject->mode == EG_MODE_AUDIT)
		return flags | EG_WORKLOAD_AUDIT | (subject->passthrough ? EG_WORKLOAD_PASSTHROUGH : 0);
	if (subject->passthrough)
		return flags | EG_WORKLOAD_PASSTHROUGH;
	return flags | EG_WORKLOAD_GUARDED | (subject->keeps_connections ? EG_WORKLOAD_KEEPS : 0);
}

static int compile_subject(struct compiler *compiler, const struct eg_subject *subject)
{
	const struct eg_incoming *incoming = &subject->incoming;
	struct eg_workload_policy value = {
		.flags = flags_of(subject) | incoming_flags(incoming),
		.mesh_scope = subject->mesh_scope->id,
		.own_scope = subject->own_scope ? subject->own_scope->id : 0,
		.block_errno = subject->block_errno,
		.breaker_errno = subject->breaker_errno,
		.retry_window_ms = subject->retry_window_ms,
		.allowed_protocols = subject->allowed_protocols,
		.grace_ms = subject->grace_ms,
		.mesh_sources = incoming->mesh_sources ? incoming->mesh_sources->id : 0,
		.own_sources = incoming->own_sources ? incoming->own_sources->id : 0,
		.proxy_cgroup = subject->proxy_cgroup,
		.redirect_ipv4 = subject->redirect_ipv4,
		.redirect_ipv6 = subject->redirect_ipv6,
		.ipv4 = compile_cluster(subject, EG_FAMILY_IPV4),
		.ipv6 = compile_cluster(subject, EG_FAMILY_IPV6),
	};

	int r = compile_service_ports(compiler, incoming, &value.service_ports);

	return r < 0 ? r : add_entry(compiler, EG_TABLE_WORKLOADS, &subject->slot, &value);
}

static int compile(struct compiler *compiler, const struct eg_ruleset *rules)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rules->subjects.len; i++)
		r = compile_subject(compiler, rules->subjects.items[i]);
	for (size_t i = 0; r == 0 && i < rules->scopes.len; i++)
		r = compile_scope(compiler, rules->scopes.items[i]);
	return r;
}

/* The table of workloads is an array by slot, where slot 0 stands for none: it must reach the highest slot. */
static size_t count_slots(const struct eg_ruleset *rules)
{
	size_t highest = 0;

	for (size_t i = 0; i < rules->subjects.len; i++)
		if (rules->subjects.items[i]->slot > highest)
			highest = rules->subjects.items[i]->slot;
	return highest + 1;
}

/* Says of every table that is too small, not of the first one only. */
static int check_capacities(const struct compiler *compiler, const struct eg_ruleset *rules)
{
	int result = 0, r;

	for (enum eg_table table = 0; table < EG_TABLE_COUNT; table++) {
		size_t needed = compiler->tables[table].len;

		if (table == EG_TABLE_WORKLOADS && needed > 0)
			needed = count_slots(rules);
		r = check_capacity(compiler, table, needed);
		if (r < 0)
			result = r;
	}
	return result;
}

static int compare_keys(const void *a, const void *b, void *key_size)
{
	return memcmp(a, b, *(const size_t *)key_size);
}

int eg_table_fill(struct eg_table_image *table, void *entries, size_t count)
{
	size_t size = table->key_size + table->value_size;

	if (count == 0)
		return 0;
	table->keys = reallocarray(NULL, count, table->key_size);
	table->values = reallocarray(NULL, count, table->value_size);
	if (!table->keys || !table->values)
		return -ENOMEM;
	qsort_r(entries, count, size, compare_keys, &table->key_size);
	for (size_t i = 0; i < count; i++) {
		const char *entry = (const char *)entries + i * size;

		memcpy((char *)table->keys + i * table->key_size, entry, table->key_size);
		memcpy((char *)table->values + i * table->value_size, entry + table->key_size, table->value_size);
	}
	table->count = count;
	return 0;
}

int eg_image_compile(const struct eg_ruleset *rules, const struct eg_capacity *capacity, struct eg_diag *diag,
		     struct eg_image **ret_image)
{
	_cleanup_(compiler_done) struct compiler compiler = {.capacity = capacity, .diag = diag};
	_cleanup_(eg_image_freep) struct eg_image *image = eg_image_new();
	int r;

	if (!image)
		return -ENOMEM;
	r = compile(&compiler, rules);
	if (r < 0)
		return r;
	r = check_capacities(&compiler, rules);
	if (r < 0)
		return r;
	for (int table = 0; table < EG_TABLE_COUNT; table++) {
		r = eg_table_fill(&image->tables[table], compiler.tables[table].entries, compiler.tables[table].len);
		if (r < 0)
			return r;
	}
	*ret_image = TAKE_PTR(image);
	return 0;
}

struct eg_image *eg_image_new(void)
{
	struct eg_image *image = calloc(1, sizeof(*image));

	for (int table = 0; image && table < EG_TABLE_COUNT; table++) {
		image->tables[table].key_size = table_specs[table].key_size;
		image->tables[table].value_size = table_specs[table].value_size;
	}
	return image;
}

struct eg_image *eg_image_free(struct eg_image *image)
{
	for (int table = 0; image && table < EG_TABLE_COUNT; table++) {
		free(image->tables[table].keys);
		free(image->tables[table].values);
	}
	free(image);
	return NULL;
}

/* 0 where the slot has no policy. */
static uint32_t find_flags(const struct eg_image *image, uint32_t slot)
{
	const struct eg_table_image *table = &image->tables[EG_TABLE_WORKLOADS];
	const struct eg_workload_policy *policies = table->values;
	const uint32_t *slots = table->keys;

	for (size_t i = 0; i < table->count; i++)
		if (slots[i] == slot)
			return policies[i].flags;
	return 0;
}

bool eg_image_looks_at_incoming(const struct eg_image *image, uint32_t slot)
{
	return find_flags(image, slot) & EG_WORKLOAD_INCOMING;
}

bool eg_image_has(const struct eg_image *image, uint32_t slot, enum eg_workload_flag flag)
{
	return find_flags(image, slot) & flag;
}

void eg_image_list_flags(const struct eg_image *image, uint32_t *ret_flags)
{
	const struct eg_table_image *table = &image->tables[EG_TABLE_WORKLOADS];
	const struct eg_workload_policy *policies = table->values;
	const uint32_t *slots = table->keys;

	memset(ret_flags, 0, EG_SLOTS_MAX * sizeof(*ret_flags));
	for (size_t i = 0; i < table->count; i++)
		if (slots[i] < EG_SLOTS_MAX)
			ret_flags[slots[i]] = policies[i].flags;
}

static uint64_t shorter(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t eg_image_shortest_timeout_ms(const struct eg_image *image)
{
	const struct eg_table_image *table = &image->tables[EG_TABLE_WORKLOADS];
	const struct eg_workload_policy *policies = table->values;
	uint64_t shortest = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct eg_cluster_policy *clusters[] = {&policies[i].ipv4, &policies[i].ipv6};

		for (size_t family = 0; family < EG_COUNT_OF(clusters); family++) {
			shortest = shorter(shortest, clusters[family]->idle_timeout_ms);
			shortest = shorter(shortest, clusters[family]->max_duration_ms);
		}
	}
	return shortest;
}
