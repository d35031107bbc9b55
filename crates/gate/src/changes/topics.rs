//! Changes of topics: their partitions, records, replicas, leaders and transactions.

use std::collections::BTreeMap;

use schloss_metadata::uuid_text;
use schloss_policy::CLUSTER_NAME;
use schloss_wire::messages::elect_leaders_response::ReplicaElectionResult;
use schloss_wire::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsResponse,
    ElectLeadersRequest, ElectLeadersResponse, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use serde_json::{Value, json};

use super::Change;
use super::configs::shown;
use super::result::{Answer, Errors, fail_all, settle_each};

const TOPIC: &str = "Topic";
const CLUSTER: &str = "Cluster";
/// Whose transactions a marker ends; the request does not know the transactional id.
const PRODUCER: &str = "Producer";

pub(super) fn create(request: &CreateTopicsRequest) -> Vec<Change> {
    let topics = request.topics.iter().map(|topic| {
        let configs: serde_json::Map<String, Value> = topic
            .configs
            .iter()
            .map(|config| (config.name.to_string(), shown(&config.name, config.value.as_ref())))
            .collect();
        let what = json!({
            "action": "create",
            "partitions": topic.num_partitions,
            "replicationFactor": topic.replication_factor,
            "configs": configs,
            "validateOnly": request.validate_only,
        });
        Change::new(TOPIC, topic.name.as_str(), what)
    });
    topics.collect()
}

pub(super) fn created(response: &CreateTopicsResponse) -> impl Iterator<Item = Answer<'_>> {
    response.topics.iter().map(|topic| Answer::topic(&topic.name, Errors::whole(topic.error_code)))
}

pub(super) fn create_partitions(request: &CreatePartitionsRequest) -> Vec<Change> {
    let topics = request.topics.iter().map(|topic| {
        let what = json!({
            "action": "create partitions",
            "partitions": topic.count,
            "validateOnly": request.validate_only,
        });
        Change::new(TOPIC, topic.name.as_str(), what)
    });
    topics.collect()
}

pub(super) fn created_partitions(response: &CreatePartitionsResponse) -> impl Iterator<Item = Answer<'_>> {
    response.results.iter().map(|topic| Answer::topic(&topic.name, Errors::whole(topic.error_code)))
}

/// Only the answer knows the names of topics that were named by id.
pub(super) fn deleted(response: &DeleteTopicsResponse) -> impl Iterator<Item = Change> {
    response.responses.iter().map(|topic| {
        let name = topic.name.as_ref().map_or_else(|| uuid_text(topic.topic_id), ToString::to_string);
        let what = json!({ "action": "delete", "topicId": uuid_text(topic.topic_id) });
        Change { error: topic.error_code, ..Change::new(TOPIC, name, what) }
    })
}

pub(super) fn delete_records(request: &DeleteRecordsRequest) -> Vec<Change> {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(
            |partition| json!({ "partition": partition.partition_index, "beforeOffset": partition.offset }),
        );
        let what = json!({ "action": "delete records", "partitions": partitions.collect::<Vec<_>>() });
        Change::new(TOPIC, topic.name.as_str(), what)
    });
    topics.collect()
}

pub(super) fn deleted_records(response: &DeleteRecordsResponse) -> impl Iterator<Item = Answer<'_>> {
    response.topics.iter().map(|topic| {
        let codes = topic.partitions.iter().map(|p| (p.partition_index, p.error_code));
        Answer::topic(&topic.name, Errors::of_partitions(codes))
    })
}

/// One change for each topic: the answer does not tell directories apart.
pub(super) fn alter_replica_log_dirs(request: &AlterReplicaLogDirsRequest) -> Vec<Change> {
    let mut moves: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            let to = json!({ "path": dir.path.as_str(), "partitions": topic.partitions });
            moves.entry(&topic.name).or_default().push(to);
        }
    }
    let changes = moves.into_iter().map(|(topic, directories)| {
        Change::new(TOPIC, topic, json!({ "action": "move replicas", "directories": directories }))
    });
    changes.collect()
}

