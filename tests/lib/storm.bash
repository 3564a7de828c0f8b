# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# For tests that let tests/lib/storm loose on a workload, after daemon.bash.

# storm_setup: instead of daemon_setup; what the storm needs is there when this returns.
storm_setup() {
	daemon_setup
	# Whose counters are looked at; empty: the node's.
	STORMED=web
	HOLE4=10.91.0.9 HOLE6=fd91::9
	for hole in $HOLE4 $HOLE6; do
		ip -n "$EG_NAME-c" neighbour add $hole lladdr 02:00:00:00:00:09 dev veth0
	done
	# Ports that wait in TIME_WAIT may be used again: there are not enough for all of them.
	nsenter --net="$EG_CLIENT" sysctl -qw net.ipv4.tcp_tw_reuse=1 net.ipv4.ip_local_port_range="10000 65535"
	local specs=() host
	for host in $OUT4 $OUT6; do
		specs+=("tcp:$host:$TCP" "mptcp:$host:$MPTCP" "udp:$host:$UDP" "tcp-close:$host:8090" "tcp-reset:$host:8091")
	done
	start_server "$EG_SERVER" "${specs[@]}"
}

# Limits that a storm reaches, and an errno that nothing else gives.
stormy_policy() {
	# EDQUOT
	policy true "breakerErrno: 122"
	patch "origin: transparent" "connect_timeout: 300ms" \
		"circuit_breakers: {thresholds: [{max_connections: 40, max_pending_requests: 12, max_retries: 2}]}"
}

# The gauges of both families and of UDP, one a line, that are not 0.
held() {
	"$EGRESSCTL" stats ${STORMED:+"$STORMED"} | grep -E '(_active|draining): [1-9]' || true
}

holds_nothing() {
	[ -z "$(held)" ]
}

# balances FAMILY STARTED RETURNED REFUSED: what was counted adds up, by itself and with what the clients saw.
balances() {
	"$EGRESSCTL" stats --json "$STORMED" >stats.json
	python3 -IS - "$@" <<-'END'
		import json, sys
		family, started, returned, refused = sys.argv[1], *map(int, sys.argv[2:])
		d = json.load(open("stats.json"))
		values = {s["name"]: s["value"] for s in d["stats"]}
		def of(scope, name): return values["%s.outbound_passthrough_%s.%s" % (scope, family, name)]
		def cluster(name): return of("cluster", name)
		def samples(name): return d["histograms"]["cluster.outbound_passthrough_%s.%s" % (family, name)]["count"]
		total, destroyed = cluster("upstream_cx_total"), cluster("upstream_cx_destroy")
		overflow = cluster("upstream_cx_overflow") + cluster("upstream_rq_pending_overflow") + \
			cluster("upstream_rq_retry_overflow")
		print(family, {n.rsplit(".", 1)[1]: v for n, v in values.items() if v and family in n})
		# A process that was killed while it connected did not see the answer.
		unseen = started - returned
		checks = {
			"total = destroyed": total == destroyed,
			"destroyed, each with its length": samples("upstream_cx_length_ms") == destroyed,
			"established or failed": cluster("upstream_rq_total") + cluster("upstream_cx_connect_fail") == total,
			"established ones are destroyed, by one side": cluster("upstream_rq_total")
				== cluster("upstream_cx_destroy_with_active_rq")
				== cluster("upstream_cx_destroy_local_with_active_rq") + cluster("upstream_cx_destroy_remote_with_active_rq"),
			"every connect": returned <= of("tcp", "downstream_cx_total") <= started,
			"every connect is admitted or refused": of("tcp", "downstream_cx_total") == total + overflow,
			"every refusal": refused <= overflow <= refused + unseen,
			"never contended": of("egressd", "contended") == 0,
		}
		wrong = [name for name, ok in checks.items() if not ok]
		sys.exit("%s: wrong: %s" % (family, ", ".join(wrong)) if wrong else 0)
	END
}

# has_of_everything FAMILY: nothing that a storm does has been left out by chance.
has_of_everything() {
	local name
	for name in cluster.outbound_passthrough_"$1".{upstream_cx_{total,connect_timeout,destroy_local,destroy_remote},upstream_rq_{total,cancelled,pending_failure_eject}}; do
		[ "$(stat_of "$name" $STORMED)" -gt 0 ] || { echo "$name is 0" >&2; return 1; }
	done
	[ $(($(stat_of "cluster.outbound_passthrough_$1.upstream_cx_overflow" $STORMED) + \
		$(stat_of "cluster.outbound_passthrough_$1.upstream_rq_pending_overflow" $STORMED) + \
		$(stat_of "cluster.outbound_passthrough_$1.upstream_rq_retry_overflow" $STORMED))) -gt 0 ]
}

# start_storm DIRECTORY OPERATIONS SEED OUTPUT: within it, in the background; $storm is its process id.
start_storm() {
	(within "$1" "$EG_BUILD/tests/lib/storm" "$2" 8 "$3" $OUT4 $OUT6 $HOLE4 $HOLE6) >"$4" 2>"$4.err" 3>&- &
	storm=$!
}

# finish_storm OUTPUT: it has ended well, nothing is held any more, and all of it adds up.
finish_storm() {
	local family started returned refused
	wait "$storm"
	[ ! -s "$1.err" ] || { cat "$1.err" >&2; return 1; }
	wait_for 60 holds_nothing || { held >&2; return 1; }
	for family in ipv4 ipv6; do
		read -r _ started returned refused < <(grep "^$family" "$1")
		balances $family "$started" "$returned" "$refused"
	done
	grep -q '^killed [1-9]' "$1"
}
