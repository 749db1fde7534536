// SPDX-License-Identifier: MIT
//! The options of uplinks, as a builder, and the hand-in of a descriptor.

use std::env;
use std::fmt::Display;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::attribute;
use crate::connection::{Connection, Reply};
use crate::error::{Error, Result};
use crate::impair::Rule;
use crate::port::port_options;
use crate::protocol::{Attributes, Command};
use crate::record::Record;
use crate::sys;
use crate::words::*;

/// The options of an uplink, which [`Client::uplink`](crate::Client::uplink) returns.
///
/// memtun-tunnels(7) says which type takes which options. The last call is
/// [`add`](UplinkOptions::add) or [`set`](UplinkOptions::set).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use memtun::UplinkType;
///
/// let broker = memtun::Broker::start()?;
/// let path = std::env::temp_dir().join(format!("memtun-doc-{}", std::process::id()));
/// let uplink = broker
///     .uplink("vms", "lab", UplinkType::Stream)
///     .listen(&path)
///     .add()?;
/// assert_eq!(uplink.name(), Some("vms"));
/// broker.delete_uplink("vms")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "call add() or set()"]
pub struct UplinkOptions<'a> {
    connection: &'a Connection,
    options: Attributes,
    fd: Option<BorrowedFd<'a>>,
    until: Option<BorrowedFd<'a>>,
    pid: Option<u32>,
    /// The first path that cannot be made absolute.
    error: Option<Error>,
}

impl<'a> UplinkOptions<'a> {
    pub(crate) fn new(connection: &'a Connection, name: &str) -> UplinkOptions<'a> {
        let mut options = Attributes::new();
        options.set_text(attribute::NAME, name);
        UplinkOptions {
            connection,
            options,
            fd: None,
            until: None,
            pid: None,
            error: None,
        }
    }

    port_options!();

    pub(crate) fn uplink_type(mut self, uplink_type: UplinkType) -> Self {
        self.options.set_u32(attribute::TYPE, uplink_type.number());
        self
    }

    /// Set a path, which becomes absolute, as the broker has another working directory.
    fn set_path(&mut self, number: u16, path: &Path) {
        match absolute(path) {
            Ok(path) => self.options.set_text(number, path.as_os_str().as_bytes()),
            Err(error) => self.error = Some(error),
        }
    }

    /// Use this descriptor; the broker gets a copy. For the types fd and device.
    pub fn fd(mut self, fd: &'a impl AsFd) -> Self {
        self.fd = Some(fd.as_fd());
        self
    }

    /// Delete the uplink when the other end of this pipe or UNIX socket is closed.
    pub fn until(mut self, life: &'a impl AsFd) -> Self {
        self.until = Some(life.as_fd());
        self
    }

    /// Delete the uplink when this process ends.
    pub fn pid(mut self, pid: u32) -> Self {
        self.pid = Some(pid);
        self
    }

    /// Choose the interface of the type kernel.
    pub fn device(mut self, device: &str) -> Self {
        self.options.set_text(attribute::DEVICE, device);
        self
    }

    /// Connect to the socket at this path, or `@NAME` in the abstract namespace.
    pub fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.set_path(attribute::PATH, path.as_ref());
        self
    }

    /// Listen at this path, at `@NAME`, or at a loopback address with a port.
    pub fn listen(mut self, place: impl AsRef<Path>) -> Self {
        let place = place.as_ref();
        match place.to_str() {
            Some(text) if text.parse::<SocketAddr>().is_ok() => {
                self.options.set_text(attribute::LISTEN, text);
            }
            _ => self.set_path(attribute::LISTEN, place),
        }
        self
    }

    /// Limit how many peers a listening uplink has.
    pub fn max(mut self, peers: u32) -> Self {
        self.options.set_u32(attribute::MAX, peers);
        self
    }

    /// Choose whose programs may connect to a listening uplink.
    pub fn allow(mut self, allow: Allow) -> Self {
        self.options.set_u32(attribute::ALLOW, allow.number());
        self
    }

    /// Set the mode of the socket's file, such as `0o660`.
    pub fn socket_mode(mut self, mode: u32) -> Self {
        self.options
            .set_text(attribute::SOCKET_MODE, format!("{mode:04o}"));
        self
    }

    /// Set the group of the socket's file, by its number.
    pub fn socket_group(mut self, group: u32) -> Self {
        self.options
            .set_text(attribute::SOCKET_GROUP, group.to_string());
        self
    }

    /// Set the address of the multicast group.
    pub fn group(mut self, group: impl Display) -> Self {
        self.options.set_text(attribute::GROUP, group.to_string());
        self
    }

    /// Set the UDP port.
    pub fn port(mut self, port: u16) -> Self {
        self.options.set_u32(attribute::PORT, port.into());
        self
    }

