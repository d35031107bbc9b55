//! Batches that are the same to the last byte in both worlds.

use bytes::Bytes;
use schloss_wire::messages as m;
use schloss_wire::records::{Compression, Record, RecordBatch, RecordEncodeLimits, TimestampType};
use schloss_wire::{Uuid, build};

use crate::names::Names;

/// A batch, of a producer's transaction if one is given.
pub(crate) fn batch(count: i32, transaction: Option<(i64, i16)>) -> Bytes {
    let record = |index| Record {
        attributes: 0,
        timestamp_delta: 0,
        offset_delta: index,
        key: None,
        value: Some(Bytes::from(format!("record {index}"))),
        headers: Vec::new(),
    };
    let (producer_id, producer_epoch) = transaction.unwrap_or((-1, -1));
    let batch = RecordBatch {
        base_offset: 0,
        last_offset_delta: count - 1,
        partition_leader_epoch: -1,
        compression: Compression::None,
        timestamp_type: TimestampType::CreateTime,
        is_transactional: transaction.is_some(),
        is_control: false,
        has_delete_horizon: false,
        base_timestamp: 1_700_000_000_000,
        max_timestamp: 1_700_000_000_000,
        producer_id,
        producer_epoch,
        base_sequence: if transaction.is_some() { 0 } else { -1 },
        records: (0..count).map(record).collect(),
    };
    batch.encode_to_bytes(RecordEncodeLimits::default()).unwrap()
}

/// A request with one batch for partition 0 of one topic.
pub(crate) fn produce(names: &Names, label: &str, id: Uuid, count: i32, acks: i16) -> m::ProduceRequest {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let partition = build!(PartitionProduceData { index: 0, records: Some(batch(count, None)) });
    let topic =
        build!(TopicProduceData { name: names.text(label), topic_id: id, partition_data: vec![partition] });
    build!(m::ProduceRequest { transactional_id: None, acks, timeout_ms: 10_000, topic_data: vec![topic] })
}
