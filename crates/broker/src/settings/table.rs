//! The topic settings of Kafka 4 as data (`TopicConfig`, `LogConfig`).

use schloss_log::{MAX_SEGMENT_BYTES, TimestampSource};

use super::rule::{Kind, Rule};
use crate::broker::BrokerConfig;

/// One setting of a topic.
pub(crate) struct Setting {
    /// Kafka's name of it.
    pub(crate) name: &'static str,
    /// The broker setting that is its default in Kafka, named as a synonym.
    pub(crate) broker_name: &'static str,
    /// Its type.
    pub(crate) kind: Kind,
    /// What holds where the topic doesn't say.
    pub(crate) default: Default,
    /// What it may hold.
    pub(crate) rule: Rule,
    /// What it does, in a sentence.
    pub(crate) documentation: &'static str,
}

/// Where a default comes from.
#[derive(Clone, Copy)]
pub(crate) enum Default {
    /// The same on every node.
    Value(&'static str),
    /// From this node's configuration.
    Node(fn(&BrokerConfig) -> String),
}

impl Setting {
    /// The value where the topic doesn't say.
    pub(crate) fn default_value(&self, config: &BrokerConfig) -> String {
        match self.default {
            Default::Value(value) => value.to_owned(),
            Default::Node(value) => value(config),
        }
    }
}

/// The setting of a topic with this name.
pub(crate) fn setting(name: &str) -> Option<&'static Setting> {
    find(TOPIC_SETTINGS, name)
}

