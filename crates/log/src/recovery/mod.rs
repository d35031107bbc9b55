//! Opening a log: what is known to be on disk is trusted, the rest is verified, a torn end is cut off.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use schloss_wire::records::BatchHeader;

use crate::batches::Check;
use crate::checkpoint::Checkpoint;
use crate::files::{Survives, TEMPORARY_EXTENSION, create_directory, remove_if_there, sync_directory};
use crate::index::{Index, Place};
use crate::segment::{INDEX_EXTENSION, LOG_EXTENSION, Segment, base_offset_of, file_name};
use crate::{Disk, LogConfig, LogError};

/// Read at once when only headers are of interest.
const HEADER_READ_BYTES: usize = 4 * 1024;
/// Read at once when every byte is verified.
const VERIFY_READ_BYTES: usize = 1024 * 1024;

/// What was found and mended when a log was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recovery {
    /// Bytes cut off: whatever followed the last whole batch of the part that was not flushed.
    pub truncated_bytes: u64,
    /// Segments removed because the log was cut before them. Their bytes are among `truncated_bytes`.
    pub removed_segments: usize,
    /// Indexes that were missing or damaged and made anew.
    pub rebuilt_indexes: usize,
    /// Bytes whose CRC was checked: what was not known to be on disk. 0 after a shutdown in good order.
    pub verified_bytes: u64,
    /// Segments in the log.
    pub segments: usize,
}

/// Who sees the batches that are in the log.
pub(crate) struct Replay<'a> {
    /// Offset of the first batch of interest.
    pub(crate) from: i64,
    pub(crate) each: &'a mut dyn FnMut(&BatchHeader),
}

/// The segments of the log in `directory`, in order, at least one; the last is the one to append to. All
/// that is in them is on disk.
pub(crate) fn recover(
    directory: &Path,
    config: &LogConfig,
    disk: &dyn Disk,
    mut replay: Replay<'_>,
) -> Result<(Vec<Arc<Segment>>, Recovery), LogError> {
    create_directory(directory)?;
    let base_offsets = list(directory)?;
    if base_offsets.is_empty() {
        let segment = Segment::create(directory, 0)?;
        Checkpoint::new(&segment, 0, 0).store(directory, Survives::PowerCut)?;
        return Ok((vec![Arc::new(segment)], Recovery { segments: 1, ..Recovery::default() }));
    }
    let point = Checkpoint::load(directory)?;
    check_point_is_there(directory, point.as_ref(), &base_offsets)?;
    let mut recovery = Recovery::default();
    let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(base_offsets.len());
    let mut rest = base_offsets.iter().copied().peekable();
    while let Some(base_offset) = rest.next() {
        let segment = Segment::open(directory, base_offset)?;
        let is_last = rest.peek().is_none();
        let trusted = trusted_bytes(&segment, point.as_ref(), is_last)?;
        let due = segments.last().map(|before| before.index(|index| index.end().offset));
        if let Some(due) = due.filter(|due| *due != base_offset) {
            let reason = format!("the segment begins at offset {base_offset} where {due} is due");
            // Only what came after the last flush may be missing something before it.
            if point.is_none_or(|point| base_offset <= point.segment) {
                return Err(segment.corrupt(0, reason));
            }
            tracing::warn!(segment = %segment.path().display(), reason, "removed what follows a torn segment");
            recovery.remove(directory, base_offset, segment.size())?;
            continue;
        }
        let indexed = open_index(directory, &segment, trusted, is_last, &mut recovery);
        let torn = scan(&segment, trusted, config, &mut replay)?;
        recovery.verified_bytes += segment.size() - trusted;
        if let Some(reason) = torn {
            recovery.cut(directory, &segment, disk, &reason)?;
        }
        if !is_last && indexed < segment.size() {
            store_index(directory, &segment);
        }
        if segment.size() > trusted {
            // It may only have been in the page cache, and is about to be shown to readers.
            segment.sync(disk)?;
        }
        segments.push(Arc::new(segment));
    }
    recovery.segments = segments.len();
    finish(directory, &segments, point, recovery)?;
    Ok((segments, recovery))
}

/// Nothing may be cut off before it is clear that the segment which was flushed last is there.
fn check_point_is_there(
    directory: &Path,
    point: Option<&Checkpoint>,
    base_offsets: &[i64],
) -> Result<(), LogError> {
    let Some(point) = point else { return Ok(()) };
    let is_there = base_offsets.binary_search(&point.segment).is_ok();
    if is_there || base_offsets.iter().all(|base_offset| *base_offset > point.segment) {
        return Ok(());
    }
    let reason = format!("the file is missing, but was on disk up to byte {}", point.position);
    Err(LogError::Corrupt { path: file_name(directory, point.segment, LOG_EXTENSION), position: 0, reason })
}

/// Checks that nothing is missing that was flushed, and notes that all is on disk now.
fn finish(
    directory: &Path,
    segments: &[Arc<Segment>],
    point: Option<Checkpoint>,
    recovery: Recovery,
) -> Result<(), LogError> {
    let Some(active) = segments.last() else { return Ok(()) };
    let end = active.index(|index| index.end());
    if let Some(point) = point.filter(|point| point.offset > end.offset) {
        let reason = format!("the log ends at offset {}, but was on disk up to {}", end.offset, point.offset);
        return Err(active.corrupt(end.position, reason));
    }
    if recovery.removed_segments > 0 {
        sync_directory(directory)?;
    }
    let now = Checkpoint::new(active, end.position, end.offset);
    if point != Some(now) {
        now.store(directory, Survives::ProcessOnly)?;
    }
    Ok(())
}

