//! Hiding bytes, bound to their place.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use crate::error::{KeyError, OpenError};
use crate::root::KEY_BYTES;

/// The first of the sealed bytes: AES-256-GCM, nonce, ciphertext and tag.
const FORMAT: u8 = 1;

/// Seals bytes with AES-256-GCM under a random nonce: good for 2^32 messages of one key (NIST SP 800-38D,
/// section 8.3).
pub struct Sealer {
    key: RandomizedNonceKey,
}

impl Sealer {
    /// # Panics
    /// For a key of another length than the algorithm's, which the type rules out.
    #[allow(clippy::expect_used)]
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self { key: RandomizedNonceKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes") }
    }

    /// Seals bytes. `aad` names their place; it is not in the result, and opening takes the same.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        // Large enough from the start: growing would leave plaintext behind.
        let mut body = Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plaintext);
        let nonce =
            self.key.seal_in_place_append_tag(Aad::from(aad), &mut body).map_err(|_| KeyError::Random)?;
        Ok([&[FORMAT], nonce.as_ref().as_slice(), &body].concat())
    }

    /// Opens what [`Sealer::seal`] gave.
    ///
    /// # Errors
    /// Another key, another place, or changed bytes.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let Some((&FORMAT, rest)) = sealed.split_first() else { return Err(OpenError) };
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(OpenError)?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::from(nonce);
        let length =
            self.key.open_in_place(nonce, Aad::from(aad), body.as_mut_slice()).map_err(|_| OpenError)?.len();
        body.truncate(length);
        Ok(body)
    }
}
