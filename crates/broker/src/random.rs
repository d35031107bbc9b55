//! Randomness for ids.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use schloss_wire::Uuid;

/// A random UUID of version 4 (RFC 9562).
///
/// # Errors
/// The system gives no random numbers.
pub(crate) fn random_id() -> Result<Uuid, Unspecified> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(Uuid::from_bytes(bytes))
}
