#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What `egressctl run` owes to the command that it runs.

load ../lib/common

setup() {
	eg_setup
}

teardown() {
	eg_teardown
}

@test "the exit status is the command's" {
	for expected in 0 1 7 255; do
		run ctl run -- sh -c "exit $expected"
		is "$status" $expected
	done
}

@test "a command that a signal ended gives 128 + signal" {
	run ctl run -- sh -c 'kill -TERM $$'
	is "$status" 143
	run ctl run -- sh -c 'kill -KILL $$'
	is "$status" 137
}

@test "a command that does not exist is 127 and one that cannot be executed 126" {
	run -127 ctl run -- no-such-command
	has "$output" no-such-command
	run -127 ctl run -- ./no-such-file
	echo text >file
	run ctl run -- ./file
	is "$status" 126
	has "$output" ./file
	run ctl run -- /
	is "$status" 126
}

@test "wrong usage is 2, a wrong policy 3, and neither starts the command" {
	run ctl run
	is "$status" 2
	run ctl run --no-such-flag -- touch started
	is "$status" 2
	run ctl run --passthrough perhaps -- touch started
	is "$status" 2
	run ctl run --mesh 10.0.0.0/33 -- touch started
	is "$status" 2
	run ctl run --mesh example.org -- touch started
	is "$status" 2
	echo 'type: Mash' >wrong.yaml
	run ctl run --policy wrong.yaml -- touch started
	is "$status" 3
	[ ! -e started ]
}

@test "without privileges it is 125, says why and does not start the command" {
	cp "$EGRESSCTL" ./egressctl
	chmod 755 . egressctl
	run nsenter --net="$EG_CLIENT" setpriv --reuid 65534 --regid 65534 --clear-groups ./egressctl run -- echo started
	is "$status" 125
	hasnt "$output" started
	has "$output" egressctl:
}

@test "standard output carries nothing but the command's" {
	run --separate-stderr ctl run --passthrough false --report r.json -- printf 'one\ntwo\n'
	is "$status" 0
	is "$output" "one
two"
	is "$stderr" ""
	is "$(ctl run -- true | wc -c)" 0
}

@test "standard input reaches the command whole" {
	seq 20000 >input
	ctl run -- cat <input >output
	cmp input output
	is "$(seq 20000 | ctl run -- tail -n 1)" 20000
}

@test "the environment passes through untouched" {
	# cat's own environment, so that no shell adds to it
	(in_cgroup "$EG_CALLER" env -i PATH="$PATH" EMPTY= ODD='a b=c' "$EGRESSCTL" run -- cat /proc/self/environ) >inside
	env -i PATH="$PATH" EMPTY= ODD='a b=c' cat /proc/self/environ >expected
	cmp expected inside
}

@test "the command inherits no descriptor of ours" {
	# ls has the folder itself open as 3; what else is open was open before
	is "$(ctl run -- ls /proc/self/fd 3>&- | tr '\n' ' ')" "$(ls /proc/self/fd 3>&- | tr '\n' ' ')"
}

@test "a descriptor that the caller left open stays open" {
	echo kept >file
	is "$(ctl run -- cat /proc/self/fd/7 7<file)" kept
}

@test "the command's signal mask and dispositions are the caller's" {
	is "$(ctl run -- grep -E 'Sig(Blk|Ign)' /proc/self/status)" "$(in_shell grep -E 'Sig(Blk|Ign)' /proc/self/status)"
}

in_shell() {
	(exec "$@")
}

@test "arguments reach the command as they are, -- and options included" {
	is "$(ctl run -- printf '[%s]' -- --mesh '' 'a b' '*')" "[--][--mesh][][a b][*]"
}

@test "the command starts in the caller's working directory" {
	mkdir -p 'a folder'
	cd 'a folder'
	is "$(ctl run -- pwd)" "$PWD"
	cd /
	is "$(ctl run -- pwd)" /
}

@test "a working directory that is gone hinders nobody" {
	mkdir gone
	cd gone
	rmdir ../gone
	is "$(ctl run -- echo fine)" fine
	cd ..
}

@test "a command is found in PATH, and in none when PATH does not name its folder" {
	mkdir bin
	printf '#!/bin/sh\necho found\n' >bin/mine
	chmod +x bin/mine
	is "$(PATH=$PWD/bin:$PATH ctl run -- mine)" found
	run -127 ctl run -- mine
	is "$(in_cgroup "$EG_CALLER" env -u PATH "$EGRESSCTL" run -- /bin/echo fine)" fine
}

