#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# mTLS STRICT from its first to its last day: who looks at clients, and what becomes of it
# when policies, processes, namespaces and agents come and go. tests/e2e/incoming.bats has the matrix.

load ../lib/common
load ../lib/daemon
load ../lib/incoming

setup() {
	other=
}

teardown() {
	[ -z "$other" ] || exec {other}>&-
	daemon_teardown
}

# begin MODE [LINE...]: the workload listens, and the policy is in force.
begin() {
	incoming_setup
	incoming_policy "$@" >policy.yaml
	start_daemon
}

# begin_strict [LINE...]: and each client is looked up.
begin_strict() {
	begin STRICT "$@"
	wait_for 10 looked_up
}

# The ids of links on network namespaces.
lookup_links() {
	bpftool link show | sed -n 's/^\([0-9]*\): netns.*/\1/p' | sort
}

# lookups_of WORKLOAD: what status says of it.
incoming_of() {
	status_of "[w['incoming'] for w in d['workloads'] if w['name'] == '$1'][0]['$2']"
}

@test "a client that is refused is counted by its address and the port that it asked for" {
	begin_strict
	is "$(client outside tcp v4 declared)" refused
	is "$(client outside tcp v4 declared)" refused
	is "$(client outside tcp v6 undeclared)" refused
	is "$(client mesh tcp v4 undeclared)" answered
	"$EGRESSCTL" destinations --json web >list.json
	is "$(json list.json "'\n'.join(sorted('%s %s %d %s %d' % (e['direction'], e['address'], e['port'], e['reason'], e['count'])
		for e in d['destinations']))")" "$(printf '%s\n' "incoming $MESH4 9080 incoming-allowed 1" \
		"incoming $OUT4 8080 incoming-blocked 2" "incoming $OUT6 9081 incoming-blocked 1")"
	has "$("$EGRESSCTL" destinations web)" "from $OUT4 to port 8080"
	is "$(counted web ipv4.verdicts.incoming_allowed)" 1
}

# hold FROM TO PORT: a client that connects and stays; $held is its process.
hold() {
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" python3 -IS -c "
import socket, time
s = socket.create_connection(('$2', $3), source_address=('$1', 0))
print('open', flush=True)
time.sleep(600)") >"held.$1" 3>&- &
	held=$!
	disown
	wait_for 10 grep -q open "held.$1"
}

# came_in: what flows lists of it, a sorted line for each
came_in() {
	"$EGRESSCTL" flows --json "$@" >flows.json
	json flows.json "'\n'.join(sorted('%s %s %d %s %s %s %s' % (f['direction'], f['address'], f['port'], f['verdict'],
		f['reason'], f['state'], 'kept' if f['kept'] else '-') for f in d['flows']))"
}

is_listed() { # TEXT
	[[ $(came_in) == *"$1"* ]]
}

is_not_listed() { # TEXT
	! is_listed "$1"
}

@test "flows lists who is connected and why he may be; whom STRICT would not let in any more is kept" {
	begin PERMISSIVE
	wait_for 10 looked_up
	hold $MESH4 $OWN4 8080
	hold $OUT6 $OWN6 8081
	wait_for 10 is_listed $OUT6
	wait_for 10 is_listed $MESH4
	is "$(came_in)" "incoming $MESH4 8080 allowed incoming-allowed accepted -
incoming $OUT6 8081 allowed incoming-allowed accepted -"
	is "$(json flows.json "[f['local_address'] for f in d['flows'] if f['client_port'] > 0 and f['local_port'] == 8080]")" "['$OWN4']"
	has "$("$EGRESSCTL" flows | tr -s ' ')" "web allowed incoming-allowed accepted tcp from $MESH4 to port 8080 - - 0 0 server["
	is "$(came_in --destination $MESH4:8080 --verdict incoming-allowed)" "incoming $MESH4 8080 allowed incoming-allowed accepted -"
	incoming_policy STRICT >policy.yaml
	change 2
	is "$(came_in)" "incoming $MESH4 8080 allowed incoming-allowed accepted -
incoming $OUT6 8081 allowed incoming-blocked accepted kept"
	has "$("$EGRESSCTL" flows | tr -s ' ')" "web kept incoming-blocked accepted tcp from $OUT6 to port 8081"
	"$EGRESSCTL" flows --follow --json >follow.json 3>&- &
	following=$!
	wait_for 10 grep -q "$OUT6" follow.json
	kill "$(pgrep -P $held -x python3 || echo $held)"
	wait_for 10 is_not_listed $OUT6
	wait_for 10 grep -q '"end"' follow.json
	kill $following
	wait $following
	incoming_policy off >policy.yaml
	change 3
	is "$(came_in)" ""
}

