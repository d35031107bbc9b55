//! DeleteRecords: DELETE on every topic.

use schloss_wire::messages::delete_records_request::DeleteRecordsTopic;
use schloss_wire::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use schloss_wire::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

/// Kafka's "no low watermark".
const NONE: i64 = -1;

pub(super) fn admit(mut request: DeleteRecordsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [delete] = table::DELETE_RECORDS;
    let denied = take_denied(&mut request.topics, |topic| delete.refusal(judge, &topic.name));
    let left = Left::after(&request.topics, &denied);
    conclude_split(request, left, judge, move |response: &mut DeleteRecordsResponse, _| {
        response.topics.extend(denied.iter().map(|(topic, code)| refuse_topic(topic, *code)));
    })
}

pub(super) fn refuse(request: &DeleteRecordsRequest, code: ErrorCode) -> DeleteRecordsResponse {
    let topics = request.topics.iter().map(|topic| refuse_topic(topic, code)).collect();
    build!(DeleteRecordsResponse { topics })
}

fn refuse_topic(topic: &DeleteRecordsTopic, code: ErrorCode) -> DeleteRecordsTopicResult {
    let partitions = topic.partitions.iter().map(|partition| {
        build!(DeleteRecordsPartitionResult {
            partition_index: partition.partition_index,
            low_watermark: NONE,
            error_code: code.code(),
        })
    });
    build!(DeleteRecordsTopicResult { name: topic.name.clone(), partitions: partitions.collect() })
}
