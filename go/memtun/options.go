// SPDX-License-Identifier: MIT

package memtun

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Option is an option of a request. The names are the keys of memtun(1). The broker refuses an
// option that the request does not take, and its text names it; so it does one that is given twice.
type Option func(*options)

// options are the attributes of a request.
type options struct {
	data  []byte
	err   error // of the first option that can't be encoded
	file  *os.File
	until *os.File
}

// set adds an attribute.
func (o *options) set(word string, value any) {
	row := attributes[word]
	data, err := row.encode(word, value)
	if err != nil {
		if o.err == nil {
			o.err = newError(errInvalid, "%v", err)
		}
		return
	}
	o.data = appendAttribute(o.data, row.number, data)
}

// collect returns what the options amount to.
func collect(opts []Option) options {
	var all options
	for _, option := range opts {
		option(&all)
	}
	return all
}

// has tells whether the attribute is among the options, and not 0.
func (o options) has(word string) bool {
	found, err := parseAttributes(o.data)
	return err == nil && found.number(word) != 0
}

func with(word string, value any) Option {
	return func(o *options) { o.set(word, value) }
}

// --- tunnels and uplinks ---

// WithBridge makes the tunnel a port of the bridge, which is made if it does not exist. In Set and
// SetUplink, "" takes the port off its bridge.
func WithBridge(name string) Option { return with("bridge", name) }

// WithMode tells what the frames are. The default is TAP.
func WithMode(mode Mode) Option { return with("mode", string(mode)) }

// WithPeer wires the tunnel to another one, as with veth.
func WithPeer(name string) Option { return with("peer", name) }

// WithSocket chooses the socket type of the descriptor. The default is Seqpacket.
func WithSocket(socket Socket) Option { return with("socket", string(socket)) }

// WithVLAN makes the port an access port of the VLAN, 1 to 4094. 0 makes it a trunk again.
func WithVLAN(vlan int) Option { return with("vlan", vlan) }

// WithMTU limits the packets to the client, in bytes without the Ethernet header: 68 to 65535.
func WithMTU(mtu int) Option { return with("mtu", mtu) }

// WithQueueLimit limits how many frames wait in the broker for one queue: 1 to 1000000.
func WithQueueLimit(frames int) Option { return with("queue", frames) }

// WithOverflow chooses which frame is dropped when the limit is reached. The default is DropTail.
func WithOverflow(overflow Overflow) Option { return with("overflow", string(overflow)) }

// WithAddress gives the IP addresses of a TUN on an Ethernet bridge, such as "10.0.0.1/24".
func WithAddress(addresses ...string) Option { return with("address", strings.Join(addresses, "+")) }

// WithGateway gives the gateways of a TUN on an Ethernet bridge.
func WithGateway(addresses ...string) Option { return with("gateway", strings.Join(addresses, "+")) }

// WithPI puts a struct tun_pi before each frame.
func WithPI() Option { return with("pi", true) }

// WithVnetHdr puts a struct virtio_net_hdr before each frame, also those of an Injector.
func WithVnetHdr() Option { return with("vnet_hdr", true) }

// WithVnetHdrSize sets the length of that header: 10 to 20 bytes. The default is 10.
func WithVnetHdrSize(bytes int) Option { return with("vnet_hdr_size", bytes) }

// WithOffload sets which frames the client takes as they are, in the bits of TUNSETOFFLOAD. The
// default is all.
func WithOffload(bits uint32) Option { return with("offload", bits) }

// WithMultiQueue lets the tunnel be open several times at once.
func WithMultiQueue() Option { return with("multi_queue", true) }

// WithBackend chooses the kind of the tunnel's descriptors. The default is Memory.
func WithBackend(backend Backend) Option { return with("backend", string(backend)) }

// WithExclusive refuses a tunnel that exists, with EBUSY.
func WithExclusive() Option { return with("exclusive", true) }

// WithPersistent tells whether the tunnel stays when it is not open.
func WithPersistent(persistent bool) Option { return with("persistent", persistent) }

// --- interfaces, which programs under "memtun wrap" see in place of tunnels ---

// WithInterfaceFlags sets the flags of the interface, such as syscall.IFF_UP. Those that follow from
// the tunnel have no effect.
func WithInterfaceFlags(bits uint32) Option { return with("interface-flags", bits) }

// WithInterfaceCarrier tells whether the interface has a carrier.
func WithInterfaceCarrier(carrier bool) Option { return with("interface-carrier", carrier) }

