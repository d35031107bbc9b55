//! Topics made, changed and deleted.

use schloss_wire::messages as m;
use schloss_wire::{Api, build};

use crate::case::{Case, Names};

/// The last version that names topics in a list of names.
const DELETE_NAMES: i16 = 5;

fn create(names: &Names, labels: &[&str]) -> m::CreateTopicsRequest {
    use m::create_topics_request::CreatableTopic;
    let topic = |label: &&str| {
        build!(CreatableTopic { name: names.text(label), num_partitions: 1, replication_factor: 1 })
    };
    build!(m::CreateTopicsRequest { topics: labels.iter().map(topic).collect(), timeout_ms: 10_000 })
}

fn validate(names: &Names) -> m::CreateTopicsRequest {
    let mut request = create(names, &["new"]);
    request.validate_only = true;
    request
}

fn delete(names: &Names, labels: &[&str]) -> m::DeleteTopicsRequest {
    use m::delete_topics_request::DeleteTopicState;
    let state = |label: &&str| build!(DeleteTopicState { name: Some(names.text(label)) });
    build!(m::DeleteTopicsRequest { topics: labels.iter().map(state).collect(), timeout_ms: 10_000 })
}

fn delete_by_id(names: &Names) -> m::DeleteTopicsRequest {
    use m::delete_topics_request::DeleteTopicState;
    let state = build!(DeleteTopicState { name: None, topic_id: names.id("t") });
    build!(m::DeleteTopicsRequest { topics: vec![state], timeout_ms: 10_000 })
}

fn delete_of_old(names: &Names) -> m::DeleteTopicsRequest {
    build!(m::DeleteTopicsRequest { topic_names: vec![names.text("t")], timeout_ms: 10_000 })
}

fn grow(names: &Names) -> m::CreatePartitionsRequest {
    use m::create_partitions_request::CreatePartitionsTopic;
    let topic = build!(CreatePartitionsTopic { name: names.text("t"), count: 2, assignments: None });
    build!(m::CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000 })
}

pub(crate) fn cases() -> Vec<Case> {
    let told = "topics[new].topic_config_error_code 29";
    vec![
        Case::new(Api::CreateTopics, "by its name", |names| create(names, &["new"]))
            .needs("create topic new", "topics[new] 29")
            .allowed(told),
        Case::new(Api::CreateTopics, "by the cluster", |names| create(names, &["new"]))
            .needs("create cluster", "topics[new] 29")
            .recorded(&["create topic new"])
            .allowed(told),
        Case::new(Api::CreateTopics, "two by their names", |names| create(names, &["new", "v"]))
            .needs("create topic new", "topics[new] 29; topics[v] 29")
            .recorded(&["create topic new", "create topic v"])
            .allowed_but("topics[new].topic_config_error_code 29; topics[v] 29", &["create topic v"]),
        Case::new(Api::CreateTopics, "with its settings", validate)
            .needs("create topic new", "topics[new] 29")
            .needs_silently("describe-configs topic new", told),
        Case::new(Api::DeleteTopics, "by its name", |names| delete(names, &["t"]))
            .topics(&["t"])
            .needs("delete topic t", "responses[t] 29")
            .needs("describe topic t", "responses[t] 29")
            .implied(),
        Case::new(Api::DeleteTopics, "by the cluster", |names| delete(names, &["t"]))
            .topics(&["t"])
            .needs("delete cluster", "responses[t] 29")
            .recorded(&["delete topic t"]),
        Case::new(Api::DeleteTopics, "by its id", delete_by_id)
            .topics(&["t"])
            .needs("delete topic t", "responses[t] 29"),
        Case::new(Api::DeleteTopics, "as old clients do", delete_of_old)
            .version(DELETE_NAMES)
            .topics(&["t"])
            .needs("delete topic t", "responses[t] 29"),
        Case::new(Api::DeleteTopics, "two by their names", |names| delete(names, &["t", "u"]))
            .topics(&["t", "u"])
            .needs("delete topic t", "responses[t] 29; responses[u] 29")
            .recorded(&["delete topic t", "delete topic u"])
            .allowed_but("responses[u] 29", &["delete topic u"]),
        Case::new(Api::CreatePartitions, "one topic", grow)
            .topics(&["t"])
            .needs("alter topic t", "results[t] 29"),
    ]
}
