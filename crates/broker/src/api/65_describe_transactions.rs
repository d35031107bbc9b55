//! DescribeTransactions: transactional ids in full. Groups that take part are not shown: they are no topics here.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::DescribeTransactionsRequest;
use schloss_wire::messages::describe_transactions_response::{
    DescribeTransactionsResponse, TopicData, TransactionState,
};
use schloss_wire::{StrBytes, build};

use crate::broker::Broker;
use crate::groups::wire;
use crate::reply::ready;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: DescribeTransactionsRequest,
) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let ids = request.transactional_ids.into_iter();
    let transaction_states = ids.map(|id| describe(broker, &snapshot, id)).collect();
    ready(build!(DescribeTransactionsResponse { transaction_states }))
}

fn describe(broker: &Broker, snapshot: &Snapshot, id: StrBytes) -> TransactionState {
    let found = match broker.transactions.describe(&id) {
        Ok(found) => found,
        Err(code) => return build!(TransactionState { error_code: code.code(), transactional_id: id }),
    };
    // Topics that were deleted meanwhile have no name.
    let topics = found.topics.into_iter().filter_map(|(topic, partitions)| {
        let name = wire(&snapshot.topic_by_id(topic)?.name);
        Some(build!(TopicData { topic: name, partitions }))
    });
    build!(TransactionState {
        transactional_id: id,
        transaction_state: wire(found.state.name()),
        transaction_timeout_ms: found.timeout_ms,
        transaction_start_time_ms: found.started_ms,
        producer_id: found.producer_id,
        producer_epoch: found.epoch,
        topics: topics.collect(),
    })
}
