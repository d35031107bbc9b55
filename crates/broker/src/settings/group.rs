//! The settings of one group (`GroupConfig` of Kafka), as far as there are groups they are for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rule::{Kind, Rule};
use super::table::{Default, Setting};
use super::topic::TopicSettings;
use crate::broker::BrokerConfig;
use crate::groups::ConsumerTimes;

const HEARTBEAT_INTERVAL: &str = "consumer.heartbeat.interval.ms";
const SESSION_TIMEOUT: &str = "consumer.session.timeout.ms";

/// All of them, in the order of their names. The ranges are Kafka's defaults of `group.consumer.min.*` and `max.*`.
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
];

/// The times that a group's own settings come to.
pub(crate) fn consumer_times(own: Option<&BTreeMap<String, String>>, node: &BrokerConfig) -> ConsumerTimes {
    let set = |name: &str| own?.get(name)?.parse().ok().map(Duration::from_millis);
    ConsumerTimes {
        session_timeout: set(SESSION_TIMEOUT).unwrap_or(node.groups.consumer_session_timeout),
        heartbeat_interval: set(HEARTBEAT_INTERVAL).unwrap_or(node.groups.consumer_heartbeat_interval),
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
        let [Rule::Whole { max, .. }, Rule::Whole { min, .. }] =
            [0, 1].map(|index| GROUP_SETTINGS[index].rule)
        else {
            panic!("numbers");
        };
        assert!(max < min, "whatever is set, a session is longer than the time between two heartbeats");
    }
}
