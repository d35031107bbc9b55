//! Opening a log: what is known to be on disk is trusted, the rest is verified, a torn end is cut off.

mod list;
mod replay;
mod scan;

use std::sync::Arc;

use self::list::{list, refuse_missing};
pub(crate) use self::replay::replay;
use self::scan::{open_index, scan};
use crate::checkpoint::Checkpoint;
use crate::files::{Survives, own_directory, remove_if_there, sync_directory};
use crate::header::FIRST_POSITION;
use crate::segment::{Home, INDEX_EXTENSION, LOG_EXTENSION, Segment, file_name, remove_files};
use crate::{Disk, LogConfig, LogError, start_offset};

/// What was found and mended when a log was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recovery {
    /// Bytes cut off: whatever followed the last whole batch of the part that was not flushed.
    pub truncated_bytes: u64,
    /// Segments removed because the log was cut before them. Their bytes are among `truncated_bytes`.
    pub removed_segments: usize,
    /// Indexes that were missing or damaged and made anew.
    pub rebuilt_indexes: usize,
    /// Bytes that were opened and checked: what was not known to be on disk. 0 after a shutdown in good order.
    pub verified_bytes: u64,
    /// Batches shown to the [`Replay`](crate::Replay). 0 if a snapshot stood for all of them.
    pub replayed_batches: u64,
    /// Segments in the log.
    pub segments: usize,
}

/// A log that was opened.
pub(crate) struct Recovered {
    /// In order, at least one; the next append goes behind the last. All that is in them is on disk.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// What was stored: nothing before it is in the log.
    pub(crate) start_offset: i64,
    pub(crate) recovery: Recovery,
}

/// Opens the log in `home`, made if it is not there.
pub(crate) fn recover(home: &Home, config: &LogConfig, disk: &dyn Disk) -> Result<Recovered, LogError> {
    let directory = &home.directory;
    own_directory(directory)?;
    let start_offset = start_offset::load(directory)?;
    let base_offsets = list(directory)?;
    // Nothing may be cut off before it is clear that the segment which was flushed last is there.
    let point = Checkpoint::load(directory)?;
    refuse_missing(directory, point.as_ref(), &base_offsets)?;
    let mut recovery = Recovery::default();
    let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(base_offsets.len());
    let newest = base_offsets.last().copied();
    let mut is_torn = false;
    for base_offset in base_offsets.iter().copied() {
        let is_last = Some(base_offset) == newest;
        let due = segments.last().map(|before| before.end().offset);
        if due.is_some_and(|due| base_offset < due) {
            // A segment before it took its place, and the process died before the file was removed.
            tracing::info!(log = %directory.display(), base_offset, "removed a segment that was compacted away");
            remove_files(directory, base_offset)?;
            continue;
        }
        let doubt = Doubt { point, base_offset, is_last };
        match open_segment(home, &doubt, due, is_torn)? {
            Ok(segment) => {
                is_torn = mend(home, config, disk, &doubt, &segment, &mut recovery)?;
                segments.push(Arc::new(segment));
            }
            Err(reason) => {
                is_torn = true;
                recovery.remove(home, base_offset, &reason)?;
            }
        }
    }
    if segments.is_empty() {
        let known = base_offsets.first().copied().or_else(|| point.map(|point| point.segment));
        let base_offset = known.unwrap_or(start_offset);
        segments.push(Arc::new(begin(home, disk, base_offset)?));
    }
    finish(home, &segments, point, recovery)?;
    if segments.last().is_some_and(|last| last.end().offset < start_offset) {
        // The system had the deletion on disk, and not what was appended before it. The new segment comes first:
        // one that follows a gap is doubted after another crash, one that is missing is not.
        let first = begin(home, disk, start_offset)?;
        for segment in segments.drain(..) {
            segment.remove(home)?;
        }
        segments.push(Arc::new(first));
    }
    recovery.segments = segments.len();
    Ok(Recovered { segments, start_offset, recovery })
}

/// Makes the first segment of a log.
fn begin(home: &Home, disk: &dyn Disk, base_offset: i64) -> Result<Segment, LogError> {
    let segment = Segment::create(home, disk, base_offset)?;
    Checkpoint::new(&segment, FIRST_POSITION, base_offset).store(&home.directory, Survives::PowerCut)?;
    Ok(segment)
}

/// What may be wrong with a segment without being damage.
struct Doubt {
    point: Option<Checkpoint>,
    base_offset: i64,
    is_last: bool,
}

impl Doubt {
    /// Whether nothing in the segment is known to be on disk.
    ///
    /// Without a recovery point, which a log has from its first moment, only the last segment is doubted.
    fn is_total(&self) -> bool {
        self.point.map_or(self.is_last, |point| {
            (self.base_offset, FIRST_POSITION) >= (point.segment, point.position)
        })
    }

