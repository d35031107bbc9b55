//! ListPartitionReassignments: DESCRIBE on the cluster. Topics of Schloss's own are not shown.

use schloss_wire::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use schloss_wire::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use schloss_wire::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, allow, allow_with, conclude, reserved_refusal, take_denied, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::kind::{ResourceType, is_reserved};
use crate::table;

pub(super) fn admit(mut request: ListPartitionReassignmentsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::LIST_PARTITION_REASSIGNMENTS;
    if let Some(code) = describe.refusal_on_cluster(judge) {
        return Verdict::Refused(refuse(&request, code, None).into());
    }
    let Some(named) = &mut request.topics else {
        return allow_with(request, hide_reserved);
    };
    // A topic that is not being reassigned is left out of Kafka's answer. An empty list means no topic.
    let denied = take_denied(named, |topic| reserved_refusal(judge, &topic.name));
    if denied.is_empty() {
        return allow(request);
    }
    conclude(request, Left::Part, judge, hide_reserved)
}

fn hide_reserved(response: &mut ListPartitionReassignmentsResponse, _: &mut Judge<'_>) {
    response.topics.retain(|topic| !is_reserved(ResourceType::Topic, &topic.name));
}

/// Kafka repeats what was named.
pub(super) fn refuse(
    request: &ListPartitionReassignmentsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> ListPartitionReassignmentsResponse {
    build!(ListPartitionReassignmentsResponse {
        error_code: code.code(),
        error_message: text(message),
        topics: request.topics.iter().flatten().map(repeat).collect(),
    })
}

fn repeat(topic: &ListPartitionReassignmentsTopics) -> OngoingTopicReassignment {
    let indexes = topic.partition_indexes.iter();
    build!(OngoingTopicReassignment {
        name: topic.name.clone(),
        partitions: indexes
            .map(|&partition_index| build!(OngoingPartitionReassignment { partition_index }))
            .collect(),
    })
}
