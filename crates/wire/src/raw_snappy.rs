//! Batches compressed with snappy as librdkafka does it: one block without the frame that Java puts around it.
//!
//! Kafka takes both (`SnappyInputStream` of xerial reads a block when it finds no frame). Our decoder of batches
//! knows the frame alone.

use bytes::{Buf as _, Bytes};
use kafka_wire_records::{Compression, RecordBatch, RecordBatchDecode, RecordDecodeLimits, RecordError};

use crate::records::{BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES, BatchHeader, COMPRESSION_MASK, CRC_START};

const SNAPPY: i16 = 2;
/// What xerial's frame begins with.
const FRAME_MAGIC: &[u8] = b"\x82SNAPPY\0";

/// Decodes the batch in `batch` with its records, whichever way it is compressed.
///
/// # Errors
/// It is damaged, or larger than `limits` allow.
pub fn decode_batch(batch: &Bytes, limits: RecordDecodeLimits) -> Result<RecordBatch, RecordError> {
    match unpacked(batch, limits.max_decompressed_records_bytes)? {
        None => RecordBatch::decode(&mut batch.clone(), limits),
        Some(plain) => decode_plain(plain, limits),
    }
}

/// Takes the next batch off what a fetch brought and decodes it, whichever way it is compressed. Unpacked records may
/// take `max_retained` bytes.
///
/// # Errors
/// It is damaged, or larger than allowed.
pub fn decode_next_batch(
    bytes: &mut Bytes,
    limits: RecordDecodeLimits,
    max_retained: usize,
) -> Result<RecordBatchDecode, RecordError> {
    let total_bytes = BatchHeader::parse(bytes).map_or(usize::MAX, |header| header.total_bytes);
    let whole = total_bytes <= bytes.len() && total_bytes <= limits.max_batch_bytes;
    let batch = if whole { bytes.slice(..total_bytes) } else { Bytes::new() };
    let Some(plain) = unpacked(&batch, limits.max_decompressed_records_bytes)? else {
        return RecordBatch::decode_next(bytes, limits, max_retained);
    };
    let length = plain.len() - BATCH_HEADER_BYTES;
    if length > max_retained {
        return Err(RecordError::RetainedPayloadLimitExceeded { length, limit: max_retained });
    }
    let batch = decode_plain(plain, limits)?;
    bytes.advance(total_bytes);
    Ok(RecordBatchDecode::Complete { batch, additional_retained_payload_bytes: length })
}

/// Decodes a batch that was unpacked.
fn decode_plain(mut plain: Bytes, limits: RecordDecodeLimits) -> Result<RecordBatch, RecordError> {
    let limits = RecordDecodeLimits::new(plain.len(), limits.max_decompressed_records_bytes, limits.wire);
    let decoded = RecordBatch::decode(&mut plain, limits)?;
    Ok(RecordBatch { compression: Compression::Snappy, ..decoded })
}

/// The batch without compression, if it is compressed in that way.
fn unpacked(batch: &Bytes, limit: usize) -> Result<Option<Bytes>, RecordError> {
    let header = BatchHeader::parse(batch)
        .ok()
        .filter(|header| header.attributes & COMPRESSION_MASK == SNAPPY && header.total_bytes == batch.len());
    let (Some(header), Some(block)) = (header, batch.get(BATCH_HEADER_BYTES..)) else { return Ok(None) };
    if block.starts_with(FRAME_MAGIC) {
        return Ok(None);
    }
    let actual = crc32c::crc32c(&batch[CRC_START..]);
    if actual != header.crc {
        return Err(RecordError::CorruptBatch { declared: header.crc, actual });
    }
    let failed =
        |error: snap::Error| RecordError::CompressionFailed { codec: "snappy", detail: error.to_string() };
    let bytes = snap::raw::decompress_len(block).map_err(failed)?;
    if bytes > limit {
        return Err(RecordError::DecompressionLimitExceeded { codec: "snappy", limit });
    }
    let records = snap::raw::Decoder::new().decompress_vec(block).map_err(failed)?;
    let mut plain = [&batch[..BATCH_HEADER_BYTES], &records].concat();
    let length = plain.len() - BATCH_PREFIX_BYTES;
    let length = i32::try_from(length).map_err(|_| RecordError::BatchLimitExceeded { length, limit })?;
    plain[8..12].copy_from_slice(&length.to_be_bytes());
    plain[21..23].copy_from_slice(&(header.attributes & !COMPRESSION_MASK).to_be_bytes());
    let crc = crc32c::crc32c(&plain[CRC_START..]);
    plain[17..21].copy_from_slice(&crc.to_be_bytes());
    Ok(Some(plain.into()))
}

