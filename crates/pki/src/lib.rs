//! Certificate authority: make, issue and load certificates.
//!
//! [`Authority`] makes and keeps a small private CA and issues certificates. [`server_config`] and
//! [`client_config`] turn PEM text into TLS configurations. Nothing here touches the file system.

mod authority;
mod error;
mod facts;
mod pem;
mod tls;
mod tls_identity;

pub use authority::{Authority, BACKDATE, Issued, MAX_NAMES};
pub use error::PkiError;
pub use facts::{CertFacts, certificate_facts};
pub use tls::{TlsVersions, client_config, client_config_with, server_config, server_config_with};
pub use tls_identity::TlsIdentity;
