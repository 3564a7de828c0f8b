#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Words of the command line itself.

load ../lib/cli

setup() {
	cli_setup
}

LIMITS="--max-connections --max-pending-requests --max-requests --max-retries"
TIMEOUTS="--connect-timeout --idle-timeout --max-connection-duration"
COMMANDS="run check explain status stats clusters flows destinations monitor top preflight detach uninstall"

@test "--help prints every command on stdout and exits 0" {
	run --separate-stderr ctl --help
	is "$status" 0
	is "$stderr" ""
	for command in $COMMANDS; do
		has "$output" "$command"
	done
}

@test "every command has --help with exit 0 and its own name on stdout" {
	for command in $COMMANDS; do
		run --separate-stderr ctl $command --help
		is "$command $status" "$command 0"
		has "$output" "egressctl $command"
		is "$stderr" ""
	done
}

@test "run --help names each of its flags" {
	run ctl run --help
	for flag in --policy --passthrough --mesh --report $LIMITS $TIMEOUTS; do
		has "$output" $flag
	done
}

@test "--help after run's -- belongs to the command" {
	run ctl run --help -- ls
	is "$status" 0
	has "$output" "egressctl run"
}

@test "no command at all is usage on stderr and exit 2" {
	run --separate-stderr ctl
	is "$status" 2
	is "$output" ""
	has "$stderr" sage
}

@test "an unknown command is named and exits 2, with the one that was meant" {
	run --separate-stderr ctl chekc
	is "$status" 2
	is "$output" ""
	has "$stderr" chekc
	has "$stderr" check
}

@test "an unknown flag is named and exits 2" {
	for command in check explain "run --"; do
		run --separate-stderr ctl ${command% --} --no-such-flag x
		is "$command $status" "$command 2"
		has "$stderr" --no-such-flag
		is "$output" ""
	done
}

@test "a flag without its value exits 2" {
	for flag in --policy --passthrough --mesh --report $LIMITS $TIMEOUTS; do
		run ctl run $flag
		is "$flag $status" "$flag 2"
		has "$output" $flag
	done
}

@test "a limit that is no whole number is refused by its flag, and the command does not start" {
	for flag in $LIMITS; do
		for value in -1 5.0 1e3 many "" 4294967296 007; do
			run --separate-stderr ctl run $flag "$value" -- touch started
			is "$flag $value $status" "$flag $value 2"
			has "$stderr" "$flag wants a whole number"
			is "$output" ""
		done
	done
	[ ! -e started ]
}

@test "a timeout that is no duration is refused by its flag, and the command does not start" {
	for flag in $TIMEOUTS; do
		for value in 5 1d soon "" 5S " 5s" 1e3s; do
			run --separate-stderr ctl run $flag "$value" -- touch started
			is "$flag $value $status" "$flag $value 2"
			has "$stderr" "$flag wants a duration"
		done
		run --separate-stderr ctl run $flag -5s -- touch started
		is "$flag $status" "$flag 2"
		has "$stderr" "$flag must not be negative"
	done
	[ ! -e started ]
}

@test "only a connect timeout must be more than 0" {
	run --separate-stderr ctl run --connect-timeout 0 -- touch started
	is "$status" 2
	has "$stderr" "--connect-timeout must be more than 0"
	for flag in --idle-timeout --max-connection-duration; do
		run --separate-stderr ctl run $flag 0 --no-such-flag -- touch started
		has "$stderr" --no-such-flag
	done
	[ ! -e started ]
}

@test "a timeout that does not do what it says is warned of, and one that does is not" {
	for wrong in "--connect-timeout 3h never acts" "--idle-timeout 999us is below 1ms"; do
		read -r flag value part <<<"$wrong"
		run --separate-stderr ctl run $flag $value --no-such-flag -- touch started
		has "$stderr" "$flag $value $part"
	done
	run --separate-stderr ctl run --connect-timeout 127s --idle-timeout 1ms --no-such-flag -- touch started
	hasnt "$stderr" "never acts"
	hasnt "$stderr" "is below"
}

@test "check without a path and explain without a workload exit 2" {
	run ctl check
	is "$status" 2
	run ctl explain
	is "$status" 2
}

@test "what Prometheus scrapes is whole: stats does not follow it" {
	run --separate-stderr ctl stats --follow --format prometheus
	is "$status" 2
	has "$stderr" "--follow goes with --format text or json"
}

@test "preflight refuses a time that has not been, however far away" {
	for year in 2100 2262 2263 2300 2554 9999; do
		run --separate-stderr ctl preflight --since "$year-01-02T03:04:05Z"
		is "$year $status" "$year 2"
		has "$stderr" "a time that has been"
	done
}

@test "top refuses an interval and a count that make no sense" {
	for wrong in "--interval 0" "--interval 99ms" "--interval 2h" "--interval 2" "--count 0" "--count -1"; do
		run --separate-stderr ctl top $wrong
		is "$wrong $status" "$wrong 2"
		has "$stderr" "${wrong% *} is a"
	done
}

@test "--version prints a version and exits 0" {
	run ctl --version
	is "$status" 0
	[[ $output =~ [0-9]+\.[0-9]+\.[0-9]+ ]]
}

@test "output that cannot be written is a failure, not a success" {
	printf 'type: Mesh\nname: default\n' >p.yaml
	run sh -c "'$EGRESSCTL' explain --policy p.yaml --json w >/dev/full"
	is "$status" 1
}