#[cfg(test)]
mod tests {
    use kafka_wire_records::{Record, RecordEncodeLimits, TimestampType};

    use super::*;

    fn batch(compression: Compression, value_bytes: usize) -> RecordBatch {
        let record = Record {
            attributes: 0,
            timestamp_delta: 0,
            offset_delta: 0,
            key: None,
            value: Some(vec![b'x'; value_bytes].into()),
            headers: Vec::new(),
        };
        RecordBatch {
            base_offset: 7,
            last_offset_delta: 0,
            partition_leader_epoch: 1,
            compression,
            timestamp_type: TimestampType::CreateTime,
            is_transactional: true,
            is_control: false,
            has_delete_horizon: false,
            base_timestamp: 1,
            max_timestamp: 2,
            producer_id: 3,
            producer_epoch: 4,
            base_sequence: 5,
            records: vec![record],
        }
    }

    /// As librdkafka packs it.
    fn raw(value_bytes: usize) -> Bytes {
        let plain =
            batch(Compression::None, value_bytes).encode_to_bytes(RecordEncodeLimits::default()).unwrap();
        let block = snap::raw::Encoder::new().compress_vec(&plain[BATCH_HEADER_BYTES..]).unwrap();
        let mut packed = [&plain[..BATCH_HEADER_BYTES], &block].concat();
        let length = i32::try_from(packed.len() - BATCH_PREFIX_BYTES).unwrap();
        packed[8..12].copy_from_slice(&length.to_be_bytes());
        packed[22] |= 2;
        let crc = crc32c::crc32c(&packed[CRC_START..]);
        packed[17..21].copy_from_slice(&crc.to_be_bytes());
        packed.into()
    }

    #[test]
    fn both_kinds_of_snappy_are_the_same_batch() {
        let limits = RecordDecodeLimits::default();
        let expected = batch(Compression::Snappy, 500);
        assert_eq!(decode_batch(&raw(500), limits).unwrap(), expected);
        let framed = expected.encode_to_bytes(RecordEncodeLimits::default()).unwrap();
        assert_eq!(decode_batch(&framed, limits).unwrap(), expected);
        for compression in [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd] {
            let expected = batch(compression, 500);
            let bytes = expected.encode_to_bytes(RecordEncodeLimits::default()).unwrap();
            assert_eq!(decode_batch(&bytes, limits).unwrap(), expected);
        }
    }

    #[test]
    fn batches_of_a_fetch_are_taken_one_by_one_and_a_cut_off_one_stays() {
        let limits = RecordDecodeLimits::default();
        let one = raw(500);
        let framed = batch(Compression::Snappy, 500).encode_to_bytes(RecordEncodeLimits::default()).unwrap();
        for cut in 1..one.len() {
            let mut bytes: Bytes = [&one[..], &framed, &one[..cut]].concat().into();
            for _ in 0..2 {
                let taken = decode_next_batch(&mut bytes, limits, 10_000).unwrap();
                let RecordBatchDecode::Complete { batch, additional_retained_payload_bytes } = taken else {
                    panic!("{taken:?}")
                };
                assert_eq!(batch, self::batch(Compression::Snappy, 500));
                assert!(additional_retained_payload_bytes >= 500);
            }
            let rest = decode_next_batch(&mut bytes, limits, 10_000);
            assert!(matches!(rest, Ok(RecordBatchDecode::PartialTrailing { .. })), "{cut}: {rest:?}");
        }
        let refused = decode_next_batch(&mut one.clone(), limits, 100);
        assert!(matches!(refused, Err(RecordError::RetainedPayloadLimitExceeded { .. })), "{refused:?}");
    }

    #[test]
    fn a_block_that_unpacks_to_too_much_or_is_damaged_is_refused() {
        let mut limits = RecordDecodeLimits::default();
        limits.max_decompressed_records_bytes = 1_000;
        let refused = decode_batch(&raw(10_000), limits);
        assert!(matches!(refused, Err(RecordError::DecompressionLimitExceeded { .. })));
        let good = raw(500);
        for at in CRC_START..good.len() {
            let mut flipped = good.to_vec();
            flipped[at] ^= 1;
            assert!(decode_batch(&flipped.into(), limits).is_err(), "{at}");
        }
        for length in 0..good.len() {
            assert!(decode_batch(&good.slice(..length), limits).is_err(), "{length}");
        }
    }
}
