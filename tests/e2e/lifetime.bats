#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Enforcement lasts exactly as long as the command, whoever dies first.

load ../lib/common

setup() {
	eg_setup
	start_servers
}

teardown() {
	eg_teardown
}

# The processes of the run that are not the command's: runner's children outside its cgroup.
guardian_of() {
	local pid
	for pid in $(pgrep -P "$1"); do
		grep -qx "$pid" "$EG_CALLER/egressctl-run-$1/cgroup.procs" || echo "$pid"
	done
}

start_pestering() {
	start_ctl run --passthrough false -- "$CLIENT" pester tcp $OUT4 $TCP
	wait_for 10 grep -q attempts run.out
	COMMAND=$(head -n 1 "$RUN_CGROUP/cgroup.procs")
}

@test "kill -9 of the runner ends the command before its enforcement: nothing it tries ever arrives" {
	for _ in 1 2 3 4 5; do
		start_pestering
		kill -KILL $RUNNER
		wait_for 10 is_gone "$COMMAND"
		wait_for 10 nothing_left
	done
	arrived_exactly 0 tcp $OUT4 $TCP
}

@test "kill -9 of the runner ends what the command left in the background and in sub-cgroups too" {
	start_ctl run --passthrough false -- bash -c "
		run=\$(echo $EG_CALLER/egressctl-run-*)
		mkdir \$run/sub
		(echo \$BASHPID >\$run/sub/cgroup.procs; exec $CLIENT pester tcp $OUT4 $TCP) &
		setsid $CLIENT pester udp-sendto $OUT4 $UDP &
		wait"
	wait_for 10 grep -q 'attempts 2' run.out
	kill -KILL $RUNNER
	wait_for 10 nothing_left
	arrived_exactly 0 tcp $OUT4 $TCP
	arrived_exactly 0 udp $OUT4 $UDP
}

@test "kill -9 of the guardian alone lets nothing out and leaves nothing" {
	start_pestering
	guardian=$(guardian_of $RUNNER)
	[ -n "$guardian" ]
	kill -KILL $guardian
	wait_for 10 is_gone "$guardian"
	kill -TERM $RUNNER
	finish
	wait_for 10 is_gone "$COMMAND"
	wait_for 10 nothing_left
	arrived_exactly 0 tcp $OUT4 $TCP
}

# What a process of ours gets when it asks for -1000: without CAP_SYS_RESOURCE it keeps what it has.
best_oom_score() {
	bash -c 'echo -1000 >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj' 2>/dev/null
}

has_oom_score() {
	[ "$(cat "/proc/$1/oom_score_adj")" = "$2" ]
}

@test "the guardian is outside the command's cgroup and spared by the OOM killer, the command is not" {
	start_pestering
	guardian=$(guardian_of $RUNNER)
	[ -n "$guardian" ]
	wait_for 5 has_oom_score "$guardian" "$(best_oom_score)"
	is "$(cat "/proc/$COMMAND/oom_score_adj")" "$(cat /proc/self/oom_score_adj)"
	kill -TERM $RUNNER
	finish
	is "$status" 143
}

@test "a command that is killed with -9 ends the run with 137 and leaves nothing" {
	start_pestering
	kill -KILL "$COMMAND"
	finish
	is "$status" 137
	nothing_left
}

@test "when the run returns, no cgroup, link or pin of it is left" {
	ctl run --passthrough false --mesh $MESH4/32 --report r.json -- "$CLIENT" tcp $MESH4 $TCP
	is "$(leftovers)" ""
}

@test "while it lasts six hooks are attached to the command's cgroup and nothing is pinned" {
	start_pestering
	run bpftool cgroup show "$RUN_CGROUP"
	for hook in inet4_connect inet6_connect udp4_sendmsg udp6_sendmsg sock_ops sock_release; do
		has "$output" $hook
	done
	is "$(leaked_state | sed -n '/^pin/p')" ""
	kill -TERM $RUNNER
	finish
}

@test "a run loads the programs that it attaches, and no gates" {
	start_pestering
	names=$(sed -n 's/^prog_id:[[:space:]]*//p' /proc/$RUNNER/fdinfo/* | sort -u | while read -r id; do
		bpftool prog show id "$id"
	done | grep -o 'name eg_[a-z0-9_]*')
	has "$names" eg_connect4
	hasnt "$names" gate
	hasnt "$names" eg_settle
	kill -TERM $RUNNER
	finish
}

@test "every map that the run loads has BTF and a name that bpftool shows whole" {
	start_pestering
	programs=$(bpftool cgroup show "$RUN_CGROUP" | awk '$1 ~ /^[0-9]+$/ { print $1 }')
	maps=
	for program in $programs; do
		maps+=" $(bpftool prog show id "$program" | sed -n 's/.*map_ids \([0-9,]*\).*/\1/p' | tr , ' ')"
	done
	for map in $maps; do
		run bpftool map show id "$map"
		case $output in
		*.rodata* | *.bss* | *.data*) continue ;; # libbpf's own
		esac
		has "$output" " eg_"
		# a ring buffer has neither key nor value to describe
		[[ $output == *ringbuf* ]] || has "$output" btf_id
	done
	[ -n "${maps// }" ]
	kill -TERM $RUNNER
	finish
}

