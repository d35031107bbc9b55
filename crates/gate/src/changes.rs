//! What an administrative request of the engine asks for and what became of it, for the audit trail.

use std::collections::HashMap;

use schloss_wire::messages::incremental_alter_configs_request::AlterableConfig;
use schloss_wire::{ErrorCode, Request, Response, StrBytes, Uuid};
use serde_json::{Value, json};

/// Kafka's codes of resources in configuration requests (`ConfigResource.Type`).
const CONFIG_TOPIC: i8 = 2;
const CONFIG_BROKER: i8 = 4;
const CONFIG_GROUP: i8 = 32;
/// Parts of the names of settings whose values are nobody's business.
const SECRET_WORDS: [&str; 6] = ["password", "secret", "credential", "jaas", "token", ".key"];

/// One entry of a request.
pub(crate) struct Change {
    pub(crate) resource_type: &'static str,
    pub(crate) name: String,
    /// The code of Kafka's error, 0 if it was done.
    pub(crate) error: i16,
    /// What was asked for, without secrets.
    pub(crate) what: Value,
}

impl Change {
    pub(crate) fn new(resource_type: &'static str, name: impl Into<String>, what: Value) -> Self {
        Self { resource_type, name: name.into(), error: ErrorCode::UnknownServerError.code(), what }
    }
}

/// What is asked for; the errors say that nothing is known yet.
pub(crate) fn planned(request: &Request) -> Vec<Change> {
    match request {
        Request::CreateTopics(request) => request
            .topics
            .iter()
            .map(|topic| {
                let configs: serde_json::Map<String, Value> = topic
                    .configs
                    .iter()
                    .map(|config| (config.name.to_string(), shown(&config.name, config.value.as_ref())))
                    .collect();
                let what = json!({
                    "action": "create",
                    "partitions": topic.num_partitions,
                    "replicationFactor": topic.replication_factor,
                    "configs": configs,
                    "validateOnly": request.validate_only,
                });
                Change::new("Topic", topic.name.as_str(), what)
            })
            .collect(),
        Request::CreatePartitions(request) => request
            .topics
            .iter()
            .map(|topic| {
                let what = json!({
                    "action": "create partitions",
                    "partitions": topic.count,
                    "validateOnly": request.validate_only,
                });
                Change::new("Topic", topic.name.as_str(), what)
            })
            .collect(),
        Request::IncrementalAlterConfigs(request) => request
            .resources
            .iter()
            .map(|resource| {
                let configs: Vec<Value> = resource.configs.iter().map(config_change).collect();
                let what =
                    json!({ "action": "alter configs", "configs": configs, "validateOnly": request.validate_only });
                Change::new(config_resource(resource.resource_type), resource.resource_name.as_str(), what)
            })
            .collect(),
        Request::DeleteGroups(request) => request
            .groups_names
            .iter()
            .map(|group| Change::new("Group", group.as_str(), json!({ "action": "delete" })))
            .collect(),
        // Topics may be named by id; the answer knows the names.
        _ => Vec::new(),
    }
}

/// Adds what the answer says.
pub(crate) fn add_results(changes: &mut Vec<Change>, response: &Response) {
    let errors: HashMap<(&str, &str), i16> = match response {
        Response::CreateTopics(response) => {
            response.topics.iter().map(|topic| (("Topic", topic.name.as_str()), topic.error_code)).collect()
        }
        Response::CreatePartitions(response) => {
            response.results.iter().map(|topic| (("Topic", topic.name.as_str()), topic.error_code)).collect()
        }
        Response::IncrementalAlterConfigs(response) => response
            .responses
            .iter()
            .map(|resource| {
                let key = (config_resource(resource.resource_type), resource.resource_name.as_str());
                (key, resource.error_code)
            })
            .collect(),
        Response::DeleteGroups(response) => response
            .results
            .iter()
            .map(|group| (("Group", group.group_id.as_str()), group.error_code))
            .collect(),
        Response::DeleteTopics(response) => {
            changes.extend(response.responses.iter().map(|topic| {
                let name = topic.name.as_ref().map_or_else(|| id_text(topic.topic_id), ToString::to_string);
                let what = json!({ "action": "delete", "topicId": id_text(topic.topic_id) });
                Change { error: topic.error_code, ..Change::new("Topic", name, what) }
            }));
            return;
        }
        _ => return,
    };
    for change in changes {
        if let Some(error) = errors.get(&(change.resource_type, change.name.as_str())) {
            change.error = *error;
        }
    }
}

fn config_change(config: &AlterableConfig) -> Value {
    let operation = match config.config_operation {
        0 => "set",
        1 => "delete",
        2 => "append",
        3 => "subtract",
        _ => "unknown",
    };
    json!({ "name": config.name.as_str(), "operation": operation, "value": shown(&config.name, config.value.as_ref()) })
}

fn shown(name: &str, value: Option<&StrBytes>) -> Value {
    let name = name.to_ascii_lowercase();
    match value {
        Some(_) if SECRET_WORDS.iter().any(|word| name.contains(word)) => json!("(hidden)"),
        Some(value) => json!(value.as_str()),
        None => Value::Null,
    }
}

const fn config_resource(code: i8) -> &'static str {
    match code {
        CONFIG_TOPIC => "Topic",
        CONFIG_GROUP => "Group",
        CONFIG_BROKER => "Broker",
        _ => "Cluster",
    }
}

fn id_text(id: Uuid) -> String {
    schloss_metadata::uuid_text(id)
}

#[cfg(test)]
mod tests {
    use schloss_wire::build;
    use schloss_wire::messages::delete_topics_response::DeletableTopicResult;
    use schloss_wire::messages::incremental_alter_configs_request::AlterConfigsResource;
    use schloss_wire::messages::{DeleteTopicsResponse, IncrementalAlterConfigsRequest};

    use super::*;

    #[test]
    fn a_secret_setting_is_hidden() {
        let config = |name: &str| {
            build!(AlterableConfig { name: name.into(), config_operation: 0, value: Some("hunter2".into()) })
        };
        let configs =
            vec![config("ssl.keystore.password"), config("ssl.keystore.key"), config("retention.ms")];
        let resource = build!(AlterConfigsResource { resource_type: 2, resource_name: "t".into(), configs });
        let request = build!(IncrementalAlterConfigsRequest { resources: vec![resource] });
        let text = planned(&request.into())[0].what.to_string();
        assert_eq!(text.matches("hunter2").count(), 1, "{text}");
    }

    #[test]
    fn a_topic_deleted_by_id_is_named_by_the_answer() {
        let topic = build!(DeletableTopicResult { name: Some("orders".into()), error_code: 0 });
        let mut changes = Vec::new();
        add_results(&mut changes, &build!(DeleteTopicsResponse { responses: vec![topic] }).into());
        assert_eq!((changes[0].name.as_str(), changes[0].error), ("orders", 0));
    }
}
