#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Failures that others in this field have had, each once more here, with the daemon and a
# real cgroup. Others of them have their tests elsewhere, since they need more than that:
#
#   a table that is full, storage that cannot be had   test_leases.c: a_table_without_a_free_place_refuses_...,
#                                                      a_socket_without_memory_for_options_gets_its_lease
#   a slot that the maps do not have                   test_hooks.c: a_slot_that_the_maps_do_not_have_...
#   a run that sees half of two policies               mix.bats, test_mix.c
#   a mapped address that slips past the IPv4 rules    verdict.bats
#   links that stay behind a cgroup or a process       scale.bats, lifetime.bats, and the teardown of every test

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	start_servers
	owners=()
	# Somebody who reads from it waits until he is killed.
	mkfifo never
}

teardown() {
	for owner in "${owners[@]}"; do
		kill "$owner" 2>/dev/null || true
		wait_for 10 is_gone "$owner"
	done
	daemon_teardown
}

# attach_others OBJECT DIRECTORY: another owner's programs on a cgroup, until the test ends.
attach_others() {
	local log=$BATS_TEST_TMPDIR/$1.log
	: >"$log"
	"$EG_BUILD/tools/attach_empty" "$EG_BUILD/tests/bpf/$1.bpf.o" "$2" >"$log" 2>&1 3>&- <>never &
	owners+=($!)
	wait_for 10 grep -q attached "$log"
}

mesh_policy() { # mesh_policy [LINE...]: passthrough is false, and MESH4 and MESH6 are the mesh
	policy false "$@"
	printf -- '---\ntype: Node\nname: node\nmeshCIDRs: [%s/32, %s/128]\n' $MESH4 $MESH6
}

# ways: what a workload's TCP and UDP sockets are answered by the mesh and by elsewhere.
ways() {
	local answers=() host
	for host in $MESH4 $OUT4 $MESH6 $OUT6; do
		answers+=("$(within "$WORK" "$CLIENT" tcp "$host" $TCP)" "$(within "$WORK" "$CLIENT" udp-sendto "$host" $UDP)")
	done
	printf '%s\n' "${answers[@]}" | uniq -c | sed 's/^ *//' | paste -s -d ,
}
AS_THE_POLICY_SAYS="2 ok,2 errno EPERM,2 ok,2 errno EPERM"

# ---- a lookup error must not mean open: Merbridge's programs let pass what they cannot look up

# zero_policies: what the maps say of every slot is gone, behind the agent's back.
zero_policies() {
	local bank slot=$1 key size
	for bank in 0 1; do
		size=$(bpftool -j map show pinned "$PINS/maps/eg_workloads_$bank" | python3 -c 'import json, sys; print(json.load(sys.stdin)["bytes_value"])')
		printf -v key '%d %d 0 0' $((slot % 256)) $((slot / 256))
		# shellcheck disable=SC2046,SC2086 # numbers
		bpftool map update pinned "$PINS/maps/eg_workloads_$bank" key $key value $(yes 0 | head -n "$size")
	done
}

@test "a workload whose policy is gone from the maps is refused everything, and why is counted" {
	policy true >policy.yaml
	start_daemon
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	kill_daemon
	zero_policies "$("$EGRESSCTL" status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["workloads"][0]["slot"])')"
	is "$(ways)" "8 errno EPERM"
	is "$(counted web ipv4.verdicts.blocked_no_policy) $(counted web ipv6.verdicts.blocked_no_policy)" "4 4"
	arrived_exactly 1 tcp $OUT4 $TCP
	start_daemon
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
}

@test "an address that is gone from the maps is not allowed any more" {
	mesh_policy >policy.yaml
	start_daemon
	is "$(within "$WORK" "$CLIENT" tcp $MESH4 $TCP)" ok
	kill_daemon
	for bank in 0 1; do
		bpftool -j map dump pinned "$PINS/maps/eg_exact_$bank" | python3 -c '
import json, sys
for entry in json.load(sys.stdin):
    print(" ".join(entry["key"]))' | while read -r key; do
			# shellcheck disable=SC2086 # numbers
			bpftool map delete pinned "$PINS/maps/eg_exact_$bank" key $key
		done
	done
	is "$(ways)" "8 errno EPERM"
	is "$(counted web ipv4.verdicts.blocked_passthrough_off)" 4
	arrived_exactly 1 tcp $MESH4 $TCP
}

