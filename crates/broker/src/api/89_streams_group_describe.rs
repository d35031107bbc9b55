//! StreamsGroupDescribe: epochs, topology, members and tasks of groups of KIP-1071.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::StreamsGroupDescribeRequest;
use schloss_wire::messages::streams_group_describe_response::{
    Assignment, DescribedGroup, Endpoint, KeyValue, Member, StreamsGroupDescribeResponse, Subtopology,
    TaskIds, TopicInfo, Topology as ToldTopology,
};
use schloss_wire::{StrBytes, build};

use super::streams_group_heartbeat::numbers_by_subtopology;
use crate::broker::Broker;
use crate::groups::{
    DescribedStreamsMember, GroupState, InternalTopic, Refused, Role, StreamsDescription, Task, Topology,
    wire, wire_if_any,
};
use crate::reply::{ready, text};

/// Kafka's value for "not asked for" in a bit field of authorized operations.
const OPERATIONS_NOT_ASKED: i32 = i32::MIN;
/// Nobody has told the topology in the application's own words (`TopologyDescriptionStatus.NOT_STORED`).
const NOT_STORED: i8 = 1;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: StreamsGroupDescribeRequest,
) -> BoxFuture<'static, Outcome> {
    let status = if request.include_topology_description { NOT_STORED } else { 0 };
    let snapshot = broker.metadata.snapshot();
    let describe = |group_id: StrBytes| match broker.groups.describe_streams(group_id.as_str()) {
        Ok(group) => found(group_id, &group, &snapshot, status),
        Err(refused) => missing(group_id, &refused),
    };
    ready(build!(StreamsGroupDescribeResponse {
        groups: request.group_ids.into_iter().map(describe).collect(),
    }))
}

fn found(
    group_id: StrBytes,
    group: &StreamsDescription,
    snapshot: &Snapshot,
    topology_description_status: i8,
) -> DescribedGroup {
    build!(DescribedGroup {
        error_message: None,
        group_id,
        group_state: wire(group.state),
        group_epoch: group.epoch,
        assignment_epoch: group.assignment_epoch,
        topology: group.topology.as_ref().map(|topology| to_topology(topology, snapshot)),
        members: group.members.iter().map(member).collect(),
        // Those that a caller asked for are filled in behind us, by policy.
        authorized_operations: OPERATIONS_NOT_ASKED,
        topology_description: None,
        topology_description_status,
    })
}

fn to_topology(topology: &Topology, snapshot: &Snapshot) -> ToldTopology {
    let subtopologies = topology.subtopologies.iter().map(|(id, subtopology)| {
        let info = |topics: &BTreeMap<String, InternalTopic>| {
            topics.iter().map(|(name, topic)| to_info(name, topic, snapshot)).collect::<Vec<_>>()
        };
        build!(Subtopology {
            subtopology_id: wire(id),
            source_topics: subtopology.sources.iter().map(|name| wire(name)).collect(),
            repartition_sink_topics: subtopology.sinks.iter().map(|name| wire(name)).collect(),
            state_changelog_topics: info(&subtopology.changelogs),
            repartition_source_topics: info(&subtopology.repartitions),
        })
    });
    build!(ToldTopology { epoch: topology.epoch, subtopologies: Some(subtopologies.collect()) })
}

/// A topic has the partitions that it has, or those that the application asks for, or none yet.
fn to_info(name: &str, topic: &InternalTopic, snapshot: &Snapshot) -> TopicInfo {
    let config = |(key, value): (&String, &String)| build!(KeyValue { key: wire(key), value: wire(value) });
    let exists = snapshot.topic(name);
    build!(TopicInfo {
        name: wire(name),
        partitions: exists.map(|meta| meta.partitions).or(topic.partitions).unwrap_or_default(),
        replication_factor: topic.replication_factor,
        topic_configs: topic.configs.iter().map(config).collect(),
    })
}

fn member(member: &DescribedStreamsMember) -> Member {
    let tag = |(key, value): (&String, &String)| build!(KeyValue { key: wire(key), value: wire(value) });
    let endpoint = member.endpoint.as_ref();
    build!(Member {
        member_id: wire(&member.id),
        member_epoch: member.epoch,
        instance_id: None,
        rack_id: wire_if_any(member.rack_id.as_ref()),
        client_id: wire(&member.client_id),
        client_host: wire(&member.client_host),
        topology_epoch: member.topology_epoch,
        process_id: wire(&member.process_id),
        user_endpoint: endpoint.map(|one| build!(Endpoint { host: wire(&one.host), port: one.port })),
        client_tags: member.tags.iter().map(tag).collect(),
        assignment: assignment(&member.assigned),
        target_assignment: assignment(&member.target),
    })
}

fn assignment(tasks: &BTreeSet<Task>) -> Assignment {
    let in_role = |role| {
        let ids = numbers_by_subtopology(tasks.iter(), role).into_iter();
        ids.map(|(id, partitions)| build!(TaskIds { subtopology_id: wire(id), partitions })).collect()
    };
    build!(Assignment { active_tasks: in_role(Role::Active), standby_tasks: in_role(Role::Standby) })
}

fn missing(group_id: StrBytes, refused: &Refused) -> DescribedGroup {
    build!(DescribedGroup {
        error_code: refused.code.code(),
        error_message: text(&refused.message),
        group_id,
        group_state: wire(GroupState::DEAD),
        topology: None,
        topology_description: None,
        authorized_operations: OPERATIONS_NOT_ASKED,
    })
}
