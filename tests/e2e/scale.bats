#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# egressd with many cgroups, and with cgroups that come and go faster than it can follow.
# What it costs is printed, what it does is asserted.

load ../lib/common
load ../lib/daemon

setup() {
	daemon_setup
	LONE=$EG_CGROUP/lone
	mkdir "$LONE"
}

teardown() {
	uninstall_after_churn
	daemon_teardown
}

# crowd PASSTHROUGH: `web` on all that is directly below $WORK, and `lone` on one literal path.
crowd() {
	policy "$1" | sed "s|cgroup: .*|cgroup: $WORK_PATH/*|"
	printf -- '---\ntype: Workload\nname: lone\nmesh: default\ncgroup: %s\n' "${LONE#"$mount_point"}"
}

seconds_since() { # seconds_since MILLISECONDS
	local passed=$(($(now_ms) - $1))
	printf '%d.%03d' $((passed / 1000)) $((passed % 1000))
}

link_count() {
	find "$PINS/links" -type f | wc -l
}

slots_in_use() { # slots_in_use COUNT
	[ "$(counted in-use)" -eq "$1" ]
}

# connects DIRECTORY COUNT: UDP connects by two threads of a process there; how often each answer came.
# Nobody listens on the port, and nobody needs to.
connects() {
	within "$1" "$CLIENT" repeat udp-connect $OUT4 9 "$2" 2 3>&-
}

# refused FILE...: how many of the answers that connects() wrote are EPERM
refused() {
	awk '$1 == "EPERM" { sum += $2 } END { print sum + 0 }' "$@"
}

# Every refusal that a client saw was counted once, and as what it was.
counters_conserve() { # counters_conserve REFUSED
	local refusals=ipv4.verdicts.blocked_passthrough_off
	is "$(counted all $refusals ipv4.verdicts.blocked_no_policy)" "$1 0"
	is "$(counted free $refusals ipv4.verdicts.passthrough)" "0 0"
}

# The windows of WORKLOAD's enrolments that the daemon reported: how many, median and maximum.
windows() {
	sed -n "s/.*$1: enforcing on .*, \([0-9.]*\) ms after the cgroup was made/\1/p" daemon.log | sort -n |
		awk '{ ms[NR] = $1 } END { printf "%d windows, median %.1f ms, maximum %.1f ms", NR, ms[int((NR + 1) / 2)], ms[NR] }'
}

