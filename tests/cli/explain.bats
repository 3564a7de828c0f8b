#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# `egressctl explain`: what holds for a workload and what would happen to a destination.

load ../lib/cli

setup() {
	cli_setup
	cat >p.yaml <<-END
		type: Mesh
		name: shopping
		networking:
		  outbound:
		    passthrough: false
		---
		type: Dataplane
		mesh: shopping
		name: backend
		networking:
		  address: 10.0.0.5
		  inbound:
		  - port: 8080
		    tags: {kuma.io/service: backend}
		---
		type: Workload
		name: shop
		mesh: shopping
		cgroup: /system.slice/shop.service
		excludeOutboundPorts: [22]
		allow: [{cidr: 192.0.2.0/24, port: 443, protocol: tcp}]
	END
}

explained() { # explained EXPRESSION [DEST...]
	local expression=$1
	shift
	ctl explain --policy p.yaml --json shop "$@" >e.json || return
	json e.json "$expression"
}

cluster() { # cluster ipv4|ipv6
	explained "d['clusters']['outbound:passthrough:$1']"
}

# The verdict line for a destination, and the line of the rule that gave it.
verdict() {
	ctl explain --policy p.yaml shop "$1" | sed -n 's/^verdict *//p'
}

rule_of() {
	ctl explain --policy p.yaml shop "$1" | sed -n 's/^rule *//p'
}

@test "explain --json gives workload, mesh, passthrough and mode, without a privilege" {
	ctl_unprivileged explain --policy p.yaml --json shop >e.json
	is "$(json e.json 'd["workload"], d["mesh"], d["passthrough"], d["mode"]')" "('shop', 'shopping', False, 'enforce')"
}

@test "explain --json has nothing beside JSON on stdout and ends with a newline" {
	run --separate-stderr ctl explain --policy p.yaml --json shop
	is "$status" 0
	is "${output:0:1}" "{"
	ctl explain --policy p.yaml --json shop >e.json
	is "$(tail -c 1 e.json | od -An -c | tr -d ' ')" '\n'
}

@test "explain --json has the limits and timeouts of both clusters, as whole numbers" {
	is "$(explained 'sorted(d["clusters"])')" "['outbound:passthrough:ipv4', 'outbound:passthrough:ipv6']"
	for family in ipv4 ipv6; do
		is "$(cluster $family)" "{'max_connections': 1024, 'max_pending_requests': 1024, 'max_requests': 1024, 'max_retries': 3, 'connect_timeout_ms': 10000, 'idle_timeout_ms': 3600000}"
	done
}

@test "explain says of limits that nobody wrote that they are defaults, and which of them refuse nothing" {
	ctl explain --policy p.yaml shop >out
	is "$(grep -c '^outbound:passthrough:ipv[46]$' out)" 2
	is "$(grep -c '^  max_connections  *1024  *(default)$' out)" 2
	is "$(grep -c '^  max_retries  *3  *(default), refuses nothing$' out)" 2
	is "$(grep -c '^  connect_timeout  *10s  *(default)$' out)" 2
	is "$(grep -c '^  idle_timeout  *1h  *(default)$' out)" 2
}

# As on Kuma's page "Non-mesh traffic", which patches IPv4 alone.
page_template() {
	cat <<-'END'
		---
		apiVersion: kuma.io/v1alpha1
		kind: ProxyTemplate
		mesh: shopping
		metadata:
		  name: custom-template-1
		spec:
		  selectors:
		    - match:
		        kuma.io/service: "*"
		  conf:
		    imports:
		      - default-proxy
		    modifications:
		      - cluster:
		          operation: patch
		          match:
		            name: "outbound:passthrough:ipv4"
		          value: |
		            circuit_breakers: {
		              thresholds: [
		                {
		                  max_connections: 2048,
		                  max_pending_requests: 2048,
		                  max_requests: 2048,
		                  max_retries: 4
		                }
		              ]
		            }
		      - cluster:
		          operation: patch
		          match:
		            name: "outbound:passthrough:ipv4"
		          value: |
		            connect_timeout: "99s"
		      - networkFilter:
		          operation: patch
		          match:
		            name: envoy.filters.network.tcp_proxy
		            listenerName: "outbound:passthrough:ipv4"
		          value: |
		            name: envoy.filters.network.tcp_proxy
		            typedConfig:
		              '@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
		              idleTimeout: "3h"
	END
}

