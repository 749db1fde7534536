/* SPDX-License-Identifier: MIT */
#include "common/attribute.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/tunnel_name.h"
#include "common/utf8.h"

static const char *const mode_words[] = {"tun", "tap", NULL};
static const char *const socket_words[] = {"seqpacket", "dgram", "stream", NULL};
static const char *const overflow_words[] = {"drop-tail", "drop-head", "block", NULL};
static const char *const direction_words[] = {"from-client", "to-client", NULL};
static const char *const state_words[] = {"closed", "open", "up", "down", NULL};
static const char *const type_words[] = {
	"mcast", "kernel", "vde", "bess", "stream", "dgram", "udp", "vxlan", NULL,
};
static const char *const backend_words[] = {"memory", "kernel", NULL};
static const char *const event_words[] = {
	"added",        "changed",        "deleted", "opened",       "closed",
	"bridge-added", "bridge-deleted", "lost",    "uplink-added", "uplink-deleted",
	"uplink-up",    "uplink-down",    NULL,
};

#define U32(name, smallest, largest)                                                 \
	{                                                                            \
		.word = name, .type = ATTRIBUTE_U32, .min = smallest, .max = largest \
	}
#define U64(name)                                                      \
	{                                                              \
		.word = name, .type = ATTRIBUTE_U64, .max = UINT64_MAX \
	}
#define FLAG(name)                                             \
	{                                                      \
		.word = name, .type = ATTRIBUTE_FLAG, .max = 1 \
	}
#define TEXT(name)                                    \
	{                                             \
		.word = name, .type = ATTRIBUTE_TEXT, \
	}
#define WORD(name, list)                                                 \
	{                                                                \
		.word = name, .type = ATTRIBUTE_WORD, .min = 1,          \
		.max = sizeof(list) / sizeof(list[0]) - 1, .words = list \
	}

