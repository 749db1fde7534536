// SPDX-License-Identifier: MIT

package memtun

// Mode tells what the frames of a tunnel are.
type Mode string

// The modes.
const (
	TUN Mode = "tun" // IP packets
	TAP Mode = "tap" // Ethernet frames; the default
)

// Socket is the socket type of a tunnel's descriptors.
type Socket string

// The socket types. Each frame on a Stream follows its length, 4 bytes in big-endian order, and
// reads and writes of the file are not frames: a Framer has those. A Dgram does not tell when the
// broker ends.
const (
	Seqpacket Socket = "seqpacket" // the default
	Dgram     Socket = "dgram"
	Stream    Socket = "stream"
)

// Overflow tells which frame is dropped when the queue of a port is full.
type Overflow string

// The choices for a full queue.
const (
	DropTail Overflow = "drop-tail" // the frame that arrives; the default
	DropHead Overflow = "drop-head" // the oldest frame that waits
	Block    Overflow = "block"     // none: the broker stops reading from the sender
)

// Backend is the kind of descriptors that a tunnel has.
type Backend string

// The backends.
const (
	Memory Backend = "memory" // sockets; the default
	Kernel Backend = "kernel" // those of a kernel interface, from a broker with --kernel
)

// Direction is a direction of frames, as seen from the program that has the tunnel.
type Direction string

// The directions.
const (
	FromClient Direction = "from-client" // frames that the program writes
	ToClient   Direction = "to-client"   // frames that the program is to read
)

// State is the state of a tunnel, of a session or of an uplink.
type State string

// The states. A tunnel and a session are closed or open, an uplink is up or down.
const (
	Closed State = "closed"
	Opened State = "open"
	Up     State = "up"
	Down   State = "down"
)

// UplinkType tells what an uplink joins its bridge to. memtun-tunnels(7) describes the types.
type UplinkType string

// The types of uplinks.
const (
	UplinkMcast  UplinkType = "mcast"  // a multicast LAN of User Mode Linux and QEMU
	UplinkKernel UplinkType = "kernel" // an interface of the kernel
	UplinkVDE    UplinkType = "vde"    // a VDE switch
	UplinkBess   UplinkType = "bess"   // a SEQPACKET socket: slirp4netns, User Mode Linux
	UplinkStream UplinkType = "stream" // a STREAM socket: QEMU, passt
	UplinkDgram  UplinkType = "dgram"  // a DGRAM socket: QEMU, vfkit
	UplinkUDP    UplinkType = "udp"    // one UDP address: QEMU
	UplinkVXLAN  UplinkType = "vxlan"  // a VXLAN network
	UplinkFile   UplinkType = "fd"     // what a file of this program refers to; see WithFile
	UplinkDevice UplinkType = "device" // the same, which must be a TUN or TAP device
	UplinkUser   UplinkType = "user"   // a network of its own, by libslirp
)

// Allow tells whose programs may connect to a listening uplink.
type Allow string

// The choices of WithAllow.
const (
	AllowOwn Allow = "own" // those of the broker's user and of root; the default
	AllowAny Allow = "any" // those of all users
)

// Distribution is that of a rule's jitter.
type Distribution string

// The distributions.
const (
	Uniform Distribution = "uniform"
	Normal  Distribution = "normal"
	Pareto  Distribution = "pareto"
)

// ClockKind tells what moves the logical clock of a broker.
type ClockKind string

// The kinds of clocks.
const (
	RealClock   ClockKind = "real"
	ManualClock ClockKind = "manual" // AdvanceClock and AdvanceToNext
)

// EventKind is the change that an Event reports.
type EventKind string

// The events.
const (
	EventAdded         EventKind = "added"
	EventChanged       EventKind = "changed"
	EventDeleted       EventKind = "deleted"
	EventOpened        EventKind = "opened"
	EventClosed        EventKind = "closed"
	EventBridgeAdded   EventKind = "bridge-added"
	EventBridgeDeleted EventKind = "bridge-deleted"
	EventLost          EventKind = "lost" // this program was too slow, and events are missing
	EventUplinkAdded   EventKind = "uplink-added"
	EventUplinkDeleted EventKind = "uplink-deleted"
	EventUplinkUp      EventKind = "uplink-up"
	EventUplinkDown    EventKind = "uplink-down"
	EventUplinkChanged EventKind = "uplink-changed"
	EventUplinkRefused EventKind = "uplink-refused"
	EventAddressMoving EventKind = "address-moving"
	EventPortShut      EventKind = "port-shut"
	EventPortReopened  EventKind = "port-reopened"
	EventImpairAdded   EventKind = "impair-added"
	EventImpairChanged EventKind = "impair-changed"
	EventImpairDeleted EventKind = "impair-deleted"
)
