//! DeleteGroups: DELETE on every group.

use schloss_wire::messages::delete_groups_response::DeletableGroupResult;
use schloss_wire::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, conclude_split, take_denied, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: DeleteGroupsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [delete] = table::DELETE_GROUPS;
    let denied = take_denied(&mut request.groups_names, |group| delete.refusal(judge, group));
    let left = Left::after(&request.groups_names, &denied);
    conclude_split(request, left, judge, move |response: &mut DeleteGroupsResponse, _| {
        response.results.extend(denied.iter().map(|(group, code)| refuse_group(group, *code, None)));
    })
}

pub(super) fn refuse(
    request: &DeleteGroupsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> DeleteGroupsResponse {
    let results = request.groups_names.iter().map(|group| refuse_group(group, code, message)).collect();
    build!(DeleteGroupsResponse { results })
}

fn refuse_group(group: &StrBytes, code: ErrorCode, message: Option<&str>) -> DeletableGroupResult {
    build!(DeletableGroupResult {
        group_id: group.clone(),
        error_code: code.code(),
        error_message: text(message),
    })
}
