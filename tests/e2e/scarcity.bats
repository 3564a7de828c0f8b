#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What the daemon needs runs short or fails: it refuses and says why, or does without and says so. Meanwhile no verdict
# changes, as a client sees that connects all the time. README's table of faults names these tests.
# EG_CHAOS=all lets more system calls fail: 400 of a start, all of a reload.

load ../lib/common
load ../lib/daemon
load ../lib/chaos

setup() {
	chaos_setup
}

teardown() {
	[ -z "${mounts:-}" ] || there mount -o remount,rw "$bpffs"
	daemon_teardown
	[ -z "${memory:-}" ] || rmdir "$memory"
	[ -z "${mounts:-}" ] || kill "$mounts"
}

# What a call may want that there is not, in turn.
ERRORS=(ENOMEM EMFILE ENOSPC EPERM)

# try_start COMMAND...: a start by this command is refused with a word of why, or succeeds; nothing changes by it. $outcome says which.
try_start() {
	DAEMON_IN=("$@")
	launch_daemon
	DAEMON_IN=()
	wait_for 30 is_gone_or_in_force
	outcome="in force"
	if is_gone "$DAEMON"; then
		outcome=refused
		DAEMON=
	fi
	kill_daemon
	all_holds_without
}

# said: a start was refused, and the daemon has said why.
said() {
	[ "$outcome" != refused ] || grep -q '^egressd: ' daemon.log || { echo "refused without a word" >&2; return 1; }
}

@test "a system call of a start fails: it is refused with the reason, or does without; verdicts stay" {
	require_strace
	start_daemon
	start_connecting
	kill_daemon
	trace_start
	kill_daemon
	"$BATS_TEST_DIRNAME/../lib/boundaries" calls "$(chosen 20 400)" calls >calls.chosen 2>found
	tried=0 refusals=0
	while read -r call number; do
		error=${ERRORS[tried % 4]}
		tried=$((tried + 1))
		echo "$call $number fails with $error"
		try_start strace -D -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:error=$error:when=$number"
		said
		[ "$outcome" != refused ] || refusals=$((refusals + 1))
	done <calls.chosen
	note 'a start: %s; %d tried, %d of them refused' "$(<found)" "$tried" "$refusals"
	[ "$refusals" -gt 0 ]
	all_holds_again
	all_is_accounted_for
}

reload() {
	chaos_policy 192.0.2.$((++reloads)) >new.yaml
	mv new.yaml policy.yaml
	kill -HUP "$DAEMON" 2>/dev/null || true
}

# One way or the other.
reload_is_done() {
	is_gone "$DAEMON" || says 2 " in force, " || says 1 "stays in force"
}

@test "a system call of a reload fails: the old policy stays and it is said, and the new one is taken two seconds later; verdicts stay" {
	require_strace
	reloads=0 refusals=0 ends=0
	start_daemon
	start_connecting
	trace_action reload
	"$BATS_TEST_DIRNAME/../lib/boundaries" calls "$(chosen 10)" calls >calls.chosen 2>found
	kill_daemon
	while read -r call number; do
		error=${ERRORS[reloads % 4]}
		all_holds_again
		start_tracing -e "trace=$call" -e "inject=$call:error=$error:when=$number"
		reload
		wait_for 30 reload_is_done
		stop_tracing
		echo "$call $number fails with $error"
		if is_gone "$DAEMON"; then
			grep -q 'ended; enforcement stays' daemon.log
			ends=$((ends + 1)) DAEMON=
			continue
		fi
		verdicts_hold
		if says 1 "stays in force"; then
			refusals=$((refusals + 1))
			# A file that cannot be read is wrong, and waits for a change.
			says 1 "; trying again in 2 s" || reload
			wait_for 20 says 2 " in force, "
		fi
		kill_daemon
	done <calls.chosen
	note 'a reload: %s; %d refused, %d ended the daemon, of %d' "$(<found)" "$refusals" "$ends" "$(wc -l <calls.chosen)"
	[ -s calls.chosen ]
	all_holds_again
	all_is_accounted_for
}

# on_small INODES SIZE: what DAEMON_IN needs to see a file system of its own at `small`, which is full with so much.
on_small() {
	# shellcheck disable=SC2016 # for the other shell
	DAEMON_IN=(unshare --mount sh -c 'mount -t tmpfs -o "nr_inodes=$1,size=$2" none small && cp policy.yaml small/ && shift 2 && exec "$@"'
		sh "$1" "$2")
}

