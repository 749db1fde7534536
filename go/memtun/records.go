// SPDX-License-Identifier: MIT

package memtun

import "time"

// Tunnel is what the broker tells of a tunnel. A field that the tunnel does not have is zero.
type Tunnel struct {
	ID          uint32   `memtun:"id"`
	Name        string   `memtun:"name"`
	Mode        Mode     `memtun:"mode"`
	Socket      Socket   `memtun:"socket"`
	Backend     Backend  `memtun:"backend"` // "" is Memory
	Bridge      string   `memtun:"bridge"`
	Peer        string   `memtun:"peer"`
	VLAN        int      `memtun:"vlan"` // 0: a trunk
	MTU         int      `memtun:"mtu"`
	QueueLimit  int      `memtun:"queue"`
	Overflow    Overflow `memtun:"overflow"`
	Address     []string `memtun:"address"`
	Gateway     []string `memtun:"gateway"`
	MAC         string   `memtun:"mac"` // of a TUN on an Ethernet bridge
	PI          bool     `memtun:"pi"`
	VnetHdr     bool     `memtun:"vnet_hdr"`
	VnetHdrSize int      `memtun:"vnet_hdr_size"`
	Offload     uint32   `memtun:"offload"`
	MultiQueue  bool     `memtun:"multi_queue"`
	Persistent  bool     `memtun:"persistent"`
	Owner       uint32   `memtun:"owner"` // a user id
	State       State    `memtun:"state"`
	Queues      int      `memtun:"queues"` // how many times it is open
	QueueID     uint32   `memtun:"queue-id"`
	Inode       uint64   `memtun:"inode"` // of the socket that was opened
	PID         int      `memtun:"pid"`
	Program     string   `memtun:"program"`
	Rules       int      `memtun:"rules"`
	LoopShut    bool     `memtun:"loop-shut"`
	// HangupSeen is false if the broker learns only by sending that a Dgram's client has gone; nil
	// of other sockets.
	HangupSeen *bool `memtun:"hangup-seen"`
	// The interface that programs under "memtun wrap" see, if there is one.
	InterfaceIndex     int      `memtun:"interface-index"`
	InterfaceFlags     uint32   `memtun:"interface-flags"`
	InterfaceCarrier   *bool    `memtun:"interface-carrier"` // nil: there is no interface
	InterfaceTxqlen    int      `memtun:"interface-txqlen"`
	InterfaceRevision  uint32   `memtun:"interface-revision"`
	InterfaceMAC       string   `memtun:"interface-mac"`
	InterfaceAddress   []string `memtun:"interface-address"`
	InterfaceRoute     []string `memtun:"interface-route"`
	InterfaceNeighbour []string `memtun:"interface-neighbour"`
	// Counters is nil unless statistics were asked for, and of tunnels whose frames do not pass
	// through the broker.
	Counters Counters
}

// Uplink is what the broker tells of an uplink. A field that the uplink does not have is zero.
type Uplink struct {
	ID         uint32     `memtun:"id"`
	Name       string     `memtun:"name"`
	Type       UplinkType `memtun:"type"`
	Mode       Mode       `memtun:"mode"`
	Bridge     string     `memtun:"bridge"`
	VLAN       int        `memtun:"vlan"`
	MTU        int        `memtun:"mtu"`
	QueueLimit int        `memtun:"queue"`
	Overflow   Overflow   `memtun:"overflow"`
	Owner      uint32     `memtun:"owner"`
	State      State      `memtun:"state"`
	Connects   uint64     `memtun:"connects"` // how often it has come up
	Reason     string     `memtun:"reason"`   // why it is down
	Address    []string   `memtun:"address"`
	Gateway    []string   `memtun:"gateway"`
	MAC        string     `memtun:"mac"`
	Group      string     `memtun:"group"`
	Port       int        `memtun:"port"`
	Ifaddr     string     `memtun:"ifaddr"`
	TTL        int        `memtun:"ttl"`
	Loop       bool       `memtun:"loop"`
	Path       string     `memtun:"path"`
	Remote     string     `memtun:"remote"`
	Local      string     `memtun:"local"`
	VNI        int        `memtun:"vni"`
	Device     string     `memtun:"device"`
	Socket     Socket     `memtun:"socket"`
	PI         bool       `memtun:"pi"`
	Life       string     `memtun:"life"` // what deletes it when it ends
	PID        int        `memtun:"pid"`
	Program    string     `memtun:"program"`
	Net        string     `memtun:"net"`
	Net6       string     `memtun:"net6"`
	Forward    []string   `memtun:"forward"`
	TFTP       string     `memtun:"tftp"`
	Bootfile   string     `memtun:"bootfile"`
	Restrict   bool       `memtun:"restrict"`
	Rules      int        `memtun:"rules"`
	LoopShut   bool       `memtun:"loop-shut"`
	// Of an uplink that listens.
	Listen      string `memtun:"listen"`
	Max         int    `memtun:"max"`
	Allow       Allow  `memtun:"allow"`
	SocketMode  string `memtun:"socket-mode"`
	SocketGroup string `memtun:"socket-group"`
	Connected   int    `memtun:"connected"`
	Accepted    uint64 `memtun:"accepted"`
	Refused     uint64 `memtun:"refused"`
	// Of the port of one of its peers.
	Listener string `memtun:"listener"`
	UID      uint32 `memtun:"uid"`
	// Counters is nil unless statistics were asked for.
	Counters Counters
}

