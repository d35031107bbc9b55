//! From an admitted request to the file of its API.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Engine, EngineSession, Entrance, Offer, Outcome};
use schloss_policy::{Admitted, TopicNames, refuse};
use schloss_wire::{Api, ErrorCode, Principal, Request};

use crate::api::{
    add_offsets_to_txn, add_partitions_to_txn, alter_configs, alter_partition_reassignments,
    alter_share_group_offsets, consumer_group_describe, consumer_group_heartbeat, create_partitions,
    create_topics, delete_groups, delete_records, delete_share_group_offsets, delete_topics,
    describe_cluster, describe_configs, describe_groups, describe_log_dirs, describe_producers,
    describe_share_group_offsets, describe_topic_partitions, describe_transactions, elect_leaders, end_txn,
    fetch, find_coordinator, heartbeat, incremental_alter_configs, init_producer_id, join_group, leave_group,
    list_config_resources, list_groups, list_offsets, list_partition_reassignments, list_transactions,
    metadata, offset_commit, offset_delete, offset_fetch, offset_for_leader_epoch, produce,
    share_acknowledge, share_fetch, share_group_describe, share_group_heartbeat, streams_group_describe,
    streams_group_heartbeat, sync_group, txn_offset_commit, write_txn_markers,
};
use crate::broker::Broker;
use crate::connection::Connection;
use crate::reply::ready;

/// What the broker serves.
pub(crate) const APIS: &[Api] = &[
    Api::Produce,
    Api::Fetch,
    Api::ListOffsets,
    Api::Metadata,
    Api::OffsetCommit,
    Api::OffsetFetch,
    Api::FindCoordinator,
    Api::JoinGroup,
    Api::Heartbeat,
    Api::LeaveGroup,
    Api::SyncGroup,
    Api::DescribeGroups,
    Api::ListGroups,
    Api::CreateTopics,
    Api::DeleteTopics,
    Api::DeleteRecords,
    Api::InitProducerId,
    Api::OffsetForLeaderEpoch,
    Api::AddPartitionsToTxn,
    Api::AddOffsetsToTxn,
    Api::EndTxn,
    Api::WriteTxnMarkers,
    Api::TxnOffsetCommit,
    Api::DescribeConfigs,
    Api::AlterConfigs,
    Api::DescribeLogDirs,
    Api::CreatePartitions,
    Api::DeleteGroups,
    Api::ElectLeaders,
    Api::IncrementalAlterConfigs,
    Api::AlterPartitionReassignments,
    Api::ListPartitionReassignments,
    Api::OffsetDelete,
    Api::DescribeCluster,
    Api::DescribeProducers,
    Api::DescribeTransactions,
    Api::ListTransactions,
    Api::ConsumerGroupHeartbeat,
    Api::ConsumerGroupDescribe,
    Api::ListConfigResources,
    Api::DescribeTopicPartitions,
    Api::ShareGroupHeartbeat,
    Api::ShareGroupDescribe,
    Api::ShareFetch,
    Api::ShareAcknowledge,
    Api::DescribeShareGroupOffsets,
    Api::AlterShareGroupOffsets,
    Api::DeleteShareGroupOffsets,
    Api::StreamsGroupHeartbeat,
    Api::StreamsGroupDescribe,
];

impl Engine for Broker {
    fn keeps_quotas(&self) -> bool {
        false
    }

    fn offer(&self, _: &Entrance) -> Arc<Offer> {
        Arc::clone(&self.offer)
    }

    fn open(&self, _: &Entrance, _: &Principal) -> Box<dyn EngineSession> {
        Box::new(Connection::new(self.clone()))
    }

    fn topics(&self) -> Arc<dyn TopicNames> {
        // The store itself and not its snapshot: the gate asks once and has to see later topics.
        Arc::clone(&self.metadata) as Arc<dyn TopicNames>
    }
}

