//! AlterPartitionReassignments: ALTER on the cluster.

use schloss_wire::messages::alter_partition_reassignments_request::ReassignableTopic;
use schloss_wire::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use schloss_wire::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, allow, conclude, reserved_refusal, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: AlterPartitionReassignmentsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::ALTER_PARTITION_REASSIGNMENTS;
    if let Some(code) = alter.refusal_on_cluster(judge) {
        return Verdict::Refused(refuse(&request, code, None).into());
    }
    let denied = take_denied(&mut request.topics, |topic| reserved_refusal(judge, &topic.name));
    if denied.is_empty() {
        return allow(request);
    }
    let refused: Vec<_> =
        denied.iter().map(|(topic, code)| refuse_topic(topic, *code, words(*code))).collect();
    if request.topics.is_empty() {
        let mut response = refuse(&request, ErrorCode::None, None);
        response.allow_replication_factor_change = request.allow_replication_factor_change;
        response.responses = refused;
        return Verdict::Refused(response.into());
    }
    conclude(request, Left::Part, judge, move |response: &mut AlterPartitionReassignmentsResponse, _| {
        response.responses.extend(refused);
    })
}

/// The error stands at the top and on every partition.
pub(super) fn refuse(
    request: &AlterPartitionReassignmentsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> AlterPartitionReassignmentsResponse {
    let topics = request.topics.iter();
    build!(AlterPartitionReassignmentsResponse {
        error_code: code.code(),
        error_message: text(message),
        responses: topics.map(|topic| refuse_topic(topic, code, text(message))).collect(),
    })
}

fn refuse_topic(
    topic: &ReassignableTopic,
    code: ErrorCode,
    error_message: Option<StrBytes>,
) -> ReassignableTopicResponse {
    let partitions = topic.partitions.iter().map(|partition| {
        build!(ReassignablePartitionResponse {
            partition_index: partition.partition_index,
            error_code: code.code(),
            error_message: error_message.clone(),
        })
    });
    build!(ReassignableTopicResponse { name: topic.name.clone(), partitions: partitions.collect() })
}
