# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# For tests of what the daemon lives through, after daemon.bash: two workloads, a client in one of them that connects
# all the time, and what must hold whatever happens to the daemon.

# What of the daemon's calls can be cut off or fail; the rest is memory, time and waiting.
CALLS=bpf,open,openat,mkdir,mkdirat,unlink,unlinkat,rename,rmdir,fchmod,bind,socket,listen,statfs,flock,inotify_init1,inotify_add_watch,timerfd_create,epoll_create1,signalfd4

# EG_CHAOS=all tries all of them, or as many as ALL; else so many, spread over them, and fewer where all is slow.
chosen() { # chosen COUNT [ALL]
	if [ "${EG_CHAOS:-}" = all ]; then echo "${2:-0}"; else slow_count "$1"; fi
}

require_strace() {
	command -v strace >/dev/null || skip "needs strace: it makes system calls fail"
}

# The workloads `web:a` and `web:b`, and what else is said of LINE...; 10.91.0.2 is allowed.
chaos_policy() { # chaos_policy [CIDR...]: allowed as well, which nobody connects to
	local more
	more=$(printf ', {cidr: %s}' "$@")
	[ $# -gt 0 ] || more=
	policy false "allow: [{cidr: $MESH4}$more]" | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|"
}

# Another Workload, on a cgroup of its own.
and_other() {
	printf -- '---\ntype: Workload\nname: other\nmesh: default\ncgroup: %s\n' "$WORK_PATH-other"
}

chaos_setup() {
	daemon_setup
	start_servers
	mkdir "$WORK/a" "$WORK/b"
	chaos_policy >policy.yaml
	# A client that takes what is left of a processor sees as much.
	WATCH_IN=(nice -n 19)
	checks=0 refused=0 allowed=0 others=0
}

# From now on a client in web:a connects to what is forbidden and to what is allowed, and notes every answer.
start_connecting() {
	start_watching "$WORK/a" watched udp $OUT4 $UDP $MESH4 $UDP
}

ways_of() { # ways_of DIRECTORY ADDRESS: the answers of TCP and UDP in one line
	echo $(within "$1" "$CLIENT" tcp "$2" $TCP) $(within "$1" "$CLIENT" udp-sendto "$2" $UDP)
}

# In the other workload, by TCP and by UDP; each is counted.
verdicts_hold() {
	checks=$((checks + 1))
	is "$(ways_of "$WORK/b" $OUT4)" "errno EPERM errno EPERM" && is "$(ways_of "$WORK/b" $MESH4)" "ok ok"
}

# What was counted for the whole node, slots that were given back included: never less than before.
counts_hold() {
	local before=("$refused" "$allowed")
	read -r refused allowed < <("$EGRESSCTL" stats --filter '^egressd.verdicts.(blocked-passthrough-off|matched)$' | sort |
		sed 's/.*: //' | paste -sd ' ')
	[ "$refused" -ge "${before[0]}" ] && [ "$allowed" -ge "${before[1]}" ] ||
		{ echo "counters went back: ${before[*]} became $refused $allowed" >&2; return 1; }
}

# As a reader without an agent sees it: "STATE NAME..." of what is enforced.
seen() {
	status_of "' '.join([d['agent']['state'], *[w['name'] for w in d['workloads'] if w['enforced']]])"
}

# seen_is TEXT
seen_is() {
	[ "$(seen)" = "$1" ]
}

# Every link on a workload's cgroup is one of those that are pinned, and all are there.
links_hold() {
	local cgroup links
	links=$(cgroup_links)
	for cgroup in "$WORK/a" "$WORK/b"; do
		cgroup=$(stat -c %i "$cgroup")
		is "$(grep -c " $cgroup$" <<<"$links") $(ls "$PINS/links" | grep -c "_${cgroup}_")" "$GUARDED_LINKS $GUARDED_LINKS" || return 1
	done
}

# The daemon is dead, and nobody whom it guarded notices.
all_holds_without() {
	is "$(seen)" "dead web:a web:b${1:+ $1}" && verdicts_hold && counts_hold
}

# A daemon takes over, and all is as it should be.
all_holds_again() {
	start_daemon && is "$(seen)" "running web:a web:b${1:+ $1}" && verdicts_hold && counts_hold && links_hold
}

# The end of a test: every connect of every client was judged and counted once, and nothing stays.
all_is_accounted_for() {
	stop_watching "$watcher"
	is "$(cut -d ' ' -f 1-3 watched)" "$OUT4 $UDP EPERM
$MESH4 $UDP ok"
	is "$(counted web:a ipv4.verdicts.blocked_passthrough_off ipv4.verdicts.matched)" "$(answers EPERM watched) $(answers ok watched)"
	is "$(counted web:b ipv4.verdicts.blocked_passthrough_off ipv4.verdicts.matched)" "$((2 * checks)) $((2 * checks))"
	is "$(counted all ipv4.verdicts.blocked_passthrough_off)" $(($(answers EPERM watched) + 2 * checks + 2 * others))
	"$EGRESSCTL" uninstall --stop >uninstalled
	[ ! -e "$PINS" ]
	wait_for 30 nothing_left
	wait_for 5 is_gone "$DAEMON"
	DAEMON=
}

# ---- system calls of the daemon

# trace_start: those of a start, into calls
trace_start() {
	DAEMON_IN=(strace -D -f -qq -e signal=none -e "trace=$CALLS" -o calls)
	start_daemon
	DAEMON_IN=()
}

is_traced() {
	! grep -q '^TracerPid:.0$' "/proc/$DAEMON/task/"*/status
}

# start_tracing OPTION...: of the daemon that runs; $tracer is strace
start_tracing() {
	strace -f -qq -e signal=none -p "$DAEMON" "$@" 2>/dev/null 3>&- &
	tracer=$!
	wait_for 10 is_traced
}

stop_tracing() {
	kill -INT "$tracer" 2>/dev/null || true
	wait "$tracer" || true
}

# trace_action ACTION: of what the daemon does for it, into calls
trace_action() {
	start_tracing -e "trace=$CALLS" -o calls
	"$1"
	wait_for 30 "$1_is_done"
	# which it says before it has done all
	verdicts_hold
	stop_tracing
}

# From here on pins are on a BPF file system of the test's own, in a mount namespace of its own: that of process $mounts.
own_bpffs() {
	# shellcheck disable=SC2016 # for the other shell
	unshare --mount sh -c 'while umount -l "$1" 2>/dev/null; do :; done; mount -t bpf bpf "$1" && echo ready && exec sleep 1000' sh "$bpffs" >mounts 3>&- &
	mounts=$!
	wait_for 10 grep -q ready mounts
	PINS=/proc/$mounts/root$bpffs/egressd
	DAEMON_IN=(nsenter "--mount=/proc/$mounts/ns/mnt" "--wd=$PWD")
	printf '#!/bin/sh\nexec nsenter --mount=/proc/%s/ns/mnt "%s" "$@"\n' $mounts "$EGRESSCTL" >ctl
	chmod +x ctl
	EGRESSCTL=$PWD/ctl
}

there() {
	nsenter "--mount=/proc/$mounts/ns/mnt" "$@"
}
