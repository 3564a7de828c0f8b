/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_EXPORT_HTTP_H
#define EG_EXPORT_HTTP_H

/*
 * An HTTP server for few and small requests, in a thread of its own. What a client can
 * hold is bounded: how many connections there are, how long each may take to ask and to
 * take its answer, how long a request is. One that is over a bound gets an error, and
 * who asks nothing, or takes nothing of what he asked for, makes room for who comes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"

#define EG_HTTP_CONNECTIONS_MAX 256
#define EG_HTTP_MEMORY_MAX 16384 /* of a connection: request line and headers, 431 when they do not fit */
#define EG_HTTP_ASK_MS 5000      /* from the connection to the end of its request: then 408 */
#define EG_HTTP_PATIENCE_MS 500  /* the same while others wait for its place */
#define EG_HTTP_TAKE_MS 30000    /* to the end of the answer; PATIENCE_MS without taking any of it while others wait */

/* One of name=value, decoded; value is NULL where there is no '='. */
struct eg_http_parameter {
	const char *name;
	const char *value;
};

struct eg_http_request {
	const char *method; /* "GET", "POST"...; HEAD comes as GET */
	const char *path;   /* decoded */
	EG_ARRAY(struct eg_http_parameter) parameters;
	bool is_local; /* by a unix socket */
};

/* What is answered: a text, or one that is made while it is taken. */
struct eg_http_answer {
	unsigned int status;
	const char *type;  /* of the content; NULL: text/plain; charset=UTF-8 */
	const char *allow; /* the methods that there are, of a 405; else NULL */
	char *text;        /* malloc */
	size_t len;
	/* Instead of a text: at most `size` bytes more, 0 at the end, or -errno, which breaks the answer off. */
	ssize_t (*read)(void *context, char *buffer, size_t size);
	void (*end)(void *context); /* once, when nothing is read any more */
	void *context;
};

struct eg_http_calls {
	/* Fills the answer in; -errno is a 500. */
	int (*answer)(const struct eg_http_request *request, struct eg_http_answer *ret_answer, void *context);
	/* Whether who has connected by this unix socket may ask at all; a 403 otherwise. */
	bool (*admits)(int fd, void *context);
};

struct eg_http;

/* A server that listens nowhere yet. The calls come in its thread, one at a time. 0, or -errno. */
int eg_http_start(const struct eg_http_calls *calls, void *context, struct eg_http **ret_http);
/* Ends the thread and all connections. */
struct eg_http *eg_http_stop(struct eg_http *http);
EG_DEFINE_CLEANUP(struct eg_http *, eg_http_stop)

/* Where it can listen, once each. */
enum eg_http_place {
	EG_HTTP_LOCAL, /* a unix socket */
	EG_HTTP_TCP,   /* GET only */
	EG_HTTP_PLACES,
};

/* Listens on a bound socket, which it takes over, instead of what it had there; -1: on none. 0, or -errno. */
int eg_http_listen(struct eg_http *http, enum eg_http_place place, int fd);

/*
 * Ends one of the answers that this `end` ends, at once: that whose client has taken
 * nothing of it for longest, and for EG_HTTP_PATIENCE_MS at least. False: there is none.
 * For the calls.
 */
bool eg_http_end_stalled(struct eg_http *http, void (*end)(void *context));

/*
 * Whether a Host header means this server: an address, localhost or this node's name; by a
 * unix socket any name without a dot. A name of somebody else's may be there because a
 * browser was told that it leads here.
 */
bool eg_http_host_is_ours(const char *host, bool is_local);
/*
 * Takes "/stats?filter=a%20b&usedonly" apart, in place. 0 with path and parameters, which
 * point into it; -EINVAL for what is not encoded as it must be; or -ENOMEM.
 */
int eg_http_parse_target(char *target, struct eg_http_request *request);

/* An answer that is a line of text; 0, or -ENOMEM. */
__attribute__((format(printf, 3, 4))) int eg_http_say(struct eg_http_answer *answer, unsigned int status,
						      const char *format, ...);

#endif
