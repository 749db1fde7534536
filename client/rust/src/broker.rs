// SPDX-License-Identifier: MIT
//! A private memtund, which ends with this process, whatever ends it.
//!
//! memtund runs a command and ends with it. Here the command is cat, which reads a pipe. Only this
//! process has the pipe's other end, so the kernel closes it when this process ends, also by
//! SIGKILL; cat reads the end of file, and memtund ends.

use std::ffi::OsString;
use std::io::Read;
use std::ops::Deref;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::io::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::sys;

/// Tells the address, then lives until the end of its input.
const COMMAND: [&str; 3] = [
    "/bin/sh",
    "-c",
    "echo \"$MEMTUN_SOCKET\" && exec cat >/dev/null",
];
/// How long memtund may take to end. It takes milliseconds.
const END_LIMIT: Duration = Duration::from_secs(10);

/// How to start a private broker: memtund's program and its options.
///
/// ```
/// # fn main() -> Result<(), memtun::Error> {
/// let broker = memtun::BrokerOptions::new().manual_clock().log_level("error").start()?;
/// assert_eq!(broker.clock()?.kind, memtun::ClockKind::Manual);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "call start()"]
pub struct BrokerOptions {
    program: OsString,
    words: Vec<OsString>,
}

impl Default for BrokerOptions {
    fn default() -> BrokerOptions {
        BrokerOptions::new()
    }
}

impl BrokerOptions {
    /// Return the default options: memtund in PATH, without an option.
    pub fn new() -> BrokerOptions {
        BrokerOptions {
            program: "memtund".into(),
            words: Vec::new(),
        }
    }

    fn words(mut self, words: &[&str]) -> BrokerOptions {
        self.words.extend(words.iter().map(OsString::from));
        self
    }

    /// Execute this program in place of the memtund in PATH.
    pub fn program(mut self, program: impl Into<OsString>) -> BrokerOptions {
        self.program = program.into();
        self
    }

    /// Allow interfaces of the kernel.
    pub fn kernel(self) -> BrokerOptions {
        self.words(&["--kernel"])
    }

    /// Let the logical clock move only by [`Client::advance_clock`] and [`Client::advance_to_next`].
    pub fn manual_clock(self) -> BrokerOptions {
        self.words(&["--clock", "manual"])
    }

    /// Choose what memtund writes to standard error, such as `"error"` or `"debug"`.
    pub fn log_level(self, level: &str) -> BrokerOptions {
        self.words(&["--log-level", level])
    }

    /// Let programs get a tunnel from a socket: `PATH=NAME:KEY=VALUE,...`.
    pub fn handoff(self, spec: &str) -> BrokerOptions {
        self.words(&["--handoff", spec])
    }

    /// Start the broker and connect to it. It writes to standard error.
    pub fn start(self) -> Result<Broker> {
        let mut process = Process::start(&self)?;
        let address = process.read_address()?;
        Ok(Broker {
            client: Client::connect_to(address)?,
            process,
        })
    }
}

/// A broker of this process, and a client of it.
///
/// memtund ends when this is dropped, and with it its tunnels. It also ends when this process ends,
/// whatever ends it. A child of this process that does not execute another program holds a copy of
/// the pipe, which keeps the broker until the child ends too.
#[derive(Debug)]
pub struct Broker {
    client: Client,
    process: Process,
}

impl Broker {
    /// Start a private broker with the default options.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = memtun::Broker::start()?;
    /// let a = broker.open("a")?;
    /// // For programs that are to find this broker:
    /// std::process::Command::new("true").env("MEMTUN_SOCKET", broker.address()).status()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn start() -> Result<Broker> {
        BrokerOptions::new().start()
    }

    /// Return the process ID of memtund.
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }
}

impl Deref for Broker {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// memtund, and the pipes to and from its command.
#[derive(Debug)]
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    /// memtund keeps it as its standard output, so its end is that of memtund.
    output: Option<ChildStdout>,
    program: String,
}

impl Process {
    fn start(options: &BrokerOptions) -> Result<Process> {
        let program = options.program.to_string_lossy().into_owned();
        let mut command = Command::new(&options.program);
        command
            .args(&options.words)
            .arg("--")
            .args(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // The interrupt key of a terminal doesn't end the broker before the tests that use it.
        sys::begin_session(&mut command);
        let mut child = command
            .spawn()
            .map_err(|error| Error::system(format!("cannot start {program}"), &error))?;
        Ok(Process {
            input: child.stdin.take(),
            output: child.stdout.take(),
            child,
            program,
        })
    }

    /// Return the line that the command tells.
    fn read_address(&mut self) -> Result<OsString> {
        let mut line = Vec::new();
        let mut byte = [0];
        if let Some(output) = &mut self.output {
            // read_exact() reads again after a signal.
            while output.read_exact(&mut byte).is_ok() && byte != *b"\n" {
                line.extend_from_slice(&byte);
            }
        }
        if byte != *b"\n" {
            let status = self.end();
            return Err(Error::new(
                libc::ECHILD,
                format!(
                    "{} ended with {status} before it listened; standard error has its message",
                    self.program
                ),
            ));
        }
        Ok(OsString::from_vec(line))
    }

    /// End memtund and wait for it. Return its status, as text.
    fn end(&mut self) -> String {
        drop(self.input.take());
        if let Some(output) = self.output.take() {
            let deadline = Instant::now().checked_add(END_LIMIT);
            if !matches!(sys::wait(output.as_fd(), 0, deadline), Ok(events) if events != 0) {
                // A memtund that is stopped, for example.
                let _ = self.child.kill();
            }
        }
        self.child
            .wait()
            .map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
