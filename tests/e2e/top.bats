#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# egressctl top: what each workload does a second.

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	start_servers
	IDLE=$EG_CGROUP/idle
	mkdir "$IDLE"
	{
		policy false "allow: [{cidr: $OUT4, port: $TCP}]"
		cat <<-END
			---
			type: Workload
			name: idle
			mesh: default
			cgroup: ${IDLE#"$mount_point"}
		END
	} >policy.yaml
}

teardown() {
	[ -z "${top:-}" ] || kill -KILL $top 2>/dev/null || true
	daemon_teardown
}

# follow_top [ARG...]: at work when this returns; it prints to top.json.
follow_top() {
	"$EGRESSCTL" top --json --interval 100ms "$@" >top.json 2>top.err 3>&- &
	top=$!
	wait_for 10 has_lines top.json 1
}

# sum_of WORKLOAD FIELD: over all lists until now
sum_of() {
	python3 -IS -c 'import json, sys; print(sum(w[sys.argv[2]] for line in open("top.json")
		for w in json.loads(line)["workloads"] if w["workload"] == sys.argv[1]))' "$@"
}

has_sum() { # WORKLOAD FIELD SUM
	[ "$(sum_of "$1" "$2")" -eq "$3" ]
}

@test "what top has listed adds up to what clients did, for each workload, with the agent dead too" {
	start_daemon
	kill_daemon
	within "$WORK" "$CLIENT" tcp $OUT4 $TCP
	follow_top
	for _ in 1 2 3; do
		is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	done
	for _ in 1 2; do
		is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP2)" "errno EPERM"
	done
	wait_for 10 has_sum web allowed 3
	wait_for 10 has_sum web refused 2
	is "$(sum_of idle allowed) $(sum_of idle refused)" "0 0"
	kill -TERM $top
	wait $top
	top=
	is "$(cat top.err)" ""
}

@test "open connections are a gauge of each list, and the busiest workload comes first" {
	start_daemon
	start_holding "$WORK"
	run "$EGRESSCTL" top --count 1 --interval 100ms --json
	is "$status" 0
	echo "$output" >one.json
	is "$(json one.json "[(w['workload'], w['connections'], w['pending'], w['sessions']) for w in d['workloads']]")" \
		"[('web', 1, 0, 0), ('idle', 0, 0, 0)]"
	is "$(json one.json "100 <= d['period_ms'] < 60000")" True
	run "$EGRESSCTL" top --count 2 --interval 100ms web
	is "$status" 0
	is "$(echo "${lines[0]}" | tr -s ' ')" "WORKLOAD ALLOWED/S REFUSED/S CONNECTIONS PENDING SESSIONS RX/S TX/S"
	is "$(echo "${lines[1]}" | awk '{ print $1, $2, $3, $4, $5, $6 }')" "web 0.0 0.0 1 0 0"
	is "${#lines[@]}" 4
}

start_holding() { # DIRECTORY: one connection
	(in_cgroup "$1" nsenter --net="$EG_CLIENT" "$EG_BUILD/tests/lib/holder" silent $OUT4 $TCP 60) >holder.out 3>&- &
	disown
	wait_for 10 grep -q connected holder.out
}

@test "top of a workload that nobody knows says so" {
	start_daemon
	run --separate-stderr "$EGRESSCTL" top nobody
	is "$status" 1
	has "$stderr" "no workload called 'nobody'"
}
