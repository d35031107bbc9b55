//! JoinGroup: READ on the group.

use schloss_wire::messages::{JoinGroupRequest, JoinGroupResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::allow;
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

/// First version whose protocol name may be null.
const NULL_PROTOCOL: i16 = 7;
/// Kafka's "no generation".
const NO_GENERATION: i32 = -1;

pub(super) fn admit(request: JoinGroupRequest, version: i16, judge: &mut Judge<'_>) -> Verdict {
    let [read] = table::JOIN_GROUP;
    match read.refusal(judge, &request.group_id) {
        Some(code) => Verdict::Refused(refuse(version, code).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(version: i16, code: ErrorCode) -> JoinGroupResponse {
    build!(JoinGroupResponse {
        error_code: code.code(),
        generation_id: NO_GENERATION,
        protocol_name: (version < NULL_PROTOCOL).then(StrBytes::default),
    })
}
