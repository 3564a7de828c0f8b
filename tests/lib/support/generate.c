/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "generate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Mapped ones, their neighbours, and IPv6 addresses that begin or end with the bits of an IPv4 one. */
static const char *const addresses[] = {
	"10.0.0.0",    "10.0.0.1",    "10.1.2.3",     "10.127.255.255",  "10.128.0.0",
	"192.0.2.128", "169.254.1.1", "127.0.0.1",    "0.0.0.0",         "255.255.255.255",
	"fd00::",      "fd00::1",     "fd00:0:0:1::", "2001:db8::1",     "2001:db8::",
	"a00:1::",     "::10.0.0.1",  "::1",          "::ffff:10.1.2.3", "::ffff:0:0",
	"::fffe:0:0",  "::1:0:0:0",   "::",           "ff02::1",         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

static const uint32_t lengths_ipv4[] = {0, 1, 7, 8, 9, 15, 16, 17, 24, 25, 30, 31};
static const uint32_t lengths_ipv6[] = {0, 1, 8, 16, 31, 32, 33, 48, 63, 64, 65, 80, 95, 96, 97, 104, 120, 127};
static const uint16_t ports[] = {1, 53, 80, 443, 65535};
static const uint16_t protocols[] = {
	6 /* TCP */,    17 /* UDP */,  262 /* MPTCP */, 136 /* UDPLITE */, 1 /* ICMP */,  58 /* ICMPV6 */,
	132 /* SCTP */, 33 /* DCCP */, 47 /* GRE */,    115 /* L2TP */,    255 /* RAW */, 0,
};
static const uint32_t protocol_sets[] = {
	EG_PROTO_TCP, EG_PROTO_UDP, EG_PROTO_TCP | EG_PROTO_UDP, EG_PROTO_ANY, EG_PROTO_OTHER, EG_PROTO_ICMP,
};
static const uint16_t errnos[] = {EPERM, EACCES, ECONNREFUSED, 4095};

#define PICK(generator, array) ((array)[generate_below(generator, EG_COUNT_OF(array))])

/* xorshift64* */
static uint32_t next(struct generator *generator)
{
	uint64_t x = generator->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	generator->state = x;
	return (uint32_t)(x * 0x2545f4914f6cdd1dull >> 32);
}

/* Neighbouring seeds must not give similar sequences, and the state must not be 0. */
struct generator generator_new(uint64_t seed)
{
	uint64_t z = seed + 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return (struct generator){.seed = seed, .state = z ? z : 1};
}

struct generator generator_of_bytes(const uint8_t *bytes, size_t len)
{
	struct generator generator;
	uint64_t seed = len;

	for (size_t i = 0; i < len; i++)
		seed = seed * 31 + bytes[i];
	generator = generator_new(seed);
	generator.choices = bytes;
	generator.choices_left = len;
	return generator;
}

/* As many bytes as the limit needs, most often one. */
static uint32_t take_choice(struct generator *generator, uint32_t limit)
{
	uint32_t choice = 0;

	for (uint32_t rest = limit - 1; rest > 0 && generator->choices_left > 0; rest >>= 8) {
		choice = choice << 8 | *generator->choices++;
		generator->choices_left--;
	}
	return choice % limit;
}

uint32_t generate_below(struct generator *generator, uint32_t limit)
{
	return generator->choices_left > 0 ? take_choice(generator, limit) : next(generator) % limit;
}

static bool chance(struct generator *generator, uint32_t percent)
{
	return generate_below(generator, 100) < percent;
}

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "generate: %s\n", what);
	abort();
}

#define PUSH(list, ...) check(eg_array_push(list, __VA_ARGS__) == 0, "out of memory")

static void flip_bit(struct generator *generator, uint32_t family, struct eg_addr *addr)
{
	uint32_t bit = generate_below(generator, family == EG_FAMILY_IPV4 ? 32 : 128);

	addr->word_be[bit / 32] ^= htonl(1u << bit % 32);
}

static void generate_addr(struct generator *generator, char text[EG_ADDR_TEXT_MAX])
{
	struct eg_addr addr;
	uint32_t family;

	check(eg_addr_parse(PICK(generator, addresses), &family, &addr) == 0, "the pool has a malformed address");
	if (chance(generator, 15))
		flip_bit(generator, family, &addr);
	eg_addr_format(family, &addr, text);
}

