#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# `egressctl check`: every mistake, with its place, in one run; hostile files end in a message.

load ../lib/cli

setup() {
	cli_setup
}

good_mesh() {
	printf 'type: Mesh\nname: default\nnetworking:\n  outbound:\n    passthrough: false\n'
}

dataplane() { # dataplane NAME ADDRESS PORT
	printf 'type: Dataplane\nmesh: default\nname: %s\nnetworking:\n  address: %s\n  inbound:\n  - port: %s\n    tags: {kuma.io/service: s}\n' "$@"
}

@test "a valid Mesh is accepted without a privilege" {
	good_mesh >p.yaml
	run ctl_unprivileged check p.yaml
	is "$status" 0
}

@test "Mesh and Dataplane are accepted in both envelopes" {
	{
		good_mesh
		echo ---
		dataplane a 10.0.0.1 80
		cat <<-END
			---
			apiVersion: kuma.io/v1alpha1
			kind: Mesh
			metadata:
			  name: second
			spec:
			  networking:
			    outbound:
			      passthrough: true
			---
			apiVersion: kuma.io/v1alpha1
			kind: Dataplane
			mesh: second
			metadata:
			  name: b
			  namespace: shop
			spec:
			  networking:
			    address: 10.0.0.2
			    inbound:
			    - port: 80
			      tags:
			        kuma.io/service: b
		END
	} >p.yaml
	run ctl check p.yaml
	is "$status" 0
}

@test "our own kinds are accepted flat and with their apiVersion" {
	cat >p.yaml <<-END
		type: Workload
		name: shop
		mesh: default
		cgroup: /system.slice/shop.service
		tags: {kuma.io/service: shop}
		excludeOutboundPorts: [22]
		excludeOutboundIPs: [10.0.0.0/8]
		allow: [{cidr: 192.0.2.0/24, port: 443, protocol: tcp}]
		---
		apiVersion: egressd.io/v1alpha1
		kind: Node
		metadata:
		  name: node
		spec:
		  meshCIDRs: [10.1.0.0/16]
		  resolvers: auto
	END
	run ctl check p.yaml
	is "$status" 0
}

@test "JSON files are accepted, one document or with a newline at the end" {
	printf '{"type": "Mesh", "name": "default", "networking": {"outbound": {"passthrough": false}}}' >a.json
	printf '{\n\t"type": "Node",\n\t"name": "n",\n\t"meshCIDRs": ["10.0.0.0/8"]\n}\n' >b.json
	run ctl check a.json b.json
	is "$status" 0
}

@test "a misspelt field is an error with file, line, column, path and the field that was meant" {
	printf 'type: Mesh\nname: default\nnetworking:\n  outbound:\n    passtrough: false\n' >p.yaml
	run ctl check p.yaml
	is "$status" 3
	has "$output" "p.yaml:5:5: error: networking.outbound.passtrough: "
	has "$output" passthrough
}

@test "a field at the wrong depth is an error" {
	printf 'type: Mesh\nname: default\npassthrough: false\n' >p.yaml
	run ctl check p.yaml
	is "$status" 3
	has "$output" "p.yaml:3:1: error: passthrough: "
}

@test "an unknown kind is an error that suggests the one that was meant" {
	printf 'type: Msh\nname: default\n' >p.yaml
	run ctl check p.yaml
	is "$status" 3
	has "$output" p.yaml:1:
	has "$output" Mesh
}

@test "every mistake of every file is said in one run" {
	printf 'type: Mesh\nname: default\nnetworking:\n  outbound:\n    passthrough: maybe\nrouting: 7\n' >a.yaml
	{
		dataplane a 10.0.0.1 99999
		echo ---
		dataplane b 10.0.0.1 0
	} >b.yaml
	printf 'type: Workload\nname: w\nmesh: default\nexcludeOutboundIPs: [10.0.0.0/40, x]\n' >c.yaml
	run ctl check a.yaml b.yaml c.yaml missing.yaml
	is "$status" 3
	has "$output" a.yaml:5:
	has "$output" b.yaml:7:
	has "$output" b.yaml:16:
	has "$output" c.yaml:4:
	has "$output" missing.yaml
	has "$output" "networking.inbound[0].port"
	has "$output" "excludeOutboundIPs[0]"
	has "$output" "excludeOutboundIPs[1]"
}

