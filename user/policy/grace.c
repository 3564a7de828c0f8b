/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/grace.h"

#include <string.h>

#include "policy/model.h"

#define NSEC_PER_MSEC UINT64_C(1000000)

static const char *key_at(const struct eg_table_image *table, size_t i)
{
	return (const char *)table->keys + i * table->key_size;
}

static const char *value_at(const struct eg_table_image *table, size_t i)
{
	return (const char *)table->values + i * table->value_size;
}

/* The place of a key that is not before `from`; both are sorted. table->count: it has none. */
static size_t find_from(const struct eg_table_image *table, size_t from, const char *key)
{
	while (from < table->count && memcmp(key_at(table, from), key, table->key_size) < 0)
		from++;
	return from;
}

/*
 * Whether all that the rules of a table said holds still. Rules that are added allow more:
 * there is none that forbids, and an entry is complete for its addresses.
 */
static bool has_all(const struct eg_table_image *table, const struct eg_table_image *before)
{
	size_t at = 0;

	for (size_t i = 0; i < before->count; i++) {
		at = find_from(table, at, key_at(before, i));
		if (at == table->count || memcmp(key_at(table, at), key_at(before, i), table->key_size) != 0 ||
		    memcmp(value_at(table, at), value_at(before, i), table->value_size) != 0)
			return false;
	}
	return true;
}

static bool has_all_rules(const struct eg_image *image, const struct eg_image *before)
{
	for (enum eg_table table = EG_TABLE_EXACT; table < EG_TABLE_COUNT; table++)
		if (!has_all(&image->tables[table], &before->tables[table]))
			return false;
	return true;
}

/* What is kept needs time too: the agent marks one after the other. */
static uint64_t grace_ns_of(const struct eg_workload_policy *policy)
{
	uint32_t ms = policy->grace_ms;

	if ((policy->flags & EG_WORKLOAD_KEEPS) && ms < EG_GRACE_PERIOD_DEFAULT_MS)
		ms = EG_GRACE_PERIOD_DEFAULT_MS;
	return ms * NSEC_PER_MSEC;
}

/* NULL before: the slot had no policy. */
static bool may_forbid_more(const struct eg_workload_policy *policy, const struct eg_workload_policy *before,
			    bool has_rules)
{
	return !before || !(before->flags & EG_WORKLOAD_GUARDED) || policy->mesh_scope != before->mesh_scope ||
	       policy->own_scope != before->own_scope || !has_rules;
}

static uint64_t grace_until_ns(const struct eg_workload_policy *policy, const struct eg_workload_policy *before,
			       bool changed, uint64_t now_ns)
{
	if (!(policy->flags & EG_WORKLOAD_GUARDED))
		return 0;
	return changed ? now_ns + grace_ns_of(policy) : before->grace_until_ns;
}

void eg_image_grant_grace(struct eg_image *image, const struct eg_image *before, const bool *fresh, uint64_t now_ns)
{
	const struct eg_table_image *table = &image->tables[EG_TABLE_WORKLOADS];
	const struct eg_table_image *old = &before->tables[EG_TABLE_WORKLOADS];
	struct eg_workload_policy *policies = table->values;
	const uint32_t *slots = table->keys;
	bool has_rules = has_all_rules(image, before);
	size_t at = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct eg_workload_policy *was = NULL;

		at = find_from(old, at, key_at(table, i));
		if (at < old->count && memcmp(key_at(old, at), key_at(table, i), table->key_size) == 0)
			was = (const struct eg_workload_policy *)old->values + at;
		policies[i].grace_until_ns =
			grace_until_ns(&policies[i], was,
				       (fresh && fresh[slots[i]]) || may_forbid_more(&policies[i], was, has_rules), now_ns);
	}
}

uint64_t eg_image_next_grace_ns(const struct eg_image *image, uint64_t now_ns)
{
	const struct eg_table_image *table = &image->tables[EG_TABLE_WORKLOADS];
	const struct eg_workload_policy *policies = table->values;
	uint64_t next = 0;

	for (size_t i = 0; i < table->count; i++)
		if (policies[i].grace_until_ns > now_ns && (next == 0 || policies[i].grace_until_ns < next))
			next = policies[i].grace_until_ns;
	return next;
}
