//! A running gate: its ports and its end.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use schloss_audit::Audit;
use schloss_identity::SaslMechanism;
use schloss_metadata::Metadata;
use schloss_pki::ClientCertificates;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::house::House;
use crate::listener::Listener;
use crate::{Engine, GateConfig, ListenerConfig};

/// A gate that is listening. Dropping it closes the ports and every connection at once; see
/// [`Gate::shutdown`] for the orderly way.
pub struct Gate {
    house: Arc<House>,
    listening: Mutex<Listening>,
    closing: watch::Sender<bool>,
}

#[derive(Default)]
struct Listening {
    addresses: Vec<(String, SocketAddr)>,
    listeners: JoinSet<()>,
}

/// Why a gate can't be opened.
#[derive(Debug, Error)]
pub enum GateError {
    /// A port can't be bound.
    #[error("listener '{listener}' can't bind {address}: {reason}")]
    Bind {
        /// The listener's name.
        listener: String,
        /// What it was told to bind.
        address: SocketAddr,
        /// Why not. Not a source of the error: whoever prints the chain of causes would print it twice.
        reason: std::io::Error,
    },
    /// A setting with which nobody could be served.
    #[error("{0} must be more than zero")]
    Zero(&'static str),
    /// Nobody could authenticate.
    #[error("listener '{0}' needs at least one SASL mechanism, or has to require client certificates")]
    NoMechanism(String),
    /// Nobody could say whose tokens are good.
    #[error("listener '{0}' offers OAUTHBEARER and has no issuer of tokens")]
    NoIssuer(String),
    /// Nobody could look at tickets.
    #[error("listener '{0}' offers GSSAPI, and nothing says whose tickets are good")]
    NoKerberos(String),
}

impl Gate {
    /// Binds every listener and starts to serve. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// A port that can't be bound, or settings with which nobody could be served.
    pub fn start(
        mut config: GateConfig,
        engine: Arc<dyn Engine>,
        metadata: Arc<Metadata>,
        audit: Audit,
    ) -> Result<Self, GateError> {
        check(&config)?;
        let bound = std::mem::take(&mut config.listeners);
        let bound = bound.iter().map(Listener::bind).collect::<Result<Vec<_>, _>>()?;
        let (closing, hears_closing) = watch::channel(false);
        let house = Arc::new(House::new(config, engine, metadata, audit, hears_closing));
        let gate = Self { house, listening: Mutex::default(), closing };
        gate.listening.lock().listeners.spawn(Arc::clone(&gate.house).follow_identities());
        gate.listening.lock().listeners.spawn(Arc::clone(&gate.house).follow_tokens());
        for listener in bound {
            gate.spawn(listener);
        }
        Ok(gate)
    }

    /// Listens on one more port. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The port can't be bound, or the listener has no mechanism.
    pub fn listen(&self, listener: &ListenerConfig) -> Result<SocketAddr, GateError> {
        check_listener(&self.house.config, listener)?;
        let listener = Listener::bind(listener)?;
        let address = listener.address();
        self.spawn(listener);
        Ok(address)
    }

    fn spawn(&self, listener: Listener) {
        tracing::info!(listener = listener.name(), address = %listener.address(), "listening");
        let mut listening = self.listening.lock();
        listening.addresses.push((listener.name().to_owned(), listener.address()));
        listening.listeners.spawn(listener.run(Arc::clone(&self.house)));
    }

    /// Name and bound address of every listener, in the order in which they were bound.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.listening.lock().addresses.clone()
    }

    /// Stops accepting, lets requests in flight end within `shutdown_timeout`, writes the traffic sums to the
    /// audit trail, closes every connection and flushes the trail.
    pub async fn shutdown(self) {
        // Nobody listens any more if every listener has ended already.
        let _ = self.closing.send(true);
        let mut listeners = self.listening.into_inner().listeners;
        while listeners.join_next().await.is_some() {}
        self.house.audit.flush().await;
    }
}

fn check(config: &GateConfig) -> Result<(), GateError> {
    let bounds = [
        ("max_request_bytes", config.max_request_bytes),
        ("max_buffered_bytes", config.max_buffered_bytes),
        ("max_in_flight", config.max_in_flight),
        ("max_in_flight_bytes", config.max_in_flight_bytes),
        ("max_connections", config.max_connections),
        ("max_connections_per_address", config.max_connections_per_address),
        ("max_concurrent_handshakes", config.max_concurrent_handshakes),
    ];
    let times = [
        ("handshake_timeout", config.handshake_timeout),
        ("authentication_timeout", config.authentication_timeout),
        ("idle_timeout", config.idle_timeout),
        ("frame_timeout", config.frame_timeout),
        ("write_timeout", config.write_timeout),
        ("audit_summary_interval", config.audit_summary_interval),
    ];
    let zero_bound = bounds.into_iter().find(|(_, bound)| *bound == 0).map(|(name, _)| name);
    let zero_time = times.into_iter().find(|(_, time)| time.is_zero()).map(|(name, _)| name);
    if let Some(name) = zero_bound.or(zero_time) {
        return Err(GateError::Zero(name));
    }
    config.listeners.iter().try_for_each(|listener| check_listener(config, listener))
}

fn check_listener(config: &GateConfig, listener: &ListenerConfig) -> Result<(), GateError> {
    let certificates = listener.clients.as_ref().map(|clients| clients.trust.expected());
    if listener.mechanisms.is_empty() && certificates != Some(ClientCertificates::Required) {
        return Err(GateError::NoMechanism(listener.name.clone()));
    }
    if listener.mechanisms.contains(&SaslMechanism::OAuthBearer) && listener.tokens.is_none() {
        return Err(GateError::NoIssuer(listener.name.clone()));
    }
    if listener.mechanisms.contains(&SaslMechanism::Gssapi) && config.kerberos.is_none() {
        return Err(GateError::NoKerberos(listener.name.clone()));
    }
    Ok(())
}
