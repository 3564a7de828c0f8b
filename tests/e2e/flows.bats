#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# egressctl flows: who is connected where, and how much has gone over it.

load ../lib/common
load ../lib/daemon

EXCHANGE=$BATS_TEST_DIRNAME/../lib/exchange.py
PORT=9200 PORT2=9201

setup() {
	daemon_setup
	for at in "$OUT4 $PORT" "$OUT4 $PORT2" "$OUT6 $PORT"; do
		serve $at
	done
	policy true "allow: [{cidr: $OUT4, port: $PORT2}]" >policy.yaml
}

teardown() {
	[ -z "${input:-}" ] || exec {input}>&-
	daemon_teardown
}

serve() { # ADDRESS PORT
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$EG_SERVER" python3 "$EXCHANGE" serve "$1" "$2") >"serve.$1.$2" 3>&- &
	disown
	wait_for 10 grep -q ready "serve.$1.$2"
}

# exchange NAME ADDRESS PORT OUT IN: in the workload, and stays connected. $exchanger is its process id; a line on
# $input exchanges as much again, its end closes the connection.
exchange() {
	mkfifo "$1.in"
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" python3 "$EXCHANGE" connect "${@:2}") <"$1.in" >"$1.out" 3>&- &
	exchanger=$!
	disown
	exec {input}>"$1.in"
	wait_for 10 grep -q exchanged "$1.out"
}

has_exchanged() { # NAME TIMES
	[ "$(grep -c exchanged "$1.out")" -eq "$2" ]
}

# flows_of EXPRESSION [ARG...]: Python's value of it, with the listing as d
flows_of() {
	local expression=$1
	shift
	"$EGRESSCTL" flows --json "$@" >flows.json && json flows.json "$expression"
}

# listed [ARG...]: what is listed, a sorted line for each
listed() {
	flows_of "'\n'.join(sorted('%s %d %s %s %s %s %s' % (f['address'], f['port'], f['protocol'], f['family'], f['verdict'],
		f['reason'], f['state']) for f in d['flows']))" "$@"
}

# bytes_of PORT: sent and received over the only connection to there
bytes_of() {
	flows_of "[(f['tx_bytes'], f['rx_bytes']) for f in d['flows'] if f['port'] == $1]"
}

counted_bytes() {
	echo "$(stat_of cluster.outbound_passthrough_ipv4.upstream_cx_tx_bytes_total web)" \
		"$(stat_of cluster.outbound_passthrough_ipv4.upstream_cx_rx_bytes_total web)"
}

bytes_are_counted() { # SENT RECEIVED
	[ "$(counted_bytes)" = "$1 $2" ]
}

@test "a flow's bytes are what its client sent and got, live, with the agent dead, and in stats after it closed" {
	start_daemon
	exchange a $OUT4 $PORT 123456 7890
	is "$(bytes_of $PORT)" "[(123456, 7890)]"
	kill_daemon
	echo >&$input
	wait_for 10 has_exchanged a 2
	is "$(bytes_of $PORT)" "[(246912, 15780)]"
	exec {input}>&-
	input=
	wait_for 10 is_gone $exchanger
	is "$(flows_of "d['flows']")" "[]"
	wait_for 10 bytes_are_counted 246912 15780
}

@test "a flow names workload, process, destination and why it may be, and its age is at least its idle time" {
	start_daemon
	exchange a $OUT4 $PORT 8 1
	is "$(flows_of "[(f['workload'], f['comm'], f['pid'], f['local_address'], f['enforced']) for f in d['flows']]")" \
		"[('web', 'python3', $exchanger, '$OWN4', True)]"
	is "$(flows_of "[0 <= f['idle_ms'] <= f['age_ms'] < 60000 for f in d['flows']]")" "[True]"
	run "$EGRESSCTL" flows
	is "${#lines[@]}" 2
	is "$(echo "${lines[0]}" | tr -s ' ')" "WORKLOAD VERDICT REASON STATE PROTOCOL DESTINATION AGE IDLE RX TX PROCESS"
	is "$(echo "${lines[1]}" | awk '{ print $1, $2, $3, $4, $5, $6, $9, $10, $11 }')" \
		"web allowed passthrough established tcp $OUT4:$PORT 1 8 python3[$exchanger]"
}

