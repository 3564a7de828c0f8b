#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Workload.redirect with the proxies that people have, as Debian builds them: each is told
# by SO_ORIGINAL_DST where a connection wanted to go, and no rule of NAT is anywhere.

load ../lib/common
load ../lib/daemon

# Where tools/deps has unpacked what no package has installed.
PATH=$PATH:/usr/sbin:$EG_BUILD/proxies/usr/sbin
REDIRECT=$BATS_TEST_DIRNAME/../lib/redirect.py
PORT=9300
PROXY_PORT=15001
# Beside a workload's other links: sock_ops twice, getpeername and recvmsg of both families, getsockopt.
REDIRECT_LINKS=7

setup() {
	daemon_setup
	PROXY=$EG_CGROUP/proxy
	PROXY_PATH=${PROXY#"$mount_point"}
	mkdir "$PROXY"
	make_destinations
	start_destinations
}

teardown() {
	daemon_teardown
}

# 100 addresses of each family, on the far side of the veth pair.
make_destinations() {
	local i
	targets4=() targets6=()
	for i in $(seq 100); do
		targets4+=("10.92.0.$i") targets6+=("fd92::$i")
	done
	{
		printf 'addr add %s/32 dev lo\n' "${targets4[@]}"
		printf 'addr add %s/128 dev lo nodad\n' "${targets6[@]}"
	} | ip -n "$EG_NAME-s" -batch -
	ip -n "$EG_NAME-c" route add 10.92.0.0/24 via "$OUT4"
	ip -n "$EG_NAME-c" route add fd92::/64 via "$OUT6"
}

start_destinations() {
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" python3 "$REDIRECT" serve "$PORT") >destinations.out 3>&- &
	disown
	wait_for 10 grep -q ready destinations.out
}

listens_on() { # PORT
	nsenter --net="$EG_CLIENT" ss -Htnl "sport = :$1" | grep -q .
}

# start_proxy PORT COMMAND...: in the proxy's cgroup, until it listens. It ends with the test.
start_proxy() {
	(in_cgroup "$PROXY" nsenter --net="$EG_CLIENT" "${@:2}") >"proxy.$1" 2>&1 3>&- &
	disown
	wait_for 30 listens_on "$1" || { cat "proxy.$1" >&2; return 1; }
}

# A server without an address is the one that was asked for. Of IPv6 it asks nobody for the original address, and would
# connect to itself.
start_haproxy() {
	cat >haproxy.cfg <<-END
		global
		    maxconn 4000
		    ulimit-n 20000
		defaults
		    mode tcp
		    timeout connect 30s
		    timeout client 60s
		    timeout server 60s
		listen redirected
		    bind 127.0.0.1:$PROXY_PORT
		    server original *
	END
	start_proxy $PROXY_PORT haproxy -db -f haproxy.cfg
}

# By HTTP CONNECT of another proxy, since it sends nothing to a destination by itself.
start_redsocks() {
	cat >tinyproxy.conf <<-END
		Port 15002
		Listen 127.0.0.1
		Timeout 60
		MaxClients 200
		ConnectPort $PORT
	END
	cat >redsocks.conf <<-END
		base { log = "stderr"; log_info = off; daemon = off; redirector = iptables; }
		redsocks { local_ip = 127.0.0.1; local_port = $PROXY_PORT; ip = 127.0.0.1; port = 15002; type = http-connect; }
	END
	start_proxy 15002 tinyproxy -d -c "$PWD/tinyproxy.conf"
	start_proxy $PROXY_PORT redsocks -c redsocks.conf
}

# It takes HTTP of clients whom nobody told of a proxy, and no connection of which it cannot learn where it was to go.
start_squid() {
	local sbin
	sbin=$(dirname "$(command -v squid)")
	# It looks for a program that it does not need, be it installed or unpacked.
	cat >squid.conf <<-END
		unlinkd_program $(realpath "$sbin/../lib/squid/unlinkd")
		http_port 127.0.0.1:$PROXY_PORT intercept
		http_port [::1]:$PROXY_PORT intercept
		http_port 127.0.0.1:15003
		http_access allow all
		cache deny all
		max_filedescriptors 8192
		access_log none
		cache_log stdio:$PWD/squid.log
		coredump_dir none
		pid_filename none
		netdb_filename none
		pinger_enable off
		visible_hostname squid.test
		shutdown_lifetime 0 seconds
	END
	# It lays its own identity down and opens its log afterwards.
	install -m 0666 /dev/null squid.log
	start_proxy $PROXY_PORT squid -N -d 1 -f squid.conf
}

# storm COUNT KIND ADDRESS...
storm() {
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" python3 "$REDIRECT" storm "$1" "$2" "$PORT" "${@:3}")
}

redirecting() { # LINE...: of redirect
	policy false "redirect:" "${@/#/  }" >policy.yaml
}

# mesh_redirecting REDIRECT [LINE...]: the destinations are of the mesh, whose proxy is where its Dataplane says; lines
# are added to transparentProxying.
mesh_redirecting() {
	policy false "dataplane: web" "redirect: $1" >policy.yaml
	cat >>policy.yaml <<-END
		---
		type: Node
		name: node
		meshCIDRs: [10.92.0.0/24, 'fd92::/64']
		---
		type: Dataplane
		mesh: default
		name: web
		networking:
		  address: $OWN4
		  inbound: [{port: 1, tags: {kuma.io/service: web}}]
		  transparentProxying:
		    redirectPortInbound: 15006
		    redirectPortOutbound: $PROXY_PORT
		    ${2:-ipFamilyMode: DualStack}
	END
}

# arrive COUNT KIND FAMILY ADDRESS...: all of them, and were counted as what they are
arrive() {
	run storm "$1" "$2" "${@:4}"
	is "$output" "$1 reached, 0 astray, 0 failed"
	is "$(counted web "$3.verdicts.redirected")" "$1"
	is "$(stat_of "cluster.outbound_passthrough_$3.upstream_cx_total" web)" "$1"
	is "$(to_hosts "$3")" "$1"
	wait_for 10 has_stat "cluster.outbound_passthrough_$3.upstream_cx_active" 0
	is "$(notes)" 0
}

# to_hosts FAMILY: what /clusters says, the proxy's address left out
to_hosts() {
	ctl clusters web | awk -F:: -v of="^outbound:passthrough:$1::[[]?(10[.]92|fd92)" '
		$0 ~ of && $(NF - 1) == "cx_total" { sum += $NF } END { print sum + 0 }'
}

has_stat() { # NAME VALUE
	[ "$(stat_of "$1" web)" = "$2" ]
}

# How many connections are noted for proxies to ask about.
notes() {
	bpftool -j map dump pinned "$PINS/maps/eg_originals" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'
}

needs() { # PROGRAM...
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

@test "through HAProxy 10,000 connections arrive at the 100 destinations that they asked for" {
	needs haproxy nft
	redirecting "to: 127.0.0.1:$PROXY_PORT" "proxyCgroup: $PROXY_PATH"
	start_haproxy
	start_daemon
	arrive "$(slow_count 10000)" tcp ipv4 "${targets4[@]}"
	is "$(nsenter --net="$EG_CLIENT" nft list ruleset)" ""
}

@test "through redsocks connections arrive at the 100 destinations that they asked for" {
	needs redsocks tinyproxy
	redirecting "to: 127.0.0.1:$PROXY_PORT" "proxyCgroup: $PROXY_PATH"
	start_redsocks
	start_daemon
	arrive "$(slow_count 1000)" tcp ipv4 "${targets4[@]}"
}

@test "through Squid 10,000 requests over IPv6, and some over IPv4, arrive at the 100 destinations that they were sent to" {
	needs squid
	redirecting "to: ['127.0.0.1:$PROXY_PORT', '[::1]:$PROXY_PORT']" "proxyCgroup: $PROXY_PATH"
	start_squid
	start_daemon
	arrive "$(slow_count 1000)" http ipv4 "${targets4[@]}"
	arrive "$(slow_count 10000)" http ipv6 "${targets6[@]}"
}

@test "with few ports, which are used again at once, none goes astray" {
	needs haproxy
	nsenter --net="$EG_CLIENT" sysctl -qw net.ipv4.ip_local_port_range="40000 40199"
	redirecting "to: 127.0.0.1:$PROXY_PORT" "proxyCgroup: $PROXY_PATH"
	start_haproxy
	start_daemon
	run storm "$(slow_count 2000)" tcp "${targets4[@]}"
	has "$output" " 0 astray, "
	[ "${output%% *}" -gt 0 ]
}

@test "a proxy inside the workload is left alone by its cgroup, and has one made later too" {
	needs haproxy
	redirecting "to: 127.0.0.1:$PROXY_PORT" "proxyCgroup: sidecar"
	start_daemon
	run storm 1 tcp "${targets4[0]}"
	has "$output" "0 reached, 0 astray, 1 failed"
	mkdir "$WORK/sidecar"
	wait_for 20 serves "$WORK/sidecar"
	PROXY=$WORK/sidecar
	start_haproxy
	run storm 100 tcp "${targets4[@]}"
	is "$output" "100 reached, 0 astray, 0 failed"
}

serves() { # DIRECTORY
	[ -e "$PINS/links/s0_$(stat -c %i "$1")_eg_proxy_opt" ]
}

# Each is mesh, and holds no place of a cluster.
are_mesh() { # COUNT
	is "$(counted web ipv4.verdicts.mesh) $(counted web ipv6.verdicts.mesh)" "$1 $1"
	is "$(counted web ipv4.verdicts.redirected) $(counted web ipv6.verdicts.redirected)" "0 0"
	is "$(stat_of cluster.outbound_passthrough_ipv4.upstream_cx_total web)" 0
	is "$(stat_of cluster.outbound_passthrough_ipv6.upstream_cx_total web)" 0
}

stop_proxy() {
	kill "$(cat "$1/cgroup.procs")"
	wait_for 10 is_empty_cgroup "$1"
}

@test "traffic of the mesh goes through the proxy at its Dataplane's port, of both families, and is mesh" {
	needs squid
	mesh_redirecting "{proxyCgroup: $PROXY_PATH}"
	start_squid
	start_daemon
	run storm 200 http "${targets4[@]}" "${targets6[@]}"
	is "$output" "200 reached, 0 astray, 0 failed"
	are_mesh 100
	is "$(notes)" 0
	# It was the proxy that reached them.
	stop_proxy "$PROXY"
	run storm 2 http "${targets4[0]}" "${targets6[0]}"
	has "$output" "0 reached, 0 astray, 2 failed"
	has "$output" "Connection refused"
}

@test "with ipFamilyMode: IPv4 traffic of the mesh over IPv6 goes where it wants to" {
	mesh_redirecting "{proxyCgroup: $PROXY_PATH}" "ipFamilyMode: IPv4"
	start_daemon
	run storm 100 tcp "${targets6[@]}"
	is "$output" "100 reached, 0 astray, 0 failed"
	run storm 1 tcp "${targets4[0]}"
	has "$output" "Connection refused"
}

@test "a proxy of the mesh inside the workload, which nobody names, never gets its own connections" {
	needs squid
	mesh_redirecting "{}"
	PROXY=$WORK
	start_squid
	start_daemon
	run storm 200 http "${targets4[@]}" "${targets6[@]}"
	is "$output" "200 reached, 0 astray, 0 failed"
	# The client's and the proxy's.
	are_mesh 200
}

start_resolver() { # ADDRESS
	(in_cgroup "$PROXY" nsenter --net="$EG_CLIENT" python3 "$EG_ROOT/tests/lib/resolver.py" "$1" 15053 \
		203.0.113.7 2001:db8::7) >"resolver.$1" 2>&1 3>&- &
	disown
	wait_for 10 grep -q ready "resolver.$1"
}

# What a program of the workload finds by the C library, with this resolver alone.
look_up() { # SERVER
	echo "nameserver $1" >resolv.conf
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" unshare --mount sh -c \
		'mount --bind "$0" "$(readlink -f /etc/resolv.conf)" && exec getent ahosts host.test' "$PWD/resolv.conf") |
		awk '{ print $1 }' | sort -u | paste -sd ' '
}

@test "names that the C library asks for at any server are found by the local resolver" {
	redirecting "dns: ['127.0.0.1:15053', '[::1]:15053']" "proxyCgroup: $PROXY_PATH"
	start_resolver 127.0.0.1
	start_resolver ::1
	start_daemon
	is "$(look_up 192.0.2.53)" "2001:db8::7 203.0.113.7"
	is "$(grep -c asked resolver.127.0.0.1) $(grep -c asked resolver.::1)" "2 0"
	is "$(look_up 2001:db8:53::1)" "2001:db8::7 203.0.113.7"
	is "$(grep -c asked resolver.127.0.0.1) $(grep -c asked resolver.::1)" "2 2"
	is "$(counted web ipv4.verdicts.redirected) $(counted web ipv6.verdicts.redirected)" "1 1"
}

@test "links of a redirect come with it and go with it, and explain says where a destination is sent" {
	policy false >policy.yaml
	start_daemon
	is "$(links_of "$WORK")" "$GUARDED_LINKS"
	redirecting "to: 127.0.0.1:$PROXY_PORT" "proxyCgroup: $PROXY_PATH"
	change 2
	is "$(links_of "$WORK")" $((GUARDED_LINKS + REDIRECT_LINKS))
	is "$(links_of "$PROXY")" 2
	is "$(status_of "d['workloads'][0]['enforced']")" True
	run "$EGRESSCTL" explain --policy policy.yaml web 192.0.2.1:443
	has "$output" "redirected"
	has "$output" "sent to      127.0.0.1:$PROXY_PORT"
	is "$("$EGRESSCTL" explain --policy policy.yaml --json web 192.0.2.1:443 | python3 -c 'import json, sys
print(json.load(sys.stdin)["destination"]["sent_to"])')" "127.0.0.1:$PROXY_PORT"
	run "$EGRESSCTL" status
	has "$output" "$(printf '%-11s %-28s %s' to web 127.0.0.1:$PROXY_PORT)"
	has "$output" "$(printf '%-11s %-28s %s' proxy web "cgroup $(stat -c %i "$PROXY")")"
	is "$(status_of "d['workloads'][0]['redirect']")" "{'proxy_cgroup_id': $(stat -c %i "$PROXY"), 'in_place': True, 'to': ['127.0.0.1:$PROXY_PORT'], 'mesh': [], 'dns': []}"
	# Somebody takes away what tells the proxy.
	kill -STOP "$DAEMON"
	rm "$PINS"/links/*"$(stat -c %i "$PROXY")"_eg_proxy_*
	is "$(status_of "d['workloads'][0]['enforced']")" False
	has "$(status_of "'\n'.join(f['what'] for f in d['not_enforced'])")" "its proxy is not told where connections wanted to go"
	kill -CONT "$DAEMON"
	policy false >policy.yaml
	change 3
	is "$(links_of "$WORK")" "$GUARDED_LINKS"
	is "$(links_of "$PROXY")" 0
}

links_of() { # DIRECTORY
	find "$PINS/links" -name "*_$(stat -c %i "$1")_*" | wc -l
}
