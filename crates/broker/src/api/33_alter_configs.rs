//! AlterConfigs: all settings of topics and groups at once; what is not named goes back to its default. Clients since Kafka 4
//! use IncrementalAlterConfigs only.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use schloss_wire::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};
use schloss_wire::messages::incremental_alter_configs_request as incremental;
use schloss_wire::{StrBytes, build};

use super::incremental_alter_configs::{DELETE, SET, alter};
use crate::broker::Broker;
use crate::reply::{later, text};
use crate::settings::{GROUP_RESOURCE, TOPIC_RESOURCE};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: AlterConfigsRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        // What there is must not change between the look at it and the change.
        let _topology = broker.topology.lock().await;
        let snapshot = broker.metadata.snapshot();
        let changes: Vec<_> =
            request.resources.iter().map(|resource| to_changes(&snapshot, resource)).collect();
        let refusals = alter(&broker, &changes, request.validate_only).await;
        let answers = request.resources.into_iter().zip(refusals).map(|(resource, refused)| {
            build!(AlterConfigsResourceResponse {
                error_code: refused.as_ref().map_or(0, |refused| refused.code.code()),
                error_message: refused.and_then(|refused| text(refused.message)),
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
            })
        });
        build!(AlterConfigsResponse { responses: answers.collect() })
    })
}

/// Sets what is named and deletes the rest.
fn to_changes(snapshot: &Snapshot, resource: &AlterConfigsResource) -> incremental::AlterConfigsResource {
    let change = |name: StrBytes, config_operation: i8, value: Option<StrBytes>| {
        build!(incremental::AlterableConfig { name, config_operation, value })
    };
    let named = resource.configs.iter().map(|one| change(one.name.clone(), SET, one.value.clone()));
    let name = resource.resource_name.as_str();
    let own = match resource.resource_type {
        TOPIC_RESOURCE => snapshot.topic(name).map(|topic| &topic.configs),
        GROUP_RESOURCE => snapshot.group_configs(name),
        _ => None,
    };
    let own = own.into_iter().flat_map(|own| own.keys());
    let rest = own.filter(|own| resource.configs.iter().all(|one| one.name.as_str() != own.as_str()));
    let deleted = rest.map(|name| change(StrBytes::from(name.as_str()), DELETE, None));
    build!(incremental::AlterConfigsResource {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        configs: named.chain(deleted).collect(),
    })
}
