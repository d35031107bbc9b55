//! From the bytes of a fetched partition to records, within limits.

use std::sync::Arc;

use bytes::Bytes;
use schloss_wire::DecodeLimits;
use schloss_wire::records::{
    RecordBatch, RecordBatchDecode, RecordDecodeLimits, RecordError, TimestampType, decode_next_batch,
};

use super::record::ConsumedRecord;
use crate::error::ClientError;

/// What one partition's part of a fetch held.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) records: Vec<ConsumedRecord>,
    /// Where to fetch next: after the last batch, even if its last records are gone or were control records.
    pub(super) next_offset: i64,
}

/// Decodes whole batches from `from` on. Stops early, after at least one batch, when decompressed payloads
/// reach `max_decompressed`; the rest is fetched again.
pub(super) fn decode(
    topic: &Arc<str>,
    partition: i32,
    mut bytes: Bytes,
    from: i64,
    max_decompressed: usize,
) -> Result<Decoded, ClientError> {
    let limits = RecordDecodeLimits::new(bytes.len(), max_decompressed, DecodeLimits::default());
    let mut decoded = Decoded { records: Vec::new(), next_offset: from };
    let mut budget = max_decompressed;
    let mut batches = 0;
    while !bytes.is_empty() {
        match decode_next_batch(&mut bytes, limits, budget) {
            Ok(RecordBatchDecode::Complete { batch, additional_retained_payload_bytes }) => {
                budget = budget.saturating_sub(additional_retained_payload_bytes);
                batches += 1;
                take(topic, partition, batch, &mut decoded);
            }
            Ok(RecordBatchDecode::PartialTrailing { .. }) => break,
            Err(RecordError::RetainedPayloadLimitExceeded { .. }) if batches > 0 => break,
            // A broker sends the tail of its answer cut off: also in the header of a batch that is too large.
            Err(RecordError::BatchLimitExceeded { .. }) if batches > 0 => break,
            Err(error) => {
                return Err(ClientError::Record(format!(
                    "can't read topic {topic} partition {partition} from offset {}: {error}; start after it to \
                     skip it",
                    decoded.next_offset
                )));
            }
            Ok(_) => break,
        }
    }
    Ok(decoded)
}

fn take(topic: &Arc<str>, partition: i32, batch: RecordBatch, decoded: &mut Decoded) {
    let from = decoded.next_offset;
    let end = batch.base_offset.saturating_add(i64::from(batch.last_offset_delta)).saturating_add(1);
    decoded.next_offset = from.max(end);
    // Control records mark the ends of transactions; they are no data.
    if batch.is_control {
        return;
    }
    let appended = (batch.timestamp_type == TimestampType::LogAppendTime).then_some(batch.max_timestamp);
    for record in batch.records {
        let offset = batch.base_offset.saturating_add(i64::from(record.offset_delta));
        // A compressed batch begins before the offset that was asked for.
        if offset < from {
            continue;
        }
        decoded.records.push(ConsumedRecord {
            topic: Arc::clone(topic),
            partition,
            offset,
            timestamp: appended
                .unwrap_or_else(|| batch.base_timestamp.saturating_add(record.timestamp_delta)),
            key: record.key,
            value: record.value,
            headers: record
                .headers
                .into_iter()
                .map(|header| (header.key.into_string(), header.value))
                .collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use schloss_wire::records::{Compression, Record, RecordEncodeLimits};

    use super::*;

    fn batch(base_offset: i64, count: i32, compression: Compression, value: &[u8]) -> RecordBatch {
        let records = (0..count).map(|index| Record {
            attributes: 0,
            timestamp_delta: i64::from(index),
            offset_delta: index,
            key: None,
            value: Some(Bytes::copy_from_slice(value)),
            headers: Vec::new(),
        });
        RecordBatch {
            base_offset,
            last_offset_delta: count - 1,
            partition_leader_epoch: 0,
            compression,
            timestamp_type: TimestampType::CreateTime,
            is_transactional: false,
            is_control: false,
            has_delete_horizon: false,
            base_timestamp: 100,
            max_timestamp: 200,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records: records.collect(),
        }
    }

    fn encoded(batch: &RecordBatch) -> Vec<u8> {
        batch.encode_to_bytes(RecordEncodeLimits::default()).unwrap().to_vec()
    }

    fn run(bytes: Vec<u8>, from: i64, max: usize) -> Result<(Vec<i64>, i64), ClientError> {
        let decoded = decode(&"t".into(), 0, bytes.into(), from, max)?;
        Ok((decoded.records.iter().map(|record| record.offset).collect(), decoded.next_offset))
    }

    #[test]
    fn records_before_the_offset_asked_for_are_left_out() {
        let bytes = [
            encoded(&batch(10, 3, Compression::Gzip, b"x")),
            encoded(&batch(13, 2, Compression::None, b"y")),
        ];
        assert_eq!(run(bytes.concat(), 11, 1 << 20).unwrap(), (vec![11, 12, 13, 14], 15));
    }

    #[test]
    fn a_cut_off_tail_is_left_for_the_next_fetch() {
        let mut bytes = encoded(&batch(0, 2, Compression::None, b"x"));
        let tail = encoded(&batch(2, 2, Compression::None, b"y"));
        for cut in 1..tail.len() {
            bytes.truncate(encoded(&batch(0, 2, Compression::None, b"x")).len());
            bytes.extend_from_slice(&tail[..cut]);
            assert_eq!(run(bytes.clone(), 0, 1 << 20).unwrap(), (vec![0, 1], 2), "cut at {cut}");
        }
    }

    #[test]
    fn control_records_are_passed_over_and_append_time_wins() {
        let mut control = batch(0, 1, Compression::None, b"x");
        control.is_control = true;
        let mut stamped = batch(1, 2, Compression::None, b"y");
        stamped.timestamp_type = TimestampType::LogAppendTime;
        let bytes = [encoded(&control), encoded(&stamped)].concat();
        let decoded = decode(&"t".into(), 0, bytes.into(), 0, 1 << 20).unwrap();
        assert_eq!(decoded.next_offset, 3);
        assert_eq!(decoded.records.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [200, 200]);
    }

    #[test]
    fn a_batch_that_inflates_over_the_limit_is_refused() {
        let bomb = encoded(&batch(0, 1, Compression::Zstd, &vec![0; 8 << 20]));
        assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
        let error = run(bomb, 0, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("offset 0"), "{error}");
    }

    #[test]
    fn many_small_bombs_stop_at_the_budget_and_go_on_later() {
        let one = batch(0, 1, Compression::Gzip, &vec![0; 700 << 10]);
        let two = RecordBatch { base_offset: 1, ..one.clone() };
        let bytes = [encoded(&one), encoded(&two)].concat();
        assert_eq!(run(bytes, 0, 1 << 20).unwrap(), (vec![0], 1));
    }

    #[test]
    fn a_flipped_bit_is_an_error_with_its_place() {
        let mut bytes = encoded(&batch(5, 1, Compression::None, b"payload"));
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        let error = run(bytes, 5, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("topic t partition 0 from offset 5"), "{error}");
    }
}
