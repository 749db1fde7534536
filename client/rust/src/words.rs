// SPDX-License-Identifier: MIT
//! The values that are words on memtun's command line: an enum of each kind.

use std::fmt;

/// Define an enum whose variants have a number in the protocol, and a word.
macro_rules! words {
    ($(#[$about:meta])* $name:ident {
        $($(#[$detail:meta])* $variant:ident = $number:literal, $word:literal;)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$detail])* $variant = $number,)+
        }

        impl $name {
            /// All numbers and words.
            pub(crate) const WORDS: &'static [(u32, &'static str)] = &[$(($number, $word),)+];

            /// Return the value that a number stands for. Not each enum occurs in answers.
            #[allow(dead_code)]
            pub(crate) fn from_number(number: u64) -> Option<$name> {
                match number {
                    $($number => Some($name::$variant),)+
                    _ => None,
                }
            }

            /// Return the number in the protocol. Not each enum occurs in requests.
            #[allow(dead_code)]
            pub(crate) fn number(self) -> u32 {
                self as u32
            }

            /// Return the word that memtun's command line and JSON have for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// What the frames of a tunnel are.
    Mode {
        /// IP packets.
        Tun = 1, "tun";
        /// Ethernet frames, the default.
        Tap = 2, "tap";
    }
}

words! {
    /// The type of a tunnel's socket.
    Socket {
        /// One frame per record, and an end, the default.
        Seqpacket = 1, "seqpacket";
        /// One frame per datagram. The program does not see that the broker has ended.
        Dgram = 2, "dgram";
        /// A stream in which each frame follows its length. [`Tunnel`](crate::Tunnel) joins and
        /// splits it.
        Stream = 3, "stream";
    }
}

words! {
    /// The frame that is dropped when the queue for a program is full.
    Overflow {
        /// The frame that arrives, the default.
        DropTail = 1, "drop-tail";
        /// The oldest frame that waits.
        DropHead = 2, "drop-head";
        /// None: the broker stops reading from the sender.
        Block = 3, "block";
    }
}

words! {
    /// The state of a tunnel or an uplink.
    State {
        /// No program has the tunnel open.
        Closed = 1, "closed";
        /// A program has the tunnel open.
        Open = 2, "open";
        /// The uplink can carry frames.
        Up = 3, "up";
        /// The uplink cannot carry frames; [`Record::reason`](crate::Record::reason) tells why.
        Down = 4, "down";
    }
}

words! {
    /// Which way a frame goes.
    Direction {
        /// From the program behind a port.
        FromClient = 1, "from-client";
        /// To the program behind a port.
        ToClient = 2, "to-client";
    }
}

words! {
    /// What a tunnel's descriptor is.
    Backend {
        /// A socket, the default.
        Memory = 1, "memory";
        /// An interface of the kernel, of a broker that was started with `--kernel`.
        Kernel = 2, "kernel";
    }
}

words! {
    /// What an uplink joins its bridge to; see memtun-tunnels(7).
    UplinkType {
        /// A multicast LAN of QEMU and User Mode Linux.
        Mcast = 1, "mcast";
        /// An interface of the kernel, which the broker makes.
        Kernel = 2, "kernel";
        /// A VDE switch.
        Vde = 3, "vde";
        /// A SEQPACKET socket, as of slirp4netns.
        Bess = 4, "bess";
        /// A STREAM socket, as of QEMU and passt.
        Stream = 5, "stream";
        /// A DGRAM socket, as of QEMU.
        Dgram = 6, "dgram";
        /// UDP datagrams between two addresses.
        Udp = 7, "udp";
        /// A VXLAN network.
        Vxlan = 8, "vxlan";
        /// A descriptor that this program gives to the broker.
        Fd = 9, "fd";
        /// The same, which must be of a TUN or TAP interface.
        Device = 10, "device";
        /// A network of its own, with a way to the sockets of this machine.
        User = 11, "user";
    }
}

words! {
    /// Whose programs may connect to a listening uplink.
    Allow {
        /// Those of the broker's user and of root, the default.
        Own = 1, "own";
        /// Those of all users.
        Any = 2, "any";
    }
}

words! {
    /// What deletes an uplink when it ends.
    Life {
        /// A process.
        Process = 1, "process";
        /// The other end of a pipe.
        Pipe = 2, "pipe";
        /// The peer of a UNIX socket.
        Socket = 3, "socket";
    }
}

words! {
    /// The clock that delays and some timers of the broker follow.
    ClockKind {
        /// The time that passes.
        Real = 1, "real";
        /// It moves by requests only.
        Manual = 2, "manual";
    }
}

words! {
    /// The distribution of the jitter of a rule.
    Distribution {
        /// Delays are at most the jitter from the mean, the default.
        Uniform = 1, "uniform";
        /// The jitter is the standard deviation of a normal distribution.
        Normal = 2, "normal";
        /// The jitter is the standard deviation of a Pareto distribution.
        Pareto = 3, "pareto";
    }
}

words! {
    /// What an event reports.
    EventKind {
        /// A tunnel was made.
        Added = 1, "added";
        /// A tunnel was changed.
        Changed = 2, "changed";
        /// A tunnel was deleted.
        Deleted = 3, "deleted";
        /// A program has opened a tunnel.
        Opened = 4, "opened";
        /// A program has closed a tunnel.
        Closed = 5, "closed";
        /// A bridge was made.
        BridgeAdded = 6, "bridge-added";
        /// A bridge was deleted.
        BridgeDeleted = 7, "bridge-deleted";
        /// This program was too slow, and has lost events.
        Lost = 8, "lost";
        /// An uplink was made.
        UplinkAdded = 9, "uplink-added";
        /// An uplink was deleted.
        UplinkDeleted = 10, "uplink-deleted";
        /// An uplink has come up after it was down.
        UplinkUp = 11, "uplink-up";
        /// An uplink has gone down.
        UplinkDown = 12, "uplink-down";
        /// An address has moved from one port of a bridge to another.
        AddressMoving = 13, "address-moving";
        /// The loop guard of a bridge has shut a port.
        PortShut = 14, "port-shut";
        /// The loop guard of a bridge has opened a port again.
        PortReopened = 15, "port-reopened";
        /// An uplink was changed.
        UplinkChanged = 16, "uplink-changed";
        /// A rule was added.
        ImpairAdded = 19, "impair-added";
        /// A rule was changed.
        ImpairChanged = 20, "impair-changed";
        /// A rule was deleted, or has ended.
        ImpairDeleted = 21, "impair-deleted";
        /// A listening uplink has refused a peer.
        UplinkRefused = 23, "uplink-refused";
    }
}
