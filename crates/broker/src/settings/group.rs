//! The settings of one group (`GroupConfig` of Kafka), as far as there are groups they are for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rule::{Kind, Rule};
use super::table::{Default, Setting};
use super::topic::TopicSettings;
use crate::broker::BrokerConfig;
use crate::groups::{ConsumerTimes, StreamsTimes};

const HEARTBEAT_INTERVAL: &str = "consumer.heartbeat.interval.ms";
const SESSION_TIMEOUT: &str = "consumer.session.timeout.ms";
const STREAMS_HEARTBEAT_INTERVAL: &str = "streams.heartbeat.interval.ms";
const STREAMS_INITIAL_DELAY: &str = "streams.initial.rebalance.delay.ms";
const STREAMS_STANDBYS: &str = "streams.num.standby.replicas";
const STREAMS_SESSION_TIMEOUT: &str = "streams.session.timeout.ms";

/// All of them, in the order of their names. The ranges are Kafka's defaults of `group.consumer.min.*`,
/// `group.streams.min.*` and so on.
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
        documentation: "How long a Streams group that was empty waits for more members before it shares out tasks, \
                        in milliseconds.",
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
pub(crate) fn consumer_times(own: Option<&BTreeMap<String, String>>, node: &BrokerConfig) -> ConsumerTimes {
    ConsumerTimes {
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
        let pairs =
            [(HEARTBEAT_INTERVAL, SESSION_TIMEOUT), (STREAMS_HEARTBEAT_INTERVAL, STREAMS_SESSION_TIMEOUT)];
        for (interval, session) in pairs {
            let rule = |name| known_group_setting(name).unwrap().rule;
            let (Rule::Whole { max, .. }, Rule::Whole { min, .. }) = (rule(interval), rule(session)) else {
                panic!("numbers");
            };
            assert!(max < min, "whatever is set, a session is longer than the time between two heartbeats");
        }
    }
}
