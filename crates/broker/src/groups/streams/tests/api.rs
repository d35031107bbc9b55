//! Streams groups as clients see them: through policy, engine and codec, and after a kill.

use schloss_gate::{Caller, EngineSession as _, Outcome};
use schloss_wire::messages::delete_groups_request::DeleteGroupsRequest;
use schloss_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use schloss_wire::messages::list_groups_request::ListGroupsRequest;
use schloss_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use schloss_wire::messages::streams_group_describe_request::StreamsGroupDescribeRequest;
use schloss_wire::messages::streams_group_describe_response::DescribedGroup;
use schloss_wire::messages::streams_group_heartbeat_request as asked;
use schloss_wire::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use schloss_wire::{Api, Principal, Response, StrBytes, build};

use super::{ErrorCode, LEAVING};
use crate::broker::Broker;
use crate::testing::{House, admitted, caller};

const GROUP: &str = "word-count";
/// The version of Kafka 4.3.
const VERSION: i16 = 0;

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

fn beat(member_id: &str, member_epoch: i32) -> StreamsGroupHeartbeatRequest {
    build!(StreamsGroupHeartbeatRequest { group_id: text(GROUP), member_id: text(member_id), member_epoch })
}

/// Reads `lines`, writes to `words` and keeps its counts.
fn topology() -> asked::Topology {
    let config = build!(asked::KeyValue { key: text("cleanup.policy"), value: text("compact") });
    let split = build!(asked::Subtopology {
        subtopology_id: text("0"),
        source_topics: vec![text("lines")],
        repartition_sink_topics: vec![text("words")],
    });
    let count = build!(asked::Subtopology {
        subtopology_id: text("1"),
        repartition_source_topics: vec![build!(asked::TopicInfo { name: text("words") })],
        state_changelog_topics: vec![build!(asked::TopicInfo {
            name: text("counts"),
            topic_configs: vec![config]
        })],
    });
    build!(asked::Topology { epoch: 1, subtopologies: vec![split, count] })
}

fn join(member_id: &str) -> StreamsGroupHeartbeatRequest {
    let mut request = beat(member_id, 0);
    request.rebalance_timeout_ms = 30_000;
    request.topology = Some(topology());
    request.process_id = Some(text(member_id));
    (request.active_tasks, request.standby_tasks) = (Some(Vec::new()), Some(Vec::new()));
    request.warmup_tasks = Some(Vec::new());
    request
}

async fn house() -> House {
    let house = House::new();
    house.topic("lines", 2, &[]).await;
    house
}

async fn send(house: &House, request: StreamsGroupHeartbeatRequest) -> StreamsGroupHeartbeatResponse {
    answer!(house, VERSION, request => StreamsGroupHeartbeat)
}

async fn refused(house: &House, request: StreamsGroupHeartbeatRequest) -> ErrorCode {
    let response = send(house, request).await;
    assert!(response.error_code == 0 || response.error_message.is_some(), "says why");
    ErrorCode::from_code(response.error_code).unwrap()
}

async fn describe(house: &House, version: i16) -> DescribedGroup {
    let request = build!(StreamsGroupDescribeRequest {
        group_ids: vec![text(GROUP)],
        include_authorized_operations: true,
    });
    answer!(house, version, request => StreamsGroupDescribe).groups.remove(0)
}

async fn list(house: &House, types: &[&str]) -> Vec<(String, String, String)> {
    let types_filter = types.iter().copied().map(text).collect();
    let listed = answer!(house, 5, build!(ListGroupsRequest { types_filter }) => ListGroups);
    let line = |one: &schloss_wire::messages::list_groups_response::ListedGroup| {
        (one.group_type.to_string(), one.protocol_type.to_string(), one.group_state.to_string())
    };
    listed.groups.iter().map(line).collect()
}

fn tasks(response: &StreamsGroupHeartbeatResponse) -> Vec<(String, Vec<i32>)> {
    let tasks = response.active_tasks.iter().flatten();
    tasks.map(|one| (one.subtopology_id.to_string(), one.partitions.clone())).collect()
}

