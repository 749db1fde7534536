// SPDX-License-Identifier: MIT
//! The events of a broker, on a connection of their own.

use std::ffi::OsStr;
use std::os::unix::io::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::attribute;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::protocol::{Attributes, Body, Command};
use crate::record::Record;
use crate::sys;
use crate::words::EventKind;

/// One change of a tunnel, a bridge, an uplink or a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What has happened. None: this version of the crate has no name for it.
    pub kind: Option<EventKind>,
    /// The record of the object, without counters.
    pub record: Record,
}

impl Event {
    /// The name of the tunnel, bridge or uplink.
    pub fn name(&self) -> Option<&str> {
        self.record.name()
    }
}

/// Each change of tunnels, bridges, uplinks and rules since this was made. It iterates over them.
///
/// ```
/// # fn main() -> Result<(), memtun::Error> {
/// use memtun::EventKind;
///
/// let broker = memtun::Broker::start()?;
/// let mut events = broker.watch()?;
/// broker.tunnel("a").bridge("lab").add()?;
/// assert_eq!(events.next().unwrap()?.kind, Some(EventKind::BridgeAdded));
/// assert_eq!(events.next().unwrap()?.name(), Some("a"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Watch {
    connection: Connection,
    /// A copy of the connection's descriptor, to wait for.
    socket: OwnedFd,
    limit: Option<Duration>,
    has_failed: bool,
}

impl Watch {
    pub(crate) fn new(address: &OsStr, limit: Option<Duration>) -> Result<Watch> {
        let connection = Connection::new(Some(address), limit)?;
        connection.request(Command::Subscribe, &Attributes::new())?;
        connection.set_limit(None)?;
        Ok(Watch {
            socket: connection.copy_socket()?,
            connection,
            limit: None,
            has_failed: false,
        })
    }

    /// Return the next event. The error is ETIMEDOUT after the limit of
    /// [`set_timeout`](Watch::set_timeout).
    pub fn recv(&self) -> Result<Event> {
        self.recv_until(
            self.limit
                .and_then(|limit| Instant::now().checked_add(limit)),
        )
    }

    /// Return the next event that comes before the deadline.
    pub(crate) fn recv_until(&self, deadline: Option<Instant>) -> Result<Event> {
        if deadline.is_some() && !self.connection.has_event() {
            let ready = sys::wait(self.socket.as_fd(), libc::POLLIN, deadline)
                .map_err(|error| Error::system("cannot wait for an event", &error))?;
            if ready == 0 {
                return Err(Error::new(
                    libc::ETIMEDOUT,
                    "no event came within the time limit",
                ));
            }
        }
        match self.connection.next_event()?.body {
            Body::Record(record) => Ok(Event {
                kind: record
                    .raw_number(attribute::EVENT)
                    .and_then(EventKind::from_number),
                record,
            }),
            // ENOBUFS: this program was too slow.
            Body::Error { .. } => Ok(Event {
                kind: Some(EventKind::Lost),
                record: Record::default(),
            }),
            Body::Done => Err(Error::malformed("a series has no request")),
        }
    }

    /// Limit how long a call and an iteration wait; None, the default, is no limit.
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        self.limit = limit;
    }
}

impl AsFd for Watch {
    /// Lend a descriptor that is readable when an event has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Iterator for Watch {
    type Item = Result<Event>;

    /// Return the next event, or one error; after an error other than ETIMEDOUT there is no more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let event = self.recv();
        self.has_failed = matches!(&event, Err(error) if error.raw_os_error() != libc::ETIMEDOUT);
        Some(event)
    }
}
