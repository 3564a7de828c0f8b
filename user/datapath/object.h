/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_OBJECT_H
#define EG_DATAPATH_OBJECT_H

/* What the files of this folder share. */
#include <stdbool.h>

#include "bpf/egress.skel.h"
#include "datapath/datapath.h"
#include "policy/compile.h"

struct eg_datapath {
	struct egress_bpf *skeleton;
	struct eg_control control;	/* what eg_control holds */
	struct eg_image *image;		/* what the active bank holds, and the idle one unless it is unknown */
	bool idle_is_unknown;		/* writing it failed midway: it is filled anew before it is used */
	int grace_fd;			/* see wait_for_programs() */
};

/* The map of a bank that takes an image's table. */
struct bpf_map *eg_object_table(const struct eg_datapath *datapath, unsigned int bank, enum eg_table table);

#endif
