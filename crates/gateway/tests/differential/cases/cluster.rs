//! What administrators of a cluster do, and what no client needs a right for.

use bytes::Bytes;
use schloss_wire::messages as m;
use schloss_wire::{Api, Uuid, build};

use crate::case::{Case, Scenario, cluster_ways, each, ways, with};
use crate::side::{At, Side};

const BROKER: At = At::Broker(1);
/// No node of this number is there.
const NOBODY: i32 = 4242;
const TOPICS: [&str; 3] = ["a", "b", "missing"];

fn move_log_dirs(side: &Side<'_>) -> m::AlterReplicaLogDirsRequest {
    use m::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
    let topics =
        TOPICS.map(|label| build!(AlterReplicaLogDirTopic { name: side.text(label), partitions: vec![0] }));
    build!(m::AlterReplicaLogDirsRequest {
        dirs: vec![build!(AlterReplicaLogDir { path: "/nowhere".into(), topics: topics.to_vec() })],
    })
}

fn log_dirs(side: &Side<'_>) -> m::DescribeLogDirsRequest {
    use m::describe_log_dirs_request::DescribableLogDirTopic;
    let topics = TOPICS
        .map(|label| build!(DescribableLogDirTopic { topic: side.text(label), partitions: vec![0, 1] }));
    build!(m::DescribeLogDirsRequest { topics: Some(topics.to_vec()) })
}

fn elect(side: &Side<'_>) -> m::ElectLeadersRequest {
    use m::elect_leaders_request::TopicPartitions;
    let topics =
        TOPICS.map(|label| build!(TopicPartitions { topic: side.text(label), partitions: vec![0, 7] }));
    build!(m::ElectLeadersRequest { topic_partitions: Some(topics.to_vec()), timeout_ms: 10_000 })
}

/// To where they are, and of what is not there.
fn reassign(side: &Side<'_>) -> m::AlterPartitionReassignmentsRequest {
    use m::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
    let topics = TOPICS.map(|label| {
        let partition = |partition_index, replicas: Option<Vec<i32>>| {
            build!(ReassignablePartition { partition_index, replicas })
        };
        build!(ReassignableTopic {
            name: side.text(label),
            partitions: vec![
                partition(0, Some(vec![1, 2])),
                partition(1, None),
                partition(7, Some(vec![NOBODY]))
            ],
        })
    });
    build!(m::AlterPartitionReassignmentsRequest { timeout_ms: 10_000, topics: topics.to_vec() })
}

fn reassignments(side: &Side<'_>, all: bool) -> m::ListPartitionReassignmentsRequest {
    use m::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
    let topics = TOPICS.map(|label| {
        build!(ListPartitionReassignmentsTopics { name: side.text(label), partition_indexes: vec![0] })
    });
    build!(m::ListPartitionReassignmentsRequest {
        timeout_ms: 10_000,
        topics: (!all).then(|| topics.to_vec())
    })
}

fn quorum(topic: &str) -> m::DescribeQuorumRequest {
    use m::describe_quorum_request::{PartitionData, TopicData};
    let partition = build!(PartitionData { partition_index: 0 });
    let topic = build!(TopicData { topic_name: topic.into(), partitions: vec![partition] });
    build!(m::DescribeQuorumRequest { topics: vec![topic] })
}

fn features(side: &Side<'_>) -> m::UpdateFeaturesRequest {
    use m::update_features_request::FeatureUpdateKey;
    let feature = build!(FeatureUpdateKey { feature: "unheard.version".into(), max_version_level: 1 });
    build!(m::UpdateFeaturesRequest {
        timeout_ms: 10_000,
        feature_updates: vec![feature],
        validate_only: side.version() >= 1,
    })
}

/// A controller of another cluster, so that none is added or removed whatever the rights are.
fn voter() -> m::AddRaftVoterRequest {
    use m::add_raft_voter_request::Listener;
    build!(m::AddRaftVoterRequest {
        cluster_id: Some("AAAAAAAAAAAAAAAAAAAAAQ".into()),
        timeout_ms: 10_000,
        voter_id: NOBODY,
        voter_directory_id: Uuid::from_bytes([7; 16]),
        listeners: vec![build!(Listener { name: "CONTROLLER".into(), host: "localhost".into(), port: 1 })],
    })
}

fn removal() -> m::RemoveRaftVoterRequest {
    build!(m::RemoveRaftVoterRequest {
        cluster_id: Some("AAAAAAAAAAAAAAAAAAAAAQ".into()),
        voter_id: NOBODY,
        voter_directory_id: Uuid::from_bytes([7; 16]),
    })
}

/// Everybody may.
fn nothing() -> Vec<Scenario> {
    vec![("no ACL".to_owned(), Vec::new())]
}

pub(crate) fn cases() -> Vec<Case> {
    let alter = || with(cluster_ways("alter"), &["allow read topic a"]);
    let describe = || cluster_ways("describe");
    let mut cases = Vec::new();
    cases.extend(each(Api::AlterReplicaLogDirs, "to nowhere", BROKER, alter(), move_log_dirs));
    cases.extend(each(Api::DescribeLogDirs, "by name", BROKER, describe(), log_dirs));
    cases.extend(each(Api::DescribeLogDirs, "of all topics", BROKER, ways("describe", "topic"), log_dirs));
    cases.extend(
        each(Api::ElectLeaders, "preferred ones", BROKER, alter(), elect).into_iter().map(Case::alone),
    );
    let moved = each(Api::AlterPartitionReassignments, "to where they are", BROKER, alter(), reassign);
    cases.extend(moved.into_iter().map(Case::alone));
    for all in [false, true] {
        let what = if all { "all" } else { "by name" };
        let listed = each(Api::ListPartitionReassignments, what, BROKER, describe(), move |side| {
            reassignments(side, all)
        });
        cases.extend(listed);
    }
    cases.extend(each(Api::DescribeQuorum, "of the metadata", BROKER, describe(), |_| {
        quorum("__cluster_metadata")
    }));
    cases.extend(each(Api::DescribeQuorum, "of a topic", BROKER, describe(), |_| quorum("somewhere")));
    cases.extend(each(Api::UpdateFeatures, "unheard of", BROKER, alter(), features));
    cases.extend(each(Api::UnregisterBroker, "nobody", BROKER, alter(), |_| {
        build!(m::UnregisterBrokerRequest { broker_id: NOBODY })
    }));
    cases.extend(each(Api::AddRaftVoter, "elsewhere", BROKER, alter(), |_| voter()));
    cases.extend(each(Api::RemoveRaftVoter, "elsewhere", BROKER, alter(), |_| removal()));
    cases.extend(each(Api::GetTelemetrySubscriptions, "of a new client", BROKER, nothing(), |_| {
        m::GetTelemetrySubscriptionsRequest::default()
    }));
    cases.extend(each(Api::PushTelemetry, "of an unknown client", BROKER, nothing(), |_| {
        build!(m::PushTelemetryRequest {
            client_instance_id: Uuid::from_bytes([9; 16]),
            subscription_id: 5,
            metrics: Bytes::from_static(b"x"),
        })
    }));
    cases
}
