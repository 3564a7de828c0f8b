#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What must live while passthrough is false and the guard looks at every packet.

load ../lib/common
load ../lib/daemon

EXCHANGE=(python3 -IS "$EG_ROOT/tests/lib/exchange.py")

setup() {
	daemon_setup
	start_servers
}

teardown() {
	local namespace
	for namespace in "$EG_NAME-x" "$EG_NAME-y"; do
		[ ! -e "/run/netns/$namespace" ] || ip netns del "$namespace"
	done
	daemon_teardown
}

# start_guarded [NODE-LINE...] -- [WORKLOAD-LINE...]
start_guarded() {
	local node=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		node+=("$1")
		shift
	done
	{
		policy false "${@:2}"
		printf '%s\n' --- 'type: Node' 'name: node' "meshCIDRs: [$MESH4/32, $MESH6/128]" "${node[@]}"
	} >policy.yaml
	start_daemon
}

# tries ANSWER WAY ADDRESS PORT, from the workload
tries() {
	is "$2 $3 $(within "$WORK" "$CLIENT" "$2" "$3" "$4")" "$2 $3 $1"
}

# from_peer WAY ADDRESS PORT: from the other side of the veth pair, under no enforcement
from_peer() {
	nsenter --net="$EG_SERVER" "$CLIENT" "$@"
}

nothing_dropped() {
	is "$(counted web ipv4.verdicts.blocked_guard)" 0
	is "$(counted web ipv6.verdicts.blocked_guard)" 0
}

# serve SPEC...: servers that are the workload's
serve() {
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" "$EG_BUILD/tests/lib/server" "$BATS_TEST_TMPDIR/work.log" "$@") \
		>work.err 2>&1 3>&- &
	wait_for 10 grep -q ready work.log
}

# exchanges NAMESPACE ADDRESS: from the workload a megabyte goes each way to and from that address of the namespace
exchanges() {
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$1" "${EXCHANGE[@]}" serve "$2" 7001) >"served.$2" 3>&- &
	wait_for 10 grep -q ready "served.$2"
	is "$(within "$WORK" timeout $RUN_LIMIT_S "${EXCHANGE[@]}" connect "$2" 7001 1000000 1000000 </dev/null)" exchanged
}

# ---- what comes in

@test "a server of the workload answers whoever connects, by IPv4, IPv6 and MPTCP" {
	start_guarded --
	serve tcp:$OWN4:9000 tcp:$OWN6:9000 mptcp:$OWN4:9001
	is "$(from_peer tcp-send-read $OWN4 9000)" ok
	is "$(from_peer tcp-send-read $OWN6 9000)" ok
	is "$(from_peer mptcp $OWN4 9001)" ok
	nothing_dropped
}

@test "a megabyte comes in and goes out by a connection that was accepted" {
	start_guarded --
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" "${EXCHANGE[@]}" serve $OWN4 7001) >served 3>&- &
	wait_for 10 grep -q ready served
	is "$(nsenter --net="$EG_SERVER" "${EXCHANGE[@]}" connect $OWN4 7001 1000000 1000000 </dev/null)" exchanged
	nothing_dropped
}

@test "a connection that the workload accepts on a listener made outside the cgroup is answered" {
	start_guarded --
	(exec nsenter --net="$EG_CLIENT" python3 -IS - "$WORK/cgroup.procs" >accepted 3>&-) <<-END &
		import socket, sys
		listener = socket.create_server(("$OWN4", 9000))
		with open(sys.argv[1], "w") as procs:
		    procs.write("0")
		print("ready", flush=True)
		connection, _ = listener.accept()
		connection.sendall(connection.recv(64))
	END
	wait_for 10 grep -q ready accepted
	is "$(from_peer tcp-send-read $OWN4 9000)" ok
	nothing_dropped
}

@test "a server answers by UDP whoever wrote to it, and the one that did not write is refused" {
	start_guarded --
	serve udp:$OWN4:9000 udp:$OWN6:9000
	is "$(from_peer udp-sendto-hear $OWN4 9000)" ok
	is "$(from_peer udp-connect-hear $OWN6 9000)" ok
	tries 'errno EPERM' udp-sendto $OUT4 $UDP
	nothing_dropped
}

