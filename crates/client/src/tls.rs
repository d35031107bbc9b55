//! TLS for the client: whom it trusts, which versions it speaks, and the certificate that it shows.

mod problem;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use schloss_pki::{TlsIdentity, TlsVersions, client_config_with};

use crate::error::ConfigError;
use crate::files::NamedFile;

pub use problem::TlsProblem;
pub(crate) use problem::{cause, is_cut};

/// Where Linux distributions and BSDs keep the system's CA certificates as PEM; the first that exists is used
/// when a client file names none, as librdkafka does.
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The CAs that a client trusts.
#[derive(Clone, Debug)]
pub struct Trust {
    /// PEM, one or more certificates.
    pub ca_pem: Vec<u8>,
    /// Where it came from, for error messages.
    pub origin: String,
}

impl Trust {
    /// Trust in the CAs of this PEM text.
    #[must_use]
    pub fn from_pem(ca_pem: impl Into<Vec<u8>>, origin: impl Into<String>) -> Self {
        Self { ca_pem: ca_pem.into(), origin: origin.into() }
    }

    /// The first CA bundle of the operating system that can be read.
    #[must_use]
    pub fn system() -> Option<Self> {
        SYSTEM_BUNDLES.iter().find_map(|path| NamedFile::read(Path::new(path)).ok().map(Self::from))
    }
}

impl From<NamedFile> for Trust {
    fn from(file: NamedFile) -> Self {
        Self::from_pem(file.bytes.as_slice(), file.path.display().to_string())
    }
}

/// TLS settings, checked and ready. Cheap to clone; clones share their TLS sessions, so that a later connection
/// to the same server resumes. Names of servers are always verified.
#[derive(Clone)]
pub struct Tls {
    config: Arc<rustls::ClientConfig>,
    trusted: Arc<str>,
    versions: TlsVersions,
    has_identity: bool,
}

impl Tls {
    /// Trusts these CAs, speaks these versions, and shows a certificate to servers that ask for one.
    ///
    /// # Errors
    /// There is no usable CA; the text names where it should be.
    pub fn new(
        trust: &Trust,
        identity: Option<&TlsIdentity>,
        versions: TlsVersions,
    ) -> Result<Self, ConfigError> {
        let config = client_config_with(&trust.ca_pem, identity, versions).map_err(|error| ConfigError {
            problem: format!("{}: {error}", trust.origin),
            ..ConfigError::default()
        })?;
        let trusted = trust.origin.as_str().into();
        Ok(Self { config, trusted, versions, has_identity: identity.is_some() })
    }

    /// Where the trusted CAs came from, for messages.
    #[must_use]
    pub fn trusted(&self) -> &str {
        &self.trusted
    }

    /// The versions it speaks.
    #[must_use]
    pub const fn versions(&self) -> TlsVersions {
        self.versions
    }

    /// Whether it has a certificate to show.
    #[must_use]
    pub const fn has_identity(&self) -> bool {
        self.has_identity
    }

    pub(crate) fn config(&self) -> &Arc<rustls::ClientConfig> {
        &self.config
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tls")
            .field("trusted", &self.trusted)
            .field("versions", &self.versions)
            .field("has_identity", &self.has_identity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_certificates_is_refused() {
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = Tls::new(&Trust::from_pem(pem, "ca.pem"), None, TlsVersions::Both).unwrap_err();
            assert!(error.to_string().starts_with("ca.pem: "), "{error}");
        }
    }
}
