// SPDX-License-Identifier: MIT
//! The options of tunnels, as a builder.

use std::fmt::Display;

use crate::attribute;
use crate::connection::Connection;
use crate::error::Result;
use crate::impair::Rule;
use crate::port::port_options;
use crate::protocol::{Attributes, Command};
use crate::record::Record;
use crate::tunnel::Tunnel;
use crate::words::*;

/// The options of a tunnel, which [`Client::tunnel`](crate::Client::tunnel) returns.
///
/// The last call is [`open`](TunnelOptions::open), [`add`](TunnelOptions::add),
/// [`attach`](TunnelOptions::attach) or [`set`](TunnelOptions::set). The options are the keys of memtun(1); the broker refuses an option
/// that the call does not take.
#[derive(Clone, Debug)]
#[must_use = "call open(), add(), attach() or set()"]
pub struct TunnelOptions<'a> {
    connection: &'a Connection,
    options: Attributes,
}

impl<'a> TunnelOptions<'a> {
    pub(crate) fn new(connection: &'a Connection, name: &str) -> TunnelOptions<'a> {
        let mut options = Attributes::new();
        options.set_text(attribute::NAME, name);
        TunnelOptions {
            connection,
            options,
        }
    }

    port_options!();

    /// Wire the tunnel to a second one of this name, which is made too, without a bridge.
    pub fn peer(mut self, peer: &str) -> Self {
        self.options.set_text(attribute::PEER, peer);
        self
    }

    /// Choose the type of the socket.
    pub fn socket(mut self, socket: Socket) -> Self {
        self.options.set_u32(attribute::SOCKET, socket.number());
        self
    }

    /// Put a struct virtio_net_hdr before each frame.
    pub fn vnet_hdr(mut self, vnet_hdr: bool) -> Self {
        self.options.set_flag(attribute::VNET_HDR, vnet_hdr);
        self
    }

    /// Say which frames the program takes as they are: TUN_F_* bits of TUNSETOFFLOAD.
    pub fn offload(mut self, bits: u32) -> Self {
        self.options.set_u32(attribute::OFFLOAD, bits);
        self
    }

    /// Set the length of the struct virtio_net_hdr, in bytes.
    pub fn vnet_hdr_size(mut self, bytes: u32) -> Self {
        self.options.set_u32(attribute::VNET_HDR_SIZE, bytes);
        self
    }

    /// Allow several programs to open the tunnel at once.
    pub fn multi_queue(mut self, multi_queue: bool) -> Self {
        self.options.set_flag(attribute::MULTI_QUEUE, multi_queue);
        self
    }

    /// Choose what the descriptor is.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.options.set_u32(attribute::BACKEND, backend.number());
        self
    }

    /// Refuse a tunnel that exists, with `open()`.
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.options.set_flag(attribute::EXCLUSIVE, exclusive);
        self
    }

    /// Keep the tunnel when it is not open, with `open()` and `set()`.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.options.set_flag(attribute::PERSISTENT, persistent);
        self
    }

    /// Open the tunnel. One that does not exist is made, and deleted when it is closed.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use memtun::Mode;
    ///
    /// let broker = memtun::Broker::start()?;
    /// let left = broker.tunnel("left").mode(Mode::Tun).peer("right").open()?;
    /// let right = broker.open("right")?;
    /// left.send(&[0x45; 20])?;
    /// assert_eq!(right.recv_frame()?.len(), 20);
    /// # Ok(())
    /// # }
    /// ```
    pub fn open(self) -> Result<Tunnel> {
        let reply = self
            .connection
            .request_one(Command::QueueOpen, &self.options)?;
        let (record, fd) = reply.with_descriptor()?;
        Ok(Tunnel::new(fd, record))
    }

    /// Attach a queue to the tunnel, which is found or made as by [`open`](TunnelOptions::open).
    ///
    /// The queue is that of [`Client::open_queue`](crate::Client::open_queue), or was detached by
    /// [`Client::detach_queue`](crate::Client::detach_queue).
    pub fn attach(mut self, queue: &mut Tunnel) -> Result<()> {
        self.options.set_u32(attribute::QUEUE_ID, queue.queue_id()?);
        if let Some(socket) = queue.record().socket() {
            self.options.set_u32(attribute::SOCKET, socket.number());
        }
        let reply = self
            .connection
            .request_one(Command::QueueAttach, &self.options)?;
        queue.attach(reply.record);
        Ok(())
    }

    /// Make a tunnel that stays until it is deleted, and return its record.
    pub fn add(self) -> Result<Record> {
        let reply = self
            .connection
            .request_one(Command::TunnelAdd, &self.options)?;
        Ok(reply.record)
    }

    /// Make this number of tunnels from a name with a `%d`, and return their records.
    pub fn add_many(mut self, count: u32) -> Result<Vec<Record>> {
        self.options.set_u32(attribute::COUNT, count);
        let replies = self.connection.request(Command::TunnelAdd, &self.options)?;
        Ok(replies.into_iter().map(|reply| reply.record).collect())
    }

    /// Change these options of the tunnel, also while it is in use.
    pub fn set(self) -> Result<()> {
        self.connection.request(Command::TunnelSet, &self.options)?;
        Ok(())
    }
}