// WithInterfaceAddress replaces the addresses of the interface, which are written as in ip(8).
func WithInterfaceAddress(addresses ...string) Option {
	return elements("interface-address", addresses)
}

// WithInterfaceRoute replaces the routes of the interface, which are written as in ip(8).
func WithInterfaceRoute(routes ...string) Option { return elements("interface-route", routes) }

// WithInterfaceNeighbour replaces the neighbours of the interface, which are written as in ip(8).
func WithInterfaceNeighbour(neighbours ...string) Option {
	return elements("interface-neighbour", neighbours)
}

// WithInterfaceMAC sets the MAC address of a TAP's interface.
func WithInterfaceMAC(address string) Option { return with("interface-mac", address) }

// WithInterfaceTxqlen sets the length of the transmit queue, which has no effect.
func WithInterfaceTxqlen(frames int) Option { return with("interface-txqlen", frames) }

// WithInterfaceRevision makes SetInterface fail with ESTALE if the interface has another revision,
// because another client has changed it meanwhile.
func WithInterfaceRevision(revision uint32) Option { return with("interface-revision", revision) }

// elements sets a list of an interface, whose word for the empty list is none.
func elements(word string, list []string) Option {
	if len(list) == 0 {
		return with(word, "none")
	}
	return with(word, strings.Join(list, "+"))
}

// --- bridges ---

// WithHub makes a bridge that sends each frame to all other ports.
func WithHub() Option { return with("hub", true) }

// WithLoopGuard makes a bridge that shuts a port to which an address moves as in a loop.
func WithLoopGuard() Option { return with("loop-guard", true) }

// --- uplinks ---

// WithFile hands in what an uplink of type UplinkFile or UplinkDevice is made of: a connected UNIX
// socket, or a TUN or TAP device. The broker gets a copy, and the file stays open.
func WithFile(file *os.File) Option { return func(o *options) { o.file = file } }

// WithUntil deletes the uplink when the other end of the pipe or socket is closed, or the process
// of the pidfd ends. It goes with WithFile.
func WithUntil(file *os.File) Option { return func(o *options) { o.until = file } }

// WithDevice names the interface of an uplink of type UplinkKernel.
func WithDevice(name string) Option { return with("device", name) }

// WithPath gives the socket or the directory of another program, as an absolute path.
func WithPath(path string) Option { return with("path", path) }

// WithGroup gives the IPv4 multicast address of a LAN.
func WithGroup(address string) Option { return with("group", address) }

// WithPort gives a UDP port.
func WithPort(port int) Option { return with("port", port) }

// WithIfaddr gives the IPv4 address of the interface to use for multicast.
func WithIfaddr(address string) Option { return with("ifaddr", address) }

// WithTTL sets the time to live of the uplink's datagrams: 0 to 255.
func WithTTL(hops int) Option { return with("ttl", hops) }

// WithLoop tells whether the uplink receives the frames that it has sent itself.
func WithLoop(loop bool) Option { return with("loop", loop) }

// WithLocal gives this side of an uplink: an address with a port, or an address.
func WithLocal(address string) Option { return with("local", address) }

// WithRemote gives the other side of an uplink: an address with a port, an address, or a path.
func WithRemote(address string) Option { return with("remote", address) }

// WithVNI gives the number of a VXLAN network: 0 to 16777215.
func WithVNI(number int) Option { return with("vni", number) }

// WithListen makes an uplink that listens: at an absolute path, "@name", or a loopback address with
// a port.
func WithListen(where string) Option { return with("listen", where) }

// WithMax limits how many peers may be connected to a listening uplink: 1 to 4096.
func WithMax(peers int) Option { return with("max", peers) }

// WithAllow tells whose programs may connect to a listening uplink.
func WithAllow(allow Allow) Option { return with("allow", string(allow)) }

// WithSocketMode sets the mode of a listening uplink's socket, such as 0o660.
func WithSocketMode(mode os.FileMode) Option {
	return with("socket-mode", "0"+strconv.FormatUint(uint64(mode.Perm()), 8))
}

// WithSocketGroup sets the group of a listening uplink's socket, by its number.
func WithSocketGroup(gid int) Option { return with("socket-group", strconv.Itoa(gid)) }

// WithNet sets the IPv4 network of an uplink of type UplinkUser, such as "10.0.2.0/24".
func WithNet(network string) Option { return with("net", network) }

