#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What a socket call answers, for every way to reach a destination.

load ../lib/common

setup() {
	eg_setup
	start_servers
}

teardown() {
	eg_teardown
}

WAYS_TCP="tcp tcp-nonblocking tcp-send tcp-fastopen tcp-fastopen-connect"
WAYS_UDP="udp-connect udp-sendto udp-sendmsg udp-sendmmsg"

# "WAY ANSWER" for each way to ADDRESS; runs as the command of egressctl.
write_ways() {
	cat >ways <<-END
		#!/bin/bash
		for way in $WAYS_TCP; do echo "\$way \$($CLIENT \$way \$1 $TCP)"; done
		echo "mptcp \$($CLIENT mptcp \$1 $MPTCP)"
		for way in $WAYS_UDP; do echo "\$way \$($CLIENT \$way \$1 $UDP)"; done
	END
	chmod +x ways
}

all_ways_answer() { # all_ways_answer ANSWER
	local way
	for way in $WAYS_TCP mptcp $WAYS_UDP; do
		echo "$way $1"
	done
}

nothing_arrived() { # nothing_arrived ADDRESS
	arrived_exactly 0 tcp "$1" $TCP
	arrived_exactly 0 mptcp "$1" $MPTCP
	arrived_exactly 0 udp "$1" $UDP
}

all_arrived() { # all_arrived ADDRESS; sendmmsg sends three
	arrived_exactly 5 tcp "$1" $TCP
	arrived_exactly 1 mptcp "$1" $MPTCP
	arrived_exactly 6 udp "$1" $UDP
}

@test "with passthrough false every way to a non-mesh IPv4 address is EPERM and nothing arrives" {
	write_ways
	is "$(ctl run --passthrough false -- ./ways $OUT4)" "$(all_ways_answer 'errno EPERM')"
	nothing_arrived $OUT4
}

@test "with passthrough false every way to a non-mesh IPv6 address is EPERM and nothing arrives" {
	write_ways
	is "$(ctl run --passthrough false -- ./ways $OUT6)" "$(all_ways_answer 'errno EPERM')"
	nothing_arrived $OUT6
}

@test "with passthrough false every way to a non-mesh mapped address is EPERM and nothing arrives" {
	write_ways
	is "$(ctl run --passthrough false -- ./ways ::ffff:$OUT4)" "$(all_ways_answer 'errno EPERM')"
	nothing_arrived $OUT4
}

@test "with passthrough false and --mesh ADDR/32 every way to that IPv4 address succeeds and arrives" {
	write_ways
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- ./ways $MESH4)" "$(all_ways_answer ok)"
	all_arrived $MESH4
}

@test "with passthrough false and --mesh ADDR/128 every way to that IPv6 address succeeds and arrives" {
	write_ways
	is "$(ctl run --passthrough false --mesh $MESH6/128 -- ./ways $MESH6)" "$(all_ways_answer ok)"
	all_arrived $MESH6
}

@test "an IPv4 mesh prefix lets every way through that uses the mapped form of its addresses" {
	write_ways
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- ./ways ::ffff:$MESH4)" "$(all_ways_answer ok)"
	all_arrived $MESH4
}

@test "with passthrough true every way succeeds, by IPv4, IPv6 and mapped addresses" {
	write_ways
	is "$(ctl run --passthrough true -- ./ways $OUT4)" "$(all_ways_answer ok)"
	is "$(ctl run --passthrough true -- ./ways $OUT6)" "$(all_ways_answer ok)"
	is "$(ctl run -- ./ways ::ffff:$OUT4)" "$(all_ways_answer ok)"
}

@test "a mesh prefix covers its addresses and not the one beside it" {
	is "$(ctl run --passthrough false --mesh 10.91.0.0/31 -- "$CLIENT" tcp $MESH4 $TCP)" "errno EPERM"
	is "$(ctl run --passthrough false --mesh 10.91.0.2/31 -- "$CLIENT" tcp $MESH4 $TCP)" ok
	is "$(ctl run --passthrough false --mesh 10.91.0.2/31 -- "$CLIENT" tcp $OUT4 $TCP)" ok
	is "$(ctl run --passthrough false --mesh fd91::2/128 -- "$CLIENT" tcp $OUT6 $TCP)" "errno EPERM"
}

@test "a mesh prefix is masked: its host bits do not matter" {
	is "$(ctl run --passthrough false --mesh 10.91.0.77/24 -- "$CLIENT" tcp $MESH4 $TCP)" ok
}

@test "::/0 as the mesh covers IPv6 and never IPv4, mapped or not" {
	is "$(ctl run --passthrough false --mesh ::/0 -- "$CLIENT" tcp $OUT6 $TCP)" ok
	is "$(ctl run --passthrough false --mesh ::/0 -- "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	is "$(ctl run --passthrough false --mesh ::/0 -- "$CLIENT" tcp ::ffff:$OUT4 $TCP)" "errno EPERM"
}

