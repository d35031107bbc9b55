//! The records inside of batches, decoded and encoded within bounds.

use bytes::Bytes;
use schloss_wire::DecodeLimits;
use schloss_wire::records::{
    Compression, RecordBatch, RecordDecodeLimits, RecordEncodeLimits, RecordError, decode_batch,
};

/// Most bytes of records that a small batch is unpacked to.
const MAX_RECORDS_BYTES: usize = 64 * 1024 * 1024;
/// Most records of a batch that is decoded: each costs some 150 bytes of memory beside its own.
const MAX_RECORDS: usize = 1_000_000;
/// The bits of a batch's attributes that name its codec (Kafka protocol, "Record Batch").
const CODEC_MASK: i16 = 0x07;

/// Decodes one batch with its records.
///
/// # Errors
/// It is damaged, or it holds more than 1,000,000 records or 64 MiB of them (or as many bytes as the batch has,
/// if those are more).
pub(crate) fn decode(batch: &Bytes) -> Result<RecordBatch, RecordError> {
    let bytes = batch.len().max(MAX_RECORDS_BYTES);
    let mut fields = DecodeLimits::default();
    fields.max_array_elements = MAX_RECORDS;
    fields.max_bytes_bytes = bytes;
    decode_batch(batch, RecordDecodeLimits::new(batch.len(), bytes, fields))
}

/// Encodes a batch of records that were decoded.
///
/// # Errors
/// It is larger than the format allows.
pub(crate) fn encode(batch: &RecordBatch) -> Result<Bytes, RecordError> {
    const FORMATS_LIMIT: usize = i32::MAX as usize;
    batch.encode_to_bytes(RecordEncodeLimits::new(FORMATS_LIMIT, FORMATS_LIMIT))
}

/// The codec that the attributes of a batch name; nothing if there is no such codec.
pub(crate) const fn codec(attributes: i16) -> Option<Compression> {
    match attributes & CODEC_MASK {
        0 => Some(Compression::None),
        1 => Some(Compression::Gzip),
        2 => Some(Compression::Snappy),
        3 => Some(Compression::Lz4),
        4 => Some(Compression::Zstd),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::batch;

    #[test]
    fn a_batch_is_the_same_after_decoding_and_encoding() {
        for compression in
            [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
        {
            let mut decoded = decode(&batch(9)).unwrap();
            decoded.compression = compression;
            let encoded = encode(&decoded).unwrap();
            assert_eq!(codec(encoded[22].into()), Some(compression));
            assert_eq!(decode(&encoded).unwrap(), decoded);
        }
        assert_eq!(codec(5), None);
    }

    #[test]
    fn a_small_batch_that_unpacks_to_much_is_refused() {
        let mut bomb = decode(&batch(1)).unwrap();
        bomb.compression = Compression::Zstd;
        bomb.records[0].value = Some(vec![0; MAX_RECORDS_BYTES + 1].into());
        let encoded = encode(&bomb).unwrap();
        assert!(encoded.len() < 100_000);
        assert!(matches!(decode(&encoded), Err(RecordError::DecompressionLimitExceeded { .. })));
    }
}
