#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The daemon's sweeps, and what status says of them and of leases, with and without it.

load ../lib/common
load ../lib/daemon

HOLDER=$EG_BUILD/tests/lib/holder
PORT=9100

setup() {
	daemon_setup
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $OUT4 $PORT
}

teardown() {
	daemon_teardown
}

# limits IDLE [MAX-CONNECTIONS]: a policy with passthrough, and these for IPv4
limits() {
	policy true
	patch 'name: "outbound:passthrough:ipv4"' "circuit_breakers: {thresholds: [{max_connections: ${2:-1024}}]}"
	idle_patch "$1"
}

# hold MODE SECONDS [ADDRESS]: in the workload, in the background; what it says is in MODE.out
hold() {
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" "$HOLDER" "$1" "${3:-$OUT4}" $PORT "$2") >"$1.out" 3>&- &
	disown
	wait_for 10 grep -q connected "$1.out"
}

# One that a process took out of its namespace, which nothing leads to from then on.
stray() {
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" bash -c \
		'exec 5<>"/dev/tcp/$1/$2" && echo connected && exec nsenter --net="$3" sleep 300' bash $OUT4 $PORT "/proc/$$/ns/net") \
		>stray.out 3>&- &
	disown
	wait_for 10 grep -q connected stray.out
	ip netns del "$EG_NAME-c"
	# The name is taken away by teardown.
	ip netns add "$EG_NAME-c"
}

is_unreachable() { # COUNT
	[ "$(status_of "d['sweep']['unreachable']")" -eq "$1" ]
}

counter() { # NAME
	"$EGRESSCTL" stats web | sed -n "s/^$1: //p"
}

@test "an idle connection of a workload is ended and counted once, a busy one is not" {
	limits 1s >policy.yaml
	start_daemon
	hold busy 4
	hold silent 60
	is "$(end_of silent)" ECONNABORTED
	is "$(end_of busy)" alive
	is "$(counter tcp.outbound_passthrough_ipv4.idle_timeout)" 1
	# A tenth of the timeout, or more where a sweep is costly.
	is "$(status_of "d['sweep']['destroyed'], d['sweep']['unreachable'], d['sweep']['period_ms'] >= 100")" "(1, 0, True)"
	has "$("$EGRESSCTL" status)" "1 connections ended; every "
}

@test "an overdue connection in a namespace that nothing leads to lives on, and status says so until it has ended" {
	limits 1s >policy.yaml
	start_daemon
	stray
	wait_for 20 is_unreachable 1
	is "$(status_of "d['sweep']['destroyed']")" 0
	is "$(counter cluster.outbound_passthrough_ipv4.upstream_cx_active)" 1
	has "$("$EGRESSCTL" status)" "1 connections are over their timeouts and could not be destroyed"
	has "$(status_of "[n['remedy'] for n in d['not_enforced']]")" "keep a process in the namespace, or a name for it"
	says 1 "sweep: 1 overdue connections live on"
	says 1 "no process and no name in /run/netns leads to it"
	echo 1 >"$WORK/cgroup.kill"
	wait_for 20 is_unreachable 0
	hasnt "$("$EGRESSCTL" status)" "could not be destroyed"
	is "$(counter cluster.outbound_passthrough_ipv4.upstream_cx_active)" 0
}

@test "a timeout that changes holds for connections that are open, and a lowered limit closes none" {
	limits 1h >policy.yaml
	start_daemon
	hold silent 60
	hold keepalive 60
	is "$(counter cluster.outbound_passthrough_ipv4.upstream_cx_active)" 2
	limits 1h 1 >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 10 says 1 "generation 2 in force"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $PORT)" "errno ECONNREFUSED"
	is "$(counter cluster.outbound_passthrough_ipv4.upstream_cx_active)" 2
	limits 500ms >policy.yaml
	kill -HUP "$DAEMON"
	is "$(end_of silent) $(end_of keepalive)" "ECONNABORTED ECONNABORTED"
	is "$(counter tcp.outbound_passthrough_ipv4.idle_timeout)" 2
	is "$(counter cluster.outbound_passthrough_ipv4.upstream_cx_active)" 0
}

