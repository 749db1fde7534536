// SPDX-License-Identifier: MIT
//! The system calls that the standard library does not have, and the unsafe code that they need.
//!
//! Each function takes borrowed descriptors and returns owned ones. A call that a signal interrupts
//! is made again.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::time::{Duration, Instant};

use crate::words::Socket;

/// Return the result of a system call, with errno as its error.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// Repeat a call that transfers bytes until no signal interrupts it, and return their number.
fn transfer(mut call: impl FnMut() -> libc::ssize_t) -> io::Result<usize> {
    loop {
        if let Ok(size) = usize::try_from(call()) {
            return Ok(size);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

// --- sockets ---

/// Return a new socket of the type that control sockets have.
pub(crate) fn control_socket() -> io::Result<OwnedFd> {
    // SAFETY: socket() takes no pointers.
    let fd = check(unsafe {
        libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0)
    })?;
    // SAFETY: the descriptor is new, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Connect to a path, or to `@name` in the abstract namespace.
pub(crate) fn connect(socket: BorrowedFd<'_>, address: &OsStr) -> io::Result<()> {
    let bytes = address.as_bytes();
    let mut name = libc::sockaddr_un {
        sun_family: libc::AF_UNIX as libc::sa_family_t,
        sun_path: [0; 108],
    };
    let is_abstract = bytes.first() == Some(&b'@');
    // A path needs a 0 byte at its end. In the abstract namespace the @ becomes a 0 byte.
    if bytes.len() + usize::from(!is_abstract) > name.sun_path.len() {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    for (place, byte) in name.sun_path.iter_mut().zip(bytes) {
        *place = *byte as libc::c_char;
    }
    if is_abstract {
        name.sun_path[0] = 0;
    }
    let size = mem::size_of::<libc::sa_family_t>() + bytes.len() + usize::from(!is_abstract);
    loop {
        // SAFETY: `name` is a sockaddr_un of at least `size` bytes that lives through the call.
        let result = check(unsafe {
            libc::connect(
                socket.as_raw_fd(),
                ptr::addr_of!(name).cast(),
                size as libc::socklen_t,
            )
        });
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
    }
}

/// Limit how long a connect, a send and a receive on the socket may take each; None is no limit.
pub(crate) fn set_time_limit(socket: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<()> {
    // A time of 0 would be no limit.
    let limit = limit.map_or(Duration::ZERO, |limit| limit.max(Duration::from_micros(1)));
    let time = libc::timeval {
        tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_usec: limit.subsec_micros() as libc::suseconds_t,
    };
    for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
        // SAFETY: the option's value is a timeval, which lives through the call.
        check(unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                ptr::addr_of!(time).cast(),
                mem::size_of_val(&time) as libc::socklen_t,
            )
        })?;
    }
    Ok(())
}

/// Return the user of the process that listens at the other end of the socket.
pub(crate) fn peer_user(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut size = mem::size_of_val(&peer) as libc::socklen_t;
    // SAFETY: the option's value is a ucred, and `size` is its size; both live through the call.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            ptr::addr_of_mut!(peer).cast(),
            &mut size,
        )
    })?;
    Ok(peer.uid)
}

/// Return an option of a socket that is an int. None: the descriptor is no socket.
fn int_option(fd: RawFd, option: libc::c_int) -> Option<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut size = mem::size_of_val(&value) as libc::socklen_t;
    // SAFETY: the option's value is an int, and `size` is its size; both live through the call.
    let result = unsafe {
        let value = ptr::addr_of_mut!(value).cast();
        libc::getsockopt(fd, libc::SOL_SOCKET, option, value, &mut size)
    };
    (result == 0).then_some(value)
}

/// Return whether the descriptor is a socket.
pub(crate) fn is_socket(fd: BorrowedFd<'_>) -> bool {
    int_option(fd.as_raw_fd(), libc::SO_TYPE).is_some()
}

