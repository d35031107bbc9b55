//! JoinGroup: become a member of a group's next generation; answered when that generation is complete.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use schloss_wire::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::groups::{
    Join, JoinRefused, JoinReply, Joined, JoinedMember, Protocol, fresh_member_id, shared, shared_if_any,
    wire, wire_if_any,
};
use crate::reply::later;

/// KIP-394: from here on a new member must come back with the id it was given.
const FIRST_WITH_REQUIRED_ID: i16 = 4;
/// KIP-559: from here on the answer names the protocol type, and either name may be null.
const FIRST_WITH_PROTOCOL_TYPE: i16 = 7;
/// KIP-814: from here on a leader can be told not to assign.
const FIRST_WITH_SKIPPING: i16 = 9;
/// Reasons are the client's words for our log; longer ones are cut (Kafka's clients send at most this much).
const MAX_REASON_CHARS: usize = 255;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: JoinGroupRequest,
) -> BoxFuture<'static, Outcome> {
    let groups = broker.groups.clone();
    later(async move {
        let reply = match to_join(&caller, &request) {
            Ok(join) => {
                let reason = request.reason.as_ref().map(|text| reason(text.as_str()));
                tracing::debug!(group = ?request.group_id.as_str(), member = ?join.member_id, ?reason, "join");
                groups.join(request.group_id.as_str(), join).await
            }
            Err(code) => Err(JoinRefused { code, member_id: shared(&request.member_id) }),
        };
        to_response(reply, caller.api_version)
    })
}

/// A reason, as far as it is worth logging.
pub(super) fn reason(text: &str) -> String {
    text.chars().take(MAX_REASON_CHARS).collect()
}

fn to_join(caller: &Caller, request: &JoinGroupRequest) -> Result<Join, ErrorCode> {
    let version = caller.api_version;
    let millis = |millis: i32| u64::try_from(millis).map(Duration::from_millis);
    let session_timeout = millis(request.session_timeout_ms).map_err(|_| ErrorCode::InvalidSessionTimeout)?;
    let instance_id = shared_if_any(request.group_instance_id.as_ref());
    Ok(Join {
        member_id: shared(&request.member_id),
        fresh_id: fresh_member_id(instance_id.as_ref().unwrap_or(&caller.client_id))?,
        instance_id,
        client_id: Arc::clone(&caller.client_id),
        // Kafka's form of an address without a host name.
        client_host: format!("/{}", caller.address.ip()).into(),
        session_timeout,
        // Version 0 has no time of its own for rebalances.
        rebalance_timeout: millis(request.rebalance_timeout_ms).unwrap_or(session_timeout),
        protocol_type: shared(&request.protocol_type),
        protocols: request.protocols.iter().map(to_protocol).collect(),
        id_required: version >= FIRST_WITH_REQUIRED_ID,
        can_skip_assignment: version >= FIRST_WITH_SKIPPING,
    })
}

fn to_protocol(protocol: &JoinGroupRequestProtocol) -> Protocol {
    Protocol { name: shared(&protocol.name), metadata: protocol.metadata.clone() }
}

fn to_response(reply: JoinReply, version: i16) -> JoinGroupResponse {
    match reply {
        Ok(joined) => success(&joined, version),
        Err(JoinRefused { code, member_id }) => build!(JoinGroupResponse {
            error_code: code.code(),
            member_id: wire(&member_id),
            protocol_name: protocol_name(None, version),
        }),
    }
}

fn success(joined: &Joined, version: i16) -> JoinGroupResponse {
    let member = |member: &JoinedMember| {
        build!(JoinGroupResponseMember {
            member_id: wire(&member.id),
            group_instance_id: wire_if_any(member.instance_id.as_ref()),
            metadata: member.metadata.clone(),
        })
    };
    build!(JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: wire_if_any(joined.protocol_type.as_ref()),
        protocol_name: protocol_name(joined.protocol.as_deref(), version),
        leader: wire(&joined.leader),
        skip_assignment: joined.skip_assignment,
        member_id: wire(&joined.member_id),
        members: joined.members.iter().map(member).collect(),
    })
}

fn protocol_name(name: Option<&str>, version: i16) -> Option<StrBytes> {
    let absent = (version < FIRST_WITH_PROTOCOL_TYPE).then(StrBytes::default);
    name.map(wire).or(absent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use schloss_wire::{Api, Response};

    #[test]
    fn every_version_can_carry_success_and_error() {
        let joined = Joined {
            generation: 3,
            protocol_type: Some("consumer".into()),
            protocol: Some("range".into()),
            leader: "a".into(),
            member_id: "a".into(),
            members: vec![JoinedMember {
                id: "a".into(),
                instance_id: Some("i".into()),
                metadata: Bytes::from_static(b"topics"),
            }],
            skip_assignment: false,
        };
        let refused = JoinRefused { code: ErrorCode::MemberIdRequired, member_id: "b".into() };
        let range = Api::JoinGroup.range();
        for version in range.min..=range.max {
            for reply in [Ok(joined.clone()), Err(refused.clone())] {
                Response::from(to_response(reply, version)).encode_frame(1, version).unwrap();
            }
        }
        let skipping = Joined { skip_assignment: true, ..joined };
        Response::from(to_response(Ok(skipping), 9)).encode_frame(1, 9).unwrap();
    }
}