@test "the documented page's ProxyTemplate gives IPv4 its limits and timeouts and leaves IPv6 the defaults" {
	page_template >>p.yaml
	is "$(cluster ipv4)" "{'max_connections': 2048, 'max_pending_requests': 2048, 'max_requests': 2048, 'max_retries': 4, 'connect_timeout_ms': 99000, 'idle_timeout_ms': 10800000}"
	is "$(cluster ipv6)" "{'max_connections': 1024, 'max_pending_requests': 1024, 'max_requests': 1024, 'max_retries': 3, 'connect_timeout_ms': 10000, 'idle_timeout_ms': 3600000}"
	is "$(explained 'd["template"]')" custom-template-1
}

@test "explain names the line inside a template's value that a limit comes from" {
	page_template >>p.yaml
	ctl explain --policy p.yaml shop >out
	line=$(grep -n max_connections: p.yaml | cut -d: -f1)
	grep -q "^template  *custom-template-1  (p.yaml:23:1)$" out
	grep -q "^  max_connections  *2048  *(p.yaml:$line:36)$" out
	is "$(grep -c 'refuses nothing' out)" 2
}

@test "explain of a workload without a template says so" {
	is "$(explained 'd["template"]')" None
	ctl explain --policy p.yaml shop | grep -q '^template  *none$'
}

@test "explain keeps the warnings of a template: a missing twin, and passthrough false" {
	page_template >>p.yaml
	explained 'chr(10).join(d["warnings"])' >out
	is "$(grep -c 'outbound:passthrough:ipv4 alone; outbound:passthrough:ipv6 stays as it is' out)" 2
	is "$(grep -c 'no effect while passthrough is false (p.yaml:5:18)' out)" 1
}

@test "compat: envoy makes written requests and retries refuse nothing, and explain says so" {
	page_template >>p.yaml
	printf -- '---\ntype: Node\nname: n\ncompat: envoy\n' >>p.yaml
	ctl explain --policy p.yaml shop >out
	is "$(grep -c 'refuses nothing' out)" 4
	has "$(explained 'd["warnings"]')" "max_retries: refuses nothing: the Node says compat: envoy"
}

@test "a connection's greatest age is shown once it is set" {
	page_template | sed 's/idleTimeout: "3h"/max_downstream_connection_duration: 24h/' >>p.yaml
	is "$(explained 'd["clusters"]["outbound:passthrough:ipv4"]["max_connection_duration_ms"]')" 86400000
	is "$(explained '"max_connection_duration_ms" in d["clusters"]["outbound:passthrough:ipv6"]')" False
}

@test "explain names the file and line that passthrough comes from" {
	run ctl explain --policy p.yaml shop
	is "$status" 0
	has "$output" p.yaml:5
}

@test "explain says the verdict and its reason for a destination" {
	is "$(verdict 10.0.0.5:8080)" "allowed: mesh"
	is "$(verdict 10.0.0.5:8081)" "blocked: blocked-passthrough-off"
	is "$(verdict 203.0.113.9:443)" "blocked: blocked-passthrough-off"
	is "$(verdict 127.0.0.1:5432)" "allowed: exempt-loopback"
	is "$(verdict 203.0.113.9:22)" "allowed: exempt-rule"
	is "$(verdict 192.0.2.7:443)" "allowed: matched"
}

