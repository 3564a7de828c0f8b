#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Connections that are open when a policy comes that forbids them: how long they go on,
# how they end, and which are kept.

load ../lib/common
load ../lib/daemon

HOLDER=$EG_BUILD/tests/lib/holder
PORT=9100

# slow SECONDS: as long as it takes here to look whether that time is not over.
slow() {
	echo $(($1 + EG_SLOW - 1))
}

setup() {
	daemon_setup
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $OUT4 $PORT
}

teardown() {
	daemon_teardown
}

# hold NAME MODE [ADDRESS [SECONDS]]: in the workload, in the background; what it says is in NAME.out
hold() {
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" "$HOLDER" "$2" "${3:-$OUT4}" $PORT "${4:-120}") >"$1.out" 3>&- &
	disown
	wait_for 10 grep -q connected "$1.out"
}

# lives NAME...: not one of them has ended
lives() {
	for name; do
		is "$(wc -l <"$name.out")" 1 || return 1
	done
}

# connects [ADDRESS]: what a new connection gets
connects() {
	within "$WORK" "$CLIENT" tcp "${1:-$OUT4}" $PORT
}

waits() { # COUNT
	[ "$(status_of "d['forbidden']['waiting']")" -eq "$1" ]
}

@test "what a policy forbids goes on for the grace period and then gets ECONNABORTED, new connects get EPERM at once" {
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $OUT6 $PORT
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $MESH4 $PORT
	policy true >policy.yaml
	start_daemon
	hold ipv4 busy
	hold ipv6 busy $OUT6
	hold mapped busy ::ffff:$OUT4
	hold udp udp
	hold allowed busy $MESH4
	policy false "gracePeriod: $(slow 3)s" "excludeOutboundIPs: [$MESH4]" >policy.yaml
	change 2
	is "$(connects)" "errno EPERM"
	wait_for 10 waits 4
	lives ipv4 ipv6 mapped udp allowed
	is "$(status_of "0 < d['workloads'][0]['grace_ms'] <= $(slow 3)000")" True
	has "$("$EGRESSCTL" status)" "4 connections that their policy forbids go on"
	is "$(counted web ipv4.verdicts.blocked_guard)" 0
	is "$(end_of ipv4) $(end_of ipv6) $(end_of mapped) $(end_of udp)" "ECONNABORTED ECONNABORTED ECONNABORTED ECONNABORTED"
	lives allowed
	says 1 "policy: web: [$OUT6]:$PORT ("
	says 1 "holder) was open and is forbidden now: ended" 
	says 1 "policy: 4 connections that it forbids were ended"
	is "$(stat_of egressd.ended_by_policy web)" 4
	is "$(stat_of cluster.outbound_passthrough_ipv4.upstream_cx_destroy_local web)" 2
	is "$(status_of "d['audit']['agrees'], d['forbidden']['ended'], d['forbidden']['waiting']")" "(True, 4, 0)"
}

@test "a grace period of 0s ends them at once" {
	policy true >policy.yaml
	start_daemon
	hold silent silent
	policy false "gracePeriod: 0s" >policy.yaml
	change 2
	is "$(end_of silent)" ECONNABORTED
	is "$(status_of "'grace_ms' in d['workloads'][0]")" False
}

@test "a policy that allows them again within the grace period ends nothing" {
	policy true >policy.yaml
	start_daemon
	# Far longer than the grace that is to come: by what it says then it has lived through it.
	hold busy busy $OUT4 $((3 * $(slow 2)))
	policy false "gracePeriod: $(slow 2)s" >policy.yaml
	change 2
	wait_for 10 waits 1
	policy true >policy.yaml
	change 3
	wait_for 10 waits 0
	is "$(end_of busy)" alive
	is "$(stat_of egressd.ended_by_policy web)" 0
}

is_blocked() {
	[ "$(counted web ipv4.verdicts.blocked_guard)" -gt 0 ]
}

@test "with the agent killed the guard drops what they send once their time is over, and the next agent ends them" {
	policy true >policy.yaml
	start_daemon
	hold busy busy
	policy false "gracePeriod: $(slow 2)s" >policy.yaml
	change 2
	kill_daemon
	is "$(counted web ipv4.verdicts.blocked_guard)" 0
	wait_for 20 is_blocked
	lives busy
	has "$(status_of "[n['what'] for n in d['not_enforced']]")" "connections that a policy forbids are not ended"
	start_daemon
	is "$(end_of busy)" ECONNABORTED
	is "$(stat_of egressd.ended_by_policy web)" 1
}

@test "a connection that is older than the enrolment is ended after the grace period, mesh or not, and an accepted one is not" {
	policy false "gracePeriod: 1s" >policy.yaml
	start_listener "$WORK" "$EG_CLIENT" $OWN4 $PORT
	hold older busy
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" "$HOLDER" busy $OWN4 $PORT 120) >inbound.out 3>&- &
	disown
	wait_for 10 grep -q connected inbound.out
	start_daemon
	is "$(end_of older)" ECONNABORTED
	lives inbound
	is "$(stat_of egressd.ended_by_policy web)" 1
	is "$(status_of "d['forbidden']['waiting'], d['workloads'][0]['uncounted']")" "(0, 0)"
}

