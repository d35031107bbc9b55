//! Sealing the entries of a journal.
//!
//! Each process that appends draws a key of its own, writes it, wrapped, into the journal, and seals its entries
//! with it: the nonce is the position in the file. It draws another one after a failed write, whose positions may
//! have been used, and for each rewrite. What is read from the file opens entries and seals none.

use schloss_keys::{OpenError, UNIT_TAG_BYTES, UnitOpener, UnitSealer};
use zeroize::Zeroizing;

use super::frame::{checked_length, push};
use super::header::FileId;
use crate::{LogError, Sealing};

// The first byte of what stands in a frame.
const PLAIN: u8 = 0;
const KEY: u8 = 1;
const SEALED: u8 = 2;

/// Turns entries into frames.
pub(super) struct Writer {
    sealing: Sealing,
    file: FileId,
    /// None before the first entry, and after a failed write.
    sealer: Option<UnitSealer>,
}

impl Writer {
    pub(super) const fn new(sealing: Sealing, file: FileId) -> Self {
        Self { sealing, file, sealer: None }
    }

    pub(super) const fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    /// Adds the frames of `entries`, the first of which begins at `position`, to `frames`. `durable` is how much
    /// of the file is on disk; `None` if all that comes before an entry will be when somebody sees it.
    pub(super) fn write<T: AsRef<[u8]>>(
        &mut self,
        entries: impl IntoIterator<Item = T>,
        position: u64,
        durable: Option<u64>,
        frames: &mut Vec<u8>,
    ) -> Result<(), LogError> {
        let before = frames.len();
        let next = |frames: &Vec<u8>| position + (frames.len() - before) as u64;
        for entry in entries {
            let entry = entry.as_ref();
            checked_length(entry.len())?;
            let Sealing::Sealed(key) = &self.sealing else {
                let at = next(frames);
                push(frames, at, durable.unwrap_or(at), |frames| {
                    frames.push(PLAIN);
                    frames.extend_from_slice(entry);
                    Ok(())
                })?;
                continue;
            };
            let sealer = match &mut self.sealer {
                Some(sealer) => sealer,
                none => {
                    let at = next(frames);
                    let unit = key.new_unit_key(&aad(&self.file, KEY, at))?;
                    push(frames, at, durable.unwrap_or(at), |frames| {
                        frames.push(KEY);
                        frames.extend_from_slice(&unit.wrapped);
                        Ok(())
                    })?;
                    none.insert(unit.sealer)
                }
            };
            let at = next(frames);
            push(frames, at, durable.unwrap_or(at), |frames| {
                frames.push(SEALED);
                let start = frames.len();
                frames.resize(start + entry.len() + UNIT_TAG_BYTES, 0);
                let aad = aad(&self.file, SEALED, at);
                sealer.seal(at, &aad, entry, &mut frames[start..]).map_err(LogError::Seal)
            })?;
        }
        Ok(())
    }

    /// Forgets the key: the next entry gets another one.
    pub(super) fn forget_key(&mut self) {
        self.sealer = None;
    }
}

/// Opens what stands in frames, in the order of their positions.
pub(super) struct Reader {
    sealing: Sealing,
    file: FileId,
    opener: Option<UnitOpener>,
    entry: Zeroizing<Vec<u8>>,
}

impl Reader {
    pub(super) fn new(sealing: Sealing, file: FileId) -> Self {
        Self { sealing, file, opener: None, entry: Zeroizing::default() }
    }

    /// The entry in the frame at `position`; `None` if there is a key in it.
    pub(super) fn open<'a>(
        &'a mut self,
        position: u64,
        content: &'a [u8],
    ) -> Result<Option<&'a [u8]>, OpenError> {
        let (kind, content) = content.split_first().ok_or(OpenError)?;
        let aad = aad(&self.file, *kind, position);
        match (*kind, &self.sealing) {
            (PLAIN, Sealing::InsecurePlain) => Ok(Some(content)),
            (KEY, Sealing::Sealed(key)) => {
                self.opener = Some(key.unit_opener(&aad, content)?);
                Ok(None)
            }
            (SEALED, Sealing::Sealed(_)) => {
                let opener = self.opener.as_ref().ok_or(OpenError)?;
                let length = content.len().checked_sub(UNIT_TAG_BYTES).ok_or(OpenError)?;
                self.entry.resize(length, 0);
                opener.open(position, &aad, content, &mut self.entry)?;
                Ok(Some(&self.entry))
            }
            _ => Err(OpenError),
        }
    }
}

fn aad(file: &FileId, kind: u8, position: u64) -> Vec<u8> {
    [file.as_slice(), &[kind], &position.to_be_bytes()].concat()
}
