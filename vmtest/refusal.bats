#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# On a kernel older than egressd needs: a refusal that says so, and nothing touched.

load ../tests/lib/common

# All that a run could leave behind or change.
state() {
	find "$(own_cgroup)" -type d
	cgroup_links
	bpftool prog show
	bpftool map show
	bpf_pins
	cat /proc/self/mountinfo
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	state >before
}

teardown() {
	diff before <(state)
	is "$(pgrep egressctl || true)" ""
}

refused() { # refused COMMAND...
	run --separate-stderr timeout --kill-after=5 $RUN_LIMIT_S "$@"
	is "$status" 125
	is "$output" ""
	has "$stderr" "Linux 6.1 or newer"
}

@test "a run is refused with 125, names the kernel that is needed and does not start the command" {
	refused "$EGRESSCTL" run -- touch started
	[ ! -e started ]
}

@test "a run under a policy is refused alike and writes no report" {
	printf 'type: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n' >p.yaml
	refused "$EGRESSCTL" run --policy p.yaml --report r.json -- touch started
	[ ! -e started ]
	[ ! -e r.json ]
}

@test "wrong usage and a wrong policy are still said to be that" {
	run "$EGRESSCTL" run --no-such-flag -- true
	is "$status" 2
	echo 'type: Mash' >wrong.yaml
	run "$EGRESSCTL" run --policy wrong.yaml -- true
	is "$status" 3
}

@test "check works as on any kernel" {
	printf 'type: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n' >p.yaml
	"$EGRESSCTL" check p.yaml
}