/* By way of text, since what is written is where mapped prefixes come from. */
static struct eg_prefix generate_prefix(struct generator *generator)
{
	char text[2 * EG_ADDR_TEXT_MAX], addr[EG_ADDR_TEXT_MAX];
	struct eg_prefix prefix;

	if (chance(generator, 20))
		snprintf(addr, sizeof(addr), "%s", PICK(generator, addresses));
	else
		generate_addr(generator, addr);
	if (chance(generator, 40))
		snprintf(text, sizeof(text), "%s", addr);
	else
		snprintf(text, sizeof(text), "%s/%u", addr,
			 strchr(addr, ':') ? PICK(generator, lengths_ipv6) : PICK(generator, lengths_ipv4));
	check(eg_prefix_parse(text, &prefix) == 0, text);
	return prefix;
}

static uint32_t generate_protocol_set(struct generator *generator)
{
	if (chance(generator, 70))
		return PICK(generator, protocol_sets);
	return 1 + generate_below(generator, EG_PROTO_ANY);
}

static void generate_rule(struct generator *generator, struct eg_scope *scope)
{
	struct eg_rule rule = {
		.class = (enum eg_class)generate_below(generator, EG_CLASS_COUNT),
		.prefix = generate_prefix(generator),
		.port = chance(generator, 40) ? 0 : PICK(generator, ports),
		.protocols = generate_protocol_set(generator),
	};

	PUSH(&scope->rules, rule);
}

static uint32_t generate_rule_count(struct generator *generator)
{
	if (chance(generator, 10))
		return 0;
	if (chance(generator, 10))
		return 50 + generate_below(generator, 50);
	return 1 + generate_below(generator, 12);
}

/* Ports of one prefix that are too many to be put together twice; what the other rules say may add to them. */
static void generate_great_set(struct generator *generator, struct eg_scope *scope)
{
	struct eg_rule rule = {
		.class = (enum eg_class)generate_below(generator, EG_CLASS_COUNT),
		.prefix = generate_prefix(generator),
		.protocols = generate_protocol_set(generator),
	};
	const uint16_t count = (uint16_t)(60 + generate_below(generator, 20));

	for (rule.port = 1; rule.port <= count; rule.port++)
		PUSH(&scope->rules, rule);
}

static struct eg_scope *generate_scope(struct generator *generator, struct eg_ruleset *rules)
{
	struct eg_scope *scope = eg_arena_alloc(&rules->arena, sizeof(*scope));
	uint32_t count = generate_rule_count(generator);

	check(scope, "out of memory");
	PUSH(&rules->scopes, scope);
	scope->id = (uint32_t)rules->scopes.len;
	scope->name = "generated";
	for (uint32_t i = 0; i < count; i++)
		generate_rule(generator, scope);
	if (chance(generator, 10))
		generate_great_set(generator, scope);
	return scope;
}

/* Where to makes no difference to a decision; whether does. */
static void generate_redirect(struct generator *generator, struct eg_redirect_policy *redirect)
{
	redirect->to.port = chance(generator, 50) ? 15001 : 0;
	redirect->mesh.port = chance(generator, 50) ? 15002 : 0;
	redirect->dns.port = chance(generator, 50) ? 15053 : 0;
}

static void add_subject(struct generator *generator, struct eg_ruleset *rules, uint32_t slot, uint32_t meshes)
{
	struct eg_subject *subject = eg_arena_alloc(&rules->arena, sizeof(*subject));

	check(subject, "out of memory");
	PUSH(&rules->subjects, subject);
	subject->name = "generated";
	subject->mesh = "generated";
	subject->slot = slot;
	subject->passthrough = chance(generator, 40);
	subject->block_errno = PICK(generator, errnos);
	subject->mesh_scope = rules->scopes.items[generate_below(generator, meshes)];
	if (chance(generator, 70))
		subject->own_scope = generate_scope(generator, rules);
	subject->mode = chance(generator, 20) ? EG_MODE_AUDIT : EG_MODE_ENFORCE;
	if (chance(generator, 40)) {
		generate_redirect(generator, &subject->redirect_ipv4);
		generate_redirect(generator, &subject->redirect_ipv6);
	}
}

