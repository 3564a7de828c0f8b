/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "keeper.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "datapath/stranded.h"
#include "workload/cgroup.h"

#define PERIOD_NS (10 * UINT64_C(1000000000))

static void say_nothing(const struct eg_stranded_pin *pin, void *context)
{
	(void)pin;
	(void)context;
}

void eg_keeper_run(struct eg_keeper *keeper)
{
	const uint64_t now = eg_now_ns();
	int r;

	if (now - keeper->looked_ns < PERIOD_NS)
		return;
	keeper->looked_ns = now;
	r = eg_stranded_look(keeper->directory, eg_cgroup_is_there, say_nothing, NULL);
	if (r < 0 && r != keeper->said_error)
		eg_log_error("%s-kept: cannot look for cgroups that went while they were enrolled: %s",
			     keeper->directory, strerror(-r));
	keeper->said_error = r;
}
