/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_LSM_H
#define EG_DATAPATH_LSM_H

/* The guard's programs of the BPF LSM (bpf/lsm.bpf.c), where the kernel takes them: found out by trying. */
#include "datapath/datapath.h"

/* 0: they are loaded, and, until the kernel refuses to attach one, on the cgroup of each slot that is guarded; or -errno: why there are none. */
int eg_datapath_lsm_error(const struct eg_datapath *datapath);
/* That error, in words. */
const char *eg_lsm_problem(int error);

#endif
