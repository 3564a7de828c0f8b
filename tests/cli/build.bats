#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The Makefile, beside what tools/deps unpacks below the folder that it builds in.

load ../lib/cli

setup() {
	cli_setup
}

@test "a folder below the build folder that is named like a list of dependencies is not read as one" {
	mkdir -p build/proxies/etc/rsyslog.d
	run make --no-print-directory -C "$EG_ROOT" BUILD="$PWD/build" help
	is "$status" 0
	[[ $output == *check-vm* ]]
}
