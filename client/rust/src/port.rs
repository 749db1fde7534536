// SPDX-License-Identifier: MIT
//! The options that tunnels and uplinks share, as methods of both builders.

/// Methods of the options that tunnels and uplinks share.
macro_rules! port_options {
    () => {
        /// Put the port on a bridge, which is made if it does not exist.
        pub fn bridge(mut self, bridge: &str) -> Self {
            self.options.set_text(attribute::BRIDGE, bridge);
            self
        }

        /// Take the port off its bridge, with `set()`.
        pub fn no_bridge(self) -> Self {
            self.bridge("")
        }

        /// Say whether frames are IP packets or Ethernet frames.
        pub fn mode(mut self, mode: Mode) -> Self {
            self.options.set_u32(attribute::MODE, mode.number());
            self
        }

        /// Make the port an access port of this VLAN; 0 makes it a trunk.
        pub fn vlan(mut self, vlan: u32) -> Self {
            self.options.set_u32(attribute::VLAN, vlan);
            self
        }

        /// Limit the length of packets to the other side, in bytes without an Ethernet header.
        pub fn mtu(mut self, mtu: u32) -> Self {
            self.options.set_u32(attribute::MTU, mtu);
            self
        }

        /// Limit the number of frames that wait in the broker.
        pub fn queue(mut self, frames: u32) -> Self {
            self.options.set_u32(attribute::QUEUE_LIMIT, frames);
            self
        }

        /// Choose what is dropped when the queue is full.
        pub fn overflow(mut self, overflow: Overflow) -> Self {
            self.options.set_u32(attribute::OVERFLOW, overflow.number());
            self
        }

        /// Add an IP address of a TUN on an Ethernet bridge, such as `"10.0.0.1/24"`.
        pub fn address(mut self, address: impl Display) -> Self {
            self.options
                .append_text(attribute::ADDRESS, &address.to_string());
            self
        }

        /// Add the IP address of a gateway of a TUN on an Ethernet bridge.
        pub fn gateway(mut self, gateway: impl Display) -> Self {
            self.options
                .append_text(attribute::GATEWAY, &gateway.to_string());
            self
        }

        /// Put a struct tun_pi before each frame.
        pub fn pi(mut self, pi: bool) -> Self {
            self.options.set_flag(attribute::PI, pi);
            self
        }

        /// Add a rule, which loses, delays or changes frames in both directions.
        pub fn rule(mut self, rule: &Rule) -> Self {
            self.options.extend(rule.keys());
            self
        }
    };
}

pub(crate) use port_options;
