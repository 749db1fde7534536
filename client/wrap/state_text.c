/* SPDX-License-Identifier: MIT */
#include "client/wrap/state_text.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/wrap/interface_state.h"

/* The longest entry, with all of its words. */
#define ENTRY_SIZE 512

/* ------------------------------------------------------------------------------ writing */

struct writer {
	char *text;
	size_t size, used;
	bool is_full;
};

static void put(struct writer *writer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct writer *writer, const char *format, ...)
{
	size_t room = writer->size - writer->used;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(writer->text + writer->used, room, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= room)
		writer->is_full = true;
	else
		writer->used += (size_t)length;
}

static void put_address(struct writer *writer, const char *word, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	if (address->kind)
		put(writer, "%s%s", word, address_format(address, text));
}

static void put_number(struct writer *writer, const char *word, uint32_t number, uint32_t usual)
{
	if (number != usual)
		put(writer, " %s %u", word, number);
}

static void put_begin(struct writer *writer)
{
	if (writer->used)
		put(writer, "+");
}

/* Return the result of a list. */
static int put_end(struct writer *writer)
{
	if (!writer->used)
		put(writer, "none");
	return writer->is_full ? -ENOBUFS : 0;
}

/* The scope that ip(8) gives an address. */
static unsigned char usual_scope(const struct address *address)
{
	return address_is_link_local(address) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

int state_text_addresses(const struct interface_state *state, char *text, size_t size)
{
	struct writer writer = {text, size, 0, false};

	for (size_t i = 0; i < state->address_count; i++) {
		const struct state_address *address = &state->addresses[i];

		put_begin(&writer);
		put_address(&writer, "", &address->local);
		if (!address_equal(&address->local, &address->peer))
			put_address(&writer, " peer ", &address->peer);
		put(&writer, "/%u", address->length);
		put_address(&writer, " broadcast ", &address->broadcast);
		put_number(&writer, "scope", address->scope, usual_scope(&address->local));
		put_number(&writer, "metric", address->metric, 0);
		put_number(&writer, "flags", address->flags & ~(uint32_t)IFA_F_SECONDARY,
			   IFA_F_PERMANENT);
		put_number(&writer, "preferred", address->preferred, UINT32_MAX);
		put_number(&writer, "valid", address->valid, UINT32_MAX);
		if (address->label[0])
			put(&writer, " label %s", address->label);
	}
	return put_end(&writer);
}

static unsigned char usual_route_scope(const struct state_route *route)
{
	return route->gateway.kind || route->destination.kind == ADDRESS_IPV6 ? RT_SCOPE_UNIVERSE
									      : RT_SCOPE_LINK;
}

int state_text_routes(const struct interface_state *state, char *text, size_t size)
{
	struct writer writer = {text, size, 0, false};

	for (size_t i = 0; i < state->route_count; i++) {
		const struct state_route *route = &state->routes[i];

		if (route->protocol == RTPROT_KERNEL)
			continue;
		put_begin(&writer);
		put_address(&writer, "", &route->destination);
		put(&writer, "/%u", route->length);
		put_address(&writer, " via ", &route->gateway);
		put_address(&writer, " src ", &route->source);
		put_number(&writer, "metric", route->metric, 0);
		put_number(&writer, "table", route->table, RT_TABLE_MAIN);
		put_number(&writer, "proto", route->protocol, RTPROT_BOOT);
		put_number(&writer, "scope", route->scope, usual_route_scope(route));
		put_number(&writer, "type", route->type, RTN_UNICAST);
		put_number(&writer, "tos", route->tos, 0);
		put_number(&writer, "mtu", route->mtu, 0);
		if (route->is_on_link)
			put(&writer, " onlink 1");
	}
	return put_end(&writer);
}

int state_text_neighbours(const struct interface_state *state, char *text, size_t size)
{
	struct writer writer = {text, size, 0, false};

	for (size_t i = 0; i < state->neighbour_count; i++) {
		const struct state_neighbour *neighbour = &state->neighbours[i];
		struct address mac = address_ethernet(neighbour->mac, 0);

		put_begin(&writer);
		put_address(&writer, "", &neighbour->address);
		if (neighbour->has_mac)
			put_address(&writer, " lladdr ", &mac);
		put_number(&writer, "nud", neighbour->state, NUD_PERMANENT);
		put_number(&writer, "flags", neighbour->flags, 0);
	}
	return put_end(&writer);
}

/* ------------------------------------------------------------------------------ reading */

/* The words of one entry, and the one that is read next. */
struct reader {
	char entry[ENTRY_SIZE];
	char *rest;
	bool is_wrong;
};

/* Begin with the entry at *text, and set *text to its end. */
static void entry_begin(struct reader *reader, const char **text)
{
	size_t length = strcspn(*text, "+");

	reader->is_wrong = length >= sizeof(reader->entry);
	if (reader->is_wrong)
		length = sizeof(reader->entry) - 1;
	memcpy(reader->entry, *text, length);
	reader->entry[length] = '\0';
	reader->rest = reader->entry;
	*text += strcspn(*text, "+");
}

/* Return the next word; "" and the mark that the entry is wrong where there is none. */
static const char *word_next(struct reader *reader)
{
	const char *word = strsep(&reader->rest, " ");

	if (!word || !*word)
		reader->is_wrong = true;
	return word ? word : "";
}

static void read_address(struct reader *reader, const char *word, struct address *address)
{
	if (address_parse(word, strlen(word), address) < 0)
		reader->is_wrong = true;
}

static uint32_t read_number(struct reader *reader, uint32_t max)
{
	const char *word = word_next(reader);
	char *end;
	unsigned long long number = strtoull(word, &end, 10);

	if (!*word || *end || *word < '0' || *word > '9' || number > max)
		reader->is_wrong = true;
	return (uint32_t)number;
}

/* Read ADDRESS/LENGTH. */
static void read_prefix(struct reader *reader, const char *word, struct address *address,
			unsigned char *length)
{
	const char *slash = strchr(word, '/');
	char *end;
	unsigned long number;

	if (!slash || address_parse(word, (size_t)(slash - word), address) < 0) {
		reader->is_wrong = true;
		return;
	}
	number = strtoul(slash + 1, &end, 10);
	if (*end || slash[1] < '0' || slash[1] > '9' || number > address_bits(address))
		reader->is_wrong = true;
	*length = (unsigned char)number;
}

static void address_words(struct reader *reader, struct state_address *address)
{
	while (reader->rest && !reader->is_wrong) {
		const char *word = word_next(reader);

		if (strcmp(word, "broadcast") == 0)
			read_address(reader, word_next(reader), &address->broadcast);
		else if (strcmp(word, "scope") == 0)
			address->scope = (unsigned char)read_number(reader, UINT8_MAX);
		else if (strcmp(word, "metric") == 0)
			address->metric = read_number(reader, UINT32_MAX);
		else if (strcmp(word, "flags") == 0)
			address->flags = read_number(reader, UINT32_MAX);
		else if (strcmp(word, "preferred") == 0)
			address->preferred = read_number(reader, UINT32_MAX);
		else if (strcmp(word, "valid") == 0)
			address->valid = read_number(reader, UINT32_MAX);
		else if (strcmp(word, "label") == 0)
			snprintf(address->label, sizeof(address->label), "%s", word_next(reader));
		else
			reader->is_wrong = true;
	}
}

static int address_entry(struct reader *reader, struct interface_state *state)
{
	struct state_address address = {
		.flags = IFA_F_PERMANENT,
		.preferred = UINT32_MAX,
		.valid = UINT32_MAX,
	};
	const char *word = word_next(reader);
	int result;

	if (strchr(word, '/')) {
		read_prefix(reader, word, &address.local, &address.length);
		address.peer = address.local;
	} else {
		read_address(reader, word, &address.local);
		if (strcmp(word_next(reader), "peer") != 0)
			reader->is_wrong = true;
		read_prefix(reader, word_next(reader), &address.peer, &address.length);
	}
	address.scope = usual_scope(&address.local);
	address_words(reader, &address);
	if (reader->is_wrong || address.peer.kind != address.local.kind ||
	    (address.broadcast.kind && address.broadcast.kind != ADDRESS_IPV4))
		return -EINVAL;
	result = state_address_add(state, &address, STATE_CREATE | STATE_EXCLUSIVE);
	return result == -EEXIST ? 0 : result;
}

static void route_words(struct reader *reader, struct state_route *route, bool *has_scope)
{
	while (reader->rest && !reader->is_wrong) {
		const char *word = word_next(reader);

		if (strcmp(word, "via") == 0) {
			read_address(reader, word_next(reader), &route->gateway);
		} else if (strcmp(word, "src") == 0) {
			read_address(reader, word_next(reader), &route->source);
		} else if (strcmp(word, "metric") == 0) {
			route->metric = read_number(reader, UINT32_MAX);
		} else if (strcmp(word, "table") == 0) {
			route->table = read_number(reader, UINT32_MAX);
		} else if (strcmp(word, "proto") == 0) {
			route->protocol = (unsigned char)read_number(reader, UINT8_MAX);
		} else if (strcmp(word, "scope") == 0) {
			route->scope = (unsigned char)read_number(reader, UINT8_MAX);
			*has_scope = true;
		} else if (strcmp(word, "type") == 0) {
			route->type = (unsigned char)read_number(reader, UINT8_MAX);
		} else if (strcmp(word, "tos") == 0) {
			route->tos = (unsigned char)read_number(reader, UINT8_MAX);
		} else if (strcmp(word, "mtu") == 0) {
			route->mtu = read_number(reader, UINT32_MAX);
		} else if (strcmp(word, "onlink") == 0) {
			route->is_on_link = read_number(reader, 1) == 1;
		} else {
			reader->is_wrong = true;
		}
	}
}

static int route_entry(struct reader *reader, struct interface_state *state)
{
	struct state_route route = {
		.table = RT_TABLE_MAIN,
		.protocol = RTPROT_BOOT,
		.type = RTN_UNICAST,
	};
	bool has_scope = false;
	int result;

	read_prefix(reader, word_next(reader), &route.destination, &route.length);
	route_words(reader, &route, &has_scope);
	if (reader->is_wrong)
		return -EINVAL;
	if (!has_scope)
		route.scope = usual_route_scope(&route);
	result = state_route_add(state, &route, STATE_CREATE | STATE_APPEND);
	return result == -EEXIST ? 0 : result;
}

static int neighbour_entry(struct reader *reader, struct interface_state *state)
{
	struct state_neighbour neighbour = {.state = NUD_PERMANENT};
	struct ether_addr mac;

	read_address(reader, word_next(reader), &neighbour.address);
	while (reader->rest && !reader->is_wrong) {
		const char *word = word_next(reader);

		if (strcmp(word, "lladdr") == 0) {
			neighbour.has_mac = ether_aton_r(word_next(reader), &mac) != NULL;
			reader->is_wrong |= !neighbour.has_mac;
			if (neighbour.has_mac)
				memcpy(neighbour.mac, &mac, ETH_ALEN);
		} else if (strcmp(word, "nud") == 0) {
			neighbour.state = (uint16_t)read_number(reader, UINT16_MAX);
		} else if (strcmp(word, "flags") == 0) {
			neighbour.flags = (unsigned char)read_number(reader, UINT8_MAX);
		} else {
			reader->is_wrong = true;
		}
	}
	if (reader->is_wrong)
		return -EINVAL;
	return state_neighbour_add(state, &neighbour, STATE_CREATE | STATE_REPLACE);
}

static int list_read(struct interface_state *state, const char *text,
		     int (*entry)(struct reader *, struct interface_state *))
{
	struct reader reader;
	int result;

	if (strcmp(text, "none") == 0)
		return 0;
	do {
		entry_begin(&reader, &text);
		result = entry(&reader, state);
	} while (result == 0 && *text++ == '+');
	return result;
}

int state_text_read_addresses(struct interface_state *state, const char *text)
{
	return list_read(state, text, address_entry);
}

int state_text_read_routes(struct interface_state *state, const char *text)
{
	return list_read(state, text, route_entry);
}

int state_text_read_neighbours(struct interface_state *state, const char *text)
{
	return list_read(state, text, neighbour_entry);
}
