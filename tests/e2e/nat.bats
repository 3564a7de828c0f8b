#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Destination NAT on the host, under the guard. The policy decides by the address that the
# application has called; where the host sends that to is the host's business.

load ../lib/common
load ../lib/daemon

# Nobody has these: packets for them go to the gateway, unless NAT sends them elsewhere.
SERVICE4=10.96.0.10 SERVICE6=fd96::10
FOREIGN4=10.96.0.11 FOREIGN6=fd96::11
RESOLVER4=10.96.0.53 RESOLVER6=fd96::53

setup() {
	daemon_setup
	ip -n "$EG_NAME-c" route add 10.96.0.0/16 via $MESH4
	ip -n "$EG_NAME-c" route add fd96::/64 via $MESH6
	start_servers
}

teardown() {
	daemon_teardown
}

# nat FAMILY RULE...: of the host, for what leaves it; ip or ip6
nat() {
	local family=$1
	shift
	outside nft -f - <<-END
		table $family nat {
			chain output {
				type nat hook output priority -100
				$(printf '%s\n' "$@")
			}
		}
	END
}

# Both families' service addresses lead to hosts that are not mesh, and so do foreign ones to mesh.
nat_services() {
	nat ip "ip daddr $SERVICE4 dnat to $OUT4" "ip daddr $FOREIGN4 dnat to $MESH4"
	nat ip6 "ip6 daddr $SERVICE6 dnat to $OUT6" "ip6 daddr $FOREIGN6 dnat to $MESH6"
}

start_guarded() {
	{
		policy false
		printf '%s\n' --- 'type: Node' 'name: node' \
			"meshCIDRs: [$SERVICE4/32, $SERVICE6/128, $MESH4/32, $MESH6/128]" "resolvers: [$RESOLVER4, $RESOLVER6]"
	} >policy.yaml
	start_daemon
}

# tries ANSWER ADDRESS WAY:PORT...: each way from the workload, once
tries() {
	local answer=$1 address=$2 way
	shift 2
	for way; do
		is "$way $(within "$WORK" "$CLIENT" "${way%:*}" "$address" "${way#*:}")" "$way $answer"
	done
}

have_exchanged() { # have_exchanged TIMES
	[ "$(grep -c exchanged exchanged)" = "$1" ]
}

WAYS="tcp-send-read:$TCP mptcp:$MPTCP udp-sendto-hear:$UDP udp-connect-hear:$UDP"

@test "a mesh service address that the host sends to a backend outside the mesh is reached, by TCP and UDP, and answers" {
	nat_services
	start_guarded
	# shellcheck disable=SC2086 # ways are words
	tries ok $SERVICE4 $WAYS
	tries ok $SERVICE6 $WAYS
	tries ok ::ffff:$SERVICE4 $WAYS
	is "$(arrivals tcp $OUT4 $TCP)" 2
	is "$(arrivals tcp $OUT6 $TCP)" 1
	is "$(arrivals udp $OUT4 $UDP)" 4
	is "$(arrivals udp $OUT6 $UDP)" 2
	# once for each connection of TCP and MPTCP, and for each connected UDP socket
	is "$(stat_of egressd.nat web)" 9
	is "$(counted web ipv4.verdicts.blocked_guard)" 0
	is "$(counted web ipv6.verdicts.blocked_guard)" 0
}

@test "the backend itself stays refused, and so does a service address outside the mesh that leads to a mesh host" {
	nat_services
	start_guarded
	tries 'errno EPERM' $OUT4 $WAYS
	tries 'errno EPERM' $OUT6 $WAYS
	tries 'errno EPERM' $FOREIGN4 $WAYS
	tries 'errno EPERM' $FOREIGN6 $WAYS
	is "$(arrivals tcp $MESH4 $TCP)" 0
	is "$(arrivals udp $MESH4 $UDP)" 0
	is "$(arrivals tcp $OUT4 $TCP)" 0
}

# both ADDRESS SERVICE: one unconnected UDP socket sends to the first, and then to the second; what each said
both() {
	within "$WORK" python3 -IS -c 'import errno, socket, sys
def send(address):
    try:
        udp.sendto(b"x", (address, int(sys.argv[3])))
        return udp.recv(1) and "heard"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))
