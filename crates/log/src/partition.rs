//! One partition's log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use schloss_wire::records::BatchHeader;
use tokio::sync::watch;

use crate::{Flusher, LogConfig, LogError, Recovery};

/// Where an append went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// The time given to the records, in milliseconds since the epoch; -1 if they keep the producer's.
    pub log_append_time: i64,
}

/// One partition's log: batches in segments in a directory of its own. Shared as `Arc<PartitionLog>`.
pub struct PartitionLog {
    directory: PathBuf,
    reached: watch::Sender<i64>,
}

impl PartitionLog {
    /// Opens the log in `directory`, made if it is not there. See [`open_replaying`](Self::open_replaying).
    ///
    /// # Errors
    /// As `open_replaying`.
    pub fn open(
        directory: &Path,
        config: LogConfig,
        flusher: Arc<Flusher>,
    ) -> Result<(Self, Recovery), LogError> {
        Self::open_replaying(directory, config, flusher, i64::MAX, &mut |_| ())
    }

    /// Opens the log and shows `each` the header of every batch at or after offset `from`, in order.
    ///
    /// Blocks on the disk. Only what is not known to be flushed is verified; a torn end of that is cut off,
    /// and `Recovery` says so.
    ///
    /// # Errors
    /// The system's, or [`LogError::Corrupt`] if something that was flushed is damaged: it is left as it is.
    pub fn open_replaying(
        directory: &Path,
        _config: LogConfig,
        _flusher: Arc<Flusher>,
        _from: i64,
        _each: &mut dyn FnMut(&BatchHeader),
    ) -> Result<(Self, Recovery), LogError> {
        let log = Self { directory: directory.to_owned(), reached: watch::Sender::new(0) };
        Ok((log, Recovery::default()))
    }

    /// Appends `batches` (from [`check_batches`](schloss_wire::records::check_batches)) as a whole, in order,
    /// and returns at once: they have their place and are with the operating system, not yet on disk.
    /// `now` is in milliseconds since the epoch.
    ///
    /// # Errors
    /// Nothing was appended. [`LogError::is_disk_full`] tells what may pass.
    pub fn append(&self, _batches: &[(BatchHeader, Bytes)], _now: i64) -> Result<Appended, LogError> {
        Err(LogError::Closed { path: self.directory.clone() })
    }

    /// Resolves when every record before `offset` is safe: on disk, or with the system under
    /// [`Durability::Os`](crate::Durability::Os). To wait for an append: its `last_offset + 1`.
    pub fn wait_flushed(
        &self,
        _offset: i64,
    ) -> impl Future<Output = Result<(), LogError>> + Send + 'static + use<> {
        std::future::ready(Ok(()))
    }

    /// Whole batches from the one that holds `offset` on, below the high watermark, at most `max_bytes`, or
    /// one batch of any size if `at_least_one`. Empty if there is none. The first batch may begin before `offset`.
    ///
    /// # Errors
    /// [`LogError::OffsetOutOfRange`] before the start or after the end, [`LogError::Corrupt`], the system's.
    pub fn read(&self, _offset: i64, _max_bytes: usize, _at_least_one: bool) -> Result<Bytes, LogError> {
        Ok(Bytes::new())
    }

    /// Offset and timestamp (milliseconds) of the first record at or after `timestamp_ms`.
    ///
    /// # Errors
    /// The system's, or damage.
    pub fn offset_for_time(&self, _timestamp_ms: i64) -> Result<Option<(i64, i64)>, LogError> {
        Ok(None)
    }

    /// Offset and timestamp (milliseconds) of the first record with the largest timestamp.
    ///
    /// # Errors
    /// The system's, or damage.
    pub fn max_timestamp(&self) -> Result<Option<(i64, i64)>, LogError> {
        Ok(None)
    }

    /// The first offset in the log.
    #[must_use]
    pub fn start_offset(&self) -> i64 {
        0
    }

    /// The offset that the next record gets.
    #[must_use]
    pub fn end_offset(&self) -> i64 {
        0
    }

    /// The offset up to which records are safe, and may be read.
    #[must_use]
    pub fn high_watermark(&self) -> i64 {
        *self.reached.borrow()
    }

    /// Bytes of the log in all its segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        0
    }

    /// Watches the high watermark. It also wakes, unchanged, when the log fails or is deleted.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<i64> {
        self.reached.subscribe()
    }

    /// Whether the log takes no more appends, and why.
    ///
    /// # Errors
    /// [`LogError::Failed`], [`LogError::Deleted`], [`LogError::Closed`].
    pub fn check(&self) -> Result<(), LogError> {
        Ok(())
    }

    /// Deletes the log with its directory: renamed to `.deleted` first, so that it is gone as a whole even if
    /// the process dies. Blocks on the disk. Appends and waits fail from now on.
    ///
    /// # Errors
    /// The system's. If the rename succeeded the log is gone, and [`remove_deleted`] clears the rest away.
    pub fn delete(&self) -> Result<(), LogError> {
        Ok(())
    }
}

/// Removes what interrupted deletions left in `parent`, the directory of the partitions' directories; returns
/// how many there were.
///
/// # Errors
/// The system's.
pub fn remove_deleted(_parent: &Path) -> Result<usize, LogError> {
    Ok(0)
}
