// SPDX-License-Identifier: MIT
//! Tests with a real memtund, which is the one in PATH, and with programs that only pretend to be
//! one. Each test compares the open descriptors before and after.

mod client;
mod fake;
mod frames;
mod inherited;
mod life;
mod ping;
mod queues;
mod tunnels;

use std::collections::BTreeMap;
use std::fs;
use std::panic;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A limit for what takes milliseconds.
pub const SECONDS: Duration = Duration::from_secs(20);

/// An Ethernet frame for all hosts, with this text.
pub fn broadcast(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend_from_slice(&[2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
    frame.extend_from_slice(text);
    frame
}

/// One test at a time, which leaves no descriptor open.
pub struct Alone {
    before: BTreeMap<i32, PathBuf>,
    _lock: MutexGuard<'static, ()>,
}

static ONE_TEST: Mutex<()> = Mutex::new(());

fn descriptors() -> BTreeMap<i32, PathBuf> {
    let entries = fs::read_dir("/proc/self/fd").unwrap();
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            let what = fs::read_link(entry.path()).ok()?;
            // Without the descriptor of this directory itself.
            (!what.starts_with("/proc")).then_some((number, what))
        })
        .collect()
}

/// Begin a test. Declare the result before what the test opens.
pub fn alone() -> Alone {
    let lock = ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner);
    Alone {
        before: descriptors(),
        _lock: lock,
    }
}

/// Check that the open descriptors are those that were open before.
fn compare(before: &BTreeMap<i32, PathBuf>) {
    let after = descriptors();
    assert_eq!(&after, before, "descriptors after the test and before it");
}

impl Drop for Alone {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            compare(&self.before);
        }
    }
}

#[test]
fn a_descriptor_that_is_left_open_is_noticed() {
    let alone = alone();
    let file = fs::File::open("/dev/null").unwrap();
    let result = panic::catch_unwind(|| compare(&alone.before));
    drop(file);
    result.unwrap_err();
}