@test "0.0.0.0/0 as the mesh covers IPv4, mapped too, and never IPv6" {
	is "$(ctl run --passthrough false --mesh 0.0.0.0/0 -- "$CLIENT" tcp $OUT4 $TCP)" ok
	is "$(ctl run --passthrough false --mesh 0.0.0.0/0 -- "$CLIENT" tcp ::ffff:$OUT4 $TCP)" ok
	is "$(ctl run --passthrough false --mesh 0.0.0.0/0 -- "$CLIENT" tcp $OUT6 $TCP)" "errno EPERM"
}

@test "a mesh prefix inside ::ffff:0:0/96 means the IPv4 prefix" {
	is "$(ctl run --passthrough false --mesh ::ffff:$MESH4/128 -- "$CLIENT" tcp $MESH4 $TCP)" ok
	is "$(ctl run --passthrough false --mesh ::ffff:$MESH4/128 -- "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

@test "an IPv6 UDP socket that is given an AF_INET address is judged by IPv4" {
	is "$(ctl run --passthrough false --mesh ::/0 -- "$CLIENT" udp6-sendto $OUT4 $UDP)" "errno EPERM"
	is "$(ctl run --passthrough false --mesh ::/0 -- "$CLIENT" udp6-connect $OUT4 $UDP)" "errno EPERM"
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- "$CLIENT" udp6-sendto $MESH4 $UDP)" ok
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- "$CLIENT" udp6-connect $MESH4 $UDP)" ok
	arrived_exactly 0 udp $OUT4 $UDP
	arrived_exactly 2 udp $MESH4 $UDP
}

@test "a datagram with AF_UNSPEC as its family is judged as IPv4" {
	is "$(ctl run --passthrough false -- "$CLIENT" udp-sendto-unspec $OUT4 $UDP)" "errno EPERM"
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- "$CLIENT" udp-sendto-unspec $MESH4 $UDP)" ok
	arrived_exactly 0 udp $OUT4 $UDP
}

@test "a UDP socket connected to the mesh cannot send a datagram elsewhere" {
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- "$CLIENT" udp-connected-sendto $MESH4 $UDP $OUT4 $UDP)" "errno EPERM"
	is "$(ctl run --passthrough false --mesh $MESH6/128 -- "$CLIENT" udp-connected-sendto $MESH6 $UDP $OUT6 $UDP)" "errno EPERM"
	arrived_exactly 0 udp $OUT4 $UDP
	arrived_exactly 0 udp $OUT6 $UDP
}

@test "a UDP socket connected to the mesh cannot be connected elsewhere, at once or after a disconnect" {
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- "$CLIENT" udp-reconnect $MESH4 $UDP $OUT4 $UDP)" "errno EPERM"
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- "$CLIENT" udp-disconnect-reconnect $MESH4 $UDP $OUT4 $UDP)" "errno EPERM"
}

@test "a TCP socket that was connected to the mesh cannot be connected elsewhere afterwards" {
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- "$CLIENT" tcp-disconnect-reconnect $MESH4 $TCP $OUT4 $TCP)" "errno EPERM"
	is "$(ctl run --passthrough false --mesh 10.91.0.2/31 -- "$CLIENT" tcp-disconnect-reconnect $MESH4 $TCP $OUT4 $TCP)" ok
	arrived_exactly 1 tcp $OUT4 $TCP
}

@test "a UDP-Lite socket is EPERM while passthrough is false, unless the Workload allows it: then its address decides" {
	is "$(ctl run --passthrough false -- "$CLIENT" udplite-sendto $OUT4 $UDP)" "errno EPERM"
	is "$(ctl run --passthrough false --mesh $MESH6/128 -- "$CLIENT" udplite-sendto $MESH6 $UDP)" "errno EPERM"
	printf 'type: Workload\nname: w\nmesh: default\nallowProtocols: [udplite]\n' >lite.yaml
	is "$(ctl run --policy lite.yaml --passthrough false --mesh $MESH4/32 -- "$CLIENT" udplite-sendto $OUT4 $UDP)" "errno EPERM"
	is "$(ctl run --policy lite.yaml --passthrough false --mesh $MESH4/32 -- "$CLIENT" udplite-sendto $MESH4 $UDP)" ok
}

@test "a rule with a port lets UDP-Lite to that port and to no other" {
	printf 'type: Workload\nname: w\nmesh: default\nallowProtocols: [udplite]\n' >lite.yaml
	printf 'allow: [{cidr: %s, port: %s, protocol: udplite}]\n' $OUT4/32 $UDP >>lite.yaml
	for way in udplite-sendto udplite-connect; do
		is "$way $(ctl run --policy lite.yaml --passthrough false -- "$CLIENT" $way $OUT4 $UDP)" "$way ok"
		is "$way $(ctl run --policy lite.yaml --passthrough false -- "$CLIENT" $way $OUT4 $((UDP + 1)))" "$way errno EPERM"
	done
	printf 'type: Workload\nname: w\nmesh: default\nallowProtocols: [udplite]\n' >lite.yaml
	printf 'allow: [{cidr: %s, port: %s, protocol: udplite}]\n' $OUT6/128 $UDP >>lite.yaml
	is "$(ctl run --policy lite.yaml --passthrough false -- "$CLIENT" udplite-sendto $OUT6 $UDP)" ok
	is "$(ctl run --policy lite.yaml --passthrough false -- "$CLIENT" udplite-sendto $OUT6 $((UDP + 1)))" "errno EPERM"
}

