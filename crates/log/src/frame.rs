//! How a batch stands in a segment.
//!
//! ```text
//! base offset 8 | length 4 | leader epoch 4 | the rest of the batch, sealed | tag 16
//! ```
//! The first 16 bytes are the batch's own and stay in clear, so that a reader finds its way without opening
//! what it does not want: they say where a batch stands and how long it is, and nothing of what is in it. They
//! are authenticated with the rest, and so are topic, partition, segment and position; a reader believes them
//! only after it has opened the batch. In a plain segment the batch stands as it is, without a tag.

use schloss_keys::{OpenError, SealError, UNIT_TAG_BYTES};
use schloss_wire::records::{BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES};

use crate::header::{Opener, PLACE_BYTES, SegmentPlace, Writer};

/// Bytes of a batch that stay in clear.
pub(crate) const PREFIX_BYTES: usize = 16;
const AAD_BYTES: usize = PREFIX_BYTES + 8 + PLACE_BYTES;

/// What is known of a batch without opening it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Prefix {
    pub(crate) base_offset: i64,
    /// Bytes of the batch, the prefix included, the tag not.
    pub(crate) batch_bytes: usize,
}

impl Prefix {
    /// `Err` says what is wrong.
    pub(crate) fn parse(bytes: &[u8; PREFIX_BYTES]) -> Result<Self, String> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = *bytes;
        let length = i32::from_be_bytes([i, j, k, l]);
        let batch_bytes = usize::try_from(length).ok().map(|length| length + BATCH_PREFIX_BYTES);
        match batch_bytes.filter(|bytes| *bytes >= BATCH_HEADER_BYTES) {
            Some(batch_bytes) => {
                Ok(Self { base_offset: i64::from_be_bytes([a, b, c, d, e, f, g, h]), batch_bytes })
            }
            None => Err(format!("batch length {length} is impossible")),
        }
    }
}

impl Writer {
    /// Writes a batch, the bytes of `prefix` and `body`, as the frame at `position`.
    pub(crate) fn seal(
        &mut self,
        place: &SegmentPlace,
        position: u64,
        prefix: &[u8; PREFIX_BYTES],
        body: &[u8],
        frame: &mut [u8],
    ) -> Result<(), SealError> {
        let (head, rest) = frame.split_at_mut_checked(PREFIX_BYTES).ok_or(SealError::Length)?;
        head.copy_from_slice(prefix);
        match self {
            Self::Sealed(sealer) => sealer.seal(position, &aad(place, position, prefix), body, rest),
            Self::Plain if rest.len() != body.len() => Err(SealError::Length),
            Self::Plain => {
                rest.copy_from_slice(body);
                Ok(())
            }
        }
    }
}

impl Opener {
    /// Bytes of a frame beyond those of its batch.
    pub(crate) const fn tag_bytes(&self) -> usize {
        match self {
            Self::Sealed(_) => UNIT_TAG_BYTES,
            Self::Plain => 0,
        }
    }

    /// Opens the frame at `position` into `batch`.
    pub(crate) fn open(
        &self,
        place: &SegmentPlace,
        position: u64,
        frame: &[u8],
        batch: &mut [u8],
    ) -> Result<(), OpenError> {
        let (prefix, stored) = frame.split_first_chunk::<PREFIX_BYTES>().ok_or(OpenError)?;
        let (head, body) = batch.split_at_mut_checked(PREFIX_BYTES).ok_or(OpenError)?;
        head.copy_from_slice(prefix);
        match self {
            Self::Sealed(opener) => opener.open(position, &aad(place, position, prefix), stored, body),
            Self::Plain if stored.len() != body.len() => Err(OpenError),
            Self::Plain => {
                body.copy_from_slice(stored);
                Ok(())
            }
        }
    }
}

fn aad(place: &SegmentPlace, position: u64, prefix: &[u8; PREFIX_BYTES]) -> [u8; AAD_BYTES] {
    let mut aad = [0; AAD_BYTES];
    aad[..PREFIX_BYTES].copy_from_slice(prefix);
    aad[PREFIX_BYTES..PREFIX_BYTES + 8].copy_from_slice(&position.to_be_bytes());
    aad[PREFIX_BYTES + 8..].copy_from_slice(place.bytes());
    aad
}
