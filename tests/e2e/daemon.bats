#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# egressd: what it enforces, what outlives it, and how it takes policies and cgroups that change.

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	start_servers
}

teardown() {
	daemon_teardown
}

ways() { # ways DIRECTORY ADDRESS: the answers of TCP and UDP in one line
	echo $(within "$1" "$CLIENT" tcp "$2" $TCP) $(within "$1" "$CLIENT" udp-sendto "$2" $UDP)
}

@test "a workload is under its policy from when the daemon says so" {
	policy false >policy.yaml
	start_daemon
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
	is "$(ways "$WORK" $OUT6)" "errno EPERM errno EPERM"
	is "$(ways "$EG_CALLER" $OUT4)" "ok ok"
	is "$(counted web ipv4.verdicts.blocked_passthrough_off)" 2
	is "$(counted web ipv6.cluster.cx_no_route)" 1
}

@test "kill -9 of the daemon changes no verdict, and a restart finds every counter and slot" {
	policy false "allow: [{cidr: $MESH4}]" >policy.yaml
	start_daemon
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
	links=$(ls "$PINS/links")
	kill_daemon
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
	is "$(ways "$WORK" $MESH4)" "ok ok"
	start_daemon
	is "$(ls "$PINS/links")" "$links"
	is "$(counted web ipv4.verdicts.blocked_passthrough_off)" 4
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
	is "$(ways "$WORK" $MESH4)" "ok ok"
	is "$(counted web ipv4.verdicts.blocked_passthrough_off)" 6
	is "$(counted web ipv4.verdicts.matched)" 4
}

@test "SIGTERM ends the daemon with 0 and leaves enforcement" {
	policy false >policy.yaml
	start_daemon
	kill -TERM $DAEMON
	wait_for 10 is_gone $DAEMON
	has "$(cat daemon.log)" "enforcement stays"
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
	is "$(ls "$PINS/links" | wc -l)" $GUARDED_LINKS
}

@test "a second daemon refuses to start beside the first" {
	policy false >policy.yaml
	start_daemon
	run "$EGRESSD" --policy policy.yaml
	is "$status" 1
	has "$output" "another egressd"
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
}

@test "a wrong first policy starts nothing and touches nothing" {
	policy false "allwo: []" >policy.yaml
	run "$EGRESSD" --policy policy.yaml
	is "$status" 3
	has "$output" 'did you mean "allow"?'
	[ ! -e "$PINS" ]
	printf 'type: Mesh\nname: default\n' >policy.yaml
	run "$EGRESSD" --policy policy.yaml
	is "$status" 3
	[ ! -e "$PINS" ]
}

@test "a daemon that may not load its programs says which capability it lacks and touches nothing" {
	policy false >policy.yaml
	for missing in bpf net_admin perfmon; do
		run setpriv "--bounding-set=-sys_admin,-$missing" "--inh-caps=-sys_admin,-$missing" "$EGRESSD" --policy policy.yaml
		is "$missing $status" "$missing 1"
		has "$output" "cannot load the BPF programs: this process lacks CAP_${missing^^}:"
		[ ! -e "$PINS" ]
	done
}

@test "a wrong policy at a restart leaves what is enforced as it is" {
	policy false >policy.yaml
	start_daemon
	kill_daemon
	: >policy.yaml
	run "$EGRESSD" --policy policy.yaml
	is "$status" 3
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
}

require_strace() {
	command -v strace >/dev/null || skip "needs strace: it sees what is read, and makes calls slow"
}

opened() { # opened COUNT: the policy file was, by the daemon that strace.out is about
	[ "$(grep -c '"policy.yaml"' strace.out)" -ge "$1" ]
}

@test "the first policy is read once for its fingerprint and once to load it" {
	require_strace
	policy false >policy.yaml
	# With -D the daemon is the child, so that the clean-up ends it.
	strace -D -f -qq -o strace.out -e trace=openat "$EGRESSD" --policy policy.yaml 2>daemon.log 3>&- &
	DAEMON=$!
	disown
	wait_for 20 says 1 "generation 1 in force"
	is "$(grep -c '"policy.yaml"' strace.out)" 2
}