# ---- an empty set must not mean allow-all: CVE-2025-64715, where a list of no ranges was left out and matched all

@test "a mesh that has no Dataplane is no mesh that has all" {
	policy false >policy.yaml
	start_daemon
	is "$(ways)" "8 errno EPERM"
}

@test "a MeshPassthrough with an empty list, or none, matches nothing, and comes to that from a list without a break" {
	matched() {
		policy true
		printf -- '---\ntype: MeshPassthrough\nname: m\nmesh: default\nspec:\n  default: {passthroughMode: Matched%s}\n' "$1"
	}
	matched ", appendMatch: [{type: CIDR, value: 10.91.0.0/24, protocol: tcp}]" >policy.yaml
	start_daemon
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	matched ", appendMatch: []" >policy.yaml
	change 2
	is "$(ways)" "8 errno EPERM"
	matched "" >policy.yaml
	change 3
	is "$(ways)" "8 errno EPERM"
	arrived_exactly 1 tcp $OUT4 $TCP
}

# ---- a swap of policies must not pass through allow-all or deny-all: bpfilter replaces a ruleset in two steps

# connect_until_told NAME TCP-ADDRESS: TCP connects to a server, one after the other. NAME.answers has how often each answer came.
connect_until_told() {
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" bash -c "
		while [ ! -e told ]; do $CLIENT repeat tcp $2 $TCP 20 1; done >$1.answers") 3>&- &
	connecting+=($!)
}

@test "over hundreds of reloads no connect is answered otherwise than both policies say, nor any datagram" {
	mesh_policy >full.yaml
	{
		mesh_policy "excludeOutboundPorts: [1]" | sed 's/^meshCIDRs: \[/&198.51.100.0\/24, /'
	} >other.yaml
	cp full.yaml policy.yaml
	start_daemon
	follow_log
	# There are not enough ports to wait for each.
	nsenter --net="$EG_CLIENT" sysctl -qw net.ipv4.tcp_tw_reuse=1 net.ipv4.ip_local_port_range="10000 65535"
	connecting=()
	connect_until_told allowed $MESH4
	connect_until_told forbidden $OUT4
	start_watching "$WORK" watched udp $MESH4 $UDP $OUT4 $UDP $MESH6 $UDP $OUT6 $UDP
	rounds=$(slow_count 400)
	for ((round = 0; round < rounds; round++)); do
		[ $((round % 2)) = 0 ] && cp other.yaml policy.yaml || cp full.yaml policy.yaml
		kill -HUP "$DAEMON"
		until_said "*policy: generation * in force*"
	done
	stop_watching $watcher
	touch told
	wait "${connecting[@]}"
	is "$(cut -d ' ' -f 1 allowed.answers | sort -u)" ok
	is "$(cut -d ' ' -f 1 forbidden.answers | sort -u)" EPERM
	is "$(cut -d ' ' -f 1,3 watched)" "$(printf '%s\n' "$MESH4 ok" "$OUT4 EPERM" "$MESH6 ok" "$OUT6 EPERM")"
	is "$(counted web ipv4.verdicts.blocked_guard) $(counted web ipv4.verdicts.blocked_no_policy)" "0 0"
	arrived_exactly 0 tcp $OUT4 $TCP
}

# ---- another owner's programs on the same cgroup: Cilium's agent has taken those of others away

# their_answers: of a port that the neighbour refuses, and of one that is its none of its business.
their_answers() {
	echo "$(within "$WORK" "$CLIENT" tcp $MESH4 $TCP2), $(within "$WORK" "$CLIENT" tcp $MESH4 $TCP)"
}

their_programs() {
	bpftool cgroup show "$WORK" | grep -o 'their_[a-z0-9]*' | sort | paste -s -d ' '
}