@test "SIGTERM to the runner reaches the command, whose answer is the exit status" {
	start_ctl run -- bash -c 'trap "echo terminated; exit 9" TERM; echo started; sleep 1000 & wait'
	wait_for 10 grep -q started run.out
	kill -TERM $RUNNER
	finish
	is "$status" 9
	is "$(tail -n 1 run.out)" terminated
}

@test "SIGTERM to the runner ends a command that does not handle it with 143" {
	start_ctl run -- sh -c 'echo started; exec sleep 1000'
	wait_for 10 grep -q started run.out
	kill -TERM $RUNNER
	finish
	is "$status" 143
}

@test "SIGINT, SIGHUP, SIGUSR1 and SIGQUIT to the runner reach the command" {
	for signal in INT HUP USR1 QUIT; do
		start_ctl run -- python3 -c "
import signal, sys
signal.signal(signal.SIG$signal, lambda *_: sys.exit(33))
print('started', flush=True)
while True:
    signal.pause()"
		wait_for 10 grep -q started run.out
		kill -$signal $RUNNER
		finish
		is "$signal $status" "$signal 33"
	done
}

@test "Ctrl-C on a terminal ends the command by SIGINT and the run with 130" {
	run in_caller python3 "$EG_ROOT/tests/lib/on_terminal.py" started '\x03' "$EGRESSCTL" run -- sh -c 'echo started; exec sleep 1000'
	is "${lines[-1]##*^C}" "status 130"
}

@test "Ctrl-C on a terminal lets a command that handles it decide, and it is asked once" {
	run in_caller python3 "$EG_ROOT/tests/lib/on_terminal.py" started '\x03' "$EGRESSCTL" run -- python3 -c '
import signal, sys, time
count = 0
def interrupted(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, interrupted)
print("started", flush=True)
while not count:
    signal.sigtimedwait([], 0.01)
deadline = time.monotonic() + 0.3
while time.monotonic() < deadline:
    signal.sigtimedwait([], 0.1)
print("asked", count)
sys.exit(5)'
	is "${lines[-2]##*^C}" "asked 1"
	is "${lines[-1]}" "status 5"
}

in_caller() {
	(in_cgroup "$EG_CALLER" "$@")
}

@test "a command on a terminal can read from it" {
	run in_caller python3 "$EG_ROOT/tests/lib/on_terminal.py" 'name?' 'Ada\n' "$EGRESSCTL" run -- sh -c 'echo "name?"; read name; echo "hello $name"'
	has "$output" "hello Ada"
	is "${lines[-1]}" "status 0"
}

@test "what the command left in the background is killed when it exits" {
	run ctl run -- sh -c 'sleep 1000 >/dev/null 2>&1 & setsid sleep 1000 >/dev/null 2>&1 & echo $!'
	is "$status" 0
	[[ $output =~ ^[0-9]+$ ]]
	wait_for 5 is_gone "$output"
}

@test "sub-cgroups that the command made are removed with it" {
	run ctl run -- bash -c "
		run=\$(echo $EG_CALLER/egressctl-run-*)
		mkdir -p \$run/a/b \$run/c
		(echo \$BASHPID >\$run/a/b/cgroup.procs; exec sleep 1000) >/dev/null 2>&1 &
		(echo \$BASHPID >\$run/c/cgroup.procs; exec true)
		until grep -q . \$run/a/b/cgroup.procs; do :; done"
	is "$status $output" "0 "
	nothing_left
}

@test "the command's cgroup lies below the caller's and bears the runner's process id" {
	mkfifo fifo
	start_ctl run -- sh -c 'grep ^0:: /proc/self/cgroup; exec cat fifo'
	wait_for 10 grep -q ^0:: run.out
	has "$(cat run.out)" "/$EG_NAME/caller/egressctl-run-$RUNNER"
	[ -d "$RUN_CGROUP" ]
	echo >fifo
	finish
	is "$status" 0
	[ ! -d "$RUN_CGROUP" ]
}

@test "the runner itself is not in the command's cgroup" {
	start_ctl run -- sh -c 'echo started; exec sleep 1000'
	wait_for 10 grep -q started run.out
	run grep -x $RUNNER "$RUN_CGROUP/cgroup.procs"
	is "$status" 1
	kill -TERM $RUNNER
	finish
}
