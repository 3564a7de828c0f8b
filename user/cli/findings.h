/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_CLI_FINDINGS_H
#define EG_CLI_FINDINGS_H

#include <stdio.h>

#include "base/diag.h"

/*
 * Prints findings as eg_diag_print() does. On a terminal each has the line that it is
 * about below it, with a caret under the place, and colours unless NO_COLOR is set.
 */
void eg_findings_print(struct eg_diag *diag, FILE *out);

#endif
