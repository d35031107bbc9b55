//! DescribeProducers: who writes to partitions, and which transactions are open there.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use schloss_wire::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::producers::ProducerView;
use crate::reply::ready;

/// What stands for no transaction.
const NO_OFFSET: i64 = -1;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: DescribeProducersRequest,
) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let topic = |topic: TopicRequest| {
        let meta = snapshot.topic(&topic.name);
        let partitions = topic.partition_indexes.iter().map(|&partition_index| {
            let found = match meta {
                Some(meta) => broker.partitions.get(meta.id, partition_index),
                None => Err(ErrorCode::UnknownTopicOrPartition),
            };
            match found {
                Ok(partition) => build!(PartitionResponse {
                    partition_index,
                    active_producers: partition.producers().into_iter().map(to_state).collect(),
                    error_message: None,
                }),
                Err(code) => build!(PartitionResponse {
                    partition_index,
                    error_code: code.code(),
                    error_message: None,
                }),
            }
        });
        build!(TopicResponse { partitions: partitions.collect(), name: topic.name })
    };
    ready(build!(DescribeProducersResponse { topics: request.topics.into_iter().map(topic).collect() }))
}

fn to_state(producer: ProducerView) -> ProducerState {
    build!(ProducerState {
        producer_id: producer.id,
        producer_epoch: i32::from(producer.epoch),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.open_since.unwrap_or(NO_OFFSET),
    })
}
