//! ShareFetch: records that a member of a share group may work on, and what became of those that it had.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::ShareFetchRequest;
use schloss_wire::messages::share_fetch_request::FetchPartition;
use schloss_wire::messages::share_fetch_response::{
    AcquiredRecords, PartitionData, ShareFetchResponse, ShareFetchableTopicResponse,
};
use schloss_wire::{ErrorCode, StrBytes, Uuid, build};

use super::fetch::{MAX_FETCH_BYTES, MAX_WAIT};
use crate::broker::Broker;
use crate::groups::{MAX_MEMBER_ID_BYTES, TopicPartition, error_of, shared};
use crate::reply::later;
use crate::settings::{ShareSettings, share_settings};
use crate::share::{
    Acknowledgement, Acknowledgements, Acquired, Acquisition, MemberKey, SessionStep, ShareFetch, Wanted,
};

/// The mode that counts records and not batches (KIP-1206).
const BY_RECORD: i8 = 1;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: ShareFetchRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        answer(&broker, &caller, &request).await.unwrap_or_else(|code| {
            build!(ShareFetchResponse { error_code: code.code(), error_message: None })
        })
    })
}

async fn answer(
    broker: &Broker,
    caller: &Caller,
    request: &ShareFetchRequest,
) -> Result<ShareFetchResponse, ErrorCode> {
    let (key, settings) = member(broker, request.group_id.as_ref(), request.member_id.as_ref())?;
    let step = SessionStep::of(request.share_session_epoch);
    let acknowledged = acknowledgements(request);
    let wants_records = [request.max_bytes, request.max_records, request.min_bytes, request.max_wait_ms];
    let is_renewal_that_fetches = request.is_renew_ack && wants_records.iter().any(|one| *one != 0);
    if is_renewal_that_fetches || step == SessionStep::Open && !acknowledged.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    broker.shares.step(&key, step, caller.connection_id)?;
    let mut partitions: BTreeMap<TopicPartition, PartitionData> = BTreeMap::new();
    for (at, result) in broker.shares.acknowledge(&key, acknowledged, &settings).await {
        partition(&mut partitions, at).acknowledge_error_code = error_of(result);
    }
    if step == SessionStep::Close {
        broker.shares.close(&key);
    } else {
        let (listed, missing) = listed(broker, request);
        let wanted = broker.shares.change(&key, &listed, &forgotten(request))?;
        for (at, code) in missing {
            partition(&mut partitions, at).error_code = code.code();
        }
        if !request.is_renew_ack {
            fetch(broker, request, key, wanted, settings, &mut partitions).await;
        }
    }
    Ok(build!(ShareFetchResponse {
        error_message: None,
        acquisition_lock_timeout_ms: lock_timeout_ms(&settings),
        responses: by_topic(partitions),
    }))
}

async fn fetch(
    broker: &Broker,
    request: &ShareFetchRequest,
    key: MemberKey,
    wanted: Vec<TopicPartition>,
    settings: ShareSettings,
    partitions: &mut BTreeMap<TopicPartition, PartitionData>,
) {
    let snapshot = broker.metadata.snapshot();
    let waits = request.min_bytes > 0;
    let max_wait = u64::try_from(request.max_wait_ms).ok().filter(|_| waits).unwrap_or(0);
    let find = |at: &TopicPartition| Wanted {
        at: *at,
        partition: match snapshot.topic_by_id(at.0) {
            Some(topic) => broker.partitions.get(topic.id, at.1),
            None => Err(ErrorCode::UnknownTopicId),
        },
    };
    let fetch = ShareFetch {
        key,
        wanted: wanted.iter().map(find).collect(),
        settings,
        max_bytes: usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_FETCH_BYTES),
        max_records: i64::from(request.max_records),
        exact: request.share_acquire_mode == BY_RECORD,
        max_wait: Duration::from_millis(max_wait).min(MAX_WAIT),
    };
    let answers = broker.shares.fetch(fetch).await;
    for (at, answer) in wanted.into_iter().zip(answers) {
        match answer {
            Ok(Acquisition { acquired, .. }) if acquired.is_empty() => {}
            Ok(Acquisition { records, acquired }) => {
                let entry = partition(partitions, at);
                entry.records = records;
                entry.acquired_records = acquired.iter().map(to_acquired).collect();
            }
            Err(code) => partition(partitions, at).error_code = code.code(),
        }
    }
}

