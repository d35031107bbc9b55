//! ConsumerGroupDescribe: DESCRIBE on every group and on every topic that is assigned in it.

use schloss_wire::messages::consumer_group_describe_response::DescribedGroup;
use schloss_wire::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::group_describe::{self, Described, described};
use super::split::{Left, conclude, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::kind::{ResourceType, is_reserved};
use crate::table;

pub(super) fn admit(mut request: ConsumerGroupDescribeRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe_group, describe_topic] = table::CONSUMER_GROUP_DESCRIBE;
    let denied = take_denied(&mut request.group_ids, |group| describe_group.refusal(judge, group));
    let left = Left::after(&request.group_ids, &denied);
    let asked = request.include_authorized_operations;
    conclude(request, left, judge, move |response: &mut ConsumerGroupDescribeResponse, judge| {
        group_describe::finish(&mut response.groups, &denied, &describe_topic, asked, judge);
    })
}

pub(super) fn refuse(
    request: &ConsumerGroupDescribeRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> ConsumerGroupDescribeResponse {
    build!(ConsumerGroupDescribeResponse {
        groups: group_describe::refuse(&request.group_ids, code, message),
    })
}

described! { DescribedGroup {
    const TOPIC_REFUSAL: &'static str =
        "The group has described topic(s) that the client is not authorized to describe.";

    /// A regular expression such as `.*` is resolved with the rights of whoever asks the engine, which may
    /// reach reserved topics: their members never get them (see ConsumerGroupHeartbeat).
    fn hide_reserved(&mut self) {
        for member in &mut self.members {
            member.subscribed_topic_names.retain(|topic| !is_reserved(ResourceType::Topic, topic));
            for assignment in [&mut member.assignment, &mut member.target_assignment] {
                let topics = &mut assignment.topic_partitions;
                topics.retain(|topic| !is_reserved(ResourceType::Topic, &topic.topic_name));
            }
        }
    }

    fn topics(&self) -> Vec<&StrBytes> {
        let assignments = self.members.iter().flat_map(|member| [&member.assignment, &member.target_assignment]);
        assignments.flat_map(|assignment| &assignment.topic_partitions).map(|topic| &topic.topic_name).collect()
    }
} }
