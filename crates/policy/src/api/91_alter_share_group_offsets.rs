//! AlterShareGroupOffsets: READ on the group, then READ on every topic.

use schloss_wire::messages::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic;
use schloss_wire::messages::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use schloss_wire::messages::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: AlterShareGroupOffsetsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [read_group, read_topic] = table::ALTER_SHARE_GROUP_OFFSETS;
    if let Some(code) = read_group.refusal(judge, &request.group_id) {
        return Verdict::Refused(refuse(code, None).into());
    }
    let denied = take_denied(&mut request.topics, |topic| read_topic.refusal(judge, &topic.topic_name));
    let left = Left::after(&request.topics, &denied);
    conclude_split(request, left, judge, move |response: &mut AlterShareGroupOffsetsResponse, _| {
        // A group that failed as a whole has nothing to say about topics.
        if response.error_code == ErrorCode::None.code() {
            response.responses.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code)));
        }
    })
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> AlterShareGroupOffsetsResponse {
    build!(AlterShareGroupOffsetsResponse {
        error_code: code.code(),
        error_message: text(message).or_else(|| words(code)),
    })
}

/// Kafka tells the topic's id along with the denial. Here it stays zero.
fn refuse_topic(
    topic: &AlterShareGroupOffsetsRequestTopic,
    code: ErrorCode,
) -> AlterShareGroupOffsetsResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| {
        build!(AlterShareGroupOffsetsResponsePartition {
            partition_index: partition.partition_index,
            error_code: code.code(),
            error_message: words(code),
        })
    });
    build!(AlterShareGroupOffsetsResponseTopic {
        topic_name: topic.topic_name.clone(),
        partitions: partitions.collect(),
    })
}
