//! The settings of one group (`GroupConfig` of Kafka), as far as there are groups they are for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::offset_reset::OffsetReset;
use super::rule::{Kind, Rule};
use super::table::{Default, Setting};
use super::topic::TopicSettings;
use crate::broker::BrokerConfig;
use crate::groups::{MemberTimes, StreamsTimes};

const HEARTBEAT_INTERVAL: &str = "consumer.heartbeat.interval.ms";
const SESSION_TIMEOUT: &str = "consumer.session.timeout.ms";
const SHARE_HEARTBEAT_INTERVAL: &str = "share.heartbeat.interval.ms";
const SHARE_SESSION_TIMEOUT: &str = "share.session.timeout.ms";
const OFFSET_RESET: &str = "share.auto.offset.reset";
const DELIVERY_LIMIT: &str = "share.delivery.count.limit";
const ISOLATION_LEVEL: &str = "share.isolation.level";
const MAX_UNDER_WAY: &str = "share.partition.max.record.locks";
const RECORD_LOCK: &str = "share.record.lock.duration.ms";
const READ_COMMITTED: &str = "read_committed";
const STREAMS_HEARTBEAT_INTERVAL: &str = "streams.heartbeat.interval.ms";
const STREAMS_INITIAL_DELAY: &str = "streams.initial.rebalance.delay.ms";
const STREAMS_STANDBYS: &str = "streams.num.standby.replicas";
const STREAMS_SESSION_TIMEOUT: &str = "streams.session.timeout.ms";

/// All of them, in the order of their names. The ranges are Kafka's defaults of `group.consumer.min.*`,
/// `group.share.min.*` and so on.
pub(crate) const GROUP_SETTINGS: &[Setting] = &[
    Setting {
        name: HEARTBEAT_INTERVAL,
        broker_name: "group.consumer.heartbeat.interval.ms",
        kind: Kind::Int,
        default: Default::Node(|config| config.groups.consumer_heartbeat_interval.as_millis().to_string()),
        rule: Rule::Whole { min: 5_000, max: 15_000 },
        documentation: "How often members of the consumer group send heartbeats, in milliseconds.",
    },
    Setting {
        name: SESSION_TIMEOUT,
        broker_name: "group.consumer.session.timeout.ms",
        kind: Kind::Int,
        default: Default::Node(|config| config.groups.consumer_session_timeout.as_millis().to_string()),
        rule: Rule::Whole { min: 45_000, max: 60_000 },
        documentation: "How long a member of the consumer group may be silent, in milliseconds.",
    },
    Setting {
        name: OFFSET_RESET,
        broker_name: OFFSET_RESET,
        kind: Kind::String,
        default: Default::Value("latest"),
        rule: Rule::OffsetReset,
        documentation: "Where the share group begins in a partition: earliest, latest, or by_duration: and how \
                        far back.",
    },
    Setting {
        name: DELIVERY_LIMIT,
        broker_name: "group.share.delivery.count.limit",
        kind: Kind::Int,
        default: Default::Node(|config| config.shares.max_deliveries.to_string()),
        rule: Rule::Whole { min: 2, max: 10 },
        documentation: "How often a record is delivered to the share group at most.",
    },
    Setting {
        name: SHARE_HEARTBEAT_INTERVAL,
        broker_name: "group.share.heartbeat.interval.ms",
        kind: Kind::Int,
        default: Default::Node(|config| config.groups.share_heartbeat_interval.as_millis().to_string()),
        rule: Rule::Whole { min: 5_000, max: 15_000 },
        documentation: "How often members of the share group send heartbeats, in milliseconds.",
    },
    Setting {
        name: ISOLATION_LEVEL,
        broker_name: ISOLATION_LEVEL,
        kind: Kind::String,
        default: Default::Value("read_uncommitted"),
        rule: Rule::OneOf(&[READ_COMMITTED, "read_uncommitted"]),
        documentation: "Whether the share group reads records of transactions before they are committed.",
    },
    Setting {
        name: MAX_UNDER_WAY,
        broker_name: "group.share.partition.max.record.locks",
        kind: Kind::Int,
        default: Default::Node(|config| config.shares.max_records_under_way.to_string()),
        rule: Rule::Whole { min: 100, max: 4_000 },
        documentation: "Most records of one partition that are under way in the share group.",
    },
    Setting {
        name: RECORD_LOCK,
        broker_name: "group.share.record.lock.duration.ms",
        kind: Kind::Int,
        default: Default::Node(|config| config.shares.record_lock.as_millis().to_string()),
        rule: Rule::Whole { min: 15_000, max: 60_000 },
        documentation: "How long a member of the share group may work on a record, in milliseconds.",
    },
    Setting {
        name: SHARE_SESSION_TIMEOUT,
        broker_name: "group.share.session.timeout.ms",
        kind: Kind::Int,
        default: Default::Node(|config| config.groups.share_session_timeout.as_millis().to_string()),
        rule: Rule::Whole { min: 45_000, max: 60_000 },
        documentation: "How long a member of the share group may be silent, in milliseconds.",
    },
    Setting {
        name: STREAMS_HEARTBEAT_INTERVAL,
        broker_name: "group.streams.heartbeat.interval.ms",
        kind: Kind::Int,
        default: Default::Node(|config| config.groups.streams_heartbeat_interval.as_millis().to_string()),
        rule: Rule::Whole { min: 5_000, max: 15_000 },
        documentation: "How often members of the Streams group send heartbeats, in milliseconds.",
    },
    Setting {
        name: STREAMS_INITIAL_DELAY,
        broker_name: "group.streams.initial.rebalance.delay.ms",
        kind: Kind::Int,
        default: Default::Node(|config| {
            config.groups.streams_initial_rebalance_delay.as_millis().to_string()
        }),
        rule: Rule::Whole { min: 0, max: i32::MAX as i64 },
        documentation: "How long a Streams group that was empty waits for more members before it shares out \
                        tasks, in milliseconds.",
    },
    Setting {
        name: STREAMS_STANDBYS,
        broker_name: "group.streams.num.standby.replicas",
        kind: Kind::Int,
        default: Default::Node(|config| config.groups.streams_standby_replicas.to_string()),
        rule: Rule::Whole { min: 0, max: 2 },
        documentation: "How many copies of the state of each task other processes of the Streams group keep.",
    },
    Setting {
        name: STREAMS_SESSION_TIMEOUT,
        broker_name: "group.streams.session.timeout.ms",
        kind: Kind::Int,
        default: Default::Node(|config| config.groups.streams_session_timeout.as_millis().to_string()),
        rule: Rule::Whole { min: 45_000, max: 60_000 },
        documentation: "How long a member of the Streams group may be silent, in milliseconds.",
    },
];