@test "connections that came in are listed while packets are looked at too, and those of loopback never" {
	incoming_setup
	incoming_policy STRICT | sed 's/^name: default/&\nnetworking: {outbound: {passthrough: false}}/;' >policy.yaml
	start_daemon
	wait_for 10 looked_up
	hold $PROBE4 $OWN4 8080
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_CLIENT" python3 -IS -c "
import socket, time
held = [socket.create_connection(at) for at in (('127.0.0.1', 9080), ('::1', 9081), ('$OWN4', 9080))]
for s in held: s.sendall(b'G')
print('open', flush=True)
time.sleep(600)") >loopback.out 3>&- &
	disown
	wait_for 10 grep -q open loopback.out
	wait_for 10 is_listed $PROBE4
	is "$(came_in)" "incoming $PROBE4 8080 allowed incoming-allowed accepted -"
}

# Connections from so many addresses.
flood() { # COUNT
	ip -n "$EG_NAME-s" route add local 10.93.0.0/16 dev lo
	ip -n "$EG_NAME-c" route add 10.93.0.0/16 via $OUT4
	nsenter --net="$EG_SERVER" python3 -IS -c "
import socket
for i in range($1):
    socket.create_connection(('$OWN4', 8080), source_address=('10.93.%d.%d' % (i >> 8, i & 255), 0)).close()"
}

clients_are_missed() {
	[ "$(counted web destinations_missed)" -gt 0 ]
}

@test "a flood of clients leaves half of the table to the workload's destinations, and it is said that some are missing" {
	begin PERMISSIVE
	wait_for 10 looked_up
	flood 2500
	wait_for 20 clients_are_missed
	within "$WORK" "$CLIENT" tcp $OUT4 1 || true
	"$EGRESSCTL" destinations --json >list.json
	is "$(json list.json "(sum(e['direction'] == 'incoming' for e in d['destinations']) <= 2048,
		[e['address'] for e in d['destinations'] if e['direction'] == 'outgoing'])")" "(True, ['$OUT4'])"
	has "$("$EGRESSCTL" destinations | tail -1)" "verdicts on destinations that the table has no place for"
}

@test "datagrams to a declared port are refused with port unreachable, and those to another port come in" {
	begin_strict
	is "$(client outside udp v4 declared)" refused
	is "$(client mesh udp v4 declared)" answered
	is "$(client outside udp v4 undeclared)" answered
	is "$(client loopback udp v4 declared)" answered
	is "$(counted web ipv4.verdicts.incoming_blocked)" 1
}

@test "a workload comes in to itself at its own addresses too" {
	begin_strict
	is "$(nsenter --net="$EG_CLIENT" "$CLIENT" knock tcp $OWN4 $OWN4 8080)" answered
	is "$(nsenter --net="$EG_CLIENT" "$CLIENT" knock tcp $OWN6 $OWN6 8081)" answered
	is "$(nsenter --net="$EG_CLIENT" "$CLIENT" knock udp $OWN4 $OWN4 8080)" answered
	is "$(counted web ipv4.verdicts.incoming_blocked) $(counted web ipv6.verdicts.incoming_blocked)" "0 0"
}

@test "answers to what a socket without a peer has sent come in, be they from outside the mesh" {
	begin_strict
	start_server "$EG_SERVER" "udp:$OUT4:53"
	run within "$WORK" python3 -IS -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5 * $EG_SLOW)
s.sendto(b'question', ('$OUT4', 53))
print(s.recvfrom(100)[0].decode())"
	is "$output" question
}

