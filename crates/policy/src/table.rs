//! What every API needs, as data: the operation, the resource, the error on denial, and how far it reaches.
//!
//! The source is `docs/kafka-authorization-table.md`; a test compares the two. Guards take operations and
//! errors from here and name none themselves.

use schloss_wire::{Api, ErrorCode};

use crate::judge::Judge;
use crate::kind::{CLUSTER_NAME, Operation, ResourceType};

/// How far one need reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// It is decided once, for the request as a whole.
    Whole,
    /// It is decided for every entry; denied ones are answered with the error, the others are served.
    Each,
    /// It is enough to be allowed it on any resource of the type.
    Any,
    /// It arises only from what the request asks for, such as a transactional batch.
    Conditional,
}

/// One thing that the sender of a request must be allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Need {
    /// The operation.
    pub operation: Operation,
    /// On which type of resource.
    pub resource_type: ResourceType,
    /// How far it reaches.
    pub scope: Scope,
    /// The error on denial; [`ErrorCode::None`] when a denial is none, because another need is tried next or
    /// something is left out of the answer.
    pub error: ErrorCode,
}

/// The needs of one API.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The API's key.
    pub api_key: i16,
    /// Kafka's name of the API.
    pub name: &'static str,
    /// What its sender must be allowed; nothing, for an API that everybody may call.
    pub needs: &'static [Need],
    /// For APIs that are served before there is a policy: the error they get once there is one.
    pub after_authentication: Option<ErrorCode>,
}

use ErrorCode as E;
use Operation as O;
use ResourceType as R;

const fn need(operation: Operation, resource_type: ResourceType, scope: Scope, error: ErrorCode) -> Need {
    Need { operation, resource_type, scope, error }
}

const fn topic(operation: Operation) -> Need {
    need(operation, R::Topic, Scope::Each, E::TopicAuthorizationFailed)
}

const fn group(operation: Operation) -> Need {
    need(operation, R::Group, Scope::Whole, E::GroupAuthorizationFailed)
}

const fn each_group(operation: Operation) -> Need {
    need(operation, R::Group, Scope::Each, E::GroupAuthorizationFailed)
}

const fn cluster(operation: Operation) -> Need {
    need(operation, R::Cluster, Scope::Whole, E::ClusterAuthorizationFailed)
}

const fn conditional(need: Need) -> Need {
    Need { scope: Scope::Conditional, ..need }
}

const fn or_else(need: Need) -> Need {
    Need { error: E::None, ..need }
}

const fn transactional_id(operation: Operation) -> Need {
    need(operation, R::TransactionalId, Scope::Whole, E::TransactionalIdAuthorizationFailed)
}

const fn each_transactional_id(operation: Operation) -> Need {
    need(operation, R::TransactionalId, Scope::Each, E::TransactionalIdAuthorizationFailed)
}

/// Nobody meets it on a reserved topic: the refusal of one where an API needs nothing but the cluster.
pub(crate) const RESERVED: Need = topic(O::Describe);

pub(crate) const PRODUCE: [Need; 2] = [conditional(transactional_id(O::Write)), topic(O::Write)];
/// The second is that of followers. Kafka answers them with the topic's error.
pub(crate) const FETCH: [Need; 2] =
    [topic(O::Read), need(O::ClusterAction, R::Cluster, Scope::Conditional, E::TopicAuthorizationFailed)];
pub(crate) const LIST_OFFSETS: [Need; 1] = [topic(O::Describe)];
/// Describe a topic; create it by asking, on the cluster or by name; see what may be done to the cluster.
pub(crate) const METADATA: [Need; 4] = [
    topic(O::Describe),
    or_else(conditional(cluster(O::Create))),
    conditional(topic(O::Create)),
    or_else(conditional(cluster(O::Describe))),
];
pub(crate) const OFFSET_COMMIT: [Need; 2] = [group(O::Read), topic(O::Read)];
pub(crate) const OFFSET_FETCH: [Need; 2] = [each_group(O::Describe), topic(O::Describe)];
/// By the type of the key: group, transaction, share group.
pub(crate) const FIND_COORDINATOR: [Need; 3] = [
    conditional(each_group(O::Describe)),
    conditional(transactional_id(O::Describe)),
    conditional(cluster(O::ClusterAction)),
];
pub(crate) const JOIN_GROUP: [Need; 1] = [group(O::Read)];
pub(crate) const HEARTBEAT: [Need; 1] = [group(O::Read)];
pub(crate) const LEAVE_GROUP: [Need; 1] = [group(O::Read)];
pub(crate) const SYNC_GROUP: [Need; 1] = [group(O::Read)];
pub(crate) const DESCRIBE_GROUPS: [Need; 1] = [each_group(O::Describe)];
pub(crate) const LIST_GROUPS: [Need; 2] = [or_else(cluster(O::Describe)), or_else(each_group(O::Describe))];
/// Create anything, create one topic, see its settings in the answer.
pub(crate) const CREATE_TOPICS: [Need; 3] =
    [or_else(cluster(O::Create)), topic(O::Create), conditional(topic(O::DescribeConfigs))];
