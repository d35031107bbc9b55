//! What administrators of a cluster do, and what no client needs a right for.

use bytes::Bytes;
use schloss_wire::messages as m;
use schloss_wire::{Api, Uuid, build};

use crate::case::{Case, Names, Shown};

/// The last version whose answer has no room for an error.
const MUTE_LOG_DIRS: i16 = 2;
const NOBODY: i32 = 4242;

fn move_log_dirs(names: &Names) -> m::AlterReplicaLogDirsRequest {
    use m::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
    let topic = build!(AlterReplicaLogDirTopic { name: names.text("t"), partitions: vec![0] });
    let dir = build!(AlterReplicaLogDir { path: "/nowhere".into(), topics: vec![topic] });
    build!(m::AlterReplicaLogDirsRequest { dirs: vec![dir] })
}

fn log_dirs(names: &Names) -> m::DescribeLogDirsRequest {
    use m::describe_log_dirs_request::DescribableLogDirTopic;
    let topic = build!(DescribableLogDirTopic { topic: names.text("t"), partitions: vec![0] });
    build!(m::DescribeLogDirsRequest { topics: Some(vec![topic]) })
}

fn elect(names: &Names) -> m::ElectLeadersRequest {
    use m::elect_leaders_request::TopicPartitions;
    let topic = build!(TopicPartitions { topic: names.text("t"), partitions: vec![0] });
    build!(m::ElectLeadersRequest { topic_partitions: Some(vec![topic]), timeout_ms: 10_000 })
}

fn reassign(names: &Names) -> m::AlterPartitionReassignmentsRequest {
    use m::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
    let partition = build!(ReassignablePartition { partition_index: 0, replicas: Some(vec![1]) });
    let topic = build!(ReassignableTopic { name: names.text("t"), partitions: vec![partition] });
    build!(m::AlterPartitionReassignmentsRequest { timeout_ms: 10_000, topics: vec![topic] })
}

fn quorum() -> m::DescribeQuorumRequest {
    use m::describe_quorum_request::{PartitionData, TopicData};
    let partition = build!(PartitionData { partition_index: 0 });
    let topic = build!(TopicData { topic_name: "__cluster_metadata".into(), partitions: vec![partition] });
    build!(m::DescribeQuorumRequest { topics: vec![topic] })
}

fn features() -> m::UpdateFeaturesRequest {
    use m::update_features_request::FeatureUpdateKey;
    let feature = build!(FeatureUpdateKey { feature: "unheard.version".into(), max_version_level: 1 });
    build!(m::UpdateFeaturesRequest { timeout_ms: 10_000, feature_updates: vec![feature] })
}

fn voter() -> m::AddRaftVoterRequest {
    build!(m::AddRaftVoterRequest {
        cluster_id: None,
        voter_id: NOBODY,
        voter_directory_id: Uuid::from_bytes([7; 16])
    })
}

fn removal() -> m::RemoveRaftVoterRequest {
    build!(m::RemoveRaftVoterRequest {
        cluster_id: None,
        voter_id: NOBODY,
        voter_directory_id: Uuid::from_bytes([7; 16])
    })
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new(Api::AlterReplicaLogDirs, "to nowhere", move_log_dirs)
            .topics(&["t"])
            .needs("alter cluster", "results[t].partitions[0] 31"),
        Case::new(Api::DescribeLogDirs, "one topic", log_dirs)
            .topics(&["t"])
            .needs("describe cluster", "31")
            .shows(Shown::Name("t")),
        Case::new(Api::DescribeLogDirs, "one topic, as old clients do", log_dirs)
            .version(MUTE_LOG_DIRS)
            .topics(&["t"])
            .needs("describe cluster", "")
            .shows(Shown::Name("t")),
        // The one broker leads already.
        Case::new(Api::ElectLeaders, "a preferred one", elect)
            .topics(&["t"])
            .needs("alter cluster", "31; replica_election_results[t].partition_result[] 31")
            .allowed("replica_election_results[t].partition_result[] 84"),
        Case::new(Api::AlterPartitionReassignments, "to where it is", reassign)
            .topics(&["t"])
            .needs("alter cluster", "31; responses[t].partitions[0] 31"),
        Case::new(Api::ListPartitionReassignments, "all", |_| {
            build!(m::ListPartitionReassignmentsRequest { topics: None })
        })
        .needs("describe cluster", "31"),
        Case::new(Api::DescribeQuorum, "of the metadata", |_| quorum()).needs("describe cluster", "31"),
        Case::new(Api::UpdateFeatures, "unheard of", |_| features()).needs("alter cluster", "31"),
        Case::new(Api::DescribeCluster, "what may be done to it", |_| {
            build!(m::DescribeClusterRequest { include_cluster_authorized_operations: true })
        })
        .needs_silently("describe cluster", "")
        .shows(Shown::Text("cluster_authorized_operations: 256")),
        Case::new(Api::UnregisterBroker, "nobody", |_| {
            build!(m::UnregisterBrokerRequest { broker_id: NOBODY })
        })
        .needs("alter cluster", "31"),
        Case::new(Api::ListConfigResources, "all", |_| m::ListConfigResourcesRequest::default())
            .topics(&["t"])
            .needs("describe-configs cluster", "31")
            .shows(Shown::Name("t")),
        Case::new(Api::AddRaftVoter, "nobody", |_| voter()).needs("alter cluster", "31"),
        Case::new(Api::RemoveRaftVoter, "nobody", |_| removal()).needs("alter cluster", "31"),
        Case::new(Api::GetTelemetrySubscriptions, "anybody", |_| {
            m::GetTelemetrySubscriptionsRequest::default()
        }),
        Case::new(Api::PushTelemetry, "anybody", |_| {
            build!(m::PushTelemetryRequest { metrics: Bytes::from_static(b"x") })
        }),
    ]
}
