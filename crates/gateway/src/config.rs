//! What a gateway is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use schloss_client::ClientConfig;

use crate::Addressing;

/// As whom the gateway talks to the upstream cluster.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Identity {
    /// As itself: upstream sees one principal.
    #[default]
    Service,
    /// As the client's principal, by delegation tokens that the gateway obtains for it (KIP-48, KIP-373).
    Impersonate,
}

/// What a gateway is opened with.
#[derive(Clone)]
pub struct GatewayConfig {
    /// How the upstream cluster is reached, and as whom.
    pub upstream: Arc<ClientConfig>,
    /// As whom clients' requests go there.
    pub identity: Identity,
    /// By the listener's name: how its clients tell brokers apart.
    pub addressing: HashMap<String, Addressing>,
    /// How often brokers and topics are looked up when nothing asks for it sooner.
    pub refresh_interval: Duration,
    /// Largest answer of an upstream broker, in bytes.
    pub max_answer_bytes: usize,
}

impl GatewayConfig {
    /// The defaults, for this cluster.
    #[must_use]
    pub fn new(upstream: Arc<ClientConfig>, addressing: HashMap<String, Addressing>) -> Self {
        Self {
            upstream,
            identity: Identity::default(),
            addressing,
            refresh_interval: Duration::from_secs(5),
            max_answer_bytes: 256 << 20,
        }
    }
}
