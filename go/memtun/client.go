// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"os"
	"runtime"
	"syscall"
)

// Client is a connection to a broker. Several goroutines may use it.
//
// If the context of a call ends first, the call returns its error, and the client can still be used.
// The broker may carry out the request nevertheless; a tunnel that it opens then is closed at once.
type Client struct {
	session *session
}

// Dial connects to the broker at the address, which is a path, or "@name" of the abstract
// namespace. For "", it finds one as memtun(1) does: by MEMTUN_SOCKET, or at the places where a
// broker of this user or of the system listens.
func Dial(ctx context.Context, address string) (*Client, error) {
	s, err := dialSession(ctx, address)
	if err != nil {
		return nil, err
	}
	return &Client{s}, nil
}

// Address returns the address of the broker's control socket, for MEMTUN_SOCKET.
func (c *Client) Address() string {
	return c.session.address
}

// Close disconnects. Tunnels, captures and injectors stay open. A second call does nothing.
func (c *Client) Close() error {
	return c.session.close()
}

// Open opens a tunnel of the broker that Dial finds for "". See Client.Open.
func Open(ctx context.Context, name string, opts ...Option) (*os.File, error) {
	client, err := Dial(ctx, "")
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Open(ctx, name, opts...)
}

// acknowledged sends a request whose answer has no record.
func (c *Client) acknowledged(ctx context.Context, kind command, opts ...Option) error {
	_, err := c.session.request(ctx, kind, 0, opts...)
	return err
}

// one sends a request, and decodes the only record of its answer. It returns the record's
// descriptor, which is -1 if there is none.
func (c *Client) one(ctx context.Context, kind command, record any, opts ...Option) (int, error) {
	return c.session.one(ctx, kind, record, opts...)
}

func (s *session) one(ctx context.Context, kind command, record any, opts ...Option) (int, error) {
	replies, err := s.request(ctx, kind, 0, opts...)
	if err != nil {
		return -1, err
	}
	if len(replies) != 1 {
		for _, each := range replies {
			if each.fd >= 0 {
				syscall.Close(each.fd)
			}
		}
		return -1, newError(syscall.EBADMSG, "the broker sent %d records in place of one", len(replies))
	}
	if record != nil {
		replies[0].values.decode(record)
	}
	return replies[0].fd, nil
}

// list sends a request, and decodes each record of its answer.
func list[T any](ctx context.Context, c *Client, kind command, flags uint16, opts ...Option) ([]T, error) {
	replies, err := c.session.request(ctx, kind, flags, opts...)
	records := make([]T, len(replies))
	for i := range replies {
		replies[i].values.decode(&records[i])
	}
	return records, err
}