const struct attribute attributes[MEMTUN_A_END] = {
	[MEMTUN_A_VERSION] = U32("version", 0, UINT32_MAX),
	[MEMTUN_A_FEATURES] = U32("features", 0, UINT32_MAX),
	[MEMTUN_A_ID] = U32("id", 1, UINT32_MAX),
	[MEMTUN_A_NAME] = {.word = "name", .type = ATTRIBUTE_NAME, .may_be_template = true},
	[MEMTUN_A_MODE] = WORD("mode", mode_words),
	[MEMTUN_A_SOCKET] = WORD("socket", socket_words),
	[MEMTUN_A_BRIDGE] = {.word = "bridge", .type = ATTRIBUTE_NAME, .may_be_empty = true},
	[MEMTUN_A_PEER] = {.word = "peer", .type = ATTRIBUTE_NAME},
	/* The bounds are the kernel's for a tun device: ETH_MIN_MTU, and 65,535 as that is what an
	 * IP packet can be. */
	[MEMTUN_A_MTU] = U32("mtu", 68, 65535),
	[MEMTUN_A_QUEUE_LIMIT] = U32("queue", 1, 1000000),
	[MEMTUN_A_OVERFLOW] = WORD("overflow", overflow_words),
	[MEMTUN_A_PI] = FLAG("pi"),
	[MEMTUN_A_VNET_HDR] = FLAG("vnet_hdr"),
	[MEMTUN_A_MULTI_QUEUE] = FLAG("multi_queue"),
	[MEMTUN_A_EXCLUSIVE] = FLAG("exclusive"),
	[MEMTUN_A_PERSISTENT] = FLAG("persistent"),
	[MEMTUN_A_OWNER] = U32("owner", 0, UINT32_MAX),
	[MEMTUN_A_COUNT] = U32("count", 1, 1000000),
	[MEMTUN_A_HUB] = FLAG("hub"),
	[MEMTUN_A_QUEUES] = U32("queues", 0, UINT32_MAX),
	[MEMTUN_A_QUEUE_ID] = U32("queue-id", 1, UINT32_MAX),
	[MEMTUN_A_INODE] = U64("inode"),
	[MEMTUN_A_FDS] = U32("fds", 0, UINT32_MAX),
	[MEMTUN_A_STATE] = WORD("state", state_words),
	[MEMTUN_A_EVENT] = WORD("event", event_words),
	[MEMTUN_A_TIME] = U64("time"),
	[MEMTUN_A_STATISTICS] = FLAG("statistics"),
	[MEMTUN_A_PORTS] = U32("ports", 0, UINT32_MAX),
	[MEMTUN_A_ADDRESSES] = U32("addresses", 0, UINT32_MAX),
	[MEMTUN_A_HANGUP_SEEN] = FLAG("hangup-seen"),
	[MEMTUN_A_DIRECTION] = WORD("direction", direction_words),
	[MEMTUN_A_TYPE] = WORD("type", type_words),
	[MEMTUN_A_GROUP] = TEXT("group"),
	[MEMTUN_A_PORT] = U32("port", 1, 65535),
	[MEMTUN_A_IFADDR] = TEXT("ifaddr"),
	[MEMTUN_A_TTL] = U32("ttl", 0, 255),
	[MEMTUN_A_LOOP] = FLAG("loop"),
	[MEMTUN_A_PATH] = TEXT("path"),
	[MEMTUN_A_REMOTE] = TEXT("remote"),
	[MEMTUN_A_LOCAL] = TEXT("local"),
	[MEMTUN_A_ADDRESS] = TEXT("address"),
	[MEMTUN_A_GATEWAY] = TEXT("gateway"),
	/* 24 bits. */
	[MEMTUN_A_VNI] = U32("vni", 0, 16777215),
	[MEMTUN_A_DEVICE] = {.word = "device", .type = ATTRIBUTE_NAME, .may_be_template = true},
	[MEMTUN_A_BACKEND] = WORD("backend", backend_words),
	[MEMTUN_A_PLAIN] = FLAG("plain"),
	[MEMTUN_A_FROM_CLIENT_FRAMES] = U64("from-client-frames"),
	[MEMTUN_A_FROM_CLIENT_BYTES] = U64("from-client-bytes"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_EMPTY] = U64("from-client-dropped-empty"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_RUNT] = U64("from-client-dropped-runt"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE] = U64("from-client-dropped-oversize"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED] = U64("from-client-dropped-malformed"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION] = U64("from-client-dropped-no-destination"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_OVERRUN] = U64("from-client-dropped-overrun"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN] = U64("from-client-dropped-foreign"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_UNRESOLVED] = U64("from-client-dropped-unresolved"),
	[MEMTUN_A_TO_CLIENT_OFFERED] = U64("to-client-offered"),
	[MEMTUN_A_TO_CLIENT_FRAMES] = U64("to-client-frames"),
	[MEMTUN_A_TO_CLIENT_BYTES] = U64("to-client-bytes"),
	[MEMTUN_A_TO_CLIENT_QUEUED] = U64("to-client-queued"),
	[MEMTUN_A_TO_CLIENT_DROPPED_FULL] = U64("to-client-dropped-full"),
	[MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT] = U64("to-client-dropped-no-client"),
	[MEMTUN_A_TO_CLIENT_DROPPED_MTU] = U64("to-client-dropped-mtu"),
	[MEMTUN_A_TO_CLIENT_DROPPED_NEEDS_SEGMENTATION] =
		U64("to-client-dropped-needs-segmentation"),
	[MEMTUN_A_TO_CLIENT_DROPPED_REFUSED] = U64("to-client-dropped-refused"),
	[MEMTUN_A_TO_CLIENT_DROPPED_NOT_IP] = U64("to-client-dropped-not-ip"),
	[MEMTUN_A_TO_CLIENT_COPIED_BYTES] = U64("to-client-copied-bytes"),
	[MEMTUN_A_TO_CLIENT_UNREAD] = U64("to-client-unread"),
	[MEMTUN_A_MAC] = TEXT("mac"),
	[MEMTUN_A_VLAN] = U32("vlan", 0, 4095),
	[MEMTUN_A_AGE] = U64("age"),
	[MEMTUN_A_CONNECTS] = U64("connects"),
	[MEMTUN_A_REASON] = TEXT("reason"),
};

_Static_assert(MEMTUN_A_END <= 128, "attribute_set.present has a bit an attribute");

int fault_set(struct fault *fault, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(fault->text, sizeof(fault->text), format, arguments);
	va_end(arguments);
	utf8_mend(fault->text);
	fault->error = error;
	errno = error;
	return -1;
}

int attribute_check_number(enum memtun_attribute which, uint64_t number, struct fault *fault)
{
	const struct attribute *attribute = &attributes[which];

	if (number >= attribute->min && number <= attribute->max)
		return 0;
	if (attribute->type == ATTRIBUTE_WORD || attribute->type == ATTRIBUTE_FLAG)
		return fault_set(fault, EINVAL, "%s has no value number %" PRIu64, attribute->word,
				 number);
	return fault_set(fault, EINVAL, "%s %" PRIu64 " is not from %" PRIu64 " to %" PRIu64,
			 attribute->word, number, attribute->min, attribute->max);
}

