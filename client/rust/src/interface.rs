// SPDX-License-Identifier: MIT
//! The changes of the interface that programs under `memtun wrap` see in place of a tunnel.

use crate::attribute;
use crate::protocol::Attributes;

/// Changes of an interface, for [`Client::set_interface`](crate::Client::set_interface).
///
/// Only what is given changes. A list replaces the former one, and its elements are written as in
/// ip(8).
///
/// ```
/// # fn main() -> Result<(), memtun::Error> {
/// use memtun::{Interface, Mode};
///
/// let broker = memtun::Broker::start()?;
/// let a = broker.tunnel("a").mode(Mode::Tun).open()?;
/// let up = Interface::new().flags(1).addresses(&["10.0.0.1/24"]); // IFF_UP
/// let record = broker.set_interface("a", &up)?;
/// assert_eq!(record.get("interface-address").unwrap().to_string(), "10.0.0.1/24");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "give it to set_interface()"]
pub struct Interface {
    options: Attributes,
}

impl Interface {
    /// Return no changes.
    pub fn new() -> Interface {
        Interface::default()
    }

    pub(crate) fn options(&self) -> &Attributes {
        &self.options
    }

    /// Set the flags: IFF_* bits. Those that follow from the tunnel have no effect.
    pub fn flags(mut self, bits: u32) -> Self {
        self.options.set_u32(attribute::INTERFACE_FLAGS, bits);
        self
    }

    /// Say whether the interface has a carrier.
    pub fn carrier(mut self, carrier: bool) -> Self {
        self.options.set_flag(attribute::INTERFACE_CARRIER, carrier);
        self
    }

    /// Replace the addresses, such as `"10.0.0.1/24"`.
    pub fn addresses(self, addresses: &[&str]) -> Self {
        self.list(attribute::INTERFACE_ADDRESS, addresses)
    }

    /// Replace the routes, such as `"default via 10.0.0.2"`.
    pub fn routes(self, routes: &[&str]) -> Self {
        self.list(attribute::INTERFACE_ROUTE, routes)
    }

    /// Replace the neighbours, such as `"10.0.0.2 lladdr 02:00:00:00:00:01"`.
    pub fn neighbours(self, neighbours: &[&str]) -> Self {
        self.list(attribute::INTERFACE_NEIGHBOUR, neighbours)
    }

    /// Set the MAC address of a TAP's interface.
    pub fn mac(mut self, address: &str) -> Self {
        self.options.set_text(attribute::INTERFACE_MAC, address);
        self
    }

    /// Set the length of the transmit queue, which has no effect.
    pub fn txqlen(mut self, frames: u32) -> Self {
        self.options.set_u32(attribute::INTERFACE_TXQLEN, frames);
        self
    }

    /// Refuse the change with ESTALE if the interface has another revision than the number
    /// `"interface-revision"` of a record, because another client has changed it meanwhile.
    pub fn revision(mut self, revision: u32) -> Self {
        self.options
            .set_u32(attribute::INTERFACE_REVISION, revision);
        self
    }

    /// Set a list, whose word for the empty list is none.
    fn list(mut self, number: u16, elements: &[&str]) -> Self {
        let text = if elements.is_empty() {
            "none".to_owned()
        } else {
            elements.join("+")
        };
        self.options.set_text(number, text);
        self
    }
}
