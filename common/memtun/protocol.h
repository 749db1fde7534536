/* SPDX-License-Identifier: MIT */
/*
 * The numbers of the control protocol; memtun-protocol(7) says what they mean. A record of the
 * SOCK_SEQPACKET control socket is one netlink message: struct nlmsghdr, then struct nlattr's,
 * in host byte order. Numbers are never reused.
 */
#ifndef MEMTUN_PROTOCOL_H
#define MEMTUN_PROTOCOL_H

#include <stdint.h>

/* The version a client says hello with: another major number is another protocol. */
#define MEMTUN_PROTOCOL_MAJOR 1
#define MEMTUN_PROTOCOL_MINOR 0
#define MEMTUN_PROTOCOL_VERSION (MEMTUN_PROTOCOL_MAJOR << 16 | MEMTUN_PROTOCOL_MINOR)

/* The longest record, either way. */
#define MEMTUN_PROTOCOL_MAX_RECORD 32768

/* The longest name of a tunnel or bridge, as IFNAMSIZ has it: 15 bytes and a NUL. */
#define MEMTUN_NAME_SIZE 16

enum memtun_command {
	MEMTUN_CMD_HELLO = 0x10,
	MEMTUN_CMD_TUNNEL_ADD = 0x11,
	MEMTUN_CMD_TUNNEL_SET = 0x12,
	MEMTUN_CMD_TUNNEL_DELETE = 0x13,
	MEMTUN_CMD_TUNNEL_SHOW = 0x14,
	MEMTUN_CMD_QUEUE_OPEN = 0x15,
	MEMTUN_CMD_QUEUE_ATTACH = 0x16,
	MEMTUN_CMD_QUEUE_DETACH = 0x17,
	MEMTUN_CMD_BRIDGE_ADD = 0x18,
	MEMTUN_CMD_BRIDGE_DELETE = 0x19,
	MEMTUN_CMD_BRIDGE_SHOW = 0x1a,
	MEMTUN_CMD_SUBSCRIBE = 0x1b,
	/* From the broker only; its sequence number is 0. */
	MEMTUN_CMD_EVENT = 0x1c,
	MEMTUN_CMD_CAPTURE = 0x1d,
	MEMTUN_CMD_INJECT = 0x1e,
	MEMTUN_CMD_END
};

/* The value of MEMTUN_A_MODE. */
enum memtun_mode {
	MEMTUN_TUN = 1, /* frames are IP packets */
	MEMTUN_TAP = 2, /* frames are Ethernet frames */
};

/* The value of MEMTUN_A_SOCKET. */
enum memtun_socket {
	MEMTUN_SEQPACKET = 1,
	MEMTUN_DGRAM = 2,
	MEMTUN_STREAM = 3, /* each frame after its length: 4 bytes, big-endian */
};

/* The value of MEMTUN_A_OVERFLOW: what gives way when a queue is full. */
enum memtun_overflow {
	MEMTUN_DROP_TAIL = 1, /* the frame that comes */
	MEMTUN_DROP_HEAD = 2, /* the frame that has waited longest */
	MEMTUN_BLOCK = 3,     /* none: who sends it is not read until there is room */
};

/* The value of MEMTUN_A_STATE. */
enum memtun_state {
	MEMTUN_CLOSED = 1,
	MEMTUN_OPEN = 2,
};

/* The value of MEMTUN_A_DIRECTION. */
enum memtun_direction {
	MEMTUN_FROM_CLIENT = 1, /* what the tunnel's client writes */
	MEMTUN_TO_CLIENT = 2,   /* what it is to read */
};

/* The value of MEMTUN_A_EVENT. */
enum memtun_event {
	MEMTUN_EVENT_ADDED = 1,
	MEMTUN_EVENT_CHANGED = 2,
	MEMTUN_EVENT_DELETED = 3,
	MEMTUN_EVENT_OPENED = 4,
	MEMTUN_EVENT_CLOSED = 5,
	MEMTUN_EVENT_BRIDGE_ADDED = 6,
	MEMTUN_EVENT_BRIDGE_DELETED = 7,
	/* Not sent: what a reader of events is given when some were lost. */
	MEMTUN_EVENT_LOST = 8,
};