// Bridge is what the broker tells of a bridge.
type Bridge struct {
	ID           uint32 `memtun:"id"`
	Name         string `memtun:"name"`
	Mode         Mode   `memtun:"mode"` // "" while it has no port
	Hub          bool   `memtun:"hub"`
	LoopGuard    bool   `memtun:"loop-guard"`
	Persistent   bool   `memtun:"persistent"`
	Ports        int    `memtun:"ports"`
	Addresses    int    `memtun:"addresses"` // how many it has learned
	AddressMoves uint64 `memtun:"address-moves"`
}

// Address is one that a bridge has learned.
type Address struct {
	Address string        `memtun:"address"` // a MAC address, or an IP address
	Port    string        `memtun:"name"`    // the tunnel or uplink behind which it is
	Bridge  string        `memtun:"bridge"`
	VLAN    int           `memtun:"vlan"`
	Age     time.Duration `memtun:"age"` // since it was last seen
}

// Session is a client of the broker.
type Session struct {
	ID            uint32 `memtun:"id"`
	Owner         uint32 `memtun:"owner"`
	PID           int    `memtun:"pid"`
	Program       string `memtun:"program"`
	State         State  `memtun:"state"`
	Captures      int    `memtun:"captures"`
	Injectors     int    `memtun:"injectors"`
	Subscriptions int    `memtun:"subscriptions"`
	HandIns       int    `memtun:"hand-ins"`
	QueuedBytes   uint64 `memtun:"queued-bytes"`
}

// Rule impairs the frames of a tunnel or an uplink. memtun-impair(7) describes its keys. A key that
// the rule does not have is zero.
type Rule struct {
	Port         string        `memtun:"name"`
	Number       uint32        `memtun:"rule"`
	Direction    Direction     `memtun:"direction"`
	Match        string        `memtun:"match"`
	Delay        time.Duration `memtun:"delay"`
	Jitter       time.Duration `memtun:"jitter"`
	Distribution Distribution  `memtun:"distribution"`
	Ordered      bool          `memtun:"ordered"`
	Loss         float64       `memtun:"loss"` // percent
	LossBurst    float64       `memtun:"loss-burst"`
	Duplicate    float64       `memtun:"duplicate"` // percent
	Corrupt      float64       `memtun:"corrupt"`   // percent
	Truncate     float64       `memtun:"truncate"`  // percent
	Reorder      float64       `memtun:"reorder"`   // percent
	Gap          int           `memtun:"gap"`
	Rate         uint64        `memtun:"rate"` // bits per second
	Limit        int           `memtun:"limit"`
	Drop         []string      `memtun:"drop"`
	PMTU         int           `memtun:"pmtu"`
	ICMP         bool          `memtun:"icmp"`
	Hold         bool          `memtun:"hold"`
	UntilFrame   uint64        `memtun:"until"`
	UntilTime    time.Duration `memtun:"until-time"`
	Carrier      *bool         `memtun:"carrier"`
	Seed         uint64        `memtun:"seed"`
	Holding      []string      `memtun:"holding"` // the numbers of the frames that it holds
	// The frames that have reached the rule.
	FromClientSeen uint64 `memtun:"from-client-seen"`
	ToClientSeen   uint64 `memtun:"to-client-seen"`
}

// Clock is the logical clock of a broker, which delays, the ageing of addresses and some timers
// follow.
type Clock struct {
	Kind ClockKind     `memtun:"clock"`
	Time time.Duration `memtun:"clock-time"`
	Due  int           `memtun:"due"` // how many events are to come
	// Next is the time of the next event; nil: none is due.
	Next *time.Duration `memtun:"clock-next"`
	// Move is by how much the request has moved the clock.
	Move time.Duration `memtun:"move"`
}
