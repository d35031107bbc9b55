//! ShareGroupDescribe: epochs, members and assignments of share groups.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::ShareGroupDescribeRequest;
use schloss_wire::messages::share_group_describe_response::{
    Assignment, DescribedGroup, Member, ShareGroupDescribeResponse, TopicPartitions,
};
use schloss_wire::{StrBytes, build};

use super::consumer_group_describe::OPERATIONS_NOT_ASKED;
use super::consumer_group_heartbeat::by_topic;
use crate::broker::Broker;
use crate::groups::{
    DescribedSharer, GroupState, Refused, ShareDescription, TopicPartition, wire, wire_if_any,
};
use crate::reply::{ready, text};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: ShareGroupDescribeRequest,
) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let describe = |group_id: StrBytes| match broker.groups.describe_sharers(group_id.as_str()) {
        Ok(group) => found(group_id, &group, &snapshot),
        Err(refused) => missing(group_id, &refused),
    };
    ready(build!(ShareGroupDescribeResponse {
        groups: request.group_ids.into_iter().map(describe).collect()
    }))
}

fn found(group_id: StrBytes, group: &ShareDescription, snapshot: &Snapshot) -> DescribedGroup {
    build!(DescribedGroup {
        error_message: None,
        group_id,
        group_state: wire(group.state),
        group_epoch: group.epoch,
        assignment_epoch: group.assignment_epoch,
        assignor_name: wire(group.assignor),
        members: group.members.iter().map(|one| member(one, snapshot)).collect(),
        // Those that a caller asked for are filled in behind us, by policy.
        authorized_operations: OPERATIONS_NOT_ASKED,
    })
}

fn member(member: &DescribedSharer, snapshot: &Snapshot) -> Member {
    build!(Member {
        member_id: wire(&member.id),
        rack_id: wire_if_any(member.rack_id.as_ref()),
        member_epoch: member.epoch,
        client_id: wire(&member.client_id),
        client_host: wire(&member.client_host),
        subscribed_topic_names: member.names.iter().map(|name| wire(name)).collect(),
        assignment: assignment(&member.assigned, snapshot),
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
