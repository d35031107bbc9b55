//! Sealing the units of one file, each bound to its position.
//!
//! The position is the nonce. One key seals each position at most once, because
//! * a [`UnitSealer`] is made with a key that was drawn for it that moment. There is no other way to get one: a
//!   key that was read from a disk can open and nothing else;
//! * it is no `Clone`, and positions only grow: one that was used, or passed over, is refused.
//!
//! So a crash, a write that failed half way, a truncation, or a directory that was restored from a copy can't
//! repeat a nonce: whoever comes after draws another key. What is left is a machine whose memory is copied while
//! it runs and resumed twice; then both write the same positions with the same key.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::error::{KeyError, OpenError};
use crate::root::KEY_BYTES;

/// Bytes of the tag of a unit.
pub const UNIT_TAG_BYTES: usize = 16;

/// Why a unit isn't sealed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SealError {
    /// The key sealed something at this position, or behind it: a new key is due.
    #[error("the key was used at this position or behind it, another one is needed")]
    Used,
    /// The unit is longer than AES-GCM takes, or the room for it is not as long.
    #[error("the unit is too long")]
    Length,
}

/// Seals units with AES-256-GCM, in the order of their positions. See the [module](self).
pub struct UnitSealer {
    key: Arc<LessSafeKey>,
    /// The first position that was not used.
    next: u64,
}

/// Opens units.
#[derive(Clone)]
pub struct UnitOpener {
    key: Arc<LessSafeKey>,
}

/// A new key as all it is good for, and its bytes, to be wrapped.
pub(crate) struct Fresh {
    pub(crate) sealer: UnitSealer,
    pub(crate) opener: UnitOpener,
    pub(crate) secret: Zeroizing<[u8; KEY_BYTES]>,
}

impl Fresh {
    pub(crate) fn draw() -> Result<Self, KeyError> {
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(secret.as_mut_slice()).map_err(|_| KeyError::Random)?;
        let opener = UnitOpener::from_secret(&secret);
        let sealer = UnitSealer { key: Arc::clone(&opener.key), next: 0 };
        Ok(Self { sealer, opener, secret })
    }
}

impl UnitSealer {
    /// Seals `plaintext` into `sealed`, which is longer by [`UNIT_TAG_BYTES`]. Nothing is allocated and nothing
    /// copied besides.
    ///
    /// # Errors
    /// [`SealError`]; nothing is in `sealed` then.
    pub fn seal(
        &mut self,
        position: u64,
        aad: &[u8],
        plaintext: &[u8],
        sealed: &mut [u8],
    ) -> Result<(), SealError> {
        if position < self.next {
            return Err(SealError::Used);
        }
        let (ciphertext, tag) = sealed.split_at_mut_checked(plaintext.len()).ok_or(SealError::Length)?;
        if tag.len() != UNIT_TAG_BYTES {
            return Err(SealError::Length);
        }
        self.next = position.checked_add(1).ok_or(SealError::Used)?;
        self.key
            .seal_out_of_place_scatter(nonce(position), Aad::from(aad), plaintext, ciphertext, &[], tag)
            .map_err(|_| SealError::Length)
    }
}

impl UnitOpener {
    /// # Panics
    /// For a key of another length than the algorithm's, which the type rules out.
    #[allow(clippy::expect_used)]
    pub(crate) fn from_secret(secret: &[u8; KEY_BYTES]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, secret).expect("AES-256 takes 32 bytes");
        Self { key: Arc::new(LessSafeKey::new(key)) }
    }

    /// Opens what stands at `position` into `plaintext`, which is shorter by [`UNIT_TAG_BYTES`].
    ///
    /// # Errors
    /// Another key, another place, or changed bytes. What is in `plaintext` then means nothing.
    pub fn open(
        &self,
        position: u64,
        aad: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<(), OpenError> {
        let (ciphertext, tag) = sealed.split_last_chunk::<UNIT_TAG_BYTES>().ok_or(OpenError)?;
        if ciphertext.len() != plaintext.len() {
            return Err(OpenError);
        }
        let opened =
            self.key.open_separate_gather(nonce(position), Aad::from(aad), ciphertext, tag, plaintext);
        opened.map_err(|_| OpenError)
    }
}

fn nonce(position: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&position.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}
