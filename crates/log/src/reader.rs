//! Reading a log: batches by offset, records by time.

use std::sync::Arc;

use bytes::Bytes;
use schloss_wire::DecodeLimits;
use schloss_wire::records::{BatchHeader, RecordDecodeLimits, decode_batch};

use crate::LogError;
use crate::checkpoint::Checkpoint;
use crate::partition::{PartitionLog, Shared};
use crate::segment::Segment;

/// Largest batch, compressed or not, that is decoded to find one record in it, in bytes.
const MAX_DECODED_BYTES: usize = 64 * 1024 * 1024;
/// Most records of such a batch.
const MAX_DECODED_RECORDS: usize = 1_000_000;

impl PartitionLog {
    /// Whole batches from the one that holds `offset` on, below the high watermark, at most `max_bytes`, or
    /// one batch of any size if `at_least_one`. Empty if there is none. The first batch may begin before
    /// `offset`. Ends with a segment, so more may follow than `max_bytes` kept out.
    ///
    /// # Errors
    /// [`LogError::OffsetOutOfRange`] before the start or after the end, [`LogError::Corrupt`], the system's.
    pub fn read(&self, offset: i64, max_bytes: usize, at_least_one: bool) -> Result<Bytes, LogError> {
        let read = || {
            for (segment, limit) in self.holders(offset)? {
                if let Some(batches) = segment.read(offset, limit, max_bytes, at_least_one)? {
                    return Ok(batches);
                }
            }
            Ok(Bytes::new())
        };
        read().inspect_err(|error| self.shared().teller.tell(error))
    }

    /// As [`read`](Self::read), where that takes next to no time: `None` if there is more than a little to read, or if
    /// the disk is needed.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_without_waiting(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<Bytes>, LogError> {
        let read = || {
            for (segment, limit) in self.holders(offset)? {
                match segment.read_without_waiting(offset, limit, max_bytes, at_least_one)? {
                    None => return Ok(None),
                    Some(None) => {}
                    Some(batches) => return Ok(batches),
                }
            }
            Ok(Some(Bytes::new()))
        };
        read().inspect_err(|error| self.shared().teller.tell(error))
    }

    /// The segments that may hold the first batch from `offset` on, with how many bytes of each are below the high
    /// watermark.
    fn holders(&self, offset: i64) -> Result<Vec<(Arc<Segment>, u64)>, LogError> {
        let (start, end) = (self.start_offset(), self.end_offset());
        if offset < start || offset > end {
            return Err(LogError::OffsetOutOfRange { offset, start, end });
        }
        let visible = self.shared().visible();
        if offset >= visible.offset {
            return Ok(Vec::new());
        }
        let segments = self.shared().segments_from(offset).into_iter();
        Ok(segments.map(|segment| (Arc::clone(&segment), limit(&segment, &visible))).collect())
    }

    /// Offset and timestamp (milliseconds) of the first record at or after `timestamp_ms`, below the high
    /// watermark.
    ///
    /// If its batch can't be decoded within bounds, the offset of the batch stands for it: it is not after
    /// the record.
    ///
    /// # Errors
    /// The system's, or damage.
    pub fn offset_for_time(&self, timestamp_ms: i64) -> Result<Option<(i64, i64)>, LogError> {
        let shared = self.shared();
        let (visible, segments) = shared.visible_segments();
        let start = self.start_offset();
        let find = || {
            for segment in segments {
                let found =
                    segment.first_at_time(timestamp_ms, limit(&segment, &visible), |header, batch| {
                        first_record(header, batch, timestamp_ms, start)
                    })?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        };
        find().inspect_err(|error| shared.teller.tell(error))
    }

    /// Offset and timestamp (milliseconds) of the first record with the largest timestamp. `None` as long as
    /// that is not below the high watermark, as in Kafka.
    ///
    /// # Errors
    /// The system's, or damage.
    pub fn max_timestamp(&self) -> Result<Option<(i64, i64)>, LogError> {
        let (_, segments) = self.shared().visible_segments();
        match segments.iter().filter_map(|segment| segment.newest_timestamp()).max() {
            Some(newest) => self.offset_for_time(newest),
            None => Ok(None),
        }
    }
}

impl Shared {
    /// The segment that holds `offset`, and the one after it.
    fn segments_from(&self, offset: i64) -> Vec<Arc<Segment>> {
        let segments = self.segments();
        let count = segments.partition_point(|segment| segment.base_offset() <= offset);
        segments.iter().skip(count.saturating_sub(1)).take(2).map(Arc::clone).collect()
    }

    /// The segments that hold something below the high watermark.
    fn visible_segments(&self) -> (Checkpoint, Vec<Arc<Segment>>) {
        let visible = self.visible();
        let segments = self.segments();
        let count = segments.partition_point(|segment| segment.base_offset() < visible.offset);
        (visible, segments[..count].to_vec())
    }
}

/// How many bytes of `segment` are below the high watermark.
fn limit(segment: &Segment, visible: &Checkpoint) -> u64 {
    if segment.base_offset() < visible.segment { segment.size() } else { visible.position }
}

/// Offset and timestamp of the first record of a batch at or after `timestamp`, which the batch is known to
/// have, and at or after offset `start`.
fn first_record(header: &BatchHeader, batch: Bytes, timestamp: i64, start: i64) -> Option<(i64, i64)> {
    if header.last_offset() < start {
        return None;
    }
    let fallback = Some((header.base_offset.max(start), header.max_timestamp));
    if header.is_log_append_time() || header.record_count == 1 {
        return fallback;
    }
    let mut limits = DecodeLimits::default();
    limits.max_array_elements = MAX_DECODED_RECORDS;
    let limits = RecordDecodeLimits::new(MAX_DECODED_BYTES, MAX_DECODED_BYTES, limits);
    let Ok(decoded) = decode_batch(&batch, limits) else { return fallback };
    let placed = decoded.records.iter().map(|record| {
        let offset = decoded.base_offset.saturating_add(i64::from(record.offset_delta));
        (offset, decoded.base_timestamp.saturating_add(record.timestamp_delta))
    });
    placed.into_iter().find(|(offset, time)| *time >= timestamp && *offset >= start)
}
