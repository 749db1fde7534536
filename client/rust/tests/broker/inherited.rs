// SPDX-License-Identifier: MIT
//! The tunnels that a program inherits.

use std::env;
use std::os::unix::io::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use memtun::{Broker, Client, Mode};

use crate::{alone, broadcast};

/// The inheriting process of the next tests. It is this program, which runs only this test.
#[test]
#[ignore = "a test runs it in another process"]
fn tells_what_it_inherits() {
    if env::var_os("LISTEN_PID").map_or(false, |pid| pid == "self") {
        env::set_var("LISTEN_PID", std::process::id().to_string());
    }
    let client = env::var_os("ASKS").map(|_| Client::connect().unwrap());
    // SAFETY: nothing in this process owns the descriptors that it has inherited.
    let found = unsafe { memtun::inherited(client.as_ref()) };
    // SAFETY: as above.
    let again = unsafe { memtun::inherited(None) };
    let left = env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("MEMTUN_FD") || name.starts_with("LISTEN"))
        .collect::<Vec<_>>();
    let found = found.map(|tunnels| {
        let tell = |(name, tunnel): (&String, &memtun::Tunnel)| {
            let fd = tunnel.as_raw_fd();
            // SAFETY: fcntl() takes no pointers with F_GETFD.
            let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
            let socket = tunnel.record().socket().unwrap();
            tunnel.send(&broadcast(b"from the program")).unwrap();
            let is_tun = tunnel.record().mode() == Some(Mode::Tun);
            format!("{name}={fd}:{socket}:{flags}:{is_tun}")
        };
        tunnels.iter().map(tell).collect::<Vec<_>>().join(" ")
    });
    let found = found.unwrap_or_else(|error| format!("{} {error}", error.raw_os_error()));
    let again = again.map_or(-1, |tunnels| tunnels.len() as i32);
    println!("\nfound {found}; left {left:?}, again {again}");
}

/// Run the test above behind a command, with these variables, and with copies of descriptors as 3
/// and up. Return what it has found.
fn run(broker: &Broker, before: &[&str], variables: &[(&str, &str)], fds: &[RawFd]) -> String {
    let program = env::current_exe().unwrap();
    let words = ["--ignored", "--exact", "--nocapture"];
    let test = "inherited::tells_what_it_inherits";
    let mut command = Command::new("env");
    command.args(before).arg(program).args(words).arg(test);
    command.env("MEMTUN_SOCKET", broker.address());
    command.envs(variables.iter().copied());
    let fds = fds.to_vec();
    // SAFETY: between fork() and exec() the closure only calls fcntl() and dup2(), which are
    // async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            let mut high = [0; 4];
            for (high, fd) in high.iter_mut().zip(&fds) {
                *high = libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, 20);
            }
            for (number, high) in (3..).zip(&high[..fds.len()]) {
                libc::dup2(*high, number);
            }
            Ok(())
        });
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("found "));
    line.unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn a_program_takes_over_the_tunnels_of_memtun_exec_by_their_names() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let tunnels = ["-t", "vm-0:mode=tun", "-t", "vm.1:socket=stream", "--"];
    let exec = [&["memtun", "exec"][..], &tunnels].concat();
    let all = "vm-0=3:seqpacket:1:false vm.1=4:stream:1:false; left [], again 0";
    let plain = all.replace("vm-", "vm_").replace("vm.", "vm_");
    for (command, expected) in [
        (&["env"][..], all),
        (&["env", "-u", "MEMTUN_FD_vm_0"], all),
        // LISTEN_PID is the shell's.
        (&["sh", "-c", "\"$@\"; :", "sh"], all),
        (&["env", "-u", "LISTEN_FDS"], &plain),
        (&["env", "LISTEN_FDS=x"], &plain),
        (&["env", "LISTEN_FDS=1", "LISTEN_FDNAMES=other"], &plain),
        (
            &["env", "-u", "LISTEN_FDS", "ASKS=yes"],
            "vm-0=3:seqpacket:1:true vm.1=4:stream:1:false; left [], again 0",
        ),
    ] {
        let command = [&exec, command].concat();
        assert_eq!(run(&broker, &command, &[], &[]), expected, "{command:?}");
    }
}

#[test]
fn a_listening_socket_is_no_tunnel_and_what_another_process_has_is_ignored() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let tunnel = broker.tunnel("m").multi_queue(true).open().unwrap();
    let second = broker.open("m").unwrap();
    let path = env::temp_dir().join(format!("memtun-rust-{}-l", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let fds = [listener.as_raw_fd(), tunnel.as_raw_fd(), second.as_raw_fd()];
    for (pid, count, names, found) in [
        ("self", "2", "control", "fd4=4:seqpacket:1:false"),
        (
            "self",
            "3",
            "control:m:m",
            "fd5=5:seqpacket:1:false m=4:seqpacket:1:false",
        ),
        ("1", "2147483647", "a:m", ""),
        ("self", "99999999999999999999", "a:m", ""),
    ] {
        let variables = [
            ("LISTEN_PID", pid),
            ("LISTEN_FDS", count),
            ("LISTEN_FDNAMES", names),
        ];
        let expected = format!("{found}; left [], again 0");
        assert_eq!(
            run(&broker, &[], &variables, &fds),
            expected,
            "{variables:?}"
        );
    }
}

#[test]
fn a_variable_without_a_descriptor_is_an_error_and_all_stays_as_it_was() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    for (value, errno) in [
        ("77", libc::EBADF),
        ("", libc::EINVAL),
        ("x", libc::EINVAL),
        ("-1", libc::EINVAL),
        ("+3", libc::EINVAL),
        ("99999999999", libc::EBADF),
    ] {
        let found = run(&broker, &[], &[("MEMTUN_FD_a", value)], &[]);
        assert!(
            found.starts_with(&format!("{errno} MEMTUN_FD_a is ")),
            "{found}"
        );
        assert!(
            found.ends_with("left [\"MEMTUN_FD_a\"], again -1"),
            "{found}"
        );
    }
    let variables = [("LISTEN_PID", "self"), ("LISTEN_FDS", "3")];
    let found = run(&broker, &[], &variables, &[]);
    let text = format!("{} LISTEN_FDS has ", libc::EBADF);
    assert!(found.starts_with(&text), "{found}");
}
