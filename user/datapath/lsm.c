/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The programs of the BPF LSM, which many a kernel does not take: then they are absent, and it is said. */
#include "datapath/lsm.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "bpf/lsm.skel.h"
#include "datapath/object.h"
#include "datapath/refusal.h"

/*
 * 0, or -EOPNOTSUPP where it does not have the module, or why that cannot be known. A list with commas:
 * "lockdown,capability,bpf". The kernel loads and attaches the programs also where it runs none.
 */
static int look_for_module(void)
{
	_cleanup_fclose_ FILE *file = fopen("/sys/kernel/security/lsm", "re");
	char modules[256], *rest = modules, *module;

	if (!file && eg_refusal_is_for_want(-errno))
		return -errno;
	if (!file || !fgets(modules, sizeof(modules), file))
		return -EOPNOTSUPP;
	while ((module = strsep(&rest, ",\n")))
		if (strcmp(module, "bpf") == 0)
			return 0;
	return -EOPNOTSUPP;
}

int eg_object_open_lsm(struct eg_datapath *datapath)
{
	datapath->lsm_error = -EOPNOTSUPP;
	datapath->lsm = lsm_bpf__open();
	return datapath->lsm ? 0 : -errno;
}

static int load(struct eg_datapath *datapath)
{
	struct lsm_bpf *lsm = datapath->lsm;
	int r = eg_object_share_maps(datapath, lsm->obj);

	if (r < 0)
		return r;
	lsm->rodata->eg_dest_quota = datapath->destination_quota;
	lsm->rodata->eg_event_rate = datapath->event_rate;
	return lsm_bpf__load(lsm);
}

int eg_object_load_lsm(struct eg_datapath *datapath)
{
	if (!datapath->lsm)
		return 0;
	datapath->lsm_error = look_for_module();
	if (datapath->lsm_error == 0)
		datapath->lsm_error = load(datapath);
	if (datapath->lsm_error < 0)
		eg_log_debug("the programs of the BPF LSM are not loaded: %s", strerror(-datapath->lsm_error));
	return eg_refusal_is_for_want(datapath->lsm_error) ? datapath->lsm_error : 0;
}

void eg_object_free_lsm(struct lsm_bpf *lsm)
{
	lsm_bpf__destroy(lsm);
}

struct bpf_object *eg_object_lsm(const struct eg_datapath *datapath)
{
	return datapath->lsm ? datapath->lsm->obj : NULL;
}

struct bpf_object *eg_object_loaded_lsm(const struct eg_datapath *datapath)
{
	return datapath->lsm_error < 0 ? NULL : eg_object_lsm(datapath);
}

int eg_datapath_lsm_error(const struct eg_datapath *datapath)
{
	return datapath->lsm_error;
}

const char *eg_lsm_problem(int error)
{
	switch (error) {
	case -EOPNOTSUPP:
		return "bpf is not in the kernel's list of security modules (lsm=), or that cannot be read";
	case -524: /* ENOTSUPP, which user space has no name for */
		return "the kernel has no trampolines for them on this processor";
	case -E2BIG:
		return "others have all places that the kernel has for hooks of the LSM on cgroups";
	case -EPERM:
		return "the kernel refuses programs that need a trampoline";
	default:
		return strerror(-error);
	}
}