@test "a run inside a run is held to both: the outer one blocks" {
	run ctl run --passthrough false -- "$EGRESSCTL" run --passthrough true -- "$CLIENT" tcp $OUT4 $TCP
	is "$output" "errno EPERM"
	nothing_left
}

@test "a run inside a run is held to both: the inner one blocks" {
	run ctl run --passthrough true --report outer.json -- \
		"$EGRESSCTL" run --passthrough false --mesh $MESH4/32 --report inner.json -- \
		sh -c "$CLIENT tcp $OUT4 $TCP; $CLIENT tcp $MESH4 $TCP"
	is "$output" "errno EPERM
ok"
	is "$(cx inner.json ipv4)" "upstream=0 downstream=1 no_route=1"
	nothing_left
}

@test "a run inside a run that both allow succeeds and counts in both" {
	ctl run --passthrough true --report outer.json -- "$EGRESSCTL" run --passthrough true --report inner.json -- \
		"$CLIENT" tcp $OUT4 $TCP
	is "$(cx outer.json ipv4)" "upstream=1 downstream=1 no_route=0"
	is "$(cx inner.json ipv4)" "upstream=1 downstream=1 no_route=0"
}

@test "the errno of a block by the outer run is the outer run's" {
	cat >p.yaml <<-END
		type: Node
		name: node
		blockErrno: EACCES
	END
	run ctl run --passthrough false --policy p.yaml -- "$EGRESSCTL" run --passthrough true -- "$CLIENT" tcp $OUT4 $TCP
	is "$output" "errno EACCES"
}

@test "a run that a command left in the background is removed with the command" {
	ctl run --passthrough false -- sh -c "$EGRESSCTL run -- $CLIENT pester tcp $OUT4 $TCP >inner.out 2>&1 &
		until grep -q attempts inner.out; do :; done"
	wait_for 10 nothing_left
	arrived_exactly 0 tcp $OUT4 $TCP
}

@test "two runs at once are independent of each other" {
	start_ctl run --passthrough false --report a.json -- "$CLIENT" pester tcp $OUT4 $TCP
	wait_for 10 grep -q attempts run.out
	is "$(ctl run --passthrough true --report b.json -- "$CLIENT" tcp $OUT4 $TCP)" ok
	is "$(cx b.json ipv4)" "upstream=1 downstream=1 no_route=0"
	before=$(grep -c EPERM run.out)
	wait_for 10 more_refusals_than "$before"
	kill -TERM $RUNNER
	finish
	is "$(json a.json 'd["stats"]["cluster.outbound_passthrough_ipv4.upstream_cx_total"]')" 0
	arrived_exactly 1 tcp $OUT4 $TCP
}

more_refusals_than() {
	[ "$(grep -c EPERM run.out)" -gt "$1" ]
}

@test "ten runs at the same time each count their own" {
	local pids=()
	for i in 1 2 3 4 5 6 7 8 9 10; do
		ctl run --passthrough false --report $i.json -- "$CLIENT" repeat tcp $OUT4 $TCP $((i * 10)) 1 >$i.out 2>&1 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		is "$(cat $i.out)" "EPERM $((i * 10))"
		is "$(cx $i.json ipv4)" "upstream=0 downstream=$((i * 10)) no_route=$((i * 10))"
	done
}

@test "a caller in a sub-cgroup of its own gets the run below that one" {
	mkdir "$EG_CALLER/deep" "$EG_CALLER/deep/er"
	run in_subcgroup "$EG_CALLER/deep/er" "$EGRESSCTL" run -- grep ^0:: /proc/self/cgroup
	has "$output" "/caller/deep/er/egressctl-run-"
	rmdir "$EG_CALLER/deep/er" "$EG_CALLER/deep"
}

in_subcgroup() {
	(in_cgroup "$@")
}

@test "twenty runs after one another leave nothing" {
	for _ in $(seq 20); do
		ctl run --passthrough false -- true
	done
	is "$(leftovers)" ""
}
