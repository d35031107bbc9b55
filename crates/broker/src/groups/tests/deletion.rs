//! Offsets of single partitions that are deleted.

use schloss_wire::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
use schloss_wire::messages::encode_consumer_protocol_subscription;
use schloss_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use schloss_wire::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use schloss_wire::messages::offset_delete_response::OffsetDeleteResponse;
use schloss_wire::{ApiVersion, Response, StrBytes, build};

use super::*;
use crate::testing;

/// A group that committed for two partitions of two topics.
pub(super) async fn house() -> testing::House {
    let house = testing::House::new();
    for name in ["orders", "bills"] {
        house.topic(name, 2, &[]).await;
        for partition_index in 0..2 {
            let partition = build!(OffsetCommitRequestPartition { partition_index, committed_offset: 7 });
            let topic =
                build!(OffsetCommitRequestTopic { name: StrBytes::from(name), partitions: vec![partition] });
            let request =
                build!(OffsetCommitRequest { group_id: StrBytes::from(GROUP), topics: vec![topic] });
            house.ask(9, request).await;
        }
    }
    house
}

async fn delete(house: &testing::House, group: &str, topics: &[(&str, &[i32])]) -> OffsetDeleteResponse {
    let topic = |(name, partitions): &(&str, &[i32])| {
        let partition = |index: &i32| build!(OffsetDeleteRequestPartition { partition_index: *index });
        build!(OffsetDeleteRequestTopic {
            name: StrBytes::from(*name),
            partitions: partitions.iter().map(partition).collect(),
        })
    };
    let request = build!(OffsetDeleteRequest {
        group_id: StrBytes::from(group),
        topics: topics.iter().map(topic).collect(),
    });
    let Response::OffsetDelete(response) = house.ask(0, request).await else { panic!() };
    response
}

fn codes(response: &OffsetDeleteResponse) -> Vec<ErrorCode> {
    assert_eq!(response.error_code, 0);
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|one| ErrorCode::from_code(one.error_code).unwrap()).collect()
}

pub(super) async fn left(house: &testing::House) -> usize {
    house.broker.groups.fetch_all(GROUP, false).await.unwrap().len()
}

/// The join of a consumer of this topic.
pub(super) fn reader(topic: &str) -> Join {
    let subscription =
        build!(ConsumerProtocolSubscription { topics: vec![StrBytes::from(topic)], user_data: None });
    let mut metadata = bytes::BytesMut::new();
    encode_consumer_protocol_subscription(&mut metadata, &subscription, ApiVersion::new(1)).unwrap();
    Join {
        protocols: vec![Protocol { name: "range".into(), metadata: metadata.freeze() }],
        ..join("", "reader")
    }
}

#[tokio::test]
async fn what_is_named_goes_and_the_rest_stays_also_after_a_kill() {
    let house = house().await;
    let wanted: [(&str, &[i32]); 3] = [("orders", &[0, 9]), ("nowhere", &[0]), ("bills", &[1])];
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let deleted = delete(&house, GROUP, &wanted).await;
    assert_eq!(codes(&deleted), [ErrorCode::None, unknown, unknown, ErrorCode::None]);
    assert_eq!(left(&house).await, 2);
    assert_eq!(left(&house.killed()).await, 2);
    assert_eq!(codes(&delete(&house, GROUP, &[("orders", &[0])]).await), [ErrorCode::None], "once more");
    assert_eq!(delete(&house, "nobody", &wanted).await.error_code, ErrorCode::GroupIdNotFound.code());
    assert_eq!(delete(&house, "", &wanted).await.error_code, ErrorCode::InvalidGroupId.code());
}

#[tokio::test]
async fn offsets_of_topics_that_members_read_stay() {
    let house = house().await;
    house.broker.groups.join(GROUP, reader("orders")).await.unwrap();
    let deleted = delete(&house, GROUP, &[("orders", &[0]), ("bills", &[0])]).await;
    assert_eq!(codes(&deleted), [ErrorCode::GroupSubscribedToTopic, ErrorCode::None]);
    assert_eq!(left(&house).await, 3);
}

#[tokio::test]
async fn members_that_say_nothing_of_topics_may_read_any() {
    for (protocol_type, expected) in [("consumer", None), ("connect", Some(ErrorCode::NonEmptyGroup))] {
        let house = house().await;
        let member = Join { protocol_type: protocol_type.into(), ..join("", "member") };
        house.broker.groups.join(GROUP, member).await.unwrap();
        let response = delete(&house, GROUP, &[("orders", &[0])]).await;
        match expected {
            Some(code) => assert_eq!(response.error_code, code.code()),
            None => assert_eq!(codes(&response), [ErrorCode::GroupSubscribedToTopic]),
        }
        assert_eq!(left(&house).await, 4);
    }
}
