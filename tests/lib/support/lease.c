/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "lease.h"

#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <sys/socket.h>

static __u32 places(int leases_fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(leases_fd, &info, &len) < 0)
		err(1, "the table of leases");
	return info.max_entries;
}

static __u64 cookie_of(int fd)
{
	__u64 cookie = 0;
	socklen_t len = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
		err(1, "SO_COOKIE");
	return cookie;
}

static struct eg_lease read_place(int leases_fd, __u32 place)
{
	struct eg_lease lease;

	if (bpf_map_lookup_elem(leases_fd, &place, &lease) < 0)
		err(1, "place %u of the leases", place);
	return lease;
}

int lease_put(int leases_fd, int fd, const struct eg_lease *lease)
{
	struct eg_lease own = *lease;
	__u32 home;
	__u64 taken;

	own.cookie = cookie_of(fd);
	home = (__u32)own.cookie & (places(leases_fd) - 1);
	taken = read_place(leases_fd, home).cookie;
	if (taken && taken != own.cookie)
		return -EEXIST;
	return bpf_map_update_elem(leases_fd, &home, &own, BPF_EXIST);
}

struct eg_lease lease_get(int leases_fd, int fd)
{
	__u64 cookie = cookie_of(fd);
	struct eg_lease found = read_place(leases_fd, (__u32)cookie & (places(leases_fd) - 1));

	return found.cookie == cookie ? found : (struct eg_lease){};
}

struct lease_table lease_table_read(int leases_fd)
{
	struct lease_table table = {};
	__u32 count = places(leases_fd);

	for (__u32 place = 0; place < count; place++) {
		struct eg_lease lease = read_place(leases_fd, place);

		table.noted += lease.displaced;
		table.taken += lease.cookie != 0;
		table.displaced += lease.cookie != 0 && ((__u32)lease.cookie & (count - 1)) != place;
	}
	return table;
}
