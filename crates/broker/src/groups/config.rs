//! What a coordinator allows, with Kafka's names where Kafka has the setting.

use std::time::Duration;

/// Bounds and times of the group coordinator.
#[derive(Clone, Debug)]
pub struct GroupsConfig {
    /// Shortest session a member may ask for (`group.min.session.timeout.ms`).
    pub min_session_timeout: Duration,
    /// Longest session a member may ask for (`group.max.session.timeout.ms`).
    pub max_session_timeout: Duration,
    /// How long the first rebalance of an empty group waits for more members
    /// (`group.initial.rebalance.delay.ms`). Kafka waits 3 s to save rebalances when a fleet starts; one node
    /// is mostly used by one consumer, which should not wait, so this is zero: a fleet that starts at once
    /// rebalances once per arrival until it is complete.
    pub initial_rebalance_delay: Duration,
    /// How long the first join of a member may stay unanswered (Kafka's fixed five minutes).
    pub new_member_join_timeout: Duration,
    /// How long an empty group without offsets is kept (`offsets.retention.check.interval.ms`).
    pub empty_group_linger: Duration,
    /// How long a member of a consumer group may be silent (`group.consumer.session.timeout.ms`).
    pub consumer_session_timeout: Duration,
    /// How often members of consumer groups are to send heartbeats (`group.consumer.heartbeat.interval.ms`).
    pub consumer_heartbeat_interval: Duration,
    /// How long a member of a share group may be silent (`group.share.session.timeout.ms`).
    pub share_session_timeout: Duration,
    /// How often members of share groups are to send heartbeats (`group.share.heartbeat.interval.ms`).
    pub share_heartbeat_interval: Duration,
    /// How long a member of a Streams group may be silent (`group.streams.session.timeout.ms`).
    pub streams_session_timeout: Duration,
    /// How often members of Streams groups are to send heartbeats (`group.streams.heartbeat.interval.ms`).
    pub streams_heartbeat_interval: Duration,
    /// How long a Streams group that was empty waits for more members
    /// (`group.streams.initial.rebalance.delay.ms`). Zero, for the same reason as `initial_rebalance_delay`.
    pub streams_initial_rebalance_delay: Duration,
    /// Copies of the state of each task of a Streams group (`group.streams.num.standby.replicas`).
    pub streams_standby_replicas: usize,
    /// Most members of one group, those still asked to come back with their id included (`group.max.size`).
    pub max_group_size: usize,
    /// Most groups.
    pub max_groups: usize,
    /// Most protocols (assignors) one member may offer.
    pub max_protocols: usize,
    /// Most bytes of names and metadata of all protocols one member offers.
    pub max_member_metadata_bytes: usize,
    /// Most bytes of all assignments that a leader hands in.
    pub max_assignment_bytes: usize,
    /// Most bytes that the members of all groups together take with what they offer and are assigned.
    pub max_member_bytes: usize,
    /// Longest metadata string of one committed offset, in bytes (`offset.metadata.max.bytes`).
    pub max_offset_metadata_bytes: usize,
    /// How long offsets are kept that nobody needs (`offsets.retention.minutes`).
    pub offsets_retention: Duration,
    /// Most partitions of which one group keeps an offset.
    pub max_offsets_per_group: usize,
    /// Most bytes that the offsets of all groups together may take in memory, by estimate.
    pub max_offsets_bytes: usize,
    /// The offsets' journal is written anew when it is larger than this and mostly outdated.
    pub compact_above_bytes: u64,
}

impl GroupsConfig {
    /// Kafka's own default of `offsets.retention.minutes`: a week.
    pub const DEFAULT_OFFSETS_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
}

impl Default for GroupsConfig {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(30 * 60),
            initial_rebalance_delay: Duration::ZERO,
            new_member_join_timeout: Duration::from_secs(5 * 60),
            empty_group_linger: Duration::from_secs(10 * 60),
            consumer_session_timeout: Duration::from_secs(45),
            consumer_heartbeat_interval: Duration::from_secs(5),
            share_session_timeout: Duration::from_secs(45),
            share_heartbeat_interval: Duration::from_secs(5),
            streams_session_timeout: Duration::from_secs(45),
            streams_heartbeat_interval: Duration::from_secs(5),
            streams_initial_rebalance_delay: Duration::ZERO,
            streams_standby_replicas: 0,
            max_group_size: 1_000,
            max_groups: 10_000,
            max_protocols: 32,
            max_member_metadata_bytes: MIB,
            max_assignment_bytes: 64 * MIB,
            max_member_bytes: 256 * MIB,
            max_offset_metadata_bytes: 4096,
            offsets_retention: Self::DEFAULT_OFFSETS_RETENTION,
            max_offsets_per_group: 50_000,
            max_offsets_bytes: 256 * MIB,
            compact_above_bytes: 16 * 1024 * 1024,
        }
    }
}
