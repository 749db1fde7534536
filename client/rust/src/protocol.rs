// SPDX-License-Identifier: MIT
//! The records of memtun-protocol(7): how a request is built, and how an answer is read.
//!
//! This module knows no socket. It trusts no byte of an answer: what does not fit is an error.

use std::convert::TryInto;

use crate::attribute;
use crate::error::{Error, Result};
use crate::record::{Raw, Record};

/// The largest record in either direction, in bytes.
pub(crate) const RECORD_MAX: usize = 32768;
/// Version 1.0: the major number in the upper 16 bits, the minor number in the lower.
pub(crate) const VERSION: u32 = 1 << 16;
/// The largest frame of memtund, in bytes.
pub(crate) const FRAME_MAX: usize = 69632;
/// A tun_pi of 4 bytes and a vnet header of at most 20.
pub(crate) const HEADERS_MAX: usize = 24;

/// Types of answers, from <linux/netlink.h>.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Flags of struct nlmsghdr.
pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const MULTI: u16 = 0x2;
pub(crate) const ACK: u16 = 0x4;
pub(crate) const DUMP: u16 = 0x300;

/// The length of struct nlmsghdr: length, type, flags, sequence, pid.
const HEADER_SIZE: usize = 16;
/// The length of struct nlattr: length, type.
const ATTRIBUTE_SIZE: usize = 4;
/// Behind the header of an error: the error, and the header of the request.
const ERROR_SIZE: usize = 4 + HEADER_SIZE;
/// NLMSGERR_ATTR_MSG: the explanation.
const ERROR_TEXT: u16 = 1;

/// The requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Hello = 0x10,
    TunnelAdd = 0x11,
    TunnelSet = 0x12,
    TunnelDelete = 0x13,
    TunnelShow = 0x14,
    QueueOpen = 0x15,
    QueueAttach = 0x16,
    QueueDetach = 0x17,
    BridgeAdd = 0x18,
    BridgeDelete = 0x19,
    BridgeShow = 0x1a,
    Subscribe = 0x1b,
    Capture = 0x1d,
    Inject = 0x1e,
    UplinkAdd = 0x1f,
    UplinkDelete = 0x20,
    UplinkShow = 0x21,
    AddressShow = 0x22,
    SessionShow = 0x23,
    SessionDelete = 0x24,
    UplinkSet = 0x25,
    HandIn = 0x26,
    InterfaceSet = 0x28,
    TunnelRename = 0x29,
    ClockShow = 0x30,
    ClockAdvance = 0x31,
    ClockNext = 0x32,
    Quiet = 0x33,
    ImpairAdd = 0x34,
    ImpairShow = 0x35,
    ImpairSet = 0x36,
    ImpairDelete = 0x37,
    ImpairRelease = 0x38,
}

// --- requests ---

/// The value of an attribute in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    U32(u32),
    U64(u64),
    Text(Vec<u8>),
}

/// The attributes of a request, each at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<(u16, Payload)>);

impl Attributes {
    pub(crate) fn new() -> Attributes {
        Attributes::default()
    }

    /// Set an attribute, in place of its earlier value.
    fn set(&mut self, number: u16, payload: Payload) {
        self.0.retain(|(other, _)| *other != number);
        self.0.push((number, payload));
    }

    pub(crate) fn set_u32(&mut self, number: u16, value: u32) {
        self.set(number, Payload::U32(value));
    }

    pub(crate) fn set_u64(&mut self, number: u16, value: u64) {
        self.set(number, Payload::U64(value));
    }

    pub(crate) fn set_flag(&mut self, number: u16, value: bool) {
        self.set(number, Payload::U32(value.into()));
    }

    pub(crate) fn set_text(&mut self, number: u16, value: impl AsRef<[u8]>) {
        self.set(number, Payload::Text(value.as_ref().to_vec()));
    }

    /// Add a part to a text whose parts are joined by `+`.
    pub(crate) fn append_text(&mut self, number: u16, part: &str) {
        for (other, payload) in &mut self.0 {
            if let (true, Payload::Text(text)) = (*other == number, payload) {
                text.push(b'+');
                text.extend_from_slice(part.as_bytes());
                return;
            }
        }
        self.set_text(number, part);
    }

    /// Add all attributes of other ones.
    pub(crate) fn extend(&mut self, other: &Attributes) {
        for (number, payload) in &other.0 {
            self.set(*number, payload.clone());
        }
    }

    /// Return the attributes as bytes.
    fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for (number, payload) in &self.0 {
            let value = match payload {
                Payload::U32(value) => value.to_ne_bytes().to_vec(),
                Payload::U64(value) => value.to_ne_bytes().to_vec(),
                Payload::Text(text) if text.contains(&0) => {
                    return Err(Error::new(
                        libc::EINVAL,
                        format!("{} has a 0 byte", attribute::key_of(*number)),
                    ));
                }
                Payload::Text(text) => [text.as_slice(), &[0]].concat(),
            };
            // The whole record is checked against its maximum, which is less than 2^16.
            let length = (ATTRIBUTE_SIZE + value.len()).min(RECORD_MAX) as u16;
            bytes.extend_from_slice(&length.to_ne_bytes());
            bytes.extend_from_slice(&number.to_ne_bytes());
            bytes.extend_from_slice(&value);
            bytes.resize((bytes.len() + 3) & !3, 0);
        }
        Ok(bytes)
    }
}

