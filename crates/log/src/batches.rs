//! A walk over the batches of a segment.

use schloss_wire::records::{BATCH_HEADER_BYTES, BatchHeader, check_batch};

use crate::LogError;
use crate::index::Place;
use crate::segment::Segment;

/// What a walk checks of each batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Check {
    /// That its header continues the log.
    Header,
    /// Its CRC as well, and that its leader epoch, which the CRC does not cover, is one that was used.
    Whole {
        /// The newest epoch.
        leader_epoch: i32,
    },
}

/// The batches of a segment from one place on, each with its position.
pub(crate) struct Batches<'a> {
    segment: &'a Segment,
    next: Place,
    end: u64,
    check: Check,
    read_ahead: usize,
    /// Bytes of the segment from `buffered_from` on.
    buffer: Vec<u8>,
    buffered_from: u64,
}

impl<'a> Batches<'a> {
    /// Walks from `start` to position `end`, reading at least `read_ahead` bytes at a time if there are as many.
    pub(crate) const fn new(
        segment: &'a Segment,
        start: Place,
        end: u64,
        check: Check,
        read_ahead: usize,
    ) -> Self {
        Self { segment, next: start, end, check, read_ahead, buffer: Vec::new(), buffered_from: 0 }
    }

    /// The next batch; `None` at the end.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] with the position where it is, or the system's error.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, BatchHeader)>, LogError> {
        let at = self.next.position;
        if at >= self.end {
            return Ok(None);
        }
        let damaged = |reason: String| self.segment.corrupt(at, reason);
        let left = usize::try_from(self.end - at).unwrap_or(usize::MAX);
        if left < BATCH_HEADER_BYTES {
            return Err(damaged(format!("{left} bytes are no whole batch header")));
        }
        let header = BatchHeader::parse(self.bytes(at, BATCH_HEADER_BYTES)?)
            .map_err(|error| self.segment.corrupt(at, error.to_string()))?;
        self.continues(&header).map_err(|reason| self.segment.corrupt(at, reason))?;
        if header.total_bytes > left {
            let reason = format!("a batch of {} bytes begins where {left} are left", header.total_bytes);
            return Err(self.segment.corrupt(at, reason));
        }
        if let Check::Whole { leader_epoch } = self.check {
            check_batch(self.bytes(at, header.total_bytes)?)
                .map_err(|error| self.segment.corrupt(at, error.to_string()))?;
            if !(0..=leader_epoch).contains(&header.partition_leader_epoch) {
                let reason = format!("leader epoch {} was never used", header.partition_leader_epoch);
                return Err(self.segment.corrupt(at, reason));
            }
        }
        self.next = Place {
            position: at + header.total_bytes as u64,
            offset: header.last_offset().saturating_add(1),
        };
        Ok(Some((at, header)))
    }

    /// What follows the last batch seen.
    pub(crate) const fn place(&self) -> Place {
        self.next
    }

    /// Whether a batch is the one due here. Offsets have no gaps as long as nothing compacts the log.
    fn continues(&self, header: &BatchHeader) -> Result<(), String> {
        if header.base_offset != self.next.offset {
            return Err(format!(
                "a batch with offset {} where {} is due",
                header.base_offset, self.next.offset
            ));
        }
        if header.last_offset_delta < 0 {
            return Err(format!("last offset delta {}", header.last_offset_delta));
        }
        Ok(())
    }

    fn bytes(&mut self, at: u64, length: usize) -> Result<&[u8], LogError> {
        let buffered_to = self.buffered_from + self.buffer.len() as u64;
        if at < self.buffered_from || at + length as u64 > buffered_to {
            let left = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            self.buffer.clear();
            self.segment.read_into(at, length.max(self.read_ahead).min(left), &mut self.buffer)?;
            self.buffered_from = at;
        }
        let from = usize::try_from(at - self.buffered_from).unwrap_or(usize::MAX);
        Ok(self.buffer.get(from..from.saturating_add(length)).unwrap_or_default())
    }
}