/// The times that a group's own settings come to.
pub(crate) fn consumer_times(own: Option<&BTreeMap<String, String>>, node: &BrokerConfig) -> MemberTimes {
    MemberTimes {
        session_timeout: time(own, SESSION_TIMEOUT).unwrap_or(node.groups.consumer_session_timeout),
        heartbeat_interval: time(own, HEARTBEAT_INTERVAL).unwrap_or(node.groups.consumer_heartbeat_interval),
    }
}

/// What the settings of a Streams group come to.
pub(crate) fn streams_times(own: Option<&BTreeMap<String, String>>, node: &BrokerConfig) -> StreamsTimes {
    let node = &node.groups;
    let standbys = own.and_then(|own| own.get(STREAMS_STANDBYS)?.parse().ok());
    StreamsTimes {
        session_timeout: time(own, STREAMS_SESSION_TIMEOUT).unwrap_or(node.streams_session_timeout),
        heartbeat_interval: time(own, STREAMS_HEARTBEAT_INTERVAL).unwrap_or(node.streams_heartbeat_interval),
        initial_delay: time(own, STREAMS_INITIAL_DELAY).unwrap_or(node.streams_initial_rebalance_delay),
        standbys: standbys.unwrap_or(node.streams_standby_replicas),
    }
}

fn time(own: Option<&BTreeMap<String, String>>, name: &str) -> Option<Duration> {
    own?.get(name)?.parse().ok().map(Duration::from_millis)
}

/// The times that a share group's own settings come to.
pub(crate) fn share_times(own: Option<&BTreeMap<String, String>>, node: &BrokerConfig) -> MemberTimes {
    MemberTimes {
        session_timeout: time(own, SHARE_SESSION_TIMEOUT).unwrap_or(node.groups.share_session_timeout),
        heartbeat_interval: time(own, SHARE_HEARTBEAT_INTERVAL)
            .unwrap_or(node.groups.share_heartbeat_interval),
    }
}

