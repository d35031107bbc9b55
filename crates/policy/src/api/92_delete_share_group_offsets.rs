//! DeleteShareGroupOffsets: DELETE on the group, then READ on every topic.

use schloss_wire::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use schloss_wire::messages::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, conclude_split, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: DeleteShareGroupOffsetsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [delete, read_topic] = table::DELETE_SHARE_GROUP_OFFSETS;
    if let Some(code) = delete.refusal(judge, &request.group_id) {
        return Verdict::Refused(refuse(code, None).into());
    }
    let denied = take_denied(&mut request.topics, |topic| read_topic.refusal(judge, &topic.topic_name));
    let left = Left::after(&request.topics, &denied);
    conclude_split(request, left, judge, move |response: &mut DeleteShareGroupOffsetsResponse, _| {
        // A group that failed as a whole has nothing to say about topics.
        if response.error_code == ErrorCode::None.code() {
            response
                .responses
                .extend(denied.iter().map(|(topic, code)| refuse_topic(&topic.topic_name, *code)));
        }
    })
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> DeleteShareGroupOffsetsResponse {
    build!(DeleteShareGroupOffsetsResponse {
        error_code: code.code(),
        error_message: text(message).or_else(|| words(code)),
    })
}

fn refuse_topic(topic_name: &StrBytes, code: ErrorCode) -> DeleteShareGroupOffsetsResponseTopic {
    build!(DeleteShareGroupOffsetsResponseTopic {
        topic_name: topic_name.clone(),
        error_code: code.code(),
        error_message: words(code),
    })
}
