//! TxnOffsetCommit: offsets that count once the producer's transaction is committed; answered when they are on
//! disk.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::TopicMeta;
use schloss_wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition,
};
use schloss_wire::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::groups::{Claim, Commit, Committed, shared};
use crate::reply::{later, now_ms};
use crate::transactions::{Claimant, Place};

/// KIP-890: from here on a commit makes its group part of the transaction.
const TRANSACTIONS_V2_SINCE_VERSION: i16 = 5;
/// From here on topics are named by id.
const TOPIC_IDS_SINCE_VERSION: i16 = 6;
/// KIP-890: from here on clients understand that a transaction can only be aborted.
const ABORTABLE_SINCE_VERSION: i16 = 4;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: TxnOffsetCommitRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    let version = caller.api_version;
    later(async move {
        let (mut topics, commits) = check(&broker, &request, version);
        if !commits.is_empty()
            && let Err(code) = hold(&broker, &request, version, commits).await
        {
            let code = in_version(code, version).code();
            for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                // What was refused for a reason of its own keeps it.
                if partition.error_code == ErrorCode::None.code() {
                    partition.error_code = code;
                }
            }
        }
        build!(TxnOffsetCommitResponse { topics })
    })
}

async fn hold(
    broker: &Broker,
    request: &TxnOffsetCommitRequest,
    version: i16,
    commits: Vec<Commit>,
) -> Result<(), ErrorCode> {
    let producer = Claimant {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id,
        epoch: request.producer_epoch,
    };
    let group: Arc<str> = shared(&request.group_id);
    // As with batches: what is held says itself that the group takes part, so nobody has to wait for the ticket.
    let enrol = || match version {
        TRANSACTIONS_V2_SINCE_VERSION.. => {
            broker.transactions.add(producer, &[], std::slice::from_ref(&group)).map(|_| ())
        }
        _ => broker.transactions.verify(producer, &Place::Group(Arc::clone(&group))),
    };
    let claim = Claim {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref().map(StrBytes::as_str),
        generation: request.generation_id_or_member_epoch,
    };
    let epoch = (request.producer_id, request.producer_epoch);
    broker.groups.hold(&group, claim, epoch, commits, enrol).await
}

/// The answer as it is if all that can be committed is, and that.
fn check(
    broker: &Broker,
    request: &TxnOffsetCommitRequest,
    version: i16,
) -> (Vec<TxnOffsetCommitResponseTopic>, Vec<Commit>) {
    let (snapshot, now_ms) = (broker.metadata.snapshot(), now_ms());
    let max_metadata_bytes = broker.groups.config().max_offset_metadata_bytes;
    let mut commits = Vec::new();
    let mut answers = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let (found, missing) = if version >= TOPIC_IDS_SINCE_VERSION {
            (snapshot.topic_by_id(topic.topic_id), ErrorCode::UnknownTopicId)
        } else {
            (snapshot.topic(&topic.name), ErrorCode::UnknownTopicOrPartition)
        };
        let meta = found.map(AsRef::as_ref).ok_or(missing);
        let partitions = topic.partitions.iter().map(|partition| {
            let checked = check_partition(meta, partition, max_metadata_bytes, now_ms);
            let error_code = checked.as_ref().err().map_or(0, |code| code.code());
            commits.extend(checked);
            build!(TxnOffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code
            })
        });
        answers.push(build!(TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
        }));
    }
    (answers, commits)
}

fn check_partition(
    topic: Result<&TopicMeta, ErrorCode>,
    partition: &TxnOffsetCommitRequestPartition,
    max_metadata_bytes: usize,
    time_ms: i64,
) -> Result<Commit, ErrorCode> {
    let topic = topic?;
    if !(0..topic.partitions).contains(&partition.partition_index) {
        return Err(ErrorCode::UnknownTopicOrPartition);
    }
    let metadata = partition.committed_metadata.as_ref().map_or("", |text| text.as_str());
    if metadata.len() > max_metadata_bytes {
        return Err(ErrorCode::OffsetMetadataTooLarge);
    }
    let committed = Committed {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: metadata.into(),
        time_ms,
    };
    Ok(Commit { topic: topic.id, partition: partition.partition_index, committed })
}

/// What clients of this version understand.
const fn in_version(code: ErrorCode, version: i16) -> ErrorCode {
    match code {
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        ErrorCode::TransactionAbortable if version < ABORTABLE_SINCE_VERSION => ErrorCode::InvalidTxnState,
        code => code,
    }
}
