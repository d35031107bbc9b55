use bytes::Bytes;
use schloss_gate::Outcome;
use schloss_wire::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use schloss_wire::messages::produce_response::PartitionProduceResponse;
use schloss_wire::{ErrorCode, Response, StrBytes, Uuid, build};

use crate::testing::{House, batch, idempotent};

pub(super) const ALL: i16 = -1;

pub(super) fn request(topic: &str, partition: i32, records: Bytes, acks: i16) -> ProduceRequest {
    let part = build!(PartitionProduceData { index: partition, records: Some(records) });
    let data = build!(TopicProduceData { name: StrBytes::from(topic), partition_data: vec![part] });
    build!(ProduceRequest { acks, timeout_ms: 10_000, topic_data: vec![data] })
}

/// Writes to one partition with `acks=all` and returns its part of the answer.
pub(crate) async fn produce(
    house: &House,
    topic: &str,
    partition: i32,
    records: Bytes,
) -> PartitionProduceResponse {
    only(house.ask(9, request(topic, partition, records, ALL)).await)
}

pub(super) fn only(response: Response) -> PartitionProduceResponse {
    let Response::Produce(mut response) = response else { panic!("{response:?}") };
    response.responses.remove(0).partition_responses.remove(0)
}

fn outcome(part: &PartitionProduceResponse) -> (ErrorCode, i64) {
    (ErrorCode::from_code(part.error_code).unwrap(), part.base_offset)
}

#[tokio::test]
async fn offsets_go_up_by_the_records_of_each_batch() {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    assert_eq!(outcome(&produce(&house, "orders", 1, batch(3)).await), (ErrorCode::None, 0));
    let second = produce(&house, "orders", 1, batch(2)).await;
    assert_eq!(outcome(&second), (ErrorCode::None, 3));
    assert_eq!((second.log_append_time_ms, second.log_start_offset), (-1, 0));
    assert_eq!(outcome(&produce(&house, "orders", 0, batch(1)).await), (ErrorCode::None, 0));
}

#[tokio::test]
async fn each_kind_of_acks_ends_as_kafka_ends_it() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    let good = |acks| request("orders", 0, batch(1), acks);
    assert!(matches!(house.send(9, good(0)).await, Outcome::NoReply));
    assert_eq!(outcome(&only(house.ask(9, good(1)).await)), (ErrorCode::None, 1));
    assert_eq!(outcome(&only(house.ask(9, good(ALL)).await)), (ErrorCode::None, 2));
    for acks in [2, -2, i16::MAX] {
        let refused = only(house.ask(9, good(acks)).await);
        assert_eq!(outcome(&refused), (ErrorCode::InvalidRequiredAcks, -1));
    }
    let bad = request("missing", 0, batch(1), 0);
    assert!(matches!(house.send(9, bad).await, Outcome::Close));
}

#[tokio::test]
async fn one_bad_partition_does_not_hinder_the_others() {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    let part = |index, records| build!(PartitionProduceData { index, records });
    let partition_data =
        vec![part(0, Some(batch(1))), part(7, Some(batch(1))), part(-1, Some(batch(1))), part(1, None)];
    let data = build!(TopicProduceData { name: StrBytes::from("orders"), partition_data });
    let request = build!(ProduceRequest { acks: ALL, timeout_ms: 10_000, topic_data: vec![data] });
    let Response::Produce(response) = house.ask(8, request).await else { panic!() };
    let codes: Vec<_> = response.responses[0].partition_responses.iter().map(outcome).collect();
    assert_eq!(
        codes,
        [
            (ErrorCode::None, 0),
            (ErrorCode::UnknownTopicOrPartition, -1),
            (ErrorCode::UnknownTopicOrPartition, -1),
            (ErrorCode::InvalidRecord, -1)
        ]
    );
}

