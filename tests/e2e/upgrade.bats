#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Another build takes over from the one before: of the same ABI without a connect that nobody judges, of another one
# not at all, and with instructions.

load ../lib/common
load ../lib/daemon
load ../lib/chaos

OWN=$EGRESSD
# The same source with its BPF programs compiled another way.
OTHER=$EG_BUILD/tests/lib/other/egressd

setup() {
	chaos_setup
}

teardown() {
	daemon_teardown
}

# "PIN LINK-ID" of every link, sorted
link_ids() {
	local pin
	for pin in "$PINS/links/"*; do
		echo "${pin##*/} $(bpftool --json link show pinned "$pin" | python3 -IS -c 'import json, sys; print(json.load(sys.stdin)["id"])')"
	done
}

# The tags of the programs on the links: hashes of what they do.
program_tags() {
	local pin
	for pin in "$PINS/links/"*connect4 "$PINS/links/"*sockops "$PINS/links/"*sendmsg4; do
		bpftool --json link show pinned "$pin" | python3 -IS -c 'import json, sys; print(json.load(sys.stdin)["prog_id"])'
	done | while read -r id; do
		bpftool --json prog show id "$id" | python3 -IS -c 'import json, sys; d = json.load(sys.stdin); print(d["name"], d["tag"])'
	done
}

# upgrade_to PROGRAM
upgrade_to() {
	kill -TERM "$DAEMON"
	wait_for 10 is_gone "$DAEMON"
	verdicts_hold
	EGRESSD=$1
	all_holds_again
}

@test "another build with the same ABI takes over by link update: no connect is judged by neither, links keep their ids" {
	start_daemon
	start_connecting
	for build in "$OTHER" "$OWN" "$OTHER"; do
		link_ids >links
		program_tags >tags
		[ "$(wc -l <tags)" -ge 4 ]
		upgrade_to "$build"
		link_ids | diff links -
		# Every one of them is another program now.
		is "$(program_tags | comm -12 <(sort tags) <(sort))" ""
	done
	# and the other one's work is this one's to end
	kill_daemon
	EGRESSD=$OWN
	all_holds_again
	all_is_accounted_for
}

own_abi() {
	bpftool map dump pinned "$PINS/maps/eg_control" | sed -n 's/.*"abi": \([0-9]*\).*/\1/p'
}

set_abi() { # set_abi VERSION: as another build wrote it, with the bank and generation that are in force
	bpftool map update pinned "$PINS/maps/eg_control" key 0 0 0 0 value "$1" 0 0 0 1 0 0 0 1 0 0 0 0 0 0 0
}

# refused_by COMMAND...: it fails, and says what to do.
refused_by() {
	run --separate-stderr timeout --kill-after=5 $RUN_LIMIT_S "$@"
	echo "$*: $status: $stderr"
	[ "$status" -ne 0 ]
	[ "$status" -lt 124 ]
	is "$output" ""
	has "$stderr" "ABI $abi and this build has"
	has "$stderr" "egressctl uninstall"
}

@test "pins of an older and of a newer ABI are refused by the daemon and by every command, with what to do, and stay as they are" {
	start_daemon
	start_connecting
	kill_daemon
	own=$(own_abi)
	for abi in $((own - 1)) $((own + 1)); do
		set_abi "$abi"
		"$KERNEL_STATE" >before
		refused_by "$EGRESSD" --admin "$ADMIN" --policy policy.yaml
		for command in status "status --json" stats "stats --format json" clusters flows destinations monitor top preflight \
			"detach web:a"; do
			# shellcheck disable=SC2086 # words
			refused_by "$EGRESSCTL" $command
		done
		"$KERNEL_STATE" | diff before -
		verdicts_hold
		# What asks the files or the kernel alone is not concerned.
		"$EGRESSCTL" check policy.yaml
		"$EGRESSCTL" explain --policy policy.yaml web >explained
		is "$(ctl run --passthrough false -- "$CLIENT" tcp $OUT4 $TCP || true)" "errno EPERM"
	done
	set_abi "$own"
	all_holds_again
	all_is_accounted_for
}

@test "pins whose control map has another size are refused too, and uninstall removes them" {
	start_daemon
	kill_daemon
	own=$(own_abi)
	for size in 8 64; do
		abi=$((own + 1))
		rm "$PINS/maps/eg_control"
		# shellcheck disable=SC2046 # bytes
		bpftool map create "$PINS/maps/eg_control" type array key 4 value $size entries 1 name eg_control
		bpftool map update pinned "$PINS/maps/eg_control" key 0 0 0 0 value $abi $(printf '0 %.0s' $(seq 2 $size))
		refused_by "$EGRESSD" --admin "$ADMIN" --policy policy.yaml
		refused_by "$EGRESSCTL" status
		# and one that claims to be of this ABI is not misread
		bpftool map update pinned "$PINS/maps/eg_control" key 0 0 0 0 value $own $(printf '0 %.0s' $(seq 2 $size))
		for command in "$EGRESSCTL status" "$EGRESSCTL stats" "$EGRESSD --admin $ADMIN --policy policy.yaml"; do
			run --separate-stderr $command
			is "$command $status" "$command 1"
			has "$stderr" "the pinned eg_control has another type or size than this build's"
		done
		verdicts_hold
	done
	"$EGRESSCTL" uninstall >uninstalled
	[ ! -e "$PINS" ]
}