@test "a connection that is open stays open when the mode becomes STRICT, and the next one is refused" {
	begin PERMISSIVE
	wait_for 10 looked_up
	mkfifo ask
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" python3 -IS -c "
import socket, sys
s = socket.socket()
s.bind(('$OUT4', 0))
s.connect(('$OWN4', 8080))
print('open', flush=True)
sys.stdin.readline()
s.sendall(b'GET / HTTP/1.0\r\n\r\n')
print(s.recv(100)[:8].decode(), flush=True)" <ask) >asked 3>&- &
	exec {ask}>ask
	wait_for 10 grep -q open asked
	incoming_policy STRICT >policy.yaml
	change 2
	is "$(client outside tcp v4 declared)" refused
	echo >&"$ask"
	wait_for 10 grep -q HTTP asked
	exec {ask}>&-
	incoming_policy PERMISSIVE >policy.yaml
	change 3
	is "$(client outside tcp v4 declared)" answered
	incoming_policy off >policy.yaml
	change 4
	is "$(client outside tcp v4 declared)" answered
	is "$(lookup_links)" ""
}

@test "without an agent clients are refused still, and the next agent takes over the very same link" {
	local links
	begin_strict
	links=$(lookup_links)
	[ -n "$links" ]
	kill_daemon
	is "$(client outside tcp v4 declared)" refused
	is "$(client mesh tcp v4 declared)" answered
	is "$(incoming_of web in_place)" True
	start_daemon
	is "$(client outside tcp v4 declared)" refused
	is "$(lookup_links)" "$links"
	is "$(counted web ipv4.verdicts.incoming_blocked)" 2
}

@test "uninstall removes lookups and filters, and names the pins" {
	begin_strict
	run "$EGRESSCTL" uninstall --stop
	is "$status" 0
	has "$output" "removed $PINS/netns/s1_"
	is "$(lookup_links)" ""
	is "$(client outside tcp v4 declared)" answered
	DAEMON=
}

@test "detach ends what looks at the clients of a workload" {
	begin_strict
	kill_daemon
	run "$EGRESSCTL" detach web
	is "$status" 0
	is "$(lookup_links)" ""
	is "$(client outside tcp v4 declared)" answered
}

@test "another owner's sk_lookup program beside ours stays and is named" {
	begin_strict
	mkfifo hold
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_CLIENT" "$EG_BUILD/tests/lib/other_lookup" <hold) >other.out 3>&- &
	exec {other}>hold
	wait_for 10 grep -q ready other.out
	has "$(status_of "'\n'.join(f['what'] for f in d['not_enforced'])")" "'somebody_elses' (sk_lookup) is asked in its network namespace too"
	is "$(client outside tcp v4 declared)" refused
	"$EGRESSCTL" uninstall --stop >/dev/null
	DAEMON=
	exec {other}>&-
	other=
	wait_for 10 grep -q 'still attached' other.out
}

