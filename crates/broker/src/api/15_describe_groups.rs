//! DescribeGroups: state, protocol and members of groups.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::describe_groups_request::DescribeGroupsRequest;
use schloss_wire::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::groups::{DescribedMember, Description, GroupState, Groups, wire, wire_if_any};
use crate::reply::{ready, text};

/// KIP-1043: from here on an unknown group is an error; before, it is one that is dead.
const FIRST_WITH_NOT_FOUND: i16 = 6;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: DescribeGroupsRequest,
) -> BoxFuture<'static, Outcome> {
    // The operations that a caller asked for are filled in behind us, by policy.
    let describe = |group_id| describe(&broker.groups, group_id, caller.api_version);
    ready(build!(DescribeGroupsResponse { groups: request.groups.into_iter().map(describe).collect() }))
}

fn describe(groups: &Groups, group_id: StrBytes, version: i16) -> DescribedGroup {
    match groups.describe(group_id.as_str()) {
        Some(Ok(description)) => found(group_id, &description),
        Some(Err(_)) => missing(group_id, version, "is not a classic group"),
        None => missing(group_id, version, "not found"),
    }
}

fn found(group_id: StrBytes, description: &Description) -> DescribedGroup {
    build!(DescribedGroup {
        group_id,
        group_state: wire(description.state.name()),
        protocol_type: wire(description.protocol_type.as_deref().unwrap_or_default()),
        protocol_data: wire(description.protocol.as_deref().unwrap_or_default()),
        members: description.members.iter().map(member).collect(),
    })
}

fn member(member: &DescribedMember) -> DescribedGroupMember {
    build!(DescribedGroupMember {
        member_id: wire(&member.id),
        group_instance_id: wire_if_any(member.instance_id.as_ref()),
        client_id: wire(&member.client_id),
        client_host: wire(&member.client_host),
        member_metadata: member.metadata.clone(),
        member_assignment: member.assignment.clone(),
    })
}

fn missing(group_id: StrBytes, version: i16, why: &str) -> DescribedGroup {
    let group_state = wire(GroupState::DEAD);
    if version < FIRST_WITH_NOT_FOUND {
        return build!(DescribedGroup { group_id, group_state });
    }
    build!(DescribedGroup {
        error_code: ErrorCode::GroupIdNotFound.code(),
        error_message: text(format_args!("group {group_id} {why}")),
        group_id,
        group_state,
    })
}
