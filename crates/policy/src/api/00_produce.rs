//! Produce: WRITE on every topic; for transactional batches, WRITE on the transactional id first.

use bytes::Bytes;
use schloss_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use schloss_wire::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use schloss_wire::messages::{ProduceRequest, ProduceResponse};
use schloss_wire::records::{BatchError, BatchHeader};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude_split, take_denied, text, topic_refusal};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

/// First version that names topics by id.
const TOPIC_IDS: i16 = 13;
/// Kafka's "no such offset" and "no such time".
const NONE: i64 = -1;

pub(super) fn admit(
    mut request: ProduceRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [transaction, write] = table::PRODUCE;
    let seen = Seen::of(&request);
    if seen.transactional {
        let refusal = match &request.transactional_id {
            Some(id) => transaction.refusal(judge, id),
            None => Some(transaction.error),
        };
        if let Some(code) = refusal {
            return Verdict::Refused(refuse(&request, code, None).into());
        }
    }
    let by_id = version >= TOPIC_IDS;
    let mut denied: Vec<TopicProduceResponse> = take_denied(&mut request.topic_data, |topic| {
        topic_refusal(&write, judge, topics, by_id, &topic.name, topic.topic_id)
    })
    .into_iter()
    .map(|(topic, code)| refuse_topic(&topic, code, None))
    .collect();
    if seen.unreadable {
        denied.extend(take_unreadable(&mut request));
    }
    let left = Left::after(&request.topic_data, &denied);
    conclude_split(request, left, judge, move |response: &mut ProduceResponse, _| {
        response.responses.extend(denied);
    })
}

pub(super) fn refuse(request: &ProduceRequest, code: ErrorCode, message: Option<&str>) -> ProduceResponse {
    let responses = request.topic_data.iter().map(|topic| refuse_topic(topic, code, message)).collect();
    build!(ProduceResponse { responses })
}

fn refuse_topic(topic: &TopicProduceData, code: ErrorCode, message: Option<&str>) -> TopicProduceResponse {
    let partitions = topic.partition_data.iter().map(|partition| refuse_partition(partition, code, message));
    build!(TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: partitions.collect(),
    })
}

fn refuse_partition(
    partition: &PartitionProduceData,
    code: ErrorCode,
    message: Option<&str>,
) -> PartitionProduceResponse {
    build!(PartitionProduceResponse {
        index: partition.index,
        error_code: code.code(),
        base_offset: NONE,
        log_append_time_ms: NONE,
        log_start_offset: NONE,
        error_message: text(message),
    })
}

/// What the headers of a request's batches say.
#[derive(Default)]
struct Seen {
    transactional: bool,
    unreadable: bool,
}

impl Seen {
    fn of(request: &ProduceRequest) -> Self {
        let mut seen = Self::default();
        let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        for header in partitions.flat_map(|partition| headers(partition.records.as_ref())) {
            match header {
                Ok(header) => seen.transactional |= header.is_transactional(),
                Err(_) => seen.unreadable = true,
            }
        }
        seen
    }
}

/// The headers of all batches, up to the first that can't be read. Every one counts, although Kafka accepts
/// only one batch: a later one must not carry a transaction past the check.
fn headers(records: Option<&Bytes>) -> impl Iterator<Item = Result<BatchHeader, BatchError>> {
    let mut rest = records.map_or(&[][..], |records| records);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let have = rest.len();
        let header = BatchHeader::parse(rest).and_then(|header| {
            let needed = header.total_bytes;
            rest = rest.get(needed..).ok_or(BatchError::Truncated { needed, have })?;
            Ok(header)
        });
        if header.is_err() {
            rest = &[];
        }
        Some(header)
    })
}

/// Takes out the partitions whose batches can't be read, so can't be said to be authorized.
fn take_unreadable(request: &mut ProduceRequest) -> Vec<TopicProduceResponse> {
    let mut refused = Vec::new();
    request.topic_data.retain_mut(|topic| {
        let mut reason = None;
        let unreadable = take_denied(&mut topic.partition_data, |partition| {
            let error = headers(partition.records.as_ref()).find_map(Result::err)?;
            let code = match error {
                BatchError::UnsupportedMagic(_) => ErrorCode::InvalidRecord,
                _ => ErrorCode::CorruptMessage,
            };
            reason = Some(error.to_string());
            Some(code)
        });
        if unreadable.is_empty() {
            return true;
        }
        let partitions = unreadable
            .iter()
            .map(|(partition, code)| refuse_partition(partition, *code, reason.as_deref()))
            .collect();
        refused.push(build!(TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: partitions,
        }));
        !topic.partition_data.is_empty()
    });
    refused
}
