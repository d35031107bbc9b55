//! PEM text to DER, with errors that name what is missing.

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::PkiError;

/// The most certificates read from one PEM text. A bundle of every public CA holds about 150.
const MAX_CERTIFICATES: usize = 1000;

/// All certificates, at least one; other blocks are passed over.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text)
        .take(MAX_CERTIFICATES + 1)
        .collect::<Result<_, _>>()
        .map_err(|error| broken(&error))?;
    match certificates.len() {
        0 => Err(PkiError::NoCertificate),
        1..=MAX_CERTIFICATES => Ok(certificates),
        _ => Err(PkiError::Pem(format!("more than {MAX_CERTIFICATES} certificates"))),
    }
}

/// All revocation lists, at least one.
pub(crate) fn revocation_lists(text: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, PkiError> {
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(text)
        .take(MAX_CERTIFICATES + 1)
        .collect::<Result<_, _>>()
        .map_err(|error| broken(&error))?;
    match lists.len() {
        0 => Err(PkiError::NoRevocationList),
        1..=MAX_CERTIFICATES => Ok(lists),
        _ => Err(PkiError::Pem(format!("more than {MAX_CERTIFICATES} revocation lists"))),
    }
}

/// The first unencrypted private key.
pub(crate) fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, PkiError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        _ if is_encrypted(text) => PkiError::EncryptedKey,
        pem::Error::NoItemsFound => PkiError::NoPrivateKey,
        other => broken(&other),
    })
}

/// PKCS#8's own kind of block, or the older header inside of another (RFC 1421, section 4.6.1.1).
fn is_encrypted(text: &[u8]) -> bool {
    let holds = |mark: &[u8]| text.windows(mark.len()).any(|part| part == mark);
    holds(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || holds(b"4,ENCRYPTED")
}

/// The library's own texts quote what they stumbled over, which may be part of a key.
fn broken(error: &pem::Error) -> PkiError {
    let why = match error {
        pem::Error::MissingSectionEnd { .. } => "a block has no END line",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is malformed",
        pem::Error::Base64Decode(_) => "a block is no valid base64",
        pem::Error::SectionTooLarge => "a block is too large",
        _ => "it can't be read",
    };
    PkiError::Pem(why.to_owned())
}
