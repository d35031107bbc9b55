//! Topics made, widened and deleted.

use schloss_wire::messages as m;
use schloss_wire::{Api, Uuid, build};

use crate::case::{Case, Scenario, cluster_ways, each, few_ways, with};
use crate::side::{At, Side};

use super::LABELS;

const BROKER: At = At::Broker(1);
const MADE: [&str; 4] = ["t{c}-{v}a", "t{c}-{v}b", "t{c}-{v}c", "t{c}-{v}pre-a"];
const STEM: &str = "t{c}-{v}";
/// First version of DeleteTopics that takes ids.
const STATES: i16 = 6;

fn create(side: &Side<'_>, validate_only: bool) -> m::CreateTopicsRequest {
    use m::create_topics_request::{CreatableTopic, CreatableTopicConfig};
    let topic = |name, num_partitions, setting: &str| {
        let config = build!(CreatableTopicConfig { name: setting.into(), value: Some("100000".into()) });
        build!(CreatableTopic { name, num_partitions, replication_factor: 1, configs: vec![config] })
    };
    let mut topics: Vec<CreatableTopic> =
        LABELS.map(|label| topic(side.text(&format!("{STEM}{label}")), 1, "retention.ms")).to_vec();
    // One that exists, one that can't, one with a setting that there is not.
    topics.push(topic(side.text("a"), 1, "retention.ms"));
    topics.push(topic(side.text(&format!("{STEM}b$")), 1, "retention.ms"));
    topics.push(topic(side.text(&format!("{STEM}pre-unheard")), 1, "unheard.of"));
    build!(m::CreateTopicsRequest { topics, timeout_ms: 10_000, validate_only })
}

fn widen(side: &Side<'_>) -> m::CreatePartitionsRequest {
    use m::create_partitions_request::CreatePartitionsTopic;
    let topics = LABELS.map(|label| {
        build!(CreatePartitionsTopic {
            name: side.text(&format!("{STEM}{label}")),
            count: 2,
            assignments: None
        })
    });
    build!(m::CreatePartitionsRequest { topics: topics.to_vec(), timeout_ms: 10_000 })
}

fn delete(side: &Side<'_>, by_id: bool) -> m::DeleteTopicsRequest {
    use m::delete_topics_request::DeleteTopicState;
    let names = LABELS.map(|label| format!("{STEM}{label}"));
    if side.version() < STATES {
        let names = names.map(|label| side.text(&label));
        return build!(m::DeleteTopicsRequest { topic_names: names.to_vec(), timeout_ms: 10_000 });
    }
    let states = names.map(|label| {
        build!(DeleteTopicState {
            name: (!by_id).then(|| side.text(&label)),
            topic_id: if by_id { side.id(&label) } else { Uuid::ZERO },
        })
    });
    build!(m::DeleteTopicsRequest { topics: states.to_vec(), timeout_ms: 10_000 })
}

/// With the cluster's own operation, where another operation decides what is told.
fn cluster(scenarios: &[(&str, &[&str])]) -> Vec<Scenario> {
    let owned = |grants: &[&str]| grants.iter().map(|grant| (*grant).to_owned()).collect();
    scenarios.iter().map(|(name, grants)| ((*name).to_owned(), owned(grants))).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let create_ways = [
        few_ways("create", "topic", STEM),
        with(few_ways("create", "topic", STEM), &["allow describe-configs topic *"]),
        cluster_ways("create"),
        with(cluster_ways("create"), &["allow describe-configs topic *"]),
    ]
    .concat();
    cases.extend(each(Api::CreateTopics, "tried", BROKER, create_ways, |side| create(side, true)));
    let create_ways = [few_ways("create", "topic", STEM), cluster_ways("create")].concat();
    cases.extend(each(Api::CreateTopics, "done", BROKER, create_ways, |side| create(side, false)));
    let widened = each(Api::CreatePartitions, "one more", BROKER, few_ways("alter", "topic", STEM), widen);
    cases.extend(widened.into_iter().map(|case| case.topics(&MADE)));
    let rights = [
        few_ways("delete", "topic", STEM),
        cluster(&[
            ("ALL on the cluster", &["allow all cluster"]),
            ("ALL on the cluster and DESCRIBE", &["allow all cluster", "allow describe topic *"]),
            ("ALL on the cluster and DENY of one", &["allow all cluster", "deny delete topic t{c}-{v}a"]),
            ("DELETE without DESCRIBE", &["allow delete topic *", "deny describe topic t{c}-{v}a"]),
        ]),
    ]
    .concat();
    let ids = each(Api::DeleteTopics, "by id", BROKER, rights.clone(), |side| delete(side, true));
    cases.extend(ids.into_iter().map(|case| case.topics(&MADE).versions(STATES..=i16::MAX)));
    let names = each(Api::DeleteTopics, "by name", BROKER, rights, |side| delete(side, false));
    cases.extend(names.into_iter().map(|case| case.topics(&MADE)));
    cases
}
