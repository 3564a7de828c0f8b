#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# What fails around a run, or is odd about its caller: enforced or not started, and nothing left.

load ../lib/common

setup() {
	eg_setup
}

teardown() {
	eg_teardown
}

# as_caller COMMAND...: in the caller's cgroup and the client's namespace.
as_caller() {
	(in_cgroup "$EG_CALLER" nsenter --net="$EG_CLIENT" "$@")
}

require_strace() {
	command -v strace >/dev/null || skip "needs strace: it makes system calls fail"
}

# faulty INJECTION: a blocked connect under strace's injection, e.g. openat:error=ENOMEM:when=3.
faulty() {
	run as_caller strace -f -qq -o /dev/null -e "inject=$1" \
		"$EGRESSCTL" run --passthrough false --report r.json -- "$CLIENT" tcp $OUT4 $TCP
	if [ "$status" = 125 ]; then
		has "$output" "egressctl: "
		hasnt "$output" errno
	else
		[ "$status" = 1 ]
		has "$output" "errno EPERM"
	fi
	wait_for 5 nothing_left
}

@test "a system call that fails at the start leaves no cgroup, and the command does not run unenforced" {
	require_strace
	for call in signalfd4 mkdirat pidfd_open clone clone3 statfs; do
		echo "$call"
		faulty "$call:error=ENOMEM:when=1"
		is "$status" 125
	done
	for n in 1 2; do
		faulty "pipe2:error=EMFILE:when=$n"
		is "$status" 125
	done
}

@test "a BPF call that fails leaves no cgroup, and the command does not run unenforced" {
	require_strace
	as_caller strace -f -qq -o calls -e trace=bpf "$EGRESSCTL" run -- true
	# Every call that writes a map or attaches, and of those before them one of each kind.
	numbers=$(awk -F '[(,]' '/BPF_(MAP_UPDATE|LINK_CREATE)/ || !seen[$2]++ { print NR }' calls)
	[ "$(grep -c BPF_LINK_CREATE calls)" -ge 5 ]
	for n in $numbers; do
		faulty "bpf:error=ENOMEM:when=$n"
	done
}

@test "what fails when a cgroup is cleaned up is tried again" {
	require_strace
	for call in unlinkat fcntl getdents64; do
		echo "$call"
		faulty "$call:error=ENOMEM:when=1"
		is "$status" 1
	done
}

@test "with few descriptors a run is enforced or does not start, and leaves nothing" {
	for limit in 20 23 25 27 29 31 33 35 64 128; do
		run as_caller prlimit --nofile=$limit "$EGRESSCTL" run --passthrough false -- "$CLIENT" tcp $OUT4 $TCP
		[ "$status" = 125 ] || is "$limit $status $output" "$limit 1 errno EPERM"
		wait_for 5 nothing_left
	done
	is "$status" 1
}

@test "cgroups nested deeper than the limit of descriptors are removed" {
	run as_caller prlimit --nofile=64:1024 "$EGRESSCTL" run -- python3 -c "
import glob, os
os.chdir(glob.glob('$EG_CALLER/egressctl-run-*')[0])
for _ in range(100):
    os.mkdir('.deep')
    os.chdir('.deep')"
	is "$status $output" "0 "
	is "$(leftovers)" ""
}

@test "with standard streams closed, kill -9 of the runner still ends the command before its enforcement" {
	start_servers
	(in_cgroup "$EG_CALLER" nsenter --net="$EG_CLIENT" "$EGRESSCTL" run --passthrough false -- \
		sh -c "exec $CLIENT pester tcp $OUT4 $TCP >pester.out 2>&1") <&- >&- 2>&- 3>&- &
	RUNNER=$!
	wait_for 10 grep -q attempts pester.out
	kill -KILL $RUNNER
	wait_for 10 nothing_left
	arrived_exactly 0 tcp $OUT4 $TCP
}

