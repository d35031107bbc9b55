//! The upstream engine: an Apache Kafka cluster behind the gate.
//!
//! [`Gateway`] implements `schloss_gate::Engine`, so it sees admitted requests only. Each client connection has one
//! connection to the broker that it was meant for; requests go there in order, as the bytes they came in where
//! nothing was taken out, and answers come back as bytes where nothing has to be changed. What is changed are
//! addresses: clients see those of the gateway only.
//!
//! Open `session` first (a request's way), then `link` (the connection to a broker) and `view` (what is known
//! of the cluster).

mod addressing;
mod answer;
mod blame;
mod config;
mod follow;
mod gateway;
mod identity;
mod link;
mod offer;
mod rewrite;
mod session;
mod view;

pub use addressing::{Addressing, AddressingError};
pub use config::{GatewayConfig, Identity};
pub use gateway::{Gateway, GatewayError};
