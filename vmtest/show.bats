#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What a machine can end with, as it was recorded, and what prove makes of it: only one
# that ran all its tests on a kernel that complained about nothing passes. The consoles
# in tests/fixtures/console are of Linux 6.12: one that was well, `echo c
# >/proc/sysrq-trigger` in a test, a warning's first line written to /dev/kmsg, and a process
# that a cgroup had no memory for.

load ../tests/lib/common

setup() {
	export VMT_DIR=$BATS_TEST_TMPDIR EG_BUILD=$BATS_TEST_TMPDIR/results EG_NO_SKIPS=0
	# Who boots the machines is gone: what is not here will not come.
	VMT_BOOTING=$(sh -c 'echo $$')
	export VMT_BOOTING
	# A machine that was well, to be changed by each test.
	machine=$VMT_DIR/6.1
	mkdir "$machine"
	echo "powered off" >"$machine/status"
	cp "$EG_ROOT/tests/fixtures/console/healthy" "$machine/console"
	printf 't.bats\t%s\n' 1..2 "ok 1 one" "ok 2 two" "exit 0" >"$machine/tap"
	printf 'console\ttainted 0\n' >>"$machine/tap"
}

judged() { # judged ENTRY...: what check-vm runs
	cd "$EG_ROOT" || return
	run prove --exec vmtest/show "$@" tests/lib/sum-up
}

passes() {
	judged 6.1/t.bats 6.1/console
	is "$status" 0
}

fails() { # fails ENTRY TEXT...: this entry alone, and prove prints each text
	local other text
	other=$(printf '6.1/t.bats\n6.1/console\n' | grep -vx "$1")
	judged "$other"
	is "$status" 0
	judged "$1"
	is "$status" 1
	for text in "${@:2}"; do
		has "$output" "$text"
	done
}

@test "all tests passed, the kernel was content and the machine powered off: a pass" {
	passes
}

@test "a test that failed is a failure by its number" {
	sed -i 's/ok 2 two/not ok 2 two/; s/exit 0/exit 1/' "$machine/tap"
	sed -i $'/not ok 2/a t.bats\t# what it said' "$machine/tap"
	fails 6.1/t.bats "Failed test:  2" "6.1-t.bats: not ok 2 two" "what it said"
}

@test "a warning of systemd about something to install is none of the kernel's" {
	echo '[   31.000000] systemd[1]: egressd.service: Failed to add dependency, reinstall it' >>"$machine/console"
	passes
}

@test "TAP without a plan is a failure, whatever the exit status" {
	sed -i '/1\.\.2/d' "$machine/tap"
	fails 6.1/t.bats "No plan found in TAP output"
}

@test "fewer tests than planned are a failure" {
	sed -i '/ok 2/d' "$machine/tap"
	fails 6.1/t.bats "planned 2 tests but ran 1"
}

@test "an exit status other than 0 is a failure, whatever the tests say" {
	sed -i 's/exit 0/exit 124/' "$machine/tap"
	fails 6.1/t.bats "exited 124"
}

@test "a file that the machine never came to is a failure" {
	sed -i '/^t.bats/d' "$machine/tap"
	fails 6.1/t.bats "No plan found in TAP output"
}

@test "a machine that was never started fails in all entries" {
	rm -r "$machine"
	mkdir "$machine"
	judged 6.1/t.bats 6.1/console
	is "$status" 1
	has "$output" "was never started"
	has "$output" "6.1/t.bats"
	has "$output" "6.1/console"
}

@test "a panic in the middle of a file fails the file and the console, which shows the kernel's words" {
	cp "$EG_ROOT/tests/fixtures/console/panic" "$machine/console"
	sed -i '/ok 2/,$d' "$machine/tap"
	judged 6.1/t.bats
	is "$status" 1
	has "$output" "planned 2 tests but ran 1"
	judged 6.1/console
	is "$status" 1
	has "$output" "Failed tests:  1-2"
	has "$output" "Kernel panic - not syncing"
}