@test "every line of findings has the shape file:line:col: severity: what" {
	printf 'type: Mesh\nname: default\nnetworking:\n  outbound:\n    passthrough: 5\nfoo: 1\n' >p.yaml
	run ctl check p.yaml
	is "$status" 3
	is "$(grep -cE '^p\.yaml:[0-9]+:[0-9]+: (error|warning|note): ' <<<"$output")" 2
}

@test "a warning alone exits 0" {
	dataplane a backend.example.org 80 >p.yaml
	run ctl check p.yaml
	is "$status" 0
	has "$output" "warning: "
}

@test "the same kind, mesh and name twice is an error that names both places" {
	{
		good_mesh
		echo ---
		good_mesh
	} >p.yaml
	run ctl check p.yaml
	is "$status" 3
	has "$output" p.yaml:7:
	has "$output" p.yaml:1
}

@test "a second Node is an error" {
	printf 'type: Node\nname: a\n---\ntype: Node\nname: b\n' >p.yaml
	run ctl check p.yaml
	is "$status" 3
	has "$output" p.yaml:4:
}

@test "a field whose mechanism does not exist yet is an error and never ignored" {
	for field in 'excludeUIDs: [0]' 'excludeCgroups: [/x]'; do
		printf 'type: Workload\nname: w\nmesh: default\n%s\n' "$field" >p.yaml
		run ctl check p.yaml
		is "$field: $status" "$field: 3"
		has "$output" "p.yaml:4:"
		has "$output" "not supported yet"
	done
}

@test "a misspelt field inside a ProxyTemplate's value is an error with its line in the file" {
	cat >p.yaml <<-'END'
		type: ProxyTemplate
		name: t
		mesh: default
		conf:
		  modifications:
		  - cluster:
		      operation: patch
		      match: {name: "outbound:passthrough:ipv4"}
		      value: |
		        circuit_breakers:
		          thresholds:
		          - max_conections: 5
	END
	run ctl check p.yaml
	is "$status" 3
	has "$output" "p.yaml:12:13: error: conf.modifications[0].cluster.value.circuitBreakers.thresholds[0].max_conections: unknown field; did you mean \"max_connections\"?"
}

@test "a ProxyTemplate whose patch matches nothing is a warning and exit 0" {
	cat >p.yaml <<-'END'
		type: ProxyTemplate
		name: t
		mesh: default
		conf:
		  modifications:
		  - cluster: {operation: patch, match: {name: "outbound:passthrough:ip4"}, value: "connectTimeout: 5s"}
	END
	run ctl check p.yaml
	is "$status" 0
	has "$output" "p.yaml:6:40: warning: conf.modifications[0].cluster.match: matches no passthrough cluster; did you mean \"outbound:passthrough:ipv4\"?"
}

@test "a folder is read for its yaml, yml and json files and no deeper" {
	mkdir -p folder/sub
	good_mesh >folder/a.yaml
	printf 'type: Msh\n' >folder/b.yml
	printf '{"type": "Msh"}' >folder/c.json
	printf 'type: Msh\n' >folder/readme.txt
	printf 'type: Msh\n' >folder/sub/d.yaml
	run ctl check folder
	is "$status" 3
	has "$output" b.yml
	has "$output" c.json
	hasnt "$output" readme.txt
	hasnt "$output" d.yaml
}

@test "an empty file, a folder without policies and a file that is missing are said" {
	: >empty.yaml
	mkdir folder
	run ctl check empty.yaml
	has "$output" empty.yaml
	run ctl check folder
	has "$output" folder
	run ctl check missing.yaml
	is "$status" 3
	has "$output" missing.yaml
	has "$output" "No such file"
}

@test "a file that may not be read is said" {
	good_mesh >p.yaml
	chmod 000 p.yaml
	# ctl_unprivileged makes the folder readable, so the file's mode is set by its command's shell
	if [ "$(id -u)" = 0 ]; then
		chmod a+rx . && cp "$EGRESSCTL" egressctl
		run setpriv --reuid 65534 --regid 65534 --clear-groups ./egressctl check p.yaml
	else
		run ctl check p.yaml
	fi
	is_refusal
	has "$output" "Permission denied"
}

# ---- hostile input

@test "a truncated document is an error with its place" {
	printf 'type: Mesh\nname: "default\n' >p.yaml
	run ctl check p.yaml
	is_refusal
	has "$output" p.yaml:
}

