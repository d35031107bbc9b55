//! The handle that everything else records through.

use std::path::PathBuf;

use crate::error::AuditError;
use crate::event::Event;

/// Where and how much is kept.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The directory of the files; made with mode 0700 if it is missing.
    pub directory: PathBuf,
    /// A file that reached this many bytes is closed and a new one begun.
    pub max_file_bytes: u64,
    /// How many files are kept, the current one included; the oldest are deleted. Zero keeps all.
    pub max_files: usize,
    /// What the events name as their source, such as `/schloss/<cluster id>`.
    pub source: String,
}

/// A cheap handle; clones share one writer.
#[derive(Clone, Debug)]
pub struct Audit {}

impl Audit {
    /// Opens the audit of a directory and starts its writer thread.
    ///
    /// # Errors
    /// The directory can't be made, or its newest file can't be opened for writing.
    pub fn open(_config: AuditConfig) -> Result<Self, AuditError> {
        Ok(Self {})
    }

    /// Records an event; waits only while the queue is full.
    pub async fn record(&self, _event: Event) {}

    /// Records an event from code that can't wait. If the queue is full the event is dropped and counted,
    /// and the count becomes an event itself.
    pub fn try_record(&self, _event: Event) {}

    /// Records events and returns when they are on disk.
    ///
    /// # Errors
    /// The write or the flush failed.
    pub async fn record_durably(&self, _events: Vec<Event>) -> Result<(), AuditError> {
        Ok(())
    }

    /// Whether the last write went well.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        true
    }

    /// Returns when everything recorded before is on disk, or failed to get there.
    pub async fn flush(&self) {}
}
