#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# egressd for as long as SOAK_SECONDS says, with all that makes it work at the same time: policies ten times a second,
# storms of connections, cgroups that come and go, agents that are killed and stopped.
# `make soak` runs it for an hour. Its figures are printed; what may grow, and by how much, is in tests/lib/soak.

load ../lib/common
load ../lib/daemon
load ../lib/storm

SOAK_SECONDS=${SOAK_SECONDS:-40}
HOLDER=$EG_BUILD/tests/lib/holder
SOAK=$EG_ROOT/tests/lib/soak
# Of one storm; there are as many storms as there is time for.
OPERATIONS=$(slow_count 10000)

setup() {
	storm_setup
	PODS=$EG_CGROUP/pods
	mkdir "$PODS" "$WORK-a" "$WORK-z"
	charge_agents
	for which in 0 1; do
		policies[which]=$(soak_policy $which)
	done
	printf '%s\n' "${policies[0]}" >policy.yaml
	"$EG_ROOT/tests/lib/mixable" flows | sort >flows
	turn=0 reloads=0 restarts=0
}

teardown() {
	# Before enforcement ends under them.
	[ -z "${pods[*]:-}" ] || kill "${pods[@]}" 2>/dev/null || true
	uninstall_after_churn
	daemon_teardown
	[ -z "${MEMORY:-}" ] || rmdir "$MEMORY"
}

