//! `GSSAPI` (RFC 4752): a ticket of Kerberos says who somebody is.
//!
//! What a ticket proves is for a library to say, behind [`GssAcceptor`]; the exchange around it and the user's name are
//! decided here.

mod login;
mod name;
mod rules;
mod server;
#[cfg(test)]
mod tests;

pub use login::{GssAcceptor, GssClient, GssContext, GssFailure, GssReply, KerberosLogin};
pub use name::{KerberosNameError, check_realm};
pub use rules::KerberosRules;
pub use server::GssapiServer;

/// The longest token of a client, in bytes. Tickets that list the groups of a directory are long.
pub const MAX_GSS_TOKEN_BYTES: usize = 64 * 1024;
