// SPDX-License-Identifier: MIT
//! A packet to another TCP/IP stack and back: `memtun host`, which is lwIP, answers ping.

use std::process::{Command, Stdio};

use memtun::{Broker, Mode, State};

use crate::{alone, SECONDS};

/// Return the Internet checksum of RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Return an echo request of ICMP (RFC 792) from 10.0.0.2 to 10.0.0.1.
fn echo_request(text: &[u8]) -> Vec<u8> {
    let mut icmp = [&[8, 0, 0, 0, 0, 1, 0, 1][..], text].concat();
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    let length = (20 + icmp.len() as u16).to_be_bytes();
    let mut ip = vec![0x45, 0, length[0], length[1], 0, 1, 0, 0, 64, 1, 0, 0];
    ip.extend_from_slice(&[10, 0, 0, 2, 10, 0, 0, 1]);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    [ip, icmp].concat()
}

#[test]
fn a_host_on_the_bridge_answers_ping() {
    if std::env::var_os("MEMTUN_TEST_HOST").is_none() {
        println!("not tested: MEMTUN_TEST_HOST does not say that memtun host can run");
        return;
    }
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let mut host = Command::new("memtun")
        .args(["host", "server", "bridge", "lab", "address", "10.0.0.1/24"])
        .env("MEMTUN_SOCKET", broker.address())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let tunnel = broker
        .tunnel("a")
        .mode(Mode::Tun)
        .bridge("lab")
        .address("10.0.0.2/24")
        .open()
        .unwrap();
    tunnel.set_read_timeout(Some(SECONDS));
    broker
        .wait_state("server", State::Open, Some(SECONDS))
        .unwrap();
    tunnel.send(&echo_request(b"hello")).unwrap();
    let answer = loop {
        let packet = tunnel.recv_frame().unwrap();
        // Not a message of IPv6.
        if packet[0] == 0x45 && packet[9] == 1 {
            break packet;
        }
    };
    host.kill().unwrap();
    host.wait().unwrap();
    assert_eq!(answer[12..20], [10, 0, 0, 1, 10, 0, 0, 2]);
    assert_eq!(answer[20], 0, "an echo reply");
    assert_eq!(&answer[28..], b"hello");
    assert_eq!(checksum(&answer[20..]), 0);
}
