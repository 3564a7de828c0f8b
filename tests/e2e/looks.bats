#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What the daemon makes of cgroups that are wrong, or come faster than it looks, and of what fails once a policy is in force.

load ../lib/common
load ../lib/daemon
load ../lib/chaos

setup() {
	daemon_setup
	start_servers
}

teardown() {
	[ -z "${maker:-}" ] || kill "$maker"
	[ ! -e "${others:-}" ] || rm -r "$others"
	[ -z "${mounts:-}" ] || there mount -o remount,rw "$bpffs"
	daemon_teardown
	[ -z "${mounts:-}" ] || kill "$mounts"
}

# globs PASSTHROUGH PATTERN [LINE...]: the policy of `web` on what is below $WORK
globs() {
	policy "$1" "${@:3}" | sed "s|cgroup: .*|cgroup: $WORK_PATH/$2|"
}

error_of_status() {
	status_of "d.get('look_error', '')"
}

@test "a cgroup is enrolled in its time, however fast others come and go beside it" {
	mkdir "$WORK/pod"
	globs false '*/app' >policy.yaml
	start_daemon
	# Each of them is a change that concerns the pattern.
	python3 -c '
import os, sys
print("begun", flush=True)
while True:
    os.mkdir(sys.argv[1])
    os.rmdir(sys.argv[1])' "$WORK/noise" >noise 3>&- &
	maker=$!
	wait_for 10 grep -q begun noise
	mkdir "$WORK/pod/app"
	wait_for 20 says 1 "web:pod/app: enforcing"
	kill "$maker"
	wait "$maker" || true
	maker=
	is "$(within "$WORK/pod/app" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

@test "a cgroup that two Workloads claim is said once, keeps no other from being enrolled, and an agent from starting anew" {
	globs false 'a*' >policy.yaml
	globs false 'a?' | sed -n '/^---/,$p' | sed 's/name: web/name: other/' >>policy.yaml
	start_daemon
	mkdir "$WORK/ab" "$WORK/abc"
	wait_for 20 says 1 "web:abc: enforcing"
	wait_for 20 says 1 "$WORK_PATH/ab belongs to Workload \"web\""
	has "$(error_of_status)" "$WORK_PATH/ab belongs to Workload \"web\""
	is "$(within "$WORK/abc" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	mkdir "$WORK/abcd"
	wait_for 20 says 1 "web:abcd: enforcing"
	is "$(grep -c 'not all is as generation' daemon.log)" 1
	# Only those who write a policy are told no.
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "not loaded, generation"
	kill_daemon
	start_daemon
	wait_for 20 says 1 "not all is as generation"
	is "$(grep -c "error: .*$WORK_PATH/ab belongs to Workload" daemon.log)" 1
	rmdir "$WORK/ab"
	wait_for 20 says 1 "all is as the policy says"
	is "$(error_of_status)" ""
}

# refused_anew PATTERN OTHER: what a reload refuses, since two Workloads claim the cgroup that one had, the next agent refuses as well.
refused_anew() {
	globs false "$1" >policy.yaml
	start_daemon
	is "$(within "$WORK/ab" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	globs false "$2" | sed -n '/^---/,$p' | sed 's/name: web/name: other/' >>policy.yaml
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "not loaded, generation"
	kill_daemon
	run timeout 20 "$EGRESSD" --admin none --policy policy.yaml
	is "$status" 3
	has "$output" "belongs to Workload \"web\""
	has "$output" "what is enforced stays so"
	is "$(within "$WORK/ab" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

@test "a policy that a reload refuses lets go of no cgroup when an agent starts anew" {
	mkdir "$WORK/ab" "$WORK/gone"
	refused_anew 'a*' 'a?'
	refused_anew ab /ab
	# That its cgroup is gone is no reason.
	globs false ab | sed "s|$WORK_PATH/ab|$WORK_PATH/gone|" >policy.yaml
	start_daemon
	kill_daemon
	rmdir "$WORK/gone"
	globs false /ab | sed -n '/^---/,$p' | sed 's/name: web/name: other/' >>policy.yaml
	globs false ab | sed -n '/^---/,$p' | sed 's/name: web/name: third/' >>policy.yaml
	start_daemon
	says 1 "$WORK_PATH/ab belongs to Workload"
}

# attach_alone CGROUP: another owner's program, beside which none may be attached there, but below.
attach_alone() {
	others=$bpffs/others-$BATS_TEST_NUMBER
	bpftool prog loadall "$EG_BUILD/tests/bpf/neighbour.bpf.o" "$others"
	bpftool cgroup attach "$1" cgroup_inet4_connect pinned "$others/their_connect4" override
}

detach_alone() {
	bpftool cgroup detach "$1" cgroup_inet4_connect pinned "$others/their_connect4"
	rm -r "$others"
}

@test "a gate that cannot be attached is said and tried again, and the policy that wants it stays in force" {
	mkdir "$WORK/pod1"
	globs true 'pod*' >policy.yaml
	start_daemon
	attach_alone "$WORK"
	globs false 'pod*' "unenrolled: refuse" >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "not all is as generation 2 says: Operation not permitted"
	has "$(cat daemon.log)" "policy: generation 2 in force"
	has "$(error_of_status)" "Operation not permitted"
	has "$("$EGRESSCTL" status)" "cgroups     NOT ALL as generation 2 says: Operation not permitted"
	is "$("$EGRESSCTL" stats --format prometheus | sed -n 's/^egressd_policy_load_failed //p')" 0
	is "$(within "$WORK/pod1" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	# A look that finds a new cgroup is one of the new policy.
	mkdir "$WORK/pod2"
	wait_for 20 says 1 "web:pod2: enforcing"
	is "$(ways_of "$WORK/pod1" $OUT4) $(ways_of "$WORK/pod2" $OUT4)" "errno EPERM errno EPERM errno EPERM errno EPERM"
	detach_alone "$WORK"
	wait_for 20 says 1 "what is in no enrolled cgroup is refused"
	wait_for 20 says 1 "all is as the policy says"
	is "$(error_of_status)" ""
	hasnt "$(cat daemon.log)" "not loaded"
}

@test "a gate that cannot be taken away is tried again, and goes" {
	mkdir "$WORK/pod1" "$WORK/other"
	globs true 'pod*' "unenrolled: refuse" >policy.yaml
	own_bpffs
	start_daemon "$PWD/policy.yaml"
	is "$(within "$WORK/other" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	there mount -o remount,ro "$bpffs"
	globs true 'pod*' >policy.yaml
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "not all is as generation 2 says: Read-only file system"
	there mount -o remount,rw "$bpffs"
	wait_for 20 says 1 "all is as the policy says"
	is "$(within "$WORK/other" "$CLIENT" tcp $OUT4 $TCP)" ok
	is "$(ls "$PINS/links" | wc -l)" $LINKS
}

@test "a cgroup file system that is covered under the agent does not look like the end of all cgroups" {
	mkdir "$WORK/pod1"
	globs false 'pod*' >policy.yaml
	DAEMON_IN=(unshare --mount)
	start_daemon "$PWD/policy.yaml"
	nsenter --mount="/proc/$DAEMON/ns/mnt" mount -t tmpfs none "$mount_point"
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "cgroup v2 was unmounted from $mount_point, or covered"
	is "$(within "$WORK/pod1" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	is "$(ls "$PINS/links" | wc -l)" $GUARDED_LINKS
	mkdir "$WORK/pod2"
	nsenter --mount="/proc/$DAEMON/ns/mnt" umount "$mount_point"
	wait_for 20 says 1 "web:pod2: enforcing"
	is "$(within "$WORK/pod2" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}
