// SPDX-License-Identifier: MIT
//! Which user a broker may run as, so that its client trusts it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::sys;

/// The kernel's default of /proc/sys/kernel/overflowuid.
const OVERFLOW_USER: u32 = 65534;

fn overflow_user() -> u32 {
    fs::read_to_string("/proc/sys/kernel/overflowuid")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(OVERFLOW_USER)
}

/// Return whether a uid_map maps every user. (uid_t)-1 is no user, so a full map has 2^32 - 1.
fn map_is_full(map: &str) -> bool {
    let mapped = map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok())
        .fold(0u64, u64::saturating_add);
    mapped >= u64::from(u32::MAX)
}

/// Return whether this user namespace maps every user. A map that cannot be read counts as no.
fn namespace_is_full() -> bool {
    match fs::read_to_string("/proc/self/uid_map") {
        Ok(map) => map_is_full(&map),
        // A kernel without user namespaces has no map.
        Err(_) => {
            !Path::new("/proc/self/uid_map").exists() && Path::new("/proc/self/status").exists()
        }
    }
}

/// Return whether the kernel reports this user for each one that the namespace does not map.
fn is_unmapped(user: u32) -> bool {
    user == overflow_user() && !namespace_is_full()
}

/// Check that the broker is this user's or root's. Root may also name another user's broker.
pub(crate) fn check_owner(owner: u32, address: &OsStr, is_named: bool) -> Result<()> {
    let own = sys::effective_user();
    let address = address.to_string_lossy();
    if is_unmapped(owner) {
        return Err(Error::new(
            libc::EPERM,
            format!(
                "the broker on {address} may be another user's: here user {owner} also stands for \
                 each user that this user namespace does not map"
            ),
        ));
    }
    if owner != 0 && owner != own && !(is_named && own == 0) {
        return Err(Error::new(
            libc::EPERM,
            format!("the broker on {address} is user {owner}'s"),
        ));
    }
    Ok(())
}

/// Return whether the directory is this user's and closed to all others.
pub(crate) fn owns_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).map_or(false, |status| {
        status.is_dir()
            && status.uid() == sys::effective_user()
            && status.mode() & 0o077 == 0
            && !is_unmapped(status.uid())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_map_of_all_users_is_full() {
        assert!(map_is_full("         0          0 4294967295\n"));
        assert!(map_is_full("0 100000 65536\n65536 0 4294901759\n"));
        assert!(!map_is_full("0 1000 1\n"));
        assert!(!map_is_full(""));
        assert!(!map_is_full("0 0\nnonsense here x\n"));
    }

    #[test]
    fn the_broker_of_another_user_is_refused() {
        let own = sys::effective_user();
        let check = |owner, is_named| check_owner(owner, OsStr::new("@a"), is_named);
        let other = if own == 12345 { 12346 } else { 12345 };
        assert_eq!(check(own, false), Ok(()));
        let error = check(other, false).unwrap_err();
        assert_eq!(error.raw_os_error(), libc::EPERM);
        assert_eq!(error.text(), format!("the broker on @a is user {other}'s"));
        // Only root may name it.
        assert_eq!(check(other, true).is_ok(), own == 0);
    }
}