pub(super) fn altered_replica_log_dirs(
    response: &AlterReplicaLogDirsResponse,
) -> impl Iterator<Item = Answer<'_>> {
    response.results.iter().map(|topic| {
        let codes = topic.partitions.iter().map(|p| (p.partition_index, p.error_code));
        Answer::topic(&topic.topic_name, Errors::of_partitions(codes))
    })
}

pub(super) fn reassign(request: &AlterPartitionReassignmentsRequest) -> Vec<Change> {
    let topics = request.topics.iter().map(|topic| {
        // No replicas: a reassignment that is under way is cancelled.
        let partitions = topic.partitions.iter().map(
            |partition| json!({ "partition": partition.partition_index, "replicas": partition.replicas }),
        );
        let what = json!({
            "action": "reassign partitions",
            "partitions": partitions.collect::<Vec<_>>(),
            "allowReplicationFactorChange": request.allow_replication_factor_change,
        });
        Change::new(TOPIC, topic.name.as_str(), what)
    });
    topics.collect()
}

pub(super) fn reassigned(response: &AlterPartitionReassignmentsResponse) -> impl Iterator<Item = Answer<'_>> {
    response.responses.iter().map(|topic| {
        let codes = topic.partitions.iter().map(|p| (p.partition_index, p.error_code));
        Answer::topic(&topic.name, Errors::of_partitions(codes))
    })
}

pub(super) fn elect_leaders(request: &ElectLeadersRequest) -> Vec<Change> {
    let what = |partitions: Value| {
        let election_type = match request.election_type {
            0 => "preferred",
            1 => "unclean",
            _ => "unknown",
        };
        json!({ "action": "elect leaders", "electionType": election_type, "partitions": partitions })
    };
    let Some(topics) = &request.topic_partitions else {
        return vec![Change::new(CLUSTER, CLUSTER_NAME, what(json!("all")))];
    };
    let topics =
        topics.iter().map(|topic| Change::new(TOPIC, topic.topic.as_str(), what(json!(topic.partitions))));
    topics.collect()
}

/// A request for all partitions has its own result, and the answer tells in which there was an election.
pub(super) fn add_elected(changes: &mut Vec<Change>, response: &ElectLeadersResponse) {
    let codes = |topic: &ReplicaElectionResult| -> Vec<(i32, i16)> {
        topic.partition_result.iter().map(|p| (p.partition_id, p.error_code)).collect()
    };
    if let [change] = &changes[..]
        && change.resource_type == CLUSTER
    {
        changes.extend(response.replica_election_results.iter().map(|topic| {
            let partitions: Vec<i32> = topic.partition_result.iter().map(|p| p.partition_id).collect();
            let what = json!({ "action": "elect leaders", "partitions": partitions });
            Change::new(TOPIC, topic.topic.as_str(), what)
        }));
    }
    let cluster = Answer::new(CLUSTER, CLUSTER_NAME, Errors::whole(response.error_code));
    let topics = response.replica_election_results.iter();
    let topics = topics.map(|topic| Answer::topic(&topic.topic, Errors::of_partitions(codes(topic))));
    settle_each(changes, topics.chain([cluster]));
    fail_all(changes, response.error_code);
}

pub(super) fn write_markers(request: &WriteTxnMarkersRequest) -> Vec<Change> {
    let markers = request.markers.iter().map(|marker| {
        let topics: Vec<Value> = marker
            .topics
            .iter()
            .map(|topic| json!({ "topic": topic.name.as_str(), "partitions": topic.partition_indexes }))
            .collect();
        let what = json!({
            "action": if marker.transaction_result { "commit transaction" } else { "abort transaction" },
            "producerEpoch": marker.producer_epoch,
            "coordinatorEpoch": marker.coordinator_epoch,
            "topics": topics,
        });
        Change::new(PRODUCER, marker.producer_id.to_string(), what)
    });
    markers.collect()
}

pub(super) fn written_markers(response: &WriteTxnMarkersResponse) -> impl Iterator<Item = Answer<'_>> {
    response.markers.iter().map(|marker| {
        let codes = marker.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|p| (topic.name.as_str(), p.partition_index, p.error_code))
        });
        Answer::new(PRODUCER, marker.producer_id.to_string(), Errors::of_topics(codes))
    })
}
