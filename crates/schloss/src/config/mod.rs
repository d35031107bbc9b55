//! What a node is told, checked before anything starts: `schloss.toml` for `serve`, `gateway.toml` for `gateway`.
//! Each kind of file is made of the same sections and a few of its own.

mod audit;
mod bootstrap;
mod common;
mod error;
mod limits;
mod listener;
mod secret;
mod serve;
mod source;

pub(crate) use audit::Audit as AuditSection;
pub(crate) use bootstrap::Bootstrap;
pub(crate) use common::Common;
pub(crate) use error::ConfigError;
pub(crate) use listener::Listener;
pub(crate) use serve::ServeConfig;

#[cfg(test)]
mod tests;
