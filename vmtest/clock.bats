#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The clock on the wall is set, which only a machine of the tests' own may do.

load ../tests/lib/common
load ../tests/lib/daemon
load ../tests/lib/chaos

setup() {
	# As vmtest/init unpacks a guest: no other machine's clock is touched.
	[ -e /egressd/vmtest.list ] && [ "$EG_ROOT" = /egressd ] || skip "sets the clock, so only in a guest of make check-vm"
	chaos_setup
}

teardown() {
	daemon_teardown
}

# set_clock SECONDS: so much ahead
set_clock() {
	date --set="@$(($(date +%s) + $1))"
}

@test "a clock that jumps by a day ahead and two back: policies are taken, no counter goes back, no window is shown too short; verdicts stay" {
	start_daemon
	start_connecting
	mkdir "$WORK-other"
	(in_cgroup "$WORK-other" sleep 3600) 3>&- &
	disown
	# Ahead, and back behind the time when all cgroups here were made.
	for jump in 86400 -172800; do
		set_clock $jump
		chaos_policy 192.0.2.$((jump / 86400 + 10)) >policy.yaml
		kill -HUP "$DAEMON"
		wait_for 20 says $((jump > 0 ? 2 : 3)) " in force, "
		is "$(seen)" "running web:a web:b"
		verdicts_hold
		counts_hold
	done
	{ chaos_policy && and_other; } >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "in force, 2 workloads"
	[ "$(status_of "[w['window_ms'] for w in d['workloads'] if w['name'] == 'other'][0]")" -gt 86400000 ]
	kill_daemon
	all_holds_again other
	set_clock 86400
	all_is_accounted_for
}
