//! Putting a segment that was written anew in the place of others.
//!
//! The new segment is written beside the log and flushed. Then it is renamed to the name of the first segment
//! that it replaces, which is the one step that counts: before it the log is the old one, and the start clears
//! the new file away; after it the new segment covers the offsets of those that it replaces, and a start removes
//! whatever is left of them. So that this can be seen, a segment always ends where the next one begins.

mod cleaned;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use schloss_wire::records::BatchHeader;

use crate::files::{remove_if_there, sync_directory};
use crate::segment::{INDEX_EXTENSION, LOG_EXTENSION, Segment, file_name};
use crate::stamp::Placed;
use crate::{LogError, PartitionLog};

/// One segment of a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentView {
    /// Offset of the first record that it may hold.
    pub base_offset: i64,
    /// Offset after its last record.
    pub end_offset: i64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Largest timestamp in it, in milliseconds since the epoch; the time of the last write if no record has one.
    pub newest_ms: Option<i64>,
    /// It takes no appends, and is known to be on disk: it can be replaced.
    pub is_settled: bool,
}

impl PartitionLog {
    /// The segments, in order, at least one.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentView> {
        let settled = self.shared().settled();
        let segments: Vec<Arc<Segment>> = self.shared().segments().iter().map(Arc::clone).collect();
        let view = |segment: &Arc<Segment>| SegmentView {
            base_offset: segment.base_offset(),
            end_offset: segment.end().offset,
            bytes: segment.size(),
            newest_ms: segment.age_timestamp(),
            is_settled: segment.base_offset() < settled,
        };
        segments.iter().map(view).collect()
    }

    /// When the file of the last segment was made, in milliseconds since the epoch, as far as is known.
    #[must_use]
    pub fn active_since_ms(&self) -> Option<i64> {
        let active = self.shared().segments().last().map(Arc::clone);
        active.and_then(|active| active.made_ms())
    }

    /// Begins a segment that is to replace those in `range`, all settled: from the base offset of the first to
    /// the end offset of the last.
    ///
    /// # Errors
    /// There are no such segments; the system's.
    pub fn rewrite(&self, range: Range<i64>) -> Result<Rewrite<'_>, LogError> {
        let shared = self.shared();
        let settled = shared.settled();
        let within = |segment: &Arc<Segment>| {
            range.contains(&segment.base_offset()) && segment.base_offset() < settled
        };
        let old: Vec<Arc<Segment>> =
            shared.segments().iter().filter(|one| within(one)).map(Arc::clone).collect();
        let (first, last) = (old.first(), old.last());
        let covered = first.zip(last).map(|(first, last)| first.base_offset()..last.end().offset);
        if covered.as_ref() != Some(&range) {
            return Err(shared.invalid("no segments begin and end where those do that are to be replaced"));
        }
        let new = Segment::create_beside(&shared.home, &*shared.disk, range.start)?;
        Ok(Rewrite { log: self, range, old, new: Some(new) })
    }
}

/// A segment that is written beside the log. Dropped, it leaves nothing behind.
pub struct Rewrite<'a> {
    log: &'a PartitionLog,
    range: Range<i64>,
    old: Vec<Arc<Segment>>,
    new: Option<Segment>,
}

impl Rewrite<'_> {
    /// Adds a batch with the offsets that it has. Gaps may be before it.
    ///
    /// # Errors
    /// It does not come after the last one and within the range; the system's. Nothing can be added any more.
    pub fn append(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<(), LogError> {
        let shared = self.log.shared();
        let new = self.new.as_ref().ok_or_else(|| shared.invalid("the segment is written already"))?;
        let (base_offset, epoch) = (header.base_offset, header.partition_leader_epoch);
        let is_next = base_offset >= new.end().offset
            && header.last_offset_delta >= 0
            && header.last_offset() < self.range.end;
        let placed = Placed::new(header, batch, base_offset, epoch, None).filter(|_| is_next);
        let placed = placed.ok_or_else(|| shared.invalid("a batch is not where a rewritten one can be"))?;
        shared.take_room(new.frame_bytes(placed.bytes()) as u64)?;
        new.append(&*shared.disk, &[placed], shared.config().index_interval_bytes)
    }

    /// Puts the new segment in its place; whoever reads the old ones goes on. With `drop_snapshot` what
    /// [`Snapshots`](crate::Snapshots) gave before is forgotten first: it is no longer true. Returns false, and
    /// changes nothing, if an old segment was removed meanwhile. Blocks on the disk.
    ///
    /// # Errors
    /// The last batch does not end where the range does; the log was deleted; the system's. The log is the old
    /// one then. [`LogError::Failed`]: it is the new one, and what is on disk can't be told before the next start.
    pub fn commit(mut self, drop_snapshot: bool) -> Result<bool, LogError> {
        let shared = self.log.shared();
        let home = &shared.home;
        let Some(new) = self.new.as_mut().filter(|new| new.end().offset == self.range.end) else {
            return Err(shared.invalid("a rewritten segment does not end where the next one begins"));
        };
        new.sync(&*shared.disk)?;
        let _removing = shared.removing.lock();
        shared.progress.check()?;
        if !shared.holds(&self.old) {
            return Ok(false);
        }
        if drop_snapshot {
            shared.drop_snapshot()?;
        }
        // It describes the old file.
        remove_if_there(&file_name(&home.directory, self.range.start, INDEX_EXTENSION))?;
        new.rename(file_name(&home.directory, self.range.start, LOG_EXTENSION))?;
        let Some(new) = self.new.take().map(Arc::new) else { return Ok(false) };
        shared.swap(&self.old, Arc::clone(&new));
        self.clear_away().map_err(|error| shared.progress.fail(&error))?;
        if let Err(error) = new.store_index(home) {
            // Without it the next start takes longer.
            tracing::warn!(segment = %new.path().display(), %error, "index not stored");
        }
        Ok(true)
    }

    /// Removes the files of what was replaced. Not before the new name is on disk; and for good before anything
    /// else happens, since without the new segment they would be the log again.
    fn clear_away(&self) -> Result<(), LogError> {
        let home = &self.log.shared().home;
        sync_directory(&home.directory)?;
        for segment in self.old.iter().skip(1) {
            segment.remove(home)?;
        }
        if self.old.len() > 1 { sync_directory(&home.directory) } else { Ok(()) }
    }
}

impl Drop for Rewrite<'_> {
    fn drop(&mut self) {
        let Some(new) = self.new.take() else { return };
        let shared = self.log.shared();
        let _removing = shared.removing.lock();
        // In the place of a log that was deleted there may be another one now.
        if !matches!(shared.progress.check(), Err(LogError::Deleted { .. }))
            && let Err(error) = remove_if_there(new.path())
        {
            tracing::warn!(%error, "an unfinished segment is left until the next start");
        }
    }
}

#[cfg(test)]
mod tests;
