/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/cleanup.h"

/* Parses and formats again: "" for what is refused as no prefix, ">" for a length too great. */
static const char *reprint(const char *text, char buffer[EG_ADDR_TEXT_MAX])
{
	struct eg_prefix prefix;
	int r = eg_prefix_parse(text, &prefix);

	if (r == -EINVAL)
		return "";
	if (r == -ERANGE)
		return ">";
	assert_int_equal(r, 0);
	return eg_prefix_format(&prefix, buffer);
}

static void assert_prefix(const char *text, const char *expected)
{
	char buffer[EG_ADDR_TEXT_MAX];

	assert_string_equal(reprint(text, buffer), expected);
}

static struct eg_prefix prefix_of(const char *text)
{
	struct eg_prefix prefix;

	assert_int_equal(eg_prefix_parse(text, &prefix), 0);
	return prefix;
}

static bool contains(const char *prefix_text, const char *addr_text)
{
	struct eg_prefix prefix = prefix_of(prefix_text);
	struct eg_addr addr;
	uint32_t family;

	assert_int_equal(eg_addr_parse(addr_text, &family, &addr), 0);
	return eg_prefix_contains(&prefix, family, &addr);
}

static void ipv4_text_stands_in_word_0_in_network_order(void **state)
{
	struct eg_addr addr = {.word_be = {1, 2, 3, 4}};
	uint32_t family = 0;

	(void)state;
	assert_int_equal(eg_addr_parse("10.1.2.3", &family, &addr), 0);
	assert_int_equal(family, EG_FAMILY_IPV4);
	assert_int_equal(addr.word_be[0], htonl(0x0a010203));
	assert_int_equal(addr.word_be[1] | addr.word_be[2] | addr.word_be[3], 0);
}

static void mapped_text_becomes_ipv4(void **state)
{
	struct eg_addr addr;
	uint32_t family;

	(void)state;
	assert_int_equal(eg_addr_parse("::ffff:10.1.2.3", &family, &addr), 0);
	assert_int_equal(family, EG_FAMILY_IPV4);
	assert_int_equal(addr.word_be[0], htonl(0x0a010203));
	assert_int_equal(addr.word_be[1] | addr.word_be[2] | addr.word_be[3], 0);
	assert_int_equal(eg_addr_parse("::FFFF:a01:203", &family, &addr), 0);
	assert_int_equal(family, EG_FAMILY_IPV4);
}

static void addresses_next_to_the_mapped_range_stay_ipv6(void **state)
{
	static const char *const texts[] = {"::fffe:ffff:ffff", "::1:0:0:0", "::1:0:0", "::10.0.0.1",
					    "1::ffff:10.0.0.1"};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(texts); i++) {
		struct eg_addr addr;
		uint32_t family;

		assert_int_equal(eg_addr_parse(texts[i], &family, &addr), 0);
		assert_int_equal(family, EG_FAMILY_IPV6);
	}
}

static void what_is_no_bare_address_is_refused(void **state)
{
	static const char *const texts[] = {
		"",          " ",           "10.0.0",      "10.0.0.1.2", "10.0.0.256", "010.0.0.1",   "10.0.0.1 ",
		" 10.0.0.1", "10.0.0.1:80", "10.0.0.1/32", "0x0a000001", "167772161",  "[::1]",       "fe80::1%lo",
		"fe80::1%2", "::1/128",     ":::",         "1::2::3",    "12345::",    "example.com", "localhost",
	};

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(texts); i++) {
		struct eg_addr addr = {.word_be = {7}};
		uint32_t family = 7;

		assert_int_equal(eg_addr_parse(texts[i], &family, &addr), -EINVAL);
		assert_int_equal(family, 7);
		assert_int_equal(addr.word_be[0], 7);
	}
}

