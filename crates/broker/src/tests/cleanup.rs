//! Retention, compaction and the deletion of records, as clients see them.

use bytes::{Buf as _, Bytes};
use schloss_wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use schloss_wire::records::{BatchHeader, RecordBatch, check_batches};
use schloss_wire::{ErrorCode, Response, StrBytes, build};

use super::configs::{SET, TOPIC, alter};
use super::fetch::{fetch, offsets, part};
use super::produce::produce;
use crate::broker::Broker;
use crate::cleaner::Cleaner;
use crate::records::decode;
use crate::reply::now_ms;
use crate::testing::{House, batch, batch_at, idempotent, keyed};

/// Closes the last segment of the only partition, and waits until it is known to be on disk.
pub(super) fn settle(house: &House, topic: &str) {
    let id = house.broker.metadata.snapshot().topic(topic).unwrap().id;
    let partition = house.broker.partitions.get(id, 0).unwrap();
    partition.log.roll().unwrap();
    while partition.log.segments().iter().rev().skip(1).any(|segment| !segment.is_settled) {
        std::thread::yield_now();
    }
}

/// Offset, key and value of every record that a consumer gets.
async fn table(house: &House) -> Vec<(i64, String, Option<String>)> {
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let (mut found, mut next) = (Vec::new(), 0);
    loop {
        let read = fetch(house, vec![part(0, next)]).await.remove(0);
        assert_eq!(read.error_code, 0);
        let mut records = read.records.unwrap();
        if records.is_empty() {
            return found;
        }
        while !records.is_empty() {
            let header = BatchHeader::parse(&records).unwrap();
            let batch = decode(&records.split_to(header.total_bytes)).unwrap();
            next = header.last_offset() + 1;
            found.extend(batch.records.into_iter().map(|record| {
                let offset = header.base_offset + i64::from(record.offset_delta);
                (offset, text(record.key.unwrap()), record.value.map(text))
            }));
        }
    }
}

async fn set(house: &House, name: &str, value: &str) {
    let (code, message) = alter(house, TOPIC, "orders", &[(name, SET, Some(value))], false).await;
    assert_eq!(code, ErrorCode::None, "{name}={value}: {message}");
}

#[tokio::test]
async fn a_compacted_topic_keeps_the_newest_record_of_each_key_at_its_offset() {
    let house = House::new();
    let configs = [("cleanup.policy", "compact"), ("delete.retention.ms", "1000")];
    house.topic("orders", 1, &configs).await;
    for records in [
        &[("a", Some("1")), ("b", Some("1"))][..],
        &[("a", Some("2")), ("c", Some("1"))],
        &[("b", None), ("a", Some("3"))],
    ] {
        assert_eq!(produce(&house, "orders", 0, keyed(records)).await.error_code, 0);
        settle(&house, "orders");
    }
    let now = now_ms();
    house.broker.cleaner.turn(now);
    let row = |offset, key: &str, value: Option<&str>| (offset, key.to_owned(), value.map(str::to_owned));
    let compacted = [row(3, "c", Some("1")), row(4, "b", None), row(5, "a", Some("3"))];
    assert_eq!(table(&house).await, compacted);
    assert_eq!(table(&house.killed()).await, compacted);
    let house = house.restart();
    assert_eq!(table(&house).await, compacted);
    // The delete marker goes when its time is over and the log is compacted again.
    assert_eq!(produce(&house, "orders", 0, keyed(&[("d", Some("1"))])).await.base_offset, 6);
    settle(&house, "orders");
    house.broker.cleaner.turn(now + 999);
    assert_eq!(table(&house).await.len(), 4);
    assert_eq!(produce(&house, "orders", 0, keyed(&[("d", Some("2"))])).await.base_offset, 7);
    settle(&house, "orders");
    set(&house, "min.cleanable.dirty.ratio", "0").await;
    house.broker.cleaner.turn(now + 1_000);
    let expected = [row(3, "c", Some("1")), row(5, "a", Some("3")), row(7, "d", Some("2"))];
    assert_eq!(table(&house).await, expected);
}

