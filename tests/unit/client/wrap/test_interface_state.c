/* SPDX-License-Identifier: MIT */
/* The kernel's rules for the addresses, routes and neighbours of an interface, and their text. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "client/wrap/interface_state.h"
#include "client/wrap/state_text.h"

#define NEW (STATE_CREATE | STATE_EXCLUSIVE)

static struct address ip(const char *text)
{
	struct address address = {0};

	if (*text && address_parse(text, strlen(text), &address) < 0)
		fail_msg("'%s' is no address", text);
	return address;
}

static struct state_address address_of(const char *local, unsigned char length)
{
	return (struct state_address){
		.local = ip(local),
		.peer = ip(local),
		.length = length,
		.preferred = UINT32_MAX,
		.valid = UINT32_MAX,
	};
}

static int add_address(struct interface_state *state, const char *local, unsigned char length)
{
	struct state_address address = address_of(local, length);

	return state_address_add(state, &address, NEW);
}

static struct state_route route_of(const char *destination, unsigned char length,
				   const char *gateway)
{
	return (struct state_route){
		.destination = ip(destination),
		.gateway = ip(gateway),
		.length = length,
		.table = RT_TABLE_MAIN,
		.protocol = RTPROT_BOOT,
		.scope = *gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.type = RTN_UNICAST,
	};
}

static int add_route(struct interface_state *state, const char *destination, unsigned char length,
		     const char *gateway, unsigned int mode)
{
	struct state_route route = route_of(destination, length, gateway);

	return state_route_add(state, &route, mode);
}

/* Return how many routes the table has. */
static size_t routes_in(const struct interface_state *state, uint32_t table)
{
	size_t count = 0;

	for (size_t i = 0; i < state->route_count; i++)
		count += state->routes[i].table == table;
	return count;
}

/* ------------------------------------------------------------------------------ addresses */

static void an_address_brings_its_routes_when_the_interface_is_up(void **unused)
{
	struct interface_state state = {0};
	const struct state_route *route;
	struct address host = ip("10.0.0.9");

	(void)unused;
	assert_int_equal(add_address(&state, "10.0.0.1", 24), 0);
	/* The route to the address itself does not wait. */
	assert_int_equal(routes_in(&state, RT_TABLE_LOCAL), 1);
	assert_int_equal(routes_in(&state, RT_TABLE_MAIN), 0);
	interface_state_set_up(&state, true);
	assert_int_equal(routes_in(&state, RT_TABLE_MAIN), 1);
	/* That of the address, and that of its prefix's broadcast address. */
	assert_int_equal(routes_in(&state, RT_TABLE_LOCAL), 2);
	route = state_route_to(&state, &host);
	assert_non_null(route);
	assert_int_equal(route->length, 24);
	assert_int_equal(route->protocol, RTPROT_KERNEL);
	assert_true(address_equal(&route->source, &state.addresses[0].local));
	interface_state_set_up(&state, false);
	assert_int_equal(routes_in(&state, RT_TABLE_MAIN), 0);
	assert_int_equal(state.address_count, 1);
	interface_state_set_up(&state, true);
	assert_int_equal(routes_in(&state, RT_TABLE_MAIN), 1);
	interface_state_free(&state);
}

static void an_address_exists_once(void **unused)
{
	struct interface_state state = {0};
	struct state_address again = address_of("10.0.0.1", 24);

	(void)unused;
	assert_int_equal(add_address(&state, "10.0.0.1", 24), 0);
	assert_int_equal(add_address(&state, "10.0.0.1", 24), -EEXIST);
	assert_int_equal(state_address_add(&state, &again, STATE_CREATE), -EEXIST);
	again.metric = 7;
	assert_int_equal(state_address_add(&state, &again, STATE_CREATE | STATE_REPLACE), 0);
	assert_int_equal(state.address_count, 1);
	assert_int_equal(state.addresses[0].metric, 7);
	/* In another prefix it is another address. */
	assert_int_equal(add_address(&state, "10.0.0.1", 16), 0);
	assert_int_equal(add_address(&state, "fd00::1", 64), 0);
	assert_int_equal(add_address(&state, "fd00::1", 48), -EEXIST);
	interface_state_free(&state);
}

