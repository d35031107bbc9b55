//! AddPartitionsToTxn: partitions take part in a producer's transaction. Producers of the newer kind do without:
//! their batches say so (KIP-890).

use futures_util::future::{BoxFuture, join_all};
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use schloss_wire::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnResult,
    AddPartitionsToTxnTopicResult,
};
use schloss_wire::{ErrorCode, Uuid, build};

use crate::broker::Broker;
use crate::reply::later;
use crate::transactions::{Claimant, Place};

/// From here on a request is of many transactions, and may only ask (KIP-890). Brokers send it.
const MANY_SINCE_VERSION: i16 = 4;
/// From here on clients understand PRODUCER_FENCED.
const FENCED_SINCE_VERSION: i16 = 2;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: AddPartitionsToTxnRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        if caller.api_version >= MANY_SINCE_VERSION {
            let results = request.transactions.into_iter().map(|one| async {
                let topic_results = add(&broker, &one, caller.api_version).await;
                build!(AddPartitionsToTxnResult { transactional_id: one.transactional_id, topic_results })
            });
            let results_by_transaction = join_all(results).await;
            return build!(AddPartitionsToTxnResponse { results_by_transaction });
        }
        let only = build!(AddPartitionsToTxnTransaction {
            transactional_id: request.v3_and_below_transactional_id,
            producer_id: request.v3_and_below_producer_id,
            producer_epoch: request.v3_and_below_producer_epoch,
            topics: request.v3_and_below_topics,
        });
        let results_by_topic_v3_and_below = add(&broker, &only, caller.api_version).await;
        build!(AddPartitionsToTxnResponse { results_by_topic_v3_and_below })
    })
}

async fn add(
    broker: &Broker,
    request: &AddPartitionsToTxnTransaction,
    version: i16,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let producer = Claimant {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id,
        epoch: request.producer_epoch,
    };
    let snapshot = broker.metadata.snapshot();
    let found: Vec<_> = request.topics.iter().map(|topic| find(&snapshot, topic)).collect();
    if found.iter().flatten().any(Option::is_none) {
        // All take part or none. Those that would have are told apart.
        return answer(&request.topics, &found, |place| match place {
            Some(_) => ErrorCode::OperationNotAttempted,
            None => ErrorCode::UnknownTopicOrPartition,
        });
    }
    let in_version = |code| match code {
        ErrorCode::ProducerFenced if version < FENCED_SINCE_VERSION => ErrorCode::InvalidProducerEpoch,
        code => code,
    };
    if request.verify_only {
        return answer(&request.topics, &found, |place| {
            let verified = place
                .map(|(topic, index)| broker.transactions.verify(producer, &Place::Partition(topic, index)));
            verified.and_then(Result::err).map_or(ErrorCode::None, in_version)
        });
    }
    let partitions: Vec<(Uuid, i32)> = found.iter().flatten().flatten().copied().collect();
    let added = broker.transactions.add_durably(producer, &partitions, &[]).await;
    let code = added.err().map_or(ErrorCode::None, in_version);
    answer(&request.topics, &found, |_| code)
}

/// The partitions that there are.
fn find(snapshot: &Snapshot, topic: &AddPartitionsToTxnTopic) -> Vec<Option<(Uuid, i32)>> {
    let meta = snapshot.topic(&topic.name);
    let one =
        |index: &i32| meta.filter(|meta| (0..meta.partitions).contains(index)).map(|meta| (meta.id, *index));
    topic.partitions.iter().map(one).collect()
}

fn answer(
    topics: &[AddPartitionsToTxnTopic],
    found: &[Vec<Option<(Uuid, i32)>>],
    code_of: impl Fn(Option<(Uuid, i32)>) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topic = |(topic, found): (&AddPartitionsToTxnTopic, &Vec<_>)| {
        let partitions = topic.partitions.iter().zip(found).map(|(&partition_index, place)| {
            let partition_error_code = code_of(*place).code();
            build!(AddPartitionsToTxnPartitionResult { partition_index, partition_error_code })
        });
        build!(AddPartitionsToTxnTopicResult {
            name: topic.name.clone(),
            results_by_partition: partitions.collect(),
        })
    };
    topics.iter().zip(found).map(topic).collect()
}
