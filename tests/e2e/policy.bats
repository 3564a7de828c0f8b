#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Policy documents, enforced on real sockets.

load ../lib/common

setup() {
	eg_setup
	start_servers
}

teardown() {
	eg_teardown
}

# answers FLAGS... -- (WAY ADDRESS PORT)...: under one run, the answer to each in its own line.
answers() {
	local flags=()
	while [ "$1" != -- ]; do
		flags+=("$1")
		shift
	done
	shift
	ctl run "${flags[@]}" -- bash -c '
		client=$1
		shift
		while [ $# -gt 0 ]; do
			"$client" "$1" "$2" "$3"
			shift 3
		done
		true' client "$CLIENT" "$@"
}

mesh_off() {
	cat <<-END
		type: Mesh
		name: default
		networking:
		  outbound:
		    passthrough: false
	END
}

@test "a Mesh document with passthrough false blocks non-mesh destinations" {
	mesh_off >p.yaml
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP udp-sendto $OUT6 $UDP)" "errno EPERM
errno EPERM"
}

@test "a Mesh document without passthrough lets everything out" {
	printf 'type: Mesh\nname: default\n' >p.yaml
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP)" ok
}

@test "the --passthrough flag beats the Mesh document, either way" {
	mesh_off >p.yaml
	is "$(answers --policy p.yaml --passthrough true -- tcp $OUT4 $TCP)" ok
	sed -i 's/false/true/' p.yaml
	is "$(answers --policy p.yaml --passthrough false -- tcp $OUT4 $TCP)" "errno EPERM"
}

@test "a Mesh in the Kubernetes envelope is enforced alike" {
	cat >p.yaml <<-END
		apiVersion: kuma.io/v1alpha1
		kind: Mesh
		metadata:
		  name: default
		spec:
		  networking:
		    outbound:
		      passthrough: false
	END
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP)" "errno EPERM"
}

@test "a policy in JSON is enforced alike" {
	echo '{"type": "Mesh", "name": "default", "networking": {"outbound": {"passthrough": false}}}' >p.json
	is "$(answers --policy p.json -- tcp $OUT4 $TCP)" "errno EPERM"
}

@test "a folder and several --policy files make one policy" {
	mkdir folder
	mesh_off >folder/mesh.yaml
	cat >dataplane.yaml <<-END
		type: Dataplane
		mesh: default
		name: backend
		networking:
		  address: $MESH4
		  inbound:
		  - port: $TCP
		    tags: {kuma.io/service: backend}
	END
	is "$(answers --policy folder --policy dataplane.yaml -- tcp $OUT4 $TCP tcp $MESH4 $TCP)" "errno EPERM
ok"
}

@test "a Dataplane makes its inbound ports mesh by TCP, and no other port or protocol of its host" {
	{
		mesh_off
		cat <<-END
			---
			type: Dataplane
			mesh: default
			name: backend
			networking:
			  address: $MESH4
			  inbound:
			  - port: $TCP
			    tags: {kuma.io/service: backend}
			---
			type: Dataplane
			mesh: default
			name: backend-6
			networking:
			  address: $MESH6
			  inbound:
			  - port: $TCP2
			    tags: {kuma.io/service: backend}
		END
	} >p.yaml
	is "$(answers --policy p.yaml -- tcp $MESH4 $TCP tcp ::ffff:$MESH4 $TCP tcp $MESH4 $TCP2 udp-sendto $MESH4 $TCP \
		tcp $MESH6 $TCP2 tcp $MESH6 $TCP tcp $OUT4 $TCP)" "ok
ok
errno EPERM
errno EPERM
ok
errno EPERM
errno EPERM"
}

@test "a Dataplane is mesh by its advertised address too" {
	{
		mesh_off
		cat <<-END
			---
			type: Dataplane
			mesh: default
			name: backend
			networking:
			  address: 192.168.7.7
			  advertisedAddress: $MESH4
			  inbound:
			  - port: $TCP
			    tags: {kuma.io/service: backend}
		END
	} >p.yaml
	is "$(answers --policy p.yaml -- tcp $MESH4 $TCP tcp $MESH4 $TCP2)" "ok
errno EPERM"
}

