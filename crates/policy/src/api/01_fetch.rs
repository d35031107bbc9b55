//! Fetch: READ on every topic; for a follower, CLUSTER_ACTION on the cluster.

use bytes::Bytes;
use schloss_wire::messages::fetch_request::FetchTopic;
use schloss_wire::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use schloss_wire::messages::{FetchRequest, FetchResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, conclude, reserved_refusal, shorten, take_denied, topic_error};
use crate::admission::{Admitted, Repair, TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

/// First version that names topics by id.
const TOPIC_IDS: i16 = 13;
/// The session of a request that has none.
const NO_SESSION: i32 = 0;
/// Epochs of requests that list all they want: the first of a session, and none or the last of one.
const FIRST_EPOCH: i32 = 0;
const NO_SESSION_EPOCH: i32 = -1;
/// Kafka's "no such offset".
const NONE: i64 = -1;

pub(super) fn admit(
    mut request: FetchRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [read, replicate] = table::FETCH;
    if ![FIRST_EPOCH, NO_SESSION_EPOCH].contains(&request.session_epoch) {
        // A session fetches what was authorized when it began, so none is ever opened, and a request that
        // continues one is sent back to begin with a full fetch.
        let code = ErrorCode::FetchSessionIdNotFound.code();
        return Verdict::Refused(build!(FetchResponse { error_code: code }).into());
    }
    // The first epoch would open one.
    let opens_session = request.session_epoch == FIRST_EPOCH;
    request.session_epoch = NO_SESSION_EPOCH;
    request.session_id = NO_SESSION;
    let follower = is_follower(&request);
    if follower && let Some(code) = replicate.refusal_on_cluster(judge) {
        let responses = request.topics.iter().map(|topic| refuse_topic(topic, code)).collect();
        return Verdict::Refused(build!(FetchResponse { responses }).into());
    }
    let by_id = version >= TOPIC_IDS;
    let denied: Vec<FetchableTopicResponse> = take_denied(&mut request.topics, |topic| {
        topic_error(topics, by_id, &topic.topic, topic.topic_id, |name| {
            if follower { reserved_refusal(judge, name) } else { read.refusal(judge, name) }
        })
    })
    .into_iter()
    .map(|(topic, code)| refuse_topic(&topic, code))
    .collect();
    if denied.is_empty() {
        return Verdict::Admitted(Admitted::new(request.into(), !opens_session), Repair::NOTHING);
    }
    shorten(&mut request.max_bytes);
    let left = Left::after(&request.topics, &denied);
    conclude(request, left, judge, move |response: &mut FetchResponse, _| {
        response.responses.extend(denied);
    })
}

/// In version 15 the replica's id moved; the field that a version lacks keeps -1.
fn is_follower(request: &FetchRequest) -> bool {
    request.replica_id >= 0 || request.replica_state.replica_id >= 0
}

/// From version 13 on the error stands at the top alone, because clients then look for it there.
pub(super) fn refuse(request: &FetchRequest, version: i16, code: ErrorCode) -> FetchResponse {
    let topics = if version < TOPIC_IDS { &request.topics[..] } else { &[] };
    build!(FetchResponse {
        error_code: code.code(),
        responses: topics.iter().map(|topic| refuse_topic(topic, code)).collect(),
    })
}

fn refuse_topic(topic: &FetchTopic, code: ErrorCode) -> FetchableTopicResponse {
    let partitions = topic.partitions.iter().map(|partition| {
        build!(PartitionData {
            partition_index: partition.partition,
            error_code: code.code(),
            high_watermark: NONE,
            last_stable_offset: NONE,
            log_start_offset: NONE,
            // Clients fail on null here.
            records: Some(Bytes::new()),
        })
    });
    build!(FetchableTopicResponse {
        topic: topic.topic.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    })
}
