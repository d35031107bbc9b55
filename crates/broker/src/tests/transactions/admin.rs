//! What administrators see and do.

use schloss_wire::messages::DescribeTransactionsRequest;
use schloss_wire::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use schloss_wire::messages::describe_producers_response::PartitionResponse;
use schloss_wire::messages::describe_transactions_response::TransactionState;
use schloss_wire::messages::list_transactions_request::ListTransactionsRequest;
use schloss_wire::messages::list_transactions_response::ListTransactionsResponse;
use schloss_wire::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};

use super::*;
use crate::testing::idempotent;
use crate::tests::produce::produce;

async fn producers(house: &House, topic: &str, partition: i32) -> PartitionResponse {
    let topic = build!(TopicRequest { name: StrBytes::from(topic), partition_indexes: vec![partition] });
    let request = build!(DescribeProducersRequest { topics: vec![topic] });
    let Response::DescribeProducers(mut response) = house.ask(0, request).await else { panic!() };
    response.topics.remove(0).partitions.remove(0)
}

async fn describe(house: &House, id: &str) -> TransactionState {
    let request = build!(DescribeTransactionsRequest { transactional_ids: vec![StrBytes::from(id)] });
    let Response::DescribeTransactions(mut response) = house.ask(0, request).await else { panic!() };
    response.transaction_states.remove(0)
}

async fn list(house: &House, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let Response::ListTransactions(response) = house.ask(2, request).await else { panic!() };
    response
}

fn everything() -> ListTransactionsRequest {
    build!(ListTransactionsRequest { duration_filter: -1, transactional_id_pattern: None })
}

#[tokio::test]
async fn producers_of_a_partition_are_described_with_their_transactions() {
    let house = house().await;
    produce(&house, TOPIC, 0, idempotent(3, 900_000, 2, 0)).await;
    let mut producer = Producer::start(&house, Age::Old, "t").await;
    producer.send(&house, 0, 1).await.unwrap();
    producer.send(&house, 0, 1).await.unwrap();
    let found = producers(&house, TOPIC, 0).await;
    let rows = |found: &PartitionResponse| {
        let row = |one: &schloss_wire::messages::describe_producers_response::ProducerState| {
            (one.producer_id, one.producer_epoch, one.last_sequence, one.current_txn_start_offset)
        };
        found.active_producers.iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(rows(&found), [(producer.producer_id, 0, 1, 3), (900_000, 2, 2, -1)]);
    assert_eq!(found.active_producers[0].coordinator_epoch, -1);
    producer.end(&house, true).await;
    let killed = house.killed();
    for house in [&house, &killed] {
        let found = producers(house, TOPIC, 0).await;
        assert_eq!(rows(&found)[0], (producer.producer_id, 0, 1, -1));
        assert_eq!(found.active_producers[0].coordinator_epoch, 0);
    }
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(producers(&house, "nowhere", 0).await.error_code, unknown);
    assert_eq!(producers(&house, TOPIC, 7).await.error_code, unknown);
}

#[tokio::test]
async fn transactions_are_described() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    let empty = describe(&house, "t").await;
    assert_eq!((empty.error_code, empty.transaction_state.as_str()), (0, "Empty"));
    assert_eq!((empty.transaction_start_time_ms, empty.topics.len()), (-1, 0));
    producer.send(&house, 1, 1).await.unwrap();
    producer.send(&house, 0, 1).await.unwrap();
    let open = describe(&house, "t").await;
    assert_eq!((open.producer_id, open.producer_epoch), (producer.producer_id, 0));
    assert_eq!((open.transaction_state.as_str(), open.transaction_timeout_ms), ("Ongoing", 60_000));
    assert!(open.transaction_start_time_ms > 1_600_000_000_000);
    assert_eq!((open.topics[0].topic.as_str(), &open.topics[0].partitions[..]), (TOPIC, &[0, 1][..]));
    producer.end(&house, false).await;
    assert_eq!(describe(&house, "t").await.transaction_state.as_str(), "CompleteAbort");
    assert_eq!(describe(&house, "u").await.error_code, ErrorCode::TransactionalIdNotFound.code());
    assert_eq!(describe(&house, "").await.error_code, ErrorCode::InvalidRequest.code());
}

