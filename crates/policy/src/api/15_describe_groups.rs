//! DescribeGroups: DESCRIBE on every group.

use schloss_wire::messages::describe_groups_response::DescribedGroup;
use schloss_wire::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::OPERATIONS_NOT_ASKED;
use super::split::{Left, conclude, take_denied, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::kind::ResourceType;
use crate::table;

/// First version that reports what may be done to a group.
const OPERATIONS: i16 = 3;
/// First version with room for a message.
const MESSAGES: i16 = 6;

pub(super) fn admit(mut request: DescribeGroupsRequest, version: i16, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::DESCRIBE_GROUPS;
    let denied = take_denied(&mut request.groups, |group| describe.refusal(judge, group));
    let left = Left::after(&request.groups, &denied);
    let asked = version >= OPERATIONS && request.include_authorized_operations;
    conclude(request, left, judge, move |response: &mut DescribeGroupsResponse, judge| {
        for group in &mut response.groups {
            group.authorized_operations = if asked && group.error_code == ErrorCode::None.code() {
                judge.authorized_operations(ResourceType::Group, &group.group_id)
            } else {
                OPERATIONS_NOT_ASKED
            };
        }
        response.groups.extend(denied.iter().map(|(group, code)| refuse_group(group, *code, None)));
    })
}

pub(super) fn refuse(
    request: &DescribeGroupsRequest,
    version: i16,
    code: ErrorCode,
    message: Option<&str>,
) -> DescribeGroupsResponse {
    let message = message.filter(|_| version >= MESSAGES);
    let groups = request.groups.iter().map(|group| refuse_group(group, code, message)).collect();
    build!(DescribeGroupsResponse { groups })
}

fn refuse_group(group: &StrBytes, code: ErrorCode, message: Option<&str>) -> DescribedGroup {
    build!(DescribedGroup {
        error_code: code.code(),
        error_message: text(message),
        group_id: group.clone(),
        authorized_operations: OPERATIONS_NOT_ASKED,
    })
}
