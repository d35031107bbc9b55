//! Commit and abort, and what readers see of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use schloss_wire::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};

use super::*;
use crate::testing::{FaultyDisk, batch, idempotent};
use crate::tests::produce::produce;

#[tokio::test]
async fn records_count_once_their_transaction_is_committed() {
    for age in AGES {
        let house = house().await;
        let mut producer = Producer::start(&house, age, "t").await;
        produce(&house, TOPIC, 0, batch(2)).await;
        assert_eq!(producer.send(&house, 0, 3).await, Ok(2));
        assert_eq!(producer.send(&house, 0, 1).await, Ok(5));
        assert_eq!(producer.send(&house, 1, 1).await, Ok(0));
        produce(&house, TOPIC, 0, batch(1)).await;
        assert_eq!(committed(&house, 0).await, [0, 1], "nothing from the open transaction on");
        assert_eq!(uncommitted(&house, 0).await, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!((stable(&house, 0).await, stable(&house, 1).await), (2, 0));
        assert_eq!(producer.end(&house, true).await, OK);
        assert_eq!(committed(&house, 0).await, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(committed(&house, 1).await, [0]);
        assert_eq!((stable(&house, 0).await, stable(&house, 1).await), (8, 2), "with the markers");
        assert_eq!(producer.send(&house, 0, 1).await, Ok(8), "the next one begins");
        assert_eq!(stable(&house, 0).await, 8);
    }
}

#[tokio::test]
async fn records_of_an_aborted_transaction_never_count_and_those_around_them_do() {
    for age in AGES {
        let house = house().await;
        let mut one = Producer::start(&house, age, "one").await;
        let mut other = Producer::start(&house, age, "other").await;
        assert_eq!(one.send(&house, 0, 2).await, Ok(0));
        assert_eq!(other.send(&house, 0, 2).await, Ok(2));
        assert_eq!(one.send(&house, 0, 1).await, Ok(4));
        assert_eq!(one.end(&house, false).await, OK);
        assert_eq!(committed(&house, 0).await, [0; 0], "the other one is open");
        assert_eq!(stable(&house, 0).await, 2);
        assert_eq!(other.end(&house, true).await, OK);
        assert_eq!(committed(&house, 0).await, [2, 3]);
        assert_eq!(one.send(&house, 0, 1).await, Ok(7));
        assert_eq!(one.end(&house, true).await, OK);
        assert_eq!(committed(&house, 0).await, [2, 3, 7]);
        assert_eq!(uncommitted(&house, 0).await, [0, 1, 2, 3, 4, 7]);
        // From the middle of the aborted one: it is told all the same.
        let found = fetch(&house, 0, 4, 1).await;
        let aborted = found.aborted_transactions.unwrap();
        assert_eq!(
            aborted.iter().map(|one| (one.producer_id, one.first_offset)).collect::<Vec<_>>(),
            [(one.producer_id, 0)]
        );
        assert_eq!(fetch(&house, 0, 7, 1).await.aborted_transactions.unwrap().len(), 0);
        assert_eq!(fetch(&house, 0, 4, 0).await.aborted_transactions, None);
    }
}

#[tokio::test]
async fn offsets_by_time_and_end_stop_at_the_open_transaction_for_readers_of_committed_records() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    produce(&house, TOPIC, 0, batch(2)).await;
    producer.send(&house, 0, 2).await.unwrap();
    let ask = async |timestamp: i64, isolation_level: i8| {
        let partition = build!(ListOffsetsPartition { timestamp });
        let topic = build!(ListOffsetsTopic { name: StrBytes::from(TOPIC), partitions: vec![partition] });
        let request = build!(ListOffsetsRequest { replica_id: -1, isolation_level, topics: vec![topic] });
        let Response::ListOffsets(response) = house.ask(7, request).await else { panic!() };
        response.topics[0].partitions[0].offset
    };
    assert_eq!((ask(-1, 0).await, ask(-1, 1).await), (4, 2));
    assert_eq!((ask(1_000, 0).await, ask(1_000, 1).await), (0, 0));
    let idle = produce(&house, TOPIC, 0, crate::testing::batch_at(1, 5_000)).await.base_offset;
    assert_eq!((ask(5_000, 0).await, ask(5_000, 1).await), (idle, -1));
    assert_eq!((ask(-2, 1).await, ask(-3, 1).await), (0, -1));
    producer.end(&house, true).await;
    assert_eq!((ask(-1, 1).await, ask(5_000, 1).await), (6, idle));
}

#[tokio::test]
async fn a_waiting_reader_of_committed_records_wakes_up_with_the_commit() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    producer.send(&house, 0, 2).await.unwrap();
    let wanted = build!(FetchPartition { partition_max_bytes: 1 << 20 });
    let topic = build!(FetchTopic { topic: StrBytes::from(TOPIC), partitions: vec![wanted] });
    let request = build!(FetchRequest {
        max_bytes: 1 << 20,
        min_bytes: 1,
        max_wait_ms: 60_000,
        topics: vec![topic],
        isolation_level: 1,
    });
    let (answer, code) = tokio::join!(house.ask(12, request), producer.end(&house, true));
    assert_eq!(code, OK);
    let Response::Fetch(response) = answer else { panic!() };
    assert!(!response.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
}

#[tokio::test]
async fn an_end_that_is_asked_for_again_is_answered_again() {
    for age in AGES {
        let house = house().await;
        let mut producer = Producer::start(&house, age, "t").await;
        producer.send(&house, 0, 1).await.unwrap();
        let mut again = producer.clone();
        assert_eq!(producer.end(&house, true).await, OK);
        assert_eq!(again.clone().end(&house, false).await, ErrorCode::InvalidTxnState);
        assert_eq!(again.end(&house, true).await, OK);
        assert_eq!((again.producer_id, again.epoch), (producer.producer_id, producer.epoch));
        let expected = if age == Age::New { 1 } else { 0 };
        assert_eq!(producer.epoch, expected, "only the newer kind gets an epoch for each transaction");
    }
}

#[tokio::test]
async fn a_transaction_without_anything_in_it_can_be_aborted_by_newer_producers() {
    let house = house().await;
    let mut old = Producer::start(&house, Age::Old, "old").await;
    assert_eq!(old.end(&house, false).await, ErrorCode::InvalidTxnState);
    let mut new = Producer::start(&house, Age::New, "new").await;
    assert_eq!(new.end(&house, true).await, ErrorCode::InvalidTxnState);
    assert_eq!(new.end(&house, false).await, OK);
    assert_eq!(new.epoch, 1);
    assert_eq!(new.send(&house, 0, 1).await, Ok(0));
}

#[tokio::test]
async fn a_batch_of_an_open_transaction_that_is_sent_twice_is_stored_once() {
    for age in AGES {
        let house = house().await;
        let mut producer = Producer::start(&house, age, "t").await;
        let first = producer.clone();
        assert_eq!(producer.send(&house, 0, 2).await, Ok(0));
        let again = first.produce(&house, 0, 2).await;
        assert_eq!((again.error_code, again.base_offset), (0, 0));
        producer.end(&house, true).await;
        assert_eq!(committed(&house, 0).await, [0, 1]);
    }
}

#[tokio::test]
async fn a_transaction_takes_no_batch_from_outside_of_it() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    producer.send(&house, 0, 1).await.unwrap();
    let outside = idempotent(1, producer.producer_id, producer.epoch, 1);
    assert_eq!(produce(&house, TOPIC, 0, outside).await.error_code, ErrorCode::InvalidTxnState.code());
}

