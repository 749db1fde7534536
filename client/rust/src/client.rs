// SPDX-License-Identifier: MIT
//! A client of a broker: its requests.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::attribute;
use crate::capture::CaptureOptions;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::impair::{nanoseconds, Held, Rule};
use crate::inject::{Injected, InjectorOptions};
use crate::interface::Interface;
use crate::protocol::{Attributes, Command};
use crate::record::{Raw, Record};
use crate::tunnel::Tunnel;
use crate::tunnel_options::TunnelOptions;
use crate::uplink_options::UplinkOptions;
use crate::watch::{Event, Watch};
use crate::words::*;

/// How long the broker may take for an answer by default. It takes milliseconds.
pub(crate) const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// A connection to a broker. Threads may share it.
///
/// [`Broker`](crate::Broker) starts a private broker and is a client of it.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
}

/// What the broker's logical clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Clock {
    /// Whether the clock is real, or moves by requests.
    pub kind: ClockKind,
    /// What it shows.
    pub time: Duration,
    /// How many events are to come.
    pub due: u32,
    /// What it shows when the first of them is due.
    pub next: Option<Duration>,
    /// By how much the request has moved it.
    pub moved: Option<Duration>,
}

fn named(name: &str) -> Attributes {
    let mut options = Attributes::new();
    options.set_text(attribute::NAME, name);
    options
}

fn with_statistics(mut options: Attributes) -> Attributes {
    options.set_flag(attribute::STATISTICS, true);
    options
}

