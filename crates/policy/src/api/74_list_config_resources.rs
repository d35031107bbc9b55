//! ListConfigResources: DESCRIBE_CONFIGS on the cluster, which shows the names of all groups and of all topics
//! but Schloss's own.

use schloss_wire::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use schloss_wire::{ErrorCode, build};

use super::config_resource::TOPIC;
use super::split::{allow, allow_with};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::kind::{ResourceType, is_reserved};
use crate::table;

/// First version that lists other types than client metrics.
const TYPES: i16 = 1;

pub(super) fn admit(request: ListConfigResourcesRequest, version: i16, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::LIST_CONFIG_RESOURCES;
    if let Some(code) = describe.refusal_on_cluster(judge) {
        return Verdict::Refused(refuse(code).into());
    }
    // An empty list asks for all types.
    let types = &request.resource_types;
    if version < TYPES || !(types.is_empty() || types.contains(&TOPIC)) {
        return allow(request);
    }
    allow_with(request, |response: &mut ListConfigResourcesResponse, _| {
        response.config_resources.retain(|resource| {
            resource.resource_type != TOPIC || !is_reserved(ResourceType::Topic, &resource.resource_name)
        });
    })
}

pub(super) fn refuse(code: ErrorCode) -> ListConfigResourcesResponse {
    build!(ListConfigResourcesResponse { error_code: code.code() })
}