/// Return the type of the socket of this number, if it is one that tunnels have.
pub(crate) fn socket_type(fd: RawFd) -> Option<Socket> {
    match int_option(fd, libc::SO_TYPE)? {
        libc::SOCK_SEQPACKET => Some(Socket::Seqpacket),
        libc::SOCK_DGRAM => Some(Socket::Dgram),
        libc::SOCK_STREAM => Some(Socket::Stream),
        _ => None,
    }
}

/// Return whether the number is that of a socket for connections.
pub(crate) fn is_listening(fd: RawFd) -> bool {
    int_option(fd, libc::SO_ACCEPTCONN).unwrap_or(0) != 0
}

/// Send bytes, without the signal SIGPIPE.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], flags: i32) -> io::Result<usize> {
    transfer(|| {
        // SAFETY: the pointer and the length are those of a slice.
        unsafe {
            libc::send(
                socket.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                flags | libc::MSG_NOSIGNAL,
            )
        }
    })
}

/// Receive bytes. With MSG_TRUNC, the result is the length of the record, also if it was cut.
pub(crate) fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8], flags: i32) -> io::Result<usize> {
    transfer(|| {
        // SAFETY: the pointer and the length are those of a mutable slice.
        unsafe {
            libc::recv(
                socket.as_raw_fd(),
                bytes.as_mut_ptr().cast(),
                bytes.len(),
                flags,
            )
        }
    })
}

/// Shut down the sending side.
pub(crate) fn shut_down_sending(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: shutdown() takes no pointers.
    check(unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_WR) })?;
    Ok(())
}

// --- descriptors in records ---

/// Room for ancillary data, aligned as struct cmsghdr has to be.
type Ancillary = [u64; 8];

/// Return the size of ancillary data with this number of descriptors, without padding at its end.
fn ancillary_size(count: usize) -> usize {
    // SAFETY: CMSG_LEN only computes.
    unsafe { libc::CMSG_LEN((count * mem::size_of::<libc::c_int>()) as libc::c_uint) as usize }
}

/// A record as it was received.
pub(crate) struct Received {
    /// Its number of bytes; 0 is the end.
    pub(crate) size: usize,
    /// The descriptor that came with it.
    pub(crate) fd: Option<OwnedFd>,
    /// The process had no free number for a descriptor.
    pub(crate) is_descriptor_lost: bool,
}

/// Receive one record with at most one descriptor, which is closed on exec.
pub(crate) fn receive_record(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<Received> {
    let mut ancillary: Ancillary = [0; 8];
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a msghdr of zeros is valid: all its pointers are null, and its lengths 0.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.as_mut_ptr().cast();
    // Room for one descriptor only: the kernel closes further ones.
    message.msg_controllen = ancillary_size(1) as _;
    let size = transfer(|| {
        // SAFETY: the message refers to `part`, `bytes` and `ancillary`, which live through the
        // call.
        unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) }
    })?;
    Ok(Received {
        size,
        fd: take_descriptor(&message),
        is_descriptor_lost: message.msg_flags & libc::MSG_CTRUNC != 0,
    })
}

