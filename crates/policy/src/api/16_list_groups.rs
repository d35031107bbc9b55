//! ListGroups: whoever may DESCRIBE the cluster sees all groups, others those that they may DESCRIBE.

use schloss_wire::messages::{ListGroupsRequest, ListGroupsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow_with;
use crate::admission::Verdict;
use crate::kind::CLUSTER_NAME;
use crate::table;

pub(super) fn admit(request: ListGroupsRequest) -> Verdict {
    let [see_all, see_one] = table::LIST_GROUPS;
    allow_with(request, move |response: &mut ListGroupsResponse, judge| {
        if !see_all.shows(judge, CLUSTER_NAME) {
            response.groups.retain(|group| see_one.shows(judge, &group.group_id));
        }
    })
}

pub(super) fn refuse(code: ErrorCode) -> ListGroupsResponse {
    build!(ListGroupsResponse { error_code: code.code() })
}
