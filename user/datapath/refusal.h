/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_REFUSAL_H
#define EG_DATAPATH_REFUSAL_H

/* Why the kernel did not take the programs and maps, and what to do about it. */
#include <stdbool.h>
#include <stdint.h>

struct eg_refusal {
	int error;              /* -errno of the load */
	const char *program;    /* that the verifier refused; NULL: it did not come to that */
	const char *log;        /* what the verifier said of it, whole */
	uint64_t capabilities;  /* effective ones of this process, bit n for capability n */
	bool in_user_namespace; /* another than the host's, where they count for nothing in bpf() */
	char release[65];       /* of the kernel: "6.1.0-56-amd64" */
};

/* Whether an error says nothing about the kernel: there was too little of something, and another try may succeed. */
bool eg_refusal_is_for_want(int error);
/* Fills in what holds for this process and this kernel. */
void eg_refusal_observe(struct eg_refusal *refusal);
/* What failed and the remedy, in one line without a newline: malloc(), or NULL without memory. */
char *eg_refusal_explain(const struct eg_refusal *refusal);

#endif
