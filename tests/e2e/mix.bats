#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# egressd takes one policy after the other: no connect sees a mix of two.
#
# With a second read of the index word put into bpf/decide.bpf.h, this test, on two
# CPUs, found
#   in front of the lookup of the port:         wrong verdicts for 27 of the 80 flows
#   in front of the workload's own rules:       for 5
# What two thousand flips do not find, tests/bpf/test_mix.c finds with a million: a
# second read anywhere else, and the missing wait between the flip and the replay.

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	mkdir "$WORK-a" "$WORK-z"
	for which in 0 1; do
		policies[which]=$("$EG_ROOT/tests/lib/mixable" policy $which "$WORK_PATH")
	done
	printf '%s\n' "${policies[0]}" >policy.yaml
	"$EG_ROOT/tests/lib/mixable" flows | sort >flows
}

teardown() {
	daemon_teardown
}

# reload NUMBER: the policies in turn; every fiftieth time the daemon finds the file by itself.
reload() {
	printf '%s\n' "${policies[$1 % 2]}" >policy.yaml
	[ $(($1 % 50)) -eq 0 ] || kill -HUP "$DAEMON"
	until_said "*policy: generation * in force, *"
}

@test "no connect sees a mix of two policies over two thousand reloads" {
	start_daemon
	follow_log
	mapfile -t destinations < <(awk '{ print $1; print $2 }' flows)
	start_watching "$WORK" seen tcp "${destinations[@]}"
	reloads=$(slow_count 2000)
	for ((round = 1; round <= reloads; round++)); do
		reload $round
	done
	stop_watching $watcher
	echo "# $reloads reloads, $(awk '{ sum += $4 } END { print sum }' seen) connects" >&3
	# More where the daemon found a file by itself before the signal came.
	says $((reloads + 1)) " in force, "
	is "$(awk 'NR == FNR { right[$0]; next } !(($1 " " $2 " " $3) in right)' flows seen)" ""
	is "$(cut -d ' ' -f 1-3 seen | sort)" "$(cat flows)"
}