@test "explain names the rule's place for a destination that a rule decides" {
	has "$(rule_of 10.0.0.5:8080)" "(p.yaml:13:"
	has "$(rule_of 192.0.2.7:443)" "(p.yaml:21:"
	has "$(rule_of 203.0.113.9:22)" "(p.yaml:20:"
}

@test "explain takes a protocol, brackets for IPv6 and mapped addresses" {
	is "$(verdict 192.0.2.7:443/udp)" "blocked: blocked-passthrough-off"
	is "$(verdict 10.0.0.5:8080/tcp)" "allowed: mesh"
	is "$(verdict '[2001:db8::1]:443')" "blocked: blocked-passthrough-off"
	is "$(verdict '[::1]:443')" "allowed: exempt-loopback"
	is "$(verdict '[::ffff:10.0.0.5]:8080')" "allowed: mesh"
}

@test "explain without a port says what holds for the address" {
	run ctl explain --policy p.yaml shop 203.0.113.9
	is "$status" 0
	has "$output" 203.0.113.9
}

@test "explain refuses a destination that is none" {
	for destination in example.org:443 10.0.0.5:99999 10.0.0.5:x 10.0.0.300 '[::1' 10.0.0.5:80/quic; do
		run ctl explain --policy p.yaml shop "$destination"
		is "$destination $status" "$destination 2"
		has "$output" "$destination"
	done
}

@test "explain of a workload that the policy does not have names it" {
	run --separate-stderr ctl explain --policy p.yaml sharp
	[ "$status" != 0 ]
	[ "$status" -lt 124 ]
	has "$stderr" sharp
}

@test "explain with a wrong policy exits 3 with the place and nothing on stdout" {
	sed -i 's/passthrough/passtrough/' p.yaml
	run --separate-stderr ctl explain --policy p.yaml --json shop
	is "$status" 3
	is "$output" ""
	has "$stderr" p.yaml:5:5:
}

@test "explain agrees with passthrough true: what was blocked passes" {
	sed -i 's/passthrough: false/passthrough: true/' p.yaml
	is "$(explained 'd["passthrough"]')" True
	is "$(verdict 203.0.113.9:443)" "allowed: passthrough"
}

# template NAME SELECTOR MAX-CONNECTIONS
template() {
	cat <<-END
		---
		type: ProxyTemplate
		mesh: shopping
		name: $1
		selectors: [{match: {$2}}]
		conf:
		  imports: [default-proxy]
		  modifications:
		  - cluster: {operation: patch, match: {origin: transparent}, value: "circuitBreakers: {thresholds: [{maxConnections: $3}]}"}
	END
}

@test "explain names the template that holds, those that it shadows in their order, and where each stands" {
	{
		template base "kuma.io/service: '*'" 1
		template team "kuma.io/service: shop, team: '*'" 2
		template own "kuma.io/service: shop" 3
	} >>p.yaml
	sed -i 's/^name: shop$/&\ntags: {team: web}/' p.yaml
	is "$(explained 'd["template"], d["shadowed"], d["clusters"]["outbound:passthrough:ipv4"]["max_connections"]')" \
		"('team', ['own', 'base'], 2)"
	is "$(explained 'd["origins"]["template"], d["origins"]["shadowed"]')" \
		"('p.yaml:33:1', ['p.yaml:42:1', 'p.yaml:24:1'])"
	ctl explain --policy p.yaml shop >out
	is "$(sed -nE 's/^(template|shadowed) +//p' out | tr '\n' ';')" \
		"team  (p.yaml:33:1);own  (p.yaml:42:1);base  (p.yaml:24:1);"
	is "$(explained 'sum("shadowed for \"shop\"" in w for w in d["warnings"])')" 2
}

