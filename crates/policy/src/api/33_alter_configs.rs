//! AlterConfigs: ALTER_CONFIGS on what every entry names.

use schloss_wire::messages::alter_configs_request::AlterConfigsResource;
use schloss_wire::messages::alter_configs_response::AlterConfigsResourceResponse;
use schloss_wire::messages::{AlterConfigsRequest, AlterConfigsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::config_resource::refusal;
use super::split::{Left, conclude_split, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: AlterConfigsRequest, judge: &mut Judge<'_>) -> Verdict {
    let needs = table::ALTER_CONFIGS;
    let denied = take_denied(&mut request.resources, |resource| {
        refusal(&needs, judge, resource.resource_type, &resource.resource_name)
    });
    let left = Left::after(&request.resources, &denied);
    conclude_split(request, left, judge, move |response: &mut AlterConfigsResponse, _| {
        let denied = denied.iter().map(|(resource, code)| refuse_resource(resource, *code, words(*code)));
        response.responses.extend(denied);
    })
}

pub(super) fn refuse(
    request: &AlterConfigsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> AlterConfigsResponse {
    let resources = request.resources.iter();
    build!(AlterConfigsResponse {
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
