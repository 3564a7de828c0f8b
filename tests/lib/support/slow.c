/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slow.h"

#include <stdlib.h>

static unsigned int factor(void)
{
	const char *text = getenv("EG_SLOW");
	int value = text ? atoi(text) : 1;

	return value > 1 ? (unsigned int)value : 1;
}

unsigned int slow_count(unsigned int count)
{
	return count > factor() ? count / factor() : 1;
}

int slow_ms(int ms)
{
	return ms * (int)factor();
}
