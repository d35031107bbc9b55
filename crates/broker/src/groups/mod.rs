//! Consumer groups and committed offsets.

use std::path::Path;
use std::sync::Arc;

use schloss_log::Flusher;
use thiserror::Error;

/// Every group of this node and the offsets they committed.
pub(crate) struct Groups {}

/// Why the committed offsets can't be opened.
#[derive(Debug, Error)]
pub enum GroupsError {
    /// The directory or a file in it.
    #[error("cannot open the committed offsets: {0}")]
    Io(#[from] std::io::Error),
}

impl Groups {
    /// Replays the committed offsets in `dir`.
    pub(crate) fn open(_dir: &Path, _flusher: Arc<Flusher>) -> Result<Self, GroupsError> {
        Ok(Self {})
    }
}
