//! Certificate authority: make, issue and load certificates.
//!
//! [`Authority`] makes and keeps a small private CA and issues certificates. [`server_config`] and
//! [`client_config`] turn PEM text into TLS configurations. Nothing here touches the file system.

mod authority;
mod client_trust;
mod error;
mod facts;
mod peer_certificate;
mod pem;
mod revocation;
mod tls;
mod tls_identity;

pub use authority::{Authority, BACKDATE, ClientNames, Issued, MAX_NAMES};
pub use client_trust::{ClientCertificates, ClientTrust};
pub use error::PkiError;
pub use facts::{CertFacts, certificate_facts};
pub use peer_certificate::PeerCertificate;
pub use tls::{
    TlsVersions, client_config, client_config_with, server_config, server_config_for, server_config_with,
};
pub use tls_identity::TlsIdentity;
