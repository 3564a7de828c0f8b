#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What the daemon tells the service manager that started it, and when. vmtest/systemd.bats has systemd itself.

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	start_servers
	policy false >policy.yaml
	export NOTIFY_SOCKET=$PWD/notify
	python3 -IS -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listens", flush=True)
while True:
    print(s.recv(4096).decode().replace("\n", " "), flush=True)' "$NOTIFY_SOCKET" >told 3>&- &
	manager=$!
	disown
	wait_for 10 grep -q listens told
}

teardown() {
	[ -z "${manager:-}" ] || kill "$manager"
	daemon_teardown
}

told() { # told COUNT PATTERN
	[ "$(grep -c -- "$2" told)" -ge "$1" ]
}

@test "it is ready when the policy is in force, tells of a reload and how it ended, and that it stops" {
	launch_daemon
	wait_for 20 told 1 '^READY=1'
	# No more than one thing was said, and by then it was so.
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	is "$(sed -n 2p told)" "READY=1 STATUS=generation 1 in force"
	policy true >policy.yaml
	wait_for 20 told 2 '^READY=1'
	[[ $(sed -n 3p told) =~ ^RELOADING=1\ MONOTONIC_USEC=[0-9]+$ ]]
	is "$(sed -n 4p told)" "READY=1 STATUS=generation 2 in force"
	echo 'type: Mash' >policy.yaml
	wait_for 20 told 3 '^READY=1'
	has "$(sed -n 6p told)" "READY=1 STATUS=generation 2 in force; not loaded: policy"
	kill -TERM "$DAEMON"
	wait_for 20 is_gone "$DAEMON"
	DAEMON=
	wait_for 10 told 1 '^STOPPING=1'
	is "$(tail -n 1 told)" STOPPING=1
}

is_stopped() { # is_stopped PID
	grep -q '^State:.T' "/proc/$1/status"
}

@test "it answers a watchdog from its loop, and goes on after a stop" {
	export WATCHDOG_USEC=200000
	start_daemon
	wait_for 20 told 5 '^WATCHDOG=1'
	kill -STOP "$DAEMON"
	wait_for 10 is_stopped "$DAEMON"
	before=$(grep -c ^WATCHDOG=1 told)
	kill -CONT "$DAEMON"
	wait_for 20 told $((before + 5)) '^WATCHDOG=1'
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

@test "a policy with errors is never ready, and no manager at all is no problem" {
	echo 'type: Mash' >wrong.yaml
	run timeout 20 "$EGRESSD" --admin none --policy wrong.yaml
	is "$status" 3
	is "$(cat told)" listens
	unset NOTIFY_SOCKET
	start_daemon
	is "$(cat told)" listens
}