@test "each of both families and UDP is listed, and UDP's bytes and idle time are not claimed to be known" {
	start_daemon
	exchange a $OUT4 $PORT 8 1
	exec {first}>&$input
	exchange b $OUT4 $PORT2 8 1
	exec {second}>&$input
	exchange c $OUT6 $PORT 8 1
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" "$EG_BUILD/tests/lib/holder" udp $OUT4 $PORT 60) >udp.out 3>&- &
	disown
	wait_for 10 grep -q connected udp.out
	is "$(listed)" "$OUT4 $PORT tcp ipv4 allowed passthrough established
$OUT4 $PORT udp ipv4 allowed passthrough session
$OUT4 $PORT2 tcp ipv4 allowed matched established
$OUT6 $PORT tcp ipv6 allowed passthrough established"
	is "$(flows_of "[(f['tx_bytes'], f['rx_bytes'], f['idle_ms']) for f in d['flows'] if f['protocol'] == 'udp']")" \
		"[(None, None, None)]"
	is "$("$EGRESSCTL" flows | awk '$5 == "udp" { print $8, $9, $10 }')" "- - -"
	# the filters
	is "$(listed --verdict matched)" "$OUT4 $PORT2 tcp ipv4 allowed matched established"
	is "$(listed --verdict blocked)" ""
	is "$(listed --verdict allowed web | wc -l)" 4
	is "$(listed --destination "$OUT4:$PORT2")" "$OUT4 $PORT2 tcp ipv4 allowed matched established"
	is "$(listed --destination "${OUT4%.*}.0/24" | wc -l)" 3
	is "$(listed --destination "[$OUT6]:$PORT")" "$OUT6 $PORT tcp ipv6 allowed passthrough established"
	is "$(listed --destination "$OUT6/128:$PORT2")" ""
	is "$("$EGRESSCTL" flows --destination "$OUT6" | tail -n +2 | wc -l)" 1
	exec {first}>&- {second}>&-
}

@test "a connection that audit mode lets past a limit is listed as audited, with the limit" {
	{ policy true 'mode: audit'; patch 'name: "outbound:passthrough:ipv4"' 'circuit_breakers: {thresholds: [{max_connections: 0}]}'; } >policy.yaml
	start_daemon
	exchange a $OUT4 $PORT 8 1
	is "$(flows_of "[(f['verdict'], f['reason'], f['enforced']) for f in d['flows']]")" \
		"[('blocked', 'blocked-max-connections', False)]"
	is "$("$EGRESSCTL" flows --verdict audited | awk 'NR == 2 { print $2, $3 }')" "audited blocked-max-connections"
}

@test "a socket that two processes have comes once for each of them" {
	start_daemon
	(in_cgroup "$WORK" nsenter --net="$EG_CLIENT" bash -c \
		'exec 5<>"/dev/tcp/$1/$2"; sleep 60 & echo "$! shared"; wait' bash $OUT4 $PORT) >shared.out 3>&- &
	parent=$!
	disown
	wait_for 10 grep -q shared shared.out
	wait_for 10 is_named sleep
	is "$(flows_of "sorted((f['pid'], f['comm']) for f in d['flows']) == sorted([($parent, 'bash'), ($(cut -d' ' -f1 shared.out), 'sleep')])")" True
	is "$(flows_of "len(set((f['netns'], f['cookie']) for f in d['flows']))")" 1
}

is_named() { # COMM
	[[ $(flows_of "[f['comm'] for f in d['flows']]") == *"$1"* ]]
}

@test "flows --follow prints what opens and what ends, until it is told to stop" {
	start_daemon
	exchange a $OUT4 $PORT 8 1
	exchange b $OUT4 $PORT2 8 2
	second=$exchanger
	"$EGRESSCTL" flows --follow --json web >follow.json 3>&- &
	following=$!
	"$EGRESSCTL" flows --follow web >follow.text 3>&- &
	following_too=$!
	wait_for 10 has_lines follow.json 2
	wait_for 10 has_lines follow.text 3
	exchange c $OUT6 $PORT 8 3
	wait_for 10 has_lines follow.json 3
	wait_for 10 has_lines follow.text 4
	kill $second
	wait_for 10 grep -q '"end"' follow.json
	wait_for 10 grep -q '^end' follow.text
	kill -TERM $following $following_too
	wait $following
	wait $following_too
	# What a look finds open may still be about to receive. Sockets of one look stand in the order of their numbers.
	is "$(python3 -IS -c "import json, sys; f = [json.loads(line) for line in sys.stdin]
said = [(e['event'], e['address'], e['port'], e['rx_bytes']) for e in f]; print(sorted(said[:2]), said[2][:3], said[3:])" <follow.json)" \
		"[('open', '$OUT4', $PORT, 1), ('open', '$OUT4', $PORT2, 2)] ('open', '$OUT6', $PORT) [('end', '$OUT4', $PORT2, 2)]"
	is "$(awk '{ print $1 }' follow.text | paste -sd ' ')" "EVENT open open open end"
}

