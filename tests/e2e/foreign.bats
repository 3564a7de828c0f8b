#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Sockets that were made outside a workload and are used in it: found on every kernel, and
# judged where the kernel takes programs of the BPF LSM (EG_LSM: known to, and a test fails
# where it does not).

load ../lib/common
load ../lib/daemon
load ../lib/chaos

FOREIGN=$EG_ROOT/tests/lib/foreign.py
PORT=9100

setup() {
	daemon_setup
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $OUT4 $PORT
	start_listener "$EG_CGROUP/servers" "$EG_SERVER" $MESH4 $PORT
	mkdir "$EG_CGROUP/outside"
	policy false "allow: [{cidr: $MESH4}]" >policy.yaml
}

teardown() {
	daemon_teardown
}

# use NAME CGROUP WORD...: foreign.py in that cgroup and in the background, NAME.in and NAME.out; $USER_PID is its process.
use() {
	local name=$1 cgroup=$2
	shift 2
	mkfifo "$name.in"
	(in_cgroup "$cgroup" nsenter --net="$EG_CLIENT" python3 "$FOREIGN" "$@") <>"$name.in" >"$name.out" 2>&1 3>&- &
	USER_PID=$!
	disown
	wait_for 20 grep -q made "$name.out"
}

# sent NAME: what comes of one more byte.
sent() {
	local lines
	lines=$(wc -l <"$1.out")
	echo >"$1.in"
	wait_for 10 grew "$1" "$lines"
	tail -n 1 "$1.out"
}

grew() {
	[ "$(wc -l <"$1.out")" -gt "$2" ]
}

# Whether status is to say that the layer is in force.
has_lsm() {
	[ -z "${EG_LSM:-}" ] && echo False || echo True
}

# What a forbidden byte comes to here.
refused() {
	[ -z "${EG_LSM:-}" ] && echo ok || echo "errno EPERM"
}

# What status says of sockets of the workload that are not its own.
found() {
	status_of "[(s['protocol'], s['address'], s['port'], s['comm']) for s in d['workloads'][0]['foreign']]"
}

said() {
	status_of "'\n'.join(n['what'] for n in d['not_enforced'] if n.get('workload') == 'web')"
}

@test "a socket whose process was moved into the workload is listed with its peer and process, and judged where the LSM is" {
	start_daemon
	use bad "$EG_CGROUP/outside" hold tcp $OUT4 $PORT
	is "$(found)" "[]"
	echo "$USER_PID" >"$WORK/cgroup.procs"
	is "$(found)" "[('tcp', '$OUT4', $PORT, 'python3')]"
	has "$(said)" "1 open sockets are not seen by its cgroup's hooks: tcp to $OUT4:$PORT (python3[$USER_PID])"
	is "$("$EGRESSCTL" stats --format prometheus | sed -n 's/^egressd_foreign_sockets //p')" 1
	is "$(sent bad)" "$(refused)"
	is "$(status_of "[l['in_force'] for l in d['layers'] if l['name'] == 'lsm']")" "[$(has_lsm)]"
	use good "$EG_CGROUP/outside" hold tcp $MESH4 $PORT
	echo "$USER_PID" >"$WORK/cgroup.procs"
	is "$(sent good)" ok
	kill_daemon
	is "$(status_of "len(d['workloads'][0]['foreign'])")" 2
}

@test "a socket that comes in over a Unix socket is listed, and judged where the LSM is" {
	start_daemon
	(in_cgroup "$EG_CGROUP/outside" nsenter --net="$EG_CLIENT" python3 "$FOREIGN" give "$PWD/give" udp $OUT4 $PORT) 3>&- &
	disown
	wait_for 20 test -S give
	use taken "$WORK" take "$PWD/give"
	is "$(found)" "[('udp', '$OUT4', $PORT, 'python3')]"
	is "$(sent taken)" "$(refused)"
}

@test "a socket that a process inherited before it joined the workload is listed, and judged where the LSM is" {
	start_daemon
	use forked "$EG_CGROUP/outside" fork "$WORK/cgroup.procs" tcp $OUT4 $PORT
	is "$(found)" "[('tcp', '$OUT4', $PORT, 'python3')]"
	is "$(sent forked)" "$(refused)"
}

@test "a packet socket from before the policy is listed, and what the workload's hooks see is not" {
	use early "$WORK" hold packet
	use own "$WORK" hold udp $MESH4 $PORT
	start_daemon
	is "$(found)" "[('packet', '0.0.0.0', 0, 'python3')]"
	has "$(said)" "not seen by its cgroup's hooks: packet (python3["
	is "$(sent early)" "$(refused)"
	is "$(sent own)" ok
	policy false "allow: [{cidr: $MESH4}]" "allowProtocols: [packet]" >policy.yaml
	change 2
	is "$(found)" "[]"
	is "$(sent early)" ok
}

# How many links the workload has of programs of the LSM, and of all.
lsm_links() {
	find "$PINS/links" -name '*_eg_guard_any' -o -name '*_eg_guard_conn' -o -name '*_eg_guard_send' | wc -l
}

all_links() {
	find "$PINS/links" -type f | wc -l
}

@test "programs of the LSM come and go with the guard, and a restart takes them over, where the kernel has them" {
	wanted=$((GUARDED_LINKS - 10))
	start_daemon
	is "$(lsm_links) $(all_links)" "$wanted $GUARDED_LINKS"
	is "$(status_of "d['workloads'][0]['enforced']")" True
	policy true >policy.yaml
	change 2
	is "$(lsm_links) $(all_links)" "0 $LINKS"
	is "$(status_of "d['workloads'][0]['enforced']")" True
	policy false >policy.yaml
	change 3
	is "$(lsm_links)" "$wanted"
	kill_daemon
	start_daemon
	is "$(lsm_links) $(all_links)" "$wanted $GUARDED_LINKS"
	is "$(status_of "d['workloads'][0]['enforced']")" True
	run "$EGRESSCTL" uninstall --stop
	is "$status" 0
	DAEMON=
	[ ! -e "$PINS" ]
	# of other tests there may be some
	hasnt "$output" " on $WORK"
}

@test "egressctl run has them too" {
	wanted=0
	[ -z "${EG_LSM:-}" ] || wanted=1
	run ctl run --passthrough false --mesh $MESH4/32 --report report.json -- \
		python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'
	is "$status" $wanted
	is "$(python3 -c 'import json; print(json.load(open("report.json"))["verdicts"]["blocked-protocol"])')" $wanted
}

@test "a start that lacks a descriptor to look for the LSM is refused and says so, and is no start without it" {
	require_strace
	DAEMON_IN=(strace -D -qq -o /dev/null -P /sys/kernel/security/lsm -e inject=openat:error=EMFILE)
	launch_daemon
	wait_for 20 is_gone "$DAEMON"
	DAEMON=
	has "$(cat daemon.log)" "cannot load the BPF programs: Too many open files: raise the limit of descriptors"
	[ ! -e "$PINS" ]
	DAEMON_IN=()
	start_daemon
}