/// Delete anything, delete one topic, know of it.
pub(crate) const DELETE_TOPICS: [Need; 3] =
    [or_else(cluster(O::Delete)), topic(O::Delete), topic(O::Describe)];
/// Transactional, with two-phase commit, or else idempotent: on the cluster or through any topic.
pub(crate) const INIT_PRODUCER_ID: [Need; 4] = [
    conditional(transactional_id(O::Write)),
    conditional(transactional_id(O::TwoPhaseCommit)),
    or_else(conditional(cluster(O::IdempotentWrite))),
    need(O::Write, R::Topic, Scope::Any, E::ClusterAuthorizationFailed),
];
pub(crate) const DESCRIBE_ACLS: [Need; 1] = [cluster(O::Describe)];
pub(crate) const CREATE_ACLS: [Need; 1] = [cluster(O::Alter)];
pub(crate) const DELETE_ACLS: [Need; 1] = [cluster(O::Alter)];
/// By the type of the resource: what belongs to the cluster, topics, groups.
pub(crate) const DESCRIBE_CONFIGS: [Need; 3] =
    [conditional(cluster(O::DescribeConfigs)), topic(O::DescribeConfigs), each_group(O::DescribeConfigs)];
pub(crate) const CREATE_PARTITIONS: [Need; 1] = [topic(O::Alter)];
/// Make a token for somebody else.
pub(crate) const CREATE_DELEGATION_TOKEN: [Need; 1] =
    [need(O::CreateTokens, R::User, Scope::Conditional, E::DelegationTokenAuthorizationFailed)];
/// Those of owners and renewers, which are no needs; as the next one.
pub(crate) const RENEW_DELEGATION_TOKEN: [Need; 0] = [];
pub(crate) const EXPIRE_DELEGATION_TOKEN: [Need; 0] = [];
/// See a token of others: this one, or all of its owner.
pub(crate) const DESCRIBE_DELEGATION_TOKEN: [Need; 2] = [
    need(O::Describe, R::DelegationToken, Scope::Each, E::None),
    need(O::DescribeTokens, R::User, Scope::Each, E::None),
];
pub(crate) const DELETE_GROUPS: [Need; 1] = [each_group(O::Delete)];
/// As [`DESCRIBE_CONFIGS`].
pub(crate) const INCREMENTAL_ALTER_CONFIGS: [Need; 3] =
    [conditional(cluster(O::AlterConfigs)), topic(O::AlterConfigs), each_group(O::AlterConfigs)];
pub(crate) const DESCRIBE_CLIENT_QUOTAS: [Need; 1] = [cluster(O::DescribeConfigs)];
pub(crate) const DESCRIBE_USER_SCRAM_CREDENTIALS: [Need; 1] = [cluster(O::Describe)];
pub(crate) const ALTER_USER_SCRAM_CREDENTIALS: [Need; 1] = [cluster(O::Alter)];
pub(crate) const DESCRIBE_CLUSTER: [Need; 1] = [or_else(conditional(cluster(O::Describe)))];
pub(crate) const DELETE_RECORDS: [Need; 1] = [topic(O::Delete)];
/// Of followers any topic; of consumers those that they may describe.
pub(crate) const OFFSET_FOR_LEADER_EPOCH: [Need; 2] =
    [or_else(cluster(O::ClusterAction)), topic(O::Describe)];
/// The first two are those of clients, the last that of brokers.
pub(crate) const ADD_PARTITIONS_TO_TXN: [Need; 3] =
    [transactional_id(O::Write), topic(O::Write), conditional(cluster(O::ClusterAction))];
