/* SPDX-License-Identifier: MIT */
/*
 * The numbers of the control protocol, which memtun-protocol(7) explains. A record of the
 * SOCK_SEQPACKET control socket is one netlink message: a struct nlmsghdr and its attributes, each
 * with a struct nlattr, in host byte order. Numbers are never reused.
 */
#ifndef MEMTUN_PROTOCOL_H
#define MEMTUN_PROTOCOL_H

#include <stdint.h>

/* The version in a client's hello. A different major number is a different protocol. */
#define MEMTUN_PROTOCOL_MAJOR 1
#define MEMTUN_PROTOCOL_MINOR 0
#define MEMTUN_PROTOCOL_VERSION (MEMTUN_PROTOCOL_MAJOR << 16 | MEMTUN_PROTOCOL_MINOR)

/* The longest record in either direction, in bytes. */
#define MEMTUN_PROTOCOL_RECORD_MAX 32768

/* Bytes for any name of a tunnel, bridge or uplink, with its NUL; the value of IFNAMSIZ. */
#define MEMTUN_NAME_SIZE 16

/* Bytes for any other string, with its NUL; the size of sun_path in struct sockaddr_un. */
#define MEMTUN_TEXT_SIZE 108

/* Bytes for a list, with its NUL. All three of an interface fit in one record with the rest. */
#define MEMTUN_LIST_SIZE 8192

/* The number of a tunnel's interface is this and the tunnel's id. */
#define MEMTUN_INTERFACE_INDEX_MIN (1 << 20)

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
	/* Only the broker sends it, with sequence number 0. */
	MEMTUN_CMD_EVENT = 0x1c,
	MEMTUN_CMD_CAPTURE = 0x1d,
	MEMTUN_CMD_INJECT = 0x1e,
	MEMTUN_CMD_UPLINK_ADD = 0x1f,
	MEMTUN_CMD_UPLINK_DELETE = 0x20,
	MEMTUN_CMD_UPLINK_SHOW = 0x21,
	MEMTUN_CMD_ADDRESS_SHOW = 0x22,
	MEMTUN_CMD_SESSION_SHOW = 0x23,
	MEMTUN_CMD_SESSION_DELETE = 0x24,
	MEMTUN_CMD_UPLINK_SET = 0x25,
	MEMTUN_CMD_HAND_IN = 0x26,
	MEMTUN_CMD_INTERFACE_SET = 0x28,
	MEMTUN_CMD_TUNNEL_RENAME = 0x29,
	MEMTUN_CMD_CLOCK_SHOW = 0x30,
	MEMTUN_CMD_CLOCK_ADVANCE = 0x31,
	MEMTUN_CMD_CLOCK_NEXT = 0x32,
	MEMTUN_CMD_QUIET = 0x33,
	MEMTUN_CMD_IMPAIR_ADD = 0x34,
	MEMTUN_CMD_IMPAIR_SHOW = 0x35,
	MEMTUN_CMD_IMPAIR_SET = 0x36,
	MEMTUN_CMD_IMPAIR_DELETE = 0x37,
	MEMTUN_CMD_IMPAIR_RELEASE = 0x38,
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
	MEMTUN_STREAM = 3, /* before each frame its length: 4 bytes, big-endian */
};

/* The value of MEMTUN_A_OVERFLOW: what happens to a frame for a full queue. */
enum memtun_overflow {
	MEMTUN_DROP_TAIL = 1, /* the frame is dropped */
	MEMTUN_DROP_HEAD = 2, /* the oldest frames in the queue are dropped */
	MEMTUN_BLOCK = 3,     /* it is queued, and its sender is not read until there is room */
};

/* The value of MEMTUN_A_STATE. */
enum memtun_state {
	/* The states of a tunnel and of a session. */
	MEMTUN_CLOSED = 1,
	MEMTUN_OPEN = 2,
	/* The states of an uplink. */
	MEMTUN_UP = 3,
	MEMTUN_DOWN = 4,
};