static void a_primary_address_takes_its_secondary_ones_with_it(void **unused)
{
	struct interface_state state = {0};
	struct state_address first = address_of("10.0.0.1", 24), other = address_of("10.0.1.1", 24);

	(void)unused;
	interface_state_set_up(&state, true);
	assert_int_equal(add_address(&state, "10.0.0.1", 24), 0);
	assert_int_equal(add_address(&state, "10.0.0.2", 24), 0);
	assert_int_equal(add_address(&state, "10.0.1.1", 24), 0);
	assert_false(state.addresses[0].flags & IFA_F_SECONDARY);
	assert_true(state.addresses[1].flags & IFA_F_SECONDARY);
	assert_false(state.addresses[2].flags & IFA_F_SECONDARY);
	assert_int_equal(routes_in(&state, RT_TABLE_MAIN), 2);
	assert_int_equal(state_address_delete(&state, &first), 0);
	assert_int_equal(state.address_count, 1);
	assert_true(address_equal(&state.addresses[0].local, &other.local));
	assert_int_equal(routes_in(&state, RT_TABLE_MAIN), 1);
	assert_int_equal(state_address_delete(&state, &first), -EADDRNOTAVAIL);
	interface_state_free(&state);
}

static void a_peer_gets_a_route_of_its_own(void **unused)
{
	struct interface_state state = {0};
	struct state_address address = address_of("10.8.0.1", 32);
	struct address peer = ip("10.8.0.2"), other = ip("10.8.0.3");

	(void)unused;
	interface_state_set_up(&state, true);
	address.peer = peer;
	assert_int_equal(state_address_add(&state, &address, NEW), 0);
	assert_non_null(state_route_to(&state, &peer));
	assert_null(state_route_to(&state, &other));
	/* An address without a peer and with all bits brings no route in the main table. */
	assert_int_equal(add_address(&state, "10.9.0.1", 32), 0);
	assert_int_equal(routes_in(&state, RT_TABLE_MAIN), 1);
	interface_state_free(&state);
}

static void ipv6_addresses_go_when_the_interface_goes_down(void **unused)
{
	struct interface_state state = {0};

	(void)unused;
	interface_state_set_up(&state, true);
	assert_int_equal(add_address(&state, "fd00::1", 64), 0);
	assert_int_equal(routes_in(&state, RT_TABLE_MAIN), 1);
	assert_int_equal(state.routes[1].metric, 256);
	interface_state_set_up(&state, false);
	assert_int_equal(state.address_count, 0);
	assert_int_equal(state.route_count, 0);
	interface_state_free(&state);
}

/* ------------------------------------------------------------------------------ routes */

static void a_route_needs_an_interface_that_is_up_and_reaches_the_gateway(void **unused)
{
	struct interface_state state = {0};
	struct state_route route = route_of("10.9.0.0", 16, "10.7.0.1");

	(void)unused;
	assert_int_equal(add_address(&state, "10.0.0.1", 24), 0);
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "10.0.0.2", NEW), -ENETDOWN);
	interface_state_set_up(&state, true);
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "10.0.0.2", NEW), 0);
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "10.0.0.2", NEW), -EEXIST);
	/* A gateway behind another gateway, its own address, bits behind the prefix. */
	assert_int_equal(add_route(&state, "10.6.0.0", 16, "10.9.0.2", NEW), -ENETUNREACH);
	assert_int_equal(add_route(&state, "10.6.0.0", 16, "10.0.0.1", NEW), -EINVAL);
	assert_int_equal(add_route(&state, "10.6.0.1", 16, "10.0.0.2", NEW), -EINVAL);
	assert_int_equal(state_route_add(&state, &route, NEW), -ENETUNREACH);
	route.is_on_link = true;
	route.metric = 1;
	assert_int_equal(state_route_add(&state, &route, NEW), 0);
	route.source = ip("10.0.0.77");
	route.metric = 2;
	assert_int_equal(state_route_add(&state, &route, NEW), -EINVAL);
	interface_state_free(&state);
}

static void a_route_is_replaced_appended_or_refused(void **unused)
{
	struct interface_state state = {0};
	struct address host = ip("10.9.0.1"), second = ip("10.0.0.3");

	(void)unused;
	interface_state_set_up(&state, true);
	assert_int_equal(add_address(&state, "10.0.0.1", 24), 0);
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "10.0.0.2", STATE_REPLACE), -ENOENT);
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "10.0.0.2", NEW), 0);
	assert_int_equal(
		add_route(&state, "10.9.0.0", 16, "10.0.0.3", STATE_CREATE | STATE_REPLACE), 0);
	assert_int_equal(routes_in(&state, RT_TABLE_MAIN), 2);
	assert_true(address_equal(&state_route_to(&state, &host)->gateway, &second));
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "10.0.0.4", STATE_CREATE | STATE_APPEND),
			 0);
	assert_true(address_equal(&state_route_to(&state, &host)->gateway, &second));
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "10.0.0.4", STATE_CREATE | STATE_APPEND),
			 -EEXIST);
	interface_state_free(&state);
}

