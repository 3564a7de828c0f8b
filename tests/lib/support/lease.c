/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "lease.h"

#include <bpf/bpf.h>
#include <err.h>
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

/* As bpf/leases.bpf.h has it. */
#define HOMES 4096u
#define PROBES_MAX 64
#define PROBE_STEP 40503u

static __u32 home_of(int leases_fd, __u64 cookie)
{
	return (__u32)cookie & (HOMES - 1) & (places(leases_fd) - 1);
}

static struct eg_lease read_place(int leases_fd, __u32 place)
{
	struct eg_lease lease;

	if (bpf_map_lookup_elem(leases_fd, &place, &lease) < 0)
		err(1, "place %u of the leases", place);
	return lease;
}

static void write_place(int leases_fd, __u32 place, const struct eg_lease *lease)
{
	if (bpf_map_update_elem(leases_fd, &place, lease, BPF_EXIST) < 0)
		err(1, "place %u of the leases", place);
}

/* Elsewhere in the row of a home that another socket has. */
static void put_displaced(int leases_fd, __u32 home, const struct eg_lease *lease)
{
	struct eg_lease at_home = read_place(leases_fd, home), taken;
	__u32 probe = 1, place;

	do {
		place = ((__u32)lease->cookie + probe * PROBE_STEP) & (places(leases_fd) - 1);
		taken = read_place(leases_fd, place);
	} while (taken.cookie && probe++ < PROBES_MAX);
	if (taken.cookie)
		errx(1, "no place for a lease");
	at_home.row = eg_row(eg_row_displaced(at_home.row) + 1,
			     probe > eg_row_reach(at_home.row) ? probe : eg_row_reach(at_home.row));
	write_place(leases_fd, home, &at_home);
	taken = read_place(leases_fd, place);
	at_home = *lease;
	at_home.row = taken.row;
	write_place(leases_fd, place, &at_home);
}

void lease_put(int leases_fd, int fd, const struct eg_lease *lease)
{
	struct eg_lease own = *lease, taken;
	__u32 home;

	own.cookie = cookie_of(fd);
	home = home_of(leases_fd, own.cookie);
	taken = read_place(leases_fd, home);
	own.row = taken.row;
	if (taken.cookie && taken.cookie != own.cookie)
		put_displaced(leases_fd, home, &own);
	else
		write_place(leases_fd, home, &own);
}

struct eg_lease lease_get(int leases_fd, int fd)
{
	__u64 cookie = cookie_of(fd);
	struct eg_lease found = read_place(leases_fd, home_of(leases_fd, cookie));

	return found.cookie == cookie ? found : (struct eg_lease){};
}

struct lease_table lease_table_read(int leases_fd)
{
	struct lease_table table = {};
	__u32 count = places(leases_fd);

	for (__u32 place = 0; place < count; place++) {
		struct eg_lease lease = read_place(leases_fd, place);

		table.noted += eg_row_displaced(lease.row);
		table.taken += lease.cookie != 0;
		table.displaced += lease.cookie != 0 && home_of(leases_fd, lease.cookie) != place;
	}
	return table;
}