@test "standard streams that the caller closed are closed for the command" {
	run as_caller bash -c "exec '$EGRESSCTL' run -- python3 -c '
import os
print_to = os.open(\"fds\", os.O_WRONLY | os.O_CREAT, 0o600)
os.write(print_to, str(print_to).encode())' <&- >&- 2>&- 3>&-"
	is "$status $(cat fds)" "0 0"
}

@test "a caller that ignores SIGCHLD gets the command's status, and the command ignores it too" {
	ignoring="import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execvp(sys.argv[1], sys.argv[1:])"
	run as_caller timeout --signal=KILL $RUN_LIMIT_S python3 -c "$ignoring" "$EGRESSCTL" run -- sh -c 'exit 7'
	is "$status" 7
	is "$(as_caller timeout --signal=KILL $RUN_LIMIT_S python3 -c "$ignoring" "$EGRESSCTL" run -- grep SigIgn /proc/self/status)" \
		"$(as_caller python3 -c "$ignoring" grep SigIgn /proc/self/status)"
}

@test "a time limit by alarm() ends the command with 142" {
	run as_caller timeout --signal=KILL $RUN_LIMIT_S python3 -c "
import os, signal
signal.setitimer(signal.ITIMER_REAL, 0.2)
os.execv('$EGRESSCTL', ['egressctl', 'run', '--', 'sleep', '1000'])"
	is "$status" 142
}

@test "a terminal that is closed hangs the command up when the run leads the session" {
	run as_caller timeout --signal=KILL $RUN_LIMIT_S python3 -c "
import os, pty
pid, terminal = pty.fork()
if pid == 0:
    os.execv('$EGRESSCTL', ['egressctl', 'run', '--', 'sh', '-c', 'echo started; exec sleep 1000'])
assert b'started' in os.read(terminal, 100)
os.close(terminal)
print('status', os.WEXITSTATUS(os.waitpid(pid, 0)[1]))"
	is "$output" "status 129"
}

@test "Ctrl-Z stops the run and the command together, and both go on" {
	run as_caller timeout --signal=KILL $RUN_LIMIT_S python3 -c "
import os, pty, signal
pid, terminal = pty.fork()
if pid == 0:
    # a shell in between: the leader of a session is orphaned and cannot be stopped
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv('$EGRESSCTL', ['egressctl', 'run', '--', 'sh', '-c', 'echo started; read line; echo got \$line'])
    status = os.waitpid(child, os.WUNTRACED)[1]
    print('stopped', os.WIFSTOPPED(status), flush=True)
    os.killpg(child, signal.SIGCONT)
    print('status', os.WEXITSTATUS(os.waitpid(child, 0)[1]), flush=True)
    os._exit(0)
seen = b''
def until(text):
    global seen
    while text not in seen:
        seen += os.read(terminal, 100)
until(b'started')
os.write(terminal, b'\x1a')
until(b'stopped True')
os.write(terminal, b'word\n')
until(b'got word')
until(b'status 0')
print('done')"
	is "$output" "done"
}

@test "a command that ends while the run is stopped gives its status when the run goes on" {
	run as_caller timeout --signal=KILL $RUN_LIMIT_S python3 -c "
import os, signal, subprocess, time
p = subprocess.Popen(['$EGRESSCTL', 'run', '--', 'sh', '-c', 'echo started; read line; exit 9'],
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
p.stdout.readline()
os.kill(p.pid, signal.SIGSTOP)
p.stdin.close()
while 'populated 1' in open('$EG_CALLER/egressctl-run-%d/cgroup.events' % p.pid).read():
    time.sleep(0.01)
os.kill(p.pid, signal.SIGCONT)
print('status', p.wait())"
	is "$output" "status 9"
}

@test "a command that forks without end is killed with all its children" {
	# Fifty at once, by as many bytes in a pipe: one that finds none left makes room for the others' children.
	# Without a bound, the test itself gets no processor.
	start_ctl run -- python3 -c "
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
first = os.getpid()
room, more = os.pipe2(os.O_NONBLOCK)
os.write(more, b'.' * 50)
end = time.monotonic() + 60 * $EG_SLOW
while time.monotonic() < end:
    try:
        os.read(room, 1)
        os.fork()
    except BlockingIOError:
        if os.getpid() != first:
            os.write(more, b'.')
            os._exit(0)
open('survived', 'w')"
	wait_for 10 has_lines "$RUN_CGROUP/cgroup.procs" 40
	kill -KILL $RUNNER
	wait_for 20 nothing_left
	[ ! -e survived ]
}

@test "a caller in a threaded cgroup is told that no process can be started there" {
	mkdir "$EG_CALLER/thread"
	echo threaded >"$EG_CALLER/thread/cgroup.type"
	run bash -c "echo \$BASHPID >$EG_CALLER/cgroup.procs; echo \$BASHPID >$EG_CALLER/thread/cgroup.threads
		exec '$EGRESSCTL' run -- echo started"
	is "$status" 125
	has "$output" "cannot start a process in"
	hasnt "$output" started
	is "$(find "$EG_CALLER/thread" -mindepth 1 -type d)" ""
	rmdir "$EG_CALLER/thread"
}

@test "without a mount of cgroup v2 in sight a run says so, also when another mount covers it" {
	mount=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
	for hide in "umount -l $mount" "mount -t tmpfs none $mount && mkdir -p $EG_CALLER"; do
		run as_caller unshare --mount sh -c "$hide; exec $EGRESSCTL run -- echo started"
		is "$status" 125
		has "$output" "mounted cgroup v2"
		hasnt "$output" started
	done
}

@test "a cgroup that was removed by somebody else does not hide the command's status" {
	run as_caller "$EGRESSCTL" run -- bash -c "
		run=\$(echo $EG_CALLER/egressctl-run-*)
		echo \$\$ >$EG_CALLER/cgroup.procs
		rmdir \$run
		exit 3"
	is "$status $output" "3 "
}

# refused WORD [COMMAND...]: a run under COMMAND does not start, and says the word.
refused() {
	run as_caller "${@:2}" "$EGRESSCTL" run -- echo started
	is "$1: $status" "$1: 125"
	has "$output" "egressctl: cannot load the BPF programs: "
	has "$output" "$1"
	hasnt "$output" started
	is "$(leftovers)" ""
}

@test "each capability that is missing is said, and the command does not start" {
	for missing in bpf net_admin perfmon; do
		refused "lacks CAP_${missing^^}:" setpriv "--bounding-set=-sys_admin,-$missing" "--inh-caps=-sys_admin,-$missing"
	done
	none=-sys_admin,-bpf,-net_admin,-perfmon
	refused "lacks CAP_BPF and CAP_NET_ADMIN and CAP_PERFMON:" setpriv --bounding-set=$none --inh-caps=$none
}

# blocked_without CAPABILITIES: a run whose command is refused a connect, with fewer capabilities.
blocked_without() {
	run as_caller setpriv --bounding-set="$1" --inh-caps="$1" "$EGRESSCTL" run --passthrough false -- "$CLIENT" tcp $OUT4 $TCP
}

is_older_than() { # is_older_than MAJOR.MINOR
	[ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" != "$1" ]
}

@test "the capabilities that are asked for are enough, and so is CAP_SYS_ADMIN alone, with CAP_NET_ADMIN before Linux 6.9" {
	blocked_without -sys_admin
	is "$status $output" "1 errno EPERM"
	blocked_without -bpf,-perfmon
	is "$status $output" "1 errno EPERM"
	blocked_without -bpf,-net_admin,-perfmon
	if is_older_than 6.9; then
		is "$status" 125
		has "$output" "Operation not permitted; it needs CAP_NET_ADMIN"
		is "$(leftovers)" ""
	else
		is "$status $output" "1 errno EPERM"
	fi
}

@test "what keeps a run from loading its programs is told apart: namespace, memory, descriptors, policy of the system" {
	require_strace
	refused "user namespace" unshare --user --map-root-user
	refused "ulimit -n" prlimit --nofile=20
	refused "MemoryMax=" strace -f -qq -o /dev/null -e inject=bpf:error=ENOMEM:when=20+
	refused "seccomp" strace -f -qq -o /dev/null -e inject=bpf:error=EPERM:when=20+
	refused "Linux 6.1 or newer" strace -f -qq -o /dev/null -e inject=bpf:error=ENOSYS
}

@test "the whole log of a program that was refused is shown when it is asked for" {
	dropped=-sys_admin,-perfmon
	EG_DEBUG=1 run as_caller setpriv --bounding-set=$dropped --inh-caps=$dropped "$EGRESSCTL" run -- echo started
	is "$status" 125
	grep '^egressctl: eg_[a-z0-9]*: processed ' <<<"$output"
	hasnt "$output" started
}

@test "a report on standard output comes behind what the command printed, in a file too" {
	ctl run --report /dev/stdout -- echo printed >out
	is "$(head -n 1 out)" printed
	tail -n +2 out >r.json
	is "$(json r.json 'd["workload"]')" echo
	is "$(ctl run --report /dev/stdout -- echo printed | head -n 1)" printed
}

@test "a report that finds no space is an error, and what stood there stays" {
	mkdir small
	run unshare --mount bash -c "mount -t tmpfs -o size=4k none small && echo old >small/r.json &&
		r=0 && { nsenter --net=$EG_CLIENT '$EGRESSCTL' run --report small/r.json -- true || r=\$?; }
		cat small/r.json; exit \$r"
	is "$status" 125
	has "$output" "cannot write the report"
	has "$output" "No space left"
	is "${lines[-1]}" old
}

@test "a report whose folder vanishes meanwhile is an error, the command's own failure goes first" {
	mkdir gone
	run ctl run --report gone/r.json -- sh -c 'rmdir gone'
	is "$status" 125
	has "$output" "cannot write the report 'gone/r.json'"
	mkdir gone
	run ctl run --report gone/r.json -- sh -c 'rmdir gone; exit 4'
	is "$status" 4
}

@test "a report to a FIFO reaches its reader" {
	mkfifo fifo
	cat fifo >r.json 3>&- &
	ctl run --report fifo -- true
	wait $!
	is "$(json r.json 'd["workload"]')" true
	[ -p fifo ]
}

@test "umask, limits, nice value, process group and session of the command are the caller's" {
	show='umask; ulimit -a; nice; cat /proc/self/oom_score_adj; ps -o pgid=,sid= -p $$'
	is "$(umask 027; ctl run -- bash -c "$show")" "$(umask 027; as_caller bash -c "$show")"
}
