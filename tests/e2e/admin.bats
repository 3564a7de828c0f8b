#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The admin endpoint: what it answers, to whom, and what nobody can do to it.

load ../lib/common
load ../lib/daemon

setup() {
	# where `make deps` unpacks it, when the machine has none of its own
	PATH=$PATH:$EG_ROOT/build/prometheus
	daemon_setup
	start_servers
	policy true >policy.yaml
	CLUSTER=cluster.outbound_passthrough_ipv4
}

teardown() {
	[ -z "${prometheus:-}" ] || kill -KILL "$prometheus" 2>/dev/null || true
	[ -z "${asking:-}" ] || kill -KILL "$asking" 2>/dev/null || true
	daemon_teardown
}

# get PATH [OPTION...]: by the unix socket
get() {
	"${CURL[@]}" --unix-socket "$ADMIN" "${@:2}" "http://localhost$1"
}

# status_code PATH [OPTION...]: the body goes to the file `body`
status_code() {
	get "$1" --output body --write-out '%{http_code}' "${@:2}"
}

# by_tcp PATH [OPTION...]: from the client's namespace, where the daemon listens at $PLACE
by_tcp() {
	outside "${CURL[@]}" "${@:2}" "http://$PLACE$1"
}

# start_with_tcp: the daemon in the client's namespace, so that any port of 127.0.0.1 is free
start_with_tcp() {
	PLACE=127.0.0.1:9901
	DAEMON_IN=(nsenter --net="$EG_CLIENT")
	start_daemon policy.yaml --admin $PLACE
}

# connect_some: by IPv4 three that are established and one that the peer refuses, by IPv6 one
connect_some() {
	is "$(within "$WORK" "$CLIENT" repeat tcp $OUT4 $TCP 3 1)" "ok 3"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 9)" "errno ECONNREFUSED"
	is "$(within "$WORK" "$CLIENT" tcp $OUT6 $TCP)" ok
}

# held_by_daemon: descriptors and threads
held_by_daemon() {
	find "/proc/$DAEMON/fd" "/proc/$DAEMON/task" -mindepth 1 -maxdepth 1 | wc -l
}

# No more: a sweep, which has some for a moment, may have been at work before.
holds_as_before() {
	[ "$(held_by_daemon)" -le "$before" ]
}

# without_moving FILE: what differs between two looks at the same counts
without_moving() {
	grep -vE '(uptime|sweep_)' "$1"
}

@test "the endpoint is a socket of mode 0600 that goes with the daemon, and one that is left is replaced" {
	start_daemon
	is "$(stat -c '%F %a %u' "$ADMIN")" "socket 600 0"
	is "$(get /ready)" LIVE
	kill_daemon
	[ -S "$ADMIN" ]
	start_daemon
	is "$(get /ready)" LIVE
	kill -TERM "$DAEMON"
	wait_for 10 is_gone "$DAEMON"
	DAEMON=
	[ ! -e "$ADMIN" ]
}

@test "left out, the path is below /run/egressd, which is root's alone" {
	mkdir -p run /run/egressd
	unshare --mount sh -c 'mount --bind run /run && exec "$0" --policy policy.yaml 2>daemon.log' "$EGRESSD" 3>&- &
	DAEMON=$!
	disown
	wait_for 20 is_gone_or_in_force
	is "$(stat -c '%F %a' run/egressd)" "directory 700"
	is "$("${CURL[@]}" --unix-socket run/egressd/admin.sock http://localhost/ready)" LIVE
}

@test "--admin none has no endpoint, and what is no path and no address is a usage error" {
	start_daemon policy.yaml --admin none
	[ ! -e "$ADMIN" ]
	kill_daemon
	for value in localhost:9901 9901 run/admin.sock 127.0.0.1 ""; do
		run "$EGRESSD" --admin "$value" --policy policy.yaml
		is "$value $status" "$value 2"
		has "$output" "--admin is a path from the root, an address with its port, or none"
	done
}

