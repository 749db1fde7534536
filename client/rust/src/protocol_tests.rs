// SPDX-License-Identifier: MIT
//! Tests of the records, also of records that are cut or changed.

use super::*;
use crate::words::State;

/// The hello of memtun-protocol(7), Examples.
#[test]
fn a_request_is_that_of_the_manual() {
    let mut hello = Attributes::new();
    hello.set_u32(attribute::VERSION, VERSION);
    let expected: Vec<u8> = [
        &24u32.to_ne_bytes()[..],
        &0x10u16.to_ne_bytes(),
        &5u16.to_ne_bytes(),
        &1u32.to_ne_bytes(),
        &[0; 4],
        &8u16.to_ne_bytes(),
        &1u16.to_ne_bytes(),
        &0x10000u32.to_ne_bytes(),
    ]
    .concat();
    assert_eq!(
        build(Command::Hello, REQUEST | ACK, 1, &hello).unwrap(),
        expected
    );
}

#[test]
fn each_option_is_sent_once_with_its_last_value() {
    let mut options = Attributes::new();
    options.set_u32(attribute::MTU, 1);
    options.set_u32(attribute::MTU, 2);
    options.append_text(attribute::ADDRESS, "10.0.0.1");
    options.append_text(attribute::ADDRESS, "fd00::1");
    let mut expected = Attributes::new();
    expected.set_u32(attribute::MTU, 2);
    expected.set_text(attribute::ADDRESS, "10.0.0.1+fd00::1");
    assert_eq!(options, expected);
}

#[test]
fn a_text_with_a_0_byte_is_refused() {
    let mut options = Attributes::new();
    options.set_text(attribute::NAME, "a\0b");
    let error = build(Command::TunnelAdd, 0, 1, &options).unwrap_err();
    assert_eq!(error.raw_os_error(), libc::EINVAL);
    assert_eq!(error.text(), "name has a 0 byte");
}

#[test]
fn a_request_that_is_too_long_is_refused() {
    for size in [RECORD_MAX, 1 << 16, 1 << 20] {
        let mut options = Attributes::new();
        options.set_text(attribute::NAME, vec![b'a'; size]);
        let error = build(Command::TunnelAdd, 0, 1, &options).unwrap_err();
        assert_eq!(error.raw_os_error(), libc::EMSGSIZE);
    }
}

/// Return a record with these attributes.
fn record(kind: u16, flags: u16, sequence: u32, attributes: &Attributes) -> Vec<u8> {
    let mut bytes = build(Command::Hello, flags, sequence, attributes).unwrap();
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes
}

/// Return the record of a tunnel, with an attribute that is unknown.
fn tunnel() -> Vec<u8> {
    let mut attributes = Attributes::new();
    attributes.set_u32(attribute::ID, 3);
    attributes.set_text(attribute::NAME, "vm0");
    attributes.set_u64(attribute::INODE, u64::MAX);
    attributes.set_u32(attribute::STATE, 2);
    attributes.set_u32(9999, 1);
    record(0x15, MULTI, 7, &attributes)
}

/// Return an error with a text.
fn error() -> Vec<u8> {
    let mut attributes = Attributes::new();
    attributes.set_text(ERROR_TEXT, "no such");
    let mut bytes = record(ERROR, 0, 8, &attributes);
    let body = [&(-libc::ENOENT).to_ne_bytes()[..], &[0; HEADER_SIZE]].concat();
    bytes.splice(HEADER_SIZE..HEADER_SIZE, body);
    let length = (bytes.len() as u32).to_ne_bytes();
    bytes[..4].copy_from_slice(&length);
    bytes
}