@test "a policy that changes while the daemon starts is taken once it has" {
	require_strace
	policy true >policy.yaml
	: >strace.out
	# The first BPF call comes after the policy was loaded.
	strace -D -f -qq -o strace.out -e trace=openat,bpf -e inject=bpf:delay_enter=1000000:when=1 \
		"$EGRESSD" --policy policy.yaml 2>daemon.log 3>&- &
	DAEMON=$!
	disown
	wait_for 20 opened 2
	policy false >policy.yaml
	wait_for 20 says 1 "generation 2 in force"
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
}

@test "SIGHUP takes a new policy, and keeps the old one when the new one is wrong" {
	policy true >policy.yaml
	start_daemon
	is "$(ways "$WORK" $OUT4)" "ok ok"
	policy false >new.yaml
	cat new.yaml >policy.yaml
	kill -HUP $DAEMON
	wait_for 10 says 1 "generation 2 in force"
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
	policy true | sed 's/passthrough/passtrough/' >policy.yaml
	kill -HUP $DAEMON
	wait_for 10 says 1 "generation 2 stays in force"
	has "$(cat daemon.log)" "policy.yaml:5:5: error: networking.outbound.passtrough: unknown field"
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
}

@test "a completed change of a file is taken without a signal: written in place, and renamed over" {
	policy true >policy.yaml
	start_daemon
	policy false >policy.yaml
	wait_for 10 says 1 "generation 2 in force"
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
	policy true >policy.yaml.new
	mv policy.yaml.new policy.yaml
	wait_for 10 says 1 "generation 3 in force"
	is "$(ways "$WORK" $OUT4)" "ok ok"
}

@test "the swap of a Kubernetes ConfigMap is taken without a signal" {
	mkdir conf conf/..1 conf/..2
	policy true >conf/..1/policy.yaml
	policy false >conf/..2/policy.yaml
	ln -s ..1 conf/..data
	ln -s ..data/policy.yaml conf/policy.yaml
	start_daemon conf
	is "$(ways "$WORK" $OUT4)" "ok ok"
	ln -s ..2 conf/..data_tmp
	mv -T conf/..data_tmp conf/..data
	wait_for 10 says 1 "generation 2 in force"
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
}

@test "an empty, a truncated and a vanished file keep the old policy" {
	policy false >policy.yaml
	start_daemon
	: >policy.yaml
	wait_for 10 says 1 "stays in force"
	policy true | head -c 60 >policy.yaml
	wait_for 10 says 2 "stays in force"
	rm policy.yaml
	wait_for 10 says 3 "stays in force"
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
}

@test "cgroups that a glob matches are instances with counters of their own, those that come later too" {
	mkdir "$WORK/a" "$WORK/b"
	policy false | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|" >policy.yaml
	start_daemon
	is "$(ways "$WORK/a" $OUT4)" "errno EPERM errno EPERM"
	mkdir "$WORK/c"
	wait_for 10 says 1 "web:c: enforcing on"
	is "$(ways "$WORK/c" $OUT4)" "errno EPERM errno EPERM"
	is "$(within "$WORK/c" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
	is "$(counted web:a ipv4.verdicts.blocked_passthrough_off)" 2
	is "$(counted web:b ipv4.verdicts.blocked_passthrough_off)" 0
	is "$(counted web:c ipv4.verdicts.blocked_passthrough_off)" 3
}

@test "the totals of an instance that is gone are kept in the retired sum, and its slot is used again" {
	mkdir "$WORK/a"
	policy false | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|" >policy.yaml
	start_daemon
	is "$(ways "$WORK/a" $OUT4)" "errno EPERM errno EPERM"
	wait_for 5 is_empty_cgroup "$WORK/a"
	rmdir "$WORK/a"
	wait_for 10 says 1 "web:a: no longer enforced"
	is "$(counted retired ipv4.verdicts.blocked_passthrough_off)" 2
	is "$(ls "$PINS/links" | wc -l)" 0
	mkdir "$WORK/b"
	wait_for 10 says 1 "web:b: enforcing on"
	has "$(ls "$PINS/links")" s1_
	is "$(counted web:b ipv4.verdicts.blocked_passthrough_off)" 0
}

@test "a cgroup that is made anew under its path keeps its slot and its counters" {
	policy false >policy.yaml
	start_daemon
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
	for round in 1 2 3 4 5; do
		wait_for 5 is_empty_cgroup "$WORK"
		rmdir "$WORK"
		mkdir "$WORK"
		wait_for 10 says $((round + 1)) "web: enforcing on"
		is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
		is "$(counted web ipv4.verdicts.blocked_passthrough_off)" $((round * 2 + 2))
	done
}

