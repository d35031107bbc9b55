//! What can go wrong with the audit.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// The audit could not be opened, written or read.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A file or the directory could not be used when the audit was opened or queried.
    #[error("audit: cannot use {path}: {source}; check that it exists, is ours and has space")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// Records could not be written. They are kept in memory, within a bound, and tried again.
    #[error("audit: cannot write records: {source}; free space or repair the audit directory")]
    Write {
        /// Why.
        source: Arc<io::Error>,
    },
    /// The writer is gone; only a shutdown or a bug of ours does that.
    #[error("audit: the writer has stopped")]
    Stopped,
}

impl AuditError {
    pub(crate) fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { path: path.into(), source: Arc::new(source) }
    }
}
