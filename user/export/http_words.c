/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The words of a request. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "export/http.h"

#define HOST_MAX 256

/* ---- Host ---- */

/* "[::1]:80" and "localhost:80" without port and brackets; false for what cannot be one. */
static bool strip_host(const char *host, char bare[HOST_MAX], bool *ret_in_brackets)
{
	const char *end;

	*ret_in_brackets = *host == '[';
	host += *ret_in_brackets;
	/* cppcheck-suppress [nullPointerRedundantCheck,nullPointerArithmeticRedundantCheck] -- it takes the number for the pointer */
	end = host + strcspn(host, *ret_in_brackets ? "]" : ":");
	if (*ret_in_brackets && *end++ != ']')
		return false;
	if (*end != '\0' && (*end != ':' || end[1 + strspn(end + 1, "0123456789")] != '\0'))
		return false;
	end -= *ret_in_brackets;
	if (end == host || end - host >= HOST_MAX)
		return false;
	memcpy(bare, host, (size_t)(end - host));
	bare[end - host] = '\0';
	return true;
}

static bool is_name_of_node(const char *bare)
{
	char name[HOST_MAX] = "";

	if (strcasecmp(bare, "localhost") == 0)
		return true;
	if (gethostname(name, sizeof(name) - 1) < 0 || !*name)
		return false;
	if (strcasecmp(bare, name) == 0)
		return true;
	name[strcspn(name, ".")] = '\0';
	return strcasecmp(bare, name) == 0;
}

bool eg_http_host_is_ours(const char *host, bool is_local)
{
	struct in6_addr addr;
	char bare[HOST_MAX];
	bool in_brackets;

	if (!strip_host(host, bare, &in_brackets))
		return false;
	if (in_brackets)
		return inet_pton(AF_INET6, bare, &addr) == 1;
	return inet_pton(AF_INET, bare, &addr) == 1 || is_name_of_node(bare) || (is_local && !strchr(bare, '.'));
}

/* ---- the target ---- */

static int hex(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = digit ? strchr(digits, digit | ('A' <= digit && digit <= 'F' ? 0x20 : 0)) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* In place. A NUL would end the text for whoever reads it next. */
static int decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = hex(from[1]);
		low = high < 0 ? -1 : hex(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return -EINVAL;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return 0;
}

/* Envoy leaves '+' as it is, which regular expressions need. */
static int add_parameter(char *text, struct eg_http_request *request)
{
	char *value = strchr(text, '=');
	int r;

	if (value)
		*value++ = '\0';
	r = decode(text);
	if (r == 0 && value)
		r = decode(value);
	return r < 0 ? r : eg_array_push(&request->parameters, {text, value});
}

int eg_http_parse_target(char *target, struct eg_http_request *request)
{
	char *query = strchr(target, '?'), *parameter;
	int r;

	if (query)
		*query++ = '\0';
	r = *target == '/' ? decode(target) : -EINVAL;
	while (r == 0 && (parameter = strsep(&query, "&")))
		if (*parameter)
			r = add_parameter(parameter, request);
	request->path = target;
	return r;
}

/* ---- answers ---- */

int eg_http_say(struct eg_http_answer *answer, unsigned int status, const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vasprintf(&answer->text, format, arguments);
	va_end(arguments);
	if (len < 0) {
		answer->text = NULL;
		return -ENOMEM;
	}
	answer->status = status;
	answer->len = (size_t)len;
	return 0;
}
