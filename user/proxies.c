/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "proxies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "datapath/pins.h"
#include "workload/cgroup.h"

void eg_proxies_clear(struct eg_proxies *proxies)
{
	for (size_t i = 0; i < proxies->list.len; i++)
		free(proxies->list.items[i].cgroup);
	eg_array_clear(&proxies->list);
}

static bool has_cgroup(const struct eg_proxies *proxies, uint64_t cgroup_id)
{
	for (size_t i = 0; i < proxies->list.len; i++)
		if (proxies->list.items[i].cgroup_id == cgroup_id)
			return true;
	return false;
}

int eg_proxies_recover(const char *directory, struct eg_proxies *proxies)
{
	_cleanup_free_ char *problem = NULL;
	struct eg_link_pins pins = {};
	int r = eg_pins_list_links(directory, &pins, &problem);

	for (size_t i = 0; i < pins.list.len && r == 0; i++) {
		const struct eg_link_pin *pin = &pins.list.items[i];

		if (eg_link_pin_is_proxys(pin) && !has_cgroup(proxies, pin->cgroup_id))
			r = eg_array_push(&proxies->list, {.cgroup_id = pin->cgroup_id});
	}
	eg_array_clear(&pins.list);
	return r;
}

/* ---- what is wanted ---- */

/* Below the mount. */
static int path_of(const struct eg_slot_plan *plan, char **ret_path)
{
	const char *written = plan->workload->redirect.proxy_cgroup;

	if (asprintf(ret_path, "%s%s%s", written[0] == '/' ? "" : plan->info.cgroup, written[0] == '/' ? "" : "/",
		     written) < 0)
		return -ENOMEM;
	return 0;
}

static int add_wanted(const char *mount_point, const struct eg_slot_plan *plan, struct eg_proxies *wanted)
{
	_cleanup_free_ char *cgroup = NULL, *path = NULL;
	struct eg_proxy proxy = {.slot = plan->slot};
	struct stat st;
	int r = path_of(plan, &cgroup);

	if (r < 0)
		return r;
	if (asprintf(&path, "%s%s", mount_point, cgroup) < 0)
		return -ENOMEM;
	if (stat(path, &st) == 0)
		proxy.cgroup_id = st.st_ino;
	else if (!eg_cgroup_is_gone(errno))
		return -errno;
	proxy.cgroup = cgroup;
	r = eg_array_push(&wanted->list, proxy);
	if (r == 0)
		TAKE_PTR(cgroup);
	return r;
}

int eg_proxies_list_wanted(const char *mount_point, const struct eg_slot_plans *plans, struct eg_proxies *wanted)
{
	int r = 0;

	for (size_t i = 0; i < plans->list.len && r == 0; i++) {
		const struct eg_slot_plan *plan = &plans->list.items[i];

		if (plan->step != EG_STEP_LEAVE && plan->workload && plan->workload->redirect.proxy_cgroup)
			r = add_wanted(mount_point, plan, wanted);
	}
	return r;
}

uint64_t eg_proxies_find(const struct eg_proxies *proxies, uint32_t slot)
{
	for (size_t i = 0; i < proxies->list.len; i++)
		if (proxies->list.items[i].slot == slot)
			return proxies->list.items[i].cgroup_id;
	return 0;
}

/* ---- from one to the other ---- */

static bool has_all(const struct eg_proxies *proxies, const struct eg_proxies *wanted)
{
	for (size_t i = 0; i < wanted->list.len; i++) {
		const struct eg_proxy *proxy = &wanted->list.items[i];
		bool found = false;

		for (size_t j = 0; j < proxies->list.len && !found; j++)
			found = proxies->list.items[j].slot == proxy->slot &&
				proxies->list.items[j].cgroup_id == proxy->cgroup_id;
		if (!found)
			return false;
	}
	return true;
}

bool eg_proxies_are_done(const struct eg_proxies *proxies, const struct eg_proxies *wanted)
{
	return proxies->list.len == wanted->list.len && has_all(proxies, wanted);
}

/* One that is not there, or went a moment ago, brings us back here when it comes. */
static int serve(struct eg_datapath *datapath, const char *mount_point, const struct eg_proxy *proxy)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s%s", mount_point, proxy->cgroup) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == proxy->cgroup_id)
		return eg_datapath_serve_pinned(datapath, fd);
	if (fd < 0 && !eg_cgroup_is_gone(errno))
		return -errno;
	eg_log_warning("%s: the proxy's cgroup is not there: until it is, no proxy is told where connections wanted to "
		       "go, nor left alone",
		       proxy->cgroup);
	return 0;
}

/* Before it is served: should nobody want it in the end, it is one to leave. */
static int note(struct eg_proxies *proxies, uint64_t cgroup_id)
{
	if (cgroup_id == 0 || has_cgroup(proxies, cgroup_id))
		return 0;
	return eg_array_push(&proxies->list, {.cgroup_id = cgroup_id});
}

int eg_proxies_add_new(struct eg_proxies *proxies, struct eg_datapath *datapath, const char *mount_point,
		       const struct eg_proxies *wanted)
{
	int r = 0;

	if (eg_proxies_are_done(proxies, wanted))
		return 0;
	for (size_t i = 0; i < wanted->list.len && r == 0; i++) {
		r = note(proxies, wanted->list.items[i].cgroup_id);
		if (r == 0)
			r = serve(datapath, mount_point, &wanted->list.items[i]);
	}
	return r;
}

int eg_proxies_remove_old(struct eg_proxies *proxies, struct eg_datapath *datapath, struct eg_proxies *wanted)
{
	int r = 0;

	for (size_t i = 0; i < proxies->list.len && r == 0; i++) {
		uint64_t cgroup_id = proxies->list.items[i].cgroup_id;

		if (cgroup_id && !has_cgroup(wanted, cgroup_id))
			r = eg_datapath_leave_proxy(datapath, cgroup_id);
	}
	if (r < 0)
		return r;
	eg_proxies_clear(proxies);
	*proxies = *wanted;
	*wanted = (struct eg_proxies){};
	return 0;
}