static void a_prefix_is_printed_with_its_host_bits_masked(void **state)
{
	(void)state;
	assert_prefix("10.1.2.3/8", "10.0.0.0/8");
	assert_prefix("10.1.2.255/25", "10.1.2.128/25");
	assert_prefix("255.255.255.255/31", "255.255.255.254/31");
	assert_prefix("255.255.255.255/1", "128.0.0.0/1");
	assert_prefix("1.2.3.4/0", "0.0.0.0/0");
	assert_prefix("1.2.3.4/32", "1.2.3.4/32");
	assert_prefix("1.2.3.4", "1.2.3.4/32");
	assert_prefix("fd00::1", "fd00::1/128");
	assert_prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127");
	assert_prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/65", "ffff:ffff:ffff:ffff:8000::/65");
	assert_prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/64", "ffff:ffff:ffff:ffff::/64");
	assert_prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/63", "ffff:ffff:ffff:fffe::/63");
	assert_prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/33", "ffff:ffff:8000::/33");
	assert_prefix("2001:db8::1/0", "::/0");
}

static void a_prefix_inside_the_mapped_range_becomes_ipv4(void **state)
{
	(void)state;
	assert_prefix("::ffff:10.1.2.3", "10.1.2.3/32");
	assert_prefix("::ffff:10.1.2.3/128", "10.1.2.3/32");
	assert_prefix("::ffff:10.1.2.3/104", "10.0.0.0/8");
	assert_prefix("::ffff:0:0/96", "0.0.0.0/0");
	assert_prefix("::ffff:10.1.2.3/96", "0.0.0.0/0");
	assert_prefix("::fffe:10.1.2.3/96", "::fffe:0:0/96");
}

static void a_prefix_around_the_mapped_range_stays_ipv6_and_covers_no_ipv4(void **state)
{
	(void)state;
	assert_prefix("::ffff:0:0/95", "::fffe:0:0/95");
	assert_prefix("::ffff:10.1.2.3/80", "::/80");
	assert_false(contains("::ffff:0:0/95", "::ffff:10.0.0.1"));
	assert_false(contains("::/0", "10.0.0.1"));
	assert_false(contains("0.0.0.0/0", "::1"));
	assert_true(contains("::/0", "::1"));
}

static void a_malformed_length_is_no_prefix_and_a_great_one_is_out_of_range(void **state)
{
	(void)state;
	assert_prefix("10.0.0.0/", "");
	assert_prefix("10.0.0.0/ 8", "");
	assert_prefix("10.0.0.0/8 ", "");
	assert_prefix("10.0.0.0/+8", "");
	assert_prefix("10.0.0.0/-1", "");
	assert_prefix("10.0.0.0/08", "");
	assert_prefix("10.0.0.0/8/8", "");
	assert_prefix("10.0.0.0/255.0.0.0", "");
	assert_prefix("/8", "");
	assert_prefix("example.com/8", "");
	assert_prefix("0000000000000000000000000000000000000000000000000000000000000000::/8", "");
	assert_prefix("10.0.0.0/33", ">");
	assert_prefix("::/129", ">");
	assert_prefix("::ffff:10.0.0.1/129", ">");
	assert_prefix("10.0.0.0/4294967304", ">");
}

