// SPDX-License-Identifier: MIT
//! The table of attributes: the number of each, its key on memtun's command line and in its JSON,
//! and what its value is.

use crate::words::*;

/// What the value of an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number of 4 or 8 bytes.
    Number,
    /// A number that is 0 or 1.
    Flag,
    /// UTF-8 and a 0 byte.
    Text,
    /// A number that stands for one of these words.
    Word(&'static [(u32, &'static str)]),
    /// Nanoseconds.
    Time,
    /// Billionths.
    Percent,
    /// Thousandths.
    Thousandths,
}

impl Kind {
    pub(crate) fn is_text(self) -> bool {
        self == Kind::Text
    }
}

/// One attribute.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) number: u16,
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
}

/// Define the table, and a constant for the number of each attribute.
macro_rules! attributes {
    ($($name:ident = $number:literal, $key:literal, $kind:expr;)+) => {
        /// The numbers of the attributes. Not all are used by name.
        #[allow(dead_code)]
        mod numbers {
            $(pub(crate) const $name: u16 = $number;)+
        }
        pub(crate) use numbers::*;

        /// All attributes, in the order of their numbers.
        pub(crate) static ATTRIBUTES: &[Attribute] = &[
            $(Attribute { number: $number, key: $key, kind: $kind },)+
        ];
    };
}

