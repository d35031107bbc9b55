//! AlterPartitionReassignments: there is one node, so a partition can only stay where it is.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::{Refusal, TopicMeta};
use schloss_wire::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use schloss_wire::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::reply::{ready, refusal, text};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: AlterPartitionReassignmentsRequest,
) -> BoxFuture<'static, Outcome> {
    let snapshot = broker.metadata.snapshot();
    let node_id = broker.config.node_id;
    let answer = |topic: ReassignableTopic| {
        let meta = snapshot.topic(&topic.name).map(AsRef::as_ref);
        let partitions = topic.partitions.iter().map(|partition| {
            let refused = check(meta, partition, node_id).err();
            build!(ReassignablePartitionResponse {
                partition_index: partition.partition_index,
                error_code: refused.as_ref().map_or(0, |refused| refused.code.code()),
                error_message: refused.and_then(|refused| text(refused.message)),
            })
        });
        build!(ReassignableTopicResponse { partitions: partitions.collect(), name: topic.name })
    };
    ready(build!(AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        responses: request.topics.into_iter().map(answer).collect(),
    }))
}

fn check(topic: Option<&TopicMeta>, partition: &ReassignablePartition, node_id: i32) -> Result<(), Refusal> {
    if !topic.is_some_and(|topic| (0..topic.partitions).contains(&partition.partition_index)) {
        return Err(refusal(ErrorCode::UnknownTopicOrPartition, "the partition does not exist"));
    }
    match &partition.replicas {
        None => Err(refusal(ErrorCode::NoReassignmentInProgress, "the partition is not being reassigned")),
        Some(replicas) if **replicas == [node_id] => Ok(()),
        Some(_) => Err(refusal(
            ErrorCode::InvalidReplicaAssignment,
            format_args!("there is only node {node_id}: a partition has one replica, and it is there"),
        )),
    }
}
