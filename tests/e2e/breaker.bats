#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The circuit breaker by what real connections leave in the statistics: each event of
# Envoy's moves exactly the ones that it moves there.

load ../lib/common

setup() {
	eg_setup
	# Takes every packet and never answers: nobody has this hardware address.
	HOLE=10.91.0.9
	ip -n "$EG_NAME-c" neighbour add $HOLE lladdr 02:00:00:00:00:09 dev veth0
	CLOSES=8090 RESETS=8091
	start_server "$EG_SERVER" tcp:$OUT4:$TCP tcp:$OUT6:$TCP mptcp:$OUT4:$MPTCP udp:$OUT4:$UDP \
		tcp-close:$OUT4:$CLOSES tcp-reset:$OUT4:$RESETS
}

teardown() {
	eg_teardown
}

# moved FILE [FAMILY]: Envoy's statistics of a family that are not 0, without what a limit leaves
# and what may still be flushing; then the samples of the histograms.
moved() {
	json "$1" "' '.join(sorted('%s=%d' % (k.replace('outbound_passthrough_${2:-ipv4}.', '').replace('cluster.', ''), v)
		for k, v in d['stats'].items()
		if v and '_${2:-ipv4}.' in k and 'remaining_' not in k and 'flush' not in k and 'draining' not in k) +
		sorted('%s=%d' % (k.rsplit('.', 1)[1], v['count']) for k, v in d['histograms'].items()
		if v['count'] and '_${2:-ipv4}.' in k))"
}

# run_once RUN-OPTION... -- CLIENT-ARG...: what the client says; the report is r.json.
run_once() {
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	ctl run --report r.json "${options[@]}" -- "$CLIENT" "${@:2}" </dev/null || true
}

@test "a connection that the client closes is destroyed locally" {
	is "$(run_once -- tcp $OUT4 $TCP)" ok
	is "$(moved r.json)" "tcp.downstream_cx_total=1 upstream_cx_destroy=1 upstream_cx_destroy_local=1 \
upstream_cx_destroy_local_with_active_rq=1 upstream_cx_destroy_with_active_rq=1 upstream_cx_total=1 \
upstream_rq_pending_total=1 upstream_rq_total=1 upstream_cx_connect_ms=1 upstream_cx_length_ms=1"
	is "$(moved r.json ipv6)" ""
}

@test "a connection that the peer closes or resets is destroyed remotely" {
	local remote="tcp.downstream_cx_total=1 upstream_cx_destroy=1 upstream_cx_destroy_remote=1 \
upstream_cx_destroy_remote_with_active_rq=1 upstream_cx_destroy_with_active_rq=1 upstream_cx_total=1 \
upstream_rq_pending_total=1 upstream_rq_total=1 upstream_cx_connect_ms=1 upstream_cx_length_ms=1"
	is "$(run_once -- tcp-read $OUT4 $CLOSES)" ok
	is "$(moved r.json)" "$remote"
	is "$(run_once -- tcp-read $OUT4 $RESETS)" "errno ECONNRESET"
	is "$(moved r.json)" "$remote"
}

@test "a connect that the network refuses, or has no way for, has failed remotely" {
	local failed="tcp.downstream_cx_total=1 upstream_cx_connect_attempts_exceeded=1 upstream_cx_connect_fail=1 \
upstream_cx_destroy=1 upstream_cx_destroy_remote=1 upstream_cx_total=1 upstream_rq_pending_failure_eject=1 \
upstream_rq_pending_total=1 upstream_cx_length_ms=1"
	is "$(run_once -- tcp $OUT4 9)" "errno ECONNREFUSED"
	is "$(moved r.json)" "$failed"
	is "$(run_once -- tcp 192.0.2.1 9)" "errno ENETUNREACH"
	is "$(moved r.json)" "egressd.without_event=1 $failed"
}

