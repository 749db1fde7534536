// SPDX-License-Identifier: MIT
//! A connection to a broker: it finds the broker, sends requests, and receives their answers.
//!
//! A connection owns its socket. It hands each descriptor of an answer to its caller, and closes
//! those of an answer that fails. Late or malformed answers end the connection, because their rest
//! would be taken for the answer of the next request.

use std::collections::VecDeque;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::io::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::attribute;
use crate::error::{Error, Result};
use crate::protocol::{self, Attributes, Body, Command, Message};
use crate::record::Record;
use crate::sys;
use crate::users;

/// A record as it has come.
#[derive(Debug)]
struct Incoming {
    message: Message,
    fd: Option<OwnedFd>,
    /// There was a descriptor, and this process had no free number for it.
    is_descriptor_lost: bool,
}

/// Return whether the caller of a request takes the descriptors of its answer.
fn has_descriptors(command: Command) -> bool {
    use Command::*;
    matches!(command, QueueOpen | Capture | Inject | HandIn)
}

/// One record of an answer, with its descriptor.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) record: Record,
    pub(crate) fd: Option<OwnedFd>,
}

impl Reply {
    /// Return the record and the descriptor of an answer that has one.
    pub(crate) fn with_descriptor(self) -> Result<(Record, OwnedFd)> {
        match self.fd {
            Some(fd) => Ok((self.record, fd)),
            None => Err(Error::malformed("it has no descriptor")),
        }
    }
}

/// Return the addresses at which a broker may listen if none is named.
fn places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    let user = sys::effective_user();
    if let Some(runtime) = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        if runtime.is_absolute() {
            places.push(runtime.join("memtun/control"));
        }
    }
    places.push(PathBuf::from(format!("/run/user/{user}/memtun/control")));
    let temporary = PathBuf::from(format!("/tmp/memtun-{user}"));
    if users::owns_directory(&temporary) {
        places.push(temporary.join("control"));
    }
    places.push(PathBuf::from("/run/memtun/control"));
    places
}

/// Return whether an error of connect(2) means that no broker listens at a place.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::ECONNREFUSED | libc::ENOTDIR)
    )
}

/// Connect to one address. None: no broker listens there.
fn connect_at(address: &OsStr, limit: Option<Duration>, is_named: bool) -> Result<Option<OwnedFd>> {
    let tried = || {
        format!(
            "cannot connect to the broker on {}",
            address.to_string_lossy()
        )
    };
    let socket = sys::control_socket().map_err(|error| Error::system(tried(), &error))?;
    sys::set_time_limit(socket.as_fd(), limit).map_err(|error| Error::system(tried(), &error))?;
    if let Err(error) = sys::connect(socket.as_fd(), address) {
        if is_absent(&error) {
            return Ok(None);
        }
        if let (io::ErrorKind::WouldBlock, Some(limit)) = (error.kind(), limit) {
            return Err(Error::new(
                libc::ETIMEDOUT,
                format!(
                    "the broker on {} has not accepted the connection within {limit:?}",
                    address.to_string_lossy()
                ),
            ));
        }
        return Err(Error::system(tried(), &error));
    }
    let owner = sys::peer_user(socket.as_fd()).map_err(|error| Error::system(tried(), &error))?;
    users::check_owner(owner, address, is_named)?;
    Ok(Some(socket))
}

/// Connect to the named broker, or to the first that is found.
fn find(address: Option<&OsStr>, limit: Option<Duration>) -> Result<(OwnedFd, OsString)> {
    let named = address
        .map(OsStr::to_owned)
        .or_else(|| env::var_os("MEMTUN_SOCKET"))
        .filter(|address| !address.is_empty());
    if let Some(address) = named {
        return match connect_at(&address, limit, true)? {
            Some(socket) => Ok((socket, address)),
            None => Err(Error::no_broker(format!(
                "no broker is running at {}",
                address.to_string_lossy()
            ))),
        };
    }
    for place in places() {
        if let Some(socket) = connect_at(place.as_os_str(), limit, false)? {
            return Ok((socket, place.into_os_string()));
        }
    }
    Err(Error::no_broker("no broker is running; memtund starts one"))
}

/// What a connection has while it is open, and why it is not.
#[derive(Debug)]
enum Link {
    Open(OwnedFd),
    Closed(Error),
}