@test "another owner's programs on the cgroup are in force before, while and after ours are, and an uninstall leaves them" {
	mesh_policy >policy.yaml
	attach_others neighbour "$WORK"
	theirs=$(their_programs)
	is "$theirs" "their_connect4 their_connect6 their_egress"
	is "$(their_answers)" "errno EPERM, ok"
	start_daemon
	is "$(their_answers)" "errno EPERM, ok"
	is "$(their_programs)" "$theirs"
	is "$(ways)" "$AS_THE_POLICY_SAYS"
	# One that comes later stands behind ours.
	attach_others neighbour "$WORK"
	is "$(ways)" "$AS_THE_POLICY_SAYS"
	kill_daemon
	start_daemon
	is "$(their_answers)" "errno EPERM, ok"
	is "$(their_programs)" "$(printf '%s\n%s' "$theirs" "$theirs" | tr ' ' '\n' | sort | paste -s -d ' ')"
	"$EGRESSCTL" uninstall --stop
	DAEMON=
	is "$(their_programs)" "$(printf '%s\n%s' "$theirs" "$theirs" | tr ' ' '\n' | sort | paste -s -d ' ')"
	is "$(their_answers)" "errno EPERM, ok"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
}

# ---- a restart must not orphan a link: Cilium left one of sock_release behind at each

# own_links: their ids.
own_links() {
	cgroup_links | grep " $(stat -c %i "$WORK")$"
}

@test "restarts leave the very same links on the cgroup, each pinned once, and none beside them" {
	mesh_policy >policy.yaml
	start_daemon
	before=$(bpftool -j cgroup show "$WORK")
	links=$(own_links)
	is "$(python3 -c 'import json, sys; print(len(json.load(sys.stdin)))' <<<"$before")" $GUARDED_LINKS
	for how in KILL TERM KILL TERM KILL; do
		kill -$how "$DAEMON"
		wait_for 10 is_gone "$DAEMON"
		start_daemon
	done
	is "$(own_links)" "$links"
	is "$(find "$PINS/links" -type f | wc -l)" $GUARDED_LINKS
	is "$(ways)" "$AS_THE_POLICY_SAYS"
}

# ---- connects of the kernel's own: Cilium's rewriting of addresses broke mounts of NFS and SMB

# offer_address ADDRESS: the MPTCP server tells its peers of one more address.
offer_address() {
	ip -n "${EG_SERVER##*/}" mptcp limits set subflows 4 2>/dev/null || skip "needs MPTCP with a path manager"
	ip -n "${EG_CLIENT##*/}" mptcp limits set subflows 4 add_addr_accepted 4
	ip -n "${EG_SERVER##*/}" mptcp endpoint add "$1" dev veth0 signal
}

# A port whose server keeps its connections.
KEPT=8090

# hold_mptcp [CGROUP]: a connection of the workload to MESH4, until the test ends.
hold_mptcp() {
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" python3 -c "
import socket
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.bind(('0.0.0.0', $KEPT))
listener.listen()
print('ready', flush=True)
connection, _ = listener.accept()
connection.send(b'x')
connection.recv(1)") >kept 3>&- &
	owners+=($!)
	wait_for 10 grep -q ready kept
	(in_cgroup "${1:-$WORK}" nsenter --net="$EG_CLIENT" "$CLIENT" hold mptcp $MESH4 $KEPT 1 1) >held <>never 3>&- &
	owners+=($!)
	wait_for 10 grep -q ok held
}

# subflows ADDRESS: how many the client has established to it.
subflows() {
	nsenter --net="$EG_CLIENT" ss -Htn state established "dst $1 and dport = :$KEPT" | wc -l
}

has_subflows() {
	[ "$(subflows "$1")" = "$2" ]
}

was_refused() { # was_refused COUNTER
	[ "$(counted web "$1")" -gt 0 ]
}

@test "a subflow that the kernel opens by itself is judged by the workload that it belongs to, and a refusal leaves the first alone" {
	mesh_policy >policy.yaml
	offer_address $OUT4
	start_daemon
	hold_mptcp
	wait_for 20 was_refused ipv4.verdicts.blocked_passthrough_off
	is "$(subflows $MESH4) $(subflows $OUT4)" "1 0"
}

