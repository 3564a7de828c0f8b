#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The manual pages say what the programs do: options, kinds, examples.

load ../lib/cli

MAN=$EG_ROOT/user/man
EXAMPLES=$MAN/examples
POLICY_PAGE=$EG_BUILD/man/egress-policy.5

setup() {
	cli_setup
}

# The options that --help lists, without --help itself.
helped() {
	grep -oE '^  --[a-z-]+' | tr -d ' ' | grep -vx -- --help | sort
}

# Those of a page's text, from mdoc's two ways to write a long option.
written() {
	grep -oE 'Fl (-|Fl )[a-z][a-z-]*' | sed -E 's/Fl (-|Fl )/--/' | grep -vx -- --help | sort -u
}

# The kinds that the page has fields of.
page_kinds() {
	sed -n '/^\.Sh KINDS/,/^\.Sh ENVOY/s/^\.Ss //p' "$POLICY_PAGE"
}

# synopsis COMMAND: what SYNOPSIS of egressctl(8) has of it.
synopsis() {
	awk -v command="$1" '/^\.Sh/ { on = 0; inside = $2 == "SYNOPSIS" } !inside { next }
		/^\.Nm/ { on = 0 } /^\.Cm/ { for (i = 2; i <= NF; i++) if ($i == command) on = 1 } on' "$MAN/egressctl.8"
}

@test "the synopsis of egressctl(8) has each option of each command's --help, and no other" {
	commands=$(ctl --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -w <<<"$commands")" -ge 9 ]
	for command in $commands; do
		[ -n "$(synopsis "$command")" ]
		is "$command: $(ctl "$command" --help | helped)" "$command: $(synopsis "$command" | written)"
	done
}

@test "egressctl(8) says of each option what it is for, and of no other" {
	for command in $(ctl --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		ctl "$command" --help | helped
	done | sort -u >helped
	sed '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/d; /^\.Cm clusters/,/^\.Sh/d' "$MAN/egressctl.8" | written >written
	is "$(comm -3 helped written)" ""
}

@test "egressd(8) and egressd --help have the same options" {
	timeout 10 "$EG_BUILD/egressd" --help | helped | sort -u >helped
	is "$(cat helped)" "$(written <"$MAN/egressd.8")"
	grep -q . helped
}

@test "each reason of a verdict stands in egressctl(8) and in the README" {
	sed -nE 's/^\tX\([A-Z_]+, [a-z_]+, "([a-z-]+)", .*/\1/p' "$EG_ROOT/include/egress/verdict.h" >reasons
	is "$(wc -l <reasons)" "$(grep -c '^	X(' "$EG_ROOT/include/egress/verdict.h")"
	sed -n '/^A report also has/,/^connected UDP/p' "$EG_ROOT/README.md" | tr '\n' ' ' |
		sed 's/`-max-/`blocked-max-/g' >report
	while read -r reason; do
		grep -qx "\.It $reason" "$MAN/egressctl.8" || { echo "not in egressctl(8): $reason" >&2; return 1; }
		grep -qF "\`$reason\`" report || { echo "not in the README: $reason" >&2; return 1; }
	done <reasons
}

@test "each kind that egress-policy(5) has fields of has an example that check accepts without a warning" {
	[ "$(page_kinds | wc -l)" -ge 5 ]
	for kind in $(page_kinds); do
		run ctl check "$EXAMPLES/$kind.yaml"
		is "$kind: $status" "$kind: 0"
		is "$kind: ${lines[-1]}" "$kind: egressctl check: 1 document, 0 errors, 0 warnings"
		grep -qE "^(type|kind): $kind\$" "$EXAMPLES/$kind.yaml"
	done
}

@test "all examples of egress-policy(5) are on the page, word for word, and each is a valid policy" {
	for example in "$EXAMPLES"/*.yaml; do
		run ctl check "$example"
		is "$example: $status" "$example: 0"
		python3 -IS - "$example" "$POLICY_PAGE" <<-'END'
			import sys
			example, page = (open(path).read() for path in sys.argv[1:])
			sys.exit(f".Bd -literal -offset indent -compact\n{example}.Ed\n" not in page)
		END
	done
}

@test "a field that check suggests is on the page, at its path" {
	printf 'type: Mesh\nname: m\nnetworking:\n  outbound:\n    passtrough: 1\n' >p.yaml
	ctl check p.yaml | grep -q 'did you mean "passthrough"'
	sed -n '/^\.Ss Mesh$/,/^\.Ss /p' "$POLICY_PAGE" | grep -qx '.It Va networking.outbound.passthrough'
	sed -n '/^\.Ss Cluster$/,/^\.Ss /p' "$POLICY_PAGE" | grep -qx '.It Va circuitBreakers.thresholds\[\].maxConnections'
}

# explained EXPRESSION FILE: of a command under a policy without a Workload.
explained() {
	ctl explain --policy "$2" --json curl >e.json 2>/dev/null || return
	json e.json "$1"
}

@test "what egress-policy(5) says is the same in two kinds is the same to explain" {
	for what in 'd["clusters"]' 'd["passthrough"]'; do
		is "$(explained "$what" "$EXAMPLES/migration-proxytemplate.yaml")" "$(explained "$what" "$EXAMPLES/migration-meshproxypatch.yaml")"
		is "$(explained "$what" "$EXAMPLES/migration-passthrough.yaml")" "$(explained "$what" "$EXAMPLES/migration-meshpassthrough.yaml")"
	done
	is "$(explained 'd["passthrough"]' "$EXAMPLES/migration-meshpassthrough.yaml")" False
	is "$(explained 'd["clusters"]["outbound:passthrough:ipv4"]' "$EXAMPLES/migration-meshproxypatch.yaml")" \
		"{'max_connections': 2048, 'max_pending_requests': 2048, 'max_requests': 2048, 'max_retries': 4, 'connect_timeout_ms': 99000, 'idle_timeout_ms': 10800000}"
	ctl check --kuma 3 "$EXAMPLES/migration-meshpassthrough.yaml" >out
	is "$(cat out)" ""
}

# The faults that README says the daemon lives through, as the tests' titles have them.
faults() {
	sed -n '/^### What the daemon lives through/,/^### At/s/^| \([^|]*[^ |-]\) |.*/\1/p' "$EG_ROOT/README.md" | sed '1d; s/ (`.*`)$//'
}

@test "each fault that the README's table names is what a test is about, and each such test has its row" {
	cd "$EG_ROOT/tests/e2e"
	faults >"$BATS_TEST_TMPDIR/faults"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/faults")" -gt 10 ]
	while read -r fault; do
		grep -qF "@test \"$fault" ./*.bats ../../vmtest/clock.bats || { echo "no test: $fault" >&2; return 1; }
	done <"$BATS_TEST_TMPDIR/faults"
	is "$(sed -n 's/^@test "\(.*\)" {$/\1/p' chaos.bats scarcity.bats upgrade.bats | grep -vFf "$BATS_TEST_TMPDIR/faults")" ""
}
