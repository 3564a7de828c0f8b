#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The node's limits of inotify: egressd goes on, looks for itself, and says so.
#
# The limits are counted for each user, so the daemon runs here as one of its own, with
# root's capabilities, whose instances or watches are all taken by somebody else.

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	LIMITED_USER=$((2000000000 + $$))
	# Folders that this user made would be a foreigner's.
	mkdir -m 700 "$PINS" "$PINS/maps" "$PINS/links" "$PINS/netns" "$PINS/iters"
	printf '#!/bin/sh\nexec setpriv --reuid=%s --inh-caps=%s --ambient-caps=%s "%s" "$@"\n' \
		$LIMITED_USER "$CAPABILITIES" "$CAPABILITIES" "$EGRESSD" >egressd
	chmod +x egressd
	EGRESSD=./egressd
}

CAPABILITIES=+sys_admin,+net_admin,+bpf,+perfmon,+dac_override

teardown() {
	[ -z "${HOG:-}" ] || end_hog
	daemon_teardown
}

# take_all instances|watches: until end_hog.
take_all() {
	mkdir hog
	chmod 777 hog
	(cd hog && exec setpriv --reuid=$LIMITED_USER prlimit --nofile=4096 python3 -IS "$EG_ROOT/tests/lib/inotify_hog.py" "$1") \
		>hog.out 2>&1 3>&- &
	HOG=$!
	disown
	wait_for 60 grep -q full hog.out || { cat hog.out >&2; return 1; }
}

end_hog() {
	kill -KILL $HOG
	wait_for 20 is_gone $HOG
	HOG=
}

# not_told: what status says about changes that come late, one line each.
not_told() {
	"$EGRESSCTL" status --json >status.json
	json status.json "'\n'.join('%s | %s' % (n['what'], n['remedy']) for n in d['not_enforced'] if 'the agent looks every' in n['what'])"
}

refuses() { # refuses DIRECTORY
	[ "$(within "$1" "$CLIENT" udp-connect $OUT4 $UDP)" = "errno EPERM" ]
}

@test "with no inotify instance left the daemon starts, looks for changes itself, says so once, and recovers" {
	take_all instances
	policy true | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|" >policy.yaml
	start_daemon
	has "$(cat daemon.log)" "policy files: no inotify instance is left: looking every 10 s; raise fs.inotify.max_user_instances"
	has "$(cat daemon.log)" "cgroups: no inotify instance is left"
	has "$(not_told)" "changes of policy files may be taken late: no inotify instance is left"
	has "$(not_told)" "cgroups may be enforced late: no inotify instance is left"
	has "$(not_told)" "| raise fs.inotify.max_user_instances (sysctl)"
	policy false | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|" >policy.yaml
	mkdir "$WORK/a"
	wait_for 30 says 1 "web:a: enforcing on"
	wait_for 30 refuses "$WORK/a"
	is "$(grep -c 'no inotify instance is left' daemon.log)" 2
	# A look that finds nothing new changes nothing.
	"$EGRESSCTL" status --json >status.json
	generation=$(json status.json "d['generation']")
	end_hog
	wait_for 30 says 1 "policy files: changes are told again"
	wait_for 30 says 1 "cgroups: changes are told again"
	is "$(not_told)" ""
	is "$(json status.json "d['generation']")" "$generation"
	mkdir "$WORK/b"
	wait_for 5 says 1 "web:b: enforcing on"
}

@test "with no inotify watch left a new policy is in force all the same, and its cgroups are found" {
	policy true >policy.yaml
	start_daemon
	take_all watches
	mkdir "$WORK/below"
	policy false | sed "s|cgroup: .*|cgroup: $WORK_PATH/below/*|" >policy.yaml
	wait_for 30 says 1 "generation 2 in force"
	has "$(cat daemon.log)" "cgroups: no inotify watch is left: looking every 10 s; raise fs.inotify.max_user_watches"
	has "$(not_told)" "cgroups may be enforced late: no inotify watch is left: the agent looks every 10 s | raise fs.inotify.max_user_watches (sysctl)"
	mkdir "$WORK/below/a"
	wait_for 30 says 1 "web:a: enforcing on"
	refuses "$WORK/below/a"
	end_hog
	wait_for 30 says 1 "cgroups: changes are told again"
	is "$(not_told)" ""
	is "$(grep -c 'no inotify watch is left' daemon.log)" 1
}

@test "changes that come faster than they are read are taken, and that some were not told is said for a while" {
	mkdir conf
	policy true >conf/policy.yaml
	start_daemon conf
	kill -STOP $DAEMON
	python3 -IS -c '
for i in range(int(open("/proc/sys/fs/inotify/max_queued_events").read()) + 1):
    open("conf/%d" % (i % 2), "w").close()'
	policy false >conf/policy.yaml
	kill -CONT $DAEMON
	wait_for 20 says 1 "generation 2 in force"
	refuses "$WORK"
	has "$(cat daemon.log)" "policy files: changes came faster than they could be read"
	has "$(not_told)" "| raise fs.inotify.max_queued_events (sysctl) and restart egressd"
	wait_for 30 says 1 "policy files: changes are told again"
	is "$(not_told)" ""
}

@test "a policy's folder that goes and comes again under its name is read again" {
	mkdir conf
	policy true >conf/policy.yaml
	start_daemon conf/policy.yaml
	mv conf old
	wait_for 10 says 1 "policy files: the folder to watch is not there"
	has "$(not_told)" "the folder to watch is not there: the agent looks every 10 s | make the folder again"
	mkdir conf
	policy false >conf/policy.yaml
	wait_for 30 says 1 "generation 2 in force"
	refuses "$WORK"
	wait_for 10 says 1 "policy files: changes are told again"
	policy true >conf/policy.yaml
	wait_for 5 says 1 "generation 3 in force"
}