/// The one of these settings with this name.
pub(super) fn find(settings: &'static [Setting], name: &str) -> Option<&'static Setting> {
    settings.iter().find(|setting| setting.name == name)
}

const NO_TIERS: &str = "there is no remote storage";
const ONE_LEVEL: &str = "each codec has one level here, its usual one";
const NO_JITTER: &str = "one thread closes old segments, one after the other";
const GROUP_COMMIT: &str = "every append is flushed in group commits";
const ANY_LONG: Rule = Rule::Whole { min: 0, max: i64::MAX };

const fn row(
    name: &'static str,
    broker_name: &'static str,
    kind: Kind,
    default: &'static str,
    rule: Rule,
    documentation: &'static str,
) -> Setting {
    Setting { name, broker_name, kind, default: Default::Value(default), rule, documentation }
}

/// All of them, in the order of their names.
#[rustfmt::skip] // one row a line reads as the table it is
pub(crate) const TOPIC_SETTINGS: &[Setting] = &[
    row("cleanup.policy", "log.cleanup.policy", Kind::List, "delete",
        Rule::AnyOf(&["compact", "delete"]),
        "How old records are removed: by age and size (delete), all but the newest of each key (compact), or not."),
    row("compression.gzip.level", "compression.gzip.level", Kind::Int, "-1",
        Rule::Only { values: &["-1"], why: ONE_LEVEL }, "Level of gzip when the broker compresses."),
    row("compression.lz4.level", "compression.lz4.level", Kind::Int, "9",
        Rule::Only { values: &["9"], why: ONE_LEVEL }, "Level of lz4 when the broker compresses."),
    row("compression.type", "compression.type", Kind::String, "producer",
        Rule::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        "Codec of stored batches; 'producer' keeps the producer's."),
    row("compression.zstd.level", "compression.zstd.level", Kind::Int, "3",
        Rule::Only { values: &["3"], why: ONE_LEVEL }, "Level of zstd when the broker compresses."),
    row("delete.retention.ms", "log.cleaner.delete.retention.ms", Kind::Long, "86400000", ANY_LONG,
        "How long a compacted topic keeps delete markers, in milliseconds."),
    row("file.delete.delay.ms", "log.segment.delete.delay.ms", Kind::Long, "0",
        Rule::Only { values: &["0"], why: "files of deleted segments are removed at once" },
        "How long files stay after their segment was deleted, in milliseconds."),
    row("flush.messages", "log.flush.interval.messages", Kind::Long, "9223372036854775807",
        Rule::Only { values: &["9223372036854775807"], why: GROUP_COMMIT },
        "Records between two forced flushes."),
    row("flush.ms", "log.flush.interval.ms", Kind::Long, "9223372036854775807",
        Rule::Only { values: &["9223372036854775807"], why: GROUP_COMMIT },
        "Time between two forced flushes, in milliseconds."),
    row("follower.replication.throttled.replicas", "follower.replication.throttled.replicas", Kind::List, "",
        Rule::Only { values: &[""], why: "nothing is replicated" }, "Follower replicas that are throttled."),
    Setting { name: "index.interval.bytes", broker_name: "log.index.interval.bytes", kind: Kind::Int,
        default: Default::Node(|config| config.log.index_interval_bytes.to_string()),
        rule: Rule::Whole { min: 0, max: i32::MAX as i64 },
        documentation: "Bytes of log between two entries of the offset index." },
    row("leader.replication.throttled.replicas", "leader.replication.throttled.replicas", Kind::List, "",
        Rule::Only { values: &[""], why: "nothing is replicated" }, "Leader replicas that are throttled."),
    row("local.retention.bytes", "log.local.retention.bytes", Kind::Long, "-2",
        Rule::Only { values: &["-2"], why: NO_TIERS }, "Bytes kept locally of a tiered topic."),
    row("local.retention.ms", "log.local.retention.ms", Kind::Long, "-2",
        Rule::Only { values: &["-2"], why: NO_TIERS }, "Milliseconds kept locally of a tiered topic."),
    row("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", Kind::Long, "9223372036854775807",
        Rule::Whole { min: 1, max: i64::MAX },
        "Longest time a record of a compacted topic stays uncompacted, in milliseconds."),
    Setting { name: "max.message.bytes", broker_name: "message.max.bytes", kind: Kind::Int,
        default: Default::Node(|config| config.max_message_bytes.to_string()),
        rule: Rule::Whole { min: 0, max: i32::MAX as i64 },
        documentation: "Largest record batch accepted, after compression, in bytes." },
    row("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", Kind::Long, "3600000", ANY_LONG,
        "How far a record's timestamp may be after the broker's clock, in milliseconds."),
    row("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", Kind::Long,
        "9223372036854775807", ANY_LONG,
        "How far a record's timestamp may be before the broker's clock, in milliseconds."),
    Setting { name: "message.timestamp.type", broker_name: "log.message.timestamp.type", kind: Kind::String,
        default: Default::Node(|config| match config.log.timestamps {
            TimestampSource::CreateTime => "CreateTime".to_owned(),
            TimestampSource::LogAppendTime => "LogAppendTime".to_owned(),
        }),
        rule: Rule::OneOf(&["CreateTime", "LogAppendTime"]),
        documentation: "Whether records keep the producer's timestamp or get the time of their append." },
    row("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", Kind::Double, "0.5", Rule::Share,
        "How much of a compacted topic's log must be uncompacted before it is compacted."),
    row("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", Kind::Long, "0", ANY_LONG,
        "Shortest time a record of a compacted topic stays uncompacted, in milliseconds."),
    row("min.insync.replicas", "min.insync.replicas", Kind::Int, "1",
        Rule::Whole { min: 1, max: i32::MAX as i64 },
        "Replicas that must be in sync for a write with acks=all; there is one."),
    row("preallocate", "log.preallocate", Kind::Boolean, "false",
        Rule::Only { values: &["false"], why: "segments grow as they are written" },
        "Whether a segment's space is reserved when it is begun."),
    row("remote.log.copy.disable", "remote.log.copy.disable", Kind::Boolean, "false",
        Rule::Only { values: &["false"], why: NO_TIERS }, "Whether a tiered topic stops tiering."),
    row("remote.log.delete.on.disable", "remote.log.delete.on.disable", Kind::Boolean, "false",
        Rule::Only { values: &["false"], why: NO_TIERS }, "Whether disabling tiers deletes what they hold."),
    row("remote.storage.enable", "remote.storage.enable", Kind::Boolean, "false",
        Rule::Only { values: &["false"], why: NO_TIERS }, "Whether the topic is tiered."),
    row("retention.bytes", "log.retention.bytes", Kind::Long, "-1", Rule::Whole { min: -1, max: i64::MAX },
        "Bytes of a partition after which old segments are deleted; -1 keeps all."),
    Setting { name: "retention.ms", broker_name: "log.retention.ms", kind: Kind::Long,
        default: Default::Node(|config| config.retention_ms.to_string()),
        rule: Rule::Whole { min: -1, max: i64::MAX },
        documentation: "Age in milliseconds after which old segments are deleted; -1 keeps all." },
    Setting { name: "segment.bytes", broker_name: "log.segment.bytes", kind: Kind::Int,
        default: Default::Node(|config| config.log.segment_bytes.to_string()),
        rule: Rule::Whole { min: 1 << 20, max: MAX_SEGMENT_BYTES as i64 },
        documentation: "Size in bytes at which a segment is closed." },
    row("segment.index.bytes", "log.index.size.max.bytes", Kind::Int, "10485760",
        Rule::Only { values: &["10485760"], why: "indexes have no size of their own" },
        "Size of a segment's index, in bytes."),
    row("segment.jitter.ms", "log.roll.jitter.ms", Kind::Long, "0",
        Rule::Only { values: &["0"], why: NO_JITTER }, "Random part of segment.ms, in milliseconds."),
    row("segment.ms", "log.roll.ms", Kind::Long, "604800000", Rule::Whole { min: 1, max: i64::MAX },
        "Age in milliseconds at which a segment is closed."),
    row("unclean.leader.election.enable", "unclean.leader.election.enable", Kind::Boolean, "false",
        Rule::Boolean, "Whether a replica out of sync may lead; with one replica there is none."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_fixed_default_passes_its_own_rule() {
        assert!(TOPIC_SETTINGS.is_sorted_by(|one, other| one.name < other.name));
        for setting in TOPIC_SETTINGS {
            if let Default::Value(value) = setting.default {
                assert_eq!(setting.rule.check(setting.name, value), Ok(()), "{}", setting.name);
            }
        }
    }

    #[test]
    fn settings_that_kafka_4_removed_are_unknown() {
        for name in ["message.format.version", "message.downconversion.enable", "no.such.setting", ""] {
            assert!(TOPIC_SETTINGS.iter().all(|setting| setting.name != name), "{name}");
        }
    }
}
