/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks over the sockets that hold leases. They judge nothing and are on no cgroup:
 * user space runs them by reading. eg_sweep is the agent's; eg_flows is anybody's and
 * changes nothing. An object of its own, so that no kernel that refuses an iterator
 * refuses enforcement with it, and so that a run that opens no connection never loads it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "accepted.bpf.h"
#include "ageing.bpf.h"
#include "forbidden.bpf.h"
#include "foreign.bpf.h"
#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "sweep.bpf.h"
#include "uncounted.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Over the files of all processes: what several of them share comes for each. */
static __always_inline struct sock *sock_of_file(struct file *file)
{
	struct socket *socket = file ? bpf_sock_from_file(file) : NULL;

	return socket ? socket->sk : NULL;
}

static __always_inline struct visit visit_of(const struct bpf_iter__task_file *ctx)
{
	return (struct visit){.meta = ctx->meta, .task = ctx->task, .sk = sock_of_file(ctx->file)};
}

static __always_inline struct eg_lease *lease_of(const struct sock *sk)
{
	__u64 cookie = sk ? cookie_of(sk) : 0;

	return cookie ? find_lease(cookie) : NULL;
}

SEC("iter/task_file")
int eg_sweep(struct bpf_iter__task_file *ctx)
{
	const struct visit visit = visit_of(ctx);
	struct eg_lease *lease = lease_of(visit.sk);

	if (!visit.task)
		write_end(ctx->meta);
	else if (lease)
		sweep_socket(&visit, lease);
	return 0;
}

SEC("iter/task_file")
int eg_flows(struct bpf_iter__task_file *ctx)
{
	const struct visit visit = visit_of(ctx);
	struct eg_lease *lease = lease_of(visit.sk);

	if (!visit.task)
		write_end(ctx->meta);
	else if (was_accepted(visit.sk, lease))
		list_client(&visit);
	else if (lease)
		list_socket(&visit, lease);
	else if (visit.sk)
		list_kept(&visit);
	return 0;
}

SEC("iter/task_file")
int eg_uncounted(struct bpf_iter__task_file *ctx)
{
	const struct visit visit = visit_of(ctx);

	if (!visit.task)
		write_end(ctx->meta);
	else if (visit.sk)
		list_uncounted(&visit, lease_of(visit.sk));
	return 0;
}

SEC("iter/task_file")
int eg_foreign(struct bpf_iter__task_file *ctx)
{
	const struct visit visit = visit_of(ctx);

	if (!visit.task)
		write_end(ctx->meta);
	else if (visit.sk)
		list_foreign(&visit);
	return 0;
}

/* The agent's, as eg_sweep: it marks what it finds. */
SEC("iter/task_file")
int eg_forbidden(struct bpf_iter__task_file *ctx)
{
	const struct visit visit = visit_of(ctx);

	if (!visit.task)
		write_end(ctx->meta);
	else if (visit.sk)
		list_forbidden(&visit, lease_of(visit.sk));
	return 0;
}

/* Run by the agent alone, see struct eg_ended. */
SEC("syscall")
int eg_count_ended(const struct eg_ended *ended)
{
	__u32 slot_id = ended->slot;
	struct eg_slot *slot = bpf_map_lookup_elem(&eg_slots, &slot_id);

	if (slot)
		count(&slot->counts.ended_by_policy);
	return 0;
}

/* Run by the agent alone, see struct eg_age. */
SEC("syscall")
int eg_age_dests(const struct eg_age *question)
{
	struct eg_age age = *question;

	bpf_for_each_map_elem(&eg_dests, age_destination, &age, 0);
	return 0;
}

SEC("syscall")
int eg_collect(void *ctx)
{
	__u64 now = bpf_ktime_get_ns();

	(void)ctx;
	bpf_for_each_map_elem(&eg_leases, collect_lease, &now, 0);
	bpf_for_each_map_elem(&eg_peers, forget_peer, &now, 0);
	bpf_for_each_map_elem(&eg_originals, collect_original, NULL, 0);
	return 0;
}
