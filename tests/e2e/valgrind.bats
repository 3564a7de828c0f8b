#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The command line under valgrind: on files, and on what a daemon has pinned.

load ../lib/common
load ../lib/daemon

setup() {
	command -v valgrind >/dev/null || skip "needs valgrind"
	daemon_setup
}

teardown() {
	daemon_teardown
}

# clean ARG...: egressctl makes no mistake with memory, and loses none; its exit status, which is not 99
clean() {
	local r=0
	valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect \
		--errors-for-leak-kinds=definite,indirect --suppressions="$EG_ROOT/tests/lib/valgrind.supp" \
		--log-file=valgrind.log "$EGRESSCTL" "$@" >out 2>err || r=$?
	[ $r = 0 ] || { echo "egressctl $*: $r" && cat err valgrind.log; } >&2
	return $r
}

@test "check and explain of every example, of policies with mistakes and of none" {
	for example in "$EG_ROOT"/user/man/examples/*.yaml "$EG_ROOT"/tests/fixtures/page/*.yaml; do
		clean check "$example"
	done
	policy false 'allow: [{cidr: 10.0.0.0/8, port: 443}]' >policy.yaml
	patch 'name: "outbound:passthrough:ipv4"' 'circuit_breakers: {thresholds: [{max_connections: 7}]}' >>policy.yaml
	clean explain --policy policy.yaml --json web
	clean explain --policy policy.yaml web 10.1.2.3:443
	printf 'type: Mesh\nname: m\nnetworking: {outbound: {passtrough: 1}}\n---\n{' >wrong.yaml
	run clean check wrong.yaml
	is "$status" 3
	run clean check missing.yaml
	is "$status" 3
}

@test "what is asked of a daemon's pins, with workloads, destinations and connections, and without any" {
	run clean status
	is "$status" 1
	start_servers
	policy true >policy.yaml
	start_daemon
	is "$(within "$WORK" "$CLIENT" repeat tcp $OUT4 $TCP 3 1)" "ok 3"
	is "$(within "$WORK" "$CLIENT" udp-connect $OUT6 $UDP)" ok
	clean status
	clean status --json
	clean stats
	clean stats --format json web
	clean stats --format prometheus
	clean clusters
	clean destinations --json
	clean flows
	run clean preflight web
	[ "$status" = 0 ] || [ "$status" = 4 ]
}
