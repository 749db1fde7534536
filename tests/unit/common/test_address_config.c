/* SPDX-License-Identifier: MIT */
/* The values of the keys address and gateway, parsed. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <string.h>

#include "common/address_config.h"

static void refused(const char *addresses, const char *gateways, const char *words)
{
	struct address_config config;
	struct fault fault;

	assert_int_equal(address_config_parse(&config, addresses, gateways, &fault), -1);
	assert_int_equal(fault.error, EINVAL);
	if (!strstr(fault.text, words))
		fail_msg("'%s' does not say '%s'", fault.text, words);
}

static void addresses_keep_their_order_and_prefixes(void **state)
{
	struct address_config config;
	struct fault fault;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(address_config_parse(&config, "fd00::2/64+10.0.0.2/24+10.0.1.9",
					      "10.0.0.1+fe80::1", &fault),
			 0);
	assert_int_equal(config.address_count, 3);
	assert_int_equal(config.addresses[0].prefix_length, 64);
	assert_int_equal(config.addresses[1].prefix_length, 24);
	assert_int_equal(config.addresses[2].prefix_length, 32);
	assert_string_equal(address_format(&config.addresses[0].address, text), "fd00::2");
	assert_ptr_equal(address_config_first_ipv4(&config), &config.addresses[1].address);
	assert_int_equal(config.gateway_count, 2);
	assert_true(own_address_reaches(&config.addresses[1], &config.gateways[0]));
	assert_false(own_address_reaches(&config.addresses[2], &config.addresses[2].address));
}

static void none_is_none(void **state)
{
	struct address_config config;
	struct fault fault;

	(void)state;
	assert_int_equal(address_config_parse(&config, "none", "none", &fault), 0);
	assert_int_equal(config.address_count + config.gateway_count, 0);
	assert_int_equal(address_config_parse(&config, NULL, NULL, &fault), 0);
	assert_null(address_config_first_ipv4(&config));
}

static void what_is_wrong_is_told(void **state)
{
	(void)state;
	refused("10.0.0", NULL, "address '10.0.0' is no IPv4 or IPv6 address");
	refused("10.0.0.1/24+", NULL, "address '' is no IPv4 or IPv6 address");
	refused("10.0.0.1/33", NULL, "its prefix length is from 1 to 32, not '33'");
	refused("fd00::1/0", NULL, "its prefix length is from 1 to 128, not '0'");
	refused("10.0.0.0/24", NULL, "is that of the whole network");
	refused("10.0.0.255/24", NULL, "is that of the whole network");
	refused("224.0.0.1", NULL, "is not one host's");
	refused("10.0.0.1+10.0.0.2+10.0.0.3+10.0.0.4+10.0.0.5+10.0.0.6+10.0.0.7+10.0.0.8+10.0.0.9",
		NULL, "address has more than 8");
	refused("10.0.0.1/24", "10.0.0.2+10.0.0.3+10.0.0.4+10.0.0.5+10.0.0.6",
		"gateway has more than 4");
	refused("10.0.0.1/24", "10.0.0.1", "gateway 10.0.0.1 is its own address");
	refused("10.0.0.1/24", "10.0.1.1",
		"gateway 10.0.1.1 is in no prefix of address 10.0.0.1/24");
	refused("00000000000000000000000000000000000000000000000000000000000000000", NULL,
		"is no IPv4 or IPv6 address");
}

static void an_element_is_taken_at_a_time(void **state)
{
	const char *rest = "10.0.0.53+fd00::53";
	struct address address;
	struct fault fault;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(address_config_take(&rest, "dns", &address, &fault), 0);
	assert_string_equal(rest, "fd00::53");
	assert_int_equal(address_config_take(&rest, "dns", &address, &fault), 0);
	assert_string_equal(address_format(&address, text), "fd00::53");
	assert_null(rest);
	rest = "x";
	assert_int_equal(address_config_take(&rest, "dns", &address, &fault), -1);
	assert_string_equal(fault.text, "dns 'x' is no IPv4 or IPv6 address");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_keep_their_order_and_prefixes),
		cmocka_unit_test(none_is_none),
		cmocka_unit_test(what_is_wrong_is_told),
		cmocka_unit_test(an_element_is_taken_at_a_time),
	};

	return RUN_TESTS(tests);
}
