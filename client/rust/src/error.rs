// SPDX-License-Identifier: MIT
//! The error of all requests: an errno, and a text that says what failed.

use std::fmt;
use std::io;

/// The broker refused a request, or the connection to it failed.
///
/// ```
/// # fn main() -> Result<(), memtun::Error> {
/// let broker = memtun::Broker::start()?;
/// let error = broker.show("nothing").unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// assert_eq!(error.text(), "there is no tunnel 'nothing'");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    errno: i32,
    text: String,
    is_no_broker: bool,
}

/// What a request returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Return an error; an empty text becomes that of the errno.
    pub(crate) fn new(errno: i32, text: impl Into<String>) -> Error {
        let mut text = text.into();
        if text.is_empty() {
            text = io::Error::from_raw_os_error(errno).to_string();
        }
        Error {
            errno,
            text,
            is_no_broker: false,
        }
    }

    /// Return the error that no broker was found.
    pub(crate) fn no_broker(text: impl Into<String>) -> Error {
        Error {
            is_no_broker: true,
            ..Error::new(libc::ENOENT, text)
        }
    }

    /// Return an error of the system: what was tried, and why it failed.
    pub(crate) fn system(tried: impl fmt::Display, error: &io::Error) -> Error {
        Error::new(
            error.raw_os_error().unwrap_or(libc::EIO),
            format!("{tried}: {error}"),
        )
    }

    /// Return the error of a record that is not one of the protocol.
    pub(crate) fn malformed(why: impl fmt::Display) -> Error {
        Error::new(
            libc::EBADMSG,
            format!("the broker sent a malformed record: {why}"),
        )
    }

    /// Return the errno of memtun-protocol(7), or that of the system call that failed.
    pub fn raw_os_error(&self) -> i32 {
        self.errno
    }

    /// Return the kind that the standard library has for the errno.
    pub fn kind(&self) -> io::ErrorKind {
        io::Error::from_raw_os_error(self.errno).kind()
    }

    /// Return what the broker, or this crate, says about the error.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Return whether no broker runs, so that a test may skip itself.
    pub fn is_no_broker(&self) -> bool {
        self.is_no_broker
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    /// Keep the error as the inner one, with its kind.
    fn from(error: Error) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}
