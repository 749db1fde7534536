// SPDX-License-Identifier: MIT
//! Programs that pretend to be brokers, and send what no broker should.

use std::io;
use std::mem;
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use memtun::{Client, Error};

use crate::life::limit_descriptors;
use crate::{alone, SECONDS};

/// Return the result of a system call as a descriptor that nothing else owns.
fn new_descriptor(fd: libc::c_int) -> OwnedFd {
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: the callers pass a descriptor that a system call has just made.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Return a listening socket at `@name` in the abstract namespace.
fn listen(name: &str) -> OwnedFd {
    // SAFETY: socket() takes no pointers.
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    let socket = new_descriptor(unsafe { libc::socket(libc::AF_UNIX, kind, 0) });
    let mut address = libc::sockaddr_un {
        sun_family: libc::AF_UNIX as libc::sa_family_t,
        sun_path: [0; 108],
    };
    for (place, byte) in address.sun_path[1..].iter_mut().zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    let size = mem::size_of::<libc::sa_family_t>() + 1 + name.len();
    // SAFETY: the address is a sockaddr_un of at least `size` bytes, which lives through the call.
    unsafe {
        let address = ptr::addr_of!(address).cast();
        assert_eq!(libc::bind(socket.as_raw_fd(), address, size as _), 0);
        assert_eq!(libc::listen(socket.as_raw_fd(), 8), 0);
    }
    socket
}

fn receive(socket: RawFd) -> Vec<u8> {
    let mut bytes = vec![0; 32768];
    // SAFETY: the pointer and the length are those of the vector.
    let size = unsafe { libc::recv(socket, bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    bytes.truncate(size.max(0) as usize);
    bytes
}

/// Send a record, and return whether the other side is there.
fn send(socket: RawFd, bytes: &[u8]) -> bool {
    // SAFETY: the pointer and the length are those of a slice.
    let sent = unsafe {
        let data = bytes.as_ptr().cast();
        libc::send(socket, data, bytes.len(), libc::MSG_NOSIGNAL)
    };
    sent >= 0
}

/// Send a record with this number of copies of a descriptor.
fn send_with(socket: RawFd, bytes: &[u8], fd: RawFd, count: usize) {
    let mut ancillary = [0u64; 8];
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr() as *mut _,
        iov_len: bytes.len(),
    };
    // SAFETY: a msghdr of zeros is valid. `ancillary` is aligned, and has room for a header and
    // some descriptors. All that the message refers to lives through the call.
    unsafe {
        let mut message: libc::msghdr = mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        if count > 0 {
            let size = libc::CMSG_LEN((count * 4) as _);
            message.msg_control = ancillary.as_mut_ptr().cast();
            message.msg_controllen = size as _;
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = size as _;
            let data = libc::CMSG_DATA(header).cast::<libc::c_int>();
            for index in 0..count {
                ptr::write_unaligned(data.add(index), fd);
            }
        }
        let sent = libc::sendmsg(socket, &message, libc::MSG_NOSIGNAL);
        assert!(sent >= 0, "{}", io::Error::last_os_error());
    }
}

/// Return a record: type, flags, sequence number and attributes.
fn record(kind: u16, flags: u16, sequence: u32, attributes: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + attributes.len() as u32).to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(attributes);
    bytes
}

/// Answer the hello, then send these records after the next request, and close the connection.
/// Return what two requests of a client then get.
fn answers(records: &[Vec<u8>]) -> (Result<usize, Error>, Result<usize, Error>) {
    answers_then(records, false)
}

/// The same, but with `waits` keep the connection until the client has closed it.
fn answers_then(records: &[Vec<u8>], waits: bool) -> (Result<usize, Error>, Result<usize, Error>) {
    let serve = |socket: RawFd| {
        receive(socket);
        for record in records {
            send(socket, record);
        }
        if waits {
            receive(socket);
        }
    };
    with_broker(serve, |client| {
        if waits {
            client
                .set_reply_timeout(Some(Duration::from_millis(20)))
                .unwrap();
        }
        let list = || client.tunnels().map(|records| records.len());
        (list(), list())
    })
}

/// Answer the hello of a client, then serve it, and close the connection. Return what the client
/// makes of it meanwhile.
fn with_broker<T>(serve: impl FnOnce(RawFd) + Send, ask: impl FnOnce(&Client) -> T) -> T {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("memtun-rust-{}-{number}", std::process::id());
    let listener = listen(&name);
    thread::scope(|scope| {
        scope.spawn(move || {
            // SAFETY: accept4() takes null pointers for an address that is not wanted.
            let socket = new_descriptor(unsafe {
                let none = ptr::null_mut();
                libc::accept4(
                    listener.as_raw_fd(),
                    none,
                    ptr::null_mut(),
                    libc::SOCK_CLOEXEC,
                )
            });
            receive(socket.as_raw_fd());
            send(socket.as_raw_fd(), &record(0x10, 0, 1, &[]));
            serve(socket.as_raw_fd());
        });
        let client = Client::connect_to(format!("@{name}")).unwrap();
        ask(&client)
    })
}

/// Check that the answer is this error, and that the connection is closed then.
fn is_error(records: &[Vec<u8>], errno: i32, text: &str) {
    let (first, second) = answers(records);
    let error = first.unwrap_err();
    assert_eq!(error.raw_os_error(), errno, "{error}");
    assert!(error.text().contains(text), "{error}");
    assert_eq!(second.unwrap_err().raw_os_error(), libc::EPIPE);
}

#[test]
fn a_malformed_answer_is_an_error() {
    let _alone = alone();
    let malformed = |record: Vec<u8>, text: &str| is_error(&[record], libc::EBADMSG, text);
    malformed(b"short".to_vec(), "it has only 5 bytes");
    malformed(
        [record(0x14, 0, 2, &[]), vec![0; 4]].concat(),
        "its header says 16",
    );
    malformed(record(0x14, 0, 2, &[1, 2, 3]), "an attribute is cut off");
    let long = [&200u16.to_ne_bytes()[..], &[4, 0, b'a', 0]].concat();
    malformed(record(0x14, 0, 2, &long), "has the length 200");
    let none = [&0u16.to_ne_bytes()[..], &[4, 0]].concat();
    malformed(record(0x14, 0, 2, &none), "has the length 0");
    malformed(record(2, 0, 2, &[0; 8]), "the error is cut off");
}

#[test]
fn an_answer_to_another_request_is_an_error() {
    let _alone = alone();
    let text = "the broker answered another request";
    is_error(&[record(0x14, 0, 77, &[])], libc::EBADMSG, text);
}

#[test]
fn a_broker_that_goes_away_in_the_middle_is_an_error() {
    let _alone = alone();
    let text = "the broker has closed the connection";
    is_error(&[], libc::EPIPE, text);
    // The series has no end.
    is_error(&[record(0x14, 2, 2, &[])], libc::EPIPE, text);
}

#[test]
fn a_descriptor_that_does_not_come_is_an_error() {
    let _alone = alone();
    let fds = [
        &8u16.to_ne_bytes()[..],
        &23u16.to_ne_bytes(),
        &1u32.to_ne_bytes(),
    ]
    .concat();
    let (first, _) = answers(&[record(0x14, 0, 2, &fds)]);
    assert_eq!(first.unwrap_err().raw_os_error(), libc::EMFILE);
}

#[test]
fn an_error_of_the_connection_ends_it() {
    let _alone = alone();
    let body = [&(-libc::EPERM).to_ne_bytes()[..], &[0; 16]].concat();
    let (first, second) = answers(&[record(2, 0, 0, &body)]);
    assert_eq!(first.unwrap_err().raw_os_error(), libc::EPERM);
    assert_eq!(second.unwrap_err().raw_os_error(), libc::EPIPE);
}

#[test]
fn an_event_may_come_before_an_answer() {
    let _alone = alone();
    let event = record(0x1c, 0, 0, &[]);
    let series = [event, record(0x14, 2, 2, &[]), record(3, 0, 2, &[])];
    assert_eq!(answers(&series).0.unwrap(), 1);
}

#[test]
fn a_broker_that_does_not_answer_in_time_is_an_error() {
    let _alone = alone();
    // Nothing, and a series without its end.
    for records in [vec![], vec![record(0x14, 2, 2, &[])]] {
        let (first, second) = answers_then(&records, true);
        let error = first.unwrap_err();
        assert_eq!(error.raw_os_error(), libc::ETIMEDOUT);
        assert_eq!(error.text(), "the broker has not answered within 20ms");
        let error = second.unwrap_err();
        assert_eq!(error.raw_os_error(), libc::EPIPE);
        assert!(error
            .text()
            .ends_with(": the broker has not answered within 20ms"));
    }
}

#[test]
fn records_without_an_end_do_not_keep_a_request_past_its_limit() {
    let _alone = alone();
    let event = record(0x1c, 0, 0, &[]);
    let part = record(0x14, 2, 2, &[]);
    for endless in [event, part] {
        // The end is for a client that does not keep its limit.
        let start = Instant::now();
        let serve = |socket: RawFd| {
            receive(socket);
            while start.elapsed() < SECONDS && send(socket, &endless) {}
            send(socket, &record(3, 2, 2, &[]));
        };
        let error = with_broker(serve, |client| {
            let limit = Duration::from_millis(20);
            client.set_reply_timeout(Some(limit)).unwrap();
            client.tunnels().unwrap_err()
        });
        assert_eq!(error.raw_os_error(), libc::ETIMEDOUT);
        assert_eq!(error.text(), "the broker has not answered within 20ms");
    }
}

#[test]
fn descriptors_that_no_call_takes_are_closed() {
    let _alone = alone();
    let null = std::fs::File::open("/dev/null").unwrap();
    let fd = null.as_raw_fd();
    let refusal = [&(-libc::EBUSY).to_ne_bytes()[..], &[0; 16]].concat();
    let serve = |socket: RawFd| {
        receive(socket);
        send_with(socket, &record(0x1c, 0, 0, &[]), fd, 3);
        send_with(socket, &record(0x15, 2, 2, &[]), fd, 3);
        send_with(socket, &record(3, 2, 2, &[]), fd, 1);
        receive(socket);
        send_with(socket, &record(2, 0, 3, &refusal), fd, 1);
        receive(socket);
        send_with(socket, &record(0x14, 2, 4, &[]), fd, 2);
        send_with(socket, &record(3, 2, 4, &[]), fd, 2);
    };
    with_broker(serve, |client| {
        client.open("a").unwrap();
        let error = client.open("a").unwrap_err();
        assert_eq!(error.raw_os_error(), libc::EBUSY);
        assert_eq!(client.tunnels().unwrap().len(), 1);
    });
}

#[test]
fn a_lost_descriptor_is_an_error_after_the_whole_answer() {
    let _alone = alone();
    let null = std::fs::File::open("/dev/null").unwrap();
    let fd = null.as_raw_fd();
    let serve = |socket: RawFd| {
        receive(socket);
        send_with(socket, &record(0x1c, 0, 0, &[]), fd, 1);
        send_with(socket, &record(0x14, 2, 2, &[]), fd, 1);
        send_with(socket, &record(0x14, 2, 2, &[]), fd, 0);
        send_with(socket, &record(3, 2, 2, &[]), fd, 0);
        receive(socket);
        send_with(socket, &record(3, 2, 3, &[]), fd, 0);
    };
    with_broker(serve, |client| {
        // All numbers below the limit are in use.
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let highest = open
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<RawFd>().ok())
            .max();
        let mut files = vec![std::fs::File::open("/dev/null").unwrap()];
        while files.last().map(AsRawFd::as_raw_fd) < highest {
            files.push(std::fs::File::open("/dev/null").unwrap());
        }
        let limit = files.last().unwrap().as_raw_fd().max(highest.unwrap()) + 1;
        let before = limit_descriptors(None);
        limit_descriptors(Some(limit as libc::rlim_t));
        let first = client.tunnels();
        limit_descriptors(Some(before));
        assert_eq!(first.unwrap_err().raw_os_error(), libc::EMFILE);
        assert_eq!(client.tunnels().unwrap().len(), 0);
    });
}
