//! The group APIs as clients of all versions see them: through policy, engine and codec.

use bytes::Bytes;
use schloss_wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use schloss_wire::messages::describe_groups_request::DescribeGroupsRequest;
use schloss_wire::messages::describe_groups_response::DescribedGroup;
use schloss_wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use schloss_wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use schloss_wire::messages::list_groups_request::ListGroupsRequest;
use schloss_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use schloss_wire::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use schloss_wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use schloss_wire::messages::{
    DeleteGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupResponse, ListGroupsResponse,
};
use schloss_wire::{Api, ErrorCode, Response, StrBytes, Uuid, build};

use crate::testing::House;

const GROUP: &str = "orders-app";
const OK: i16 = 0;

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

fn join(member_id: &str) -> JoinGroupRequest {
    let range =
        build!(JoinGroupRequestProtocol { name: text("range"), metadata: Bytes::from_static(b"topics") });
    build!(JoinGroupRequest {
        group_id: text(GROUP),
        session_timeout_ms: 10_000,
        member_id: text(member_id),
        protocol_type: text("consumer"),
        protocols: vec![range],
    })
}

fn partition(partition_index: i32, committed_offset: i64, metadata: &str) -> OffsetCommitRequestPartition {
    build!(OffsetCommitRequestPartition {
        partition_index,
        committed_offset,
        committed_metadata: Some(text(metadata)),
    })
}

/// A commit of a consumer that is no member.
fn commit(topics: Vec<OffsetCommitRequestTopic>) -> OffsetCommitRequest {
    build!(OffsetCommitRequest { group_id: text(GROUP), topics })
}

fn of_topic(name: &str, partitions: Vec<OffsetCommitRequestPartition>) -> OffsetCommitRequestTopic {
    build!(OffsetCommitRequestTopic { name: text(name), partitions })
}

impl House {
    async fn join(&self, version: i16, member_id: &str) -> JoinGroupResponse {
        let first = answer!(self, version, join(member_id) => JoinGroup);
        if first.error_code != ErrorCode::MemberIdRequired.code() {
            return first;
        }
        assert!(version >= 4 && first.generation_id == -1);
        answer!(self, version, join(first.member_id.as_str()) => JoinGroup)
    }

    async fn commit_all(&self, version: i16, request: OffsetCommitRequest) -> Vec<i16> {
        let response = answer!(self, version, request => OffsetCommit);
        response.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code).collect()
    }

    /// Offset and error of one partition.
    async fn committed(&self, version: i16, name: &str, id: Uuid, index: i32) -> (i64, i16) {
        let indexes = vec![index];
        if version < 8 {
            let topic = build!(OffsetFetchRequestTopic { name: text(name), partition_indexes: indexes });
            let request = build!(OffsetFetchRequest { group_id: text(GROUP), topics: Some(vec![topic]) });
            let response = answer!(self, version, request => OffsetFetch);
            let found = &response.topics[0].partitions[0];
            return (found.committed_offset, found.error_code);
        }
        let mut topic = build!(OffsetFetchRequestTopics { partition_indexes: indexes });
        if version < 10 {
            topic.name = text(name);
        } else {
            topic.topic_id = id;
        }
        let group = build!(OffsetFetchRequestGroup { group_id: text(GROUP), topics: Some(vec![topic]) });
        let request = build!(OffsetFetchRequest { groups: vec![group] });
        let response = answer!(self, version, request => OffsetFetch);
        assert_eq!(response.groups[0].error_code, OK);
        let found = &response.groups[0].topics[0].partitions[0];
        (found.committed_offset, found.error_code)
    }

    async fn describe(&self, version: i16) -> DescribedGroup {
        let request = build!(DescribeGroupsRequest { groups: vec![text(GROUP)] });
        answer!(self, version, request => DescribeGroups).groups.remove(0)
    }

    async fn list(&self, version: i16, states: &[&str], types: &[&str]) -> ListGroupsResponse {
        let filter = |names: &[&str]| names.iter().map(|name| text(name)).collect();
        let request =
            build!(ListGroupsRequest { states_filter: filter(states), types_filter: filter(types) });
        answer!(self, version, request => ListGroups)
    }

    async fn delete_group(&self, version: i16) -> i16 {
        let request = build!(DeleteGroupsRequest { groups_names: vec![text(GROUP)] });
        let response = answer!(self, version, request => DeleteGroups);
        assert_eq!(response.results.len(), 1);
        response.results[0].error_code
    }
}

