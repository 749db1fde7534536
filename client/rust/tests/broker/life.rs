// SPDX-License-Identifier: MIT
//! The private broker: how it starts and ends, and what is left when it is killed.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::panic;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use memtun::{Broker, BrokerOptions, Client};

use crate::{alone, broadcast, SECONDS};

/// Return whether the process is there, and no zombie.
fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(false, |stat| !stat.contains(") Z "))
}

/// Wait until the process has ended. Nothing tells of the end of another process's child, so look
/// again until it is gone.
fn wait_for_end(pid: u32) {
    let start = Instant::now();
    while is_alive(pid) {
        assert!(start.elapsed() < SECONDS, "process {pid} still runs");
        std::thread::yield_now();
    }
}

fn kill(pid: u32, signal: i32) {
    // SAFETY: kill() takes no pointers. The process is a child that was not waited for.
    assert_eq!(unsafe { libc::kill(pid as libc::pid_t, signal) }, 0);
}

#[test]
fn it_ends_when_it_is_dropped() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let pid = broker.pid();
    let address = broker.address().to_owned();
    let tunnel = broker.open("a").unwrap();
    assert!(is_alive(pid));
    assert_eq!(
        Client::connect_to(&address)
            .unwrap()
            .tunnels()
            .unwrap()
            .len(),
        1
    );
    drop(broker);
    assert!(!is_alive(pid));
    assert!(!address.exists());
    assert_eq!(tunnel.recv_frame().unwrap(), b"");
    let error = Client::connect_to(&address).unwrap_err();
    assert!(error.is_no_broker());
    assert_eq!(error.raw_os_error(), libc::ENOENT);
}

/// The other process of the next test. It is this program, which runs only this test.
#[test]
#[ignore = "a test runs it in another process"]
fn tells_the_pid_and_waits() {
    let broker = Broker::start().unwrap();
    println!("\nbroker {}", broker.pid());
    let _ = io::stdin().read(&mut [0]);
}

/// Start this program with the test above, and return the process ID of its broker.
fn other_process() -> (Child, u32) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("life::tells_the_pid_and_waits")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pid = lines
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("broker ")?.parse().ok());
    (child, pid.expect("the other process tells a number"))
}

#[test]
fn it_ends_when_the_process_is_killed() {
    let _alone = alone();
    let (mut child, broker) = other_process();
    assert!(is_alive(broker));
    kill(child.id(), libc::SIGKILL);
    child.wait().unwrap();
    wait_for_end(broker);
}

#[test]
fn a_broker_that_is_killed_is_an_error_of_each_call() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let tunnel = broker.tunnel("a").bridge("lab").open().unwrap();
    let mut capture = broker.capture("a").start().unwrap();
    let injector = broker.injector("a").start().unwrap();
    let mut events = broker.watch().unwrap();
    kill(broker.pid(), libc::SIGKILL);
    wait_for_end(broker.pid());
    assert_eq!(tunnel.recv_frame().unwrap(), b"");
    let error = tunnel.send(&broadcast(b"")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(capture.next().is_none());
    let error = injector.finish().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(
        events.next().unwrap().unwrap_err().raw_os_error(),
        libc::EPIPE
    );
    assert!(events.next().is_none());
    let errno = broker.open("b").unwrap_err().raw_os_error();
    assert!(errno == libc::EPIPE || errno == libc::ECONNRESET, "{errno}");
    assert_eq!(broker.tunnels().unwrap_err().raw_os_error(), libc::EPIPE);
    assert!(broker.watch().unwrap_err().is_no_broker());
}

#[test]
fn a_program_that_is_no_broker_is_an_error() {
    let _alone = alone();
    let start = |program: &str| BrokerOptions::new().program(program).start().unwrap_err();
    let error = start("/no/such/program");
    assert_eq!(error.raw_os_error(), libc::ENOENT);
    assert!(error.text().starts_with("cannot start /no/such/program: "));
    let error = start("false");
    assert_eq!(error.raw_os_error(), libc::ECHILD);
    assert_eq!(
        error.text(),
        "false ended with exit status: 1 before it listened; standard error has its message"
    );
    // It tells no address: "--" and the words of the command.
    let error = start("echo");
    assert!(error.is_no_broker(), "{error}");
}

#[test]
fn it_takes_the_options_of_memtund() {
    let _alone = alone();
    let path = env::temp_dir().join(format!("memtun-rust-{}-handoff", std::process::id()));
    let broker = BrokerOptions::new()
        .log_level("error")
        .handoff(&format!("{}=vm%d:bridge=lab", path.display()))
        .start()
        .unwrap();
    assert!(path.exists());
    drop(broker);
    assert!(!path.exists());
    let error = BrokerOptions::new().log_level("loud").start().unwrap_err();
    assert_eq!(error.raw_os_error(), libc::ECHILD);
}

