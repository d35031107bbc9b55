use std::time::Duration;

use bytes::Bytes;
use schloss_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ReplicaState};
use schloss_wire::messages::fetch_response::{FetchResponse, PartitionData};
use schloss_wire::records::check_batches;
use schloss_wire::{ErrorCode, Response, StrBytes, Uuid, build};
use tokio::time::Instant;

use super::produce::produce;
use crate::testing::{House, batch};

const VERSION: i16 = 12;

pub(super) fn part(partition: i32, fetch_offset: i64) -> FetchPartition {
    build!(FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20 })
}

fn request(topic: &str, partitions: Vec<FetchPartition>) -> FetchRequest {
    let topic = build!(FetchTopic { topic: StrBytes::from(topic), partitions });
    build!(FetchRequest { min_bytes: 1, max_bytes: 1 << 20, topics: vec![topic] })
}

async fn ask(house: &House, version: i16, request: FetchRequest) -> FetchResponse {
    let Response::Fetch(response) = house.ask(version, request).await else { panic!() };
    response
}

pub(super) async fn fetch(house: &House, partitions: Vec<FetchPartition>) -> Vec<PartitionData> {
    ask(house, VERSION, request("orders", partitions)).await.responses.remove(0).partitions
}

fn bytes(part: &PartitionData) -> Bytes {
    part.records.clone().expect("records are never null")
}

pub(super) fn offsets(part: &PartitionData) -> Vec<i64> {
    check_batches(&bytes(part)).unwrap().iter().map(|(header, _)| header.base_offset).collect()
}

async fn with_records() -> House {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    for _ in 0..3 {
        produce(&house, "orders", 0, batch(2)).await;
    }
    house
}

#[tokio::test]
async fn what_was_produced_comes_back_with_its_offsets() {
    let house = with_records().await;
    let parts = fetch(&house, vec![part(0, 0), part(1, 0)]).await;
    assert_eq!(offsets(&parts[0]), [0, 2, 4]);
    assert_eq!((parts[0].high_watermark, parts[0].last_stable_offset, parts[0].log_start_offset), (6, 6, 0));
    assert_eq!((parts[0].preferred_read_replica, parts[0].aborted_transactions.clone()), (-1, None));
    assert!(bytes(&parts[1]).is_empty());
    // From the middle of a batch: the whole batch comes, the client skips.
    assert_eq!(offsets(&fetch(&house, vec![part(0, 3)]).await[0]), [2, 4]);
}

#[tokio::test]
async fn a_reader_of_committed_records_gets_an_empty_list_of_aborted_transactions() {
    let house = with_records().await;
    let mut request = request("orders", vec![part(0, 0)]);
    request.isolation_level = 1;
    let response = ask(&house, VERSION, request).await;
    assert_eq!(response.responses[0].partitions[0].aborted_transactions, Some(Vec::new()));
}

#[tokio::test]
async fn offsets_outside_the_log_are_refused_and_the_end_is_just_empty() {
    let house = with_records().await;
    let codes = |parts: Vec<PartitionData>| parts.iter().map(|part| part.error_code).collect::<Vec<_>>();
    let out = ErrorCode::OffsetOutOfRange.code();
    assert_eq!(codes(fetch(&house, vec![part(0, 7), part(1, -1)]).await), [out, out]);
    assert_eq!(codes(fetch(&house, vec![part(0, 6)]).await), [0]);
}

