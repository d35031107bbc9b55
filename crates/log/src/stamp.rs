//! The header that a batch is stored with.

use bytes::Bytes;
use schloss_wire::records::{BATCH_HEADER_BYTES, BatchHeader, PATCHED_BYTES, patched_prefix};

/// A batch with its place in the log: a header of its own, the rest as it came.
pub(crate) struct Placed {
    pub(crate) header: BatchHeader,
    pub(crate) head: [u8; BATCH_HEADER_BYTES],
    pub(crate) rest: Bytes,
}

// What `LogAppendTime` changes of a batch header of magic 2 (Kafka protocol, "Record Batch").
const CRC: std::ops::Range<usize> = 17..21;
const ATTRIBUTES_LOW_BYTE: usize = 22;
const MAX_TIMESTAMP: std::ops::Range<usize> = 35..43;
const LOG_APPEND_TIME_BIT: u8 = 0x08;

impl Placed {
    /// Gives `batch` its place. `None` if the bytes are not those of `header`.
    ///
    /// With `log_append_time` (milliseconds since the epoch) the batch is stamped and its CRC made anew.
    pub(crate) fn new(
        header: &BatchHeader,
        batch: &Bytes,
        base_offset: i64,
        leader_epoch: i32,
        log_append_time: Option<i64>,
    ) -> Option<Self> {
        if batch.len() != header.total_bytes {
            return None;
        }
        let mut head = *batch.first_chunk::<BATCH_HEADER_BYTES>()?;
        head[..PATCHED_BYTES].copy_from_slice(&patched_prefix(batch, base_offset, leader_epoch)?);
        let rest = batch.slice(BATCH_HEADER_BYTES..);
        if let Some(now) = log_append_time {
            head[ATTRIBUTES_LOW_BYTE] |= LOG_APPEND_TIME_BIT;
            head[MAX_TIMESTAMP].copy_from_slice(&now.to_be_bytes());
            let crc = crc32c::crc32c_append(crc32c::crc32c(&head[CRC.end..]), &rest);
            head[CRC].copy_from_slice(&crc.to_be_bytes());
        }
        let header = BatchHeader::parse(&head).ok()?;
        Some(Self { header, head, rest })
    }
}

#[cfg(test)]
mod tests {
    use schloss_wire::records::check_batch;

    use super::*;
    use crate::testing::batch;

    fn bytes(placed: &Placed) -> Vec<u8> {
        [&placed.head[..], &placed.rest].concat()
    }

    #[test]
    fn a_batch_keeps_its_bytes_but_for_place_and_epoch() {
        let (header, batch) = batch(3, 20, 1_000);
        let placed = Placed::new(&header, &batch, 77, 5, None).unwrap();
        let stored = check_batch(&bytes(&placed)).unwrap();
        assert_eq!(stored, BatchHeader { base_offset: 77, partition_leader_epoch: 5, ..header });
        assert_eq!(placed.rest, batch[BATCH_HEADER_BYTES..]);
    }

    #[test]
    fn a_stamped_batch_says_so_and_its_crc_is_true() {
        let (header, batch) = batch(3, 20, 1_000);
        let placed = Placed::new(&header, &batch, 0, 0, Some(9_000)).unwrap();
        let stored = check_batch(&bytes(&placed)).unwrap();
        assert!(stored.is_log_append_time());
        assert_eq!((stored.max_timestamp, stored.base_timestamp), (9_000, header.base_timestamp));
    }

    #[test]
    fn bytes_that_do_not_fit_their_header_are_refused() {
        let (header, batch) = batch(1, 20, 1_000);
        assert!(Placed::new(&header, &batch.slice(..batch.len() - 1), 0, 0, None).is_none());
    }
}
