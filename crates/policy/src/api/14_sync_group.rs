//! SyncGroup: READ on the group.

use schloss_wire::messages::{SyncGroupRequest, SyncGroupResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow;
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: SyncGroupRequest, judge: &mut Judge<'_>) -> Verdict {
    let [read] = table::SYNC_GROUP;
    match read.refusal(judge, &request.group_id) {
        Some(code) => Verdict::Refused(refuse(code).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode) -> SyncGroupResponse {
    build!(SyncGroupResponse { error_code: code.code() })
}