/* The value of MEMTUN_A_DIRECTION. */
enum memtun_direction {
	MEMTUN_FROM_CLIENT = 1, /* frames that the tunnel's client writes */
	MEMTUN_TO_CLIENT = 2,   /* frames for the tunnel's client */
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
	/* Never sent by the broker: libmemtun reports it when events were lost. */
	MEMTUN_EVENT_LOST = 8,
	MEMTUN_EVENT_UPLINK_ADDED = 9,
	MEMTUN_EVENT_UPLINK_DELETED = 10,
	MEMTUN_EVENT_UPLINK_UP = 11,
	MEMTUN_EVENT_UPLINK_DOWN = 12,
	MEMTUN_EVENT_ADDRESS_MOVING = 13,
	MEMTUN_EVENT_PORT_SHUT = 14,
	MEMTUN_EVENT_PORT_REOPENED = 15,
	MEMTUN_EVENT_UPLINK_CHANGED = 16,
	MEMTUN_EVENT_IMPAIR_ADDED = 19,
	MEMTUN_EVENT_IMPAIR_CHANGED = 20,
	MEMTUN_EVENT_IMPAIR_DELETED = 21,
	MEMTUN_EVENT_UPLINK_REFUSED = 23,
};

/* The value of MEMTUN_A_DISTRIBUTION: the distribution of the jitter. */
enum memtun_distribution {
	MEMTUN_UNIFORM = 1, /* the jitter is the maximum of the offset from the mean */
	MEMTUN_NORMAL = 2,  /* the jitter is the standard deviation, also of the next */
	MEMTUN_PARETO = 3,
};

/* The value of MEMTUN_A_TYPE: what the uplink connects its bridge to. */
enum memtun_uplink_type {
	MEMTUN_UPLINK_MCAST = 1,   /* a multicast LAN of User Mode Linux and QEMU */
	MEMTUN_UPLINK_KERNEL = 2,  /* a TUN or TAP interface of the kernel */
	MEMTUN_UPLINK_VDE = 3,     /* a VDE switch */
	MEMTUN_UPLINK_BESS = 4,    /* a SEQPACKET socket: slirp4netns, User Mode Linux */
	MEMTUN_UPLINK_STREAM = 5,  /* a STREAM socket, each frame after its length: QEMU, passt */
	MEMTUN_UPLINK_DGRAM = 6,   /* a DGRAM socket that is bound to a path: QEMU */
	MEMTUN_UPLINK_UDP = 7,     /* UDP datagrams between two addresses: QEMU */
	MEMTUN_UPLINK_VXLAN = 8,   /* VXLAN, RFC 7348 */
	MEMTUN_UPLINK_FD = 9,      /* a descriptor that the client hands in */
	MEMTUN_UPLINK_DEVICE = 10, /* the same, which must be of a TUN or TAP device */
	MEMTUN_UPLINK_USER = 11,   /* a network of its own by libslirp, in memtun-user */
};

/* The value of MEMTUN_A_ALLOW: the users whose programs may connect to a listening uplink. */
enum memtun_allow {
	MEMTUN_ALLOW_OWN = 1, /* the broker's own user, and root */
	MEMTUN_ALLOW_ANY = 2,
};

/* The value of MEMTUN_A_BACKEND: what a tunnel's descriptors refer to. */
enum memtun_backend {
	MEMTUN_MEMORY = 1, /* socketpairs of the broker */
	MEMTUN_KERNEL = 2, /* an interface of the kernel */
};

/* The value of MEMTUN_A_CLOCK: the clock that delays, ageing and neighbour timers follow. */
enum memtun_clock {
	MEMTUN_CLOCK_REAL = 1,   /* CLOCK_MONOTONIC */
	MEMTUN_CLOCK_MANUAL = 2, /* it moves by requests only */
};

