#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# stats --follow and clusters --follow: what changes, and nothing else.

load ../lib/common
load ../lib/daemon

CX_TOTAL=cluster.outbound_passthrough_ipv4.upstream_cx_total

setup() {
	daemon_setup
	start_servers
	policy true >policy.yaml
}

teardown() {
	daemon_teardown
}

# follow COMMAND...: of egressctl; it prints to `followed`. daemon_teardown ends it.
follow() {
	"$EGRESSCTL" "$@" >followed 2>follow.err 3>&- &
	follower=$!
}

end_following() {
	kill -TERM $follower
	wait $follower
	follower=
	is "$(cat follow.err)" ""
}

has_line() {
	grep -qxF -- "$1" followed
}

connect_once() {
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
}

@test "stats --follow prints all lines and then those that change, with the agent dead too" {
	start_daemon
	kill_daemon
	follow stats --follow --filter "upstream_cx_(total|overflow)$" web
	wait_for 10 has_line "$CX_TOTAL: 0"
	connect_once
	wait_for 10 has_line "$CX_TOTAL: 1"
	connect_once
	wait_for 10 has_line "$CX_TOTAL: 2"
	end_following
	is "$(sort followed)" "cluster.outbound_passthrough_ipv4.upstream_cx_overflow: 0
$CX_TOTAL: 0
$CX_TOTAL: 1
$CX_TOTAL: 2
cluster.outbound_passthrough_ipv6.upstream_cx_overflow: 0
cluster.outbound_passthrough_ipv6.upstream_cx_total: 0"
}

has_total() {
	[ -s followed ] && tail -n 1 followed >last.json &&
		[ "$(json last.json "{s['name']: s['value'] for s in d['stats']}['$CX_TOTAL']")" = "$1" ]
}

@test "stats --follow --json prints an object a line, when something in it has changed" {
	start_daemon
	follow stats --follow --json --filter "upstream_cx_total$" web
	wait_for 10 has_total 0
	connect_once
	wait_for 10 has_total 1
	end_following
	is "$(wc -l <followed)" 2
}

@test "clusters --follow prints a host once it is one" {
	start_daemon
	follow clusters --follow web
	wait_for 10 has_line "outbound:passthrough:ipv4::added_via_api::true"
	hasnt "$(cat followed)" "$OUT4"
	connect_once
	wait_for 10 has_line "outbound:passthrough:ipv4::$OUT4:$TCP::cx_total::1"
	end_following
	is "$(grep -c added_via_api followed)" 2
}
