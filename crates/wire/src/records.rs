//! Record batches (magic 2), looked at without decoding their records.

use bytes::Bytes;
use thiserror::Error;

pub use crate::raw_snappy::{decode_batch, decode_next_batch};
pub use kafka_wire_records::{
    Compression, Record, RecordBatch, RecordBatchDecode, RecordDecodeLimits, RecordEncodeLimits, RecordError,
    RecordHeader, TimestampType,
};

/// Bytes of a batch header; the records follow.
pub const BATCH_HEADER_BYTES: usize = 61;
/// Bytes before the part that the batch's length counts: base offset and length.
pub const BATCH_PREFIX_BYTES: usize = 12;
/// Where the bytes that the CRC covers begin. What stands before (offset, length, leader epoch, magic, CRC)
/// can be set by a broker without touching the CRC.
pub(crate) const CRC_START: usize = 21;
/// A record in its smallest form: length, attributes, two deltas, two nulls, no headers.
const MIN_RECORD_BYTES: usize = 7;

pub(crate) const COMPRESSION_MASK: i16 = 0x07;
const TIMESTAMP_TYPE_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;

/// The header of one batch, by value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes of the whole batch, prefix included.
    pub total_bytes: usize,
    /// Leader epoch at append.
    pub partition_leader_epoch: i32,
    /// CRC-32C that the batch declares.
    pub crc: u32,
    /// The attribute bits.
    pub attributes: i16,
    /// Offset of the last record relative to the first.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, in milliseconds since the epoch.
    pub base_timestamp: i64,
    /// Largest timestamp, in milliseconds since the epoch.
    pub max_timestamp: i64,
    /// Producer id, -1 without idempotence.
    pub producer_id: i64,
    /// Producer epoch.
    pub producer_epoch: i16,
    /// Sequence number of the first record, -1 without idempotence.
    pub base_sequence: i32,
    /// Number of records that the batch declares.
    pub record_count: i32,
}

