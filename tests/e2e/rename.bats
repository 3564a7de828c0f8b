#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# A cgroup whose Workload gets another name goes on being enforced, by the very same links, and every
# count is found under one of its names.

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	CONNECTING=()
}

teardown() {
	daemon_teardown
}

# workload NAME PATH [LINE...]: a document more, for a cgroup below the test's own.
workload() {
	printf -- '---\ntype: Workload\nname: %s\nmesh: default\ncgroup: %s\n' "$1" "$WORK_PATH$2"
	[ $# -eq 2 ] || printf '%s\n' "${@:3}"
}

# mesh_and: a mesh with passthrough off, and the workloads of standard input.
mesh_and() {
	printf 'type: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n'
	cat
}

# reload: takes the file policy.yaml.new; returns when it is in force.
reload() {
	local before
	before=$(grep -c 'in force' daemon.log) || true
	mv policy.yaml.new policy.yaml
	kill -HUP "$DAEMON"
	wait_for 10 says $((before + 1)) "in force"
}

# links: the ids of the links on the test's cgroups
links() {
	local cgroup
	cgroup=$(stat -c %i "$1")
	cgroup_links | awk -v cgroup="$cgroup" '$2 == cgroup { print $1 }'
}

# start_connecting NAME DIRECTORY ADDRESS: UDP connects until finish_connecting(), their answers in NAME.out
start_connecting() {
	start_watching "$2" "$1.out" udp "$3" $UDP
	CONNECTING+=("$watcher")
}

finish_connecting() {
	local pid
	for pid in "${CONNECTING[@]}"; do
		stop_watching "$pid"
	done
	CONNECTING=()
}

# all_answered NAME ADDRESS ANSWER: no other came; how often is in $answered
all_answered() {
	is "$(cut -d ' ' -f 1-3 "$1.out")" "$2 $UDP $3"
	answered=$(answers "$3" "$1.out")
}

@test "a workload that is renamed all the time, with kills between, is enforced at every moment and loses no count" {
	local before round rounds
	rounds=$(($(slow_count 60) > 12 ? $(slow_count 60) : 12))
	workload web0 "" "allow: [{cidr: $MESH4}]" | mesh_and >policy.yaml
	start_daemon
	before=$(links "$WORK")
	start_connecting blocked "$WORK" $OUT4
	start_connecting allowed "$WORK" $MESH4
	for ((round = 1; round <= rounds; round++)); do
		workload web$round "" "allow: [{cidr: $MESH4}]" | mesh_and >policy.yaml.new
		if [ $((round % 3)) -eq 0 ]; then
			mv policy.yaml.new policy.yaml
			kill -HUP "$DAEMON"
			kill_daemon
			start_daemon
		else
			reload
		fi
	done
	finish_connecting
	is "$(links "$WORK")" "$before"
	all_answered blocked $OUT4 EPERM
	is "$(counted all ipv4.verdicts.blocked_passthrough_off)" "$answered"
	all_answered allowed $MESH4 ok
	is "$(counted all ipv4.verdicts.matched)" "$answered"
	is "$(counted all ipv4.verdicts.blocked_no_policy)" 0
	# what the last name does not have, the old ones had
	is $(($(counted web$rounds ipv4.verdicts.matched) + $(counted retired ipv4.verdicts.matched))) "$answered"
	is "$(counted in-use)" 1
}

# cluster SLOT-NAME: total and ended connections of the IPv4 cluster
cluster() {
	echo "$(counted "$1" ipv4.cluster.cx_total)" \
		$(($(counted "$1" ipv4.cluster.closed_local) + $(counted "$1" ipv4.cluster.closed_remote)))
}

counts() { # counts SLOT-NAME OPENED CLOSED
	[ "$(cluster "$1")" = "$2 $3" ]
}

@test "a connection that is open while its workload is renamed is the new name's, one that had ended the old one's" {
	start_servers
	workload web "" "allow: [{cidr: $MESH4}]" | mesh_and >policy.yaml
	start_daemon
	is "$(within "$WORK" "$CLIENT" tcp $MESH4 $TCP)" ok
	mkfifo hold
	(within "$WORK" python3 -c "
import socket
s = socket.create_connection(('$MESH4', $TCP))
print('connected', flush=True)
open('hold').read()" >held.out 3>&-) &
	wait_for 10 grep -q connected held.out
	wait_for 10 counts web 2 1
	workload other "" "allow: [{cidr: $MESH4}]" | mesh_and >policy.yaml.new
	reload
	is "$(cluster other)" "1 0"
	is "$(cluster retired)" "1 1"
	: >hold
	wait $!
	wait_for 10 counts other 1 1
	is "$(cluster retired)" "1 1"
}

@test "from a literal path to a glob, to another glob and back a cgroup keeps its links, and each name its own counts" {
	local before round
	mkdir "$WORK/a"
	workload web /a | mesh_and >policy.yaml
	start_daemon
	before=$(links "$WORK/a")
	start_connecting blocked "$WORK/a" $OUT4
	for round in {1..10}; do
		workload pods '/*' | mesh_and >policy.yaml.new
		reload
		workload others '/[a-c]' | mesh_and >policy.yaml.new
		reload
		workload web /a | mesh_and >policy.yaml.new
		reload
	done
	finish_connecting
	wait_for 5 says 10 "others:a: is web now"
	is "$(links "$WORK/a")" "$before"
	all_answered blocked $OUT4 EPERM
	is "$(counted all ipv4.verdicts.blocked_passthrough_off)" "$answered"
	is "$(counted free ipv4.verdicts.blocked_passthrough_off)" 0
}

@test "from a cgroup to those below it and back there is no moment without enforcement, and nothing allowed is refused" {
	local round
	mkdir "$WORK/a" "$WORK/a/deep"
	workload web "" "allow: [{cidr: $MESH4}]" | mesh_and >policy.yaml
	start_daemon
	start_connecting blocked "$WORK/a/deep" $OUT4
	start_connecting allowed "$WORK/a" $MESH4
	for round in {1..5}; do
		workload web '/*' "allow: [{cidr: $MESH4}]" | mesh_and >policy.yaml.new
		reload
		workload web "" "allow: [{cidr: $MESH4}]" | mesh_and >policy.yaml.new
		reload
		workload web /a "allow: [{cidr: $MESH4}]" | mesh_and >policy.yaml.new
		reload
		workload web "" "allow: [{cidr: $MESH4}]" | mesh_and >policy.yaml.new
		reload
	done
	finish_connecting
	all_answered blocked $OUT4 EPERM
	all_answered allowed $MESH4 ok
	is "$(counted in-use)" 1
	is "$(counted all ipv4.verdicts.blocked_no_policy)" 0
}

@test "two workloads that change places keep their counts, and each cgroup gets the other's rules without a break" {
	mkdir "$WORK/a" "$WORK/b"
	{ workload blue /a "allow: [{cidr: $MESH4}]" && workload green /b; } | mesh_and >policy.yaml
	start_daemon
	is "$(within "$WORK/a" "$CLIENT" repeat udp-connect $MESH4 $UDP 3 1)" "ok 3"
	is "$(within "$WORK/b" "$CLIENT" repeat udp-connect $MESH4 $UDP 5 1)" "EPERM 5"
	start_connecting a "$WORK/a" $OUT4
	start_connecting b "$WORK/b" $OUT4
	for round in {1..10}; do
		{ workload blue /b "allow: [{cidr: $MESH4}]" && workload green /a; } | mesh_and >policy.yaml.new
		reload
		is "$(within "$WORK/a" "$CLIENT" udp-connect $MESH4 $UDP)" "errno EPERM"
		is "$(within "$WORK/b" "$CLIENT" udp-connect $MESH4 $UDP)" ok
		{ workload blue /a "allow: [{cidr: $MESH4}]" && workload green /b; } | mesh_and >policy.yaml.new
		reload
	done
	finish_connecting
	all_answered a $OUT4 EPERM
	both=$answered
	all_answered b $OUT4 EPERM
	both=$((both + answered))
	is "$(counted blue ipv4.verdicts.matched)" 13
	is $(($(counted blue ipv4.verdicts.blocked_passthrough_off) + $(counted green ipv4.verdicts.blocked_passthrough_off))) $((both + 15))
	is "$(counted retired ipv4.verdicts.blocked_passthrough_off)" 0
	is "$(counted in-use)" 2
}

@test "a name that goes to the cgroup of another workload takes its counts along" {
	mkdir "$WORK/a" "$WORK/b"
	{ workload blue /a && workload green /b; } | mesh_and >policy.yaml
	start_daemon
	is "$(within "$WORK/a" "$CLIENT" repeat udp-connect $OUT4 $UDP 3 1)" "EPERM 3"
	is "$(within "$WORK/b" "$CLIENT" repeat udp-connect $OUT4 $UDP 5 1)" "EPERM 5"
	workload blue /b | mesh_and >policy.yaml.new
	reload
	wait_for 5 says 1 "blue: no longer enforced"
	is "$(within "$WORK/a" "$CLIENT" udp-connect $OUT4 $UDP)" ok
	is "$(within "$WORK/b" "$CLIENT" udp-connect $OUT4 $UDP)" "errno EPERM"
	is "$(counted blue ipv4.verdicts.blocked_passthrough_off)" 4
	is "$(counted retired ipv4.verdicts.blocked_passthrough_off)" 5
}