@test "a workload that the policy no longer names is let go, without one refused connect that was allowed" {
	connects=$(slow_count 100000)
	policy true >policy.yaml
	start_daemon
	(within "$WORK" "$CLIENT" repeat udp-connect $OUT4 $UDP "$connects" 1 >repeat.out 2>&1 3>&-) &
	job=$!
	policy true | sed "s|cgroup: .*|cgroup: $WORK_PATH-elsewhere|; s/name: web/name: other/" >policy.yaml
	wait_for 10 says 1 "web: no longer enforced"
	wait $job
	is "$(cat repeat.out)" "ok $connects"
	is "$(ls "$PINS/links" | wc -l)" 0
}

@test "enrolling a cgroup whose processes are connecting refuses nothing that its policy allows" {
	connects=$(slow_count 200000)
	policy true >policy.yaml
	(within "$WORK" "$CLIENT" repeat udp-connect $OUT4 $UDP "$connects" 1 >repeat.out 2>&1 3>&-) &
	job=$!
	start_daemon
	wait $job
	is "$(cat repeat.out)" "ok $connects"
}

@test "pins of a foreign owner, of another ABI, and a link in their place are refused and not changed" {
	policy false >policy.yaml
	mkdir "$PINS"
	chmod 755 "$PINS"
	run "$EGRESSD" --policy policy.yaml
	is "$status" 1
	has "$output" "not to root with 0700"
	is "$(ls "$PINS" | wc -l)" 0
	rmdir "$PINS"
	start_daemon
	kill_daemon
	control=$(bpftool map dump pinned "$PINS/maps/eg_control" | tr -d ' \n')
	bpftool map update pinned "$PINS/maps/eg_control" key 0 0 0 0 value 99 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0
	run "$EGRESSD" --policy policy.yaml
	is "$status" 1
	has "$output" "ABI 99"
	is "$(ls "$PINS/links" | wc -l)" $GUARDED_LINKS
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

@test "unenrolled: refuse refuses what is beside the cgroups of a pattern, and nothing of theirs" {
	mkdir "$WORK/pod1" "$WORK/other"
	policy true "unenrolled: refuse" | sed "s|cgroup: .*|cgroup: $WORK_PATH/pod*|" >policy.yaml
	start_daemon
	is "$(ways "$WORK/pod1" $OUT4)" "ok ok"
	is "$(ways "$WORK/pod1" $OUT6)" "ok ok"
	is "$(ways "$WORK/other" $OUT4)" "errno EPERM errno EPERM"
	is "$(ways "$WORK/other" $OUT6)" "errno EPERM errno EPERM"
	is "$(ways "$WORK" $OUT4)" "errno EPERM errno EPERM"
	is "$(within "$WORK/other" "$CLIENT" udp-sendto 127.0.0.1 9)" ok
	is "$(ways "$EG_CALLER" $OUT4)" "ok ok"
	mkdir "$WORK/pod1/below"
	is "$(ways "$WORK/pod1/below" $OUT4)" "ok ok"
	# with the agent dead a new pod is refused, not free
	kill_daemon
	mkdir "$WORK/pod2"
	is "$(ways "$WORK/pod2" $OUT4)" "errno EPERM errno EPERM"
	is "$(ways "$WORK/pod1" $OUT4)" "ok ok"
	start_daemon
	is "$(ways "$WORK/pod2" $OUT4)" "ok ok"
	# and without the word the gate is gone
	policy true | sed "s|cgroup: .*|cgroup: $WORK_PATH/pod*|" >policy.yaml
	wait_for 10 says 2 " in force, "
	is "$(ways "$WORK/other" $OUT4)" "ok ok"
	is "$(ls "$PINS/links" | wc -l)" $((2 * LINKS))
}

@test "unenrolled: refuse wants a pattern below a directory" {
	policy true "unenrolled: refuse" >policy.yaml
	run "$EGRESSD" --policy policy.yaml
	is "$status" 3
	has "$output" "refuse needs a cgroup pattern below a directory"
}

random_moment() { # random_moment MILLISECONDS: at most
	sleep "0.$(printf %03d $((RANDOM % $1)))"
}

# As a reader without an agent sees it: "STATE ENFORCED".
state_of_all() {
	status_of "(d['agent']['state'], *[w['enforced'] for w in d['workloads']])"
}

# Neither of the two that the kills are about has become less; $refused and $matched are what was read.
counts_have_not_gone_back() {
	local before=("${refused:-0}" "${matched:-0}")
	refused=$(stat_of egressd.verdicts.blocked-passthrough-off)
	matched=$(stat_of egressd.verdicts.matched)
	[ "$refused" -ge "${before[0]}" ] && [ "$matched" -ge "${before[1]}" ] ||
		{ echo "${before[*]} became $refused $matched" >&2; return 1; }
}

@test "twenty kills with -9 under connects and reloads change no verdict, lose no count, and status is right each time" {
	mkdir "$WORK/a" "$WORK/b"
	policy false "allow: [{cidr: $MESH4}]" | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|" >policy.yaml
	start_daemon
	start_watching "$WORK/a" watched udp $OUT4 $UDP $MESH4 $UDP
	kills=$(slow_count 20)
	for ((round = 1; round <= kills; round++)); do
		policy false "allow: [{cidr: $MESH4}, {cidr: 192.0.2.$round}]" | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|" >policy.yaml
		if [ $((round % 2)) -eq 0 ]; then
			kill -HUP "$DAEMON"
			random_moment 100
		else
			# To load the programs takes most of it, the adoption of links the rest.
			kill_daemon
			launch_daemon
			random_moment 999
		fi
		kill_daemon
		is "$round $(state_of_all)" "$round ('dead', True, True)"
		is "$(ways "$WORK/b" $OUT4)" "errno EPERM errno EPERM"
		is "$(ways "$WORK/b" $MESH4)" "ok ok"
		counts_have_not_gone_back
		start_daemon
		is "$round $(state_of_all)" "$round ('running', True, True)"
		is "$(status_of "d['agent']['pid']")" "$DAEMON"
		counts_have_not_gone_back
	done
	stop_watching $watcher
	is "$(cut -d ' ' -f 1-3 watched)" "$OUT4 $UDP EPERM
$MESH4 $UDP ok"
	is "$(counted web:a ipv4.verdicts.blocked_passthrough_off)" "$(answers EPERM watched)"
	is "$(counted web:a ipv4.verdicts.matched)" "$(answers ok watched)"
	is "$(counted web:b ipv4.verdicts.blocked_passthrough_off) $(counted web:b ipv4.verdicts.matched)" "$((2 * kills)) $((2 * kills))"

	"$EGRESSCTL" uninstall --stop >uninstalled
	[ ! -e "$PINS" ]
	wait_for 10 nothing_left
	is "$(ways "$WORK/a" $OUT4)" "ok ok"
	wait_for 5 is_gone "$DAEMON"
	DAEMON=
}

# cx STATISTIC: of the workload web
cx() {
	"$EGRESSCTL" stats web | sed -n "s/^cluster.outbound_passthrough_ipv4.$1: //p"
}

cx_is() {
	[ "$(cx "$1")" = "$2" ]
}

is_enforced() {
	"$EGRESSCTL" status | grep -q "^yes *web "
}

@test "what outlives a workload's cgroup is settled, and takes nothing from the next cgroup of that path" {
	policy true >policy.yaml
	start_daemon
	# somebody outside still has the connection when the cgroup goes
	within "$WORK" bash -c 'exec 3<>"/dev/tcp/$0/$1"; echo 0 >"$2/cgroup.procs"; echo $$ >holder; exec sleep 60' \
		$OUT4 $TCP "$EG_CALLER" 3>&- &
	wait_for 10 test -s holder
	holder=$(<holder)
	is "$(cx upstream_cx_active)" 1
	rmdir "$WORK"
	mkdir "$WORK"
	wait_for 10 cx_is upstream_cx_active 0
	is "$(cx upstream_cx_total) $(cx upstream_cx_destroy)" "1 1"
	wait_for 10 is_enforced
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	# and its end is nobody's
	kill $holder
	wait_for 10 is_gone $holder
	is "$(cx upstream_cx_active) $(cx upstream_cx_total) $(cx upstream_cx_destroy)" "0 2 2"
}
