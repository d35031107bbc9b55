//! ConsumerGroupDescribe: epochs, members and assignments of consumer groups of KIP-848.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::ConsumerGroupDescribeRequest;
use schloss_wire::messages::consumer_group_describe_response::{
    Assignment, ConsumerGroupDescribeResponse, DescribedGroup, Member, TopicPartitions,
};
use schloss_wire::{StrBytes, build};

use super::consumer_group_heartbeat::by_topic;
use crate::broker::Broker;
use crate::groups::{
    ConsumerDescription, DescribedConsumer, GroupState, Refused, TopicPartition, wire, wire_if_any,
};
use crate::reply::{ready, text};

/// A member of the new protocol, in the answers of version 1.
const CONSUMER_MEMBER: i8 = 1;
/// What versions without the field encode.
const UNKNOWN_MEMBER: i8 = -1;
/// KIP-1099: from here on the answer says which protocol a member uses.
const FIRST_WITH_MEMBER_TYPE: i16 = 1;
/// Kafka's value for "not asked for" in a bit field of authorized operations.
pub(super) const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: ConsumerGroupDescribeRequest,
) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let describe = |group_id: StrBytes| match broker.groups.describe_consumers(group_id.as_str()) {
        Ok(group) => found(group_id, &group, &snapshot, caller.api_version),
        Err(refused) => missing(group_id, &refused),
    };
    ready(build!(ConsumerGroupDescribeResponse {
        groups: request.group_ids.into_iter().map(describe).collect(),
    }))
}

fn found(
    group_id: StrBytes,
    group: &ConsumerDescription,
    snapshot: &Snapshot,
    version: i16,
) -> DescribedGroup {
    build!(DescribedGroup {
        error_message: None,
        group_id,
        group_state: wire(group.state),
        group_epoch: group.epoch,
        assignment_epoch: group.assignment_epoch,
        assignor_name: wire(group.assignor.name()),
        members: group.members.iter().map(|one| member(one, snapshot, version)).collect(),
        // Those that a caller asked for are filled in behind us, by policy.
        authorized_operations: OPERATIONS_NOT_ASKED,
    })
}

fn member(member: &DescribedConsumer, snapshot: &Snapshot, version: i16) -> Member {
    build!(Member {
        member_id: wire(&member.id),
        instance_id: wire_if_any(member.instance_id.as_ref()),
        rack_id: wire_if_any(member.rack_id.as_ref()),
        member_epoch: member.epoch,
        client_id: wire(&member.client_id),
        client_host: wire(&member.client_host),
        subscribed_topic_names: member.names.iter().map(|name| wire(name)).collect(),
        subscribed_topic_regex: wire_if_any(member.pattern.as_ref()),
        assignment: assignment(&member.assigned, snapshot),
        target_assignment: assignment(&member.target, snapshot),
        member_type: if version < FIRST_WITH_MEMBER_TYPE { UNKNOWN_MEMBER } else { CONSUMER_MEMBER },
    })
}

/// Topics that were deleted meanwhile are left out.
fn assignment(partitions: &BTreeSet<TopicPartition>, snapshot: &Snapshot) -> Assignment {
    let topic = |(topic_id, partitions)| {
        let topic_name = wire(&snapshot.topic_by_id(topic_id)?.name);
        Some(build!(TopicPartitions { topic_id, topic_name, partitions }))
    };
    build!(Assignment { topic_partitions: by_topic(partitions).into_iter().filter_map(topic).collect() })
}

fn missing(group_id: StrBytes, refused: &Refused) -> DescribedGroup {
    build!(DescribedGroup {
        error_code: refused.code.code(),
        error_message: text(&refused.message),
        group_id,
        group_state: wire(GroupState::DEAD),
        authorized_operations: OPERATIONS_NOT_ASKED,
    })
}
