// SPDX-License-Identifier: MIT
//! Requests and their errors.

use std::fs::File;
use std::io;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use memtun::{
    Allow, Broker, BrokerOptions, Client, ClockKind, Direction, Distribution, Error, EventKind,
    Held, Life, Mode, Overflow, Rule, Socket, State, UplinkType, Value,
};

use crate::{alone, broadcast, SECONDS};

/// Return the errno of a request that fails, which has a text.
fn errno<T: std::fmt::Debug>(result: Result<T, Error>) -> i32 {
    let error = result.unwrap_err();
    assert!(!error.text().is_empty());
    error.raw_os_error()
}

#[test]
fn an_error_has_the_errno_and_the_text_of_the_broker() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let error = broker.tunnel("a").mtu(9).open().unwrap_err();
    assert_eq!(error.raw_os_error(), libc::EINVAL);
    assert_eq!(error.to_string(), "mtu 9 is not from 68 to 65535");
    assert!(!error.is_no_broker());
    let error = io::Error::from(broker.show("a").unwrap_err());
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(error.to_string(), "there is no tunnel 'a'");
    assert!(error.get_ref().unwrap().is::<Error>());
    // The connection goes on.
    broker.open("a").unwrap();
}

#[test]
fn a_wrong_name_is_refused() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    for name in ["", "a name", "a/b", "sixteen-letters-", "%s", "..", "a\n"] {
        assert_eq!(errno(broker.open(name)), libc::EINVAL, "{name:?}");
        assert_eq!(errno(broker.add_bridge(name)), libc::EINVAL, "{name:?}");
    }
    assert_eq!(errno(broker.open("a\0b")), libc::EINVAL);
    assert_eq!(errno(broker.open(&"a".repeat(100_000))), libc::EMSGSIZE);
    for result in [
        broker.delete("no"),
        broker.delete_bridge("no"),
        broker.delete_uplink("no"),
        broker.tunnel("no").mtu(1400).set(),
        broker.change_uplink("no").mtu(1400).set(),
        broker.delete_rules("no"),
        broker.release("no", Held::All),
        broker.delete_session(77),
    ] {
        assert_eq!(errno(result), libc::ENOENT);
    }
    assert_eq!(errno(broker.capture("no").start()), libc::ENOENT);
    assert_eq!(errno(broker.injector("no").start()), libc::ENOENT);
    assert_eq!(errno(broker.rename("no", "new")), libc::ENOENT);
    assert_eq!(errno(broker.wait_quiet(&["no"], None, None)), libc::ENOENT);
    assert_eq!(errno(broker.wait_quiet(&["a,b"], None, None)), libc::EINVAL);
}

#[test]
fn a_tunnel_is_made_changed_renamed_and_deleted() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let record = broker
        .tunnel("a")
        .mode(Mode::Tun)
        .socket(Socket::Dgram)
        .bridge("lab")
        .mtu(1400)
        .queue(7)
        .overflow(Overflow::Block)
        .address("10.0.0.1/24")
        .address("fd00::1/64")
        .gateway("10.0.0.9")
        .pi(true)
        .vnet_hdr(true)
        .vnet_hdr_size(12)
        .offload(1)
        .multi_queue(true)
        .add()
        .unwrap();
    let text = |key| record.get(key).unwrap().to_string();
    assert_eq!(record.mode(), Some(Mode::Tun));
    assert_eq!(record.socket(), Some(Socket::Dgram));
    assert_eq!(record.bridge(), Some("lab"));
    assert_eq!(record.mtu(), Some(1400));
    assert_eq!(text("queue"), "7");
    assert_eq!(record.overflow(), Some(Overflow::Block));
    assert_eq!(record.address(), Some("10.0.0.1/24+fd00::1/64"));
    assert_eq!(text("gateway"), "10.0.0.9");
    assert_eq!(record.get("pi"), Some(Value::Flag(true)));
    assert_eq!(text("vnet_hdr_size"), "12");
    assert_eq!(text("offload"), "1");
    assert_eq!(record.state(), Some(State::Closed));
    assert_eq!((record.peer(), record.pid()), (None, None));

    broker.tunnel("a").no_bridge().queue(9).set().unwrap();
    let record = broker.rename("a", "b").unwrap();
    assert_eq!((record.name(), record.bridge()), (Some("b"), None));
    assert_eq!(broker.show("b").unwrap().number("queue"), Some(9));
    broker.delete("b").unwrap();
    assert_eq!(broker.tunnels().unwrap(), []);
}