struct eg_ruleset *generate_ruleset(struct generator *generator)
{
	uint32_t meshes = 1 + generate_below(generator, chance(generator, 5) ? 40 : 3);
	uint32_t subjects = chance(generator, 3) ? 0 : 1 + generate_below(generator, chance(generator, 5) ? 80 : 5);
	struct eg_ruleset *rules = calloc(1, sizeof(*rules));
	uint32_t slot = 0;

	check(rules, "out of memory");
	for (uint32_t i = 0; i < meshes; i++)
		generate_scope(generator, rules);
	for (uint32_t i = 0; i < subjects; i++) {
		slot += 1 + generate_below(generator, 3);
		add_subject(generator, rules, slot, meshes);
	}
	check(slot < GENERATE_SLOTS_MAX, "too many slots");
	return rules;
}

static int compare_numbers(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void generate_service_ports(struct generator *generator, struct eg_ruleset *rules, struct eg_incoming *incoming)
{
	const size_t count = generate_below(generator, 4);
	uint16_t *list = eg_arena_alloc(&rules->arena, 4 * sizeof(*list));

	check(list, "out of memory");
	for (size_t i = 0; i < count; i++)
		list[i] = PICK(generator, ports);
	qsort(list, count, sizeof(*list), compare_numbers);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || list[i] != list[incoming->service_port_count - 1])
			list[incoming->service_port_count++] = list[i];
	incoming->service_ports = list;
}

void generate_incoming(struct generator *generator, struct eg_ruleset *rules)
{
	for (size_t i = 0; i < rules->subjects.len; i++) {
		struct eg_incoming *incoming = &rules->subjects.items[i]->incoming;

		incoming->mode = (enum eg_incoming_mode)(chance(generator, 70) ? EG_INCOMING_STRICT : generate_below(generator, 3));
		if (incoming->mode == EG_INCOMING_OFF)
			continue;
		incoming->drops = chance(generator, 30);
		incoming->mesh_sources = generate_scope(generator, rules);
		if (chance(generator, 60))
			incoming->own_sources = generate_scope(generator, rules);
		generate_service_ports(generator, rules, incoming);
	}
}

/* --- documents --- */

static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
static const struct eg_tag tags[] = {
	{"app", "web"},	 {"app", "db"},	  {"app", "*"}, {"tier", "front"}, {"tier", "back"}, {EG_SERVICE_TAG, "a"},
	{EG_SERVICE_TAG, "b"}, {EG_SERVICE_TAG, "*"},
};
/* What a Workload can have: no *, and no service of its own. */
#define OWN_TAGS 2
#define OWN_TAGS_FROM 3

static struct eg_tags generate_tags(struct generator *generator, struct eg_model *model, uint32_t most)
{
	const uint32_t count = generate_below(generator, most + 1);
	struct eg_tags list = {.items = eg_arena_alloc(&model->arena, (most + 1) * sizeof(struct eg_tag))};

	check(list.items, "out of memory");
	for (uint32_t i = 0; i < count; i++)
		list.items[list.len++] = PICK(generator, tags);
	return list;
}

/* One value of each name at most, as a mapping has. */
static struct eg_tags generate_own_tags(struct generator *generator, struct eg_model *model)
{
	struct eg_tags list = {.items = eg_arena_alloc(&model->arena, 2 * sizeof(struct eg_tag))};

	check(list.items, "out of memory");
	if (chance(generator, 70))
		list.items[list.len++] = tags[generate_below(generator, OWN_TAGS)];
	if (chance(generator, 50))
		list.items[list.len++] = tags[OWN_TAGS_FROM + generate_below(generator, OWN_TAGS)];
	return list;
}

static struct eg_allow generate_allow(struct generator *generator, uint32_t protocol_set)
{
	return (struct eg_allow){
		.prefix = generate_prefix(generator),
		.port = chance(generator, 40) ? 0 : PICK(generator, ports),
		.protocols = protocol_set,
	};
}

static void add_workload(struct generator *generator, struct eg_model *model, const char *name)
{
	struct eg_workload *workload = eg_arena_alloc(&model->arena, sizeof(*workload));

	check(workload, "out of memory");
	workload->name = name;
	workload->mesh = EG_DEFAULT_MESH;
	workload->tags = generate_own_tags(generator, model);
	if (chance(generator, 50))
		workload->dataplane = PICK(generator, names);
	PUSH(&model->workloads, workload);
	while (chance(generator, 30))
		PUSH(&workload->allow, generate_allow(generator, generate_protocol_set(generator)));
	while (chance(generator, 10))
		PUSH(&workload->exclude_outbound_ports, {.port = PICK(generator, ports)});
	while (chance(generator, 20))
		PUSH(&workload->exclude_outbound_ips, {.prefix = generate_prefix(generator)});
}

