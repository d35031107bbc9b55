//! Changes of settings and quotas.

use schloss_wire::StrBytes;
use schloss_wire::messages::incremental_alter_configs_request::AlterableConfig;
use schloss_wire::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterConfigsRequest, AlterConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use serde_json::{Value, json};

use super::Change;
use super::result::{Answer, Errors};

/// Kafka's codes of resources in configuration requests (`ConfigResource.Type`).
const CONFIG_TOPIC: i8 = 2;
const CONFIG_BROKER: i8 = 4;
const CONFIG_GROUP: i8 = 32;
/// Parts of the names of settings whose values are nobody's business.
const SECRET_WORDS: [&str; 6] = ["password", "secret", "credential", "jaas", "token", ".key"];
/// Whom a quota is for.
const CLIENT_QUOTA: &str = "ClientQuota";

pub(super) fn alter(request: &AlterConfigsRequest) -> Vec<Change> {
    let resources = request.resources.iter().map(|resource| {
        let configs: serde_json::Map<String, Value> = resource
            .configs
            .iter()
            .map(|config| (config.name.to_string(), shown(&config.name, config.value.as_ref())))
            .collect();
        let what = json!({
            "action": "replace configs",
            "configs": configs,
            "validateOnly": request.validate_only,
        });
        Change::new(config_resource(resource.resource_type), resource.resource_name.as_str(), what)
    });
    resources.collect()
}

pub(super) fn altered(response: &AlterConfigsResponse) -> impl Iterator<Item = Answer<'_>> {
    response.responses.iter().map(|resource| {
        let errors = Errors::whole(resource.error_code);
        Answer::new(config_resource(resource.resource_type), &*resource.resource_name, errors)
    })
}

pub(super) fn alter_incrementally(request: &IncrementalAlterConfigsRequest) -> Vec<Change> {
    let resources = request.resources.iter().map(|resource| {
        let configs: Vec<Value> = resource.configs.iter().map(config_change).collect();
        let what = json!({
            "action": "alter configs",
            "configs": configs,
            "validateOnly": request.validate_only,
        });
        Change::new(config_resource(resource.resource_type), resource.resource_name.as_str(), what)
    });
    resources.collect()
}

pub(super) fn altered_incrementally(
    response: &IncrementalAlterConfigsResponse,
) -> impl Iterator<Item = Answer<'_>> {
    response.responses.iter().map(|resource| {
        let errors = Errors::whole(resource.error_code);
        Answer::new(config_resource(resource.resource_type), &*resource.resource_name, errors)
    })
}

pub(super) fn alter_quotas(request: &AlterClientQuotasRequest) -> Vec<Change> {
    let entries = request.entries.iter().map(|entry| {
        let quotas: Vec<Value> = entry
            .ops
            .iter()
            .map(|op| {
                let value = if op.remove { Value::Null } else { json!(op.value) };
                json!({ "name": op.key.as_str(), "value": value })
            })
            .collect();
        let what =
            json!({ "action": "alter quotas", "quotas": quotas, "validateOnly": request.validate_only });
        let entity = entry.entity.iter().map(|part| (&part.entity_type, &part.entity_name));
        Change::new(CLIENT_QUOTA, entity_text(entity), what)
    });
    entries.collect()
}

pub(super) fn altered_quotas(response: &AlterClientQuotasResponse) -> impl Iterator<Item = Answer<'_>> {
    response.entries.iter().map(|entry| {
        let entity = entry.entity.iter().map(|part| (&part.entity_type, &part.entity_name));
        Answer::new(CLIENT_QUOTA, entity_text(entity), Errors::whole(entry.error_code))
    })
}

/// Whom a quota is for, in one order whatever order it came in. No name stands for the default.
fn entity_text<'a>(parts: impl Iterator<Item = (&'a StrBytes, &'a Option<StrBytes>)>) -> String {
    let mut parts: Vec<String> = parts
        .map(|(entity_type, name)| {
            format!("{}={}", entity_type.as_str(), name.as_deref().unwrap_or("<default>"))
        })
        .collect();
    parts.sort_unstable();
    parts.join(",")
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

/// The value of a setting, unless it is a secret.
pub(super) fn shown(name: &str, value: Option<&StrBytes>) -> Value {
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