#[tokio::test]
async fn nothing_is_compacted_before_it_is_due() {
    let house = House::new();
    let lag = [("cleanup.policy", "compact"), ("min.compaction.lag.ms", "60000")];
    house.topic("orders", 1, &lag).await;
    let now = now_ms();
    for _ in 0..3 {
        let records = keyed(&[("a", Some("1"))]);
        assert_eq!(produce(&house, "orders", 0, restamped(&records, now)).await.error_code, 0);
        settle(&house, "orders");
    }
    house.broker.cleaner.turn(now + 59_999);
    assert_eq!(table(&house).await.len(), 3, "too young");
    house.broker.cleaner.turn(now + 60_000);
    assert_eq!(table(&house).await.len(), 1);
    // From here on the log is clean, and little of it is dirty.
    for _ in 0..2 {
        assert_eq!(produce(&house, "orders", 0, keyed(&[("a", Some("1"))])).await.error_code, 0);
        settle(&house, "orders");
    }
    set(&house, "min.cleanable.dirty.ratio", "1").await;
    set(&house, "min.compaction.lag.ms", "0").await;
    house.broker.cleaner.turn(now + 60_000);
    assert_eq!(table(&house).await.len(), 3);
    set(&house, "max.compaction.lag.ms", "1000").await;
    house.broker.cleaner.turn(now + 60_000);
    assert_eq!(table(&house).await.len(), 1, "dirty for too long");
}

fn restamped(records: &Bytes, timestamp: i64) -> Bytes {
    let batch = decode(records).unwrap();
    let moved = RecordBatch { base_timestamp: timestamp, max_timestamp: timestamp, ..batch };
    crate::records::encode(&moved).unwrap()
}

#[tokio::test]
async fn records_of_compacted_topics_have_keys() {
    let house = House::new();
    house.topic("orders", 1, &[("cleanup.policy", "compact")]).await;
    let refused = produce(&house, "orders", 0, batch(1)).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidRecord.code());
    set(&house, "cleanup.policy", "delete").await;
    assert_eq!(produce(&house, "orders", 0, batch(1)).await.error_code, 0);
}

#[tokio::test]
async fn segments_go_by_age_and_size_as_soon_as_the_settings_say_so() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    let now = now_ms();
    for age in [5_000, 3_000, 1_000] {
        assert_eq!(produce(&house, "orders", 0, batch_at(2, now - age)).await.error_code, 0);
        settle(&house, "orders");
    }
    let start = async || fetch(&house, vec![part(0, 6)]).await[0].log_start_offset;
    house.broker.cleaner.turn(now);
    assert_eq!(start().await, 0, "nobody said how long");
    set(&house, "retention.ms", "4000").await;
    house.broker.cleaner.turn(now);
    assert_eq!(start().await, 2);
    let gone = fetch(&house, vec![part(0, 1)]).await;
    assert_eq!(gone[0].error_code, ErrorCode::OffsetOutOfRange.code());
    set(&house, "retention.ms", "-1").await;
    set(&house, "retention.bytes", "300").await;
    house.broker.cleaner.turn(now);
    assert_eq!(start().await, 4);
    assert_eq!(fetch(&house.killed(), vec![part(0, 6)]).await[0].log_start_offset, 4);
    set(&house, "cleanup.policy", "").await;
    set(&house, "retention.bytes", "-1").await;
    set(&house, "retention.ms", "0").await;
    house.broker.cleaner.turn(now + 1_000_000);
    assert_eq!(start().await, 4, "no policy, no end");
    set(&house, "cleanup.policy", "compact,delete").await;
    house.broker.cleaner.turn(now + 1_000_000);
    assert_eq!(start().await, 6);
    let house = house.restart();
    assert_eq!(produce(&house, "orders", 0, keyed(&[("a", None)])).await.base_offset, 6);
}

#[tokio::test]
async fn segments_are_closed_by_size_and_age_as_the_settings_say() {
    let house = House::new();
    let id = house.topic("orders", 1, &[]).await;
    let partition = house.broker.partitions.get(id, 0).unwrap();
    for _ in 0..20 {
        assert_eq!(produce(&house, "orders", 0, batch(4_000)).await.error_code, 0);
    }
    assert_eq!(partition.log.segments().len(), 1);
    set(&house, "segment.bytes", "1048576").await;
    assert_eq!(produce(&house, "orders", 0, batch(1)).await.error_code, 0);
    assert_eq!(partition.log.segments().len(), 2);
    house.broker.cleaner.turn(now_ms() + 6 * 24 * 60 * 60 * 1000);
    assert_eq!(partition.log.segments().len(), 2);
    house.broker.cleaner.turn(now_ms() + 8 * 24 * 60 * 60 * 1000);
    assert_eq!(partition.log.segments().len(), 3);
    house.broker.cleaner.turn(now_ms() + 16 * 24 * 60 * 60 * 1000);
    assert_eq!(partition.log.segments().len(), 3, "an empty one has no age");
}