@test "a full disk: the admin endpoint is done without, and a policy that was cut short is refused; verdicts stay" {
	mkdir small
	start_daemon
	start_connecting
	kill_daemon
	ADMIN=$PWD/small/admin.sock
	on_small 2 4k
	start_daemon small/policy.yaml
	has "$(cat daemon.log)" "admin: no endpoint at $ADMIN: No space left on device"
	verdicts_hold
	chaos_policy $(seq -f 192.0.2.%g 0 250) >long.yaml
	run nsenter --mount="/proc/$DAEMON/ns/mnt" sh -c "cat '$PWD/long.yaml' >'$PWD/small/policy.yaml'"
	has "$output" "No space left on device"
	wait_for 10 says 1 "stays in force"
	verdicts_hold
	kill_daemon
	DAEMON_IN=()
	all_holds_again
	all_is_accounted_for
}

@test "a BPF file system that is mounted read-only: a start is refused and says how to mount it; verdicts stay" {
	start_daemon
	start_connecting
	kill_daemon
	# shellcheck disable=SC2016 # for the other shell
	try_start unshare --mount sh -c 'mount -o remount,bind,ro "$1" && shift && exec "$@"' sh "$bpffs"
	is "$outcome" refused
	has "$(cat daemon.log)" "Read-only file system: the BPF file system is mounted read-only: mount -o remount,rw"
	all_holds_again
	all_is_accounted_for
}

@test "a BPF file system that turns read-only under the agent: policies are taken, a cgroup that comes is said not to be enforced, and is once it can be pinned; verdicts stay" {
	own_bpffs
	start_daemon "$PWD/policy.yaml"
	start_connecting
	there mount -o remount,ro "$bpffs"
	mkdir "$WORK/c"
	wait_for 20 says 1 "web:c: NOT enforced: cannot attach to $WORK_PATH/c: Read-only file system; trying again"
	# The kernel lets nobody open a pinned link there, not even to look at it.
	has "$(seen 2>&1)" "Read-only file system"
	verdicts_hold
	kill -HUP "$DAEMON"
	wait_for 20 says 2 " in force, "
	verdicts_hold
	there mount -o remount,rw "$bpffs"
	wait_for 30 seen_is "running web:a web:b web:c"
	is "$(ways_of "$WORK/c" $OUT4)" "errno EPERM errno EPERM"
	others=1
	verdicts_hold
	kill_daemon
	all_holds_without web:c
	start_daemon "$PWD/policy.yaml"
	is "$(seen)" "running web:a web:b web:c"
	all_is_accounted_for
}

@test "a BPF file system that is unmounted under the agent: it says so, and pins all anew on the next one; verdicts stay" {
	own_bpffs
	start_daemon "$PWD/policy.yaml"
	start_connecting
	counts_hold
	there umount -l "$bpffs"
	wait_for 20 says 1 "egressd was unmounted or removed, and nothing can be pinned there"
	has "$(cat daemon.log)" "mount -t bpf bpf"
	verdicts_hold
	# One that comes meanwhile is enforced once it can be.
	mkdir "$WORK/c"
	there mount -t bpf bpf "$bpffs"
	wait_for 20 says 1 "all is pinned there anew"
	wait_for 20 seen_is "running web:a web:b web:c"
	is "$(ways_of "$WORK/c" $OUT4)" "errno EPERM errno EPERM"
	others=1
	verdicts_hold
	counts_hold
	links_hold
	kill_daemon
	all_holds_without web:c
	start_daemon "$PWD/policy.yaml"
	is "$(seen)" "running web:a web:b web:c"
	verdicts_hold
	counts_hold
	links_hold
	all_is_accounted_for
}

# links_on DIRECTORY: those on its cgroup that are pinned, and those that the kernel has there
links_on() {
	local cgroup
	cgroup=$(stat -c %i "$1")
	echo "$(ls "$PINS/links" | grep -c "_${cgroup}_") $(cgroup_links | grep -c " $cgroup$")"
}

