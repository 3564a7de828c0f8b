/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_SUGGEST_H
#define EG_BASE_SUGGEST_H

/* What somebody may have meant. */
#include <stdbool.h>
#include <stddef.h>

/*
 * How far two words are apart: letters changed, left out, added or swapped with
 * their neighbour. Case, '_' and '-' do not count. SIZE_MAX for words over 64
 * bytes and for lengths that differ by more than can be close.
 */
size_t eg_suggest_distance(const char *a, const char *b);

/* Close enough to be a slip: a third of the word's letters, three at most. */
bool eg_suggest_is_close(const char *written, size_t distance);

/* The closest of `words`, or NULL when none is close. */
const char *eg_suggest(const char *written, const char *const *words, size_t count);

#endif