pub(crate) const ADD_OFFSETS_TO_TXN: [Need; 2] = [transactional_id(O::Write), group(O::Read)];
pub(crate) const END_TXN: [Need; 1] = [transactional_id(O::Write)];
/// An administrator's that ends a hanging transaction, or else a broker's.
pub(crate) const WRITE_TXN_MARKERS: [Need; 2] = [or_else(cluster(O::Alter)), cluster(O::ClusterAction)];
pub(crate) const TXN_OFFSET_COMMIT: [Need; 3] = [transactional_id(O::Write), group(O::Read), topic(O::Read)];
/// As [`DESCRIBE_CONFIGS`].
pub(crate) const ALTER_CONFIGS: [Need; 3] =
    [conditional(cluster(O::AlterConfigs)), topic(O::AlterConfigs), each_group(O::AlterConfigs)];
pub(crate) const ALTER_REPLICA_LOG_DIRS: [Need; 1] = [cluster(O::Alter)];
pub(crate) const DESCRIBE_LOG_DIRS: [Need; 1] = [cluster(O::Describe)];
pub(crate) const ELECT_LEADERS: [Need; 1] = [cluster(O::Alter)];
pub(crate) const ALTER_PARTITION_REASSIGNMENTS: [Need; 1] = [cluster(O::Alter)];
pub(crate) const LIST_PARTITION_REASSIGNMENTS: [Need; 1] = [cluster(O::Describe)];
pub(crate) const OFFSET_DELETE: [Need; 2] = [group(O::Delete), topic(O::Read)];
pub(crate) const ALTER_CLIENT_QUOTAS: [Need; 1] = [cluster(O::AlterConfigs)];
pub(crate) const DESCRIBE_QUORUM: [Need; 1] = [cluster(O::Describe)];
pub(crate) const UPDATE_FEATURES: [Need; 1] = [cluster(O::Alter)];
pub(crate) const DESCRIBE_PRODUCERS: [Need; 1] = [topic(O::Read)];
pub(crate) const UNREGISTER_BROKER: [Need; 1] = [cluster(O::Alter)];
/// Describe a transaction; see a topic that takes part in it.
pub(crate) const DESCRIBE_TRANSACTIONS: [Need; 2] =
    [each_transactional_id(O::Describe), or_else(conditional(topic(O::Describe)))];
pub(crate) const LIST_TRANSACTIONS: [Need; 1] = [or_else(each_transactional_id(O::Describe))];
/// The second is that on every topic subscribed to by name: all of them, or nothing is done.
pub(crate) const CONSUMER_GROUP_HEARTBEAT: [Need; 2] = [group(O::Read), topic(O::Describe)];
/// Describe the group; describe every topic that is assigned in it.
pub(crate) const CONSUMER_GROUP_DESCRIBE: [Need; 2] = [each_group(O::Describe), topic(O::Describe)];
/// Open to everybody who is authenticated, as the next one.
pub(crate) const GET_TELEMETRY_SUBSCRIPTIONS: [Need; 0] = [];
pub(crate) const PUSH_TELEMETRY: [Need; 0] = [];
pub(crate) const LIST_CONFIG_RESOURCES: [Need; 1] = [cluster(O::DescribeConfigs)];
pub(crate) const DESCRIBE_TOPIC_PARTITIONS: [Need; 1] = [topic(O::Describe)];
/// As [`CONSUMER_GROUP_HEARTBEAT`].
pub(crate) const SHARE_GROUP_HEARTBEAT: [Need; 2] = [group(O::Read), topic(O::Describe)];
/// As [`CONSUMER_GROUP_DESCRIBE`].
pub(crate) const SHARE_GROUP_DESCRIBE: [Need; 2] = [each_group(O::Describe), topic(O::Describe)];
pub(crate) const SHARE_FETCH: [Need; 2] = [group(O::Read), topic(O::Read)];
pub(crate) const SHARE_ACKNOWLEDGE: [Need; 2] = [group(O::Read), topic(O::Read)];
pub(crate) const ADD_RAFT_VOTER: [Need; 1] = [cluster(O::Alter)];
pub(crate) const REMOVE_RAFT_VOTER: [Need; 1] = [cluster(O::Alter)];
/// Take part in the group; describe every topic of the topology; create its internal topics, on the cluster or
/// by name. Kafka answers a denial of the last with a status in place of the error.
pub(crate) const STREAMS_GROUP_HEARTBEAT: [Need; 4] = [
    group(O::Read),
    topic(O::Describe),
    or_else(conditional(cluster(O::Create))),
    conditional(topic(O::Create)),
];
/// Describe the group; describe every topic of its topology.
pub(crate) const STREAMS_GROUP_DESCRIBE: [Need; 2] = [each_group(O::Describe), topic(O::Describe)];
pub(crate) const DESCRIBE_SHARE_GROUP_OFFSETS: [Need; 2] = [each_group(O::Describe), topic(O::Describe)];
pub(crate) const ALTER_SHARE_GROUP_OFFSETS: [Need; 2] = [group(O::Read), topic(O::Read)];
pub(crate) const DELETE_SHARE_GROUP_OFFSETS: [Need; 2] = [group(O::Delete), topic(O::Read)];
/// Our own: groups, roles and policies are guarded as ACLs are.
pub(crate) const DESCRIBE_SECURITY: [Need; 1] = [cluster(O::Describe)];
pub(crate) const ALTER_SECURITY: [Need; 1] = [cluster(O::Alter)];

