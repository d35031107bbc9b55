//! ListOffsets: DESCRIBE on every topic.

use schloss_wire::messages::list_offsets_request::ListOffsetsTopic;
use schloss_wire::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use schloss_wire::messages::{ListOffsetsRequest, ListOffsetsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

/// Kafka's "no such offset" and "no such time".
const NONE: i64 = -1;

pub(super) fn admit(mut request: ListOffsetsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::LIST_OFFSETS;
    let denied = take_denied(&mut request.topics, |topic| describe.refusal(judge, &topic.name));
    let left = Left::after(&request.topics, &denied);
    conclude_split(request, left, judge, move |response: &mut ListOffsetsResponse, _| {
        response.topics.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code)));
    })
}

pub(super) fn refuse(request: &ListOffsetsRequest, code: ErrorCode) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| refuse_topic(topic, code)).collect();
    build!(ListOffsetsResponse { topics })
}

fn refuse_topic(topic: &ListOffsetsTopic, code: ErrorCode) -> ListOffsetsTopicResponse {
    let partitions = topic.partitions.iter().map(|partition| {
        build!(ListOffsetsPartitionResponse {
            partition_index: partition.partition_index,
            error_code: code.code(),
            timestamp: NONE,
            offset: NONE,
        })
    });
    build!(ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() })
}
