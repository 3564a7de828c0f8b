# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What the bats files share. A test owns all that it makes:
#
#   $EG_CGROUP           a cgroup below the caller's, with
#     caller/              where egressctl is started: its runs must leave nothing below it
#     servers/             the test's servers
#   $EG_CLIENT           a network namespace, joined by a veth pair to
#   $EG_SERVER           the namespace where the servers are
#
# Names are unique, addresses need not be: nothing leaves these namespaces.

bats_require_minimum_version 1.5.0

# bats notes where each command stands (a DEBUG trap) to name the one that fails: 0.25 ms for each on a machine of
# 2026, a hundred times the command itself. A test's own lines say enough, so what it calls does without: of all functions
# the test's alone is traced, an attribute that it keeps when it is defined below.
if [ -n "${BATS_TEST_NAME:-}" ]; then
	eval "$BATS_TEST_NAME() { :; }"
	declare -ft "$BATS_TEST_NAME"
	set +o functrace
fi

# nsenter, bpftool, ip and the distribution's python3, wherever the tests are called from.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C

EG_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
EG_BUILD=${EG_BUILD:-$EG_ROOT/build}
EGRESSCTL=$EG_BUILD/egressctl
# How many times as slow as most this machine is said to be: one that is emulated. Tests
# do less there and wait longer; tests/lib/support/slow.h says the same in C.
export EG_SLOW=${EG_SLOW:-1}
# Between two looks: on a slow machine one costs what others wait for.
POLL_S=$((20 * EG_SLOW))e-3
# Far more than any command of a test takes.
RUN_LIMIT_S=$((60 * EG_SLOW))
CLIENT=$EG_BUILD/tests/lib/client
KERNEL_STATE=$EG_BUILD/tests/lib/kernel_state

# The client's own addresses, and two hosts: one for the mesh, one that is elsewhere.
OWN4=10.91.0.1 OWN6=fd91::1
MESH4=10.91.0.2 MESH6=fd91::2
OUT4=10.91.0.3 OUT6=fd91::3
# Each host serves these, by IPv4 and by IPv6.
TCP=8080 TCP2=8081 MPTCP=8082 UDP=5353 DNS=53

# ---- assertions that say what they saw

is() { # is ACTUAL EXPECTED
	[ "$1" = "$2" ] && return
	printf 'expected: %s\n  actual: %s\n' "$2" "$1" >&2
	return 1
}

has() { # has TEXT PART
	[[ $1 == *"$2"* ]] && return
	printf 'expected to contain: %s\n             actual: %s\n' "$2" "$1" >&2
	return 1
}

hasnt() { # hasnt TEXT PART
	[[ $1 != *"$2"* ]] && return
	printf 'expected not to contain: %s\n                 actual: %s\n' "$2" "$1" >&2
	return 1
}

note() { # note FORMAT ARG...: a TAP comment, beside the test's result
	# shellcheck disable=SC2059
	printf "# $1\n" "${@:2}" >&3
}

