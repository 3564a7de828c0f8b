#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What this kernel's verifier makes of each program, against what is recorded of it.

load ../lib/common

setup() {
	require_root
	cd "$BATS_TEST_TMPDIR" || return 1
}

@test "no program costs the verifier much more than is recorded for this kernel, or needs more stack" {
	status=0
	"$EG_ROOT/tools/budget" check "$PWD/costs" >complaints || status=$?
	# for `make budget`, which reads what a guest prints
	sed $'s/^/# cost\t/' costs >&3
	cat complaints
	[ $status = 0 ]
	grep -q ^eg_connect4 costs
}

@test "a program that costs more than is recorded fails that check, by its name, with the command that accepts it" {
	mkdir -p tree/vmtest/budget
	cp -r "$EG_ROOT/tools" tree
	record=tree/vmtest/budget/$(uname -r | grep -oE '^[0-9]+\.[0-9]+').tsv
	"$EG_BUILD/tools/verifier_cost" >costs
	{
		echo "# Linux, $(grep -aom1 'clang version [0-9]*' "$EG_BUILD/bpf/egress.bpf.o"):"
		awk -F '\t' -v OFS='\t' '$1 == "eg_connect4" { $2 = int($2 / 2) } { print }' costs
	} >"$record"
	EG_BUILD=$(cd "$EG_BUILD" && pwd) run tree/tools/budget check
	is "$status" 1
	[[ ${lines[0]} =~ ^eg_connect4:\ [0-9]+\ instructions\ verified,\ of\ which\ [0-9]+\ are\ recorded ]]
	is "${lines[1]}" "if that is meant to be: make budget, and say why in the commit"
	is "${#lines[@]}" 2
}
