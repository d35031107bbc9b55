//! What can go wrong with a log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schloss_keys::private::NotPrivate;
use schloss_keys::{DataKeyError, KeyError, SealError};
use thiserror::Error;

/// Why a log or a journal did not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// The operating system refused. The log is as it was before.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The offset is not in the log.
    #[error("offset {offset} is out of range, the log holds {start} to {end}")]
    OffsetOutOfRange {
        /// Offset asked for.
        offset: i64,
        /// First offset in the log.
        start: i64,
        /// Offset that the next record will get.
        end: i64,
    },
    /// Bytes on disk are not what was written.
    #[error("{} is damaged at byte {position}: {reason}", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where the damaged batch or entry begins, in bytes from the front of the file.
        position: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A file is whole, but not to be used here: it belongs to another log, or takes another key.
    #[error("can't use {}: {reason}", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Others may see or change a file or directory of the log.
    #[error(transparent)]
    NotPrivate(#[from] NotPrivate),
    /// Bytes can't be sealed. Nothing was written.
    #[error("can't seal: {0}")]
    Seal(SealError),
    /// The key of a topic or a journal can't be had.
    #[error(transparent)]
    DataKey(#[from] DataKeyError),
    /// A new key can't be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was to be appended is not a whole batch, or nothing at all.
    #[error("can't append to {}: {reason}", path.display())]
    InvalidBatch {
        /// The partition's directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry of a journal has no bytes.
    #[error("an entry has no bytes")]
    EmptyEntry,
    /// What was to be appended is larger than a segment, or an entry larger than a journal takes.
    #[error("{bytes} bytes are too large, the limit is {limit}")]
    TooLarge {
        /// Bytes given.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A flush failed earlier, or a failed write could not be taken back: nothing is accepted any more, since
    /// what the disk holds is not known. A restart recovers what it has.
    #[error("{} failed and takes no more writes, restart to recover: {reason}", path.display())]
    Failed {
        /// The log's directory or the journal's file.
        path: PathBuf,
        /// The first failure.
        reason: Arc<str>,
    },
    /// The log was deleted.
    #[error("{} was deleted", path.display())]
    Deleted {
        /// The log's directory.
        path: PathBuf,
    },
    /// The log was closed by [`Flusher::shutdown`](crate::Flusher::shutdown).
    #[error("{} is closed", path.display())]
    Closed {
        /// The log's directory or the journal's file.
        path: PathBuf,
    },
    /// The one who replays a journal does not accept an entry.
    #[error("{} holds an entry at byte {position} that can't be used: {reason}", path.display())]
    Replay {
        /// The journal's file.
        path: PathBuf,
        /// Where the entry begins, in bytes from the front of the file.
        position: u64,
        /// What the callback said.
        reason: String,
    },
}

impl LogError {
    /// Whether the disk is full: worth another try once there is space.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }

    /// For `map_err`: names what was tried, and on what.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
