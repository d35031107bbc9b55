//! ElectLeaders: every partition is led by the one node there is, so no election is ever needed.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use schloss_wire::messages::elect_leaders_response::{
    ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::reply::{ready, text};

/// Elections of the preferred leader, and of any replica.
const ELECTION_TYPES: [i8; 2] = [0, 1];

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: ElectLeadersRequest,
) -> BoxFuture<'static, Outcome> {
    if !ELECTION_TYPES.contains(&request.election_type) {
        return ready(build!(ElectLeadersResponse { error_code: ErrorCode::InvalidRequest.code() }));
    }
    let snapshot = broker.metadata.snapshot();
    let answer = |topic: TopicPartitions| {
        let meta = snapshot.topic(&topic.topic);
        let partitions = topic.partitions.iter().map(|&partition_id| {
            let exists = meta.is_some_and(|meta| (0..meta.partitions).contains(&partition_id));
            let (code, message) = if exists {
                (ErrorCode::ElectionNotNeeded, "the partition is led by the only node there is")
            } else {
                (ErrorCode::UnknownTopicOrPartition, "the partition does not exist")
            };
            build!(PartitionResult { partition_id, error_code: code.code(), error_message: text(message) })
        });
        build!(ReplicaElectionResult { partition_result: partitions.collect(), topic: topic.topic })
    };
    // As in Kafka, whoever asks for all partitions is not told of those that need no election.
    let topics = request.topic_partitions.unwrap_or_default();
    ready(build!(ElectLeadersResponse { replica_election_results: topics.into_iter().map(answer).collect() }))
}
