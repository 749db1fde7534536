// SPDX-License-Identifier: MIT
//! Captures and injectors.

use std::io;
use std::time::Duration;

use memtun::{Broker, BrokerOptions, Direction, Mode, Rule};

use crate::{alone, broadcast, SECONDS};

#[test]
fn a_capture_of_a_bridge_sees_each_port() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let a = broker.tunnel("a").bridge("lab").open().unwrap();
    let _b = broker.tunnel("b").bridge("lab").open().unwrap();
    let mut all = broker.capture("lab").start().unwrap();
    let one_way = broker.capture("b").direction(Direction::ToClient);
    let mut one_way = one_way.start().unwrap();
    a.send(&broadcast(b"seen")).unwrap();
    let directions: Vec<_> = all
        .by_ref()
        .take(2)
        .map(|captured| captured.unwrap().direction)
        .collect();
    assert_eq!(directions, [Direction::FromClient, Direction::ToClient]);
    let captured = one_way.next().unwrap().unwrap();
    assert_eq!(captured.frame, broadcast(b"seen"));
    assert_eq!((captured.mode, captured.missed), (Mode::Tap, 0));
    assert_eq!(captured.fate, None);
    assert_eq!(Some(captured.port), broker.show("b").unwrap().id());
    assert!(captured.time.elapsed().unwrap() < SECONDS);
}

#[test]
fn a_capture_with_faults_tells_what_happened_and_why() {
    let _alone = alone();
    let broker = BrokerOptions::new().manual_clock().start().unwrap();
    let a = broker.tunnel("a").bridge("lab").open().unwrap();
    let rule = Rule::new().direction(Direction::FromClient);
    broker.add_rule("a", &rule.loss(100.0).seed(7)).unwrap();
    let capture = broker.capture("a").faults().start().unwrap();
    a.send(&broadcast(b"lost")).unwrap();
    let lost = capture.recv().unwrap().unwrap();
    let fate = lost.fate.unwrap();
    assert_eq!(fate.reasons, ["from-client-dropped-loss"]);
    assert_eq!((fate.rule, fate.seed, fate.number), (1, 7, 1));
    assert_eq!(fate.clock, Some(Duration::ZERO));
}

#[test]
fn a_capture_ends_with_its_port() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let a = broker.open("a").unwrap();
    let mut capture = broker.capture("a").start().unwrap();
    drop(a);
    assert!(capture.next().is_none());
    let error = capture.expect(SECONDS, |_| true).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn expect_waits_for_the_frame_that_the_function_takes() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let a = broker.tunnel("a").bridge("lab").open().unwrap();
    let capture = broker.capture("a").start().unwrap();
    for text in [b"1", b"2"] {
        a.send(&broadcast(text)).unwrap();
    }
    let found = capture.expect(SECONDS, |frame| frame.ends_with(b"2"));
    assert_eq!(found.unwrap().frame[14..], *b"2");
    a.send(&broadcast(b"3")).unwrap();
    broker.wait_quiet(&["a"], None, Some(SECONDS)).unwrap();
    let limit = Duration::from_millis(10);
    let error = capture.expect(limit, |_| false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(
        error.to_string(),
        "10ms are over; 1 frames came, and none matched"
    );
    capture.set_timeout(Some(limit));
    assert_eq!(capture.recv().unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn injected_frames_reach_the_program_or_the_bridge() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let a = broker.tunnel("a").bridge("lab").open().unwrap();
    let b = broker.tunnel("b").bridge("lab").open().unwrap();
    b.set_read_timeout(Some(SECONDS));
    assert_eq!(broker.inject("a", &broadcast(b"in")).unwrap().offered, 1);
    assert_eq!(&a.recv_frame().unwrap()[14..], b"in");
    let injector = broker.injector("a").as_client().start().unwrap();
    injector.set_timeout(Some(SECONDS));
    injector.send(&broadcast(b"from a")).unwrap();
    assert_eq!(&b.recv_frame().unwrap()[14..], b"from a");
    let result = injector.finish().unwrap();
    assert_eq!((result.frames, result.offered), (1, 0));
    let injector = broker.injector("a").vnet_hdr().start().unwrap();
    injector
        .send(&[&[0; 10][..], &broadcast(b"vnet")].concat())
        .unwrap();
    assert_eq!(injector.finish().unwrap().drops(), []);
    assert_eq!(&a.recv_frame().unwrap()[14..], b"vnet");
}

#[test]
fn an_injected_frame_that_is_dropped_is_an_error() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    broker.tunnel("a").add().unwrap();
    let error = broker.inject("a", &broadcast(b"")).unwrap_err();
    assert_eq!(error.raw_os_error(), libc::ENOTCONN);
    assert_eq!(error.text(), "'a' dropped injected frames (no-client: 1)");
    let _a = broker.open("a").unwrap();
    let error = broker.inject("a", &broadcast(&[0; 2000])).unwrap_err();
    assert_eq!(error.raw_os_error(), libc::EMSGSIZE);
    let error = broker.inject("a", b"short").unwrap_err();
    assert_eq!(error.raw_os_error(), libc::EINVAL);
}

#[test]
fn an_injector_ends_with_its_tunnel() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    broker.tunnel("a").add().unwrap();
    let injector = broker.injector("a").start().unwrap();
    broker.delete("a").unwrap();
    let error = injector.send(&broadcast(b"")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let error = injector.finish().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