#[test]
fn a_long_list_comes_whole() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let made = broker.tunnel("t%d").bridge("lab").add_many(500).unwrap();
    assert_eq!(made.len(), 500);
    let listed = broker.tunnels().unwrap();
    assert_eq!(listed.len(), 500);
    assert_eq!(listed[499].name(), Some("t499"));
    let counted = broker.all_statistics().unwrap();
    assert_eq!(counted[7].number("from-client-frames"), Some(0));
    assert_eq!(listed[7].number("from-client-frames"), None);
}

#[test]
fn an_exclusive_open_refuses_a_tunnel_that_exists() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let kept = broker.tunnel("a").persistent(true).open().unwrap();
    assert_eq!(errno(broker.open("a")), libc::EBUSY);
    drop(kept);
    broker
        .wait_state("a", State::Closed, Some(SECONDS))
        .unwrap();
    assert_eq!(
        errno(broker.tunnel("a").exclusive(true).open()),
        libc::EBUSY
    );
    assert_eq!(broker.open("a").unwrap().name(), "a");
    assert_eq!(broker.open("tap%d").unwrap().name(), "tap0");
}

#[test]
fn a_bridge_is_made_shown_and_deleted() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    broker.add_bridge("plain").unwrap();
    broker.add_hub("hub").unwrap();
    broker.add_guarded_bridge("guarded").unwrap();
    assert_eq!(errno(broker.add_bridge("hub")), libc::EBUSY);
    let bridges = broker.bridges().unwrap();
    let flag = |index: usize, key| bridges[index].get(key) == Some(Value::Flag(true));
    assert!(!flag(0, "hub") && flag(1, "hub") && flag(2, "loop-guard"));
    broker.tunnel("b").bridge("plain").add().unwrap();
    let a = broker.tunnel("a").bridge("plain").open().unwrap();
    let capture = broker.capture("plain").start().unwrap();
    a.send(&broadcast(b"")).unwrap();
    capture.expect(SECONDS, |_| true).unwrap();
    let addresses = broker.addresses("plain").unwrap();
    assert_eq!(addresses.len(), 1);
    assert_eq!(addresses[0].address(), Some("02:00:00:00:00:01"));
    assert_eq!(addresses[0].name(), Some("a"));
    assert_eq!(
        broker.show_bridge("plain").unwrap().number("ports"),
        Some(2)
    );
    broker.delete_bridge("plain").unwrap();
    assert_eq!(errno(broker.show_bridge("plain")), libc::ENOENT);
    assert_eq!(errno(broker.addresses("plain")), libc::ENOENT);
}

/// Return a path in a directory of the test, which is short enough for a socket.
fn scratch(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("memtun-rust-{}-{name}", std::process::id()))
}

#[test]
fn uplinks_are_made_changed_shown_and_deleted() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let path = scratch("listen");
    let uplink = broker
        .uplink("vms", "lab", UplinkType::Stream)
        .listen(&path)
        .max(3)
        .allow(Allow::Any)
        .socket_mode(0o600)
        .mtu(1400)
        .add()
        .unwrap();
    assert_eq!(uplink.uplink_type(), Some(UplinkType::Stream));
    assert_eq!(uplink.state(), Some(State::Up));
    assert_eq!(
        uplink.get("listen").unwrap().to_string(),
        path.to_str().unwrap()
    );
    assert_eq!(uplink.number("max"), Some(3));
    broker.change_uplink("vms").mtu(1300).set().unwrap();
    assert_eq!(broker.show_uplink("vms").unwrap().mtu(), Some(1300));

    let mut peer = UnixStream::connect(&path).unwrap();
    let tunnel = broker.tunnel("a").bridge("lab").open().unwrap();
    tunnel.set_read_timeout(Some(SECONDS));
    let frame = broadcast(b"from a peer");
    let prefix = (frame.len() as u32).to_be_bytes();
    peer.write_all(&[&prefix[..], &frame].concat()).unwrap();
    assert_eq!(tunnel.recv_frame().unwrap(), frame);
    assert_eq!(
        broker.show_uplink("vms").unwrap().number("connected"),
        Some(1)
    );
    drop((peer, tunnel));
    let relative = broker
        .uplink("out", "lab", UplinkType::Bess)
        .path("no-such-directory/socket")
        .add()
        .unwrap();
    assert_eq!(relative.state(), Some(State::Down));
    assert!(relative.reason().is_some());
    assert!(relative.get("path").unwrap().to_string().starts_with('/'));
    let port = broker
        .uplink("udp", "far", UplinkType::Udp)
        .local("127.0.0.1:0")
        .remote("127.0.0.1:9")
        .add();
    assert_eq!(errno(port), libc::EINVAL);
    broker
        .uplink("far", "far", UplinkType::Vxlan)
        .vni(42)
        .local("127.0.0.1")
        .remote("127.0.0.2")
        .port(47891)
        .ttl(2)
        .add()
        .unwrap();
    for name in ["out", "far"] {
        broker.delete_uplink(name).unwrap();
    }
    broker.delete_uplink("vms").unwrap();
    assert!(!path.exists());
}

