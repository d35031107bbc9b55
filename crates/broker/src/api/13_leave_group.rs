//! LeaveGroup: members go, or an administrator takes static members out by their instance ids.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use schloss_wire::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use schloss_wire::{ErrorCode, build};

use super::join_group::reason;
use crate::broker::Broker;
use crate::groups::{Leaving, error_of, shared, shared_if_any};
use crate::reply::ready;

/// KIP-345: from here on a request names several members, and each has a result of its own.
const FIRST_WITH_MEMBERS: i16 = 3;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: LeaveGroupRequest,
) -> BoxFuture<'static, Outcome> {
    let group_id = request.group_id.as_str();
    if group_id.is_empty() {
        return ready(build!(LeaveGroupResponse { error_code: ErrorCode::InvalidGroupId.code() }));
    }
    if caller.api_version < FIRST_WITH_MEMBERS {
        let leaving = Leaving { member_id: shared(&request.member_id), instance_id: None };
        let left = broker.groups.leave(group_id, &[leaving]);
        let error_code = left.into_iter().map(error_of).next().unwrap_or_default();
        return ready(build!(LeaveGroupResponse { error_code }));
    }
    for member in &request.members {
        let reason = member.reason.as_ref().map(|text| reason(text.as_str()));
        tracing::debug!(group = ?group_id, member = ?member.member_id.as_str(), ?reason, "leave");
    }
    let leaving: Vec<_> = request.members.iter().map(to_leaving).collect();
    let left = broker.groups.leave(group_id, &leaving);
    let members = request.members.into_iter().zip(left);
    let members = members.map(|(member, result)| to_response(member, result)).collect();
    ready(build!(LeaveGroupResponse { members }))
}

fn to_leaving(member: &MemberIdentity) -> Leaving {
    Leaving {
        member_id: shared(&member.member_id),
        instance_id: shared_if_any(member.group_instance_id.as_ref()),
    }
}

fn to_response(member: MemberIdentity, result: Result<(), ErrorCode>) -> MemberResponse {
    build!(MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code: error_of(result),
    })
}
