/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Any text as an address, a range, a host name and a resolv.conf. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/support/fuzz.h"
#include "base/addr.h"
#include "base/cleanup.h"
#include "config/address.h"
#include "config/config.h"

static unsigned int family_bits(uint32_t family)
{
	return family == EG_FAMILY_IPV4 ? 32 : 128;
}

static bool bit_of(const struct eg_addr *addr, unsigned int bit)
{
	return ((const uint8_t *)addr)[bit / 8] >> (7 - bit % 8) & 1;
}

static void flip_bit(struct eg_addr *addr, unsigned int bit)
{
	((uint8_t *)addr)[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
}

/* A mapped range is IPv4's, and IPv4's words behind the first are zero. */
static void check_form(const struct eg_prefix *prefix)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	fuzz_check(prefix->family == EG_FAMILY_IPV4 || prefix->family == EG_FAMILY_IPV6);
	fuzz_check(prefix->len <= family_bits(prefix->family));
	for (unsigned int bit = prefix->len; bit < 128; bit++)
		fuzz_check(!bit_of(&prefix->addr, bit));
	if (prefix->family == EG_FAMILY_IPV6 && prefix->len >= 96)
		fuzz_check(memcmp(&prefix->addr, mapped, sizeof(mapped)) != 0);
}

/* Whatever has its first bits is inside, and nothing else. */
static void check_bounds(const struct eg_prefix *prefix)
{
	for (unsigned int bit = 0; bit < family_bits(prefix->family); bit++) {
		struct eg_addr other = prefix->addr;

		flip_bit(&other, bit);
		fuzz_check(eg_prefix_contains(prefix, prefix->family, &other) == (bit >= prefix->len));
	}
	fuzz_check(eg_prefix_contains(prefix, prefix->family, &prefix->addr));
	fuzz_check(!eg_prefix_contains(prefix, prefix->family ^ EG_FAMILY_IPV4 ^ EG_FAMILY_IPV6, &prefix->addr));
}

static void check_prefix(const char *text)
{
	char written[EG_ADDR_TEXT_MAX];
	struct eg_prefix prefix, again;

	if (eg_prefix_parse(text, &prefix) < 0)
		return;
	check_form(&prefix);
	check_bounds(&prefix);
	fuzz_check(eg_prefix_parse(eg_prefix_format(&prefix, written), &again) == 0);
	fuzz_check(memcmp(&prefix, &again, sizeof(prefix)) == 0);
	fuzz_check(eg_prefix_compare(&prefix, &again) == 0);
}

/* An address is a range of itself alone, and no host name. */
static void check_address(const char *text)
{
	char written[EG_ADDR_TEXT_MAX];
	struct eg_prefix prefix;
	struct eg_addr addr, again;
	uint32_t family, family_again;

	if (eg_addr_parse(text, &family, &addr) < 0) {
		fuzz_check(!eg_is_ip(text) && !eg_is_unspecified(text));
		fuzz_check(strchr(text, '/') || eg_prefix_parse(text, &prefix) < 0);
		return;
	}
	fuzz_check(eg_is_ip(text) && !eg_is_host_name(text));
	fuzz_check(eg_prefix_parse(text, &prefix) == 0);
	fuzz_check(prefix.family == family && prefix.len == family_bits(family));
	fuzz_check(memcmp(&prefix.addr, &addr, sizeof(addr)) == 0);
	fuzz_check(eg_addr_parse(eg_addr_format(family, &addr, written), &family_again, &again) == 0);
	fuzz_check(family == family_again && memcmp(&addr, &again, sizeof(addr)) == 0);
}

static void check_resolvers(const uint8_t *bytes, size_t len)
{
	_cleanup_close_ int fd = memfd_create("resolv.conf", MFD_CLOEXEC);
	_cleanup_free_ struct eg_located_prefix *resolvers = NULL;
	_cleanup_(eg_diag_clear) struct eg_diag diag = {};
	size_t count;
	char path[32];

	fuzz_check(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fuzz_check(eg_config_load_resolvers(path, &diag, &resolvers, &count) == 0);
	fuzz_check(!eg_diag_has_errors(&diag));
	for (size_t i = 0; i < count; i++) {
		check_form(&resolvers[i].prefix);
		fuzz_check(resolvers[i].prefix.len == family_bits(resolvers[i].prefix.family));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_free_ char *text = fuzz_text(bytes, len);

	check_prefix(text);
	check_address(text);
	eg_is_host_name(text);
	check_resolvers(bytes, len);
	return 0;
}
