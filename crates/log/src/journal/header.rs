//! What a journal's file begins with.
//!
//! ```text
//! magic 8 | mode 1 | 0 3 | file id 16 | CRC-32C 4
//! ```
//! The file id is random; all that is sealed in the file is bound to it, so nothing of another file, or of an
//! earlier one under the same name, can stand in it.

use std::path::Path;

use schloss_keys::{KeyError, random};

use crate::{LogError, Sealing};

/// Bytes before the first frame.
pub(super) const HEADER_BYTES: usize = 32;
pub(super) const FILE_ID_BYTES: usize = 16;

const MAGIC: &[u8; 8] = b"SCHLJNL2";
/// Of a version that did not seal.
const OLD_MAGIC: &[u8; 8] = b"SCHLJNL1";
const PLAIN: u8 = 0;
const AES_256_GCM: u8 = 1;
const MODE: usize = 8;
const FILE_ID: usize = 12;
const CRC: usize = HEADER_BYTES - 4;

pub(super) type FileId = [u8; FILE_ID_BYTES];

/// The header of a new file, and its id.
pub(super) fn new(sealing: &Sealing) -> Result<([u8; HEADER_BYTES], FileId), KeyError> {
    let id = random()?;
    let mut bytes = [0; HEADER_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[MODE] = mode(sealing);
    bytes[FILE_ID..FILE_ID + FILE_ID_BYTES].copy_from_slice(&id);
    let crc = crc32c::crc32c(&bytes[..CRC]);
    bytes[CRC..].copy_from_slice(&crc.to_be_bytes());
    Ok((bytes, id))
}

/// Reads the header of the journal in `path`, of which `bytes` are the front.
pub(super) fn parse(path: &Path, bytes: &[u8], sealing: &Sealing) -> Result<FileId, LogError> {
    let refused = |reason: &str| LogError::Refused { path: path.to_owned(), reason: reason.to_owned() };
    let corrupt =
        |reason: &str| LogError::Corrupt { path: path.to_owned(), position: 0, reason: reason.to_owned() };
    if bytes.starts_with(OLD_MAGIC) {
        return Err(refused(
            "it was written by a version that did not seal, and this one reads sealed data only; start with an \
             empty data_dir, and see 'Records from before sealing' in docs/encryption.md for how to bring \
             topics over",
        ));
    }
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Err(corrupt("the file is no journal"));
    };
    if !header.starts_with(MAGIC) {
        return Err(corrupt("the file is no journal of this format"));
    }
    if header[CRC..] != crc32c::crc32c(&header[..CRC]).to_be_bytes() {
        return Err(corrupt("the header's bytes were changed"));
    }
    match (header[MODE], sealing) {
        (PLAIN, Sealing::Sealed(_)) => Err(refused(
            "it is not sealed, and only sealed journals are read here: its entries could be anybody's who can \
             write to the disk",
        )),
        (AES_256_GCM, Sealing::InsecurePlain) => Err(refused("it is sealed, but is opened without a key")),
        _ => header[FILE_ID..].first_chunk().copied().ok_or_else(|| corrupt("the file is no journal")),
    }
}

const fn mode(sealing: &Sealing) -> u8 {
    match sealing {
        Sealing::Sealed(_) => AES_256_GCM,
        Sealing::InsecurePlain => PLAIN,
    }
}
