//! One guard per API: what is taken out of its requests, and what its answers still need.
//!
//! The numbers of the files are Kafka's API keys; from 1000 on they are our own.

#[path = "25_add_offsets_to_txn.rs"]
mod add_offsets_to_txn;
#[path = "24_add_partitions_to_txn.rs"]
mod add_partitions_to_txn;
#[path = "80_add_raft_voter.rs"]
mod add_raft_voter;
#[path = "49_alter_client_quotas.rs"]
mod alter_client_quotas;
#[path = "33_alter_configs.rs"]
mod alter_configs;
#[path = "45_alter_partition_reassignments.rs"]
mod alter_partition_reassignments;
#[path = "34_alter_replica_log_dirs.rs"]
mod alter_replica_log_dirs;
#[path = "1001_alter_security.rs"]
mod alter_security;
#[path = "91_alter_share_group_offsets.rs"]
mod alter_share_group_offsets;
#[path = "51_alter_user_scram_credentials.rs"]
mod alter_user_scram_credentials;
#[path = "18_api_versions.rs"]
mod api_versions;
mod config_resource;
#[path = "69_consumer_group_describe.rs"]
mod consumer_group_describe;
#[path = "68_consumer_group_heartbeat.rs"]
mod consumer_group_heartbeat;
#[path = "30_create_acls.rs"]
mod create_acls;
#[path = "38_create_delegation_token.rs"]
mod create_delegation_token;
#[path = "37_create_partitions.rs"]
mod create_partitions;
#[path = "19_create_topics.rs"]
mod create_topics;
#[path = "31_delete_acls.rs"]
mod delete_acls;
#[path = "42_delete_groups.rs"]
mod delete_groups;
#[path = "21_delete_records.rs"]
mod delete_records;
#[path = "92_delete_share_group_offsets.rs"]
mod delete_share_group_offsets;
#[path = "20_delete_topics.rs"]
mod delete_topics;
#[path = "29_describe_acls.rs"]
mod describe_acls;
#[path = "48_describe_client_quotas.rs"]
mod describe_client_quotas;
#[path = "60_describe_cluster.rs"]
mod describe_cluster;
#[path = "32_describe_configs.rs"]
mod describe_configs;
#[path = "41_describe_delegation_token.rs"]
mod describe_delegation_token;
#[path = "15_describe_groups.rs"]
mod describe_groups;
#[path = "35_describe_log_dirs.rs"]
mod describe_log_dirs;
#[path = "61_describe_producers.rs"]
mod describe_producers;
#[path = "55_describe_quorum.rs"]
mod describe_quorum;
#[path = "1000_describe_security.rs"]
mod describe_security;
#[path = "90_describe_share_group_offsets.rs"]
mod describe_share_group_offsets;
#[path = "75_describe_topic_partitions.rs"]
mod describe_topic_partitions;
#[path = "65_describe_transactions.rs"]
mod describe_transactions;
#[path = "50_describe_user_scram_credentials.rs"]
mod describe_user_scram_credentials;
#[path = "43_elect_leaders.rs"]
mod elect_leaders;
#[path = "26_end_txn.rs"]
mod end_txn;
#[path = "40_expire_delegation_token.rs"]
mod expire_delegation_token;
#[path = "01_fetch.rs"]
mod fetch;
#[path = "10_find_coordinator.rs"]
mod find_coordinator;
#[path = "71_get_telemetry_subscriptions.rs"]
mod get_telemetry_subscriptions;
mod group_describe;
#[path = "12_heartbeat.rs"]
mod heartbeat;
#[path = "44_incremental_alter_configs.rs"]
mod incremental_alter_configs;
#[path = "22_init_producer_id.rs"]
mod init_producer_id;
#[path = "11_join_group.rs"]
mod join_group;
#[path = "13_leave_group.rs"]
mod leave_group;
#[path = "74_list_config_resources.rs"]
mod list_config_resources;
#[path = "16_list_groups.rs"]
mod list_groups;
#[path = "02_list_offsets.rs"]
mod list_offsets;
#[path = "46_list_partition_reassignments.rs"]
mod list_partition_reassignments;
#[path = "66_list_transactions.rs"]
mod list_transactions;
#[path = "03_metadata.rs"]
mod metadata;
#[path = "08_offset_commit.rs"]
mod offset_commit;
#[path = "47_offset_delete.rs"]
mod offset_delete;
#[path = "09_offset_fetch.rs"]
mod offset_fetch;
#[path = "23_offset_for_leader_epoch.rs"]
mod offset_for_leader_epoch;
#[path = "00_produce.rs"]
mod produce;
#[path = "72_push_telemetry.rs"]
mod push_telemetry;
#[path = "81_remove_raft_voter.rs"]
mod remove_raft_voter;
#[path = "39_renew_delegation_token.rs"]
mod renew_delegation_token;
#[path = "36_sasl_authenticate.rs"]
mod sasl_authenticate;
#[path = "17_sasl_handshake.rs"]
mod sasl_handshake;
#[path = "79_share_acknowledge.rs"]
mod share_acknowledge;
#[path = "78_share_fetch.rs"]
mod share_fetch;
#[path = "77_share_group_describe.rs"]
mod share_group_describe;
#[path = "76_share_group_heartbeat.rs"]
mod share_group_heartbeat;
mod split;
#[path = "89_streams_group_describe.rs"]
mod streams_group_describe;
#[path = "88_streams_group_heartbeat.rs"]
mod streams_group_heartbeat;
#[path = "14_sync_group.rs"]
mod sync_group;
#[path = "28_txn_offset_commit.rs"]
mod txn_offset_commit;
#[path = "64_unregister_broker.rs"]
mod unregister_broker;
#[path = "57_update_features.rs"]
mod update_features;
#[path = "27_write_txn_markers.rs"]
mod write_txn_markers;

