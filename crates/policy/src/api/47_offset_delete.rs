//! OffsetDelete: DELETE on the group, then READ on every topic.

use schloss_wire::messages::offset_delete_request::OffsetDeleteRequestTopic;
use schloss_wire::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use schloss_wire::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: OffsetDeleteRequest, judge: &mut Judge<'_>) -> Verdict {
    let [delete, read_topic] = table::OFFSET_DELETE;
    if let Some(code) = delete.refusal(judge, &request.group_id) {
        return Verdict::Refused(refuse(code).into());
    }
    let denied = take_denied(&mut request.topics, |topic| read_topic.refusal(judge, &topic.name));
    // What is the matter with the group is told even if no topic is left.
    let left = if denied.is_empty() { Left::Whole } else { Left::Part };
    conclude_split(request, left, judge, move |response: &mut OffsetDeleteResponse, _| {
        // A group that failed as a whole has nothing to say about topics.
        if response.error_code == ErrorCode::None.code() {
            response.topics.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code)));
        }
    })
}

pub(super) fn refuse(code: ErrorCode) -> OffsetDeleteResponse {
    build!(OffsetDeleteResponse { error_code: code.code() })
}

fn refuse_topic(topic: &OffsetDeleteRequestTopic, code: ErrorCode) -> OffsetDeleteResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| {
        build!(OffsetDeleteResponsePartition {
            partition_index: partition.partition_index,
            error_code: code.code(),
        })
    });
    build!(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() })
}
