//! The root: 32 secret bytes from which the keys of all purposes come.

use std::sync::Arc;

use aws_lc_rs::{hkdf, rand};
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::sealer::Sealer;
use crate::tagger::Tagger;

/// Bytes of every key here.
pub const KEY_BYTES: usize = 32;
/// Bytes of a key's name.
const ID_BYTES: usize = 8;

/// Random bytes of the operating system.
///
/// # Errors
/// [`KeyError::Random`].
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}

/// 32 secret bytes. Has no `Debug`; the bytes are overwritten when it is dropped.
#[derive(Clone)]
pub struct SealingKey {
    /// In one place, wherever the value is moved: a list of keys that grows would leave copies of them behind.
    secret: Arc<Zeroizing<[u8; KEY_BYTES]>>,
}

impl SealingKey {
    /// The key of these bytes, which the caller overwrites.
    #[must_use]
    pub fn from_bytes(secret: &[u8; KEY_BYTES]) -> Self {
        Self { secret: Arc::new(Zeroizing::new(*secret)) }
    }

    /// A new key.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(secret.as_mut_slice()).map_err(|_| KeyError::Random)?;
        Ok(Self::from_bytes(&secret))
    }

    /// A name for the key, 16 hexadecimal digits, which says nothing about its bytes: two that are the same
    /// have the same one.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = [0; ID_BYTES];
        self.expand(&[b"schloss key id"], &mut id);
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key that seals for one purpose. A purpose is a constant of the code.
    #[must_use]
    pub fn sealer(&self, purpose: &str) -> Sealer {
        Sealer::new(&self.derive("seal", purpose))
    }

    /// The key that authenticates for one purpose. A purpose is a constant of the code.
    #[must_use]
    pub fn tagger(&self, purpose: &str) -> Tagger {
        Tagger::new(&self.derive("tag", purpose))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.secret
    }

    fn derive(&self, use_: &str, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        self.expand(&[b"schloss ", use_.as_bytes(), b":", purpose.as_bytes()], key.as_mut_slice());
        key
    }

    /// HKDF-SHA-256 without salt: the root is uniform already (RFC 5869, section 3.1).
    ///
    /// # Panics
    /// For an output that HKDF can't give; ours are constants far below that.
    #[allow(clippy::expect_used)]
    fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        struct Length(usize);
        impl hkdf::KeyType for Length {
            fn len(&self) -> usize {
                self.0
            }
        }
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(self.secret.as_slice());
        root.expand(info, Length(out.len()))
            .and_then(|okm| okm.fill(out))
            .expect("HKDF gives up to 255 blocks");
    }
}
