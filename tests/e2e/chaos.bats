#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The daemon is killed in front of whatever it does, and what it asks of the kernel fails: verdicts stay, counters add
# up, and what is left is mended by the next start or refused with what to do.
# EG_CHAOS=all tries every system call, not only some spread over all of them.

load ../lib/common
load ../lib/daemon
load ../lib/chaos

setup() {
	chaos_setup
}

teardown() {
	daemon_teardown
}

# start_and_kill CALL NUMBER: a start that ends in front of this call.
start_and_kill() {
	DAEMON_IN=(strace -D -f -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2")
	launch_daemon
	DAEMON_IN=()
	wait_for 30 is_gone_or_in_force
	# It has a little more to do than it says.
	wait_for 1 is_gone "$DAEMON" && killed=$((killed + 1))
	kill_daemon 2>/dev/null || DAEMON=
}

@test "the agent is killed at each change that a first start makes: another start, or uninstall, finishes it" {
	require_strace
	trace_start
	kill_daemon
	"$EGRESSCTL" uninstall >uninstalled
	"$BATS_TEST_DIRNAME/../lib/boundaries" changes "$(chosen 10)" calls >boundaries 2>found
	start_watching "$WORK/a" watched udp $MESH4 $UDP
	killed=0 tried=0
	while read -r call number; do
		tried=$((tried + 1))
		start_and_kill "$call" "$number"
		# What is set up by halves refuses nothing that the policy allows.
		is "$call $number $(ways_of "$WORK/b" $MESH4)" "$call $number ok ok"
		if [ $((tried % 2)) -eq 0 ]; then
			start_daemon
			is "$call $number $(seen)" "$call $number running web:a web:b"
			verdicts_hold
			is "$(counted web:b ipv4.verdicts.blocked_passthrough_off)" 2
			links_hold
			kill_daemon
		fi
		"$EGRESSCTL" uninstall >uninstalled
		[ ! -e "$PINS" ]
		wait_for 10 nothing_left
	done <boundaries
	note 'a first start: %s; killed at %d of %d' "$(<found)" "$killed" "$tried"
	[ "$tried" -gt 0 ]
	[ "$killed" -eq "$tried" ]
	stop_watching "$watcher"
	is "$(cut -d ' ' -f 1-3 watched)" "$MESH4 $UDP ok"
}

@test "the agent is killed at each change that taking over makes: verdicts stay, and the next takes over from it" {
	require_strace
	start_daemon
	start_connecting
	kill_daemon
	trace_start
	kill_daemon
	"$BATS_TEST_DIRNAME/../lib/boundaries" changes "$(chosen 12)" calls >boundaries 2>found
	killed=0 tried=0
	while read -r call number; do
		tried=$((tried + 1))
		start_and_kill "$call" "$number"
		echo "killed before $call $number"
		all_holds_without
		if [ $((tried % 4)) -eq 0 ]; then
			all_holds_again
			kill_daemon
		fi
	done <boundaries
	note 'taking over: %s; killed at %d of %d' "$(<found)" "$killed" "$tried"
	[ "$tried" -gt 0 ]
	[ "$killed" -eq "$tried" ]
	all_holds_again
	all_is_accounted_for
}

# ---- what a running daemon does, and how it is seen to be done

other_comes() {
	{ chaos_policy && and_other; } >new.yaml
	mv new.yaml policy.yaml
	kill -HUP "$DAEMON" 2>/dev/null || true
}

other_comes_is_done() {
	says 1 "in force, 2 workloads"
}

other_goes() {
	chaos_policy >new.yaml
	mv new.yaml policy.yaml
	kill -HUP "$DAEMON" 2>/dev/null || true
}

other_goes_is_done() {
	says 1 "other: no longer enforced" && says 1 "in force, 1 workloads"
}

cgroup_comes() {
	mkdir "$WORK/c"
}

cgroup_comes_is_done() {
	says 1 "web:c: enforcing on"
}

cgroup_goes() {
	wait_for 10 is_empty_cgroup "$WORK/c"
	rmdir "$WORK/c"
}

cgroup_goes_is_done() {
	says 1 "web:c: no longer enforced"
}

told_to_stop() {
	kill -TERM "$DAEMON"
}

told_to_stop_is_done() {
	is_gone "$DAEMON"
}

# boundaries_of ACTION COUNT: into ACTION.boundaries
boundaries_of() {
	trace_action "$1"
	"$BATS_TEST_DIRNAME/../lib/boundaries" changes "$(chosen "$2")" calls >"$1.boundaries" 2>"$1.found"
}

is_gone_or_done() {
	is_gone "$DAEMON" || "$1"
}

# act_and_kill ACTION CALL NUMBER: the daemon is killed in front of this call, or, if it did not come to it, once it is done.
act_and_kill() {
	start_tracing -o traced -e "trace=$2" -e "inject=$2:signal=KILL:when=$3"
	tried=$((tried + 1))
	"$1"
	wait_for 30 is_gone_or_done "$1_is_done"
	wait_for 1 is_gone "$DAEMON" || true
	echo "$1: killed before $2 $3"
	kill_daemon 2>/dev/null || DAEMON=
	stop_tracing
	# In front of the call, and not by us or by itself.
	! grep -q "$2(.* = ?$" traced || killed=$((killed + 1))
}

# act_at I ACTION: killed at the Ith of its boundaries, which start over at the end.
act_at() {
	local all
	mapfile -t all <"$2.boundaries"
	# shellcheck disable=SC2086 # two words
	act_and_kill "$2" ${all[$(($1 % ${#all[@]}))]}
}

# kill_through COMES GOES NAME: at each boundary of the two, in turn; what it is about is NAME in status.
kill_through() {
	local count i
	count=$(($(wc -l <"$1.boundaries") > $(wc -l <"$2.boundaries") ? $(wc -l <"$1.boundaries") : $(wc -l <"$2.boundaries")))
	killed=0 tried=0
	for ((i = 0; i < count; i++)); do
		act_at $i "$1"
		has "$(seen)" "dead web:a web:b"
		verdicts_hold
		counts_hold
		all_holds_again "$3"
		is "$(ways_of "$4" $OUT4)" "errno EPERM errno EPERM"
		others=$((others + 1))
		act_at $i "$2"
		has "$(seen)" "dead web:a web:b"
		verdicts_hold
		counts_hold
		all_holds_again
	done
	note '%s: %s; %s: %s; killed at %d of %d' "$1" "$(<"$1.found")" "$2" "$(<"$2.found")" "$killed" "$tried"
	[ "$tried" -gt 0 ]
	# A sweep in between moves the count.
	[ "$killed" -ge $((tried * 3 / 4)) ]
}

@test "the agent is killed at each change of a reload that enrols a workload, and of one that lets it go" {
	require_strace
	mkdir "$WORK-other"
	start_daemon
	start_connecting
	boundaries_of other_comes 5
	boundaries_of other_goes 5
	kill_through other_comes other_goes other "$WORK-other"
	all_is_accounted_for
}

@test "the agent is killed at each change while a cgroup is enrolled that has come, and while one is let go" {
	require_strace
	start_daemon
	start_connecting
	boundaries_of cgroup_comes 4
	boundaries_of cgroup_goes 4
	kill_through cgroup_comes cgroup_goes web:c "$WORK/c"
	all_is_accounted_for
}

@test "the agent is killed at each call that it makes after SIGTERM: verdicts stay" {
	require_strace
	start_daemon
	start_connecting
	trace_action told_to_stop
	"$BATS_TEST_DIRNAME/../lib/boundaries" calls "$(chosen 2)" calls >boundaries 2>found
	[ -s boundaries ] || echo "unlink 1" >boundaries
	killed=0 tried=0
	start_daemon
	while read -r call number; do
		act_and_kill told_to_stop "$call" "$number"
		all_holds_without
		all_holds_again
	done <boundaries
	note 'after SIGTERM: %s; killed at %d of %d' "$(<found)" "$killed" "$tried"
	[ "$killed" -gt 0 ]
	all_is_accounted_for
}
