//! ConsumerGroupHeartbeat: READ on the group, DESCRIBE on every topic that is subscribed to by name.

use schloss_wire::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_by_id, name_of, refusal_on_all, text};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

/// A topic is left out of the assignment unless the member may describe it.
///
/// Kafka resolves a regular expression with the rights of the member. An engine that is asked by a gateway
/// resolves it with the gateway's, so topics that the member must not learn of get assigned to it, reserved
/// ones too. Leaving them out is safe: what a member was not told of it neither fetches nor reports as its own,
/// and it could not read it anyway. The price is that nobody else reads those partitions meanwhile, and that
/// a member from which nothing but such partitions is taken back has nothing to report, so that the coordinator
/// waits for as long as a rebalance may take and then has it join anew.
pub(super) fn admit(
    request: ConsumerGroupHeartbeatRequest,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [read, describe] = table::CONSUMER_GROUP_HEARTBEAT;
    let named = request.subscribed_topic_names.iter().flatten();
    let refusal = read.refusal(judge, &request.group_id).or_else(|| refusal_on_all(&describe, judge, named));
    if let Some(code) = refusal {
        return Verdict::Refused(refuse(code, None).into());
    }
    let repair = move |response: &mut ConsumerGroupHeartbeatResponse,
                       judge: &mut Judge<'_>,
                       topics: &dyn TopicNames| {
        if let Some(assignment) = &mut response.assignment {
            assignment.topic_partitions.retain(|topic| {
                name_of(topics, topic.topic_id).is_ok_and(|name| describe.shows(judge, &name))
            });
        }
    };
    conclude_by_id(request, Left::Whole, judge, topics, repair)
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> ConsumerGroupHeartbeatResponse {
    build!(ConsumerGroupHeartbeatResponse { error_code: code.code(), error_message: text(message) })
}