@test "where another process listens already the daemon enforces all the same, and says so" {
	start_server "$EG_CLIENT" "tcp:$OWN4:9901"
	python3 -c 'import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print("ready", flush=True); time.sleep(600)' \
		"$ADMIN" >listens 3>&- &
	holder=$!
	wait_for 10 grep -q ready listens
	policy false >policy.yaml
	DAEMON_IN=(nsenter --net="$EG_CLIENT")
	start_daemon policy.yaml --admin "$OWN4:9901"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	says 1 "admin: no endpoint at $ADMIN: another process listens there"
	says 1 "admin: no endpoint at $OWN4:9901: Address already in use"
	kill "$holder"
}

@test "/stats is what egressctl stats prints, and what the clients did" {
	start_daemon
	connect_some
	get /stats >stats
	is "$(sed -n "s/^$CLUSTER.upstream_cx_total: //p" stats)" 4
	is "$(sed -n "s/^$CLUSTER.upstream_cx_connect_fail: //p" stats)" 1
	is "$(sed -n 's/^cluster.outbound_passthrough_ipv6.upstream_cx_total: //p' stats)" 1
	is "$(sed -n 's/^egressd.verdicts.passthrough: //p' stats)" 5
	"$EGRESSCTL" stats >printed
	is "$(without_moving printed)" "$(without_moving stats)"
	get "/stats?workload=web" >stats
	"$EGRESSCTL" stats web >printed
	is "$(without_moving printed)" "$(without_moving stats)"
	[ "$(grep -c '^egressd.policy' stats)" = 0 ]
}

@test "/stats takes Envoy's parameters" {
	start_daemon
	connect_some
	is "$(get '/stats?filter=pass_through.upstream_cx_total')" \
		"$CLUSTER.upstream_cx_total: 4
cluster.outbound_passthrough_ipv6.upstream_cx_total: 1"
	is "$(get '/stats?filter=%5Ecluster%5C.outbound_passthrough_ipv4%5C.upstream_c(x)+_overflow$')" \
		"$CLUSTER.upstream_cx_overflow: 0"
	is "$(get '/stats?usedonly&type=Counters&filter=upstream_cx_overflow')" ""
	is "$(get '/stats?type=Gauges&filter=ipv4.upstream_cx_(total|active)')" "$CLUSTER.upstream_cx_active: 0"
	has "$(get '/stats?type=Histograms&usedonly&histogram_buckets=disjoint')" "upstream_cx_connect_ms: B0.5(0,"
	has "$(get '/stats?type=Histograms&usedonly')" "upstream_cx_connect_ms: P0(nan,"
	get '/stats?format=json' >stats.json
	is "$(json stats.json "[s['value'] for s in d['stats'] if s.get('name') == '$CLUSTER.upstream_cx_total']")" "[4]"
	is "$(json stats.json "d['stats'][-1]['histograms']['supported_quantiles']")" \
		"[0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]"
	is "$(get /stats/prometheus --head | grep -i '^content-type')" $'Content-Type: text/plain; version=0.0.4; charset=utf-8\r'
	is "$(get '/stats?format=json' --head | grep -i '^content-type')" $'Content-Type: application/json\r'
	is "$(get /stats --head | grep -i '^content-type')" $'Content-Type: text/plain; charset=UTF-8\r'
}

@test "reset_counters moves what /stats shows, by the socket only, and no map" {
	start_with_tcp
	connect_some
	is "$(status_code /reset_counters)" 405
	has "$(cat body)" "Method GET not allowed, POST required."
	is "$(by_tcp /reset_counters --request POST --output /dev/null --write-out '%{http_code}')" 405
	is "$(get "/stats?filter=$CLUSTER.upstream_cx_total")" "$CLUSTER.upstream_cx_total: 4"
	is "$(get /reset_counters --request POST)" OK
	is "$(get "/stats?filter=$CLUSTER.upstream_cx_total")" "$CLUSTER.upstream_cx_total: 0"
	is "$(get "/stats?filter=$CLUSTER.upstream_cx_total&workload=web")" "$CLUSTER.upstream_cx_total: 0"
	is "$(get "/stats?filter=egressd.verdicts.passthrough")" "egressd.verdicts.passthrough: 0"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	is "$(get "/stats?filter=$CLUSTER.upstream_cx_total")" "$CLUSTER.upstream_cx_total: 1"
	is "$(by_tcp "/stats?filter=$CLUSTER.upstream_cx_total")" "$CLUSTER.upstream_cx_total: 1"
	is "$(stat_of $CLUSTER.upstream_cx_total web)" 5
	is "$(counted web ipv4.cluster.cx_total)" 5
	has "$(get '/stats/prometheus?filter=ipv4.upstream_cx_total')" 'workload="web"} 5'
	# what is shown is of this agent only
	kill_daemon
	start_with_tcp
	is "$(get "/stats?filter=$CLUSTER.upstream_cx_total")" "$CLUSTER.upstream_cx_total: 5"
}

