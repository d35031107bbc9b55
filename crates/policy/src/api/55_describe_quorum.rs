//! DescribeQuorum: DESCRIBE on the cluster.

use schloss_wire::messages::describe_quorum_response::{PartitionData, TopicData};
use schloss_wire::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{allow, reserved_refusal, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: DescribeQuorumRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::DESCRIBE_QUORUM;
    if let Some(code) = describe.refusal_on_cluster(judge) {
        return Verdict::Refused(refuse(code, None).into());
    }
    let mut reserved = request.topics.iter();
    if reserved.any(|topic| reserved_refusal(judge, &topic.topic_name).is_some()) {
        return Verdict::Refused(unknown(&request).into());
    }
    allow(request)
}

/// Kafka's answer to a request for anything but the one partition of its own metadata.
fn unknown(request: &DescribeQuorumRequest) -> DescribeQuorumResponse {
    let code = ErrorCode::UnknownTopicOrPartition;
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            build!(PartitionData {
                partition_index: partition.partition_index,
                error_code: code.code(),
                error_message: words(code),
            })
        });
        build!(TopicData { topic_name: topic.topic_name.clone(), partitions: partitions.collect() })
    });
    build!(DescribeQuorumResponse { topics: topics.collect() })
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> DescribeQuorumResponse {
    build!(DescribeQuorumResponse {
        error_code: code.code(),
        error_message: text(message).or_else(|| words(code)),
    })
}