#[test]
fn a_descriptor_becomes_an_uplink_until_its_life_ends() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let (own, other) = UnixStream::pair().unwrap();
    let (life, end) = UnixStream::pair().unwrap();
    let uplink = broker
        .uplink("in", "lab", UplinkType::Fd)
        .fd(&own)
        .until(&life)
        .add()
        .unwrap();
    assert_eq!(uplink.life(), Some(Life::Socket));
    let tunnel = broker.tunnel("a").bridge("lab").open().unwrap();
    tunnel.send(&broadcast(b"in")).unwrap();
    let mut frame = [0; 4 + 16];
    io::Read::read_exact(&mut &other, &mut frame).unwrap();
    assert_eq!(frame[..4], 16u32.to_be_bytes());
    drop((life, end));
    broker.wait_state("in", State::Down, Some(SECONDS)).unwrap();

    let nothing = broker.uplink("in", "lab", UplinkType::Fd).until(&own).add();
    assert_eq!(errno(nothing), libc::EINVAL);
    let file = File::open("/dev/null").unwrap();
    let wrong = broker.uplink("in", "lab", UplinkType::Fd).fd(&file).add();
    assert_eq!(errno(wrong), libc::EINVAL);
    let wrong = broker
        .uplink("in", "lab", UplinkType::Device)
        .fd(&file)
        .add();
    assert!(wrong.is_err());
}

#[test]
fn a_process_is_the_life_of_an_uplink() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let (own, _other) = UnixStream::pair().unwrap();
    let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let add = |pid| {
        broker
            .uplink("in", "lab", UplinkType::Fd)
            .fd(&own)
            .pid(pid)
            .add()
    };
    assert_eq!(add(cat.id()).unwrap().life(), Some(Life::Process));
    drop(cat.stdin.take());
    cat.wait().unwrap();
    broker.wait_state("in", State::Down, Some(SECONDS)).unwrap();
    // The process is over, and 2^31 is no process.
    assert_eq!(errno(add(cat.id())), libc::ESRCH);
    assert_eq!(errno(add(1 << 31)), libc::ESRCH);
}

#[test]
fn a_rule_is_added_changed_and_deleted() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let _a = broker.tunnel("a").bridge("lab").open().unwrap();
    let rule = Rule::new()
        .direction(Direction::ToClient)
        .delay(Duration::from_millis(20))
        .jitter(Duration::from_millis(5))
        .distribution(Distribution::Normal)
        .loss(2.5)
        .loss_burst(2.5)
        .duplicate(1.0)
        .corrupt(0.0000001)
        .rate(1_000_000)
        .limit(10)
        .until_frame(1000)
        .seed(7);
    let record = broker.add_rule("a", &rule).unwrap();
    assert_eq!((record.rule(), record.seed()), (Some(1), Some(7)));
    let listed = &broker.rules("a").unwrap()[0];
    assert_eq!(
        listed.get("delay"),
        Some(Value::Time(Duration::from_millis(20)))
    );
    assert_eq!(listed.get("loss"), Some(Value::Decimal(2.5)));
    assert_eq!(listed.get("loss-burst"), Some(Value::Decimal(2.5)));
    assert_eq!(listed.get("corrupt"), Some(Value::Decimal(1e-7)));
    assert_eq!(listed.get("distribution"), Some(Value::Word("normal")));
    assert_eq!(listed.number("rate"), Some(1_000_000));
    broker.set_rule("a", 1, &Rule::new().loss(50.0)).unwrap();
    assert_eq!(
        broker.rules("a").unwrap()[0].number("loss"),
        Some(500_000_000)
    );
    broker.delete_rule("a", 1).unwrap();
    assert_eq!(errno(broker.delete_rule("a", 1)), libc::ENOENT);

    for wrong in [
        Rule::new().loss(f64::NAN),
        Rule::new().loss(-1.0),
        Rule::new().loss(100.1),
        Rule::new().delay(Duration::MAX),
        Rule::new().jitter(SECONDS),
        Rule::new().drop_frames("x"),
        Rule::new().matching("ip", "not a program"),
    ] {
        assert_eq!(
            errno(broker.add_rule("a", &wrong)),
            libc::EINVAL,
            "{wrong:?}"
        );
    }
    // The filter that takes each frame.
    let all = Rule::new().matching("all", "1+6 0 0 262144").loss(1.0);
    assert_eq!(
        broker.add_rule("a", &all).unwrap().get("match"),
        Some(Value::Text("all".to_owned()))
    );
    broker.delete_rules("a").unwrap();
    assert_eq!(broker.rules("a").unwrap(), []);
    let lossy = broker.tunnel("b").rule(&Rule::new().loss(5.0).seed(3));
    assert_eq!(lossy.add().unwrap().number("rules"), Some(1));
}

