/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_FUZZ_H
#define EG_TESTS_FUZZ_H

/*
 * What fuzz targets have in common. Each is one file, tests/fuzz/fuzz_x.c, with one
 * function, which libFuzzer calls with whatever it makes up and tests/fuzz/main.c
 * with what stands in a file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Otherwise says so and aborts: a finding. */
#define fuzz_check(holds) fuzz_check_at(holds, #holds, __FILE__, __LINE__)
void fuzz_check_at(bool holds, const char *what, const char *file, int line);

/* The bytes with a NUL behind them, for free(). What is behind a NUL among them is of no effect. */
char *fuzz_text(const uint8_t *bytes, size_t len);

struct generator;
/* Compiles the rules, and checks that image and rules decide alike for flows that the generator chooses. */
void fuzz_compare(const struct eg_ruleset *rules, struct generator *generator, unsigned int flows);

#endif