@test "a workload cannot ask, not even as root, nor can anybody who is not" {
	start_daemon
	mkdir "$WORK/below"
	for directory in "$WORK" "$WORK/below"; do
		(in_cgroup "$directory" "${CURL[@]}" --unix-socket "$ADMIN" --write-out '%{http_code}' --output body \
			http://localhost/stats) >code
		is "$(cat code)" 403
		is "$(cat body)" "only for processes that are seen to be of no workload"
	done
	(in_cgroup "$WORK" "${CURL[@]}" --unix-socket "$ADMIN" --request POST http://localhost/reset_counters) >body
	is "$(cat body)" "only for processes that are seen to be of no workload"
	is "$(status_code /ready)" 200
	chmod 755 "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	run setpriv --reuid 65534 --regid 65534 --clear-groups "${CURL[@]}" --unix-socket "$ADMIN" http://localhost/ready
	[ "$status" -ne 0 ]
	hasnt "$output" LIVE
}

@test "by TCP there is nothing until it is asked for" {
	DAEMON_IN=(nsenter --net="$EG_CLIENT")
	start_daemon
	is "$(ip netns exec "$EG_NAME-c" ss -Hltn | wc -l)" 0
	kill_daemon
	start_with_tcp
	says 1 "admin: listening at 127.0.0.1:9901, for reading"
	is "$(by_tcp /ready)" LIVE
	has "$(by_tcp "/stats?workload=web")" "$CLUSTER.upstream_cx_total: 0"
}

@test "where it listens by TCP follows Node.admin, and --admin goes before that" {
	DAEMON_IN=(nsenter --net="$EG_CLIENT")
	printf -- '---\ntype: Node\nname: n\nadmin: 127.0.0.1:9902\n' >>policy.yaml
	start_daemon
	PLACE=127.0.0.1:9902
	is "$(by_tcp /ready)" LIVE
	sed -i "s/admin: .*/admin: '[::1]:9903'/" policy.yaml
	kill -HUP "$DAEMON"
	wait_for 10 says 1 "admin: listening at [::1]:9903, for reading"
	run ! by_tcp /ready
	PLACE='[::1]:9903'
	is "$(by_tcp /ready)" LIVE
	sed -i '/admin: /d' policy.yaml
	kill -HUP "$DAEMON"
	wait_for 10 says 1 "generation 3 in force"
	run ! by_tcp /ready
	kill_daemon
	printf 'admin: 127.0.0.1:9902\n' >>policy.yaml
	start_daemon policy.yaml --admin 127.0.0.1:9901
	PLACE=127.0.0.1:9901
	is "$(by_tcp /ready)" LIVE
	PLACE=127.0.0.1:9902
	run ! by_tcp /ready
}

@test "/clusters has the limits in force and a host for each destination, in Envoy's words" {
	patch "name: 'outbound:passthrough:ipv4'" 'circuit_breakers: {thresholds: [{max_connections: 7, max_pending_requests: 5}]}' >>policy.yaml
	start_daemon
	connect_some
	mkfifo end
	exec 5<>end
	within "$WORK" "$CLIENT" hold tcp $OUT4 $TCP 2 1 <end >held 3>&- 5>&- &
	wait_for 10 grep -q ok held
	get /clusters >clusters
	exec 5>&-
	is "$(grep -v "$OUT4" clusters | grep -v "$OUT6")" "outbound:passthrough:ipv4::observability_name::outbound_passthrough_ipv4
outbound:passthrough:ipv4::default_priority::max_connections::7
outbound:passthrough:ipv4::default_priority::max_pending_requests::5
outbound:passthrough:ipv4::default_priority::max_requests::1024
outbound:passthrough:ipv4::default_priority::max_retries::3
outbound:passthrough:ipv4::high_priority::max_connections::1024
outbound:passthrough:ipv4::high_priority::max_pending_requests::1024
outbound:passthrough:ipv4::high_priority::max_requests::1024
outbound:passthrough:ipv4::high_priority::max_retries::3
outbound:passthrough:ipv4::added_via_api::true
outbound:passthrough:ipv6::observability_name::outbound_passthrough_ipv6
outbound:passthrough:ipv6::default_priority::max_connections::1024
outbound:passthrough:ipv6::default_priority::max_pending_requests::1024
outbound:passthrough:ipv6::default_priority::max_requests::1024
outbound:passthrough:ipv6::default_priority::max_retries::3
outbound:passthrough:ipv6::high_priority::max_connections::1024
outbound:passthrough:ipv6::high_priority::max_pending_requests::1024
outbound:passthrough:ipv6::high_priority::max_requests::1024
outbound:passthrough:ipv6::high_priority::max_retries::3
outbound:passthrough:ipv6::added_via_api::true"
	is "$(grep "$OUT4:$TCP" clusters)" "outbound:passthrough:ipv4::$OUT4:$TCP::cx_active::2
outbound:passthrough:ipv4::$OUT4:$TCP::cx_total::5
outbound:passthrough:ipv4::$OUT4:$TCP::rq_active::2
outbound:passthrough:ipv4::$OUT4:$TCP::hostname::
outbound:passthrough:ipv4::$OUT4:$TCP::health_flags::healthy
outbound:passthrough:ipv4::$OUT4:$TCP::weight::1
outbound:passthrough:ipv4::$OUT4:$TCP::region::
outbound:passthrough:ipv4::$OUT4:$TCP::zone::
outbound:passthrough:ipv4::$OUT4:$TCP::sub_zone::
outbound:passthrough:ipv4::$OUT4:$TCP::canary::false
outbound:passthrough:ipv4::$OUT4:$TCP::priority::0
outbound:passthrough:ipv4::$OUT4:$TCP::success_rate::-1
outbound:passthrough:ipv4::$OUT4:$TCP::local_origin_success_rate::-1"
	has "$(cat clusters)" "outbound:passthrough:ipv6::[$OUT6]:$TCP::cx_total::1"
	get '/clusters?format=json&workload=web' >clusters.json
	is "$(json clusters.json "[c['name'] for c in d['cluster_statuses']]")" \
		"['outbound:passthrough:ipv4', 'outbound:passthrough:ipv6']"
	is "$(json clusters.json "d['cluster_statuses'][0]['circuit_breakers']['thresholds'][0]")" \
		"{'max_connections': 7, 'max_pending_requests': 5, 'max_requests': 1024, 'max_retries': 3}"
	is "$(json clusters.json "d['cluster_statuses'][0]['circuit_breakers']['thresholds'][1]['priority']")" HIGH
	is "$(json clusters.json "sorted((h['address']['socket_address']['port_value'], h['stats'][0]['value'])
		for h in d['cluster_statuses'][0]['host_statuses'])")" "[(9, '1'), ($TCP, '5')]"
}

@test "/workloads, /config_dump and /server_info say what is there and in force" {
	policy false 'tags: {kuma.io/service: front}' >policy.yaml
	patch "name: 'outbound:passthrough:ipv6'" 'connect_timeout: 1500ms' >>policy.yaml
	start_daemon
	is "$(get /workloads)" "web::mesh::default
web::dataplane::web
web::kuma_io_service::front
web::cgroup::$WORK_PATH
web::mode::enforce
web::passthrough::false
web::live::true
web::slot::1"
	get '/workloads?format=json' >w.json
	is "$(json w.json "[(w['name'], w['mode'], w['passthrough'], w['live'], w['cgroup']) for w in d['workloads']]")" \
		"[('web', 'enforce', False, True, '$WORK_PATH')]"
	get /config_dump >c.json
	is "$(json c.json "d['configs'][0]['generation'], [w['name'] for w in d['configs'][0]['workloads']]")" "(1, ['web'])"
	is "$(json c.json "[(c['name'], c['connect_timeout'], c['circuit_breakers']['thresholds'][0]['max_connections'])
		for c in d['configs'][0]['workloads'][0]['clusters']]")" \
		"[('outbound:passthrough:ipv4', '10s', 1024), ('outbound:passthrough:ipv6', '1.500s', 1024)]"
	is "$(json c.json "[p['idle_timeout'] for p in d['configs'][0]['workloads'][0]['tcp_proxies']]")" "['3600s', '3600s']"
	# in audit mode no timeout acts
	sed -i '/^cgroup: /a mode: audit' policy.yaml
	kill -HUP "$DAEMON"
	wait_for 10 says 1 "generation 2 in force"
	get /config_dump >c.json
	is "$(json c.json "[(w['mode'], w['clusters'][0].get('connect_timeout')) for w in d['configs'][0]['workloads']]")" \
		"[('audit', None)]"
	get /server_info >s.json
	is "$(json s.json "d['state'], d['version'].split('/')[2:]")" "('LIVE', ['Clean', 'RELEASE', 'none'])"
	is "$(json s.json "d['uptime_current_epoch'].lstrip('0123456789')")" s
	is "$(status_code '/workloads?workload=nobody')" 404
	is "$(status_code '/clusters?format=yaml')" 400
	is "$(status_code '/config_dump?format=text')" 400
	is "$(status_code '/workloads?wokload=web')" 400
}

@test "what is asked wrongly gets an error each, and says what is wrong" {
	start_with_tcp
	before=$(held_by_daemon)
	while IFS='|' read -r expected words options; do
		# shellcheck disable=SC2086 # options are words
		is "$words: $(status_code "$words" $options)" "$words: $expected"
		# shellcheck disable=SC2086
		is "$words: $(by_tcp "$words" --output /dev/null --write-out '%{http_code}' $options)" "$words: $expected"
	done <<-'END'
		404|/no_such_path|
		404|/stats/|
		404|/../../etc/passwd|--path-as-is
		405|/stats|--request PUT
		405|/stats|--request POST
		405|/ready|--request DELETE
		405|/ready|--request OPTIONS
		405|/stats|--request FROBNICATE
		400|/stats?filter=(|
		400|/stats?filter=*|
		400|/stats?filter=(.%2b)%2b[%23@]|
		400|/stats?format=yaml|
		400|/stats?type=Counter|
		400|/stats?histogram_buckets=some|
		400|/stats?fliter=x|
		400|/stats?filter=%|
		400|/stats?filter=%00|
		400|/ready?x|
		404|/stats?workload=nobody|
		403|/stats|--header Host:evil.example
		400|/stats|--header Host:
		403|/stats|--header Host:localhost.evil.example:9901
	END
	is "$(get '/stats?filter=(')" "Invalid re2 regex"
	is "$(get '/stats?fliter=x')" "unknown parameter 'fliter'; did you mean 'filter'?"
	is "$(get '/stats?type=x')" "invalid &type= param"
	has "$(get /no_such_path)" "invalid path. admin commands are:"
	has "$(get /no_such_path)" "/stats/prometheus: "
	is "$(get '/stats?workload=nobody')" "no workload called 'nobody'"
	wait_for 10 holds_as_before
}

# curl takes no whole mebibyte; tests/unit/test_http sends one.
@test "a million bytes of headers are refused, and too long a path, and nothing of them is kept" {
	start_with_tcp
	before=$(held_by_daemon)
	python3 -c 'print("X: " + "a" * 1000000)' >header
	is "$(status_code /stats --header @header)" 431
	is "$(by_tcp /stats --header @header --output /dev/null --write-out '%{http_code}')" 431
	is "$(status_code "/$(printf '%0100000d' 0)")" 414
	is "$(get /ready)" LIVE
	wait_for 10 holds_as_before
}

# ask_many COUNT BYTES: that many connections at once which send so many bytes of a request; how often each status came
ask_many() {
	python3 - "$ADMIN" "$@" <<-'END'
		import collections, resource, socket, sys
		path, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		resource.setrlimit(resource.RLIMIT_NOFILE, (count + 64, max(count + 64, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
		request = b"GET /stats?usedonly HTTP/1.1\r\nHost: localhost\r\n\r\n"
		sockets = []
		for _ in range(count):
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(60)
		    s.connect(path)
		    s.send(request[:size])
		    sockets.append(s)
		answers = collections.Counter()
		for s in sockets:
		    data = b""
		    while chunk := s.recv(65536):
		        data += chunk
		    answers[data.split(b" ", 2)[1].decode() if data else "nothing"] += 1
		print(*(f"{status}={n}" for status, n in sorted(answers.items())))
	END
}

@test "1,000 at once are all answered, and hold nothing afterwards" {
	start_daemon
	get /ready
	before=$(held_by_daemon)
	many=$(slow_count 1000)
	is "$(ask_many "$many" 1000)" "200=$many"
	wait_for 10 holds_as_before
}

@test "half-open connections end with a 408 each, and keep nobody from asking" {
	start_daemon
	get /ready
	before=$(held_by_daemon)
	many=$(slow_count 600)
	ask_many "$many" 10 >answers 3>&- &
	asking=$!
	sockets_are_open() { [ "$(held_by_daemon)" -gt $((before + (many < 200 ? many : 200) / 2)) ]; }
	wait_for 10 sockets_are_open
	is "$(get /ready)" LIVE
	# and the daemon does its work meanwhile
	policy false >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 10 says 1 "generation 2 in force"
	wait "$asking"
	is "$(cat answers)" "408=$many"
	wait_for 10 holds_as_before
}

@test "eight who ask for a scrape and take nothing of it keep nobody from scraping" {
	policy true | sed 's|cgroup: .*|&/*|' >policy.yaml
	# So many that no scrape fits into a socket's buffers.
	mkdir "$WORK"/{1..30}
	start_daemon
	python3 -IS - "$ADMIN" >asked 3>&- <<-'END' &
		import signal, socket, sys
		held = [socket.socket(socket.AF_UNIX) for _ in range(8)]
		for each in held:
		    each.connect(sys.argv[1])
		    each.sendall(b"GET /stats/prometheus HTTP/1.1\r\nHost: localhost\r\n\r\n")
		    each.recv(1)
		print("asked", flush=True)
		signal.pause()
	END
	asking=$!
	wait_for 20 grep -q asked asked
	scrapes() { [ "$(status_code /stats/prometheus)" = 200 ]; }
	wait_for 10 scrapes
	is "$(grep -c '^envoy_server_live{' body)" 30
}

@test "promtool finds nothing wrong in a scrape but what Envoy's names are" {
	command -v promtool >/dev/null || skip "promtool (package prometheus) is not here"
	start_daemon
	connect_some
	get /stats/prometheus >scrape
	run promtool check metrics <scrape
	hasnt "$output" "error while linting"
	is "$(grep -v '^envoy_' <<<"$output")" ""
	# what it complains of in Envoy's own: HELP, _total and units
	is "$(grep -vE 'no help text|counter metrics should have "_total" suffix|should not contain abbreviated units' <<<"$output")" ""
	grep -q "^envoy_server_live{mesh=\"default\",dataplane=\"web\",kuma_io_service=\"web\",workload=\"web\"} 1" scrape
	grep -q '^# HELP egressd_verdicts_total ' scrape
	get '/stats?format=prometheus&usedonly' >used
	grep -q upstream_cx_total used
	is "$(grep -c upstream_cx_overflow used)" 0
}

# promql QUERY: the value of a query with one result
promql() {
	outside "${CURL[@]}" --get --data-urlencode "query=$1" "http://127.0.0.1:9090/api/v1/query" >promql.json
	json promql.json "d['data']['result'][0]['value'][1]" 2>/dev/null
}

scraped() { # scraped QUERY VALUE
	[ "$(promql "$1")" = "$2" ]
}

@test "egressctl prints the same scrape from the pins, with the agent dead too" {
	start_daemon
	connect_some
	get /stats/prometheus >scrape
	"$EGRESSCTL" stats --format prometheus >printed
	is "$(without_moving printed)" "$(without_moving scrape)"
	get '/stats?format=prometheus&workload=web&filter=pass_through' >scrape
	kill_daemon
	"$EGRESSCTL" stats --format prometheus --filter pass_through web >printed
	cmp printed scrape
	"$EGRESSCTL" stats --format prometheus >printed
	grep -q '^egressd_agent_running 0$' printed
	grep -q '^envoy_server_live{.*workload="web"} 1$' printed
}

@test "totals do not go backwards when a workload goes, and its series ends" {
	policy true | sed 's|cgroup: .*|&/*|' >policy.yaml
	mkdir "$WORK/a" "$WORK/b"
	start_daemon
	is "$(within "$WORK/a" "$CLIENT" repeat tcp $OUT4 $TCP 3 1)" "ok 3"
	is "$(within "$WORK/b" "$CLIENT" repeat tcp $OUT4 $TCP 4 1)" "ok 4"
	rmdir "$WORK/a"
	wait_for 10 says 1 "web:a: no longer enforced"
	is "$(get "/stats?filter=$CLUSTER.upstream_cx_total")" "$CLUSTER.upstream_cx_total: 7"
	get '/stats/prometheus?filter=ipv4.upstream_cx_total' >scrape
	is "$(grep -c '^envoy_cluster_upstream_cx_total' scrape)" 1
	grep -q '^envoy_cluster_upstream_cx_total{.*workload="web:b"} 4$' scrape
	grep -q '^egressd_retired_cluster_upstream_cx_total{envoy_cluster_name="outbound_passthrough_ipv4"} 3$' scrape
	is "$(get '/stats/prometheus?filter=workloads_retired' | tail -n 2)" "egressd_workloads_retired_total 1"
}

@test "Prometheus scrapes it, and its values are what the clients did" {
	command -v prometheus >/dev/null || skip "prometheus is not here"
	cat >>policy.yaml <<-'END'
		dataplane: web-1
		---
		type: Dataplane
		mesh: default
		name: web-1
		networking:
		  address: 10.91.0.200
		  inbound:
		  - port: 80
		    tags: {kuma.io/service: front}
	END
	start_with_tcp
	connect_some
	cat >prometheus.yml <<-END
		# The time that a scrape may take, too.
		global: {scrape_interval: $((100 * EG_SLOW))ms}
		scrape_configs:
		- job_name: egressd
		  metrics_path: /stats/prometheus
		  static_configs: [{targets: ["$PLACE"]}]
	END
	outside prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --web.listen-address=127.0.0.1:9090 \
		>prometheus.log 2>&1 3>&- &
	prometheus=$!
	disown
	wait_for 30 scraped 'up' 1
	wait_for 10 scraped 'sum(envoy_cluster_upstream_cx_total{envoy_cluster_name="outbound_passthrough_ipv4"})' 4
	wait_for 10 scraped 'envoy_server_live{mesh="default",dataplane="web-1",kuma_io_service="front"}' 1
	wait_for 10 scraped 'egressd_verdicts_total{workload="web",reason="passthrough"}' 5
	wait_for 10 scraped 'sum(envoy_cluster_upstream_cx_connect_ms_count)' 4
	is "$(within "$WORK" "$CLIENT" repeat tcp $OUT4 $TCP 20 1)" "ok 20"
	wait_for 10 scraped 'sum(envoy_cluster_upstream_cx_total)' 25
	wait_for 10 scraped 'egressd_policy_generation' 1
}