#[test]
fn no_broker_is_an_error() {
    let _alone = alone();
    for (address, errno) in [
        ("/no/such/socket", libc::ENOENT),
        ("@memtun-no-such-name", libc::ENOENT),
        (&*"/x".repeat(54), libc::ENAMETOOLONG),
        (&*format!("@{}", "x".repeat(108)), libc::ENAMETOOLONG),
        ("/tmp/\0", libc::EINVAL),
    ] {
        let error = Client::connect_to(address).unwrap_err();
        assert_eq!(error.raw_os_error(), errno, "{address}: {error}");
        assert_eq!(error.is_no_broker(), errno == libc::ENOENT);
    }
    // Not a socket of this type.
    let path = env::temp_dir().join(format!("memtun-rust-{}-stream", std::process::id()));
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = Client::connect_to(&path).unwrap_err();
    assert_eq!(error.raw_os_error(), libc::EPROTOTYPE);
    fs::remove_file(&path).unwrap();
}

#[test]
fn it_looks_where_a_client_is_to_look() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let directory = env::temp_dir().join(format!("memtun-rust-{}-run", std::process::id()));
    fs::create_dir_all(directory.join("memtun")).unwrap();
    std::os::unix::fs::symlink(broker.address(), directory.join("memtun/control")).unwrap();
    let before = [env::var_os("MEMTUN_SOCKET"), env::var_os("XDG_RUNTIME_DIR")];
    env::remove_var("MEMTUN_SOCKET");
    env::set_var("XDG_RUNTIME_DIR", &directory);
    let found = Client::connect().unwrap();
    env::set_var("MEMTUN_SOCKET", broker.address());
    let named = Client::connect().unwrap();
    for (name, value) in ["MEMTUN_SOCKET", "XDG_RUNTIME_DIR"].iter().zip(before) {
        match value {
            Some(value) => env::set_var(name, value),
            None => env::remove_var(name),
        }
    }
    assert_eq!(found.address(), directory.join("memtun/control"));
    assert_eq!(named.address(), Path::new(broker.address()));
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_lost_descriptor_is_an_error_and_the_connection_goes_on() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let highest = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()?
                .parse::<libc::rlim_t>()
                .ok()
        })
        .max()
        .unwrap();
    let mut files = Vec::new();
    while let Ok(file) = fs::File::open("/dev/null") {
        use std::os::unix::io::AsRawFd;
        if file.as_raw_fd() as libc::rlim_t > highest {
            break;
        }
        files.push(file);
    }
    let before = limit_descriptors(None);
    limit_descriptors(Some(highest + 1));
    let result = broker.open("a");
    let event = broker.watch();
    limit_descriptors(Some(before));
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), libc::EMFILE, "{error}");
    assert_eq!(event.unwrap_err().raw_os_error(), libc::EMFILE);
    broker
        .wait_state("a", memtun::State::Closed, Some(SECONDS))
        .unwrap();
    broker.open("a").unwrap();
}

/// Set the soft limit of descriptors, and return what it was.
pub fn limit_descriptors(number: Option<libc::rlim_t>) -> libc::rlim_t {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a pointer to one rlimit, which lives through the call.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        let before = limit.rlim_cur;
        if let Some(number) = number {
            limit.rlim_cur = number;
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
        }
        before
    }
}

#[test]
fn a_short_limit_is_kept_although_nothing_happens() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let mut events = broker.watch().unwrap();
    events.set_timeout(Some(Duration::ZERO));
    let error = events.next().unwrap().unwrap_err();
    assert_eq!(error.raw_os_error(), libc::ETIMEDOUT);
}

extern "C" fn ignore_signal(_: libc::c_int) {}

#[test]
fn signals_interrupt_no_call() {
    let _alone = alone();
    // SAFETY: the handler does nothing, and all that is passed lives through the call. Without
    // SA_RESTART, the signal interrupts system calls.
    let main = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore_signal as extern "C" fn(libc::c_int) as usize;
        assert_eq!(
            libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()),
            0
        );
        libc::pthread_self()
    };
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // SAFETY: the scope's thread, which is that of the test, waits for this one.
                unsafe { libc::pthread_kill(main, libc::SIGUSR1) };
                std::thread::yield_now();
            }
        });
        let result = panic::catch_unwind(|| {
            let broker = Broker::start().unwrap();
            let a = broker.tunnel("a").bridge("lab").open().unwrap();
            let b = broker.tunnel("b").bridge("lab").open().unwrap();
            for limit in [None, Some(SECONDS)] {
                b.set_read_timeout(limit);
                for _ in 0..100 {
                    a.send(&broadcast(b"on")).unwrap();
                    assert_eq!(b.recv_frame().unwrap(), broadcast(b"on"));
                }
            }
            let limit = Some(Duration::from_millis(30));
            a.send(&broadcast(b"unread")).unwrap();
            let error = broker.wait_quiet(&["lab"], None, limit).unwrap_err();
            assert_eq!(error.raw_os_error(), libc::ETIMEDOUT);
            drop(broker);
            assert_eq!(b.recv_frame().unwrap(), broadcast(b"unread"));
            assert_eq!(b.recv_frame().unwrap(), b"");
        });
        is_over.store(true, Ordering::Relaxed);
        result.unwrap();
    });
}
