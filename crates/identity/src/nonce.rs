//! Nonces, from a source that tests can replace.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::random;

/// Bytes of randomness in a nonce: 192 bits.
const NONCE_BYTES: usize = 24;

/// Where the nonces of an exchange come from.
pub trait NonceSource: Send + Sync {
    /// A nonce that was never used before: printable ASCII without comma, at most
    /// [`crate::MAX_NONCE_BYTES`] long (RFC 5802, section 5.1).
    fn nonce(&self) -> String;
}

/// Nonces of 192 bits from the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsNonce;

impl NonceSource for OsNonce {
    fn nonce(&self) -> String {
        STANDARD_NO_PAD.encode(random::bytes::<NONCE_BYTES>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_printable_without_comma_and_never_the_same() {
        let (one, two) = (OsNonce.nonce(), OsNonce.nonce());
        assert_ne!(one, two);
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','), "{one}");
    }
}