    /// Use the interface that has this address.
    pub fn ifaddr(mut self, address: impl Display) -> Self {
        self.options
            .set_text(attribute::IFADDR, address.to_string());
        self
    }

    /// Set the time to live of datagrams.
    pub fn ttl(mut self, ttl: u32) -> Self {
        self.options.set_u32(attribute::TTL, ttl);
        self
    }

    /// Receive also the frames that the uplink has sent itself.
    pub fn receive_own(mut self, receive_own: bool) -> Self {
        self.options.set_flag(attribute::LOOP, receive_own);
        self
    }

    /// Set the address of this side.
    pub fn local(mut self, local: impl Display) -> Self {
        self.options.set_text(attribute::LOCAL, local.to_string());
        self
    }

    /// Set the address of the other side.
    pub fn remote(mut self, remote: impl Display) -> Self {
        self.options.set_text(attribute::REMOTE, remote.to_string());
        self
    }

    /// Set the path of the other side of the type dgram.
    pub fn remote_path(mut self, remote: impl AsRef<Path>) -> Self {
        self.set_path(attribute::REMOTE, remote.as_ref());
        self
    }

    /// Set the number of the VXLAN network.
    pub fn vni(mut self, vni: u32) -> Self {
        self.options.set_u32(attribute::VNI, vni);
        self
    }

    /// Set the IPv4 network of the type user, such as `"10.0.2.0/24"`.
    pub fn net(mut self, net: impl Display) -> Self {
        self.options.set_text(attribute::NET, net.to_string());
        self
    }

    /// Set the IPv6 network of the type user, with a prefix of 64 bits.
    pub fn net6(mut self, net: impl Display) -> Self {
        self.options.set_text(attribute::NET6, net.to_string());
        self
    }

    /// Add a forward of the type user, such as `"tcp/127.0.0.1:8080/10.0.2.15:80"`.
    pub fn forward(mut self, forward: &str) -> Self {
        self.options.append_text(attribute::FORWARD, forward);
        self
    }

    /// Serve the files of this directory by TFTP, with the type user.
    pub fn tftp(mut self, directory: impl AsRef<Path>) -> Self {
        self.set_path(attribute::TFTP, directory.as_ref());
        self
    }

    /// Name the file to boot that DHCP gives, with the type user.
    pub fn bootfile(mut self, bootfile: &str) -> Self {
        self.options.set_text(attribute::BOOTFILE, bootfile);
        self
    }

    /// Let nothing out of the network of the type user.
    pub fn restrict(mut self, restrict: bool) -> Self {
        self.options.set_flag(attribute::RESTRICT, restrict);
        self
    }

    /// Give copies of the descriptors to the broker, and return the id of the hand-in.
    fn hand_in(&self) -> Result<Option<u32>> {
        let fd = match (self.fd, self.until.is_some() || self.pid.is_some()) {
            (Some(fd), _) => fd,
            (None, false) => return Ok(None),
            (None, true) => {
                return Err(Error::new(
                    libc::EINVAL,
                    "an uplink with until() or pid() needs fd()",
                ))
            }
        };
        let process: Option<OwnedFd> = match (self.until, self.pid) {
            (None, Some(pid)) => Some(sys::open_process(pid).map_err(|error| {
                Error::system(format!("cannot open the process {pid}"), &error)
            })?),
            _ => None,
        };
        let life = self.until.or_else(|| process.as_ref().map(AsFd::as_fd));
        let fds: Vec<BorrowedFd<'_>> = std::iter::once(fd).chain(life).collect();
        let reply: Reply = self
            .connection
            .request_one(Command::HandIn, &Attributes::new())?;
        let (record, channel) = reply.with_descriptor()?;
        sys::send_descriptors(channel.as_fd(), &fds)
            .map_err(|error| Error::system("cannot give the broker a descriptor", &error))?;
        let number = record.raw_number(attribute::HAND_IN);
        number
            .and_then(|number| number.try_into().ok())
            .map(Some)
            .ok_or_else(|| Error::malformed("it has no hand-in"))
    }

    /// Make the uplink, and return its record.
    pub fn add(mut self) -> Result<Record> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if let Some(number) = self.hand_in()? {
            self.options.set_u32(attribute::HAND_IN, number);
        }
        let reply = self
            .connection
            .request_one(Command::UplinkAdd, &self.options)?;
        Ok(reply.record)
    }

    /// Change these options of the uplink, also while it is in use.
    pub fn set(self) -> Result<()> {
        self.connection.request(Command::UplinkSet, &self.options)?;
        Ok(())
    }
}

/// Return an absolute path. `@NAME` is no path.
fn absolute(path: &Path) -> Result<PathBuf> {
    if path.is_absolute() || path.as_os_str().as_bytes().starts_with(b"@") {
        return Ok(path.to_owned());
    }
    let directory = env::current_dir()
        .map_err(|error| Error::system("cannot find the working directory", &error))?;
    Ok(directory.join(path))
}
