//! OffsetForLeaderEpoch: where the records of a leader epoch end (KIP-320). There has only ever been one epoch.

use std::cmp::Ordering;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use schloss_wire::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use schloss_wire::{ErrorCode, Uuid, build};

use crate::broker::Broker;
use crate::leader_epoch::check_leader_epoch;
use crate::log_errors::code_of;
use crate::partition::LEADER_EPOCH;
use crate::reply::ready;

/// Epoch and offset that say nothing.
const UNDEFINED: (i32, i64) = (-1, -1);

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: OffsetForLeaderEpochRequest,
) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let answer = |topic: OffsetForLeaderTopic| {
        let id = snapshot.topic(&topic.topic).map(|meta| meta.id);
        let partitions = topic.partitions.iter().map(|wanted| {
            let found = id.ok_or(ErrorCode::UnknownTopicOrPartition).and_then(|id| find(broker, id, wanted));
            let (leader_epoch, end_offset) = found.unwrap_or(UNDEFINED);
            let error_code = found.err().unwrap_or(ErrorCode::None).code();
            build!(EpochEndOffset { error_code, partition: wanted.partition, leader_epoch, end_offset })
        });
        build!(OffsetForLeaderTopicResult { partitions: partitions.collect(), topic: topic.topic })
    };
    ready(build!(OffsetForLeaderEpochResponse { topics: request.topics.into_iter().map(answer).collect() }))
}

fn find(broker: &Broker, topic: Uuid, wanted: &OffsetForLeaderPartition) -> Result<(i32, i64), ErrorCode> {
    let partition = broker.partitions.get(topic, wanted.partition)?;
    check_leader_epoch(wanted.current_leader_epoch)?;
    partition.log.check().map_err(|error| code_of(&error))?;
    Ok(match wanted.leader_epoch.cmp(&LEADER_EPOCH) {
        Ordering::Equal => (LEADER_EPOCH, partition.log.end_offset()),
        Ordering::Greater => UNDEFINED,
        Ordering::Less if wanted.leader_epoch == UNDEFINED.0 => UNDEFINED,
        // One before ours ended where ours began.
        Ordering::Less => (wanted.leader_epoch, partition.log.start_offset()),
    })
}