/// How records are shared out in a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ShareSettings {
    pub(crate) reset: OffsetReset,
    /// Whether records of transactions come when these are committed, and never if they are not.
    pub(crate) committed_only: bool,
    /// How long a member may work on a record.
    pub(crate) record_lock: Duration,
    /// How often a record is delivered at most.
    pub(crate) max_deliveries: i16,
    /// Most records of a partition that are under way.
    pub(crate) max_under_way: i64,
}

/// What a share group's own settings come to.
pub(crate) fn share_settings(own: Option<&BTreeMap<String, String>>, node: &BrokerConfig) -> ShareSettings {
    let set = |name: &str| own?.get(name).map(String::as_str);
    let deliveries = set(DELIVERY_LIMIT).and_then(|text| text.parse().ok());
    let under_way = set(MAX_UNDER_WAY).and_then(|text| text.parse().ok());
    ShareSettings {
        reset: set(OFFSET_RESET).and_then(OffsetReset::parse).unwrap_or(OffsetReset::Latest),
        committed_only: set(ISOLATION_LEVEL) == Some(READ_COMMITTED),
        record_lock: time(own, RECORD_LOCK).unwrap_or(node.shares.record_lock),
        max_deliveries: deliveries.unwrap_or(node.shares.max_deliveries),
        max_under_way: under_way.unwrap_or(node.shares.max_records_under_way),
    }
}

/// The setting of a group that the user calls `name`.
///
/// # Errors
/// Words for the user.
pub(crate) fn known_group_setting(name: &str) -> Result<&'static Setting, String> {
    TopicSettings::known_in(GROUP_SETTINGS, "group", name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    #[test]
    fn what_the_group_says_goes_before_what_the_node_says() {
        let node = config();
        let default = consumer_times(None, &node);
        assert_eq!(default.session_timeout, node.groups.consumer_session_timeout);
        let own = BTreeMap::from([(SESSION_TIMEOUT.to_owned(), "50000".to_owned())]);
        let times = consumer_times(Some(&own), &node);
        assert_eq!(times.session_timeout, Duration::from_secs(50));
        assert_eq!(times.heartbeat_interval, default.heartbeat_interval);
    }

    #[test]
    fn defaults_pass_their_own_rules_and_a_session_outlasts_a_heartbeat() {
        let node = config();
        for setting in GROUP_SETTINGS {
            assert_eq!(setting.rule.check(setting.name, &setting.default_value(&node)), Ok(()));
        }
        for names in [
            [HEARTBEAT_INTERVAL, SESSION_TIMEOUT],
            [SHARE_HEARTBEAT_INTERVAL, SHARE_SESSION_TIMEOUT],
            [STREAMS_HEARTBEAT_INTERVAL, STREAMS_SESSION_TIMEOUT],
        ] {
            let rules = names.map(|name| known_group_setting(name).unwrap().rule);
            let [Rule::Whole { max, .. }, Rule::Whole { min, .. }] = rules else { panic!("numbers") };
            assert!(max < min, "whatever is set, a session is longer than the time between two heartbeats");
        }
        assert!(GROUP_SETTINGS.is_sorted_by_key(|setting| setting.name));
    }

    #[test]
    fn the_share_settings_shown_are_those_acted_upon() {
        let node = config();
        let shown: BTreeMap<String, String> =
            GROUP_SETTINGS.iter().map(|one| (one.name.to_owned(), one.default_value(&node))).collect();
        assert_eq!(share_settings(Some(&shown), &node), share_settings(None, &node));
        assert_eq!(share_times(Some(&shown), &node), share_times(None, &node));
        let own = [
            (OFFSET_RESET, "by_duration:PT2S"),
            (ISOLATION_LEVEL, "read_committed"),
            (RECORD_LOCK, "15000"),
            (DELIVERY_LIMIT, "2"),
            (MAX_UNDER_WAY, "100"),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let set = ShareSettings {
            reset: OffsetReset::Ago { milliseconds: 2_000 },
            committed_only: true,
            record_lock: Duration::from_secs(15),
            max_deliveries: 2,
            max_under_way: 100,
        };
        assert_eq!(share_settings(Some(&own), &node), set);
    }
}
