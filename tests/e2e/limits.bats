#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Limits that a ProxyTemplate gives to a node's workload, and what a change of them does to open connections.

load ../lib/common
load ../lib/daemon

setup() {
	# A keeper, and a server, of more connections than a process may have by default.
	ulimit -S -n 4096
	daemon_setup
	start_servers
	mkfifo orders answers
	within "$WORK" "$BATS_TEST_DIRNAME/../lib/keeper" <orders >answers 3>&- &
	exec {orders}>orders {answers}<answers
}

teardown() {
	exec {orders}>&- {answers}<&-
	daemon_teardown
}

# limits MAX_CONNECTIONS [FAMILY]: the policy with a template of that limit, for one family or for both.
limits() {
	policy true
	patch "${2:+name: "outbound:passthrough:$2", }origin: transparent" "circuit_breakers: {thresholds: [{max_connections: $1}]}"
}

# order WORD...: what the keeper answers to it.
order() {
	local answer
	echo "$*" >&"$orders"
	read -r -t $((30 * EG_SLOW)) answer <&"$answers" && echo "$answer"
}

@test "the limit of a template holds, a lower one ends nothing, and a higher one admits again at once" {
	limits 3 >policy.yaml
	start_daemon
	is "$(order $OUT4 $TCP) $(order $OUT4 $TCP) $(order $OUT4 $TCP) $(order $OUT4 $TCP)" "ok ok ok ECONNREFUSED"
	limits 1 >policy.yaml
	change 2
	is "$(order whole)" 3
	is "$(order $OUT4 $TCP)" ECONNREFUSED
	is "$(order close) $(order close) $(order $OUT4 $TCP)" "closed closed ECONNREFUSED"
	limits 2 >policy.yaml
	change 3
	is "$(order $OUT4 $TCP) $(order $OUT4 $TCP)" "ok ECONNREFUSED"
	# None of the changes lost or repeated a count.
	is "$(counted web ipv4.cluster.cx_total) $(counted web ipv4.cluster.cx_overflow)" "4 4"
	is "$(order whole)" 2
}

@test "a breaker shows as open from the last connection that it admits on, and by the limit in force" {
	local breaker=cluster.outbound_passthrough_ipv4.circuit_breakers.default
	limits 3 >policy.yaml
	start_daemon
	is "$(order $OUT4 $TCP) $(order $OUT4 $TCP)" "ok ok"
	is "$(stat_of $breaker.cx_open web) $(stat_of $breaker.remaining_cx web)" "0 1"
	is "$(order $OUT4 $TCP)" ok
	is "$(stat_of $breaker.cx_open web) $(stat_of $breaker.remaining_cx web)" "1 0"
	is "$(stat_of cluster.outbound_passthrough_ipv4.upstream_cx_overflow web)" 0
	limits 1 >policy.yaml
	change 2
	is "$(stat_of $breaker.cx_open web) $(stat_of $breaker.remaining_cx web)" "1 0"
	is "$(stat_of cluster.outbound_passthrough_ipv4.upstream_cx_active web)" 3
	limits 9 >policy.yaml
	change 3
	is "$(stat_of $breaker.cx_open web) $(stat_of $breaker.remaining_cx web)" "0 6"
	is "$(stat_of cluster.outbound_passthrough_ipv6.circuit_breakers.default.remaining_cx web)" 9
}

@test "a template for one family leaves the other one its own limit" {
	limits 1 ipv4 >policy.yaml
	start_daemon
	is "$(order $OUT4 $TCP) $(order $OUT4 $TCP)" "ok ECONNREFUSED"
	is "$(order $OUT6 $TCP) $(order $OUT6 $TCP)" "ok ok"
}

@test "a template that is wrong, or goes, leaves the old limits or the defaults" {
	limits 1 >policy.yaml
	start_daemon
	is "$(order $OUT4 $TCP) $(order $OUT4 $TCP)" "ok ECONNREFUSED"
	limits many >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "thresholds[0].maxConnections: must be a whole number"
	is "$(order $OUT4 $TCP)" ECONNREFUSED
	policy true >policy.yaml
	change 2
	is "$(order $OUT4 $TCP) $(order whole)" "ok 2"
}

@test "what the breaker refuses is the Workload's breakerErrno, what is blocked its blockErrno" {
	limits 0 | sed '/^cgroup:/a breakerErrno: EHOSTUNREACH\nblockErrno: EACCES' >policy.yaml
	start_daemon
	is "$(order $OUT4 $TCP) $(order $OUT6 $TCP)" "EHOSTUNREACH EHOSTUNREACH"
	sed -i 's/passthrough: true/passthrough: false/' policy.yaml
	change 2
	is "$(order $OUT4 $TCP) $(order $OUT6 $TCP)" "EACCES EACCES"
}

@test "a cluster that a template removes takes its family's traffic with it, and no other" {
	policy true >policy.yaml
	cat >>policy.yaml <<-END
		---
		type: ProxyTemplate
		name: no-ipv4
		conf: {modifications: [{cluster: {operation: remove, match: {name: "outbound:passthrough:ipv4"}}}]}
	END
	start_daemon
	is "$(order $OUT4 $TCP) $(order $OUT6 $TCP)" "EPERM ok"
}

@test "a workload that is let go is held to no default on the way out" {
	limits 5000 >policy.yaml
	start_daemon
	# More than the default admits: one connect under the default would be refused.
	for ((held = 0; held < 1030; held++)); do
		is "$(order $OUT4 $TCP)" ok
	done
	# No route leads there.
	start_watching "$WORK" load tcp 192.0.2.9 9
	policy true | sed "s|cgroup: .*|cgroup: $WORK_PATH-elsewhere|; s/name: web/name: other/" >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "web: no longer enforced"
	stop_watching $watcher
	[ "$(answers ENETUNREACH load)" -gt 0 ]
	is "$(answers ECONNREFUSED load)" 0
	is "$(order whole)" 1030
}
