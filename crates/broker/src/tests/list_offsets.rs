use schloss_wire::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use schloss_wire::messages::list_offsets_response::ListOffsetsPartitionResponse;
use schloss_wire::{ErrorCode, Response, StrBytes, build};

use super::produce::produce;
use crate::testing::{House, batch_at};

fn wanted(partition_index: i32, timestamp: i64) -> ListOffsetsPartition {
    build!(ListOffsetsPartition { partition_index, timestamp })
}

async fn list(
    house: &House,
    version: i16,
    partitions: Vec<ListOffsetsPartition>,
) -> Vec<ListOffsetsPartitionResponse> {
    let topic = build!(ListOffsetsTopic { name: StrBytes::from("orders"), partitions });
    let request = build!(ListOffsetsRequest { replica_id: -1, topics: vec![topic] });
    let Response::ListOffsets(mut response) = house.ask(version, request).await else { panic!() };
    response.topics.remove(0).partitions
}

async fn one(house: &House, timestamp: i64) -> (i16, i64, i64) {
    let part = list(house, 11, vec![wanted(0, timestamp)]).await.remove(0);
    (part.error_code, part.offset, part.timestamp)
}

async fn house() -> House {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    for timestamp in [1_000, 3_000, 2_000] {
        produce(&house, "orders", 0, batch_at(2, timestamp)).await;
    }
    house
}

#[tokio::test]
async fn ends_and_times_are_found() {
    let house = house().await;
    assert_eq!(one(&house, -1).await, (0, 6, -1));
    assert_eq!(one(&house, -2).await, (0, 0, -1));
    assert_eq!(one(&house, -4).await, (0, 0, -1));
    assert_eq!(one(&house, -3).await, (0, 3, 3_001));
    assert_eq!(one(&house, 0).await, (0, 0, 1_000));
    assert_eq!(one(&house, 1_001).await, (0, 1, 1_001));
    assert_eq!(one(&house, 1_002).await, (0, 2, 3_000));
}

#[tokio::test]
async fn what_is_not_there_is_no_error() {
    let house = house().await;
    assert_eq!(one(&house, 3_002).await, (0, -1, -1));
    assert_eq!(one(&house, -5).await, (0, -1, -1));
    let empty = list(&house, 7, vec![wanted(1, -3)]).await.remove(0);
    assert_eq!((empty.error_code, empty.offset), (0, -1));
}

#[tokio::test]
async fn wishes_that_make_no_sense_are_refused_one_by_one() {
    let house = house().await;
    let code = |part: &ListOffsetsPartitionResponse| ErrorCode::from_code(part.error_code).unwrap();
    let parts = list(&house, 6, vec![wanted(0, -3), wanted(1, -7), wanted(5, -1)]).await;
    let codes: Vec<_> = parts.iter().map(code).collect();
    assert_eq!(
        codes,
        [ErrorCode::UnsupportedVersion, ErrorCode::InvalidRequest, ErrorCode::UnknownTopicOrPartition]
    );
    let twice = list(&house, 6, vec![wanted(0, -1), wanted(0, -2), wanted(1, -1)]).await;
    let codes: Vec<_> = twice.iter().map(code).collect();
    assert_eq!(codes, [ErrorCode::InvalidRequest, ErrorCode::InvalidRequest, ErrorCode::None]);
    let mut future = wanted(0, -1);
    future.current_leader_epoch = 4;
    assert_eq!(code(&list(&house, 6, vec![future]).await[0]), ErrorCode::UnknownLeaderEpoch);
}
