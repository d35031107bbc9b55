//! Showing that bytes are ours.

use aws_lc_rs::hmac;

use crate::root::KEY_BYTES;

/// Bytes of a tag.
pub const TAG_BYTES: usize = 32;

/// Authenticates lists of byte strings with HMAC-SHA-256 (RFC 2104).
pub struct Tagger {
    key: hmac::Key,
}

impl Tagger {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The tag of a list. Where one part ends and the next begins counts: each goes in with its length.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    /// Whether a tag is that of the list; takes the same time wherever they differ.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.tag(parts), tag).is_ok()
    }
}
