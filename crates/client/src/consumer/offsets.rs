//! Where partitions begin and end (ListOffsets).

use std::collections::BTreeMap;

use schloss_wire::messages::ListOffsetsRequest;
use schloss_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use schloss_wire::{StrBytes, build};

use super::record::StartAt;
use super::slot::Slot;
use crate::cluster::Cluster;
use crate::error::{ClientError, Need};

/// Timestamps that mean the ends of a partition.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
/// What a consumer says where a replica would give its id.
const CONSUMER: i32 = -1;

/// Gives every slot that has none an offset to begin at. Slots without a leader, or whose leader moved, keep
/// none; the result says whether any is left.
pub(super) async fn look_up(
    cluster: &mut Cluster,
    slots: &mut [Slot],
    start: StartAt,
) -> Result<bool, ClientError> {
    let timestamp = match start {
        StartAt::Beginning => EARLIEST,
        StartAt::End => LATEST,
        StartAt::Offset(offset) => {
            slots.iter_mut().filter(|slot| slot.fetch_from.is_none()).for_each(|slot| slot.seek(offset));
            return Ok(false);
        }
    };
    let mut by_leader: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    let mut left = false;
    for (position, slot) in slots.iter().enumerate().filter(|(_, slot)| slot.fetch_from.is_none()) {
        match slot.leader {
            Some(leader) => by_leader.entry(leader).or_default().push(position),
            None => left = true,
        }
    }
    for (leader, positions) in by_leader {
        let request = request(positions.iter().map(|position| &slots[*position]), timestamp);
        let response = match cluster.call_node(leader, &request, i16::MAX).await {
            Ok(response) => response,
            Err(error) if error.is_retriable() => {
                tracing::debug!(%error, leader, "offsets are looked up again");
                left = true;
                continue;
            }
            Err(error) => return Err(error),
        };
        for position in positions {
            let slot = &mut slots[position];
            let found = response
                .topics
                .iter()
                .filter(|topic| topic.name.as_str() == &*slot.topic)
                .flat_map(|topic| &topic.partitions)
                .find(|partition| partition.partition_index == slot.index);
            let Some(found) = found else {
                left = true;
                continue;
            };
            let need = Need::topic("DESCRIBE", &slot.topic);
            let doing = || format!("looking up offsets of topic {} partition {}", slot.topic, slot.index);
            match cluster.check(found.error_code, None, &need, doing) {
                Ok(()) => slot.seek(found.offset),
                Err(error) if error.is_retriable() => left = true,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(left)
}

fn request<'a>(slots: impl Iterator<Item = &'a Slot>, timestamp: i64) -> ListOffsetsRequest {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for slot in slots {
        let partition = build!(ListOffsetsPartition { partition_index: slot.index, timestamp: timestamp });
        topics.entry(&slot.topic).or_default().push(partition);
    }
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| build!(ListOffsetsTopic { name: StrBytes::from(name), partitions }));
    build!(ListOffsetsRequest { replica_id: CONSUMER, topics: topics.collect() })
}
