/* SPDX-License-Identifier: MIT */
#include "common/attribute_table.h"

#include <stddef.h>
#include <string.h>

static const char *const mode_words[] = {"tun", "tap", NULL};
static const char *const socket_words[] = {"seqpacket", "dgram", "stream", NULL};
static const char *const overflow_words[] = {"drop-tail", "drop-head", "block", NULL};
static const char *const direction_words[] = {"from-client", "to-client", NULL};
static const char *const state_words[] = {"closed", "open", "up", "down", NULL};
static const char *const type_words[] = {
	"mcast", "kernel", "vde", "bess",   "stream", "dgram",
	"udp",   "vxlan",  "fd",  "device", "user",   NULL,
};
static const char *const life_words[] = {"process", "pipe", "socket", NULL};
static const char *const clock_words[] = {"real", "manual", NULL};
static const char *const allow_words[] = {"own", "any", NULL};
static const char *const backend_words[] = {"memory", "kernel", NULL};
static const char *const event_words[] = {
	"added",
	"changed",
	"deleted",
	"opened",
	"closed",
	"bridge-added",
	"bridge-deleted",
	"lost",
	"uplink-added",
	"uplink-deleted",
	"uplink-up",
	"uplink-down",
	"address-moving",
	"port-shut",
	"port-reopened",
	"uplink-changed",
	[MEMTUN_EVENT_IMPAIR_ADDED - 1] = "impair-added",
	[MEMTUN_EVENT_IMPAIR_CHANGED - 1] = "impair-changed",
	[MEMTUN_EVENT_IMPAIR_DELETED - 1] = "impair-deleted",
	[MEMTUN_EVENT_UPLINK_REFUSED - 1] = "uplink-refused",
	NULL,
};
static const char *const distribution_words[] = {"uniform", "normal", "pareto", NULL};

/* The names of the bits of IFF_*, from the lowest. */
static const char *const interface_flag_words[] = {
	"up",        "broadcast", "debug",    "loopback", "pointopoint", "notrailers", "running",
	"noarp",     "promisc",   "allmulti", "master",   "slave",       "multicast",  "portsel",
	"automedia", "dynamic",   "lower_up", "dormant",  "echo",        NULL,
};
/* TUN_F_CSUM and so on, from the lowest. */
static const char *const offload_words[] = {
	"csum", "tso4", "tso6", "tso-ecn", "ufo", "uso4", "uso6", NULL,
};

#define U32(name, smallest, largest, uses)                                            \
	{                                                                             \
		.word = name, .type = ATTRIBUTE_U32, .min = smallest, .max = largest, \
		.options = uses                                                       \
	}
#define PERCENT(name, uses)                                                                 \
	{                                                                                   \
		.word = name, .type = ATTRIBUTE_PERCENT, .max = 1000000000, .options = uses \
	}
#define TIME(name, smallest, uses)                                                      \
	{                                                                               \
		.word = name, .type = ATTRIBUTE_TIME, .min = smallest, .max = TIME_MAX, \
		.options = uses                                                         \
	}
#define NUMBER(name, kind, smallest, largest, uses)                                          \
	{                                                                                    \
		.word = name, .type = kind, .min = smallest, .max = largest, .options = uses \
	}
#define U64(name)                                                      \
	{                                                              \
		.word = name, .type = ATTRIBUTE_U64, .max = UINT64_MAX \
	}
#define U64_OPTION(name, uses)                                                          \
	{                                                                               \
		.word = name, .type = ATTRIBUTE_U64, .max = UINT64_MAX, .options = uses \
	}
#define FLAG(name, uses)                                                        \
	{                                                                       \
		.word = name, .type = ATTRIBUTE_FLAG, .max = 1, .options = uses \
	}
#define TEXT(name, uses)                                                                           \
	{                                                                                          \
		.word = name, .type = ATTRIBUTE_TEXT, .max = MEMTUN_TEXT_SIZE - 1, .options = uses \
	}