@test "a policy that comes while the BPF file system is unmounted: it is refused and said, and carried out once there is one; verdicts stay" {
	own_bpffs
	other=$WORK-other
	mkdir "$other"
	{ chaos_policy | sed 's/passthrough: false/passthrough: true/' && and_other; } >policy.yaml
	start_daemon "$PWD/policy.yaml"
	is "$(links_on "$WORK/a") $(links_on "$other")" "$LINKS $LINKS $LINKS $LINKS"
	there umount -l "$bpffs"
	wait_for 20 says 1 "egressd was unmounted or removed, and nothing can be pinned there"
	# It wants the guard on one cgroup, and nothing any more on the other.
	chaos_policy >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "generation 1 stays in force: "
	has "$(grep 'stays in force' daemon.log)" "the BPF file system with $bpffs/egressd was unmounted"
	is "$(ways_of "$WORK/a" $OUT4) $(ways_of "$other" $OUT4)" "ok ok ok ok"
	there mount -t bpf bpf "$bpffs"
	wait_for 20 says 1 "generation 2 in force"
	wait_for 20 seen_is "running web:a web:b"
	is "$(links_on "$WORK/a") $(links_on "$other")" "$GUARDED_LINKS $GUARDED_LINKS 0 0"
	is "$(ways_of "$WORK/a" $OUT4) $(ways_of "$other" $OUT4)" "errno EPERM errno EPERM ok ok"
	rmdir "$other"
}

@test "few descriptors (RLIMIT_NOFILE): a start is refused and says which limit, or succeeds; verdicts stay" {
	start_daemon
	start_connecting
	kill_daemon
	refusals=0
	for limit in 16 32 48 64 80 96; do
		try_start prlimit --nofile=$limit
		echo "$limit: $outcome: $(cat daemon.log)"
		said
		[ "$outcome" != refused ] || { refusals=$((refusals + 1)); has "$(cat daemon.log)" "oo many open files"; }
	done
	[ "$refusals" -gt 0 ]
	all_holds_again
	all_is_accounted_for
}

@test "little address space (RLIMIT_AS): a start is refused and says so, or succeeds; verdicts stay" {
	start_daemon
	start_connecting
	kill_daemon
	refusals=0
	for mib in 12 16 20 24 32 64 256; do
		try_start prlimit --as=$((mib << 20))
		echo "$mib MiB: $outcome: $(cat daemon.log)"
		# One that lacks the room for its libraries never began.
		[ "$outcome" != refused ] || { refusals=$((refusals + 1)); grep -qE 'Cannot allocate memory|out of memory|ulimit -v' daemon.log; }
	done
	[ "$refusals" -gt 0 ]
	all_holds_again
	all_is_accounted_for
}

# memory_cgroup BYTES: $memory is a new cgroup whose processes get no more, $memory_procs the file to join it by.
# Not from a cgroup that has processes itself, but the root.
hand_down_memory() {
	echo +memory 2>/dev/null >"$(own_cgroup)/cgroup.subtree_control" || skip "no memory controller where this test may make a cgroup"
}

memory_cgroup() {
	local root
	root=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
	if [ -n "$root" ]; then
		memory=$root/$EG_NAME
		mkdir "$memory"
		echo "$1" >"$memory/memory.limit_in_bytes"
	else
		grep -qw memory "$(own_cgroup)/cgroup.controllers" || skip "no memory controller where this test may make a cgroup"
		grep -qw memory "$(own_cgroup)/cgroup.subtree_control" || hand_down_memory
		memory=$(own_cgroup)/$EG_NAME-memory
		mkdir "$memory"
		echo "$1" >"$memory/memory.max"
	fi
}

@test "little memory (memory.max): a start is refused, killed, or succeeds; verdicts stay" {
	memory_cgroup $((4 << 20))
	start_daemon
	start_connecting
	kill_daemon
	refusals=0
	for mib in 2 4 8 128; do
		echo $((mib << 20)) | tee "$memory"/memory.{limit_in_bytes,max} >/dev/null 2>&1 || true
		# shellcheck disable=SC2016 # for the other shell
		try_start bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$memory"
		echo "$mib MiB: $outcome: $(cat daemon.log)"
		[ "$outcome" != refused ] || refusals=$((refusals + 1))
	done
	is "$outcome" "in force"
	[ "$refusals" -gt 0 ]
	all_holds_again
	all_is_accounted_for
}

# Resources of the kernel's side.

# 961 workloads that each have 1,100 ranges in common and one of their own: 1,058,061 entries out of 15,000 lines.
too_large() {
	awk 'BEGIN {
		print "---\ntype: MeshPassthrough\nname: all\nmesh: default\nspec:\n  default:\n    passthroughMode: Matched\n    appendMatch:"
		for (i = 0; i < 1100; i++)
			printf "    - {type: CIDR, value: 10.%d.%d.0/24}\n", i / 256, i % 256
		for (i = 0; i < 961; i++) {
			printf "---\ntype: Workload\nname: w%d\nmesh: default\ncgroup: /none/w%d\nlabels: {app: w%d}\n", i, i, i
			printf "---\ntype: MeshPassthrough\nname: p%d\nmesh: default\nspec:\n  targetRef: {kind: Dataplane, labels: {app: w%d}}\n", i, i
			printf "  default: {appendMatch: [{type: CIDR, value: 172.16.%d.%d/32}]}\n", i / 256, i % 256
		}
	}'
}

