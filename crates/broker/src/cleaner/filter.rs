//! What stays of one batch when its log is compacted.
//!
//! The rules are Kafka's (`Cleaner`, `MemoryRecords.filterTo`, KIP-534): of each key the newest record stays, a
//! delete marker stays until the batch's delete horizon. The horizon is set by the first compaction that meets
//! the marker and written into the batch: attribute bit 6, and the base timestamp is the horizon. Offsets never
//! change.

use std::collections::HashMap;

use bytes::Bytes;
use schloss_wire::records::{BatchHeader, Compression, Record, RecordBatch, RecordError, TimestampType};

use super::offset_map::OffsetMap;
use super::transactions::{AbortedRecords, Unended};
use crate::producers::LastRecord;
use crate::records::{decode, encode};

/// What stays of a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kept {
    /// All of it, as it is.
    Whole,
    /// This in its place, with the same offsets.
    As(BatchHeader, Bytes),
    Nothing,
}

/// Decides about the batches of a log, one after the other, from its start on.
pub(crate) struct Filter<'a> {
    pub(crate) keys: &'a OffsetMap,
    pub(crate) aborted: &'a AbortedRecords,
    /// The last batch of each producer stays, be it empty, so that a restart knows its sequence.
    pub(crate) producers: &'a HashMap<i64, LastRecord>,
    /// In milliseconds since the epoch.
    pub(crate) now_ms: i64,
    /// How long delete markers stay at least from now on, in milliseconds (`delete.retention.ms`).
    pub(crate) delete_retention_ms: i64,
    pub(crate) unended: Unended,
    /// Offsets of the markers of transactions that did not stay.
    pub(crate) removed_markers: Vec<i64>,
    /// Batches that can't be decoded, which stay as they are.
    pub(crate) unreadable: u64,
}

impl Filter<'_> {
    /// Decides about the next batch. With `stays` its offsets stay taken, if need be by an empty batch.
    ///
    /// # Errors
    /// What stays can't be encoded.
    pub(crate) fn batch(
        &mut self,
        header: &BatchHeader,
        batch: &Bytes,
        stays: bool,
    ) -> Result<Kept, RecordError> {
        let ends_nothing = self.unended.ends_nothing(header);
        let stays = stays || self.is_last_of_producer(header);
        if header.record_count == 0 {
            return Ok(if stays { Kept::Whole } else { Kept::Nothing });
        }
        if header.is_control() && !ends_nothing {
            return Ok(Kept::Whole);
        }
        let discarded = self.aborted.contain(header);
        let decoded = match decode(batch) {
            Ok(decoded) if are_ordered(&decoded) => decoded,
            _ if discarded && !stays => return Ok(Kept::Nothing),
            // To keep too much is the mistake that can be mended.
            _ => {
                self.unreadable += 1;
                return Ok(Kept::Whole);
            }
        };
        if header.is_control() {
            self.marker(decoded, stays)
        } else {
            self.records(header, decoded, discarded, stays)
        }
    }

    /// A marker of a transaction that has nothing left in the log.
    fn marker(&mut self, batch: RecordBatch, stays: bool) -> Result<Kept, RecordError> {
        match horizon(&batch) {
            None => rebuilt(batch, Some(self.new_horizon())),
            Some(horizon) if self.now_ms < horizon => Ok(Kept::Whole),
            Some(_) => {
                self.removed_markers.push(batch.base_offset);
                emptied(batch, stays)
            }
        }
    }

    fn records(
        &self,
        header: &BatchHeader,
        mut batch: RecordBatch,
        discarded: bool,
        stays: bool,
    ) -> Result<Kept, RecordError> {
        let horizon = horizon(&batch);
        let markers_stay = horizon.is_none_or(|horizon| self.now_ms < horizon);
        let before = batch.records.len();
        let base_offset = header.base_offset;
        batch.records.retain(|record| !discarded && self.keeps(record, base_offset, markers_stay));
        if batch.records.is_empty() {
            return emptied(batch, stays);
        }
        let has_markers = batch.records.iter().any(|record| record.value.is_none());
        let new_horizon = (has_markers && horizon.is_none()).then(|| self.new_horizon());
        if batch.records.len() == before && new_horizon.is_none() {
            return Ok(Kept::Whole);
        }
        rebuilt(batch, new_horizon)
    }

    fn keeps(&self, record: &Record, base_offset: i64, markers_stay: bool) -> bool {
        let offset = base_offset + i64::from(record.offset_delta);
        if offset >= self.keys.end() {
            return true;
        }
        // A record without a key is from before the topic was compacted.
        let Some(key) = &record.key else { return false };
        (record.value.is_some() || markers_stay) && !self.keys.supersedes(key, offset)
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        let last = self.producers.get(&header.producer_id).filter(|_| header.is_idempotent());
        last.is_some_and(|last| match last.offset {
            Some(offset) => header.last_offset() == offset,
            None => header.is_control() && header.producer_epoch == last.epoch,
        })
    }

    const fn new_horizon(&self) -> i64 {
        self.now_ms.saturating_add(self.delete_retention_ms)
    }
}

/// Whether the records lie within the batch, in order. Producers can lie about that.
fn are_ordered(batch: &RecordBatch) -> bool {
    let within = |record: &Record| (0..=batch.last_offset_delta).contains(&record.offset_delta);
    batch.records.iter().all(within)
        && batch.records.is_sorted_by(|one, other| one.offset_delta < other.offset_delta)
}

fn horizon(batch: &RecordBatch) -> Option<i64> {
    batch.has_delete_horizon.then_some(batch.base_timestamp)
}

/// The batch with the records that it has now.
fn rebuilt(mut batch: RecordBatch, new_horizon: Option<i64>) -> Result<Kept, RecordError> {
    if batch.timestamp_type == TimestampType::CreateTime {
        let stamps =
            batch.records.iter().map(|record| batch.base_timestamp.saturating_add(record.timestamp_delta));
        batch.max_timestamp = stamps.max().unwrap_or(batch.max_timestamp);
    }
    if let Some(horizon) = new_horizon {
        let moved = batch.base_timestamp.saturating_sub(horizon);
        for record in &mut batch.records {
            record.timestamp_delta = record.timestamp_delta.saturating_add(moved);
        }
        batch.base_timestamp = horizon;
        batch.has_delete_horizon = true;
    }
    encoded(&batch)
}

/// A batch without records, or nothing.
fn emptied(batch: RecordBatch, stays: bool) -> Result<Kept, RecordError> {
    if !stays {
        return Ok(Kept::Nothing);
    }
    encoded(&RecordBatch {
        records: Vec::new(),
        compression: Compression::None,
        has_delete_horizon: false,
        base_timestamp: batch.max_timestamp,
        ..batch
    })
}

fn encoded(batch: &RecordBatch) -> Result<Kept, RecordError> {
    let bytes = encode(batch)?;
    let header = BatchHeader::parse(&bytes).map_err(|_| RecordError::UnsupportedMagic { magic: 0 })?;
    Ok(Kept::As(header, bytes))
}
