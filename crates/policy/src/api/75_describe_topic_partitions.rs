//! DescribeTopicPartitions: DESCRIBE on every topic (KIP-966).
//!
//! Answers come in pages, in the order of names: a request names the topics, or none for all, and the cursor
//! where the last page ended. An engine that looked through topics which the caller may not see could end a
//! page at one of them and give its name away in the cursor. So no engine is asked for all topics: those that
//! may be seen are named to it.

use std::collections::BTreeMap;

use schloss_wire::messages::describe_topic_partitions_request::TopicRequest;
use schloss_wire::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use schloss_wire::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::OPERATIONS_NOT_ASKED;
use super::split::{Left, conclude, take_denied};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::kind::ResourceType;
use crate::table::{self, Need};

pub(super) fn admit(
    mut request: DescribeTopicPartitionsRequest,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [describe] = table::DESCRIBE_TOPIC_PARTITIONS;
    if !is_well_formed(&request) {
        return Verdict::Refused(refuse(&request, ErrorCode::InvalidRequest).into());
    }
    let all = request.topics.is_empty();
    let asked = request.topics.len();
    if all {
        request.topics = visible(&describe, judge, topics);
    }
    if let Some(cursor) = &request.cursor {
        // What lies before it was answered with an earlier page.
        request.topics.retain(|topic| topic.name >= cursor.topic_name);
    }
    let denied = if all {
        Vec::new()
    } else {
        take_denied(&mut request.topics, |topic| describe.refusal(judge, &topic.name))
    };
    let cursor = request.cursor.take();
    request.cursor = cursor.filter(|cursor| {
        // A page that would begin in a topic that is not there for the caller begins with the next one.
        request.topics.iter().any(|topic| topic.name == cursor.topic_name)
    });
    // An empty list must not reach the engine: it would be for all.
    let left = match request.topics.len() {
        0 => Left::Nothing,
        remaining if remaining == asked => Left::Whole,
        _ => Left::Part,
    };
    conclude(request, left, judge, move |response: &mut DescribeTopicPartitionsResponse, judge| {
        complete(response, all, &describe, judge);
        // Once, however often it was named.
        let denied: BTreeMap<_, _> = denied.iter().map(|(topic, code)| (&topic.name, *code)).collect();
        response.topics.extend(denied.into_iter().map(|(name, code)| refuse_topic(name, code)));
    })
}

/// Kafka's conditions on a cursor.
fn is_well_formed(request: &DescribeTopicPartitionsRequest) -> bool {
    let Some(cursor) = &request.cursor else { return true };
    let names_it = request.topics.iter().any(|topic| topic.name == cursor.topic_name);
    cursor.partition_index >= 0 && (request.topics.is_empty() || names_it)
}

/// The topics that the caller may see. Nothing is recorded: none was asked for by name.
fn visible(describe: &Need, judge: &mut Judge<'_>, topics: &dyn TopicNames) -> Vec<TopicRequest> {
    let names = topics.names().into_iter().filter(|name| describe.shows(judge, name));
    names.map(|name| build!(TopicRequest { name: StrBytes::from(&*name) })).collect()
}

/// Leaves only what the caller may see, and adds what it may do.
fn complete(
    response: &mut DescribeTopicPartitionsResponse,
    all: bool,
    describe: &Need,
    judge: &mut Judge<'_>,
) {
    let mut shows = |name: &StrBytes| describe.shows(judge, name);
    response.topics.retain(|topic| {
        // Who asks for all topics hears nothing of one that is gone by now.
        let is_there = topic.error_code == ErrorCode::None.code() || !all;
        is_there && topic.name.as_ref().is_some_and(&mut shows)
    });
    response.next_cursor = response.next_cursor.take().filter(|cursor| shows(&cursor.topic_name));
    for topic in &mut response.topics {
        let name = topic.name.as_deref().unwrap_or_default();
        topic.topic_authorized_operations = judge.authorized_operations(ResourceType::Topic, name);
    }
}

pub(super) fn refuse(
    request: &DescribeTopicPartitionsRequest,
    code: ErrorCode,
) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| refuse_topic(&topic.name, code)).collect();
    build!(DescribeTopicPartitionsResponse { topics, next_cursor: None })
}

/// Who may not see a topic learns no id.
fn refuse_topic(name: &StrBytes, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    build!(DescribeTopicPartitionsResponseTopic {
        error_code: code.code(),
        name: Some(name.clone()),
        topic_authorized_operations: OPERATIONS_NOT_ASKED,
    })
}
