# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# For tests of what comes in, after daemon.bash. The workload `web` listens in the client's
# namespace, and clients of all kinds are in the server's, each with an address of its own.

PROXY4=10.91.0.4 PROXY6=fd91::4
PROBE4=10.91.0.5 PROBE6=fd91::5
# By listener: one of IPv4, one of IPv6, and one of IPv6 that is asked by IPv4. The first of two is declared.
declare -gA LISTENERS=([v4]="8080 9080" [v6]="8081 9081" [mapped]="8082 9082")
# Datagrams are asked for at these, which are answered wherever they come to.
UDP_DECLARED=8080 UDP_UNDECLARED=9080

incoming_setup() {
	daemon_setup
	local address
	for address in $PROXY4/24 $PROBE4/24; do ip -n "$EG_NAME-s" addr add "$address" dev veth0; done
	for address in $PROXY6/64 $PROBE6/64; do ip -n "$EG_NAME-s" addr add "$address" dev veth0 nodad; done
	export EG_NAME EG_CGROUP EG_CALLER EG_CLIENT EG_SERVER PINS WORK WORK_PATH ADMIN mount_point
	start_workload "$WORK" "$EG_CLIENT"
}

# start_workload CGROUP NAMESPACE: every listener of it.
start_workload() {
	local specs=() name ports
	for name in "${!LISTENERS[@]}"; do
		for ports in ${LISTENERS[$name]}; do
			[ "$name" = v4 ] && specs+=("tcp:0.0.0.0:$ports") || specs+=("tcp::::$ports")
		done
	done
	specs+=("udp:0.0.0.0:$UDP_DECLARED" "udp:0.0.0.0:$UDP_UNDECLARED")
	: >workload.log
	(in_cgroup "$1" nsenter --net="$2" "$EG_BUILD/tests/lib/server" "$PWD/workload.log" "${specs[@]}") \
		>workload.err 2>&1 3>&- &
	WORKLOAD=$!
	disown
	wait_for 30 grep -q '^ready' workload.log || { cat workload.err >&2; return 1; }
}

# mtls MODE: the field of a Mesh; off: none
mtls() {
	[ "$1" = off ] || printf '%s\n' 'mtls:' '  enabledBackend: ca' '  backends:' \
		'  - {name: ca, type: builtin, mode: '"$1"'}'
}

# incoming_policy MODE [LINE...]: lines are added to the workload.
incoming_policy() {
	cat <<-END
		type: Mesh
		name: default
		$(mtls "$1")
		---
		type: Dataplane
		mesh: default
		name: web
		networking:
		  address: $PROXY4
		  inbound:
		  - {port: 8080, tags: {kuma.io/service: web}}
		  - {port: 8082, tags: {kuma.io/service: web}}
		  - {port: 8081, address: "$PROXY6", tags: {kuma.io/service: web}}
		---
		type: Dataplane
		mesh: default
		name: peer
		networking:
		  address: $MESH4
		  inbound:
		  - {port: 1, tags: {kuma.io/service: peer}}
		  - {port: 1, address: "$MESH6", tags: {kuma.io/service: peer}}
		---
		type: Workload
		name: web
		mesh: default
		dataplane: web
		cgroup: $WORK_PATH
		allowIncoming:
		- {cidr: $PROBE4}
		- {cidr: "$PROBE6"}
	END
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@"
}

family_of() { # family_of LISTENER: as counters have it
	[ "$1" = v6 ] && echo ipv6 || echo ipv4
}

# port_of LISTENER declared|undeclared
port_of() {
	set -- ${LISTENERS[$1]} "$2"
	[ "$3" = declared ] && echo "$1" || echo "$2"
}

# client KIND tcp|udp LISTENER declared|undeclared: what one client sees.
client() {
	local port from to where=$EG_SERVER suffix=4
	port=$(port_of "$3" "$4")
	[ "$3" != v6 ] || suffix=6
	case $1 in
	mesh) from=MESH$suffix ;;
	outside) from=OUT$suffix ;;
	proxy) from=PROXY$suffix ;;
	probe) from=PROBE$suffix ;;
	loopback) where=$EG_CLIENT ;;
	esac
	to=OWN$suffix to=${!to}
	if [ "$1" = loopback ]; then
		[ $suffix = 4 ] && to=127.0.0.1 || to=::1
		from=to
	fi
	nsenter --net="$where" "$CLIENT" knock "$2" "${!from}" "$to" "$port" $((1 * EG_SLOW))
}

# Each namespace of `web` has a lookup, and its cgroup no filter.
looked_up() {
	[ -n "$(ls "$PINS/netns" 2>/dev/null)" ] && ! ls "$PINS"/links/*_eg_in_filter >/dev/null 2>&1
}

filtered() {
	[ -z "$(ls "$PINS/netns" 2>/dev/null)" ] && ls "$PINS"/links/*_eg_in_filter >/dev/null 2>&1
}
