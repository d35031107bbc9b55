//! DescribeConfigs: DESCRIBE_CONFIGS on what every entry names.

use schloss_wire::messages::describe_configs_request::DescribeConfigsResource;
use schloss_wire::messages::describe_configs_response::DescribeConfigsResult;
use schloss_wire::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::config_resource::refusal;
use super::split::{Left, conclude, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: DescribeConfigsRequest, judge: &mut Judge<'_>) -> Verdict {
    let needs = table::DESCRIBE_CONFIGS;
    let denied = take_denied(&mut request.resources, |resource| {
        refusal(&needs, judge, resource.resource_type, &resource.resource_name)
    });
    let left = Left::after(&request.resources, &denied);
    conclude(request, left, judge, move |response: &mut DescribeConfigsResponse, _| {
        let denied = denied.iter().map(|(resource, code)| refuse_resource(resource, *code, words(*code)));
        response.results.extend(denied);
    })
}

pub(super) fn refuse(
    request: &DescribeConfigsRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> DescribeConfigsResponse {
    let resources = request.resources.iter();
    build!(DescribeConfigsResponse {
        results: resources.map(|resource| refuse_resource(resource, code, text(message))).collect(),
    })
}

fn refuse_resource(
    resource: &DescribeConfigsResource,
    code: ErrorCode,
    error_message: Option<StrBytes>,
) -> DescribeConfigsResult {
    build!(DescribeConfigsResult {
        error_code: code.code(),
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    })
}
