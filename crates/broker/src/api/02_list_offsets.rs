//! ListOffsets: the first and last offset of partitions, and offsets by time.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_log::LogError;
use schloss_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use schloss_wire::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::leader_epoch::check_leader_epoch;
use crate::log_errors::code_of;
use crate::partition::{LEADER_EPOCH, Partition};
use crate::reply::{later, on_disk};

/// What stands for a time in a request (`ListOffsetsRequest`), with the first version that may send it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Target {
    Latest,
    Earliest,
    MaxTimestamp,
    /// The first offset on this node's disk; there is no other place, so it is the earliest.
    EarliestLocal,
    /// The last offset in remote storage, or the first that is to go there; there is none.
    Tiered,
    Time(i64),
}

impl Target {
    fn from_wire(timestamp: i64, version: i16) -> Result<Self, ErrorCode> {
        let (target, since) = match timestamp {
            -1 => (Self::Latest, 0),
            -2 => (Self::Earliest, 0),
            -3 => (Self::MaxTimestamp, 7),
            -4 => (Self::EarliestLocal, 8),
            -5 => (Self::Tiered, 9),
            -6 => (Self::Tiered, 11),
            time @ 0.. => (Self::Time(time), 0),
            _ => return Err(ErrorCode::InvalidRequest),
        };
        if version >= since { Ok(target) } else { Err(ErrorCode::UnsupportedVersion) }
    }
}

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: ListOffsetsRequest,
) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let mut lookups = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let found = snapshot.topic(topic.name.as_str());
        let repeated = repeated(&topic.partitions);
        let resolve = |wanted: &ListOffsetsPartition| {
            if repeated.contains(&wanted.partition_index) {
                return Err(ErrorCode::InvalidRequest);
            }
            let topic = found.ok_or(ErrorCode::UnknownTopicOrPartition)?;
            let partition = broker.partitions.get(topic.id, wanted.partition_index)?;
            check_leader_epoch(wanted.current_leader_epoch)?;
            Ok((partition, Target::from_wire(wanted.timestamp, caller.api_version)?))
        };
        let wanted: Vec<_> =
            topic.partitions.iter().map(|wanted| (wanted.partition_index, resolve(wanted))).collect();
        lookups.push((topic.name, wanted));
    }
    let on_disk_only = lookups
        .iter()
        .flat_map(|(_, wanted)| wanted)
        .any(|(_, lookup)| matches!(lookup, Ok((_, Target::Time(_) | Target::MaxTimestamp))));
    let committed_only = request.isolation_level != READ_UNCOMMITTED;
    let leader_epoch = if caller.api_version >= LEADER_EPOCH_SINCE { LEADER_EPOCH } else { NO_LEADER_EPOCH };
    let answer = move || {
        let topic = |(name, wanted): (_, Vec<(i32, Lookup)>)| {
            let answers =
                wanted.into_iter().map(|(index, lookup)| answer(index, lookup, committed_only, leader_epoch));
            build!(ListOffsetsTopicResponse { name, partitions: answers.collect() })
        };
        build!(ListOffsetsResponse { topics: lookups.into_iter().map(topic).collect() })
    };
    if !on_disk_only {
        return crate::reply::ready(answer());
    }
    later(async move { on_disk(answer).await.unwrap_or_default() })
}

/// The first version whose answers have a leader epoch, and what stands for none.
const LEADER_EPOCH_SINCE: i16 = 4;
const NO_LEADER_EPOCH: i32 = -1;
/// The isolation level of whoever wants records of open and aborted transactions as well.
const READ_UNCOMMITTED: i8 = 0;

type Lookup = Result<(Arc<Partition>, Target), ErrorCode>;

fn answer(
    partition_index: i32,
    lookup: Lookup,
    committed_only: bool,
    leader_epoch: i32,
) -> ListOffsetsPartitionResponse {
    let found = lookup.and_then(|(partition, target)| {
        look_up(&partition, target, committed_only).map_err(|error| code_of(&error))
    });
    match found {
        Ok(Some((offset, timestamp))) => {
            build!(ListOffsetsPartitionResponse { partition_index, offset, timestamp, leader_epoch })
        }
        Ok(None) => build!(ListOffsetsPartitionResponse { partition_index }),
        Err(code) => build!(ListOffsetsPartitionResponse { partition_index, error_code: code.code() }),
    }
}

/// Offset and timestamp; the timestamp is -1 where the offset is not that of a record.
fn look_up(
    partition: &Partition,
    target: Target,
    committed_only: bool,
) -> Result<Option<(i64, i64)>, LogError> {
    const NO_TIMESTAMP: i64 = -1;
    let log = &partition.log;
    log.check()?;
    // A record that can't be read yet is not found yet.
    let end = partition.readable_to(committed_only);
    let readable = |found: Option<(i64, i64)>| found.filter(|(offset, _)| *offset < end);
    match target {
        Target::Latest => Ok(Some((end, NO_TIMESTAMP))),
        Target::Earliest | Target::EarliestLocal => Ok(Some((log.start_offset(), NO_TIMESTAMP))),
        Target::MaxTimestamp => log.max_timestamp().map(readable),
        Target::Time(timestamp) => log.offset_for_time(timestamp).map(readable),
        Target::Tiered => Ok(None),
    }
}

/// Partitions named more than once, which Kafka refuses here.
fn repeated(partitions: &[ListOffsetsPartition]) -> HashSet<i32> {
    let mut seen = HashSet::with_capacity(partitions.len());
    let indexes = partitions.iter().map(|partition| partition.partition_index);
    indexes.filter(|index| !seen.insert(*index)).collect()
}