/// Return the record of a request.
pub(crate) fn build(
    command: Command,
    flags: u16,
    sequence: u32,
    attributes: &Attributes,
) -> Result<Vec<u8>> {
    let attributes = attributes.encode()?;
    let length = HEADER_SIZE + attributes.len();
    if length > RECORD_MAX {
        return Err(Error::new(
            libc::EMSGSIZE,
            format!("the request has {length} bytes, and at most {RECORD_MAX} are allowed"),
        ));
    }
    let mut record = Vec::with_capacity(length);
    record.extend_from_slice(&(length as u32).to_ne_bytes());
    record.extend_from_slice(&(command as u16).to_ne_bytes());
    record.extend_from_slice(&flags.to_ne_bytes());
    record.extend_from_slice(&sequence.to_ne_bytes());
    record.extend_from_slice(&0u32.to_ne_bytes());
    record.extend_from_slice(&attributes);
    Ok(record)
}

// --- answers ---

/// What one record of the broker says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// An object or an event.
    Record(Record),
    /// The end of a series.
    Done,
    /// An error, or with errno 0 an acknowledgement.
    Error { errno: i32, text: String },
}

/// One record of the broker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) body: Body,
}

/// Reads numbers from the start of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// Take this number of bytes, if there are so many.
    pub(crate) fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        if size > self.0.len() {
            return None;
        }
        let (head, tail) = self.0.split_at(size);
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_ne_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_ne_bytes(self.take(8)?.try_into().ok()?))
    }
}

/// Take the next attribute: its number and its value. None is the end.
fn next_attribute<'a>(rest: &mut Reader<'a>) -> Result<Option<(u16, &'a [u8])>> {
    if rest.0.is_empty() {
        return Ok(None);
    }
    let cut_off = || Error::malformed("an attribute is cut off");
    let length = usize::from(rest.u16().ok_or_else(cut_off)?);
    let number = rest.u16().ok_or_else(cut_off)?;
    let wrong = || Error::malformed(format!("attribute {number} has the length {length}"));
    let size = length.checked_sub(ATTRIBUTE_SIZE).ok_or_else(wrong)?;
    let value = rest.take(size).ok_or_else(wrong)?;
    // The padding; a broker may leave it out at the end.
    let padding = (4 - length % 4) % 4;
    rest.take(padding.min(rest.0.len()));
    Ok(Some((number, value)))
}

/// Return the text of an attribute, without the 0 byte at its end.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(&[0]).unwrap_or(value)).into_owned()
}

/// Return the record of an object, without the attributes that this version does not know.
fn parse_record(bytes: &[u8]) -> Result<Record> {
    let mut rest = Reader(bytes);
    let mut record = Record::default();
    while let Some((number, value)) = next_attribute(&mut rest)? {
        let kind = match attribute::find(number) {
            Some(found) => found.kind,
            None => continue,
        };
        let raw = if kind.is_text() {
            Raw::Text(text(value))
        } else if let Ok(value) = value.try_into() {
            Raw::Number(u32::from_ne_bytes(value).into())
        } else if let Ok(value) = value.try_into() {
            Raw::Number(u64::from_ne_bytes(value))
        } else {
            return Err(Error::malformed(format!(
                "{} has {} bytes",
                attribute::key_of(number),
                value.len()
            )));
        };
        record.insert(number, raw);
    }
    Ok(record)
}

/// Return what an error says, with the errno of errno(3).
fn parse_error(bytes: &[u8]) -> Result<Body> {
    let cut_off = || Error::malformed("the error is cut off");
    let mut rest = Reader(bytes);
    let body = rest.take(ERROR_SIZE).ok_or_else(cut_off)?;
    let errno = (Reader(body).u32().ok_or_else(cut_off)? as i32)
        .checked_neg()
        .filter(|errno| *errno >= 0)
        .ok_or_else(|| Error::malformed("the error has no errno"))?;
    let mut explanation = String::new();
    while let Some((number, value)) = next_attribute(&mut rest)? {
        if number == ERROR_TEXT {
            explanation = text(value);
        }
    }
    Ok(Body::Error {
        errno,
        text: explanation,
    })
}

/// Read one record of the broker.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message> {
    let header = || Error::malformed(format!("it has only {} bytes", bytes.len()));
    let mut rest = Reader(bytes);
    let length = rest.u32().ok_or_else(header)?;
    let kind = rest.u16().ok_or_else(header)?;
    let flags = rest.u16().ok_or_else(header)?;
    let sequence = rest.u32().ok_or_else(header)?;
    rest.u32().ok_or_else(header)?;
    if length as usize != bytes.len() {
        return Err(Error::malformed(format!(
            "it has {} bytes, and its header says {length}",
            bytes.len()
        )));
    }
    let body = match kind {
        ERROR => parse_error(rest.0)?,
        DONE => Body::Done,
        _ => Body::Record(parse_record(rest.0)?),
    };
    Ok(Message {
        flags,
        sequence,
        body,
    })
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
