/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>

/* The kernel fills no more than this with one part of a listing. */
#define ANSWER_MAX 32768

struct eg_sockdiag {
	struct mnl_socket *netlink;
	unsigned int sequence; /* of the last request: its answer has the same */
};

int eg_sockdiag_open(struct eg_sockdiag **ret_sockdiag)
{
	_cleanup_(eg_sockdiag_freep) struct eg_sockdiag *sockdiag = calloc(1, sizeof(*sockdiag));

	if (!sockdiag)
		return -ENOMEM;
	sockdiag->netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!sockdiag->netlink || mnl_socket_bind(sockdiag->netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	*ret_sockdiag = TAKE_PTR(sockdiag);
	return 0;
}

struct eg_sockdiag *eg_sockdiag_free(struct eg_sockdiag *sockdiag)
{
	if (!sockdiag)
		return NULL;
	if (sockdiag->netlink)
		mnl_socket_close(sockdiag->netlink);
	free(sockdiag);
	return NULL;
}

/* An address as the socket itself has it: a mapped one where the socket is IPv6 and the address is not. */
static void put_address(const struct eg_held_socket *socket, const struct eg_addr *addr, __be32 *ret_words)
{
	memcpy(ret_words, addr->word_be, sizeof(addr->word_be));
	if (socket->family == EG_FAMILY_IPV6 || socket->socket_family == EG_FAMILY_IPV4)
		return;
	ret_words[0] = ret_words[1] = 0;
	ret_words[2] = htonl(0xffff);
	ret_words[3] = addr->word_be[0];
}

static struct inet_diag_req_v2 identity_of(const struct eg_held_socket *socket)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = (__u8)socket->socket_family,
		.sdiag_protocol = (__u8)socket->protocol,
		.id =
			{
				.idiag_sport = htons(socket->local_port),
				.idiag_dport = htons(socket->remote_port),
				.idiag_if = socket->interface,
				.idiag_cookie = {(__u32)socket->cookie, (__u32)(socket->cookie >> 32)},
			},
	};

	put_address(socket, &socket->local, request.id.idiag_src);
	put_address(socket, &socket->remote, request.id.idiag_dst);
	return request;
}

/* Sends the request and takes what comes back, each message by take(). 0, or the kernel's -errno. */
static int ask(struct eg_sockdiag *sockdiag, struct nlmsghdr *request, mnl_cb_t take, void *context)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
	unsigned int port = mnl_socket_get_portid(sockdiag->netlink);
	int r = MNL_CB_OK;

	request->nlmsg_seq = ++sockdiag->sequence;
	if (mnl_socket_sendto(sockdiag->netlink, request, request->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(sockdiag->netlink, answer, sizeof(answer));

		r = len < 0 ? MNL_CB_ERROR : mnl_cb_run(answer, (size_t)len, sockdiag->sequence, port, take, context);
	}
	return r < 0 ? -errno : 0;
}

int eg_sockdiag_destroy(struct eg_sockdiag *sockdiag, const struct eg_held_socket *socket)
{
	_Alignas(struct nlmsghdr) char buffer[MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct inet_diag_req_v2))] = {};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *identity = mnl_nlmsg_put_extra_header(request, sizeof(*identity));

	request->nlmsg_type = SOCK_DESTROY;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	*identity = identity_of(socket);
	return ask(sockdiag, request, NULL, NULL);
}
