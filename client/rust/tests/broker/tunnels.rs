// SPDX-License-Identifier: MIT
//! Tunnels: their frames, their time limits, their end, and their descriptors.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::io::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use memtun::{Broker, Mode, Socket, State, Tunnel};

use crate::{alone, broadcast, SECONDS};

/// Open two tunnels on a bridge.
fn pair(broker: &Broker, socket: Socket) -> (Tunnel, Tunnel) {
    let open = |name| {
        let tunnel = broker
            .tunnel(name)
            .bridge("lab")
            .socket(socket)
            .open()
            .unwrap();
        tunnel.set_read_timeout(Some(SECONDS));
        tunnel
    };
    (open("a"), open("b"))
}

#[test]
fn each_type_of_socket_carries_frames() {
    let _alone = alone();
    for socket in [Socket::Seqpacket, Socket::Dgram, Socket::Stream] {
        let broker = Broker::start().unwrap();
        let (a, b) = pair(&broker, socket);
        for text in [&b"one"[..], &[7; 1400]] {
            a.send(&broadcast(text)).unwrap();
        }
        assert_eq!(&b.recv_frame().unwrap()[14..], b"one");
        let mut buffer = [0; 2000];
        assert_eq!(b.recv(&mut buffer).unwrap(), 1414);
        assert_eq!(buffer[14..1414], [7; 1400]);
        (&a).write_all(&broadcast(b"file")).unwrap();
        (&a).flush().unwrap();
        assert_eq!((&b).read(&mut buffer).unwrap(), 18);
    }
}

#[test]
fn a_frame_that_is_longer_than_the_buffer_is_an_error() {
    let _alone = alone();
    for socket in [Socket::Seqpacket, Socket::Stream] {
        let broker = Broker::start().unwrap();
        let (a, b) = pair(&broker, socket);
        a.send(&broadcast(b"long")).unwrap();
        a.send(&broadcast(b"next")).unwrap();
        let error = b.recv(&mut [0; 17]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        assert_eq!(&b.recv_frame().unwrap()[14..], b"next");
    }
}

#[test]
fn the_largest_frames_pass() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let left = broker.tunnel("l").mode(Mode::Tun).mtu(65535).peer("r");
    let left = left.open().unwrap();
    let right = broker.open("r").unwrap();
    left.send(&[0x45; 65535]).unwrap();
    assert_eq!(right.recv_frame().unwrap().len(), 65535);
}

