#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What tests/leak/run has seen, as README tells it.

load ../lib/common

@test "README's table of what is enforced is what the leak harness has seen" {
	"$EG_ROOT/tests/leak/table" check
}
