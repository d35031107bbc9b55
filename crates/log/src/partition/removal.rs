//! Removing the front of a log: what retention or an administrator no longer wants.

use std::sync::Arc;

use crate::segment::Segment;
use crate::{LogError, PartitionLog, start_offset};

/// How long records are kept. Whole segments are removed, the oldest first, never the one that is appended to
/// as long as anything in it is to be kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Retention {
    /// Segments whose newest record is older than this many milliseconds are removed (`retention.ms`). If no record has a
    /// timestamp, the time of the last append counts.
    pub milliseconds: Option<i64>,
    /// The oldest segments are removed as long as the others hold this many bytes (`retention.bytes`).
    pub bytes: Option<u64>,
}

impl PartitionLog {
    /// Removes all records before `offset`: they are out of reach, now and after a crash, when this returns, and
    /// segments that hold nothing else are gone. Returns the first offset in the log, which may be a later one.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`LogError::OffsetOutOfRange`] beyond the high watermark, or the system's. Removed segments that are
    /// still on disk are removed by the next call or opening.
    pub fn delete_before(&self, offset: i64) -> Result<i64, LogError> {
        let shared = &self.shared;
        let _removing = shared.removing.lock();
        shared.progress.check()?;
        let (start, end) = (self.start_offset(), self.high_watermark());
        if offset > end {
            return Err(LogError::OffsetOutOfRange { offset, start, end });
        }
        if offset > start {
            start_offset::store(&shared.home.directory, offset)?;
            self.remove_all(&shared.move_start(offset))?;
        }
        Ok(self.start_offset())
    }

    /// Removes the segments that `retention` no longer wants, at `now` (milliseconds since the epoch); returns
    /// how many. Blocks on the disk.
    ///
    /// # Errors
    /// The system's.
    pub fn retain(&self, retention: &Retention, now: i64) -> Result<usize, LogError> {
        let shared = &self.shared;
        let _removing = shared.removing.lock();
        shared.progress.check()?;
        let visible = shared.visible();
        let segments: Vec<Arc<Segment>> = shared.segments().iter().map(Arc::clone).collect();
        let mut bytes: u64 = segments.iter().map(|segment| segment.size()).sum();
        let mut unwanted = 0usize;
        for segment in &segments {
            let is_safe = segment.end().offset <= visible.offset;
            let rest = bytes - segment.size();
            if segment.is_empty() || !is_safe || !retention.drops(segment, rest, now) {
                break;
            }
            bytes = rest;
            unwanted += 1;
        }
        let Some(newest) = unwanted.checked_sub(1).map(|newest| &segments[newest]) else { return Ok(0) };
        let end = newest.end().offset;
        if unwanted == segments.len() {
            let _writer = shared.writer.lock();
            shared.progress.check()?;
            if shared.end_offset() > end {
                // Somebody appended meanwhile: the last one stays.
                let gone = shared.move_start(newest.base_offset());
                return self.remove_all(&gone);
            }
            shared.roll()?;
            self.flusher.schedule(shared);
        }
        let gone = shared.move_start(end);
        self.remove_all(&gone)
    }

    /// Removes what an earlier process left of segments before the start.
    pub(super) fn remove_what_is_left(&self) -> Result<usize, LogError> {
        self.remove_all(&self.shared.move_start(self.start_offset()))
    }

    /// The oldest first: after a crash what is left has no gap.
    fn remove_all(&self, segments: &[Arc<Segment>]) -> Result<usize, LogError> {
        for segment in segments {
            segment.remove(&self.shared.home)?;
        }
        Ok(segments.len())
    }
}

impl Retention {
    /// Whether a segment is to go when `rest` bytes are left without it.
    fn drops(&self, segment: &Segment, rest: u64, now: i64) -> bool {
        let is_old = self.milliseconds.is_some_and(|most| {
            segment.age_timestamp().is_some_and(|newest| now.saturating_sub(newest) > most)
        });
        is_old || self.bytes.is_some_and(|wanted| rest >= wanted)
    }
}