@test "one in a network namespace that was made inside the workload is ended there" {
	policy true >policy.yaml
	start_daemon
	(in_cgroup "$WORK" unshare --net bash -c "ip link set lo up; ip address add $OUT4/32 dev lo
		'$HOLDER' listen $OUT4 $PORT & until ss -Hltn | grep -q .; do :; done
		exec '$HOLDER' silent $OUT4 $PORT 120") >inside.out 2>inside.err 3>&- &
	disown
	wait_for 10 grep -q connected inside.out || { cat inside.out inside.err; false; }
	policy false "gracePeriod: 1s" >policy.yaml
	change 2
	wait_for 20 grep -q ECONNABORTED inside.out
}

# One that a process took out of its namespace, which nothing leads to from then on.
stray() {
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" bash -c \
		'exec 5<>"/dev/tcp/$1/$2" && echo connected && exec nsenter --net="$3" sh -c "while sleep 0.1; do echo x >&5; done"' \
		bash $OUT4 $PORT "/proc/$$/ns/net") >stray.out 3>&- &
	disown
	wait_for 10 grep -q connected stray.out
	ip netns del "$EG_NAME-c"
	# The name is taken away by teardown.
	ip netns add "$EG_NAME-c"
}

is_unreachable() { # COUNT
	[ "$(status_of "d['forbidden']['unreachable']")" -eq "$1" ]
}

@test "one that nothing leads to is listed and blocked, and a later policy gives it no more time" {
	policy true >policy.yaml
	start_daemon
	stray
	policy false "gracePeriod: 500ms" >policy.yaml
	change 2
	wait_for 20 is_unreachable 1
	says 1 "policy: 1 connections that it forbids could not be ended"
	has "$(status_of "[n['what'] for n in d['not_enforced']]")" "1 connections that their policy forbids could not be ended"
	wait_for 20 is_blocked
	policy false "gracePeriod: 1h" "excludeOutboundIPs: [$MESH4]" >policy.yaml
	change 3
	policy false "gracePeriod: 1h" >policy.yaml
	change 4
	is "$(status_of "d['workloads'][0]['grace_ms'] > 3000000, d['forbidden']['unreachable'], d['forbidden']['waiting']")" \
		"(True, 1, 0)"
	echo 1 >"$WORK/cgroup.kill"
	wait_for 20 is_unreachable 0
}

@test "a connect that a program of another owner lets go on is no older one: its packets are dropped while those have time" {
	policy true >policy.yaml
	start_daemon
	hold busy busy
	policy false "gracePeriod: 1h" >policy.yaml
	change 2
	# Whoever reads from it waits until he is killed.
	mkfifo never
	"$EG_BUILD/tools/attach_empty" "$EG_BUILD/tests/bpf/undo.bpf.o" "$WORK" >undo.log 2>&1 3>&- <>never &
	undo=$!
	wait_for 10 grep -q attached undo.log
	within "$WORK" "$CLIENT" udp-connect $OUT4 $UDP >attempt 2>&1 3>&- || true
	kill $undo
	wait_for 10 is_gone $undo
	has "$(cat attempt)" "errno EPERM"
	is_blocked
	lives busy
}

keeps() { # keeps COUNT
	[ "$(status_of "d['forbidden']['kept']")" -eq "$1" ]
}

@test "kept connections live on and are named, new ones are refused" {
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $MESH4 $PORT
	policy true "excludeOutboundIPs: [$MESH4]" >policy.yaml
	start_daemon
	hold leased busy $OUT4 $((3 * $(slow 3)))
	hold exempt busy $MESH4 $((3 * $(slow 3)))
	hold udp udp $OUT4 $((3 * $(slow 3)))
	policy false "onPolicyChange: keep" >policy.yaml
	change 2
	is "$(connects) $(connects $MESH4)" "errno EPERM errno EPERM"
	wait_for 10 keeps 3
	says 1 "policy: web: $MESH4:$PORT ("
	says 1 "policy: 3 connections that it forbids are kept until they end"
	is "$(status_of "d['forbidden']['waiting']")" 0
	"$EGRESSCTL" flows --json web >flows.json
	is "$(json flows.json "sorted((f['address'], f['protocol'], f['kept']) for f in d['flows'])")" \
		"[('$MESH4', 'tcp', True), ('$OUT4', 'tcp', True), ('$OUT4', 'udp', True)]"
	# Neither the time that the agent had for it nor another policy or agent ends them.
	kill_daemon
	start_daemon
	is "$(end_of leased) $(end_of exempt) $(end_of udp)" "alive alive alive"
	is "$(counted web ipv4.verdicts.blocked_guard)" 0
	is "$(stat_of egressd.ended_by_policy web)" 0
}