impl Client {
    /// Connect to the broker that `MEMTUN_SOCKET` names, or find one as memtun(1) does.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), memtun::Error> {
    /// let client = memtun::Client::connect()?;
    /// let tunnel = client.open("vm0")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect() -> Result<Client> {
        Client::new(None)
    }

    /// Connect to the broker at a path, or at `@NAME` in the abstract namespace.
    pub fn connect_to(address: impl AsRef<OsStr>) -> Result<Client> {
        Client::new(Some(address.as_ref()))
    }

    fn new(address: Option<&OsStr>) -> Result<Client> {
        let connection = Connection::new(address, Some(REPLY_LIMIT))?;
        Ok(Client { connection })
    }

    /// Return the control socket: a path, or `@NAME`. It is for `MEMTUN_SOCKET` of other programs.
    pub fn address(&self) -> &Path {
        self.connection.path()
    }

    /// Set how long the broker may take for each answer; None is no limit. The default is 10
    /// seconds.
    ///
    /// A request that takes longer fails with ETIMEDOUT, and the connection is closed then.
    pub fn set_reply_timeout(&self, limit: Option<Duration>) -> Result<()> {
        self.connection.set_limit(limit)
    }

    // --- tunnels ---

    /// Open a tunnel with the default options; see [`tunnel`](Client::tunnel).
    pub fn open(&self, name: &str) -> Result<Tunnel> {
        self.tunnel(name).open()
    }

    /// Begin to open, add or change a tunnel. `%d` in a new name stands for the lowest free number.
    pub fn tunnel(&self, name: &str) -> TunnelOptions<'_> {
        TunnelOptions::new(&self.connection, name)
    }

    /// Return the record of one tunnel.
    pub fn show(&self, name: &str) -> Result<Record> {
        self.one(Command::TunnelShow, &named(name))
    }

    /// Return the record of one tunnel with its counters.
    pub fn statistics(&self, name: &str) -> Result<Record> {
        self.one(Command::TunnelShow, &with_statistics(named(name)))
    }

    /// Return the records of all tunnels, in the order of their ids.
    pub fn tunnels(&self) -> Result<Vec<Record>> {
        self.connection
            .list(Command::TunnelShow, &Attributes::new())
    }

    /// Return the records of all tunnels with their counters.
    pub fn all_statistics(&self) -> Result<Vec<Record>> {
        self.connection
            .list(Command::TunnelShow, &with_statistics(Attributes::new()))
    }

    /// Rename a tunnel, and return its record with the new name.
    pub fn rename(&self, name: &str, new_name: &str) -> Result<Record> {
        let mut options = named(name);
        options.set_text(attribute::NEW_NAME, new_name);
        self.one(Command::TunnelRename, &options)
    }

    /// Change the interface that programs under `memtun wrap` see in place of the tunnel, and return
    /// the tunnel's record.
    ///
    /// These programs are told as the kernel tells of a change. A tunnel without an interface gets
    /// one.
    pub fn set_interface(&self, name: &str, interface: &Interface) -> Result<Record> {
        let mut options = named(name);
        options.extend(interface.options());
        self.one(Command::InterfaceSet, &options)
    }

    /// Open a queue that belongs to no tunnel yet, as a program does that opens /dev/net/tun and has
    /// not called TUNSETIFF.
    ///
    /// ```
    /// # fn main() -> Result<(), memtun::Error> {
    /// let broker = memtun::Broker::start()?;
    /// let mut queue = broker.open_queue(memtun::Socket::Seqpacket)?;
    /// broker.tunnel("b%d").bridge("lab").attach(&mut queue)?;
    /// assert_eq!(queue.name(), "b0");
    /// broker.detach_queue(&mut queue)?;
    /// assert_eq!(queue.name(), "");
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_queue(&self, socket: Socket) -> Result<Tunnel> {
        let mut options = Attributes::new();
        options.set_u32(attribute::SOCKET, socket.number());
        let reply = self.connection.request_one(Command::QueueOpen, &options)?;
        let (mut record, fd) = reply.with_descriptor()?;
        record.insert(attribute::SOCKET, Raw::Number(socket.number().into()));
        Ok(Tunnel::new(fd, record))
    }

    /// Detach the queue from its tunnel. Its descriptor stays open, and carries no frames until
    /// [`TunnelOptions::attach`].
    pub fn detach_queue(&self, queue: &mut Tunnel) -> Result<()> {
        let mut options = Attributes::new();
        options.set_u32(attribute::QUEUE_ID, queue.queue_id()?);
        self.done(Command::QueueDetach, &options)?;
        queue.detach();
        Ok(())
    }

    /// Delete a tunnel, and its peer. A program that has it open reads the end.
    pub fn delete(&self, name: &str) -> Result<()> {
        self.done(Command::TunnelDelete, &named(name))
    }

    // --- bridges ---

    /// Make a bridge that stays until it is deleted.
    pub fn add_bridge(&self, name: &str) -> Result<()> {
        self.done(Command::BridgeAdd, &named(name))
    }

    /// Make a bridge that sends each frame to all other ports, and learns no addresses.
    pub fn add_hub(&self, name: &str) -> Result<()> {
        let mut options = named(name);
        options.set_flag(attribute::HUB, true);
        self.done(Command::BridgeAdd, &options)
    }

    /// Make a bridge that shuts a port for 10 seconds when an address moves to it as in a loop.
    pub fn add_guarded_bridge(&self, name: &str) -> Result<()> {
        let mut options = named(name);
        options.set_flag(attribute::LOOP_GUARD, true);
        self.done(Command::BridgeAdd, &options)
    }

    /// Return the record of one bridge.
    pub fn show_bridge(&self, name: &str) -> Result<Record> {
        self.one(Command::BridgeShow, &named(name))
    }

    /// Return the records of all bridges.
    pub fn bridges(&self) -> Result<Vec<Record>> {
        self.connection
            .list(Command::BridgeShow, &Attributes::new())
    }

    /// Return what a bridge has learned: address, name of the port, VLAN and age.
    pub fn addresses(&self, bridge: &str) -> Result<Vec<Record>> {
        let mut options = Attributes::new();
        options.set_text(attribute::BRIDGE, bridge);
        self.connection.list(Command::AddressShow, &options)
    }

    /// Delete a bridge. Its ports stay, without a bridge.
    pub fn delete_bridge(&self, name: &str) -> Result<()> {
        self.done(Command::BridgeDelete, &named(name))
    }

    // --- uplinks ---

    /// Begin to add an uplink.
    pub fn uplink(&self, name: &str, bridge: &str, uplink_type: UplinkType) -> UplinkOptions<'_> {
        UplinkOptions::new(&self.connection, name)
            .bridge(bridge)
            .uplink_type(uplink_type)
    }

    /// Begin to change an uplink in use; the last call is [`UplinkOptions::set`].
    pub fn change_uplink(&self, name: &str) -> UplinkOptions<'_> {
        UplinkOptions::new(&self.connection, name)
    }

    /// Return the record of one uplink with its counters.
    pub fn show_uplink(&self, name: &str) -> Result<Record> {
        self.one(Command::UplinkShow, &with_statistics(named(name)))
    }

    /// Return the records of all uplinks.
    pub fn uplinks(&self) -> Result<Vec<Record>> {
        self.connection
            .list(Command::UplinkShow, &Attributes::new())
    }

    /// Delete an uplink.
    pub fn delete_uplink(&self, name: &str) -> Result<()> {
        self.done(Command::UplinkDelete, &named(name))
    }

    // --- frames ---

    /// Begin to capture the frames of a tunnel or an uplink, or of the bridge of that name.
    pub fn capture(&self, name: &str) -> CaptureOptions<'_> {
        CaptureOptions::new(&self.connection, name)
    }

    /// Put a frame on a tunnel, as if it came from its bridge.
    ///
    /// If the tunnel drops it, the error says why. [`injector`](Client::injector) has more options.
    pub fn inject(&self, name: &str, frame: &[u8]) -> Result<Injected> {
        let failed = |error| Error::system(format!("cannot inject a frame on '{name}'"), &error);
        let injector = self.injector(name).start()?;
        injector.set_timeout(self.connection.limit());
        injector.send(frame).map_err(failed)?;
        let result = injector.finish().map_err(failed)?;
        result.check(name)?;
        Ok(result)
    }

    /// Begin to put frames on a tunnel.
    pub fn injector(&self, name: &str) -> InjectorOptions<'_> {
        InjectorOptions::new(&self.connection, name)
    }

    // --- rules ---

    /// Add a rule to a tunnel or an uplink, and return its record with its number and its seed.
    pub fn add_rule(&self, name: &str, rule: &Rule) -> Result<Record> {
        let mut options = named(name);
        options.extend(rule.keys());
        self.one(Command::ImpairAdd, &options)
    }

    /// Change these keys of a rule.
    pub fn set_rule(&self, name: &str, number: u32, rule: &Rule) -> Result<()> {
        let mut options = named(name);
        options.set_u32(attribute::RULE, number);
        options.extend(rule.keys());
        self.done(Command::ImpairSet, &options)
    }

    /// Return the rules of a tunnel or an uplink.
    pub fn rules(&self, name: &str) -> Result<Vec<Record>> {
        self.connection.list(Command::ImpairShow, &named(name))
    }

    /// Delete a rule. Frames that it holds go on.
    pub fn delete_rule(&self, name: &str, number: u32) -> Result<()> {
        let mut options = named(name);
        options.set_u32(attribute::RULE, number);
        self.done(Command::ImpairDelete, &options)
    }

    /// Delete all rules of a tunnel or an uplink.
    pub fn delete_rules(&self, name: &str) -> Result<()> {
        self.done(Command::ImpairDelete, &named(name))
    }

    /// Let frames go that the rules of a port hold.
    pub fn release(&self, name: &str, held: Held) -> Result<()> {
        self.done(Command::ImpairRelease, &held_frames(name, held))
    }

    /// Drop frames that the rules of a port hold.
    pub fn discard(&self, name: &str, held: Held) -> Result<()> {
        let mut options = held_frames(name, held);
        options.set_flag(attribute::DISCARD, true);
        self.done(Command::ImpairRelease, &options)
    }

    // --- changes ---

    /// Return the events from now on.
    pub fn watch(&self) -> Result<Watch> {
        Watch::new(self.connection.address(), self.connection.limit())
    }

    /// Wait until a tunnel is open or closed, or an uplink is up or down.
    ///
    /// The object need not exist yet; one that does not exist is closed and down. The error is
    /// ETIMEDOUT after the limit.
    pub fn wait_state(&self, name: &str, state: State, limit: Option<Duration>) -> Result<()> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let events = self.watch()?;
        while !self.is_in_state(name, state)? {
            let event = events.recv_until(deadline).map_err(|error| {
                match (error.raw_os_error(), limit) {
                    (libc::ETIMEDOUT, Some(limit)) => Error::new(
                        libc::ETIMEDOUT,
                        format!("'{name}' is not {state} after {limit:?}"),
                    ),
                    _ => error,
                }
            })?;
            if event.name() == Some(name) && reached(&event) == Some(state) {
                // The state may be another one again by now.
                return Ok(());
            }
        }
        Ok(())
    }

    fn is_in_state(&self, name: &str, state: State) -> Result<bool> {
        let is_uplink = matches!(state, State::Up | State::Down);
        let (command, other) = if is_uplink {
            (Command::UplinkShow, Command::TunnelShow)
        } else {
            (Command::TunnelShow, Command::UplinkShow)
        };
        if let Some(record) = self.find(command, name)? {
            return Ok(record.state() == Some(state));
        }
        if self.find(other, name)?.is_some() {
            let what = if is_uplink { "a tunnel" } else { "an uplink" };
            return Err(Error::new(
                libc::EINVAL,
                format!("'{name}' is {what}, which is never {state}"),
            ));
        }
        Ok(matches!(state, State::Closed | State::Down))
    }

    fn find(&self, command: Command, name: &str) -> Result<Option<Record>> {
        match self.one(command, &named(name)) {
            Err(error) if error.raw_os_error() == libc::ENOENT => Ok(None),
            result => result.map(Some),
        }
    }

    /// Wait until programs and broker have read all frames of these ports and bridges.
    ///
    /// Without a name, wait for all ports. A test uses this in place of a sleep. With `idle`, also
    /// wait until no frame has come for that time. Return the names of uplinks whose frames count
    /// as read once they are sent. The error after the limit is ETIMEDOUT, and tells what is
    /// unread.
    pub fn wait_quiet(
        &self,
        names: &[&str],
        idle: Option<Duration>,
        limit: Option<Duration>,
    ) -> Result<Vec<String>> {
        if let Some(name) = names.iter().find(|name| name.contains(',')) {
            return Err(Error::new(
                libc::EINVAL,
                format!("wait_quiet() takes no name with a comma: '{name}'"),
            ));
        }
        let mut options = Attributes::new();
        if !names.is_empty() {
            options.set_text(attribute::NAMES, names.join(","));
        }
        if let Some(idle) = idle {
            options.set_u64(attribute::IDLE, nanoseconds(idle));
        }
        let uplinks = self.patient(Command::Quiet, options, limit)?;
        Ok(uplinks
            .iter()
            .filter_map(|record| record.name().map(str::to_owned))
            .collect())
    }

    /// Wait until the program behind a tunnel has read all frames for it.
    pub fn wait_drained(&self, name: &str, limit: Option<Duration>) -> Result<()> {
        let mut options = Attributes::new();
        options.set_text(attribute::NAMES, name);
        options.set_u32(attribute::DIRECTION, Direction::ToClient.number());
        self.patient(Command::Quiet, options, limit)?;
        Ok(())
    }

    /// Make a request whose answer takes as long as the caller waits.
    fn patient(
        &self,
        command: Command,
        mut options: Attributes,
        limit: Option<Duration>,
    ) -> Result<Vec<Record>> {
        if let Some(limit) = limit {
            options.set_u64(attribute::TIME_LIMIT, nanoseconds(limit));
        }
        let replies = self.connection.patient(limit)?.request(command, &options)?;
        Ok(replies.into_iter().map(|reply| reply.record).collect())
    }

    // --- the clock ---

    /// Return what the broker's clock shows.
    pub fn clock(&self) -> Result<Clock> {
        clock(&self.one(Command::ClockShow, &Attributes::new())?)
    }

    /// Move a manual clock, and run each event until then at its time.
    ///
    /// ```
    /// # fn main() -> Result<(), memtun::Error> {
    /// # use std::time::Duration;
    /// let broker = memtun::BrokerOptions::new().manual_clock().start()?;
    /// assert_eq!(broker.advance_clock(Duration::from_millis(20))?.time, Duration::from_millis(20));
    /// # Ok(())
    /// # }
    /// ```
    pub fn advance_clock(&self, time: Duration) -> Result<Clock> {
        let mut options = Attributes::new();
        options.set_u64(attribute::MOVE, nanoseconds(time));
        clock(&self.one(Command::ClockAdvance, &options)?)
    }

    /// Wait until the broker is quiet, move a manual clock to the next event, and run that.
    ///
    /// The error is ENODATA if nothing is due, and ETIMEDOUT after the limit; the clock has not
    /// moved then.
    pub fn advance_to_next(&self, limit: Option<Duration>) -> Result<Clock> {
        let records = self.patient(Command::ClockNext, Attributes::new(), limit)?;
        clock(records.last().unwrap_or(&Record::default()))
    }

    // --- sessions ---

    /// Return the record of each client that is connected, or has a capture or an injector.
    pub fn sessions(&self) -> Result<Vec<Record>> {
        self.connection
            .list(Command::SessionShow, &Attributes::new())
    }

    /// Disconnect a client, and end its captures and injectors.
    pub fn delete_session(&self, id: u32) -> Result<()> {
        let mut options = Attributes::new();
        options.set_u32(attribute::ID, id);
        self.done(Command::SessionDelete, &options)
    }

    // --- requests ---

    fn one(&self, command: Command, options: &Attributes) -> Result<Record> {
        Ok(self.connection.request_one(command, options)?.record)
    }

    fn done(&self, command: Command, options: &Attributes) -> Result<()> {
        self.connection.request(command, options)?;
        Ok(())
    }
}

