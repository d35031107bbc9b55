//! Changes of groups and of their offsets.

use schloss_wire::messages::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, DeleteGroupsRequest, DeleteGroupsResponse,
    DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse, OffsetDeleteRequest,
    OffsetDeleteResponse,
};
use schloss_wire::{ErrorCode, StrBytes};
use serde_json::{Value, json};

use super::Change;
use super::result::{Answer, Errors};

const GROUP: &str = "Group";

pub(super) fn delete(request: &DeleteGroupsRequest) -> Vec<Change> {
    let groups = request.groups_names.iter();
    groups.map(|group| Change::new(GROUP, group.as_str(), json!({ "action": "delete" }))).collect()
}

pub(super) fn deleted(response: &DeleteGroupsResponse) -> impl Iterator<Item = Answer<'_>> {
    let results = response.results.iter();
    results.map(|group| Answer::new(GROUP, &*group.group_id, Errors::whole(group.error_code)))
}

/// Requests about the offsets of a group are about one group, and their answers do not name it.
fn offsets(group: &StrBytes, action: &str, topics: Vec<Value>) -> Vec<Change> {
    vec![Change::new(GROUP, group.as_str(), json!({ "action": action, "topics": topics }))]
}

pub(super) fn delete_offsets(request: &OffsetDeleteRequest) -> Vec<Change> {
    let topics = request.topics.iter().map(|topic| {
        let partitions: Vec<i32> = topic.partitions.iter().map(|p| p.partition_index).collect();
        json!({ "topic": topic.name.as_str(), "partitions": partitions })
    });
    offsets(&request.group_id, "delete offsets", topics.collect())
}

pub(super) fn deleted_offsets(response: &OffsetDeleteResponse) -> Errors {
    let codes = response.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|p| (topic.name.as_str(), p.partition_index, p.error_code))
    });
    Errors::of_topics(codes).under(response.error_code)
}

pub(super) fn alter_share_offsets(request: &AlterShareGroupOffsetsRequest) -> Vec<Change> {
    let topics = request.topics.iter().map(|topic| {
        let partitions: Vec<Value> = topic
            .partitions
            .iter()
            .map(|p| json!({ "partition": p.partition_index, "startOffset": p.start_offset }))
            .collect();
        json!({ "topic": topic.topic_name.as_str(), "partitions": partitions })
    });
    offsets(&request.group_id, "alter share offsets", topics.collect())
}

pub(super) fn altered_share_offsets(response: &AlterShareGroupOffsetsResponse) -> Errors {
    let codes = response.responses.iter().flat_map(|topic| {
        topic.partitions.iter().map(|p| (topic.topic_name.as_str(), p.partition_index, p.error_code))
    });
    Errors::of_topics(codes).under(response.error_code)
}

pub(super) fn delete_share_offsets(request: &DeleteShareGroupOffsetsRequest) -> Vec<Change> {
    let topics = request.topics.iter().map(|topic| json!({ "topic": topic.topic_name.as_str() }));
    offsets(&request.group_id, "delete share offsets", topics.collect())
}

pub(super) fn deleted_share_offsets(response: &DeleteShareGroupOffsetsResponse) -> Errors {
    let errors = response.responses.iter().fold(Errors::default(), |errors, topic| {
        let error = || ErrorCode::describe(topic.error_code);
        errors.and(topic.error_code, || json!({ "topic": topic.topic_name.as_str(), "error": error() }))
    });
    errors.under(response.error_code)
}