@test "an address of the workload's own interface is non-mesh" {
	start_server "$EG_CLIENT" tcp:$OWN4:$TCP tcp:$OWN6:$TCP
	is "$(ctl run --passthrough false -- "$CLIENT" tcp $OWN4 $TCP)" "errno EPERM"
	is "$(ctl run --passthrough false -- "$CLIENT" tcp $OWN6 $TCP)" "errno EPERM"
	is "$(ctl run --passthrough true -- "$CLIENT" tcp $OWN4 $TCP)" ok
}

@test "multicast, broadcast and link-local addresses are non-mesh" {
	for address in 224.0.0.251 255.255.255.255 169.254.169.254 ff02::fb fe80::1; do
		is "$address $(ctl run --passthrough false -- "$CLIENT" udp-sendto $address $UDP)" "$address errno EPERM"
	done
}

@test "loopback always works, however it is written" {
	start_server "$EG_CLIENT" tcp:0.0.0.0:$TCP tcp:::1:$TCP udp:0.0.0.0:$UDP udp:::1:$UDP
	for address in 127.0.0.1 127.5.6.7 0.0.0.0 ::1 :: ::ffff:127.0.0.1 ::ffff:0.0.0.0; do
		is "$address $(ctl run --passthrough false -- "$CLIENT" tcp $address $TCP)" "$address ok"
		is "$address $(ctl run --passthrough false -- "$CLIENT" udp-sendto $address $UDP)" "$address ok"
	done
}

@test "unix sockets and socket pairs are none of our business" {
	run ctl run --passthrough false -- python3 -c '
import socket
a, b = socket.socketpair()
a.send(b"x")
listener = socket.socket(socket.AF_UNIX)
listener.bind("sock")
listener.listen()
socket.socket(socket.AF_UNIX).connect("sock")
print(b.recv(1).decode())'
	is "$status $output" "0 x"
}

@test "curl says Operation not permitted for a blocked host and gets a mesh host" {
	for host in $OUT4 $OUT6 "::ffff:$OUT4"; do
		run ctl run --passthrough false --mesh $MESH4/32 --mesh $MESH6/128 -- "${CURL[@]}" --verbose "$(url $host)"
		is "$host $status" "$host 7"
		has "$output" "Operation not permitted"
	done
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- "${CURL[@]}" "$(url $MESH4)")" "hello from $MESH4 port $TCP"
	is "$(ctl run --passthrough false --mesh $MESH6/128 -- "${CURL[@]}" "$(url $MESH6)")" "hello from $MESH6 port $TCP"
	is "$(ctl run --passthrough false --mesh $MESH4/32 -- "${CURL[@]}" "$(url ::ffff:$MESH4)")" "hello from $MESH4 port $TCP"
}

@test "python gets a PermissionError for a blocked host" {
	run ctl run --passthrough false -- python3 -c "
import socket
try:
    socket.create_connection(('$OUT4', $TCP), 5)
except PermissionError as e:
    print('PermissionError', e.errno)"
	is "$output" "PermissionError 1"
}

@test "children of the command, in another network namespace too, are held to its policy" {
	run ctl run --passthrough false --mesh $MESH4/32 -- sh -c "
		$CLIENT tcp $OUT4 $TCP
		sh -c '$CLIENT tcp $OUT4 $TCP; true'
		unshare --net sh -c 'ip link set lo up; $CLIENT tcp $OUT4 $TCP; $CLIENT tcp 127.0.0.1 $TCP'
		nsenter --net=$EG_SERVER $CLIENT tcp $OUT4 $TCP
		nsenter --net=$EG_SERVER $CLIENT tcp $MESH4 $TCP"
	is "$output" "errno EPERM
errno EPERM
errno EPERM
errno ECONNREFUSED
errno EPERM
ok"
}

@test "a command that made its own sub-cgroup and moved there is held to its policy" {
	run ctl run --passthrough false -- bash -c "
		run=\$(echo $EG_CALLER/egressctl-run-*)
		mkdir \$run/sub
		echo \$\$ >\$run/sub/cgroup.procs
		$CLIENT tcp $OUT4 $TCP"
	is "$output" "errno EPERM"
}

@test "what is outside the run is not touched while it lasts" {
	start_ctl run --passthrough false -- "$CLIENT" pester tcp $OUT4 $TCP
	wait_for 10 grep -q 'attempts' run.out
	is "$(outside "$CLIENT" tcp $OUT4 $TCP)" ok
	kill -TERM $RUNNER
	finish
	is "$status" 143
}
