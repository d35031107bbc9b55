//! What a segment's file begins with: where it belongs, and its key.
//!
//! ```text
//! magic 8 | mode 1 | 0 3 | topic 16 | partition 4 | base offset 8 | 0 8 | segment id 16
//! | wrapped key 65 | 0 11 | CRC-32C 4
//! ```
//! Everything before the wrapped key is bound to it: a segment opens under its own name, in its own partition,
//! and nowhere else. The segment id is random; it binds an index to the very file that it describes.

use std::ops::Range;
use std::path::Path;

use schloss_keys::{KeyError, UnitOpener, UnitSealer, WRAPPED_UNIT_KEY_BYTES, random};

use crate::{Identity, LogError, Sealing};

/// Bytes before the first frame.
pub(crate) const HEADER_BYTES: usize = 144;
/// The position of the first frame.
pub(crate) const FIRST_POSITION: u64 = HEADER_BYTES as u64;
/// Bytes that say where a segment belongs.
pub(crate) const PLACE_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"SCHLSEG1";
const PLAIN: u8 = 0;
const AES_256_GCM: u8 = 1;
const CRC_BYTES: usize = 4;

const MODE: usize = 8;
const TOPIC: Range<usize> = 12..28;
const PARTITION: Range<usize> = 28..32;
const BASE_OFFSET: Range<usize> = 32..40;
const ID: Range<usize> = 48..64;
const WRAPPED_KEY: Range<usize> = PLACE_BYTES..PLACE_BYTES + WRAPPED_UNIT_KEY_BYTES;

/// Where a segment belongs: the front of its header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SegmentPlace([u8; PLACE_BYTES]);

impl SegmentPlace {
    fn new(identity: Identity, sealing: &Sealing, base_offset: i64) -> Result<Self, KeyError> {
        let mut place = [0; PLACE_BYTES];
        place[..MAGIC.len()].copy_from_slice(MAGIC);
        place[MODE] = mode(sealing);
        place[TOPIC].copy_from_slice(&identity.topic);
        place[PARTITION].copy_from_slice(&identity.partition.to_be_bytes());
        place[BASE_OFFSET].copy_from_slice(&base_offset.to_be_bytes());
        place[ID].copy_from_slice(&random::<16>()?);
        Ok(Self(place))
    }

    pub(crate) const fn bytes(&self) -> &[u8; PLACE_BYTES] {
        &self.0
    }

    /// Random, another one for each segment that was ever made.
    pub(crate) fn id(&self) -> [u8; 16] {
        self.0[ID].first_chunk().copied().unwrap_or_default()
    }
}

/// Opens the frames of a segment.
pub(crate) enum Opener {
    Plain,
    Sealed(UnitOpener),
}

/// Seals the frames of a segment that this process made.
pub(crate) enum Writer {
    Plain,
    Sealed(UnitSealer),
}

/// The header of a new segment, and what it takes to write and read its frames.
pub(crate) struct NewHeader {
    pub(crate) bytes: [u8; HEADER_BYTES],
    pub(crate) place: SegmentPlace,
    pub(crate) writer: Writer,
    pub(crate) opener: Opener,
}

impl NewHeader {
    pub(crate) fn new(identity: Identity, sealing: &Sealing, base_offset: i64) -> Result<Self, KeyError> {
        let place = SegmentPlace::new(identity, sealing, base_offset)?;
        let mut bytes = [0; HEADER_BYTES];
        bytes[..PLACE_BYTES].copy_from_slice(place.bytes());
        let (writer, opener) = match sealing {
            Sealing::Sealed(key) => {
                let unit = key.new_unit_key(place.bytes())?;
                bytes[WRAPPED_KEY].copy_from_slice(&unit.wrapped);
                (Writer::Sealed(unit.sealer), Opener::Sealed(unit.opener))
            }
            Sealing::InsecurePlain => (Writer::Plain, Opener::Plain),
        };
        let crc = crc32c::crc32c(&bytes[..HEADER_BYTES - CRC_BYTES]);
        bytes[HEADER_BYTES - CRC_BYTES..].copy_from_slice(&crc.to_be_bytes());
        Ok(Self { bytes, place, writer, opener })
    }
}

/// Reads the header of the segment in `path`, of which `bytes` are the front.
///
/// # Errors
/// [`LogError::Corrupt`] if it was never written as a whole, [`LogError::Refused`] if it is damaged or of another
/// format, belongs elsewhere or takes another key.
pub(crate) fn parse(
    path: &Path,
    bytes: &[u8],
    identity: Identity,
    sealing: &Sealing,
    base_offset: i64,
) -> Result<(SegmentPlace, Opener), LogError> {
    let corrupt =
        |reason: &str| LogError::Corrupt { path: path.to_owned(), position: 0, reason: reason.to_owned() };
    let refused = |reason: &str| LogError::Refused { path: path.to_owned(), reason: reason.to_owned() };
    let (Some(header), Some(place)) = (bytes.first_chunk::<HEADER_BYTES>(), bytes.first_chunk()) else {
        return Err(corrupt("there is no whole header"));
    };
    if header.iter().all(|byte| *byte == 0) {
        return Err(corrupt("the header was never written"));
    }
    if !header.starts_with(MAGIC) {
        return Err(refused(
            "it is no segment of this format; if an earlier version made it, which did not seal, see \
             'Records from before sealing' in docs/encryption.md",
        ));
    }
    let (content, crc) = header.split_at(HEADER_BYTES - CRC_BYTES);
    if crc != crc32c::crc32c(content).to_be_bytes() {
        return Err(refused("the header's bytes were changed: restore the file from a copy"));
    }
    let place = SegmentPlace(*place);
    match (place.0[MODE], sealing) {
        (PLAIN, Sealing::Sealed(_)) => {
            return Err(refused(
                "the segment is not sealed, but this log is: its records could be anybody's who can write to \
                 the disk",
            ));
        }
        (AES_256_GCM, Sealing::InsecurePlain) => {
            return Err(refused("the segment is sealed, but this log is opened without a key"));
        }
        _ => {}
    }
    let belongs = place.0[TOPIC] == identity.topic
        && place.0[PARTITION] == identity.partition.to_be_bytes()
        && place.0[BASE_OFFSET] == base_offset.to_be_bytes();
    if !belongs {
        return Err(refused("the segment belongs to another partition, or begins at another offset"));
    }
    let opener = match sealing {
        Sealing::Sealed(key) => key
            .unit_opener(place.bytes(), &header[WRAPPED_KEY])
            .map(Opener::Sealed)
            .map_err(|_| refused("the topic's key does not open the segment's own key"))?,
        Sealing::InsecurePlain => Opener::Plain,
    };
    Ok((place, opener))
}

const fn mode(sealing: &Sealing) -> u8 {
    match sealing {
        Sealing::Sealed(_) => AES_256_GCM,
        Sealing::InsecurePlain => PLAIN,
    }
}
