//! SCRAM (RFC 5802, RFC 7677), as Kafka speaks it.

mod client;
mod memory;
mod messages;
mod server;
#[cfg(test)]
mod tests;

pub use client::{MAX_CLIENT_ITERATIONS, ScramClient, ScramClientError};
pub use memory::SaltMemory;
pub use messages::{MAX_NONCE_BYTES, MAX_TOKEN_BYTES};
pub use server::ScramServer;
