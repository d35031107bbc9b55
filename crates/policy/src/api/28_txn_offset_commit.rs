//! TxnOffsetCommit: WRITE on the transactional id, READ on the group, then READ on every topic.

use schloss_wire::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use schloss_wire::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use schloss_wire::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, take_denied, topic_refusal};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

/// First version that names topics by id.
const TOPIC_IDS: i16 = 6;

pub(super) fn admit(
    mut request: TxnOffsetCommitRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [write, read_group, read_topic] = table::TXN_OFFSET_COMMIT;
    let refusal = write
        .refusal(judge, &request.transactional_id)
        .or_else(|| read_group.refusal(judge, &request.group_id));
    if let Some(code) = refusal {
        return Verdict::Refused(refuse(&request, code).into());
    }
    let by_id = version >= TOPIC_IDS;
    let denied = take_denied(&mut request.topics, |topic| {
        topic_refusal(&read_topic, judge, topics, by_id, &topic.name, topic.topic_id)
    });
    let left = Left::after(&request.topics, &denied);
    conclude_split(request, left, judge, move |response: &mut TxnOffsetCommitResponse, _| {
        response.topics.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code)));
    })
}

pub(super) fn refuse(request: &TxnOffsetCommitRequest, code: ErrorCode) -> TxnOffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| refuse_topic(topic, code)).collect();
    build!(TxnOffsetCommitResponse { topics })
}

fn refuse_topic(topic: &TxnOffsetCommitRequestTopic, code: ErrorCode) -> TxnOffsetCommitResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| {
        build!(TxnOffsetCommitResponsePartition {
            partition_index: partition.partition_index,
            error_code: code.code(),
        })
    });
    build!(TxnOffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    })
}
