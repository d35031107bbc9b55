//! Settings of topics and groups: which there are, what they may hold, what they come to.
//!
//! Every topic setting of Kafka 4 is in the [`table`]. One that Schloss does not act upon takes only the
//! value that describes what Schloss does anyway; any other value is refused, never silently ignored.

mod describe;
mod group;
mod offset_reset;
mod rule;
mod table;
mod topic;

pub(crate) use describe::{Described, describe_broker, describe_group, describe_topic};
pub(crate) use group::{
    GROUP_SETTINGS, ShareSettings, consumer_times, known_group_setting, share_settings, share_times,
    streams_times,
};
pub(crate) use offset_reset::OffsetReset;
pub(crate) use rule::{Kind, split};
pub(crate) use table::{Setting, TOPIC_SETTINGS, setting};
pub(crate) use topic::TopicSettings;

/// Resources that have settings, as requests name them (`ConfigResource.Type`).
pub(crate) const TOPIC_RESOURCE: i8 = 2;
pub(crate) const BROKER_RESOURCE: i8 = 4;
pub(crate) const GROUP_RESOURCE: i8 = 32;

/// Where a value comes from, as `DescribeConfigs` tells it (`DescribeConfigsResponse.ConfigSource`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i8)]
pub(crate) enum Source {
    /// Set on this topic.
    Topic = 1,
    /// From the configuration this node was started with.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
    /// Set on this group.
    Group = 8,
}

impl Source {
    pub(crate) const fn code(self) -> i8 {
        self as i8
    }
}
