/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "endpoint.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "peer.h"

static bool admits(int fd, void *context)
{
	const struct eg_maps maps = eg_datapath_maps(((struct eg_admin_endpoint *)context)->datapath);

	return eg_peer_is_outside(fd, &maps);
}

static void listen_at_path(struct eg_admin_endpoint *endpoint, const char *path)
{
	int r = *path ? eg_admin_listen_local(endpoint->admin, path) : 0;

	if (r < 0)
		eg_log_error("admin: no endpoint at %s: %s", path,
			     r == -EADDRINUSE ? "another process listens there" : strerror(-r));
}

/* NULL: nowhere. */
static void listen_at_place(struct eg_admin_endpoint *endpoint, const struct eg_addr_port *place)
{
	char text[EG_ADDR_PORT_TEXT_MAX];
	int r = eg_admin_listen_tcp(endpoint->admin, place);

	endpoint->place = place && r == 0 ? *place : (struct eg_addr_port){};
	if (!place)
		return;
	eg_addr_port_format(place->family, &place->addr, place->port, text);
	if (r < 0)
		eg_log_error("admin: no endpoint at %s: %s", text, strerror(-r));
	else
		eg_log_info("admin: listening at %s, for reading", text);
}

static bool is_same_place(const struct eg_addr_port *a, const struct eg_addr_port *b)
{
	return a->family == b->family && a->port == b->port && memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0;
}

void eg_admin_endpoint_start(struct eg_admin_endpoint *endpoint, const char *directory, const char *path)
{
	const struct eg_admin_options options = {
		.directory = directory,
		.maps = eg_datapath_maps(endpoint->datapath),
		.admits = admits,
		.context = endpoint,
	};
	int r = eg_admin_start(&options, &endpoint->admin);

	if (r < 0) {
		eg_log_error("admin: no endpoint: %s", strerror(-r));
		return;
	}
	listen_at_path(endpoint, path);
	eg_admin_endpoint_follow(endpoint, NULL);
}

void eg_admin_endpoint_stop(struct eg_admin_endpoint *endpoint)
{
	endpoint->admin = eg_admin_stop(endpoint->admin);
}

void eg_admin_endpoint_follow(struct eg_admin_endpoint *endpoint, const struct eg_model *model)
{
	static const struct eg_addr_port nowhere;
	const struct eg_node *node = model ? model->node : NULL;
	const struct eg_addr_port *place = endpoint->wanted;

	if (!place && node && node->admin.is_set)
		place = &node->admin.place;
	if (endpoint->admin && !is_same_place(&endpoint->place, place ? place : &nowhere))
		listen_at_place(endpoint, place);
}
