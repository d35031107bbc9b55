//! From the sections that all configurations have to what the gate is told.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use schloss_gate::{GateConfig, ListenerConfig};

use crate::config::{Common, Listener};

/// The TLS configuration of a listener.
///
/// # Errors
/// Its files can't be read or don't fit.
pub(crate) fn tls(listener: &Listener) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let read = |path: &Path| {
        std::fs::read(path)
            .with_context(|| format!("listener '{}' can't read {}", listener.name, path.display()))
    };
    let (certificate, key) = (read(&listener.tls.certificate)?, read(&listener.tls.key)?);
    schloss_pki::server_config_with(&certificate, &key, listener.tls.versions)
        .with_context(|| format!("listener '{}' can't use its TLS files", listener.name))
}

/// One port for each address that a listener is to bind.
///
/// # Errors
/// As [`tls`].
pub(super) fn ports(listener: &Listener) -> anyhow::Result<Vec<ListenerConfig>> {
    let tls = tls(listener)?;
    let port = |&bind| ListenerConfig {
        name: listener.name.clone(),
        bind,
        tls: Arc::clone(&tls),
        mechanisms: listener.mechanisms.clone(),
    };
    Ok(listener.bind.iter().map(port).collect())
}

/// A gate with these ports and the bounds of the configuration.
pub(super) fn gate_config(common: &Common, ports: Vec<ListenerConfig>) -> GateConfig {
    let limits = &common.limits;
    GateConfig {
        max_request_bytes: limits.max_request_bytes,
        max_connections: limits.max_connections,
        max_connections_per_address: limits.max_connections_per_address,
        handshake_timeout: limits.handshake_timeout,
        authentication_timeout: limits.authentication_timeout,
        idle_timeout: limits.idle_timeout,
        failed_authentication_delay: limits.failed_authentication_delay,
        audit_summary_interval: common.audit.summary_interval,
        ..GateConfig::new(ports)
    }
}