@test "explain --json has the place of every value: the file's, or default" {
	page_template >>p.yaml
	is "$(explained 'd["origins"]["workload"], d["origins"]["passthrough"], d["origins"]["template"]')" \
		"('p.yaml:16:1', 'p.yaml:5:18', 'p.yaml:23:1')"
	is "$(explained 'd["origins"]["clusters"]["outbound:passthrough:ipv4"]')" \
		"{'max_connections': 'p.yaml:44:36', 'max_pending_requests': 'p.yaml:45:41', 'max_requests': 'p.yaml:46:33', 'max_retries': 'p.yaml:47:32', 'connect_timeout_ms': 'p.yaml:56:30', 'idle_timeout_ms': 'p.yaml:66:28'}"
	is "$(explained 'set(d["origins"]["clusters"]["outbound:passthrough:ipv6"].values())')" "{'default'}"
}

@test "a modification that matches nothing is among the warnings, with its place" {
	template t "kuma.io/service: shop" 5 | sed 's/origin: transparent/name: "outbound:passthrough:ip4"/' >>p.yaml
	is "$(explained '[w for w in d["warnings"] if w.startswith("p.yaml:30:")]')" \
		"['p.yaml:30:40: conf.modifications[0].cluster.match: matches no passthrough cluster; did you mean \"outbound:passthrough:ipv4\"?']"
}

@test "a MeshPassthrough is named, with its mode and place, and its list decides" {
	cat >>p.yaml <<-'END'
		---
		type: MeshPassthrough
		mesh: shopping
		name: suppliers
		spec:
		  targetRef: {kind: Mesh}
		  default:
		    passthroughMode: Matched
		    appendMatch: [{type: CIDR, value: 198.51.100.0/24, port: 443}]
	END
	is "$(explained 'd["passthrough"], d["passthrough_policy"], d["origins"]["passthrough"]')" "(False, 'suppliers', 'p.yaml:29:22')"
	ctl explain --policy p.yaml shop | grep -qx 'passthrough  false  (p.yaml:29:22), Matched: MeshPassthrough suppliers'
	is "$(verdict 198.51.100.9:443)" "allowed: matched"
	is "$(rule_of 198.51.100.9:443)" "198.51.100.0/24 port 443  (p.yaml:30:19)"
	is "$(rule_of 198.51.100.9:80)" "passthrough false  (p.yaml:29:22)"
}

@test "where no rule decides, the switch that does is named with its place" {
	is "$(rule_of 203.0.113.9:443)" "passthrough false  (p.yaml:5:18)"
	is "$(rule_of 127.0.0.1)" ""
	is "$(explained 'd["destination"]["verdict"], d["destination"]["origin"], d["destination"].get("rule")' 203.0.113.9:443)" \
		"('blocked', 'p.yaml:5:18', None)"
	is "$(explained 'd["destination"]["origin"], d["destination"]["rule"]' 10.0.0.5:8080)" \
		"('p.yaml:13:5', {'prefix': '10.0.0.5/32', 'port': 8080, 'origin': 'p.yaml:13:5'})"
	sed -i '/networking:/,/passthrough:/{/outbound:\|passthrough:/d}' p.yaml
	is "$(rule_of 203.0.113.9:443)" "passthrough true  (default)"
}

@test "explain takes its options before, between and behind its words" {
	for words in "--json --policy p.yaml shop 10.0.0.5" "shop --json 10.0.0.5 --policy p.yaml" "shop 10.0.0.5 --json --policy=p.yaml"; do
		ctl explain $words >e.json
		is "$(json e.json 'd["workload"], d["destination"]["address"]')" "('shop', '10.0.0.5')"
	done
}

@test "an instance of a Workload with a pattern is explained by its name" {
	sed -i 's|/system.slice/shop.service|/shops/*|' p.yaml
	ctl explain --policy p.yaml --json shop:/shops/a >e.json
	is "$(json e.json 'd["workload"], d["mesh"], d["passthrough"]')" "('shop:/shops/a', 'shopping', False)"
}

