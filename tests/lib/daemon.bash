# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# For tests of the daemon, after common.bash. There is one directory of pins on a node,
# so a test that finds it taken fails: it would be somebody's enforcement.

EGRESSD=$EG_BUILD/egressd
# Links on a workload's cgroup: connect and sendmsg of both families, sock_ops, sock_release.
LINKS=6
# while passthrough is false
GUARDED_LINKS=10
# and where the kernel takes programs of the BPF LSM (vmtest/init)
[ -z "${EG_LSM:-}" ] || GUARDED_LINKS=13

daemon_setup() {
	require_root
	# Before eg_setup lists the pins: a new BPF file system has files of its own.
	bpffs=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "bpf") { print $5; exit } }' /proc/self/mountinfo)
	if [ -z "$bpffs" ]; then
		mount -t bpf bpf /sys/fs/bpf
		bpffs=/sys/fs/bpf
	fi
	eg_setup
	mount_point=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $5; exit } }' \
		/proc/self/mountinfo)
	[ ! -e "$bpffs/egressd" ] || { echo "$bpffs/egressd exists: an egressd is at work here" >&2; return 1; }
	# From here on it is the test's own, and removed with it.
	PINS=$bpffs/egressd
	# There is one place for it on a node, too, and other tests may run.
	ADMIN=$BATS_TEST_TMPDIR/admin.sock
	# What the daemon is started by, e.g. nsenter with another network namespace.
	DAEMON_IN=()
	# What a policy calls a cgroup: below the mount, with its leading slash.
	WORK=$EG_CGROUP/work
	WORK_PATH=${WORK#"$mount_point"}
	mkdir "$WORK"
	DAEMON=
}

# For teardown() of tests in which cgroups come and go while they are enrolled: a map that may not go, see user/datapath/stranded.h, is
# kept, and is no leak.
uninstall_after_churn() {
	[ -z "${DAEMON:-}" ] || kill_daemon 2>/dev/null
	[ -z "${PINS:-}" ] || "$EGRESSCTL" uninstall >&2
}

daemon_teardown() {
	[ -z "${follower:-}" ] || kill "$follower"
	[ -z "${DAEMON:-}" ] || kill_daemon 2>/dev/null
	[ -z "${PINS:-}" ] || rm -rf "$PINS"
	eg_teardown
}

# launch_daemon [PATH [OPTION...]]: does not wait for anything. $DAEMON is its process id, daemon.log what it says.
launch_daemon() {
	: >daemon.log
	"${DAEMON_IN[@]}" "$EGRESSD" --admin "$ADMIN" "${@:2}" --policy "${1:-policy.yaml}" 2>daemon.log 3>&- &
	DAEMON=$!
	disown
}

# start_daemon [PATH [OPTION...]]: returns when the policy is in force.
start_daemon() {
	launch_daemon "$@"
	if ! wait_for 20 is_gone_or_in_force || is_gone "$DAEMON"; then
		cat daemon.log >&2
		return 1
	fi
}

is_gone_or_in_force() {
	is_gone "$DAEMON" || grep -q 'policy: generation .* in force' daemon.log
}

kill_daemon() {
	[ -n "$DAEMON" ] || return 0
	kill -KILL "$DAEMON"
	wait_for 10 is_gone "$DAEMON"
	DAEMON=
}

# says COUNT TEXT: the daemon's log has it that often.
says() {
	[ "$(grep -cF -- "$2" daemon.log)" -ge "$1" ]
}

# change GENERATION: the daemon takes what stands in policy.yaml.
change() {
	kill -HUP "$DAEMON"
	wait_for 20 says 1 "generation $1 in force"
}

# From now on until_said() reads what the daemon says, line by line and without polling. $follower is who passes it on.
follow_log() {
	# By number, and not from its end: tail may take longer to come to that than the daemon to say the next line.
	local next=$(($(wc -l <daemon.log) + 1))
	mkfifo follow
	tail --follow --lines="+$next" daemon.log >follow 2>/dev/null 3>&- &
	follower=$!
	exec {log}<follow
}

# For one that was started since, whose log begins anew.
stop_following_log() {
	kill "$follower"
	wait "$follower" || true
	exec {log}<&-
	follower=
	rm follow
}

