//! The settings of one topic, as the broker acts upon them.

use std::collections::BTreeMap;
use std::str::FromStr;

use schloss_log::{LogConfig, Retention, TimestampSource};
use schloss_wire::records::Compression;

use super::table::find;
use super::{Setting, Source, TOPIC_SETTINGS, setting, split};
use crate::broker::BrokerConfig;
use crate::cleaner::Policy;

/// The settings of one topic over those of the node.
///
/// Reading one is a look-up in a map that is empty for most topics, so nothing is cached that a change would
/// have to reach.
#[derive(Clone, Copy)]
pub(crate) struct TopicSettings<'a> {
    own: &'a BTreeMap<String, String>,
    node: &'a BrokerConfig,
}

impl<'a> TopicSettings<'a> {
    pub(crate) fn new(own: &'a BTreeMap<String, String>, node: &'a BrokerConfig) -> Self {
        Self { own, node }
    }

    /// Checks a whole set of settings, all of which the user gave.
    ///
    /// # Errors
    /// The first that is not acceptable, in words for the user.
    pub(crate) fn check(own: &BTreeMap<String, String>) -> Result<(), String> {
        own.iter().try_for_each(|(name, value)| Self::known(name)?.rule.check(name, value))?;
        let lag = |name: &str| own.get(name).and_then(|value| value.parse::<i64>().ok());
        match (lag("min.compaction.lag.ms"), lag("max.compaction.lag.ms")) {
            (Some(min), Some(max)) if min > max => Err(format!(
                "conflicting values: min.compaction.lag.ms ({min}) is more than max.compaction.lag.ms ({max})"
            )),
            _ => Ok(()),
        }
    }

