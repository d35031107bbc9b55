//! Share groups through policy, engine and codec, and after a kill.

use schloss_wire::messages::delete_groups_request::DeleteGroupsRequest;
use schloss_wire::messages::describe_groups_request::DescribeGroupsRequest;
use schloss_wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use schloss_wire::messages::list_groups_request::ListGroupsRequest;
use schloss_wire::messages::share_group_describe_response::DescribedGroup;
use schloss_wire::messages::{
    ConsumerGroupHeartbeatRequest, ShareGroupDescribeRequest, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
};
use schloss_wire::{ErrorCode, Response, StrBytes, Uuid, build};

use super::LEAVING;
use crate::groups::messages::Claim;
use crate::groups::offsets::{Commit, Committed};
use crate::testing::House;
use crate::tests::configs::{GROUP as GROUP_RESOURCE, SET, alter};

const GROUP: &str = "workers";
const TOPIC: &str = "orders";
const OK: ErrorCode = ErrorCode::None;

fn text(text: &str) -> StrBytes {
    StrBytes::from(text)
}

fn beat(member_id: &str, member_epoch: i32) -> ShareGroupHeartbeatRequest {
    build!(ShareGroupHeartbeatRequest {
        group_id: text(GROUP),
        member_id: text(member_id),
        member_epoch,
        rack_id: None,
        subscribed_topic_names: None,
    })
}

fn join(member_id: &str) -> ShareGroupHeartbeatRequest {
    let mut request = beat(member_id, 0);
    request.subscribed_topic_names = Some(vec![text(TOPIC)]);
    request
}

async fn send(house: &House, request: ShareGroupHeartbeatRequest) -> ShareGroupHeartbeatResponse {
    let Response::ShareGroupHeartbeat(response) = house.ask(1, request).await else { panic!() };
    assert!(response.error_code == 0 || response.error_message.is_some(), "says why");
    response
}

async fn code(house: &House, request: ShareGroupHeartbeatRequest) -> ErrorCode {
    ErrorCode::from_code(send(house, request).await.error_code).unwrap()
}

async fn house() -> House {
    let house = House::new();
    house.topic(TOPIC, 4, &[]).await;
    house
}

async fn describe(house: &House) -> DescribedGroup {
    let request = build!(ShareGroupDescribeRequest {
        group_ids: vec![text(GROUP)],
        include_authorized_operations: true
    });
    let Response::ShareGroupDescribe(mut response) = house.ask(1, request).await else { panic!() };
    response.groups.remove(0)
}

/// Type, protocol type and state of the group in a listing.
async fn listed(house: &House) -> Option<(String, String, String)> {
    let request = build!(ListGroupsRequest { types_filter: vec![text("Share")] });
    let Response::ListGroups(response) = house.ask(5, request).await else { panic!() };
    let group = response.groups.iter().find(|group| group.group_id.as_str() == GROUP)?;
    Some((group.group_type.to_string(), group.protocol_type.to_string(), group.group_state.to_string()))
}

async fn delete(house: &House) -> ErrorCode {
    let request = build!(DeleteGroupsRequest { groups_names: vec![text(GROUP)] });
    let Response::DeleteGroups(response) = house.ask(2, request).await else { panic!() };
    ErrorCode::from_code(response.results[0].error_code).unwrap()
}

