//! Compacting a log, as much of it as fits into memory at once.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use schloss_log::{LogError, SegmentView};
use schloss_wire::records::{BatchError, BatchHeader, RecordError};
use thiserror::Error;

use super::filter::{Filter, Kept};
use super::log::CleanableLog;
use super::offset_map::OffsetMap;
use super::policy::{Dirty, Policy};
use super::transactions::{AbortedRecords, Unended};
use crate::producers::LastRecord;
use crate::records::decode;

/// Read at once, in bytes.
const READ_BYTES: usize = 1024 * 1024;

/// What has to be known beside the log.
pub(crate) struct Surroundings<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) aborted: AbortedRecords,
    pub(crate) producers: HashMap<i64, LastRecord>,
    /// Keys that are held in memory at once.
    pub(crate) max_keys: usize,
    /// In milliseconds since the epoch.
    pub(crate) now_ms: i64,
    /// Told how many bytes are about to be read or written; it may take its time.
    pub(crate) pace: &'a dyn Fn(usize) -> Result<(), Stopped>,
    /// Told the offsets of markers before they are gone.
    pub(crate) forget_markers: &'a dyn Fn(&[i64]),
}

/// The broker is going down.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the broker is going down")]
pub(crate) struct Stopped;

/// Why a log was not compacted. What was done so far stays done.
#[derive(Debug, Error)]
pub(crate) enum CleanError {
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// By retention, or by who deletes records. It goes on the next time.
    #[error("segments were removed meanwhile")]
    Changed,
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("a batch can't be read: {0}")]
    Batch(#[from] BatchError),
    #[error("what stays of a batch can't be written: {0}")]
    Record(#[from] RecordError),
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Cleaned {
    /// Up to this offset the log is compacted now.
    pub(crate) to: i64,
    /// Bytes of the segments looked at.
    pub(crate) bytes_before: u64,
    /// Bytes of batches that stayed of them.
    pub(crate) bytes_after: u64,
    pub(crate) segments_before: usize,
    pub(crate) segments_after: usize,
    /// Batches that can't be decoded, which stay as they are.
    pub(crate) unreadable: u64,
}

/// Compacts the log from its start up to `dirty.end`, or as far as the keys of the records from `dirty.start` on
/// fit into memory; notes how far.
pub(crate) fn compact(
    log: &dyn CleanableLog,
    dirty: &Dirty,
    around: &Surroundings<'_>,
) -> Result<Cleaned, CleanError> {
    let keys = newest_records(log, dirty, around)?;
    let mut filter = Filter {
        keys: &keys,
        aborted: &around.aborted,
        producers: &around.producers,
        now_ms: around.now_ms,
        delete_retention_ms: around.policy.delete_retention_ms,
        unended: Unended::default(),
        removed_markers: Vec::new(),
        unreadable: 0,
    };
    let mut cleaned = Cleaned { to: keys.end(), ..Cleaned::default() };
    let mut segments = log.segments();
    segments.retain(|segment| segment.end_offset <= dirty.end);
    for group in around.policy.groups(&segments, keys.end()) {
        rewrite(log, &group, &mut filter, around, &mut cleaned)?;
    }
    cleaned.unreadable = filter.unreadable;
    log.set_cleaned_to(cleaned.to)?;
    Ok(cleaned)
}

/// Walks over the records that are not compacted yet.
fn newest_records(
    log: &dyn CleanableLog,
    dirty: &Dirty,
    around: &Surroundings<'_>,
) -> Result<OffsetMap, CleanError> {
    let mut keys = OffsetMap::new(dirty.start, around.max_keys);
    walk(log, dirty.start..dirty.end, around, |header, batch| {
        if keys.is_full() {
            return Ok(false);
        }
        if !header.is_control() && header.record_count > 0 && !around.aborted.contain(header) {
            // What can't be decoded is left as it is later.
            for record in decode(&batch).map(|batch| batch.records).unwrap_or_default() {
                let offset = header.base_offset + i64::from(record.offset_delta);
                if let Some(key) =
                    record.key.filter(|_| offset >= dirty.start && offset <= header.last_offset())
                {
                    keys.put(&key, offset);
                }
            }
        }
        keys.reach(header.last_offset() + 1);
        Ok(true)
    })?;
    if !keys.is_full() {
        keys.reach(dirty.end);
    }
    Ok(keys)
}

/// Makes one segment of a group of them.
fn rewrite(
    log: &dyn CleanableLog,
    group: &[SegmentView],
    filter: &mut Filter<'_>,
    around: &Surroundings<'_>,
    cleaned: &mut Cleaned,
) -> Result<(), CleanError> {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(()) };
    let range = first.base_offset..last.end_offset;
    let mut new = log.rewrite(range.clone())?;
    let (mut changed, mut bytes) = (group.len() > 1, 0);
    filter.removed_markers.clear();
    walk(log, range.clone(), around, |header, batch| {
        // The last one stays, be it empty, so that a segment ends where the next one begins.
        let stays = header.last_offset() + 1 >= range.end;
        let (header, batch) = match filter.batch(header, &batch, stays)? {
            Kept::Whole => (*header, batch),
            Kept::As(header, batch) => {
                changed = true;
                (header, batch)
            }
            Kept::Nothing => {
                changed = true;
                return Ok(true);
            }
        };
        (around.pace)(batch.len())?;
        bytes += batch.len() as u64;
        new.append(&header, &batch)?;
        Ok(true)
    })?;
    cleaned.bytes_before += group.iter().map(|segment| segment.bytes).sum::<u64>();
    cleaned.bytes_after += bytes;
    cleaned.segments_before += group.len();
    cleaned.segments_after += 1;
    if changed {
        (around.forget_markers)(&filter.removed_markers);
        if !new.commit(!filter.removed_markers.is_empty())? {
            return Err(CleanError::Changed);
        }
    }
    Ok(())
}

/// Shows `each` the batches in `range`, until it says false.
fn walk(
    log: &dyn CleanableLog,
    range: Range<i64>,
    around: &Surroundings<'_>,
    mut each: impl FnMut(&BatchHeader, Bytes) -> Result<bool, CleanError>,
) -> Result<(), CleanError> {
    let mut next = range.start;
    while next < range.end {
        let mut batches = log.read(next, READ_BYTES)?;
        (around.pace)(batches.len())?;
        if batches.is_empty() {
            break;
        }
        while !batches.is_empty() {
            let header = BatchHeader::parse(&batches)?;
            let (needed, have) = (header.total_bytes, batches.len());
            if needed > have {
                return Err(BatchError::Truncated { needed, have }.into());
            }
            let batch = batches.split_to(needed);
            next = header.last_offset() + 1;
            if header.base_offset >= range.end || !each(&header, batch)? {
                return Ok(());
            }
        }
    }
    Ok(())
}