/// Base offsets of the segments, in order. Clears away unfinished files and indexes without a segment.
fn list(directory: &Path) -> Result<Vec<i64>, LogError> {
    let mut base_offsets = Vec::new();
    let mut indexes = Vec::new();
    for entry in fs::read_dir(directory).map_err(LogError::io("list", directory))? {
        let path = entry.map_err(LogError::io("list", directory))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension {
            Some(TEMPORARY_EXTENSION) => {
                remove_if_there(&path)?;
            }
            Some(INDEX_EXTENSION) => indexes.push(path),
            _ => base_offsets.extend(base_offset_of(&path)),
        }
    }
    base_offsets.sort_unstable();
    for index in indexes {
        if base_offset_of(&index.with_extension(LOG_EXTENSION))
            .is_some_and(|base| !base_offsets.contains(&base))
        {
            remove_if_there(&index)?;
        }
    }
    Ok(base_offsets)
}

/// How many bytes of `segment` are known to be on disk.
///
/// Without a recovery point, which a log has from its first moment, only the last segment is doubted.
fn trusted_bytes(segment: &Segment, point: Option<&Checkpoint>, is_last: bool) -> Result<u64, LogError> {
    let size = segment.size();
    match point {
        None => Ok(if is_last { 0 } else { size }),
        Some(point) if segment.base_offset() < point.segment => Ok(size),
        Some(point) if segment.base_offset() > point.segment => Ok(0),
        Some(point) if size < point.position => {
            let reason = format!("the file ends here, but was on disk up to byte {}", point.position);
            Err(segment.corrupt(size, reason))
        }
        Some(point) => Ok(point.position),
    }
}

/// Loads the index, as far as it is of use; returns how many bytes of the segment it covers.
fn open_index(
    directory: &Path,
    segment: &Segment,
    trusted: u64,
    is_last: bool,
    recovery: &mut Recovery,
) -> u64 {
    let loaded = segment.load_index(directory);
    if loaded == Some(false) || (loaded.is_none() && !is_last) {
        tracing::warn!(segment = %segment.path().display(), "index missing or damaged, made anew");
        recovery.rebuilt_indexes += 1;
    }
    segment.index(|index| {
        if index.end().position > trusted {
            *index = Index::new(segment.base_offset());
        }
        index.end().position
    })
}

/// Keeps the index of a segment that changes no more. Without it the next start takes longer.
fn store_index(directory: &Path, segment: &Segment) {
    if let Err(error) = segment.store_index(directory) {
        tracing::warn!(segment = %segment.path().display(), %error, "index not stored");
    }
}

/// Walks over what the index does not hold yet, or what is to be replayed: headers of what is trusted,
/// everything of the rest. Returns why the segment is torn, if it is; the index holds all before that.
fn scan(
    segment: &Segment,
    trusted: u64,
    config: &LogConfig,
    replay: &mut Replay<'_>,
) -> Result<Option<String>, LogError> {
    let indexed = segment.index(|index| index.end());
    let start = if replay.from < indexed.offset {
        segment.index(|index| index.before_offset(replay.from))
    } else {
        indexed
    };
    let reached = walk(segment, start, trusted, Check::Header, HEADER_READ_BYTES, config, replay)?;
    let whole = Check::Whole { leader_epoch: config.leader_epoch };
    match walk(segment, reached, segment.size(), whole, VERIFY_READ_BYTES, config, replay) {
        Ok(_) => Ok(None),
        Err(LogError::Corrupt { reason, .. }) => Ok(Some(reason)),
        Err(error) => Err(error),
    }
}

fn walk(
    segment: &Segment,
    start: Place,
    end: u64,
    check: Check,
    read_ahead: usize,
    config: &LogConfig,
    replay: &mut Replay<'_>,
) -> Result<Place, LogError> {
    let mut batches = segment.batches(start, end, check, read_ahead);
    while let Some((position, header)) = batches.next()? {
        segment.index(|index| {
            if position == index.end().position {
                index.add(&header, config.index_interval_bytes);
            }
        });
        if header.last_offset() >= replay.from {
            (replay.each)(&header);
        }
    }
    Ok(batches.place())
}

impl Recovery {
    /// Cuts `segment` after the last batch that its index holds.
    fn cut(
        &mut self,
        directory: &Path,
        segment: &Segment,
        disk: &dyn Disk,
        reason: &str,
    ) -> Result<(), LogError> {
        let before = segment.size();
        remove_if_there(&file_name(directory, segment.base_offset(), INDEX_EXTENSION))?;
        segment.cut_to_index(disk)?;
        segment.sync(disk)?;
        let cut = before - segment.size();
        tracing::warn!(segment = %segment.path().display(), position = segment.size(), cut_bytes = cut, reason,
            "cut off a torn end");
        self.truncated_bytes += cut;
        Ok(())
    }

    fn remove(&mut self, directory: &Path, base_offset: i64, bytes: u64) -> Result<(), LogError> {
        remove_if_there(&file_name(directory, base_offset, INDEX_EXTENSION))?;
        remove_if_there(&file_name(directory, base_offset, LOG_EXTENSION))?;
        self.truncated_bytes += bytes;
        self.removed_segments += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
