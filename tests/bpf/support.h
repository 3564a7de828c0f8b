/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_BPF_SUPPORT_H
#define EG_TESTS_BPF_SUPPORT_H

/* cmocka wants these in front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

/* Skips, with the reason, where the kernel cannot be asked. */
static inline void skip_unless_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("# skip: loading BPF programs needs root\n");
	skip();
}

#endif
