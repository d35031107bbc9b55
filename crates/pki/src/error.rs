//! What can be wrong with certificates and keys.

use thiserror::Error;
use time::OffsetDateTime;

/// Why a certificate could not be made or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PkiError {
    /// The PEM text holds no certificate.
    #[error("no certificate found: expected a PEM block '-----BEGIN CERTIFICATE-----'")]
    NoCertificate,
    /// The PEM text holds no revocation list.
    #[error("no revocation list found: expected a PEM block '-----BEGIN X509 CRL-----'")]
    NoRevocationList,
    /// A revocation list is not what X.509 says.
    #[error("the revocation list can't be read: {0}")]
    RevocationList(String),
    /// The PEM text holds no private key.
    #[error("no private key found: expected an unencrypted PEM block '-----BEGIN PRIVATE KEY-----'")]
    NoPrivateKey,
    /// The private key is encrypted with a password.
    #[error(
        "the private key is encrypted: write it in clear into a file that only this user can read \
         (umask 077; openssl pkey -in <key> -out <key in clear>), and name that one"
    )]
    EncryptedKey,
    /// A PEM block is broken.
    #[error("the PEM text is broken: {0}")]
    Pem(String),
    /// A certificate is not what X.509 says.
    #[error("the certificate can't be read: {0}")]
    Certificate(String),
    /// A key is of no kind that can be used.
    #[error("the private key can't be used: {0}")]
    PrivateKey(String),
    /// Certificate and key belong to different pairs.
    #[error("the private key does not match the certificate")]
    KeyMismatch,
    /// The certificate's time is over.
    #[error("the certificate '{subject}' expired at {not_after}: issue a new one")]
    Expired {
        /// Whose certificate.
        subject: String,
        /// The end of its validity.
        not_after: OffsetDateTime,
    },
    /// The certificate's time has not begun.
    #[error("the certificate '{subject}' is not valid before {not_before}: check the clock")]
    NotYetValid {
        /// Whose certificate.
        subject: String,
        /// The begin of its validity.
        not_before: OffsetDateTime,
    },
    /// A certificate or list that another authority has signed.
    #[error("'{0}' is not signed by this certificate authority")]
    ForeignCertificate(String),
    /// A certificate that may not issue others.
    #[error("the certificate '{0}' is not a certificate authority")]
    NotAnAuthority(String),
    /// A name that no server certificate can carry.
    #[error("'{0}' is neither a DNS name nor an IP address")]
    Name(String),
    /// An authority's or client's name that X.500 does not take.
    #[error("'{0}' can't be a common name: use 1 to 64 characters")]
    CommonName(String),
    /// No name at all, or more than [`crate::MAX_NAMES`].
    #[error("{0} names are out of range: a server certificate takes 1 to {max}", max = crate::MAX_NAMES)]
    NameCount(usize),
    /// A validity that is not positive or ends beyond the calendar.
    #[error("the validity must be positive and end before the year 10000")]
    Validity,
    /// The TLS library refused for another reason.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}
