//! Who holds the keys that encrypt keys.

use thiserror::Error;
use zeroize::Zeroizing;

use crate::root::KEY_BYTES;

/// A key, wrapped by a key-encryption key (KEK) that its holder does not give away.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrapped {
    /// Which version of which KEK it takes to unwrap it: `name:version`. No white space.
    pub kek: String,
    /// The wrapped bytes, in the KMS's own form.
    pub bytes: Vec<u8>,
}

/// Why a KMS does not wrap or unwrap.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum KmsError {
    /// It can't be reached, or did not answer in time: worth another try.
    #[error("the key management service can't be reached: {0}")]
    Unreachable(String),
    /// It has no such key, or not in this version any more.
    #[error("the key management service has no key '{0}'")]
    UnknownKey(String),
    /// It refuses us, or the wrapped bytes were changed, moved, or wrapped with another key.
    #[error("the key management service refuses: {0}")]
    Refused(String),
}

/// A key management service: wraps and unwraps keys with KEKs that never leave it.
///
/// It is asked when a topic is made, opened or rotated, never for a record, so its calls may take their time:
/// they block. An implementation that asks a remote service bounds each call by a time-out of its own, of a few
/// seconds, and answers [`KmsError::Unreachable`] then. Callers that must not block ask from a thread that may.
pub trait Kms: Send + Sync + 'static {
    /// Wraps `key` with the newest version of the KEK `name`. `context` says what the key is for: unwrapping
    /// takes the same.
    ///
    /// # Errors
    /// [`KmsError`].
    fn wrap(&self, name: &str, context: &[u8], key: &[u8; KEY_BYTES]) -> Result<Wrapped, KmsError>;

    /// Unwraps what [`wrap`](Self::wrap) gave.
    ///
    /// # Errors
    /// [`KmsError`].
    fn unwrap(&self, context: &[u8], wrapped: &Wrapped) -> Result<Zeroizing<[u8; KEY_BYTES]>, KmsError>;

    /// What [`Wrapped::kek`] would say of a key that is wrapped now.
    ///
    /// # Errors
    /// [`KmsError`].
    fn newest(&self, name: &str) -> Result<String, KmsError>;
}
