//! The header that a batch is stored with.

use bytes::Bytes;
use schloss_wire::records::{BatchHeader, patched_prefix};

use crate::frame::PREFIX_BYTES;

/// A batch with its place in the log: a prefix of its own, the rest as it came.
pub(crate) struct Placed {
    pub(crate) header: BatchHeader,
    pub(crate) prefix: [u8; PREFIX_BYTES],
    pub(crate) body: Bytes,
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
        let prefix: [u8; PREFIX_BYTES] = patched_prefix(batch, base_offset, leader_epoch)?;
        let mut header = BatchHeader { base_offset, partition_leader_epoch: leader_epoch, ..*header };
        let mut body = batch.slice(PREFIX_BYTES..);
        if let Some(now) = log_append_time {
            let mut stamped = batch.to_vec();
            stamped.get_mut(ATTRIBUTES_LOW_BYTE).map(|byte| *byte |= LOG_APPEND_TIME_BIT)?;
            stamped.get_mut(MAX_TIMESTAMP)?.copy_from_slice(&now.to_be_bytes());
            let crc = crc32c::crc32c(stamped.get(CRC.end..)?);
            stamped.get_mut(CRC)?.copy_from_slice(&crc.to_be_bytes());
            stamped.get_mut(..PREFIX_BYTES)?.copy_from_slice(&prefix);
            header = BatchHeader::parse(&stamped).ok()?;
            body = Bytes::from(stamped).slice(PREFIX_BYTES..);
        }
        Some(Self { header, prefix, body })
    }

    /// Bytes of the batch.
    pub(crate) fn bytes(&self) -> usize {
        PREFIX_BYTES + self.body.len()
    }
}

#[cfg(test)]
mod tests {
    use schloss_wire::records::check_batch;

    use super::*;
    use crate::testing::batch;

    fn bytes(placed: &Placed) -> Vec<u8> {
        [&placed.prefix[..], &placed.body].concat()
    }

    #[test]
    fn a_batch_keeps_its_bytes_but_for_place_and_epoch() {
        let (header, batch) = batch(3, 20, 1_000);
        let placed = Placed::new(&header, &batch, 77, 5, None).unwrap();
        let stored = check_batch(&bytes(&placed)).unwrap();
        assert_eq!(stored, BatchHeader { base_offset: 77, partition_leader_epoch: 5, ..header });
        assert_eq!((stored, placed.body.as_ptr()), (placed.header, batch[PREFIX_BYTES..].as_ptr()));
        assert_eq!(placed.body, batch[PREFIX_BYTES..]);
    }

    #[test]
    fn a_stamped_batch_says_so_and_its_crc_is_true() {
        let (header, batch) = batch(3, 20, 1_000);
        let placed = Placed::new(&header, &batch, 0, 0, Some(9_000)).unwrap();
        let stored = check_batch(&bytes(&placed)).unwrap();
        assert!(stored.is_log_append_time());
        assert_eq!(stored, placed.header);
        assert_eq!((stored.max_timestamp, stored.base_timestamp), (9_000, header.base_timestamp));
    }

    #[test]
    fn bytes_that_do_not_fit_their_header_are_refused() {
        let (header, batch) = batch(1, 20, 1_000);
        assert!(Placed::new(&header, &batch.slice(..batch.len() - 1), 0, 0, None).is_none());
    }
}
