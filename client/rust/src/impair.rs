// SPDX-License-Identifier: MIT
//! Rules that lose, delay, change or hold the frames of a tunnel or an uplink.

use std::time::Duration;

use crate::attribute;
use crate::protocol::Attributes;
use crate::words::*;

/// Return a time in nanoseconds. One that is too long becomes the longest, which the broker
/// refuses.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

/// Return a number in these parts of 1. One that is none, or is too large, becomes one that the
/// broker refuses.
fn parts(number: f64, parts_of_one: f64) -> u32 {
    if number.is_nan() || number < 0.0 {
        return u32::MAX;
    }
    // A cast from f64 saturates.
    (number * parts_of_one).round() as u32
}

/// The keys of a rule, which memtun-impair(7) describes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use memtun::{Direction, Rule};
///
/// let broker = memtun::Broker::start()?;
/// let a = broker.tunnel("a").bridge("lab").open()?;
/// let b = broker.tunnel("b").bridge("lab").open()?;
/// let rule = Rule::new().direction(Direction::FromClient).drop_frames("1").seed(7);
/// broker.add_rule("a", &rule)?;
/// for number in 0..2 {
///     a.send(&[&[0xff; 12], &[0x88, 0xb5, number][..]].concat())?;
/// }
/// assert_eq!(b.recv_frame()?[14], 1); // frame 1, which has the number 0, was dropped
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    keys: Attributes,
}

impl Rule {
    /// Return a rule without keys.
    pub fn new() -> Rule {
        Rule::default()
    }

    pub(crate) fn keys(&self) -> &Attributes {
        &self.keys
    }

    /// Impair only the frames of this direction. A rule that is an option of a new port takes none.
    pub fn direction(mut self, direction: Direction) -> Rule {
        self.keys.set_u32(attribute::DIRECTION, direction.number());
        self
    }

    /// Impair only frames that match a filter of pcap-filter(7).
    ///
    /// `code` is the output of `tcpdump -ddd FILTER` with `+` in place of newlines, because this
    /// crate has no compiler of filters. `filter` is the text that the broker shows. Only
    /// [`Client::add_rule`](crate::Client::add_rule) takes a filter.
    pub fn matching(mut self, filter: &str, code: &str) -> Rule {
        self.keys.set_text(attribute::MATCH, filter);
        self.keys.set_text(attribute::MATCH_CODE, code);
        self
    }

    /// Delay frames.
    pub fn delay(mut self, delay: Duration) -> Rule {
        self.keys.set_u64(attribute::DELAY, nanoseconds(delay));
        self
    }

    /// Vary the delay at random.
    pub fn jitter(mut self, jitter: Duration) -> Rule {
        self.keys.set_u64(attribute::JITTER, nanoseconds(jitter));
        self
    }

    /// Choose the distribution of the jitter.
    pub fn distribution(mut self, distribution: Distribution) -> Rule {
        self.keys
            .set_u32(attribute::DISTRIBUTION, distribution.number());
        self
    }

    /// Keep the order of frames although their delays differ.
    pub fn ordered(mut self, ordered: bool) -> Rule {
        self.keys.set_flag(attribute::ORDERED, ordered);
        self
    }

    /// Drop this percentage of the frames.
    pub fn loss(mut self, percent: f64) -> Rule {
        self.keys.set_u32(attribute::LOSS, parts(percent, 1e7));
        self
    }

    /// Set the mean number of frames that are lost in a row.
    pub fn loss_burst(mut self, frames: f64) -> Rule {
        self.keys.set_u32(attribute::LOSS_BURST, parts(frames, 1e3));
        self
    }

    /// Send this percentage of the frames twice.
    pub fn duplicate(mut self, percent: f64) -> Rule {
        self.keys.set_u32(attribute::DUPLICATE, parts(percent, 1e7));
        self
    }

    /// Change one bit of this percentage of the frames.
    pub fn corrupt(mut self, percent: f64) -> Rule {
        self.keys.set_u32(attribute::CORRUPT, parts(percent, 1e7));
        self
    }

    /// Cut off the end of this percentage of the frames.
    pub fn truncate(mut self, percent: f64) -> Rule {
        self.keys.set_u32(attribute::TRUNCATE, parts(percent, 1e7));
        self
    }

    /// Send this percentage of the frames at once in place of delaying them.
    pub fn reorder(mut self, percent: f64) -> Rule {
        self.keys.set_u32(attribute::REORDER, parts(percent, 1e7));
        self
    }

    /// Reorder at most one of this number of frames.
    pub fn gap(mut self, frames: u32) -> Rule {
        self.keys.set_u32(attribute::GAP, frames);
        self
    }

    /// Limit the rate, in bits per second.
    pub fn rate(mut self, bits_per_second: u64) -> Rule {
        self.keys.set_u64(attribute::RATE, bits_per_second);
        self
    }

    /// Limit how many frames may wait for the rule in each direction.
    pub fn limit(mut self, frames: u32) -> Rule {
        self.keys.set_u32(attribute::LIMIT, frames);
        self
    }

    /// Drop the frames of these numbers and ranges, such as `"1+5-7"`.
    pub fn drop_frames(mut self, frames: &str) -> Rule {
        self.keys.set_text(attribute::DROP, frames);
        self
    }

    /// Drop packets that are longer than this, in bytes.
    pub fn pmtu(mut self, bytes: u32) -> Rule {
        self.keys.set_u32(attribute::PMTU, bytes);
        self
    }

    /// Send an ICMP error to the sender of a packet that is too long.
    pub fn icmp(mut self, icmp: bool) -> Rule {
        self.keys.set_flag(attribute::ICMP, icmp);
        self
    }

    /// Keep frames until they are released.
    pub fn hold(mut self, hold: bool) -> Rule {
        self.keys.set_flag(attribute::HOLD, hold);
        self
    }

    /// Delete the rule after this frame of each direction.
    pub fn until_frame(mut self, frame: u64) -> Rule {
        self.keys.set_u64(attribute::UNTIL, frame);
        self
    }

    /// Delete the rule after this time.
    pub fn until_time(mut self, time: Duration) -> Rule {
        self.keys.set_u64(attribute::UNTIL_TIME, nanoseconds(time));
        self
    }

    /// With false, let no frame pass: the link is down.
    pub fn carrier(mut self, carrier: bool) -> Rule {
        self.keys.set_flag(attribute::CARRIER, carrier);
        self
    }

    /// Set the seed, which repeats what happens to the frames.
    pub fn seed(mut self, seed: u64) -> Rule {
        self.keys.set_u64(attribute::SEED, seed);
        self
    }
}

/// Which of the frames that rules hold [`Client::release`](crate::Client::release) lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// The one that is held longest.
    Oldest,
    /// The one of this number, from 1.
    Frame(u64),
    /// All of them.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_share_becomes_one_that_the_broker_refuses() {
        assert_eq!(parts(5.0, 1e7), 50_000_000);
        assert_eq!(parts(100.0, 1e7), 1_000_000_000);
        for wrong in [f64::NAN, -0.1, f64::NEG_INFINITY, f64::INFINITY, 1e300] {
            assert_eq!(parts(wrong, 1e7), u32::MAX);
        }
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
    }
}
