//! The four messages of an exchange: read from bytes, written to bytes.

/// The longest SASL token, in bytes, that either side reads. An honest one has a few hundred.
pub const MAX_TOKEN_BYTES: usize = 4096;
/// The longest nonce, in bytes, that either side accepts from the other.
pub const MAX_NONCE_BYTES: usize = 512;
