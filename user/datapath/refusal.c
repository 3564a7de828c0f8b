/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "datapath/refusal.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* ---- what holds here ---- */

/* PROC_USER_INIT_INO: the inode number of the first user namespace. */
#define HOST_USER_NAMESPACE 0xEFFFFFFDu

static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

void eg_refusal_observe(struct eg_refusal *refusal)
{
	struct utsname kernel;
	struct stat namespace;

	refusal->capabilities = effective_capabilities();
	refusal->in_user_namespace =
		stat("/proc/self/ns/user", &namespace) == 0 && namespace.st_ino != HOST_USER_NAMESPACE;
	uname(&kernel);
	snprintf(refusal->release, sizeof(refusal->release), "%s", kernel.release);
}

/* ---- words ---- */

__attribute__((format(printf, 1, 2))) static char *text(const char *format, ...)
{
	char *string;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&string, format, args);
	va_end(args);
	return len < 0 ? NULL : string;
}

/* CAP_SYS_ADMIN stands for each of them. */
static const struct {
	unsigned int capability;
	const char *name;
} needed[] = {
	{CAP_BPF, "CAP_BPF"},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{CAP_PERFMON, "CAP_PERFMON"}, /* without it the verifier refuses most that is more than trivial */
};

static bool has_capability(const struct eg_refusal *refusal, unsigned int capability)
{
	return refusal->capabilities & (UINT64_C(1) << capability);
}

/* "CAP_BPF and CAP_PERFMON"; empty when none is missing. */
static void list_missing(const struct eg_refusal *refusal, char *list, size_t size)
{
	*list = '\0';
	if (has_capability(refusal, CAP_SYS_ADMIN))
		return;
	for (size_t i = 0; i < EG_COUNT_OF(needed); i++)
		if (!has_capability(refusal, needed[i].capability))
			snprintf(list + strlen(list), size - strlen(list), "%s%s", *list ? " and " : "",
				 needed[i].name);
}

static bool is_too_old(const char *release)
{
	unsigned int major_version, minor_version;

	if (sscanf(release, "%u.%u", &major_version, &minor_version) != 2)
		return false;
	return major_version < 6 || (major_version == 6 && minor_version < 1);
}

struct line {
	const char *text;
	size_t len;
};

#define LINES_SHOWN 3

/* The reason stands at the end of a log, before a line of statistics. Returns how many lines there are of it. */
static size_t find_reason(const char *log, struct line lines[LINES_SHOWN])
{
	static const char statistics[] = "processed ";
	size_t count = 0;

	for (struct line line = {.text = log}; *line.text; line.text += line.len + (line.text[line.len] == '\n')) {
		line.len = strcspn(line.text, "\n");
		if (line.len == 0 || strncmp(line.text, statistics, strlen(statistics)) == 0)
			continue;
		if (count == LINES_SHOWN)
			memmove(lines, lines + 1, --count * sizeof(*lines));
		lines[count++] = line;
	}
	return count;
}

/* "eg_connect4: 25: (85) call pc+20 | R1 type=scalar expected=fp" */
static char *verifiers_words(const struct eg_refusal *refusal)
{
	struct line lines[LINES_SHOWN];
	size_t count = find_reason(refusal->log, lines);
	char *words = text("%s", refusal->program);

	for (size_t i = 0; i < count && words; i++) {
		_cleanup_free_ char *before = words;

		words = text("%s%s%.*s", before, i == 0 ? ": " : " | ", (int)lines[i].len, lines[i].text);
	}
	for (char *next = words; next && *next; next++)
		if (*next == '\t')
			*next = ' ';
	return words;
}

static char *explain_old_kernel(const struct eg_refusal *refusal, const char *words)
{
	return text("Linux 6.1 or newer with BTF is needed, and this is %s (%s)", refusal->release, words);
}

/* The error is one that rights could mend: what the verifier says without them is not worth repeating. */
static char *explain_rights(const struct eg_refusal *refusal, const char *missing)
{
	if (refusal->in_user_namespace)
		return text("this process is in a user namespace, and what it may do there does not count for BPF: run "
			    "it in "
			    "the host's");
	return text("this process lacks %s: run it as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON", missing);
}

static char *explain_rest(const struct eg_refusal *refusal)
{
	const char *error = strerror(-refusal->error);

	switch (-refusal->error) {
	case ENOMEM:
		return text("%s: free some memory, or raise the limit of this process's cgroup (MemoryMax= of its "
			    "unit), which "
			    "programs and maps count for",
			    error);
	case EMFILE:
	case ENFILE:
		return text("%s: raise the limit of descriptors (ulimit -n, LimitNOFILE= of the unit)", error);
	case EAGAIN:
	case EINTR:
		return text("%s: start it again", error);
	case EPERM:
	case EACCES:
		return text(
			"%s, although the capabilities are there: a seccomp filter, a security module or the kernel's "
			"lockdown forbids bpf(); see the container's profile and 'dmesg'",
			error);
	case ESRCH:
		return text("the kernel's BTF cannot be read: there is no room for it (ulimit -v), or no /sys/kernel/btf/vmlinux; "
			    "Linux 6.1 or newer with BTF is needed (EG_DEBUG=1 shows what failed)");
	default:
		return text("%s: Linux %s lacks something; Linux 6.1 or newer with BTF and CONFIG_CGROUP_BPF is needed "
			    "(EG_DEBUG=1 shows what failed)",
			    error, refusal->release);
	}
}

bool eg_refusal_is_for_want(int error)
{
	return eg_file_is_shortage(error) || error == -EAGAIN || error == -EINTR;
}

char *eg_refusal_explain(const struct eg_refusal *refusal)
{
	const bool is_forbidden = refusal->program || refusal->error == -EPERM || refusal->error == -EACCES;
	_cleanup_free_ char *words = NULL;
	char missing[64];

	if (eg_refusal_is_for_want(refusal->error))
		return explain_rest(refusal);
	list_missing(refusal, missing, sizeof(missing));
	if (is_forbidden && (*missing || refusal->in_user_namespace))
		return explain_rights(refusal, missing);
	words = refusal->program ? verifiers_words(refusal) : text("%s", strerror(-refusal->error));
	if (!words)
		return NULL;
	if (is_too_old(refusal->release))
		return explain_old_kernel(refusal, words);
	if (refusal->program)
		return text(
			"the verifier of Linux %s refuses %s; this build does not go together with this kernel: run "
			"another version of either, and report it with what EG_DEBUG=1 shows",
			refusal->release, words);
	return explain_rest(refusal);
}
