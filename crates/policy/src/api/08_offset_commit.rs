//! OffsetCommit: READ on the group, then READ on every topic.

use schloss_wire::messages::offset_commit_request::OffsetCommitRequestTopic;
use schloss_wire::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use schloss_wire::messages::{OffsetCommitRequest, OffsetCommitResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, take_denied, topic_refusal};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

/// First version that names topics by id.
const TOPIC_IDS: i16 = 10;

pub(super) fn admit(
    mut request: OffsetCommitRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [read_group, read_topic] = table::OFFSET_COMMIT;
    if let Some(code) = read_group.refusal(judge, &request.group_id) {
        return Verdict::Refused(refuse(&request, code).into());
    }
    let by_id = version >= TOPIC_IDS;
    let denied = take_denied(&mut request.topics, |topic| {
        topic_refusal(&read_topic, judge, topics, by_id, &topic.name, topic.topic_id)
    });
    let left = Left::after(&request.topics, &denied);
    conclude_split(request, left, judge, move |response: &mut OffsetCommitResponse, _| {
        response.topics.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code)));
    })
}

pub(super) fn refuse(request: &OffsetCommitRequest, code: ErrorCode) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| refuse_topic(topic, code)).collect();
    build!(OffsetCommitResponse { topics })
}

fn refuse_topic(topic: &OffsetCommitRequestTopic, code: ErrorCode) -> OffsetCommitResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| {
        build!(OffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: code.code(),
        })
    });
    build!(OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    })
}
