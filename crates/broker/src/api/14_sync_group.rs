//! SyncGroup: the leader hands in the assignment; everybody gets theirs when it is there.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use schloss_wire::messages::sync_group_response::SyncGroupResponse;
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::groups::{Sync, SyncReply, shared, shared_if_any, wire_if_any};
use crate::reply::later;

/// KIP-559: from here on a request must say which protocol it assigns for.
const FIRST_WITH_PROTOCOL: i16 = 5;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: SyncGroupRequest,
) -> BoxFuture<'static, Outcome> {
    let groups = broker.groups.clone();
    later(async move {
        let unnamed = request.protocol_type.is_none() || request.protocol_name.is_none();
        let reply = if request.group_id.is_empty() {
            Err(ErrorCode::InvalidGroupId)
        } else if caller.api_version >= FIRST_WITH_PROTOCOL && unnamed {
            Err(ErrorCode::InconsistentGroupProtocol)
        } else {
            groups.sync(request.group_id.as_str(), to_sync(&request)).await
        };
        to_response(reply)
    })
}

fn to_sync(request: &SyncGroupRequest) -> Sync {
    Sync {
        member_id: shared(&request.member_id),
        instance_id: shared_if_any(request.group_instance_id.as_ref()),
        generation: request.generation_id,
        protocol_type: shared_if_any(request.protocol_type.as_ref()),
        protocol: shared_if_any(request.protocol_name.as_ref()),
        assignments: request.assignments.iter().map(to_assignment).collect(),
    }
}

fn to_assignment(one: &SyncGroupRequestAssignment) -> (Arc<str>, Bytes) {
    (shared(&one.member_id), one.assignment.clone())
}

fn to_response(reply: SyncReply) -> SyncGroupResponse {
    match reply {
        Ok(synced) => build!(SyncGroupResponse {
            protocol_type: wire_if_any(synced.protocol_type.as_ref()),
            protocol_name: wire_if_any(synced.protocol.as_ref()),
            assignment: synced.assignment,
        }),
        Err(code) => build!(SyncGroupResponse { error_code: code.code() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::Synced;
    use schloss_wire::{Api, Response};

    #[test]
    fn every_version_can_carry_success_and_error() {
        let synced = Synced {
            protocol_type: Some("consumer".into()),
            protocol: Some("range".into()),
            assignment: Bytes::from_static(b"all"),
        };
        let range = Api::SyncGroup.range();
        for version in range.min..=range.max {
            for reply in [Ok(synced.clone()), Err(ErrorCode::RebalanceInProgress)] {
                Response::from(to_response(reply)).encode_frame(1, version).unwrap();
            }
        }
    }
}
