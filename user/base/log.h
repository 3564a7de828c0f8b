/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_BASE_LOG_H
#define EG_BASE_LOG_H

/*
 * Messages to the operator on stderr, "egressctl: what, and its consequence".
 * Only the programs and the stages that they own use it; libraries return errors.
 */
#include <stdbool.h>

enum eg_log_level {
	EG_LOG_ERROR,
	EG_LOG_WARNING,
	EG_LOG_INFO,
	EG_LOG_DEBUG,
};

/* Messages above this level are dropped. EG_LOG_INFO until set. */
void eg_log_set_level(enum eg_log_level level);
bool eg_log_wants(enum eg_log_level level);
/* A line; "name: " comes before it and a newline after it. errno stays as it was. */
__attribute__((format(printf, 2, 3))) void eg_log(enum eg_log_level level, const char *format, ...);

#define eg_log_error(...) eg_log(EG_LOG_ERROR, __VA_ARGS__)
#define eg_log_warning(...) eg_log(EG_LOG_WARNING, __VA_ARGS__)
#define eg_log_info(...) eg_log(EG_LOG_INFO, __VA_ARGS__)
#define eg_log_debug(...) eg_log(EG_LOG_DEBUG, __VA_ARGS__)

#endif
