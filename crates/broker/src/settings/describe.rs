//! Settings as `DescribeConfigs` shows them.

use super::{GROUP_SETTINGS, Kind, Setting, Source, TOPIC_SETTINGS, TopicSettings};
use crate::broker::BrokerConfig;

/// One setting with its value.
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) source: Source,
    pub(crate) kind: Kind,
    /// Whether no client can change it.
    pub(crate) read_only: bool,
    /// Every place that says something, the one that counts first.
    pub(crate) synonyms: Vec<(&'static str, String, Source)>,
    pub(crate) documentation: &'static str,
}

/// All settings of a topic.
pub(crate) fn describe_topic(settings: &TopicSettings<'_>) -> Vec<Described> {
    describe(TOPIC_SETTINGS, settings, Source::Topic)
}

/// All settings of a group.
pub(crate) fn describe_group(settings: &TopicSettings<'_>) -> Vec<Described> {
    describe(GROUP_SETTINGS, settings, Source::Group)
}

fn describe(table: &'static [Setting], settings: &TopicSettings<'_>, own: Source) -> Vec<Described> {
    let describe = |setting: &'static Setting| {
        let (value, source) = settings.effective(setting);
        let source = if source == Source::Topic { own } else { source };
        let mut synonyms = Vec::new();
        if source == own {
            synonyms.push((setting.name, value.clone(), source));
        }
        synonyms.push((setting.broker_name, settings.default_of(setting), Source::Default));
        Described {
            name: setting.name,
            value,
            source,
            kind: setting.kind,
            read_only: false,
            synonyms,
            documentation: setting.documentation,
        }
    };
    table.iter().map(describe).collect()
}

/// The settings of this node: its own, and those that are the defaults of topics, under their broker names.
pub(crate) fn describe_broker(node: &BrokerConfig) -> Vec<Described> {
    let mut advertised: Vec<String> = node
        .advertised
        .iter()
        .map(|(listener, address)| format!("{listener}://{}:{}", address.host, address.port))
        .collect();
    advertised.sort();
    let row = |name, value: String, source, kind, documentation| Described {
        name,
        synonyms: vec![(name, value.clone(), source)],
        value,
        source,
        kind,
        read_only: true,
        documentation,
    };
    #[rustfmt::skip] // a table
    let mut all = vec![
        row("advertised.listeners", advertised.join(","), Source::StaticBroker, Kind::List,
            "Where clients find this node."),
        row("auto.create.topics.enable", "false".to_owned(), Source::Default, Kind::Boolean,
            "Topics are never created by asking for them."),
        row("default.replication.factor", "1".to_owned(), Source::Default, Kind::Int,
            "Replicas of a topic that doesn't say how many; there is one node."),
        row("delete.topic.enable", "true".to_owned(), Source::Default, Kind::Boolean,
            "Whether topics can be deleted."),
        row("node.id", node.node_id.to_string(), Source::StaticBroker, Kind::Int, "This node's id."),
        row("num.partitions", node.default_partitions.to_string(), Source::Default, Kind::Int,
            "Partitions of a topic that doesn't say how many."),
    ];
    all.extend(TOPIC_SETTINGS.iter().map(|setting| {
        row(
            setting.broker_name,
            setting.default_value(node),
            Source::Default,
            setting.kind,
            setting.documentation,
        )
    }));
    all.sort_by_key(|setting| setting.name);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::config;

    #[test]
    fn a_topics_own_value_comes_before_the_default() {
        let node = config();
        let own = BTreeMap::from([("max.message.bytes".to_owned(), "100".to_owned())]);
        let described = describe_topic(&TopicSettings::new(&own, &node));
        let find = |name: &str| described.iter().find(|setting| setting.name == name).unwrap();
        let size = find("max.message.bytes");
        assert_eq!((size.value.as_str(), size.source), ("100", Source::Topic));
        assert_eq!(
            size.synonyms,
            [
                ("max.message.bytes", "100".to_owned(), Source::Topic),
                ("message.max.bytes", "1048588".to_owned(), Source::Default)
            ]
        );
        assert_eq!(find("cleanup.policy").source, Source::Default);
    }

    #[test]
    fn a_brokers_settings_are_named_once_each() {
        let described = describe_broker(&config());
        assert!(described.is_sorted_by(|one, other| one.name < other.name));
        assert!(described.iter().all(|setting| setting.read_only));
    }
}
