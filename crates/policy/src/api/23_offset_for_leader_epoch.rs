//! OffsetForLeaderEpoch: CLUSTER_ACTION on the cluster, or else DESCRIBE on every topic.

use schloss_wire::messages::offset_for_leader_epoch_request::OffsetForLeaderTopic;
use schloss_wire::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use schloss_wire::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, reserved_refusal, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: OffsetForLeaderEpochRequest, judge: &mut Judge<'_>) -> Verdict {
    let [replicate, describe] = table::OFFSET_FOR_LEADER_EPOCH;
    let replicates = replicate.suffices_on_cluster(judge);
    let denied = take_denied(&mut request.topics, |topic| {
        if replicates { reserved_refusal(judge, &topic.topic) } else { describe.refusal(judge, &topic.topic) }
    });
    let left = Left::after(&request.topics, &denied);
    conclude_split(request, left, judge, move |response: &mut OffsetForLeaderEpochResponse, _| {
        response.topics.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code)));
    })
}

pub(super) fn refuse(request: &OffsetForLeaderEpochRequest, code: ErrorCode) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| refuse_topic(topic, code)).collect();
    build!(OffsetForLeaderEpochResponse { topics })
}

/// The epoch and the offset keep -1, Kafka's "undefined".
fn refuse_topic(topic: &OffsetForLeaderTopic, code: ErrorCode) -> OffsetForLeaderTopicResult {
    let partitions = topic
        .partitions
        .iter()
        .map(|partition| build!(EpochEndOffset { error_code: code.code(), partition: partition.partition }));
    build!(OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions: partitions.collect() })
}
