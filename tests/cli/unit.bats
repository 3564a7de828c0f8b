#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The unit that `make install` brings, as systemd's own tool reads it. It runs in vmtest/systemd.bats.

load ../lib/cli

setup() {
	cli_setup
	command -v systemd-analyze >/dev/null || skip "needs systemd-analyze"
	make --no-print-directory -s -C "$EG_ROOT" install PREFIX="$PWD/usr" >make.out
	UNIT=$PWD/usr/lib/systemd/system/egressd.service
}

@test "systemd finds nothing wrong with the unit" {
	run systemd-analyze verify --man=no --recursive-errors=no "$UNIT"
	is "$output" ""
	is "$status" 0
}

@test "the unit starts the program that was installed with it, and installing again and uninstalling is whole" {
	program=$(sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' "$UNIT")
	is "$("$program" --version)" "$("$EG_BUILD/egressd" --version)"
	make --no-print-directory -s -C "$EG_ROOT" uninstall PREFIX="$PWD/usr" >make.out
	is "$(find usr -type f)" ""
}

@test "the unit bounds capabilities to those that the daemon keeps, and its exposure is no more than it has to be" {
	is "$(sed -n 's/^CapabilityBoundingSet=//p' "$UNIT" | tr ' ' '\n' | sort)" \
		"$(sed -n 's/^\.It Dv CAP_/CAP_/p' "$EG_ROOT/user/man/egressd.8" | sort)"
	# In tenths. Root with CAP_SYS_ADMIN in the node's network is most of what is left.
	run systemd-analyze security --no-pager --offline=yes --threshold=50 "$UNIT"
	echo "$output"
	is "$status" 0
}