@test "NUL bytes are refused with a message" {
	printf 'type: Mesh\nname: def\0ault\n' >p.yaml
	run ctl check p.yaml
	is_refusal
	printf '\0\0\0\0' >q.yaml
	run ctl check q.yaml
	is_refusal
	printf '{"type": "Mesh", "name": "def\\u0000ault"}' >r.json
	run ctl check r.json
	is_refusal
}

@test "bytes that are not UTF-8 are refused with a message" {
	printf 'type: Mesh\nname: \xff\xfe\xfd\n' >p.yaml
	run ctl check p.yaml
	is_refusal
	head -c 4096 /dev/urandom >q.yaml
	run ctl check q.yaml
	is_refusal
}

@test "a bomb of aliases is refused in time" {
	{
		echo 'type: Mesh'
		echo 'name: default'
		echo 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]'
		for i in $(seq 1 40); do
			p=$((i - 1))
			echo "a$i: &a$i [*a$p, *a$p, *a$p, *a$p, *a$p, *a$p, *a$p, *a$p, *a$p, *a$p]"
		done
	} >p.yaml
	run ctl check p.yaml
	is_refusal
}

@test "an alias to its own parent is refused in time" {
	printf 'type: Mesh\nname: default\nnetworking: &n\n  outbound: *n\n' >p.yaml
	run ctl check p.yaml
	is_refusal
}

@test "nesting of 100,000 levels is refused in time" {
	python3 -c 'print("type: Mesh\nname: " + "[" * 100000)' >p.yaml
	run ctl check p.yaml
	is_refusal
	python3 -c 'print("type: Mesh\nname: default\nnetworking: " + "{a: " * 100000 + "1" + "}" * 100000)' >q.yaml
	run ctl check q.yaml
	is_refusal
}

@test "a file above 16 MiB is refused in time" {
	python3 -c 'print("type: Mesh\nname: default\n#" + "x" * (17 << 20))' >p.yaml
	run ctl check p.yaml
	is_refusal
}

@test "duplicate keys are an error with the line of the second" {
	printf 'type: Mesh\nname: default\nname: other\n' >p.yaml
	run ctl check p.yaml
	is_refusal
	has "$output" p.yaml:3:
}

@test "a FIFO is refused and not waited for" {
	mkfifo p.yaml
	run ctl check p.yaml
	is_refusal
	has "$output" p.yaml
}

@test "a loop of symbolic links is refused" {
	ln -s b.yaml a.yaml
	ln -s a.yaml b.yaml
	run ctl check a.yaml
	is_refusal
	has "$output" a.yaml
}

@test "a device is refused and not read without end" {
	ln -s /dev/zero p.yaml
	run ctl check p.yaml
	is_refusal
}

@test "a path with newlines and escapes in a message cannot forge lines of output" {
	name=$'x\np.yaml:1:1: error: forged.yaml'
	printf 'type: Msh\n' >"$name"
	run ctl check "$name"
	is_refusal
	hasnt "$output" $'\np.yaml:1:1: error: forged'
}

# ---- on a terminal

# on_terminal [NAME=VALUE...] ARG...: egressctl with a terminal of 80 columns, and without colours unless told.
on_terminal() {
	run python3 "$EG_ROOT/tests/lib/on_terminal.py" '' '' env -u NO_COLOR TERM=dumb "$@"
}

@test "on a terminal each finding has its line below it and a caret under the place" {
	printf 'type: Mesh\nname: default\nnetworking:\n  outbound:\n    passtrough: false\nrouting: 7\n' >p.yaml
	on_terminal "$EGRESSCTL" check p.yaml
	is "$output" 'p.yaml:5:5: error: networking.outbound.passtrough: unknown field; did you mean "passthrough"?
    5 |     passtrough: false
      |     ^
p.yaml:6:10: error: routing: must be a mapping of fields, not a number
    6 | routing: 7
      |          ^
egressctl check: 1 document, 2 errors, 0 warnings
status 3'
}

@test "a caret stands right behind tabs, wide characters and marks above others" {
	printf 'type: Mesh\nname: m\nnetworking: {outbound:\t{"e\xcc\x81\xe6\x97\xa5": 1,\tpasstrough: false}}\n' >p.yaml
	on_terminal "$EGRESSCTL" check p.yaml
	has "$output" "$(printf '    3 | networking: {outbound:  {"e\xcc\x81\xe6\x97\xa5": 1,      passtrough: false}}\n      |                          ^')"
	has "$output" "$(printf 'false}}\n      |                                         ^')"
}

