//! The gate's settings, each a bound with a name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use schloss_identity::{CertificateIdentity, Directory, KerberosLogin, SaslMechanism, TokenLogin};
use schloss_pki::ClientTrust;

use crate::{LockoutConfig, TokenConfig};

/// One port.
#[derive(Clone)]
pub struct ListenerConfig {
    /// Its name in audit records and in [`Caller::listener`](crate::Caller::listener).
    pub name: String,
    /// Where to listen; port 0 takes a free one, see [`Gate::addresses`](crate::Gate::addresses).
    pub bind: SocketAddr,
    /// Certificate, key and the key exchanges on offer. There is no listener without TLS.
    pub tls: Arc<rustls::ServerConfig>,
    /// The SASL mechanisms on offer here, in the order they are listed to clients. With none, a client is whom its
    /// certificate names, as on an `SSL` listener of Kafka.
    pub mechanisms: Vec<SaslMechanism>,
    /// Whose client certificates are good, and whom they name; `tls` has to ask for them.
    pub clients: Option<TrustedClients>,
    /// Whose tokens are good, where `OAUTHBEARER` is on offer.
    pub tokens: Option<Arc<TokenLogin>>,
    /// How long a session lasts until its client has to authenticate again (`connections.max.reauth.ms` of Kafka).
    pub max_reauth: Option<Duration>,
}

/// Clients that certificates vouch for.
#[derive(Clone)]
pub struct TrustedClients {
    /// Whose certificates are good. Sessions whose certificate is not any more are closed.
    pub trust: Arc<ClientTrust>,
    /// Whom they name, where nothing else does.
    pub identity: Arc<CertificateIdentity>,
}

/// What a gate listens on and how much of everything it takes.
#[derive(Clone)]
pub struct GateConfig {
    /// The ports.
    pub listeners: Vec<ListenerConfig>,
    /// Largest request after authentication, in bytes (`socket.request.max.bytes` of Kafka).
    pub max_request_bytes: usize,
    /// Bytes of large requests that all connections together may hold at once; over it, reading waits
    /// (`queued.max.request.bytes` of Kafka).
    pub max_buffered_bytes: usize,
    /// Requests of one connection that may be in the engine at once.
    pub max_in_flight: usize,
    /// Bytes of these requests at which no further one is taken from the connection.
    pub max_in_flight_bytes: usize,
    /// From the accepted connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the end of the TLS handshake to the end of authentication.
    pub authentication_timeout: Duration,
    /// Without a request and without one being served (`connections.max.idle.ms` of Kafka).
    pub idle_timeout: Duration,
    /// From the first byte of a frame to its last; a large frame gets a second more for each
    /// [`FRAME_BYTES_PER_SECOND_MIN`](crate::FRAME_BYTES_PER_SECOND_MIN) that have arrived.
    pub frame_timeout: Duration,
    /// Without the peer taking any byte of answers that are due.
    pub write_timeout: Duration,
    /// For requests in flight at a shutdown.
    pub shutdown_timeout: Duration,
    /// Connections in total (`max.connections`).
    pub max_connections: usize,
    /// Connections of one address (`max.connections.per.ip`); an IPv6 address counts as its /64 network.
    pub max_connections_per_address: usize,
    /// TLS handshakes at once; further ones wait within their timeout. One address gets a quarter of them.
    pub max_concurrent_handshakes: usize,
    /// How long the answer to a failed authentication is held back
    /// (`connection.failed.authentication.delay.ms` of Kafka).
    pub failed_authentication_delay: Duration,
    /// Who fails to log in too often waits.
    pub lockout: LockoutConfig,
    /// Where users are that are not known here, and groups.
    pub directory: Option<Arc<dyn Directory>>,
    /// How delegation tokens last.
    pub delegation_tokens: TokenConfig,
    /// Whose tickets are good, where `GSSAPI` is on offer.
    pub kerberos: Option<Arc<KerberosLogin>>,
    /// Denies nothing and records what would have been denied. Identities are proven all the same, users and
    /// ACLs stay guarded, and what is reserved stays out of reach.
    pub insecure_observe_only: bool,
    /// How often the sums of allowed produce and fetch are written to the audit trail.
    pub audit_summary_interval: Duration,
}

impl GateConfig {
    /// The defaults: Kafka's own where Kafka has the setting.
    #[must_use]
    pub fn new(listeners: Vec<ListenerConfig>) -> Self {
        Self {
            listeners,
            max_request_bytes: 100 << 20,
            max_buffered_bytes: 512 << 20,
            max_in_flight: 64,
            max_in_flight_bytes: 32 << 20,
            handshake_timeout: Duration::from_secs(10),
            authentication_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(600),
            frame_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            max_connections_per_address: 1_000,
            max_concurrent_handshakes: 256,
            failed_authentication_delay: Duration::from_millis(100),
            lockout: LockoutConfig::default(),
            directory: None,
            delegation_tokens: TokenConfig::default(),
            kerberos: None,
            insecure_observe_only: false,
            audit_summary_interval: Duration::from_secs(60),
        }
    }
}
