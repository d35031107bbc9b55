//! A batch of one record.

use bytes::Bytes;
use schloss_wire::records::{Compression, Record, RecordBatch, RecordEncodeLimits, TimestampType};

/// Of a producer's transaction if one is given.
pub(crate) fn batch(transaction: Option<(i64, i16)>) -> Bytes {
    let record = Record {
        attributes: 0,
        timestamp_delta: 0,
        offset_delta: 0,
        key: None,
        value: Some(Bytes::from_static(b"value")),
        headers: Vec::new(),
    };
    let (producer_id, producer_epoch) = transaction.unwrap_or((-1, -1));
    let batch = RecordBatch {
        base_offset: 0,
        last_offset_delta: 0,
        partition_leader_epoch: -1,
        compression: Compression::None,
        timestamp_type: TimestampType::CreateTime,
        is_transactional: transaction.is_some(),
        is_control: false,
        has_delete_horizon: false,
        base_timestamp: 1_000,
        max_timestamp: 1_000,
        producer_id,
        producer_epoch,
        base_sequence: if transaction.is_some() { 0 } else { -1 },
        records: vec![record],
    };
    batch.encode_to_bytes(RecordEncodeLimits::default()).unwrap()
}
