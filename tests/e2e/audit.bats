#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Workload.mode audit: real sockets pass, and all that is said of them is what would
# have been, with the word that it was not enforced.

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	start_servers
}

teardown() {
	daemon_teardown
}

# audited PASSTHROUGH [LINE...]: the policy in audit mode.
audited() {
	policy "$1" "mode: audit" "${@:2}"
}

# try WAY ADDRESS PORT: what the client says, as a process of the workload.
try() {
	within "$WORK" "$CLIENT" "$@"
}

@test "every socket of a workload in audit mode passes, and counts as what the policy says of it" {
	audited false "allow: [{cidr: $MESH4}]" >policy.yaml
	start_daemon
	for host in $OUT4 $OUT6 ::ffff:$OUT4 $MESH4; do
		is "$host $(try tcp "$host" $TCP)" "$host ok"
		is "$host $(try udp-connect "$host" $UDP)" "$host ok"
		is "$host $(try udp-sendto "$host" $UDP)" "$host ok"
	done
	arrived_exactly 4 udp $OUT4 $UDP
	arrived_exactly 2 udp $OUT6 $UDP
	# a connected socket is judged again when it sends to a mapped address
	is "$(stat_of egressd.verdicts.blocked-passthrough-off web) $(stat_of egressd.verdicts.matched web)" "10 3"
	is "$(stat_of egressd.not_enforced web)" 10
	is "$(stat_of tcp.outbound_passthrough_ipv4.downstream_cx_no_route web)" 2
	is "$(stat_of cluster.outbound_passthrough_ipv4.upstream_cx_total web)" 1
	"$EGRESSCTL" destinations --json web >d.json
	is "$(json d.json "sorted({(e['verdict'], e['reason'], e['enforced']) for e in d['destinations']})")" \
		"[('allowed', 'matched', True), ('blocked', 'blocked-passthrough-off', False)]"
	has "$("$EGRESSCTL" destinations web)" "web                  audited blocked-passthrough-off tcp      $OUT4:$TCP"
}

@test "status and explain say that nothing is enforced, and no gate stands" {
	mkdir "$WORK/pod1"
	audited false "unenrolled: refuse" | sed "s|cgroup: .*|cgroup: $WORK_PATH/pod*|" >policy.yaml
	start_daemon
	has "$(cat daemon.log)" "unenrolled: refuse has no effect while mode is audit"
	is "$(status_of "[(w['name'], w['mode'], w['enforced']) for w in d['workloads']], d['gates']")" \
		"([('web:pod1', 'audit', False)], [])"
	has "$(status_of "[n['what'] for n in d['not_enforced'] if n.get('workload') == 'web:pod1']")" "it is in audit mode"
	has "$("$EGRESSCTL" status)" "audit    web:pod1"
	# beside the enrolled one
	is "$(try tcp $OUT4 $TCP)" ok
	"$EGRESSCTL" explain --json web $OUT4:$TCP >e.json
	is "$(json e.json "d['mode'], d['destination']['verdict'], d['destination']['enforced']")" "('audit', 'blocked', False)"
	"$EGRESSCTL" explain web $OUT4:$TCP >e
	has "$(cat e)" "mode         audit"
	has "$(cat e)" "blocked: blocked-passthrough-off, not enforced"
}

@test "monitor shows what would have been refused, and that it was not" {
	audited false >policy.yaml
	start_daemon
	"$EGRESSCTL" monitor --json web >events 2>monitor.err 3>&- &
	monitor=$!
	is "$(try tcp $OUT4 $TCP)" ok
	wait_for 10 test -s events
	kill -TERM $monitor
	wait $monitor
	is "$(json events "d['verdict'], d['reason'], d['enforced'], d['address']")" \
		"('blocked', 'blocked-passthrough-off', False, '$OUT4')"
}

@test "from audit to enforce and back within the grace period no connection is lost, and refusals begin and end with the policy" {
	audited false >policy.yaml
	start_daemon
	mkfifo hold
	within "$WORK" "$CLIENT" hold tcp $OUT4 $TCP 2 1 <hold >held 2>&1 3>&- &
	exec {hold}>hold
	wait_for 10 grep -q 'ok 2' held
	# they would have been refused, so that they hold no lease and lack none
	is "$(status_of "d['workloads'][0]['uncounted']")" 0
	policy false "gracePeriod: 1h" >policy.yaml
	change 2
	is "$(try tcp $OUT4 $TCP)" "errno EPERM"
	is "$(status_of "d['workloads'][0]['mode'], d['workloads'][0]['enforced'], d['workloads'][0]['uncounted']")" \
		"('enforce', True, 2)"
	audited false >policy.yaml
	change 3
	is "$(try tcp $OUT4 $TCP)" ok
	is "$(stat_of egressd.verdicts.blocked-passthrough-off web) $(stat_of egressd.not_enforced web)" "4 3"
	"$EGRESSCTL" destinations --json web >d.json
	is "$(json d.json "sorted((e['enforced'], e['count']) for e in d['destinations'])")" "[(False, 3), (True, 1)]"
	exec {hold}>&-
	arrived_exactly 3 tcp $OUT4 $TCP
}

@test "in audit mode connections go past the breaker's limit, which counts them, and all are given back" {
	audited true >policy.yaml
	patch "origin: transparent" "circuit_breakers: {thresholds: [{max_connections: 2}]}" >>policy.yaml
	start_daemon
	is "$(try hold tcp $OUT4 $TCP 5 1 </dev/null)" "ok 5"
	is "$(try hold udp-connect $OUT4 $UDP 3 1 </dev/null)" "ok 3"
	for expected in upstream_cx_total=5 upstream_cx_overflow=3 upstream_cx_destroy=5 upstream_cx_active=0; do
		is "${expected%=*} $(stat_of cluster.outbound_passthrough_ipv4.${expected%=*} web)" "${expected%=*} ${expected#*=}"
	done
	is "$(stat_of tcp.outbound_passthrough_ipv4.downstream_cx_total web)" 5
	is "$(stat_of egressd.outbound_passthrough_ipv4.cx_past_limit web)" 3
	is "$(stat_of egressd.outbound_passthrough_ipv4.udp_sessions_overflow web)" 1
	is "$(stat_of egressd.verdicts.blocked-max-connections web) $(stat_of egressd.not_enforced web)" "4 4"
	is "$(stat_of egressd.audit_agrees web)" 1
}

@test "a command runs in audit mode by its policy, and its report says what would have been" {
	printf 'type: Workload\nname: web\nmode: audit\n---\ntype: Mesh\nname: default\nnetworking: {outbound: {passthrough: false}}\n' >p.yaml
	is "$(ctl run --policy p.yaml --idle-timeout 1ms --report r.json -- "$CLIENT" tcp $OUT4 $TCP)" ok
	is "$(json r.json "d['mode'], d['not_enforced'], [(e['verdict'], e['reason'], e['enforced']) for e in d['destinations']]")" \
		"('audit', 1, [('blocked', 'blocked-passthrough-off', False)])"
}
