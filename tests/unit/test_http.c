/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The server with real sockets: a unix socket without a file, and TCP on 127.0.0.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../lib/support/slow.h"
#include "export/http.h"

#define STREAM_LEN (3u << 20)
#define LONG_LEN 1000000
#define CHUNK 65536
#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

struct fixture {
	struct eg_http *http;
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_in tcp;
	} places[EG_HTTP_PLACES];
	socklen_t lens[EG_HTTP_PLACES];
	atomic_bool admits;
	atomic_uint streams; /* that have not ended */
};

/* ---- what it serves ---- */

struct stream {
	struct fixture *fixture;
	size_t left;
	bool breaks;
};

static ssize_t read_stream(void *context, char *buffer, size_t size)
{
	struct stream *stream = context;
	size_t len = stream->left < size ? stream->left : size;

	if (stream->left == 0 && stream->breaks)
		return -EIO;
	memset(buffer, 'x', len);
	stream->left -= len;
	return (ssize_t)len;
}

static void end_stream(void *context)
{
	struct stream *stream = context;

	atomic_fetch_sub(&stream->fixture->streams, 1);
	free(stream);
}

static int answer_stream(struct fixture *fixture, bool breaks, struct eg_http_answer *answer)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	*stream = (struct stream){fixture, STREAM_LEN, breaks};
	atomic_fetch_add(&fixture->streams, 1);
	*answer = (struct eg_http_answer){.status = 200, .read = read_stream, .end = end_stream, .context = stream};
	return 0;
}

static int answer_long(struct eg_http_answer *answer)
{
	*answer = (struct eg_http_answer){.status = 200, .text = malloc(LONG_LEN), .len = LONG_LEN};
	for (size_t i = 0; i < LONG_LEN; i++)
		answer->text[i] = (char)('a' + i % 26);
	return 0;
}

static int answer(const struct eg_http_request *request, struct eg_http_answer *ret_answer, void *context)
{
	struct fixture *fixture = context;
	char text[512] = "";

	if (strcmp(request->path, "/long") == 0)
		return answer_long(ret_answer);
	if (strcmp(request->path, "/end") == 0)
		return eg_http_say(ret_answer, 200, eg_http_end_stalled(fixture->http, end_stream) ? "one\n" : "none\n");
	if (strcmp(request->path, "/stream") == 0 || strcmp(request->path, "/breaks") == 0)
		return answer_stream(context, strcmp(request->path, "/breaks") == 0, ret_answer);
	if (strcmp(request->path, "/fails") == 0)
		return -EIO;
	for (size_t i = 0; i < request->parameters.len; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " [%s|%s]",
			 request->parameters.items[i].name,
			 request->parameters.items[i].value ? request->parameters.items[i].value : "-");
	ret_answer->allow = strcmp(request->method, "GET") == 0 ? NULL : "GET";
	return eg_http_say(ret_answer, ret_answer->allow ? 405 : 200, "%s %s %s%s\n", request->method, request->path,
			   request->is_local ? "local" : "tcp", text);
}

static bool admits(int fd, void *context)
{
	struct fixture *fixture = context;

	return fd >= 0 && atomic_load(&fixture->admits);
}

/* ---- setup ---- */

static void listen_at(struct fixture *fixture, enum eg_http_place place)
{
	int family = place == EG_HTTP_LOCAL ? AF_UNIX : AF_INET, fd = socket(family, SOCK_STREAM, 0);

	memset(&fixture->places[place], 0, sizeof(fixture->places[place]));
	fixture->places[place].any.sa_family = (sa_family_t)family;
	fixture->lens[place] = place == EG_HTTP_LOCAL ? sizeof(sa_family_t) : sizeof(struct sockaddr_in);
	if (place == EG_HTTP_TCP)
		fixture->places[place].tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, &fixture->places[place].any, fixture->lens[place]), 0);
	fixture->lens[place] = sizeof(fixture->places[place]);
	assert_int_equal(getsockname(fd, &fixture->places[place].any, &fixture->lens[place]), 0);
	assert_int_equal(eg_http_listen(fixture->http, place, fd), 0);
}