#[tokio::test]
async fn timestamps_change_their_source_with_the_next_batch() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    assert_eq!(produce(&house, "orders", 0, batch(1)).await.log_append_time_ms, -1);
    set(&house, "message.timestamp.type", "LogAppendTime").await;
    let stamped = produce(&house, "orders", 0, idempotent(1, 7, 0, 0)).await;
    assert!(stamped.log_append_time_ms > 1_700_000_000_000);
    let again = produce(&house, "orders", 0, idempotent(1, 7, 0, 0)).await;
    assert_eq!((again.base_offset, again.log_append_time_ms), (1, stamped.log_append_time_ms));
    set(&house, "message.timestamp.type", "CreateTime").await;
    let again = produce(&house, "orders", 0, idempotent(1, 7, 0, 0)).await;
    assert_eq!(again.log_append_time_ms, stamped.log_append_time_ms, "it was stamped and stays so");
    assert_eq!(produce(&house, "orders", 0, batch(1)).await.log_append_time_ms, -1);
    let house = house.killed();
    let read = fetch(&house, vec![part(0, 0)]).await.remove(0).records.unwrap();
    let kinds: Vec<_> =
        check_batches(&read).unwrap().iter().map(|(header, _)| header.is_log_append_time()).collect();
    assert_eq!(kinds, [false, true, false]);
    let again = produce(&house, "orders", 0, idempotent(1, 7, 0, 0)).await;
    assert_eq!((again.base_offset, again.log_append_time_ms), (1, stamped.log_append_time_ms));
}

async fn delete(house: &House, topic: &str, partition: i32, offset: i64) -> (ErrorCode, i64) {
    let partitions = vec![build!(DeleteRecordsPartition { partition_index: partition, offset })];
    let topics = vec![build!(DeleteRecordsTopic { name: StrBytes::from(topic), partitions })];
    let request = build!(DeleteRecordsRequest { topics, timeout_ms: 1_000 });
    let Response::DeleteRecords(response) = house.ask(2, request).await else { panic!() };
    let answer = &response.topics[0].partitions[0];
    assert_eq!(answer.partition_index, partition);
    (ErrorCode::from_code(answer.error_code).unwrap(), answer.low_watermark)
}

#[tokio::test]
async fn deleted_records_are_gone_for_good() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    for _ in 0..3 {
        produce(&house, "orders", 0, batch(2)).await;
    }
    assert_eq!(delete(&house, "orders", 0, 3).await, (ErrorCode::None, 3));
    assert_eq!(delete(&house, "orders", 0, 1).await, (ErrorCode::None, 3), "that was before");
    for refused in [7, -2, i64::MAX] {
        assert_eq!(delete(&house, "orders", 0, refused).await, (ErrorCode::OffsetOutOfRange, -1));
    }
    for (topic, partition) in [("orders", 1), ("missing", 0)] {
        let unknown = (ErrorCode::UnknownTopicOrPartition, -1);
        assert_eq!(delete(&house, topic, partition, 0).await, unknown);
    }
    for house in [&house, &house.killed()] {
        assert_eq!(fetch(house, vec![part(0, 2)]).await[0].error_code, ErrorCode::OffsetOutOfRange.code());
        let left = fetch(house, vec![part(0, 3)]).await.remove(0);
        assert_eq!((left.log_start_offset, offsets(&left)), (3, vec![2, 4]));
    }
    assert_eq!(delete(&house, "orders", 0, -1).await, (ErrorCode::None, 6));
    let house = house.restart();
    assert_eq!(fetch(&house, vec![part(0, 6)]).await[0].log_start_offset, 6);
    assert_eq!(produce(&house, "orders", 0, batch(1)).await.base_offset, 6);
    set(&house, "cleanup.policy", "compact").await;
    assert_eq!(delete(&house, "orders", 0, -1).await, (ErrorCode::PolicyViolation, -1));
    set(&house, "cleanup.policy", "compact,delete").await;
    assert_eq!(delete(&house, "orders", 0, -1).await, (ErrorCode::None, 7));
}