@test "who writes to a port that nobody listens on, or connects to it, is told so" {
	start_guarded --
	is "$(from_peer tcp $OWN4 9)" 'errno ECONNREFUSED'
	is "$(from_peer tcp $OWN6 9)" 'errno ECONNREFUSED'
	is "$(from_peer udp-connect-hear $OWN4 9)" 'errno ECONNREFUSED'
	is "$(from_peer udp-connect-hear $OWN6 9)" 'errno ECONNREFUSED'
	nothing_dropped
}

# ---- what goes out

@test "mesh destinations are reached by TCP, MPTCP and UDP, and other ones are not" {
	local way address
	start_guarded --
	for address in $MESH4 $MESH6 ::ffff:$MESH4; do
		for way in tcp-send-read tcp-nonblocking-send tcp-fastopen; do
			tries ok $way $address $TCP
		done
		tries ok mptcp $address $MPTCP
		tries ok udp-sendto-hear $address $UDP
		tries ok udp-connect-hear $address $UDP
	done
	tries 'errno EPERM' tcp-send-read $OUT4 $TCP
	nothing_dropped
}

@test "a configured resolver answers by UDP and TCP, and no other port of it" {
	start_guarded "resolvers: [$OUT4, $OUT6]" --
	local address
	for address in $OUT4 $OUT6; do
		tries ok udp-sendto-hear $address $DNS
		tries ok udp-connect-hear $address $DNS
		tries ok tcp-send-read $address $DNS
		tries 'errno EPERM' udp-sendto $address $UDP
		tries 'errno EPERM' tcp $address $TCP
	done
	nothing_dropped
}

@test "loopback works in all its forms, by TCP and UDP" {
	start_guarded --
	serve tcp:127.0.0.1:9000 tcp:::1:9000 udp:127.0.0.1:9000 udp:::1:9000
	local address
	for address in 127.0.0.1 0.0.0.0 ::1 :: ::ffff:127.0.0.1; do
		tries ok tcp-send-read $address 9000
		tries ok udp-sendto-hear $address 9000
		tries ok udp-connect-hear $address 9000
	done
	nothing_dropped
}

@test "the Kubernetes API is reached where an allow rule has it, on its port" {
	start_guarded -- "allow: [{cidr: $OUT4/32, port: $TCP, protocol: tcp}]"
	tries ok tcp-send-read $OUT4 $TCP
	tries ok tcp-send-read ::ffff:$OUT4 $TCP
	tries 'errno EPERM' tcp $OUT4 $TCP2
	tries 'errno EPERM' udp-sendto $OUT4 $TCP
	nothing_dropped
}

@test "a DHCP client that sends by UDP reaches whoever hears broadcasts, where a rule has that; without one it is refused" {
	start_guarded -- "allow: [{cidr: 255.255.255.255/32, port: 67, protocol: udp}]"
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" timeout $RUN_LIMIT_S python3 -IS - >heard 3>&-) <<-END &
		import socket
		server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		server.bind(("", 67))
		print("ready", flush=True)
		print(server.recv(64).decode(), flush=True)
	END
	wait_for 10 grep -q ready heard
	ip -n "$EG_NAME-c" route add 255.255.255.255/32 dev veth0
	cat >discover <<-END
		import socket, sys
		client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
		client.bind(("", 68))
		client.sendto(b"discover", ("255.255.255.255", int(sys.argv[1])))
	END
	within "$WORK" python3 -IS discover 67
	wait_for 10 grep -q discover heard
	run within "$WORK" python3 -IS discover 69
	[ "$status" = 1 ]
	has "$output" 'Operation not permitted'
	nothing_dropped
}

# ---- what the network stack itself needs

# add_hop NEAR FAR NUMBER MTU: a veth pair between two namespaces, NEAR's end with address 1 and FAR's with 2
add_hop() {
	local namespace end=0
	ip link add "hop$3" netns "$1" mtu "$4" type veth peer name "hop$3" netns "$2" mtu "$4"
	for namespace in "$1" "$2"; do
		end=$((end + 1))
		ip -n "$namespace" -batch - <<-END
			link set lo up
			link set hop$3 up
			addr add 10.$3.0.$end/24 dev hop$3
			addr add fd$3::$end/64 dev hop$3 nodad
		END
	done
}

