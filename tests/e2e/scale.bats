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

@test "a cgroup made anew a hundred times under load is enforced each time, and no refusal is lost" {
	crowd false >policy.yaml
	rmdir "$LONE"
	start_daemon
	began=$(now_ms)
	for round in {1..100}; do
		mkdir "$WORK/x" "$LONE"
		connects "$WORK/x" 2000 >>x.out &
		jobs=$!
		connects "$LONE" 2000 >>lone.out &
		jobs+=" $!"
		wait_for 10 says "$round" "web:x: enforcing on"
		wait_for 10 says "$round" "lone: enforcing on"
		is "$(connects "$WORK/x" 20 | tee -a x.out)" "EPERM 40"
		is "$(connects "$LONE" 20 | tee -a lone.out)" "EPERM 40"
		wait $jobs
		wait_for 5 rmdir "$WORK/x" 2>/dev/null
		wait_for 5 rmdir "$LONE" 2>/dev/null
	done
	note 'made anew a hundred times, twice: %s s, %s connects refused' \
		"$(seconds_since "$began")" "$(refused x.out lone.out)"
	# A literal path keeps its slot while its cgroup is away.
	wait_for 10 slots_in_use 1
	wait_for 10 has_links 0
	counters_conserve "$(refused x.out lone.out)"
	is "$(counted lone ipv4.verdicts.blocked_passthrough_off)" "$(refused lone.out)"
	is "$(pinned retired ipv4.verdicts.blocked_passthrough_off)" "$(refused x.out)"
}

@test "a workload let go while it connects leaves no count in its free slot" {
	mkdir "$WORK/x"
	crowd false >with.yaml
	sed '/^type: Workload/,/^---/d' with.yaml >without.yaml
	cp with.yaml policy.yaml
	start_daemon
	(until [ -e stop ]; do connects "$WORK/x" 5000; done) >x.out &
	job=$!
	for round in {1..10}; do
		cp without.yaml new.yaml
		mv new.yaml policy.yaml
		kill -HUP "$DAEMON"
		wait_for 10 says "$round" "web:x: no longer enforced"
		is "$(link_count)" 4
		is "$(connects "$WORK/x" 5)" "ok 10"
		is "$(pinned free ipv4.verdicts.passthrough)" 0
		cp with.yaml new.yaml
		mv new.yaml policy.yaml
		kill -HUP "$DAEMON"
		wait_for 10 says $((round + 1)) "web:x: enforcing on"
	done
	touch stop
	wait $job
	is "$(pinned given-back)" 10
	counters_conserve "$(refused x.out)"
}

# Makes and removes PATH/vN/in, a few at a time, often under the same names.
come_and_go() { # come_and_go PATH COUNT
	python3 - "$@" <<-'END'
		import os, sys
		there = []
		for i in range(int(sys.argv[2])):
		    path = f"{sys.argv[1]}/v{i % 50}"
		    os.makedirs(path + "/in")
		    there.append(path)
		    while len(there) > i % 8:
		        os.removedirs(there.pop(0) + "/in")
		for path in there:
		    os.removedirs(path + "/in")
	END
}

@test "cgroups that vanish while they are enrolled leave no link, no slot and no complaint" {
	crowd false | sed "s|$WORK_PATH/\*|$WORK_PATH/*/in|" >policy.yaml
	start_daemon
	mkdir "$WORK/keep"
	come_and_go "$WORK" 3000
	mkdir "$WORK/last" "$WORK/last/in"
	wait_for 20 says 1 "web:last/in: enforcing on"
	is "$(connects "$WORK/last/in" 5)" "EPERM 10"
	wait_for 10 slots_in_use 2
	wait_for 10 has_links 8
	note 'of 3,000 cgroups that came and went, %s were enforced' "$(($(grep -c 'web:v.*enforcing on' daemon.log)))"
	hasnt "$(cat daemon.log)" "NOT enforced"
	is "$(pinned given-back)" "$(grep -c 'no longer enforced' daemon.log)"
	counters_conserve 10
}