# until_said PATTERN: of bash; lines before it are passed over.
until_said() {
	local line deadline=$((SECONDS + 20 * EG_SLOW))
	while [ $SECONDS -le $deadline ] && read -t $((20 * EG_SLOW)) -r -u "$log" line; do
		# shellcheck disable=SC2053 # it is a pattern
		[[ $line != $1 ]] || return 0
	done
	echo "the daemon did not say: $1" >&2
	return 1
}

# policy PASSTHROUGH [LINE...]: a mesh and the workload `web` on $WORK; lines are added to the workload.
policy() {
	local passthrough=$1
	shift
	cat <<-END
		type: Mesh
		name: default
		networking:
		  outbound:
		    passthrough: $passthrough
		---
		type: Workload
		name: web
		mesh: default
		cgroup: $WORK_PATH
	END
	[ $# -eq 0 ] || printf '%s\n' "$@"
}

# patch MATCH LINE...: for policy.yaml, a ProxyTemplate that patches the passthrough clusters of MATCH with these lines.
patch() {
	cat <<-END
		---
		type: ProxyTemplate
		name: limits
		selectors: [{match: {kuma.io/service: '*'}}]
		conf:
		  modifications:
		  - cluster:
		      operation: patch
		      match: {$1}
		      value: |
	END
	shift
	printf '        %s\n' "$@"
}

# within DIRECTORY COMMAND...: as a process of that cgroup, in the client's namespace.
within() {
	(in_cgroup "$1" nsenter --net="$EG_CLIENT" "${@:2}")
}

# end_of NAME: what the holder that writes to NAME.out says of its end
end_of() {
	wait_for 20 has_lines "$1.out" 2 && awk 'NR == 2 { print $2 }' "$1.out"
}

# start_watching DIRECTORY OUTPUT tcp|udp ADDRESS PORT...: `client watch` within it, at work when this returns.
# $watcher is its process id, ${WATCH_IN[@]} what it is started by.
start_watching() {
	: >"$2.err"
	(in_cgroup "$1" nsenter --net="$EG_CLIENT" "${WATCH_IN[@]}" "$CLIENT" watch "${@:3}") >"$2" 2>"$2.err" 3>&- &
	watcher=$!
	wait_for 10 grep -q watching "$2.err"
}

# stop_watching PID: its output is complete.
stop_watching() {
	kill -TERM "$1"
	wait "$1"
}

# answers ANSWER OUTPUT...: how many of the answers that watchers wrote are that one
answers() {
	awk -v answer="$1" '$3 == answer { sum += $4 } END { print sum + 0 }' "${@:2}"
}

# counted SLOT-NAME PATH...: counters of a workload from the pinned maps, e.g. counted web ipv4.verdicts.passthrough
counted() {
	"$EG_BUILD/tests/lib/pinned" "$PINS" "$@"
}

# stat_of NAME [WORKLOAD]: a value of the text form of stats.
stat_of() {
	"$EGRESSCTL" stats ${2:+"$2"} | sed -n "s/^$1: //p"
}

# status_of EXPRESSION: Python's value of it, with the JSON of status as d.
status_of() {
	"$EGRESSCTL" status --json >status.json && json status.json "$1"
}

# idle_patch DURATION: behind patch, what ends connections by IPv4 that are idle for so long
idle_patch() {
	cat <<-END
		  - networkFilter:
		      operation: patch
		      match: {name: envoy.filters.network.tcp_proxy, listenerName: "outbound:passthrough:ipv4"}
		      value: |
		        name: envoy.filters.network.tcp_proxy
		        typedConfig:
		          '@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
		          idleTimeout: $1
	END
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# Links for a cgroup: one for each program.
links_of() { # links_of DIRECTORY
	find "$PINS/links" -name "s*_$(stat -c %i "$1")_*" | wc -l
}

# What the daemon holds of the node, to be compared with later.
holdings() {
	echo "descriptors $(find "/proc/$DAEMON/fd" -mindepth 1 | wc -l)"
	echo "inotify watches $(cat /proc/"$DAEMON"/fdinfo/* 2>/dev/null | grep -c '^inotify wd')"
	echo "enrolled $(counted entries eg_enrolled)"
	echo "links $(leaked_state | grep -c '^link ')"
	find "$PINS" | sort
}

holds() { # holds FILE: the same as then
	holdings >now
	cmp -s "$1" now
}