@test "a line that a terminal has no room for is cut around the caret" {
	printf '{"type": "Mesh", "name": "m", "x": "%0200d", "networking": {"outbound": {"passtrough": false, "y": "%0200d"}}}' 0 0 >p.json
	on_terminal "$EGRESSCTL" check p.json
	is "$(awk 'length > 80 && !/error:/' <<<"$output")" ""
	line=$(grep -A 1 'passtrough: unknown' <<<"$output" | tail -n 1)
	caret=$(grep -A 2 'passtrough: unknown' <<<"$output" | tail -n 1)
	caret=${caret%^}
	is "${line:${#caret}:12}" '"passtrough"'
	is "${line:0:11}" '    1 | ...'
}

@test "thousands of findings in one line of megabytes are printed in time" {
	python3 -c 'print("{\"type\": \"Mesh\", \"name\": \"m\", " + ", ".join("\"field-%06d\": 1" % i for i in range(300000)) + "}")' >p.json
	on_terminal timeout $TIME_LIMIT_S "$EGRESSCTL" check p.json
	is "$(tail -n 1 <<<"$output")" "status 3"
	is "$(grep -c 'error: field-' <<<"$output")" 5000
	hasnt "$output" "^"
}

@test "what steers a terminal stays in the file" {
	printf 'type: Mesh\nname: m\nfoo: "\xc2\x9b31m"\n\xe2\x80\xa8bar: "\x01"\n' >p.yaml
	on_terminal "$EGRESSCTL" check p.yaml
	hasnt "$output" $'\xc2\x9b'
	hasnt "$output" $'\x01'
	has "$output" "    3 | foo: \"??31m\""
}

@test "a file that has no such line any more, or no name to open it by, has findings and no carets" {
	printf 'type: Msh\nname: m\n' >$'new\nline.yaml'
	on_terminal "$EGRESSCTL" check $'new\nline.yaml' missing.yaml
	has "$output" 'new\x0aline.yaml:1:7: error:'
	hasnt "$output" "^"
}

@test "colours are for terminals, and not for those who refuse them" {
	printf 'type: Msh\nname: m\n' >p.yaml
	on_terminal TERM=xterm "$EGRESSCTL" check p.yaml
	has "$output" $'\033[1mp.yaml:1:7: \033[0m\033[1;31merror:\033[0m type: unknown kind'
	on_terminal TERM=xterm NO_COLOR=1 "$EGRESSCTL" check p.yaml
	hasnt "$output" $'\033'
	on_terminal "$EGRESSCTL" check p.yaml
	hasnt "$output" $'\033'
	run ctl check p.yaml
	hasnt "$output" $'\033'
	hasnt "$output" "^"
}

@test "on a terminal --json is JSON and nothing else" {
	printf 'type: Msh\nname: m\n' >p.yaml
	on_terminal TERM=xterm sh -c '"$1" check --json p.yaml 2>/dev/null' sh "$EGRESSCTL"
	is "$(sed '$d' <<<"$output" | python3 -c 'import json, sys; print(json.load(sys.stdin)["errors"])')" 1
}

@test "check --json has each finding's file, line, column, severity, path and message" {
	printf 'type: Mesh\nname: default\nnetworking:\n  outbound:\n    passtrough: false\n' >p.yaml
	run --separate-stderr ctl check --json p.yaml missing.yaml
	is "$status" 3
	printf '%s' "$output" >c.json
	is "$(json c.json 'd["errors"], d["warnings"], d["findings"]')" "(2, 0, [{'file': 'missing.yaml', 'line': 0, 'column': 0, 'severity': 'error', 'path': '', 'message': 'No such file or directory'}, {'file': 'p.yaml', 'line': 5, 'column': 5, 'severity': 'error', 'path': 'networking.outbound.passtrough', 'message': 'unknown field; did you mean \"passthrough\"?'}])"
}

# ---- what Kuma 3 does differently

@test "check --kuma 3 warns that passthrough is ignored, and says what takes its place" {
	good_mesh >p.yaml
	run --separate-stderr ctl check --kuma 3 p.yaml
	is "$status" 0
	is "$output" "p.yaml:5:18: warning: networking.outbound.passthrough: Kuma 3 ignores it silently and always behaves as if passthrough was true; a MeshPassthrough takes its place, with passthroughMode: None for false"
	run --separate-stderr ctl check p.yaml
	is "$output" ""
}