# slow_count COUNT: of so many rounds, connects or reloads, how many a test does here; at least 1.
slow_count() {
	echo $(($1 > EG_SLOW ? $1 / EG_SLOW : 1))
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails when the time is up, which
# comes later on a slow machine.
wait_for() {
	local deadline=$((SECONDS + $1 * EG_SLOW + 1))
	shift
	until "$@"; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "timed out waiting for: $*" >&2
			[ "$1" != nothing_left ] || leftovers >&2
			return 1
		fi
		sleep $POLL_S
	done
}

has_lines() { # has_lines FILE COUNT: or more
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# ---- cgroups and links

# The directory of this process's cgroup v2, found and not assumed.
own_cgroup() {
	local root mount path
	read -r root mount < <(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $4, $5; exit } }' \
		/proc/self/mountinfo)
	[ -n "$mount" ] || return 1
	path=$(sed -n 's/^0:://p' /proc/self/cgroup)
	[ "$root" = / ] || path=${path#"$root"}
	path=$mount$path
	printf '%s\n' "${path%/}"
}

# "ID CGROUP-ID" of every cgroup link of the machine; 0 where the cgroup is gone.
cgroup_links() {
	"$KERNEL_STATE" | sed -n 's/^link //p'
}

bpf_pins() {
	"$KERNEL_STATE" | sed -n 's/^pin //p'
}

# "link ID CGROUP-ID" and "pin PATH" that came since the test began, without links on a
# cgroup that is alive and somebody else's.
leaked_state() {
	local what name cgroup
	while read -r what name cgroup; do
		[ "$what" = link ] && [ "$cgroup" != 0 ] && [ -n "$(find "${EG_CGROUP%/*}" -xdev -inum "$cgroup" \
			-not -path "$EG_CGROUP*" -print -quit 2>/dev/null)" ] || echo "$what $name $cgroup"
	done < <("$KERNEL_STATE" | sed '/^pin .*-kept\(\/\|$\)/d' | comm -13 "$BATS_TEST_TMPDIR/kernel-state" -)
}

# What a run of egressctl ought to have taken away with it.
leftovers() {
	local pid
	find "$EG_CALLER" -mindepth 1 -type d -printf 'cgroup %p\n' 2>/dev/null
	while read -r pid; do
		echo "process $pid"
	done <"$EG_CALLER/cgroup.procs"
	leaked_state
}

nothing_left() {
	[ -z "$(leftovers)" ]
}

is_empty_cgroup() {
	grep -q '^populated 0' "$1/cgroup.events"
}

remove_cgroup() { # kills what is in it, then removes the tree
	[ -d "$1" ] || return 0
	echo 1 >"$1/cgroup.kill"
	wait_for 10 is_empty_cgroup "$1" || return 1
	find "$1" -depth -type d -exec rmdir {} +
}

# A zombie holds nothing any more once its other threads have ended too. Asked again and again: no process is made for it.
is_gone() { # is_gone PID, be it as a process or as a zombie
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
	# proc_pid_stat(5), from the state on: after a name that may have anything in it.
	read -ra stat <<<"${stat##*) }"
	[ "${stat[0]}" = Z ] && [ "${stat[17]}" = 1 ]
}

# ---- a test's own world

require_root() {
	[ "$(id -u)" = 0 ] || skip "needs root: cgroups, network namespaces and BPF"
}

# Namespaces and cgroup; no servers yet.
eg_setup() {
	require_root
	cd "$BATS_TEST_TMPDIR" || return 1
	EG_NAME=egt-$BATS_TEST_NUMBER-$$
	EG_CGROUP=$(own_cgroup)/$EG_NAME
	EG_CALLER=$EG_CGROUP/caller
	EG_CLIENT=/run/netns/$EG_NAME-c
	EG_SERVER=/run/netns/$EG_NAME-s
	"$KERNEL_STATE" >kernel-state
	mkdir "$EG_CGROUP" "$EG_CALLER" "$EG_CGROUP/servers"
	make_network
}

make_network() {
	local c=$EG_NAME-c s=$EG_NAME-s
	ip -batch - <<-END
		netns add $c
		netns add $s
		link add veth0 netns $c type veth peer name veth0 netns $s
	END
	ip -n "$c" -batch - <<-END
		link set lo up
		link set veth0 up
		addr add $OWN4/24 dev veth0
		addr add $OWN6/64 dev veth0 nodad
	END
	ip -n "$s" -batch - <<-END
		link set lo up
		link set veth0 up
		addr add $MESH4/24 dev veth0
		addr add $OUT4/24 dev veth0
		addr add $MESH6/64 dev veth0 nodad
		addr add $OUT6/64 dev veth0 nodad
	END
}

# For teardown(): fails the test when a run has left something.
eg_teardown() {
	local failed=0
	[ -n "${EG_NAME:-}" ] || return 0
	if ! wait_for 30 nothing_left; then
		echo "left behind by egressctl:" >&2
		leftovers >&2
		failed=1
	fi
	remove_cgroup "$EG_CGROUP" || failed=1
	printf 'netns del %s\n' "$EG_NAME-c" "$EG_NAME-s" | ip -batch - || failed=1
	return $failed
}

# in_cgroup DIRECTORY COMMAND...: as a process of that cgroup; replaces the subshell that it is called in.
in_cgroup() {
	echo "$BASHPID" >"$1/cgroup.procs" && shift && exec "$@"
}

# ctl ARG...: egressctl in the test's cgroup and the client's namespace. One that hangs is
# killed in the end, which its test sees as 124 or 137.
ctl() {
	(in_cgroup "$EG_CALLER" nsenter --net="$EG_CLIENT" timeout --foreground --kill-after=5 $RUN_LIMIT_S "$EGRESSCTL" "$@")
}

# start_ctl ARG...: the same in the background. $RUNNER is egressctl's process id and
# $RUN_CGROUP the cgroup of its command; output goes to run.out and run.err.
start_ctl() {
	# What an earlier run has said is not this one's.
	: >run.out
	(in_cgroup "$EG_CALLER" nsenter --net="$EG_CLIENT" "$EGRESSCTL" "$@") >run.out 2>run.err 3>&- &
	RUNNER=$!
	RUN_CGROUP=$EG_CALLER/egressctl-run-$RUNNER
}

# finish: waits for the run that start_ctl started; its exit status is $status, as after bats' run.
finish() {
	status=0
	wait_for $RUN_LIMIT_S is_gone "$RUNNER" || kill -KILL "$RUNNER"
	wait "$RUNNER" || status=$?
}

# outside COMMAND...: in the client's namespace but under no enforcement.
outside() {
	nsenter --net="$EG_CLIENT" "$@"
}

# ---- servers

# start_server NAMESPACE PROTOCOL:ADDRESS:PORT...: NAMESPACE as a path; server.log lists what reaches it.
start_server() {
	local namespace=$1 before
	shift
	touch server.log
	before=$(grep -c '^ready' server.log) || true
	(in_cgroup "$EG_CGROUP/servers" nsenter --net="$namespace" "$EG_BUILD/tests/lib/server" \
		"$BATS_TEST_TMPDIR/server.log" "$@") >server.err 2>&1 3>&- &
	disown
	wait_for 30 more_are_ready_than "$before" || { cat server.err >&2; return 1; }
}

more_are_ready_than() {
	[ "$(grep -c '^ready' server.log)" -gt "$1" ]
}

# Every server of both hosts.
start_servers() {
	local specs=() host
	for host in $MESH4 $OUT4 $MESH6 $OUT6; do
		specs+=("tcp:$host:$TCP" "tcp:$host:$TCP2" "mptcp:$host:$MPTCP" "udp:$host:$UDP" "udp:$host:$DNS" "tcp:$host:$DNS")
	done
	start_server "$EG_SERVER" "${specs[@]}"
}

# start_listener CGROUP NAMESPACE ADDRESS PORT: takes connections by TCP, and answers nothing.
start_listener() {
	(in_cgroup "$1" nsenter --net="$2" "$EG_BUILD/tests/lib/holder" listen "$3" "$4") >"listen.$3" 3>&- &
	disown
	wait_for 10 grep -q ready "listen.$3"
}

# arrivals PROTOCOL ADDRESS PORT: how many connections or datagrams have reached a server.
arrivals() {
	grep -c "^$1 $2 $3 " "$BATS_TEST_TMPDIR/server.log" || true
}

have_arrived() { # have_arrived COUNT PROTOCOL ADDRESS PORT
	[ "$(arrivals "$2" "$3" "$4")" -ge "$1" ]
}

# Exactly COUNT have reached a server. What was sent before now is in front of the
# marker that this sends last, so that waiting for the marker is waiting for all.
arrived_exactly() { # arrived_exactly COUNT PROTOCOL ADDRESS PORT
	local way=udp-sendto before
	[ "$2" = udp ] || way=tcp
	is "$(outside "$CLIENT" $way "$3" "$4")" ok
	wait_for 30 have_arrived $(($1 + 1)) "$2" "$3" "$4" || return 1
	before=$(($(arrivals "$2" "$3" "$4") - 1))
	is "$before" "$1"
}

# url ADDRESS [PORT]
url() {
	case $1 in
	*:*) printf 'http://[%s]:%s/' "$1" "${2:-$TCP}" ;;
	*) printf 'http://%s:%s/' "$1" "${2:-$TCP}" ;;
	esac
}

CURL=(curl --silent --show-error --max-time $((5 * EG_SLOW)) --noproxy '*' --globoff)

# ---- reports

# json FILE EXPRESSION: Python's value of it, with the document as d.
json() {
	python3 -IS -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}

# cx FILE FAMILY: the passthrough cluster's statistics in one line.
cx() {
	json "$1" "'upstream=%d downstream=%d no_route=%d' % tuple(d['stats'][n % '$2'] for n in (
		'cluster.outbound_passthrough_%s.upstream_cx_total',
		'tcp.outbound_passthrough_%s.downstream_cx_total',
		'tcp.outbound_passthrough_%s.downstream_cx_no_route'))"
}

# verdicts FILE: what was counted, sorted, without what is zero.
verdicts() {
	json "$1" "' '.join('%s=%d' % (k, v) for k, v in sorted(d['verdicts'].items()) if v)"
}

# destinations FILE: a sorted line for each, "ADDRESS PORT PROTOCOL FAMILY VERDICT REASON COUNT".
destinations() {
	json "$1" "'\n'.join(sorted('%s %d %s %s %s %s %d' % (e['address'], e['port'], e['protocol'], e['family'],
		e['verdict'], e['reason'], e['count']) for e in d['destinations']))"
}