static int set_up(void **state)
{
	static const struct eg_http_calls calls = {.answer = answer, .admits = admits};
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	atomic_store(&fixture->admits, true);
	assert_int_equal(eg_http_start(&calls, fixture, &fixture->http), 0);
	listen_at(fixture, EG_HTTP_LOCAL);
	listen_at(fixture, EG_HTTP_TCP);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	eg_http_stop(fixture->http);
	assert_int_equal(atomic_load(&fixture->streams), 0);
	free(fixture);
	return 0;
}

/* ---- clients ---- */

static int try_dial(const struct fixture *fixture, enum eg_http_place place)
{
	int fd = socket(fixture->places[place].any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, &fixture->places[place].any, fixture->lens[place]) == 0)
		return fd;
	close(fd);
	return -1;
}

static int dial(const struct fixture *fixture, enum eg_http_place place)
{
	int fd = try_dial(fixture, place);

	assert_true(fd >= 0);
	return fd;
}

/* What comes until the other side ends it; closes. */
static char *hear(int fd)
{
	char *heard = calloc(1, STREAM_LEN * 2);
	struct pollfd waits = {fd, POLLIN, 0};
	size_t len = 0;

	for (;;) {
		ssize_t got;

		if (poll(&waits, 1, slow_ms(60000)) != 1)
			fail_msg("nothing comes, and no end");
		got = read(fd, heard + len, STREAM_LEN * 2 - 1 - len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	close(fd);
	return heard;
}

/* As much of it as the server takes. */
static void tell(int fd, const char *request, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, request, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		request += sent;
		len -= (size_t)sent;
	}
}

static char *ask(const struct fixture *fixture, enum eg_http_place place, const char *request)
{
	int fd = dial(fixture, place);

	tell(fd, request, strlen(request));
	return hear(fd);
}

static void assert_begins(const char *text, const char *begin)
{
	if (strncmp(text, begin, strlen(begin)) != 0)
		fail_msg("'%.200s' does not begin with '%s'", text, begin);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%.400s' lacks '%s'", text, part);
}

static const char *body_of(const char *heard)
{
	const char *end = strstr(heard, "\r\n\r\n");

	return end ? end + 4 : "(no body)";
}

static void assert_answered(const struct fixture *fixture, enum eg_http_place place, const char *request,
			    const char *begin, const char *body)
{
	_cleanup_free_ char *heard = ask(fixture, place, request);

	assert_begins(heard, begin);
	assert_string_equal(body_of(heard), body);
}

/* ---- requests ---- */

static void a_request_is_answered_and_its_connection_ends(void **state)
{
	_cleanup_free_ char *heard = ask(*state, EG_HTTP_LOCAL, GET("/hello"));

	assert_begins(heard, "HTTP/1.1 200 OK\r\n");
	assert_has(heard, "Content-Type: text/plain; charset=UTF-8\r\n");
	assert_has(heard, "Cache-Control: no-cache, max-age=0\r\n");
	assert_has(heard, "X-Content-Type-Options: nosniff\r\n");
	assert_has(heard, "Connection: close\r\n");
	assert_string_equal(body_of(heard), "GET /hello local\n");
}

static void by_tcp_a_request_is_not_local(void **state)
{
	assert_answered(*state, EG_HTTP_TCP, GET("/hello"), "HTTP/1.1 200", "GET /hello tcp\n");
}

static void head_is_get_without_the_body(void **state)
{
	_cleanup_free_ char *heard = ask(*state, EG_HTTP_LOCAL, "HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");

	assert_begins(heard, "HTTP/1.1 200 OK\r\n");
	assert_has(heard, "Content-Length: 17\r\n");
	assert_string_equal(body_of(heard), "");
}

static void parameters_are_decoded_and_plus_is_plus(void **state)
{
	assert_answered(*state, EG_HTTP_LOCAL, GET("/a%20b?filter=a+b%2B&usedonly&&x=%3d=1&y="), "HTTP/1.1 200",
			"GET /a b local [filter|a+b+] [usedonly|-] [x|==1] [y|]\n");
}

static void what_is_not_encoded_as_it_must_be_is_refused(void **state)
{
	static const char *const targets[] = {"/%zz", "/%4", "/%", "/?a=%f", "/?%00=1", "/x%00y"};

	for (size_t i = 0; i < EG_COUNT_OF(targets); i++) {
		char request[128];

		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", targets[i]);
		assert_answered(*state, EG_HTTP_LOCAL, request, "HTTP/1.1 400",
				"the path or query is not encoded as it must be\n");
	}
}

static void what_is_no_http_is_refused(void **state)
{
	static const char *const requests[] = {"hello\r\n\r\n", "\x16\x03\x01\r\n\r\n", "GET\r\n\r\n",
					       "GET / HTTP/9.9\r\n\r\n"};

	for (size_t i = 0; i < EG_COUNT_OF(requests); i++) {
		_cleanup_free_ char *heard = ask(*state, EG_HTTP_TCP, requests[i]);

		if (*heard)
			assert_true(strncmp(heard, "HTTP/1.1 4", 10) == 0 || strncmp(heard, "HTTP/1.1 505", 12) == 0 ||
				    strncmp(heard, "HTTP/1.0 4", 10) == 0);
	}
	assert_answered(*state, EG_HTTP_TCP, GET("/after"), "HTTP/1.1 200", "GET /after tcp\n");
}

static void another_method_says_which_there_are(void **state)
{
	_cleanup_free_ char *heard =
		ask(*state, EG_HTTP_LOCAL, "PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");

	assert_begins(heard, "HTTP/1.1 405");
	assert_has(heard, "Allow: GET\r\n");
	assert_string_equal(body_of(heard), "PUT /x local\n");
}

static void a_failure_is_a_500_that_says_why(void **state)
{
	assert_answered(*state, EG_HTTP_LOCAL, GET("/fails"), "HTTP/1.1 500", "Input/output error\n");
}

/* ---- Host ---- */

static void a_host_is_an_address_or_a_name_of_this_node(void **state)
{
	char name[256] = "";

	(void)state;
	gethostname(name, sizeof(name) - 1);
	assert_true(eg_http_host_is_ours("localhost", false));
	assert_true(eg_http_host_is_ours("LocalHost:9901", false));
	assert_true(eg_http_host_is_ours("127.0.0.1:9901", false));
	assert_true(eg_http_host_is_ours("10.1.2.3", false));
	assert_true(eg_http_host_is_ours("[::1]:80", false));
	assert_true(eg_http_host_is_ours("[fd00::1]", false));
	assert_true(eg_http_host_is_ours(name, false));
	assert_true(eg_http_host_is_ours("egressd", true));
}

static void a_name_of_somebody_else_is_none(void **state)
{
	static const char *const hosts[] = {
		"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "",   ":80", "[::1",
		"[localhost]",  "localhost:80x",          "localhost:80:80",        "[]", "::1", "1.2.3",
		"[::1]x"};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(hosts); i++)
		assert_false(eg_http_host_is_ours(hosts[i], false));
	assert_false(eg_http_host_is_ours("egressd.no-node-is-called-so", false));
	assert_false(eg_http_host_is_ours("evil.example", true));
	assert_false(eg_http_host_is_ours("no-node-is-called-so", false));
}

static void a_request_needs_exactly_one_host_and_that_ours(void **state)
{
	assert_answered(*state, EG_HTTP_TCP, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 403",
			"Host: that is not this server\n");
	assert_answered(*state, EG_HTTP_LOCAL, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 403",
			"Host: that is not this server\n");
	assert_answered(*state, EG_HTTP_TCP, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400", "one Host header is needed\n");
	assert_answered(*state, EG_HTTP_TCP, "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
			"HTTP/1.1 400", "one Host header is needed\n");
	assert_answered(*state, EG_HTTP_LOCAL, "GET /x HTTP/1.1\r\nHost: d\r\n\r\n", "HTTP/1.1 200", "GET /x local\n");
}

static void who_is_not_admitted_gets_nothing_but_a_403_and_tcp_is_not_asked(void **state)
{
	struct fixture *fixture = *state;

	atomic_store(&fixture->admits, false);
	assert_answered(*state, EG_HTTP_LOCAL, GET("/x"), "HTTP/1.1 403",
			"only for processes that are seen to be of no workload\n");
	assert_answered(*state, EG_HTTP_TCP, GET("/x"), "HTTP/1.1 200", "GET /x tcp\n");
}

/* ---- bounds ---- */

static void assert_too_large(const struct fixture *fixture, enum eg_http_place place, const char *before,
			     const char *after, const char *begin)
{
	size_t len = 1u << 20, before_len = strlen(before);
	_cleanup_free_ char *request = malloc(before_len + len + strlen(after) + 1);
	_cleanup_free_ char *heard = NULL;
	int fd = dial(fixture, place);

	memcpy(request, before, before_len);
	memset(request + before_len, 'a', len);
	strcpy(request + before_len + len, after);
	tell(fd, request, before_len + len + strlen(after));
	heard = hear(fd);
	assert_begins(heard, begin);
}

static void a_mebibyte_of_headers_is_a_431(void **state)
{
	for (enum eg_http_place place = 0; place < EG_HTTP_PLACES; place++)
		assert_too_large(*state, place, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ", "\r\n\r\n", "HTTP/1.1 431");
	assert_answered(*state, EG_HTTP_LOCAL, GET("/after"), "HTTP/1.1 200", "GET /after local\n");
}

static void a_mebibyte_of_path_is_a_414(void **state)
{
	for (enum eg_http_place place = 0; place < EG_HTTP_PLACES; place++)
		assert_too_large(*state, place, "GET /", " HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 414");
}

static void a_thousand_at_once_are_all_answered(void **state)
{
	const unsigned int many = slow_count(1000);
	_cleanup_free_ int *fds = calloc(many, sizeof(*fds));

	for (unsigned int i = 0; i < many; i++) {
		fds[i] = dial(*state, i % EG_HTTP_PLACES);
		tell(fds[i], GET("/all"), strlen(GET("/all")));
	}
	for (unsigned int i = 0; i < many; i++) {
		_cleanup_free_ char *heard = hear(fds[i]);

		assert_begins(heard, "HTTP/1.1 200");
	}
}

/* Twice as many as there are places for: the first make room long before their own time is up. */
static void who_asks_nothing_makes_room_for_who_does_and_gets_a_408(void **state)
{
	const unsigned int many = EG_HTTP_CONNECTIONS_MAX * 2;
	_cleanup_free_ int *fds = calloc(many, sizeof(*fds));

	for (unsigned int i = 0; i < many; i++) {
		fds[i] = dial(*state, EG_HTTP_LOCAL);
		tell(fds[i], "GET / HT", i % 2 ? 8 : 0);
	}
	assert_answered(*state, EG_HTTP_LOCAL, GET("/room"), "HTTP/1.1 200", "GET /room local\n");
	for (unsigned int i = 0; i < many; i++) {
		_cleanup_free_ char *heard = hear(fds[i]);

		assert_begins(heard, "HTTP/1.1 408");
	}
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void half_a_request_gets_a_408_in_its_time_however_much_comes(void **state)
{
	const uint64_t began = now_ms();
	int fd = dial(*state, EG_HTTP_TCP), slow = dial(*state, EG_HTTP_TCP);
	struct pollfd waits = {slow, POLLIN, 0};
	_cleanup_free_ char *heard = NULL, *slowly = NULL;

	tell(fd, "GET / HTTP/1.1\r\nHost: ", 22);
	tell(slow, "GET / HTTP/1.1\r\nX: ", 19);
	while (poll(&waits, 1, 100) == 0)
		tell(slow, "x", 1);
	slowly = hear(slow);
	heard = hear(fd);
	assert_begins(heard, "HTTP/1.1 408");
	assert_begins(slowly, "HTTP/1.1 408");
	assert_true(now_ms() - began >= EG_HTTP_ASK_MS);
	assert_true(now_ms() - began < EG_HTTP_ASK_MS + (unsigned int)slow_ms(5000));
}

/* ---- streams ---- */

static size_t count_x(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == 'x';
	return count;
}

static void a_stream_comes_whole(void **state)
{
	_cleanup_free_ char *heard = ask(*state, EG_HTTP_TCP, GET("/stream"));

	assert_begins(heard, "HTTP/1.1 200");
	assert_has(heard, "Transfer-Encoding: chunked\r\n");
	assert_int_equal(count_x(body_of(heard)), STREAM_LEN);
	assert_string_equal(heard + strlen(heard) - 5, "0\r\n\r\n");
}

static void a_stream_that_breaks_off_does_not_look_whole(void **state)
{
	_cleanup_free_ char *heard = ask(*state, EG_HTTP_TCP, GET("/breaks"));

	assert_begins(heard, "HTTP/1.1 200");
	assert_string_not_equal(heard + strlen(heard) - 5, "0\r\n\r\n");
}

static void a_stream_ends_with_who_took_it(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t deadline = now_ms() + (unsigned int)slow_ms(20000);
	char first[100];
	int fd = dial(fixture, EG_HTTP_LOCAL);

	tell(fd, GET("/stream"), strlen(GET("/stream")));
	assert_true(read(fd, first, sizeof(first)) > 0);
	assert_int_equal(atomic_load(&fixture->streams), 1);
	close(fd);
	while (atomic_load(&fixture->streams) > 0 && now_ms() < deadline)
		poll(NULL, 0, 1);
	assert_int_equal(atomic_load(&fixture->streams), 0);
}

/* Reads all the time, and not fast. */
static void *hear_slowly(void *context)
{
	int fd = *(int *)context;
	char *heard = calloc(1, STREAM_LEN * 2);
	size_t len = 0;
	ssize_t got;

	while ((got = read(fd, heard + len, CHUNK)) > 0) {
		len += (size_t)got;
		poll(NULL, 0, 20);
	}
	close(fd);
	return heard;
}

/* Twice as many as there are places for, and the first is one who takes what he has asked for. */
static void who_takes_nothing_makes_room_for_who_asks_and_who_does_goes_on(void **state)
{
	const unsigned int many = EG_HTTP_CONNECTIONS_MAX * 2;
	const uint64_t began = now_ms();
	_cleanup_free_ int *fds = calloc(many, sizeof(*fds));
	void *heard = NULL;
	pthread_t thread;

	for (unsigned int i = 0; i < many; i++) {
		fds[i] = dial(*state, EG_HTTP_LOCAL);
		tell(fds[i], GET("/stream"), strlen(GET("/stream")));
		if (i == 0)
			assert_int_equal(pthread_create(&thread, NULL, hear_slowly, &fds[0]), 0);
	}
	assert_answered(*state, EG_HTTP_LOCAL, GET("/room"), "HTTP/1.1 200", "GET /room local\n");
	assert_true(now_ms() - began < (unsigned int)slow_ms(EG_HTTP_TAKE_MS / 2));
	pthread_join(thread, &heard);
	assert_int_equal(count_x(body_of(heard)), STREAM_LEN);
	free(heard);
	for (unsigned int i = 1; i < many; i++)
		close(fds[i]);
}

static void a_long_text_comes_whole(void **state)
{
	_cleanup_free_ char *heard = ask(*state, EG_HTTP_LOCAL, GET("/long"));
	const char *body = body_of(heard);

	assert_has(heard, "Content-Length: 1000000\r\n");
	assert_int_equal(strlen(body), LONG_LEN);
	for (size_t i = 0; i < LONG_LEN; i++)
		assert_int_equal(body[i], 'a' + i % 26);
}

/* One that is stalled is found when it is asked for, and gives back what it held at once. */
static void of_streams_of_a_kind_the_one_that_is_stalled_ends(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t deadline = now_ms() + (unsigned int)slow_ms(20000);
	_cleanup_free_ char *first = NULL;
	int fd = dial(fixture, EG_HTTP_LOCAL);

	tell(fd, GET("/stream"), strlen(GET("/stream")));
	first = ask(fixture, EG_HTTP_LOCAL, GET("/end"));
	assert_string_equal(body_of(first), "none\n");
	for (bool ended = false; !ended && now_ms() < deadline; poll(NULL, 0, 10)) {
		_cleanup_free_ char *said = ask(fixture, EG_HTTP_LOCAL, GET("/end"));

		ended = strcmp(body_of(said), "one\n") == 0;
		assert_int_equal(atomic_load(&fixture->streams), ended ? 0 : 1);
	}
	assert_int_equal(atomic_load(&fixture->streams), 0);
	close(fd);
}

/* tear_down() sees that its stream has ended. */
static void stopping_ends_what_is_under_way(void **state)
{
	struct fixture *fixture = *state;
	int fd = dial(fixture, EG_HTTP_LOCAL);
	char first[100];

	tell(fd, GET("/stream"), strlen(GET("/stream")));
	assert_true(read(fd, first, sizeof(first)) > 0);
	fixture->http = eg_http_stop(fixture->http);
	assert_int_equal(atomic_load(&fixture->streams), 0);
	close(fd);
}

/* ---- where it listens ---- */

static void another_socket_takes_the_place_of_the_one_before(void **state)
{
	struct fixture *fixture = *state, before = *fixture;

	listen_at(fixture, EG_HTTP_TCP);
	assert_answered(fixture, EG_HTTP_TCP, GET("/new"), "HTTP/1.1 200", "GET /new tcp\n");
	assert_int_equal(try_dial(&before, EG_HTTP_TCP), -1);
	assert_int_equal(eg_http_listen(fixture->http, EG_HTTP_TCP, -1), 0);
	assert_int_equal(try_dial(fixture, EG_HTTP_TCP), -1);
	assert_answered(fixture, EG_HTTP_LOCAL, GET("/still"), "HTTP/1.1 200", "GET /still local\n");
}

static void a_server_that_listens_nowhere_stops(void **state)
{
	static const struct eg_http_calls calls = {.answer = answer};
	struct eg_http *http;

	(void)state;
	assert_int_equal(eg_http_start(&calls, NULL, &http), 0);
	assert_null(eg_http_stop(http));
	assert_null(eg_http_stop(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_and_its_connection_ends),
		TEST(by_tcp_a_request_is_not_local),
		TEST(head_is_get_without_the_body),
		TEST(parameters_are_decoded_and_plus_is_plus),
		TEST(what_is_not_encoded_as_it_must_be_is_refused),
		TEST(what_is_no_http_is_refused),
		TEST(another_method_says_which_there_are),
		TEST(a_failure_is_a_500_that_says_why),
		cmocka_unit_test(a_host_is_an_address_or_a_name_of_this_node),
		cmocka_unit_test(a_name_of_somebody_else_is_none),
		TEST(a_request_needs_exactly_one_host_and_that_ours),
		TEST(who_is_not_admitted_gets_nothing_but_a_403_and_tcp_is_not_asked),
		TEST(a_mebibyte_of_headers_is_a_431),
		TEST(a_mebibyte_of_path_is_a_414),
		TEST(a_thousand_at_once_are_all_answered),
		TEST(who_asks_nothing_makes_room_for_who_does_and_gets_a_408),
		TEST(half_a_request_gets_a_408_in_its_time_however_much_comes),
		TEST(a_stream_comes_whole),
		TEST(a_stream_that_breaks_off_does_not_look_whole),
		TEST(a_stream_ends_with_who_took_it),
		TEST(who_takes_nothing_makes_room_for_who_asks_and_who_does_goes_on),
		TEST(a_long_text_comes_whole),
		TEST(of_streams_of_a_kind_the_one_that_is_stalled_ends),
		TEST(stopping_ends_what_is_under_way),
		TEST(another_socket_takes_the_place_of_the_one_before),
		cmocka_unit_test(a_server_that_listens_nowhere_stops),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
