//! Heartbeat: a member is still there, and learns whether it must join again.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::{HeartbeatRequest, HeartbeatResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::groups::{Claim, error_of};
use crate::reply::ready;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: HeartbeatRequest,
) -> BoxFuture<'static, Outcome> {
    let claim = Claim {
        member_id: request.member_id.as_str(),
        instance_id: request.group_instance_id.as_ref().map(StrBytes::as_str),
        generation: request.generation_id,
    };
    let beat = if request.group_id.is_empty() {
        Err(ErrorCode::InvalidGroupId)
    } else {
        broker.groups.heartbeat(request.group_id.as_str(), claim)
    };
    ready(build!(HeartbeatResponse { error_code: error_of(beat) }))
}
