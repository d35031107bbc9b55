//! What administrators see and change.

use schloss_wire::messages::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use schloss_wire::messages::delete_groups_request::DeleteGroupsRequest;
use schloss_wire::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use schloss_wire::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use schloss_wire::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponseTopic,
};
use schloss_wire::messages::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse, DescribeShareGroupOffsetsRequest,
};
use schloss_wire::{ErrorCode, Response, StrBytes, build};

use super::member::{ACCEPT, GROUP, Member, OK, TOPIC, house};
use crate::testing::{House, batch};
use crate::tests::produce::produce;

fn text(text: &str) -> StrBytes {
    StrBytes::from(text)
}

async fn describe(
    house: &House,
    version: i16,
    topics: Option<&[(&str, &[i32])]>,
) -> DescribeShareGroupOffsetsResponseGroup {
    let topic = |(name, partitions): &(&str, &[i32])| {
        build!(DescribeShareGroupOffsetsRequestTopic {
            topic_name: text(name),
            partitions: partitions.to_vec()
        })
    };
    let group = build!(DescribeShareGroupOffsetsRequestGroup {
        group_id: text(GROUP),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
    });
    let request = build!(DescribeShareGroupOffsetsRequest { groups: vec![group] });
    let Response::DescribeShareGroupOffsets(mut response) = house.ask(version, request).await else {
        panic!()
    };
    response.groups.remove(0)
}

/// Topic, start offset, lag and error of each partition.
async fn progress(house: &House, topics: Option<&[(&str, &[i32])]>) -> Vec<(String, i64, i64, i16)> {
    let group = describe(house, 1, topics).await;
    assert_eq!(group.error_code, 0);
    let of_topic = |topic: &DescribeShareGroupOffsetsResponseTopic| {
        let name = topic.topic_name.to_string();
        let rows = topic.partitions.iter();
        let rows = rows.map(move |one| (name.clone(), one.start_offset, one.lag, one.error_code));
        rows.collect::<Vec<_>>()
    };
    group.topics.iter().flat_map(of_topic).collect()
}

async fn alter(house: &House, topic: &str, offsets: &[(i32, i64)]) -> AlterShareGroupOffsetsResponse {
    let partition = |&(partition_index, start_offset): &(i32, i64)| {
        build!(AlterShareGroupOffsetsRequestPartition { partition_index, start_offset })
    };
    let topic = build!(AlterShareGroupOffsetsRequestTopic {
        topic_name: text(topic),
        partitions: offsets.iter().map(partition).collect()
    });
    let request = build!(AlterShareGroupOffsetsRequest { group_id: text(GROUP), topics: vec![topic] });
    let Response::AlterShareGroupOffsets(response) = house.ask(0, request).await else { panic!() };
    response
}

async fn delete(house: &House, topics: &[&str]) -> DeleteShareGroupOffsetsResponse {
    let topic = |name: &&str| build!(DeleteShareGroupOffsetsRequestTopic { topic_name: text(name) });
    let request = build!(DeleteShareGroupOffsetsRequest {
        group_id: text(GROUP),
        topics: topics.iter().map(topic).collect()
    });
    let Response::DeleteShareGroupOffsets(response) = house.ask(0, request).await else { panic!() };
    response
}

/// A group that has accepted offsets 0, 1 and 4 of ten.
async fn worked() -> House {
    let house = house().await;
    produce(&house, TOPIC, 0, batch(10)).await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, [(0, 9, 1)]);
    assert_eq!(a.acknowledge(&[(0, 1, ACCEPT), (4, 4, ACCEPT)]).await, OK);
    drop(a);
    house
}

#[tokio::test]
async fn progress_is_told_with_what_is_left() {
    let house = worked().await;
    house.topic("other", 1, &[]).await;
    assert_eq!(progress(&house, None).await, [(TOPIC.to_owned(), 2, 7, 0)]);
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(
        progress(&house, Some(&[(TOPIC, &[0, 1]), ("other", &[0]), ("missing", &[0])])).await,
        [
            (TOPIC.to_owned(), 2, 7, 0),
            (TOPIC.to_owned(), -1, -1, unknown),
            ("other".to_owned(), -1, -1, 0),
            ("missing".to_owned(), -1, -1, unknown)
        ]
    );
    assert_eq!(describe(&house, 0, None).await.topics[0].partitions[0].start_offset, 2);
    let nobody = build!(DescribeShareGroupOffsetsRequestGroup { group_id: text("nobody"), topics: None });
    let request = build!(DescribeShareGroupOffsetsRequest { groups: vec![nobody] });
    let Response::DescribeShareGroupOffsets(response) = house.ask(1, request).await else { panic!() };
    assert_eq!(response.groups[0].error_code, ErrorCode::GroupIdNotFound.code());
}

#[tokio::test]
async fn offsets_are_reset_while_nobody_is_in_the_group() {
    let house = worked().await;
    assert_eq!(alter(&house, TOPIC, &[(0, 5)]).await.error_code, ErrorCode::NonEmptyGroup.code());
    let a = Member::join(&house, "a").await;
    a.leave().await;
    let response = alter(&house, TOPIC, &[(0, 5), (1, 5)]).await;
    let codes: Vec<_> = response.responses[0].partitions.iter().map(|one| one.error_code).collect();
    assert_eq!((response.error_code, codes), (0, vec![0, ErrorCode::UnknownTopicOrPartition.code()]));
    let response = alter(&house, TOPIC, &[(0, -1)]).await;
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::InvalidRequest.code());
    for house in [house.killed(), house] {
        assert_eq!(progress(&house, None).await, [(TOPIC.to_owned(), 5, 5, 0)]);
        let mut b = Member::join(&house, "b").await;
        assert_eq!(b.fetch().await, [(5, 9, 1)]);
    }
}

#[tokio::test]
async fn a_topic_is_forgotten_while_nobody_is_in_the_group() {
    let house = worked().await;
    assert_eq!(delete(&house, &[TOPIC]).await.error_code, ErrorCode::NonEmptyGroup.code());
    let a = Member::join(&house, "a").await;
    a.leave().await;
    let response = delete(&house, &[TOPIC, "missing"]).await;
    let codes: Vec<_> = response.responses.iter().map(|one| one.error_code).collect();
    assert_eq!((response.error_code, codes), (0, vec![0, ErrorCode::UnknownTopicOrPartition.code()]));
    for house in [house.killed(), house] {
        assert!(progress(&house, None).await.is_empty());
        let mut b = Member::join(&house, "b").await;
        assert_eq!(b.fetch().await, [(0, 9, 1)]);
    }
}

#[tokio::test]
async fn a_deleted_group_takes_its_state_and_its_sessions_along() {
    let house = worked().await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, [(2, 3, 1), (5, 9, 1)]);
    a.leave().await;
    let request = build!(DeleteGroupsRequest { groups_names: vec![text(GROUP)] });
    let Response::DeleteGroups(response) = house.ask(2, request).await else { panic!() };
    assert_eq!(response.results[0].error_code, 0);
    assert_eq!(a.acknowledge(&[(2, 2, ACCEPT)]).await, ErrorCode::GroupIdNotFound);
    for house in [house.killed(), house] {
        let mut b = Member::join(&house, "a").await;
        b.epoch = 2;
        assert_eq!(b.acknowledge(&[(2, 2, ACCEPT)]).await, ErrorCode::ShareSessionNotFound);
        b.epoch = 0;
        assert_eq!(b.fetch().await, [(0, 9, 1)]);
    }
}
