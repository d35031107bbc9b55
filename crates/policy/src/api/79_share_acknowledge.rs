//! ShareAcknowledge: READ on the group, then READ on every topic.

use schloss_wire::messages::share_acknowledge_request::AcknowledgeTopic;
use schloss_wire::messages::share_acknowledge_response::{PartitionData, ShareAcknowledgeTopicResponse};
use schloss_wire::messages::{ShareAcknowledgeRequest, ShareAcknowledgeResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, conclude_split, take_denied, text, topic_refusal};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

/// It fetches nothing, so it needs no more of the share session than what it lists itself.
pub(super) fn admit(
    mut request: ShareAcknowledgeRequest,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [read_group, read_topic] = table::SHARE_ACKNOWLEDGE;
    let group = request.group_id.as_deref().unwrap_or_default();
    if let Some(code) = read_group.refusal(judge, group) {
        return Verdict::Refused(refuse(code, None).into());
    }
    let denied = take_denied(&mut request.topics, |topic| {
        topic_refusal(&read_topic, judge, topics, true, &StrBytes::default(), topic.topic_id)
    });
    // Even with no topic left: the session has to move on in the broker as it does in the client.
    let left = if denied.is_empty() { Left::Whole } else { Left::Part };
    conclude_split(request, left, judge, move |response: &mut ShareAcknowledgeResponse, _| {
        // A session that failed as a whole has nothing to say about topics.
        if response.error_code == ErrorCode::None.code() {
            response.responses.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code)));
        }
    })
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> ShareAcknowledgeResponse {
    build!(ShareAcknowledgeResponse { error_code: code.code(), error_message: text(message) })
}

fn refuse_topic(topic: &AcknowledgeTopic, code: ErrorCode) -> ShareAcknowledgeTopicResponse {
    let partitions = topic.partitions.iter().map(|partition| {
        build!(PartitionData { partition_index: partition.partition_index, error_code: code.code() })
    });
    build!(ShareAcknowledgeTopicResponse { topic_id: topic.topic_id, partitions: partitions.collect() })
}
