//! IncrementalAlterConfigs: ALTER_CONFIGS on what every entry names.

use schloss_wire::messages::incremental_alter_configs_request::AlterConfigsResource;
use schloss_wire::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use schloss_wire::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::config_resource::{BROKER_LOGGER, refusal};
use super::split::{Left, conclude, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: IncrementalAlterConfigsRequest, judge: &mut Judge<'_>) -> Verdict {
    let needs = table::INCREMENTAL_ALTER_CONFIGS;
    let denied = take_denied(&mut request.resources, |resource| {
        refusal(&needs, judge, resource.resource_type, &resource.resource_name)
    });
    let left = Left::after(&request.resources, &denied);
    conclude(request, left, judge, move |response: &mut IncrementalAlterConfigsResponse, _| {
        response.responses.extend(denied.iter().map(|(resource, code)| {
            // Kafka has no words for loggers, which brokers look after themselves.
            let words = if resource.resource_type == BROKER_LOGGER { None } else { words(*code) };
            refuse_resource(resource, *code, words)
        }));
    })
}

pub(super) fn refuse(
    request: &IncrementalAlterConfigsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> IncrementalAlterConfigsResponse {
    let resources = request.resources.iter();
    build!(IncrementalAlterConfigsResponse {
        responses: resources.map(|resource| refuse_resource(resource, code, text(message))).collect(),
    })
}

fn refuse_resource(
    resource: &AlterConfigsResource,
    code: ErrorCode,
    error_message: Option<StrBytes>,
) -> AlterConfigsResourceResponse {
    build!(AlterConfigsResourceResponse {
        error_code: code.code(),
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    })
}
