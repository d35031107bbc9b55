//! ListConfigResources: what has settings, by type.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::list_config_resources_request::ListConfigResourcesRequest;
use schloss_wire::messages::list_config_resources_response::{ConfigResource, ListConfigResourcesResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::reply::ready;
use crate::settings::{BROKER_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE};

/// The first version that asks for types; before, it is for client metrics only.
const TYPES_SINCE_VERSION: i16 = 1;
/// Types of which there are none here.
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const ALL: [i8; 5] = [TOPIC_RESOURCE, BROKER_RESOURCE, BROKER_LOGGER, CLIENT_METRICS, GROUP_RESOURCE];

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: ListConfigResourcesRequest,
) -> BoxFuture<'static, Outcome> {
    let types = match &request.resource_types[..] {
        _ if caller.api_version < TYPES_SINCE_VERSION => &[CLIENT_METRICS],
        [] => &ALL[..],
        types => types,
    };
    if types.iter().any(|kind| !ALL.contains(kind)) {
        return ready(build!(ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion.code()
        }));
    }
    let mut config_resources = Vec::new();
    if types.contains(&TOPIC_RESOURCE) {
        let snapshot = broker.metadata.snapshot();
        config_resources.extend(snapshot.topics().map(|topic| resource(TOPIC_RESOURCE, &topic.name)));
    }
    if types.contains(&BROKER_RESOURCE) {
        config_resources.push(resource(BROKER_RESOURCE, &broker.config.node_id.to_string()));
    }
    if types.contains(&GROUP_RESOURCE) {
        let snapshot = broker.metadata.snapshot();
        config_resources.extend(snapshot.configured_groups().map(|id| resource(GROUP_RESOURCE, id)));
    }
    ready(build!(ListConfigResourcesResponse { config_resources }))
}

fn resource(resource_type: i8, name: &str) -> ConfigResource {
    build!(ConfigResource { resource_type, resource_name: StrBytes::from(name) })
}