#[test]
fn frames_that_are_held_are_released_or_dropped() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let a = broker.tunnel("a").bridge("lab").open().unwrap();
    let b = broker.tunnel("b").bridge("lab").open().unwrap();
    b.set_read_timeout(Some(SECONDS));
    let rule = Rule::new().direction(Direction::FromClient).hold(true);
    broker.add_rule("a", &rule).unwrap();
    for text in [b"1", b"2", b"3", b"4"] {
        a.send(&broadcast(text)).unwrap();
    }
    let capture = broker.capture("a").faults().start().unwrap();
    while broker.rules("a").unwrap()[0].get("holding") != Some(Value::Text("1+2+3+4".into())) {
        assert!(capture.recv().unwrap().is_some());
    }
    broker.release("a", Held::Frame(2)).unwrap();
    broker.discard("a", Held::Oldest).unwrap();
    broker.release("a", Held::All).unwrap();
    let texts: Vec<u8> = (0..3).map(|_| b.recv_frame().unwrap()[14]).collect();
    assert_eq!(texts, b"234");
    assert_eq!(errno(broker.release("a", Held::Oldest)), libc::ENOENT);
    let dropped: Vec<_> = broker.statistics("a").unwrap().drops().collect();
    assert_eq!(dropped, [("from-client-dropped-discarded", 1)]);
}

#[test]
fn a_manual_clock_moves_by_requests() {
    let _alone = alone();
    let broker = BrokerOptions::new().manual_clock().start().unwrap();
    let slow = Rule::new().delay(Duration::from_millis(30));
    let a = broker.tunnel("a").bridge("lab").rule(&slow).open().unwrap();
    let b = broker.tunnel("b").bridge("lab").open().unwrap();
    a.send(&broadcast(b"late")).unwrap();
    let before = broker.advance_clock(Duration::from_millis(10)).unwrap();
    assert_eq!((before.kind, before.due > 0), (ClockKind::Manual, true));
    assert_eq!(before.moved, Some(Duration::from_millis(10)));
    b.set_read_timeout(Some(Duration::ZERO));
    assert_eq!(b.recv_frame().unwrap_err().kind(), io::ErrorKind::TimedOut);
    let at = broker.advance_to_next(Some(SECONDS)).unwrap();
    assert_eq!(Some(at.time), before.next);
    b.set_read_timeout(Some(SECONDS));
    assert_eq!(&b.recv_frame().unwrap()[14..], b"late");

    let real = Broker::start().unwrap();
    assert_eq!(real.clock().unwrap().kind, ClockKind::Real);
    assert_eq!(errno(real.advance_clock(SECONDS)), libc::EINVAL);
    assert_eq!(errno(real.advance_to_next(None)), libc::EINVAL);
}

