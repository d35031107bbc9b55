//! Walking over what a segment's index does not hold.

use super::Recovery;
use crate::frames::{Frame, Frames};
use crate::index::Place;
use crate::segment::{Home, Segment};
use crate::{LogConfig, LogError};
use schloss_wire::records::BatchHeader;

/// Loads the index, as far as it is of use; returns how many bytes of the segment it covers.
pub(super) fn open_index(
    home: &Home,
    segment: &Segment,
    trusted: u64,
    is_last: bool,
    recovery: &mut Recovery,
) -> u64 {
    let loaded = segment.load_index(home);
    if loaded == Some(false) || (loaded.is_none() && !is_last) {
        tracing::warn!(segment = %segment.path().display(), "index missing or damaged, made anew");
        recovery.rebuilt_indexes += 1;
    }
    segment.index(|index| {
        // It is no proof that what it covers is on disk.
        index.cut(trusted);
        index.end().position
    })
}

/// Opens the batches that the index does not hold, and adds them to it. Returns why the segment is torn, if it
/// is: what was known to be on disk can't be, and is an error.
pub(super) fn scan(segment: &Segment, trusted: u64, config: &LogConfig) -> Result<Option<String>, LogError> {
    let mut frames = segment.frames_from(segment.end().position);
    let mut batch = Vec::new();
    loop {
        let due = segment.end();
        let is_known = due.position < trusted;
        match step(segment, &mut frames, &mut batch, due, is_known, config) {
            Ok(None) => return Ok(None),
            Ok(Some((frame, header))) => {
                let stored = segment.frame_bytes(frame.prefix.batch_bytes) as u64;
                segment.index(|index| index.add(&header, stored, config.index_interval_bytes));
            }
            Err(LogError::Corrupt { reason, .. }) if due.position >= trusted => return Ok(Some(reason)),
            Err(error) => return Err(error),
        }
    }
}

fn step(
    segment: &Segment,
    frames: &mut Frames<'_>,
    batch: &mut Vec<u8>,
    due: Place,
    is_known: bool,
    config: &LogConfig,
) -> Result<Option<(Frame, BatchHeader)>, LogError> {
    let Some(frame) = frames.next()? else { return Ok(None) };
    let damaged = |reason| segment.corrupt(frame.position, reason);
    // Before it is opened: most of what is not whole shows here. Compaction leaves gaps, in what is on disk.
    let found = frame.prefix.base_offset;
    if found != due.offset && !(is_known && found > due.offset) {
        return Err(damaged(format!("a batch with offset {found} where {} is due", due.offset)));
    }
    batch.resize(frame.prefix.batch_bytes, 0);
    let header = if is_known { frames.open(&frame, batch)? } else { frames.open_in_doubt(&frame, batch)? };
    if header.last_offset_delta < 0 {
        return Err(damaged(format!("last offset delta {}", header.last_offset_delta)));
    }
    if !(0..=config.leader_epoch).contains(&header.partition_leader_epoch) {
        return Err(damaged(format!("leader epoch {} was never used", header.partition_leader_epoch)));
    }
    Ok(Some((frame, header)))
}
