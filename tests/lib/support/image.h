/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_IMAGE_H
#define EG_TESTS_IMAGE_H

/*
 * Policies of one subject or a few, made by hand, as images for the maps.
 *
 *   struct eg_scope scope = {.id = 1, .name = "default"};
 *   struct eg_subject subject = subject_of(1, &scope);
 *
 *   scope_add(&scope, EG_CLASS_MESH, prefix_of("192.0.2.1"), 0, EG_PROTO_ANY);
 *   image_apply(datapath, &subject);
 *   eg_array_clear(&scope.rules);
 */
#include "datapath/datapath.h"
#include "policy/compile.h"
#include "policy/rules.h"

struct eg_prefix prefix_of(const char *text);
/* One address, in host byte order. */
struct eg_prefix prefix_of_ipv4(uint32_t address);

/* Port 0 is every port; protocols as in struct eg_rule. */
void scope_add(struct eg_scope *scope, enum eg_class class, struct eg_prefix prefix, uint16_t port, uint32_t protocols);

/* Programs and maps, not attached, with that capacity for each kind of policy entry; skips without root. */
struct eg_datapath *datapath_load(uint32_t slots, size_t capacity);
/* With a table of so many leases, a power of two. */
struct eg_datapath *datapath_load_leases(uint32_t slots, size_t capacity, uint32_t leases);

/* One that has nothing but its mesh's rules: passthrough false, EPERM, the breaker's defaults. */
struct eg_subject subject_of(uint32_t slot, const struct eg_scope *mesh);

/* For eg_image_free(). */
struct eg_image *image_of(const struct eg_subject *subject);
/* The same for some of them, no two of which share a scope. */
struct eg_image *image_of_all(const struct eg_subject *subjects, size_t count);
/* Puts it in force, which must succeed. */
void image_apply(struct eg_datapath *datapath, const struct eg_subject *subject);

#endif