/// Return the state that an object has after an event; a deletion has the last one before it.
fn reached(event: &Event) -> Option<State> {
    match event.kind {
        Some(EventKind::Deleted) => Some(State::Closed),
        Some(EventKind::UplinkDeleted) => Some(State::Down),
        _ => event.record.state(),
    }
}

fn held_frames(name: &str, held: Held) -> Attributes {
    let mut options = named(name);
    match held {
        Held::Oldest => {}
        Held::Frame(number) => options.set_u64(attribute::FRAME, number),
        Held::All => options.set_u64(attribute::FRAME, 0),
    }
    options
}

fn clock(record: &Record) -> Result<Clock> {
    let time = |number| record.raw_number(number).map(Duration::from_nanos);
    let missing = || Error::malformed("it is no record of a clock");
    Ok(Clock {
        kind: record
            .raw_number(attribute::CLOCK)
            .and_then(ClockKind::from_number)
            .ok_or_else(missing)?,
        time: time(attribute::CLOCK_TIME).ok_or_else(missing)?,
        due: record
            .raw_number(attribute::DUE)
            .and_then(|due| due.try_into().ok())
            .ok_or_else(missing)?,
        next: time(attribute::CLOCK_NEXT),
        moved: time(attribute::MOVE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_of_a_deletion_is_an_end_whatever_the_last_state_was() {
        for (kind, last, end) in [
            (EventKind::Deleted, State::Open, State::Closed),
            (EventKind::UplinkDeleted, State::Up, State::Down),
            (EventKind::Opened, State::Open, State::Open),
        ] {
            let mut record = Record::default();
            record.insert(attribute::STATE, Raw::Number(last.number().into()));
            let event = Event {
                kind: Some(kind),
                record,
            };
            assert_eq!(reached(&event), Some(end));
        }
    }

    #[test]
    fn a_record_that_is_none_of_a_clock_is_an_error() {
        let error = clock(&Record::default()).unwrap_err();
        assert_eq!(error.raw_os_error(), libc::EBADMSG);
    }
}
