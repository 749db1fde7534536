// SPDX-License-Identifier: MIT
//! What the broker tells of an object.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::attribute::{self, Kind};
use crate::words::*;

/// A value as the protocol has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Raw {
    Number(u64),
    Text(String),
}

/// The value of a key of a [`Record`].
///
/// Its [`Display`](fmt::Display) is the text, the word or the number; a time is in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number, such as an MTU or a counter.
    Number(u64),
    /// A key that is on or off.
    Flag(bool),
    /// A text, such as a name.
    Text(String),
    /// A word, such as a state.
    Word(&'static str),
    /// A time.
    Time(Duration),
    /// A percentage, or a number with decimals.
    Decimal(f64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Flag(flag) => flag.fmt(f),
            Value::Text(text) => f.pad(text),
            Value::Word(word) => f.pad(word),
            Value::Time(time) => time.as_nanos().fmt(f),
            Value::Decimal(number) => number.fmt(f),
        }
    }
}

/// What the broker tells of a tunnel, an uplink, a bridge, a rule, a session or an event.
///
/// The keys are those of memtun's JSON. The most usual ones have methods; [`get`](Record::get) and
/// [`number`](Record::number) have all. A key that this object does not have is `None`.
///
/// ```
/// # fn main() -> Result<(), memtun::Error> {
/// let broker = memtun::Broker::start()?;
/// let record = broker.tunnel("a").bridge("lab").mtu(9000).add()?;
/// assert_eq!(record.name(), Some("a"));
/// assert_eq!(record.state(), Some(memtun::State::Closed));
/// assert_eq!(record.number("mtu"), Some(9000));
/// assert_eq!(record.get("overflow").unwrap().to_string(), "drop-tail");
/// assert_eq!(record.get("peer"), None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Record {
    values: BTreeMap<u16, Raw>,
}

impl Record {
    pub(crate) fn insert(&mut self, number: u16, value: Raw) {
        self.values.insert(number, value);
    }

    /// Keep only these attributes.
    pub(crate) fn retain(&mut self, numbers: &[u16]) {
        self.values.retain(|number, _| numbers.contains(number));
    }

    pub(crate) fn raw_number(&self, number: u16) -> Option<u64> {
        match self.values.get(&number)? {
            Raw::Number(value) => Some(*value),
            Raw::Text(_) => None,
        }
    }

    fn number_u32(&self, number: u16) -> Option<u32> {
        self.raw_number(number)?.try_into().ok()
    }

    pub(crate) fn text(&self, number: u16) -> Option<&str> {
        match self.values.get(&number)? {
            Raw::Text(text) => Some(text),
            Raw::Number(_) => None,
        }
    }

    /// Return the value of a key, such as `"state"`.
    pub fn get(&self, key: &str) -> Option<Value> {
        let found = attribute::find_key(key)?;
        Some(value(found.kind, self.values.get(&found.number)?))
    }

    /// Return the number of a key, such as `"from-client-frames"`; a time is in nanoseconds.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.raw_number(attribute::find_key(key)?.number)
    }

    /// Return all keys with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        self.values.iter().filter_map(|(number, raw)| {
            let found = attribute::find(*number)?;
            Some((found.key, value(found.kind, raw)))
        })
    }

    /// Return the counters of dropped frames that are not 0, of a record with counters.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = memtun::Broker::start()?;
    /// let a = broker.open("a")?;
    /// a.send(b"too short")?;
    /// broker.wait_quiet(&["a"], None, None)?;
    /// let drops: Vec<_> = broker.statistics("a")?.drops().collect();
    /// assert_eq!(drops, [("from-client-dropped-runt", 1)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.iter().filter_map(|(key, value)| match value {
            Value::Number(count) if count > 0 && key.contains("-dropped-") => Some((key, count)),
            _ => None,
        })
    }

    /// The id, which the broker does not use again.
    pub fn id(&self) -> Option<u32> {
        self.number_u32(attribute::ID)
    }

    /// The name of the tunnel, uplink or bridge.
    pub fn name(&self) -> Option<&str> {
        self.text(attribute::NAME)
    }

    /// Whether frames are IP packets or Ethernet frames.
    pub fn mode(&self) -> Option<Mode> {
        Mode::from_number(self.raw_number(attribute::MODE)?)
    }

    /// The type of the tunnel's socket.
    pub fn socket(&self) -> Option<Socket> {
        Socket::from_number(self.raw_number(attribute::SOCKET)?)
    }

    /// The bridge that the port is on.
    pub fn bridge(&self) -> Option<&str> {
        self.text(attribute::BRIDGE)
    }

    /// The tunnel that this one is wired to.
    pub fn peer(&self) -> Option<&str> {
        self.text(attribute::PEER)
    }

    /// The longest packet for the program, in bytes, without an Ethernet header.
    pub fn mtu(&self) -> Option<u32> {
        self.number_u32(attribute::MTU)
    }

    /// What is dropped when the queue is full.
    pub fn overflow(&self) -> Option<Overflow> {
        Overflow::from_number(self.raw_number(attribute::OVERFLOW)?)
    }

    /// The state of the tunnel or the uplink.
    pub fn state(&self) -> Option<State> {
        State::from_number(self.raw_number(attribute::STATE)?)
    }

    /// What the uplink joins its bridge to.
    pub fn uplink_type(&self) -> Option<UplinkType> {
        UplinkType::from_number(self.raw_number(attribute::TYPE)?)
    }

    /// Why the uplink is down, or has ended.
    pub fn reason(&self) -> Option<&str> {
        self.text(attribute::REASON)
    }

    /// What deletes the uplink when it ends.
    pub fn life(&self) -> Option<Life> {
        Life::from_number(self.raw_number(attribute::LIFE)?)
    }

    /// The addresses of the TUN, joined by `+`, or one address that a bridge has learned.
    pub fn address(&self) -> Option<&str> {
        self.text(attribute::ADDRESS)
    }

    /// The process that has opened the tunnel, or that is behind the uplink.
    pub fn pid(&self) -> Option<u32> {
        self.number_u32(attribute::PID)
    }

    /// The number of the rule on its port.
    pub fn rule(&self) -> Option<u32> {
        self.number_u32(attribute::RULE)
    }

    /// The seed of the rule.
    pub fn seed(&self) -> Option<u64> {
        self.raw_number(attribute::SEED)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Return what a value of the protocol means.
fn value(kind: Kind, raw: &Raw) -> Value {
    let number = match raw {
        Raw::Number(number) => *number,
        Raw::Text(text) => return Value::Text(text.clone()),
    };
    match kind {
        Kind::Flag => Value::Flag(number != 0),
        Kind::Time => Value::Time(Duration::from_nanos(number)),
        Kind::Percent => Value::Decimal(number as f64 / 1e7),
        Kind::Thousandths => Value::Decimal(number as f64 / 1e3),
        Kind::Word(words) => words
            .iter()
            .find(|(value, _)| u64::from(*value) == number)
            .map_or(Value::Number(number), |(_, word)| Value::Word(word)),
        Kind::Number | Kind::Text => Value::Number(number),
    }
}