/* The value of MEMTUN_A_LIFE: the descriptor whose end deletes an uplink of type fd. */
enum memtun_life {
	MEMTUN_LIFE_PROCESS = 1, /* a pidfd: the process has ended */
	MEMTUN_LIFE_PIPE = 2,    /* all descriptors of the pipe's other end are closed */
	MEMTUN_LIFE_SOCKET = 3,  /* the UNIX socket's peer is closed or sends no more */
};

/*
 * An attribute's type is u32 unless its comment has another. A flag is the u32 0 or 1. Those from 64
 * to 111 and from 180 up occur in replies and events only, but MEMTUN_A_VLAN also in requests.
 */
enum memtun_attribute {
	MEMTUN_A_UNSPEC = 0,
	MEMTUN_A_VERSION = 1,      /* major << 16 | minor */
	MEMTUN_A_FEATURES = 2,     /* bits; no bit is defined yet */
	MEMTUN_A_ID = 3,           /* the object's id, which is never reused */
	MEMTUN_A_NAME = 4,         /* string */
	MEMTUN_A_MODE = 5,         /* enum memtun_mode */
	MEMTUN_A_SOCKET = 6,       /* enum memtun_socket */
	MEMTUN_A_BRIDGE = 7,       /* string; empty: no bridge */
	MEMTUN_A_PEER = 8,         /* string */
	MEMTUN_A_MTU = 9,          /* bytes, without the Ethernet header */
	MEMTUN_A_QUEUE_LIMIT = 10, /* max frames that wait for one queue */
	MEMTUN_A_OVERFLOW = 11,    /* enum memtun_overflow */
	MEMTUN_A_PI = 12,          /* flag: struct tun_pi is before each frame */
	MEMTUN_A_VNET_HDR = 13,    /* flag: struct virtio_net_hdr is before each frame */
	MEMTUN_A_MULTI_QUEUE = 14, /* flag: the tunnel may have several queues */
	MEMTUN_A_EXCLUSIVE = 15,   /* flag: a name that exists is refused */
	MEMTUN_A_PERSISTENT = 16,  /* flag: the tunnel stays without queues */
	MEMTUN_A_OWNER = 17,       /* uid */
	MEMTUN_A_COUNT = 18,       /* how many tunnels to make */
	MEMTUN_A_HUB = 19,         /* flag: the bridge floods and does not learn */
	MEMTUN_A_QUEUES = 20,      /* how many queues are open */
	MEMTUN_A_QUEUE_ID = 21,    /* the queue's id */
	MEMTUN_A_INODE = 22,       /* u64: inode of the client end's socket */
	MEMTUN_A_FDS = 23,         /* how many descriptors are with this record */
	MEMTUN_A_STATE = 24,       /* enum memtun_state */
	MEMTUN_A_EVENT = 25,       /* enum memtun_event */
	MEMTUN_A_TIME = 26,        /* u64: CLOCK_MONOTONIC, nanoseconds */
	MEMTUN_A_STATISTICS = 27,  /* flag: the reply is to have counters */
	MEMTUN_A_PORTS = 28,       /* how many ports a bridge has */
	MEMTUN_A_ADDRESSES = 29,   /* how many addresses a bridge has learned */
	MEMTUN_A_HANGUP_SEEN = 30, /* flag: 0 if the broker cannot detect this dgram client's end */
	MEMTUN_A_DIRECTION = 31,   /* enum memtun_direction */
	MEMTUN_A_TYPE = 32,        /* enum memtun_uplink_type */
	MEMTUN_A_GROUP = 33,       /* string: a multicast address */
	MEMTUN_A_PORT = 34,        /* UDP port */
	MEMTUN_A_IFADDR = 35,      /* string: an address of the interface to use */
	MEMTUN_A_TTL = 36,         /* IP_MULTICAST_TTL, or IP_TTL of a vxlan with a remote */
	MEMTUN_A_LOOP = 37,        /* flag: the uplink also receives its own frames */
	MEMTUN_A_PATH = 38,        /* string, as the next four; the path of a socket */
	MEMTUN_A_REMOTE = 39,      /* ADDRESS:PORT, an address or a path */
	MEMTUN_A_LOCAL = 40,       /* ADDRESS:PORT or an address */
	MEMTUN_A_ADDRESS = 41, /* addresses with '+' between them, each with an optional prefix */
	MEMTUN_A_GATEWAY = 42, /* addresses with '+' between them */
	MEMTUN_A_VNI = 43,     /* VXLAN network identifier */
	MEMTUN_A_DEVICE = 44,  /* string: a kernel interface */
	MEMTUN_A_BACKEND = 45, /* enum memtun_backend */
	MEMTUN_A_PLAIN = 48,   /* flag: a capture without headers */
	MEMTUN_A_LOOP_GUARD = 49, /* flag: the bridge shuts ports to end a loop */
	MEMTUN_A_HAND_IN = 50,    /* the id of a hand-in */
	MEMTUN_A_OFFLOAD = 51,    /* TUN_F_* bits of TUNSETOFFLOAD: frames that the client takes */
	MEMTUN_A_VNET_HDR_SIZE = 52,      /* bytes of the vnet header, 10 to 20 */
	MEMTUN_A_INTERFACE_REVISION = 53, /* of the interface; see memtun-protocol(7) */
	MEMTUN_A_NEW_NAME = 56,           /* string */
	/* The interface that programs see in place of a tunnel: see memtun-protocol(7). */
	MEMTUN_A_INTERFACE_FLAGS = 57,     /* IFF_*, or'ed */
	MEMTUN_A_INTERFACE_TXQLEN = 58,    /* frames */
	MEMTUN_A_INTERFACE_MAC = 59,       /* string, as the next three */
	MEMTUN_A_INTERFACE_ADDRESS = 60,   /* addresses with '+' between them, or "none" */
	MEMTUN_A_INTERFACE_ROUTE = 61,     /* routes with '+' between them, or "none" */
	MEMTUN_A_INTERFACE_NEIGHBOUR = 62, /* neighbours with '+' between them, or "none" */
	MEMTUN_A_INTERFACE_CARRIER = 63,   /* flag */
	/* The counters of a port since it was made, all u64. */
	MEMTUN_A_FROM_CLIENT_FRAMES = 64,
	MEMTUN_A_FROM_CLIENT_BYTES = 65,
	MEMTUN_A_FROM_CLIENT_DROPPED_EMPTY = 66,
	MEMTUN_A_FROM_CLIENT_DROPPED_RUNT = 67,
	MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE = 68,
	MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED = 69,
	MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION = 70,
	MEMTUN_A_FROM_CLIENT_DROPPED_OVERRUN = 71,    /* by the kernel: its buffer was full */
	MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN = 72,    /* from another sender or network */
	MEMTUN_A_FROM_CLIENT_DROPPED_UNRESOLVED = 73, /* no neighbour replied to the probes */
	MEMTUN_A_TO_CLIENT_OFFERED = 74,
	MEMTUN_A_TO_CLIENT_FRAMES = 75,
	MEMTUN_A_TO_CLIENT_BYTES = 76,
	MEMTUN_A_TO_CLIENT_QUEUED = 77,
	MEMTUN_A_TO_CLIENT_DROPPED_FULL = 78,
	MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT = 79,
	MEMTUN_A_TO_CLIENT_DROPPED_MTU = 80,
	MEMTUN_A_TO_CLIENT_DROPPED_NEEDS_SEGMENTATION = 81,
	MEMTUN_A_TO_CLIENT_DROPPED_REFUSED = 82, /* by the kernel, or for lack of memory */
	MEMTUN_A_TO_CLIENT_DROPPED_NOT_IP = 83,  /* for a TUN's adapter: not IP for the TUN */
	MEMTUN_A_TO_CLIENT_COPIED_BYTES = 84,    /* bytes copied because frames had to wait */
	MEMTUN_A_TO_CLIENT_UNREAD = 85,          /* u64: bytes that the client has yet to read */
	MEMTUN_A_MAC = 86,                       /* string: MAC of a TUN's adapter */
	MEMTUN_A_VLAN = 87,     /* VLAN id of an access port or an address; 0: none */
	MEMTUN_A_AGE = 88,      /* u64: nanoseconds since an address was last seen */
	MEMTUN_A_CONNECTS = 89, /* u64: how often an uplink has come up */
	MEMTUN_A_REASON = 90,   /* string: why an uplink is down */
	MEMTUN_A_PID = 91,      /* a process: see memtun-protocol(7) */
	MEMTUN_A_PROGRAM = 92,  /* string: the name of that process's program */
	MEMTUN_A_CAPTURES = 93,
	MEMTUN_A_INJECTORS = 94,
	MEMTUN_A_SUBSCRIPTIONS = 95, /* to events */
	MEMTUN_A_QUEUED_BYTES = 96,  /* u64: bytes that wait in the broker for the client */
	MEMTUN_A_ADDRESS_MOVES = 97, /* u64: how often addresses moved between a bridge's ports */
	MEMTUN_A_LOOP_SHUT = 98,     /* flag: the loop guard has shut the port */
	MEMTUN_A_CHANGED = 99,       /* string: keys that were set, joined with a comma */
	MEMTUN_A_LIFE = 100,         /* enum memtun_life */
	MEMTUN_A_HAND_INS = 101,     /* how many hand-ins of a session are open */
	MEMTUN_A_INTERFACE_INDEX = 110,
	MEMTUN_A_FORMER_NAME = 111, /* string: the tunnel's name before it was renamed */
	MEMTUN_A_CLOCK = 112,       /* enum memtun_clock */
	MEMTUN_A_CLOCK_TIME = 113,  /* u64: what the clock shows, nanoseconds */
	MEMTUN_A_CLOCK_NEXT = 114,  /* u64: what it shows when the next event is due */
	MEMTUN_A_DUE = 115,         /* how many events are to come */
	MEMTUN_A_MOVE = 116,        /* u64: by how much the clock moves, nanoseconds */
	MEMTUN_A_NAMES = 117,       /* string: names with ',' between them */
	MEMTUN_A_IDLE = 118,        /* u64: for how long no frame may have come, nanoseconds */
	MEMTUN_A_TIME_LIMIT = 119,  /* u64: how long to wait at most, nanoseconds */
	/* A rule that impairs a port: see memtun-impair(7). A percentage is in billionths. */
	MEMTUN_A_RULE = 120,         /* the rule's number on its port */
	MEMTUN_A_MATCH = 121,        /* string: the filter as it was written */
	MEMTUN_A_MATCH_CODE = 122,   /* string: the filter as `tcpdump -ddd` prints it */
	MEMTUN_A_DELAY = 123,        /* u64: nanoseconds */
	MEMTUN_A_JITTER = 124,       /* u64: nanoseconds */
	MEMTUN_A_DISTRIBUTION = 125, /* enum memtun_distribution */
	MEMTUN_A_ORDERED = 126,      /* flag: jitter does not reorder */
	MEMTUN_A_LOSS = 127,         /* percentage */
	MEMTUN_A_LOSS_BURST = 128,   /* thousandths: the mean of frames lost in a row */
	MEMTUN_A_DUPLICATE = 129,    /* percentage, as the next three */
	MEMTUN_A_CORRUPT = 130,
	MEMTUN_A_TRUNCATE = 131,
	MEMTUN_A_REORDER = 132,
	MEMTUN_A_GAP = 133,        /* at most one in this number of frames is reordered */
	MEMTUN_A_RATE = 134,       /* u64: bits per second */
	MEMTUN_A_DROP = 135,       /* string: frame numbers and ranges with '+' between them */
	MEMTUN_A_PMTU = 136,       /* bytes of packet */
	MEMTUN_A_ICMP = 137,       /* flag: tell the sender of a packet that is too long */
	MEMTUN_A_HOLD = 138,       /* flag: keep frames until they are released */
	MEMTUN_A_UNTIL = 139,      /* u64: the last frame, in each direction */
	MEMTUN_A_UNTIL_TIME = 140, /* u64: how long the rule lasts, nanoseconds */
	MEMTUN_A_CARRIER = 141,    /* flag */
	MEMTUN_A_SEED = 142,       /* u64 */
	MEMTUN_A_FRAME = 143,      /* u64: the number of a frame to release; 0: all */
	MEMTUN_A_DISCARD = 144,    /* flag: drop the frames that are released */
	MEMTUN_A_RULES = 145,      /* how many rules impair a port */
	MEMTUN_A_HOLDING = 146,    /* string: the numbers of the frames that are held */
	/* The frames that have reached a rule, u64. */
	MEMTUN_A_FROM_CLIENT_SEEN = 147,
	MEMTUN_A_TO_CLIENT_SEEN = 148,
	MEMTUN_A_LIMIT = 149,    /* how many frames of a rule may wait, in each direction */
	MEMTUN_A_DETAILED = 150, /* flag: a capture with struct memtun_capture_details */
	MEMTUN_A_FAULTS = 151,   /* flag: the same, and it has what was dropped, too */
	/* Listening uplinks, and the ports of their peers. */
	MEMTUN_A_LISTEN = 155,       /* string: PATH, @NAME or ADDRESS:PORT to listen on */
	MEMTUN_A_MAX = 156,          /* how many peers may be connected */
	MEMTUN_A_ALLOW = 157,        /* enum memtun_allow */
	MEMTUN_A_SOCKET_MODE = 158,  /* string: octal mode of the socket's file */
	MEMTUN_A_SOCKET_GROUP = 159, /* string: gid of the socket's file, in digits */
	MEMTUN_A_LISTENER = 160,  /* string, from here on in answers: a port's listening uplink */
	MEMTUN_A_UID = 161,       /* the user of a peer */
	MEMTUN_A_CONNECTED = 162, /* how many peers are connected now */
	MEMTUN_A_ACCEPTED = 163,  /* u64: peers that became ports */
	MEMTUN_A_REFUSED = 164,   /* u64: peers that did not */
	MEMTUN_A_NET = 165,       /* string, as the next four: ADDRESS/PREFIX */
	MEMTUN_A_NET6 = 166,      /* PREFIX6/64 */
	MEMTUN_A_FORWARD = 167,   /* tcp|udp/LOCAL:PORT/ADDRESS:PORT with '+' between them */
	MEMTUN_A_TFTP = 168,      /* a directory */
	MEMTUN_A_BOOTFILE = 169,  /* what DHCP gives */
	MEMTUN_A_RESTRICT = 170,  /* flag: nothing goes out */
	/* More counters of a port, all u64: what its rules did. The two blocks have the same order. */
	MEMTUN_A_FROM_CLIENT_DROPPED_LOSS = 180,         /* by `loss` */
	MEMTUN_A_FROM_CLIENT_DROPPED_LISTED = 181,       /* by `drop` */
	MEMTUN_A_FROM_CLIENT_DROPPED_PMTU = 182,         /* longer than `pmtu` */
	MEMTUN_A_FROM_CLIENT_DROPPED_LINK_DOWN = 183,    /* by `carrier off` */
	MEMTUN_A_FROM_CLIENT_DROPPED_DISCARDED = 184,    /* waited, and were released with `drop` */
	MEMTUN_A_FROM_CLIENT_DROPPED_WAITING_FULL = 185, /* too many waited */
	MEMTUN_A_FROM_CLIENT_DUPLICATED = 186,           /* frames that passed twice */
	MEMTUN_A_FROM_CLIENT_CORRUPTED = 187,
	MEMTUN_A_FROM_CLIENT_TRUNCATED = 188,
	MEMTUN_A_FROM_CLIENT_DELAYED = 189,
	MEMTUN_A_FROM_CLIENT_REORDERED = 190,
	MEMTUN_A_FROM_CLIENT_HELD = 191,
	MEMTUN_A_FROM_CLIENT_WAITING = 192, /* delayed or held now */
	MEMTUN_A_TO_CLIENT_DROPPED_LOSS = 193,
	MEMTUN_A_TO_CLIENT_DROPPED_LISTED = 194,
	MEMTUN_A_TO_CLIENT_DROPPED_PMTU = 195,
	MEMTUN_A_TO_CLIENT_DROPPED_LINK_DOWN = 196,
	MEMTUN_A_TO_CLIENT_DROPPED_DISCARDED = 197,
	MEMTUN_A_TO_CLIENT_DROPPED_WAITING_FULL = 198,
	MEMTUN_A_TO_CLIENT_DUPLICATED = 199,
	MEMTUN_A_TO_CLIENT_CORRUPTED = 200,
	MEMTUN_A_TO_CLIENT_TRUNCATED = 201,
	MEMTUN_A_TO_CLIENT_DELAYED = 202,
	MEMTUN_A_TO_CLIENT_REORDERED = 203,
	MEMTUN_A_TO_CLIENT_HELD = 204,
	MEMTUN_A_TO_CLIENT_WAITING = 205,
	MEMTUN_A_END
};

