//! LeaveGroup: READ on the group.

use schloss_wire::messages::{LeaveGroupRequest, LeaveGroupResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow;
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: LeaveGroupRequest, judge: &mut Judge<'_>) -> Verdict {
    let [read] = table::LEAVE_GROUP;
    match read.refusal(judge, &request.group_id) {
        Some(code) => Verdict::Refused(refuse(code).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode) -> LeaveGroupResponse {
    build!(LeaveGroupResponse { error_code: code.code() })
}
