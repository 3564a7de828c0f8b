#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# egressctl on what an agent has pinned, be it dead or alive.

load ../lib/common
load ../lib/daemon
load ../lib/chaos

setup() {
	daemon_setup
	start_servers
	policy false "allow: [{cidr: $MESH4}]" >policy.yaml
}

teardown() {
	[ -z "${stopped:-}" ] || kill -KILL "$stopped"
	daemon_teardown
}

refuse_once() {
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

@test "with nothing pinned the listings fail and say so, and uninstall has nothing to do" {
	for command in status stats clusters flows destinations monitor top "detach web"; do
		run --separate-stderr "$EGRESSCTL" $command
		is "$command $status" "$command 1"
		is "$output" ""
		has "$stderr" "nothing is pinned at $PINS"
	done
	run "$EGRESSCTL" uninstall
	is "$status" 0
	has "$output" "$PINS: nothing there"
}

@test "status tells a running agent from a dead one, and enforcement from both" {
	start_daemon
	is "$(status_of "d['agent']['state'], d['agent']['pid'] == $DAEMON, d['generation']")" "('running', True, 1)"
	is "$(status_of "[(w['name'], w['mesh'], w['cgroup'], w['mode'], w['enforced']) for w in d['workloads']]")" \
		"[('web', 'default', '$WORK_PATH', 'enforce', True)]"
	kill_daemon
	is "$(status_of "d['agent']['state'], d['workloads'][0]['enforced']")" "('dead', True)"
	is "$(status_of "all(n['what'] and n['remedy'] for n in d['not_enforced'])")" True
	has "$(status_of "[n['what'] for n in d['not_enforced']]")" "no agent runs"
}

@test "explain without --policy reads what the running agent reads, and says when that was refused" {
	start_daemon
	(cd / && "$EGRESSCTL" explain --json web $MESH4) >e.json
	is "$(json e.json "d['passthrough'], d['origins']['workload'], d['destination']['reason']")" \
		"(False, '$PWD/policy.yaml:7:1', 'matched')"
	run --separate-stderr "$EGRESSCTL" explain nobody
	is "$status" 1
	has "$stderr" "the policy has no Workload called nobody"
	sed -i 's/passthrough: false/passthrough: maybe/' policy.yaml
	wait_for 10 says 1 'generation 1 stays in force'
	run --separate-stderr "$EGRESSCTL" explain web
	is "$status" 3
	is "$output" ""
	has "$stderr" "the agent keeps an older policy in force"
	has "$stderr" "$PWD/policy.yaml:5:18: error: networking.outbound.passthrough: "
}

@test "explain without --policy of an agent that is dead, or sees other files, says what to do" {
	start_daemon
	run --separate-stderr unshare --mount "$EGRESSCTL" explain web
	is "$status" 1
	has "$stderr" "sees other files than this command; name its policy with --policy"
	kill_daemon
	run --separate-stderr "$EGRESSCTL" explain web
	is "$status" 1
	is "$output" ""
	has "$stderr" "no agent is seen to run; name its policy with --policy"
}

@test "status of an agent that is stopped, starting or in another pid namespace says so, and it is not taken for dead" {
	start_daemon
	kill -STOP $DAEMON
	has "$(status_of "[n['what'] for n in d['not_enforced']]")" "the agent is stopped (process $DAEMON)"
	kill -CONT $DAEMON
	hasnt "$(status_of "[n['what'] for n in d['not_enforced']]")" "is stopped"
	elsewhere="unshare --pid --fork --mount-proc"
	is "$($elsewhere "$EGRESSCTL" status | sed -n 1p)" "agent       running, process $DAEMON of another pid namespace"
	for command in "uninstall --stop" "detach web"; do
		run --separate-stderr $elsewhere "$EGRESSCTL" $command
		is "$command $status" "$command 1"
		has "$stderr" "an agent holds $PINS"
	done
	refuse_once
	kill_daemon
	has "$("$EGRESSCTL" status | sed -n 1p)" "agent       dead, was process "
	# as a daemon that starts holds it
	flock --no-fork "$PINS" sleep 60 3>&- &
	holder=$!
	wait_for 10 is_starting
	is "$(status_of "d['agent']['state'], d['workloads'][0]['enforced']")" "('starting', True)"
	run --separate-stderr "$EGRESSCTL" uninstall
	is "$status" 1
	has "$stderr" "that is starting"
	kill $holder
	wait_for 10 is_gone $holder
}

is_starting() {
	[ "$("$EGRESSCTL" status | sed -n 1p)" = "agent       starting" ]
}

@test "status says of pins that are not whole that an agent starts or was killed, and of another ABI that it is one" {
	start_daemon
	kill_daemon
	rm "$PINS/maps/eg_agent"
	run --separate-stderr "$EGRESSCTL" status
	is "$status" 1
	has "$stderr" "$PINS is not set up (eg_agent): an agent is starting, or was killed while it did; ask again, or start egressd"
	bpftool map update pinned "$PINS/maps/eg_control" key 0 0 0 0 value 99 0 0 0 1 0 0 0 1 0 0 0 0 0 0 0
	run --separate-stderr "$EGRESSCTL" status
	has "$stderr" "the pinned maps have ABI 99 and this build has"
	bpftool map update pinned "$PINS/maps/eg_control" key 0 0 0 0 value 0 0 0 0 1 0 0 0 1 0 0 0 0 0 0 0
	run --separate-stderr "$EGRESSCTL" status
	has "$stderr" "an agent is starting, or was killed while it did"
	# as it says
	start_daemon
	is "$(status_of "d['agent']['state'], d['workloads'][0]['enforced']")" "('running', True)"
}

@test "status without the rights that it needs says which, and of a foreign directory what to do with it" {
	start_daemon
	for drop in --reuid=65534 "--bounding-set=-sys_admin --inh-caps=-sys_admin"; do
		run --separate-stderr setpriv $drop "$EGRESSCTL" status
		is "$drop $status" "$drop 1"
		has "$stderr" "root is needed"
	done
	kill_daemon
	chmod 755 "$PINS"
	run --separate-stderr "$EGRESSCTL" status
	is "$status" 1
	has "$stderr" "not to root with 0700: somebody else made it; move it away"
}

@test "status claims nothing for a workload that lacks a link, or whose cgroup is gone or another" {
	start_daemon
	kill_daemon
	rm "$PINS"/links/*_eg_connect4
	is "$(status_of "d['workloads'][0]['enforced']")" False
	has "$(status_of "[n['what'] for n in d['not_enforced'] if n.get('workload') == 'web']")" \
		"eg_connect4: no link is pinned"
	start_daemon
	kill_daemon
	is "$(status_of "d['workloads'][0]['enforced']")" True
	rmdir "$WORK"
	is "$(status_of "d['workloads'][0]['enforced']")" False
	has "$(status_of "[n['what'] for n in d['not_enforced']]")" "the cgroup is gone"
	mkdir "$WORK"
	is "$(status_of "d['workloads'][0]['enforced']")" False
	has "$(status_of "[n['what'] for n in d['not_enforced']]")" "made anew under the same path"
}

gates_of_status() {
	status_of "[(g['cgroup'], g['workload'], g['enforced']) for g in d['gates']]"
}

@test "status lists the gates of unenrolled: refuse, and compares each with what is attached" {
	mkdir "$WORK/pod1" "$WORK/other"
	policy true "unenrolled: refuse" | sed "s|cgroup: .*|cgroup: $WORK_PATH/pod*|" >policy.yaml
	start_daemon
	is "$(gates_of_status)" "[('$WORK_PATH', 'web', True)]"
	has "$("$EGRESSCTL" status)" "1 of 1 workloads, 1 of 1 gates"
	kill_daemon
	is "$(gates_of_status)" "[('$WORK_PATH', 'web', True)]"
	rm "$PINS"/links/s0_*_eg_gate_conn6
	is "$(gates_of_status)" "[('$WORK_PATH', 'web', False)]"
	has "$(status_of "[n['what'] for n in d['not_enforced'] if n.get('workload') == 'web']")" \
		"eg_gate_conn6: no link is pinned"
	has "$("$EGRESSCTL" status)" "1 of 1 workloads, 0 of 1 gates"
	# the remedy that it names
	start_daemon
	is "$(gates_of_status)" "[('$WORK_PATH', 'web', True)]"
	is "$(within "$WORK/other" "$CLIENT" tcp $OUT6 $TCP)" "errno EPERM"
	bpftool link detach pinned "$PINS"/links/s0_*_eg_gate_send4
	is "$(gates_of_status)" "[('$WORK_PATH', 'web', False)]"
	has "$(status_of "[n['what'] for n in d['not_enforced'] if n.get('workload') == 'web']")" \
		"eg_gate_send4: the pinned link is not on the cgroup"
}

@test "status says that a gate stands on a cgroup that is another now, and forgets one that no policy wants" {
	policy true "unenrolled: refuse" | sed "s|cgroup: .*|cgroup: $WORK_PATH/pod*|" >policy.yaml
	start_daemon
	kill_daemon
	rmdir "$WORK"
	is "$(gates_of_status)" "[('$WORK_PATH', 'web', False)]"
	has "$(status_of "[n['what'] for n in d['not_enforced']]")" "the cgroup is gone: $WORK_PATH"
	mkdir "$WORK"
	is "$(gates_of_status)" "[('$WORK_PATH', 'web', False)]"
	has "$(status_of "[n['what'] for n in d['not_enforced']]")" "made anew under the same path"
	start_daemon
	is "$(gates_of_status)" "[('$WORK_PATH', 'web', True)]"
	policy true "unenrolled: refuse" | sed "s|cgroup: .*|cgroup: $WORK_PATH/pod*|; s/name: web/name: shop/" >policy.yaml
	wait_for 10 says 1 "generation 3 in force"
	is "$(gates_of_status)" "[('$WORK_PATH', 'shop', True)]"
	policy true | sed "s|cgroup: .*|cgroup: $WORK_PATH/pod*|" >policy.yaml
	wait_for 10 says 1 "generation 4 in force"
	is "$(gates_of_status)" "[]"
	is "$(ls "$PINS/links")" ""
}

@test "status names capabilities with which processes of the workload can escape" {
	start_daemon
	(in_cgroup "$WORK" sleep 60) 3>&- &
	sleeper=$!
	wait_for 5 grep -qx $sleeper "$WORK/cgroup.procs"
	has "$(status_of "[n['what'] for n in d['not_enforced'] if n.get('workload') == 'web']")" "CAP_SYS_ADMIN"
	has "$(status_of "[n['what'] for n in d['not_enforced'] if n.get('workload') == 'web']")" "$sleeper"
	kill $sleeper
}

@test "status shows why the last policy was refused" {
	start_daemon
	policy true | sed 's/passthrough/passtrough/' >policy.yaml
	wait_for 10 says 1 "generation 1 stays in force"
	has "$(status_of "d['last_error']")" "policy.yaml:5:5: networking.outbound.passtrough"
	is "$(status_of "d['generation'], d['loads_failed']")" "(1, 1)"
	has "$("$EGRESSCTL" status)" "FAILED, generation 1 stays in force"
}

@test "a file that is put back to what is in force is no failure any more" {
	start_daemon
	cp policy.yaml good.yaml
	policy true | sed 's/passthrough/passtrough/' >policy.yaml
	wait_for 10 says 1 "generation 1 stays in force"
	cp good.yaml policy.yaml
	wait_for 10 says 1 "generation 2 in force"
	is "$(status_of "d.get('last_error')")" None
	hasnt "$("$EGRESSCTL" status)" FAILED
}

without_uptime() {
	sed -E 's/("name":"server.uptime","value":)[0-9]+/\1_/'
}

@test "stats prints Envoy's lines for a workload and sums the node, with the agent dead too" {
	start_daemon
	refuse_once
	kill_daemon
	refuse_once
	is "$(stat_of tcp.outbound_passthrough_ipv4.downstream_cx_no_route web)" 2
	is "$(stat_of cluster.outbound_passthrough_ipv4.upstream_cx_total web)" 0
	is "$(stat_of egressd.verdicts.blocked-passthrough-off)" 2
	"$EGRESSCTL" stats --json web >stats.json
	is "$(json stats.json "[s['value'] for s in d['stats'] if s['name'] == 'tcp.outbound_passthrough_ipv4.downstream_cx_total']")" "[2]"
	# A second may have passed.
	is "$("$EGRESSCTL" stats --format json web | without_uptime)" "$(without_uptime <stats.json)"
}

@test "stats shows the limits in force with the agent dead too, and their sum for the node" {
	local remaining=cluster.outbound_passthrough_ipv6.circuit_breakers.default.remaining_cx
	start_daemon
	is "$(stat_of $remaining web)" 1024
	kill_daemon
	is "$(stat_of $remaining web)" 1024
	is "$(stat_of $remaining)" 1024
	has "$("$EGRESSCTL" stats web)" "cluster.outbound_passthrough_ipv4.upstream_cx_connect_ms: No recorded values"
	"$EGRESSCTL" stats --json web >stats.json
	is "$(json stats.json "d['histograms']['cluster.outbound_passthrough_ipv4.upstream_cx_length_ms']['count']")" 0
}

@test "stats follows connections that are open, with the agent dead too" {
	local c=cluster.outbound_passthrough_ipv4 hole=10.91.0.9
	# nobody has this hardware address: what goes there is never answered
	ip -n "$EG_NAME-c" neighbour add $hole lladdr 02:00:00:00:00:09 dev veth0
	policy true >policy.yaml
	start_daemon
	kill_daemon
	mkfifo end
	exec 5<>end
	within "$WORK" "$CLIENT" hold tcp $OUT4 $TCP 3 1 <end >held 3>&- 5>&- &
	local holders=($!)
	within "$WORK" "$CLIENT" hold tcp-abandon $hole 80 2 1 <end >pending 3>&- 5>&- &
	holders+=($!)
	wait_for 10 grep -q ok held
	wait_for 10 grep -q ok pending
	# At once: connects to the hole end by themselves after a while.
	"$EGRESSCTL" stats web | sed -n "s/^$c\.//p" >open
	exec 5>&-
	for line in "upstream_cx_active: 5" "upstream_rq_active: 3" "upstream_rq_pending_active: 2" \
		"circuit_breakers.default.remaining_cx: 1019" "circuit_breakers.default.remaining_pending: 1022" \
		"circuit_breakers.default.remaining_rq: 1021" "circuit_breakers.default.cx_open: 0"; do
		is "$(grep "^${line%:*}: " open)" "$line"
	done
	# And not for whoever ends a test that takes too long.
	wait "${holders[@]}"
	is "$(stat_of $c.upstream_cx_active web)" 0
	is "$(stat_of $c.upstream_cx_destroy web)" 5
	is "$(stat_of $c.circuit_breakers.default.remaining_cx web)" 1024
	is "$(stat_of $c.circuit_breakers.default.remaining_pending)" 1024
}

@test "stats refuses a workload that nobody knows, and a format that there is not" {
	start_daemon
	run --separate-stderr "$EGRESSCTL" stats wob
	is "$status" 1
	has "$stderr" "no workload called 'wob'"
	run --separate-stderr "$EGRESSCTL" stats --format yaml
	is "$status" 2
	has "$stderr" "--format is text, json or prometheus, not 'yaml'"
}

@test "stats --filter shows what the expression is found in, and says what is wrong with one" {
	start_daemon
	refuse_once
	is "$("$EGRESSCTL" stats --filter 'tcp\.pass_through\.downstream_cx_no_route' web)" \
		"tcp.outbound_passthrough_ipv4.downstream_cx_no_route: 1
tcp.outbound_passthrough_ipv6.downstream_cx_no_route: 0"
	"$EGRESSCTL" stats --json --filter ipv4.upstream_cx_length_ms web >stats.json
	is "$(json stats.json "d['stats'], list(d['histograms'])")" \
		"([], ['cluster.outbound_passthrough_ipv4.upstream_cx_length_ms'])"
	is "$("$EGRESSCTL" stats --filter 'no such name' web)" ""
	run --separate-stderr "$EGRESSCTL" stats --filter 'ipv(4'
	is "$status" 2
	is "$output" ""
	has "$stderr" "--filter is no regular expression: missing closing parenthesis, at character 6"
	run --separate-stderr "$EGRESSCTL" stats --filter '(.+)+[#@]'
	is "$status" 1
	is "$output" ""
	has "$stderr" "takes too many steps"
}

@test "stats has what is the node's only where no workload is asked for" {
	start_daemon
	is "$(stat_of egressd.policy_generation)" 1
	is "$(stat_of egressd.agent_running)" 1
	is "$(stat_of egressd.workloads)" 1
	is "$(stat_of server.live)" 1
	is "$(stat_of egressd.policy_generation web)" ""
	is "$(stat_of server.live web)" 1
	is "$(stat_of egressd.audit_agrees web)" 1
	kill_daemon
	is "$(stat_of egressd.agent_running)" 0
	is "$(stat_of server.live web)" 1
}

@test "stats shows what programs cost while the kernel counts it" {
	local enabled=/proc/sys/kernel/bpf_stats_enabled
	local was=$(cat $enabled)
	start_daemon
	refuse_once
	[ "$was" = 1 ] || is "$("$EGRESSCTL" stats --filter programs)" ""
	echo 1 >$enabled
	refuse_once
	echo "$was" >$enabled
	is "$(stat_of egressd.programs.eg_connect4.runs)" $((1 + was))
	[ "$(stat_of egressd.programs.eg_connect4.ns_per_run)" -gt 0 ]
	is "$(stat_of egressd.programs.eg_connect6.runs)" 0
}

@test "destinations lists what was tried, with the workload, as table and as JSON" {
	start_daemon
	refuse_once
	is "$(within "$WORK" "$CLIENT" tcp $MESH4 $TCP)" ok
	"$EGRESSCTL" destinations --json web >seen.json
	is "$(destinations seen.json)" "$MESH4 $TCP tcp ipv4 allowed matched 1
$OUT4 $TCP tcp ipv4 blocked blocked-passthrough-off 1"
	is "$(json seen.json "sorted({e['workload'] for e in d['destinations']})")" "['web']"
	has "$("$EGRESSCTL" destinations)" "$OUT4:$TCP"
}

@test "monitor prints a line for a refusal at once, and ends with 0 on SIGTERM" {
	start_daemon
	kill_daemon
	"$EGRESSCTL" monitor --json web >events 2>monitor.err 3>&- &
	monitor=$!
	refuse_once
	wait_for 5 grep -q '"reason":"blocked-passthrough-off"' events
	kill -TERM $monitor
	wait $monitor
	head -n 1 events >first.json
	is "$(json first.json "d['workload'], d['verdict'], d['address'], d['port'], d['protocol'], d['comm']")" \
		"('web', 'blocked', '$OUT4', $TCP, 'tcp', 'client')"
}

@test "whatever a cgroup is called, its name moves no cursor, ends no comment, and is no end of the JSON" {
	local odd=$WORK/$'a\e[2K\rweb' broken=$WORK/$'b\xff' command lines
	policy false | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|" >policy.yaml
	mkdir "$odd" "$broken"
	start_daemon
	for lines in 1 2; do
		is "$(within "$odd" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
		is "$(within "$broken" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	done
	for command in status destinations "top --count 1 --interval 100ms" preflight "preflight --emit-policy"; do
		"$EGRESSCTL" $command >shown || [ $? -eq 4 ]
		is "$command $(count_raw shown)" "$command 0"
		# of what is refused already preflight says nothing
		[[ $command != preflight* ]] || continue
		has "$(cat shown)" 'web:a\x1b[2K\x0dweb'
		has "$(cat shown)" 'web:b\xff'
	done
	is "$(count_raw daemon.log)" 0
	"$EGRESSCTL" top --json --count 1 --interval 100ms >top.json
	is "$(json top.json "sorted(w['workload'] for w in d['workloads'])")" "['(not UTF-8)', 'web:a\\x1b[2K\\rweb']"
	"$EGRESSCTL" monitor --json >events 2>monitor.err 3>&- &
	monitor=$!
	wait_for 5 has_lines events 4
	kill -TERM $monitor
	wait $monitor
	is "$(sort events | grep -c '"workload":"(not UTF-8)"')" 2
}

count_raw() { # FILE: lines that would move a cursor, or are no UTF-8
	LC_ALL=C grep -ac $'[\e\r\xff]' "$1" || true
}

@test "detach refuses while an agent runs; with it dead it ends enforcement and keeps the totals" {
	start_daemon
	refuse_once
	run --separate-stderr "$EGRESSCTL" detach web
	is "$status" 1
	has "$stderr" "take the workload out"
	refuse_once
	kill_daemon
	run --separate-stderr "$EGRESSCTL" detach web
	is "$status" 0
	has "$output" web
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	is "$(ls "$PINS/links")" ""
	is "$(stat_of egressd.verdicts.blocked-passthrough-off)" 2
	is "$(status_of "d['workloads']")" "[]"
}

@test "a workload that was detached is enrolled again by an agent that starts with a policy that names it" {
	start_daemon
	refuse_once
	kill_daemon
	run --separate-stderr "$EGRESSCTL" detach web
	is "$status" 0
	has "$output" "an agent that starts with a policy that names it enrols it again"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	start_daemon
	is "$(status_of "d['workloads'][0]['enforced']")" True
	refuse_once
	is "$(stat_of egressd.verdicts.blocked-passthrough-off web)" 1
	is "$(stat_of egressd.verdicts.blocked-passthrough-off)" 2
}

@test "detach does not touch a slot that an agent gives to another workload before detach holds the lock" {
	start_daemon
	kill_daemon
	# as a daemon that starts holds it
	flock --no-fork "$PINS" sleep 60 3>&- &
	holder=$!
	wait_for 10 is_starting
	mkfifo go
	# It opens what it locks once it has seen whose the slots are, and tries for 200 ms.
	python3 -IS - "$PINS" "$EGRESSCTL" 3>&- >detached 2>&1 <<-'END' &
		import os, signal, subprocess, sys
		def has_opened(pid, path):
		    try:
		        fds = f"/proc/{pid}/fd/"
		        return path in [os.readlink(fds + fd) for fd in os.listdir(fds)]
		    except OSError:
		        return False
		detach = None
		while not detach or detach.returncode is not None:
		    detach = subprocess.Popen([sys.argv[2], "detach", "web"])
		    while not has_opened(detach.pid, sys.argv[1]) and detach.poll() is None:
		        pass
		detach.send_signal(signal.SIGSTOP)
		print("stopped", flush=True)
		open("go").read()
		detach.send_signal(signal.SIGCONT)
		print("status", detach.wait())
	END
	detach=$!
	wait_for 10 grep -q stopped detached
	kill $holder
	wait_for 10 is_gone $holder
	sed -i 's/name: web/name: api/' policy.yaml
	start_daemon
	is "$(status_of "[(w['slot'], w['name']) for w in d['workloads']]")" "[(1, 'api')]"
	kill_daemon
	echo >go
	wait $detach
	has "$(cat detached)" "no workload called 'web'"
	has "$(cat detached)" "status 1"
	is "$(status_of "[(w['name'], w['enforced']) for w in d['workloads']]")" "[('api', True)]"
	refuse_once
}

@test "detach below a gate ends in what the gate does, at every moment: all is refused" {
	mkdir "$WORK/pod1" "$WORK/pod2"
	policy false "unenrolled: refuse" "allow: [{cidr: $MESH4}]" | sed "s|cgroup: .*|cgroup: $WORK_PATH/pod*|" >policy.yaml
	start_daemon
	is "$(within "$WORK/pod1" "$CLIENT" tcp $MESH4 $TCP)" ok
	kill_daemon
	connects=$(slow_count 100000)
	(within "$WORK/pod1" "$CLIENT" repeat udp-connect $OUT4 $UDP "$connects" 1 >blocked.out 2>&1 3>&-) &
	run --separate-stderr "$EGRESSCTL" detach web:pod1
	is "$status" 0
	has "$output" "detached web:pod1 ($WORK_PATH/pod1)"
	has "$output" "the gate on $WORK refuses what web:pod1 sends from now on"
	is "$(within "$WORK/pod1" "$CLIENT" tcp $MESH4 $TCP)" "errno EPERM"
	wait $!
	is "$(cat blocked.out)" "EPERM $connects"
	is "$(within "$WORK/pod2" "$CLIENT" tcp $MESH4 $TCP)" ok
	start_daemon
	is "$(within "$WORK/pod1" "$CLIENT" tcp $MESH4 $TCP)" ok
}

@test "uninstall refuses while an agent runs, and with --stop ends it and leaves nothing" {
	start_daemon
	run --separate-stderr "$EGRESSCTL" uninstall
	is "$status" 1
	has "$stderr" "--stop"
	refuse_once
	run --separate-stderr "$EGRESSCTL" uninstall --stop
	is "$status" 0
	has "$output" "stopped the agent, process $DAEMON"
	has "$output" "removed $PINS/maps/eg_slots"
	[ ! -e "$PINS" ]
	wait_for 5 is_gone $DAEMON
	DAEMON=
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	has "$(cat daemon.log)" "enforcement stays"
}

@test "no agent starts while uninstall removes what there is, and one that starts then begins anew" {
	require_strace
	start_daemon
	kill_daemon
	strace -D -o calls -e trace=/^unlink -e inject=/^unlink:signal=STOP:when=1 "$EGRESSCTL" uninstall >uninstalled 3>&- &
	stopped=$!
	wait_for 20 grep -q 'stopped by SIGSTOP' calls
	launch_daemon
	wait_for 20 is_gone "$DAEMON"
	DAEMON=
	has "$(cat daemon.log)" "$PINS: another egressd holds it"
	kill -CONT $stopped
	wait $stopped
	stopped=
	[ ! -e "$PINS" ]
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	start_daemon
	refuse_once
}

@test "status takes programs that an agent which starts gives to the links meanwhile for what they are" {
	require_strace
	start_daemon
	strace -D -o calls -P "$WORK" -e trace=openat -e inject=openat:signal=STOP:when=1 "$EGRESSCTL" status --json >status.json 3>&- &
	stopped=$!
	wait_for 20 grep -q 'stopped by SIGSTOP' calls
	kill_daemon
	start_daemon
	kill -CONT $stopped
	wait $stopped || true
	stopped=
	hasnt "$(cat status.json)" "does not run it"
	is "$(python3 -c 'import json; print(json.load(open("status.json"))["workloads"][0]["enforced"])')" True
}

# shown N: the lines that the README has below its Nth command of bpftool.
shown() {
	awk -v wanted="$1" '/^    # bpftool/ { n++; next } !/^    / { inside = 0 } /^    / && n == wanted && !done { print; inside = 1 }
		n == wanted && !/^    / { done = 1 }' "$EG_ROOT/README.md"
}

@test "the four commands of bpftool in the README print what it shows, with the daemon dead too" {
	policy false | sed 's/name: web/name: shop/' >policy.yaml
	start_daemon
	refuse_once
	kill_daemon
	mapfile -t commands < <(sed -n 's/^    # \(bpftool .*\)/\1/p' "$EG_ROOT/README.md")
	is "${#commands[@]}" 4
	for i in 0 1 2 3; do
		command=${commands[i]//\/sys\/fs\/bpf\/egressd/$PINS}
		bash -c "${command//\/sys\/fs\/cgroup\/system.slice\/shop.service/$WORK}" >printed
		# each field and program of what is shown; numbers are of their day
		shown $((i + 1)) | grep -oE '"[a-z_0-9]+":|"EG_[A-Z_]*"|eg_[a-z0-9]+' >words
		[ -s words ]
		while read -r word; do
			has "$(cat printed)" "$word"
		done <words
	done
	# what the kernel takes of the BPF LSM is not shown
	is "$(grep ' eg_' printed | grep -vc lsm)" "$(shown 4 | grep -c ' eg_')"
	bash -c "${commands[0]//\/sys\/fs\/bpf\/egressd/$PINS}" >printed
	has "$(cat printed)" '"name": "shop"'
	hasnt "$(cat printed)" '"enrolled_ns": 0'
}

@test "what status says this build does not catch stands in the README in the same words" {
	start_daemon
	kill_daemon
	status_of "'\n'.join(n['what'] for n in d['not_enforced'] if 'workload' not in n)" >said
	texts=("sockets made outside" "tun and tunnel devices" "has forged" "whose local port" "connected UDP sockets have no idle_timeout")
	[ "$(status_of "[l['in_force'] for l in d['layers'] if l['name'] == 'lsm']")" = "[True]" ] || texts+=("packet (AF_PACKET)")
	for text in "${texts[@]}"; do
		line=$(grep -F "$text" said)
		has "$(tr '\n' ' ' <"$EG_ROOT/README.md" | tr -d '*')" "$line"
	done
}

# make_links CGROUP: one link of a program that does nothing after the other, until there is a file `stop`.
make_links() {
	python3 -IS - "$1" <<-'END'
		import ctypes, os, platform, struct, sys
		number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
		def bpf(command, attributes):
		    buffer = ctypes.create_string_buffer(attributes, len(attributes))
		    return ctypes.CDLL(None, use_errno=True).syscall(number, command, buffer, len(attributes))
		code = ctypes.create_string_buffer(bytes.fromhex("b700000001000000" "9500000000000000"), 16)
		license = ctypes.create_string_buffer(b"GPL")
		PROG_LOAD, LINK_CREATE, CGROUP_SOCK, SOCK_CREATE = 5, 28, 9, 2
		program = bpf(PROG_LOAD, struct.pack("IIQQ", CGROUP_SOCK, 2, ctypes.addressof(code), ctypes.addressof(license)) + bytes(104))
		cgroup = os.open(sys.argv[1], os.O_RDONLY)
		made = 0
		while not os.path.exists("stop"):
		    os.close(bpf(LINK_CREATE, struct.pack("IIII", program, cgroup, SOCK_CREATE, 0) + bytes(48)))
		    made += 1
		print(made)
	END
}

# A link that is being made has a number before it can be opened.
@test "status stands, whatever links others are just making" {
	start_daemon
	make_links "$EG_CALLER" >made 3>&- &
	local maker=$!
	for _ in $(seq "$(slow_count 200)"); do
		"$EGRESSCTL" status >/dev/null || break
	done 2>said
	touch stop
	wait $maker
	is "$(cat said)" ""
	[ "$(cat made)" -gt 100 ]
}