static void the_longest_address_fits_the_buffer(void **state)
{
	struct eg_prefix prefix = prefix_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128");
	char buffer[EG_ADDR_TEXT_MAX];

	(void)state;
	assert_string_equal(eg_prefix_format(&prefix, buffer), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128");
	assert_string_equal(eg_addr_format(prefix.family, &prefix.addr, buffer),
			    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
}

static void a_prefix_contains_its_borders_and_not_their_neighbours(void **state)
{
	(void)state;
	assert_true(contains("10.0.0.0/9", "10.0.0.0"));
	assert_true(contains("10.0.0.0/9", "10.127.255.255"));
	assert_false(contains("10.0.0.0/9", "10.128.0.0"));
	assert_false(contains("10.0.0.0/9", "9.255.255.255"));
	assert_true(contains("10.0.0.1", "10.0.0.1"));
	assert_false(contains("10.0.0.1", "10.0.0.0"));
	assert_true(contains("0.0.0.0/0", "255.255.255.255"));
	assert_true(contains("2001:db8::/33", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"));
	assert_false(contains("2001:db8::/33", "2001:db8:8000::"));
	assert_true(contains("2001:db8::/127", "2001:db8::1"));
	assert_false(contains("2001:db8::/127", "2001:db8::2"));
}

static int compare_prefixes(const void *a, const void *b)
{
	return eg_prefix_compare(a, b);
}

static void sorting_puts_covering_prefixes_first(void **state)
{
	static const char *const sorted[] = {
		"0.0.0.0/0",   "9.255.255.255/32", "10.0.0.0/7", "10.0.0.0/8",  "10.0.0.0/32",
		"10.0.0.1/32", "10.128.0.0/9",     "11.0.0.0/8", "200.0.0.0/8", "::/0",
		"::/128",      "::1/128",          "fd00::/8",   "fd00::/16",
	};
	struct eg_prefix prefixes[EG_COUNT_OF(sorted)];
	char buffer[EG_ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < EG_COUNT_OF(sorted); i++)
		prefixes[i] = prefix_of(sorted[EG_COUNT_OF(sorted) - 1 - i]);
	qsort(prefixes, EG_COUNT_OF(prefixes), sizeof(prefixes[0]), compare_prefixes);
	for (size_t i = 0; i < EG_COUNT_OF(sorted); i++)
		assert_string_equal(eg_prefix_format(&prefixes[i], buffer), sorted[i]);
	assert_int_equal(eg_prefix_compare(&prefixes[3], &prefixes[3]), 0);
}

static void the_prefix_of_a_mapped_address_is_ipv4(void **state)
{
	struct eg_addr mapped = {.word_be = {0, 0, htonl(0xffff), htonl(0x0a000001)}};
	struct eg_prefix prefix = eg_prefix_of_addr(EG_FAMILY_IPV6, &mapped);
	char buffer[EG_ADDR_TEXT_MAX];

	(void)state;
	assert_string_equal(eg_prefix_format(&prefix, buffer), "10.0.0.1/32");
}

static void assert_addr_port(const char *text, uint32_t family, uint16_t port)
{
	struct eg_addr_port parsed;
	char buffer[EG_ADDR_PORT_TEXT_MAX];

	assert_int_equal(eg_addr_port_parse(text, &parsed), 0);
	assert_int_equal(parsed.family, family);
	assert_int_equal(parsed.port, port);
	assert_string_equal(eg_addr_port_format(parsed.family, &parsed.addr, parsed.port, buffer), text);
}

static void an_address_with_a_port_is_read_and_written(void **state)
{
	(void)state;
	assert_addr_port("127.0.0.1:9901", EG_FAMILY_IPV4, 9901);
	assert_addr_port("0.0.0.0:1", EG_FAMILY_IPV4, 1);
	assert_addr_port("[::1]:65535", EG_FAMILY_IPV6, 65535);
	assert_addr_port("[fd00:1:2:3:4:5:6:7]:80", EG_FAMILY_IPV6, 80);
}

static void what_is_no_address_with_a_port_is_refused(void **state)
{
	static const char *const texts[] = {"",	      ":80",	    "127.0.0.1",  "127.0.0.1:",	  "127.0.0.1:0",
					    "127.0.0.1:65536", "127.0.0.1:80x", "::1:80",     "[::1]",	  "[::1]80",
					    "[127.0.0.1]:80",  "localhost:80",  "[::1:80",    "::1]:80",  "[]:80",
					    "127.0.0.1: 80",   "127.0.0.1:+80", "[fe80::1%eth0]:80"};
	struct eg_addr_port parsed;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(eg_addr_port_parse(texts[i], &parsed), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_text_stands_in_word_0_in_network_order),
		cmocka_unit_test(mapped_text_becomes_ipv4),
		cmocka_unit_test(addresses_next_to_the_mapped_range_stay_ipv6),
		cmocka_unit_test(what_is_no_bare_address_is_refused),
		cmocka_unit_test(a_prefix_is_printed_with_its_host_bits_masked),
		cmocka_unit_test(a_prefix_inside_the_mapped_range_becomes_ipv4),
		cmocka_unit_test(a_prefix_around_the_mapped_range_stays_ipv6_and_covers_no_ipv4),
		cmocka_unit_test(a_malformed_length_is_no_prefix_and_a_great_one_is_out_of_range),
		cmocka_unit_test(the_longest_address_fits_the_buffer),
		cmocka_unit_test(a_prefix_contains_its_borders_and_not_their_neighbours),
		cmocka_unit_test(sorting_puts_covering_prefixes_first),
		cmocka_unit_test(the_prefix_of_a_mapped_address_is_ipv4),
		cmocka_unit_test(an_address_with_a_port_is_read_and_written),
		cmocka_unit_test(what_is_no_address_with_a_port_is_refused),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
