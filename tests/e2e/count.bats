#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What a report counts.

load ../lib/common

setup() {
	eg_setup
	start_servers
}

teardown() {
	eg_teardown
}

@test "with passthrough true each TCP connect counts once in its family's cluster" {
	ctl run --passthrough true --report r.json -- sh -c "
		$CLIENT tcp $OUT4 $TCP; $CLIENT tcp $OUT4 $TCP2; $CLIENT tcp-fastopen $OUT4 $TCP
		$CLIENT tcp $OUT6 $TCP; $CLIENT mptcp $OUT6 $MPTCP"
	is "$(cx r.json ipv4)" "upstream=3 downstream=3 no_route=0"
	is "$(cx r.json ipv6)" "upstream=2 downstream=2 no_route=0"
	is "$(verdicts r.json)" "passthrough=5"
	is "$(json r.json 'd["passthrough"]')" True
}

@test "with passthrough false each refused TCP connect counts as no_route and not upstream" {
	ctl run --passthrough false --report r.json -- sh -c "
		$CLIENT tcp $OUT4 $TCP; $CLIENT tcp-nonblocking $OUT4 $TCP2; $CLIENT tcp $OUT6 $TCP; true"
	is "$(cx r.json ipv4)" "upstream=0 downstream=2 no_route=2"
	is "$(cx r.json ipv6)" "upstream=0 downstream=1 no_route=1"
	is "$(verdicts r.json)" "blocked-passthrough-off=3"
	is "$(json r.json 'd["passthrough"]')" False
}

@test "a mapped address counts as IPv4" {
	ctl run --passthrough true --report r.json -- "$CLIENT" tcp ::ffff:$OUT4 $TCP
	is "$(cx r.json ipv4)" "upstream=1 downstream=1 no_route=0"
	is "$(cx r.json ipv6)" "upstream=0 downstream=0 no_route=0"
	is "$(destinations r.json)" "$OUT4 $TCP tcp ipv4 allowed passthrough 1"
}

@test "a connect that the network refuses was admitted and counts" {
	ctl run --passthrough true --report r.json -- sh -c "$CLIENT tcp $OUT4 9; true"
	is "$(cx r.json ipv4)" "upstream=1 downstream=1 no_route=0"
}

@test "mesh and loopback connects are in no passthrough statistic" {
	ctl run --passthrough true --mesh $MESH4/32 --report r.json -- sh -c "
		$CLIENT tcp $MESH4 $TCP; $CLIENT tcp 127.0.0.1 9; $CLIENT tcp ::1 9; true"
	is "$(cx r.json ipv4)" "upstream=0 downstream=0 no_route=0"
	is "$(cx r.json ipv6)" "upstream=0 downstream=0 no_route=0"
	is "$(verdicts r.json)" "exempt-loopback=2 mesh=1"
	is "$(destinations r.json)" "$MESH4 $TCP tcp ipv4 allowed mesh 1"
}

@test "UDP is in verdicts and destinations and in no cluster statistic" {
	ctl run --passthrough true --report r.json -- sh -c "
		$CLIENT udp-sendto $OUT4 $UDP; $CLIENT udp-connect $OUT6 $UDP"
	is "$(cx r.json ipv4)" "upstream=0 downstream=0 no_route=0"
	is "$(verdicts r.json)" "passthrough=2"
	is "$(destinations r.json)" "$OUT4 $UDP udp ipv4 allowed passthrough 1
$OUT6 $UDP udp ipv6 allowed passthrough 1"
}

@test "an unconnected UDP socket counts each datagram, a connected one its connect" {
	ctl run --passthrough true --report r.json -- sh -c "
		$CLIENT udp-sendmmsg $OUT4 $UDP; $CLIENT repeat udp-sendto $OUT4 $UDP 500 1; $CLIENT udp-connect $OUT4 $TCP"
	is "$(destinations r.json)" "$OUT4 $UDP udp ipv4 allowed passthrough 503
$OUT4 $TCP udp ipv4 allowed passthrough 1"
}

@test "1,000 blocked connects one after another count exactly 1,000" {
	is "$(ctl run --passthrough false --report r.json -- "$CLIENT" repeat tcp $OUT4 $TCP 1000 1)" "EPERM 1000"
	is "$(cx r.json ipv4)" "upstream=0 downstream=1000 no_route=1000"
	is "$(destinations r.json)" "$OUT4 $TCP tcp ipv4 blocked blocked-passthrough-off 1000"
	arrived_exactly 0 tcp $OUT4 $TCP
}

@test "4 threads of 5,000 blocked connects each count exactly 20,000" {
	is "$(ctl run --passthrough false --report r.json -- "$CLIENT" repeat tcp $OUT6 $TCP 5000 4)" "EPERM 20000"
	is "$(cx r.json ipv6)" "upstream=0 downstream=20000 no_route=20000"
	is "$(verdicts r.json)" "blocked-passthrough-off=20000"
	is "$(destinations r.json)" "$OUT6 $TCP tcp ipv6 blocked blocked-passthrough-off 20000"
}