# The kernel's memory for every pinned map, in KiB.
map_kib() {
	local map
	for map in "$PINS"/maps/*; do
		bpftool --json map show pinned "$map"
	done | python3 -c 'import json, sys; print(sum(json.loads(m)["bytes_memlock"] for m in sys.stdin.read().replace("}{", "}\n{").splitlines()) // 1024)'
}

note_memory() { # after WHAT
	local maps
	maps=$(map_kib) && [ "$maps" -gt 0 ] || return 1
	note 'memory after %s: egressd %s KiB, maps %s KiB' "$1" \
		"$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON/status")" "$maps"
}

# The time that the daemon's processors spent, in ms.
daemon_ms() {
	awk -v ticks="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / ticks) }' "/proc/$DAEMON/stat"
}

# scrape PATH: of the admin endpoint, into the file `scraped`
scrape() {
	local spent took
	spent=$(daemon_ms)
	took=$("${CURL[@]}" --unix-socket "$ADMIN" --output scraped --write-out '%{time_total}' "http://localhost$1")
	note '%s: %s s, %d ms of a processor, %d bytes' "$1" "$took" $(($(daemon_ms) - spent)) "$(stat -c %s scraped)"
}

# start_scrapes COUNT: that many at once, which are read slowly: one that takes nothing for half a second would make room;
# how often each status came
start_scrapes() {
	python3 -IS - "$ADMIN" "$1" <<-'END'
		import collections, socket, sys, threading, time
		answers = collections.Counter()
		started = []
		def read_slowly():
		    while True:
		        time.sleep(0.2)
		        # as much as makes room to write: three quarters of what a socket holds
		        for s in list(started) * 12:
		            try: s.recv(1 << 14, socket.MSG_DONTWAIT)
		            except OSError: pass
		threading.Thread(target=read_slowly, daemon=True).start()
		for _ in range(int(sys.argv[2])):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(sys.argv[1])
		    s.send(b"GET /stats/prometheus HTTP/1.1\r\nHost: localhost\r\n\r\n")
		    answers[s.recv(20).split()[1].decode()] += 1
		    started.append(s)
		print(*(f"{status}={n}" for status, n in sorted(answers.items())))
	END
}

@test "a thousand workloads are enforced, reloaded and let go, and their totals are kept" {
	many=$(slow_count 1000)
	seq "$many" | (cd "$WORK" && xargs mkdir)
	crowd false >policy.yaml
	began=$(now_ms)
	start_daemon
	note '%d cgroups: enrolled in %s s' $((many + 1)) "$(seconds_since "$began")"
	links=$(links_of "$LONE")
	[ "$links" -ge 4 ]
	is "$(link_count)" $(((many + 1) * links))
	for instance in "$WORK"/{1,25,50,99,"$many"} "$LONE"; do
		is "$(connects "$instance" 5)" "EPERM 10"
	done

	note_memory "the start"
	scrape /stats/prometheus
	is "$(grep -c '^envoy_server_live{' scraped)" $((many + 1))
	is "$(grep '^egressd_verdicts_total{reason="blocked-passthrough-off"' scraped | awk '{ sum += $NF } END { print sum }')" 60
	# each holds the counts of all workloads until it is taken
	is "$(start_scrapes 10)" "200=8 503=2"
	scrape '/stats/prometheus?usedonly'
	scrape /stats
	is "$(sed -n 's/^egressd.verdicts.blocked-passthrough-off: //p' scraped)" 60

	mkdir "$WORK/late"
	wait_for 10 says 1 "web:late: enforcing on"
	is "$(connects "$WORK/late" 5)" "EPERM 10"
	note 'one more: enforced %s ms after it was made' \
		"$(sed -n 's/.*web:late: enforcing on.*, \([0-9.]*\) ms after.*/\1/p' daemon.log)"

	crowd true >new.yaml
	before=$(grep -c 'in force' daemon.log)
	began=$(now_ms)
	mv new.yaml policy.yaml
	kill -HUP "$DAEMON"
	wait_for 10 says $((before + 1)) "in force"
	note 'another policy for all: in force in %s s' "$(seconds_since "$began")"
	is "$(connects "$WORK/$many" 5)" "ok 10"
	# the guard has gone
	[ "$(links_of "$LONE")" -lt "$links" ]
	links=$(links_of "$LONE")
	is "$(link_count)" $(((many + 2) * links))
	note_memory "another policy and $((1 + 10 + 2)) scrapes"

	wait_for 5 is_empty_cgroup "$WORK"
	began=$(now_ms)
	find "$WORK" -mindepth 1 -type d -exec rmdir {} +
	wait_for 30 says $((many + 1)) "no longer enforced"
	note '%d cgroups: removed and let go in %s s' $((many + 1)) "$(seconds_since "$began")"
	is "$(link_count)" "$links"
	is "$(counted in-use)" 1
	is "$(counted given-back)" $((many + 1))
	is "$(counted retired ipv4.verdicts.blocked_passthrough_off)" 60
	is "$(counted retired ipv4.verdicts.passthrough)" 10
	counters_conserve 70
}

@test "a cgroup that is removed and made anew a hundred times under load is enforced each time, and no count is lost" {
	crowd false >policy.yaml
	start_daemon
	follow_log
	start_watching "$LONE" load udp $OUT4 9
	load=$watcher
	rounds=$(slow_count 100)
	for ((round = 1; round <= rounds; round++)); do
		mkdir "$WORK/again"
		start_watching "$WORK/again" "again.$round" udp $OUT4 9
		until_said "*web:again: enforcing on*"
		is "$(connects "$WORK/again" 5)" "EPERM 10"
		stop_watching $watcher
		wait_for 5 is_empty_cgroup "$WORK/again"
		rmdir "$WORK/again"
	done
	stop_watching $load
	note 'made anew: %s before it was enforced' "$(windows web:again)"
	is "$(windows web:again | cut -d ' ' -f 1)" "$rounds"
	for ((round = 1; round <= rounds; round++)); do
		cat "again.$round"
	done >again
	[ "$(answers EPERM again)" -gt 0 ]
	wait_for 10 slots_in_use 1
	counters_conserve $(($(answers EPERM load again) + 10 * rounds))
}

@test "a workload that is let go while a client connects is free then, and every refusal before is counted" {
	crowd false >with.yaml
	sed "s|cgroup: $WORK_PATH/\*|cgroup: $WORK_PATH/nothing*|" with.yaml >without.yaml
	mkdir "$WORK/pod"
	cp with.yaml policy.yaml
	start_daemon
	follow_log
	start_watching "$WORK/pod" pod udp $OUT4 9
	for round in {1..5}; do
		cat without.yaml >policy.yaml
		kill -HUP "$DAEMON"
		until_said "*web:pod: no longer enforced*"
		is "$(connects "$WORK/pod" 5)" "ok 10"
		cat with.yaml >policy.yaml
		kill -HUP "$DAEMON"
		until_said "*web:pod: enforcing on*"
		is "$(connects "$WORK/pod" 5)" "EPERM 10"
	done
	stop_watching $watcher
	[ "$(answers ok pod)" -gt 0 ]
	counters_conserve $(($(answers EPERM pod) + 50))
}

