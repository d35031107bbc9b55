//! ShareGroupHeartbeat: READ on the group, DESCRIBE on every topic that is subscribed to.

use schloss_wire::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_by_id, name_of, refusal_on_all, text};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(
    request: ShareGroupHeartbeatRequest,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [read, describe] = table::SHARE_GROUP_HEARTBEAT;
    let named = request.subscribed_topic_names.iter().flatten();
    let refusal = read.refusal(judge, &request.group_id).or_else(|| refusal_on_all(&describe, judge, named));
    if let Some(code) = refusal {
        return Verdict::Refused(refuse(code, None).into());
    }
    // A topic that the member may no longer describe is taken from its assignment. That is safe: partitions
    // of a share group are not owned, so a member owes nothing for those that it was not told of.
    let repair =
        move |response: &mut ShareGroupHeartbeatResponse, judge: &mut Judge<'_>, topics: &dyn TopicNames| {
            if let Some(assignment) = &mut response.assignment {
                assignment.topic_partitions.retain(|topic| {
                    name_of(topics, topic.topic_id).is_ok_and(|name| describe.shows(judge, &name))
                });
            }
        };
    conclude_by_id(request, Left::Whole, judge, topics, repair)
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> ShareGroupHeartbeatResponse {
    build!(ShareGroupHeartbeatResponse { error_code: code.code(), error_message: text(message) })
}