/// Who asks, and how records are shared out in its group.
///
/// # Errors
/// It does not say who it is, or there is no such group.
pub(super) fn member(
    broker: &Broker,
    group_id: Option<&StrBytes>,
    member_id: Option<&StrBytes>,
) -> Result<(MemberKey, ShareSettings), ErrorCode> {
    let name = |text: Option<&StrBytes>| text.filter(|text| !text.is_empty()).map(shared);
    let (group, member) = name(group_id).zip(name(member_id)).ok_or(ErrorCode::InvalidRequest)?;
    if member.len() > MAX_MEMBER_ID_BYTES {
        return Err(ErrorCode::InvalidRequest);
    }
    if !broker.groups.is_share(&group) {
        return Err(ErrorCode::GroupIdNotFound);
    }
    let settings = share_settings(broker.metadata.snapshot().group_configs(&group), &broker.config);
    Ok(((group, member), settings))
}

/// What fields of an answer say of how long a member may work on a record, in milliseconds.
pub(super) fn lock_timeout_ms(settings: &ShareSettings) -> i32 {
    i32::try_from(settings.record_lock.as_millis()).unwrap_or(i32::MAX)
}

fn each(request: &ShareFetchRequest) -> impl Iterator<Item = (TopicPartition, &FetchPartition)> {
    request.topics.iter().flat_map(|topic| {
        let id = topic.topic_id;
        topic.partitions.iter().map(move |partition| ((id, partition.partition_index), partition))
    })
}

fn acknowledgements(request: &ShareFetchRequest) -> Vec<Acknowledgements> {
    let with_any = each(request).filter(|(_, partition)| !partition.acknowledgement_batches.is_empty());
    let read = |(at, partition): (TopicPartition, &FetchPartition)| {
        let batches = partition.acknowledgement_batches.iter();
        let batches = batches.map(|one| (one.first_offset, one.last_offset, &one.acknowledge_types[..]));
        (at, Acknowledgement::read_all(batches, request.is_renew_ack))
    };
    with_any.map(read).collect()
}

/// The partitions that the request adds to its session, and those that there are not: only what exists is
/// kept.
fn listed(
    broker: &Broker,
    request: &ShareFetchRequest,
) -> (Vec<TopicPartition>, Vec<(TopicPartition, ErrorCode)>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (at, _) in each(request) {
        match broker.partitions.get(at.0, at.1) {
            Err(code @ ErrorCode::UnknownTopicOrPartition) => missing.push((at, code)),
            _ => found.push(at),
        }
    }
    (found, missing)
}

fn forgotten(request: &ShareFetchRequest) -> Vec<TopicPartition> {
    let topics = request.forgotten_topics_data.iter();
    topics.flat_map(|topic| topic.partitions.iter().map(|index| (topic.topic_id, *index))).collect()
}

/// The entry of a partition, which is made if it is not there.
fn partition(
    partitions: &mut BTreeMap<TopicPartition, PartitionData>,
    at: TopicPartition,
) -> &mut PartitionData {
    partitions.entry(at).or_insert_with(|| {
        build!(PartitionData { partition_index: at.1, error_message: None, acknowledge_error_message: None })
    })
}

fn to_acquired(one: &Acquired) -> AcquiredRecords {
    build!(AcquiredRecords { first_offset: one.first, last_offset: one.last, delivery_count: one.delivery })
}

fn by_topic(partitions: BTreeMap<TopicPartition, PartitionData>) -> Vec<ShareFetchableTopicResponse> {
    let mut topics: BTreeMap<Uuid, Vec<PartitionData>> = BTreeMap::new();
    for ((topic, _), partition) in partitions {
        topics.entry(topic).or_default().push(partition);
    }
    let topic = |(topic_id, partitions)| build!(ShareFetchableTopicResponse { topic_id, partitions });
    topics.into_iter().map(topic).collect()
}
