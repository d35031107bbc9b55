//! DescribeProducers: READ on every topic.

use schloss_wire::messages::describe_producers_request::TopicRequest;
use schloss_wire::messages::describe_producers_response::{PartitionResponse, TopicResponse};
use schloss_wire::messages::{DescribeProducersRequest, DescribeProducersResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, conclude_split, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: DescribeProducersRequest, judge: &mut Judge<'_>) -> Verdict {
    let [read] = table::DESCRIBE_PRODUCERS;
    let denied = take_denied(&mut request.topics, |topic| read.refusal(judge, &topic.name));
    let left = Left::after(&request.topics, &denied);
    conclude_split(request, left, judge, move |response: &mut DescribeProducersResponse, _| {
        let denied = denied.iter().map(|(topic, code)| refuse_topic(topic, *code, words(*code).as_ref()));
        response.topics.extend(denied);
    })
}

pub(super) fn refuse(
    request: &DescribeProducersRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> DescribeProducersResponse {
    let message = text(message);
    let topics = request.topics.iter().map(|topic| refuse_topic(topic, code, message.as_ref()));
    build!(DescribeProducersResponse { topics: topics.collect() })
}

fn refuse_topic(topic: &TopicRequest, code: ErrorCode, message: Option<&StrBytes>) -> TopicResponse {
    let partitions = topic.partition_indexes.iter().map(|&partition_index| {
        build!(PartitionResponse {
            partition_index,
            error_code: code.code(),
            error_message: message.cloned(),
        })
    });
    build!(TopicResponse { name: topic.name.clone(), partitions: partitions.collect() })
}
