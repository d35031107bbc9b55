//! How an entry stands in a journal's file.
//!
//! ```text
//! length u32 | durable u64 | head crc u32 | content crc u32 | content
//! ```
//! The content is an entry, sealed or not, or a key, as its first byte says. `durable` tells how much of the file was on disk when the entry was appended. A damaged entry before that
//! place was on disk once, so it is damage; one behind it may never have been finished, so it is a torn end.
//! The head's CRC covers its place in the file: bytes of an entry, or a head from elsewhere, are no head.

use std::fs::File;
use std::io;

use schloss_keys::UNIT_TAG_BYTES;

use super::MAX_ENTRY_BYTES;
use crate::LogError;
use crate::files::read_at;

/// Bytes before the content.
pub(super) const HEAD_BYTES: usize = 20;
/// Read at once.
const READ_BYTES: usize = 256 * 1024;

/// What sealing adds at most.
const MAX_CONTENT_BYTES: usize = MAX_ENTRY_BYTES + 1 + UNIT_TAG_BYTES;

/// Adds the frame at `position` to `frames`, when the file is on disk up to `durable`; `content` adds what stands
/// in it.
pub(super) fn push(
    frames: &mut Vec<u8>,
    position: u64,
    durable: u64,
    content: impl FnOnce(&mut Vec<u8>) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let start = frames.len();
    frames.resize(start + HEAD_BYTES, 0);
    content(frames)?;
    let (head, content) = frames[start..].split_at_mut(HEAD_BYTES);
    head[..4].copy_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
    head[4..12].copy_from_slice(&durable.to_be_bytes());
    let crc = head_crc(head, position);
    head[12..16].copy_from_slice(&crc.to_be_bytes());
    head[16..].copy_from_slice(&crc32c::crc32c(content).to_be_bytes());
    Ok(())
}

/// Refuses an entry that is empty or larger than [`MAX_ENTRY_BYTES`].
pub(super) fn checked_length(bytes: usize) -> Result<(), LogError> {
    match bytes {
        0 => Err(LogError::EmptyEntry),
        1..=MAX_ENTRY_BYTES => Ok(()),
        _ => Err(LogError::TooLarge { bytes: bytes as u64, limit: MAX_ENTRY_BYTES as u64 }),
    }
}

fn head_crc(head: &[u8], position: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&head[..12]), &position.to_be_bytes())
}

/// A head that was read.
struct Head {
    length: usize,
    durable: u64,
    content_crc: u32,
}

impl Head {
    fn parse(head: &[u8; HEAD_BYTES], position: u64) -> Option<Self> {
        let field =
            |from: usize| head.get(from..)?.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        let length = usize::try_from(field(0)?).ok()?;
        let durable = u64::from_be_bytes(*head.get(4..)?.first_chunk()?);
        let fits = (1..=MAX_CONTENT_BYTES).contains(&length) && field(12)? == head_crc(head, position);
        fits.then_some(Self { length, durable, content_crc: field(16)? })
    }
}

/// A walk over the frames of a file.
pub(super) struct Frames<'a> {
    file: &'a File,
    size: u64,
    buffer: Vec<u8>,
    buffered_from: u64,
}

/// What stands at a place in the file.
pub(super) enum Frame<'a> {
    Content { content: &'a [u8], next: u64 },
    End,
    Damaged,
}

impl<'a> Frames<'a> {
    pub(super) const fn new(file: &'a File, size: u64) -> Self {
        Self { file, size, buffer: Vec::new(), buffered_from: 0 }
    }

    /// What stands at `position`.
    pub(super) fn at(&mut self, position: u64) -> io::Result<Frame<'_>> {
        if position >= self.size {
            return Ok(Frame::End);
        }
        let Some(head) = self.head(position)? else { return Ok(Frame::Damaged) };
        let start = position + HEAD_BYTES as u64;
        let Some(content) = self.bytes(start, head.length)? else { return Ok(Frame::Damaged) };
        if crc32c::crc32c(content) != head.content_crc {
            return Ok(Frame::Damaged);
        }
        Ok(Frame::Content { content, next: start + head.length as u64 })
    }

    /// Whether a frame behind the damaged one at `position` proves that that one was on disk.
    pub(super) fn was_on_disk(&mut self, position: u64) -> io::Result<bool> {
        for later in position + 1..self.size {
            let proves = self.head(later)?.is_some_and(|head| head.durable > position);
            if proves && matches!(self.at(later)?, Frame::Content { .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn head(&mut self, position: u64) -> io::Result<Option<Head>> {
        let bytes = self.bytes(position, HEAD_BYTES)?;
        Ok(bytes.and_then(<[u8]>::first_chunk).and_then(|head| Head::parse(head, position)))
    }

    /// The `length` bytes at `position`; `None` if the file ends before.
    fn bytes(&mut self, position: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let left = self.size.saturating_sub(position);
        if left < length as u64 {
            return Ok(None);
        }
        let buffered_to = self.buffered_from + self.buffer.len() as u64;
        if position < self.buffered_from || position + length as u64 > buffered_to {
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(length.max(READ_BYTES));
            self.buffer.clear();
            read_at(self.file, position, room, &mut self.buffer)?;
            self.buffered_from = position;
        }
        let from = usize::try_from(position - self.buffered_from).unwrap_or(usize::MAX);
        Ok(self.buffer.get(from..from.saturating_add(length)))
    }
}