@test "a subflow that the kernel opens by itself to an allowed address is established" {
	mesh_policy | sed "s|$MESH4/32|10.91.0.0/24|" >policy.yaml
	offer_address $OUT4
	start_daemon
	hold_mptcp
	wait_for 20 has_subflows $OUT4 1
	is "$(subflows $MESH4)" 1
}

@test "a gate lets by a subflow that the kernel opens by itself, which its workload's own programs judge" {
	mkdir "$WORK/pod1"
	mesh_policy "unenrolled: refuse" | sed "s|$MESH4/32|10.91.0.0/24|; s|cgroup: .*|cgroup: $WORK_PATH/pod*|" >policy.yaml
	offer_address $OUT4
	start_daemon
	hold_mptcp "$WORK/pod1"
	wait_for 20 has_subflows $OUT4 1
	is "$(subflows $MESH4)" 1
	# Nobody else is let by for that.
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

# ---- another program's bpf_set_retval(0) behind ours must not undo a refusal unnoticed

# silent ADDRESS: no TCP connection, not even its first packet, and no datagram has come to a host.
silent() {
	arrived_exactly 0 tcp "$1" $TCP
	arrived_exactly 0 udp "$1" $UDP
}

@test "with passthrough false a refusal that another program undoes lets no packet out, and is counted as the guard's" {
	mesh_policy >policy.yaml
	start_daemon
	attach_others undo "$WORK"
	# What the sender hears is the guard's: TCP hears nothing of a packet that is dropped, and gives up.
	is "$(within "$WORK" timeout --preserve-status 1 "$CLIENT" tcp $OUT4 $TCP)" ""
	is "$(within "$WORK" timeout --preserve-status 1 "$CLIENT" tcp $OUT6 $TCP)" ""
	guarded4=$(counted web ipv4.verdicts.blocked_guard)
	guarded6=$(counted web ipv6.verdicts.blocked_guard)
	# It may have tried again.
	[ "$guarded4" -ge 1 ]
	[ "$guarded6" -ge 1 ]
	for way in udp-sendto udp-sendmsg udp-connect; do
		is "$way $(within "$WORK" "$CLIENT" $way $OUT4 $UDP)" "$way errno EPERM"
		is "$way $(within "$WORK" "$CLIENT" $way ::ffff:$OUT4 $UDP)" "$way errno EPERM"
		is "$way $(within "$WORK" "$CLIENT" $way $OUT6 $UDP)" "$way errno EPERM"
	done
	# Whatever peer it has.
	is "$(within "$WORK" "$CLIENT" udp-connected-sendto $MESH4 $UDP $OUT4 $UDP)" "errno EPERM"
	is "$(within "$WORK" "$CLIENT" udp-connected-sendto $MESH6 $UDP ::ffff:$OUT4 $UDP)" "errno EPERM"
	is "$(within "$WORK" "$CLIENT" udp-connected-sendto $MESH6 $UDP $OUT6 $UDP)" "errno EPERM"
	is "$(($(counted web ipv4.verdicts.blocked_guard) - guarded4)) $(($(counted web ipv6.verdicts.blocked_guard) - guarded6))" "8 4"
	silent $OUT4
	silent $OUT6
	is "$(within "$WORK" "$CLIENT" tcp $MESH4 $TCP), $(within "$WORK" "$CLIENT" udp-sendto $MESH4 $UDP)" "ok, ok"
	undoers | grep -q "undo_connect4.*the guard drops what would leave by that"
	undoers | grep -q "undo_socket.*the guard drops"
}

# undoers: what status says of programs that could undo a refusal.
undoers() {
	status_of "'\n'.join(f['what'] for f in d['not_enforced'] if 'runs after ours' in f['what'])"
}

@test "with passthrough false sockets and options that another program lets be made send nothing" {
	mesh_policy >policy.yaml
	start_daemon
	attach_others undo "$WORK"
	is "$(within "$WORK" python3 -c "
import socket
def attempt(what, act):
    try:
        act()
        print(what, 'ok')
    except OSError as e:
        print(what, e.errno)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
attempt('raw', lambda: raw.sendto(b'x', ('$OUT4', 0)))
routed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
routed.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([131, 7, 4, 10, 91, 0, 3, 0]))
attempt('routed', lambda: routed.sendto(b'x', ('$MESH4', $UDP)))")" "raw 1
routed 1"
	is "$(counted web ipv4.verdicts.blocked_guard) $(counted web ipv4.verdicts.blocked_source_route)" "1 2"
	silent $OUT4
}