@test "4 threads of 1,000 allowed connects each count exactly 4,000, and 4,000 arrive" {
	is "$(ctl run --passthrough true --report r.json -- "$CLIENT" repeat tcp $OUT4 $TCP 1000 4)" "ok 4000"
	is "$(cx r.json ipv4)" "upstream=4000 downstream=4000 no_route=0"
	arrived_exactly 4000 tcp $OUT4 $TCP
}

@test "a destination has its own entry for each address, port and protocol" {
	ctl run --passthrough false --mesh $MESH4/32 --report r.json -- sh -c "
		$CLIENT tcp $OUT4 $TCP; $CLIENT tcp $OUT4 $TCP; $CLIENT tcp $OUT4 $TCP2; $CLIENT udp-sendto $OUT4 $TCP
		$CLIENT tcp $OUT6 $TCP; $CLIENT tcp $MESH4 $TCP; true"
	is "$(destinations r.json)" "$MESH4 $TCP tcp ipv4 allowed mesh 1
$OUT4 $TCP tcp ipv4 blocked blocked-passthrough-off 2
$OUT4 $TCP udp ipv4 blocked blocked-passthrough-off 1
$OUT4 $TCP2 tcp ipv4 blocked blocked-passthrough-off 1
$OUT6 $TCP tcp ipv6 blocked blocked-passthrough-off 1"
}

@test "a destination names the command and the process that was seen first" {
	ctl run --passthrough false --report r.json -- sh -c "$CLIENT tcp $OUT4 $TCP & echo \$! >pid; wait"
	is "$(json r.json 'd["destinations"][0]["comm"]')" client
	is "$(json r.json 'd["destinations"][0]["pid"]')" "$(cat pid)"
}

@test "statistics that are zero are in the report, for both families" {
	ctl run --report r.json -- true
	is "$(cx r.json ipv4)" "upstream=0 downstream=0 no_route=0"
	is "$(cx r.json ipv6)" "upstream=0 downstream=0 no_route=0"
	is "$(json r.json 'd["destinations"]')" "[]"
}

@test "the report says whose it is" {
	ctl run --report r.json -- "$CLIENT" tcp 127.0.0.1 9 || true
	is "$(json r.json 'd["workload"], d["mesh"], d["passthrough"]')" "('client', 'default', True)"
}

@test "a report's statistics are numbers under dotted names, and its histograms stand apart" {
	ctl run --report r.json -- true
	is "$(json r.json "all(type(v) is int for v in d['stats'].values())")" True
	is "$(json r.json "sorted(d['histograms']) == sorted('cluster.outbound_passthrough_%s.upstream_cx_%s_ms' % (f, h)
		for f in ('ipv4', 'ipv6') for h in ('connect', 'length'))")" True
	is "$(json r.json "d['stats']['cluster.outbound_passthrough_ipv4.circuit_breakers.default.remaining_cx']")" 1024
	is "$(json r.json "d['stats']['cluster.outbound_passthrough_ipv6.circuit_breakers.default.remaining_retries']")" 3
	# no zeros that nobody counts
	hasnt "$(cat r.json)" cx_pool_open
	hasnt "$(cat r.json)" circuit_breakers.high
}

@test "a report replaces an older file whole" {
	for _ in $(seq 500); do echo "something that is longer than a report would be"; done >r.json
	ln r.json old
	ctl run --report r.json -- true
	is "$(json r.json 'd["workload"]')" true
	# the old content is still under its other name: the file was replaced, not written over
	is "$(head -c 9 old)" something
	is "$(find . -name '*r.json*' | wc -l)" 1
}

@test "a report appears only when the command's cgroup is empty" {
	mkfifo fifo
	start_ctl run --report r.json -- sh -c 'echo started; exec cat fifo'
	wait_for 10 grep -q started run.out
	[ ! -s r.json ]
	echo done >fifo
	finish
	is "$status" 0
	is "$(json r.json 'd["workload"]')" sh
}

@test "a report that cannot be written is said before the command starts" {
	run --separate-stderr ctl run --report no/such/folder/r.json -- touch started
	is "$status" 125
	has "$stderr" no/such/folder/r.json
	[ ! -e started ]
}

@test "a report is written whatever the command's exit status" {
	run ctl run --report r.json -- sh -c 'exit 7'
	is "$status" 7
	is "$(json r.json 'd["workload"]')" sh
	run ctl run --report killed.json -- sh -c 'kill -KILL $$'
	is "$status" 137
	is "$(json killed.json 'd["workload"]')" sh
}
