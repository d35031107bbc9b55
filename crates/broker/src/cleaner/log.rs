//! What compaction needs of a partition's log.

use std::ops::Range;

use bytes::Bytes;
use schloss_log::LogError;
use schloss_wire::records::BatchHeader;

/// One segment of a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SegmentView {
    /// Offset of the first record that it may hold.
    pub(crate) base_offset: i64,
    /// Offset after its last record.
    pub(crate) end_offset: i64,
    /// Bytes on disk.
    pub(crate) bytes: u64,
    /// Largest timestamp in it, in milliseconds since the epoch; the time of the last write if no record has one.
    pub(crate) newest_ms: Option<i64>,
    /// It takes no appends, and is known to be on disk: it can be replaced.
    pub(crate) is_settled: bool,
}

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

    /// Up to where the log is compacted; 0 if that is not known.
    fn cleaned_to(&self) -> i64;

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
