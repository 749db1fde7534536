// SPDX-License-Identifier: MIT
//! A descriptor that carries frames, with time limits: what tunnels, captures and injectors have.
//!
//! It waits with poll(2) only where there is a limit, and never changes the descriptor's mode by
//! itself, as other programs may have copies of it.

use std::io;
use std::os::unix::io::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sys;

/// A descriptor with time limits.
#[derive(Debug)]
pub(crate) struct Channel {
    fd: OwnedFd,
    is_socket: bool,
    limit: Mutex<Limits>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    receive: Option<Duration>,
    send: Option<Duration>,
}

/// Lock what is whole at any time, also after a panic of another thread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn deadline(limit: Option<Duration>) -> Option<Instant> {
    limit.and_then(|limit| Instant::now().checked_add(limit))
}

impl Channel {
    pub(crate) fn new(fd: OwnedFd) -> Channel {
        Channel {
            is_socket: sys::is_socket(fd.as_fd()),
            fd,
            limit: Mutex::new(Limits::default()),
        }
    }

    pub(crate) fn set_receive_limit(&self, limit: Option<Duration>) {
        lock(&self.limit).receive = limit;
    }

    pub(crate) fn set_send_limit(&self, limit: Option<Duration>) {
        lock(&self.limit).send = limit;
    }

    pub(crate) fn receive_deadline(&self) -> Option<Instant> {
        deadline(lock(&self.limit).receive)
    }

    pub(crate) fn send_deadline(&self) -> Option<Instant> {
        deadline(lock(&self.limit).send)
    }

    /// Wait until the descriptor has one of the events, or an error or a hang-up.
    fn wait(&self, events: i16, deadline: Instant) -> io::Result<()> {
        if sys::wait(self.fd.as_fd(), events, Some(deadline))? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the time limit is over",
            ));
        }
        Ok(())
    }

    /// Make a call until it does not fail with WouldBlock, or the deadline is over. Without a
    /// deadline, the call itself waits, unless the descriptor is non-blocking.
    fn repeat<T>(
        &self,
        events: i16,
        deadline: Option<Instant>,
        mut call: impl FnMut(i32) -> io::Result<T>,
    ) -> io::Result<T> {
        let deadline = match deadline {
            None => return call(0),
            Some(deadline) => deadline,
        };
        loop {
            // Only a socket has a flag for one call that does not wait.
            if !self.is_socket {
                self.wait(events, deadline)?;
            }
            match call(libc::MSG_DONTWAIT) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(events, deadline)?;
                }
                result => return result,
            }
        }
    }

    /// Return whether a read of 0 bytes was the end, and not an empty frame.
    fn is_at_end(&self) -> io::Result<bool> {
        Ok(sys::wait(self.fd.as_fd(), 0, Some(Instant::now()))? != 0)
    }

    /// Receive once. The result is the length of the record, which may be larger than the buffer.
    pub(crate) fn receive(
        &self,
        buffer: &mut [u8],
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        loop {
            let result = self.repeat(libc::POLLIN, deadline, |flags| {
                if self.is_socket {
                    sys::receive(self.fd.as_fd(), buffer, flags | libc::MSG_TRUNC)
                } else {
                    sys::read(self.fd.as_fd(), buffer)
                }
            });
            match result {
                // Only the other end's unread frames are lost. The frames for this end follow.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
                // A peer can send an empty frame, which this skips.
                Ok(0) if !self.is_at_end()? => continue,
                result => return result,
            }
        }
    }

    /// Receive bytes of a stream, of which MSG_TRUNC would discard those that find no room.
    pub(crate) fn receive_stream(
        &self,
        buffer: &mut [u8],
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        loop {
            let result = self.repeat(libc::POLLIN, deadline, |flags| {
                sys::receive(self.fd.as_fd(), buffer, flags)
            });
            match result {
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
                result => return result,
            }
        }
    }

    /// Send once.
    pub(crate) fn send(&self, bytes: &[u8], deadline: Option<Instant>) -> io::Result<usize> {
        self.repeat(libc::POLLOUT, deadline, |flags| {
            if self.is_socket {
                sys::send(self.fd.as_fd(), bytes, flags)
            } else {
                sys::write(self.fd.as_fd(), bytes)
            }
        })
    }

    pub(crate) fn shut_down_sending(&self) -> io::Result<()> {
        sys::shut_down_sending(self.fd.as_fd())
    }

    pub(crate) fn set_nonblocking(&self, is_nonblocking: bool) -> io::Result<()> {
        sys::set_nonblocking(self.fd.as_fd(), is_nonblocking)
    }

    pub(crate) fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