#[tokio::test]
async fn transactions_are_listed_by_state_producer_duration_and_name() {
    let house = house().await;
    let mut open = Producer::start(&house, Age::New, "orders-1").await;
    open.send(&house, 0, 1).await.unwrap();
    let idle = Producer::start(&house, Age::New, "bills").await;
    let ids = async |request: ListTransactionsRequest| {
        let listed = list(&house, request).await;
        assert_eq!(listed.error_code, 0);
        let ids = listed.transaction_states.iter().map(|one| one.transactional_id.as_str().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(everything()).await, ["bills", "orders-1"]);
    let states = |names: &[&str]| {
        let mut request = everything();
        request.state_filters = names.iter().map(|name| StrBytes::from(*name)).collect();
        request
    };
    assert_eq!(ids(states(&["Ongoing"])).await, ["orders-1"]);
    assert_eq!(ids(states(&["Ongoing", "NoSuch"])).await, ["orders-1"]);
    let unknown = list(&house, states(&["NoSuch"])).await;
    assert_eq!((unknown.transaction_states.len(), unknown.unknown_state_filters.len()), (0, 1));
    let mut by_producer = everything();
    by_producer.producer_id_filters = vec![idle.producer_id];
    assert_eq!(ids(by_producer).await, ["bills"]);
    let mut long = everything();
    long.duration_filter = 3_600_000;
    assert_eq!(ids(long).await, ["bills"], "as in Kafka, one that never began has lasted for ever");
    for (pattern, found) in [("ord.*", vec!["orders-1"]), ("orders", vec![]), ("b.+|x", vec!["bills"])] {
        let mut request = everything();
        request.transactional_id_pattern = Some(StrBytes::from(pattern));
        assert_eq!(ids(request).await, found, "{pattern}");
    }
    for pattern in ["(", "a)|(b", &"(a{100}){100}".repeat(100)] {
        let mut request = everything();
        request.transactional_id_pattern = Some(StrBytes::from(pattern));
        let code = list(&house, request).await.error_code;
        assert_eq!(code, ErrorCode::InvalidRegularExpression.code(), "{pattern}");
    }
}

async fn write_marker(house: &House, topic: &str, marker: WritableTxnMarker) -> ErrorCode {
    let topic = build!(WritableTxnMarkerTopic { name: StrBytes::from(topic), partition_indexes: vec![0] });
    let mut marker = marker;
    marker.topics = vec![topic];
    let request = build!(WriteTxnMarkersRequest { markers: vec![marker] });
    let Response::WriteTxnMarkers(response) = house.ask(2, request).await else { panic!() };
    ErrorCode::from_code(response.markers[0].topics[0].partitions[0].error_code).unwrap()
}

#[tokio::test]
async fn a_transaction_that_hangs_is_aborted_in_a_single_partition() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::Old, "t").await;
    producer.send(&house, 0, 1).await.unwrap();
    let marker = |producer_epoch, coordinator_epoch, transaction_version| {
        build!(WritableTxnMarker {
            producer_id: producer.producer_id,
            producer_epoch,
            coordinator_epoch,
            transaction_version,
        })
    };
    assert_eq!(write_marker(&house, "nowhere", marker(0, 0, 0)).await, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(write_marker(&house, TOPIC, marker(0, 0, 2)).await, ErrorCode::InvalidProducerEpoch);
    assert_eq!(stable(&house, 0).await, 0);
    assert_eq!(write_marker(&house, TOPIC, marker(0, 3, 0)).await, OK);
    assert_eq!((stable(&house, 0).await, committed(&house, 0).await), (2, vec![]));
    let fenced = ErrorCode::TransactionCoordinatorFenced;
    assert_eq!(write_marker(&house, TOPIC, marker(0, 2, 0)).await, fenced);
    let killed = house.killed();
    assert_eq!(committed(&killed, 0).await, [0; 0]);
    assert_eq!(write_marker(&killed, TOPIC, marker(0, 2, 0)).await, fenced);
}

#[tokio::test]
async fn brokers_ask_for_many_transactions_at_once() {
    use schloss_wire::messages::add_partitions_to_txn_request::AddPartitionsToTxnTransaction;

    let house = house().await;
    let producer = Producer::start(&house, Age::Old, "t").await;
    let transaction = |verify_only, partitions| {
        let topic = build!(AddPartitionsToTxnTopic { name: StrBytes::from(TOPIC), partitions });
        build!(AddPartitionsToTxnTransaction {
            transactional_id: StrBytes::from("t"),
            producer_id: producer.producer_id,
            producer_epoch: producer.epoch,
            verify_only,
            topics: vec![topic],
        })
    };
    let ask = async |transaction| {
        let request = build!(AddPartitionsToTxnRequest { transactions: vec![transaction] });
        let Response::AddPartitionsToTxn(response) = house.ask(5, request).await else { panic!() };
        let results = &response.results_by_transaction[0].topic_results[0].results_by_partition;
        results.iter().map(|result| result.partition_error_code).collect::<Vec<_>>()
    };
    let abortable = ErrorCode::TransactionAbortable.code();
    assert_eq!(ask(transaction(true, vec![0])).await, [abortable]);
    assert_eq!(ask(transaction(false, vec![0])).await, [0]);
    assert_eq!(ask(transaction(true, vec![0, 1])).await, [0, abortable]);
}
