#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The unit that `make install` brings, under systemd as process 1 of a guest: see vmtest/init.

load ../tests/lib/common
load ../tests/lib/daemon

UNIT=/run/systemd/system/egressd.service

setup() {
	[ "$(cat /proc/1/comm)" = systemd ] || skip "needs systemd as process 1"
	daemon_setup
	ADMIN=/run/egressd/admin.sock
	start_servers
	mkdir -p /etc/egressd "$UNIT.d"
	policy false >/etc/egressd/policy.yaml
	sed "s|@SBINDIR@|$EG_BUILD|" "$EG_ROOT/user/systemd/egressd.service" >"$UNIT"
	# There is no journal here: what it says is shown when a test fails. How each of its processes ended is in `ends`.
	cat >"$UNIT.d/log.conf" <<-END
		[Service]
		StandardError=append:$PWD/daemon.log
		StandardOutput=append:$PWD/ends
		ExecStopPost=/bin/sh -c 'echo \$\$SERVICE_RESULT'
	END
	systemctl daemon-reload
}

teardown() {
	cat daemon.log >&2 || true
	systemctl stop egressd.service || true
	[ -z "${foreign:-}" ] || kill -KILL "$foreign"
	rm -rf "$UNIT" "$UNIT.d" /etc/egressd
	daemon_teardown
}

# of_unit PROPERTY
of_unit() {
	systemctl show --property "$1" --value egressd.service
}

says_status() { # says_status PATTERN, of bash
	# shellcheck disable=SC2053 # it is a pattern
	[[ $(of_unit StatusText) == $1 ]]
}

is_refused() {
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" "errno EPERM"
}

# has_restarted TIMES: so often since it was started, and it is ready
has_restarted() {
	is "$(systemctl show --property ActiveState,NRestarts egressd.service | sort | paste -sd ' ')" \
		"ActiveState=active NRestarts=$1" 2>/dev/null
}

@test "start returns when the policy is in force, with the fewest capabilities; reload takes a new one, and says what is wrong with it" {
	systemctl start egressd.service
	is_refused
	is "$(of_unit StatusText)" "generation 1 in force"
	pid=$(of_unit MainPID)
	is "$(sed -n 's/^CapEff:\t//p;s/^CapBnd:\t//p;s/^Seccomp:\t//p' "/proc/$pid/status" | paste -sd ' ')" \
		"000000c000281004 000000c000281004 2"
	is "$(stat -c '%F %a %U' $ADMIN)" "socket 600 root"
	is "$("${CURL[@]}" --unix-socket $ADMIN http://localhost/ready)" LIVE
	# The signal and the change of the file may be two reloads.
	policy true >/etc/egressd/policy.yaml
	systemctl reload egressd.service
	wait_for 20 says_status "generation [23] in force"
	is "$(within "$WORK" "$CLIENT" tcp $OUT4 $TCP)" ok
	echo 'type: Mash' >/etc/egressd/policy.yaml
	systemctl reload egressd.service
	wait_for 20 says_status "generation [23] in force; not loaded: *"
	is "$(of_unit ActiveState) $(of_unit MainPID)" "active $pid"
}

@test "killed, and hung until the watchdog ends it, it is started again, and nothing got out meanwhile" {
	printf '[Service]\nWatchdogSec=%d\n' $((EG_SLOW)) >"$UNIT.d/soon.conf"
	systemctl daemon-reload
	systemctl start egressd.service
	start_watching "$WORK" watched tcp $OUT4 $TCP
	kill -KILL "$(of_unit MainPID)"
	wait_for 20 has_restarted 1
	kill -STOP "$(of_unit MainPID)"
	wait_for 30 has_restarted 2
	is "$(paste -sd ' ' ends)" "signal watchdog"
	stop_watching "$watcher"
	[ "$(answers EPERM watched)" -gt 0 ]
	is "$(answers ok watched)" 0
	arrived_exactly 0 tcp $OUT4 $TCP
}

@test "stopping it ends neither enforcement nor what somebody else has in its cgroup" {
	systemctl start egressd.service
	sleep 600 3>&- &
	foreign=$!
	echo $foreign >"/sys/fs/cgroup$(of_unit ControlGroup)/cgroup.procs"
	systemctl stop egressd.service
	is "$(of_unit ActiveState)" inactive
	kill -0 $foreign
	is_refused
	has "$("$EGRESSCTL" status || true)" dead
	is "$(cat ends)" success
}