#define LIST(name, uses)                                                                           \
	{                                                                                          \
		.word = name, .type = ATTRIBUTE_TEXT, .max = MEMTUN_LIST_SIZE - 1, .options = uses \
	}
#define BITS(name, list, uses)                                                                   \
	{                                                                                        \
		.word = name, .type = ATTRIBUTE_BITS,                                            \
		.max = (UINT64_C(1) << (sizeof(list) / sizeof(list[0]) - 1)) - 1, .words = list, \
		.options = uses                                                                  \
	}
#define NAME(name, uses, ...)                                                      \
	{                                                                          \
		.word = name, .type = ATTRIBUTE_NAME, .options = uses, __VA_ARGS__ \
	}
#define WORD(name, list, uses)                                                            \
	{                                                                                 \
		.word = name, .type = ATTRIBUTE_WORD, .min = 1,                           \
		.max = sizeof(list) / sizeof(list[0]) - 1, .words = list, .options = uses \
	}

/* The longest delay: 24 hours, in nanoseconds, which is less than 2^47. */
#define TIME_MAX UINT64_C(86400000000000)

/* What a rule is made with: also in a SPEC, and what not. */
#define IMPAIR (OPTION_IMPAIR | OPTION_IMPAIR_SET | OPTION_IMPAIR_SPEC)

/* What a tunnel is made with, and what of that can be changed later. */
#define TUNNEL (OPTION_TUNNEL | OPTION_TUNNEL_ADD)
#define TUNNEL_SET (TUNNEL | OPTION_TUNNEL_SET)
#define UPLINK_ANY (OPTION_UPLINK | OPTION_UPLINK_ANY | OPTION_UPLINK_SET)

