#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Who may come in to a workload: each mode of mTLS, kind of client, listener and port. The
# daemon and the workload are those of the whole file; where the mode of a test is
# another one than before, the policy is changed under them.

load ../lib/common
load ../lib/daemon
load ../lib/incoming

setup_file() {
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR BATS_TEST_NUMBER=0
	incoming_setup
	incoming_policy off >policy.yaml
	start_daemon
	export DAEMON
	echo "off 1" >mode
}

teardown_file() {
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	daemon_teardown
}

# enter_mode MODE: it is in force, and whoever looks at clients does.
enter_mode() {
	local mode generation
	read -r mode generation <mode
	[ "$mode" != "$1" ] || return 0
	incoming_policy "$1" >policy.yaml
	change $((generation + 1))
	echo "$1 $((generation + 1))" >mode
	[ "$1" = off ] || wait_for 10 looked_up
}

# cell MODE CLIENT LISTENER PORT
cell() {
	local blocked seen
	cd "$BATS_FILE_TMPDIR"
	enter_mode "$1"
	blocked=$(counted web "$(family_of "$3").verdicts.incoming_blocked")
	seen=answered
	[ "$1-$2" != STRICT-outside ] || seen=refused
	is "$(client "$2" tcp "$3" "$4")" $seen
	[ $seen = answered ] || blocked=$((blocked + 1))
	is "$(counted web "$(family_of "$3").verdicts.incoming_blocked")" "$blocked"
}

