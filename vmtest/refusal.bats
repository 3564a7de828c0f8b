#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# On a kernel older than egressd needs: a refusal that says so, and nothing touched.

load ../tests/lib/common
load ../tests/lib/daemon

EGRESSD=$EG_BUILD/egressd

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
	is "$(pgrep egress || true)" ""
}

refused() { # refused STATUS COMMAND...
	run --separate-stderr timeout --kill-after=5 $RUN_LIMIT_S "${@:2}"
	is "$status" "$1"
	is "$output" ""
	has "$stderr" "Linux 6.1 or newer"
	has "$stderr" "and this is $(uname -r)"
}

@test "a run is refused with 125, names the kernel that is needed and does not start the command" {
	refused 125 "$EGRESSCTL" run -- touch started
	[ ! -e started ]
}

@test "a run under a policy is refused alike and writes no report" {
	printf 'type: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n' >p.yaml
	refused 125 "$EGRESSCTL" run --policy p.yaml --report r.json -- touch started
	[ ! -e started ]
	[ ! -e r.json ]
}

@test "the daemon is refused too, and makes no directory of pins" {
	printf 'type: Mesh\nname: default\n---\ntype: Workload\nname: web\nmesh: default\ncgroup: /nowhere\n' >p.yaml
	refused 1 "$EGRESSD" --policy p.yaml
}

@test "the daemon ends with 1, names the kernel that is needed, and has pinned and enrolled nothing" {
	mkdir "$(own_cgroup)/web"
	state >before
	cat >p.yaml <<-END
		type: Mesh
		name: default
		networking: {outbound: {passthrough: false}}
		---
		type: Workload
		name: web
		mesh: default
		cgroup: /web
	END
	"$EGRESSCTL" check p.yaml
	refused 1 "$EGRESSD" --policy p.yaml
	diff before <(state)
	rmdir "$(own_cgroup)/web"
	state >before
	run "$EGRESSCTL" status
	is "$status" 1
	has "$output" "nothing is pinned"
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
