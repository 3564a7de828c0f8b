#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# egressd with many cgroups, and with cgroups that come and go faster than it can follow.
# What it costs is printed, what it does is asserted.

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	LONE=$EG_CGROUP/lone
	mkdir "$LONE"
}

teardown() {
	daemon_teardown
}

# crowd PASSTHROUGH: `web` on all that is directly below $WORK, and `lone` on one literal path.
crowd() {
	policy "$1" | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|"
	printf -- '---\ntype: Workload\nname: lone\nmesh: default\ncgroup: %s\n' "${LONE#"$mount_point"}"
}

note() { # note FORMAT ARG...: a TAP comment
	# shellcheck disable=SC2059
	printf "# $1\n" "${@:2}" >&3
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

seconds_since() { # seconds_since MILLISECONDS
	local passed=$(($(now_ms) - $1))
	printf '%d.%03d' $((passed / 1000)) $((passed % 1000))
}

link_count() {
	find "$PINS/links" -type f | wc -l
}

has_links() { # has_links COUNT
	[ "$(link_count)" -eq "$1" ]
}

pinned() {
	"$BATS_TEST_DIRNAME/../lib/pinned" "$PINS" "$@"
}

slots_in_use() { # slots_in_use COUNT
	[ "$(pinned in-use)" -eq "$1" ]
}

# connects DIRECTORY COUNT: UDP connects by two threads of a process there; how often each answer came.
# Nobody listens on the port, and nobody needs to.
connects() {
	within "$1" "$CLIENT" repeat udp-connect $OUT4 9 "$2" 2 3>&-
}

# refused FILE...: how many of the answers that connects() wrote are EPERM
refused() {
	awk '$1 == "EPERM" { sum += $2 } END { print sum + 0 }' "$@"
}

# Every refusal that a client saw was counted once, and as what it was.
counters_conserve() { # counters_conserve REFUSED
	is "$(pinned all ipv4.verdicts.blocked_passthrough_off)" "$1"
	is "$(pinned all ipv4.verdicts.blocked_no_policy)" 0
	is "$(pinned free ipv4.verdicts.blocked_passthrough_off)" 0
	is "$(pinned free ipv4.verdicts.passthrough)" 0
}

# The kernel's memory for every pinned map, in KiB.
map_kib() {
	local map
	for map in "$PINS"/maps/*; do
		bpftool --json map show pinned "$map"
	done | python3 -c 'import json, sys; print(sum(json.loads(m)["bytes_memlock"] for m in sys.stdin.read().replace("}{", "}\n{").splitlines()) // 1024)'
}

@test "a thousand workloads are enforced, reloaded and let go, and their totals are kept" {
	mkdir "$WORK"/{1..1000}
	crowd false >policy.yaml
	began=$(now_ms)
	start_daemon
	note '1,001 cgroups: enrolled in %s s' "$(seconds_since "$began")"
	is "$(link_count)" 4004
	for instance in "$WORK"/{1,250,500,999,1000} "$LONE"; do
		is "$(connects "$instance" 5)" "EPERM 10"
	done

	mkdir "$WORK/late"
	wait_for 10 says 1 "web:late: enforcing on"
	is "$(connects "$WORK/late" 5)" "EPERM 10"
	note 'one more: enforced %s ms after it was made' \
		"$(sed -n 's/.*web:late: enforcing on.*, \([0-9.]*\) ms after.*/\1/p' daemon.log)"

	crowd true >new.yaml
	before=$(grep -c 'in force' daemon.log)
	began=$(now_ms)
	mv new.yaml policy.yaml
	kill -HUP "$DAEMON"
	wait_for 10 says $((before + 1)) "in force"
	note 'another policy for all: in force in %s s' "$(seconds_since "$began")"
	is "$(connects "$WORK/1000" 5)" "ok 10"
	is "$(link_count)" 4008
	note 'memory: egressd %s KiB, maps %s KiB' \
		"$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON/status")" "$(map_kib)"

	wait_for 5 is_empty_cgroup "$WORK"
	began=$(now_ms)
	find "$WORK" -mindepth 1 -type d -exec rmdir {} +
	wait_for 30 says 1001 "no longer enforced"
	note '1,001 cgroups: removed and let go in %s s' "$(seconds_since "$began")"
	is "$(link_count)" 4
	is "$(pinned in-use)" 1
	is "$(pinned given-back)" 1001
	is "$(pinned retired ipv4.verdicts.blocked_passthrough_off)" 60
	is "$(pinned retired ipv4.verdicts.passthrough)" 10
	counters_conserve 70
}