@test "a policy without any Workload is explained for a command, as run takes it" {
	cat >page.yaml <<-'END'
		type: ProxyTemplate
		mesh: default
		name: custom-template-1
		selectors: [{match: {kuma.io/service: "*"}}]
		conf:
		  imports: [default-proxy]
		  modifications:
		  - cluster:
		      operation: patch
		      match: {name: "outbound:passthrough:ipv4"}
		      value: "circuit_breakers: {thresholds: [{max_connections: 2048}]}"
		---
		type: ProxyTemplate
		mesh: default
		name: other
		selectors: [{match: {kuma.io/service: curl, team: x}}]
		conf: {imports: [default-proxy]}
	END
	ctl explain --policy page.yaml --json curl >e.json
	is "$(json e.json 'd["workload"], d["mesh"], d["passthrough"], d["template"]')" "('curl', 'default', True, 'custom-template-1')"
	is "$(json e.json 'd["clusters"]["outbound:passthrough:ipv4"]["max_connections"]')" 2048
	printf 'type: Mesh\nname: a\n---\ntype: Mesh\nname: b\n' >two.yaml
	run --separate-stderr ctl explain --policy two.yaml curl
	is "$status" 3
	has "$stderr" "a Workload has to say which is meant"
}

@test "explain without --policy and without an agent says so, with the remedy" {
	run --separate-stderr ctl_unprivileged explain shop
	is "$status" 1
	is "$output" ""
	has "$stderr" "name its policy with --policy"
}

# ---- MeshProxyPatch ----

@test "explain names the patches in the order in which they apply, and what of them matches nothing" {
	cat >>p.yaml <<-'END'
		---
		type: MeshProxyPatch
		name: specific
		mesh: shopping
		spec:
		  targetRef: {kind: MeshSubset, tags: {kuma.io/service: shop}}
		  default:
		    appendModifications:
		    - cluster: {operation: Patch, match: {name: backend}, value: 'connectTimeout: 1s'}
		    - cluster: {operation: Patch, match: {origin: transparent}, value: 'connectTimeout: 2s'}
		---
		type: MeshProxyPatch
		name: general
		mesh: shopping
		spec:
		  default:
		    appendModifications:
		    - cluster: {operation: Patch, match: {origin: transparent}, value: 'connectTimeout: 3s'}
	END
	ctl explain --policy p.yaml shop >out
	is "$(grep -E '^(patch|template|unmatched) ' out)" "$(printf '%-12s %s\n' patch 'general  (p.yaml:33:1)' patch 'specific  (p.yaml:23:1)' template none unmatched 'spec.default.appendModifications[0].cluster  (p.yaml:30:16)')"
	grep -q '^  connect_timeout  *2s  *(p.yaml:31:72)$' out
	is "$(explained 'd["patches"], d["origins"]["patches"]')" "(['general', 'specific'], ['p.yaml:33:1', 'p.yaml:23:1'])"
	is "$(explained 'd["unmatched"]')" "[{'path': 'spec.default.appendModifications[0].cluster', 'origin': 'p.yaml:30:16'}]"
}

# ---- the six blocks of Kuma's page "Non-mesh traffic", each in both forms ----

DEFAULTS="{'max_connections': 1024, 'max_pending_requests': 1024, 'max_requests': 1024, 'max_retries': 3, 'connect_timeout_ms': 10000, 'idle_timeout_ms': 3600000}"
LIMITS="{'max_connections': 2048, 'max_pending_requests': 2048, 'max_requests': 2048, 'max_retries': 4, 'connect_timeout_ms': 10000, 'idle_timeout_ms': 3600000}"
TIMEOUTS="{'max_connections': 1024, 'max_pending_requests': 1024, 'max_requests': 1024, 'max_retries': 3, 'connect_timeout_ms': 99000, 'idle_timeout_ms': 10800000}"