#[tokio::test]
async fn a_consumer_of_any_age_lives_a_whole_life() {
    let house = House::new();
    let orders = house.topic("orders", 1, &[]).await;
    for version in 0..=10 {
        let at = |api: Api| version.clamp(api.range().min, api.range().max);
        let joined = house.join(at(Api::JoinGroup), "").await;
        assert_eq!(joined.error_code, OK, "version {version}");
        assert!(joined.member_id.as_str().starts_with("test-"), "{}", joined.member_id);
        assert_eq!((joined.members.len(), &joined.leader), (1, &joined.member_id));
        let (member_id, generation_id) = (joined.member_id, joined.generation_id);

        let assignment = Bytes::from_static(b"everything");
        let assignment = build!(SyncGroupRequestAssignment { member_id: member_id.clone(), assignment });
        let mut sync = build!(SyncGroupRequest {
            group_id: text(GROUP),
            member_id: member_id.clone(),
            generation_id,
            assignments: vec![assignment],
        });
        if at(Api::SyncGroup) >= 5 {
            let unnamed = answer!(house, at(Api::SyncGroup), sync.clone() => SyncGroup);
            assert_eq!(unnamed.error_code, ErrorCode::InconsistentGroupProtocol.code());
            sync.protocol_type = Some(text("consumer"));
            sync.protocol_name = Some(text("range"));
        }
        let synced = answer!(house, at(Api::SyncGroup), sync => SyncGroup);
        assert_eq!((synced.error_code, &*synced.assignment), (OK, &b"everything"[..]));

        let beat =
            build!(HeartbeatRequest { group_id: text(GROUP), member_id: member_id.clone(), generation_id });
        assert_eq!(answer!(house, at(Api::Heartbeat), beat => Heartbeat).error_code, OK);

        let mut topic = of_topic("orders", vec![partition(0, i64::from(version), "")]);
        if at(Api::OffsetCommit) >= 10 {
            topic = build!(OffsetCommitRequestTopic { topic_id: orders, partitions: topic.partitions });
        }
        let mut request = commit(vec![topic]);
        request.member_id = member_id.clone();
        request.generation_id_or_member_epoch = generation_id;
        assert_eq!(house.commit_all(at(Api::OffsetCommit), request).await, [OK]);
        let found = house.committed(at(Api::OffsetFetch), "orders", orders, 0).await;
        assert_eq!(found, (i64::from(version), OK));

        let described = house.describe(at(Api::DescribeGroups)).await;
        assert_eq!((described.group_state.as_str(), described.members.len()), ("Stable", 1));
        assert_eq!(described.members[0].client_host.as_str(), "/127.0.0.1");
        assert_eq!(house.delete_group(at(Api::DeleteGroups)).await, ErrorCode::NonEmptyGroup.code());

        let leave = if at(Api::LeaveGroup) < 3 {
            build!(LeaveGroupRequest { group_id: text(GROUP), member_id })
        } else {
            let members = vec![build!(MemberIdentity { member_id })];
            build!(LeaveGroupRequest { group_id: text(GROUP), members })
        };
        let left = answer!(house, at(Api::LeaveGroup), leave => LeaveGroup);
        assert_eq!(left.error_code, OK);
        assert!(left.members.iter().all(|member| member.error_code == OK));
        assert_eq!(house.describe(at(Api::DescribeGroups)).await.group_state.as_str(), "Empty");
    }
}

#[tokio::test]
async fn what_can_not_be_committed_is_refused_and_the_rest_is_committed() {
    let house = House::new();
    let orders = house.topic("orders", 1, &[]).await;
    let topics = vec![
        of_topic("orders", vec![partition(0, 5, "fine"), partition(1, 5, ""), partition(-1, 5, "")]),
        of_topic("nowhere", vec![partition(0, 5, "")]),
    ];
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(house.commit_all(9, commit(topics)).await, [OK, unknown, unknown, unknown]);
    let large = of_topic("orders", vec![partition(0, 6, &"x".repeat(4097))]);
    assert_eq!(house.commit_all(9, commit(vec![large])).await, [ErrorCode::OffsetMetadataTooLarge.code()]);
    assert_eq!(house.committed(9, "orders", orders, 0).await, (5, OK));
    assert_eq!(house.committed(9, "orders", orders, 1).await, (-1, OK));
    assert_eq!(house.committed(7, "nowhere", Uuid::ZERO, 0).await, (-1, OK));

    let by_id = build!(OffsetCommitRequestTopic {
        topic_id: Uuid::from_bytes([9; 16]),
        partitions: vec![partition(0, 5, "")],
    });
    assert_eq!(house.commit_all(10, commit(vec![by_id])).await, [ErrorCode::UnknownTopicId.code()]);
    let unknown_id = house.committed(10, "", Uuid::from_bytes([9; 16]), 0).await;
    assert_eq!(unknown_id, (-1, ErrorCode::UnknownTopicId.code()));
}

#[tokio::test]
async fn a_group_error_stands_at_every_partition_in_terms_of_the_version() {
    let house = House::new();
    house.topic("orders", 2, &[]).await;
    let mut request = commit(vec![of_topic("orders", vec![partition(0, 5, ""), partition(9, 5, "")])]);
    request.generation_id_or_member_epoch = 3;
    request.member_id = text("stranger");
    let unknown = ErrorCode::UnknownTopicOrPartition.code();
    let old = house.commit_all(8, request.clone()).await;
    assert_eq!(old, [ErrorCode::IllegalGeneration.code(), unknown]);
    assert_eq!(house.commit_all(9, request).await, [ErrorCode::GroupIdNotFound.code(), unknown]);
}