const struct attribute attributes[MEMTUN_A_END] = {
	[MEMTUN_A_VERSION] = U32("version", 0, UINT32_MAX, OPTION_HELLO),
	[MEMTUN_A_FEATURES] = U32("features", 0, UINT32_MAX, OPTION_HELLO),
	[MEMTUN_A_ID] = U32("id", 1, UINT32_MAX, OPTION_KEY),
	[MEMTUN_A_NAME] = NAME("name", OPTION_KEY | OPTION_UPLINK_ANY, .may_be_template = true),
	[MEMTUN_A_MODE] = WORD("mode", mode_words, TUNNEL | OPTION_UPLINK),
	[MEMTUN_A_SOCKET] = WORD("socket", socket_words, TUNNEL | OPTION_MEMORY_ONLY),
	[MEMTUN_A_BRIDGE] = NAME(
		"bridge", TUNNEL_SET | OPTION_UPLINK_ANY | OPTION_UPLINK_SET | OPTION_MEMORY_ONLY,
		.may_be_empty = true),
	[MEMTUN_A_PEER] = NAME("peer", TUNNEL | OPTION_MEMORY_ONLY, .may_be_empty = false),
	/* The kernel's bounds for a tun device: ETH_MIN_MTU, and the longest IP packet. */
	[MEMTUN_A_MTU] = U32("mtu", 68, 65535, TUNNEL_SET | UPLINK_ANY | OPTION_MEMORY_ONLY),
	[MEMTUN_A_QUEUE_LIMIT] =
		U32("queue", 1, 1000000, TUNNEL_SET | UPLINK_ANY | OPTION_MEMORY_ONLY),
	[MEMTUN_A_OVERFLOW] =
		WORD("overflow", overflow_words, TUNNEL_SET | UPLINK_ANY | OPTION_MEMORY_ONLY),
	[MEMTUN_A_PI] = FLAG("pi", TUNNEL | OPTION_UPLINK),
	[MEMTUN_A_VNET_HDR] = FLAG("vnet_hdr", TUNNEL),
	[MEMTUN_A_MULTI_QUEUE] = FLAG("multi_queue", TUNNEL),
	[MEMTUN_A_EXCLUSIVE] = FLAG("exclusive", OPTION_REQUEST),
	[MEMTUN_A_PERSISTENT] = FLAG("persistent", OPTION_TUNNEL | OPTION_TUNNEL_SET),
	[MEMTUN_A_OWNER] = U32("owner", 0, UINT32_MAX, 0),
	[MEMTUN_A_COUNT] = U32("count", 1, 1000000, OPTION_TUNNEL_ADD | OPTION_REQUEST),
	[MEMTUN_A_HUB] = FLAG("hub", OPTION_REQUEST),
	[MEMTUN_A_QUEUES] = U32("queues", 0, UINT32_MAX, 0),
	[MEMTUN_A_QUEUE_ID] = U32("queue-id", 1, UINT32_MAX, OPTION_REQUEST),
	[MEMTUN_A_INODE] = U64("inode"),
	[MEMTUN_A_FDS] = U32("fds", 0, UINT32_MAX, 0),
	[MEMTUN_A_STATE] = WORD("state", state_words, 0),
	[MEMTUN_A_EVENT] = WORD("event", event_words, 0),
	[MEMTUN_A_TIME] = U64("time"),
	[MEMTUN_A_STATISTICS] = FLAG("statistics", OPTION_REQUEST),
	[MEMTUN_A_PORTS] = U32("ports", 0, UINT32_MAX, 0),
	[MEMTUN_A_ADDRESSES] = U32("addresses", 0, UINT32_MAX, 0),
	[MEMTUN_A_HANGUP_SEEN] = FLAG("hangup-seen", 0),
	[MEMTUN_A_DIRECTION] = WORD("direction", direction_words, OPTION_REQUEST),
	[MEMTUN_A_TYPE] = WORD("type", type_words, OPTION_UPLINK_ANY | OPTION_REQUEST),
	[MEMTUN_A_GROUP] = TEXT("group", OPTION_UPLINK),
	[MEMTUN_A_PORT] = U32("port", 1, 65535, OPTION_UPLINK),
	[MEMTUN_A_IFADDR] = TEXT("ifaddr", OPTION_UPLINK),
	[MEMTUN_A_TTL] = U32("ttl", 0, 255, OPTION_UPLINK),
	[MEMTUN_A_LOOP] = FLAG("loop", OPTION_UPLINK),
	[MEMTUN_A_PATH] = TEXT("path", OPTION_UPLINK),
	[MEMTUN_A_REMOTE] = TEXT("remote", OPTION_UPLINK),
	[MEMTUN_A_LOCAL] = TEXT("local", OPTION_UPLINK),
	[MEMTUN_A_ADDRESS] = TEXT("address", TUNNEL_SET | OPTION_UPLINK | OPTION_UPLINK_SET |
						     OPTION_MEMORY_ONLY),
	[MEMTUN_A_GATEWAY] = TEXT("gateway", TUNNEL_SET | OPTION_UPLINK | OPTION_UPLINK_SET |
						     OPTION_MEMORY_ONLY),
	/* 24 bits. */
	[MEMTUN_A_VNI] = U32("vni", 0, 16777215, OPTION_UPLINK),
	[MEMTUN_A_DEVICE] = NAME("device", OPTION_UPLINK, .may_be_template = true),
	[MEMTUN_A_BACKEND] = WORD("backend", backend_words, TUNNEL),
	[MEMTUN_A_PLAIN] = FLAG("plain", OPTION_REQUEST),
	[MEMTUN_A_DETAILED] = FLAG("detailed", OPTION_REQUEST),
	[MEMTUN_A_FAULTS] = FLAG("faults", OPTION_REQUEST),
	[MEMTUN_A_LOOP_GUARD] = FLAG("loop-guard", OPTION_REQUEST),
	[MEMTUN_A_HAND_IN] = U32("hand-in", 1, UINT32_MAX, OPTION_REQUEST),
	/* All TUN_F_* bits that frames can need. */
	[MEMTUN_A_OFFLOAD] = {"offload", ATTRIBUTE_U32, .max = 127, .words = offload_words,
			      .options = TUNNEL_SET | OPTION_MEMORY_ONLY},
	[MEMTUN_A_VNET_HDR_SIZE] = U32("vnet_hdr_size", 10, 20, TUNNEL_SET | OPTION_MEMORY_ONLY),
	[MEMTUN_A_INTERFACE_REVISION] = U32("interface-revision", 1, UINT32_MAX, OPTION_REQUEST),
	[MEMTUN_A_NEW_NAME] = NAME("new-name", OPTION_REQUEST, .may_be_template = true),
	[MEMTUN_A_INTERFACE_FLAGS] =
		BITS("interface-flags", interface_flag_words, OPTION_INTERFACE),
	/* SIOCSIFTXQLEN takes an int that is not negative. */
	[MEMTUN_A_INTERFACE_TXQLEN] = U32("interface-txqlen", 0, INT32_MAX, OPTION_INTERFACE),
	[MEMTUN_A_INTERFACE_MAC] = TEXT("interface-mac", OPTION_INTERFACE),
	[MEMTUN_A_INTERFACE_ADDRESS] = LIST("interface-address", OPTION_INTERFACE),
	[MEMTUN_A_INTERFACE_ROUTE] = LIST("interface-route", OPTION_INTERFACE),
	[MEMTUN_A_INTERFACE_NEIGHBOUR] = LIST("interface-neighbour", OPTION_INTERFACE),
	[MEMTUN_A_INTERFACE_CARRIER] = FLAG("interface-carrier", OPTION_INTERFACE),
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
	[MEMTUN_A_MAC] = TEXT("mac", 0),
	[MEMTUN_A_VLAN] = U32("vlan", 0, UINT32_MAX, TUNNEL_SET | UPLINK_ANY | OPTION_MEMORY_ONLY),
	[MEMTUN_A_AGE] = U64("age"),
	[MEMTUN_A_CONNECTS] = U64("connects"),
	[MEMTUN_A_REASON] = TEXT("reason", 0),
	[MEMTUN_A_PID] = U32("pid", 0, UINT32_MAX, OPTION_REQUEST),
	[MEMTUN_A_PROGRAM] = TEXT("program", 0),
	[MEMTUN_A_CAPTURES] = U32("captures", 0, UINT32_MAX, 0),
	[MEMTUN_A_INJECTORS] = U32("injectors", 0, UINT32_MAX, 0),
	[MEMTUN_A_SUBSCRIPTIONS] = U32("subscriptions", 0, UINT32_MAX, 0),
	[MEMTUN_A_QUEUED_BYTES] = U64("queued-bytes"),
	[MEMTUN_A_ADDRESS_MOVES] = U64("address-moves"),
	[MEMTUN_A_LOOP_SHUT] = FLAG("loop-shut", 0),
	[MEMTUN_A_CHANGED] = {.word = "changed",
			      .type = ATTRIBUTE_TEXT,
			      .max = ATTRIBUTE_KEYS_SIZE - 1},
	[MEMTUN_A_LIFE] = WORD("life", life_words, 0),
	[MEMTUN_A_HAND_INS] = U32("hand-ins", 0, UINT32_MAX, 0),
	[MEMTUN_A_LISTEN] = TEXT("listen", OPTION_UPLINK),
	[MEMTUN_A_MAX] = U32("max", 1, 4096, OPTION_UPLINK),
	[MEMTUN_A_ALLOW] = WORD("allow", allow_words, OPTION_UPLINK),
	[MEMTUN_A_SOCKET_MODE] = TEXT("socket-mode", OPTION_UPLINK),
	[MEMTUN_A_SOCKET_GROUP] = TEXT("socket-group", OPTION_UPLINK),
	[MEMTUN_A_LISTENER] = NAME("listener", 0, .may_be_template = false),
	[MEMTUN_A_UID] = U32("uid", 0, UINT32_MAX, 0),
	[MEMTUN_A_CONNECTED] = U32("connected", 0, UINT32_MAX, 0),
	[MEMTUN_A_ACCEPTED] = U64("accepted"),
	[MEMTUN_A_REFUSED] = U64("refused"),
	[MEMTUN_A_INTERFACE_INDEX] = U32("interface-index", 1, INT32_MAX, 0),
	[MEMTUN_A_FORMER_NAME] = NAME("former-name", 0, .may_be_empty = false),
	[MEMTUN_A_CLOCK] = WORD("clock", clock_words, 0),
	[MEMTUN_A_CLOCK_TIME] = U64("clock-time"),
	[MEMTUN_A_CLOCK_NEXT] = U64("clock-next"),
	[MEMTUN_A_DUE] = U32("due", 0, UINT32_MAX, 0),
	[MEMTUN_A_MOVE] = U64_OPTION("move", OPTION_REQUEST),
	[MEMTUN_A_NAMES] = TEXT("names", OPTION_REQUEST),
	[MEMTUN_A_IDLE] = U64_OPTION("idle", OPTION_REQUEST),
	[MEMTUN_A_TIME_LIMIT] = U64_OPTION("time-limit", OPTION_REQUEST),
	[MEMTUN_A_RULE] = U32("rule", 1, UINT32_MAX, OPTION_REQUEST),
	[MEMTUN_A_MATCH] = TEXT("match", OPTION_IMPAIR),
	[MEMTUN_A_MATCH_CODE] = LIST("match-code", OPTION_IMPAIR),
	[MEMTUN_A_DELAY] = TIME("delay", 0, IMPAIR),
	[MEMTUN_A_JITTER] = TIME("jitter", 0, IMPAIR),
	[MEMTUN_A_DISTRIBUTION] = WORD("distribution", distribution_words, IMPAIR),
	[MEMTUN_A_ORDERED] = FLAG("ordered", IMPAIR),
	[MEMTUN_A_LOSS] = PERCENT("loss", IMPAIR),
	[MEMTUN_A_LOSS_BURST] =
		NUMBER("loss-burst", ATTRIBUTE_THOUSANDTHS, 1000, 1000000000, IMPAIR),
	[MEMTUN_A_DUPLICATE] = PERCENT("duplicate", IMPAIR),
	[MEMTUN_A_CORRUPT] = PERCENT("corrupt", IMPAIR),
	[MEMTUN_A_TRUNCATE] = PERCENT("truncate", IMPAIR),
	[MEMTUN_A_REORDER] = PERCENT("reorder", IMPAIR),
	[MEMTUN_A_GAP] = U32("gap", 1, 1000000, IMPAIR),
	/* One byte per second; 100 Tbit/s. */
	[MEMTUN_A_RATE] = NUMBER("rate", ATTRIBUTE_RATE, 8, UINT64_C(100000000000000), IMPAIR),
	[MEMTUN_A_DROP] = TEXT("drop", IMPAIR),
	/* The bounds of mtu. */
	[MEMTUN_A_PMTU] = U32("pmtu", 68, 65535, IMPAIR),
	[MEMTUN_A_ICMP] = FLAG("icmp", IMPAIR),
	[MEMTUN_A_HOLD] = FLAG("hold", IMPAIR),
	[MEMTUN_A_UNTIL] = NUMBER("until", ATTRIBUTE_U64, 1, UINT64_MAX, IMPAIR),
	[MEMTUN_A_UNTIL_TIME] = TIME("until-time", 1, IMPAIR),
	[MEMTUN_A_CARRIER] = FLAG("carrier", IMPAIR),
	[MEMTUN_A_SEED] = NUMBER("seed", ATTRIBUTE_U64, 0, UINT64_MAX, IMPAIR),
	[MEMTUN_A_FRAME] = NUMBER("frame", ATTRIBUTE_U64, 0, UINT64_MAX, OPTION_REQUEST),
	[MEMTUN_A_DISCARD] = FLAG("discard", OPTION_REQUEST),
	[MEMTUN_A_RULES] = U32("rules", 0, UINT32_MAX, 0),
	[MEMTUN_A_HOLDING] = TEXT("holding", 0),
	/* IMPAIRMENT_FRAMES_MAX of the broker. */
	[MEMTUN_A_LIMIT] = U32("limit", 1, 131072, IMPAIR),
	[MEMTUN_A_FROM_CLIENT_SEEN] = U64("from-client-seen"),
	[MEMTUN_A_TO_CLIENT_SEEN] = U64("to-client-seen"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_LOSS] = U64("from-client-dropped-loss"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_LISTED] = U64("from-client-dropped-listed"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_PMTU] = U64("from-client-dropped-pmtu"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_LINK_DOWN] = U64("from-client-dropped-link-down"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_DISCARDED] = U64("from-client-dropped-discarded"),
	[MEMTUN_A_FROM_CLIENT_DROPPED_WAITING_FULL] = U64("from-client-dropped-waiting-full"),
	[MEMTUN_A_FROM_CLIENT_DUPLICATED] = U64("from-client-duplicated"),
	[MEMTUN_A_FROM_CLIENT_CORRUPTED] = U64("from-client-corrupted"),
	[MEMTUN_A_FROM_CLIENT_TRUNCATED] = U64("from-client-truncated"),
	[MEMTUN_A_FROM_CLIENT_DELAYED] = U64("from-client-delayed"),
	[MEMTUN_A_FROM_CLIENT_REORDERED] = U64("from-client-reordered"),
	[MEMTUN_A_FROM_CLIENT_HELD] = U64("from-client-held"),
	[MEMTUN_A_FROM_CLIENT_WAITING] = U64("from-client-waiting"),
	[MEMTUN_A_TO_CLIENT_DROPPED_LOSS] = U64("to-client-dropped-loss"),
	[MEMTUN_A_TO_CLIENT_DROPPED_LISTED] = U64("to-client-dropped-listed"),
	[MEMTUN_A_TO_CLIENT_DROPPED_PMTU] = U64("to-client-dropped-pmtu"),
	[MEMTUN_A_TO_CLIENT_DROPPED_LINK_DOWN] = U64("to-client-dropped-link-down"),
	[MEMTUN_A_TO_CLIENT_DROPPED_DISCARDED] = U64("to-client-dropped-discarded"),
	[MEMTUN_A_TO_CLIENT_DROPPED_WAITING_FULL] = U64("to-client-dropped-waiting-full"),
	[MEMTUN_A_TO_CLIENT_DUPLICATED] = U64("to-client-duplicated"),
	[MEMTUN_A_TO_CLIENT_CORRUPTED] = U64("to-client-corrupted"),
	[MEMTUN_A_TO_CLIENT_TRUNCATED] = U64("to-client-truncated"),
	[MEMTUN_A_TO_CLIENT_DELAYED] = U64("to-client-delayed"),
	[MEMTUN_A_TO_CLIENT_REORDERED] = U64("to-client-reordered"),
	[MEMTUN_A_TO_CLIENT_HELD] = U64("to-client-held"),
	[MEMTUN_A_TO_CLIENT_WAITING] = U64("to-client-waiting"),
	[MEMTUN_A_NET] = TEXT("net", OPTION_UPLINK),
	[MEMTUN_A_NET6] = TEXT("net6", OPTION_UPLINK),
	[MEMTUN_A_FORWARD] = LIST("forward", OPTION_UPLINK),
	[MEMTUN_A_TFTP] = TEXT("tftp", OPTION_UPLINK),
	[MEMTUN_A_BOOTFILE] = TEXT("bootfile", OPTION_UPLINK),
	[MEMTUN_A_RESTRICT] = FLAG("restrict", OPTION_UPLINK),
};

enum memtun_attribute attribute_find(const char *word)
{
	for (int which = MEMTUN_A_UNSPEC + 1; which < MEMTUN_A_END; which++) {
		if (attributes[which].word && strcmp(attributes[which].word, word) == 0)
			return (enum memtun_attribute)which;
	}
	return MEMTUN_A_UNSPEC;
}
