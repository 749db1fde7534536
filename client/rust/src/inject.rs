// SPDX-License-Identifier: MIT
//! Frames that a test puts on a tunnel.

use std::io;
use std::os::unix::io::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::attribute;
use crate::channel::Channel;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::protocol::{Attributes, Command, Reader};
use crate::words::Direction;

/// The length of struct memtun_inject_result.
const RESULT_SIZE: usize = 7 * 8;

/// What became of injected frames. A frame that the broker cuts counts with all its pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Injected {
    /// The frames that the broker has read.
    pub frames: u64,
    /// Dropped because no program has the tunnel open.
    pub dropped_no_client: u64,
    /// Dropped because they are longer than the MTU.
    pub dropped_mtu: u64,
    /// Dropped because they are no IP packets for this TUN.
    pub dropped_not_ip: u64,
    /// Dropped because the broker could not cut them.
    pub dropped_needs_segmentation: u64,
    /// Dropped because they are no valid frames.
    pub dropped_refused: u64,
    /// The frames for the tunnel's program.
    pub offered: u64,
}

impl Injected {
    fn parse(record: &[u8]) -> Option<Injected> {
        let mut rest = Reader(record);
        Some(Injected {
            frames: rest.u64()?,
            dropped_no_client: rest.u64()?,
            dropped_mtu: rest.u64()?,
            dropped_not_ip: rest.u64()?,
            dropped_needs_segmentation: rest.u64()?,
            dropped_refused: rest.u64()?,
            offered: rest.u64()?,
        })
    }

    /// Return the reasons for which frames were dropped, with their numbers.
    pub fn drops(&self) -> Vec<(&'static str, u64)> {
        let all = [
            ("no-client", self.dropped_no_client),
            ("mtu", self.dropped_mtu),
            ("not-ip", self.dropped_not_ip),
            ("needs-segmentation", self.dropped_needs_segmentation),
            ("refused", self.dropped_refused),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Return the error that says which frames the tunnel has dropped, if any.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let drops = self.drops();
        let errno = match drops.first() {
            None => return Ok(()),
            Some(("no-client", _)) => libc::ENOTCONN,
            Some(("mtu" | "needs-segmentation", _)) => libc::EMSGSIZE,
            Some(_) => libc::EINVAL,
        };
        let reasons: Vec<String> = drops
            .iter()
            .map(|(reason, count)| format!("{reason}: {count}"))
            .collect();
        Err(Error::new(
            errno,
            format!("'{name}' dropped injected frames ({})", reasons.join(", ")),
        ))
    }
}

/// The options of an injector, which [`Client::injector`](crate::Client::injector) returns.
#[derive(Clone, Debug)]
#[must_use = "call start()"]
pub struct InjectorOptions<'a> {
    connection: &'a Connection,
    options: Attributes,
}

impl<'a> InjectorOptions<'a> {
    pub(crate) fn new(connection: &'a Connection, name: &str) -> InjectorOptions<'a> {
        let mut options = Attributes::new();
        options.set_text(attribute::NAME, name);
        options.set_u32(attribute::DIRECTION, Direction::ToClient.number());
        InjectorOptions {
            connection,
            options,
        }
    }

    /// Let the frames count as sent by the tunnel's program.
    pub fn as_client(mut self) -> Self {
        self.options
            .set_u32(attribute::DIRECTION, Direction::FromClient.number());
        self
    }

    /// A struct virtio_net_hdr of 10 bytes is before each frame.
    pub fn vnet_hdr(mut self) -> Self {
        self.options.set_flag(attribute::VNET_HDR, true);
        self
    }

    /// Make the injector.
    pub fn start(self) -> Result<Injector> {
        let reply = self
            .connection
            .request_one(Command::Inject, &self.options)?;
        let (_, fd) = reply.with_descriptor()?;
        Ok(Injector {
            channel: Channel::new(fd),
        })
    }
}

/// Puts frames on a tunnel, one per call, and tells at last what became of them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = memtun::Broker::start()?;
/// let a = broker.open("a")?;
/// let injector = broker.injector("a").start()?;
/// injector.send(&[0xff; 60])?;
/// assert_eq!(injector.finish()?.offered, 1);
/// assert_eq!(a.recv_frame()?.len(), 60);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Injector {
    channel: Channel,
}

impl Injector {
    /// Inject one frame, and wait while the tunnel's queue is full.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.channel
            .send(frame, self.channel.send_deadline())
            .map(drop)
    }

    /// Wait until the broker has read all frames, and return what became of them.
    pub fn finish(self) -> io::Result<Injected> {
        self.channel.shut_down_sending()?;
        let mut record = [0; RESULT_SIZE];
        let size = self
            .channel
            .receive(&mut record, self.channel.receive_deadline())?;
        if size == 0 {
            return Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the tunnel has ended",
            ));
        }
        record
            .get(..size)
            .and_then(Injected::parse)
            .ok_or_else(|| Error::malformed("it is no result of an injector").into())
    }

    /// Limit how long a call may wait; None, the default, is no limit.
    pub fn set_timeout(&self, limit: Option<Duration>) {
        self.channel.set_receive_limit(limit);
        self.channel.set_send_limit(limit);
    }
}

impl AsFd for Injector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_is_cut_is_no_panic() {
        for size in 0..RESULT_SIZE {
            assert_eq!(Injected::parse(&[0xff; RESULT_SIZE][..size]), None);
        }
        let result = Injected::parse(&[0xff; RESULT_SIZE]).unwrap();
        assert_eq!(result.drops().len(), 5);
    }
}