@test "while mTLS is STRICT, a mesh client comes in to an IPv4 listener on a declared port" { cell STRICT mesh v4 declared; }
@test "while mTLS is STRICT, a mesh client comes in to an IPv4 listener on an undeclared port" { cell STRICT mesh v4 undeclared; }
@test "while mTLS is STRICT, a mesh client comes in to an IPv6 listener on a declared port" { cell STRICT mesh v6 declared; }
@test "while mTLS is STRICT, a mesh client comes in to an IPv6 listener on an undeclared port" { cell STRICT mesh v6 undeclared; }
@test "while mTLS is STRICT, a mesh client comes in to an IPv6 listener by IPv4 on a declared port" { cell STRICT mesh mapped declared; }
@test "while mTLS is STRICT, a mesh client comes in to an IPv6 listener by IPv4 on an undeclared port" { cell STRICT mesh mapped undeclared; }
@test "while mTLS is STRICT, a client outside the mesh is refused to an IPv4 listener on a declared port" { cell STRICT outside v4 declared; }
@test "while mTLS is STRICT, a client outside the mesh is refused to an IPv4 listener on an undeclared port" { cell STRICT outside v4 undeclared; }
@test "while mTLS is STRICT, a client outside the mesh is refused to an IPv6 listener on a declared port" { cell STRICT outside v6 declared; }
@test "while mTLS is STRICT, a client outside the mesh is refused to an IPv6 listener on an undeclared port" { cell STRICT outside v6 undeclared; }
@test "while mTLS is STRICT, a client outside the mesh is refused to an IPv6 listener by IPv4 on a declared port" { cell STRICT outside mapped declared; }
@test "while mTLS is STRICT, a client outside the mesh is refused to an IPv6 listener by IPv4 on an undeclared port" { cell STRICT outside mapped undeclared; }
@test "while mTLS is STRICT, a client on loopback comes in to an IPv4 listener on a declared port" { cell STRICT loopback v4 declared; }
@test "while mTLS is STRICT, a client on loopback comes in to an IPv4 listener on an undeclared port" { cell STRICT loopback v4 undeclared; }
@test "while mTLS is STRICT, a client on loopback comes in to an IPv6 listener on a declared port" { cell STRICT loopback v6 declared; }
@test "while mTLS is STRICT, a client on loopback comes in to an IPv6 listener on an undeclared port" { cell STRICT loopback v6 undeclared; }
@test "while mTLS is STRICT, a client on loopback comes in to an IPv6 listener by IPv4 on a declared port" { cell STRICT loopback mapped declared; }
@test "while mTLS is STRICT, a client on loopback comes in to an IPv6 listener by IPv4 on an undeclared port" { cell STRICT loopback mapped undeclared; }
@test "while mTLS is STRICT, its own proxy comes in to an IPv4 listener on a declared port" { cell STRICT proxy v4 declared; }
@test "while mTLS is STRICT, its own proxy comes in to an IPv4 listener on an undeclared port" { cell STRICT proxy v4 undeclared; }
@test "while mTLS is STRICT, its own proxy comes in to an IPv6 listener on a declared port" { cell STRICT proxy v6 declared; }
@test "while mTLS is STRICT, its own proxy comes in to an IPv6 listener on an undeclared port" { cell STRICT proxy v6 undeclared; }
@test "while mTLS is STRICT, its own proxy comes in to an IPv6 listener by IPv4 on a declared port" { cell STRICT proxy mapped declared; }
@test "while mTLS is STRICT, its own proxy comes in to an IPv6 listener by IPv4 on an undeclared port" { cell STRICT proxy mapped undeclared; }
@test "while mTLS is STRICT, a health probe comes in to an IPv4 listener on a declared port" { cell STRICT probe v4 declared; }
@test "while mTLS is STRICT, a health probe comes in to an IPv4 listener on an undeclared port" { cell STRICT probe v4 undeclared; }
@test "while mTLS is STRICT, a health probe comes in to an IPv6 listener on a declared port" { cell STRICT probe v6 declared; }
@test "while mTLS is STRICT, a health probe comes in to an IPv6 listener on an undeclared port" { cell STRICT probe v6 undeclared; }
@test "while mTLS is STRICT, a health probe comes in to an IPv6 listener by IPv4 on a declared port" { cell STRICT probe mapped declared; }
@test "while mTLS is STRICT, a health probe comes in to an IPv6 listener by IPv4 on an undeclared port" { cell STRICT probe mapped undeclared; }
@test "while mTLS is PERMISSIVE, a mesh client comes in to an IPv4 listener on a declared port" { cell PERMISSIVE mesh v4 declared; }
@test "while mTLS is PERMISSIVE, a mesh client comes in to an IPv4 listener on an undeclared port" { cell PERMISSIVE mesh v4 undeclared; }
@test "while mTLS is PERMISSIVE, a mesh client comes in to an IPv6 listener on a declared port" { cell PERMISSIVE mesh v6 declared; }
@test "while mTLS is PERMISSIVE, a mesh client comes in to an IPv6 listener on an undeclared port" { cell PERMISSIVE mesh v6 undeclared; }
@test "while mTLS is PERMISSIVE, a mesh client comes in to an IPv6 listener by IPv4 on a declared port" { cell PERMISSIVE mesh mapped declared; }
@test "while mTLS is PERMISSIVE, a mesh client comes in to an IPv6 listener by IPv4 on an undeclared port" { cell PERMISSIVE mesh mapped undeclared; }
@test "while mTLS is PERMISSIVE, a client outside the mesh comes in to an IPv4 listener on a declared port" { cell PERMISSIVE outside v4 declared; }
@test "while mTLS is PERMISSIVE, a client outside the mesh comes in to an IPv4 listener on an undeclared port" { cell PERMISSIVE outside v4 undeclared; }
@test "while mTLS is PERMISSIVE, a client outside the mesh comes in to an IPv6 listener on a declared port" { cell PERMISSIVE outside v6 declared; }
@test "while mTLS is PERMISSIVE, a client outside the mesh comes in to an IPv6 listener on an undeclared port" { cell PERMISSIVE outside v6 undeclared; }
@test "while mTLS is PERMISSIVE, a client outside the mesh comes in to an IPv6 listener by IPv4 on a declared port" { cell PERMISSIVE outside mapped declared; }
@test "while mTLS is PERMISSIVE, a client outside the mesh comes in to an IPv6 listener by IPv4 on an undeclared port" { cell PERMISSIVE outside mapped undeclared; }
@test "while mTLS is PERMISSIVE, a client on loopback comes in to an IPv4 listener on a declared port" { cell PERMISSIVE loopback v4 declared; }
@test "while mTLS is PERMISSIVE, a client on loopback comes in to an IPv4 listener on an undeclared port" { cell PERMISSIVE loopback v4 undeclared; }
@test "while mTLS is PERMISSIVE, a client on loopback comes in to an IPv6 listener on a declared port" { cell PERMISSIVE loopback v6 declared; }
@test "while mTLS is PERMISSIVE, a client on loopback comes in to an IPv6 listener on an undeclared port" { cell PERMISSIVE loopback v6 undeclared; }
@test "while mTLS is PERMISSIVE, a client on loopback comes in to an IPv6 listener by IPv4 on a declared port" { cell PERMISSIVE loopback mapped declared; }
@test "while mTLS is PERMISSIVE, a client on loopback comes in to an IPv6 listener by IPv4 on an undeclared port" { cell PERMISSIVE loopback mapped undeclared; }
@test "while mTLS is PERMISSIVE, its own proxy comes in to an IPv4 listener on a declared port" { cell PERMISSIVE proxy v4 declared; }
@test "while mTLS is PERMISSIVE, its own proxy comes in to an IPv4 listener on an undeclared port" { cell PERMISSIVE proxy v4 undeclared; }
@test "while mTLS is PERMISSIVE, its own proxy comes in to an IPv6 listener on a declared port" { cell PERMISSIVE proxy v6 declared; }
@test "while mTLS is PERMISSIVE, its own proxy comes in to an IPv6 listener on an undeclared port" { cell PERMISSIVE proxy v6 undeclared; }
@test "while mTLS is PERMISSIVE, its own proxy comes in to an IPv6 listener by IPv4 on a declared port" { cell PERMISSIVE proxy mapped declared; }
@test "while mTLS is PERMISSIVE, its own proxy comes in to an IPv6 listener by IPv4 on an undeclared port" { cell PERMISSIVE proxy mapped undeclared; }
@test "while mTLS is PERMISSIVE, a health probe comes in to an IPv4 listener on a declared port" { cell PERMISSIVE probe v4 declared; }
@test "while mTLS is PERMISSIVE, a health probe comes in to an IPv4 listener on an undeclared port" { cell PERMISSIVE probe v4 undeclared; }
@test "while mTLS is PERMISSIVE, a health probe comes in to an IPv6 listener on a declared port" { cell PERMISSIVE probe v6 declared; }
@test "while mTLS is PERMISSIVE, a health probe comes in to an IPv6 listener on an undeclared port" { cell PERMISSIVE probe v6 undeclared; }
@test "while mTLS is PERMISSIVE, a health probe comes in to an IPv6 listener by IPv4 on a declared port" { cell PERMISSIVE probe mapped declared; }
@test "while mTLS is PERMISSIVE, a health probe comes in to an IPv6 listener by IPv4 on an undeclared port" { cell PERMISSIVE probe mapped undeclared; }
@test "while there is no mTLS, a mesh client comes in to an IPv4 listener on a declared port" { cell off mesh v4 declared; }
@test "while there is no mTLS, a mesh client comes in to an IPv4 listener on an undeclared port" { cell off mesh v4 undeclared; }
@test "while there is no mTLS, a mesh client comes in to an IPv6 listener on a declared port" { cell off mesh v6 declared; }
@test "while there is no mTLS, a mesh client comes in to an IPv6 listener on an undeclared port" { cell off mesh v6 undeclared; }
@test "while there is no mTLS, a mesh client comes in to an IPv6 listener by IPv4 on a declared port" { cell off mesh mapped declared; }
@test "while there is no mTLS, a mesh client comes in to an IPv6 listener by IPv4 on an undeclared port" { cell off mesh mapped undeclared; }
@test "while there is no mTLS, a client outside the mesh comes in to an IPv4 listener on a declared port" { cell off outside v4 declared; }
@test "while there is no mTLS, a client outside the mesh comes in to an IPv4 listener on an undeclared port" { cell off outside v4 undeclared; }
@test "while there is no mTLS, a client outside the mesh comes in to an IPv6 listener on a declared port" { cell off outside v6 declared; }
@test "while there is no mTLS, a client outside the mesh comes in to an IPv6 listener on an undeclared port" { cell off outside v6 undeclared; }
@test "while there is no mTLS, a client outside the mesh comes in to an IPv6 listener by IPv4 on a declared port" { cell off outside mapped declared; }
@test "while there is no mTLS, a client outside the mesh comes in to an IPv6 listener by IPv4 on an undeclared port" { cell off outside mapped undeclared; }
@test "while there is no mTLS, a client on loopback comes in to an IPv4 listener on a declared port" { cell off loopback v4 declared; }
@test "while there is no mTLS, a client on loopback comes in to an IPv4 listener on an undeclared port" { cell off loopback v4 undeclared; }
@test "while there is no mTLS, a client on loopback comes in to an IPv6 listener on a declared port" { cell off loopback v6 declared; }
@test "while there is no mTLS, a client on loopback comes in to an IPv6 listener on an undeclared port" { cell off loopback v6 undeclared; }
@test "while there is no mTLS, a client on loopback comes in to an IPv6 listener by IPv4 on a declared port" { cell off loopback mapped declared; }
@test "while there is no mTLS, a client on loopback comes in to an IPv6 listener by IPv4 on an undeclared port" { cell off loopback mapped undeclared; }
@test "while there is no mTLS, its own proxy comes in to an IPv4 listener on a declared port" { cell off proxy v4 declared; }
@test "while there is no mTLS, its own proxy comes in to an IPv4 listener on an undeclared port" { cell off proxy v4 undeclared; }
@test "while there is no mTLS, its own proxy comes in to an IPv6 listener on a declared port" { cell off proxy v6 declared; }
@test "while there is no mTLS, its own proxy comes in to an IPv6 listener on an undeclared port" { cell off proxy v6 undeclared; }
@test "while there is no mTLS, its own proxy comes in to an IPv6 listener by IPv4 on a declared port" { cell off proxy mapped declared; }
@test "while there is no mTLS, its own proxy comes in to an IPv6 listener by IPv4 on an undeclared port" { cell off proxy mapped undeclared; }
@test "while there is no mTLS, a health probe comes in to an IPv4 listener on a declared port" { cell off probe v4 declared; }
@test "while there is no mTLS, a health probe comes in to an IPv4 listener on an undeclared port" { cell off probe v4 undeclared; }
@test "while there is no mTLS, a health probe comes in to an IPv6 listener on a declared port" { cell off probe v6 declared; }
@test "while there is no mTLS, a health probe comes in to an IPv6 listener on an undeclared port" { cell off probe v6 undeclared; }
@test "while there is no mTLS, a health probe comes in to an IPv6 listener by IPv4 on a declared port" { cell off probe mapped declared; }
@test "while there is no mTLS, a health probe comes in to an IPv6 listener by IPv4 on an undeclared port" { cell off probe mapped undeclared; }