@test "a link that somebody detaches is missed by status and mended by the agent" {
	begin_strict
	kill -STOP "$DAEMON"
	rm "$PINS"/netns/*
	wait_for 10 eval '[ -z "$(lookup_links)" ]'
	is "$(status_of "[w['enforced'] for w in d['workloads']]")" "[False]"
	has "$(status_of "'\n'.join(f['what'] for f in d['not_enforced'])")" "clients that come in are not looked at in 1 of its 1 network namespaces"
	kill -CONT "$DAEMON"
	wait_for 10 looked_up
	is "$(client outside tcp v4 declared)" refused
}

@test "where the namespace is the agent's own a filter drops: status says so, and the mesh comes in" {
	incoming_setup
	DAEMON_IN=(nsenter --net="$EG_CLIENT")
	incoming_policy STRICT >policy.yaml
	start_daemon
	filtered
	for listener in v4 v6 mapped; do
		for port in declared undeclared; do
			is "$(client outside tcp $listener $port)" silent
			for kind in mesh proxy probe loopback; do
				is "$kind $(client $kind tcp $listener $port)" "$kind answered"
			done
		done
	done
	is "$(client outside udp v4 declared)" silent
	is "$(client outside udp v4 undeclared)" answered
	[ "$(counted web ipv4.verdicts.incoming_blocked)" -ge 5 ]
	is "$(counted web ipv4.verdicts.incoming_allowed)" 12
	is "$(counted web ipv6.verdicts.incoming_allowed)" 6
	is "$(DAEMON_IN= ; nsenter --net="$EG_CLIENT" "$EGRESSCTL" status --json >s.json; json s.json "d['workloads'][0]['incoming']['by']")" cgroup_skb
	has "$(json s.json "'\n'.join(f['what'] for f in d['not_enforced'])")" "are dropped and not refused"
}

@test "a connection through the filter that is open stays open when the mode becomes STRICT" {
	incoming_setup
	DAEMON_IN=(nsenter --net="$EG_CLIENT")
	incoming_policy PERMISSIVE >policy.yaml
	start_daemon
	mkfifo ask
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" python3 -IS -c "
import socket, sys
s = socket.socket()
s.bind(('$OUT4', 0))
s.connect(('$OWN4', 8080))
print('open', flush=True)
sys.stdin.readline()
s.sendall(b'GET / HTTP/1.0\r\n\r\n')
print(s.recv(100)[:8].decode(), flush=True)" <ask) >asked 3>&- &
	exec {ask}>ask
	wait_for 10 grep -q open asked
	incoming_policy STRICT >policy.yaml
	change 2
	is "$(client outside tcp v4 declared)" silent
	echo >&"$ask"
	wait_for 10 grep -q HTTP asked
	exec {ask}>&-
}

# broadcast: what somebody outside the mesh hears who asks a declared port of whoever is there.
broadcast() {
	nsenter --net="$EG_SERVER" python3 -IS -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout($EG_SLOW)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'veth0')
s.bind(('$OUT4', 0))
s.sendto(b'x', ('255.255.255.255', $UDP_DECLARED))
try:
    s.recvfrom(100)
    print('answered')
except TimeoutError:
    print('silent')"
}

# The kernel looks no socket up for such a datagram: it hands it to all that are there.
@test "a broadcast comes in where sk_lookup tells clients, as status says" {
	begin_strict
	is "$(client outside udp v4 declared)" refused
	is "$(broadcast)" answered
	has "$(status_of "'\n'.join(f['what'] for f in d['not_enforced'])")" "multicast and broadcast"
}

@test "onIncomingBlocked: drop gives no answer, in a namespace of its own too, nor to a broadcast" {
	begin STRICT 'onIncomingBlocked: drop'
	filtered
	is "$(broadcast)" silent
	hasnt "$(status_of "'\n'.join(f['what'] for f in d['not_enforced'])")" "multicast and broadcast"
	is "$(client outside tcp v4 declared)" silent
	is "$(client mesh tcp v4 declared)" answered
	is "$(incoming_of web by)" cgroup_skb
	hasnt "$(status_of "'\n'.join(f['what'] for f in d['not_enforced'])")" "are dropped and not refused"
}

@test "a workload without a process has the filter, and a lookup once there is one" {
	incoming_setup
	kill "$WORKLOAD"
	wait_for 10 is_empty_cgroup "$WORK"
	incoming_policy STRICT >policy.yaml
	start_daemon
	filtered
	is "$(incoming_of web in_place)" True
	start_workload "$WORK" "$EG_CLIENT"
	# Dropped or refused, it never comes in.
	hasnt "$(client outside tcp v4 declared)" answered
	wait_for 10 looked_up
	is "$(client outside tcp v4 declared)" refused
}

@test "a cgroup that leaves the policy and comes back is looked up again, and its filter goes" {
	begin_strict
	sed 's/^cgroup: .*/cgroup: \/no-such/' policy.yaml >without.yaml
	mv policy.yaml with.yaml
	mv without.yaml policy.yaml
	change 2
	wait_for 10 eval '[ -z "$(lookup_links)" ]'
	is "$(client outside tcp v4 declared)" answered
	mv with.yaml policy.yaml
	change 3
	wait_for 10 looked_up
	is "$(client outside tcp v4 declared)" refused
	is "$(counted web ipv4.verdicts.incoming_blocked)" 1
}

@test "a namespace that the workload makes gets a lookup, and one that it has left loses it" {
	begin_strict
	within "$WORK" unshare --net sleep 60 3>&- &
	wait_for 10 eval '[ "$(lookup_links | wc -l)" = 2 ]'
	kill "$(pgrep -P $! -x sleep || echo $!)"
	wait_for 10 eval '[ "$(lookup_links | wc -l)" = 1 ]'
	is "$(client outside tcp v4 declared)" refused
}

@test "a namespace that two workloads share is neither one's own" {
	begin_strict
	mkdir "$EG_CGROUP/second"
	(in_cgroup "$EG_CGROUP/second" nsenter --net="$EG_CLIENT" sleep 60) 3>&- &
	{
		incoming_policy STRICT
		printf '%s\n' --- 'type: Workload' 'name: second' 'mesh: default' "cgroup: ${EG_CGROUP#"$mount_point"}/second"
	} >policy.yaml
	change 2
	wait_for 10 filtered
	is "$(client outside tcp v4 declared)" silent
	is "$(client mesh tcp v4 declared)" answered
}