#[tokio::test]
async fn a_topic_is_found_by_its_id_and_an_unknown_id_is_an_error_of_its_own() {
    let house = House::new();
    let topic_id = house.topic("orders", 1, &[]).await;
    let by_id = |topic_id| {
        let part = build!(PartitionProduceData { records: Some(batch(1)) });
        let data = build!(TopicProduceData { topic_id, partition_data: vec![part] });
        build!(ProduceRequest { acks: ALL, timeout_ms: 10_000, topic_data: vec![data] })
    };
    assert_eq!(outcome(&only(house.ask(13, by_id(topic_id)).await)), (ErrorCode::None, 0));
    let unknown = only(house.ask(13, by_id(Uuid::from_bytes([9; 16]))).await);
    assert_eq!(unknown.error_code, ErrorCode::UnknownTopicId.code());
}

#[tokio::test]
async fn the_topics_settings_bind_producers() {
    let house = House::new();
    house.topic("small", 1, &[("max.message.bytes", "80")]).await;
    assert_eq!(produce(&house, "small", 0, batch(1)).await.error_code, 0);
    let large = produce(&house, "small", 0, batch(20)).await;
    assert_eq!(large.error_code, ErrorCode::MessageTooLarge.code());
    assert!(large.error_message.unwrap().contains("max.message.bytes"));

    house.topic("safe", 1, &[("min.insync.replicas", "2")]).await;
    assert_eq!(produce(&house, "safe", 0, batch(1)).await.error_code, ErrorCode::NotEnoughReplicas.code());

    house.topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    let stamped = produce(&house, "stamped", 0, idempotent(1, 7, 0, 0)).await;
    assert!(stamped.log_append_time_ms > 1_600_000_000_000, "{stamped:?}");
    let again = produce(&house, "stamped", 0, idempotent(1, 7, 0, 0)).await;
    assert_eq!(again.log_append_time_ms, stamped.log_append_time_ms);
}

#[tokio::test]
async fn a_batch_sent_twice_is_stored_once_and_answered_as_at_first() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    for n in 0..3 {
        produce(&house, "orders", 0, idempotent(2, 7, 0, n * 2)).await;
    }
    assert_eq!(outcome(&produce(&house, "orders", 0, idempotent(2, 7, 0, 2)).await), (ErrorCode::None, 2));
    assert_eq!(outcome(&produce(&house, "orders", 0, batch(1)).await), (ErrorCode::None, 6));
    let gap = produce(&house, "orders", 0, idempotent(1, 7, 0, 9)).await;
    assert_eq!(outcome(&gap), (ErrorCode::OutOfOrderSequenceNumber, -1));
    produce(&house, "orders", 0, idempotent(1, 7, 1, 0)).await;
    let stale = produce(&house, "orders", 0, idempotent(2, 7, 0, 6)).await;
    assert_eq!(outcome(&stale), (ErrorCode::InvalidProducerEpoch, -1));
}

#[tokio::test]
async fn duplicates_are_recognised_after_a_restart_and_after_a_kill() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    produce(&house, "orders", 0, idempotent(2, 7, 0, 0)).await;
    produce(&house, "orders", 0, idempotent(3, 7, 0, 2)).await;
    let killed = house.killed();
    for house in [killed, house.restart()] {
        assert_eq!(
            outcome(&produce(&house, "orders", 0, idempotent(3, 7, 0, 2)).await),
            (ErrorCode::None, 2)
        );
        let gap = produce(&house, "orders", 0, idempotent(1, 7, 0, 6)).await;
        assert_eq!(outcome(&gap), (ErrorCode::OutOfOrderSequenceNumber, -1));
        assert_eq!(
            outcome(&produce(&house, "orders", 0, idempotent(1, 7, 0, 5)).await),
            (ErrorCode::None, 5)
        );
    }
}

#[tokio::test]
async fn requests_are_appended_in_the_order_they_are_called() {
    use schloss_gate::EngineSession as _;

    let house = House::new();
    house.topic("orders", 1, &[]).await;
    // Called one after the other, awaited in the opposite order.
    let calls: Vec<_> = (0..5)
        .map(|n| {
            let request = request("orders", 0, idempotent(1, 7, 0, n), ALL);
            crate::Broker::clone(&house.broker)
                .call(crate::testing::caller(9), crate::testing::admitted(&house, 9, request))
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate().rev() {
        let Outcome::Reply(response) = call.await else { panic!() };
        assert_eq!(outcome(&only(response)), (ErrorCode::None, i64::try_from(n).unwrap()));
    }
}
