/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_TESTS_PROBE_H
#define EG_TESTS_PROBE_H

/* What tests/bpf/decide.bpf.c is asked. */
#include "egress/flow.h"

/* No decision looks like this: its reserved bits would all be set. */
#define EG_PROBE_FAILED 0xffffffffu

/* Nor like this: the client is not looked at. */
#define EG_PROBE_NOT_JUDGED 0xfffffffeu

struct eg_probe {
	__u8 ethernet[16];	/* test runs want a link-layer header in front */
	__u32 slot;
	struct eg_flow flow;	/* may hold a mapped address */
};
EG_STATIC_SIZE(struct eg_probe, 44);

#endif