/* Often an address. */
static const char *generate_host(struct generator *generator, struct eg_model *model)
{
	char text[EG_ADDR_TEXT_MAX] = "db.example.com";
	const char *copy;

	if (chance(generator, 85))
		generate_addr(generator, text);
	copy = eg_arena_strdup(&model->arena, text);
	check(copy, "out of memory");
	return copy;
}

static struct eg_endpoint generate_endpoint(struct generator *generator, struct eg_model *model)
{
	return (struct eg_endpoint){.address = generate_host(generator, model), .port = PICK(generator, ports)};
}

static void add_dataplane(struct generator *generator, struct eg_model *model, const char *name)
{
	struct eg_dataplane *dataplane = eg_arena_alloc(&model->arena, sizeof(*dataplane));

	check(dataplane, "out of memory");
	dataplane->name = name;
	dataplane->mesh = chance(generator, 80) ? EG_DEFAULT_MESH : "elsewhere";
	dataplane->address = generate_host(generator, model);
	if (chance(generator, 30))
		dataplane->advertised_address = generate_host(generator, model);
	dataplane->labels = generate_own_tags(generator, model);
	dataplane->is_gateway = chance(generator, 10);
	if (dataplane->is_gateway && chance(generator, 70))
		dataplane->gateway_tags = generate_tags(generator, model, 2);
	PUSH(&model->dataplanes, dataplane);
	while (chance(generator, 50))
		PUSH(&dataplane->inbounds, {.address = chance(generator, 20) ? generate_host(generator, model) : NULL,
					    .port = PICK(generator, ports),
					    .tags = generate_tags(generator, model, 2)});
	while (chance(generator, 25))
		PUSH(&dataplane->outbounds, generate_endpoint(generator, model));
}

static void add_service(struct generator *generator, struct eg_model *model)
{
	struct eg_service *service = eg_arena_alloc(&model->arena, sizeof(*service));

	check(service, "out of memory");
	service->name = "service";
	service->mesh = chance(generator, 80) ? EG_DEFAULT_MESH : "elsewhere";
	PUSH(&model->services, service);
	while (chance(generator, 60))
		PUSH(&service->endpoints, generate_endpoint(generator, model));
}

static struct eg_prefix generate_single(struct generator *generator)
{
	char text[EG_ADDR_TEXT_MAX];
	struct eg_prefix prefix;

	generate_addr(generator, text);
	check(eg_prefix_parse(text, &prefix) == 0, text);
	return prefix;
}

static void add_node(struct generator *generator, struct eg_model *model)
{
	struct eg_node *node = eg_arena_alloc(&model->arena, sizeof(*node));

	check(node, "out of memory");
	node->name = "node";
	node->resolvers_listed = chance(generator, 70);
	model->node = node;
	while (chance(generator, 40))
		PUSH(&node->resolvers, {.prefix = generate_single(generator)});
	while (chance(generator, 20))
		PUSH(&node->mesh_cidrs, {.prefix = generate_prefix(generator)});
}

static struct eg_target generate_target(struct generator *generator, struct eg_model *model)
{
	static const enum eg_target_kind kinds[] = {EG_TARGET_MESH, EG_TARGET_MESH_SUBSET, EG_TARGET_MESH_SUBSET,
						    EG_TARGET_DATAPLANE, EG_TARGET_DATAPLANE, EG_TARGET_MESH_GATEWAY};
	struct eg_target target = {.kind = PICK(generator, kinds)};

	if (target.kind == EG_TARGET_MESH_SUBSET)
		target.tags = generate_tags(generator, model, 2);
	else if (target.kind == EG_TARGET_DATAPLANE && chance(generator, 30))
		target.name = PICK(generator, names);
	else if (target.kind == EG_TARGET_DATAPLANE)
		target.labels = generate_tags(generator, model, 2);
	if (target.kind != EG_TARGET_DATAPLANE && chance(generator, 20))
		target.proxy_types = chance(generator, 50) ? EG_PROXY_SIDECAR : EG_PROXY_GATEWAY;
	return target;
}