@test "check --kuma 3 warns of kinds that are removed, also of those that egressd does not read" {
	cat >p.yaml <<-'END'
		type: ProxyTemplate
		name: t
		mesh: default
		conf: {imports: [default-proxy]}
		---
		type: TrafficRoute
		name: r
		mesh: default
		---
		type: MeshTimeout
		name: t
		mesh: default
		spec: {}
	END
	run --separate-stderr ctl check --kuma 3 p.yaml
	has "$output" "p.yaml:1:7: warning: Kuma 3 has no ProxyTemplate any more; a MeshProxyPatch takes its place"
	has "$output" "p.yaml:6:7: warning: Kuma 3 has no TrafficRoute any more; a MeshHTTPRoute or MeshTCPRoute takes its place"
	is "$(grep -c 'Kuma 3' <<<"$output")" 2
}

@test "check --kuma 3 warns of each part of a Mesh and Dataplane that is ignored, in the Kubernetes form too" {
	cat >p.yaml <<-'END'
		apiVersion: kuma.io/v1alpha1
		kind: Mesh
		metadata: {name: m}
		spec:
		  mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin, mode: PERMISSIVE}]}
		  networking: {outbound: {passthrough: true}}
		  routing: {localityAwareLoadBalancing: true}
		  logging: {backends: []}
		---
		apiVersion: kuma.io/v1alpha1
		kind: Dataplane
		mesh: m
		metadata: {name: d}
		spec:
		  networking:
		    address: 10.0.0.1
		    inbound: [{port: 80, tags: {kuma.io/service: s}}]
		    outbound: [{port: 81, tags: {kuma.io/service: t}}]
	END
	run --separate-stderr ctl check --kuma 3 p.yaml
	is "$status" 0
	is "$(sed -n 's/.*warning: \([^:]*\): Kuma 3 .*/\1/p' <<<"$output" | tr '\n' ' ')" \
		"spec.mtls spec.networking.outbound.passthrough spec.routing.localityAwareLoadBalancing spec.logging spec.networking.inbound[0].tags spec.networking.outbound[0].tags "
	has "$output" "a MeshTLS that of mode: PERMISSIVE"
}

@test "check --kuma 3 warns of a targetRef that selects by what Kuma 3 has no more" {
	cat >p.yaml <<-'END'
		type: MeshPassthrough
		mesh: default
		name: x
		spec:
		  targetRef: {kind: MeshSubset, tags: {a: b}, proxyTypes: [Sidecar]}
		  default: {passthroughMode: All}
	END
	run --separate-stderr ctl check --kuma 3 p.yaml
	is "$status" 0
	has "$output" "p.yaml:5:21: warning: spec.targetRef.kind: Kuma 3 refuses kind MeshSubset; kind Dataplane with labels takes its place"
	has "$output" "p.yaml:5:59: warning: spec.targetRef.proxyTypes: Kuma 3 ignores it"
	sed -i 's/MeshSubset, tags: {a: b}, proxyTypes: .Sidecar./Dataplane, labels: {a: b}/' p.yaml
	run --separate-stderr ctl check --kuma 3 p.yaml
	is "$output" ""
}

@test "check --kuma 3 warns of a MeshProxyPatch that names a cluster as older releases do" {
	cat >p.yaml <<-'END'
		type: MeshProxyPatch
		mesh: default
		name: x
		spec:
		  default:
		    appendModifications:
		    - cluster: {operation: Patch, match: {name: "outbound:passthrough:ipv6"}, value: "connectTimeout: 5s"}
		    - cluster: {operation: Patch, match: {origin: transparent}, value: "connectTimeout: 6s"}
		    - networkFilter:
		        operation: Patch
		        match: {name: envoy.filters.network.tcp_proxy, listenerName: "outbound:passthrough:ipv6"}
		        jsonPatches: [{op: add, path: /idleTimeout, value: 5s}]
	END
	run --separate-stderr ctl check --kuma 3 p.yaml
	is "$(grep -c 'Kuma 3' <<<"$output")" 1
	has "$output" "p.yaml:7:42: warning: spec.default.appendModifications[0].cluster.match: Kuma 3 calls this cluster self_transparentproxy_passthrough_outbound_ipv6, and the patch changes nothing"
}

@test "--kuma takes no other release" {
	good_mesh >p.yaml
	for release in 2 4 "" x; do
		run --separate-stderr ctl check --kuma "$release" p.yaml
		is "$release $status" "$release 2"
		has "$stderr" "--kuma takes 3 alone"
	done
}
