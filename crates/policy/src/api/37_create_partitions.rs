//! CreatePartitions: ALTER on every topic.

use schloss_wire::messages::create_partitions_request::CreatePartitionsTopic;
use schloss_wire::messages::create_partitions_response::CreatePartitionsTopicResult;
use schloss_wire::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, take_denied, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: CreatePartitionsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::CREATE_PARTITIONS;
    let denied = take_denied(&mut request.topics, |topic| alter.refusal(judge, &topic.name));
    let left = Left::after(&request.topics, &denied);
    conclude_split(request, left, judge, move |response: &mut CreatePartitionsResponse, _| {
        response.results.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code, None)));
    })
}

pub(super) fn refuse(
    request: &CreatePartitionsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> CreatePartitionsResponse {
    let results = request.topics.iter().map(|topic| refuse_topic(topic, code, message)).collect();
    build!(CreatePartitionsResponse { results })
}

fn refuse_topic(
    topic: &CreatePartitionsTopic,
    code: ErrorCode,
    message: Option<&str>,
) -> CreatePartitionsTopicResult {
    build!(CreatePartitionsTopicResult {
        name: topic.name.clone(),
        error_code: code.code(),
        error_message: text(message),
    })
}