static void add_passthrough(struct generator *generator, struct eg_model *model, const char *name)
{
	static const enum eg_passthrough_mode modes[] = {EG_PASSTHROUGH_ALL, EG_PASSTHROUGH_NONE, EG_PASSTHROUGH_MATCHED,
							 EG_PASSTHROUGH_MATCHED};
	struct eg_mesh_passthrough *policy = eg_arena_alloc(&model->arena, sizeof(*policy));

	check(policy, "out of memory");
	policy->head = (struct eg_policy_head){
		.kind = "MeshPassthrough",
		.name = name,
		.display_name = name,
		.mesh = EG_DEFAULT_MESH,
		.is_shadow = chance(generator, 5),
		.target = generate_target(generator, model),
	};
	policy->mode = PICK(generator, modes);
	PUSH(&model->passthroughs, policy);
	while (chance(generator, 75))
		PUSH(&policy->matches, generate_allow(generator, EG_PROTO_TCP));
}

struct eg_model *generate_model(struct generator *generator)
{
	struct eg_model *model = eg_model_new();
	struct eg_mesh *mesh = model ? eg_arena_alloc(&model->arena, sizeof(*mesh)) : NULL;
	const uint32_t first = generate_below(generator, EG_COUNT_OF(names));
	const uint32_t workloads = 1 + generate_below(generator, EG_COUNT_OF(names) - 1);
	const uint32_t policies = generate_below(generator, EG_COUNT_OF(names));
	const uint32_t dataplanes = chance(generator, 50) ? generate_below(generator, EG_COUNT_OF(names)) : 0;

	check(mesh, "out of memory");
	mesh->name = EG_DEFAULT_MESH;
	mesh->passthrough = (struct eg_optional_bool){.is_set = chance(generator, 60), .value = chance(generator, 50)};
	PUSH(&model->meshes, mesh);
	if (chance(generator, 50))
		add_node(generator, model);
	for (uint32_t i = 0; i < workloads; i++)
		add_workload(generator, model, names[i]);
	for (uint32_t i = 0; i < dataplanes; i++)
		add_dataplane(generator, model, names[(first + i) % EG_COUNT_OF(names)]);
	while (chance(generator, 20))
		add_service(generator, model);
	/* The order of documents must not count, so it is not that of their names. */
	for (uint32_t i = 0; i < policies; i++)
		add_passthrough(generator, model, names[(first + i) % EG_COUNT_OF(names)]);
	return model;
}

const struct eg_subject *generate_subject(struct generator *generator, const struct eg_ruleset *rules)
{
	if (rules->subjects.len == 0 || chance(generator, 3))
		return NULL;
	return rules->subjects.items[generate_below(generator, (uint32_t)rules->subjects.len)];
}

/* NULL when the subject has no rule. */
static const struct eg_rule *pick_rule(struct generator *generator, const struct eg_subject *subject)
{
	const struct eg_scope *scope;

	if (!subject)
		return NULL;
	scope = subject->own_scope && chance(generator, 50) ? subject->own_scope : subject->mesh_scope;
	return scope->rules.len ? &scope->rules.items[generate_below(generator, (uint32_t)scope->rules.len)] : NULL;
}

/* Sets or randomises the bits behind the prefix. */
static void fill_host_bits(struct generator *generator, const struct eg_prefix *prefix, bool all_ones,
			   struct eg_addr *addr)
{
	uint32_t bits = prefix->family == EG_FAMILY_IPV4 ? 32 : 128;

	for (uint32_t bit = prefix->len; bit < bits; bit++)
		if (all_ones || chance(generator, 50))
			addr->word_be[bit / 32] |= htonl(0x80000000u >> bit % 32);
}

/* The address before (step -1) or after (step 1), round the ends of the family's space. */
static void step_addr(uint32_t family, uint32_t step, struct eg_addr *addr)
{
	for (int word = family == EG_FAMILY_IPV4 ? 0 : 3; word >= 0; word--) {
		uint32_t old = ntohl(addr->word_be[word]);

		addr->word_be[word] = htonl(old + step);
		/* On to the next word only with a carry, or a borrow. */
		if (step == 1 ? old != UINT32_MAX : old != 0)
			break;
	}
}

