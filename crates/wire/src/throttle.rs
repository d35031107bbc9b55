//! How an answer tells its client that it has to wait (KIP-13, KIP-219).

use crate::Response;

macro_rules! throttled {
    (told by: $($name:ident),+; never told by: $($silent:ident),+ $(;)?) => {
        impl Response {
            /// How long the client is told to wait, in milliseconds. The oldest versions of most APIs don't carry
            /// it, and a few APIs never do: nothing is told then.
            #[must_use]
            pub const fn throttle_time_ms(&self) -> i32 {
                match self {
                    $(Self::$name(body) => body.throttle_time_ms,)+
                    $(Self::$silent(_) => 0,)+
                }
            }

            /// Tells the client to wait for so many milliseconds, where its API has room for that.
            pub const fn set_throttle_time_ms(&mut self, milliseconds: i32) {
                match self {
                    $(Self::$name(body) => body.throttle_time_ms = milliseconds,)+
                    $(Self::$silent(_) => {})+
                }
            }
        }
    };
}

throttled! {
    told by:
        Produce, Fetch, ListOffsets, Metadata, OffsetCommit, OffsetFetch, FindCoordinator, JoinGroup, Heartbeat,
        LeaveGroup, SyncGroup, DescribeGroups, ListGroups, ApiVersions, CreateTopics, DeleteTopics, DeleteRecords,
        InitProducerId, OffsetForLeaderEpoch, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit,
        DescribeAcls, CreateAcls, DeleteAcls, DescribeConfigs, AlterConfigs, AlterReplicaLogDirs, DescribeLogDirs,
        CreatePartitions, CreateDelegationToken, RenewDelegationToken, ExpireDelegationToken,
        DescribeDelegationToken, DeleteGroups, ElectLeaders, IncrementalAlterConfigs, AlterPartitionReassignments,
        ListPartitionReassignments, OffsetDelete, DescribeClientQuotas, AlterClientQuotas,
        DescribeUserScramCredentials, AlterUserScramCredentials, UpdateFeatures, DescribeCluster,
        DescribeProducers, UnregisterBroker, DescribeTransactions, ListTransactions, ConsumerGroupHeartbeat,
        ConsumerGroupDescribe, GetTelemetrySubscriptions, PushTelemetry, ListConfigResources,
        DescribeTopicPartitions, ShareGroupHeartbeat, ShareGroupDescribe, ShareFetch, ShareAcknowledge,
        AddRaftVoter, RemoveRaftVoter, StreamsGroupHeartbeat, StreamsGroupDescribe, DescribeShareGroupOffsets,
        AlterShareGroupOffsets, DeleteShareGroupOffsets;
    never told by: SaslHandshake, SaslAuthenticate, WriteTxnMarkers, DescribeQuorum, DescribeSecurity, AlterSecurity;
}
