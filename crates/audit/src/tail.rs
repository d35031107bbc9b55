//! Following what is being written.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::AuditError;
use crate::query::{Query, Record};

/// How often [`Tail::next`] looks for something new.
pub const TAIL_INTERVAL: Duration = Duration::from_millis(200);

/// Follows the events wanted, also into the next file when the current one is full.
#[derive(Debug)]
pub struct Tail {}

impl Tail {
    /// Follows from the end of what is there now.
    ///
    /// # Errors
    /// The directory can't be listed.
    pub fn from_end(_directory: impl Into<PathBuf>, _query: Query) -> Result<Self, AuditError> {
        Ok(Self {})
    }

    /// Follows from the oldest event.
    ///
    /// # Errors
    /// The directory can't be listed.
    pub fn from_start(_directory: impl Into<PathBuf>, _query: Query) -> Result<Self, AuditError> {
        Ok(Self {})
    }

    /// What came since the last call; empty if nothing did. Never waits.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn poll(&mut self) -> Result<Vec<Record>, AuditError> {
        Ok(Vec::new())
    }

    /// The next event; waits for it.
    ///
    /// # Errors
    /// A file can't be read.
    pub async fn next(&mut self) -> Result<Record, AuditError> {
        loop {
            if let Some(record) = self.poll()?.into_iter().next() {
                return Ok(record);
            }
            tokio::time::sleep(TAIL_INTERVAL).await;
        }
    }

    /// How many lines so far could not be read.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        0
    }
}
