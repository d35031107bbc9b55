//! TLS configurations.
//!
//! The provider is named here and passed explicitly: no process-wide default is needed, and no Cargo
//! feature of another crate changes what is negotiated.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::{
    ClientConfig, Error, InconsistentKeys, RootCertStore, ServerConfig, SupportedProtocolVersion, version,
};
use time::OffsetDateTime;

use crate::facts::{CertFacts, parse};
use crate::{PkiError, pem};

const VERSIONS: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// A server's TLS configuration: TLS 1.3 and 1.2, X25519MLKEM768 preferred, no client certificates.
///
/// `cert_chain_pem` begins with the server's own certificate.
///
/// # Errors
/// When certificate or key is missing or broken, they are of different pairs, or a certificate's time is
/// not now.
pub fn server_config(cert_chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<ServerConfig>, PkiError> {
    server_config_at(cert_chain_pem, key_pem, OffsetDateTime::now_utc())
}

/// A client's TLS configuration: TLS 1.3 and 1.2, X25519MLKEM768 offered first, trusts only these CAs.
///
/// # Errors
/// When there is no certificate, one can't be read, or the time of all of them is not now.
pub fn client_config(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, PkiError> {
    client_config_for(ca_pem, VERSIONS, OffsetDateTime::now_utc())
}

fn server_config_at(chain: &[u8], key: &[u8], now: OffsetDateTime) -> Result<Arc<ServerConfig>, PkiError> {
    let certificates = pem::certificates(chain)?;
    let key = pem::private_key(key)?;
    for certificate in &certificates {
        CertFacts::of(&parse(certificate)?)?.check_time(now)?;
    }
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(tls_error)?;
    Ok(Arc::new(config))
}

pub(crate) fn client_config_for(
    ca_pem: &[u8],
    versions: &[&'static SupportedProtocolVersion],
    now: OffsetDateTime,
) -> Result<Arc<ClientConfig>, PkiError> {
    let mut roots = RootCertStore::empty();
    let mut untimely = None;
    for certificate in pem::certificates(ca_pem)? {
        // TLS itself never looks at a root's time. In a bundle an old one among good ones is usual.
        if let Err(error) = CertFacts::of(&parse(&certificate)?)?.check_time(now) {
            untimely = Some(error);
            continue;
        }
        roots.add(certificate).map_err(|error| PkiError::Certificate(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(untimely.unwrap_or(PkiError::NoCertificate));
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(tls_error)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// aws-lc-rs, the post-quantum hybrid first. Clients without it still find the classical groups.
fn provider() -> Arc<CryptoProvider> {
    let kx_groups =
        vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

fn tls_error(error: Error) -> PkiError {
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
