//! Groups of the classic protocol, and the offsets of all groups.

use bytes::Bytes;
use schloss_wire::messages as m;
use schloss_wire::{Api, Request, build};

use crate::case::{Case, Names, Shown};

/// The last version that asks for one group, and for one coordinator.
const FETCH_ONE: i16 = 7;
const FIND_ONE: i16 = 3;
/// The first version that finds coordinators of share groups.
const SHARE_GROUPS: i8 = 2;
const UNKNOWN_MEMBER: &str = "25";

/// A commit of a consumer that is no member: it makes the group.
pub(crate) fn commit(names: &Names, group: &str) -> m::OffsetCommitRequest {
    use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let partition = build!(OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: 5,
        committed_leader_epoch: -1,
        committed_metadata: None,
    });
    let topic = build!(OffsetCommitRequestTopic { topic_id: names.id("t"), partitions: vec![partition] });
    build!(m::OffsetCommitRequest {
        group_id: names.text(group),
        generation_id_or_member_epoch: -1,
        group_instance_id: None,
        topics: vec![topic],
    })
}

fn commits(names: &Names) -> Vec<Request> {
    vec![commit(names, "g").into()]
}

fn fetch(names: &Names, groups: &[&str], all: bool) -> m::OffsetFetchRequest {
    use m::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
    let group = |label: &&str| {
        let topic = build!(OffsetFetchRequestTopics { topic_id: names.id("t"), partition_indexes: vec![0] });
        build!(OffsetFetchRequestGroup {
            group_id: names.text(label),
            member_id: None,
            member_epoch: -1,
            topics: (!all).then(|| vec![topic]),
        })
    };
    build!(m::OffsetFetchRequest { groups: groups.iter().map(group).collect() })
}

fn fetch_one(names: &Names) -> m::OffsetFetchRequest {
    use m::offset_fetch_request::OffsetFetchRequestTopic;
    let topic = build!(OffsetFetchRequestTopic { name: names.text("t"), partition_indexes: vec![0] });
    build!(m::OffsetFetchRequest { group_id: names.text("g"), topics: Some(vec![topic]) })
}

fn find(key_type: i8, keys: Vec<schloss_wire::StrBytes>) -> m::FindCoordinatorRequest {
    build!(m::FindCoordinatorRequest { key_type, coordinator_keys: keys })
}

fn find_of_share(names: &Names) -> m::FindCoordinatorRequest {
    // Kafka's key: the group, the topic's id and the partition.
    let key = format!("{}:AAAAAAAAAAAAAAAAAAAAAQ:0", names.name("g"));
    find(SHARE_GROUPS, vec![key.as_str().into()])
}

fn join(names: &Names) -> m::JoinGroupRequest {
    use m::join_group_request::JoinGroupRequestProtocol;
    let protocol =
        build!(JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(b"t") });
    build!(m::JoinGroupRequest {
        group_id: names.text("g"),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: "".into(),
        group_instance_id: None,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        reason: None,
    })
}

fn heartbeat(names: &Names) -> m::HeartbeatRequest {
    build!(m::HeartbeatRequest { group_id: names.text("g"), member_id: "m".into(), group_instance_id: None })
}

fn leave(names: &Names) -> m::LeaveGroupRequest {
    use m::leave_group_request::MemberIdentity;
    let member = build!(MemberIdentity { member_id: "m".into(), group_instance_id: None, reason: None });
    build!(m::LeaveGroupRequest { group_id: names.text("g"), members: vec![member] })
}

fn sync(names: &Names) -> m::SyncGroupRequest {
    build!(m::SyncGroupRequest {
        group_id: names.text("g"),
        member_id: "m".into(),
        group_instance_id: None,
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
    })
}

fn describe(names: &Names) -> m::DescribeGroupsRequest {
    build!(m::DescribeGroupsRequest { groups: vec![names.text("g"), names.text("h")] })
}

fn delete(names: &Names) -> m::DeleteGroupsRequest {
    build!(m::DeleteGroupsRequest { groups_names: vec![names.text("g"), names.text("h")] })
}

fn delete_offsets(names: &Names) -> m::OffsetDeleteRequest {
    use m::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
    let partition = build!(OffsetDeleteRequestPartition { partition_index: 0 });
    let topic = build!(OffsetDeleteRequestTopic { name: names.text("t"), partitions: vec![partition] });
    build!(m::OffsetDeleteRequest { group_id: names.text("g"), topics: vec![topic] })
}

pub(crate) fn cases() -> Vec<Case> {
    [offsets(), coordinators(), members(), administration()].into_iter().flatten().collect()
}

