//! What compaction needs of a partition's log.

use std::ops::Range;

use bytes::Bytes;
use schloss_log::{LogError, PartitionLog, SegmentView};
use schloss_wire::records::BatchHeader;

/// A log that can be compacted.
pub(crate) trait CleanableLog: Sync {
    /// All segments, in order, at least one.
    fn segments(&self) -> Vec<SegmentView>;

    /// Whole batches from the first on that ends at `from` or later, below the high watermark, at most
    /// `max_bytes` but at least one. It may end early, and is empty only if there is none.
    fn read(&self, from: i64, max_bytes: usize) -> Result<Bytes, LogError>;

    /// Begins a segment that is to take the place of those in `range`, which are settled: from the base offset of
    /// the first to the end offset of the last.
    fn rewrite(&self, range: Range<i64>) -> Result<Box<dyn Rewrite + '_>, LogError>;

    /// Notes up to where the log is compacted.
    fn set_cleaned_to(&self, offset: i64) -> Result<(), LogError>;
}

/// A segment that is written beside the log. Dropped, it leaves nothing behind.
pub(crate) trait Rewrite {
    /// Adds a batch with the offsets that it has.
    fn append(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<(), LogError>;

    /// Puts it in its place, in one step, also if the machine loses power. The last batch ends where the segments
    /// do. With `drop_snapshot` what was kept about the producers is forgotten before: it is no longer true.
    /// Returns false, and changes nothing, if a segment was removed meanwhile.
    fn commit(self: Box<Self>, drop_snapshot: bool) -> Result<bool, LogError>;
}

impl CleanableLog for PartitionLog {
    fn segments(&self) -> Vec<SegmentView> {
        Self::segments(self)
    }

    fn read(&self, from: i64, max_bytes: usize) -> Result<Bytes, LogError> {
        // Records may have been deleted from the front of the first segment.
        Self::read(self, from.max(self.start_offset()), max_bytes, true)
    }

    fn rewrite(&self, range: Range<i64>) -> Result<Box<dyn Rewrite + '_>, LogError> {
        Ok(Box::new(Self::rewrite(self, range)?))
    }

    fn set_cleaned_to(&self, offset: i64) -> Result<(), LogError> {
        Self::set_cleaned_to(self, offset)
    }
}

impl Rewrite for schloss_log::Rewrite<'_> {
    fn append(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<(), LogError> {
        Self::append(self, header, batch)
    }

    fn commit(self: Box<Self>, drop_snapshot: bool) -> Result<bool, LogError> {
        Self::commit(*self, drop_snapshot)
    }
}