# page_gives BLOCK IPV4: these values on IPv4, the defaults on IPv6 and a warning that it keeps them.
page_gives() {
	ctl explain --policy "$BATS_TEST_DIRNAME/../fixtures/page/$1.yaml" --json curl >e.json || return
	is "$(json e.json 'd["clusters"]["outbound:passthrough:ipv4"]')" "$2" || return
	is "$(json e.json 'd["clusters"]["outbound:passthrough:ipv6"]')" "$DEFAULTS" || return
	has "$(json e.json 'd["warnings"]')" "outbound:passthrough:ipv4 alone; outbound:passthrough:ipv6 stays as it is"
}

@test "the page's limits as a ProxyTemplate of Kubernetes hold on IPv4, and a warning tells of IPv6" {
	page_gives limits-template-kubernetes "$LIMITS"
}

@test "the page's limits as a Universal ProxyTemplate hold on IPv4, and a warning tells of IPv6" {
	page_gives limits-template-universal "$LIMITS"
}

@test "the page's limits as a MeshProxyPatch hold on IPv4, and a warning tells of IPv6" {
	page_gives limits-patch-universal "$LIMITS"
	page_gives limits-patch-kubernetes "$LIMITS"
}

@test "the page's timeouts as a ProxyTemplate of Kubernetes hold on IPv4, and a warning tells of IPv6" {
	page_gives timeouts-template-kubernetes "$TIMEOUTS"
}

@test "the page's timeouts as a Universal ProxyTemplate hold on IPv4, and a warning tells of IPv6" {
	page_gives timeouts-template-universal "$TIMEOUTS"
}

@test "the page's timeouts as a MeshProxyPatch with jsonPatches hold on IPv4, and a warning tells of IPv6" {
	page_gives timeouts-patch-universal "$TIMEOUTS"
	page_gives timeouts-patch-kubernetes "$TIMEOUTS"
}

@test "the page's limits and timeouts hold together when the template is renamed, or is a MeshProxyPatch" {
	local page=$BATS_TEST_DIRNAME/../fixtures/page both=${LIMITS/10000, /99000, }
	both=${both/3600000/10800000}
	for timeouts in template patch; do
		{
			cat "$page/limits-patch-universal.yaml"
			printf -- '---\n'
			sed 's/name: custom-mpp-1/name: custom-mpp-2/' "$page/timeouts-$timeouts-universal.yaml"
		} >both.yaml
		ctl explain --policy both.yaml --json curl >e.json
		is "$(json e.json 'd["clusters"]["outbound:passthrough:ipv4"]')" "$both"
	done
}

@test "what a destination is mesh by is named with file, line and column, of services as of Dataplanes" {
	cat >>p.yaml <<-END
		---
		type: ExternalService
		mesh: shopping
		name: ledger
		tags: {kuma.io/service: ledger}
		networking:
		  address: 198.51.100.7:5432
		---
		type: MeshExternalService
		mesh: shopping
		name: mail
		spec:
		  match: {port: 25}
		  endpoints:
		  - address: 198.51.100.8
		    port: 2525
		  - {address: mail.example, port: 2525}
		status:
		  vip: {ip: 242.0.0.1}
	END
	verdict='d["destination"]["reason"], d["destination"]["rule"]["origin"]'
	is "$(explained "$verdict" 10.0.0.5:8080)" "('mesh', 'p.yaml:13:5')"
	is "$(explained "$verdict" 198.51.100.7:5432)" "('mesh', 'p.yaml:28:12')"
	is "$(explained "$verdict" 198.51.100.8:2525)" "('mesh', 'p.yaml:36:14')"
	is "$(explained "$verdict" 242.0.0.1:25)" "('mesh', 'p.yaml:40:13')"
	is "$(explained 'd["destination"]["reason"]' 198.51.100.7:5433)" "blocked-passthrough-off"
	is "$(explained 'd["destination"]["reason"]' 198.51.100.7:5432/udp)" "blocked-passthrough-off"
	is "$(explained 'len(d["warnings"])')" 1
}