const fn serves(api: Api, needs: &'static [Need]) -> Row {
    Row { api_key: api.key(), name: api.name(), needs, after_authentication: None }
}

const fn before_policy(api: Api, error: ErrorCode) -> Row {
    Row { api_key: api.key(), name: api.name(), needs: &[], after_authentication: Some(error) }
}

/// Every API that may be admitted, or is served before the policy, in the order of its key.
pub const TABLE: &[Row] = &[
    serves(Api::Produce, &PRODUCE),
    serves(Api::Fetch, &FETCH),
    serves(Api::ListOffsets, &LIST_OFFSETS),
    serves(Api::Metadata, &METADATA),
    serves(Api::OffsetCommit, &OFFSET_COMMIT),
    serves(Api::OffsetFetch, &OFFSET_FETCH),
    serves(Api::FindCoordinator, &FIND_COORDINATOR),
    serves(Api::JoinGroup, &JOIN_GROUP),
    serves(Api::Heartbeat, &HEARTBEAT),
    serves(Api::LeaveGroup, &LEAVE_GROUP),
    serves(Api::SyncGroup, &SYNC_GROUP),
    serves(Api::DescribeGroups, &DESCRIBE_GROUPS),
    serves(Api::ListGroups, &LIST_GROUPS),
    before_policy(Api::SaslHandshake, E::IllegalSaslState),
    // The gate answers it at any time; here it has no business.
    before_policy(Api::ApiVersions, E::InvalidRequest),
    serves(Api::CreateTopics, &CREATE_TOPICS),
    serves(Api::DeleteTopics, &DELETE_TOPICS),
    serves(Api::DeleteRecords, &DELETE_RECORDS),
    serves(Api::InitProducerId, &INIT_PRODUCER_ID),
    serves(Api::OffsetForLeaderEpoch, &OFFSET_FOR_LEADER_EPOCH),
    serves(Api::AddPartitionsToTxn, &ADD_PARTITIONS_TO_TXN),
    serves(Api::AddOffsetsToTxn, &ADD_OFFSETS_TO_TXN),
    serves(Api::EndTxn, &END_TXN),
    serves(Api::WriteTxnMarkers, &WRITE_TXN_MARKERS),
    serves(Api::TxnOffsetCommit, &TXN_OFFSET_COMMIT),
    serves(Api::DescribeAcls, &DESCRIBE_ACLS),
    serves(Api::CreateAcls, &CREATE_ACLS),
    serves(Api::DeleteAcls, &DELETE_ACLS),
    serves(Api::DescribeConfigs, &DESCRIBE_CONFIGS),
    serves(Api::AlterConfigs, &ALTER_CONFIGS),
    serves(Api::AlterReplicaLogDirs, &ALTER_REPLICA_LOG_DIRS),
    serves(Api::DescribeLogDirs, &DESCRIBE_LOG_DIRS),
    before_policy(Api::SaslAuthenticate, E::IllegalSaslState),
    serves(Api::CreatePartitions, &CREATE_PARTITIONS),
    serves(Api::CreateDelegationToken, &CREATE_DELEGATION_TOKEN),
    serves(Api::RenewDelegationToken, &RENEW_DELEGATION_TOKEN),
    serves(Api::ExpireDelegationToken, &EXPIRE_DELEGATION_TOKEN),
    serves(Api::DescribeDelegationToken, &DESCRIBE_DELEGATION_TOKEN),
    serves(Api::DeleteGroups, &DELETE_GROUPS),
    serves(Api::ElectLeaders, &ELECT_LEADERS),
    serves(Api::IncrementalAlterConfigs, &INCREMENTAL_ALTER_CONFIGS),
    serves(Api::AlterPartitionReassignments, &ALTER_PARTITION_REASSIGNMENTS),
    serves(Api::ListPartitionReassignments, &LIST_PARTITION_REASSIGNMENTS),
    serves(Api::OffsetDelete, &OFFSET_DELETE),
    serves(Api::DescribeClientQuotas, &DESCRIBE_CLIENT_QUOTAS),
    serves(Api::AlterClientQuotas, &ALTER_CLIENT_QUOTAS),
    serves(Api::DescribeUserScramCredentials, &DESCRIBE_USER_SCRAM_CREDENTIALS),
    serves(Api::AlterUserScramCredentials, &ALTER_USER_SCRAM_CREDENTIALS),
    serves(Api::DescribeQuorum, &DESCRIBE_QUORUM),
    serves(Api::UpdateFeatures, &UPDATE_FEATURES),
    serves(Api::DescribeCluster, &DESCRIBE_CLUSTER),
    serves(Api::DescribeProducers, &DESCRIBE_PRODUCERS),
    serves(Api::UnregisterBroker, &UNREGISTER_BROKER),
    serves(Api::DescribeTransactions, &DESCRIBE_TRANSACTIONS),
    serves(Api::ListTransactions, &LIST_TRANSACTIONS),
    serves(Api::ConsumerGroupHeartbeat, &CONSUMER_GROUP_HEARTBEAT),
    serves(Api::ConsumerGroupDescribe, &CONSUMER_GROUP_DESCRIBE),
    serves(Api::GetTelemetrySubscriptions, &GET_TELEMETRY_SUBSCRIPTIONS),
    serves(Api::PushTelemetry, &PUSH_TELEMETRY),
    serves(Api::ListConfigResources, &LIST_CONFIG_RESOURCES),
    serves(Api::DescribeTopicPartitions, &DESCRIBE_TOPIC_PARTITIONS),
    serves(Api::ShareGroupHeartbeat, &SHARE_GROUP_HEARTBEAT),
    serves(Api::ShareGroupDescribe, &SHARE_GROUP_DESCRIBE),
    serves(Api::ShareFetch, &SHARE_FETCH),
    serves(Api::ShareAcknowledge, &SHARE_ACKNOWLEDGE),
    serves(Api::AddRaftVoter, &ADD_RAFT_VOTER),
    serves(Api::RemoveRaftVoter, &REMOVE_RAFT_VOTER),
    serves(Api::StreamsGroupHeartbeat, &STREAMS_GROUP_HEARTBEAT),
    serves(Api::StreamsGroupDescribe, &STREAMS_GROUP_DESCRIBE),
    serves(Api::DescribeShareGroupOffsets, &DESCRIBE_SHARE_GROUP_OFFSETS),
    serves(Api::AlterShareGroupOffsets, &ALTER_SHARE_GROUP_OFFSETS),
    serves(Api::DeleteShareGroupOffsets, &DELETE_SHARE_GROUP_OFFSETS),
    serves(Api::DescribeSecurity, &DESCRIBE_SECURITY),
    serves(Api::AlterSecurity, &ALTER_SECURITY),
];

