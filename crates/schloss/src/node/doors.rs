//! From the sections that all configurations have to what the gate is told.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use schloss_directory::Ldap;
use schloss_gate::{GateConfig, ListenerConfig, TrustedClients};
use schloss_identity::TokenLogin;

use super::client_files;
use crate::config::{Common, Listener};

/// What a listener shows of itself, and whom it trusts.
pub(crate) struct Door {
    tls: Arc<rustls::ServerConfig>,
    clients: Option<TrustedClients>,
}

/// The TLS configuration of a listener.
///
/// # Errors
/// Its files can't be read or don't fit.
pub(crate) fn door(listener: &Listener) -> anyhow::Result<Door> {
    let read = |path: &Path| {
        std::fs::read(path)
            .with_context(|| format!("listener '{}' can't read {}", listener.name, path.display()))
    };
    let (certificate, key) = (read(&listener.tls.certificate)?, read(&listener.tls.key)?);
    let clients = match &listener.tls.clients {
        Some(clients) => {
            let trust = client_files::trust(clients).with_context(|| {
                format!("listener '{}' can't use its files about client certificates", listener.name)
            })?;
            Some(TrustedClients { trust, identity: Arc::new(clients.identity.clone()) })
        }
        None => None,
    };
    let trust = clients.as_ref().map(|clients| Arc::clone(&clients.trust));
    let tls = schloss_pki::server_config_for(&certificate, &key, listener.tls.versions, trust)
        .with_context(|| format!("listener '{}' can't use its TLS files", listener.name))?;
    Ok(Door { tls, clients })
}

/// One port for each address that a listener is to bind.
///
/// # Errors
/// As [`door`].
pub(super) fn ports(
    listener: &Listener,
    tokens: Option<&Arc<TokenLogin>>,
) -> anyhow::Result<Vec<ListenerConfig>> {
    let door = door(listener)?;
    let port = |&bind| ListenerConfig {
        name: listener.name.clone(),
        bind,
        tls: Arc::clone(&door.tls),
        mechanisms: listener.mechanisms.clone(),
        clients: door.clients.clone(),
        tokens: tokens.cloned(),
        max_reauth: listener.max_reauth,
    };
    Ok(listener.bind.iter().map(port).collect())
}

/// A gate with these ports and the bounds of the configuration.
pub(super) fn gate_config(
    common: &Common,
    ports: Vec<ListenerConfig>,
    directory: Option<Arc<Ldap>>,
) -> GateConfig {
    let limits = &common.limits;
    GateConfig {
        max_request_bytes: limits.max_request_bytes,
        max_connections: limits.max_connections,
        max_connections_per_address: limits.max_connections_per_address,
        max_concurrent_handshakes: limits.max_concurrent_handshakes,
        handshake_timeout: limits.handshake_timeout,
        authentication_timeout: limits.authentication_timeout,
        idle_timeout: limits.idle_timeout,
        failed_authentication_delay: limits.failed_authentication_delay,
        lockout: limits.lockout,
        directory: directory.map(|directory| directory as _),
        delegation_tokens: common.delegation_tokens,
        audit_summary_interval: common.audit.summary_interval,
        ..GateConfig::new(ports)
    }
}