// newFile makes a file of a descriptor, with deadlines. The caller gives the descriptor away.
func newFile(fd int, name string) (*os.File, error) {
	if fd < 0 {
		return nil, newError(syscall.EBADMSG, "the broker sent no descriptor")
	}
	// The descriptor has to be non-blocking before os.NewFile, which then lets the runtime wait for
	// it. Only this end of the socket pair has that flag.
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// --- tunnels ---

// Open opens a tunnel. One that does not exist is made, and is deleted when it is closed. A "%d" in
// the name stands for the lowest number that makes a free name; Name of the file is the tunnel's.
//
// Each Read of the file is one frame, and so is each Write. The buffer has to be as large as the
// frame, because the rest is lost: FrameMax is always enough. Deadlines work. Read returns io.EOF at
// the end of the tunnel, and Write EPIPE. Write returns EMSGSIZE for a frame that is too long for a
// record of the socket (about 200 KiB); the broker drops frames of more than FrameMax, and empty ones.
// Only a program that is the tunnel's peer can send an empty frame to it, which Read takes for the
// end. With the socket type Stream, a Framer reads and writes the frames.
//
// A program that is to inherit the tunnel gets it by exec.Cmd.ExtraFiles. This makes the descriptor
// blocking, as programs expect it, so this process can then no longer set deadlines.
//
// With options of rules, such as WithLoss, a new tunnel has that rule.
func (c *Client) Open(ctx context.Context, name string, opts ...Option) (*os.File, error) {
	file, _, err := c.OpenTunnel(ctx, name, opts...)
	return file, err
}

// OpenTunnel opens a tunnel as Open does, and returns also what the broker tells of it.
func (c *Client) OpenTunnel(ctx context.Context, name string, opts ...Option) (*os.File, Tunnel, error) {
	var tunnel Tunnel
	fd, err := c.one(ctx, cmdQueueOpen, &tunnel, join(opts, with("name", name))...)
	if err != nil {
		return nil, Tunnel{}, err
	}
	file, err := newFile(fd, tunnel.Name)
	return file, tunnel, err
}

// Add makes a tunnel that stays until it is deleted, and does not open it.
func (c *Client) Add(ctx context.Context, name string, opts ...Option) (Tunnel, error) {
	var tunnel Tunnel
	_, err := c.one(ctx, cmdTunnelAdd, &tunnel, join(opts, with("name", name))...)
	return tunnel, err
}

// AddMany makes a number of tunnels from a name with a "%d". If one can't be made, it returns the
// tunnels before it, which stay, and the error.
func (c *Client) AddMany(ctx context.Context, template string, count int, opts ...Option) ([]Tunnel, error) {
	return list[Tunnel](ctx, c, cmdTunnelAdd, 0, join(opts, with("name", template), with("count", count))...)
}

// Set changes the options of a tunnel that are given, also while it is in use.
func (c *Client) Set(ctx context.Context, name string, opts ...Option) error {
	return c.acknowledged(ctx, cmdTunnelSet, join(opts, with("name", name))...)
}

// Rename gives a tunnel another name, which may have a "%d".
func (c *Client) Rename(ctx context.Context, name, newName string) (Tunnel, error) {
	var tunnel Tunnel
	_, err := c.one(ctx, cmdTunnelRename, &tunnel, with("name", name), with("new-name", newName))
	return tunnel, err
}

// SetInterface changes the interface that programs under "memtun wrap" see in place of the tunnel:
// what the options of interfaces give. These programs are told as the kernel tells of a change. A
// tunnel without an interface gets one.
func (c *Client) SetInterface(ctx context.Context, name string, opts ...Option) (Tunnel, error) {
	var tunnel Tunnel
	_, err := c.one(ctx, cmdInterfaceSet, &tunnel, join(opts, with("name", name))...)
	return tunnel, err
}

// Delete deletes a tunnel, and its peer. A program that has it open reads the end.
func (c *Client) Delete(ctx context.Context, name string) error {
	return c.acknowledged(ctx, cmdTunnelDelete, with("name", name))
}

// Show returns a tunnel, with its counters.
func (c *Client) Show(ctx context.Context, name string) (Tunnel, error) {
	var tunnel Tunnel
	_, err := c.one(ctx, cmdTunnelShow, &tunnel, with("name", name), with("statistics", true))
	return tunnel, err
}

// Tunnels returns all tunnels, with their counters.
func (c *Client) Tunnels(ctx context.Context) ([]Tunnel, error) {
	return list[Tunnel](ctx, c, cmdTunnelShow, flagDump, with("statistics", true))
}

// --- bridges ---

// AddBridge makes a bridge that stays until it is deleted.
func (c *Client) AddBridge(ctx context.Context, name string, opts ...Option) error {
	return c.acknowledged(ctx, cmdBridgeAdd, join(opts, with("name", name))...)
}

// DeleteBridge deletes a bridge. Its ports stay, without a bridge.
func (c *Client) DeleteBridge(ctx context.Context, name string) error {
	return c.acknowledged(ctx, cmdBridgeDelete, with("name", name))
}

// ShowBridge returns a bridge.
func (c *Client) ShowBridge(ctx context.Context, name string) (Bridge, error) {
	var bridge Bridge
	_, err := c.one(ctx, cmdBridgeShow, &bridge, with("name", name))
	return bridge, err
}

// Bridges returns all bridges.
func (c *Client) Bridges(ctx context.Context) ([]Bridge, error) {
	return list[Bridge](ctx, c, cmdBridgeShow, flagDump)
}

// Addresses returns what a bridge has learned, in no particular order.
func (c *Client) Addresses(ctx context.Context, bridge string) ([]Address, error) {
	return list[Address](ctx, c, cmdAddressShow, flagDump, with("bridge", bridge))
}

// --- uplinks ---

// AddUplink joins a bridge to something outside the broker. The options are those of the type.
func (c *Client) AddUplink(ctx context.Context, name, bridge string, uplink UplinkType, opts ...Option) (Uplink, error) {
	opts = join(opts, with("name", name), with("bridge", bridge), with("type", string(uplink)))
	if given := collect(opts); given.file != nil || given.until != nil {
		id, err := c.handIn(ctx, given.file, given.until)
		if err != nil {
			return Uplink{}, err
		}
		opts = append(opts, with("hand-in", id))
	}
	var made Uplink
	_, err := c.one(ctx, cmdUplinkAdd, &made, opts...)
	return made, err
}

// handIn gives the broker copies of descriptors, and returns the id of the hand-in.
func (c *Client) handIn(ctx context.Context, file, until *os.File) (uint32, error) {
	if file == nil {
		return 0, newError(errInvalid, "WithUntil needs WithFile")
	}
	var answer struct {
		ID uint32 `memtun:"hand-in"`
	}
	fd, err := c.one(ctx, cmdHandIn, &answer)
	if err != nil {
		return 0, err
	}
	channel, err := newFile(fd, "hand-in")
	if err != nil {
		return 0, err
	}
	defer channel.Close()
	return answer.ID, sendDescriptors(channel, file, until)
}

// sendDescriptors sends one record with the descriptors of the files that are not nil.
func sendDescriptors(channel *os.File, files ...*os.File) error {
	var descriptors []int
	for _, file := range files {
		if file == nil {
			continue
		}
		raw, err := file.SyscallConn()
		if err != nil {
			return err
		}
		// Fd would make the file blocking.
		if err := raw.Control(func(fd uintptr) { descriptors = append(descriptors, int(fd)) }); err != nil {
			return err
		}
	}
	raw, err := channel.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	if err := raw.Control(func(fd uintptr) {
		sendErr = syscall.Sendmsg(int(fd), []byte{byte(len(descriptors))},
			syscall.UnixRights(descriptors...), nil, syscall.MSG_NOSIGNAL)
	}); err != nil {
		return err
	}
	runtime.KeepAlive(files)
	return os.NewSyscallError("sendmsg", sendErr)
}

// SetUplink changes the options of an uplink that are given, also while it is in use.
func (c *Client) SetUplink(ctx context.Context, name string, opts ...Option) error {
	return c.acknowledged(ctx, cmdUplinkSet, join(opts, with("name", name))...)
}

// DeleteUplink deletes an uplink.
func (c *Client) DeleteUplink(ctx context.Context, name string) error {
	return c.acknowledged(ctx, cmdUplinkDelete, with("name", name))
}

// ShowUplink returns an uplink, with its counters.
func (c *Client) ShowUplink(ctx context.Context, name string) (Uplink, error) {
	var uplink Uplink
	_, err := c.one(ctx, cmdUplinkShow, &uplink, with("name", name), with("statistics", true))
	return uplink, err
}

// Uplinks returns all uplinks, with their counters.
func (c *Client) Uplinks(ctx context.Context) ([]Uplink, error) {
	return list[Uplink](ctx, c, cmdUplinkShow, flagDump, with("statistics", true))
}

// --- sessions ---

// Sessions returns each client that is connected, or has a capture or an injector.
func (c *Client) Sessions(ctx context.Context) ([]Session, error) {
	return list[Session](ctx, c, cmdSessionShow, flagDump)
}

// DeleteSession disconnects a client, and ends its captures and injectors.
func (c *Client) DeleteSession(ctx context.Context, id uint32) error {
	return c.acknowledged(ctx, cmdSessionDelete, with("id", id))
}

// --- rules ---

// AddRule impairs the frames of a tunnel or an uplink.
func (c *Client) AddRule(ctx context.Context, port string, opts ...Option) (Rule, error) {
	var rule Rule
	_, err := c.one(ctx, cmdImpairAdd, &rule, join(opts, with("name", port))...)
	return rule, err
}

// SetRule changes the options of a rule that are given.
func (c *Client) SetRule(ctx context.Context, port string, rule uint32, opts ...Option) error {
	return c.acknowledged(ctx, cmdImpairSet, join(opts, with("name", port), with("rule", rule))...)
}

// DeleteRule deletes a rule. Frames that it holds go on.
func (c *Client) DeleteRule(ctx context.Context, port string, rule uint32) error {
	return c.acknowledged(ctx, cmdImpairDelete, with("name", port), with("rule", rule))
}

// DeleteRules deletes all rules of a tunnel or an uplink.
func (c *Client) DeleteRules(ctx context.Context, port string) error {
	return c.acknowledged(ctx, cmdImpairDelete, with("name", port))
}

// Rules returns the rules of a tunnel or an uplink, or all rules if port is "".
func (c *Client) Rules(ctx context.Context, port string) ([]Rule, error) {
	if port == "" {
		return list[Rule](ctx, c, cmdImpairShow, flagDump)
	}
	return list[Rule](ctx, c, cmdImpairShow, 0, with("name", port))
}

// Release is what Client.Release does with frames that rules hold.
type Release struct {
	// Direction limits it to the frames of one direction.
	Direction Direction
	// Frame is the number of the frame; 0: the oldest one.
	Frame uint64
	// All releases all frames.
	All bool
	// Drop drops the frames instead.
	Drop bool
}

// Release releases frames that the rules of a port hold: the oldest one, unless release says more.
func (c *Client) Release(ctx context.Context, port string, release Release) error {
	opts := []Option{with("name", port)}
	if release.Direction != "" {
		opts = append(opts, WithDirection(release.Direction))
	}
	if release.All {
		opts = append(opts, with("frame", uint64(0)))
	} else if release.Frame != 0 {
		opts = append(opts, with("frame", release.Frame))
	}
	if release.Drop {
		opts = append(opts, with("discard", true))
	}
	return c.acknowledged(ctx, cmdImpairRelease, opts...)
}

// join returns new options: those of the package, and then those of the caller.
func join(opts []Option, own ...Option) []Option {
	return append(own[:len(own):len(own)], opts...)
}
