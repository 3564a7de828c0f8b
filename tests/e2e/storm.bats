#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# No place is lost and none is given back twice, whatever happens at the same time.

load ../lib/common
load ../lib/daemon
load ../lib/storm

# EG_STORM_OPERATIONS=1000000 for the large one; EG_STORM_SEED for another.
OPERATIONS=${EG_STORM_OPERATIONS:-$(slow_count 100000)}
SEED=${EG_STORM_SEED:-1}

setup() {
	storm_setup
}

teardown() {
	daemon_teardown
}

@test "after a storm, with the agent killed ten times in it, nothing is held and everything is accounted for" {
	local tenth
	stormy_policy >policy.yaml
	start_daemon
	start_storm "$WORK" "$OPERATIONS" "$SEED" storm.out
	for tenth in 0 1 2 3 4 5 6 7 8 9; do
		wait_for 600 grep -q "^tenth $tenth" storm.out || { cat storm.out.err >&2; return 1; }
		kill_daemon
		start_daemon
	done
	finish_storm storm.out
	has_of_everything ipv4
	has_of_everything ipv6
}