static int text_check(const struct attribute *attribute, const char *string, struct fault *fault)
{
	if (string[0] == '\0' || strlen(string) >= MEMTUN_TEXT_SIZE)
		return fault_set(fault, EINVAL, "%s is from 1 to %d bytes long", attribute->word,
				 MEMTUN_TEXT_SIZE - 1);
	if (utf8_has_control(string))
		return fault_set(fault, EINVAL, "%s has a control character", attribute->word);
	return 0;
}

int attribute_check_string(enum memtun_attribute which, const char *string, struct fault *fault)
{
	const struct attribute *attribute = &attributes[which];
	const char *wrong;

	if (attribute->may_be_empty && string[0] == '\0')
		return 0;
	if (!utf8_is_valid(string))
		return fault_set(fault, EINVAL, "%s is not UTF-8", attribute->word);
	if (attribute->type == ATTRIBUTE_TEXT)
		return text_check(attribute, string, fault);
	wrong = tunnel_name_fault(string, attribute->may_be_template);
	if (wrong)
		return fault_set(fault, EINVAL, "%s '%.40s' %s", attribute->word, string, wrong);
	return 0;
}

enum memtun_attribute attribute_find(const char *word)
{
	for (int which = MEMTUN_A_UNSPEC + 1; which < MEMTUN_A_END; which++) {
		if (attributes[which].word && strcmp(attributes[which].word, word) == 0)
			return (enum memtun_attribute)which;
	}
	return MEMTUN_A_UNSPEC;
}

enum memtun_attribute attribute_set_next(const struct attribute_set *set, int which)
{
	for (which++; which < MEMTUN_A_END; which = (which / 64 + 1) * 64) {
		uint64_t rest = set->present[which / 64] >> (which % 64);

		if (rest)
			return (enum memtun_attribute)(which + __builtin_ctzll(rest));
	}
	return MEMTUN_A_END;
}

/* 1-based number of the word in the list, 0 if it isn't there. */
static uint64_t words_find(const char *const *words, const char *word)
{
	for (uint64_t i = 0; words[i]; i++) {
		if (strcmp(words[i], word) == 0)
			return i + 1;
	}
	return 0;
}

static int words_fault(const struct attribute *attribute, const char *value, struct fault *fault)
{
	char list[100] = "";
	size_t used = 0;

	for (size_t i = 0; attribute->words[i] && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 attribute->words[i]);
	return fault_set(fault, EINVAL, "%s is one of %s, not '%.40s'", attribute->word, list,
			 value);
}

static int number_parse(const struct attribute *attribute, const char *value, uint64_t *number,
			struct fault *fault)
{
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno == ERANGE)
		return fault_set(fault, EINVAL, "%s takes a number, not '%.40s'", attribute->word,
				 value);
	return 0;
}

int attribute_set_parse(struct attribute_set *set, enum memtun_attribute which, const char *value,
			struct fault *fault)
{
	const struct attribute *attribute = &attributes[which];
	uint64_t number = 0;

	if (!value && attribute->type != ATTRIBUTE_FLAG)
		return fault_set(fault, EINVAL, "%s needs a value", attribute->word);
	switch (attribute->type) {
	case ATTRIBUTE_NAME:
	case ATTRIBUTE_TEXT:
		if (attribute_check_string(which, value, fault) < 0)
			return -1;
		attribute_set_put_string(set, which, value);
		return 0;
	case ATTRIBUTE_FLAG:
		if (value && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
			return fault_set(fault, EINVAL, "%s is on or off, not '%.40s'",
					 attribute->word, value);
		number = !value || strcmp(value, "on") == 0;
		break;
	case ATTRIBUTE_WORD:
		number = words_find(attribute->words, value);
		if (number == 0)
			return words_fault(attribute, value, fault);
		break;
	case ATTRIBUTE_U32:
	case ATTRIBUTE_U64:
		if (number_parse(attribute, value, &number, fault) < 0 ||
		    attribute_check_number(which, number, fault) < 0)
			return -1;
		break;
	case ATTRIBUTE_NONE:
		return fault_set(fault, EINVAL, "attribute %d is unknown", which);
	}
	attribute_set_put_number(set, which, number);
	return 0;
}

const char *attribute_format(const struct attribute_set *set, enum memtun_attribute which,
			     char text[], size_t size)
{
	const struct attribute *attribute = &attributes[which];
	uint64_t number = set->values[which].number;

	if (attribute_is_string(which))
		snprintf(text, size, "%s", set->values[which].string);
	else if (attribute->type == ATTRIBUTE_WORD && number >= 1 && number <= attribute->max)
		snprintf(text, size, "%s", attribute->words[number - 1]);
	else if (attribute->type == ATTRIBUTE_FLAG)
		snprintf(text, size, "%s", number ? "on" : "off");
	else
		snprintf(text, size, "%" PRIu64, number);
	return text;
}
