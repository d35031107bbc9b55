//! ShareGroupDescribe: DESCRIBE on every group and on every topic that is assigned in it.

use schloss_wire::messages::share_group_describe_response::DescribedGroup;
use schloss_wire::messages::{ShareGroupDescribeRequest, ShareGroupDescribeResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::group_describe::{self, Described, described};
use super::split::{Left, conclude, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::kind::{ResourceType, is_reserved};
use crate::table;

pub(super) fn admit(mut request: ShareGroupDescribeRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe_group, describe_topic] = table::SHARE_GROUP_DESCRIBE;
    let denied = take_denied(&mut request.group_ids, |group| describe_group.refusal(judge, group));
    let left = Left::after(&request.group_ids, &denied);
    let asked = request.include_authorized_operations;
    conclude(request, left, judge, move |response: &mut ShareGroupDescribeResponse, judge| {
        group_describe::finish(&mut response.groups, &denied, &describe_topic, asked, judge);
    })
}

pub(super) fn refuse(
    request: &ShareGroupDescribeRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> ShareGroupDescribeResponse {
    build!(ShareGroupDescribeResponse { groups: group_describe::refuse(&request.group_ids, code, message) })
}

described! { DescribedGroup {
    const TOPIC_REFUSAL: &'static str =
        "The group has described topic(s) that the client is not authorized to describe.";

    fn hide_reserved(&mut self) {
        for member in &mut self.members {
            member.subscribed_topic_names.retain(|topic| !is_reserved(ResourceType::Topic, topic));
            let topics = &mut member.assignment.topic_partitions;
            topics.retain(|topic| !is_reserved(ResourceType::Topic, &topic.topic_name));
        }
    }

    fn topics(&self) -> Vec<&StrBytes> {
        let topics = self.members.iter().flat_map(|member| &member.assignment.topic_partitions);
        topics.map(|topic| &topic.topic_name).collect()
    }
} }
