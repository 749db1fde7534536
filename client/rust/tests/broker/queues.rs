// SPDX-License-Identifier: MIT
//! Queues that are attached to tunnels, and the interfaces that stand for tunnels.

use memtun::{Broker, Interface, Socket, State};

use crate::{alone, broadcast, SECONDS};

#[test]
fn a_queue_is_attached_to_one_tunnel_after_the_other() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let other = broker.tunnel("other").bridge("lab").open().unwrap();
    other.set_read_timeout(Some(SECONDS));
    for socket in [Socket::Seqpacket, Socket::Stream] {
        let mut queue = broker.open_queue(socket).unwrap();
        assert_eq!(queue.name(), "");
        for name in ["first", "second"] {
            let options = broker.tunnel(name).bridge("lab");
            options.clone().attach(&mut queue).unwrap();
            assert_eq!((queue.name(), queue.record().bridge()), (name, Some("lab")));
            queue.send(&broadcast(name.as_bytes())).unwrap();
            assert_eq!(other.recv_frame().unwrap(), broadcast(name.as_bytes()));
            let error = options.attach(&mut queue).unwrap_err();
            assert_eq!(error.raw_os_error(), libc::EEXIST);
            broker.detach_queue(&mut queue).unwrap();
            assert_eq!(queue.name(), "");
        }
        let error = broker.detach_queue(&mut queue).unwrap_err();
        assert_eq!(error.raw_os_error(), libc::EINVAL);
        drop(queue);
        broker
            .wait_state("second", State::Closed, Some(SECONDS))
            .unwrap();
    }
}

#[test]
fn an_interface_is_shown_and_set() {
    let _alone = alone();
    let broker = Broker::start().unwrap();
    let _a = broker.open("a").unwrap();
    assert_eq!(broker.show("a").unwrap().get("interface-flags"), None);
    let neighbour = "10.0.0.2 lladdr 02:00:00:00:00:01";
    let with_neighbour = Interface::new().neighbours(&[neighbour]);
    broker.set_interface("a", &with_neighbour).unwrap();
    let text = |key| Some(broker.show("a").unwrap().get(key)?.to_string());
    assert_eq!(text("interface-neighbour").as_deref(), Some(neighbour));
    let up = (libc::IFF_UP | libc::IFF_MULTICAST) as u32;
    let interface = Interface::new()
        .flags(up)
        .mac("02:00:00:00:00:07")
        .txqlen(7)
        .addresses(&["10.0.0.1/24 broadcast 10.0.0.255", "10.0.1.1/24"])
        .routes(&["default via 10.0.0.2"])
        .neighbours(&[])
        .carrier(false);
    let record = broker.set_interface("a", &interface).unwrap();
    let addresses = "10.0.0.1/24 broadcast 10.0.0.255+10.0.1.1/24";
    for (key, value) in [
        ("interface-mac", Some("02:00:00:00:00:07")),
        ("interface-txqlen", Some("7")),
        ("interface-address", Some(addresses)),
        ("interface-route", Some("default via 10.0.0.2")),
        ("interface-neighbour", None),
        ("interface-carrier", Some("false")),
    ] {
        assert_eq!(text(key).as_deref(), value, "{key}");
    }
    let flags = |record: &memtun::Record| record.number("interface-flags").unwrap() as u32;
    assert_eq!(flags(&record) & up, up);
    let revision = record.number("interface-revision").unwrap() as u32;
    let down = Interface::new().flags(0).revision(revision);
    assert_eq!(flags(&broker.set_interface("a", &down).unwrap()) & up, 0);
    let error = broker.set_interface("a", &down).unwrap_err();
    assert_eq!(error.raw_os_error(), libc::ESTALE);
    let error = broker.set_interface("nothing", &down).unwrap_err();
    assert_eq!(error.raw_os_error(), libc::ENOENT);
}
