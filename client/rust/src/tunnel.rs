// SPDX-License-Identifier: MIT
//! An open tunnel: an owned descriptor that carries frames.

use std::fmt;
use std::io;
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::attribute;
use crate::channel::{lock, Channel};
use crate::error::{Error, Result};
use crate::protocol::{FRAME_MAX, HEADERS_MAX};
use crate::record::Record;
use crate::words::{Backend, Socket};

/// The length of a frame before it on a stream.
const PREFIX: usize = 4;
/// The longest that a program can receive in one call.
const LONGEST: usize = FRAME_MAX + HEADERS_MAX;
/// The lengths of a struct tun_pi, and of a struct virtio_net_hdr unless vnet_hdr_size says more.
const PI_SIZE: usize = 4;
const VNET_HDR_SIZE: u64 = 10;

/// What is under way on a stream.
#[derive(Default)]
struct Stream {
    /// What was received and is not yet a whole frame.
    received: Mutex<Vec<u8>>,
    /// The rest of a frame that was sent in part.
    unsent: Mutex<Vec<u8>>,
}

/// An open tunnel.
///
/// A frame is an IP packet of a TUN and an Ethernet frame of a TAP, behind the headers that the
/// options `pi` and `vnet_hdr` ask for. Each call sends or receives one frame. Threads may share
/// the tunnel: all calls take `&self`.
///
/// The tunnel is closed when this is dropped. [`AsFd`] lends the descriptor, for poll(2) and for
/// programs that inherit it, and `OwnedFd::from(tunnel)` gives it away, as [`IntoRawFd`] does. It
/// is a socket on which one read or write is one frame, also for `std::fs::File`. Only on
/// [`Socket::Stream`], frames are behind their length.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::{Read, Write};
///
/// let broker = memtun::Broker::start()?;
/// let a = broker.tunnel("a").bridge("lab").open()?;
/// let b = broker.tunnel("b").bridge("lab").open()?;
/// (&a).write_all(&[0xff; 60])?;
/// let mut frame = [0; 1514];
/// assert_eq!((&b).read(&mut frame)?, 60);
/// # Ok(())
/// # }
/// ```
pub struct Tunnel {
    channel: Channel,
    record: Record,
    stream: Option<Stream>,
}

impl Tunnel {
    pub(crate) fn new(fd: OwnedFd, record: Record) -> Tunnel {
        let is_stream = record.socket() == Some(Socket::Stream)
            && record.number("backend") != Some(Backend::Kernel.number().into());
        Tunnel {
            channel: Channel::new(fd),
            record,
            stream: is_stream.then(Stream::default),
        }
    }

    /// Return the number of the queue, which the broker has told when it was opened.
    pub(crate) fn queue_id(&self) -> Result<u32> {
        let id = self.record.raw_number(attribute::QUEUE_ID);
        id.and_then(|id| id.try_into().ok())
            .ok_or_else(|| Error::new(libc::EINVAL, "the tunnel's record has no queue"))
    }

    /// Take the record of the tunnel to which the queue was attached.
    pub(crate) fn attach(&mut self, record: Record) {
        self.record = record;
    }

    /// Forget the tunnel from which the queue was detached.
    pub(crate) fn detach(&mut self) {
        let kept = [attribute::SOCKET, attribute::QUEUE_ID, attribute::INODE];
        self.record.retain(&kept);
    }

    /// Return what the broker told when the tunnel was opened, or its queue attached or detached.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Return the tunnel's name; what a template with `%d` became. A detached queue has `""`.
    pub fn name(&self) -> &str {
        self.record.name().unwrap_or_default()
    }

    /// Receive one frame into the buffer, and return its length; 0 is the end.
    ///
    /// The end is that of the broker, or that the tunnel was deleted; a tunnel with
    /// [`Socket::Dgram`] does not see it. A frame that is longer than the buffer is lost, which is
    /// the error EMSGSIZE.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let deadline = self.channel.receive_deadline();
        let size = match &self.stream {
            None => self.channel.receive(buffer, deadline)?,
            Some(stream) => {
                let frame = self.receive_of_stream(stream, deadline)?;
                let size = frame.len().min(buffer.len());
                buffer[..size].copy_from_slice(&frame[..size]);
                frame.len()
            }
        };
        if size > buffer.len() {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        Ok(size)
    }

    /// Receive one frame. An empty one is the end, as of [`recv`](Tunnel::recv).
    pub fn recv_frame(&self) -> io::Result<Vec<u8>> {
        if let Some(stream) = &self.stream {
            return self.receive_of_stream(stream, self.channel.receive_deadline());
        }
        let mut frame = vec![0; LONGEST];
        let size = self.recv(&mut frame)?;
        frame.truncate(size);
        Ok(frame)
    }

    /// Receive the next frame of a stream, whose parts stay here if the time is over.
    fn receive_of_stream(&self, stream: &Stream, deadline: Option<Instant>) -> io::Result<Vec<u8>> {
        let mut received = lock(&stream.received);
        loop {
            match take_frame(&mut received)? {
                // As on the other sockets, an empty frame is no end.
                Some(frame) if frame.is_empty() => continue,
                Some(frame) => return Ok(frame),
                None => {}
            }
            let mut part = vec![0; LONGEST];
            let size = self.channel.receive_stream(&mut part, deadline)?;
            if size == 0 {
                return Ok(Vec::new());
            }
            received.extend_from_slice(&part[..size]);
        }
    }

