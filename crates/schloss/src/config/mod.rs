//! What a node is told, checked before anything starts: `schloss.toml` for `serve`, `gateway.toml` for `gateway`.
//! Each kind of file is made of the same sections and a few of its own.

mod audit;
mod bootstrap;
mod client_certificates;
mod common;
mod delegation_tokens;
mod directory;
mod encryption;
mod error;
mod gateway;
mod kerberos;
mod limits;
mod listener;
mod oauth;
mod secret;
mod serve;
mod shared_state;
mod source;
mod upstream;

pub(crate) use audit::Audit as AuditSection;
pub(crate) use bootstrap::Bootstrap;
pub(crate) use client_certificates::ClientCertificates;
pub(crate) use common::Common;
pub(crate) use directory::DirectorySection;
pub(crate) use encryption::{Encryption, UnlockWith};
pub(crate) use error::ConfigError;
pub(crate) use gateway::GatewayConfig;
pub(crate) use listener::Listener;
pub(crate) use oauth::Keys;
pub(crate) use serve::ServeConfig;
pub(crate) use shared_state::{SharedState, check_state_topic};

use std::path::Path;

use source::Source;

/// A configuration of whichever kind.
pub(crate) enum AnyConfig {
    Serve(ServeConfig),
    Gateway(GatewayConfig),
}

impl AnyConfig {
    /// Reads and checks `path`. One with an `[upstream]` is a gateway's.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line, key and what to do.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = source::read(path, "'schloss quickstart' writes a configuration to start from")?;
        let source = Source::new(path, &text);
        if source.has_section("upstream") {
            GatewayConfig::check(&source).map(Self::Gateway)
        } else {
            ServeConfig::check(&source).map(Self::Serve)
        }
    }
}

#[cfg(test)]
mod tests;
