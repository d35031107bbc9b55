//! Committed offsets of a group: read and written.

use std::collections::BTreeMap;

use schloss_wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use schloss_wire::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use schloss_wire::messages::{OffsetCommitRequest, OffsetFetchRequest, OffsetFetchResponse};
use schloss_wire::{StrBytes, build};

use super::membership::Credentials;
use super::slot::Slot;
use crate::cluster::Cluster;
use crate::error::{ClientError, Need};

/// Version 10 of both names topics by id alone; names work everywhere.
const CEILING: i16 = 9;
/// The version of OffsetFetch that asks for several groups.
const BATCHED_FETCH: i16 = 8;

/// Seeks every slot that has a committed offset.
pub(super) async fn restore(
    cluster: &mut Cluster,
    credentials: &Credentials,
    slots: &mut [Slot],
) -> Result<(), ClientError> {
    if slots.is_empty() {
        return Ok(());
    }
    let version = cluster.node(credentials.coordinator).await?.version::<OffsetFetchRequest>(CEILING)?;
    let request = fetch_request(credentials, slots, version >= BATCHED_FETCH);
    let first = |response: &OffsetFetchResponse| {
        response.groups.first().map_or(response.error_code, |answer| answer.error_code)
    };
    let response = cluster.call_coordinator(&credentials.group, &request, version, first).await?;
    let committed = committed(cluster, credentials, response)?;
    for slot in slots {
        let found = committed.iter().find(|(topic, index, _)| slot.is(topic, *index));
        if let Some((_, _, offset)) = found.filter(|(_, _, offset)| *offset >= 0) {
            slot.seek(*offset);
            slot.committed = Some(*offset);
        }
    }
    Ok(())
}

fn fetch_request(credentials: &Credentials, slots: &[Slot], batched: bool) -> OffsetFetchRequest {
    let topics = by_topic(slots.iter().map(|slot| (&*slot.topic, slot.index)));
    if batched {
        let topics = topics.into_iter().map(|(name, partition_indexes)| {
            build!(OffsetFetchRequestTopics { name: StrBytes::from(name), partition_indexes })
        });
        let group = build!(OffsetFetchRequestGroup {
            group_id: credentials.group.clone(),
            topics: Some(topics.collect()),
        });
        return build!(OffsetFetchRequest { groups: vec![group] });
    }
    let topics = topics.into_iter().map(|(name, partition_indexes)| {
        build!(OffsetFetchRequestTopic { name: StrBytes::from(name), partition_indexes })
    });
    build!(OffsetFetchRequest { group_id: credentials.group.clone(), topics: Some(topics.collect()) })
}

/// Topic, partition and offset of everything committed, from either form of the response.
fn committed(
    cluster: &Cluster,
    credentials: &Credentials,
    response: OffsetFetchResponse,
) -> Result<Vec<(String, i32, i64)>, ClientError> {
    let group = credentials.group.as_str();
    let doing = || format!("reading committed offsets of group {group}");
    let group_need = Need::group("DESCRIBE", group);
    cluster.check(response.error_code, None, &group_need, doing)?;
    let mut found = Vec::new();
    for topic in &response.topics {
        for partition in &topic.partitions {
            let need = Need::topic("DESCRIBE", &topic.name);
            cluster.check(partition.error_code, None, &need, doing)?;
            found.push((topic.name.to_string(), partition.partition_index, partition.committed_offset));
        }
    }
    for answer in &response.groups {
        cluster.check(answer.error_code, None, &group_need, doing)?;
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let need = Need::topic("DESCRIBE", &topic.name);
                cluster.check(partition.error_code, None, &need, doing)?;
                found.push((topic.name.to_string(), partition.partition_index, partition.committed_offset));
            }
        }
    }
    Ok(found)
}

/// Commits the positions that moved. An error code of a partition comes back beside the error.
pub(super) async fn store(
    cluster: &mut Cluster,
    credentials: &Credentials,
    slots: &mut [Slot],
) -> Result<(), (i16, ClientError)> {
    let moved: Vec<(usize, i64)> =
        slots.iter().enumerate().filter_map(|(place, slot)| Some((place, slot.uncommitted()?))).collect();
    if moved.is_empty() {
        return Ok(());
    }
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (place, offset) in &moved {
        let slot = &slots[*place];
        let partition = build!(OffsetCommitRequestPartition {
            partition_index: slot.index,
            committed_offset: *offset,
            committed_metadata: Some(StrBytes::default()),
        });
        topics.entry(&slot.topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        build!(OffsetCommitRequestTopic { name: StrBytes::from(name), partitions })
    });
    let request = build!(OffsetCommitRequest {
        group_id: credentials.group.clone(),
        generation_id_or_member_epoch: credentials.generation,
        member_id: credentials.member_id.clone(),
        topics: topics.collect(),
    });
    let response =
        cluster.call_node(credentials.coordinator, &request, CEILING).await.map_err(|error| (0, error))?;
    for topic in &response.topics {
        for partition in &topic.partitions {
            let code = partition.error_code;
            let need = match schloss_wire::ErrorCode::from_code(code) {
                Some(schloss_wire::ErrorCode::TopicAuthorizationFailed) => Need::topic("READ", &topic.name),
                _ => Need::group("READ", &credentials.group),
            };
            let doing = || format!("committing offsets of group {}", credentials.group);
            cluster.check(code, None, &need, doing).map_err(|error| (code, error))?;
        }
    }
    for (place, offset) in moved {
        slots[place].committed = Some(offset);
    }
    Ok(())
}

fn by_topic<'a>(partitions: impl Iterator<Item = (&'a str, i32)>) -> BTreeMap<&'a str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, index) in partitions {
        topics.entry(topic).or_default().push(index);
    }
    topics
}