@test "a Dataplane of another mesh is not the workload's mesh" {
	{
		mesh_off
		cat <<-END
			---
			type: Mesh
			name: other
			---
			type: Dataplane
			mesh: other
			name: backend
			networking:
			  address: $MESH4
			  inbound:
			  - port: $TCP
			    tags: {kuma.io/service: backend}
		END
	} >p.yaml
	is "$(answers --policy p.yaml -- tcp $MESH4 $TCP)" "errno EPERM"
}

# The command of `answers` is bash, so this is its Workload.
workload() {
	mesh_off
	cat <<-END
		---
		type: Workload
		name: bash
		mesh: default
	END
	cat
}

@test "excludeOutboundPorts lets those ports out on every address and no other port" {
	workload >p.yaml <<-END
		excludeOutboundPorts: [$TCP]
	END
	is "$(answers --policy p.yaml --report r.json -- tcp $OUT4 $TCP tcp $OUT6 $TCP tcp $OUT4 $TCP2)" "ok
ok
errno EPERM"
	is "$(verdicts r.json)" "blocked-passthrough-off=1 exempt-rule=2"
	is "$(cx r.json ipv4)" "upstream=0 downstream=1 no_route=1"
}

@test "excludeOutboundIPs lets those addresses out on every port and no other address" {
	workload >p.yaml <<-END
		excludeOutboundIPs: [$OUT4/32, $OUT6]
	END
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP tcp ::ffff:$OUT4 $TCP2 udp-sendto $OUT6 $UDP tcp $MESH4 $TCP)" "ok
ok
ok
errno EPERM"
}

@test "an allow rule holds for its address, port and protocol only, and counts as matched" {
	workload >p.yaml <<-END
		allow:
		- cidr: $OUT4/32
		  port: $TCP
		  protocol: tcp
		- cidr: fd91::/64
		  port: $UDP
		  protocol: udp
	END
	is "$(answers --policy p.yaml --report r.json -- tcp $OUT4 $TCP tcp $OUT4 $TCP2 udp-sendto $OUT4 $TCP tcp $MESH4 $TCP \
		udp-sendto $OUT6 $UDP tcp $OUT6 $UDP)" "ok
errno EPERM
errno EPERM
errno EPERM
ok
errno EPERM"
	is "$(cx r.json ipv4)" "upstream=1 downstream=3 no_route=2"
	is "$(verdicts r.json)" "blocked-passthrough-off=4 matched=2"
}

@test "a longer prefix in an allow list never hides a shorter one's ports" {
	workload >p.yaml <<-END
		allow:
		- {cidr: 10.91.0.0/16, port: $TCP}
		- {cidr: $OUT4/32, port: $TCP2}
	END
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP tcp $OUT4 $TCP2 tcp $MESH4 $TCP tcp $MESH4 $TCP2)" "ok
ok
ok
errno EPERM"
}

@test "::/0 in an allow list never covers IPv4" {
	workload >p.yaml <<-END
		allow: [{cidr: "::/0"}]
	END
	is "$(answers --policy p.yaml -- tcp $OUT6 $TCP tcp $OUT4 $TCP tcp ::ffff:$OUT4 $TCP)" "ok
errno EPERM
errno EPERM"
}

# passthrough_policy NAME MODE [MATCH]...: a MeshPassthrough for every workload of the mesh.
passthrough_policy() {
	printf -- '---\ntype: MeshPassthrough\nname: %s\nspec:\n  default:\n    passthroughMode: %s\n' "$1" "$2"
	shift 2
	[ $# -eq 0 ] || printf '    appendMatch:\n'
	[ $# -eq 0 ] || printf '    - {%s}\n' "$@"
}

@test "a MeshPassthrough in mode Matched lets its destinations out by TCP, and nothing else, whatever the Mesh says" {
	{
		printf 'type: Mesh\nname: default\n'
		passthrough_policy p Matched "type: IP, value: $OUT4, port: $TCP, protocol: tls" "type: CIDR, value: 'fd91::3/127'"
	} >p.yaml
	is "$(answers --policy p.yaml --report r.json -- tcp $OUT4 $TCP tcp $OUT4 $TCP2 udp-sendto $OUT4 $TCP tcp $MESH4 $TCP \
		tcp $OUT6 $TCP2 tcp ::ffff:$OUT4 $TCP)" "ok
errno EPERM
errno EPERM
errno EPERM
ok
ok"
	is "$(cx r.json ipv4)" "upstream=2 downstream=4 no_route=2"
	is "$(verdicts r.json)" "blocked-passthrough-off=3 matched=3"
}

@test "a MeshPassthrough opens what the Mesh closes, and closes what it opens" {
	{ mesh_off; passthrough_policy p All; } >p.yaml
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP)" ok
	passthrough_policy p None >p.yaml
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP udp-sendto $OUT6 $UDP)" "errno EPERM
errno EPERM"
	is "$(answers --policy p.yaml --passthrough true -- tcp $OUT4 $TCP)" ok
}

