/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks over the sockets that hold leases. They judge nothing and are on no cgroup:
 * user space runs them by reading. eg_sweep is the agent's; eg_flows is anybody's and
 * changes nothing. An object of its own, so that no kernel that refuses an iterator
 * refuses enforcement with it, and so that a run that opens no connection never loads it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "sweep.bpf.h"
#include "uncounted.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Every socket that has storage, in all network namespaces, whoever holds it. */
SEC("iter/bpf_sk_storage_map")
int eg_sweep(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	if (ctx->sk && ctx->value)
		sweep_socket(ctx->meta, ctx->sk, ctx->value);
	else
		write_end(ctx->meta);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int eg_flows(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	if (ctx->sk && ctx->value)
		list_socket(ctx->meta, ctx->sk, ctx->value);
	else
		write_end(ctx->meta);
	return 0;
}

/*
 * The same where a kernel refuses those: over the files of all processes. What is no
 * file, as the subflows of MPTCP, is not found; what several processes share comes for
 * each of them.
 */
static __always_inline struct sock *sock_of_file(struct file *file)
{
	struct socket *socket = file ? bpf_sock_from_file(file) : NULL;

	return socket ? socket->sk : NULL;
}

SEC("iter/task_file")
int eg_sweep_files(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = sock_of_file(ctx->file);
	struct eg_lease *lease = sk ? bpf_sk_storage_get(&eg_leases, sk, NULL, 0) : NULL;

	if (lease)
		sweep_socket(ctx->meta, sk, lease);
	else if (!ctx->task)
		write_end(ctx->meta);
	return 0;
}

SEC("iter/task_file")
int eg_flows_files(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = sock_of_file(ctx->file);
	struct eg_lease *lease = sk ? bpf_sk_storage_get(&eg_leases, sk, NULL, 0) : NULL;

	if (lease)
		list_socket(ctx->meta, sk, lease);
	else if (!ctx->task)
		write_end(ctx->meta);
	return 0;
}

/* On every kernel: what holds no lease may have no storage. */
SEC("iter/task_file")
int eg_uncounted(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = sock_of_file(ctx->file);

	if (sk)
		list_uncounted(ctx->meta, sk, bpf_sk_storage_get(&eg_leases, sk, NULL, 0));
	else if (!ctx->task)
		write_end(ctx->meta);
	return 0;
}
