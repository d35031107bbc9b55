//! TLS configurations.
//!
//! The provider is named here and passed explicitly: no process-wide default is needed, and no Cargo
//! feature of another crate changes what is negotiated.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::server::NoServerSessionStorage;
use rustls::{
    ClientConfig, Error, InconsistentKeys, RootCertStore, ServerConfig, SupportedProtocolVersion, version,
};
use time::OffsetDateTime;

use crate::facts::{CertFacts, parse};
use crate::{ClientTrust, PkiError, TlsIdentity, pem};

/// The versions of TLS that a side speaks. There is none below 1.2 (RFC 8996).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TlsVersions {
    /// TLS 1.3, and 1.2 with peers that can't do better.
    #[default]
    Both,
    /// TLS 1.3 alone.
    Only13,
    /// TLS 1.2 alone.
    Only12,
}

impl TlsVersions {
    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        static DESCENDING: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
        match self {
            Self::Both => &DESCENDING,
            Self::Only13 => &DESCENDING[..1],
            Self::Only12 => &DESCENDING[1..],
        }
    }
}

/// A server's TLS configuration: TLS 1.3 and 1.2, X25519MLKEM768 preferred, no client certificates.
///
/// `cert_chain_pem` begins with the server's own certificate.
///
/// # Errors
/// When certificate or key is missing or broken, they are of different pairs, or a certificate's time is
/// not now.
pub fn server_config(cert_chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<ServerConfig>, PkiError> {
    server_config_with(cert_chain_pem, key_pem, TlsVersions::default())
}

/// The same with these versions.
///
/// # Errors
/// As [`server_config`].
pub fn server_config_with(
    cert_chain_pem: &[u8],
    key_pem: &[u8],
    versions: TlsVersions,
) -> Result<Arc<ServerConfig>, PkiError> {
    server_config_for(cert_chain_pem, key_pem, versions, None)
}

/// The same for clients that are asked for certificates, if `clients` says whose are good.
///
/// Such a server resumes no sessions: a certificate is looked at in a full handshake only, so one that is
/// revoked could come back for as long as its session is remembered.
///
/// # Errors
/// As [`server_config`].
pub fn server_config_for(
    cert_chain_pem: &[u8],
    key_pem: &[u8],
    versions: TlsVersions,
    clients: Option<Arc<ClientTrust>>,
) -> Result<Arc<ServerConfig>, PkiError> {
    server_config_at(cert_chain_pem, key_pem, versions, clients, OffsetDateTime::now_utc())
}

/// A client's TLS configuration: TLS 1.3 and 1.2, X25519MLKEM768 offered first, trusts only these CAs.
///
/// # Errors
/// When there is no certificate, one can't be read, or the time of all of them is not now.
pub fn client_config(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, PkiError> {
    client_config_with(ca_pem, None, TlsVersions::default())
}

/// The same with a certificate of the client's own, shown to servers that ask for one, and these versions.
///
/// Clones of one configuration share its sessions, so that later connections resume them.
///
/// # Errors
/// As [`client_config`]: they are all about the CAs.
pub fn client_config_with(
    ca_pem: &[u8],
    identity: Option<&TlsIdentity>,
    versions: TlsVersions,
) -> Result<Arc<ClientConfig>, PkiError> {
    client_config_at(ca_pem, identity, versions, OffsetDateTime::now_utc())
}

fn server_config_at(
    chain: &[u8],
    key: &[u8],
    versions: TlsVersions,
    clients: Option<Arc<ClientTrust>>,
    now: OffsetDateTime,
) -> Result<Arc<ServerConfig>, PkiError> {
    let identity = TlsIdentity::at(chain, key, now)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions.supported())
        .map_err(tls_error)?;
    let Some(clients) = clients else {
        return Ok(Arc::new(builder.with_no_client_auth().with_cert_resolver(identity.resolver())));
    };
    let mut config = builder.with_client_cert_verifier(clients).with_cert_resolver(identity.resolver());
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn client_config_at(
    ca_pem: &[u8],
    identity: Option<&TlsIdentity>,
    versions: TlsVersions,
    now: OffsetDateTime,
) -> Result<Arc<ClientConfig>, PkiError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions.supported())
        .map_err(tls_error)?
        .with_root_certificates(roots(ca_pem, now)?);
    Ok(Arc::new(match identity {
        Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
        None => builder.with_no_client_auth(),
    }))
}

/// The CAs of a bundle. One that is old or can't be read does no harm among good ones: a system's bundle
/// holds whatever it holds. TLS itself never looks at a root's time.
pub(crate) fn roots(ca_pem: &[u8], now: OffsetDateTime) -> Result<RootCertStore, PkiError> {
    let mut roots = RootCertStore::empty();
    let mut unusable = PkiError::NoCertificate;
    for certificate in pem::certificates(ca_pem)? {
        let facts = parse(&certificate).and_then(|parsed| CertFacts::of(&parsed));
        let added = facts
            .and_then(|facts| facts.check_time(now))
            .and_then(|()| roots.add(certificate).map_err(|error| PkiError::Certificate(error.to_string())));
        if let Err(error) = added {
            unusable = error;
        }
    }
    if roots.is_empty() { Err(unusable) } else { Ok(roots) }
}

/// aws-lc-rs, the post-quantum hybrid first. Clients without it still find the classical groups.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let kx_groups =
        vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

pub(crate) fn tls_error(error: Error) -> PkiError {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => PkiError::KeyMismatch,
        Error::General(why) => PkiError::PrivateKey(why),
        Error::InvalidCertificate(why) => PkiError::Certificate(why.to_string()),
        other => PkiError::Tls(other.to_string()),
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
