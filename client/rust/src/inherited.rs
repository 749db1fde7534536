// SPDX-License-Identifier: MIT
//! The tunnels that this process inherited from `memtun exec` or another program.
//!
//! Their descriptors are named by MEMTUN_FD_NAME, and by LISTEN_FDS and LISTEN_FDNAMES as of
//! sd_listen_fds(3). memtun-languages(7) describes these variables.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::io::RawFd;

use crate::attribute;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::record::{Raw, Record};
use crate::sys;
use crate::tunnel::Tunnel;

const PREFIX: &[u8] = b"MEMTUN_FD_";
const LISTEN: [&str; 4] = [
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
];
/// The number of the first descriptor of LISTEN_FDS: SD_LISTEN_FDS_START.
const FIRST: RawFd = 3;

/// Take over the tunnels that this process inherited, and return each by its name.
///
/// A record has the name and the socket type; with a broker, it has all that the broker tells.
/// MEMTUN_FD_NAME has `_` for characters such as `-`. The name itself is known from `memtun exec`
/// or from the broker. A further queue of the same tunnel is under `fdN`, where N is the
/// descriptor's number.
///
/// The descriptors are closed on exec from now on, and the variables are removed, so that neither a
/// second call nor another program takes them. After an error, all is as it was before.
///
/// # Safety
///
/// Nothing else in this process owns the descriptors that the variables name, which
/// holds at the beginning of `main()`, and no other thread uses the environment meanwhile.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // SAFETY: nothing has run before, so nothing else has these descriptors.
/// let tunnels = unsafe { memtun::inherited(None) }?;
/// let vm0 = tunnels.get("vm-0").ok_or("start me with: memtun exec -t vm-0 -- PROGRAM")?;
/// println!("{} bytes", vm0.recv_frame()?.len());
/// # Ok(())
/// # }
/// ```
#[allow(unsafe_code)]
pub unsafe fn inherited(broker: Option<&Client>) -> Result<BTreeMap<String, Tunnel>> {
    let found = find(broker)?;
    let mut records = Vec::new();
    for (fd, name) in found {
        records.push((fd, describe(fd, &name, broker)?));
    }
    for (variable, _) in env::vars_os() {
        let is_listen = LISTEN.iter().any(|listen| variable == *listen);
        if is_listen || variable.as_bytes().starts_with(PREFIX) {
            env::remove_var(variable);
        }
    }
    let mut tunnels = BTreeMap::new();
    for (fd, record) in records {
        // SAFETY: find() has seen that it is open, each number is there once, and the caller says
        // that nothing else owns it.
        let owned = unsafe { sys::adopt(fd) }
            .map_err(|error| Error::system(format!("cannot take over descriptor {fd}"), &error))?;
        let tunnel = Tunnel::new(owned, record);
        let name = tunnel.name().to_owned();
        if tunnels.contains_key(&name) {
            tunnels.insert(format!("fd{fd}"), tunnel);
        } else {
            tunnels.insert(name, tunnel);
        }
    }
    Ok(tunnels)
}

/// Return the variable of a tunnel: each byte that is no ASCII letter or digit is a `_`.
fn variable_of(name: &str) -> Vec<u8> {
    let bytes = name.bytes();
    let name = bytes.map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => byte,
        _ => b'_',
    });
    PREFIX.iter().copied().chain(name).collect()
}

/// Return the number of each inherited tunnel, and its name.
fn find(broker: Option<&Client>) -> Result<BTreeMap<RawFd, String>> {
    let listened = listened();
    let names = match broker {
        Some(broker) => broker.tunnels()?,
        None => Vec::new(),
    };
    let mut found = BTreeMap::new();
    for (variable, value) in env::vars_os() {
        if !variable.as_bytes().starts_with(PREFIX) {
            continue;
        }
        let fd = open_number(&variable, value)?;
        let spellings: Vec<&str> = match listened.get(&fd) {
            Some(name) => vec![name],
            None => names.iter().filter_map(Record::name).collect(),
        };
        found.insert(fd, spelling(&variable, &spellings));
    }
    if env::var("LISTEN_PID").ok() != Some(std::process::id().to_string()) {
        return Ok(found);
    }
    for (fd, name) in listened {
        if !sys::is_open(fd) {
            return Err(Error::new(
                libc::EBADF,
                format!("LISTEN_FDS has {fd}, which is not open"),
            ));
        }
        if !sys::is_listening(fd) {
            found.entry(fd).or_insert(name);
        }
    }
    Ok(found)
}

/// Return the descriptors of LISTEN_FDS and their names.
fn listened() -> BTreeMap<RawFd, String> {
    let count = env::var("LISTEN_FDS").ok();
    let count = count.and_then(|count| count.parse::<usize>().ok());
    // No more of them can be open than this process has, whatever the variable claims.
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count());
    let names = env::var_os("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.as_bytes().split(|byte| *byte == b':');
    (FIRST..)
        .take(count.unwrap_or(0).min(open))
        .map(|fd| {
            let name = String::from_utf8_lossy(names.next().unwrap_or_default()).into_owned();
            (
                fd,
                if name.is_empty() {
                    format!("fd{fd}")
                } else {
                    name
                },
            )
        })
        .collect()
}

/// Return the descriptor's number in a variable, if it is open.
fn open_number(variable: &OsString, value: OsString) -> Result<RawFd> {
    let variable = variable.to_string_lossy();
    let value = value.to_string_lossy();
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::new(
            libc::EINVAL,
            format!("{variable} is not a descriptor's number: '{value}'"),
        ));
    }
    match value.parse() {
        Ok(fd) if sys::is_open(fd) => Ok(fd),
        _ => Err(Error::new(
            libc::EBADF,
            format!("{variable} is {value}, which is not open"),
        )),
    }
}

/// Return the name that became the variable, or else what the variable has of it.
fn spelling(variable: &OsString, names: &[&str]) -> String {
    let mut found = names
        .iter()
        .filter(|name| variable_of(name) == variable.as_bytes());
    match (found.next(), found.next()) {
        (Some(name), None) => (*name).to_owned(),
        _ => OsString::from_vec(variable.as_bytes()[PREFIX.len()..].to_vec())
            .to_string_lossy()
            .into_owned(),
    }
}

/// Return what is known of a tunnel.
fn describe(fd: RawFd, name: &str, broker: Option<&Client>) -> Result<Record> {
    let mut record = match broker {
        Some(broker) => broker.show(name)?,
        None => {
            let mut record = Record::default();
            record.insert(attribute::NAME, Raw::Text(name.to_owned()));
            record
        }
    };
    if let Some(socket) = sys::socket_type(fd) {
        record.insert(attribute::SOCKET, Raw::Number(socket.number().into()));
    }
    Ok(record)
}