#[test]
fn a_time_limit_is_kept() {
    let _alone = alone();
    for socket in [Socket::Seqpacket, Socket::Stream] {
        let broker = Broker::start().unwrap();
        let (a, _b) = pair(&broker, socket);
        for limit in [0, 10] {
            a.set_read_timeout(Some(Duration::from_millis(limit)));
            assert_eq!(a.recv_frame().unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        a.set_read_timeout(None);
        a.set_nonblocking(true).unwrap();
        let kind = a.recv_frame().unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::WouldBlock);
    }
}

#[test]
fn a_send_waits_for_room_at_most_for_the_limit() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let left = broker.tunnel("l").peer("r").open().unwrap();
    let right = broker.open("r").unwrap();
    left.set_write_timeout(Some(Duration::from_millis(10)));
    let mut count = 0;
    let error = loop {
        match left.send(&broadcast(&[0; 1000])) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    left.set_write_timeout(Some(SECONDS));
    thread::scope(|scope| {
        let sends = scope.spawn(|| left.send(&broadcast(b"last")));
        for _ in 0..count {
            assert_eq!(right.recv_frame().unwrap().len(), 1014);
        }
        sends.join().unwrap().unwrap();
    });
    assert_eq!(&right.recv_frame().unwrap()[14..], b"last");
}

#[test]
fn a_stream_stays_whole_when_the_time_is_over_or_it_does_not_wait() {
    let _alone = alone();
    for waits in [true, false] {
        let broker = Broker::start().unwrap();
        let left = broker.tunnel("l").socket(Socket::Stream).peer("r");
        let left = left.open().unwrap();
        let right = broker.open("r").unwrap();
        right.set_read_timeout(Some(SECONDS));
        if waits {
            left.set_write_timeout(Some(Duration::from_millis(10)));
        } else {
            left.set_nonblocking(true).unwrap();
        }
        // Frames with their number that are longer than the kernel takes in one piece (48 KiB), so
        // that it takes only a part of the last one.
        let frame = |number: u32| [&number.to_be_bytes()[..], &[0; 65_001]].concat();
        let mut sent = 0;
        let error = loop {
            match left.send(&frame(sent)) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        let kind = if waits {
            io::ErrorKind::TimedOut
        } else {
            io::ErrorKind::WouldBlock
        };
        assert_eq!(error.kind(), kind);
        left.set_write_timeout(Some(SECONDS));
        thread::scope(|scope| {
            let ends = scope.spawn(|| {
                left.send(&frame(u32::MAX)).unwrap();
                (&left).flush().unwrap();
            });
            let mut numbers = Vec::new();
            while numbers.last() != Some(&u32::MAX) {
                let frame = right.recv_frame().unwrap();
                assert_eq!(frame.len(), 65_005);
                numbers.push(u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]));
            }
            ends.join().unwrap();
            // The frame of which the limit has ended the call may have been taken.
            numbers.pop();
            assert!(numbers.len() as u32 - sent <= u32::from(waits));
            assert!(numbers.iter().copied().eq(0..numbers.len() as u32));
        });
    }
}

#[test]
fn a_frame_that_would_end_a_stream_is_refused_and_the_tunnel_goes_on() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    for (pi, vnet_hdr_size, most) in [(false, 0, 69632), (true, 0, 69636), (true, 20, 69656)] {
        let name = format!("t{most}");
        let mut options = broker.tunnel(&name).socket(Socket::Stream).pi(pi);
        if vnet_hdr_size != 0 {
            options = options.vnet_hdr(true).vnet_hdr_size(vnet_hdr_size);
        }
        let tunnel = options.open().unwrap();
        let error = tunnel.send(&vec![0; most + 1]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        tunnel.send(&vec![0; most]).unwrap();
        broker.wait_quiet(&[&name], None, Some(SECONDS)).unwrap();
        let record = broker.statistics(&name).unwrap();
        assert_eq!(record.number("from-client-frames"), Some(1));
        assert_eq!(record.state(), Some(State::Open));
    }
}

#[test]
fn a_frame_that_a_record_cannot_have_is_refused_by_the_kernel() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    for (name, socket) in [("s", Socket::Seqpacket), ("d", Socket::Dgram)] {
        let tunnel = broker.tunnel(name).socket(socket).open().unwrap();
        let error = tunnel.send(&vec![0; 1 << 20]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        tunnel.send(&[0; 69633]).unwrap();
        broker.wait_quiet(&[name], None, Some(SECONDS)).unwrap();
        let drops: Vec<_> = broker.statistics(name).unwrap().drops().collect();
        assert_eq!(drops, [("from-client-dropped-oversize", 1)]);
    }
}

#[test]
fn an_empty_frame_is_no_end_and_the_broker_drops_it() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    for (name, socket) in [
        ("s", Socket::Seqpacket),
        ("d", Socket::Dgram),
        ("t", Socket::Stream),
    ] {
        let peer = format!("{name}-peer");
        let left = broker.tunnel(name).socket(socket).peer(&peer);
        let left = left.open().unwrap();
        let right = broker.open(&peer).unwrap();
        right.set_read_timeout(Some(SECONDS));
        left.send(b"").unwrap();
        left.send(&broadcast(b"after")).unwrap();
        assert_eq!(right.recv_frame().unwrap(), broadcast(b"after"));

        let alone = format!("{name}-alone");
        let tunnel = broker.tunnel(&alone).socket(socket).open().unwrap();
        tunnel.send(b"").unwrap();
        broker.wait_quiet(&[&alone], None, Some(SECONDS)).unwrap();
        let drops: Vec<_> = broker.statistics(&alone).unwrap().drops().collect();
        assert_eq!(drops, [("from-client-dropped-empty", 1)]);
    }
}

