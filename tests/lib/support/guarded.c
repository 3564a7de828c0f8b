/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "../../bpf/support.h"

#include "guarded.h"

#include <bpf/bpf.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cgroup.h"
#include "image.h"
#include "network.h"

/* Long enough for a packet over the loopback, where nothing is to come. */
#define NOTHING_MS 200

void guarded_move(const char *procs)
{
	FILE *file = fopen(procs, "we");

	assert_non_null(file);
	assert_true(fputs("0", file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void guarded_join(const struct guarded *guarded)
{
	_cleanup_free_ char *procs = NULL;

	assert_true(asprintf(&procs, "%s/cgroup.procs", guarded->cgroup.path) > 0);
	guarded_move(procs);
}

void guarded_make(struct guarded *guarded)
{
	_cleanup_free_ char *own = NULL;

	network_enter();
	*guarded = (struct guarded){.mesh = {.id = 1, .name = "default"}};
	guarded->datapath = datapath_load(SLOT + 1, 16);
	guarded->listener = network_listen(0, 64, &guarded->port);
	guarded->cgroup = cgroup_make("guard");
	assert_int_equal(eg_cgroup_own_path(&own), 0);
	assert_true(asprintf(&guarded->home, "%s/cgroup.procs", own) > 0);
	guarded_join(guarded);
}

void guarded_enrol(struct guarded *guarded, bool passthrough)
{
	struct eg_subject subject = subject_of(SLOT, &guarded->mesh);

	subject.passthrough = passthrough;
	subject.allowed_protocols = guarded->protocols;
	if (guarded->links == NULL)
		scope_add(&guarded->mesh, EG_CLASS_MESH, prefix_of(NETWORK_IPV6), 0, EG_PROTO_ANY);
	image_apply(guarded->datapath, &subject);
	assert_int_equal(eg_datapath_enrol(guarded->datapath, guarded->cgroup.fd, SLOT, &guarded->links), 0);
}

struct eg_slot_counts guarded_counts(const struct guarded *guarded)
{
	struct eg_maps maps = eg_datapath_maps(guarded->datapath);
	struct eg_slot_counts counts;

	assert_int_equal(eg_maps_read_counts(&maps, SLOT, &counts), 0);
	return counts;
}

void guarded_end(struct guarded *guarded)
{
	guarded_move(guarded->home);
	close(guarded->listener);
	eg_links_free(guarded->links);
	cgroup_end(&guarded->cgroup);
	eg_array_clear(&guarded->mesh.rules);
	eg_datapath_free(guarded->datapath);
	free(guarded->home);
}

bool guarded_hears(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, NOTHING_MS) == 1;
}

int guarded_send(int fd, const char *address, uint16_t port)
{
	struct sockaddr_storage to = network_address(address, port);

	return sendto(fd, "x", 1, 0, (struct sockaddr *)&to,
		      to.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) < 0
		       ? errno
		       : 0;
}

int guarded_try(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

int guarded_undo(const struct guarded *guarded, enum bpf_attach_type hook)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_set_retval},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = hook);
	_cleanup_close_ int fd =
		bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "undo", "GPL", insns, EG_COUNT_OF(insns), &options);
	int link;

	assert_true(fd >= 0);
	link = bpf_link_create(fd, guarded->cgroup.fd, hook, NULL);
	assert_true(link >= 0);
	return link;
}
