//! The `start-offset` file: before this offset nothing is in the log any more, even if it is in a segment.

use std::path::Path;

use crate::LogError;
use crate::files::Survives;
use crate::note::{self, Note};

const FILE_NAME: &str = "start-offset";
const FORMAT: &str = "schloss-start-offset-1";

/// Stores the offset; it is on disk when this returns.
pub(crate) fn store(directory: &Path, offset: i64) -> Result<(), LogError> {
    note::store(&directory.join(FILE_NAME), FORMAT, [offset], Survives::PowerCut)
}

/// The stored offset; 0 if nothing was ever removed.
///
/// # Errors
/// The system's, or [`LogError::Corrupt`]: a crash does not damage it, and records that were deleted must not
/// come back.
pub(crate) fn load(directory: &Path) -> Result<i64, LogError> {
    let path = directory.join(FILE_NAME);
    match note::load(&path, FORMAT)? {
        Note::Missing => Ok(0),
        Note::Here([offset]) => Ok(offset),
        Note::Damaged => Err(LogError::Corrupt {
            path,
            position: 0,
            reason:
                "the line does not fit its checksum: restore it, or remove it if records that were deleted \
                     may be read again"
                    .to_owned(),
        }),
    }
}
