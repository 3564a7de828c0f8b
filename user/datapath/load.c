/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Opened -> in the kernel, or a line about why not. */
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "datapath/object.h"
#include "datapath/refusal.h"

/* For each program. Address space only, until the verifier refuses one: libbpf asks for its words then. */
#define LOG_BYTES (4u << 20)

struct logs {
	char *bytes; /* NULL: none are kept */
	size_t len;
};

static void logs_clear(struct logs *logs)
{
	if (logs->bytes)
		munmap(logs->bytes, logs->len);
}

static int keep_logs(struct egress_bpf *skeleton, struct logs *ret_logs)
{
	struct bpf_program *program;
	size_t count = 0;
	int r = 0;

	bpf_object__for_each_program(program, skeleton->obj) count++;
	ret_logs->len = count * LOG_BYTES;
	ret_logs->bytes =
		mmap(NULL, ret_logs->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	/* Who has no room for them can load programs all the same. */
	if (ret_logs->bytes == MAP_FAILED) {
		ret_logs->bytes = NULL;
		return 0;
	}
	count = 0;
	bpf_object__for_each_program(program, skeleton->obj) if (r == 0) r =
		bpf_program__set_log_buf(program, ret_logs->bytes + count++ * LOG_BYTES, LOG_BYTES);
	return r;
}

/* The last program with a log: they are loaded in this order, and the first that is refused ends it. */
static void find_refused(const struct egress_bpf *skeleton, const struct logs *logs, struct eg_refusal *refusal)
{
	struct bpf_program *program;
	const char *log = logs->bytes;

	bpf_object__for_each_program(program, skeleton->obj)
	{
		if (log && *log) {
			refusal->program = bpf_program__name(program);
			refusal->log = log;
		}
		log = log ? log + LOG_BYTES : NULL;
	}
}

static void show_log(const struct eg_refusal *refusal)
{
	const char *line = refusal->program && eg_log_wants(EG_LOG_DEBUG) ? refusal->log : "";

	while (*line) {
		size_t len = strcspn(line, "\n");

		eg_log_debug("%s: %.*s", refusal->program, (int)len, line);
		line += len + (line[len] == '\n');
	}
}

int eg_object_load(struct eg_datapath *datapath, char **ret_problem)
{
	_cleanup_(logs_clear) struct logs logs = {};
	struct eg_refusal refusal = {};
	int r = keep_logs(datapath->skeleton, &logs);

	/* A pinned table has the size that it was made with. */
	datapath->lease_mask = bpf_map__max_entries(datapath->skeleton->maps.eg_leases) - 1;
	datapath->skeleton->rodata->eg_lease_mask = datapath->lease_mask;
	if (r == 0)
		r = egress_bpf__load(datapath->skeleton);
	if (r == 0)
		r = eg_object_load_lsm(datapath);
	if (r == 0)
		return 0;
	refusal.error = r;
	find_refused(datapath->skeleton, &logs, &refusal);
	show_log(&refusal);
	eg_refusal_observe(&refusal);
	*ret_problem = eg_refusal_explain(&refusal);
	return r;
}
