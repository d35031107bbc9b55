//! Fetch: reads whole batches as they are stored, waiting for more if the consumer wants to.
//!
//! Every answer says session id 0: no fetch session was made (KIP-227), so the client names all its
//! partitions in each request. That is complete and correct for every client, and keeps no state per
//! consumer.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::fetch_request::{FetchRequest, FetchTopic};
use schloss_wire::messages::fetch_response::{FetchResponse, FetchableTopicResponse};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::long_poll::{LongPoll, PartitionFetch, long_poll};
use crate::reply::{later, ready};

/// Most bytes of records in one answer, whatever the client asks for (`fetch.max.bytes` of a Kafka broker).
pub(super) const MAX_FETCH_BYTES: usize = 55 * 1024 * 1024;
/// Longest wait for `min_bytes`; a client that asks for longer gets an empty answer and asks again.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(60);
/// Session epochs of requests that name all they want: the first of a session, the last of one or of none.
const FULL_EPOCHS: [i32; 2] = [0, -1];
/// First version with topic ids instead of names.
const TOPIC_IDS_SINCE_VERSION: i16 = 13;

pub(crate) fn call(broker: &Broker, caller: Caller, request: FetchRequest) -> BoxFuture<'static, Outcome> {
    // No session was ever handed out, so none can be continued.
    if !FULL_EPOCHS.contains(&request.session_epoch) {
        return ready(build!(FetchResponse { error_code: ErrorCode::FetchSessionIdNotFound.code() }));
    }
    let snapshot = broker.metadata.snapshot();
    let by_id = caller.api_version >= TOPIC_IDS_SINCE_VERSION;
    // Brokers that copy partitions come with a replica id; there are none.
    let from_replica = request.replica_id >= 0 || request.replica_state.replica_id >= 0;
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut partitions = Vec::new();
    for topic in request.topics {
        let mut fetches = resolve(broker, &snapshot, &topic, by_id);
        if from_replica {
            for fetch in &mut fetches {
                fetch.partition = Err(ErrorCode::NotLeaderOrFollower);
            }
        }
        topics.push((topic.topic, topic.topic_id, fetches.len()));
        partitions.append(&mut fetches);
    }
    let poll = LongPoll {
        partitions,
        max_bytes: usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_FETCH_BYTES),
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0),
        max_wait: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(MAX_WAIT),
        read_committed: request.isolation_level != 0,
    };
    later(async move {
        let mut answers = long_poll(poll).await.into_iter();
        let topic = |(topic, topic_id, count)| {
            let partitions = answers.by_ref().take(count).collect();
            build!(FetchableTopicResponse { topic, topic_id, partitions })
        };
        build!(FetchResponse { responses: topics.into_iter().map(topic).collect() })
    })
}

/// What is to be read of one topic: each partition once, as often as the request may name it.
fn resolve(broker: &Broker, snapshot: &Snapshot, topic: &FetchTopic, by_id: bool) -> Vec<PartitionFetch> {
    let (found, missing) = if by_id {
        (snapshot.topic_by_id(topic.topic_id), ErrorCode::UnknownTopicId)
    } else {
        (snapshot.topic(topic.topic.as_str()), ErrorCode::UnknownTopicOrPartition)
    };
    let mut places = HashMap::with_capacity(topic.partitions.len());
    let mut fetches: Vec<PartitionFetch> = Vec::with_capacity(topic.partitions.len());
    for wanted in &topic.partitions {
        let partition = match found {
            Some(topic) => broker.partitions.get(topic.id, wanted.partition),
            None => Err(missing),
        };
        let fetch = PartitionFetch {
            index: wanted.partition,
            partition,
            offset: wanted.fetch_offset,
            max_bytes: usize::try_from(wanted.partition_max_bytes).unwrap_or(0),
            leader_epoch: wanted.current_leader_epoch,
            last_fetched_epoch: wanted.last_fetched_epoch,
        };
        // As in Kafka, the last mention of a partition counts.
        match places.entry(wanted.partition) {
            std::collections::hash_map::Entry::Occupied(place) => fetches[*place.get()] = fetch,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(fetches.len());
                fetches.push(fetch);
            }
        }
    }
    fetches
}
