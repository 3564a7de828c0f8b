#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What the daemon may do, whose policies it takes, and what a workload can do to it.

load ../lib/common
load ../lib/daemon
load ../lib/chaos

HOLDER=$EG_BUILD/tests/lib/holder
PORT=9100
NOBODY=(setpriv --reuid 65534 --regid 65534 --clear-groups)

setup() {
	daemon_setup
	start_servers
	policy false >policy.yaml
}

teardown() {
	daemon_teardown
}

# The capabilities that egressd(8) says are kept, as the number that /proc shows.
listed_capabilities() {
	sed -n 's/^\.It Dv CAP_/CAP_/p' "$EG_ROOT/user/man/egressd.8" | python3 -c '
import sys
numbers = {"CAP_DAC_READ_SEARCH": 2, "CAP_NET_ADMIN": 12, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
print("%016x" % sum(1 << numbers[name.strip()] for name in sys.stdin))'
}

# of_threads FIELD: its value in the status of each thread of the daemon, once each
of_threads() {
	sed -n "s/^$1:\t//p" "/proc/$DAEMON/task/"*/status | sort -u | paste -sd ' '
}

get() {
	"${CURL[@]}" --unix-socket "$ADMIN" "${@:2}" "http://localhost$1"
}

# idle_after DURATION: the policy that ends what is idle for so long, for IPv4
idle_after() {
	policy true
	patch 'name: "outbound:passthrough:ipv4"' "circuit_breakers: {thresholds: [{max_connections: 1024}]}"
	idle_patch "$1"
}

# Once there is one more process in the cgroup or below; an idle connection of it, in a network namespace
# without a name, of another user, is there when this returns.
hold_elsewhere() {
	(in_cgroup "$WORK" unshare --net sh -c '
		ip link set lo up && ip addr add 10.99.0.1/32 dev lo || exit 1
		"$1" listen 10.99.0.1 9100 >listens & # for as long as the cgroup
		until grep -qs ready listens; do sleep 0.1; done
		exec setpriv --reuid 65534 --regid 65534 --clear-groups "$1" silent 10.99.0.1 9100 300' sh "$HOLDER") >silent.out 3>&- &
	disown
	wait_for 20 grep -q connected silent.out
}

@test "each thread of the daemon has the capabilities that egressd(8) lists and no other, and can gain none" {
	start_daemon
	get /ready
	[ "$(find "/proc/$DAEMON/task" -mindepth 1 -maxdepth 1 | wc -l)" -gt 1 ]
	for set in CapPrm CapEff CapBnd; do
		is "$set $(of_threads $set)" "$set $(listed_capabilities)"
	done
	is "$(of_threads CapInh) $(of_threads CapAmb)" "0000000000000000 0000000000000000"
	is "$(of_threads NoNewPrivs) $(of_threads Seccomp)" "1 2"
	hasnt "$(cat daemon.log)" privileges:
}

@test "nothing that a daemon does all day is refused by its filter of system calls" {
	command -v strace >/dev/null || skip "needs strace: it shows what was refused"
	DAEMON_IN=(strace -D -f -qq -e signal=none -e raw=bpf -o trace)
	idle_after 500ms | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|" >policy.yaml
	mkdir "$WORK/a"
	start_daemon
	hold_elsewhere_in_a
	wait_for 20 has_lines silent.out 2
	mkdir "$WORK/b"
	wait_for 20 says 1 "web:b: enforcing"
	rmdir "$WORK/b"
	for page in /stats /stats/prometheus /clusters /config_dump /workloads /server_info /nowhere; do
		get $page --output body
	done
	echo 'type: Mash' >policy.yaml
	wait_for 20 says 1 "not loaded"
	idle_after 1h >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 20 says 2 "in force, 1 workloads"
	kill -TERM "$DAEMON"
	wait_for 20 is_gone "$DAEMON"
	DAEMON=
	# and one that takes over
	DAEMON_IN=(strace -D -f -qq -e signal=none -e raw=bpf -o trace2)
	start_daemon
	get /ready
	kill -TERM "$DAEMON"
	wait_for 20 is_gone "$DAEMON"
	DAEMON=
	grep -q 'setns(.*CLONE_NEWNET' trace
	# The C library asks for clone3 first: its flags are where no filter can read them.
	is "$(cat trace trace2 | grep ENOSYS | grep -v clone3)" ""
}

has_destroyed() { # COUNT
	[ "$(status_of "d['sweep']['destroyed']")" -eq "$1" ]
}

hold_elsewhere_in_a() {
	local WORK=$WORK/a
	hold_elsewhere
}

@test "a connection of another user's process is ended in a network namespace that has no name" {
	idle_after 500ms >policy.yaml
	start_daemon
	hold_elsewhere
	is "$(end_of silent)" ECONNABORTED
	wait_for 10 has_destroyed 1
	is "$(status_of "d['sweep']['unreachable']")" 0
}

@test "with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN alone a new daemon enforces, and ends what is idle in its own network" {
	idle_after 500ms >policy.yaml
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $OUT4 $PORT
	DAEMON_IN=(nsenter --net="$EG_CLIENT" setpriv --bounding-set=-all,+bpf,+perfmon,+net_admin)
	start_daemon
	is "$(of_threads CapEff)" "000000c000001000"
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" "$HOLDER" silent $OUT4 $PORT 300) >silent.out 3>&- &
	disown
	is "$(end_of silent)" ECONNABORTED
	policy false >policy.yaml
	change 2
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

@test "cgroups below one that only another user may look into are found" {
	policy false | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|" >policy.yaml
	mkdir "$WORK/a"
	chown 65534 "$WORK"
	chmod 700 "$WORK"
	start_daemon
	is "$(within "$WORK/a" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	mkdir "$WORK/b"
	wait_for 20 says 1 "web:b: enforcing"
}

@test "a policy that another user may change is refused before anything is done, unless that user is trusted" {
	chmod 666 policy.yaml
	launch_daemon
	wait_for 20 is_gone "$DAEMON"
	DAEMON=
	says 1 "policy.yaml: error: not read: $PWD/policy.yaml may be written by others (mode 0666): chmod go-w $PWD/policy.yaml, or trust everybody (--trust any)"
	says 1 "nothing was changed"
	[ ! -e "$PINS" ]
	chmod 644 policy.yaml
	chown 65534 policy.yaml
	run timeout 20 "$EGRESSD" --admin none --policy policy.yaml
	is "$status" 3
	has "$output" "$PWD/policy.yaml belongs to user 65534, who may change it: chown root $PWD/policy.yaml, or trust that user (--trust 65534)"
	start_daemon policy.yaml --trust 65534
	kill_daemon
	chmod 666 policy.yaml
	start_daemon policy.yaml --trust any
}

@test "a folder is taken with its files: one that another user made leaves the old policy in force, and status says why" {
	mkdir policies
	cp policy.yaml policies/a.yaml
	start_daemon policies
	policy true | sed 's/name: web/name: other/' >theirs.yaml
	chown 65534 theirs.yaml
	mv theirs.yaml policies/theirs.yaml
	wait_for 20 says 1 "policies/theirs.yaml: not read: $PWD/policies/theirs.yaml belongs to user 65534"
	wait_for 20 says 1 "generation 1 stays in force"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	has "$("$EGRESSCTL" status)" "belongs to user 65534"
	chown 0 policies/theirs.yaml
	rm policies/theirs.yaml
	chmod 777 policies
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "policies: not read: $PWD/policies may be written by others (mode 0777)"
	chmod 1777 policies
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "policies: not read: $PWD/policies may be written by others (mode 1777)"
}

@test "a policy of which nobody can tell whose it is, is not taken" {
	require_strace
	chmod 666 policy.yaml
	for number in 1 2 3 4; do
		run timeout 20 strace -qq -o calls -P "$PWD/policy.yaml" -e trace=newfstatat \
			-e "inject=newfstatat:error=EIO:when=$number" "$EGRESSD" --admin none --policy "$PWD/policy.yaml"
		is "$status" 3
		cat calls >>injected
	done
	grep -q INJECTED injected
}

@test "--trust takes numbers of users and any, and says so" {
	for value in root -1 4294967296 ""; do
		run "$EGRESSD" --trust "$value" --policy policy.yaml
		is "$value $status" "$value 2"
		has "$output" "--trust is the number of a user, or any"
	done
	run "$EGRESSD" --policy policy.yaml --trust
	is "$status" 2
	has "$output" "--trust needs a value"
}

# attempts PINS MAP-ID VALUE...: how far a process gets with what is enforced on it; "got:" and what, for each success
attempts() {
	local pins=$1 id=$2
	shift 2
	bpftool map dump pinned "$pins/maps/eg_retired" && echo "got: a pinned map"
	bpftool map update pinned "$pins/maps/eg_retired" key 0 0 0 0 value "$@" && echo "got: a change of a pinned map"
	bpftool map dump id "$id" && echo "got: a map by its id"
	bpftool map update id "$id" key 0 0 0 0 value "$@" && echo "got: a change of a map by its id"
	ls "$pins/links" && echo "got: a list of pins"
	mount -t bpf bpf /root && echo "got: a BPF file system"
	"$EGRESSCTL" status && echo "got: the status"
	curl -sf --max-time 5 --unix-socket "$ADMIN" http://localhost/stats && echo "got: statistics"
	curl -sf --max-time 5 --unix-socket "$ADMIN" -X POST http://localhost/reset_counters && echo "got: a reset of counters"
	rm "$pins"/links/*_eg_connect4 && echo "got: a link"
	"$EGRESSCTL" uninstall --stop && echo "got: all of it"
	echo "got: to the end"
}

# successes of attempts() as COMMAND... in DIRECTORY runs it
successes() { # successes DIRECTORY COMMAND...
	local map size
	export -f attempts
	export EGRESSCTL ADMIN
	read -r map size < <(bpftool -j map show pinned "$PINS/maps/eg_retired" |
		python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["id"], d["bytes_value"])')
	# shellcheck disable=SC2046 # words
	within "$1" "${@:2}" bash -c 'attempts "$@" 2>/dev/null' bash "$PINS" "$map" $(yes 0 | head -n "$size") |
		sed -n 's/^got: //p'
}

@test "a workload of another user can neither read nor change maps, pins and the endpoint" {
	start_daemon
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	is "$(successes "$WORK" "${NOBODY[@]}")" "to the end"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

@test "nor can one that is root without capabilities, in a mount namespace without the node's BPF file system" {
	start_daemon
	is "$(successes "$WORK" unshare --mount bash -c 'umount -l "$0" && mount -t tmpfs none /sys/fs/bpf && exec "$@"' "$bpffs" \
		setpriv --bounding-set=-all --inh-caps=-all)" "to the end"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

@test "all of that succeeds for root outside of the workload, so that those failures are worth something" {
	start_daemon
	is "$(successes "$EG_CALLER" unshare --mount)" "a pinned map
a change of a pinned map
a map by its id
a change of a map by its id
a list of pins
a BPF file system
the status
statistics
a reset of counters
a link
all of it
to the end"
}

# Process 1 of a pid namespace: $DAEMON is who waits for it, $first the daemon.
start_as_first() {
	DAEMON_IN=(unshare --pid --fork --mount-proc)
	start_daemon "$@"
	first=$(pgrep -P "$DAEMON")
}

children_of_first() {
	cat "/proc/$first/task/$first/children"
}

has_children_of_first() {
	[ -n "$(children_of_first)" ]
}

no_children_of_first() {
	[ -z "$(children_of_first)" ]
}

@test "as process 1 of a container it enforces, buries orphans, reloads, and ends at SIGTERM with 0" {
	start_as_first
	is "$(sed -n 's/^NSpid:.*\t//p' "/proc/$first/status")" 1
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	mkfifo end
	nsenter --target "$first" --pid sh -c '(read -r line <end) & (exit 3) &'
	# The one that lives is its child now.
	wait_for 10 has_children_of_first
	echo >end
	wait_for 10 no_children_of_first
	policy true >policy.yaml
	nsenter --target "$first" --pid --mount kill -HUP 1
	wait_for 20 says 1 "generation 2 in force"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	nsenter --target "$first" --pid --mount kill -TERM 1
	wait_for 20 is_gone "$first"
	says 1 "stopping; enforcement stays"
	wait_for 20 is_gone "$DAEMON"
	DAEMON=
}