@test "the lists of two MeshPassthroughs add up, and a longer prefix hides no port of a shorter one" {
	{
		passthrough_policy a Matched "type: CIDR, value: 10.91.0.0/16, port: $TCP"
		passthrough_policy b Matched "type: IP, value: $OUT4, port: $TCP2"
	} >p.yaml
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP tcp $OUT4 $TCP2 tcp $MESH4 $TCP tcp $MESH4 $TCP2)" "ok
ok
ok
errno EPERM"
}

@test "Node.meshCIDRs are mesh for any port and protocol" {
	{
		mesh_off
		printf -- '---\ntype: Node\nname: node\nmeshCIDRs: [%s/32]\n' $MESH4
	} >p.yaml
	is "$(answers --policy p.yaml --report r.json -- tcp $MESH4 $TCP2 udp-sendto $MESH4 $UDP tcp $OUT4 $TCP)" "ok
ok
errno EPERM"
	is "$(verdicts r.json)" "blocked-passthrough-off=1 mesh=2"
}

@test "a listed resolver is exempt on port 53 by UDP and TCP and on no other port" {
	{
		mesh_off
		printf -- '---\ntype: Node\nname: node\nresolvers: [%s]\n' $OUT4
	} >p.yaml
	is "$(answers --policy p.yaml --report r.json -- udp-sendto $OUT4 $DNS udp-connect $OUT4 $DNS tcp $OUT4 $DNS \
		tcp $OUT4 $TCP udp-sendto $OUT4 $UDP udp-sendto $MESH4 $DNS)" "ok
ok
ok
errno EPERM
errno EPERM
errno EPERM"
	is "$(verdicts r.json)" "blocked-passthrough-off=3 exempt-resolver=3"
}

@test "with no resolver listed and none wanted port 53 is blocked like any other" {
	{
		mesh_off
		printf -- '---\ntype: Node\nname: node\nresolvers: []\n'
	} >p.yaml
	is "$(answers --policy p.yaml -- udp-sendto $OUT4 $DNS)" "errno EPERM"
}

@test "blockErrno is what a blocked call answers, for each hook" {
	workload >p.yaml <<-END
		blockErrno: ECONNREFUSED
	END
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP tcp-nonblocking $OUT4 $TCP tcp $OUT6 $TCP \
		udp-sendto $OUT4 $UDP udp-sendto $OUT6 $UDP udp-connect $OUT4 $UDP)" "errno ECONNREFUSED
errno ECONNREFUSED
errno ECONNREFUSED
errno ECONNREFUSED
errno ECONNREFUSED
errno ECONNREFUSED"
	arrived_exactly 0 tcp $OUT4 $TCP
}

@test "Node.blockErrno is the default that a Workload's own beats" {
	workload >p.yaml <<-END
		---
		type: Node
		name: node
		blockErrno: EHOSTUNREACH
	END
	is "$(answers --policy p.yaml -- tcp $OUT4 $TCP)" "errno EHOSTUNREACH"
	sed 's/^mesh: default/&\nblockErrno: EACCES/' p.yaml >own.yaml
	is "$(answers --policy own.yaml -- tcp $OUT4 $TCP)" "errno EACCES"
}

@test "--mesh adds to the mesh of the documents" {
	{
		mesh_off
		printf -- '---\ntype: Node\nname: node\nmeshCIDRs: [%s/32]\n' $MESH4
	} >p.yaml
	is "$(answers --policy p.yaml --mesh $MESH6/128 -- tcp $MESH4 $TCP tcp $MESH6 $TCP tcp $OUT6 $TCP)" "ok
ok
errno EPERM"
}

@test "what is both mesh and excluded is exempt: classes have an order" {
	workload >p.yaml <<-END
		excludeOutboundIPs: [$MESH4]
	END
	is "$(answers --policy p.yaml --mesh $MESH4/32 --report r.json -- tcp $MESH4 $TCP)" ok
	is "$(verdicts r.json)" "exempt-rule=1"
}