impl EngineSession for Broker {
    fn call(&mut self, caller: Caller, request: Admitted) -> BoxFuture<'static, Outcome> {
        self.transactions.start();
        match request.into_request() {
            Request::Produce(request) => produce::call(self, caller, request),
            Request::Fetch(request) => fetch::call(self, caller, request),
            Request::ListOffsets(request) => list_offsets::call(self, caller, request),
            Request::Metadata(request) => metadata::call(self, caller, request),
            Request::OffsetCommit(request) => offset_commit::call(self, caller, request),
            Request::OffsetFetch(request) => offset_fetch::call(self, caller, request),
            Request::FindCoordinator(request) => find_coordinator::call(self, caller, request),
            Request::JoinGroup(request) => join_group::call(self, caller, request),
            Request::Heartbeat(request) => heartbeat::call(self, caller, request),
            Request::LeaveGroup(request) => leave_group::call(self, caller, request),
            Request::SyncGroup(request) => sync_group::call(self, caller, request),
            Request::DescribeGroups(request) => describe_groups::call(self, caller, request),
            Request::ListGroups(request) => list_groups::call(self, caller, request),
            Request::CreateTopics(request) => create_topics::call(self, caller, request),
            Request::DeleteTopics(request) => delete_topics::call(self, caller, request),
            Request::DeleteRecords(request) => delete_records::call(self, caller, request),
            Request::InitProducerId(request) => init_producer_id::call(self, caller, request),
            Request::AddPartitionsToTxn(request) => add_partitions_to_txn::call(self, caller, request),
            Request::AddOffsetsToTxn(request) => add_offsets_to_txn::call(self, caller, request),
            Request::EndTxn(request) => end_txn::call(self, caller, request),
            Request::WriteTxnMarkers(request) => write_txn_markers::call(self, caller, request),
            Request::TxnOffsetCommit(request) => txn_offset_commit::call(self, caller, request),
            Request::DescribeConfigs(request) => describe_configs::call(self, caller, request),
            Request::CreatePartitions(request) => create_partitions::call(self, caller, request),
            Request::DeleteGroups(request) => delete_groups::call(self, caller, request),
            Request::IncrementalAlterConfigs(request) => {
                incremental_alter_configs::call(self, caller, request)
            }
            Request::DescribeCluster(request) => describe_cluster::call(self, caller, request),
            Request::DescribeProducers(request) => describe_producers::call(self, caller, request),
            Request::DescribeTransactions(request) => describe_transactions::call(self, caller, request),
            Request::ListTransactions(request) => list_transactions::call(self, caller, request),
            Request::OffsetForLeaderEpoch(request) => offset_for_leader_epoch::call(self, caller, request),
            Request::AlterConfigs(request) => alter_configs::call(self, caller, request),
            Request::DescribeLogDirs(request) => describe_log_dirs::call(self, caller, request),
            Request::ElectLeaders(request) => elect_leaders::call(self, caller, request),
            Request::AlterPartitionReassignments(request) => {
                alter_partition_reassignments::call(self, caller, request)
            }
            Request::ListPartitionReassignments(_) => list_partition_reassignments::call(),
            Request::OffsetDelete(request) => offset_delete::call(self, caller, request),
            Request::ListConfigResources(request) => list_config_resources::call(self, caller, request),
            Request::DescribeTopicPartitions(request) => {
                describe_topic_partitions::call(self, caller, request)
            }
            Request::ConsumerGroupHeartbeat(request) => consumer_group_heartbeat::call(self, caller, request),
            Request::ConsumerGroupDescribe(request) => consumer_group_describe::call(self, caller, request),
            Request::ShareGroupHeartbeat(request) => share_group_heartbeat::call(self, caller, request),
            Request::ShareGroupDescribe(request) => share_group_describe::call(self, caller, request),
            Request::ShareFetch(request) => share_fetch::call(self, caller, request),
            Request::ShareAcknowledge(request) => share_acknowledge::call(self, caller, request),
            Request::DescribeShareGroupOffsets(request) => {
                describe_share_group_offsets::call(self, caller, request)
            }
            Request::AlterShareGroupOffsets(request) => {
                alter_share_group_offsets::call(self, caller, request)
            }
            Request::DeleteShareGroupOffsets(request) => {
                delete_share_group_offsets::call(self, caller, request)
            }
            Request::StreamsGroupHeartbeat(request) => streams_group_heartbeat::call(self, caller, request),
            Request::StreamsGroupDescribe(request) => streams_group_describe::call(self, caller, request),
            // The gate sends none but those of `APIS`.
            other => ready(refuse(&other, caller.api_version, ErrorCode::UnsupportedVersion, None)),
        }
    }
}