# add_routes NAMESPACE VIA4 VIA6 DESTINATION...
add_routes() {
	local destination
	for destination in "${@:4}"; do
		case $destination in
		*:*) ip -n "$1" -6 route add "$destination" via "$3" ;;
		*) ip -n "$1" route add "$destination" via "$2" ;;
		esac
	done
}

# Beyond the server's side a link with a smaller MTU, and behind that one as wide as ours, with $FAR4 and
# $FAR6: no end of a connection sees the narrow one, and the routers have to tell.
make_narrow_hop() {
	local c=$EG_NAME-c s=$EG_NAME-s x=$EG_NAME-x y=$EG_NAME-y namespace
	FAR4=10.97.0.2 FAR6=fd97::2
	ip netns add "$x"
	ip netns add "$y"
	add_hop "$s" "$x" 94 1280
	add_hop "$x" "$y" 97 1500
	add_routes "$c" $MESH4 $MESH6 10.97.0.0/24 fd97::/64
	add_routes "$s" 10.94.0.2 fd94::2 10.97.0.0/24 fd97::/64
	add_routes "$x" 10.94.0.1 fd94::1 10.91.0.0/24 fd91::/64
	add_routes "$y" 10.97.0.1 fd97::1 default ::/0
	# Its routers' messages come from there.
	add_routes "$c" $MESH4 $MESH6 10.94.0.0/24 fd94::/64
	for namespace in "$s" "$x"; do
		nsenter --net="/run/netns/$namespace" sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	done
}

@test "a megabyte gets through a hop with a smaller MTU, which the peer's router tells by ICMP, by IPv4 and IPv6" {
	make_narrow_hop
	start_guarded --
	sed -i "s|^meshCIDRs: .*|meshCIDRs: [$MESH4/32, $MESH6/128, $FAR4/32, $FAR6/128]|" policy.yaml
	change 2
	exchanges "/run/netns/$EG_NAME-y" $FAR4
	exchanges "/run/netns/$EG_NAME-y" $FAR6
	# It was needed, and taken.
	has "$(ip -n "$EG_NAME-c" route get $FAR4)" "mtu 1280"
	has "$(ip -n "$EG_NAME-c" -6 route get $FAR6)" "mtu 1280"
	nothing_dropped
}

@test "an accepted connection learns of the smaller MTU too" {
	make_narrow_hop
	start_guarded --
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" "${EXCHANGE[@]}" serve $OWN4 7001) >served 3>&- &
	wait_for 10 grep -q ready served
	is "$(nsenter --net="/run/netns/$EG_NAME-y" timeout $RUN_LIMIT_S "${EXCHANGE[@]}" connect $OWN4 7001 1000 1000000 \
		</dev/null)" exchanged
	has "$(ip -n "$EG_NAME-c" route get $FAR4)" "mtu 1280"
	nothing_dropped
}

@test "neighbours that the kernel has forgotten are found again, by ARP and by neighbour discovery" {
	start_guarded --
	ip -n "$EG_NAME-c" neigh flush dev veth0
	ip -n "$EG_NAME-c" -6 neigh flush dev veth0
	tries ok tcp-send-read $MESH4 $TCP
	tries ok tcp-send-read $MESH6 $TCP
	nothing_dropped
}

@test "in a network namespace that the workload has made itself, neighbours are found, and the stack answers" {
	start_guarded --
	(in_cgroup "$WORK" ip netns add "$EG_NAME-x")
	add_hop "$EG_NAME-s" "$EG_NAME-x" 95 1500
	add_routes "$EG_NAME-x" 10.95.0.1 fd95::1 default ::/0
	# There the workload reaches the mesh, and is told of what is closed; others are told what is closed here.
	for address in $MESH4 $MESH6; do
		is "$(in_cgroup "$WORK" nsenter --net="/run/netns/$EG_NAME-x" "$CLIENT" tcp-send-read $address $TCP)" ok
	done
	for address in 10.95.0.2 fd95::2; do
		is "$(from_peer tcp $address 9)" 'errno ECONNREFUSED'
		is "$(from_peer udp-connect-hear $address 9)" 'errno ECONNREFUSED'
	done
	nothing_dropped
}