#[tokio::test]
async fn a_log_whose_front_was_deleted_is_compacted_from_there() {
    let house = House::new();
    let lag = [("cleanup.policy", "compact,delete"), ("max.compaction.lag.ms", "1")];
    house.topic("orders", 1, &lag).await;
    for records in [&[("a", Some("1")), ("b", Some("1"))][..], &[("c", Some("1"))], &[("b", Some("2"))]] {
        assert_eq!(produce(&house, "orders", 0, keyed(records)).await.error_code, 0);
    }
    settle(&house, "orders");
    assert_eq!(delete(&house, "orders", 0, 1).await, (ErrorCode::None, 1));
    house.broker.cleaner.turn(now_ms());
    assert_eq!(fetch(&house, vec![part(0, 0)]).await[0].error_code, ErrorCode::OffsetOutOfRange.code());
    let left = fetch(&house, vec![part(0, 1)]).await.remove(0);
    // The batch of the first two records keeps the one that was deleted out of sight.
    assert_eq!((left.log_start_offset, batches(left.records.unwrap())), (1, vec![(0, 1), (2, 1), (3, 1)]));
    assert_eq!(delete(&house, "orders", 0, 2).await, (ErrorCode::None, 2));
    assert_eq!(produce(&house, "orders", 0, keyed(&[("d", Some("1"))])).await.error_code, 0);
    settle(&house, "orders");
    house.broker.cleaner.turn(now_ms());
    let killed = house.killed();
    let left = fetch(&killed, vec![part(0, 2)]).await.remove(0);
    assert_eq!((left.log_start_offset, batches(left.records.unwrap())), (2, vec![(2, 1), (3, 1), (4, 1)]));
}

/// Offset and number of records of each batch.
fn batches(mut records: Bytes) -> Vec<(i64, i32)> {
    let mut found = Vec::new();
    while !records.is_empty() {
        let header = BatchHeader::parse(&records).unwrap();
        found.push((header.base_offset, header.record_count));
        records.advance(header.total_bytes);
    }
    found
}

#[tokio::test]
async fn a_damaged_log_is_left_as_it_is_and_the_others_are_compacted() {
    let house = House::new();
    house.topic("damaged", 1, &[("cleanup.policy", "compact")]).await;
    house.topic("orders", 1, &[("cleanup.policy", "compact")]).await;
    for topic in ["damaged", "orders"] {
        for _ in 0..2 {
            assert_eq!(produce(&house, topic, 0, keyed(&[("a", Some("1"))])).await.error_code, 0);
            settle(&house, topic);
        }
    }
    let segment = house.path().join("topics/damaged-0/00000000000000000001.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let before = std::fs::read(house.path().join("topics/damaged-0/00000000000000000000.log")).unwrap();
    house.broker.cleaner.turn(now_ms());
    assert_eq!(table(&house).await.len(), 1);
    assert_eq!(
        std::fs::read(house.path().join("topics/damaged-0/00000000000000000000.log")).unwrap(),
        before
    );
    assert_eq!(house.damages.lock().len(), 1);
    house.broker.cleaner.turn(now_ms());
    assert_eq!(house.damages.lock().len(), 1, "it is left alone for a while");
}

#[tokio::test]
async fn the_thread_does_it_by_itself_once_it_is_woken_and_ends_when_told_to() {
    let house = House::new();
    house.topic("orders", 1, &[("cleanup.policy", "compact")]).await;
    for _ in 0..2 {
        assert_eq!(produce(&house, "orders", 0, keyed(&[("a", Some("1"))])).await.error_code, 0);
        settle(&house, "orders");
    }
    let Broker { config, metadata, partitions, groups, .. } = Broker::clone(&house.broker);
    let cleaner = Cleaner::start(config, metadata, partitions, groups).unwrap();
    cleaner.wake();
    while table(&house).await.len() > 1 {
        tokio::task::yield_now().await;
    }
    cleaner.stop();
    cleaner.stop();
}