@test "with passthrough true a program that could undo what a limit refuses is named, and one that cannot is not" {
	policy true >policy.yaml
	patch "origin: transparent" "circuit_breakers: {thresholds: [{max_connections: 1}]}" >>policy.yaml
	start_daemon
	is "$(undoers)" ""
	attach_others neighbour "$WORK"
	attach_others undo "$WORK"
	is "$(undoers | sed 's/^program [0-9]* .\([a-z0-9_]*\). .*/\1/' | sort | paste -s -d ' ')" \
		"their_connect4 their_connect6 undo_connect4 undo_connect6 undo_sendmsg4 undo_sendmsg6"
	undoers | grep -q "undo_connect4.*a connection that the circuit breaker refused would go on"
	# That is what happens, and it is counted as refused.
	is "$(within "$WORK" "$CLIENT" hold tcp $OUT4 $TCP 2 1 </dev/null)" "ok 2"
	is "$(counted web ipv4.cluster.cx_total) $(counted web ipv4.cluster.cx_overflow)" "1 1"
}

# ---- no moment at the start in which nobody judges: AWS's agent lets traffic out, or refuses all, until a pod is known

# born_in DIRECTORY COMMAND...: as a process that is in the cgroup from its first moment: clone3() with CLONE_INTO_CGROUP.
born_in() {
	nsenter --net="$EG_CLIENT" python3 -c '
import ctypes, os, struct, sys
cgroup = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
CLONE_INTO_CGROUP, SIGCHLD = 1 << 33, 17
arguments = struct.pack("11Q", CLONE_INTO_CGROUP, 0, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, cgroup)
pid = ctypes.CDLL(None, use_errno=True).syscall(435, arguments, len(arguments))
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
if pid < 0:
    sys.exit("clone3: %s" % os.strerror(ctypes.get_errno()))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "$@"
}

window_of() {
	status_of "next(w['window_ms'] for w in d['workloads'] if w['name'] == '$1')"
}

@test "a workload that is enrolled before its first process has no window, and its first connect is judged" {
	mesh_policy >policy.yaml
	start_daemon
	is "$(window_of web)" 0
	"$EGRESSCTL" status | grep -q " none  $WORK_PATH"
	is "$(born_in "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	is "$(born_in "$WORK" "$CLIENT" udp-sendto $OUT6 $UDP)" "errno EPERM"
	is "$(born_in "$WORK" "$CLIENT" tcp $MESH4 $TCP)" ok
	silent $OUT4
	is "$(stat_of egressd.enrolment_window_ms web)" 0
}

@test "a workload that has processes already shows the window in which nobody judged them, also after a restart" {
	(in_cgroup "$WORK" cat) <>never >/dev/null 3>&- &
	owners+=($!)
	mesh_policy >policy.yaml
	start_daemon
	window=$(window_of web)
	[ "$window" -gt 0 ]
	is "$(stat_of egressd.enrolment_window_ms web)" "$window"
	is "$("$EGRESSCTL" stats --format prometheus web | sed -n 's/^egressd_enrolment_window_seconds{.*} //p')" "$(awk "BEGIN { printf \"%.15g\", $window / 1000 }")"
	kill_daemon
	is "$(window_of web)" "$window"
	start_daemon
	is "$(window_of web)" "$window"
}

@test "a command has no window: of a hundred that connect first of all none is let out" {
	count=$(slow_count 100)
	for ((i = 0; i < count; i++)); do
		echo "ctl run --passthrough false -- $CLIENT tcp $OUT4 $TCP || true"
	done >runs
	. ./runs >answers
	is "$(sort -u answers) $(wc -l <answers)" "errno EPERM $count"
	silent $OUT4
}