@test "a connect that times out has failed locally, at the time that was asked for" {
	local began ended
	began=$(date +%s%N)
	is "$(run_once --connect-timeout 700ms -- tcp $HOLE 80)" "errno ETIMEDOUT"
	ended=$(date +%s%N)
	is "$(moved r.json)" "tcp.downstream_cx_total=1 upstream_cx_connect_attempts_exceeded=1 \
upstream_cx_connect_fail=1 upstream_cx_connect_timeout=1 upstream_cx_destroy=1 upstream_cx_destroy_local=1 \
upstream_cx_total=1 upstream_rq_pending_failure_eject=1 upstream_rq_pending_total=1 upstream_cx_length_ms=1"
	# the run's own start and end are in it
	[ $(((ended - began) / 1000000)) -ge 700 ]
	is "$(json r.json "690 <= d['histograms']['cluster.outbound_passthrough_ipv4.upstream_cx_length_ms']['sum_ms'] <= 700 + 100 * $EG_SLOW")" True
}

@test "a connect that the client gives up is cancelled and exceeds nothing" {
	is "$(run_once -- tcp-abandon $HOLE 80)" ok
	is "$(moved r.json)" "tcp.downstream_cx_total=1 upstream_cx_connect_fail=1 upstream_cx_destroy=1 \
upstream_cx_destroy_local=1 upstream_cx_total=1 upstream_rq_cancelled=1 upstream_rq_pending_total=1 \
upstream_cx_length_ms=1"
}

@test "a connection that idle_timeout or its greatest duration ends is destroyed locally, and counted under that name" {
	local ended="upstream_cx_destroy=1 upstream_cx_destroy_local=1 upstream_cx_destroy_local_with_active_rq=1 \
upstream_cx_destroy_with_active_rq=1 upstream_cx_total=1 upstream_rq_pending_total=1 upstream_rq_total=1 \
upstream_cx_connect_ms=1 upstream_cx_length_ms=1"
	is "$(run_once --idle-timeout 300ms -- tcp-read $OUT4 $TCP)" "errno ECONNABORTED"
	is "$(moved r.json)" "tcp.downstream_cx_total=1 tcp.idle_timeout=1 $ended"
	is "$(run_once --max-connection-duration 300ms -- tcp-read $OUT4 $TCP)" "errno ECONNABORTED"
	is "$(moved r.json)" "tcp.downstream_cx_total=1 tcp.max_downstream_connection_duration=1 $ended"
}

@test "what max_connections refuses is refused at once, counted, and in no other statistic" {
	is "$(run_once --max-connections 2 -- hold tcp $OUT4 $TCP 5 1)" "ok 2
ECONNREFUSED 3"
	is "$(moved r.json)" "tcp.downstream_cx_total=5 upstream_cx_destroy=2 upstream_cx_destroy_local=2 \
upstream_cx_destroy_local_with_active_rq=2 upstream_cx_destroy_with_active_rq=2 upstream_cx_overflow=3 \
upstream_cx_total=2 upstream_rq_pending_total=2 upstream_rq_total=2 upstream_cx_connect_ms=2 upstream_cx_length_ms=2"
	is "$(verdicts r.json)" "blocked-max-connections=3 passthrough=2"
	arrived_exactly 2 tcp $OUT4 $TCP
}

@test "what max_pending_requests refuses counts as an attempt that exceeded" {
	is "$(run_once --max-pending-requests 1 -- hold tcp-abandon $HOLE 80 3 1)" "ok 1
ECONNREFUSED 2"
	is "$(moved r.json)" "tcp.downstream_cx_total=3 upstream_cx_connect_attempts_exceeded=2 \
upstream_cx_connect_fail=1 upstream_cx_destroy=1 upstream_cx_destroy_local=1 upstream_cx_total=1 \
upstream_rq_cancelled=1 upstream_rq_pending_overflow=2 upstream_rq_pending_total=1 upstream_cx_length_ms=1"
}

@test "connections are checked before pending, and 0 admits nothing" {
	is "$(run_once --max-connections 0 --max-pending-requests 0 -- hold tcp $OUT4 $TCP 2 1)" "ECONNREFUSED 2"
	is "$(moved r.json)" "tcp.downstream_cx_total=2 upstream_cx_overflow=2"
}