    /// How many bytes of the segment are known to be on disk.
    fn trusted_bytes(&self, segment: &Segment) -> Result<u64, LogError> {
        let size = segment.size();
        match self.point {
            _ if self.is_total() => Ok(FIRST_POSITION.min(size)),
            Some(point) if self.base_offset == point.segment && size < point.position => {
                let reason = format!("the file ends here, but was on disk up to byte {}", point.position);
                Err(segment.corrupt(size, reason))
            }
            Some(point) if self.base_offset == point.segment => Ok(point.position),
            _ => Ok(size),
        }
    }
}

/// Opens a segment that begins at `due`, if there is one before it. `Ok(Err(..))` says why it is no part of the
/// log: what came after the last flush may be missing something before it, or was never written as a whole.
fn open_segment(
    home: &Home,
    doubt: &Doubt,
    due: Option<i64>,
    is_torn: bool,
) -> Result<Result<Segment, String>, LogError> {
    let opened = Segment::open(home, doubt.base_offset).and_then(|segment| match due {
        Some(due) if due != doubt.base_offset => {
            let reason = format!("the segment begins at offset {} where {due} is due", doubt.base_offset);
            Err(segment.corrupt(0, reason))
        }
        _ if is_torn => Err(segment.corrupt(0, "it follows a torn segment".to_owned())),
        _ => Ok(segment),
    });
    match opened {
        Err(LogError::Corrupt { reason, .. }) if doubt.is_total() => Ok(Err(reason)),
        other => other.map(Ok),
    }
}

/// Verifies what is in doubt of a segment, completes its index, and cuts off a torn end; returns whether it did.
fn mend(
    home: &Home,
    config: &LogConfig,
    disk: &dyn Disk,
    doubt: &Doubt,
    segment: &Segment,
    recovery: &mut Recovery,
) -> Result<bool, LogError> {
    let trusted = doubt.trusted_bytes(segment)?;
    let indexed = open_index(home, segment, trusted, doubt.is_last, recovery);
    let torn = scan(segment, trusted, config)?;
    let doubtful = segment.size() > trusted;
    recovery.verified_bytes += segment.size() - trusted;
    if let Some(reason) = &torn {
        recovery.cut(home, segment, disk, reason)?;
    }
    if indexed < segment.size()
        && let Err(error) = segment.store_index(home)
    {
        // Without it the next start takes longer.
        tracing::warn!(segment = %segment.path().display(), %error, "index not stored");
    }
    if doubtful {
        // It may only have been in the page cache, and is about to be shown to readers.
        segment.sync(disk)?;
    }
    Ok(torn.is_some())
}

/// Checks that nothing is missing that was flushed, and notes that all is on disk now.
fn finish(
    home: &Home,
    segments: &[Arc<Segment>],
    point: Option<Checkpoint>,
    recovery: Recovery,
) -> Result<(), LogError> {
    let Some(active) = segments.last() else { return Ok(()) };
    let end = active.end();
    if let Some(point) = point.filter(|point| point.offset > end.offset) {
        let reason = format!("the log ends at offset {}, but was on disk up to {}", end.offset, point.offset);
        return Err(active.corrupt(end.position, reason));
    }
    if recovery.removed_segments > 0 {
        sync_directory(&home.directory)?;
    }
    let now = Checkpoint::new(active, end.position, end.offset);
    if point != Some(now) {
        now.store(&home.directory, Survives::ProcessOnly)?;
    }
    Ok(())
}

impl Recovery {
    /// Cuts `segment` after the last batch that its index holds.
    fn cut(&mut self, home: &Home, segment: &Segment, disk: &dyn Disk, reason: &str) -> Result<(), LogError> {
        let before = segment.size();
        remove_if_there(&file_name(&home.directory, segment.base_offset(), INDEX_EXTENSION))?;
        segment.cut_to_index(disk)?;
        let cut = before - segment.size();
        tracing::warn!(segment = %segment.path().display(), position = segment.size(), cut_bytes = cut, reason,
            "cut off a torn end");
        self.truncated_bytes += cut;
        Ok(())
    }

    fn remove(&mut self, home: &Home, base_offset: i64, reason: &str) -> Result<(), LogError> {
        let path = file_name(&home.directory, base_offset, LOG_EXTENSION);
        let bytes = std::fs::metadata(&path).map_err(LogError::io("look at", &path))?.len();
        tracing::warn!(segment = %path.display(), bytes, reason, "removed a segment that was never finished");
        remove_files(&home.directory, base_offset)?;
        self.truncated_bytes += bytes;
        self.removed_segments += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
