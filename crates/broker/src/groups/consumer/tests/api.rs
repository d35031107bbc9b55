//! Consumer groups as clients see them: through policy, engine and codec, and after a kill.

use bytes::Bytes;
use schloss_wire::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use schloss_wire::messages::consumer_group_describe_response::DescribedGroup;
use schloss_wire::messages::consumer_group_heartbeat_request::{
    ConsumerGroupHeartbeatRequest, TopicPartitions,
};
use schloss_wire::messages::delete_groups_request::DeleteGroupsRequest;
use schloss_wire::messages::describe_groups_request::DescribeGroupsRequest;
use schloss_wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use schloss_wire::messages::list_groups_request::ListGroupsRequest;
use schloss_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use schloss_wire::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use schloss_wire::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use schloss_wire::messages::{ConsumerGroupHeartbeatResponse, HeartbeatRequest};
use schloss_wire::{Api, ErrorCode, Request, Response, StrBytes, build};

use super::LEAVING;
use crate::groups::messages::Claim;
use crate::groups::offsets::{Commit, Committed};
use crate::testing::House;

const GROUP: &str = "orders-app";
const TOPIC: &str = "orders";
/// The newest version of both APIs.
const NEWEST: i16 = 1;

/// Takes the answer apart, which must be one of this API.
macro_rules! answer {
    ($house:expr, $version:expr, $request:expr => $api:ident) => {
        match $house.ask($version, $request).await {
            Response::$api(response) => response,
            response => panic!("{response:?}"),
        }
    };
}

fn text(text: &str) -> StrBytes {
    StrBytes::from(text)
}

fn beat(member_id: &str, member_epoch: i32) -> ConsumerGroupHeartbeatRequest {
    build!(ConsumerGroupHeartbeatRequest {
        group_id: text(GROUP),
        member_id: text(member_id),
        member_epoch,
        instance_id: None,
        rack_id: None,
        subscribed_topic_names: None,
        subscribed_topic_regex: None,
        server_assignor: None,
        topic_partitions: None,
    })
}

fn join(member_id: &str) -> ConsumerGroupHeartbeatRequest {
    let mut request = beat(member_id, 0);
    request.rebalance_timeout_ms = 30_000;
    request.subscribed_topic_names = Some(vec![text(TOPIC)]);
    request.topic_partitions = Some(Vec::<TopicPartitions>::new());
    request
}

async fn house() -> House {
    let house = House::new();
    house.topic(TOPIC, 4, &[]).await;
    house
}

async fn send(house: &House, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    answer!(house, NEWEST, request => ConsumerGroupHeartbeat)
}

async fn refused(house: &House, request: ConsumerGroupHeartbeatRequest) -> ErrorCode {
    let response = send(house, request).await;
    assert!(response.error_code == 0 || response.error_message.is_some(), "says why");
    ErrorCode::from_code(response.error_code).unwrap()
}

async fn describe(house: &House, version: i16) -> DescribedGroup {
    let request = build!(ConsumerGroupDescribeRequest {
        group_ids: vec![text(GROUP)],
        include_authorized_operations: true
    });
    let mut response = answer!(house, version, request => ConsumerGroupDescribe);
    response.groups.remove(0)
}

async fn classic_join(house: &House) -> i16 {
    let range =
        build!(JoinGroupRequestProtocol { name: text("range"), metadata: Bytes::from_static(b"topics") });
    let request = build!(JoinGroupRequest {
        group_id: text(GROUP),
        session_timeout_ms: 10_000,
        member_id: text(""),
        protocol_type: text("consumer"),
        protocols: vec![range],
    });
    answer!(house, 3, request => JoinGroup).error_code
}

/// Kind, type and state of each group.
async fn list(house: &House, types: &[&str]) -> Vec<(String, String)> {
    let types_filter = types.iter().copied().map(text).collect();
    let listed = answer!(house, 5, build!(ListGroupsRequest { types_filter }) => ListGroups);
    listed.groups.iter().map(|one| (one.group_type.to_string(), one.group_state.to_string())).collect()
}

