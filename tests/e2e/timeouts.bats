#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# idle_timeout and max_connection_duration on real connections.

load ../lib/common.bash

HOLDER=$EG_BUILD/tests/lib/holder
PORT=9100

setup() {
	eg_setup
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $OUT4 $PORT
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $OUT6 $PORT
}

teardown() {
	eg_teardown
}

# What the holders said of their ends, without the time, sorted.
ends() {
	grep -v connected "$1" | awk '{ print $1, $2 }' | sort | paste -sd,
}

# between LOW HIGH MODE FILE: how long that holder lived, in ms; on a slow machine later
between() {
	local lived high=$(($1 + ($2 - $1) * EG_SLOW))
	lived=$(awk -v mode="$3" '$1 == mode && NF == 3 { print $3 }' "$4")
	[ -n "$lived" ] && [ "$lived" -ge "$1" ] && [ "$lived" -le "$high" ] && return
	echo "expected $3 to live between $1 and $high ms, not '$lived'" >&2
	return 1
}

statistic() { # statistic FAMILY NAME
	json report.json "d['stats']['tcp.outbound_passthrough_$1.$2']"
}

# outlasting SECONDS: for as long a connection is held that a sweep ought to end before; sweeps come late on a slow machine.
outlasting() {
	awk "BEGIN { print $1 + $EG_SLOW - 1 }"
}

# holders SECONDS MODE...: a command that holds a connection of each mode at once
holders() {
	local seconds=$1 command=
	shift
	for mode in "$@"; do command+="'$HOLDER' $mode $OUT4 $PORT $seconds & "; done
	echo "$command wait"
}

@test "a silent connection dies at idle 2s with ECONNABORTED, one with only keepalives too; a busy one and a UDP session live" {
	ctl run --idle-timeout 2s --report report.json -- sh -c "$(holders "$(outlasting 3.5)" silent busy keepalive udp)" >out
	is "$(ends out)" "busy alive,keepalive ECONNABORTED,silent ECONNABORTED,udp alive"
	between 1900 3400 silent out
	between 1900 3400 keepalive out
	is "$(statistic ipv4 idle_timeout)" 2
	is "$(json report.json "d['stats']['cluster.outbound_passthrough_ipv4.upstream_cx_destroy']")" 3
	is "$(json report.json "d['stats']['cluster.outbound_passthrough_ipv4.upstream_cx_active']")" 0
}

@test "values below a second work, and 0 ends nothing" {
	ctl run --idle-timeout 300ms --report report.json -- "$HOLDER" silent $OUT4 $PORT "$(outlasting 3)" >out
	is "$(ends out)" "silent ECONNABORTED"
	between 250 2500 silent out
	is "$(statistic ipv4 idle_timeout)" 1
	ctl run --idle-timeout 0 --max-connection-duration 0 --report report.json -- "$HOLDER" silent $OUT4 $PORT 1.5 >out
	is "$(ends out)" "silent alive"
	is "$(statistic ipv4 idle_timeout)" 0
}

@test "a connection dies at its greatest duration, busy or not, IPv6 in statistics of its own" {
	ctl run --max-connection-duration 1s --report report.json -- \
		sh -c "'$HOLDER' busy $OUT6 $PORT $(outlasting 3) & $(holders "$(outlasting 3)" busy silent)" >out
	is "$(ends out)" "busy ECONNABORTED,busy ECONNABORTED,silent ECONNABORTED"
	between 900 2500 silent out
	is "$(statistic ipv4 max_downstream_connection_duration)" 2
	is "$(statistic ipv6 max_downstream_connection_duration)" 1
	is "$(statistic ipv4 idle_timeout) $(statistic ipv6 idle_timeout)" "0 0"
}

@test "what is sent again to a dead peer is no activity" {
	mkfifo go
	exec 4<>go
	ctl run --idle-timeout 1500ms --report report.json -- "$HOLDER" once $OUT4 $PORT "$(outlasting 5)" <go >out 3>&- 4>&- &
	wait_for 10 grep -q connected out
	# From now on the peer's answers go nowhere.
	ip -n "$EG_NAME-s" route add blackhole $OWN4/32
	echo >&4
	wait $!
	is "$(ends out)" "once ECONNABORTED"
	between 1400 4000 once out
	is "$(statistic ipv4 idle_timeout)" 1
	is "$(json report.json "d['stats']['cluster.outbound_passthrough_ipv4.upstream_cx_tx_bytes_total']")" 1
}

@test "connections that end by themselves while sweeps end them are each counted once" {
	# Lives of 0.1 to 1 s: some end before the timeout, some by it, some just when a sweep looks at them. Where a sweep
	# takes its time, half of them wait for it.
	lives=$(seq "$(slow_count 200)" | awk -v slow="$EG_SLOW" '{ print (100 + $1 * 37 % 900) * ($1 % 2 ? 1 : slow) / 1000 }')
	ctl run --idle-timeout 300ms --report report.json -- sh -c "
		for life in $(paste -sd ' ' <<<"$lives"); do '$HOLDER' silent $OUT4 $PORT \$life & done; wait" >out
	is "$(json report.json "[d['stats']['cluster.outbound_passthrough_ipv4.upstream_cx_' + n]
		for n in ('total', 'active', 'destroy')]")" "[$(slow_count 200), 0, $(slow_count 200)]"
	aborted=$(grep -c ECONNABORTED out)
	[ "$aborted" -gt 0 ] && [ "$(statistic ipv4 idle_timeout)" -ge "$aborted" ]
}

@test "a connection in another network namespace than egressctl's dies too" {
	ctl run --idle-timeout 500ms --report report.json -- \
		unshare --net sh -c "ip link set lo up; ip addr add 198.51.100.1/32 dev lo
			'$HOLDER' listen 198.51.100.1 $PORT >ready &
			until grep -q ready ready; do :; done
			'$HOLDER' silent 198.51.100.1 $PORT $(outlasting 3); kill \$!" >out
	is "$(ends out)" "silent ECONNABORTED"
	is "$(statistic ipv4 idle_timeout)" 1
}

@test "payload of a connection that is still open is in the report, each byte once" {
	ctl run --report report.json -- sh -c "echo | '$HOLDER' once $OUT4 $PORT 60 & '$HOLDER' silent $OUT4 $PORT 1.5" >out
	is "$(json report.json "d['stats']['cluster.outbound_passthrough_ipv4.upstream_cx_tx_bytes_total']")" 1
}