attributes! {
    VERSION = 1, "version", Kind::Number;
    FEATURES = 2, "features", Kind::Number;
    ID = 3, "id", Kind::Number;
    NAME = 4, "name", Kind::Text;
    MODE = 5, "mode", Kind::Word(Mode::WORDS);
    SOCKET = 6, "socket", Kind::Word(Socket::WORDS);
    BRIDGE = 7, "bridge", Kind::Text;
    PEER = 8, "peer", Kind::Text;
    MTU = 9, "mtu", Kind::Number;
    QUEUE_LIMIT = 10, "queue", Kind::Number;
    OVERFLOW = 11, "overflow", Kind::Word(Overflow::WORDS);
    PI = 12, "pi", Kind::Flag;
    VNET_HDR = 13, "vnet_hdr", Kind::Flag;
    MULTI_QUEUE = 14, "multi_queue", Kind::Flag;
    EXCLUSIVE = 15, "exclusive", Kind::Flag;
    PERSISTENT = 16, "persistent", Kind::Flag;
    OWNER = 17, "owner", Kind::Number;
    COUNT = 18, "count", Kind::Number;
    HUB = 19, "hub", Kind::Flag;
    QUEUES = 20, "queues", Kind::Number;
    QUEUE_ID = 21, "queue-id", Kind::Number;
    INODE = 22, "inode", Kind::Number;
    FDS = 23, "fds", Kind::Number;
    STATE = 24, "state", Kind::Word(State::WORDS);
    EVENT = 25, "event", Kind::Word(EventKind::WORDS);
    TIME = 26, "time", Kind::Time;
    STATISTICS = 27, "statistics", Kind::Flag;
    PORTS = 28, "ports", Kind::Number;
    ADDRESSES = 29, "addresses", Kind::Number;
    HANGUP_SEEN = 30, "hangup-seen", Kind::Flag;
    DIRECTION = 31, "direction", Kind::Word(Direction::WORDS);
    TYPE = 32, "type", Kind::Word(UplinkType::WORDS);
    GROUP = 33, "group", Kind::Text;
    PORT = 34, "port", Kind::Number;
    IFADDR = 35, "ifaddr", Kind::Text;
    TTL = 36, "ttl", Kind::Number;
    LOOP = 37, "loop", Kind::Flag;
    PATH = 38, "path", Kind::Text;
    REMOTE = 39, "remote", Kind::Text;
    LOCAL = 40, "local", Kind::Text;
    ADDRESS = 41, "address", Kind::Text;
    GATEWAY = 42, "gateway", Kind::Text;
    VNI = 43, "vni", Kind::Number;
    DEVICE = 44, "device", Kind::Text;
    BACKEND = 45, "backend", Kind::Word(Backend::WORDS);
    PLAIN = 48, "plain", Kind::Flag;
    LOOP_GUARD = 49, "loop-guard", Kind::Flag;
    HAND_IN = 50, "hand-in", Kind::Number;
    OFFLOAD = 51, "offload", Kind::Number;
    VNET_HDR_SIZE = 52, "vnet_hdr_size", Kind::Number;
    INTERFACE_REVISION = 53, "interface-revision", Kind::Number;
    NEW_NAME = 56, "new-name", Kind::Text;
    INTERFACE_FLAGS = 57, "interface-flags", Kind::Number;
    INTERFACE_TXQLEN = 58, "interface-txqlen", Kind::Number;
    INTERFACE_MAC = 59, "interface-mac", Kind::Text;
    INTERFACE_ADDRESS = 60, "interface-address", Kind::Text;
    INTERFACE_ROUTE = 61, "interface-route", Kind::Text;
    INTERFACE_NEIGHBOUR = 62, "interface-neighbour", Kind::Text;
    INTERFACE_CARRIER = 63, "interface-carrier", Kind::Flag;
    FROM_CLIENT_FRAMES = 64, "from-client-frames", Kind::Number;
    FROM_CLIENT_BYTES = 65, "from-client-bytes", Kind::Number;
    FROM_CLIENT_DROPPED_EMPTY = 66, "from-client-dropped-empty", Kind::Number;
    FROM_CLIENT_DROPPED_RUNT = 67, "from-client-dropped-runt", Kind::Number;
    FROM_CLIENT_DROPPED_OVERSIZE = 68, "from-client-dropped-oversize", Kind::Number;
    FROM_CLIENT_DROPPED_MALFORMED = 69, "from-client-dropped-malformed", Kind::Number;
    FROM_CLIENT_DROPPED_NO_DESTINATION = 70, "from-client-dropped-no-destination", Kind::Number;
    FROM_CLIENT_DROPPED_OVERRUN = 71, "from-client-dropped-overrun", Kind::Number;
    FROM_CLIENT_DROPPED_FOREIGN = 72, "from-client-dropped-foreign", Kind::Number;
    FROM_CLIENT_DROPPED_UNRESOLVED = 73, "from-client-dropped-unresolved", Kind::Number;
    TO_CLIENT_OFFERED = 74, "to-client-offered", Kind::Number;
    TO_CLIENT_FRAMES = 75, "to-client-frames", Kind::Number;
    TO_CLIENT_BYTES = 76, "to-client-bytes", Kind::Number;
    TO_CLIENT_QUEUED = 77, "to-client-queued", Kind::Number;
    TO_CLIENT_DROPPED_FULL = 78, "to-client-dropped-full", Kind::Number;
    TO_CLIENT_DROPPED_NO_CLIENT = 79, "to-client-dropped-no-client", Kind::Number;
    TO_CLIENT_DROPPED_MTU = 80, "to-client-dropped-mtu", Kind::Number;
    TO_CLIENT_DROPPED_NEEDS_SEGMENTATION = 81, "to-client-dropped-needs-segmentation", Kind::Number;
    TO_CLIENT_DROPPED_REFUSED = 82, "to-client-dropped-refused", Kind::Number;
    TO_CLIENT_DROPPED_NOT_IP = 83, "to-client-dropped-not-ip", Kind::Number;
    TO_CLIENT_COPIED_BYTES = 84, "to-client-copied-bytes", Kind::Number;
    TO_CLIENT_UNREAD = 85, "to-client-unread", Kind::Number;
    MAC = 86, "mac", Kind::Text;
    VLAN = 87, "vlan", Kind::Number;
    AGE = 88, "age", Kind::Time;
    CONNECTS = 89, "connects", Kind::Number;
    REASON = 90, "reason", Kind::Text;
    PID = 91, "pid", Kind::Number;
    PROGRAM = 92, "program", Kind::Text;
    CAPTURES = 93, "captures", Kind::Number;
    INJECTORS = 94, "injectors", Kind::Number;
    SUBSCRIPTIONS = 95, "subscriptions", Kind::Number;
    QUEUED_BYTES = 96, "queued-bytes", Kind::Number;
    ADDRESS_MOVES = 97, "address-moves", Kind::Number;
    LOOP_SHUT = 98, "loop-shut", Kind::Flag;
    CHANGED = 99, "changed", Kind::Text;
    LIFE = 100, "life", Kind::Word(Life::WORDS);
    HAND_INS = 101, "hand-ins", Kind::Number;
    INTERFACE_INDEX = 110, "interface-index", Kind::Number;
    FORMER_NAME = 111, "former-name", Kind::Text;
    CLOCK = 112, "clock", Kind::Word(ClockKind::WORDS);
    CLOCK_TIME = 113, "clock-time", Kind::Time;
    CLOCK_NEXT = 114, "clock-next", Kind::Time;
    DUE = 115, "due", Kind::Number;
    MOVE = 116, "move", Kind::Time;
    NAMES = 117, "names", Kind::Text;
    IDLE = 118, "idle", Kind::Time;
    TIME_LIMIT = 119, "time-limit", Kind::Time;
    RULE = 120, "rule", Kind::Number;
    MATCH = 121, "match", Kind::Text;
    MATCH_CODE = 122, "match-code", Kind::Text;
    DELAY = 123, "delay", Kind::Time;
    JITTER = 124, "jitter", Kind::Time;
    DISTRIBUTION = 125, "distribution", Kind::Word(Distribution::WORDS);
    ORDERED = 126, "ordered", Kind::Flag;
    LOSS = 127, "loss", Kind::Percent;
    LOSS_BURST = 128, "loss-burst", Kind::Thousandths;
    DUPLICATE = 129, "duplicate", Kind::Percent;
    CORRUPT = 130, "corrupt", Kind::Percent;
    TRUNCATE = 131, "truncate", Kind::Percent;
    REORDER = 132, "reorder", Kind::Percent;
    GAP = 133, "gap", Kind::Number;
    RATE = 134, "rate", Kind::Number;
    DROP = 135, "drop", Kind::Text;
    PMTU = 136, "pmtu", Kind::Number;
    ICMP = 137, "icmp", Kind::Flag;
    HOLD = 138, "hold", Kind::Flag;
    UNTIL = 139, "until", Kind::Number;
    UNTIL_TIME = 140, "until-time", Kind::Time;
    CARRIER = 141, "carrier", Kind::Flag;
    SEED = 142, "seed", Kind::Number;
    FRAME = 143, "frame", Kind::Number;
    DISCARD = 144, "discard", Kind::Flag;
    RULES = 145, "rules", Kind::Number;
    HOLDING = 146, "holding", Kind::Text;
    FROM_CLIENT_SEEN = 147, "from-client-seen", Kind::Number;
    TO_CLIENT_SEEN = 148, "to-client-seen", Kind::Number;
    LIMIT = 149, "limit", Kind::Number;
    DETAILED = 150, "detailed", Kind::Flag;
    FAULTS = 151, "faults", Kind::Flag;
    LISTEN = 155, "listen", Kind::Text;
    MAX = 156, "max", Kind::Number;
    ALLOW = 157, "allow", Kind::Word(Allow::WORDS);
    SOCKET_MODE = 158, "socket-mode", Kind::Text;
    SOCKET_GROUP = 159, "socket-group", Kind::Text;
    LISTENER = 160, "listener", Kind::Text;
    UID = 161, "uid", Kind::Number;
    CONNECTED = 162, "connected", Kind::Number;
    ACCEPTED = 163, "accepted", Kind::Number;
    REFUSED = 164, "refused", Kind::Number;
    NET = 165, "net", Kind::Text;
    NET6 = 166, "net6", Kind::Text;
    FORWARD = 167, "forward", Kind::Text;
    TFTP = 168, "tftp", Kind::Text;
    BOOTFILE = 169, "bootfile", Kind::Text;
    RESTRICT = 170, "restrict", Kind::Flag;
    FROM_CLIENT_DROPPED_LOSS = 180, "from-client-dropped-loss", Kind::Number;
    FROM_CLIENT_DROPPED_LISTED = 181, "from-client-dropped-listed", Kind::Number;
    FROM_CLIENT_DROPPED_PMTU = 182, "from-client-dropped-pmtu", Kind::Number;
    FROM_CLIENT_DROPPED_LINK_DOWN = 183, "from-client-dropped-link-down", Kind::Number;
    FROM_CLIENT_DROPPED_DISCARDED = 184, "from-client-dropped-discarded", Kind::Number;
    FROM_CLIENT_DROPPED_WAITING_FULL = 185, "from-client-dropped-waiting-full", Kind::Number;
    FROM_CLIENT_DUPLICATED = 186, "from-client-duplicated", Kind::Number;
    FROM_CLIENT_CORRUPTED = 187, "from-client-corrupted", Kind::Number;
    FROM_CLIENT_TRUNCATED = 188, "from-client-truncated", Kind::Number;
    FROM_CLIENT_DELAYED = 189, "from-client-delayed", Kind::Number;
    FROM_CLIENT_REORDERED = 190, "from-client-reordered", Kind::Number;
    FROM_CLIENT_HELD = 191, "from-client-held", Kind::Number;
    FROM_CLIENT_WAITING = 192, "from-client-waiting", Kind::Number;
    TO_CLIENT_DROPPED_LOSS = 193, "to-client-dropped-loss", Kind::Number;
    TO_CLIENT_DROPPED_LISTED = 194, "to-client-dropped-listed", Kind::Number;
    TO_CLIENT_DROPPED_PMTU = 195, "to-client-dropped-pmtu", Kind::Number;
    TO_CLIENT_DROPPED_LINK_DOWN = 196, "to-client-dropped-link-down", Kind::Number;
    TO_CLIENT_DROPPED_DISCARDED = 197, "to-client-dropped-discarded", Kind::Number;
    TO_CLIENT_DROPPED_WAITING_FULL = 198, "to-client-dropped-waiting-full", Kind::Number;
    TO_CLIENT_DUPLICATED = 199, "to-client-duplicated", Kind::Number;
    TO_CLIENT_CORRUPTED = 200, "to-client-corrupted", Kind::Number;
    TO_CLIENT_TRUNCATED = 201, "to-client-truncated", Kind::Number;
    TO_CLIENT_DELAYED = 202, "to-client-delayed", Kind::Number;
    TO_CLIENT_REORDERED = 203, "to-client-reordered", Kind::Number;
    TO_CLIENT_HELD = 204, "to-client-held", Kind::Number;
    TO_CLIENT_WAITING = 205, "to-client-waiting", Kind::Number;
}

/// Return the attribute of a number, if this version knows it.
pub(crate) fn find(number: u16) -> Option<&'static Attribute> {
    let index = ATTRIBUTES
        .binary_search_by_key(&number, |attribute| attribute.number)
        .ok()?;
    ATTRIBUTES.get(index)
}

/// Return the attribute of a key.
pub(crate) fn find_key(key: &str) -> Option<&'static Attribute> {
    ATTRIBUTES.iter().find(|attribute| attribute.key == key)
}

/// Return the key of a number, or a text that has the number.
pub(crate) fn key_of(number: u16) -> String {
    find(number).map_or_else(
        || format!("attribute {number}"),
        |attribute| attribute.key.to_owned(),
    )
}
