// SPDX-License-Identifier: MIT
//! Copies of the frames of a port or a bridge.

use std::fmt;
use std::io;
use std::os::unix::io::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::attribute;
use crate::channel::Channel;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::protocol::{Attributes, Command, Reader, FRAME_MAX};
use crate::words::{Direction, Mode};

/// The largest record: the header may become longer.
const RECORD_MAX: usize = FRAME_MAX + 1024;
/// MEMTUN_CAPTURE_CLOCK: the broker has a manual clock.
const HAS_CLOCK: u16 = 1;
/// MEMTUN_CAPTURE_REASONS.
const REASONS: usize = 8;

/// The options of a capture, which [`Client::capture`](crate::Client::capture) returns.
#[derive(Clone, Debug)]
#[must_use = "call start()"]
pub struct CaptureOptions<'a> {
    connection: &'a Connection,
    name: String,
    direction: Option<Direction>,
    with_faults: bool,
}

impl<'a> CaptureOptions<'a> {
    pub(crate) fn new(connection: &'a Connection, name: &str) -> CaptureOptions<'a> {
        CaptureOptions {
            connection,
            name: name.to_owned(),
            direction: None,
            with_faults: false,
        }
    }

    /// Capture only the frames of this direction.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// Capture also each frame that a port drops, or to which a rule does something, with the
    /// reasons.
    pub fn faults(mut self) -> Self {
        self.with_faults = true;
        self
    }

    fn request(&self, number: u16) -> Result<Capture> {
        let mut options = Attributes::new();
        options.set_text(number, &self.name);
        if let Some(direction) = self.direction {
            options.set_u32(attribute::DIRECTION, direction.number());
        }
        if self.with_faults {
            options.set_flag(attribute::FAULTS, true);
        }
        let reply = self.connection.request_one(Command::Capture, &options)?;
        let (_, fd) = reply.with_descriptor()?;
        Ok(Capture {
            channel: Channel::new(fd),
            with_faults: self.with_faults,
        })
    }

    /// Begin to capture.
    pub fn start(self) -> Result<Capture> {
        match self.request(attribute::NAME) {
            Err(error) if error.raw_os_error() == libc::ENOENT => self.request(attribute::BRIDGE),
            result => result,
        }
    }
}

/// What happened to a captured frame, of a capture with [`faults`](CaptureOptions::faults).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fate {
    /// The same number for all records of one frame, its copies and its pieces.
    pub id: u64,
    /// The keys of the counters of what happened to it; none: it was on its way.
    pub reasons: Vec<String>,
    /// The number of the rule that did it; 0: none.
    pub rule: u32,
    /// The seed of the rule.
    pub seed: u64,
    /// The number of the frame among those that have reached the rule, from 1.
    pub number: u64,
    /// What the broker's manual clock shows, if it has one.
    pub clock: Option<Duration>,
}

/// One frame of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Captured {
    /// The frame, without a tun_pi and a vnet header.
    pub frame: Vec<u8>,
    /// When the broker saw it.
    pub time: SystemTime,
    /// How many frames the capture has missed so far, because its reader was too slow.
    pub missed: u64,
    /// The id of the tunnel or the uplink.
    pub port: u32,
    /// Whether the frame came from the program behind the port, or goes to it.
    pub direction: Direction,
    /// Whether the frame is an IP packet or an Ethernet frame.
    pub mode: Mode,
    /// What happened to it.
    pub fate: Option<Fate>,
}

/// Read a record of a capture. None: it is not one of the protocol.
fn parse(record: &[u8], with_faults: bool) -> Option<Captured> {
    let mut rest = Reader(record);
    let time = rest.u64()?;
    let missed = rest.u64()?;
    let port = rest.u32()?;
    let direction = Direction::from_number(rest.u16()?.into())?;
    let mode = Mode::from_number(rest.u16()?.into())?;
    let mut fate = None;
    let mut frame = rest.0;
    if with_faults {
        let (found, size) = parse_fate(&mut rest)?;
        // Later versions may have a longer header.
        if usize::from(size) < record.len() - rest.0.len() {
            return None;
        }
        frame = record.get(size.into()..)?;
        fate = Some(found);
    }
    Some(Captured {
        frame: frame.to_vec(),
        time: UNIX_EPOCH.checked_add(Duration::from_nanos(time))?,
        missed,
        port,
        direction,
        mode,
        fate,
    })
}

/// Read what follows in a record with faults, and return also the size of the whole header.
fn parse_fate(rest: &mut Reader<'_>) -> Option<(Fate, u16)> {
    let id = rest.u64()?;
    let clock = rest.u64()?;
    let seed = rest.u64()?;
    let number = rest.u64()?;
    let rule = rest.u32()?;
    let size = rest.u16()?;
    let flags = rest.u16()?;
    let mut reasons = Vec::new();
    for _ in 0..REASONS {
        match rest.u16()? {
            0 => {}
            reason => reasons.push(attribute::key_of(reason)),
        }
    }
    let clock = (flags & HAS_CLOCK != 0).then(|| Duration::from_nanos(clock));
    let fate = Fate {
        id,
        reasons,
        rule,
        seed,
        number,
        clock,
    };
    Some((fate, size))
}