@test "with the agent dead timeouts stand still and status says so; leases are counted against the gauges" {
	limits 1s >policy.yaml
	start_daemon
	kill_daemon
	hold silent 60
	hold udp 60
	is "$(status_of "d['audit']['leases'], d['audit']['gauges'], d['audit']['agrees']")" "(2, 2, True)"
	has "$("$EGRESSCTL" status)" "audit       2 leases = 2 by the gauges"
	is "$("$EGRESSCTL" stats web | sed -n 's/^egressd.audit_//p' | paste -sd ' ')" "agrees: 1 gauges: 2 leases: 2"
	has "$("$EGRESSCTL" status)" "timeouts of open connections stand still"
	has "$(status_of "[n['what'] for n in d['not_enforced']]")" "idle_timeout and max_connection_duration end nothing"
	# Twice its timeout.
	hold busy 2
	is "$(end_of busy)" alive
	is "$(wc -l <silent.out)" 1
	start_daemon
	is "$(end_of silent)" ECONNABORTED
	is "$(status_of "d['audit']['leases'], d['audit']['agrees']")" "(1, True)"
}

@test "gauges that do not say what is held are found out" {
	limits 1h >policy.yaml
	start_daemon
	hold silent 60
	is "$(status_of "d['audit']['agrees']")" True
	# As nothing of ours does: the slot's counters are zeroed while a connection is open.
	bpftool map update pinned "$PINS/maps/eg_slots" key 1 0 0 0 value \
		$(yes 0 | head -n "$(bpftool -j map show pinned "$PINS/maps/eg_slots" | python3 -c 'import json, sys; print(json.load(sys.stdin)["bytes_value"])')")
	is "$(status_of "d['audit']['leases'], d['audit']['gauges'], d['audit']['agrees']")" "(1, 0, False)"
	has "$("$EGRESSCTL" status)" "1 leases DIFFER FROM 0 by the gauges"
	is "$("$EGRESSCTL" stats | sed -n 's/^egressd.audit_//p' | paste -sd ' ')" "agrees: 0 gauges: 0 leases: 1"
	has "$(status_of "[n['what'] for n in d['not_enforced'] if n.get('workload') == 'web']")" "leases are held and the gauges say 0"
}

@test "connections that are older than the enrolment are shown as uncounted: outbound and non-mesh ones, and no others" {
	policy false "excludeOutboundIPs: [$MESH4]" "gracePeriod: 1h" >policy.yaml
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $MESH4 $PORT
	start_listener "$WORK" "$EG_CLIENT" $OWN4 $PORT
	hold silent 60
	hold busy 60 $MESH4
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" "$HOLDER" keepalive $OWN4 $PORT 60) >inbound.out 3>&- &
	disown
	wait_for 10 grep -q connected inbound.out
	start_daemon
	is "$(status_of "d['workloads'][0]['uncounted'], d['audit']['leases']")" "(1, 0)"
	has "$("$EGRESSCTL" status)" "1 outbound connections are older than the enrolment"
	has "$("$EGRESSCTL" status)" "the policy forbids 1 of them; the first is to $OUT4, port $PORT"
	policy true >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 10 says 1 "generation 2 in force"
	hold keepalive 60
	# Now the one that was exempt is non-mesh too, and counted no more than the first.
	is "$(status_of "d['workloads'][0]['uncounted'], d['audit']['leases']")" "(2, 1)"
	has "$("$EGRESSCTL" status)" "the policy forbids 0 of them"
	remove_cgroup "$WORK"
	mkdir "$WORK"
	is "$(status_of "d['workloads'][0]['uncounted']")" 0
}