/* Its first or last address, the neighbours of these, or any one inside. */
static struct eg_addr generate_addr_near(struct generator *generator, const struct eg_prefix *prefix)
{
	uint32_t where = generate_below(generator, 5);
	struct eg_addr addr = prefix->addr;

	if (where == 1 || where == 3)
		fill_host_bits(generator, prefix, true, &addr);
	if (where == 4)
		fill_host_bits(generator, prefix, false, &addr);
	if (where == 2)
		step_addr(prefix->family, (uint32_t)-1, &addr);
	if (where == 3)
		step_addr(prefix->family, 1, &addr);
	return addr;
}

/* The same destination in the form of an IPv6 socket, or the same words in the wrong family. */
static void disguise_ipv4(struct generator *generator, struct eg_flow *flow)
{
	uint32_t ipv4 = flow->addr.word_be[0];

	if (!chance(generator, 35))
		return;
	flow->family = EG_FAMILY_IPV6;
	if (chance(generator, 80))
		flow->addr = (struct eg_addr){.word_be = {0, 0, htonl(0xffff), ipv4}};
	else if (chance(generator, 50))
		flow->addr = (struct eg_addr){.word_be = {0, 0, 0, ipv4}};
}

struct eg_flow generate_flow(struct generator *generator, const struct eg_subject *subject)
{
	const struct eg_rule *rule = chance(generator, 80) ? pick_rule(generator, subject) : NULL;
	struct eg_flow flow = {.protocol = chance(generator, 40) ? 6 : PICK(generator, protocols)};
	char text[EG_ADDR_TEXT_MAX];

	if (rule) {
		flow.family = rule->prefix.family;
		flow.addr = generate_addr_near(generator, &rule->prefix);
	} else {
		generate_addr(generator, text);
		check(eg_addr_parse(text, &flow.family, &flow.addr) == 0, text);
	}
	if (rule && rule->port && chance(generator, 60))
		flow.port = rule->port;
	else if (chance(generator, 90))
		flow.port = PICK(generator, ports);
	if (flow.family == EG_FAMILY_IPV4)
		disguise_ipv4(generator, &flow);
	return flow;
}

struct eg_flow generate_client(struct generator *generator, const struct eg_subject *subject)
{
	struct eg_subject sources = {};
	struct eg_flow flow;

	/* Sources are rules like any others: what is near them is a client that they may be about. */
	if (subject && subject->incoming.mesh_sources) {
		sources.mesh_scope = subject->incoming.mesh_sources;
		sources.own_scope = subject->incoming.own_sources;
		subject = &sources;
	}
	flow = generate_flow(generator, subject);
	if (chance(generator, 80))
		flow.protocol = chance(generator, 60) ? 6 : 17;
	return flow;
}

struct eg_flow generate_normalised(const struct eg_flow *flow)
{
	struct eg_flow normal = *flow;

	if (flow->family == EG_FAMILY_IPV6 && !flow->addr.word_be[0] && !flow->addr.word_be[1] &&
	    flow->addr.word_be[2] == htonl(0xffff)) {
		normal.family = EG_FAMILY_IPV4;
		normal.addr = (struct eg_addr){.word_be = {flow->addr.word_be[3]}};
	}
	return normal;
}

static void print_scope(FILE *out, const char *what, const struct eg_scope *scope)
{
	char text[EG_ADDR_TEXT_MAX];

	for (size_t i = 0; scope && i < scope->rules.len; i++) {
		const struct eg_rule *rule = &scope->rules.items[i];

		fprintf(out, "  %s scope %u: class %d, %s, port %u, protocols 0x%x\n", what, scope->id, rule->class,
			eg_prefix_format(&rule->prefix, text), rule->port, rule->protocols);
	}
}

void generate_print(FILE *out, const struct generator *generator, const struct eg_subject *subject,
		    const struct eg_flow *flow)
{
	char text[EG_ADDR_TEXT_MAX];

	fprintf(out, "seed %" PRIu64 ": %s port %u protocol %u\n", generator->seed,
		eg_addr_format(flow->family, &flow->addr, text), flow->port, flow->protocol);
	if (!subject) {
		fprintf(out, "  no policy\n");
		return;
	}
	fprintf(out, "  slot %u, passthrough %s, errno %u\n", subject->slot, subject->passthrough ? "true" : "false",
		subject->block_errno);
	print_scope(out, "mesh", subject->mesh_scope);
	print_scope(out, "own", subject->own_scope);
}