#[derive(Debug)]
struct Session {
    link: Link,
    /// How long the broker may take for each answer.
    limit: Option<Duration>,
    sequence: u32,
    /// Events that came between the records of answers.
    events: VecDeque<Message>,
}

/// A session with a broker.
#[derive(Debug)]
pub(crate) struct Connection {
    address: OsString,
    session: Mutex<Session>,
}

impl Connection {
    /// Connect, and say hello. `limit` is how long the broker may take for each answer.
    pub(crate) fn new(address: Option<&OsStr>, limit: Option<Duration>) -> Result<Connection> {
        let (socket, address) = find(address, limit)?;
        let connection = Connection {
            address,
            session: Mutex::new(Session {
                link: Link::Open(socket),
                limit,
                sequence: 0,
                events: VecDeque::new(),
            }),
        };
        let mut hello = Attributes::new();
        hello.set_u32(attribute::VERSION, protocol::VERSION);
        connection.request(Command::Hello, &hello)?;
        Ok(connection)
    }

    /// Make a connection for one request whose answer takes as long as the caller waits.
    ///
    /// The broker reads no further request of a client meanwhile, so such a request has a
    /// connection of its own, which ends with the wait.
    pub(crate) fn patient(&self, wait: Option<Duration>) -> Result<Connection> {
        let limit = match (wait, self.limit()) {
            (Some(wait), Some(limit)) => Some(wait.saturating_add(limit)),
            _ => None,
        };
        Connection::new(Some(&self.address), limit)
    }

    pub(crate) fn address(&self) -> &OsStr {
        &self.address
    }

    pub(crate) fn limit(&self) -> Option<Duration> {
        self.session().limit
    }

    /// Return the address if it is a path.
    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.address)
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        // No call panics while it has the lock with the session half changed.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Return the records of an answer.
    pub(crate) fn request(&self, command: Command, options: &Attributes) -> Result<Vec<Reply>> {
        self.session().request(command, 0, options)
    }

    /// Return the records of a list.
    pub(crate) fn list(&self, command: Command, options: &Attributes) -> Result<Vec<Record>> {
        let replies = self.session().request(command, protocol::DUMP, options)?;
        Ok(replies.into_iter().map(|reply| reply.record).collect())
    }

    /// Return the last record of an answer that has one.
    pub(crate) fn request_one(&self, command: Command, options: &Attributes) -> Result<Reply> {
        self.request(command, options)?
            .pop()
            .ok_or_else(|| Error::malformed("the answer has no record"))
    }

    /// Return the next event, which may have come already, or wait for it without a limit.
    pub(crate) fn next_event(&self) -> Result<Message> {
        let mut session = self.session();
        if let Some(message) = session.events.pop_front() {
            return Ok(message);
        }
        let result = session.receive(None);
        match result {
            Ok(incoming) => Ok(incoming.message),
            Err(error) => Err(session.close(error)),
        }
    }

    /// Return whether an event has come already that no call has returned.
    pub(crate) fn has_event(&self) -> bool {
        !self.session().events.is_empty()
    }

    /// Return a copy of the socket, to wait for events.
    pub(crate) fn copy_socket(&self) -> Result<OwnedFd> {
        let session = self.session();
        let socket = session.socket()?;
        socket
            .try_clone_to_owned()
            .map_err(|error| Error::system("cannot copy the connection's descriptor", &error))
    }

    /// Set how long the broker may take for each answer from now on.
    pub(crate) fn set_limit(&self, limit: Option<Duration>) -> Result<()> {
        let mut session = self.session();
        sys::set_time_limit(session.socket()?, limit)
            .map_err(|error| Error::system("cannot set a time limit", &error))?;
        session.limit = limit;
        Ok(())
    }
}