/// Take the descriptor out of a message that recvmsg() has filled in. Each message is taken once.
fn take_descriptor(message: &libc::msghdr) -> Option<OwnedFd> {
    let mut first = None;
    // SAFETY: recvmsg() has set msg_control and msg_controllen to ancillary data that is still
    // there. The macros stay within that length, and the kernel has put only whole descriptors
    // behind a header of SCM_RIGHTS, which belong to this process and to nothing else yet.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let found = ptr::read_unaligned(header);
            if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(header).cast::<libc::c_int>();
                let bytes = (found.cmsg_len as usize).saturating_sub(ancillary_size(0));
                for index in 0..bytes / mem::size_of::<libc::c_int>() {
                    let fd = OwnedFd::from_raw_fd(ptr::read_unaligned(data.add(index)));
                    first.get_or_insert(fd);
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    first
}

/// Send one byte with copies of one or two descriptors.
pub(crate) fn send_descriptors(socket: BorrowedFd<'_>, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut ancillary: Ancillary = [0; 8];
    if fds.is_empty() || fds.len() > 2 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut byte = fds.len() as u8;
    let mut part = libc::iovec {
        iov_base: ptr::addr_of_mut!(byte).cast(),
        iov_len: 1,
    };
    // SAFETY: as in receive_record().
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.as_mut_ptr().cast();
    message.msg_controllen = ancillary_size(fds.len()) as _;
    // SAFETY: `ancillary` has room for a header and more than two descriptors, and is aligned for
    // the header, so CMSG_FIRSTHDR is not null and all writes are within `ancillary`.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = ancillary_size(fds.len()) as _;
        let data = libc::CMSG_DATA(header).cast::<libc::c_int>();
        for (index, fd) in fds.iter().enumerate() {
            ptr::write_unaligned(data.add(index), fd.as_raw_fd());
        }
    }
    transfer(|| {
        // SAFETY: the message refers to `part`, `byte` and `ancillary`, which live through the
        // call.
        unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL) }
    })?;
    Ok(())
}

// --- other descriptors ---

/// Read from a descriptor that is no socket.
pub(crate) fn read(fd: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<usize> {
    transfer(|| {
        // SAFETY: the pointer and the length are those of a mutable slice.
        unsafe { libc::read(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) }
    })
}

/// Write to a descriptor that is no socket.
pub(crate) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    transfer(|| {
        // SAFETY: the pointer and the length are those of a slice.
        unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) }
    })
}

/// Return whether there is an open descriptor of this number.
pub(crate) fn is_open(fd: RawFd) -> bool {
    // SAFETY: fcntl() takes no pointers with F_GETFD.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Own an inherited descriptor, and close it on exec from now on.
///
/// # Safety
///
/// The descriptor is open, and nothing else owns it.
pub(crate) unsafe fn adopt(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl() takes no pointers with F_SETFD.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: the caller says so.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Set or clear O_NONBLOCK, which all copies of the descriptor share.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>, is_nonblocking: bool) -> io::Result<()> {
    // SAFETY: fcntl() takes no pointers with F_GETFL and F_SETFL.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    let flags = if is_nonblocking {
        flags | libc::O_NONBLOCK
    } else {
        flags & !libc::O_NONBLOCK
    };
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) })?;
    Ok(())
}

/// Wait until the descriptor has one of the events, or an error or a hang-up. Return what it has;
/// 0 after the deadline.
pub(crate) fn wait(fd: BorrowedFd<'_>, events: i16, deadline: Option<Instant>) -> io::Result<i16> {
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    loop {
        let milliseconds = deadline.map_or(-1, |deadline| {
            let rest = deadline.saturating_duration_since(Instant::now());
            // Round up, so as not to spin at the end.
            i32::try_from((rest.as_nanos() + 999_999) / 1_000_000).unwrap_or(i32::MAX)
        });
        // SAFETY: the pointer is that of one pollfd, which lives through the call.
        match check(unsafe { libc::poll(&mut entry, 1, milliseconds) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
            Ok(0) if deadline.map_or(true, |deadline| Instant::now() < deadline) => continue,
            Ok(_) => return Ok(entry.revents),
        }
    }
}

/// Return a descriptor of the process that is readable when the process ends.
pub(crate) fn open_process(pid: u32) -> io::Result<OwnedFd> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    // SAFETY: pidfd_open() takes no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(fd as libc::c_int)?;
    // SAFETY: the descriptor is new, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

// --- processes ---

/// Return the effective user of this process.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: geteuid() takes nothing, and cannot fail.
    unsafe { libc::geteuid() }
}

/// Let the command begin a session of its own, which a terminal's interrupt key does not reach.
pub(crate) fn begin_session(command: &mut Command) {
    // SAFETY: between fork() and exec() the closure only calls setsid(), which is
    // async-signal-safe.
    unsafe {
        command.pre_exec(|| check(libc::setsid()).map(drop));
    }
}