/// The row of an API, if it has one.
#[must_use]
pub fn row(api_key: i16) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.api_key == api_key)
}

impl Need {
    /// The error if it is not met on `name`. The decision is recorded.
    pub(crate) fn refusal(&self, judge: &mut Judge<'_>, name: &str) -> Option<ErrorCode> {
        debug_assert!(self.error != ErrorCode::None, "a denial without an error refuses nothing");
        (!judge.check(self.operation, self.resource_type, name)).then_some(self.error)
    }

    /// The error if it is not met on the cluster. The decision is recorded.
    pub(crate) fn refusal_on_cluster(&self, judge: &mut Judge<'_>) -> Option<ErrorCode> {
        self.refusal(judge, CLUSTER_NAME)
    }

    /// The error if no resource is left on which it is met. The decision is recorded.
    pub(crate) fn refusal_on_any(&self, judge: &mut Judge<'_>) -> Option<ErrorCode> {
        (!judge.check_any(self.operation, self.resource_type)).then_some(self.error)
    }

    /// Whether it is met on the cluster; recorded only if so, because otherwise another need is tried next.
    pub(crate) fn suffices_on_cluster(&self, judge: &mut Judge<'_>) -> bool {
        judge.holds(self.operation, self.resource_type, CLUSTER_NAME)
            && judge.check(self.operation, self.resource_type, CLUSTER_NAME)
    }

    /// Whether it is met on `name`; not recorded, because it only decides what is shown.
    pub(crate) fn shows(&self, judge: &mut Judge<'_>, name: &str) -> bool {
        judge.peek(self.operation, self.resource_type, name)
    }
}
