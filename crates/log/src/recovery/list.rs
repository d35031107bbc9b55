//! Which segments there are.

use std::fs;
use std::path::Path;

use crate::LogError;
use crate::checkpoint::Checkpoint;
use crate::files::{UNFINISHED_EXTENSION, remove_if_there};
use crate::header::FIRST_POSITION;
use crate::segment::{INDEX_EXTENSION, LOG_EXTENSION, base_offset_of, file_name};

/// Base offsets of the segments, in order. Clears away unfinished files and indexes without a segment.
pub(super) fn list(directory: &Path) -> Result<Vec<i64>, LogError> {
    let mut base_offsets = Vec::new();
    let mut indexes = Vec::new();
    for entry in fs::read_dir(directory).map_err(LogError::io("list", directory))? {
        let path = entry.map_err(LogError::io("list", directory))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension {
            Some(UNFINISHED_EXTENSION) => {
                remove_if_there(&path)?;
            }
            Some(INDEX_EXTENSION) => indexes.push(path),
            _ => base_offsets.extend(base_offset_of(&path)),
        }
    }
    base_offsets.sort_unstable();
    for index in indexes {
        if base_offset_of(&index.with_extension(LOG_EXTENSION))
            .is_some_and(|base| base_offsets.binary_search(&base).is_err())
        {
            remove_if_there(&index)?;
        }
    }
    Ok(base_offsets)
}

/// Refuses a log whose segment that was flushed last is not there. One that retention has removed is no loss:
/// later ones are there then.
pub(super) fn refuse_missing(
    directory: &Path,
    point: Option<&Checkpoint>,
    base_offsets: &[i64],
) -> Result<(), LogError> {
    let Some(point) = point else { return Ok(()) };
    let is_there = base_offsets.binary_search(&point.segment).is_ok();
    let was_removed = base_offsets.first().is_some_and(|first| *first > point.segment);
    let was_empty = base_offsets.is_empty() && point.position <= FIRST_POSITION;
    if is_there || was_removed || was_empty {
        return Ok(());
    }
    let reason = format!("the file is missing, but was on disk up to byte {}", point.position);
    Err(LogError::Corrupt { path: file_name(directory, point.segment, LOG_EXTENSION), position: 0, reason })
}