pub use create_delegation_token::{refuse_new_token, token_owner};
pub use describe_delegation_token::shows_token;
use schloss_wire::{ErrorCode, Request, Response};

use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;

/// Kafka's value for "not asked for" in a bit field of authorized operations.
const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

/// Hands a request to the guard of its API.
pub(crate) fn admit(
    request: Request,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    match request {
        Request::Produce(request) => produce::admit(request, version, judge, topics),
        Request::Fetch(request) => fetch::admit(request, version, judge, topics),
        Request::ListOffsets(request) => list_offsets::admit(request, judge),
        Request::Metadata(request) => metadata::admit(request, version, judge, topics),
        Request::OffsetCommit(request) => offset_commit::admit(request, version, judge, topics),
        Request::OffsetFetch(request) => offset_fetch::admit(request, version, judge, topics),
        Request::FindCoordinator(request) => find_coordinator::admit(request, version, judge),
        Request::JoinGroup(request) => join_group::admit(request, version, judge),
        Request::Heartbeat(request) => heartbeat::admit(request, judge),
        Request::LeaveGroup(request) => leave_group::admit(request, judge),
        Request::SyncGroup(request) => sync_group::admit(request, judge),
        Request::DescribeGroups(request) => describe_groups::admit(request, version, judge),
        Request::ListGroups(request) => list_groups::admit(request),
        Request::SaslHandshake(request) => sasl_handshake::admit(&request),
        Request::ApiVersions(request) => api_versions::admit(&request),
        Request::CreateTopics(request) => create_topics::admit(request, version, judge),
        Request::DeleteTopics(request) => delete_topics::admit(request, version, judge, topics),
        Request::InitProducerId(request) => init_producer_id::admit(request, judge),
        Request::DescribeAcls(request) => describe_acls::admit(request, judge),
        Request::CreateAcls(request) => create_acls::admit(request, judge),
        Request::DeleteAcls(request) => delete_acls::admit(request, judge),
        Request::DescribeConfigs(request) => describe_configs::admit(request, judge),
        Request::SaslAuthenticate(request) => sasl_authenticate::admit(&request),
        Request::CreatePartitions(request) => create_partitions::admit(request, judge),
        Request::CreateDelegationToken(request) => create_delegation_token::admit(request, version, judge),
        Request::RenewDelegationToken(request) => renew_delegation_token::admit(request),
        Request::ExpireDelegationToken(request) => expire_delegation_token::admit(request),
        Request::DescribeDelegationToken(request) => describe_delegation_token::admit(request),
        Request::DeleteGroups(request) => delete_groups::admit(request, judge),
        Request::IncrementalAlterConfigs(request) => incremental_alter_configs::admit(request, judge),
        Request::DescribeClientQuotas(request) => describe_client_quotas::admit(request, judge),
        Request::DescribeUserScramCredentials(request) => {
            describe_user_scram_credentials::admit(request, judge)
        }
        Request::AlterUserScramCredentials(request) => alter_user_scram_credentials::admit(request, judge),
        Request::DescribeCluster(request) => describe_cluster::admit(request),
        Request::DeleteRecords(request) => delete_records::admit(request, judge),
        Request::OffsetForLeaderEpoch(request) => offset_for_leader_epoch::admit(request, judge),
        Request::AddPartitionsToTxn(request) => add_partitions_to_txn::admit(request, version, judge, topics),
        Request::AddOffsetsToTxn(request) => add_offsets_to_txn::admit(request, judge),
        Request::EndTxn(request) => end_txn::admit(request, judge),
        Request::WriteTxnMarkers(request) => write_txn_markers::admit(request, judge),
        Request::TxnOffsetCommit(request) => txn_offset_commit::admit(request, version, judge, topics),
        Request::AlterConfigs(request) => alter_configs::admit(request, judge),
        Request::AlterReplicaLogDirs(request) => alter_replica_log_dirs::admit(request, judge),
        Request::DescribeLogDirs(request) => describe_log_dirs::admit(request, judge),
        Request::ElectLeaders(request) => elect_leaders::admit(request, version, judge),
        Request::AlterPartitionReassignments(request) => alter_partition_reassignments::admit(request, judge),
        Request::ListPartitionReassignments(request) => list_partition_reassignments::admit(request, judge),
        Request::OffsetDelete(request) => offset_delete::admit(request, judge),
        Request::AlterClientQuotas(request) => alter_client_quotas::admit(request, judge),
        Request::DescribeQuorum(request) => describe_quorum::admit(request, judge),
        Request::UpdateFeatures(request) => update_features::admit(request, judge),
        Request::DescribeProducers(request) => describe_producers::admit(request, judge),
        Request::UnregisterBroker(request) => unregister_broker::admit(request, judge),
        Request::DescribeTransactions(request) => describe_transactions::admit(request, judge),
        Request::ListTransactions(request) => list_transactions::admit(request),
        Request::ConsumerGroupHeartbeat(request) => consumer_group_heartbeat::admit(request, judge, topics),
        Request::ConsumerGroupDescribe(request) => consumer_group_describe::admit(request, judge),
        Request::GetTelemetrySubscriptions(request) => get_telemetry_subscriptions::admit(request),
        Request::PushTelemetry(request) => push_telemetry::admit(request),
        Request::ListConfigResources(request) => list_config_resources::admit(request, version, judge),
        Request::DescribeTopicPartitions(request) => describe_topic_partitions::admit(request, judge, topics),
        Request::ShareGroupHeartbeat(request) => share_group_heartbeat::admit(request, judge, topics),
        Request::ShareGroupDescribe(request) => share_group_describe::admit(request, judge),
        Request::ShareFetch(request) => share_fetch::admit(request, judge, topics),
        Request::ShareAcknowledge(request) => share_acknowledge::admit(request, judge, topics),
        Request::AddRaftVoter(request) => add_raft_voter::admit(request, judge),
        Request::RemoveRaftVoter(request) => remove_raft_voter::admit(request, judge),
        Request::StreamsGroupHeartbeat(request) => streams_group_heartbeat::admit(request, judge, topics),
        Request::StreamsGroupDescribe(request) => streams_group_describe::admit(request, judge),
        Request::DescribeShareGroupOffsets(request) => describe_share_group_offsets::admit(request, judge),
        Request::AlterShareGroupOffsets(request) => alter_share_group_offsets::admit(request, judge),
        Request::DeleteShareGroupOffsets(request) => delete_share_group_offsets::admit(request, judge),
        Request::DescribeSecurity(request) => describe_security::admit(request, judge),
        Request::AlterSecurity(request) => alter_security::admit(request, judge),
    }
}

