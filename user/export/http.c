/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "export/http.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"

#define CHUNK 65536
#define SHORTAGE_PAUSE_MS 50

/* In the order in which they came. */
struct connection {
	struct connection *next, *previous;
	int fd; /* the library's */
	uint64_t since_ms;
	uint64_t moved_ms; /* of one that has asked: when something of its answer was last made for it */
	struct stream *stream; /* its answer, if that is one */
	bool is_local;
	bool is_refused;
	bool has_asked; /* its request is whole */
};

/* An answer that is made, or cut off a text, while it is taken. */
struct stream {
	struct eg_http_answer answer; /* cleared: it is broken off */
	struct connection *connection; /* NULL: it has ended */
};

struct eg_http {
	struct eg_http_calls calls;
	void *context;
	struct MHD_Daemon *library;
	int library_fd; /* readable when the library has something to do */
	int wake_fd;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock; /* of the next two */
	int listening[EG_HTTP_PLACES];
	bool stops;
	struct connection connections; /* the ring's own member */
	unsigned int count;
};

/* What is known of a request before it is whole. */
struct request {
	struct eg_http_request http;
	int error; /* of its target */
	bool is_begun;
	char target[];
};

static uint64_t now_ms(void)
{
	return eg_now_ns() / 1000000;
}

/* ---- connections ---- */

static bool has_room(const struct eg_http *http)
{
	return http->count < EG_HTTP_CONNECTIONS_MAX;
}

static void link_connection(struct eg_http *http, struct connection *connection)
{
	connection->next = &http->connections;
	connection->previous = http->connections.previous;
	connection->previous->next = connection;
	http->connections.previous = connection;
	http->count++;
}

static void unlink_connection(struct eg_http *http, struct connection *connection)
{
	if (connection->stream)
		connection->stream->connection = NULL;
	connection->previous->next = connection->next;
	connection->next->previous = connection->previous;
	http->count--;
	free(connection);
}

static struct connection *begin_connection(struct eg_http *http, struct MHD_Connection *handle)
{
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *client = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct connection *connection = calloc(1, sizeof(*connection));

	/* One that is not known here has no rights: see answer_request(). */
	if (!connection)
		return NULL;
	connection->fd = fd->connect_fd;
	connection->since_ms = now_ms();
	connection->is_local = client->client_addr->sa_family == AF_UNIX;
	connection->is_refused =
		connection->is_local && http->calls.admits && !http->calls.admits(connection->fd, http->context);
	link_connection(http, connection);
	return connection;
}

static void on_connection(void *context, struct MHD_Connection *handle, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct eg_http *http = context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*socket_context = begin_connection(http, handle);
	else if (*socket_context)
		unlink_connection(http, *socket_context);
}

