//! TLS configurations.

use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};

use crate::PkiError;

/// A server's TLS configuration: TLS 1.3 and 1.2, X25519MLKEM768 preferred, no client certificates.
///
/// # Errors
/// When certificate or key is missing, broken, expired, or of different pairs.
pub fn server_config(cert_chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<ServerConfig>, PkiError> {
    let _ = (cert_chain_pem, key_pem);
    Err(PkiError::NoCertificate)
}

/// A client's TLS configuration that trusts only these CAs.
///
/// # Errors
/// When there is no certificate that could be trusted.
pub fn client_config(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, PkiError> {
    let _ = ca_pem;
    Err(PkiError::NoCertificate)
}