impl Session {
    fn socket(&self) -> Result<BorrowedFd<'_>> {
        match &self.link {
            Link::Open(socket) => Ok(socket.as_fd()),
            Link::Closed(error) => Err(Error::new(
                libc::EPIPE,
                format!("the connection was closed before: {error}"),
            )),
        }
    }

    /// End the session because of an error, and return that.
    fn close(&mut self, error: Error) -> Error {
        if let Link::Open(_) = self.link {
            self.link = Link::Closed(error.clone());
        }
        error
    }

    /// Receive one record and its descriptor. The error is EAGAIN after the deadline.
    fn receive(&mut self, deadline: Option<Instant>) -> Result<Incoming> {
        let failed = |error| Error::system("the connection to the broker has failed", &error);
        let mut bytes = vec![0; protocol::RECORD_MAX];
        // After the deadline, also what has come is late: it may be a part of what has no end.
        let is_late = deadline.map_or(false, |deadline| Instant::now() >= deadline);
        if is_late || sys::wait(self.socket()?, libc::POLLIN, deadline).map_err(failed)? == 0 {
            return Err(Error::new(libc::EAGAIN, ""));
        }
        let received = sys::receive_record(self.socket()?, &mut bytes).map_err(failed)?;
        let record = bytes.get(..received.size).unwrap_or_default();
        if record.is_empty() {
            return Err(Error::new(
                libc::EPIPE,
                "the broker has closed the connection",
            ));
        }
        let message = protocol::parse(record)?;
        if message.sequence == 0 {
            if let Body::Error { errno, text } = &message.body {
                if *errno != 0 && *errno != libc::ENOBUFS {
                    return Err(Error::new(*errno, text.as_str()));
                }
            }
        }
        let has_descriptor = match &message.body {
            Body::Record(record) => record.raw_number(attribute::FDS).unwrap_or(0) > 0,
            _ => false,
        };
        Ok(Incoming {
            message,
            is_descriptor_lost: received.fd.is_none()
                && (has_descriptor || received.is_descriptor_lost),
            fd: received.fd,
        })
    }

    /// Receive the next record that is no event.
    fn receive_answer(&mut self, sequence: u32, deadline: Option<Instant>) -> Result<Incoming> {
        loop {
            let incoming = self.receive(deadline)?;
            if incoming.message.sequence == sequence {
                return Ok(incoming);
            }
            if incoming.message.sequence != 0 {
                return Err(Error::new(
                    libc::EBADMSG,
                    "the broker answered another request",
                ));
            }
            self.events.push_back(incoming.message);
        }
    }

    /// Receive an answer to its end. The outer error ends the session; the inner one is the
    /// broker's.
    fn receive_all(
        &mut self,
        sequence: u32,
        has_descriptors: bool,
        deadline: Option<Instant>,
    ) -> Result<Result<Vec<Reply>>> {
        let mut replies = Vec::new();
        let mut is_lost = false;
        loop {
            let Incoming {
                message,
                fd,
                is_descriptor_lost,
            } = self.receive_answer(sequence, deadline)?;
            // The record was read whole, and the answer goes on.
            is_lost |= is_descriptor_lost;
            let is_end = match message.body {
                Body::Error { errno, text } if errno != 0 && !is_lost => {
                    return Ok(Err(Error::new(errno, text)));
                }
                Body::Error { .. } | Body::Done => true,
                Body::Record(record) => {
                    let fd = fd.filter(|_| has_descriptors);
                    replies.push(Reply { record, fd });
                    message.flags & protocol::MULTI == 0
                }
            };
            if is_end && is_lost {
                return Ok(Err(Error::new(
                    libc::EMFILE,
                    "the broker's descriptor was lost: this process has no free descriptor",
                )));
            }
            if is_end {
                return Ok(Ok(replies));
            }
        }
    }

    /// Send a request, and return the records of its answer.
    fn request(
        &mut self,
        command: Command,
        flags: u16,
        options: &Attributes,
    ) -> Result<Vec<Reply>> {
        let sequence = self.sequence.checked_add(1).unwrap_or(1);
        let flags = flags | protocol::REQUEST | protocol::ACK;
        let record = protocol::build(command, flags, sequence, options)?;
        let deadline = self
            .limit
            .and_then(|limit| Instant::now().checked_add(limit));
        let socket = self.socket()?;
        let sent = sys::send(socket, &record, 0)
            .map_err(|error| Error::system("the connection to the broker has failed", &error));
        self.sequence = sequence;
        let answer = match sent {
            Ok(_) => self.receive_all(sequence, has_descriptors(command), deadline),
            // The broker may have said why before it closed the connection.
            Err(error) => match self.receive(deadline) {
                Err(why) if why.raw_os_error() != libc::EPIPE => Err(why),
                _ => Err(error),
            },
        };
        answer.unwrap_or_else(|error| {
            let error = match self.limit {
                Some(limit) if error.raw_os_error() == libc::EAGAIN => Error::new(
                    libc::ETIMEDOUT,
                    format!("the broker has not answered within {limit:?}"),
                ),
                _ => error,
            };
            Err(self.close(error))
        })
    }
}