/// Answers a whole request with one error.
pub(crate) fn refuse(request: &Request, version: i16, code: ErrorCode, message: Option<&str>) -> Response {
    match request {
        Request::Produce(request) => produce::refuse(request, code, message).into(),
        Request::Fetch(request) => fetch::refuse(request, version, code).into(),
        Request::ListOffsets(request) => list_offsets::refuse(request, code).into(),
        Request::Metadata(request) => metadata::refuse(request, code).into(),
        Request::OffsetCommit(request) => offset_commit::refuse(request, code).into(),
        Request::OffsetFetch(request) => offset_fetch::refuse(request, version, code).into(),
        Request::FindCoordinator(request) => find_coordinator::refuse(request, version, code, message).into(),
        Request::JoinGroup(_) => join_group::refuse(version, code).into(),
        Request::Heartbeat(_) => heartbeat::refuse(code).into(),
        Request::LeaveGroup(_) => leave_group::refuse(code).into(),
        Request::SyncGroup(_) => sync_group::refuse(code).into(),
        Request::DescribeGroups(request) => describe_groups::refuse(request, version, code, message).into(),
        Request::ListGroups(_) => list_groups::refuse(code).into(),
        Request::SaslHandshake(_) => sasl_handshake::refuse(code).into(),
        Request::ApiVersions(_) => api_versions::refuse(code).into(),
        Request::CreateTopics(request) => create_topics::refuse(request, code, message).into(),
        Request::DeleteTopics(request) => delete_topics::refuse(request, version, code, message).into(),
        Request::InitProducerId(_) => init_producer_id::refuse(code).into(),
        Request::DescribeAcls(_) => describe_acls::refuse(code, message).into(),
        Request::CreateAcls(request) => create_acls::refuse(request, code, message).into(),
        Request::DeleteAcls(request) => delete_acls::refuse(request, code, message).into(),
        Request::DescribeConfigs(request) => describe_configs::refuse(request, code, message).into(),
        Request::SaslAuthenticate(_) => sasl_authenticate::refuse(code, message).into(),
        Request::CreatePartitions(request) => create_partitions::refuse(request, code, message).into(),
        Request::CreateDelegationToken(request) => create_delegation_token::refuse(request, code).into(),
        Request::RenewDelegationToken(_) => renew_delegation_token::refuse(code).into(),
        Request::ExpireDelegationToken(_) => expire_delegation_token::refuse(code).into(),
        Request::DescribeDelegationToken(_) => describe_delegation_token::refuse(code).into(),
        Request::DeleteGroups(request) => delete_groups::refuse(request, code, message).into(),
        Request::IncrementalAlterConfigs(request) => {
            incremental_alter_configs::refuse(request, code, message).into()
        }
        Request::DescribeClientQuotas(_) => describe_client_quotas::refuse(code, message).into(),
        Request::DescribeUserScramCredentials(request) => {
            describe_user_scram_credentials::refuse(request, code, message).into()
        }
        Request::AlterUserScramCredentials(request) => {
            alter_user_scram_credentials::refuse(request, code, message).into()
        }
        Request::DescribeCluster(_) => describe_cluster::refuse(code, message).into(),
        Request::DeleteRecords(request) => delete_records::refuse(request, code).into(),
        Request::OffsetForLeaderEpoch(request) => offset_for_leader_epoch::refuse(request, code).into(),
        Request::AddPartitionsToTxn(request) => add_partitions_to_txn::refuse(request, version, code).into(),
        Request::AddOffsetsToTxn(_) => add_offsets_to_txn::refuse(code).into(),
        Request::EndTxn(_) => end_txn::refuse(code).into(),
        Request::WriteTxnMarkers(request) => write_txn_markers::refuse(request, code).into(),
        Request::TxnOffsetCommit(request) => txn_offset_commit::refuse(request, code).into(),
        Request::AlterConfigs(request) => alter_configs::refuse(request, code, message).into(),
        Request::AlterReplicaLogDirs(request) => alter_replica_log_dirs::refuse(request, code).into(),
        Request::DescribeLogDirs(_) => describe_log_dirs::refuse(code).into(),
        Request::ElectLeaders(request) => elect_leaders::refuse(request, version, code, message).into(),
        Request::AlterPartitionReassignments(request) => {
            alter_partition_reassignments::refuse(request, code, message).into()
        }
        Request::ListPartitionReassignments(request) => {
            list_partition_reassignments::refuse(request, code, message).into()
        }
        Request::OffsetDelete(_) => offset_delete::refuse(code).into(),
        Request::AlterClientQuotas(request) => alter_client_quotas::refuse(request, code, message).into(),
        Request::DescribeQuorum(_) => describe_quorum::refuse(code, message).into(),
        Request::UpdateFeatures(_) => update_features::refuse(code, message).into(),
        Request::DescribeProducers(request) => describe_producers::refuse(request, code, message).into(),
        Request::UnregisterBroker(_) => unregister_broker::refuse(code, message).into(),
        Request::DescribeTransactions(request) => describe_transactions::refuse(request, code).into(),
        Request::ListTransactions(_) => list_transactions::refuse(code).into(),
        Request::ConsumerGroupHeartbeat(_) => consumer_group_heartbeat::refuse(code, message).into(),
        Request::ConsumerGroupDescribe(request) => {
            consumer_group_describe::refuse(request, code, message).into()
        }
        Request::GetTelemetrySubscriptions(_) => get_telemetry_subscriptions::refuse(code).into(),
        Request::PushTelemetry(_) => push_telemetry::refuse(code).into(),
        Request::ListConfigResources(_) => list_config_resources::refuse(code).into(),
        Request::DescribeTopicPartitions(request) => describe_topic_partitions::refuse(request, code).into(),
        Request::ShareGroupHeartbeat(_) => share_group_heartbeat::refuse(code, message).into(),
        Request::ShareGroupDescribe(request) => share_group_describe::refuse(request, code, message).into(),
        Request::ShareFetch(_) => share_fetch::refuse(code, message).into(),
        Request::ShareAcknowledge(_) => share_acknowledge::refuse(code, message).into(),
        Request::AddRaftVoter(_) => add_raft_voter::refuse(code, message).into(),
        Request::RemoveRaftVoter(_) => remove_raft_voter::refuse(code, message).into(),
        Request::StreamsGroupHeartbeat(_) => streams_group_heartbeat::refuse(code, message).into(),
        Request::StreamsGroupDescribe(request) => {
            streams_group_describe::refuse(request, code, message).into()
        }
        Request::DescribeShareGroupOffsets(request) => {
            describe_share_group_offsets::refuse(request, code, message).into()
        }
        Request::AlterShareGroupOffsets(_) => alter_share_group_offsets::refuse(code, message).into(),
        Request::DeleteShareGroupOffsets(_) => delete_share_group_offsets::refuse(code, message).into(),
        Request::DescribeSecurity(_) => describe_security::refuse(code, message).into(),
        Request::AlterSecurity(_) => alter_security::refuse(code, message).into(),
    }
}