@test "a warning of the kernel fails the console though every test passed" {
	cp "$EG_ROOT/tests/fixtures/console/warning" "$machine/console"
	fails 6.1/console "Failed test:  2" "WARNING: CPU: 0"
}

@test "a process that is killed since its cgroup has no memory left is none of the kernel's complaints" {
	cat "$EG_ROOT/tests/fixtures/console/memory" >>"$machine/console"
	passes
	echo '[ 3070.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008' >>"$machine/console"
	fails 6.1/console "Failed test:  2" "BUG: kernel NULL"
}

@test "a kernel that has no memory left itself fails the console, and so does a report that breaks off" {
	sed 's/Memory cgroup out of memory/Out of memory/' "$EG_ROOT/tests/fixtures/console/memory" >>"$machine/console"
	fails 6.1/console "Failed test:  2" "invoked oom-killer"
	cp "$EG_ROOT/tests/fixtures/console/healthy" "$machine/console"
	sed '$d' "$EG_ROOT/tests/fixtures/console/memory" >>"$machine/console"
	fails 6.1/console "Failed test:  2" "invoked oom-killer"
}

@test "a kernel that is tainted fails the console though it printed nothing" {
	sed -i 's/tainted 0/tainted 512/' "$machine/tap"
	fails 6.1/console "Failed test:  2" "tainted: 512"
}

@test "a machine that hung fails the file and the console, with the time that it had" {
	echo "was not through after 40 s" >"$machine/status"
	sed -i '/ok 2/,$d' "$machine/tap"
	judged 6.1/t.bats
	is "$status" 1
	judged 6.1/console
	is "$status" 1
	has "$output" "Linux 6.1: was not through after 40 s"
}

@test "a machine that ran all tests and then hung, or was stopped, fails the console" {
	for end in "was not through after 40 s" "was killed" "could not be started" "QEMU ended with 1: no memory"; do
		echo "$end" >"$machine/status"
		fails 6.1/console "Failed test:  1" "Linux 6.1: $end"
	done
}

@test "each complaint of a kernel is one: stalls, lockups, oopses, bugs" {
	for line in "BUG: kernel NULL pointer dereference, address: 0000000000000008" \
		"Oops: 0000 [#1] PREEMPT SMP NOPTI" "rcu: INFO: rcu_preempt self-detected stall on CPU" \
		"watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [egressd:412]" \
		"INFO: task egressd:412 blocked for more than 120 seconds." \
		"general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] SMP" \
		"refcount_t: underflow; use-after-free." "WARNING: possible circular locking dependency detected"; do
		cp "$EG_ROOT/tests/fixtures/console/healthy" "$machine/console"
		printf '[   31.000000] %s\n' "$line" >>"$machine/console"
		fails 6.1/console "${line:0:30}"
	done
}

@test "a kernel that could not be downloaded is shown as fetch left it, and counted as a skip" {
	printf '1..1\nok 1 # skip Linux 6.1 could not be downloaded\n' >"$VMT_DIR/kernel-6.1.tap"
	passes
	EG_NO_SKIPS=0 judged 6.1/t.bats 6.1/console
	is "$status" 0
	has "$output" "2 skipped"
	EG_NO_SKIPS=1 judged 6.1/t.bats 6.1/console
	is "$status" 1
}

@test "CI boots the same kernels as check-vm, and no file of tests/e2e is forgotten" {
	local file
	is "$(sed -n 's/^\([0-9.]*\) .*/\1/p' "$EG_ROOT/vmtest/ci.list" | sort)" \
		"$(sed -n 's/^\([0-9.]*\) .*/\1/p' "$EG_ROOT/vmtest/kernels.list" | sort)"
	for file in "$EG_ROOT"/tests/e2e/*.bats; do
		grep -qE "[ -]tests/e2e/${file##*/}( |\$)" "$EG_ROOT/vmtest/ci.list" || { echo "in no list: $file" >&2; return 1; }
	done
}