# Two with the same verdicts for `web`, and for the instances of `closed`, which are in its mesh;
# those of `open` may go anywhere, and have limits and timeouts.
soak_policy() { # soak_policy 0|1
	local pods=${PODS#"$mount_point"}
	"$EG_ROOT/tests/lib/mixable" policy "$1" "$WORK_PATH"
	printf -- '---\ntype: Workload\nname: closed\nmesh: ours\ncgroup: %s\n---\n' "$pods/closed*"
	WORK_PATH="$pods/open*" stormy_policy | sed 's/^name: web$/name: open/'
	idle_patch 1s
}

# Where this machine has memory cgroups of version 1, agents are in one of the test's own: $CHARGED tells what the kernel
# has allocated for them, for those before too, since that stays.
charge_agents() {
	local mount
	mount=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup" && $(i + 3) ~ /(^|,)memory(,|$)/) { print $5; exit } }' \
		/proc/self/mountinfo)
	[ -n "$mount" ] || return 0
	MEMORY=$mount/$EG_NAME
	mkdir "$MEMORY"
	CHARGED=$MEMORY/memory.kmem.usage_in_bytes
	# shellcheck disable=SC2016 # the inner shell's
	DAEMON_IN=(sh -c 'echo $$ >"$0" && exec "$@"' "$MEMORY/cgroup.procs")
}

# ---- cgroups that come and go

links_wanted() { # links_wanted KIND
	[ "$1" = closed ] && echo $GUARDED_LINKS || echo $LINKS
}

is_enrolled() { # is_enrolled DIRECTORY LINKS
	[ "$(links_of "$1")" -ge "$2" ]
}

# One after the other, until there is a file `stop`; a line in KIND.done for each. visit_KIND says what happens in it.
come_and_go() { # come_and_go KIND
	local pod n
	for ((n = 1; ; n++)); do
		[ ! -e stop ] || return 0
		pod=$PODS/$1-$n
		mkdir "$pod"
		wait_for 60 is_enrolled "$pod" "$(links_wanted "$1")"
		"visit_$1" "$pod"
		wait_for 10 is_empty_cgroup "$pod"
		rmdir "$pod"
		echo "$n" >>"$1.done"
	done
}

# Ten refusals by IPv4, five by IPv6, and five connects to the mesh, for which there is no route.
visit_closed() {
	is "$(within "$1" "$CLIENT" repeat tcp $OUT4 $TCP 5 1)" "EPERM 5"
	is "$(within "$1" "$CLIENT" repeat udp-sendto $OUT4 $UDP 5 1)" "EPERM 5"
	is "$(within "$1" "$CLIENT" repeat udp-connect $OUT6 $UDP 5 1)" "EPERM 5"
	is "$(within "$1" "$CLIENT" repeat tcp 10.92.0.1 7777 5 1)" "ENETUNREACH 5"
}

# A connection that the agent ends, the next one when this one was killed.
visit_open() {
	local end
	end=$(within "$1" "$HOLDER" silent $OUT4 $TCP $((60 * EG_SLOW)) | tail -n 1)
	has "$end" "silent ECONNABORTED"
}

# A storm, which is all accounted for when it has ended. Each in a cgroup of its own, whose slot is given to the next one.
visit_open-storm() {
	STORMED=open:${1##*/}
	start_storm "$1" "$OPERATIONS" "${1##*-}" storm.out
	finish_storm storm.out >balances
	grep '^ipv' storm.out >>storms
}

# Connections take what is left of the processors: on a machine that has none to spare there would be no agent to look at.
give_way() { # give_way PID...
	renice --priority 19 "$@" >renice.out
}

start_coming_and_going() {
	local kind
	rm -f stop
	pods=()
	for kind in closed open open-storm; do
		come_and_go $kind 3>&- &
		pods+=($!)
	done
	give_way "${pods[@]}"
}

stop_coming_and_going() {
	local pod
	: >stop
	for pod in "${pods[@]}"; do
		wait "$pod"
	done
	pods=()
}

# ---- the agent

# Every twentieth time the daemon finds the file by itself.
reload() {
	turn=$((turn + 1))
	printf '%s\n' "${policies[turn % 2]}" >policy.yaml.new
	mv policy.yaml.new policy.yaml
	[ $((turn % 20)) -eq 0 ] || kill -HUP "$DAEMON"
	until_said "*policy: generation * in force, *"
}

check_totals() {
	"$EGRESSCTL" stats --json | "$SOAK" totals totals.json
}

end_life() {
	reloads=$((reloads + $(grep -c ' in force, ' daemon.log)))
	stop_following_log
}

# Killed and stopped in turn.
restart() {
	restarts=$((restarts + 1))
	end_life
	if [ $((restarts % 2)) -eq 1 ]; then
		kill_daemon
	else
		kill -TERM "$DAEMON"
		wait_for 20 is_gone "$DAEMON"
	fi
	check_totals
	start_daemon
	follow_log
	check_totals
}

# Also whether all that comes and goes still does.
measure() {
	local pod
	for pod in "${pods[@]}"; do
		! is_gone "$pod" || { echo "what comes and goes has failed" >&2; return 1; }
	done
	"$SOAK" sample "$PINS" "$DAEMON" ${CHARGED:+"$CHARGED"} >>samples
	check_totals
	"${CURL[@]}" --unix-socket "$ADMIN" --output scraped 'http://localhost/stats/prometheus?usedonly'
}

# live SECONDS RESTART-EVERY: ten policies a second, restarts unless that is 0, and all else meanwhile.
live() {
	local begun now due_ms=0 sampled_ms=0 restarted_ms=0
	local sample_every_ms=$((SOAK_SECONDS * 10 > 1000 ? SOAK_SECONDS * 10 : 1000))
	begun=$(now_ms)
	start_coming_and_going
	until now=$(($(now_ms) - begun)) && [ $now -ge $(($1 * 1000)) ]; do
		reload
		if [ $((now - sampled_ms)) -ge $sample_every_ms ]; then
			measure
			sampled_ms=$now
		fi
		if [ "$2" -gt 0 ] && [ $((now - restarted_ms)) -ge $(($2 * 1000)) ]; then
			restart
			restarted_ms=$now
		fi
		due_ms=$((due_ms + 100))
		now=$(($(now_ms) - begun))
		[ $now -ge $due_ms ] || sleep "0.$(printf %03d $((due_ms - now)))"
	done
	stop_coming_and_going
}

# ---- what is left of it

# Answers of the client that connected all the time, by family; `:` is in addresses of IPv6 only.
watched() { # watched ANSWER 4|6
	awk -v answer="$1" -v family="$2" '$3 == answer && ($1 ~ /:/) == (family == 6) { sum += $4 } END { print sum + 0 }' seen
}

lines_of() {
	wc -l <"$1"
}

tally() { # tally FIELD of what storms say of a family
	awk -v field="$1" '{ sum += $field } END { print sum + 0 }' storms
}

# Whatever a client saw was counted once, with agents killed and slots of cgroups that are gone given to others.
counts_are_exact() {
	local closed blocked4 blocked6 mesh4 mesh6 matched4 matched6 idle
	closed=$(lines_of closed.done)
	read -r blocked4 blocked6 mesh4 mesh6 matched4 matched6 idle < <(counted all ipv{4,6}.verdicts.blocked_passthrough_off \
		ipv{4,6}.verdicts.mesh ipv{4,6}.verdicts.matched ipv4.cluster.idle_timeout)
	is "$blocked4" $(($(watched EPERM 4) + 10 * closed))
	is "$blocked6" $(($(watched EPERM 6) + 5 * closed))
	is $((mesh4 + matched4)) $(($(watched ENETUNREACH 4) + 5 * closed))
	is $((mesh6 + matched6)) "$(watched ENETUNREACH 6)"
	[ "$idle" -ge "$(lines_of open.done)" ]
	is "$(counted free ipv4.verdicts.blocked_passthrough_off)" 0
	is "$(counted in-use)" 3
}

# Every connection of the node has ended, and is counted as that.
node_balances() {
	"$EGRESSCTL" stats | awk -F ': ' '
		/passthrough_ipv[46]\.upstream_cx_total: / { total += $2 }
		/passthrough_ipv[46]\.upstream_cx_destroy: / { ended += $2 }
		END { print total - ended; exit total == 0 || total != ended }'
}

# An agent of a while has what FILE says a new one had, and no more descriptors: some are of its start.
is_quiet() { # is_quiet FILE
	[ -z "$(find "$PODS" -mindepth 1 -type d)" ] && holdings >now && diff <(tail -n +2 "$1") <(tail -n +2 now) >/dev/null &&
		[ "$(sed -n 's/^descriptors //p' now)" -le "$(sed -n 's/^descriptors //p' "$1")" ]
}

@test "whatever comes for as long as it may, verdicts are right, counts are exact, and nothing grows or is left" {
	local restless=$((SOAK_SECONDS / 2)) every=$((SOAK_SECONDS > 320 ? SOAK_SECONDS / 80 : 4))
	start_daemon
	follow_log
	mapfile -t destinations < <(awk '{ print $1; print $2 }' flows)
	start_watching "$WORK" seen tcp "${destinations[@]}"
	give_way $watcher
	find "$PINS" | sort >pins.before

	live $restless $every
	end_life
	kill_daemon
	start_daemon
	follow_log
	holdings >before
	live $((SOAK_SECONDS - restless)) 0

	stop_watching $watcher
	wait_for 30 is_quiet before || diff before now
	find "$PINS" | sort | diff pins.before -
	end_life
	note 'an agent of half the time, and %d before it; %d policies, %d in %d s; %d storms, %d connects in them, %d of them refused by a limit' \
		$((restarts + 1)) $reloads $turn "$SOAK_SECONDS" "$(lines_of open-storm.done)" "$(tally 2)" "$(tally 4)"
	note '%d cgroups without passthrough, %d with an idle connection; %d connects by one client' \
		"$(lines_of closed.done)" "$(lines_of open.done)" "$(awk '{ sum += $4 } END { print sum }' seen)"
	"$SOAK" judge samples >judged 2>grown || true
	sed 's/^/# /' judged >&3
	is "$(cat grown)" ""
	STORMED=
	wait_for 60 holds_nothing
	node_balances
	[ "$(tally 4)" -gt 0 ]
	check_totals
	is "$(awk 'NR == FNR { right[$0]; next } !(($1 " " $2 " " $3) in right)' flows seen)" ""
	is "$(cut -d ' ' -f 1-3 seen | sort)" "$(cat flows)"
	counts_are_exact
	hasnt "$(cat daemon.log)" "not loaded"
}
