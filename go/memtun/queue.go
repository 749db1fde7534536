// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"os"
)

// OpenQueue opens a queue that belongs to no tunnel yet, as a program does that opens /dev/net/tun
// and has not called TUNSETIFF. The socket type "" is Seqpacket. The record has the queue's id and
// socket type; AttachQueue and DetachQueue take it.
func (c *Client) OpenQueue(ctx context.Context, socket Socket) (*os.File, Tunnel, error) {
	if socket == "" {
		socket = Seqpacket
	}
	queue := Tunnel{Socket: socket}
	fd, err := c.one(ctx, cmdQueueOpen, &queue, WithSocket(socket))
	if err != nil {
		return nil, Tunnel{}, err
	}
	file, err := newFile(fd, "queue")
	if err != nil {
		return nil, Tunnel{}, err
	}
	return file, queue, nil
}

// AttachQueue attaches a queue to a tunnel, which is found or made as by Open, and returns the
// tunnel's record. The queue's record is that of OpenQueue or DetachQueue. The queue's file stays the
// same; a Framer is to be made anew if the tunnels have other headers.
func (c *Client) AttachQueue(ctx context.Context, queue Tunnel, name string, opts ...Option) (Tunnel, error) {
	var tunnel Tunnel
	_, err := c.one(ctx, cmdQueueAttach, &tunnel,
		join(opts, with("queue-id", queue.QueueID), WithSocket(queue.Socket), with("name", name))...)
	return tunnel, err
}

// DetachQueue detaches a queue from its tunnel, and returns the record that it has then. The record
// that it takes is that of AttachQueue or OpenTunnel. The file stays open, and carries no frames.
func (c *Client) DetachQueue(ctx context.Context, queue Tunnel) (Tunnel, error) {
	if err := c.acknowledged(ctx, cmdQueueDetach, with("queue-id", queue.QueueID)); err != nil {
		return Tunnel{}, err
	}
	return Tunnel{Socket: queue.Socket, QueueID: queue.QueueID, Inode: queue.Inode}, nil
}