#[test]
fn a_deleted_tunnel_ends() {
    let _alone = alone();
    for socket in [Socket::Seqpacket, Socket::Stream] {
        let broker = Broker::start().unwrap();
        let (a, b) = pair(&broker, socket);
        b.send(&broadcast(b"before")).unwrap();
        thread::scope(|scope| {
            let reads = scope.spawn(|| {
                let first = a.recv_frame().unwrap();
                (first, a.recv_frame().unwrap())
            });
            broker.wait_drained("a", Some(SECONDS)).unwrap();
            broker.delete("a").unwrap();
            let (first, end) = reads.join().unwrap();
            assert_eq!((&first[14..], end.len()), (&b"before"[..], 0));
        });
        assert_eq!(a.recv(&mut [0; 9]).unwrap(), 0);
        let error = a.send(&broadcast(b"")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}

#[test]
fn frames_come_before_the_end_although_frames_were_not_read() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let left = broker.tunnel("l").peer("r").open().unwrap();
    let right = broker.open("r").unwrap();
    left.send(&broadcast(b"to r")).unwrap();
    right.send(&broadcast(b"to l")).unwrap();
    // What it has not read is the other side's ECONNRESET.
    drop(right);
    assert_eq!(&left.recv_frame().unwrap()[14..], b"to l");
    assert_eq!(left.recv_frame().unwrap(), b"");
}

#[test]
fn an_empty_frame_is_no_end() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let left = broker.tunnel("l").peer("r").open().unwrap();
    let right = broker.open("r").unwrap();
    left.send(b"").unwrap();
    left.send(&broadcast(b"next")).unwrap();
    assert_eq!(&right.recv_frame().unwrap()[14..], b"next");
}

#[test]
fn the_descriptor_is_lent_and_given_away() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let (a, b) = pair(&broker, Socket::Seqpacket);
    assert_eq!(a.as_fd().as_raw_fd(), a.as_raw_fd());
    assert!(format!("{a:?}").starts_with("Tunnel { name: \"a\", fd: "));
    let copy: OwnedFd = a.as_fd().try_clone_to_owned().unwrap();
    // What takes a descriptor by number owns it from then on, as smoltcp's from_fd() does.
    let number = b.into_raw_fd();
    drop(a);
    let mut sender = File::from(copy);
    sender.write_all(&broadcast(b"by write(2)")).unwrap();
    let mut buffer = [0; 100];
    let mut receiver = File::from(owned(number));
    assert_eq!(receiver.read(&mut buffer).unwrap(), 25);
    drop((sender, receiver));
    broker
        .wait_state("a", State::Closed, Some(SECONDS))
        .unwrap();
    broker
        .wait_state("b", State::Closed, Some(SECONDS))
        .unwrap();
}

/// Return the owner of a descriptor that has none.
fn owned(number: i32) -> OwnedFd {
    use std::os::unix::io::FromRawFd;
    // SAFETY: into_raw_fd() has given the descriptor away, and this is the only caller.
    unsafe { OwnedFd::from_raw_fd(number) }
}

#[test]
fn a_descriptor_is_closed_on_exec_and_a_copy_is_inherited() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let (a, b) = pair(&broker, Socket::Seqpacket);
    let list = std::process::Command::new("ls")
        .arg("-l")
        .arg("/proc/self/fd")
        .stdin(OwnedFd::from(a))
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    // Standard input is the only socket that the program has.
    assert_eq!(list.matches("socket:").count(), 1, "{list}");
    drop(b);
}