@test "a policy of 20,000 mesh prefixes finds the one that counts" {
	{
		mesh_off
		printf -- '---\ntype: Node\nname: node\nmeshCIDRs:\n'
		# not by a loop: bats follows every command of bash
		awk 'BEGIN { for (a = 1; a <= 100; a++) for (b = 0; b < 200; b++) printf "- 10.%d.%d.0/24\n", a, b }'
		echo "- fd91::2/128"
	} | sed '/- 10.91.0.0\/24/d' >p.yaml
	is "$(answers --policy p.yaml -- tcp $MESH6 $TCP tcp $OUT6 $TCP tcp $OUT4 $TCP)" "ok
errno EPERM
errno EPERM"
}

@test "a wrong policy file is said with its place, ends with 3 and the command does not start" {
	printf 'type: Mesh\nname: default\nnetworking:\n  outbound:\n    passtrough: false\n' >p.yaml
	run --separate-stderr ctl run --policy p.yaml --report r.json -- touch started
	is "$status" 3
	is "$output" ""
	has "$stderr" "p.yaml:5:"
	has "$stderr" passthrough
	[ ! -e started ]
	[ ! -e r.json ]
}

@test "one wrong file among good ones refuses the whole set" {
	mesh_off >good.yaml
	printf 'type: Dataplane\nmesh: default\nname: x\nnetworking: {address: 1.2.3.4, inbound: [{port: 70000}]}\n' >wrong.yaml
	run ctl run --policy good.yaml --policy wrong.yaml -- touch started
	is "$status" 3
	has "$output" wrong.yaml:4:
	[ ! -e started ]
}

@test "a policy file that does not exist ends before the command starts" {
	run ctl run --policy missing.yaml -- touch started
	is "$status" 3
	has "$output" missing.yaml
	[ ! -e started ]
}

# held FLAG...: how many of four connections by IPv4, then by IPv6, a command of that run may hold.
held() {
	for host in $OUT4 $OUT6; do
		ctl run "$@" -- "$CLIENT" hold tcp $host $TCP 4 1 </dev/null | sed -n 's/^ok //p'
	done | paste -s -d ' '
}

@test "a ProxyTemplate limits the command that is its service, and --max-connections beats it for both families" {
	cat >p.yaml <<-'END'
		type: ProxyTemplate
		name: two
		selectors: [{match: {kuma.io/service: client}}]
		conf:
		  modifications:
		  - cluster:
		      operation: patch
		      match: {name: "outbound:passthrough:ipv4"}
		      value: |
		        circuit_breakers: {thresholds: [{max_connections: 2}]}
	END
	is "$(held)" "4 4"
	is "$(held --policy p.yaml)" "2 4"
	is "$(held --policy p.yaml --max-connections 3)" "3 3"
	sed -i 's/service: client/service: other/' p.yaml
	is "$(held --policy p.yaml)" "4 4"
}

@test "MeshProxyPatches limit the command that they select: the more specific one beats the other, and a ProxyTemplate both" {
	cat >p.yaml <<-'END'
		type: MeshProxyPatch
		name: service
		spec:
		  targetRef: {kind: MeshSubset, tags: {kuma.io/service: client}}
		  default:
		    appendModifications:
		    - cluster:
		        operation: Patch
		        match: {name: "outbound:passthrough:ipv4"}
		        jsonPatches: [{op: add, path: /circuitBreakers/thresholds/0/maxConnections, value: 2}]
		---
		type: MeshProxyPatch
		name: mesh
		spec:
		  default:
		    appendModifications:
		    - cluster:
		        operation: Patch
		        match: {origin: transparent}
		        value: "circuit_breakers: {thresholds: [{max_connections: 3}]}"
	END
	cat >t.yaml <<-'END'
		type: ProxyTemplate
		name: one
		conf:
		  imports: [default-proxy]
		  modifications:
		  - cluster:
		      operation: patch
		      match: {name: "outbound:passthrough:ipv6"}
		      value: "circuit_breakers: {thresholds: [{max_connections: 1}]}"
	END
	is "$(held --policy p.yaml)" "2 3"
	is "$(held --policy p.yaml --policy t.yaml)" "2 1"
	sed -i 's/kuma.io\/service: client/kuma.io\/service: other/' p.yaml
	is "$(held --policy p.yaml)" "3 3"
}