/// Why bytes are no acceptable record batch.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BatchError {
    /// Fewer bytes than a header, or than the batch says it has.
    #[error("batch is cut short: {needed} bytes needed, {have} there")]
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes present.
        have: usize,
    },
    /// The length is too small to hold a header.
    #[error("batch length {0} is impossible")]
    BadLength(i32),
    /// A format older or newer than magic 2.
    #[error("record format magic {0} is not supported, only 2 is")]
    UnsupportedMagic(i8),
    /// The bytes don't hash to the declared CRC.
    #[error("CRC-32C mismatch: batch says {declared:08x}, its bytes give {actual:08x}")]
    BadCrc {
        /// What the batch says.
        declared: u32,
        /// What its bytes give.
        actual: u32,
    },
    /// The record count and the last offset, or the count and the bytes, contradict each other.
    #[error("batch declares {count} records, last offset delta {last_offset_delta}, {bytes} record bytes")]
    LyingCount {
        /// Declared record count.
        count: i32,
        /// Declared last offset delta.
        last_offset_delta: i32,
        /// Bytes of the record part.
        bytes: usize,
    },
    /// No such compression.
    #[error("compression codec {0} is unknown")]
    UnknownCompression(i16),
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`; the rest of the batch need not be there.
    ///
    /// # Errors
    /// Fewer than [`BATCH_HEADER_BYTES`], an impossible length, or another magic.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(header) = bytes.first_chunk::<BATCH_HEADER_BYTES>() else {
            return Err(BatchError::Truncated { needed: BATCH_HEADER_BYTES, have: bytes.len() });
        };
        let length = i32::from_be_bytes(at(header, 8));
        let magic = i8::from_be_bytes(at(header, 16));
        if magic != 2 {
            return Err(BatchError::UnsupportedMagic(magic));
        }
        let total_bytes = usize::try_from(length)
            .ok()
            .map(|after_prefix| after_prefix + BATCH_PREFIX_BYTES)
            .filter(|total| *total >= BATCH_HEADER_BYTES)
            .ok_or(BatchError::BadLength(length))?;
        Ok(Self {
            base_offset: i64::from_be_bytes(at(header, 0)),
            total_bytes,
            partition_leader_epoch: i32::from_be_bytes(at(header, 12)),
            crc: u32::from_be_bytes(at(header, 17)),
            attributes: i16::from_be_bytes(at(header, 21)),
            last_offset_delta: i32::from_be_bytes(at(header, 23)),
            base_timestamp: i64::from_be_bytes(at(header, 27)),
            max_timestamp: i64::from_be_bytes(at(header, 35)),
            producer_id: i64::from_be_bytes(at(header, 43)),
            producer_epoch: i16::from_be_bytes(at(header, 51)),
            base_sequence: i32::from_be_bytes(at(header, 53)),
            record_count: i32::from_be_bytes(at(header, 57)),
        })
    }

    /// Offset of the last record.
    #[must_use]
    pub const fn last_offset(&self) -> i64 {
        self.base_offset + self.last_offset_delta as i64
    }

    /// Whether the producer asked for idempotence.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        self.producer_id >= 0
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether the batch holds control records.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether the records are compressed.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.attributes & COMPRESSION_MASK != 0
    }

    /// Whether the broker stamped the batch.
    #[must_use]
    pub const fn is_log_append_time(&self) -> bool {
        self.attributes & TIMESTAMP_TYPE_BIT != 0
    }
}

/// Checks the batch at the front of `bytes` as far as that is possible without decompressing: length, magic,
/// CRC, codec, and a record count that its offsets and its bytes bear out.
///
/// # Errors
/// What is wrong with it.
pub fn check_batch(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(bytes)?;
    let Some(batch) = bytes.get(..header.total_bytes) else {
        return Err(BatchError::Truncated { needed: header.total_bytes, have: bytes.len() });
    };
    let actual = crc32c::crc32c(&batch[CRC_START..]);
    if actual != header.crc {
        return Err(BatchError::BadCrc { declared: header.crc, actual });
    }
    let codec = header.attributes & COMPRESSION_MASK;
    if codec > 4 {
        return Err(BatchError::UnknownCompression(codec));
    }
    let record_bytes = header.total_bytes - BATCH_HEADER_BYTES;
    let enough_bytes = header.is_compressed()
        || usize::try_from(header.record_count).is_ok_and(|count| record_bytes / MIN_RECORD_BYTES >= count);
    if header.record_count < 1 || header.last_offset_delta != header.record_count - 1 || !enough_bytes {
        return Err(BatchError::LyingCount {
            count: header.record_count,
            last_offset_delta: header.last_offset_delta,
            bytes: record_bytes,
        });
    }
    Ok(header)
}

/// Splits the bytes of a `records` field into its batches, each checked by [`check_batch`].
///
/// # Errors
/// The first batch that is not acceptable.
pub fn check_batches(records: &Bytes) -> Result<Vec<(BatchHeader, Bytes)>, BatchError> {
    let mut batches = Vec::new();
    let mut rest = records.clone();
    while !rest.is_empty() {
        let header = check_batch(&rest)?;
        batches.push((header, rest.split_to(header.total_bytes)));
    }
    Ok(batches)
}

/// The header of `batch` up to its CRC, with the offset and the leader epoch that a broker gives it.
///
/// To be written in place of the first [`PATCHED_BYTES`] of the batch; the CRC stays true.
#[must_use]
pub fn patched_prefix(batch: &[u8], base_offset: i64, leader_epoch: i32) -> Option<[u8; PATCHED_BYTES]> {
    let mut prefix = *batch.first_chunk::<PATCHED_BYTES>()?;
    prefix[..8].copy_from_slice(&base_offset.to_be_bytes());
    prefix[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
    Some(prefix)
}

/// Bytes that [`patched_prefix`] returns.
pub const PATCHED_BYTES: usize = 16;

/// The `N` bytes at `start` of a header.
fn at<const N: usize>(header: &[u8; BATCH_HEADER_BYTES], start: usize) -> [u8; N] {
    std::array::from_fn(|index| header[start + index])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(values: &[&'static [u8]]) -> Bytes {
        let records = values.iter().enumerate().map(|(index, value)| Record {
            attributes: 0,
            timestamp_delta: 0,
            offset_delta: i32::try_from(index).unwrap(),
            key: None,
            value: Some(Bytes::from_static(value)),
            headers: Vec::new(),
        });
        RecordBatch {
            base_offset: 0,
            last_offset_delta: i32::try_from(values.len()).unwrap() - 1,
            partition_leader_epoch: -1,
            compression: Compression::None,
            timestamp_type: TimestampType::CreateTime,
            is_transactional: false,
            is_control: false,
            has_delete_horizon: false,
            base_timestamp: 1,
            max_timestamp: 2,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records: records.collect(),
        }
        .encode_to_bytes(RecordEncodeLimits::default())
        .unwrap()
    }

    /// The batch with `bytes` at `at` and a CRC that fits.
    fn forged(at: usize, bytes: &[u8]) -> Bytes {
        let mut forged = batch(&[b"one", b"two"]).to_vec();
        forged[at..at + bytes.len()].copy_from_slice(bytes);
        let crc = crc32c::crc32c(&forged[CRC_START..]);
        forged[17..21].copy_from_slice(&crc.to_be_bytes());
        forged.into()
    }

    #[test]
    fn a_good_batch_passes_and_its_header_is_read() {
        let bytes = batch(&[b"one", b"two"]);
        let header = check_batch(&bytes).unwrap();
        assert_eq!((header.record_count, header.last_offset(), header.total_bytes), (2, 1, bytes.len()));
        assert!(!header.is_idempotent() && !header.is_compressed() && !header.is_transactional());
    }

    #[test]
    fn a_flipped_bit_anywhere_after_the_crc_is_found() {
        let bytes = batch(&[b"one"]);
        for index in CRC_START..bytes.len() {
            let mut flipped = bytes.to_vec();
            flipped[index] ^= 1;
            assert!(matches!(check_batch(&flipped), Err(BatchError::BadCrc { .. })), "{index}");
        }
    }

    #[test]
    fn lies_about_counts_and_codecs_are_refused() {
        assert!(matches!(check_batch(&forged(57, &3i32.to_be_bytes())), Err(BatchError::LyingCount { .. })));
        assert!(matches!(
            check_batch(&forged(57, &(-1i32).to_be_bytes())),
            Err(BatchError::LyingCount { .. })
        ));
        assert!(matches!(
            check_batch(&forged(23, &i32::MAX.to_be_bytes())),
            Err(BatchError::LyingCount { .. })
        ));
        assert_eq!(check_batch(&forged(21, &7i16.to_be_bytes())), Err(BatchError::UnknownCompression(7)));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = batch(&[b"one", b"two"]);
        for length in 0..bytes.len() {
            assert!(check_batch(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn the_crc_stays_true_under_a_new_offset() {
        let bytes = batch(&[b"one"]);
        let mut stored = bytes.to_vec();
        stored[..PATCHED_BYTES].copy_from_slice(&patched_prefix(&bytes, 41, 3).unwrap());
        let header = check_batch(&stored).unwrap();
        assert_eq!((header.base_offset, header.partition_leader_epoch), (41, 3));
    }
}