static void a_route_is_deleted_by_what_is_given(void **unused)
{
	struct interface_state state = {0};
	struct state_route wanted = route_of("10.9.0.0", 16, "10.0.0.3");

	(void)unused;
	interface_state_set_up(&state, true);
	assert_int_equal(add_address(&state, "10.0.0.1", 24), 0);
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "10.0.0.2", NEW), 0);
	wanted.scope = RT_SCOPE_NOWHERE;
	wanted.protocol = 0;
	assert_int_equal(state_route_delete(&state, &wanted), -ESRCH);
	wanted.gateway.kind = 0;
	assert_int_equal(state_route_delete(&state, &wanted), 0);
	assert_int_equal(state_route_delete(&state, &wanted), -ESRCH);
	interface_state_free(&state);
}

static void the_longest_prefix_and_then_the_lowest_metric_win(void **unused)
{
	struct interface_state state = {0};
	struct state_route low = route_of("10.0.0.0", 8, "");
	struct address near = ip("10.9.0.1"), far = ip("10.200.0.1");

	(void)unused;
	interface_state_set_up(&state, true);
	low.metric = 50;
	assert_int_equal(state_route_add(&state, &low, NEW), 0);
	low.metric = 10;
	assert_int_equal(state_route_add(&state, &low, NEW), 0);
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "", NEW), 0);
	assert_int_equal(state_route_to(&state, &near)->length, 16);
	assert_int_equal(state_route_to(&state, &far)->metric, 10);
	interface_state_free(&state);
}

/* ------------------------------------------------------------------------------ the rest */

static void a_neighbour_exists_once_and_goes_with_the_interface(void **unused)
{
	struct interface_state state = {0};
	struct state_neighbour neighbour = {.address = ip("10.0.0.2"), .state = NUD_PERMANENT};

	(void)unused;
	interface_state_set_up(&state, true);
	assert_int_equal(state_neighbour_add(&state, &neighbour, STATE_REPLACE), -ENOENT);
	assert_int_equal(state_neighbour_add(&state, &neighbour, NEW), 0);
	assert_int_equal(state_neighbour_add(&state, &neighbour, NEW), -EEXIST);
	assert_int_equal(state_neighbour_add(&state, &neighbour, STATE_REPLACE), 0);
	assert_int_equal(state.neighbour_count, 1);
	interface_state_set_up(&state, false);
	assert_int_equal(state.neighbour_count, 0);
	assert_int_equal(state_neighbour_delete(&state, &neighbour.address), -ENOENT);
	interface_state_free(&state);
}

static void there_is_a_bound(void **unused)
{
	struct interface_state state = {0};
	struct state_neighbour neighbour = {.address = ip("10.0.0.0")};
	int result = 0;

	(void)unused;
	for (unsigned int i = 0; i <= STATE_MAX && result == 0; i++) {
		neighbour.address.ipv4.s_addr = htonl(0x0a000000 + i);
		result = state_neighbour_add(&state, &neighbour, NEW);
	}
	assert_int_equal(result, -ENOBUFS);
	assert_int_equal(state.neighbour_count, STATE_MAX);
	interface_state_free(&state);
}

/* What the changes were: a letter for the kind, with - before it for a removal. */
static char changes[64];

static void note_change(struct interface_state *state, const struct state_change *change)
{
	(void)state;
	if (change->is_removal)
		strcat(changes, "-");
	strcat(changes, change->address ? "a" : change->route ? "r" : "n");
}

static void each_change_is_told(void **unused)
{
	struct interface_state state = {.changed = note_change};

	(void)unused;
	changes[0] = '\0';
	assert_int_equal(add_address(&state, "10.0.0.1", 24), 0);
	interface_state_set_up(&state, true);
	interface_state_set_up(&state, true);
	assert_int_equal(add_route(&state, "10.9.0.0", 16, "10.0.0.2", NEW), 0);
	assert_string_equal(changes, "arrrr");
	changes[0] = '\0';
	interface_state_set_up(&state, false);
	assert_string_equal(changes, "-r-r-r");
	changes[0] = '\0';
	interface_state_free(&state);
	assert_string_equal(changes, "-r-a");
}

/* ------------------------------------------------------------------------------ text */