#[tokio::test]
async fn every_version_joins_describes_and_leaves() {
    let house = house().await;
    for version in 0..=Api::ConsumerGroupHeartbeat.range().max {
        let joined = answer!(house, version, join("m") => ConsumerGroupHeartbeat);
        let assignment = joined.assignment.clone().unwrap();
        assert_eq!((joined.error_code, joined.heartbeat_interval_ms), (0, 5_000), "{joined:?}");
        assert_eq!(assignment.topic_partitions[0].partitions, [0, 1, 2, 3]);
        let again = answer!(house, version, beat("m", joined.member_epoch) => ConsumerGroupHeartbeat);
        assert!(again.error_code == 0 && again.assignment.is_none(), "{again:?}");
        let described = describe(&house, version).await;
        assert_eq!(
            (described.error_code, &*described.group_state, &*described.assignor_name),
            (0, "Stable", "uniform")
        );
        assert_eq!(
            (described.group_epoch, described.assignment_epoch),
            (joined.member_epoch, joined.member_epoch)
        );
        assert!(described.authorized_operations > 0, "filled in by the policy");
        let member = &described.members[0];
        assert_eq!(
            (&*member.member_id, &*member.client_id, &*member.client_host),
            ("m", "test", "/127.0.0.1")
        );
        assert_eq!(&*member.assignment.topic_partitions[0].topic_name, TOPIC);
        assert_eq!(member.assignment, member.target_assignment);
        let left = answer!(house, version, beat("m", LEAVING) => ConsumerGroupHeartbeat);
        assert_eq!((left.error_code, left.member_epoch), (0, LEAVING));
    }
    let unnamed = answer!(house, 0, join("") => ConsumerGroupHeartbeat);
    assert!(unnamed.member_id.is_some_and(|id| id.len() > 10), "the coordinator names it before version 1");
    assert_eq!(refused(&house, join("")).await, ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_makes_no_group() {
    let house = house().await;
    let changed = |change: fn(&mut ConsumerGroupHeartbeatRequest)| {
        let mut request = join("m");
        change(&mut request);
        request
    };
    for (request, code) in [
        (changed(|one| one.rebalance_timeout_ms = -1), ErrorCode::InvalidRequest),
        (changed(|one| one.topic_partitions = None), ErrorCode::InvalidRequest),
        (changed(|one| one.subscribed_topic_names = None), ErrorCode::InvalidRequest),
        (changed(|one| one.instance_id = Some(text(" "))), ErrorCode::InvalidRequest),
        (changed(|one| one.rack_id = Some(text(""))), ErrorCode::InvalidRequest),
        (changed(|one| one.member_epoch = -3), ErrorCode::InvalidRequest),
        (changed(|one| one.member_epoch = -2), ErrorCode::InvalidRequest),
        (changed(|one| one.server_assignor = Some(text("sticky"))), ErrorCode::UnsupportedAssignor),
        (
            changed(|one| one.subscribed_topic_regex = Some(text("(?=a)"))),
            ErrorCode::InvalidRegularExpression,
        ),
        (changed(|one| one.subscribed_topic_regex = Some(text("["))), ErrorCode::InvalidRegularExpression),
        (beat("m", 1), ErrorCode::GroupIdNotFound),
        (beat("m", LEAVING), ErrorCode::GroupIdNotFound),
    ] {
        assert_eq!(refused(&house, request.clone()).await, code, "{request:?}");
    }
    assert_eq!(list(&house, &[]).await, []);
    assert_eq!(describe(&house, NEWEST).await.error_code, ErrorCode::GroupIdNotFound.code());
}

#[tokio::test]
async fn a_pattern_is_resolved_among_the_topics_there_are() {
    let house = house().await;
    house.topic("orders-eu", 1, &[]).await;
    let mut request = join("m");
    (request.subscribed_topic_names, request.subscribed_topic_regex) = (None, Some(text("orders-.*")));
    let joined = send(&house, request).await;
    assert_eq!(joined.assignment.unwrap().topic_partitions[0].partitions, [0]);
    house.topic("orders-us", 1, &[]).await;
    let told = send(&house, beat("m", joined.member_epoch)).await;
    assert_eq!(told.assignment.unwrap().topic_partitions.len(), 2, "a topic that came later");
    // Nobody has to tell the expression again after a kill.
    let house = house.killed();
    house.topic("orders-jp", 1, &[]).await;
    let told = send(&house, beat("m", told.member_epoch)).await;
    assert_eq!(told.assignment.unwrap().topic_partitions.len(), 3);
}

#[tokio::test]
async fn members_go_on_after_a_kill() {
    let house = house().await;
    let first = send(&house, join("a")).await;
    let second = send(&house, join("b")).await;
    assert_eq!((first.member_epoch, second.member_epoch), (1, 2));
    let revoked = send(&house, beat("a", 1)).await;
    let topics = revoked.assignment.unwrap().topic_partitions;
    assert_eq!(topics[0].partitions.len(), 2, "told to give up half");
    let house = house.killed();
    assert_eq!(describe(&house, NEWEST).await.members.len(), 2);
    assert_eq!(send(&house, beat("b", 2)).await.assignment, None, "not given up yet");
    let mut given_up = beat("a", 1);
    let kept = &topics[0];
    given_up.topic_partitions =
        Some(vec![build!(TopicPartitions { topic_id: kept.topic_id, partitions: kept.partitions.clone() })]);
    let done = send(&house, given_up).await;
    assert!(done.error_code == 0 && done.member_epoch > 1, "{done:?}");
    let house = house.restart();
    let given = send(&house, beat("b", describe(&house, NEWEST).await.members[1].member_epoch)).await;
    assert_eq!(given.assignment.unwrap().topic_partitions[0].partitions.len(), 2);
    // Whoever left before the kill is not back.
    send(&house, beat("a", LEAVING)).await;
    assert_eq!(describe(&house.killed(), NEWEST).await.members.len(), 1);
}

#[tokio::test]
async fn what_was_written_anew_is_the_same() {
    let house = house().await;
    send(&house, join("a")).await;
    send(&house, join("b")).await;
    let before = describe(&house, NEWEST).await;
    house.broker.groups.compact_for_tests().await;
    assert_eq!(describe(&house.killed(), NEWEST).await, before);
}

fn commit(version: i16, member_id: &str, epoch: i32) -> Request {
    let partition = build!(OffsetCommitRequestPartition { partition_index: 0, committed_offset: 7 });
    assert!(version < 10, "topics by name");
    let topic = build!(OffsetCommitRequestTopic { name: text(TOPIC), partitions: vec![partition] });
    build!(OffsetCommitRequest {
        group_id: text(GROUP),
        member_id: text(member_id),
        generation_id_or_member_epoch: epoch,
        topics: vec![topic],
    })
    .into()
}

#[tokio::test]
async fn offsets_are_those_of_members_in_their_epochs() {
    let house = house().await;
    let epoch = send(&house, join("m")).await.member_epoch;
    let committed = |version, member_id, epoch| {
        let house = &house;
        async move {
            let response = answer!(house, version, commit(version, member_id, epoch) => OffsetCommit);
            ErrorCode::from_code(response.topics[0].partitions[0].error_code).unwrap()
        }
    };
    assert_eq!(committed(9, "m", epoch).await, ErrorCode::None);
    assert_eq!(committed(9, "m", epoch + 1).await, ErrorCode::StaleMemberEpoch);
    assert_eq!(committed(9, "x", epoch).await, ErrorCode::UnknownMemberId);
    assert_eq!(committed(9, "", -1).await, ErrorCode::UnknownMemberId, "no member while there are some");
    assert_eq!(committed(8, "m", epoch).await, ErrorCode::UnsupportedVersion);

    let fetched = |member_id: Option<&str>, member_epoch: i32| {
        let member_id = member_id.map(text);
        let house = &house;
        async move {
            let topic = build!(OffsetFetchRequestTopics { name: text(TOPIC), partition_indexes: vec![0] });
            let group = build!(OffsetFetchRequestGroup {
                group_id: text(GROUP),
                member_id,
                member_epoch,
                topics: Some(vec![topic]),
            });
            let response =
                answer!(house, 9, build!(OffsetFetchRequest { groups: vec![group] }) => OffsetFetch);
            let group = &response.groups[0];
            let code = ErrorCode::from_code(group.error_code).unwrap();
            let first = group.topics.first().map(|topic| topic.partitions[0].committed_offset);
            first.ok_or(code)
        }
    };
    assert_eq!(fetched(Some("m"), epoch).await, Ok(7));
    assert_eq!(fetched(None, -1).await, Ok(7));
    assert_eq!(fetched(Some("m"), epoch - 1).await, Err(ErrorCode::StaleMemberEpoch));
    assert_eq!(fetched(Some("x"), epoch).await, Err(ErrorCode::UnknownMemberId));
}

#[tokio::test]
async fn producers_commit_for_members_or_for_nobody_in_particular() {
    let house = house().await;
    let topic = house.broker.metadata.snapshot().topic(TOPIC).unwrap().id;
    let epoch = send(&house, join("m")).await.member_epoch;
    let hold = |member_id: &'static str, generation| {
        let committed = Committed { offset: 1, leader_epoch: -1, metadata: "".into(), time_ms: 0 };
        let claim = Claim { member_id, instance_id: None, generation };
        let commits = vec![Commit { topic, partition: 0, committed }];
        house.broker.groups.hold(GROUP, claim, (1, 0), commits, || Ok(()))
    };
    assert_eq!(hold("m", epoch).await, Ok(()));
    assert_eq!(hold("", -1).await, Ok(()));
    assert_eq!(hold("m", epoch + 1).await, Err(ErrorCode::IllegalGeneration), "producers know no epochs");
    assert_eq!(hold("x", epoch).await, Err(ErrorCode::UnknownMemberId));
}

#[tokio::test]
async fn offsets_of_what_members_read_are_not_deleted() {
    let house = house().await;
    house.topic("bills", 1, &[]).await;
    send(&house, join("m")).await;
    let delete = || {
        let topic = |name| {
            let partitions = vec![build!(OffsetDeleteRequestPartition { partition_index: 0 })];
            build!(OffsetDeleteRequestTopic { name: text(name), partitions })
        };
        build!(OffsetDeleteRequest { group_id: text(GROUP), topics: vec![topic(TOPIC), topic("bills")] })
    };
    let codes = |topics: &[schloss_wire::messages::offset_delete_response::OffsetDeleteResponseTopic]| {
        topics.iter().map(|topic| topic.partitions[0].error_code).collect::<Vec<_>>()
    };
    let deleted = answer!(house, 0, delete() => OffsetDelete);
    assert_eq!(codes(&deleted.topics), [ErrorCode::GroupSubscribedToTopic.code(), 0]);
    send(&house, beat("m", LEAVING)).await;
    let deleted = answer!(house, 0, delete() => OffsetDelete);
    assert_eq!(codes(&deleted.topics), [0, 0]);
}

#[tokio::test]
async fn a_group_takes_up_the_other_protocol_only_while_nobody_is_in_it() {
    let house = house().await;
    let epoch = send(&house, join("m")).await.member_epoch;
    assert_eq!(list(&house, &["consumer"]).await, [("consumer".to_owned(), "Stable".to_owned())]);
    assert_eq!(list(&house, &["classic"]).await, []);
    assert_eq!(classic_join(&house).await, ErrorCode::InconsistentGroupProtocol.code());
    let classic =
        build!(HeartbeatRequest { group_id: text(GROUP), generation_id: epoch, member_id: text("m") });
    assert_eq!(answer!(house, 4, classic => Heartbeat).error_code, ErrorCode::UnknownMemberId.code());
    let request = build!(DescribeGroupsRequest { groups: vec![text(GROUP)] });
    let described = answer!(house, 6, request => DescribeGroups);
    assert_eq!(described.groups[0].error_code, ErrorCode::GroupIdNotFound.code(), "it is not a classic one");

    send(&house, beat("m", LEAVING)).await;
    assert_eq!(list(&house, &[]).await, [("consumer".to_owned(), "Empty".to_owned())]);
    let house = house.killed();
    assert_eq!(list(&house, &[]).await, [("consumer".to_owned(), "Empty".to_owned())], "the kind is kept");
    assert_eq!(classic_join(&house).await, 0);
    assert_eq!(list(&house, &["classic"]).await.len(), 1);
    assert_eq!(refused(&house, join("m")).await, ErrorCode::GroupIdNotFound, "it has a classic member");
    // The classic member is not kept, and so the group takes up the new protocol, in an epoch that it never had.
    let house = house.killed();
    assert_eq!(list(&house, &["classic"]).await.len(), 1);
    assert!(send(&house, join("m")).await.member_epoch > epoch + 1);
}

#[tokio::test]
async fn only_an_empty_group_is_deleted_and_it_stays_deleted() {
    let house = house().await;
    send(&house, join("m")).await;
    let delete = || build!(DeleteGroupsRequest { groups_names: vec![text(GROUP)] });
    let deleted = answer!(house, 2, delete() => DeleteGroups);
    assert_eq!(deleted.results[0].error_code, ErrorCode::NonEmptyGroup.code());
    send(&house, beat("m", LEAVING)).await;
    let deleted = answer!(house, 2, delete() => DeleteGroups);
    assert_eq!(deleted.results[0].error_code, 0);
    assert_eq!(list(&house.killed(), &[]).await, []);
}