#[tokio::test]
async fn unknown_topics_partitions_ids_and_epochs_have_their_own_errors() {
    let house = with_records().await;
    let missing = ask(&house, VERSION, request("missing", vec![part(0, 0)])).await;
    assert_eq!(missing.responses[0].partitions[0].error_code, ErrorCode::UnknownTopicOrPartition.code());
    assert_eq!(
        fetch(&house, vec![part(2, 0)]).await[0].error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
    let topic = build!(FetchTopic { topic_id: Uuid::from_bytes([9; 16]), partitions: vec![part(0, 0)] });
    let unknown = ask(&house, 17, build!(FetchRequest { topics: vec![topic] })).await;
    assert_eq!(unknown.responses[0].partitions[0].error_code, ErrorCode::UnknownTopicId.code());
    let future = build!(FetchPartition { current_leader_epoch: 1 });
    assert_eq!(fetch(&house, vec![future]).await[0].error_code, ErrorCode::UnknownLeaderEpoch.code());
}

#[tokio::test]
async fn topics_are_fetched_by_id_from_version_13() {
    let house = with_records().await;
    let topic_id = house.broker.metadata.snapshot().topic("orders").unwrap().id;
    let topic = build!(FetchTopic { topic_id, partitions: vec![part(0, 4)] });
    let request = build!(FetchRequest { max_bytes: 1 << 20, topics: vec![topic] });
    let response = ask(&house, 18, request).await;
    assert_eq!(response.responses[0].topic_id, topic_id);
    assert_eq!(offsets(&response.responses[0].partitions[0]), [4]);
}

#[tokio::test]
async fn limits_hold_but_one_batch_always_comes() {
    let house = with_records().await;
    for _ in 0..2 {
        produce(&house, "orders", 1, batch(2)).await;
    }
    let size = batch(2).len();
    let mut both = request("orders", vec![part(0, 0), part(1, 0)]);
    both.max_bytes = 1;
    let parts = ask(&house, VERSION, both.clone()).await.responses.remove(0).partitions;
    assert_eq!((offsets(&parts[0]), offsets(&parts[1])), (vec![0], vec![]));
    both.max_bytes = i32::try_from(size * 4).unwrap();
    let parts = ask(&house, VERSION, both).await.responses.remove(0).partitions;
    assert_eq!((offsets(&parts[0]).len(), offsets(&parts[1]).len()), (3, 1));
    let narrow = build!(FetchPartition { partition_max_bytes: 1 });
    let parts = fetch(&house, vec![narrow.clone()]).await;
    assert_eq!(offsets(&parts[0]), [0]);
    // A second partition is held to its own limit once the first has made progress.
    let second = build!(FetchPartition { partition: 1, partition_max_bytes: 1 });
    let parts = fetch(&house, vec![narrow, second]).await;
    assert_eq!((offsets(&parts[0]).len(), offsets(&parts[1]).len()), (1, 0));
}

#[tokio::test]
async fn a_partition_named_twice_is_answered_once() {
    let house = with_records().await;
    let parts = fetch(&house, vec![part(0, 0), part(1, 0), part(0, 4)]).await;
    assert_eq!(parts.len(), 2);
    assert_eq!(offsets(&parts[0]), [4]);
}

#[tokio::test]
async fn sessions_are_declined() {
    let house = with_records().await;
    let mut asking = request("orders", vec![part(0, 0)]);
    asking.session_epoch = 0;
    let response = ask(&house, VERSION, asking.clone()).await;
    assert_eq!((response.error_code, response.session_id), (0, 0));
    assert_eq!(response.responses.len(), 1);
    asking.session_epoch = 3;
    for session_id in [0, 5] {
        asking.session_id = session_id;
        let response = ask(&house, VERSION, asking.clone()).await;
        assert_eq!(response.error_code, ErrorCode::FetchSessionIdNotFound.code());
    }
}

#[tokio::test]
async fn brokers_that_copy_are_not_followers_here() {
    let house = with_records().await;
    let mut copying = request("orders", vec![part(0, 0)]);
    copying.replica_id = 2;
    let not_ours = ErrorCode::NotLeaderOrFollower.code();
    let response = ask(&house, VERSION, copying).await;
    assert_eq!(response.responses[0].partitions[0].error_code, not_ours);
    let topic_id = house.broker.metadata.snapshot().topic("orders").unwrap().id;
    let topic = build!(FetchTopic { topic_id, partitions: vec![part(0, 0)] });
    let replica_state = build!(ReplicaState { replica_id: 2 });
    let response = ask(&house, 17, build!(FetchRequest { replica_state, topics: vec![topic] })).await;
    assert_eq!(response.responses[0].partitions[0].error_code, not_ours);
}

fn waiting(max_wait_ms: i32, min_bytes: i32) -> FetchRequest {
    let mut request = request("orders", vec![part(0, 0), part(1, 0)]);
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = min_bytes;
    request
}

async fn empty() -> House {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    house
}

#[tokio::test]
async fn a_waiting_fetch_is_woken_by_a_record_in_any_of_its_partitions() {
    let house = empty().await;
    let began = Instant::now();
    let (response, _) = tokio::join!(ask(&house, VERSION, waiting(30_000, 1)), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        produce(&house, "orders", 1, batch(1)).await
    });
    assert_eq!(offsets(&response.responses[0].partitions[1]), [0]);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_fetch_waits_for_as_many_bytes_as_it_asks_for() {
    let house = empty().await;
    let two_batches = i32::try_from(batch(1).len() * 2).unwrap();
    let (response, _) = tokio::join!(ask(&house, VERSION, waiting(30_000, two_batches)), async {
        produce(&house, "orders", 0, batch(1)).await;
        produce(&house, "orders", 1, batch(1)).await
    });
    let sizes: Vec<_> = response.responses[0].partitions.iter().map(|part| bytes(part).len()).collect();
    assert_eq!(sizes, [batch(1).len(), batch(1).len()]);
}

#[tokio::test]
async fn a_wait_ends_at_its_time_with_what_there_is() {
    let house = empty().await;
    produce(&house, "orders", 0, batch(1)).await;
    let began = Instant::now();
    let response = ask(&house, VERSION, waiting(100, 1 << 19)).await;
    assert!(began.elapsed() >= Duration::from_millis(100));
    assert_eq!(offsets(&response.responses[0].partitions[0]), [0]);
}

#[tokio::test]
async fn an_error_is_not_waited_with() {
    let house = empty().await;
    let mut request = waiting(30_000, 1);
    request.topics[0].partitions.push(part(9, 0));
    let began = Instant::now();
    ask(&house, VERSION, request).await;
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_waiting_fetch_learns_that_its_topic_was_deleted() {
    let house = empty().await;
    let began = Instant::now();
    let (response, ()) = tokio::join!(ask(&house, VERSION, waiting(30_000, 1)), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        super::topics::delete(&house, "orders").await;
    });
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UnknownTopicOrPartition.code());
    assert!(began.elapsed() < Duration::from_secs(10));
}
