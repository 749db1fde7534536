// SPDX-License-Identifier: MIT
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

mod attribute;
mod broker;
mod capture;
mod channel;
mod client;
mod connection;
mod error;
mod impair;
mod inherited;
mod inject;
mod interface;
mod port;
mod protocol;
mod record;
mod sys;
mod tunnel;
mod tunnel_options;
mod uplink_options;
mod users;
mod watch;
mod words;

pub use broker::{Broker, BrokerOptions};
pub use capture::{Capture, CaptureOptions, Captured, Fate};
pub use client::{Client, Clock};
pub use error::{Error, Result};
pub use impair::{Held, Rule};
pub use inherited::inherited;
pub use inject::{Injected, Injector, InjectorOptions};
pub use interface::Interface;
pub use record::{Record, Value};
pub use tunnel::Tunnel;
pub use tunnel_options::TunnelOptions;
pub use uplink_options::UplinkOptions;
pub use watch::{Event, Watch};
pub use words::{
    Allow, Backend, ClockKind, Direction, Distribution, EventKind, Life, Mode, Overflow, Socket,
    State, UplinkType,
};