udp = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(10)
print(send(sys.argv[1]), send(sys.argv[2]))
udp = socket.socket(udp.family, socket.SOCK_DGRAM)
udp.settimeout(10)
refused = send(sys.argv[1])
udp.connect((sys.argv[2], int(sys.argv[3])))
udp.send(b"x")
print(refused, udp.recv(1) and "heard")' "$@" $UDP
}

@test "a socket that was refused a backend still reaches it by the mesh service address that the host sends there" {
	nat_services
	start_guarded
	is "$(both $OUT4 $SERVICE4 | paste -s -d ,)" "EPERM heard,EPERM heard"
	is "$(both $OUT6 $SERVICE6 | paste -s -d ,)" "EPERM heard,EPERM heard"
	is "$(counted web ipv4.verdicts.blocked_guard) $(counted web ipv6.verdicts.blocked_guard)" "0 0"
}

@test "a connection that was open before the policy, to a mesh service address behind NAT, goes on" {
	nat_services
	policy true >policy.yaml
	start_daemon
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" \
		python3 -IS "$EG_ROOT/tests/lib/exchange.py" serve $OUT4 7001) >served 3>&- &
	wait_for 10 grep -q ready served
	mkfifo again
	within "$WORK" python3 -IS "$EG_ROOT/tests/lib/exchange.py" connect $SERVICE4 7001 1000 1000 <again >exchanged 3>&- &
	exec {again}>again
	wait_for 10 have_exchanged 1
	{
		policy false
		printf '%s\n' --- 'type: Node' 'name: node' "meshCIDRs: [$SERVICE4/32]"
	} >policy.yaml
	change 2
	echo >&$again
	wait_for 10 have_exchanged 2
	exec {again}>&-
	is "$(counted web ipv4.verdicts.blocked_guard)" 0
}

@test "a mesh address that the host redirects to a port of its own is served there" {
	nat ip "ip daddr $SERVICE4 tcp dport $TCP redirect to :9090" "ip daddr $SERVICE4 udp dport $UDP redirect to :9091"
	nat ip6 "ip6 daddr $SERVICE6 tcp dport $TCP redirect to :9090" "ip6 daddr $SERVICE6 udp dport $UDP redirect to :9091"
	start_server "$EG_CLIENT" tcp:127.0.0.1:9090 tcp:::1:9090 udp:127.0.0.1:9091 udp:::1:9091
	start_guarded
	tries ok $SERVICE4 tcp-send-read:$TCP udp-sendto-hear:$UDP udp-connect-hear:$UDP
	tries ok $SERVICE6 tcp-send-read:$TCP udp-sendto-hear:$UDP udp-connect-hear:$UDP
	is "$(arrivals tcp 127.0.0.1 9090)" 1
	is "$(arrivals tcp ::1 9090)" 1
}

@test "an address outside the mesh is refused before the host could redirect it" {
	nat ip "ip daddr $FOREIGN4 tcp dport $TCP redirect to :9090"
	start_server "$EG_CLIENT" tcp:127.0.0.1:9090
	start_guarded
	tries 'errno EPERM' $FOREIGN4 tcp-send-read:$TCP
	is "$(arrivals tcp 127.0.0.1 9090)" 0
}

@test "a resolver that the host sends elsewhere answers, by UDP and by TCP; its other ports stay refused" {
	nat ip "ip daddr $RESOLVER4 dnat to $OUT4"
	nat ip6 "ip6 daddr $RESOLVER6 dnat to $OUT6"
	start_guarded
	tries ok $RESOLVER4 tcp-send-read:$DNS udp-sendto-hear:$DNS udp-connect-hear:$DNS
	tries ok $RESOLVER6 tcp-send-read:$DNS udp-sendto-hear:$DNS udp-connect-hear:$DNS
	is "$(arrivals udp $OUT4 $DNS)" 2
	is "$(arrivals udp $OUT6 $DNS)" 2
	tries 'errno EPERM' $RESOLVER4 tcp-send-read:$TCP udp-sendto-hear:$UDP
}

@test "a container's DNS on 127.0.0.11 is sent to the port where its server listens" {
	nat ip "ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:9053" "ip daddr 127.0.0.11 tcp dport 53 dnat to 127.0.0.11:9053"
	start_server "$EG_CLIENT" udp:127.0.0.11:9053 tcp:127.0.0.11:9053
	start_guarded
	tries ok 127.0.0.11 udp-sendto-hear:53 udp-connect-hear:53 tcp-send-read:53
}