#[tokio::test]
async fn older_producers_have_to_add_partitions_first() {
    let house = house().await;
    let producer = Producer::start(&house, Age::Old, "t").await;
    let refused = producer.produce(&house, 0, 1).await;
    assert_eq!(refused.error_code, ErrorCode::TransactionAbortable.code());
    let mut request = request(TOPIC, 0, transactional(1, producer.producer_id, producer.epoch, 0), ALL);
    request.transactional_id = Some(StrBytes::from("t"));
    let older = only(house.ask(10, request).await);
    assert_eq!(older.error_code, ErrorCode::InvalidTxnState.code(), "what clients of version 10 understand");
    assert_eq!(producer.add_partition(&house, "nowhere", 0).await, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(producer.add_partition(&house, TOPIC, 2).await, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(producer.add_partition(&house, TOPIC, 0).await, OK);
    assert_eq!(producer.add_partition(&house, TOPIC, 0).await, OK, "once more");
    assert_eq!(producer.produce(&house, 0, 1).await.error_code, 0);
    let other = producer.produce(&house, 1, 1).await;
    assert_eq!(other.error_code, ErrorCode::TransactionAbortable.code());
}

#[tokio::test]
async fn all_partitions_are_added_or_none() {
    let house = house().await;
    let producer = Producer::start(&house, Age::Old, "t").await;
    let topic =
        |name: &str, partitions| build!(AddPartitionsToTxnTopic { name: StrBytes::from(name), partitions });
    let request = build!(AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: StrBytes::from("t"),
        v3_and_below_producer_id: producer.producer_id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![topic(TOPIC, vec![0, 9]), topic("nowhere", vec![0])],
    });
    let Response::AddPartitionsToTxn(response) = house.ask(3, request).await else { panic!() };
    let codes: Vec<_> = response
        .results_by_topic_v3_and_below
        .iter()
        .flat_map(|topic| &topic.results_by_partition)
        .map(|result| result.partition_error_code)
        .collect();
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(codes, [ErrorCode::OperationNotAttempted.code(), unknown, unknown]);
    assert_ne!(producer.produce(&house, 0, 1).await.error_code, 0);
}

#[tokio::test]
async fn a_topic_may_go_while_a_transaction_is_open_in_it() {
    use schloss_wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};

    let house = house().await;
    house.topic("bills", 1, &[]).await;
    let mut producer = Producer::start(&house, Age::Old, "t").await;
    assert_eq!(producer.add_partition(&house, "bills", 0).await, OK);
    producer.send(&house, 0, 1).await.unwrap();
    let topics = vec![build!(DeleteTopicState { name: Some(StrBytes::from("bills")) })];
    house.ask(6, build!(DeleteTopicsRequest { topics })).await;
    assert_eq!(producer.end(&house, true).await, OK);
    assert_eq!(producer.send(&house, 0, 1).await, Ok(2), "it is complete");
}

#[tokio::test]
async fn on_a_full_disk_a_decided_end_waits_and_is_completed_when_there_is_room() {
    let disk = Arc::new(FaultyDisk::default());
    let house = House::on_faulty(&disk);
    house.topic(TOPIC, 2, &[]).await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    producer.send(&house, 0, 1).await.unwrap();
    disk.full.store(true, Ordering::Relaxed);
    assert_eq!(producer.end(&house, true).await, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(producer.send(&house, 0, 1).await, Err(ErrorCode::KafkaStorageError));
    disk.full.store(false, Ordering::Relaxed);
    assert_eq!(producer.end(&house, true).await, OK, "it was not decided");
    assert_eq!(committed(&house, 0).await, [0]);
}

#[tokio::test]
async fn an_end_that_is_not_on_disk_is_no_end() {
    let disk = Arc::new(FaultyDisk::default());
    let house = House::on_faulty(&disk);
    house.topic(TOPIC, 2, &[]).await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    producer.send(&house, 0, 1).await.unwrap();
    disk.broken.store(true, Ordering::Relaxed);
    assert_eq!(producer.end(&house, true).await, ErrorCode::CoordinatorNotAvailable);
    assert_eq!(committed(&house, 0).await, [0; 0], "no marker without the decision");
}
