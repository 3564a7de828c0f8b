# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# For tests of the command line alone: no privileges, no network, no cgroup.

load ../lib/common

# A hostile file must end in a message well before this.
TIME_LIMIT_S=$((20 * EG_SLOW))

cli_setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

# egressctl with a bound on its time, so that a hang is a failure (124) and not a hang.
ctl() {
	timeout --kill-after=1 $TIME_LIMIT_S "$EGRESSCTL" "$@"
}

# The same as somebody who may nothing, also when the tests run as root.
ctl_unprivileged() {
	if [ "$(id -u)" != 0 ]; then
		ctl "$@"
		return
	fi
	cp "$EGRESSCTL" egressctl
	chmod -R a+rX .
	timeout --kill-after=1 $TIME_LIMIT_S setpriv --reuid 65534 --regid 65534 --clear-groups \
		--bounding-set -all --inh-caps -all ./egressctl "$@"
}

# No crash (signals are 128 and above) and no hang (124).
is_refusal() {
	[ "$status" = 3 ] && return
	printf 'expected exit status 3\n actual: %s\n output: %s\n' "$status" "${output:0:2000}" >&2
	return 1
}