/* Comes before each frame in a read of a capture's descriptor. Host byte order. */
struct memtun_capture_header {
	uint64_t time;      /* CLOCK_REALTIME, nanoseconds */
	uint64_t missed;    /* frames so far that the reader was too slow for */
	uint32_t port;      /* id of the tunnel or uplink */
	uint16_t direction; /* enum memtun_direction */
	uint16_t mode;      /* enum memtun_mode of the frame; on a bridge, of the bridge */
};

/* The maximum of reasons in a capture's record. */
#define MEMTUN_CAPTURE_REASONS 8

/* A bit of memtun_capture_details.flags: the broker has a manual clock, and `clock` is its time. */
#define MEMTUN_CAPTURE_CLOCK 1

/*
 * Comes before each frame in place of struct memtun_capture_header if the request had DETAILED or
 * FAULTS = 1. With FAULTS, a frame that was dropped or impaired has a record of its own, with the
 * reasons. Host byte order.
 */
struct memtun_capture_details {
	struct memtun_capture_header header;
	uint64_t frame;  /* the same in each record about this frame, its copies and its pieces */
	uint64_t clock;  /* nanoseconds */
	uint64_t seed;   /* of the rule */
	uint64_t number; /* of the frame among those that have reached the rule, from 1 */
	uint32_t rule;   /* 0: none */
	uint16_t size;   /* of this struct, bytes: the frame is behind them */
	uint16_t flags;
	/* The counters (enum memtun_attribute) that the frame was counted in; then 0. None: it was on
	 * its way. */
	uint16_t reasons[MEMTUN_CAPTURE_REASONS];
};

/*
 * What an injector's descriptor yields after shutdown(SHUT_WR): the number of frames, and of those
 * that the tunnel dropped at once. The names are those of the tunnel's counters. A frame that the
 * broker cuts counts once in `frames`, and with each of its pieces in the others. Host byte order.
 */
struct memtun_inject_result {
	uint64_t frames;
	uint64_t dropped_no_client;
	uint64_t dropped_mtu;
	uint64_t dropped_not_ip;
	uint64_t dropped_needs_segmentation;
	uint64_t dropped_refused; /* also records that are no valid frames */
	uint64_t offered;         /* frames and pieces for the tunnel's client */
};

#endif