#define ADDRESSES                                                                 \
	"10.0.0.1/24 broadcast 10.0.0.255+10.8.0.1 peer 10.8.0.2/32 label tun0:1" \
	"+fd00::1/64 flags 2 preferred 10 valid 20"
#define ROUTES                                                                \
	"10.9.0.0/16 via 10.0.0.2 metric 100 mtu 1300+0.0.0.0/1 src 10.0.0.1" \
	"+fd01::/48 via fd00::2 metric 1024 table 100 proto 4"
#define NEIGHBOURS "10.0.0.2 lladdr 02:00:00:00:00:01+fd00::2 nud 2 flags 128"

static void the_text_is_read_as_it_was_written(void **unused)
{
	struct interface_state state = {0};
	char text[1024];

	(void)unused;
	interface_state_set_up(&state, true);
	assert_int_equal(state_text_addresses(&state, text, sizeof(text)), 0);
	assert_string_equal(text, "none");
	assert_int_equal(state_text_read_addresses(&state, "none"), 0);
	assert_int_equal(state_text_read_addresses(&state, ADDRESSES), 0);
	assert_int_equal(state_text_read_routes(&state, ROUTES), 0);
	assert_int_equal(state_text_read_neighbours(&state, NEIGHBOURS), 0);
	assert_int_equal(state_text_addresses(&state, text, sizeof(text)), 0);
	assert_string_equal(text, ADDRESSES);
	/* The routes of the addresses are not in the text. */
	assert_int_equal(state_text_routes(&state, text, sizeof(text)), 0);
	assert_string_equal(text, ROUTES);
	assert_int_equal(state_text_neighbours(&state, text, sizeof(text)), 0);
	assert_string_equal(text, NEIGHBOURS);
	assert_int_equal(state_text_addresses(&state, text, 40), -ENOBUFS);
	interface_state_free(&state);
}

static void a_wrong_text_is_refused(void **unused)
{
	static const char *const addresses[] = {
		"",
		"10.0.0.1",
		"10.0.0.1/33",
		"10.0.0.1/x",
		"10.0.0.1/",
		"10.0.0.1/24 ",
		"10.0.0.1/24 colour 3",
		"10.0.0.1/24 metric",
		"10.0.0.1/24 metric -1",
		"10.0.0.1/24 metric 4294967296",
		"10.0.0.1 peer fd00::1/64",
		"10.0.0.1 pair 10.0.0.2/32",
		"fd00::1/64 broadcast fd00::2",
		"10.0.0.1/24+",
		"+10.0.0.1/24",
	};
	static const char *const routes[] = {"", "10.9.0.0", "10.9.0.0/16 via x",
					     "10.9.0.0/16 onlink 2"};
	static const char *const neighbours[] = {"", "x", "10.0.0.1 lladdr 1",
						 "10.0.0.1 nud 65536"};
	struct interface_state state = {0};

	(void)unused;
	interface_state_set_up(&state, true);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		int result = state_text_read_addresses(&state, addresses[i]);

		/* A list that ends in a separator has an empty last entry. */
		if (result != -EINVAL)
			fail_msg("'%s' is read: %d", addresses[i], result);
		interface_state_free(&state);
		interface_state_set_up(&state, true);
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		assert_int_equal(state_text_read_routes(&state, routes[i]), -EINVAL);
	for (size_t i = 0; i < sizeof(neighbours) / sizeof(neighbours[0]); i++)
		assert_int_equal(state_text_read_neighbours(&state, neighbours[i]), -EINVAL);
	interface_state_free(&state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_brings_its_routes_when_the_interface_is_up),
		cmocka_unit_test(an_address_exists_once),
		cmocka_unit_test(a_primary_address_takes_its_secondary_ones_with_it),
		cmocka_unit_test(a_peer_gets_a_route_of_its_own),
		cmocka_unit_test(ipv6_addresses_go_when_the_interface_goes_down),
		cmocka_unit_test(a_route_needs_an_interface_that_is_up_and_reaches_the_gateway),
		cmocka_unit_test(a_route_is_replaced_appended_or_refused),
		cmocka_unit_test(a_route_is_deleted_by_what_is_given),
		cmocka_unit_test(the_longest_prefix_and_then_the_lowest_metric_win),
		cmocka_unit_test(a_neighbour_exists_once_and_goes_with_the_interface),
		cmocka_unit_test(there_is_a_bound),
		cmocka_unit_test(each_change_is_told),
		cmocka_unit_test(the_text_is_read_as_it_was_written),
		cmocka_unit_test(a_wrong_text_is_refused),
	};

	return RUN_TESTS(tests);
}