#[tokio::test]
async fn every_version_joins_describes_and_leaves() {
    let house = house().await;
    for version in 0..=Api::StreamsGroupHeartbeat.range().max {
        let joined = answer!(house, version, join("m") => StreamsGroupHeartbeat);
        assert_eq!((joined.error_code, joined.heartbeat_interval_ms), (0, 5_000), "{joined:?}");
        assert_eq!(joined.status.as_deref(), Some(&[][..]), "its topics were made on the way");
        assert_eq!(tasks(&joined), [("0".to_owned(), vec![0, 1]), ("1".to_owned(), vec![0, 1])]);
        let again = answer!(house, version, beat("m", joined.member_epoch) => StreamsGroupHeartbeat);
        assert!(again.error_code == 0 && again.active_tasks.is_none(), "{again:?}");
        let described = describe(&house, version).await;
        assert_eq!((described.error_code, &*described.group_state), (0, "Stable"), "{described:?}");
        assert_eq!(described.group_epoch, joined.member_epoch);
        assert!(described.authorized_operations > 0, "filled in by the policy");
        let subtopologies = described.topology.unwrap().subtopologies.unwrap();
        let counts = &subtopologies[1].state_changelog_topics[0];
        assert_eq!((&*counts.name, counts.partitions, counts.topic_configs.len()), ("counts", 2, 1));
        let member = &described.members[0];
        assert_eq!((&*member.member_id, &*member.process_id, member.topology_epoch), ("m", "m", 1));
        assert_eq!(member.assignment.active_tasks.len(), 2);
        assert_eq!(member.assignment, member.target_assignment);
        let left = answer!(house, version, beat("m", LEAVING) => StreamsGroupHeartbeat);
        assert_eq!((left.error_code, left.member_epoch), (0, LEAVING));
    }
    let snapshot = house.broker.metadata.snapshot();
    let counts = snapshot.topic("counts").unwrap();
    assert_eq!(counts.configs.get("cleanup.policy").map(String::as_str), Some("compact"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_makes_no_group() {
    let house = house().await;
    let changed = |change: fn(&mut StreamsGroupHeartbeatRequest)| {
        let mut request = join("m");
        change(&mut request);
        request
    };
    let with = |change: fn(&mut Vec<asked::Subtopology>)| {
        let mut request = join("m");
        change(&mut request.topology.as_mut().unwrap().subtopologies);
        request
    };
    let together = |sources, repartitions| {
        let group = build!(asked::CopartitionGroup {
            source_topics: sources,
            repartition_source_topics: repartitions
        });
        let mut request = join("m");
        request.topology.as_mut().unwrap().subtopologies[0].copartition_groups = vec![group];
        request
    };
    for (request, code) in [
        (changed(|one| one.rebalance_timeout_ms = -1), ErrorCode::InvalidRequest),
        (changed(|one| one.active_tasks = None), ErrorCode::InvalidRequest),
        (changed(|one| one.member_id = text(" ")), ErrorCode::InvalidRequest),
        (changed(|one| one.instance_id = Some(text("i"))), ErrorCode::InvalidRequest),
        (changed(|one| one.rack_id = Some(text(""))), ErrorCode::InvalidRequest),
        (changed(|one| one.member_epoch = -3), ErrorCode::InvalidRequest),
        (changed(|one| one.member_epoch = 1), ErrorCode::InvalidRequest),
        (changed(|one| one.member_id = text(&"m".repeat(2_000))), ErrorCode::InvalidRequest),
        (with(|all| all[1].subtopology_id = text("0")), ErrorCode::StreamsInvalidTopology),
        (with(|all| all[0].source_topics.clear()), ErrorCode::StreamsInvalidTopology),
        (with(|all| all[0].source_topics.push(text("a/b"))), ErrorCode::StreamsInvalidTopology),
        (with(|all| all[0].source_topic_regex.push(text(".*"))), ErrorCode::InvalidRequest),
        (with(|all| all[1].state_changelog_topics[0].partitions = 3), ErrorCode::StreamsInvalidTopology),
        (with(|all| all[1].repartition_source_topics[0].partitions = -1), ErrorCode::StreamsInvalidTopology),
        (with(|all| all[0].source_topics = vec![text("lines"); 4_000]), ErrorCode::StreamsInvalidTopology),
        (together(vec![1], vec![]), ErrorCode::StreamsInvalidTopology),
        (together(vec![0, -1], vec![]), ErrorCode::StreamsInvalidTopology),
        (together(vec![], vec![0]), ErrorCode::StreamsInvalidTopology),
        (beat("m", 1), ErrorCode::GroupIdNotFound),
        (beat("m", LEAVING), ErrorCode::GroupIdNotFound),
    ] {
        assert_eq!(refused(&house, request.clone()).await, code, "{request:?}");
    }
    assert_eq!(list(&house, &[]).await, []);
    assert_eq!(describe(&house, VERSION).await.error_code, ErrorCode::GroupIdNotFound.code());
}

/// As a user without any right, whose request the gate would have let through: that of a member that brought its
/// topology when its topics were there.
async fn send_as_stranger(
    house: &House,
    request: StreamsGroupHeartbeatRequest,
) -> StreamsGroupHeartbeatResponse {
    let caller = Caller { principal: Principal::user("stranger"), ..caller(VERSION) };
    let request = admitted(house, VERSION, request);
    match Broker::clone(&house.broker).call(caller, request).await {
        Outcome::Reply(Response::StreamsGroupHeartbeat(response)) => response,
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn topics_are_made_with_the_rights_of_who_asks() {
    let house = house().await;
    let joined = send_as_stranger(&house, join("m")).await;
    let status = &joined.status.as_ref().unwrap()[0];
    assert_eq!(status.status_code, 3);
    assert!(status.status_detail.contains("Unauthorized to CREATE on topics counts, words"), "{status:?}");
    assert_eq!((tasks(&joined), house.broker.metadata.snapshot().topics().count()), (vec![], 1));
    assert_eq!(describe(&house, VERSION).await.group_state, text("NotReady"));
    // Another member may.
    assert_eq!(send(&house, join("n")).await.status.as_deref(), Some(&[][..]));
    assert_eq!(house.broker.metadata.snapshot().topics().count(), 3);
}

#[tokio::test]
async fn topics_that_can_not_be_made_are_told() {
    let house = House::with(|config| config.max_partitions = 3);
    house.topic("lines", 2, &[]).await;
    let joined = send(&house, join("m")).await;
    let status = &joined.status.as_ref().unwrap()[0];
    assert!(status.status_detail.contains("Creation failed: counts (POLICY_VIOLATION"), "{status:?}");
}

#[tokio::test]
async fn members_go_on_after_a_kill() {
    let house = house().await;
    let first = send(&house, join("a")).await;
    let second = send(&house, join("b")).await;
    assert_eq!((first.member_epoch, second.member_epoch), (3, 4));
    let told = send(&house, beat("a", 3)).await;
    assert_eq!(tasks(&told).iter().map(|(_, tasks)| tasks.len()).sum::<usize>(), 2, "told to give up half");
    let before = describe(&house, VERSION).await;
    let house = house.killed();
    assert_eq!(describe(&house, VERSION).await, before);
    assert_eq!(send(&house, beat("b", 4)).await.active_tasks, None, "not given up yet");
    let mut given_up = beat("a", 3);
    let kept = told.active_tasks.unwrap().into_iter();
    let kept = kept
        .map(|one| build!(asked::TaskIds { subtopology_id: one.subtopology_id, partitions: one.partitions }));
    given_up.active_tasks = Some(kept.collect());
    (given_up.standby_tasks, given_up.warmup_tasks) = (Some(vec![]), Some(vec![]));
    let done = send(&house, given_up).await;
    assert!(done.error_code == 0 && done.member_epoch > 3, "{done:?}");
    let house = house.restart();
    let epoch = describe(&house, VERSION).await.members[1].member_epoch;
    assert_eq!(tasks(&send(&house, beat("b", epoch)).await).len(), 2);
    // What was written anew is the same.
    let before = describe(&house, VERSION).await;
    house.broker.groups.compact_for_tests().await;
    assert_eq!(describe(&house.killed(), VERSION).await.members, before.members);
    // Whoever left before the kill is not back.
    send(&house, beat("a", LEAVING)).await;
    assert_eq!(describe(&house.killed(), VERSION).await.members.len(), 1);
}

#[tokio::test]
async fn it_is_one_group_among_others() {
    let house = house().await;
    let epoch = send(&house, join("m")).await.member_epoch;
    let line = |state: &str| ("streams".to_owned(), "streams".to_owned(), state.to_owned());
    assert_eq!(list(&house, &["streams"]).await, [line("Stable")]);
    assert_eq!(list(&house, &["consumer", "classic"]).await, []);
    let commit = |version, member_id: &str, epoch| {
        let partition = build!(OffsetCommitRequestPartition { partition_index: 0, committed_offset: 7 });
        let topic = build!(OffsetCommitRequestTopic { name: text("lines"), partitions: vec![partition] });
        let request = build!(OffsetCommitRequest {
            group_id: text(GROUP),
            member_id: text(member_id),
            generation_id_or_member_epoch: epoch,
            topics: vec![topic],
        });
        let house = &house;
        async move {
            let response = answer!(house, version, request => OffsetCommit);
            ErrorCode::from_code(response.topics[0].partitions[0].error_code).unwrap()
        }
    };
    assert_eq!(commit(9, "m", epoch).await, ErrorCode::None);
    assert_eq!(commit(9, "m", epoch + 1).await, ErrorCode::StaleMemberEpoch);
    assert_eq!(commit(8, "m", epoch).await, ErrorCode::UnsupportedVersion);

    let delete = || build!(DeleteGroupsRequest { groups_names: vec![text(GROUP)] });
    let deleted = answer!(house, 2, delete() => DeleteGroups);
    assert_eq!(deleted.results[0].error_code, ErrorCode::NonEmptyGroup.code());
    send(&house, beat("m", LEAVING)).await;
    assert_eq!(list(&house.killed(), &[]).await, [line("Empty")], "the kind is kept");
    let deleted = answer!(house, 2, delete() => DeleteGroups);
    assert_eq!(deleted.results[0].error_code, 0);
    assert_eq!(house.broker.groups.inner.state.lock().member_bytes, 0, "its topology is forgotten");
    assert_eq!(list(&house.killed(), &[]).await, []);
}

#[tokio::test]
async fn its_settings_are_those_of_the_group() {
    let house = house().await;
    send(&house, join("a")).await;
    let set = |name: &str, value: &str| {
        let config = build!(AlterableConfig { name: text(name), value: Some(text(value)) });
        let resource = build!(AlterConfigsResource {
            resource_type: 32,
            resource_name: text(GROUP),
            configs: vec![config],
        });
        let request = build!(IncrementalAlterConfigsRequest { resources: vec![resource] });
        let house = &house;
        async move { answer!(house, 1, request => IncrementalAlterConfigs).responses[0].error_code }
    };
    assert_eq!(set("streams.num.standby.replicas", "1").await, 0);
    assert_eq!(set("streams.heartbeat.interval.ms", "7000").await, 0);
    assert_eq!(set("streams.num.standby.replicas", "3").await, ErrorCode::InvalidConfig.code());
    let second = send(&house, join("b")).await;
    assert_eq!(second.heartbeat_interval_ms, 7_000);
    let described = describe(&house, VERSION).await;
    let standbys = |member: usize| described.members[member].target_assignment.standby_tasks.len();
    assert_eq!((standbys(0), standbys(1)), (1, 1), "each has a copy of the other's counts");
}
