//! Telling somebody of the batches that are in a log.

use std::sync::Arc;

use crate::LogError;
use crate::damage::Teller;
use crate::segment::{Home, Segment};
use crate::snapshot::{Replay, Snapshot};

/// Shows `to` what the snapshot holds, and then every batch that it does not stand for; returns how many.
///
/// A batch that is damaged is told of and left out: who reads it gets an error, and the others are served.
pub(crate) fn replay(
    home: &Home,
    segments: &[Arc<Segment>],
    teller: &Teller,
    to: &mut dyn Replay,
) -> Result<u64, LogError> {
    let end = segments.last().map_or(0, |last| last.end().offset);
    let mut snapshot = Snapshot::load(home)?;
    if snapshot.as_ref().is_some_and(|snapshot| snapshot.offset > end) {
        // It knows of batches that were lost. Others will take their offsets.
        Snapshot::remove(home)?;
        snapshot = None;
    }
    let from = match snapshot {
        Some(snapshot) if to.restore(&snapshot.content) => snapshot.offset,
        _ => i64::MIN,
    };
    let mut count = 0;
    for segment in segments.iter().filter(|segment| segment.end().offset > from) {
        count += show(segment, from, teller, to)?;
    }
    Ok(count)
}

fn show(segment: &Segment, from: i64, teller: &Teller, to: &mut dyn Replay) -> Result<u64, LogError> {
    let start = segment.index(|index| index.before_offset(from));
    let mut frames = segment.frames_from(start.position);
    let mut batch = Vec::new();
    let mut count = 0;
    loop {
        let frame = match frames.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(count),
            // Where the next batch begins is not known.
            Err(error @ LogError::Corrupt { .. }) => {
                teller.tell(&error);
                return Ok(count);
            }
            Err(error) => return Err(error),
        };
        batch.resize(frame.prefix.batch_bytes, 0);
        match frames.open(&frame, &mut batch) {
            Ok(header) if header.last_offset() < from => {}
            Ok(header) => {
                to.batch(&header, &batch);
                count += 1;
            }
            Err(error @ LogError::Corrupt { .. }) => teller.tell(&error),
            Err(error) => return Err(error),
        }
    }
}