// WithNet6 sets the IPv6 network of an uplink of type UplinkUser, with a prefix of 64 bits.
func WithNet6(network string) Option { return with("net6", network) }

// WithForward forwards ports of the host, such as "tcp/127.0.0.1:8080/10.0.2.15:80".
func WithForward(forwards ...string) Option { return with("forward", strings.Join(forwards, "+")) }

// WithTFTP serves the files of a directory, which is an absolute path.
func WithTFTP(directory string) Option { return with("tftp", directory) }

// WithBootfile names the file to boot that DHCP gives.
func WithBootfile(name string) Option { return with("bootfile", name) }

// WithRestrict lets nothing out of the network.
func WithRestrict() Option { return with("restrict", true) }

// --- captures and injectors ---

// WithDirection chooses the frames of one direction, for a capture, an injector or a rule.
func WithDirection(direction Direction) Option { return with("direction", string(direction)) }

// WithFaults makes a capture that also has each frame that is dropped or impaired, with the reasons.
func WithFaults() Option { return with("faults", true) }

// --- rules; memtun-impair(7) describes the keys ---

// WithDelay delays frames.
func WithDelay(delay time.Duration) Option { return with("delay", delay) }

// WithJitter varies the delay.
func WithJitter(jitter time.Duration) Option { return with("jitter", jitter) }

// WithDistribution chooses the distribution of the jitter. The default is Uniform.
func WithDistribution(distribution Distribution) Option {
	return with("distribution", string(distribution))
}

// WithOrdered keeps the order of frames in spite of jitter.
func WithOrdered() Option { return with("ordered", true) }

// WithLoss loses this percentage of the frames.
func WithLoss(percent float64) Option { return with("loss", percent) }

// WithLossBurst sets the mean number of frames that are lost in a row, from 1.
func WithLossBurst(frames float64) Option { return with("loss-burst", frames) }

// WithDuplicate duplicates this percentage of the frames.
func WithDuplicate(percent float64) Option { return with("duplicate", percent) }

// WithCorrupt changes a bit in this percentage of the frames.
func WithCorrupt(percent float64) Option { return with("corrupt", percent) }

// WithTruncate shortens this percentage of the frames.
func WithTruncate(percent float64) Option { return with("truncate", percent) }

// WithReorder lets this percentage of the frames overtake those that are delayed.
func WithReorder(percent float64) Option { return with("reorder", percent) }

// WithGap reorders at most one in this number of frames.
func WithGap(frames int) Option { return with("gap", frames) }

// WithRate limits the rate, in bits per second.
func WithRate(bits uint64) Option { return with("rate", bits) }

// WithLimit limits how many frames may wait for the rule in each direction.
func WithLimit(frames int) Option { return with("limit", frames) }

// WithDrop drops the frames of these numbers and ranges, such as "3" and "10-12".
func WithDrop(frames ...string) Option { return with("drop", strings.Join(frames, "+")) }

// WithPMTU drops packets that are longer than this: 68 to 65535 bytes.
func WithPMTU(bytes int) Option { return with("pmtu", bytes) }

// WithICMP sends an ICMP error for each packet that WithPMTU drops.
func WithICMP() Option { return with("icmp", true) }

// WithHold keeps frames until Release.
func WithHold() Option { return with("hold", true) }

// WithUntilFrame ends the rule after the frame of this number in each direction.
func WithUntilFrame(number uint64) Option { return with("until", number) }

// WithUntilTime ends the rule after this time.
func WithUntilTime(limit time.Duration) Option { return with("until-time", limit) }

// WithCarrier sets the link up or down.
func WithCarrier(on bool) Option { return with("carrier", on) }

// WithSeed sets the seed of the rule's random decisions. The same seed repeats them.
func WithSeed(seed uint64) Option { return with("seed", seed) }

// Instruction is an instruction of classic BPF, struct sock_filter.
type Instruction struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// WithMatch limits a rule to the frames for which the program returns another number than 0. The
// text is shown with the rule; it is the filter of pcap-filter(7) from which "tcpdump -ddd" makes
// the program.
func WithMatch(text string, program []Instruction) Option {
	words := []string{strconv.Itoa(len(program))}
	for _, one := range program {
		words = append(words, uintText(uint64(one.Code))+" "+uintText(uint64(one.Jt))+" "+
			uintText(uint64(one.Jf))+" "+uintText(uint64(one.K)))
	}
	return func(o *options) {
		o.set("match", text)
		o.set("match-code", strings.Join(words, "+"))
	}
}