#[test]
fn waits_end_with_the_state_or_with_the_limit() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    broker
        .wait_state("a", State::Closed, Some(SECONDS))
        .unwrap();
    broker.wait_state("a", State::Down, Some(SECONDS)).unwrap();
    let short = Some(Duration::from_millis(20));
    let error = broker.wait_state("a", State::Open, short).unwrap_err();
    assert_eq!(error.raw_os_error(), libc::ETIMEDOUT);
    assert_eq!(error.text(), "'a' is not open after 20ms");
    thread::scope(|scope| {
        let waits = scope.spawn(|| broker.wait_state("a", State::Open, Some(SECONDS)));
        let a = broker.open("a").unwrap();
        waits.join().unwrap().unwrap();
        let waits = scope.spawn(|| broker.wait_state("a", State::Closed, Some(SECONDS)));
        drop(a);
        waits.join().unwrap().unwrap();
    });
    broker.tunnel("t").add().unwrap();
    assert_eq!(
        errno(broker.wait_state("t", State::Up, short)),
        libc::EINVAL
    );

    let a = broker.tunnel("a").bridge("lab").open().unwrap();
    let b = broker.tunnel("b").bridge("lab").open().unwrap();
    a.send(&broadcast(b"")).unwrap();
    let error = broker.wait_quiet(&["lab"], None, short).unwrap_err();
    assert_eq!(error.raw_os_error(), libc::ETIMEDOUT);
    assert!(error.text().contains('b'), "{error}");
    assert_eq!(errno(broker.wait_drained("b", short)), libc::ETIMEDOUT);
    b.recv_frame().unwrap();
    broker.wait_drained("b", Some(SECONDS)).unwrap();
    assert_eq!(
        broker.wait_quiet(&[], short, Some(SECONDS)).unwrap(),
        [""; 0]
    );
}

#[test]
fn events_come_in_order() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let mut events = broker.watch().unwrap();
    let a = broker.tunnel("a").bridge("lab").open().unwrap();
    broker.tunnel("a").mtu(9000).set().unwrap();
    drop(a);
    let kinds: Vec<_> = (0..6)
        .map(|_| events.next().unwrap().unwrap().kind.unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            EventKind::BridgeAdded,
            EventKind::Added,
            EventKind::Opened,
            EventKind::Changed,
            EventKind::Closed,
            EventKind::Deleted,
        ]
    );
    events.set_timeout(Some(Duration::from_millis(20)));
    assert_eq!(
        events.next().unwrap().unwrap().kind,
        Some(EventKind::BridgeDeleted)
    );
    assert_eq!(errno(events.next().unwrap()), libc::ETIMEDOUT);
    broker.add_bridge("new").unwrap();
    assert_eq!(events.next().unwrap().unwrap().name(), Some("new"));
}

#[test]
fn lost_events_are_reported() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let events = broker.watch().unwrap();
    broker.tunnel("t%d").add_many(3000).unwrap();
    let lost = loop {
        let event = events.recv().unwrap();
        if event.kind != Some(EventKind::Added) {
            break event;
        }
    };
    assert_eq!(lost.kind, Some(EventKind::Lost));
}

#[test]
fn sessions_are_shown_and_ended() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let other = Client::connect_to(broker.address()).unwrap();
    let sessions = broker.sessions().unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[1].pid(), Some(std::process::id()));
    broker.delete_session(sessions[1].id().unwrap()).unwrap();
    assert_eq!(errno(other.tunnels()), libc::EPIPE);
    // The second error tells the first one.
    let error = other.tunnels().unwrap_err();
    assert_eq!(error.raw_os_error(), libc::EPIPE);
    assert!(error
        .text()
        .starts_with("the connection was closed before: "));
}

#[test]
fn threads_share_a_client() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let broker = &broker;
            scope.spawn(move || {
                for number in 0..20 {
                    let name = format!("t{thread}-{number}");
                    assert_eq!(broker.open(&name).unwrap().name(), name);
                }
            });
        }
    });
}

#[test]
fn the_table_of_attributes_is_that_of_the_header() {
    let header = match std::env::var("MEMTUN_PROTOCOL_H") {
        Ok(path) => std::fs::read_to_string(path).unwrap(),
        Err(_) => {
            println!("not compared: MEMTUN_PROTOCOL_H names no header");
            return;
        }
    };
    let table = include_str!("../../src/attribute.rs");
    for line in header.lines() {
        let line = line.trim();
        let found = line
            .strip_prefix("MEMTUN_A_")
            .and_then(|line| line.split(',').next()?.split_once(" = "));
        let (name, number) = match found {
            Some((name, number)) if number != "0" => (name, number),
            _ => continue,
        };
        assert!(
            table.contains(&format!("    {name} = {number}, \"")),
            "{name} = {number} is not in the table"
        );
    }
}
