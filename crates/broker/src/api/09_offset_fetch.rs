//! OffsetFetch: where groups go on reading.

use futures_util::future::{BoxFuture, join_all};
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use schloss_wire::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use schloss_wire::{ErrorCode, StrBytes, Uuid, build};

use crate::broker::Broker;
use crate::groups::{Fetched, Found, wire};
use crate::reply::later;

/// KIP-709: from here on a request asks for several groups.
const FIRST_WITH_GROUPS: i16 = 8;
/// KIP-848: from here on topics are named by id.
const FIRST_WITH_TOPIC_IDS: i16 = 10;
/// Stands for "nothing committed".
const NO_OFFSET: i64 = -1;
const NO_EPOCH: i32 = -1;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: OffsetFetchRequest,
) -> BoxFuture<'static, Outcome> {
    let stable = request.require_stable;
    let broker = broker.clone();
    let version = caller.api_version;
    later(async move {
        if version >= FIRST_WITH_GROUPS {
            let groups = request.groups.into_iter().map(|group| fetch(&broker, group, version, stable));
            return build!(OffsetFetchResponse { groups: join_all(groups).await });
        }
        let wanted = build!(OffsetFetchRequestGroup {
            group_id: request.group_id,
            topics: request.topics.map(|topics| topics.into_iter().map(to_new_form).collect()),
        });
        let OffsetFetchResponseGroup { topics, error_code, .. } =
            fetch(&broker, wanted, version, stable).await;
        build!(OffsetFetchResponse { topics: topics.into_iter().map(to_old_form).collect(), error_code })
    })
}

async fn fetch(
    broker: &Broker,
    group: OffsetFetchRequestGroup,
    version: i16,
    stable: bool,
) -> OffsetFetchResponseGroup {
    let snapshot = broker.metadata.snapshot();
    let by_id = version >= FIRST_WITH_TOPIC_IDS;
    let group_id = group.group_id;
    let member_id = group.member_id.as_ref().map(StrBytes::as_str);
    let allowed = broker.groups.check_fetch(group_id.as_str(), member_id, group.member_epoch);
    let topics = match (allowed, group.topics) {
        (Err(code), _) => Err(code),
        (Ok(()), Some(topics)) => {
            fetch_some(broker, &snapshot, group_id.as_str(), topics, (by_id, stable)).await
        }
        (Ok(()), None) => {
            let found = broker.groups.fetch_all(group_id.as_str(), stable).await;
            found.map(|found| all_topics(&snapshot, found))
        }
    };
    match topics {
        Ok(topics) => build!(OffsetFetchResponseGroup { group_id, topics }),
        Err(code) => build!(OffsetFetchResponseGroup { group_id, error_code: code.code() }),
    }
}

async fn fetch_some(
    broker: &Broker,
    snapshot: &Snapshot,
    group_id: &str,
    topics: Vec<OffsetFetchRequestTopics>,
    (by_id, stable): (bool, bool),
) -> Result<Vec<OffsetFetchResponseTopics>, ErrorCode> {
    // An unknown topic has the id zero, under which nothing is ever committed.
    let id_of = |topic: &OffsetFetchRequestTopics| {
        let meta =
            if by_id { snapshot.topic_by_id(topic.topic_id) } else { snapshot.topic(topic.name.as_str()) };
        meta.map_or(Uuid::ZERO, |meta| meta.id)
    };
    let ids: Vec<Uuid> = topics.iter().map(id_of).collect();
    let wanted: Vec<(Uuid, i32)> = topics
        .iter()
        .zip(&ids)
        .flat_map(|(topic, id)| topic.partition_indexes.iter().map(move |partition| (*id, *partition)))
        .collect();
    let mut found = broker.groups.fetch(group_id, &wanted, stable).await?.into_iter();
    let answer = |(topic, id): (OffsetFetchRequestTopics, Uuid)| {
        let rows = found.by_ref().take(topic.partition_indexes.len());
        let missing = if by_id && id.is_zero() { ErrorCode::UnknownTopicId } else { ErrorCode::None };
        let partitions = rows.map(|(_, partition, found)| to_partition(partition, found, missing)).collect();
        build!(OffsetFetchResponseTopics { name: topic.name, topic_id: topic.topic_id, partitions })
    };
    Ok(topics.into_iter().zip(ids).map(answer).collect())
}

/// Topics that were deleted are left out. The rows come topic by topic.
fn all_topics(snapshot: &Snapshot, found: Fetched) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    for (id, partition, one) in found {
        let Some(meta) = snapshot.topic_by_id(id) else { continue };
        let partition = to_partition(partition, one, ErrorCode::None);
        match topics.last_mut().filter(|topic| topic.topic_id == id) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(build!(OffsetFetchResponseTopics {
                name: wire(&meta.name),
                topic_id: id,
                partitions: vec![partition],
            })),
        }
    }
    topics
}

fn to_partition(partition_index: i32, found: Found, missing: ErrorCode) -> OffsetFetchResponsePartitions {
    let without_offset = |code: ErrorCode| {
        build!(OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: NO_OFFSET,
            committed_leader_epoch: NO_EPOCH,
            error_code: code.code(),
        })
    };
    match found {
        Found::Offset(committed) => build!(OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch,
            metadata: Some(wire(&committed.metadata)),
        }),
        Found::Nothing => without_offset(missing),
        Found::Unstable => without_offset(ErrorCode::UnstableOffsetCommit),
    }
}

fn to_new_form(topic: OffsetFetchRequestTopic) -> OffsetFetchRequestTopics {
    build!(OffsetFetchRequestTopics { name: topic.name, partition_indexes: topic.partition_indexes })
}

fn to_old_form(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let to_old = |partition: OffsetFetchResponsePartitions| {
        build!(OffsetFetchResponsePartition {
            partition_index: partition.partition_index,
            committed_offset: partition.committed_offset,
            committed_leader_epoch: partition.committed_leader_epoch,
            metadata: partition.metadata,
            error_code: partition.error_code,
        })
    };
    let partitions = topic.partitions.into_iter().map(to_old).collect();
    build!(OffsetFetchResponseTopic { name: topic.name, partitions })
}