fn offsets() -> Vec<Case> {
    vec![
        Case::new(Api::OffsetCommit, "one topic", |names| commit(names, "g"))
            .topics(&["t"])
            .needs("read group g", "topics[t].partitions[0] 30")
            .needs("read topic t", "topics[t].partitions[0] 29"),
        Case::new(Api::OffsetFetch, "two groups", |names| fetch(names, &["g", "h"], false))
            .topics(&["t"])
            .nothing("groups[g] 30; groups[h] 30", &["describe group g", "describe group h"])
            .needs("describe group g", "groups[g] 30")
            .in_part()
            .needs("describe group h", "groups[h] 30")
            .in_part()
            .needs(
                "describe topic t",
                "groups[g].topics[t].partitions[0] 29; groups[h].topics[t].partitions[0] 29",
            ),
        Case::new(Api::OffsetFetch, "all topics of a group", |names| fetch(names, &["g"], true))
            .topics(&["t"])
            .prepares(commits)
            .nothing("groups[g] 30", &["describe group g"])
            .needs("describe group g", "groups[g] 30")
            .needs_silently("describe topic t", "")
            .shows(Shown::Id("t")),
        Case::new(Api::OffsetFetch, "one group", fetch_one)
            .version(FETCH_ONE)
            .topics(&["t"])
            .needs("describe group g", "30")
            .needs("describe topic t", "topics[t].partitions[0] 29"),
        Case::new(Api::OffsetDelete, "one topic", delete_offsets)
            .topics(&["t"])
            .prepares(commits)
            .needs("delete group g", "30")
            // What is the matter with the group is told even so.
            .needs("read topic t", "topics[t].partitions[0] 29")
            .in_part(),
    ]
}

fn coordinators() -> Vec<Case> {
    vec![
        Case::new(Api::FindCoordinator, "of two groups", |names| {
            find(0, vec![names.text("g"), names.text("h")])
        })
        .nothing("coordinators[g] 30; coordinators[h] 30", &["describe group g", "describe group h"])
        .needs("describe group g", "coordinators[g] 30")
        .in_part()
        .needs("describe group h", "coordinators[h] 30")
        .in_part(),
        Case::new(Api::FindCoordinator, "of a group, as old clients do", |names| {
            build!(m::FindCoordinatorRequest { key: names.text("g") })
        })
        .version(FIND_ONE)
        .needs("describe group g", "30"),
        Case::new(Api::FindCoordinator, "of a transaction", |names| find(1, vec![names.text("x")]))
            .needs("describe transactional-id x", "coordinators[x] 53"),
        Case::new(Api::FindCoordinator, "of a transaction, as old clients do", |names| {
            build!(m::FindCoordinatorRequest { key: names.text("x"), key_type: 1 })
        })
        .version(FIND_ONE)
        .needs("describe transactional-id x", "53"),
        Case::new(Api::FindCoordinator, "of a share group's partition", find_of_share)
            .needs("cluster-action cluster", "coordinators[g:AAAAAAAAAAAAAAAAAAAAAQ:0] 31")
            // The broker has no such coordinators.
            .allowed("coordinators[g:AAAAAAAAAAAAAAAAAAAAAQ:0] 42"),
    ]
}

fn members() -> Vec<Case> {
    vec![
        // A member without an id is given one, to come again with.
        Case::new(Api::JoinGroup, "a new member", join).needs("read group g", "30").allowed("79"),
        Case::new(Api::Heartbeat, "nobody", heartbeat).needs("read group g", "30").allowed(UNKNOWN_MEMBER),
        Case::new(Api::LeaveGroup, "nobody", leave).needs("read group g", "30").allowed("members[m] 25"),
        Case::new(Api::SyncGroup, "nobody", sync).needs("read group g", "30").allowed(UNKNOWN_MEMBER),
    ]
}

fn administration() -> Vec<Case> {
    let both = |names: &Names| vec![commit(names, "g").into(), commit(names, "h").into()];
    vec![
        Case::new(Api::DescribeGroups, "two groups", describe)
            .topics(&["t"])
            .prepares(both)
            .nothing("groups[g] 30; groups[h] 30", &["describe group g", "describe group h"])
            .needs("describe group g", "groups[g] 30")
            .in_part()
            .needs("describe group h", "groups[h] 30")
            .in_part(),
        Case::new(Api::ListGroups, "by the cluster", |_| m::ListGroupsRequest::default())
            .topics(&["t"])
            .prepares(commits)
            .needs_silently("describe cluster", "")
            .shows(Shown::Name("g")),
        Case::new(Api::ListGroups, "by its name", |_| m::ListGroupsRequest::default())
            .topics(&["t"])
            .prepares(commits)
            .needs_silently("describe group g", "")
            .shows(Shown::Name("g")),
        Case::new(Api::DeleteGroups, "two groups", delete)
            .topics(&["t"])
            .prepares(both)
            .needs("delete group g", "results[g] 30; results[h] 30")
            .recorded(&["delete group g", "delete group h"])
            .allowed_but("results[h] 30", &["delete group h"]),
    ]
}
