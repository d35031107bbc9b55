//! DescribeShareGroupOffsets: DESCRIBE on every group, then DESCRIBE on every topic.

use std::collections::HashMap;

use schloss_wire::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestTopic;
use schloss_wire::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use schloss_wire::messages::{DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, allow, conclude, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

/// Kafka's "no such offset".
const NONE: i64 = -1;

pub(super) fn admit(mut request: DescribeShareGroupOffsetsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe_group, describe_topic] = table::DESCRIBE_SHARE_GROUP_OFFSETS;
    let denied = take_denied(&mut request.groups, |group| describe_group.refusal(judge, &group.group_id));
    let mut left = Left::after(&request.groups, &denied);
    let mut denied_topics: HashMap<StrBytes, Vec<DescribeShareGroupOffsetsResponseTopic>> = HashMap::new();
    let mut asks_all_topics = false;
    for group in &mut request.groups {
        let Some(named) = &mut group.topics else {
            asks_all_topics = true;
            continue;
        };
        let denied = take_denied(named, |topic| describe_topic.refusal(judge, &topic.topic_name));
        if !denied.is_empty() {
            // Even with no topic left, the group is asked about, for its entry in the answer.
            left = Left::Part;
            let refused = denied.iter().map(|(topic, code)| refuse_topic(topic, *code));
            denied_topics.entry(group.group_id.clone()).or_default().extend(refused);
        }
    }
    if left == Left::Whole && !asks_all_topics {
        return allow(request);
    }
    conclude(request, left, judge, move |response: &mut DescribeShareGroupOffsetsResponse, judge| {
        for group in &mut response.groups {
            group.topics.retain(|topic| describe_topic.shows(judge, &topic.topic_name));
            let denied = denied_topics.remove(&group.group_id).unwrap_or_default();
            // A group that failed as a whole has nothing to say about topics.
            if group.error_code == ErrorCode::None.code() {
                group.topics.extend(denied);
            }
        }
        response.groups.extend(denied.iter().map(|(group, code)| refuse_group(&group.group_id, *code, None)));
    })
}

pub(super) fn refuse(
    request: &DescribeShareGroupOffsetsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> DescribeShareGroupOffsetsResponse {
    let groups = request.groups.iter().map(|group| refuse_group(&group.group_id, code, message)).collect();
    build!(DescribeShareGroupOffsetsResponse { groups })
}

fn refuse_group(
    group_id: &StrBytes,
    code: ErrorCode,
    message: Option<&str>,
) -> DescribeShareGroupOffsetsResponseGroup {
    build!(DescribeShareGroupOffsetsResponseGroup {
        group_id: group_id.clone(),
        error_code: code.code(),
        error_message: text(message),
    })
}

fn refuse_topic(
    topic: &DescribeShareGroupOffsetsRequestTopic,
    code: ErrorCode,
) -> DescribeShareGroupOffsetsResponseTopic {
    let partitions = topic.partitions.iter().map(|&partition_index| {
        build!(DescribeShareGroupOffsetsResponsePartition {
            partition_index,
            start_offset: NONE,
            error_code: code.code(),
            error_message: words(code),
        })
    });
    build!(DescribeShareGroupOffsetsResponseTopic {
        topic_name: topic.topic_name.clone(),
        partitions: partitions.collect(),
    })
}