    /// The setting that the user calls `name`.
    ///
    /// # Errors
    /// Words for the user.
    pub(crate) fn known(name: &str) -> Result<&'static Setting, String> {
        Self::known_in(TOPIC_SETTINGS, "topic", name)
    }

    /// The setting that the user calls `name`, of a kind of resources.
    ///
    /// # Errors
    /// Words for the user.
    pub(super) fn known_in(
        settings: &'static [Setting],
        kind: &str,
        name: &str,
    ) -> Result<&'static Setting, String> {
        find(settings, name).ok_or_else(|| format!("unknown {kind} config name: {}", shortened(name)))
    }

    /// Largest batch in bytes.
    pub(crate) fn max_message_bytes(&self) -> usize {
        let own = self.own.get("max.message.bytes").and_then(|value| value.parse().ok());
        own.unwrap_or_else(|| usize::try_from(self.node.max_message_bytes).unwrap_or(0))
    }

    /// How far a timestamp may be after this node's clock, in milliseconds.
    pub(crate) fn max_timestamp_lead_ms(&self) -> i64 {
        const KAFKAS_DEFAULT_MS: i64 = 3_600_000;
        let own = self.own.get("message.timestamp.after.max.ms").and_then(|value| value.parse().ok());
        own.unwrap_or(KAFKAS_DEFAULT_MS)
    }

    /// The oldest timestamp that a record may have at `now_ms`, if there is such a bound.
    pub(crate) fn oldest_timestamp_ms(&self, now_ms: i64) -> Option<i64> {
        let age: i64 = self.own.get("message.timestamp.before.max.ms")?.parse().ok()?;
        (age != i64::MAX && self.timestamps() == TimestampSource::CreateTime)
            .then(|| now_ms.saturating_sub(age))
    }

    /// Whether only the newest record of each key stays.
    pub(crate) fn is_compacted(&self) -> bool {
        self.has_policy("compact")
    }

    /// Whether who may delete records can delete those of the topic. Of a topic that is only compacted all records
    /// are as young as their keys.
    pub(crate) fn records_can_be_deleted(&self) -> bool {
        !self.is_compacted() || self.has_policy("delete")
    }

    fn has_policy(&self, policy: &str) -> bool {
        match self.own.get("cleanup.policy") {
            Some(policies) => split(policies).contains(&policy),
            None => policy == "delete",
        }
    }

    /// How the topic's logs are kept small.
    pub(crate) fn cleanup(&self) -> Policy {
        let limit = |name| Some(self.number(name)).filter(|limit: &i64| *limit >= 0);
        let retention = if self.has_policy("delete") {
            let bytes = limit("retention.bytes").and_then(|bytes| u64::try_from(bytes).ok());
            Retention { milliseconds: limit("retention.ms"), bytes }
        } else {
            Retention::default()
        };
        Policy {
            retention,
            compact: self.is_compacted(),
            segment_bytes: self.log_config().segment_bytes,
            segment_ms: self.number("segment.ms"),
            delete_retention_ms: self.number("delete.retention.ms"),
            min_compaction_lag_ms: self.number("min.compaction.lag.ms"),
            max_compaction_lag_ms: self.number("max.compaction.lag.ms"),
            min_dirty_ratio: self.number("min.cleanable.dirty.ratio"),
        }
    }

    /// The value of a setting that holds a number; all values were checked when they were set.
    fn number<N: FromStr + Default>(&self, name: &str) -> N {
        let value = setting(name).map(|setting| self.effective(setting).0);
        value.and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// The codec that batches are stored in; nothing to leave each as it came.
    pub(crate) fn compression(&self) -> Option<Compression> {
        match self.own.get("compression.type")?.as_str() {
            "uncompressed" => Some(Compression::None),
            "gzip" => Some(Compression::Gzip),
            "snappy" => Some(Compression::Snappy),
            "lz4" => Some(Compression::Lz4),
            "zstd" => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// Replicas that a write with `acks=all` asks for.
    pub(crate) fn min_in_sync_replicas(&self) -> i32 {
        self.own.get("min.insync.replicas").and_then(|value| value.parse().ok()).unwrap_or(1)
    }

    /// Whether records get the time of their append.
    pub(crate) fn timestamps(&self) -> TimestampSource {
        match self.own.get("message.timestamp.type").map(String::as_str) {
            Some("LogAppendTime") => TimestampSource::LogAppendTime,
            Some(_) => TimestampSource::CreateTime,
            None => self.node.log.timestamps,
        }
    }

    /// How the topic's logs are opened.
    pub(crate) fn log_config(&self) -> LogConfig {
        let number = |name: &str| self.own.get(name).and_then(|value| value.parse().ok());
        let interval = number("index.interval.bytes").and_then(|bytes| u32::try_from(bytes).ok());
        LogConfig {
            segment_bytes: number("segment.bytes").unwrap_or(self.node.log.segment_bytes),
            index_interval_bytes: interval.unwrap_or(self.node.log.index_interval_bytes),
            timestamps: self.timestamps(),
            ..self.node.log.clone()
        }
    }

    /// The value of `setting` that holds, and where it comes from.
    pub(crate) fn effective(&self, setting: &Setting) -> (String, Source) {
        match self.own.get(setting.name) {
            Some(value) => (value.clone(), Source::Topic),
            None => (self.default_of(setting), Source::Default),
        }
    }

    /// The value of `setting` where the topic doesn't say.
    pub(crate) fn default_of(&self, setting: &Setting) -> String {
        setting.default_value(self.node)
    }
}

/// A name from outside, short enough for a message.
fn shortened(name: &str) -> String {
    const MAX_CHARACTERS: usize = 100;
    name.chars().take(MAX_CHARACTERS).filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    #[test]
    fn what_the_topic_says_goes_before_what_the_node_says() {
        let node = config();
        let none = BTreeMap::new();
        let settings = TopicSettings::new(&none, &node);
        assert_eq!(settings.max_message_bytes(), 1_048_588);
        assert_eq!(settings.timestamps(), TimestampSource::CreateTime);
        let own = BTreeMap::from(
            [
                ("max.message.bytes", "100"),
                ("message.timestamp.type", "LogAppendTime"),
                ("segment.bytes", "2097152"),
                ("min.insync.replicas", "2"),
                ("message.timestamp.after.max.ms", "5"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert_eq!(TopicSettings::check(&own), Ok(()));
        let settings = TopicSettings::new(&own, &node);
        assert_eq!(settings.max_message_bytes(), 100);
        assert_eq!(settings.min_in_sync_replicas(), 2);
        assert_eq!(settings.max_timestamp_lead_ms(), 5);
        let log = settings.log_config();
        assert_eq!((log.segment_bytes, log.timestamps), (2_097_152, TimestampSource::LogAppendTime));
    }

    #[test]
    fn the_defaults_shown_are_the_defaults_acted_upon() {
        let node = config();
        let none = BTreeMap::new();
        let shown: BTreeMap<String, String> = TOPIC_SETTINGS
            .iter()
            .map(|setting| (setting.name.to_owned(), setting.default_value(&node)))
            .collect();
        assert_eq!(TopicSettings::check(&shown), Ok(()));
        let (shown, unset) = (TopicSettings::new(&shown, &node), TopicSettings::new(&none, &node));
        assert_eq!(shown.max_message_bytes(), unset.max_message_bytes());
        assert_eq!(shown.max_timestamp_lead_ms(), unset.max_timestamp_lead_ms());
        assert_eq!(shown.min_in_sync_replicas(), unset.min_in_sync_replicas());
        assert_eq!(shown.timestamps(), unset.timestamps());
        assert_eq!(shown.compression(), unset.compression());
        assert_eq!(shown.cleanup(), unset.cleanup());
        assert_eq!(shown.oldest_timestamp_ms(0), unset.oldest_timestamp_ms(0));
        assert_eq!(shown.log_config().segment_bytes, unset.log_config().segment_bytes);
        assert_eq!(shown.log_config().index_interval_bytes, unset.log_config().index_interval_bytes);
    }

    #[test]
    fn the_cleanup_policy_says_what_goes() {
        let node = BrokerConfig { retention_ms: BrokerConfig::DEFAULT_RETENTION_MS, ..config() };
        let policy = |policy: Option<&str>| {
            let own =
                BTreeMap::from_iter(policy.map(|policy| ("cleanup.policy".to_owned(), policy.to_owned())));
            let settings = TopicSettings::new(&own, &node);
            let cleanup = settings.cleanup();
            (cleanup.retention.milliseconds, cleanup.compact, settings.records_can_be_deleted())
        };
        const WEEK: Option<i64> = Some(7 * 24 * 60 * 60 * 1000);
        assert_eq!(policy(None), (WEEK, false, true));
        assert_eq!(policy(Some("delete")), (WEEK, false, true));
        assert_eq!(policy(Some("compact")), (None, true, false));
        assert_eq!(policy(Some("compact, delete")), (WEEK, true, true));
        assert_eq!(policy(Some("")), (None, false, true));
        let own = BTreeMap::from(
            [("retention.ms", "-1"), ("retention.bytes", "7"), ("min.cleanable.dirty.ratio", "0.25")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let cleanup = TopicSettings::new(&own, &node).cleanup();
        assert_eq!((cleanup.retention.milliseconds, cleanup.retention.bytes), (None, Some(7)));
        assert_eq!(cleanup.min_dirty_ratio, 0.25);
    }

    #[test]
    fn lags_that_contradict_each_other_are_refused() {
        let own = BTreeMap::from(
            [("min.compaction.lag.ms", "11"), ("max.compaction.lag.ms", "10")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert!(TopicSettings::check(&own).unwrap_err().contains("conflicting"));
    }

    #[test]
    fn unknown_settings_are_refused_without_repeating_much_of_them() {
        let own = BTreeMap::from([("x\n".repeat(5_000), "1".to_owned())]);
        let message = TopicSettings::check(&own).unwrap_err();
        assert!(message.starts_with("unknown topic config name: xxxx") && message.len() < 200, "{message}");
    }
}