@test "in audit mode clients from outside come in, and are counted as blocked and not enforced" {
	begin STRICT 'mode: audit'
	wait_for 10 looked_up
	is "$(client outside tcp v4 declared)" answered
	is "$(counted web ipv4.verdicts.incoming_blocked)" 1
	is "$(counted web not_enforced)" 1
}

@test "while passthrough is false too, connections that came in are answered, and their replies cost no count" {
	incoming_setup
	incoming_policy STRICT | sed 's/^name: default/&\nnetworking: {outbound: {passthrough: false}}/;' >policy.yaml
	start_daemon
	wait_for 10 looked_up
	is "$(client mesh tcp v4 declared)" answered
	is "$(client probe tcp v6 undeclared)" answered
	is "$(client outside tcp v4 declared)" refused
	is "$(counted web ipv4.verdicts.incoming_blocked)" 1
	is "$(counted web ipv4.verdicts.incoming_allowed)" 1
	is "$(counted web ipv4.verdicts.blocked_guard)" 0
}

@test "what a command of run listens on is judged too" {
	eg_setup
	PINS=
	cat >policy.yaml <<-END
		type: Mesh
		name: default
		$(mtls STRICT)
		---
		type: Dataplane
		mesh: default
		name: peer
		networking: {address: $MESH4, inbound: [{port: 1, tags: {kuma.io/service: peer}}]}
	END
	: >workload.log
	start_ctl run --policy policy.yaml -- "$EG_BUILD/tests/lib/server" "$PWD/workload.log" tcp:0.0.0.0:8080 udp:0.0.0.0:8080
	wait_for 20 grep -q '^ready' workload.log
	is "$(client outside tcp v4 declared)" silent
	is "$(client mesh tcp v4 declared)" answered
	is "$(client loopback tcp v4 declared)" answered
	kill "$RUNNER"
	finish
}

@test "with PERMISSIVE preflight lists the clients that STRICT would cut, and without mTLS it says that it does not know" {
	begin PERMISSIVE
	wait_for 10 looked_up
	is "$(client outside tcp v4 declared)" answered
	is "$(client mesh tcp v4 declared)" answered
	is "$(client probe tcp v6 declared)" answered
	run "$EGRESSCTL" preflight --json
	is "$status" 4
	printf '%s\n' "$output" >preflight.json
	is "$(json preflight.json "[(e['direction'], e['address'], e['port'], e['reason']) for e in d['destinations']]")" \
		"[('incoming', '$OUT4', 8080, 'incoming-blocked')]"
	run "$EGRESSCTL" preflight
	has "$output" "1 clients would be cut if mTLS were STRICT"
	has "$("$EGRESSCTL" preflight --emit-policy || true)" "allowIncoming: [{cidr: \"$OUT4\", port: 8080, protocol: tcp}]"
	incoming_policy STRICT >strict.yaml
	run "$EGRESSCTL" preflight --policy strict.yaml
	is "$status" 4
	has "$output" "from $OUT4 to port 8080"
	incoming_policy off >policy.yaml
	change 2
	run "$EGRESSCTL" preflight --policy strict.yaml
	is "$status" 4
	has "$output" "web: who comes in is not known while there is no mTLS"
}

@test "explain says who may come in, and by which line" {
	eg_setup
	PINS=
	WORK_PATH=/w
	incoming_policy STRICT >policy.yaml
	run "$EGRESSCTL" explain --policy policy.yaml --from $OUT4:8080 web
	has "$output" "incoming     STRICT  (policy.yaml:6:37), refuse"
	has "$output" "declared     8080 8081 8082"
	has "$output" "client       $OUT4 to port 8080/tcp"
	has "$output" "verdict      blocked: incoming-blocked"
	run "$EGRESSCTL" explain --policy policy.yaml --from $PROBE4:8080 web
	has "$output" "verdict      allowed: incoming-allowed"
	has "$output" "rule         $PROBE4/32  (policy.yaml:"
	"$EGRESSCTL" explain --policy policy.yaml --json --from $MESH4 web >explain.json
	is "$(json explain.json "d['incoming']['mode'], d['incoming']['service_ports'], d['client']['reason']")" \
		"('STRICT', [8080, 8081, 8082], 'incoming-allowed')"
}