#[tokio::test]
async fn offsets_survive_a_kill_and_a_restart() {
    let house = House::new();
    let orders = house.topic("orders", 1, &[]).await;
    let request = commit(vec![of_topic("orders", vec![partition(0, 41, "note")])]);
    assert_eq!(house.commit_all(9, request).await, [OK]);
    let house = house.killed().restart();
    assert_eq!(house.committed(9, "orders", orders, 0).await, (41, OK));
    let listed = house.list(5, &[], &[]).await;
    assert_eq!(listed.groups[0].group_state.as_str(), "Empty");
}

#[tokio::test]
async fn a_topic_that_is_made_again_starts_without_offsets() {
    let house = House::new();
    let first = house.topic("orders", 1, &[]).await;
    house.topic("bills", 1, &[]).await;
    let both = ["orders", "bills"].map(|name| of_topic(name, vec![partition(0, 41, "")]));
    assert_eq!(house.commit_all(9, commit(both.to_vec())).await, [OK, OK]);
    let topics = vec![build!(DeleteTopicState { name: Some(text("orders")) })];
    house.ask(6, build!(DeleteTopicsRequest { topics })).await;
    let second = house.topic("orders", 1, &[]).await;
    assert_ne!(first, second);
    for house in [house.killed(), house] {
        assert_eq!(house.committed(9, "orders", second, 0).await, (-1, OK));
        for version in 2..=10 {
            let all = build!(OffsetFetchRequestGroup { group_id: text(GROUP), topics: None });
            let (request, single) = if version >= 8 {
                (build!(OffsetFetchRequest { groups: vec![all] }), false)
            } else {
                (build!(OffsetFetchRequest { group_id: text(GROUP), topics: None }), true)
            };
            let response = answer!(house, version, request => OffsetFetch);
            let names: Vec<_> = if single {
                response.topics.iter().map(|topic| topic.name.as_str()).collect()
            } else {
                response.groups[0].topics.iter().map(|topic| topic.name.as_str()).collect()
            };
            assert_eq!(names, ["bills"], "version {version}");
        }
    }
}

#[tokio::test]
async fn unknown_groups_are_dead_for_old_clients_and_not_found_for_new_ones() {
    let house = House::new();
    let old = house.describe(5).await;
    assert_eq!((old.error_code, old.group_state.as_str()), (OK, "Dead"));
    let new = house.describe(6).await;
    assert_eq!((new.error_code, new.group_state.as_str()), (ErrorCode::GroupIdNotFound.code(), "Dead"));
    assert!(new.error_message.unwrap().as_str().contains(GROUP));
    for version in 0..=3 {
        assert_eq!(house.delete_group(version).await, ErrorCode::GroupIdNotFound.code());
    }
}

#[tokio::test]
async fn groups_are_listed_by_state_and_type() {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    house.commit_all(9, commit(vec![of_topic("orders", vec![partition(0, 1, "")])])).await;
    for version in 0..=5 {
        let listed = house.list(version, &[], &[]).await;
        assert_eq!((listed.groups.len(), listed.groups[0].protocol_type.as_str()), (1, ""));
    }
    let count = async |states: &[&str], types: &[&str]| house.list(5, states, types).await.groups.len();
    assert_eq!(count(&["empty", "Stable"], &["Classic"]).await, 1);
    assert_eq!(count(&["Stable"], &[]).await, 0);
    assert_eq!(count(&[], &["consumer"]).await, 0);
    assert_eq!(house.delete_group(2).await, OK);
    assert_eq!(count(&[], &[]).await, 0);
}

#[tokio::test]
async fn the_coordinator_of_groups_and_transactions_is_this_node() {
    let house = House::new();
    for version in 0..=6 {
        let ask = async |key_type: i8| {
            let request = if version >= 4 {
                build!(FindCoordinatorRequest { key_type, coordinator_keys: vec![text("a"), text("b")] })
            } else {
                build!(FindCoordinatorRequest { key_type, key: text("a") })
            };
            let response = answer!(house, version, request => FindCoordinator);
            if version < 4 {
                return (response.error_code, response.host, response.port, response.node_id);
            }
            let keys: Vec<_> = response.coordinators.iter().map(|one| one.key.as_str()).collect();
            assert_eq!(keys, ["a", "b"]);
            let one = &response.coordinators[1];
            (one.error_code, one.host.clone(), one.port, one.node_id)
        };
        assert_eq!(ask(0).await, (OK, text("schloss.example"), 9092, 1));
        if version >= 1 {
            assert_eq!(ask(1).await, (OK, text("schloss.example"), 9092, 1));
            assert_eq!(ask(3).await, (ErrorCode::InvalidRequest.code(), text(""), -1, -1));
        }
    }
}