static struct connection *connection_of(struct MHD_Connection *handle)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* Why a connection ends that the library knows no reason for. It sees the end by itself. */
static void end_connection(struct connection *connection)
{
	static const char late[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

	if (!connection->has_asked)
		send(connection->fd, late, sizeof(late) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(connection->fd, SHUT_RDWR);
}

/* What is there and not read yet is waiting for this thread, not the other way round. */
static bool is_waiting(const struct connection *connection)
{
	int unread = 0;

	return ioctl(connection->fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* The same of what is not written yet. */
static bool can_write(const struct connection *connection)
{
	struct pollfd fd = {connection->fd, POLLOUT, 0};

	return poll(&fd, 1, 0) == 1;
}

static uint64_t due_of(const struct eg_http *http, const struct connection *connection)
{
	const uint64_t taken = connection->since_ms + EG_HTTP_TAKE_MS;

	if (!connection->has_asked)
		return connection->since_ms +
		       (has_room(http) || is_waiting(connection) ? EG_HTTP_ASK_MS : EG_HTTP_PATIENCE_MS);
	if (has_room(http) || connection->moved_ms + EG_HTTP_PATIENCE_MS > taken || can_write(connection))
		return taken;
	return connection->moved_ms + EG_HTTP_PATIENCE_MS;
}

/* Ends what is over its time. How long until the next one is, in ms; -1: there is none. */
static int end_overdue(struct eg_http *http)
{
	uint64_t now = now_ms(), next = UINT64_MAX;

	for (struct connection *c = http->connections.next; c != &http->connections; c = c->next) {
		uint64_t due = due_of(http, c);

		if (due <= now) {
			end_connection(c);
			/* Once more in a second, should the library not see it at once. */
			due = now + 1000;
		}
		if (due - now < next)
			next = due - now;
	}
	return next == UINT64_MAX ? -1 : (int)next;
}

/* ---- requests ---- */

/* The library would read '+' as a blank, so that the target is taken as it comes. */
static void *on_target(void *context, const char *target, struct MHD_Connection *handle)
{
	size_t len = strlen(target);
	struct request *request = calloc(1, sizeof(*request) + len + 1);

	(void)context;
	(void)handle;
	if (!request)
		return NULL;
	memcpy(request->target, target, len);
	request->error = eg_http_parse_target(request->target, &request->http);
	return request;
}

static void on_completed(void *context, struct MHD_Connection *handle, void **request_context,
			 enum MHD_RequestTerminationCode code)
{
	struct request *request = *request_context;

	(void)context;
	(void)handle;
	(void)code;
	if (!request)
		return;
	eg_array_clear(&request->http.parameters);
	free(request);
	*request_context = NULL;
}

struct hosts {
	unsigned int count;
	const char *first;
};

static enum MHD_Result count_host(void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct hosts *hosts = context;

	(void)kind;
	if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0 && hosts->count++ == 0)
		hosts->first = value;
	return MHD_YES;
}

/* 0; 1 when the answer says why this request gets no other; or -ENOMEM. */
static int refuse_request(const struct connection *connection, const struct request *request,
			  struct MHD_Connection *handle, struct eg_http_answer *answer)
{
	struct hosts hosts = {};
	int r = 0;

	MHD_get_connection_values(handle, MHD_HEADER_KIND, count_host, &hosts);
	if (connection->is_refused)
		r = eg_http_say(answer, MHD_HTTP_FORBIDDEN, "only for processes that are seen to be of no workload\n");
	else if (hosts.count != 1 || !hosts.first)
		r = eg_http_say(answer, MHD_HTTP_BAD_REQUEST, "one Host header is needed\n");
	else if (!eg_http_host_is_ours(hosts.first, connection->is_local))
		r = eg_http_say(answer, MHD_HTTP_FORBIDDEN, "Host: that is not this server\n");
	else if (request->error == -EINVAL)
		r = eg_http_say(answer, MHD_HTTP_BAD_REQUEST, "the path or query is not encoded as it must be\n");
	else
		return request->error;
	return r < 0 ? r : 1;
}

/* ---- answers ---- */

static void answer_clear(struct eg_http_answer *answer)
{
	free(answer->text);
	if (answer->end)
		answer->end(answer->context);
	*answer = (struct eg_http_answer){};
}

static ssize_t read_text(const struct eg_http_answer *answer, uint64_t position, char *buffer, size_t size)
{
	const size_t left = answer->len > position ? answer->len - position : 0;
	const size_t len = left < size ? left : size;

	memcpy(buffer, answer->text + position, len);
	return (ssize_t)len;
}

static ssize_t on_read(void *context, uint64_t position, char *buffer, size_t size)
{
	struct stream *stream = context;
	const struct eg_http_answer *answer = &stream->answer;
	ssize_t len = answer->read   ? answer->read(answer->context, buffer, size)
		      : answer->text ? read_text(answer, position, buffer, size)
				     : -ECONNABORTED;

	if (stream->connection)
		stream->connection->moved_ms = now_ms();
	if (len < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	return len == 0 ? MHD_CONTENT_READER_END_OF_STREAM : len;
}

static void on_read_end(void *context)
{
	struct stream *stream = context;

	if (stream->connection)
		stream->connection->stream = NULL;
	answer_clear(&stream->answer);
	free(stream);
}

static struct MHD_Response *make_stream(struct connection *connection, struct eg_http_answer *answer)
{
	struct stream *stream = malloc(sizeof(*stream));
	const uint64_t len = answer->read ? MHD_SIZE_UNKNOWN : answer->len;
	struct MHD_Response *response = NULL;

	if (!stream)
		return NULL;
	*stream = (struct stream){*answer, connection};
	response = MHD_create_response_from_callback(len, CHUNK, on_read, stream, on_read_end);
	if (!response) {
		free(stream);
		return NULL;
	}
	connection->stream = stream;
	*answer = (struct eg_http_answer){};
	return response;
}

static struct MHD_Response *make_text(struct eg_http_answer *answer)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(answer->len, answer->text, MHD_RESPMEM_MUST_FREE);

	if (response)
		answer->text = NULL;
	return response;
}

/* As Envoy's; one request a connection, so that its time bounds all that it can hold. */
static bool add_headers(struct MHD_Response *response, const struct eg_http_answer *answer)
{
	const char *const headers[][2] = {
		{MHD_HTTP_HEADER_CONTENT_TYPE, answer->type ? answer->type : "text/plain; charset=UTF-8"},
		{MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache, max-age=0"},
		{"X-Content-Type-Options", "nosniff"},
		{MHD_HTTP_HEADER_CONNECTION, "close"},
	};

	for (size_t i = 0; i < EG_COUNT_OF(headers); i++)
		if (MHD_add_response_header(response, headers[i][0], headers[i][1]) != MHD_YES)
			return false;
	return !answer->allow || MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow) == MHD_YES;
}

/* Whether somebody takes it is seen of what is made in parts. */
static struct MHD_Response *make_response(struct connection *connection, struct eg_http_answer *answer)
{
	return answer->read || answer->len > CHUNK ? make_stream(connection, answer) : make_text(answer);
}

static enum MHD_Result send_answer(struct connection *connection, struct MHD_Connection *handle,
				   struct eg_http_answer *answer)
{
	const struct eg_http_answer described = *answer;
	struct MHD_Response *response = make_response(connection, answer);
	enum MHD_Result result = MHD_NO;

	if (!response)
		return MHD_NO;
	if (add_headers(response, &described))
		result = MHD_queue_response(handle, described.status, response);
	MHD_destroy_response(response);
	return result;
}

static int make_answer(struct eg_http *http, const struct connection *connection, struct request *request,
		       const char *method, struct MHD_Connection *handle, struct eg_http_answer *answer)
{
	int r = refuse_request(connection, request, handle, answer);

	request->http.method = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 ? MHD_HTTP_METHOD_GET : method;
	request->http.is_local = connection->is_local;
	if (r == 0)
		r = http->calls.answer(&request->http, answer, http->context);
	if (r >= 0)
		return 0;
	answer_clear(answer);
	return eg_http_say(answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s\n", strerror(-r));
}

/* Called once the headers are there, for each piece of a body, and when all of it is there. A body is nobody's need. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *handle, const char *url, const char *method,
				  const char *version, const char *body, size_t *body_len, void **request_context)
{
	_cleanup_(answer_clear) struct eg_http_answer answer = {};
	struct connection *connection = connection_of(handle);
	struct request *request = *request_context;

	(void)url;
	(void)version;
	(void)body;
	if (!connection || !request)
		return MHD_NO;
	if (!request->is_begun || *body_len > 0) {
		request->is_begun = true;
		*body_len = 0;
		return MHD_YES;
	}
	connection->has_asked = true;
	if (make_answer(context, connection, request, method, handle, &answer) < 0)
		return MHD_NO;
	/* Making it may have taken long, and this thread does one thing at a time. */
	connection->moved_ms = now_ms();
	return send_answer(connection, handle, &answer);
}

bool eg_http_end_stalled(struct eg_http *http, void (*end)(void *context))
{
	struct connection *longest = NULL;

	for (struct connection *c = http->connections.next; c != &http->connections; c = c->next)
		if (c->stream && c->stream->answer.end == end && (!longest || c->moved_ms < longest->moved_ms) &&
		    !can_write(c))
			longest = c;
	if (!longest || now_ms() - longest->moved_ms < EG_HTTP_PATIENCE_MS)
		return false;
	answer_clear(&longest->stream->answer);
	end_connection(longest);
	return true;
}

/* ---- the thread ---- */

/* One more of those who wait. The library closes what it cannot take. False: this process can have no more now. */
static bool accept_one(struct eg_http *http, int listening)
{
	struct sockaddr_storage address = {};
	socklen_t len = sizeof(address);
	int fd = accept4(listening, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
	MHD_add_connection(http->library, fd, (struct sockaddr *)&address, len);
	return true;
}

/* Waits for what there is to do, not longer than that. True: whoever it was wants the thread to end. */
static bool wait_for_work(struct eg_http *http, int timeout_ms)
{
	struct pollfd fds[2 + EG_HTTP_PLACES] = {{http->wake_fd, POLLIN, 0}, {http->library_fd, POLLIN, 0}};
	bool stops, can_accept = true;
	uint64_t woken;

	pthread_mutex_lock(&http->lock);
	for (size_t i = 0; i < EG_HTTP_PLACES; i++)
		fds[2 + i] = (struct pollfd){has_room(http) ? http->listening[i] : -1, POLLIN, 0};
	pthread_mutex_unlock(&http->lock);
	poll(fds, EG_COUNT_OF(fds), timeout_ms);
	if (fds[0].revents)
		(void)!read(http->wake_fd, &woken, sizeof(woken));
	pthread_mutex_lock(&http->lock);
	for (size_t i = 0; i < EG_HTTP_PLACES; i++)
		if (fds[2 + i].revents && fds[2 + i].fd == http->listening[i])
			can_accept &= accept_one(http, http->listening[i]);
	stops = http->stops;
	pthread_mutex_unlock(&http->lock);
	/* Who waits goes on waiting; without a pause this thread would do nothing but ask again. */
	if (!can_accept)
		poll(NULL, 0, SHORTAGE_PAUSE_MS);
	return stops;
}

static void *serve(void *context)
{
	struct eg_http *http = context;
	int next_ms = -1;

	pthread_setname_np(pthread_self(), "admin");
	while (!wait_for_work(http, next_ms)) {
		MHD_UNSIGNED_LONG_LONG library_ms;

		MHD_run(http->library);
		next_ms = end_overdue(http);
		if (MHD_get_timeout(http->library, &library_ms) == MHD_YES &&
		    (next_ms < 0 || library_ms < (unsigned int)next_ms))
			next_ms = (int)library_ms;
	}
	return NULL;
}

/* ---- start and stop ---- */

/* What it has to say of its clients is nobody's need. */
static void say_nothing(void *context, const char *format, va_list arguments)
{
	(void)context;
	(void)format;
	(void)arguments;
}

static int start_library(struct eg_http *http)
{
	const union MHD_DaemonInfo *info;

	http->library =
		MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL,
				 on_request, http, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
				 /* It counts those that have ended a little longer than has_room() does. */
				 MHD_OPTION_CONNECTION_LIMIT, 2u * EG_HTTP_CONNECTIONS_MAX,
				 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)EG_HTTP_MEMORY_MAX,
				 MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_NOTIFY_COMPLETED,
				 on_completed, http, MHD_OPTION_URI_LOG_CALLBACK, on_target, http, MHD_OPTION_END);
	if (!http->library)
		return errno ? -errno : -EIO;
	info = MHD_get_daemon_info(http->library, MHD_DAEMON_INFO_EPOLL_FD);
	http->library_fd = info ? info->epoll_fd : -1;
	return http->library_fd < 0 ? -EIO : 0;
}

int eg_http_start(const struct eg_http_calls *calls, void *context, struct eg_http **ret_http)
{
	_cleanup_(eg_http_stopp) struct eg_http *http = calloc(1, sizeof(*http));
	int r;

	if (!http)
		return -ENOMEM;
	http->calls = *calls;
	http->context = context;
	http->connections.next = http->connections.previous = &http->connections;
	pthread_mutex_init(&http->lock, NULL);
	for (size_t i = 0; i < EG_HTTP_PLACES; i++)
		http->listening[i] = -1;
	http->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (http->wake_fd < 0)
		return -errno;
	r = start_library(http);
	if (r == 0)
		r = -pthread_create(&http->thread, NULL, serve, http);
	if (r < 0)
		return r;
	http->has_thread = true;
	*ret_http = TAKE_PTR(http);
	return 0;
}

static void wake(struct eg_http *http)
{
	const uint64_t one = 1;

	(void)!write(http->wake_fd, &one, sizeof(one));
}

int eg_http_listen(struct eg_http *http, enum eg_http_place place, int fd)
{
	_cleanup_close_ int before = -1;

	if (fd >= 0 && (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || listen(fd, SOMAXCONN) < 0)) {
		int r = -errno;

		close(fd);
		return r;
	}
	pthread_mutex_lock(&http->lock);
	before = http->listening[place];
	http->listening[place] = fd;
	pthread_mutex_unlock(&http->lock);
	/* The thread may wait for it at this moment, and keeps it open until then. */
	if (before >= 0)
		shutdown(before, SHUT_RDWR);
	wake(http);
	return 0;
}

struct eg_http *eg_http_stop(struct eg_http *http)
{
	if (!http)
		return NULL;
	if (http->has_thread) {
		pthread_mutex_lock(&http->lock);
		http->stops = true;
		pthread_mutex_unlock(&http->lock);
		wake(http);
		pthread_join(http->thread, NULL);
	}
	if (http->library)
		MHD_stop_daemon(http->library);
	for (size_t i = 0; i < EG_HTTP_PLACES; i++)
		eg_closep(&http->listening[i]);
	eg_closep(&http->wake_fd);
	pthread_mutex_destroy(&http->lock);
	free(http);
	return NULL;
}