    /// Send one frame, and wait for room if the broker is behind.
    ///
    /// A tunnel that has ended is [`io::ErrorKind::BrokenPipe`]. A frame that is too long is EMSGSIZE,
    /// and the tunnel can still be used: on a stream one of more than 69632 bytes and the headers,
    /// and on the other sockets what the kernel refuses. The broker drops an empty frame. If a stream
    /// took only a part of the frame before the time was over, or without waiting, the rest goes
    /// before the next frame, or with `flush()`.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        let deadline = self.channel.send_deadline();
        let stream = match &self.stream {
            None => return self.channel.send(frame, deadline).map(drop),
            Some(stream) => stream,
        };
        // The broker would end the tunnel, as it could trust no length that follows.
        if frame.len() > longest(&self.record) {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        let length = frame.len() as u32;
        let mut unsent = lock(&stream.unsent);
        self.flush_stream(&mut unsent, deadline)?;
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(frame);
        let size = self.channel.send(&bytes, deadline)?;
        unsent.extend_from_slice(&bytes[size..]);
        match self.flush_stream(&mut unsent, deadline) {
            // The frame was taken; the caller must not send it again.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    fn flush_stream(&self, unsent: &mut Vec<u8>, deadline: Option<Instant>) -> io::Result<()> {
        while !unsent.is_empty() {
            let size = self.channel.send(unsent, deadline)?;
            unsent.drain(..size);
        }
        Ok(())
    }

    /// Limit how long a call may wait for a frame; None, the default, is no limit.
    ///
    /// A call that takes longer fails with [`io::ErrorKind::TimedOut`]. The limit is one of this
    /// object, and not of the descriptor.
    pub fn set_read_timeout(&self, limit: Option<Duration>) {
        self.channel.set_receive_limit(limit);
    }

    /// Limit how long a call may wait for room; None, the default, is no limit.
    pub fn set_write_timeout(&self, limit: Option<Duration>) {
        self.channel.set_send_limit(limit);
    }

    /// Let calls without a time limit fail with [`io::ErrorKind::WouldBlock`] in place of waiting.
    ///
    /// This sets or clears O_NONBLOCK, which all copies of the descriptor share.
    pub fn set_nonblocking(&self, is_nonblocking: bool) -> io::Result<()> {
        self.channel.set_nonblocking(is_nonblocking)
    }
}

/// Return the length of the longest frame that the broker takes from a stream.
fn longest(record: &Record) -> usize {
    let has = |number| record.raw_number(number).unwrap_or(0) != 0;
    let mut length = FRAME_MAX;
    if has(attribute::PI) {
        length += PI_SIZE;
    }
    if has(attribute::VNET_HDR) {
        let size = record.raw_number(attribute::VNET_HDR_SIZE);
        length += size.unwrap_or(VNET_HDR_SIZE) as usize;
    }
    length
}

/// Take the first frame off what a stream has received, if it is there whole.
fn take_frame(received: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let length = match received.get(..PREFIX) {
        Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]) as usize,
        _ => return Ok(None),
    };
    if length > LONGEST {
        return Err(io::Error::from_raw_os_error(libc::EBADMSG));
    }
    if received.len() < PREFIX + length {
        return Ok(None);
    }
    let frame = received[PREFIX..PREFIX + length].to_vec();
    received.drain(..PREFIX + length);
    Ok(Some(frame))
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel")
            .field("name", &self.name())
            .field("fd", &self.as_raw_fd())
            .finish()
    }
}

impl AsFd for Tunnel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl AsRawFd for Tunnel {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl IntoRawFd for Tunnel {
    fn into_raw_fd(self) -> RawFd {
        OwnedFd::from(self).into_raw_fd()
    }
}

impl From<Tunnel> for OwnedFd {
    /// Give the descriptor away. What was received of a stream and not returned is lost.
    fn from(tunnel: Tunnel) -> OwnedFd {
        tunnel.channel.into_fd()
    }
}

impl io::Read for &Tunnel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv(buffer)
    }
}

impl io::Write for &Tunnel {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        self.send(frame)?;
        Ok(frame.len())
    }

    /// Send the rest of a frame that a stream took in part.
    fn flush(&mut self) -> io::Result<()> {
        match &self.stream {
            None => Ok(()),
            Some(stream) => {
                let mut unsent = lock(&stream.unsent);
                self.flush_stream(&mut unsent, self.channel.send_deadline())
            }
        }
    }
}

impl io::Read for Tunnel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl io::Write for Tunnel {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        (&*self).write(frame)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_a_stream_is_taken_when_it_is_whole() {
        let mut received = vec![0, 0, 0, 2, b'h'];
        assert!(take_frame(&mut received).unwrap().is_none());
        received.extend_from_slice(b"i\0\0");
        assert_eq!(take_frame(&mut received).unwrap().unwrap(), b"hi");
        assert_eq!(received, b"\0\0");
        assert!(take_frame(&mut received).unwrap().is_none());
    }

    #[test]
    fn a_length_that_no_frame_has_is_an_error() {
        let mut received = vec![0xff; 8];
        let error = take_frame(&mut received).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADMSG));
    }
}