/// Frames as they pass. It iterates over them until the port or the bridge is deleted.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = memtun::Broker::start()?;
/// let a = broker.tunnel("a").bridge("lab").open()?;
/// let capture = broker.capture("lab").faults().start()?;
/// a.send(b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x88\xb5 a frame")?;
/// let mut reasons = capture.map(|captured| captured.unwrap().fate.unwrap().reasons);
/// let dropped = reasons.find(|reasons| !reasons.is_empty());
/// assert_eq!(dropped.unwrap(), ["from-client-dropped-no-destination"]);
/// # Ok(())
/// # }
/// ```
pub struct Capture {
    channel: Channel,
    with_faults: bool,
}

impl Capture {
    fn receive(&self, deadline: Option<Instant>) -> io::Result<Option<Captured>> {
        let mut record = vec![0; RECORD_MAX];
        let size = self.channel.receive(&mut record, deadline)?;
        if size == 0 {
            return Ok(None);
        }
        record
            .get(..size)
            .and_then(|record| parse(record, self.with_faults))
            .map(Some)
            .ok_or_else(|| Error::malformed("it is no captured frame").into())
    }

    /// Return the next frame; None at the end. See [`set_timeout`](Capture::set_timeout).
    pub fn recv(&self) -> io::Result<Option<Captured>> {
        self.receive(self.channel.receive_deadline())
    }

    /// Wait at most this time for a frame that the function takes.
    ///
    /// The error is [`io::ErrorKind::TimedOut`] if none came, and
    /// [`io::ErrorKind::UnexpectedEof`] if the port or the bridge was deleted.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let broker = memtun::Broker::start()?;
    /// let a = broker.tunnel("a").bridge("lab").open()?;
    /// let capture = broker.capture("a").start()?;
    /// a.send(&[0xff; 60])?;
    /// let found = capture.expect(Duration::from_secs(5), |frame| frame.starts_with(&[0xff; 6]))?;
    /// assert_eq!(found.frame.len(), 60);
    /// # Ok(())
    /// # }
    /// ```
    pub fn expect(
        &self,
        limit: Duration,
        mut takes: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<Captured> {
        let deadline = Instant::now().checked_add(limit);
        let mut count = 0u64;
        let failed = |kind, what: &str, count: u64| {
            io::Error::new(
                kind,
                format!("{what}; {count} frames came, and none matched"),
            )
        };
        loop {
            match self.receive(deadline) {
                Ok(Some(captured)) if takes(&captured.frame) => return Ok(captured),
                Ok(Some(_)) => count += 1,
                Ok(None) => {
                    let kind = io::ErrorKind::UnexpectedEof;
                    return Err(failed(kind, "the capture has ended", count));
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Err(failed(error.kind(), &format!("{limit:?} are over"), count));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Limit how long a call may wait for a frame; None, the default, is no limit.
    pub fn set_timeout(&self, limit: Option<Duration>) {
        self.channel.set_receive_limit(limit);
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("channel", &self.channel)
            .field("with_faults", &self.with_faults)
            .finish()
    }
}

impl AsFd for Capture {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Iterator for Capture {
    type Item = io::Result<Captured>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Return a record with a header of this size and a frame.
    fn record(size: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&5_000_000_000u64.to_ne_bytes());
        bytes.extend_from_slice(&3u64.to_ne_bytes());
        bytes.extend_from_slice(&9u32.to_ne_bytes());
        bytes.extend_from_slice(&2u16.to_ne_bytes());
        bytes.extend_from_slice(&1u16.to_ne_bytes());
        for number in [7u64, 11, 12, 13] {
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        bytes.extend_from_slice(&1u32.to_ne_bytes());
        bytes.extend_from_slice(&size.to_ne_bytes());
        bytes.extend_from_slice(&HAS_CLOCK.to_ne_bytes());
        for reason in [attribute::TO_CLIENT_DROPPED_FULL, 9999, 0, 0, 0, 0, 0, 0] {
            bytes.extend_from_slice(&reason.to_ne_bytes());
        }
        bytes.resize(size.into(), 0xaa);
        bytes.extend_from_slice(b"frame");
        bytes
    }

    #[test]
    fn a_record_has_what_the_broker_tells() {
        let captured = parse(&record(80), true).unwrap();
        assert_eq!(captured.frame, b"frame");
        assert_eq!(captured.time, UNIX_EPOCH + Duration::from_secs(5));
        assert_eq!((captured.missed, captured.port), (3, 9));
        assert_eq!(captured.direction, Direction::ToClient);
        assert_eq!(captured.mode, Mode::Tun);
        let fate = captured.fate.unwrap();
        assert_eq!((fate.id, fate.rule, fate.seed, fate.number), (7, 1, 12, 13));
        assert_eq!(fate.clock, Some(Duration::from_nanos(11)));
        assert_eq!(fate.reasons, ["to-client-dropped-full", "attribute 9999"]);
    }

    #[test]
    fn a_longer_header_of_a_later_version_is_skipped() {
        assert_eq!(parse(&record(96), true).unwrap().frame, b"frame");
    }

    #[test]
    fn a_record_that_is_cut_or_changed_is_no_panic() {
        let whole = record(80);
        for size in 0..80 {
            assert!(parse(&whole[..size], true).is_none(), "{size} bytes");
        }
        for place in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[place] = value;
                for with_faults in [false, true] {
                    let _ = parse(&changed, with_faults);
                }
            }
        }
        let mut short = whole;
        short[60..62].copy_from_slice(&79u16.to_ne_bytes());
        assert!(parse(&short, true).is_none(), "a header that says 79 bytes");
    }
}
