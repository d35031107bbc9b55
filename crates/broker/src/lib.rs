//! The embedded engine: topics, groups, producers and transactions, on this node's own disk.
//!
//! [`Broker`] implements `schloss_gate::Engine`, so it sees admitted requests only: who may do what was
//! decided before, by `schloss_policy`. One file per API, named by key and name, is the support matrix.

mod aging;
mod broker;
mod cleaner;
mod connection;
mod content;
mod control;
mod directories;
mod dispatch;
mod groups;
mod hex_id;
mod incoming;
mod leader_epoch;
mod log_errors;
mod long_poll;
mod parallel;
mod partition;
mod partitions;
mod producers;
mod random;
mod reading;
mod records;
mod reply;
mod settings;
mod share;
mod storage;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transactions;

/// One module per API, in the order of their keys; each has a `call` of the same shape.
mod api {
    #[path = "25_add_offsets_to_txn.rs"]
    pub(crate) mod add_offsets_to_txn;
    #[path = "24_add_partitions_to_txn.rs"]
    pub(crate) mod add_partitions_to_txn;
    #[path = "33_alter_configs.rs"]
    pub(crate) mod alter_configs;
    #[path = "45_alter_partition_reassignments.rs"]
    pub(crate) mod alter_partition_reassignments;
    #[path = "91_alter_share_group_offsets.rs"]
    pub(crate) mod alter_share_group_offsets;
    #[path = "69_consumer_group_describe.rs"]
    pub(crate) mod consumer_group_describe;
    #[path = "68_consumer_group_heartbeat.rs"]
    pub(crate) mod consumer_group_heartbeat;
    #[path = "37_create_partitions.rs"]
    pub(crate) mod create_partitions;
    #[path = "19_create_topics.rs"]
    pub(crate) mod create_topics;
    #[path = "42_delete_groups.rs"]
    pub(crate) mod delete_groups;
    #[path = "21_delete_records.rs"]
    pub(crate) mod delete_records;
    #[path = "92_delete_share_group_offsets.rs"]
    pub(crate) mod delete_share_group_offsets;
    #[path = "20_delete_topics.rs"]
    pub(crate) mod delete_topics;
    #[path = "60_describe_cluster.rs"]
    pub(crate) mod describe_cluster;
    #[path = "32_describe_configs.rs"]
    pub(crate) mod describe_configs;
    #[path = "15_describe_groups.rs"]
    pub(crate) mod describe_groups;
    #[path = "35_describe_log_dirs.rs"]
    pub(crate) mod describe_log_dirs;
    #[path = "61_describe_producers.rs"]
    pub(crate) mod describe_producers;
    #[path = "90_describe_share_group_offsets.rs"]
    pub(crate) mod describe_share_group_offsets;
    #[path = "75_describe_topic_partitions.rs"]
    pub(crate) mod describe_topic_partitions;
    #[path = "65_describe_transactions.rs"]
    pub(crate) mod describe_transactions;
    #[path = "43_elect_leaders.rs"]
    pub(crate) mod elect_leaders;
    #[path = "26_end_txn.rs"]
    pub(crate) mod end_txn;
    #[path = "01_fetch.rs"]
    pub(crate) mod fetch;
    #[path = "10_find_coordinator.rs"]
    pub(crate) mod find_coordinator;
    #[path = "12_heartbeat.rs"]
    pub(crate) mod heartbeat;
    #[path = "44_incremental_alter_configs.rs"]
    pub(crate) mod incremental_alter_configs;
    #[path = "22_init_producer_id.rs"]
    pub(crate) mod init_producer_id;
    #[path = "11_join_group.rs"]
    pub(crate) mod join_group;
    #[path = "13_leave_group.rs"]
    pub(crate) mod leave_group;
    #[path = "74_list_config_resources.rs"]
    pub(crate) mod list_config_resources;
    #[path = "16_list_groups.rs"]
    pub(crate) mod list_groups;
    #[path = "02_list_offsets.rs"]
    pub(crate) mod list_offsets;
    #[path = "46_list_partition_reassignments.rs"]
    pub(crate) mod list_partition_reassignments;
    #[path = "66_list_transactions.rs"]
    pub(crate) mod list_transactions;
    #[path = "03_metadata.rs"]
    pub(crate) mod metadata;
    #[path = "08_offset_commit.rs"]
    pub(crate) mod offset_commit;
    #[path = "47_offset_delete.rs"]
    pub(crate) mod offset_delete;
    #[path = "09_offset_fetch.rs"]
    pub(crate) mod offset_fetch;
    #[path = "23_offset_for_leader_epoch.rs"]
    pub(crate) mod offset_for_leader_epoch;
    #[path = "00_produce.rs"]
    pub(crate) mod produce;
    #[path = "79_share_acknowledge.rs"]
    pub(crate) mod share_acknowledge;
    #[path = "78_share_fetch.rs"]
    pub(crate) mod share_fetch;
    #[path = "77_share_group_describe.rs"]
    pub(crate) mod share_group_describe;
    #[path = "76_share_group_heartbeat.rs"]
    pub(crate) mod share_group_heartbeat;
    #[path = "89_streams_group_describe.rs"]
    pub(crate) mod streams_group_describe;
    #[path = "88_streams_group_heartbeat.rs"]
    pub(crate) mod streams_group_heartbeat;
    #[path = "14_sync_group.rs"]
    pub(crate) mod sync_group;
    #[path = "28_txn_offset_commit.rs"]
    pub(crate) mod txn_offset_commit;
    #[path = "27_write_txn_markers.rs"]
    pub(crate) mod write_txn_markers;
}

pub use broker::{Advertised, Broker, BrokerConfig, BrokerError};
pub use directories::{DirectoryError, topic_names};
pub use groups::{GroupsConfig, GroupsError};
pub use share::{SharesConfig, SharesError};
pub use storage::Storage;
pub use transactions::{TransactionsConfig, TransactionsError};