/* Numbers are u32 unless said otherwise; flags are the number 0 or 1. */
enum memtun_attribute {
	MEMTUN_A_UNSPEC = 0,
	MEMTUN_A_VERSION = 1,      /* major << 16 | minor */
	MEMTUN_A_FEATURES = 2,     /* bits; none is defined yet */
	MEMTUN_A_ID = 3,           /* of the object; never reused */
	MEMTUN_A_NAME = 4,         /* string */
	MEMTUN_A_MODE = 5,         /* enum memtun_mode */
	MEMTUN_A_SOCKET = 6,       /* enum memtun_socket */
	MEMTUN_A_BRIDGE = 7,       /* string; empty: none */
	MEMTUN_A_PEER = 8,         /* string */
	MEMTUN_A_MTU = 9,          /* bytes of packet */
	MEMTUN_A_QUEUE_LIMIT = 10, /* frames that wait for one queue at the most */
	MEMTUN_A_OVERFLOW = 11,    /* enum memtun_overflow */
	MEMTUN_A_PI = 12,          /* flag: struct tun_pi before each frame */
	MEMTUN_A_VNET_HDR = 13,    /* flag: struct virtio_net_hdr before each frame */
	MEMTUN_A_MULTI_QUEUE = 14, /* flag */
	MEMTUN_A_EXCLUSIVE = 15,   /* flag: refuse a name that exists */
	MEMTUN_A_PERSISTENT = 16,  /* flag */
	MEMTUN_A_OWNER = 17,       /* uid */
	MEMTUN_A_COUNT = 18,       /* so many at once */
	MEMTUN_A_HUB = 19,         /* flag: the bridge floods and doesn't learn */
	MEMTUN_A_QUEUES = 20,      /* open queues */
	MEMTUN_A_QUEUE_ID = 21,    /* of one open */
	MEMTUN_A_INODE = 22,       /* u64: of the client end's socket */
	MEMTUN_A_FDS = 23,         /* descriptors that ride with this record */
	MEMTUN_A_STATE = 24,       /* enum memtun_state */
	MEMTUN_A_EVENT = 25,       /* enum memtun_event */
	MEMTUN_A_TIME = 26,        /* u64: CLOCK_MONOTONIC nanoseconds */
	MEMTUN_A_STATISTICS = 27,  /* flag: answer with counters */
	MEMTUN_A_PORTS = 28,       /* of a bridge */
	MEMTUN_A_ADDRESSES = 29,   /* that a bridge has learned */
	MEMTUN_A_HANGUP_SEEN = 30, /* flag: 0 if a killed client of this dgram queue goes unseen */
	MEMTUN_A_DIRECTION = 31,   /* enum memtun_direction */
	/* Counters of a tunnel, all u64, since it was made. */
	MEMTUN_A_FROM_CLIENT_FRAMES = 32,
	MEMTUN_A_FROM_CLIENT_BYTES = 33,
	MEMTUN_A_FROM_CLIENT_DROPPED_EMPTY = 34,
	MEMTUN_A_FROM_CLIENT_DROPPED_RUNT = 35,
	MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE = 36,
	MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED = 37,
	MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION = 38,
	MEMTUN_A_TO_CLIENT_OFFERED = 39,
	MEMTUN_A_TO_CLIENT_FRAMES = 40,
	MEMTUN_A_TO_CLIENT_BYTES = 41,
	MEMTUN_A_TO_CLIENT_QUEUED = 42,
	MEMTUN_A_TO_CLIENT_DROPPED_FULL = 43,
	MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT = 44,
	MEMTUN_A_TO_CLIENT_DROPPED_MTU = 45,
	MEMTUN_A_TO_CLIENT_DROPPED_NEEDS_SEGMENTATION = 46,
	MEMTUN_A_TO_CLIENT_DROPPED_REFUSED = 47, /* by the kernel, or memory was short */
	MEMTUN_A_PLAIN = 48,                     /* flag: a capture without headers */
	MEMTUN_A_TO_CLIENT_UNREAD = 49, /* u64: bytes that its client could read and has not yet */
	MEMTUN_A_END
};

/* Before each frame that comes from a capture's descriptor; host byte order. */
struct memtun_capture_header {
	uint64_t time;      /* CLOCK_REALTIME nanoseconds */
	uint64_t missed;    /* frames that this capture has missed so far, being too slow */
	uint32_t port;      /* the tunnel's id */
	uint32_t direction; /* enum memtun_direction */
};

#endif
