/* SPDX-License-Identifier: MIT */
#include "client/command/uplink_joined.h"

#include <stdio.h>
#include <string.h>

/*
 * Append the value of the key, if the record has one, with `before` ahead of it if text isn't
 * empty.
 */
static void joined_add(char text[UPLINK_JOINED_SIZE], const struct memtun_record *record,
		       const char *key, const char *before)
{
	const char *value = memtun_record_string(record, key);
	size_t length = strlen(text);

	if (value)
		snprintf(text + length, UPLINK_JOINED_SIZE - length, "%s%s", text[0] ? before : "",
			 value);
}

/* Write the peer that has connected to a listening uplink. */
static void joined_add_peer(char text[UPLINK_JOINED_SIZE], const struct memtun_record *record)
{
	joined_add(text, record, "remote", " ");
	if (memtun_record_string(record, "pid")) {
		strlcat(text, "pid ", UPLINK_JOINED_SIZE);
		joined_add(text, record, "pid", "");
		joined_add(text, record, "program", " ");
	}
	if (memtun_record_string(record, "uid")) {
		strlcat(text, text[0] ? " of user" : "user", UPLINK_JOINED_SIZE);
		joined_add(text, record, "uid", " ");
	}
}

/* Write where an uplink listens, and how many peers it has. */
static void joined_add_listening(char text[UPLINK_JOINED_SIZE], const struct memtun_record *record)
{
	strlcat(text, "listens on", UPLINK_JOINED_SIZE);
	joined_add(text, record, "listen", " ");
	joined_add(text, record, "connected", ": ");
	joined_add(text, record, "max", " of ");
	strlcat(text, " peers", UPLINK_JOINED_SIZE);
}

const char *uplink_joined(const struct memtun_record *record, char text[UPLINK_JOINED_SIZE])
{
	uint64_t number;

	text[0] = '\0';
	if (memtun_record_string(record, "listener") || memtun_record_string(record, "listen")) {
		if (memtun_record_string(record, "listener"))
			joined_add_peer(text, record);
		else
			joined_add_listening(text, record);
		return text;
	}
	if (memtun_record_number(record, "vni", &number) == 0)
		snprintf(text, UPLINK_JOINED_SIZE, "vni %u", (unsigned int)number);
	joined_add(text, record, "device", "");
	joined_add(text, record, "forward", "");
	joined_add(text, record, "path", "");
	joined_add(text, record, "socket", "");
	joined_add(text, record, "local", " ");
	joined_add(text, record, "remote", " -> ");
	/* A group has the place of a remote. A multicast LAN has no local address before it. */
	joined_add(text, record, "group", " -> ");
	joined_add(text, record, "port", " port ");
	joined_add(text, record, "ifaddr", " on ");
	if (memtun_record_string(record, "pid")) {
		joined_add(text, record, "pid", " until process ");
		joined_add(text, record, "program", " ");
		strlcat(text, " ends", UPLINK_JOINED_SIZE);
		return text;
	}
	joined_add(text, record, "life", " until the end of a ");
	return text;
}
