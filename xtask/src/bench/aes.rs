//! How fast the machine seals: what all that encrypts is to be seen against.

use std::time::{Duration, Instant};

use anyhow::Context;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// What is sealed at once: a batch of a producer with its defaults, and a full record of TLS.
const PIECE_BYTES: usize = 16 * 1024;
const LASTS: Duration = Duration::from_millis(500);
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// CPU seconds that one thread needs to seal a GiB with AES-256-GCM, once.
///
/// # Errors
/// The cipher refuses, which it does not.
pub(super) fn seconds_per_gib() -> anyhow::Result<f64> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).ok().context("no AES-256-GCM")?);
    let mut piece = vec![1; PIECE_BYTES];
    let (started, mut sealed) = (Instant::now(), 0_u64);
    while started.elapsed() < LASTS {
        let mut nonce = [0; NONCE_LEN];
        nonce[4..].copy_from_slice(&sealed.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut piece);
        let _ = tag.ok().context("AES-256-GCM failed")?;
        sealed += 1;
    }
    Ok(started.elapsed().as_secs_f64() * GIB / (sealed as f64 * PIECE_BYTES as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_takes_some_time_and_not_forever() {
        let seconds = seconds_per_gib().unwrap();
        assert!(seconds > 0.01 && seconds < 1000.0, "{seconds}");
    }
}