@test "flows says what is wrong with a filter" {
	for bad in "--verdict maybe" "--destination 10.0.0.0/33" "--destination host.example" "--destination 10.0.0.1:0" \
		"--destination fd00::1]:1"; do
		run --separate-stderr "$EGRESSCTL" flows $bad
		is "$bad $status" "$bad 2"
		has "$stderr" "not '${bad#* }'"
	done
}

# seen [ARG...]: what destinations lists, a sorted line for each
seen() {
	"$EGRESSCTL" destinations --json "$@" >destinations.json && destinations destinations.json
}

@test "destinations and monitor show what is chosen by verdict, reason, address and port" {
	policy false "allow: [{cidr: $OUT4, port: $PORT2}]" >policy.yaml
	start_daemon
	"$EGRESSCTL" monitor --json --destination $OUT4:$PORT --verdict blocked web >events 3>&- &
	monitor=$!
	within "$WORK" "$CLIENT" tcp $OUT6 $PORT || true
	within "$WORK" "$CLIENT" tcp $OUT4 $PORT2
	wait_for 10 refused_and_shown
	kill -TERM $monitor
	wait $monitor
	is "$(python3 -IS -c "import json, sys; print(set((e['address'], e['port'], e['verdict']) for e in map(json.loads, sys.stdin)))" \
		<events)" "{('$OUT4', $PORT, 'blocked')}"
	is "$(seen --verdict matched)" "$OUT4 $PORT2 tcp ipv4 allowed matched 1"
	is "$(seen --destination "[$OUT6]:$PORT" web)" "$OUT6 $PORT tcp ipv6 blocked blocked-passthrough-off 1"
	is "$(seen --verdict blocked-passthrough-off | cut -d' ' -f1-3)" "$OUT4 $PORT tcp
$OUT6 $PORT tcp"
	is "$("$EGRESSCTL" destinations --verdict allowed | tail -n +2 | wc -l)" 1
}

# The monitor may come after the first attempts.
refused_and_shown() {
	within "$WORK" "$CLIENT" tcp $OUT4 $PORT || true
	[ -s events ]
}

@test "destinations --follow prints what is there, and then what is new or seen again" {
	start_daemon
	within "$WORK" "$CLIENT" tcp $OUT4 $PORT
	"$EGRESSCTL" destinations --follow --json web >follow.json 3>&- &
	following=$!
	wait_for 10 grep -q "\"port\": *$PORT," follow.json
	within "$WORK" "$CLIENT" tcp $OUT4 $PORT2
	wait_for 10 grep -q "\"port\": *$PORT2," follow.json
	kill_daemon
	within "$WORK" "$CLIENT" tcp $OUT4 $PORT
	wait_for 10 grep -q '"count": *2' follow.json
	kill -TERM $following
	wait $following
	is "$(python3 -IS -c "import json, sys; print([(d['port'], d['count']) for d in map(json.loads, sys.stdin)])" <follow.json)" \
		"[($PORT, 1), ($PORT2, 1), ($PORT, 2)]"
}

@test "clusters has a workload's limits and its destinations as hosts in Envoy's words, with the agent dead" {
	{ policy true; patch 'name: "outbound:passthrough:ipv4"' 'circuit_breakers: {thresholds: [{max_connections: 77}]}'; } >policy.yaml
	start_daemon
	exchange a $OUT4 $PORT 8 1
	within "$WORK" "$CLIENT" tcp $OUT4 $PORT
	kill_daemon
	"$EGRESSCTL" clusters web >clusters
	is "$(grep default_priority::max_connections clusters)" "outbound:passthrough:ipv4::default_priority::max_connections::77
outbound:passthrough:ipv6::default_priority::max_connections::1024"
	is "$(grep '::cx_' clusters)" "outbound:passthrough:ipv4::$OUT4:$PORT::cx_active::1
outbound:passthrough:ipv4::$OUT4:$PORT::cx_total::2"
	"$EGRESSCTL" clusters --json web >clusters.json
	is "$(json clusters.json "[c['name'] for c in d['cluster_statuses']]")" \
		"['outbound:passthrough:ipv4', 'outbound:passthrough:ipv6']"
}
