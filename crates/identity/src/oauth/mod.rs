//! `OAUTHBEARER` (RFC 7628, KIP-255): a signed token of an issuer says who somebody is.

mod keys;
mod message;
mod server;
#[cfg(test)]
mod tests;
mod token;

pub use keys::{IssuerKeys, KeySource, KeysError, MAX_KEYS_BYTES};
pub use server::BearerServer;
pub use token::{TokenAlgorithm, TokenLogin, TokenRules};

/// The longest token message, in bytes. Tokens that list groups are long.
pub const MAX_BEARER_BYTES: usize = 64 * 1024;