@test "cgroups that vanish while they are enrolled leave nothing, and what stays is enforced" {
	crowd false >policy.yaml
	start_daemon
	start_watching "$LONE" load udp $OUT4 9
	holdings >before
	# Most of them live for less than it takes to enrol one.
	made=$(python3 -IS - "$WORK" $((3 + EG_SLOW)) "$EG_SLOW" <<-'END'
		import os, random, sys, time
		end = time.monotonic() + float(sys.argv[2])
		made = 0
		alive = {}
		while time.monotonic() < end:
		    name = f"{sys.argv[1]}/pod{made % 8}"
		    while name in alive or random.random() < 0.5 and alive:
		        os.rmdir(next(iter(alive)))
		        del alive[next(iter(alive))]
		    os.mkdir(name)
		    alive[name] = True
		    made += 1
		    time.sleep(random.choice([0, 0, 0.001, 0.005, 0.02]) * int(sys.argv[3]))
		for name in alive:
		    os.rmdir(name)
		print(made)
	END
	)
	wait_for 20 holds before || diff before now
	is "$(counted in-use)" 1
	note '%s cgroups came and went, %s of them were enrolled' "$made" "$(grep -c 'web:pod.: enforcing on' daemon.log)"
	[ "$(grep -c 'web:pod.: enforcing on' daemon.log)" -gt 0 ]
	hasnt "$(cat daemon.log)" "NOT enforced"
	hasnt "$(cat daemon.log)" "not loaded"
	mkdir "$WORK/stays"
	wait_for 10 says 1 "web:stays: enforcing on"
	is "$(connects "$WORK/stays" 5)" "EPERM 10"
	stop_watching $watcher
	is "$(answers ok load)" 0
	counters_conserve $(($(answers EPERM load) + 10))
}

@test "a cgroup that is gone and that the kernel has not let go of: the map that it would free wrongly is kept, also by uninstall, and goes after it" {
	policy false >policy.yaml
	start_daemon
	hold_cgroup
	run "$EGRESSCTL" uninstall --stop
	is "$status" 0
	DAEMON=
	has "$output" "kept $kept: 1 of its cgroups"
	[ ! -e "$PINS" ]
	[ -e "$kept" ]
	run "$EGRESSCTL" uninstall
	has "$output" "kept $kept: "
	exec 5>&-
	wait $holder
	wait_for 10 uninstalls_all
	run "$EGRESSCTL" uninstall
	hasnt "$output" "$kept"
}

@test "an uninstall that waits for a cgroup that is kept leaves an agent alone that starts meanwhile" {
	policy false >policy.yaml
	start_daemon
	hold_cgroup
	run "$EGRESSCTL" uninstall --stop
	is "$status" 0
	mkdir "$WORK"
	mkfifo go
	# On a terminal a line is seen when it is printed: that no agent runs, before the wait.
	python3 -IS - "$EGRESSCTL" 3>&- 5>&- >uninstalled <<-'END' &
		import os, pty, signal, sys
		pid, terminal = pty.fork()
		if pid == 0:
		    os.execl(sys.argv[1], sys.argv[1], "uninstall")
		text = b""
		while b"running agent: none" not in text:
		    text += os.read(terminal, 4096)
		os.kill(pid, signal.SIGSTOP)
		print("waits", flush=True)
		open("go").read()
		os.kill(pid, signal.SIGCONT)
		try:
		    while True:
		        text += os.read(terminal, 4096)
		except OSError:
		    print(text.decode(), "status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
	uninstall=$!
	wait_for 10 grep -q waits uninstalled
	start_daemon 5>&-
	links=$(links_of "$WORK")
	echo >go
	wait $uninstall
	has "$(cat uninstalled)" "$PINS has come meanwhile: an agent has started, and is left alone"
	has "$(cat uninstalled)" "status 1"
	hasnt "$(cat uninstalled)" "removed $PINS"
	is "$links $(links_of "$WORK")" "$GUARDED_LINKS $GUARDED_LINKS"
	exec 5>&-
	wait $holder
}

# As after a race that cannot be made to happen: a socket is its cgroup's, wherever its process goes, until descriptor 5 is closed.
# $WORK is gone then, $kept is the map that the agent keeps for it, $holder the process.
hold_cgroup() {
	mkfifo end
	exec 5<>end
	python3 -IS - "$WORK" "$EG_CGROUP/servers" 3>&- 5>&- >holder <<-'END' &
		import os, socket, sys
		for cgroup in sys.argv[1:]:
		    with open(cgroup + "/cgroup.procs", "w") as procs:
		        procs.write("0")
		    sock = globals().get("sock") or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		print("ready", flush=True)
		open("end").read()
	END
	holder=$!
	wait_for 10 grep -q ready holder
	# There may be others, of tests before.
	kept=$PINS-kept/eg_cgroups_$(bpftool map show pinned "$PINS/maps/eg_cgroups" | sed -n '1s/:.*//p')
	rmdir "$WORK"
	wait_for 30 test -e "$kept"
}

uninstalls_all() {
	"$EGRESSCTL" uninstall >/dev/null && [ ! -e "$kept" ]
}