#[tokio::test]
async fn a_member_joins_is_described_and_leaves() {
    let house = house().await;
    let id = house.broker.metadata.snapshot().topic(TOPIC).unwrap().id;
    let interval = [("share.heartbeat.interval.ms", SET, Some("7000"))];
    assert_eq!(alter(&house, GROUP_RESOURCE, GROUP, &interval, false).await.0, OK);
    let joined = send(&house, join("a")).await;
    assert_eq!((joined.member_epoch, joined.heartbeat_interval_ms), (1, 7_000));
    let assigned = &joined.assignment.unwrap().topic_partitions[0];
    assert_eq!((assigned.topic_id, &assigned.partitions[..]), (id, &[0, 1, 2, 3][..]));
    assert_eq!(send(&house, beat("a", 1)).await.assignment, None);
    assert_eq!(listed(&house).await, Some(("share".into(), "share".into(), "Stable".into())));

    let group = describe(&house).await;
    assert_eq!(
        (group.error_code, group.group_state.as_str(), group.assignor_name.as_str()),
        (0, "Stable", "simple")
    );
    assert_eq!((group.group_epoch, group.assignment_epoch, group.members.len()), (1, 1, 1));
    let member = &group.members[0];
    assert_eq!((member.member_id.as_str(), member.client_host.as_str()), ("a", "/127.0.0.1"));
    let topic = &member.assignment.topic_partitions[0];
    assert_eq!((topic.topic_name.as_str(), topic.partitions.len()), (TOPIC, 4));

    assert_eq!(delete(&house).await, ErrorCode::NonEmptyGroup);
    assert_eq!(send(&house, beat("a", LEAVING)).await.member_epoch, LEAVING);
    assert_eq!(listed(&house).await.unwrap().2, "Empty");
    assert_eq!(delete(&house).await, OK);
    assert_eq!(
        (listed(&house).await, describe(&house).await.error_code),
        (None, ErrorCode::GroupIdNotFound.code())
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let house = house().await;
    let invalid = ErrorCode::InvalidRequest;
    assert_eq!(code(&house, join("")).await, invalid);
    assert_eq!(code(&house, beat("a", 0)).await, invalid, "no subscription");
    assert_eq!(code(&house, beat("a", -2)).await, invalid);
    assert_eq!(code(&house, join(&"a".repeat(1025))).await, invalid);
    let mut long = join("a");
    long.group_id = StrBytes::from("g".repeat(1025));
    assert_eq!(code(&house, long).await, ErrorCode::InvalidGroupId);
    assert_eq!(code(&house, beat("a", 1)).await, ErrorCode::GroupIdNotFound);
    assert_eq!(code(&house, beat("a", LEAVING)).await, ErrorCode::GroupIdNotFound);
    assert_eq!(listed(&house).await, None, "none of them made a group");
}

#[tokio::test]
async fn a_group_is_of_one_kind() {
    let house = house().await;
    assert_eq!(code(&house, join("a")).await, OK);
    send(&house, beat("a", LEAVING)).await;
    let consumer = build!(ConsumerGroupHeartbeatRequest {
        group_id: text(GROUP),
        member_id: text("c"),
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: 1_000,
        subscribed_topic_names: Some(vec![text(TOPIC)]),
        subscribed_topic_regex: None,
        server_assignor: None,
        topic_partitions: Some(Vec::new()),
    });
    let Response::ConsumerGroupHeartbeat(response) = house.ask(1, consumer).await else { panic!() };
    assert_eq!(response.error_code, ErrorCode::GroupIdNotFound.code());
    let range = build!(JoinGroupRequestProtocol { name: text("range") });
    let classic = build!(JoinGroupRequest {
        group_id: text(GROUP),
        session_timeout_ms: 10_000,
        protocol_type: text("consumer"),
        protocols: vec![range],
    });
    let Response::JoinGroup(response) = house.ask(3, classic).await else { panic!() };
    assert_eq!(response.error_code, ErrorCode::InconsistentGroupProtocol.code());
    let committed = Committed { offset: 1, leader_epoch: -1, metadata: "".into(), time_ms: 0 };
    let commit = Commit { topic: Uuid::ZERO, partition: 0, committed };
    let nobody = Claim { member_id: "", instance_id: None, generation: -1 };
    let groups = &house.broker.groups;
    assert_eq!(groups.commit(GROUP, nobody, vec![commit.clone()]).await, Err(ErrorCode::GroupIdNotFound));
    assert_eq!(groups.check_fetch(GROUP, None, -1), Err(ErrorCode::GroupIdNotFound));
    let described = build!(DescribeGroupsRequest { groups: vec![text(GROUP)] });
    let Response::DescribeGroups(response) = house.ask(6, described).await else { panic!() };
    assert_eq!(response.groups[0].error_code, ErrorCode::GroupIdNotFound.code());

    // And one that is something else is no share group.
    groups.commit("other", nobody, vec![commit]).await.unwrap();
    let mut other = join("a");
    other.group_id = text("other");
    assert_eq!(code(&house, other).await, ErrorCode::GroupIdNotFound);
}

#[tokio::test]
async fn the_group_survives_a_kill_and_its_members_join_again() {
    let house = house().await;
    send(&house, join("a")).await;
    for house in [house.killed(), {
        house.broker.groups.compact_for_tests().await;
        house.killed()
    }] {
        assert_eq!(listed(&house).await.unwrap().2, "Empty");
        assert_eq!(code(&house, beat("a", 1)).await, ErrorCode::UnknownMemberId);
        assert_eq!(send(&house, join("a")).await.member_epoch, 2);
    }
}