#[test]
fn a_record_has_the_attributes_that_are_known() {
    let message = parse(&tunnel()).unwrap();
    assert_eq!((message.sequence, message.flags), (7, MULTI));
    let record = match message.body {
        Body::Record(record) => record,
        other => panic!("{other:?}"),
    };
    assert_eq!(record.name(), Some("vm0"));
    assert_eq!(record.state(), Some(State::Open));
    assert_eq!(record.number("inode"), Some(u64::MAX));
    assert_eq!(record.iter().count(), 4);
    assert_eq!(
        format!("{record:?}"),
        concat!(
            r#"{"id": Number(3), "name": Text("vm0"), "#,
            r#""inode": Number(18446744073709551615), "state": Word("open")}"#
        )
    );
}

#[test]
fn an_error_has_its_errno_and_its_text() {
    let expected = Body::Error {
        errno: libc::ENOENT,
        text: "no such".to_owned(),
    };
    assert_eq!(parse(&error()).unwrap().body, expected);
}

#[test]
fn an_error_that_is_no_errno_is_malformed() {
    for wrong in [1, i32::MIN, i32::MAX] {
        let mut bytes = error();
        bytes[HEADER_SIZE..HEADER_SIZE + 4].copy_from_slice(&wrong.to_ne_bytes());
        assert_eq!(
            parse(&bytes).unwrap_err().raw_os_error(),
            libc::EBADMSG,
            "{wrong}"
        );
    }
}

#[test]
fn a_number_of_a_wrong_size_is_malformed() {
    let mut attributes = Attributes::new();
    attributes.set_text(attribute::MTU, "12");
    let error = parse(&record(0x15, 0, 1, &attributes)).unwrap_err();
    assert_eq!(
        error.text(),
        "the broker sent a malformed record: mtu has 3 bytes"
    );
}

/// A length of the header that is that of the cut record reaches the attributes.
#[test]
fn a_record_that_is_cut_is_an_error_and_no_panic() {
    for whole in [tunnel(), error()] {
        for size in 0..whole.len() {
            let mut cut = whole[..size].to_vec();
            assert_eq!(parse(&cut).unwrap_err().raw_os_error(), libc::EBADMSG);
            if size >= HEADER_SIZE {
                cut[..4].copy_from_slice(&(size as u32).to_ne_bytes());
                // Between two attributes, the rest is a whole record.
                let _ = parse(&cut);
            }
        }
    }
}

/// A sequence of numbers that is the same in each run: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as usize
    }
}

#[test]
fn a_record_that_is_changed_is_no_panic() {
    let mut numbers = Numbers(15);
    let (mut whole, mut malformed) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = if round % 2 == 0 { tunnel() } else { error() };
        for _ in 0..1 + numbers.next() % 4 {
            let place = numbers.next() % bytes.len();
            match numbers.next() % 4 {
                0 => bytes[place] ^= 1 << (numbers.next() % 8),
                1 => bytes[place] = [0, 1, 3, 4, 0x7f, 0x80, 0xff][numbers.next() % 7],
                2 => bytes.truncate(place.max(1)),
                _ => bytes.insert(place, numbers.next() as u8),
            }
        }
        if numbers.next() % 4 != 0 && bytes.len() >= 4 {
            // Let the length be right, so that the rest is read.
            let length = (bytes.len() as u32).to_ne_bytes();
            bytes[..4].copy_from_slice(&length);
        }
        match parse(&bytes) {
            Ok(message) => {
                // All values of a record can be shown.
                let _ = format!("{message:?}");
                whole += 1;
            }
            Err(error) => {
                assert_eq!(error.raw_os_error(), libc::EBADMSG);
                malformed += 1;
            }
        }
    }
    // The changes are such that both happen often.
    assert!(whole > 1000 && malformed > 1000, "{whole} {malformed}");
}

#[test]
fn the_table_is_in_order_and_each_key_is_there_once() {
    for pair in attribute::ATTRIBUTES.windows(2) {
        assert!(pair[0].number < pair[1].number, "{}", pair[1].key);
    }
    for one in attribute::ATTRIBUTES {
        assert_eq!(attribute::find_key(one.key).unwrap().number, one.number);
        assert_eq!(attribute::key_of(one.number), one.key);
    }
}