@test "a policy larger than its tables: it is refused by file and line, the old one stays; verdicts stay" {
	start_daemon
	start_connecting
	cp policy.yaml small.yaml
	too_large >>policy.yaml
	kill -HUP "$DAEMON"
	wait_for 60 says 1 "stays in force"
	grep -q 'policy.yaml:[0-9]*:5: error: spec.default.appendMatch: more than 1000000 entries, ' daemon.log
	verdicts_hold
	mv small.yaml policy.yaml
	change 2
	verdicts_hold
	kill_daemon
	all_holds_again
	all_is_accounted_for
}

# reloads_past COUNT: more than so many policies have come into force, or one was refused.
reloads_past() {
	says 1 "stays in force" || says $(($1 + 1)) " in force, "
}

@test "a table of the policy that is full: the new policy is refused, the old one stays, and it is taken once there is room; verdicts stay" {
	require_strace
	reloads=0
	start_daemon
	start_connecting
	trace_action reload
	kill_daemon
	all_holds_again
	batch=$(grep ' bpf(' calls | grep -n -m 1 BPF_MAP_UPDATE_BATCH | cut -d : -f 1)
	# What the kernel says of a hash without room. A sweep that comes between makes the call another one.
	for _ in 1 2 3 4 5; do
		taken=$(grep -c ' in force, ' daemon.log)
		start_tracing -e trace=bpf -e "inject=bpf:error=E2BIG:when=$batch"
		reload
		wait_for 30 reloads_past "$taken"
		stop_tracing
		! says 1 "stays in force: Argument list too long" || break
	done
	says 1 "stays in force: Argument list too long"
	verdicts_hold
	wait_for 20 says $((taken + 1)) " in force, "
	verdicts_hold
	kill_daemon
	all_holds_again
	all_is_accounted_for
}

@test "a full table of destinations: what is not recorded is counted and preflight says so; verdicts stay" {
	start_daemon
	start_connecting
	within "$WORK/b" python3 -IS - >many <<-'END'
		import collections, socket
		answers = collections.Counter()
		with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
		    for i in range(6000):
		        try:
		            s.connect(("198.18.%d.%d" % (i >> 8, i & 255), 9))
		            answers["ok"] += 1
		        except PermissionError:
		            answers["EPERM"] += 1
		print(dict(answers))
	END
	is "$(cat many)" "{'EPERM': 6000}"
	checks=$((checks + 3000))
	run "$EGRESSCTL" preflight web:b
	is "$status" 4
	has "$output" "not recorded"
	is "$(ways_of "$WORK/b" $OUT4)" "errno EPERM errno EPERM"
	is "$(ways_of "$WORK/b" $MESH4)" "ok ok"
	is "$(counted web:b ipv4.verdicts.blocked_passthrough_off ipv4.verdicts.matched)" "6002 2"
	stop_watching "$watcher"
	is "$(cut -d ' ' -f 1-3 watched)" "$OUT4 $UDP EPERM
$MESH4 $UDP ok"
}

# Each workload may fill a hundred places a second.
events_are_lost() {
	local dir
	for dir in "$WORK"/crowd*; do
		is "$(within "$dir" "$CLIENT" repeat udp-connect $OUT4 $UDP 100 1)" "EPERM 100" || return 1
		crowd_connects=$((crowd_connects + 100))
	done
	[ "$("$EGRESSCTL" stats --filter '^egressd.events_lost$' | sed 's/.*: //')" -gt 0 ]
}

@test "a ring buffer that nobody reads is full: what is lost is counted; verdicts stay" {
	crowd_connects=0
	mkdir "$WORK"/crowd{1..30}
	start_daemon
	start_watching "$WORK/a" watched udp $OUT4 $UDP $MESH4 $UDP
	wait_for 60 events_are_lost
	verdicts_hold
	stop_watching "$watcher"
	is "$(counted all ipv4.verdicts.matched)" $(($(answers ok watched) + 2))
	is "$(cut -d ' ' -f 1-3 watched)" "$OUT4 $UDP EPERM
$MESH4 $UDP ok"
	is "$(counted all ipv4.verdicts.blocked_passthrough_off)" $(($(answers EPERM watched) + 2 + crowd_connects))
}