@test "a limit on requests and one on retries act where they are given, each with its own counter" {
	is "$(run_once --max-requests 1 -- hold tcp $OUT4 $TCP 3 1)" "ok 1
ECONNREFUSED 2"
	has "$(moved r.json)" "egressd.rq_overflow=2 tcp.downstream_cx_total=3"
	is "$(run_once --max-retries 0 -- repeat tcp $OUT4 9 3 1)" "ECONNREFUSED 3"
	has "$(moved r.json)" "upstream_cx_total=1 "
	has "$(moved r.json)" "upstream_rq_retry_overflow=2"
	is "$(run_once --max-retries 1 -- repeat tcp $OUT4 9 3 1)" "ECONNREFUSED 3"
	has "$(moved r.json)" "upstream_rq_retry=2"
	hasnt "$(moved r.json)" upstream_rq_retry_overflow
	# nobody limits them: nothing is a retry
	is "$(run_once -- repeat tcp $OUT4 9 3 1)" "ECONNREFUSED 3"
	hasnt "$(moved r.json)" retry
}

@test "bytes are payload, and the listener's side has them mirrored" {
	is "$(run_once -- tcp-send-read $OUT4 $TCP)" ok
	# "hello\n" one way; a header of 38 bytes and a line of 32 the other
	has "$(moved r.json)" "upstream_cx_rx_bytes_total=70"
	has "$(moved r.json)" "upstream_cx_tx_bytes_total=6"
	has "$(moved r.json)" "tcp.downstream_cx_rx_bytes_total=6"
	has "$(moved r.json)" "tcp.downstream_cx_tx_bytes_total=70"
}

@test "a connected UDP socket is a session, with a limit of its own" {
	is "$(run_once --max-connections 1 -- hold udp-connect $OUT4 $UDP 3 1)" "ok 1
ECONNREFUSED 2"
	is "$(moved r.json)" "egressd.udp_sessions_overflow=2 egressd.udp_sessions_total=1"
}

@test "families have limits of their own" {
	ctl run --report r.json --max-connections 3 -- sh -c "
		$CLIENT hold tcp $OUT4 $TCP 5 1 & $CLIENT hold tcp $OUT6 $TCP 5 1; wait" </dev/null >answers
	is "$(sort answers | tr '\n' ' ')" "ECONNREFUSED 2 ECONNREFUSED 2 ok 3 ok 3 "
	has "$(moved r.json ipv4)" "upstream_cx_overflow=2"
	has "$(moved r.json ipv6)" "upstream_cx_overflow=2"
}

@test "4 threads of mixed connects each are all accounted for" {
	ctl run --report r.json -- sh -c "
		$CLIENT repeat tcp-send-read $OUT4 $TCP 250 4; $CLIENT repeat tcp-read $OUT4 $CLOSES 250 4
		$CLIENT repeat tcp-read $OUT4 $RESETS 250 4; $CLIENT repeat tcp $OUT4 9 250 4
		$CLIENT repeat tcp-abandon $HOLE 80 250 4" >answers
	is "$(tr '\n' ' ' <answers)" "ok 1000 ok 1000 ECONNRESET 1000 ECONNREFUSED 1000 ok 1000 "
	is "$(moved r.json)" "tcp.downstream_cx_rx_bytes_total=6000 tcp.downstream_cx_total=5000 \
tcp.downstream_cx_tx_bytes_total=70000 upstream_cx_connect_attempts_exceeded=1000 upstream_cx_connect_fail=2000 \
upstream_cx_destroy=5000 upstream_cx_destroy_local=1000 upstream_cx_destroy_remote=4000 \
upstream_cx_destroy_remote_with_active_rq=3000 upstream_cx_destroy_with_active_rq=3000 \
upstream_cx_rx_bytes_total=70000 upstream_cx_total=5000 upstream_cx_tx_bytes_total=6000 upstream_rq_cancelled=1000 \
upstream_rq_pending_failure_eject=1000 upstream_rq_pending_total=5000 upstream_rq_total=3000 \
upstream_cx_connect_ms=3000 upstream_cx_length_ms=5000"
}
